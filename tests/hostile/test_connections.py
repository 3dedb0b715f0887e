"""Connections that break, stall or are never read: the server goes on, every call ends, and each is one span."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from tests.hostile.attacked import HANDSHAKE, Attacked, attacked, call, head, request, servers
from tests.sink import Sink

TURNS = 10


@pytest.fixture(scope="module", params=["sse", "json", "stateless"])
def ours(request: pytest.FixtureRequest) -> Iterator[tuple[Attacked, Sink]]:
    """A watched server."""
    flags = {"sse": (), "json": ("--json",), "stateless": ("--stateless",)}[request.param]
    with Sink() as sink, attacked(sink, "http", *flags) as one:
        yield one, sink


def posted(one: Attacked, body: Any, cut: int | None = None, small: bool = False) -> socket.socket:
    """A connection on which `body` was sent, or only its first bytes, in a session of its own; nothing is read."""
    session = one.open_session()
    raw = json.dumps(body).encode()
    connection = socket.socket()
    if small:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", one.port))
    whole = (
        head(len(raw), *([f"mcp-session-id: {session}"] if session else []), f"mcp-protocol-version: {HANDSHAKE}") + raw
    )
    connection.sendall(whole if cut is None else whole[:cut])
    return connection


def reset(connection: socket.socket) -> None:
    """Let it go with an RST instead of a farewell."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def over(one: Attacked, sink: Sink, ids: set[str]) -> None:
    """The server still answers, has nothing in flight, and each of `ids` got exactly one span."""
    found = {span["attributes"].get("jsonrpc.request.id") for span in servers(sink)}
    sink.wait_for(lambda _: ids <= {span["attributes"].get("jsonrpc.request.id") for span in servers(sink)}, 10.0)
    found = [span["attributes"].get("jsonrpc.request.id") for span in servers(sink)]
    assert sorted(each for each in found if each in ids) == sorted(ids)
    held = one.inspected(None)
    assert (held["failures"], held["in_flight"], one.complaints()) == ({}, 1, [])


def test_clients_that_vanish_before_their_request_is_whole(ours: tuple[Attacked, Sink]) -> None:
    one, sink = ours
    for turn in range(TURNS):
        reset(posted(one, call(f"half-{turn}", "echo", text="x" * 1000), cut=300 + turn * 50))
    over(one, sink, set())
    assert [span for span in servers(sink) if "half" in str(span["attributes"].get("jsonrpc.request.id"))] == []


def test_clients_that_vanish_while_their_call_runs(ours: tuple[Attacked, Sink]) -> None:
    one, sink = ours
    ids = {f"while-{turn}" for turn in range(TURNS)}
    before = sum(line == "hostile: slow" for line in one.process.errors)
    connections = [posted(one, call(each, "slow", seconds=0.5)) for each in ids]
    one.process.wait_for_line("hostile: slow")
    for connection in connections:
        reset(connection)
    over(one, sink, ids)
    assert sum(line == "hostile: slow" for line in one.process.errors) - before == TURNS


def test_clients_that_vanish_while_their_answer_is_written(ours: tuple[Attacked, Sink]) -> None:
    one, sink = ours
    ids = {f"writing-{turn}" for turn in range(TURNS)}
    connections = [posted(one, call(each, "big", size=5_000_000), small=True) for each in ids]
    for connection in connections:
        connection.recv(100)
        reset(connection)
    over(one, sink, ids)


def test_clients_that_never_read_end_with_their_connection(ours: tuple[Attacked, Sink]) -> None:
    one, sink = ours
    ids = {f"deaf-{turn}" for turn in range(TURNS)}
    connections = [posted(one, call(each, "big", size=5_000_000), small=True) for each in ids]
    assert one.inspected(None)["failures"] == {}
    for connection in connections:
        connection.close()
    over(one, sink, ids)


def test_clients_that_close_their_half_are_answered(ours: tuple[Attacked, Sink]) -> None:
    one, sink = ours
    ids = {f"closed-{turn}" for turn in range(TURNS)}
    connections = [posted(one, call(each, "echo", text="ok")) for each in ids]
    for connection in connections:
        connection.shutdown(socket.SHUT_WR)
    for connection in connections:
        with connection:
            while connection.recv(65536):
                pass
    over(one, sink, ids)


def test_requests_with_the_same_id_at_once_are_as_many_spans(ours: tuple[Attacked, Sink]) -> None:
    one, sink = ours
    connections = [posted(one, call("same", "slow", seconds=0.2)) for _ in range(TURNS)]
    for connection in connections:
        connection.recv(100)
        connection.close()
    sink.wait_for(lambda _: len(named(sink, "same")) >= TURNS, 10.0)
    assert len(named(sink, "same")) == TURNS
    assert one.post(request("after", "ping"), f"mcp-session-id: {one.open_session()}")[0] == 200


def named(sink: Sink, request_id: str) -> list[dict[str, Any]]:
    """The spans of one id."""
    return [span for span in servers(sink) if span["attributes"].get("jsonrpc.request.id") == request_id]
