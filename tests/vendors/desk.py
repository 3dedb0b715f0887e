"""The support desk on stdio beside a vendor: `python -m tests.vendors.desk VENDOR ORDER OUT`.

ORDER is `bare`, `before` (the vendor, then mcp-otel), `after`, or `late` (by the first call of a tool). Every span of
the process is a line of JSON in the file OUT.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module, util
from pathlib import Path
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from tests.vendors.switches import SWITCHES


class Lines(SpanExporter):
    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.path.touch()

    def note(self, name: str, scope: str = "", kind: str = "") -> None:
        with self.path.open("a") as out:
            out.write(json.dumps({"name": name, "scope": scope, "kind": kind}) + "\n")

    def export(self, spans: Any) -> Any:
        for span in spans:
            self.note(span.name, span.instrumentation_scope.name, span.kind.name)
        return SpanExportResult.SUCCESS


def main() -> None:
    vendor, order, out = sys.argv[1:]
    lines = Lines(out)
    provider: Any = TracerProvider(shutdown_on_exit=False)
    provider.processor = SimpleSpanProcessor(lines)
    if vendor != "logfire":  # which brings its own
        provider.add_span_processor(provider.processor)
        trace.set_tracer_provider(provider)

    def instrument() -> None:
        import mcp_otel

        mcp_otel.instrument()

    def switch() -> None:
        try:
            SWITCHES[vendor](provider, lines.note)
        except Exception as error:
            sys.stderr.write(f"{vendor} fails: {type(error).__name__}: {error}\n")

    if order == "after":
        instrument()
    if order != "late":
        switch()
    if order in ("before", "late"):
        instrument()
    two = util.find_spec("mcp.server.mcpserver") is not None
    line, name = ("mcp.server.mcpserver", "MCPServer") if two else ("mcp.server.fastmcp", "FastMCP")
    server = getattr(import_module(line), name)("support-desk", log_level="CRITICAL")

    @server.tool(structured_output=False)
    async def echo(text: str) -> str:
        return text

    @server.tool(structured_output=False)
    async def fail(text: str) -> str:
        raise ValueError(text)

    @server.prompt()
    def greet(name: str) -> str:
        return f"Hello {name}"

    @server.resource("desk://hours")
    def hours() -> str:
        return "nine to five"

    if order == "late":
        switch()
    server.run("stdio")


if __name__ == "__main__":
    main()
