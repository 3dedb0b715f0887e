"""Promise 1, for clients: whatever breaks in mcp-otel, what a client is told stays what its server says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

import mcp_otel
from tests.promises import breakage, clients
from tests.promises.originals import Originals
from tests.promises.watching import Watched, providers, start, watching

ROOMS = ("outgoing:", "recorder:", "finished:", "signals.spans:", "signals.metrics:", "seams.clients:")
LINES = (f"seams.sdk_v{clients.LINE}.client:", f"seams.sdk_v{clients.LINE}.dispatcher:")
TARGETS = {
    name: target
    for name, target in breakage.targets().items()
    if name not in breakage.CARRIERS and name.startswith(ROOMS + LINES)
}


@pytest.fixture
def watched() -> Iterator[Watched]:
    with providers() as made:
        yield made


@pytest.fixture(scope="module")
def alone() -> list[str]:
    """What a client hears that nobody watches."""
    return clients.tell()


def test_a_watched_client_hears_what_a_bare_one_hears(before: Originals, alone: list[str]) -> None:
    with watching() as watched:
        assert clients.tell() == alone
        assert (watched.lines, dict(watched.totals.failures)) == ([], {})
        sent = Counter(span.name for span in watched.spans if span.kind.name == "CLIENT")
        # `_other`: the tool that nobody knows
        assert sent["initialize"] == sent["tools/call echo"] == sent["tools/call _other"] == sent["ping"] == 1
        assert len(alone) == 15


@pytest.mark.parametrize("name", TARGETS)
def test_a_client_hears_the_same_when_ours_raises(
    name: str, before: Originals, alone: list[str], watched: Watched
) -> None:
    with breakage.broken(TARGETS[name]):
        start(watched)
        heard = clients.tell()
    mcp_otel.uninstrument()
    assert heard == alone
    # What failed before there was any message may be told in full.
    assert not any("private words" in line for line in watched.lines if "could not start" not in line)
