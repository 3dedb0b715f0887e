"""Percentiles in bounded memory: counts in buckets whose bounds grow by a constant factor."""

from __future__ import annotations

from array import array
from math import ceil, log

ERROR = 0.02
"""Largest relative error of a percentile between LEAST and MOST seconds; what lies outside counts as the bound."""
LEAST, MOST = 1e-6, 1e4
_GROWTH = (1 + ERROR) / (1 - ERROR)
_SCALE = 1 / log(_GROWTH)
_LAST = ceil(log(MOST / LEAST) * _SCALE)
_ZERO = array("Q", [0])


class Sketch:
    """How long things took. 4.6 kB, however many there are."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts = _ZERO * (_LAST + 1)

    def add(self, seconds: float) -> None:
        """One thing took `seconds`."""
        if seconds <= LEAST:
            self._counts[0] += 1
        else:
            self._counts[min(_LAST, ceil(log(seconds / LEAST) * _SCALE))] += 1

    def percentile(self, share: float) -> float | None:
        """Seconds within which `share` (0 to 1) of them were done; None when there are none."""
        counts = self._counts.tolist()
        rank = max(1, ceil(share * sum(counts)))
        seen = 0
        for index, count in enumerate(counts):
            seen += count
            if seen >= rank:
                # the point of the bucket from which both its bounds are equally far, relatively
                return LEAST if index == 0 else float(LEAST * _GROWTH**index * 2 / (_GROWTH + 1))
        return None
