"""An ASGI client of a Streamable HTTP server in this process: what it hears is what was on the wire."""

from __future__ import annotations

import json
from typing import Any

import anyio

from tests.promises.messages import HANDSHAKE, PATIENCE, Message, blue
from tests.wire import MODERN, NAMES, with_envelope


class Web:
    """An ASGI client of a Streamable HTTP server."""

    def __init__(self, app: Any, modern: bool) -> None:
        self._app, self._modern, self.session = app, modern, ""
        self.heard: list[bytes] = []

    async def send(self, message: Message | bytes, method: str = "POST") -> bytes:
        """One request; its status and body. Questions of the server are answered with blue."""
        if self._modern and isinstance(message, dict):
            message = with_envelope(message)
        raw = message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode()
        parts: list[bytes] = []
        async with anyio.create_task_group() as tasks:
            pending = [{"type": "http.request", "body": raw, "more_body": False}]
            gone = anyio.Event()

            async def receive() -> Any:
                if pending:
                    return pending.pop()
                await gone.wait()
                return {"type": "http.disconnect"}

            async def send(event: Any) -> None:
                await anyio.lowlevel.checkpoint()
                if event["type"] == "http.response.start":
                    parts.append(str(event["status"]).encode())
                    self.session = dict(event["headers"]).get(b"mcp-session-id", self.session.encode()).decode()
                    return
                body = event.get("body", b"")
                parts.append(body)
                if b"elicitation/create" in body:
                    data = next(line for line in body.splitlines() if line.startswith(b"data:"))
                    tasks.start_soon(self.send, blue(json.loads(data[5:])["id"]))

            scope = {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "method": method,
                "scheme": "http",
                "path": "/mcp",
                "raw_path": b"/mcp",
                "root_path": "",
                "query_string": b"",
                "headers": self._headers(message),
                "client": ("127.0.0.1", 4711),
                "server": ("127.0.0.1", 8000),
            }
            with anyio.fail_after(PATIENCE):
                await self._app(scope, receive, send)
            gone.set()
        self.heard.append(parts[0] + b" " + b"".join(parts[1:]) if parts else b"nothing")
        return self.heard[-1]

    def _headers(self, message: Message | bytes) -> list[tuple[bytes, bytes]]:
        said = {
            "host": "127.0.0.1:8000",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
        }
        if self.session:
            said["mcp-session-id"] = self.session
            said["mcp-protocol-version"] = HANDSHAKE
        if self._modern and isinstance(message, dict):
            said["mcp-protocol-version"] = MODERN
            said["mcp-method"] = message.get("method", "")
            key = NAMES.get(message.get("method", ""))
            if key is not None:
                said["mcp-name"] = message["params"][key]
        return [(name.encode(), value.encode()) for name, value in said.items()]
