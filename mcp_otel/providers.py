"""Finds the exporters that are wanted by name, and makes OpenTelemetry's providers around them.

Whatever cannot be found or made is one line in the log; the others go on.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any
from uuid import uuid4

from opentelemetry import metrics, trace
from opentelemetry.metrics import _internal as metrics_api
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    ConsoleMetricExporter,
    MetricExporter,
    MetricReader,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter

from mcp_otel.exporters import Account, Batches, CountedMetrics, CountedSpans, count_collections
from mcp_otel.notice import warn

UNNAMED = "unknown_service"


@functools.cache
def find(signal: str, name: str) -> Callable[..., Any] | None:
    """Import what makes the exporter `name` of `signal` (traces, metrics); None, said once, when there is none."""
    variable, group = f"OTEL_{signal.upper()}_EXPORTER", f"opentelemetry_{signal}_exporter"
    try:
        if name == "console":  # the stock one writes to stdout, where a stdio server speaks its protocol
            return _console_spans if signal == "traces" else _console_metrics
        if name == "prometheus" and signal == "metrics":
            import_module("opentelemetry.exporter.prometheus")
            return _prometheus
        found = entry_points(group=group, name=name)
        if not found:
            known = ", ".join(sorted(entry_points(group=group).names))
            warn("%s: there is no exporter %r; installed are %s", variable, name, known)
            return None
        if name == "otlp_proto_http":
            import_module("requests")  # its first exporter would import it, on the server's loop
        maker: Callable[..., Any] = next(iter(found)).load()
        return maker
    except Exception as error:
        remedy = 'pip install "mcp-otel[prometheus]"' if name == "prometheus" else "is its package whole?"
        warn("%s: the exporter %r cannot be imported (%s); %s", variable, name, error, remedy)
        return None


def make(signal: str, names: tuple[str, ...], **given: tuple[object, ...]) -> list[Any]:
    """Make the exporters or readers of `signal` that can be had; `given` are their arguments by name."""
    made: list[Any] = []
    for name in names:
        maker = find(signal, name)
        if maker is None:
            continue
        try:
            made.append(maker(*given.get(name, ())))
        except Exception as error:
            warn("the %s exporter %r cannot start: %s: %s", signal, name, type(error).__name__, error)
    return made


def resource(server_name: str | None, parent: object = None) -> Resource:
    """Make the resource: the server names the service, and chance the instance, where nobody else does.

    A forked child is another instance than its `parent`, whatever the environment that they share says.
    """
    given = Resource.create()
    said: dict[str, str] = {}
    if server_name and str(given.attributes.get(SERVICE_NAME, UNNAMED)).startswith(UNNAMED):
        said[SERVICE_NAME] = server_name
    if given.attributes.get(SERVICE_INSTANCE_ID) in (None, parent):
        said[SERVICE_INSTANCE_ID] = str(uuid4())
    return given.merge(Resource(said))


def instance(of: Resource) -> object:
    """Which process it is the resource of."""
    return of.attributes.get(SERVICE_INSTANCE_ID)


def for_traces(made: list[Any], of: Resource, account: Account, room: int) -> tuple[TracerProvider, list[Batches]]:
    """Make a provider for the span exporters `made`, global if there is none yet; with its processors."""
    provider = TracerProvider(resource=of, shutdown_on_exit=False)
    processors = [Batches(CountedSpans(exporter, account), account, room) for exporter in made]
    for processor in processors:
        provider.add_span_processor(processor)
    if trace._TRACER_PROVIDER is None:
        trace.set_tracer_provider(provider)
    return provider, processors


def for_metrics(made: list[Any], of: Resource, account: Account) -> tuple[MeterProvider, list[MetricReader]]:
    """Make a provider for the metric exporters or readers `made`, global if there is none yet; with its readers."""
    readers: list[MetricReader] = [
        PeriodicExportingMetricReader(CountedMetrics(item, account)) if isinstance(item, MetricExporter) else item
        for item in made
    ]
    provider = MeterProvider(readers, of, shutdown_on_exit=False)
    for reader in readers:
        count_collections(reader, account)
    if metrics_api._METER_PROVIDER is None:
        metrics.set_meter_provider(provider)
    return provider, readers


def replace_traces(old: object, new: TracerProvider, processors: list[Batches]) -> None:
    """Let `new` be the global provider where `old`, a parent's, was; what was made of that one speaks by `new`, too."""
    if trace._TRACER_PROVIDER is not old or not isinstance(old, TracerProvider):
        return
    trace._TRACER_PROVIDER = new
    for processor in processors:
        old.add_span_processor(processor)


def replace_metrics(old: object, new: MeterProvider) -> None:
    """Let `new` be the global provider where `old`, a parent's, was; instruments of that one are not heard."""
    if metrics_api._METER_PROVIDER is old:
        metrics_api._METER_PROVIDER = new


def _console_spans() -> ConsoleSpanExporter:
    return ConsoleSpanExporter(out=sys.stderr)


def _console_metrics() -> ConsoleMetricExporter:
    return ConsoleMetricExporter(out=sys.stderr)


def _prometheus(host: str, port: int) -> MetricReader:
    # Not the entry point's own class: it keeps no hold of its server, and leaves its collector behind if the port is
    # taken.
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from prometheus_client import start_http_server

    class Served(PrometheusMetricReader):
        def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
            super().shutdown(timeout_millis, **kwargs)
            if served is not None:  # prometheus_client 0.19 and earlier give none
                served[0].shutdown()
                served[0].server_close()

    served: Any = start_http_server(port, host)
    return Served()
