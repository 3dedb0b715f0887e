"""All readings of one process together: what starts and ends, what messages tell, and that nothing of it raises."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from mcp_otel.settings import Settings
from mcp_otel.signals.totals import Totals
from mcp_otel.vitals import Lasting, Vitals
from mcp_otel.vitals.canary import Count
from mcp_otel.vitals.context import Contexts
from mcp_otel.vitals.memory import Load
from mcp_otel.vitals.sessions import Doors
from tests.vitals.runners import until

NAMES = ("mcp-otel vitals", "mcp-otel blocked")


class Host:
    """A server that has done and has to do this."""

    def __init__(self) -> None:
        self.now = Doors(7, 100, 60.0, 5.0)

    def load(self) -> Load:
        return Load(3, 40, 1, 7)

    def doors(self) -> Doors:
        return self.now

    def tool(self, call: object) -> str | None:
        return getattr(call, "tool", None)


class Made:
    """Vitals of a host, and what they tell of failures."""

    def __init__(self, lasting: Lasting | None = None, totals: Totals | None = None, **settings: Any) -> None:
        self.failures: list[tuple[str, str]] = []
        self.host, self.totals = Host(), totals or Totals()
        self.lasting, self.contexts = lasting or Lasting(), Contexts()
        self.vitals = Vitals(Settings(**settings), self.host, self.totals, self.lasting, self.contexts, self.failed)

    def failed(self, part: str, error: BaseException) -> None:
        self.failures.append((part, type(error).__name__))

    def again(self, **settings: Any) -> Made:
        """What comes after this one, in the same process."""
        return Made(self.lasting, self.totals, **settings)


@pytest.fixture
def making() -> Iterator[Callable[..., Made]]:
    """Makes vitals; at the end all are stopped, and the process is as before."""
    before, made = list(gc.callbacks), []

    def make(*arguments: Any, **settings: Any) -> Made:
        made.append(Made(*arguments, **settings))
        return made[-1]

    yield make
    for each in made:
        each.vitals.stop()
        each.vitals.canaries.close()  # also of one that was not started
    ended()
    assert gc.callbacks == before


def ours() -> list[str]:
    return sorted(thread.name for thread in threading.enumerate() if thread.name in NAMES)


def ended() -> None:
    for thread in threading.enumerate():
        if thread.name in NAMES:
            thread.join(5)
    assert ours() == []


class Subject:
    """Something that a server keeps."""


class Step:
    """A call whose handler's steps are timed."""

    def __init__(self, tool: str | None = None) -> None:
        self.tool = tool
        self.cpu: Any = None
        self.blocked: Any = None
        self.nanos: list[int] = []

    def step(self, nanos: int) -> None:
        self.nanos.append(nanos)

    def step_cpu(self, nanos: int) -> None: ...

    def cpu_clock(self) -> int:
        return time.thread_time_ns()


# --- start and stop


def test_after_a_stop_no_thread_runs_and_everything_is_as_it_was() -> None:
    before = list(gc.callbacks)

    async def served() -> None:
        made = Made()
        loop: Any = asyncio.get_running_loop()
        attributes, selector = dict(vars(loop)), dict(vars(loop._selector))
        stop = made.vitals.start()
        assert ours() == ["mcp-otel blocked", "mcp-otel vitals"]
        made.vitals.message()
        assert vars(loop._selector).keys() - selector.keys() == {"select"}
        assert vars(loop).keys() - attributes.keys() == {"run_forever"}
        assert len(gc.callbacks) == len(before) + 2
        stop()
        assert vars(loop).keys() == attributes.keys()
        assert vars(loop._selector).keys() == selector.keys()
        assert gc.callbacks == before
        await until(lambda: ours() == [])
        assert made.failures == []

    asyncio.run(served())


def test_to_stop_twice_or_without_a_start_is_harmless(making: Callable[..., Made]) -> None:
    made = making()
    made.vitals.stop()
    other = making()
    other.vitals.start()()
    other.vitals.stop()
    ended()
    assert made.failures == other.failures == []


def test_a_message_that_comes_after_the_stop_changes_nothing(making: Callable[..., Made]) -> None:
    async def served() -> None:
        made = making()
        made.vitals.start()()
        made.vitals.message()
        loop: Any = asyncio.get_running_loop()
        assert "select" not in vars(loop._selector)
        assert not made.vitals.loops.watches(loop)

    asyncio.run(served())


