"""FastMCP's functions: their arguments are checked by the adapter that then calls them, their results converted."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from types import AsyncGeneratorType, CoroutineType, FunctionType, MethodType, TracebackType
from typing import Any

from mcp_otel.call import ENCODE, HANDLER, VALIDATE, Call
from mcp_otel.recorder import Recorder, current
from mcp_otel.seams.patch import Patches, expect, expect_names, spending
from mcp_otel.seams.tools import is_validation

CHECKERS = ("pydantic", "pydantic_core")
FUNCTIONS = (FunctionType, MethodType, functools.partial)
LATER = (CoroutineType, AsyncGeneratorType)

began: ContextVar[Call | None] = ContextVar("mcp_otel_began", default=None)
"""The call whose function has begun here: what is checked from then on is the function's own doing."""


def install(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `fastmcp.tools.function_tool` or `fastmcp.prompts.function_prompt`.

    Raises:
        MisfitError: it does not look like the lines we know.
    """
    expect(module, "get_cached_typeadapter", "cls")
    patches.replace(module, "get_cached_typeadapter", lambda original: _adapting(recorder, original))


def install_results(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `fastmcp.tools.base`.

    Raises:
        MisfitError: it does not look like the lines we know.
    """
    expect(module.Tool, "convert_result", "self", "raw_value")
    patches.replace(module.Tool, "convert_result", lambda original: spending(recorder, original, ENCODE, None))


def install_tool(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `fastmcp.tools.tool` of the 2.x line.

    Raises:
        MisfitError: it does not look like the 2.x line.
    """
    expect_names(module, "FunctionTool")
    expect(module, "_convert_to_content", "result")
    install(module, recorder, patches)
    patches.replace(module, "_convert_to_content", lambda original: spending(recorder, original, ENCODE, None))


class Checking:
    """Stands in for the adapter of a function, which checks arguments and calls it with them in one step."""

    __slots__ = ("_adapter", "_recorder")

    def __init__(self, adapter: Any, recorder: Recorder) -> None:
        self._adapter, self._recorder = adapter, recorder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    def validate_python(self, *args: Any, **kwargs: Any) -> Any:
        """As the adapter does."""
        return _checked(self._recorder, self._adapter.validate_python, args, kwargs)

    def validate_json(self, *args: Any, **kwargs: Any) -> Any:
        """As the adapter does; strict checks are of JSON."""
        return _checked(self._recorder, self._adapter.validate_json, args, kwargs)


def _adapting(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def get_cached_typeadapter(cls: Any) -> Any:
        adapter = original(cls)
        call = current.get()
        if call is None or call.done or not isinstance(cls, FUNCTIONS):
            return adapter
        return Checking(adapter, recorder)

    return get_cached_typeadapter


def _checked(recorder: Recorder, check: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """What `check` answers; of a function that waits it is what will be awaited, so nothing of it has been done yet."""
    call = current.get()
    if call is None or call.done:
        return check(*args, **kwargs)
    try:
        call.lap(HANDLER)
        call.begin()
    except Exception as error:
        recorder.count_failure("seams", error)
    try:
        result = check(*args, **kwargs)
    except BaseException as error:
        try:
            _failed(call, error)
        except Exception as own:
            recorder.count_failure("seams", own)
        raise
    try:
        if isinstance(result, LATER) or inspect.isawaitable(result):
            call.spend(VALIDATE)
            began.set(call)
        else:
            call.lap(HANDLER)  # also the check: nothing tells where the function began
    except Exception as error:
        recorder.count_failure("seams", error)
    return result


def _failed(call: Call, error: BaseException) -> None:
    trace = error.__traceback__
    if not is_validation(error) or trace is None or not _within_checks(trace.tb_next):
        call.lap(HANDLER)
        return
    call.lap(VALIDATE)
    if began.get() is not call:
        call.at_fault = "caller"


def _within_checks(trace: TracebackType | None) -> bool:
    """Whether nothing but the check itself was entered, so that the function has not begun."""
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] not in CHECKERS:
            return False
        trace = trace.tb_next
    return True
