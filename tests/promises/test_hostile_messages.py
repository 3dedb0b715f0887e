"""Promise 1 against whatever a client may send: the server answers as ever, and it is no failure of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import anyio
import pytest

from tests.promises import hosts, messages
from tests.promises.originals import Originals
from tests.promises.watching import watching

HUGE = "x" * 200_000
META: tuple[Any, ...] = (
    None,
    "text",
    7,
    [],
    [1, 2],
    {"traceparent": 7},
    {"traceparent": None},
    {"traceparent": []},
    {"traceparent": {"a": 1}},
    {"traceparent": ""},
    {"traceparent": "00-zz-zz-zz"},
    {"traceparent": HUGE},
    {"traceparent": messages.TRACED["traceparent"], "tracestate": 7},
    {"traceparent": messages.TRACED["traceparent"], "tracestate": HUGE},
    {"traceparent": messages.TRACED["traceparent"], "baggage": [1]},
    {"baggage": "a=" + HUGE},
    {"progressToken": {}},
    {HUGE: HUGE},
)
NAMES: tuple[Any, ...] = (None, 7, True, [], {}, "", HUGE, "\ud800", "grüße ✓", "a b\nc", "echo\x00", "_other")
IDS: tuple[Any, ...] = (0, -1, 2**70, 10**60, "", "7", HUGE, "\ud800", "ü", 1.5, True, None, [], {})
PARAMS: tuple[Any, ...] = (None, [], [1], "text", 7, {"name": None}, {"arguments": None}, {"_meta": {}})


def _messages() -> list[bytes]:
    bodies: list[Any] = [
        {"jsonrpc": "2.0", "id": f"meta{number}", "method": "tools/call",
         "params": {"name": "echo", "arguments": {"text": "x"}, "_meta": meta}}
        for number, meta in enumerate(META)
    ]  # fmt: skip
    bodies += [messages.call(f"name{number}", name, text="x") for number, name in enumerate(NAMES)]
    bodies += [
        messages.request(f"prompt{number}", "prompts/get", name=name, arguments={}) for number, name in enumerate(NAMES)
    ]
    bodies += [messages.call(request_id, "echo", text="x") for request_id in IDS]
    bodies += [
        {"jsonrpc": "2.0", "id": f"params{number}", "method": method, "params": params}
        for number, params in enumerate(PARAMS)
        for method in ("tools/call", "tools/list", "ping")
    ]
    bodies += [
        {"jsonrpc": "2.0", "id": f"method{number}", "method": method}
        for number, method in enumerate(("", HUGE, "\ud800", "tools/call ", "_other", 7, None, "notifications/x"))
    ]
    bodies += [{"jsonrpc": "2.0", "method": method, "params": params} for method, params in NOTICES]
    bodies += [{}, [], "text", 7, None, {"jsonrpc": "1.0", "id": 1, "method": "ping"}, [messages.STORY[0]]]
    bodies += [{"jsonrpc": "2.0", "id": "nobody asked", "result": {}}, {"jsonrpc": "2.0", "id": 1, "error": {}}]
    raw = [json.dumps(body).encode() for body in bodies]
    raw += [b"", b"{", b"\xff\xfe", b'{"jsonrpc":"2.0","id":' + b"9" * 5000 + b',"method":"ping"}']
    return raw


NOTICES: tuple[tuple[str, Any], ...] = (
    ("notifications/cancelled", {}),
    ("notifications/cancelled", {"requestId": "nobody"}),
    ("notifications/cancelled", {"requestId": [1]}),
    ("notifications/progress", {"progressToken": 7, "progress": "far"}),
    ("notifications/unheard", {"_meta": {"traceparent": 7}}),
    ("tools/call", {"name": "echo", "arguments": {"text": "x"}}),
)
SENT = _messages()


async def _by_pipe() -> list[bytes]:
    waiting = hosts.Waiting()
    async with hosts.piped(hosts.high_level(waiting)) as pipe:
        await pipe.ask(messages.HELLO[0])
        await pipe.say(messages.HELLO[1])
        for number, raw in enumerate(SENT):
            await pipe.say(raw if raw.isascii() else raw.decode("utf-8", "replace").encode())
            await pipe.ask(messages.request(f"after {number}", "ping"))
    return pipe.lines


async def _by_web(modern: bool = False) -> list[bytes]:
    async with hosts.webbed(hosts.high_level(hosts.Waiting()), modern) as web:
        for message in () if modern else messages.HELLO:
            await web.send(message)
        for raw in SENT:
            await web.send(raw)
    return web.heard


async def _by_modern_web() -> list[bytes]:
    async with hosts.webbed(hosts.high_level(hosts.Waiting()), modern=True) as web:
        for name in NAMES:
            await web.send(
                messages.call("name", name if isinstance(name, str) and name.isascii() else "ascii", text="x")
            )
        for meta in META:
            if isinstance(meta, dict):
                await web.send(messages.call("meta", "echo", meta, text="x"))
        for raw in SENT:
            await web.send(raw)
    return web.heard


WAYS = {"pipe": _by_pipe, "http": _by_web, **({"modern": _by_modern_web} if hosts.LINE == 2 else {})}


@contextmanager
def _without_tracing_of_its_own() -> Iterator[None]:
    """2.3.0 answers baggage that is no text with an error of its own tracing, which ours stands in for."""
    with pytest.MonkeyPatch.context() as patch:
        if hosts.LINE == 2:
            native = import_module("mcp.server._otel").OpenTelemetryMiddleware
            patch.setattr(native, "__call__", lambda _, ctx, call_next: call_next(ctx))
        yield


@pytest.mark.parametrize("way", WAYS)
def test_hostile_messages_are_answered_as_by_a_bare_server_and_fail_nothing_of_ours(
    way: str, before: Originals
) -> None:
    with _without_tracing_of_its_own():
        bare = anyio.run(WAYS[way])
    with watching() as watched:
        ours = anyio.run(WAYS[way])
        watched.collect()
    assert ours == bare
    assert dict(watched.totals.failures) == {}
    assert watched.lines == []


@pytest.mark.parametrize("way", WAYS)
def test_no_hostile_text_leaves(way: str, before: Originals) -> None:
    with watching() as watched:
        anyio.run(WAYS[way])
        said = [span.to_json() for span in watched.spans] + [repr(watched.collect())]
    for text in ("xxxxxxxxxx", "grüße", "a b", "\\ud800", "echo\\u0000", "zz-zz"):
        assert [line[:400] for line in said if text in line and "jsonrpc.request.id" not in line] == []


def test_two_requests_with_one_id_get_two_answers_and_two_spans(before: Originals) -> None:
    async def twice() -> list[bytes]:
        async with hosts.piped(hosts.high_level(hosts.Waiting())) as pipe:
            await pipe.ask(messages.HELLO[0])
            await pipe.say(messages.HELLO[1])
            await pipe.say(messages.call(7, "echo", text="one"))
            await pipe.say(messages.call(7, "echo", text="two"))
            await pipe.until(lambda body: "two" in json.dumps(body), 0)
            await pipe.ask(messages.AFTERWARDS)
        return sorted(pipe.lines)

    bare = anyio.run(twice)
    with watching() as watched:
        assert anyio.run(twice) == bare
        assert [span.name for span in watched.servers].count("tools/call echo") == 2
        assert watched.recorder.live.oldest_age() == 0.0
        assert dict(watched.totals.failures) == {}
