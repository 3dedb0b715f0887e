"""The commands of `mcp-otel`: one module each, with `describe(parser)` and `run(args) -> exit status`."""

from __future__ import annotations

from types import ModuleType

from mcp_otel.commands import demo, doctor, run

COMMANDS: dict[str, ModuleType] = {"run": run, "doctor": doctor, "demo": demo}
"""In the order of the help. The first paragraph of a module's `ABOUT` is its line there."""
