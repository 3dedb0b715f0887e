"""Living beside other instrumentations of MCP, with the real ones: no message gets two spans, and none is lost."""

from __future__ import annotations

import pytest

from tests.contract.doors import LINE
from tests.vendors.story import ECHO, HELLO
from tests.vendors.watching import Told, bare, tell

ACTIVE = {
    1: {
        "logfire": "Logfire 5.2.0",
        "sentry": "Sentry 2.75.0",
        "sentry_by_itself": "Sentry 2.75.0",
        "datadog": "Datadog 4.16.0",
        "openlit": "OpenLIT 1.45.0",
        "traceloop": "Traceloop 0.62.4",
        "aws": "AWS 0.21.0",
    },
    2: {"sentry": "Sentry 2.75.0", "sentry_by_itself": "Sentry 2.75.0"},
}[LINE]
"""Who opens spans for the messages of a server on this line of the SDK, and what it is called."""
FORMS = [
    (vendor, order)
    for vendor in ACTIVE
    for order in ("before", "after")
    if (vendor, order) != ("sentry_by_itself", "after")
]
QUIET = {
    1: ("nobody", "sentry_for_errors", "datadog_off", "openinference"),
    # All that these know of 2.x is that it has spans of its own, its clients, or nothing; Traceloop raises.
    2: ("nobody", "logfire", "sentry_for_errors", "datadog", "openlit", "traceloop", "openinference"),
}[LINE]
"""Who is installed only, or opens none."""
SERVED = {
    "initialize": 3,
    "notifications/initialized": 2,
    "ping": 1,
    "prompts/get greet": 1,
    "resources/read": 1,
    "tools/call echo": 3,
    "tools/call fail": 1,
    "tools/list": 2,
}
SENT = {"initialize": 1, "notifications/initialized": 1, "tools/call echo": 1, "tools/list": 1}
if LINE == 2:
    # The client in memory needs no handshake, and there is one more over HTTP, without a session.
    SERVED |= {"initialize": 2, "notifications/initialized": 1, "server/discover": 1, "tools/call echo": 4}
    SENT = {"server/discover": 1, "tools/call echo": 1, "tools/list": 1}
COUNTS = {f"server {name}": times for name, times in SERVED.items()} | {
    f"client {name}": times for name, times in SENT.items()
}
SPANS = sorted(
    f"{kind} {name}"
    for kind, messages in (("SERVER", SERVED), ("CLIENT", SENT))
    for name, times in messages.items()
    for _ in range(times)
)


def said(vendor: str) -> str:
    return f"mcp-otel leaves spans to {ACTIVE[vendor]} and says metrics only; MCP_OTEL_SPANS=always says both"


def assert_unharmed(told: Told, vendor: str, *, native: bool, said: list[str]) -> None:
    """The server answers as without us, the vendor says and does what it did, and we say `said`."""
    alone = bare(vendor.removesuffix("_by_itself"))
    assert (told.replies, told.heard) == (alone.replies, alone.heard)
    assert told.left == alone.left == (0, b"")
    assert told.theirs(native) == alone.theirs(native)
    assert [line for line in told.errors if line not in alone.errors] == said
    assert [line for line in alone.errors if line not in told.errors] == []
    assert told.reached == alone.reached == []


@pytest.mark.parametrize(("vendor", "order"), FORMS)
def test_beside_one_that_opens_spans_we_say_metrics_only_and_that_once(vendor: str, order: str) -> None:
    told = tell(vendor, order)
    assert_unharmed(told, vendor, native=True, said=[said(vendor)])
    assert told.theirs(native=False) != []
    assert (told.ours, told.counts) == ([], COUNTS)


@pytest.mark.parametrize("vendor", [vendor for vendor in ACTIVE if vendor != "sentry_by_itself"])
def test_with_spans_always_ours_are_there_as_well(vendor: str) -> None:
    told = tell(vendor, "before", MCP_OTEL_SPANS="always")
    assert_unharmed(told, vendor, native=False, said=[])
    assert (told.ours, told.counts) == (SPANS, COUNTS)


@pytest.mark.parametrize("vendor", QUIET)
def test_beside_one_that_opens_none_our_spans_are_there(vendor: str) -> None:
    told = tell(vendor, "before")
    assert_unharmed(told, vendor, native=False, said=[])
    assert (told.ours, told.counts) == (SPANS, COUNTS)


@pytest.mark.skipif(LINE == 2, reason="2.x: who opens spans there does so for servers made later only")
def test_one_that_is_switched_on_midway_ends_our_spans() -> None:
    told = tell("aws", "midway", (("initialize", HELLO), ECHO, ("tools/call", {"name": "switch"}), ECHO))
    assert told.ours == ["SERVER initialize", "SERVER tools/call echo", "SERVER tools/call switch"]
    assert [span[2] for span in told.theirs() if span[1] == "SERVER"][:1] == ["mcp tools/call echo"]
    assert [line for line in told.errors if "mcp-otel" in line] == [said("aws")]
    assert told.counts["server tools/call echo"] == 4
