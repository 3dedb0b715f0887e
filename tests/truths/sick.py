"""An unmodified server that can be sick in ways whose size is known, of whichever line is installed: the host.

`python -m tests.truths.sick [--uvloop] [--cap N] [--idle S]` says `listening PORT` on stderr.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import socket
import sys
import threading
import time
from typing import Any

try:
    from mcp.server.mcpserver import MCPServer as High
except ImportError:
    from mcp.server.fastmcp import FastMCP as High  # type: ignore[import-not-found,no-redef]

server: Any = High("sick")
leaked: list[bytes] = []
conversations: dict[str, list[bytes]] = {}
gates: list[threading.Event] = []


def tool(function: Any) -> Any:
    """Register `function`, without a schema for its results: old lines took long to check them."""
    return server.tool(structured_output=False)(function)


@tool
async def crunch(step: float, share: float, times: int) -> str:
    """Have the loop to itself for this share of the time; how long that was, on the clock and on the processor."""
    began, spent, processor = time.perf_counter(), 0.0, 0.0
    for _ in range(times):
        start, before = time.perf_counter(), time.thread_time()
        while time.perf_counter() - start < step:
            pass
        spent += time.perf_counter() - start
        processor += time.thread_time() - before
        await asyncio.sleep(max(0.0, began + spent / share - time.perf_counter()))
    return f"{spent} {processor} {time.perf_counter() - began}"


@tool
async def block(seconds: float) -> str:
    """Block the loop."""
    time.sleep(seconds)  # the line that must be named
    return "done"


@tool
async def hold() -> str:
    """Hold a worker thread until `release`."""
    import anyio

    gate = threading.Event()
    gates.append(gate)
    await anyio.to_thread.run_sync(gate.wait)
    return "released"


@tool
async def release() -> str:
    """Let go of every worker thread, also of those that are asked for later."""
    while any(not gate.is_set() for gate in gates):
        for gate in gates:
            gate.set()
        await asyncio.sleep(0.01)
    return "done"


@tool
async def leak(size: int) -> str:
    """Keep so many bytes for ever."""
    leaked.append(os.urandom(size))
    return "kept"


@tool
async def say(size: int) -> str:
    """So many characters."""
    return "x" * size


@tool
async def remember(who: str, size: int) -> str:
    """Keep so many bytes for a conversation, in a store of the application's own."""
    conversations.setdefault(who, []).append(os.urandom(size))
    return "kept"


@tool
async def collect() -> str:
    """Collect garbage: a host may."""
    gc.collect()
    return "done"


def main() -> None:
    import uvicorn

    options = argparse.ArgumentParser()
    options.add_argument("--uvloop", action="store_true")
    options.add_argument("--cap", type=int)
    options.add_argument("--idle", type=float)
    chosen = options.parse_args()
    logging.disable(logging.CRITICAL)
    app = server.streamable_http_app()
    for name, value in (("max_sessions", chosen.cap), ("session_idle_timeout", chosen.idle)):
        if value is not None:
            setattr(server.session_manager, name, value)
    if "mcp_otel" in sys.modules:
        import mcp_otel

        mcp_otel.track_context("conversations", conversations)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(256)
        sys.stderr.write(f"listening {listener.getsockname()[1]}\n")
        loop = "uvloop" if chosen.uvloop else "asyncio"
        uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, loop=loop)).run(sockets=[listener])


if __name__ == "__main__":
    main()
