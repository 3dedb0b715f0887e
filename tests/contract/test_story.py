"""One story, told through every door of the SDK line at hand: the same spans and the same numbers come out."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract import expected
from tests.contract.doors import STANDALONE
from tests.contract.heard import Heard, in_flight, phases, plain
from tests.contract.servers.schemas import PAUSE
from tests.contract.story import Told
from tests.sink import Attributes

CHILDREN = ("decode", "validate", "queue", "encode", "write")
SOON = 60.0
TRACED = re.compile(rb',"_meta":{(?:"traceparent":"[-0-9a-f]+")?}')
"""Where there is a tracer, its context is on what a server asks its client; without one, 2.0 to 2.2 leave its place."""


def test_every_wire_message_has_exactly_one_server_span(heard: Heard) -> None:
    names = [told.step for told, span in heard.pairs() if span is None]
    assert names == []
    assert len(heard.servers()) == len(heard.told)


def test_every_span_is_ours(heard: Heard) -> None:
    assert [span["name"] for span in heard.sink.spans if span["scope"]["name"] != "mcp_otel"] == []


def test_what_a_server_asks_its_client_is_a_client_span_of_the_call_that_asks(heard: Heard) -> None:
    asking = [span["span_id"] for told, span in heard.pairs() if told.step == "ask" and span is not None]
    clients = [span for span in heard.sink.spans if span["kind"] == "CLIENT"]
    assert [(span["name"], span["parent_span_id"]) for span in clients] == [
        ("elicitation/create", span_id) for span_id in asking
    ]


def test_each_span_says_what_the_conventions_ask_and_nothing_else(heard: Heard) -> None:
    got = {name(told): plain(span) for told, span in heard.pairs() if span is not None}
    want = {name(told): expected.span(heard.form, heard.door, told) for told in heard.told}
    assert list(got) == list(want)
    for step, span in want.items():
        assert got[step] == span, step


def test_each_span_lasts_from_the_receipt_to_the_write_and_its_phases_fill_it(heard: Heard) -> None:
    for told, span in heard.pairs():
        assert span is not None
        seconds = (span["end"] - span["start"]) * 1e-9
        assert 0 < seconds < SOON, told.step
        parts = phases(span)
        assert all(part >= 0 for part in parts.values()), told.step
        assert sum(parts.values()) <= seconds + 1e-6, told.step
        if told.pending.reply is not None:
            assert sum(parts.values()) == pytest.approx(seconds, abs=0.002), told.step


def test_what_a_handler_takes_is_its_own_phase_even_when_it_fails(heard: Heard) -> None:
    parts = {told.step: phases(span) for told, span in heard.pairs() if span is not None}
    # uvloop counts whole milliseconds, from the beginning of its turn: it may be one early.
    assert parts["protocol error"]["handler"] >= PAUSE - 0.002


def test_each_phase_of_a_span_is_a_child_span_within_it(heard: Heard) -> None:
    for told, span in heard.pairs():
        assert span is not None
        sums: dict[str, float] = defaultdict(float)
        end = span["start"]
        for child in heard.children(span, "INTERNAL"):
            assert child["attributes"] == {}
            assert child["status"] == {"code": "UNSET", "message": ""}
            assert end <= child["start"] <= child["end"] <= span["end"], told.step
            end = child["end"]
            sums[child["name"].removeprefix("mcp_otel.")] += (child["end"] - child["start"]) * 1e-9
        want = {phase: seconds for phase, seconds in phases(span).items() if phase in CHILDREN}
        assert dict(sums) == pytest.approx(want, abs=1e-6), told.step


def test_the_duration_histogram_counts_each_message_once_by_the_labels_of_the_conventions(heard: Heard) -> None:
    want = Counter(expected.operation(heard.form, heard.door, told) for told in heard.told)
    assert counts(heard, "mcp.server.operation.duration") == dict(want)


def test_the_duration_histogram_has_the_conventions_boundaries_and_the_spans_seconds(heard: Heard) -> None:
    series = heard.sink.series("mcp.server.operation.duration")
    assert {tuple(point["bounds"]) for point in series.values()} == {
        (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
    }
    assert {point["unit"] for point in series.values()} == {"s"}
    seconds = sum((span["end"] - span["start"]) * 1e-9 for span in heard.servers())
    assert sum(point["sum"] for point in series.values()) == pytest.approx(seconds, rel=1e-3)


def test_faults_are_counted_by_who_is_at_fault(heard: Heard) -> None:
    want: Counter[Attributes] = Counter()
    for told in heard.told:
        said = expected.expected(heard.form, heard.door, told.step)
        if said.fault is not None:
            labels = expected.targets(expected.method_of(told), said.target) | {"mcp_otel.fault": said.fault}
            want[frozenset(labels.items())] += 1
    if heard.refused:
        want[frozenset({("mcp.method.name", "_other"), ("mcp_otel.fault", "caller")})] += len(heard.refused)
    said_faults = counts(heard, "mcp_otel.faults")
    assert {said: count for said, count in said_faults.items() if count} == dict(want)


def test_a_call_that_lasts_is_its_handlers_or_its_clients_also_when_it_is_cancelled(heard: Heard) -> None:
    shares = {
        told.step: (phases(span).get("handler", 0.0) + phases(span).get("peer", 0.0))
        / ((span["end"] - span["start"]) * 1e-9)
        for told, span in heard.pairs()
        if told.step in ("cancel", "timeout") and span is not None and span["end"] - span["start"] > 100_000_000
    }
    assert len(shares) > 0
    assert {step: share for step, share in shares.items() if share < 0.8} == {}


def test_faults_that_did_not_happen_are_zero_and_not_absent(heard: Heard) -> None:
    said = counts(heard, "mcp_otel.faults")
    targets = {frozenset(label for label in labels if label[0] != "mcp_otel.fault") for labels in said}
    assert set(said) == {
        target | {("mcp_otel.fault", who)} for target in targets for who in ("caller", "tool", "server")
    }


def test_phase_times_add_up_to_what_the_spans_say(heard: Heard) -> None:
    want: dict[Attributes, float] = defaultdict(float)
    for told, span in heard.pairs():
        assert span is not None
        said = expected.expected(heard.form, heard.door, told.step)
        for phase, seconds in phases(span).items():
            labels = expected.targets(expected.method_of(told), said.target)
            want[frozenset((labels | {"mcp_otel.phase": phase, "mcp_otel.clock": "wall"}).items())] += seconds
    series = counts(heard, "mcp_otel.phase.time")
    wall = {said: seconds for said, seconds in series.items() if ("mcp_otel.clock", "wall") in said}
    assert wall == pytest.approx(dict(want))
    assert all(seconds > 0 for seconds in wall.values())


def test_processor_time_is_said_of_the_handler_and_of_phases_without_a_pause_only(heard: Heard) -> None:
    cpu = {dict(said)["mcp_otel.phase"] for said in series_of(heard, "mcp_otel.phase.time", "mcp_otel.clock", "cpu")}
    assert {"decode", "handler"} <= cpu <= {"decode", "validate", "handler", "encode"}


def test_bytes_are_those_the_client_counted(heard: Heard) -> None:
    wire = heard.opened.wire
    assert heard.sink.value("mcp_otel.message.io", mcp_otel__direction="received") == sum(map(len, wire.sent))
    unread = len(expected.expected(heard.form, heard.door, "timeout").unread)
    refusals = sum(len(told.pending.reply or b"") for told in heard.refused)
    sent = sum(map(len, wire.received)) - refusals + unread
    assert heard.sink.value("mcp_otel.message.io", mcp_otel__direction="sent") == sent
    assert heard.sink.value("mcp_otel.message.max", mcp_otel__direction="received") == max(map(len, wire.sent))
    assert heard.sink.value("mcp_otel.message.max", mcp_otel__direction="sent") == max(map(len, wire.received))


def test_listings_cost_the_bytes_of_their_replies(heard: Heard) -> None:
    sizes = {told.step: len(told.pending.reply or b"") for told in heard.told if told.step.startswith("list ")}
    want = {"tools": sizes["list tools"], "prompts": sizes["list prompts"]}
    assert by_label(heard, "mcp_otel.definitions.size", "mcp_otel.definitions") == want
    tokens = {kind: size // 4 for kind, size in want.items()}
    assert by_label(heard, "mcp_otel.definitions.tokens", "mcp_otel.definitions") == tokens


def test_nothing_is_left_in_flight(heard: Heard) -> None:
    assert heard.sink.series("mcp_otel.requests.in_flight") != {}
    assert in_flight(heard.sink) == 0
    assert heard.sink.value("mcp_otel.request.oldest_age") == 0


def test_a_session_is_counted_when_it_opens_and_when_it_ends(heard: Heard) -> None:
    door = heard.door
    has_session = not (door.stateless or door.modern)
    assert by_label(heard, "mcp_otel.sessions.opened", "mcp_otel.client") == ({"teller": 1} if has_session else {})
    reason = "delete" if door.http and not door.sse else "disconnect"
    assert by_label(heard, "mcp_otel.sessions.ended", "mcp_otel.reason") == ({reason: 1} if has_session else {})
    assert by_label(heard, "mcp_otel.sessions", "mcp_otel.state") == {"active": 0, "idle": 0, "retained": 0}
    labels = {key: value for key, value in expected.network(door).items() if key != "network.protocol.version"}
    want = {frozenset(labels.items()): 1} if has_session else {}
    assert counts(heard, "mcp.server.session.duration") == want


def test_the_service_bears_the_name_of_the_server(heard: Heard) -> None:
    assert {span["resource"]["service.name"] for span in heard.sink.spans} == {"story"}
    assert {point["resource"]["service.name"] for point in heard.sink.points.values()} == {"story"}


def test_nothing_of_ours_failed_or_was_dropped_or_said_aloud(heard: Heard) -> None:
    assert counts(heard, "mcp_otel.failures") == {}
    assert set(by_label(heard, "mcp_otel.dropped", "mcp_otel.part").items()) == {
        ("spans", 0),
        ("metrics", 0),
        ("sessions", 0),
    }
    assert heard.level == 3


def test_the_last_word_of_a_server_that_ends_is_that_it_says_no_more(heard: Heard) -> None:
    assert heard.sink.value("mcp_otel.level") == 0


def test_the_cap_on_sessions_is_said_where_sessions_come_in(heard: Heard) -> None:
    door = heard.door
    assert heard.sink.value("mcp_otel.sessions.limit") == (
        10_000 if expected.CAPPED and door.http and not {"--stateless", "--sse"} & set(door.flags) else None
    )
    assert [line for line in heard.opened.process.errors if not line.startswith("story: ")] == []


def test_stdout_holds_the_protocol_and_nothing_else(heard: Heard) -> None:
    assert heard.opened.leftover == b""
    for raw in heard.opened.wire.received:
        assert json.loads(raw)["jsonrpc"] == "2.0"


def test_every_reply_is_the_same_to_the_byte_with_and_without_us(
    heard: Heard, bare: Callable[[Heard], list[Told]]
) -> None:
    if heard.form in STANDALONE and heard.door.name not in ("stdio", "http-sse"):
        pytest.skip("below FastMCP these doors are the SDK's, which are compared there")
    assert [replied(told) for told in heard.story] == [replied(told) for told in bare(heard)]


def test_the_server_ends_as_it_would_without_us(heard: Heard) -> None:
    # uvicorn raises the SIGTERM again that stopped it
    assert heard.opened.code == (-15 if heard.door.http else 0)


def name(told: Told) -> str:
    return told.step if told.request_id is None else f"{told.step} ({told.request_id})"


def replied(told: Told) -> tuple[Any, ...]:
    pending = told.pending
    others = [TRACED.sub(b"", raw) for raw in pending.others]
    return told.step, pending.raw, pending.reply, others, pending.status, pending.content_type


def counts(heard: Heard, metric: str) -> dict[Attributes, Any]:
    return {said: point["value"] for said, point in heard.sink.series(metric).items()}


def series_of(heard: Heard, metric: str, label: str, value: str) -> list[Attributes]:
    return [said for said in heard.sink.series(metric) if (label, value) in said]


def by_label(heard: Heard, metric: str, label: str) -> dict[str, Any]:
    return {dict(said)[label]: point["value"] for said, point in heard.sink.series(metric).items()}
