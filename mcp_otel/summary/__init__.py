"""A summary on stderr for whoever runs the server: at its exit, on SIGUSR1, or every so many seconds.

The sums are the recorder's own; only percentiles are kept here, 4.6 kB for each (method, target) the gate lets through.
"""

from __future__ import annotations

import _thread
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any

from mcp_otel import exit as ending
from mcp_otel.event import Event
from mcp_otel.fork import at_fork
from mcp_otel.methods import LASTING
from mcp_otel.settings import Settings, summary_seconds
from mcp_otel.signals.totals import Totals
from mcp_otel.summary import page
from mcp_otel.summary.sent import Sent
from mcp_otel.summary.sketch import Sketch
from mcp_otel.summary.vitals import lines as text_of

if TYPE_CHECKING:
    from mcp_otel.recorder import Recorder
    from mcp_otel.vitals import Vitals

MAX_SKETCHES = 200
"""The gate lets through 148 pairs of method and target at most."""
SHARES = (0.5, 0.95, 0.99)
NOTHING = "mcp-otel: {name}: not a single MCP message was seen in {uptime}."


class Summary:
    """A sink of the recorder that can say what it saw. Prints on stderr, never on stdout, and waits for nobody."""

    def __init__(self, recorder: Recorder | None = None, patience: float = 0.5) -> None:
        self.sketches: dict[tuple[str, str | None], Sketch] = {}
        self.sent = Sent()
        self._recorder = recorder
        self._patience = patience
        self._since = monotonic()
        self._said_last = False
        self._asked = False
        self._answering = False

    def add(self, event: Event) -> None:
        """Count one finished message: about a microsecond."""
        if event.side != "server":
            self.sent.add(event)
            return
        key = event.method, event.target
        sketch = self.sketches.get(key)
        if sketch is None:
            if len(self.sketches) >= MAX_SKETCHES or event.method in LASTING:
                return
            sketch = self.sketches[key] = Sketch()
        sketch.add(event.duration)

    __call__ = add

    def text(
        self,
        totals: Totals,
        session_states: Mapping[str, int],
        server_name: str | None,
        vitals: Vitals | None = None,
        *,
        uptime: float | None = None,
        colour: bool = False,
        asked: bool = False,
    ) -> str:
        """The whole summary, at most 100 columns wide; `uptime` is seconds, by default since the summary was made."""
        uptime = monotonic() - self._since if uptime is None else uptime
        name = server_name or "MCP server"
        rows = [
            page.Row(*key, tally, [self.sketches[key].percentile(share) for share in SHARES])
            if key in self.sketches
            else page.Row(*key, tally, [None] * len(SHARES))
            for key, tally in list(totals.tallies.items())
        ]
        messages = sum(row.tally.calls for row in rows)
        received = messages or any(row.tally.faults for row in rows)
        if not received and self.sent.messages:
            return self._of_client(totals, uptime, colour)
        if not received:
            return NOTHING.format(name=name, uptime=page.time(uptime)) + "\n"
        open_sessions = sum(count for state, count in session_states.items() if state != "retained")
        heading = f"mcp-otel: {name} (pid {os.getpid()}) after {page.time(uptime)}"
        lines = [
            page.bold(heading) if colour else heading,
            f"{page.plural(messages, 'message')}, {page.plural(open_sessions, 'session')} open of "
            f"{page.count(sum(totals.opened.values()))} opened, {page.size(totals.bytes['received'])} in, "
            f"{page.size(totals.bytes['sent'])} out",
            "",
            *page.table(rows, colour),
        ]
        fact = page.standout(rows)
        if fact is not None:
            lines += ["", fact]
        if sent := self.sent.lines(colour):
            lines += ["", f"{page.plural(self.sent.messages, 'message')} sent to others", *sent]
        felt = [] if vitals is None else text_of(vitals, totals, uptime, asked)
        lines += ["", *felt] if felt else []
        return "\n".join([*lines, "", *_own(totals, uptime, messages)]) + "\n"

    def _of_client(self, totals: Totals, uptime: float, colour: bool) -> str:
        """The summary of a process that serves nobody."""
        heading = f"mcp-otel: MCP client (pid {os.getpid()}) after {page.time(uptime)}"
        lines = [
            page.bold(heading) if colour else heading,
            f"{page.plural(self.sent.messages, 'message')} sent, none received",
            *self.sent.lines(colour),
            "",
            *_own(totals, uptime, self.sent.messages),
        ]
        return "\n".join(lines) + "\n"

    def print_now(self, asked: bool = False) -> None:
        """Print the summary on stderr; what stderr does not take within `exit_wait` seconds is given up.

        When it was `asked` for, what holds retained objects is looked for at whatever cost.
        """
        if self._recorder is not None and sys.__stderr__ is not None:
            fd = sys.__stderr__.fileno()
            recorder, colour = self._recorder, os.isatty(fd) and not os.environ.get("NO_COLOR")
            vitals: Any = recorder.vitals
            if vitals is not None:
                vitals.tick(asked)
            states = recorder.live.session_states()
            text = self.text(recorder.totals, states, recorder.server_name, vitals, colour=colour, asked=asked)
            write_within(fd, encode(f"\n{text}", sys.__stderr__.encoding), self._patience)

    def last_words(self) -> bool:
        """Print the final summary, once, however often it is called; never raises, always True."""
        if not self._said_last:
            self._said_last = True
            self.try_to_print()
        return True

    def try_to_print(self, asked: bool = False) -> None:
        """`print_now`, with failures counted instead of raised."""
        try:
            self.print_now(asked)
        except Exception as error:
            if self._recorder is not None:
                self._recorder.count_failure("summary", error)

    def forget(self) -> None:
        """Start at zero: this is a forked child."""
        self.sketches.clear()
        self.sent.clear()
        self._since = monotonic()
        self._said_last = self._asked = self._answering = False

    def repeat(self, seconds: float, stopped: threading.Event) -> None:
        """Print every so many seconds until `stopped`."""
        while not stopped.wait(seconds):
            self.try_to_print()

    def asked(self, *_: Any) -> None:
        """Print from another thread: this is a signal's handler. What comes meanwhile gets one more answer."""
        self._asked = True
        if not self._answering:
            self._answering = True
            try:
                # The bare primitive: threading.Thread takes locks that the interrupted code may hold.
                _thread.start_new_thread(self._answer, ())
            except RuntimeError:
                self._answering = False

    def _answer(self) -> None:
        while self._asked:
            self._answering, self._asked = True, False
            self.try_to_print(asked=True)
            self._answering = False  # before the next look: a signal between the two starts its own answer


