"""Pools of threads are read as they are, from any thread, and a pool that nobody has used is absent."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import anyio.to_thread
import pytest

from mcp_otel.vitals.threads import Pool, Threads
from tests.vitals.runners import Run, either, on_uvloop


class Held:
    """Work that lasts until it is let go."""

    def __init__(self) -> None:
        self.gate = threading.Event()

    def work(self) -> None:
        assert self.gate.wait(10)


def watched() -> Threads:
    threads = Threads()
    threads.watch(asyncio.get_running_loop())
    return threads


async def until(read: Callable[[], object], value: object) -> None:
    """Wait until what is read is this, and say what it is if it never is."""
    end = time.perf_counter() + 5
    while (found := read()) != value:
        assert time.perf_counter() < end, found
        await asyncio.sleep(0.005)


@either
def test_forty_threads_of_anyio_that_work_and_twelve_calls_that_wait_read_so(run: Run) -> None:
    async def main() -> None:
        threads, held = watched(), Held()
        async with anyio.create_task_group() as group:
            for _ in range(52):
                group.start_soon(anyio.to_thread.run_sync, held.work)
            await until(threads.read, {"anyio": Pool(40, 40, 12)})
            held.gate.set()
        assert threads.read() == {"anyio": Pool(0, 40, 0)}

    run(main())


@either
def test_an_executor_of_a_stated_size_reads_what_works_and_what_waits(run: Run) -> None:
    async def main() -> None:
        loop, held = asyncio.get_running_loop(), Held()
        loop.set_default_executor(ThreadPoolExecutor(5))
        threads = watched()
        working = [loop.run_in_executor(None, held.work) for _ in range(5)]
        await until(threads.read, {"asyncio": Pool(5, 5, 0)})
        working += [asyncio.ensure_future(asyncio.to_thread(held.work)) for _ in range(3)]
        await until(threads.read, {"asyncio": Pool(5, 5, 3)})
        held.gate.set()
        await asyncio.gather(*working)
        await until(threads.read, {"asyncio": Pool(0, 5, 0)})

    run(main())


@either
def test_a_thread_that_has_worked_off_a_queue_is_idle_and_counted_once(run: Run) -> None:
    """Before Python 3.12 the executor's own count of idle threads runs away."""

    async def main() -> None:
        loop, held = asyncio.get_running_loop(), Held()
        loop.set_default_executor(ThreadPoolExecutor(2))
        threads = watched()
        await asyncio.gather(*(loop.run_in_executor(None, time.sleep, 0.001) for _ in range(20)))
        working = loop.run_in_executor(None, held.work)
        await until(threads.read, {"asyncio": Pool(1, 2, 0)})
        held.gate.set()
        await working
        await until(threads.read, {"asyncio": Pool(0, 2, 0)})

    run(main())


@either
def test_pools_that_nobody_has_used_are_absent_and_reading_makes_none(run: Run) -> None:
    async def main() -> list[object]:
        threads = watched()
        seen: list[object] = [threads.read()]
        await anyio.to_thread.run_sync(int)
        seen.append(sorted(threads.read()))
        await asyncio.to_thread(int)
        seen.append(sorted(threads.read()))
        return seen

    assert run(main()) == [{}, ["anyio"], ["anyio", "asyncio"]]


def test_the_limit_is_what_it_is_set_to_and_none_when_there_is_none() -> None:
    async def main() -> list[object]:
        threads = watched()
        limiter = anyio.to_thread.current_default_thread_limiter()
        limiter.total_tokens = 7
        seen = [threads.read()]
        limiter.total_tokens = float("inf")
        return [*seen, threads.read()]

    assert asyncio.run(main()) == [{"anyio": Pool(0, 7, 0)}, {"anyio": Pool(0, None, 0)}]


@either
def test_another_thread_reads_a_loop_that_is_blocked(run: Run) -> None:
    read: list[object] = []

    async def main() -> None:
        threads, held = watched(), Held()
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(anyio.to_thread.run_sync, held.work)
            await until(threads.read, {"anyio": Pool(3, 40, 0)})
            reader = threading.Thread(target=lambda: read.append(threads.read()))
            reader.start()
            reader.join(5)  # the loop does nothing meanwhile
            held.gate.set()

    run(main())
    assert read == [{"anyio": Pool(3, 40, 0)}]


