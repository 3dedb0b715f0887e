"""The few kinds of panel that the boards are made of; each demands a title, what it says, and a unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from grafana_foundation_sdk.builders import bargauge as bar_builders
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as board_builders
from grafana_foundation_sdk.builders import prometheus as query_builders
from grafana_foundation_sdk.builders import stat as stat_builders
from grafana_foundation_sdk.builders import table as table_builders
from grafana_foundation_sdk.builders import timeseries as series_builders
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.queries import INSTANCE, SERVICE, VERSION, label
from mcp_otel.signals import names

SOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")

OBJECTIVE = 5.0
"""Seconds that a tool call may take; the latency alert's threshold."""
FINEST = "1m"
"""How often a server pushes by OpenTelemetry's default: a shorter step would be empty between two pushes."""
TILE = "5m"
"""The window of a tile that says how things are now; also a server with few calls has some in it."""
COMPARED = "10m"
"""The window that is compared with the same one earlier."""

Steps: TypeAlias = Sequence[tuple[float | None, str]]
"""Colours from a value upwards; None is where all begin."""
NOTHING = DynamicConfigValue("noValue", "–")  # noqa: RUF001
"""What a cell says that has no value."""
DASHED = (
    DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [8, 6]}),
    DynamicConfigValue("custom.fillOpacity", 0),
)
PLAIN: Steps = ((None, "text"),)
PHASE_COLORS = {
    "decode": "blue",
    "validate": "purple",
    "queue": "yellow",
    "handler": "green",
    "peer": "#808080",
    "encode": "orange",
    "write": "red",
}
FAULT_COLORS = {"caller": "blue", "tool": "orange", "server": "red"}


class Line(NamedTuple):
    """One query of a graph; `legend` may quote labels as {{label}}."""

    legend: str
    query: str
    exemplars: bool = False


class Heading(NamedTuple):
    """What a label is called that tells rows of a table apart, and how wide it stands there."""

    title: str
    width: int


class Column(NamedTuple):
    """One query that fills one column of a table."""

    title: str
    query: str
    unit: str
    steps: Steps | None = None
    bar: bool = False


SERVICE_ROWS = {SERVICE: Heading("Service", 140)}
TOOL_ROWS = {**SERVICE_ROWS, label(names.TOOL): Heading("Tool", 220)}
PROCESS_ROWS = {**SERVICE_ROWS, VERSION: Heading("Version", 90), INSTANCE: Heading("Process", 310)}


def about(says: str, normal: str, then: str) -> str:
    """What a panel's description has to tell."""
    return f"{says}\n\n**Normal:** {normal}\n\n**Next:** {then}"


def warn_above(warn: float, bad: float | None = None) -> Steps:
    """Green below `warn`, yellow from there, red from `bad`."""
    return ((None, "green"), (warn, "yellow"), *(((bad, "red"),) if bad is not None else ()))


def stat(
    title: str,
    description: str,
    unit: str,
    query: str,
    *,
    none: str,
    steps: Steps = PLAIN,
    width: int = 3,
    legend: str = "",
) -> stat_builders.Panel:
    """How it is now: one number, and with `legend` whose it is. Asked at one instant, so never a number of old."""
    mode = common.BigValueTextMode.VALUE_AND_NAME if legend else common.BigValueTextMode.VALUE
    target = query_builders.Dataquery().expr(query).instant().ref_id("A").legend_format(legend or title)
    panel = stat_builders.Panel().graph_mode(common.BigValueGraphMode.NONE).text_mode(mode)
    panel = panel.color_mode(common.BigValueColorMode.VALUE).reduce_options(_last()).thresholds(thresholds(steps))
    panel = panel.color_scheme(_by(dashboard.FieldColorModeId.THRESHOLDS))
    panel = panel.title(title).description(description).unit(unit).no_value(none).span(width).height(4)
    # Nothing is neither good nor bad: without this it would have the colour of the lowest step.
    nothing = dashboard.DashboardSpecialValueMapOptions(
        match=dashboard.SpecialValueMatch.NULL, result=dashboard.ValueMappingResult(text=none, color="text")
    )
    panel = panel.mappings([dashboard.SpecialValueMap(options=nothing)])
    return panel.datasource(SOURCE).interval(TILE).with_target(target)


