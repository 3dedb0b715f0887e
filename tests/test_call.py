"""A message on its way: phases are disjoint and complete, and its outcome is the conventions' table."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any

import pytest
from opentelemetry.context import Context

from mcp_otel import call as call_module
from mcp_otel.call import DECODE, ENCODE, HANDLER, PEER, QUEUE, SERVED, VALIDATE, WRITE, Call, Exchange, Outcome
from mcp_otel.event import PHASES, Lap


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the clock says next, in nanoseconds."""
    times: list[int] = []
    monkeypatch.setattr(call_module, "perf_counter_ns", lambda: times.pop(0))
    return times


def new(started: int = 0) -> Call:
    return Call("pipe", 10, started, None)


def test_the_phases_are_numbered_in_their_order() -> None:
    assert tuple(PHASES[number] for number in (DECODE, VALIDATE, QUEUE, HANDLER, PEER, ENCODE, WRITE)) == PHASES


def test_time_is_cut_at_boundaries_into_disjoint_and_complete_phases(clock: list[int]) -> None:
    call = new(100)
    clock += [300, 600, 1000, 1500, 2000]
    for phase in (DECODE, QUEUE, HANDLER, VALIDATE, HANDLER):
        call.lap(phase)
    assert call.phases() == pytest.approx({"decode": 2e-7, "queue": 3e-7, "handler": 9e-7, "validate": 5e-7})
    assert sum(call.phases().values()) == pytest.approx((2000 - 100) * 1e-9)
    assert (call.last, call.boundaries) == (HANDLER, 5)


def test_a_phase_that_does_not_exist_is_absent(clock: list[int]) -> None:
    call = new()
    assert call.phases() == {}
    clock.append(5)
    call.lap(QUEUE)
    assert set(call.phases()) == {"queue"}


def test_waits_for_the_client_are_peer_and_not_handler_also_when_they_overlap(clock: list[int]) -> None:
    call = new()
    clock += [10, 30, 60, 100, 150]
    call.wait()  # 10 of the handler
    call.wait()  # 20 with one question open
    call.resume()  # 30 with two
    call.resume()  # 40 with one
    call.lap(HANDLER)  # 50 of the handler
    assert call.phases() == pytest.approx({"handler": 60e-9, "peer": 90e-9})


def test_laps_are_kept_from_when_they_are_asked_for_and_neighbours_are_one(clock: list[int]) -> None:
    call = new(100)
    call.keep_laps()
    clock += [150, 170, 200, 260]
    for phase in (DECODE, VALIDATE, VALIDATE, HANDLER):
        call.lap(phase)
    assert call.laps() == (Lap("decode", 0, 50), Lap("validate", 50, 100), Lap("handler", 100, 160))


def test_no_laps_are_kept_unasked(clock: list[int]) -> None:
    call = new()
    clock.append(5)
    call.lap(DECODE)
    assert call.laps() == ()


def test_cpu_time_is_read_only_where_it_is_sampled(clock: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    threads: Iterator[int] = chain([100, 350, 400, 500], repeat(0))
    monkeypatch.setattr(call_module, "thread_time_ns", lambda: next(threads))
    call, unsampled = new(), new()
    call.cpu = {}
    clock += [1000, 2000, 3000]
    for each in (call, call):
        each.begin()
        each.spend(DECODE)
    unsampled.begin()
    unsampled.spend(DECODE)
    assert call.cpu == pytest.approx({"decode": 350e-9})
    assert unsampled.cpu is None


def test_a_call_awaits_its_write_where_a_transport_of_ours_has_its_answer() -> None:
    exchange = Exchange(Context(), "1.1", ("127.0.0.1", 1), "session", "2025-06-18")
    by_http, by_pipe = Call("tcp", 1, 0, exchange), new()
    assert (by_http.awaits_write, by_pipe.awaits_write) == (True, False)
    exchange.over, by_pipe.writing = True, True
    assert (by_http.awaits_write, by_pipe.awaits_write) == (False, True)


def test_the_protocol_version_is_what_was_agreed_on_else_what_the_request_says() -> None:
    exchange = Exchange(Context(), "1.1", None, "session", "2024-11-05")
    call = Call("tcp", 1, 0, exchange)
    assert call.protocol_version == "2024-11-05"
    call.session = call_module.Session(version="2025-03-26")
    assert call.protocol_version == "2025-03-26"
    call.version = "2025-06-18"
    assert call.protocol_version == "2025-06-18"
    assert (new().protocol_version, new().session_id, call.session_id) == (None, None, "session")


@pytest.mark.parametrize(
    ("facts", "code", "result", "outcome"),
    [
        ({}, None, {}, SERVED),
        ({}, None, {"isError": True}, SERVED),
        ({"method": "tools/call"}, None, {"isError": True}, Outcome("tool", "tool_error")),
        ({"method": "tools/call", "at_fault": "caller"}, None, {"isError": True}, Outcome("caller", "tool_error")),
        ({"method": "tools/call"}, None, {"isError": "true"}, SERVED),
        ({"method": "tools/call"}, None, None, SERVED),
        ({}, -32700, None, Outcome("caller", None, -32700)),
        ({}, -32600, None, Outcome("caller", None, -32600)),
        ({}, -32601, None, Outcome("caller", None, -32601)),
        ({}, -32602, None, Outcome("caller", None, -32602)),
        ({}, -32002, None, Outcome("caller", None, -32002)),
        ({}, -32603, None, Outcome("server", "-32603", -32603)),
        ({}, 0, None, Outcome("server", "0", 0)),
        ({"at_fault": "caller"}, 0, None, Outcome("caller", "0", 0)),
        ({"cancelled": True}, 0, None, Outcome("caller", "cancelled", 0)),
        ({}, -32800, None, Outcome("caller", "cancelled", -32800)),
        ({"closed": True}, -32000, None, Outcome("caller", "closed", -32000)),
    ],
)
def test_an_answer_is_classified_by_the_table(
    facts: dict[str, Any], code: int | None, result: object, outcome: Outcome
) -> None:
    call = new()
    for name, value in facts.items():
        setattr(call, name, value)
    assert Outcome.of(call, code, result) == outcome


@pytest.mark.parametrize(
    ("request_id", "cancelled", "outcome"),
    [
        (None, False, SERVED),
        (7, False, Outcome("caller", "closed")),
        (0, False, Outcome("caller", "closed")),
        (7, True, Outcome("caller", "cancelled")),
    ],
)
def test_what_ends_without_an_answer_is_a_notification_or_given_up(
    request_id: object, cancelled: bool, outcome: Outcome
) -> None:
    call = new()
    call.request_id, call.cancelled = request_id, cancelled
    assert Outcome.unanswered(call) == outcome
