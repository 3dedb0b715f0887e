"""The door for OpenTelemetry's own launcher: `opentelemetry-instrument python server.py`.

It follows the conventions of BaseInstrumentor and uses whatever providers the launcher's configurator made.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from mcp_otel import instrumentor


class MCPServerInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Instruments MCP servers of this process; `tracer_provider` and `meter_provider` win over the global ones."""

    def instrumentation_dependencies(self) -> Collection[str]:
        """The range of mcp we know: 1.24 is the oldest line with users, the next major line is unknown."""
        return ("mcp >= 1.24, < 3",)

    def _instrument(self, **kwargs: Any) -> None:
        instrumentor.instrument(
            tracer_provider=kwargs.get("tracer_provider"), meter_provider=kwargs.get("meter_provider")
        )

    def _uninstrument(self, **_: Any) -> None:
        instrumentor.uninstrument()
