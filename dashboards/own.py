"""What mcp-otel itself takes, and whether it says all it should."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards import panels, queries
from dashboards.board import Panel
from dashboards.panels import Line, about, graph
from dashboards.queries import INSTANCE, SERVICE, Cut, legend
from mcp_otel.settings import Settings
from mcp_otel.signals import names

BUDGET = Settings().cost_budget
LEVELS = {0: "off", 1: "metrics", 2: "slow ones", 3: "all"}


def graphs() -> Sequence[Panel]:
    """The row."""
    cost = graph(
        "Cost of mcp-otel",
        about(
            "Share of one processor core that mcp-otel takes, on the costliest process of each service.",
            f"well below {BUDGET:.0%}, the budget by default, at which it steps down by itself.",
            "near the budget: the setting level=metrics, or accept the steps down that the next graph shows.",
        ),
        "percentunit",
        [
            Line(legend(SERVICE), queries.of_each_server(names.COST_TIME, Cut(by=(SERVICE,)))),
            Line("budget", queries.at(BUDGET)),
        ],
        none="no server",
    )
    level = graph(
        "Level",
        about(
            "How much is said, on the process of each service that says least: metrics, spans with phases of slow and "
            "failed messages only, or all that is set.",
            "all, or what the setting level says.",
            "it steps down and up: the cost is at its budget. Metrics stay exact, traces lose phases.",
        ),
        "short",
        [Line(legend(SERVICE), queries.value(names.LEVEL, Cut(by=(SERVICE,)), "min"))],
        none="no server",
        stepped=True,
    )
    part = (SERVICE, INSTANCE, names.PART)
    return [
        panels.limit(cost, "budget"),
        panels.worded(level, LEVELS),
        graph(
            "Dropped and failed",
            about(
                "What mcp-otel dropped, and failures of its own that it swallowed, counted since each process began.",
                "nothing.",
                "dropped by an exporter: is the endpoint there? Failed: an error of mcp-otel; its log names it once.",
            ),
            "short",
            [
                Line(f"dropped: {legend(*part)}", queries.value(names.DROPPED, Cut(by=part))),
                Line(f"failed: {legend(*part)}", queries.value(names.FAILURES, Cut(by=part))),
            ],
            none="nothing dropped, nothing failed",
            stepped=True,
        ),
    ]
