"""The one gate: what leaves passes here, and only names the protocol or the server registered do.

Everything is bounded: 100 tools, 20 prompts and 20 clients by name, 1,000 session digests; the rest is `_other`.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from functools import lru_cache
from hashlib import sha256

from mcp_otel.methods import METHODS, OTHER, PROTOCOL_VERSIONS, STATUS_TEXTS
from mcp_otel.signals.names import MAX_CLIENTS, MAX_PROMPTS, MAX_TOOLS

MAX_NAME = 128
MAX_CODE = 2**63 - 1
HTTP_VERSIONS = ("1.0", "1.1", "2", "3")


class Gate:
    """Which names may be said. One per recorder; it learns what servers register."""

    def __init__(self) -> None:
        self._targets: dict[str, set[str]] = {"tool": set(), "prompt": set()}
        self._bounds = {"tool": MAX_TOOLS, "prompt": MAX_PROMPTS}
        self._clients: set[str] = set()

    def learn(self, kind: str, names: Iterable[object]) -> None:
        """These names of `kind` (tool, prompt) are registered with a server of this process."""
        known, bound = self._targets[kind], self._bounds[kind]
        for name in names:
            if len(known) >= bound:
                return
            if isinstance(name, str) and _sayable(name):
                known.add(name)

    def names(self, kind: str) -> Set[str]:
        """The registered names of `kind`, as they become known."""
        return self._targets[kind]

    def knows(self, kind: str, name: str) -> bool:
        """Whether `name` is registered."""
        return name in self._targets[kind]

    def target(self, kind: str | None, name: str | None) -> str | None:
        """The tool or prompt (`kind`) that a message names, as it may be said; None for a message that names none."""
        if kind is None:
            return None
        return name if name is not None and name in self._targets[kind] else OTHER

    def client(self, name: object) -> str:
        """The name a client gave itself, as it may be said."""
        if not isinstance(name, str) or not name or not _sayable(name):
            return OTHER
        if name not in self._clients:
            if len(self._clients) >= MAX_CLIENTS:
                return OTHER
            self._clients.add(name)
        return name


def method(name: str) -> str:
    """A method as it may be said."""
    return name if name in METHODS else OTHER


def version(text: str | None) -> str | None:
    """A protocol version as it may be said."""
    return text if text is None or text in PROTOCOL_VERSIONS else OTHER


def http_version(text: str | None) -> str | None:
    """A version of HTTP as it may be said."""
    return text if text is None or text in HTTP_VERSIONS else OTHER


def code(value: int) -> int:
    """A JSON-RPC error code as it may be said; one that is no number of any machine is the largest of its sign."""
    return max(-MAX_CODE, min(value, MAX_CODE))


def code_label(code: int | None) -> str | None:
    """A JSON-RPC error code as a metric may carry it."""
    if code is None:
        return None
    return str(code) if code in STATUS_TEXTS or code == 0 else OTHER


def request_id(value: object) -> str | None:
    """The id of a request, its first characters if it is long; None for a notification, which has none."""
    if value is None:
        return None
    if isinstance(value, str):
        return utf8(value[:MAX_NAME])
    return str(value)[:MAX_NAME] if not isinstance(value, int) or abs(value) <= MAX_CODE else OTHER


def address(value: object) -> str | None:
    """The address of a peer; behind a proxy it is what the proxy was told."""
    return utf8(value[:MAX_NAME]) if isinstance(value, str) else None


def utf8(text: str) -> str:
    """`text` as it can be encoded: half a character becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _sayable(name: str) -> bool:
    return len(name) <= MAX_NAME and utf8(name) == name


def session(session_id: str) -> str:
    """A digest that joins what belongs to one session; whoever has the id itself can use the session."""
    return _remembered(session_id) if len(session_id) <= MAX_NAME else _digest(session_id)


def _digest(session_id: str) -> str:
    return sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()[:16]


_remembered = lru_cache(maxsize=1000)(_digest)
