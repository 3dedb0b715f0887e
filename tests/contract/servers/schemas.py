"""What the low-level servers list: FastMCP and MCPServer derive the same from their functions' signatures."""

from __future__ import annotations

from typing import Any


def _takes(name: str, kind: str) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}


INPUT: dict[str, dict[str, Any]] = {
    "echo": _takes("text", "string"),
    "add": {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    },
    "fail": _takes("text", "string"),
    "crash": _takes("text", "string"),
    "refuse": _takes("text", "string"),
    "slow": _takes("seconds", "number"),
    "progress": _takes("steps", "integer"),
    "ask": _takes("question", "string"),
}
OUTPUT: dict[str, dict[str, Any]] = {"add": _takes("sum", "integer")}
ASKED: dict[str, Any] = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
SECRET = "story://secret"
REFUSED = -32050
PAUSE = 0.05
"""Seconds that `refuse` thinks before it refuses."""
