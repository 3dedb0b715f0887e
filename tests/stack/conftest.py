"""One story for all tests of the stack: it begins with the first of them, and ends with the last."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stack.story import Story


@pytest.fixture(scope="package")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The story, being told."""
    story = Story(tmp_path_factory.mktemp("stack"))
    try:
        story.begin()
        yield story
    finally:
        story.end()


@pytest.fixture(scope="package")
def story(begun: Story) -> Story:
    """The story once it is told."""
    return begun.told()
