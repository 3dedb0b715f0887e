"""What FastMCP's clients put into the `_meta` of a message: the context there is that of the message's own span."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry import propagate

from mcp_otel.recorder import Recorder, current
from mcp_otel.seams.fastmcp.native import says
from mcp_otel.seams.patch import Patches, expect


def install_mixin(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook a module that puts the current context into what it sends; of a proxy, that may hold its caller's.

    Raises:
        MisfitError: it does not look like the lines we know.
    """
    expect(module, "inject_trace_context", "meta")
    patches.replace(module, "inject_trace_context", lambda original: _injecting(recorder, original))


def install_client(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `fastmcp.client.client` of the 2.x line, whose proxies pass on their caller's `_meta` as it is.

    Raises:
        MisfitError: it does not look like the 2.x line.
    """
    expect(module.Client, "call_tool_mcp", "self", "name", "arguments")
    patches.replace(module.Client, "call_tool_mcp", lambda original: _passing_on(recorder, original))


def _injecting(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def inject_trace_context(meta: Any = None) -> Any:
        try:
            if says(recorder):
                return _without_context(meta)
        except Exception as error:
            recorder.count_failure("seams", error)
        return original(meta)

    return inject_trace_context


def _passing_on(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def call_tool_mcp(self: Any, name: str, arguments: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            meta, call = kwargs.get("meta"), current.get()
            theirs = call.meta if call is not None else None
            if isinstance(meta, Mapping) and isinstance(theirs, Mapping) and says(recorder):
                passed_on = all(meta.get(key) == theirs.get(key) for key in propagate.get_global_textmap().fields)
                kwargs = {**kwargs, "meta": _without_context(meta) if passed_on else meta}
        except Exception as error:
            recorder.count_failure("seams", error)
        return original(self, name, arguments, *args, **kwargs)

    return call_tool_mcp


def _without_context(meta: Any) -> Any:
    if not isinstance(meta, Mapping):
        return meta
    fields = propagate.get_global_textmap().fields
    return {key: value for key, value in meta.items() if key not in fields} or None