def graph(
    title: str,
    description: str,
    unit: str,
    lines: Sequence[Line],
    *,
    none: str,
    width: int = 8,
    stacked: bool = False,
    stepped: bool = False,
    log: bool = False,
    beside: bool = False,
    colors: Mapping[str, str] | None = None,
) -> series_builders.Panel:
    """Show how it went: lines over time, on a `log` scale, `stepped`, or `stacked` where they add up to a whole.

    The legend is below, or `beside` where there are many lines.
    """
    panel = series_builders.Panel().title(title).description(description).unit(unit).no_value(none)
    panel = panel.span(width).height(9).datasource(SOURCE).interval(FINEST)
    panel = panel.color_scheme(_by(dashboard.FieldColorModeId.PALETTE_CLASSIC))
    points = common.VisibilityMode.NEVER if stacked else common.VisibilityMode.AUTO
    panel = panel.draw_style(common.GraphDrawStyle.LINE).show_points(points).span_nulls(False)
    panel = panel.line_width(1).fill_opacity(60 if stacked else 0 if log else 8)
    panel = panel.tooltip(
        common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
    )
    panel = panel.legend(_legend("Mean", ["mean", "max"], beside))
    if stacked:
        panel = panel.stacking(common_builders.StackingConfig().group("A").mode(common.StackingMode.NORMAL))
    if stepped:
        panel = panel.line_interpolation(common.LineInterpolation.STEP_AFTER)
    if log:
        scale = common_builders.ScaleDistributionConfig().type(common.ScaleDistribution.LOG).log(10)
        panel = panel.scale_distribution(scale)
    else:
        panel = panel.min(0)
    for number, line in enumerate(lines):
        query = query_builders.Dataquery().expr(line.query).range().ref_id(_ref(number)).legend_format(line.legend)
        panel = panel.with_target(query.exemplar(True) if line.exemplars else query)
    for name, color in (colors or {}).items():
        panel = panel.override_by_name(name, [_fixed(color)])
    return panel


def limit(panel: series_builders.Panel, name: str) -> series_builders.Panel:
    """Draw the line `name` as a limit: dashed, red, and on top of no stack."""
    stacking = DynamicConfigValue("custom.stacking", {"group": "A", "mode": "none"})
    return panel.override_by_name(name, [_fixed("red"), *DASHED, stacking])


def dashed(panel: series_builders.Panel, number: int, color: str = "") -> series_builders.Panel:
    """Draw every line of the query `number`, from 0, dashed: what other lines are compared with."""
    return panel.override_by_query(_ref(number), [*((_fixed(color),) if color else ()), *DASHED])


def worded(panel: series_builders.Panel, words: Mapping[int, str]) -> series_builders.Panel:
    """Say whole numbers from 0 in `words`."""
    texts = {str(number): dashboard.ValueMappingResult(text=text) for number, text in words.items()}
    panel = panel.mappings([dashboard.ValueMap(options=texts)]).max(max(words)).decimals(0)
    return panel.legend(_legend("Min", ["lastNotNull", "min"], beside=False))


def bars(
    title: str, description: str, unit: str, line: Line, *, none: str, steps: Steps = PLAIN, width: int = 8
) -> bar_builders.Panel:
    """Compare values as bars, in the order that the query has."""
    query = query_builders.Dataquery().expr(line.query).instant().ref_id("A").legend_format(line.legend)
    panel = bar_builders.Panel().title(title).description(description).unit(unit).no_value(none).min(0)
    panel = panel.span(width).height(9).datasource(SOURCE).interval(TILE).reduce_options(_last())
    panel = panel.orientation(common.VizOrientation.HORIZONTAL).display_mode(common.BarGaugeDisplayMode.BASIC)
    panel = panel.color_scheme(_by(dashboard.FieldColorModeId.THRESHOLDS))
    if unit == "percentunit":
        panel = panel.max(1)
    return panel.thresholds(thresholds(steps)).value_mode(common.BarGaugeValueMode.TEXT).with_target(query)


