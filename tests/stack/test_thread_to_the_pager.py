"""A real server, the real Collector, Prometheus and Alertmanager: what the server does is what is read and paged."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import promql_parser
import pytest
import yaml

from mcp_otel.signals import names, prometheus
from tests.stack.boards import queries
from tests.stack.running import ROOT, ask, wait
from tests.stack.story import ABANDONED, Story

RULES = [
    rule
    for name in ("recording.yml", "alerts.yml")
    for group in yaml.safe_load((ROOT / "alerts" / name).read_text())["groups"]
    for rule in group["rules"]
]
OURS = ("mcp_otel_", "mcp_server_", "mcp_client_", "process_", "cpython_")
HOURS = {
    # These say nothing before there is enough history behind them; promtool's tests give it to them.
    "mcp_instance:sessions_left:seconds_deriv30m",
    "mcp_instance:sessions_left:seconds_deriv1h",
    "mcp_instance:sessions_used:max1d",
    "mcp_instance:memory_left:seconds_deriv10m",
    "mcp_instance:memory_used:max1d",
}
NEVER = (prometheus.series(names.FAILURES), 'mcp_otel_phase="peer"')
"""What the desk gives no occasion for: nothing of ours fails, and it asks its clients nothing."""
PASSING = {
    # Verdicts, which come and go with what they are about: at some time in the story they were there.
    prometheus.series(metric)
    for metric in (
        *(names.MEMORY_TIME, names.SESSIONS_FORECAST, names.SESSIONS_FORECAST_SIZE),
        *(names.OBJECTS_SIZE, names.LOOP_BLOCKAGES, names.LOOP_BLOCKED),
    )
}
UNSURE = {prometheus.series(each) for each in (names.MEMORY_SESSION, names.MEMORY_CALL, names.SESSIONS_TIME)}
"""What memory grows with is said when it is clear, but the users' sessions and calls go hand in hand; and the desk
reclaims idle sessions long before its cap."""
pytestmark = pytest.mark.timeout(600)


def test_every_metric_arrives_under_the_name_that_the_table_gives_it(story: Story) -> None:
    found = ask(f"{story.stack.prometheus}/api/v1/label/__name__/values")["data"]
    ours = {name for name in found if name.startswith(OURS)}
    said = {name for metric in names.METRICS for name in prometheus.names(metric)}
    unsaid = prometheus.names(names.FAILURES)  # nothing of ours failed
    assert ours - UNSURE == {name for name in said if name.startswith(OURS)} - set(unsaid) - UNSURE


def test_every_label_arrives_under_the_name_that_the_table_gives_it(story: Story) -> None:
    said = {prometheus.label(label) for metric in names.METRICS for label in metric.labels}
    found = {
        label
        for metric in names.METRICS
        for name in prometheus.names(metric)
        for series, _ in story.stack.query(name)
        for label in series
    }
    absent = {prometheus.label(names.PROMPT)}  # the desk has no prompts
    assert found - {"__name__", "job", "instance", "le"} == said - absent


@pytest.mark.parametrize(("board", "panel", "expression"), list(queries()), ids=lambda text: text[:60])
def test_the_query_of_a_panel_has_data(board: str, panel: str, expression: str, story: Story) -> None:
    if any(each in expression for each in NEVER):
        assert story.stack.query(expression) == []
    elif any(each in expression for each in UNSURE):
        story.stack.query(expression)
    else:
        assert wait(lambda: story.stack.query(lately(expression)), 60, f"{board}, {panel}: {expression}")


@pytest.mark.parametrize("rule", [rule for rule in RULES if "record" in rule], ids=lambda rule: rule["record"])
def test_a_recording_rule_has_data(rule: dict[str, Any], story: Story) -> None:
    if rule["record"] in HOURS:
        story.stack.query(rule["expr"])
    else:
        assert wait(lambda: story.stack.query(lately(rule["expr"])), 150, rule["record"])


@pytest.mark.parametrize("rule", [rule for rule in RULES if "alert" in rule], ids=lambda rule: rule["alert"])
def test_whatever_an_alert_compares_has_data(rule: dict[str, Any], story: Story) -> None:
    story.stack.query(rule["expr"])
    for selector in selectors(promql_parser.parse(rule["expr"])):
        if selector.split("{")[0].split("[")[0] not in HOURS | UNSURE:
            assert wait(lambda: story.stack.query(lately(selector)), 150, selector)  # noqa: B023


def test_sessions_that_clients_abandon_are_counted_against_the_cap(story: Story) -> None:
    assert story.stack.value("mcp_otel_sessions_limit") == 10_000
    assert (story.stack.value('sum(mcp_otel_sessions{mcp_otel_state!="retained"})') or 0) >= ABANDONED


def test_what_blocks_the_desk_is_named_by_file_line_and_tool(story: Story) -> None:
    blocked = story.stack.query("mcp_otel_loop_blocked_time_seconds_total > 1")
    named = {(labels["mcp_otel_place"].rpartition(":")[0], labels.get("gen_ai_tool_name")) for labels, _ in blocked}
    assert named == {("mcp_otel/demo/desk.py", "ask_expert")}


def test_no_evaluation_of_a_rule_fails(story: Story) -> None:
    groups = ask(f"{story.stack.prometheus}/api/v1/rules")["data"]["groups"]
    assert {rule["health"] for group in groups for rule in group["rules"]} <= {"ok", "unknown"}
    assert [rule["lastError"] for group in groups for rule in group["rules"] if "lastError" in rule] == []
    assert story.stack.value("sum(prometheus_rule_evaluation_failures_total)") in (None, 0.0)


def test_a_trace_arrives_with_one_server_span_for_each_message(story: Story) -> None:
    spans = [span for span in story.sink.spans if span["kind"] == "SERVER"]
    assert {span["resource"]["service.name"] for span in spans} == {"support-desk"}
    requests = [(span["resource"]["service.instance.id"], span["span_id"]) for span in spans]
    assert len(requests) == len(set(requests)) > 100


def test_what_a_user_sends_and_what_the_desk_serves_are_one_trace(story: Story) -> None:
    sent = {span["span_id"]: span for span in list(story.sink.spans) if span["kind"] == "CLIENT"}
    assert {span["resource"]["service.name"] for span in sent.values()} == {"users"}
    served = [span for span in list(story.sink.spans) if span["kind"] == "SERVER" and span["parent_span_id"] in sent]
    assert len(served) > 100
    for span in served:
        client = sent[span["parent_span_id"]]
        assert (span["trace_id"], span["name"]) == (client["trace_id"], client["name"])


def test_an_exemplar_leads_from_a_latency_to_a_trace_that_arrived(story: Story) -> None:
    exemplars: set[tuple[str, str]] = set()

    def arrived() -> bool:
        exemplars.update(exemplars_of(story))
        return any((span["trace_id"], span["span_id"]) in exemplars for span in list(story.sink.spans))

    wait(arrived, 90, f"the trace of one of {len(exemplars)} exemplars")


def exemplars_of(story: Story) -> set[tuple[str, str]]:
    """Trace and span of every exemplar that the Collector shows now: those of the last export."""
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    with urlopen(Request(f"http://127.0.0.1:{story.stack.ports['metrics']}/metrics", headers=accept)) as response:
        text = response.read().decode()
    return {
        (labels["trace_id"], labels["span_id"])
        for found in re.findall(r"_duration_seconds_bucket\{.* # \{(.*?)\}", text)
        if (labels := dict(re.findall(r'(\w+)="(\w+)"', found)))
    }


def test_the_boards_show_it(story: Story, tmp_path: Path) -> None:
    from dashboards.preview.draw import draw

    boards = draw(story.stack.prometheus, out=tmp_path, range_="5m", scrape_interval="1s")
    assert [(panel.title, panel.errors) for board in boards for panel in board.panels if panel.errors] == []
    empty = [panel.title for board in boards for panel in board.panels if panel.no_data]
    seldom = {title for _, title, expression in queries() if any(each in expression for each in PASSING | UNSURE)}
    assert set(empty) <= seldom
    assert {path.name for path in tmp_path.iterdir()} == {"memory.png", "overview.png", "tools.png"}


def test_a_hung_call_reaches_the_pager_and_so_does_its_end(story: Story) -> None:
    stack = story.stack

    def paged() -> list[dict[str, Any]]:
        alerts = ask(f"{stack.alertmanager}/api/v2/alerts")
        return [alert for alert in alerts if alert["labels"]["alertname"] == "McpCallHung"]

    (alert,) = wait(paged, 480, "an alert for the call that hangs")
    assert {name: alert["labels"][name] for name in ("job", "severity", "pattern")} == {
        "job": "support-desk",
        "severity": "ticket",
        "pattern": "resource_contention",
    }
    assert [receiver["name"] for receiver in alert["receivers"]] == ["ticket"]
    assert alert["annotations"]["runbook_url"].endswith("/alerts/runbooks/McpHungCalls.md")
    assert "support-desk" in alert["annotations"]["summary"]
    story.release()
    assert story.hung.over(20)

    wait(
        lambda: not stack.query('ALERTS{alertname="McpCallHung",alertstate="firing"}'),
        150,
        "the end of the alert",
    )


def lately(expression: str) -> str:
    """`expression`; where it is about something that comes and goes, its last value of the whole story."""
    passing = any(each in expression for each in PASSING)
    return f"last_over_time(({expression})[20m:1s])" if passing else expression


def selectors(expression: Any) -> list[str]:
    """Every selector in `expression`, as text."""
    name = type(expression).__name__
    if name == "VectorSelector":
        return [str(expression.prettify()).split(" offset ")[0]]
    children = [getattr(expression, field, None) for field in ("expr", "lhs", "rhs", "vector_selector", "param")]
    children += list(getattr(expression, "args", None) or [])
    return [found for child in children if child is not None for found in selectors(child)]
