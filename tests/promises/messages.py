"""JSON-RPC messages as a client sends them, and the story that every server here is told."""

from __future__ import annotations

from typing import Any

HANDSHAKE = "2025-06-18"
PATIENCE = 4.0
Message = dict[str, Any]


def call(request_id: Any, name: str, _meta: Any = None, **arguments: Any) -> Message:
    """A `tools/call`."""
    params = {"name": name, "arguments": arguments, **({"_meta": _meta} if _meta is not None else {})}
    return {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}


def request(request_id: Any, method: str, **params: Any) -> Message:
    """Any other request."""
    return {"jsonrpc": "2.0", "id": request_id, "method": method, **({"params": params} if params else {})}


def notice(method: str, **params: Any) -> Message:
    """A notification."""
    return {"jsonrpc": "2.0", "method": method, **({"params": params} if params else {})}


HELLO = (
    request(
        0,
        "initialize",
        protocolVersion=HANDSHAKE,
        capabilities={"elicitation": {}},
        clientInfo={"name": "raw", "version": "1"},
    ),
    notice("notifications/initialized"),
)
TRACED = {"traceparent": "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01", "progressToken": "p"}
STORY = (
    request(1, "ping"),
    request(2, "tools/list"),
    request(3, "prompts/list"),
    call(4, "echo", TRACED, text="grüß dich ✓"),
    call("five", "add", a=20, b=22),
    call(6, "crash", text="private words"),
    call(7, "add", a="twenty"),
    call(8, "nobody"),
    request(9, "prompts/get", name="greet", arguments={"name": "Ada"}),
    request(10, "prompts/get", name="nobody", arguments={}),
    request(11, "tools/undo", what="all"),
    call(12, "progress", TRACED, steps=3),
    request(13, "resources/read", uri="host://nowhere"),
)
ASK = call(20, "ask", question="which colour?")
SLOW, CANCEL = call(30, "slow"), notice("notifications/cancelled", requestId=30, reason="enough")
AFTERWARDS = request(40, "ping")


def blue(request_id: Any) -> Message:
    """The answer to what the server asks."""
    return {"jsonrpc": "2.0", "id": request_id, "result": {"action": "accept", "content": {"answer": "blue"}}}
