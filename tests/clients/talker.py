"""A client that knows nothing of mcp-otel: `python -m tests.clients.talker URL`, or a server's command for stdio."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from typing import Any

from mcp import ClientSession, StdioServerParameters
from mcp.client import streamable_http
from mcp.client.stdio import stdio_client


async def talk(session: Any) -> None:
    """Say hello, list, and call what is there, what fails, and what is not there."""
    await session.initialize()
    await session.list_tools()
    await session.call_tool("open_ticket", {"customer": "Ann", "subject": "router"})
    await session.call_tool("open_ticket", {"customer": "Ann", "subject": " "})
    try:
        await session.call_tool("nobody", {})
    except Exception as error:
        print(type(error).__name__)
    await session.send_ping()


async def main() -> None:
    target = sys.argv[1:]
    async with AsyncExitStack() as stack:
        if target[0].startswith("http"):
            connect = getattr(streamable_http, "streamable_http_client", None) or streamable_http.streamablehttp_client
            streams = await stack.enter_async_context(connect(target[0]))
        else:
            parameters = StdioServerParameters(command=target[0], args=target[1:], env=dict(os.environ))
            streams = await stack.enter_async_context(stdio_client(parameters))
        await talk(await stack.enter_async_context(ClientSession(streams[0], streams[1])))


if __name__ == "__main__":
    asyncio.run(main())
