"""The client's half of the recorder: opens a message that this process sends, closes it, makes the event.

Every public method swallows its own failures and counts them, as the recorder's do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from time import perf_counter_ns, time_ns
from typing import TYPE_CHECKING, Any
from weakref import ref

from opentelemetry import context as otel_context
from opentelemetry import propagate
from opentelemetry.context import Context

from mcp_otel.event import Captured, Event, Fault
from mcp_otel.methods import CALLER_FAULTS, NO_METHOD, about
from mcp_otel.signals import privacy
from mcp_otel.signals.capture import Capture
from mcp_otel.signals.names import REQUEST_ID, TOOL_ERROR

if TYPE_CHECKING:
    from mcp_otel.recorder import Recorder

TIMEOUTS = (408, -32001)
"""Codes that the SDKs' clients make up when nobody answers in time: 1.x and 2.x."""
STATE = "tracestate"
"""What a carrier may have, and may not keep from another span."""

sending: ContextVar[Outgoing | None] = ContextVar("mcp_otel_outgoing", default=None)
"""The message that this task is sending."""
born: ContextVar[Peer | None] = ContextVar("mcp_otel_peer", default=None)
"""The server whose transport was opened here, until a session takes it."""


class Peer:
    """What one session of a client knows of its server."""

    __slots__ = ("_session_id", "address", "opened", "port", "transport", "version")

    def __init__(self, transport: str | None = None, address: str | None = None, port: int | None = None) -> None:
        self.transport = transport
        self.address = address
        self.port = port
        self.version: str | None = None
        self.opened: int | None = None
        self._session_id: Callable[[], str | None] = _nothing

    def connected_by(self, transport: Any) -> None:
        """The id of the session is what `transport`, which is not kept alive, has as its `session_id`."""
        held = ref(transport)
        self._session_id = lambda: getattr(held(), "session_id", None)

    def named(self, session_id: str) -> None:
        """The server has named the session."""
        self._session_id = lambda: session_id

    @property
    def session_id(self) -> str | None:
        """The id of the session on the wire."""
        return self._session_id()


class Outgoing:
    """One message from before its encoding until it is answered, or, without an id, sent."""

    __slots__ = (
        "captured",
        "injected",
        "method",
        "name",
        "peer",
        "request_id",
        "span",
        "start",
        "started",
        "target",
        "traits",
        "wire",
    )

    def __init__(self, method: str, peer: Peer | None) -> None:
        self.captured: tuple[Captured, ...] = ()
        self.injected = False
        self.wire = method
        """Its method as it goes over the wire."""
        self.method = privacy.method(method)
        self.name: str | None = None
        self.peer = peer or Peer()
        self.request_id: object = None
        self.span: Any = None
        self.started = perf_counter_ns()
        self.start = time_ns()
        self.target: str | None = None
        """The name its span was started with."""
        self.traits = NO_METHOD

    def identify(self, attributes: Mapping[str, Any]) -> None:
        """The SDK's own span would say this of it."""
        self.request_id = attributes.get(REQUEST_ID.name)


_Entered = tuple[Outgoing, Token[Any], "Token[Context] | None"]


