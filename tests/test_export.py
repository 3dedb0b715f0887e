"""What is wanted, found, made, counted and closed, within one process."""

from __future__ import annotations

import functools
import logging
import socket
import sys
from collections.abc import Callable, Sequence
from threading import Event
from threading import enumerate as threads
from time import monotonic, thread_time
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from opentelemetry import metrics, trace
from opentelemetry.metrics import _internal as metrics_api
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.util._once import Once

from mcp_otel import export, providers
from mcp_otel.export import Plan
from mcp_otel.settings import Settings
from mcp_otel.signals.totals import Totals

SETTINGS = Settings(exit_wait=1.0)
TOLD = Plan(traces=("told",))


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process in which nobody has set a provider or asked for an exporter."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", Once())
    monkeypatch.setattr(metrics_api, "_METER_PROVIDER", None)
    monkeypatch.setattr(metrics_api, "_METER_PROVIDER_SET_ONCE", Once())
    monkeypatch.setattr(providers, "find", functools.cache(providers.find.__wrapped__))


class Told(SpanExporter):
    """Does with each batch what it is told; `asked` is set when a batch has come."""

    def __init__(self, then: Callable[[], SpanExportResult]) -> None:
        self.then, self.asked, self.count = then, Event(), 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.count += len(spans)
        self.asked.set()
        return self.then()


def connected(
    monkeypatch: pytest.MonkeyPatch, exporter: SpanExporter, totals: Totals, plan: Plan = TOLD
) -> export.Delivery:
    monkeypatch.setattr(providers, "find", lambda *_: lambda: exporter)
    return export.connect(plan, SETTINGS, "tortoise", totals)


def speak(delivery: export.Delivery, times: int) -> None:
    assert delivery.tracer_provider is not None
    tracer = delivery.tracer_provider.get_tracer("test")
    for _ in range(times):
        tracer.start_span("word").end()


OTLP, OTLP_TRACES = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"


@pytest.mark.parametrize(
    ("environ", "traces", "of_metrics"),
    [
        ({}, (), ()),
        ({OTLP: ""}, (), ()),
        ({OTLP: "http://box:4317"}, ("otlp_proto_grpc",), ("otlp_proto_grpc",)),
        ({OTLP: "http://box:4318"}, ("otlp_proto_http",), ("otlp_proto_http",)),
        ({OTLP: "box:4318"}, ("otlp_proto_http",), ("otlp_proto_http",)),
        ({OTLP: "http://box:4318", PROTOCOL: "grpc"}, ("otlp_proto_grpc",), ("otlp_proto_grpc",)),
        ({OTLP: "http://box:no"}, ("otlp_proto_grpc",), ("otlp_proto_grpc",)),
        ({OTLP_TRACES: "http://box:4318/v1/traces"}, ("otlp_proto_http",), ()),
        ({OTLP: "http://box:4318", OTLP_TRACES: "box:9"}, ("otlp_proto_grpc",), ("otlp_proto_http",)),
        (
            {OTLP: "http://box", PROTOCOL: "grpc", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/protobuf"},
            ("otlp_proto_grpc",),
            ("otlp_proto_http",),
        ),
        ({OTLP: "http://box", "OTEL_TRACES_EXPORTER": "none"}, (), ("otlp_proto_grpc",)),
        ({OTLP: "http://box", "OTEL_METRICS_EXPORTER": "prometheus"}, ("otlp_proto_grpc",), ("prometheus",)),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, ("otlp_proto_grpc",), ()),
        ({"OTEL_TRACES_EXPORTER": "console, otlp,zipkin"}, ("console", "otlp_proto_grpc", "zipkin"), ()),
        ({"OTEL_TRACES_EXPORTER": "otlp,otlp_proto_http", PROTOCOL: "http/protobuf"}, ("otlp_proto_http",), ()),
        ({OTLP: "http://box", "OTEL_SDK_DISABLED": " True "}, (), ()),
    ],
)
def test_opentelemetrys_own_variables_say_what_is_wanted(
    environ: dict[str, str], traces: tuple[str, ...], of_metrics: tuple[str, ...]
) -> None:
    assert export.wanted(environ) == Plan(traces, of_metrics)


