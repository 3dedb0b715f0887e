"""THE table: every attribute, metric and span name we say, with unit, meaning and bounds. Spelled here and only here.

Standard names follow the OpenTelemetry GenAI semantic conventions for MCP, v0.1.0; our own begin with `mcp_otel.`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mcp_otel.event import PHASES
from mcp_otel.methods import CALLER_FAULTS, METHODS, PROTOCOL_VERSIONS, STATUS_TEXTS

CONVENTIONS = "gen-ai v0.1.0"
SCHEMA_URL = "https://opentelemetry.io/schemas/1.45.0"
SCOPE = "mcp_otel"

MAX_TOOLS = 100
MAX_PROMPTS = 20
MAX_CLIENTS = 20
MAX_TYPES = 20
MAX_PLACES = 50
MAX_SERIES = 2000
"""Where the SDK itself folds an instrument's attribute sets into one overflow point."""
MAX_OPERATION_SERIES = 1500
"""The bound our own code keeps for the duration histogram, whose labels multiply to more."""

LAG_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SECONDS_BUCKETS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""The conventions' boundaries for all four standard histograms."""
STREAM_BUCKETS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0)

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
METHOD = Attribute("mcp.method.name", "method of the request or notification", len(METHODS) + 1)
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
NETWORK_VERSION = Attribute("network.protocol.version", "HTTP version", 5)
REQUEST_ID = Attribute("jsonrpc.request.id", "id of the request")
SESSION_ID = Attribute(
    "mcp.session.id", "digest of the session id (16 hex digits of its SHA-256); the id itself with `capture_session_id`"
)
TOOL_ARGUMENTS = Attribute("gen_ai.tool.call.arguments", "arguments of a tool call as JSON, with `capture_arguments`")
TOOL_RESULT = Attribute("gen_ai.tool.call.result", "result of a tool call as JSON, with `capture_results`")
RESOURCE_URI = Attribute("mcp.resource.uri", "URI of the resource in question, with `capture_resource_uri`")
CLIENT_ADDRESS = Attribute("client.address", "address of the HTTP peer")
CLIENT_PORT = Attribute("client.port", "port of the HTTP peer")
SERVER_ADDRESS = Attribute("server.address", "host of the server that a client talks to over HTTP")
SERVER_PORT = Attribute("server.port", "its port")
CPU_MODE = Attribute("cpu.mode", "`user` or `system`", 2)
GENERATION = Attribute("cpython.gc.generation", "generation that was collected: 0, 1 or 2", 3)
CODE_FILE = Attribute("code.file.path", "file of the code that blocked the loop, as its package has it")
CODE_LINE = Attribute("code.line.number", "line of the code that blocked the loop")
CODE_FUNCTION = Attribute("code.function.name", "function that blocked the loop")

# --- our own attributes
PHASE = Attribute("mcp_otel.phase", "part of a message's time: " + ", ".join(PHASES), len(PHASES))
CLOCK = Attribute("mcp_otel.clock", "`wall`, or `cpu` for the handler and the phases that run without a pause", 2)
FAULT = Attribute("mcp_otel.fault", "who is at fault: `caller`, `tool` or `server`", 3)
DIRECTION = Attribute("mcp_otel.direction", "`received` or `sent`", 2)
DEFINITIONS = Attribute("mcp_otel.definitions", "what a listing lists: `tools`, `prompts` or `resources`", 3)
STATE = Attribute(
    "mcp_otel.state",
    "`active` (a request in flight or within the last minute), `idle`, or `retained` (ended, but still in memory)",
    3,
)
CLIENT = Attribute("mcp_otel.client", "name the client gave itself", MAX_CLIENTS + 1)
REASON = Attribute(
    "mcp_otel.reason", "`delete`, `disconnect`, `close` (a stream, by the server), `idle`, `crash` or `stop`", 6
)
STREAM = Attribute(
    "mcp_otel.stream",
    "what a client listens on: `standalone` or `resumed` (GETs of Streamable HTTP), `sse` or `subscription`",
    4,
)
REFUSALS = (
    *("session_unknown", "session_ended", "session_elsewhere", "session_not_theirs", "session_missing"),
    *("session_limit", "second_stream", "method", "not_acceptable", "media_type", "version", "origin", "host"),
    *("too_large", "other"),
)
REFUSAL = Attribute(
    "mcp_otel.refusal",
    "why a request was refused: " + ", ".join(f"`{reason}`" for reason in REFUSALS),
    len(REFUSALS),
)
PART = Attribute("mcp_otel.part", "part of mcp-otel", 16)
STAT = Attribute("mcp_otel.stat", "`max`, `mean` or `sum` over live conversations", 3)
KIND = Attribute("mcp_otel.kind", "what an object was kept for: a `session` or a `request`", 2)
TYPE = Attribute("mcp_otel.type", "name of an object's type", MAX_TYPES + 1)
POOL = Attribute("mcp_otel.pool", "which worker threads: `anyio` (its limiter) or `asyncio` (the default executor)", 2)
PLACE = Attribute("mcp_otel.place", "file:line of the code that blocked an event loop", MAX_PLACES + 2)
BLOCKED_SECONDS = Attribute("mcp_otel.loop.blocked.seconds", "seconds that one step of the call blocked its event loop")
RECEIVED_SIZE = Attribute("mcp_otel.received.size", "bytes of the message received")
SENT_SIZE = Attribute("mcp_otel.sent.size", "bytes of the message sent back")
ERROR_MESSAGE = Attribute(
    "mcp_otel.error.message", "what the answer says of its failure, with `capture_errors`; then the status says it too"
)
CAPTURED_CUT = Attribute("mcp_otel.captured.cut", "names of the attributes that hold only the beginning of a value")
PHASE_TIMES = {phase: Attribute(f"mcp_otel.phase.{phase}", f"seconds of the phase {phase}") for phase in PHASES}

