"""A server whose tool asks its client for its roots, watched, on stdio: `python -m tests.clients.asker`."""

from __future__ import annotations

from importlib import import_module, util
from typing import Any

import mcp_otel

mcp_otel.instrument()
two = util.find_spec("mcp.server.mcpserver") is not None
line, name = ("mcp.server.mcpserver", "MCPServer") if two else ("mcp.server.fastmcp", "FastMCP")
Context: Any = import_module(line).Context
server = getattr(import_module(line), name)("asker", log_level="CRITICAL")


@server.tool(structured_output=False)
async def ask(visit: Context) -> str:
    """Ask the client for its roots."""
    return str(len((await visit.session.list_roots()).roots))


if __name__ == "__main__":
    server.run("stdio")
