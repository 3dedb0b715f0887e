"""The same call is delivered by every protocol of OTLP, packed or not."""

from __future__ import annotations

import pytest

from tests.contract.doors import DOORS, FORMS, open_door
from tests.contract.heard import telemetry
from tests.contract.story import BY_NAME, message
from tests.sink import Sink

TOLD = ("initialize", "initialized", "text result")


@pytest.mark.parametrize("packed", [{}, {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}], ids=["plain", "gzip"])
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_spans_and_metrics_arrive_by(protocol: str, packed: dict[str, str], sink: Sink) -> None:
    door = DOORS["stdio"]
    endpoint = f"http://{sink.serve_grpc()}" if protocol == "grpc" else sink.url
    env = telemetry(sink, OTEL_EXPORTER_OTLP_PROTOCOL=protocol, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **packed)
    with open_door(FORMS[1], door, env) as opened:
        for number, name in enumerate(TOLD):
            opened.wire.call(message(BY_NAME[name], number, 0, door))
    names = [span["name"] for span in sink.spans if span["kind"] == "SERVER"]
    assert sorted(names) == ["initialize", "notifications/initialized", "tools/call echo"]
    assert sink.value("mcp.server.operation.duration", gen_ai__tool__name="echo") == 1
