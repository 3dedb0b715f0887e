"""The Streamable HTTP transport of both SDK lines: a POST's body becomes a message, the answer a body or an SSE event.

What belongs to one POST is found by the task's context: the response is encoded and sent in the POST's own task or in
one that it started.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any
from weakref import WeakValueDictionary

from opentelemetry import context as otel_context

from mcp_otel.call import DECODE, ENCODE, HANDLER, WRITE, Call, Exchange, Session
from mcp_otel.recorder import Recorder
from mcp_otel.seams.patch import Patches, around, around_async, expect
from mcp_otel.seams.resuming import fresh
from mcp_otel.seams.stdio import arriving

exchanges: ContextVar[Exchange | None] = ContextVar("mcp_otel_exchange", default=None)
"""The POST that this task serves."""

ANSWERS = ("JSONRPCResponse", "JSONRPCError")
EVENT = b"event: message"
EVENT_WITHIN = 512
VERSION_HEADER = b"mcp-protocol-version"

transports: WeakValueDictionary[str, Any] = WeakValueDictionary()
"""Transports by session id: they know why their session ends. As bounded as the server's own sessions."""


def hook_transport(patches: Patches, module: Any, recorder: Recorder) -> None:
    """Hook what the transports of both lines have in common: serving a POST, and encoding its answer.

    Raises:
        MisfitError: `module` has no such transport.
    """
    expect(module, "StreamableHTTPServerTransport", "mcp_session_id")
    transport = module.StreamableHTTPServerTransport
    expect(transport, "handle_request", "self", "scope", "receive", "send")
    expect(transport, "terminate", "self")
    expect(transport, "_create_json_response", "self", "response_message")
    expect(transport, "_create_event_data", "self", "event_message")
    patches.replace(transport, "handle_request", lambda original: _serving(recorder, original))
    patches.replace(transport, "terminate", lambda original: _ending(recorder, original))
    patches.replace(
        transport,
        "_create_json_response",
        lambda original: encoding(recorder, original, lambda _, message, *__, **___: message, whole_body),
    )
    patches.replace(
        transport,
        "_create_event_data",
        lambda original: encoding(recorder, original, fresh, event_data),
    )


def hook_manager(patches: Patches, module: Any, recorder: Recorder) -> None:
    """Hook what the session managers of both lines have in common: how many sessions they admit.

    Raises:
        MisfitError: `module` has no such manager.
    """
    manager = module.StreamableHTTPSessionManager
    expect(manager, "run", "self")

    def before(self: Any) -> None:
        if not self.stateless:
            recorder.connections.admit(self, _admission)

    patches.replace(manager, "run", lambda original: around(recorder, original, before, lambda *_: None))


def _admission(manager: Any) -> tuple[int | None, float | None]:
    # Both from 1.30 and 2.2 on; before, an idle session is never ended unless told.
    return getattr(manager, "max_sessions", None), getattr(manager, "session_idle_timeout", None)


