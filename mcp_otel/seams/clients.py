"""Clients of both SDK lines: how a server was reached, and what is put into a message before it is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from mcp_otel.outgoing import Peer, born
from mcp_otel.recorder import Recorder
from mcp_otel.seams.patch import Patches, around, around_async, expect

PORTS = {"http": 80, "https": 443}


def install_stdio(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `mcp.client.stdio`.

    Raises:
        MisfitError: it does not look like the lines we know.
    """
    expect(module, "_create_platform_compatible_process", "command", "args")

    def starting(original: Callable[..., Any]) -> Callable[..., Any]:
        return around_async(recorder, original, lambda *_, **__: True, lambda *_: born.set(Peer("pipe")))

    patches.replace(module, "_create_platform_compatible_process", starting)


def install_http(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `mcp.client.streamable_http`.

    Raises:
        MisfitError: it does not look like the lines we know.
    """
    expect(module.StreamableHTTPTransport, "__init__", "self", "url")

    def making(original: Callable[..., Any]) -> Callable[..., Any]:
        return around(recorder, original, lambda self, url, *_, **__: (self, url), _connected)

    patches.replace(module.StreamableHTTPTransport, "__init__", making)


def install_sse(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `mcp.client.sse`, whose only entry is a function that applications have imported by name.

    Raises:
        MisfitError: it does not look like the lines we know.
    """
    expect(module, "remove_request_params", "url")
    expect(module, "urljoin", "base", "url")

    def reaching(original: Callable[..., Any]) -> Callable[..., Any]:
        # What it calls first, to log where it goes; in the context of whoever connects.
        return around(recorder, original, lambda url: url, lambda url, *_: born.set(peer_at(url)))

    def joining(original: Callable[..., Any]) -> Callable[..., Any]:
        # What it calls when the server has said where to post, which has the id of the session.
        return around(recorder, original, lambda _, place, *__: (born.get(), place), _named)

    patches.replace(module, "remove_request_params", reaching)
    patches.replace(module, "urljoin", joining)


def _named(state: tuple[Peer | None, str], _: Any, __: BaseException | None) -> None:
    peer, place = state
    said = parse_qs(urlsplit(place).query)
    found = said.get("sessionId") or said.get("session_id")
    if peer is not None and found:
        peer.named(found[0])


def peer_at(url: str) -> Peer:
    """The server at `url`."""
    parts = urlsplit(url)
    return Peer("tcp", parts.hostname, parts.port or PORTS.get(parts.scheme))


def _connected(state: tuple[Any, str], _: Any, failure: BaseException | None) -> None:
    transport, url = state
    if failure is None:
        peer = peer_at(url)
        peer.connected_by(transport)
        born.set(peer)


def taken() -> Peer:
    """The server that was reached in this context, for the session that is made now."""
    peer = born.get()
    born.set(None)
    return peer or Peer()
