"""An OTLP receiver on loopback for tests: spans and metrics come in over HTTP or gRPC and go out as plain data."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
STATUSES = ("UNSET", "OK", "ERROR")
Attributes = frozenset[tuple[str, Any]]


class Sink:
    """What arrived so far. `url` is for OTLP over HTTP; `serve_grpc` opens a second door."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.spans: list[dict[str, Any]] = []
        self.points: dict[tuple[str, Attributes], dict[str, Any]] = {}
        """The latest data point of each series."""
        self.refusing: int | None = None
        """The HTTP status that every export gets instead of being taken."""
        self.refused = 0
        self.bodies: list[bytes] = []
        """Every export as it came, unpacked: where a test looks for what must not be there."""
        self._grpc: Any = None
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        if self._grpc is not None:
            self._grpc.stop(None).wait()

    def wait_for(self, condition: Callable[[Sink], Any], seconds: float = 10.0) -> Any:
        """What `condition` says once it is true, or what it says at the end of `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: condition(self), seconds)
            return condition(self)

    def quiet(self, seconds: float) -> bool:
        """Whether no span arrived for `seconds`: to be sure that there are not too many."""
        with self._changed:
            before = len(self.spans)
            until = monotonic() + seconds
            while len(self.spans) == before and (left := until - monotonic()) > 0:
                self._changed.wait(left)
            return len(self.spans) == before

    def value(self, name: str, **labels: Any) -> Any:
        """The value of the one series of `name` whose attributes include `labels` (dots as `__`), or None."""
        wanted = {(key.replace("__", "."), value) for key, value in labels.items()}
        found = [point["value"] for (metric, said), point in self.points.items() if metric == name and wanted <= said]
        assert len(found) <= 1, f"{len(found)} series of {name} with {labels}"
        return found[0] if found else None

    def series(self, name: str) -> dict[Attributes, dict[str, Any]]:
        """Every series of `name`."""
        return {said: point for (metric, said), point in self.points.items() if metric == name}

    def serve_grpc(self) -> str:
        """Open a gRPC door as well; its `host:port`."""
        from concurrent.futures import ThreadPoolExecutor

        import grpc

        def door(service: str, take: Callable[[bytes], bytes]) -> Any:
            method = grpc.unary_unary_rpc_method_handler(lambda body, _: take(body))
            return grpc.method_handlers_generic_handler(service, {"Export": method})

        self._grpc = grpc.server(ThreadPoolExecutor(2))
        collector = "opentelemetry.proto.collector"
        self._grpc.add_generic_rpc_handlers(
            (
                door(f"{collector}.trace.v1.TraceService", self._take_spans),
                door(f"{collector}.metrics.v1.MetricsService", self._take_metrics),
            )
        )
        port = self._grpc.add_insecure_port("127.0.0.1:0")
        self._grpc.start()
        return f"127.0.0.1:{port}"

    def _take_spans(self, body: bytes) -> bytes:
        request = ExportTraceServiceRequest.FromString(body)
        spans = [
            _span(span, scoped.scope, group.resource)
            for group in request.resource_spans
            for scoped in group.scope_spans
            for span in scoped.spans
        ]
        with self._changed:
            self.bodies.append(body)
            self.spans += spans
            self._changed.notify_all()
        return ExportTraceServiceResponse().SerializeToString()

    def _take_metrics(self, body: bytes) -> bytes:
        request = ExportMetricsServiceRequest.FromString(body)
        with self._changed:
            self.bodies.append(body)
            for group in request.resource_metrics:
                resource = _attributes(group.resource.attributes)
                for scoped in group.scope_metrics:
                    for metric in scoped.metrics:
                        for said, point in _points(metric):
                            self.points[metric.name, said] = {**point, "unit": metric.unit, "resource": resource}
            self._changed.notify_all()
        return ExportMetricsServiceResponse().SerializeToString()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        takers = {"/v1/traces": self._take_spans, "/v1/metrics": self._take_metrics}
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                take, status = takers.get(self.path), sink.refusing
                if status is not None:
                    sink.refused += 1
                    take = None
                answer = take(body) if take is not None else b""
                self.send_response(200 if take is not None else status or 404)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it overrides
                """Say nothing."""

        return Handler


def _span(span: Any, scope: Any, resource: Any) -> dict[str, Any]:
    return {
        "name": span.name,
        "kind": KINDS[span.kind],
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_span_id": span.parent_span_id.hex() or None,
        "start": span.start_time_unix_nano,
        "end": span.end_time_unix_nano,
        "attributes": _attributes(span.attributes),
        "status": {"code": STATUSES[span.status.code], "message": span.status.message},
        "links": [
            {"trace_id": link.trace_id.hex(), "span_id": link.span_id.hex(), "attributes": _attributes(link.attributes)}
            for link in span.links
        ],
        "events": [
            {"name": event.name, "time": event.time_unix_nano, "attributes": _attributes(event.attributes)}
            for event in span.events
        ],
        "scope": {"name": scope.name, "version": scope.version},
        "resource": _attributes(resource.attributes),
    }


def _points(metric: Any) -> Iterable[tuple[Attributes, dict[str, Any]]]:
    kind = metric.WhichOneof("data")
    for point in getattr(metric, kind).data_points:
        said = frozenset(_attributes(point.attributes).items())
        if kind == "histogram":
            yield (
                said,
                {
                    "value": point.count,
                    "sum": point.sum,
                    "buckets": list(point.bucket_counts),
                    "bounds": list(point.explicit_bounds),
                },
            )
        else:
            yield said, {"value": getattr(point, point.WhichOneof("value"))}


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return tuple(_value(item) for item in value.array_value.values)
    return None if kind is None else getattr(value, kind)
