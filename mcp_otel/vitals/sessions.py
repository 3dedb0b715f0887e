"""Where the number of open sessions is going: to the server's cap, or to a level where idle ones are reclaimed."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from mcp_otel.vitals.trend import line

READINGS = 30
FEWEST = 12
MIN_RISE = 10
"""Sessions by which the number must have risen: a handful of clients that come are no trend."""


class Doors(NamedTuple):
    """What decides how many sessions there may be."""

    open: int
    """Open sessions."""
    limit: int | None = None
    """Sessions the server admits; None for any number."""
    idle_timeout: float | None = None
    """Seconds after which it ends an idle one; None for never."""
    longest_idle: float = 0.0
    """Seconds since the last message of the one that is idle for longest."""


class Forecast(NamedTuple):
    """Sessions that will be open at the present pace, and seconds until new ones are refused: None for never."""

    sessions: float
    seconds: float | None


class Sessions:
    """Fed with readings, of which the last thirty count: five minutes, at one in ten seconds."""

    def __init__(self) -> None:
        self.forecast: Forecast | None = None
        """None without a trend, or when nothing ends it."""
        self._readings: deque[tuple[float, int]] = deque(maxlen=READINGS)

    def add(self, at: float, doors: Doors) -> None:
        """What decides it was so at `at` seconds."""
        self._readings.append((at, doors.open))
        self.forecast = None
        pace = self._pace()
        if pace is None:
            return
        full = None if doors.limit is None else max(0.0, (doors.limit - doors.open) / pace)
        if doors.idle_timeout is not None:
            # Before the first idle one is due nothing is reclaimed; from then on as many as come now.
            reclaimed = max(0.0, doors.idle_timeout - doors.longest_idle)
            if full is None or reclaimed < full:
                self.forecast = Forecast(doors.open + pace * reclaimed, None)
                return
        if doors.limit is not None:
            self.forecast = Forecast(max(doors.limit, doors.open), full)

    def _pace(self) -> float | None:
        """Sessions a second by which their number surely rises, and does still."""
        readings = list(self._readings)
        if len(readings) < FEWEST or readings[-1][1] - readings[0][1] < MIN_RISE:
            return None
        times, counts = [at for at, _ in readings], [float(count) for _, count in readings]
        whole, lately = line(times, counts), line(times[-FEWEST // 2 :], counts[-FEWEST // 2 :])
        if whole is None or lately is None or whole.low <= 0 or lately.slope <= 0:
            return None
        return whole.slope
