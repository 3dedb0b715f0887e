"""Holders are looked for where that costs little or somebody asks, who is told of types too; one on each tick."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from mcp_otel.vitals import holders
from mcp_otel.vitals.canary import CHEAP, Canaries
from mcp_otel.vitals.holders import COMMON, Holders

HERE = f"{__name__}.KEPT[…]"
LONG = 30.0
"""Seconds of a search that gets to its end in the heap of a test run, while the machine is at something else."""
KEPT: dict[str, Any] = {}


class Session:
    """What is held."""


class Slotted:
    """What may hold it."""

    __slots__ = ("__weakref__", "inner")

    inner: Session


def held(each: Any) -> Any:
    KEPT["alice_s3cret"] = each
    return each


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("SECONDS", "PATIENCE"):
        monkeypatch.setattr(holders, name, LONG)
    yield
    KEPT.clear()


class Clock:
    """Time of which each collection takes `step` seconds."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@pytest.mark.parametrize(
    ("seconds", "asked", "said"), [(CHEAP / 2, False, True), (CHEAP, False, False), (1.0, True, True)]
)
def test_holders_are_looked_for_where_collections_are_cheap_or_somebody_asks(
    seconds: float, asked: bool, said: bool
) -> None:
    canaries = Canaries(grace=0.0, clock=Clock(seconds))
    named = Holders(canaries)
    try:
        session = held(Session())
        canaries.watch(session, "session")
        named.tick(asked)
        assert named.texts == {}  # no collection: nothing is known to be retained
        gc.collect()
        thread = threading.Thread(target=named.tick, args=(asked,))
        thread.start()
        thread.join()
        assert named.texts == ({("session", "Session"): f"{HERE} → Session"} if said else {})
        KEPT.clear()
        del session
        named.tick(asked)
        assert (named.texts, named.failures) == ({}, 0)
    finally:
        canaries.close()


def test_a_tick_names_one_holder_and_the_next_tick_the_next() -> None:
    canaries = Canaries(grace=0.0, clock=Clock(CHEAP / 2))
    named = Holders(canaries)
    try:
        kept: list[Any] = [held(Session()), Slotted()]
        KEPT["other"] = kept[1]
        for each in kept:
            canaries.watch(each, "session")
        gc.collect()
        named.tick()
        assert list(named.texts) == [("session", "Session")]
        named.tick()
        assert named.texts[("session", "Slotted")] == f"{HERE} → Slotted"
    finally:
        canaries.close()


def test_what_only_its_user_holds_has_no_name_and_the_search_does_not_name_itself() -> None:
    canaries = Canaries(grace=0.0, clock=Clock(CHEAP / 2))
    named = Holders(canaries)
    session = Session()
    canaries.watch(session, "session")
    gc.collect()
    try:
        named.tick()
        assert (canaries.counts()["session", "Session"].retained, named.texts, named.failures) == (1, {}, 0)
    finally:
        canaries.close()


def test_a_name_that_was_cut_for_want_of_time_is_whole_after_another_collection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    canaries = Canaries(grace=0.0, clock=Clock(CHEAP / 2))
    named, label = Holders(canaries), ("session", "Session")
    session = Session()
    held(Slotted()).inner = session
    canaries.watch(session, "session")
    try:
        seen = []
        for seconds, collected in ((0.0, True), (LONG, False), (LONG, True), (0.0, True)):
            monkeypatch.setattr(holders, "SECONDS", seconds)
            if collected:
                gc.collect()
            named.tick()
            seen.append(named.texts[label])
        cut, whole = "… → Slotted.inner → Session", f"{HERE} → Slotted.inner → Session"
        assert seen == [cut, cut, whole, whole]
        monkeypatch.setattr(holders, "PATIENCE", 0.0)
        named.tick(asked=True)
        assert (named.texts, named.failures) == ({label: whole}, 0)
    finally:
        canaries.close()


class Common:
    """One of very many."""


def test_who_asks_is_told_of_which_types_there_are_more_than_before_and_nobody_else() -> None:
    collected: list[int] = []

    def heard(phase: str, info: dict[str, int]) -> None:
        collected.append(info["generation"])

    canaries = Canaries()
    named = Holders(canaries)
    gc.collect()
    gc.disable()
    gc.callbacks.append(heard)
    try:
        kept = [Common() for _ in range(100_000)]
        named.tick()
        assert named.kinds == {}
        named.tick(asked=True)
        assert named.kinds["Common"] == (100_000, 0)
        kept += [Common() for _ in range(50_000)]
        named.tick(asked=True)
        assert next(iter(named.kinds.items())) == ("Common", (150_000, 50_000))
        assert len(named.kinds) == COMMON
        del kept
        named.tick(asked=True)
        assert "Common" not in named.kinds
        assert (collected, named.failures) == ([], 0)
    finally:
        gc.callbacks.remove(heard)
        gc.enable()
        canaries.close()
