"""Promise 1: whatever breaks in mcp-otel, the server's answers, their order and its cancellations stay its own."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

import mcp_otel
from mcp_otel import seams
from mcp_otel.event import Event
from tests.promises import breakage, hosts
from tests.promises.originals import Originals
from tests.promises.watching import Watched, providers, start, watching

Bare = dict[str, tuple[list[bytes], list[str]]]

TARGETS = {name: target for name, target in breakage.targets().items() if name not in breakage.CARRIERS}


@pytest.fixture
def watched() -> Iterator[Watched]:
    with providers() as made:
        yield made


def test_a_watched_server_answers_byte_for_byte_as_a_bare_one(before: Originals, bare: Bare) -> None:
    with watching() as watched:
        assert {door: hosts.tell(door) for door in hosts.DOORS} == bare
        assert watched.lines == []
        assert dict(watched.totals.failures) == {}
        assert len(watched.servers) > 30


@pytest.mark.parametrize("name", TARGETS)
def test_a_server_answers_the_same_when_ours_raises(name: str, before: Originals, bare: Bare, watched: Watched) -> None:
    with breakage.broken(TARGETS[name]):
        # The governor, too, is asked for its opinion within so short a story.
        start(watched, **({"cost_budget": 1e-9} if name.startswith("governor:") else {}))
        at_start = len(breakage.strikes)
        if not at_start:
            watched.recorder.governor.due = 0
        answers = {door: hosts.tell(door) for door in hosts.DOORS}
        in_traffic = len(breakage.strikes) - at_start
        watched.collect()
    mcp_otel.uninstrument()
    assert answers == bare
    said = Counter(line for line in watched.lines if "steps" not in line)
    assert set(said.values()) <= {1}
    failures = sum(watched.totals.failures.values())
    if at_start:
        assert failures == 0  # not installed, and said why, for each library once
        assert 1 <= len(said) <= len(seams.SEAMS)
    elif in_traffic:
        # A reading of the process that fails is absent; the slow tick counts what was swallowed there.
        assert failures >= 1 or name.startswith("vitals")
        assert len(said) == len(watched.totals.failures)
        assert not any("private words" in line for line in said)


def test_the_exceptions_to_the_rule_exist() -> None:
    both_lines = {name for name in breakage.CARRIERS if f"sdk_v{3 - hosts.LINE}" not in name}

    assert both_lines - set(breakage.targets()) == set()


@pytest.mark.parametrize("door", hosts.DOORS)
def test_a_sink_that_raises_is_counted_and_hurts_nobody(door: str, before: Originals, bare: Bare) -> None:
    with watching() as watched:
        heard: list[Event] = []
        watched.recorder.sinks += [_refuse, heard.append]
        assert hosts.tell(door) == bare[door]
        assert watched.totals.failures == {"sinks": len(heard)}
        assert watched.lines == ["mcp-otel failed in sinks with ValueError; the server is not affected"]
        assert len([event for event in heard if event.side == "server"]) == len(watched.servers)


class Hostile(logging.Handler):
    """A log handler of the application's that fails."""

    def handle(self, record: logging.LogRecord) -> bool:
        raise OSError("disk full")


@pytest.fixture
def hostile() -> Iterator[None]:
    handler, logger = Hostile(), logging.getLogger("mcp_otel")
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)


@pytest.mark.parametrize("door", hosts.DOORS)
def test_a_log_handler_that_raises_does_not_reach_the_host(
    door: str, before: Originals, bare: Bare, hostile: None
) -> None:
    with watching() as watched:
        heard: list[Event] = []
        watched.recorder.sinks += [_refuse, heard.append]
        assert hosts.tell(door) == bare[door]
        assert watched.totals.failures["sinks"] == len(heard) >= len(watched.servers)


@pytest.mark.parametrize(
    "trouble",
    [
        {"target": "mcp_otel.seams._version", "value": lambda _: f"{3 - hosts.LINE}.0.0"},
        {"target": "mcp_otel.seams.install", "value": lambda _: 1 / 0},
        {"target": "mcp_otel.instrumentor.export.wanted", "value": lambda _: 1 / 0},
    ],
    ids=["misfit", "install", "export"],
)
def test_a_log_handler_that_raises_does_not_reach_the_line_that_instruments(
    trouble: dict[str, Any],
    before: Originals,
    bare: Bare,
    watched: Watched,
    hostile: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trouble["target"], trouble["value"])
    start(watched)
    assert hosts.tell("pipe") == bare["pipe"]


def test_a_log_handler_that_raises_does_not_reach_the_line_with_a_bad_variable(
    before: Originals, bare: Bare, watched: Watched, hostile: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCP_OTEL_PHASE_SAMPLE", "often")
    start(watched)
    assert hosts.tell("pipe") == bare["pipe"]


def test_a_log_handler_that_raises_does_not_reach_a_server_whose_governor_steps_down(
    before: Originals, bare: Bare, watched: Watched, hostile: None
) -> None:
    start(watched, cost_budget=1e-9)
    watched.recorder.governor.due = 0
    assert {door: hosts.tell(door) for door in hosts.DOORS} == bare
    assert watched.recorder.governor.level == 2


def test_a_provider_that_cannot_be_made_costs_the_telemetry_only(
    before: Originals, bare: Bare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_otel.export.connect", _refuse)
    with watching() as watched:
        assert {door: hosts.tell(door) for door in hosts.DOORS} == bare
        assert watched.totals.failures == {"prepare": 1}
        assert watched.spans == []


def _refuse(*_: object) -> None:
    raise ValueError("private words")
