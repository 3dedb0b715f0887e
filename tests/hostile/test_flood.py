"""Ten thousand names that nobody registered, and names of a megabyte: labels, spans and memory stay as they are."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_otel.signals.names import MAX_SERIES, METRICS
from tests.hostile.attacked import (
    Attacked,
    both,
    call,
    complain_alike,
    labels,
    request,
    series_beyond,
    settled,
    too_long,
)
from tests.sink import Sink

NAMES = 10_000
CHUNK = 250
MEGABYTE = "m" * 1_000_000
BOUNDS = {metric.name: metric.bound or MAX_SERIES for metric in METRICS}


def flood() -> list[dict[str, Any]]:
    """Messages that all want something that is not there."""
    bodies = [call(number, f"evil-{number}", x=number) for number in range(NAMES)]
    bodies += [request(f"p{number}", "prompts/get", name=f"evil-{number}") for number in range(500)]
    bodies += [request(f"m{number}", f"evil/{number}", x=1) for number in range(500)]
    bodies += [request(f"r{number}", "resources/read", uri=f"evil://{number}") for number in range(500)]
    bodies += [call(MEGABYTE, "echo", text="x"), call("mega", MEGABYTE), request("mega method", MEGABYTE)]
    bodies += [call("x" * 200, f"evil-{'y' * 300}", text="x"), call("uni", "evil-\u202e\U0001f4a9\x00", text="x")]
    return bodies


def told(servers: tuple[Attacked, ...], bodies: list[dict[str, Any]]) -> list[tuple[list[bytes], Any, Any]]:
    """Of each server all answers, and what it holds after a first tenth and at the end."""
    heard: list[list[bytes]] = [[] for _ in servers]
    early: list[dict[str, Any]] = []
    for start in range(0, len(bodies), CHUNK):
        for one in servers:
            one.say(*bodies[start : start + CHUNK], request(f"end {start}", "ping"))
        for one, answers in zip(servers, heard, strict=True):
            answers += one.until(f"end {start}")
        if start == CHUNK * 4:
            early = [one.inspected() for one in servers]
    late = [one.inspected() for one in servers]
    return [(sorted(answers), *held) for answers, *held in zip(heard, early, late, strict=True)]


@pytest.mark.timeout(240)
def test_names_that_nobody_registered_grow_nothing(sink: Sink) -> None:
    bodies = flood()
    with both(sink, "stdio") as (ours, bare):
        (answers, early, late), (expected, bare_early, bare_late) = told((ours, bare), bodies)
        pings = -(-len(bodies) // CHUNK)
        messages = len(bodies) + pings + 2 + 2
        spans = settled(sink, messages, 30.0)
        complain_alike(ours, bare)
    assert answers == expected
    assert late["failures"] == {}
    assert len(spans) == messages
    assert {span["name"] for span in spans} <= {
        *("tools/call _other", "prompts/get _other", "resources/read", "_other", "ping", "initialize"),
        *("notifications/initialized", "tools/call echo", "tools/call inspect"),
    }
    assert too_long(sink) == []
    assert series_beyond(sink, BOUNDS) == {}
    assert [label for label in labels(sink) if "evil-" in label or "mmmm" in label] == []
    hostile = [body for body in sink.bodies if b"evil-" in body or b"evil/" in body or b"mmmmmmmm" * 20 in body]
    assert hostile == []
    assert late["in_flight"] == 1  # the one that asks
    grown = {kind: count - early["ours"].get(kind, 0) for kind, count in late["ours"].items()}
    assert {kind: count for kind, count in grown.items() if count > 50} == {}
    more = (late["rss"] - early["rss"]) - (bare_late["rss"] - bare_early["rss"])
    assert more < 25_000_000, f"{more / 1e6:.1f} MB more than the bare server"
