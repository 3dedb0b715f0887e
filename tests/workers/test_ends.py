"""How workers end: what can be delivered is, a dead endpoint holds nobody up, and status and signal are their own."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest

from tests.exit.test_exit import black_hole
from tests.workers.crew import DURATION, Ledger, by_size, gunicorn, serving, uvicorn
from tests.workers.test_forks import PARENT, exact, run, spans

LAUNCHERS = {
    "uvicorn": (uvicorn(2), 2),
    "gunicorn-preload": (gunicorn(2, "--preload"), 2),
}


@pytest.fixture
def sink() -> Iterator[Ledger]:
    with Ledger() as sink:
        yield sink


@pytest.mark.parametrize(("launcher", "workers"), LAUNCHERS.values(), ids=LAUNCHERS)
def test_a_dead_endpoint_holds_workers_up_for_less_than_a_second_and_their_status_is_their_own(
    launcher: Callable[[int], list[str]], workers: int, tmp_path: Path
) -> None:
    def end(**variables: str) -> tuple[int, float]:
        with serving(launcher, tmp_path, None, **variables) as server:
            server.await_workers(workers)
            server.load(8 * workers)
            since = monotonic()
            return server.stop(signal.SIGTERM), monotonic() - since

    bare = end(DESK_INSTRUMENT="none")
    with black_hole("http/protobuf") as url:
        status, seconds = end(OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf")
    assert status == bare[0]
    assert seconds - bare[1] < 1.0


def test_ctrl_c_delivers_and_keeps_its_status(sink: Ledger, tmp_path: Path) -> None:
    with serving(uvicorn(1), tmp_path, None, DESK_INSTRUMENT="none") as server:
        server.await_workers(1)
        bare = server.stop(signal.SIGINT)
    with serving(uvicorn(1), tmp_path, sink) as server:
        server.await_workers(1)
        served = server.load(20)
        assert server.stop(signal.SIGINT) == bare
        assert by_size(sink.served()) == by_size(served), server.said


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT], ids=["killed", "timed out"])
def test_what_a_worker_had_said_before_it_died_counts_once_and_its_successor_begins_at_zero(
    number: signal.Signals, sink: Ledger, tmp_path: Path
) -> None:
    def said() -> int:
        return sum(map(len, sink.served().values()))

    def counted() -> float:
        return sum(sink.sums(DURATION, mcp__method__name="tools/call").values())

    with serving(gunicorn(1, "--preload"), tmp_path, sink) as server:
        (first,) = server.await_workers(1)
        served = server.load(30)
        assert sink.wait_for(lambda _: said() == counted() == 30)
        os.kill(first, number)
        server.await_workers(2)
        served |= server.load(20)
        server.stop()
        assert len(served) == 2
        assert by_size(sink.served()) == by_size(served)
        assert sorted(sink.sums(DURATION, mcp__method__name="tools/call").values()) == [20, 30]


def test_an_exception_that_ends_a_child_of_multiprocessing_delivers_and_is_said_as_ever(sink: Ledger) -> None:
    ended = run("crash", sink)
    assert (ended.returncode, ended.stdout) == (0, "1\n")
    assert ended.stderr.splitlines()[-1] == "RuntimeError: the end"
    exact(sink, PARENT, 7)


def test_a_child_that_vanishes_is_not_held_up_and_says_nothing_twice(sink: Ledger) -> None:
    ended = run("vanish", sink)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "4\n", "")
    assert PARENT in [sum(said.values()) for said in spans(sink).values()]
    assert max(sink.sums(DURATION, gen_ai__tool__name="echo").values()) == PARENT
