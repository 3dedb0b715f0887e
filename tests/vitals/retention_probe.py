"""A real Streamable HTTP server whose ended sessions are watched, in a process and an environment of its own.

Run by itself it is that server. It is the host, so it may collect its own garbage; what is tested only observes that.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import socket
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mcp_otel.vitals.canary import Canaries
from mcp_otel.vitals.context import shared, weigh
from mcp_otel.vitals.holders import Holders, chain
from tests.contract.process import Process
from tests.wire import HttpWire

ROOT = Path(__file__).parents[2]
VENVS = Path(os.environ.get("MCP_OTEL_VENVS", ROOT / ".venvs"))
"""Where `make` puts environments."""
GRACE = 0.1
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "prober", "version": "1"}}
PATH = "/probe"


def python_of(environment: str) -> str:
    """The interpreter of another environment; a visible skip where it is not there, except where all is checked."""
    import pytest  # the server's environment has none

    python = VENVS / environment / "bin" / "python"
    if not python.exists() and not os.environ.get("CI"):
        pytest.skip(f"{python} is missing: make {VENVS.name}/{environment}/.made, or set MCP_OTEL_VENVS")
    return str(python)


class Probe:
    """A running server, seen by its clients."""

    def __init__(self, port: int) -> None:
        self._port = port

    def converse(self, sessions: int, end: bool) -> None:
        """So many clients come, call a tool, and end their session, or just stay away."""
        for _ in range(sessions):
            wire = HttpWire(f"http://127.0.0.1:{self._port}/mcp")
            wire.call({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": HELLO})
            wire.call({"jsonrpc": "2.0", "method": "notifications/initialized"})
            arguments = {"name": "echo", "arguments": {"text": "x" * 200}}
            called = wire.call({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": arguments})
            assert called.body["result"]["content"][0]["text"] == "x" * 200
            assert not end or wire.end_session() == 200

    def report(self) -> dict[str, Any]:
        """What is known once the server has collected its garbage."""
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=20)) as connection:
            connection.request("GET", PATH)
            said: dict[str, Any] = json.loads(connection.getresponse().read())
            return said

    def settled(self, condition: Callable[[dict[str, Any]], bool], seconds: float = 10.0) -> dict[str, Any]:
        """The first report that is past every grace and meets `condition`; else the last one in this time."""
        until = time.monotonic() + seconds
        while True:
            said = self.report()
            past = all(count["in_grace"] == count["unknown"] == 0 for count in said["counts"].values())
            if (past and condition(said)) or time.monotonic() > until:
                return said


@contextmanager
def serving(python: str) -> Iterator[Probe]:
    """The server in the environment of `python`."""
    process = Process([python, "-W", "ignore", "-m", __name__], {"PYTHONPATH": str(ROOT)})
    try:
        yield Probe(int(process.wait_for_line(r"listening (\d+)")[1]))
    finally:
        process.kill()


class Server:
    """The host's side: a server that says on request what its watched sessions have come to."""

    def __init__(self) -> None:
        self.canaries = Canaries(GRACE)
        self.holders = Holders(self.canaries)
        self._watch_endings()
        try:
            from mcp.server.mcpserver import MCPServer as High
        except ImportError:
            from mcp.server.fastmcp import FastMCP as High  # type: ignore[import-not-found,no-redef]
        server: Any = High("probe")
        server.tool(structured_output=False)(echo)
        self._app = server.streamable_http_app()

    def _watch_endings(self) -> None:
        from mcp.server.streamable_http import StreamableHTTPServerTransport

        self._ended_by(StreamableHTTPServerTransport, "terminate")
        try:
            from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
        except ImportError:
            from mcp.server.session import ServerSession

            self._ended_by(ServerSession, "__aexit__")
        else:
            self._ended_by(JSONRPCDispatcher, "run", lambda on_request, *_: on_request.__self__.connection)

    def _ended_by(self, kind: Any, name: str, also: Callable[..., object] = lambda *_: None) -> None:
        """After `kind.name` has run, the life of its object should end, and of what `also` finds by its arguments."""
        original: Callable[..., Awaitable[Any]] = getattr(kind, name)

        async def ending(subject: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return await original(subject, *args, **kwargs)
            finally:
                for each in (subject, also(*args)):
                    if each is not None:
                        self.canaries.watch(each, "session")

        setattr(kind, name, ending)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The application, with one path more."""
        if scope["type"] != "http" or scope["path"] != PATH:
            await self._app(scope, receive, send)
            return
        body = json.dumps(self._report()).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    def _report(self) -> dict[str, Any]:
        gc.collect()
        self.holders.tick(asked=True)
        counts = self.canaries.counts()
        retained = {label: self.canaries.examples(label, 2) for label, count in counts.items() if count.retained}
        began = time.perf_counter()
        named = [chain(each) for each, *_ in retained.values()]
        looked = time.perf_counter() - began
        return {
            "line": version("mcp"),
            "counts": {name: count._asdict() for (_, name), count in counts.items()},
            "holders": {name: text for (_, name), text in self.holders.texts.items()},
            "weights": {name: weigh([one], shared([one], others))[0] for (_, name), (one, *others) in retained.items()},
            "traced": tracemalloc.get_traced_memory()[0],
            "failures": self.canaries.failures + self.holders.failures,
            "looked": looked / max(len(named), 1),
        }


async def echo(text: str) -> str:
    """What it is told."""
    return text


def main() -> None:
    import uvicorn

    logging.disable(logging.CRITICAL)
    tracemalloc.start(1)
    server = Server()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        sys.stderr.write(f"listening {listener.getsockname()[1]}\n")
        config = uvicorn.Config(server, log_config=None, access_log=False)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
