"""Plain sums: each message once, bounded, and the same for every reader."""

from __future__ import annotations

import pytest

from mcp_otel.signals.totals import HALF_MINUTE, MAX_PAGES, Largest, Totals
from tests.signals.events import CALLED, NOTICED, event


def test_a_message_is_added_once_to_its_method_and_target() -> None:
    totals = Totals()
    totals.add(CALLED)
    totals.add(event(duration=0.5, fault="server", error="-32603", code=-32603))
    totals.add(NOTICED)
    tally = totals.tallies["tools/call", "add"]
    assert (tally.calls, tally.received, tally.sent, dict(tally.faults)) == (2, 240, 160, {"server": 1})
    assert tally.seconds == pytest.approx(0.51)
    assert dict(tally.phases) == pytest.approx({phase: 2 * value for phase, value in CALLED.phases.items()})
    noticed = totals.tallies["notifications/initialized", None]
    assert (noticed.calls, noticed.seconds) == (1, 0.0)
    assert set(totals.tallies) == {("tools/call", "add"), ("notifications/initialized", None)}


def test_an_answer_that_lives_for_hours_is_no_time_in_flight() -> None:
    totals = Totals()
    totals.add(event(method="subscriptions/listen", target=None, duration=3600.0))
    assert totals.tallies["subscriptions/listen", None].seconds == 0.0


def test_cpu_time_of_all_is_estimated_from_those_whose_clock_was_read() -> None:
    totals = Totals()
    for cpu in ({"decode": 0.00025}, {}, {}, {}):
        totals.add(event(phases={"decode": 0.001}, cpu=cpu))
    assert totals.tallies["tools/call", "add"].cpu() == pytest.approx({"decode": 0.001})


def test_cpu_time_is_never_more_than_time() -> None:
    totals = Totals()
    totals.add(event(phases={"decode": 0.001}, cpu={"decode": 0.0011}))
    assert totals.tallies["tools/call", "add"].cpu() == pytest.approx({"decode": 0.001})


def test_bytes_are_counted_by_direction() -> None:
    totals = Totals()
    totals.count_bytes("received", 10)
    totals.count_bytes("received", 5)
    totals.count_bytes("sent", 1)
    assert totals.bytes == {"received": 15, "sent": 1}


def test_the_largest_of_the_last_minute_is_the_same_for_every_reader() -> None:
    largest = Largest()
    largest.add(100, 0.0)
    assert [largest.read(1.0), largest.read(HALF_MINUTE + 1), largest.read(HALF_MINUTE + 1)] == [100, 100, 100]
    largest.add(7, HALF_MINUTE + 2)
    assert [largest.read(HALF_MINUTE + 3), largest.read(2 * HALF_MINUTE), largest.read(3 * HALF_MINUTE)] == [100, 7, 0]


def test_a_gap_forgets_what_was_before_it() -> None:
    largest = Largest()
    largest.add(100, 0.0)
    assert largest.read(10 * HALF_MINUTE) == 0


def test_a_listing_costs_what_all_its_pages_together_cost() -> None:
    totals = Totals()
    totals.list_page("tools", None, 100)
    totals.list_page("tools", "page 2", 50)
    totals.list_page("tools", None, 120)
    totals.list_page("prompts", None, 7)
    assert totals.definitions() == {"tools": 170, "prompts": 7}


def test_pages_are_bounded_however_a_client_asks() -> None:
    totals = Totals()
    for number in range(10 * MAX_PAGES):
        totals.list_page("tools", f"cursor {number}", 1)
    assert totals.definitions() == {"tools": MAX_PAGES}
