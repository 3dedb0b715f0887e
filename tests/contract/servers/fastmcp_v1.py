"""The story server on FastMCP of mcp 1.x."""

from __future__ import annotations

import warnings
from typing import Any

import anyio
from launch import prepare, say, serve
from schemas import PAUSE, REFUSED, SECRET

given = prepare()
# Up to 1.28 it has something to say about a newer pydantic-settings.
warnings.filterwarnings("ignore", message="Field 'lifespan' has an incomplete definition")

from mcp import types  # noqa: E402
from mcp.server.fastmcp import Context, FastMCP  # noqa: E402
from mcp.server.fastmcp.exceptions import ToolError  # noqa: E402
from mcp.shared.exceptions import McpError  # noqa: E402
from pydantic import BaseModel  # noqa: E402

server = FastMCP("story", json_response=given.json, stateless_http=given.stateless)


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
    raise McpError(types.ErrorData(code=REFUSED, message=text))


@server.tool(structured_output=False)
async def slow(seconds: float, context: Context[Any, Any, Any]) -> str:
    say(f"slow {context.request_id}")
    await anyio.sleep(seconds)
    return "done"


@server.tool(structured_output=False)
async def progress(steps: int, context: Context[Any, Any, Any]) -> str:
    for step in range(steps):
        await context.report_progress(step + 1, steps)
    return "done"


@server.tool(structured_output=False)
async def ask(question: str, context: Context[Any, Any, Any]) -> str:
    reply = await context.elicit(question, Asked)
    assert reply.action == "accept"
    return reply.data.answer


@server.prompt()
def greet(name: str) -> str:
    return f"Hello {name}"


@server.resource(SECRET)
def secret() -> str:
    return "the secret"


if __name__ == "__main__":
    serve(given, server.run_stdio_async, server.sse_app if given.sse else server.streamable_http_app)
