"""How large conversations are and how fast they grow, wherever that is kept: numbers against what was really made."""

from __future__ import annotations

import gc
import sys
import tracemalloc
import weakref
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any

import pytest

from mcp_otel.vitals import context
from mcp_otel.vitals.canary import MAX_WATCHED, Canaries
from mcp_otel.vitals.context import MAX_CONVERSATIONS, MAX_STORES, MOST, Contexts, Growth, Spread, shared, weigh

LONG = 60.0
"""Seconds of a tick that gets through with everything."""
TURNS = 30


class Session:
    """What a server keeps for one client."""

    def __init__(self, registry: object = None) -> None:
        self.history: list[Any] = []
        self.registry = registry


def text(size: int, number: int) -> str:
    """A string that takes `size` bytes, unlike any other."""
    return f"{number:0{size - sys.getsizeof('')}}"


def message(size: int, number: int) -> dict[str, Any]:
    """A message as a server decodes it; all of it takes `size` bytes."""
    made = {"role": "user", "content": ""}
    made["content"] = text(size - sys.getsizeof(made), number)
    return made


def converse(contexts: Contexts, turn: Callable[[Any, int], None], keys: tuple[Any, ...] = ("one",)) -> None:
    """`TURNS` turns in each conversation, with a tick after each."""
    for number in range(TURNS):
        for key in keys:
            turn(key, number)
        contexts.tick(LONG)


def test_what_is_exchanged_is_counted_to_the_byte_and_grows_by_the_turn() -> None:
    contexts = Contexts()
    for key in ("one", "two", "three"):
        contexts.begin(key)
    sizes = {"one": 2_000, "two": 500, "three": 200}
    converse(contexts, lambda key, _: contexts.exchange(key, sizes[key]), tuple(sizes))
    contexts.exchange("two", 700, turn=False)
    contexts.exchange("unknown", 10**9)
    assert contexts.sizes() == Spread(max=60_000, mean=81_700 / 3, sum=81_700)
    assert contexts.growth() == Growth(max=2_000, mean=900)
    contexts.end("one")
    assert contexts.sizes() == Spread(max=15_700, mean=21_700 / 2, sum=21_700)
    for key in ("two", "three", "three"):
        contexts.end(key)
    assert (contexts.sizes(), contexts.growth(), contexts.failures) == (Spread(0, 0, 0), None, 0)


def test_a_conversation_of_two_kilobytes_a_turn_in_the_session_object_reads_two_kilobytes() -> None:
    contexts, session = Contexts(), Session()
    contexts.begin("one", session)

    def turn(key: str, number: int) -> None:
        session.history.append(message(1_900, number))
        contexts.exchange(key, 100)

    converse(contexts, turn)
    assert contexts.growth() == pytest.approx((2_000, 2_000), rel=0.05)
    assert contexts.sizes().sum == pytest.approx(2_000 * TURNS, rel=0.05)


@pytest.mark.parametrize("by", ["id of the session", "id() of its object"])
def test_an_applications_store_grows_the_conversation_that_it_is_for(by: str) -> None:
    contexts, store = Contexts(), dict[Any, list[str]]()
    sessions = {f"s{number}": Session() for number in range(3)}
    sizes = {"s0": 2_000, "s1": 4_000, "s2": 6_000}
    contexts.track("history", store)
    for key, session in sessions.items():
        contexts.begin(key, session, session_id=key)

    def turn(key: str, number: int) -> None:
        name = key if by == "id of the session" else id(sessions[key])
        store.setdefault(name, []).append(text(sizes[key], number))
        contexts.exchange(key, 0)

    converse(contexts, turn, tuple(sessions))
    store["of nobody"] = [text(30_000, 1)]
    contexts.begin("ended", session_id="ended")
    contexts.end("ended")
    store["ended"] = [text(30_000, 2)]
    contexts.tick(LONG)
    assert contexts.growth() == pytest.approx((6_000, 4_000), rel=0.05)
    spread = contexts.sizes()
    assert spread.max == pytest.approx(6_000 * TURNS + 20_000, rel=0.05)
    assert spread.sum == pytest.approx(12_000 * TURNS + 60_000, rel=0.05)
    assert spread.mean == pytest.approx(spread.sum / 3)


def test_what_a_store_keeps_for_nobody_in_particular_grows_all_alike() -> None:
    contexts, rows = Contexts(), deque[str]()
    contexts.track("rows", lambda: rows)
    for key in range(4):
        contexts.begin(key)

    def turn(key: int, number: int) -> None:
        rows.append(text(2_000, 10 * number + key))
        contexts.exchange(key, 0)

    converse(contexts, turn, tuple(range(4)))
    assert contexts.growth() == pytest.approx((2_000, 2_000), rel=0.05)
    assert contexts.sizes() == pytest.approx((2_000 * TURNS, 2_000 * TURNS, 8_000 * TURNS), rel=0.05)


def test_one_huge_turn_does_not_bend_the_growth_whenever_it_is() -> None:
    for huge in range(TURNS):
        contexts = Contexts()
        contexts.begin("one")
        sizes = [2_000] * TURNS
        sizes[huge] = 5_000_000
        converse(contexts, lambda key, number: contexts.exchange(key, sizes[number]))  # noqa: B023
        assert contexts.growth() == pytest.approx((2_000, 2_000), rel=0.05), huge


