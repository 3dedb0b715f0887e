"""Where the `fastmcp` package is installed: one provider for all of it, and mcp-otel at work with it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from importlib.metadata import version

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.promises.watching import Watched, providers, start

os.environ |= {"FASTMCP_CHECK_FOR_UPDATES": "off", "FASTMCP_LOG_ENABLED": "false"}
LINE = int(version("fastmcp").partition(".")[0])

with warnings.catch_warnings():
    warnings.showwarning = lambda *_, **__: None  # some of its dependencies insist
    import fastmcp  # noqa: F401

_exporter = InMemorySpanExporter()
_provider = TracerProvider(shutdown_on_exit=False)
_provider.add_span_processor(SimpleSpanProcessor(_exporter))
trace.set_tracer_provider(_provider)


@pytest.fixture
def bare() -> Iterator[Watched]:
    """Nothing is instrumented yet; FastMCP's own spans and the application's go where ours will."""
    with providers() as watched:
        _exporter.clear()
        watched.exporter, watched.tracer_provider = _exporter, _provider
        yield watched


@pytest.fixture
def watched(bare: Watched) -> Watched:
    """The same, instrumented."""
    start(bare, phase_spans="off")
    return bare
