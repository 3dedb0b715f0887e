"""The recorder's part for what is not one message: sessions, streams that clients listen on, and who is refused."""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING

from mcp_otel.call import Session
from mcp_otel.guard import never_raises
from mcp_otel.live import Admits
from mcp_otel.refusals import Refusals, Refused
from mcp_otel.signals import privacy

if TYPE_CHECKING:
    from mcp_otel.recorder import Recorder


class Connections:
    """One per recorder."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.refusals = Refusals()
        self.count_failure = recorder.count_failure

    @never_raises
    def open_session(self, session: Session, client: object, *kept: object) -> None:
        """A client has opened `session`, for which the server keeps these objects."""
        if session.opened is not None:
            return
        session.opened = session.last = perf_counter_ns()
        if self._recorder.live.add_session(session):
            self._recorder.totals.opened[self._recorder.gate.client(client)] += 1
            if self._recorder.vitals is not None:
                self._recorder.vitals.began(session, session.session_id, kept)
        else:
            self._recorder.totals.dropped["sessions"] += 1

    @never_raises
    def close_session(self, session: Session, reason: str) -> None:
        """`session` ended: `delete`, `disconnect`, `idle`, `crash` or `stop`."""
        if self._recorder.live.sessions.pop(id(session), None) is None or session.opened is None:
            return
        self._recorder.totals.ended[reason] += 1
        if self._recorder.vitals is not None:
            self._recorder.vitals.ended(session)
        if self._recorder.metrics is not None:
            seconds = (perf_counter_ns() - session.opened) * 1e-9
            self._recorder.metrics.record_session(
                seconds, privacy.version(session.version), session.transport, reason == "crash"
            )

    @never_raises
    def open_stream(self, stream: object, kind: str) -> None:
        """A client begins to listen on `stream`: `standalone`, `resumed`, `sse` or `subscription`."""
        if not self._recorder.live.streams.open(id(stream), kind):
            self._recorder.totals.dropped["streams"] += 1

    @never_raises
    def close_stream(self, stream: object, reason: str) -> None:
        """`stream` ended: `delete`, `disconnect`, `close` (by the server), `crash` or `stop`."""
        closed = self._recorder.live.streams.close(id(stream), reason)
        if closed is not None and self._recorder.metrics is not None:
            self._recorder.metrics.streams.record(*closed)

    @never_raises
    def note_session(self, session_id: str) -> None:
        """A session of this id was opened over HTTP."""
        self.refusals.opened(session_id)

    @never_raises
    def reject(self, refused: Refused) -> None:
        """An HTTP request was refused before it was a message."""
        if self._recorder.active:
            self._recorder._prepare()
            self._recorder.totals.rejected[self.refusals.reason(refused)] += 1

    @never_raises
    def admit(self, door: object, admits: Admits) -> None:
        """Sessions come in by `door`, which is not kept alive; `admits(door)` is how many, and for how long idle."""
        self._recorder.live.admit(door, admits)
