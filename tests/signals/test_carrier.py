"""What propagators get to read of `_meta` is what they take without a word; nothing valid is kept from them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import baggage, propagate, trace

from mcp_otel.signals.carrier import LONGEST, carried
from tests.hostile.bodies import TRACE, meta, traces

FIELDS = tuple(propagate.get_global_textmap().fields)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """What OpenTelemetry complains of."""
    with caplog.at_level(logging.DEBUG, "opentelemetry"):
        yield caplog.messages


def through(found: dict[str, Any]) -> tuple[Any, dict[str, Any], dict[str, str]]:
    """The trace id, baggage and trace state that arrive."""
    context = propagate.extract(carried(found, FIELDS))
    span = trace.get_current_span(context).get_span_context()
    return span.trace_id, dict(baggage.get_all(context)), dict(span.trace_state)


@pytest.mark.parametrize(
    ("text", "arrives"),
    [
        ("a=b", {"a": "b"}),
        ("a=b,c=d", {"a": "b", "c": "d"}),
        (" a=b , c=d ", {"a": "b", "c": "d"}),
        ("a = b", {"a": "b"}),
        ("a=%C3%BC%20x", {"a": "\u00fc x"}),
        ("a=b;p=1;q", {"a": "b;p=1;q"}),
        ("a=b;p = 1 ; q , c=d", {"a": "b;p = 1 ; q", "c": "d"}),
        ("bad pair,a=b,=x,\u00fc=1", {"a": "b"}),
        (",".join(f"k{number}=v" for number in range(200)), {f"k{number}": "v" for number in range(180)}),
        ("k" * 5000 + "=v,a=b", {"a": "b"}),
        ("a=" + "b" * LONGEST, {}),
    ],
)
def test_baggage_arrives_as_far_as_it_is_valid(text: str, arrives: dict[str, str], said: list[str]) -> None:
    assert through({"baggage": text})[1] == arrives
    assert said == []


@pytest.mark.parametrize(
    ("text", "arrives"),
    [
        ("a=b", {"a": "b"}),
        ("a=b, c=d,", {"a": "b", "c": "d"}),
        ("tenant@system=x/y", {"tenant@system": "x/y"}),
        ("a=b c", {"a": "b c"}),
        ("A=b", {}),
        ("a=b,a=c", {}),
        (",".join(f"k{number}=v" for number in range(33)), {}),
        (",".join(f"k{number}=v" for number in range(32)), {f"k{number}": "v" for number in range(32)}),
        ("a=" + "b" * 300, {}),
    ],
)
def test_a_trace_state_arrives_if_it_is_valid(text: str, arrives: dict[str, str], said: list[str]) -> None:
    trace_id, _, state = through({"traceparent": TRACE, "tracestate": text})
    assert (trace_id, state, said) == (int("ab" * 16, 16), arrives, [])


def test_nothing_hostile_makes_a_propagator_say_a_word(said: list[str]) -> None:
    for body in (*meta(), *traces()):
        try:
            found = json.loads(body)["params"]["_meta"]
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            propagate.extract(carried(found, FIELDS))
    assert said == []


@pytest.mark.parametrize("value", [7, None, [], ["a=b"], {}, b"a=b", "x" * (LONGEST + 1), ""])
def test_what_is_no_text_of_a_sane_length_is_not_carried(value: Any) -> None:
    assert carried(dict.fromkeys(FIELDS, value), FIELDS) == {}
