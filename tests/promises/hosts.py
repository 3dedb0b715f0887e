"""MCP servers inside this process, spoken to in raw bytes: what they answer must not depend on who watches."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.metadata import version
from typing import Any

import anyio

from tests.promises.messages import (
    AFTERWARDS,
    ASK,
    CANCEL,
    HELLO,
    PATIENCE,
    SLOW,
    STORY,
    Message,
    blue,
)
from tests.promises.web import Web

LINE = int(version("mcp").partition(".")[0])
PROPAGATED = re.compile(rb',"_meta":\{"traceparent":"[-0-9a-f]+"\}')
"""2.x itself sends the current span along when it asks its client: with any span current, so with ours."""


class Waiting:
    """Where a slow tool says that it runs, and how it ended."""

    def __init__(self) -> None:
        self.started = anyio.Event()
        self.ended: list[str] = []


def high_level(waiting: Waiting, behind: Callable[[], Awaitable[str]] | None = None) -> Any:
    """FastMCP of 1.x or MCPServer of 2.x; its tool `nested` does what `behind` does."""
    if LINE == 1:
        server: Any = import_module("mcp.server.fastmcp").FastMCP("host")
        context_type: Any = import_module("mcp.server.fastmcp").Context
    else:
        server = import_module("mcp.server.mcpserver").MCPServer("host", version="1")
        context_type = import_module("mcp.server.mcpserver").Context

    async def slow(context: Any) -> str:
        waiting.started.set()
        try:
            await anyio.sleep_forever()
        finally:
            waiting.ended.append("cancelled")
        return "never"

    async def progress(steps: int, context: Any) -> str:
        for step in range(steps):
            await context.report_progress(step + 1, steps)
        return "done"

    async def ask(question: str, context: Any) -> str:
        reply = await context.elicit(question, _asked())
        return str(reply.data.answer)

    async def nested() -> str:
        assert behind is not None
        return await behind()

    for function in (slow, progress, ask):
        function.__annotations__["context"] = context_type
    for function in (slow, progress, ask, nested, _crash, _echo):
        server.tool(name=function.__name__.lstrip("_"), structured_output=False)(function)
    server.tool(name="add")(_add)
    server.prompt(name="greet")(_greet)
    return server


async def _echo(text: str) -> str:
    return text


def _crash(text: str) -> str:
    raise RuntimeError(text)


def _add(a: int, b: int) -> dict[str, int]:
    return {"sum": a + b}


def _greet(name: str) -> str:
    return f"Hello {name}"


def _asked() -> Any:
    from pydantic import create_model

    return create_model("Asked", answer=(str, ...))


def low_level(server: Any) -> Any:
    """The low-level server inside a high-level one."""
    return getattr(server, "_mcp_server", None) or server._lowlevel_server


class Pipe:
    """Both ends of a stdio transport in memory: lines in, lines out, each as it was on the wire."""

    def __init__(self) -> None:
        self._give, self._take = anyio.create_memory_object_stream[str](1000)
        self.lines: list[bytes] = []
        self._changed = anyio.Event()

    def __aiter__(self) -> Pipe:
        return self

    async def __anext__(self) -> str:
        return await self._take.__anext__()

    async def write(self, text: str) -> None:
        """A server writes."""
        await anyio.lowlevel.checkpoint()
        self.lines.append(text.encode())

    async def flush(self) -> None:
        """What a server wrote is there."""
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    async def say(self, message: Message | bytes) -> None:
        """A client sends one message, or a raw line."""
        text = message.decode() if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False)
        await self._give.send(text + "\n")

    async def until(self, met: Callable[[Any], bool], since: int) -> bytes:
        """The first line after `since` lines that meets a condition."""
        with anyio.fail_after(PATIENCE):
            while True:
                for line in self.lines[since:]:
                    if met(json.loads(line)):
                        return line
                await self._changed.wait()

    async def ask(self, message: Message) -> bytes:
        """The answer to `message`; questions of the server are answered with blue."""
        since = len(self.lines)
        await self.say(message)
        if message is ASK:
            question = json.loads(await self.until(lambda body: body.get("method") == "elicitation/create", since))
            await self.say(blue(question["id"]))
        return await self.until(lambda body: "method" not in body and body.get("id") == message["id"], since)

    async def close(self) -> None:
        """The client leaves."""
        await self._give.aclose()


@asynccontextmanager
async def piped(server: Any) -> AsyncIterator[Pipe]:
    """`server` behind the SDK's own stdio transport."""
    stdio = import_module("mcp.server.stdio")
    pipe, lowest = Pipe(), low_level(server)
    async with anyio.create_task_group() as tasks:

        async def serve() -> None:
            async with stdio.stdio_server(pipe, pipe) as (read, write):
                await lowest.run(read, write, lowest.create_initialization_options())

        tasks.start_soon(serve)
        yield pipe
        await pipe.close()
        pipe._take.close()


async def tell_pipe(server: Any, waiting: Waiting) -> list[bytes]:
    """The whole story over a pipe; every line that came back, in order."""
    async with piped(server) as pipe:
        await pipe.ask(HELLO[0])
        await pipe.say(HELLO[1])
        for message in STORY:
            await pipe.ask(message)
        await pipe.say(b"this is no JSON")
        await pipe.ask(ASK)
        await pipe.say(SLOW)
        with anyio.fail_after(PATIENCE):
            await waiting.started.wait()
        await pipe.say(CANCEL)
        await pipe.ask(AFTERWARDS)
    return pipe.lines


@asynccontextmanager
async def webbed(server: Any, modern: bool = False, json_response: bool = False) -> AsyncIterator[Web]:
    """`server` behind the SDK's own Streamable HTTP manager."""
    manager = import_module("mcp.server.streamable_http_manager").StreamableHTTPSessionManager(
        low_level(server), json_response=json_response
    )
    async with manager.run():
        yield Web(manager.handle_request, modern)


async def tell_web(server: Any, waiting: Waiting, modern: bool = False) -> list[bytes]:
    """The whole story over HTTP; every answer, in order."""
    async with webbed(server, modern) as web:
        for message in (() if modern else HELLO) + STORY:
            await web.send(message)
        await web.send(b"this is no JSON")
        if not modern:
            await web.send(ASK)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(web.send, SLOW)
                with anyio.fail_after(PATIENCE):
                    await waiting.started.wait()
                await web.send(CANCEL)
            await web.send(AFTERWARDS)
            await web.send(b"", "DELETE")
    return web.heard


async def _tell_modern(server: Any, waiting: Waiting) -> list[bytes]:
    return await tell_web(server, waiting, modern=True)


DOORS: dict[str, Callable[[Any, Waiting], Awaitable[list[bytes]]]] = {"pipe": tell_pipe, "http": tell_web}
if LINE == 2:
    DOORS["modern"] = _tell_modern


def tell(door: str) -> tuple[list[bytes], list[str]]:
    """A fresh server hears the story at `door`: its raw answers, and how its slow tool ended."""

    async def told() -> tuple[list[bytes], list[str]]:
        waiting = Waiting()
        answers = await DOORS[door](high_level(waiting), waiting)
        return [PROPAGATED.sub(b"", answer) for answer in answers], waiting.ended

    return anyio.run(told)
