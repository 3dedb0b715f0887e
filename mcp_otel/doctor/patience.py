"""How long the doctor waits for anything, and that it says so meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition
from time import monotonic

SLICE = 0.25


class Patience:
    """`seconds` for each single answer; `say` gets what is waited for and since when, or "" when it is over."""

    def __init__(self, seconds: float, say: Callable[[str, float], object]) -> None:
        self.seconds = seconds
        self._say = say

    def wait(self, changed: Condition, true: Callable[[], object], what: str, seconds: float | None = None) -> bool:
        """Whether `true` became so in time; `changed` is notified whenever it may have."""
        began = monotonic()
        until = began + (self.seconds if seconds is None else seconds)
        with changed:
            while not (done := bool(true())) and (now := monotonic()) < until:
                self._say(what, now - began)
                changed.wait(min(SLICE, until - now))
        self._say("", 0.0)
        return done
