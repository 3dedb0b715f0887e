"""What goes by the name of a secret is not said, in objects and in texts; everything else is."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import pytest

import mcp_otel
from mcp_otel.signals.redaction import DEEPEST, REDACTED, redact

SECRET = "hunter2hunter2"
NAMES = """password db_password Passwd PASSPHRASE client_secret secretKey token access_token idToken Authorization
api_key API-Key apiKey x-api-key Set-Cookie credentials privateKey access_key session_id sessionId auth pwd jwt"""
HOSTILE = (
    *("token" * 20_000, "a" * 100_000, 'password="' + "\\" * 100_000, "secret:" + " " * 100_000, "://" + "a" * 100_000),
    *("bearer " * 20_000, "token-" * 20_000, "password=[" * 10_000, "://" * 30_000, "password" + "-" * 100_000),
)


@pytest.mark.parametrize("name", NAMES.split())
@pytest.mark.parametrize("value", [SECRET, 7, [SECRET], {"inside": SECRET}])
def test_what_goes_by_such_a_name_is_not_said(name: str, value: Any) -> None:
    assert redact("arguments", "login", {name: value, "user": "ann"}) == {name: REDACTED, "user": "ann"}
    assert redact("results", None, [{"deeper": [{name: value}]}]) == [{"deeper": [{name: REDACTED}]}]


@pytest.mark.parametrize(
    "name", ["max_tokens", "tokens", "author", "passage", "keyboard", "key", "secretary"[:5], "user"]
)
def test_what_goes_by_another_name_is_said(name: str) -> None:
    assert redact("arguments", "ask", {name: 7}) == {name: 7}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'{{"password": "{SECRET}", "user": "ann"}}', f'{{"password": "{REDACTED}", "user": "ann"}}'),
        (f'{{"api_key":"{SECRET}\\"x"}}', f'{{"api_key":"{REDACTED}"}}'),
        (f'{{"token":"{SECRET}', f'{{"token":"{REDACTED}"'),
        (f'{{\\"token\\":\\"{SECRET}\\",\\"a\\":1}}', f'{{\\"token\\":\\"{REDACTED}\\",\\"a\\":1}}'),
        (f'{{"secrets": ["{SECRET}", "{SECRET}"], "n": 1}}', f'{{"secrets": {REDACTED}, "n": 1}}'),
        (f"password={SECRET}&user=ann", f"password={REDACTED}&user=ann"),
        (f"password: {SECRET}, user: ann", f"password: {REDACTED}, user: ann"),
        (f"Authorization: Basic {SECRET}\nHost: x", f"Authorization: {REDACTED}\nHost: x"),
        (f"sent Bearer {SECRET} to x", f"sent Bearer {REDACTED} to x"),
        (f"postgres://ann:{SECRET}@db/x", f"postgres://{REDACTED}@db/x"),
        (f"https://x/y?token={SECRET}&z=1", f"https://x/y?token={REDACTED}&z=1"),
        ("max_tokens: 100", "max_tokens: 100"),
        ("nothing to hide: 7", "nothing to hide: 7"),
    ],
)
def test_a_text_is_said_without_what_it_tells_of_a_secret(text: str, said: str) -> None:
    assert redact("results", "read", text) == said
    assert redact("results", "read", {"content": [{"text": text}]}) == {"content": [{"text": said}]}


def test_the_id_of_a_session_is_what_was_asked_for() -> None:
    assert redact("session_id", None, SECRET) == SECRET


def test_what_lies_too_deep_to_be_looked_at_is_not_said() -> None:
    value: Any = {"password": SECRET}
    for _ in range(10_000):
        value = [value]
    said = redact("arguments", "deep", value)
    assert SECRET not in repr(said)
    for _ in range(DEEPEST):
        (said,) = said
    assert said == REDACTED


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda text: text[:8])
def test_no_text_makes_looking_for_secrets_slow(hostile: str) -> None:
    redact("results", None, hostile)
    best = min(_took(hostile) for _ in range(3))
    assert best < 2.0, f"{best} s for {len(hostile)} characters"


def _took(text: str) -> float:
    began = perf_counter()
    redact("results", None, text)
    return perf_counter() - began


def test_it_is_there_for_who_wants_more() -> None:
    assert mcp_otel.redact is redact
