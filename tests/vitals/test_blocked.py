"""A blocked loop is seen while it is blocked, with the line that blocks it; and nothing is said of one that is not."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mcp_otel.vitals import blocked
from mcp_otel.vitals.blocked import HOST, INSTALLED, MAX_PLACES, OTHER, REST, UNSEEN, Blockage, Blocked
from mcp_otel.vitals.loop import Loops
from mcp_otel.vitals.stepping import stepped

try:
    import uvloop
except ImportError:
    uvloop = None  # type: ignore[assignment]

Run = Callable[[Coroutine[Any, Any, Any]], Any]
either = pytest.mark.parametrize(
    "run",
    [
        pytest.param(asyncio.run, id="asyncio"),
        pytest.param(
            uvloop.run if uvloop is not None else None,
            id="uvloop",
            marks=pytest.mark.skipif(uvloop is None, reason="uvloop is not installed"),
        ),
    ],
)
HERE = "tests/vitals/test_blocked.py"


class Told:
    """What was told of blockages, and whether the loop was still blocked then."""

    def __init__(self) -> None:
        self.said: list[Blockage] = []
        self.while_blocked: list[bool] = []
        self.blocked = True
        self.over = threading.Event()

    def hear(self, blockage: Blockage) -> None:
        self.said.append(blockage)
        self.while_blocked.append(self.blocked)
        if blockage.over:
            self.over.set()

    async def end(self) -> None:
        """Wait until a blockage is over."""
        await asyncio.to_thread(self.over.wait, 5)


@contextmanager
def watching(told: Callable[[Blockage], object] | None = None, **given: Any) -> Iterator[tuple[Loops, Blocked]]:
    loops = Loops(bound=given.pop("bound", 0.25), failed=given.pop("failed", None))
    watcher = Blocked(loops, told, **given)
    stop = watcher.start()
    try:
        yield loops, watcher
    finally:
        stop()
        loops.undo()
        for thread in watchers():
            thread.join(5)
        assert watchers() == []


def watchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "mcp-otel blocked"]


def spin(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def sleeping() -> None:
    time.sleep(0.7)


async def sleeping_inside() -> None:
    await asyncio.sleep(0)
    time.sleep(0.7)


async def spinning_inside() -> None:
    await asyncio.sleep(0)
    end = time.perf_counter() + 0.7
    while time.perf_counter() < end:
        pass


def lines(function: Callable[..., Any]) -> list[str]:
    """Every `file:line` of it."""
    return [f"{HERE}:{line}" for _, _, line in function.__code__.co_lines() if line is not None]


@either
@pytest.mark.parametrize("block", [sleeping, spin, sleeping_inside, spinning_inside])
def test_a_blockage_names_its_line_while_it_lasts_and_its_seconds_when_it_is_over(
    run: Run, block: Callable[..., Any]
) -> None:
    told = Told()

    def callback() -> None:
        block(0.7) if block is spin else block()
        told.blocked = False

    async def main(loops: Loops) -> None:
        loops.watch()
        await asyncio.sleep(0.3)
        if inspect.iscoroutinefunction(block):
            await block()
            told.blocked = False
        else:
            asyncio.get_running_loop().call_soon(callback)
        await told.end()

    with watching(told.hear) as (loops, watcher):
        run(main(loops))
    first, last = told.said
    assert told.while_blocked == [True, False]
    assert (first.over, last.over) == (False, True)
    assert first.place is last.place
    assert first.place.function == block.__name__
    assert first.place.line in lines(block)
    assert 0.25 <= first.seconds < 0.6
    assert last.seconds == pytest.approx(0.7, abs=0.1)
    assert watcher.places() == {first.place.line: (1, last.seconds)}


def test_the_line_is_that_of_the_sleep_itself() -> None:
    told = Told()

    async def main(loops: Loops) -> int:
        loops.watch()
        line = sys._getframe().f_lineno + 1
        time.sleep(0.4)
        await told.end()
        return line

    with watching(told.hear) as (loops, _):
        line = asyncio.run(main(loops))
    assert [each.place.line for each in told.said] == [f"{HERE}:{line}"] * 2


@either
def test_a_loop_that_is_busy_in_small_steps_is_not_blocked(run: Run) -> None:
    told = Told()

    async def main(loops: Loops) -> None:
        loops.watch()
        for _ in range(60):
            spin(0.03)
            await asyncio.sleep(0.005)

    with watching(told.hear) as (loops, watcher):
        run(main(loops))
    assert told.said == []
    assert watcher.places() == {}


def test_what_still_lasts_is_in_the_table_and_grows() -> None:
    read: list[tuple[int, float]] = []

    async def main(loops: Loops, watcher: Blocked) -> None:
        loops.watch()

        def reading() -> None:
            end = time.perf_counter() + 5
            while len(read) < 2 and time.perf_counter() < end:
                read.extend(each for each in watcher.places().values() if each[1] > (read[-1][1] if read else 0))
                time.sleep(0.01)

        thread = threading.Thread(target=reading)
        thread.start()
        while thread.is_alive():
            time.sleep(0.01)

    with watching() as (loops, watcher):
        asyncio.run(main(loops, watcher))
    assert [count for count, _ in read] == [1, 1]
    assert 0.25 <= read[0][1] < read[1][1]


def test_two_loops_that_are_blocked_at_once_are_told_apart() -> None:
    told: list[tuple[str, float]] = []

    def hear(blockage: Blockage) -> None:
        if blockage.over:
            told.append((blockage.place.function.rpartition(".")[2], blockage.seconds))

    def first() -> None:
        time.sleep(0.5)

    def second() -> None:
        time.sleep(0.8)

    async def main(loops: Loops, block: Callable[[], None]) -> None:
        loops.watch()
        await asyncio.sleep(0.01)
        block()
        await asyncio.sleep(0.3)

    with watching(hear) as (loops, _):
        threads = [threading.Thread(target=asyncio.run, args=(main(loops, block),)) for block in (first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(told) == [("first", pytest.approx(0.5, abs=0.1)), ("second", pytest.approx(0.8, abs=0.1))]


def test_a_blockage_that_lets_nobody_look_is_counted_when_it_is_over() -> None:
    told = Told()

    async def main(loops: Loops) -> None:
        loops.watch()
        interval = sys.getswitchinterval()
        sys.setswitchinterval(10)  # nobody else gets to run Python until this thread waits for something
        spin(0.4)
        sys.setswitchinterval(interval)
        await told.end()

    with watching(told.hear) as (loops, watcher):
        asyncio.run(main(loops))
    assert [each.over for each in told.said][-1]
    assert told.said[-1].seconds == pytest.approx(0.4, abs=0.1)
    assert sum(count for count, _ in watcher.places().values()) == 1


def test_a_step_says_whom_its_blockage_is_to_be_charged_to() -> None:
    told, charged = Told(), []

    async def tool() -> None:
        await asyncio.sleep(0)
        time.sleep(0.4)

    async def main(loops: Loops) -> None:
        loops.watch()
        await stepped(tool(), charged.append)
        await told.end()

    with watching(told.hear) as (loops, _):
        asyncio.run(main(loops))
    assert [each.place.spend for each in told.said] == [charged.append] * 2
    assert [each for each in charged if each > 0.3e9] == [pytest.approx(0.4e9, rel=0.2)]


def test_beyond_fifty_places_all_are_other() -> None:
    source = "\n".join(f"def block{number}():\n    spin(0.025)" for number in range(MAX_PLACES + 10))
    names: dict[str, Any] = {"spin": time.sleep}
    exec(compile(source, "<string>", "exec"), names)  # code from no file is the host's as well

    async def main(loops: Loops) -> None:
        loops.watch()
        for number in range(MAX_PLACES + 10):
            await asyncio.sleep(0.001)
            names[f"block{number}"]()
        await asyncio.sleep(0.1)

    with watching(bound=0.01) as (loops, watcher):
        asyncio.run(main(loops))
        places = watcher.places()
    assert len(places) == MAX_PLACES + 1
    assert sum(count for count, _ in places.values()) == pytest.approx(MAX_PLACES + 10, abs=5)
    assert places[OTHER][0] >= 5
    assert {line for line in places if not line.startswith("<string>:")} <= {OTHER, UNSEEN}


@either
def test_what_is_told_may_fail(run: Run) -> None:
    failures: list[object] = []

    def failing(_: Blockage) -> None:
        raise ZeroDivisionError

    async def main(loops: Loops) -> str:
        loops.watch()
        await asyncio.sleep(0.05)
        time.sleep(0.4)
        await asyncio.sleep(0.2)
        return "served"

    with watching(failing, failed=lambda part, error: failures.append((part, type(error)))) as (loops, watcher):
        assert run(main(loops)) == "served"
    assert failures == [("loop", ZeroDivisionError)] * 2
    assert [count for count, _ in watcher.places().values()] == [1]


def test_it_sleeps_while_all_loops_are_idle_and_wakes_for_the_next_blockage(capsys: pytest.CaptureFixture[str]) -> None:
    told = Told()

    def spent() -> float:
        (thread,) = watchers()
        assert thread.ident is not None
        return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))

    def idle(pulse: Any) -> float:
        """Seconds of processor in a second, from when the loop is idle; read in a thread as not to wake it."""
        end = time.perf_counter() + 5
        while not pulse.dozing and time.perf_counter() < end:
            time.sleep(0.01)
        time.sleep(0.3)
        before = spent()
        time.sleep(1)
        return spent() - before

    async def main(loops: Loops) -> tuple[float, float]:
        loops.watch()
        (pulse,) = loops.pulses()
        idled = await asyncio.to_thread(idle, pulse)
        before, end = spent(), time.perf_counter() + 2
        while time.perf_counter() < end:
            spin(0.004)
            await asyncio.sleep(0.006)
        busy = (spent() - before) / 2
        await asyncio.to_thread(idle, pulse)
        time.sleep(0.5)
        await told.end()
        return idled, busy

    with watching(told.hear) as (loops, _):
        idled, busy = asyncio.run(main(loops))
    with capsys.disabled():
        print(f"\nthe watching thread uses {busy:.3%} of a core while the loop works, {idled:.3%} while it is idle")
    assert idled == 0
    assert busy < 0.01
    assert [each.over for each in told.said] == [False, True]


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no process can be stopped here")
def test_a_process_that_was_stopped_has_not_blocked_its_loop() -> None:
    program = """
