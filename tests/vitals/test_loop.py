"""How busy a loop is and how late: true on asyncio's loop and on uvloop, and nothing of it stays or is felt."""

from __future__ import annotations

import asyncio
import gc
import os
import statistics
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any

import pytest

from mcp_otel.vitals.loop import BEAT, Loops, Pulse

try:
    import uvloop
except ImportError:
    uvloop = None  # type: ignore[assignment]

Run = Callable[[Coroutine[Any, Any, Any]], Any]
RUNNERS: list[Any] = [
    pytest.param(asyncio.run, id="asyncio"),
    pytest.param(
        uvloop.run if uvloop is not None else None,
        id="uvloop",
        marks=pytest.mark.skipif(uvloop is None, reason="uvloop is not installed"),
    ),
]
either = pytest.mark.parametrize("run", RUNNERS)
on_uvloop = pytest.mark.parametrize("run", RUNNERS[1:])
held: ContextVar[object] = ContextVar("held", default=None)


def spin(seconds: float) -> float:
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        pass
    return time.perf_counter() - began


async def work(
    share: float, seconds: float, clock: Callable[[], float] = time.perf_counter, rest: float | None = None
) -> None:
    """Be busy by `clock` for `share` of so many seconds, whatever else the machine does; with `rest` by blocking."""
    began, spun = time.perf_counter(), 0.0
    while (elapsed := time.perf_counter() - began) < seconds:
        since = clock()
        while spun + clock() - since < share * elapsed:
            if rest is not None:
                time.sleep(rest)
        spun += clock() - since
        await asyncio.sleep(0.005)


