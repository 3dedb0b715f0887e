"""Instruments over plain numbers: what a reader gets is exactly what was counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from mcp_otel.signals import names
from mcp_otel.signals.metrics import MAX_WAITING, Metrics, operation_attributes
from mcp_otel.signals.totals import Totals
from mcp_otel.streams import Streams
from mcp_otel.vitals.said import READINGS
from tests.signals.events import CALLED, NOTICED, event

ADD = {"mcp.method.name": "tools/call", "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "add"}
HTTP = {
    "mcp.protocol.version": "2025-06-18",
    "network.transport": "tcp",
    "network.protocol.name": "http",
    "network.protocol.version": "1.1",
}


class Recorded:
    """A source with numbers of our choice."""

    def __init__(self) -> None:
        self.totals = Totals()
        self.level = 3
        self.vitals = None
        self.flying: dict[tuple[str, str | None], tuple[int, float]] = {}
        self.limit: int | None = None
        self.streams = Streams()

    @property
    def live(self) -> Recorded:
        return self

    def in_flight(self, known: object) -> dict[tuple[str, str | None], tuple[int, float]]:
        return self.flying

    def oldest_age(self) -> float:
        return 1.5

    def session_states(self) -> dict[str, int]:
        return {"active": 2, "idle": 1}

    def session_limit(self) -> int | None:
        return self.limit


class Read:
    """Metrics on a real SDK, read by two readers."""

    def __init__(self) -> None:
        self.readers = [InMemoryMetricReader(), InMemoryMetricReader()]
        self.provider = MeterProvider(self.readers, shutdown_on_exit=False)
        self.metrics, self.source = Metrics(self.provider, "test", READINGS), Recorded()
        self.metrics.source = self.source

    def points(self, name: str, reader: int = 0) -> list[tuple[dict[str, Any], Any]]:
        """Label sets and values of `name`; of a histogram its count and sum."""
        data = self.readers[reader].get_metrics_data()
        return [
            (dict(point.attributes or {}), (point.count, point.sum) if hasattr(point, "count") else point.value)
            for resource in (data.resource_metrics if data is not None else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]


@pytest.fixture
def read() -> Iterator[Read]:
    made = Read()
    yield made
    made.provider.shutdown()


def test_a_message_is_one_point_of_the_standard_histogram_for_every_reader(read: Read) -> None:
    for duration in (0.25, 0.75):
        read.metrics.record(event(duration=duration))
    for reader in (0, 1):
        assert read.points("mcp.server.operation.duration", reader) == [({**ADD, **HTTP}, (2, 1.0))]


def test_a_later_collection_brings_what_came_later(read: Read) -> None:
    read.metrics.record(event(duration=0.25))
    assert read.points("mcp.server.operation.duration") == [({**ADD, **HTTP}, (1, 0.25))]
    read.metrics.record(event(duration=0.5))
    assert read.points("mcp.server.operation.duration") == [({**ADD, **HTTP}, (2, 0.75))]


def test_a_stream_that_lives_for_hours_is_no_latency(read: Read) -> None:
    read.metrics.record(event(method="subscriptions/listen", target=None))
    assert read.points("mcp.server.operation.duration") == []


def test_what_waits_for_a_reader_is_bounded_and_nothing_is_lost(read: Read) -> None:
    for _ in range(MAX_WAITING + 10):
        read.metrics.record(event(duration=0.5))
    waiting = sum(len(each.durations) for each in read.metrics._sets.values())
    assert waiting == MAX_WAITING
    ((_, (count, total)),) = read.points("mcp.server.operation.duration")
    assert (count, total) == (MAX_WAITING + 10, 0.5 * (MAX_WAITING + 10))


def test_ten_thousand_codes_are_one_series_and_leave_room_for_others(read: Read) -> None:
    for code in range(10_000):
        read.metrics.record(event(duration=0.5, fault="server", error=str(code + 1), code=code + 1))
    read.metrics.record(event(duration=0.25))
    failed = {**ADD, **HTTP, "error.type": "_other", "rpc.response.status_code": "_other"}
    assert read.points("mcp.server.operation.duration") == [({**ADD, **HTTP}, (1, 0.25)), (failed, (10_000, 5000.0))]


def test_the_slowest_message_between_two_collections_is_the_exemplar(read: Read) -> None:
    def span(number: int, sampled: bool = True) -> NonRecordingSpan:
        return NonRecordingSpan(SpanContext(number, number, False, TraceFlags(1 if sampled else 0)))

    def exemplars() -> list[tuple[float, int | None]]:
        data = read.readers[0].get_metrics_data()
        assert data is not None
        return [
            (exemplar.value, exemplar.span_id)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == "mcp.server.operation.duration"
            for point in metric.data.data_points
            for exemplar in getattr(point, "exemplars", ())
        ]

    for number, duration in enumerate((0.25, 0.75, 0.5), 1):
        read.metrics.record(event(duration=duration), span(number))
    read.metrics.record(event(duration=0.9), span(4, sampled=False))
    assert exemplars() == [(0.75, 2)]
    read.metrics.record(event(duration=0.1), span(5))
    assert exemplars() == [(0.1, 5)]
    read.metrics.record(event(duration=0.2))
    assert exemplars() == []


@pytest.mark.parametrize(
    ("differences", "said"),
    [
        ({}, {**ADD, **HTTP}),
        ({"transport": "pipe", "http_version": None}, {**ADD, "mcp.protocol.version": "2025-06-18",
                                                       "network.transport": "pipe"}),
        ({"error": "tool_error", "fault": "tool"}, {**ADD, **HTTP, "error.type": "tool_error"}),
        ({"error": "-32603", "code": -32603, "fault": "server"},
         {**ADD, **HTTP, "error.type": "-32603", "rpc.response.status_code": "-32603"}),
        ({"error": "-32050", "code": -32050, "fault": "server"},
         {**ADD, **HTTP, "error.type": "_other", "rpc.response.status_code": "_other"}),
        ({"error": None, "code": -32602, "fault": "caller"}, {**ADD, **HTTP, "rpc.response.status_code": "-32602"}),
        ({"error": "cancelled", "code": 0, "fault": "caller"},
         {**ADD, **HTTP, "error.type": "cancelled", "rpc.response.status_code": "0"}),
        ({"method": "prompts/get", "target": "greet"},
         {"mcp.method.name": "prompts/get", "gen_ai.prompt.name": "greet", **HTTP}),
        ({"method": "ping", "target": None, "protocol_version": None}, {"mcp.method.name": "ping",
            **{name: value for name, value in HTTP.items() if name != "mcp.protocol.version"}}),
    ],
)  # fmt: skip
def test_the_labels_are_those_of_the_conventions(differences: dict[str, Any], said: dict[str, Any]) -> None:
    assert operation_attributes(event(**differences)) == said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((2.0, "2025-06-18", "tcp", False),
         {"mcp.protocol.version": "2025-06-18", "network.transport": "tcp", "network.protocol.name": "http"}),
        ((2.0, None, "pipe", True), {"network.transport": "pipe", "error.type": "crash"}),
        ((2.0, None, None, False), {}),
    ],
)  # fmt: skip
def test_an_ended_session_is_one_point(read: Read, given: tuple[Any, ...], said: dict[str, Any]) -> None:
    read.metrics.record_session(*given)
    assert read.points("mcp.server.session.duration") == [(said, (1, 2.0))]


def test_every_sum_and_level_is_what_the_source_says(read: Read) -> None:
    totals = read.source.totals
    for each in (CALLED, NOTICED, event(fault="tool", error="tool_error", phases={}, cpu={})):
        totals.add(each)
    totals.count_bytes("received", 30)
    totals.list_page("tools", None, 41)
    totals.opened["client"] += 1
    totals.ended["delete"] += 1
    totals.cost["record"] += 0.5
    totals.dropped["spans"] += 2
    totals.failures["end"] += 3
    read.source.flying = {("tools/call", "add"): (2, 0.25)}
    read.source.limit = 500
    found = {metric.name: read.points(metric.name) for metric in names.METRICS}
    noticed = {"mcp.method.name": "notifications/initialized"}
    assert found[names.FAULTS.name] == [
        ({**labels, "mcp_otel.fault": fault}, count)
        for labels, counts in ((ADD, (0, 1, 0)), (noticed, (0, 0, 0)))
        for fault, count in zip(("caller", "tool", "server"), counts, strict=True)
    ]
    assert found[names.MESSAGE_IO.name] == [
        ({"mcp_otel.direction": "received"}, 30),
        ({"mcp_otel.direction": "sent"}, 0),
    ]
    assert found[names.MESSAGE_MAX.name][0] == ({"mcp_otel.direction": "received"}, 30)
    assert found[names.DEFINITIONS_SIZE.name] == [({"mcp_otel.definitions": "tools"}, 41)]
    assert found[names.DEFINITIONS_TOKENS.name] == [({"mcp_otel.definitions": "tools"}, 10)]
    assert found[names.IN_FLIGHT.name] == [(ADD, 2)]
    assert found[names.REQUESTS_TIME.name] == [(ADD, pytest.approx(0.27))]
    assert found[names.OLDEST_AGE.name] == [({}, 1.5)]
    assert found[names.SESSIONS.name] == [({"mcp_otel.state": "active"}, 2), ({"mcp_otel.state": "idle"}, 1)]
    assert found[names.SESSIONS_OPENED.name] == [({"mcp_otel.client": "client"}, 1)]
    assert found[names.SESSIONS_ENDED.name] == [({"mcp_otel.reason": "delete"}, 1)]
    assert found[names.COST_TIME.name] == [({"mcp_otel.part": "record"}, 0.5)]
    assert found[names.DROPPED.name] == [
        ({"mcp_otel.part": part}, count) for part, count in (("spans", 2), ("metrics", 0), ("sessions", 0))
    ]
    assert found[names.SESSIONS_LIMIT.name] == [({}, 500)]
    assert found[names.FAILURES.name] == [({"mcp_otel.part": "end"}, 3)]
    assert found[names.LEVEL.name] == [({}, 3)]
    times = {(said["mcp_otel.phase"], said["mcp_otel.clock"]): value for said, value in found[names.PHASE_TIME.name]}
    assert times == pytest.approx({**{(phase, "wall"): seconds for phase, seconds in CALLED.phases.items()},
                                   ("decode", "cpu"): 0.0005})  # fmt: skip


def test_a_sum_never_falls_when_a_request_leaves_other_for_its_own_name(read: Read) -> None:
    read.source.flying = {("tools/call", "_other"): (1, 4.0)}
    assert [value for _, value in read.points("mcp_otel.requests.time")] == [4.0]
    read.source.flying = {("tools/call", "_other"): (0, 0.0), ("tools/call", "add"): (1, 5.0)}
    assert [value for _, value in read.points("mcp_otel.requests.time")] == [4.0, 5.0]


def test_without_a_cap_on_sessions_none_is_said(read: Read) -> None:
    assert read.points(names.SESSIONS_LIMIT.name) == []


def test_streams_are_said_by_what_is_listened_on_and_their_ends_by_reason(read: Read) -> None:
    streams = read.source.streams
    assert streams.open(1, "sse")
    assert streams.open(2, "standalone")
    assert streams.close(1, "close") is not None
    read.metrics.streams.record("sse", 60.0)
    assert read.points(names.STREAMS.name) == [({"mcp_otel.stream": "sse"}, 0), ({"mcp_otel.stream": "standalone"}, 1)]
    ages = [(said["mcp_otel.stream"], age) for said, age in read.points(names.STREAM_AGE.name)]
    assert ages == [("sse", 0.0), ("standalone", ages[1][1])]
    assert 0 < ages[1][1] < 60
    ended = [(tuple(said.values()), count) for said, count in read.points(names.STREAMS_ENDED.name)]
    assert {each: count for each, count in ended if count} == {("sse", "close"): 1}
    assert len(ended) == 2 * 5
    assert read.points(names.STREAM_DURATION.name) == [({"mcp_otel.stream": "sse"}, (1, 60.0))]


def test_without_a_source_nothing_is_said_but_that_nothing_is(read: Read) -> None:
    read.metrics.source = None
    assert {metric.name: read.points(metric.name) for metric in names.METRICS if metric.kind != "histogram"} == {
        metric.name: [({}, 0)] if metric is names.LEVEL else []
        for metric in names.METRICS
        if metric.kind != "histogram"
    }


def test_every_metric_of_the_table_is_one_the_reader_gets(read: Read) -> None:
    read.source.totals.add(CALLED)
    read.source.flying = {("tools/call", "add"): (0, 0.0)}
    read.metrics.record(CALLED)
    read.metrics.record_session(1.0, None, None, False)
    read.metrics.record_session(1.0, None, None, False, client=True)
    read.metrics.record(event(side="client"))
    read.metrics.record_lag(0.001)
    read.metrics.streams.record("sse", 60.0)
    data = read.readers[0].get_metrics_data()
    assert data is not None
    said = {
        metric.name: metric.unit
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    may_be_empty = {metric.name for metric in names.METRICS if metric.kind != "histogram"} - set(said)
    assert {metric.name: metric.unit for metric in names.METRICS if metric.name not in may_be_empty} == said
