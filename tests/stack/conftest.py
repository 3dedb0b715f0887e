"""One story for all tests of the stack: it begins with the first of them and goes on beside the others."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

import pytest

from tests.stack.story import Story


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The stack is tried once, with the tests of the 2.x line."""
    if version("mcp").startswith("1."):
        for item in items:
            if "tests/stack/" in item.nodeid:
                item.add_marker(pytest.mark.skip(reason="the stack is tried once, with the tests of the 2.x line"))


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The story, being told."""
    story = Story(tmp_path_factory.mktemp("stack"))
    try:
        story.begin()
        yield story
    finally:
        story.end()


@pytest.fixture(scope="session")
def story(begun: Story) -> Story:
    """The story once it is told."""
    return begun.told()
