"""What the environment says: our own settings, and those of OpenTelemetry's variables by which telemetry gets lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from difflib import get_close_matches
from importlib.metadata import entry_points

from mcp_otel import settings
from mcp_otel.doctor import inside
from mcp_otel.doctor.report import Report
from mcp_otel.settings import PREFIX, Settings

SAMPLERS = (
    *("always_on", "always_off", "traceidratio"),
    *("parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"),
)
W3C = "tracecontext"


def check(report: Report, environ: Mapping[str, str]) -> None:
    """Look at every variable that decides what is observed and said."""
    report.topic = "settings"
    before = len(report.problems)
    _own(report, environ)
    _disabled(report, environ)
    _sampler(report, environ)
    _propagators(report, environ)
    chosen, _ = settings.load(environ)
    default = asdict(Settings())
    changed = [f"{name}={value}" for name, value in asdict(chosen).items() if value != default[name]]
    every = [f"{name}={value}" for name, value in asdict(chosen).items()]
    if len(report.problems) == before:
        report.ok("settings", f"in force: {', '.join(changed) or 'the defaults'}", *every)
    else:
        report.note("settings", f"in force: {', '.join(changed) or 'the defaults'}", *every)


def _own(report: Report, environ: Mapping[str, str]) -> None:
    known = [PREFIX + item.name.upper() for item in fields(Settings)]
    chosen, complaints = settings.load(environ)
    for complaint in complaints:
        variable = complaint.partition(":")[0]
        default = getattr(Settings(), variable[len(PREFIX) :].lower())
        report.problem("bad-setting", complaint, f"export {variable}={default}, or unset it")
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in (*known, inside.VARIABLE):
            near = get_close_matches(variable, known, 1)
            fix = f"did you mean {near[0]}?" if near else f"unset it; settings are {', '.join(known)}"
            report.problem("unknown-setting", f"{variable} is no setting: it has no effect", fix)
    if chosen.level == "off":
        report.problem(
            "level", f"{PREFIX}LEVEL=off: nothing is observed, nothing is said", f"unset {PREFIX}LEVEL, or =spans"
        )
    elif chosen.level == "metrics":
        report.note("level", f"{PREFIX}LEVEL=metrics: no SERVER spans of ours, by your choice")


def _disabled(report: Report, environ: Mapping[str, str]) -> None:
    text = environ.get("OTEL_SDK_DISABLED", "").strip()
    if text.lower() == "true":
        report.problem(
            "sdk-disabled", "OTEL_SDK_DISABLED=true: OpenTelemetry says nothing at all", "unset OTEL_SDK_DISABLED"
        )
    elif text and text.lower() != "false":
        report.note("sdk-disabled", f"OTEL_SDK_DISABLED={text}: only `true` disables, so it does not")


def _sampler(report: Report, environ: Mapping[str, str]) -> None:
    name = environ.get("OTEL_TRACES_SAMPLER", "").strip().lower()
    argument = environ.get("OTEL_TRACES_SAMPLER_ARG", "").strip()
    if not name:
        return
    share = _ratio(argument)
    if name not in SAMPLERS and not entry_points(group="opentelemetry_traces_sampler", name=name):
        report.problem(
            "sampler", f"OTEL_TRACES_SAMPLER={name}: there is no such sampler", f"use one of {', '.join(SAMPLERS)}"
        )
    elif name == "always_off" or (name == "traceidratio" and share == 0):
        report.problem("sampler", f"OTEL_TRACES_SAMPLER={name}: no span is ever sent", "unset OTEL_TRACES_SAMPLER")
    elif name == "parentbased_always_off" or (name == "parentbased_traceidratio" and share == 0):
        report.note("sampler", f"OTEL_TRACES_SAMPLER={name}: only messages of clients that sample have spans")
    elif "traceidratio" in name:
        cut = "" if name.startswith("parentbased") else ", whatever its client decided (parentbased_ would follow it)"
        report.note("sampler", f"OTEL_TRACES_SAMPLER={name}: {100 * share:g} % of the traces are kept{cut}")


def _ratio(argument: str) -> float:
    try:
        return min(1.0, max(0.0, float(argument)))
    except ValueError:
        return 1.0


def _propagators(report: Report, environ: Mapping[str, str]) -> None:
    text = environ.get("OTEL_PROPAGATORS", "").strip()
    if not text:
        return
    names = [name.strip() for name in text.split(",") if name.strip()]
    missing = [
        name for name in names if name != "none" and not entry_points(group="opentelemetry_propagator", name=name)
    ]
    fix = f"unset OTEL_PROPAGATORS, or export OTEL_PROPAGATORS={W3C},baggage"
    if missing and "none" not in names:
        text = f"OTEL_PROPAGATORS={text}: there is no propagator {missing[0]!r}, and OpenTelemetry fails to load"
        report.problem("propagators", text, fix)
    elif W3C not in names:
        report.problem(
            "propagators",
            f"OTEL_PROPAGATORS={text} is without {W3C}: the traceparent that MCP clients send is not read, so their "
            "traces end before this server",
            fix,
        )
