"""A client of the old HTTP+SSE transport: where it talks to, and in which session, is on every message it sends."""

from __future__ import annotations

import logging
from hashlib import sha256
from importlib import import_module
from typing import Any

import anyio

from mcp_otel.event import Event
from tests.contract.doors import DOORS, FORMS, open_door
from tests.promises.watching import watching
from tests.sse_wire import SseWire

SAID = [("initialize", None), ("notifications/initialized", None), ("tools/list", None), ("tools/call", "echo")]


def talk(url: str) -> tuple[list[Event], str]:
    """The events of a client that has said a few things to the server at `url`, and the id of its session."""
    events: list[Event] = []
    sessions: list[str] = []

    async def told() -> None:
        connect: Any = import_module("mcp.client.sse").sse_client
        async with (
            connect(url, on_session_created=sessions.append) as (read, write),
            import_module("mcp").ClientSession(read, write) as session,
        ):
            await session.initialize()
            await session.list_tools()
            assert (await session.call_tool("echo", {"text": "x"})).content[0].text == "x"

    logging.getLogger("httpx").setLevel(logging.WARNING)
    with watching() as watched:
        watched.recorder.sinks.append(events.append)
        anyio.run(told)
        assert dict(watched.totals.failures) == {}
        spans = [span for span in watched.spans if span.kind.name == "CLIENT"]
        assert len(spans) == len(events)
    return events, sessions[0]


def test_each_message_of_a_client_says_where_its_server_is_and_whose_session_it_is() -> None:
    with open_door(FORMS[1], DOORS["sse"]) as opened:
        assert isinstance(opened.wire, SseWire)
        port = opened.wire.socket.getpeername()[1]
        events, session = talk(f"http://127.0.0.1:{port}/sse")
    assert [(event.method, event.target) for event in events] == SAID
    assert {(event.side, event.transport, event.server_address, event.server_port) for event in events} == {
        ("client", "tcp", "127.0.0.1", port)
    }
    assert {event.session for event in events} == {sha256(session.encode()).hexdigest()[:16]}
    assert {event.fault for event in events} == {None}
