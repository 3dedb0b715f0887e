"""Keeps our own cost within its budget: phase spans go first, then spans, and they come back when there is room."""

from __future__ import annotations

from time import perf_counter_ns

from mcp_otel.notice import warn

TICK_NS = 5_000_000_000
CALM_TICKS = 6
"""Ticks that must look affordable before a step up: half a minute, so that it does not flap."""
FULL = 3
SLOW_PHASES_ONLY = 2
METRICS_ONLY = 1
HOOK_FACTOR = 4.0
"""A hook around a boundary (a closure, a context variable, a second clock) costs about this many bare boundaries."""


class Governor:
    """Holds the level at or below `ceiling` (0 off, 1 metrics, 2 spans with slow phases only, 3 everything set).

    `budget` is a share of one processor core; 0 switches the governor off. Costs are compared in seconds over windows
    of five seconds. A step up needs half a minute below a third of the budget: a level may cost three times the one
    below.
    """

    def __init__(self, budget: float, ceiling: int) -> None:
        self.budget = budget
        self.ceiling = ceiling
        self.level = ceiling
        self.due = perf_counter_ns() + TICK_NS
        self.boundary_cost = measure_boundary()
        self._since = perf_counter_ns()
        self._spent = 0.0
        self._calm = 0

    def tick(self, now: int, spent: float) -> None:
        """`spent` seconds of the host in all, at `now`: change the level by at most one step."""
        elapsed = (now - self._since) * 1e-9
        share = (spent - self._spent) / elapsed if elapsed > 0 else 0.0
        self._since, self._spent, self.due = now, spent, now + TICK_NS
        if self.budget <= 0:
            return
        if share > self.budget and self.level > METRICS_ONLY:
            self._move(self.level - 1, share)
        elif self.level < self.ceiling and share < self.budget / 3:
            self._calm += 1
            if self._calm >= CALM_TICKS:
                self._move(self.level + 1, share)
        else:
            self._calm = 0

    def cap(self, level: int) -> None:
        """Stay at `level` or below from now on."""
        self.ceiling = min(self.ceiling, level)
        self.level = min(self.level, level)

    def _move(self, level: int, share: float) -> None:
        self._calm = 0
        direction = "down" if level < self.level else "up"
        self.level = level
        warn(
            "mcp-otel steps %s to level %d: it used %.1f %% of a core, its budget is %.1f %%",
            direction,
            level,
            share * 100,
            self.budget * 100,
        )


def measure_boundary(times: int = 200) -> float:
    """Seconds that one boundary of a call costs here, hook included."""
    cuts: list[object] = []
    started = perf_counter_ns()
    for _ in range(times):
        cuts.append("handler")
        cuts.append(perf_counter_ns())
    return (perf_counter_ns() - started) * 1e-9 / times * HOOK_FACTOR
