"""What leaves on the owner's wish: nothing without a setting, and never more work than the bound."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import INVALID_SPAN
from pydantic import BaseModel, ConfigDict, Field

from mcp_otel.event import Captured
from mcp_otel.settings import Settings
from mcp_otel.signals.capture import Capture, bounded, opened
from mcp_otel.signals.names import CAPTURED

ALL: dict[str, Any] = {f"capture_{kind}": True for kind in CAPTURED}


class Taker:
    """A capture with its failures at hand, for spans that are recorded."""

    def __init__(self, hook: Any = None, **given: Any) -> None:
        self.cost: dict[str, float] = defaultdict(float)
        self.failures: list[tuple[str, str]] = []
        self.capture = Capture(Settings(**(given or ALL)), hook, self.cost, self.failed)
        self.span: Any = TracerProvider(shutdown_on_exit=False).get_tracer("test").start_span("x")

    def failed(self, part: str, error: BaseException) -> None:
        self.failures.append((part, str(error)))

    def asked(self, params: Any, method: str = "tools/call") -> dict[str, tuple[str, bool]]:
        return _by_kind(self.capture.asked(self.span, method, "add", params, "session-1"))

    def answered(self, result: Any, message: Any = None) -> dict[str, tuple[str, bool]]:
        return _by_kind(self.capture.answered(self.span, "tools/call", "add", result, message))


def _by_kind(captured: tuple[Captured, ...]) -> dict[str, tuple[str, bool]]:
    return {each.kind: (each.text, each.cut) for each in captured}


class Counted(Mapping[str, int]):
    """A mapping that never ends, and counts how much of it was looked at."""

    def __init__(self) -> None:
        self.seen = 0

    def __getitem__(self, key: str) -> int:
        return 7

    def __len__(self) -> int:
        return 10**9

    def __iter__(self) -> Iterator[str]:
        while True:
            self.seen += 1
            yield f"k{self.seen}"


def test_nothing_is_opened_by_itself() -> None:
    assert opened(Settings()) == frozenset()
    assert opened(Settings(**ALL)) == frozenset(CAPTURED)
    assert [opened(Settings(**{f"capture_{kind}": True})) for kind in CAPTURED] == [
        frozenset({kind}) for kind in CAPTURED
    ]


@pytest.mark.parametrize("kind", CAPTURED)
def test_one_setting_opens_one_door(kind: str) -> None:
    taker = Taker(**{f"capture_{kind}": True})
    result = {"isError": True, "content": [{"type": "text", "text": "no luck"}]}
    said = {**taker.asked({"arguments": {"a": 1}}), **taker.answered(result)}
    said |= taker.asked({"uri": "story://secret"}, "resources/read")
    assert set(said) == {kind}


def test_values_are_said_as_json_and_texts_as_they_are() -> None:
    taker = Taker()
    assert taker.asked({"arguments": {"a": [1, 2.5, None, True, "grün"], "b": {}}}) == {
        "session_id": ("session-1", False),
        "arguments": ('{"a":[1,2.5,null,true,"grün"],"b":{}}', False),
    }
    assert taker.asked({"uri": "story://x"}, "resources/subscribe")["resource_uri"] == ("story://x", False)
    assert taker.answered({"content": [], "isError": False}) == {"results": ('{"content":[],"isError":false}', False)}
    assert taker.answered(None, "it broke") == {"errors": ("it broke", False)}
    assert taker.answered(None, ValueError("it broke", 7)) == {"errors": ("it broke", False)}
    assert taker.answered(None, KeyError(7)) == {}
    failed = {"isError": True, "content": [{"type": "text", "text": "no luck"}]}
    assert taker.answered(failed)["errors"] == ("no luck", False)
    assert taker.cost["capture"] > 0


def test_a_span_that_is_not_recorded_costs_nothing() -> None:
    taker = Taker()
    taker.span = INVALID_SPAN
    endless = Counted()
    assert (taker.asked({"arguments": endless}), taker.answered(endless), endless.seen) == ({}, {}, 0)


def test_the_work_is_bounded_however_large_the_value_is() -> None:
    endless = Counted()
    text, cut = Taker(capture_arguments=True, capture_size=100).asked({"arguments": endless})["arguments"]
    assert (len(text) <= 100, cut, endless.seen <= 30) == (True, True, True)
    assert text.startswith('{"k1":7,"k2":7')


@pytest.mark.parametrize(
    "value",
    [
        {"a": "x" * 10_000_000},
        {"x" * 10_000_000: 1},
        {"a": "\x00" * 10_000_000},
        {"a": [None] * 1_000_000},
        {"a": 10**100_000},
        {"a": [[[[]]]] * 100_000},
        {"a": b"x" * 1_000_000},
    ],
    ids=["text", "name", "escapes", "items", "number", "nested", "bytes"],
)
def test_what_is_too_large_is_cut_and_says_so(value: Any) -> None:
    copy, _ = bounded(value, 1000)
    assert len(json.dumps(copy)) < 7000
    text, cut = Taker(capture_arguments=True, capture_size=1000).asked({"arguments": value})["arguments"]
    assert (len(text) <= 1000, cut) == (True, True)


def test_what_fits_is_whole_up_to_the_last_character() -> None:
    exact = {"a": "x" * 92}
    taker = Taker(capture_arguments=True, capture_size=100)
    assert taker.asked({"arguments": exact})["arguments"] == (json.dumps(exact, separators=(",", ":")), False)
    assert taker.asked({"arguments": {"a": "x" * 93}})["arguments"][1] is True


def test_depth_and_cycles_and_strange_objects_end() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    circle: list[Any] = []
    circle.append(circle)
    for value in (deep, circle):
        copy, cut = bounded(value, 4096)
        assert (cut, json.dumps(copy).count("[")) == (True, 33)
    assert bounded({7: object(), "x": float("nan")}, 99) == ({"int": "[object]", "x": "nan"}, True)


def test_a_model_is_said_as_the_json_it_would_become() -> None:
    class Part(BaseModel):
        model_config = ConfigDict(extra="allow")
        is_error: bool = Field(default=False, serialization_alias="isError")
        text: str | None = None

    class Whole(BaseModel):
        parts: list[Part]

    whole = Whole(parts=[Part(is_error=True, more=1), Part(text="x")])  # type: ignore[call-arg]
    said, cut = bounded(whole, 4096)
    assert (said, cut) == (whole.model_dump(by_alias=True, exclude_none=True), False)


def test_half_a_character_does_not_spoil_what_is_exported() -> None:
    assert Taker().asked({"arguments": {"a": "\ud800"}})["arguments"] == ('{"a":"?"}', False)


def test_a_secret_is_not_said_and_a_hook_of_ones_own_decides_instead() -> None:
    params = {"arguments": {"user": "ann", "password": "hunter2"}}
    assert Taker().asked(params)["arguments"][0] == '{"user":"ann","password":"[redacted]"}'
    asked: list[Any] = []

    def hook(kind: str, name: str | None, value: Any) -> Any:
        asked.append((kind, name, value))
        return {**value, "user": "x" * 5000} if kind == "arguments" else None

    taker = Taker(hook)
    said = taker.asked(params)
    assert asked == [("session_id", "add", "session-1"), ("arguments", "add", params["arguments"])]
    assert asked[1][2] is not params["arguments"]
    assert set(said) == {"arguments"}
    assert (len(said["arguments"][0]), said["arguments"][1]) == (4096, True)
    assert taker.failures == []


def test_a_hook_may_change_its_copy_and_nothing_else() -> None:
    params = {"arguments": {"a": {"b": [1]}}}

    def hook(_: str, __: str | None, value: Any) -> Any:
        value["a"]["b"].clear()
        return value

    assert Taker(hook, capture_arguments=True).asked(params)["arguments"] == ('{"a":{"b":[]}}', False)
    assert params == {"arguments": {"a": {"b": [1]}}}


def test_a_hook_that_raises_is_counted_and_the_value_is_not_said() -> None:
    def hook(kind: str, _: str | None, value: Any) -> Any:
        if kind == "arguments":
            raise LookupError("private words")
        return value

    taker = Taker(hook)
    assert taker.asked({"arguments": {"a": 1}}) == {"session_id": ("session-1", False)}
    assert taker.failures == [("redact", "'private words'")] or taker.failures == [("redact", "private words")]


def test_a_name_that_is_cut_never_uncovers_what_it_names() -> None:
    for size in range(16, 60):
        said = Taker(capture_arguments=True, capture_size=size).asked({"arguments": {"aaaaaaaa": 1, "password": 4711}})
        assert "4711" not in said["arguments"][0]
