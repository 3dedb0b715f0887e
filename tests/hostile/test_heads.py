"""Heads of HTTP requests that no good client sends: the bare server's own answer, and bounded labels and attributes."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.hostile.attacked import (
    HANDSHAKE,
    Attacked,
    both,
    call,
    complain_alike,
    head,
    labels,
    request,
    servers,
    settled,
    too_long,
)
from tests.sink import Sink

LONG = 60_000
"""Just below what uvicorn lets in."""
GARBAGE = (
    "",
    " ",
    "x" * LONG,
    "ü\x80\xff",
    "\t",
    "%00",
    '"',
    "2025-06-18, 2025-06-18",
    "1e999",
    "null",
    "../..",
    ";",
    "\x7f",
)
PATIENT = call("patient", "echo", text="ok")


def heads(session: str, length: int) -> Iterator[bytes]:
    """Heads that are wrong in one place each."""
    own, version = f"mcp-session-id: {session}", f"mcp-protocol-version: {HANDSHAKE}"
    for bad in GARBAGE:
        yield head(length, f"mcp-session-id: {bad}", version)
        yield head(length, own, f"mcp-protocol-version: {bad}")
        yield head(length, own, version, f"x-anything: {bad}")
        yield head(length, own, version, f"traceparent: {bad}", f"tracestate: {bad}", f"baggage: {bad}")
        yield head(length, own, version, f"content-type: {bad}")
        yield head(length, own, version, accept=bad)
        yield head(length, own, version, f"x-forwarded-for: {bad}")
        yield head(length, own, version, f"mcp-method: {bad}", f"mcp-name: {bad}")
        yield head(length, own, version, f"last-event-id: {bad}")
    for kind in (
        "text/plain",
        "application/json; charset=utf-16",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    ):
        yield head(length, own, version, f"content-type: {kind}")
    for number in range(25):
        yield head(length, own, f"mcp-protocol-version: evil-{number}")
        yield head(length, own, version, f"x-forwarded-for: evil-{number}")
    yield head(length, own, own, version, version)
    yield head(length, *(f"x-{number}: y" for number in range(1000)), own, version)
    for protocol in ("1.0", "1.9", "7.3", "0.9", "9.9"):
        yield head(length, own, version).replace(b"HTTP/1.1", f"HTTP/{protocol}".encode(), 1)
    for method in ("PUT", "OPTIONS", "PATCH", "EVIL", "post"):
        yield head(length, own, version, method=method)
    yield b"\x00\x01\x02\r\n\r\n"
    yield b"POST /mcp\r\n\r\n"
    yield b"POST " + b"/" * LONG + b" HTTP/1.1\r\nhost: 127.0.0.1:80\r\n\r\n"


@pytest.fixture(scope="module", params=["sse", "stateless"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Attacked, Attacked, Sink]]:
    """A watched server and a bare one at the same door."""
    flags = {"sse": (), "stateless": ("--stateless", "--json")}[request.param]
    with Sink() as sink, both(sink, "http", *flags) as (ours, bare):
        yield ours, bare, sink


def test_a_hostile_head_is_answered_as_by_the_bare_server(pair: tuple[Attacked, Attacked, Sink]) -> None:
    ours, bare, sink = pair
    told = [tell(one) for one in (ours, bare)]
    different = [(raw[:200], mine, theirs) for (raw, mine), (_, theirs) in zip(*told, strict=True) if mine != theirs]
    assert different == []
    complain_alike(ours, bare)
    assert ours.inspected()["failures"] == {}
    answered = sum(1 for _, (status, body) in told[0] if status == 200 and b'"id":"patient"' in body)
    settled(sink, answered, 10.0)
    assert [span["attributes"].get("jsonrpc.request.id") for span in servers(sink)].count("patient") >= answered > 50
    assert too_long(sink) == []
    sink.wait_for(lambda _: any(name == "mcp.server.operation.duration" for name, _ in sink.points))
    assert [label for label in labels(sink) if "evil" in label or len(label) > 128] == []
    versions = {dict(said).get("network.protocol.version") for _, said in sink.points}
    assert versions <= {None, "1.0", "1.1", "_other"}


def tell(one: Attacked) -> list[tuple[bytes, tuple[int, bytes]]]:
    """Every head with a good body, on a connection of its own, and what came back."""
    session, body = one.open_session(), json.dumps(PATIENT).encode()
    answers = []
    for raw in heads(session or "none", len(body)):
        status, said, _ = one.send(raw + body)
        answers.append((raw, (status, said.replace(session.encode(), b"S") if session else said)))
    alive = one.post(request("after", "ping"), f"mcp-session-id: {session}", f"mcp-protocol-version: {HANDSHAKE}")
    assert alive[0] == 200
    return answers
