"""Why an HTTP request was refused before it was a message: by its status, and by what is known of its session."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from mcp_otel.methods import PROTOCOL_VERSIONS
from mcp_otel.signals import privacy
from mcp_otel.signals.names import REFUSALS

MAX_KNOWN = 20_000
MAX_ID = 256
STATUSES = {
    403: "origin",
    405: "method",
    406: "not_acceptable",
    409: "second_stream",
    413: "too_large",
    415: "media_type",
    421: "host",
    503: "session_limit",
}
JSON = "application/json"


class Refused(NamedTuple):
    """One such request: the status it was answered with, and what its headers say (None: nothing)."""

    status: int
    session: str | None
    """The id of the session that it asks for; it goes no further than to its digest."""
    open: bool
    """Whether that session is open here."""
    version: str | None
    content_type: str | None


class Others(Protocol):
    """What is known of the sessions of other workers of the same server."""

    def note(self, digest: str) -> object:
        """A session was opened in this process."""

    def alive(self, digest: str) -> bool | None:
        """Whether the worker that opened this session is there; None when none is known to have opened it."""


class Refusals:
    """One per recorder. Digests of the last 20,000 sessions that were opened here are remembered."""

    def __init__(self) -> None:
        self.others: Callable[[], Others | None] | None = None
        """Makes what knows other workers, once there is a session."""
        self._known: dict[str, None] = {}
        self._found: Others | None = None

    def opened(self, session_id: str) -> None:
        """A session was opened here."""
        digest = privacy.session(session_id[:MAX_ID])
        if digest in self._known:
            return
        if len(self._known) >= MAX_KNOWN:
            self._known.pop(next(iter(self._known)))
        self._known[digest] = None
        others = self._others()
        if others is not None:
            others.note(digest)

    def reason(self, refused: Refused) -> str:
        """Why: one of `REFUSALS`."""
        if refused.status == 404 and refused.session is not None:
            return self._missing(privacy.session(refused.session[:MAX_ID]), refused.open)
        if refused.status == 400:
            if refused.version is not None and refused.version not in PROTOCOL_VERSIONS:
                return "version"
            if refused.content_type is not None and refused.content_type.partition(";")[0].strip().lower() != JSON:
                return "media_type"
            return "session_missing" if refused.session is None else REFUSALS[-1]
        return STATUSES.get(refused.status, REFUSALS[-1])

    def _missing(self, digest: str, is_open: bool) -> str:
        if is_open:
            return "session_not_theirs"
        if digest in self._known:
            return "session_ended"
        others = self._others()
        alive = others.alive(digest) if others is not None else None
        return "session_unknown" if alive is None else "session_elsewhere" if alive else "session_ended"

    def _others(self) -> Others | None:
        if self._found is None and self.others is not None:
            make, self.others = self.others, None
            self._found = make()
        return self._found
