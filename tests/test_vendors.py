"""Who else instruments MCP is found by the wrappers that sit on the SDK; with the real vendors: tests/vendors."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from importlib import import_module, metadata
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

import pytest
import wrapt

from mcp_otel import vendors
from mcp_otel.vendors import PLACES, Vendor
from tests.promises import hosts
from tests.promises.watching import watching

LINES = {1: PLACES[:7], 2: PLACES[7:]}
FIRST = LINES[hosts.LINE][0]
SAID = "mcp-otel leaves spans to acme.instrumentation.mcp and says metrics only; MCP_OTEL_SPANS=always says both"


def foreign(module: str, function: Callable[..., Any]) -> Any:
    """`function` as if it had been written in `module`."""
    made = FunctionType(function.__code__, {**function.__globals__, "__name__": module}, closure=function.__closure__)
    made.__kwdefaults__ = function.__kwdefaults__
    return made


def closure(module: str, original: Any) -> Any:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **kwargs)

    return functools.wraps(original)(foreign(module, wrapper))


def proxy(module: str, original: Any) -> Any:
    def wrapper(wrapped: Any, _: Any, args: Any, kwargs: Any) -> Any:
        return wrapped(*args, **kwargs)

    return wrapt.FunctionWrapper(original, foreign(module, wrapper))


def method(module: str, original: Any) -> Any:
    def wrapper(self: Any, wrapped: Any, _: Any, args: Any, kwargs: Any) -> Any:
        return wrapped(*args, **kwargs)

    return wrapt.FunctionWrapper(original, foreign(module, wrapper).__get__(object()))


def partial(module: str, original: Any) -> Any:
    def wrapper(_: Any, wrapped: Any, __: Any, args: Any, kwargs: Any) -> Any:
        return wrapped(*args, **kwargs)

    return wrapt.FunctionWrapper(original, functools.partial(foreign(module, wrapper), None))


KINDS = (closure, proxy, method, partial)
Lay = Callable[..., Any]


@pytest.fixture
def lay(monkeypatch: pytest.MonkeyPatch) -> Lay:
    """Put a wrapper from a module on a place of the SDK until the test is over."""

    def laid(module: str, place: str = FIRST, kind: Callable[[str, Any], Any] = closure) -> None:
        owner, _, path = place.partition(":")
        found: Any = import_module(owner)
        *above, name = path.split(".")
        for each in above:
            found = getattr(found, each)
        monkeypatch.setattr(found, name, kind(module, vars(found)[name]))

    return laid


def test_nobody_is_beside_a_bare_sdk() -> None:
    assert vendors.active() == ()


@pytest.mark.parametrize("place", LINES[hosts.LINE])
def test_every_place_is_a_function_of_the_sdk_and_is_looked_at(place: str, lay: Lay) -> None:
    lay("acme.instrumentation.mcp.wrappers", place)
    package = "acme.instrumentation.mcp"
    how = f"acme.instrumentation.mcp.wrappers wraps {place}"
    assert vendors.active() == (Vendor(package, package, None, how),)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("under", [None, *KINDS])
def test_a_wrapper_is_found_whatever_it_is_made_of_and_whoever_sits_on_it(
    kind: Callable[..., Any], under: Callable[..., Any] | None, lay: Lay
) -> None:
    lay("acme.instrumentation.mcp", kind=kind)
    if under is not None:
        lay("an.application", kind=under)
    assert [vendor.name for vendor in vendors.active()] == ["acme.instrumentation.mcp"]


@pytest.mark.parametrize(
    "module", ["an.application", "openinference.instrumentation.mcp", "logfired", "mcp_otel.seams.patch", "functools"]
)
def test_a_wrapper_that_is_no_instrumentation_or_opens_no_spans_is_nobody(module: str, lay: Lay) -> None:
    lay(module)
    assert vendors.active() == ()


def test_a_known_one_is_named_once_with_its_version(lay: Lay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: f"1.2 of {name}")
    for place in LINES[hosts.LINE][:2]:
        lay("logfire._internal.integrations.mcp", place)
    how = f"logfire._internal.integrations.mcp wraps {FIRST}"
    assert vendors.active() == (Vendor("Logfire", "logfire", "1.2 of logfire", how),)


def test_those_that_are_installed_are_known_by_their_metadata_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name in ("openlit", "ddtrace"):
            return "3.0"
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    before = set(sys.modules)
    assert vendors.installed() == (
        Vendor("Datadog", "ddtrace", "3.0", "installed"),
        Vendor("OpenLIT", "openlit", "3.0", "installed"),
    )
    assert set(sys.modules) == before


def sentry(active: bool, tracing: bool) -> dict[str, Any]:
    client = SimpleNamespace(is_active=lambda: active, options={"tracing": tracing})
    return {
        "sentry_sdk": SimpleNamespace(get_client=lambda: client),
        "sentry_sdk.tracing_utils": SimpleNamespace(has_tracing_enabled=lambda options: options["tracing"]),
    }


def datadog(enabled: bool) -> dict[str, Any]:
    return {"ddtrace": SimpleNamespace(tracer=SimpleNamespace(enabled=enabled))}


@pytest.mark.parametrize(
    ("module", "loaded", "names"),
    [
        ("sentry_sdk.integrations.mcp", sentry(True, True), ["Sentry"]),
        ("sentry_sdk.integrations.mcp", sentry(True, False), []),
        ("sentry_sdk.integrations.mcp", sentry(False, True), []),
        ("ddtrace.contrib.internal.mcp.patch", datadog(True), ["Datadog"]),
        ("ddtrace.contrib.internal.mcp.patch", datadog(False), []),
    ],
)
def test_wrappers_of_one_whose_tracing_is_off_do_not_count(
    module: str, loaded: dict[str, ModuleType], names: list[str], lay: Lay, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, fake in loaded.items():
        monkeypatch.setitem(sys.modules, name, fake)
    lay(module)
    assert [vendor.name for vendor in vendors.active()] == names


@pytest.fixture
def stories() -> int:
    """How many SERVER spans the story on a pipe gives."""
    with watching() as watched:
        hosts.tell("pipe")
        return len(watched.servers)


def test_beside_somebody_there_are_metrics_of_every_message_and_no_span(stories: int, lay: Lay) -> None:
    lay("acme.instrumentation.mcp")
    with watching() as watched:
        hosts.tell("pipe")
        assert watched.lines == [SAID]
        assert watched.servers == []
        assert (watched.recorder.spans, watched.recorder.level) == (None, 1)
        assert sum(watched.collect()["mcp.server.operation.duration"].values()) == stories


def test_spans_always_brings_them_back_and_says_nothing(stories: int, lay: Lay) -> None:
    lay("acme.instrumentation.mcp")
    with watching(spans="always") as watched:
        hosts.tell("pipe")
        assert (watched.lines, len(watched.servers)) == ([], stories)


def test_at_the_level_of_metrics_nobody_is_told_of_spans(lay: Lay) -> None:
    lay("acme.instrumentation.mcp")
    with watching(level="metrics") as watched:
        hosts.tell("pipe")
        assert watched.lines == []


def test_somebody_who_comes_later_is_seen_and_what_is_open_is_still_ended(lay: Lay) -> None:
    with watching(phase_spans="off", cost_budget=0.0) as watched:
        recorder = watched.recorder
        early, other = recorder.arrive("pipe", 10), recorder.arrive("pipe", 10)
        recorder.open(early, "ping", None, 1)
        recorder.open(other, "ping", None, 2)
        lay("acme.instrumentation.mcp")
        recorder.governor.due = 0
        recorder.end(other)
        late = recorder.arrive("pipe", 10)
        recorder.open(late, "ping", None, 3)
        recorder.governor.due = 0
        recorder.end(late)
        recorder.end(early)
        said = [(span.attributes or {})["jsonrpc.request.id"] for span in watched.servers]
        assert (said, watched.lines, recorder.level) == (["2", "1"], [SAID], 1)


def test_one_that_cannot_be_asked_is_counted_and_our_spans_go_on(lay: Lay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentry_sdk", SimpleNamespace())  # type: ignore[arg-type]
    lay("sentry_sdk.integrations.mcp")
    with watching() as watched:
        hosts.tell("pipe")
        assert watched.totals.failures == {"vendors": 1}
        assert watched.lines == ["mcp-otel failed in vendors with AttributeError; the server is not affected"]
        assert watched.servers != []
