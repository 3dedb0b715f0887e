"""What each conversation holds: the content exchanged so far, and what the server keeps for it, estimated.

Messages only add to plain numbers. Objects are walked on a slow tick, a sample of them, within a time that is set.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import types
import weakref
from array import array
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Collection, Hashable, Iterable
from contextvars import Context
from functools import partial
from itertools import combinations, islice
from time import perf_counter
from typing import Any, NamedTuple

MAX_CONVERSATIONS, MAX_STORES, MAX_KEPT = 10_000, 10, 8
"""The last: objects of the server's that are known to belong to one conversation."""
ENOUGH, MAX_POINTS = 3, 12
"""Sizes that a conversation's growth is read from; when there are more, every other one is forgotten."""
SECONDS, MOST = 0.02, 2_000
"""What a tick may take, give or take one walk; objects that a walk looks at."""
FEWEST, SAMPLE, FURTHEST = 4, 64, 20_000
"""Items of one container that a walk looks at, and among how many: they stand for all of them."""

MAPPINGS, SETS = (dict, OrderedDict, defaultdict), (set, frozenset, deque)
FUNCTIONS = (types.FunctionType, types.MethodType, types.BuiltinFunctionType, partial)
RUNNING = (types.FrameType, types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType, asyncio.Future)
ELSEWHERE = (type, types.ModuleType, types.CodeType, Context, asyncio.AbstractEventLoop, *FUNCTIONS, *RUNNING)
FOREIGN = ("asyncio", "anyio._", "logging", "threading", "starlette", "uvicorn", "opentelemetry", "mcp_otel")
"""Behind these, and what is `ELSEWHERE`, lies the whole program: no conversation owns it."""
INLINE = 1 << 4
"""Flag of a type, since Python 3.11: its attributes lie beside the instance; no size includes their 8 bytes each."""


class Spread(NamedTuple):
    """Bytes of all live conversations."""

    max: float
    mean: float
    sum: float


class Growth(NamedTuple):
    """Bytes a turn, of the live conversations that have had turns enough to tell."""

    max: float
    mean: float


