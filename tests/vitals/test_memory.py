"""A reading says what the system says, of this process and no other; the floor is what full collections left over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from itertools import count
from pathlib import Path
from time import process_time
from typing import Any

import psutil
import pytest

from mcp_otel.vitals import memory
from mcp_otel.vitals.memory import Floor, Load, Memory, Reading, Window
from tests.house.source import ROOT

MB = 1 << 20
linux = pytest.mark.skipif(not Path(memory.ROLLUP).exists(), reason="only Linux sums up a process's pages")


def read(of: Memory | None = None) -> Reading:
    reading = (of or Memory()).read()
    assert reading is not None
    return reading


def test_a_reading_is_what_the_system_says() -> None:
    reading, process = read(), psutil.Process()
    assert reading.rss == pytest.approx(process.memory_info().rss, rel=0.02)
    assert reading.vms == pytest.approx(process.memory_info().vms, rel=0.02)
    assert reading.blocks == pytest.approx(sys.getallocatedblocks(), rel=0.02)
    assert reading.threads == process.num_threads()
    assert reading.user + reading.system == pytest.approx(process_time(), abs=0.1)
    assert reading.uptime == pytest.approx(psutil.time.time() - process.create_time(), abs=0.5)


def test_memory_that_is_touched_is_resident_and_memory_that_is_freed_is_not() -> None:
    reader = Memory()
    before = read(reader)
    held = os.urandom(50 * MB)
    during = read(reader)
    del held
    after = read(reader)
    assert during.rss - before.rss == pytest.approx(50 * MB, rel=0.05)
    assert after.rss - before.rss == pytest.approx(0, abs=2 * MB)


def test_objects_are_blocks_and_large_ones_count_once() -> None:
    reader = Memory()
    before = read(reader).blocks
    held = [b"%200d" % number for number in range(10_000)]
    large = os.urandom(10 * MB)
    during = read(reader).blocks
    del held, large
    assert during - before == pytest.approx(10_001, abs=200)
    assert read(reader).blocks == pytest.approx(before, abs=200)


@pytest.mark.skipif(os.name == "nt", reason="Windows counts no descriptors")
def test_descriptors_and_threads_are_counted_as_they_come_and_go() -> None:
    reader = Memory()
    before = read(reader)
    files, stop = [open(os.devnull, "rb") for _ in range(3)], threading.Event()  # noqa: SIM115
    threads = [threading.Thread(target=stop.wait) for _ in range(2)]
    for thread in threads:
        thread.start()
    during = read(reader)
    stop.set()
    for thread in threads:
        thread.join()
    for file in files:
        file.close()
    assert before.descriptors is not None
    assert before.threads is not None
    assert (during.descriptors, during.threads) == (before.descriptors + 3, before.threads + 2)
    assert read(reader).descriptors == before.descriptors


def test_processor_seconds_are_those_that_were_burnt() -> None:
    reader = Memory()
    before, started = read(reader), process_time()
    while process_time() < started + 0.2:
        pass
    after = read(reader)
    assert after.user + after.system - before.user - before.system == pytest.approx(0.2, abs=0.05)
    assert after.at > before.at


@linux
def test_what_is_nobody_elses_is_part_of_what_is_resident() -> None:
    reading = read()
    assert reading.uss == pytest.approx(psutil.Process().memory_full_info().uss, rel=0.02)
    assert reading.uss is not None
    assert 0 < reading.uss <= reading.rss


def test_a_walk_through_the_pages_that_is_dear_is_not_repeated_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, walks = [100.0], count(1)

    def walk() -> int:
        clock[0] += 0.003
        return next(walks)

    monkeypatch.setattr(memory, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(memory, "_uss", walk)
    reader = Memory()
    seen = []
    for _ in range(8):
        seen.append(read(reader).uss)
        clock[0] += 10
    # Three milliseconds at a time, but no more than one in ten thousand.
    assert seen == [1, 1, 1, 2, 2, 2, 3, 3]


def test_a_walk_that_is_cheap_is_taken_with_every_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    walks = count(1)
    monkeypatch.setattr(memory, "perf_counter", lambda: 100.0)
    monkeypatch.setattr(memory, "_uss", lambda: next(walks))
    reader = Memory()
    assert [read(reader).uss for _ in range(3)] == [1, 2, 3]


def test_what_a_system_does_not_tell_is_none_and_the_rest_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise psutil.AccessDenied

    for name in ("num_threads", "num_fds", "create_time"):
        monkeypatch.setattr(psutil.Process, name, refuse)
    monkeypatch.setattr(memory, "ROLLUP", "/nonexistent")
    reading = read()
    assert (reading.uss, reading.descriptors, reading.threads, reading.uptime) == (None, None, None, None)
    assert reading.rss > MB


def test_a_process_that_cannot_be_read_at_all_gives_no_reading_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise psutil.NoSuchProcess(0)

    monkeypatch.setattr(psutil.Process, "memory_info", refuse)
    assert Memory().read() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing to fork")
def test_a_child_reads_itself_and_not_its_parent() -> None:
    script = """
