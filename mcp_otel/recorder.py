"""Opens a call, closes it, makes the event, hands it on. The only thing a seam may call, and it never raises.

Every public method swallows its own failures and counts them: whatever goes wrong here, the host goes on as without us.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextvars import ContextVar, Token
from time import perf_counter_ns, time_ns
from typing import Any, TypeVar

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from mcp_otel.call import HANDLER, Call, Exchange, Outcome, Session
from mcp_otel.connections import Connections
from mcp_otel.event import Event
from mcp_otel.finished import finished
from mcp_otel.governor import Governor
from mcp_otel.guard import never_raises
from mcp_otel.live import Live
from mcp_otel.methods import NO_METHOD, OTHER, about
from mcp_otel.notice import warn
from mcp_otel.outgoing import Sender
from mcp_otel.reader import Vitals
from mcp_otel.settings import Settings
from mcp_otel.signals import privacy
from mcp_otel.signals.capture import Capture
from mcp_otel.signals.metrics import Metrics
from mcp_otel.signals.spans import Spans
from mcp_otel.signals.totals import Totals

_R = TypeVar("_R")
_Entered = tuple[Token[Any], "Token[Context] | None"]

CPU_SAMPLE = 8
"""Every how many messages the thread's clock is read as well: reading it costs five times the other one."""
LEVELS = {"off": 0, "metrics": 1, "spans": 3}
TURNS = ("tools/call", "prompts/get", "resources/read", "completion/complete")
"""Methods whose answers a conversation grows by; the others belong to setting it up."""

current: ContextVar[Call | None] = ContextVar("mcp_otel_current", default=None)
"""The call whose handler is running here."""


