"""The summary: what it says, what it keeps, and that the server never notices it."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import timeit
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_otel.event import Event, Fault, Phase
from mcp_otel.signals.totals import Totals
from mcp_otel.summary import MAX_SKETCHES, Summary, encode, page, write_within
from mcp_otel.summary.sketch import LEAST, MOST, Sketch

HOME = str(Path(page.__file__).resolve().parent.parent.parent)
SHORT: dict[Phase, float] = {"decode": 0.0001, "handler": 0.0004}


def event(
    method: str,
    target: str | None,
    phases: dict[Phase, float],
    fault: Fault | None = None,
    notification: bool = False,
    received: int | None = 100,
    sent: int | None = 2500,
) -> Event:
    return Event(
        side="server",
        method=method,
        target=target,
        notification=notification,
        request_id=None if notification else "1",
        session=None,
        protocol_version="2025-11-25",
        transport="pipe",
        http_version=None,
        client_address=None,
        client_port=None,
        server_address=None,
        server_port=None,
        start=0,
        duration=sum(phases.values()),
        phases=phases,
        cpu={},
        on_loop=None,
        blocked=(),
        laps=(),
        received=received,
        sent=sent,
        fault=fault,
        error=None,
        code=None,
    )


def seen(*events: Event) -> tuple[Summary, Totals]:
    summary, totals = Summary(), Totals()
    for one in events:
        summary(one)
        totals.add(one)
        totals.count_bytes("received", one.received or 0)
        totals.count_bytes("sent", one.sent or 0)
    return summary, totals


def story() -> Iterator[Event]:
    validated: dict[Phase, float] = {"decode": 0.0002, "validate": 0.008, "handler": 0.001, "encode": 0.0008}
    for number in range(100):
        yield event("tools/call", "get_weather", validated, fault="tool" if number < 12 else None)
    yield event("tools/call", "get_weather", {"validate": 1.0}, fault="caller")
    asking: dict[Phase, float] = {"queue": 0.01, "handler": 0.02, "peer": 0.02, "write": 0.0001}
    yield event("tools/call", "search_the_whole_knowledge_base", asking, received=None, sent=1_234_567)
    yield event("prompts/get", "greet", {"handler": 0.00001}, fault="server")
    yield event("tools/list", None, SHORT)
    yield event("notifications/initialized", None, SHORT, notification=True, sent=None)
    yield event("subscriptions/listen", None, {"handler": 3600.0})


def test_the_text_is_as_it_should_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 4711)
    summary, totals = seen(*story())
    totals.opened["Inspector"] = 3
    totals.cost.update(record=0.004, seams=0.001)
    totals.dropped["sessions"] = 2
    totals.failures["open"] = 1
    assert summary.text(totals, {"active": 1, "idle": 1}, "support-desk", uptime=50.0) == GOLDEN


GOLDEN = """\
mcp-otel: support-desk (pid 4711) after 50.0 s
106 messages, 2 sessions open of 3 opened, 10.5 kB in, 1.49 MB out

                           calls faults    p50    p95    p99 share  where the time goes    in    out
get_weather                  101 1c 12t 10.1ms 10.1ms 10.1ms   98%  vvvvvvvvvvvvvvvvvvhe 100B 2.50kB
search_the_whole_knowledge_base
                               1      - 50.1ms 50.1ms 50.1ms    2%  qqqqhhhhhhhhpppppppp    - 1.23MB
tools/list                     1      -  503µs  503µs  503µs    0%  ddddhhhhhhhhhhhhhhhh 100B 2.50kB
prompts/greet                  1     1s   10µs   10µs   10µs    0%  hhhhhhhhhhhhhhhhhhhh 100B 2.50kB
notifications/initialized      1      -  503µs  503µs  503µs     -  ddddhhhhhhhhhhhhhhhh 100B      -
subscriptions/listen           1      -      -      -      -     -  hhhhhhhhhhhhhhhhhhhh 100B 2.50kB
where: d decode  v validate  q queue  h handler  p peer  e encode  w write
faults: c the caller's, t the tool's, s the server's
share: of all time spent on requests; in, out: bytes a call

