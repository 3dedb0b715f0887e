"""Where telemetry would go by these variables: which exporters, whether they are there, and how endpoints answer."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from mcp_otel import notice
from mcp_otel.doctor.knock import address, knock
from mcp_otel.doctor.report import Report

SIGNALS = ("traces", "metrics")
OTLP = {"otlp_proto_grpc": True, "otlp_proto_http": False}
PATIENCE = 5.0


def check(report: Report, environ: Mapping[str, str], seconds: float, topic: str = "where telemetry goes") -> None:
    """Look at every exporter that `environ` asks for, and knock at its endpoint."""
    report.topic = topic
    try:
        from mcp_otel import export
    except Exception as error:
        report.note("exporters", f"cannot be told: {type(error).__name__}: {error}")
        return
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        report.note("exporters", "nowhere: OTEL_SDK_DISABLED=true")
        return
    plan = export.wanted(environ)
    for complaint in plan.complaints:
        report.problem("bad-variable", complaint, f"mend or unset {complaint.partition('=')[0]}")
    for signal, names in zip(SIGNALS, (plan.traces, plan.metrics), strict=True):
        for name in names:
            if name in OTLP:
                _otlp(report, environ, signal, OTLP[name], min(seconds, PATIENCE))
            elif not _found(report, signal, name):
                continue
            elif name == "prometheus":
                _prometheus(report, *plan.prometheus)
            else:
                report.ok(f"{signal}-{name}", f"{signal} go to {'stderr' if name == 'console' else name}")
    if not (plan.traces or plan.metrics or plan.complaints):
        report.note(
            "exporters",
            "nowhere but the summary of `mcp-otel run`: neither OTEL_EXPORTER_OTLP_ENDPOINT nor OTEL_*_EXPORTER is set",
        )
    else:
        for signal, names in zip(SIGNALS, (plan.traces, plan.metrics), strict=True):
            if not names and not plan.complaints:
                report.note(
                    f"{signal}-none", f"{signal} go nowhere: no endpoint, or OTEL_{signal.upper()}_EXPORTER=none"
                )
    report.note("owner", _owner(environ, bool(plan.traces or plan.metrics)))


def _otlp(report: Report, environ: Mapping[str, str], signal: str, grpc: bool, seconds: float) -> None:
    name = "otlp_proto_grpc" if grpc else "otlp_proto_http"
    if not _found(report, signal, name):
        return
    there = address(environ, signal, grpc)
    answer = knock(there, environ, seconds)
    where = f"{signal} go to {there.shown} ({'OTLP/gRPC' if grpc else 'OTLP/HTTP'}): it {answer.said}"
    if answer.trouble is None:
        report.ok(f"{signal}-endpoint", where)
    else:
        report.problem(f"{signal}-endpoint", f"{where}: {answer.trouble}", answer.fix)


def _found(report: Report, signal: str, name: str) -> bool:
    from mcp_otel import providers

    since = len(notice.said)
    if providers.find(signal, name) is not None:
        return True
    for line in list(notice.said)[since:] or [f"the exporter {name!r} cannot be had"]:
        text, _, fix = line.rpartition("; ")
        fix = fix.replace("installed are", "use one that is installed:")
        report.problem(f"{signal}-exporter", text or line, fix or f"mend OTEL_{signal.upper()}_EXPORTER")
    return False


def _prometheus(report: Report, host: str, port: int) -> None:
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((host, port))
        except OSError as error:
            report.problem(
                "metrics-port",
                f"metrics: {host}:{port} cannot be opened for /metrics now: {error.strerror or error}",
                "is it this very server, running? If not, export OTEL_EXPORTER_PROMETHEUS_PORT=another",
            )
            return
    report.ok("metrics-port", f"metrics are served at http://{host}:{port}/metrics: the port is free")


def _owner(environ: Mapping[str, str], wanted: bool) -> str:
    for signal in ("TRACER", "METER"):
        if name := environ.get(f"OTEL_PYTHON_{signal}_PROVIDER", "").strip():
            return f"OTEL_PYTHON_{signal}_PROVIDER={name} makes providers of its own"
    ours = "mcp-otel makes them at the first message" if wanted else "nobody makes any"
    return f"providers: the application's own if it sets some, else {ours}"
