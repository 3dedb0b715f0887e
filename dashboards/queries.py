"""PromQL, composed from the names table: no metric and no label of ours is spelled here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from mcp_otel.event import Fault, Phase
from mcp_otel.methods import LASTING
from mcp_otel.signals import names, prometheus
from mcp_otel.signals.names import Attribute, Metric

Label: TypeAlias = Attribute | str
"""An attribute of ours, or a label that Prometheus or the Collector adds."""

SERVICE = "job"
INSTANCE = "instance"
VERSION = "service_version"
RESOURCE = "target_info"
CHOSEN = (f'{SERVICE}=~"$service"', f'{INSTANCE}=~"$instance"')

RECENT = "$__rate_interval"
SHOWN = "$__range"
EARLIER = "$earlier"
JUST_BEFORE = "5m"

OVERHEAD: tuple[Phase, ...] = ("decode", "validate", "encode", "write")
"""What the protocol costs, as opposed to the tool, to waiting for a turn and to waiting for the client."""
COMPUTING: tuple[Phase, ...] = ("decode", "validate", "encode")
"""The phases that run without a pause, so that their CPU time is known too."""


def label(of: Label) -> str:
    """How `of` is spelled as a label."""
    return of if isinstance(of, str) else prometheus.label(of)


def legend(*of: Label) -> str:
    """Quote labels, as legends do."""
    return " ".join(f"{{{{{label(each)}}}}}" for each in of)


def one_of(of: Label, *values: str) -> str:
    """Match series that have one of `values`."""
    return f'{label(of)}="{values[0]}"' if len(values) == 1 else f'{label(of)}=~"{"|".join(values)}"'


def none_of(of: Label, *values: str) -> str:
    """Match series that have none of `values`."""
    return f'{label(of)}!="{values[0]}"' if len(values) == 1 else f'{label(of)}!~"{"|".join(values)}"'


TOOL_CALLS = one_of(names.METHOD, "tools/call")
CHOSEN_TOOL = f'{label(names.TOOL)}=~"$tool"'
NOT_LASTING = none_of(names.METHOD, *sorted(LASTING))
OPEN = none_of(names.STATE, "retained")
"""Sessions that count against the cap; retained ones have ended, and only their memory is still there."""
RETAINED = one_of(names.STATE, "retained")


@dataclass(frozen=True, slots=True)
class Cut:
    """Which series, what they are told apart `by`, `over` which window, and how long `before` now."""

    by: tuple[Label, ...] = ()
    only: tuple[str, ...] = ()
    over: str = RECENT
    before: str = ""

    def of(self, *matchers: str) -> Cut:
        """Leave out the series that do not match."""
        return replace(self, only=(*self.only, *matchers))

    def earlier(self) -> Cut:
        """Go back as far as the board compares."""
        return replace(self, before=EARLIER)


ALL = Cut()
TOOL = Cut(by=(names.TOOL,), only=(TOOL_CALLS, CHOSEN_TOOL))
SERVICE_TOOL = replace(TOOL, by=(SERVICE, names.TOOL), over=SHOWN)
"""Tools of one name are told apart by service where there is room to say it."""
PROCESS = Cut(by=(SERVICE, INSTANCE))
BY_SERVICE = Cut(by=(SERVICE,))


def series(metric: Metric, *matchers: str, part: str = "") -> str:
    """Select the series of `metric`, always of the chosen services and instances only."""
    return f"{prometheus.series(metric)}{part}{{{','.join((*CHOSEN, *matchers))}}}"


def gather(how: str, by: tuple[Label, ...], what: str) -> str:
    """Aggregate `what`."""
    return f"{how} by ({', '.join(map(label, by))}) ({what})" if by else f"{how}({what})"


def rate(metric: Metric, cut: Cut, *matchers: str, part: str = "") -> str:
    """Say how much a sum grows a second."""
    window = f"[{cut.over}]{_offset(cut)}"
    grown = f"rate({series(metric, *cut.only, *matchers, part=part)}{window})"
    return gather("sum", cut.by, grown + _of_servers(metric, cut))


def value(metric: Metric, cut: Cut, how: str = "sum") -> str:
    """Say what a gauge or level is."""
    return gather(how, cut.by, series(metric, *cut.only) + _offset(cut) + _of_servers(metric, cut))


def shortest(metric: Metric, cut: Cut = ALL) -> str:
    """Say the time that is left where least is."""
    return value(metric, cut, "min")


def counted(metric: Metric, cut: Cut) -> str:
    """Say how much a sum grew over the time shown, also one that began in it: `increase` does not see the first."""
    last = f"max_over_time({series(metric, *cut.only)}[{SHOWN}])"
    return gather("sum", cut.by, f"{last} - ({series(metric, *cut.only)} offset {SHOWN} or {last} * 0)")


def above_lowest(metric: Metric, cut: Cut) -> str:
    """Say how far a level is above its lowest of the time shown, process by process."""
    level = series(metric, *cut.only)
    return gather("sum", cut.by, f"{level} - min_over_time({level}[{SHOWN}])")


def of_each_server(metric: Metric, cut: Cut, how: str = "max") -> str:
    """Add a metric's series up within each process, then take the highest of the processes (or `how`)."""
    by = tuple(dict.fromkeys((SERVICE, INSTANCE, *cut.by)))
    whole = replace(cut, by=by)
    return gather(how, cut.by, rate(metric, whole) if metric.kind == "sum" else value(metric, whole))


