"""The only code that knows a library: each seam installs by patches that know their own undo.

A line of the SDK is hooked as its modules are imported, in whatever order; one that does not look as expected is left
alone as a whole, with one clear warning.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import wrapt

from mcp_otel.errors import MisfitError
from mcp_otel.notice import warn
from mcp_otel.recorder import Recorder
from mcp_otel.seams.patch import Patches

Install = Callable[[Any, Recorder, Patches], None]

SDK = "mcp"

SEAMS: dict[str, dict[int, tuple[str, str]]] = {
    SDK: {
        1: ("mcp_otel.seams.sdk_v1", "1.30.0"),
        2: ("mcp_otel.seams.sdk_v2", "2.3.0"),
    },
    "fastmcp": {
        2: ("mcp_otel.seams.fastmcp.line_2", "2.14.7"),
        3: ("mcp_otel.seams.fastmcp.line_3", "3.4.10"),
        4: ("mcp_otel.seams.fastmcp.line_4", "4.1.2"),
    },
    "uvicorn": {0: ("mcp_otel.seams.uvicorn", "0.54.0")},
}
"""Distribution, major version: our room for it, and the newest version that it was read from."""


def install(recorder: Recorder) -> Callable[[], None]:
    """Hook every library in the table that is installed here; what it returns puts all of it back."""
    undos = [
        Line(distribution, version, lines, recorder).install()
        for distribution, lines in SEAMS.items()
        if (version := _version(distribution)) is not None
    ]

    def undo() -> None:
        for line in undos:
            line()

    return undo


class Line:
    """The hooks into one line of one library: all of them, or none."""

    def __init__(self, library: str, version: str, lines: Mapping[int, tuple[str, str]], recorder: Recorder) -> None:
        self._library, self._version, self._recorder = library, version, recorder
        first = version.partition(".")[0]
        major = int(first) if first.isdigit() else max(lines)
        self._known = major in lines
        room, self._read = lines.get(major, lines[max(lines)])
        self._modules: dict[str, Install] = import_module(room).MODULES
        self._undos: list[Callable[[], None]] = []
        self._active = True

    def install(self) -> Callable[[], None]:
        """Hook what is imported already, and the rest when it will be."""
        if not self._known and (gone := next(filter(_missing, self._modules), None)):
            self._leave_alone(f"{gone} is missing")
            return self.undo
        for name in self._modules:
            if name in sys.modules:
                self._hook(name, sys.modules[name])
            else:
                wrapt.register_post_import_hook(partial(self._hook, name), name)
        return self.undo

    def undo(self) -> None:
        """Put every original object back; modules that are imported later are left alone."""
        self._active = False
        while self._undos:
            self._undos.pop()()

    def _hook(self, name: str, module: Any) -> None:
        if not self._active:
            return
        try:
            patches = Patches()
            self._undos.append(patches.undo)
            self._modules[name](module, self._recorder, patches)
        except Exception as error:
            self.undo()
            told = isinstance(error, MisfitError | AttributeError)
            self._leave_alone(str(error) if told else f"{type(error).__name__} in {name}")

    def _leave_alone(self, reason: str) -> None:
        beside = "Its messages are observed all the same." if self._library != SDK else "The server runs unobserved."
        warn(
            "mcp-otel leaves %s %s alone: %s. It knows %s up to %s; a newer mcp-otel may know this one. %s",
            self._library,
            self._version,
            reason,
            self._library,
            self._read,
            beside,
        )


def _missing(name: str) -> bool:
    """Whether there is no such module; found without importing anything of the library."""
    top, *rest = name.split(".")
    try:
        spec = find_spec(top)
    except ValueError:
        return False
    places = [Path(place, *rest) for place in (spec.submodule_search_locations or ())] if spec is not None else []
    return not any(place.with_suffix(".py").exists() or (place / "__init__.py").exists() for place in places)


def _version(distribution: str) -> str | None:
    for name in (distribution, f"{distribution}-slim"):  # what `fastmcp` itself is made of may be installed alone
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None
