"""What leaves on the owner's wish only: arguments, results, URIs, session ids, texts of errors. All of it is off.

A value is cut before anybody looks at it: what it costs depends on `capture_size`, never on how large it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from time import perf_counter_ns
from typing import Any

from opentelemetry.trace import Span

from mcp_otel.event import Captured
from mcp_otel.settings import Settings
from mcp_otel.signals.names import CAPTURED
from mcp_otel.signals.privacy import utf8
from mcp_otel.signals.redaction import DEEPEST, Redact, redact

LARGEST = 1024
"""Bits of the largest number that is written out."""


class Capture:
    """What is taken of messages for their spans. One per recorder, and only where a setting asks for it."""

    def __init__(
        self,
        settings: Settings,
        hook: Redact | None,
        cost: dict[str, float],
        failed: Callable[[str, BaseException], object],
    ) -> None:
        self.kinds = opened(settings)
        self._size = settings.capture_size
        self._redact = hook or redact
        self._cost, self._failed = cost, failed

    def asked(
        self, span: Span, method: str, name: str | None, params: object, session_id: str | None
    ) -> tuple[Captured, ...]:
        """What a message says that asks for something."""
        if not span.is_recording():
            return ()
        taken = [self._take("session_id", name, session_id)]
        if method == "tools/call":
            taken.append(self._take("arguments", name, _field(params, "arguments")))
        elif "resources/" in method:
            uri = _field(params, "uri")
            taken.append(self._take("resource_uri", name, uri if uri is None else str(uri)))
        return tuple(each for each in taken if each is not None)

    def answered(
        self, span: Span, method: str, name: str | None, result: object, message: str | BaseException | None
    ) -> tuple[Captured, ...]:
        """What its answer says; `message` if that is an error, or what failed."""
        if not span.is_recording():
            return ()
        taken, message = [], _message(message) if isinstance(message, BaseException) else message
        if method == "tools/call" and result is not None:
            taken.append(self._take("results", name, result))
            message = message or _complaint(result)
        taken.append(self._take("errors", name, message))
        return tuple(each for each in taken if each is not None)

    def connected(self, span: Span, session_id: str | None) -> tuple[Captured, ...]:
        """The session of a message, where it is known only at its end."""
        taken = self._take("session_id", None, session_id) if span.is_recording() else None
        return () if taken is None else (taken,)

    def _take(self, kind: str, name: str | None, value: object) -> Captured | None:
        if kind not in self.kinds or value is None:
            return None
        began = perf_counter_ns()
        try:
            copy, cut = bounded(value, self._size)
            said = self._redact(kind, name, copy)
            if said is None:
                return None
            cut_again = False
            if self._redact is not redact:  # what somebody else says may be anything
                said, cut_again = bounded(said, self._size)
            text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False, separators=(",", ":"))
            whole = len(text) <= self._size and not cut and not cut_again
            return Captured(kind, utf8(text[: self._size]), not whole)
        except Exception as error:
            self._failed("redact", error)
            return None
        finally:
            self._cost["capture"] += (perf_counter_ns() - began) * 1e-9


def opened(settings: Settings) -> frozenset[str]:
    """The kinds of values that `settings` let out."""
    return frozenset(kind for kind in CAPTURED if getattr(settings, f"capture_{kind}"))


def bounded(value: object, size: int) -> tuple[Any, bool]:
    """The first `size` characters or so of `value` as plain JSON values, and whether that is not all of it."""
    copy = _Copy(size)
    return copy.of(value, 0), copy.cut


class _Copy:
    def __init__(self, size: int) -> None:
        self._left = size
        self.cut = False

    def of(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if self._left <= 0:  # nothing more, not even a number: the name it goes by may be cut off
            return self._instead("more")
        if value is None or isinstance(value, bool):
            self._left -= 4
            return value
        if isinstance(value, int):
            self._left -= 1 + value.bit_length() // 3
            return (
                int(value) if value.bit_length() <= LARGEST else self._instead(f"a number of {value.bit_length()} bits")
            )
        if isinstance(value, float):
            self._left -= 8
            return float(value) if value - value == 0 else str(float(value))
        pairs = _pairs(value)
        if pairs is None and not isinstance(value, list | tuple):
            kind = f"{len(value)} bytes" if isinstance(value, bytes | bytearray) else type(value).__name__[:64]
            return self._instead(kind)
        if depth >= DEEPEST:
            return self._instead("deeper")
        if pairs is None:
            return list(self._within(self.of(each, depth + 1) for each in value))
        return dict(self._within((self._name(key), self.of(each, depth + 1)) for key, each in pairs))

    def _name(self, key: object) -> str:
        return self._text(key if isinstance(key, str) else type(key).__name__)

    def _text(self, text: str) -> str:
        said = str(text[: max(self._left, 0)])
        self.cut = self.cut or len(said) < len(text)
        self._left -= len(said) + 2
        return said

    def _instead(self, what: str) -> str:
        self.cut = True
        self._left -= len(what)
        return f"[{what}]"

    def _within(self, items: Iterator[Any]) -> Iterator[Any]:
        """As many of `items` as there is room for."""
        self._left -= 2
        while True:
            if self._left <= 0:
                # An empty rest is not cut off.
                self.cut = self.cut or next(items, self) is not self
                return
            item = next(items, self)
            if item is self:
                return
            yield item
            self._left -= 1


def _pairs(value: Any) -> Iterator[tuple[object, object]] | None:
    """Names and values of an object of JSON, or of a model that would become one; None for anything else."""
    if isinstance(value, dict | Mapping):
        return iter(value.items())
    if isinstance(value, list):
        return None
    model = getattr(type(value), "model_fields", None)
    if not isinstance(model, Mapping):
        return None
    own = ((field.serialization_alias or name, getattr(value, name, None)) for name, field in model.items())
    more = getattr(value, "model_extra", None) or {}
    return ((name, each) for name, each in chain(own, more.items()) if each is not None)


def _field(params: Any, name: str) -> Any:
    return params.get(name) if isinstance(params, Mapping) else getattr(params, name, None)


def _complaint(result: Any) -> str | None:
    """The first text of a tool's error."""
    if not _field(result, "isError"):
        return None
    content = _field(result, "content")
    text = _field(content[0], "text") if isinstance(content, list) and content else None
    return text if isinstance(text, str) else None


def _message(failure: BaseException) -> str | None:
    """What a failure says, if that costs nothing to know."""
    error = getattr(failure, "error", None)
    text = getattr(error, "message", None) or next(iter(failure.args), None)
    return text if isinstance(text, str) else None
