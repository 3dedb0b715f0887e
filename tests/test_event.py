"""The waist of the house: plain data that survives its file format."""

from __future__ import annotations

import json

import pytest

from mcp_otel.event import PHASES, Event
from mcp_otel.signals.names import PHASE_TIMES
from tests.signals.events import CALLED, NOTICED


@pytest.mark.parametrize("event", [CALLED, NOTICED])
def test_an_event_is_the_same_after_a_file(event: Event) -> None:
    line = event.to_json()
    assert Event.from_json(line) == event
    assert "\n" not in line
    assert set(json.loads(line)) == set(Event._fields)


def test_overhead_is_what_neither_the_handler_nor_its_client_took() -> None:
    event = CALLED._replace(duration=1.0, phases={"handler": 0.5, "peer": 0.25, "decode": 0.01})
    assert event.overhead == pytest.approx(0.25)


@pytest.mark.parametrize("line", ["[]", "{}", "7", '{"side":"server"}', "no json", ""])
def test_a_line_that_is_no_event_is_a_value_error(line: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's own is one as well
        Event.from_json(line)


def test_a_line_with_a_field_too_many_is_refused() -> None:
    fields = {**json.loads(CALLED.to_json()), "more": 1}
    with pytest.raises(ValueError, match="not an event"):
        Event.from_json(json.dumps(fields))


def test_an_event_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        CALLED.method = "other"  # type: ignore[misc]


def test_every_phase_has_its_attribute() -> None:
    assert tuple(PHASE_TIMES) == PHASES
