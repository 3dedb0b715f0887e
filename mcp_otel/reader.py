"""Who reads the process itself, as the recorder knows it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol

from mcp_otel.call import Call, Session


class Vitals(Protocol):
    """Who reads the process itself, and is told what only messages know."""

    def message(self) -> None:
        """A message has come, in the loop that runs here."""

    def stepped(self, call: Call, awaitable: Awaitable[Any]) -> Awaitable[Any]:
        """`awaitable` with every step charged to `call`."""

    def over(self, conversation: Session | None, size: int, turn: bool, steps: int) -> None:
        """A message has ended, with so many bytes both ways and steps of its handler."""

    def began(self, conversation: Session, session_id: str | None, kept: tuple[object, ...]) -> None:
        """A session was opened, for which the server keeps these objects."""

    def ended(self, conversation: Session) -> None:
        """A session is over."""

    def watch(self, subject: object, kind: str) -> None:
        """The life of `subject`, a `session` or a `request`, should end now."""

    def forget(self) -> None:
        """Let go of everything: this is a forked child."""
