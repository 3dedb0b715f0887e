"""Switched on and off at any moment, from anywhere, by any launcher: answers stay right, and a message is said once."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import weakref
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep

import anyio
import pytest
import uvicorn.server as uvicorn_server

import mcp_otel
from tests.promises import hosts, messages
from tests.promises.originals import HOOKED, Originals, changed, originals, restore
from tests.promises.watching import providers, start
from tests.workers.crew import DURATION, ROOT, Ledger, by_size, gunicorn, serving, to, uvicorn

MANY = 100
SPOKEN = """
from importlib import import_module, util
two = util.find_spec("mcp.server.mcpserver") is not None
room, kind = ("mcp.server.mcpserver", "MCPServer") if two else ("mcp.server.fastmcp", "FastMCP")
server = getattr(import_module(room), kind)("spoken", log_level="CRITICAL")
async def whoami() -> str:
    return "me"
server.tool(structured_output=False)(whoami)
server.run("stdio")
"""


@pytest.fixture
def before() -> Iterator[Originals]:
    for name in HOOKED:
        import_module(name)
    held = originals()
    yield held
    mcp_otel.uninstrument()
    left = changed(held)
    restore(held)
    assert left == []


@pytest.fixture
def sink() -> Iterator[Ledger]:
    with Ledger() as sink:
        yield sink


@pytest.mark.parametrize("again", [False, True], ids=["off", "off and on"])
@pytest.mark.parametrize("door", ["pipe", "http"])
def test_a_hundred_calls_in_flight_are_answered_as_ever_while_it_goes(
    door: str, again: bool, before: Originals
) -> None:
    async def told(change: Callable[[], None]) -> list[bytes]:
        waiting, go = [], anyio.Event()

        async def behind() -> str:
            waiting.append(None)
            await go.wait()
            return "done"

        server, answers = hosts.high_level(hosts.Waiting(), behind), {}
        opened = hosts.piped(server) if door == "pipe" else hosts.webbed(server)
        async with opened as wire:
            ask = getattr(wire, "ask", None) or wire.send
            await ask(messages.HELLO[0])
            async with anyio.create_task_group() as tasks:

                async def one(number: int) -> None:
                    answers[number] = await ask(messages.call(f"n{number}", "nested"))

                for number in range(MANY):
                    tasks.start_soon(one, number)
                with anyio.fail_after(messages.PATIENCE):
                    while len(waiting) < MANY:
                        await anyio.lowlevel.checkpoint()
                change()
                go.set()
            for number in range(MANY, MANY + 5):
                answers[number] = await ask(messages.call(f"n{number}", "nested"))
        return [answers[number] for number in range(MANY + 5)]

    bare = anyio.run(told, lambda: None)
    assert len(bare) == MANY + 5
    with providers() as watched:
        start(watched)
        first = weakref.ref(watched.recorder)

        def change() -> None:
            mcp_otel.uninstrument()
            if again:
                start(watched)

        assert anyio.run(told, change) == bare
        until = monotonic() + 5
        gc.collect()
        while first() is not None and monotonic() < until:
            sleep(0.01)  # a thread that ends may still be in its last frame
            gc.collect()
        assert (dict(watched.totals.failures), watched.lines, first()) == ({}, [], None)
        said = Counter(span.attributes["jsonrpc.request.id"] for span in watched.servers if "nested" in span.name)
        # On 1.x a session is seen from its beginning on, or not at all.
        after = {f"n{number}" for number in range(MANY, MANY + 5)} if again and hosts.LINE == 2 else set()
        # What began under our eyes is said to its end.
        assert said == Counter([*(f"n{number}" for number in range(MANY)), *after])
        if again:
            assert (watched.recorder.live.requests, watched.recorder.live.sessions) == ({}, {})


def test_under_load_it_may_be_switched_off_and_on_and_then_says_each_call_once(sink: Ledger, tmp_path: Path) -> None:
    with serving(uvicorn(1), tmp_path, sink) as server:
        server.await_workers(1)
        over, pids = Event(), []
        loads = [Thread(target=lambda: [pids.append(server.call()[1]) for _ in iter(over.is_set, True)]) for _ in "abc"]
        for load in loads:
            load.start()
        for on in (False, True) * 4:
            server.call("switch", on=on)
        over.set()
        for load in loads:
            load.join()
        served = server.load(40)
        server.stop()
        assert len(set(pids)) == 1
        assert len(pids) > 10
        ids = set().union(*sink.served().values())
        assert set().union(*served.values()) <= ids
        assert "Traceback" not in server.said
        assert "mcp-otel" not in server.said


def test_the_hook_into_uvicorn_comes_out_again() -> None:
    shutdown = vars(uvicorn_server.Server)["shutdown"]
    with providers() as watched:
        start(watched)
        assert vars(uvicorn_server.Server)["shutdown"] is not shutdown
        mcp_otel.uninstrument()
        assert vars(uvicorn_server.Server)["shutdown"] is shutdown


@pytest.mark.parametrize("where", ["late", "thread", "loop"])
def test_it_may_be_switched_on_anywhere(where: str, sink: Ledger, tmp_path: Path) -> None:
    with serving(uvicorn(1), tmp_path, sink, DESK_INSTRUMENT=where) as server:
        server.await_workers(1)
        served = server.load(20)
        server.stop()
        assert by_size(sink.served()) == by_size(served), server.said
        assert sum(sink.sums(DURATION, mcp__method__name="tools/call").values()) == 20


RUN = [sys.executable, "-m", "mcp_otel", "run", "--"]
STANDARD = [str(Path(sys.executable).with_name("opentelemetry-instrument"))]


@pytest.mark.parametrize(
    ("around", "where", "launcher"),
    [
        (RUN, "none", uvicorn(2, "--loop", "uvloop")),
        (STANDARD, "none", gunicorn(2)),
        (RUN + STANDARD, "import", uvicorn(2)),
        (RUN + STANDARD, "import", gunicorn(2, "--preload")),
    ],
    ids=["run", "standard", "all-uvicorn", "all-gunicorn"],
)
def test_by_every_launcher_and_by_all_at_once_a_message_is_said_once(
    around: list[str], where: str, launcher: Callable[[int], list[str]], sink: Ledger, tmp_path: Path
) -> None:
    def counts() -> list[float]:
        return sorted(sink.sums(DURATION, mcp__method__name="tools/call").values())

    more = {"DESK_INSTRUMENT": where, "MCP_OTEL_SUMMARY": "off"}
    with serving(lambda port: [*around, *launcher(port)], tmp_path, sink, **more) as server:
        server.await_workers(2)
        served = server.load(60)
        # The standard launcher's providers are not ours to flush at SIGTERM.
        sink.wait_for(lambda _: around is RUN or (sum(counts()) == 60 and sum(map(len, sink.served().values())) == 60))
        server.stop(signal.SIGTERM)
        assert by_size(sink.served()) == by_size(served), server.said
        assert counts() == sorted(len(ids) for ids in served.values())


def spoken(folder: Path) -> dict[str, list[str]]:
    """The same server on stdio as a program of each kind."""
    (folder / "spoken").mkdir()
    (folder / "spoken" / "__main__.py").write_text(SPOKEN)
    with zipfile.ZipFile(folder / "spoken.pyz", "w") as packed:
        packed.writestr("__main__.py", SPOKEN)
    (folder / "spoken.sh").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (folder / "spoken.sh").chmod(0o755)
    return {
        "module": [sys.executable, "-m", "spoken"],
        "command": [sys.executable, "-c", SPOKEN],
        "zipapp": [sys.executable, "spoken.pyz"],
        "launcher": ["./spoken.sh", "-m", "spoken"],
    }


@pytest.mark.parametrize("kind", ["module", "command", "zipapp", "launcher"])
def test_a_program_of_every_kind_is_watched(kind: str, sink: Ledger, tmp_path: Path) -> None:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "MCP_OTEL_"))}
    with subprocess.Popen(
        [*RUN, *spoken(tmp_path)[kind]],
        cwd=tmp_path,
        env={**inherited, "PYTHONPATH": str(ROOT), **to(sink), "MCP_OTEL_SUMMARY": "off"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        answers = []
        for message in (*messages.HELLO, messages.call("c1", "whoami")):
            server.stdin.write(json.dumps(message) + "\n")
            server.stdin.flush()
            if "id" in message:
                answers.append(json.loads(server.stdout.readline()))
        _, said = server.communicate(timeout=30)
    assert answers[-1]["result"]["content"][0]["text"] == "me"
    assert (server.returncode, "mcp-otel" in said) == (0, False), said
    assert list(sink.served().values()) == [{"c1"}]