async def percent(loops: Loops, working: Coroutine[Any, Any, None]) -> float:
    """How busy all loops are while this works, in percent of one."""
    before, began = loops.busy_seconds(), time.perf_counter()
    await working
    return (loops.busy_seconds() - before) / (time.perf_counter() - began) * 100


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until it is so, as a loop that has nothing else to do."""
    end = time.perf_counter() + seconds
    while not condition():
        assert time.perf_counter() < end
        await asyncio.sleep(0.02)


def test_a_loop_that_is_busy_for_37_percent_reads_37() -> None:
    async def main() -> float:
        loops = Loops()
        loops.watch()
        assert [pulse.source for pulse in loops.pulses()] == ["select"]
        return await percent(loops, work(0.37, 2))

    assert asyncio.run(main()) == pytest.approx(37, abs=3)


@on_uvloop
def test_on_uvloop_it_is_the_time_on_the_processor_that_reads_37(run: Run) -> None:
    async def main() -> float:
        loops = Loops()
        loops.watch()
        assert [pulse.source for pulse in loops.pulses()] == ["cpu"]
        return await percent(loops, work(0.37, 2, time.thread_time))

    assert run(main()) == pytest.approx(37, abs=4)


def test_an_idle_loop_reads_nothing_and_one_that_never_rests_everything() -> None:
    async def restless() -> None:
        end = time.perf_counter() + 0.5
        while time.perf_counter() < end:
            await asyncio.sleep(0)

    async def main() -> list[float]:
        loops = Loops()
        loops.watch()
        return [await percent(loops, asyncio.sleep(0.5)), await percent(loops, restless())]

    idle, busy = asyncio.run(main())
    assert idle < 2
    assert 95 < busy <= 100


def test_several_loops_are_summed_and_one_that_ended_still_counts() -> None:
    loops = Loops()

    async def main(share: float, seconds: float) -> None:
        loops.watch()
        await work(share, seconds, rest=0.001)  # not two that spin: they would wait for each other

    threads = [
        threading.Thread(target=lambda share=share, seconds=seconds: asyncio.run(main(share, seconds)))
        for share, seconds in ((0.2, 2.0), (0.15, 1.0))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = loops.busy_seconds()
    assert after == pytest.approx(0.2 * 2 + 0.15, abs=0.06)
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


@either
def test_lag_is_what_a_due_callback_waits_for_the_steps_of_others(run: Run) -> None:
    async def main(step: float) -> list[float]:
        lags: list[float] = []
        loops = Loops(lags.append)
        loops.watch()
        end = time.perf_counter() + 2
        while time.perf_counter() < end:
            spin(step)
            await asyncio.sleep(0.002)
        return lags[1:]  # the first was due at once

    short, long = run(main(0.002)), run(main(0.06))
    assert 2 / BEAT / 3 < len(long) <= 2 / BEAT * 2
    assert 0.01 < statistics.median(long) < 0.09
    assert statistics.median(short) < statistics.median(long) / 2


def test_an_idle_loop_is_not_woken_and_one_that_works_again_has_a_heartbeat_at_once() -> None:
    lags: list[float] = []

    def beats(pulse: Pulse) -> int:
        """How many there are in a second, from when it is idle; in another thread, as the loop would wake itself."""
        end = time.perf_counter() + 5
        while not pulse.dozing and time.perf_counter() < end:
            time.sleep(0.01)
        before = len(lags)
        time.sleep(1)
        return len(lags) - before

    async def main() -> list[int]:
        loops = Loops(lags.append)
        loops.watch()
        (pulse,) = loops.pulses()
        idle = await asyncio.to_thread(beats, pulse)
        before = len(lags)
        await work(0.3, 1)
        return [idle, len(lags) - before]

    idle, busy = asyncio.run(main())
    assert idle == 0
    assert 1 / BEAT / 2 <= busy <= 1 / BEAT * 2 + 1


@on_uvloop
def test_an_idle_uvloop_is_woken_less_than_once_a_second(run: Run) -> None:
    async def main() -> int:
        lags: list[float] = []
        loops = Loops(lags.append)
        loops.watch()
        await asyncio.sleep(0.5)
        before = len(lags)
        await asyncio.sleep(3)
        return len(lags) - before

    assert run(main()) <= 3


@either
def test_a_heartbeat_to_come_holds_up_no_end(run: Run) -> None:
    loops = Loops()

    async def main() -> float:
        loops.watch()
        await work(0.3, 0.1)
        return time.perf_counter()

    ended = run(main())
    assert time.perf_counter() - ended < 0.1


@either
def test_nothing_of_ours_keeps_a_loop_or_the_context_it_was_found_in(run: Run) -> None:
    class Mark:
        pass

    loops = Loops()
    marks: list[weakref.ref[Any]] = []

    async def request() -> None:
        mark = Mark()
        held.set(mark)
        marks.append(weakref.ref(mark))
        loops.watch()

    async def main() -> bool:
        await asyncio.create_task(request())
        await asyncio.sleep(0.05)
        gc.collect()
        marks.append(weakref.ref(asyncio.get_running_loop()))
        return marks[0]() is None

    assert run(main())
    gc.collect()
    assert marks[1]() is None
    assert loops.pulses() == []


def test_a_loop_that_is_closed_is_let_go_by_us_without_a_collection() -> None:
    loops = Loops()

    def gone(watched: bool) -> list[bool]:
        loop = asyncio.new_event_loop()

        async def main() -> None:
            if watched:
                loops.watch()
            await asyncio.sleep(0.001)

        loop.run_until_complete(main())
        selector = weakref.ref(loop._selector)  # type: ignore[attr-defined]
        loop.close()
        made = weakref.ref(loop)
        del loop, main
        return [made() is None, selector() is None]

    gc.collect()
    gc.disable()
    try:
        assert gone(True) == gone(False)
    finally:
        gc.enable()


def replaced(loop: Any) -> list[str]:
    names = [*vars(loop), *vars(getattr(loop, "_selector", loop))]
    return sorted({"select", "run_forever", "run_in_executor"} & set(names))


def test_what_was_replaced_is_put_back_from_whatever_thread() -> None:
    async def main() -> list[list[str]]:
        loop = asyncio.get_running_loop()
        loops, seen = Loops(), [replaced(loop)]
        undo = loops.watch()
        seen.append(replaced(loop))
        await asyncio.to_thread(undo)
        undo()
        seen.append(replaced(loop))
        loops.watch()
        loops.watch()
        seen.append(replaced(loop))
        loops.undo()
        seen.append(replaced(loop))
        assert loop._selector.select.__func__ is type(loop._selector).select  # type: ignore[attr-defined]
        return seen

    both = ["run_forever", "select"]
    assert asyncio.run(main()) == [[], both, [], both, []]


def test_after_undo_no_heart_beats_and_what_it_read_remains() -> None:
    async def main() -> list[float]:
        lags: list[float] = []
        loops = Loops(lags.append)
        undo = loops.watch()
        await work(0.4, 0.5)
        undo()
        then = len(lags), loops.busy_seconds()
        await work(0.4, 0.5)
        assert (len(lags), loops.busy_seconds()) == then
        return lags

    assert len(asyncio.run(main())) >= 1


def test_what_others_have_put_on_a_selector_before_or_after_us_stays() -> None:
    async def main() -> None:
        selector = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]
        counts = {"before": 0, "after": 0}

        def counting(name: str, select: Callable[..., Any]) -> Callable[..., Any]:
            def counted(timeout: float | None = None) -> Any:
                counts[name] += 1
                return select(timeout)

            return counted

        selector.select = before = counting("before", selector.select)
        loops = Loops()
        undo = loops.watch()
        await asyncio.sleep(0)
        assert counts["before"] >= 1
        undo()
        assert selector.select is before
        undo = loops.watch()
        selector.select = after = counting("after", selector.select)
        undo()
        await asyncio.sleep(0)
        assert selector.select is after
        assert counts["after"] >= 1

    asyncio.run(main())


@either
def test_what_our_callbacks_raise_is_told_and_stays_inside(run: Run) -> None:
    told: list[object] = []
    complaints: list[object] = []

    def failing(*_: object) -> None:
        raise ZeroDivisionError

    def failed(part: str, error: Exception) -> None:
        told.append((part, type(error)))
        raise LookupError

    async def main() -> str:
        asyncio.get_running_loop().set_exception_handler(lambda *said: complaints.append(said))
        loops = Loops(failing, failed)
        loops.roused = failing
        loops.watch()
        await until(lambda: len(told) >= 3)
        return "served"

    assert run(main()) == "served"
    assert set(told) == {("loop", ZeroDivisionError)}
    assert complaints == []


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