import asyncio, time
from mcp_otel.vitals.blocked import Blocked
from mcp_otel.vitals.loop import Loops
loops = Loops()
blocked = Blocked(loops)
blocked.start()
async def main():
    loops.watch()
    print("up", flush=True)
    end = time.perf_counter() + 2
    while time.perf_counter() < end:
        step = time.perf_counter() + 0.04
        while time.perf_counter() < step: pass
        await asyncio.sleep(0.001)
asyncio.run(main())
print(blocked.places())
"""
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", program], cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        time.sleep(0.5)
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(0.7)
        os.kill(process.pid, signal.SIGCONT)
        assert process.stdout.read() == "{}\n"


def test_a_file_is_named_as_its_package_has_it_and_never_by_a_home() -> None:
    blocked.shorten.cache_clear()
    home, library = os.path.expanduser("~"), os.path.dirname(os.__file__)
    assert {
        file: blocked.shorten(file)
        for file in (
            __file__,
            f"{library}/asyncio/events.py",
            f"{home}/env/lib/python3.11/site-packages/some/deep/module.py",
            f"{home}/env/lib/python3.11/site-packages/mcp_otel/recorder.py",
            f"{home}/project/server.py",
            "/elsewhere/jane/secret/project/server.py",
            "C:\\jane\\env\\Lib\\site-packages\\some\\module.py",
            "<frozen importlib._bootstrap>",
            "<string>",
            blocked.__file__,
        )
    } == {
        __file__: (HOST, HERE),
        f"{library}/asyncio/events.py": (REST, "asyncio/events.py"),
        f"{home}/env/lib/python3.11/site-packages/some/deep/module.py": (INSTALLED, "some/deep/module.py"),
        f"{home}/env/lib/python3.11/site-packages/mcp_otel/recorder.py": (REST, "mcp_otel/recorder.py"),
        f"{home}/project/server.py": (HOST, "project/server.py"),
        "/elsewhere/jane/secret/project/server.py": (HOST, "project/server.py"),
        "C:\\jane\\env\\Lib\\site-packages\\some\\module.py": (INSTALLED, "some/module.py"),
        "<frozen importlib._bootstrap>": (REST, "<frozen importlib._bootstrap>"),
        "<string>": (HOST, "<string>"),
        blocked.__file__: (REST, "mcp_otel/vitals/blocked.py"),
    }


def module(file: str, source: str, **names: Any) -> dict[str, Any]:
    exec(compile(source, file, "exec"), names)
    return names


def test_without_a_line_of_the_host_it_is_what_is_installed_or_a_server_that_is() -> None:
    env = "/opt/env/lib/python3.11/site-packages"
    looked: list[blocked.Place] = []

    def look(own: tuple[str, ...]) -> None:
        looked.append(blocked.find(sys._getframe(1), base, own))

    # The stack that is looked at: what runs the loop, an installed server, a library of it, the standard library.
    stdlib = module(f"{os.path.dirname(os.__file__)}/ssl.py", "def read(own):\n    look(own)", look=look)
    client = module(f"{env}/client/wire.py", "def get(own):\n    read(own)", read=stdlib["read"])
    server = module(f"{env}/server/tools.py", "def tool(own):\n    get(own)", get=client["get"])
    runner = module(f"{env}/runner.py", "def run(call, own):\n    call(own)")
    base = runner["run"].__code__
    runner["run"](server["tool"], ())
    runner["run"](server["tool"], ("server",))
    runner["run"](stdlib["read"], ())
    assert [(each.line, each.function) for each in looked] == [
        ("client/wire.py:2", "get"),
        ("server/tools.py:2", "tool"),
        ("ssl.py:2", "read"),
    ]
