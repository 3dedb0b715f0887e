"""Slopes of noisy points are those they were made with, and terms that explain nothing get no weight."""

from __future__ import annotations

from random import Random

import pytest

from mcp_otel.vitals.trend import dependence, evidence, fits, line, rests


def test_the_line_of_exact_points_is_theirs() -> None:
    found = line([0, 1, 2, 3, 4, 5], [7, 10, 13, 16, 19, 22])
    assert found == (3, 3, 3, 7)
    assert found is not None
    assert found.at(10) == 37


def test_three_wrong_points_in_ten_do_not_move_the_slope() -> None:
    ys = [5.0 * x for x in range(20)]
    for at in (3, 7, 8, 12, 16, 19):
        ys[at] += 1000
    found = line(range(20), ys)
    assert found is not None
    assert found.slope == 5


def test_points_at_one_place_have_no_slope() -> None:
    assert line([4, 4, 4], [1, 2, 3]) is None


@pytest.mark.parametrize(("slope", "seed"), [(slope, seed) for slope in (0.0, 0.5) for seed in range(5)])
def test_the_true_slope_lies_between_the_bounds(slope: float, seed: int) -> None:
    chance = Random(seed)
    found = line(range(40), [slope * x + chance.gauss(0, 3) for x in range(40)])
    assert found is not None
    assert found.low <= slope <= found.high
    assert found.low <= found.slope <= found.high
    assert (found.low > 0) == (slope > 0)


def test_a_series_that_wanders_has_wider_bounds_than_one_that_is_as_noisy() -> None:
    chance = Random(1)
    noise = [chance.gauss(0, 1) for _ in range(60)]
    wandering = [0.0]
    for step in noise:
        wandering.append(0.9 * wandering[-1] + step)
    shuffled = chance.sample(wandering, len(wandering))
    assert dependence(shuffled) < 0.4 < 0.6 < dependence(wandering)
    steady, drifting = line(range(61), shuffled), line(range(61), wandering)
    assert steady is not None
    assert drifting is not None
    assert drifting.high - drifting.low > 1.5 * (steady.high - steady.low)


def test_a_sum_of_two_terms_is_taken_apart_and_the_third_gets_nothing() -> None:
    chance = Random(2)
    terms = [[chance.random() for _ in range(50)] for _ in range(3)]
    ys = [100 + 3 * a + 8 * b for a, b, _ in zip(*terms, strict=True)]
    best = fits(terms, ys, 0.01)[0]
    assert best.weights == pytest.approx((3, 8, 0))
    assert max(map(abs, rests(best, terms, ys))) < 1e-9


def test_no_weight_is_negative_and_a_constant_is_always_an_answer() -> None:
    xs = [float(x) for x in range(20)]
    (only,) = fits([xs], [-2 * x for x in xs], 0.01)
    assert only.weights == (0.0,)


def test_a_term_that_does_not_vary_has_no_part() -> None:
    xs = [float(x) for x in range(20)]
    assert fits([[5.0] * 20, xs], [2 * x for x in xs], 0.01)[0].weights == pytest.approx((0, 2))


def test_two_terms_that_say_the_same_are_no_evidence_for_either() -> None:
    xs = [float(x) for x in range(30)]
    terms = [xs, [10 * x for x in xs]]
    found = fits(terms, [4 * x for x in xs], 1)
    first = next(fit for fit in found if fit.weights[0])
    second = next(fit for fit in found if fit.weights[1])
    nothing = next(fit for fit in found if not any(fit.weights))
    assert evidence(first, second, terms, [4 * x for x in xs]) == pytest.approx(0, abs=1e-6)
    assert evidence(first, nothing, terms, [4 * x for x in xs]) > 50
