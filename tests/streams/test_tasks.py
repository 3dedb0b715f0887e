"""Tasks: each message on the wire is one event; the work that goes on between them is nobody's."""

from __future__ import annotations

import gc
import json
import warnings
from collections import Counter
from collections.abc import Awaitable, Callable
from importlib import import_module
from time import perf_counter
from typing import Any

import anyio
import pytest

from mcp_otel import instrumentor
from mcp_otel.call import Call
from mcp_otel.event import Event
from mcp_otel.recorder import Recorder, current
from tests.promises import hosts, messages
from tests.promises.watching import Watched, watching

of_the_sdk = pytest.mark.skipif(hosts.LINE == 2, reason="2.x has no tasks of its own")

SPINS = 0.05
MARK = "a marked argument"


class Working:
    """A server whose tool `long` becomes a task that waits for `go`."""

    def __init__(self) -> None:
        types = import_module("mcp.types")
        self.go, self.working = anyio.Event(), anyio.Event()
        self.seen: list[Call | None] = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            self.server: Any = import_module("mcp.server.lowlevel").Server("tasks")
            self.server.experimental.enable_tasks()
        self.server._mcp_server = self.server

        @self.server.list_tools()  # type: ignore[untyped-decorator]
        async def tools() -> list[Any]:
            support = types.ToolExecution(taskSupport="required")
            return [types.Tool(name="long", inputSchema={"type": "object"}, execution=support)]

        async def work(task: Any) -> Any:
            self.seen.append(current.get())
            end = perf_counter() + SPINS
            while perf_counter() < end:
                pass
            self.working.set()
            await self.go.wait()
            return types.CallToolResult(content=[types.TextContent(type="text", text="at last")])

        @self.server.call_tool()  # type: ignore[untyped-decorator]
        async def call(name: str, arguments: dict[str, Any]) -> Any:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                return await self.server.request_context.experimental.run_task(work)


def begin(request_id: int) -> messages.Message:
    """A `tools/call` that asks to become a task."""
    params = {"name": "long", "arguments": {"text": [MARK]}, "task": {"ttl": 60_000}}
    return messages.request(request_id, "tools/call", **params)


async def talk(working: Working, told: Callable[[hosts.Pipe], Awaitable[Any]]) -> None:
    hello = {**messages.HELLO[0], "params": {**messages.HELLO[0]["params"], "protocolVersion": "2025-11-25"}}
    async with hosts.piped(working.server) as pipe:
        await pipe.ask(hello)
        await pipe.say(messages.HELLO[1])
        await told(pipe)


def recorder() -> Recorder:
    """The recorder at work."""
    found = instrumentor.recorder()
    assert found is not None
    return found


def task_of(answer: bytes) -> str:
    """The id of the task that was made."""
    task: str = json.loads(answer)["result"]["task"]["taskId"]
    return task


def hear(working: Working, told: Callable[[hosts.Pipe], Awaitable[Any]]) -> tuple[dict[str, Event], Watched]:
    events: list[Event] = []
    with watching() as watched:
        watched.recorder.sinks.append(events.append)
        anyio.run(talk, working, told)
        assert dict(watched.totals.failures) == {}
        assert watched.recorder.live.requests == {}
        assert len(watched.servers) == len([event for event in events if event.side == "server"])
    return {event.request_id: event for event in events if event.request_id is not None}, watched


@of_the_sdk
def test_each_message_about_a_task_is_one_event_by_its_method() -> None:
    working = Working()

    async def told(pipe: hosts.Pipe) -> None:
        task = task_of(await pipe.ask(begin(1)))
        await working.working.wait()
        assert (
            json.loads(await pipe.ask(messages.request(2, "tasks/get", taskId=task)))["result"]["status"] == "working"
        )
        await pipe.ask(messages.request(3, "tasks/list"))
        await pipe.say(messages.request(4, "tasks/result", taskId=task))
        await pipe.ask(messages.request(5, "ping"))
        working.go.set()
        answer = json.loads(await pipe.until(lambda body: body.get("id") == 4, 0))
        assert answer["result"]["content"][0]["text"] == "at last"
        await pipe.ask(messages.request(6, "tasks/get", taskId="nobody"))
        await pipe.ask(messages.request(7, "tasks/cancel", taskId=task))

    by_id, _ = hear(working, told)
    assert {number: (event.method, event.target, event.fault, event.code) for number, event in by_id.items()} == {
        "0": ("initialize", None, None, None),
        "1": ("tools/call", "long", None, None),
        "2": ("tasks/get", None, None, None),
        "3": ("tasks/list", None, None, None),
        "4": ("tasks/result", None, None, None),
        "5": ("ping", None, None, None),
        "6": ("tasks/get", None, "caller", -32602),
        "7": ("tasks/cancel", None, "caller", -32602),  # it is over
    }
    assert all(
        {"decode", "handler", "encode", "write"} <= set(event.phases) for event in by_id.values() if event.target
    )


