"""What leaves the process: by OpenTelemetry's own variables, unless the application exports by itself.

Nothing here raises or waits for a collector: a wish that cannot be met is one line in the log, and the host goes on.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from opentelemetry import metrics, trace
from opentelemetry.metrics import _internal as metrics_api

from mcp_otel import exit as ending
from mcp_otel.fork import at_fork
from mcp_otel.notice import warn
from mcp_otel.settings import Settings
from mcp_otel.signals.totals import Totals

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.trace import SpanProcessor

    from mcp_otel.exporters import Account


OTLP = {"grpc": "otlp_proto_grpc", "http/protobuf": "otlp_proto_http"}
HTTP_PORT = 4318
PROMETHEUS_PORT = 9464
QUEUE = 2048

_retired: list[weakref.ref[Any]] = []
"""Providers of ours that were closed and still live: OpenTelemetry never lets go of a global one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which exporters are wanted, by the names of their entry points, and what was wrong with the wishes."""

    traces: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    prometheus: tuple[str, int] = ("localhost", PROMETHEUS_PORT)
    """Host and port of /metrics."""
    queue: int = QUEUE
    """How many finished spans may wait."""
    complaints: tuple[str, ...] = ()


def wanted(environ: Mapping[str, str]) -> Plan:
    """Read what the `OTEL_*` variables in `environ` ask for; what is wrong with them is in `complaints`."""
    if _text(environ, "OTEL_SDK_DISABLED").lower() == "true":
        return Plan()
    complaints: dict[str, None] = {}
    traces, of_metrics = (_names(environ, signal, complaints) for signal in ("TRACES", "METRICS"))
    host = _text(environ, "OTEL_EXPORTER_PROMETHEUS_HOST") or "localhost"
    port = _whole(environ, "OTEL_EXPORTER_PROMETHEUS_PORT", PROMETHEUS_PORT, complaints)
    queue = _whole(environ, "OTEL_BSP_MAX_QUEUE_SIZE", QUEUE, complaints)
    return Plan(traces, of_metrics, (host, port), queue, tuple(complaints))


def preload(plan: Plan) -> Callable[[], None]:
    """Import what `plan` needs (100 to 300 ms) and see to SIGTERM, both before a server's loop runs.

    Returns its undo, for a server that ends without a message; `Delivery.close` does the same.
    """
    for complaint in plan.complaints:
        warn("%s", complaint)
    traces, of_metrics = _ours(plan)
    if traces or of_metrics:
        try:
            from mcp_otel import providers

            for signal, names in (("traces", traces), ("metrics", of_metrics)):
                for name in names:
                    providers.find(signal, name)
            ending.arm()
        except Exception as error:
            warn("telemetry is not exported: %s: %s", type(error).__name__, error)
    return ending.disarm


def connect(
    plan: Plan, settings: Settings, server_name: str | None, totals: Totals, parent: Delivery | None = None
) -> Delivery:
    """Get the providers for all messages from the first on: the application's, or ours, or None where none is wanted.

    `server_name` names the service unless the environment does. Once a delivery was closed, the providers of the next
    one serve mcp-otel alone: OpenTelemetry keeps the first global ones. In a forked child `parent` is the delivery of
    its parent, whose place is taken.
    """
    delivery = Delivery(settings.exit_wait, parent)
    delivery.tracer_provider = _living(trace._TRACER_PROVIDER)
    delivery.meter_provider = _living(metrics_api._METER_PROVIDER)
    traces, of_metrics = _ours(plan)
    if traces or of_metrics:
        try:
            delivery._begin(traces, of_metrics, plan, server_name, totals)
        except Exception as error:
            warn("not all telemetry is exported: %s: %s", type(error).__name__, error)
    if not (delivery.owns_traces or delivery.owns_metrics):
        ending.disarm()
    return delivery


class Delivery:
    """The providers of one process and, as far as they are ours, how they are flushed and closed."""

    def __init__(self, exit_wait: float, parent: Delivery | None = None) -> None:
        self.tracer_provider: trace.TracerProvider | None = None
        self.meter_provider: metrics.MeterProvider | None = None
        self.owns_traces = False
        self.owns_metrics = False
        self._exit_wait = exit_wait
        self._account: Account | None = None
        self._outlets: list[SpanProcessor | MetricReader] = []
        self._flushers: list[ending.Flusher] = []
        self._undos: list[Callable[[], None]] = []
        self._parent = parent
        self._instance: object = None

    def flush(self, seconds: float) -> bool:
        """Deliver what waits in exporters of ours, in at most `seconds`; whether they came to an end."""
        if self._account is None or not self._account.open:
            return True
        return ending.flush_all(self._flushers, seconds)

    def close(self) -> None:
        """Flush, shut providers of ours down and undo every hook; takes twice `exit_wait` at most."""
        account = self._account
        if account is None or not account.open:
            return
        self.flush(self._exit_wait)
        account.open, account.silent = False, True
        while self._undos:
            self._undos.pop()()
        ending.disarm()
        for flusher in self._flushers:
            flusher.stop()
        self._retire()
        # With a dead endpoint the SDK joins its threads for up to half a minute: that goes on behind.
        closing = Thread(target=self._shut_down, args=(account,), name="mcp-otel close", daemon=True)
        try:
            closing.start()
        except RuntimeError:
            return  # the interpreter is ending and starts no threads any more
        closing.join(self._exit_wait)

    def _begin(
        self,
        traces: tuple[str, ...],
        of_metrics: tuple[str, ...],
        plan: Plan,
        server_name: str | None,
        totals: Totals,
    ) -> None:
        from mcp_otel import providers
        from mcp_otel.exporters import Account

        parent, account = self._parent, Account(totals)
        resource = providers.resource(server_name, None if parent is None else parent._instance)
        self._instance = providers.instance(resource)
        try:
            if exporters := providers.make("traces", traces):
                self.tracer_provider, processors = providers.for_traces(exporters, resource, account, plan.queue)
                self.owns_traces = True
                self._outlets += processors
                if parent is not None:
                    providers.replace_traces(parent.tracer_provider, self.tracer_provider, processors)
            if exporters := providers.make("metrics", of_metrics, prometheus=plan.prometheus):
                self.meter_provider, readers = providers.for_metrics(exporters, resource, account)
                self.owns_metrics = True
                self._outlets += readers
                if parent is not None:
                    providers.replace_metrics(parent.meter_provider, self.meter_provider)
        finally:
            if self._outlets:
                self._account = account
                account.listen()
                self._flushers = [ending.Flusher(outlet.force_flush) for outlet in self._outlets]
                self._undos = [ending.at_end(self._deliver), at_fork(self._forget)]
                ending.arm()
            if parent is not None and parent._account is not None:
                Thread(target=parent._shut_down, args=(parent._account,), name="mcp-otel fork", daemon=True).start()

    def _deliver(self) -> bool:
        delivered = self.flush(self._exit_wait)
        if self._account is not None:
            self._account.silent = True
        return delivered

    def _forget(self) -> None:
        """A child exports nothing by this one, nor closes what it shares with its parent."""
        if self._account is not None:
            self._account.open, self._account.silent, self._account.inherited = False, True, True
        self._undos.clear()
        self._retire()

    def _retire(self) -> None:
        _retired[:] = [each for each in _retired if each() is not None]
        _retired.extend(weakref.ref(self.tracer_provider) for _ in range(self.owns_traces))
        _retired.extend(weakref.ref(self.meter_provider) for _ in range(self.owns_metrics))

    def _shut_down(self, account: Account) -> None:
        for outlet in self._outlets:
            try:
                outlet.shutdown()
            except Exception:
                pass
        account.unlisten()


def _ours(plan: Plan) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Pick what `plan` wants of traces and of metrics, where the application has no provider of its own."""
    return (
        plan.traces if _living(trace._TRACER_PROVIDER) is None else (),
        plan.metrics if _living(metrics_api._METER_PROVIDER) is None else (),
    )


