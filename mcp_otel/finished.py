"""What a call that is over becomes: the event, plain data that may leave."""

from __future__ import annotations

from collections.abc import Callable

from mcp_otel.call import Call, Outcome
from mcp_otel.event import Event
from mcp_otel.signals import privacy


def finished(call: Call, ended: int, gate: privacy.Gate, detailed: Callable[[Call, Outcome, float], bool]) -> Event:
    """The event of `call`, which is over at `ended` (`perf_counter_ns`), or was when its last byte was written.

    `detailed` says, of an outcome and the seconds outside the handler, whether the single laps are worth keeping.
    """
    outcome = call.outcome or Outcome.unanswered(call)
    exchange = call.exchange
    phases = call.phases()
    duration = (call.over(ended) - call.started) * 1e-9
    overhead = duration - phases.get("handler", 0.0) - phases.get("peer", 0.0)
    session_id = call.session_id
    return Event(
        side="server",
        method=call.method,
        target=gate.target(call.traits.target, call.name),
        notification=call.request_id is None,
        request_id=privacy.request_id(call.request_id),
        session=None if session_id is None else privacy.session(session_id),
        protocol_version=privacy.version(call.protocol_version),
        transport=call.transport,
        http_version=privacy.http_version(exchange.http_version) if exchange is not None else None,
        client_address=privacy.address(exchange.client[0]) if exchange is not None and exchange.client else None,
        client_port=exchange.client[1] if exchange is not None and exchange.client else None,
        server_address=None,
        server_port=None,
        start=call.start,
        duration=duration,
        phases=phases,
        cpu=call.cpu or {},
        on_loop=call.on_loop * 1e-9 if call.steps else None,
        blocked=call.blockages,
        laps=call.laps() if detailed(call, outcome, overhead) else (),
        received=call.received,
        sent=call.sent,
        fault=outcome.fault,
        error=outcome.error,
        code=outcome.code,
        captured=call.captured,
    )
