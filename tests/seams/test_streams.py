"""The facades of streams: whatever goes through them is the identical object, and they end as the streams do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import anyio
import pytest

from mcp_otel.recorder import Recorder
from mcp_otel.seams.patch import StreamFacade
from mcp_otel.seams.stdio import SendingEnd, StreamFactory, WritingEnd, line_size
from mcp_otel.settings import Settings


class Message:
    """What a transport encodes."""

    def model_dump_json(self, **kwargs: Any) -> str:
        return f'{{"ü":{len(kwargs)}}}'


class Item:
    """A session message."""

    def __init__(self) -> None:
        self.message, self.metadata = Message(), "metadata"


def pair(recorder: Recorder, ours: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
    return StreamFactory(recorder, anyio.create_memory_object_stream, ours)(10)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(Settings())


def run(told: Callable[[], Awaitable[Any]]) -> Any:
    return anyio.run(told)


async def _drain(receiving: Any) -> list[Any]:
    async with receiving:
        return [item async for item in receiving]


def test_what_is_not_ours_passes_as_the_identical_object(recorder: Recorder) -> None:
    async def told() -> None:
        sending, receiving = pair(recorder, lambda item, _: (False, None))
        sent = [Item(), ValueError("a line that is no JSON"), None]
        async with sending:
            for item in sent:
                await sending.send(item)
        received = await _drain(receiving)
        assert all(a is b for a, b in zip(sent, received, strict=True))

    run(told)


def test_what_a_session_sends_is_encoded_and_counted_as_it_was(recorder: Recorder) -> None:
    async def told() -> None:
        sending, receiving = pair(recorder, lambda item, _: (True, None))
        async with sending:
            await sending.send(Item())
        (got,) = await _drain(receiving)
        assert got.metadata == "metadata"
        assert got.message.model_dump_json(by_alias=True, exclude_none=True) == '{"ü":2}'

    run(told)
    assert recorder.totals.bytes == {"received": 0, "sent": len('{"ü":2}'.encode())}


def test_a_call_ends_when_the_transport_comes_back_for_more(recorder: Recorder) -> None:
    events: list[Any] = []
    recorder.sinks.append(events.append)
    call = recorder.arrive("pipe", 10)
    recorder.open(call, "ping", None, 7)
    recorder.answer(call, result={})
    call.writing = True

    async def told() -> None:
        sending, receiving = pair(recorder, lambda item, _: (True, call))
        async with sending:
            await sending.send(Item())
        async with receiving:
            (await receiving.__anext__()).message.model_dump_json()
            assert events == []
            with pytest.raises(StopAsyncIteration):
                await receiving.__anext__()

    run(told)
    (event,) = events
    assert (event.method, event.sent, event.received) == ("ping", len('{"ü":0}'.encode()), 10)
    assert {"encode", "write"} <= set(event.phases)


def test_a_call_ends_also_when_the_transport_ends_while_it_writes(recorder: Recorder) -> None:
    events: list[Any] = []
    recorder.sinks.append(events.append)
    call = recorder.arrive("pipe", 10)
    recorder.open(call, "ping", None, 7)
    recorder.answer(call, result={})

    async def told() -> None:
        sending, receiving = pair(recorder, lambda item, _: (True, call))
        async with sending:
            await sending.send(Item())
            with suppress(BrokenPipeError):
                async with receiving:
                    await receiving.receive()
                    raise BrokenPipeError

    run(told)
    assert [event.method for event in events] == ["ping"]


def test_a_rule_that_raises_lets_the_item_pass_and_is_counted(recorder: Recorder) -> None:
    def boom(*_: Any) -> Any:
        raise ValueError

    async def told() -> None:
        sending, receiving = pair(recorder, boom)
        item = Item()
        async with sending:
            await sending.send(item)
        assert await _drain(receiving) == [item]

    run(told)
    assert dict(recorder.totals.failures) == {"seams": 1}


def test_the_end_of_one_side_is_the_end_of_the_other(recorder: Recorder) -> None:
    async def told() -> None:
        sending, receiving = pair(recorder, lambda *_: (False, None))
        await receiving.aclose()
        with pytest.raises(anyio.BrokenResourceError):
            await sending.send(Item())
        await sending.aclose()
        with pytest.raises(anyio.ClosedResourceError):
            await sending.send(Item())

    run(told)


def test_a_waiting_reader_is_cancelled_as_ever(recorder: Recorder) -> None:
    async def told() -> bool:
        sending, receiving = pair(recorder, lambda *_: (False, None))
        async with sending, receiving:
            with anyio.move_on_after(0.01) as scope:
                await receiving.receive()
        return scope.cancelled_caught

    assert run(told) is True


def test_a_facade_answers_everything_else_by_its_stream(recorder: Recorder) -> None:
    async def told() -> None:
        sending, receiving = pair(recorder, lambda *_: (False, None))
        assert isinstance(sending, SendingEnd)
        assert isinstance(receiving, WritingEnd)
        assert isinstance(receiving, StreamFacade)
        assert sending.statistics().max_buffer_size == 10
        sending.send_nowait(1)
        assert receiving.receive_nowait() == 1
        with pytest.raises(AttributeError, match="nothing"):
            _ = sending.nothing
        async with sending as entered, receiving as iterated:
            assert (entered, iterated, iterated.__aiter__()) == (sending, receiving, receiving)

    run(told)


@pytest.mark.parametrize(
    ("line", "size"), [("", 0), ("{}", 2), ("{}\n", 2), ("ü\n", 2), ("✓", 3), ("\udcff", 1), ("\n", 0)]
)
def test_a_line_is_measured_in_bytes_without_its_end(line: str, size: int) -> None:
    assert line_size(line) == size
