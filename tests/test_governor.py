"""Our own cost stays within its budget: one step down at a time, and up only after half a calm minute."""

from __future__ import annotations

import logging

import pytest

from mcp_otel.governor import CALM_TICKS, FULL, METRICS_ONLY, TICK_NS, Governor, measure_boundary


class Clock:
    """Ticks of five seconds, in each of which we spend a share of a core."""

    def __init__(self, governor: Governor) -> None:
        self.governor = governor
        self.now, self.spent = governor._since, 0.0

    def spend(self, *shares: float) -> list[int]:
        """The level after each tick."""
        levels = []
        for share in shares:
            self.now += TICK_NS
            self.spent += share * TICK_NS * 1e-9
            self.governor.tick(self.now, self.spent)
            levels.append(self.governor.level)
        return levels


def test_a_cost_above_the_budget_goes_down_a_step_a_tick_and_ends_at_metrics() -> None:
    clock = Clock(Governor(0.05, FULL))
    assert clock.spend(0.06, 0.06, 0.06, 0.06) == [2, METRICS_ONLY, METRICS_ONLY, METRICS_ONLY]


def test_what_is_capped_never_comes_back() -> None:
    clock = Clock(Governor(0.05, FULL))
    clock.governor.cap(METRICS_ONLY)
    assert clock.spend(*[0.0] * (3 * CALM_TICKS)) == [METRICS_ONLY] * 3 * CALM_TICKS


def test_a_cost_within_the_budget_changes_nothing() -> None:
    clock = Clock(Governor(0.05, FULL))
    assert clock.spend(0.05 - 1e-6, 0.04, 0.0) == [FULL] * 3


def test_it_comes_back_a_step_after_half_a_calm_minute() -> None:
    clock = Clock(Governor(0.05, FULL))
    clock.spend(0.06, 0.06)
    calm = [0.01] * CALM_TICKS
    assert clock.spend(*calm) == [METRICS_ONLY] * (CALM_TICKS - 1) + [2]
    assert clock.spend(*calm) == [2] * (CALM_TICKS - 1) + [FULL]
    assert clock.spend(*calm) == [FULL] * CALM_TICKS


def test_one_busy_tick_starts_the_calm_anew_so_it_does_not_flap() -> None:
    clock = Clock(Governor(0.05, FULL))
    clock.spend(0.06)
    assert clock.spend(*[0.01] * (CALM_TICKS - 1), 0.03, *[0.01] * (CALM_TICKS - 1)) == [2] * (2 * CALM_TICKS - 1)
    assert clock.spend(0.01) == [FULL]


def test_it_never_goes_above_its_ceiling() -> None:
    clock = Clock(Governor(0.05, METRICS_ONLY))
    assert clock.spend(*[0.0] * (2 * CALM_TICKS)) == [METRICS_ONLY] * (2 * CALM_TICKS)


def test_a_budget_of_zero_never_steps_down() -> None:
    clock = Clock(Governor(0.0, FULL))
    assert clock.spend(0.9, 0.9, 0.9) == [FULL] * 3


def test_a_clock_that_stands_still_breaks_nothing() -> None:
    governor = Governor(0.05, FULL)
    governor.tick(governor._since, 10.0)
    assert governor.level == FULL


def test_each_step_is_one_line_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "mcp_otel"):
        Clock(Governor(0.05, FULL)).spend(0.08)
    assert caplog.messages == ["mcp-otel steps down to level 2: it used 8.0 % of a core, its budget is 5.0 %"]


def test_a_boundary_costs_something_and_not_much() -> None:
    assert 0 < measure_boundary() < 50e-6
