"""Memory that grows is blamed on what it grows with, by the right amount; and memory that only looks as if is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import cos, exp, pi
from random import Random

import pytest

from mcp_otel.vitals.growth import WINDOWS, Growth, Verdict
from mcp_otel.vitals.memory import Load

MB = 1 << 20
TICK = 10.0
HOUR = 3600.0
BLOCK = 80
SEEDS = range(4)


@dataclass
class Server:
    """A server that never was: its readings, one in ten seconds, from what its sessions, calls and hours leave behind.

    `rate` is sessions a second. Garbage goes with a full collection, every `between` calls. What `more` holds is
    resident beside all this, in bytes, and as many blocks as it says.
    """

    seed: int = 0
    per_session: float = 0
    per_call: float = 0
    per_second: float = 0
    per_flight: float = 0
    rate: Callable[[float], float] = lambda at: 1.0
    more: Callable[[float], tuple[float, float]] = lambda at: (0, 0)
    garbage: float = 2_000
    between: int = 1_000
    collects: bool = True
    blocks: bool = True
    growth: Growth = field(default_factory=Growth)
    at: float = 5_000.0
    sessions: int = 0
    calls: int = 0
    fulls: int = 0
    rss: float = 0
    verdicts: list[Verdict | None] = field(default_factory=list)
    _chance: Random | None = None
    _since: int = 0

    def run(self, seconds: float) -> Verdict | None:
        chance = self._chance = self._chance or Random(self.seed)
        for _ in range(int(seconds / TICK)):
            self.at += TICK
            rate = self.rate(self.at - 5_000)
            sessions = round(max(0.0, chance.gauss(rate * TICK, (rate * TICK) ** 0.5)))
            self.sessions += sessions
            calls = sum(chance.choice((1, 2, 3, 4, 30)) for _ in range(sessions))
            self.calls += calls
            in_flight = round(max(0.0, chance.gauss(rate * 8, (rate * 8) ** 0.5)))
            if self.collects and self.calls - self._since > self.between:
                self.fulls, self._since = self.fulls + 1, self.calls
            more, blocks = self.more(self.at - 5_000)
            live = self.sessions * self.per_session + self.calls * self.per_call + in_flight * self.per_flight
            live += (self.at - 5_000) * self.per_second + (self.calls - self._since) * self.garbage
            self.rss = 80 * MB + live + more + abs(chance.gauss(0, 0.1 * MB))
            alive = 500_000 + blocks + (live / BLOCK if self.blocks else 0) + chance.gauss(0, 1_000)
            load = Load(self.sessions, self.calls, in_flight)
            self.growth.add(self.at, round(self.rss), round(alive), self.fulls, load)
            self.verdicts.append(self.growth.verdict)
        return self.growth.verdict

    @property
    def leaks(self) -> list[Verdict]:
        """Every verdict so far that memory grows."""
        return [verdict for verdict in self.verdicts if verdict is not None and verdict.per_second is not None]


def day(at: float) -> float:
    """Few sessions, many, and few again, within an hour."""
    return 0.2 + (1 - cos(2 * pi * at / HOUR))


def per_second(verdict: Verdict | None) -> float:
    assert verdict is not None
    assert verdict.per_second is not None
    return verdict.per_second.slope


# --- what leaks


@pytest.mark.parametrize("rate", [lambda at: 1.0, day], ids=["even", "day"])
@pytest.mark.parametrize("seed", SEEDS)
def test_what_every_ended_session_leaves_is_blamed_on_sessions(seed: int, rate: Callable[[float], float]) -> None:
    server = Server(seed, per_session=100_000, rate=rate)
    verdict = server.run(HOUR)
    assert verdict is not None
    assert verdict.each is not None
    assert (verdict.cause, verdict.per_call) == ("sessions", None)
    assert verdict.per_session == pytest.approx(100_000, rel=0.05)
    assert verdict.each.low <= verdict.each.slope <= verdict.each.high
    assert verdict.each.high - verdict.each.low < 20_000
    assert {each.cause for each in server.leaks} == {"sessions", None}


@pytest.mark.parametrize("seed", SEEDS)
def test_what_every_call_leaves_is_blamed_on_calls(seed: int) -> None:
    verdict = Server(seed, per_call=20_000).run(HOUR)
    assert verdict is not None
    assert (verdict.cause, verdict.per_session) == ("calls", None)
    assert verdict.per_call == pytest.approx(20_000, rel=0.05)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_grows_with_time_alone_is_blamed_on_time(seed: int) -> None:
    verdict = Server(seed, per_second=50_000).run(HOUR)
    assert verdict is not None
    assert (verdict.cause, verdict.per_session, verdict.per_call) == ("time", None, None)
    assert per_second(verdict) == pytest.approx(50_000, rel=0.05)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_leak_is_found_beneath_what_load_holds(seed: int) -> None:
    verdict = Server(seed, per_session=100_000, per_flight=MB, rate=day).run(HOUR)
    assert verdict is not None
    assert verdict.cause == "sessions"
    assert verdict.per_session == pytest.approx(100_000, rel=0.1)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_leak_that_python_does_not_know_of_is_found_too(seed: int) -> None:
    verdict = Server(seed, per_session=100_000, blocks=False).run(HOUR)
    assert verdict is not None
    assert verdict.cause == "sessions"
    assert verdict.per_session == pytest.approx(100_000, rel=0.05)


def test_a_leak_is_found_within_a_few_minutes() -> None:
    server = Server(per_session=100_000)
    server.run(600)
    assert server.leaks != []


def test_causes_that_go_hand_in_hand_are_not_told_apart_but_their_sum_is_known() -> None:
    growth = Growth()
    for tick in range(200):
        growth.add(tick * TICK, 80 * MB + tick * 100_000, 500_000, tick, Load(tick, 5 * tick))
    verdict = growth.verdict
    assert verdict is not None
    assert (verdict.cause, verdict.each) == (None, None)
    assert per_second(verdict) == pytest.approx(10_000)


def test_two_causes_of_like_weight_are_none() -> None:
    verdict = Server(per_session=50_000, per_second=50_000).run(HOUR)
    assert verdict is not None
    assert verdict.cause is None
    assert per_second(verdict) == pytest.approx(100_000, rel=0.05)


# --- the time that is left


@pytest.mark.parametrize("seed", SEEDS)
def test_the_time_to_the_limit_is_right(seed: int) -> None:
    server, limit = Server(seed, per_session=100_000), 800 * MB
    promised = []
    while server.rss < limit:
        verdict = server.run(60)
        if verdict is not None:
            promised.append((server.at, verdict.time_to_limit(limit, server.at)))
    assert len(promised) > 60
    for at, left in promised:
        truth = server.at - at
        assert left == pytest.approx(truth, rel=0.2, abs=120)


def test_at_the_limit_no_time_is_left() -> None:
    server = Server(per_session=100_000)
    verdict = server.run(HOUR)
    assert verdict is not None
    assert verdict.time_to_limit(server.rss - 50 * MB, server.at) == 0


def test_load_alone_has_no_time_to_the_limit() -> None:
    verdict = Server(per_flight=MB, rate=day).run(HOUR)
    assert verdict is not None
    assert verdict.time_to_limit(1 << 30, 0.0) is None


# --- what does not leak


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("garbage", "between"), [(2_000, 1_000), (4_000, 6_000), (8_000, 4_000)])
def test_garbage_that_is_collected_late_is_no_leak(garbage: float, between: int, seed: int) -> None:
    server = Server(seed, garbage=garbage, between=between)
    server.run(2 * HOUR)
    assert server.verdicts == [None] * 720


def test_garbage_that_was_not_collected_yet_is_no_leak() -> None:
    server = Server(garbage=5_000, between=10**9)
    server.fulls = 1
    server.run(HOUR)
    assert server.rss > 200 * MB
    assert server.verdicts == [None] * 360


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cache_that_fills_and_stops_is_withdrawn(seed: int) -> None:
    server = Server(seed, more=lambda at: (min(at, 1_200) * 40_000, min(at, 1_200) * 400))
    server.run(1_200)
    assert server.leaks != []  # nobody can know yet
    assert server.run(600) is None
    found = len(server.leaks)
    server.run(HOUR)
    assert len(server.leaks) == found


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cache_that_fills_ever_more_slowly_is_withdrawn(seed: int) -> None:
    server = Server(seed, more=lambda at: (50 * MB * (1 - exp(-at / 600)), 500_000 * (1 - exp(-at / 600))))
    server.run(2_400)
    found = len(server.leaks)
    server.run(2 * HOUR)
    assert len(server.leaks) == found


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("ramp", [10.0, 120.0, 900.0])
def test_a_burst_whose_memory_the_allocator_keeps_is_no_leak(ramp: float, seed: int) -> None:
    def burst(at: float) -> tuple[float, float]:
        risen = min(1.0, max(0.0, (at - 600) / ramp))
        return 80 * MB * risen, 900_000 * risen if at < 700 + ramp else 0

    server = Server(seed, more=burst)
    server.run(700 + ramp)
    found = len(server.leaks)
    server.run(2 * HOUR)
    assert server.rss > 155 * MB
    assert len(server.leaks) == found


@pytest.mark.parametrize("seed", SEEDS)
def test_a_high_water_mark_that_bursts_push_up_evenly_is_no_leak(seed: int) -> None:
    def pushed(at: float) -> tuple[float, float]:
        mark = min(at, HOUR) * 20_000  # it never goes back to the system, and nothing of it is alive between bursts
        return mark, mark / BLOCK if round(at / TICK) % 6 == 0 else 0

    server = Server(seed, more=pushed)
    server.run(2 * HOUR)
    assert server.rss > 145 * MB
    assert server.leaks == []


@pytest.mark.parametrize("seed", SEEDS)
def test_memory_that_follows_the_requests_in_flight_is_no_leak(seed: int) -> None:
    server = Server(seed, per_flight=MB, rate=day, garbage=500)
    verdict = server.run(HOUR)
    assert verdict is not None
    assert verdict.each is not None
    assert (verdict.cause, verdict.per_second) == ("concurrency", None)
    assert verdict.each.slope == pytest.approx(MB, rel=0.1)
    assert server.leaks == []


def test_memory_that_follows_open_sessions_is_no_leak() -> None:
    growth = Growth()
    for tick in range(360):
        opened = round(100 * day(tick * TICK))
        load = Load(tick // 3, tick, open_sessions=opened)
        growth.add(tick * TICK, 80 * MB + opened * 200_000, 500_000 + opened * 2_000, tick // 10, load)
    assert growth.verdict is not None
    assert growth.verdict.each is not None
    assert (growth.verdict.cause, growth.verdict.per_second) == ("open_sessions", None)
    assert growth.verdict.each.slope == pytest.approx(200_000, rel=0.05)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_server_that_is_well_has_no_verdict(seed: int) -> None:
    server = Server(seed, rate=day if seed % 2 else lambda at: 1.0)
    server.run(3 * HOUR)
    assert server.leaks == []


def test_growth_of_less_than_a_mebibyte_is_none() -> None:
    server = Server(per_second=200)
    server.run(HOUR)
    assert server.leaks == []


# --- when it says nothing


def test_five_windows_are_too_few_and_six_are_enough() -> None:
    growth = Growth()
    for tick in range(36):
        assert growth.verdict is None
        growth.add(tick * TICK, 80 * MB + tick * MB, 500_000 + tick * 9_000, tick, Load(tick, tick * tick))
    assert growth.verdict is not None


def test_without_a_full_collection_nothing_is_known() -> None:
    server = Server(per_session=100_000, collects=False)
    server.run(HOUR)
    assert server.rss > 400 * MB
    assert server.verdicts == [None] * 360


def test_one_full_collection_confirms_all_growth_before_it_that_it_did_not_take_back() -> None:
    server = Server(per_session=100_000, collects=False)
    server.run(HOUR / 2)
    assert server.leaks == []
    server.fulls += 1
    verdict = server.run(60)
    assert verdict is not None
    assert verdict.cause == "sessions"


def test_a_verdict_is_withdrawn_when_the_floor_returns() -> None:
    server = Server(per_session=100_000)
    assert server.run(HOUR / 2) is not None
    server.per_session = 0
    server.run(60)
    assert server.run(60) is None


def test_a_verdict_is_withdrawn_when_growth_ends_though_nothing_is_collected_any_more() -> None:
    server = Server(per_session=100_000)
    assert server.run(HOUR / 2) is not None
    server.rate = lambda at: 0.0
    assert server.run(HOUR / 2) is None
    server.rate = lambda at: 1.0
    assert server.run(HOUR) is not None


def test_what_it_remembers_is_bounded() -> None:
    server = Server()
    server.run(3 * HOUR)
    assert len(server.growth._windows) == WINDOWS
    assert len(server.growth.floor._open) < 6
