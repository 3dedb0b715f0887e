"""The stdio transport of both SDK lines: where a line becomes a message, and a message a line again.

Its streams are made inside `stdio_server`, so the names it makes them by are replaced. Explicit stdin and stdout are
never passed: on 2.x that would give up the transport's claim on the descriptors.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from mcp_otel.call import DECODE, ENCODE, WRITE, Call
from mcp_otel.recorder import Recorder
from mcp_otel.seams.patch import StreamFacade, around

arriving: ContextVar[Call | None] = ContextVar("mcp_otel_arriving", default=None)
"""The call of the message that this task decoded last."""

Outgoing = Callable[[Any, Any], tuple[bool, Call | None]]
"""Whether a session message, given the stream it came by, is one that a session sends; and which call it answers."""


def decoding(recorder: Recorder, validate: Callable[..., Any]) -> Callable[..., Any]:
    """`validate` (a line to a message), timed."""

    def before(line: str, *_: Any, **__: Any) -> Call:
        call = recorder.arrive("pipe", line_size(line))
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


def line_size(line: str) -> int:
    """Bytes of the JSON in a line; `len` alone would count characters."""
    size = len(line) if line.isascii() else len(line.encode("utf-8", "surrogateescape"))
    return size - 1 if line.endswith("\n") else size


class StreamFactory:
    """Makes the streams that `make` makes, each end behind one of our facades; `end` makes the one to read by."""

    def __init__(
        self, recorder: Recorder, make: Any, outgoing: Outgoing, end: Callable[..., Any] | None = None
    ) -> None:
        self._recorder, self._make, self._outgoing = recorder, make, outgoing
        self._end = end or WritingEnd

    def __getitem__(self, item: Any) -> StreamFactory:
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """A pair of streams, as `make` makes it."""
        sending, receiving = self._make(*args, **kwargs)
        return SendingEnd(sending), self._end(receiving, self._recorder, self._outgoing)


class SendingEnd(StreamFacade):
    """The end a session sends by. What it sends here, a `WritingEnd` will write and end."""


class WritingEnd(StreamFacade):
    """The end the transport reads by, to write what it reads: knows when a message is encoded and when it is written.

    Streams of both directions get one, for nothing tells them apart when they are made. What no session of ours has
    marked as its own passes as it is.
    """

    def __init__(self, stream: Any, recorder: Recorder, outgoing: Outgoing) -> None:
        super().__init__(stream)
        self._recorder, self._outgoing = recorder, outgoing
        self._writing: Call | None = None

    async def __anext__(self) -> Any:
        if self._writing is not None:
            self._written()
        return self._watched(await self._stream.__anext__())

    async def receive(self) -> Any:
        """As iterating does."""
        if self._writing is not None:
            self._written()
        return self._watched(await self._stream.receive())

    async def __aexit__(self, *failure: Any) -> Any:
        if self._writing is not None:
            self._written()
        return await super().__aexit__(*failure)

    def _watched(self, item: Any) -> Any:
        try:
            ours, call = self._outgoing(item, self._stream)
            if not ours:
                return item
            if call is not None:
                call.lap(WRITE)
                self._writing = call
            return _Outgoing(item, _Encoding(item.message, self._recorder, call))
        except Exception as error:
            self._recorder.count_failure("seams", error)
            return item

    def _written(self) -> None:
        call, self._writing = self._writing, None
        try:
            if call is not None:
                call.lap(WRITE)
                self._recorder.end(call)
        except Exception as error:
            self._recorder.count_failure("seams", error)


class _Outgoing:
    """A session message while the transport writes it; its message tells how long its encoding takes."""

    def __init__(self, item: Any, message: _Encoding) -> None:
        self._item, self.message = item, message

    def __getattr__(self, name: str) -> Any:
        return getattr(self._item, name)


class _Encoding:
    """A message that is timed while it becomes JSON."""

    def __init__(self, message: Any, recorder: Recorder, call: Call | None) -> None:
        self._message, self._recorder, self._call = message, recorder, call

    def __getattr__(self, name: str) -> Any:
        return getattr(self._message, name)

    def model_dump_json(self, **kwargs: Any) -> str:
        """As the message does."""
        call = self._call
        try:
            if call is not None:
                call.begin()
        except Exception as error:
            self._recorder.count_failure("seams", error)
        text: str = self._message.model_dump_json(**kwargs)
        try:
            size = line_size(text)
            self._recorder.count_bytes("sent", size)
            if call is not None:
                call.sent = size
                call.spend(ENCODE)
        except Exception as error:
            self._recorder.count_failure("seams", error)
        return text
