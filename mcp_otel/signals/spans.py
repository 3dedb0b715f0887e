"""One SERVER span per wire message, by the conventions; phases as attributes and, where asked for, as child spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanKind, Status, StatusCode, Tracer

from mcp_otel.event import Blocked, Captured, Event
from mcp_otel.methods import CANCELLED, STATUS_TEXTS
from mcp_otel.signals import names
from mcp_otel.signals.carrier import carried

EMPTY = Context()
NO_LINKS: tuple[Link, ...] = ()
_PHASE_ATTRIBUTES = {phase: attribute.name for phase, attribute in names.PHASE_TIMES.items()}
_SPAN_NAMES: dict[str, str] = dict(names.PHASE_SPANS)


class Spans:
    """Starts SERVER spans when messages are opened and says on them what their events hold."""

    def __init__(self, tracer: Tracer, shortest: float = 0.0) -> None:
        self._tracer = tracer
        self._shortest = shortest * 1e9
        """Nanoseconds a stretch of a phase must last to get a span of its own."""
        propagator = propagate.get_global_textmap()
        self._fields = frozenset(propagator.fields)

    def start(self, method: str, target: str | None, meta: object, http: Context | None, start: int) -> Span:
        """The SERVER span of a message received at `start` (epoch nanoseconds).

        Its parent is the context in `params._meta`; without a valid one the span of the message's own HTTP request,
        whose context is `http`; with both the HTTP span is a link. Never the ambient span of the task: on a stateful
        connection that is the first request's, long ended.
        """
        parent, links = EMPTY, NO_LINKS
        http_span = trace.get_current_span(http).get_span_context() if http is not None else None
        if isinstance(meta, Mapping) and not self._fields.isdisjoint(meta):
            parent = extract(carried(meta, self._fields)) or EMPTY
        if http_span is not None and http_span.is_valid:
            if parent is EMPTY:
                parent = trace.set_span_in_context(NonRecordingSpan(http_span), EMPTY)
            else:
                links = (Link(http_span),)
        return self._tracer.start_span(
            method if target is None else f"{method} {target}",
            parent,
            SpanKind.SERVER,
            first_attributes(method, target),
            links,
            start,
        )

    def start_client(self, method: str, target: str | None, start: int) -> Span:
        """The CLIENT span of a message sent at `start` (epoch nanoseconds); its parent is what is current here."""
        name = method if target is None else f"{method} {target}"
        return self._tracer.start_span(name, None, SpanKind.CLIENT, first_attributes(method, target), NO_LINKS, start)

    def within(self, span: Span, meta: object, base: Context) -> Context:
        """The context a handler runs in: `base` with the baggage of `_meta`, and `span` as the current one."""
        if isinstance(meta, Mapping) and not self._fields.isdisjoint(meta):
            base = extract(carried(meta, self._fields), base) or base
        return trace.set_span_in_context(span, base)

    def finish(self, span: Span, target: str | None, event: Event) -> None:
        """Say on `span`, started for `target`, what `event` holds, and end it where the write ended."""
        if span.is_recording():
            if event.target is not None and event.target != target:
                span.update_name(f"{event.method} {event.target}")
                span.set_attributes(first_attributes(event.method, event.target))
            span.set_attributes(later_attributes(event))
            if event.captured:
                span.set_attributes(captured_attributes(event.captured))
            status = status_of(event)
            if status is not None:
                span.set_status(status)
            for blocked in event.blocked:
                span.add_event(names.BLOCKED_EVENT, blocked_attributes(blocked), event.start + blocked.end)
        span.end(event.start + round(event.duration * 1e9))
        if event.laps and span.get_span_context().trace_flags.sampled:
            self._phases(span, event)

    def _phases(self, span: Span, event: Event) -> None:
        parent = trace.set_span_in_context(span, EMPTY)
        for lap in event.laps:
            name = _SPAN_NAMES.get(lap.phase)
            if name is not None and lap.end - lap.start >= self._shortest:
                child = self._tracer.start_span(name, parent, SpanKind.INTERNAL, start_time=event.start + lap.start)
                child.end(event.start + lap.end)


def extract(meta: Mapping[str, Any], base: Context = EMPTY) -> Context | None:
    """The context that the configured propagators find in `_meta`; None when it holds no valid span."""
    try:
        found = propagate.extract(meta, base)
    except (ValueError, TypeError, AttributeError):
        return None
    return found if trace.get_current_span(found).get_span_context().is_valid else None


def first_attributes(method: str, target: str | None) -> dict[str, Any]:
    """What is known when a message is opened: samplers decide by it."""
    said: dict[str, Any] = {names.METHOD.name: method}
    if method == "tools/call":
        said[names.OPERATION.name] = names.EXECUTE_TOOL
        if target is not None:
            said[names.TOOL.name] = target
    elif method == "prompts/get" and target is not None:
        said[names.PROMPT.name] = target
    return said


def later_attributes(event: Event) -> dict[str, Any]:
    """What the conventions ask for on a SERVER span beside the first, our phases (seconds) and sizes (bytes)."""
    told = (
        (names.REQUEST_ID.name, event.request_id),
        (names.SESSION_ID.name, event.session),
        (names.PROTOCOL_VERSION.name, event.protocol_version),
        (names.TRANSPORT.name, event.transport),
        (names.NETWORK_VERSION.name, event.http_version),
        (names.CLIENT_ADDRESS.name, event.client_address),
        (names.CLIENT_PORT.name, event.client_port),
        (names.SERVER_ADDRESS.name, event.server_address),
        (names.SERVER_PORT.name, event.server_port),
        (names.RECEIVED_SIZE.name, event.received),
        (names.SENT_SIZE.name, event.sent),
        (names.ERROR_TYPE.name, event.error),
    )
    said: dict[str, Any] = {name: value for name, value in told if value is not None}
    if event.http_version is not None or event.server_address is not None:
        said[names.NETWORK_PROTOCOL.name] = "http"
    if event.code is not None:
        said[names.STATUS_CODE.name] = str(event.code)
    said.update({_PHASE_ATTRIBUTES[phase]: seconds for phase, seconds in event.phases.items()})
    return said


def captured_attributes(captured: Sequence[Captured]) -> dict[str, Any]:
    """What the owner's settings let out, and what of it is not whole."""
    said: dict[str, Any] = {names.CAPTURED[each.kind].name: each.text for each in captured}
    cut = [names.CAPTURED[each.kind].name for each in captured if each.cut]
    if cut:
        said[names.CAPTURED_CUT.name] = cut
    return said


def blocked_attributes(blocked: Blocked) -> dict[str, Any]:
    """What is said of a step that blocked the event loop."""
    file, _, line = blocked.line.rpartition(":")
    said: dict[str, Any] = {
        names.BLOCKED_SECONDS.name: blocked.seconds,
        names.CODE_FILE.name: file or blocked.line,
        names.CODE_FUNCTION.name: blocked.function,
    }
    if line.isdecimal():
        said[names.CODE_LINE.name] = int(line)
    return said


def status_of(event: Event) -> Status | None:
    """ERROR with the code's standard text, the wire's own text may be private; for a server only if it is to blame."""
    if event.error is None or (event.fault == "caller" and event.side == "server"):
        return None
    for each in event.captured:
        if each.kind == "errors":
            return Status(StatusCode.ERROR, each.text)
    text = STATUS_TEXTS.get(event.code) if event.code is not None and event.code != CANCELLED else None
    return Status(StatusCode.ERROR, text)
