"""Nothing that watches a loop stays, keeps anything of the host's alive, or is felt when it fails."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from mcp_otel.vitals.loop import Loops
from tests.vitals.runners import Run, either, until, work

held: ContextVar[object] = ContextVar("held", default=None)


@either
def test_nothing_of_ours_keeps_a_loop_or_the_context_it_was_found_in(run: Run) -> None:
    class Mark:
        pass

    loops = Loops()
    marks: list[weakref.ref[Any]] = []

    async def request() -> None:
        mark = Mark()
        held.set(mark)
        marks.append(weakref.ref(mark))
        loops.watch()

    async def main() -> bool:
        await asyncio.create_task(request())
        await asyncio.sleep(0.05)
        gc.collect()
        marks.append(weakref.ref(asyncio.get_running_loop()))
        return marks[0]() is None

    assert run(main())
    gc.collect()
    assert marks[1]() is None
    assert loops.pulses() == []


def test_a_loop_that_is_closed_is_let_go_by_us_without_a_collection() -> None:
    loops = Loops()

    def gone(watched: bool) -> list[bool]:
        loop = asyncio.new_event_loop()

        async def main() -> None:
            if watched:
                loops.watch()
            await asyncio.sleep(0.001)

        loop.run_until_complete(main())
        selector = weakref.ref(loop._selector)  # type: ignore[attr-defined]
        loop.close()
        made = weakref.ref(loop)
        del loop, main
        return [made() is None, selector() is None]

    gc.collect()
    gc.disable()
    try:
        assert gone(True) == gone(False)
    finally:
        gc.enable()


def replaced(loop: Any) -> list[str]:
    names = [*vars(loop), *vars(getattr(loop, "_selector", loop))]
    return sorted({"select", "run_forever", "run_in_executor"} & set(names))


def test_what_was_replaced_is_put_back_from_whatever_thread() -> None:
    async def main() -> list[list[str]]:
        loop = asyncio.get_running_loop()
        loops, seen = Loops(), [replaced(loop)]
        undo = loops.watch()
        seen.append(replaced(loop))
        await asyncio.to_thread(undo)
        undo()
        seen.append(replaced(loop))
        loops.watch()
        loops.watch()
        seen.append(replaced(loop))
        loops.undo()
        seen.append(replaced(loop))
        assert loop._selector.select.__func__ is type(loop._selector).select  # type: ignore[attr-defined]
        return seen

    both = ["run_forever", "select"]
    assert asyncio.run(main()) == [[], both, [], both, []]


def test_after_undo_no_heart_beats_and_what_it_read_remains() -> None:
    async def main() -> list[float]:
        lags: list[float] = []
        loops = Loops(lags.append)
        undo = loops.watch()
        await work(0.4, 0.5)
        undo()
        then = len(lags), loops.busy_seconds()
        await work(0.4, 0.5)
        assert (len(lags), loops.busy_seconds()) == then
        return lags

    assert len(asyncio.run(main())) >= 1


def test_what_others_have_put_on_a_selector_before_or_after_us_stays() -> None:
    async def main() -> None:
        selector = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]
        counts = {"before": 0, "after": 0}

        def counting(name: str, select: Callable[..., Any]) -> Callable[..., Any]:
            def counted(timeout: float | None = None) -> Any:
                counts[name] += 1
                return select(timeout)

            return counted

        selector.select = before = counting("before", selector.select)
        loops = Loops()
        undo = loops.watch()
        await asyncio.sleep(0)
        assert counts["before"] >= 1
        undo()
        assert selector.select is before
        undo = loops.watch()
        selector.select = after = counting("after", selector.select)
        undo()
        await asyncio.sleep(0)
        assert selector.select is after
        assert counts["after"] >= 1

    asyncio.run(main())


@either
def test_what_our_callbacks_raise_is_told_and_stays_inside(run: Run) -> None:
    told: list[object] = []
    complaints: list[object] = []

    def failing(*_: object) -> None:
        raise ZeroDivisionError

    def failed(part: str, error: Exception) -> None:
        told.append((part, type(error)))
        raise LookupError

    async def main() -> str:
        asyncio.get_running_loop().set_exception_handler(lambda *said: complaints.append(said))
        loops = Loops(failing, failed)
        loops.roused = failing
        loops.watch()
        await until(lambda: len(told) >= 3)
        return "served"

    assert run(main()) == "served"
    assert set(told) == {("loop", ZeroDivisionError)}
    assert complaints == []
