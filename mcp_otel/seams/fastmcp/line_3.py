"""The 3.x line of FastMCP (read: 3.4.10), on the SDK's 1.x."""

from __future__ import annotations

from mcp_otel.seams.fastmcp import arguments, forwarded, native, registered

MODULES = {
    "fastmcp.server.telemetry": native.install_server,
    "fastmcp.server.sampling.run": native.install_sampling,
    "fastmcp.client.telemetry": native.install_client,
    "fastmcp.client.mixins.tools": forwarded.install_mixin,
    "fastmcp.client.mixins.prompts": forwarded.install_mixin,
    "fastmcp.client.mixins.resources": forwarded.install_mixin,
    "fastmcp.server.providers.base": registered.install_hashed,
    "fastmcp.server.server": registered.install,
    "fastmcp.tools.base": arguments.install_results,
    "fastmcp.tools.function_tool": arguments.install,
    "fastmcp.prompts.function_prompt": arguments.install,
}
"""What to hook in which module, once it is imported."""
