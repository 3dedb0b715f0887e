"""One process beside a vendor: the story that it is told, and what came of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.contract.doors import HANDSHAKE, LINE
from tests.contract.process import Process
from tests.house.source import ROOT
from tests.vitals.retention_probe import python_of
from tests.wire import Body, StdioWire

HELLO = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": {"name": "teller", "version": "1"}}
ECHO = "tools/call", {"name": "echo", "arguments": {"text": "hello"}}
STORY: tuple[tuple[str, Body], ...] = (
    ("initialize", HELLO),
    ("notifications/initialized", {}),
    ("tools/list", {}),
    ECHO,
    ("tools/call", {"name": "fail", "arguments": {"text": "secret"}}),
    ("prompts/get", {"name": "greet", "arguments": {"name": "Ann"}}),
    ("resources/read", {"uri": "desk://hours"}),
    ("ping", {}),
)
OURS = "mcp_otel"


@dataclass
class Told:
    """What one process answered and said."""

    replies: list[bytes | None]
    errors: list[str]
    code: int
    spans: list[tuple[str, str, str]] = field(default_factory=list)
    """Scope, kind and name of each."""
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def ours(self) -> list[tuple[str, str]]:
        """Our spans, phases apart."""
        return sorted((kind, name) for scope, kind, name in self.spans if scope == OURS and kind != "INTERNAL")

    @property
    def theirs(self) -> list[tuple[str, str, str]]:
        """The spans of everybody else, the SDK included."""
        return [span for span in self.spans if span[0] != OURS]

    @property
    def said(self) -> list[str]:
        """Lines of ours on stderr."""
        return [line for line in self.errors if "mcp-otel" in line]


def tell(vendor: str, order: str, story: tuple[tuple[str, Body], ...] = STORY, **env: str) -> Told:
    """Start the desk in the environment of vendors for this line of the SDK, and tell it `story`."""
    with TemporaryDirectory() as place:
        out = Path(place, "out.json")
        command = [python_of(f"vendors_{LINE}"), "-m", "tests.vendors.desk", vendor, order, str(out)]
        process = Process(command, {"PYTHONPATH": str(ROOT), **env})
        wire, replies = StdioWire(process.popen), []
        for number, (method, params) in enumerate(story):
            body: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
            if not method.startswith("notifications/"):
                body["id"] = number
            replies.append(wire.call(body).reply)
        code, _ = process.leave(20)
        said = json.loads(out.read_text())
    return Told(replies, process.errors, code, [tuple(span) for span in said["spans"]], said["counts"])


@cache
def bare(vendor: str) -> Told:
    """The same without us."""
    return tell(vendor, "bare")
