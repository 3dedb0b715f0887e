"""2.x: what a dispatcher sends, a client's or, when a handler asks its client, a server's."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.trace import INVALID_SPAN

from mcp_otel.outgoing import Peer, sending
from mcp_otel.recorder import Recorder
from mcp_otel.seams.clients import taken
from mcp_otel.seams.patch import Patches, around, around_async, attempt, expect

PEER = "_mcp_otel_peer"


def install(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `mcp.shared.jsonrpc_dispatcher`.

    Raises:
        MisfitError: it does not look like the 2.x line.
    """
    expect(module.JSONRPCDispatcher, "__init__", "self", "read_stream", "write_stream")
    _dispatcher(module.JSONRPCDispatcher, recorder, patches)
    expect(module, "otel_span", "name")
    patches.replace(module, "otel_span", lambda original: _silencing(recorder, original))


def install_direct(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `mcp.shared.direct_dispatcher`.

    Raises:
        MisfitError: it does not look like the 2.x line.
    """
    expect(module.DirectDispatcher, "__init__", "self", "transport_ctx")
    _dispatcher(module.DirectDispatcher, recorder, patches)


def _dispatcher(dispatcher: Any, recorder: Recorder, patches: Patches) -> None:
    expect(dispatcher, "send_raw_request", "self", "method", "params")
    expect(dispatcher, "notify", "self", "method", "params")
    expect(dispatcher, "run", "self", "on_request", "on_notify")
    patches.replace(dispatcher, "__init__", lambda original: _making(recorder, original))
    patches.replace(dispatcher, "send_raw_request", lambda original: _sending(recorder, original, False))
    patches.replace(dispatcher, "notify", lambda original: _sending(recorder, original, True))
    patches.replace(dispatcher, "run", lambda original: _running(recorder, original))


def peer_of(dispatcher: Any) -> Peer | None:
    """The other side of a dispatcher; None when it was made before us."""
    return getattr(dispatcher, PEER, None)


def _making(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    def after(dispatcher: Any, _: Any, failure: BaseException | None) -> None:
        if failure is None:
            setattr(dispatcher, PEER, taken())

    return around(recorder, original, lambda self, *_, **__: self, after)


def _sending(recorder: Recorder, original: Callable[..., Any], notifies: bool) -> Callable[..., Any]:
    sender = recorder.sender

    @functools.wraps(original)
    async def send(self: Any, method: str, params: Any, *args: Any, **kwargs: Any) -> Any:
        entered = None
        try:
            peer = peer_of(self)
            serves = getattr(self, "_mcp_otel_session", None) is not None
            name = params.get("name") if params is not None else None
            entered = sender.send(method, name, peer, quiet=notifies and serves, params=params)
        except Exception as error:
            recorder.count_failure("seams", error)
        if entered is None:
            return await original(self, method, params, *args, **kwargs)
        result = failure = None
        try:
            given = attempt(recorder, sender.inject, params) or params
            result = await original(self, method, given, *args, **kwargs)
        except BaseException as error:
            failure = error
            raise
        finally:
            attempt(recorder, sender.sent, entered, result, failure, result)
            if method == "initialize" and failure is None and entered[0].peer is peer_of(self):
                attempt(recorder, sender.opened, entered[0].peer)
            failure = None
        return result

    return send


def _running(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    def after(dispatcher: Any, _: Any, failure: BaseException | None) -> None:
        peer = peer_of(dispatcher)
        if peer is not None:
            recorder.sender.closed(peer, type(failure) if failure is not None else None)

    return around_async(recorder, original, lambda self, *_, **__: self, after)


def _silencing(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    """The SDK's own CLIENT span stays silent where ours is current; it knows the request's id."""

    @contextmanager
    def otel_span(name: str, *args: Any, **kwargs: Any) -> Iterator[Any]:
        outgoing = sending.get()
        if outgoing is not None and outgoing.request_id is None:
            attempt(recorder, outgoing.identify, kwargs.get("attributes") or {})
        if outgoing is None or outgoing.span is None:
            with original(name, *args, **kwargs) as span:
                yield span
        else:
            yield INVALID_SPAN

    return otel_span
