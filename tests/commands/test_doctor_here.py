"""`mcp-otel doctor` alone: this Python, its settings, its hooks, and how endpoints answer."""

from __future__ import annotations

import re
import socket
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.commands.doors import Answer, always, answering, speaking
from tests.commands.examining import Doctor, pretend
from tests.commands.launching import HOME, clean_environment, mcp_otel_command, start
from tests.promises.originals import changed, originals
from tests.sink import Sink

BASE = "OTEL_EXPORTER_OTLP_ENDPOINT"
MINE = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
HTTP = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}


def test_a_healthy_python_is_said_to_be_healthy_for_people_too() -> None:
    ended = start(mcp_otel_command("doctor", "--verbose"), clean_environment(PYTHONPATH=HOME))
    said = ended.stdout.decode()
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert said.startswith("mcp-otel doctor: this Python\n\nlayers\n  ok  mcp-otel ")
    assert f"\n  ok  mcp {version('mcp')}\n" in said
    assert re.search(r"\n  ok  \d\d names in \d\d modules are hooked, and all came out again\n", said)
    assert re.search(r"\n      \| mcp\.server\.streamable_http_manager: .*StreamableHTTPSessionManager\.run", said)
    assert "\n  ok  in force: the defaults\n" in said
    assert said.endswith("\n\nhealthy\n")
    assert "\x1b" not in said


def test_nothing_stays_in_the_python_that_was_examined(doctor: Doctor) -> None:
    doctor()
    before = originals()
    doctor()
    assert changed(before) == []


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        (
            {"MCP_OTEL_LEVEL": "all"},
            (
                "bad-setting",
                "MCP_OTEL_LEVEL: level='all': must be one of off, metrics, spans; using 'spans'",
                "export MCP_OTEL_LEVEL=spans, or unset it",
            ),
        ),
        (
            {"MCP_OTEL_LEVELS": "off"},
            ("unknown-setting", "MCP_OTEL_LEVELS is no setting: it has no effect", "did you mean MCP_OTEL_LEVEL?"),
        ),
        (
            {"MCP_OTEL_LEVEL": "off"},
            (
                "level",
                "MCP_OTEL_LEVEL=off: nothing is observed, nothing is said",
                "unset MCP_OTEL_LEVEL, or =spans",
            ),
        ),
        (
            {"OTEL_SDK_DISABLED": "true"},
            ("sdk-disabled", "OTEL_SDK_DISABLED=true: OpenTelemetry says nothing at all", "unset OTEL_SDK_DISABLED"),
        ),
        (
            {"OTEL_TRACES_SAMPLER": "always_off"},
            ("sampler", "OTEL_TRACES_SAMPLER=always_off: no span is ever sent", "unset OTEL_TRACES_SAMPLER"),
        ),
        (
            {"OTEL_TRACES_SAMPLER": "always"},
            (
                "sampler",
                "OTEL_TRACES_SAMPLER=always: there is no such sampler",
                "use one of always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off, "
                "parentbased_traceidratio",
            ),
        ),
        (
            {"OTEL_PROPAGATORS": "baggage"},
            (
                "propagators",
                "OTEL_PROPAGATORS=baggage is without tracecontext: the traceparent that MCP clients send is not read, "
                "so their traces end before this server",
                "unset OTEL_PROPAGATORS, or export OTEL_PROPAGATORS=tracecontext,baggage",
            ),
        ),
        (
            {"OTEL_TRACES_EXPORTER": "zipkin"},
            (
                "traces-exporter",
                "OTEL_TRACES_EXPORTER: there is no exporter 'zipkin'",
                "use one that is installed: console, otlp, otlp_proto_grpc, otlp_proto_http",
            ),
        ),
        (
            {BASE: "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpcs"},
            (
                "bad-variable",
                "OTEL_EXPORTER_OTLP_PROTOCOL='grpcs': must be one of grpc, http/protobuf; nothing is sent by it",
                "mend or unset OTEL_EXPORTER_OTLP_PROTOCOL",
            ),
        ),
    ],
)
def test_a_variable_that_loses_telemetry_is_the_one_problem(
    variables: dict[str, str], problem: tuple[str, str, str], doctor: Doctor
) -> None:
    seen = doctor(**variables)
    assert (seen.status, seen.problems) == (1, [problem])


