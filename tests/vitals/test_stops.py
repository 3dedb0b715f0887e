"""With a million live objects nothing that is read on a slow tick stops other threads for as long as a frame."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.house.source import ROOT

LONGEST = 0.020
"""Seconds that other threads may stand still for one reading."""

HOST = """
import gc, json, sys, threading
from time import perf_counter, sleep

from mcp_otel.vitals import holders, limit
from mcp_otel.vitals.canary import CHEAP, Canaries
from mcp_otel.vitals.context import Contexts, shared, weigh
from mcp_otel.vitals.holders import Holders
from mcp_otel.vitals.memory import Memory
from mcp_otel.vitals.pauses import Pauses, state

sys.setswitchinterval(0.0005)  # or a thread that waits for its turn, and not for us, would seem to stand still
objects, frozen = int(sys.argv[1]), sys.argv[2] == "frozen"


class Session:
    def __init__(self):
        self.history = []


class Slotted:
    __slots__ = ("inner",)


class Store(dict):
    pass


gc.disable()  # what the host's own collections take is not ours
heap = [[str(number)] for number in range(objects)]
many, wide = Store((number, str(number)) for number in range(2 * objects)), list(range(objects))
if frozen:
    gc.freeze()
    heap.append([[str(number)] for number in range(50_000)])
sessions = [Session() for _ in range(2_000)]
history = Session()
history.history = wide
kept = Session()  # which very many hold, and a very large list
slots = [Slotted() for _ in range(500)]
for each in slots:
    each.inner = kept
    wide.append(each)
wide.append(kept)

canaries, contexts, memory, pauses = Canaries(grace=0.0), Contexts(), Memory(), Pauses()
looking = Holders(canaries)
pauses.install()
for number, session in enumerate(sessions):
    canaries.watch(session, "session")
    contexts.begin(number, session, history, session_id=str(number))
canaries.watch(kept, "request")
contexts.track("store", many)
contexts.track("wide", lambda: wide)
for _ in range(20):  # the machine may be at something else the first time
    gc.collect()
    if canaries.full.seconds < CHEAP:
        break
gap, steps, over = 0.0, 0, False


def step():
    global gap, steps
    before = perf_counter()
    while not over:
        now = perf_counter()
        gap, steps, before = max(gap, now - before), steps + 1, now


def longest_stop(call):
    global gap
    for begin in (True, False):  # the other thread is at it before, and gets to say so afterwards
        before = steps
        while steps < before + 2:
            sleep(0)
        if begin:
            gap = 0.0
            call()
    return gap


def bare():
    end = perf_counter() + 0.05
    while perf_counter() < end:
        pass


def weighing():
    one, other = canaries.examples(("session", "Session"), 2)
    return weigh([one], shared([one], [other]))


def named():
    looking.texts, looking._tried = {}, {}
    looking.tick()
    looking.tick()


def counted():
    canaries._frozen = None  # as after another full collection
    return canaries.counts()


threading.Thread(target=step).start()
parts = {
    "memory": memory.read, "limit": limit.find, "pauses": state, "canary": counted, "context": contexts.tick,
    "weigh": weighing, "holders": named,
}
gaps = {name: [] for name in ("bare", *parts)}
for _ in range(5):
    for name, read in parts.items():
        for each, call in (("bare", bare), (name, read)):
            gaps[each].append(longest_stop(call))
over = True
print(json.dumps({
    "gaps": gaps,
    "full": canaries.full.seconds,
    "looked": sorted(looking.texts.values()),
    "counts": canaries.counts()["session", "Session"]._asdict(),
    "failures": canaries.failures + contexts.failures + looking.failures,
}))
"""


@pytest.mark.parametrize(("objects", "heap"), [(1_000_000, "live"), (1_000_000, "frozen"), (30_000, "live")])
def test_no_reading_stops_the_other_threads(objects: int, heap: str, capsys: pytest.CaptureFixture[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HOST, str(objects), heap],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    said: dict[str, Any] = json.loads(done.stdout)
    # What stops them for long does so each time; what else this machine runs does not.
    gaps = {name: min(each) for name, each in said["gaps"].items()}
    with capsys.disabled():
        millis = ", ".join(f"{name} {gap * 1000:.1f}" for name, gap in gaps.items())
        print(f"\n{objects} {heap} objects, full collection {said['full'] * 1000:.0f} ms; longest stop in ms: {millis}")
    assert {name: gap for name, gap in gaps.items() if gap >= LONGEST} == {}
    assert said["failures"] == 0
    assert said["counts"]["retained"] == 2_000
    # Where looking at the heap would stop everybody, nobody looks.
    assert bool(said["looked"]) == (said["full"] < 0.02)
    assert (said["full"] < 0.02) == (objects < 1_000_000 or heap == "frozen")