90 % of the time of get_weather is validation of arguments and output (17.8 ms a call).

mcp-otel itself: 5.00 ms, 0.01 % of one core, 47 µs a message.
dropped: sessions 2
own failures, the server not affected: open 1
"""


def test_colour_changes_nothing_but_colour() -> None:
    summary, totals = seen(*story())
    plain = summary.text(totals, {}, "desk", uptime=1.0)
    coloured = summary.text(totals, {}, "desk", uptime=1.0, colour=True)
    assert re.sub(r"\x1b\[\d+m", "", coloured) == plain
    assert "\x1b[33mvvvvv" in coloured
    assert "\x1b" not in plain


def test_no_line_is_wider_than_a_hundred_columns_unless_a_name_alone_is() -> None:
    name = "n" * 128
    summary, totals = seen(*(event("tools/call", f"{name[:length]}", SHORT) for length in (1, 30, 60, 99, 128)))
    wide = [line for line in summary.text(totals, {}, "s").splitlines() if len(line) > 100]
    assert wide == [name]


def test_without_a_message_there_is_one_line_and_it_says_so() -> None:
    summary, totals = seen()
    assert summary.text(totals, {}, None, uptime=3.2) == (
        "mcp-otel: MCP server: not a single MCP message was seen in 3.20 s.\n"
    )


def test_beyond_twenty_rows_the_rest_is_one_line() -> None:
    events = [event("tools/call", f"t{number:02}", {"handler": 1.0 + number / 100}) for number in range(31)]
    summary, totals = seen(*events, event("tools/call", "t00", {"handler": 0.001}, fault="tool"))
    text = summary.text(totals, {}, "s")
    assert re.findall(r"^t\d\d", text, re.MULTILINE) == [f"t{number:02}" for number in range(30, 10, -1)]
    assert "\nand 11 more: 12 calls, 1 fault, 11.6 s in all\n" in text


@pytest.mark.parametrize(
    ("phases", "said"),
    [
        ({"validate": 0.9, "handler": 0.1}, "90 % of the time of t is validation of arguments and output (900 ms a call)"),  # noqa: E501
        ({"queue": 0.3, "encode": 0.4, "handler": 0.3}, "40 % of the time of t is turning results into JSON (400 ms a call)"),  # noqa: E501
        ({"write": 0.49, "handler": 0.51}, None),
        ({"validate": 0.1, "peer": 0.9}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_what_stands_out_is_said_when_most_time_is_lost_outside_the_handler(
    phases: dict[Phase, float], said: str | None
) -> None:
    _, totals = seen(event("tools/call", "t", phases), event("tools/list", None, {"encode": 99.0}))
    rows = [page.Row(*key, tally, (None, None, None)) for key, tally in totals.tallies.items()]
    assert page.standout(rows) == (said and f"{said}.")


@pytest.mark.parametrize(
    ("phases", "drawn"),
    [
        ({"handler": 1.0}, "h" * 20),
        ({"decode": 1.0, "validate": 1.0, "handler": 1.0}, "ddddddd" + "vvvvvvv" + "hhhhhh"),
        ({"write": 0.03, "handler": 0.97}, "h" * 19 + "w"),
        ({"queue": 0.0}, ""),
    ],
)
def test_a_bar_is_always_whole(phases: dict[Phase, float], drawn: str) -> None:
    assert sorted(page.bar(phases)) == sorted(drawn)
    assert list(dict.fromkeys(page.bar(phases))) == list(dict.fromkeys(drawn))


def test_units_are_for_people() -> None:
    times = (0, 8.7e-6, 0.00099949, 0.0009995, 0.01234, 0.9994, 0.9995, 12.34, 119, 3600, 90061)
    assert [page.time(seconds) for seconds in times] == [
        "0 µs", "9 µs", "999 µs", "1.00 ms", "12.3 ms", "999 ms", "1.00 s", "12.3 s", "119 s", "60 min", "25 h 1 min",
    ]  # fmt: skip
    assert [page.size(b) for b in (0, 999, 999.6, 12_345, 999_600, 3.2e9, 4e12)] == [
        "0 B", "999 B", "1.00 kB", "12.3 kB", "1.00 MB", "3.20 GB", "4000 GB",
    ]  # fmt: skip
    assert [page.count(n) for n in (0, 99_999, 100_000, 999_499, 999_500, 12_345_678)] == [
        "0", "99999", "100k", "999k", "1.00M", "12.3M",
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_percentiles_are_within_two_and_a_half_percent(seed: int) -> None:
    chance, sketch = random.Random(seed), Sketch()
    values = sorted(min(MOST, max(LEAST, chance.lognormvariate(-5 + 2 * seed, 1.5))) for _ in range(5000))
    for value in chance.sample(values, len(values)):
        sketch.add(value)
    for share in (0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0):
        true = values[max(0, -int(-share * len(values) // 1) - 1)]
        assert sketch.percentile(share) == pytest.approx(true, rel=0.025), share


def test_percentiles_of_what_is_beyond_measure_are_the_bounds() -> None:
    sketch = Sketch()
    assert sketch.percentile(0.5) is None
    for value in (-1.0, 0.0, 1e-9):
        sketch.add(value)
    assert sketch.percentile(0.99) == LEAST
    for _ in range(10):
        sketch.add(1e9)
    assert sketch.percentile(0.99) == pytest.approx(MOST, rel=0.025)


def test_memory_is_bounded_however_many_names_and_calls_there_are() -> None:
    summary = Summary()
    for number in range(5000):
        summary(event("tools/call", f"t{number}", SHORT))
    assert len(summary.sketches) == MAX_SKETCHES
    assert all(sys.getsizeof(sketch._counts) < 5000 for sketch in summary.sketches.values())


def test_a_message_costs_less_than_two_microseconds() -> None:
    summary, one = Summary(), event("tools/call", "t", SHORT)
    assert min(timeit.repeat(lambda: summary(one), number=20_000, repeat=5)) / 20_000 < 2e-6


def test_a_reader_that_does_not_read_holds_nothing_up() -> None:
    reads, writes = os.pipe()
    try:
        os.set_blocking(writes, False)
        with contextlib.suppress(BlockingIOError):
            while os.write(writes, b"x" * 65536):
                pass
        os.set_blocking(writes, True)
        started = timeit.default_timer()
        assert write_within(writes, b"too late", 0.05) is False
        assert timeit.default_timer() - started < 1.0
    finally:
        os.close(reads)
        os.close(writes)


def test_a_reader_that_left_is_no_failure() -> None:
    reads, writes = os.pipe()
    os.close(reads)
    assert write_within(writes, b"anybody?", 0.5) is False
    os.close(writes)


def test_more_than_a_pipe_takes_at_once_is_written_whole() -> None:
    reads, writes = os.pipe()
    assert write_within(writes, b"y" * 50_000, 0.5) is True
    os.close(writes)
    with open(reads, "rb") as file:
        assert file.read() == b"y" * 50_000


def test_a_terminal_that_knows_ascii_only_gets_ascii() -> None:
    assert encode("5 µs, été", "ascii") == b"5 us, ?t?"
    assert encode("5 µs", "utf-8") == "5 µs".encode()


PROGRAM = """\
import signal, sys, threading
from mcp_otel.recorder import Recorder
from mcp_otel.settings import load
from mcp_otel import summary
settings, _ = load({{}}, summary={summary!r})
{before}
recorder = Recorder(settings)
undo = summary.install(settings, recorder)
recorder.name_server("desk")
call = recorder.arrive("pipe", 10)
recorder.open(call, "ping", None, 1)
recorder.answer(call, result={{}})
recorder.end(call)
print("ready", flush=True)
{after}
"""
HEAD = re.compile(r"^mcp-otel: desk \(pid \d+\) after [\d.]+ [mµ]?s\n1 message, ", re.MULTILINE)


class Server:
    """A process that has a summary."""

    def __init__(self, summary: str = "exit", before: str = "", after: str = "sys.stdin.read()") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", PROGRAM.format(summary=summary, before=before, after=after)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": HOME},
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def end(self) -> tuple[str, str, int]:
        """Close its stdin: what else it said on stdout, on stderr, and its status."""
        out, err = self.process.communicate(timeout=60)
        return out, err, self.process.returncode

    def await_heading(self) -> None:
        assert self.process.stderr is not None
        while not self.process.stderr.readline().startswith("mcp-otel itself: "):
            pass


def test_at_exit_it_is_said_once_and_on_stderr() -> None:
    out, err, status = Server().end()
    assert (out, status) == ("", 0)
    assert len(HEAD.findall(err)) == 1


@pytest.mark.parametrize("after", ["sys.exit(3)", "raise SystemExit(3)"])
def test_an_exit_status_stays(after: str) -> None:
    _, err, status = Server(after=after).end()
    assert status == 3
    assert HEAD.search(err)


def test_sigterm_gets_its_last_words_too_and_kills_as_before() -> None:
    server = Server()
    server.process.terminate()
    _, err, status = server.end()
    assert status == -signal.SIGTERM
    assert len(HEAD.findall(err)) == 1


def test_sigusr1_prints_and_the_server_goes_on() -> None:
    server = Server()
    for _ in range(2):
        server.process.send_signal(signal.SIGUSR1)
        server.await_heading()
    out, err, status = server.end()
    assert (out, status) == ("", 0)
    assert len(HEAD.findall(err)) == 1


def test_a_sigusr1_that_belongs_to_the_server_is_left_alone() -> None:
    server = Server(
        before="signal.signal(signal.SIGUSR1, lambda *_: print('mine', file=sys.stderr))",
        after="signal.raise_signal(signal.SIGUSR1); sys.stdin.read()",
    )
    _, err, _ = server.end()
    assert err.startswith("mine\n\nmcp-otel: desk")
    assert len(HEAD.findall(err)) == 1


def test_away_from_the_main_thread_no_signal_is_touched() -> None:
    started = PROGRAM.format(summary="exit", before="", after="")
    code = (
        f"import threading\ndef go():\n exec({started!r}, {{}})\nt = threading.Thread(target=go); t.start(); t.join()\n"
    )
    code += "import signal; print(signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL)"
    environ = {**os.environ, "PYTHONPATH": HOME}
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environ, check=True
    )
    assert ended.stdout == "ready\nTrue\n"
    assert HEAD.search(ended.stderr)


def test_every_so_many_seconds_it_is_said_again() -> None:
    server = Server(summary="0.05")
    server.await_heading()
    server.await_heading()
    out, err, status = server.end()
    assert (out, status) == ("", 0)
    assert HEAD.search(err)


def test_undone_it_says_nothing_and_signals_are_as_before() -> None:
    server = Server(
        after="undo(); sys.stdin.read(); n = signal.SIGUSR1, signal.SIGTERM\n"
        "print(*(signal.getsignal(s) == signal.SIG_DFL for s in n), recorder.sinks, threading.active_count())"
    )
    assert server.end() == ("True True [] 1\n", "", 0)


def test_a_full_stderr_does_not_hold_up_the_exit() -> None:
    fill = "import os; os.set_blocking(2, False)\ntry:\n while os.write(2, b'x' * 4096): pass\nexcept OSError: pass\n"
    server = Server(after=fill + "os.set_blocking(2, True)")
    assert server.process.wait(timeout=10) == 0
    assert "mcp-otel" not in server.end()[1]
