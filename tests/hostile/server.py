"""A server to be attacked: `python -m tests.hostile.server stdio`, or `http [--json] [--stateless]` on loopback.

`HOSTILE_WATCHED=1` adds the one line of mcp-otel. Logging is left as it is: what anybody warns of comes on stderr, with
the name of its logger. The tool `inspect` says what the process holds.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import socket
import sys
from collections import Counter
from importlib import import_module, util
from typing import Any

if os.environ.get("HOSTILE_WATCHED"):
    import mcp_otel

    mcp_otel.instrument()

import anyio
import psutil

TWO = util.find_spec("mcp.server.mcpserver") is not None


def said(text: str) -> None:
    """One line for the test that watches stderr."""
    sys.stderr.write(f"hostile: {text}\n")
    sys.stderr.flush()


async def echo(text: str) -> str:
    return text


async def big(size: int) -> str:
    return "x" * size


async def slow(seconds: float) -> str:
    said("slow")
    try:
        await anyio.sleep(seconds)
    finally:
        said("slow is over")
    return "done"


async def inspect() -> str:
    """What is alive of ours, what has failed, and how much memory the process has."""
    gc.collect()
    ours = Counter(
        type(each).__qualname__
        for each in gc.get_objects()
        if str(getattr(type(each), "__module__", "")).startswith("mcp_otel")
    )
    failures, flying = {}, 0
    if os.environ.get("HOSTILE_WATCHED"):
        from mcp_otel import instrumentor

        recorder = instrumentor.recorder()
        assert recorder is not None
        failures, flying = dict(recorder.totals.failures), len(recorder.live.requests)
    rss = psutil.Process().memory_info().rss
    return json.dumps({"ours": ours, "failures": failures, "in_flight": flying, "rss": rss})


def made() -> Any:
    line, name = ("mcp.server.mcpserver", "MCPServer") if TWO else ("mcp.server.fastmcp", "FastMCP")
    server = getattr(import_module(line), name)("hostile", log_level="CRITICAL")
    for function in (echo, big, slow, inspect):
        server.tool(structured_output=False)(function)

    @server.resource("hostile://one")
    def one() -> str:
        return "one"

    @server.prompt()
    def greet(name: str) -> str:
        return name

    return server


def main() -> None:
    server = made()
    logging.basicConfig(format="log %(name)s: %(message).200s", level=logging.WARNING, force=True)
    if sys.argv[1] == "stdio":
        server.run("stdio")
        return
    import uvicorn

    kinds = {"json_response": "--json" in sys.argv, "stateless_http": "--stateless" in sys.argv}
    if not TWO:
        for name, value in kinds.items():
            setattr(server.settings, name, value)
    app = server.streamable_http_app(**(kinds if TWO else {}))
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(256)
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2)
    said(f"listening {listener.getsockname()[1]}")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
