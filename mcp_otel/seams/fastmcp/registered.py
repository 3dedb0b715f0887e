"""FastMCP's servers: names they have registered, whoever provides what bears them, and names nobody has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mcp_otel.recorder import Recorder, current
from mcp_otel.seams.patch import Patches, around_async, expect


def install(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `fastmcp.server.server`, where a server looks up what a message names: its own, mounted, or proxied.

    Raises:
        MisfitError: it does not look like the lines we know.
    """
    expect(module.FastMCP, "get_tool", "self", "name", "version")
    expect(module.FastMCP, "get_prompt", "self", "name", "version")
    patches.replace(module.FastMCP, "get_tool", lambda original: _looking_up(recorder, original, "tool"))
    patches.replace(module.FastMCP, "get_prompt", lambda original: _looking_up(recorder, original, "prompt"))


def install_hashed(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `fastmcp.server.providers.base`: a tool may have an address beside its name, which is not registered.

    Raises:
        MisfitError: it does not look like the lines we know.
    """
    if not hasattr(module.Provider, "get_tool_by_hash"):
        return  # since 3.4

    def after(_: Any, found: Any, __: BaseException | None) -> None:
        call = current.get()
        if found is not None and call is not None and call.traits.target == "tool":
            call.at_fault = None

    patches.replace(
        module.Provider,
        "get_tool_by_hash",
        lambda original: around_async(recorder, original, lambda *_, **__: True, after),
    )


def install_listing(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `fastmcp.server.server` of the 2.x line, where a message's own name is looked up before all others.

    Raises:
        MisfitError: it does not look like the 2.x line.
    """
    expect(module.FastMCP, "_get_tool_with_task_config", "self", "key")
    expect(module.FastMCP, "_get_resource_or_template_or_none", "self", "uri")
    expect(module.FastMCP, "get_prompts", "self")
    patches.replace(
        module.FastMCP, "_get_tool_with_task_config", lambda original: _looking_up(recorder, original, "tool")
    )
    patches.replace(module.FastMCP, "get_prompts", lambda original: _listing(recorder, original))
    patches.replace(module.FastMCP, "_get_resource_or_template_or_none", lambda original: _finding(recorder, original))


def note(recorder: Recorder, kind: str, name: object, found: bool) -> None:
    """A server has `found` what bears `name`, or not: of interest if that is what the message here names."""
    call = current.get()
    if call is None or call.traits.target != kind or call.name is None or call.name != name:
        return
    if not found:
        call.at_fault = "caller"
        return
    call.at_fault = None  # another server, or the listing, may have had none
    if call.name not in recorder.gate.names(kind):
        recorder.learn(kind, (call.name,))


def _looking_up(recorder: Recorder, original: Callable[..., Any], kind: str) -> Callable[..., Any]:
    def after(name: Any, found: Any, failure: BaseException | None) -> None:
        if failure is None:
            note(recorder, kind, name, found is not None)

    return around_async(recorder, original, lambda _, name, *__, **___: name, after)


def _listing(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    def after(_: Any, found: Any, failure: BaseException | None) -> None:
        call = current.get()
        if failure is None and call is not None:
            note(recorder, "prompt", call.name, call.name in found)

    return around_async(recorder, original, lambda *_: True, after)


def _finding(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    """Here a resource that nobody has is an error like any other on the wire."""

    def after(_: Any, found: Any, failure: BaseException | None) -> None:
        call = current.get()
        if found is None and failure is None and call is not None and call.method == "resources/read":
            call.at_fault = "caller"

    return around_async(recorder, original, lambda *_, **__: True, after)
