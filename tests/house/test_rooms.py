"""Who may import whom: the table of rooms in how-it-works, read from every module's syntax."""

from __future__ import annotations

import sys

import pytest

from tests.house.source import Module, imports, modules

OWN = "mcp_otel"
API = {
    "opentelemetry",
    "opentelemetry.context",
    "opentelemetry.metrics",
    "opentelemetry.propagate",
    "opentelemetry.trace",
}
STATE = {"opentelemetry.metrics._internal"}
SDK = {"opentelemetry.sdk", "opentelemetry.exporter", "prometheus_client"}

MAY: dict[str, tuple[set[str], set[str]]] = {
    # room: other rooms of ours, libraries beside the standard library
    "errors": (set(), set()),
    "notice": (set(), set()),
    "version": (set(), set()),
    "methods": (set(), set()),
    "event": (set(), set()),
    "settings": ({"errors"}, set()),
    "names": ({"event", "methods"}, set()),
    "signals": ({"event", "methods", "settings", "names"}, API),
    "recorder": ({"event", "methods", "signals", "names", "settings"}, API),
    "seams": ({"event", "methods", "recorder", "errors"}, {"wrapt", *API}),
    "exit": ({"fork"}, set()),
    "fork": (set(), set()),
    "siblings": ({"fork"}, {"psutil"}),
    "export": ({"settings", "signals", "names", "version", "recorder", "exit", "fork"}, {*API, *STATE, *SDK}),
    "summary": ({"event", "methods", "recorder", "settings", "signals", "exit", "fork", "vitals"}, set()),
    "vitals": ({"settings", "signals", "names"}, {"psutil", "objgraph"}),
    "vendors": (set(), set()),
    "instrumentor": (
        {"settings", "exit", "fork", "export", "recorder", "seams", "signals", "names", "summary", "version", "errors"}
        | {"vitals", "vendors", "siblings"},
        API,
    ),
    "demo": (set(), {"mcp", "pydantic", "starlette", "uvicorn"}),
    "launcher": ({"instrumentor"}, {"opentelemetry.instrumentation"}),
    "bootstrap": ({"door", "doctor"}, {"sitecustomize"}),
    "doctor": (
        {"settings", "export", "recorder", "seams", "names", "version", "instrumentor", "vendors"},
        {"opentelemetry.proto", "opentelemetry.util", "psutil", "requests", "grpc", *API, *STATE},
    ),
    "door": ({"errors", "instrumentor", "settings", "version", "signals"}, API),
}
FREE = "commands"
"""May import anything; nothing may import it."""


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_a_room_imports_only_what_its_door_allows(module: Module) -> None:
    if module.room == FREE:
        return
    rooms, libraries = MAY[module.room]
    rooms_of = {each.name: each.room for each in modules()}
    wrong = []
    for name, line in imports(module):
        top = name.partition(".")[0]
        if top == OWN:
            room = rooms_of.get(name, "nowhere")
            allowed = room in (module.room, "notice") or room in rooms
        else:
            allowed = top in sys.stdlib_module_names or _covered(name, libraries)
        if not allowed:
            wrong.append(f"line {line} imports {name}")
    assert wrong == []


def _covered(name: str, libraries: set[str]) -> bool:
    if name in libraries:
        return True
    # The bare `opentelemetry` covers only itself, or it would let the SDK in.
    return any(name.startswith(library + ".") for library in libraries if library != "opentelemetry")


def test_nothing_imports_the_commands() -> None:
    assert [
        f"{module.name}:{line}"
        for module in modules()
        if module.room != FREE
        for name, line in imports(module)
        if name.startswith(("mcp_otel.commands", "mcp_otel.__main__"))
    ] == []


LINES = (
    ("mcp_otel.seams.sdk_v1", "mcp_otel.seams.sdk_v2"),
    tuple(f"mcp_otel.seams.fastmcp.line_{major}" for major in (2, 3, 4)),
)


def test_no_seam_of_one_line_imports_another() -> None:
    assert [
        f"{module.name}:{at} imports {name}"
        for module in modules()
        for lines in LINES
        for mine in lines
        if module.name.startswith(mine)
        for name, at in imports(module)
        if name.startswith(tuple(line for line in lines if line != mine))
    ] == []


def test_fastmcp_and_the_sdk_below_it_know_nothing_of_each_other() -> None:
    both = ("mcp_otel.seams.fastmcp", "mcp_otel.seams.sdk_v")
    assert [
        f"{module.name}:{at} imports {name}"
        for module in modules()
        for mine, other in (both, both[::-1])
        if module.name.startswith(mine)
        for name, at in imports(module)
        if name.startswith(other)
    ] == []


def test_only_the_seams_know_the_sdk_of_mcp() -> None:
    knowing = ("mcp", "mcp_types", "fastmcp")
    assert [
        f"{module.name}:{line} imports {name}"
        for module in modules()
        if module.room not in ("seams", "demo", FREE)
        for name, line in imports(module)
        if name.partition(".")[0] in knowing
    ] == []


def test_the_table_has_a_line_for_every_room_and_no_other() -> None:
    assert {module.room for module in modules()} - {FREE} == set(MAY)
