"""Is there room? How full event loops, worker threads, memory and sessions are, and what fills the loops."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import table as builders

from dashboards import board, panels, queries
from dashboards.bounds import FILLING, FULL, MEMORY_LASTS, SESSIONS_LAST, ending
from dashboards.panels import Column, Heading, Line, about, bars, graph
from dashboards.queries import ALL, BY_SERVICE, SERVICE, SHOWN, TOOL_CALLS, Cut, label, legend
from mcp_otel.settings import Settings
from mcp_otel.signals import names

BOUND = Settings().blocked_after
MOST = 10
"""How many bars are drawn at most."""
QUANTILES = {"p95": 0.95, "p99": 0.99}
QUANTILE_COLORS = {"p95": "yellow", "p99": "orange"}
PLACES = {label(names.PLACE): Heading("Place", 280), label(names.TOOL): Heading("Tool", 140)}


def left() -> Sequence[board.Panel]:
    """The row."""
    return [_loops(), _lag(), _threads(), _tools(), _blocked(), _services()]


def _loops() -> board.Panel:
    made = graph(
        "Event loops",
        about(
            "Share of its time that the event loop runs code instead of waiting, on the busiest process of each "
            "service. Dashed: the processor cores that the process with the most of them uses.",
            f"below {FULL[0]:.0%}. From {FULL[1]:.0%} all calls wait for each other.",
            "the loop is full and the processor is not: code that blocks, see the places below. Both are full: more "
            "processes, or move the work of the first tool below to threads.",
        ),
        "percentunit",
        [
            Line(f"loop: {legend(SERVICE)}", queries.of_each_server(names.LOOP_BUSY, BY_SERVICE)),
            Line(f"processor: {legend(SERVICE)}", queries.of_each_server(names.PROCESS_CPU, BY_SERVICE)),
            Line("full", queries.at(FULL[1])),
        ],
        none="no event loop",
    )
    return panels.limit(panels.dashed(made, 1), "full")


def _lag() -> board.Panel:
    made = graph(
        "Lag of event loops",
        about(
            "How late event loops run what is due, on a log scale. A call waits as long at each of its steps.",
            f"milliseconds. A single step of {BOUND:g} s and more, by default, counts as a blockage.",
            "p99 alone: single steps that block, see the places below. Both: the loop is full, see its share of time.",
        ),
        "s",
        [
            *(Line(name, queries.quantile(q, ALL, names.LOOP_LAG)) for name, q in QUANTILES.items()),
            Line("blocked", queries.at(BOUND)),
        ],
        none="no event loop",
        log=True,
        colors=QUANTILE_COLORS,
    )
    return panels.limit(made, "blocked")


def _threads() -> board.Panel:
    pools = Cut(by=(names.POOL,))
    made = graph(
        "Worker threads",
        about(
            "Worker threads that work, and work that waits for one, of all processes: anyio's run tools that are no "
            "coroutines, asyncio's what is handed to the default executor. Dashed: how many may work at once.",
            "nothing waits.",
            "waiting grows: calls that block for long in threads. See in flight by tool, on the board of tools.",
        ),
        "short",
        [
            Line(f"{legend(names.POOL)}: used", queries.value(names.THREADS_USED, pools)),
            Line(f"{legend(names.POOL)}: waiting", queries.value(names.THREADS_WAITING, pools)),
            Line(f"{legend(names.POOL)}: limit", queries.value(names.THREADS_LIMIT, pools)),
        ],
        none="no worker thread used yet",
    )
    return panels.dashed(made, 2)


def _tools() -> board.Panel:
    calls = Cut(by=(names.TOOL,), only=(TOOL_CALLS,), over=SHOWN)
    return bars(
        "Event loop by tool",
        about(
            "Share of its event loop that the handlers of each tool had to themselves over the time shown, on the "
            "process where that is most. Nothing else runs there meanwhile; waiting is not counted.",
            "a few percent each.",
            "the first one, when loops are full: let it compute in a thread or a process of its own.",
        ),
        "percentunit",
        Line(legend(names.TOOL), f"topk({MOST}, {queries.of_each_server(names.LOOP_TOOL, calls)})"),
        none="no calls",
        steps=panels.warn_above(FULL[0] / 2, FULL[0]),
        width=6,
    )


def _blocked() -> board.Panel:
    places = Cut(by=(names.PLACE, names.TOOL))
    return panels.table(
        "What blocked event loops",
        about(
            f"Steps that held an event loop for {BOUND:g} s and more over the time shown, by the line of code that was "
            "seen running and the tool it ran for. Nothing else was served meanwhile.",
            "nothing. `_unseen` are steps that let nobody look; without a tool it was no call.",
            "the line that is named: await it, or hand it to a thread. The spans of such calls say it too.",
        ),
        PLACES,
        [
            Column("Times", f"{queries.counted(names.LOOP_BLOCKAGES, places)} > 0", "short"),
            Column("Blocked", f"{queries.counted(names.LOOP_BLOCKED, places)} > 0", "s"),
        ],
        none="nothing blocked an event loop",
        sort="Blocked",
        width=10,
        height=9,
    )


def _services() -> builders.Panel:
    by = BY_SERVICE.by
    made = panels.table(
        "Room left by service",
        about(
            "Memory and sessions as shares of their limits, on the fullest process of each service, and the time until "
            "the first of its processes reaches them.",
            "shares below 70 %. A dash instead of a time: there is no trend.",
            "a click on the service leads to the board of memory: which process, and what grows?",
        ),
        panels.SERVICE_ROWS,
        [
            Column("Memory", queries.of_memory(by), "percentunit", FILLING),
            Column("Full in", queries.shortest(names.MEMORY_TIME, BY_SERVICE), "s", ending(MEMORY_LASTS)),
            Column("Sessions", queries.of_cap(by), "percentunit", FILLING),
            Column("Cap in", queries.shortest(names.SESSIONS_TIME, BY_SERVICE), "s", ending(SESSIONS_LAST)),
        ],
        none="no server reports",
        sort="Memory",
        width=8,
        height=9,
    )
    memory = f"/d/{board.MEMORY}?var-service=${{__value.text}}&{board.KEPT}"
    return panels.linked(made, "Service", "Memory of this service", memory)
