"""One SERVER span per message: whole spans, compared attribute by attribute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from opentelemetry import baggage, trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NonRecordingSpan, SpanContext, StatusCode, TraceFlags

from mcp_otel.event import Event, Lap
from mcp_otel.signals.spans import EMPTY, Spans, extract
from tests.signals.events import CALLED, START, event

CALLER, HTTP = (0xAB << 120, 0xCD << 56), (0x12 << 120, 0x34 << 56)
META = {"traceparent": f"00-{CALLER[0]:032x}-{CALLER[1]:016x}-01"}


def http_context() -> Context:
    context = SpanContext(*HTTP, is_remote=False, trace_flags=TraceFlags(1))
    return trace.set_span_in_context(NonRecordingSpan(context), Context())


class Said:
    """Spans on a real SDK."""

    def __init__(self, **options: Any) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False, **options)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.spans = Spans(self.provider.get_tracer("test"))

    def one(self, told: Event, meta: object = None, http: Context | None = None, first: str | None = "add") -> Any:
        """The SERVER span of one event; children come before it in `exporter`."""
        span = self.spans.start(told.method, first, meta, http, told.start)
        self.spans.finish(span, first, told)
        return next((each for each in self.exporter.get_finished_spans() if each.kind.name == "SERVER"), None)


@pytest.fixture
def said() -> Iterator[Said]:
    made = Said()
    yield made
    made.provider.shutdown()


def test_a_span_says_everything_its_event_holds(said: Said) -> None:
    span = said.one(CALLED)
    assert (span.name, span.kind.name, span.start_time, span.end_time) == (
        "tools/call add",
        "SERVER",
        START,
        START + 10_000_000,
    )
    assert (span.parent, span.links, span.events, span.status.status_code) == (None, (), (), StatusCode.UNSET)
    assert dict(span.attributes) == {
        "mcp.method.name": "tools/call",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "add",
        "jsonrpc.request.id": "7",
        "mcp.session.id": "0123456789abcdef",
        "mcp.protocol.version": "2025-06-18",
        "network.transport": "tcp",
        "network.protocol.name": "http",
        "network.protocol.version": "1.1",
        "client.address": "127.0.0.1",
        "client.port": 4711,
        "mcp_otel.received.size": 120,
        "mcp_otel.sent.size": 80,
        "mcp_otel.phase.decode": 0.001,
        "mcp_otel.phase.queue": 0.001,
        "mcp_otel.phase.handler": 0.006,
        "mcp_otel.phase.encode": 0.001,
        "mcp_otel.phase.write": 0.001,
    }


def test_a_name_learnt_on_the_way_is_on_the_span(said: Said) -> None:
    span = said.one(CALLED, first=None)
    assert (span.name, span.attributes["gen_ai.tool.name"]) == ("tools/call add", "add")


@pytest.mark.parametrize(
    ("meta", "http", "parent", "links"),
    [
        (None, None, None, []),
        (META, None, CALLER, []),
        (None, http_context(), HTTP, []),
        (META, http_context(), CALLER, [HTTP]),
        ({"traceparent": "00-broken"}, http_context(), HTTP, []),
        ({"traceparent": 7}, http_context(), HTTP, []),
        ({"progressToken": 1}, http_context(), HTTP, []),
        ("text", Context(), None, []),
    ],
)
def test_the_parent_is_in_meta_else_the_messages_own_http_request(
    said: Said, meta: object, http: Context | None, parent: tuple[int, int] | None, links: list[tuple[int, int]]
) -> None:
    span = said.one(CALLED, meta, http)
    assert _ids(span.parent) == parent
    assert [_ids(link.context) for link in span.links] == links


def test_the_ambient_span_of_the_task_is_never_the_parent(said: Said) -> None:
    with said.provider.get_tracer("other").start_as_current_span("initialize"):
        span = said.one(CALLED)
    assert span.parent is None


def _ids(context: SpanContext | None) -> tuple[int, int] | None:
    return None if context is None else (context.trace_id, context.span_id)


@pytest.mark.parametrize(
    ("differences", "code", "text"),
    [
        ({}, StatusCode.UNSET, None),
        ({"fault": "caller", "error": None, "code": -32602}, StatusCode.UNSET, None),
        ({"fault": "caller", "error": "cancelled", "code": -32800}, StatusCode.UNSET, None),
        ({"fault": "tool", "error": "tool_error"}, StatusCode.ERROR, None),
        ({"fault": "server", "error": "-32603", "code": -32603}, StatusCode.ERROR, "Internal error"),
        ({"fault": "server", "error": "-32050", "code": -32050}, StatusCode.ERROR, None),
    ],
)
def test_only_what_is_not_the_callers_fault_is_an_error_with_a_standard_text(
    said: Said, differences: dict[str, Any], code: StatusCode, text: str | None
) -> None:
    span = said.one(event(**differences))
    assert (span.status.status_code, span.status.description) == (code, text)


def test_phases_are_children_with_their_own_times_and_the_handler_is_none(said: Said) -> None:
    span = said.one(CALLED)
    children = [each for each in said.exporter.get_finished_spans() if each is not span]
    assert [(each.name, each.kind.name, each.start_time, each.end_time) for each in children] == [
        ("mcp_otel.decode", "INTERNAL", START, START + 1_000_000),
        ("mcp_otel.queue", "INTERNAL", START + 1_000_000, START + 2_000_000),
    ]
    assert {_ids(each.parent) for each in children} == {_ids(span.context)}


def test_a_stretch_too_short_to_be_seen_gets_no_span() -> None:
    said = Said()
    said.spans = Spans(said.provider.get_tracer("test"), shortest=0.0005)
    said.one(event(laps=(Lap("decode", 0, 499_999), Lap("queue", 499_999, 999_999))))
    assert [each.name for each in said.exporter.get_finished_spans()] == ["tools/call add", "mcp_otel.queue"]


def test_a_span_that_is_not_sampled_has_no_children() -> None:
    said = Said(sampler=ALWAYS_OFF)
    assert said.one(CALLED) is None
    assert said.exporter.get_finished_spans() == ()


def test_a_handler_runs_in_its_span_with_the_callers_baggage(said: Said) -> None:
    meta = {**META, "baggage": "tenant=blue"}
    span = said.spans.start("ping", None, meta, None, START)
    within = said.spans.within(span, meta, Context())
    assert trace.get_current_span(within) is span
    assert baggage.get_all(within) == {"tenant": "blue"}


@pytest.mark.parametrize(
    "meta", [{}, {"traceparent": None}, {"traceparent": 7}, {"traceparent": []}, {"traceparent": "x" * 10_000}]
)
def test_a_context_that_is_none_is_none(meta: Mapping[str, Any]) -> None:
    assert extract(meta) is None
    assert not trace.get_current_span(EMPTY).get_span_context().is_valid


def test_a_finished_span_is_plain_and_can_be_exported(said: Said) -> None:
    span: ReadableSpan = said.one(CALLED)
    assert '"tools/call add"' in span.to_json()
