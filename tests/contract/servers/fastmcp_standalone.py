"""The story server on the `fastmcp` package, any line of it: what differs between the lines is on the wire."""

from __future__ import annotations

import os
import warnings
from contextlib import suppress
from typing import Any

import anyio
from launch import prepare, say, serve
from schemas import PAUSE, REFUSED, SECRET

os.environ |= {"FASTMCP_CHECK_FOR_UPDATES": "off", "FASTMCP_LOG_ENABLED": "false"}
warnings.showwarning = lambda *_, **__: None  # what its dependencies say of each other
given = prepare()

from fastmcp import Context, FastMCP  # noqa: E402
from fastmcp.exceptions import ToolError  # noqa: E402
from pydantic import BaseModel  # noqa: E402

with suppress(ImportError):
    import key_value.aio.stores.memory  # noqa: F401  4.x does so within the first message, for half a second

server: FastMCP[Any] = FastMCP("story", version="1.0")


class Sum(BaseModel):
    sum: int


class Asked(BaseModel):
    answer: str


def refusal(text: str) -> Exception:
    """An error of the protocol, as each line of the SDK has it."""
    import mcp.shared.exceptions as exceptions

    if hasattr(exceptions, "MCPError"):
        return exceptions.MCPError(REFUSED, text)
    from mcp.types import ErrorData

    return exceptions.McpError(ErrorData(code=REFUSED, message=text))


@server.tool
async def echo(text: str) -> str:
    return text


@server.tool
def add(a: int, b: int) -> Sum:
    return Sum(sum=a + b)


@server.tool
async def fail(text: str) -> str:
    raise ToolError(text)


@server.tool
async def crash(text: str) -> str:
    raise RuntimeError(text)


@server.tool
async def refuse(text: str) -> str:
    await anyio.sleep(PAUSE)
    raise refusal(text)


@server.tool
async def slow(seconds: float, context: Context) -> str:
    say(f"slow {context.request_id}")
    await anyio.sleep(seconds)
    return "done"


@server.tool
async def progress(steps: int, context: Context) -> str:
    for step in range(steps):
        await context.report_progress(step + 1, steps)
    return "done"


@server.tool
async def ask(question: str, context: Context) -> str:
    reply = await context.elicit(question, Asked)
    assert reply.action == "accept"
    return reply.data.answer


@server.prompt
def greet(name: str) -> str:
    return f"Hello {name}"


@server.resource(SECRET)
def secret() -> str:
    return "the secret"


async def stdio() -> None:
    await server.run_stdio_async(show_banner=False)


def app() -> Any:
    if given.sse:
        return server.http_app(transport="sse")
    return server.http_app("/mcp", json_response=given.json, stateless_http=given.stateless)


if __name__ == "__main__":
    serve(given, stdio, app)
