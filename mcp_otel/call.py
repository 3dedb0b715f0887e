"""A message on its way: what is known of it so far. Mutable and private to the recorder and its seams."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter_ns, thread_time_ns
from typing import Any, NamedTuple

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from mcp_otel.event import PHASES, Blocked, Captured, Fault, Lap, Phase
from mcp_otel.methods import CALLER_FAULTS, CANCELLED, NO_METHOD, OTHER
from mcp_otel.signals import privacy
from mcp_otel.signals.names import TOOL_ERROR

DECODE, VALIDATE, QUEUE, HANDLER, PEER, ENCODE, WRITE = range(len(PHASES))

MAX_BLOCKAGES = 8
SHORTEST = 10_000_000
"""Nanoseconds below which a step blocked nobody, whatever the bound."""


class Call:
    """One message from its bytes to its last byte.

    Its time is cut at boundaries: `lap(phase)` says what the time since the last boundary was. So phases are disjoint
    and complete by construction.
    """

    __slots__ = (
        "_cuts",
        "_mark",
        "_since",
        "_sums",
        "_waits",
        "at_fault",
        "blockages",
        "blocked",
        "boundaries",
        "cancelled",
        "captured",
        "closed",
        "cpu",
        "done",
        "exchange",
        "handled",
        "last",
        "message",
        "method",
        "name",
        "on_loop",
        "opened",
        "opener",
        "outcome",
        "params",
        "received",
        "request_id",
        "sent",
        "served",
        "session",
        "span",
        "start",
        "started",
        "steps",
        "target",
        "traits",
        "transport",
        "version",
        "writing",
    )

    def __init__(self, transport: str | None, received: int | None, started: int, exchange: Exchange | None) -> None:
        self._cuts: list[tuple[int, int]] | None = None
        self._mark = started
        self._since = self._waits = 0
        self._sums = [0, 0, 0, 0, 0, 0, 0]
        self.at_fault: Fault | None = None
        """Set by a seam that knows better than the wire: bad arguments arrive as a tool's error."""
        self.blockages: tuple[Blocked, ...] = ()
        self.blocked: tuple[str, str] | None = None
        """Where its step in progress blocks its event loop: `file:line` and function. Set in another thread."""
        self.cancelled = False
        self.captured: tuple[Captured, ...] = ()
        self.closed = False
        self.boundaries = 0
        self.cpu: dict[Phase, float] | None = None
        """CPU seconds by phase, where they are sampled."""
        self.done = False
        self.exchange = exchange
        self.handled = False
        """Its handler is done, whether it answered or not."""
        self.last = -1
        """The phase before the last boundary."""
        self.message: object = None
        """The decoded message object, until it is matched: tells whether a context's call is really its own."""
        self.method = OTHER
        self.name: str | None = None
        self.on_loop = 0
        """Nanoseconds that its handler had the event loop to itself."""
        self.opened = False
        self.opener: Any = None
        """The recorder that opened it: one that comes later may meet it in a transport of this one's time."""
        self.outcome: Outcome | None = None
        self.params: Mapping[str, Any] | None = None
        self.received = received
        self.request_id: object = None
        self.sent: int | None = None
        self.served = False
        """It has reached a server: whatever reaches one while this is current is another message."""
        self.session: Session | None = None
        self.span: Any = None
        self.start = 0
        """`started` as nanoseconds since the Unix epoch."""
        self.started = started
        self.steps = 0
        self.target: str | None = None
        """The name its span was started with."""
        self.traits = NO_METHOD
        self.transport = transport
        self.version: str | None = None
        self.writing = False
        """A transport of ours has the answer and will end the call."""

    def lap(self, phase: int) -> None:
        """The time since the last boundary was `phase`; while the handler waits for its client it is `PEER`."""
        now = perf_counter_ns()
        if self._waits and phase == HANDLER:
            phase = PEER
        self._sums[phase] += now - self._mark
        self._mark = now
        self.last = phase
        self.boundaries += 1
        if self._cuts is not None:
            self._cuts.append((phase, now))

    def wait(self) -> None:
        """The handler begins to wait for an answer of its client."""
        self.lap(HANDLER)
        self._waits += 1

    def resume(self) -> None:
        """One such wait is over."""
        self.lap(HANDLER)
        self._waits -= 1

    def begin(self) -> None:
        """A phase without a pause begins here: where CPU time is sampled, remember the thread's clock."""
        if self.cpu is not None:
            self._since = thread_time_ns()

    def spend(self, phase: int) -> None:
        """As `lap`, for a phase that has had no pause since `begin`; written out because it is the hottest."""
        now = perf_counter_ns()
        self._sums[phase] += now - self._mark
        self._mark = now
        self.last = phase
        self.boundaries += 1
        if self._cuts is not None:
            self._cuts.append((phase, now))
        if self.cpu is not None:
            name = PHASES[phase]
            self.cpu[name] = self.cpu.get(name, 0.0) + (thread_time_ns() - self._since) * 1e-9

    def step(self, nanos: int) -> None:
        """One step of its handler took so long."""
        self.on_loop += nanos
        self.steps += 1
        if self.blocked is not None:
            (line, function), self.blocked = self.blocked, None
            if nanos >= SHORTEST and len(self.blockages) < MAX_BLOCKAGES:  # else it was over before it was told
                end = perf_counter_ns() - self.started
                self.blockages += (Blocked(line, function, nanos * 1e-9, end),)

    def step_cpu(self, nanos: int) -> None:
        """One step of its handler was so long on the processor."""
        if self.cpu is not None:
            self.cpu["handler"] = self.cpu.get("handler", 0.0) + nanos * 1e-9

    def cpu_clock(self) -> int:
        """Nanoseconds of this thread on the processor, less those of phases that are no handler's."""
        cpu = self.cpu or {}
        apart = sum(seconds for phase, seconds in cpu.items() if phase != "handler")
        return thread_time_ns() - int(apart * 1e9)

    def keep_laps(self) -> None:
        """Remember every single stretch: there may be phase spans.

        What came before a handler could run was one stretch a phase: decode, validate, queue, in this order.
        """
        self._cuts = []
        cut = self.started
        for phase, nanos in enumerate(self._sums):
            if nanos:
                cut += nanos
                self._cuts.append((phase, cut))

    def release(self) -> None:
        """Let go of everything of the host: timers and tasks hold the context that holds this call for long."""
        self.exchange = self.message = self.opener = self.params = self.session = self.span = None

    def over(self, now: int) -> int:
        """When its last byte was written, or `now` when the last that happened to it is no write.

        A full garbage collection may lie between the two: a boundary allocates.
        """
        return self._mark if self.last == WRITE else now

    @property
    def awaits_write(self) -> bool:
        """Whether a transport will still write the answer, and then end the call."""
        return self.writing or (self.exchange is not None and not self.exchange.over)

    @property
    def mark(self) -> int:
        """When its last phase so far was over, as `perf_counter_ns` has it."""
        return self._mark

    @property
    def meta(self) -> object:
        """`params._meta` as it came."""
        return self.params.get("_meta") if self.params is not None else None

    @property
    def session_id(self) -> str | None:
        """The id of the session on the wire."""
        return self.exchange.session_id if self.exchange is not None else None

    @property
    def protocol_version(self) -> str | None:
        """What the connection agreed on, else what the HTTP request says."""
        if self.version is not None:
            return self.version
        if self.session is not None and self.session.version is not None:
            return self.session.version
        return self.exchange.version if self.exchange is not None else None

    def phases(self) -> dict[Phase, float]:
        """Seconds of each phase that exists."""
        return {PHASES[phase]: nanos * 1e-9 for phase, nanos in enumerate(self._sums) if nanos}

    def laps(self) -> tuple[Lap, ...]:
        """The single stretches, in order; neighbours of the same phase are one."""
        laps: list[Lap] = []
        start = 0
        for phase, cut in self._cuts or ():
            end = cut - self.started
            if laps and laps[-1].phase == PHASES[phase]:
                start = laps.pop().start
            laps.append(Lap(PHASES[phase], start, end))
            start = end
        return tuple(laps)


