"""The frame that all boards share: variables, links between them, the marks of new processes, the order of panels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from grafana_foundation_sdk.builders import bargauge, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards import queries as ask
from dashboards.panels import SOURCE
from mcp_otel.signals import names, prometheus

OVERVIEW = "mcp-otel-overview"
TOOLS = "mcp-otel-tools"
MEMORY = "mcp-otel-memory"
TITLES = {
    OVERVIEW: "MCP servers: is it healthy, what changed?",
    TOOLS: "MCP tools: which is slow, failing or expensive?",
    MEMORY: "MCP context and memory: what grows, how long is left?",
}
TAGS = ["mcp", "mcp-otel"]
KEPT = "var-datasource=${datasource:raw}&${__url_time_range}"
"""What a link of a cell keeps: the data source and the time shown."""

Panel: TypeAlias = bargauge.Panel | stat.Panel | table.Panel | timeseries.Panel
Row: TypeAlias = tuple[str, Sequence[Panel]]


class Mark(dashboard.AnnotationQuery, Builder[dashboard.AnnotationQuery]):
    """An annotation with the fields that Prometheus data sources read and the library does not know."""

    more: Mapping[str, object]

    def build(self) -> dashboard.AnnotationQuery:
        """Nothing is left to do."""
        return self

    def to_json(self) -> dict[str, object]:
        """Every field."""
        return {**super().to_json(), **self.more}


def board(uid: str, description: str, variables: Sequence[Any], rows: Sequence[Row]) -> dashboard.Dashboard:
    """Make a board of `rows`; the widths of the panels of a row add up to lines of 24."""
    made = builders.Dashboard(TITLES[uid]).uid(uid).description(description).tags(TAGS)
    made = made.timezone("browser").refresh("30s").time("now-1h", "now").editable()
    made = made.tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
    for variable in (_source(), service(), instance(), *variables):
        made = made.with_variable(variable)
    for other, title in TITLES.items():
        if other != uid:
            # Whole questions would not fit beside the variables.
            link = builders.DashboardLink(title.partition(":")[0]).tooltip(title).url(f"/d/{other}")
            link = link.type(dashboard.DashboardLinkType.LINK)
            made = made.link(link.icon("dashboard").include_vars(True).keep_time(True))
    number = 0
    for title, panels in rows:
        number += 1
        made = made.with_row(builders.Row(title).id(number))
        for panel in panels:
            number += 1
            made = made.with_panel(panel.id(number))
    return made.annotation(_new_servers()).build()


def service() -> builders.QueryVariable:
    """Which services."""
    query = f"label_values({prometheus.series(names.LEVEL)}, {ask.SERVICE})"
    return _chosen("service", "Service", "Services whose servers report", query)


def instance() -> builders.QueryVariable:
    """Which processes of them."""
    level = f"{prometheus.series(names.LEVEL)}{{{ask.CHOSEN[0]}}}"
    return _chosen("instance", "Instance", "Processes of the chosen services", f"label_values({level}, {ask.INSTANCE})")


def tool() -> builders.QueryVariable:
    """Which of their tools."""
    calls = ask.series(names.OPERATION_DURATION, ask.TOOL_CALLS, part="_count")
    query = f"label_values({calls}, {ask.label(names.TOOL)})"
    return _chosen("tool", "Tool", "Tools of the chosen services that were called", query)


def earlier() -> builders.CustomVariable:
    """How long ago to compare with."""
    choices = ("15m", "1h", "6h", "1d", "7d")
    options = [dashboard.VariableOption(selected=each == "1h", text=each, value=each) for each in choices]
    variable = builders.CustomVariable("earlier").label("Compare with").values(",".join(choices)).options(options)
    return variable.description("How long before now the window of comparison is").current(options[1])


def _chosen(name: str, label: str, description: str, query: str) -> builders.QueryVariable:
    asked: dict[str, object] = {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"}
    everything = dashboard.VariableOption(selected=True, text=["All"], value=["$__all"])
    variable = builders.QueryVariable(name).label(label).description(description).query(asked).datasource(SOURCE)
    variable = variable.multi(True).include_all(True).all_value(".*").current(everything)
    return variable.refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(
        dashboard.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC
    )


def _source() -> builders.DatasourceVariable:
    return builders.DatasourceVariable("datasource").label("Data source").type("prometheus")


def _new_servers() -> Mark:
    mark = Mark(name="New processes", datasource=SOURCE, icon_color="blue", expr=ask.new_servers())
    mark.more = {
        "step": "30s",
        "tagKeys": f"{ask.SERVICE},{ask.INSTANCE}",
        "titleFormat": f"new process of {{{{{ask.SERVICE}}}}}",
        "textFormat": f"{{{{{ask.INSTANCE}}}}}",
    }
    return mark
