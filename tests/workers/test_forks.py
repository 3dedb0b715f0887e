"""A process that forks after it has served: parent and child each say their own calls, once, as two instances."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from mcp_otel.call import Session
from mcp_otel.recorder import Recorder
from mcp_otel.settings import Settings
from tests.workers.crew import DURATION, INSTANCE, ROOT, Ledger, to

PARENT, CHILD, GRANDCHILD = 10, 7, 3
"""Calls of each: the parent serves before and after."""


@pytest.fixture
def sink() -> Iterator[Ledger]:
    with Ledger() as sink:
        yield sink


def run(how: str, sink: Ledger, protocol: str = "http/protobuf", **more: str) -> subprocess.CompletedProcess[str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "MCP_OTEL_"))}
    environ = {**inherited, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", **to(sink, protocol), **more}
    return subprocess.run(
        [sys.executable, "-m", "tests.workers.child", how],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def spans(sink: Ledger, name: str = "tools/call echo") -> dict[str, Counter[str]]:
    """By instance: how many spans of this name there are for each process that they name."""
    found: dict[str, Counter[str]] = {}
    for span in sink.spans:
        if span["name"] == name:
            said = found.setdefault(span["resource"][INSTANCE], Counter())
            said[span["attributes"]["jsonrpc.request.id"].split()[0]] += 1
    return found


def exact(sink: Ledger, *calls: int) -> None:
    """Whether as many instances as there are `calls` each said so many, by spans and by every kind of sum."""
    counted = {instance: sum(said.values()) for instance, said in spans(sink).items()}
    assert sorted(counted.values()) == sorted(calls)
    assert all(len(said) == 1 for said in spans(sink).values())
    assert sink.sums(DURATION, gen_ai__tool__name="echo") == counted
    opened = sorted(sink.sums("mcp_otel.sessions.opened").values())
    assert opened == sorted(2 if each == PARENT else 1 for each in calls)


@pytest.mark.parametrize(
    ("how", "protocol"),
    [("exit", "grpc"), ("multiprocessing", "http/protobuf"), ("spawn", "http/protobuf")],
)
def test_parent_and_child_each_say_their_own_calls_once(how: str, protocol: str, sink: Ledger) -> None:
    ended = run(how, sink, protocol)
    assert (ended.returncode, ended.stderr) == (0, "")
    exact(sink, PARENT, CHILD)


def test_a_child_that_forks_is_a_parent_like_any_other(sink: Ledger) -> None:
    ended = run("twice", sink)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "3\n", "")
    exact(sink, PARENT, CHILD, GRANDCHILD)


def test_a_child_that_serves_nothing_says_nothing(sink: Ledger) -> None:
    ended = run("idle", sink)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "3\n", "")
    exact(sink, PARENT)
    assert len(sink.said) == 1


def test_a_call_and_a_session_that_were_open_at_the_fork_are_the_parents() -> None:
    recorder, session, ended = Recorder(Settings()), Session("pipe"), []
    recorder.sinks.append(ended.append)
    recorder.connections.open_session(session, "client")
    calls = [recorder.arrive() for _ in range(2)]
    for call, number in zip(calls, (1, None), strict=True):
        recorder.open(call, "ping" if number else "notifications/initialized", None, number, session)
    entered = recorder.enter(calls[1])
    recorder.forget()
    recorder.leave(entered)
    for call in calls:
        recorder.answer(call, result={})
        recorder.handled(call)
        recorder.end(call)
    recorder.connections.close_session(session, "disconnect")
    assert (ended, recorder.totals.tallies, dict(recorder.totals.ended)) == ([], {}, {})
    assert (recorder.live.requests, recorder.live.sessions, recorder.level) == ({}, {}, 1)


def test_what_the_application_itself_says_in_a_child_is_the_childs(sink: Ledger) -> None:
    run("exit", sink)
    work = Counter((span["name"], span["resource"][INSTANCE]) for span in sink.spans if "work" in span["name"])
    child, parent = sorted(spans(sink), key=lambda instance: sum(spans(sink)[instance].values()))
    assert work == {("work of PARENT", parent): 2, ("work of CHILD", child): 1}


def test_a_child_is_another_instance_even_where_the_environment_names_it(sink: Ledger) -> None:
    run("exit", sink, OTEL_RESOURCE_ATTRIBUTES="service.instance.id=chosen")
    exact(sink, PARENT, CHILD)
    assert "chosen" in spans(sink)


def test_in_providers_of_the_applications_own_sums_of_a_child_begin_at_zero(sink: Ledger) -> None:
    ended = run("own", sink)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "3\n", "")
    assert sorted(sum(said.values()) for said in spans(sink).values()) == [CHILD, PARENT]
    assert sorted(sink.sums("mcp_otel.sessions.opened").values()) == [1, 2]