class Exchange:
    """One HTTP request that carries a message, and what its response has sent of the answer."""

    __slots__ = (
        "answer_part",
        "call",
        "client",
        "context",
        "http_version",
        "over",
        "parts",
        "sent_parts",
        "session_id",
        "version",
        "whole",
    )

    def __init__(
        self,
        context: Context,
        http_version: str | None,
        client: tuple[str, int] | None,
        session_id: str | None,
        version: str | None,
    ) -> None:
        self.answer_part: int | None = None
        """Which of the parts (events of a stream) is the answer; None until it is encoded."""
        self.call: Call | None = None
        self.client = client
        self.context = context
        """OpenTelemetry's context when the request came: holds its HTTP span, if somebody makes one."""
        self.http_version = http_version
        self.over = False
        self.parts = 0
        self.sent_parts = 0
        self.session_id = session_id
        self.version = version
        self.whole = False
        """The response is the answer alone, not a stream of events."""

    @classmethod
    def in_place(cls) -> Exchange:
        """No transport at all, and whoever calls is still there: the context here is really the caller's."""
        exchange = cls(otel_context.get_current(), None, None, None, None)
        exchange.over = True
        return exchange


class Session:
    """What one client and this server have between them."""

    __slots__ = ("in_flight", "last", "opened", "session_id", "transport", "version")

    def __init__(self, transport: str | None = None, version: str | None = None) -> None:
        self.in_flight = 0
        self.last = 0
        self.opened: int | None = None
        self.session_id: str | None = None
        self.transport = transport
        self.version = version


class Outcome(NamedTuple):
    """Who is at fault, `error.type` and the JSON-RPC code."""

    fault: Fault | None = None
    error: str | None = None
    code: int | None = None

    @classmethod
    def of(cls, call: Call, code: int | None, result: object) -> Outcome:
        """Classify an answer by the conventions' table; a seam's own knowledge decides only who is at fault."""
        code = None if code is None else privacy.code(code)
        if call.cancelled or code == CANCELLED:
            return cls("caller", "cancelled", code)
        if call.closed:
            return cls("caller", "closed", code)
        if code is not None:
            if code in CALLER_FAULTS:
                return cls("caller", None, code)
            return cls(call.at_fault or "server", str(code), code)
        if call.method == "tools/call" and isinstance(result, Mapping) and result.get("isError") is True:
            return cls(call.at_fault or "tool", TOOL_ERROR)
        return SERVED

    @classmethod
    def unanswered(cls, call: Call) -> Outcome:
        """A message that ended without an answer: a notification, or a request that its client gave up."""
        if call.request_id is None:
            return SERVED
        return cls("caller", "cancelled" if call.cancelled else "closed")


SERVED = Outcome()
