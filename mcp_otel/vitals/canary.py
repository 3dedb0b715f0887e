"""Weak references to what should be gone: an object whose life has ended is released, retained, or not known to be.

Nothing is ever collected for it: a full collection that the process makes by itself is observed, and judges.
"""

from __future__ import annotations

import gc
import weakref
from collections import deque
from collections.abc import Callable
from itertools import islice
from threading import RLock
from time import monotonic, perf_counter
from typing import Any, NamedTuple

from mcp_otel.vitals.pauses import ALL_FULL, FULL

GRACE = 60.0
"""Seconds that an ended object may still be alive without anybody asking why."""
MAX_WATCHED = 20_000
MAX_TYPES = 20
MAX_KINDS = 8
CHEAP = 0.02
"""Seconds that the last full collection may have taken for looking at the heap to cost little, too."""
DEAR = 0.005
"""Seconds for counting what is frozen that are not spent again while full collections are cheaper than `CHEAP`."""
MAX_NAME = 64
OTHER = "_other"
IN_GRACE, UNKNOWN, RETAINED = range(3)
Label = tuple[str, str]
"""Kind of life (session, request) and name of the type."""


class Count(NamedTuple):
    """How many objects of one kind and type were watched so far, and what has become of them.

    `watched`, `released` and `dropped` are sums; the others are levels. Nothing is known of dropped ones any more.
    """

    watched: int = 0
    released: int = 0
    dropped: int = 0
    in_grace: int = 0
    unknown: int = 0
    retained: int = 0


class Full(NamedTuple):
    """The last full collection: when it began, on the canaries' clock, and the seconds it took."""

    began: float
    seconds: float


class _Canary(weakref.ref[Any]):
    __slots__ = ("due", "key", "tally")
    due: float
    key: int
    tally: _Tally


class _Tally:
    __slots__ = ("dropped", "label", "watched")

    def __init__(self, label: Label) -> None:
        self.label = label
        self.watched = 0
        self.dropped = 0


