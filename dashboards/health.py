"""Is it healthy now? One tile for each way in which it may not be, headroom first."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards import connections, queries
from dashboards.board import Panel
from dashboards.panels import OBJECTIVE, about, stat, warn_above
from dashboards.queries import ALL, Cut
from mcp_otel.signals import names

ALLOWED = 0.001
"""Share of messages that may fail by the objective of availability."""
PAGED = 0.0144
"""14.4 times that: the share at which the first page comes."""
HUNG = 120.0
"""Seconds after which a request hangs, as the alert sees it where nothing is known of the tools."""


def tiles() -> Sequence[Panel]:
    """The row."""
    return [
        stat(
            "Server faults",
            about(
                "Share of messages that failed through the server's own fault; callers' and tools' are not counted.",
                f"0 %; yellow from {ALLOWED:.1%}, where it is more than the objective allows.",
                "the faults below; then the traces of failed calls.",
            ),
            "percentunit",
            queries.fault_share(ALL, "server"),
            none="no calls",
            steps=warn_above(ALLOWED, PAGED),
        ),
        stat(
            "p95 of tool calls",
            about(
                "19 of 20 tool calls took at most this long, up to the last byte written.",
                f"well below {OBJECTIVE:g} s, where the latency alert begins.",
                "where messages' time goes, below; which tool it is, on the board of tools.",
            ),
            "s",
            queries.quantile(0.95, Cut(only=(queries.TOOL_CALLS,))),
            none="no calls",
            steps=warn_above(OBJECTIVE / 2, OBJECTIVE),
        ),
        stat(
            "Oldest request",
            about(
                "How long the oldest unfinished request has been running. A call that hangs is in no latency.",
                "at most what the slowest tool takes.",
                "in flight by tool, on the board of tools; a client that never answers shows as the phase peer.",
            ),
            "s",
            queries.value(names.OLDEST_AGE, ALL, "max"),
            none="no server",
            steps=warn_above(HUNG / 2, HUNG),
        ),
        connections.cap(),
        stat(
            "Overhead",
            about(
                "Share of decode, validate, encode and write in the time of messages, waiting for clients aside.",
                "a few percent where tools do real work; high and harmless where they take microseconds.",
                "where messages' time goes, below; overhead by tool, on the board of tools.",
            ),
            "percentunit",
            queries.overhead(ALL),
            none="no calls",
            steps=warn_above(0.5),
        ),
        stat(
            "In flight",
            about(
                "Requests being served at this moment.",
                "near the mean, below; it grows without end when a server cannot keep up.",
                "the oldest request: if that grows too, calls hang rather than queue.",
            ),
            "short",
            queries.or_idle(queries.value(names.IN_FLIGHT, ALL)),
            none="no server",
        ),
        stat(
            "Messages",
            about(
                "Requests and notifications finished, per second.",
                "what clients usually send; a fall to nothing is a fault too.",
                "the rate by method, below; sessions opened and ended.",
            ),
            "reqps",
            queries.messages(ALL),
            none="no calls",
        ),
        stat(
            "Servers",
            about(
                "Processes that report.",
                "as many as should run.",
                "the table of processes, below; one that is missing may run and have lost its Collector.",
            ),
            "short",
            queries.value(names.LEVEL, ALL, "count"),
            none="none",
        ),
    ]