def test_a_protocol_nobody_speaks_is_said_once_and_the_other_exporters_go_on() -> None:
    plan = export.wanted({OTLP: "http://box", PROTOCOL: "pigeon", "OTEL_METRICS_EXPORTER": "otlp,console"})
    said = "OTEL_EXPORTER_OTLP_PROTOCOL='pigeon': must be one of grpc, http/protobuf; nothing is sent by it"
    assert plan == Plan((), ("console",), complaints=(said,))


def test_a_number_that_is_none_is_said_and_its_default_used() -> None:
    plan = export.wanted({"OTEL_EXPORTER_PROMETHEUS_PORT": "http", "OTEL_BSP_MAX_QUEUE_SIZE": "9"})
    said = "OTEL_EXPORTER_PROMETHEUS_PORT='http': must be a whole number above 0; using 9464"
    assert plan == Plan(queue=9, complaints=(said,))


def test_an_exporter_that_is_not_installed_is_one_line_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    plan = Plan(traces=("pigeon",), metrics=("console",), complaints=("a complaint",))
    undo = export.preload(plan)
    undo()
    delivery = export.connect(plan, SETTINGS, None, Totals())
    assert (delivery.tracer_provider, delivery.owns_traces, delivery.owns_metrics) == (None, False, True)
    delivery.close()
    assert [record.getMessage().partition("; installed are ")[0] for record in caplog.records] == [
        "a complaint",
        "OTEL_TRACES_EXPORTER: there is no exporter 'pigeon'",
    ]


def test_prometheus_without_its_package_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.prometheus", None)
    plan = Plan(metrics=("prometheus",))
    export.preload(plan)()
    assert export.connect(plan, SETTINGS, None, Totals()).meter_provider is None
    assert len(caplog.records) == 1
    assert caplog.records[0].getMessage().endswith('pip install "mcp-otel[prometheus]"')