class _Conversation:
    __slots__ = ("exchanged", "kept", "names", "objects", "points", "slope", "turns", "weighed")

    def __init__(self) -> None:
        self.exchanged = self.turns = self.weighed = 0
        self.kept: float | None = None
        self.slope: float | None = None
        self.names: tuple[int, ...] = ()
        self.objects: tuple[weakref.ref[Any], ...] = ()
        self.points = array("q")  # turn, bytes, turn, bytes and so on

    @property
    def moved(self) -> bool:
        return self.turns != (self.points[-2] if self.points else 0)

    def note(self) -> None:
        """Its size is known again: with it, its growth."""
        points = self.points
        if points and self.turns - points[-2] < (points[-2] - points[0]) // MAX_POINTS:
            return  # about evenly spaced
        points.extend((self.turns, int(self.exchanged + (self.kept or 0.0))))
        pairs = list(zip(points[::2], points[1::2], strict=True))
        if len(pairs) > MAX_POINTS:
            self.points = array("q", (each for pair in pairs[::2] for each in pair))
        if len(pairs) >= ENOUGH:
            slopes = sorted((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(pairs, 2))
            # One huge turn lies between up to 54 in 100 pairs of points, and makes them all too steep.
            self.slope = slopes[int(0.4 * (len(slopes) - 1))]


class Contexts:
    """One per process. A conversation's key is ours, never an object of the host's: it is held until `end`."""

    def __init__(self) -> None:
        self.dropped = self.failures = 0  # conversations forgotten to make room, own exceptions swallowed
        self._conversations: dict[Hashable, _Conversation] = {}
        self._named: dict[int, _Conversation] = {}
        self._stores: dict[str, Callable[[], Any]] = {}
        self._common = _Conversation()  # what belongs to nobody in particular, and the turns of all
        self._ticks = 0

    def begin(self, key: Hashable, *objects: object, session_id: str | None = None) -> None:
        """A conversation has begun, or the server keeps more `objects` for it: held weakly, and its id as a hash."""
        try:
            while key not in self._conversations and len(self._conversations) >= MAX_CONVERSATIONS:
                self.end(next(iter(self._conversations)))
                self.dropped += 1
            conversation = self._conversations.setdefault(key, _Conversation())
            known = _roots(conversation)
            fresh = [each for each in objects if type(each).__weakrefoffset__ and all(each is not one for one in known)]
            conversation.objects = tuple(map(weakref.ref, (known + fresh)[:MAX_KEPT]))
            names = (*conversation.names, *map(id, fresh), *(() if session_id is None else (hash(session_id),)))
            conversation.names = names[: 2 * MAX_KEPT]
            self._named.update(dict.fromkeys(conversation.names, conversation))
        except Exception:
            self.failures += 1

    def exchange(self, key: Hashable, size: int, turn: bool = True) -> None:
        """`size` bytes were received and sent in a live conversation; unless said otherwise, that was a turn of it."""
        try:
            conversation = self._conversations.get(key)
            if conversation is not None:
                conversation.exchanged += size
                conversation.turns += turn
                self._common.turns += turn
        except Exception:
            self.failures += 1

    def end(self, key: Hashable) -> None:
        """A conversation is over."""
        conversation = self._conversations.pop(key, None)
        for name in () if conversation is None else conversation.names:
            if self._named.get(name) is conversation:  # the id of what is gone may be another's by now
                self._named.pop(name, None)

    def clear(self) -> None:
        """All conversations are over; what the application tracks stays."""
        for key in list(self._conversations):
            self.end(key)

    def track(self, name: str, store: Any) -> None:
        """The application keeps conversations in `store`: an object, or a function that gives one, or bytes.

        In a dictionary, what is under a session's id or the `id()` of its session object belongs to that conversation;
        everything else to all alike. An object is held weakly if it can be; a function is called in our thread.
        """
        if len(self._stores) >= MAX_STORES and name not in self._stores:
            self.failures += 1
        elif type(store) in FUNCTIONS:
            self._stores[name] = store
        else:
            self._stores[name] = weakref.ref(store) if type(store).__weakrefoffset__ else lambda: store

    def untrack(self, name: str) -> None:
        """Let go of a store."""
        self._stores.pop(name, None)

    def sizes(self) -> Spread:
        """Exchanged and kept, over live conversations: one not weighed yet counts as the others' mean."""
        live, common = list(self._conversations.values()), self._common.kept or 0.0
        kept = [each.kept for each in live if each.kept is not None] or [0.0]
        mean, count = sum(kept) / len(kept), max(len(live), 1)
        sizes = [each.exchanged + (mean if each.kept is None else each.kept) for each in live]
        return Spread(max(sizes, default=0.0) + common / count, (sum(sizes) + common) / count, sum(sizes) + common)

    def kept(self) -> float | None:
        """Bytes that the server keeps for a live conversation, at the mean; None before one was weighed."""
        kept = [each.kept for each in list(self._conversations.values()) if each.kept is not None]
        return sum(kept) / len(kept) if kept else None

    def growth(self) -> Growth | None:
        """How fast conversations grow; None when none has had turns enough."""
        common = self._common.slope or 0.0  # every turn, whosever, adds that much
        slopes = [each.slope for each in list(self._conversations.values()) if each.slope is not None]
        return Growth(max(slopes) + common, sum(slopes) / len(slopes) + common) if slopes else None

    def tick(self, seconds: float = SECONDS) -> None:
        """Weigh stores, then as many conversations as there is time for: first those that moved, longest unseen."""
        deadline, self._ticks = perf_counter() + seconds, self._ticks + 1
        try:
            owned = self._weigh_stores()
            live = sorted(self._conversations.values(), key=lambda each: (not each.moved, each.weighed))
            beyond = set(self._named)
            beyond |= shared(*(_roots(each) for each in islice(filter(_roots, live), 2)), beyond=beyond)
            for each in live:
                each.weighed = self._ticks
                each.kept = weigh([*_roots(each), *owned.get(id(each), ())], beyond)[0]
                if each.moved:
                    each.note()
                if perf_counter() > deadline:
                    return
        except Exception:
            self.failures += 1

    def _weigh_stores(self) -> dict[int, list[Any]]:
        """What in all stores belongs to which conversation (by its id); the rest is common to all."""
        owned: dict[int, list[Any]] = {}
        common = 0.0
        for source in list(self._stores.values()):
            try:
                store = source()
            except Exception:
                self.failures += 1
                continue
            theirs = set()
            for key, value in list(islice(dict.items(store), FURTHEST)) if type(store) in MAPPINGS else ():
                whose = self._named.get(hash(key)) if type(key) in (str, int) else None
                if whose is not None:
                    owned.setdefault(id(whose), []).append(value)
                    theirs.add(id(value))
            common += store if type(store) in (int, float) else weigh([store], theirs)[0]
        self._common.kept = common
        if self._common.moved:
            self._common.note()
        return owned


def weigh(roots: Iterable[Any], beyond: Collection[int] = ()) -> tuple[float, set[int]]:
    """Bytes of `roots` and what they hold, estimated; and ids of what was looked at: `MOST`, and samples of containers.

    No code of the host's runs. What has an id in `beyond` belongs to others, unless it is a root.
    """
    waiting = deque((root, 1.0) for root in roots)
    own, seen = {id(root) for root, _ in waiting}, set[int]()
    elsewhere: dict[type, bool] = {}
    size = usual = 0.0
    while waiting and len(seen) < MOST:
        item, times = waiting.popleft()
        key, kind = id(item), type(item)
        if key in seen or (key in beyond and key not in own):
            continue
        if kind not in elsewhere:
            elsewhere[kind] = issubclass(kind, ELSEWHERE) or str(kind.__module__).startswith(FOREIGN)
        if elsewhere[kind]:
            continue
        seen.add(key)
        taken = (sys.getsizeof if type(kind.__sizeof__) is types.MethodDescriptorType else object.__sizeof__)(item)
        inside, share = _inside(item, kind, max(FEWEST, min(SAMPLE, MOST - len(seen) - len(waiting))))
        taken += 8 * (len(inside) + 2) if kind.__flags__ & INLINE else 0
        size += times * taken
        usual += (taken - usual) / min(len(seen), SAMPLE)
        waiting.extend((each, times * share) for each in inside)
    # What was not looked at is taken to be like the last ones that were.
    return size + usual * sum(times for _, times in waiting), seen


def shared(*groups: Iterable[Any], beyond: Collection[int] = ()) -> set[int]:
    """Ids of what two groups of roots, or more, all reach: it belongs to none of them."""
    return set[int]().union(*(seen & other for seen, other in combinations((weigh(g, beyond)[1] for g in groups), 2)))


def _inside(item: Any, kind: type, most: int) -> tuple[list[Any], float]:
    """A sample of what `item` holds, and for how many each of them stands."""
    if kind in (list, tuple):
        sample = item[:: len(item) // most + 1]
    elif kind in MAPPINGS or kind in SETS:
        step = min(len(item), FURTHEST) // most + 1
        sample = list(islice(dict.items(item) if kind in MAPPINGS else item, 0, FURTHEST, step))
    else:
        large = _large(item, kind)
        if large is not None:
            return large
        held = gc.get_referents(item)
        return held[:SAMPLE], max(1.0, len(held) / SAMPLE)
    inside = [each for pair in sample for each in pair] if kind in MAPPINGS else sample
    return inside, len(item) / max(len(sample), 1)


def _large(item: Any, kind: type) -> tuple[list[Any], float] | None:
    """As `_inside`, for a large container of a type of the host's: listing all that it holds would stop every thread.

    None for any other. What it holds beside its items is left out.
    """
    for plain in (dict, list, tuple, set, frozenset, deque):
        if issubclass(kind, plain):
            count = plain.__len__(item)
            if count <= FURTHEST:
                return None
            items: Iterable[Any] = dict.items(item) if plain is dict else plain.__iter__(item)
            sample = list(islice(items, 0, FURTHEST, FURTHEST // SAMPLE))
            inside = [each for pair in sample for each in pair] if plain is dict else sample
            return inside, count / len(sample)
    return None


def _roots(conversation: _Conversation) -> list[Any]:
    return [held for each in conversation.objects if (held := each()) is not None]
