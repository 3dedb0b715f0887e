"""Every test here leaves the SDK as it found it, and says so if mcp-otel did not."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from importlib import import_module

import pytest

from tests.promises import hosts
from tests.promises.originals import HOOKED, Originals, changed, originals, restore


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    # The servers of the story fail on purpose, and the SDK says so.
    loggers = [logging.getLogger(name) for name in ("mcp", "server", "opentelemetry", "asyncio", "")]
    before = [(logger, logger.level) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    logging.getLogger("mcp_otel").setLevel(logging.DEBUG)
    yield
    logging.getLogger("mcp_otel").setLevel(logging.NOTSET)
    for logger, level in before:
        logger.setLevel(level)


@pytest.fixture(scope="session")
def bare() -> dict[str, tuple[list[bytes], list[str]]]:
    """What a server answers that nobody watches, at each door."""
    for name in HOOKED:
        import_module(name)
    return {door: hosts.tell(door) for door in hosts.DOORS}


@pytest.fixture
def before(bare: object) -> Iterator[Originals]:
    """The SDK's own objects; at the end of the test they must be there again."""
    held = originals()
    yield held
    left = changed(held)
    restore(held)
    assert left == []
