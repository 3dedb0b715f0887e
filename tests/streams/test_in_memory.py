"""Streams that somebody else has made: each message is exactly one event, and what has no bytes has no such phases."""

from __future__ import annotations

import json
import warnings
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

import anyio
import pytest

from mcp_otel.event import Event
from tests.promises import hosts, messages
from tests.promises.watching import Watched, watching

BYTES = {"decode", "write"}
SAID = [
    ("initialize", None, None),
    ("notifications/initialized", None, None),
    ("ping", None, None),
    ("tools/call", "echo", None),
    ("tools/list", None, None),  # a client of the SDK looks for itself what its results should be like
    ("tools/call", "progress", None),
    ("tools/call", "crash", "tool"),
    ("tools/call", "_other", "caller"),
]


def hear(told: Callable[[Any], Awaitable[Any]]) -> tuple[list[Event], Watched]:
    """The server's events while `told` happens to a server of the high level."""
    events: list[Event] = []

    async def main() -> None:
        await told(hosts.high_level(hosts.Waiting()))

    with watching() as watched:
        watched.recorder.sinks.append(events.append)
        anyio.run(main)
        assert dict(watched.totals.failures) == {}
        assert watched.recorder.live.requests == {}
        assert watched.recorder.live.sessions == {}
    served = [event for event in events if event.side == "server"]
    assert len([span for span in watched.servers if span.name != "elicitation/create"]) == len(served)
    return served, watched


def said(events: list[Event]) -> list[tuple[str, str | None, str | None]]:
    """What the events say, in the order in which their messages came."""
    ordered = sorted(events, key=lambda event: event.start)
    return [(event.method, event.target, event.fault) for event in ordered if event.method != "server/discover"]


def without_bytes(events: list[Event]) -> None:
    """Nothing that only bytes have is on any of them, not even as 0."""
    assert {(event.transport, event.received, event.sent, event.session) for event in events} == {(None,) * 4}
    assert {(event.http_version, event.client_address) for event in events} == {(None, None)}
    for event in events:
        assert BYTES.isdisjoint(event.phases), event.method
        assert all(seconds > 0 for seconds in event.phases.values()), event.method
        assert "handler" in event.phases or event.method == "initialize"
        assert sum(event.phases.values()) == pytest.approx(event.duration, abs=0.002), event.method


