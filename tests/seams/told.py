"""The story of the promises, told to a watched server: what its events say, without their times."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import anyio

from mcp_otel.event import Event
from tests.promises import hosts, messages
from tests.promises.watching import Watched, watching

ALL = frozenset({"decode", "queue", "validate", "handler", "encode", "write"})
NOTICED = frozenset({"decode", "queue", "validate", "handler"})


class Said(NamedTuple):
    """What an event says that can be foreseen."""

    method: str
    target: str | None = None
    fault: str | None = None
    error: str | None = None
    code: int | None = None
    phases: frozenset[str] = ALL


def said(event: Event) -> Said:
    """`event` without times and sizes."""
    return Said(event.method, event.target, event.fault, event.error, event.code, frozenset(event.phases))


TABLE: dict[str, Said] = {
    "0": Said("initialize"),
    "1": Said("ping"),
    "2": Said("tools/list"),
    "3": Said("prompts/list"),
    "4": Said("tools/call", "echo"),
    "five": Said("tools/call", "add"),
    "6": Said("tools/call", "crash", "tool", "tool_error"),
    "7": Said("tools/call", "add", "caller", "tool_error"),
    "8": Said("tools/call", "_other", "caller", "tool_error"),
    "9": Said("prompts/get", "greet"),
    "10": Said("prompts/get", "_other", "caller", "0", 0),
    "12": Said("tools/call", "progress"),
    "20": Said("tools/call", "ask", phases=ALL | {"peer"}),
    "40": Said("ping"),
}
"""By request id; what both lines of the SDK have in common."""


def hear(door: str, **given: Any) -> tuple[list[Event], Watched]:
    """Every event of the whole story at `door`, in the order they ended, and what else was said."""
    events: list[Event] = []
    with watching(**given) as watched:
        watched.recorder.sinks.append(events.append)
        hosts.tell(door)
    return [event for event in events if event.side == "server"], watched


def by_id(events: list[Event]) -> dict[str, Said]:
    """Requests by their id."""
    return {event.request_id: said(event) for event in events if event.request_id is not None}


def notices(events: list[Event]) -> list[Said]:
    """Notifications in their order."""
    return [said(event) for event in events if event.request_id is None]


def sizes(line: Callable[[hosts.Pipe], Awaitable[bytes]]) -> tuple[Event, bytes]:
    """The event of one message over a pipe, and its answer as it was on the wire."""
    events: list[Event] = []

    async def told() -> bytes:
        async with hosts.piped(hosts.high_level(hosts.Waiting())) as pipe:
            await pipe.ask(messages.HELLO[0])
            await pipe.say(messages.HELLO[1])
            return await line(pipe)

    with watching() as watched:
        watched.recorder.sinks.append(events.append)
        answer = anyio.run(told)
    request_id = str(json.loads(answer)["id"])
    return next(event for event in events if event.request_id == request_id), answer
