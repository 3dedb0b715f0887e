"""The 2.x line of the Python SDK (read: 2.0.0 to 2.3.0): its streams carry the sender's context, with the call."""

from __future__ import annotations

from mcp_otel.seams import clients, tools
from mcp_otel.seams.sdk_v2 import client, dispatcher, modern, runner, transports

MODULES = {
    "mcp.shared.jsonrpc_dispatcher": dispatcher.install,
    "mcp.shared.direct_dispatcher": client.install_direct,
    "mcp.client.stdio": clients.install_stdio,
    "mcp.client.sse": clients.install_sse,
    "mcp.client.streamable_http": clients.install_http,
    "mcp.server.runner": runner.install,
    "mcp.server._otel": runner.install_native,
    "mcp.server.lowlevel.server": runner.install_server,
    "mcp_types.methods": runner.install_methods,
    "mcp.server.mcpserver.utilities.func_metadata": runner.install_functions,
    "mcp.server.mcpserver.tools.tool_manager": tools.install_tools,
    "mcp.server.mcpserver.prompts.manager": tools.install_prompts,
    "mcp.server.stdio": transports.install_stdio,
    "mcp.server.sse": transports.install_sse,
    "mcp.server.streamable_http": transports.install_http,
    "mcp.server._streamable_http_modern": modern.install,
    "mcp.server.streamable_http_manager": modern.install_manager,
}
"""What to hook in which module, once it is imported."""
