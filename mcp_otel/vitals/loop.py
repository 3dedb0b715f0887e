"""How busy each event loop is and how late it runs what is due, read where it waits: at its own selector.

uvloop has no selector that Python sees: there the CPU clock of its thread tells, and a wait that blocks it is idle.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import weakref
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable
from contextvars import Context
from random import Random
from time import perf_counter_ns
from types import CodeType
from typing import Any, Literal

Undo = Callable[[], object]
Lag = Callable[[float], object]
Failed = Callable[[str, Exception], object]

BOUND = 0.25
"""Seconds of one step that are a blockage: whoever waits has noticed, and no step of a healthy server is near it."""
BEAT = 0.25
"""Mean seconds between two heartbeats of a loop that works."""
IDLE_BEAT = 2.0
"""The same for an idle loop that cannot say when it works again; one that can has no heartbeat."""
QUIET_NS = 250_000
"""A loop that was busy for less between two heartbeats is idle: a heartbeat alone takes a tenth of it."""
QUIET_SHARE = 0.005
"""The same as a share of the time, for a loop known by its CPU clock alone, which also counts what the machine did."""

_random = Random()  # noqa: S311  (not the shared one: the host may have seeded it)


class Pulse:
    """The numbers of one loop: written in its thread, read in any. Keeps nothing of the host's alive."""

    def __init__(self, loop: AbstractEventLoop, loops: Loops, gone: Callable[[Any], object]) -> None:
        self.ident = threading.get_ident()
        self.since = perf_counter_ns()
        """When it last came back from waiting."""
        self.due = self.since
        """When its next heartbeat is due; 0 when there is none."""
        self.dozing = False
        """Whether it was idle, and will say so itself when it no longer is."""
        self.long: deque[tuple[int, int]] = deque(maxlen=32)
        """Begin and end of steps beyond the bound, for whoever takes them."""
        self.base: CodeType | None = None
        """What the loop's thread runs while the loop itself does nothing."""
        self.turns = 0
        """How often its selector was timed."""
        self.source: Literal["select", "cpu"] | None = None
        """What tells how busy it is."""
        self._loops = loops
        self._held = weakref.ref(loop, gone)
        self._stopped = False
        self._started = self.since
        self._level = self._idle = 0
        """Nanoseconds idle; while idle, less the moment that began: one number, so that it is always read whole."""
        self._busy = self._beaten = 0
        self._beat_at = self.since
        self._clock: int | None = None
        self._restore: list[Undo] = []

    def start(self, loop: AbstractEventLoop) -> None:
        """Begin, in the thread of `loop`."""
        if hasattr(time, "pthread_getcpuclockid"):  # only here: for a thread that is gone it is undefined
            self._clock = time.pthread_getcpuclockid(self.ident)
        try:
            self._time_select(loop)
            self.source = "select"
        except (AttributeError, TypeError):
            if (spent := self.cpu()) is not None:
                self.source, self._started = "cpu", spent
        self._schedule(0.0)

    def loop(self) -> AbstractEventLoop | None:
        """The loop, while it is watched, there and open."""
        loop = self._held()
        return None if self._stopped or loop is None or loop.is_closed() else loop

    def step(self) -> int | None:
        """When its step in progress began, 0 where no selector tells; None while it waits, or nobody runs it."""
        since = self.since if self.source == "select" else 0
        return None if self._level < 0 or (loop := self.loop()) is None or not loop.is_running() else since

    def cpu(self) -> int | None:
        """Nanoseconds that its thread was on a processor; None where nobody knows."""
        try:
            return time.clock_gettime_ns(self._clock) if self._clock is not None else None
        except OSError:  # the thread is gone
            return None

    def busy(self) -> int:
        """Nanoseconds that it was busy since it is watched, with the step in progress. Never falls."""
        busy, running = 0, (loop := self.loop()) is not None and loop.is_running()
        if self.source == "cpu" and running:
            busy = (self.cpu() or 0) - self._started
        for _ in range(5 if self.source == "select" else 0):
            level = self._level
            now = perf_counter_ns() if running else self.since
            busy = (-level if level < 0 else now - level) - self._started
            if level < 0 or level == self._level:
                break  # else it has waited between the two readings
        self._busy = max(self._busy, busy)
        return self._busy

    def undo(self) -> None:
        """Put back what was replaced, from whatever thread."""
        self._stopped, self.dozing = True, False
        while self._restore:
            self._restore.pop()()

    def _beat(self) -> None:
        if self._stopped:
            return
        if self.base is None:
            self.base = sys._getframe(2).f_code
        now = perf_counter_ns()
        late, self.due = now - self.due, 0
        self._loops.tell(self._loops.lag, max(0, late) * 1e-9)
        busy, quiet = self.busy(), QUIET_NS
        if self.source == "cpu":
            quiet = max(quiet, int((now - self._beat_at) * QUIET_SHARE))
        idle = busy - self._beaten < quiet
        self._beaten, self._beat_at = busy, now
        self.dozing = idle and self.source == "select"
        if not self.dozing:
            # At random, or what the host does at regular times would always meet it, or never.
            self._schedule((IDLE_BEAT if idle else BEAT) * (0.5 + _random.random()))

    def _schedule(self, seconds: float) -> None:
        loop = self.loop()
        if loop is not None:
            self.due = perf_counter_ns() + int(seconds * 1e9)
            # Not in the host's context, which would live for as long as the heart beats. It is never cancelled, as
            # that is not allowed in other threads: it comes once more, and finds that it is over.
            loop.call_later(seconds, self._loops.tell, self._beat, context=Context())

    def _time_select(self, loop: Any) -> None:
        selector, loops = loop._selector, self._loops
        theirs = vars(selector).get("select")
        select = type(selector).select if theirs is None else lambda _, timeout: theirs(timeout)
        run = type(loop).run_forever
        held, loop_held = weakref.ref(selector), self._held
        bound, long = int(loops.bound * 1e9), self.long

        def timed(timeout: float | None = None) -> Any:
            entered = perf_counter_ns()
            self.turns += 1
            if entered - self.since > bound:
                long.append((self.since, entered))
            polls = timeout is not None and timeout <= 0  # it has more to do, and only has a look
            if not polls:
                self._level = self._idle - entered
            try:
                return select(held(), timeout)
            finally:
                self.since = left = perf_counter_ns()
                if not polls:
                    self._level = self._idle = self._idle + left - entered
                if self.dozing:
                    self.dozing = False
                    loops.tell(self._schedule, 2 * BEAT * _random.random())
                    loops.tell(loops.roused)

        def run_forever() -> Any:
            self.ident, before, self.since = threading.get_ident(), self.since, perf_counter_ns()
            self._level = self._idle = self._idle + self.since - before  # it did not run meanwhile
            return run(loop_held())

        self.base = type(loop)._run_once.__code__
        self._restore += [replace(loop, "run_forever", run_forever), replace(selector, "select", timed)]


