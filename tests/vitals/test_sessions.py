"""The forecast of open sessions: where a steady rise ends, and silence where there is none."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from mcp_otel.vitals.sessions import FEWEST, READINGS, Doors, Forecast, Sessions


def fed(counts: Iterable[int], limit: int | None = None, timeout: float | None = None, idle: float = 0.0) -> Sessions:
    """One reading in ten seconds."""
    sessions = Sessions()
    for at, count in enumerate(counts):
        sessions.add(10.0 * at, Doors(count, limit, timeout, idle))
    return sessions


RISE = range(0, 60, 2)
"""Two more with every reading: at the last there are 58."""


def test_a_steady_rise_reaches_the_cap_in_what_is_left_at_its_pace() -> None:
    assert fed(RISE, limit=100).forecast == Forecast(100, pytest.approx((100 - 58) / 0.2))


def test_a_noisy_rise_reaches_the_cap_at_its_median_pace() -> None:
    noisy = [count + (5 if at % 7 == 3 else 0) for at, count in enumerate(RISE)]
    assert fed(noisy, limit=100).forecast == Forecast(100, pytest.approx((100 - noisy[-1]) / 0.2))


def test_a_cap_that_is_reached_already_leaves_no_second() -> None:
    assert fed(RISE, limit=58).forecast == Forecast(58, 0.0)
    assert fed(RISE, limit=40).forecast == Forecast(58, 0.0)


def test_a_timeout_that_reclaims_before_the_cap_gives_the_level_and_no_seconds() -> None:
    assert fed(RISE, limit=1000, timeout=600.0, idle=100.0).forecast == Forecast(pytest.approx(58 + 0.2 * 500), None)


def test_a_timeout_gives_the_level_where_there_is_no_cap() -> None:
    assert fed(RISE, timeout=600.0, idle=100.0).forecast == Forecast(pytest.approx(158), None)


def test_where_the_longest_idle_one_is_due_the_level_is_reached() -> None:
    assert fed(RISE, limit=1000, timeout=60.0, idle=60.0).forecast == Forecast(58, None)
    assert fed(RISE, limit=1000, timeout=60.0, idle=75.0).forecast == Forecast(58, None)


def test_a_timeout_that_is_too_late_does_not_save_from_the_cap() -> None:
    assert fed(RISE, limit=100, timeout=600.0, idle=100.0).forecast == Forecast(100, pytest.approx(210))


def test_without_cap_and_timeout_nothing_ends_the_rise() -> None:
    assert fed(RISE).forecast is None


@pytest.mark.parametrize(
    "counts",
    [
        pytest.param([*[0] * 20, *range(1, 10)], id="a handful"),
        pytest.param([50] * READINGS, id="flat"),
        pytest.param(range(80, 20, -2), id="falling"),
        pytest.param([*range(0, 40, 4), *[40] * 20], id="a burst that is over"),
        pytest.param([*range(0, 60, 4), *range(60, 30, -2)], id="a rise that has turned"),
        pytest.param([*[0] * 20, *[30, 0] * 5], id="ups and downs"),
        pytest.param([24, 0, 13, 19, 41, 31, 3, 17, 4, 21, 38, 29, 9, 40], id="a rise within the noise"),
        pytest.param(range(0, 10 * (FEWEST - 1), 10), id="too few readings"),
        pytest.param([], id="none"),
    ],
)
def test_there_is_no_forecast_without_a_trend(counts: list[int]) -> None:
    assert fed(counts, limit=100, timeout=600.0).forecast is None


def test_there_is_one_from_twelve_readings_and_ten_sessions_on() -> None:
    assert fed(range(11), limit=100).forecast is None
    assert fed(range(12), limit=100).forecast == Forecast(100, pytest.approx((100 - 11) / 0.1))
    assert fed([0, *range(11)], limit=100).forecast == Forecast(100, pytest.approx((100 - 10) / 0.1, rel=0.05))
    assert fed([0, 0, *range(10)], limit=100).forecast is None


def test_a_forecast_is_taken_back_when_the_rise_is_over() -> None:
    sessions = fed(RISE, limit=100)
    assert sessions.forecast is not None
    for at in range(6):
        sessions.add(10.0 * (READINGS + at), Doors(58, 100))
    assert sessions.forecast is None


def test_only_the_last_thirty_readings_count() -> None:
    sessions = fed([*range(0, 10_000, 10), *range(10_000, 10_060, 2)], limit=10_100)
    assert sessions.forecast == Forecast(10_100, pytest.approx((10_100 - 10_058) / 0.2))
    assert len(sessions._readings) == READINGS == 30


def test_readings_at_one_moment_are_no_trend() -> None:
    sessions = Sessions()
    for count in RISE:
        sessions.add(7.0, Doors(count, 100))
    assert sessions.forecast is None
