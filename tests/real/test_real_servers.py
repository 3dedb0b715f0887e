"""Servers that nobody here wrote, unmodified, under `mcp-otel run`: same answers, and one SERVER span per message."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests.contract.process import Process
from tests.sink import Sink
from tests.wire import HttpWire, StdioWire, Wire

PROJECT = Path(__file__).parents[2]
PLACES = {1: PROJECT / ".venvs" / "servers" / "bin", 2: PROJECT / ".venvs" / "servers_2" / "bin"}
"""By line of the SDK."""
PORT = "{port}"
"""Stands for a free port."""
INITIALIZE = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "tests", "version": "1"}}

pytestmark = pytest.mark.skipif(
    version("mcp").startswith("1."),
    reason="real servers have an environment of their own: they are tried once, with the tests of the 2.x line",
)


def call(name: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
    """A tools/call as (method, params)."""
    return "tools/call", {"name": name, "arguments": arguments}


NAMES = {"mcp-server-git": "mcp-git", "mcp-server-time": "mcp-time", "duckduckgo-mcp-server": "ddg-search"}
"""How servers call themselves, where it is not their program's name."""


@dataclass
class Subject:
    """A server, how to start it, and what to ask it: questions that have one answer."""

    command: list[str]
    questions: list[tuple[str, dict[str, Any]]]
    http: bool = False
    env: dict[str, str] = field(default_factory=dict)
    tools: tuple[str, ...] = ()
    """Names that are called and registered."""
    programs: Path = PLACES[1]
    """Where the programs of its environment are."""
    port: str = "PORT"
    """The variable that says where it listens."""
    path: str = "/mcp/"


