"""THE table: every attribute, metric and span name we say, with unit, meaning and bounds. Spelled here and only here.

Standard names follow the OpenTelemetry GenAI semantic conventions for MCP, v0.1.0; our own begin with `mcp_otel.`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mcp_otel.event import PHASES
from mcp_otel.methods import CALLER_FAULTS, CLIENT_METHODS, PROTOCOL_VERSIONS, STATUS_TEXTS

CONVENTIONS = "gen-ai v0.1.0"
SCHEMA_URL = "https://opentelemetry.io/schemas/1.45.0"
SCOPE = "mcp_otel"

MAX_TOOLS = 100
MAX_PROMPTS = 20
MAX_CLIENTS = 20
MAX_SERIES = 2000
"""Where the SDK itself folds an instrument's attribute sets into one overflow point."""
MAX_OPERATION_SERIES = 1500
"""The bound our own code keeps for the duration histogram, whose labels multiply to more."""

SECONDS_BUCKETS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""The conventions' boundaries for all four standard histograms."""

Kind = Literal["histogram", "sum", "level", "gauge"]


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute name. `bound` is how many values it can have on a metric; None: spans only."""

    name: str
    meaning: str
    bound: int | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """One instrument. `bound` states the series at most where labels exclude each other, else they multiply."""

    name: str
    kind: Kind
    unit: str
    meaning: str
    labels: tuple[Attribute, ...] = ()
    bound: int | None = None


# --- attributes of the conventions
METHOD = Attribute("mcp.method.name", "method of the request or notification", len(CLIENT_METHODS) + 1)
TOOL = Attribute("gen_ai.tool.name", "name of a tool the server registered", MAX_TOOLS + 1)
PROMPT = Attribute("gen_ai.prompt.name", "name of a prompt the server registered", MAX_PROMPTS + 1)
OPERATION = Attribute("gen_ai.operation.name", "`execute_tool` for tool calls", 1)
ERROR_TYPE = Attribute(
    "error.type",
    "why it failed: a JSON-RPC code that is no caller's fault, `tool_error`, `cancelled`, or `closed`",
    len(STATUS_TEXTS) - len(CALLER_FAULTS) + 4,
)
STATUS_CODE = Attribute("rpc.response.status_code", "JSON-RPC error code of the response", len(STATUS_TEXTS) + 1)
PROTOCOL_VERSION = Attribute("mcp.protocol.version", "protocol version in use", len(PROTOCOL_VERSIONS) + 1)
TRANSPORT = Attribute("network.transport", "`pipe` for stdio, `tcp` for HTTP", 2)
NETWORK_PROTOCOL = Attribute("network.protocol.name", "`http` for HTTP", 1)
NETWORK_VERSION = Attribute("network.protocol.version", "HTTP version", 3)
REQUEST_ID = Attribute("jsonrpc.request.id", "id of the request")
SESSION_ID = Attribute("mcp.session.id", "digest of the session id (16 hex digits of its SHA-256)")
CLIENT_ADDRESS = Attribute("client.address", "address of the HTTP peer")
CLIENT_PORT = Attribute("client.port", "port of the HTTP peer")

# --- our own attributes
PHASE = Attribute("mcp_otel.phase", "part of a message's time: " + ", ".join(PHASES), len(PHASES))
CLOCK = Attribute("mcp_otel.clock", "`wall`, or `cpu` for the phases that run without a pause", 2)
FAULT = Attribute("mcp_otel.fault", "who is at fault: `caller`, `tool` or `server`", 3)
DIRECTION = Attribute("mcp_otel.direction", "`received` or `sent`", 2)
DEFINITIONS = Attribute("mcp_otel.definitions", "what a listing lists: `tools`, `prompts` or `resources`", 3)
STATE = Attribute("mcp_otel.state", "`active` (a request in flight or within the last minute) or `idle`", 2)
CLIENT = Attribute("mcp_otel.client", "name the client gave itself", MAX_CLIENTS + 1)
REASON = Attribute("mcp_otel.reason", "`delete`, `disconnect`, `idle`, `crash` or `stop`", 5)
PART = Attribute("mcp_otel.part", "part of mcp-otel", 16)
RECEIVED_SIZE = Attribute("mcp_otel.received.size", "bytes of the message received")
SENT_SIZE = Attribute("mcp_otel.sent.size", "bytes of the message sent back")
PHASE_TIMES = {phase: Attribute(f"mcp_otel.phase.{phase}", f"seconds of the phase {phase}") for phase in PHASES}

TARGET = (METHOD, OPERATION, TOOL, PROMPT)
TARGETS = len(CLIENT_METHODS) + 1 + (MAX_TOOLS + 1) + (MAX_PROMPTS + 1)
"""Sets of (method, tool, prompt) at most: a tool comes with one method only, so does a prompt."""
PHASE_CLOCKS = len(PHASES) + 3

# --- spans
PHASE_SPANS = {phase: f"mcp_otel.{phase}" for phase in ("decode", "validate", "queue", "encode", "write")}
EXECUTE_TOOL = "execute_tool"
TOOL_ERROR = "tool_error"

# --- metrics
OPERATION_DURATION = Metric(
    "mcp.server.operation.duration",
    "histogram",
    "s",
    "Duration of a request or notification from receipt to result or acknowledgement sent",
    (*TARGET, ERROR_TYPE, STATUS_CODE, PROTOCOL_VERSION, TRANSPORT, NETWORK_PROTOCOL, NETWORK_VERSION),
    bound=MAX_OPERATION_SERIES,
)
SESSION_DURATION = Metric(
    "mcp.server.session.duration",
    "histogram",
    "s",
    "Duration of a session as seen by the server",
    (ERROR_TYPE, PROTOCOL_VERSION, TRANSPORT, NETWORK_PROTOCOL),
)
FAULTS = Metric(
    "mcp_otel.faults", "sum", "{fault}", "Failed messages by who is at fault", (*TARGET, FAULT), TARGETS * 3
)
PHASE_TIME = Metric(
    "mcp_otel.phase.time",
    "sum",
    "s",
    "Where messages' time goes",
    (*TARGET, PHASE, CLOCK),
    TARGETS * PHASE_CLOCKS,
)
MESSAGE_IO = Metric("mcp_otel.message.io", "sum", "By", "Bytes of JSON-RPC received and sent", (DIRECTION,))
MESSAGE_MAX = Metric("mcp_otel.message.max", "gauge", "By", "Largest message of the last minute", (DIRECTION,))
DEFINITIONS_SIZE = Metric(
    "mcp_otel.definitions.size", "gauge", "By", "Bytes one full listing costs every conversation", (DEFINITIONS,)
)
DEFINITIONS_TOKENS = Metric(
    "mcp_otel.definitions.tokens",
    "gauge",
    "{token}",
    "Tokens one full listing costs every conversation, estimated as bytes / 4",
    (DEFINITIONS,),
)
IN_FLIGHT = Metric("mcp_otel.requests.in_flight", "level", "{request}", "Requests in flight", TARGET, TARGETS)
REQUESTS_TIME = Metric(
    "mcp_otel.requests.time",
    "sum",
    "s",
    "Integral of requests in flight over time: its rate is the mean concurrency",
    TARGET,
    TARGETS,
)
OLDEST_AGE = Metric(
    "mcp_otel.request.oldest_age", "gauge", "s", "Age of the oldest request in flight; 0 when there is none"
)
SESSIONS = Metric("mcp_otel.sessions", "level", "{session}", "Sessions that are open", (STATE,))
SESSIONS_OPENED = Metric("mcp_otel.sessions.opened", "sum", "{session}", "Sessions opened", (CLIENT,))
SESSIONS_LIMIT = Metric(
    "mcp_otel.sessions.limit",
    "gauge",
    "{session}",
    "Sessions the server admits before it refuses new ones with 503; absent where it has no cap",
)
SESSIONS_ENDED = Metric("mcp_otel.sessions.ended", "sum", "{session}", "Sessions ended", (REASON,))
COST_TIME = Metric("mcp_otel.cost.time", "sum", "s", "Seconds of its host that mcp-otel used", (PART,))
DROPPED = Metric("mcp_otel.dropped", "sum", "{item}", "Telemetry that mcp-otel had to drop", (PART,))
FAILURES = Metric("mcp_otel.failures", "sum", "{failure}", "Own failures that mcp-otel swallowed", (PART,))
LEVEL = Metric(
    "mcp_otel.level",
    "gauge",
    "{level}",
    "How much is said: 0 off, 1 metrics, 2 spans with the phases of slow and failed ones, 3 all that is set",
)

METRICS: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
ATTRIBUTES: tuple[Attribute, ...] = (
    *(value for value in list(globals().values()) if isinstance(value, Attribute)),
    *PHASE_TIMES.values(),
)
