"""A client that resumes hears again what it missed; for us each message was one message, answered once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

import anyio
import pytest

from mcp_otel.event import Event
from mcp_otel.seams import resuming
from tests.promises import hosts, messages
from tests.promises.watching import Watched, watching
from tests.streams.store import event_store
from tests.streams.visits import Browser, Visit, streaming

POLLED = "2025-11-25"
"""The version from which on a stream begins with an event that primes its client to resume."""


class Patient:
    """A server with a tool that waits for `go` and then answers; to `close` its stream before, it waits for `shut`."""

    def __init__(self) -> None:
        self.go, self.shut, self.begun = anyio.Event(), anyio.Event(), anyio.Event()
        self.server = hosts.high_level(hosts.Waiting())
        line = import_module("mcp.server.fastmcp" if hosts.LINE == 1 else "mcp.server.mcpserver")

        async def patient(close: bool, context: Any) -> str:
            await context.report_progress(1, 2)
            if close:
                await self.shut.wait()
                await context.close_sse_stream()
            self.begun.set()
            await self.go.wait()
            await context.report_progress(2, 2)
            return "at last"

        patient.__annotations__["context"] = line.Context
        self.server.tool(name="patient", structured_output=False)(patient)


def hear(told: Callable[[Patient, Browser, Watched], Awaitable[Any]]) -> tuple[list[Event], Watched]:
    """The server's events while `told` happens, after the greetings, and what else was said."""
    events: list[Event] = []

    async def main() -> None:
        patient = Patient()
        async with streaming(patient.server, event_store=event_store()) as browser:
            await browser.hello(POLLED)
            await told(patient, browser, watched)

    with watching() as watched:
        watched.recorder.sinks.append(events.append)
        anyio.run(main)
        assert dict(watched.totals.failures) == {}
        assert watched.recorder.live.requests == {}
    served = [event for event in events if event.side == "server" and event.target is not None]
    return served, watched


def call(close: bool = False) -> messages.Message:
    return messages.call(5, "patient", {"progressToken": "p"}, close=close)


def size(visit: Visit) -> int:
    """Bytes of the JSON-RPC messages that a visit has heard."""
    return sum(len(each["data"].encode()) for each in visit.events if each.get("event") == "message")


def last(visit: Visit) -> str:
    """The id of the last event that it heard."""
    return [each["id"] for each in visit.events if "id" in each][-1]


def answers(visit: Visit) -> list[Any]:
    """The answers among what it heard."""
    return [each["result"]["content"][0]["text"] for each in visit.messages if "result" in each]


@pytest.mark.parametrize("close", [False, True], ids=["the client went away", "the server closed the stream"])
def test_a_call_whose_client_resumes_has_one_span_with_its_answer_and_each_byte_once(close: bool) -> None:
    async def told(patient: Patient, browser: Browser, watched: Watched) -> None:
        before = watched.totals.bytes["sent"]
        post = browser.visit("POST", call(close))
        await post.until(lambda visit: visit.messages)
        patient.shut.set()
        await patient.begun.wait()
        if not close:
            post.leave()
        await post.ended()
        assert watched.recorder.live.in_flight([]) != {}
        resumed = await browser.listen(last_event_id=last(post))
        await anyio.wait_all_tasks_blocked()
        assert watched.recorder.live.streams.levels()["resumed"][0] == 1
        patient.go.set()
        await resumed.until(answers)
        assert answers(resumed) == ["at last"]
        assert [each["method"] for each in (*post.messages, *resumed.messages) if "method" in each] == [
            "notifications/progress",
            "notifications/progress",
        ]
        assert watched.totals.bytes["sent"] - before == size(post) + size(resumed)
        resumed.leave()
        await resumed.ended()
        assert watched.recorder.live.streams.ended["resumed", "disconnect"] == 1

    (event,), watched = hear(told)
    assert (event.method, event.target, event.fault, event.error, event.code) == (
        "tools/call",
        "patient",
        None,
        None,
        None,
    )
    assert "write" not in event.phases  # its own POST had nothing left to write by
    assert [span.name for span in watched.servers].count("tools/call patient") == 1
    assert {span.status.status_code.name for span in watched.servers} == {"UNSET"}


def test_an_answer_that_came_while_nobody_listened_is_counted_when_it_is_first_sent() -> None:
    async def told(patient: Patient, browser: Browser, watched: Watched) -> None:
        before = watched.totals.bytes["sent"]
        post = browser.visit("POST", call(close=True))
        await post.until(lambda visit: visit.messages)
        patient.shut.set()
        await post.ended()
        patient.go.set()
        await anyio.wait_all_tasks_blocked()
        assert watched.totals.bytes["sent"] - before == size(post)
        first = await browser.listen(last_event_id=last(post))
        await first.until(answers)
        assert watched.totals.bytes["sent"] - before == size(post) + size(first)
        first.leave()
        await first.ended()
        again = await browser.listen(last_event_id=last(post))
        await again.until(answers)
        assert size(again) == size(first)
        assert watched.totals.bytes["sent"] - before == size(post) + size(first)
        again.leave()
        await again.ended()

    events, _ = hear(told)
    assert [(event.target, event.fault) for event in events] == [("patient", None)]


def test_what_was_answered_and_is_replayed_is_no_second_answer() -> None:
    async def told(patient: Patient, browser: Browser, watched: Watched) -> None:
        patient.go.set()
        before = watched.totals.bytes["sent"]
        post = await browser.ask(call())
        primes = post.events[0]
        assert primes.get("event") is None
        replay = await browser.listen(last_event_id=primes["id"])
        await replay.until(answers)
        assert answers(post) == answers(replay) == ["at last"]
        assert watched.totals.bytes["sent"] - before == size(post)
        replay.leave()
        await replay.ended()

    events, _ = hear(told)
    (event,) = events
    assert {"encode", "write"} <= set(event.phases)
    assert event.sent is not None
    assert event.fault is None


def test_a_call_that_is_cancelled_while_its_client_is_away_is_cancelled() -> None:
    async def told(patient: Patient, browser: Browser, watched: Watched) -> None:
        post = browser.visit("POST", call(close=True))
        await post.until(lambda visit: visit.messages)
        patient.shut.set()
        await post.ended()
        await browser.ask(messages.notice("notifications/cancelled", requestId=5, reason="enough"))
        await anyio.wait_all_tasks_blocked()  # the SDK loses what comes between its replay and its live tail
        resumed = await browser.listen(last_event_id=last(post))
        await resumed.until(lambda visit: [each for each in visit.messages if "error" in each])
        resumed.leave()
        await resumed.ended()

    events, _ = hear(told)
    assert [(event.target, event.fault, event.error) for event in events] == [("patient", "caller", "cancelled")]


class _Event:
    def __init__(self, event_id: str | None) -> None:
        self.event_id, self.message = event_id, "message"


def test_only_so_many_events_are_remembered() -> None:
    class Transport:
        pass

    transport = Transport()
    assert resuming.fresh(transport, _Event(None)) == "message"
    assert vars(transport) == {}
    for number in range(resuming.MAX_REMEMBERED):
        assert resuming.fresh(transport, _Event(str(number))) == "message"
    assert resuming.fresh(transport, _Event("0")) is None
    assert resuming.fresh(transport, _Event("one more")) == "message"
    assert resuming.fresh(transport, _Event("1")) is None
    assert resuming.fresh(transport, _Event("0")) == "message"
    assert len(vars(transport)["_mcp_otel_encoded"]) == resuming.MAX_REMEMBERED
