"""Steps a coroutine and times every step: exactly the seconds that it had its event loop to itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from inspect import isawaitable
from time import perf_counter_ns
from types import CoroutineType, FrameType, GeneratorType, coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")
Spend = Callable[[int], object]
Clock = Callable[[], int]
Failed = Callable[[Exception], object]


async def stepped(
    awaitable: Awaitable[_T], spend: Spend, clock: Clock = perf_counter_ns, failed: Failed | None = None
) -> _T:
    """Await `awaitable` as `await` does, and hand `spend` the nanoseconds of each of its steps as they end.

    Tasks and threads that it starts are not its steps. With `clock=time.thread_time_ns` they are nanoseconds on the
    processor; for both, step twice. What `spend` or `clock` raises only `failed` is told.
    """
    if not isinstance(awaitable, CoroutineType):
        if not isawaitable(awaitable):
            return await awaitable  # fails as it would have without us
        if not isinstance(awaitable, GeneratorType):
            awaitable = awaitable.__await__()  # type: ignore[assignment]
    if clock is not perf_counter_ns:
        clock = _guarded(clock, failed)
    result: _T = await _steps(awaitable, spend, clock, failed)
    return result


def awaited(awaitable: Awaitable[_T], spend: Spend, failed: Failed | None = None) -> Awaitable[_T]:
    """As `stepped`, at once and with one frame less, for what is awaited and only that: no task can be made of it."""
    if type(awaitable) is not CoroutineType:
        return stepped(awaitable, spend, failed=failed)
    steps: Awaitable[_T] = _steps(awaitable, spend, perf_counter_ns, failed)
    return steps


def spender(frame: FrameType) -> Spend | None:
    """What the step that runs in `frame`, of whatever thread, is charged to; None when `frame` is none of ours."""
    if frame.f_code is not _steps.__code__:
        return None
    found = frame.f_locals
    if type(found) is dict:
        # Until Python 3.13 it is a copy that the frame keeps. These two are the host's, and no longer needed there.
        found.pop("value", None)
        found.pop("thrown", None)
    spend: Spend | None = found.get("spend")
    return spend


@coroutine
def _steps(inner: Any, spend: Spend, clock: Clock, failed: Failed | None) -> Generator[Any, Any, Any]:
    # A plain iterator may be awaited as well; it can only be asked for its next.
    send = inner.send if hasattr(inner, "send") else lambda _: next(inner)
    value: Any = None
    error: BaseException | None = None
    thrown: BaseException | None = None
    while True:
        began = clock()
        try:
            if error is None:
                yielded = send(value)
            else:
                # Not inside the `except` that caught it: it would become the context of whatever is raised next.
                thrown, error = error, None
                yielded = inner.throw(thrown)
        except StopIteration as stop:
            return stop.value
        finally:
            value = thrown = None  # an error that holds the frame that holds the error would outlive the call
            try:
                spend(clock() - began)
            except Exception as failure:
                _tell(failed, failure)
        try:
            value = yield yielded
        except GeneratorExit:
            began = clock()
            try:
                if hasattr(inner, "close"):
                    inner.close()
            finally:
                try:
                    spend(clock() - began)
                except Exception as failure:
                    _tell(failed, failure)
            raise
        except BaseException as caught:
            if not hasattr(inner, "throw"):
                raise
            trace = caught.__traceback__
            error = caught.with_traceback(trace.tb_next if trace is not None else None)  # as if we were not there
        yielded = None


def _guarded(clock: Clock, failed: Failed | None) -> Clock:
    def guarded() -> int:
        try:
            return clock()
        except Exception as error:
            _tell(failed, error)
            return 0

    return guarded


def _tell(failed: Failed | None, error: Exception) -> None:
    try:
        if failed is not None:
            failed(error)
    except Exception:
        pass
