"""What is taken for a secret in what the owner lets out: what goes by the name of one, in objects and in texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Redact = Callable[[str, "str | None", Any], Any]
"""Of a kind, a tool and a value: the value as it may be said, or None."""

REDACTED = "[redacted]"
DEEPEST = 32

_WORDS = (
    r"passw(?:or)?d|passphrase|passcode|secret|credential|authorization|cookie|"
    r"(?:api|private|access|signing|encryption)[_\- ]?key|session[_\- ]?id"
)
_HINTS = (
    *("passw", "passphrase", "passcode", "secret", "credential", "auth", "cookie", "key", "session", "token", "pwd"),
    *("jwt", "bearer", "://"),
)
"""Without one of these a text needs no closer look, which costs 300 times as much."""
_NAME = re.compile(rf"{_WORDS}|(?:token|auth|pwd|jwt)$", re.IGNORECASE)
_PAIR = re.compile(
    rf"""((?:{_WORDS}|token(?!s)|pwd|jwt)[\w-]{{0,32}}\\{{0,3}}["']?\s{{0,8}}[:=]\s{{0,8}})"""
    r"""(?:"(?:[^"\\]|\\.)*"?|\\{1,3}"(?:[^"\\]|\\{1,3}[^"\\])*\\{0,3}"?|'[^']*'?|\[[^\]]*\]?|\{[^}]*\}?"""
    r"""|(?:bearer|basic|digest)\s+[^\s"',;]+|[^\s"',;&}\]]+)""",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(bearer\s{1,8})[\w.~+/=-]{12,}", re.IGNORECASE)
_USER = re.compile(r"://[^/@\s]{1,512}@")


def redact(kind: str, name: str | None, value: Any) -> Any:
    """`value` (plain JSON values) with `[redacted]` for what goes by the name of a secret, in objects and in texts.

    This is what happens unless `instrument(redact=...)` says otherwise; a function of one's own may call it. What lies
    deeper than 32 levels is not said.
    """
    del name
    return value if kind == "session_id" else _scrubbed(value, 0)


def _scrubbed(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _text(value)
    if depth >= DEEPEST:
        return REDACTED if isinstance(value, Mapping | list | tuple) else value
    if isinstance(value, Mapping):
        return {
            key: REDACTED if isinstance(key, str) and _NAME.search(key) else _scrubbed(each, depth + 1)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_scrubbed(each, depth + 1) for each in value]
    return value


def _hinted(text: str) -> bool:
    lowered = text.lower()
    return any(hint in lowered for hint in _HINTS)


def _text(text: str) -> str:
    if not _hinted(text):
        return text
    text = _BEARER.sub(rf"\g<1>{REDACTED}", text)
    return _USER.sub(f"://{REDACTED}@", _PAIR.sub(_pair, text))


def _pair(found: re.Match[str]) -> str:
    before, value = found.group(1), found.group(0)[len(found.group(1)) :]
    quote = value[: len(value) - len(value.lstrip("\\"))] + '"' if value.lstrip("\\")[:1] == '"' else ""
    return f"{before}{quote}{REDACTED}{quote}"
