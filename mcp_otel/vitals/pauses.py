"""Pauses of Python's garbage collector, by its own callbacks: how many, how long, and when the last full one was.

We only watch. CPython 3.14.0 to 3.14.4 makes no full collection by itself: there it stays unknown what one would free.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from time import monotonic, perf_counter
from typing import Literal, NamedTuple

FULL = 2
"""The oldest generation: collecting it covers every object."""
ALL_FULL = "t" in getattr(sys, "abiflags", "")
"""Free-threaded Python has no generations: each collection covers every object, and says it was of the youngest."""

OWN = 1_000
"""Objects that Python itself may have frozen: 375 in 3.12."""

State = Literal["on", "off", "frozen"]


class Full(NamedTuple):
    """A full collection: `at` of the monotonic clock it ended, after `seconds`, having freed `collected` objects."""

    at: float
    seconds: float
    collected: int


class Pauses:
    """Sums of one process, by generation: `seconds` of pause and `counts` of collections; `fulls` of all objects."""

    def __init__(self) -> None:
        self.seconds = [0.0, 0.0, 0.0]
        self.counts = [0, 0, 0]
        self.fulls = 0
        self.last_full: Full | None = None
        """None until one was seen: what a full collection would have freed is then unknown."""
        self._started: float | None = None

    def install(self) -> Callable[[], None]:
        """Watch from now on; the answer takes it back and may be called twice."""
        watch = self._seen
        gc.callbacks.append(watch)

        def undo() -> None:
            if watch in gc.callbacks:
                gc.callbacks.remove(watch)

        return undo

    def _seen(self, phase: str, info: dict[str, int]) -> None:
        # An exception here would be printed on the host's stderr.
        try:
            if phase == "start":
                self._started = perf_counter()
                return
            started, self._started = self._started, None
            if started is None:  # it began before we watched
                return
            seconds = perf_counter() - started
            generation = info["generation"]
            self.seconds[generation] += seconds
            self.counts[generation] += 1
            if ALL_FULL or generation == FULL:
                self.fulls += 1
                self.last_full = Full(monotonic(), seconds, info["collected"])
        except Exception:
            pass


def state() -> State:
    """Whether Python collects by itself: `off` when disabled, `frozen` when the host keeps objects out of it.

    Python counts what is frozen one by one, which stops every thread: up to 80 ms for a million. Not for a tick.
    """
    if not gc.isenabled() or gc.get_threshold()[0] == 0:
        return "off"
    return "frozen" if gc.get_freeze_count() > OWN else "on"
