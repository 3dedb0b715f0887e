"""Whose instrumentation of MCP is beside us: what is installed, and what opens a span for each message here and now.

Nothing is imported: who has patched the SDK has been imported, and is found by the wrapper that sits there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Any

KNOWN = {
    "logfire": ("Logfire", "logfire"),
    "sentry_sdk": ("Sentry", "sentry-sdk"),
    "ddtrace": ("Datadog", "ddtrace"),
    "openlit": ("OpenLIT", "openlit"),
    "opentelemetry.instrumentation.mcp": ("Traceloop", "opentelemetry-instrumentation-mcp"),
    "amazon.opentelemetry.distro": ("AWS", "aws-opentelemetry-distro"),
    "openinference.instrumentation.mcp": ("OpenInference", "openinference-instrumentation-mcp"),
}
"""Package whose wrappers they are: what its makers call themselves, and its distribution."""

SILENT = ("openinference.instrumentation.mcp",)
"""Packages that only carry the context from one side to the other."""

PLACES = (
    # 1.x
    "mcp.server.lowlevel.server:Server._handle_request",
    "mcp.server.lowlevel.server:Server.call_tool",
    "mcp.server.session:ServerSession._received_request",
    "mcp.shared.session:RequestResponder.__enter__",
    # Requests of a client, but who wraps the streams of servers as well can be told from the harmless only here.
    "mcp.shared.session:BaseSession.send_request",
    "mcp.server.fastmcp.server:FastMCP.call_tool",
    "mcp.server.fastmcp.tools.tool_manager:ToolManager.call_tool",
    # 2.x
    "mcp.server.lowlevel.server:Server.__init__",
    "mcp.server.runner:ServerRunner._on_request",
    "mcp.server.mcpserver.server:MCPServer.call_tool",
    "mcp.server.mcpserver.tools.tool_manager:ToolManager.call_tool",
)
"""Functions of the SDK that are wrapped by those who open a span for each message; on 2.x also to add a middleware."""

LINKS = 20
"""Wrappers on top of each other that are looked at, at most."""


@dataclass(frozen=True, slots=True)
class Vendor:
    """An instrumentation of MCP that is not ours; `how` says by what it was found."""

    name: str
    distribution: str
    version: str | None
    how: str


def active() -> tuple[Vendor, ...]:
    """Those that open a span for each MCP message in this process now.

    Beside the known ones that is every wrapper from a package with a part `instrumentation`, as OpenTelemetry names
    them; the name and the distribution are then the package.
    """
    found: dict[str, Vendor] = {}
    for place in PLACES:
        for module in _wrappers(_function(place)):
            package, name, distribution = _whose(module)
            if package and distribution not in found and TRACES.get(package, _always)():
                found[distribution] = Vendor(name, distribution, _version(distribution), f"{module} wraps {place}")
    return tuple(found.values())


def installed() -> tuple[Vendor, ...]:
    """Those that are installed, by the metadata of their distributions; most are active only when asked."""
    found = ((name, distribution, _version(distribution)) for name, distribution in KNOWN.values())
    return tuple(Vendor(name, distribution, version, "installed") for name, distribution, version in found if version)


def _function(place: str) -> Any:
    """The function there, as its owner itself holds it; None where this process has none."""
    module, _, path = place.partition(":")
    found: Any = sys.modules.get(module)
    for name in path.split("."):
        found = getattr(found, "__dict__", {}).get(name)
    return found


def _wrappers(function: Any) -> Iterator[str]:
    """The modules in which `function` and what it wraps were written, outermost first."""
    for _ in range(LINKS):
        if function is None:
            return
        # wrapt's wrappers look like what they wrap, but for this.
        wrapper = getattr(function, "_self_wrapper", None)
        yield _home(function if wrapper is None else wrapper)
        function = getattr(function, "__wrapped__", None)


def _home(wrapper: Any) -> str:
    """Where the code of `wrapper` was written: `functools.wraps` makes its `__module__` another's."""
    for name in ("__func__", "func"):
        wrapper = getattr(wrapper, name, wrapper)
    module = getattr(wrapper, "__globals__", {}).get("__name__")
    return module if isinstance(module, str) else type(wrapper).__module__


def _whose(module: str) -> tuple[str, str, str]:
    """Package, name and distribution of the vendor that `module` belongs to; empty if it is none that opens spans."""
    for package, (name, distribution) in KNOWN.items():
        if module == package or module.startswith(package + "."):
            return ("", "", "") if package in SILENT else (package, name, distribution)
    parts = module.split(".")
    if "instrumentation" not in parts or parts[0] == "mcp_otel":
        return "", "", ""
    package = ".".join(parts[: parts.index("instrumentation") + 2])
    return package, package, package


def _always() -> bool:
    return True


def _sentry() -> bool:
    """Whether Sentry makes spans at all: most use it for errors only, and its wrappers are there all the same."""
    client = sys.modules["sentry_sdk"].get_client()
    return bool(client.is_active() and sys.modules["sentry_sdk.tracing_utils"].has_tracing_enabled(client.options))


def _datadog() -> bool:
    return bool(sys.modules["ddtrace"].tracer.enabled)


TRACES: dict[str, Callable[[], bool]] = {"sentry_sdk": _sentry, "ddtrace": _datadog}
"""Packages whose wrappers stay when tracing is off: whether it is on."""


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
