"""Whether memory grows and with what, and what else a process takes: pauses, descriptors, threads."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards import panels, queries
from dashboards.board import Panel
from dashboards.bounds import FULL
from dashboards.panels import Line, about, graph
from dashboards.queries import INSTANCE, PROCESS, SERVICE, Cut, legend
from mcp_otel.signals import names

FLOOR = "#a0a0a0"
WHO = legend(SERVICE, INSTANCE)
GENERATIONS = Cut(by=(names.GENERATION,))
GENERATION = f"generation {legend(names.GENERATION)}"


def memory() -> Sequence[Panel]:
    """Answer whether memory grows, and with what."""
    resident = graph(
        "Memory by process",
        about(
            "Resident memory. Dashed and grey: its floor, the lowest since the last full garbage collection. That is "
            "what load and garbage do not explain.",
            "the floor is level, also where memory goes up and down with the load.",
            "the floor climbs: what it grows with, below; then retained objects and the size of conversations. Only "
            "memory climbs: the load, or garbage that no full collection has taken yet.",
        ),
        "bytes",
        [
            Line(WHO, queries.value(names.PROCESS_MEMORY, PROCESS)),
            Line(f"floor: {WHO}", queries.value(names.MEMORY_FLOOR, PROCESS, "max")),
        ],
        none="no server",
        width=12,
    )
    share = graph(
        "Memory of its limit by process",
        about(
            "Resident memory as a share of where the process would end: by its control group, its address space, or "
            "the host. What others of the same group take lowers the limit.",
            f"below {FULL[0]:.0%}.",
            "in the table above: how much the limit is, and how long memory lasts.",
        ),
        "percentunit",
        [Line(WHO, queries.of_memory(PROCESS.by)), Line("limit", queries.at(1))],
        none="no limit known",
        width=12,
    )
    return [
        panels.dashed(resident, 1, FLOOR),
        panels.limit(share, "limit"),
        graph(
            "What memory grows with",
            about(
                "Bytes that stay of every ended session, or of every call, on the worst process of each service. Said "
                "only where that explains the growth.",
                "nothing grows.",
                "per session: retained objects, below. Per call: what do tools keep in a global, a cache, a log? "
                "Nothing here and the floor climbs: it grows with time, so look for a task in the background.",
            ),
            "bytes",
            [
                Line(f"per session: {legend(SERVICE)}", _worst(names.MEMORY_SESSION)),
                Line(f"per call: {legend(SERVICE)}", _worst(names.MEMORY_CALL)),
            ],
            none="neither sessions nor calls leave memory behind",
        ),
        graph(
            "Pauses by garbage collection",
            about(
                "Share of its time that the garbage collector stops a process, on the process that it stops most.",
                "below 1 %.",
                "generation 2: much is alive, and looked at again and again; conversations or retained objects.",
            ),
            "percentunit",
            [Line(GENERATION, queries.of_each_server(names.GC_PAUSE, GENERATIONS))],
            none="no garbage collection yet",
        ),
        graph(
            "Garbage collections",
            about(
                "Garbage collections per minute of all processes, on a log scale. Generation 2 is a full one: only it "
                "tells what is retained, and where the floor is.",
                "few full ones, but some.",
                "no full ones for long: the floor and retained objects are of old.",
            ),
            "cpm",
            [Line(GENERATION, f"60 * {queries.rate(names.GC_COLLECTIONS, GENERATIONS)} > 0")],
            none="no garbage collection yet",
            log=True,
        ),
    ]


def rest() -> Sequence[Panel]:
    """Answer what else a process takes."""
    return [
        graph(
            "File descriptors by process",
            about(
                "Files, sockets and pipes that each process has open.",
                "they follow the sessions that are open.",
                "they only grow: connections or files that nobody closes. At the limit of the system, all calls fail.",
            ),
            "short",
            [Line(WHO, queries.value(names.PROCESS_FILES, PROCESS))],
            none="not known on this system",
            width=12,
        ),
        graph(
            "Threads by process",
            about(
                "Threads of each process, those of libraries too.",
                "level after a while: worker threads stay.",
                "they only grow: something starts threads that never end, and each keeps its stack.",
            ),
            "short",
            [Line(WHO, queries.value(names.PROCESS_THREADS, PROCESS))],
            none="no server",
            width=12,
        ),
    ]


def _worst(metric: names.Metric) -> str:
    return queries.value(metric, Cut(by=(SERVICE,)), "max")
