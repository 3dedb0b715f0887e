"""Calls in, events out: each once, finished, and whatever goes wrong is swallowed, counted and said once."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter_ns
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from mcp_otel.call import DECODE, HANDLER, QUEUE, WRITE, Call, Session
from mcp_otel.event import Event
from mcp_otel.live import MAX_SESSIONS
from mcp_otel.methods import OTHER
from mcp_otel.recorder import Recorder, current, never_raises
from mcp_otel.settings import Settings
from mcp_otel.signals.spans import Spans
from tests.signals.events import CALLED

BARE = CALLED._replace(
    session=None, protocol_version=None, transport="pipe", http_version=None, client_address=None, client_port=None,
    start=0, duration=0.0, phases={}, cpu={}, laps=(), received=100, sent=None,
)  # fmt: skip


class Kept:
    """A recorder whose events and spans are kept."""

    def __init__(self, **given: Any) -> None:
        self.recorder = Recorder(Settings(**given))
        self.events: list[Event] = []
        self.recorder.sinks.append(self.events.append)
        self.exporter, self.provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.recorder.spans = Spans(self.provider.get_tracer("test"))

    def tell(
        self, method: str = "tools/call", name: str | None = "add", request_id: object = 7, **answer: Any
    ) -> Event:
        """One message from its arrival to its end; by default served."""
        call = self.recorder.arrive("pipe", 100)
        call.lap(DECODE)
        self.recorder.open(call, method, {"name": name}, request_id)
        call.lap(QUEUE)
        entered = self.recorder.enter(call)
        self.recorder.leave(entered)
        if request_id is not None:
            self.recorder.answer(call, **(answer or {"result": {}}))
        self.recorder.handled(call)
        return self.events[-1]

    @property
    def spans(self) -> list[str]:
        return [span.name for span in self.exporter.get_finished_spans()]


@pytest.fixture
def kept() -> Iterator[Kept]:
    made = Kept()
    yield made
    made.provider.shutdown()


def test_a_message_becomes_one_event_and_one_span(kept: Kept) -> None:
    kept.recorder.learn("tool", ["add"])
    event = kept.tell()
    assert event._replace(start=0, duration=0.0, phases={}, cpu={}, laps=(), request_id="7", on_loop=0.002) == BARE
    assert set(event.phases) == {"decode", "queue", "handler"}
    assert sum(event.phases.values()) <= event.duration
    assert len(kept.events) == 1
    assert [span for span in kept.spans if span.startswith("tools")] == ["tools/call add"]
    assert kept.recorder.totals.tallies["tools/call", "add"].calls == 1


def test_a_call_ends_once_however_often_it_is_told_so(kept: Kept) -> None:
    call = kept.recorder.arrive()
    kept.recorder.open(call, "ping", None, 1)
    for _ in range(3):
        kept.recorder.end(call)
        kept.recorder.handled(call)
    assert len(kept.events) == 1


def test_a_call_that_was_written_ends_with_the_write_and_its_phases_fill_it(kept: Kept) -> None:
    call = kept.recorder.arrive("pipe", 100)
    kept.recorder.open(call, "ping", None, 7)
    call.lap(WRITE)
    until = perf_counter_ns() + 5_000_000
    while perf_counter_ns() < until:
        pass  # as a garbage collection would
    kept.recorder.end(call)
    (event,) = kept.events
    assert event.duration == pytest.approx(event.phases["write"], abs=1e-9)


def test_what_was_never_opened_is_no_event(kept: Kept) -> None:
    kept.recorder.end(kept.recorder.arrive("pipe", 9))
    assert (kept.events, kept.recorder.totals.bytes["received"]) == ([], 9)


def test_the_first_answer_counts(kept: Kept) -> None:
    call = kept.recorder.arrive()
    kept.recorder.open(call, "ping", None, 1)
    kept.recorder.answer(call, code=-32603)
    kept.recorder.answer(call, result={})
    kept.recorder.end(call)
    assert (kept.events[0].fault, kept.events[0].code) == ("server", -32603)


def test_a_call_whose_answer_a_transport_has_waits_for_its_write(kept: Kept) -> None:
    call = kept.recorder.arrive("pipe", 1)
    kept.recorder.open(call, "ping", None, 1)
    kept.recorder.answer(call, result={})
    call.writing = True
    kept.recorder.handled(call)
    assert kept.events == []
    kept.recorder.end(call)
    assert len(kept.events) == 1


def test_a_handler_sees_its_call_and_its_span_and_afterwards_neither(kept: Kept) -> None:
    call = kept.recorder.arrive()
    kept.recorder.open(call, "ping", None, 1)
    entered = kept.recorder.enter(call)
    assert (current.get(), trace.get_current_span()) == (call, call.span)
    kept.recorder.leave(entered)
    assert (current.get(), trace.get_current_span().get_span_context().is_valid) == (None, False)
    kept.recorder.leave(None)


def test_only_what_is_registered_is_named_and_success_does_not_register(kept: Kept) -> None:
    assert kept.tell(name="secret", code=-32602).target == OTHER
    assert kept.tell(name="secret", result={"isError": True}).target == OTHER
    assert kept.tell(name="secret").target == OTHER
    kept.recorder.learn("tool", ["add"])
    assert kept.tell(name="add", code=-32603).target == "add"


def test_a_listing_registers_what_it_lists(kept: Kept) -> None:
    kept.tell("tools/list", None, result={"tools": [{"name": "add"}, {"name": 7}, "odd", {}]})
    kept.tell("prompts/list", None, result={"prompts": [{"name": "greet"}]})
    kept.tell("tools/list", None, result={"tools": "odd"})
    assert kept.tell(name="add", code=0).target == "add"
    assert kept.tell("prompts/get", "greet", code=0).target == "greet"
    assert kept.tell(name="greet", code=0).target == OTHER
    assert dict(kept.recorder.totals.failures) == {}


@pytest.mark.parametrize(
    ("method", "said"), [("tools/call", "tools/call"), ("secret/words", OTHER), ("notifications/initialized",) * 2]
)
def test_a_method_outside_the_protocol_is_other(kept: Kept, method: str, said: str) -> None:
    event = kept.tell(method, None, None if method.startswith("notifications/") else 1)
    assert event.method == said


def test_a_request_id_is_said_as_text_and_bounded(kept: Kept) -> None:
    assert [kept.tell(request_id=each).request_id for each in (0, "7", "x" * 999)] == ["0", "7", "x" * 128]


def test_bytes_that_are_no_message_are_a_callers_fault_and_no_event(kept: Kept) -> None:
    kept.recorder.refuse(kept.recorder.arrive("pipe", 3))
    assert kept.events == []
    assert {key: dict(tally.faults) for key, tally in kept.recorder.totals.tallies.items()} == {
        (OTHER, None): {"caller": 1}
    }


def test_requests_in_flight_are_counted_until_they_end_and_streams_for_hours_are_not(kept: Kept) -> None:
    recorder = kept.recorder
    calls = [recorder.arrive() for _ in range(3)]
    for number, (call, method) in enumerate(zip(calls, ("ping", "ping", "subscriptions/listen"), strict=True)):
        recorder.open(call, method, None, number)
    assert {key: count for key, (count, _) in recorder.live.in_flight(()).items()} == {("ping", None): 2}
    assert recorder.live.oldest_age() > 0
    for call in calls:
        recorder.end(call)
    assert recorder.live.in_flight([("ping", None)]) == {("ping", None): (0, 0.0)}
    assert recorder.live.oldest_age() == 0.0


def test_sessions_open_once_end_once_and_are_active_while_they_are_used(kept: Kept) -> None:
    recorder, session = kept.recorder, Session("pipe")
    recorder.connections.close_session(session, "stop")
    for _ in range(2):
        recorder.connections.open_session(session, "client")
    assert recorder.live.session_states() == {"active": 1, "idle": 0}
    session.last -= 61_000_000_000
    assert recorder.live.session_states() == {"active": 0, "idle": 1}
    call = recorder.arrive()
    recorder.open(call, "ping", None, 1, session)
    assert recorder.live.session_states() == {"active": 1, "idle": 0}
    recorder.end(call)
    for _ in range(2):
        recorder.connections.close_session(session, "delete")
    assert (dict(recorder.totals.opened), dict(recorder.totals.ended)) == ({"client": 1}, {"delete": 1})
    assert recorder.live.session_states() == {"active": 0, "idle": 0}


def test_sessions_beyond_the_bound_are_dropped_and_counted(kept: Kept) -> None:
    kept.recorder.live.sessions = dict.fromkeys(range(MAX_SESSIONS), Session())
    kept.recorder.connections.open_session(Session(), "client")
    assert (len(kept.recorder.live.sessions), kept.recorder.totals.dropped["sessions"]) == (MAX_SESSIONS, 1)
    assert kept.recorder.totals.opened == {}


class Door:
    """What sessions come in by."""

    def __init__(self, most: int | None) -> None:
        self.most = most


def test_the_caps_of_all_doors_add_up_and_a_door_that_is_gone_counts_no_more(kept: Kept) -> None:
    def most(door: Door) -> tuple[int | None, float | None]:
        return door.most, None

    live, doors = kept.recorder.live, [Door(10), Door(5)]
    assert live.session_limit() is None
    for door in doors:
        kept.recorder.connections.admit(door, most)
    assert live.session_limit() == 15
    doors[0].most = 20
    assert live.session_limit() == 25
    doors[0].most = None
    assert live.session_limit() is None
    del door, doors[0]
    assert live.session_limit() == 5


def test_the_last_thing_said_before_the_end_is_that_nothing_more_will_be(kept: Kept) -> None:
    assert kept.recorder.level > 0
    kept.recorder.ending = True
    assert kept.recorder.level == 0


@pytest.mark.parametrize(
    ("given", "level", "spans"), [({}, 3, 1), ({"level": "metrics"}, 1, 0), ({"level": "off"}, 0, 0)]
)
def test_the_level_says_how_much_is_said(given: dict[str, Any], level: int, spans: int) -> None:
    kept = Kept(**given)
    kept.tell()
    assert kept.recorder.level == level
    assert len([name for name in kept.spans if name.startswith("tools/call")]) == spans
    assert len(kept.events) == 1


@pytest.mark.parametrize(
    ("given", "answer", "laps"),
    [
        ({"phase_spans": "all"}, {}, True),
        ({"phase_spans": "off"}, {}, False),
        ({"phase_spans": "slow", "slow_overhead": 10.0, "phase_sample": 1000}, {}, False),
        ({"phase_spans": "slow", "slow_overhead": 0.0, "phase_sample": 1000}, {}, True),
        ({"phase_spans": "slow", "slow_overhead": 10.0, "phase_sample": 1}, {}, True),
        ({"phase_spans": "slow", "slow_overhead": 10.0, "phase_sample": 1000}, {"code": -32603}, True),
    ],
)
def test_laps_are_kept_for_slow_and_failed_messages_and_one_in_so_many(
    given: dict[str, Any], answer: dict[str, Any], laps: bool
) -> None:
    assert bool(Kept(**given).tell(**answer).laps) is laps


def test_the_governors_step_down_takes_phase_spans_first_and_then_spans() -> None:
    kept = Kept(phase_spans="all", slow_overhead=10.0)
    kept.recorder.governor.level = 2
    assert (kept.tell().laps, kept.recorder.level, len(kept.spans)) == ((), 2, 1)
    kept.recorder.governor.level = 1
    assert (kept.tell().laps, kept.recorder.level, len(kept.spans)) == ((), 1, 1)


def test_nothing_the_host_gave_is_held_after_the_end(kept: Kept) -> None:
    call = kept.recorder.arrive()
    params, message = {"name": "add"}, object()
    kept.recorder.open(call, "tools/call", params, 1, Session())
    call.message = message
    kept.recorder.end(call)
    assert [name for name in Call.__slots__ if getattr(call, name) in (params, message)] == []


def test_providers_are_made_once_before_the_first_message_even_if_that_fails(kept: Kept) -> None:
    made: list[int] = []

    def prepare() -> None:
        made.append(1)
        raise OSError("no endpoint")

    kept.recorder.prepare = prepare
    assert [kept.tell("ping", None).method for _ in range(2)] == ["ping", "ping"]
    assert (made, kept.recorder.totals.failures["prepare"]) == ([1], 1)


@pytest.mark.parametrize("name", [None, "", 7, [], "first"])
def test_the_first_server_names_the_service(kept: Kept, name: Any) -> None:
    kept.recorder.name_server(name)
    kept.recorder.name_server("second")
    assert kept.recorder.server_name == ("first" if name == "first" else "second")


def test_a_failure_is_counted_each_time_and_said_once_by_its_kind(kept: Kept, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        kept.recorder.count_failure("part", ValueError("private words"))
    assert dict(kept.recorder.totals.failures) == {"part": 3}
    assert caplog.messages == ["mcp-otel failed in part with ValueError; the server is not affected"]


def test_a_guarded_method_answers_none_and_leaves_exits_alone(kept: Kept) -> None:
    @never_raises
    def part(_: Recorder, problem: BaseException) -> int:
        raise problem

    assert part(kept.recorder, ValueError()) is None
    assert dict(kept.recorder.totals.failures) == {"part": 1}
    with pytest.raises(KeyboardInterrupt):
        part(kept.recorder, KeyboardInterrupt())


def test_one_sink_that_raises_keeps_nothing_from_the_others(kept: Kept) -> None:
    def boom(_: Event) -> None:
        raise ValueError

    kept.recorder.sinks.insert(0, boom)
    kept.tell()
    assert (len(kept.events), kept.recorder.totals.failures["sinks"]) == (1, 1)


def test_what_it_costs_is_on_the_books(kept: Kept) -> None:
    kept.tell()
    assert {part for part, seconds in kept.recorder.totals.cost.items() if seconds > 0} == {"record", "seams"}


def test_a_waiting_handler_is_no_busy_one(kept: Kept) -> None:
    call = kept.recorder.arrive()
    kept.recorder.open(call, "ping", None, 1)
    call.wait()
    call.resume()
    call.lap(HANDLER)
    kept.recorder.end(call)
    assert set(kept.events[0].phases) == {"handler", "peer"}
