"""The old HTTP+SSE transport of both SDK lines: a POST's body becomes a message, its answer an event of a GET.

A message belongs to its own POST, which is over before the handler runs; all answers go by the one GET of the session.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qs

from mcp_otel.call import DECODE, WRITE, Call, Exchange
from mcp_otel.recorder import Recorder
from mcp_otel.seams.listening import Listener
from mcp_otel.seams.patch import Patches, around, expect
from mcp_otel.seams.stdio import Outgoing, StreamFactory, WritingEnd, arriving
from mcp_otel.seams.streamable_http import EVENT, EVENT_WITHIN, exchange_of

posts: ContextVar[Exchange | None] = ContextVar("mcp_otel_post", default=None)
"""The POST that this task serves."""
opening: ContextVar[EventStream | None] = ContextVar("mcp_otel_event_stream", default=None)
"""The GET whose streams are being made here."""

MAX_WAITING = 2
"""Encoded answers that can wait: the transport buffers none, so one is being sent and one waits for its turn."""


def hook_transport(patches: Patches, module: Any, recorder: Recorder) -> None:
    """Hook what the transports of both lines have in common: the GET that opens a session, and its POSTs.

    Raises:
        MisfitError: `module` has no such transport.
    """
    expect(module, "SseServerTransport", "endpoint")
    transport = module.SseServerTransport
    expect(transport, "connect_sse", "self", "scope", "receive", "send")
    expect(transport, "handle_post_message", "self", "scope", "receive", "send")
    patches.replace(transport, "connect_sse", lambda original: _connecting(recorder, original))
    patches.replace(transport, "handle_post_message", lambda original: _posting(recorder, original))


class EventStream:
    """The stream of one session: which answers were encoded for it and wait to be sent, in their order."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._waiting: deque[Call | None] = deque()

    def encode(self, call: Call | None) -> None:
        """The next event is about to be encoded: the answer to `call`, or none."""
        while len(self._waiting) >= MAX_WAITING:
            self._leave(self._waiting.popleft())
        self._waiting.append(call)

    def sending(self, send: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """`send`, seen.

        Nothing in an event says whose answer it is, so they are told apart by their order. That is approximate: what
        somebody else puts into this stream as a message would be taken for the next one.
        """

        async def sending(message: Any) -> None:
            carries = False
            try:
                body = message.get("body") if message["type"] == "http.response.body" else None
                carries = body is not None and EVENT in body[:EVENT_WITHIN]
            except Exception as error:
                self._recorder.count_failure("seams", error)
            await send(message)
            try:
                if carries and self._waiting:
                    call = self._waiting.popleft()
                    if call is not None and not call.done:
                        call.lap(WRITE)
                        self._recorder.end(call)
            except Exception as error:
                self._recorder.count_failure("seams", error)

        return sending

    def close(self) -> None:
        """The stream is over: what still waits is never sent."""
        while self._waiting:
            self._leave(self._waiting.popleft())

    def _leave(self, call: Call | None) -> None:
        if call is not None:
            self._recorder.end(call)


class EventEnd(WritingEnd):
    """As its parent; but what it hands out is encoded here and written where the GET's response is sent."""

    def __init__(self, stream: Any, recorder: Recorder, outgoing: Outgoing) -> None:
        super().__init__(stream, recorder, outgoing)
        self._events = opening.get()

    def _watched(self, item: Any) -> Any:
        watched = super()._watched(item)
        call, self._writing = self._writing, None
        try:
            if watched is not item and self._events is not None:
                self._events.encode(call)
        except Exception as error:
            self._recorder.count_failure("seams", error)
        return watched


def streams(recorder: Recorder, make: Any, outgoing: Outgoing) -> StreamFactory:
    """`make` (a pair of memory streams), whose ends see what a session sends."""
    return StreamFactory(recorder, make, outgoing, EventEnd)


def decoding(recorder: Recorder, validate: Callable[..., Any]) -> Callable[..., Any]:
    """`validate` (a body to a message), timed."""

    def before(body: bytes, *_: Any, **__: Any) -> Call | None:
        exchange = posts.get()
        if exchange is None:
            return None
        call = recorder.arrive("tcp", len(body), exchange)
        call.begin()
        return call

    def after(call: Call, message: Any, failure: BaseException | None) -> None:
        call.spend(DECODE)
        call.message = message
        if failure is None:
            arriving.set(call)
        else:
            recorder.refuse(call)

    return around(recorder, validate, before, after)


def _posting(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def handle_post_message(self: Any, scope: Any, receive: Any, send: Any) -> Any:
        exchange = None
        try:
            exchange = exchange_of(scope, None) if recorder.active else None
            if exchange is not None:
                exchange.over = True  # accepted, not answered: the answer is an event of the GET
                exchange.session_id = _session_id(scope)
        except Exception as error:
            recorder.count_failure("seams", error)
        if exchange is None:
            return await original(self, scope, receive, send)
        token, earlier = posts.set(exchange), arriving.get()
        try:
            return await original(self, scope, receive, send)
        finally:
            posts.reset(token)
            arriving.set(earlier)

    return handle_post_message


def _session_id(scope: Any) -> str | None:
    return next(iter(parse_qs(scope["query_string"].decode("latin-1")).get("session_id", ())), None)


def _connecting(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def connect_sse(self: Any, scope: Any, receive: Any, send: Any) -> Any:
        if not recorder.active:
            return original(self, scope, receive, send)
        try:
            listener, events = Listener(recorder, "sse"), EventStream(recorder)
            receiving, sending = listener.receiving(receive), events.sending(listener.sending(send))
        except Exception as error:
            recorder.count_failure("seams", error)
            return original(self, scope, receive, send)
        return _Connection(original(self, scope, receiving, sending), recorder, listener, events)

    return connect_sse


class _Connection:
    """Stands in for the context manager of one session's streams."""

    def __init__(self, inner: Any, recorder: Recorder, listener: Listener, events: EventStream) -> None:
        self._inner, self._recorder = inner, recorder
        self._listener, self._events = listener, events

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def __aenter__(self) -> Any:
        token = opening.set(self._events)
        try:
            return await self._inner.__aenter__()
        finally:
            opening.reset(token)

    async def __aexit__(self, *failure: Any) -> Any:
        try:
            return await self._inner.__aexit__(*failure)
        finally:
            try:
                self._events.close()
                self._listener.over(failure[0])
            except Exception as error:
                self._recorder.count_failure("seams", error)
