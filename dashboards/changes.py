"""What changed? Now against the same window earlier, for each service and for each process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from grafana_foundation_sdk.builders import table as builders

from dashboards import board, panels, queries
from dashboards.panels import PLAIN, Column, Heading, Steps, about
from dashboards.queries import INSTANCE, SERVICE, Cut, Label
from mcp_otel.signals import names

WORSE_PERCENT: Steps = ((None, "text"), (0.2, "yellow"), (0.5, "red"))
MORE_FAULTS: Steps = ((None, "text"), (0.001, "yellow"), (0.01, "red"))
MORE_OVERHEAD: Steps = ((None, "text"), (0.05, "yellow"), (0.2, "red"))


class Measure(NamedTuple):
    """What is compared. A share is compared in points, anything else in percent of what it was."""

    title: str
    unit: str
    ask: Callable[[Cut], str]
    worse: Steps = WORSE_PERCENT

    def columns(self, by: tuple[Label, ...]) -> tuple[Column, Column]:
        """How it is now, and how far that is from earlier."""
        cut = Cut(by=by)
        now, then = self.ask(cut), self.ask(cut.earlier())
        points = self.unit == "percentunit"
        change = f"({now}) - ({then})" if points else queries.ratio(now, then)
        return Column(self.title, now, self.unit), Column(f"{self.title} ±", change, "percentunit", self.worse)


MEASURES = (
    Measure("Messages", "reqps", queries.messages, PLAIN),
    Measure("p95", "s", lambda cut: queries.quantile(0.95, cut.of(queries.TOOL_CALLS))),
    Measure("Faults", "percentunit", lambda cut: queries.fault_share(cut, "server"), MORE_FAULTS),
    Measure("Overhead", "percentunit", queries.overhead, MORE_OVERHEAD),
    Measure("Definitions", "decbytes", lambda cut: queries.of_each_server(names.DEFINITIONS_SIZE, cut)),
)
ABOUT = about(
    "The last ten minutes and how far they are from ten minutes that lie as long ago as *Compare with* says. Messages, "
    "p95 of tool calls and definitions are compared in percent, shares in points. Faults are the server's own.",
    "small changes. A dash where there is nothing to compare with: a process that is new, a service without calls.",
    "blue marks in the graphs are new processes: what came with them? Larger definitions cost every conversation.",
)


def tables() -> Sequence[board.Panel]:
    """The row."""
    return [
        _table("Each service against earlier", panels.SERVICE_ROWS, (SERVICE,), height=6),
        _table(
            "Each process against earlier",
            panels.PROCESS_ROWS,
            (SERVICE, INSTANCE),
            height=8,
            naming=queries.versions(),
        ),
    ]


def _table(
    title: str, rows: Mapping[str, Heading], by: tuple[Label, ...], height: int, naming: str = ""
) -> builders.Panel:
    made = panels.table(
        title,
        ABOUT,
        rows,
        [column for measure in MEASURES for column in measure.columns(by)],
        none="no server reports",
        sort="Messages",
        height=height,
        window=panels.COMPARED,
        naming=naming,
    )
    tools = f"/d/{board.TOOLS}?var-service=${{__value.text}}&{board.KEPT}"
    return panels.linked(made, "Service", "Tools of this service", tools)
