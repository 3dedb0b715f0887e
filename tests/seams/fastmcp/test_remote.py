"""A proxy of a server elsewhere: two processes, one trace, a SERVER span of each message in the process it came to."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.contract.doors import SERVERS
from tests.contract.heard import telemetry
from tests.contract.process import Process
from tests.sink import Sink
from tests.wire import StdioWire

HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "tests", "version": "1"}}
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_what_a_proxy_passes_on_is_a_client_span_of_its_own_and_a_server_span_of_the_other(sink: Sink) -> None:
    env = telemetry(sink)
    remote = Process([sys.executable, str(SERVERS / "fastmcp_standalone.py"), "http", "0"], env)
    between = None
    try:
        port = remote.wait_for_line(r"listening (\d+)")[1]
        script = Path(__file__).with_name("proxy.py")
        between = Process([sys.executable, str(script), f"http://127.0.0.1:{port}/mcp"], env)
        wire = StdioWire(between.popen)
        wire.call({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": HELLO}).wait(60)
        wire.call({"jsonrpc": "2.0", "method": "notifications/initialized"})
        meta = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        params = {"name": "add", "arguments": {"a": 20, "b": 22}, "_meta": meta}
        answer = wire.call({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).wait(60).body
        sink.wait_for(lambda _: len(chain(sink)) == 3)
    finally:
        code, leftover = between.leave() if between is not None else (None, b"")
        remote.stop()

    assert answer["result"]["structuredContent"] == {"sum": 42}
    assert (code, leftover) == (0, b"")
    assert chain(sink) == [
        ("between", "SERVER", "tools/call add"),
        ("between", "CLIENT", "tools/call add"),
        ("story", "SERVER", "tools/call add"),
    ]
    assert {span["scope"]["name"] for span in sink.spans} == {"mcp_otel"}


def chain(sink: Sink) -> list[tuple[str, str, str]]:
    """The spans of the call below the caller's own, each the child of the one before: service, kind and name."""
    found, parent = [], PARENT
    while True:
        below = [span for span in sink.spans if span["trace_id"] == TRACE and span["parent_span_id"] == parent]
        calls = [span for span in below if span["name"].startswith("tools/call")]
        if not calls:
            return found
        assert len(calls) == 1
        found.append((calls[0]["resource"]["service.name"], calls[0]["kind"], calls[0]["name"]))
        parent = calls[0]["span_id"]
