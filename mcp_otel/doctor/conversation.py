"""What the doctor says to a server on a pipe, once: greeting, listing, probe, farewell; and all that came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter, time_ns
from typing import Any

from mcp_otel.doctor import messages
from mcp_otel.doctor.messages import Body, Probe
from mcp_otel.doctor.patience import Patience
from mcp_otel.doctor.pipe import Ending, NoAnswerError, Pipe


@dataclass
class Told:
    """One start of a server, from its greeting to its end."""

    answers: dict[str, Body] = field(default_factory=dict)
    """By method; the probe's too."""
    silence: NoAnswerError | None = None
    """Where the conversation broke off."""
    probe: Probe = field(default_factory=Probe.new)
    probed: str | None = None
    """Method of the probe; None when it came to none."""
    began: int = 0
    ended: int = 0
    """When the probe was sent and answered: nanoseconds since the Unix epoch."""
    seconds: float = 0.0
    """How long the probe took."""
    noise: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    ending: Ending = field(default_factory=lambda: Ending(0, True))

    def result(self, method: str) -> dict[str, Any]:
        """The result of `method`; empty when there is none."""
        result = self.answers.get(method, {}).get("result")
        return result if isinstance(result, dict) else {}


def converse(
    words: Sequence[str], environ: Mapping[str, str], patience: Patience, watch: Callable[[Told], None] | None = None
) -> Told:
    """Start the server, say everything, and end it; `watch` may wait for telemetry before the end.

    Raises:
        OSError: it cannot be started.
    """
    told = Told()
    pipe = Pipe(words, environ, patience)
    try:
        _say(pipe, told)
        if watch is not None:
            watch(told)
    except NoAnswerError as silence:
        told.silence = silence
    finally:
        told.ending = pipe.end(hangs=told.silence is not None and not told.silence.ended)
        told.noise, told.errors = pipe.noise, list(pipe.errors)
    return told


def _say(pipe: Pipe, told: Told) -> None:
    greeting = told.answers["initialize"] = pipe.ask("initialize", messages.initialize())
    modern = messages.error_of(greeting) is not None
    if modern:
        told.answers["server/discover"] = pipe.ask("server/discover", modern=True)
        if messages.error_of(told.answers["server/discover"]) is not None:
            return  # it speaks neither
    else:
        pipe.tell("notifications/initialized")
    about = told.result("server/discover" if modern else "initialize")
    if "tools" in (about.get("capabilities") or {}):
        told.answers["tools/list"] = pipe.ask("tools/list", modern=modern)
    told.probed = "server/discover" if modern else "ping"  # 2026-07-28 has no ping
    told.began, since = time_ns(), perf_counter()
    told.answers[told.probed] = pipe.ask(told.probed, modern=modern, traceparent=told.probe.traceparent)
    told.ended, told.seconds = time_ns(), perf_counter() - since
