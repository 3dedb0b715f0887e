"""What this process has sent itself, as a client: how often, how often in vain, and how long it waited for answers."""

from __future__ import annotations

from mcp_otel.event import Event
from mcp_otel.summary import page
from mcp_otel.summary.sketch import Sketch

MAX_KINDS = 200
MAX_ROWS = 10
SHARES = (0.5, 0.95)
HEADINGS = ("", "sent", "failed", "p50", "p95")


class Sent:
    """Messages by (method, target) as the gate lets them be said: MAX_KINDS at most, the rest is only counted."""

    def __init__(self) -> None:
        self.messages = 0
        self._kinds: dict[tuple[str, str | None], _Kind] = {}

    def add(self, event: Event) -> None:
        """Count one message that is answered, or a notification that is on its way."""
        self.messages += 1
        if event.notification:
            return
        key = event.method, event.target
        kind = self._kinds.get(key)
        if kind is None:
            if len(self._kinds) >= MAX_KINDS:
                return
            kind = self._kinds[key] = _Kind()
        kind.count += 1
        kind.failed += event.fault is not None
        kind.sketch.add(event.duration)

    def clear(self) -> None:
        """Start at zero."""
        self.messages = 0
        self._kinds.clear()

    def lines(self, colour: bool = False) -> list[str]:
        """One line for each kind of request, the most frequent first; none when there was no request."""
        kinds = sorted(self._kinds.items(), key=lambda item: (-item[1].count, item[0][0], item[0][1] or ""))
        if not kinds:
            return []
        cells = [HEADINGS, *(_cells(*key, kind) for key, kind in kinds[:MAX_ROWS])]
        widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
        lines = [
            "  ".join(cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in enumerate(pairs))
            for pairs in (list(zip(line, widths, strict=True)) for line in cells)
        ]
        lines[0] = page.bold(lines[0]) if colour else lines[0]
        rest = kinds[MAX_ROWS:]
        if rest:
            lines.append(f"and {len(rest)} more: {page.plural(sum(kind.count for _, kind in rest), 'request')}")
        return lines


class _Kind:
    __slots__ = ("count", "failed", "sketch")

    def __init__(self) -> None:
        self.count = 0
        self.failed = 0
        self.sketch = Sketch()


def _cells(method: str, target: str | None, kind: _Kind) -> tuple[str, ...]:
    waits = (kind.sketch.percentile(share) for share in SHARES)
    name = method if target is None else target if method == "tools/call" else f"{method.partition('/')[0]}/{target}"
    times = ("-" if wait is None else page.time(wait).replace(" ", "") for wait in waits)
    return (name, page.count(kind.count), page.count(kind.failed) if kind.failed else "-", *times)
