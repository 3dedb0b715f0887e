"""The alerts as Prometheus reads them: sound, tested in four ways each, and noticed when one of them is broken."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from mcp_otel.event import PHASES
from mcp_otel.methods import CLIENT_METHODS
from mcp_otel.signals import names, prometheus
from tests.stack.programs import need

ALERTS = Path(__file__).parents[2] / "alerts"
RUNBOOKS = "https://github.com/mcp-otel/mcp-otel/blob/main/alerts/runbooks"
RULES = ("recording.yml", "alerts.yml")
CASES = tuple(sorted(path.name for path in (ALERTS / "tests").glob("*.yml")))

SEVERITIES = {"page", "ticket"}
PATTERNS = {"context_accumulation", "protocol_overhead", "resource_contention", "availability"}
KINDS = {"fires", "quiet", "look-alike", "resolves"}
NAMED = re.compile(r"(?P<alert>Mcp\w+): (?P<kind>fires|quiet|look-alike|resolves)\b")
"""How a unit test of an alert is named; what follows says the circumstances."""

RECORDED = re.compile(r"\bmcp\w*:[\w:]+")
RAW = re.compile(r"(?<![\w:/.-])mcp_(?:server|otel)_\w+\b(?!:)")
WINDOW = re.compile(r"\[(\d+[mhd])\]")
TOLD = re.compile(r"(?:rate|increase|deriv|max|p99_)(\d+[mhd])$")
COMPARISON = re.compile(r"(?<= )(>=|<=|==|!=|>|<)(?= )")
OPPOSITE = {">": "<=", "<=": ">", "<": ">=", ">=": "<", "==": "!=", "!=": "=="}


class Case(NamedTuple):
    """One unit test of an alert: the file it is in, what kind it is, and the test as promtool reads it."""

    file: str
    kind: str
    test: dict[str, Any]


def load(name: str) -> Any:
    """One of our YAML files."""
    return yaml.safe_load((ALERTS / name).read_text())


def rules(name: str) -> Iterator[dict[str, Any]]:
    """Every rule of a file, in order."""
    for group in load(name)["groups"]:
        yield from group["rules"]


ALERT_RULES = {rule["alert"]: rule for rule in rules("alerts.yml")}
RECORDS = {rule["record"]: rule for rule in rules("recording.yml")}
each_alert = pytest.mark.parametrize("alert", ALERT_RULES)


@cache
def cases() -> dict[str, list[Case]]:
    """The unit tests of each alert."""
    found: dict[str, list[Case]] = {alert: [] for alert in ALERT_RULES}
    for file in CASES:
        for test in load(f"tests/{file}")["tests"]:
            named = NAMED.match(test["name"])
            if named is not None:
                found[named["alert"]].append(Case(file, named["kind"], test))
    return found


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run it, whatever it answers."""
    return subprocess.run([need("promtool"), *map(str, arguments)], capture_output=True, text=True, check=False)


# --- Prometheus accepts the rules, and they do what their unit tests say


@pytest.mark.parametrize("name", RULES)
def test_prometheus_accepts_the_rules(name: str) -> None:
    checked = promtool("check", "rules", ALERTS / name)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("name", CASES)
def test_the_rules_do_what_their_unit_tests_say(name: str) -> None:
    tested = promtool("test", "rules", ALERTS / "tests" / name)
    assert tested.returncode == 0, tested.stdout + tested.stderr


# --- what an alert says


@each_alert
def test_an_alert_says_for_whom_it_is_and_which_page_helps(alert: str) -> None:
    rule = ALERT_RULES[alert]
    assert re.fullmatch(r"Mcp([A-Z][a-z0-9]+)+", alert)
    assert set(rule["labels"]) == {"severity", "pattern", "family"}
    assert rule["labels"]["severity"] in SEVERITIES
    assert rule["labels"]["pattern"] in PATTERNS
    family = rule["labels"]["family"]
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"{RUNBOOKS}/{family}.md"
    assert (ALERTS / "runbooks" / f"{family}.md").is_file()


@each_alert
def test_a_summary_is_one_sentence_with_the_service_and_the_value(alert: str) -> None:
    said = ALERT_RULES[alert]["annotations"]
    assert "$value" in said["summary"]
    assert "$labels.job" in said["summary"] or ALERT_RULES[alert]["expr"].startswith("mcp_collector:")
    plain = re.sub(r"\{\{.*?\}\}", "x", said["summary"])
    assert re.fullmatch(r"[^.!?]+\.", plain), plain
    assert said["description"].endswith(".")


@each_alert
def test_a_runbook_names_each_of_its_alerts(alert: str) -> None:
    page = ALERTS / "runbooks" / f"{ALERT_RULES[alert]['labels']['family']}.md"
    assert f"`{alert}`" in page.read_text()
    assert f"`{alert}`" in (ALERTS / "README.md").read_text()


