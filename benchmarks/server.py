"""The server that is measured: one `echo` tool, by stdio, HTTP or in memory, dressed as `--with` says."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import threading
import time
from importlib.metadata import version
from typing import Any

LINE = int(version("mcp").split(".")[0])
DRESSES = {
    "bare": {},
    "native": {},
    "metrics": {"MCP_OTEL_LEVEL": "metrics"},
    "span": {"MCP_OTEL_PHASE_SPANS": "off"},
    "slow": {"MCP_OTEL_PHASE_SPANS": "slow"},
    "all": {"MCP_OTEL_PHASE_SPANS": "all"},
}
TURNS = (signal.SIGUSR1, signal.SIGUSR2)


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


def turn(on: bool) -> None:
    """Begin to read the process, or stop; say on stdout how many seconds that says it has cost so far."""
    from mcp_otel import instrumentor

    active: Any = instrumentor._active
    vitals = active.recorder.vitals
    if vitals is not None:
        vitals.settle()
    if vitals is None and on:
        active._read_process()
    elif vitals is not None and not on:
        vitals.stop()
        active.recorder.vitals = None
    print(active.recorder.totals.cost["vitals"], flush=True)


def turning() -> None:
    """Turn on SIGUSR1, and off on SIGUSR2."""
    while True:
        turn(signal.sigwait(TURNS) == signal.SIGUSR1)


async def in_memory(server: Any) -> None:
    """Answer `go N` on stdin with the seconds that N calls took, made by the SDK's own in-memory client."""
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
    # In a thread of its own, which a signal reaches at once whatever the loop waits for.
    signal.pthread_sigmask(signal.SIG_BLOCK, TURNS)
    threading.Thread(target=turning, daemon=True).start()
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