import json, os
from mcp_otel.vitals.memory import Memory
reader = Memory()
held = os.urandom(60 << 20)
parent = reader.read()
if os.fork() == 0:
    del held
    child = reader.read()
    print(json.dumps([parent.rss, child.rss]), flush=True)
    os._exit(0)
os.wait()
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True, timeout=15)
    parent, child = json.loads(done.stdout)
    assert parent - child > 50 * MB


def test_the_floor_is_unknown_until_a_full_collection_was_seen() -> None:
    floor = Floor()
    for rss in (50, 40, 60):
        floor.add(0, rss, 0, 3, Load(0, 0))
    assert floor.value is None


def test_the_floor_is_what_a_full_collection_left_or_less() -> None:
    floor = Floor()
    seen = []
    for rss, fulls in [(80, 0), (50, 1), (70, 1), (45, 1), (90, 1), (60, 2), (65, 2), (120, 2), (61, 5)]:
        floor.add(0, rss, 0, fulls, Load(0, 0))
        seen.append(floor.value)
    assert seen == [None, 50, 50, 45, 45, 60, 60, 60, 61]


def test_a_window_is_its_lowest_reading_and_what_was_alive_at_most() -> None:
    floor = Floor(readings=3)
    given = [
        (10.0, 700, 5_000, 4, Load(1, 10, in_flight=2)),
        (20.0, 500, 4_000, 4, Load(2, 20, in_flight=7, open_sessions=3)),
        (30.0, 600, 9_000, 4, Load(3, 30, in_flight=9)),
        (40.0, 800, 8_000, 4, Load(4, 40)),
        (50.0, 810, 8_100, 6, Load(5, 50)),
        (60.0, 820, 8_200, 6, Load(6, 60)),
    ]
    windows = [window for each in given if (window := floor.add(*each)) is not None]
    assert windows == [
        Window(20.0, 500, 700, Load(2, 20, 7, 3), fewest=4_000, most=9_000, peak=9, collected=False),
        # What was lower before the collection had garbage in it.
        Window(50.0, 810, 820, Load(5, 50), fewest=8_000, most=8_200, peak=0, collected=True),
    ]


def test_the_floor_of_a_real_heap_is_what_stays_when_garbage_goes() -> None:
    # In a process of its own: a collection in any thread would take the garbage.
    script = """
import gc, json, os
from mcp_otel.vitals.memory import Floor, Load, Memory
from mcp_otel.vitals.pauses import Pauses

reader, pauses, floor = Memory(), Pauses(), Floor()
pauses.install()
reader.read()
gc.collect()
gc.disable()

def look():
    reading = reader.read()
    floor.add(reading.at, reading.rss, reading.blocks, pauses.fulls, Load(0, 0))
    return reading.rss

start = look()
# Garbage that only the collector finds, in blocks so large that malloc never takes or keeps them for others.
for _ in range(2):
    knot = [os.urandom(40 << 20)]
    knot.append(knot)
del knot
full = look()
gc.collect()
look()
print(json.dumps([start, full, floor.value]))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True, timeout=15)
    start, full, floor = json.loads(done.stdout)
    assert full - start == pytest.approx(80 * MB, rel=0.1)
    assert floor == pytest.approx(start, abs=3 * MB)
