"""Several processes of one server, spawned or forked: every call of every worker is said exactly once, by its own."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.workers.crew import DURATION, Ledger, by_size, gunicorn, serving, uvicorn


@pytest.fixture
def sink() -> Iterator[Ledger]:
    with Ledger() as sink:
        yield sink


LAUNCHERS = {
    "uvicorn": uvicorn(2),
    "uvicorn-one": uvicorn(1),
    "gunicorn": gunicorn(2),
    "gunicorn-preload": gunicorn(2, "--preload"),
}


@pytest.mark.parametrize("launcher", LAUNCHERS.values(), ids=LAUNCHERS)
def test_every_call_of_every_worker_is_said_exactly_once(
    launcher: Callable[[int], list[str]], sink: Ledger, tmp_path: Path
) -> None:
    workers = 1 if launcher is LAUNCHERS["uvicorn-one"] else 2
    with serving(launcher, tmp_path, sink) as server:
        server.await_workers(workers)
        served = server.load(160)
        server.stop(signal.SIGTERM)
        assert len(served) == workers
        assert by_size(sink.served()) == by_size(served), server.said
        counted = sink.sums(DURATION, mcp__method__name="tools/call")
        assert counted == {instance: len(ids) for instance, ids in sink.served().items()}, server.said
        assert "mcp-otel" not in server.said
