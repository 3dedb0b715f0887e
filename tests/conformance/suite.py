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
)
"""Patterns of what is another in each run, and what is compared instead."""

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
    return done.returncode, {scenario(path): plain(json.loads(path.read_text())) for path in out.rglob("checks.json")}


def scenario(path: Path) -> str:
    """The scenario whose findings are in the file `path`."""
    return re.sub(r"-\d{4}-\d\d-\d\dT.*", "", path.parent.name)


def plain(value: Any) -> Any:
    """`value` without times, addresses and ids."""
    if isinstance(value, dict):
        return {key: plain(inside) for key, inside in value.items()}
    if isinstance(value, list):
        return [plain(inside) for inside in value]
    if isinstance(value, str):
        for pattern, instead in PASSING:
            value = re.sub(pattern, instead, value)
    return value


def count(checks: Checks, status: str) -> int:
    """How many of `checks` have this status."""
    return sum(check["status"] == status for scenario in checks.values() for check in scenario)
