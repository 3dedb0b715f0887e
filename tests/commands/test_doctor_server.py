"""`mcp-otel doctor -- COMMAND`: real servers of the installed line, healthy and sick in every way it can tell."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.commands.examining import PATIENT, Doctor, pretend
from tests.commands.launching import HOME, clean_environment, mcp_otel_command
from tests.commands.test_bootstrap import environment_without_us


def test_a_healthy_server_is_said_to_be_healthy_and_none_of_its_tools_is_called(doctor: Doctor, tmp_path: Path) -> None:
    seen = doctor.patient(PATIENT_PIDS=str(tmp_path / "pids"))
    assert (seen.status, seen.problems) == (0, [])
    assert seen.text("greeting", "ok") == "patient 1.0 speaks MCP 2025-11-25"
    assert seen.text("probe", "ok").startswith("1 tool listed, ping answered in ")
    assert seen.text("stdout", "ok") == "its stdout carries nothing but JSON-RPC"
    assert seen.text("same", "ok") == "it answers the same without mcp-otel"
    assert seen.text("one-span", "ok") == "exactly one SERVER span, ours"
    assert seen.text("propagation", "ok") == "it is a child of the traceparent that was sent"
    assert seen.text("metrics", "ok") == "mcp.server.operation.duration came with it"
    assert not (tmp_path / "pids").exists()


def test_a_server_that_prints_on_stdout_is_told_where_to_print(doctor: Doctor) -> None:
    seen = doctor.patient("prints")
    assert seen.status == 1
    assert seen.problems == [
        (
            "stdout",
            "its stdout carries what is no JSON-RPC, which breaks its clients: 'Hello, world!'",
            "print to stderr instead: print(..., file=sys.stderr); a handler of logging writes there by itself",
        )
    ]


def test_a_server_that_dies_at_once_is_shown_with_its_last_words(doctor: Doctor) -> None:
    seen = doctor.patient("dies")
    assert seen.status == 1
    assert seen.problems == [
        (
            "greeting",
            "it ended with status 3 before it answered initialize",
            "see its last words; then run it by hand",
        )
    ]
    [check] = [check for check in seen.report["checks"] if check["name"] == "greeting"]
    assert check["details"] == ["ValueError: no API_KEY"]
    assert seen.text("without-us") == "without mcp-otel it does the same: it is the server's own doing"


def test_a_server_that_hangs_is_given_up_after_the_timeout_and_ended(doctor: Doctor) -> None:
    seen = doctor.patient("hangs", "--timeout", "1")
    assert seen.status == 1
    assert seen.problems == [
        (
            "greeting",
            "no answer to initialize within 1 s: it hangs",
            "what does it wait for at its start, a network, a login? A slow one: --timeout 60",
        )
    ]


def test_a_server_on_http_is_told_from_one_that_hangs(doctor: Doctor) -> None:
    seen = doctor.patient("web", "--timeout", "1")
    assert seen.problems == [
        (
            "greeting",
            "no answer to initialize within 1 s: this is a server on HTTP, not on stdin and stdout",
            "let it run, and use: mcp-otel doctor http://127.0.0.1:8000/mcp",
        )
    ]


def test_an_application_with_its_own_providers_is_no_problem_and_what_cannot_be_seen_is_said(doctor: Doctor) -> None:
    seen = doctor.patient("owns")
    assert (seen.status, seen.problems) == (0, [])
    assert "providers: traces the application's own, metrics the application's own" in [
        check["text"] for check in seen.report["checks"] if check["topic"] == "inside it"
    ]
    assert seen.text("one-span", "note") == (
        "the application has a tracer provider of its own: spans go where it sends them, not here; "
        "mcp-otel has seen the probe"
    )
    assert seen.text("metrics", "note").startswith("the application has a meter provider of its own")


def test_who_doubles_spans_is_named(doctor: Doctor) -> None:
    seen = doctor.patient("doubles")
    assert seen.status == 1
    assert seen.problems == [
        (
            "one-span",
            "rival makes a SERVER span of the same message: every message counts twice",
            "switch the instrumentation of rival off, or leave the spans to it: export MCP_OTEL_LEVEL=metrics",
        )
    ]


def test_spans_left_to_another_are_no_problem(doctor: Doctor) -> None:
    seen = doctor.patient("doubles", MCP_OTEL_LEVEL="metrics")
    assert (seen.status, seen.problems) == (0, [])
    assert seen.text("one-span", "ok") == ("the SERVER span is rival's; mcp-otel adds none, so no message counts twice")
    assert seen.text("metrics", "ok") == "mcp.server.operation.duration came with it"


@pytest.mark.parametrize(
    ("variable", "value", "name", "span"),
    [
        ("MCP_OTEL_LEVEL", "off", "level", "no SERVER span, as level=off wants it"),
        ("OTEL_SDK_DISABLED", "true", "sdk-disabled", "no SERVER span: the reason is among the problems above"),
        ("OTEL_PROPAGATORS", "baggage", "propagators", "exactly one SERVER span, ours"),
    ],
)
def test_a_variable_that_loses_telemetry_is_the_one_problem(
    variable: str, value: str, name: str, span: str, doctor: Doctor
) -> None:
    seen = doctor.patient(**{variable: value})
    assert (seen.status, [problem[0] for problem in seen.problems]) == (1, [name])
    assert seen.text("one-span") == span


def test_no_spans_by_choice_are_no_problem(doctor: Doctor) -> None:
    seen = doctor.patient(MCP_OTEL_LEVEL="metrics")
    assert (seen.status, seen.problems) == (0, [])
    assert seen.text("one-span", "note") == "no SERVER span, as level=metrics wants it"
    assert seen.text("metrics", "ok") == "mcp.server.operation.duration came with it"


def test_answers_that_differ_by_themselves_and_a_status_at_the_end_are_noted(doctor: Doctor) -> None:
    seen = doctor.patient("differs+fails at the end")
    assert (seen.status, seen.problems) == (0, [])
    assert seen.text("same", "note") == (
        "its answers differ from start to start by themselves: initialize.instructions"
    )
    assert seen.text("ending", "note") == "it ended with status 4 when its stdin was closed, as without mcp-otel"


def test_a_server_that_stays_is_ended_and_that_is_noted(doctor: Doctor) -> None:
    seen = doctor.patient("stays")
    assert seen.status == 0
    assert seen.text("ending", "note") == "it does not end when its stdin is closed, so its clients have to kill it"


def test_telemetry_goes_to_the_doctor_even_of_one_trace_in_a_million_and_where_it_would_have_gone_is_said(
    doctor: Doctor,
) -> None:
    seen = doctor.patient(
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1",
        OTEL_TRACES_SAMPLER="traceidratio",
        OTEL_TRACES_SAMPLER_ARG="0.000001",
    )
    assert seen.text("one-span", "ok") == "exactly one SERVER span, ours"
    assert seen.text("propagation", "ok") == "it is a child of the traceparent that was sent"
    assert [problem[0] for problem in seen.problems] == ["traces-endpoint", "metrics-endpoint"]


def test_what_cannot_be_started_is_a_problem(doctor: Doctor, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("#!/bin/sh\n")
    for command, why in (("no-such-server", "No such file or directory"), (str(plain), "Permission denied")):
        seen = doctor("--", command)
        assert (seen.status, seen.problems) == (
            1,
            [("start", f"cannot start {command!r}: {why}", "is it installed, executable, and on PATH?")],
        )


def test_an_sdk_that_is_too_old_is_said(doctor: Doctor, tmp_path: Path) -> None:
    pretend(tmp_path, "1.2.0")
    seen = doctor.patient(PYTHONPATH=os.pathsep.join((HOME, str(tmp_path))))
    assert (
        "mcp",
        "mcp 1.2.0 is older than 1.24, the first that is covered",
        "pip install 'mcp>=1.24'",
    ) in seen.problems
    assert seen.status == 1


def test_an_environment_without_us_is_told_how_to_get_us(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    python = environment_without_us(tmp_path / "env", "")
    answer = (
        "import json, sys, mcp\n"
        "for line in sys.stdin:\n"
        "    body = json.loads(line)\n"
        "    if 'id' in body:\n"
        "        print(json.dumps({'jsonrpc': '2.0', 'id': body['id'], 'result': {}}), flush=True)\n"
    )
    seen = doctor("--", python, "-c", answer, PYTHONPATH="")
    [problem] = [problem for problem in seen.problems if problem[0] == "one-span"]
    assert problem[1] == f"{python} does not have mcp-otel, so this server runs unobserved."
    assert problem[2] == f"{python} -m pip install mcp-otel (without pip: uv pip install -p {python} mcp-otel)"


NEWEST = """
import json, sys

