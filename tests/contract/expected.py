"""What must come out of the story: one table, and where the lines, forms and doors differ on the wire.

By the conventions v0.1.0: a caller's fault is no error of the server's; `isError` is `tool_error`; any other code is
an error, with the code's standard text, never the server's own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatch
from hashlib import sha256
from typing import Any

from tests.contract.doors import LINE, VERSION, Door, line_of
from tests.contract.story import BY_NAME, Told

ANSWERED = frozenset({"decode", "queue", "validate", "handler", "encode", "write"})
NOTICED = frozenset({"decode", "queue", "validate", "handler"})


@dataclass(frozen=True)
class Said:
    """What one message's span and metrics say."""

    target: str | None = None
    fault: str | None = None
    error: str | None = None
    code: int | None = None
    phases: frozenset[str] = ANSWERED
    text: str = ""
    """Of the status, when it is ERROR."""
    unread: str = ""
    """What the server wrote to a client that was gone."""
    refused: bool = False
    """Whether the server does not take it for a message."""

    @property
    def status(self) -> dict[str, str]:
        failed = self.error is not None and self.fault != "caller"
        return {"code": "ERROR" if failed else "UNSET", "message": self.text if failed else ""}


SERVED = Said()
CANCELLED = Said("slow", "caller", "cancelled")
TABLE: dict[str, Said] = {
    "initialize": SERVED,
    "initialized": Said(phases=NOTICED),
    "list tools": SERVED,
    "list prompts": SERVED,
    "text result": Said("echo"),
    "structured result": Said("add"),
    "tool error": Said("fail", "tool", "tool_error"),
    "exception": Said("crash", "tool", "tool_error"),
    "protocol error": Said("refuse", "server", "-32050", -32050),
    "bad arguments": Said("add", "caller", "tool_error"),
    "unknown tool": Said("_other", "caller", "tool_error"),
    "unknown method": Said(None, "caller", None, -32601),
    "malformed params": Said("greet", "caller", None, -32602),
    "prompt": Said("greet"),
    "unknown prompt": Said("_other", "caller", None, -32602),
    "resource": SERVED,
    "unknown resource": Said(None, "caller", None, -32602),
    "progress": Said("progress"),
    "ask": Said("ask", phases=ANSWERED | {"peer"}),
    "cancel": CANCELLED,
    "cancel: notice": Said(phases=NOTICED),
    "timeout": CANCELLED,
    "timeout: notice": Said(phases=NOTICED),
    "together": Said("echo"),
    "ping": SERVED,
}

RECEIVE_LOOP = ANSWERED - {"handler"}
"""1.x answers these before any handler could run."""
DIFFERENCES: tuple[tuple[str, str, str, Any], ...] = (
    # form and line, door, step: what differs from the table; the later wins
    ("*_v1", "*", "unknown method", {"code": -32602, "phases": RECEIVE_LOOP}),
    ("*_v1", "*", "malformed params", {"phases": RECEIVE_LOOP}),
    ("*_v1", "*", "*: notice", {"phases": NOTICED - {"handler"}}),
    # FastMCP of 1.x turns every exception of a tool into a result, and other exceptions into code 0
    ("fastmcp_v1", "*", "protocol error", {"fault": "tool", "error": "tool_error", "code": None}),
    ("fastmcp_v1", "*", "unknown prompt", {"error": "0", "code": 0}),
    ("fastmcp_v1", "*", "unknown resource", {"fault": "server", "error": "0", "code": 0}),
    ("lowlevel_v1", "*", "unknown resource", {"code": -32002}),
    # so do all lines of the package; whoever asks for what nobody has is to blame on each of them
    ("fastmcp_[234]_*", "*", "protocol error", {"fault": "tool", "error": "tool_error", "code": None}),
    ("fastmcp_[23]_*", "*", "unknown prompt", {"error": "0", "code": 0}),
    ("fastmcp_2_*", "*", "unknown resource", {"error": "0", "code": 0}),
    ("fastmcp_3_*", "*", "unknown resource", {"code": -32002}),
    # the low-level API of 2.x leaves everything to the author
    ("lowlevel_v2", "*", "exception", {"fault": "server", "error": "0", "code": 0}),
    ("lowlevel_v2", "*-modern", "exception", {"error": "-32603", "code": -32603, "text": "Internal error"}),
    ("lowlevel_v2", "*", "bad arguments", {"error": None, "code": -32602}),
    ("lowlevel_v2", "*", "unknown tool", {"error": None, "code": -32602}),
    ("mcpserver_v2", "*", "unknown prompt", {"error": "0", "code": 0}),
    ("mcpserver_v2", "*-modern", "unknown prompt", {"error": "-32603", "code": -32603}),
    # there is nothing to validate a method by that nobody knows; its envelope is another matter
    ("*_v2", "*", "unknown method", {"phases": ANSWERED - {"validate"}}),
    ("*_v2", "http-modern", "unknown method", {"phases": ANSWERED}),
    # who answers what was cancelled, and how
    ("*_v1", "*", "cancel", {"code": 0}),
    ("*_v1", "*", "timeout", {"code": 0}),
    ("*_v2", "stdio*", "cancel", {"phases": NOTICED}),
    ("*_v2", "stdio*", "timeout", {"phases": NOTICED}),
    ("*_v2", "sse", "cancel", {"phases": NOTICED}),
    ("*_v2", "sse", "timeout", {"phases": NOTICED}),
    ("*_v2", "http-*", "cancel", {"code": -32800}),
    ("*_v2", "http-*", "timeout", {"code": -32800}),
    # nobody reads the answer of an exchange that its client closed: an event stream sees it, a document does not
    ("*_v1", "http-sse", "timeout", {"phases": ANSWERED - {"write"}}),
    ("*_v2", "http-sse", "timeout", {"phases": NOTICED, "code": None}),
    (
        "*_v1",
        "http-json",
        "timeout",
        {"unread": '{"jsonrpc":"2.0","id":20,"error":{"code":0,"message":"Request cancelled"}}'},
    ),
    (
        "*_v2",
        "http-json",
        "timeout",
        {"unread": '{"jsonrpc":"2.0","id":20,"error":{"code":-32800,"message":"Request cancelled"}}'},
    ),
    # without a session no notice reaches the call: it is served
    ("*", "http-stateless", "cancel", {"fault": None, "error": None, "code": None}),
    ("*", "http-modern", "cancel", {"fault": None, "error": None, "code": None}),
    ("*_v1", "http-stateless", "timeout", {"error": "closed", "code": None, "phases": NOTICED}),
    ("*_v2", "http-stateless", "timeout", {"error": "closed", "code": -32000, "phases": NOTICED}),
    # FastMCP lets the handler go on, and finds nobody
    ("fastmcp_[23]_*", "http-stateless", "timeout", {"phases": NOTICED | {"encode"}}),
    ("*", "http-modern", "timeout", {"error": "closed", "code": None, "phases": NOTICED}),
    ("*", "http-modern", "cancel: notice", {"phases": frozenset({"decode", "handler"})}),
)
OLDER: tuple[tuple[tuple[int, int], str, str, str, Any], ...] = (
    # below which minor line: what differs further
    ((1, 27), "*_v1", "http-stateless", "timeout", {"phases": NOTICED | {"encode"}}),  # it goes on, and finds nobody
    ((2, 1), "*_v2", "http-modern", "cancel: notice", {"refused": True}),
)
CAPPED = VERSION >= (2, 2) or (1, 30) <= VERSION < (2, 0)
"""Whether this SDK has a cap on sessions."""


