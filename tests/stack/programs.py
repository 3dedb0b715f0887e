"""Programs of the stack that tests run: found, or a visible skip; in CI, a failure."""

from __future__ import annotations

import os
import shutil
from hashlib import sha256
from pathlib import Path
from typing import NoReturn

import pytest

PACKAGES = {
    "promtool": "prometheus",
    "prometheus": "prometheus",
    "amtool": "prometheus-alertmanager",
    "alertmanager": "prometheus-alertmanager",
    "prometheus-alertmanager": "prometheus-alertmanager",
}
"""Where Debian has them."""
MANIFEST = Path(__file__).parents[2] / "collector" / "builder.yaml"


def collector() -> str:
    """The path of the Collector that `make collector` has built from the manifest as it is now."""
    cache = Path(os.environ.get("MCP_OTEL_CACHE") or "~/.cache/mcp-otel").expanduser()
    path = cache / f"otelcol-{sha256(MANIFEST.read_bytes()).hexdigest()[:16]}" / "build" / "otelcol" / "otelcol-mcp"
    if not path.exists():
        miss(f"the Collector is not built (make collector; it was looked for in {path.parents[2]})")
    return str(path)


def need(*names: str) -> str:
    """The path of the first of `names` that is there."""
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is not None:
        return found
    packages = sorted({PACKAGES.get(name, name) for name in names})
    reason = f"{' or '.join(names)} is not installed (Debian: apt-get install {' '.join(packages)})"
    return miss(reason)


def miss(reason: str) -> NoReturn:
    """Skip for `reason`; in CI, fail."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