def test_large_and_small_turns_read_as_their_mean_over_the_whole_conversation() -> None:
    contexts = Contexts()
    contexts.begin("one")
    for number in range(200):
        contexts.exchange("one", 10_000 if number % 5 == 4 else 200)
        contexts.tick(LONG)
    assert contexts.growth() == pytest.approx((2_160, 2_160), rel=0.10)


def test_what_is_trimmed_at_times_grows_by_what_stays() -> None:
    contexts, session = Contexts(), Session()
    contexts.begin("one", session)
    for number in range(8 * TURNS):
        session.history = [message(2_000, each) for each in range(number % 10)]
        contexts.exchange("one", 100)
        contexts.tick(LONG)
    assert contexts.growth() == pytest.approx((100, 100), abs=150)


def test_conversations_that_do_not_grow_or_have_had_few_turns_say_so() -> None:
    contexts = Contexts()
    contexts.begin("one")
    for _ in range(2):
        contexts.exchange("one", 2_000)
        contexts.tick(LONG)
    assert contexts.growth() is None
    converse(contexts, lambda key, _: contexts.exchange(key, 0))
    assert contexts.growth() == Growth(0, 0)


def test_a_conversation_not_weighed_yet_counts_as_the_mean_of_the_others() -> None:
    contexts, sessions = Contexts(), [Session() for _ in range(2)]
    for number, session in enumerate(sessions):
        session.history = [text(100_000, number)]
        contexts.begin(number, session)
        contexts.exchange(number, 1_000)
    contexts.tick(0.0)  # time for one
    assert contexts.sizes() == pytest.approx((101_000, 101_000, 202_000), rel=0.01)
    for session in sessions:
        session.history.clear()
    contexts.tick(0.0)  # and then for the other
    assert contexts.sizes() == pytest.approx((101_000, 51_000, 102_000), rel=0.02)


def test_what_two_sessions_share_belongs_to_neither() -> None:
    registry = {"rows": [text(1_000_000, 1)]}
    contexts, sessions = Contexts(), [Session(registry) for _ in range(3)]
    for number, session in enumerate(sessions):
        session.history = [text(10_000, number)]
        contexts.begin(number, session)
    contexts.tick(LONG)
    assert contexts.sizes().sum == pytest.approx(30_000, rel=0.05)
    assert id(registry) in shared([sessions[0]], [sessions[1]])


def test_sessions_that_know_each_other_are_not_counted_twice() -> None:
    sessions = [Session() for _ in range(3)]
    registry = {str(number): session for number, session in enumerate(sessions)}
    contexts = Contexts()
    for number, session in enumerate(sessions):
        session.history, session.registry = [text(10_000, number)], registry
        contexts.begin(number, session)
    contexts.tick(LONG)
    assert contexts.sizes() == pytest.approx((10_000, 10_000, 30_000), rel=0.05)


@pytest.mark.parametrize("count", [1, 10, 100, 1_000, 30_000])
def test_the_estimate_is_near_what_was_allocated_and_takes_milliseconds(count: int) -> None:
    number = iter(range(10**9))
    session = Session()
    gc.collect()
    tracemalloc.start()
    session.history = [{"text": f"{next(number):0900}", "at": next(number) + 0.5, "tags": ["a"]} for _ in range(count)]
    allocated = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    began = perf_counter()
    size, seen = weigh([session])
    # Dictionaries, lists and floats that Python kept from before are not allocated: a few hundred bytes.
    assert size == pytest.approx(allocated, rel=0.10, abs=800)
    assert len(seen) <= MOST
    assert perf_counter() - began < 0.1


def test_small_objects_are_weighed_with_their_attributes() -> None:
    gc.collect()
    sessions = [Session() for _ in range(100)]  # from here on their kind is known
    tracemalloc.start()
    sessions = [Session(number * 1_000) for number in range(60)]
    allocated = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert weigh([sessions])[0] == pytest.approx(allocated, rel=0.05)


def test_of_a_large_structure_a_part_is_looked_at_and_stands_for_the_rest() -> None:
    tree = [
        [[text(100, 10_000 * one + 100 * two + three) for three in range(50)] for two in range(50)] for one in range(5)
    ]
    size, seen = weigh([tree])
    assert len(seen) == MOST
    assert size == pytest.approx(5 * 50 * 50 * 108, rel=0.25)


def test_neither_functions_nor_tasks_nor_modules_lead_out_of_a_conversation() -> None:
    session = Session()
    session.history = [sys, test_neither_functions_nor_tasks_nor_modules_lead_out_of_a_conversation, Session, print]
    assert weigh([session])[0] < 500


