"""1.x sessions: every message comes by the read stream of a `ServerSession`, every answer goes by its write stream."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from mcp_otel.call import ENCODE, HANDLER, QUEUE, VALIDATE, Call, Exchange, Session
from mcp_otel.recorder import Recorder, current
from mcp_otel.seams.patch import Patches, StreamFacade, around, around_async, attempt, expect, expect_names
from mcp_otel.seams.sdk_v1 import client
from mcp_otel.seams.stdio import SendingEnd
from mcp_otel.seams.streamable_http import ANSWERS, answer, end_reason, kept_for
from mcp_otel.seams.tools import asking

STAMP = "_mcp_otel_call"
ANSWER = "_mcp_otel_answer"


class Watch:
    """What we know of one `ServerSession`: its calls that are not answered yet."""

    __slots__ = ("_ended", "_latest", "calls", "last", "recorder", "session", "stateless")

    def __init__(self, recorder: Recorder, stateless: bool) -> None:
        self.recorder = recorder
        self.calls: dict[object, Call] = {}
        self.last: Call | None = None
        """The message the receive loop is busy with; None once it was taken out of its hands."""
        self.session = Session()
        self.stateless = stateless
        self._latest: Callable[[], Any] = _nothing
        self._ended = False

    def began(self, responder: Any) -> None:
        """A request is about to be handled; the one before it is not the latest any more."""
        if self._ended:
            self.recorder.gone(self._latest(), "request")
        self._latest, self._ended = weakref.ref(responder), False

    def over(self, responder: Any) -> None:
        """A request was handled. The server's loops hold the latest one until another comes, and that is no leak."""
        if self._latest() is responder:
            self._ended = True
        else:
            self.recorder.gone(responder, "request")

    def close(self, session: Any) -> None:
        """The session is over, and with it its latest request."""
        self.recorder.gone(self._latest(), "request")
        self.recorder.gone(session, "session")

    def received(self, item: Any) -> None:
        """The receive loop got `item`."""
        root = getattr(getattr(item, "message", None), "root", None)
        kind = type(root).__name__
        if root is None or kind in ANSWERS or not self.recorder.active:
            return
        call = getattr(item, STAMP, None) or self.recorder.arrive()
        outer = current.get()
        if call.transport is None and outer is not None and not outer.done:
            call.exchange = Exchange.in_place()  # in memory, called by the handler of another server
        request_id = root.id if kind == "JSONRPCRequest" else None
        session = None if self.stateless else self.session
        self.recorder.open(call, root.method, root.params, request_id, session)
        if request_id is not None:
            self.calls[request_id] = call
        self.last = call
        call.lap(QUEUE)
        call.begin()

    def settle(self) -> None:
        """The receive loop is done with its last message; what it kept for itself ends here."""
        call, self.last = self.last, None
        if call is not None and not call.done and (call.request_id is None or not call.awaits_write):
            call.lap(VALIDATE)
            self.recorder.end(call)

    def answering(self, item: Any) -> Call | None:
        """The call that an outgoing `item` answers, told what it says; None when it answers none."""
        setattr(item, ANSWER, None)
        root = item.message.root
        if type(root).__name__ not in ANSWERS:
            return None
        call = self.calls.pop(root.id, None)
        if call is None:
            return None
        refused = call is self.last  # still in the receive loop: nothing was dumped
        call.spend(VALIDATE if refused else ENCODE)
        answer(self.recorder, call, root)
        result = getattr(root, "result", None)
        if call.method == "initialize" and isinstance(result, dict):
            self.session.version = call.version = result.get("protocolVersion")
        setattr(item, ANSWER, call)
        return call


class _ReadEnd(StreamFacade):
    """The read stream of a session."""

    def __init__(self, stream: Any, watch: Watch) -> None:
        super().__init__(stream)
        self._watch = watch

    async def __anext__(self) -> Any:
        watch = self._watch
        attempt(watch.recorder, watch.settle)
        item = await self._stream.__anext__()
        attempt(watch.recorder, watch.received, item)
        return item


class _WriteEnd(StreamFacade):
    """The write stream of a session."""

    def __init__(self, stream: Any, watch: Watch) -> None:
        super().__init__(stream)
        self._watch = watch

    async def send(self, item: Any) -> None:
        """As the stream does."""
        watch = self._watch
        call = attempt(watch.recorder, watch.answering, item)
        if call is None:
            attempt(watch.recorder, client.inject, watch.recorder, item)
            await self._stream.send(item)
            return
        call.writing = isinstance(self._stream, SendingEnd)
        try:
            await self._stream.send(item)
        except BaseException:
            # Nobody hears it: before 1.27 a handler goes on when its client is gone.
            call.writing, call.outcome = False, None
            raise
        finally:
            attempt(watch.recorder, _sent, watch.recorder, call)


