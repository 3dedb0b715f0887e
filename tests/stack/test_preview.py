"""Dashboards drawn without a Grafana, and checked against its types: what is drawn is what Prometheus answered."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from dashboards.preview import cache, check, draw, programs
from tests.stack.programs import need

ROOT = Path(__file__).parents[2]
RENDERED = sorted((ROOT / "dashboards" / "rendered").glob("*.json"))
PREVIEW = ROOT / "dashboards" / "preview"
END = 1_700_000_000
RANGE = 900
# Packages are installed and the page is built by the first test that needs them.
pytestmark = pytest.mark.timeout(900)

Json = dict[str, Any]


@pytest.fixture(scope="session")
def npm() -> None:
    need("node")
    need("npm")


@pytest.fixture(scope="session")
def playwright() -> None:
    if find_spec("playwright") is None:
        reason = "playwright for Python is not installed (pip install playwright)"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


@pytest.fixture(scope="session")
def browser(npm: None, playwright: None) -> None:
    named = os.environ.get("MCP_OTEL_CHROMIUM")
    need(*([named] if named else programs.CHROMIUM))


Known = Mapping[str, Sequence[tuple[Mapping[str, str], Sequence[float]]]]


class Prometheus:
    """Answers the queries it knows, has nothing for others, and remembers all it was asked."""

    def __init__(self, known: Known, labels: Mapping[tuple[str, str], Sequence[str]]) -> None:
        self.known, self.labels = known, labels
        self.asked: list[tuple[str, dict[str, str]]] = []

    def answer(self, path: str, asked: dict[str, str]) -> tuple[int, Json]:
        self.asked.append((path, asked))
        if path.startswith("/api/v1/label/"):
            return 200, {"status": "success", "data": self.labels[path.split("/")[4], asked["match[]"]]}
        if asked["query"] == "broken(":
            return 400, {"status": "error", "errorType": "bad_data", "error": "1:8: parse error: unclosed parenthesis"}
        found = self.known.get(asked["query"], ())
        if path.endswith("/query"):
            kind, result = "vector", [{"metric": m, "value": [float(asked["time"]), str(v[-1])]} for m, v in found]
        else:
            start, step = float(asked["start"]), float(asked["step"])
            points = [[[start + i * step, str(each)] for i, each in enumerate(v)] for _, v in found]
            kind, result = "matrix", [{"metric": m, "values": of} for (m, _), of in zip(found, points, strict=True)]
        return 200, {"status": "success", "data": {"resultType": kind, "result": result}}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.reply(urlsplit(self.path).query)

    def do_POST(self) -> None:
        self.reply(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def reply(self, form: str) -> None:
        asked = {name: values[0] for name, values in parse_qs(form).items()}
        status, body = self.server.prometheus.answer(urlsplit(self.path).path, asked)  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(prometheus: Prometheus) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.prometheus = prometheus  # type: ignore[attr-defined]
        Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def panel(kind: str, title: str, *targets: Json, **more: Any) -> Json:
    fields = {"defaults": more.pop("defaults", {}), "overrides": more.pop("overrides", [])}
    refs = [{"refId": "ABC"[i], **target} for i, target in enumerate(targets)]
    return {"type": kind, "title": title, "targets": refs, "fieldConfig": fields, **more}


def override(name: str, **properties: Any) -> Json:
    values = [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": values}


def dashboard(*panels: Json) -> Json:
    for number, each in enumerate(panels):
        each |= {"id": number + 1, "gridPos": {"x": number % 3 * 8, "y": number // 3 * 8, "w": 8, "h": 8}}
    listed: list[Json] = [
        {"type": "datasource", "name": "ds", "query": "prometheus"},
        {"type": "query", "name": "service", "query": "label_values(calls_total, service)", "sort": 1},
        {"type": "query", "name": "tool", "query": {"query": 'label_values(calls_total{service="$service"}, tool)'}},
    ]
    listed[-1] |= {"includeAll": True, "allValue": ".*"}
    return {"title": "Every kind", "schemaVersion": 39, "templating": {"list": listed}, "panels": list(panels)}


def every_kind() -> Json:
    rate = 'sum by (tool) (rate(calls_total{service="$service",tool=~"$tool"}[$__rate_interval]))'
    steps = [{"color": "green", "value": None}, {"color": "red", "value": 0.5}]
    tidy = {"excludeByName": {"Time": True}, "renameByName": {"tool": "Tool", "Value #A": "Calls", "Value #B": "p95"}}
    return dashboard(
        panel(
            "timeseries",
            "Calls of $service",
            {"expr": rate, "legendFormat": "{{tool}} calls", "range": True},
            defaults={"unit": "reqps", "custom": {"stacking": {"mode": "normal"}}},
            options={"legend": {"displayMode": "table", "calcs": ["mean", "max", "lastNotNull"]}},
        ),
        panel("timeseries", "Plain", {"expr": 'up{job="a"}', "range": True}),
        panel("stat", "Faults", {"expr": "faults[$__range]", "instant": True}, defaults={"unit": "percentunit"}),
        panel("stat", "None", {"expr": "nothing", "instant": True}),
        panel("stat", "None, named", {"expr": "nothing", "instant": True}, defaults={"noValue": "idle"}),
        panel("timeseries", "No line", {"expr": "nothing", "range": True}),
        panel(
            "table",
            "Tools",
            {"expr": "calls", "instant": True, "format": "table"},
            {"expr": "p95", "instant": True, "format": "table"},
            transformations=[{"id": "merge", "options": {}}, {"id": "organize", "options": tidy}],
            overrides=[
                override("Calls", unit="short", decimals=1),
                override("p95", unit="s", custom__cellOptions={"type": "color-text"}, custom__width=90),
                override("Tool", links=[{"title": "t", "url": "/d/t?var-tool=${__value.text}&${__url_time_range}"}]),
            ],
            options={"sortBy": [{"displayName": "p95", "desc": True}]},
        ),
        panel(
            "bargauge",
            "Bars",
            {"expr": "p95", "instant": True, "legendFormat": "{{tool}}"},
            defaults={"unit": "s", "thresholds": {"mode": "absolute", "steps": steps}},
        ),
        panel("gauge", "Dial", {"expr": "sessions", "instant": True}, defaults={"min": 0, "max": 20, "unit": "none"}),
        panel("text", "Words", options={"mode": "markdown", "content": "Of **$service**, $tool"}),
    )


KNOWN: Known = {
    'sum by (tool) (rate(calls_total{service="alpha",tool=~".*"}[20s]))': [
        ({"tool": "fetch"}, [1, 2, 3]),
        ({"tool": "search"}, [0.5, 0.25]),
    ],
    'up{job="a"}': [({"__name__": "up", "job": "a", "instance": "x:1"}, [1])],
    "faults[900s]": [({}, [0.0467])],
    "calls": [({"tool": "fetch"}, [12]), ({"tool": "search"}, [3.25])],
    "p95": [({"tool": "fetch"}, [0.25]), ({"tool": "search"}, [1.5])],
    "sessions": [({}, [7])],
}
LABELS = {("service", "calls_total"): ["beta", "alpha"], ("tool", 'calls_total{service="alpha"}'): ["search", "fetch"]}


@pytest.fixture(scope="module")
def prometheus() -> Prometheus:
    return Prometheus(KNOWN, LABELS)


@pytest.fixture(scope="module")
def drawn(browser: None, prometheus: Prometheus, tmp_path_factory: pytest.TempPathFactory) -> draw.Board:
    board = tmp_path_factory.mktemp("drawn") / "every.json"
    board.write_text(json.dumps(every_kind()))
    with serving(prometheus) as address:
        [made] = draw.draw(address, board, board.parent, range_="15m", end=END)
    return made


def test_the_picture_is_as_wide_as_asked_and_as_high_as_the_dashboard(drawn: draw.Board) -> None:
    header = drawn.picture.read_bytes()[:24]
    assert header.startswith(b"\x89PNG")
    width, height = (int.from_bytes(header[at : at + 4], "big") for at in (16, 20))
    # Four rows of eight cells, and what stands above them.
    assert (width, height // 10) == (1600, (4 * 8 * 38 + 112) // 10)


def test_variables_are_asked_for_in_turn_and_all_is_what_the_board_says(
    drawn: draw.Board, prometheus: Prometheus
) -> None:
    assert drawn.variables == {"ds": ["prometheus"], "service": ["alpha"], "tool": [".*"]}
    asked = [(path, form["match[]"]) for path, form in prometheus.asked if "match[]" in form]
    assert asked == [
        ("/api/v1/label/service/values", "calls_total"),
        ("/api/v1/label/tool/values", 'calls_total{service="alpha"}'),
    ]


def test_points_are_asked_for_on_whole_steps_and_instants_at_the_end(drawn: draw.Board, prometheus: Prometheus) -> None:
    ranges = [form for path, form in prometheus.asked if path.endswith("query_range")]
    assert {(each["start"], each["end"], each["step"]) for each in ranges} == {(str(END - RANGE), str(END), "5")}
    instants = [form for path, form in prometheus.asked if path.endswith("/query")]
    assert {each["time"] for each in instants} == {str(END)}


def test_a_legend_names_the_series_in_full_or_as_asked_and_reckons_in_the_unit(drawn: draw.Board) -> None:
    shown = drawn.panel("Calls of $service")
    assert (shown.frames, shown.series, shown.points, shown.no_data) == (2, 2, 5, False)
    assert shown.legend == [
        ["fetch calls", "2 req/s", "3 req/s", "3 req/s"],
        ["search calls", "0.375 req/s", "0.500 req/s", "0.250 req/s"],
    ]
    assert drawn.panel("Plain").legend == [['up{instance="x:1", job="a"}']]


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("Faults", ["4.67%"]),
        ("Dial", ["7"]),
        ("Bars", ["fetch", "250 ms", "search", "1.50 s"]),
        ("Words", ["Of alpha, All"]),
    ],
)
def test_a_panel_shows_what_was_answered_in_its_unit(drawn: draw.Board, title: str, text: list[str]) -> None:
    assert drawn.panel(title).text == text


def test_a_table_is_merged_named_sorted_and_in_units(drawn: draw.Board) -> None:
    shown = drawn.panel("Tools")
    assert shown.cells == [["Tool", "Calls", "p95"], ["search", "3.3", "1.50 s"], ["fetch", "12.0", "250 ms"]]
    assert shown.links == [f"/d/t?var-tool={tool}&from=now-15m&to=now" for tool in ("search", "fetch")]


@pytest.mark.parametrize(("title", "text"), [("None", "No data"), ("None, named", "idle"), ("No line", "No data")])
def test_a_panel_without_data_says_so(drawn: draw.Board, title: str, text: str) -> None:
    shown = drawn.panel(title)
    assert (shown.no_data, shown.frames, shown.points, shown.text) == (True, 0, 0, [text])


def test_every_panel_was_drawn_without_a_complaint(drawn: draw.Board) -> None:
    assert [(each.drawn, each.errors, each.warnings) for each in drawn.panels] == [(True, [], [])] * 10


@pytest.mark.usefixtures("browser")
def test_chosen_values_stand_in_queries_of_rows_that_are_opened(tmp_path: Path) -> None:
    labels = {("service", "calls_total"): ["alpha"], ("tool", 'calls_total{service="alpha"}'): ["a.b", "c"]}
    folded = {"type": "row", "title": "Folded", "collapsed": True}
    folded["panels"] = [panel("stat", "One", {"expr": 'x{tool=~"$tool"}', "instant": True}, id=9)]
    board = tmp_path / "one.json"
    board.write_text(json.dumps(dashboard(folded)))
    with serving(prometheus := Prometheus({}, labels)) as address:
        asked: Json = {"end": END, "variables": {"tool": ["a.b", "c"]}, "theme": "light"}
        [shut] = draw.draw(address, board, tmp_path, **asked)
        assert (shut.variables["tool"], shut.panels) == (["a.b", "c"], [])
        [opened] = draw.draw(address, board, tmp_path, expand_rows=True, **asked)
    assert opened.panel("One").text == ["No data"]
    assert prometheus.asked[-1][1]["query"] == r'x{tool=~"(a\\.b|c)"}'


@pytest.mark.usefixtures("browser")
def test_what_cannot_be_drawn_is_told_and_not_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = '<img src="http://192.0.2.1/a.png">'
    wrong = dashboard(
        panel("stat", "Bad", {"expr": "broken(", "instant": True}),
        panel("piechart", "Pie", {"expr": "up"}),
        panel("stat", "Many", {"expr": "up"}, repeat="tool"),
        panel("stat", "Odd", {"expr": "up"}, transformations=[{"id": "odd"}]),
        panel("text", "Image", options={"mode": "html", "content": image}),
    )
    board = tmp_path / "wrong.json"
    board.write_text(json.dumps(wrong))
    with serving(Prometheus(KNOWN, LABELS)) as address:
        assert draw.main(["--prometheus", address, "--dashboards", str(board), "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "wrong.json: Bad: query A: bad_data: 1:8: parse error: unclosed parenthesis",
        "broken(",
        "wrong.json: Pie: panel type piechart is not known to this preview",
        "wrong.json: Many: repeat is not drawn by this preview",
        "wrong.json: Odd: no such transformation: odd",
        "wrong.json: asked for http://192.0.2.1/a.png",
        "wrong.json: console: Failed to load resource: net::ERR_FAILED",
    ]
    assert (tmp_path / "wrong.png").is_file()


@pytest.mark.usefixtures("npm", "playwright")
def test_a_missing_program_is_named_with_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache.prepare()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("MCP_OTEL_CHROMIUM", raising=False)
    board = tmp_path / "one.json"
    board.write_text(json.dumps(dashboard()))
    assert draw.main(["--prometheus", "http://127.0.0.1:9", "--dashboards", str(board), "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("chromium is not on the PATH: install it")


@pytest.mark.usefixtures("npm")
def test_what_is_installed_and_built_once_is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made = cache.prepare()
    monkeypatch.setattr(cache, "run", lambda *_: pytest.fail("made again"))
    assert cache.prepare() == made
    assert (made / "index.html").is_file()
    assert not (PREVIEW / "node_modules").exists()


def test_packages_are_locked_to_the_letter_and_to_no_place() -> None:
    wanted = json.loads((PREVIEW / "package.json").read_text())
    versions = [*wanted["dependencies"].values(), *wanted["devDependencies"].values(), *wanted["overrides"].values()]
    assert [each for each in versions if not re.fullmatch(r"(npm:@?[\w/-]+@)?\d+\.\d+\.\d+", each)] == []
    locked = json.loads((PREVIEW / "package-lock.json").read_text())["packages"]
    assert [name for name, package in locked.items() if name and "integrity" not in package] == []
    assert [name for name, package in locked.items() if "resolved" in package or package.get("link")] == []


@pytest.mark.usefixtures("npm")
def test_the_previews_own_code_obeys_its_types() -> None:
    check.check_page()


@pytest.mark.usefixtures("npm")
def test_every_rendered_dashboard_is_as_grafanas_types_have_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert RENDERED
    assert check.main([str(path) for path in RENDERED]) == 0, capsys.readouterr().err


def _panel(board: Json, title: str) -> Json:
    return next(each for each in board["panels"] if each["title"] == title)


def _series(board: Json) -> Json:
    return _panel(board, "Calls of $service")


BROKEN: dict[str, tuple[Callable[[Json], object], str]] = {
    "refresh": (lambda b: b.update(refresh=5), "Type 'number' is not assignable to type 'string'"),
    "tooltip": (lambda b: b.update(graphTooltip=5), "Type '5' is not assignable to type 'DashboardCursorSync"),
    "schema": (lambda b: b.pop("schemaVersion"), "Property 'schemaVersion' is missing"),
    "panel type": (lambda b: _series(b).update(type="graph"), "Type '\"graph\"' is not assignable"),
    "option": (lambda b: _panel(b, "None").update(options={"colour": "x"}), "'\"colour\"' does not exist"),
    "stacking": (
        lambda b: _series(b)["fieldConfig"]["defaults"]["custom"].update(stacking={"mode": "Normal"}),
        "Did you mean '\"normal\"'",
    ),
    "override": (
        lambda b: _series(b)["fieldConfig"]["overrides"].append(override("x", custom__lineWdth=2)),
        "Type '\"custom.lineWdth\"' is not assignable",
    ),
    "query": (lambda b: _series(b)["targets"][0].update(format="tabel"), "Did you mean '\"table\"'"),
}


@pytest.mark.usefixtures("npm")
def test_a_dashboard_as_it_should_be_is_accepted(tmp_path: Path) -> None:
    board = tmp_path / "good.json"
    board.write_text(json.dumps(every_kind(), indent=2))
    check.check([board])


@pytest.mark.usefixtures("npm")
@pytest.mark.parametrize("name", BROKEN)
def test_a_dashboard_of_a_wrong_type_is_refused_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    board = every_kind()
    breaks, said = BROKEN[name]
    breaks(board)
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(board, indent=2))
    assert check.main([str(path)]) == 1
    complaint = capsys.readouterr().err
    assert said in complaint
    assert re.search(rf"^{re.escape(str(path))}:\d+:\d+: error TS", complaint, re.MULTILINE)
