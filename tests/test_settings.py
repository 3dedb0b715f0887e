"""One dataclass: code wins over the environment, a bad variable stops nobody, a bad argument is said at once."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from mcp_otel.errors import SettingsError
from mcp_otel.settings import PREFIX, Settings, load, summary_seconds, validate


def test_without_anything_the_defaults_hold() -> None:
    assert load({}) == (Settings(), [])


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("LEVEL", "metrics", "level", "metrics"),
        ("LEVEL", " METRICS ", "level", "metrics"),
        ("PHASE_SPANS", "all", "phase_spans", "all"),
        ("SLOW_OVERHEAD", "0.25", "slow_overhead", 0.25),
        ("SLOW_OVERHEAD", "0", "slow_overhead", 0.0),
        ("PHASE_SAMPLE", "7", "phase_sample", 7),
        ("COST_BUDGET", "1e-2", "cost_budget", 0.01),
        ("SUMMARY", "exit", "summary", "exit"),
        ("SUMMARY", "2.5", "summary", "2.5"),
        ("EXIT_WAIT", "3", "exit_wait", 3.0),
        ("EXIT_WAIT", "", "exit_wait", 0.5),
        ("CAPTURE_ARGUMENTS", "true", "capture_arguments", True),
        ("CAPTURE_RESULTS", "On", "capture_results", True),
        ("CAPTURE_ERRORS", "1", "capture_errors", True),
        ("CAPTURE_SESSION_ID", "no", "capture_session_id", False),
        ("CAPTURE_SIZE", "100", "capture_size", 100),
    ],
)
def test_a_variable_sets_its_field(variable: str, text: str, field: str, value: Any) -> None:
    settings, complaints = load({PREFIX + variable: text})
    assert (settings, complaints) == (load({}, **{field: value})[0], [])
    assert getattr(settings, field) == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("LEVEL", "loud"),
        ("PHASE_SPANS", "some"),
        ("SLOW_OVERHEAD", "-1"),
        ("SLOW_OVERHEAD", "soon"),
        ("SLOW_OVERHEAD", "nan"),
        ("SLOW_OVERHEAD", "inf"),
        ("PHASE_SAMPLE", "0"),
        ("PHASE_SAMPLE", "1.5"),
        ("PHASE_SAMPLE", "9" * 5000),
        ("COST_BUDGET", "a lot"),
        ("SUMMARY", "often"),
        ("SUMMARY", "0"),
        ("SUMMARY", "-3"),
        ("SUMMARY", "nan"),
        ("EXIT_WAIT", "-0.1"),
        ("CAPTURE_ARGUMENTS", "please"),
        ("CAPTURE_RESULTS", "2"),
        ("CAPTURE_SIZE", "15"),
    ],
)
def test_a_bad_variable_is_said_once_and_its_default_used(variable: str, text: str) -> None:
    settings, complaints = load({PREFIX + variable: text, PREFIX + "PHASE_SPANS": "off"} | {PREFIX + variable: text})
    good = {} if variable == "PHASE_SPANS" else {"phase_spans": "off"}
    assert settings == load({}, **good)[0]
    assert len(complaints) == 1
    assert complaints[0].startswith(PREFIX + variable)


@pytest.mark.parametrize(
    "given",
    [
        {"level": "loud"},
        {"level": None},
        {"phase_spans": True},
        {"slow_overhead": -1.0},
        {"slow_overhead": "0.1"},
        {"slow_overhead": float("nan")},
        {"phase_sample": 0},
        {"phase_sample": 1.0},
        {"phase_sample": True},
        {"cost_budget": float("inf")},
        {"summary": "often"},
        {"summary": None},
        {"exit_wait": None},
        {"capture_arguments": "yes"},
        {"capture_results": 1},
        {"capture_errors": None},
        {"capture_size": 0},
        {"nonsense": 1},
    ],
)
def test_a_bad_argument_is_its_authors_mistake_and_named(given: dict[str, Any]) -> None:
    (name,) = given
    with pytest.raises(SettingsError, match=name):
        load({}, **given)


def test_what_code_gives_wins_and_a_bad_variable_below_it_is_not_even_read() -> None:
    assert load({"MCP_OTEL_LEVEL": "loud"}, level="metrics") == (Settings(level="metrics"), [])


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().level = "off"  # type: ignore[misc]


def test_every_field_says_what_it_is_and_its_default_would_do() -> None:
    assert [item.name for item in fields(Settings) if not item.metadata["about"]] == []
    assert len(fields(Settings)) < 30
    assert validate(Settings()) == Settings()


@pytest.mark.parametrize(("text", "seconds"), [("off", None), ("exit", None), ("10", 10.0), ("0.5", 0.5)])
def test_a_summary_comes_at_the_end_or_every_so_many_seconds(text: str, seconds: float | None) -> None:
    assert summary_seconds(Settings(summary=text)) == seconds