def _serving(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def handle_request(self: Any, scope: Any, receive: Any, send: Any) -> Any:
        exchange = None
        try:
            if scope.get("method") == "DELETE":
                self._mcp_otel_deleted = True
            if self.mcp_session_id is not None and self.mcp_session_id not in transports:
                transports[self.mcp_session_id] = self
                recorder.connections.note_session(self.mcp_session_id)
            exchange = exchange_of(scope, self.mcp_session_id)
        except Exception as error:
            recorder.count_failure("seams", error)
        if exchange is None:
            return await original(self, scope, receive, send)
        return await serve(recorder, exchange, send, lambda sending: original(self, scope, receive, sending))

    return handle_request


def _ending(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    return around_async(recorder, original, lambda self: self, lambda self, *_: recorder.gone(self, "session"))


def kept_for(session: Session, *objects: object) -> tuple[object, ...]:
    """What the server keeps for `session`: these objects, and its transport."""
    transport = transports.get(session.session_id) if session.session_id is not None else None
    return objects if transport is None else (*objects, transport)


def end_reason(session: Session, kind: type[BaseException] | None) -> str:
    """Why `session` ended, when `kind` of exception (None: none) ended its connection."""
    transport = transports.get(session.session_id) if session.session_id is not None else None
    if getattr(transport, "_mcp_otel_deleted", False):
        return "delete"
    if getattr(getattr(transport, "idle_scope", None), "cancel_called", False):
        return "idle"
    if kind is None:
        return "disconnect"
    return "crash" if issubclass(kind, Exception) else "stop"


def exchange_of(scope: Any, session_id: str | None) -> Exchange | None:
    """The exchange that an ASGI `scope` opens; only a POST carries messages."""
    if scope.get("type") != "http" or scope.get("method") != "POST":
        return None
    client = scope.get("client")
    version = next((value for name, value in scope["headers"] if name == VERSION_HEADER), None)
    return Exchange(
        otel_context.get_current(),
        scope.get("http_version"),
        (client[0], client[1]) if client else None,
        session_id,
        version.decode("latin-1") if version is not None else None,
    )


async def serve(
    recorder: Recorder,
    exchange: Exchange,
    send: Callable[..., Awaitable[Any]],
    rest: Callable[[Callable[..., Awaitable[Any]]], Awaitable[Any]],
) -> Any:
    """Let `rest` answer the exchange by `send`, and see when the answer is written."""
    token, earlier = exchanges.set(exchange), arriving.get()
    try:
        return await rest(_sending(recorder, exchange, send))
    finally:
        exchanges.reset(token)
        arriving.set(earlier)
        try:
            _over(recorder, exchange)
        except Exception as error:
            recorder.count_failure("seams", error)


def _sending(
    recorder: Recorder, exchange: Exchange, send: Callable[..., Awaitable[Any]]
) -> Callable[..., Awaitable[Any]]:
    async def sending(message: Any) -> None:
        part = 0
        try:
            body = message.get("body") if message["type"] == "http.response.body" else None
            if body and (exchange.whole or EVENT in body[:EVENT_WITHIN]):
                exchange.sent_parts += 1
                part = exchange.sent_parts
        except Exception as error:
            recorder.count_failure("seams", error)
        await send(message)
        try:
            call = exchange.call
            if part and part == exchange.answer_part and call is not None and not call.done:
                call.lap(WRITE)
                recorder.end(call)
        except Exception as error:
            recorder.count_failure("seams", error)

    return sending


def _over(recorder: Recorder, exchange: Exchange) -> None:
    exchange.over = True
    call = exchange.call
    if call is not None and (call.outcome is not None or call.handled) and not call.done:
        recorder.end(call)  # the client went away before the answer was written


def parsing(recorder: Recorder, parse: Callable[..., Any]) -> Callable[..., Any]:
    """`parse` (a body to plain JSON values), timed: here a POST turns out to carry bytes."""

    def before(body: bytes, *_: Any, **__: Any) -> Call | None:
        exchange = exchanges.get()
        if exchange is None:
            return None
        call = exchange.call = recorder.arrive("tcp", len(body), exchange)
        call.begin()
        return call

    def after(call: Call, _: Any, failure: BaseException | None) -> None:
        call.spend(DECODE)
        if failure is None:
            arriving.set(call)
        else:
            recorder.refuse(call)

    return around(recorder, parse, before, after)


def decoding(recorder: Recorder, validate: Callable[..., Any]) -> Callable[..., Any]:
    """`validate` (JSON values to a message), timed."""

    def before(*_: Any, **__: Any) -> Call | None:
        exchange = exchanges.get()
        call = exchange.call if exchange is not None else None
        if call is None or call.message is not None:
            return None
        call.begin()
        return call

    def after(call: Call, message: Any, failure: BaseException | None) -> None:
        call.spend(DECODE)
        call.message = message
        if failure is not None:
            recorder.refuse(call)

    return around(recorder, validate, before, after)


def encoding(
    recorder: Recorder, encode: Callable[..., Any], message_of: Callable[..., Any], size_of: Callable[[Any], int | None]
) -> Callable[..., Any]:
    """`encode` (a message to a body or an event), timed.

    `message_of` finds the message among the arguments, None when there is none to encode; `size_of` the bytes of its
    JSON in the result, None when they do not count.
    """

    def before(*args: Any, **kwargs: Any) -> tuple[Exchange | None, Call | None] | None:
        message = message_of(*args, **kwargs)
        if message is None:
            return None
        exchange = exchanges.get()
        call = exchange.call if exchange is not None else None
        # A transport may answer for a handler that was cancelled: what came before was the handler's.
        phase = HANDLER if call is not None and call.outcome is None and call.opened else WRITE
        if call is not None and not answers(recorder, call, message):
            call = None
        if call is not None:
            call.lap(phase)
            call.begin()
        return exchange, call

    def after(state: tuple[Exchange | None, Call | None], result: Any, failure: BaseException | None) -> None:
        exchange, call = state
        size = size_of(result) if failure is None else None
        if size is not None:
            recorder.count_bytes("sent", size)
        if exchange is None:
            return
        exchange.parts += 1
        if call is not None:
            call.spend(ENCODE)
            call.sent = size
            exchange.answer_part = exchange.parts

    return around(recorder, encode, before, after)


def answers(recorder: Recorder, call: Call, message: Any) -> bool:
    """Whether `message` is the answer to `call`; if nothing has told the recorder so far, it is told."""
    root = getattr(message, "root", message)
    if type(root).__name__ not in ANSWERS or call.done or str(root.id) != str(call.request_id):
        return False
    if call.outcome is None:
        answer(recorder, call, root)
    return True


def answer(recorder: Recorder, call: Call, root: Any) -> None:
    """Tell the recorder what a JSON-RPC response or error says."""
    error = getattr(root, "error", None)
    if error is None:
        recorder.answer(call, result=root.result)
    else:
        recorder.answer(call, code=error.code, message=error.message)


def whole_body(response: Any) -> int | None:
    """A response with one body: its size, for the exchange it answers."""
    exchange = exchanges.get()
    if exchange is not None:
        exchange.whole = True
    return len(response.body)


def event_data(event: Any) -> int | None:
    """An SSE event as a dictionary: bytes of its JSON."""
    data = event["data"]
    return len(data) if data.isascii() else len(data.encode())
