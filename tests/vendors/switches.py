"""How each vendor is switched on in a process, with nothing that leaves it: `switch(name, provider, note)`.

`provider` is the process's OpenTelemetry tracer provider; `note(name)` takes the spans of those who use none.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

Note = Callable[[str], object]


def logfire(provider: Any, note: Note) -> None:
    import logfire

    logfire.configure(
        send_to_logfire=False,
        console=False,
        inspect_arguments=False,
        additional_span_processors=[provider.processor],
        metrics=False,
    )
    logfire.instrument_mcp()


def sentry(provider: Any, note: Note, **options: Any) -> None:
    import sentry_sdk
    from sentry_sdk.transport import Transport

    class Nowhere(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            transaction = envelope.get_transaction_event()
            if transaction is not None:
                note(f"{transaction['contexts']['trace']['op']} {transaction['transaction']}")

    sentry_sdk.init(dsn="http://key@127.0.0.1:9/1", transport=Nowhere, **{"traces_sample_rate": 1.0, **options})


def sentry_without_tracing(provider: Any, note: Note) -> None:
    sentry(provider, note, traces_sample_rate=None)


def datadog(provider: Any, note: Note) -> None:
    os.environ.update(DD_TRACE_AGENT_URL="http://127.0.0.1:9", DD_INSTRUMENTATION_TELEMETRY_ENABLED="false")
    os.environ.update(DD_REMOTE_CONFIGURATION_ENABLED="false", DD_TRACE_STARTUP_LOGS="false")
    import ddtrace
    from ddtrace.trace import TraceFilter

    class Noting(TraceFilter):
        def process_trace(self, trace: Any) -> None:
            for span in trace:
                note(f"{span.name} {span.resource}")

    ddtrace.tracer.configure(trace_processors=[Noting()])
    ddtrace.patch(mcp=True)


def openlit(provider: Any, note: Note) -> None:
    # What `openlit.init()` does for MCP; the whole of it fetches prices from the network.
    from openlit._config import OpenlitConfig
    from openlit.instrumentation.mcp import MCPInstrumentor

    OpenlitConfig()
    MCPInstrumentor().instrument(environment="test", application_name="test")


def traceloop(provider: Any, note: Note) -> None:
    from opentelemetry.instrumentation.mcp import McpInstrumentor

    McpInstrumentor().instrument()


def aws(provider: Any, note: Note) -> None:
    from amazon.opentelemetry.distro.instrumentation.mcp import McpInstrumentor

    McpInstrumentor().instrument()


def openinference(provider: Any, note: Note) -> None:
    from openinference.instrumentation.mcp import MCPInstrumentor

    MCPInstrumentor().instrument()


def nobody(provider: Any, note: Note) -> None:
    """Installed is not switched on."""


SWITCHES: dict[str, Callable[[Any, Note], None]] = {
    each.__name__: each
    for each in (
        nobody,
        logfire,
        sentry,
        sentry_without_tracing,
        datadog,
        openlit,
        traceloop,
        aws,
        openinference,
    )
}
