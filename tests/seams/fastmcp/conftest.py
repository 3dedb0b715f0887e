"""Where the `fastmcp` package is installed: one provider for all of it, and mcp-otel at work with it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.promises.watching import Watched, providers, start

os.environ |= {"FASTMCP_CHECK_FOR_UPDATES": "off", "FASTMCP_LOG_ENABLED": "false"}
HERE = find_spec("fastmcp") is not None
LINE = int(version("fastmcp").partition(".")[0]) if HERE else 0

_exporter = InMemorySpanExporter()

if HERE:
    with warnings.catch_warnings():
        warnings.showwarning = lambda *_, **__: None  # some of its dependencies insist
        import fastmcp  # noqa: F401
    _provider = TracerProvider(shutdown_on_exit=False)
    _provider.add_span_processor(SimpleSpanProcessor(_exporter))
    trace.set_tracer_provider(_provider)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = "the lines of fastmcp have environments of their own: make test tries each of them there"
    for item in items:
        if not HERE and "seams/fastmcp" in str(item.path):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def bare() -> Iterator[Watched]:
    """Nothing is instrumented yet; FastMCP's own spans and the application's go where ours will."""
    with providers() as watched:
        _exporter.clear()
        watched.exporter, watched.tracer_provider = _exporter, trace.get_tracer_provider()  # type: ignore[assignment]
        watched.tracer_provider.shutdown = lambda: None  # type: ignore[method-assign,union-attr]
        yield watched


@pytest.fixture
def watched(bare: Watched) -> Watched:
    """The same, instrumented."""
    start(bare, phase_spans="off")
    return bare
