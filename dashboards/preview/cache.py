"""Grafana's packages and the built page, outside the checkout: 600 MB that are installed once for a package lock."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dashboards.preview import programs

HERE = Path(__file__).parent
LOCK = HERE / "package-lock.json"
PAGE = ("index.html", "vite.config.js", "tsconfig.json", "src")
"""What the page is built from."""


class CommandError(Exception):
    """A program that was needed ended badly; the message is its own output."""


def folder() -> Path:
    """Where things that are made once are kept: `MCP_OTEL_CACHE`, else `~/.cache/mcp-otel`."""
    return Path(os.environ.get("MCP_OTEL_CACHE") or Path.home() / ".cache" / "mcp-otel")


def packages() -> Path:
    """The folder with `node_modules` as package-lock.json has it; installed if it is not there."""
    kept = folder() / f"preview-{_hash([LOCK])}"
    return _made(kept, _install)


def prepare() -> Path:
    """The folder of the built page; packages are installed and the page is built if they are not there."""
    installed = packages()
    return _made(installed / f"page-{_hash(_sources())}", lambda made: _build(installed, made)) / "dist"


def run(command: list[str], cwd: Path, what: str) -> str:
    """The program's output; `CommandError` with it when the program ended badly."""
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise CommandError(f"{what} failed:\n{done.stdout.strip()}")
    return done.stdout


def _install(made: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, made)
    # Scripts of packages are not run: nothing here needs what they would make.
    options = ["--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund"]
    run([programs.npm(), "ci", *options], made, "npm ci")


def _build(installed: Path, made: Path) -> None:
    for name in PAGE:
        source = HERE / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, made / name)
    run([programs.node(), str(installed / "node_modules/vite/bin/vite.js"), "build"], made, "vite build")


def _made(kept: Path, make: Callable[[Path], None]) -> Path:
    """What `make` makes, under its name only when it is complete, however many ask for it at once."""
    with _alone(kept):
        if not kept.exists():
            with tempfile.TemporaryDirectory(prefix=f"{kept.name}-", dir=kept.parent) as scratch:
                half = Path(scratch) / "half"
                half.mkdir()
                make(half)
                half.rename(kept)
    return kept


@contextmanager
def _alone(kept: Path) -> Iterator[None]:
    kept.parent.mkdir(parents=True, exist_ok=True)
    with (kept.parent / f".{kept.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sources() -> list[Path]:
    roots = [HERE / name for name in PAGE]
    return sorted(path for root in roots for path in ([root] if root.is_file() else root.rglob("*")) if path.is_file())


def _hash(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.relative_to(HERE)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    print(prepare())
