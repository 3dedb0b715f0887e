"""The support desk on stdio, watched: `python -m tests.clients.desk`."""

from __future__ import annotations

from importlib import import_module, util
from typing import Any

import mcp_otel
from mcp_otel.demo.desk import Desk

mcp_otel.instrument()


def main() -> None:
    two = util.find_spec("mcp.server.mcpserver") is not None
    line, name = ("mcp.server.mcpserver", "MCPServer") if two else ("mcp.server.fastmcp", "FastMCP")
    module: Any = import_module(line)
    server = getattr(module, name)("support-desk", log_level="CRITICAL")
    Desk(import_module(f"{line}.exceptions").ToolError, module.Context).serve_by(server)
    server.run("stdio")


if __name__ == "__main__":
    main()
