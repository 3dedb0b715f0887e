"""Living beside other instrumentations of MCP, with the real ones: no message gets two spans, and none is lost."""

from __future__ import annotations

import pytest

from tests.contract.doors import LINE
from tests.vendors.watching import ECHO, STORY, Told, bare, tell

ACTIVE = ("logfire", "sentry", "datadog", "openlit", "traceloop", "aws") if LINE == 1 else ("sentry",)
"""Those that open spans for messages of a server on this line of the SDK."""
QUIET = (
    ("nobody", "sentry_for_errors", "datadog_off", "openinference")
    if LINE == 1
    else ("nobody", "logfire", "sentry_for_errors", "datadog", "openlit", "traceloop", "openinference")
)
"""Those that are installed, or switched on and open none."""
NAMES = {
    "logfire": "Logfire",
    "sentry": "Sentry",
    "datadog": "Datadog",
    "openlit": "OpenLIT",
    "traceloop": "Traceloop",
    "aws": "AWS",
}
SERVED = {
    "server notifications/initialized": 2,
    "server ping": 1,
    "server prompts/get greet": 1,
    "server resources/read": 1,
    "server tools/call echo": 2,
    "server tools/call fail": 1,
}


def counts() -> dict[str, int]:
    return {}


def test_show() -> None:
    for vendor in (*ACTIVE, *QUIET):
        for order, env in (("bare", {}), ("before", {}), ("after", {}), ("before", {"MCP_OTEL_SPANS": "always"})):
            told = tell(vendor, order, **env)
            print("==", vendor, order, env, told.code, told.errors, told.replies == bare(vendor).replies)
            print("  ours", told.ours)
            print("  theirs same", told.theirs == bare(vendor).theirs, len(told.theirs), len(bare(vendor).theirs))
            print("  ", told.counts)
