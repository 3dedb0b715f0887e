"""How messages fare, where their time goes, and whether they pile up."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards import panels, queries
from dashboards.board import Panel
from dashboards.panels import OBJECTIVE, Line, about, graph
from dashboards.queries import ALL, INSTANCE, SERVICE, Cut, legend
from mcp_otel.signals import names

CALLS = Cut(only=(queries.TOOL_CALLS,))
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
QUANTILE_COLORS = {"p50": "green", "p95": "yellow", "p99": "orange"}


def fates() -> Sequence[Panel]:
    """Answer how messages fare."""
    latency = graph(
        "Latency of tool calls",
        about(
            "Quantiles of tools/call from receipt to the last byte written, on a log scale; below 10 ms they are "
            "a guess within one bucket. Dots, where exemplars are stored, are traces.",
            f"p95 well below the objective of {OBJECTIVE:g} s.",
            "p50 rises: all calls, so load or the protocol. Only p99: one tool, or one kind of argument.",
        ),
        "s",
        [
            # All three ask the same series: exemplars of one are those of all.
            *(Line(name, queries.quantile(q, CALLS), exemplars=q == 0.95) for name, q in QUANTILES.items()),
            Line("objective", queries.at(OBJECTIVE)),
        ],
        none="no tool calls",
        log=True,
        width=10,
        beside=True,
        colors=QUANTILE_COLORS,
    )
    return [
        graph(
            "Messages by method",
            about(
                "Requests and notifications finished, per second.",
                "tools/call leads; an initialize and a tools/list for each session.",
                "as many initialize as tools/call: clients that connect anew for each call; see sessions opened.",
            ),
            "reqps",
            [Line(legend(names.METHOD), queries.messages(Cut(by=(names.METHOD,))))],
            none="no messages",
            stacked=True,
            width=7,
        ),
        graph(
            "Faults by who is at fault",
            about(
                "Failed messages per second: bad requests (caller), tools that said they failed (tool), and the rest "
                "(server).",
                "no server; a few of caller and tool, as models make mistakes.",
                "server: the traces of failed calls. Tool: which one, on the board of tools. Caller: did definitions "
                "change?",
            ),
            "reqps",
            [Line(legend(names.FAULT), queries.faults(Cut(by=(names.FAULT,))))],
            none="no faults",
            stacked=True,
            colors=panels.FAULT_COLORS,
            width=7,
        ),
        panels.limit(latency, "objective"),
    ]


def times() -> Sequence[Panel]:
    """Answer where the time goes, and whether it piles up."""
    return [
        graph(
            "Where messages' time goes",
            about(
                "Seconds of messages per second, by phase: 1 s is one message being served all the time. Answers that "
                "stream for hours are left out.",
                "handler leads.",
                "queue: the event loop is blocked. Validate, encode: results are large. Peer: clients are slow to "
                "answer. Write: the client does not read, or the network is slow.",
            ),
            "s",
            [Line(legend(names.PHASE), queries.phases(Cut(by=(names.PHASE,))))],
            none="no messages",
            stacked=True,
            colors=panels.PHASE_COLORS,
            width=12,
            beside=True,
        ),
        graph(
            "Requests in flight",
            about(
                "Requests being served: as seen at each export, and the exact mean over time.",
                "the two agree.",
                "the mean rises while the rate does not: each takes longer. Both grow without end: calls hang.",
            ),
            "short",
            [
                Line("at export", queries.value(names.IN_FLIGHT, ALL)),
                Line("mean", queries.rate(names.REQUESTS_TIME, ALL)),
            ],
            none="no requests",
            width=6,
        ),
        graph(
            "Oldest request by process",
            about(
                "Age of the oldest unfinished request of each process.",
                "jagged: it falls whenever that request ends.",
                "a straight climb is a call that hangs; its tool is on the board of tools, in flight.",
            ),
            "s",
            [Line(legend(SERVICE, INSTANCE), queries.value(names.OLDEST_AGE, Cut(by=(SERVICE, INSTANCE)), "max"))],
            none="no server",
            width=6,
        ),
    ]
