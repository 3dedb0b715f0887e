"""The official conformance suites, run by their own Node: what they find, without what no two runs have in common."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.stack.programs import miss

SESSION = "suite-session"
"""0.1.16, for versions of the protocol with sessions."""
STATELESS = "suite-stateless"
"""0.2.0-alpha.12, for those versions and 2026-07-28."""
LOCK = Path(__file__).with_name("package-lock.json")

PASSING = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", "TIME"),
    (r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", "TIME"),
    (r"(127\.0\.0\.1|localhost):\d+", "HOST"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID"),
    (r"\b[0-9a-f]{32}\b", "ID"),
    (r"\b1\d{12}\b", "TIME"),
    (r"\bv1\.[\w-]{40,}", "SEALED"),
)
"""Patterns of what is another in each run, and what is compared instead."""
OWN = ("traceparent", "actualDelayMs")
"""What each run has of its own, by its key: the context that a watched sender adds to a message, a delay."""
A_TIME = 10**12
"""A number beyond it is milliseconds since 1970, which the suite takes as an id."""

Checks = dict[str, list[Any]]


def home() -> Path:
    """Where `make conformance` has put the suites of the lock as it is now."""
    cache = Path(os.environ.get("MCP_OTEL_CACHE") or "~/.cache/mcp-otel").expanduser()
    path = cache / f"conformance-{sha256(LOCK.read_bytes()).hexdigest()[:16]}"
    if not (path / ".made").exists():
        miss(f"the conformance suites are not installed (make conformance; they were looked for in {path})")
    return path


def run(suite: str, words: list[str], out: Path, env: Mapping[str, str] | None = None) -> tuple[int, Checks]:
    """The exit status of `suite` with `words`, and its findings, scenario by scenario, left in the folder `out`."""
    installed = home() / "node_modules"
    node = shutil.which("node", path=os.pathsep.join((str(installed / ".bin"), os.environ.get("PATH", ""))))
    if node is None:
        miss("Node 22 or newer is not installed")
    done = subprocess.run(
        [node, str(installed / suite / "dist" / "index.js"), *words, "--output-dir", str(out)],
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
        check=False,
    )
    (out / "said.txt").write_text(done.stdout)
    found = {scenario(path): plain(json.loads(path.read_text())) for path in out.rglob("checks.json")}
    return done.returncode, {name: ordered(checks) for name, checks in found.items()}


def ordered(checks: list[Any]) -> list[Any]:
    """`checks` as they came, then what was merely noted, sorted: GET and POST of a client race on two connections."""
    noted = sorted((check for check in checks if check["status"] == "INFO"), key=json.dumps)
    return [check for check in checks if check["status"] != "INFO"] + noted


def scenario(path: Path) -> str:
    """The scenario whose findings are in the file `path`."""
    return re.sub(r"-\d{4}-\d\d-\d\dT.*", "", path.parent.name)


def plain(value: Any) -> Any:
    """`value` without what no two runs have in common."""
    if isinstance(value, dict):
        found = {key: plain(inside) for key, inside in value.items() if key not in OWN}
        # A message that has nothing else gets them for the context.
        return {key: inside for key, inside in found.items() if inside or key not in ("params", "_meta")}
    if isinstance(value, list):
        return [plain(inside) for inside in value]
    if isinstance(value, int) and value > A_TIME:
        return "TIME"
    if isinstance(value, str):
        for pattern, instead in PASSING:
            value = re.sub(pattern, instead, value)
    return value


def differences(one: Any, other: Any, place: str = "") -> list[str]:
    """Where `one` and `other`, of plain data, are not the same, and how."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted(set(one) | set(other))
        return [each for key in keys for each in differences(one.get(key), other.get(key), f"{place}/{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [each for at, pair in pairs for each in differences(*pair, f"{place}/{at}")]
    return [] if one == other else [f"{place}: {one!r:.300} is not {other!r:.300}"]


def count(checks: Checks, status: str) -> int:
    """How many of `checks` have this status."""
    return sum(check["status"] == status for scenario in checks.values() for check in scenario)
