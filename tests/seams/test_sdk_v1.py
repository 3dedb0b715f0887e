"""The 1.x line: each wire message is one event, through each transport, with the phases that it has."""

from __future__ import annotations

import json
from dataclasses import is_dataclass
from importlib import import_module
from typing import Any

import anyio
import pytest

from mcp_otel.event import Event
from tests.promises import hosts, messages
from tests.promises.watching import watching
from tests.seams.told import ALL, NOTICED, TABLE, Said, by_id, hear, notices, sizes

pytestmark = pytest.mark.skipif(hosts.LINE != 1, reason="the installed SDK is no 1.x")

ONLY_HERE = {
    "11": Said("_other", None, "caller", None, -32602, ALL - {"handler"}),  # answered by the receive loop
    "13": Said("resources/read", None, "server", "0", 0),
    "30": Said("tools/call", "slow", "caller", "cancelled", 0),
}


@pytest.mark.parametrize("door", ["pipe", "http"])
def test_every_message_is_one_event(door: str) -> None:
    events, watched = hear(door)
    assert by_id(events) == {**TABLE, **ONLY_HERE}
    assert notices(events) == [
        Said("notifications/initialized", phases=NOTICED),
        Said("notifications/cancelled", phases=NOTICED - {"handler"}),
    ]
    assert {(event.transport, event.http_version, event.protocol_version) for event in events} == {
        ("pipe" if door == "pipe" else "tcp", None if door == "pipe" else "1.1", messages.HANDSHAKE)
    }
    assert len(watched.servers) == len(events)
    assert dict(watched.totals.ended) == {"disconnect" if door == "pipe" else "delete": 1}
    assert dict(watched.totals.opened) == {"raw": 1}


def test_bytes_are_those_on_the_wire() -> None:
    message = messages.call(1, "echo", text="grüß dich ✓")
    event, answer = sizes(lambda pipe: pipe.ask(message))
    assert event.received == len(json.dumps(message, ensure_ascii=False).encode())
    assert event.sent == len(answer.rstrip(b"\n"))


def low_level() -> Any:
    """A low-level server, whose arguments and results jsonschema checks."""
    types: Any = import_module("mcp.types")
    server: Any = import_module("mcp.server.lowlevel").Server("low")
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}

    async def list_tools() -> Any:
        return [types.Tool(name="same", inputSchema=schema, outputSchema=schema)]

    async def call_tool(name: str, arguments: dict[str, Any]) -> Any:
        return {"a": arguments["a"] if arguments["a"] >= 0 else "negative"}

    server.list_tools()(list_tools)
    server.call_tool()(call_tool)
    server._mcp_server = server
    return server


def test_a_low_level_servers_arguments_are_the_callers_and_its_results_are_its_own() -> None:
    events: list[Event] = []
    calls = (
        messages.call(1, "same", a=1),
        messages.call(2, "same", a="one"),
        messages.call(3, "same", a=-1),
    )

    async def told() -> list[bytes]:
        async with hosts.piped(low_level()) as pipe:
            await pipe.ask(messages.HELLO[0])
            await pipe.say(messages.HELLO[1])
            return [await pipe.ask(message) for message in calls]

    bare = anyio.run(told)
    with watching() as watched:
        watched.recorder.sinks.append(events.append)
        assert anyio.run(told) == bare
        assert watched.lines == []
    found = by_id(events)
    assert {each: found[each][:5] for each in "123"} == {
        "1": ("tools/call", "same", None, None, None),
        "2": ("tools/call", "same", "caller", "tool_error", None),
        "3": ("tools/call", "same", "tool", "tool_error", None),
    }
    assert all("validate" in found[each].phases for each in "123")


def test_a_name_that_a_low_level_server_never_lists_is_not_said_even_if_its_handler_takes_it() -> None:
    events: list[Event] = []

    async def told() -> None:
        async with hosts.piped(low_level()) as pipe:
            await pipe.ask(messages.HELLO[0])
            await pipe.say(messages.HELLO[1])
            await pipe.ask(messages.request(1, "tools/list"))
            await pipe.ask(messages.call(2, "private words", a=1))

    with watching() as watched:
        watched.recorder.sinks.append(events.append)
        anyio.run(told)
    assert by_id(events)["2"].target == "_other"


def test_a_session_message_is_still_the_sdks_own_kind() -> None:
    module, shared = import_module("mcp.server.stdio"), import_module("mcp.shared.message")
    with watching():
        made = module.SessionMessage("message", metadata="metadata")
        assert isinstance(made, shared.SessionMessage)
        assert is_dataclass(made)
        assert (made.message, made.metadata, made) == (
            "message",
            "metadata",
            module.SessionMessage("message", "metadata"),
        )
    assert module.SessionMessage is shared.SessionMessage


def test_a_session_that_is_made_with_keywords_is_seen_as_any_other() -> None:
    session: Any = import_module("mcp.server.session").ServerSession
    options = low_level().create_initialization_options()

    async def made() -> None:
        (send, read), (write, receive) = (anyio.create_memory_object_stream[Any](0) for _ in "io")
        async with send, receive, session(read_stream=read, write_stream=write, init_options=options):
            pass

    with watching() as watched:
        anyio.run(made)
        assert (watched.recorder.server_name, dict(watched.totals.failures)) == ("low", {})