def test_a_metrics_exporter_that_is_none_leaves_traces_whole(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    heard = InMemorySpanExporter()
    delivery = connected(monkeypatch, heard, Totals(), Plan(("told",), ("told",)))
    assert (delivery.owns_traces, delivery.owns_metrics, delivery.meter_provider) == (True, False, None)
    speak(delivery, 1)
    assert delivery.flush(5.0)
    assert len(heard.get_finished_spans()) == 1
    delivery.close()
    (record,) = caplog.records
    assert record.getMessage().startswith("not all telemetry is exported: AttributeError: ")


def test_nobody_who_wants_anything_gets_no_provider() -> None:
    delivery = export.connect(Plan(), SETTINGS, "tortoise", Totals())
    assert (delivery.tracer_provider, delivery.meter_provider) == (None, None)
    assert delivery.flush(0.0)
    delivery.close()


def test_the_applications_own_providers_are_used_and_left_alone() -> None:
    heard, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracer_provider, meter_provider = (
        TracerProvider(shutdown_on_exit=False),
        MeterProvider([reader], shutdown_on_exit=False),
    )
    tracer_provider.add_span_processor(SimpleSpanProcessor(heard))
    trace.set_tracer_provider(tracer_provider)
    metrics.set_meter_provider(meter_provider)
    delivery = export.connect(Plan(("console",), ("console",)), SETTINGS, "tortoise", Totals())
    assert (delivery.tracer_provider, delivery.owns_traces) == (tracer_provider, False)
    assert (delivery.meter_provider, delivery.owns_metrics) == (meter_provider, False)
    delivery.close()
    speak(delivery, 1)
    assert [span.name for span in heard.get_finished_spans()] == ["word"]


def test_providers_of_ours_become_the_global_ones_under_the_servers_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    heard = InMemorySpanExporter()
    delivery = connected(monkeypatch, heard, Totals())
    assert delivery.owns_traces
    assert trace.get_tracer_provider() is delivery.tracer_provider
    speak(delivery, 1)
    assert delivery.flush(5.0)
    (span,) = heard.get_finished_spans()
    assert span.resource.attributes["service.name"] == "tortoise"
    delivery.close()


@pytest.mark.parametrize(
    "given", [{"OTEL_SERVICE_NAME": "hare"}, {"OTEL_RESOURCE_ATTRIBUTES": "service.name=hare,service.instance.id=one"}]
)
def test_a_service_name_of_the_environment_wins(monkeypatch: pytest.MonkeyPatch, given: dict[str, str]) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    attributes = providers.resource("tortoise").attributes
    assert attributes["service.name"] == "hare"
    assert (attributes["service.instance.id"] == "one") is ("OTEL_RESOURCE_ATTRIBUTES" in given)


def test_after_a_close_the_next_delivery_delivers_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = InMemorySpanExporter(), InMemorySpanExporter()
    earlier = connected(monkeypatch, first, Totals())
    earlier.close()
    later = connected(monkeypatch, second, Totals())
    speak(earlier, 2)
    speak(later, 1)
    assert later.flush(5.0)
    assert (len(first.get_finished_spans()), len(second.get_finished_spans())) == (0, 1)
    later.close()


def test_closing_ends_every_thread_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(threads())
    delivery = connected(monkeypatch, InMemorySpanExporter(), Totals())
    started = set(threads()) - before
    assert len(started) == 2
    delivery.close()
    for thread in started:
        thread.join(5.0)
    assert not [thread for thread in started if thread.is_alive()]


def test_spans_without_room_are_counted_exactly(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    go, totals = Event(), Totals()

    def hang() -> SpanExportResult:
        go.wait(10.0)
        return SpanExportResult.SUCCESS

    exporter = Told(hang)
    delivery = connected(monkeypatch, exporter, totals, Plan(traces=("told",), queue=10))
    speak(delivery, 5)
    assert exporter.asked.wait(5.0)
    speak(delivery, 17)
    assert totals.dropped == {"spans": 7}
    since = monotonic()
    assert not delivery.flush(0.05)
    assert monotonic() - since < 0.5
    go.set()
    assert delivery.flush(5.0)
    assert (exporter.count, totals.dropped, caplog.records) == (15, {"spans": 7}, [])
    delivery.close()


def test_spans_an_exporter_fails_to_deliver_are_counted_and_its_error_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> SpanExportResult:
        logging.getLogger("opentelemetry.sdk.trace.export").error("no luck with %s", thread_time(), exc_info=True)
        raise OSError("private")

    totals = Totals()
    logging.getLogger("opentelemetry.sdk.trace.export")
    delivery = connected(monkeypatch, Told(fail), totals)
    for _ in range(3):
        speak(delivery, 4)
        assert delivery.flush(5.0)
    delivery.close()
    assert totals.dropped == {"spans": 12}
    first, second = (record.getMessage() for record in caplog.records)
    assert first.startswith("no luck with ")
    assert caplog.records[0].exc_info is None
    assert second == "an exporter of spans failed with OSError; the server is not affected"


def test_what_others_log_is_left_alone(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    speaker = logging.getLogger("opentelemetry.sdk.trace.export")
    delivery = connected(monkeypatch, InMemorySpanExporter(), Totals())
    speaker.warning("again")
    speaker.warning("again")
    assert [record.getMessage() for record in caplog.records] == ["again", "again"]
    delivery.close()
    assert not [each for each in speaker.filters if each.__class__.__module__.startswith("mcp_otel")]


def test_the_processor_time_of_exporting_is_a_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    def work() -> SpanExportResult:
        until = thread_time() + 0.05
        while thread_time() < until:
            pass
        return SpanExportResult.SUCCESS

    totals = Totals()
    delivery = connected(monkeypatch, Told(work), totals)
    speak(delivery, 1)
    assert delivery.flush(5.0)
    assert 0.05 <= totals.cost["export"] < 0.1
    delivery.close()


def test_prometheus_serves_metrics_until_the_close() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    totals = Totals()
    delivery = export.connect(
        Plan(metrics=("prometheus",), prometheus=("127.0.0.1", port)), SETTINGS, "tortoise", totals
    )
    assert delivery.meter_provider is not None
    delivery.meter_provider.get_meter("test").create_counter("words").add(3)
    text = read(port)
    (line,) = [line for line in text.splitlines() if line.startswith("words_total")]
    assert line.endswith(" 3.0")
    assert 'service_name="tortoise"' in text
    assert totals.cost["export"] > 0
    delivery.close()
    with pytest.raises(URLError):
        read(port)


def test_a_prometheus_port_that_is_taken_is_one_line_and_traces_go_on(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        plan = Plan(("console",), ("prometheus",), ("127.0.0.1", taken.getsockname()[1]))
        delivery = export.connect(plan, SETTINGS, None, Totals())
    assert (delivery.owns_traces, delivery.meter_provider) == (True, None)
    (record,) = caplog.records
    assert record.getMessage().startswith("the metrics exporter 'prometheus' cannot start: OSError: ")
    delivery.close()


def read(port: int) -> Any:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return answer.read().decode()
