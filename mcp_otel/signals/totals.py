"""Plain numbers the hot path adds to; instruments read them at export. Bounded by the gate: 148 tallies at most."""

from __future__ import annotations

from collections import defaultdict
from time import monotonic

from mcp_otel.event import Event, Fault, Phase
from mcp_otel.methods import LASTING

HALF_MINUTE = 30.0
MAX_PAGES = 64


class Tally:
    """The sums of one (method, target)."""

    __slots__ = ("_cpu", "_sampled", "calls", "faults", "on_loop", "phases", "received", "seconds", "sent")

    def __init__(self) -> None:
        self.calls = 0
        self.on_loop: float | None = None
        """Seconds that handlers had their event loop to themselves; None until one was timed."""
        self.seconds = 0.0
        self.phases: dict[Phase, float] = defaultdict(float)
        self._cpu: dict[Phase, float] = defaultdict(float)
        self._sampled: dict[Phase, float] = defaultdict(float)
        self.faults: dict[Fault, int] = defaultdict(int)
        self.received = 0
        self.sent = 0

    def sample(self, phase: Phase, cpu: float, wall: float) -> None:
        """One message spent `cpu` of its `wall` seconds of `phase` on the processor."""
        self._cpu[phase] += cpu
        self._sampled[phase] += wall

    def cpu(self) -> dict[Phase, float]:
        """CPU seconds by phase, estimated for all messages from those whose thread's clock was read."""
        return {
            phase: self.phases[phase] * min(1.0, cpu / self._sampled[phase])
            for phase, cpu in list(self._cpu.items())
            if self._sampled[phase] and phase in self.phases
        }


class Largest:
    """The largest value of the last half to whole minute, the same for every reader."""

    __slots__ = ("_earlier", "_now", "_slot")

    def __init__(self) -> None:
        self._slot, self._now, self._earlier = 0, 0, 0

    def add(self, value: int, seconds: float) -> None:
        """`value` was seen at `seconds` of a steady clock."""
        self._turn(int(seconds / HALF_MINUTE))
        self._now = max(self._now, value)

    def read(self, seconds: float) -> int:
        """The largest value lately; 0 when there was none."""
        self._turn(int(seconds / HALF_MINUTE))
        return max(self._now, self._earlier)

    def _turn(self, slot: int) -> None:
        if slot != self._slot:
            self._earlier = self._now if slot == self._slot + 1 else 0
            self._slot, self._now = slot, 0


class Totals:
    """All sums of one process."""

    def __init__(self) -> None:
        self.tallies: dict[tuple[str, str | None], Tally] = {}
        self.bytes = {"received": 0, "sent": 0}
        self.largest = {"received": Largest(), "sent": Largest()}
        self.opened: dict[str, int] = defaultdict(int)
        self.ended: dict[str, int] = defaultdict(int)
        self.cost: dict[str, float] = defaultdict(float)
        self.dropped: dict[str, int] = defaultdict(int)
        self.rejected: dict[str, int] = defaultdict(int)
        self.failures: dict[str, int] = defaultdict(int)
        self._pages: dict[str, dict[int, int]] = defaultdict(dict)

    def tally(self, method: str, target: str | None) -> Tally:
        """The sums of one (method, target), both as the gate lets them be said."""
        tally = self.tallies.get((method, target))
        if tally is None:
            tally = self.tallies[method, target] = Tally()
        return tally

    def add(self, event: Event) -> None:
        """Count one finished message."""
        tally = self.tally(event.method, event.target)
        tally.calls += 1
        if not event.notification and event.method not in LASTING:
            tally.seconds += event.duration
        if event.on_loop is not None:
            tally.on_loop = (tally.on_loop or 0.0) + event.on_loop
        for phase, seconds in event.phases.items():
            tally.phases[phase] += seconds
        for phase, seconds in event.cpu.items():
            tally.sample(phase, seconds, event.phases.get(phase, seconds))
        if event.fault is not None:
            tally.faults[event.fault] += 1
        if event.received is not None:
            tally.received += event.received
        if event.sent is not None:
            tally.sent += event.sent

    def count_bytes(self, direction: str, size: int) -> None:
        """One JSON-RPC message of `size` bytes was `received` or `sent`."""
        self.bytes[direction] += size
        self.largest[direction].add(size, monotonic())

    def list_page(self, kind: str, cursor: object, size: int) -> None:
        """One page of a listing of `kind` took `size` bytes; `cursor` is what the client asked for it with."""
        pages = self._pages[kind]
        page = 0 if cursor is None else hash(str(cursor))
        if page in pages or len(pages) < MAX_PAGES:
            pages[page] = size

    def definitions(self) -> dict[str, int]:
        """Bytes of one full listing, by kind."""
        return {kind: sum(pages.values()) for kind, pages in list(self._pages.items())}
