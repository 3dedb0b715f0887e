"""Ended objects are released, retained or unknown, as they really are; nothing is collected for it."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from time import perf_counter

import pytest
from pydantic import BaseModel

from mcp_otel.vitals import canary
from mcp_otel.vitals.canary import CHEAP, MAX_TYPES, MAX_WATCHED, OTHER, Canaries, Count

GRACE = 60.0
SESSION = ("session", "Session")


class Session:
    """Something whose life ends."""


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Watched:
    """Canaries whose time is ours, in a process that collects nothing by itself."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.canaries = Canaries(GRACE, self.clock)

    def pass_grace(self) -> None:
        self.clock.now += GRACE + 1

    def count(self, label: tuple[str, str] = SESSION) -> Count:
        return self.canaries.counts()[label]


@pytest.fixture
def watched() -> Iterator[Watched]:
    gc.collect()
    gc.disable()
    made = Watched()
    yield made
    made.canaries.close()
    gc.enable()


def test_what_is_let_go_of_is_released(watched: Watched) -> None:
    sessions = [Session() for _ in range(3)]
    for session in sessions:
        watched.canaries.watch(session, "session")
    assert watched.count() == Count(watched=3, in_grace=3)
    del sessions[0], session
    assert watched.count() == Count(watched=3, released=1, in_grace=2)
    sessions.clear()
    assert watched.count() == Count(watched=3, released=3)


def test_what_is_alive_after_its_grace_and_a_full_collection_is_retained_by_kind_and_type(watched: Watched) -> None:
    kept: list[object] = [Session(), Session(), Clock()]
    for each in kept:
        watched.canaries.watch(each, "session")
    watched.canaries.watch(kept[1], "session")  # already known
    call = Session()
    watched.canaries.watch(call, "request")
    watched.pass_grace()
    gc.collect()
    assert watched.canaries.counts() == {
        SESSION: Count(watched=2, retained=2),
        ("session", "Clock"): Count(watched=1, retained=1),
        ("request", "Session"): Count(watched=1, retained=1),
    }
    assert watched.canaries.examples(SESSION, 9) == kept[:2]


def test_without_a_full_collection_nothing_is_known(watched: Watched) -> None:
    session = Session()
    watched.canaries.watch(session, "session")
    gc.collect()  # one within the grace does not count
    watched.pass_grace()
    gc.collect(0)
    gc.collect(1)
    assert watched.count() == Count(watched=1, unknown=1)
    assert watched.canaries.examples(SESSION) == []
    gc.collect()
    assert watched.count() == Count(watched=1, retained=1)


