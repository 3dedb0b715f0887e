"""Sees that an event loop is blocked while it is, from a thread of its own, and says which line of code does it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Collection
from contextvars import Context
from functools import lru_cache
from time import perf_counter_ns, thread_time_ns
from types import CodeType, FrameType
from typing import NamedTuple

from mcp_otel.vitals.loop import Loops, Pulse, Undo
from mcp_otel.vitals.stepping import Spend, spender

OTHER = "_other"
UNSEEN = "_unseen"
"""The place of a blockage that let nobody look before it was over."""
MAX_PLACES, MAX_NAME = 50, 100
CLOSE = 0.05
"""Seconds between two looks at a loop that is blocked; two of them at one that has no selector to tell since when."""
HALF = int(CLOSE * 1e9)


class Place(NamedTuple):
    """Where in the code a loop was: no text of the source, no value."""

    line: str
    """`file:line`, the file as its package has it."""
    function: str
    spend: Spend | None
    """What the coroutine that was stepped there is charged to."""


NOWHERE = Place(UNSEEN, UNSEEN, None)


class Blockage(NamedTuple):
    """One step of a loop beyond the bound: told while it lasts, with the seconds so far, and when it is `over`."""

    place: Place
    seconds: float
    over: bool


Told = Callable[[Blockage], object]
Whose = Callable[[Spend | None], str | None]
Cause = tuple[str, str | None]
"""`file:line`, and the name of the tool whose step it was; None where nobody knows, or it was no tool's."""


class Eye:
    """What the watching thread knows of one loop."""

    def __init__(self, pulse: Pulse, bound: int) -> None:
        self.pulse = pulse
        self.place: Place | None = None
        """Where it is blocked."""
        self.since = self.upto = 0
        """When that began, and when it was seen last."""
        self.still = 0
        """When the whole process had stood still, perhaps stopped: no step counts from before."""
        self._bound, self._asked, self._spent = bound, 0, pulse.cpu()

    def busy_since(self, now: int) -> int | None:
        """When its step in progress began, as far as one knows; None when it has none.

        Where no selector tells, the loop is asked to answer once it seems busy or late: so since half a look ago.
        """
        pulse, loop, since = self.pulse, self.pulse.loop(), self.pulse.step()
        if since != 0 or loop is None:
            return since
        if not self._asked:
            late = pulse.due > 0 and now - pulse.due > HALF
            frame = sys._current_frames().get(pulse.ident)
            if late or (frame is not None and frame.f_code is not pulse.base):
                self._asked = pulse.due if late else now - HALF
                loop.call_soon_threadsafe(self._answer, context=Context())
        return self._asked or None

    def notice(self, now: int, late: bool) -> None:
        """Find out whether the whole process stood still: nobody looked in time, and the loop hardly ran meanwhile."""
        before, self._spent = self._spent, self.pulse.cpu()
        began = self.pulse.long[0][0] if self.pulse.long else self.pulse.step()
        if late and began and self.place is None and before is not None and self._spent is not None:
            self.still = now if self._spent - before < (now - began) / 2 else self.still

    def look(self, since: int, own: Collection[str]) -> Place | None:
        """Where its thread is now; None when the step that began at `since` is over meanwhile."""
        frame = sys._current_frames().get(self.pulse.ident)
        place = find(frame, self.pulse.base, own) if frame is not None else NOWHERE
        return place if max(self._asked or self.pulse.step() or 0, self.still) == since else None

    def _answer(self) -> None:
        now, asked, self._asked = perf_counter_ns(), self._asked, 0
        if now - asked > self._bound:
            self.pulse.long.append((asked, now))


