"""What our hooks cost: measured in a moment, and added up to exactly what they were used for."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from time import perf_counter

import pytest

from mcp_otel.vitals import price
from mcp_otel.vitals.price import Price
from tests.vitals.test_vitals import Made

PRICE = Price(turn=1e-3, call=1e-2, step=1e-4, collection=1e-1)


@pytest.fixture
def made() -> Iterator[Made]:
    """Not started, so that nothing comes by itself."""
    made = Made()
    made.vitals._price = PRICE
    yield made
    made.vitals.canaries.close()


def cost(made: Made) -> float:
    made.vitals.settle()
    return made.totals.cost["vitals"]


def test_every_price_is_above_nothing_and_below_100_microseconds() -> None:
    found = price.measure()
    assert {name for name, seconds in found._asdict().items() if not 0 < seconds < 100e-6} == set()


def test_to_measure_takes_less_than_50_ms() -> None:
    took = []
    for _ in range(3):  # the machine may be at something else once
        began = perf_counter()
        price.measure()
        took.append(perf_counter() - began)
    assert min(took) < 0.05


def test_to_measure_leaves_nothing_behind() -> None:
    before = list(gc.callbacks)
    price.measure()
    assert gc.callbacks == before


def test_the_cost_is_the_sum_of_all_that_happened_at_its_price(made: Made) -> None:
    vitals = made.vitals
    assert cost(made) == 0
    for _ in range(7):
        vitals.over(None, 0, False, 3)
    assert cost(made) == pytest.approx(7 * 1e-2 + 21 * 1e-4)
    vitals.loops._gone_turns = 11
    assert cost(made) == pytest.approx(0.0721 + 11 * 1e-3)
    vitals.pauses.counts = [4, 2, 1]
    assert cost(made) == pytest.approx(0.0831 + 7 * 1e-1)
    vitals._spent, vitals.blocked.spent = 2_000_000_000, 3_000_000_000
    assert cost(made) == pytest.approx(0.7831 + 5)


def test_only_what_is_new_is_added(made: Made) -> None:
    made.totals.cost["vitals"] = 100.0  # of those before us
    made.vitals.over(None, 0, False, 0)
    assert cost(made) == cost(made) == pytest.approx(100.01)
    made.vitals.over(None, 0, False, 0)
    assert cost(made) == pytest.approx(100.02)


def test_the_cost_never_falls_and_is_not_added_twice_when_a_count_was_short_for_a_moment(made: Made) -> None:
    made.vitals.loops._gone_turns = 50
    assert cost(made) == pytest.approx(0.05)
    made.vitals.loops._gone_turns = 0  # a loop that ends, between two looks
    assert cost(made) == pytest.approx(0.05)
    made.vitals.loops._gone_turns = 60
    assert cost(made) == pytest.approx(0.06)


def test_turns_of_a_loop_that_has_ended_are_still_paid_for(made: Made) -> None:
    made.vitals.loops._ended.append((1_000_000, 40))
    assert cost(made) == pytest.approx(0.04)


def test_what_was_paid_for_before_a_new_start_is_not_paid_again(made: Made) -> None:
    made.vitals.loops._ended.append((1_000_000, 40))
    made.vitals.pauses.counts = [5, 0, 0]
    assert cost(made) == pytest.approx(0.54)
    after = made.again(vitals_interval=3600.0)
    collecting = gc.isenabled()
    gc.disable()
    try:
        after.vitals._weigh = lambda: None  # type: ignore[method-assign]
        after.vitals.tick = lambda asked=False: None  # type: ignore[method-assign]
        after.vitals._price = PRICE
        after.vitals.start()
        assert cost(after) == pytest.approx(0.54, abs=0.01)
        after.vitals.loops._ended.append((1_000_000, 10))
        after.vitals.stop()
        assert cost(after) == pytest.approx(0.55, abs=0.01)
    finally:
        if collecting:
            gc.enable()
