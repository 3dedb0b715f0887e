"""How our names are spelled in Prometheus, by the rules of OpenTelemetry's compatibility specification."""

from __future__ import annotations

import re

from mcp_otel.signals.names import Attribute, Metric

UNITS = {"s": "seconds", "By": "bytes", "1": "ratio"}


def label(attribute: Attribute) -> str:
    """Spell `attribute` as a label: `mcp.method.name` is `mcp_method_name`."""
    return _plain(attribute.name)


def series(metric: Metric) -> str:
    """Spell `metric`: `mcp_otel.phase.time` is `mcp_otel_phase_time_seconds_total`.

    A histogram has this name with `_bucket`, `_count` and `_sum` behind it.
    """
    unit = UNITS.get(metric.unit, "")
    name = _plain(metric.name)
    if unit and not name.endswith(f"_{unit}"):
        name += f"_{unit}"
    return f"{name}_total" if metric.kind == "sum" else name


def names(metric: Metric) -> tuple[str, ...]:
    """Every series name that `metric` has in Prometheus."""
    name = series(metric)
    return (f"{name}_bucket", f"{name}_count", f"{name}_sum") if metric.kind == "histogram" else (name,)


def _plain(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_:]", "_", name)
