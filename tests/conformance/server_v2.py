"""What the conformance suite asks of a 2.x server, in both eras: `python -m tests.conformance.server_v2`."""

from __future__ import annotations

from typing import Any

import mcp_types as types
from mcp.server.mcpserver import Context, MCPServer
from mcp.shared.exceptions import MCPError

from tests.conformance import served, wares

Round = types.InputRequiredResult
NAME = {"name": {"type": "string"}}
MISSING_CAPABILITY = -32021


def elicit(message: str, **properties: Any) -> dict[str, Any]:
    """A question to the user, inside a result."""
    schema = wares.form(*properties, **properties)
    return {"method": "elicitation/create", "params": {"message": message, "requestedSchema": schema}}


def sample(words: str) -> dict[str, Any]:
    """A question to the client's model, inside a result."""
    message = {"role": "user", "content": {"type": "text", "text": words}}
    return {"method": "sampling/createMessage", "params": {"messages": [message], "maxTokens": 100}}


ROOTS: dict[str, Any] = {"method": "roots/list", "params": {}}


def ask(state: str | None = None, **questions: Any) -> Round:
    """A result that is none yet."""
    return Round.model_validate({"inputRequests": questions, "requestState": state})


def answers(visit: Any, *names: str) -> Any:
    """The answers of the client, or None unless all of `names` are among them, and accepted."""
    given = visit.input_responses or {}
    found = [given.get(name) for name in names]
    return None if any(one is None or getattr(one, "action", "accept") != "accept" for one in found) else found


async def test_input_required_result_elicitation(visit: Context) -> str | Round:
    """Who is there?"""
    got = answers(visit, "user_name")
    if got is None or not isinstance((got[0].content or {}).get("name"), str):
        return ask(user_name=elicit("What is your name?", **NAME))
    return f"Hello, {got[0].content['name']}!"


async def test_input_required_result_sampling(visit: Context) -> str | Round:
    """What would a model say?"""
    got = answers(visit, "capital_question")
    return str(got[0].content.text) if got else ask(capital_question=sample("What is the capital of France?"))


async def test_input_required_result_list_roots(visit: Context) -> str | Round:
    """Where may it work?"""
    got = answers(visit, "client_roots")
    return ", ".join(str(root.uri) for root in got[0].roots) if got else ask(client_roots=ROOTS)


async def test_input_required_result_request_state(visit: Context) -> str | Round:
    """Is it still the same conversation?"""
    if answers(visit, "confirm") and visit.request_state == "begun":
        return "state-ok"
    return ask("begun", confirm=elicit("Please confirm", ok={"type": "boolean"}))


async def test_input_required_result_tampered_state(visit: Context) -> str | Round:
    """Has anyone touched the state?"""
    return await test_input_required_result_request_state(visit)


async def test_input_required_result_multiple_inputs(visit: Context) -> str | Round:
    """Three questions at once."""
    if answers(visit, "user_name", "greeting", "client_roots"):
        return "all of them"
    return ask(
        "three",
        user_name=elicit("What is your name?", **NAME),
        greeting=sample("Generate a greeting"),
        client_roots=ROOTS,
    )


async def test_input_required_result_multi_round(visit: Context) -> str | Round:
    """One question after the other."""
    if visit.request_state == "second" and answers(visit, "step2"):
        return "both of them"
    if visit.request_state == "first" and answers(visit, "step1"):
        return ask("second", step2=elicit("Step 2: What is your favorite color?", color={"type": "string"}))
    return ask("first", step1=elicit("Step 1: What is your name?", **NAME))


async def test_input_required_result_capabilities(visit: Context) -> str | Round:
    """Only what the client can answer."""
    able = visit.client_capabilities or types.ClientCapabilities()
    possible = {
        "user_name": able.elicitation is not None and elicit("What is your name?", **NAME),
        "greeting": able.sampling is not None and sample("Generate a greeting"),
        "client_roots": able.roots is not None and ROOTS,
    }
    return ask(**{name: question for name, question in possible.items() if question})


async def test_streaming_elicitation(visit: Context) -> str | Round:
    """A notice, then a question."""
    await visit.report_progress(1, 2)
    return await test_input_required_result_elicitation(visit)


async def test_missing_capability(visit: Context) -> str:
    """Nothing for a client without sampling."""
    if visit.client_capabilities is None or visit.client_capabilities.sampling is None:
        raise MCPError(MISSING_CAPABILITY, "sampling is needed", {"requiredCapabilities": {"sampling": {}}})
    return "sampled"


async def test_logging_tool(visit: Context) -> str:
    """A log message, for who wants it."""
    await visit.info("at work")
    return "logged"


async def test_trigger_tool_change(visit: Context) -> str:
    """Say that the tools are others now."""
    await visit.notify_tools_changed()
    return "changed"


async def test_trigger_prompt_change(visit: Context) -> str:
    """Say that the prompts are others now."""
    await visit.notify_prompts_changed()
    return "changed"


async def test_input_required_result_prompt(visit: Context) -> Any:
    """A prompt that asks first."""
    got = answers(visit, "user_context")
    if got is None:
        question = elicit("What context should the prompt use?", context={"type": "string"})
        return ask(user_context=question)
    return wares.said(wares.text(str(got[0].content)))


def routed(region: str, query: str = "") -> str:
    """By a header of its own."""
    return f"{region} {query}"


ROUTED = wares.form("region", region={"type": "string", "x-mcp-header": "Region"}, query={"type": "string"})
OF_THIS_ERA = (
    test_input_required_result_elicitation,
    test_input_required_result_sampling,
    test_input_required_result_list_roots,
    test_input_required_result_request_state,
    test_input_required_result_tampered_state,
    test_input_required_result_multiple_inputs,
    test_input_required_result_multi_round,
    test_input_required_result_capabilities,
    test_streaming_elicitation,
    test_missing_capability,
    test_logging_tool,
    test_trigger_tool_change,
    test_trigger_prompt_change,
)


async def ignore(_: Any, __: Any) -> types.EmptyResult:
    """Nothing is ever said at any level, and nothing that is watched ever changes."""
    return types.EmptyResult()


def main() -> None:
    special = {wares.json_schema_2020_12_tool: wares.SCHEMA_2020_12, routed: ROUTED}
    server: Any = MCPServer(
        "conformance", version="1", log_level="CRITICAL", tools=[wares.with_schema(*pair) for pair in special.items()]
    )
    wares.serve_by(server)
    for tool in OF_THIS_ERA:
        server.tool()(tool)
    server.prompt()(test_input_required_result_prompt)
    for method, params in (
        ("logging/setLevel", types.SetLevelRequestParams),
        ("resources/subscribe", types.SubscribeRequestParams),
        ("resources/unsubscribe", types.UnsubscribeRequestParams),
    ):
        server._lowlevel_server.add_request_handler(method, params, ignore)
    served.serve(server.streamable_http_app(event_store=served.Shelf(), retry_interval=served.RETRY))


if __name__ == "__main__":
    main()
