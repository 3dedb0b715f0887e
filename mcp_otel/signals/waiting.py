"""Durations that wait until somebody collects: recording at once costs the host's thread three times as much."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from opentelemetry.trace import Span, SpanContext


class Waiting:
    """Durations of one label set that wait for a reader, and the sampled span of the slowest of them."""

    __slots__ = ("durations", "histogram", "said", "slowest", "span")

    def __init__(self, histogram: Any, said: Mapping[str, Any]) -> None:
        self.histogram = histogram
        self.said = said
        self.durations: deque[float] = deque()
        self.slowest = 0.0
        self.span: SpanContext | None = None

    def note(self, duration: float, span: Span) -> None:
        """The message that took so long has this span: the slowest becomes the exemplar."""
        if duration > self.slowest:
            context = span.get_span_context()
            if context.trace_flags.sampled:
                self.slowest, self.span = duration, context
