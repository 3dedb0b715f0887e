"""MCP context and memory: what grows, how long is left? The rows on what is left and on what a process holds."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.models import dashboard

from dashboards import board as frame
from dashboards import connections, growth, kept, panels, queries
from dashboards.bounds import FILLING, FULL, MEMORY_LASTS, RETAINED, SESSIONS_LAST, ending, little
from dashboards.panels import Column, about, stat, warn_above
from dashboards.queries import ALL, PROCESS
from mcp_otel.signals import names

ROWS = {name: heading for name, heading in panels.PROCESS_ROWS.items() if name != queries.VERSION}


def board() -> dashboard.Dashboard:
    """Make the board."""
    return frame.board(
        frame.MEMORY,
        "What processes and conversations keep in memory, whether it grows and with what, and how long is left.",
        [],
        [
            ("How long is left?", [*_tiles(), _processes()]),
            ("Does memory grow, and with what?", growth.memory()),
            ("What else does a process take?", growth.rest()),
            ("Which sessions are kept, and what do they leave behind?", [*kept.sessions(), *kept.objects()]),
            ("How large are conversations?", kept.context()),
        ],
    )


def _tiles() -> Sequence[frame.Panel]:
    return [
        stat(
            "Memory full in",
            about(
                "Time until a process reaches its limit of memory if its floor goes on growing like this: the shortest "
                "of all processes.",
                "no trend.",
                "which process it is, in the table below; then what memory grows with. A restart wins time.",
            ),
            "s",
            queries.shortest(names.MEMORY_TIME),
            none="no trend",
            steps=little(MEMORY_LASTS),
            width=4,
        ),
        stat(
            "Memory of limit",
            about(
                "Resident memory as a share of where the process would end, on the fullest process.",
                f"below {FULL[0]:.0%}, and level.",
                "the table below; a share that rises while memory does not: others take the memory of the host.",
            ),
            "percentunit",
            queries.of_memory(),
            none="no limit known",
            steps=warn_above(*FULL),
            width=4,
        ),
        stat(
            "Retained objects",
            about(
                "Objects of ended sessions and requests that a full garbage collection left alive.",
                "none; a few that do not become more are a cache.",
                "their types, below; the summary of the process names what holds them.",
            ),
            "short",
            queries.or_idle(queries.value(names.OBJECTS_RETAINED, ALL)),
            none="no server",
            steps=warn_above(RETAINED),
            width=4,
        ),
        stat(
            "Retained sessions",
            about(
                "Sessions that have ended but are still in memory. They do not count against the cap.",
                "none.",
                "sessions by state and retained objects, below: does the number grow with the sessions that end?",
            ),
            "short",
            queries.or_idle(queries.value(names.SESSIONS, ALL.of(queries.RETAINED))),
            none="no server",
            steps=warn_above(RETAINED),
            width=4,
        ),
        stat(
            "Session cap in",
            about(
                "Time until a process refuses new sessions at the present pace: the shortest of all processes.",
                "no trend.",
                "the forecast of sessions, below; who opens them, on the overview.",
            ),
            "s",
            queries.shortest(names.SESSIONS_TIME),
            none="no trend",
            steps=little(SESSIONS_LAST),
            width=4,
        ),
        connections.cap(width=4),
    ]


def _processes() -> frame.Panel:
    def highest(metric: names.Metric) -> str:
        return queries.value(metric, PROCESS, "max")

    return panels.table(
        "Each process",
        about(
            "Memory of each process against its limit. Floor: the lowest since the last full garbage collection. "
            "Unique: what it shares with no other. Reserved: its address space. Cap in: until new sessions are "
            "refused.",
            "processes of one service are alike. A dash where there is no trend, or nothing to tell.",
            "one process far above the others: its clients, or its age. All alike and growing: the code.",
        ),
        ROWS,
        [
            Column("Full in", queries.shortest(names.MEMORY_TIME, PROCESS), "s", ending(MEMORY_LASTS)),
            Column("Of limit", queries.of_memory(PROCESS.by), "percentunit", FILLING),
            Column("Resident", queries.value(names.PROCESS_MEMORY, PROCESS), "bytes"),
            Column("Floor", highest(names.MEMORY_FLOOR), "bytes"),
            Column("Unique", highest(names.MEMORY_UNIQUE), "bytes"),
            Column("Limit", highest(names.MEMORY_LIMIT), "bytes"),
            Column("Reserved", queries.value(names.PROCESS_VIRTUAL, PROCESS), "bytes"),
            Column("Retained", queries.value(names.OBJECTS_RETAINED, PROCESS), "short"),
            Column("Cap in", queries.shortest(names.SESSIONS_TIME, PROCESS), "s", ending(SESSIONS_LAST)),
            Column("Runs for", highest(names.PROCESS_UPTIME), "s"),
        ],
        none="no server reports",
        sort="Of limit",
    )