def _own(totals: Totals, uptime: float, messages: int) -> list[str]:
    cost = sum(totals.cost.values())
    each = page.time(cost / messages) if messages else "-"
    share = 100 * cost / uptime if uptime > 0 else 0.0
    lines = [f"mcp-otel itself: {page.time(cost)}, {share:.2g} % of one core, {each} a message."]
    for said, parts in (("dropped", totals.dropped), ("own failures, the server not affected", totals.failures)):
        if any(parts.values()):
            lines.append(f"{said}: " + ", ".join(f"{part} {number}" for part, number in sorted(parts.items())))
    return lines


def install(settings: Settings, recorder: Recorder) -> Callable[[], None]:
    """Make a summary of what `recorder` sees and print it as `settings.summary` says, in forked children too.

    At the end of the process (SIGTERM included), on SIGUSR1, and every so many seconds. Returns the undo, which prints
    nothing.
    """
    if settings.summary == "off":
        return lambda: None
    summary = Summary(recorder, settings.exit_wait)
    recorder.sinks.append(summary)
    until_fork: list[Callable[[], object]] = []

    def begin() -> None:
        stopped, seconds = threading.Event(), summary_seconds(settings)
        until_fork[:] = [stopped.set, ending.at_end(summary.last_words)]
        ending.arm()
        if seconds is not None:
            name = "mcp-otel summary"
            threading.Thread(target=summary.repeat, args=(seconds, stopped), name=name, daemon=True).start()

    def forked() -> None:
        summary.forget()
        until_fork.clear()
        prepare = recorder.prepare

        def serve() -> None:
            begin()
            if prepare is not None:
                prepare()

        recorder.prepare = serve  # of a child that never serves nothing is said

    begin()
    undos = [listen(summary.asked), at_fork(forked), ending.disarm]

    def undo() -> None:
        for step in (*until_fork, *undos):
            step()
        if summary in recorder.sinks:
            recorder.sinks.remove(summary)

    return undo


def listen(asked: Callable[..., None]) -> Callable[[], None]:
    """Call `asked` on SIGUSR1, unless somebody else does something with it; returns the undo."""
    number = getattr(signal, "SIGUSR1", None)
    main = threading.current_thread() is threading.main_thread()  # no other thread may set signals
    if number is None or not main or signal.getsignal(number) != signal.SIG_DFL:
        return lambda: None
    signal.signal(number, asked)

    def undo() -> None:
        if threading.current_thread() is threading.main_thread() and signal.getsignal(number) == asked:
            signal.signal(number, signal.SIG_DFL)

    return undo


def write_within(fd: int, data: bytes, seconds: float) -> bool:
    """Write `data` to `fd` as far as it takes it without blocking for more than `seconds`; whether all was taken.

    A client that never reads a stdio server's stderr leaves a full pipe: our own write must not be what hangs.
    """
    until = monotonic() + seconds
    ready = select.poll()
    ready.register(fd, select.POLLOUT)
    try:
        while data:
            if not ready.poll(max(0, round((until - monotonic()) * 1000))):
                return False
            data = data[os.write(fd, data[: select.PIPE_BUF]) :]
    except OSError:
        return False
    return True


def encode(text: str, encoding: str) -> bytes:
    """`text` in `encoding`; what it lacks is said in ASCII."""
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        return text.replace("µ", "u").encode(encoding, "replace")
