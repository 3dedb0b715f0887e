"""Wires the rooms together for one process: settings, recorder, seams, and what the events become."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any
from weakref import ref

from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from mcp_otel import exit as ending
from mcp_otel import export, seams, settings, siblings, vendors
from mcp_otel.errors import SettingsError
from mcp_otel.fork import at_fork
from mcp_otel.governor import METRICS_ONLY
from mcp_otel.notice import warn
from mcp_otel.recorder import Recorder
from mcp_otel.settings import Settings
from mcp_otel.signals import names
from mcp_otel.signals.capture import Capture, opened
from mcp_otel.signals.metrics import Metrics
from mcp_otel.signals.redaction import Redact
from mcp_otel.signals.spans import Spans
from mcp_otel.signals.totals import Totals
from mcp_otel.version import __version__
from mcp_otel.vitals import Lasting, Vitals
from mcp_otel.vitals.context import Contexts
from mcp_otel.vitals.memory import Load
from mcp_otel.vitals.said import READINGS
from mcp_otel.vitals.sessions import Doors

_lock = threading.Lock()
_active: Instrumentation | None = None
_metrics: list[tuple[ref[MeterProvider], Metrics]] = []
_totals = Totals()
_lasting = Lasting()
_contexts = Contexts()
"""An SDK keeps its instruments for ever and a sum never falls: all of these outlive one instrumentation."""


def metrics_of(provider: MeterProvider) -> Metrics:
    """The instruments of `provider`, made once; by identity, for there are providers without a hash (Logfire's)."""
    _metrics[:] = [(held, made) for held, made in _metrics if held() is not None]
    for held, made in _metrics:
        if held() is provider:
            return made
    _metrics.append((ref(provider), Metrics(provider, __version__, READINGS)))
    return _metrics[-1][1]


class Host:
    """What the recorder knows of the server, for whoever reads the process."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def load(self) -> Load:
        """What the server has done and has to do."""
        totals, live = self._recorder.totals, self._recorder.live
        calls = sum(tally.calls for tally in list(totals.tallies.values()))
        return Load(sum(list(totals.ended.values())), calls, len(live.requests), len(live.sessions))

    def doors(self) -> Doors:
        """How many sessions are open, and may be."""
        live = self._recorder.live
        return Doors(len(live.sessions), live.session_limit(), live.idle_timeout(), live.longest_idle())

    def tool(self, call: Any) -> str | None:
        """The tool that `call` calls, as it may be said; None when it calls none."""
        return self._recorder.gate.target("tool", call.name) if call.traits.target == "tool" else None


class Instrumentation:
    """What is active in this process, and how to take it back."""

    def __init__(
        self,
        chosen: Settings,
        tracer_provider: TracerProvider | None,
        meter_provider: MeterProvider | None,
        redact: Redact | None = None,
    ) -> None:
        self.settings = chosen
        self.recorder = recorder = Recorder(chosen, _totals)
        if opened(chosen):
            recorder.capture = Capture(chosen, redact, _totals.cost, recorder.count_failure)
        self._given = tracer_provider, meter_provider
        self._delivery: export.Delivery | None = None
        self._plan = export.wanted(os.environ)
        self._undos: list[Callable[[], object]] = []
        self._connected: list[Callable[[], object]] = []
        self._parent: int | None = None
        """Who forked this process, if anybody did."""

    def install(self) -> None:
        """Hook in. Providers wait for the first message, so that the application's own come first."""
        self._undos.append(at_fork(self._forked))  # first: the summary builds on it
        self._undos.append(export.preload(self._plan))
        self.recorder.prepare, self.recorder.falls = self._connect, ending.fall
        self.recorder.connections.refusals.others = self._siblings
        if self.settings.summary != "off":
            from mcp_otel import summary

            self._undos.append(summary.install(self.settings, self.recorder))
        self._undos.append(seams.install(self.recorder))

    def differs(self, chosen: Settings, *given: TracerProvider | MeterProvider | None) -> bool:
        """Whether this is not what somebody else asks for by these settings and providers (None: any)."""
        providers = zip(given, self._given, strict=True)
        return chosen != self.settings or any(theirs not in (None, ours) for theirs, ours in providers)

    def undo(self) -> None:
        """Put every original object back and let go of what was made."""
        self.recorder.active = False
        for undos in (self._connected, self._undos):
            while undos:
                undos.pop()()
        self.recorder.vitals = self.recorder.live.retained = None
        if self.recorder.metrics is not None:
            self.recorder.metrics.settle()
            self.recorder.metrics.source = None
        if self._delivery is not None:
            self._delivery.close()

    def _farewell(self) -> bool:
        """Let the last thing said be that it was an end, unless an exception is what ends the process."""
        self.recorder.ending = getattr(sys, "last_value", None) is None
        return True

    def _forked(self) -> None:
        """Begin anew in a child, with its first message: what was counted is its parent's to say."""
        global _lock, _totals, _lasting
        recorder = self.recorder
        vitals, metrics = recorder.vitals, recorder.metrics
        _lock, _lasting = threading.Lock(), Lasting()
        self._parent = os.getppid()
        self._connected.clear()
        recorder.forget()
        recorder.connections.refusals.others = self._siblings
        _totals, recorder.prepare = recorder.totals, self._connect
        if metrics is not None:
            metrics.forget()
        if vitals is not None:
            vitals.forget()

    def _siblings(self) -> siblings.Siblings | None:
        return siblings.find(self._parent)

    def _connect(self) -> None:
        recorder, (tracer_provider, meter_provider) = self.recorder, self._given
        self._connected.append(ending.at_end(self._farewell))  # before the one that flushes
        delivery = self._delivery = export.connect(
            self._plan, self.settings, recorder.server_name, recorder.totals, self._delivery
        )
        tracer_provider = tracer_provider or delivery.tracer_provider
        meter_provider = meter_provider or delivery.meter_provider
        recorder.owns_spans = delivery.owns_traces
        if meter_provider is not None:
            recorder.metrics = metrics_of(meter_provider)
            recorder.metrics.read(recorder)
        wanted = tracer_provider is not None and self.settings.level == "spans"
        if tracer_provider is not None and wanted and not self._stand_back():
            tracer = tracer_provider.get_tracer(names.SCOPE, __version__, names.SCHEMA_URL)
            chosen = self.settings
            recorder.spans = Spans(tracer, 0.0 if chosen.phase_spans == "all" else chosen.slow_overhead / 10)
        if self.settings.vitals == "on" and (recorder.metrics or recorder.spans or recorder.sinks):
            self._read_process()

    def _stand_back(self) -> bool:
        """Leave spans to another instrumentation of MCP, if there is one; otherwise look again now and then."""
        recorder = self.recorder
        if self.settings.spans == "always":
            return False
        try:
            beside = vendors.active()
        except Exception as error:
            recorder.count_failure("vendors", error)
            beside = ()
        recorder.review = None if beside else self._stand_back
        if beside:
            # By the level, too: a span that is open already is still ended.
            recorder.governor.cap(METRICS_ONLY)
            warn(
                "mcp-otel leaves spans to %s and says metrics only; MCP_OTEL_SPANS=always says both",
                " and ".join(f"{vendor.name} {vendor.version or ''}".rstrip() for vendor in beside),
            )
        return bool(beside)

    def _read_process(self) -> None:
        recorder = self.recorder
        host = Host(recorder)
        vitals = Vitals(self.settings, host, recorder.totals, _lasting, _contexts, recorder.count_failure)
        _lasting.loops.lag = recorder.metrics.record_lag if recorder.metrics is not None else None
        self._connected.append(vitals.start())
        recorder.vitals = vitals
        recorder.live.retained = lambda: vitals.retained_sessions


def instrument(
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    redact: Redact | None = None,
    **given: Any,
) -> None:
    """Make every MCP server of this process visible; a second call changes nothing, and says so if it would.

    Args:
        tracer_provider: where spans go; by default the application's, else one from the `OTEL_*` variables.
        meter_provider: where metrics go; likewise.
        redact: `redact(kind, name, value)` is asked for each value that a `capture_*` setting lets out, and gives what
            may be said of it, or None. `kind` is the setting without `capture_`; `name` the tool as its caller spelled
            it, or None; `value` a copy, as plain JSON values, of the first `capture_size` characters. What it raises is
            counted, and the value not said. It takes the place of `mcp_otel.redact`, which it may call.
        **given: settings, see `Settings`; they win over `MCP_OTEL_*` variables.

    Raises:
        SettingsError: one of `given` is no setting or has a value it cannot have. Nothing else is ever raised.
    """
    global _active  # noqa: PLW0603
    chosen, complaints = settings.load(os.environ, **given)
    if redact is not None and not callable(redact):
        raise SettingsError(f"redact={redact!r}: must be a function of a kind, a name and a value")
    with _lock:
        if _active is not None:
            if _active.differs(chosen, tracer_provider, meter_provider):
                warn("mcp-otel is on already, as it was first asked for; call mcp_otel.uninstrument() to change that")
            return
        for complaint in complaints:
            warn("mcp-otel: %s", complaint)
        if chosen.level == "off":
            return
        made = None
        try:
            made = Instrumentation(chosen, tracer_provider, meter_provider, redact)
            made.install()
        except Exception as error:
            if made is not None:
                made.undo()
            warn("mcp-otel could not start: %r; the server runs unobserved", error)
            return
        _active = made


def uninstrument() -> None:
    """Put every original object back. What was observed so far is delivered if that takes no time."""
    global _active
    with _lock:
        made, _active = _active, None
        if made is not None:
            made.undo()


def track_context(name: str, store: object) -> None:
    """Say where the application itself keeps conversations: their bytes count as context, and its growth shows.

    Args:
        name: what to call it; the same name again replaces the store. Ten names at most; they never leave the process.
        store: an object, or a function that gives one, or gives bytes as a number. What a dictionary has under a
            session's id or the `id()` of its session object belongs to that conversation, everything else to all
            alike. An object is held weakly if it can be; a function is called every few seconds in a thread of ours.
    """
    _contexts.track(name, store)


def recorder() -> Recorder | None:
    """The recorder that is active in this process; None when nothing is instrumented."""
    return _active.recorder if _active is not None else None
