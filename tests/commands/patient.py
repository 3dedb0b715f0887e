"""A small server of either SDK line on stdin and stdout, with sicknesses for the doctor to find."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

SICKNESSES = sys.argv[1].split("+") if len(sys.argv) > 1 else []


def dies() -> None:
    print("ValueError: no API_KEY", file=sys.stderr)
    sys.exit(3)


def hangs() -> None:
    print("logging in ...", file=sys.stderr)
    time.sleep(600)


def web() -> None:
    print("INFO:     Uvicorn running on http://127.0.0.1:8000 (Press CTRL+C to quit)", file=sys.stderr)
    time.sleep(600)


def prints() -> None:
    print("Hello, world!", flush=True)


def breeds() -> None:
    """Start a child that would outlive a server that is merely killed."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdin=subprocess.DEVNULL)
    with open(os.environ["PATIENT_PIDS"], "a") as file:
        file.write(f"{os.getpid()} {child.pid}\n")


def owns() -> None:
    """Bring a tracer provider and a meter provider that send nothing anywhere."""
    from opentelemetry import metrics, trace
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider

    trace.set_tracer_provider(TracerProvider())
    metrics.set_meter_provider(MeterProvider())


def random_words() -> str | None:
    return os.urandom(8).hex() if "differs" in SICKNESSES else None


def doubled(handle: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """`handle` inside a SERVER span, as somebody's middleware may do it."""

    async def spanned(*words: Any) -> Any:
        from opentelemetry import trace

        with trace.get_tracer("rival").start_as_current_span("ping", kind=trace.SpanKind.SERVER):
            return await handle(*words)

    return spanned


def serve() -> None:
    try:
        from mcp.server.mcpserver import MCPServer
    except ImportError:
        serve_v1()
        return
    server: Any = MCPServer("patient", version="1.0", instructions=random_words())
    server.tool()(forbidden)
    if "doubles" in SICKNESSES:
        from mcp_types import EmptyResult, RequestParams

        async def ping(*_: Any) -> EmptyResult:
            return EmptyResult()

        server._lowlevel_server.add_request_handler("ping", RequestParams, doubled(ping))
    server.run()


def serve_v1() -> None:
    from mcp.server.fastmcp import FastMCP
    from mcp.types import PingRequest

    server = FastMCP("patient", instructions=random_words())
    server._mcp_server.version = "1.0"
    server.tool()(forbidden)
    handlers = server._mcp_server.request_handlers
    if "doubles" in SICKNESSES:
        handlers[PingRequest] = doubled(handlers[PingRequest])
    server.run()


def forbidden() -> str:
    """A tool; nobody may ever call it."""
    with open(os.environ["PATIENT_PIDS"], "a") as file:
        file.write("called\n")
    return ""


BEFORE: dict[str, Callable[[], object]] = {
    "dies": dies,
    "hangs": hangs,
    "web": web,
    "prints": prints,
    "breeds": breeds,
    "owns": owns,
}

if __name__ == "__main__":
    for sickness in SICKNESSES:
        BEFORE.get(sickness, lambda: None)()
    serve()
    if "stays" in SICKNESSES:
        time.sleep(600)
    if "fails at the end" in SICKNESSES:
        sys.exit(4)
