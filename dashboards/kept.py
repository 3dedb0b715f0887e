"""What sessions keep and leave behind, and how large conversations are."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards import panels, queries
from dashboards.board import Panel
from dashboards.bounds import RETAINED
from dashboards.panels import Column, Heading, Line, Steps, about, graph
from dashboards.queries import ALL, BY_SERVICE, PROCESS, SERVICE, Cut, label, legend
from mcp_otel.signals import names
from mcp_otel.signals.names import Metric

STATE_COLORS = {"active": "green", "idle": "#808080", "retained": "orange"}
KINDS = Cut(by=(SERVICE, names.KIND, names.TYPE))
KIND_ROWS = {
    **panels.SERVICE_ROWS,
    label(names.KIND): Heading("Of a", 80),
    label(names.TYPE): Heading("Type", 220),
}
ACCIDENT: Steps = ((None, "text"), (RETAINED, "yellow"))
TOGETHER = queries.one_of(names.STAT, "sum")


def sessions() -> Sequence[Panel]:
    """Answer which sessions are kept, and how many will be."""
    held = queries.value(names.SESSIONS, PROCESS.of(queries.OPEN))
    forecast = queries.value(names.SESSIONS_FORECAST, PROCESS, "max")
    size = queries.value(names.SESSIONS_FORECAST_SIZE, PROCESS, "max")
    return [
        graph(
            "Sessions in memory by state",
            about(
                "Sessions that are open (active or idle), and on top of them retained ones: they have ended, but are "
                "still in memory.",
                "none is retained; idle ones come and go.",
                "retained ones grow with those that end: a leak. Their types are below.",
            ),
            "short",
            [Line(legend(names.STATE), queries.value(names.SESSIONS, Cut(by=(names.STATE,))))],
            none="no sessions",
            stacked=True,
            colors=STATE_COLORS,
        ),
        _against(
            "Forecast of sessions",
            about(
                "Sessions that are open, and where their number settles at the present pace: once idle ones are "
                "reclaimed, or at the cap. Processes without a trend count as they are.",
                "both agree: there is no trend.",
                "the forecast is far above: a shorter idle timeout, or clients that close their sessions.",
            ),
            "short",
            [
                Line("now", queries.value(names.SESSIONS, ALL.of(queries.OPEN))),
                Line("forecast", queries.gather("sum", (), f"{forecast} or {held}")),
            ],
            none="no sessions",
        ),
        _against(
            "Forecast of what sessions hold",
            about(
                "Bytes that the server keeps for its open sessions now, and for as many as the forecast says. Only of "
                "processes that have a trend.",
                "nothing: there is no trend.",
                "compare with the memory that is left: the limit less what is resident, in the table above.",
            ),
            "bytes",
            [
                Line("now", queries.gather("sum", (), f"{size} / ({forecast} > 0) * {held}")),
                Line("forecast", queries.value(names.SESSIONS_FORECAST_SIZE, ALL)),
            ],
            none="no trend",
        ),
    ]


def objects() -> Sequence[Panel]:
    """Answer what sessions and requests leave behind."""
    each = queries.value(names.OBJECTS_SIZE, KINDS, "max")
    together = f"{queries.series(names.OBJECTS_RETAINED)} * {queries.series(names.OBJECTS_SIZE)}"
    return [
        graph(
            "Retained objects over time",
            about(
                "Objects of ended sessions and requests that a full garbage collection left alive.",
                "none, or a level line: a cache.",
                "a line that climbs by steps: the type that leaks. Each step is a full collection.",
            ),
            "short",
            [
                Line(
                    f"{legend(names.TYPE)} of a {legend(names.KIND)}",
                    queries.value(names.OBJECTS_RETAINED, Cut(by=(names.KIND, names.TYPE))),
                )
            ],
            none="nothing retained",
            stacked=True,
        ),
        panels.table(
            "Retained objects by type",
            about(
                "Objects that should be gone: how many now, how many more than at the lowest of the time shown, and "
                "the memory that they alone hold, estimated.",
                "none. A number that does not change is a cache.",
                "the type with the most bytes that still grows. The summary of the process names what holds one.",
            ),
            KIND_ROWS,
            [
                Column("Objects", queries.value(names.OBJECTS_RETAINED, KINDS), "short", ACCIDENT),
                Column("More", queries.above_lowest(names.OBJECTS_RETAINED, KINDS), "short"),
                Column("Bytes each", each, "bytes"),
                Column("Together", queries.gather("sum", KINDS.by, together), "bytes"),
            ],
            none="nothing retained",
            sort="Objects",
            width=16,
            height=9,
        ),
    ]


def context() -> Sequence[Panel]:
    """Answer how large conversations are."""
    return [
        graph(
            "Size of a conversation",
            about(
                "What a live conversation holds: content exchanged so far, and what the server keeps for it, "
                "estimated. The largest of each service, and the mean of the process with the highest.",
                "tens of kilobytes, and the largest not far above the mean.",
                "the largest climbs alone: one client that never ends its session. The mean climbs: results are large, "
                "see the largest message on the overview.",
            ),
            "bytes",
            _stats(names.CONTEXT_SIZE),
            none="no conversation",
        ),
        graph(
            "Growth per turn",
            about(
                "Bytes by which a live conversation grows with each turn: the fastest of each service, and the mean of "
                "the process with the highest. Said once one has had a few turns.",
                "about the size of a call and its result, and level.",
                "far more than messages have: the server keeps more of a turn than what was said.",
            ),
            "bytes",
            _stats(names.CONTEXT_GROWTH),
            none="no conversation with turns enough",
        ),
        graph(
            "What conversations hold together",
            about(
                "Bytes that all live conversations hold, by service.",
                "a small part of the memory that is resident.",
                "most of it: fewer or shorter conversations. Little of a memory that grows: look at retained objects.",
            ),
            "bytes",
            [Line(legend(SERVICE), queries.value(names.CONTEXT_SIZE, BY_SERVICE.of(TOGETHER)))],
            none="no conversation",
            stacked=True,
        ),
    ]


def _against(title: str, description: str, unit: str, lines: Sequence[Line], none: str) -> Panel:
    colors = {"now": "green", "forecast": "yellow"}
    return panels.dashed(graph(title, description, unit, lines, none=none, colors=colors), 1)


def _stats(metric: Metric) -> list[Line]:
    return [
        Line(
            f"{stat}: {legend(SERVICE)}",
            queries.value(metric, BY_SERVICE.of(queries.one_of(names.STAT, stat)), "max"),
        )
        for stat in ("max", "mean")
    ]
