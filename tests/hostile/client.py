"""A patient client that says what came of it: `python -m tests.hostile.client CALLS SECONDS URL-or-COMMAND...`."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from typing import Any

if os.environ.get("HOSTILE_WATCHED"):
    import mcp_otel

    mcp_otel.instrument()

from mcp import ClientSession, StdioServerParameters
from mcp.client import streamable_http
from mcp.client.stdio import stdio_client


async def tried(what: Awaitable[Any]) -> None:
    """What came of it is one line."""
    try:
        result = await asyncio.wait_for(what, float(sys.argv[2]))
    except Exception as error:
        print(type(error).__name__, str(error)[:80].splitlines()[:1])
    else:
        print(type(result).__name__, len(repr(result)))


async def main() -> None:
    count, target = int(sys.argv[1]), sys.argv[3:]
    async with AsyncExitStack() as stack:
        if target[0].startswith("http"):
            connect = getattr(streamable_http, "streamable_http_client", None) or streamable_http.streamablehttp_client
            streams = await stack.enter_async_context(connect(target[0]))
        else:
            parameters = StdioServerParameters(command=target[0], args=target[1:], env=dict(os.environ))
            streams = await stack.enter_async_context(stdio_client(parameters))
        session: Any = await stack.enter_async_context(ClientSession(streams[0], streams[1]))
        await tried(session.initialize())
        await tried(session.list_tools())
        for _ in range(count):
            await tried(session.call_tool("echo", {"text": "x"}))


if __name__ == "__main__":
    logging.basicConfig(format="log %(name)s: %(message).200s", level=logging.WARNING)
    try:
        asyncio.run(main())
    except BaseException as error:
        print("ended by", type(error).__name__)
    if os.environ.get("HOSTILE_WATCHED"):
        from mcp_otel import instrumentor

        recorder = instrumentor.recorder()
        assert recorder is not None
        print("failures", dict(recorder.totals.failures), file=sys.stderr)
