"""A conformance server on loopback: its events, to resume streams by, and its own count of what it was sent."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections import defaultdict
from typing import Any

import uvicorn
from mcp.server.streamable_http import EventMessage, EventStore

RETRY = 100
"""Milliseconds after which a client may come back for the rest of a stream."""


class Shelf(EventStore):
    """Every event of every stream, for as long as a test lasts."""

    def __init__(self) -> None:
        self._streams: dict[str, list[tuple[int, Any]]] = defaultdict(list)
        self._count = 0

    async def store_event(self, stream_id: Any, message: Any) -> str:
        self._count += 1
        self._streams[stream_id].append((self._count, message))
        return f"{self._count:032x}"

    async def replay_events_after(self, last_event_id: Any, send_callback: Any) -> str | None:
        last = int(last_event_id, 16)
        for stream, events in self._streams.items():
            if any(number == last for number, _ in events):
                for number, message in list(events):
                    if number > last and message is not None:
                        await send_callback(EventMessage(message, f"{number:032x}"))
                return stream
        return None


class Ledger:
    """`app`, with a line in the file `path` for each POST: what was in it, whether it was of a session, its status."""

    def __init__(self, app: Any, path: str) -> None:
        self._app, self._path = app, path

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        body, status = bytearray(), 0

        async def reading() -> Any:
            event = await receive()
            body.extend(event.get("body", b""))
            return event

        async def sending(event: Any) -> None:
            nonlocal status
            status = event.get("status", status)
            await send(event)

        in_session = any(name == b"mcp-session-id" for name, _ in scope["headers"])
        try:
            await self._app(scope, reading, sending)
        finally:
            line = {"status": status, "in_session": in_session, "body": body.decode(errors="replace")}
            with open(self._path, "a") as file:
                file.write(json.dumps(line) + "\n")


def serve(app: Any) -> None:
    """Until SIGTERM; the address is said on stderr once it listens, and $LEDGER names the file of the ledger."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        Ledger(app, os.environ["LEDGER"]), log_config=None, access_log=False, timeout_graceful_shutdown=2
    )
    print(f"conformance: http://127.0.0.1:{listener.getsockname()[1]}/mcp", file=sys.stderr, flush=True)
    uvicorn.Server(config).run(sockets=[listener])
