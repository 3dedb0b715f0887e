"""What the owner of a client opens is on its CLIENT spans, of models (1.x) and of plain results (2.x) alike."""

from __future__ import annotations

import json

from tests.clients.test_clients import RUN, environ, of
from tests.contract.process import Process
from tests.sink import Sink

OPEN = {f"MCP_OTEL_CAPTURE_{kind}": "on" for kind in ("ARGUMENTS", "RESULTS", "SESSION_ID", "ERRORS")}


def test_arguments_results_ids_and_errors_of_a_client() -> None:
    with Sink() as sink:
        desk = Process([*RUN, "-m", "mcp_otel.demo.desk", "--port", "0"], environ(sink))
        try:
            url = desk.wait_for_line(r"support-desk: (http\S+)")[1]
            client = Process([*RUN, "-m", "tests.clients.talker", url], {**environ(sink), **OPEN})
            status, _ = client.leave(30)
        finally:
            desk.stop()
        assert (status, client.errors) == (0, [])
        sink.wait_for(lambda _: len(of(sink, "CLIENT")) >= 7, 5)
        spans = of(sink, "CLIENT")
        served = of(sink, "SERVER")
    calls = [span for span in spans if span["name"].startswith("tools/call")]
    said = [span["attributes"] for span in calls]
    arguments = [json.loads(each["gen_ai.tool.call.arguments"]) for each in said]
    assert arguments == [{"customer": "Ann", "subject": "router"}, {"customer": "Ann", "subject": " "}, {}]
    results = [json.loads(each["gen_ai.tool.call.result"]) for each in said]
    assert [result["isError"] for result in results] == [False, True, True]
    assert results[1]["content"][0]["text"] == said[1]["mcp_otel.error.message"] == calls[1]["status"]["message"]
    ids = {span["attributes"]["mcp.session.id"] for span in spans[1:]}
    digests = {span["attributes"]["mcp.session.id"] for span in served if "mcp.session.id" in span["attributes"]}
    assert ([len(each) >= 32 for each in ids], [len(each) for each in digests]) == ([True], [16])
    names = {name for span in served for name in span["attributes"]}
    assert names.isdisjoint({"gen_ai.tool.call.arguments", "gen_ai.tool.call.result", "mcp_otel.error.message"})