def test_a_collection_that_began_within_the_grace_proves_nothing(watched: Watched) -> None:
    def during(phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            watched.pass_grace()  # it takes so long that the grace is over at its end

    session = Session()
    watched.canaries.watch(session, "session")
    gc.callbacks.append(during)
    gc.collect()
    gc.callbacks.remove(during)
    assert watched.count() == Count(watched=1, unknown=1)


def test_where_collections_are_switched_off_the_garbage_is_unknown_not_retained(watched: Watched) -> None:
    assert not gc.isenabled()
    watched.canaries.watch(cycle(), "session")
    watched.pass_grace()
    for _ in range(100_000):
        cycle()
    assert watched.count() == Count(watched=1, unknown=1)


def test_frozen_garbage_is_unknown_and_what_is_held_beside_it_is_retained(watched: Watched) -> None:
    watched.canaries.watch(cycle(), "session")
    gc.freeze()
    try:
        held = Session()
        watched.canaries.watch(held, "session")
        watched.pass_grace()
        gc.collect()
        assert watched.count() == Count(watched=2, unknown=1, retained=1)
        assert watched.canaries.examples(SESSION, 9) == [held]
    finally:
        gc.unfreeze()
    gc.collect()
    assert watched.count() == Count(watched=2, released=1, retained=1)


def test_what_is_frozen_is_not_looked_for_in_a_large_heap(watched: Watched) -> None:
    def slow(phase: str, _: dict[str, int]) -> None:
        watched.clock.now += 2 * CHEAP

    held = Session()
    gc.freeze()
    gc.callbacks.append(slow)
    try:
        watched.canaries.watch(held, "session")
        watched.pass_grace()
        gc.collect()
        assert watched.count() == Count(watched=1, unknown=1)
    finally:
        gc.callbacks.remove(slow)
        gc.unfreeze()


def test_a_cache_that_forgets_within_the_grace_retains_nothing(watched: Watched) -> None:
    cache = {"secret": Session()}
    watched.canaries.watch(cache["secret"], "session")
    watched.clock.now += GRACE - 1
    gc.collect()
    assert watched.count() == Count(watched=1, in_grace=1)
    cache.clear()
    watched.pass_grace()
    gc.collect()
    assert watched.count() == Count(watched=1, released=1)


def test_a_stored_traceback_retains_only_for_as_long_as_it_is_stored(watched: Watched) -> None:
    def crash() -> None:
        session = Session()
        watched.canaries.watch(session, "session")
        raise RuntimeError

    stored: list[BaseException] = []
    try:
        crash()
    except RuntimeError as error:
        stored.append(error)
    assert watched.count() == Count(watched=1, in_grace=1)
    watched.pass_grace()
    gc.collect()
    assert watched.count() == Count(watched=1, retained=1)
    stored.clear()
    assert watched.count() == Count(watched=1, released=1)


def test_a_background_task_that_ends_later_retains_nothing(watched: Watched) -> None:
    async def told() -> None:
        over = asyncio.Event()

        async def background(session: Session) -> None:
            watched.canaries.watch(session, "session")
            await over.wait()

        task = asyncio.create_task(background(Session()))
        await asyncio.sleep(0)
        gc.collect()
        assert watched.count() == Count(watched=1, in_grace=1)
        over.set()
        await task

    asyncio.run(told())
    watched.pass_grace()
    gc.collect()
    assert watched.count() == Count(watched=1, released=1)


def test_unhashable_objects_are_watched_like_any_other(watched: Watched) -> None:
    class Model(BaseModel):
        """Two of them are equal, and none has a hash."""

        name: str

    one, other = Model(name="same"), Model(name="same")
    for each in (one, other):
        watched.canaries.watch(each, "request")
    del other, each
    assert watched.count(("request", "Model")) == Count(watched=2, released=1, in_grace=1)


def test_an_address_that_is_used_again_is_another_object(watched: Watched) -> None:
    addresses = set()
    for _ in range(1000):
        session = Session()
        addresses.add(id(session))
        watched.canaries.watch(session, "session")
        del session
    assert len(addresses) < 1000
    assert watched.count() == Count(watched=1000, released=1000)


def test_what_takes_no_weak_reference_is_skipped_and_counted(watched: Watched) -> None:
    for each in (1, "text", (), {}):
        watched.canaries.watch(each, "request")
    assert (watched.canaries.skipped, watched.canaries.failures, watched.canaries.counts()) == (4, 0, {})


def test_a_type_that_misbehaves_is_counted_and_does_not_reach_the_host(watched: Watched) -> None:
    class Meta(type):
        @property
        def __name__(cls) -> str:  # type: ignore[override]
            raise RuntimeError

    class Hostile(metaclass=Meta):
        pass

    watched.canaries.watch(Hostile(), "request")
    assert (watched.canaries.failures, watched.canaries.counts()) == (1, {})


def test_the_oldest_make_room_and_are_counted(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary, "MAX_WATCHED", 10)
    sessions = [Session() for _ in range(13)]
    for session in sessions:
        watched.canaries.watch(session, "session")
    watched.pass_grace()
    gc.collect()
    assert watched.count() == Count(watched=13, dropped=3, retained=10)
    assert watched.canaries.examples(SESSION) == [sessions[3]]
    del sessions[:4], session
    assert watched.count() == Count(watched=13, released=1, dropped=3, retained=9)


def test_types_and_kinds_beyond_the_bound_have_no_name(watched: Watched) -> None:
    objects = [type(f"Made{number}", (), {})() for number in range(MAX_TYPES + 5)]
    for each in objects:
        watched.canaries.watch(each, "session")
    names = {name: count.watched for (_, name), count in watched.canaries.counts().items()}
    assert names == {**{f"Made{number}": 1 for number in range(MAX_TYPES)}, OTHER: 5}
    for number in range(20):
        watched.canaries.watch(Session(), f"kind{number}")
    assert len({kind for kind, _ in watched.canaries.counts()}) == canary.MAX_KINDS + 1


def test_once_closed_it_watches_nothing_and_hears_of_no_collection() -> None:
    before = list(gc.callbacks)
    canaries = Canaries()
    session = Session()
    canaries.watch(session, "session")
    assert len(gc.callbacks) == len(before) + 1
    canaries.close()
    canaries.close()
    canaries.watch(Session(), "session")
    assert (gc.callbacks, canaries.counts(), sys.getrefcount(session)) == (before, {}, 2)


def test_counts_add_up_whoever_reads_and_whoever_collects() -> None:
    canaries = Canaries(grace=0.0)
    over, wrong = threading.Event(), list[Count]()
    rounds = 3000

    def live() -> None:
        for number in range(rounds):
            canaries.watch(cycle(), "session")
            if number % 500 == 0:
                gc.collect()

    def read() -> None:
        while not over.is_set():
            for count in canaries.counts().values():
                if count.watched != sum(count[1:]) or min(count) < 0:
                    wrong.append(count)

    hosts = [threading.Thread(target=live) for _ in range(3)]
    reader = threading.Thread(target=read)
    for thread in (reader, *hosts):
        thread.start()
    for thread in hosts:
        thread.join()
    over.set()
    reader.join()
    gc.collect()
    counts = canaries.counts()
    canaries.close()
    assert (wrong, counts, canaries.failures) == ([], {SESSION: Count(watched=9000, released=9000)}, 0)


def test_watching_and_releasing_cost_microseconds_and_two_hundred_bytes(watched: Watched) -> None:
    sessions = [Session() for _ in range(MAX_WATCHED)]
    tracemalloc.start()
    for session in sessions:
        watched.canaries.watch(session, "session")
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held / MAX_WATCHED < 250
    del session
    sessions.clear()
    rounds = [timed(lambda: watched.canaries.watch(Session(), "request"), 5000) for _ in range(5)]
    assert min(rounds) < 10e-6


def cycle() -> Session:
    """Garbage that only a collection frees."""
    session = Session()
    session.itself = session  # type: ignore[attr-defined]
    return session


def timed(function: Callable[[], object], times: int) -> float:
    """Seconds of one call."""
    began = perf_counter()
    for _ in range(times):
        function()
    return (perf_counter() - began) / times
