"""What all tests share: a sink for OTLP, and a reason for every test that this SDK line cannot run."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

import pytest

from tests.sink import Sink

ONCE = ("stack", "house/test_dashboards.py")
collect_ignore = list(ONCE) if version("mcp").startswith("1.") else []


def pytest_report_header() -> list[str]:
    """The SDK at hand, and what is not even collected, and why."""
    return [f"mcp {version('mcp')}"] + [
        f"tests/{name}: skipped, it is tried once, with the tests of the 2.x line" for name in collect_ignore
    ]


@pytest.fixture
def sink() -> Iterator[Sink]:
    """An OTLP receiver on loopback."""
    with Sink() as made:
        yield made