def table(
    title: str,
    description: str,
    rows: Mapping[str, Heading],
    columns: Sequence[Column],
    *,
    none: str,
    sort: str,
    width: int = 24,
    height: int = 8,
    window: str = TILE,
    naming: str = "",
) -> table_builders.Panel:
    """Compare rows told apart by the labels `rows` ; one query fills each column.

    The query `naming` fills none: it adds its labels.
    """
    panel = table_builders.Panel().title(title).description(description).unit("short").no_value(none)
    panel = panel.span(width).height(height).datasource(SOURCE).interval(window).show_header(True).min_width(80)
    panel = panel.color_scheme(_by(dashboard.FieldColorModeId.THRESHOLDS)).thresholds(thresholds(PLAIN))
    panel = panel.sort_by([common_builders.TableSortByFieldState().display_name(sort).desc(True)])
    hidden, renamed = {"Time": True}, {name: heading.title for name, heading in rows.items()}
    asked = [*(column.query for column in columns), *((naming,) if naming else ())]
    for number, query in enumerate(asked):
        target = query_builders.Dataquery().expr(query).instant().ref_id(_ref(number))
        panel = panel.with_target(target.format(PromQueryFormat.TABLE))
    for heading in rows.values():
        # As text: a version such as 1.10 is no number.
        words = [DynamicConfigValue("unit", "string"), NOTHING, DynamicConfigValue("custom.width", heading.width)]
        panel = panel.override_by_name(heading.title, words)
    for number, column in enumerate(columns):
        renamed[f"Value #{_ref(number)}"] = column.title
        panel = panel.override_by_name(column.title, _cells(column))
    if naming:
        hidden[f"Value #{_ref(len(columns))}"] = True
    order = {name: position for position, name in enumerate(renamed)}
    panel = panel.with_transformation(DataTransformerConfig(id_val="merge", options={}))
    return panel.with_transformation(
        DataTransformerConfig(
            id_val="organize",
            options={"excludeByName": hidden, "indexByName": order, "renameByName": renamed},
        )
    )


def linked(panel: table_builders.Panel, column: str, title: str, url: str) -> table_builders.Panel:
    """Make the cells of `column` lead to `url`."""
    return panel.override_by_name(column, [DynamicConfigValue("links", [{"title": title, "url": url}])])


def thresholds(steps: Steps) -> board_builders.ThresholdsConfig:
    """Colours that depend on the value."""
    made = [dashboard.Threshold(value=start, color=color) for start, color in steps]
    return board_builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(made)


def _cells(column: Column) -> list[DynamicConfigValue]:
    made: list[Any] = [DynamicConfigValue("unit", column.unit), NOTHING]
    if column.bar:
        made += [DynamicConfigValue("custom.width", 240), DynamicConfigValue("fieldMinMax", True)]
        made.append(DynamicConfigValue("custom.cellOptions", {"type": "gauge", "mode": "basic"}))
        made += [DynamicConfigValue("min", 0), DynamicConfigValue("color", {"mode": "fixed", "fixedColor": "blue"})]
    if column.steps is not None:
        made.append(DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
        made.append(DynamicConfigValue("thresholds", thresholds(column.steps).build()))
    return made


def _legend(sort: str, shown: list[str], beside: bool) -> common_builders.VizLegendOptions:
    made = common_builders.VizLegendOptions().display_mode(common.LegendDisplayMode.TABLE).show_legend(True)
    made = made.placement(common.LegendPlacement.RIGHT if beside else common.LegendPlacement.BOTTOM)
    return made.calcs(shown).sort_by(sort).sort_desc(True)


def _by(mode: dashboard.FieldColorModeId) -> board_builders.FieldColor:
    return board_builders.FieldColor().mode(mode)


def _fixed(color: str) -> DynamicConfigValue:
    return DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})


def _last() -> common_builders.ReduceDataOptions:
    return common_builders.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


def _ref(number: int) -> str:
    return chr(ord("A") + number)
