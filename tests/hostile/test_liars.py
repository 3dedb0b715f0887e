"""A server that lies, floods, is silent or leaves: its client fares as without us, and what we say of it is bounded."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mcp_otel.signals.names import MAX_SERIES, METRICS
from tests.contract.heard import telemetry
from tests.contract.process import Process
from tests.hostile.attacked import labels, series_beyond, too_long
from tests.house.source import ROOT
from tests.sink import Sink

BOUNDS = {metric.name: metric.bound or MAX_SERIES for metric in METRICS}
CALLS = {"codes": 100, "silent": 1, "leaves": 1, "garbage": 1}
SILENT = ("silent", "garbage", "leaves")
"""What may never be answered."""
RUNS = [
    *[(mode, "stdio") for mode in ("garbage", "huge", "codes", "silent", "leaves", "version")],
    *[(mode, "http") for mode in ("asks", "wrong", "huge")],
]


def told(mode: str, door: str, env: dict[str, str]) -> tuple[list[str], list[str]]:
    """What a client says came of its messages, and what is on its stderr."""
    liar, target = None, [sys.executable, "-m", "tests.hostile.liar", mode]
    if door == "http":
        liar = Process([*target, "http"], {"PYTHONPATH": str(ROOT)})
        target = [liar.wait_for_line(r"liar: (\S+)")[1]]
    try:
        calls, patience = str(CALLS.get(mode, 3)), "2" if mode in SILENT else "25"
        client = Process(
            [sys.executable, "-W", "ignore", "-m", "tests.hostile.client", calls, patience, *target],
            {"PYTHONPATH": str(ROOT), **env},
        )
        _, said = client.leave(60)
    finally:
        if liar is not None:
            liar.kill()
    return said.decode().splitlines(), client.errors


@pytest.mark.parametrize(("mode", "door"), RUNS, ids=[f"{mode}-{door}" for mode, door in RUNS])
def test_a_client_fares_with_us_as_without(mode: str, door: str, sink: Sink) -> None:
    watched = telemetry(sink, HOSTILE_WATCHED="1", MCP_OTEL_CAPTURE_ERRORS="1", MCP_OTEL_CAPTURE_RESULTS="1")
    with ThreadPoolExecutor(2) as threads:
        (bare, _), (ours, errors) = threads.map(lambda env: told(mode, door, env), ({}, watched))
    assert ours == bare
    assert [line for line in errors if line.startswith(("log opentelemetry", "log mcp_otel"))] == []
    assert [line for line in errors if line.startswith("failures")] == ["failures {}"]
    spans = of(sink, "CLIENT")
    asked = [span for span in spans if not span["name"].startswith("notifications/")]
    heard = [line for line in bare if not line.startswith("ended")]
    assert len(asked) == len(heard) + (heard == [])  # a client of 1.x that cannot read what comes ends in its first
    assert {span["name"] for span in spans} <= {
        *("initialize", "notifications/initialized", "notifications/cancelled", "tools/list", "server/discover"),
        *("tools/call _other", "tools/call echo"),
    }
    assert {span["name"] for span in of(sink, "SERVER")} <= {
        *("ping", "roots/list", "sampling/createMessage", "elicitation/create", "_other"),
        *("notifications/progress", "notifications/cancelled"),
    }
    assert [each for each in too_long(sink) if each[2] > 4096] == []
    assert series_beyond(sink, BOUNDS) == {}
    assert [label for label in labels(sink) if len(label) > 128] == []
    assert len(sink.series("mcp.client.operation.duration")) <= 8


def of(sink: Sink, kind: str) -> list[dict[str, Any]]:
    """Spans of one kind."""
    return [span for span in list(sink.spans) if span["kind"] == kind]
