"""Every release of the SDK that is tried beside the newest of each line: where `make` put it, and how it is chosen."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.house.source import ROOT

NEWEST = version("mcp")
"""What this environment has."""
ALL = tuple((Path(__file__).parent / "releases.txt").read_text().split())
EARLIER = tuple(release for release in ALL if release.partition(".")[0] == NEWEST.partition(".")[0])
"""Those of the line at hand, in their order."""
PLACE = Path(os.environ.get("MCP_OTEL_VENVS", ROOT / ".venvs")) / "releases"


def minor(release: str) -> tuple[int, int]:
    """The minor line that `release` belongs to."""
    first, second, *_ = release.split(".")
    return int(first), int(second)


LAST = tuple({minor(release): release for release in EARLIER}.values())
"""The last release of each earlier minor line."""


def place(release: str) -> Path:
    """Where `release` is; a visible skip where it is not there, except where all is checked."""
    found = PLACE / release
    if not found.exists() and not os.environ.get("CI"):
        pytest.skip(f"{found} is missing: make {PLACE.parent.name}/releases/.made, or set MCP_OTEL_VENVS")
    return found


def chosen(release: str) -> dict[str, str]:
    """The environment in which Python finds `release` before the one that is installed."""
    paths = (str(place(release)), str(ROOT), os.environ.get("PYTHONPATH", ""))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
