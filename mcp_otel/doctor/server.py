"""Examines a stdio server: starts it as `mcp-otel run` would, its telemetry sent here, and once more without us."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mcp_otel.doctor import delivery, environment, hooks, messages, telemetry
from mcp_otel.doctor.conversation import Told, converse
from mcp_otel.doctor.inside import VARIABLE
from mcp_otel.doctor.patience import Patience
from mcp_otel.doctor.report import Report
from mcp_otel.doctor.sink import Sink
from mcp_otel.doctor.telemetry import Observed

SHOWN = 20
"""Lines of a server's stderr that are shown when something is wrong."""
ELSEWHERE = re.compile(r"OTEL_EXPORTER_OTLP_\w+")
HTTP = re.compile(r"(?:Uvicorn|Hypercorn|running|listening|Listening|serving)\b.*?(https?://[^\s)\"']+)")


def examine(
    report: Report,
    words: list[str],
    environ: Mapping[str, str],
    watched: Mapping[str, str],
    deaf: str | None,
    patience: Patience,
    verbose: bool,
) -> None:
    """Start `words` with `watched`, what `mcp-otel run` would make of `environ`; then without, and compare.

    `deaf` is the flag by which its Python ignores its environment, if it has one.
    """
    environment.check(report, environ)
    report.topic = "the server"
    sink, folder = Sink(), Path(tempfile.mkdtemp(prefix="mcp-otel-doctor-"))
    observed = Observed(sink, deaf)
    try:
        told = converse(
            words,
            _directed(watched, sink, folder),
            patience,
            lambda told: _wait(report, told, observed, folder, patience),
        )
        observed.inside = _read(folder)
    except OSError as error:
        why = error.strerror or str(error)
        report.problem("start", f"cannot start {words[0]!r}: {why}", "is it installed, executable, and on PATH?")
        return
    finally:
        sink.close()
        shutil.rmtree(folder, ignore_errors=True)
    bare = converse(words, {**environ, "OTEL_SDK_DISABLED": "true"}, patience)
    _greeting(report, told, bare, patience)
    _manners(report, told, bare)
    if told.silence is None:
        _same(report, told, bare, words, environ, patience)
    _layers(report, observed)
    if told.probed is not None and told.silence is None:
        telemetry.judge(report, told, observed)
    if verbose and told.errors:
        report.topic = "its stderr"
        report.note("stderr", f"{len(told.errors)} lines", *told.errors[-60:])
    delivery.check(report, environ, patience.seconds, "where its telemetry goes without the doctor")


def _directed(watched: Mapping[str, str], sink: Sink, folder: Path) -> dict[str, str]:
    """`watched` with everything sent to `sink`, soon, and to nobody else."""
    kept = {name: value for name, value in watched.items() if not ELSEWHERE.fullmatch(name)}
    bypass = ",".join(filter(None, (kept.get("NO_PROXY") or kept.get("no_proxy"), "127.0.0.1")))
    return {
        **kept,
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_METRIC_EXPORT_INTERVAL": "250",
        "NO_PROXY": bypass,
        "no_proxy": bypass,
        "MCP_OTEL_SUMMARY": "off",
        VARIABLE: str(folder),
    }


def _wait(report: Report, told: Told, observed: Observed, folder: Path, patience: Patience) -> None:
    """Wait for what the probe should bring, if anything should."""
    observed.inside = _read(folder)
    long = patience.seconds if observed.expects_spans(report) else min(1.0, patience.seconds)
    patience.wait(observed.sink.changed, lambda: observed.ours(told), "the first span", long)
    long = patience.seconds if observed.expects_metrics() else min(1.0, patience.seconds)
    patience.wait(observed.sink.changed, lambda: observed.has_metrics(told), "the first metrics", long)


def _read(folder: Path) -> dict[str, Any]:
    """What the process that served has written; of several, the one with the most messages."""
    found: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.json"))[:20]:
        try:
            found.append(json.loads(path.read_bytes()))
        except (OSError, ValueError):
            continue
    return max(found, key=lambda inside: sum(inside["messages"].values()), default={})


def _greeting(report: Report, told: Told, bare: Told, patience: Patience) -> None:
    if told.silence is not None:
        _silence(report, told, bare, patience)
        return
    method = "server/discover" if "server/discover" in told.answers else "initialize"
    refusal = messages.error_of(told.answers["initialize"])
    if refusal is not None and messages.error_of(told.answers[method]) is not None:
        text = f"it refuses to be greeted: {refusal[1]} ({refusal[0]})"
        report.problem("greeting", text, "which protocol versions does it speak? See its documentation", *_last(told))
        return
    about = told.result(method)
    info = about.get("serverInfo") or (about.get("_meta") or {}).get(messages.ENVELOPE + "serverInfo") or {}
    version = about.get("protocolVersion") or messages.MODERN
    report.ok("greeting", f"{info.get('name', 'it')} {info.get('version', '')}".strip() + f" speaks MCP {version}")
    tools = told.result("tools/list").get("tools")
    listed = f"{messages.counted(len(tools), 'tool')} listed, " if isinstance(tools, list) else ""
    failed = messages.error_of(told.answers[told.probed or method])
    if failed is None:
        report.ok("probe", f"{listed}{told.probed} answered in {1000 * told.seconds:.1f} ms")
    else:
        text = f"it answers {told.probed} with an error: {failed[1]} ({failed[0]})"
        report.problem("probe", text, "every MCP server has to answer it", *_last(told))


