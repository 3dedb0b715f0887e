"""Every body a hostile client may send gets the bare server's own answer, byte for byte, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.hostile.attacked import HANDSHAKE, Attacked, both, complain_alike, request, servers, settled, too_long
from tests.hostile.bodies import KINDS
from tests.sink import Sink

PING = request("after", "ping")
LINES = 2_000_000
"""Bytes of the longest body that is also told on a pipe."""


@pytest.fixture(scope="module", params=["http", "json", "stdio"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Attacked, Attacked, Sink]]:
    """A watched server and a bare one at the same door."""
    door = {"http": ("http",), "json": ("http", "--json"), "stdio": ("stdio",)}[request.param]
    with Sink() as sink, both(sink, *door) as (ours, bare):
        yield ours, bare, sink


@pytest.mark.parametrize("kind", KINDS)
def test_a_hostile_body_is_answered_as_by_the_bare_server(kind: str, pair: tuple[Attacked, Attacked, Sink]) -> None:
    ours, bare, sink = pair
    before = len(servers(sink))
    told = [each for each in KINDS[kind]() if ours.port or b"\n" not in each]
    answers = [tell(one, told) for one in (ours, bare)]
    different = [
        (body[:200], *(heard[:300] for heard in pair))
        for body, *pair in zip(told, *answers, strict=True)
        if pair[0] != pair[1]
    ]
    assert different == []
    complain_alike(ours, bare)
    assert ours.inspected()["failures"] == {}
    spans = settled(sink, before + 1, 5.0)[before:]
    assert spans != []
    assert too_long(sink) == []
    assert [span["name"][:80] for span in spans if len(span["name"]) > 60] == []


def test_afterwards_nothing_is_left_of_it(pair: tuple[Attacked, Attacked, Sink]) -> None:
    ours, _, sink = pair
    held = ours.inspected()
    assert (held["in_flight"], held["failures"]) == (1, {})
    assert {kind: count for kind, count in held["ours"].items() if kind in ("Call", "Exchange") and count > 4} == {}
    requests = [
        span["attributes"]["jsonrpc.request.id"] for span in servers(sink) if "jsonrpc.request.id" in span["attributes"]
    ]
    assert max(map(len, requests)) == 128


def tell(one: Attacked, bodies: list[bytes]) -> list[Any]:
    """What each body is answered with."""
    return _by_http(one, bodies) if one.port else _by_pipe(one, bodies)


def _by_http(one: Attacked, bodies: list[bytes]) -> list[Any]:
    session = one.open_session()
    headers = (f"mcp-session-id: {session}", f"mcp-protocol-version: {HANDSHAKE}")
    answers = []
    for body in bodies:
        answers.append(one.post(body, *headers))
        assert one.post(PING, *headers)[0] == 200, body[:100]
    one.post(b"", *headers, method="DELETE")
    return [(status, said.replace(session.encode(), b"")) for status, said in answers]


def _by_pipe(one: Attacked, bodies: list[bytes]) -> list[Any]:
    answers = []
    for number, body in enumerate(bodies):
        one.say(body)
        answers.append(sorted(one.ask(request(f"after {number}", "ping"))))
    return answers
