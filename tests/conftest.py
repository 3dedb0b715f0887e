"""What all tests share: a sink for OTLP, and a reason for every test that this SDK line cannot run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sink import Sink


@pytest.fixture
def sink() -> Iterator[Sink]:
    """An OTLP receiver on loopback."""
    with Sink() as made:
        yield made
