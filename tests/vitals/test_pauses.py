"""Collections are counted and timed as they happen, nothing is forced, and nothing of ours stays behind."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from time import monotonic, perf_counter

import pytest

from mcp_otel.vitals.pauses import Pauses, state


@pytest.fixture
def pauses() -> Iterator[Pauses]:
    watching = Pauses()
    undo = watching.install()
    yield watching
    undo()


@pytest.fixture
def quiet() -> Iterator[None]:
    """No collection but those of the test."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("generation", [0, 1, 2])
def test_a_pause_is_as_long_as_we_time_it_ourselves(pauses: Pauses, quiet: None, generation: int) -> None:
    kept = [[number] for number in range(200_000)]  # young, so that each generation has them to go through
    started = perf_counter()
    gc.collect(generation)
    timed = perf_counter() - started
    assert pauses.counts == [int(each == generation) for each in range(3)]
    assert pauses.seconds[generation] == pytest.approx(timed, rel=0.1, abs=0.0005)
    assert sum(pauses.seconds) == pauses.seconds[generation]
    del kept


def test_counts_are_those_of_the_collector_itself(pauses: Pauses) -> None:
    before = [each["collections"] for each in gc.get_stats()]
    kept: list[object] = []
    while pauses.fulls < 1:  # a heap that grows by a quarter is collected by itself
        kept.extend([number] for number in range(10_000))
    now = [each["collections"] for each in gc.get_stats()]
    assert pauses.counts == [after - earlier for after, earlier in zip(now, before, strict=True)]
    assert pauses.counts[0] > pauses.counts[1] > pauses.counts[2] == pauses.fulls


def test_the_last_full_collection_is_remembered_and_no_other(pauses: Pauses, quiet: None) -> None:
    gc.collect(1)
    assert pauses.last_full is None
    for _ in range(10):
        knot: list[object] = []
        knot.append(knot)
    del knot
    before = monotonic()
    gc.collect()
    full = pauses.last_full
    assert full is not None
    assert before <= full.at <= monotonic()
    assert full.seconds == pauses.seconds[2]
    assert full.collected >= 10
    gc.collect(0)
    assert pauses.last_full is full


def test_nothing_is_counted_or_left_behind_after_the_undo() -> None:
    before = list(gc.callbacks)
    watching = Pauses()
    undo = watching.install()
    assert len(gc.callbacks) == len(before) + 1
    undo()
    undo()
    gc.collect()
    assert gc.callbacks == before
    assert (watching.counts, watching.fulls) == ([0, 0, 0], 0)


def test_two_who_watch_do_not_undo_each_other() -> None:
    first, second = Pauses(), Pauses()
    undo_first, undo_second = first.install(), second.install()
    undo_first()
    gc.collect()
    undo_second()
    assert (first.fulls, second.fulls) == (0, 1)


def test_a_collection_that_began_before_we_watched_is_not_counted() -> None:
    watching = Pauses()
    watching._seen("stop", {"generation": 2, "collected": 1, "uncollectable": 0})
    assert (watching.counts, watching.last_full) == ([0, 0, 0], None)


def test_a_collector_that_says_something_else_does_no_harm() -> None:
    watching = Pauses()
    for info in ({}, {"generation": 7}):
        watching._seen("start", info)
        watching._seen("stop", info)
    assert watching.counts == [0, 0, 0]


def test_a_collector_that_is_off_or_has_frozen_objects_says_so(pauses: Pauses) -> None:
    thresholds = gc.get_threshold()
    assert state() == "on"
    try:
        gc.disable()
        assert state() == "off"
        gc.enable()
        gc.set_threshold(0)
        assert state() == "off"
        gc.set_threshold(*thresholds)
        gc.freeze()
        assert state() == "frozen"
    finally:
        gc.enable()
        gc.set_threshold(*thresholds)
        gc.unfreeze()
    assert state() == "on"


def test_without_a_collector_the_last_full_collection_stays_unknown(pauses: Pauses, quiet: None) -> None:
    kept = [[number] for number in range(300_000)]
    assert (pauses.fulls, pauses.last_full) == (0, None)
    del kept
