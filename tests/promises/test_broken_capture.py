"""Promise 1 where the owner has opened every door: whatever fails in taking values, the server answers as ever."""

from __future__ import annotations

from typing import Any

import pytest

from tests.promises import breakage, hosts
from tests.promises.originals import Originals
from tests.promises.watching import watching

ROOMS = ("signals.capture:", "signals.redaction:")
TARGETS = {name: target for name, target in breakage.targets().items() if name.startswith(ROOMS)}
AT_START = {"signals.capture:Capture.__init__", "signals.capture:opened"}
"""Without these nothing is installed, and that is said."""
ALL: dict[str, Any] = dict.fromkeys(
    (f"capture_{kind}" for kind in ("arguments", "results", "resource_uri", "session_id", "errors")), True
)
Bare = dict[str, tuple[list[bytes], list[str]]]


@pytest.mark.parametrize("name", sorted(set(TARGETS) - AT_START))
def test_a_server_answers_the_same_when_taking_values_raises(name: str, before: Originals, bare: Bare) -> None:
    with breakage.broken(TARGETS[name]), watching(**ALL) as watched:
        answers = {door: hosts.tell(door) for door in hosts.DOORS}
        failures = dict(watched.totals.failures)
        assert answers == bare
        assert sum(failures.values()) >= (1 if breakage.strikes else 0)
        assert len(watched.lines) == len(failures)
        assert not any("private words" in line for line in watched.lines)
        assert len(watched.servers) >= 15 * len(answers)


@pytest.mark.parametrize("raised", [ValueError, RecursionError, MemoryError])
def test_a_hook_of_the_owners_own_that_raises_hurts_nobody(
    raised: type[Exception], before: Originals, bare: Bare
) -> None:
    asked: list[str] = []

    def redact(kind: str, _: str | None, __: Any) -> Any:
        asked.append(kind)
        raise raised("private words")

    with watching(**ALL, redact=redact) as watched:
        assert {door: hosts.tell(door) for door in hosts.DOORS} == bare
        assert dict(watched.totals.failures) == {"redact": len(asked)}
        assert watched.lines == [f"mcp-otel failed in redact with {raised.__name__}; the server is not affected"]
        said = {name for span in watched.servers for name in span.attributes or {}}
    assert set(asked) == {"arguments", "results", "resource_uri", "session_id", "errors"}
    assert said.isdisjoint({"gen_ai.tool.call.arguments", "gen_ai.tool.call.result", "mcp_otel.error.message"})


def test_nothing_of_a_value_is_kept_after_its_call(before: Originals) -> None:
    seen: list[tuple[str, str | None]] = []

    def redact(kind: str, name: str | None, value: Any) -> Any:
        seen.append((kind, name))
        return value

    with watching(**ALL, redact=redact) as watched:
        hosts.tell("http")
        assert watched.recorder.live.requests == {}
        assert watched.totals.cost["capture"] > 0
    assert ("arguments", "echo") in seen
    assert ("results", "nobody") in seen or ("errors", "nobody") in seen
