"""What the process itself feels between messages: its event loops, threads, memory, sessions and their contexts.

Messages only add to plain numbers; the rest is read on a slow tick, in a thread of its own. Nothing here ever raises.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable, Hashable
from contextvars import Context
from functools import partial
from time import thread_time_ns
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from mcp_otel.notice import warn
from mcp_otel.settings import Settings
from mcp_otel.signals.totals import Totals
from mcp_otel.vitals import limit, price
from mcp_otel.vitals.blocked import Blockage, Blocked, Cause
from mcp_otel.vitals.canary import Canaries, Count, Label
from mcp_otel.vitals.context import Contexts, shared, weigh
from mcp_otel.vitals.growth import Growth
from mcp_otel.vitals.holders import Holders
from mcp_otel.vitals.limit import Ceiling
from mcp_otel.vitals.loop import Loops, Undo
from mcp_otel.vitals.memory import Load, Memory, Reading
from mcp_otel.vitals.pauses import Pauses
from mcp_otel.vitals.sessions import Doors, Sessions
from mcp_otel.vitals.stepping import Spend, awaited, stepped
from mcp_otel.vitals.threads import Threads

PART = "vitals"
"""What our own cost is counted as."""


class Stepped(Protocol):
    """A message whose handler's steps are timed; the recorder's calls are such."""

    cpu: Any
    """None, or CPU seconds by phase where they are sampled."""
    blocked: tuple[str, str] | None
    """Where its step in progress blocks the loop: `file:line` and function."""

    def step(self, nanos: int) -> None:
        """One step took so long."""

    def step_cpu(self, nanos: int) -> None:
        """One step was so long on the processor, sampled phases apart."""

    def cpu_clock(self) -> int:
        """Nanoseconds of this thread on the processor, sampled phases apart."""


class Host(Protocol):
    """What the rest of us knows of the server."""

    def load(self) -> Load:
        """What it has done and has to do."""

    def doors(self) -> Doors:
        """How many sessions are open, and may be."""

    def tool(self, call: object) -> str | None:
        """The tool that `call` calls, as it may be said; None when it calls none."""


class Lasting:
    """Sums that never fall, whatever is instrumented anew: one for each process."""

    def __init__(self) -> None:
        self.loops = Loops()
        self.pauses = Pauses()
        self.places: dict[Cause, tuple[int, float]] = {}
        self.known: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        """Failures that are counted already, by the part that had them: contexts last, too."""


class Vitals:
    """All readings of one process. `failed` is told what failed, with its part."""

    def __init__(
        self,
        settings: Settings,
        host: Host,
        totals: Totals,
        lasting: Lasting,
        contexts: Contexts,
        failed: Callable[[str, BaseException], object],
    ) -> None:
        self.settings = settings
        self.loops = lasting.loops
        self.loops.bound = settings.blocked_after  # before somebody watches by it
        self.pauses = lasting.pauses
        self.threads = Threads()
        self.contexts = contexts
        self.canaries = Canaries(settings.retention_grace)
        self.holders = Holders(self.canaries)
        self.growth = Growth()
        self.sessions = Sessions()
        self.blocked = Blocked(self.loops, self._blocked, whose=self._whose, places=lasting.places)
        self.reading: Reading | None = None
        """The last one of what the process uses."""
        self.ceiling: Ceiling | None = None
        self.counts: dict[Label, Count] = {}
        """What became of ended sessions and requests, at the last tick."""
        self.weights: dict[Label, float] = {}
        """Bytes that one retained object of each kind holds alone."""
        self._host = host
        self._totals = totals
        self._failed = failed
        self._memory = Memory()
        self._stopped = threading.Event()
        self._ticking = threading.Lock()
        self._undos: list[Undo] = []
        self._calls = self._steps = self._spent = 0
        self._before = 0, 0
        """Turns of loops and collections that others before us have paid for."""
        self._price = price.FREE
        self._settled = 0.0
        self._known, self._places = lasting.known, lasting.places
        self._told = False

    def start(self) -> Undo:
        """Begin to read, until the answer is called. Nobody waits for a thread to end."""
        loops = self.loops
        loops.failed, self._before = self._failed, self._counted()
        self._undos = [self.pauses.install(), self.canaries.close, self.threads.undo, loops.undo]
        try:
            self._undos.append(self.blocked.start())
            thread = threading.Thread(target=self._run, name="mcp-otel vitals", daemon=True)
            Context().run(thread.start)  # or the thread may keep the context of whoever starts it
        except Exception:  # there are too many threads
            self.stop()
            raise
        return self.stop

    def stop(self) -> None:
        """Put back what was replaced and read no more."""
        first = not self._stopped.is_set()
        self._stopped.set()
        while self._undos:
            self._guarded(PART, self._undos.pop())
        if first:  # a blockage that still lasts counts as far as it was seen, and not again
            self._guarded(PART, lambda: self._places.update(self.blocked.places()))
        self._guarded(PART, self.contexts.clear)
        if self.loops.failed == self._failed:
            self.loops.failed = self.loops.lag = None  # loops last, and must not keep who reads them

    def forget(self) -> None:
        """Put back what was replaced: this is a forked child, and a thread of the parent's may have held any lock."""
        self._stopped = threading.Event()
        self._stopped.set()
        self.canaries.forget()
        while self._undos:
            self._guarded(PART, self._undos.pop())
        self._guarded(PART, self.contexts.clear)

    # --- what messages tell, in the host's own threads

    def message(self) -> None:
        """A message has come, in the loop that runs here."""
        loop = asyncio._get_running_loop()
        if loop is None:
            if not self._told and "trio" in sys.modules:
                self._told = True
                warn("mcp-otel reads the event loop of asyncio only: loop and worker threads stay unknown here")
        elif not self.loops.watches(loop) and not self._stopped.is_set():
            self.loops.watch()
            self.threads.watch(loop)

    def stepped(self, call: Stepped, awaitable: Awaitable[Any]) -> Awaitable[Any]:
        """`awaitable`, which is all that happens for `call` in its task, with every step of it timed."""
        steps = awaited(awaitable, call.step, self._not_charged)
        return steps if call.cpu is None else stepped(steps, call.step_cpu, call.cpu_clock, self._not_charged)

    def over(self, conversation: Hashable, size: int, turn: bool, steps: int) -> None:
        """A message of a conversation (None: of none) has ended, with so many bytes both ways and steps."""
        self._calls += 1
        self._steps += steps
        if conversation is not None:
            self.contexts.exchange(conversation, size, turn)

    def began(self, conversation: Hashable, session_id: str | None, kept: tuple[object, ...]) -> None:
        """A session was opened, for which the server keeps these objects."""
        self.contexts.begin(conversation, *kept, session_id=session_id)

    def ended(self, conversation: Hashable) -> None:
        """A session is over."""
        self.contexts.end(conversation)

    def watch(self, subject: object, kind: str) -> None:
        """The life of `subject` should end now; `kind` is what it was kept for: `session` or `request`."""
        if kind == "request":  # of which there are many, and nearly all are gone at once
            self.canaries.note(subject, kind)
        else:
            self.canaries.watch(subject, kind)

    # --- what is read of it

    @property
    def retained_sessions(self) -> int:
        """Sessions that have ended and are still in memory: whichever of their objects is kept most often."""
        return max((count.retained for (kind, _), count in self.counts.items() if kind == "session"), default=0)

    @property
    def time_to_limit(self) -> float | None:
        """Seconds until the floor of memory is at its limit; None without a trend."""
        verdict, ceiling, reading = self.growth.verdict, self.ceiling, self.reading
        if verdict is None or ceiling is None or reading is None:
            return None
        return verdict.time_to_limit(ceiling.bytes, reading.at)

    def tick(self, asked: bool = False) -> None:
        """One slow reading of everything; when `asked` for, of what holds retained objects at whatever cost."""
        with self._ticking:  # somebody may ask for one
            began = thread_time_ns()
            for part, read in (
                ("memory", self._read_memory),
                ("sessions", self._read_sessions),
                ("context", self.contexts.tick),
                ("retention", partial(self._read_retained, asked)),
            ):
                self._guarded(part, read)
            self._spent += thread_time_ns() - began
            self._guarded(PART, self.settle)

    def _run(self) -> None:
        self._guarded(PART, self._weigh)
        while not self._stopped.is_set():
            self._guarded(PART, self.tick)
            self._stopped.wait(self.settings.vitals_interval)

    def _guarded(self, part: str, read: Callable[[], object]) -> None:
        try:
            read()
        except Exception as error:
            self._failed(part, error)

    def _weigh(self) -> None:
        self._price = price.measure()

    def _read_memory(self) -> None:
        reading = self.reading = self._memory.read()
        if reading is None:
            return
        found = limit.find()
        self.ceiling = None if found is None else found.ceiling(reading.rss, reading.vms)
        self.growth.add(reading.at, reading.rss, reading.blocks, self.pauses.fulls, self._host.load())

    def _read_sessions(self) -> None:
        if self.reading is not None:
            self.sessions.add(self.reading.at, self._host.doors())

    def _read_retained(self, asked: bool) -> None:
        self.counts = self.canaries.counts()
        self.holders.tick(asked)
        weights = {}
        for label, count in self.counts.items():
            if count.retained >= 2:
                if label in self.weights:
                    weights[label] = self.weights[label]
                else:
                    examples = self.canaries.examples(label, 2)
                    if len(examples) == 2:  # else one was freed meanwhile
                        one, other = examples
                        weights[label] = weigh([one], shared([one], [other]))[0]
                        del one, other
                    del examples
        self.weights = weights

    def settle(self) -> None:
        """Add to our cost what has come together since the last time; a tick does it."""
        turns, collections = (now - before for now, before in zip(self._counted(), self._before, strict=True))
        cost = (
            (self._spent + self.blocked.spent) * 1e-9
            + self._calls * self._price.call
            + self._steps * self._price.step
            + turns * self._price.turn
            + collections * self._price.collection
        )
        self._totals.cost[PART] += max(0.0, cost - self._settled)
        self._settled = max(self._settled, cost)
        for part, room in (("context", self.contexts), ("retention", self.canaries), ("holders", self.holders)):
            known = self._known.get(room, 0)
            if room.failures > known:
                if not self._totals.failures[part]:
                    warn("mcp-otel failed in %s; the server is not affected", part)
                self._known[room] = room.failures
                self._totals.failures[part] += room.failures - known

    def _counted(self) -> tuple[int, int]:
        self.loops.busy_seconds()  # or turns of loops that have ended would be missing until somebody asks for it
        return self.loops.turns(), sum(self.pauses.counts)

    def _not_charged(self, error: Exception) -> None:
        self._failed("stepped", error)

    def _blocked(self, blockage: Blockage) -> None:
        call: Any = getattr(blockage.place.spend, "__self__", None)
        if call is not None and not blockage.over:
            call.blocked = blockage.place.line, blockage.place.function

    def _whose(self, spend: Spend | None) -> str | None:
        call = getattr(spend, "__self__", None)
        return None if call is None else self._host.tool(call)
