"""What is no JSON-RPC message is nobody's span: it is a caller's fault, and the server goes on."""

from __future__ import annotations

import pytest

from tests.contract.doors import DOORS, FORMS, open_door
from tests.contract.heard import telemetry
from tests.contract.story import STEPS, message
from tests.sink import Sink
from tests.sse_wire import SseWire
from tests.wire import HttpWire, StdioWire

NONSENSE = (b"{nope", b'{"jsonrpc":"2.0"}', b"[]", b"\xff\xfe{}")
PING = {"jsonrpc": "2.0", "id": "after", "method": "ping"}


@pytest.mark.parametrize("name", ["stdio", "http-sse", "sse"])
@pytest.mark.parametrize("form", FORMS)
def test_bytes_that_are_no_message_are_counted_as_the_callers_fault_and_make_no_span(
    form: str, name: str, sink: Sink
) -> None:
    door = DOORS[name]
    with open_door(form, door, telemetry(sink)) as opened:
        wire = opened.wire
        first, second = (message(step, number, 0, door) for number, step in enumerate(STEPS[:2]))
        wire.call(first)
        wire.call(second)
        for nonsense in NONSENSE:
            if isinstance(wire, StdioWire):
                wire.write(nonsense)
            elif isinstance(wire, HttpWire | SseWire):
                assert wire.post(nonsense)[0] == 400
        assert wire.call(PING).body["result"] == {}
        sink.wait_for(lambda _: len(served(sink)) >= 3)
    assert served(sink) == ["initialize", "notifications/initialized", "ping"]
    faults = {
        tuple(sorted(said)): point["value"] for said, point in sink.series("mcp_otel.faults").items() if point["value"]
    }
    assert faults == {(("mcp.method.name", "_other"), ("mcp_otel.fault", "caller")): len(NONSENSE)}
    assert opened.leftover == b""


def served(sink: Sink) -> list[str]:
    """The names of the SERVER spans, in order."""
    spans = sorted((span for span in sink.spans if span["kind"] == "SERVER"), key=lambda span: span["start"])
    return [span["name"] for span in spans]