@either
def test_several_loops_are_summed_and_one_that_is_closed_is_not_there(run: Run) -> None:
    threads, held = Threads(), Held()

    async def main(count: int) -> None:
        threads.watch(asyncio.get_running_loop())
        async with anyio.create_task_group() as group:
            for _ in range(count):
                group.start_soon(anyio.to_thread.run_sync, held.work)

    runs = [threading.Thread(target=run, args=(main(count),)) for count in (41, 2)]
    for each in runs:
        each.start()
    asyncio.run(until(threads.read, {"anyio": Pool(42, 80, 1)}))
    held.gate.set()
    for each in runs:
        each.join()
    assert threads.read() == {}


@on_uvloop
def test_uvloop_is_asked_for_its_executor_once_and_then_left_alone(run: Run) -> None:
    async def main() -> list[object]:
        loop = asyncio.get_running_loop()
        threads, own = watched(), ThreadPoolExecutor(1)
        seen: list[object] = ["run_in_executor" in vars(loop)]
        assert await loop.run_in_executor(own, int) == 0
        seen += ["run_in_executor" in vars(loop), threads.read()]
        assert await loop.run_in_executor(None, lambda *numbers: sum(numbers), 1, 2) == 3
        seen += ["run_in_executor" in vars(loop), sorted(threads.read())]
        own.shutdown()
        undo = Threads().watch(loop)
        seen.append("run_in_executor" in vars(loop))
        undo()
        return [*seen, "run_in_executor" in vars(loop)]

    assert run(main()) == [True, True, {}, False, ["asyncio"], True, False]


@either
def test_nothing_of_ours_keeps_a_loop_or_the_work_that_was_done_on_it(run: Run) -> None:
    class Mark:
        def __call__(self) -> None:
            pass

    threads = Threads()
    marks: list[weakref.ref[Any]] = []

    async def main() -> bool:
        loop = asyncio.get_running_loop()
        threads.watch(loop)
        mark = Mark()
        marks.extend([weakref.ref(mark), weakref.ref(loop)])
        await loop.run_in_executor(None, mark)
        del mark
        await until(lambda: [pool.used for pool in threads.read().values()], [0])
        gc.collect()
        return marks[0]() is None

    assert run(main())
    gc.collect()
    assert marks[1]() is None
    assert threads.read() == {}


@either
def test_what_work_raises_is_the_callers(run: Run) -> None:
    async def main() -> list[object]:
        loop, threads = asyncio.get_running_loop(), watched()
        with pytest.raises(ValueError, match="invalid literal"):
            await loop.run_in_executor(None, int, "no number")
        seen: list[object] = [list(threads.read())]
        threads.undo()
        return [*seen, threads.read()]

    assert run(main()) == [["asyncio"], {}]


def test_a_pool_that_cannot_be_read_is_absent_and_the_others_are_not() -> None:
    async def main() -> None:
        threads, executor = watched(), ThreadPoolExecutor(1)
        asyncio.get_running_loop().set_default_executor(executor)
        await anyio.to_thread.run_sync(int)
        queue: Any = executor._work_queue
        executor._work_queue = None  # as if it was made otherwise
        assert threads.read() == {"anyio": Pool(0, 40, 0)}
        executor._work_queue = queue
        assert threads.read() == {"anyio": Pool(0, 40, 0), "asyncio": Pool(0, 1, 0)}

    asyncio.run(main())


def test_a_loop_that_takes_no_weak_reference_is_left_alone() -> None:
    class Bare:
        __slots__ = ()

    threads, loop = Threads(), Bare()
    threads.watch(loop)()  # type: ignore[arg-type]
    assert threads.read() == {}


def test_a_reading_costs_microseconds(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> float:
        threads, held = watched(), Held()
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(anyio.to_thread.run_sync, held.work)
                group.start_soon(asyncio.to_thread, held.work)
            await until(lambda: sum(pool.used for pool in threads.read().values()) >= 26, True)
            began = time.thread_time()
            for _ in range(200):
                threads.read()
            elapsed = time.thread_time() - began
            held.gate.set()
        return elapsed / 200 * 1e6

    micros = asyncio.run(main())
    with capsys.disabled():
        print(f"\nreading two pools costs {micros:.0f} µs")
    assert micros < 500
