"""What things are called, how large modules are, and that public things say what they are."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

import mcp_otel
from tests.house.source import PACKAGE, ROOT, Module, modules

FORBIDDEN = {"utils", "util", "helpers", "helper", "common", "base", "core", "misc", "manager", "handler"}
LONGEST = 400
LONGEST_IN = {"seams": 300, "signals": 300}
LONGEST_TEST = 400
DOOR = {"McpOtelError", "Settings", "SettingsError", "__version__", "instrument", "redact", "track_context"} | {
    "uninstrument"
}


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_a_module_is_short_enough_to_be_read_at_once(module: Module) -> None:
    assert len(module.text.splitlines()) <= LONGEST_IN.get(module.room, LONGEST)


def test_tests_are_short_too() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if (count := len(path.read_text().splitlines())) > LONGEST_TEST
    }
    assert long == {}


def test_no_file_or_folder_has_a_name_that_says_nothing() -> None:
    assert [
        str(path.relative_to(ROOT))
        for path in sorted([*PACKAGE.rglob("*"), *(ROOT / "tests").rglob("*"), *(ROOT / "benchmarks").rglob("*")])
        if not FORBIDDEN.isdisjoint(path.stem.strip("_").split("_"))
    ] == []


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_a_module_opens_with_one_to_a_few_lines_on_what_happens_in_it(module: Module) -> None:
    text = ast.get_docstring(module.tree)
    assert text is not None
    assert len(text.splitlines()) <= 5


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_everything_public_says_what_it_is(module: Module) -> None:
    assert [name for name, node in _public(module.tree) if not ast.get_docstring(node)] == []


Documented = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _public(tree: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, Documented]]:
    for node in tree.body:
        if isinstance(node, Documented) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from _public(node, f"{prefix}{node.name}.")


def test_the_public_door_has_exactly_these_names() -> None:
    assert sorted(mcp_otel.__all__) == sorted(DOOR)
    assert all(hasattr(mcp_otel, name) for name in mcp_otel.__all__)


def test_everything_behind_the_public_door_is_documented() -> None:
    assert [name for name in DOOR - {"__version__"} if not getattr(mcp_otel, name).__doc__] == []
