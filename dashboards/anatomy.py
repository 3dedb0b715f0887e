"""Where the time of tool calls goes: their phases, and what the protocol computes meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dashboards import panels, queries
from dashboards.board import Panel
from dashboards.panels import Column, Line, about, bars, graph, warn_above
from dashboards.queries import COMPUTING, OVERHEAD, SERVICE_TOOL, SHOWN, TOOL, Cut, legend
from mcp_otel.event import PHASES
from mcp_otel.signals import names

NONE = "no calls"
MOST = 20
"""How many bars are drawn at most."""


def phases() -> Sequence[Panel]:
    """Answer where a call's time goes."""
    together = Cut(only=TOOL.only)
    calls = queries.messages(together)
    by_phase = queries.phases(replace(together, by=(names.PHASE,)))
    then = "queue: the event loop is blocked. Validate, encode: results are large. Peer: clients are slow to answer."
    return [
        graph(
            "Mean call of the chosen tools",
            about("Mean seconds per call, by phase; they add up to the whole call.", "handler leads.", then),
            "s",
            [Line(legend(names.PHASE), f"{by_phase} / on () group_left () ({calls} > 0)")],
            none=NONE,
            stacked=True,
            colors=panels.PHASE_COLORS,
            width=16,
            beside=True,
        ),
        bars(
            "Overhead by tool",
            about(
                f"Share of {', '.join(OVERHEAD)} in a call over the time shown, waiting for clients aside.",
                "a few percent; high and harmless where the tool itself takes microseconds.",
                "the phases of the tool, below; then its output schema and the size of what it returns.",
            ),
            "percentunit",
            Line(legend(names.TOOL), f"topk({MOST}, {queries.overhead(replace(TOOL, over=SHOWN))})"),
            none=NONE,
            steps=warn_above(0.5),
        ),
        panels.table(
            "Mean call of each tool",
            about("Mean seconds per call over the time shown, by phase.", "handler is the largest.", then),
            panels.TOOL_ROWS,
            [
                Column(phase, f"{queries.phases(SERVICE_TOOL, phase)} / ({queries.messages(SERVICE_TOOL)} > 0)", "s")
                for phase in PHASES
            ],
            none=NONE,
            sort="handler",
        ),
    ]


def computing() -> Sequence[Panel]:
    """Answer whether the protocol computes or waits."""
    which = ", ".join(COMPUTING)
    shown = replace(TOOL, over=SHOWN)
    used, took = queries.phases(shown, *COMPUTING, clock="cpu"), queries.phases(shown, *COMPUTING)
    return [
        graph(
            "Time of the protocol by tool",
            about(
                f"Seconds per second in {which}, by the clock on the wall. They block the event loop meanwhile.",
                "a small part of a second.",
                "near 1 s: every other call waits; large results, or schemas that are costly to check.",
            ),
            "s",
            [Line(legend(names.TOOL), queries.phases(TOOL, *COMPUTING))],
            none=NONE,
            stacked=True,
        ),
        graph(
            "Processor time of the protocol by tool",
            about(
                f"Seconds of a processor per second in {which}, estimated from one message in eight.",
                "nearly the same as by the wall.",
                "see the shares beside.",
            ),
            "s",
            [Line(legend(names.TOOL), queries.phases(TOOL, *COMPUTING, clock="cpu"))],
            none="no call measured yet",
            stacked=True,
        ),
        bars(
            "Computing share by tool",
            about(
                f"Share of the time in {which} that was spent computing, over the time shown.",
                "90 % and more.",
                "far less: threads of the tools hold the interpreter, or the machine has no processor free.",
            ),
            "percentunit",
            Line(legend(names.TOOL), f"bottomk({MOST}, ({used}) / ({took} > 0))"),
            none="no call measured yet",
            steps=((None, "red"), (0.5, "yellow"), (0.8, "green")),
        ),
    ]
