"""An MCP server and its client in memory, for a handler that needs another server."""

from __future__ import annotations

from importlib import import_module

from tests.promises.hosts import LINE


def inner() -> str:
    """A tool of the inner server."""
    return "inner says hello"


async def ask_inner() -> str:
    """What the inner server's tool says."""
    if LINE == 1:
        server = import_module("mcp.server.fastmcp").FastMCP("inner")
        server.tool(structured_output=False)(inner)
        connected = import_module("mcp.shared.memory").create_connected_server_and_client_session(server._mcp_server)
    else:
        server = import_module("mcp.server.mcpserver").MCPServer("inner", version="1")
        server.tool(structured_output=False)(inner)
        connected = import_module("mcp").Client(server)
    async with connected as client:
        result = await client.call_tool("inner", {})
    return str(result.content[0].text)
