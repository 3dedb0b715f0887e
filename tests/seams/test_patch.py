"""Replace, check, put back; and hooks that neither hurt the host nor keep anything of it alive."""

from __future__ import annotations

import asyncio
import gc
import inspect
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import wrapt

from mcp_otel.errors import MisfitError
from mcp_otel.recorder import Recorder
from mcp_otel.seams.patch import Facade, Patches, around, around_async, expect, expect_names
from mcp_otel.settings import Settings


class Base:
    def inherited(self) -> str:
        return "inherited"


class Owner(Base):
    def method(self, first: int, second: int = 2) -> int:
        return first + second

    @staticmethod
    def static(value: int) -> int:
        return value


class HostError(Exception):
    """A host's own error; unlike the built-in ones it can be referred to weakly."""


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(Settings())


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_what_was_replaced_is_put_back_as_the_identical_object() -> None:
    before, patches = dict(vars(Owner)), Patches()
    patches.replace(Owner, "method", lambda original: lambda self, first, second=2: 10 * original(self, first, second))
    patches.replace(Owner, "static", lambda original: lambda value: 10 * original(value))
    patches.replace(Owner, "inherited", lambda original: lambda self: original(self).upper())
    assert (Owner().method(1), Owner.static(1), Owner().inherited()) == (30, 10, "INHERITED")
    patches.undo()
    assert {name: value for name, value in vars(Owner).items() if value is not before.get(name)} == {}
    assert set(vars(Owner)) == set(before)
    assert (Owner().method(1), Owner.static(1), Owner().inherited()) == (3, 1, "inherited")


def test_one_name_replaced_twice_comes_back_to_the_first() -> None:
    original, patches = vars(Owner)["method"], Patches()
    for _ in range(2):
        patches.replace(Owner, "method", lambda inner: lambda *args: inner(*args) + 1)
    assert Owner().method(1) == 5
    patches.undo()
    patches.undo()
    assert vars(Owner)["method"] is original


def test_what_somebody_else_laid_on_top_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    patches = Patches()
    monkeypatch.setattr(Owner, "method", vars(Owner)["method"])
    patches.replace(Owner, "method", lambda original: lambda *args: original(*args))
    foreign = lambda self, *_: 0  # noqa: E731
    Owner.method = foreign  # type: ignore[assignment,method-assign]
    patches.undo()
    assert vars(Owner)["method"] is foreign


