"""The event loop and its threads, of real servers whose true state is known."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.truths import sick
from tests.truths.patient import patient, text_of

LINE = next(
    number for number, row in enumerate(Path(sick.__file__).read_text().splitlines(), 1) if "must be named" in row
)
PLACE = f"tests/truths/sick.py:{LINE}"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_loop_that_is_busy_for_37_percent_of_the_time_reads_37_and_so_does_its_tool(loop: str) -> None:
    with patient(*(["--uvloop"] if loop == "uvloop" else [])) as server:
        client = server.client()
        client.call("crunch", step=0.0, share=1.0, times=1)
        before = server.await_value("mcp_otel.loop.busy.time", lambda _: True)
        busy, processor, elapsed = map(float, client.call("crunch", step=0.037, share=0.37, times=60).split())
        tool = server.await_value(
            "mcp_otel.loop.tool.time", lambda value: value > 0.3 * elapsed, gen_ai__tool__name="crunch"
        )
        # Of a loop whose selector nobody sees, the processor's clock tells.
        truth = busy if loop == "asyncio" else processor
        read = server.await_value("mcp_otel.loop.busy.time", lambda value: value - before > 0.97 * truth) - before
    assert busy / elapsed == pytest.approx(0.37, abs=0.02)
    assert read / elapsed == pytest.approx(truth / elapsed, abs=0.03)
    assert tool / elapsed == pytest.approx(busy / elapsed, abs=0.03)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_block_of_700_ms_names_its_line_on_its_span_and_in_the_metrics(loop: str) -> None:
    with patient(*(["--uvloop"] if loop == "uvloop" else [])) as server:
        server.client().call("block", seconds=0.7)
        labels = {"mcp_otel__place": PLACE, "gen_ai__tool__name": "block"}
        seconds = server.await_value("mcp_otel.loop.blocked.time", lambda value: value > 0.6, **labels)
        times = server.value("mcp_otel.loop.blockages", **labels)
        spans = server.sink.wait_for(lambda sink: [span for span in sink.spans if span["name"] == "tools/call block"])
        assert server.sink.value("mcp_otel.failures") is None
    assert (times, seconds) == (1, pytest.approx(0.7, abs=0.1))
    (event,) = spans[0]["events"]
    assert event["name"] == "mcp_otel.loop.blocked"
    assert event["attributes"] == {
        "mcp_otel.loop.blocked.seconds": pytest.approx(0.7, abs=0.1),
        "code.file.path": "tests/truths/sick.py",
        "code.line.number": LINE,
        "code.function.name": "block",
    }
    assert spans[0]["start"] < event["time"] <= spans[0]["end"]


def test_a_blocked_loop_is_told_of_while_it_is_blocked() -> None:
    with patient() as server:
        call = server.client().begin("block", seconds=4.0)
        labels = {"mcp_otel__place": PLACE, "gen_ai__tool__name": "block"}
        early = server.await_value("mcp_otel.loop.blocked.time", lambda value: value > 0.3, 3.0, **labels)
        assert not call.over()
        text_of(call)
        late = server.await_value("mcp_otel.loop.blocked.time", lambda value: value > 3.9, **labels)
        assert server.value("mcp_otel.loop.blockages", **labels) == 1
    assert 0.3 < early < 4.0
    assert late == pytest.approx(4.0, abs=0.3)


def test_forty_worker_threads_that_work_and_twelve_calls_that_wait_read_40_and_12() -> None:
    with patient() as server:
        client = server.client()
        calls = [client.begin("hold") for _ in range(52)]
        waiting = server.await_value("mcp_otel.threads.waiting", lambda value: value == 12, mcp_otel__pool="anyio")
        used, limit = (server.value(f"mcp_otel.threads.{what}", mcp_otel__pool="anyio") for what in ("used", "limit"))
        client.call("release")
        assert [text_of(call) for call in calls] == ["released"] * 52
        idle = server.await_value("mcp_otel.threads.used", lambda value: value == 0, mcp_otel__pool="anyio")
    assert (used, limit, waiting, idle) == (40, 40, 12, 0)


def test_how_late_the_loop_runs_what_is_due_is_seen() -> None:
    with patient() as server:
        client = server.client()
        client.call("crunch", step=0.2, share=0.8, times=20)
        server.await_value("mcp_otel.loop.lag", lambda beats: beats > 5)
        (point,) = server.sink.series("mcp_otel.loop.lag").values()
    # What is due at any moment of a step of 200 ms waits for 100 ms, and a fifth of the time there is no step.
    assert 0.02 < point["sum"] / point["value"] < 0.2


def test_the_summary_says_it_too() -> None:
    with patient(MCP_OTEL_SUMMARY="exit") as server:
        client = server.client()
        client.call("block", seconds=0.7)
        client.call("crunch", step=0.05, share=0.5, times=20)
        server.process.stop()
        said = "\n".join(server.process.errors)
    assert re.search(rf"event loop blocked 1 x, (6|7)\d\d ms in all: by block, at {re.escape(PLACE)}", said), said
    assert re.search(r"event loop: busy \d+ % of the time, most of it for crunch \(\d+ %\)", said), said
    assert re.search(r"memory: [\d.]+ MB of [\d.]+ GB \(", said), said
