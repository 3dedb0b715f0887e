"""2.x servers: `ServerRunner` sees every message of every transport; schema checks and dumps surround its handlers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from mcp_otel.call import ENCODE, HANDLER, QUEUE, Call, Exchange
from mcp_otel.recorder import Recorder, current
from mcp_otel.seams.internal import hidden
from mcp_otel.seams.patch import Patches, around, around_async, expect, spending
from mcp_otel.seams.sdk_v2.dispatcher import session_of, taken
from mcp_otel.seams.streamable_http import kept_for
from mcp_otel.seams.tools import is_validation, validating

INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603


def install(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `mcp.server.runner`.

    Raises:
        MisfitError: it does not look like the 2.x line.
    """
    runner = module.ServerRunner
    expect(runner, "__init__", "self", "server", "connection")
    expect(runner, "_on_request", "self", "dctx", "method", "params")
    expect(runner, "_on_notify", "self", "dctx", "method", "params")
    expect(runner, "_serialize", "self", "method", "version", "result")
    patches.replace(runner, "__init__", lambda original: _naming(recorder, original))
    patches.replace(runner, "_on_request", lambda original: _request(recorder, original))
    patches.replace(runner, "_on_notify", lambda original: _notification(recorder, original))
    patches.replace(runner, "_serialize", lambda original: spending(recorder, original, ENCODE, None))


def install_server(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `mcp.server.lowlevel.server`.

    Raises:
        MisfitError: it does not look like the 2.x line.
    """
    expect(module.Server, "run", "self", "read_stream", "write_stream")
    patches.replace(module.Server, "run", lambda original: _running(recorder, original))


def install_native(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `mcp.server._otel`: the SDK's own SERVER span stays silent where ours is current.

    Raises:
        MisfitError: it does not look like the 2.x line.
    """
    expect(module, "OpenTelemetryMiddleware")
    expect(module.OpenTelemetryMiddleware, "__call__", "self", "ctx", "call_next")
    patches.replace(module.OpenTelemetryMiddleware, "__call__", lambda original: _silencing(recorder, original))


def install_methods(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `mcp_types.methods`.

    Raises:
        MisfitError: it does not look like the 2.x line.
    """
    expect(module, "validate_client_request", "method", "version", "params")
    expect(module, "validate_client_notification", "method", "version", "params")
    for name in ("validate_client_request", "validate_client_notification"):
        patches.replace(module, name, lambda original: validating(recorder, original))


def install_functions(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `mcp.server.mcpserver.utilities.func_metadata`.

    Raises:
        MisfitError: it does not look like the 2.x line.
    """
    functions = module.FuncMetadata
    expect(functions, "validate_arguments", "self", "arguments_to_validate")
    expect(functions, "convert_result", "self", "result")
    patches.replace(functions, "validate_arguments", lambda original: validating(recorder, original, fault=True))
    patches.replace(functions, "convert_result", lambda original: validating(recorder, original))


def _naming(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    def before(_: Any, server: Any, *__: Any, **___: Any) -> Any:
        return server if recorder.server_name is None else None

    return around(recorder, original, before, lambda server, *_: recorder.name_server(server.name))


def _running(recorder: Recorder, original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    def before(server: Any, *_: Any, **__: Any) -> None:
        recorder.name_server(server.name)

    return around_async(recorder, original, before, lambda *_: None)


def _request(recorder: Recorder, original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    def before(runner: Any, dctx: Any, method: str, params: Any) -> Any:
        if hidden.get() or not recorder.active:
            return None
        call, entered = current.get(), None
        if call is None or call.served:
            # No dispatcher of ours has opened it: an exchange of the session-less protocol, or in memory.
            call = taken(recorder, method, params)
            call.lap(QUEUE)
            call.version = runner.connection.protocol_version
            if call.exchange is None:
                call.exchange = Exchange.in_place()
            recorder.open(call, method, params, dctx.request_id)
            entered = recorder.enter(call)
        call.served = True
        if method != "initialize":
            call.version = runner.connection.protocol_version
        return call, entered, runner, dctx

    def after(state: Any, result: Any, failure: BaseException | None) -> None:
        call, entered, runner, dctx = state
        if failure is None and call.method == "initialize":
            _initialized(recorder, call, runner.connection)
        if entered is None:
            return
        recorder.leave(entered)
        call.lap(HANDLER)
        if failure is None:
            recorder.answer(call, result=result)
        elif isinstance(failure, Exception):
            recorder.answer(call, code=_code(failure), message=failure)
        recorder.handled(call)
        recorder.gone(dctx, "request")

    def stepping(state: Any) -> Call | None:
        call, entered, *_ = state
        return None if entered is None else call  # else its dispatcher's task is stepped already

    return around_async(recorder, original, before, after, stepping)


def _initialized(recorder: Recorder, call: Call, connection: Any) -> None:
    call.version = connection.protocol_version
    if call.session is None or not connection.has_standalone_channel:
        return  # stateless: every request has a connection of its own
    call.session.version = connection.protocol_version
    client = connection.client_params
    name = client.client_info.name if client is not None else None
    recorder.connections.open_session(call.session, name, *kept_for(call.session, connection))


def _code(failure: Exception) -> int:
    error = getattr(failure, "error", None)
    if error is not None and isinstance(getattr(error, "code", None), int):
        return int(error.code)
    return INVALID_PARAMS if is_validation(failure) else INTERNAL_ERROR


def _notification(recorder: Recorder, original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    def before(runner: Any, dctx: Any, method: str, params: Any) -> Any:
        call = taken(recorder, method, params)
        call.lap(QUEUE)
        call.version = runner.connection.protocol_version
        dispatcher = getattr(getattr(dctx, "_inner", dctx), "_dispatcher", None)
        recorder.open(call, method, params, None, session_of(dispatcher))
        return call, recorder.enter(call)

    def after(state: Any, _: Any, __: BaseException | None) -> None:
        call, entered = state
        recorder.leave(entered)
        recorder.handled(call)

    return around_async(recorder, original, before, after)


def _silencing(recorder: Recorder, original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def call_middleware(self: Any, ctx: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        call = current.get()
        ours = call is not None and call.span is not None
        if ours or recorder.owns_spans or (hidden.get() and recorder.level > 1):
            return await call_next(ctx)
        return await original(self, ctx, call_next)

    return call_middleware
