"""Streams that a client keeps open to listen: the GETs of both HTTP transports, seen by their ASGI channels.

They carry messages, but are none: how long one lives is nobody's latency.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any

from mcp_otel.recorder import Recorder
from mcp_otel.seams.patch import Patches, expect

Channel = Callable[..., Awaitable[Any]]
CONTENT_TYPE = b"content-type"
EVENTS = b"text/event-stream"
RESUMES = b"last-event-id"


class Listener:
    """One GET: a stream from the moment its response starts as one until its last byte or its client's leaving."""

    __slots__ = ("__weakref__", "_deleted", "_ends", "_kind", "_open", "_recorder")

    def __init__(self, recorder: Recorder, kind: str, deleted: Callable[[], bool] | None = None) -> None:
        """`kind` as the label has it; `deleted` says whether its client has ended the whole session."""
        self._recorder, self._kind, self._deleted = recorder, kind, deleted
        self._open = self._ends = False

    def receiving(self, receive: Channel) -> Channel:
        """`receive`, seen."""

        async def receiving() -> Any:
            message = await receive()
            try:
                # A response that is complete is followed by a disconnect, too.
                if message["type"] == "http.disconnect" and not self._ends:
                    self._close("disconnect")
            except Exception as error:
                self._recorder.count_failure("seams", error)
            return message

        return receiving

    def sending(self, send: Channel) -> Channel:
        """`send`, seen."""

        async def sending(message: Any) -> None:
            try:
                if message["type"] == "http.response.start":
                    self._start(message)
                elif message["type"] == "http.response.body" and not message.get("more_body", False):
                    self._ends = True
            except Exception as error:
                self._recorder.count_failure("seams", error)
            await send(message)
            try:
                if self._ends:
                    self._close("delete" if self._deleted is not None and self._deleted() else "close")
            except Exception as error:
                self._recorder.count_failure("seams", error)

        return sending

    def over(self, failure: type[BaseException] | None) -> None:
        """Whoever served it is done, by such a failure or without one."""
        self._close("crash" if failure is not None and issubclass(failure, Exception) else "stop")

    def _start(self, message: Any) -> None:
        headers = message.get("headers", ())
        events = any(name.lower() == CONTENT_TYPE and value.startswith(EVENTS) for name, value in headers)
        if message.get("status") == 200 and events:
            self._open = True
            self._recorder.connections.open_stream(self, self._kind)

    def _close(self, reason: str) -> None:
        if self._open:
            self._open = False
            self._recorder.connections.close_stream(self, reason)


def hook(patches: Patches, module: Any, recorder: Recorder) -> None:
    """Hook the GETs of a Streamable HTTP transport.

    Raises:
        MisfitError: `module` has no such transport.
    """
    expect(module.StreamableHTTPServerTransport, "handle_request", "self", "scope", "receive", "send")
    patches.replace(
        module.StreamableHTTPServerTransport, "handle_request", lambda original: _serving(recorder, original)
    )


def _serving(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def handle_request(self: Any, scope: Any, receive: Any, send: Any) -> Any:
        # No coroutine of its own: a POST would pay for it.
        if scope.get("method") != "GET" or not recorder.active:
            return original(self, scope, receive, send)
        return _listened(recorder, original, self, scope, receive, send)

    return handle_request


async def _listened(
    recorder: Recorder, original: Callable[..., Any], transport: Any, scope: Any, receive: Any, send: Any
) -> Any:
    try:
        listener = Listener(recorder, _kind(scope), lambda: getattr(transport, "_mcp_otel_deleted", False))
        channels = listener.receiving(receive), listener.sending(send)
    except Exception as error:
        recorder.count_failure("seams", error)
        return await original(transport, scope, receive, send)
    failure: type[BaseException] | None = None
    try:
        return await original(transport, scope, *channels)
    except BaseException as error:
        failure = type(error)
        raise
    finally:
        try:
            listener.over(failure)
        except Exception as error:
            recorder.count_failure("seams", error)


def _kind(scope: Any) -> str:
    return "resumed" if any(name == RESUMES for name, _ in scope["headers"]) else "standalone"
