"""The one line a host adds: it goes in once, comes out whole, and never raises but for its author's mistakes."""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

import mcp_otel
from mcp_otel import instrumentor
from mcp_otel.errors import SettingsError
from mcp_otel.settings import Settings
from tests.promises import hosts
from tests.promises.originals import HOOKED, Originals, changed, originals, restore
from tests.promises.watching import Watched, providers, start, watching


@pytest.fixture(autouse=True)
def before() -> Iterator[Originals]:
    for name in HOOKED:
        import_module(name)
    held, root = originals(), logging.getLogger()
    level = root.level
    root.setLevel(logging.CRITICAL + 1)
    logging.getLogger("mcp_otel").setLevel(logging.DEBUG)
    yield held
    logging.getLogger("mcp_otel").setLevel(logging.NOTSET)
    root.setLevel(level)
    mcp_otel.uninstrument()
    left = changed(held)
    restore(held)
    assert left == []


def test_a_second_call_changes_nothing(before: Originals) -> None:
    with watching() as watched:
        first, hooked = watched.recorder, changed(before)
        start(watched)
        assert (instrumentor.recorder(), changed(before), watched.lines) == (first, hooked, [])
        mcp_otel.instrument(level="metrics")
        start(watched, tracer_provider=TracerProvider(shutdown_on_exit=False))
        assert (instrumentor.recorder(), changed(before)) == (first, hooked)
        assert [line.split(",")[0] for line in watched.lines] == ["mcp-otel is on already"] * 2


def test_off_hooks_nothing(before: Originals) -> None:
    mcp_otel.instrument(level="off")
    assert (changed(before), instrumentor.recorder()) == ([], None)


def test_uninstrument_without_instrument_does_nothing(before: Originals) -> None:
    mcp_otel.uninstrument()
    assert changed(before) == []


@pytest.mark.parametrize("given", [{"level": "loud"}, {"nonsense": 1}])
def test_its_authors_mistake_is_raised_and_nothing_is_hooked(given: dict[str, Any], before: Originals) -> None:
    with pytest.raises(SettingsError):
        mcp_otel.instrument(**given)
    assert (changed(before), instrumentor.recorder()) == ([], None)


