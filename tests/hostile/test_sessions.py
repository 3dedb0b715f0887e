"""Ten thousand sessions, client names and protocol versions: what ends is let go of, what we say is bounded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mcp_otel.methods import PROTOCOL_VERSIONS
from mcp_otel.signals.names import MAX_CLIENTS, MAX_SERIES, METRICS
from tests.hostile.attacked import HANDSHAKE, Attacked, both, head, hello, labels, series_beyond, servers
from tests.sink import Sink

SESSIONS = 10_000
ABANDONED = 500
BOUNDS = {metric.name: metric.bound or MAX_SERIES for metric in METRICS}


def flood(one: Attacked, numbers: range, end: bool) -> set[Any]:
    """Open a session for each number, and delete it if it shall end; the different answers."""
    answers: set[Any] = set()
    connection = one.connect()
    for number in numbers:
        raw = json.dumps(hello(f"evil-client-{number}", f"evil-version-{number}")).encode()
        status, said, headers = one.send(head(len(raw)) + raw, connection)
        answers.add((status, said))
        if end:
            session = headers.get("mcp-session-id", "")
            gone = head(0, f"mcp-session-id: {session}", f"mcp-protocol-version: {HANDSHAKE}", method="DELETE")
            answers.add(one.send(gone, connection)[:2])
    connection.close()
    return answers


@pytest.mark.timeout(240)
def test_ten_thousand_sessions_leave_only_those_that_nobody_ended(sink: Sink) -> None:
    with both(sink, "http", "--json") as (ours, bare):
        expected = flood(bare, range(10), False) | flood(bare, range(10), True)
        answers = flood(ours, range(ABANDONED), False) | flood(ours, range(ABANDONED, 1000), True)
        early = ours.inspected()
        answers |= flood(ours, range(1000, SESSIONS), True)
        late = ours.inspected()
        sink.wait_for(lambda _: counted(sink, "mcp_otel.sessions.ended") >= SESSIONS - ABANDONED)
        assert (answers, ours.complaints(), late["failures"]) == (expected, [], {})
        assert counted(sink, "mcp_otel.sessions.opened") >= SESSIONS
        assert len(sink.series("mcp_otel.sessions.opened")) <= MAX_CLIENTS + 1
        assert series_beyond(sink, BOUNDS) == {}
        said = {label for label in labels(sink) if "evil" in label}
        assert said <= {f"evil-client-{number}" for number in range(MAX_CLIENTS)}
        assert {span["attributes"].get("mcp.protocol.version") for span in servers(sink)} <= {None, *PROTOCOL_VERSIONS}
        assert (late["ours"]["Session"], late["ours"]["Call"]) <= (ABANDONED + 5, ABANDONED + 5)
        grown = {kind: count - early["ours"].get(kind, 0) for kind, count in late["ours"].items()}
        assert {kind: count for kind, count in grown.items() if count > 20} == {}
        more = late["rss"] - early["rss"]
        assert more < 20_000_000, f"{more / 1e6:.1f} MB more after {SESSIONS - 1000} sessions"


def counted(sink: Sink, name: str) -> int:
    """The sum over all series of `name`."""
    return int(sum(point["value"] for point in sink.series(name).values()))
