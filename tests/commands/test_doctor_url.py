"""`mcp-otel doctor URL`: real servers of the installed line from outside, and everything that may be there instead."""

from __future__ import annotations

import socket

import pytest

from tests.commands.doors import Answer, always, answering, modern_only, speaking
from tests.commands.examining import Doctor
from tests.contract.doors import FORMS, SERVERS
from tests.contract.process import Process

PYTHON_SERVER = FORMS[0]


def story(*flags: str) -> Process:
    import sys

    return Process([sys.executable, str(SERVERS / f"{PYTHON_SERVER}.py"), "http", "0", *flags])


def test_a_running_server_is_looked_at_and_left_without_a_session(doctor: Doctor) -> None:
    process = story()
    try:
        port = process.wait_for_line(r"listening (\d+)")[1]
        seen = doctor(f"http://127.0.0.1:{port}/mcp")
    finally:
        process.stop()
    assert (seen.status, seen.problems) == (0, [])
    assert seen.text("greeting", "ok").startswith("story 1.0 speaks MCP 2025-11-25, greeted in ")
    assert seen.text("session", "ok") == "sessions: it gave us one of our own"
    assert seen.text("tools", "ok").startswith("8 tools listed in ")
    assert seen.text("probe", "ok").startswith("ping answered 5 times, in ")
    assert seen.text("farewell", "ok") == "our session is ended"
    assert seen.text("observed", "note").startswith("that cannot be known from outside")
    assert "mcp-otel doctor -- COMMAND" in seen.text("how", "note")


def test_a_stateless_server_is_known_as_one(doctor: Doctor) -> None:
    process = story("--stateless", "--json")
    try:
        port = process.wait_for_line(r"listening (\d+)")[1]
        seen = doctor(f"http://127.0.0.1:{port}/mcp", "--timeout", "20")
    finally:
        process.stop()
    assert (seen.status, seen.problems) == (0, [])
    assert seen.text("session", "ok") == "no session id: it is stateless"


def test_a_server_that_speaks_only_the_newest_version_is_spoken_to_in_it(doctor: Doctor) -> None:
    log: list[str] = []
    with answering(modern_only(log)) as url:
        seen = doctor(url)
    assert (seen.status, seen.problems) == (0, [])
    assert seen.text("greeting").startswith("modern 3 speaks MCP 2026-07-28, greeted in ")
    assert seen.text("session") == "no sessions: every request stands for itself"
    assert seen.text("tools").startswith("2 tools listed in ")
    assert seen.text("probe").startswith("server/discover answered 5 times, in ")
    assert log == ["POST initialize", "POST server/discover", "POST tools/list", *["POST server/discover"] * 5]


HTML = b"<html>Welcome to nginx!</html>"
BEARER = 'mcp-otel doctor --header "Authorization: Bearer TOKEN" {url}/mcp'


@pytest.mark.parametrize(
    ("answer", "path", "text", "fix"),
    [
        (
            *(always(200, HTML, Content_Type="text/html"), "/"),
            "it answers 200 with text/html, which is no JSON-RPC",
            "is it an MCP server? Often it is at {url}/mcp",
        ),
        (
            *(always(401, WWW_Authenticate='Bearer realm="x"'), "/mcp"),
            *("it wants to know who we are: 401 (Bearer)", BEARER),
        ),
        (*(always(404), "/wrong"), *("there is nothing at /wrong: 404", "is the path right? Often it is {url}/mcp")),
        (
            *(always(405), "/sse"),
            "/sse takes no POST: 405",
            "the older HTTP+SSE transport is not known here; Streamable HTTP is often at {url}/mcp",
        ),
        (
            *(always(307, Location="/mcp/"), "/mcp"),
            "it redirects (307) to /mcp/, and not every client follows with a POST",
            "use that URL in clients, too: mcp-otel doctor {url}/mcp/",
        ),
        (
            *(always(406), "/mcp"),
            *("it answers 406, though we accept JSON and events", "does a proxy change the Accept header?"),
        ),
        (
            *(always(421, b"Invalid Host header"), "/mcp"),
            "it does not let us in: 421 Invalid Host header",
            "is {host} among the hosts (and our user among those) that it allows?",
        ),
        (
            *(always(502), "/mcp"),
            "it answers 502: a proxy without its server, or a server that is full",
            "look at the log of the proxy",
        ),
        (*(always(500), "/mcp"), *("it fails: 500", "look at the log of the server")),
    ],
)
def test_what_is_no_mcp_server_or_lets_nobody_in_is_told_with_its_fix(
    answer: Answer, path: str, text: str, fix: str, doctor: Doctor
) -> None:
    with answering(answer) as url:
        seen = doctor(url + path)
    fix = fix.format(url=url, host=url.partition("//")[2])
    assert (seen.status, seen.problems) == (1, [("greeting", text, fix)])


def test_a_closed_port_is_told(doctor: Doctor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    seen = doctor(f"http://127.0.0.1:{port}/mcp")
    text = f"nothing listens at 127.0.0.1:{port} (connection refused)"
    assert (seen.status, seen.problems) == (1, [("greeting", text, "is the server running, and the port right?")])


def test_a_host_that_does_not_exist_is_told(doctor: Doctor) -> None:
    seen = doctor("http://no-such-host.invalid/mcp")
    assert seen.problems == [
        ("greeting", "there is no host 'no-such-host.invalid'", "mend the host in the URL, or DNS")
    ]


def test_silence_is_given_up_after_the_timeout(doctor: Doctor) -> None:
    with speaking(None) as port:
        seen = doctor("--timeout", "1", f"http://127.0.0.1:{port}/mcp")
    fix = "is it overloaded, or a firewall between? --timeout 60"
    assert seen.problems == [("greeting", "no answer within 1 s (timeout)", fix)]


def test_something_that_speaks_no_http_and_no_tls_is_told(doctor: Doctor) -> None:
    with speaking(b"SSH-2.0-OpenSSH_9.2\r\n") as port:
        seen = doctor(f"http://127.0.0.1:{port}/mcp")
        tls = doctor(f"https://127.0.0.1:{port}/mcp")
    assert seen.problems == [
        (
            "greeting",
            f"what listens at 127.0.0.1:{port} does not speak HTTP",
            f"if it speaks TLS: mcp-otel doctor https://127.0.0.1:{port}/mcp",
        )
    ]
    assert tls.problems == [
        ("greeting", f"127.0.0.1:{port} does not speak TLS", f"mcp-otel doctor http://127.0.0.1:{port}/mcp")
    ]


def test_a_header_is_sent_as_it_was_given(doctor: Doctor) -> None:
    asked: list[str] = []

    def answer(request: object, _: bytes) -> tuple[int, dict[str, str], bytes]:
        asked.append(request.headers["Authorization"])  # type: ignore[attr-defined]
        return 403, {}, b""

    with answering(answer) as url:
        doctor("--header", "Authorization: Bearer abc", url)
    assert asked == ["Bearer abc"]
