"""OpenTelemetry instrumentation for live MCP servers: `import mcp_otel; mcp_otel.instrument()`."""

from mcp_otel.errors import McpOtelError, SettingsError
from mcp_otel.instrumentor import instrument, uninstrument
from mcp_otel.settings import Settings
from mcp_otel.version import __version__

__all__ = ["McpOtelError", "Settings", "SettingsError", "__version__", "instrument", "uninstrument"]