def test_a_foreign_wrapper_below_ours_still_knows_its_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def wrapper(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        seen.append((instance, args))
        return wrapped(*args, **kwargs)

    laid = wrapt.FunctionWrapper(vars(Owner)["method"], wrapper)
    monkeypatch.setattr(Owner, "method", laid)
    patches, owner = Patches(), Owner()
    patches.replace(Owner, "method", lambda original: lambda *args: 10 * original(*args))
    assert (owner.method(1), seen) == (30, [(owner, (1,))])
    patches.undo()
    assert vars(Owner)["method"] is laid


def test_a_name_that_is_not_there_is_named() -> None:
    with pytest.raises(MisfitError, match=r"Owner.* nothing"):
        Patches().replace(Owner, "nothing", lambda original: original)


@pytest.mark.parametrize(
    ("owner", "name", "parameters", "message"),
    [
        (Owner, "nothing", (), r"Owner\.nothing is missing"),
        (Owner, "method", ("self", "other"), r"method takes \(self, first, second\) instead of \(self, other\)"),
        (Owner, "method", ("self", "first", "second", "third"), r"method takes"),
        (types.ModuleType("library"), "nothing", (), r"library\.nothing is missing"),
        (types.SimpleNamespace(__name__="library", name=7), "name", (), r"library\.name is missing"),
    ],
)
def test_what_does_not_look_as_expected_is_named(
    owner: Any, name: str, parameters: tuple[str, ...], message: str
) -> None:
    with pytest.raises(MisfitError, match=message):
        expect(owner, name, *parameters)


def test_what_looks_as_expected_passes() -> None:
    expect(Owner, "method")
    expect(Owner, "method", "self", "first")
    expect_names(Owner, "method", "static")
    with pytest.raises(MisfitError, match=r"Owner\.nothing is missing"):
        expect_names(Owner, "method", "nothing")


Hook = Callable[..., Any]


def hooked(kind: str, recorder: Recorder, original: Hook, before: Hook, after: Hook) -> Hook:
    """`original`, plain or as a coroutine, between two hooks; either way called like a plain function."""
    if kind == "plain":
        return around(recorder, original, before, after)

    async def awaited(*args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        return original(*args, **kwargs)

    wrapped = around_async(recorder, awaited, before, after)
    return lambda *args, **kwargs: asyncio.run(wrapped(*args, **kwargs))


both = pytest.mark.parametrize("kind", ["plain", "coroutine"])


@both
def test_hooks_see_arguments_result_and_state(kind: str, recorder: Recorder) -> None:
    seen: list[Any] = []

    def before(*args: Any, **kwargs: Any) -> str:
        seen.append((args, kwargs))
        return "state"

    call = hooked(kind, recorder, lambda a, b: a + b, before, lambda *told: seen.append(told))
    assert call(1, b=2) == 3
    assert seen == [((1,), {"b": 2}), ("state", 3, None)]


@both
def test_a_call_that_is_none_of_our_business_has_no_after(kind: str, recorder: Recorder) -> None:
    seen: list[Any] = []
    call = hooked(kind, recorder, lambda: 7, lambda: None, lambda *told: seen.append(told))
    assert (call(), seen) == (7, [])


@both
def test_the_hosts_error_passes_as_it_is(kind: str, recorder: Recorder) -> None:
    problem, seen = HostError("its own"), []

    def fail() -> None:
        raise problem

    call = hooked(kind, recorder, fail, lambda: "state", lambda *told: seen.append(told))
    with pytest.raises(HostError) as raised:
        call()
    assert raised.value is problem
    assert (problem.__cause__, problem.__context__, seen) == (None, None, [("state", None, problem)])


@both
@pytest.mark.parametrize("fails", ["before", "after", "both"])
@pytest.mark.parametrize("host", ["returns", "raises"])
def test_hooks_that_raise_are_counted_and_change_nothing(kind: str, fails: str, host: str, recorder: Recorder) -> None:
    def boom(*_: Any) -> Any:
        raise ValueError("ours")

    def original() -> str:
        if host == "raises":
            raise HostError("its own")
        return "answer"

    call = hooked(
        kind,
        recorder,
        original,
        boom if fails in ("before", "both") else lambda: "state",
        boom if fails in ("after", "both") else lambda *_: None,
    )
    if host == "raises":
        with pytest.raises(HostError) as raised:
            call()
        assert raised.value.__context__ is None
    else:
        assert call() == "answer"
    assert dict(recorder.totals.failures) == {"seams": 1}


@both
def test_an_error_that_passed_a_hook_is_freed_at_once(kind: str, recorder: Recorder, uncollected: None) -> None:
    """A frame that holds an error which holds the frame would keep the host's objects until a collection."""
    alive: list[weakref.ref[HostError]] = []

    def fail() -> None:
        problem = HostError("its own")
        alive.append(weakref.ref(problem))
        try:
            raise problem
        finally:
            del problem

    async def awaited() -> None:
        fail()

    def attempt(call: Hook) -> None:
        try:
            call()
        except HostError:
            pass

    hook = (lambda: "state", lambda *_: None)
    if kind == "plain":
        attempt(fail)
        attempt(around(recorder, fail, *hook))
    else:
        attempt(lambda: awaited().send(None))
        attempt(lambda: around_async(recorder, awaited, *hook)().send(None))  # type: ignore[attr-defined]
    assert [problem() for problem in alive] == [None, None]


def test_a_hooked_function_looks_like_the_original(recorder: Recorder) -> None:
    def named(first: int) -> int:
        """Its text."""
        return first

    made = around(recorder, named, lambda *_: None, lambda *_: None)
    assert (made.__name__, made.__doc__, inspect.signature(made)) == ("named", "Its text.", inspect.signature(named))

    async def awaited() -> None: ...

    assert inspect.iscoroutinefunction(around_async(recorder, awaited, lambda: None, lambda *_: None))


def test_a_facade_has_our_names_and_all_the_others() -> None:
    module = types.ModuleType("library")
    module.__dict__.update(loads="theirs", dumps="theirs")
    facade = Facade(module, loads="ours")
    assert (facade.loads, facade.dumps, module.loads) == ("ours", "theirs", "theirs")
    module.__dict__["later"] = 7
    assert facade.later == 7
    with pytest.raises(AttributeError, match="nothing"):
        _ = facade.nothing