def test_propagators_that_are_not_there_are_told_though_opentelemetry_cannot_be_loaded() -> None:
    environ = clean_environment(PYTHONPATH=HOME, OTEL_PROPAGATORS="b4")
    ended = start(mcp_otel_command("doctor"), environ)
    said = ended.stdout.decode()
    assert (ended.returncode, b"Traceback" in ended.stderr) == (1, False)
    assert "  !!  OTEL_PROPAGATORS=b4: there is no propagator 'b4', and OpenTelemetry fails to load\n" in said
    assert "      fix: unset OTEL_PROPAGATORS, or export OTEL_PROPAGATORS=tracecontext,baggage\n" in said


def test_a_good_endpoint_answers_for_each_signal(doctor: Doctor) -> None:
    with Sink() as sink:
        seen = doctor(**HTTP, **{BASE: sink.url})
        grpc = doctor(OTEL_EXPORTER_OTLP_PROTOCOL="grpc", **{BASE: f"http://{sink.serve_grpc()}"})
    assert (seen.status, grpc.status) == (0, 0)
    for signal in ("traces", "metrics"):
        ending = f"it answers 200 in {seen.text(f'{signal}-endpoint', 'ok').split()[-2]} ms"
        where = f"{signal} go to {sink.url}/v1/{signal} (OTLP/HTTP): {ending}"
        assert seen.text(f"{signal}-endpoint", "ok") == where
        assert "(OTLP/gRPC): it answers OK in " in grpc.text(f"{signal}-endpoint", "ok")
    assert (sink.spans, sink.points) == ([], {})


TOKEN = 'export OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20TOKEN"'


@pytest.mark.parametrize(
    ("answer", "variable", "path", "text", "fix"),
    [
        (
            *(always(404), BASE, "/v1/traces"),
            f"it answers 404: /v1/traces is in {BASE} already, and the exporter appends /v1/traces",
            "export " + BASE + "={url}",
        ),
        (
            *(always(404), MINE, ""),
            f"it answers 404: {MINE} is used as it stands, and does not end in /v1/traces",
            "export " + MINE + "={url}/v1/traces",
        ),
        (
            *(always(404), BASE, "/otlp"),
            "it answers 404: nothing at /otlp/v1/traces takes OTLP",
            f"is {BASE} the base URL of an OTLP/HTTP receiver (port 4318)?",
        ),
        (*(always(401), BASE, ""), "it answers 401: it wants to know who we are", TOKEN),
        (
            *(always(301, Location="https://elsewhere/"), BASE, ""),
            "it answers 301: it redirects to https://elsewhere/, where exporters do not follow",
            f"export {BASE} as that",
        ),
        (
            *(always(503), BASE, ""),
            "it answers 503: it is there, but takes nothing now",
            "look at the log of the Collector, and of what is behind it",
        ),
    ],
)
def test_an_endpoint_that_does_not_take_telemetry_is_told_with_its_fix(
    answer: Answer, variable: str, path: str, text: str, fix: str, doctor: Doctor
) -> None:
    with answering(answer) as url:
        seen = doctor(**HTTP, **{variable: url + path}, OTEL_METRICS_EXPORTER="none")
    [(name, said, how)] = seen.problems
    assert (seen.status, name, said.partition(": ")[2], how) == (1, "traces-endpoint", text, fix.format(url=url))


