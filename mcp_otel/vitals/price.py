"""What our hooks into hot places cost here, measured once: counting is cheaper than timing each of them."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from time import thread_time_ns
from types import coroutine
from typing import Any, NamedTuple

from mcp_otel.vitals.loop import Loops, Pulse
from mcp_otel.vitals.pauses import Pauses
from mcp_otel.vitals.stepping import awaited

TIMES = 200
COLD = 5.0
"""In a server, whose caches hold other things, each costs so many times what it does in a loop of its own: measured
between 3.8 and 5.8."""


class Price(NamedTuple):
    """Seconds of a processor that each of these costs in a server."""

    turn: float
    """An event loop goes to its selector and comes back."""
    call: float
    """A message is told of, and its handler's steps are timed, whatever their number."""
    step: float
    """One step is timed."""
    collection: float
    """The garbage collector runs."""


FREE = Price(0.0, 0.0, 0.0, 0.0)


def measure() -> Price:
    """The prices on this machine; takes about a millisecond."""
    whole, steps = _of_steps(0), _of_steps(TIMES)
    found = _of_turn(), whole + _of_telling(), max(0.0, steps - whole) / TIMES, _of_collection()
    return Price(*(COLD * seconds for seconds in found))


class _Selector:
    def select(self, _: float | None = None) -> tuple[()]:
        """Never waits."""
        return ()


class _Loop:
    def __init__(self) -> None:
        self._selector = _Selector()

    def is_closed(self) -> bool:
        """Never is."""
        return False

    def run_forever(self) -> None:
        """Is not run."""

    def _run_once(self) -> None: ...


def _of_turn() -> float:
    loop: Any = _Loop()
    bare = _each(loop._selector.select, None)
    pulse = Pulse(loop, Loops(), lambda _: None)
    pulse._time_select(loop)
    return max(0.0, _each(loop._selector.select, None) - bare)


def _of_steps(count: int) -> float:
    @coroutine
    def pausing() -> Generator[None, None, None]:
        for _ in range(count):
            yield

    async def bare() -> None:
        await pausing()

    async def timed() -> None:
        await awaited(bare(), _nothing)

    return max(0.0, _least(lambda: _drive(timed())) - _least(lambda: _drive(bare())))


class _Telling:
    """What a message tells: as much work as `Vitals` and `Canaries` do with it."""

    def __init__(self) -> None:
        self._noted: deque[tuple[weakref.ref[Any], str, type]] = deque(maxlen=TIMES)
        self._count = 0

    def note(self, subject: object, kind: str) -> None:
        """A request is over."""
        try:
            self._noted.append((weakref.ref(subject), kind, type(subject)))
        except Exception:
            return

    def over(self, conversation: object, size: int, turn: bool, steps: int) -> None:
        """A message is over."""
        self._count += turn
        self._count += steps
        if conversation is not None:
            self._count += size


def _of_telling() -> float:
    telling, loops = _Telling(), Loops()
    subject: Any = _Loop()  # anything
    return (
        _each(telling.note, subject, "request")
        + 2 * _each(telling.over, subject, 1, True, 1)  # the conversation is told in turn
        + _each(loops.watches, subject)
    )


def _of_collection() -> float:
    pauses, info = Pauses(), {"generation": 0, "collected": 0}
    # The canaries look only for the start of a full one: a fraction of this.
    return _each(pauses._seen, "start", info) + _each(pauses._seen, "stop", info)


def _each(function: Callable[..., Any], *arguments: Any) -> float:
    def run() -> None:
        for _ in range(TIMES):
            function(*arguments)

    return _least(run) / TIMES


def _least(run: Callable[[], object]) -> float:
    """Seconds of the quickest of five runs: what else the thread does is no price of ours."""
    found = []
    for _ in range(5):
        began = thread_time_ns()
        run()
        found.append(thread_time_ns() - began)
    return min(found) * 1e-9


def _drive(steps: Coroutine[Any, Any, None]) -> None:
    try:
        while True:
            steps.send(None)
    except StopIteration:
        return


def _nothing(_: int) -> None: ...
