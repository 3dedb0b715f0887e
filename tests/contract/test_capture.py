"""What the owner opens is on the spans of real servers, cut and without secrets; never on a metric."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contract.doors import DOORS, FORMS, HANDSHAKE, Door, Opened, open_door
from tests.contract.heard import telemetry
from tests.sink import Sink
from tests.wire import Body, HttpWire

KINDS = ("arguments", "results", "resource_uri", "session_id", "errors")
ARGUMENTS, RESULT = "gen_ai.tool.call.arguments", "gen_ai.tool.call.result"
URI, SESSION, MESSAGE = "mcp.resource.uri", "mcp.session.id", "mcp_otel.error.message"
CUT = "mcp_otel.captured.cut"
PAIRS = [(form, DOORS[name]) for form in FORMS for name in ("stdio", "http-sse", "http-modern") if name in DOORS]
SIZE = 200
LONG = "long-word " * 200


def asking(door: Door) -> list[Body]:
    """One message of each kind that has something to capture."""

    def ask(name: str, method: str, /, **params: Any) -> Body:
        return {"jsonrpc": "2.0", "id": name, "method": method, "params": params}

    hello = ask(
        "hello",
        "initialize",
        protocolVersion=HANDSHAKE,
        capabilities={},
        clientInfo={"name": "teller", "version": "1.0"},
    )
    return [
        *([] if door.modern else [hello, {"jsonrpc": "2.0", "method": "notifications/initialized"}]),
        ask("echo", "tools/call", name="echo", arguments={"text": "grüße", "password": "hunter2"}),
        ask("long", "tools/call", name="echo", arguments={"text": LONG}),
        ask("fail", "tools/call", name="fail", arguments={"text": "no luck, token=hunter2"}),
        ask("nobody", "tools/call", name="nobody", arguments={"text": "x"}),
        ask("read", "resources/read", uri="story://secret"),
        ask("prompt", "prompts/get", name="greet", arguments={"name": "Ada"}),
    ]


def told(opened: Opened, door: Door, sink: Sink) -> dict[str, dict[str, Any]]:
    """The spans of the messages that have an id, by it, once all are there."""
    messages = asking(door)
    for body in messages:
        pending = opened.wire.begin(body)
        if "id" in body:
            pending.wait()
    sink.wait_for(lambda _: sum(span["kind"] == "SERVER" for span in sink.spans) >= len(messages), 5.0)
    spans = [span for span in sink.spans if span["kind"] == "SERVER"]
    assert len(spans) == len(messages)
    return {span["attributes"].get("jsonrpc.request.id", span["name"]): span for span in spans}


@pytest.mark.parametrize(("form", "door"), PAIRS, ids=[f"{form}-{door.name}" for form, door in PAIRS])
def test_what_is_opened_is_on_the_span_and_on_no_metric(form: str, door: Door, sink: Sink) -> None:
    every = {f"MCP_OTEL_CAPTURE_{kind.upper()}": "true" for kind in KINDS}
    with open_door(form, door, telemetry(sink, **every, MCP_OTEL_CAPTURE_SIZE=str(SIZE))) as opened:
        spans = told(opened, door, sink)
        session = opened.wire.session if isinstance(opened.wire, HttpWire) else None
    said = {name: span["attributes"] for name, span in spans.items()}

    assert json.loads(said["echo"][ARGUMENTS]) == {"text": "grüße", "password": "[redacted]"}
    assert json.loads(said["echo"][RESULT])["content"] == [{"type": "text", "text": "grüße"}]
    assert CUT not in said["echo"]
    assert said["long"][CUT] == (ARGUMENTS, RESULT)
    assert [len(said["long"][name]) <= SIZE for name in (ARGUMENTS, RESULT)] == [True, True]
    assert said["long"][ARGUMENTS].startswith('{"text":"long-word long-word')

    assert said["fail"][MESSAGE].endswith("no luck, token=[redacted]")
    assert spans["fail"]["status"] == {"code": "ERROR", "message": said["fail"][MESSAGE]}
    assert "nobody" in said["nobody"][MESSAGE]
    assert spans["nobody"]["status"]["code"] == "UNSET"
    assert json.loads(said["nobody"][ARGUMENTS]) == {"text": "x"}

    assert [name for name, attributes in said.items() if URI in attributes] == ["read"]
    assert said["read"][URI] == "story://secret"
    assert [name for name, attributes in said.items() if ARGUMENTS in attributes] == ["echo", "long", "fail", "nobody"]
    expected = {session} if session is not None and not door.stateless else {None}
    assert {said[name].get(SESSION) for name in said if name != "hello"} == expected
    assert [body for body in sink.bodies if b"hunter2" in body] == []
    private = (ARGUMENTS, RESULT, URI, SESSION, MESSAGE, CUT)
    assert [point for point in sink.points if any(name in private for name, _ in point[1])] == []
    assert [line for line in opened.process.errors if not line.startswith("story")] == []
    assert failures(sink) == {}


def failures(sink: Sink) -> dict[Any, Any]:
    """What of ours has failed."""
    return {said: point["value"] for said, point in sink.series("mcp_otel.failures").items() if point["value"]}