def test_a_bad_variable_is_one_line_and_the_rest_goes_on(before: Originals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_OTEL_SLOW_OVERHEAD", "soon")
    with watching() as watched:
        assert [line.split(":")[1].strip() for line in watched.lines] == ["MCP_OTEL_SLOW_OVERHEAD"]
        assert changed(before) != []


@pytest.mark.parametrize("part", ["export.wanted", "export.preload", "seams.install", "Recorder"])
def test_a_start_that_fails_is_said_and_undone(part: str, before: Originals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"mcp_otel.instrumentor.{part}", _boom)
    with providers() as watched:
        start(watched)
        assert (changed(before), instrumentor.recorder()) == ([], None)
        assert len(watched.lines) == 1
        assert watched.lines[0].startswith("mcp-otel could not start: ")


def _boom(*_: Any, **__: Any) -> Any:
    raise OSError("broken on purpose")


def test_the_providers_given_are_the_ones_used_and_totals_go_on_over_two_instrumentations() -> None:
    with providers() as watched:
        for _ in range(2):
            start(watched)
            hosts.tell("pipe")
            mcp_otel.uninstrument()
        pings = [span for span in watched.servers if span.name == "ping"]
        assert len(pings) == 4
        assert watched.totals.tallies["ping", None].calls == 4


def test_one_meter_provider_gets_its_instruments_once_over_two_instrumentations() -> None:
    meter_provider = _provider()
    with providers() as watched:
        for _ in range(2):
            mcp_otel.instrument(watched.tracer_provider, meter_provider)
            hosts.tell("pipe")
            metrics = watched.recorder.metrics
            assert metrics is instrumentor.metrics_of(meter_provider)
            mcp_otel.uninstrument()
            assert metrics.source is None
        assert watched.lines == []
    meter_provider.shutdown()


def test_providers_without_a_hash_are_as_good_as_others(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (TracerProvider, MeterProvider):
        monkeypatch.setattr(kind, "__hash__", None)
    monkeypatch.setattr("mcp_otel.export.trace._TRACER_PROVIDER", TracerProvider(shutdown_on_exit=False))
    with watching() as watched:
        hosts.tell("pipe")
        assert watched.servers != []
        assert sum(watched.collect()["mcp.server.operation.duration"].values()) > 0
        assert (watched.lines, dict(watched.totals.failures)) == ([], {})


def _provider() -> Any:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    return MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)


@pytest.mark.parametrize("level", ["spans", "metrics"])
def test_metrics_are_exact_and_spans_are_said_only_at_their_level(level: str) -> None:
    with watching(level=level) as watched:
        hosts.tell("pipe")
        found = watched.collect()
        durations = sum(found["mcp.server.operation.duration"].values())
    assert durations == sum(tally.calls for tally in watched.totals.tallies.values())
    assert (len(watched.servers) == durations) is (level == "spans")
    assert watched.servers == [] or level == "spans"


def test_without_any_provider_messages_are_still_counted() -> None:
    with providers() as watched:
        mcp_otel.instrument()
        hosts.tell("pipe")
        assert watched.totals.tallies["ping", None].calls == 2
        assert watched.recorder.spans is None
        assert watched.recorder.metrics is None


def _laid_on_top() -> tuple[Any, str, Callable[..., Any], Any]:
    owner, name = (
        (import_module("mcp.server.runner").ServerRunner, "_on_request")
        if hosts.LINE == 2
        else (import_module("mcp.shared.session").BaseSession, "_send_response")
    )
    ours = vars(owner)[name]

    @functools.wraps(ours)
    async def foreign(*args: Any, **kwargs: Any) -> Any:
        return await ours(*args, **kwargs)

    return owner, name, foreign, ours


def _told(watched: Watched) -> int:
    hosts.tell("pipe")
    return len(watched.servers)


def test_a_hook_that_stays_below_a_foreign_patch_does_nothing_any_more(before: Originals) -> None:
    bare = hosts.tell("pipe")
    with watching() as watched:
        owner, name, foreign, _ = _laid_on_top()
        original = before[owner.__module__, owner.__qualname__][1][name]
        setattr(owner, name, foreign)
        mcp_otel.uninstrument()
        try:
            assert hosts.tell("pipe") == bare
            assert (watched.servers, dict(watched.totals.failures), watched.totals.tallies) == ([], {}, {})
            start(watched)
            once = _told(watched)
            mcp_otel.uninstrument()
        finally:
            setattr(owner, name, original)
        start(watched)
        assert _told(watched) == 2 * once  # the first round was not counted twice


@pytest.mark.parametrize(
    ("error", "level"), [(None, 0), (RuntimeError("the end"), 3)], ids=["normal", "by an exception"]
)
def test_a_process_that_ends_says_that_it_does_unless_an_exception_ends_it(
    error: Exception | None, level: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "last_value", error, raising=False)
    made = instrumentor.Instrumentation(Settings(), TracerProvider(shutdown_on_exit=False), None)
    made._connect()
    try:
        assert made.recorder.level == 3
        assert made._farewell() is True
        assert made.recorder.level == level
    finally:
        made.undo()


@pytest.mark.parametrize("said", ["spans", "metrics", "both"])
def test_the_process_is_read_for_whoever_listens_spans_alone_too(said: str, before: Originals) -> None:
    with providers() as watched:
        traces = watched.tracer_provider if said != "metrics" else None
        mcp_otel.instrument(traces, watched.meter_provider if said != "spans" else None)
        recorder = instrumentor.recorder()
        assert recorder is not None
        recorder.open(recorder.arrive(), "ping", None, 1)
        assert recorder.vitals is not None
