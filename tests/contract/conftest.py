"""Each story is told once per form and door, bare and instrumented; the tests only read what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.contract.doors import FORMS, STANDALONE, line_of, open_door, pairs
from tests.contract.heard import Heard, hear
from tests.contract.story import Told, tell
from tests.sink import Sink

PAIRS = pairs(FORMS + STANDALONE)


@pytest.fixture(scope="session", params=PAIRS, ids=[f"{form}-{door.name}" for form, door in PAIRS])
def heard(request: pytest.FixtureRequest) -> Iterator[Heard]:
    """The story as told to one instrumented server at one door."""
    form, door = request.param
    with Sink() as sink:
        yield hear(form, door, sink)


@pytest.fixture(scope="session")
def bare() -> Callable[[Heard], list[Told]]:
    """The same story, told to the same server without us."""

    def told(heard: Heard) -> list[Told]:
        with open_door(heard.form, heard.door) as opened:
            return tell(opened, heard.door, line_of(heard.form))

    return told