CAPTURED = {
    "arguments": TOOL_ARGUMENTS,
    "results": TOOL_RESULT,
    "resource_uri": RESOURCE_URI,
    "session_id": SESSION_ID,
    "errors": ERROR_MESSAGE,
}
"""What each kind of captured value is said as; `capture_<kind>` is its setting."""

TARGET = (METHOD, OPERATION, TOOL, PROMPT)
TARGETS = len(METHODS) + 1 + (MAX_TOOLS + 1) + (MAX_PROMPTS + 1)
"""Sets of (method, tool, prompt) at most: a tool comes with one method only, so does a prompt."""
PHASE_CLOCKS = len(PHASES) + 4

# --- spans
PHASE_SPANS = {phase: f"mcp_otel.{phase}" for phase in ("decode", "validate", "queue", "encode", "write")}
BLOCKED_EVENT = "mcp_otel.loop.blocked"
"""The event on the span of a call that blocked its event loop."""
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
CLIENT_OPERATION_DURATION = Metric(
    "mcp.client.operation.duration",
    "histogram",
    "s",
    "Duration of a request or notification from sending it to its response or acknowledgement",
    (*TARGET, ERROR_TYPE, STATUS_CODE, PROTOCOL_VERSION, TRANSPORT, NETWORK_PROTOCOL),
    bound=MAX_OPERATION_SERIES,
)
CLIENT_SESSION_DURATION = Metric(
    "mcp.client.session.duration",
    "histogram",
    "s",
    "Duration of a session as seen by the client",
    (ERROR_TYPE, PROTOCOL_VERSION, TRANSPORT, NETWORK_PROTOCOL),
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
    "mcp_otel.request.oldest_age", "gauge", "s", "Age of the oldest request in flight but `tasks/result`; 0 without one"
)
SESSIONS = Metric(
    "mcp_otel.sessions", "level", "{session}", "Sessions that are open, and ended ones that are retained", (STATE,)
)
SESSIONS_OPENED = Metric("mcp_otel.sessions.opened", "sum", "{session}", "Sessions opened", (CLIENT,))
SESSIONS_LIMIT = Metric(
    "mcp_otel.sessions.limit",
    "gauge",
    "{session}",
    "Sessions the server admits before it refuses new ones with 503; absent where it has no cap",
)
SESSIONS_ENDED = Metric("mcp_otel.sessions.ended", "sum", "{session}", "Sessions ended", (REASON,))
STREAMS = Metric("mcp_otel.streams", "level", "{stream}", "Streams that clients keep open to listen", (STREAM,))
STREAMS_ENDED = Metric(
    "mcp_otel.streams.ended", "sum", "{stream}", "Streams that clients had open to listen, ended", (STREAM, REASON)
)
STREAM_DURATION = Metric(
    "mcp_otel.stream.duration", "histogram", "s", "How long a stream was open that a client listened on", (STREAM,)
)
STREAM_AGE = Metric(
    "mcp_otel.stream.oldest_age",
    "gauge",
    "s",
    "Age of the oldest stream that a client has open to listen; 0 when there is none",
    (STREAM,),
)
HTTP_REJECTED = Metric(
    "mcp_otel.http.rejected",
    "sum",
    "{request}",
    "HTTP requests that the server refused before they were messages",
    (REFUSAL,),
)
SESSIONS_TIME = Metric(
    "mcp_otel.sessions.time_to_limit",
    "gauge",
    "s",
    "Time until the server refuses new sessions, at the present pace and with its idle timeout; absent without a trend",
)
SESSIONS_FORECAST = Metric(
    "mcp_otel.sessions.forecast",
    "gauge",
    "{session}",
    "Open sessions at which the present pace settles once idle ones are reclaimed, or the limit; absent without trend",
)
SESSIONS_FORECAST_SIZE = Metric(
    "mcp_otel.sessions.forecast.size",
    "gauge",
    "By",
    "Memory that the forecast sessions will hold, at what open ones hold now; absent without a trend",
)
CONTEXT_SIZE = Metric(
    "mcp_otel.context.size",
    "gauge",
    "By",
    "What live conversations hold: content exchanged so far and what the server keeps for them, estimated",
    (STAT,),
)
CONTEXT_GROWTH = Metric(
    "mcp_otel.context.growth",
    "gauge",
    "By",
    "Bytes by which a live conversation grows with each turn; absent until one has had turns enough",
    (STAT,),
)
OBJECTS_RETAINED = Metric(
    "mcp_otel.objects.retained",
    "level",
    "{object}",
    "Objects of ended sessions and requests that a full garbage collection left alive",
    (KIND, TYPE),
    2 * (MAX_TYPES + 1),
)
OBJECTS_SIZE = Metric(
    "mcp_otel.objects.size",
    "gauge",
    "By",
    "Memory that one retained object holds alone, estimated",
    (KIND, TYPE),
    2 * (MAX_TYPES + 1),
)
MEMORY_FLOOR = Metric(
    "mcp_otel.memory.floor", "gauge", "By", "Lowest resident memory since the last full garbage collection"
)
MEMORY_LIMIT = Metric(
    "mcp_otel.memory.limit",
    "gauge",
    "By",
    "Resident memory at which this process would end: by its control group, its address space or the host",
)
MEMORY_UNIQUE = Metric(
    "mcp_otel.memory.unique",
    "gauge",
    "By",
    "Resident memory that no other process shares; absent where it is dear to know",
)
MEMORY_SESSION = Metric(
    "mcp_otel.memory.per_session",
    "gauge",
    "By",
    "Memory that stays of every ended session; absent unless that is the cause",
)
MEMORY_CALL = Metric(
    "mcp_otel.memory.per_call", "gauge", "By", "Memory that stays of every call; absent unless that is the cause"
)
MEMORY_TIME = Metric(
    "mcp_otel.memory.time_to_limit",
    "gauge",
    "s",
    "Time until the floor of memory is at the limit; absent without a trend",
)
GC_PAUSE = Metric(
    "mcp_otel.gc.pause.time", "sum", "s", "Time the garbage collector has paused the process", (GENERATION,)
)
LOOP_BUSY = Metric(
    "mcp_otel.loop.busy.time", "sum", "s", "Time event loops did not wait: its rate is their utilization"
)
LOOP_LAG = Metric("mcp_otel.loop.lag", "histogram", "s", "How late event loops run what is due")
LOOP_TOOL = Metric(
    "mcp_otel.loop.tool.time",
    "sum",
    "s",
    "Time the handlers of messages had their event loop to themselves",
    TARGET,
    TARGETS,
)
LOOP_BLOCKAGES = Metric(
    "mcp_otel.loop.blockages",
    "sum",
    "{blockage}",
    "Steps that blocked an event loop beyond the bound, counted while they last",
    (PLACE, TOOL),
    MAX_PLACES + 2,
)
LOOP_BLOCKED = Metric(
    "mcp_otel.loop.blocked.time",
    "sum",
    "s",
    "Time of the steps that blocked an event loop beyond the bound, counted while they last",
    (PLACE, TOOL),
    MAX_PLACES + 2,
)
THREADS_USED = Metric("mcp_otel.threads.used", "level", "{thread}", "Worker threads that are working", (POOL,))
THREADS_LIMIT = Metric("mcp_otel.threads.limit", "level", "{thread}", "Worker threads that may work at once", (POOL,))
THREADS_WAITING = Metric(
    "mcp_otel.threads.waiting", "level", "{task}", "Work that waits until a worker thread is free", (POOL,)
)
PROCESS_MEMORY = Metric("process.memory.usage", "level", "By", "Resident memory of the process")
PROCESS_VIRTUAL = Metric("process.memory.virtual", "level", "By", "Address space of the process")
PROCESS_CPU = Metric("process.cpu.time", "sum", "s", "Time of the process on processors", (CPU_MODE,))
PROCESS_FILES = Metric(
    "process.unix.file_descriptor.count", "level", "{file_descriptor}", "File descriptors the process has open"
)
PROCESS_THREADS = Metric("process.thread.count", "level", "{thread}", "Threads of the process")
PROCESS_UPTIME = Metric("process.uptime", "gauge", "s", "Time the process has been running")
GC_COLLECTIONS = Metric(
    "cpython.gc.collections", "sum", "{collection}", "Garbage collections since the process started", (GENERATION,)
)
GC_COLLECTED = Metric(
    "cpython.gc.collected_objects", "sum", "{object}", "Objects collected since the process started", (GENERATION,)
)
GC_UNCOLLECTABLE = Metric(
    "cpython.gc.uncollectable_objects", "sum", "{object}", "Objects found that can never be collected", (GENERATION,)
)
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
