"""An event store in memory, of the kind an application brings along: what was sent can be sent again."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def event_store() -> Any:
    """A fresh store; `events` has what was stored, in order: stream, message (None for one that only primes)."""
    module = import_module("mcp.server.streamable_http")

    class Store(module.EventStore):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self.events: list[tuple[str, Any]] = []

        async def store_event(self, stream_id: str, message: Any) -> str:
            self.events.append((stream_id, message))
            return f"event-{len(self.events)}"

        async def replay_events_after(self, last_event_id: str, send_callback: Any) -> str | None:
            last = int(last_event_id.partition("-")[2])
            stream = self.events[last - 1][0]
            for number, (stream_id, message) in enumerate(self.events[last:], last + 1):
                if stream_id == stream and message is not None:
                    await send_callback(module.EventMessage(message, f"event-{number}"))
            return stream

    return Store()
