"""Instruments of streams that clients keep open to listen: apart from all that is said of messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from opentelemetry.metrics import Meter

from mcp_otel.signals import names
from mcp_otel.signals.names import Metric

Points = Iterable[tuple[float, dict[str, Any]]]


def _levels(source: Any) -> Points:
    return [(count, {names.STREAM.name: kind}) for kind, (count, _) in source.live.streams.levels().items()]


def _ages(source: Any) -> Points:
    return [(oldest, {names.STREAM.name: kind}) for kind, (_, oldest) in source.live.streams.levels().items()]


def _ended(source: Any) -> Points:
    return [
        (count, {names.STREAM.name: kind, names.REASON.name: reason})
        for (kind, reason), count in list(source.live.streams.ended.items())
    ]


READINGS: dict[Metric, Callable[[Any], Points]] = {
    names.STREAMS: _levels,
    names.STREAM_AGE: _ages,
    names.STREAMS_ENDED: _ended,
}


class StreamInstruments:
    """What is read of open streams, by `observe`, and the histogram of those that have ended."""

    def __init__(self, meter: Meter, observe: Callable[[Metric, Callable[[Any], Points]], None]) -> None:
        metric = names.STREAM_DURATION
        self._duration = meter.create_histogram(
            metric.name, metric.unit, metric.meaning, explicit_bucket_boundaries_advisory=names.STREAM_BUCKETS
        )
        for each, read in READINGS.items():
            observe(each, read)

    def record(self, kind: str, seconds: float) -> None:
        """One stream of `kind` has ended."""
        self._duration.record(seconds, {names.STREAM.name: kind})
