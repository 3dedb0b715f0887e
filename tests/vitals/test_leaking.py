"""Processes that really keep what they should not, read as they run: nothing is forced, nothing is made up."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from typing import Any

import pytest

from mcp_otel.vitals.canary import Count
from tests.house.source import ROOT
from tests.vitals.retention_probe import python_of, serving

MB = 1 << 20
KEPT = "StreamableHTTPServerTransport"
HOLDER = "StreamableHTTPSessionManager"

PROCESS = """
import json, os, random, sys, time
from mcp_otel.vitals.growth import Growth
from mcp_otel.vitals.memory import Load, Memory
from mcp_otel.vitals.pauses import Pauses

kind, chance, kept = sys.argv[1], random.Random(7), []
memory, pauses, growth = Memory(), Pauses(), Growth(readings=4)
pauses.install()
sessions = calls = 0
started, readings = time.monotonic(), []


def call():
    knots = [[] for _ in range(400)]  # garbage that is old before the collector finds it
    for knot in knots:
        knot.append(knots)
    if kind == "calls":
        kept.append(os.urandom(20_000))


for tick in range(240):
    for _ in range(chance.randrange(6)):
        for _ in range(chance.choice((1, 1, 2, 3, 20))):
            call()
            calls += 1
        sessions += 1
        if kind == "sessions":
            kept.append(os.urandom(100_000))
    if kind == "time":
        while len(kept) < (time.monotonic() - started) * 200:
            kept.append(os.urandom(100_000))
    if kind == "burst" and 20 <= tick < 60:
        kept.extend([str(number) * 3] for number in range(8_000))
    elif kind == "burst" and tick == 60:
        kept[:] = kept[::40]  # one of each page stays, so that none goes back to the system
    if kind == "time":
        time.sleep(chance.choice((0, 0, 0, 0.03)))  # so that time is not as good as work
    reading = memory.read()
    growth.add(reading.at, reading.rss, reading.blocks, pauses.fulls, Load(sessions, calls))
    readings.append((reading.rss, reading.blocks))

verdict = growth.verdict
print(json.dumps({
    "cause": verdict and verdict.cause,
    "each": verdict and verdict.each and verdict.each[:3],
    "left": verdict and verdict.time_to_limit(reading.rss + 100_000_000, reading.at),
    "pace": sum(map(len, kept)) / (reading.at - started),
    "readings": readings,
    "fulls": pauses.fulls,
}))
"""


def process(kind: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", PROCESS, kind], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    said: dict[str, Any] = json.loads(done.stdout)
    assert said["fulls"] > 0  # which nobody forced
    return said


@pytest.mark.parametrize(("kind", "size"), [("sessions", 100_000), ("calls", 20_000), ("time", 20_000_000)])
def test_a_real_process_that_leaks_says_with_what_and_how_much(kind: str, size: int) -> None:
    said = process(kind)
    assert said["cause"] == kind
    assert said["each"][0] == pytest.approx(size, rel=0.2)
    assert said["left"] is not None
    if kind == "time":  # the others go as fast as this machine does just then
        assert said["left"] == pytest.approx(100_000_000 / said["pace"], rel=0.2)


def test_a_real_process_that_keeps_nothing_has_no_verdict() -> None:
    said = process("nothing")
    assert (said["cause"], said["left"]) == (None, None)


def test_a_real_process_whose_allocator_keeps_a_burst_has_no_verdict() -> None:
    said = process("burst")
    (first, alive), (last, alive_now) = said["readings"][19], said["readings"][-1]
    most = max(blocks for _, blocks in said["readings"])
    assert last - first > 20 * MB
    assert alive_now - alive < (most - alive) / 10
    assert (said["cause"], said["left"]) == (None, None)


@pytest.mark.skipif(version("mcp").startswith("1."), reason="tried once, with the tests of the 2.x line")
@pytest.mark.parametrize(("environment", "line"), [("mcp_1_29", "1.29.0"), ("mcp_2_1", "2.1.1")])
def test_a_server_that_keeps_deleted_sessions_is_found_out_by_count_size_and_holder(
    environment: str, line: str
) -> None:
    with serving(python_of(environment)) as probe:
        probe.converse(10, end=True)
        before = probe.settled(lambda _: True)
        probe.converse(40, end=True)
        after = probe.settled(lambda said: all_released(said, but=KEPT))
        probe.converse(5, end=False)
        abandoned = probe.settled(lambda said: all_released(said, but=KEPT))
    assert after["line"] == line
    assert before["counts"][KEPT] == Count(watched=10, retained=10)._asdict()
    assert after["counts"].pop(KEPT) == Count(watched=50, retained=50)._asdict()
    assert len(after["counts"]) >= 1
    assert [Count(**count) for count in after["counts"].values()] == [Count(50, 50)] * len(after["counts"])
    # Abandoned sessions are live: nobody has ended them.
    assert abandoned["counts"] == {**after["counts"], KEPT: Count(watched=50, retained=50)._asdict()}
    assert after["holders"] == {KEPT: f"{HOLDER}.run() → {HOLDER}._server_instances[…] → {KEPT}"}
    growth = (after["traced"] - before["traced"]) / 40
    assert after["weights"] == {KEPT: pytest.approx(growth, rel=0.25)}
    assert 2500 < growth < 6000
    assert after["failures"] == 0


def test_a_server_that_lets_go_of_deleted_sessions_retains_none_and_abandoned_ones_are_live() -> None:
    with serving(sys.executable) as probe:
        probe.converse(10, end=True)
        probe.converse(10, end=False)
        said = probe.settled(all_released)
    assert KEPT in said["counts"]
    assert [Count(**count) for count in said["counts"].values()] == [Count(10, 10)] * len(said["counts"])
    assert (said["holders"], said["weights"], said["failures"]) == ({}, {}, 0)


def all_released(said: dict[str, Any], but: str | None = None) -> bool:
    return all(count["retained"] == 0 for name, count in said["counts"].items() if name != but)
