"""What goes in comes out: after uninstrument() every hooked module and class holds the identical objects again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from importlib import import_module
from typing import Any

import pytest

import mcp_otel
from tests.house.source import ROOT
from tests.promises.originals import HOOKED, Originals, changed, originals, restore

AFTERWARDS = """
import sys
sys.path.insert(0, {root!r})
import wrapt
from tests.promises.originals import HOOKED, changed, originals
assert not [name for name in HOOKED if name in sys.modules], "something has imported mcp already"
before = {{}}
for name in HOOKED:  # ours comes first, so it sees a module as it was made
    wrapt.register_post_import_hook(
        lambda module: [before.setdefault(*item) for item in originals((module.__name__,)).items()], name
    )
import mcp_otel
for _ in range({rounds}):
    mcp_otel.instrument(level="metrics")
    if {late}:
        mcp_otel.uninstrument()
    for name in HOOKED:
        __import__(name)
    hooked = len(changed(before))
    mcp_otel.uninstrument()
    print(hooked > 0, changed(before))
"""


@pytest.fixture
def before() -> Iterator[Originals]:
    for name in HOOKED:
        import_module(name)
    held = originals()
    yield held
    mcp_otel.uninstrument()
    restore(held)


def test_everything_that_was_imported_before_is_put_back(before: Originals) -> None:
    mcp_otel.instrument()
    hooked = changed(before)
    mcp_otel.uninstrument()
    assert changed(before) == []
    # Not one module of the table is left out, or a hook would be there for nothing.
    assert {name for name in HOOKED if not any(_of(place, name) for place in hooked)} == set()


def _of(place: str, module: str) -> bool:
    return place.startswith(module + ".")


def test_twice_in_a_row_is_as_good_as_once(before: Originals) -> None:
    for _ in range(2):
        mcp_otel.instrument()
        first = changed(before)
        mcp_otel.instrument()
        assert changed(before) == first
        mcp_otel.uninstrument()
        mcp_otel.uninstrument()
        assert changed(before) == []


@pytest.mark.parametrize(("rounds", "late"), [(1, False), (2, False), (1, True)])
def test_what_is_imported_afterwards_is_hooked_only_while_we_are_in_and_put_back_too(rounds: int, late: bool) -> None:
    script = AFTERWARDS.format(root=str(ROOT), rounds=rounds, late=late)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.splitlines()) == (0, [f"{not late} []"] * rounds), done.stderr


def test_a_patch_that_somebody_laid_on_top_of_ours_stays_and_what_is_below_it_comes_out(before: Originals) -> None:
    owner, name = _a_hooked_method()
    original = vars(owner)[name]
    mcp_otel.instrument()
    foreign = _patched(vars(owner)[name])
    setattr(owner, name, foreign)
    mcp_otel.uninstrument()
    assert vars(owner)[name] is foreign
    assert changed(before) == [f"{owner.__module__}.{owner.__qualname__}.{name}"]
    setattr(owner, name, original)
    assert changed(before) == []


def test_a_patch_that_was_there_before_us_is_there_again_after_us(before: Originals) -> None:
    owner, name = _a_hooked_method()
    foreign = _patched(vars(owner)[name])
    setattr(owner, name, foreign)
    mcp_otel.instrument()
    assert vars(owner)[name] is not foreign
    mcp_otel.uninstrument()
    assert vars(owner)[name] is foreign


def _a_hooked_method() -> tuple[Any, str]:
    try:
        return import_module("mcp.server.runner").ServerRunner, "_on_request"
    except ImportError:
        return import_module("mcp.server.lowlevel.server").Server, "_handle_message"


def _patched(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def foreign(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return foreign
