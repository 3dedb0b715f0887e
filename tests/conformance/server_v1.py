"""What the conformance suite asks of a server, on the 1.x line: `python -m tests.conformance.server_v1`."""

from __future__ import annotations

from typing import Any

from mcp.server.fastmcp import FastMCP

from tests.conformance import served, wares


async def ignore(_: Any) -> None:
    """Nothing is ever said at any level, and nothing that is watched ever changes."""


def main() -> None:
    server: Any = FastMCP(
        "conformance",
        log_level="CRITICAL",
        event_store=served.Shelf(),
        retry_interval=served.RETRY,
        tools=[wares.with_schema(wares.json_schema_2020_12_tool, wares.SCHEMA_2020_12)],
    )
    wares.serve_by(server)
    inner = server._mcp_server
    for register in (inner.set_logging_level, inner.subscribe_resource, inner.unsubscribe_resource):
        register()(ignore)
    served.serve(server.streamable_http_app())


if __name__ == "__main__":
    main()
