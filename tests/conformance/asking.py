"""What a client asks in any scenario of the suite: to see all that is offered, and to use each of it once."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from mcp.shared._httpx_utils import create_mcp_http_client

WORDS = {"integer": 5, "number": 5, "boolean": True, "array": [], "object": {}, "string": "word"}
"""An argument of each type."""
FOCAL, ECHO = "json_schema_2020_12_tool", "json_schema_echo"


def http() -> Any:
    """An HTTP client of the installed line; $LEDGER names the file that gets a line for each POST."""

    async def note(request: Any) -> None:
        if request.method == "POST":
            with open(os.environ["LEDGER"], "a") as file:
                file.write(json.dumps({"body": request.content.decode()}) + "\n")

    client = create_mcp_http_client()
    client.event_hooks = {"request": [note], "response": []}
    return client


def wire(model: Any) -> Any:
    """A model of the SDK as it goes over the wire."""
    return model.model_dump(by_alias=True, mode="json", exclude_none=True)


def accepted(params: Any) -> dict[str, Any]:
    """The answer to an elicitation: every default, and true for what has none."""
    schema = wire(params).get("requestedSchema", {})
    content = {name: given.get("default", True) for name, given in schema.get("properties", {}).items()}
    return {"action": "accept", "content": content}


def calls(tools: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Each tool by its name with arguments: the scenario's own where it has any, else one word for each."""
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
    if "toolCalls" in context:
        return [(call["name"], call["arguments"]) for call in context["toolCalls"]]
    schemas = {tool["name"]: tool["inputSchema"] for tool in tools}
    found = []
    for name, schema in schemas.items():
        properties = schema.get("properties", {})
        arguments = {key: WORDS.get(properties.get(key, {}).get("type"), 5) for key in schema.get("required", ())}
        found.append((name, {"schema": schemas[FOCAL]} if name == ECHO and FOCAL in schemas else arguments))
    return found


async def ask(client: Any, able: dict[str, Any]) -> None:
    """Ask `client`, whose server says it is `able` of these, for everything; what comes back is said on stdout."""

    async def said(question: Any) -> dict[str, Any]:
        try:
            answer = wire(await question)
        except Exception as error:
            answer = {"failed": f"{type(error).__name__}: {error}"}
        json.dump(answer, sys.stdout, sort_keys=True)
        print()
        return dict(answer)

    for name, arguments in calls((await said(client.list_tools())).get("tools", [])):
        await said(client.call_tool(name, arguments))
    if able.get("resources") is not None:
        for resource in (await said(client.list_resources())).get("resources", []):
            await said(client.read_resource(resource["uri"]))
    if able.get("prompts") is not None:
        for prompt in (await said(client.list_prompts())).get("prompts", []):
            await said(client.get_prompt(prompt["name"], {one["name"]: "word" for one in prompt.get("arguments", ())}))
