"""What vitals say of numbers that are known: each metric's points and labels, exactly."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from mcp_otel.signals import names
from mcp_otel.signals.names import Metric
from mcp_otel.vitals import Vitals
from mcp_otel.vitals.canary import Count
from mcp_otel.vitals.growth import Verdict
from mcp_otel.vitals.limit import Ceiling
from mcp_otel.vitals.memory import Reading
from mcp_otel.vitals.said import CONTRIB, READINGS
from mcp_otel.vitals.sessions import Forecast
from mcp_otel.vitals.threads import Pool
from mcp_otel.vitals.trend import Line
from tests.vitals.test_vitals import Made, Subject

Points = list[tuple[float, dict[str, Any]]]
STATS = [dict(zip(("collections", "collected", "uncollectable"), row, strict=True)) for row in ((9, 8, 7), (6, 5, 4))]
READING = Reading(100.0, 50_000, 90_000, 30_000, 1234, 12, 5, 1.5, 0.25, 3600.0)
LABEL = ("session", "Transport")


@pytest.fixture
def vitals() -> Iterator[Vitals]:
    """Nothing is known yet."""
    vitals = Made().vitals
    yield vitals
    vitals.canaries.close()


@pytest.fixture
def known(vitals: Vitals, monkeypatch: pytest.MonkeyPatch) -> Vitals:
    """Everything is known."""
    monkeypatch.setattr(gc, "get_stats", lambda: STATS)
    vitals.loops.seen, vitals.loops._gone = True, 1_500_000_000
    vitals.blocked._places.update({("app.py:3", "crunch"): (2, 0.75), ("app.py:9", None): (1, 0.5)})
    pools = {"anyio": Pool(4, 40, 0), "asyncio": Pool(6, None, 2)}
    monkeypatch.setattr(vitals.threads, "read", lambda: pools)
    vitals.reading, vitals.ceiling = READING, Ceiling(1_000_000, "cgroup_v2")
    vitals.growth.floor.value = 40_000
    vitals.growth.verdict = Verdict("sessions", Line(2000.0, 1900.0, 2100.0, 0.0), Line(10.0, 9.0, 11.0, 39_000.0))
    vitals.pauses.seconds = [0.5, 0.25, 0.125]
    vitals.counts = {LABEL: Count(watched=9, released=4, retained=5), ("request", "Context"): Count(3, 3)}
    vitals.weights = {LABEL: 2048.0}
    vitals.sessions.forecast = Forecast(200, 480.0)
    for key, size, kept, slope in (("one", 100, 50.0, 8.0), ("two", 300, 150.0, 4.0)):
        vitals.contexts.begin(key)
        vitals.contexts.exchange(key, size)
        conversation = vitals.contexts._conversations[key]
        conversation.kept, conversation.slope = kept, slope
    return vitals


def said(vitals: Vitals, metric: Metric) -> Points:
    return [(value, dict(labels)) for value, labels in READINGS[metric](vitals)]


CAUSES = [{"mcp_otel.place": "app.py:3", "gen_ai.tool.name": "crunch"}, {"mcp_otel.place": "app.py:9"}]
POOLS = [{"mcp_otel.pool": "anyio"}, {"mcp_otel.pool": "asyncio"}]
SESSION = {"mcp_otel.kind": "session", "mcp_otel.type": "Transport"}
REQUEST = {"mcp_otel.kind": "request", "mcp_otel.type": "Context"}


def generations(*values: float) -> Points:
    return [(value, {"cpython.gc.generation": at}) for at, value in enumerate(values)]


def stats(**values: float) -> Points:
    return [(value, {"mcp_otel.stat": stat}) for stat, value in values.items()]


EXPECTED: dict[str, Points] = {
    "mcp_otel.loop.busy.time": [(1.5, {})],
    "mcp_otel.loop.blockages": [(2, CAUSES[0]), (1, CAUSES[1])],
    "mcp_otel.loop.blocked.time": [(0.75, CAUSES[0]), (0.5, CAUSES[1])],
    "mcp_otel.threads.used": [(4, POOLS[0]), (6, POOLS[1])],
    "mcp_otel.threads.limit": [(40, POOLS[0])],
    "mcp_otel.threads.waiting": [(0, POOLS[0]), (2, POOLS[1])],
    "mcp_otel.memory.floor": [(40_000, {})],
    "mcp_otel.memory.limit": [(1_000_000, {})],
    "mcp_otel.memory.unique": [(30_000, {})],
    "mcp_otel.memory.per_session": [(2000.0, {})],
    "mcp_otel.memory.per_call": [],
    "mcp_otel.memory.time_to_limit": [((1_000_000 - 39_000 - 10 * 100) / 10, {})],
    "mcp_otel.gc.pause.time": generations(0.5, 0.25, 0.125),
    "mcp_otel.objects.retained": [(5, SESSION), (0, REQUEST)],
    "mcp_otel.objects.size": [(2048.0, SESSION)],
    "mcp_otel.sessions.time_to_limit": [(480.0, {})],
    "mcp_otel.sessions.forecast": [(200, {})],
    "mcp_otel.sessions.forecast.size": [(200 * 100.0, {})],
    "mcp_otel.context.size": stats(max=450.0, mean=300.0, sum=600.0),
    "mcp_otel.context.growth": stats(max=8.0, mean=6.0),
    "process.memory.usage": [(50_000, {})],
    "process.memory.virtual": [(90_000, {})],
    "process.cpu.time": [(1.5, {"cpu.mode": "user"}), (0.25, {"cpu.mode": "system"})],
    "process.unix.file_descriptor.count": [(12, {})],
    "process.thread.count": [(5, {})],
    "process.uptime": [(3600.0, {})],
    "cpython.gc.collections": generations(9, 6),
    "cpython.gc.collected_objects": generations(8, 5),
    "cpython.gc.uncollectable_objects": generations(7, 4),
}
STANDARD = {name for name in EXPECTED if name.startswith(("process.", "cpython."))}


@pytest.mark.parametrize("metric", READINGS, ids=lambda metric: metric.name)
def test_every_metric_has_exactly_the_points_of_what_is_known(known: Vitals, metric: Metric) -> None:
    assert said(known, metric) == EXPECTED[metric.name]


def test_labels_are_those_of_the_table_of_names(known: Vitals) -> None:
    for metric in READINGS:
        assert {label for _, labels in said(known, metric) for label in labels} <= {
            label.name for label in metric.labels
        }


def test_what_is_expected_here_is_every_metric_that_is_read() -> None:
    assert sorted(metric.name for metric in READINGS) == sorted(EXPECTED)


def test_every_metric_of_the_process_is_read() -> None:
    ours = ("loop", "threads", "memory", "objects", "context", "gc", "sessions.time_to_limit", "sessions.forecast")
    parts = ("process.", "cpython.", *(f"mcp_otel.{part}" for part in ours))
    of_process = {metric for metric in names.METRICS if metric.name.startswith(parts)}
    assert of_process - READINGS.keys() == {names.LOOP_LAG, names.LOOP_TOOL}
    assert READINGS.keys() - of_process == set()


def test_what_is_not_known_has_no_point(vitals: Vitals) -> None:
    found = {metric.name: said(vitals, metric) for metric in READINGS}
    always = {"mcp_otel.gc.pause.time", "mcp_otel.context.size", *(name for name in STANDARD if "gc" in name)}
    assert {name: points for name, points in found.items() if points and name not in always} == {}
    assert found["mcp_otel.gc.pause.time"] == generations(0, 0, 0)
    assert found["mcp_otel.context.size"] == stats(max=0, mean=0, sum=0)
    assert [len(found[name]) for name in always if name.startswith("cpython.")] == [3, 3, 3]


def test_what_the_system_does_not_tell_has_no_point(known: Vitals) -> None:
    known.reading = Reading(100.0, 1, 2, None, 3, None, None, 4.0, 5.0, None)
    assert [
        metric.name
        for metric in READINGS
        if said(known, metric) == [] and metric.name.startswith(("process.", "mcp_otel.memory.u"))
    ] == [
        "mcp_otel.memory.unique",
        "process.unix.file_descriptor.count",
        "process.thread.count",
        "process.uptime",
    ]
    assert said(known, names.PROCESS_CPU) == [(4.0, {"cpu.mode": "user"}), (5.0, {"cpu.mode": "system"})]


def test_a_leak_of_calls_is_said_by_the_call_and_one_without_a_cause_by_its_end_alone(known: Vitals) -> None:
    pace = Line(10.0, 9.0, 11.0, 39_000.0)
    known.growth.verdict = Verdict("calls", Line(7.0, 6.0, 8.0, 0.0), pace)
    assert said(known, names.MEMORY_CALL) == [(7.0, {})]
    assert said(known, names.MEMORY_SESSION) == []
    known.growth.verdict = Verdict(None, None, pace)
    assert said(known, names.MEMORY_CALL) == said(known, names.MEMORY_SESSION) == []
    assert said(known, names.MEMORY_TIME) == [(96_000.0, {})]
    known.growth.verdict = Verdict("concurrency", Line(7.0, 6.0, 8.0, 0.0), None)
    assert said(known, names.MEMORY_TIME) == []


def test_sessions_that_settle_have_a_level_and_no_time(known: Vitals) -> None:
    known.sessions.forecast = Forecast(120.0, None)
    assert said(known, names.SESSIONS_FORECAST) == [(120.0, {})]
    assert said(known, names.SESSIONS_TIME) == []
    assert said(known, names.SESSIONS_FORECAST_SIZE) == [(12_000.0, {})]


def test_the_memory_of_forecast_sessions_is_not_said_before_one_was_weighed(known: Vitals) -> None:
    for conversation in known.contexts._conversations.values():
        conversation.kept = None
    assert said(known, names.SESSIONS_FORECAST_SIZE) == []


class Contrib:
    """OpenTelemetry's instrumentation of the system, as its base class makes it: one instance, on or off."""

    _instance: Contrib | None = None
    made = 0

    def __init__(self, on: bool) -> None:
        self.is_instrumented_by_opentelemetry = on
        type(self).made += 1


