"""The few JSON-RPC messages that the doctor sends: a greeting, a probe and listings. Nothing that has an effect."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple

from mcp_otel.version import __version__

Body = dict[str, Any]
HANDSHAKE = "2025-11-25"
MODERN = "2026-07-28"
"""The newest version that begins with `initialize`, and the first that does not."""
ENVELOPE = "io.modelcontextprotocol/"
CLIENT = {"name": "mcp-otel doctor", "version": __version__}
LISTINGS = (("tools/list", "tools"), ("prompts/list", "prompts"), ("resources/list", "resources"))
METHOD_NOT_FOUND = -32601


class Probe(NamedTuple):
    """The trace that a probe pretends to belong to."""

    trace_id: str
    span_id: str

    @classmethod
    def new(cls) -> Probe:
        """One that samplers by ratio keep: they look at the lower half of the trace's id."""
        return cls(f"{secrets.token_hex(8)}{secrets.randbelow(1 << 16) + 1:016x}", secrets.token_hex(8))

    @property
    def traceparent(self) -> str:
        """As W3C has it, sampled."""
        return f"00-{self.trace_id}-{self.span_id}-01"


def initialize() -> Body:
    """The parameters of the greeting."""
    return {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": CLIENT}


def request(
    method: str, params: Mapping[str, Any] | None, number: int | None, modern: bool = False, traceparent: str = ""
) -> Body:
    """One message; without a `number` a notification. `modern` puts who asks into it, as 2026-07-28 wants it."""
    meta: Body = {}
    if modern and number is not None:
        meta[ENVELOPE + "protocolVersion"] = MODERN
        meta[ENVELOPE + "clientInfo"] = CLIENT
        meta[ENVELOPE + "clientCapabilities"] = {}
    if traceparent:
        meta["traceparent"] = traceparent
    body: Body = {"jsonrpc": "2.0", "method": method}
    if number is not None:
        body["id"] = number
    if params is not None or meta:
        body["params"] = {**(params or {}), **({"_meta": meta} if meta else {})}
    return body


def encode(body: Body) -> bytes:
    """The bytes of one message, without framing."""
    return json.dumps(body, separators=(",", ":")).encode()


def reply(body: Body) -> Body:
    """What a client that can do nothing answers to a request of the server's."""
    head: Body = {"jsonrpc": "2.0", "id": body["id"]}
    if body["method"] == "ping":
        return {**head, "result": {}}
    return {**head, "error": {"code": METHOD_NOT_FOUND, "message": "Method not found"}}


def is_message(body: object) -> bool:
    """Whether this is JSON-RPC: one message, or the list of them that 2025-03-26 allows."""
    several = body if isinstance(body, list) and body else [body]
    return all(
        isinstance(one, dict) and one.get("jsonrpc") == "2.0" and ("method" in one or "result" in one or "error" in one)
        for one in several
    )


def error_of(body: Body) -> tuple[int | None, str] | None:
    """Code and text of the error that `body` is; None when it is a result."""
    error = body.get("error")
    if not isinstance(error, dict):
        return None
    code = error.get("code")
    return (code if isinstance(code, int) else None), str(error.get("message"))


def difference(one: object, other: object, path: str = "result") -> str | None:
    """Where the first difference between two answers is; None when there is none."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}, key=str):
            if key not in one or key not in other:
                return f"{path}.{key}"
            found = difference(one[key], other[key], f"{path}.{key}")
            if found is not None:
                return found
        return None
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = (
            difference(mine, theirs, f"{path}[{at}]") for at, (mine, theirs) in enumerate(zip(one, other, strict=True))
        )
        return next((found for found in pairs if found is not None), None)
    return None if one == other else path


def counted(number: int, thing: str) -> str:
    """So many of a thing."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