class Loops:
    """All event loops that are watched, 64 at most. Nothing of this ever raises.

    `lag` gets seconds between due and run, in the loop's own thread and some four times a second while it works; a step
    beyond `bound` seconds is a blockage; `failed` is told what failed, as the part `loop`.
    """

    def __init__(self, lag: Lag | None = None, failed: Failed | None = None, bound: float = BOUND) -> None:
        self.bound = bound
        self.lag = lag
        self.roused: Callable[[], object] | None = None
        """Called when there is a loop to watch, or an idle one no longer is; in its thread, so it must not block."""
        self.seen = False
        """Whether there was a loop to watch."""
        self.failed = failed
        self._pulses: dict[int, Pulse] = {}
        self._ended: deque[tuple[int, int]] = deque()
        self._gone = self._gone_turns = self._told = 0
        self._reading = threading.Lock()

    def watch(self) -> Undo:
        """Watch asyncio's loop that runs here, if one does, until the answer is called or it is closed or gone."""
        loop = asyncio._get_running_loop()
        if loop is None or (key := id(loop)) in self._pulses or len(self._pulses) >= 64:
            return lambda: None
        pulse = self._pulses[key] = Pulse(loop, self, lambda _: self.tell(self._drop, key, pulse))
        self.seen = True
        self.tell(pulse.start, loop)
        self.tell(self.roused)
        return lambda: self._drop(key, pulse)

    def watches(self, loop: AbstractEventLoop) -> bool:
        """Whether `loop` is watched."""
        return id(loop) in self._pulses

    def pulses(self) -> list[Pulse]:
        """The loops that are there and open."""
        for key, pulse in list(self._pulses.items()):
            if pulse.loop() is None:
                self._drop(key, pulse)
        return list(self._pulses.values())

    def busy_seconds(self) -> float:
        """Seconds that all loops together were busy since they are watched, also those that are gone. Never falls."""
        with self._reading:  # no loop ever waits for this
            self.pulses()
            while self._ended:  # before the others: what ends meanwhile is missed once, not counted twice
                busy, turns = self._ended.popleft()
                self._gone, self._gone_turns = self._gone + busy, self._gone_turns + turns
            self._told = max(self._told, self._gone + sum(pulse.busy() for pulse in list(self._pulses.values())))
            return self._told * 1e-9

    def turns(self) -> int:
        """How often selectors were timed: what watching costs is so many times what one time does."""
        return self._gone_turns + sum(pulse.turns for pulse in list(self._pulses.values()))

    def tell(self, hook: Callable[..., object] | None, *values: object) -> None:
        """Call `hook`, if there is one; what it raises stays here."""
        try:
            if hook is not None:
                hook(*values)
        except Exception as error:
            if hook is not self.failed:
                self.tell(self.failed, "loop", error)

    def undo(self) -> None:
        """Watch no loop any more. What they were busy so far still counts."""
        for key, pulse in list(self._pulses.items()):
            self._drop(key, pulse)

    def _drop(self, key: int, pulse: Pulse) -> None:
        if self._pulses.get(key) is pulse and self._pulses.pop(key, None) is not None:
            self._ended.append((pulse.busy(), pulse.turns))
            pulse.undo()


def replace(owner: Any, name: str, made: Callable[..., Any]) -> Undo:
    """Let `owner`, which is not kept alive, have a `name` of its own; the answer puts back what was there."""
    held = weakref.ref(owner)
    before = {name: vars(owner)[name]} if name in vars(owner) else {}
    setattr(owner, name, made)

    def undo() -> None:
        there = held()
        if there is not None and vars(there).get(name) is made:  # else somebody has put something on top
            delattr(there, name)
            vars(there).update(before)

    return undo
