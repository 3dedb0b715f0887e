"""The table of names: standard ones as the conventions spell them, our own below one prefix."""

from __future__ import annotations

from mcp_otel.methods import CALLER_FAULTS, METHODS, STATUS_TEXTS
from mcp_otel.signals import names


def test_the_conventions_own_names_are_spelled_as_they_are() -> None:
    assert {each.name for each in names.ATTRIBUTES if not each.name.startswith("mcp_otel.")} == {
        "mcp.method.name",
        "mcp.protocol.version",
        "mcp.session.id",
        "mcp.resource.uri",
        "gen_ai.tool.call.arguments",
        "gen_ai.tool.call.result",
        "gen_ai.tool.name",
        "gen_ai.prompt.name",
        "gen_ai.operation.name",
        "error.type",
        "rpc.response.status_code",
        "jsonrpc.request.id",
        "network.transport",
        "network.protocol.name",
        "network.protocol.version",
        "client.address",
        "client.port",
        "server.address",
        "server.port",
        "code.file.path",
        "code.function.name",
        "code.line.number",
        "cpu.mode",
        "cpython.gc.generation",
    }


def test_the_duration_has_the_labels_of_the_conventions_and_no_more() -> None:
    assert {label.name for label in names.OPERATION_DURATION.labels} == {
        "mcp.method.name",
        "gen_ai.operation.name",
        "gen_ai.tool.name",
        "gen_ai.prompt.name",
        "error.type",
        "rpc.response.status_code",
        "mcp.protocol.version",
        "network.transport",
        "network.protocol.name",
        "network.protocol.version",
    }
    assert (names.OPERATION_DURATION.name, names.OPERATION_DURATION.unit) == ("mcp.server.operation.duration", "s")


def test_the_histograms_have_the_boundaries_of_the_conventions() -> None:
    assert names.SECONDS_BUCKETS == (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)


def test_no_metric_carries_what_only_a_span_may() -> None:
    private = {names.SESSION_ID, names.REQUEST_ID, names.CLIENT_ADDRESS, names.CLIENT_PORT}
    private |= set(names.CAPTURED.values())
    assert [metric.name for metric in names.METRICS if not private.isdisjoint(metric.labels)] == []


def test_a_target_comes_with_its_own_method_only_so_targets_add_up() -> None:
    assert len(METHODS) + 1 + names.MAX_TOOLS + 1 + names.MAX_PROMPTS + 1 == names.TARGETS


def test_error_type_has_room_for_every_code_that_is_no_callers_fault() -> None:
    codes = set(STATUS_TEXTS) - set(CALLER_FAULTS)
    others = {"tool_error", "cancelled", "closed", "_other"}
    assert names.ERROR_TYPE.bound is not None
    assert names.ERROR_TYPE.bound >= len(codes) + len(others)


def test_five_phases_get_spans_of_their_own() -> None:
    assert names.PHASE_SPANS == {
        "decode": "mcp_otel.decode",
        "validate": "mcp_otel.validate",
        "queue": "mcp_otel.queue",
        "encode": "mcp_otel.encode",
        "write": "mcp_otel.write",
    }
