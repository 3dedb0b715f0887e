"""The one gate: only names that the protocol or a server registered leave, and never more than a bound of them."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from mcp_otel.methods import OTHER
from mcp_otel.signals import names, privacy
from mcp_otel.signals.privacy import MAX_NAME, Gate


@pytest.mark.parametrize("kind", ["tool", "prompt"])
def test_a_name_is_said_only_once_it_is_registered(kind: str) -> None:
    gate = Gate()
    assert gate.target(kind, "secret") == OTHER
    gate.learn(kind, ["add"])
    assert (gate.target(kind, "add"), gate.target(kind, "secret"), gate.target(kind, None)) == ("add", OTHER, OTHER)
    assert (gate.knows(kind, "add"), gate.knows(kind, "secret")) == (True, False)


def test_a_tools_name_is_no_prompts_name() -> None:
    gate = Gate()
    gate.learn("tool", ["add"])
    assert gate.target("prompt", "add") == OTHER


def test_a_method_without_a_target_has_none_whatever_its_params_say() -> None:
    gate = Gate()
    gate.learn("tool", ["add"])
    assert gate.target(None, "add") is None


@pytest.mark.parametrize(("kind", "bound"), [("tool", names.MAX_TOOLS), ("prompt", names.MAX_PROMPTS)])
def test_names_beyond_the_bound_are_one_value(kind: str, bound: int) -> None:
    gate = Gate()
    gate.learn(kind, (f"n{number}" for number in range(bound + 50)))
    said = {gate.target(kind, f"n{number}") for number in range(bound + 50)}
    assert said == {*(f"n{number}" for number in range(bound)), OTHER}


@pytest.mark.parametrize("name", [None, 7, b"x", [], {}, "x" * (MAX_NAME + 1), "\ud800"])
def test_what_is_no_sensible_name_is_not_learnt(name: Any) -> None:
    gate = Gate()
    gate.learn("tool", [name, "add"])
    assert gate.target("tool", "add") == "add"
    assert not isinstance(name, str) or gate.target("tool", name) == OTHER


def test_twenty_clients_keep_their_names_and_the_rest_is_one_value() -> None:
    gate = Gate()
    said = [gate.client(f"client{number}") for number in range(names.MAX_CLIENTS + 5)]
    assert said == [f"client{number}" for number in range(names.MAX_CLIENTS)] + [OTHER] * 5
    assert gate.client("client0") == "client0"


@pytest.mark.parametrize("name", [None, "", 7, [], "x" * (MAX_NAME + 1), "\ud800"])
def test_a_client_without_a_sensible_name_is_other(name: Any) -> None:
    assert Gate().client(name) == OTHER


@pytest.mark.parametrize(
    ("method", "said"),
    [("tools/call", "tools/call"), ("secret/words", OTHER), ("", OTHER), ("tools/call ", OTHER), ("x" * 99_999, OTHER)],
)
def test_a_method_is_said_only_if_the_protocol_has_it(method: str, said: str) -> None:
    assert privacy.method(method) == said


@pytest.mark.parametrize(("text", "said"), [(None, None), ("2025-06-18", "2025-06-18"), ("my own", OTHER), ("", OTHER)])
def test_a_protocol_version_is_said_only_if_there_is_one(text: str | None, said: str | None) -> None:
    assert privacy.version(text) == said


@pytest.mark.parametrize(
    ("code", "said"), [(None, None), (0, "0"), (-32603, "-32603"), (-32050, OTHER), (10**30, OTHER)]
)
def test_a_code_is_a_label_only_if_it_has_a_standard_meaning(code: int | None, said: str | None) -> None:
    assert privacy.code_label(code) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        *[(None, None), (7, "7"), (-1, "-1"), ("", ""), ("x" * 200, "x" * 128), ("\ud800x", "?x"), ("grün", "grün")],
        *[(10**30, OTHER), (1.5, "1.5")],
    ],
)
def test_the_id_of_a_request_is_said_as_it_came_if_it_is_short_and_can_be_written(value: Any, said: str | None) -> None:
    assert privacy.request_id(value) == said


def test_a_number_that_no_machine_has_is_not_written_out() -> None:
    huge = 10**5000
    assert privacy.request_id(-huge) == OTHER
    assert (privacy.code(huge), privacy.code(-huge), privacy.code(-32603)) == (2**63 - 1, 1 - 2**63, -32603)


@pytest.mark.parametrize(
    ("text", "said"), [(None, None), ("1.1", "1.1"), ("2", "2"), ("7.3", OTHER), ("1.1 ", OTHER), ("", OTHER)]
)
def test_a_version_of_http_is_said_only_if_there_is_one(text: str | None, said: str | None) -> None:
    assert privacy.http_version(text) == said


@pytest.mark.parametrize(
    ("value", "said"), [(None, None), ("127.0.0.1", "127.0.0.1"), ("x" * 999, "x" * 128), ("\ud800", "?"), (7, None)]
)
def test_the_address_of_a_peer_is_a_short_text(value: Any, said: str | None) -> None:
    assert privacy.address(value) == said


def test_long_ids_of_sessions_are_not_remembered() -> None:
    held = privacy._remembered.cache_info().currsize
    assert privacy.session("s" * 100_000) == sha256(b"s" * 100_000).hexdigest()[:16]
    assert privacy._remembered.cache_info().currsize == held


@pytest.mark.parametrize("session_id", ["abc", "", "ü", "\ud800"])
def test_a_session_is_said_by_a_digest_that_joins_and_does_not_open(session_id: str) -> None:
    digest = sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    assert privacy.session(session_id) == digest
    assert session_id == "" or session_id not in digest
