"""The programs behind a server fall one after another: the server goes on, and what is lost is counted exactly."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from tests.sink import Sink
from tests.stack.running import Stack, wait
from tests.stack.story import open_session
from tests.wire import HttpWire

DOWN = 180.0
"""Seconds without Prometheus."""
EVERY = 0.1
pytestmark = pytest.mark.timeout(600)


@dataclass
class Caller:
    """One client that calls the observed desk and a bare one in turn: seconds of each call, and what went wrong."""

    observed: str
    unobserved: str
    seconds: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    wrong: list[object] = field(default_factory=list)

    def call(self, wire: HttpWire, number: int) -> float:
        """One call; how long it took."""
        params = {"name": "search_articles", "arguments": {"query": "printer"}}
        began = time.perf_counter()
        answered = wire.call({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params})
        took = time.perf_counter() - began
        if len(answered.body.get("result", {}).get("content", ())) == 0:
            self.wrong.append(answered.body)
        return took

    @contextmanager
    def calling(self) -> Iterator[Caller]:
        """Call until this ends."""
        enough = threading.Event()

        def work() -> None:
            wire, other = open_session(self.observed), open_session(self.unobserved)
            while not enough.wait(EVERY):
                number = len(self.seconds) + 10
                self.bare.append(self.call(other, number))
                self.seconds.append(self.call(wire, number))

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            enough.set()
            thread.join(30)

    def ratio(self, calls: slice) -> float:
        """What the median call takes when it is observed, in bare ones, made in turn."""
        return statistics.median(self.seconds[calls]) / statistics.median(self.bare[calls])


@dataclass
class Told:
    """What happened, as seen by client, Prometheus and trace backend."""

    caller: Caller
    before: int
    """How many calls had ended when the first program fell."""
    counted: float
    lost: dict[str, float]
    spans: list[str]
    held: set[str]
    """Spans that the Collector had taken and not delivered when it was killed."""
    scrapes: tuple[float, float]
    """Of the Collector by Prometheus: in the five seconds before it was killed, and while it was down."""
    last: float
    """The last word of the server on its level, once its series had ended because it was killed."""


@pytest.fixture(scope="module")
def told(begun: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Prometheus is down for three minutes; meanwhile the trace backend fails, and the Collector is killed."""
    with Sink() as sink, Stack(tmp_path_factory.mktemp("faults"), sink.url, "10s") as stack:
        stack.start("collector", "prometheus")
        # One span for each message, so that messages can be counted by them.
        url = stack.desk(MCP_OTEL_PHASE_SPANS="off")
        bare = stack.desk("bare", OTEL_SDK_DISABLED="true")
        with Caller(url, bare).calling() as caller:
            wait(lambda: len(caller.seconds) > 100 and sink.spans, 60, "a hundred calls")
            before, fell = len(caller.seconds), time.time()
            stack.kill("prometheus")
            sink.refusing = 503
            wait(lambda: sink.refused > 1, 30, "the trace backend failing")
            arrived = len(sink.spans)
            wait(lambda: len(caller.seconds) > before + 50, 60, "fifty calls more")
            killed = time.time_ns()
            stack.kill("collector")
            time.sleep(30)  # longer than an exporter tries
            sink.refusing = None
            stack.start("collector")
            wait(lambda: len(sink.spans) > arrived, 60, "what the Collector held on disk")
            # The server hands over what is half a second old: what had ended two seconds before, the Collector had.
            held = {span["span_id"] for span in sink.spans[arrived:] if span["end"] < killed - 2_000_000_000}
            while time.time() < fell + DOWN:
                time.sleep(0.2)
            stack.start("prometheus")
        called = len(caller.seconds)
        count = 'sum(mcp_server_operation_duration_seconds_count{mcp_method_name="tools/call"})'
        wait(lambda: stack.value(count) == called, 30, f"{called} calls in Prometheus")
        counted = stack.value(count) or 0.0
        lost = {
            part: stack.value(f'mcp_otel_dropped_total{{mcp_otel_part="{part}"}}') or 0 for part in ("spans", "metrics")
        }
        messages = called + 2  # initialize and its notification
        wait(lambda: len({span["span_id"] for span in sink.spans}) + lost["spans"] >= messages, 30, "every span")
        scrapes = [
            stack.value(f'sum(count_over_time(up{{job="mcp-servers"}}[{seconds:.0f}s] @ {end:.3f}))') or 0.0
            for seconds, end in ((5, fell), (DOWN - 2, fell + DOWN - 1))
        ]
        stack.kill("desk")
        wait(lambda: stack.value("count(mcp_otel_level)") is None, 60, "the end of the dead server's series")
        last = stack.value("max(last_over_time(mcp_otel_level[5m]))") or 0.0
        yield Told(
            caller,
            before,
            counted,
            lost,
            [span["span_id"] for span in sink.spans],
            held,
            (scrapes[0], scrapes[1]),
            last,
        )


def test_the_server_answers_every_call_as_before(told: Told) -> None:
    assert told.caller.wrong == []
    assert len(told.caller.seconds) > told.before + 600
    during = told.caller.seconds[told.before :]
    assert told.caller.ratio(slice(told.before, None)) < 1.5 * told.caller.ratio(slice(told.before))
    assert max(during) < 5.0


def test_no_call_is_missing_in_prometheus_after_three_minutes_without_it(told: Told) -> None:
    assert told.counted == len(told.caller.seconds)


def test_what_prometheus_missed_is_its_own_scrapes_and_nothing_else(told: Told) -> None:
    before, during = told.scrapes
    assert before >= 3
    assert during == 0


def test_every_span_is_delivered_or_counted_as_lost(told: Told) -> None:
    assert len(set(told.spans)) + told.lost["spans"] == len(told.caller.seconds) + 2
    assert told.lost["spans"] > 0
    assert told.lost["metrics"] > 0


def test_what_the_collector_had_taken_survives_its_being_killed(told: Told) -> None:
    assert len(told.held) >= 20


def test_a_server_that_is_killed_leaves_no_stale_series_and_did_not_say_goodbye(told: Told) -> None:
    assert told.last == 3