def test_no_code_of_the_host_runs_and_a_store_that_fails_is_counted() -> None:
    class Hostile:
        def __init__(self) -> None:
            self.inner = text(10_000, 1)

        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(name)

        def __sizeof__(self) -> int:
            raise AssertionError

        __eq__ = __hash__ = __len__ = __iter__ = __bool__ = __repr__ = __sizeof__  # type: ignore[assignment]

    def failing() -> object:
        raise RuntimeError("secret")

    contexts, hostile = Contexts(), Hostile()
    contexts.track("failing", failing)
    contexts.track("seven", lambda: 7_000)
    contexts.track("hostile", hostile)
    contexts.begin("one", hostile)
    contexts.exchange("one", 1)
    contexts.tick(LONG)
    assert contexts.failures == 1
    assert contexts.sizes().sum == pytest.approx(7_000 + 2 * 10_000 + 1, rel=0.05)


def test_nothing_of_the_hosts_is_kept_alive_but_what_was_handed_over() -> None:
    contexts, session, store, rows = Contexts(), Session(), Session(), [text(50_000, 1)]
    gone = weakref.ref(session), weakref.ref(store)
    contexts.begin("one", session, session_id="secret-session")
    contexts.track("store", store)
    contexts.track("rows", rows)
    contexts.tick(LONG)
    del session, store
    assert [each() for each in gone] == [None, None]
    contexts.tick(LONG)
    assert contexts.sizes().sum == pytest.approx(50_000, rel=0.05)
    contexts.untrack("rows")
    contexts.tick(LONG)
    assert (contexts.sizes().sum, contexts.failures) == (pytest.approx(0, abs=200), 0)
    assert not [each for each in reached(contexts) if each == "secret-session"]


def reached(root: object) -> list[str]:
    """Every string below `root`."""
    seen, waiting, found = set[int](), [root], list[str]()
    while waiting:
        for each in gc.get_referents(waiting.pop()):
            if id(each) not in seen and not isinstance(each, type):
                seen.add(id(each))
                waiting.append(each)
                found += [each] if isinstance(each, str) else []
    return found


def test_an_address_that_is_used_again_belongs_to_the_later_conversation() -> None:
    contexts, kept = Contexts(), list[Session]()
    address, again = 0, -1
    while again != address:  # until a session lies where the object of another one was
        contexts.end("first")
        first = Session()
        address = id(first)
        contexts.begin("first", first)
        del first
        kept.append(Session())
        again = id(kept[-1])
    contexts.begin("second", kept[-1])
    contexts.end("first")
    contexts.track("history", lambda: {address: text(10_000, 1)})
    contexts.begin("third")
    contexts.tick(LONG)
    # Were it nobody's in particular, each of the two would have a half.
    assert contexts.sizes() == pytest.approx((10_000, 5_000, 10_000), rel=0.1)


def test_the_oldest_conversations_make_room_and_stores_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "MAX_CONVERSATIONS", 5)
    contexts = Contexts()
    for number in range(8):
        contexts.begin(number, session_id=str(number))
        contexts.begin(number)  # once more: no room is needed
    for number in range(8):
        contexts.exchange(number, 10**number)
    assert (contexts.dropped, contexts.sizes().sum) == (3, 11_111_000)
    for number in range(MAX_STORES + 2):
        contexts.track(str(number), lambda: 1)
    contexts.track("0", lambda: 3)
    contexts.tick(LONG)
    assert (contexts.failures, contexts.sizes().sum) == (2, 11_111_000 + MAX_STORES + 2)


def test_a_tick_ends_in_time_however_much_there_is() -> None:
    contexts = Contexts()
    sessions = [Session() for _ in range(2_000)]
    for number, session in enumerate(sessions):
        session.history = [message(500, each) for each in range(20)]
        contexts.begin(number, session)
        contexts.exchange(number, 1)
    contexts.track("rows", {number: text(100, number) for number in range(300_000)})
    rounds = []
    for _ in range(5):
        began = perf_counter()
        contexts.tick(0.02)
        rounds.append(perf_counter() - began)
    assert min(rounds) < 0.2
    assert contexts.sizes().sum == pytest.approx(2_000 * 20 * 500 + 300_000 * 150, rel=0.15)


def test_ten_thousand_sessions_cost_sixteen_megabytes_at_most_and_a_message_microseconds() -> None:
    count = 200
    keys, ids = [object() for _ in range(count)], [f"{number:032}" for number in range(count)]
    sessions = [(Session(), Session()) for _ in keys]
    gc.collect()
    tracemalloc.start()
    contexts, canaries = Contexts(), Canaries()
    for key, session_id, pair in zip(keys, ids, sessions, strict=True):
        contexts.begin(key, *pair, session_id=session_id)
        canaries.watch(pair[0], "session")
        canaries.watch(pair[1], "session")
    for _ in range(5 * context.MAX_POINTS):
        for key in keys:
            contexts.exchange(key, 1_000)
        contexts.tick(LONG)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    canaries.close()
    assert MAX_WATCHED == 2 * MAX_CONVERSATIONS
    assert held / count * MAX_CONVERSATIONS < 16_000_000
    assert max(len(each.points) for each in contexts._conversations.values()) <= 2 * context.MAX_POINTS
    assert contexts.growth() == Growth(1_000, 1_000)
    began = perf_counter()
    for key in keys:
        contexts.exchange(key, 1)
    assert (perf_counter() - began) / count < 5e-6
