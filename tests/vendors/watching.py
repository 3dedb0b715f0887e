"""One process beside a vendor, and what came of the story that it was told."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.contract.doors import LINE
from tests.contract.process import Process
from tests.house.source import ROOT
from tests.vendors.story import STORY
from tests.vitals.retention_probe import python_of
from tests.wire import Body, StdioWire

OURS, NATIVE = "mcp_otel", "mcp-python-sdk"
"""Scopes of our spans and of the SDK's."""


Span = tuple[str, str, str, str, list[str]]
"""Scope, kind, name, status, names of attributes."""


@dataclass(frozen=True)
class Told:
    """What one process answered and said."""

    replies: list[bytes | None]
    errors: list[str]
    left: tuple[int, bytes]
    """Its exit code, and what came on stdout after the last reply."""
    spans: list[Span]
    counts: dict[str, int]
    heard: list[str]
    """What was answered over HTTP."""
    reached: list[str]

    @property
    def ours(self) -> list[str]:
        """Our spans by kind and name, phases apart."""
        return sorted(f"{span[1]} {span[2]}" for span in self.spans if span[0] == OURS and span[1] != "INTERNAL")

    def theirs(self, native: bool = True) -> list[Span]:
        """The spans of everybody else, the SDK's own unless `native` is false."""
        return [span for span in self.spans if span[0] not in ((OURS,) if native else (OURS, NATIVE))]


def tell(vendor: str, order: str, story: tuple[tuple[str, Body], ...] = STORY, **env: str) -> Told:
    """Start the desk in the environment of vendors for this line of the SDK, and tell it `story`."""
    with TemporaryDirectory() as place:
        out = Path(place, "out.json")
        command = [python_of(f"vendors_{LINE}"), "-m", "tests.vendors.desk", vendor, order, str(out)]
        process = Process(command, {"PYTHONPATH": str(ROOT), **env})
        try:
            wire, replies = StdioWire(process.popen), []
            for number, (method, params) in enumerate(story):
                body: Body = {"jsonrpc": "2.0", "method": method, "params": params}
                if not method.startswith("notifications/"):
                    body["id"] = number
                replies.append(wire.call(body).reply)
        finally:
            left = process.leave(20)
        assert out.exists(), "\n".join(process.errors)
        said = json.loads(out.read_text())
    spans = [(scope, kind, name, status, keys) for scope, kind, name, status, keys in said["spans"]]
    return Told(replies, process.errors, left, spans, said["counts"], said["heard"], said["reached"])


@cache
def bare(vendor: str) -> Told:
    """The same without us."""
    return tell(vendor, "bare")
