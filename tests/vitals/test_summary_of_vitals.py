"""What the summary says of the process itself, word by word, where the numbers are known."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from mcp_otel.signals.totals import Totals
from mcp_otel.summary.vitals import lines
from mcp_otel.vitals import Vitals, pauses
from mcp_otel.vitals.canary import Count
from mcp_otel.vitals.growth import Cause, Verdict
from mcp_otel.vitals.holders import Kind
from mcp_otel.vitals.limit import Ceiling
from mcp_otel.vitals.memory import Reading
from mcp_otel.vitals.pauses import Full
from mcp_otel.vitals.sessions import Forecast
from mcp_otel.vitals.threads import Pool
from mcp_otel.vitals.trend import Line
from tests.vitals.test_vitals import Made

UPTIME = 100.0
LABEL = ("session", "Transport")
OTHER = ("request", "Context")


@pytest.fixture
def vitals() -> Iterator[Vitals]:
    vitals = Made().vitals
    yield vitals
    vitals.canaries.close()


def said(vitals: Vitals, totals: Totals | None = None, asked: bool = False) -> list[str]:
    return lines(vitals, totals or Totals(), UPTIME, asked)


def busy(vitals: Vitals, seconds: float) -> None:
    vitals.loops.seen, vitals.loops._gone = True, round(seconds * 1e9)


def used(vitals: Vitals) -> None:
    vitals.reading = Reading(1000.0, 80_000_000, 300_000_000, None, 1, None, None, 1.0, 1.0, 100.0)


def grows(vitals: Vitals, cause: Cause | None, each: float | None, second: float | None) -> None:
    used(vitals)
    vitals.ceiling = Ceiling(500_000_000, "cgroup_v2")
    line = None if each is None else Line(each, each, each, 0.0)
    pace = None if second is None else Line(second, second, second, 80_000_000 - 1000 * second)
    vitals.growth.verdict = Verdict(cause, line, pace)


def converse(vitals: Vitals) -> None:
    for key, size, kept in (("one", 10_000, 40_000.0), ("two", 30_000, 20_000.0)):
        vitals.contexts.begin(key)
        vitals.contexts.exchange(key, size)
        vitals.contexts._conversations[key].kept = kept


def test_of_nothing_there_is_nothing_to_say(vitals: Vitals) -> None:
    assert said(vitals) == []
    assert said(vitals, asked=True) == []


def test_all_together_it_is_one_line_each(vitals: Vitals, monkeypatch: pytest.MonkeyPatch) -> None:
    totals = Totals()
    totals.tally("tools/call", "crunch").on_loop = 30.0
    totals.tally("tools/list", None).on_loop = 2.0
    busy(vitals, 37.0)
    vitals.blocked._places.update({("app.py:3", "crunch"): (3, 2.5), ("app.py:9", None): (2, 1.0)})
    monkeypatch.setattr(vitals.threads, "read", lambda: {"anyio": Pool(40, 40, 12), "asyncio": Pool(0, 6, 0)})
    grows(vitals, "sessions", 100_000.0, 5000.0)
    vitals.growth.floor.value = 75_000_000
    vitals.counts = {LABEL: Count(120, 20, retained=100), OTHER: Count(9, 2, retained=7)}
    vitals.weights = {LABEL: 4100.0}
    vitals.holders.texts = {LABEL: "Registry._sessions[…] → Transport"}
    vitals.sessions.forecast = Forecast(200, 900.0)
    converse(vitals)
    for conversation in vitals.contexts._conversations.values():
        conversation.slope = 2500.0
    vitals.pauses.seconds, vitals.pauses.last_full = [0.5, 0.25, 2.25], Full(1.0, 0.042, 10)
    vitals.holders.kinds = {"dict": Kind(1000, 12), "list": Kind(900, 0)}
    monkeypatch.setattr(pauses, "state", lambda: "on")
    assert "\n".join(said(vitals, totals, asked=True)) == GOLDEN


GOLDEN = """\
event loop: busy 37 % of the time, most of it for crunch (30 %)
event loop blocked 5 x, 3.50 s in all: most by crunch, at app.py:3 (3 x, 2.50 s)
worker threads: 40 of 40 used, 12 waiting (anyio)
memory: 80.0 MB of 500 MB (its control group), 75.0 MB after a full garbage collection
memory grows by 100 kB with every ended session, 18.0 MB an hour: at its limit in 23 h 20 min
100 of 120 Transport kept after their session ended, 4.10 kB each
  held by Registry._sessions[…] → Transport
