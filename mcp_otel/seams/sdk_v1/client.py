"""1.x: what a session sends, a client's or, when a handler asks its client, a server's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from mcp_otel.outgoing import Peer, sending
from mcp_otel.recorder import Recorder
from mcp_otel.seams.clients import taken
from mcp_otel.seams.patch import Patches, StreamFacade, around, around_async, attempt, expect

PEER = "_mcp_otel_peer"
ANSWERED = "_mcp_otel_answered"
INTERNAL_ERROR = -32603
WATCH = "_mcp_otel_watch"
"""What a server's session has."""


class _WriteEnd(StreamFacade):
    """The write stream of a client's session."""

    def __init__(self, stream: Any, recorder: Recorder) -> None:
        super().__init__(stream)
        self._recorder = recorder

    async def send(self, item: Any) -> None:
        """As the stream does."""
        attempt(self._recorder, inject, self._recorder, item)
        await self._stream.send(item)


def inject(recorder: Recorder, item: Any) -> None:
    """Put the context of what is being sent here into `item`, if that is it."""
    outgoing, root = sending.get(), item.message.root
    if outgoing is None or outgoing.injected or getattr(root, "method", None) != outgoing.wire:
        return
    outgoing.request_id = getattr(root, "id", None)
    params = recorder.sender.inject(root.params)
    if params is not None:
        root.params = params


def install(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `mcp.client.session`.

    Raises:
        MisfitError: it does not look like the 1.x line.
    """
    session = module.ClientSession
    expect(session, "__init__", "self", "read_stream", "write_stream")
    expect(session, "__aexit__", "self", "exc_type")
    expect(session, "_received_request", "self", "responder")
    patches.replace(session, "_received_request", lambda original: _serving(recorder, original))
    patches.replace(session, "__init__", lambda original: _making(recorder, original))
    patches.replace(session, "__aexit__", lambda original: _closing(recorder, original))
    install_inherited(session, recorder, patches)


def install_inherited(session: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook what `session` has of `BaseSession`'s by itself: somebody has wrapped it there before us, past our hook."""
    for name, notifies in (("send_request", False), ("send_notification", True)):
        if name in vars(session):
            patches.replace(session, name, partial(_sending, recorder, notifies=notifies))


def install_shared(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `mcp.shared.session`.

    Raises:
        MisfitError: it does not look like the 1.x line.
    """
    session = module.BaseSession
    expect(session, "send_request", "self", "request")
    expect(session, "send_notification", "self", "notification")
    expect(module.RequestResponder, "respond", "self", "response")
    patches.replace(module.RequestResponder, "respond", lambda original: _responding(recorder, original))
    patches.replace(session, "send_request", lambda original: _sending(recorder, original, False))
    patches.replace(session, "send_notification", lambda original: _sending(recorder, original, True))


def _making(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    def after(session: Any, _: Any, failure: BaseException | None) -> None:
        if failure is None:
            setattr(session, PEER, taken())
            session._write_stream = _WriteEnd(session._write_stream, recorder)

    return around(recorder, original, lambda self, *_, **__: self, after)


def _sending(recorder: Recorder, original: Callable[..., Any], notifies: bool) -> Callable[..., Any]:
    sender, keyword = recorder.sender, "notification" if notifies else "request"

    def before(session: Any, *args: Any, **kwargs: Any) -> Any:
        message = args[0] if args else kwargs[keyword]  # `create_message` asks by keyword
        root = getattr(message, "root", message)
        params = getattr(root, "params", None)
        name = getattr(params, "name", None)
        serves = getattr(session, WATCH, None) is not None
        return sender.send(root.method, name, getattr(session, PEER, None), quiet=notifies and serves, params=params)

    def after(entered: Any, result: Any, failure: BaseException | None) -> None:
        outgoing = entered[0]
        sender.sent(entered, None if result is None else _plain(result), failure, result)
        if outgoing.method == "initialize" and failure is None:
            sender.opened(outgoing.peer)

    return around_async(recorder, original, before, after)


def _serving(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    """A client answers a request of its server: sampling, elicitation, roots."""

    def before(_: Any, responder: Any) -> Any:
        meta = responder.request_meta
        params = None if meta is None else {"_meta": meta.model_dump(exclude_none=True)}
        call = recorder.arrive()
        recorder.open(call, responder.request.root.method, params, responder.request_id)
        setattr(responder, ANSWERED, call)
        return call, recorder.enter(call)

    def after(state: Any, _: Any, failure: BaseException | None) -> None:
        call, entered = state
        recorder.leave(entered)
        if isinstance(failure, Exception):
            recorder.answer(call, code=INTERNAL_ERROR)
        recorder.handled(call)

    return around_async(recorder, original, before, after, stepping=lambda state: state[0])


def _responding(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    def before(responder: Any, response: Any) -> None:
        call = getattr(responder, ANSWERED, None)
        if call is not None:
            code = getattr(response, "code", None)
            message = getattr(response, "message", None)
            recorder.answer(call, code=code, result=None if isinstance(code, int) else {}, message=message)

    return around_async(recorder, original, before, lambda *_: None)


def _plain(result: Any) -> dict[str, Any]:
    """What the recorder reads of a result."""
    said: dict[str, Any] = {"isError": getattr(result, "isError", None)}
    for kind in ("tools", "prompts"):
        listed = getattr(result, kind, None)
        if isinstance(listed, list):
            said[kind] = [{"name": each.name} for each in listed]
    version = getattr(result, "protocolVersion", None)
    return said if version is None else {**said, "protocolVersion": version}


def _closing(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    def before(session: Any, kind: Any = None, *_: Any) -> tuple[Peer, Any] | None:
        peer = getattr(session, PEER, None)
        return None if peer is None else (peer, kind)

    return around_async(recorder, original, before, lambda state, *_: recorder.sender.closed(*state))
