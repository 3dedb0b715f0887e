"""What was found, in order, each with a verdict, and every problem with its fix; as text, and as data for machines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["ok", "note", "problem"]
MARKS: dict[Verdict, str] = {"ok": "ok ", "note": " - ", "problem": "!! "}
COLOURS: dict[Verdict, int] = {"ok": 32, "note": 2, "problem": 31}
LONGEST = 600
MAX_CHECKS = 200
MAX_DETAILS = 60


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `name` is for machines; `details` are shown when asked for, and on a problem."""

    topic: str
    name: str
    verdict: Verdict
    text: str
    fix: str | None = None
    details: tuple[str, ...] = ()

    def data(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "topic": self.topic,
            "name": self.name,
            "verdict": self.verdict,
            "text": self.text,
            "fix": self.fix,
            "details": list(self.details),
        }


@dataclass(slots=True)
class Report:
    """All checks of one examination; MAX_CHECKS at most, each of bounded length."""

    subject: str
    checks: list[Check] = field(default_factory=list)
    topic: str = ""
    """What is looked at now: the heading of the checks that follow."""

    @property
    def problems(self) -> list[Check]:
        """What has to be mended."""
        return [check for check in self.checks if check.verdict == "problem"]

    def ok(self, name: str, text: str, *details: str) -> None:
        """It is as it should be."""
        self._add(name, "ok", text, None, details)

    def note(self, name: str, text: str, *details: str) -> None:
        """It is neither well nor ill, or cannot be known."""
        self._add(name, "note", text, None, details)

    def problem(self, name: str, text: str, fix: str, *details: str) -> None:
        """It has to be mended, by `fix`."""
        self._add(name, "problem", text, fix, details)

    def _add(self, name: str, verdict: Verdict, text: str, fix: str | None, details: tuple[str, ...]) -> None:
        if len(self.checks) < MAX_CHECKS:
            kept = tuple(clip(line) for line in details[:MAX_DETAILS])
            self.checks.append(Check(self.topic, name, verdict, clip(text), fix and clip(fix), kept))

    def data(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "subject": self.subject,
            "healthy": not self.problems,
            "problems": len(self.problems),
            "checks": [check.data() for check in self.checks],
        }

    def lines(self, colour: bool = False, verbose: bool = False) -> Iterator[str]:
        """For people; `verbose` shows every detail."""
        yield bold(f"mcp-otel doctor: {self.subject}") if colour else f"mcp-otel doctor: {self.subject}"
        topic = None
        for check in self.checks:
            if check.topic != topic:
                topic = check.topic
                yield ""
                yield topic
            mark = MARKS[check.verdict]
            yield f"  {paint(mark, check.verdict) if colour else mark} {check.text}"
            if check.fix is not None:
                yield f"      fix: {check.fix}"
            if verbose or check.verdict == "problem":
                yield from (f"      | {line}" for line in check.details)
        yield ""
        count = len(self.problems)
        yield "healthy" if not count else "1 problem" if count == 1 else f"{count} problems"


def clip(text: str) -> str:
    """`text` on one line of bounded length, with nothing that could steer a terminal."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return line if len(line) <= LONGEST else line[: LONGEST - 4] + " ..."


def bold(text: str) -> str:
    """A heading on a terminal."""
    return f"\x1b[1m{text}\x1b[0m"


def paint(text: str, verdict: Verdict) -> str:
    """A mark in the colour of its verdict."""
    return f"\x1b[{COLOURS[verdict]}m{text}\x1b[0m"