def share(part: str, whole: str) -> str:
    """Divide; nothing where the whole is nothing, and 0 where only the part is missing."""
    return f"({part} or {whole} * 0) / ({whole} > 0)"


def ratio(now: str, then: str) -> str:
    """By which share `now` is above `then`; nothing where there was nothing."""
    return f"({now}) / (({then}) > 0) - 1"


def or_idle(expression: str) -> str:
    """Say 0 where a server reports but this was never counted: there a zero is the truth."""
    return f"{expression} or sum({series(names.LEVEL)}) * 0"


def at(number: float) -> str:
    """Draw a line at `number` while any server reports."""
    return f"max({series(names.LEVEL)}) * 0 + {number:g}"


def messages(cut: Cut) -> str:
    """Messages a second."""
    return rate(names.OPERATION_DURATION, cut, part="_count")


def seconds(cut: Cut) -> str:
    """Seconds of messages a second."""
    return rate(names.OPERATION_DURATION, cut, part="_sum")


def mean(cut: Cut) -> str:
    """Mean duration of a message."""
    return f"{seconds(cut)} / ({messages(cut)} > 0)"


def quantile(q: float, cut: Cut, metric: Metric = names.OPERATION_DURATION) -> str:
    """Quantile of the durations; the comparison drops the NaN of a window without messages."""
    buckets = rate(metric, replace(cut, by=("le", *cut.by)), part="_bucket")
    return f"histogram_quantile({q}, {buckets}) >= 0"


def faults(cut: Cut, *whose: Fault) -> str:
    """Failed messages a second."""
    return rate(names.FAULTS, cut, *((one_of(names.FAULT, *whose),) if whose else ()))


def fault_share(cut: Cut, *whose: Fault) -> str:
    """Share of the messages that failed."""
    return share(faults(cut, *whose), messages(cut))


def phases(cut: Cut, *which: Phase, clock: str = "wall") -> str:
    """Seconds a second that messages spend in phases."""
    return _phase_time(cut, clock, *((one_of(names.PHASE, *which),) if which else ()))


def overhead(cut: Cut) -> str:
    """Share of the protocol in the time of messages, waiting for the client aside."""
    return share(phases(cut, *OVERHEAD), _phase_time(cut, "wall", none_of(names.PHASE, "peer")))


def new_servers() -> str:
    """Processes that did not report a moment ago."""
    level = series(names.LEVEL)
    return f"{level} unless {level} offset {JUST_BEFORE}"


def versions() -> str:
    """Say which version each process runs, as a label, where it tells."""
    resource = f"{RESOURCE}{{{','.join(CHOSEN)}}} and on ({SERVICE}, {INSTANCE}) {series(names.LEVEL)}"
    return gather("max", (SERVICE, INSTANCE, VERSION), resource)


def of_cap(by: tuple[Label, ...] = ()) -> str:
    """Share of its cap that the fullest process has sessions open."""
    return gather("max", by, _of_limit(value(names.SESSIONS, PROCESS.of(OPEN)), value(names.SESSIONS_LIMIT, PROCESS)))


def of_memory(by: tuple[Label, ...] = ()) -> str:
    """Share of its limit of memory that the fullest process has resident."""
    limit = value(names.MEMORY_LIMIT, PROCESS, "max")
    return gather("max", by, _of_limit(value(names.PROCESS_MEMORY, PROCESS), limit))


def _of_limit(used: str, limit: str) -> str:
    return f"{used} / ({limit} > 0)"


def _of_servers(metric: Metric, cut: Cut) -> str:
    # What the conventions say of processes, programs say that are no servers, and `service` may be all.
    if metric.name.startswith(("mcp.", f"{names.SCOPE}.")):
        return ""
    return f" and on ({SERVICE}, {INSTANCE}) {series(names.LEVEL)}{_offset(cut)}"


def _offset(cut: Cut) -> str:
    return f" offset {cut.before}" if cut.before else ""


def _phase_time(cut: Cut, clock: str, *matchers: str) -> str:
    # An answer that streams for hours would come in one lump when it ends.
    steady = () if TOOL_CALLS in cut.only else (NOT_LASTING,)
    return rate(names.PHASE_TIME, cut, *matchers, one_of(names.CLOCK, clock), *steady)
