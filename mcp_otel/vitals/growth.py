"""Whether the floor of memory grows, and with what: ended sessions, calls or time, or only with the load of the moment.

Judged with hindsight: what a later reading gave back was never floor, and what no full collection followed is not yet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import mul, sub
from typing import Literal

from mcp_otel.vitals.memory import READINGS, Floor, Load, Window
from mcp_otel.vitals.trend import Fit, Line, evidence, fits, line, rests

WINDOWS = 60
FEWEST = 6
MIN_BYTES = 1 << 20
MIN_SHARE = 0.005
"""Growth below a mebibyte, or a two hundredth of the floor, is no growth: allocators round up."""
NOISE = 64 << 10
"""Bytes that a floor jumps by itself."""
MOST = 0.8
"""The share of the growth that a cause must explain."""
STRONG = 15.0
"""How much better (in Schwarz's criterion) growth must explain the floor than load alone."""
CLEAR = 10.0
"""How much better one cause must be than all others together, or nobody can tell."""
FEWEST_TO_BLAME = 10
"""Windows that touch the floor, or a cause would be a guess."""
SWING = 0.25
"""The share of the ups and downs of load that growth must exceed: what load does to memory is never known exactly."""
LARGE = 256
"""Bytes of a block of Python's. Where memory rose by more with each, it did not rise because of them."""
STEADY = 0.5
"""What a leak keeps of its pace from the first half to the second; a cache that fills keeps less."""

Cause = Literal["sessions", "calls", "time", "concurrency", "open_sessions"]
Terms = dict[str, list[float]]
LOADS: dict[str, Cause | None] = {"in_flight": "concurrency", "peak": None, "open_sessions": "open_sessions"}
"""Terms that memory may follow without a leak. The peak of the requests in flight only rises, as much else does: it
speaks against a leak, and for nothing."""
LEAKS: tuple[Cause, ...] = ("sessions", "calls", "time")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why the floor is where it is. A `Line` has a slope and the bounds of its 95 % confidence."""

    cause: Cause | None
    """None: it grows, but causes that go hand in hand cannot be told apart."""
    each: Line | None
    """Bytes for one of `cause`: a session, a call, a second, a request in flight, an open session."""
    per_second: Line | None
    """Bytes by which the floor grows in a second; None when it follows the load and does not grow."""

    @property
    def per_session(self) -> float | None:
        """Bytes that stay of every ended session, if those are the cause."""
        return self.each.slope if self.each is not None and self.cause == "sessions" else None

    @property
    def per_call(self) -> float | None:
        """Bytes that stay of every call, if those are the cause."""
        return self.each.slope if self.each is not None and self.cause == "calls" else None

    def time_to_limit(self, limit: float, at: float) -> float | None:
        """Seconds from `at` until the floor is at `limit` bytes; 0 when it is there, None when it does not grow."""
        if self.per_second is None:
            return None
        return max(0.0, (limit - self.per_second.at(at)) / self.per_second.slope)


class Growth:
    """Fed with readings; the last sixty windows count. `verdict` is made anew with each of them, in 2 ms."""

    def __init__(self, readings: int = READINGS, windows: int = WINDOWS) -> None:
        self.verdict: Verdict | None = None
        """None without evidence: too few windows, no full collection seen, or nothing that grows."""
        self.floor = Floor(readings)
        self._windows: deque[Window] = deque(maxlen=windows)

    def add(self, at: float, rss: int, blocks: int, fulls: int, load: Load) -> None:
        """At `at` seconds `rss` bytes were resident, so many blocks alive, and so many full collections over."""
        window = self.floor.add(at, rss, blocks, fulls, load)
        if window is not None:
            self._windows.append(window)
            self.verdict = judge(list(self._windows))


def judge(windows: Sequence[Window]) -> Verdict | None:
    """What `windows`, in the order of time, say about the floor; None when they do not say enough."""
    count = max((at + 1 for at, window in enumerate(windows) if window.collected), default=0)
    if count < FEWEST:
        return None
    held, terms = _without_freed(windows), _terms(windows)
    confirmed = {name: term[:count] for name, term in terms.items()}
    columns, heights = list(confirmed.values()), held[:count]
    found = fits(columns, heights, NOISE)
    idle = next(fit for fit in found if not any(fit.weights[len(LOADS) :]))
    # What load explains as well is no growth.
    if evidence(found[0], idle, columns, heights) < STRONG:
        return _by_load(idle, confirmed, heights)
    rows = zip(*(terms[name] for name in LOADS), strict=True)
    loads = [sum(map(mul, found[0].weights, row)) for row in rows]
    floor = _floor(map(sub, held, loads))
    pace = _pace(confirmed["time"], floor[:count])
    # What is not confirmed yet is no floor, but the floor is not above it.
    grows = _grows(confirmed, floor[:count]) and _grows(terms, floor)
    if pace is None or not grows or floor[count - 1] - floor[0] < SWING * (max(loads) - min(loads)):
        return _by_load(idle, confirmed, heights)
    rest = [window.rss - load for window, load in zip(windows, loads, strict=True)]
    cause, each = _cause(windows[:count], rest, terms)
    return Verdict(cause, each, pace._replace(start=pace.start + sum(loads) / len(loads)))


def _terms(windows: Sequence[Window]) -> Terms:
    return {
        "in_flight": [window.load.in_flight for window in windows],
        "peak": list(accumulate((window.peak for window in windows), max)),
        "open_sessions": [window.load.open_sessions for window in windows],
        "sessions": [window.load.sessions for window in windows],
        "calls": [window.load.calls for window in windows],
        "time": [window.at for window in windows],
    }


def _without_freed(windows: Sequence[Window]) -> list[float]:
    """Resident bytes less those of blocks that came and went: the allocator keeps them, and will use them again.

    A block has the size by which memory rose with each; what the system has got back is not taken off twice. Where most
    of the blocks stayed there is nothing to take off.
    """
    peaks = list(accumulate((window.most for window in windows), max))
    tops = list(accumulate((window.highest for window in windows), max))
    first, last = windows[0].fewest, windows[-1].fewest
    size = 0.0
    if last - first < (peaks[-1] - first) / 2:
        steps = [[after - before for before, after in pairwise(each)] for each in (peaks, tops)]
        size = fits(steps[:1], steps[1], NOISE)[0].weights[0]
        # Steps that are all alike fit nothing: then the whole rise tells.
        whole = (tops[-1] - tops[0]) / max(1, peaks[-1] - peaks[0])
        size = max(size, whole) if whole <= LARGE else size
    return [
        window.rss - max(0.0, size * (peak - window.fewest) - (top - window.rss))
        for window, peak, top in zip(windows, peaks, tops, strict=True)
    ]


def _floor(heights: Iterable[float]) -> list[float]:
    """Each height, or the lowest that came after it."""
    return list(accumulate(reversed(list(heights)), min))[::-1]


def _grows(terms: Terms, floor: Sequence[float]) -> bool:
    """Whether `floor` grows beyond doubt, and goes on to, with anything that a leak may go with."""
    if floor[-1] - floor[0] < max(MIN_BYTES, MIN_SHARE * floor[-1]):
        return False
    return any(_steady(terms[name], floor) for name in LEAKS)


def _steady(xs: Sequence[float], floor: Sequence[float]) -> bool:
    """Whether `floor` surely grows with `xs`, lately too, and about as fast as it did."""
    half = len(floor) // 2
    lately = max(FEWEST, half)
    whole, recent = line(xs, floor), line(xs[-lately:], floor[-lately:])
    if whole is None or recent is None or whole.low <= 0 or recent.low <= 0:
        return False
    early, late = line(xs[:half], floor[:half]), line(xs[half:], floor[half:])
    return late is not None and (early is None or late.slope >= STEADY * early.slope)


def _pace(times: Sequence[float], floor: Sequence[float]) -> Line | None:
    """Bytes a second; where `floor` lately grows faster or slower than it did, those of lately."""
    lately = max(FEWEST, len(floor) // 2)
    whole, recent = line(times, floor), line(times[-lately:], floor[-lately:])
    pace = recent if whole is None or recent is None or not recent.low <= whole.slope <= recent.high else whole
    return pace if pace is not None and pace.slope > 0 else None


def _cause(windows: Sequence[Window], heights: Sequence[float], terms: Terms) -> tuple[Cause | None, Line | None]:
    """What explains the growth of the floor below `heights`, and bytes for one of it; None when nobody can tell."""
    chosen = _touching(windows, _floor(heights), heights)
    if len(chosen) < FEWEST_TO_BLAME:
        return None, None
    floor = [heights[at] for at in chosen]
    columns = [[terms[name][at] for at in chosen] for name in LEAKS]
    found = fits(columns, floor, NOISE)
    best = found[0]
    parts = [weight * (xs[-1] - xs[0]) for weight, xs in zip(best.weights, columns, strict=True)]
    most = max(range(len(parts)), key=parts.__getitem__)
    if parts[most] < MOST * (floor[-1] - floor[0]):
        return None, None
    rival = next(fit for fit in found if not fit.weights[most])
    if evidence(best, rival, columns, floor) < CLEAR:
        return None, None
    return LEAKS[most], line(columns[most], floor)


def _touching(windows: Sequence[Window], floor: Sequence[float], heights: Sequence[float]) -> list[int]:
    """Which `windows` touch the floor, rather than lie above it: those after a full collection, if they are enough."""
    touching = [at for at in range(len(windows)) if heights[at] <= floor[at]]
    surely = [at for at in touching if windows[at].collected]
    return surely if len(surely) >= FEWEST_TO_BLAME else touching


def _by_load(fit: Fit, terms: Terms, held: Sequence[float]) -> Verdict | None:
    """The load that explains the ups and downs of `held`, if one does."""
    columns = list(terms.values())
    mean = sum(held) / len(held)
    unexplained = sum(rest * rest for rest in rests(fit, columns, held))
    if max(held) - min(held) < MIN_BYTES or unexplained > (1 - MOST) * sum((height - mean) ** 2 for height in held):
        return None
    parts = [weight * (max(xs) - min(xs)) for weight, xs in zip(fit.weights, columns, strict=False)]
    most = max(range(len(parts)), key=parts.__getitem__)
    each, cause = line(columns[most], held), list(LOADS.values())[most]
    return Verdict(cause, each, None) if cause is not None and each is not None and each.low > 0 else None
