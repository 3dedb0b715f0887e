"""What of a message's `_meta` propagators may read: only what they take without a word.

They log what they do not take, and the text is the caller's: it would be in the server's own log, at any length.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

LONGEST = 8192
"""Characters of a field at most, as the specification of baggage has it."""
MAX_STATES = 32
MAX_PAIRS = 180
MAX_PAIR = 4096

_STATE = re.compile(
    r"[ \t]*(?:([a-z][_0-9a-z\-*/]{0,255}|[a-z0-9][_0-9a-z\-*/]{0,240}@[a-z][_0-9a-z\-*/]{0,13})="
    r"[ -+\--<>-~]{0,255}[!-+\--<>-~])?[ \t]*"
)
_NAME = r"[!#-'*+\-.0-9A-Z^-z|~]+"
_VALUE = r"[!#-+\--:<-\[\]-~]*"
_PAIR = re.compile(rf"{_NAME}[ \t]*=[ \t]*{_VALUE}[ \t]*(?:;[ \t]*{_NAME}[ \t]*(?:=[ \t]*{_VALUE}[ \t]*)?)*")


def carried(meta: Mapping[str, object], fields: Collection[str]) -> dict[str, str]:
    """The `fields` of `meta` that are texts of a sane length; what would be complained of is left out."""
    found: dict[str, str] = {}
    for name in fields:
        value = meta.get(name)
        if isinstance(value, str) and len(value) <= LONGEST and (value := _CHECKS.get(name, str)(value)):
            found[name] = value
    return found


def _state(text: str) -> str:
    names = [match.group(1) if (match := _STATE.fullmatch(each)) else "" for each in text.split(",")]
    if "" in names:
        return ""
    names = [name for name in names if name is not None]
    return text if len(set(names)) == len(names) <= MAX_STATES else ""


def _baggage(text: str) -> str:
    pairs = [pair for each in text.split(",") if (pair := each.strip(" \t")) and len(pair) <= MAX_PAIR]
    return ",".join([pair for pair in pairs if _PAIR.fullmatch(pair)][:MAX_PAIRS])


_CHECKS = {"tracestate": _state, "baggage": _baggage}
