"""What the servers of both SDK lines offer the conformance suite: the tools, resources and prompts that it asks for."""

from __future__ import annotations

import asyncio
import base64
import json
from importlib import import_module, util
from typing import Any

TWO = util.find_spec("mcp.server.mcpserver") is not None
LINE = "mcp.server.mcpserver" if TWO else "mcp.server.fastmcp"
Context: Any = import_module(LINE).Context
Tool: Any = import_module(f"{LINE}.tools").Tool
types: Any = import_module("mcp_types" if TWO else "mcp.types")

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYPhfDwAChAGAYbKRCwAAAABJRU5ErkJggg=="
SILENCE = base64.b64encode(b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0@\x1f\0\0@\x1f\0\0\1\0\x08\0data\0\0\0\0").decode()
STEP = 0.05
"""Seconds between two notices of a tool."""

SCHEMA_2020_12 = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


def form(*required: str, **properties: Any) -> dict[str, Any]:
    """A flat schema to elicit."""
    return {"type": "object", "properties": properties, "required": list(required)}


def titled(*values: str) -> list[dict[str, str]]:
    return [{"const": value, "title": value.title()} for value in values]


DEFAULTS = form(
    name={"type": "string", "default": "John Doe"},
    age={"type": "integer", "default": 30},
    score={"type": "number", "default": 95.5},
    status={"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    verified={"type": "boolean", "default": True},
)
ENUMS = form(
    untitledSingle={"type": "string", "enum": ["one", "two", "three"]},
    titledSingle={"type": "string", "oneOf": titled("one", "two", "three")},
    legacyEnum={"type": "string", "enum": ["one", "two", "three"], "enumNames": ["One", "Two", "Three"]},
    untitledMulti={"type": "array", "items": {"type": "string", "enum": ["one", "two", "three"]}},
    titledMulti={"type": "array", "items": {"anyOf": titled("one", "two", "three")}},
)


def text(words: str) -> Any:
    return types.TextContent(type="text", text=words)


def picture() -> Any:
    return types.ImageContent.model_validate({"type": "image", "data": PIXEL, "mimeType": "image/png"})


def embedded(uri: str, kind: str, words: str) -> Any:
    inside = {"uri": uri, "mimeType": kind, "text": words}
    return types.EmbeddedResource.model_validate({"type": "resource", "resource": inside})


def test_simple_text() -> str:
    """Text."""
    return "This is a simple text response for testing."


def test_image_content() -> list[Any]:
    """A picture."""
    return [picture()]


def test_audio_content() -> list[Any]:
    """A sound."""
    return [types.AudioContent.model_validate({"type": "audio", "data": SILENCE, "mimeType": "audio/wav"})]


def test_embedded_resource() -> list[Any]:
    """A resource inside."""
    return [embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")]


def test_multiple_content_types() -> list[Any]:
    """Text, a picture, and a resource."""
    data = json.dumps({"test": "data", "value": 123})
    inside = embedded("test://mixed-content-resource", "application/json", data)
    return [text("Multiple content types test:"), picture(), inside]


async def test_tool_with_logging(visit: Context) -> str:
    """Three log messages on the way."""
    for number, words in enumerate(("Tool execution started", "Tool processing data", "Tool execution completed")):
        await asyncio.sleep(STEP * bool(number))
        await visit.info(words)
    return "logged"


async def test_tool_with_progress(visit: Context) -> str:
    """Three steps of progress."""
    for done in (0, 50, 100):
        await asyncio.sleep(STEP * bool(done))
        await visit.report_progress(done, 100)
    return "done"


def test_error_handling() -> str:
    """Nothing but failure."""
    raise RuntimeError("This tool intentionally returns an error for testing")


async def test_reconnection(visit: Context) -> str:
    """Close the stream of the answer when it is open and before there is one."""
    await asyncio.sleep(STEP)
    await visit.close_sse_stream()
    await asyncio.sleep(2 * STEP)
    return "Reconnection test completed"


async def test_sampling(prompt: str, visit: Context) -> str:
    """Ask the client's model."""
    message = types.SamplingMessage(role="user", content=text(prompt))
    answer = await visit.session.create_message([message], max_tokens=100, related_request_id=visit.request_id)
    return f"LLM response: {answer.content.text}"


async def asked(visit: Any, message: str, schema: dict[str, Any]) -> str:
    answer = await visit.session.elicit_form(message, schema, visit.request_id)
    return f"action={answer.action}, content={json.dumps(answer.content)}"


async def test_elicitation(message: str, visit: Context) -> str:
    """Ask the user."""
    user = form("username", "email", username={"type": "string"}, email={"type": "string"})
    return f"User response: {await asked(visit, message, user)}"


async def test_elicitation_sep1034_defaults(visit: Context) -> str:
    """Ask with defaults."""
    return f"Elicitation completed: {await asked(visit, 'Please look through these', DEFAULTS)}"


async def test_elicitation_sep1330_enums(visit: Context) -> str:
    """Ask for choices."""
    return f"Elicitation completed: {await asked(visit, 'Please choose', ENUMS)}"


def json_schema_2020_12_tool(name: str = "", phone: str = "", email: str = "") -> str:
    """A schema with words that few use."""
    return f"{name} {phone} {email}"


PLAIN = (
    test_simple_text,
    test_tool_with_logging,
    test_tool_with_progress,
    test_error_handling,
    test_reconnection,
    test_sampling,
    test_elicitation,
    test_elicitation_sep1034_defaults,
    test_elicitation_sep1330_enums,
)
CONTENT = (test_image_content, test_audio_content, test_embedded_resource, test_multiple_content_types)


def with_schema(function: Any, schema: dict[str, Any]) -> Any:
    """A tool that says `schema` of its arguments, whatever its function looks like."""
    return Tool.from_function(function).model_copy(update={"parameters": schema})


def said(*contents: Any) -> list[Any]:
    return [{"role": "user", "content": content} for content in contents]


def test_simple_prompt() -> list[Any]:
    """A prompt."""
    return said(text("This is a simple prompt for testing."))


def test_prompt_with_arguments(arg1: str, arg2: str) -> list[Any]:
    """A prompt with arguments."""
    return said(text(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"))


def test_prompt_with_embedded_resource(resourceUri: str) -> list[Any]:
    """A prompt with a resource inside."""
    inside = embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
    return said(inside, text("Please process the embedded resource above."))


def test_prompt_with_image() -> list[Any]:
    """A prompt with a picture."""
    return said(picture(), text("Please analyze the image above."))


PROMPTS = (
    test_simple_prompt,
    test_prompt_with_arguments,
    test_prompt_with_embedded_resource,
    test_prompt_with_image,
)


def record(id: str) -> str:  # noqa: A002 - the suite's template names it
    """A record by its number."""
    return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


async def complete(ref: Any, argument: Any, context: Any) -> Any:
    """Words that begin as the argument does."""
    words = [word for word in ("paris", "park", "party") if word.startswith(argument.value)]
    return types.Completion(values=words, total=len(words))


def serve_by(server: Any) -> None:
    """Offer all of it by `server`, a FastMCP of 1.x or an MCPServer of 2.x."""
    for tool in PLAIN:
        server.tool()(tool)
    for tool in CONTENT:
        server.tool(structured_output=False)(tool)
    for prompt in PROMPTS:
        server.prompt()(prompt)
    resources = {
        "static-text": ("text/plain", lambda: "This is the content of the static text resource."),
        "static-binary": ("image/png", lambda: base64.b64decode(PIXEL)),
        "watched-resource": ("text/plain", lambda: "Watched."),
    }
    for name, (kind, read) in resources.items():
        server.resource(f"test://{name}", name=name, description=f"The {name}", mime_type=kind)(read)
    server.resource("test://template/{id}/data", name="record", mime_type="application/json")(record)
    server.completion()(complete)
