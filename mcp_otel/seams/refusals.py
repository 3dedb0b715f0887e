"""HTTP requests that a session manager, of either line, refuses before they become messages."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from mcp_otel.recorder import Recorder
from mcp_otel.refusals import Refused
from mcp_otel.seams.patch import Patches, expect
from mcp_otel.seams.streamable_http import VERSION_HEADER, exchanges, transports

SESSION_HEADER, TYPE_HEADER = b"mcp-session-id", b"content-type"


def hook(patches: Patches, module: Any, recorder: Recorder) -> None:
    """Hook `mcp.server.streamable_http_manager`: its outermost function that both lines call for every request.

    Raises:
        MisfitError: it is none of the lines we know.
    """
    manager = module.StreamableHTTPSessionManager
    limit = getattr(module, "RequestBodyLimitMiddleware", None)  # before it there was no limit
    owner, name = (manager, "handle_request") if limit is None else (limit, "__call__")
    expect(owner, name, "self", "scope", "receive", "send")

    def ours(door: Any) -> bool:
        return owner is manager or isinstance(getattr(door.app, "__self__", None), manager)

    patches.replace(owner, name, lambda original: _watching(recorder, original, ours))


def _watching(recorder: Recorder, original: Callable[..., Any], ours: Callable[[Any], bool]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def hooked(self: Any, scope: Any, receive: Any, send: Any) -> Any:
        async def watched(message: Any) -> None:
            try:
                if message["type"] == "http.response.start" and message["status"] >= 400 and ours(self):
                    _note(recorder, scope, message["status"])
            except Exception as error:
                recorder.count_failure("seams", error)
            await send(message)

        return await original(self, scope, receive, watched)

    return hooked


def _note(recorder: Recorder, scope: Any, status: int) -> None:
    exchange = exchanges.get()
    call = exchange.call if exchange is not None else None
    if call is not None and (call.opened or call.message is None):
        return  # it was a message; or no JSON at all, which is counted as a caller's fault
    said = {name: value.decode("latin-1") for name, value in reversed(scope["headers"])}
    session_id = said.get(SESSION_HEADER)
    recorder.connections.reject(
        Refused(
            status,
            session_id,
            session_id is not None and not getattr(transports.get(session_id), "_terminated", True),
            said.get(VERSION_HEADER),
            said.get(TYPE_HEADER) if scope.get("method") == "POST" else None,
        )
    )
