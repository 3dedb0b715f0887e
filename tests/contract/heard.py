"""A story told to an instrumented server, and all that the server said about it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.contract.doors import Door, Opened, line_of, open_door
from tests.contract.expected import expected
from tests.contract.story import Told, tell
from tests.sink import Sink

OURS = "mcp_otel"
PHASE = "mcp_otel.phase."


def telemetry(sink: Sink, **more: str) -> dict[str, str]:
    """The environment that makes a story server say everything to `sink`, soon."""
    return {
        "STORY_INSTRUMENT": "1",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_METRIC_EXPORT_INTERVAL": "200",
        "MCP_OTEL_PHASE_SPANS": "all",
        "MCP_OTEL_COST_BUDGET": "0",  # the machine under test may be busy; stepping down has tests of its own
        **more,
    }


@dataclass
class Heard:
    """One story, from both sides."""

    form: str
    door: Door
    story: list[Told]
    opened: Opened
    sink: Sink
    level: int | None = None
    """What the server last said of its level before it was asked to end."""

    @property
    def told(self) -> list[Told]:
        """What the server takes for messages."""
        return [told for told in self.story if not expected(self.form, self.door, told.step).refused]

    @property
    def refused(self) -> list[Told]:
        """What it does not."""
        return [told for told in self.story if expected(self.form, self.door, told.step).refused]

    def servers(self) -> list[dict[str, Any]]:
        """Every SERVER span, whoever made it, but for the application's own of its HTTP requests."""
        spans = [span for span in self.sink.spans if span["kind"] == "SERVER" and span["scope"]["name"] != "story.http"]
        return sorted(spans, key=lambda span: span["start"])

    def pairs(self) -> Iterator[tuple[Told, dict[str, Any] | None]]:
        """Each message with its SERVER span if it has one: requests by their id, notifications by their order."""
        by_id: dict[str, dict[str, Any]] = {}
        notices: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for span in self.servers():
            request_id = span["attributes"].get("jsonrpc.request.id")
            if request_id is None:
                notices[span["name"]].append(span)
            else:
                by_id[request_id] = span
        for told in self.told:
            if told.request_id is None:
                left = notices[told.pending.sent["method"]]
                yield told, left.pop(0) if left else None
            else:
                yield told, by_id.get(str(told.request_id))

    def children(self, span: dict[str, Any], kind: str) -> list[dict[str, Any]]:
        """Our spans of `kind` directly under `span`, in order."""
        ours = [child for child in self.sink.spans if (child["scope"]["name"], child["kind"]) == (OURS, kind)]
        found = [child for child in ours if child["parent_span_id"] == span["span_id"]]
        return sorted(found, key=lambda child: child["start"])


def hear(form: str, door: Door, sink: Sink, **env: str) -> Heard:
    """Tell the whole story to `form` at `door`; everything it said is in `sink` when this returns."""
    with open_door(form, door, telemetry(sink, **env)) as opened:
        heard = Heard(form, door, tell(opened, door, line_of(form)), opened, sink)
        sink.wait_for(lambda _: len(heard.servers()) >= len(heard.told), 5.0)
        sink.wait_for(lambda _: not in_flight(sink), 5.0)
        heard.level = sink.wait_for(lambda _: sink.value("mcp_otel.level"))
    sink.quiet(0.3)
    return heard


def in_flight(sink: Sink) -> float:
    """Requests that the server says are in flight."""
    return sum(point["value"] for point in sink.series("mcp_otel.requests.in_flight").values())


def plain(span: dict[str, Any]) -> dict[str, Any]:
    """`span` without what no one can foresee: its own ids and times, and how long each phase took."""
    parent = (span["trace_id"], span["parent_span_id"]) if span["parent_span_id"] is not None else None
    return {
        "name": span["name"],
        "kind": span["kind"],
        "parent": parent,
        "attributes": {name: value for name, value in span["attributes"].items() if not name.startswith(PHASE)},
        "phases": frozenset(phases(span)),
        "status": span["status"],
        "links": span["links"],
        "events": span["events"],
        "scope": span["scope"]["name"],
    }


def phases(span: dict[str, Any]) -> dict[str, float]:
    """Seconds of each phase, as `span` says."""
    return {name[len(PHASE) :]: value for name, value in span["attributes"].items() if name.startswith(PHASE)}
