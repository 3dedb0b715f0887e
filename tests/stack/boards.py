"""The queries of the rendered boards, as Grafana would send them with every variable at All."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RENDERED = Path(__file__).parents[2] / "dashboards" / "rendered"
GIVEN = {"__rate_interval": "1m", "__range": "5m", "__interval": "15s", "earlier": "1m"}


def queries() -> Iterator[tuple[str, str, str]]:
    """Board, panel and expression of every query."""
    for path in sorted(RENDERED.glob("*.json")):
        for panel in _panels(json.loads(path.read_text())["panels"]):
            for target in panel.get("targets", []):
                yield path.stem, panel["title"], _filled(target["expr"])


def _panels(panels: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for panel in panels:
        yield panel
        yield from _panels(panel.get("panels", []))


def _filled(expression: str) -> str:
    return re.sub(r"\$\{?(\w+)(?::\w+)?\}?", lambda found: GIVEN.get(found[1], ".*"), expression)
