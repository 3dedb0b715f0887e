"""A client that answers its server, by TOOL: `python -m tests.clients.answerer TOOL COMMAND...`."""

from __future__ import annotations

import asyncio
import os
import sys
from importlib import import_module, util
from typing import Any

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

types: Any = import_module("mcp_types" if util.find_spec("mcp_types") else "mcp.types")


async def roots(_: Any) -> Any:
    """None at all."""
    return types.ListRootsResult(roots=[])


async def model(_: Any, __: Any) -> Any:
    """A model that knows one answer."""
    return types.CreateMessageResult(role="assistant", model="m", content=types.TextContent(type="text", text="0"))


async def main() -> None:
    tool, command, *words = sys.argv[1:]
    parameters = StdioServerParameters(command=command, args=words, env=dict(os.environ))
    async with stdio_client(parameters) as (read, write):
        async with ClientSession(read, write, sampling_callback=model, list_roots_callback=roots) as session:
            await session.initialize()
            print((await session.call_tool(tool, {})).content[0].text)


if __name__ == "__main__":
    asyncio.run(main())
