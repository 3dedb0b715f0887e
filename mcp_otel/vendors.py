"""Whose instrumentation of MCP is beside us: what is installed, and what opens a span for each message here and now.

Nothing is imported: who has patched the SDK has been imported, and is found where its wrapper sits.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata

NAMES = {
    "logfire": "Logfire",
    "sentry-sdk": "Sentry",
    "ddtrace": "Datadog",
    "openlit": "OpenLIT",
    "opentelemetry-instrumentation-mcp": "Traceloop",
    "aws-opentelemetry-distro": "AWS",
    "openinference-instrumentation-mcp": "OpenInference",
}
"""Distribution, and what its makers call themselves."""


@dataclass(frozen=True, slots=True)
class Vendor:
    """An instrumentation of MCP that is not ours; `how` says by what it was found."""

    name: str
    distribution: str
    version: str | None
    how: str


def active() -> tuple[Vendor, ...]:
    """Those that open a span for each MCP message in this process now."""
    return ()


def installed() -> tuple[Vendor, ...]:
    """Those that are installed, by the metadata of their distributions; most are active only when asked."""
    found = ((name, distribution, _version(distribution)) for distribution, name in NAMES.items())
    return tuple(Vendor(name, distribution, version, "installed") for name, distribution, version in found if version)


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
