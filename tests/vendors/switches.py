"""How each vendor is switched on in a process, so that nothing leaves it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

NOWHERE = "http://127.0.0.1:9"
"""The discard port on loopback, where nobody listens."""


@dataclass(frozen=True)
class Ears:
    """Where spans and metrics go; `note(name)` takes the spans of vendors who do not use OpenTelemetry."""

    processor: Any
    reader: Any
    note: Callable[[str], object]


def nobody(ears: Ears) -> None:
    """Installed is not switched on."""


def logfire(ears: Ears) -> None:
    import logfire

    logfire.configure(
        send_to_logfire=False,
        console=False,
        inspect_arguments=False,
        distributed_tracing=True,  # else it warns of a context that somebody extracts
        additional_span_processors=[ears.processor],
        metrics=logfire.MetricsOptions(additional_readers=[ears.reader]),
    )
    logfire.instrument_mcp()


def sentry(ears: Ears, **options: Any) -> None:
    import sentry_sdk
    from sentry_sdk.integrations.mcp import MCPIntegration

    # By itself it would find it, too, with a second of other things.
    alone = {"auto_enabling_integrations": False, "integrations": [MCPIntegration()]}
    sentry_sdk.init(
        "http://key@127.0.0.1:9/1", transport=_envelopes(ears), **{"traces_sample_rate": 1.0, **alone, **options}
    )


def sentry_by_itself(ears: Ears) -> None:
    sentry(ears, auto_enabling_integrations=True, integrations=[])


def sentry_for_errors(ears: Ears) -> None:
    sentry(ears, traces_sample_rate=None)


def _envelopes(ears: Ears) -> Any:
    from sentry_sdk.transport import Transport

    class Ear(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            transaction = envelope.get_transaction_event()
            if transaction is not None:
                ears.note(f"{transaction['contexts']['trace']['op']} {transaction['transaction']}")

    return Ear


def datadog(ears: Ears) -> None:
    ddtrace = _ddtrace()
    from ddtrace.trace import TraceFilter

    class Ear(TraceFilter):
        def process_trace(self, trace: Any) -> None:
            for span in trace:
                ears.note(f"{span.name} {span.resource}")

    ddtrace.tracer.configure(trace_processors=[Ear()])
    ddtrace.patch(mcp=True)


def datadog_off(ears: Ears) -> None:
    os.environ["DD_TRACE_ENABLED"] = "false"
    _ddtrace().patch(mcp=True)


def _ddtrace() -> Any:
    os.environ.update(
        DD_TRACE_AGENT_URL=NOWHERE,
        DD_INSTRUMENTATION_TELEMETRY_ENABLED="false",
        DD_REMOTE_CONFIGURATION_ENABLED="false",
        DD_TRACE_STARTUP_LOGS="false",
    )
    import ddtrace

    return ddtrace


def openlit(ears: Ears) -> None:
    # What `openlit.init()` does for MCP; the whole of it fetches prices from the network.
    from openlit._config import OpenlitConfig
    from openlit.instrumentation.mcp import MCPInstrumentor

    OpenlitConfig()
    MCPInstrumentor().instrument(environment="test", application_name="test")


def traceloop(ears: Ears) -> None:
    from opentelemetry.instrumentation.mcp import McpInstrumentor

    McpInstrumentor().instrument()


def aws(ears: Ears) -> None:
    from amazon.opentelemetry.distro.instrumentation.mcp import McpInstrumentor

    McpInstrumentor().instrument()


def openinference(ears: Ears) -> None:
    from openinference.instrumentation.mcp import MCPInstrumentor

    MCPInstrumentor().instrument()


SWITCHES: dict[str, Callable[[Ears], None]] = {
    each.__name__: each
    for each in (
        nobody,
        logfire,
        sentry,
        sentry_by_itself,
        sentry_for_errors,
        datadog,
        datadog_off,
        openlit,
        traceloop,
        aws,
        openinference,
    )
}
OWN_PROVIDERS = ("logfire",)
"""Who makes OpenTelemetry's providers by itself."""
