"""What vitals say: for each metric of the process itself, its points. Everything is read where it lies, and cheap."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mcp_otel.signals import names
from mcp_otel.signals.names import Attribute, Metric
from mcp_otel.vitals import Vitals
from mcp_otel.vitals.canary import Label
from mcp_otel.vitals.memory import Reading
from mcp_otel.vitals.threads import Pool

Points = Iterable[tuple[float, dict[str, Any]]]
CONTRIB = "opentelemetry.instrumentation.system_metrics"


def _one(value: float | None) -> Points:
    return () if value is None else ((value, {}),)


def _by(label: Attribute, values: Iterable[tuple[object, float]]) -> Points:
    return [(value, {label.name: said}) for said, value in values]


def _by_type(values: Iterable[tuple[Label, float]]) -> Points:
    return [(value, {names.KIND.name: kind, names.TYPE.name: name}) for (kind, name), value in values]


def _busy(vitals: Vitals) -> Points:
    return _one(vitals.loops.busy_seconds() if vitals.loops.seen else None)


def _places(which: int) -> Callable[[Vitals], Points]:
    def points(vitals: Vitals) -> Iterator[tuple[float, dict[str, Any]]]:
        for (line, tool), counted in vitals.blocked.places().items():
            said = {names.PLACE.name: line}
            if tool is not None:
                said[names.TOOL.name] = tool
            yield counted[which], said

    return points


def _pools(value: Callable[[Pool], int | None]) -> Callable[[Vitals], Points]:
    def points(vitals: Vitals) -> Iterator[tuple[float, dict[str, Any]]]:
        for name, pool in vitals.threads.read().items():
            number = value(pool)
            if number is not None:
                yield number, {names.POOL.name: name}

    return points


def _verdict(value: str) -> Callable[[Vitals], Points]:
    return lambda vitals: _one(getattr(vitals.growth.verdict, value, None))


def _ceiling(vitals: Vitals) -> Points:
    return _one(None if vitals.ceiling is None else vitals.ceiling.bytes)


def _read(value: Callable[[Reading], float | None]) -> Callable[[Vitals], Points]:
    def points(vitals: Vitals) -> Points:
        return _one(None if vitals.reading is None else value(vitals.reading))

    return points


def _process(value: Callable[[Reading], float | None]) -> Callable[[Vitals], Points]:
    """As `_read`, for what OpenTelemetry's own instrumentation of the system says too where it is on."""
    points = _read(value)
    return lambda vitals: () if _said_by_contrib() else points(vitals)


def _cpu(vitals: Vitals) -> Points:
    reading = vitals.reading
    if reading is None or _said_by_contrib():
        return ()
    return _by(names.CPU_MODE, (("user", reading.user), ("system", reading.system)))


def _collector(value: str) -> Callable[[Vitals], Points]:
    def points(_: Vitals) -> Points:
        if _said_by_contrib():
            return ()
        return _by(names.GENERATION, enumerate(each[value] for each in gc.get_stats()))

    return points


def _said_by_contrib() -> bool:
    """Whether OpenTelemetry's instrumentation of the system is on; asked without making one."""
    module = sys.modules.get(CONTRIB)
    made = getattr(getattr(module, "SystemMetricsInstrumentor", None), "_instance", None)
    return bool(getattr(made, "is_instrumented_by_opentelemetry", False))


def _pauses(vitals: Vitals) -> Points:
    return _by(names.GENERATION, enumerate(vitals.pauses.seconds))


def _retained(vitals: Vitals) -> Points:
    return _by_type((label, count.retained) for label, count in vitals.counts.items())


def _weights(vitals: Vitals) -> Points:
    return _by_type(vitals.weights.items())


def _contexts(vitals: Vitals) -> Points:
    return _by(names.STAT, vitals.contexts.sizes()._asdict().items())


def _growth(vitals: Vitals) -> Points:
    growth = vitals.contexts.growth()
    return () if growth is None else _by(names.STAT, growth._asdict().items())


def _forecast_size(vitals: Vitals) -> Points:
    forecast, kept = vitals.sessions.forecast, vitals.contexts.kept()
    return () if forecast is None or kept is None else _one(forecast.sessions * kept)


READINGS: dict[Metric, Callable[[Vitals], Points]] = {
    names.LOOP_BUSY: _busy,
    names.LOOP_BLOCKAGES: _places(0),
    names.LOOP_BLOCKED: _places(1),
    names.THREADS_USED: _pools(lambda pool: pool.used),
    names.THREADS_LIMIT: _pools(lambda pool: pool.limit),
    names.THREADS_WAITING: _pools(lambda pool: pool.waiting),
    names.MEMORY_FLOOR: lambda vitals: _one(vitals.growth.floor.value),
    names.MEMORY_LIMIT: _ceiling,
    names.MEMORY_UNIQUE: _read(lambda reading: reading.uss),
    names.MEMORY_SESSION: _verdict("per_session"),
    names.MEMORY_CALL: _verdict("per_call"),
    names.MEMORY_TIME: lambda vitals: _one(vitals.time_to_limit),
    names.GC_PAUSE: _pauses,
    names.OBJECTS_RETAINED: _retained,
    names.OBJECTS_SIZE: _weights,
    names.SESSIONS_TIME: lambda vitals: _one(getattr(vitals.sessions.forecast, "seconds", None)),
    names.SESSIONS_FORECAST: lambda vitals: _one(getattr(vitals.sessions.forecast, "sessions", None)),
    names.SESSIONS_FORECAST_SIZE: _forecast_size,
    names.CONTEXT_SIZE: _contexts,
    names.CONTEXT_GROWTH: _growth,
    names.PROCESS_MEMORY: _process(lambda reading: reading.rss),
    names.PROCESS_VIRTUAL: _process(lambda reading: reading.vms),
    names.PROCESS_CPU: _cpu,
    names.PROCESS_FILES: _process(lambda reading: reading.descriptors),
    names.PROCESS_THREADS: _process(lambda reading: reading.threads),
    names.PROCESS_UPTIME: _process(lambda reading: reading.uptime),
    names.GC_COLLECTIONS: _collector("collections"),
    names.GC_COLLECTED: _collector("collected"),
    names.GC_UNCOLLECTABLE: _collector("uncollectable"),
}
