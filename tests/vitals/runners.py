"""The event loops that what is said of them is tried on, and work that keeps one busy for a known share of time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

try:
    import uvloop
except ImportError:  # there is none for Windows
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


def spin(seconds: float) -> float:
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        pass
    return time.perf_counter() - began


async def work(
    share: float, seconds: float, clock: Callable[[], float] = time.perf_counter, rest: float | None = None
) -> float:
    """Be busy by `clock` for `share` of so many seconds, with `rest` by blocking; how many they were in fact.

    Where the machine has too little time for us it is less, and where it takes us off the processor it is more.
    """
    began, spun = time.perf_counter(), 0.0
    while (elapsed := time.perf_counter() - began) < seconds:
        since = clock()
        while spun + clock() - since < share * elapsed:
            if rest is not None:
                time.sleep(rest)
        spun += clock() - since
        await asyncio.sleep(0.005)
    return spun


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until it is so, as a loop that has nothing else to do."""
    end = time.perf_counter() + seconds
    while not condition():
        assert time.perf_counter() < end
        await asyncio.sleep(0.02)
