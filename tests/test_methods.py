"""The tables of the protocol agree with themselves and with the installed SDK."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version

import pytest

from mcp_otel.methods import (
    CALLER_FAULTS,
    CLIENT_METHODS,
    LASTING,
    NO_METHOD,
    PROTOCOL_VERSIONS,
    STATUS_TEXTS,
    Method,
    about,
    is_notification,
)

LINE = int(version("mcp").partition(".")[0])


def sdk_methods() -> set[str]:
    if LINE == 2:
        methods = import_module("mcp_types.methods")
        return set(methods.SPEC_CLIENT_METHODS) | set(methods.SPEC_CLIENT_NOTIFICATION_METHODS)
    types = import_module("mcp.types")
    unions = (types.ClientRequest, types.ClientNotification)
    members = [member for union in unions for member in union.model_fields["root"].annotation.__args__]
    return {member.model_fields["method"].annotation.__args__[0] for member in members}


def test_every_method_the_sdk_lets_a_client_send_is_known() -> None:
    assert sdk_methods() - set(CLIENT_METHODS) == set()


def test_every_protocol_version_the_sdk_speaks_is_known() -> None:
    module = import_module("mcp_types.version" if LINE == 2 else "mcp.shared.version")
    spoken = (
        {*module.HANDSHAKE_PROTOCOL_VERSIONS, *module.MODERN_PROTOCOL_VERSIONS}
        if LINE == 2
        else set(module.SUPPORTED_PROTOCOL_VERSIONS)
    )
    assert spoken - set(PROTOCOL_VERSIONS) == set()


@pytest.mark.parametrize(
    ("method", "traits"),
    [
        ("tools/call", Method(target="tool")),
        ("prompts/get", Method(target="prompt")),
        ("tools/list", Method(lists="tools")),
        ("prompts/list", Method(lists="prompts")),
        ("resources/list", Method(lists="resources")),
        ("subscriptions/listen", Method(lasting=True)),
        ("ping", NO_METHOD),
        ("nobody/knows", NO_METHOD),
    ],
)
def test_a_method_is_about_what_its_row_says(method: str, traits: Method) -> None:
    assert about(method) == traits


def test_only_notifications_are_never_answered() -> None:
    assert {method for method in CLIENT_METHODS if is_notification(method)} == {
        "notifications/initialized",
        "notifications/cancelled",
        "notifications/progress",
        "notifications/roots/list_changed",
        "notifications/tasks/status",
    }


def test_only_a_stream_that_may_live_for_hours_is_lasting() -> None:
    assert {"subscriptions/listen"} == LASTING


def test_a_callers_fault_has_its_standard_text() -> None:
    assert {code: STATUS_TEXTS[code] for code in CALLER_FAULTS} == CALLER_FAULTS
    assert set(CALLER_FAULTS) == {-32700, -32600, -32601, -32602, -32002}
