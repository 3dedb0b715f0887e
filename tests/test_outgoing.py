"""What is sent carries the context of its own CLIENT span, whatever was in its `_meta` before."""

from __future__ import annotations

from typing import Any

from opentelemetry import trace

from tests.promises.watching import watching

FORWARDED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
"""What a proxy that hands on the `_meta` of a request puts there: the context of its own client."""


def carried(level: str) -> tuple[dict[str, Any], str]:
    """The params of a request as they are sent with `level`, and the span that was current then."""
    params = {"name": "echo", "_meta": {"traceparent": FORWARDED, "tracestate": "vendor=its", "progressToken": 7}}
    with watching(level=level) as watched:
        sender = watched.recorder.sender
        with trace.use_span(trace.NonRecordingSpan(trace.SpanContext(1, 2, False, trace.TraceFlags(1)))):
            entered = sender.send("tools/call", "echo", None)
            assert entered is not None
            current = trace.get_current_span().get_span_context()
            given = sender.inject(params) or params
            sender.sent(entered, {}, None)
    return given, f"{current.trace_id:032x}-{current.span_id:016x}"


def test_a_context_that_is_handed_on_gives_way_to_that_of_the_span_and_the_rest_of_meta_stays() -> None:
    given, span = carried("spans")
    assert given["_meta"].pop("traceparent")[3:-3] == span
    assert given == {"name": "echo", "_meta": {"progressToken": 7}}


def test_without_a_span_of_ours_what_the_application_has_put_there_is_its_own() -> None:
    given, _ = carried("metrics")
    assert given["_meta"] == {"traceparent": FORWARDED, "tracestate": "vendor=its", "progressToken": 7}
