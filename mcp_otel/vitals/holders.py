"""Names what holds a retained object, in the program's own words: `Registry._sessions[…] → Session`.

A bounded search backwards through the heap. Says names that code spells, and nothing else: no values, no keys, no repr.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import types
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator
from itertools import islice
from time import perf_counter
from traceback import walk_stack
from typing import Any, NamedTuple

from mcp_otel.vitals.canary import CHEAP, MAX_NAME, Canaries, Full, Label

LONGEST = 200
"""Characters of a text."""
DEEPEST, BROADEST = 12, 128
"""References from what is held back to what holds it, and objects of each such depth that are followed."""
AT_ONCE = 8
"""Objects whose holders are looked for at once. Other threads stand still meanwhile, and the more the longer."""
OWN = 1_000
"""Objects that are followed from what is held, to tell its own coroutines from those that hold it."""
SECONDS, PATIENCE = 0.1, 2.0
"""After which the heap is not looked at again; the latter when somebody waits for the answer."""
COMMON = 20
FUNCTIONS = 2_000
"""Of a class, that are looked into for the names they spell."""

ARROW, CUT, INSIDE = " → ", "…", "[…]"
CONTAINERS = (dict, list, tuple, set, frozenset, deque, OrderedDict, defaultdict)
SUSPENDED = {types.CoroutineType: "cr_frame", types.GeneratorType: "gi_frame", types.AsyncGeneratorType: "ag_frame"}
LASTING = (type, types.ModuleType, asyncio.AbstractEventLoop)
SILENT = ("cell", "traceback", "hamt", "hamt_bitmap_node", "hamt_array_node", "hamt_collision_node")
"""Inner parts of closures, exceptions and contexts, which have no names."""


class Kind(NamedTuple):
    """Live objects of all types of one name that the collector knows, and how many more than the time before."""

    alive: int
    more: int


class Holders:
    """What holds the retained, by kind and type. Looks by itself only where full collections are cheap."""

    def __init__(self, canaries: Canaries) -> None:
        self.texts: dict[Label, str] = {}
        """The chains that are known; to be read from any thread."""
        self.kinds: dict[str, Kind] = {}
        """Types of which there are more than when somebody asked before, and the most common: `COMMON` names."""
        self.failures = 0
        self._counted: dict[str, int] = {}
        self._canaries = canaries
        self._tried: dict[Label, Full | None] = {}

    def tick(self, asked: bool = False) -> None:
        """Name one holder that has no whole name yet, on a slow tick; when `asked` for, all of them, at whatever cost.

        That is some 20 ms for each look at a million objects, and half a second to count them by type.
        """
        try:
            if asked:
                self._count_kinds()
            retained = [label for label, count in self._canaries.counts().items() if count.retained]
            self.texts = {label: text for label, text in self.texts.items() if label in retained}
            full = self._canaries.full
            for label in retained if full is not None and (asked or full.seconds < CHEAP) else ():
                known = self.texts.get(label, CUT)
                if asked or (known.startswith(CUT) and self._tried.get(label) is not full):
                    self._tried[label] = full
                    examples = self._canaries.examples(label)
                    subject = examples.pop() if examples else None  # out of the list, which would be among its holders
                    text = None if subject is None else chain(subject, PATIENCE if asked else SECONDS)
                    del subject
                    if text is not None and (known == CUT or not text.startswith(CUT)):
                        self.texts = {**self.texts, label: text}
                    if not asked:
                        return
        except Exception:
            self.failures += 1

    def _count_kinds(self) -> None:
        import objgraph  # only for those who ask; its own `growth` would force a collection

        before, counts = self._counted, objgraph.typestats()
        kinds = [(counts[name] - before.get(name, 0) if before else 0, counts[name], name) for name in counts]
        self.kinds = {name[:MAX_NAME]: Kind(count, more) for more, count, name in sorted(kinds)[: -COMMON - 1 : -1]}
        self._counted = counts


def chain(subject: object, seconds: float = SECONDS) -> str | None:
    """What holds `subject`: the shortest way to it from a module, a class, an event loop or a coroutine.

    At most `LONGEST` characters. One that begins with `…` is cut, or its beginning was not found within `seconds`,
    which are looked at between looks at the heap: one look may take longer. None: nothing with a name was found.
    """
    search = _Search(subject, seconds)
    parts = list(_words(search.run(), search.modules))
    if len(parts) < 2:
        return None
    if not search.complete:
        parts.insert(0, CUT)
    while len(text := ARROW.join(parts)) > LONGEST and len(parts) > 3:
        parts[:2] = [CUT]
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + CUT


class _Search:
    """Breadth first: one look at the whole heap for a few objects of each depth.

    `objgraph.find_backref_chain` looks once for every object, knows no time that is up, and ends at modules only.
    """

    def __init__(self, subject: object, seconds: float) -> None:
        self.complete = False  # whether it got to something that lives by itself
        named = [(name, each) for name, each in list(sys.modules.items()) if issubclass(type(each), types.ModuleType)]
        self.modules = {id(_namespace(each)): str(name) for name, each in named}
        self._deadline = perf_counter() + seconds
        self._seen: dict[int, Any] = {id(subject): subject}
        self._held: dict[int, int] = {}
        self._layer: tuple[Any, ...] = (subject,)  # passed on as it is: a copy would be found among the holders
        self._own: set[int] = set()

    def run(self) -> list[Any]:
        """From what holds in the end, or as far as it got, to the subject."""
        for _ in range(DEEPEST):
            layer, following = self._layer, list[Any]()
            for at in range(0, len(layer), AT_ONCE):
                began = perf_counter()
                lasting = self._look(layer, layer[at : at + AT_ONCE], following)
                if lasting is not None:
                    self.complete = True
                    return self._path(lasting)
                late = 2 * perf_counter() - began > self._deadline
                if late or len(following) == BROADEST:
                    break
            self._layer = tuple(following) or layer
            if not following or late:
                break
        return self._path(next(filter(_frame, self._seen.values()), self._layer[0]))

    def _look(self, layer: tuple[Any, ...], subjects: tuple[Any, ...], following: list[Any]) -> Any:
        """Look through the heap for what holds any of `subjects`: the first that lasts; others join `following`."""
        sources = gc.get_referrers(*subjects)
        ours = {id(each) for each in (self.modules, self._seen, self._held, self.__dict__)} | _stack()
        ours |= {id(each) for each in (layer, subjects, sources, following)}
        wanted = {id(each) for each in subjects}
        for source in sources:
            if id(source) in ours or id(source) in self._seen or _passing(source):
                continue
            # In Python, so that other threads get their turn: it may hold a million.
            held = next((id(each) for each in gc.get_referents(source) if id(each) in wanted), None)
            if held is None:
                continue
            self._seen[id(source)], self._held[id(source)] = source, held
            if self._lasts(source):
                return source
            following.append(source)
            if len(following) == BROADEST or perf_counter() > self._deadline:
                break
        return None

    def _lasts(self, source: Any) -> bool:
        """Whether it lives by itself: a coroutine does, unless it is one that the subject itself holds."""
        if id(source) in self.modules or issubclass(type(source), LASTING):
            return True
        waiting = deque(islice(self._seen.values(), 1)) if _frame(source) and not self._own else None
        while waiting and len(self._own) < OWN:
            for each in gc.get_referents(waiting.popleft()):
                elsewhere = id(each) in self.modules or issubclass(type(each), (*LASTING, asyncio.Future))
                if not elsewhere and id(each) not in self._own:
                    self._own.add(id(each))
                    waiting.append(each)
        return _frame(source) is not None and id(source) not in self._own

    def _path(self, node: Any) -> list[Any]:
        path = [node]
        while (held := self._held.get(id(path[-1]))) is not None:
            path.append(self._seen[held])
        return path


def _stack() -> set[int]:
    """Ids of the frames that are searching: they hold what is searched for."""
    return {id(frame) for frame, _ in walk_stack(sys._getframe())}


def _passing(source: Any) -> bool:
    """Whether it is code of ours on its way, or a closure of it: none of that lasts."""
    frame = source if type(source) is types.FrameType else _frame(source)
    space = source.__globals__ if type(source) is types.FunctionType else frame.f_globals if frame is not None else {}
    return str(space.get("__name__")).partition(".")[0] == __name__.partition(".")[0]


def _frame(suspended: Any) -> types.FrameType | None:
    """Where a coroutine or a generator is; None when it is over, or is none."""
    name = SUSPENDED.get(type(suspended))
    return None if name is None else getattr(suspended, name)


def _words(path: list[Any], modules: dict[int, str]) -> Iterator[str]:
    """The steps of `path`: `module.name`, `Type.attribute`, `function()`, each followed by `[…]` for containers."""
    word, at, last = "", 0, len(path) - 1
    while at < last:
        holder, after, step = path[at], path[at + 2] if at + 2 <= last else None, 1
        if type(holder) in CONTAINERS and id(holder) not in modules:
            word += INSIDE if word and not word.endswith(INSIDE) else ""
        elif type(holder).__name__ not in SILENT:
            if word:
                yield word
            word, step = _word(holder, path[at + 1], after, modules)
        at += step
    if word:
        yield word
    yield type(path[-1]).__name__


def _word(holder: Any, held: Any, after: Any, modules: dict[int, str]) -> tuple[str, int]:
    """What `holder` is called, with where in it `held` is; and how many steps of the path that says."""
    kind = type(holder)
    if id(holder) in modules:
        return modules[id(holder)] + _attribute(holder, held, None), 1
    if issubclass(kind, type):
        name = _attribute(dict(vars(holder)), after, None) if type(held) is dict else INSIDE
        return holder.__name__ + name, 1 if name == INSIDE else 2
    if kind is types.FunctionType:
        cells = zip(holder.__code__.co_freevars, holder.__closure__ or (), strict=False)
        variable = next((name for name, cell in cells if cell is after), None)
        return (_code(holder), 1) if variable is None else (f"{_code(holder)}.{variable}", 3)
    if kind is types.MethodType:
        function = holder.__func__  # may be any callable, and asking one of the host's for a name runs its code
        return (_code(function) if type(function) is types.FunctionType else type(function).__name__), 1
    if kind is types.FrameType or kind in SUSPENDED:
        code = holder.f_code if kind is types.FrameType else holder
        return f"{_code(code)}()", 2 if type(held) is types.FrameType else 1
    if issubclass(kind, BaseException) and type(held) is types.TracebackType:
        return f"{kind.__name__}.__traceback__", 1
    space = _namespace(holder)
    if held is space:
        return kind.__name__ + _attribute(space, after, kind), 2
    return kind.__name__ + (_slot(holder, held) or _attribute(space, held, kind)), 1


def _code(holder: Any) -> str:
    """The qualified name of a function, a coroutine or code."""
    names = [getattr(holder, name, None) for name in ("co_qualname", "__qualname__", "co_name")]
    return str(next(filter(None, names), CUT)).replace(".<locals>", "")


def _namespace(holder: Any) -> Any:
    """The `__dict__` of an instance, without running any code of its type."""
    try:
        return object.__getattribute__(holder, "__dict__")
    except Exception:
        return None


def _attribute(space: Any, held: Any, kind: type | None) -> str:
    """Under which name `held` is in a namespace: only one that the code of `kind` spells, where there is a `kind`."""
    names = [name for name, value in list(space.items()) if value is held] if type(space) is dict else []
    spelled = (name for name in names if isinstance(name, str) and (kind is None or _spells(kind, name)))
    return next((f".{name}" for name in spelled), INSIDE)


def _slot(holder: Any, held: Any) -> str | None:
    for kind in type(holder).__mro__:
        for name, member in list(vars(kind).items()):
            try:
                if type(member) is types.MemberDescriptorType and member.__get__(holder) is held:
                    return f".{name}"
            except AttributeError:
                continue  # it has no value
    return None


def _spells(kind: type, name: str) -> bool:
    """Whether `name` is in the code of a class: what is set from outside may be named by a user."""
    spaces = [vars(each) for each in kind.__mro__]
    functions = [each for space in spaces for each in list(space.values()) if type(each) is types.FunctionType]
    for function in functions:
        behind = function.__dict__.get("__wrapped__")
        if type(behind) is types.FunctionType and len(functions) < FUNCTIONS:
            functions.append(behind)  # a decorated one: its own code spells the names
    said = (name in space or name in space.get("__annotations__", ()) for space in spaces)
    return any(said) or any(_in_code(function.__code__, name) for function in functions)


def _in_code(code: types.CodeType, name: str) -> bool:
    inner = (each for each in code.co_consts if type(each) is types.CodeType)
    return name in code.co_names or any(_in_code(each, name) for each in inner)
