"""2.x dispatchers: a request's task starts in `_handle_request`, and everything that is sent passes `_write`."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any

from mcp_otel.call import HANDLER, QUEUE, Call, Session
from mcp_otel.recorder import Recorder, current
from mcp_otel.seams.patch import Patches, around_async, expect
from mcp_otel.seams.sdk_v2 import client
from mcp_otel.seams.stdio import SendingEnd, arriving
from mcp_otel.seams.streamable_http import ANSWERS, answers, end_reason
from mcp_otel.seams.tools import asking

SERVER = "mcp.server."
CONNECTION_CLOSED = "Connection closed"

sending: ContextVar[bool] = ContextVar("mcp_otel_sending", default=False)
"""A dispatcher writes a message here; streams carry it along."""


def install(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `mcp.shared.jsonrpc_dispatcher`.

    Raises:
        MisfitError: it does not look like the 2.x line.
    """
    dispatcher = module.JSONRPCDispatcher
    expect(dispatcher, "_handle_request", "self", "req", "dctx", "scope", "on_request")
    expect(dispatcher, "_write", "self", "message", "metadata")
    expect(dispatcher, "run", "self", "on_request", "on_notify")
    expect(module, "_JSONRPCDispatchContext")
    expect(module._JSONRPCDispatchContext, "send_raw_request", "self", "method", "params")
    patches.replace(dispatcher, "_handle_request", lambda original: _handling(recorder, original))
    patches.replace(dispatcher, "_write", lambda original: _writing(recorder, original))
    patches.replace(dispatcher, "run", lambda original: _running(recorder, original))
    client.install(module, recorder, patches)
    patches.replace(module._JSONRPCDispatchContext, "send_raw_request", lambda original: asking(recorder, original))


def taken(recorder: Recorder, method: str, params: Any) -> Call:
    """The call of a message with these params if this context decoded it, else a new one without bytes."""
    call = arriving.get()
    if call is not None and not call.opened:
        message: Any = call.message
        if message is not None and message.params is params and message.method == method:
            call.message = None
            return call
    return recorder.arrive()


def session_of(dispatcher: Any) -> Session | None:
    """The session of a server's dispatcher; None when there is no dispatcher."""
    if dispatcher is None:
        return None
    session = getattr(dispatcher, "_mcp_otel_session", None)
    if session is None:
        session = dispatcher._mcp_otel_session = Session()
    return session


def _handling(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    def before(dispatcher: Any, req: Any, dctx: Any, _: Any, on_request: Any) -> Any:
        serves = str(getattr(on_request, "__module__", "")).startswith(SERVER)
        call = taken(recorder, req.method, req.params)
        call.lap(QUEUE)
        # A client answers its server outside of any session of ours.
        recorder.open(call, req.method, req.params, req.id, session_of(dispatcher) if serves else None)
        return call, dctx, recorder.enter(call)

    def after(state: Any, _: Any, __: BaseException | None) -> None:
        call, dctx, entered = state
        recorder.leave(entered)
        call.cancelled = call.cancelled or dctx.cancel_requested.is_set()
        recorder.handled(call)
        recorder.gone(dctx, "request")

    return around_async(recorder, original, before, after, stepping=lambda state: state[0])


def _writing(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    def before(dispatcher: Any, message: Any, *_: Any, **__: Any) -> tuple[Token[bool], Call | None]:
        return sending.set(True), _answering(recorder, dispatcher, message)

    def after(state: tuple[Token[bool], Call | None], _: Any, failure: BaseException | None) -> None:
        token, call = state
        sending.reset(token)
        if call is not None and failure is not None:
            call.writing = False

    return around_async(recorder, original, before, after)


def _answering(recorder: Recorder, dispatcher: Any, message: Any) -> Call | None:
    call = current.get()
    if call is None or type(message).__name__ not in ANSWERS or call.outcome is not None:
        return None
    error = getattr(message, "error", None)
    call.closed = error is not None and error.message == CONNECTION_CLOSED
    if not answers(recorder, call, message):
        return None
    call.lap(HANDLER)
    call.writing = isinstance(dispatcher._write_stream, SendingEnd)
    return call


def _running(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def run(self: Any, on_request: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await original(self, on_request, *args, **kwargs)
        finally:
            try:
                session = getattr(self, "_mcp_otel_session", None)
                if session is not None:
                    recorder.connections.close_session(session, end_reason(session, sys.exc_info()[0]))
                    recorder.gone(_connection(on_request, *args, *kwargs.values()), "session")
            except Exception as error:
                recorder.count_failure("seams", error)

    return run


def _connection(*entries: Any) -> Any:
    """The connection that one of these methods of a runner serves; the one for requests may be a function around it."""
    connections = (getattr(getattr(entry, "__self__", None), "connection", None) for entry in entries)
    return next(filter(None, connections), None)
