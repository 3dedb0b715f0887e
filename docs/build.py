"""Write the pages that are made from tables: `python docs/build.py` (a test fails when one is stale)."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path

from mcp_otel.settings import PREFIX, Settings
from mcp_otel.signals import names

HERE = Path(__file__).parent


def settings_page() -> str:
    """docs/settings.md."""
    rows = [
        f"| `{item.name}` | `{PREFIX}{item.name.upper()}` | `{item.default}` | {item.metadata['about']} |"
        for item in fields(Settings)
    ]
    return "\n".join(
        [
            "# Settings",
            "",
            "Given to `mcp_otel.instrument(...)`, or by the environment. What the code gives wins; a bad variable is "
            "reported once and its default is used, a bad argument raises `SettingsError`. OpenTelemetry's own "
            "`OTEL_*` variables (endpoint, protocol, headers, exporters, sampler, resource, name) are obeyed as they "
            "are.",
            "",
            "| setting | variable | default | meaning |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def signals_page() -> str:
    """docs/signals.md."""
    lines = [
        "# Signals",
        "",
        f"Everything mcp-otel says. Standard names follow the OpenTelemetry conventions for MCP, {names.CONVENTIONS}.",
        "In Prometheus a dot becomes `_`, and units and `_total` are added.",
        "",
        "## Spans",
        "",
        "| span | kind | when |",
        "| --- | --- | --- |",
        "| `{mcp.method.name} {tool or prompt}` | SERVER | one per request or notification on the wire |",
    ]
    lines += [
        f"| `{name}` | INTERNAL | one stretch of that phase, where phase spans are kept |"
        for name in names.PHASE_SPANS.values()
    ]
    lines.append(f"| event `{names.BLOCKED_EVENT}` | | on the span of a call that blocked its event loop |")
    lines += [
        "",
        "## Metrics",
        "",
        "| name | kind | unit | attributes | series at most | meaning |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for metric in names.METRICS:
        product = 1
        for label in metric.labels:
            product *= label.bound or 1
        labels = ", ".join(f"`{label.name}`" for label in metric.labels)
        lines.append(
            f"| `{metric.name}` | {metric.kind} | {metric.unit} | {labels} | {metric.bound or product} | "
            f"{metric.meaning} |"
        )
    lines += ["", "## Attributes", "", "| name | on metrics | meaning |", "| --- | --- | --- |"]
    for attribute in names.ATTRIBUTES:
        lines.append(
            f"| `{attribute.name}` | {'no' if attribute.bound is None else f'up to {attribute.bound} values'} | "
            f"{attribute.meaning} |"
        )
    return "\n".join([*lines, ""])


PAGES = {"settings.md": settings_page, "signals.md": signals_page}


def main() -> int:
    """Write every page; with `--check` only say which are stale."""
    stale = [name for name, page in PAGES.items() if not (HERE / name).exists() or (HERE / name).read_text() != page()]
    if "--check" in sys.argv:
        print("\n".join(stale))
        return bool(stale)
    for name in stale:
        (HERE / name).write_text(PAGES[name]())
    return 0


if __name__ == "__main__":
    sys.exit(main())
