"""What is open right now: requests in flight, sessions, and how many sessions a server admits."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from time import perf_counter_ns
from typing import Any

from mcp_otel.call import Call, Session
from mcp_otel.signals.privacy import Gate

MAX_SESSIONS = 20_000
ACTIVE_NS = 60_000_000_000


class Live:
    """Levels that instruments read, in whatever thread; each is added to and taken from in the host's own."""

    def __init__(self, gate: Gate) -> None:
        self.requests: dict[int, Call] = {}
        self.sessions: dict[int, Session] = {}
        self._gate = gate
        self._caps: dict[int, tuple[weakref.ref[Any], Callable[[Any], int | None]]] = {}

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
        """Seconds since the oldest request in flight was received; 0 when there is none."""
        oldest = min((call.started for call in list(self.requests.values())), default=None)
        return 0.0 if oldest is None else (perf_counter_ns() - oldest) * 1e-9

    def add_session(self, session: Session) -> bool:
        """Remember `session` if there is room."""
        if len(self.sessions) >= MAX_SESSIONS:
            return False
        self.sessions[id(session)] = session
        return True

    def session_states(self) -> dict[str, int]:
        """Open sessions by state."""
        now = perf_counter_ns()
        active = sum(
            1 for session in list(self.sessions.values()) if session.in_flight > 0 or now - session.last < ACTIVE_NS
        )
        return {"active": active, "idle": len(self.sessions) - active}

    def admit(self, door: object, cap: Callable[[Any], int | None]) -> None:
        """Sessions come in by `door`, which is not kept alive; `cap(door)` is how many it admits, None for no cap."""
        key = id(door)
        self._caps[key] = weakref.ref(door, lambda _: self._caps.pop(key, None)), cap

    def session_limit(self) -> int | None:
        """How many sessions all doors admit; None when there is no door, or one without a cap."""
        caps = [cap(door) for held, cap in list(self._caps.values()) if (door := held()) is not None]
        limits = [limit for limit in caps if limit is not None]
        return sum(limits) if limits and len(limits) == len(caps) else None
