"""FastMCP's own spans of wire messages: no span is opened for what a span of ours stands for."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.trace import INVALID_SPAN, Span, SpanKind

from mcp_otel.recorder import Recorder, current
from mcp_otel.seams.internal import hidden
from mcp_otel.seams.patch import Patches, expect

Silences = Callable[[SpanKind], bool]


class QuietTracer:
    """A tracer of FastMCP's; spans of the kinds that `silences` names are not opened, and the context stays."""

    def __init__(self, tracer: Any, silences: Silences) -> None:
        self._tracer, self._silences = tracer, silences

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tracer, name)

    @contextmanager
    def start_as_current_span(self, name: str, *args: Any, **kwargs: Any) -> Iterator[Span]:
        """As a tracer does."""
        kind = args[1] if len(args) > 1 else kwargs.get("kind", SpanKind.INTERNAL)
        if self._silences(kind):
            yield INVALID_SPAN
            return
        with self._tracer.start_as_current_span(name, *args, **kwargs) as span:
            yield span


def install_server(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `fastmcp.server.telemetry`: what it opens for a message, and for each server that a message is passed to.

    Raises:
        MisfitError: it does not look like the lines we know.
    """

    def silences(kind: SpanKind) -> bool:
        if recorder.owns_spans:
            return True  # nobody asked for FastMCP's spans, and all of them may quote URIs and exceptions
        if kind is not SpanKind.SERVER:
            return False
        call = current.get()
        return (call is not None and call.span is not None) or (hidden.get() and recorder.level > 1)

    _tracer(module, recorder, patches, silences)


def install_client(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `fastmcp.client.telemetry`: the span that it has around the message, which has one of ours.

    Raises:
        MisfitError: it does not look like the lines we know.
    """
    _tracer(module, recorder, patches, lambda _: recorder.owns_spans or says(recorder))


def install_sampling(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `fastmcp.server.sampling.run`: spans of asking a model, by a message or not, and of the tools that it calls.

    Raises:
        MisfitError: it does not look like the lines we know.
    """
    if hasattr(module, "get_tracer"):  # since 3.4; before, it made none
        _tracer(module, recorder, patches, lambda _: recorder.owns_spans)


def says(recorder: Recorder) -> bool:
    """Whether a message that is sent here has a span of ours."""
    return recorder.active and recorder.level >= 2


def _tracer(module: Any, recorder: Recorder, patches: Patches, silences: Silences) -> None:
    expect(module, "get_tracer", "version")

    def guarded(kind: SpanKind) -> bool:
        try:
            return silences(kind)
        except Exception as error:
            recorder.count_failure("seams", error)
            return False

    def quieting(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def get_tracer(*args: Any, **kwargs: Any) -> Any:
            return QuietTracer(original(*args, **kwargs), guarded)

        return get_tracer

    patches.replace(module, "get_tracer", quieting)
