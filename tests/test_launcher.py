"""OpenTelemetry's own launcher and its conventions, with the real launcher."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from opentelemetry.instrumentation.dependencies import get_dependency_conflicts
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import mcp_otel
from mcp_otel import instrumentor
from mcp_otel.launcher import MCPServerInstrumentor

HOME = str(Path(mcp_otel.__file__).resolve().parent.parent)
CODE = """\
import sys
from opentelemetry import metrics, trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
assert "mcp" not in sys.modules
import mcp
from mcp_otel import instrumentor
spans = InMemorySpanExporter()
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(spans))
recorder = instrumentor.recorder()
call = recorder.arrive("pipe", 10)
recorder.open(call, "ping", None, 1)
recorder.answer(call, result={})
recorder.end(call)
print([span.name for span in spans.get_finished_spans()], recorder.owns_spans, dict(recorder.totals.failures))
"""


@pytest.fixture
def launched() -> Iterator[MCPServerInstrumentor]:
    launcher = MCPServerInstrumentor()
    yield launcher
    if launcher.is_instrumented_by_opentelemetry:
        launcher.uninstrument()


@pytest.fixture
def distro() -> None:
    """The package that makes providers in the launcher: opentelemetry-distro."""
    if find_spec("opentelemetry.distro") is None:
        if os.environ.get("CI"):
            pytest.fail("opentelemetry-distro is not installed")
        pytest.skip("opentelemetry-distro is not installed")


def test_it_uses_the_providers_it_is_given_and_can_be_undone(launched: MCPServerInstrumentor) -> None:
    spans, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    launched.instrument(tracer_provider=provider)
    recorder = instrumentor.recorder()
    assert recorder is not None
    call = recorder.arrive()
    recorder.open(call, "ping", None, 1)
    recorder.answer(call, result={})
    recorder.end(call)
    assert [span.name for span in spans.get_finished_spans()] == ["ping"]
    launched.uninstrument()
    assert instrumentor.recorder() is None


def test_the_installed_mcp_is_in_its_range_and_the_next_major_line_is_not(launched: MCPServerInstrumentor) -> None:
    assert get_dependency_conflicts(launched.instrumentation_dependencies()) is None
    assert list(launched.instrumentation_dependencies()) == ["mcp >= 1.24, < 3"]


@pytest.mark.usefixtures("distro")
def test_opentelemetry_instrument_starts_it_with_the_launchers_own_provider() -> None:
    launcher = Path(sys.executable).with_name("opentelemetry-instrument")
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "MCP_OTEL_"))}
    environ |= {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
    ended = subprocess.run(
        [str(launcher), sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        timeout=60,
        env=environ,
        check=False,
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("['ping'] False {}\n", "", 0)
