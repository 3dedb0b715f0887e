"""What the probe brought to the doctor's sink, and if something is missing, why."""

from __future__ import annotations

import re
from typing import Any

from mcp_otel.doctor.conversation import Told
from mcp_otel.doctor.report import Report
from mcp_otel.doctor.sink import Seen, Sink
from mcp_otel.signals import names

UNOBSERVED = re.compile(r"^mcp-otel: (.*runs unobserved.*)$")


class Observed:
    """A server that was observed: what its telemetry said, and what it said of itself."""

    def __init__(self, sink: Sink, deaf: str | None) -> None:
        self.sink = sink
        self.deaf = deaf
        self.inside: dict[str, Any] = {}
        """What `inside` wrote; empty when nobody did."""

    def expects_spans(self, report: Report) -> bool:
        """Whether spans should come here, after what `report` has found."""
        if not self.inside or _told(report, "sampler"):
            return False
        return bool(self.inside["spans"] and self.inside["owners"]["traces"] == "mcp-otel")

    def expects_metrics(self) -> bool:
        """Whether metrics are."""
        return bool(self.inside) and self.inside["owners"]["metrics"] == "mcp-otel"

    def ours(self, told: Told) -> list[Seen]:
        """Our SERVER spans of the probe."""
        return [span for span in self._servers(told) if span.scope == names.SCOPE]

    def others(self, told: Told) -> list[Seen]:
        """SERVER spans of the probe that somebody else made."""
        return [span for span in self._servers(told) if span.scope != names.SCOPE]

    def has_metrics(self, told: Told) -> bool:
        """Whether the probe is in our histogram."""
        labels = {names.METHOD.name.replace(".", "__"): told.probed or ""}
        return self.sink.has(names.SCOPE, names.OPERATION_DURATION.name, **labels)

    def _servers(self, told: Told) -> list[Seen]:
        return [
            span
            for span in list(self.sink.spans)
            if span.kind == "SERVER"
            and (
                span.trace_id == told.probe.trace_id
                or (
                    told.began <= span.start <= told.ended
                    and told.probed in (span.attributes.get(names.METHOD.name), span.name, span.name.split(" ")[0])
                )
            )
        ]


def judge(report: Report, told: Told, observed: Observed) -> None:
    """Say whether the probe had exactly one SERVER span, ours, in the client's trace, and came with metrics."""
    report.topic = f"telemetry of the probe ({told.probed})"
    ours, others = observed.ours(told), observed.others(told)
    doers = sorted({span.scope or "a scope without a name" for span in others})
    if ours and others and observed.inside.get("settings", {}).get("spans") == "always":
        report.note("one-span", f"two SERVER spans, ours and {', '.join(doers)}'s, as MCP_OTEL_SPANS=always wants it")
    elif ours and others:
        report.problem(
            "one-span",
            f"{', '.join(doers)} makes a SERVER span of the same message: every message counts twice",
            f"switch the instrumentation of {doers[0]} off, or leave the spans to it: export MCP_OTEL_LEVEL=metrics",
        )
    elif len(ours) > 1:
        report.problem(
            "one-span", f"{len(ours)} SERVER spans of one message, all ours", "is it instrumented in two processes?"
        )
    elif ours:
        report.ok("one-span", "exactly one SERVER span, ours")
    elif others:
        _theirs(report, observed, doers)
    else:
        _why_none(report, told, observed)
    if ours:
        _propagation(report, told, ours[0])
    _metrics(report, told, observed)


def _propagation(report: Report, told: Told, span: Seen) -> None:
    if span.trace_id == told.probe.trace_id and span.parent_id == told.probe.span_id:
        report.ok("propagation", "it is a child of the traceparent that was sent")
    elif _told(report, "propagators"):
        report.note("propagation", "it is no child of the traceparent that was sent: see OTEL_PROPAGATORS above")
    else:
        text = "it is no child of the traceparent that was sent: traces of clients end before this server"
        report.problem("propagation", text, "does the server set propagators of its own, without tracecontext?")


def _theirs(report: Report, observed: Observed, doers: list[str]) -> None:
    text = f"the SERVER span is {', '.join(doers)}'s; mcp-otel adds none"
    if observed.inside and (observed.inside["layers"]["active"] or observed.inside["settings"]["level"] == "metrics"):
        report.ok("one-span", f"{text}, so no message counts twice")
    else:
        _absent(report, f"{text}, and should", observed)


def _why_none(report: Report, told: Told, observed: Observed) -> None:
    inside = observed.inside
    if not inside:
        _unobserved(report, told, observed)
    elif inside["settings"]["level"] in ("off", "metrics"):
        report.note("one-span", f"no SERVER span, as level={inside['settings']['level']} wants it")
    elif _told(report, "sdk-disabled", "sampler", "misfit"):
        report.note("one-span", "no SERVER span: the reason is among the problems above")
    elif inside["layers"]["active"]:
        who = " and ".join(vendor["name"] for vendor in inside["layers"]["active"])
        report.note("one-span", f"mcp-otel leaves spans to {who}, which sends them where it will, not here")
    elif inside["owners"]["traces"] == "application":
        count = inside["messages"].get(told.probed, 0)
        seen = "mcp-otel has seen the probe" if count else "but mcp-otel has not even seen the probe"
        text = f"the application has a tracer provider of its own: spans go where it sends them, not here; {seen}"
        if count:
            report.note("one-span", text)
        else:
            report.problem("one-span", text, "please tell us, with the output of --json --verbose")
    else:
        _absent(report, "no SERVER span came", observed)


def _absent(report: Report, text: str, observed: Observed) -> None:
    seen = sum(observed.inside.get("messages", {}).values())
    text += f"; mcp-otel saw {seen} messages in it"
    if observed.sink.foreign:
        text += f"; something else came to the endpoint: {sorted(observed.sink.foreign)[0]!r}"
    report.problem("one-span", text, "please tell us, with the output of --json --verbose")


def _unobserved(report: Report, told: Told, observed: Observed) -> None:
    line = next((found[1] for line in told.errors if (found := UNOBSERVED.match(line))), None)
    if line is not None:
        text, _, fix = line.partition(" Fix: ")
        report.problem("one-span", text, fix or "mend what the message names, in the server's own environment")
    elif observed.deaf is not None:
        text = f"no SERVER span: {observed.deaf} makes its Python ignore the environment by which mcp-otel comes in"
        report.problem("one-span", text, "leave it out, or call mcp_otel.instrument() in the server")
    elif _told(report, "level"):
        report.note("one-span", "no SERVER span: the reason is among the problems above")
    else:
        text = "no SERVER span: no Python that imports mcp has been started with our environment"
        fix = "is it a Python server? sudo, env -i and containers drop PYTHONPATH: put `mcp-otel run --` inside them"
        report.problem("one-span", text, fix)


def _metrics(report: Report, told: Told, observed: Observed) -> None:
    inside = observed.inside
    if observed.has_metrics(told):
        report.ok("metrics", f"{names.OPERATION_DURATION.name} came with it")
    elif not inside or inside["settings"]["level"] == "off" or _told(report, "sdk-disabled", "misfit"):
        report.note("metrics", "no metrics either, for the same reason")
    elif inside["owners"]["metrics"] == "application":
        report.note(
            "metrics", "the application has a meter provider of its own: metrics go where it sends them, not here"
        )
    else:
        text = f"{names.OPERATION_DURATION.name} did not come with it"
        report.problem("metrics", text, "please tell us, with the output of --json --verbose")


def _told(report: Report, *problems: str) -> bool:
    return any(check.name in problems for check in report.problems)
