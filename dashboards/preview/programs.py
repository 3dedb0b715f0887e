"""Programs and packages that the preview needs and does not bring along."""

from __future__ import annotations

import os
import shutil


class MissingToolError(Exception):
    """Something that must be installed first; the message says what."""


CHROMIUM = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "headless_shell")


def npm() -> str:
    """Npm's path; Node comes with it."""
    if shutil.which("node") is None:
        raise MissingToolError("node is not on the PATH: install Node.js 20 or newer")
    return _program("npm", "install Node.js 20 or newer with npm")


def node() -> str:
    """Node's path."""
    return _program("node", "install Node.js 20 or newer")


def chromium() -> str:
    """A Chromium's path: `MCP_OTEL_CHROMIUM`, else the first there is."""
    named = os.environ.get("MCP_OTEL_CHROMIUM")
    if named:
        return _program(named, "MCP_OTEL_CHROMIUM must name a Chromium")
    for name in CHROMIUM:
        found = shutil.which(name)
        if found:
            return found
    raise MissingToolError(
        "chromium is not on the PATH: install it (apt-get install chromium) or set MCP_OTEL_CHROMIUM"
    )


def _program(name: str, advice: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise MissingToolError(f"{name} is not on the PATH: {advice}")
    return found