def _silence(report: Report, told: Told, bare: Told, patience: Patience) -> None:
    assert told.silence is not None
    method, status = told.silence.method, told.ending.status
    url = next((found[1] for line in told.errors if (found := HTTP.search(line))), None)
    if told.silence.ended:
        how = f"signal {-status}" if status < 0 else f"status {status}"
        text, fix = f"it ended with {how} before it answered {method}", "see its last words; then run it by hand"
    elif url is not None:
        text = f"no answer to {method} within {patience.seconds:g} s: this is a server on HTTP, not on stdin and stdout"
        fix = f"let it run, and use: mcp-otel doctor {url.rstrip('/')}/mcp"
    else:
        text = f"no answer to {method} within {patience.seconds:g} s: it hangs"
        fix = "what does it wait for at its start, a network, a login? A slow one: --timeout 60"
    if bare.silence is None:
        text += "; without mcp-otel it answers"
        fix = "please tell us, with the output of --json --verbose"
    report.problem("greeting", text, fix, *_last(told))
    if bare.silence is not None:
        report.note("without-us", "without mcp-otel it does the same: it is the server's own doing")


def _manners(report: Report, told: Told, bare: Told) -> None:
    """What it writes where only JSON-RPC may be, and how it leaves."""
    if told.noise:
        first = told.noise[0][:80] or "an empty line"
        fix = "print to stderr instead: print(..., file=sys.stderr); a handler of logging writes there by itself"
        if any('"trace_id"' in line for line in told.noise):
            fix = "an exporter of OpenTelemetry's prints there: OTEL_TRACES_EXPORTER=console goes with HTTP only"
        elif not bare.noise:
            fix = "it does not without mcp-otel: please tell us, with the output of --json"
        text = f"its stdout carries what is no JSON-RPC, which breaks its clients: {first!r}"
        report.problem("stdout", text, fix, *told.noise)
    elif told.silence is None:
        report.ok("stdout", "its stdout carries nothing but JSON-RPC")
    if told.silence is not None:
        return
    if not told.ending.by_itself and bare.ending.by_itself:
        fix = "please tell us, with the output of --json --verbose"
        report.problem("ending", "it does not end when its stdin is closed; without mcp-otel it does", fix)
    elif not told.ending.by_itself:
        report.note("ending", "it does not end when its stdin is closed, so its clients have to kill it")
    elif told.ending.status:
        same = "as without mcp-otel" if bare.ending.status == told.ending.status else "without mcp-otel otherwise"
        report.note("ending", f"it ended with status {told.ending.status} when its stdin was closed, {same}")


def _same(
    report: Report, told: Told, bare: Told, words: list[str], environ: Mapping[str, str], patience: Patience
) -> None:
    where = _differs(told, bare)
    if where is None:
        report.ok("same", "it answers the same without mcp-otel")
        return
    again = converse(words, {**environ, "OTEL_SDK_DISABLED": "true"}, patience)
    if _differs(again, bare) is not None:
        report.note("same", f"its answers differ from start to start by themselves: {where}")
    else:
        fix = "please tell us, with the output of --json"
        report.problem("same", f"without mcp-otel it answers otherwise: {where}", fix)


def _differs(told: Told, other: Told) -> str | None:
    for method in told.answers:
        if method not in other.answers:
            return f"{method} has no answer"
        here, there = (each.answers[method].get("result", each.answers[method].get("error")) for each in (told, other))
        found = messages.difference(here, there, method)
        if found is not None:
            return found
    return None


def _layers(report: Report, observed: Observed) -> None:
    inside = observed.inside
    if not inside:
        return
    report.topic = "inside it"
    report.ok("mcp-otel", f"mcp-otel {inside['mcp_otel']} on Python {inside['python']} ({inside['executable']})")
    hooks.releases(report, inside["layers"]["versions"])
    for vendor in inside["layers"]["active"]:
        text = f"{vendor['name']} ({vendor['distribution']} {vendor['version']}) instruments MCP, too: {vendor['how']}"
        report.note("vendor", text)
    owners = {"mcp-otel": "mcp-otel's", "application": "the application's own", "nobody": "nobody's"}
    said = ", ".join(f"{signal} {owners[owner]}" for signal, owner in inside["owners"].items())
    if inside["messages"]:  # they wait for the first message
        report.note("owner", f"providers: {said}")
    for line in inside["notices"]:
        if " alone: " in line:
            hooks.misfit(report, line)
        elif not any(line in check.text or check.text in line for check in report.problems):
            report.note("notice", f"it said: {line}")
    if inside["failures"]:
        parts = ", ".join(f"{part} {count}" for part, count in sorted(inside["failures"].items()))
        text = f"mcp-otel failed in it, the server is not affected: {parts}"
        report.problem("failures", text, "please tell us, with the output of --json --verbose")


def _last(told: Told) -> list[str]:
    return told.errors[-SHOWN:] or ["(its stderr is empty)"]