def git(folder: Path, line: int = 1) -> Subject:
    """mcp-server-git over a repository with one commit and one change."""
    repository = folder / "repository"
    if not repository.exists():
        fixed = {"GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z"}
        env = {**os.environ, **fixed, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        named = ("-c", "user.name=T", "-c", "user.email=t@example.org")
        repository.mkdir()
        for words in (("init", "-q", "-b", "main"), ("add", "."), (*named, "commit", "-q", "-m", "first")):
            (repository / "file.txt").write_text("one\n")
            subprocess.run(["git", *words], cwd=repository, env=env, check=True)
        (repository / "file.txt").write_text("two\n")
    path = str(repository)
    return Subject(
        ["mcp-server-git", "--repository", path],
        [
            ("tools/list", {}),
            call("git_status", repo_path=path),
            call("git_log", repo_path=path, max_count=1),
            call("git_diff_unstaged", repo_path=path),
            call("git_show", repo_path=path, revision="no-such-revision"),
            call("git_conjure", repo_path=path),
        ],
        tools=("git_status", "git_log", "git_diff_unstaged", "git_show"),
        programs=PLACES[line],
    )


def clock(_: Path, line: int = 1) -> Subject:
    """mcp-server-time."""
    return Subject(
        ["mcp-server-time", "--local-timezone", "UTC"],
        [
            ("tools/list", {}),
            call("convert_time", source_timezone="UTC", time="12:00", target_timezone="Asia/Kolkata"),
            call("convert_time", source_timezone="Moon/Tycho", time="12:00", target_timezone="UTC"),
            call("convert_time", time=7),
            call("stop_time"),
        ],
        tools=("convert_time",),
        programs=PLACES[line],
    )


def arxiv(folder: Path, http: bool = False) -> Subject:
    """arxiv-mcp-server with an empty store; nothing it is asked needs the network."""
    return Subject(
        ["arxiv-mcp-server", "--storage-path", str(folder / "papers")],
        [("tools/list", {}), ("prompts/list", {}), call("list_papers"), call("write_paper"), ("resources/nothing", {})],
        http,
        {"HOME": str(folder), "TRANSPORT": "http" if http else "stdio"},
        tools=("list_papers",),
    )


def duck() -> Subject:
    """duckduckgo-mcp-server over HTTP; what it is asked it refuses before it would use the network."""
    return Subject(
        ["duckduckgo-mcp-server", "--transport", "streamable-http", "--host", "127.0.0.1", "--port", PORT],
        [
            ("tools/list", {}),
            ("prompts/list", {}),
            call("fetch_content", url="http://127.0.0.1:9/"),
            call("fetch_content", url=7),
            call("quack"),
        ],
        http=True,
        tools=("fetch_content",),
        programs=PLACES[2],
        path="/mcp",
    )


SUBJECTS: dict[str, Callable[[Path], Subject]] = {
    "git": git,
    "time": clock,
    "arxiv": arxiv,
    "arxiv-http": lambda folder: arxiv(folder, http=True),
    "git-2": lambda folder: git(folder, line=2),
    "time-2": lambda folder: clock(folder, line=2),
    "duckduckgo-http-2": lambda _: duck(),
}


@contextmanager
def serving(subject: Subject, env: dict[str, str], watched: bool) -> Iterator[tuple[Process, Wire]]:
    """The subject, by itself or under `mcp-otel run`, and a client of it."""
    port = free_port() if subject.http else 0
    name, *given = subject.command
    words = [str(subject.programs / name), *(str(port) if word == PORT else word for word in given)]
    if watched:
        words = [str(subject.programs / "mcp-otel"), "run", "--", *words]
    process = Process(words, {**subject.env, **env, subject.port: str(port), "HOST": "127.0.0.1"})
    try:
        if subject.http:
            process.wait_for_line(r"Uvicorn running", 60)
            yield process, HttpWire(f"http://127.0.0.1:{port}{subject.path}")
        else:
            yield process, StdioWire(process.popen)
    finally:
        if process.popen.poll() is None:
            process.popen.kill()
            process.popen.wait()


def free_port() -> int:
    """A port that nobody listens on right now."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def conversation(subject: Subject, env: dict[str, str], watched: bool) -> tuple[list[bytes | None], int, bytes, str]:
    """The subject's replies, exit status, what was left on stdout, and its stderr."""
    with serving(subject, env, watched) as (process, wire):
        replies = [wire.call({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": INITIALIZE}).reply]
        wire.call({"jsonrpc": "2.0", "method": "notifications/initialized"})
        for number, (method, params) in enumerate(subject.questions, 1):
            replies.append(
                wire.call({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).wait(60).reply
            )
        code, leftover = process.stop() if subject.http else process.leave()
        return replies, code, re.sub(rb"127\.0\.0\.1:\d+", b"CLIENT", leftover), "\n".join(process.errors)


@pytest.mark.parametrize("name", SUBJECTS)
def test_answers_are_the_same_under_mcp_otel_and_every_message_has_one_server_span(
    name: str, tmp_path: Path, sink: Sink
) -> None:
    compare(SUBJECTS[name](tmp_path), sink)


def compare(subject: Subject, sink: Sink) -> None:
    """The subject says the same with and without us; its spans go to `sink`, one for each message."""
    assert (subject.programs / "mcp-otel").exists(), "make test prepares the environments of real servers"
    export = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "MCP_OTEL_SUMMARY": "off",
    }
    bare, *bare_end, _ = conversation(subject, {}, watched=False)
    ours, *our_end, _ = conversation(subject, export, watched=True)

    assert ours == bare
    assert None not in bare
    assert our_end == bare_end

    expected = sorted(["initialize", "notifications/initialized", *map(said, subject.questions, [subject.tools] * 99)])
    sink.wait_for(lambda seen: len(servers(seen)) >= len(expected))
    spans = servers(sink)
    assert sorted(span["name"] for span in spans) == expected
    assert {span["attributes"]["network.transport"] for span in spans} == {"tcp" if subject.http else "pipe"}
    assert {span["resource"]["service.name"] for span in spans} == {service(subject)}


def said(question: tuple[str, dict[str, Any]], tools: tuple[str, ...]) -> str:
    """The span name that a question must get."""
    method, params = question
    if method == "tools/call":
        return f"{method} {params['name'] if params['name'] in tools else '_other'}"
    return method if method != "resources/nothing" else "_other"


def service(subject: Subject) -> str:
    """How the server calls itself."""
    return NAMES.get(subject.command[0], subject.command[0])


def servers(sink: Sink) -> list[dict[str, Any]]:
    """The SERVER spans so far."""
    return [span for span in list(sink.spans) if span["kind"] == "SERVER"]


@pytest.mark.parametrize("name", SUBJECTS)
def test_without_an_endpoint_the_summary_on_stderr_answers_the_first_question(name: str, tmp_path: Path) -> None:
    subject = SUBJECTS[name](tmp_path)
    replies, _, leftover, errors = conversation(subject, {}, watched=True)

    assert None not in replies
    assert b"mcp-otel" not in leftover
    assert service(subject) in errors
    for tool in subject.tools:
        assert tool in errors
