"""What the process itself felt, for people: one line each for event loop, threads, memory, sessions and contexts."""

from __future__ import annotations

from collections.abc import Iterator

from mcp_otel.signals.totals import Totals
from mcp_otel.summary import page
from mcp_otel.vitals import Vitals, pauses
from mcp_otel.vitals.blocked import OTHER, UNSEEN
from mcp_otel.vitals.growth import Cause

LIMITS = {
    "cgroup_v1": "its control group",
    "cgroup_v2": "its control group",
    "address_space": "its address space",
    "host": "the host",
}
EACH: dict[Cause, str] = {
    "sessions": "ended session",
    "calls": "call",
    "time": "second",
    "concurrency": "request in flight",
    "open_sessions": "open session",
}
NAMELESS = {UNSEEN: "a place that nobody saw", OTHER: "places beyond the first 50"}
MOST = 5
"""Types of objects that are worth their room."""
SHORT = 0.01
"""The share of the time below which nobody asks who took it."""


def lines(vitals: Vitals, totals: Totals, uptime: float, asked: bool = False) -> list[str]:
    """What is worth a line after `uptime` seconds, some more when it was `asked` for; fifteen lines at most."""
    found = (_loop, _blocked, _threads, _memory, _growth, _retained, _sessions, _contexts, _collector)
    said = [line for part in found for line in part(vitals, totals, uptime)]
    return [*said, *(line for part in (_kinds, _collects) for line in part(vitals))] if asked else said


def _loop(vitals: Vitals, totals: Totals, uptime: float) -> Iterator[str]:
    if not vitals.loops.seen or uptime <= 0:
        return
    line = f"event loop: busy {_percent(vitals.loops.busy_seconds() / uptime)} of the time"
    rows = [page.Row(*key, tally, ()) for key, tally in list(totals.tallies.items()) if tally.on_loop]
    if rows:
        most = max(rows, key=lambda row: row.tally.on_loop or 0.0)
        seconds = most.tally.on_loop or 0.0
        if seconds > SHORT * uptime:
            line += f", most of it for {most.name} ({_percent(seconds / uptime)})"
    yield line


def _blocked(vitals: Vitals, _: Totals, __: float) -> Iterator[str]:
    places = vitals.blocked.places()
    if places:
        (line, tool), (count, seconds) = max(places.items(), key=lambda place: place[1][1])
        whole = sum(each for _, each in places.values())
        times = sum(each for each, _ in places.values())
        who = f"by {tool}, at " if tool is not None else "at "
        most = who + NAMELESS.get(line, line)
        most = most if len(places) == 1 else f"most {most} ({count} x, {page.time(seconds)})"
        yield f"event loop blocked {times} x, {page.time(whole)} in all: {most}"


def _threads(vitals: Vitals, _: Totals, __: float) -> Iterator[str]:
    pools = {name: pool for name, pool in vitals.threads.read().items() if pool.used or pool.waiting}
    if pools:
        yield "worker threads: " + "; ".join(
            f"{pool.used} of {'any number' if pool.limit is None else pool.limit} used, {pool.waiting} waiting ({name})"
            for name, pool in pools.items()
        )


def _memory(vitals: Vitals, _: Totals, __: float) -> Iterator[str]:
    reading, ceiling, floor = vitals.reading, vitals.ceiling, vitals.growth.floor.value
    if reading is None:
        return
    line = f"memory: {page.size(reading.rss)}"
    if ceiling is not None:
        line += f" of {page.size(ceiling.bytes)} ({LIMITS[ceiling.source]})"
    if floor is not None:
        line += f", {page.size(floor)} after a full garbage collection"
    yield line


def _growth(vitals: Vitals, _: Totals, __: float) -> Iterator[str]:
    verdict = vitals.growth.verdict
    if verdict is None or verdict.per_second is None:
        return
    line = "memory grows"
    if verdict.cause is not None and verdict.each is not None and verdict.cause != "time":
        line += f" by {page.size(verdict.each.slope)} with every {EACH[verdict.cause]}"
    line += f", {page.size(verdict.per_second.slope * 3600)} an hour"
    left = vitals.time_to_limit
    yield line if left is None else f"{line}: at its limit in {page.time(left)}"


def _retained(vitals: Vitals, _: Totals, __: float) -> Iterator[str]:
    for label, count in sorted(vitals.counts.items(), key=lambda each: -each[1].retained)[:2]:
        if not count.retained:
            continue
        kind, name = label
        line = f"{count.retained} of {count.watched} {name} kept after their {kind} ended"
        if label in vitals.weights:
            line += f", {page.size(vitals.weights[label])} each"
        yield line
        text = vitals.holders.texts.get(label)
        if text is not None:
            yield f"  held by {text}"


def _kinds(vitals: Vitals) -> Iterator[str]:
    more = [f"{name} +{kind.more}" for name, kind in vitals.holders.kinds.items() if kind.more > 0]
    if more:
        yield "objects more than when last asked: " + ", ".join(more[:MOST])


def _collects(_: Vitals) -> Iterator[str]:
    state = pauses.state()
    if state == "off":
        yield "garbage collection is off: whether ended sessions are retained stays unknown"
    elif state == "frozen":
        yield "objects are frozen (gc.freeze): whether those are retained stays unknown"


def _sessions(vitals: Vitals, _: Totals, __: float) -> Iterator[str]:
    forecast = vitals.sessions.forecast
    if forecast is None:
        return
    kept = vitals.contexts.kept()
    size = "" if kept is None else f", {page.size(kept * forecast.sessions)} of memory"
    if forecast.seconds is None:
        yield f"open sessions grow, and at this pace settle at {page.count(round(forecast.sessions))}{size}"
    else:
        yield f"open sessions grow to their limit of {page.count(round(forecast.sessions))}{size}, at this pace in " + (
            page.time(forecast.seconds)
        )


def _contexts(vitals: Vitals, _: Totals, __: float) -> Iterator[str]:
    sizes, growth = vitals.contexts.sizes(), vitals.contexts.growth()
    if sizes.sum:
        line = f"context: {page.size(sizes.mean)} a conversation, {page.size(sizes.max)} the largest"
        yield line if growth is None else f"{line}; {page.size(max(0.0, growth.mean))} more with every turn"


def _collector(vitals: Vitals, _: Totals, uptime: float) -> Iterator[str]:
    seconds = sum(vitals.pauses.seconds)
    if seconds > SHORT * uptime:
        last = vitals.pauses.last_full
        full = "" if last is None else f", the last full one {page.time(last.seconds)}"
        yield f"garbage collector: {page.time(seconds)} of pauses{full}"


def _percent(share: float) -> str:
    """A share for people: two digits, never with an exponent."""
    percent = 100 * share
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %" if percent >= 0.01 else "less than 0.01 %"
