"""A server beside a vendor: `python -m tests.vendors.desk VENDOR ORDER OUT`. It serves stdio, then in this
process a client in memory and one over HTTP.

ORDER is `bare` (without mcp-otel), `before` (the vendor, then mcp-otel), `after`, or `midway`, where the tool `switch`
switches the vendor on. What the process says is JSON in the file OUT: `spans`, how often each message in `counts`, what
was `heard` over HTTP, and what beyond this machine was `reached`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import anyio
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from tests.vendors.story import ECHO, HELLO
from tests.vendors.switches import OWN_PROVIDERS, SWITCHES, Ears

DURATIONS = ("mcp.server.operation.duration", "mcp.client.operation.duration")
TWO = version("mcp").startswith("2.")
"""Found without importing mcp: some vendors must come first."""


class Spans(SpanExporter):
    """Every span as scope, kind, name, status and the names of its attributes, in the order of their ends."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, str, str, list[str]]] = []

    def export(self, spans: Any) -> Any:
        self.heard += [
            (
                span.instrumentation_scope.name,
                span.kind.name,
                span.name,
                span.status.status_code.name,
                sorted(span.attributes),
            )
            for span in spans
        ]
        return SpanExportResult.SUCCESS


def watch_network() -> list[str]:
    """What is reached, or looked up to be reached, that is not on loopback; filled as it happens."""
    reached: list[str] = []

    def audit(event: str, args: Any) -> None:
        if event == "socket.connect" and isinstance(args[1], tuple):
            host = args[1][0]
        elif event == "socket.getaddrinfo":
            host = args[0]
        else:
            return
        if str(host) not in ("127.0.0.1", "::1", "localhost"):
            reached.append(str(host))

    sys.addaudithook(audit)
    return reached


def main() -> None:
    vendor, order, out = sys.argv[1:]
    reached = watch_network()
    log = logging.getLogger("mcp_otel")
    log.addHandler(logging.StreamHandler())  # the SDK's server sets the level of the root logger
    log.setLevel(logging.WARNING)
    log.propagate = False
    spans, reader = Spans(), InMemoryMetricReader()
    ears = Ears(SimpleSpanProcessor(spans), reader, lambda name: spans.heard.append(("elsewhere", "", name, "", [])))
    if vendor not in OWN_PROVIDERS:
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(ears.processor)
        trace.set_tracer_provider(provider)
        metrics.set_meter_provider(MeterProvider([reader], shutdown_on_exit=False))
    if order in ("after", "midway"):
        instrument()
    if order != "midway":
        switch(vendor, ears)
    if order == "before":
        instrument()
    server = made(lambda: switch(vendor, ears))
    server.run("stdio")
    asyncio.run(visit(server))
    heard = asyncio.run(browse(server))
    said = {"spans": spans.heard, "counts": counts(reader), "heard": heard, "reached": reached}
    Path(out).write_text(json.dumps(said))


def instrument() -> None:
    import mcp_otel

    mcp_otel.instrument()


def switch(vendor: str, ears: Ears) -> None:
    """Switch `vendor` on; what it cannot do by itself is a line on stderr."""
    try:
        SWITCHES[vendor](ears)
    except Exception as error:
        sys.stderr.write(f"{vendor} fails with {type(error).__name__}\n")


def made(midway: Any) -> Any:
    line, name = ("mcp.server.mcpserver", "MCPServer") if TWO else ("mcp.server.fastmcp", "FastMCP")
    server = getattr(import_module(line), name)("desk", log_level="CRITICAL")

    @server.tool(structured_output=False)
    async def echo(text: str) -> str:
        return text

    @server.tool(structured_output=False)
    async def fail(text: str) -> str:
        raise ValueError(text)

    @server.tool(name="switch", structured_output=False)
    async def switch_on() -> str:
        from mcp_otel import instrumentor

        midway()
        recorder = instrumentor.recorder()
        assert recorder is not None
        recorder.governor.due = 0  # its next look is due now, not in five seconds
        return "on"

    @server.prompt()
    def greet(name: str) -> str:
        return f"Hello {name}"

    @server.resource("desk://hours")
    def hours() -> str:
        return "nine to five"

    return server


async def browse(server: Any) -> list[str]:
    """A client over HTTP that knows nothing of an SDK; its answers."""
    from tests.promises.hosts import webbed  # imports mcp: some vendors must come first

    echo = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": ECHO[1]}
    async with webbed(server) as web:
        await web.send({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": HELLO})
        await web.send(echo)
        await web.send(b"", "DELETE")
    heard = web.heard
    if TWO:
        async with webbed(server, modern=True) as web:
            await web.send(echo)
        heard += web.heard
    return [answer.decode() for answer in heard]


async def visit(server: Any) -> None:
    """A client in the same process."""
    if TWO:
        from mcp import Client

        async with Client(server) as client:
            await client.call_tool("echo", {"text": "hello"})
    else:
        from mcp import ClientSession
        from mcp.shared.memory import create_client_server_memory_streams

        served = server._mcp_server
        async with create_client_server_memory_streams() as (there, here), anyio.create_task_group() as tasks:
            tasks.start_soon(served.run, *here, served.create_initialization_options())
            async with ClientSession(*there) as client:
                await client.initialize()
                await client.call_tool("echo", {"text": "hello"})
            tasks.cancel_scope.cancel()


def counts(reader: InMemoryMetricReader) -> dict[str, int]:
    """Messages in our histograms, by side, method and target."""
    found: dict[str, int] = {}
    data: Any = reader.get_metrics_data()
    for group in data.resource_metrics if data is not None else ():
        for scoped in group.scope_metrics:
            for metric in scoped.metrics:
                if metric.name in DURATIONS:
                    for point in metric.data.data_points:
                        said = point.attributes
                        target = said.get("gen_ai.tool.name") or said.get("gen_ai.prompt.name") or ""
                        key = f"{metric.name.split('.')[1]} {said['mcp.method.name']} {target}".rstrip()
                        found[key] = found.get(key, 0) + point.count
    return found


if __name__ == "__main__":
    main()
