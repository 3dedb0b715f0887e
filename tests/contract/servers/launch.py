"""How a story server is started: `stdio`, or `http PORT [--stateless] [--json] [--sse]` on loopback.

Environment: `STORY_INSTRUMENT=1` adds the one line of mcp-otel; `STORY_HTTP_SPANS=1` makes the application bring its
own tracer provider and a SERVER span for each POST. Nothing is logged but by mcp-otel itself: the SDKs quote messages.
"""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any

SILENT = logging.CRITICAL + 1


def say(text: str) -> None:
    """One line for the test that watches stderr."""
    sys.stderr.write(f"story: {text}\n")
    sys.stderr.flush()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("door", choices=("stdio", "http"))
    parser.add_argument("port", nargs="?", type=int, default=0, help="0: any; it is said on stderr")
    parser.add_argument("--stateless", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--sse", action="store_true", help="the old transport, with a GET for all answers")
    return parser.parse_args()


def prepare() -> argparse.Namespace:
    """Before the server is made: the command line, silence, and the instrumentation if it is asked for."""
    given = arguments()
    logging.getLogger().setLevel(SILENT)
    ours = logging.getLogger("mcp_otel")
    ours.addHandler(logging.StreamHandler())
    ours.setLevel(logging.DEBUG)
    ours.propagate = False
    if os.environ.get("STORY_HTTP_SPANS"):
        bring_provider()
    if os.environ.get("STORY_INSTRUMENT"):
        import mcp_otel

        mcp_otel.instrument()
    return given


def hush() -> None:
    """After the server is made: frameworks set the level of the root logger."""
    logging.getLogger().setLevel(SILENT)


def bring_provider() -> None:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def with_http_spans(app: Any) -> Any:
    """`app` with the SERVER span that an ASGI instrumentation would give each request."""
    from opentelemetry import trace

    tracer = trace.get_tracer("story.http")

    async def spanned(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        port = {"client.port": scope["client"][1]}
        with tracer.start_as_current_span(scope["method"], kind=trace.SpanKind.SERVER, attributes=port):
            await app(scope, receive, send)

    return spanned


def serve(given: argparse.Namespace, stdio: Callable[[], Awaitable[None]], app: Callable[[], Any]) -> None:
    """Run until the client leaves (stdio) or SIGTERM comes (HTTP)."""
    hush()
    if given.door == "stdio":
        import anyio

        anyio.run(stdio)
        return
    import uvicorn

    listener = socket.socket()
    listener.bind(("127.0.0.1", given.port))
    listener.listen()
    served = with_http_spans(app()) if os.environ.get("STORY_HTTP_SPANS") else app()
    config = uvicorn.Config(served, log_config=None, access_log=False, timeout_graceful_shutdown=2)
    say(f"listening {listener.getsockname()[1]}")
    uvicorn.Server(config).run(sockets=[listener])
