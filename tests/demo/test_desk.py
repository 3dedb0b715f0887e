"""The support desk and its users, on whichever line of the SDK is installed, without mcp-otel."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterator
from time import monotonic
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from mcp_otel.demo.desk import SICKNESSES
from mcp_otel.demo.users import run
from tests.contract.process import Process
from tests.wire import HttpWire

INITIALIZE = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "tests", "version": "1"}}


class Desk:
    """A desk in a process of its own and a client that holds one session with it."""

    def __init__(self, url: str) -> None:
        self.url, self._wire = url, HttpWire(url)
        assert "result" in self._ask("initialize", INITIALIZE)
        self._wire.version = "2025-06-18"

    def _ask(self, method: str, params: dict[str, Any], seconds: float = 20.0) -> dict[str, Any]:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answered: dict[str, Any] = self._wire.begin(body).wait(seconds).body
        return answered

    def call(self, tool: str, **arguments: object) -> dict[str, Any]:
        """The result of a tool."""
        return self._ask("tools/call", {"name": tool, "arguments": arguments})["result"]

    def begin(self, tool: str, **arguments: object) -> Any:
        """The same, without waiting."""
        params = {"name": tool, "arguments": arguments}
        return self._wire.begin({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params})

    def read(self, uri: str) -> dict[str, Any]:
        """The whole answer to reading a resource."""
        return self._ask("resources/read", {"uri": uri})

    def http(self, path: str, method: str = "GET") -> Any:
        """What a page beside the protocol answers."""
        with urlopen(Request(self.url.replace("/mcp", path), method=method), timeout=10) as response:
            return json.loads(response.read())


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    process = Process([sys.executable, "-m", "mcp_otel.demo.desk", "--port", "0"])
    try:
        yield Desk(process.wait_for_line(r"support-desk: (http\S+)")[1])
    finally:
        process.stop()


@pytest.fixture(autouse=True)
def well(desk: Desk) -> Iterator[None]:
    yield
    desk.http("/sickness", "DELETE")


def test_a_healthy_desk_serves_every_tool(desk: Desk) -> None:
    assert desk.http("/health") == {"status": "ok"}
    assert len(desk.call("search_articles", query="printer")["structuredContent"]["result"]) == 5
    opened = desk.call("open_ticket", customer="Ann", subject="router")["structuredContent"]
    assert desk.call("customer_history", customer="Ann")["structuredContent"]["result"] == [opened]
    assert "router" in desk.call("ask_expert", question="Where is my router?")["content"][0]["text"]
    assert "part 8." in desk.read("desk://articles/8")["result"]["contents"][0]["text"]


def test_a_ticket_without_a_subject_is_the_tools_own_no(desk: Desk) -> None:
    refused = desk.call("open_ticket", customer="Ann", subject=" ")
    assert (refused["isError"], "needs a subject" in refused["content"][0]["text"]) == (True, True)


def test_faults_are_the_servers_own(desk: Desk) -> None:
    assert desk.http("/sickness/faults", "PUT") == {"sickness": "faults"}
    assert desk.read("desk://articles/8")["error"]["code"] not in (-32700, -32600, -32601, -32602, -32002)
    assert desk.http("/sickness", "DELETE") == {"sickness": None}
    assert "result" in desk.read("desk://articles/8")


def test_a_hung_call_ends_when_the_desk_is_cured(desk: Desk) -> None:
    desk.http("/sickness/hung", "PUT")
    pending = desk.begin("ask_expert", question="Hello?")
    assert not pending.over(0.5)
    desk.http("/sickness", "DELETE")
    assert "result" in pending.wait().body


def test_overhead_is_answers_that_are_a_hundred_times_as_large(desk: Desk) -> None:
    few = len(json.dumps(desk.call("search_articles", query="r")))
    desk.http("/sickness/overhead", "PUT")
    assert len(json.dumps(desk.call("search_articles", query=""))) > 50 * few


def test_a_blocked_desk_answers_nobody_for_a_second(desk: Desk) -> None:
    desk.http("/sickness/blocked", "PUT")
    blocking = desk.begin("ask_expert", question="Hello?")
    waits = [0.0]
    while not blocking.over():
        began = monotonic()
        assert desk.http("/health") == {"status": "ok"}
        waits.append(monotonic() - began)
    assert "result" in blocking.body
    assert max(waits) > 0.5


def test_retention_is_invisible_to_a_customer(desk: Desk) -> None:
    opened = desk.call("open_ticket", customer="Bob", subject="refund")["structuredContent"]
    desk.http("/sickness/retention", "PUT")
    assert desk.call("customer_history", customer="Bob")["structuredContent"]["result"] == [opened]


def test_a_sickness_that_is_none_is_refused_with_those_that_are(desk: Desk) -> None:
    with pytest.raises(HTTPError) as refused:
        desk.http("/sickness/flu", "PUT")
    assert (refused.value.code, json.loads(refused.value.read())["error"]) == (
        404,
        f"must be one of {', '.join(SICKNESSES)}",
    )


def test_users_hold_conversations_in_which_some_calls_fail(desk: Desk) -> None:
    counts = asyncio.run(run(desk.url, users=3, seconds=3.0, think=0.01))
    assert set(counts) == {"served", "failed"}
    assert counts["served"] > counts["failed"] > 0


def test_users_of_a_server_that_is_not_there_say_that_nothing_was_served() -> None:
    counts: Counter[str] = asyncio.run(run("http://127.0.0.1:9/mcp", users=1, seconds=0.5, think=0.1))
    assert set(counts) == {"lost"}