def say(body):
    print(json.dumps({"jsonrpc": "2.0", **body}), flush=True)

for line in sys.stdin:
    body = json.loads(line)
    if body.get("method") == "initialize":
        error = {"code": -32022, "message": "Unsupported protocol version"}
        say({"id": body["id"], "error": error})
    elif body.get("method") == "server/discover":
        assert body["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"
        say({"id": "mine", "method": "ping"})
        assert json.loads(sys.stdin.readline()) == {"jsonrpc": "2.0", "id": "mine", "result": {}}
        say({"id": body["id"], "result": {"serverInfo": {"name": "newest"}, "capabilities": {}}})
"""


def test_a_server_of_the_newest_version_is_spoken_to_in_it_and_one_without_mcp_is_unobserved(doctor: Doctor) -> None:
    seen = doctor("--", sys.executable, "-c", NEWEST)
    assert seen.text("greeting", "ok") == "newest speaks MCP 2026-07-28"
    assert seen.text("probe", "ok").startswith("server/discover answered in ")
    assert seen.problems == [
        (
            "one-span",
            "no SERVER span: no Python that imports mcp has been started with our environment",
            "is it a Python server? sudo, env -i and containers drop PYTHONPATH: put `mcp-otel run --` inside them",
        )
    ]


def test_a_python_that_ignores_its_environment_is_found(doctor: Doctor) -> None:
    program = f"import sys; sys.path.insert(0, {HOME!r}); sys.argv = ['p']; import runpy; "
    program += f"runpy.run_path({PATIENT!r}, run_name='__main__')"
    seen = doctor("--", sys.executable, "-I", "-c", program)
    assert seen.problems == [
        (
            "one-span",
            "no SERVER span: -I makes its Python ignore the environment by which mcp-otel comes in",
            "leave it out, or call mcp_otel.instrument() in the server",
        )
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_ends_the_doctor_ends_the_server_and_what_it_has_started(
    number: signal.Signals, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    environ = clean_environment(PYTHONPATH=HOME, PATIENT_PIDS=str(pids))
    # The doctor waits for an answer, which goes elsewhere.
    shell = f"{sys.executable} {PATIENT} breeds >/dev/null; :"
    command = mcp_otel_command("doctor", "--timeout", "30", "--", "/bin/sh", "-c", shell)
    with subprocess.Popen(
        command,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as examining:
        until = time.monotonic() + 20
        while not (pids.exists() and pids.read_text().endswith("\n")) and time.monotonic() < until:
            time.sleep(0.05)
        started = [int(pid) for pid in pids.read_text().split()]
        examining.send_signal(number)
        out, err = examining.communicate(timeout=30)
    assert (examining.returncode, out) == (128 + number, b"")
    assert b"Traceback" not in err
    assert [pid for pid in started if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"] == []
    assert len(started) == 2
