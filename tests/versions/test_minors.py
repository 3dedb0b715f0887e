"""The contract's story is told to the last release of every earlier minor line, through every form and door it has.

Its clients speak to their servers, too.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.contract.doors import DOORS, FORMS, STANDALONE
from tests.house.source import ROOT
from tests.versions.releases import LAST, chosen

AT_ONCE = 2
"""A story waits for a third of its time."""
PATIENCE = 280
CLIENTS = "tests/clients/test_clients.py"
TOLD = (
    "tests/contract/test_story.py",
    f"{CLIENTS}::test_each_message_of_a_client_is_one_client_span_by_the_conventions",
    f"{CLIENTS}::test_what_a_server_asks_its_client_is_a_client_span_of_the_server_and_a_server_span_of_the_client",
)
HERE = " and ".join(("test", *(f"not {form}" for form in STANDALONE)))
"""Other forms have an SDK of their own."""
Told = subprocess.CompletedProcess[str]


def tell(release: str) -> Told:
    """All that is said to `release`."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--tb=short", "-p", "no:cacheprovider", "-k", HERE, *TOLD],
        cwd=ROOT,
        env=chosen(release),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture(scope="module")
def stories(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Told]]]:
    """A story for each test that was asked for."""
    named = [name for name in LAST if any(item.name.endswith(f"[{name}]") for item in request.session.items)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {release: pool.submit(tell, release) for release in named}


@pytest.mark.timeout(2 * PATIENCE)
@pytest.mark.parametrize("release", LAST)
def test_the_same_spans_and_numbers_come_out(release: str, stories: dict[str, Future[Told]]) -> None:
    done = stories[release].result()
    if done.returncode != 0:
        done = tell(release)  # by itself: two at once are a busy machine, and some of its tests look at milliseconds
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"mcp {release}\n" in done.stdout
    passed = re.search(r"=+ (\d+) passed", done.stdout)
    assert passed is not None, done.stdout
    assert int(passed[1]) >= 20 * len(FORMS) * len(DOORS)