def _living(provider: Any) -> Any:
    # By identity: there are providers without a hash (Logfire's).
    return None if any(each() is provider for each in _retired) else provider


def _names(environ: Mapping[str, str], signal: str, complaints: dict[str, None]) -> tuple[str, ...]:
    endpoint = _text(environ, f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT") or _text(environ, "OTEL_EXPORTER_OTLP_ENDPOINT")
    text = _text(environ, f"OTEL_{signal}_EXPORTER") or ("otlp" if endpoint else "none")
    names = dict.fromkeys(name.strip() for name in text.split(",") if name.strip())
    if "none" in names:
        return ()
    if "otlp" in names:
        resolved = _otlp(environ, signal, endpoint, complaints)
        names = dict.fromkeys(resolved if name == "otlp" else name for name in names)
    return tuple(name for name in names if name)


def _otlp(environ: Mapping[str, str], signal: str, endpoint: str, complaints: dict[str, None]) -> str:
    own, shared = f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"
    protocol = _text(environ, own) or _text(environ, shared) or ("http/protobuf" if _is_http(endpoint) else "grpc")
    if protocol not in OTLP:
        variable = own if _text(environ, own) else shared
        complaints[f"{variable}={protocol!r}: must be one of {', '.join(OTLP)}; nothing is sent by it"] = None
    return OTLP.get(protocol, "")


def _is_http(endpoint: str) -> bool:
    try:
        return urlsplit(endpoint if "//" in endpoint else f"//{endpoint}").port == HTTP_PORT
    except ValueError:
        return False


def _whole(environ: Mapping[str, str], name: str, default: int, complaints: dict[str, None]) -> int:
    text = _text(environ, name)
    if not text or (text.isdecimal() and int(text) > 0):
        return int(text or default)
    complaints[f"{name}={text!r}: must be a whole number above 0; using {default}"] = None
    return default


def _text(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, "").strip()
