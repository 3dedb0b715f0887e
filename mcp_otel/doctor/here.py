"""Examines this Python: what is installed, whether hooks take, what the environment says, where telemetry goes."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from mcp_otel.doctor import delivery, environment, hooks, layers
from mcp_otel.doctor.patience import Patience
from mcp_otel.doctor.report import Report
from mcp_otel.version import __version__


def examine(report: Report, environ: Mapping[str, str], patience: Patience) -> None:
    """All that can be known without a server."""
    report.topic = "layers"
    python = sys.version.split()[0]
    report.ok("mcp-otel", f"mcp-otel {__version__} on Python {python} ({sys.executable})")
    found = layers.read()
    hooks.releases(report, found.versions)
    opentelemetry = found.versions["opentelemetry-sdk"]
    report.ok(
        "opentelemetry", f"opentelemetry-sdk {opentelemetry}, opentelemetry-api {found.versions['opentelemetry-api']}"
    )
    for vendor in found.active:
        report.note("vendor", f"{vendor['name']} {vendor['version']} instruments MCP here, too: {vendor['how']}")
    for vendor in found.installed if not found.active else ():
        report.note("vendor", f"{vendor['name']} ({vendor['distribution']} {vendor['version']}) is installed, too")
    environment.check(report, environ)
    hooks.check(report)
    delivery.check(report, environ, patience.seconds)
