"""Instruments over plain numbers: each level and sum is read from `Totals` at export; one histogram per message."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation
from opentelemetry.trace import NonRecordingSpan, Span, set_span_in_context

from mcp_otel.event import FAULTS, Event
from mcp_otel.methods import LASTING, METHODS, is_notification
from mcp_otel.signals import names, privacy
from mcp_otel.signals.names import Metric
from mcp_otel.signals.spans import first_attributes
from mcp_otel.signals.streams import StreamInstruments
from mcp_otel.signals.totals import Totals
from mcp_otel.signals.waiting import Waiting

if TYPE_CHECKING:
    Attributes = dict[str, Any]
    Reading = Iterable[tuple[float, Attributes]]

TOKEN_BYTES = 4
MAX_WAITING = 10_000
LOSSES = dict.fromkeys(("spans", "metrics", "sessions"), 0)
"""Said also before the first: a counter that begins at 1 has not increased, for Prometheus."""


class Live(Protocol):
    """What is open right now."""

    def in_flight(self, known: Iterable[tuple[str, str | None]]) -> dict[tuple[str, str | None], tuple[int, float]]:
        """Requests in flight and the seconds they have taken so far, by (method, target): 0 for all `known`."""

    def oldest_age(self) -> float:
        """Seconds since the oldest request in flight was received; 0 when there is none."""

    def session_states(self) -> dict[str, int]:
        """Open sessions by state."""

    def session_limit(self) -> int | None:
        """How many sessions are admitted; None when there is no cap."""


class Source(Protocol):
    """What instruments read; the recorder is one."""

    totals: Totals

    @property
    def live(self) -> Live:
        """Requests and sessions that are open."""

    @property
    def level(self) -> int:
        """How much is said, 0 to 3."""

    @property
    def vitals(self) -> Any:
        """What reads the process itself, as `vital` has it; None where nobody does."""


class Metrics:
    """The instruments of one meter provider. An SDK keeps instruments for ever, so `source` is what comes and goes."""

    def __init__(self, provider: MeterProvider, version: str, vital: Mapping[Metric, Callable[..., Reading]]) -> None:
        """`vital` says for metrics of the process itself what is read from the source's vitals."""
        self.source: Source | None = None
        self._forgotten = False
        self._sets: dict[tuple[Any, ...], Waiting] = {}
        self._alone: dict[tuple[str, str], Waiting] = {}
        self._waiting = 0
        self._highest: dict[tuple[str, ...], float] = {}
        meter = provider.get_meter(names.SCOPE, version, names.SCHEMA_URL)
        self._operation = _histogram(meter, names.OPERATION_DURATION)
        self._sessions = [_histogram(meter, each) for each in (names.SESSION_DURATION, names.CLIENT_SESSION_DURATION)]
        self._client = _histogram(meter, names.CLIENT_OPERATION_DURATION)
        self._lag = _histogram(meter, names.LOOP_LAG, names.LAG_BUCKETS)
        self.streams = StreamInstruments(meter, partial(self._observe, meter))
        for metric, read in self._readings().items():
            self._observe(meter, metric, read)
        for metric, read in vital.items():
            self._observe(meter, metric, partial(_of_vitals, read))

    def record(self, event: Event, span: Span | None = None) -> None:
        """One message into the standard duration histogram, unless its answer is a stream that lives for hours.

        It gets there when a reader collects: recording at once costs the host's thread three times as much. `span` is
        the message's own, if it has one, and may become an exemplar.
        """
        if event.method in LASTING:
            return
        waiting = self._set(event)
        if self._waiting < MAX_WAITING:
            self._waiting += 1
            if span is not None:
                waiting.note(event.duration, span)
            waiting.durations.append(event.duration)
        else:
            waiting.histogram.record(event.duration, waiting.said)

    def forget(self) -> None:
        """Say nothing until there is a source again: this is a forked child, and what waits is its parent's."""
        self.source, self._forgotten, self._waiting = None, True, 0
        self._sets, self._alone, self._highest = {}, {}, {}

    def read(self, source: Source) -> None:
        """Let instruments read `source` from now on."""
        self.source, self._forgotten = source, False

    def settle(self) -> None:
        """Put what waits into the histogram; runs in the thread of whoever collects."""
        self._waiting = 0
        for waiting in [*self._sets.values(), *self._alone.values()]:
            while waiting.durations:
                duration, exemplar = waiting.durations.popleft(), waiting.span
                if exemplar is not None and duration == waiting.slowest:
                    context = set_span_in_context(NonRecordingSpan(exemplar), Context())
                    waiting.histogram.record(duration, waiting.said, context)
                else:
                    waiting.histogram.record(duration, waiting.said)
            waiting.slowest, waiting.span = 0.0, None

    def record_session(
        self, seconds: float, version: str | None, transport: str | None, crashed: bool, client: bool = False
    ) -> None:
        """One ended session into the standard histogram of a server, or of a client."""
        said: Attributes = {}
        if version is not None:
            said[names.PROTOCOL_VERSION.name] = version
        if transport is not None:
            said[names.TRANSPORT.name] = transport
        if transport == "tcp":
            said[names.NETWORK_PROTOCOL.name] = "http"
        if crashed:
            said[names.ERROR_TYPE.name] = "crash"
        self._sessions[client].record(seconds, said)

    def record_lag(self, seconds: float) -> None:
        """How late an event loop ran what was due."""
        self._lag.record(seconds)

    def _set(self, event: Event) -> Waiting:
        histogram = self._operation if event.side == "server" else self._client
        code = privacy.code_label(event.code)  # what is said: else 1,500 codes would use up the room
        key = (
            *(event.side, event.method, event.target, _error(event), code),
            *(event.protocol_version, event.transport, event.http_version),
        )
        found = self._sets.get(key)
        if found is None:
            if len(self._sets) < names.MAX_OPERATION_SERIES - len(METHODS) - 1:
                found = self._sets[key] = Waiting(histogram, operation_attributes(event))
            else:  # beyond the bound a method is said alone; there is room for that
                alone = Waiting(histogram, first_attributes(event.method, None))
                found = self._alone.setdefault((event.side, event.method), alone)
        return found

    def _observe(self, meter: Meter, metric: Metric, read: Callable[[Source], Reading]) -> None:
        def callback(_: CallbackOptions) -> Iterator[Observation]:
            source = self.source
            if source is not None:
                for value, said in read(source):
                    yield Observation(value, said)
            elif metric is names.LEVEL and not self._forgotten:
                yield Observation(0)

        create = {
            "sum": meter.create_observable_counter,
            "level": meter.create_observable_up_down_counter,
            "gauge": meter.create_observable_gauge,
        }[metric.kind]
        create(metric.name, [callback], metric.unit, metric.meaning)

    def _readings(self) -> dict[Metric, Callable[[Source], Reading]]:
        return {
            names.FAULTS: _faults,
            names.PHASE_TIME: self._phase_time,
            names.MESSAGE_IO: lambda source: [
                (size, {names.DIRECTION.name: direction}) for direction, size in source.totals.bytes.items()
            ],
            names.MESSAGE_MAX: lambda source: [
                (largest.read(monotonic()), {names.DIRECTION.name: direction})
                for direction, largest in source.totals.largest.items()
            ],
            names.DEFINITIONS_SIZE: lambda source: _labelled(names.DEFINITIONS.name, source.totals.definitions()),
            names.DEFINITIONS_TOKENS: lambda source: _labelled(
                names.DEFINITIONS.name,
                {kind: size // TOKEN_BYTES for kind, size in source.totals.definitions().items()},
            ),
            names.LOOP_TOOL: lambda source: [
                (tally.on_loop, first_attributes(*key))
                for key, tally in list(source.totals.tallies.items())
                if tally.on_loop is not None
            ],
            names.IN_FLIGHT: lambda source: [
                (count, first_attributes(*key)) for key, (count, _) in source.live.in_flight(_requests(source)).items()
            ],
            names.REQUESTS_TIME: self._requests_time,
            names.OLDEST_AGE: lambda source: [(source.live.oldest_age(), {})],
            names.SESSIONS: lambda source: _labelled(names.STATE.name, source.live.session_states()),
            names.SESSIONS_LIMIT: lambda source: [
                (each, {}) for each in (source.live.session_limit(),) if each is not None
            ],
            names.SESSIONS_OPENED: lambda source: _labelled(names.CLIENT.name, source.totals.opened),
            names.SESSIONS_ENDED: lambda source: _labelled(names.REASON.name, source.totals.ended),
            names.HTTP_REJECTED: lambda source: _labelled(names.REFUSAL.name, source.totals.rejected),
            names.COST_TIME: lambda source: _labelled(names.PART.name, source.totals.cost),
            names.DROPPED: lambda source: _labelled(names.PART.name, {**LOSSES, **source.totals.dropped}),
            names.FAILURES: lambda source: _labelled(names.PART.name, source.totals.failures),
            names.LEVEL: self._level,
        }

    def _level(self, source: Source) -> Reading:
        self.settle()  # callbacks run before a reader takes the histograms
        return [(source.level, {})]

    def _requests_time(self, source: Source) -> Reading:
        tallies = source.totals.tallies
        for key, (_, so_far) in source.live.in_flight(_requests(source)).items():
            tally = tallies.get(key)
            # A request whose name is learnt while it runs leaves `_other`.
            seconds = so_far + (tally.seconds if tally is not None else 0.0)
            yield self._never_falling(("requests", *map(str, key)), seconds), first_attributes(*key)

    def _phase_time(self, source: Source) -> Reading:
        for key, tally in list(source.totals.tallies.items()):
            said = first_attributes(*key)
            for phase, seconds in list(tally.phases.items()):
                yield seconds, {**said, names.PHASE.name: phase, names.CLOCK.name: "wall"}
            for phase, seconds in tally.cpu().items():
                # An estimate: the share on the processor may fall, its sum must not.
                highest = self._never_falling(("cpu", *map(str, key), phase), seconds)
                yield highest, {**said, names.PHASE.name: phase, names.CLOCK.name: "cpu"}

    def _never_falling(self, key: tuple[str, ...], value: float) -> float:
        highest = self._highest[key] = max(value, self._highest.get(key, 0.0))
        return highest


def operation_attributes(event: Event) -> Attributes:
    """The labels of the conventions for `mcp.server.operation.duration`."""
    said = first_attributes(event.method, event.target)
    for name, value in (
        (names.ERROR_TYPE.name, _error(event)),
        (names.STATUS_CODE.name, privacy.code_label(event.code)),
        (names.PROTOCOL_VERSION.name, event.protocol_version),
        (names.TRANSPORT.name, event.transport),
        (names.NETWORK_VERSION.name, event.http_version),
    ):
        if value is not None:
            said[name] = value
    if event.http_version is not None or event.server_address is not None:
        said[names.NETWORK_PROTOCOL.name] = "http"
    return said


def _error(event: Event) -> str | None:
    return privacy.code_label(event.code) if event.error == str(event.code) else event.error


def _histogram(meter: Meter, metric: Metric, bounds: Sequence[float] = names.SECONDS_BUCKETS) -> Any:
    return meter.create_histogram(metric.name, metric.unit, metric.meaning, explicit_bucket_boundaries_advisory=bounds)


def _of_vitals(read: Callable[[Any], Reading], source: Source) -> Reading:
    return () if source.vitals is None else read(source.vitals)


def _labelled(name: str, values: dict[str, Any]) -> Reading:
    return [(value, {name: label}) for label, value in list(values.items())]


def _requests(source: Source) -> list[tuple[str, str | None]]:
    return [key for key in list(source.totals.tallies) if not is_notification(key[0])]


def _faults(source: Source) -> Reading:
    for (method, target), tally in list(source.totals.tallies.items()):
        said = first_attributes(method, target)
        for fault in FAULTS:
            yield tally.faults.get(fault, 0), {**said, names.FAULT.name: fault}
