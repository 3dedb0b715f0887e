"""Real clients of the installed line under `mcp-otel run`: one CLIENT span a message, and the server's is its child."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.contract.heard import telemetry
from tests.contract.process import Process
from tests.house.source import ROOT
from tests.sink import Sink

RUN = [sys.executable, "-W", "ignore", "-m", "mcp_otel", "run", "--", sys.executable]
SAID = (
    "initialize",
    "notifications/initialized",
    "tools/list",
    "tools/call open_ticket",
    "tools/call open_ticket",
    "tools/call _other",
    "ping",
)


def environ(sink: Sink) -> dict[str, str]:
    return {**telemetry(sink), "PYTHONPATH": str(ROOT), "MCP_OTEL_SUMMARY": "off"}


@pytest.fixture(params=["http", "stdio"])
def told(request: pytest.FixtureRequest) -> Any:
    """A client has talked to the support desk; both are watched, and what they said is in the sink."""
    with Sink() as sink:
        desk, target = None, [sys.executable, "-W", "ignore", "-m", "tests.clients.desk"]
        if request.param == "http":
            desk = Process([*RUN, "-m", "mcp_otel.demo.desk", "--port", "0"], environ(sink))
        try:
            if desk is not None:
                target = [desk.wait_for_line(r"support-desk: (http\S+)")[1]]
            client = Process([*RUN, "-m", "tests.clients.talker", *target], environ(sink))
            status, _ = client.leave(30)
        finally:
            if desk is not None:
                desk.stop()
        assert (status, client.errors) == (0, [])
        sink.wait_for(lambda _: len(of(sink, "CLIENT")) >= len(SAID), 5)
        yield request.param, sink


def of(sink: Sink, kind: str) -> list[dict[str, Any]]:
    return sorted((span for span in sink.spans if span["kind"] == kind), key=lambda span: span["start"])


def test_each_message_of_a_client_is_one_client_span_by_the_conventions(told: Any) -> None:
    door, sink = told
    spans = of(sink, "CLIENT")
    assert tuple(span["name"] for span in spans) == SAID
    assert {span["scope"]["name"] for span in spans} == {"mcp_otel"}
    by_name = {span["name"]: span for span in spans}
    said = by_name["tools/list"]["attributes"]
    assert said["mcp.method.name"] == "tools/list"
    assert said["network.transport"] == ("tcp" if door == "http" else "pipe")
    assert ("server.port" in said, said.get("server.address")) == (
        (True, "127.0.0.1") if door == "http" else (False, None)
    )
    assert ("mcp.session.id" in said) == (door == "http")
    failed = [span["attributes"].get("error.type") for span in spans]
    assert failed == [None, None, None, None, "tool_error", "tool_error", None]
    assert [span["status"]["code"] for span in spans] == ["UNSET"] * 4 + ["ERROR"] * 2 + ["UNSET"]


def test_the_server_of_each_message_is_a_child_of_its_client(told: Any) -> None:
    _, sink = told
    clients = {span["span_id"]: span["name"] for span in of(sink, "CLIENT")}
    servers = of(sink, "SERVER")
    assert len(servers) == len(SAID)
    assert [clients.get(span["parent_span_id"]) for span in servers] == [span["name"] for span in servers]


def test_the_standard_histograms_of_a_client_count_it(told: Any) -> None:
    _, sink = told
    counts = sink.series("mcp.client.operation.duration")
    assert sum(point["value"] for point in counts.values()) == len(SAID)
    sessions = sink.series("mcp.client.session.duration")
    assert sum(point["value"] for point in sessions.values()) == 1


@pytest.mark.parametrize(("tool", "question"), [("ask", "roots/list"), ("think", "sampling/createMessage")])
def test_what_a_server_asks_its_client_is_a_client_span_of_the_server_and_a_server_span_of_the_client(
    tool: str, question: str
) -> None:
    with Sink() as sink:
        target = [sys.executable, "-W", "ignore", "-m", "tests.clients.asker"]
        client = Process([*RUN, "-m", "tests.clients.answerer", tool, *target], environ(sink))
        status, said = client.leave(30)
        assert (status, said, client.errors) == (0, b"0\n", [])
        sink.wait_for(lambda _: len(of(sink, "SERVER")) >= 4, 5)
        spans = {(span["kind"], span["name"]): span for span in sink.spans}
    asked, answered = spans["CLIENT", question], spans["SERVER", question]
    assert asked["parent_span_id"] == spans["SERVER", f"tools/call {tool}"]["span_id"]
    assert answered["parent_span_id"] == asked["span_id"]
    assert answered["status"]["code"] == asked["status"]["code"] == "UNSET"
    assert asked["resource"]["service.instance.id"] != answered["resource"]["service.instance.id"]
