"""A stepped coroutine is timed exactly, step by step."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
import types
from collections.abc import Generator
from typing import Any

import pytest

from mcp_otel.vitals.stepping import spender, stepped
from tests.vitals.runners import spin


class Sum:
    """What steps are charged to."""

    def __init__(self) -> None:
        self.nanos = 0
        self.steps = 0

    def add(self, nanos: int) -> None:
        self.nanos += nanos
        self.steps += 1


class Clock:
    """Nanoseconds that pass when somebody says so."""

    def __init__(self) -> None:
        self.nanos = 0

    def __call__(self) -> int:
        return self.nanos


async def tool(share: float, seconds: float) -> float:
    """Is busy for `share` of so many seconds, whatever else the machine does; how long it was in fact."""
    began, spun = time.perf_counter(), 0.0
    while (elapsed := time.perf_counter() - began) < seconds:
        spun += spin(max(0.0, share * elapsed - spun))
        await asyncio.sleep(0.005)
    return spun


def test_the_seconds_on_the_loop_of_two_tools_at_once_are_told_apart() -> None:
    clock, sums = Clock(), (Sum(), Sum())

    async def tool(millis: int) -> None:
        for _ in range(100):
            clock.nanos += millis * 1_000_000
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(*(stepped(tool(m), each.add, clock) for m, each in zip((37, 12), sums, strict=True)))

    asyncio.run(main())
    assert [each.nanos for each in sums] == [3_700_000_000, 1_200_000_000]


def test_the_seconds_are_those_of_a_real_clock() -> None:
    sums = Sum(), Sum()

    async def main() -> list[float]:
        return await asyncio.gather(stepped(tool(0.37, 1.0), sums[0].add), stepped(tool(0.12, 1.0), sums[1].add))

    spun = asyncio.run(main())
    # Whatever else the machine runs may come between a step's own clock and ours, and only adds to a step.
    assert [each.nanos * 1e-9 >= own for each, own in zip(sums, spun, strict=True)] == [True, True]
    assert [each.nanos * 1e-9 for each in sums] == pytest.approx(spun, rel=0.2)


def test_what_others_do_while_it_waits_is_not_its_own() -> None:
    one = Sum()

    async def main() -> None:
        waiting = asyncio.ensure_future(stepped(asyncio.sleep(0.2), one.add))
        await asyncio.sleep(0)
        spin(0.1)
        await waiting

    asyncio.run(main())
    assert one.steps == 2
    assert one.nanos < 20e6


def test_with_the_threads_clock_it_is_seconds_on_the_processor() -> None:
    cpu, wall = Sum(), Sum()

    async def body() -> None:
        time.sleep(0.1)
        spin(0.05)

    asyncio.run(stepped(stepped(body(), cpu.add, time.thread_time_ns), wall.add))
    assert wall.nanos >= 150e6
    assert cpu.nanos < 0.7 * wall.nanos


def test_every_step_is_charged_once_the_last_and_a_closed_one_too() -> None:
    one, other = Sum(), Sum()

    async def body() -> str:
        for _ in range(5):
            await asyncio.sleep(0)
        return "done"

    assert asyncio.run(stepped(body(), one.add)) == "done"
    assert one.steps == 6
    begun = stepped(body(), other.add)
    begun.send(None)
    begun.close()
    assert other.steps == 2


def test_what_the_charge_raises_stays_inside() -> None:
    def failing(_: int) -> None:
        raise ZeroDivisionError

    async def inner() -> str:
        await asyncio.sleep(0)
        return "done"

    assert asyncio.run(stepped(inner(), failing)) == "done"


def test_another_thread_can_tell_what_a_step_is_charged_to() -> None:
    one, seen = Sum(), []

    async def inner() -> None:
        frame = sys._getframe()
        while frame.f_back is not None:
            seen.append(spender(frame))
            frame = frame.f_back
        await asyncio.sleep(0)

    asyncio.run(stepped(inner(), one.add))
    assert [each for each in seen if each is not None] == [one.add]


def test_a_step_costs_less_than_a_microsecond_more(capsys: pytest.CaptureFixture[str]) -> None:
    @types.coroutine
    def pause() -> Generator[None, None, None]:
        yield

    async def body() -> None:
        for _ in range(20_000):
            await pause()

    def seconds(made: Any) -> float:
        began = time.thread_time()
        try:
            while True:
                made.send(None)
        except StopIteration:
            return time.thread_time() - began

    one = Sum()
    added = [seconds(stepped(body(), one.add)) - seconds(body()) for _ in range(7)]
    nanos = statistics.median(added) / 20_000 * 1e9
    with capsys.disabled():
        print(f"\na step costs {nanos:.0f} ns more")
    assert 0 < nanos < 1_500