def test_where_no_thread_can_be_started_everything_is_put_back(
    making: Callable[..., Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = list(gc.callbacks)
    made = making()

    def start(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        made.vitals.start()
    assert gc.callbacks == before


def test_vitals_that_start_anew_go_on_with_the_sums(making: Callable[..., Made]) -> None:
    async def served() -> None:
        first = making(blocked_after=0.05)
        first.vitals.start()
        first.vitals.message()
        call = Step("slow")

        async def handler() -> None:
            time.sleep(0.2)

        await asyncio.sleep(0)
        await first.vitals.stepped(call, handler())
        await until(lambda: any(count for count, _ in first.vitals.blocked.places().values()))
        await until(lambda: sum(seconds for _, seconds in first.vitals.blocked.places().values()) > 0.19)
        first.vitals.stop()
        places, busy = first.vitals.blocked.places(), first.vitals.loops.busy_seconds()
        (cause,) = places
        assert cause[0].startswith("tests/vitals/test_vitals.py:")
        assert cause[1] == "slow"
        second = making(first.lasting, first.totals, blocked_after=0.05)
        second.vitals.start()
        assert second.vitals.blocked.places() == places
        assert second.vitals.loops.busy_seconds() >= busy >= 0.2
        second.vitals.message()
        await asyncio.sleep(0)
        time.sleep(0.1)
        await until(lambda: second.vitals.loops.busy_seconds() >= busy + 0.1)
        assert second.vitals.blocked.places()[cause] == places[cause]

    asyncio.run(served())


def test_a_blockage_that_lasts_while_vitals_end_keeps_the_seconds_it_has_had(making: Callable[..., Made]) -> None:
    made, seen, over = making(blocked_after=0.05), threading.Event(), threading.Event()
    counted: list[dict[Any, tuple[int, float]]] = []

    def end() -> None:
        while sum(seconds for _, seconds in made.vitals.blocked.places().values()) < 0.2:
            over.wait(0.01)
        counted.append(made.vitals.blocked.places())
        made.vitals.stop()
        made.vitals.stop()
        counted.append(making(made.lasting).vitals.blocked.places())
        seen.set()

    async def served() -> None:
        made.vitals.start()
        made.vitals.message()
        await asyncio.sleep(0)
        threading.Thread(target=end).start()
        assert seen.wait(10)  # blocks the loop

    asyncio.run(served())
    before, after = ({cause: count for cause, (count, _) in places.items()} for places in counted)
    assert before == after == dict.fromkeys(before, 1)
    lasted, kept = (sum(seconds for _, seconds in places.values()) for places in counted)
    assert lasted <= kept < lasted + 0.15


def test_a_step_blocks_from_the_setting_on_also_below_the_default(making: Callable[..., Made]) -> None:
    async def served() -> None:
        made = making(blocked_after=0.05)
        made.vitals.start()
        made.vitals.message()
        await asyncio.sleep(0)
        time.sleep(0.12)
        await until(lambda: sum(count for count, _ in made.vitals.blocked.places().values()) == 1)
        await until(lambda: sum(seconds for _, seconds in made.vitals.blocked.places().values()) > 0.11)

    asyncio.run(served())


# --- what is read


@pytest.mark.parametrize("part", ["memory", "sessions", "context", "retention"])
def test_a_reading_that_raises_is_counted_by_its_part_and_the_others_still_happen(
    making: Callable[..., Made], part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = making(retention_grace=0.0)
    vitals, subject = made.vitals, Subject()
    vitals.tick()
    before = vitals.reading
    assert before is not None
    vitals.began("conversation", "id", (subject,))
    vitals.watch(subject, "session")

    def broken(*_: object) -> Any:
        raise OSError("not today")

    owner, name = {
        "memory": (vitals._memory, "read"),
        "sessions": (made.host, "doors"),
        "context": (vitals.contexts, "tick"),
        "retention": (vitals.canaries, "counts"),
    }[part]
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, broken)
        vitals.tick()
    assert made.failures == [(part, "OSError")]
    assert (vitals.reading is before) == (part == "memory")
    assert len(vitals.sessions._readings) == (1 if part == "sessions" else 2)
    assert (made.contexts.kept() is None) == (part == "context")
    assert list(vitals.counts) == ([] if part == "retention" else [("session", "Subject")])
    assert made.totals.cost["vitals"] > 0


def test_a_tick_reads_memory_and_its_limit_sessions_and_contexts(making: Callable[..., Made]) -> None:
    made = making()
    made.vitals.tick()
    reading, ceiling = made.vitals.reading, made.vitals.ceiling
    assert reading is not None
    assert ceiling is not None
    assert 0 < reading.rss < ceiling.bytes
    assert list(made.vitals.sessions._readings) == [(reading.at, 7)]
    assert made.vitals.growth.floor._open == [(reading.rss, reading.at, reading.blocks, Load(3, 40, 1, 7))]
    assert made.vitals.time_to_limit is None


def test_failures_of_the_parts_are_counted_once_and_by_their_names(
    making: Callable[..., Made], caplog: pytest.LogCaptureFixture
) -> None:
    made = making()
    vitals = made.vitals
    vitals.contexts.failures, vitals.canaries.failures, vitals.holders.failures = 2, 1, 3
    vitals.settle()
    vitals.settle()
    assert made.totals.failures == {"context": 2, "retention": 1, "holders": 3}
    vitals.contexts.failures = 4
    vitals.settle()
    assert made.totals.failures["context"] == 4
    assert [record.getMessage() for record in caplog.records] == [
        f"mcp-otel failed in {part}; the server is not affected" for part in ("context", "retention", "holders")
    ]
    # Contexts outlive one instrumentation, and so do their failures.
    other = Vitals(Settings(), made.host, made.totals, made.lasting, made.contexts, made.failed)
    other.canaries.failures = 1
    other.settle()
    other.canaries.close()
    assert made.totals.failures == {"context": 4, "retention": 2, "holders": 3}


# --- what messages tell


def test_loops_of_two_threads_are_both_watched(making: Callable[..., Made]) -> None:
    made, both = making(), threading.Barrier(2, timeout=10)
    made.vitals.start()
    seen: list[int] = []

    async def served() -> None:
        made.vitals.message()
        await asyncio.to_thread(both.wait)  # the executors of both are there
        seen.append(len(made.vitals.loops.pulses()))
        limit = made.vitals.threads.read()["asyncio"].limit
        assert limit is not None
        seen.append(limit)
        await asyncio.to_thread(both.wait)

    threads = [threading.Thread(target=asyncio.run, args=(served(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    most = asyncio.run(own_limit())
    assert sorted(seen) == sorted([2, 2, 2 * most, 2 * most])
    assert made.vitals.loops.pulses() == []


async def own_limit() -> int:
    await asyncio.to_thread(int)
    executor: Any = vars(asyncio.get_running_loop())["_default_executor"]
    limit: int = executor._max_workers
    return limit


def test_a_message_outside_of_any_loop_does_nothing(
    making: Callable[..., Made], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "trio", raising=False)
    made = making()
    made.vitals.message()
    assert (made.vitals.loops.seen, made.vitals.loops.pulses(), made.vitals.threads.read()) == (False, [], {})
    assert caplog.records == []


def test_under_trio_it_is_said_once_that_loops_stay_unknown(
    making: Callable[..., Made], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "trio", ModuleType("trio"))
    made = making()
    with caplog.at_level(logging.WARNING, "mcp_otel"):
        for _ in range(3):
            made.vitals.message()
    assert [record.getMessage() for record in caplog.records] == [
        "mcp-otel reads the event loop of asyncio only: loop and worker threads stay unknown here"
    ]


@pytest.mark.parametrize("kind", ["request", "session"])
def test_what_dies_at_once_is_released_and_what_lives_on_is_retained_after_grace_and_a_full_collection(
    making: Callable[..., Made], kind: str
) -> None:
    vitals, now = making(retention_grace=60.0).vitals, [1000.0]
    vitals.canaries._clock = lambda: now[0]
    kept, label = Subject(), (kind, "Subject")
    vitals.watch(kept, kind)
    vitals.watch(Subject(), kind)
    vitals.tick()
    assert vitals.counts == {label: Count(watched=2, released=1, in_grace=1)}
    now[0] += 59
    gc.collect()
    vitals.tick()
    assert vitals.counts == {label: Count(watched=2, released=1, in_grace=1)}
    now[0] += 2
    vitals.tick()
    assert vitals.counts == {label: Count(watched=2, released=1, unknown=1)}  # nobody has collected since
    assert vitals.retained_sessions == 0
    gc.collect()
    vitals.tick()
    assert vitals.counts == {label: Count(watched=2, released=1, retained=1)}
    assert vitals.retained_sessions == int(kind == "session")
    assert vitals.weights == {}  # of one alone nobody can tell what it shares
    del kept
    vitals.tick()
    assert vitals.counts == {label: Count(watched=2, released=2)}
