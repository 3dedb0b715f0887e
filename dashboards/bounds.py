"""From where on little room is left: where the alerts begin to write tickets, and to page."""

from __future__ import annotations

from dashboards.panels import Steps

FULL = (0.7, 0.85)
"""Shares of an event loop, or of memory, from which on it is nearly full, or as good as full."""
MEMORY_LASTS = (4 * 3600.0, 24 * 3600.0)
"""Seconds below which memory is red, or yellow."""
SESSIONS_LAST = (30 * 60.0, 4 * 3600.0)
"""The same for sessions."""
RETAINED = 5
"""Objects of one type; as many are no accident."""
FILLING: Steps = ((None, "text"), (FULL[0], "yellow"), (FULL[1], "red"))
"""Colours of a cell, where what is well has none."""


def little(lasts: tuple[float, float]) -> Steps:
    """Colours of a tile that says what is left."""
    return ((None, "red"), (lasts[0], "yellow"), (lasts[1], "green"))


def ending(lasts: tuple[float, float]) -> Steps:
    """Colours of a cell that says it: what is well has none, and neither has what is missing."""
    return ((None, "text"), (0, "red"), (lasts[0], "yellow"), (lasts[1], "text"))
