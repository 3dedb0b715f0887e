"""Makes any function of the package raise instead: its code is swapped in place, so whoever holds it is hit."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

import mcp_otel
from tests.promises.hosts import LINE

ROOMS = (
    *("recorder", "call", "finished", "outgoing", "live", "event", "governor", "methods", "signals", "connections"),
    *("seams", "streams", "vendors", "vitals"),
)
BESIDE = ("fastmcp",)
"""Rooms of libraries that the story's servers do not use."""
HOOKS = ("before", "after")
CARRIERS = {
    # These carry the host's own operation: what breaks here is the operation, so they hold nothing that can.
    "seams.patch:Facade.__getattr__",
    "seams.patch:StreamFacade.__init__",
    "seams.patch:StreamFacade.__getattr__",
    "seams.patch:StreamFacade.__aiter__",
    "seams.patch:StreamFacade.__aenter__",
    "seams.patch:StreamFacade.__aexit__",
    "seams.stdio:StreamFactory.__getitem__",
    "seams.stdio:StreamFactory.__call__",
    "seams.stdio:WritingEnd.__init__",
    "seams.stdio:WritingEnd.__anext__",
    "seams.stdio:WritingEnd.receive",
    "seams.stdio:WritingEnd.__aexit__",
    "seams.stdio:_Outgoing.__getattr__",
    "seams.stdio:_Encoding.__getattr__",
    "seams.stdio:_Encoding.model_dump_json",
    "seams.sse:EventEnd.__init__",
    "seams.sse:_Connection.__init__",
    "seams.sse:_Connection.__getattr__",
    "seams.sse:_Connection.__aenter__",
    "seams.sse:_Connection.__aexit__",
    "seams.streamable_http:serve",
    "seams.streamable_http:_sending",
    "seams.sdk_v1.session:_ReadEnd.__anext__",
    "seams.sdk_v1.session:_WriteEnd.send",
    "seams.sdk_v1.client:_WriteEnd.send",
    # These are the guard itself.
    "recorder:Recorder.count_failure",
    "seams.patch:_stepped",
    "seams.patch:attempt",
    # So are these in their own threads.
    "vitals:Vitals._run",
    "vitals:Vitals._guarded",
    "vitals.blocked:Blocked._run",
    "vitals.price:_drive",
    "vitals.loop:Loops.tell",
    "vitals.canary:Canaries._collection",
    "vitals.pauses:Pauses._seen",
    "vitals.stepping:stepped",
    "vitals.stepping:_steps",
    "vitals.stepping:awaited",
    "vitals.stepping:_guarded",
    "vitals.stepping:_tell",
    "seams.stdio:WritingEnd._watched",
    "seams.sse:EventEnd._watched",
    "seams.listening:_listened",
    "seams.stdio:WritingEnd._written",
    # Undoing is no part of serving.
    "seams.patch:Patches.undo",
    "seams:Line.undo",
}
strikes: list[str] = []
"""What was hit since it was cleared."""


class Broken(Exception):
    """What a broken function raises."""


class Target(NamedTuple):
    """One function, or with `hook` one that is made inside it."""

    function: FunctionType
    hook: str | None = None


def strike(name: str) -> None:
    """A broken function was called."""
    strikes.append(name)
    raise Broken("private words")


def _plain(*_: Any, **__: Any) -> Any:
    __import__("tests.promises.breakage", fromlist=["strike"]).strike("it")


async def _coroutine(*_: Any, **__: Any) -> Any:
    __import__("tests.promises.breakage", fromlist=["strike"]).strike("it")


def _generator(*_: Any, **__: Any) -> Any:
    __import__("tests.promises.breakage", fromlist=["strike"]).strike("it")
    yield


def _raising(code: CodeType) -> CodeType:
    made: Any = _plain
    if code.co_flags & inspect.CO_COROUTINE:
        made = _coroutine
    elif code.co_flags & inspect.CO_GENERATOR:
        made = _generator
    return made.__code__.replace(co_freevars=code.co_freevars, co_name=code.co_name)


@contextmanager
def broken(target: Target) -> Iterator[None]:
    """`target` raises, whoever calls it; what guards it from outside (a decorator) still does."""
    function, whole = target.function, target.function.__code__
    if target.hook is None:
        function.__code__ = _raising(whole)
    else:
        consts = [_raising(const) if _is_hook(const, target.hook) else const for const in whole.co_consts]
        function.__code__ = whole.replace(co_consts=tuple(consts))
    strikes.clear()
    try:
        yield
    finally:
        function.__code__ = whole


def targets(within: str = "") -> dict[str, Target]:
    """Every function of the rooms a message passes through, and every hook that a seam makes, by its full name.

    With `within`, of that room of the seams, which a library beside the SDK has.
    """
    found: dict[str, Target] = {}
    for module in modules(within):
        for function in _functions(module):
            name = f"{module.__name__.partition('.')[2]}:{function.__qualname__}"
            found[name] = Target(function)
            for hook in HOOKS:
                if any(_is_hook(const, hook) for const in function.__code__.co_consts):
                    found[f"{name}.{hook}"] = Target(function, hook)
    return found


def modules(within: str = "") -> Iterator[ModuleType]:
    """The modules of the rooms, of the installed line; or those of one room of the seams, of all its lines."""
    for found in pkgutil.walk_packages(mcp_otel.__path__, "mcp_otel."):
        room = found.name.split(".")[1]
        beside = next((name for name in BESIDE if found.name.startswith(f"mcp_otel.seams.{name}")), "")
        if room in ROOMS and f"sdk_v{3 - LINE}" not in found.name and beside == within:
            yield import_module(found.name)


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    for value in list(vars(module).values()):
        if getattr(value, "__module__", None) != module.__name__:
            continue
        for member in vars(value).values() if inspect.isclass(value) else (value,):
            inner: Any = getattr(member, "fget", None) or getattr(member, "__func__", None) or member
            inner = inspect.unwrap(inner) if callable(inner) else inner
            if isinstance(inner, FunctionType) and inner.__code__.co_filename == module.__file__:
                yield inner


def _is_hook(const: object, hook: str) -> bool:
    return isinstance(const, CodeType) and const.co_name == hook