def _nothing() -> None:
    """What there is before the first request."""


def _sent(recorder: Recorder, call: Call) -> None:
    if not call.awaits_write:
        recorder.end(call, handed_over=True)


def install(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `mcp.server.session`.

    Raises:
        MisfitError: it does not look like the 1.x line.
    """
    session = module.ServerSession
    expect(session, "__init__", "self", "read_stream", "write_stream", "init_options", "stateless")
    expect(session, "_received_request", "self", "responder")
    expect(session, "_received_notification", "self", "notification")
    expect(session, "__aexit__", "self", "exc_type")
    expect(session, "send_request", "self", "request")
    patches.replace(session, "__init__", lambda original: _opening(recorder, original))
    patches.replace(session, "_received_request", lambda original: _request(recorder, original))
    patches.replace(session, "_received_notification", lambda original: _notification(recorder, original))
    patches.replace(session, "__aexit__", lambda original: _closing(recorder, original))
    client.install_inherited(session, recorder, patches)
    patches.replace(session, "send_request", lambda original: asking(recorder, original))


def install_shared(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `mcp.shared.session`.

    Raises:
        MisfitError: it does not look like the 1.x line.
    """
    expect_names(module, "BaseSession", "RequestResponder")
    expect(module.BaseSession, "_send_response", "self", "request_id", "response")
    expect(module.RequestResponder, "cancel", "self")
    patches.replace(module.BaseSession, "_send_response", lambda original: _answering(recorder, original))
    patches.replace(module.RequestResponder, "cancel", lambda original: _cancelling(recorder, original))
    client.install_shared(module, recorder, patches)


def watch_of(session: Any) -> Watch | None:
    """The watch over a session; None when it was made before us."""
    return getattr(session, "_mcp_otel_watch", None)


def _opening(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    def before(
        session: Any, read_stream: Any, write_stream: Any, init_options: Any, stateless: bool = False, **_: Any
    ) -> Any:
        return session, init_options, stateless

    def after(state: Any, _: Any, failure: BaseException | None) -> None:
        session, init_options, stateless = state
        if failure is not None:
            return
        recorder.name_server(init_options.server_name)
        watch = session._mcp_otel_watch = Watch(recorder, stateless)
        session._read_stream = _ReadEnd(session._read_stream, watch)
        session._write_stream = _WriteEnd(session._write_stream, watch)

    return around(recorder, original, before, after)


def _request(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    def before(session: Any, responder: Any) -> Any:
        watch = watch_of(session)
        call = watch.calls.get(responder.request_id) if watch is not None else None
        if watch is None or call is None:
            return None
        call.spend(VALIDATE)
        watch.last = None
        setattr(responder, STAMP, call)
        watch.began(responder)
        return watch, call, responder, session

    def after(state: Any, _: Any, failure: BaseException | None) -> None:
        watch, call, responder, session = state
        if failure is not None:
            watch.last = call  # refused: the receive loop answers it
        elif call.method == "initialize" and not watch.stateless and call.outcome and call.outcome.fault is None:
            client = responder.request.root.params.clientInfo
            recorder.connections.open_session(watch.session, client.name, *kept_for(watch.session, session))

    return around_async(recorder, original, before, after)


def _notification(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    def before(session: Any, notification: Any) -> Any:
        watch = watch_of(session)
        call = watch.last if watch is not None else None
        if watch is None or call is None:
            return None
        call.spend(VALIDATE)
        watch.last = None
        # A pydantic model takes no attributes; this one is read once more, by `_handle_message`, and never dumped.
        object.__setattr__(notification, STAMP, call)
        return watch, call

    def after(state: Any, _: Any, failure: BaseException | None) -> None:
        if failure is not None:
            state[0].last = state[1]

    return around_async(recorder, original, before, after)


def _answering(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    def before(session: Any, request_id: Any, response: Any) -> None:
        watch = watch_of(session)
        call = watch.calls.get(request_id) if watch is not None else None
        if call is not None:
            call.lap(HANDLER)
            call.begin()

    return around_async(recorder, original, before, lambda *_: None)


def _cancelling(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    def before(responder: Any) -> None:
        call = getattr(responder, STAMP, None)
        if call is not None:
            call.cancelled = True

    return around_async(recorder, original, before, lambda *_: None)


def _closing(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    def before(session: Any, kind: Any = None, *_: Any) -> Any:
        watch = watch_of(session)
        return None if watch is None else (watch, kind, session)

    def after(state: Any, _: Any, __: BaseException | None) -> None:
        watch, kind, session = state
        for call in list(watch.calls.values()):
            if not call.awaits_write:
                recorder.end(call)
        watch.calls.clear()
        recorder.connections.close_session(watch.session, end_reason(watch.session, kind))
        watch.close(session)

    return around_async(recorder, original, before, after)
