"""The story server on MCPServer of mcp 2.x."""

from __future__ import annotations

from typing import Any

import anyio
from launch import prepare, say, serve
from schemas import PAUSE, REFUSED, SECRET

given = prepare()

from mcp.server.mcpserver import Context, MCPServer  # noqa: E402
from mcp.server.mcpserver.exceptions import ToolError  # noqa: E402
from mcp.shared.exceptions import MCPError  # noqa: E402
from pydantic import BaseModel  # noqa: E402

server: MCPServer[Any] = MCPServer("story", version="1.0")


class Sum(BaseModel):
    sum: int


class Asked(BaseModel):
    answer: str


@server.tool(structured_output=False)
async def echo(text: str) -> str:
    return text


@server.tool()
def add(a: int, b: int) -> Sum:
    return Sum(sum=a + b)


@server.tool(structured_output=False)
async def fail(text: str) -> str:
    raise ToolError(text)


@server.tool(structured_output=False)
async def crash(text: str) -> str:
    raise RuntimeError(text)


@server.tool(structured_output=False)
async def refuse(text: str) -> str:
    await anyio.sleep(PAUSE)
    raise MCPError(REFUSED, text)


@server.tool(structured_output=False)
async def slow(seconds: float, context: Context[Any, Any]) -> str:
    say(f"slow {context.request_id}")
    await anyio.sleep(seconds)
    return "done"


@server.tool(structured_output=False)
async def progress(steps: int, context: Context[Any, Any]) -> str:
    for step in range(steps):
        await context.report_progress(step + 1, steps)
    return "done"


@server.tool(structured_output=False)
async def ask(question: str, context: Context[Any, Any]) -> str:
    reply = await context.elicit(question, Asked)
    assert reply.action == "accept"
    return reply.data.answer


@server.prompt()
def greet(name: str) -> str:
    return f"Hello {name}"


@server.resource(SECRET)
def secret() -> str:
    return "the secret"


def app() -> Any:
    if given.sse:
        return server.sse_app()
    return server.streamable_http_app(json_response=given.json, stateless_http=given.stateless)


if __name__ == "__main__":
    serve(given, server.run_stdio_async, app)
