"""Names are said once a server has registered them, whoever provides what bears them; and whose fault a failure is."""

from __future__ import annotations

from time import sleep
from typing import Annotated, Any

import anyio
import pytest
from pydantic import AfterValidator

from tests.promises.watching import Watched
from tests.seams.fastmcp.servers import child, faults, mounted, mounted_proxy, proxied, talk, tree

MAKERS = {"child": (child, ""), "mounted": (mounted, "kid_"), "proxied": (proxied, ""), "both": (mounted_proxy, "kid_")}


def said(watched: Watched) -> list[str]:
    """The names of the outermost SERVER spans, without listings."""
    servers = [line.strip().removeprefix("SERVER ") for line in tree(watched) if line.startswith("  SERVER")]
    return [name for name in servers if "/list" not in name]


@pytest.mark.parametrize("name", MAKERS)
def test_a_registered_name_is_said_from_its_first_call_on_and_no_other(name: str, watched: Watched) -> None:
    make, prefix = MAKERS[name]
    asked = [(f"{prefix}add", {"a": 1, "b": 2}), ("secret", {}), (f"{prefix}double", {"a": 1})]
    talk(make(), *asked, (f"prompt:{prefix}hello", {"name": "Ada"}), ("prompt:secret", {}))
    assert said(watched) == [
        f"tools/call {prefix}add",
        "tools/call _other",
        f"tools/call {prefix}double",
        f"prompts/get {prefix}hello",
        "prompts/get _other",
    ]


@pytest.mark.parametrize("name", MAKERS)
def test_who_asks_for_what_nobody_has_is_to_blame(name: str, watched: Watched) -> None:
    make, prefix = MAKERS[name]
    talk(make(), (f"{prefix}secret", {}), (f"prompt:{prefix}secret", {}), ("story://nowhere", None))
    assert faults(watched) == {
        "tools/call _other": "caller",
        "prompts/get _other": "caller",
        "resources/read None": "caller",
    }


def test_bad_arguments_are_the_callers_fault_and_a_function_that_fails_is_the_tools(watched: Watched) -> None:
    talk(child(), ("add", {"a": "one", "b": 2}), ("double", {}), ("crash", {"a": 1}))
    assert faults(watched) == {"tools/call add": "caller", "tools/call double": "caller", "tools/call crash": "tool"}


@pytest.mark.parametrize("name", ["parse", "parse_at_once"])
def test_a_check_within_a_function_is_the_tools_own(name: str, watched: Watched) -> None:
    talk(child(), (name, {"text": "not a number"}))
    assert faults(watched) == {f"tools/call {name}": "tool"}


def test_what_a_function_calls_wrongly_is_its_own_fault(watched: Watched) -> None:
    inner, outer = child(), child()

    @outer.tool
    async def ask() -> str:
        tool = await inner.get_tool("add")
        return str(await tool.run({"a": "one", "b": 2}))

    talk(outer, ("ask", {}))
    assert faults(watched) == {"tools/call ask": "tool"}


def test_a_mounted_tool_is_checked_for_its_caller(watched: Watched) -> None:
    talk(mounted(), ("kid_add", {"a": "one", "b": 2}), ("kid_crash", {"a": 1}))
    assert faults(watched) == {"tools/call kid_add": "caller", "tools/call kid_crash": "tool"}


def test_a_transformed_tool_has_the_name_that_is_listed(watched: Watched) -> None:
    from fastmcp.tools import Tool
    from fastmcp.tools.tool_transform import ArgTransform

    server: Any = child()

    def triple(amount: int) -> int:
        return 3 * amount

    renamed = {"amount": ArgTransform(name="n")}
    server.add_tool(Tool.from_tool(Tool.from_function(triple), name="thrice", transform_args=renamed))
    talk(server, ("thrice", {"n": 2}), ("thrice", {"n": "two"}), ("triple", {"amount": 2}))
    assert said(watched) == ["tools/call thrice", "tools/call thrice", "tools/call _other"]
    assert faults(watched) == {"tools/call thrice": "caller", "tools/call _other": "caller"}


LONG = 0.02


def slowly(number: int) -> int:
    """`number`, once it is checked."""
    sleep(LONG)
    return number


def test_checking_arguments_is_validation_and_what_the_function_does_is_not(watched: Watched) -> None:
    events: list[Any] = []
    watched.recorder.sinks.append(events.append)
    server: Any = child()

    @server.tool
    async def wait(number: Annotated[int, AfterValidator(slowly)]) -> int:
        await anyio.sleep(2 * LONG)
        return number

    talk(server, ("wait", {"number": 1}))
    (phases,) = (event.phases for event in events if event.side == "server" and event.target == "wait")
    assert phases["validate"] >= LONG
    assert phases["handler"] >= 2 * LONG
    assert sum(phases.values()) < 2 * phases["handler"] + phases["validate"]


def test_the_service_bears_the_name_of_the_server_that_is_served(watched: Watched) -> None:
    talk(mounted(), ("kid_add", {"a": 1, "b": 2}))
    assert watched.recorder.server_name == "parent"
