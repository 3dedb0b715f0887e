"""How late a loop runs what is due: while it works it has a heartbeat, and while it is idle nobody wakes it."""

from __future__ import annotations

import asyncio
import statistics
import time

from mcp_otel.vitals.loop import BEAT, Loops, Pulse
from tests.vitals.runners import Run, either, on_uvloop, spin, work


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
        fewest = 99
        for _ in range(3):  # a machine that is at something else makes a heartbeat look like work
            before = len(lags)
            await asyncio.sleep(3)
            fewest = min(fewest, len(lags) - before)
            if fewest <= 3:
                break
        return fewest

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
