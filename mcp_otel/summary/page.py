"""What a summary looks like: one heading, one line per tool or method, and what stands out. Text in, text out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from mcp_otel.event import PHASES, Fault, Phase
from mcp_otel.signals.totals import Tally

WIDTH = 100
BAR = 20
MAX_ROWS = 20

LETTERS: dict[Phase, str] = {
    "decode": "d",
    "validate": "v",
    "queue": "q",
    "handler": "h",
    "peer": "p",
    "encode": "e",
    "write": "w",
}
COLOURS: dict[Phase, int] = {
    "decode": 36,
    "validate": 33,
    "queue": 31,
    "handler": 32,
    "peer": 34,
    "encode": 35,
    "write": 37,
}
FAULTS: tuple[Fault, ...] = ("caller", "tool", "server")
OVERHEADS: dict[Phase, str] = {
    "decode": "reading its JSON",
    "validate": "validation of arguments and output",
    "queue": "waiting for its turn",
    "encode": "turning results into JSON",
    "write": "sending the answer: its transport, or a slow client",
}
HEADINGS = ("", "calls", "faults", "p50", "p95", "p99", "share", "where the time goes", "in", "out")
_NAME, _BAR = 0, 7
"""The columns that start at the left."""
_GAPS = (0, 1, 1, 1, 1, 1, 1, 2, 1, 1)


class Row(NamedTuple):
    """One (method, target), ready to be shown; percentiles in seconds, None where there are none."""

    method: str
    target: str | None
    tally: Tally
    percentiles: Sequence[float | None]

    @property
    def name(self) -> str:
        """A tool goes by its own name, everything else by its method."""
        if self.target is None:
            return self.method
        return self.target if self.method == "tools/call" else f"{self.method.partition('/')[0]}/{self.target}"


def table(rows: Sequence[Row], colour: bool = False) -> list[str]:
    """The lines of the table, the most time first; what is beyond MAX_ROWS is one line."""
    rows = sorted(rows, key=lambda row: (-row.tally.seconds, -row.tally.calls, row.name))
    shown, rest = rows[:MAX_ROWS], rows[MAX_ROWS:]
    whole = sum(row.tally.seconds for row in rows)
    cells = [HEADINGS, *(_cells(row, whole) for row in shown)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    widths[_NAME] = min(widths[_NAME], WIDTH - sum(widths[1:]) - sum(_GAPS))
    lines = [bold(_line(HEADINGS, widths)) if colour else _line(HEADINGS, widths)]
    for row in cells[1:]:
        name, bars = row[_NAME], row[_BAR]
        if len(name) > widths[_NAME]:
            lines.append(name)
            name = ""
        line = _line((name, *row[1:]), widths)
        lines.append(line.replace(bars, paint(bars)) if colour and bars else line)
    if rest:
        faults = sum(sum(row.tally.faults.values()) for row in rest)
        calls, seconds = sum(row.tally.calls for row in rest), sum(row.tally.seconds for row in rest)
        lines.append(
            f"and {len(rest)} more: {plural(calls, 'call')}, {plural(faults, 'fault')}, {time(seconds)} in all"
        )
    used = [phase for phase in PHASES if any(row.tally.phases.get(phase, 0.0) > 0 for row in shown)]
    if used:
        letters = (paint(LETTERS[phase]) if colour else LETTERS[phase] for phase in used)
        lines.append("where: " + "  ".join(f"{letter} {phase}" for letter, phase in zip(letters, used, strict=True)))
    if any(sum(row.tally.faults.values()) for row in shown):
        lines.append("faults: c the caller's, t the tool's, s the server's")
    return [*lines, "share: of all time spent on requests; in, out: bytes a call"]


def _cells(row: Row, whole: float) -> tuple[str, ...]:
    tally = row.tally
    share = f"{100 * tally.seconds / whole:.0f}%" if whole > 0 and tally.seconds > 0 else "-"
    return (
        row.name,
        count(tally.calls),
        " ".join(f"{count(tally.faults[who])}{who[0]}" for who in FAULTS if tally.faults.get(who)) or "-",
        *("-" if value is None else time(value).replace(" ", "") for value in row.percentiles),
        share,
        bar(tally.phases),
        size(tally.received / tally.calls).replace(" ", "") if tally.calls and tally.received else "-",
        size(tally.sent / tally.calls).replace(" ", "") if tally.calls and tally.sent else "-",
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    places = (
        " " * gap + (cell.ljust(width) if column in (_NAME, _BAR) else cell.rjust(width))
        for column, (cell, width, gap) in enumerate(zip(cells, widths, _GAPS, strict=True))
    )
    return "".join(places).rstrip()


def bar(phases: Mapping[Phase, float]) -> str:
    """The shares of `phases` (seconds) as BAR letters, rounded so that they add up; empty without time."""
    whole = sum(phases.values())
    if whole <= 0:
        return ""
    exact = {phase: BAR * phases.get(phase, 0.0) / whole for phase in PHASES}
    letters = {phase: int(length) for phase, length in exact.items()}
    by_rest = sorted(PHASES, key=lambda phase: letters[phase] - exact[phase])
    for phase in by_rest[: BAR - sum(letters.values())]:
        letters[phase] += 1
    return "".join(LETTERS[phase] * letters[phase] for phase in PHASES)


def paint(letters: str) -> str:
    """Phase letters in their colours."""
    colours = {letter: COLOURS[phase] for phase, letter in LETTERS.items()}
    return "".join(f"\x1b[{colours[letter]}m{''.join(run)}\x1b[0m" for letter, run in groupby(letters))


def bold(text: str) -> str:
    """A heading on a terminal."""
    return f"\x1b[1m{text}\x1b[0m"


def standout(rows: Iterable[Row]) -> str | None:
    """The tool, prompt or resource that loses most time outside its handler, if that is most of its time."""
    worst, most = None, 0.0
    for row in rows:
        phases = row.tally.phases
        whole = sum(phases.values())
        lost = whole - phases.get("handler", 0.0) - phases.get("peer", 0.0)
        asked = row.target is not None or row.method == "resources/read"
        if asked and lost > most and lost > whole / 2:
            worst, most = row, lost
    if worst is None:
        return None
    phases = worst.tally.phases
    seconds, phase = max((phases.get(phase, 0.0), phase) for phase in OVERHEADS)
    share, each = 100 * seconds / sum(phases.values()), seconds / max(1, worst.tally.calls)
    return f"{share:.0f} % of the time of {worst.name} is {OVERHEADS[phase]} ({time(each)} a call)."


def time(seconds: float) -> str:
    """`seconds` for people: three digits and a unit."""
    if seconds < 0.9995e-3:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.9995:
        return f"{_digits(seconds * 1e3)} ms"
    if seconds < 120:
        return f"{_digits(seconds)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def size(amount: float) -> str:
    """Bytes for people."""
    units = ["GB", "MB", "kB", "B"]
    while amount >= 999.5 and len(units) > 1:
        amount /= 1000
        units.pop()
    return f"{amount:.0f} B" if len(units) == 4 else f"{_digits(amount)} {units[-1]}"


def count(number: int) -> str:
    """A number of things for people: exact up to five digits."""
    if number < 100_000:
        return str(number)
    return f"{_digits(number / 1e3)}k" if number < 999_500 else f"{_digits(number / 1e6)}M"


def plural(number: int, thing: str) -> str:
    """So many of a thing."""
    return f"{count(number)} {thing}" if number == 1 else f"{count(number)} {thing}s"


def _digits(value: float) -> str:
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"
