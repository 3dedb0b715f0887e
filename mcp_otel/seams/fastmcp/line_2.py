"""The 2.x line of FastMCP (read: 2.14.7), on the SDK's 1.x: it makes no spans of its own."""

from __future__ import annotations

from mcp_otel.seams.fastmcp import arguments, forwarded, registered

MODULES = {
    "fastmcp.server.server": registered.install_listing,
    "fastmcp.tools.tool": arguments.install_tool,
    "fastmcp.client.client": forwarded.install_client,
}
"""What to hook in which module, once it is imported."""
