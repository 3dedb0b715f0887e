"""What the SDK's modules and classes hold, by identity: the same before us and after us."""

from __future__ import annotations

import inspect
import sys
from importlib import import_module
from typing import Any

from mcp_otel.seams import SEAMS
from tests.promises.hosts import LINE

ABSENT = object()
OURS_TO_HOOK = ("mcp.", "mcp_types.")
"""Other modules (anyio) fill themselves lazily, so there only what was there counts."""
HOOKED: tuple[str, ...] = tuple(import_module(SEAMS["mcp"][LINE][0]).MODULES)
"""Every module of the installed line that a seam hooks."""
FACED = ("json", "jsonschema", "anyio", "pydantic_core", "mcp.types", "mcp_types")
"""Modules that a facade of ours stands in for."""
Originals = dict[tuple[str, str], tuple[Any, dict[str, Any]]]


def originals(names: tuple[str, ...] = HOOKED, ours: tuple[str, ...] = OURS_TO_HOOK) -> Originals:
    """Every attribute of every hooked module, of the classes in it, and of the modules it calls."""
    found: Originals = {}
    for name in names:
        module: Any = sys.modules.get(name)
        if module is None:
            continue
        found[name, ""] = module, _held(module)
        for value in list(vars(module).values()):
            if inspect.isclass(value) and value.__module__.startswith(ours):
                found[value.__module__, value.__qualname__] = value, _held(value)
            elif inspect.ismodule(value) and value.__name__ in FACED:
                found[value.__name__, ""] = value, _held(value)
    return found


def changed(before: Originals, ours: tuple[str, ...] = OURS_TO_HOOK) -> list[str]:
    """What is another object now than it was in `before`."""
    return [
        ".".join(part for part in (*place, name) if part)
        for place, (owner, held) in before.items()
        for name in sorted({*held, *_held(owner)} if place[0].startswith(ours) else held)
        if held.get(name, ABSENT) is not _held(owner).get(name, ABSENT)
    ]


def restore(before: Originals) -> None:
    """Put everything of `before` back, for the next test."""
    for place, (owner, held) in before.items():
        now = _held(owner)
        for name in {*held, *now} if place[0].startswith(OURS_TO_HOOK) else held:
            if name not in held:
                delattr(owner, name)
            elif held[name] is not now.get(name, ABSENT):
                setattr(owner, name, held[name])


def _held(owner: Any) -> dict[str, Any]:
    # Caches that Python and pydantic themselves fill as they go.
    passing = ("__warningregistry__", "__doc__", "__pydantic_", "__annotations_cache__", "__signature__")
    return {
        name: value
        for name, value in vars(owner).items()
        # The first instance of a class below typing.Protocol gives the class another __init__.
        if not name.startswith(passing) and (name != "__init__" or getattr(value, "__module__", "typing") != "typing")
    }
