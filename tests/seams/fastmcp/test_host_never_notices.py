"""Whatever breaks in the hooks of FastMCP, what its servers and clients say stays their own."""

from __future__ import annotations

import sys
import threading
from types import CodeType, FrameType
from typing import Any

import pytest

import mcp_otel
from tests.promises import breakage
from tests.promises.watching import Watched, providers, start
from tests.seams.fastmcp.servers import child, mounted, proxied, talk

CARRIERS = {
    # These carry FastMCP's own operation, and hold nothing that can break but what they guard.
    "seams.fastmcp.native:QuietTracer.__init__",
    "seams.fastmcp.native:QuietTracer.__getattr__",
    "seams.fastmcp.native:QuietTracer.start_as_current_span",
    "seams.fastmcp.arguments:Checking.__init__",
    "seams.fastmcp.arguments:Checking.__getattr__",
    "seams.fastmcp.arguments:Checking.validate_python",
    "seams.fastmcp.arguments:Checking.validate_json",
    "seams.fastmcp.arguments:_checked",
}
TARGETS = breakage.targets("fastmcp")


def tell() -> list[str]:
    """All kinds of messages, served and refused, to servers of all kinds."""
    asked: list[tuple[str, Any]] = [
        *(("add", {"a": 1, "b": 2}), ("add", {"a": "one", "b": 2}), ("double", {"a": 2}), ("crash", {"a": 1})),
        *(("nobody", {}), ("prompt:hello", {"name": "Ada"}), ("prompt:nobody", {}), ("story://nowhere", None)),
    ]
    add = {"a": 1, "b": 2}
    return [*talk(child(), *asked), *talk(mounted(), ("kid_add", add)), *talk(proxied(), ("add", add))]


@pytest.fixture(scope="module")
def unwatched() -> list[str]:
    """What all of them say when nobody watches."""
    return tell()


@pytest.fixture(scope="module")
def reached(unwatched: list[str]) -> set[CodeType]:
    """What of ours is run when all of that is said: each line has no use for what the others need."""
    found: set[CodeType] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and "/seams/fastmcp/" in frame.f_code.co_filename:
            found.add(frame.f_code)

    with providers() as watched:
        threading.setprofile(note)
        sys.setprofile(note)
        try:
            start(watched, phase_spans="off")
            assert tell() == unwatched
        finally:
            sys.setprofile(None)
            threading.setprofile(None)  # type: ignore[arg-type]
    return found


def test_a_watched_server_says_what_it_says_unwatched(unwatched: list[str], watched: Watched) -> None:
    assert tell() == unwatched
    assert watched.lines == []
    assert dict(watched.totals.failures) == {}


@pytest.mark.parametrize("name", sorted(TARGETS.keys() - CARRIERS))
def test_a_server_says_the_same_when_ours_raises(
    name: str, unwatched: list[str], reached: set[CodeType], bare: Watched
) -> None:
    function, hook = TARGETS[name]
    codes = {function.__code__} if hook is None else {code for code in function.__code__.co_consts if named(code, hook)}
    if codes.isdisjoint(reached):
        return
    with breakage.broken(TARGETS[name]):
        start(bare, phase_spans="off")
        at_start = len(breakage.strikes)
        assert tell() == unwatched
        strikes = len(breakage.strikes)
    assert strikes > 0
    mcp_otel.uninstrument()
    if at_start:
        assert [line for line in bare.lines if "leaves fastmcp" in line] == bare.lines
        assert len(bare.lines) == 1
    else:
        assert sum(bare.totals.failures.values()) >= 1
        assert len(bare.lines) == len(bare.totals.failures)
        assert not any("private words" in line for line in bare.lines)


def test_the_hooks_of_this_line_are_run(reached: set[CodeType]) -> None:
    assert len(reached) >= 15


def named(code: object, name: str) -> bool:
    """Whether this is the code of a function of this name."""
    return isinstance(code, CodeType) and code.co_name == name


def test_the_exceptions_to_the_rule_exist() -> None:
    assert CARRIERS - TARGETS.keys() == set()
