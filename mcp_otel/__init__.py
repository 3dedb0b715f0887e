"""OpenTelemetry instrumentation for live MCP servers: `import mcp_otel; mcp_otel.instrument()`.

What is named here is imported at its first use: `mcp-otel run` needs none of it, and must start whatever is broken.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mcp_otel.version import __version__

if TYPE_CHECKING:
    from mcp_otel.errors import McpOtelError, SettingsError
    from mcp_otel.instrumentor import instrument, track_context, uninstrument
    from mcp_otel.settings import Settings
    from mcp_otel.signals.redaction import redact

__all__ = [
    "McpOtelError",
    "Settings",
    "SettingsError",
    "__version__",
    "instrument",
    "redact",
    "track_context",
    "uninstrument",
]

_ROOMS = {
    "McpOtelError": "mcp_otel.errors",
    "Settings": "mcp_otel.settings",
    "SettingsError": "mcp_otel.errors",
    "instrument": "mcp_otel.instrumentor",
    "redact": "mcp_otel.signals.redaction",
    "track_context": "mcp_otel.instrumentor",
    "uninstrument": "mcp_otel.instrumentor",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ROOMS[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
