"""The errors a caller of mcp_otel may see; a host server never sees one."""

from __future__ import annotations


class McpOtelError(Exception):
    """Base of every error this package raises on purpose."""


class SettingsError(McpOtelError, ValueError):
    """A setting has a value it cannot have; the message names it, the value and what would do."""


class MisfitError(McpOtelError):
    """A library does not look as its seam expects, so the seam was not installed."""
