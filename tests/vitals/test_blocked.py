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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mcp_otel.vitals.blocked import Blockage, Blocked
from mcp_otel.vitals.loop import Loops
from mcp_otel.vitals.stepping import stepped
from tests.house.source import ROOT
from tests.vitals.runners import Run, either, spin
from tests.vitals.watching import Told, watchers, watching

HERE = "tests/vitals/test_blocked.py"


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
    code = function.__code__
    file = Path(code.co_filename).relative_to(ROOT).as_posix()
    return [f"{file}:{line}" for _, _, line in code.co_lines() if line is not None]


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
    # The end of a block that no selector tells is seen at the next look, which a busy machine may put off.
    assert 0.6 < last.seconds < (0.8 if run is asyncio.run else 1.7)
    assert watcher.places() == {(first.place.line, None): (1, last.seconds)}


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

    # Beyond the bound all together, and none of them anywhere near it, even where the machine is at something else.
    with watching(told.hear, bound=1.0) as (loops, watcher):
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

    async def main(loops: Loops) -> float:
        loops.watch()
        await asyncio.sleep(0.01)
        interval = sys.getswitchinterval()
        sys.setswitchinterval(10)  # nobody else gets to run Python until this thread waits for something
        spun = spin(0.4)
        sys.setswitchinterval(interval)
        await asyncio.sleep(0)
        await told.end()
        return spun

    with watching(told.hear) as (loops, watcher):
        spun = asyncio.run(main(loops))
    assert [each.over for each in told.said][-1]
    assert told.said[-1].seconds == pytest.approx(spun, abs=0.1)
    assert sum(count for count, _ in watcher.places().values()) == 1


def test_a_step_says_whom_its_blockage_is_to_be_charged_to() -> None:
    told, charged = Told(), list[int]()

    def whose(spend: object) -> str | None:
        return "weather" if spend == charged.append else None

    async def tool() -> None:
        await asyncio.sleep(0)
        time.sleep(0.4)

    async def main(loops: Loops) -> None:
        loops.watch()
        await stepped(tool(), charged.append)
        await told.end()

    with watching(told.hear, whose=whose) as (loops, watcher):
        asyncio.run(main(loops))
    assert [each.place.spend for each in told.said] == [charged.append] * 2
    assert watcher.places() == {(told.said[0].place.line, "weather"): (1, told.said[1].seconds)}
    assert [each for each in charged if each > 0.3e9] == [pytest.approx(0.4e9, rel=0.2)]


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
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        time.sleep(0.5)
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(0.7)
        os.kill(process.pid, signal.SIGCONT)
        assert process.stdout.read() == "{}\n"
