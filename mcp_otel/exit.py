"""How a process ends: what waits is handed over in a bounded time, and exit status and signal stay the process's own.

Flushing is asked of threads that exist already: none can be started once Python 3.12 or later is finalizing.
"""

from __future__ import annotations

import atexit
import os
import signal
from _thread import LockType, allocate_lock
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread, current_thread, main_thread
from time import monotonic
from types import FrameType
from typing import NamedTuple

from mcp_otel.notice import warn


class Flusher:
    """A daemon thread that calls `flush` whenever asked; whatever that raises or however long it takes stays here."""

    def __init__(self, flush: Callable[[], object]) -> None:
        self._flush = flush
        # Its put is reentrant: a signal may come while the main thread is asking.
        self._asked: SimpleQueue[LockType | None] = SimpleQueue()
        Thread(target=self._work, name="mcp-otel flush", daemon=True).start()

    def ask(self) -> LockType:
        """Begin to flush; the lock that comes back is released when it is done."""
        done = allocate_lock()
        done.acquire()
        self._asked.put(done)
        return done

    def stop(self) -> None:
        """End the thread after what it was asked for."""
        self._asked.put(None)

    def _work(self) -> None:
        while (done := self._asked.get()) is not None:
            try:
                self._flush()
            except Exception:
                pass
            done.release()


def flush_all(flushers: list[Flusher], seconds: float) -> bool:
    """Let all `flushers` work in parallel for at most `seconds` in all; whether they all came to an end."""
    deadline = monotonic() + seconds
    done = [flusher.ask() for flusher in flushers]
    return all(lock.acquire(timeout=max(0.0, deadline - monotonic())) for lock in done)


class _Ending(NamedTuple):
    flush: Callable[[], bool]
    forget: Callable[[], None]


_endings: list[_Ending] = []


def at_end(flush: Callable[[], bool], forget: Callable[[], None]) -> Callable[[], None]:
    """Call `flush` (bounded, says whether all was delivered) when this process ends, `forget` in a forked child.

    Returns the undo.
    """
    ending = _Ending(flush, forget)
    if not _endings:
        atexit.register(_leave)
    _endings.append(ending)

    def undo() -> None:
        if ending in _endings:
            _endings.remove(ending)
        if not _endings:
            atexit.unregister(_leave)

    return undo


def arm() -> None:
    """Flush at SIGTERM too, where it would kill the process: uvicorn raises it again after its own shutdown.

    Must run before a server installs its own handling, which puts ours back at its end.
    """
    if current_thread() is main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)


def disarm() -> None:
    """Undo `arm`, unless somebody else has taken the signal since."""
    if current_thread() is main_thread() and signal.getsignal(signal.SIGTERM) is _terminate:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _leave() -> None:
    for ending in _endings:
        if not ending.flush():
            warn("mcp-otel could not deliver everything before the process ended")


def _terminate(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)  # first: a second one kills at once, as it would without us
    for ending in _endings:
        ending.flush()
    signal.raise_signal(number)


def _in_child() -> None:
    for ending in _endings:
        ending.forget()
    _endings.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
