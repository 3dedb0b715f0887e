"""What is open right now: requests in flight, sessions, and how many sessions a server admits."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from time import perf_counter_ns
from typing import Any, TypeVar

from mcp_otel.call import Call, Session
from mcp_otel.signals.privacy import Gate
from mcp_otel.streams import Streams

_V = TypeVar("_V")

MAX_SESSIONS = 20_000
ACTIVE_NS = 60_000_000_000

Admits = Callable[[Any], tuple[int | None, float | None]]
"""Of a door: how many sessions it admits, and after how many idle seconds it ends one; None for never."""


class Live:
    """Levels that instruments read, in whatever thread; each is added to and taken from in the host's own."""

    def __init__(self, gate: Gate) -> None:
        self.requests: dict[int, Call] = {}
        self.sessions: dict[int, Session] = {}
        self.streams = Streams()
        self.retained: Callable[[], int] | None = None
        """How many ended sessions are still in memory, where somebody watches."""
        self._gate = gate
        self._doors: dict[int, tuple[weakref.ref[Any], Admits]] = {}

    def in_flight(self, known: Iterable[tuple[str, str | None]]) -> dict[tuple[str, str | None], tuple[int, float]]:
        """Requests in flight and the seconds they have taken so far, by (method, target); 0 for all `known`."""
        now = perf_counter_ns()
        levels = dict.fromkeys(known, (0, 0.0))
        for call in list(self.requests.values()):
            key = (call.method, self._gate.target(call.traits.target, call.name))
            count, seconds = levels.get(key, (0, 0.0))
            levels[key] = (count + 1, seconds + (now - call.started) * 1e-9)
        return levels

    def oldest_age(self) -> float:
        """Seconds since the oldest request in flight was received, of those that should not wait; 0 without one."""
        oldest = min((call.started for call in list(self.requests.values()) if not call.traits.waits), default=None)
        return 0.0 if oldest is None else (perf_counter_ns() - oldest) * 1e-9

    def add_session(self, session: Session) -> bool:
        """Remember `session` if there is room."""
        if len(self.sessions) >= MAX_SESSIONS:
            return False
        self.sessions[id(session)] = session
        return True

    def session_states(self) -> dict[str, int]:
        """Sessions by state: open ones are `active` or `idle`; `retained` is absent where nobody watches."""
        now = perf_counter_ns()
        active = sum(
            1 for session in list(self.sessions.values()) if session.in_flight > 0 or now - session.last < ACTIVE_NS
        )
        states = {"active": active, "idle": len(self.sessions) - active}
        return states if self.retained is None else {**states, "retained": self.retained()}

    def longest_idle(self) -> float:
        """Seconds since the last message of the session that is idle for longest; 0 when there is none."""
        last = min((session.last for session in list(self.sessions.values()) if not session.in_flight), default=None)
        return 0.0 if last is None else (perf_counter_ns() - last) * 1e-9

    def admit(self, door: object, admits: Admits) -> None:
        """Sessions come in by `door`, which is not kept alive; `admits(door)` is how many, and for how long idle."""
        key = id(door)
        self._doors[key] = weakref.ref(door, lambda _: self._doors.pop(key, None)), admits

    def session_limit(self) -> int | None:
        """How many sessions all doors admit; None when there is no door, or one without a cap."""
        limits = _all([limit for limit, _ in self._admissions()])
        return sum(limits) if limits else None

    def idle_timeout(self) -> float | None:
        """Seconds after which an idle session is ended, by the most patient door; None when one never does."""
        return max(_all([timeout for _, timeout in self._admissions()]), default=None)

    def _admissions(self) -> list[tuple[int | None, float | None]]:
        return [admits(door) for held, admits in list(self._doors.values()) if (door := held()) is not None]


def _all(values: list[_V | None]) -> list[_V]:
    """`values`; none of them where one is unknown."""
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else []
