"""The high-level servers of both SDK lines (1.x FastMCP, 2.x MCPServer): registered names, and validation of tools."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from mcp_otel.call import VALIDATE, Call
from mcp_otel.recorder import Recorder, current
from mcp_otel.seams.patch import Patches, around_async, expect, spending


def install_tools(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook the module of a `ToolManager`.

    Raises:
        MisfitError: it does not look like the lines we know.
    """
    _manager(module.ToolManager, "tool", recorder, patches)


def install_prompts(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook the module of a `PromptManager`.

    Raises:
        MisfitError: it does not look like the lines we know.
    """
    _manager(module.PromptManager, "prompt", recorder, patches)


def _manager(manager: Any, kind: str, recorder: Recorder, patches: Patches) -> None:
    """Learn names where a manager looks them up."""
    lookup = f"get_{kind}"
    expect(manager, lookup, "self", "name")
    patches.replace(manager, lookup, lambda original: _looking_up(recorder, original, kind))


def asking(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    """A handler asks its client and waits for the answer."""

    def before(*_: Any, **__: Any) -> Call | None:
        call = current.get()
        if call is not None:
            call.wait()
        return call

    return around_async(recorder, original, before, lambda call, *_: call.resume())


def _looking_up(recorder: Recorder, original: Callable[..., Any], kind: str) -> Callable[..., Any]:
    known = recorder.gate.names(kind)

    @functools.wraps(original)
    def lookup(self: Any, name: str) -> Any:
        found = original(self, name)
        if not found or name not in known:
            try:
                call = current.get()
                if found:
                    recorder.learn(kind, (name,))
                elif call is not None and call.name == name:
                    call.at_fault = "caller"
            except Exception as error:
                recorder.count_failure("seams", error)
        return found

    return lookup


def validating(recorder: Recorder, original: Callable[..., Any], fault: bool = False) -> Callable[..., Any]:
    """A schema check inside a handler; with `fault`, one that fails because of what the caller sent.

    What lies between two checks of what was sent (parameters by their model, looking up the tool) is checking too.
    """
    return spending(recorder, original, VALIDATE, blame_caller if fault else None)


def blame_caller(call: Call, failure: BaseException) -> None:
    """A check of what the caller sent has failed."""
    if is_validation(failure):
        call.at_fault = "caller"


def is_validation(failure: BaseException | None) -> bool:
    """Whether a failure says that a value does not fit its schema (pydantic's and jsonschema's say so by name)."""
    return any(kind.__name__ == "ValidationError" for kind in type(failure).__mro__)
