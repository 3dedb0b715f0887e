"""Which layers this process has: the SDK and its line, FastMCP, other instrumentations of MCP, OpenTelemetry."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

from mcp_otel import vendors
from mcp_otel.vendors import Vendor

OLDEST = (1, 24)
"""The oldest release of mcp that has users: see `dependencies` in pyproject.toml."""
SHOWN = ("mcp", "fastmcp", "opentelemetry-api", "opentelemetry-sdk")


@dataclass(frozen=True, slots=True)
class Layers:
    """Versions by distribution (None: not installed), and other instrumentations of MCP as plain data."""

    versions: dict[str, str | None]
    active: list[dict[str, Any]]
    installed: list[dict[str, Any]]


def read() -> Layers:
    """Look at this process; it imports nothing of what it looks for."""
    versions = {name: version(name) for name in SHOWN}
    versions["fastmcp"] = versions["fastmcp"] or version("fastmcp-slim")
    return Layers(versions, _plain(vendors.active()), _plain(vendors.installed()))


def version(distribution: str) -> str | None:
    """What is installed of `distribution`; None for nothing."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def numbers(text: str) -> tuple[int, ...]:
    """The leading numbers of a version: `2.3.0rc1` is (2, 3)."""
    found: list[int] = []
    for part in text.split("."):
        if not part.isdecimal():
            break
        found.append(int(part))
    return tuple(found)


def _plain(found: tuple[Vendor, ...]) -> list[dict[str, Any]]:
    return [asdict(vendor) for vendor in found]
