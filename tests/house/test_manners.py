"""What no module of the package does to its host: read its environment at will, or write on its stdout."""

from __future__ import annotations

import ast

import pytest

from tests.house.source import Module, calls, imports, modules

READERS = {"settings", "export", "bootstrap", "commands", "instrumentor"}
TERMINAL = {"NO_COLOR"}
"""The summary may ask for this one: it concerns the terminal, not us."""

PROGRAMS = ("commands", "demo", "doctor")
"""Rooms that are never inside a host."""


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_only_the_edge_reads_the_environment(module: Module) -> None:
    if module.room in READERS:
        return
    asked = {
        id(node.value): ast.literal_eval(call.args[0])
        for _, call in calls(module)
        if isinstance(node := call.func, ast.Attribute) and call.args and isinstance(call.args[0], ast.Constant)
    }
    wrong = [
        f"line {node.lineno}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute)
        and node.attr in ("environ", "environb", "getenv", "putenv")
        and not (module.room == "summary" and asked.get(id(node)) in TERMINAL)
    ]
    wrong += [f"imports {name}" for name, _ in imports(module) if name in ("os.environ", "os.getenv")]
    assert wrong == []


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_nothing_is_written_on_stdout(module: Module) -> None:
    if module.room in PROGRAMS:
        return
    printed = [
        f"line {call.lineno}"
        for name, call in calls(module)
        if name == "print" and not any(word.arg == "file" for word in call.keywords)
    ]
    used = [
        f"line {node.lineno}: {node.attr}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and node.attr in ("stdout", "__stdout__")
    ]
    assert printed + used == []


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_nobody_forces_a_collection_or_sleeps(module: Module) -> None:
    if module.room in PROGRAMS:
        return
    unwanted = ("gc.collect", "time.sleep", "sleep", "os._exit", "sys.exit", "breakpoint", "input")
    assert [f"line {call.lineno}: {name}" for name, call in calls(module) if name in unwanted] == []


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_every_thread_is_a_daemon(module: Module) -> None:
    threads = [call for name, call in calls(module) if name in ("Thread", "threading.Thread")]
    assert [
        f"line {call.lineno}"
        for call in threads
        if not any(word.arg == "daemon" and ast.unparse(word.value) == "True" for word in call.keywords)
    ] == []
