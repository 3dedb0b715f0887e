"""The story server on the low-level API of mcp 1.x."""

from __future__ import annotations

from typing import Any

import anyio
from launch import prepare, say, serve
from schemas import ASKED, INPUT, OUTPUT, PAUSE, REFUSED, SECRET

given = prepare()

from mcp import types  # noqa: E402
from mcp.server.lowlevel import Server  # noqa: E402
from mcp.server.stdio import stdio_server  # noqa: E402
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager  # noqa: E402
from mcp.shared.exceptions import McpError  # noqa: E402

server: Server[Any, Any] = Server("story", version="1.0")


@server.list_tools()
async def list_tools() -> list[types.Tool]:
    return [types.Tool(name=name, inputSchema=INPUT[name], outputSchema=OUTPUT.get(name)) for name in INPUT]


@server.call_tool()
async def call_tool(name: str, arguments: dict[str, Any]) -> Any:
    text = str(arguments.get("text"))
    session = server.request_context.session
    request_id = server.request_context.request_id
    if name == "echo":
        return said(text)
    if name == "add":
        return {"sum": arguments["a"] + arguments["b"]}
    if name == "fail":
        return types.CallToolResult(content=said(text), isError=True)
    if name == "crash":
        raise RuntimeError(text)
    if name == "slow":
        say(f"slow {request_id}")
        await anyio.sleep(arguments["seconds"])
        return said("done")
    if name == "progress":
        meta = server.request_context.meta
        token = meta.progressToken if meta is not None else None
        for step in range(arguments["steps"]):
            if token is not None:
                await session.send_progress_notification(token, step + 1, arguments["steps"], None, str(request_id))
        return said("done")
    if name == "ask":
        reply = await session.elicit_form(arguments["question"], ASKED, request_id)
        return said(str((reply.content or {})["answer"]))
    raise ValueError(f"Unknown tool: {name}")


decorated = server.request_handlers[types.CallToolRequest]


async def call_or_refuse(request: types.CallToolRequest) -> types.ServerResult:
    """The decorator turns every exception into a result; a server that refuses has a handler of its own."""
    if request.params.name == "refuse":
        await anyio.sleep(PAUSE)
        raise McpError(types.ErrorData(code=REFUSED, message=str(request.params.arguments)))
    return await decorated(request)


server.request_handlers[types.CallToolRequest] = call_or_refuse


@server.list_prompts()
async def list_prompts() -> list[types.Prompt]:
    return [types.Prompt(name="greet", arguments=[types.PromptArgument(name="name", required=True)])]


@server.get_prompt()
async def get_prompt(name: str, arguments: dict[str, str] | None) -> types.GetPromptResult:
    if name != "greet":
        raise McpError(types.ErrorData(code=types.INVALID_PARAMS, message=f"Unknown prompt: {name}"))
    content = types.TextContent(type="text", text=f"Hello {(arguments or {})['name']}")
    return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=content)])


async def read_resource(request: types.ReadResourceRequest) -> types.ServerResult:
    if str(request.params.uri) != SECRET:
        raise McpError(types.ErrorData(code=-32002, message=f"Resource not found: {request.params.uri}"))
    content = types.TextResourceContents(uri=request.params.uri, text="the secret", mimeType="text/plain")
    return types.ServerResult(types.ReadResourceResult(contents=[content]))


server.request_handlers[types.ReadResourceRequest] = read_resource


def said(text: str) -> list[types.ContentBlock]:
    return [types.TextContent(type="text", text=text)]


async def stdio() -> None:
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


class Listening:
    """The GET of the old transport, as an ASGI application of its own."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async with self.transport.connect_sse(scope, receive, send) as (read, write):
            await server.run(read, write, server.create_initialization_options())


def app() -> Any:
    from starlette.applications import Starlette
    from starlette.routing import Mount, Route

    if given.sse:
        from mcp.server.sse import SseServerTransport

        transport = SseServerTransport("/messages/")
        routes = [Route("/sse", Listening(transport)), Mount("/messages/", transport.handle_post_message)]
        return Starlette(routes=routes)
    manager = StreamableHTTPSessionManager(server, json_response=given.json, stateless=given.stateless)
    return Starlette(routes=[Mount("/", app=manager.handle_request)], lifespan=lambda _: manager.run())


if __name__ == "__main__":
    serve(given, stdio, app)
