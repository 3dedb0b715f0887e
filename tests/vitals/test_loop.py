"""How busy a loop is: the true share on asyncio's loop and on uvloop, whoever reads it, and at what cost."""

from __future__ import annotations

import asyncio
import os
import statistics
import threading
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from mcp_otel.vitals.loop import Loops
from tests.vitals.runners import Run, on_uvloop, spin, work


async def percent(loops: Loops, working: Coroutine[Any, Any, Any]) -> tuple[float, float]:
    """How busy all loops are said to be while this works, and how busy it says that it was; in percent of one."""
    before, began = loops.busy_seconds(), time.perf_counter()
    spun = await working or 0.0
    busy, elapsed = loops.busy_seconds() - before, time.perf_counter() - began
    return busy / elapsed * 100, spun / elapsed * 100


def test_a_loop_that_is_busy_for_37_percent_reads_37() -> None:
    async def main() -> tuple[float, float]:
        loops = Loops()
        loops.watch()
        assert [pulse.source for pulse in loops.pulses()] == ["select"]
        # The truest of three: what takes us off the processor between two clocks is in one of them only.
        rounds = [await percent(loops, work(0.37, 0.7)) for _ in range(3)]
        return min(rounds, key=lambda each: abs(each[0] - each[1]))

    read, true = asyncio.run(main())
    assert true == pytest.approx(37, abs=10)  # a machine that is at something else makes it a little more
    assert read == pytest.approx(true, abs=3)


@on_uvloop
def test_on_uvloop_it_is_the_time_on_the_processor_that_reads_37(run: Run) -> None:
    async def main() -> tuple[float, float]:
        loops = Loops()
        loops.watch()
        assert [pulse.source for pulse in loops.pulses()] == ["cpu"]
        return await percent(loops, work(0.37, 2, time.thread_time))

    read, true = run(main())
    assert 10 < true < 40  # where the machine gives us less, it is less
    assert read == pytest.approx(true, abs=4)


def test_an_idle_loop_reads_nothing_and_one_that_never_rests_everything() -> None:
    async def restless() -> None:
        end = time.perf_counter() + 0.5
        while time.perf_counter() < end:
            await asyncio.sleep(0)

    async def main() -> list[float]:
        loops = Loops()
        loops.watch()
        return [(await percent(loops, each))[0] for each in (asyncio.sleep(1), restless())]

    idle, busy = asyncio.run(main())
    assert idle < 3
    assert 95 < busy <= 100


def test_several_loops_are_summed_and_one_that_ended_still_counts() -> None:
    loops, spun = Loops(), list[float]()

    async def main(share: float, seconds: float) -> None:
        loops.watch()
        spun.append(await work(share, seconds, rest=0.001))  # not two that spin: they would wait for each other

    threads = [
        threading.Thread(target=lambda share=share, seconds=seconds: asyncio.run(main(share, seconds)))
        for share, seconds in ((0.2, 2.0), (0.15, 1.0))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = loops.busy_seconds()
    assert sum(spun) >= 0.5
    assert after == pytest.approx(sum(spun), abs=0.12)
    assert loops.pulses() == []
    spin(0.05)
    assert loops.busy_seconds() == after


def test_the_step_in_progress_is_in_the_reading_of_another_thread() -> None:
    loops = Loops()
    read: list[tuple[float, float]] = []

    def reader() -> None:
        for _ in range(20):
            read.append((time.perf_counter(), loops.busy_seconds()))
            time.sleep(0.02)

    async def main() -> None:
        loops.watch()
        await asyncio.sleep(0.05)
        thread = threading.Thread(target=reader)
        thread.start()
        while thread.is_alive():
            time.sleep(0.01)

    asyncio.run(main())
    assert read[-1][1] - read[0][1] == pytest.approx(read[-1][0] - read[0][0], abs=0.01)


def test_a_reading_never_falls() -> None:
    loops = Loops()
    over = threading.Event()
    read: list[float] = []

    def reader() -> None:
        while not over.is_set():
            read.append(loops.busy_seconds())

    async def main() -> None:
        loops.watch()
        await work(0.5, 0.3)

    thread = threading.Thread(target=reader)
    thread.start()
    for _ in range(3):
        asyncio.run(main())
    over.set()
    thread.join()
    assert read == sorted(read)
    assert read[-1] > 0.35


def test_what_passes_while_nobody_runs_the_loop_is_not_busy() -> None:
    loops, loop = Loops(), asyncio.new_event_loop()

    async def main() -> None:
        loops.watch()
        await asyncio.sleep(0.01)

    loop.run_until_complete(main())
    spin(0.3)
    paused = loops.busy_seconds()
    loop.run_until_complete(main())
    again = loops.busy_seconds()
    loop.close()
    assert paused < 0.05
    assert again < 0.05


def test_where_no_loop_of_asyncio_runs_nothing_happens() -> None:
    loops = Loops()
    loops.watch()()
    assert (loops.pulses(), loops.busy_seconds()) == ([], 0.0)


def test_a_turn_of_the_loop_costs_less_than_a_microsecond_more(capsys: pytest.CaptureFixture[str]) -> None:
    turns = 5_000

    async def turning() -> float:
        """Seconds of processor for one wait that really asks the system, and one callback."""
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        reading, writing = os.pipe()
        os.write(writing, b"x")
        left = turns

        def ready() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                loop.remove_reader(reading)
                done.set_result(None)

        began = time.thread_time()
        loop.add_reader(reading, ready)
        await done
        elapsed = time.thread_time() - began
        os.close(reading)
        os.close(writing)
        return elapsed / turns * 1e9

    async def main() -> tuple[float, float]:
        bare, added = [], []
        for _ in range(11):
            bare.append(await turning())
            undo = Loops().watch()
            added.append(await turning() - bare[-1])
            undo()
        return statistics.median(bare), statistics.median(added)

    bare, added = asyncio.run(main())
    with capsys.disabled():
        print(f"\na turn of the loop costs {added:.0f} ns more than its {bare:.0f}")
    assert 0 < added < 1_500
