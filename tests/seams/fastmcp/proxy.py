"""A proxy on stdin and stdout of whatever is at a URL. Run as a script, with FastMCP's own defaults."""

from __future__ import annotations

import os
import sys
import warnings


def main(url: str) -> None:
    os.environ |= {"FASTMCP_CHECK_FOR_UPDATES": "off", "FASTMCP_LOG_ENABLED": "false"}
    warnings.showwarning = lambda *_, **__: None
    import mcp_otel

    mcp_otel.instrument()
    try:
        from fastmcp.server import create_proxy
    except ImportError:
        from fastmcp import FastMCP

        create_proxy = FastMCP.as_proxy
    create_proxy(url, name="between").run(show_banner=False)


if __name__ == "__main__":
    main(sys.argv[1])
