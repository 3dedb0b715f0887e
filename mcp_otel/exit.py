"""How a process ends: what waits is handed over in a bounded time, and exit status and signal stay the process's own.

Flushing is asked of threads that exist already: none can be started once Python 3.12 or later is finalizing.
"""

from __future__ import annotations

import atexit
import signal
from _thread import LockType, allocate_lock
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread, current_thread, main_thread
from time import monotonic
from types import FrameType

from mcp_otel.fork import at_fork, by_multiprocessing
from mcp_otel.notice import warn

LAST = -1_000_000
"""Among what multiprocessing finalizes: after what the program itself wants done."""


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


_endings: list[Callable[[], bool]] = []


def at_end(flush: Callable[[], bool]) -> Callable[[], None]:
    """Call `flush` (bounded, says whether all was delivered) when this process ends, but not when a forked child does.

    Returns the undo.
    """
    if not _endings:
        atexit.register(leave)
    if by_multiprocessing():
        # Forked ones end without `atexit` in most versions of Python, but not without this.
        from multiprocessing.util import Finalize

        Finalize(None, leave, exitpriority=LAST)
    _endings.append(flush)

    def undo() -> None:
        if flush in _endings:
            _endings.remove(flush)
        if not _endings:
            atexit.unregister(leave)

    return undo


_armed = False
"""Whether a server that puts back what it found at SIGTERM puts ours back."""


def arm() -> None:
    """Flush at SIGTERM too, where it would kill the process: uvicorn raises it again after its own shutdown.

    Must run before a server installs its own handling, which puts ours back at its end; where it does not, there is
    `fall`.
    """
    global _armed  # noqa: PLW0603
    if current_thread() is main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)
        _armed = True


def disarm() -> None:
    """Undo `arm`, unless somebody else has taken the signal since."""
    global _armed  # noqa: PLW0603
    _armed = False
    if current_thread() is main_thread() and signal.getsignal(signal.SIGTERM) is _terminate:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def leave() -> None:
    """Flush all, once: this process ends now."""
    endings, _endings[:] = list(_endings), []
    for flush in endings:
        if not flush():
            warn("mcp-otel could not deliver everything before the process ended")


def fall() -> None:
    """SIGTERM, which somebody has held back, ends this process now; nothing happens where that calls us anyway."""
    if not _armed:
        for flush in _endings:
            flush()


def _terminate(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)  # first: a second one kills at once, as it would without us
    for flush in _endings:
        flush()
    signal.raise_signal(number)


def _forget() -> None:
    global _armed  # noqa: PLW0603
    _armed = signal.getsignal(signal.SIGTERM) is _terminate
    _endings.clear()
    atexit.unregister(leave)


at_fork(_forget)
