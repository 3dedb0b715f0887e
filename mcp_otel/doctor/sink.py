"""An OTLP receiver on loopback, for one child of the doctor's: what came, and nothing goes on from here."""

from __future__ import annotations

import gzip
import threading
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
MAX_SPANS = 5000
MAX_SERIES = 5000
MAX_BODY = 64_000_000


class Seen(NamedTuple):
    """One span, as far as the doctor looks at it."""

    scope: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    start: int
    """Nanoseconds since the Unix epoch."""
    attributes: dict[str, Any]


class Sink:
    """What arrived so far: MAX_SPANS spans and MAX_SERIES names with labels at most."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.spans: list[Seen] = []
        self.series: set[tuple[str, str, frozenset[tuple[str, str]]]] = set()
        """Scope, metric and labels of each series."""
        self.foreign: set[str] = set()
        """First lines of requests that were no OTLP over HTTP."""
        self._http = _Listening(("127.0.0.1", 0), self._door())
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Take nothing more."""
        self._http.shutdown()
        self._http.server_close()

    def has(self, scope: str, metric: str, **labels: str) -> bool:
        """Whether a series of `metric` with `labels` (dots as `__`) came from `scope`."""
        wanted = {(key.replace("__", "."), value) for key, value in labels.items()}
        return any(one == scope and name == metric and wanted <= said for one, name, said in list(self.series))

    def _take_spans(self, body: bytes) -> None:
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scoped in group.scope_spans:
                for span in scoped.spans:
                    if len(self.spans) < MAX_SPANS:
                        self.spans.append(_seen(span, scoped.scope.name))

    def _take_metrics(self, body: bytes) -> None:
        for group in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            for scoped in group.scope_metrics:
                for metric in scoped.metrics:
                    for point in getattr(metric, metric.WhichOneof("data")).data_points:
                        if len(self.series) < MAX_SERIES:
                            labels = frozenset((pair.key, pair.value.string_value) for pair in point.attributes)
                            self.series.add((scoped.scope.name, metric.name, labels))

    def _door(self) -> type[BaseHTTPRequestHandler]:
        takers: dict[str, Callable[[bytes], None]] = {
            "/v1/traces": self._take_spans,
            "/v1/metrics": self._take_metrics,
            "/v1/logs": lambda _: None,
        }
        sink = self

        class Door(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                size, take = int(self.headers.get("Content-Length") or 0), takers.get(self.path)
                body = self.rfile.read(min(size, MAX_BODY))
                status = 200 if take is not None else 404
                try:
                    if take is not None:
                        with sink.changed:
                            take(_unpacked(body, self.headers.get("Content-Encoding")))
                            sink.changed.notify_all()
                except Exception:
                    status = 400
                self.send_response(status)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
                if len(sink.foreign) < 10:
                    sink.foreign.add(self.requestline[:100])
                super().send_error(code, message, explain)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it overrides
                pass

        return Door


class _Listening(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a server that ends in the midst of an export is no trouble of ours


def _unpacked(body: bytes, encoding: str | None) -> bytes:
    if encoding == "gzip":
        return gzip.decompress(body)
    return zlib.decompress(body) if encoding == "deflate" else body


def _seen(span: Any, scope: str) -> Seen:
    return Seen(
        scope,
        span.name,
        KINDS[span.kind] if span.kind < len(KINDS) else KINDS[0],
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.start_time_unix_nano,
        {pair.key: pair.value.string_value for pair in span.attributes if pair.value.HasField("string_value")},
    )
