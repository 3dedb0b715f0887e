"""The old HTTP+SSE transport: all answers go by one GET, and each message is still an event of its own."""

from __future__ import annotations

import gc
import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from opentelemetry import trace

from mcp_otel.event import Event
from mcp_otel.recorder import Recorder, current
from mcp_otel.seams.sse import EventStream, opening, posts
from mcp_otel.seams.stdio import arriving
from mcp_otel.settings import Settings
from tests.promises import breakage, hosts, messages
from tests.promises.originals import Originals
from tests.promises.test_nothing_is_kept import alive
from tests.promises.watching import providers, start, watching
from tests.streams.visits import SseBrowser, listening

TOLD = (*messages.STORY, messages.AFTERWARDS)


def hear(told: Callable[[SseBrowser], Awaitable[Any]], waiting: hosts.Waiting | None = None) -> list[Event]:
    """The events of the server while `told` happens, after the greetings."""
    events: list[Event] = []

    async def run() -> None:
        async with listening(hosts.high_level(waiting or hosts.Waiting())) as browser:
            await browser.hello()
            await told(browser)

    with watching() as watched:
        watched.recorder.sinks.append(events.append)
        anyio.run(run)
        assert dict(watched.totals.failures) == {}
        assert watched.recorder.live.requests == {}
    greetings = ("initialize", "notifications/initialized")
    return [event for event in events if event.side == "server" and event.method not in greetings]


def test_a_call_says_what_both_of_its_connections_know() -> None:
    message = messages.call(7, "echo", text="grüß dich ✓")
    answers: list[Any] = []

    async def told(browser: SseBrowser) -> None:
        answers.append((await browser.ask(message), browser.session))

    (event,) = hear(told)
    answer, session = answers[0]
    assert (event.method, event.target, event.request_id, event.fault) == ("tools/call", "echo", "7", None)
    assert (event.transport, event.http_version, event.client_address, event.client_port) == (
        *("tcp", "1.1", "127.0.0.1"),
        4711,
    )
    assert event.protocol_version == messages.HANDSHAKE
    assert event.session is not None
    assert session not in repr(event)
    assert event.received == len(json.dumps(message, ensure_ascii=False).encode())
    assert event.sent == len(json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode())
    assert set(event.phases) == {"decode", "queue", "validate", "handler", "encode", "write"}
    assert sum(event.phases.values()) == pytest.approx(event.duration, abs=0.001)


def test_what_a_slow_reader_costs_is_the_write_of_each_answer_in_its_order() -> None:
    async def told(browser: SseBrowser) -> None:
        browser.stream.hold()
        for number in (1, 2, 3):
            await browser.post(messages.call(number, "echo", text=str(number))).ended()
        await anyio.sleep(0.2)  # whose time this is, is told by the phases
        browser.stream.open.set()
        for number in (1, 2, 3):
            await browser.answer(number)

    events = hear(told)
    assert [event.request_id for event in events] == ["1", "2", "3"]
    assert {event.fault for event in events} == {None}
    assert all(event.phases["write"] > 0.15 for event in events)
    assert all(event.phases["handler"] < 0.1 for event in events)


def test_an_answer_that_nobody_is_left_to_read_has_its_one_event_and_no_write() -> None:
    async def told(browser: SseBrowser) -> None:
        browser.stream.hold()
        await browser.post(messages.call(1, "echo", text="lost")).ended()
        await anyio.wait_all_tasks_blocked()
        browser.stream.leave()
        await anyio.wait_all_tasks_blocked()

    (event,) = hear(told)
    assert (event.request_id, event.fault) == ("1", None)
    assert "encode" in event.phases


def test_a_call_whose_client_leaves_is_closed() -> None:
    waiting = hosts.Waiting()

    async def told(browser: SseBrowser) -> None:
        await browser.post(messages.SLOW).ended()
        await waiting.started.wait()
        browser.stream.leave()
        await browser.stream.ended()

    (event,) = hear(told, waiting)
    assert (event.method, event.target, event.fault, event.error) == ("tools/call", "slow", "caller", "closed")
    assert waiting.ended == ["cancelled"]


def test_progress_goes_by_the_stream_and_is_the_calls_own() -> None:
    heard: list[Any] = []

    async def told(browser: SseBrowser) -> None:
        await browser.ask(messages.call(12, "progress", {"progressToken": "p"}, steps=3))
        heard.extend(browser.stream.messages)

    (event,) = hear(told)
    assert [each["params"]["progress"] for each in heard if each.get("method") == "notifications/progress"] == [1, 2, 3]
    assert event.sent == len(json.dumps(heard[-1], separators=(",", ":")).encode())


