"""A client that tells its server its roots: `python -m tests.clients.answerer COMMAND...`."""

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


async def main() -> None:
    parameters = StdioServerParameters(command=sys.argv[1], args=sys.argv[2:], env=dict(os.environ))
    async with stdio_client(parameters) as (read, write):
        async with ClientSession(read, write, list_roots_callback=roots) as session:
            await session.initialize()
            print((await session.call_tool("ask", {})).content[0].text)


if __name__ == "__main__":
    asyncio.run(main())