class Sender:
    """One per recorder; what a seam calls for messages that this process sends."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def send(
        self, method: str, name: object, peer: Peer | None, quiet: bool = False, params: object = None
    ) -> _Entered | None:
        """A request or notification is about to be sent: make it and its span current here, until `sent`.

        `params` as a mapping or with attributes: what of it the owner's settings let out is taken here.
        A `quiet` one has no span: a server's progress and log messages, of which one call may send hundreds.
        """
        recorder = self._recorder
        if recorder.prepare is not None:
            recorder._prepare()
        try:
            if not recorder.active:
                return None
            outgoing = Outgoing(method, peer)
            outgoing.traits = traits = about(outgoing.method)
            if traits.target is not None and isinstance(name, str):
                outgoing.name = name
            token: Token[Context] | None = None
            if recorder.spans is not None and recorder.governor.level >= 2 and not quiet:
                if traits.target is not None and outgoing.name and recorder.gate.knows(traits.target, outgoing.name):
                    outgoing.target = outgoing.name
                outgoing.span = recorder.spans.start_client(outgoing.method, outgoing.target, outgoing.start)
                if recorder.capture is not None:
                    outgoing.captured = recorder.capture.asked(
                        outgoing.span, outgoing.method, outgoing.name, params, None
                    )
                token = otel_context.attach(recorder.spans.within(outgoing.span, None, otel_context.get_current()))
            return outgoing, sending.set(outgoing), token
        except Exception as error:
            recorder.count_failure("send", error)
            return None

    def inject(self, params: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """`params` with the context of what is being sent here in its `_meta`; None when there is nothing to add."""
        outgoing = sending.get()
        try:
            if outgoing is None or outgoing.injected:
                return None
            outgoing.injected = True
            carrier: dict[str, Any] = {}
            propagate.inject(carrier)
            if not carrier:
                return None
            meta = (params or {}).get("_meta")
            given = meta if isinstance(meta, dict) else {}
            # Proxies hand on the `_meta` of what they were asked, with the context of somebody else's span.
            if outgoing.span is None:
                return {**(params or {}), "_meta": {**carrier, **given}}
            others = {key: value for key, value in given.items() if key != STATE}
            return {**(params or {}), "_meta": {**others, **carrier}}
        except Exception as error:
            self._recorder.count_failure("inject", error)
            return None

    def sent(self, entered: _Entered, result: object, failure: BaseException | None, whole: object = None) -> None:
        """What was sent is answered, has failed, or (a notification) is on its way.

        `result` is what we read of it, `whole` all of it.
        """
        recorder = self._recorder
        outgoing, current, token = entered
        ended = perf_counter_ns()
        try:
            if token is not None:
                otel_context.detach(token)
            sending.reset(current)
        except ValueError:
            pass  # closed from another context: that context is gone already
        except Exception as error:
            recorder.count_failure("sent", error)
        try:
            if failure is None and isinstance(result, Mapping):
                self._learn(outgoing, result)
            if recorder.capture is not None and outgoing.span is not None:
                self._capture(recorder.capture, outgoing, whole, failure)
            recorder.tell(self._event(outgoing, ended, result, failure), outgoing.span, outgoing.target)
        except Exception as error:
            recorder.count_failure("sent", error)
        outgoing.span = None
        recorder.totals.cost["record"] += (perf_counter_ns() - ended) * 1e-9

    def opened(self, peer: Peer) -> None:
        """A session of a client is established."""
        peer.opened = perf_counter_ns()

    def closed(self, peer: Peer, failure: type[BaseException] | None) -> None:
        """It is over."""
        recorder, opened = self._recorder, peer.opened
        peer.opened = None
        try:
            if opened is not None and recorder.metrics is not None:
                seconds = (perf_counter_ns() - opened) * 1e-9
                crashed = failure is not None and issubclass(failure, Exception)
                version = privacy.version(peer.version)
                recorder.metrics.record_session(seconds, version, peer.transport, crashed, client=True)
        except Exception as error:
            recorder.count_failure("closed", error)

    def _learn(self, outgoing: Outgoing, result: Mapping[str, Any]) -> None:
        if outgoing.method == "initialize" and isinstance(result.get("protocolVersion"), str):
            outgoing.peer.version = result["protocolVersion"]
        self._recorder.learn_listed(outgoing.traits.lists, result)

    def _capture(self, capture: Capture, outgoing: Outgoing, result: object, failure: BaseException | None) -> None:
        span = outgoing.span
        outgoing.captured += capture.answered(span, outgoing.method, outgoing.name, result, failure)
        outgoing.captured += capture.connected(span, outgoing.peer.session_id)

    def _event(self, outgoing: Outgoing, ended: int, result: object, failure: BaseException | None) -> Event:
        peer, gate = outgoing.peer, self._recorder.gate
        fault, error, code = _outcome(outgoing.method, result, failure)
        session_id = peer.session_id
        return Event(
            side="client",
            method=outgoing.method,
            target=gate.target(outgoing.traits.target, outgoing.name),
            notification=outgoing.request_id is None,
            request_id=privacy.request_id(outgoing.request_id),
            session=None if session_id is None else privacy.session(session_id),
            protocol_version=privacy.version(peer.version),
            transport=peer.transport,
            http_version=None,
            client_address=None,
            client_port=None,
            server_address=peer.address,
            server_port=peer.port,
            start=outgoing.start,
            duration=(ended - outgoing.started) * 1e-9,
            phases={},
            cpu={},
            on_loop=None,
            blocked=(),
            laps=(),
            received=None,
            sent=None,
            fault=fault,
            error=error,
            code=code,
            captured=outgoing.captured,
        )


def _outcome(method: str, result: object, failure: BaseException | None) -> tuple[Fault | None, str | None, int | None]:
    """Who is at fault, `error.type` and the code; for a client every code is an error."""
    if failure is None:
        failed = method == "tools/call" and isinstance(result, Mapping) and result.get("isError") is True
        return ("tool", TOOL_ERROR, None) if failed else (None, None, None)
    if not isinstance(failure, Exception):
        return "caller", "cancelled", None
    code = getattr(getattr(failure, "error", None), "code", None)
    if not isinstance(code, int):
        return "server", type(failure).__name__, None
    code = privacy.code(code)
    if code in TIMEOUTS:
        return "server", "timeout", None
    return ("caller" if code in CALLER_FAULTS else "server"), str(code), code


def _nothing() -> None:
    """No id yet."""
