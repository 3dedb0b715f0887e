"""One reading of what the process uses, and the floor of its memory: what full collections that we saw left over."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, perf_counter, time
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from psutil import Process

_V = TypeVar("_V")

READINGS = 6
"""Readings in a window: a minute, at one in ten seconds."""
ROLLUP = "/proc/self/smaps_rollup"
PRIVATE = (b"Private_Clean:", b"Private_Dirty:", b"Private_Hugetlb:")
DEAR = 0.001
"""Seconds above which a walk through the page tables is dear: 0.04 ms with 20 MB, 3 ms and more with 1 GB."""
REST = 10_000
"""How many times as long as it took a dear walk is not repeated."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the process used `at` a moment of the monotonic clock. Bytes and seconds; None where it cannot be known."""

    at: float
    rss: int
    """Bytes of memory that are resident."""
    vms: int
    """Bytes of address space."""
    uss: int | None
    """Bytes that are resident and nobody else's: of the last time that was cheap to find out."""
    blocks: int
    """Blocks that Python's allocators hold, whatever their size: they fall when objects go, while `rss` may stay."""
    descriptors: int | None
    threads: int | None
    """Threads of the system, not only Python's."""
    user: float
    """Seconds on processors since the start."""
    system: float
    """Seconds on processors since the start, inside the kernel."""
    uptime: float | None
    """Seconds since the process was started."""


class Memory:
    """Takes readings, 80 µs each in a small process, in whatever thread asks. It keeps no schedule."""

    def __init__(self) -> None:
        self._pid = -1
        self._process: Process | None = None
        self._uss: int | None = None
        self._due = 0.0

    def read(self) -> Reading | None:
        """One reading; None where not even the memory can be read. Never raises."""
        try:
            process = self._own()
            memory, used = process.memory_info(), os.times()
            return Reading(
                at=monotonic(),
                rss=memory.rss,
                vms=memory.vms,
                uss=self._private(),
                blocks=sys.getallocatedblocks(),
                descriptors=_known(lambda: process.num_fds()),  # noqa: PLW0108  # Windows has no such method
                threads=_known(process.num_threads),
                user=used.user,
                system=used.system,
                uptime=_known(lambda: max(0.0, time() - process.create_time())),
            )
        except Exception:
            return None

    def _own(self) -> Process:
        if self._process is None or self._pid != os.getpid():  # a child would read its parent
            import psutil  # 20 ms, so not at import

            self._process, self._pid = psutil.Process(), os.getpid()
        return self._process

    def _private(self) -> int | None:
        started = perf_counter()
        if started >= self._due:
            self._uss = _known(_uss)
            cost = perf_counter() - started
            self._due = started + cost * REST if cost > DEAR else 0.0
        return self._uss


def _uss() -> int | None:
    with open(ROLLUP, "rb") as text:
        return sum(int(row.split()[1]) << 10 for row in text if row.startswith(PRIVATE))


def _known(read: Callable[[], _V]) -> _V | None:
    try:
        return read()
    except Exception:
        return None


class Load(NamedTuple):
    """What the server had done, and had to do, at a reading."""

    sessions: int
    """Sessions ended so far."""
    calls: int
    """Calls done so far."""
    in_flight: float = 0
    open_sessions: int = 0


class Window(NamedTuple):
    """Some readings in a row: the lowest of them, after a full collection if there was one, and the extremes of all."""

    at: float
    rss: int
    highest: int
    """Resident bytes, as `rss`."""
    load: Load
    fewest: int
    """Blocks alive."""
    most: int
    peak: float
    """Requests in flight."""
    collected: bool
    """Whether there was a full collection in it."""


class Floor:
    """The lowest memory since the last full collection: what no collection will give back."""

    def __init__(self, readings: int = READINGS) -> None:
        self.value: int | None = None
        """Bytes; None until a full collection was seen."""
        self._readings = readings
        self._open: list[tuple[int, float, int, Load]] = []
        self._fulls: int | None = None
        self._collected: int | None = None
        """Which of the open readings was the first after a full collection."""

    def add(self, at: float, rss: int, blocks: int, fulls: int, load: Load) -> Window | None:
        """One reading after so many full collections; the window, when this was the last reading of one."""
        if self._fulls is not None and fulls > self._fulls:
            self.value = rss
            self._collected = len(self._open) if self._collected is None else self._collected
        elif self.value is not None:
            self.value = min(self.value, rss)
        self._fulls = fulls
        self._open.append((rss, at, blocks, load))
        return self._close() if len(self._open) >= self._readings else None

    def _close(self) -> Window:
        readings, self._open = self._open, []
        collected, self._collected = self._collected, None
        rss, at, _, load = min(readings[collected or 0 :])
        alive = [blocks for _, _, blocks, _ in readings]
        peak = max(load.in_flight for *_, load in readings)
        return Window(at, rss, max(readings)[0], load, min(alive), max(alive), peak, collected is not None)
