"""Every patch release from the floor on takes every hook, says nothing, and gets every original back."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distributions, version
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from mcp_otel.seams import SEAMS
from tests.house.source import ROOT
from tests.promises.hosts import LINE
from tests.versions.releases import ALL, EARLIER, NEWEST, chosen, minor, place

LIMIT = "mcp.server.transport_security.RequestBodyLimitMiddleware.__call__"
MANAGER = "mcp.server.streamable_http_manager"
BEFORE: tuple[tuple[str, str, str | None], ...] = (
    # below which release, a hook of the newest: where it went then, None if nowhere; the first that fits
    ("1.29.0", LIMIT, f"{MANAGER}.StreamableHTTPSessionManager.handle_request"),
    ("1.29.1", LIMIT, f"{MANAGER}.RequestBodyLimitMiddleware.__call__"),
    ("2.1.0", LIMIT, f"{MANAGER}.RequestBodyLimitMiddleware.__call__"),
    ("2.1.0", "mcp.server._streamable_http_modern._acknowledge_notification", None),
)


def probe(env: dict[str, str] | None = None) -> dict[str, Any]:
    """What the probe says, of the release that `env` chooses."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.versions.probe"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@pytest.fixture(scope="module")
def newest() -> dict[str, Any]:
    return probe()


def test_the_newest_is_the_one_that_the_seams_were_read_from(newest: dict[str, Any]) -> None:
    assert newest["version"] == NEWEST == SEAMS["mcp"][LINE][1]
    assert newest["lines"] == []
    assert len(newest["hooked"][0]) > 20


@pytest.mark.parametrize("release", EARLIER)
def test_every_hook_goes_in_and_comes_out_again(release: str, newest: dict[str, Any]) -> None:
    there = [sorted(filter(None, (named(name, release) for name in names))) for names in newest["hooked"]]
    assert probe(chosen(release)) == {"version": release, "hooked": there, "left": [[], []], "lines": []}


def named(hook: str, release: str) -> str | None:
    """Where a hook of the newest release goes in `release`."""
    for below, name, before in BEFORE:
        if name == hook and minor(below)[0] == LINE and Version(release) < Version(below):
            return before
    return hook


@pytest.mark.parametrize("release", EARLIER)
def test_the_environment_has_what_the_release_asks_for(release: str) -> None:
    found = list(distributions(path=[str(place(release))]))
    own = {each.name: each.version for each in found}
    assert own == dict.fromkeys(("mcp", "mcp-types") if LINE == 2 else ("mcp",), release)
    asked = [Requirement(text) for each in found for text in each.requires or ()]
    asked = [each for each in asked if each.marker is None or each.marker.evaluate({"extra": ""})]
    assert {str(each): has(each, own) for each in asked if not fits(each, has(each, own))} == {}


def has(asked: Requirement, own: dict[str, str]) -> str | None:
    """The version that there is of what is asked for."""
    try:
        return own.get(asked.name) or version(asked.name)
    except PackageNotFoundError:
        return None


def fits(asked: Requirement, there: str | None) -> bool:
    return there is not None and asked.specifier.contains(there, prereleases=True)


def test_no_minor_line_is_left_out_between_the_floor_and_the_newest() -> None:
    floor = re.search(r'"mcp>=(\d+)\.(\d+)"', (ROOT / "pyproject.toml").read_text())
    assert floor is not None
    least = {1: (int(floor[1]), int(floor[2])), 2: (2, 0)}
    for line, (_, read) in SEAMS["mcp"].items():
        tried = {minor(release) for release in (*ALL, read) if minor(release)[0] == line}
        assert tried == {(line, number) for number in range(least[line][1], minor(read)[1] + 1)}
