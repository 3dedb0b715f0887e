"""Sessions that are over and still in memory: of real lines of the SDK that keep them, and of lines that do not."""

from __future__ import annotations

import re
import signal
from importlib.metadata import version

import pytest

from tests.truths.patient import Patient, patient
from tests.vitals.retention_probe import python_of

KB = 1000
SOON = {"MCP_OTEL_VITALS_INTERVAL": "0.1", "MCP_OTEL_RETENTION_GRACE": "0.2", "MCP_OTEL_SUMMARY": "exit"}
TRANSPORT = "StreamableHTTPServerTransport"
ENDED = 25


def converse(server: Patient, sessions: int, end: bool = True) -> None:
    for _ in range(sessions):
        client = server.client()
        client.call("say", size=100)
        if end:
            client.end()


def judged(server: Patient, wanted: int) -> dict[str, int]:
    """Sessions by state once so many are retained, or a while after the grace, the host having collected meanwhile."""
    client = server.client()
    for _ in range(30):
        client.call("collect")
        if server.sink.wait_for(lambda _: server.value("mcp_otel.sessions", mcp_otel__state="retained") == wanted, 0.1):
            if wanted:
                break
            server.sink.quiet(0.1)
    return server.by("mcp_otel.sessions", "mcp_otel.state")


@pytest.mark.skipif(version("mcp").startswith("1."), reason="tried once, with the tests of the 2.x line")
@pytest.mark.parametrize("environment", ["mcp_1_29", "mcp_2_1"])
def test_a_line_that_keeps_deleted_sessions_is_found_out_by_name_count_size_and_holder(environment: str) -> None:
    with patient(python=python_of(environment), **SOON) as server:
        converse(server, ENDED)
        states = judged(server, ENDED)
        retained = server.by("mcp_otel.objects.retained", "mcp_otel.type")
        size = server.await_value("mcp_otel.objects.size", lambda _: True, mcp_otel__type=TRANSPORT)
        ended = server.by("mcp_otel.sessions.ended", "mcp_otel.reason")
        server.process.popen.send_signal(signal.SIGUSR1)
        said = server.process.wait_for_line("kept after").string.strip()
        held = server.process.wait_for_line("held by").string
    assert states["retained"] == retained.pop(TRANSPORT) == ENDED
    assert set(retained.values()) == {0}
    assert ended == {"delete": ENDED}
    assert 2 * KB < size < 8 * KB
    assert re.fullmatch(rf"{ENDED} of {ENDED} {TRANSPORT} kept after their session ended, \d\.\d+ kB each", said)
    manager = "StreamableHTTPSessionManager"
    assert held == f"  held by {manager}.run() → {manager}._server_instances[…] → {TRANSPORT}"


def test_a_line_that_lets_go_of_them_retains_none_and_those_that_clients_abandon_are_open() -> None:
    with patient(**SOON) as server:
        converse(server, ENDED)
        converse(server, 10, end=False)
        states = judged(server, 0)
        retained = server.by("mcp_otel.objects.retained", "mcp_otel.type")
        server.process.stop()
        said = "\n".join(server.process.errors)
    assert TRANSPORT in retained
    assert set(retained.values()) == {0}
    assert states == {"active": 11, "idle": 0, "retained": 0}
    assert "kept after" not in said, said
