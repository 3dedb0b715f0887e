"""What all tests share: a sink for OTLP, and a reason for every test that this SDK line cannot run."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec

import pytest

from tests.sink import Sink

ONCE = ("stack", "house/test_dashboards.py")
FASTMCP = "seams/fastmcp"
collect_ignore = list(ONCE) if version("mcp").startswith("1.") else []
if find_spec("fastmcp") is None:
    collect_ignore.append(FASTMCP)
WHERE = {FASTMCP: "in the environments of the lines of fastmcp"}


def pytest_report_header() -> list[str]:
    """The SDK at hand, and what is not even collected, and why."""
    elsewhere = {name: WHERE.get(name, "once, with the tests of the 2.x line") for name in collect_ignore}
    return [f"mcp {version('mcp')}"] + [
        f"tests/{name}: skipped, it is tried {where}" for name, where in elsewhere.items()
    ]


@pytest.fixture
def sink() -> Iterator[Sink]:
    """An OTLP receiver on loopback."""
    with Sink() as made:
        yield made
