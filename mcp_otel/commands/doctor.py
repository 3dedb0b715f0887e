"""`mcp-otel doctor`: what works here, in a server that it starts, or at a URL; every problem comes with its fix."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from types import FrameType
from urllib.parse import urlsplit

from mcp_otel.commands import run as launch
from mcp_otel.doctor.patience import Patience
from mcp_otel.doctor.report import Report
from mcp_otel.errors import McpOtelError

ABOUT = """\
say what works, what does not, and the fix

Without arguments: this Python, its settings, and whether telemetry arrives where it should. With -- COMMAND: a stdio
server, started as `mcp-otel run` would, its telemetry sent to the doctor. With a URL: a running Streamable HTTP server.
Tools are never called: a greeting, a ping and listings are all that is sent.
Exit status: 0 healthy, 1 problems found, 2 a wrong command line."""
SECONDS = 10.0
ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Whoever ends us must not leave the server behind."""
USAGE = "mcp-otel doctor [options] [-- COMMAND [ARGUMENT ...] | URL]"


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the options of `doctor`."""
    parser.usage = USAGE
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")
    parser.add_argument("--verbose", action="store_true", help="every detail, and the server's own stderr")
    parser.add_argument(
        "--timeout",
        type=float,
        default=SECONDS,
        metavar="SECONDS",
        help=f"to wait for any one answer (default {SECONDS:g})",
    )
    parser.add_argument(
        "--header", action="append", default=[], metavar="NAME:VALUE", help="with a URL: send this header, as curl does"
    )
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND", help=argparse.SUPPRESS)
    parser.set_defaults(parser=parser)


def run(args: argparse.Namespace) -> int:
    """Examine and print the report; 0 when there is no problem, else 1.

    Raises:
        McpOtelError: the command line is wrong.
    """
    words = args.words
    url = words[0] if words and urlsplit(words[0]).scheme in ("http", "https") else None
    if url is not None:
        args = args.parser.parse_args(words[1:], args)  # what comes after the URL are options, too
        words = args.words
        if words:
            raise McpOtelError(f"what is {words[0]!r}? Use: {USAGE}")
    dashes = words[:1] == ["--"]
    words = words[1:] if dashes else words
    if dashes and not words:
        raise McpOtelError(f"no command after --. Use: {USAGE}")
    if not args.timeout > 0:
        raise McpOtelError(f"--timeout {args.timeout:g}: must be above 0")
    headers = [tuple(part.strip() for part in header.partition(":")[::2]) for header in args.header]
    if any(not all(header) for header in headers) or (headers and url is None):
        raise McpOtelError("--header goes with a URL, and is NAME:VALUE")
    report = Report(url or " ".join(words) or "this Python")
    progress = Progress(quiet=args.json)
    previous = {number: signal.signal(number, _leave) for number in ENDING}
    try:
        examine(report, words, url, dict(headers), Patience(args.timeout, progress.say), args.verbose)
    finally:
        progress.say("", 0.0)
        for number, old in previous.items():
            signal.signal(number, old)
    if args.json:
        print(json.dumps(report.data(), indent=2))
    else:
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        for line in report.lines(colour, args.verbose):
            print(line)
    sys.stdout.flush()
    return 1 if report.problems else 0


def examine(
    report: Report, words: list[str], url: str | None, headers: dict[str, str], patience: Patience, verbose: bool
) -> None:
    """Choose what to examine."""
    if url is not None:
        from mcp_otel.doctor import url as door

        door.examine(report, url, headers, patience)
    elif words:
        from mcp_otel.doctor import server

        watched, deaf = launch.environment(os.environ, {}), launch.deafness(words, os.environ)
        server.examine(report, words, os.environ, watched, deaf, patience, verbose)
    else:
        from mcp_otel.doctor import here

        here.examine(report, os.environ, patience)


class Progress:
    """Says on stderr what is waited for: on a terminal in place, else one line for each thing that takes long."""

    def __init__(self, quiet: bool) -> None:
        self._terminal = sys.stderr.isatty()
        self._after = float("inf") if quiet else 1.0 if self._terminal else 3.0
        self._shown = ""

    def say(self, what: str, seconds: float) -> None:
        """So long has `what` been waited for; nothing when it is over."""
        if self._terminal and (self._shown or seconds >= self._after):
            sys.stderr.write(f"\r\x1b[Kwaiting for {what} ... {seconds:.0f} s" if what else "\r\x1b[K")
        elif what != self._shown and seconds >= self._after:
            sys.stderr.write(f"waiting for {what} ...\n")
        elif what:
            return
        sys.stderr.flush()
        self._shown = what


def _leave(number: int, _: FrameType | None) -> None:
    """End, but not before the server that was started has."""
    for each in ENDING:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)
