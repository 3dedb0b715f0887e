"""The package as its source: modules, their syntax trees, and which room each belongs to."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "mcp_otel"

ROOMS: dict[str, str] = {
    # The first that fits, so the narrower ones come first.
    "mcp_otel.signals.names": "names",
    "mcp_otel.call": "recorder",
    "mcp_otel.connections": "recorder",
    "mcp_otel.finished": "recorder",
    "mcp_otel.guard": "recorder",
    "mcp_otel.reader": "recorder",
    "mcp_otel.governor": "recorder",
    "mcp_otel.live": "recorder",
    "mcp_otel.outgoing": "recorder",
    "mcp_otel.streams": "recorder",
    "mcp_otel.refusals": "recorder",
    "mcp_otel.exporters": "export",
    "mcp_otel.providers": "export",
    "mcp_otel.__main__": "commands",
}
"""Modules that belong to a room of another name; any other belongs to the room it is named by."""


class Module(NamedTuple):
    """One module of the package."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def room(self) -> str:
        """The room it belongs to; `door` for the package itself."""
        return ROOMS.get(self.name) or (self.name.split(".")[1] if "." in self.name else "door")


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the package."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text()
        found.append(Module(name, path, text, ast.parse(text)))
    return tuple(found)


def imports(module: Module) -> Iterator[tuple[str, int]]:
    """Every module that `module` imports, wherever in it, with the line; imports for type checkers count too."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.name}:{node.lineno} imports relatively"
            assert node.module is not None
            for alias in node.names:
                yield _resolved(node.module, alias.name), node.lineno


def _resolved(module: str, name: str) -> str:
    whole = f"{module}.{name}"
    return whole if any(each.name == whole for each in modules()) else module


def strings(module: Module) -> Iterator[tuple[str, int]]:
    """Every string literal of `module` that is no docstring, with its line."""
    docstrings = set()
    for node in ast.walk(module.tree):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            # A string that stands alone documents what is above it.
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                docstrings.add(id(statement.value))
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value, node.lineno


def calls(module: Module) -> Iterator[tuple[str, ast.Call]]:
    """Every call in `module`, by the dotted name of what is called."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node