class Recorder:
    """One per instrumented process. `sinks` get every event; `prepare` runs once, before the first message."""

    def __init__(self, settings: Settings, totals: Totals | None = None) -> None:
        self.settings = settings
        self.totals = totals if totals is not None else Totals()
        self.gate = privacy.Gate()
        self.spans: Spans | None = None
        self.metrics: Metrics | None = None
        self.vitals: Vitals | None = None
        self.capture: Capture | None = None
        """Takes the values that the owner's settings let out; None when that is none."""
        self.owns_spans = False
        """Whether the tracer provider is ours: then nobody asked for the SDK's own spans."""
        self.active = True
        """False once it is taken out: what the host still holds of our hooks then does nothing."""
        self.sinks: list[Callable[[Event], object]] = []
        self.prepare: Callable[[], object] | None = None
        self.review: Callable[[], object] | None = None
        """Runs when the governor does, every few seconds of traffic."""
        self.falls: Callable[[], object] | None = None
        self.server_name: str | None = None
        self.live = Live(self.gate)
        self.connections = Connections(self)
        self.sender = Sender(self)
        self.governor = Governor(settings.cost_budget, LEVELS[settings.level])
        self.ending = False
        """Whether the process is about to end: the last thing said is then that nothing more will be."""
        self._arrived = 0
        self._count = 0

    @property
    def level(self) -> int:
        """0 off, 1 metrics, 2 spans with the phases of slow and failed ones, 3 all that is set."""
        if self.ending:
            return 0
        return self.governor.level if self.spans is not None else min(self.governor.level, 1)

    # --- one message, in the order things happen to it

    def arrive(self, transport: str | None = None, size: int | None = None, exchange: Exchange | None = None) -> Call:
        """Bytes of one message (or, without a transport of ours, the message) are in memory now."""
        call = Call(transport, size, perf_counter_ns(), exchange)
        self._arrived += 1
        if self._arrived % CPU_SAMPLE == 1:
            call.cpu = {}
        if size is not None:
            self.count_bytes("received", size)
        return call

    def open(
        self,
        call: Call,
        method: str,
        params: Mapping[str, Any] | None,
        request_id: object = None,
        session: Session | None = None,
    ) -> None:
        """`call` turned out to be this request, or this notification when it has no id."""
        entered = perf_counter_ns()
        if self.prepare is not None:
            self._prepare()
        try:
            if self.vitals is not None:
                self.vitals.message()
            call.opened, call.opener = True, self
            call.request_id = request_id
            call.session = session
            call.params = params
            call.method = method = privacy.method(method)
            call.traits = traits = about(method)
            call.start = call.started + time_ns() - perf_counter_ns()
            if traits.target is not None and params is not None:
                name = params.get("name")
                call.name = name if isinstance(name, str) else None
            if session is not None:
                session.last = entered
                session.in_flight += 1
                if session.transport is None:
                    session.transport, session.session_id = call.transport, call.session_id
            if request_id is not None and not traits.lasting:
                self.live.requests[id(call)] = call
            if traits.lasting:
                self.connections.open_stream(call, "subscription")
            if self.spans is not None and self.governor.level >= 2:
                if traits.target and call.name and self.gate.knows(traits.target, call.name):
                    call.target = call.name
                if self.settings.phase_spans != "off":
                    call.keep_laps()
                http = call.exchange.context if call.exchange is not None else None
                call.span = self.spans.start(method, call.target, call.meta, http, call.start)
                if self.capture is not None:
                    call.captured = self.capture.asked(call.span, method, call.name, params, call.session_id)
        except Exception as error:
            self.count_failure("open", error)
        self.totals.cost["record"] += (perf_counter_ns() - entered) * 1e-9

    def enter(self, call: Call) -> _Entered | None:
        """Make `call` and its span current in this task, until `leave`."""
        try:
            token: Token[Context] | None = None
            if call.span is not None and self.spans is not None:
                base = call.exchange.context if call.exchange is not None else otel_context.get_current()
                token = otel_context.attach(self.spans.within(call.span, call.meta, base))
            return current.set(call), token
        except Exception as error:
            self.count_failure("enter", error)
            return None

    def leave(self, entered: _Entered | None) -> None:
        """What `enter` made current no longer is."""
        if entered is None:
            return
        try:
            current.reset(entered[0])
            if entered[1] is not None:
                otel_context.detach(entered[1])
        except ValueError:
            pass  # closed from another context: that context is gone already
        except Exception as error:
            self.count_failure("leave", error)

    def stepped(self, call: Call | None, awaitable: Awaitable[_R]) -> Awaitable[_R]:
        """`awaitable`, all that happens for `call` in its task, with its steps timed if somebody does; may raise."""
        return awaitable if call is None or self.vitals is None else self.vitals.stepped(call, awaitable)

    def answer(
        self, call: Call, *, code: int | None = None, result: object = None, message: str | BaseException | None = None
    ) -> None:
        """What the wire will say: an error code (and its message, or the failure), or a result. The first counts."""
        if call.outcome is not None:
            return
        try:
            call.outcome = Outcome.of(call, code, result)
            if code is None and call.traits is not NO_METHOD and isinstance(result, Mapping):
                self.learn_listed(call.traits.lists, result)
            if self.capture is not None and call.span is not None:
                call.captured += self.capture.answered(call.span, call.method, call.name, result, message)
        except Exception as error:
            self.count_failure("answer", error)

    def handled(self, call: Call) -> None:
        """The handler of `call` is done. Unless a transport still has to write its answer, so is the call."""
        call.handled = True
        unanswered, written = call.outcome is None, not call.awaits_write
        if unanswered or written:
            call.lap(HANDLER)
        if (unanswered and not call.cancelled) or written:
            self.end(call)

    def end(self, call: Call, handed_over: bool = False) -> None:
        """The last byte of `call` is written, or never will be: make the event and hand it on.

        `handed_over`: to streams that are nobody's writer. What that took is no phase, so its time ended before.
        """
        if call.done or not call.opened:
            return
        if call.opener is not self and call.opener is not None:
            call.opener.end(call)
            return
        call.done = True
        ended = perf_counter_ns()
        try:
            self.live.requests.pop(id(call), None)
            if call.traits.lasting:
                self.connections.close_stream(call, "disconnect" if call.outcome is None or call.cancelled else "close")
            session = call.session
            if session is not None:
                session.in_flight -= 1
                session.last = ended
            self._count += 1
            event = finished(call, call.mark if handed_over else ended, self.gate, self._detailed)
            self.totals.add(event)
            if event.fault is None and event.sent is not None and call.traits.lists is not None:
                cursor = call.params.get("cursor") if call.params is not None else None
                self.totals.list_page(call.traits.lists, cursor, event.sent)
            self.tell(event, call.span, call.target)
            if self.vitals is not None:
                size = (call.received or 0) + (call.sent or 0)
                self.vitals.over(session, size, call.method in TURNS, call.steps)
        except Exception as error:
            self.count_failure("end", error)
        call.release()
        cost, governor = self.totals.cost, self.governor
        now = perf_counter_ns()
        cost["record"] += (now - ended) * 1e-9
        cost["seams"] += call.boundaries * governor.boundary_cost
        if now >= governor.due:
            governor.tick(now, sum(cost.values()))
            if self.review is not None:
                self.review()

    # --- what is not one message

    @never_raises
    def refuse(self, call: Call) -> None:
        """Bytes that are no JSON-RPC message: a caller's fault, and no message."""
        self.totals.tally(OTHER, None).faults["caller"] += 1

    def count_bytes(self, direction: str, size: int) -> None:
        """One JSON-RPC message of `size` bytes was `received` or `sent`."""
        try:
            self.totals.count_bytes(direction, size)
        except Exception as error:
            self.count_failure("count_bytes", error)

    @never_raises
    def learn(self, kind: str, names: Iterable[object]) -> None:
        """These names of `kind` (tool, prompt) are registered."""
        self.gate.learn(kind, names)

    @never_raises
    def name_server(self, name: object) -> None:
        """A server of this name was made; the first one names the service."""
        if self.server_name is None and isinstance(name, str) and name:
            self.server_name = name

    def gone(self, subject: object, kind: str) -> None:
        """The life of `subject`, which the server kept for a `session` or a `request`, should end now."""
        try:
            if subject is not None and self.vitals is not None:
                self.vitals.watch(subject, kind)
        except Exception as error:
            self.count_failure("gone", error)

    @never_raises
    def fall(self) -> None:
        """A signal that a server has held back ends this process now."""
        if self.falls is not None:
            self.falls()

    def count_failure(self, part: str, error: BaseException) -> None:
        """Something of ours failed; the host must not notice. Said once for each part."""
        self.totals.failures[part] += 1
        if self.totals.failures[part] == 1:
            # The kind, not the text: an exception may quote the message it failed on.
            warn("mcp-otel failed in %s with %s; the server is not affected", part, type(error).__name__)

    def forget(self) -> None:
        """Start at zero: this is a forked child, and what is open here is its parent's. Takes no lock."""
        inherited = current.get()
        for call in (*self.live.requests.values(), *(() if inherited is None else (inherited,))):
            call.done = True
        self.totals, self.live, self.spans, self.metrics, self.vitals = Totals(), Live(self.gate), None, None, None
        self.governor = Governor(self.settings.cost_budget, LEVELS[self.settings.level])
        self.connections = Connections(self)

    # --- inside

    def _prepare(self) -> None:
        prepare, self.prepare = self.prepare, None
        try:
            if prepare is not None:
                prepare()
        except Exception as error:
            self.count_failure("prepare", error)

    def tell(self, event: Event, span: Any, target: str | None) -> None:
        """Let everybody who listens have `event`, whose span was started for `target`; no failure keeps it back."""
        if span is not None and self.spans is not None:
            try:
                self.spans.finish(span, target, event)
            except Exception as error:
                self.count_failure("spans", error)
        if self.metrics is not None:
            try:
                self.metrics.record(event, span)
            except Exception as error:
                self.count_failure("metrics", error)
        for sink in self.sinks:
            try:
                sink(event)
            except Exception as error:
                self.count_failure("sinks", error)

    def learn_listed(self, lists: str | None, result: Mapping[str, Any]) -> None:
        """A listing of this kind of definitions was answered: its names are registered."""
        if lists in ("tools", "prompts"):
            listed = result.get(lists)
            if isinstance(listed, list):
                kind = "tool" if lists == "tools" else "prompt"
                self.gate.learn(kind, (item.get("name") for item in listed if isinstance(item, dict)))

    def _detailed(self, call: Call, outcome: Outcome, overhead: float) -> bool:
        """Whether the single laps of `call`, which took `overhead` seconds of ours and the SDK's, are worth keeping."""
        settings = self.settings
        if call.span is None or settings.phase_spans == "off":
            return False
        if outcome.fault is not None or overhead >= settings.slow_overhead:
            return True
        return self.governor.level >= 3 and (settings.phase_spans == "all" or self._count % settings.phase_sample == 0)
