"""Starts commands with and without `mcp-otel run`, as a shell would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import mcp_otel

HOME = str(Path(mcp_otel.__file__).resolve().parent.parent)
_MAIN = f"import sys; sys.path.insert(0, {HOME!r}); from mcp_otel.__main__ import main; sys.exit(main())"


def mcp_otel_command(*words: str) -> list[str]:
    """`mcp-otel words...`, by a Python that neither obeys nor hands on what steers the Python it starts."""
    return [sys.executable, "-I", "-c", _MAIN, *words]


def clean_environment(**more: str) -> dict[str, str]:
    """Ours without anything that would steer mcp-otel or bring it into a child's path."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MCP_OTEL_", "OTEL_")) and k != "PYTHONPATH"}
    return {**kept, **more}


def start(
    words: Sequence[str], environ: Mapping[str, str] | None = None, stdin: bytes = b"", cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run `words` to their end, by default in a folder from which nothing of ours can be imported."""
    environ = clean_environment() if environ is None else environ
    cwd = Path(sys.prefix) if cwd is None else cwd
    return subprocess.run(words, input=stdin, capture_output=True, env=environ, cwd=cwd, timeout=60, check=False)


def both(
    words: Sequence[str], environ: Mapping[str, str] | None = None, stdin: bytes = b"", cwd: Path | None = None
) -> tuple[subprocess.CompletedProcess[bytes], subprocess.CompletedProcess[bytes]]:
    """The same command without and with `mcp-otel run`."""
    return start(words, environ, stdin, cwd), start(mcp_otel_command("run", "--", *words), environ, stdin, cwd)
