"""How full the pools of threads are that event loops hand their blocking work to: anyio's limiter, asyncio's executor.

Everything is read where it lies, in whatever thread asks. A pool that nobody has used yet is absent.
"""

from __future__ import annotations

import math
import sys
import weakref
from asyncio import AbstractEventLoop
from collections.abc import Callable
from concurrent.futures import thread as workers
from types import CodeType, FrameType
from typing import Any, NamedTuple

from mcp_otel.vitals.loop import Undo, replace

MAX_LOOPS = 64
WORKER: CodeType | None = getattr(getattr(workers, "_worker", None), "__code__", None)
"""The outermost function of an executor's threads."""


class Pool(NamedTuple):
    """One pool now, or several as one."""

    used: int
    """Threads that work."""
    limit: int | None
    """How many may work at once; None for any number."""
    waiting: int
    """What waits until a thread is free."""

    def plus(self, other: Pool) -> Pool:
        """Both as one."""
        limit = None if self.limit is None or other.limit is None else self.limit + other.limit
        return Pool(self.used + other.used, limit, self.waiting + other.waiting)


class Threads:
    """The default pools of all loops that are watched, 64 at most. Nothing of this ever raises."""

    def __init__(self) -> None:
        self._loops: dict[int, weakref.ref[AbstractEventLoop]] = {}
        self._found: dict[int, weakref.ref[Any]] = {}
        self._undos: dict[int, Undo] = {}

    def watch(self, loop: AbstractEventLoop) -> Undo:
        """Read the pools of `loop` too, until the answer is called or it is closed or gone."""
        key = id(loop)
        if key in self._loops or len(self._loops) >= MAX_LOOPS:
            return lambda: None

        def gone(held: weakref.ref[AbstractEventLoop]) -> None:
            try:
                self._drop(key, held)
            except Exception:
                pass  # or it would be printed on the host's stderr

        try:
            held = weakref.ref(loop, gone)
        except TypeError:  # a loop of another make, which we could only keep alive
            return lambda: None
        self._loops[key] = held
        if not hasattr(loop, "_default_executor"):
            try:
                self._undos[key] = self._seek(loop, key)
            except (AttributeError, TypeError):
                pass  # then it stays absent
        return lambda: self._drop(key, held)

    def read(self) -> dict[str, Pool]:
        """The pools of all loops together: `anyio`, `asyncio`."""
        pools: dict[str, Pool] = {}
        for key, held in list(self._loops.items()):
            loop = held()
            if loop is None or loop.is_closed():
                self._drop(key, held)
                continue
            found = self._found.get(key)
            executor = found() if found is not None else getattr(loop, "_default_executor", None)
            for name, read, of in (("anyio", _limiter, loop), ("asyncio", _executor, executor)):
                try:
                    pool = read(of)
                except Exception:
                    pool = None  # made otherwise than those we know, or changed while it was read: absent this time
                if pool is not None:
                    pools[name] = pools[name].plus(pool) if name in pools else pool
        return pools

    def undo(self) -> None:
        """Read no loop any more."""
        for key, held in list(self._loops.items()):
            self._drop(key, held)

    def _drop(self, key: int, held: weakref.ref[AbstractEventLoop]) -> None:
        if self._loops.get(key) is held and self._loops.pop(key, None) is not None:
            self._found.pop(key, None)
            self._undos.pop(key, _nothing)()

    def _seek(self, loop: Any, key: int) -> Undo:
        """Where a loop hides its executor (uvloop), let the next work for it say who does it, and then step aside."""
        run, held = type(loop).run_in_executor, weakref.ref(loop)

        def run_in_executor(executor: Any, func: Callable[..., Any], *args: Any) -> Any:
            there: Any = held()
            if executor is None and not there.get_debug():  # in debug mode it wants to see the function itself
                return run(there, None, tell, func, *args)
            return run(there, executor, func, *args)

        def tell(func: Callable[..., Any], *args: Any) -> Any:
            try:
                executor = _working_for(sys._getframe())
                if executor is not None and key in self._loops:
                    self._found[key] = executor
                undo()
            except Exception:
                pass
            return func(*args)

        undo = replace(loop, "run_in_executor", run_in_executor)
        return undo


def _limiter(loop: Any) -> Pool | None:
    name = "_default_thread_limiter"
    of_loops = getattr(sys.modules.get("anyio.lowlevel"), "_run_vars", {})
    values = of_loops.get(loop, {})
    key = getattr(sys.modules.get("anyio._backends._asyncio"), name, None)
    limiter = values.get(key, values.get(name))  # older lines go by the name
    if limiter is None:
        return None
    total = limiter.total_tokens
    return Pool(limiter.borrowed_tokens, None if math.isinf(total) else int(total), limiter.statistics().tasks_waiting)


def _executor(executor: Any) -> Pool | None:
    if executor is None:
        return None
    waiting = executor._work_queue.qsize()
    threads = list(executor._threads)
    used = len(threads)
    if not waiting:
        # Its own count of idle threads is wrong before Python 3.12. One that is idle is in its outermost function.
        frames = sys._current_frames()
        idle = [each for each in threads if each.ident in frames and frames[each.ident].f_code is WORKER]
        used -= len(idle)
    return Pool(used, executor._max_workers, waiting)


def _working_for(frame: FrameType | None) -> weakref.ref[Any] | None:
    while frame is not None and frame.f_code is not WORKER:
        frame = frame.f_back
    if frame is None:
        return None
    found = frame.f_locals
    executor = found["executor_reference"]()
    if type(found) is dict:
        found.pop("work_item", None)  # until Python 3.13 it is a copy that the frame keeps, and this is the host's
    return weakref.ref(executor) if executor is not None else None


def _nothing() -> None:
    """Undo what was not done."""
