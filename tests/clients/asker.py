"""A server whose tools ask its client, watched, on stdio: `python -m tests.clients.asker`."""

from __future__ import annotations

import warnings
from importlib import import_module, util
from typing import Any

import mcp_otel

mcp_otel.instrument()
two = util.find_spec("mcp.server.mcpserver") is not None
line, name = ("mcp.server.mcpserver", "MCPServer") if two else ("mcp.server.fastmcp", "FastMCP")
Context: Any = import_module(line).Context
types: Any = import_module("mcp_types" if two else "mcp.types")
server = getattr(import_module(line), name)("asker", log_level="CRITICAL")


@server.tool(structured_output=False)
async def ask(visit: Context) -> str:
    """Ask the client for its roots."""
    return str(len((await visit.session.list_roots()).roots))


@server.tool(structured_output=False)
async def think(visit: Context) -> str:
    """Ask the client's model."""
    question = types.SamplingMessage(role="user", content=types.TextContent(type="text", text="0?"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sampling is deprecated
        answer = await visit.session.create_message([question], max_tokens=1, related_request_id=visit.request_id)
    return str(answer.content.text)


if __name__ == "__main__":
    server.run("stdio")
