"""Promise 1, what stays behind: no object of the host's, no context of ours, and no hook once it is taken out."""

from __future__ import annotations

import gc
import json
from collections import Counter
from collections.abc import Awaitable, Callable

import anyio
import pytest
from opentelemetry import trace

import mcp_otel
from mcp_otel.recorder import current
from mcp_otel.seams.stdio import arriving
from mcp_otel.seams.streamable_http import exchanges
from tests.promises import hosts, messages
from tests.promises.nested import ask_inner
from tests.promises.originals import Originals
from tests.promises.watching import Watched, providers, start, watching

KEPT = ("ServerSession", "Connection", "StreamableHTTPServerTransport", "JSONRPCDispatcher", "ServerRunner",
        "RequestResponder", "SessionMessage", "Stamped", "Watch", "FastMCP", "MCPServer")  # fmt: skip


def alive() -> Counter[str]:
    gc.collect()
    return Counter(
        type(each).__name__
        for each in gc.get_objects()
        if type(each).__name__ in KEPT and "mcp" in type(each).__module__
    )


@pytest.mark.parametrize("door", hosts.DOORS)
def test_nothing_of_a_server_lives_on_when_it_is_over(door: str, before: Originals) -> None:
    then = alive()
    with watching():
        hosts.tell(door)
        assert alive() - then == Counter()


def test_a_deleted_session_is_freed_while_the_server_runs(before: Originals) -> None:
    async def after_a_session() -> Counter[str]:
        async with hosts.webbed(hosts.high_level(hosts.Waiting())) as web:
            then = alive()
            for message in (*messages.HELLO, *messages.STORY, messages.ASK):
                await web.send(message)
            await web.send(b"", "DELETE")
            with anyio.move_on_after(messages.PATIENCE):
                while alive() - then:
                    await anyio.lowlevel.checkpoint()
            return alive() - then

    bare = anyio.run(after_a_session)
    with watching():
        assert anyio.run(after_a_session) == bare


def test_what_a_client_sent_is_freed_once_it_is_answered(before: Originals) -> None:
    """Timers of the loop and of the SDK hold the context they were made in, for up to half an hour."""
    marked = ["a marked argument"]

    async def after_an_answer() -> int:
        async with hosts.webbed(hosts.high_level(hosts.Waiting())) as web:
            for message in messages.HELLO:
                await web.send(message)
            for number in range(4):
                await web.send(json.dumps(messages.call(number, "echo", {"marked": marked}, text="x")).encode())
            await web.send(b"", "DELETE")
            gc.collect()
            return sum(type(each) is list and each == marked for each in gc.get_objects())

    bare = anyio.run(after_an_answer)
    with watching():
        assert anyio.run(after_an_answer) == bare


@pytest.mark.parametrize("door", hosts.DOORS)
def test_no_context_of_ours_is_left_in_the_hosts_tasks(door: str, before: Originals) -> None:
    async def told() -> list[object]:
        waiting = hosts.Waiting()
        await hosts.DOORS[door](hosts.high_level(waiting), waiting)
        return [current.get(), arriving.get(), exchanges.get(), trace.get_current_span().get_span_context().is_valid]

    with watching():
        assert anyio.run(told) == [None, None, None, False]


def test_calls_that_run_together_each_see_their_own_span(before: Originals) -> None:
    seen: dict[str, tuple[int, int]] = {}
    together = 8

    async def told() -> None:
        all_here = anyio.Event()

        async def behind() -> str:
            call = current.get()
            assert call is not None
            name = str(call.request_id)
            first = trace.get_current_span().get_span_context().span_id
            seen[name] = (first, 0)
            if len(seen) == together:
                all_here.set()
            await all_here.wait()
            seen[name] = (first, trace.get_current_span().get_span_context().span_id)
            return "done"

        async with hosts.piped(hosts.high_level(hosts.Waiting(), behind)) as pipe:
            await pipe.ask(messages.HELLO[0])
            await pipe.say(messages.HELLO[1])
            async with anyio.create_task_group() as tasks:
                for number in range(together):
                    tasks.start_soon(pipe.ask, messages.call(f"n{number}", "nested"))

    with watching() as watched:
        anyio.run(told)
        spans = {
            str(span.attributes["jsonrpc.request.id"]): span.context.span_id
            for span in watched.servers
            if span.attributes is not None and span.name == "tools/call nested" and span.context is not None
        }
    assert {name: first for name, (first, _) in seen.items()} == spans
    assert all(first == later for first, later in seen.values())


def test_a_server_called_inside_a_handler_has_its_spans_below_the_outer_one(before: Originals) -> None:
    async def told() -> None:
        async with hosts.piped(hosts.high_level(hosts.Waiting(), ask_inner)) as pipe:
            await pipe.ask(messages.HELLO[0])
            await pipe.say(messages.HELLO[1])
            answer = json.loads(await pipe.ask(messages.call(1, "nested")))
            assert answer["result"]["content"][0]["text"] == "inner says hello"

    with watching() as watched:
        anyio.run(told)
        outer = next(span for span in watched.servers if span.name == "tools/call nested")
        inner = next(span for span in watched.servers if span.name == "tools/call inner")
        assert outer.context is not None
        assert inner.parent is not None
        assert _top(inner, watched) == outer.context.span_id
        assert Counter(span.name for span in watched.servers)["tools/call inner"] == 1
        assert dict(watched.totals.failures) == {}


def _top(span: trace.Span, watched: Watched) -> int:
    """The nearest SERVER span above `span`; a client's own span may lie between."""
    by_id = {each.context.span_id: each for each in watched.spans}
    above = by_id[span.parent.span_id]
    while above.kind.name != "SERVER":
        above = by_id[above.parent.span_id]
    return above.context.span_id


Change = Callable[[], Awaitable[None]]


@pytest.mark.parametrize("first", ["instrument", "uninstrument"])
def test_instrumentation_may_come_and_go_in_the_middle_of_traffic(first: str, before: Originals) -> None:
    async def told(change: Callable[[], None]) -> list[bytes]:
        async def behind() -> str:
            change()
            return "changed"

        async with hosts.piped(hosts.high_level(hosts.Waiting(), behind)) as pipe:
            await pipe.ask(messages.HELLO[0])
            await pipe.say(messages.HELLO[1])
            for message in messages.STORY:
                await pipe.ask(message)
            await pipe.ask(messages.call("change", "nested"))
            for message in (*messages.STORY, messages.ASK):
                await pipe.ask(message)
        return [hosts.PROPAGATED.sub(b"", line) for line in pipe.lines]

    bare = anyio.run(told, lambda: None)
    with providers() as watched:
        if first == "uninstrument":
            start(watched)
            assert anyio.run(told, mcp_otel.uninstrument) == bare
            assert [span.name for span in watched.servers].count("ping") == 1
        else:
            assert anyio.run(told, lambda: start(watched)) == bare
        assert dict(watched.totals.failures) == {}


def test_a_transport_made_under_us_works_when_we_leave_before_its_first_message(before: Originals) -> None:
    async def told(change: Callable[[], None]) -> list[bytes]:
        async with hosts.piped(hosts.high_level(hosts.Waiting())) as pipe:
            await anyio.wait_all_tasks_blocked()
            change()
            for message in (messages.HELLO[0], *messages.STORY):
                await pipe.ask(message)
        return pipe.lines

    bare = anyio.run(told, lambda: None)
    with watching():
        assert anyio.run(told, mcp_otel.uninstrument) == bare
