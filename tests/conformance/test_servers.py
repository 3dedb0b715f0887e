"""The official conformance suite finds the same in a server with us as without, and each of its messages is a span."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import ledger, suite
from tests.contract.heard import telemetry
from tests.contract.process import Process
from tests.house.source import ROOT
from tests.sink import Sink

LINE = int(version("mcp").split(".")[0])
ENDLESS = "subscriptions/listen"
"""A request that lasts as long as its client likes: no duration of an operation."""


@dataclass(frozen=True)
class Leg:
    """One run of a suite, and how many of its checks are passed; `failed` are those of extensions we do not have."""

    suite: str
    words: tuple[str, ...]
    passed: int
    failed: int = 0


OF_SESSIONS = {
    "0.1.16": Leg(suite.SESSION, ("--suite", "all"), 44),
    "2025-11-25": Leg(suite.STATELESS, ("--suite", "all", "--spec-version", "2025-11-25"), 84),
}
STATELESS = {
    "2026-07-28": Leg(suite.STATELESS, ("--suite", "all", "--spec-version", "2026-07-28"), 152),
    "extensions": Leg(suite.STATELESS, ("--suite", "pending"), 55, failed=25),
}
LEGS = OF_SESSIONS if LINE == 1 else {**OF_SESSIONS, **STATELESS}


@dataclass
class Judged:
    """What the suite found in one server, what that was sent, and what it left on its streams."""

    checks: suite.Checks
    sent: ledger.Sent
    errors: list[str]
    end: tuple[int, bytes]


@dataclass
class Both:
    """The same server, by itself and under `mcp-otel run`."""

    leg: Leg
    bare: Judged
    ours: Judged
    sink: Sink

    @property
    def spans(self) -> list[dict[str, Any]]:
        """The SERVER spans."""
        return servers(self.sink)


def servers(sink: Sink) -> list[dict[str, Any]]:
    return [span for span in list(sink.spans) if span["kind"] == "SERVER"]


def judge(leg: Leg, folder: Path, sink: Sink | None) -> Judged:
    """Let the suite judge a server, which is watched if there is a `sink` for what is said of it."""
    path = folder / "ledger"
    env, words = {"LEDGER": str(path), "PYTHONPATH": str(ROOT)}, [sys.executable]
    if sink is not None:
        env |= telemetry(sink, MCP_OTEL_SUMMARY="off", MCP_OTEL_EXIT_WAIT="5")
        words = [sys.executable, "-W", "ignore", "-m", "mcp_otel", "run", "--", sys.executable]
    folder.mkdir()
    process = Process([*words, "-m", f"tests.conformance.server_v{LINE}"], env)
    try:
        url = process.wait_for_line(r"conformance: (http\S+)")[1]
        _, checks = suite.run(leg.suite, ["server", "--url", url, *leg.words], folder / "found")
        if sink is not None:
            sink.wait_for(lambda _: ledger.said(servers(sink)) == ledger.sent(path))
    finally:
        end = process.stop()
    return Judged(checks, ledger.sent(path), suite.plain(process.errors), end)


@pytest.fixture(scope="module", params=LEGS)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    suite.home()
    leg, folder = LEGS[request.param], tmp_path_factory.mktemp("conformance")
    with Sink() as sink, ThreadPoolExecutor(2) as pool:
        bare = pool.submit(judge, leg, folder / "bare", None)
        ours = pool.submit(judge, leg, folder / "ours", sink)
        yield Both(leg, bare.result(), ours.result(), sink)


def test_the_suite_finds_the_same_in_a_server_with_us(both: Both) -> None:
    leg, bare, ours = both.leg, both.bare, both.ours
    assert (suite.count(bare.checks, "SUCCESS"), suite.count(bare.checks, "FAILURE")) == (leg.passed, leg.failed)
    assert suite.differences(ours.checks, bare.checks) == []
    assert (ours.errors, ours.end) == (bare.errors, bare.end)


def test_each_message_of_the_suite_is_one_server_span_and_it_is_ours(both: Both) -> None:
    assert both.ours.sent.total() > 50
    assert ledger.said(both.spans) == both.ours.sent
    assert {span["scope"]["name"] for span in both.spans} == {"mcp_otel"}


def test_each_span_of_the_suite_but_those_of_endless_requests_is_counted_and_nothing_of_ours_failed(both: Both) -> None:
    durations = both.sink.series("mcp.server.operation.duration")
    ended = [span for span in both.spans if not span["name"].startswith(ENDLESS)]
    assert sum(point["value"] for point in durations.values()) == len(ended)
    assert both.sink.series("mcp_otel.failures") == {}
    assert {point["value"] for point in both.sink.series("mcp_otel.requests.in_flight").values()} == {0}
