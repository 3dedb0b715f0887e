"""Memory, sessions and contexts of real servers whose true state is known."""

from __future__ import annotations

import random
import time

import pytest

from tests.truths.patient import Patient, patient

KB = 1000
SOON = {"MCP_OTEL_VITALS_INTERVAL": "0.05", "MCP_OTEL_RETENTION_GRACE": "0.2"}


def live(server: Patient, seconds: float, leaking: int, until: str | None = None) -> None:
    """Clients of all kinds come and go in no order; each session that ends leaves so many bytes behind."""
    dice, talker = random.Random(7), server.client()
    began = time.monotonic()
    while time.monotonic() - began < seconds and (until is None or server.value(until) is None):
        what = dice.choice(("sessions", "calls", "nothing"))
        for _ in range(dice.randint(1, 12) if what != "nothing" else 0):
            if what == "sessions":
                client = server.client()
                client.call("leak", size=leaking)
                client.end()
            else:
                talker.call("say", size=10)
        talker.call("collect")
        if what == "nothing":
            time.sleep(0.3)


def test_a_leak_of_100_kb_a_session_reads_100_kb_a_session_and_has_an_end() -> None:
    with patient(**SOON) as server:
        live(server, 40, 100 * KB, "mcp_otel.memory.per_session")
        each = server.value("mcp_otel.memory.per_session")
        left, limit = server.value("mcp_otel.memory.time_to_limit"), server.value("mcp_otel.memory.limit")
        floor, used = server.value("mcp_otel.memory.floor"), server.value("process.memory.usage")
        assert server.value("mcp_otel.memory.per_call") is None
    assert each == pytest.approx(100 * KB, rel=0.2)
    assert floor <= used < limit
    assert 0 < left < 7 * 86_400


def test_a_verdict_on_sessions_that_leave_nothing_behind_is_withdrawn_once_the_server_is_warm() -> None:
    with patient(**SOON) as server:
        for _ in range(12):
            live(server, 4, 0)
            if not server.still("mcp_otel.memory.time_to_limit"):
                break
        live(server, 4, 0)
        assert server.value("mcp_otel.memory.floor") > 10 * KB * KB
        assert not server.still("mcp_otel.memory.time_to_limit")
        assert not server.still("mcp_otel.memory.per_session")


def test_sessions_that_clients_abandon_are_a_level_with_an_end_and_not_a_leak() -> None:
    with patient("--cap", "500", "--idle", "3600", **SOON) as server:
        kept = []
        while server.value("mcp_otel.sessions.time_to_limit") is None and len(kept) < 200:
            kept.append(server.client())
            time.sleep(0.03)
        began, first = time.monotonic(), len(kept)
        while time.monotonic() - began < 2:
            kept.append(server.client())
            time.sleep(0.03)
        pace = (len(kept) - first) / (time.monotonic() - began)
        left = server.value("mcp_otel.sessions.time_to_limit")
        forecast, size = server.value("mcp_otel.sessions.forecast"), server.value("mcp_otel.sessions.forecast.size")
        kept[0].call("collect")
        states = server.by("mcp_otel.sessions", "mcp_otel.state")
        retained = server.by("mcp_otel.objects.retained", "mcp_otel.type")
    assert left == pytest.approx((500 - len(kept)) / pace, rel=0.4)
    assert forecast == 500
    assert 500 * KB < size < 500 * 200 * KB
    assert states["retained"] == 0
    assert set(retained.values()) <= {0}


def test_sessions_that_are_reclaimed_before_the_cap_settle_at_a_level() -> None:
    with patient("--cap", "5000", "--idle", "5", **SOON) as server:
        kept = []
        while server.value("mcp_otel.sessions.forecast") is None and len(kept) < 200:
            kept.append(server.client())
            time.sleep(0.03)
        forecast = server.value("mcp_otel.sessions.forecast")
        assert server.value("mcp_otel.sessions.time_to_limit") is None
    assert len(kept) < forecast < 1000


def test_a_conversation_is_as_large_as_what_was_said_and_kept_and_grows_by_what_a_turn_adds() -> None:
    with patient(**SOON) as server:
        client = server.client()
        for _ in range(20):
            client.call("say", size=5 * KB)
            time.sleep(0.06)
        said = sum(map(len, client.wire.sent)) + sum(map(len, client.wire.received))
        size = server.await_value("mcp_otel.context.size", lambda value: value > said, mcp_otel__stat="max")
        growth = server.await_value("mcp_otel.context.growth", lambda _: True, mcp_otel__stat="max")
        assert said < size < said + 400 * KB
        assert growth == pytest.approx(said / 20, rel=0.3)
        client.end()
        assert server.await_value("mcp_otel.context.size", lambda value: value < KB, mcp_otel__stat="max") < KB


def test_what_an_application_keeps_for_a_session_counts_where_it_says_so() -> None:
    with patient(**SOON) as server:
        client, other = server.client(), server.client()
        for _ in range(20):
            client.call("remember", who=client.wire.session, size=20 * KB)
            time.sleep(0.06)
        size = server.await_value("mcp_otel.context.size", lambda value: value > 400 * KB, mcp_otel__stat="max")
        mean = server.value("mcp_otel.context.size", mcp_otel__stat="mean")
        growth = server.await_value("mcp_otel.context.growth", lambda value: value > 15 * KB, mcp_otel__stat="max")
        other.call("collect")
    assert 400 * KB < size < 800 * KB
    assert size / 2 < mean < 0.8 * size
    assert growth == pytest.approx(20 * KB, rel=0.3)


def test_what_the_process_takes_is_said_as_the_conventions_have_it() -> None:
    with patient(**SOON) as server:
        server.client().call("say", size=1)
        assert server.await_value("process.memory.usage", lambda value: value > 20 * KB * KB) > 20 * KB * KB
        assert server.value("process.memory.virtual") > server.value("process.memory.usage")
        assert server.value("process.cpu.time", cpu__mode="user") > 0.2
        assert server.value("process.unix.file_descriptor.count") > 3
        assert server.value("process.thread.count") > 2
        assert server.value("process.uptime") > 0.2
        assert sum(server.by("cpython.gc.collections", "cpython.gc.generation").values()) > 0
        assert sum(server.by("mcp_otel.gc.pause.time", "cpython.gc.generation").values()) >= 0
