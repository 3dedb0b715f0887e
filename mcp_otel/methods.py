"""What the protocol itself says: its methods, versions and error codes, as tables."""

from __future__ import annotations

from typing import NamedTuple

OTHER = "_other"
"""The one value for every name the protocol or the server never registered."""


class Method(NamedTuple):
    """What a method is about."""

    target: str | None = None
    """Which kind of name its params carry in `name`: `tool`, `prompt` or nothing."""
    lists: str | None = None
    """Which kind of definitions its result lists."""
    lasting: bool = False
    """Its answer is a stream that may live for hours: no latency, and no sign of a hung call."""
    waits: bool = False
    """It waits, as it should, for work that goes on elsewhere: its age is no sign of a hung call."""


CLIENT_METHODS: dict[str, Method] = {
    "initialize": Method(),
    "server/discover": Method(),
    "ping": Method(),
    "tools/list": Method(lists="tools"),
    "tools/call": Method(target="tool"),
    "prompts/list": Method(lists="prompts"),
    "prompts/get": Method(target="prompt"),
    "resources/list": Method(lists="resources"),
    "resources/templates/list": Method(),
    "resources/read": Method(),
    "resources/subscribe": Method(),
    "resources/unsubscribe": Method(),
    "completion/complete": Method(),
    "logging/setLevel": Method(),
    "subscriptions/listen": Method(lasting=True),
    "tasks/get": Method(),
    "tasks/list": Method(),
    "tasks/result": Method(waits=True),
    "tasks/cancel": Method(),
    "tasks/update": Method(),
    "notifications/initialized": Method(),
    "notifications/cancelled": Method(),
    "notifications/progress": Method(),
    "notifications/roots/list_changed": Method(),
    "notifications/tasks/status": Method(),
}
"""Every request and notification a client may send, over all protocol versions so far."""

SERVER_METHODS: dict[str, Method] = {
    "ping": Method(),
    "sampling/createMessage": Method(),
    "elicitation/create": Method(),
    "roots/list": Method(),
    "tasks/get": Method(),
    "tasks/list": Method(),
    "tasks/result": Method(waits=True),
    "tasks/cancel": Method(),
    "notifications/cancelled": Method(),
    "notifications/progress": Method(),
    "notifications/message": Method(),
    "notifications/tools/list_changed": Method(),
    "notifications/prompts/list_changed": Method(),
    "notifications/resources/list_changed": Method(),
    "notifications/resources/updated": Method(),
    "notifications/elicitation/complete": Method(),
    "notifications/subscriptions/acknowledged": Method(),
    "notifications/tasks/status": Method(),
}
"""The same for a server."""
METHODS = {**CLIENT_METHODS, **SERVER_METHODS}

PROTOCOL_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28")

PARSE_ERROR = -32700
CANCELLED = -32800

CALLER_FAULTS: dict[int, str] = {
    PARSE_ERROR: "Parse error",
    -32600: "Invalid Request",
    -32601: "Method not found",
    -32602: "Invalid params",
    -32002: "Resource not found",
}
"""Codes that blame the caller: no server error (semantic conventions for MCP, v0.1.0, with their standard texts)."""

STATUS_TEXTS: dict[int, str] = {
    **CALLER_FAULTS,
    -32603: "Internal error",
    -32000: "Server error",
    -32001: "Request timeout",
    -32022: "Unsupported protocol version",
    -32042: "URL elicitation required",
    CANCELLED: "Request cancelled",
}
"""What a code says by its standard; the message on the wire may quote the caller's data and is never repeated."""

NO_METHOD = Method()
LASTING = frozenset(method for method, traits in CLIENT_METHODS.items() if traits.lasting)


def about(method: str) -> Method:
    """What `method` is about; nothing is known of one outside the table."""
    return METHODS.get(method, NO_METHOD)


def is_notification(method: str) -> bool:
    """Whether messages of `method` are never answered."""
    return method.startswith("notifications/")
