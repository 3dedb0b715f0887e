"""The waist of the house: one finished wire message, as plain data.

Everything before it collects; everything after it only reads.
"""

from __future__ import annotations

import json
from typing import Literal, NamedTuple

Side = Literal["server", "client"]
Phase = Literal["decode", "validate", "queue", "handler", "peer", "encode", "write"]
Fault = Literal["caller", "tool", "server"]
FAULTS: tuple[Fault, ...] = ("caller", "tool", "server")

PHASES: tuple[Phase, ...] = ("decode", "validate", "queue", "handler", "peer", "encode", "write")
"""The disjoint parts of a message's time, in the order they usually come.

decode: bytes to JSON-RPC. validate: every schema check, also those inside the handler. queue: the gaps before the
handler's task runs. handler: the rest. peer: the handler waits for an answer of its client. encode: result to bytes.
write: until the transport's send returns. A phase that does not exist (in memory there are no bytes) is absent.
"""


class Lap(NamedTuple):
    """One stretch of one phase: `start` and `end` in nanoseconds after the message was received."""

    phase: Phase
    start: int
    end: int


class Blocked(NamedTuple):
    """One step of a handler that blocked its event loop: `end` in nanoseconds after the message was received."""

    line: str
    """`file:line`, the file as its package has it."""
    function: str
    seconds: float
    end: int


class Captured(NamedTuple):
    """A value that the owner's settings let out: `arguments`, `results`, `resource_uri`, `session_id` or `errors`."""

    kind: str
    text: str
    """JSON, or the text itself."""
    cut: bool
    """Whether it is not all of the value."""


class Event(NamedTuple):
    """One wire message seen from one side, finished.

    Times are seconds unless they say nanoseconds; sizes are bytes of JSON. Names have passed the privacy gate: they
    are names the protocol or the server registered, or `_other`.
    """

    side: Side
    method: str
    target: str | None
    """Tool or prompt name; None when the method has none."""
    notification: bool
    request_id: str | None
    session: str | None
    """A digest of the session id, never the id itself; None outside a session."""
    protocol_version: str | None
    transport: str | None
    """`pipe` or `tcp`; None in memory."""
    http_version: str | None
    client_address: str | None
    client_port: int | None
    server_address: str | None
    """Where the peer is that a client talks to over HTTP."""
    server_port: int | None
    start: int
    """When the complete message was in memory: nanoseconds since the Unix epoch."""
    duration: float
    phases: dict[Phase, float]
    cpu: dict[Phase, float]
    """CPU seconds of the thread, for the handler and the phases that run without a pause (decode, validate, encode)."""
    on_loop: float | None
    """Seconds that its handler had the event loop to itself; None where its steps were not timed."""
    blocked: tuple[Blocked, ...]
    laps: tuple[Lap, ...]
    received: int | None
    sent: int | None
    fault: Fault | None
    """Who is at fault; None when the message was served."""
    error: str | None
    """`error.type` of the conventions; None when there is none."""
    code: int | None
    """The JSON-RPC error code on the wire; None when there is none."""
    captured: tuple[Captured, ...] = ()
    """What would be private but for the owner's settings."""

    @property
    def overhead(self) -> float:
        """Seconds outside the handler and its waits for the client."""
        return self.duration - self.phases.get("handler", 0.0) - self.phases.get("peer", 0.0)

    def to_json(self) -> str:
        """One line of JSON: the file format."""
        return json.dumps(self._asdict(), separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str) -> Event:
        """The event that `to_json` wrote.

        Raises:
            ValueError: the line is not such JSON.
        """
        fields = json.loads(line)
        if not isinstance(fields, dict) or set(fields) != set(cls._fields):
            raise ValueError("not an event: its fields are " + ", ".join(cls._fields))
        fields["laps"] = tuple(Lap(*lap) for lap in fields["laps"])
        fields["blocked"] = tuple(Blocked(*each) for each in fields["blocked"])
        fields["captured"] = tuple(Captured(*each) for each in fields["captured"])
        return cls(**fields)
