"""What holds a retained object is named in the program's words, within bounds, and without a word of its users'."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import gc
import weakref
from collections.abc import Iterator
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import pytest

from mcp_otel.recorder import never_raises
from mcp_otel.vitals import holders
from mcp_otel.vitals.canary import Canaries
from mcp_otel.vitals.holders import LONGEST

SECRET = "alice_s3cret"
HERE = f"{__name__}.REGISTRY → Registry.sessions[…]"


class Session:
    """What is held."""


class Registry:
    """What holds it, and everything that holds it in other ways."""

    def __init__(self) -> None:
        self.sessions: dict[str, Any] = {}


class Slotted:
    """An object without a dictionary."""

    __slots__ = ("__weakref__", "inner")

    inner: Session


class Owner:
    """An object whose attribute is spelled behind a decorator only."""

    def decorated(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*args: Any) -> Any:
            return function(*args)

        return wrapper

    @decorated
    def open(self) -> None:
        self.opened = Session()


REGISTRY = Registry()
LONG = 30.0
"""Seconds of a search that gets to its end in the heap of a test run, while the machine is at something else."""
chain = functools.partial(holders.chain, seconds=LONG)
LOOSE: Session | None = None


@pytest.fixture(autouse=True)
def empty() -> Iterator[None]:
    yield
    REGISTRY.sessions.clear()


def held(*path: Any) -> Session:
    """A new session in a registry, below the last of `path`, each of which holds the next by its own means."""
    session = Session()
    REGISTRY.sessions[SECRET] = session if not path else path[0](session)
    return session


def slotted(session: Session) -> Any:
    made = Slotted()
    made.inner = session
    return made


def closure(session: Session) -> Any:
    def on_close() -> Session:
        return session

    return on_close


def context(session: Session) -> Any:
    made = contextvars.Context()
    made.run(contextvars.ContextVar[Any](SECRET).set, session)
    return made


def attributed(session: Session) -> Any:
    made = Session()
    setattr(made, SECRET, session)
    return made


def traceback(session: Session) -> Any:
    def crash(session: Session) -> None:
        raise RuntimeError(SECRET)

    try:
        crash(session)
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (slotted, "Slotted.inner"),
        (closure, "closure.on_close.session"),
        (context, "Context[…]"),
        (lambda session: [{SECRET: (session,)}], None),
        (lambda session: SimpleNamespace(**{SECRET: session}), "SimpleNamespace[…]"),
        (attributed, "Session[…]"),
        (lambda session: functools.partial(print, session), "partial.args[…]"),
    ],
)
def test_holders_are_named_by_type_and_by_attributes_that_code_spells(how: Any, words: str | None) -> None:
    session = held(how)
    assert chain(session) == " → ".join(filter(None, (HERE, words, "Session")))


def test_a_stored_exception_is_named_with_the_function_whose_variable_holds() -> None:
    session = held(traceback)
    text = chain(session)
    assert text is not None
    assert text.startswith(f"{HERE} → RuntimeError.__traceback__ → ")
    assert text.endswith("traceback() → Session")
    assert SECRET not in text


def test_an_attribute_is_spelled_by_the_code_behind_a_decorator_too() -> None:
    owner = Owner()
    owner.open()
    REGISTRY.sessions["owner"] = owner
    assert chain(owner.opened) == f"{HERE} → Owner.opened → Session"


def test_modules_and_classes_are_where_a_chain_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.LOOSE", Session())
    assert chain(LOOSE) == f"{__name__}.LOOSE → Session"
    monkeypatch.setattr(Registry, "newest", [Session()], raising=False)
    assert chain(Registry.newest[0]) == "Registry.newest[…] → Session"  # type: ignore[attr-defined]


def test_a_waiting_task_is_named_by_its_coroutine_and_a_timer_by_its_loop() -> None:
    async def serve(session: Session) -> None:
        await asyncio.sleep(60)

    async def told() -> list[str | None]:
        waiting, timed = Session(), Session()
        task = asyncio.create_task(serve(waiting))
        asyncio.get_running_loop().call_later(60, print, timed)
        await asyncio.sleep(0)
        refs = weakref.ref(waiting), weakref.ref(timed)
        del waiting, timed
        texts = [chain(ref()) for ref in refs]
        task.cancel()
        return texts

    assert asyncio.run(told()) == [
        "test_a_waiting_task_is_named_by_its_coroutine_and_a_timer_by_its_loop.serve() → Session",
        "_UnixSelectorEventLoop._scheduled[…] → TimerHandle._args[…] → Session",
    ]


def test_a_coroutine_that_the_object_itself_holds_is_not_what_holds_it() -> None:
    class Living:
        def __init__(self) -> None:
            self.stack = contextlib.AsyncExitStack()

        @contextlib.asynccontextmanager
        async def life(self) -> Any:
            yield self

    async def told() -> str | None:
        REGISTRY.sessions["x"] = Living()
        await REGISTRY.sessions["x"].stack.enter_async_context(REGISTRY.sessions["x"].life())
        text = chain(REGISTRY.sessions["x"])
        await REGISTRY.sessions["x"].stack.aclose()
        return text

    assert asyncio.run(told()) == f"{HERE} → Living"


def test_what_only_its_own_cycle_holds_has_no_holder_that_lasts() -> None:
    one, other = Registry(), Registry()
    one.sessions["x"], other.sessions["x"] = other, one
    assert chain(one) == "… → Registry.sessions[…] → Registry"


def test_neither_the_search_nor_weak_references_nor_wrappers_of_ours_hold_anything() -> None:
    session = Session()
    canaries = Canaries(grace=0.0)
    canaries.watch(session, "session")
    REGISTRY.sessions["ours"] = never_raises(session)  # type: ignore[type-var]
    try:
        assert chain(session) is None
    finally:
        canaries.close()


def test_nothing_of_a_user_is_said_and_no_code_of_the_host_runs() -> None:
    class Hostile:
        def __init__(self) -> None:
            self.inner = Session()

        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(name)

        def __repr__(self) -> str:
            raise AssertionError

        __eq__ = __hash__ = __len__ = __iter__ = __bool__ = __repr__  # type: ignore[assignment]

    hostile = Hostile()
    REGISTRY.sessions[SECRET] = {SECRET: [hostile]}
    assert chain(vars_of(hostile)["inner"]) == f"{HERE} → Hostile.inner → Session"


def vars_of(holder: object) -> dict[str, Any]:
    found: dict[str, Any] = object.__getattribute__(holder, "__dict__")
    return found


def test_a_text_has_at_most_two_hundred_characters_and_keeps_what_is_nearest() -> None:
    def deep(session: Session) -> Any:
        holder: Any = session
        for number in range(10):
            kind = type(f"Holder{number:030}", (), {"__slots__": ("attribute_of_some_length",)})
            outer = kind()
            outer.attribute_of_some_length = holder
            holder = outer
        return holder

    text = chain(held(deep))
    assert text is not None
    assert len(text) <= LONGEST
    assert text.startswith("… → Holder")
    assert text.endswith(f"Holder{0:030}.attribute_of_some_length → Session")


def test_without_time_there_is_one_look_and_what_it_found() -> None:
    session = held(slotted)
    assert chain(session, seconds=0.0) == "… → Slotted.inner → Session"


def test_a_thousand_holders_are_not_all_followed() -> None:
    session = Session()
    REGISTRY.sessions["all"] = [slotted(session) for _ in range(20_000)]
    began = perf_counter()
    assert chain(session) == f"{HERE} → Slotted.inner → Session"
    assert perf_counter() - began < 5.0  # with all that other tests have left on the heap


def test_the_search_forces_no_collection_and_keeps_nothing_alive() -> None:
    collected: list[int] = []

    def heard(phase: str, info: dict[str, int]) -> None:
        collected.append(info["generation"])

    session = held(closure)
    gone = weakref.ref(session)
    gc.disable()
    gc.callbacks.append(heard)
    try:
        chain(session)
        assert collected == []
        REGISTRY.sessions.clear()
        del session
        assert gone() is None
    finally:
        gc.callbacks.remove(heard)
        gc.enable()