def test_every_runbook_belongs_to_an_alert_and_keeps_to_the_line_length() -> None:
    families = {rule["labels"]["family"] for rule in ALERT_RULES.values()}
    pages = sorted((ALERTS / "runbooks").iterdir())
    assert {page.name for page in pages} == {f"{family}.md" for family in families}
    texts = [*pages, ALERTS / "README.md", *ALERTS.rglob("*.yml")]
    long = {path.name for path in texts for line in path.read_text().splitlines() if len(line) > 120 and line[0] != "|"}
    assert long == set()


def test_every_query_in_a_runbook_is_one_that_prometheus_understands(tmp_path: Path) -> None:
    queries = {page.name: [*_queries(page.read_text())] for page in (ALERTS / "runbooks").iterdir()}
    assert [name for name, found in queries.items() if not found] == []
    group = [{"record": "query", "expr": query} for found in queries.values() for query in found]
    (tmp_path / "queries.yml").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": group}]}))
    checked = promtool("check", "rules", tmp_path / "queries.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def _queries(page: str) -> Iterator[str]:
    """The queries of a page: one begins where a line begins with a letter outside all brackets."""
    for block in re.findall(r"```promql\n(.*?)```", page, re.DOTALL):
        query, depth = "", 0
        for line in block.splitlines():
            if query and depth == 0 and line[:1].isalpha():
                yield query
                query = ""
            query += line + "\n"
            depth += sum(line.count(bracket) for bracket in "({[") - sum(line.count(bracket) for bracket in ")}]")
        yield query


def test_a_page_hides_the_ticket_of_its_family() -> None:
    """Alertmanager compares family, job and instance: alerts of one family about one service have the same of them."""
    said = [
        (rule["labels"]["family"], "instance" in _labels(case.test), rule["labels"]["severity"])
        for alert, rule in ALERT_RULES.items()
        for case in cases()[alert]
        if case.kind == "fires"
    ]
    for family, severity in {(family, severity) for family, _, severity in said}:
        of_process = {by_instance for other, by_instance, which in said if (other, which) == (family, severity)}
        assert len(of_process) == 1, (family, severity)
    pages = {(family, by_instance) for family, by_instance, severity in said if severity == "page"}
    paged = {family for family, _ in pages}
    tickets = {(family, by_instance) for family, by_instance, severity in said if severity == "ticket"}
    assert {ticket for ticket in tickets if ticket[0] in paged} <= pages


def _labels(test: dict[str, Any]) -> dict[str, str]:
    return next(check for check in test["alert_rule_test"] if check["exp_alerts"])["exp_alerts"][0]["exp_labels"]


# --- names are those of the table


def _said(name: str) -> str:
    """The expressions and texts of a file of rules."""
    return "\n".join(rule["expr"] + str(rule.get("annotations", "")) for rule in rules(name))


def _told() -> str:
    """The texts of README and runbooks."""
    return "\n".join(path.read_text() for path in [ALERTS / "README.md", *(ALERTS / "runbooks").iterdir()])


@pytest.mark.parametrize("text", [_said(name) for name in RULES] + [_told()], ids=[*RULES, "pages"])
def test_every_metric_and_label_in_a_rule_or_page_is_one_that_we_say(text: str) -> None:
    ours = {series for metric in names.METRICS for series in prometheus.names(metric)}
    ours |= {prometheus.label(attribute) for attribute in names.ATTRIBUTES}
    assert set(RAW.findall(text)) - ours == set()
    for found in re.findall(r'mcp_otel_phase=~"([^"]+)"', text):
        assert set(found.split("|")) <= set(PHASES)
    assert set(re.findall(r'mcp_method_name="([^"]+)"', text)) <= set(CLIENT_METHODS)


def test_the_latency_threshold_is_a_bound_of_the_histogram() -> None:
    rule = RECORDS["mcp:tool_calls_slow:rate5m"]
    (bounds,) = re.findall(r'le=~"([^"]+)"', rule["expr"])
    seconds = float(rule["labels"]["threshold"].removesuffix("s"))
    assert seconds in names.SECONDS_BUCKETS
    assert bounds == rf"{seconds:g}|{seconds:.1f}".replace(".", r"\\.")


@pytest.mark.parametrize("text", [_said(name) for name in RULES] + [_told()], ids=[*RULES, "pages"])
def test_every_recorded_series_that_is_read_is_recorded(text: str) -> None:
    assert set(RECORDED.findall(text)) - set(RECORDS) == set()


def test_no_series_is_recorded_twice() -> None:
    recorded = Counter(rule["record"] for rule in rules("recording.yml"))
    assert [name for name, times in recorded.items() if times > 1] == []


@pytest.mark.parametrize("name", [name for name in RECORDS if TOLD.search(name)])
def test_a_window_that_a_name_tells_is_the_one_in_its_rule(name: str) -> None:
    (told,) = TOLD.findall(name)
    read = RECORDED.findall(RECORDS[name]["expr"])
    windows = WINDOW.findall(RECORDS[name]["expr"]) or [one for other in read for one in TOLD.findall(other)]
    assert set(windows) == {told}


# --- every alert is tested in four ways, and the tests notice what breaks it


@each_alert
def test_an_alert_fires_stays_quiet_twice_and_resolves_in_its_unit_tests(alert: str) -> None:
    tested = cases()[alert]
    assert {case.kind for case in tested} == KINDS
    for case in tested:
        checks = case.test["alert_rule_test"]
        assert {check["alertname"] for check in checks} == {alert}
        expected = [one for check in checks for one in check["exp_alerts"]]
        if case.kind == "fires":
            assert expected != []
            for one in expected:
                assert set(ALERT_RULES[alert]["labels"]) < set(one["exp_labels"])
                assert set(one["exp_annotations"]) == set(ALERT_RULES[alert]["annotations"])
        else:
            assert expected == []
        if case.kind == "resolves":
            asked = {
                "expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})',
                "exp_samples": [{"labels": "{}", "value": 1}],
            }
            before = [check for check in case.test["promql_expr_test"] if asked.items() <= check.items()]
            assert _minutes(before[0]["eval_time"]) < min(_minutes(check["eval_time"]) for check in checks)


def _minutes(duration: str) -> int:
    return int(duration[:-1]) * {"m": 1, "h": 60}[duration[-1]]


@each_alert
def test_a_comparison_that_is_turned_round_is_noticed(alert: str, tmp_path: Path) -> None:
    expr = ALERT_RULES[alert]["expr"]
    turned = [expr[: found.start()] + OPPOSITE[found[0]] + expr[found.end() :] for found in COMPARISON.finditer(expr)]
    assert turned != []
    assert _unnoticed(alert, turned, tmp_path) == []


@each_alert
def test_a_condition_that_is_taken_away_is_noticed(alert: str, tmp_path: Path) -> None:
    first, *others = ALERT_RULES[alert]["expr"].splitlines()
    assert all(line.startswith(("and ", "unless ")) for line in others), "one condition a line"
    missing = ["\n".join([first, *others[:place], *others[place + 1 :]]) for place in range(len(others))]
    compared = COMPARISON.search(first)
    if compared is not None:
        missing.append("\n".join([first[: compared.start()], *others]))
    assert _unnoticed(alert, missing, tmp_path) == []


def _unnoticed(alert: str, exprs: Sequence[str], folder: Path) -> list[str]:
    """Those of `exprs` with which the unit tests of `alert` pass just as with its own."""
    passes = _bench(alert, folder)
    assert passes(ALERT_RULES[alert]["expr"]), "the tests must pass as the rule is"
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [expr for expr, passed in zip(exprs, pool.map(passes, exprs), strict=True) if passed]


def _bench(alert: str, folder: Path) -> Callable[[str], bool]:
    """Run the unit tests of `alert` against another expression of it, with only the records that it needs."""
    tested = cases()[alert]
    settings = load(f"tests/{tested[0].file}")
    needed = _needed(str(ALERT_RULES[alert]))
    records = [
        {**group, "rules": kept}
        for group in load("recording.yml")["groups"]
        if (kept := [rule for rule in group["rules"] if rule["record"] in needed])
    ]
    order = [*(group["name"] for group in records), "alerts"]

    def passes(expr: str) -> bool:
        place = folder / f"{abs(hash(expr))}"
        place.mkdir(exist_ok=True)
        alerts = {"name": "alerts", "rules": [{**ALERT_RULES[alert], "expr": expr}]}
        (place / "rules.yml").write_text(yaml.safe_dump({"groups": [*records, alerts]}))
        for kinds in ({"fires"}, KINDS - {"fires"}):
            tests = [case.test for case in tested if case.kind in kinds]
            ran = {**settings, "rule_files": ["rules.yml"], "group_eval_order": order, "tests": tests}
            (place / "tests.yml").write_text(yaml.safe_dump(ran))
            done = promtool("test", "rules", place / "tests.yml")
            assert "FAILED" in done.stderr + done.stdout or done.returncode == 0, done.stderr
            if done.returncode != 0:
                return False
        return True

    return passes


def _needed(text: str) -> set[str]:
    """Every recorded series that `text` reads, and what those read in turn."""
    found: set[str] = set()
    ahead = [text]
    while ahead:
        new = set(RECORDED.findall(ahead.pop())) - found
        found |= new
        ahead += [RECORDS[name]["expr"] for name in new]
    return found
