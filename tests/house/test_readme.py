"""The commands in README work as they stand: each line of its ```sh blocks is run beside a small server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.source import PACKAGE, ROOT

README = ROOT / "README.md"
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
ELSEWHERE = ("pip install", "make ", "docker compose")
"""Run by make themselves, from a built wheel; the compose file has tests of its own."""
SERVER = """\
try:
    from mcp.server.mcpserver import MCPServer as Server
except ImportError:
    from mcp.server.fastmcp import FastMCP as Server
Server("readme").run()
"""


def commands() -> list[str]:
    if not README.exists():
        return []
    lines = [line.strip() for block in BLOCK.findall(README.read_text()) for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith(("#", *ELSEWHERE))]


@pytest.mark.skipif(not README.exists(), reason="there is no README.md yet")
def test_readme_has_commands() -> None:
    assert commands() != []


@pytest.mark.parametrize("command", commands() or [pytest.param("", marks=pytest.mark.skip("there is no README.md"))])
def test_a_command_of_readme_works(command: str, tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "mcp_otel", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "server.py").write_text(SERVER)
    ours = tmp_path / "bin" / "mcp-otel"
    ours.parent.mkdir()
    ours.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mcp_otel "$@"\n')
    ours.chmod(0o755)
    beside = str(Path(sys.executable).parent)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "MCP_OTEL_"))}
    done = subprocess.run(
        ["sh", "-eu", "-c", command],
        cwd=tmp_path,
        env={
            **inherited,
            "PATH": os.pathsep.join((str(ours.parent), beside, os.environ.get("PATH", ""))),
            "PYTHONPATH": str(tmp_path),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if command.startswith("mcp-otel doctor"):
        assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "healthy"), done.stdout
        return
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "mcp-otel: " in done.stderr
