"""The server that is measured: one `echo` tool, by stdio, HTTP or in memory, dressed as `--with` says."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from importlib.metadata import version
from typing import Any

LINE = int(version("mcp").split(".")[0])
DRESSES = {
    "bare": {},
    "native": {},
    "metrics": {"MCP_OTEL_LEVEL": "metrics"},
    "blind": {"MCP_OTEL_LEVEL": "metrics", "MCP_OTEL_VITALS": "off"},
    "span": {"MCP_OTEL_PHASE_SPANS": "off"},
    "slow": {"MCP_OTEL_PHASE_SPANS": "slow"},
    "all": {"MCP_OTEL_PHASE_SPANS": "all"},
}


def dress(name: str) -> None:
    """Put on what `name` says, before the SDK is imported."""
    if name == "bare":
        return
    if name == "native":
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(provider)
        return
    os.environ.update(DRESSES[name], MCP_OTEL_COST_BUDGET="0")
    import mcp_otel

    mcp_otel.instrument()


def make() -> Any:
    """A server of the installed SDK line with an `echo` tool."""
    if LINE == 1:
        from mcp.server.fastmcp import FastMCP

        server: Any = FastMCP("bench", log_level="CRITICAL")
    else:
        from mcp.server.mcpserver import MCPServer

        server = MCPServer("bench", log_level="CRITICAL")

    @server.tool(structured_output=False)
    async def echo(text: str) -> str:
        return text

    return server


def cost() -> float:
    """Seconds that the vitals of this process say they have cost."""
    from mcp_otel import instrumentor

    recorder = instrumentor.recorder()
    vitals: Any = recorder.vitals if recorder is not None else None
    if recorder is None or vitals is None:
        return 0.0
    vitals.settle()
    return recorder.totals.cost["vitals"]


async def in_memory(server: Any) -> None:
    """Answer `go N` on stdin with the seconds that N calls took, made by the SDK's own in-memory client.

    `cost` is answered with the seconds that the vitals say they have cost so far.
    """
    if LINE == 1:
        from mcp.shared.memory import create_connected_server_and_client_session as connect

        connected = connect(server._mcp_server)
    else:
        from mcp.client import Client

        connected = Client(server)
    async with connected as client:
        while True:
            line = await asyncio.to_thread(sys.stdin.readline)
            if not line:
                return
            if line.startswith("cost"):
                print(cost(), flush=True)
                continue
            started = time.perf_counter()
            for _ in range(int(line.split()[1])):
                await client.call_tool("echo", {"text": "hello"})
            print(time.perf_counter() - started, flush=True)


def main() -> None:
    """Serve as the arguments say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("door", choices=("stdio", "http", "memory"))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--with", dest="name", choices=DRESSES, default="bare")
    given = parser.parse_args()
    dress(given.name)
    server = make()
    if given.door == "stdio":
        server.run()
    elif given.door == "memory":
        asyncio.run(in_memory(server))
    else:
        import uvicorn

        app = server.streamable_http_app()
        uvicorn.run(
            app, host="127.0.0.1", port=given.port, log_level="critical", access_log=False, timeout_keep_alive=600
        )


if __name__ == "__main__":
    main()