class Canaries:
    """One per process. `watch` is cheap and may be called anywhere; everything may be read from any thread.

    Bounds: `MAX_WATCHED` objects at a time, the oldest make room; `MAX_TYPES` names of types, others are `_other`.
    """

    def __init__(self, grace: float = GRACE, clock: Callable[[], float] = monotonic) -> None:
        self.grace = grace
        self.skipped = 0
        """Objects that take no weak reference."""
        self.failures = 0
        self.full: Full | None = None
        """The last full collection that was observed from its start to its end; None: there was none."""
        self._active = True
        self._clock = clock
        self._began: float | None = None
        self._dear = False
        self._frozen_before = self._count_frozen()  # Python 3.12 starts with some
        self._frozen: tuple[Full, frozenset[int] | None] | None = None
        self._lock = RLock()
        self._tallies: dict[Label, _Tally] = {}
        self._watched: dict[int, _Canary] = {}  # by id: valid for as long as the object lives
        self._noted: deque[tuple[weakref.ref[Any], str, type]] = deque(maxlen=MAX_WATCHED)
        watched = self._watched

        def released(canary: Any) -> None:
            watched.pop(canary.key, None)  # runs in whatever thread, even in the midst of a collection: no lock

        self._released = released
        gc.callbacks.append(self._collection)

    def watch(self, subject: object, kind: str) -> None:
        """The life of `subject`, a `kind` of thing, should end now. Never raises, never keeps it alive."""
        if not self._active:
            return
        try:
            key, name = id(subject), type(subject).__name__
            known = self._watched.get(key)
            if known is not None and known() is subject:
                return
            canary = _made(subject, self._released)
            if canary is None:
                self.skipped += 1
                return
            canary.key = key
            canary.due = self._clock() + self.grace
            with self._lock:
                canary.tally = tally = self._tallies.get((kind, name)) or self._tally(kind, name)
                if len(self._watched) >= MAX_WATCHED:
                    self._drop()
                self._watched[key] = canary
                tally.watched += 1
        except Exception:
            self.failures += 1

    def note(self, subject: object, kind: str) -> None:
        """As `watch`, from the next look at the counts on: a fifth of the price for what is nearly always gone by then.

        What comes beyond `MAX_WATCHED` between two looks takes the place of the oldest, of which nothing is known then.
        """
        try:
            self._noted.append((weakref.ref(subject), kind, type(subject)))
        except Exception:
            self.watch(subject, kind)

    def counts(self) -> dict[Label, Count]:
        """What has become of everything that was watched, by kind and name of type."""
        with self._lock:
            self._sweep()
            alive = _listed(self._watched)
            sums = [(tally, tally.watched, tally.dropped) for tally in self._tallies.values()]
        states: dict[_Tally, list[int]] = {tally: [0, 0, 0] for tally, _, _ in sums}
        state_of = self._judge(alive)
        for canary in alive:
            states[canary.tally][state_of(canary)] += 1
        return {
            tally.label: Count(watched, watched - dropped - sum(states[tally]), dropped, *states[tally])
            for tally, watched, dropped in sums
        }

    def examples(self, label: Label, most: int = 1) -> list[Any]:
        """Objects of this kind and type that are retained, longest first; to be let go of at once."""
        alive = _listed(self._watched)
        state_of = self._judge(alive)
        found = (canary() for canary in alive if canary.tally.label == label and state_of(canary) == RETAINED)
        return list(islice((each for each in found if each is not None), most))

    def close(self) -> None:
        """Observe no more collections and let go of every weak reference."""
        self._active = False
        if self._collection in gc.callbacks:
            gc.callbacks.remove(self._collection)
        with self._lock:
            self._watched.clear()
            self._tallies.clear()
            self._noted.clear()

    def forget(self) -> None:
        """As `close`, in a forked child: the lock may be held by a thread that is not there."""
        self._lock = RLock()
        self.close()

    def _collection(self, phase: str, info: dict[str, Any]) -> None:
        if not ALL_FULL and info["generation"] != FULL:
            return
        if phase == "start":
            self._began = self._clock()
        elif self._began is not None:
            self.full = Full(self._began, self._clock() - self._began)
            self._began = None

    def _sweep(self) -> None:
        while self._noted:
            held, kind, of = self._noted.popleft()
            subject = held()
            if subject is not None:
                self.watch(subject, kind)
            elif self._active:
                (self._tallies.get((kind, of.__name__)) or self._tally(kind, of.__name__)).watched += 1

    def _tally(self, kind: str, name: str) -> _Tally:
        known, name = self._tallies, name[:MAX_NAME]
        if name not in {label[1] for label in known} and len({label[1] for label in known}) >= MAX_TYPES:
            name = OTHER
        if kind not in {label[0] for label in known} and len({label[0] for label in known}) >= MAX_KINDS:
            kind = OTHER
        label = (kind, name)
        return known.get(label) or known.setdefault(label, _Tally(label))

    def _drop(self) -> None:
        """Forget the oldest, so that there is room for one."""
        while True:
            try:
                oldest = self._watched.pop(next(iter(self._watched)), None)
            except RuntimeError:
                continue  # one was released in between
            except StopIteration:
                return
            if oldest is not None:
                oldest.tally.dropped += 1
                return

    def _judge(self, alive: list[_Canary]) -> Callable[[_Canary], int]:
        """How to tell the state of each of these: its place among the levels of `Count`."""
        full, now = self.full, self._clock()
        judged = full.began if full is not None else -1.0
        frozen = self._frozen_among(full, alive) if full is not None else frozenset()

        def state_of(canary: _Canary) -> int:
            if canary.due <= judged:
                return UNKNOWN if frozen is None or canary.key in frozen else RETAINED
            return IN_GRACE if canary.due > now else UNKNOWN

        return state_of

    def _frozen_among(self, full: Full, alive: list[_Canary]) -> frozenset[int] | None:
        """Ids of those that `gc.freeze()` hides from every collection; None when that would cost too much to tell."""
        known = self._frozen
        if known is not None and known[0] is full:
            return known[1]
        frozen: frozenset[int] | None = frozenset()
        hidden = {canary.key for canary in alive if canary.due <= full.began}
        if hidden and self._froze(full):
            if full.seconds < CHEAP:
                for each in gc.get_objects():  # in Python, so that other threads get their turn meanwhile
                    hidden.discard(id(each))
                frozen = frozenset(canary.key for canary in alive if canary.key in hidden and gc.is_tracked(canary()))
            else:
                frozen = None
        self._frozen = (full, frozen)
        return frozen

    def _froze(self, full: Full) -> bool:
        """Whether the host has frozen objects since we watch, or may have.

        Python counts them one by one, and every thread stands still: up to 80 ms for a million. Where that was seen
        to be dear it is done only after full collections that stop everything for long, too.
        """
        if self._dear and full.seconds < CHEAP:
            return True
        return self._count_frozen() > self._frozen_before

    def _count_frozen(self) -> int:
        began = perf_counter()
        count = gc.get_freeze_count()
        self._dear = perf_counter() - began > DEAR
        return count


def _made(subject: object, released: Callable[[Any], None]) -> _Canary | None:
    try:
        return _Canary(subject, released)
    except TypeError:
        return None


def _listed(watched: dict[int, _Canary]) -> list[_Canary]:
    while True:
        try:
            return list(watched.values())
        except RuntimeError:
            continue  # one was released in between
