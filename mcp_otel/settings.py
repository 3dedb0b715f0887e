"""Our few settings: one frozen dataclass, one `load`, one `validate`. Nothing else reads the environment.

OpenTelemetry's own `OTEL_*` variables are not here: they belong to OpenTelemetry and are obeyed where it is set up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from mcp_otel.errors import SettingsError

PREFIX = "MCP_OTEL_"
SWITCHES = {"true": True, "on": True, "1": True, "yes": True, "false": False, "off": False, "0": False, "no": False}
"""What a variable may say for yes and no."""


def _setting(default: Any, about: str, *, choices: tuple[str, ...] = (), least: float = -math.inf) -> Any:
    return field(default=default, metadata={"about": about, "choices": choices, "least": least})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How mcp-otel behaves; every field can also be set by the environment as `MCP_OTEL_<FIELD>`."""

    level: str = _setting(
        "spans",
        "how much is said at most: `off`, `metrics`, or `spans` (metrics and SERVER spans)",
        choices=("off", "metrics", "spans"),
    )
    spans: str = _setting(
        "auto",
        "SERVER and CLIENT spans beside another instrumentation of MCP that opens a span for each message: `auto` (the "
        "other one's only), or `always` (ours as well)",
        choices=("auto", "always"),
    )
    phase_spans: str = _setting(
        "slow",
        "which SERVER spans get child spans for their phases: `slow` (an overhead of `slow_overhead` or more, failed "
        "ones, and one in `phase_sample`; stretches of a tenth of `slow_overhead` or more), `all`, or `off`",
        choices=("slow", "all", "off"),
    )
    slow_overhead: float = _setting(0.001, "seconds outside the handler from which a message counts as slow", least=0.0)
    phase_sample: int = _setting(100, "with `phase_spans=slow`, every how many messages one gets its phases", least=1)
    cost_budget: float = _setting(
        0.05,
        "largest share of one processor core that mcp-otel may use for itself before it steps down; 0 never steps down",
        least=0.0,
    )
    summary: str = _setting(
        "off",
        "print a summary on stderr: `off`, `exit` (also on SIGUSR1), or a number of seconds between summaries",
    )
    vitals: str = _setting(
        "on",
        "read the process itself (event loop, worker threads, memory, retained objects, contexts): `on` or `off`",
        choices=("on", "off"),
    )
    vitals_interval: float = _setting(
        10.0, "seconds between two slow readings of memory, sessions and contexts; trends count readings", least=0.01
    )
    blocked_after: float = _setting(
        0.25, "seconds of one step of an event loop from which on it counts as blocked", least=0.01
    )
    retention_grace: float = _setting(
        60.0,
        "seconds that an object of an ended session or request may live on; what a full collection of the process's "
        "own then leaves alive is retained",
        least=0.0,
    )
    capture_arguments: bool = _setting(False, "say the arguments of tool calls on their spans, as JSON")
    capture_results: bool = _setting(False, "say the results of tool calls on their spans, as JSON")
    capture_resource_uri: bool = _setting(False, "say the URI of a resource on the spans of messages about it")
    capture_session_id: bool = _setting(
        False, "say the id of a session on spans instead of its digest; whoever has the id can use the session"
    )
    capture_errors: bool = _setting(
        False, "say what an error says, which may quote anything, on the span of the message and as its status"
    )
    capture_size: int = _setting(4096, "characters of each captured value that are said at most", least=16)
    exit_wait: float = _setting(0.5, "seconds to wait at exit, at most, for what is still to be delivered", least=0.0)


def validate(settings: Settings) -> Settings:
    """`settings`, if every value is one it can have.

    Raises:
        SettingsError: with the field, its value and what would do.
    """
    for item in fields(settings):
        value = getattr(settings, item.name)
        choices, least = item.metadata["choices"], item.metadata["least"]
        if choices and value not in choices:
            raise SettingsError(f"{item.name}={value!r}: must be one of {', '.join(choices)}")
        if isinstance(item.default, bool):
            if not isinstance(value, bool):
                raise SettingsError(f"{item.name}={value!r}: must be True or False")
        elif isinstance(item.default, int | float):
            whole = isinstance(item.default, int)
            if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
                raise SettingsError(f"{item.name}={value!r}: must be a {'whole ' if whole else ''}number")
            if not math.isfinite(value) or value < least:
                raise SettingsError(f"{item.name}={value!r}: must be {least:g} or more")
    summary_seconds(settings)
    return settings


def summary_seconds(settings: Settings) -> float | None:
    """Seconds between summaries, or None when there is none before the exit.

    Raises:
        SettingsError: `summary` is neither `off`, `exit` nor a number above 0.
    """
    if settings.summary in ("off", "exit"):
        return None
    try:
        seconds = float(settings.summary)
    except (TypeError, ValueError):
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise SettingsError(f"summary={settings.summary!r}: must be off, exit, or a number of seconds above 0")
    return seconds


def load(environ: Mapping[str, str], **given: Any) -> tuple[Settings, list[str]]:
    """The settings of a process, and what was wrong with its environment.

    What the code gives wins over the environment. A bad value given by code is a mistake its author sees at once; a
    bad variable must never stop a server, so its default is used and the complaint is returned.

    Raises:
        SettingsError: an unknown or impossible value among `given`.
    """
    known = {item.name: item for item in fields(Settings)}
    for name in given:
        if name not in known:
            raise SettingsError(f"{name!r} is not a setting; there are {', '.join(known)}")
    settings, complaints = Settings(), []
    for name, item in known.items():
        variable = PREFIX + name.upper()
        text = environ.get(variable, "").strip()
        if not text or name in given:
            continue
        try:
            settings = validate(replace(settings, **{name: _read(text, item.default)}))
        except (SettingsError, ValueError) as problem:
            complaints.append(f"{variable}: {problem}; using {item.default!r}")
    return validate(replace(settings, **given)), complaints


def _read(text: str, default: Any) -> Any:
    if isinstance(default, str):
        return text.lower()
    if isinstance(default, bool):
        if text.lower() not in SWITCHES:
            raise SettingsError(f"{text!r} is neither true nor false")
        return SWITCHES[text.lower()]
    kind = int if isinstance(default, int) else float
    try:
        return kind(text)
    except ValueError:
        raise SettingsError(f"{text!r} is not a {'whole ' if kind is int else ''}number") from None
