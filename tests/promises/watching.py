"""mcp-otel at work in this process, with everything it says within reach."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import mcp_otel
from mcp_otel import instrumentor
from mcp_otel.recorder import Recorder
from mcp_otel.signals.totals import Totals


@dataclass
class Watched:
    """What was said so far."""

    totals: Totals
    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader
    log: list[logging.LogRecord] = field(default_factory=list)
    tracer_provider: TracerProvider | None = None
    meter_provider: MeterProvider | None = None

    @property
    def spans(self) -> list[ReadableSpan]:
        """Spans that ended, in that order."""
        return list(self.exporter.get_finished_spans())

    @property
    def servers(self) -> list[ReadableSpan]:
        """Our SERVER spans."""
        return [span for span in self.spans if span.kind.name == "SERVER" and span.instrumentation_scope is not None]

    @property
    def lines(self) -> list[str]:
        """What we logged."""
        return [record.getMessage() for record in self.log]

    @property
    def recorder(self) -> Recorder:
        """The recorder at work."""
        found = instrumentor.recorder()
        assert found is not None
        return found

    def collect(self) -> dict[str, dict[frozenset[tuple[str, Any]], Any]]:
        """Every metric, by name and label set."""
        data = self.reader.get_metrics_data()
        found: dict[str, dict[frozenset[tuple[str, Any]], Any]] = {}
        for resource in data.resource_metrics if data is not None else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    series = found.setdefault(metric.name, {})
                    for point in metric.data.data_points:
                        said = frozenset((point.attributes or {}).items())
                        series[said] = point.count if hasattr(point, "count") else point.value
        return found


class _Ear(logging.Handler):
    def __init__(self, log: list[logging.LogRecord]) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.append(record)


@contextmanager
def providers() -> Iterator[Watched]:
    """Real SDK providers with exporters in memory, and totals of our own; nothing is instrumented yet."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracer_provider = TracerProvider(shutdown_on_exit=False)
    tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
    meter_provider = MeterProvider([reader], shutdown_on_exit=False)
    watched = Watched(Totals(), exporter, reader, [], tracer_provider, meter_provider)
    ear, logger, totals = _Ear(watched.log), logging.getLogger("mcp_otel"), instrumentor._totals
    logger.addHandler(ear)
    propagate, logger.propagate = logger.propagate, False
    instrumentor._totals = watched.totals
    try:
        yield watched
    finally:
        mcp_otel.uninstrument()
        instrumentor._totals, logger.propagate = totals, propagate
        logger.removeHandler(ear)
        tracer_provider.shutdown()


@contextmanager
def watching(**given: Any) -> Iterator[Watched]:
    """As `providers`, instrumented with these settings; undone at the end."""
    with providers() as watched:
        start(watched, **given)
        yield watched


def start(watched: Watched, **given: Any) -> None:
    """Instrument with the providers of `watched`."""
    providers = {"tracer_provider": watched.tracer_provider, "meter_provider": watched.meter_provider}
    mcp_otel.instrument(**{**providers, "phase_spans": "all", **given})
