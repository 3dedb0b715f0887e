"""Nothing private leaves: canaries in every place a message has are told to every server, and none is ever seen."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.doors import DOORS, FORMS, HANDSHAKE, Door, Opened, open_door
from tests.contract.heard import telemetry
from tests.sink import Sink
from tests.sse_wire import SseWire
from tests.wire import Body, HttpWire

CANARY = "canary7f3a"
PAIRS = [(form, door) for form in FORMS for door in DOORS.values()]


def canary(place: str) -> str:
    """A word that is nowhere but in `place`."""
    return f"{CANARY}-{place}"


def messages(door: Door) -> list[Body]:
    """Canaries in every place of every kind of message."""

    def ask(number: int, method: str, params: Any) -> Body:
        meta = {"_meta": {canary("meta-key"): canary("meta-value"), "baggage": f"who={canary('baggage')}"}}
        return {"jsonrpc": "2.0", "id": canary(f"id-{number}"), "method": method, "params": {**params, **meta}}

    def call(number: int, name: str, arguments: Body) -> Body:
        return ask(number, "tools/call", {"name": name, "arguments": arguments})

    hello = {
        "protocolVersion": HANDSHAKE,
        "capabilities": {"experimental": {canary("capability"): {}}},
        "clientInfo": {"name": "teller", "version": canary("client-version"), "title": canary("client-title")},
    }
    greetings = [ask(0, "initialize", hello), {"jsonrpc": "2.0", "method": "notifications/initialized"}]
    return [
        *([] if door.modern else greetings),
        ask(1, "tools/list", {"cursor": canary("cursor")}),
        ask(2, "tools/list", {}),
        call(3, "echo", {"text": canary("result")}),
        call(4, "fail", {"text": canary("tool-error")}),
        call(5, "crash", {"text": canary("exception")}),
        call(6, "refuse", {"text": canary("protocol-error")}),
        call(7, "add", {"a": canary("wrong-argument"), canary("argument-name"): 1}),
        call(8, canary("unknown-tool"), {"text": "x"}),
        ask(9, canary("unknown/method"), {canary("param"): canary("value")}),
        ask(10, "prompts/get", {"name": "greet", "arguments": {"name": canary("prompt-argument")}}),
        ask(11, "prompts/get", {"name": canary("unknown-prompt"), "arguments": {}}),
        ask(12, "prompts/get", {"name": "greet", "arguments": canary("malformed")}),
        ask(13, "resources/read", {"uri": f"story://{canary('resource')}"}),
        ask(14, "completion/complete", {"ref": {"type": "ref/prompt", "name": canary("completion")}}),
        {"jsonrpc": "2.0", "method": canary("notifications/unknown"), "params": {"x": canary("notice")}},
        {
            "jsonrpc": "2.0",
            "method": "notifications/cancelled",
            "params": {"requestId": canary("nobody"), "reason": canary("reason")},
        },
    ]


@pytest.mark.parametrize(("form", "door"), PAIRS, ids=[f"{form}-{door.name}" for form, door in PAIRS])
def test_no_canary_is_in_anything_that_was_exported_or_said_on_stderr(form: str, door: Door, sink: Sink) -> None:
    headers = {"X-Secret": canary("header"), "Authorization": f"Bearer {canary('token')}"}
    with open_door(form, door, telemetry(sink), headers) as opened:
        told = tell(opened, door)
        session = opened.wire.session if isinstance(opened.wire, HttpWire | SseWire) else None
        sink.wait_for(lambda _: spans(sink) >= len(told), 5.0)
    assert spans(sink) == len(told)
    places = [raw for raw in opened.wire.sent if CANARY.encode() in raw]
    assert len(places) >= len(told) - 1
    seen = leaks(sink)
    assert {leak for leak in seen if not leak.startswith(canary("id-"))} == set()
    assert [line for line in opened.process.errors if CANARY in line] == []
    if session is not None:
        assert [body for body in sink.bodies if session.encode() in body] == []


@pytest.mark.parametrize("form", FORMS)
def test_the_id_of_a_request_is_on_its_span_as_the_conventions_ask_and_on_no_metric(form: str, sink: Sink) -> None:
    door = DOORS["stdio"]
    with open_door(form, door, telemetry(sink)) as opened:
        told = tell(opened, door)
        sink.wait_for(lambda _: spans(sink) >= len(told), 5.0)
    ids = {span["attributes"].get("jsonrpc.request.id") for span in sink.spans if span["kind"] == "SERVER"}
    assert ids == {body.get("id") for body in told}
    assert [said for _, said in sink.points if any(CANARY in str(value) for _, value in said)] == []


def tell(opened: Opened, door: Door) -> list[Body]:
    """Send every message and await what is answered."""
    told = messages(door)
    for body in told:
        pending = opened.wire.begin(body)
        if "id" in body or door.http:
            pending.wait()
    return told


def spans(sink: Sink) -> int:
    """How many messages were said."""
    return sum(1 for span in sink.spans if span["kind"] == "SERVER")


def leaks(sink: Sink) -> set[str]:
    """Every canary in anything that was exported, with what follows it."""
    found = set()
    for body in sink.bodies:
        text = body.decode("utf-8", "replace")
        start = 0
        while (start := text.find(CANARY, start)) >= 0:
            found.add(text[start : start + 40].split("\x00")[0])
            start += len(CANARY)
    return found