def expected(form: str, door: Door, step: str) -> Said:
    """What the message of `step` must say, told to `form` at `door`."""
    said = TABLE[step]
    line = f"_v{line_of(form)}"
    form = form if form.endswith(line) else form + line
    older = [row for below, *row in OLDER if below > VERSION]
    for forms, doors, steps, changes in (*DIFFERENCES, *older):
        if fnmatch(form, forms) and fnmatch(door.name, doors) and fnmatch(step, steps):
            said = replace(said, **changes)
    return said


def method_of(told: Told) -> str:
    """The method as it may be said."""
    method: str = told.pending.sent["method"]
    return "_other" if told.step == "unknown method" else method


def targets(method: str, target: str | None) -> dict[str, Any]:
    """The attributes that name what a message is about, on spans and metrics alike."""
    said: dict[str, Any] = {"mcp.method.name": method}
    if method == "tools/call":
        said |= {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": target}
    elif method == "prompts/get":
        said["gen_ai.prompt.name"] = target
    return said


def network(door: Door) -> dict[str, Any]:
    """The attributes of the transport, on spans and metrics alike."""
    said = {"mcp.protocol.version": door.version, "network.transport": door.transport}
    return said | {"network.protocol.name": "http", "network.protocol.version": "1.1"} if door.http else said


def span(form: str, door: Door, told: Told) -> dict[str, Any]:
    """The whole SERVER span of `told`, without what no one can foresee: its own ids and times."""
    said, method, pending = expected(form, door, told.step), method_of(told), told.pending
    attributes = targets(method, said.target) | network(door) | {"mcp_otel.received.size": len(pending.raw)}
    if told.request_id is not None:
        attributes["jsonrpc.request.id"] = str(told.request_id)
    if door.http:
        attributes |= {"client.address": "127.0.0.1", "client.port": pending.port}
    if told.session is not None and not door.stateless:
        attributes["mcp.session.id"] = sha256(told.session.encode()).hexdigest()[:16]
    if pending.reply is not None or said.unread:
        attributes["mcp_otel.sent.size"] = len(pending.reply or said.unread)
    if said.error is not None:
        attributes["error.type"] = said.error
    if said.code is not None:
        attributes["rpc.response.status_code"] = str(said.code)
    return {
        "name": method if said.target is None else f"{method} {said.target}",
        "kind": "SERVER",
        "parent": told.parent,
        "attributes": attributes,
        "phases": said.phases,
        "status": said.status,
        "links": [],
        "events": [],
        "scope": "mcp_otel",
    }


def operation(form: str, door: Door, told: Told) -> frozenset[tuple[str, Any]]:
    """The attribute set of `told` on the standard duration histogram."""
    said = expected(form, door, told.step)
    labels = targets(method_of(told), said.target) | network(door)
    if said.error is not None:
        labels["error.type"] = "_other" if said.error == "-32050" else said.error
    if said.code is not None:
        labels["rpc.response.status_code"] = "_other" if said.code == -32050 else str(said.code)
    return frozenset(labels.items())


assert LINE in (1, 2)
assert set(BY_NAME) <= set(TABLE)
