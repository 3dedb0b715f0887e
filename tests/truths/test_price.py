"""What it costs a real server to be watched while it has nothing to do, from outside and by its own account."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.__main__ import cpu_seconds
from tests.truths.patient import Patient, patient

IDLE = 12.0
"""Seconds: the slow readings, every ten by default, come at least once in them."""
MOST = 0.005
"""The share of one core. The host alone needs 0.3 %: uvicorn looks ten times a second whether it should end."""


def pid_of(server: Patient) -> int:
    """The process that serves: what was started has become it."""
    pid = server.process.popen.pid
    assert b"tests.truths.sick" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return pid


@pytest.mark.skipif(
    not Path("/proc/self/task").is_dir() or not Path("/proc/self/schedstat").exists(),
    reason="no /proc that tells how long each thread was on a processor",
)
def test_to_watch_an_idle_server_takes_half_a_percent_of_a_core_at_most(capsys: pytest.CaptureFixture[str]) -> None:
    # Both at the same time, so that what else this machine does happens to both.
    usual = {"OTEL_METRIC_EXPORT_INTERVAL": "60000", "OTEL_BSP_SCHEDULE_DELAY": "5000", "MCP_OTEL_COST_BUDGET": "0.05"}
    with patient(**usual) as watched, patient(MCP_OTEL_LEVEL="off") as bare:
        clients = [server.client() for server in (watched, bare)]
        assert [client.call("say", size=3) for client in clients] == ["xxx", "xxx"]
        watched.sink.wait_for(lambda sink: any(span["name"] == "tools/call say" for span in sink.spans))
        pids = [pid_of(server) for server in (watched, bare)]
        assert watched.sink.quiet(2.0)  # the first readings, and imports, are over
        before = [cpu_seconds(pid) for pid in pids]
        assert watched.sink.quiet(IDLE)
        whole, host = (cpu_seconds(pid) - earlier for pid, earlier in zip(pids, before, strict=True))
        assert watched.value("mcp_otel.cost.time", mcp_otel__part="vitals") is None  # no export yet
        watched.process.stop()
        own = watched.value("mcp_otel.cost.time", mcp_otel__part="vitals")
        failures = watched.sink.series("mcp_otel.failures")
    with capsys.disabled():
        print(
            f"\nidle for {IDLE:.0f} s, shares of a core: {whole / IDLE:.2%}, the bare host {host / IDLE:.2%}; "
            f"vitals say {own * 1000:.0f} ms since the start"
        )
    assert host > 0
    assert whole - host <= MOST * IDLE
    assert 0 < own <= MOST * IDLE
    assert failures == {}
