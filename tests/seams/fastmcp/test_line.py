"""A line of FastMCP is hooked as a whole or not at all, the SDK below it either way; what goes in comes out."""

from __future__ import annotations

from importlib import import_module, metadata
from typing import Any

import pytest

import mcp_otel
from mcp_otel.seams import SEAMS, _missing
from tests.promises.originals import Originals, changed, originals
from tests.promises.watching import Watched, start
from tests.seams.fastmcp.conftest import LINE
from tests.seams.fastmcp.servers import child, talk

ROOM, READ = SEAMS["fastmcp"][LINE]
HOOKED = tuple(name for name in import_module(ROOM).MODULES if not _missing(name))


def held() -> Originals:
    """What FastMCP's hooked modules and the classes in them hold."""
    for name in HOOKED:
        import_module(name)
    return {place: each for place, each in originals(HOOKED, ("fastmcp.",)).items() if place[0] in HOOKED}


def hooks() -> dict[str, tuple[Any, str]]:
    """Every attribute that the line's seams replace, by its full name."""
    before = held()
    mcp_otel.instrument(level="metrics")
    names = {
        ".".join(part for part in (*place, name) if part): (owner, name)
        for place, (owner, own) in before.items()
        for name in own
        if vars(owner).get(name) is not own[name]
    }
    mcp_otel.uninstrument()
    return names


REPLACED = hooks()
OPTIONAL = {"fastmcp.server.providers.base.Provider.get_tool_by_hash", "fastmcp.server.sampling.run.get_tracer"}
"""What an older release of the line does without."""


def test_every_module_of_the_table_is_hooked_and_put_back() -> None:
    before = held()
    mcp_otel.instrument()
    hooked = changed(before, ("fastmcp.",))
    mcp_otel.uninstrument()
    assert changed(before, ("fastmcp.",)) == []
    missing = {name for name in HOOKED if not any(place.startswith(f"{name}.") for place in hooked)}
    assert missing <= {"fastmcp.server.providers.base", "fastmcp.server.sampling.run"}


@pytest.mark.parametrize("name", sorted(REPLACED.keys() - OPTIONAL))
def test_one_missing_name_leaves_fastmcp_alone_and_the_sdk_hooked(name: str, bare: Watched) -> None:
    owner, attribute = REPLACED[name]
    restored = vars(owner)[attribute]
    delattr(owner, attribute)
    without = held()
    try:
        start(bare)
        left, lines = changed(without, ("fastmcp.",)), bare.lines
    finally:
        setattr(owner, attribute, restored)
    if hasattr(super(owner, owner) if isinstance(owner, type) else object(), attribute):
        return  # looked up in a base class: nothing is missing
    assert left == []
    assert len(lines) == 1
    assert lines[0].startswith(f"mcp-otel leaves fastmcp {metadata.version('fastmcp')} alone: ")
    assert attribute in lines[0]
    assert f"It knows fastmcp up to {READ}" in lines[0]
    talk(child(), ("add", {"a": 1, "b": 2}))
    ours = [span.name for span in bare.servers if span.instrumentation_scope.name == "mcp_otel"]  # type: ignore[union-attr]
    assert [name for name in ours if name.startswith("tools/call")] != []


def test_a_line_that_nobody_knows_leaves_the_sdk_hooked(bare: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    from mcp_otel import seams

    real = seams._version
    monkeypatch.setattr(seams, "_version", lambda name: "9.0.0" if name == "fastmcp" else real(name))
    monkeypatch.setitem(SEAMS, "fastmcp", {8: ("tests.seams.fastmcp.unknown_line", "8.0.0")})
    start(bare, phase_spans="off")
    talk(child(), ("add", {"a": 1, "b": 2}))
    assert len(bare.lines) == 1
    assert bare.lines[0].startswith("mcp-otel leaves fastmcp 9.0.0 alone: fastmcp.nowhere is missing. ")
    assert bare.lines[0].endswith("Its messages are observed all the same.")
    assert "CLIENT tools/call" in {f"{span.kind.name} {span.name.split(' ')[0]}" for span in bare.spans}


def test_without_fastmcp_nothing_is_said(bare: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    from mcp_otel import seams

    real, before = seams._version, held()
    monkeypatch.setattr(seams, "_version", lambda name: None if name == "fastmcp" else real(name))
    start(bare)
    assert (changed(before, ("fastmcp.",)), bare.lines) == ([], [])


def test_what_fastmcp_itself_is_made_of_may_be_installed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from mcp_otel import seams

    def version(name: str) -> str:
        if name == "fastmcp-slim":
            return "3.4.10"
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    assert seams._version("fastmcp") == "3.4.10"
    assert seams._version("nothing") is None
