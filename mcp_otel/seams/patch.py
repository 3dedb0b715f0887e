"""Replace, check and put back: the three verbs every seam is made of, and the shapes its hooks have."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Awaitable, Callable
from types import FunctionType, TracebackType
from typing import Any

from mcp_otel.call import HANDLER, Call
from mcp_otel.errors import MisfitError
from mcp_otel.recorder import Recorder, current

MIRRORS = {"mcp_types.methods": "mcp.types.methods"}
"""Modules that take every name of another when they are imported, and so may hold ours."""
_ABSENT = object()
Undo = Callable[[], None]


class Patches:
    """What one seam replaced, so that all of it can be put back, last first."""

    def __init__(self) -> None:
        self._replaced: list[tuple[Any, str, Any, Any]] = []

    def replace(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Put `make(original)` where `owner.name` is looked up at call time.

        Raises:
            MisfitError: there is no such name.
        """
        try:
            original = inspect.getattr_static(owner, name)
        except AttributeError:
            raise MisfitError(f"{_named(owner)} has no {name}") from None
        inner = original.__func__ if isinstance(original, staticmethod) else original
        made: Any = make(_bound(inner) if inspect.isclass(owner) and inner is original else inner)
        if isinstance(original, staticmethod):
            made = staticmethod(made)
        own = vars(owner).get(name, _ABSENT)
        setattr(owner, name, made)
        self._replaced.append((owner, name, own, made))

    def undo(self) -> None:
        """Put every original object back; what somebody else has put on top of ours is left alone."""
        while self._replaced:
            owner, name, own, made = self._replaced.pop()
            mirror = sys.modules.get(MIRRORS.get(getattr(owner, "__name__", ""), ""))
            if mirror is not None and vars(mirror).get(name) is made:
                setattr(mirror, name, own)
            if vars(owner).get(name, _ABSENT) is not made:
                continue
            if own is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, own)


def expect(owner: Any, name: str, *parameters: str) -> None:
    """Check that `owner.name` is a function whose first parameters have these names.

    Raises:
        MisfitError: it is not there, or it takes something else.
    """
    function = getattr(owner, name, None)
    if not callable(function):
        raise MisfitError(f"{_named(owner)}.{name} is missing")
    found = tuple(inspect.signature(function).parameters)
    if found[: len(parameters)] != parameters:
        raise MisfitError(f"{_named(owner)}.{name} takes ({', '.join(found)}) instead of ({', '.join(parameters)})")


def expect_names(owner: Any, *names: str) -> None:
    """Check that `owner` has all these names.

    Raises:
        MisfitError: one is missing.
    """
    for name in names:
        if not hasattr(owner, name):
            raise MisfitError(f"{_named(owner)}.{name} is missing")


def attempt(recorder: Recorder, hook: Callable[..., Any], *args: Any) -> Any:
    """What `hook`, a function of ours, answers; None when it fails, which is counted."""
    try:
        return hook(*args)
    except Exception as error:
        recorder.count_failure("seams", error)
        return None


def around(
    recorder: Recorder,
    original: Callable[..., Any],
    before: Callable[..., Any],
    after: Callable[[Any, Any, BaseException | None], object],
) -> Callable[..., Any]:
    """`original` between two hooks of ours, neither of which can hurt it.

    `before` gets the arguments and answers a state, None when this call is none of our business; `after` gets that
    state, the result and the exception.
    """

    @functools.wraps(original)
    def hooked(*args: Any, **kwargs: Any) -> Any:
        try:
            state = before(*args, **kwargs)
        except Exception as error:
            recorder.count_failure("seams", error)
            state = None
        if state is None:
            return original(*args, **kwargs)
        result = failure = None
        try:
            result = original(*args, **kwargs)
        except BaseException as error:
            failure = error
            raise
        finally:
            try:
                after(state, result, failure)
            except Exception as error:
                recorder.count_failure("seams", error)
            failure = None  # an error that holds the frame that holds the error would outlive the call
        return result

    return hooked


def spending(
    recorder: Recorder, original: Callable[..., Any], phase: int, failed: Callable[[Call, BaseException], object] | None
) -> Callable[..., Any]:
    """`original` as one pauseless stretch of `phase` of the call whose handler is running.

    With `failed`, which is told when it raises, what lies between two such stretches belongs to the phase as well.
    The shape of the hottest hooks, so it is `around` without what they do not need.
    """

    @functools.wraps(original)
    def hooked(*args: Any, **kwargs: Any) -> Any:
        call = current.get()
        if call is None or call.done:
            return original(*args, **kwargs)
        try:
            call.lap(phase if failed is not None and call.last == phase else HANDLER)
            if call.cpu is not None:
                call.begin()
        except Exception as error:
            recorder.count_failure("seams", error)
        try:
            return original(*args, **kwargs)
        except BaseException as error:
            if failed is not None:
                try:
                    failed(call, error)
                except Exception as own:
                    recorder.count_failure("seams", own)
            raise
        finally:
            try:
                call.spend(phase)
            except Exception as error:
                recorder.count_failure("seams", error)

    return hooked


def around_async(
    recorder: Recorder,
    original: Callable[..., Awaitable[Any]],
    before: Callable[..., Any],
    after: Callable[[Any, Any, BaseException | None], object],
    stepping: Callable[[Any], Call | None] | None = None,
) -> Callable[..., Awaitable[Any]]:
    """As `around`, for a coroutine function; `stepping` finds by the state the call whose steps it makes."""

    @functools.wraps(original)
    async def hooked(*args: Any, **kwargs: Any) -> Any:
        try:
            state = before(*args, **kwargs)
        except Exception as error:
            recorder.count_failure("seams", error)
            state = None
        if state is None:
            return await original(*args, **kwargs)
        result = failure = None
        try:
            awaitable = original(*args, **kwargs)
            if stepping is not None:
                awaitable = _stepped(recorder, stepping, state, awaitable)
            result = await awaitable
        except BaseException as error:
            failure = error
            raise
        finally:
            try:
                after(state, result, failure)
            except Exception as error:
                recorder.count_failure("seams", error)
            failure = None  # an error that holds the frame that holds the error would outlive the call
        return result

    return hooked


def _stepped(
    recorder: Recorder, stepping: Callable[[Any], Call | None], state: Any, awaitable: Awaitable[Any]
) -> Awaitable[Any]:
    try:
        return recorder.stepped(stepping(state), awaitable)
    except Exception as error:
        recorder.count_failure("seams", error)
        return awaitable


class Facade:
    """Stands in for a module inside one other module: some names are ours, the rest is the module's."""

    def __init__(self, module: Any, **ours: Any) -> None:
        self.__dict__.update(ours)
        self.__dict__["_mcp_otel_module"] = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_mcp_otel_module"], name)


class StreamFacade:
    """Stands in for a memory stream; a subclass says what it sees on the way."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __aiter__(self) -> Any:
        return self

    async def __aenter__(self) -> Any:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Any:
        return await self._stream.__aexit__(kind, error, trace)


def _bound(original: Any) -> Any:
    """`original`, bound as on every lookup: a foreign wrapper (wrapt's) knows its instance by that alone."""
    if type(original) is FunctionType:
        return original

    @functools.wraps(original)
    def bound(self: Any, *args: Any, **kwargs: Any) -> Any:
        return original.__get__(self, type(self))(*args, **kwargs)

    return bound


def _named(owner: Any) -> str:
    return getattr(owner, "__module__", "") + "." + owner.__qualname__ if inspect.isclass(owner) else owner.__name__
