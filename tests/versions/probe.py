"""A release of the SDK is hooked while it is imported, and again once it is there; each time all comes out again.

Run by itself, it says in JSON what came of it.
"""

from __future__ import annotations

import json
import logging
import sys
from importlib import import_module
from importlib.metadata import version
from typing import Any

import wrapt

from mcp_otel import seams
from mcp_otel.recorder import Recorder
from mcp_otel.settings import Settings
from tests.promises.originals import HOOKED, Originals, changed, originals

before: Originals = {}


class Ear(logging.Handler):
    """Keeps what mcp-otel says aloud."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def remember(module: Any) -> None:
    """What a module held before anybody hooked it."""
    for place, held in originals((module.__name__,)).items():
        before.setdefault(place, held)


def main() -> None:
    ear = Ear()
    logging.getLogger("mcp_otel").addHandler(ear)
    assert not [name for name in HOOKED if name in sys.modules], "something has imported mcp already"
    for name in HOOKED:
        wrapt.register_post_import_hook(remember, name)
    hooked, left = [], []
    for _ in range(2):
        undo = seams.install(Recorder(Settings()))
        for name in HOOKED:
            import_module(name)
        hooked.append(sorted(changed(before)))
        undo()
        left.append(changed(before))
    print(json.dumps({"version": version("mcp"), "hooked": hooked, "left": left, "lines": ear.lines}))


if __name__ == "__main__":
    main()
