"""Streams that a client resumes: what an event store replays is no new message, unless it was never on a wire."""

from __future__ import annotations

from typing import Any

MAX_REMEMBERED = 1000
"""Ids of events that a transport remembers; one that is replayed after so many others counts once more."""


def fresh(transport: Any, event: Any) -> Any:
    """The message of an `event` that is encoded for the first time; None for one that was before."""
    event_id = event.event_id
    if event_id is None:
        return event.message
    # On the transport itself, so that it lives no longer; a dictionary keeps its order.
    known = vars(transport).setdefault("_mcp_otel_encoded", {})
    if event_id in known:
        return None
    known[event_id] = None
    if len(known) > MAX_REMEMBERED:
        del known[next(iter(known))]
    return event.message
