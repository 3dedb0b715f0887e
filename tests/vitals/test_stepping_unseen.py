"""Nobody inside or around a stepped coroutine can tell that it is stepped."""

from __future__ import annotations

import asyncio
import gc
import inspect
import sys
import time
import traceback
import types
import weakref
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextvars import ContextVar
from typing import Any

import anyio
import pytest

from mcp_otel.vitals.stepping import stepped

OURS = {"stepped", "_steps"}
note: ContextVar[str] = ContextVar("note", default="unset")


def native(awaitable: Any) -> Any:
    return awaitable


def timed(awaitable: Any) -> Any:
    return stepped(awaitable, [].append)


both = pytest.mark.parametrize("way", [native, timed])


class Iterable:
    """Awaitable by a plain iterator, with nothing but a next."""

    def __await__(self) -> Iterator[Any]:
        return iter([None, None])


class Delegating:
    """Awaitable by another."""

    def __await__(self) -> Generator[Any, Any, str]:
        yield from asyncio.sleep(0.001).__await__()
        return "delegated"


@types.coroutine
def generated() -> Generator[Any, Any, str]:
    yield
    yield from asyncio.sleep(0.001).__await__()
    return "generated"


async def future() -> str:
    made = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.001, made.set_result, "a future")
    return await timed(made)


@pytest.mark.parametrize(
    ("make", "result"),
    [(Iterable, None), (Delegating, "delegated"), (generated, "generated"), (future, "a future")],
)
def test_whatever_can_be_awaited_can_be_stepped(make: Callable[[], Awaitable[Any]], result: object) -> None:
    async def main() -> object:
        return await timed(make())

    assert asyncio.run(main()) == result


def plain() -> Generator[Any, Any, None]:
    yield


@pytest.mark.parametrize("make", [lambda: None, lambda: 5, plain])
def test_what_cannot_be_awaited_fails_as_without_us(make: Callable[[], Any]) -> None:
    said = []
    for way in (native, timed):

        async def main(way: Callable[[Any], Any] = way) -> None:
            await way(make())

        with pytest.raises(TypeError) as failure:
            asyncio.run(main())
        said.append(str(failure.value))
    assert said[0] == said[1]


def test_it_is_a_coroutine_for_whoever_asks() -> None:
    async def main() -> list[object]:
        made = timed(asyncio.sleep(0, "slept"))
        return [inspect.iscoroutine(made), asyncio.iscoroutine(made), await asyncio.create_task(made)]

    assert asyncio.run(main()) == [True, True, "slept"]


@both
def test_an_exception_is_the_same_object_and_its_traceback_the_same_but_for_us(way: Callable[[Any], Any]) -> None:
    raised = ValueError("mine")

    async def inner() -> None:
        await asyncio.sleep(0)
        raise raised

    async def main() -> None:
        await way(inner())

    with pytest.raises(ValueError, match="mine") as failure:
        asyncio.run(main())
    names = [each.name for each in traceback.extract_tb(failure.value.__traceback__)]
    assert failure.value is raised
    assert (raised.__context__, raised.__cause__) == (None, None)
    assert [name for name in names if name not in OURS][-2:] == ["main", "inner"]


@both
def test_a_cancellation_arrives_with_its_message_and_can_be_refused(way: Callable[[Any], Any]) -> None:
    seen: list[object] = []

    async def stubborn() -> str:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError as error:
            seen.extend([error.args, [each.name for each in traceback.extract_tb(error.__traceback__)][-1]])
        seen.append(sys.exc_info())
        await asyncio.sleep(0)
        try:
            raise LookupError
        except LookupError as error:
            seen.append(error.__context__)
        return "refused"

    async def main() -> str:
        task = asyncio.ensure_future(way(stubborn()))
        await asyncio.sleep(0.01)
        task.cancel("enough")
        return await task

    assert asyncio.run(main()) == "refused"
    assert seen == [("enough",), "sleep", (None, None, None), None]


@both
def test_what_is_raised_after_a_caught_cancellation_has_no_context(way: Callable[[Any], Any]) -> None:
    async def changed() -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            pass
        raise LookupError

    async def main() -> BaseException | None:
        task = asyncio.ensure_future(way(changed()))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(LookupError) as failure:
            await task
        return failure.value.__context__

    assert asyncio.run(main()) is None


@both
def test_scopes_and_timeouts_of_anyio_work_inside_and_around(way: Callable[[Any], Any]) -> None:
    async def inner() -> str:
        with anyio.move_on_after(0.01) as mine:
            await anyio.sleep(30)
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0.05)
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 0)
        await anyio.to_thread.run_sync(time.sleep, 0)
        await anyio.sleep(30)
        return f"never {mine.cancelled_caught}"

    async def main() -> list[object]:
        with anyio.move_on_after(0.03) as around:
            await way(inner())
        with pytest.raises(TimeoutError):
            with anyio.fail_after(0.01):
                await way(anyio.sleep(30))
        return [around.cancelled_caught, asyncio.current_task().cancelled()]  # type: ignore[union-attr]

    assert anyio.run(main) == [True, False]


@both
def test_it_runs_in_the_same_task_and_context(way: Callable[[Any], Any]) -> None:
    async def inner() -> object:
        seen = note.get()
        await asyncio.sleep(0)
        note.set("inside")
        return seen, asyncio.current_task()

    async def main() -> list[object]:
        note.set("outside")
        seen, task = await way(inner())
        return [seen, task is asyncio.current_task(), note.get()]

    assert asyncio.run(main()) == ["outside", True, "inside"]


@both
def test_what_is_closed_cleans_up_and_may_complain(way: Callable[[Any], Any]) -> None:
    seen: list[str] = []

    async def inner() -> None:
        try:
            await asyncio.sleep(30)
        except GeneratorExit:
            seen.append("closed")
            raise
        finally:
            seen.append("finally")

    async def complaining() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            raise LookupError

    @types.coroutine
    def body(of: Any) -> Generator[Any, Any, Any]:
        return (yield from way(of).__await__())

    async def started() -> list[Any]:
        made = [body(inner()), body(complaining())]
        for each in made:
            each.send(None)
        return made

    closing, failing = asyncio.run(started())
    closing.close()
    with pytest.raises(LookupError):
        failing.close()
    assert seen == ["closed", "finally"]


class Mark:
    """Something of the host's."""


@both
@pytest.mark.parametrize("failing", [False, True])
def test_nothing_of_it_waits_for_a_collection(way: Callable[[Any], Any], failing: bool) -> None:
    async def inner(mark: Mark) -> None:
        held = mark
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            if failing:
                raise ValueError(held) from None

    async def main() -> bool:
        mark = Mark()
        watched = weakref.ref(mark)
        task = asyncio.ensure_future(way(inner(mark)))
        del mark
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        if failing:
            task.exception()
        del task
        await asyncio.sleep(0)
        return watched() is None

    gc.collect()
    gc.disable()
    try:
        assert asyncio.run(main())
    finally:
        gc.enable()
