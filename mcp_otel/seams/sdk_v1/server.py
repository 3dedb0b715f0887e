"""1.x servers: where a handler's task starts, and the schema checks inside handlers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from mcp_otel.call import HANDLER, QUEUE, VALIDATE, Call
from mcp_otel.recorder import Recorder, current
from mcp_otel.seams.patch import Facade, Patches, around_async, expect, expect_names
from mcp_otel.seams.sdk_v1.session import STAMP, watch_of
from mcp_otel.seams.tools import blame_caller, validating


def install(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `mcp.server.lowlevel.server`.

    Raises:
        MisfitError: it does not look like the 1.x line.
    """
    server = module.Server
    expect(server, "_handle_message", "self", "message", "session")
    expect(server, "_get_cached_tool_definition", "self", "tool_name")
    expect_names(module.jsonschema, "validate", "ValidationError")
    patches.replace(server, "_handle_message", lambda original: _handling(recorder, original))
    patches.replace(server, "_get_cached_tool_definition", lambda original: _defining(recorder, original))
    patches.replace(
        module, "jsonschema", lambda original: Facade(original, validate=_checking(recorder, original.validate))
    )


def install_functions(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `mcp.server.fastmcp.utilities.func_metadata`.

    Raises:
        MisfitError: it does not look like the 1.x line.
    """
    functions = module.FuncMetadata
    expect(functions, "call_fn_with_arg_validation", "self", "fn", "fn_is_async", "arguments_to_validate")
    expect(functions, "convert_result", "self", "result")
    patches.replace(functions, "call_fn_with_arg_validation", lambda original: _calling(recorder, original))
    patches.replace(functions, "convert_result", lambda original: validating(recorder, original))


def _handling(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    def before(_: Any, message: Any, session: Any, *__: Any) -> Any:
        call = getattr(message, STAMP, None)
        if call is None:
            return None
        call.lap(QUEUE)
        return call, recorder.enter(call), message, session

    def after(state: Any, _: Any, __: BaseException | None) -> None:
        call, entered, message, session = state
        recorder.leave(entered)
        recorder.handled(call)
        watch = watch_of(session)
        if watch is not None and call.request_id is not None:
            watch.over(message)

    return around_async(recorder, original, before, after, stepping=lambda state: state[0])


def _defining(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    def before(_: Any, tool_name: str) -> tuple[str, Call | None]:
        return tool_name, current.get()

    def after(state: tuple[str, Call | None], tool: Any, failure: BaseException | None) -> None:
        name, call = state
        if tool is not None:
            recorder.learn("tool", (name,))
            if call is not None:
                call.message = tool  # its input schema tells the check of arguments from the check of results
        elif failure is None and call is not None:
            call.at_fault = "caller"

    return around_async(recorder, original, before, after)


def _checking(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    results = validating(recorder, original)
    arguments = validating(recorder, original, fault=True)

    def check(instance: Any, schema: Any, *args: Any, **kwargs: Any) -> Any:
        call = current.get()
        tool = call.message if call is not None else None
        of_arguments = tool is not None and schema is getattr(tool, "inputSchema", None)
        return (arguments if of_arguments else results)(instance, schema, *args, **kwargs)

    return check


def _calling(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    """Argument validation lasts until the tool's function starts, so the function says when it does."""

    @functools.wraps(original)
    async def calling(self: Any, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        call = current.get()
        if call is None:
            return await original(self, fn, *args, **kwargs)
        started = False

        def checked(failure: Exception | None = None) -> None:
            nonlocal started
            started = True
            try:
                call.spend(VALIDATE)
                if failure is not None:
                    blame_caller(call, failure)
            except Exception as error:
                recorder.count_failure("seams", error)

        def starting(**arguments: Any) -> Any:
            checked()
            return fn(**arguments)

        try:
            call.lap(HANDLER)
            call.begin()
        except Exception as error:
            recorder.count_failure("seams", error)
        try:
            return await original(self, starting, *args, **kwargs)
        except Exception as error:
            if not started:
                checked(error)
            raise

    return calling
