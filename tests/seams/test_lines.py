"""A line of a library is hooked as a whole or not at all; one we do not know is left alone with one clear warning."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest

import mcp_otel
from mcp_otel import seams
from mcp_otel.recorder import Recorder
from mcp_otel.settings import Settings
from tests.house.source import ROOT
from tests.promises import hosts
from tests.promises.originals import HOOKED, Originals, changed, originals, restore
from tests.promises.watching import providers, start

VERSION = seams._version("mcp")
READ = seams.SEAMS["mcp"][hosts.LINE][1]


@pytest.fixture
def before() -> Iterator[Originals]:
    for name in HOOKED:
        import_module(name)
    held = originals()
    yield held
    mcp_otel.uninstrument()
    restore(held)


def hooks() -> dict[str, tuple[Any, str]]:
    """Every attribute that the installed line's seams replace, by its full name."""
    for name in HOOKED:
        import_module(name)
    held = originals()
    undo = seams.install(Recorder(Settings()))
    names = {
        ".".join(part for part in (*place, name) if part): (owner, name)
        for place, (owner, own) in held.items()
        for name in own
        if vars(owner).get(name) is not own[name]
    }
    undo()
    return names


REPLACED = hooks()
OPTIONAL = {"mcp.server._streamable_http_modern._acknowledge_notification"}
"""What an older release of the line has no need of."""
METHODS = {name: found for name, found in REPLACED.items() if inspect.isfunction(vars(found[0])[found[1]])}


def test_many_names_are_hooked() -> None:
    assert len(REPLACED) >= 15
    assert len(METHODS) >= 10


@pytest.mark.parametrize("name", sorted(REPLACED.keys() - OPTIONAL))
def test_one_missing_name_leaves_everything_alone_and_is_named_once(name: str, before: Originals) -> None:
    owner, attribute = REPLACED[name]
    restored = vars(owner)[attribute]
    delattr(owner, attribute)
    without = originals()
    try:
        inherited = hasattr(owner, attribute)
        with providers() as watched:
            start(watched)
            left, lines = changed(without), watched.lines
    finally:
        setattr(owner, attribute, restored)
    if inherited:
        return  # looked up in a base class: nothing is missing
    assert left == []
    assert len(lines) == 1
    assert lines[0].startswith(f"mcp-otel leaves mcp {VERSION} alone: ")
    assert attribute in lines[0]
    assert f"It knows mcp up to {READ}" in lines[0]


@pytest.mark.parametrize("name", METHODS)
def test_one_function_with_other_parameters_leaves_everything_alone_and_is_named_once(
    name: str, before: Originals
) -> None:
    owner, attribute = METHODS[name]
    restored = vars(owner)[attribute]

    def changed_since(everything: Any) -> Any:
        return restored(everything)

    changed_since.__module__, changed_since.__qualname__ = restored.__module__, restored.__qualname__
    setattr(owner, attribute, changed_since)
    other = originals()
    try:
        with providers() as watched:
            start(watched)
            left, lines = changed(other), watched.lines
    finally:
        setattr(owner, attribute, restored)
    if lines == [] and attribute in UNCHECKED:
        return
    assert left == []
    assert len(lines) == 1
    assert attribute in lines[0]


UNCHECKED = {"_tool_input_schema", "_mcp_param_rejection"}
"""Hooks that pass on whatever they get, so any parameters do."""


def test_a_module_that_fits_nowhere_names_what_it_lacks(before: Originals) -> None:
    real = {name: sys.modules[name] for name in HOOKED}
    try:
        for name in HOOKED:
            sys.modules[name] = ModuleType(name)
        with providers() as watched:
            start(watched)
            lines = watched.lines
    finally:
        sys.modules.update(real)
    assert len(lines) == 1
    assert lines[0].startswith(f"mcp-otel leaves mcp {VERSION} alone: ")
    assert "AttributeError" not in lines[0]
    assert changed(before) == []


def test_a_major_version_we_do_not_know_is_tried_and_left_alone_when_it_does_not_fit(
    before: Originals, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = hosts.tell("pipe")
    monkeypatch.setattr(seams, "_version", lambda _: "3.0.0")
    monkeypatch.setattr(seams, "SEAMS", {"mcp": {3 - hosts.LINE: seams.SEAMS["mcp"][3 - hosts.LINE]}})
    with providers() as watched:
        start(watched)
        assert changed(before) == []
        assert hosts.tell("pipe") == bare
        assert watched.spans == []
        assert len(watched.lines) == 1
        assert "leaves mcp 3.0.0 alone" in watched.lines[0]
        assert " is missing. " in watched.lines[0]
        assert f"up to {seams.SEAMS['mcp'][3 - hosts.LINE][1]}" in watched.lines[0]


@pytest.mark.parametrize("version", ["", "nonsense", "2", f"{hosts.LINE}.999.0", f"{hosts.LINE}.0.0rc1"])
def test_an_odd_version_breaks_nothing(version: str, before: Originals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seams, "_version", lambda _: version)
    with providers() as watched:
        start(watched)
        hosts.tell("pipe")
        assert len(watched.lines) <= 1
    mcp_otel.uninstrument()
    assert changed(before) == []


def test_without_the_library_nothing_is_hooked_and_nothing_said(
    before: Originals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seams, "_version", lambda _: None)
    with providers() as watched:
        start(watched)
        assert (changed(before), watched.lines) == ([], [])


SPOILT = {
    1: ("mcp.server.streamable_http", "del module.StreamableHTTPServerTransport._create_event_data"),
    2: ("mcp.server.streamable_http_manager", "del module.handle_modern_request"),
}
IMPORTED_LATER = """
import sys
sys.path.insert(0, {root!r})
import logging, wrapt
lines = []
logging.getLogger("mcp_otel").addHandler(type("Ear", (logging.Handler,), {{"emit": lambda _, r: lines.append(r)}})())
from tests.promises.originals import HOOKED, changed, originals
before = {{}}
def spoil(module):
    {spoil}
wrapt.register_post_import_hook(spoil, {module!r})
for name in HOOKED:
    wrapt.register_post_import_hook(
        lambda module: [before.setdefault(*item) for item in originals((module.__name__,)).items()], name
    )
import mcp_otel
mcp_otel.instrument()
for name in HOOKED:
    __import__(name)
print(len(lines), changed(before))
"""


def test_a_line_that_turns_out_unknown_on_import_is_left_alone_as_a_whole() -> None:
    module, spoil = SPOILT[hosts.LINE]
    script = IMPORTED_LATER.format(root=str(ROOT), module=module, spoil=spoil)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "1 []\n"), done.stderr
