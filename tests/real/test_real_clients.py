"""Clients and proxies that nobody here wrote, under `mcp-otel run`: the same output, and one trace through all."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests.contract.heard import telemetry
from tests.contract.process import Process
from tests.house.source import ROOT
from tests.sink import Sink

BOTH_LINES = ("fastmcp_3", "fastmcp_4")
ARGUMENTS = {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Kolkata"}
CALL = ("convert_time", "--input-json", json.dumps(ARGUMENTS), "--json")
HELLO = {"initialize", "notifications/initialized", "server/discover"}
"""How a client of either era begins."""
Ended = tuple[int, bytes, list[str]]

pytestmark = pytest.mark.skipif(
    version("mcp").startswith("1."),
    reason="real clients have environments of their own: they are tried once, with the tests of the 2.x line",
)


def program(line: str, name: str, watched: bool) -> list[str]:
    """How a program of the environment `line` is started, by itself or under `mcp-otel run`."""
    folder = ROOT / ".venvs" / line / "bin"
    assert (folder / "mcp-otel").exists(), f"make test prepares .venvs/{line}"
    return [*([str(folder / "mcp-otel"), "run", "--"] if watched else []), str(folder / name)]


def environ(folder: Path, sink: Sink | None) -> dict[str, str]:
    """The environment of every program here; with a `sink`, that of watched ones."""
    quiet = {"FASTMCP_CHECK_FOR_UPDATES": "off", "FASTMCP_HOME": str(folder), "COLUMNS": "100"}
    return quiet if sink is None else {**telemetry(sink, MCP_OTEL_SUMMARY="off", MCP_OTEL_EXIT_WAIT="5"), **quiet}


def ended(words: list[str], env: dict[str, str]) -> Ended:
    """The exit status of a client that ends by itself, its stdout, and its stderr."""
    process = Process(words, env)
    assert process.popen.stdin is not None
    assert process.popen.stdout is not None
    process.popen.stdin.close()
    out = process.popen.stdout.read()
    status, _ = process.leave(30)
    return status, out, process.errors


def ours(sink: Sink, kind: str) -> list[dict[str, Any]]:
    """Our spans of this kind."""
    return [span for span in list(sink.spans) if span["kind"] == kind and span["scope"]["name"] == "mcp_otel"]


@pytest.mark.parametrize("line", BOTH_LINES)
@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (("fastmcp", "list", "--json", "--command"), {"tools/list"}),
        (("fastmcp", "call", "--target", *CALL, "--command"), {"tools/call convert_time"}),
        (("python", "-m", "mcp.client"), set()),
    ],
    ids=["fastmcp-list", "fastmcp-call", "mcp-client-on-trio"],
)
def test_a_client_prints_the_same_under_mcp_otel_and_each_of_its_messages_is_a_client_span(
    line: str, words: tuple[str, ...], asked: set[str], tmp_path: Path, sink: Sink
) -> None:
    server = program(line, "mcp-server-time", watched=False)
    bare, watched = (
        ended([*program(line, words[0], heard is not None), *words[1:], *server], environ(tmp_path, heard))
        for heard in (None, sink)
    )
    assert watched == bare
    assert bare[0] == 0
    names = {span["name"] for span in ours(sink, "CLIENT")}
    assert asked <= names
    assert names - asked - {"tools/list"} <= HELLO  # FastMCP lists what it is about to call
    assert sink.series("mcp_otel.failures") == {}


@contextmanager
def proxy(line: str, name: str, folder: Path, sink: Sink | None) -> Iterator[str]:
    """A proxy `name` on loopback before a server that it starts; its address."""
    env, watched = environ(folder, sink), sink is not None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    words = [*program(line, name, watched)]
    if name == "mcp-proxy":  # its server is watched because its environment is
        words += ["--port", port, "--pass-environment", "--", *program(line, "mcp-server-time", watched=False)]
    else:
        command, *arguments = program(line, "mcp-server-time", watched)
        config = folder / f"{'ours' if watched else 'bare'}.json"
        config.write_text(json.dumps({"mcpServers": {"time": {"command": command, "args": arguments, "env": env}}}))
        words += ["run", str(config), "--transport", "http", "--port", port, "--no-banner"]
    process = Process(words, env)
    try:
        process.wait_for_line(r"Uvicorn running", 60)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.stop(20)


@pytest.mark.parametrize(
    ("line", "name"), [("fastmcp_3", "mcp-proxy"), ("fastmcp_3", "fastmcp"), ("fastmcp_4", "fastmcp")]
)
def test_a_call_through_a_proxy_is_one_trace_client_server_client_server(
    line: str, name: str, tmp_path: Path, sink: Sink
) -> None:
    found: list[Ended] = []
    for heard in (None, sink):
        with proxy(line, name, tmp_path, heard) as url:
            words = [*program(line, "fastmcp", heard is not None), "call", url, *CALL]
            status, out, errors = ended(words, environ(tmp_path, heard))
            found.append((status, out, [re.sub(r":\d+/mcp", "", line) for line in errors]))
    assert found[1] == found[0]
    assert found[0][0] == 0

    spans = {span["span_id"]: span for span in sink.spans}
    last = next(
        span for span in ours(sink, "SERVER") if span["resource"]["service.name"] == "mcp-time" and called(span)
    )
    way: list[dict[str, Any]] = []
    span: dict[str, Any] | None = last
    while span is not None:
        if span["scope"]["name"] == "mcp_otel":
            way.insert(0, span)
        span = spans.get(span["parent_span_id"])
    assert [step["kind"] for step in way] == ["CLIENT", "SERVER", "CLIENT", "SERVER"]
    assert all(map(called, way))
    assert len({step["trace_id"] for step in way}) == 1
    client, proxied, again, server = (step["resource"]["service.instance.id"] for step in way)
    assert proxied == again
    assert len({client, proxied, server}) == 3
    assert sink.series("mcp_otel.failures") == {}


def called(span: dict[str, Any]) -> bool:
    """Whether it is about the call."""
    return bool(span["name"] == "tools/call convert_time")
