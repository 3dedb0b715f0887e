"""A thread that watches loops for blockages, for as long as a test needs it, and what it told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mcp_otel.vitals.blocked import Blockage, Blocked
from mcp_otel.vitals.loop import Loops


class Told:
    """What was told of blockages, and whether the loop was still blocked then."""

    def __init__(self) -> None:
        self.said: list[Blockage] = []
        self.while_blocked: list[bool] = []
        self.blocked = True
        self.over = threading.Event()

    def hear(self, blockage: Blockage) -> None:
        self.said.append(blockage)
        self.while_blocked.append(self.blocked)
        if blockage.over:
            self.over.set()

    async def end(self) -> None:
        """Wait until a blockage is over."""
        await asyncio.to_thread(self.over.wait, 5)


@contextmanager
def watching(told: Callable[[Blockage], object] | None = None, **given: Any) -> Iterator[tuple[Loops, Blocked]]:
    loops = Loops(bound=given.pop("bound", 0.25), failed=given.pop("failed", None))
    watcher = Blocked(loops, told, **given)
    stop = watcher.start()
    try:
        yield loops, watcher
    finally:
        stop()
        loops.undo()
        for thread in watchers():
            thread.join(5)
        assert watchers() == []


def watchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "mcp-otel blocked"]
