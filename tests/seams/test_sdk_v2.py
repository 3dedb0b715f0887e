"""The 2.x line: each wire message is one event, through each transport and protocol version."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import anyio
import pytest

from mcp_otel.event import Event
from tests.promises import hosts, messages
from tests.promises.watching import Watched, providers, start, watching
from tests.seams.told import ALL, NOTICED, TABLE, Said, by_id, hear, notices, sizes
from tests.wire import MODERN

pytestmark = pytest.mark.skipif(hosts.LINE != 2, reason="the installed SDK is no 2.x")

ONLY_HERE = {
    "11": Said("_other", None, "caller", None, -32601, ALL - {"validate"}),  # no schema is known of it
    "13": Said("resources/read", None, "caller", None, -32602),
}
NEVER_ANSWERED = Said("tools/call", "slow", "caller", "cancelled", None, NOTICED)
ANSWERED_BY_HTTP = Said("tools/call", "slow", "caller", "cancelled", -32800)


@pytest.mark.parametrize(("door", "slow"), [("pipe", NEVER_ANSWERED), ("http", ANSWERED_BY_HTTP)])
def test_every_message_is_one_event(door: str, slow: Said) -> None:
    events, watched = hear(door)
    assert by_id(events) == {**TABLE, **ONLY_HERE, "30": slow}
    assert notices(events) == [
        Said("notifications/initialized", phases=NOTICED),
        Said("notifications/cancelled", phases=NOTICED),
    ]
    assert {(event.transport, event.http_version, event.protocol_version) for event in events} == {
        ("pipe" if door == "pipe" else "tcp", None if door == "pipe" else "1.1", messages.HANDSHAKE)
    }
    assert len(watched.servers) == len(events)
    assert dict(watched.totals.ended) == {"disconnect" if door == "pipe" else "delete": 1}
    assert dict(watched.totals.opened) == {"raw": 1}


def test_the_protocol_without_sessions_is_one_event_a_post_and_no_hidden_one() -> None:
    events, watched = hear("modern")
    told = {each: line for each, line in TABLE.items() if each not in ("0", "20", "40")}
    assert by_id(events) == {
        **told,
        "1": Said("ping", None, "caller", None, -32601),
        "10": Said("prompts/get", "_other", "caller", "-32603", -32603),
        "11": Said("_other", None, "caller", None, -32601),
        "13": Said("resources/read", None, "caller", None, -32602),
    }
    assert len(events) == len(messages.STORY)
    assert {(event.session, event.protocol_version) for event in events} == {(None, MODERN)}
    assert (len(watched.servers), dict(watched.totals.opened), dict(watched.totals.ended)) == (len(events), {}, {})


def test_bytes_are_those_on_the_wire() -> None:
    message = messages.call(1, "echo", text="grüß dich ✓")
    event, answer = sizes(lambda pipe: pipe.ask(message))
    assert event.received == len(json.dumps(message, ensure_ascii=False).encode())
    assert event.sent == len(answer.rstrip(b"\n"))


def test_a_name_that_a_low_level_server_never_lists_is_not_said_even_if_its_handler_takes_it() -> None:
    types: Any = import_module("mcp_types")
    events: list[Event] = []

    async def list_tools(_: Any, __: Any) -> Any:
        return types.ListToolsResult(tools=[types.Tool(name="same", input_schema={"type": "object"})])

    async def call_tool(_: Any, params: Any) -> Any:
        return types.CallToolResult(content=[])

    async def told() -> None:
        lowest = import_module("mcp.server.lowlevel").Server(
            "low", version="1", on_list_tools=list_tools, on_call_tool=call_tool
        )
        lowest._lowlevel_server = lowest
        async with hosts.piped(lowest) as pipe:
            await pipe.ask(messages.HELLO[0])
            await pipe.say(messages.HELLO[1])
            await pipe.ask(messages.request(1, "tools/list"))
            await pipe.ask(messages.call(2, "private words"))

    with watching() as watched:
        watched.recorder.sinks.append(events.append)
        anyio.run(told)
    assert by_id(events)["2"].target == "_other"


def _native(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's own spans go where ours go, as in an application that has set OpenTelemetry up."""
    assert watched.tracer_provider is not None
    monkeypatch.setattr("mcp.shared._otel._tracer", watched.tracer_provider.get_tracer("native"))


def _scopes(watched: Watched) -> set[str]:
    return {span.instrumentation_scope.name for span in watched.servers if span.instrumentation_scope is not None}


@pytest.mark.parametrize("door", hosts.DOORS)
def test_the_sdks_own_server_span_is_silent_where_ours_is_current(door: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with providers() as watched:
        _native(watched, monkeypatch)
        start(watched)
        hosts.tell(door)
        assert _scopes(watched) == {"mcp_otel"}


@pytest.mark.parametrize("door", hosts.DOORS)
def test_with_metrics_alone_the_sdks_own_spans_stay_as_they_are(door: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with providers() as watched:
        _native(watched, monkeypatch)
        hosts.tell(door)
        bare = sorted(span.name for span in watched.servers)
    with providers() as watched:
        _native(watched, monkeypatch)
        start(watched, level="metrics")
        hosts.tell(door)
        assert sorted(span.name for span in watched.servers) == bare
        assert _scopes(watched) == {"native"}


def test_in_memory_a_message_has_no_bytes_and_no_phases_of_bytes() -> None:
    events: list[Event] = []

    async def told() -> None:
        server: Any = hosts.high_level(hosts.Waiting())
        async with import_module("mcp").Client(server) as client:
            await client.call_tool("add", {"a": 1, "b": 2})

    with watching() as watched:
        watched.recorder.sinks.append(events.append)
        anyio.run(told)
        assert dict(watched.totals.failures) == {}
    called = next(event for event in events if event.method == "tools/call")
    assert (called.target, called.transport, called.received, called.sent) == ("add", None, None, None)
    assert {"decode", "write"}.isdisjoint(called.phases)
    assert {"validate", "handler"} <= set(called.phases)