7 of 9 Context kept after their request ended
open sessions grow to their limit of 200, 6.00 MB of memory, at this pace in 15 min
context: 50.0 kB a conversation, 50.0 kB the largest; 2.50 kB more with every turn
garbage collector: 3.00 s of pauses, the last full one 42.0 ms
objects more than when last asked: dict +12"""


@pytest.mark.parametrize(
    ("seconds", "share"),
    [
        (0.0, "less than 0.01 %"),
        (0.000_02, "less than 0.01 %"),
        (0.05, "0.05 %"),
        (3.75, "3.8 %"),
        (9.96, "10 %"),
        (37.2, "37 %"),
        (99.9, "100 %"),
        (250.0, "250 %"),
    ],
)
def test_the_share_that_loops_are_busy_is_for_people(vitals: Vitals, seconds: float, share: str) -> None:
    busy(vitals, seconds)
    assert said(vitals) == [f"event loop: busy {share} of the time"]


def test_nobody_is_named_for_a_time_that_nobody_misses(vitals: Vitals) -> None:
    totals = Totals()
    totals.tally("tools/call", "crunch").on_loop = 0.9
    busy(vitals, 1.0)
    assert said(vitals, totals) == ["event loop: busy 1 % of the time"]


@pytest.mark.parametrize(
    ("places", "text"),
    [
        ({("app.py:3", "crunch"): (1, 0.7)}, "1 x, 700 ms in all: by crunch, at app.py:3"),
        ({("app.py:3", None): (2, 0.7)}, "2 x, 700 ms in all: at app.py:3"),
        ({("_unseen", None): (2, 0.7)}, "2 x, 700 ms in all: at a place that nobody saw"),
        (
            {("app.py:3", None): (2, 0.7), ("app.py:4", "t"): (9, 0.6)},
            "11 x, 1.30 s in all: most at app.py:3 (2 x, 700 ms)",
        ),
        (
            {("app.py:3", "t"): (2, 0.7), ("_other", None): (9, 1.3)},
            "11 x, 2.00 s in all: most at places beyond the first 50 (9 x, 1.30 s)",
        ),
    ],
)
def test_who_blocked_the_loop_for_longest_is_named(
    vitals: Vitals, places: dict[tuple[str, str | None], tuple[int, float]], text: str
) -> None:
    vitals.blocked._places.update(places)
    assert said(vitals) == [f"event loop blocked {text}"]


def test_worker_threads_are_said_where_one_works_or_waits(vitals: Vitals, monkeypatch: pytest.MonkeyPatch) -> None:
    pools = {"anyio": Pool(1, None, 0), "asyncio": Pool(0, 6, 3)}
    monkeypatch.setattr(vitals.threads, "read", lambda: pools)
    assert said(vitals) == ["worker threads: 1 of any number used, 0 waiting (anyio); 0 of 6 used, 3 waiting (asyncio)"]
    pools.update(anyio=Pool(0, 40, 0), asyncio=Pool(0, 6, 0))
    assert said(vitals) == []


def test_memory_is_said_with_its_limit_and_its_floor_where_they_are_known(vitals: Vitals) -> None:
    used(vitals)
    assert said(vitals) == ["memory: 80.0 MB"]
    vitals.growth.floor.value = 70_000_000
    assert said(vitals) == ["memory: 80.0 MB, 70.0 MB after a full garbage collection"]
    vitals.growth.floor.value = None
    for source, text in (
        ("cgroup_v1", "its control group"),
        ("cgroup_v2", "its control group"),
        ("address_space", "its address space"),
        ("host", "the host"),
    ):
        vitals.ceiling = Ceiling(1_000_000_000, source)  # type: ignore[arg-type]
        assert said(vitals) == [f"memory: 80.0 MB of 1.00 GB ({text})"]


@pytest.mark.parametrize(
    ("cause", "each", "text"),
    [
        ("sessions", 100_000.0, "memory grows by 100 kB with every ended session, 3.60 MB an hour"),
        ("calls", 512.0, "memory grows by 512 B with every call, 3.60 MB an hour"),
        ("time", 1000.0, "memory grows, 3.60 MB an hour"),
        (None, None, "memory grows, 3.60 MB an hour"),
    ],
)
def test_growth_is_said_with_its_cause_and_its_end_where_they_are_known(
    vitals: Vitals, cause: Cause | None, each: float | None, text: str
) -> None:
    grows(vitals, cause, each, 1000.0)
    assert said(vitals)[1:] == [f"{text}: at its limit in 116 h 40 min"]
    vitals.ceiling = None
    assert said(vitals)[1:] == [text]


def test_memory_that_follows_the_load_does_not_grow(vitals: Vitals) -> None:
    grows(vitals, "concurrency", 1000.0, None)
    assert said(vitals)[1:] == []


def test_the_two_types_that_are_retained_most_are_said(vitals: Vitals) -> None:
    vitals.counts = {("session", f"T{count}"): Count(10, retained=count) for count in (1, 0, 5, 3)}
    assert said(vitals) == ["5 of 10 T5 kept after their session ended", "3 of 10 T3 kept after their session ended"]
    vitals.counts = {LABEL: Count(10, 10)}
    assert said(vitals) == []


def test_sessions_that_settle_are_said_with_their_level(vitals: Vitals) -> None:
    vitals.sessions.forecast = Forecast(119.6, None)
    assert said(vitals) == ["open sessions grow, and at this pace settle at 120"]
    converse(vitals)
    assert said(vitals)[0] == "open sessions grow, and at this pace settle at 120, 3.59 MB of memory"


def test_sessions_that_reach_their_limit_are_said_with_the_time(vitals: Vitals) -> None:
    vitals.sessions.forecast = Forecast(10_000, 90.0)
    assert said(vitals) == ["open sessions grow to their limit of 10000, at this pace in 90.0 s"]


def test_contexts_that_do_not_grow_are_said_without_growth(vitals: Vitals) -> None:
    converse(vitals)
    assert said(vitals) == ["context: 50.0 kB a conversation, 50.0 kB the largest"]
    for conversation in vitals.contexts._conversations.values():
        conversation.slope = -3.0
    assert said(vitals) == ["context: 50.0 kB a conversation, 50.0 kB the largest; 0 B more with every turn"]


def test_pauses_are_said_from_a_hundredth_of_the_time_on(vitals: Vitals) -> None:
    vitals.pauses.seconds = [0.5, 0.5, 0.0]
    assert said(vitals) == []
    vitals.pauses.seconds = [0.5, 0.5, 0.25]
    assert said(vitals) == ["garbage collector: 1.25 s of pauses"]


def test_who_asks_is_told_of_five_kinds_that_are_more(vitals: Vitals) -> None:
    vitals.holders.kinds = {f"Kind{more}": Kind(100, more) for more in (9, 8, 7, 6, 5, 4, 0, -1)}
    assert said(vitals) == []
    assert said(vitals, asked=True) == [
        "objects more than when last asked: Kind9 +9, Kind8 +8, Kind7 +7, Kind6 +6, Kind5 +5"
    ]


def test_who_asks_is_told_that_nobody_collects(vitals: Vitals, monkeypatch: pytest.MonkeyPatch) -> None:
    gc.disable()
    try:
        assert said(vitals, asked=True) == [
            "garbage collection is off: whether ended sessions are retained stays unknown"
        ]
        assert said(vitals) == []
    finally:
        gc.enable()
    monkeypatch.setattr(gc, "get_freeze_count", lambda: 50_000)
    assert said(vitals, asked=True) == ["objects are frozen (gc.freeze): whether those are retained stays unknown"]
