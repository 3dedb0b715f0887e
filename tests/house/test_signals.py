"""Every name we say is in one table, with unit, meaning and bounds that an SDK can hold."""

from __future__ import annotations

import re
from math import prod

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from mcp_otel.event import Event
from mcp_otel.methods import CLIENT_METHODS, PROTOCOL_VERSIONS, STATUS_TEXTS, about
from mcp_otel.signals import names
from mcp_otel.signals.metrics import Metrics
from mcp_otel.signals.names import ATTRIBUTES, METRICS, Attribute, Metric
from tests.house.source import Module, modules, strings

SIGNAL = re.compile(
    r"(mcp|mcp_otel|gen_ai|network|jsonrpc|rpc|error|client|server|process|cpython|cpu|code)(\.[a-z0-9_]+)+"
)
LIBRARY = re.compile(r"mcp(_types|_otel)?(\.[a-z0-9_]+)*")
NAMESPACES = (
    *("mcp_otel.", "mcp.", "gen_ai.", "network.", "jsonrpc.", "rpc.", "client.", "server.", "error."),
    *("process.", "cpython.", "cpu.", "code."),
)
UNITS = {
    *("s", "By", "{fault}", "{token}", "{request}", "{session}", "{item}", "{failure}", "{level}"),
    *("{stream}", "{object}", "{thread}", "{task}", "{blockage}", "{file_descriptor}", "{collection}"),
}


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_a_signal_is_spelled_in_the_table_only(module: Module) -> None:
    if module.room == "names":
        return
    said = {each.name for each in (*ATTRIBUTES, *METRICS)} | set(names.PHASE_SPANS.values())
    known = {each.name for each in modules()}
    wrong = []
    for text, line in strings(module):
        if text in said:
            wrong.append(f"line {line}: {text!r}")
        elif SIGNAL.fullmatch(text):
            # Python modules are named alike: ours by themselves, the SDK's in the seams, threads of the summary.
            is_module = text in known or (module.room in ("seams", "demo") and LIBRARY.fullmatch(text))
            if not is_module:
                wrong.append(f"line {line}: {text!r}")
    assert wrong == []


def test_every_name_is_said_once_and_in_a_known_namespace() -> None:
    all_names = [each.name for each in (*ATTRIBUTES, *METRICS)]
    assert sorted(all_names) == sorted(set(all_names))
    assert [name for name in all_names if not name.startswith(NAMESPACES)] == []


@pytest.mark.parametrize("attribute", ATTRIBUTES, ids=lambda attribute: attribute.name)
def test_an_attribute_says_what_it_means(attribute: Attribute) -> None:
    assert attribute.meaning.strip()
    assert attribute.bound is None or attribute.bound >= 1


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_has_unit_meaning_and_bounded_labels(metric: Metric) -> None:
    assert metric.unit in UNITS
    assert metric.meaning.strip()
    assert [label.name for label in metric.labels if label.bound is None] == []


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_the_series_of_a_metric_stay_below_what_an_sdk_holds(metric: Metric) -> None:
    product = prod(label.bound or 0 for label in metric.labels)
    assert (metric.bound if metric.bound is not None else product) < names.MAX_SERIES


def test_a_unitless_gauge_says_that_it_is_a_ratio() -> None:
    assert [each.name for each in METRICS if each.unit == "1" and not each.name.endswith(".ratio")] == []


def test_ten_thousand_label_sets_become_fifteen_hundred_series_and_no_overflow() -> None:
    reader = InMemoryMetricReader()
    metrics = Metrics(MeterProvider([reader], shutdown_on_exit=False), "test", {})
    targets = [f"tool{number}" for number in range(names.MAX_TOOLS)]
    given = 0
    for target in targets:
        for code in (None, *STATUS_TEXTS):
            for version in PROTOCOL_VERSIONS:
                for http in ("1.1", "2"):
                    metrics.record(_event("tools/call", target, code, version, http))
                    given += 1
    counted = [method for method in CLIENT_METHODS if not about(method).lasting]
    for method in counted:
        metrics.record(_event(method, None, None, PROTOCOL_VERSIONS[0], "1.1"))
    metrics.settle()
    data = reader.get_metrics_data()
    assert data is not None
    (metric,) = (
        metric
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == names.OPERATION_DURATION.name
    )
    sets = [dict(point.attributes or {}) for point in metric.data.data_points]
    assert given > 10_000
    assert len(sets) <= names.MAX_OPERATION_SERIES
    assert [each for each in sets if "otel.metric.overflow" in each] == []
    assert sum(point.count for point in metric.data.data_points) == given + len(counted)
    assert {each[names.METHOD.name] for each in sets} == {"tools/call", *counted}


def _event(method: str, target: str | None, code: int | None, version: str, http: str) -> Event:
    return Event(
        side="server",
        method=method,
        target=target,
        notification=False,
        request_id="1",
        session=None,
        protocol_version=version,
        transport="tcp",
        http_version=http,
        client_address=None,
        client_port=None,
        server_address=None,
        server_port=None,
        start=0,
        duration=0.01,
        phases={},
        cpu={},
        on_loop=None,
        blocked=(),
        laps=(),
        received=None,
        sent=None,
        fault=None if code is None else "server",
        error=None if code is None else str(code),
        code=code,
    )