@of_the_sdk
def test_a_call_that_becomes_a_task_ends_with_its_answer_and_the_work_is_not_its_own() -> None:
    working = Working()

    async def told(pipe: hosts.Pipe) -> None:
        await pipe.ask(begin(1))
        await working.working.wait()
        await anyio.sleep(0.1)  # whose time this is, is told by the event
        tally = recorder().totals.tallies["tools/call", "long"]
        assert tally.on_loop is not None
        assert tally.on_loop < SPINS
        working.go.set()

    by_id, _ = hear(working, told)
    assert by_id["1"].duration < 0.1
    (seen,) = working.seen
    assert seen is not None
    assert seen.done
    assert (seen.exchange, seen.message, seen.params, seen.session, seen.span) == (None,) * 5


@of_the_sdk
def test_the_result_of_a_task_may_wait_without_being_a_hung_call() -> None:
    working = Working()

    async def told(pipe: hosts.Pipe) -> None:
        task = task_of(await pipe.ask(begin(1)))
        await pipe.say(messages.request(2, "tasks/result", taskId=task))
        await pipe.ask(messages.request(3, "ping"))
        assert [call.method for call in recorder().live.requests.values()] == ["tasks/result"]
        assert recorder().live.oldest_age() == 0.0
        working.go.set()
        await pipe.until(lambda body: body.get("id") == 2, 0)

    by_id, _ = hear(working, told)
    assert by_id["2"].fault is None


def left() -> Counter[str]:
    """What is alive of a call: its arguments, its responder."""
    gc.collect()
    alive = gc.get_objects()
    kinds = Counter(type(each).__name__ for each in alive if type(each).__name__ in ("RequestResponder", "Stamped"))
    kinds["arguments"] = sum(type(each) is list and each == [MARK] for each in alive)
    return kinds


@of_the_sdk
def test_work_that_goes_on_keeps_nothing_of_the_call_that_began_it() -> None:
    def measured() -> Counter[str]:
        working, found = Working(), list[Counter[str]]()

        async def told(pipe: hosts.Pipe) -> None:
            for number in (1, 2, 3):
                await pipe.ask(begin(number))
            await working.working.wait()
            await pipe.ask(messages.request(9, "ping"))
            found.append(left())
            working.go.set()

        anyio.run(talk, working, told)
        return found[0]

    bare = measured()
    with watching():
        watched = measured()
    stamped = watched.pop("Stamped", 0)
    assert stamped <= 1  # the latest, which the receive loop holds as it would without us
    assert watched == bare


@pytest.mark.skipif(hosts.LINE == 1, reason="1.x has tasks of its own")
def test_tasks_that_an_application_brings_along_are_told_by_their_methods() -> None:
    types: Any = import_module("mcp_types")
    working, reported = anyio.Event(), list[tuple[list[str], float]]()
    server: Any = import_module("mcp.server.lowlevel").Server("tasks", version="1")
    server._lowlevel_server = server

    async def get(_: Any, __: Any) -> dict[str, Any]:
        return {"status": "working"}

    async def result(_: Any, __: Any) -> dict[str, Any]:
        await working.wait()
        return {"content": []}

    async def told() -> None:
        server.add_request_handler("tasks/get", types.RequestParams, get)
        server.add_request_handler("tasks/result", types.RequestParams, result)
        async with hosts.piped(server) as pipe:
            await pipe.ask(messages.HELLO[0])
            await pipe.say(messages.HELLO[1])
            await pipe.ask(messages.request(1, "tasks/get"))
            await pipe.say(messages.request(2, "tasks/result"))
            await pipe.ask(messages.request(3, "ping"))
            live = recorder().live
            reported.append(([call.method for call in live.requests.values()], live.oldest_age()))
            working.set()
            await pipe.until(lambda body: body.get("id") == 2, 0)

    events: list[Event] = []
    with watching() as watched:
        watched.recorder.sinks.append(events.append)
        anyio.run(told)
    assert reported == [(["tasks/result"], 0.0)]
    assert {event.request_id: (event.method, event.fault) for event in events if event.request_id in ("1", "2")} == {
        "1": ("tasks/get", None),
        "2": ("tasks/result", None),
    }
