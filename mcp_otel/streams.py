"""Streams that a client keeps open to listen: how many, since when, and how they ended. Plain numbers, bounded."""

from __future__ import annotations

from time import perf_counter_ns

REASONS = ("delete", "disconnect", "close", "crash", "stop")
MAX_STREAMS = 20_000


class Streams:
    """Added to and taken from in the host's own thread, read in whatever thread."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[str, int]] = {}
        self.ended: dict[tuple[str, str], int] = {}
        """By kind and reason, once there was one of that kind."""

    def open(self, key: int, kind: str) -> bool:
        """Remember that a stream of `kind` opens now, if there is room; `key` is nobody else's while it is open."""
        if (kind, REASONS[0]) not in self.ended:
            # Said also before the first: a counter that begins at 1 has not increased, for Prometheus.
            self.ended.update(dict.fromkeys(((kind, reason) for reason in REASONS), 0))
        if len(self._open) >= MAX_STREAMS:
            return False
        self._open[key] = kind, perf_counter_ns()
        return True

    def close(self, key: int, reason: str) -> tuple[str, float] | None:
        """The kind and the seconds of a stream that ends now; None when it is not remembered."""
        found = self._open.pop(key, None)
        if found is None:
            return None
        kind, opened = found
        self.ended[kind, reason] += 1
        return kind, (perf_counter_ns() - opened) * 1e-9

    def levels(self) -> dict[str, tuple[int, float]]:
        """By kind, once there was one: how many are open, and the age of the oldest in seconds, 0 without one."""
        now = perf_counter_ns()
        levels = {kind: (0, 0.0) for kind, _ in list(self.ended)}
        for kind, opened in list(self._open.values()):
            count, oldest = levels[kind]
            levels[kind] = count + 1, max(oldest, (now - opened) * 1e-9)
        return levels