class Blocked:
    """Watches all of `loops` from a thread that sleeps while they are idle, and else looks four times a second.

    `told` gets every blockage, in that thread. Its place is the innermost line of the host's own code: neither of the
    standard library nor installed, unless its top package is in `own`; where there is none, the innermost line that is
    installed, else the innermost. On uvloop it looks ten times a second, and knows the seconds to 0.05. `whose` names
    the tool that a step is charged to, and `places` is what was counted before, to be added to.
    """

    def __init__(
        self,
        loops: Loops,
        told: Told | None = None,
        own: Collection[str] = (),
        whose: Whose | None = None,
        places: dict[Cause, tuple[int, float]] | None = None,
    ) -> None:
        self.own = own
        self.spent = 0
        """Nanoseconds that its thread was on a processor."""
        self._loops = loops
        self._told = told
        self._whose = whose
        self._bound = int(loops.bound * 1e9)
        self._eyes: dict[Pulse, Eye] = {}
        self._places: dict[Cause, tuple[int, float]] = {} if places is None else places
        self._gate = threading.Lock()
        self._pause = 0.0
        self._looked = perf_counter_ns()
        self._asleep = self._stopped = False

    def start(self) -> Undo:
        """Begin to watch, until the answer is called. Nobody waits for the thread to end."""
        self._loops.roused = self._wake
        thread = threading.Thread(target=self._run, name="mcp-otel blocked", daemon=True)
        Context().run(thread.start)  # or the thread may keep the context of whoever starts it
        return self._stop

    def places(self) -> dict[Cause, tuple[int, float]]:
        """Blockages and their seconds by cause, what still lasts included; beyond 50 causes all is `_other`."""
        places = dict(self._places)
        for eye in list(self._eyes.values()):
            if (place := eye.place) is not None:
                self._add(places, place, 0, (eye.upto - eye.since) * 1e-9)
        return places

    def _stop(self) -> None:
        self._stopped = True
        self._loops.roused = None
        self._wake()

    def _wake(self) -> None:
        if self._asleep or self._stopped:
            self._asleep = False
            try:
                self._gate.release()
            except RuntimeError:
                pass  # somebody else was first

    def _run(self) -> None:
        self._gate.acquire(blocking=False)
        while not self._stopped:
            pause, self._pause = int(self._pause * 1e9), self._loops.bound
            late = perf_counter_ns() - self._looked - pause if pause >= 0 else 0
            self._loops.tell(self._look, late > self._bound / 2)
            self._looked, self.spent = perf_counter_ns(), thread_time_ns()
            self._gate.acquire(timeout=self._pause)

    def _look(self, late: bool) -> None:
        pulses = self._loops.pulses()
        for pulse in pulses:
            eye = self._eyes.get(pulse) or self._eyes.setdefault(pulse, Eye(pulse, self._bound))
            now = perf_counter_ns()
            eye.notice(now, late)
            self._judge(eye, now)
        for pulse in self._eyes.keys() - set(pulses):
            self._end(self._eyes.pop(pulse), perf_counter_ns())
        self._asleep = True  # before the question whether it may be: else nobody might wake it
        self._asleep = all(pulse.dozing and pulse.step() is None for pulse in self._loops.pulses())
        self._pause = -1.0 if self._asleep else self._pause

    def _judge(self, eye: Eye, now: int) -> None:
        since = eye.busy_since(now)
        while eye.pulse.long:  # read after what is in progress, which may be among them by now
            began, ended = eye.pulse.long.popleft()
            since = None if since == began else since
            began = max(began, eye.still)
            if began != eye.since or eye.place is None:
                self._end(eye, now)
                if ended - began >= self._bound:
                    self._begin(eye, NOWHERE, began, ended)
            self._end(eye, ended)
        since = None if since is None else max(since, eye.still)
        if since != eye.since:
            self._end(eye, now)
        if since is not None:
            left = (since + self._bound - now) * 1e-9
            if eye.place is not None:
                eye.upto = now
            elif left <= 0 and (place := eye.look(since, self.own)) is not None:
                self._begin(eye, place, since, now)
                self._loops.tell(self._told, Blockage(place, (now - since) * 1e-9, over=False))
            self._pause = min(self._pause, left if left > 0 else CLOSE)
        if eye.pulse.source != "select":
            self._pause = min(self._pause, 2 * CLOSE)

    def _begin(self, eye: Eye, place: Place, since: int, now: int) -> None:
        eye.place, eye.since, eye.upto = place, since, now
        self._add(self._places, place, 1, 0.0)

    def _end(self, eye: Eye, now: int) -> None:
        place, eye.place = eye.place, None
        if place is not None:
            seconds = (now - eye.since) * 1e-9
            self._add(self._places, place, 0, seconds)
            self._loops.tell(self._told, Blockage(place, seconds, over=True))

    def _add(self, places: dict[Cause, tuple[int, float]], place: Place, count: int, seconds: float) -> None:
        cause = place.line, None if self._whose is None else self._whose(place.spend)
        if cause not in places and len(places) >= MAX_PLACES:
            cause = OTHER, None
        before = places.get(cause, (0, 0.0))
        places[cause] = before[0] + count, before[1] + seconds


def find(frame: FrameType | None, base: CodeType | None, own: Collection[str] = ()) -> Place:
    """The place in `frame` or what called it above `base`: the innermost that is the host's, else as `Blocked` says."""
    best, found, spend = REST + 1, None, None
    while frame is not None:
        spend = spend or spender(frame)
        rank, file = shorten(frame.f_code.co_filename)
        if rank == INSTALLED and file.removesuffix(".py").partition("/")[0] in own:
            rank = HOST
        if rank < best:
            best, found = rank, (f"{file}:{frame.f_lineno}", frame.f_code)
        below = frame.f_back
        frame = below if below is not None and base not in (below.f_code, frame.f_code) else None
    if found is None:
        return NOWHERE
    line, code = found
    return Place(line, getattr(code, "co_qualname", code.co_name), spend)


@lru_cache(maxsize=1024)
def shorten(file: str) -> tuple[int, str]:
    """Whose a file of code is (`HOST`, `INSTALLED` or `REST`), and its name without what lies above its package."""
    path = file.replace("\\", "/")
    if path.startswith("<"):  # not from a file at all
        return HOST if path in ("<string>", "<stdin>") else REST, path[:MAX_NAME]
    for packages in ("/site-packages/", "/dist-packages/"):
        if packages in path:
            inside = path.rpartition(packages)[2]
            rank = REST if inside.startswith("mcp_otel/") else INSTALLED
            return HOST if inside.startswith("mcp_otel/demo/") else rank, inside[-MAX_NAME:]
    rank = REST if path.startswith((LIBRARY, OURS)) and not path.startswith(DEMO) else HOST
    above = [_folder(each) for each in (*sys.path, os.curdir, os.path.expanduser("~"))]
    longest = max((len(each) for each in above if path.startswith(each)), default=0)
    inside = path[longest:] if longest else "/".join(path.split("/")[-2:])
    return rank, inside[-MAX_NAME:]


def _folder(path: str) -> str:
    return os.path.abspath(path).replace("\\", "/").rstrip("/") + "/"


HOST, INSTALLED, REST = range(3)
LIBRARY = _folder(os.path.dirname(os.__file__))
OURS = _folder(os.path.dirname(os.path.dirname(__file__)))
DEMO = OURS + "demo/"
"""A host like any other, though it lies here."""
