"""The boards are what their code makes, and ask only for what servers emit, of the servers that were chosen."""

from __future__ import annotations

import importlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from typing import Any, NamedTuple, get_args

import pytest

from mcp_otel.event import PHASES, Fault
from mcp_otel.methods import CLIENT_METHODS
from mcp_otel.signals import names, prometheus
from tests.house.source import ROOT

DASHBOARDS = ROOT / "dashboards"
BOARDS = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(DASHBOARDS.glob("rendered/*.json"))}
RESOURCE = "target_info"
EMITTED = {
    RESOURCE: {"service_version"},
    **{
        name: {prometheus.label(label) for label in metric.labels}
        for metric in names.METRICS
        for name in prometheus.names(metric)
    },
}
"""Every series there is, with its own labels."""
ADDED = {"job", "instance", "le"}
"""Labels that Prometheus and the Collector bring."""
VALUES = {
    prometheus.label(names.METHOD): set(CLIENT_METHODS),
    prometheus.label(names.PHASE): set(PHASES),
    prometheus.label(names.CLOCK): {"wall", "cpu"},
    prometheus.label(names.FAULT): set(get_args(Fault)),
    prometheus.label(names.STATE): {"active", "idle", "retained"},
    prometheus.label(names.STAT): {"max", "mean", "sum"},
}
DRAWN = {"timeseries", "stat", "gauge", "bargauge", "table", "text", "row"}
MOVED = {"merge", "organize"}
CHOSEN = {"job": "$service", "instance": "$instance", prometheus.label(names.TOOL): "$tool"}
WINDOWS = {"$__rate_interval": "5m", "$__range": "1h"}
VARIABLE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))")

each_board = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)


class Query(NamedTuple):
    """One query of a board, and where it is asked."""

    where: str
    text: str


