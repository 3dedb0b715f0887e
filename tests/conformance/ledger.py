"""What was really sent, by the count of the servers and clients themselves."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

UNKNOWN = ("unknown/method",)
"""Methods of the suite that no protocol has."""
MISDIRECTED, NOT_FOUND = 421, 404

Sent = Counter[tuple[str, str | None]]


def sent(path: Path) -> Sent:
    """How often each message, as its method and id, got past the door of HTTP, by the ledger in the file `path`."""
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    bodies = [json.loads(line["body"]) for line in lines if not refused(line)]
    return Counter(
        (
            "_other" if body["method"] in UNKNOWN else body["method"],
            None if (id_ := body.get("id")) is None else str(id_),
        )
        for body in bodies
        if "method" in body
    )


def refused(line: dict[str, Any]) -> bool:
    """Whether nobody read what was sent: the host was wrong, or the session is over."""
    status = line.get("status")
    return status == MISDIRECTED or (status == NOT_FOUND and line["in_session"])


def said(spans: list[dict[str, Any]]) -> Sent:
    """The same, as `spans` have it."""
    attributes = [span["attributes"] for span in spans]
    return Counter((each["mcp.method.name"], each.get("jsonrpc.request.id")) for each in attributes)