def test_headers_that_do_not_let_us_in_are_told_and_not_shown(doctor: Doctor) -> None:
    asked: list[str] = []

    def answer(request: object, _: bytes) -> tuple[int, dict[str, str], bytes]:
        asked.append(request.headers["x-key"])  # type: ignore[attr-defined]
        return 403, {}, b""

    with answering(answer) as url:
        seen = doctor(
            **HTTP,
            **{BASE: url.replace("//", "//user:secret@")},
            OTEL_EXPORTER_OTLP_HEADERS="x-key=hush%20hush",
            OTEL_METRICS_EXPORTER="none",
        )
    assert asked == ["hush hush"]
    assert seen.problems[0][1].endswith("it answers 403: the headers that are sent do not let us in")
    assert "hush" not in str(seen.report)
    assert "secret" not in str(seen.report)


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_closed_port_is_told(protocol: str, doctor: Doctor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    seen = doctor(
        OTEL_EXPORTER_OTLP_PROTOCOL=protocol, OTEL_METRICS_EXPORTER="none", **{BASE: f"http://127.0.0.1:{port}"}
    )
    [(_, text, fix)] = seen.problems
    assert text.endswith(": it is closed: nothing listens there (connection refused)")
    assert fix == f"start the Collector, or mend {BASE}"


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_silence_is_given_up_after_the_timeout(protocol: str, doctor: Doctor) -> None:
    with speaking(None) as port:
        seen = doctor(
            *("--timeout", "1"),
            OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
            OTEL_METRICS_EXPORTER="none",
            **{BASE: f"http://127.0.0.1:{port}"},
        )
    [(_, text, fix)] = seen.problems
    assert text.endswith(": it is silent: no answer within 1 s (timeout)")
    assert fix == f"is {BASE} right, and does a firewall let it through?"


def test_one_protocol_at_the_port_of_the_other_is_told(doctor: Doctor) -> None:
    with Sink() as sink:
        none = {"OTEL_METRICS_EXPORTER": "none"}
        http = doctor(**none, **HTTP, **{BASE: f"http://{sink.serve_grpc()}"})
        grpc = doctor(**none, OTEL_EXPORTER_OTLP_PROTOCOL="grpc", **{BASE: sink.url})
    [(_, text, fix)] = http.problems
    assert text.endswith(": it is open: what listens there does not speak HTTP")
    assert fix == "if it is a gRPC port (4317): export OTEL_EXPORTER_OTLP_PROTOCOL=grpc; else use port 4318"
    [(_, text, fix)] = grpc.problems
    assert text.endswith(": it answers UNAVAILABLE: what listens there does not speak gRPC")
    assert fix == "export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, or use its gRPC port (4317)"


def test_an_endpoint_without_a_scheme_is_told(doctor: Doctor) -> None:
    with Sink() as sink:
        place, none = sink.serve_grpc(), {"OTEL_METRICS_EXPORTER": "none"}
        grpc = doctor(**none, OTEL_EXPORTER_OTLP_PROTOCOL="grpc", **{BASE: place})
        http = doctor(**none, **HTTP, **{BASE: "localhost:4318"})
    [(_, text, fix)] = grpc.problems
    assert text.endswith(": without http:// the exporter speaks TLS, and it does not")
    assert fix == f"export {BASE}=http://{place}"
    [(_, text, fix)] = http.problems
    assert text.endswith(": it is no URL: has no http:// or https://")
    assert fix == f"export {BASE}=http://localhost:4318"


def test_the_port_of_prometheus_is_looked_at(doctor: Doctor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        where = {"OTEL_EXPORTER_PROMETHEUS_HOST": "127.0.0.1", "OTEL_EXPORTER_PROMETHEUS_PORT": port}
        taken = doctor(OTEL_METRICS_EXPORTER="prometheus", **where)
    free = doctor()
    assert taken.problems == [
        (
            "metrics-port",
            f"metrics: 127.0.0.1:{port} cannot be opened for /metrics now: Address already in use",
            "is it this very server, running? If not, export OTEL_EXPORTER_PROMETHEUS_PORT=another",
        )
    ]
    assert free.text("metrics-port", "ok") == f"metrics are served at http://127.0.0.1:{port}/metrics: the port is free"


def test_an_sdk_of_an_unknown_line_is_told(doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(tmp_path, "9.0.0")
    monkeypatch.syspath_prepend(str(tmp_path))
    seen = doctor()
    assert seen.status == 1
    [problem] = [problem for problem in seen.problems if problem[0] == "mcp"]
    assert problem[1].startswith("mcp 9.0.0 is of a line that mcp-otel does not know; it was read up to 2.")
    assert problem[2] == "pip install --upgrade mcp-otel; if it is the newest, pin the older mcp and tell us"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--"], "mcp-otel doctor: no command after --. Use: mcp-otel doctor"),
        (["--timeout", "0"], "mcp-otel doctor: --timeout 0: must be above 0\n"),
        (["--header", "X: y"], "mcp-otel doctor: --header goes with a URL, and is NAME:VALUE\n"),
        (["http://localhost", "more"], "mcp-otel doctor: what is 'more'? Use: mcp-otel doctor"),
        (["--no-such-option"], "usage: mcp-otel"),
    ],
)
def test_a_wrong_command_line_has_status_two(words: list[str], said: str) -> None:
    ended = start([sys.executable, "-m", "mcp_otel", "doctor", *words], clean_environment(PYTHONPATH=HOME))
    assert (ended.stdout, ended.returncode) == (b"", 2)
    assert ended.stderr.decode().startswith(said)
