"""Servers of FastMCP that stand on one another, a client of them, and what their spans and faults say."""

from __future__ import annotations

from typing import Any

import anyio
from opentelemetry import trace
from pydantic import BaseModel

from tests.promises.watching import Watched
from tests.seams.fastmcp.conftest import LINE

TRANSPORTS = ("initialize", "notifications/initialized", "server/discover")
"""What a session begins with."""


class Whole(BaseModel):
    number: int


def child() -> Any:
    """A server whose functions do what functions do, well and badly."""
    from fastmcp import FastMCP

    server = FastMCP("child")

    @server.tool
    async def add(a: int, b: int) -> int:
        with trace.get_tracer("application").start_as_current_span("work"):
            return a + b

    @server.tool
    def double(a: int) -> int:
        return 2 * a

    @server.tool
    async def crash(a: int) -> int:
        raise RuntimeError("it broke")

    @server.tool
    async def parse(text: str) -> int:
        return Whole.model_validate({"number": text}).number

    @server.tool
    def parse_at_once(text: str) -> int:
        return Whole.model_validate({"number": text}).number

    @server.prompt
    def hello(name: str) -> str:
        return f"hello {name}"

    @server.resource("story://one")
    def one() -> str:
        return "1"

    return server


def mounted(prefix: str | None = "kid") -> Any:
    """A server that has `child` mounted below `prefix`."""
    return _mounting(child(), prefix)


def imported() -> Any:
    """A server that has taken over the components of `child`, or, since 3.x copies nothing, has it mounted."""
    from fastmcp import FastMCP

    if LINE > 2:
        return mounted()
    server = FastMCP("parent")
    anyio.run(server.import_server, child(), "kid")
    return server


def proxied() -> Any:
    """A server that passes everything on to `child`, by a session in memory."""
    return proxy_of(child())


def mounted_proxy() -> Any:
    """A server that has a proxy of `child` mounted."""
    return _mounting(proxied(), "kid")


def proxy_of(target: Any) -> Any:
    """A proxy of a server, or of whatever is at a URL."""
    if LINE == 2:
        from fastmcp import FastMCP

        return FastMCP.as_proxy(target)
    from fastmcp.server import create_proxy

    return create_proxy(target)


def _mounting(server: Any, prefix: str | None) -> Any:
    from fastmcp import FastMCP

    parent = FastMCP("parent")
    parent.mount(server, **{"prefix" if LINE == 2 else "namespace": prefix})
    return parent


def talk(server: Any, *asked: tuple[str, Any]) -> list[str]:
    """What `server` answers to calls of tools, to prompts (`prompt:` and a name), and to URIs, which are given None."""
    from fastmcp import Client

    async def answer(client: Any, name: str, given: Any) -> Any:
        if name.startswith("prompt:"):
            return (await client.get_prompt(name.removeprefix("prompt:"), given)).messages
        if given is None:
            return await client.read_resource(name)
        return (await client.call_tool(name, given)).content

    async def told() -> list[str]:
        answers = []
        async with Client(server, sampling_handler=lambda *_: "7") as client:
            for name, given in asked:
                try:
                    answers.append(str(await answer(client, name, given)))
                except Exception as error:
                    answers.append(f"{type(error).__name__}: {error}")
        return answers

    return anyio.run(told)


def tree(watched: Watched) -> list[str]:
    """Every span, below its parent, in the order they began; without what opens sessions, and ours without a scope."""
    spans = {span.context.span_id: span for span in watched.spans if span.context is not None}
    lines = []
    for span in sorted(spans.values(), key=lambda each: each.start_time or 0):
        depth, parent = 0, span.parent
        while parent is not None and parent.span_id in spans:
            depth, parent = depth + 1, spans[parent.span_id].parent
        scope = span.instrumentation_scope.name if span.instrumentation_scope is not None else ""
        if span.name not in TRANSPORTS:
            lines.append(
                "  " * depth + f"{span.kind.name} {span.name}" + ("" if scope == "mcp_otel" else f" ({scope})")
            )
    return lines


def faults(watched: Watched) -> dict[str, str]:
    """Who was at fault, by the name that was asked for."""
    return {
        f"{method} {target}": who
        for (method, target), tally in watched.totals.tallies.items()
        for who, count in tally.faults.items()
        if count
    }