def need(module: str) -> Any:
    """Import what only some environments have: skipped without it, but not where everything is checked."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{error}: pip install 'grafana-foundation-sdk==1769699379!11.6.0' promql-parser (Python 3.11)")


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def asked(board: dict[str, Any]) -> list[Query]:
    """Every query of panels and marks."""
    of_panels = [
        Query(f"{each['title']}, {of['refId']}", of["expr"]) for each in panels(board) for of in each["targets"]
    ]
    return of_panels + [Query(each["name"], each["expr"]) for each in board["annotations"]["list"]]


def looked_up(board: dict[str, Any]) -> list[Query]:
    """Every `label_values(series, label)` that fills a variable."""
    return [Query(each["name"], each["query"]["query"]) for each in variables(board) if each["type"] == "query"]


def variables(board: dict[str, Any]) -> list[dict[str, Any]]:
    return list(board["templating"]["list"])


def parsed(query: str, board: dict[str, Any]) -> Any:
    """The tree of `query`; windows and offsets have values, what is chosen keeps its name."""
    for variable, value in WINDOWS.items():
        query = query.replace(variable, value)
    for variable in variables(board):
        if variable["type"] == "custom":
            query = query.replace("$" + variable["name"], variable["current"]["value"])
    return need("promql_parser").parse(query)


def below(node: Any) -> Iterator[Any]:
    """`node` and every node below it."""
    yield node
    parts = [getattr(node, name, None) for name in ("lhs", "rhs", "expr", "param", "vector_selector")]
    for part in [*parts, *(getattr(node, "args", None) or ())]:
        if part is not None:
            yield from below(part)


def selectors(node: Any) -> list[Any]:
    return [each for each in below(node) if type(each).__name__ == "VectorSelector"]


def labels_of(node: Any) -> set[str]:
    """Labels that the series below `node` have."""
    return ADDED.union(*(EMITTED.get(each.name, set()) for each in selectors(node)))


def test_there_are_three_boards_with_one_question_each() -> None:
    assert {name: board["uid"] for name, board in BOARDS.items()} == {
        "memory": "mcp-otel-memory",
        "overview": "mcp-otel-overview",
        "tools": "mcp-otel-tools",
    }
    assert [board["title"] for board in BOARDS.values() if board["title"].count("?") != 1] == []


def test_what_is_rendered_is_what_the_code_makes() -> None:
    need("grafana_foundation_sdk")
    build = importlib.import_module("dashboards.build")
    assert build.stale(build.rendered()) == [], "python -m dashboards.build"


def test_the_code_spells_no_metric_and_no_label_of_ours() -> None:
    ours = {*EMITTED, *(prometheus.label(each) for each in names.ATTRIBUTES)} - {RESOURCE}
    ours |= {each.name for each in (*names.METRICS, *names.ATTRIBUTES)}
    assert [
        f"{path.name}: {name}"
        for path in sorted(DASHBOARDS.glob("*.py"))
        for name in sorted(ours)
        if re.search(rf"\b{re.escape(name)}\b", path.read_text("utf-8"))
    ] == []


@each_board
def test_a_board_opens_as_all_do_and_leads_to_the_others(board: dict[str, Any]) -> None:
    said = ("graphTooltip", "refresh", "tags", "time", "timezone")
    assert {name: board[name] for name in said} == {
        "graphTooltip": 1,
        "refresh": "30s",
        "tags": ["mcp", "mcp-otel"],
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
    }
    others = {f"/d/{other['uid']}" for other in BOARDS.values()} - {f"/d/{board['uid']}"}
    assert {link["url"] for link in board["links"] if link["includeVars"] and link["keepTime"]} == others
    assert board["annotations"]["list"] != []


@each_board
def test_a_panel_says_what_it_is_what_is_normal_and_where_to_look_next(board: dict[str, Any]) -> None:
    wrong = []
    for panel in panels(board):
        defaults = panel["fieldConfig"]["defaults"]
        said = [panel["title"], defaults.get("unit"), defaults.get("noValue")]
        said += re.split(r"\n\n\*\*(?:Normal|Next):\*\* ", panel["description"])
        if len(said) != 6 or not all(text and text.strip() for text in said):
            wrong.append(panel["title"])
    assert wrong == []


@each_board
def test_everything_is_asked_of_the_chosen_data_source(board: dict[str, Any]) -> None:
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    asking = [*panels(board), *board["annotations"]["list"], *(each for each in variables(board) if "query" in each)]
    assert [
        each.get("title", each.get("name"))
        for each in asking
        if each.get("type") not in ("datasource", "custom") and each["datasource"] != chosen
    ] == []
    own = [target["datasource"] for panel in panels(board) for target in panel["targets"] if "datasource" in target]
    assert [source for source in own if source != chosen] == []


@each_board
def test_panels_are_of_kinds_that_the_preview_can_draw(board: dict[str, Any]) -> None:
    assert {panel["type"] for panel in board["panels"]} <= DRAWN
    moved = [move for panel in panels(board) for move in panel.get("transformations", ())]
    assert {move["id"] for move in moved} <= MOVED
    now = {panel["title"] for panel in panels(board) if all(target.get("instant") for target in panel["targets"])}
    assert {panel["title"] for panel in panels(board) if panel["type"] != "timeseries"} == now


@each_board
def test_ids_titles_and_the_letters_of_queries_are_unique(board: dict[str, Any]) -> None:
    for said in ("id", "title"):
        assert [each for each, count in Counter(panel[said] for panel in board["panels"]).items() if count > 1] == []
    letters = [[target["refId"] for target in panel["targets"]] for panel in panels(board)]
    assert [each for each in letters if len(each) != len(set(each)) or not each] == []


@each_board
def test_panels_lie_within_the_grid_and_never_over_each_other(board: dict[str, Any]) -> None:
    places = {panel["title"]: panel["gridPos"] for panel in board["panels"]}
    assert [
        title for title, at in places.items() if at["x"] < 0 or at["x"] + at["w"] > 24 or min(at.values()) < 0
    ] == []
    assert [title for title, at in places.items() if not (at["w"] > 0 and at["h"] > 0)] == []
    assert [
        (one, other)
        for (one, a), (other, b) in combinations(places.items(), 2)
        if a["x"] < b["x"] + b["w"]
        and b["x"] < a["x"] + a["w"]
        and a["y"] < b["y"] + b["h"]
        and b["y"] < a["y"] + a["h"]
    ] == []


@each_board
def test_every_line_of_panels_is_as_wide_as_the_grid(board: dict[str, Any]) -> None:
    widths: Counter[int] = Counter()
    for panel in board["panels"]:
        widths[panel["gridPos"]["y"]] += panel["gridPos"]["w"]
    assert [line for line, width in widths.items() if width != 24] == []


@each_board
def test_every_query_is_promql(board: dict[str, Any]) -> None:
    wrong = []
    for query in asked(board):
        try:
            parsed(query.text, board)
        except ValueError as error:
            wrong.append(f"{query.where}: {error}")
    assert wrong == []


@each_board
def test_every_window_follows_the_zoom(board: dict[str, Any]) -> None:
    windows = [(query.where, window) for query in asked(board) for window in re.findall(r"\[(.*?)\]", query.text)]
    assert windows != []
    assert [each for each in windows if each[1] not in WINDOWS] == []


@each_board
def test_queries_ask_only_for_series_labels_and_values_that_are_emitted(board: dict[str, Any]) -> None:
    wrong = []
    trees = [(query.where, parsed(query.text, board)) for query in asked(board)]
    for where, text in looked_up(board):
        found = re.fullmatch(r"label_values\((.+), (\w+)\)", text)
        assert found, text
        tree = parsed(found[1], board)
        trees.append((where, tree))
        wrong += [f"{where}: label {found[2]}"] if found[2] not in labels_of(tree) else []
    for where, tree in trees:
        for each in selectors(tree):
            wrong += [f"{where}: {each.name}"] if each.name not in EMITTED else []
            for matcher in each.matchers.matchers:
                if matcher.name not in labels_of(each):
                    wrong.append(f"{where}: {each.name} has no {matcher.name}")
                values = set(matcher.value.split("|")) - set(CHOSEN.values())
                wrong += [f"{where}: {value}" for value in values - VALUES.get(matcher.name, set())]
        for node in below(tree):
            modifier = getattr(node, "modifier", None)
            matching = getattr(modifier, "matching", None)
            said = [*(getattr(modifier, "labels", None) or ()), *(getattr(modifier, "group_labels", None) or ())]
            said += getattr(matching, "labels", None) or ()
            wrong += [f"{where}: {label} of nothing below" for label in said if label not in labels_of(node)]
    assert wrong == []


@each_board
def test_legends_and_columns_quote_labels_that_their_query_keeps(board: dict[str, Any]) -> None:
    wrong = []
    for panel in panels(board):
        for target in panel["targets"]:
            kept = set(re.findall(r"\w+", " ".join(re.findall(r" by \((.*?)\)", target["expr"]))))
            quoted = re.findall(r"\{\{(.*?)\}\}", target.get("legendFormat", ""))
            wrong += [f"{panel['title']}: {label}" for label in quoted if label not in kept]
        named = [
            move["options"]["renameByName"] for move in panel.get("transformations", ()) if move["id"] == "organize"
        ]
        letters = {f"Value #{target['refId']}" for target in panel["targets"]}
        every = " ".join(target["expr"] for target in panel["targets"])
        for column in (column for names_of in named for column in names_of):
            wrong += [f"{panel['title']}: {column}"] if column not in letters and f"{column}" not in every else []
    assert wrong == []


@each_board
def test_every_series_is_of_the_chosen_services_and_instances(board: dict[str, Any]) -> None:
    wrong = []
    for query in asked(board):
        for each in selectors(parsed(query.text, board)):
            matched = {
                (matcher.name, matcher.value) for matcher in each.matchers.matchers if str(matcher.op) == "MatchOp.Re"
            }
            if not {("job", CHOSEN["job"]), ("instance", CHOSEN["instance"])} <= matched:
                wrong.append(f"{query.where}: {each.name}")
    assert wrong == []


@each_board
def test_sessions_that_ended_and_are_retained_are_no_open_ones(board: dict[str, Any]) -> None:
    state = prometheus.label(names.STATE)
    wrong = []
    for query in asked(board):
        counted = [
            each for each in selectors(parsed(query.text, board)) if each.name == prometheus.series(names.SESSIONS)
        ]
        chosen = all(state in {matcher.name for matcher in each.matchers.matchers} for each in counted)
        wrong += [] if chosen or f"by ({state})" in query.text else [query.where]
    assert wrong == []


@each_board
def test_of_what_other_programs_say_too_only_that_of_servers_is_asked(board: dict[str, Any]) -> None:
    others = {
        name
        for metric in names.METRICS
        if not metric.name.startswith(("mcp.", "mcp_otel."))
        for name in prometheus.names(metric)
    }
    joined = f" and on (job, instance) {prometheus.series(names.LEVEL)}{{"
    wrong = []
    for query in asked(board):
        found = [each for each in selectors(parsed(query.text, board)) if each.name in others]
        wrong += [query.where] if query.text.count(joined) < len(found) else []
    assert wrong == []


@each_board
def test_every_variable_is_used_and_every_one_used_is_there(board: dict[str, Any]) -> None:
    there = {each["name"] for each in variables(board)}
    texts = [query.text for query in asked(board)]
    used = {one or other for text in texts for one, other in VARIABLE.findall(text)} | {"datasource"}
    assert {name for name in used if not name.startswith("__")} == there


@each_board
def test_what_is_chosen_is_several_or_all(board: dict[str, Any]) -> None:
    chosen = [each for each in variables(board) if each["type"] == "query"]
    assert {each["name"] for each in chosen} >= {"service", "instance"}
    assert [
        each["name"] for each in chosen if not (each["multi"] and each["includeAll"] and each["allValue"] == ".*")
    ] == []