@pytest.mark.parametrize("state", ["on", "off", "not made", "not imported whole"])
def test_the_standard_metrics_are_silent_while_the_instrumentation_of_the_system_says_them(
    known: Vitals, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module: Any = ModuleType(CONTRIB)
    if state != "not imported whole":

        class SystemMetricsInstrumentor(Contrib):
            _instance = None if state == "not made" else Contrib(state == "on")
            made = 0

        module.SystemMetricsInstrumentor = SystemMetricsInstrumentor
    monkeypatch.setitem(sys.modules, CONTRIB, module)
    silent = {metric.name for metric in READINGS if said(known, metric) == []}
    assert silent == (STANDARD if state == "on" else set()) | {"mcp_otel.memory.per_call"}
    assert getattr(getattr(module, "SystemMetricsInstrumentor", None), "made", 0) == 0
    monkeypatch.delitem(sys.modules, CONTRIB)
    assert said(known, names.PROCESS_CPU) == EXPECTED["process.cpu.time"]


def test_two_that_are_retained_are_weighed_and_nothing_of_ours_keeps_them(vitals: Vitals) -> None:
    vitals.canaries.grace = 0.0
    kept = [Subject(), Subject()]
    size, level = names.OBJECTS_SIZE, names.OBJECTS_RETAINED
    labels = {"mcp_otel.kind": "session", "mcp_otel.type": "Subject"}
    for each in kept:
        vars(each)["history"] = bytearray(10_000)
        vitals.watch(each, "session")
    gc.collect()
    vitals.tick()
    assert said(vitals, size) == [(pytest.approx(10_000, rel=0.1), labels)]
    assert said(vitals, level) == [(2, labels)]
    del kept, each
    vitals.tick()
    assert said(vitals, size) == []
    assert said(vitals, level) == [(0, labels)]


def test_conversations_that_are_told_of_are_known_as_long_as_they_live(vitals: Vitals) -> None:
    vitals.began("one", None, ())
    vitals.over("one", 100, True, 2)
    vitals.over("one", 50, False, 1)
    vitals.over(None, 1000, True, 1)
    assert said(vitals, names.CONTEXT_SIZE) == stats(max=150, mean=150, sum=150)
    vitals.ended("one")
    assert said(vitals, names.CONTEXT_SIZE) == stats(max=0, mean=0, sum=0)
