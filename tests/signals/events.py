"""Events as plain data, for whoever reads them."""

from __future__ import annotations

from typing import Any

from mcp_otel.event import Event, Lap

START = 1_700_000_000_000_000_000
CALLED = Event(
    side="server",
    method="tools/call",
    target="add",
    notification=False,
    request_id="7",
    session="0123456789abcdef",
    protocol_version="2025-06-18",
    transport="tcp",
    http_version="1.1",
    client_address="127.0.0.1",
    client_port=4711,
    server_address=None,
    server_port=None,
    start=START,
    duration=0.010,
    phases={"decode": 0.001, "queue": 0.001, "handler": 0.006, "encode": 0.001, "write": 0.001},
    cpu={"decode": 0.0005},
    on_loop=0.002,
    blocked=(),
    laps=(Lap("decode", 0, 1_000_000), Lap("queue", 1_000_000, 2_000_000), Lap("handler", 2_000_000, 8_000_000)),
    received=120,
    sent=80,
    fault=None,
    error=None,
    code=None,
)
NOTICED = CALLED._replace(
    method="notifications/initialized",
    target=None,
    notification=True,
    request_id=None,
    sent=None,
    laps=(),
    phases={},
    cpu={},
    on_loop=None,
)


def event(**differences: Any) -> Event:
    """`CALLED`, with differences."""
    return CALLED._replace(**differences)