def test_a_session_and_its_stream_are_counted_when_they_open_and_when_they_end() -> None:
    gone: list[tuple[str, str]] = []

    async def told() -> None:
        async with listening(hosts.high_level(hosts.Waiting())) as browser:
            watched.recorder.gone = lambda each, kind: gone.append((type(each).__name__, kind))  # type: ignore[method-assign]
            await browser.hello()
            assert watched.recorder.live.session_states()["active"] == 1
            assert watched.recorder.live.streams.levels()["sse"][0] == 1

    with watching() as watched:
        anyio.run(told)
        assert (dict(watched.totals.opened), dict(watched.totals.ended)) == ({"raw": 1}, {"disconnect": 1})
        assert watched.recorder.live.streams.levels() == {"sse": (0, 0.0)}
        assert watched.recorder.live.streams.ended["sse", "disconnect"] == 1
    assert [each for each, kind in gone if kind == "session"] == ["ServerSession" if hosts.LINE == 1 else "Connection"]


def test_nothing_is_left_of_a_session_that_is_over(before: Originals) -> None:
    left: list[Any] = []

    async def told() -> None:
        async with listening(hosts.high_level(hosts.Waiting())) as browser:
            await browser.hello()
            for message in TOLD:
                await browser.ask(message)
        left.extend(each.get() for each in (current, arriving, posts, opening))
        left.append(trace.get_current_span().get_span_context().is_valid)

    then = alive()
    with watching():
        anyio.run(told)
        gc.collect()
        assert not alive() - then
    assert left == [None, None, None, None, False]


def tell() -> list[str]:
    """What is on the stream at the end of the story."""

    async def told() -> list[str]:
        waiting = hosts.Waiting()
        async with listening(hosts.high_level(waiting)) as browser:
            await browser.hello()
            for message in TOLD:
                await browser.ask(message)
            refused = await browser.visit("POST", query=f"session_id={browser.session}").ended()
            assert refused.status == 400
            await browser.post(messages.SLOW).ended()
            await waiting.started.wait()
            await browser.ask(messages.CANCEL)
            await browser.ask(messages.request(41, "ping"))
            assert waiting.ended == ["cancelled"]
        return [event["data"] for event in browser.stream.events if event.get("event") == "message"]

    return [hosts.PROPAGATED.sub(b"", data.encode()).decode() for data in anyio.run(told)]


@pytest.fixture(scope="module")
def heard() -> list[str]:
    return tell()


OURS = ("seams.sse:", "seams.listening:", "seams.stdio:", "streams:", "signals.streams:")
TARGETS = {name: each for name, each in breakage.targets().items() if name.startswith(OURS)}


@pytest.mark.parametrize("name", sorted(TARGETS.keys() - breakage.CARRIERS))
def test_a_server_answers_the_same_when_ours_raises(name: str, before: Originals, heard: list[str]) -> None:
    with providers() as watched, breakage.broken(TARGETS[name]):
        start(watched)
        at_start = len(breakage.strikes)
        assert tell() == heard
        struck = len(breakage.strikes) > at_start
        watched.collect()
        assert not struck or sum(watched.totals.failures.values()) > 0


def test_the_story_is_the_same_with_us_and_every_message_has_its_span(before: Originals, heard: list[str]) -> None:
    with watching() as watched:
        assert tell() == heard
        assert watched.lines == []
        assert sum(watched.totals.failures.values()) == 0
        assert len(watched.servers) == 2 + len(TOLD) + 3


def sent(events: EventStream) -> Callable[..., Awaitable[Any]]:
    async def send(_: Any) -> None: ...

    return events.sending(send)


def test_only_what_carries_a_message_takes_its_turn_and_what_is_never_seen_is_not_kept() -> None:
    recorder, ended = Recorder(Settings()), list[str | None]()
    recorder.sinks.append(lambda event: ended.append(event.request_id))
    events = EventStream(recorder)

    def encoded(request_id: int) -> None:
        call = recorder.arrive("tcp", 10)
        recorder.open(call, "ping", None, request_id)
        recorder.answer(call, result={})
        events.encode(call)

    async def told() -> None:
        send = sent(events)
        encoded(1)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for body in (b"event: endpoint\r\ndata: /x\r\n\r\n", b": ping\r\n\r\n", b""):
            await send({"type": "http.response.body", "body": body})
        assert ended == []
        await send({"type": "http.response.body", "body": b"event: message\r\ndata: {}\r\n\r\n"})
        assert ended == ["1"]
        events.encode(None)
        encoded(2)
        await send({"type": "http.response.body", "body": b"event: message\r\ndata: {}\r\n\r\n"})
        assert ended == ["1"]
        for number in (3, 4, 5):
            encoded(number)  # whoever sends no longer says so
        assert ended == ["1", "2", "3"]
        events.close()

    anyio.run(told)
    assert ended == ["1", "2", "3", "4", "5"]
