"""The doors a story server has: each SDK line, each form of server, each transport."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.contract.process import Process
from tests.sse_wire import SseWire
from tests.wire import MODERN, HttpWire, StdioWire, Wire

SERVERS = Path(__file__).parent / "servers"
VENVS = Path(os.environ.get("MCP_OTEL_VENVS", Path(__file__).parents[2] / ".venvs"))
VERSION = tuple(int(part) for part in version("mcp").split(".")[:2])
"""The minor line of the SDK at hand."""
LINE = VERSION[0]
FORMS = ("lowlevel_v1", "fastmcp_v1") if LINE == 1 else ("lowlevel_v2", "mcpserver_v2")
STANDALONE = ("fastmcp_2", "fastmcp_3", "fastmcp_4") if LINE == 2 else ()
"""Lines of the `fastmcp` package: each has an environment of its own, so they are told of once."""
HANDSHAKE = "2025-06-18"


@dataclass(frozen=True)
class Door:
    """One way in. `flags` go to the server's command line."""

    name: str
    transport: str
    flags: tuple[str, ...] = ()
    modern: bool = False

    @property
    def http(self) -> bool:
        return self.transport == "tcp"

    @property
    def sse(self) -> bool:
        """Whether answers come by one GET, none by the message's own POST."""
        return "--sse" in self.flags

    @property
    def stateless(self) -> bool:
        """Whether messages know nothing of each other."""
        return "--stateless" in self.flags or (self.modern and self.http)

    @property
    def json(self) -> bool:
        """Whether an answer is one JSON document: then nothing else can come with it."""
        return "--json" in self.flags

    @property
    def back_channel(self) -> bool:
        """Whether a server can ask its client."""
        return not (self.stateless or self.json or self.modern)

    @property
    def version(self) -> str:
        return MODERN if self.modern else HANDSHAKE


ALL_DOORS = (
    Door("stdio", "pipe"),
    Door("http-sse", "tcp"),
    Door("http-json", "tcp", ("--json",)),
    Door("http-stateless", "tcp", ("--stateless",)),
    Door("http-modern", "tcp", modern=True),
    Door("sse", "tcp", ("--sse",)),
    Door("stdio-modern", "pipe", modern=True),
)
DOORS = {door.name: door for door in ALL_DOORS if LINE == 2 or not door.modern}


def line_of(form: str) -> int:
    """The line of the SDK that `form` stands on."""
    return {"fastmcp_2": 1, "fastmcp_3": 1, "fastmcp_4": 2}.get(form, LINE)


def pairs(forms: tuple[str, ...]) -> list[tuple[str, Door]]:
    """Each of `forms` at each door that it has."""
    return [(form, door) for form in forms for door in ALL_DOORS if line_of(form) == 2 or not door.modern]


def command(form: str) -> list[str]:
    """How the server of `form` is started: in which environment, and which script."""
    if form not in STANDALONE:
        return [sys.executable, str(SERVERS / f"{form}.py")]
    python = VENVS / form / "bin" / "python"
    if not python.exists() and not os.environ.get("CI"):
        import pytest  # the wheel's environment has none

        pytest.skip(f"{python} is missing: make {VENVS.name}/{form}/.made, or set MCP_OTEL_VENVS")
    return [str(python), str(SERVERS / "fastmcp_standalone.py")]


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """What our client says when a server asks."""
    assert request["method"] == "elicitation/create", request["method"]
    return {"action": "accept", "content": {"answer": "blue"}}


@dataclass
class Opened:
    """A running story server and a client of it. `leftover` and `code` are known once it is closed."""

    process: Process
    wire: Wire
    code: int | None = None
    leftover: bytes = b""


@contextmanager
def open_door(
    form: str, door: Door, env: Mapping[str, str] | None = None, headers: dict[str, str] | None = None
) -> Iterator[Opened]:
    """Start `form` behind `door`; leave as a good client does, then wait for the server's end."""
    kind = ("http", "0", *door.flags) if door.http else ("stdio",)
    process = Process([*command(form), *kind], env)
    opened: Opened | None = None
    try:
        if door.http:
            port = process.wait_for_line(r"listening (\d+)")[1]
            url = f"http://127.0.0.1:{port}"
            wire: Wire = (
                SseWire(f"{url}/sse", answer, headers)
                if door.sse
                else HttpWire(f"{url}/mcp", answer, headers, door.modern)
            )
        else:
            wire = StdioWire(process.popen, answer, door.modern)
        opened = Opened(process, wire)
        yield opened
        if isinstance(wire, HttpWire) and wire.session is not None and not door.stateless:
            assert wire.end_session() == 200
        if isinstance(wire, SseWire):
            wire.leave()
    finally:
        code, leftover = process.stop() if door.http else process.leave()
        if opened is not None:
            opened.code, opened.leftover = code, leftover
