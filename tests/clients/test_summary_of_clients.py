"""A program that only talks to servers sums up what it has sent, under `mcp-otel run`."""

from __future__ import annotations

import re
import sys

from tests.contract.process import Process

TALKER = [sys.executable, "-m", "mcp_otel", "run", "--", sys.executable, "-W", "ignore", "-m", "tests.clients.talker"]
TIME = r"\d[\d.]*(?:µs|ms|s)"


def test_a_client_says_how_many_messages_it_has_sent_and_how_long_it_waited() -> None:
    server = ["env", "MCP_OTEL_SUMMARY=off", sys.executable, "-W", "ignore", "-m", "tests.clients.desk"]
    client = Process([*TALKER, *server])
    status, _ = client.leave(30)
    assert status == 0
    said = "\n".join(client.errors)
    assert re.match(r"\nmcp-otel: MCP client \(pid \d+\) after [\d.]+ m?s\n7 messages sent, none received\n", said), (
        said
    )
    assert re.search(r"^ +sent  failed +p50 +p95$", said, re.MULTILINE)
    # Whoever is not among the tools has no name; with it that is another kind of request.
    for row in ("open_ticket +2 +1", "initialize +1 +-", "tools/list +1 +-", "ping +1 +-", "_other +1 +1"):
        assert re.search(rf"^(tools/)?{row} +{TIME} +{TIME}$", said, re.MULTILINE), (row, said)
    assert re.search(r"^mcp-otel itself: .* a message\.$", said, re.MULTILINE)
    assert "not a single MCP message" not in said
