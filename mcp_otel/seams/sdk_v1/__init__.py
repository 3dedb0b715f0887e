"""The 1.x line of the Python SDK (read: 1.24.0 to 1.30.0): messages are found by the session that receives them."""

from __future__ import annotations

from mcp_otel.seams import clients, tools
from mcp_otel.seams.sdk_v1 import client, server, session, transports

MODULES = {
    "mcp.shared.session": session.install_shared,  # first: what sends is inherited by both kinds of session
    "mcp.server.session": session.install,
    "mcp.client.session": client.install,
    "mcp.client.stdio": clients.install_stdio,
    "mcp.client.sse": clients.install_sse,
    "mcp.client.streamable_http": clients.install_http,
    "mcp.server.lowlevel.server": server.install,
    "mcp.server.fastmcp.utilities.func_metadata": server.install_functions,
    "mcp.server.fastmcp.tools.tool_manager": tools.install_tools,
    "mcp.server.fastmcp.prompts.manager": tools.install_prompts,
    "mcp.server.stdio": transports.install_stdio,
    "mcp.server.sse": transports.install_sse,
    "mcp.server.streamable_http": transports.install_http,
    "mcp.server.streamable_http_manager": transports.install_manager,
}
"""What to hook in which module, once it is imported."""
