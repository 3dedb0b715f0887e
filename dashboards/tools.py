"""MCP tools: which one is slow, failing or expensive, and where does its time go? The rows on the first question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from grafana_foundation_sdk.models import dashboard

from dashboards import anatomy, panels, queries
from dashboards import board as frame
from dashboards.panels import OBJECTIVE, Column, Line, about, graph, stat, warn_above
from dashboards.queries import SERVICE_TOOL, TOOL, legend
from mcp_otel.signals import names

NONE = "no calls"


def board() -> dashboard.Dashboard:
    """Make the board."""
    return frame.board(
        frame.TOOLS,
        "Which tools are slow, fail or take most of the server, and which part of their calls is not the tool.",
        [frame.tool()],
        [
            ("Which tool stands out now?", _standing_out()),
            ("How does each tool fare over the time shown?", _each()),
            ("How did rate, errors and duration go?", _over_time()),
            ("Where does a call's time go?", anatomy.phases()),
            ("Does the protocol compute or wait?", anatomy.computing()),
        ],
    )


def _standing_out() -> Sequence[frame.Panel]:
    return [
        stat(
            "Slowest tool",
            about(
                "The tool with the highest p95 of the last minutes.",
                f"well below the objective of {OBJECTIVE:g} s.",
                "the phases of its calls, below: is it the tool, or what is around it?",
            ),
            "s",
            f"topk(1, {queries.quantile(0.95, TOOL)})",
            none=NONE,
            steps=warn_above(OBJECTIVE / 2, OBJECTIVE),
            width=6,
            legend=legend(names.TOOL),
        ),
        stat(
            "Most failing tool",
            about(
                "The tool with the largest share of failed calls, whoever is at fault.",
                "a few percent: models make mistakes.",
                "the table below tells whose faults they are. Caller: is its description clear?",
            ),
            "percentunit",
            f"topk(1, {queries.fault_share(TOOL)})",
            none=NONE,
            steps=warn_above(0.05, 0.2),
            width=6,
            legend=legend(names.TOOL),
        ),
        stat(
            "Busiest tool",
            about(
                "The tool whose calls take most time, in seconds per second: 1 s is one call at any time.",
                "the tool that the server is there for.",
                "whether it is called often or takes long is in the table below.",
            ),
            "s",
            f"topk(1, {queries.seconds(TOOL)})",
            none=NONE,
            width=6,
            legend=legend(names.TOOL),
        ),
        stat(
            "Most overhead",
            about(
                "The tool with the largest share of decoding, validating, encoding and writing in its calls.",
                "a few percent; high and harmless where the tool itself takes microseconds.",
                "the phases of its calls, below. Validate: simplify or drop its output schema. Encode: return less.",
            ),
            "percentunit",
            f"topk(1, {queries.overhead(TOOL)})",
            none=NONE,
            steps=warn_above(0.5),
            width=6,
            legend=legend(names.TOOL),
        ),
    ]


def _each() -> Sequence[frame.Panel]:
    quantiles = [(name, queries.quantile(q, SERVICE_TOOL)) for name, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))]
    slow: panels.Steps = ((None, "text"), (OBJECTIVE / 2, "yellow"), (OBJECTIVE, "red"))
    mistaken: panels.Steps = ((None, "text"), (0.05, "yellow"), (0.2, "red"))
    failing: panels.Steps = ((None, "text"), (0.01, "yellow"), (0.05, "red"))
    made = panels.table(
        "Tools",
        about(
            "Each tool over the time shown: calls, the share that failed by who is at fault, durations, and time per "
            "second: how many of its calls are running at a time, on average.",
            "busy tools are fast, and none has server faults. `_other` are names that no server registered.",
            "a click on a tool shows it alone. Much time and few calls: the tool is slow. Much time, many calls: is it "
            "called too often?",
        ),
        panels.TOOL_ROWS,
        [
            Column("Calls", queries.messages(SERVICE_TOOL), "reqps"),
            Column("Caller faults", queries.fault_share(SERVICE_TOOL, "caller"), "percentunit", mistaken),
            Column("Tool faults", queries.fault_share(SERVICE_TOOL, "tool"), "percentunit", mistaken),
            Column("Server faults", queries.fault_share(SERVICE_TOOL, "server"), "percentunit", failing),
            *(Column(name, query, "s", slow) for name, query in quantiles),
            Column("Mean", queries.mean(SERVICE_TOOL), "s"),
            Column("Time per second", queries.seconds(SERVICE_TOOL), "s", bar=True),
        ],
        none=NONE,
        sort="Time per second",
        height=9,
    )
    tool = f"/d/{frame.TOOLS}?var-tool=${{__value.text}}&var-service=${{__data.fields.Service}}&{frame.KEPT}"
    return [panels.linked(made, "Tool", "This tool alone", tool)]


def _over_time() -> Sequence[frame.Panel]:
    p95 = graph(
        "p95 by tool",
        about(
            "19 of 20 calls took at most this long, on a log scale. Dots, where exemplars are stored, are traces.",
            f"below the objective of {OBJECTIVE:g} s, and level.",
            "one tool rises: its phases, below. All rise: the server, see the overview.",
        ),
        "s",
        [
            Line(legend(names.TOOL), queries.quantile(0.95, TOOL), exemplars=True),
            Line("objective", queries.at(OBJECTIVE)),
        ],
        none=NONE,
        log=True,
        width=12,
        beside=True,
    )
    return [
        graph(
            "Calls by tool",
            about(
                "Calls finished, per second.",
                "what clients usually call.",
                "one tool jumps: a model that calls it in a loop; look at its faults.",
            ),
            "reqps",
            [Line(legend(names.TOOL), queries.messages(TOOL))],
            none=NONE,
            stacked=True,
            width=12,
            beside=True,
        ),
        graph(
            "Faults by tool",
            about(
                "Failed calls per second, by tool and by who is at fault.",
                "few, of caller and tool.",
                "server: the traces of failed calls. Caller: are its description and schema clear?",
            ),
            "reqps",
            [
                Line(
                    f"{legend(names.TOOL)}: {legend(names.FAULT)}",
                    queries.faults(replace(TOOL, by=(names.TOOL, names.FAULT))) + " > 0",
                )
            ],
            none="no faults",
            stacked=True,
            width=12,
            beside=True,
        ),
        panels.limit(p95, "objective"),
        graph(
            "In flight by tool",
            about(
                "Calls being served at this moment.",
                "near calls per second times their mean duration.",
                "a line that only climbs is a tool whose calls hang; they are in no latency.",
            ),
            "short",
            [Line(legend(names.TOOL), queries.value(names.IN_FLIGHT, TOOL))],
            none="no calls in flight",
            stacked=True,
            width=12,
            beside=True,
        ),
    ]
