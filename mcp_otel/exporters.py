"""The exporters we make, wrapped: what they cost and lose is counted, what they say is said once, nothing escapes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import local
from time import thread_time
from typing import Any

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricReader, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from mcp_otel.notice import warn
from mcp_otel.signals.totals import Totals

SPEAKERS = ("opentelemetry", "grpc", "requests", "urllib3")
MAX_KINDS = 20


class Account(logging.Filter):
    """What the exporters of one delivery cost, lose and say. Once it is not `open`, they take nothing more.

    As a filter it sees only what a thread says while it exports for us: each kind of line (signal, level and text
    before its arguments) passes once and without a traceback, 20 kinds at most.
    """

    def __init__(self, totals: Totals) -> None:
        super().__init__()
        self.open = True
        self.inherited = False
        """This is a forked child: connections and threads of these exporters are its parent's."""
        self.silent = False
        self._totals = totals
        self._here = local()
        self._said: set[object] = set()
        self._speakers: list[logging.Logger] = []

    def listen(self) -> None:
        """Filter the loggers that exist now."""
        for name, logger in list(logging.root.manager.loggerDict.items()):
            # A filter works on its own logger only, not on those below it.
            if isinstance(logger, logging.Logger) and name.partition(".")[0] in SPEAKERS and self not in logger.filters:
                logger.addFilter(self)
                self._speakers.append(logger)

    def unlisten(self) -> None:
        """Filter nothing any more."""
        for logger in self._speakers:
            logger.removeFilter(self)
        self._speakers.clear()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether `record` may be said."""
        signal = getattr(self._here, "signal", None)
        if signal is None:
            return True
        record.exc_info = record.exc_text = None
        return self._first(signal, record.levelno, str(record.msg))

    def _first(self, *kind: object) -> bool:
        if self.silent or kind in self._said or len(self._said) >= MAX_KINDS:
            return False
        self._said.add(kind)
        return True

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Count the CPU time of this thread, meanwhile, as the cost of exporting."""
        since = thread_time()
        try:
            yield
        finally:
            spent = thread_time() - since
            self._totals.cost["export"] += spent  # no call between reading and writing: threads share it

    def lose(self, signal: str, count: int) -> None:
        """`count` items of `signal` (spans, metrics) will not be delivered."""
        self._totals.dropped[signal] += count

    def export(self, signal: str, count: int, send: Callable[[], object]) -> bool:
        """Whether `send` delivered `count` items: it answers with a result whose name is SUCCESS."""
        self._here.signal = signal
        try:
            with self.spending():
                delivered = getattr(send(), "name", None) == "SUCCESS"
        except Exception as error:
            delivered = False
            if self._first(signal, type(error)):
                warn("an exporter of %s failed with %s; the server is not affected", signal, type(error).__name__)
        finally:
            self._here.signal = None
        if not delivered:
            self.lose(signal, count)
        return delivered


class CountedSpans(SpanExporter):
    """Delivers spans by `inner`; `taken` counts those that left the queue."""

    def __init__(self, inner: SpanExporter, account: Account) -> None:
        self._inner, self._account, self.taken = inner, account, 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Deliver one batch."""
        self.taken += len(spans)
        delivered = self._account.open and self._account.export("spans", len(spans), lambda: self._inner.export(spans))
        return SpanExportResult.SUCCESS if delivered else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Let `inner` give up what it is doing."""
        if not self._account.inherited:
            self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing waits here."""
        return True


class Batches(BatchSpanProcessor):
    """A batch processor whose queue never overflows: what has no room is counted here, exactly and without a line."""

    def __init__(self, exporter: CountedSpans, account: Account, room: int) -> None:
        self._counted, self._account, self._room, self._admitted = exporter, account, room, 0
        super().__init__(exporter, max_queue_size=room)

    def on_end(self, span: ReadableSpan) -> None:
        """Queue `span` if it is sampled and there is room."""
        if not self._account.open or span.context is None or not span.context.trace_flags.sampled:
            return
        if self._admitted - self._counted.taken >= self._room:
            self._account.lose("spans", 1)
            return
        self._admitted += 1
        super().on_end(span)


class CountedMetrics(MetricExporter):
    """Delivers metrics by `inner`, with its temporality and aggregation."""

    def __init__(self, inner: MetricExporter, account: Account) -> None:
        super().__init__(inner._preferred_temporality, inner._preferred_aggregation)
        self._inner, self._account = inner, account

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        """Deliver one collection."""

        def send() -> MetricExportResult:
            return self._inner.export(metrics_data, timeout_millis=timeout_millis, **kwargs)

        delivered = self._account.open and self._account.export("metrics", 1, send)
        return MetricExportResult.SUCCESS if delivered else MetricExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Nothing waits here."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Let `inner` give up what it is doing."""
        if not self._account.inherited:
            self._inner.shutdown(timeout_millis, **kwargs)


def count_collections(reader: MetricReader, account: Account) -> None:
    """Count what it costs to read all instruments, for a `reader` that has its provider."""
    collect = reader._collect
    if collect is None:
        return

    def counted(*args: Any, **kwargs: Any) -> Any:
        with account.spending():
            return collect(*args, **kwargs)

    reader._set_collect_callback(counted)
