"""The story server on the low-level API of mcp 2.x."""

from __future__ import annotations

from typing import Any

import anyio
from launch import prepare, say, serve
from schemas import ASKED, INPUT, OUTPUT, PAUSE, REFUSED, SECRET

given = prepare()

import mcp_types as types  # noqa: E402
from mcp.server.context import ServerRequestContext  # noqa: E402
from mcp.server.lowlevel import Server  # noqa: E402
from mcp.server.stdio import stdio_server  # noqa: E402
from mcp.shared.exceptions import MCPError  # noqa: E402

Request = ServerRequestContext[Any, Any]
KINDS: dict[str, Any] = {"string": str, "integer": int, "number": (int, float)}


async def list_tools(_: Request, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    return types.ListToolsResult(
        tools=[types.Tool(name=name, input_schema=INPUT[name], output_schema=OUTPUT.get(name)) for name in INPUT]
    )


async def call_tool(request: Request, params: types.CallToolRequestParams) -> types.CallToolResult:
    name, arguments = params.name, params.arguments or {}
    if name not in INPUT:
        raise MCPError(types.INVALID_PARAMS, f"Unknown tool: {name}")
    for argument, schema in INPUT[name]["properties"].items():
        if not isinstance(arguments.get(argument), KINDS[schema["type"]]):
            raise MCPError(types.INVALID_PARAMS, f"Invalid argument {argument}: {arguments.get(argument)!r}")
    text = str(arguments.get("text"))
    if name == "echo":
        return said(text)
    if name == "add":
        total = {"sum": arguments["a"] + arguments["b"]}
        return types.CallToolResult(content=said(str(total)).content, structured_content=total)
    if name == "fail":
        return types.CallToolResult(content=said(text).content, is_error=True)
    if name == "crash":
        raise RuntimeError(text)
    if name == "refuse":
        await anyio.sleep(PAUSE)
        raise MCPError(REFUSED, text)
    if name == "slow":
        say(f"slow {request.request_id}")
        await anyio.sleep(arguments["seconds"])
        return said("done")
    if name == "progress":
        for step in range(arguments["steps"]):
            await request.session.report_progress(step + 1, arguments["steps"])
        return said("done")
    reply = await request.session.elicit_form(arguments["question"], ASKED, request.request_id)
    return said(str((reply.content or {})["answer"]))


async def list_prompts(_: Request, __: types.PaginatedRequestParams | None) -> types.ListPromptsResult:
    name = types.PromptArgument(name="name", required=True)
    return types.ListPromptsResult(prompts=[types.Prompt(name="greet", arguments=[name])])


async def get_prompt(_: Request, params: types.GetPromptRequestParams) -> types.GetPromptResult:
    if params.name != "greet":
        raise MCPError(types.INVALID_PARAMS, f"Unknown prompt: {params.name}")
    content = types.TextContent(type="text", text=f"Hello {(params.arguments or {})['name']}")
    return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=content)])


async def read_resource(_: Request, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
    if str(params.uri) != SECRET:
        raise MCPError(types.INVALID_PARAMS, f"Resource not found: {params.uri}")
    content = types.TextResourceContents(uri=params.uri, text="the secret", mime_type="text/plain")
    return types.ReadResourceResult(contents=[content])


def said(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)])


server: Server[Any] = Server(
    "story",
    version="1.0",
    on_list_tools=list_tools,
    on_call_tool=call_tool,
    on_list_prompts=list_prompts,
    on_get_prompt=get_prompt,
    on_read_resource=read_resource,
)


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
    if given.sse:
        from mcp.server.sse import SseServerTransport
        from starlette.applications import Starlette
        from starlette.routing import Mount, Route

        transport = SseServerTransport("/messages/")
        routes = [Route("/sse", Listening(transport)), Mount("/messages/", transport.handle_post_message)]
        return Starlette(routes=routes)
    return server.streamable_http_app(json_response=given.json, stateless_http=given.stateless)


if __name__ == "__main__":
    serve(given, stdio, app)
