"""HTTP requests that are refused before they are messages: counted, by why; also whose session another worker has."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from mcp_otel.refusals import MAX_KNOWN, Refusals, Refused
from mcp_otel.siblings import Siblings
from tests.promises import messages
from tests.workers.crew import Ledger, Server, gunicorn, serving, uvicorn

HELLO = messages.HELLO[0]


@pytest.fixture
def sink() -> Iterator[Ledger]:
    with Ledger() as sink:
        yield sink


def rejected(sink: Ledger) -> dict[str, float]:
    """Refused requests by reason, over all instances."""
    found: Counter[str] = Counter()
    for series in list(sink.said.values()):
        for (metric, labels), value in series.items():
            if metric == "mcp_otel.http.rejected":
                found[dict(labels)["mcp_otel.refusal"]] += value
    return dict(found)


def opened(server: Server) -> dict[str, str]:
    """The headers of a session that was opened now."""
    status, said, body = server.request(body=HELLO)
    assert status == 200, body
    return {"Mcp-Session-Id": said["mcp-session-id"], "Mcp-Protocol-Version": messages.HANDSHAKE}


def test_every_refusal_is_counted_by_its_reason_and_no_message_is_one(sink: Ledger, tmp_path: Path) -> None:
    with serving(uvicorn(1), tmp_path, sink, DESK_STATEFUL="1") as server:
        server.await_workers(1)
        before = sum(1 for _ in range(2) if server.request("GET", headers={"Accept": "text/plain"})[0] == 406)
        session = opened(server)
        ping = messages.request(1, "ping")
        asked = [
            (server.request(body=ping), 400, "session_missing"),
            (server.request(body=ping, headers={**session, "Mcp-Session-Id": "ab" * 16}), 404, "session_unknown"),
            (server.request(body=ping, headers={**session, "Accept": "text/html"}), 406, "not_acceptable"),
            (server.request(body=ping, headers={**session, "Content-Type": "text/html"}), 400, "media_type"),
            (server.request("PUT", headers=session), 405, "method"),
            (server.request(body=ping, headers={**session, "Host": "elsewhere.example"}), 421, "host"),
            (server.request(body=ping, headers={**session, "Origin": "http://elsewhere.example"}), 403, "origin"),
            (server.request(body=b"", headers={**session, "Content-Length": "5000000"}), 413, "too_large"),
            (server.request("DELETE", headers=session), 200, None),
            (server.request(body=ping, headers=session), 404, "session_ended"),
        ]
        assert [answer[0] for answer, _, _ in asked] == [status for _, status, _ in asked]
        server.request(body=b"this is no JSON")
        server.stop()
    found = rejected(sink)
    refused = Counter(reason for _, _, reason in asked if reason is not None)
    assert found.pop("not_acceptable") >= before + refused.pop("not_acceptable")
    assert found == refused
    assert not [body for body in sink.bodies if session["Mcp-Session-Id"].encode() in body]


@pytest.mark.parametrize(
    "launcher", [uvicorn(2), gunicorn(2), gunicorn(2, "--preload")], ids=["uvicorn", "gunicorn", "gunicorn-preload"]
)
def test_a_session_of_another_worker_is_told_from_an_unknown_and_from_an_ended_one(
    launcher: Callable[[int], list[str]], sink: Ledger, tmp_path: Path
) -> None:
    ping = messages.request(1, "ping")
    with serving(launcher, tmp_path, sink, DESK_STATEFUL="1") as server:
        server.await_workers(2)
        session = opened(server)
        statuses: Counter[int] = Counter()
        while len(statuses) < 2 or sum(statuses.values()) < 20:
            statuses[server.request(body=ping, headers=session)[0]] += 1
            assert sum(statuses.values()) < 500, statuses
        while server.request("DELETE", headers=session)[0] != 200:
            statuses[404] += 1
        unknown = Counter(server.request(body=ping, headers={"Mcp-Session-Id": "ab" * 16})[0] for _ in range(5))
        server.stop()
    found = rejected(sink)
    found.pop("not_acceptable", None)
    assert set(statuses) == {200, 404}
    assert found == {"session_elsewhere": statuses[404], "session_unknown": unknown[404]}, server.said
    (file,) = (tmp_path / next(each.name for each in tmp_path.iterdir() if each.name.startswith("mcp-otel-"))).iterdir()
    assert session["Mcp-Session-Id"].encode() not in file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0


def test_a_connection_that_stays_with_its_worker_has_nothing_refused(sink: Ledger, tmp_path: Path) -> None:
    with serving(uvicorn(2), tmp_path, sink, DESK_STATEFUL="1") as server:
        server.await_workers(2)
        with closing(HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
            headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
            for number in range(6):
                body = json.dumps(HELLO if not number else messages.request(number, "ping"))
                connection.request("POST", "/mcp", body, headers)
                response = connection.getresponse()
                response.read()
                assert response.status == 200
                headers["Mcp-Session-Id"] = response.getheader("Mcp-Session-Id") or headers["Mcp-Session-Id"]
        server.stop()
    assert {reason for reason in rejected(sink) if reason.startswith("session")} == set()


def test_a_worker_that_is_gone_has_ended_its_sessions(tmp_path: Path) -> None:
    siblings = Siblings(tmp_path / "shared", os.getpid())
    assert siblings.alive("0123456789abcdef") is None
    siblings.note("0123456789abcdef")
    assert siblings.alive("0123456789abcdef") is True
    child = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitpid(child, 0)
    here, os.getpid = os.getpid, lambda: child
    try:
        siblings.note("0123456789abcdef")
    finally:
        os.getpid = here
    assert siblings.alive("0123456789abcdef") is False
    assert Siblings(tmp_path / "shared", os.getpid()).alive("0123456789abcdef") is False
    siblings.note("0123ffffffffffff")  # the same slot: the earlier one is forgotten
    assert siblings.alive("0123456789abcdef") is None


def test_a_folder_that_others_may_write_to_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(PermissionError):
        Siblings(folder, os.getpid())
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(PermissionError):
        Siblings(tmp_path / "link", os.getpid())


def test_what_servers_that_are_gone_have_left_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    Siblings(folder, os.getpid())
    (folder / "999999999-1").write_bytes(b"old")
    (folder / "notes").write_text("not ours to judge")
    Siblings(folder, os.getpid())
    assert sorted(each.name.partition("-")[0] for each in folder.iterdir()) == [str(os.getpid()), "notes"]


def test_what_is_remembered_of_sessions_is_bounded() -> None:
    refusals = Refusals()
    for number in range(MAX_KNOWN + 1):
        refusals.opened(f"{number:016x}")
    asked = [refusals.reason(Refused(404, f"{number:016x}", False, None, None)) for number in (0, 1, MAX_KNOWN)]
    assert asked == ["session_unknown", "session_ended", "session_ended"]
    assert refusals.reason(Refused(404, "0" * 16, True, None, None)) == "session_not_theirs"
    assert refusals.reason(Refused(400, "0" * 16, False, "3000-01-01", None)) == "version"
    assert refusals.reason(Refused(400, "0" * 16, False, None, None)) == "other"
    assert refusals.reason(Refused(500, None, False, None, None)) == "other"
