"""The official conformance suite finds the same in a client with us as without, and each of its messages is a span.

The scenarios of authorization are left out: what they judge happens in HTTP, before there is a message.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import suite
from tests.contract.heard import telemetry
from tests.house.source import ROOT
from tests.sink import Sink

LINE = int(version("mcp").split(".")[0])
SESSIONS = ("initialize", "tools_call", "elicitation-sep1034-client-defaults", "sse-retry")
PRESERVING = "json-schema-2020-12-preservation"
MODERN = (
    "tools_call",
    "request-metadata",
    "sep-2322-client-request-state",
    "http-standard-headers",
    "http-custom-headers",
    "http-invalid-tool-headers",
    "json-schema-ref-no-deref",
    PRESERVING,
)
OF_SESSIONS = [*((suite.SESSION, name, "2025-11-25") for name in SESSIONS), (suite.STATELESS, PRESERVING, "2025-11-25")]
SCENARIOS = OF_SESSIONS if LINE == 1 else [*OF_SESSIONS, *((suite.STATELESS, name, "2026-07-28") for name in MODERN)]
Scenario = tuple[str, str, str]
ATTEMPTS = 3
"""How often a client is judged at most, until it is judged in time."""


@dataclass
class Judged:
    """The exit status of the suite, what it found in one client, what that sent, and what it left on its streams."""

    status: int
    checks: suite.Checks
    bodies: list[dict[str, Any]]
    said: Any
    errors: Any


@dataclass
class Both:
    """The same client, by itself and under `mcp-otel run`."""

    bare: Judged
    ours: Judged
    sink: Sink

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Spans of this kind."""
        return [span for span in self.sink.spans if span["kind"] == kind]


def judge(scenario: Scenario, folder: Path, sink: Sink | None) -> Judged:
    """Let the suite judge a client, which is watched if there is a `sink` for what is said of it."""
    path, found = folder / "ledger", folder / "found"
    env, command = {"LEDGER": str(path), "PYTHONPATH": str(ROOT)}, sys.executable
    if sink is not None:
        env |= telemetry(sink, MCP_OTEL_SUMMARY="off", MCP_OTEL_EXIT_WAIT="5")
        command = f"{sys.executable} -W ignore -m mcp_otel run -- {sys.executable}"
    folder.mkdir()
    name, words, protocol = scenario[0], f"{command} -m tests.conformance.client_v{LINE}", scenario[2]
    options = ["--command", words, "--scenario", scenario[1], "--spec-version", protocol]
    status, checks = suite.run(name, ["client", *options], found, env)
    said, errors = (
        suite.plain(next(found.rglob(f"{stream}.txt")).read_text().splitlines()) for stream in ("stdout", "stderr")
    )
    bodies = [json.loads(json.loads(line)["body"]) for line in path.read_text().splitlines()]
    return Judged(status, checks, bodies, said, errors)


@pytest.fixture(scope="module", params=SCENARIOS, ids=lambda scenario: f"{scenario[1]}-{scenario[2]}")
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    suite.home()
    for attempt in range(ATTEMPTS):
        folder = tmp_path_factory.mktemp("conformance")
        with Sink() as sink, ThreadPoolExecutor(2) as pool:
            bare = pool.submit(judge, request.param, folder / "bare", None)
            ours = pool.submit(judge, request.param, folder / "ours", sink)
            found = Both(bare.result(), ours.result(), sink)
            if attempt == ATTEMPTS - 1 or not (late(found.bare) or late(found.ours)):
                yield found
                return


def late(judged: Judged) -> bool:
    """Whether the suite's stopwatch found the client late, as any is while its machine is busy with something else."""
    checks = [check for scenario in judged.checks.values() for check in scenario]
    return any(check.get("details", {}).get("slightlyLate") for check in checks)


def test_the_suite_finds_the_same_in_a_client_with_us(both: Both) -> None:
    bare, ours = both.bare, both.ours
    assert suite.count(bare.checks, "SUCCESS") > 0
    assert (bare.status, suite.count(bare.checks, "FAILURE")) == (0, 0)
    assert suite.differences(ours.checks, bare.checks) == []
    assert suite.differences(suite.plain(ours.bodies), suite.plain(bare.bodies)) == []
    assert (ours.status, ours.said, ours.errors) == (bare.status, bare.said, bare.errors)


def test_each_message_of_the_client_is_one_client_span_that_it_carries(both: Both) -> None:
    carried = {
        (body["method"], None if "id" not in body else str(body["id"]), body["params"]["_meta"]["traceparent"][3:-3])
        for body in both.ours.bodies
        if "method" in body
    }
    spans = both.of("CLIENT")
    said = {
        (
            span["attributes"]["mcp.method.name"],
            span["attributes"].get("jsonrpc.request.id"),
            f"{span['trace_id']}-{span['span_id']}",
        )
        for span in spans
    }
    assert len(carried) == sum("method" in body for body in both.ours.bodies)
    assert said == carried
    assert len(spans) == len(said)
    assert {span["scope"]["name"] for span in spans} == {"mcp_otel"}
    asked = [body for body in both.ours.bodies if "method" not in body]
    assert len(both.of("SERVER")) == len(asked)


def test_each_span_of_the_client_is_counted_and_nothing_of_ours_failed(both: Both) -> None:
    durations = both.sink.series("mcp.client.operation.duration")
    assert sum(point["value"] for point in durations.values()) == len(both.of("CLIENT"))
    assert both.sink.series("mcp_otel.failures") == {}