async def talk(session: Any) -> None:
    """What every client here says, once it is greeted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is no more from protocol 2026-07-28 on
        await session.send_ping()
    await session.call_tool("echo", {"text": "x"})
    await session.call_tool("progress", {"steps": 2})
    await session.call_tool("crash", {"text": "x"})
    await session.call_tool("nobody", {})


async def by_streams(server: Any) -> None:
    """Over the pair of streams that the SDK makes in memory, with a session made by hand."""
    lowest = hosts.low_level(server)
    memory, client = import_module("mcp.shared.memory"), import_module("mcp").ClientSession
    async with (
        memory.create_client_server_memory_streams() as (mine, its),
        anyio.create_task_group() as tasks,
        client(*mine) as session,
    ):
        tasks.start_soon(lowest.run, *its, lowest.create_initialization_options())
        await session.initialize()
        await talk(session)
        tasks.cancel_scope.cancel()


async def by_plain_streams(server: Any) -> None:
    """Over streams of anyio that an application has made for a transport of its own."""
    lowest, client = hosts.low_level(server), import_module("mcp").ClientSession
    to_server, from_client = anyio.create_memory_object_stream[Any](1)
    to_client, from_server = anyio.create_memory_object_stream[Any](1)
    async with (
        to_server,
        from_client,
        to_client,
        from_server,
        anyio.create_task_group() as tasks,
        client(from_server, to_server) as session,
    ):
        tasks.start_soon(lowest.run, from_client, to_client, lowest.create_initialization_options())
        await session.initialize()
        await talk(session)
        tasks.cancel_scope.cancel()


async def connected(server: Any) -> None:
    """By the shortest way that each line has for tests."""
    if hosts.LINE == 1:
        connect = import_module("mcp.shared.memory").create_connected_server_and_client_session
        async with connect(hosts.low_level(server)) as session:
            await talk(session)
    else:
        async with import_module("mcp").Client(server, mode="legacy") as client:
            await talk(client)


@pytest.mark.parametrize("told", [by_streams, by_plain_streams, connected])
def test_each_message_is_one_event_without_bytes(told: Callable[[Any], Awaitable[Any]]) -> None:
    events, watched = hear(told)
    assert said(events) == SAID
    without_bytes(events)
    assert watched.totals.bytes == {"received": 0, "sent": 0}
    assert dict(watched.totals.opened) == {"mcp": 1}
    assert sum(watched.totals.ended.values()) == 1


@pytest.mark.skipif(hosts.LINE == 1, reason="the direct dispatcher came with 2.x")
def test_a_direct_dispatcher_has_one_event_for_each_call_of_its_client() -> None:
    async def told(server: Any) -> None:
        async with import_module("mcp").Client(server) as client:
            await client.call_tool("echo", {"text": "x"})
            await client.call_tool("progress", {"steps": 2})
            await client.call_tool("crash", {"text": "x"})
            await client.call_tool("nobody", {})

    events, watched = hear(told)
    assert said(events) == SAID[3:]
    without_bytes(events)
    assert watched.totals.bytes == {"received": 0, "sent": 0}


@pytest.mark.skipif(hosts.LINE == 2, reason="the WebSocket transport left with 1.x")
def test_messages_over_a_websocket_are_one_event_each() -> None:
    """It was never part of the protocol: its streams are like any that an application makes."""
    heard: list[dict[str, Any]] = []

    async def told(server: Any) -> None:
        lowest = hosts.low_level(server)
        module = import_module("mcp.server.websocket")
        to_server, from_client = anyio.create_memory_object_stream[Any](10)
        changed = anyio.Event()

        async def send(event: Any) -> None:
            nonlocal changed
            if event["type"] == "websocket.send":
                heard.append(json.loads(event["text"]))
                before, changed = changed, anyio.Event()
                before.set()

        async def serve() -> None:
            scope = {"type": "websocket", "path": "/", "headers": [], "subprotocols": ["mcp"]}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                served = module.websocket_server(scope, from_client.receive, send)
            async with served as (read, write):
                await lowest.run(read, write, lowest.create_initialization_options())

        async def say(message: Any) -> None:
            await to_server.send({"type": "websocket.receive", "text": json.dumps(message)})

        async with to_server, from_client, anyio.create_task_group() as tasks:
            tasks.start_soon(serve)
            await to_server.send({"type": "websocket.connect"})
            for message in (*messages.HELLO, messages.request(1, "ping"), messages.call(2, "echo", text="x")):
                await say(message)
            with anyio.fail_after(messages.PATIENCE):
                while len(heard) < 3:
                    await changed.wait()
            await to_server.send({"type": "websocket.disconnect", "code": 1000})

    events, _ = hear(told)
    assert said(events) == SAID[:4]
    assert [each["id"] for each in heard] == [0, 1, 2]
    without_bytes(events)


def test_a_call_that_is_cancelled_before_its_turn_is_cancelled_and_one_event() -> None:
    """The server has the notice while the handler of the call has not begun."""
    events: list[Event] = []

    async def told() -> None:
        waiting = hosts.Waiting()
        async with hosts.piped(hosts.high_level(waiting)) as pipe:
            await pipe.ask(messages.HELLO[0])
            await pipe.say(messages.HELLO[1])
            await pipe.say(messages.SLOW)
            await pipe.say(messages.CANCEL)
            await pipe.ask(messages.AFTERWARDS)
            assert waiting.ended in ([], ["cancelled"])

    with watching() as watched:
        watched.recorder.sinks.append(events.append)
        anyio.run(told)
        assert watched.recorder.live.requests == {}
        assert dict(watched.totals.failures) == {}
    slow = [event for event in events if event.target == "slow"]
    assert [(event.fault, event.error) for event in slow] == [("caller", "cancelled")]
    assert [event.method for event in events].count("notifications/cancelled") == 1
