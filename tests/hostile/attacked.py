"""The same server twice, watched and bare, told the same bytes; and what both then say of themselves."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from queue import Queue
from typing import Any

from tests.contract.heard import telemetry
from tests.contract.process import Process
from tests.house.source import ROOT
from tests.sink import Sink

HANDSHAKE = "2025-06-18"
LONGEST = 512
"""No attribute of a span is longer, whatever came in."""
ACCEPT = "application/json, text/event-stream"
Reply = tuple[int, bytes]


def request(request_id: Any, method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}


def call(request_id: Any, tool: str, /, **arguments: Any) -> dict[str, Any]:
    return request(request_id, "tools/call", name=tool, arguments=arguments)


def hello(client: Any = "teller", version: Any = HANDSHAKE) -> dict[str, Any]:
    info = {"name": client, "version": "1"}
    return request("hello", "initialize", protocolVersion=version, capabilities={}, clientInfo=info)


READY = {"jsonrpc": "2.0", "method": "notifications/initialized"}
INSPECT = call("inspect", "inspect")


@dataclass
class Attacked:
    """One of the two servers."""

    process: Process
    port: int = 0
    lines: Queue[bytes] = field(default_factory=Queue)
    """What it has answered on stdout and nobody has read."""

    def start_reading(self) -> None:
        """Read its stdout, so that it never waits for us."""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        stdout = self.process.popen.stdout
        assert stdout is not None
        with suppress(ValueError):
            buffered = open(stdout.fileno(), "rb", 1 << 20, closefd=False)  # noqa: SIM115
            for line in iter(buffered.readline, b""):
                self.lines.put(line.rstrip(b"\n"))

    def write(self, raw: bytes) -> None:
        """Bytes to its stdin."""
        stdin = self.process.popen.stdin
        assert stdin is not None
        view = memoryview(raw)
        while view:
            view = view[stdin.write(view) or 0 :]

    def say(self, *bodies: Any) -> None:
        """Messages on its stdin; bytes go as they are."""
        self.write(
            b"".join((body if isinstance(body, bytes) else json.dumps(body).encode()) + b"\n" for body in bodies)
        )

    def hear(self, until: Callable[[bytes], bool], seconds: float = 60.0) -> list[bytes]:
        """Every line up to the one that is waited for."""
        heard = [self.lines.get(timeout=seconds)]
        while not until(heard[-1]):
            heard.append(self.lines.get(timeout=seconds))
        return heard

    def ask(self, body: dict[str, Any]) -> list[bytes]:
        """What comes until `body` is answered."""
        self.say(body)
        return self.until(body["id"])

    def until(self, request_id: str) -> list[bytes]:
        """Every line up to the answer to a request."""
        wanted = b'"id":' + json.dumps(request_id).encode()
        return self.hear(lambda line: wanted in line and b'"method"' not in line)

    def connect(self) -> socket.socket:
        """A connection of our own to it."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def post(self, body: Any, *headers: str, on: socket.socket | None = None, method: str = "POST") -> Reply:
        """One request on a connection; status and body of the answer."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send(head(len(raw), *headers, method=method) + raw, on)[:2]

    def send(self, raw: bytes, on: socket.socket | None = None) -> tuple[int, bytes, dict[str, str]]:
        """Raw bytes on a connection; status, body and headers of the answer, (0, b"", {}) when there is none."""
        made = on or self.connect()
        try:
            made.sendall(raw)
            response = HTTPResponse(made)
            response.begin()
            return response.status, response.read(), {name.lower(): value for name, value in response.getheaders()}
        except (HTTPException, OSError):
            return 0, b"", {}
        finally:
            if on is None:
                made.close()

    def open_session(self, client: Any = "teller", version: Any = HANDSHAKE, on: socket.socket | None = None) -> str:
        """A session over HTTP; its id, empty if it was refused."""
        raw = json.dumps(hello(client, version)).encode()
        return self.send(head(len(raw)) + raw, on)[2].get("mcp-session-id", "")

    def inspected(self, session: str | None = None) -> dict[str, Any]:
        """What the process holds now."""
        if not self.port:
            answer = self.ask(INSPECT)[-1]
        else:
            own = self.open_session() if session is None else session
            answer = self.post(INSPECT, f"mcp-session-id: {own}", f"mcp-protocol-version: {HANDSHAKE}")[1]
            self.post(b"", f"mcp-session-id: {own}", method="DELETE")
            answer = (
                next(line[5:] for line in answer.splitlines() if line.startswith(b"data: {"))
                if b"data:" in answer
                else answer
            )
        found: dict[str, Any] = json.loads(json.loads(answer)["result"]["content"][0]["text"])
        return found

    def complaints(self) -> list[str]:
        """What OpenTelemetry or we have said on stderr."""
        return [line for line in self.process.errors if line.startswith(("log opentelemetry", "log mcp_otel"))]

    def loggers(self) -> Counter[str]:
        """How often each logger has said something on stderr; but for what a 2.x SDK's own tracing complains of."""
        return Counter(line.split(":")[0] for line in self.process.errors if line.startswith(("log mcp", "log root")))


def head(length: int, *headers: str, method: str = "POST", accept: str = ACCEPT) -> bytes:
    """The head of an HTTP request, with headers that win over the usual ones."""
    own = {each.partition(":")[0].lower() for each in headers}
    usual = {
        "host": "127.0.0.1:80",
        "content-type": "application/json",
        "accept": accept,
        "content-length": str(length),
    }
    lines = [f"{name}: {value}" for name, value in usual.items() if name not in own]
    return "\r\n".join([f"{method} /mcp HTTP/1.1", *lines, *headers, "", ""]).encode("latin-1")


def complain_alike(ours: Attacked, bare: Attacked, seconds: float = 10.0) -> None:
    """Both servers' own loggers say as much, and nobody says more for us; their lines may come late.

    Raises:
        AssertionError: they do not in time.
    """
    with ours.process._changed:
        ours.process._changed.wait_for(lambda: ours.loggers() == bare.loggers(), seconds / 2)
    with bare.process._changed:
        bare.process._changed.wait_for(lambda: ours.loggers() == bare.loggers(), seconds / 2)
    assert (ours.complaints(), ours.loggers()) == ([], bare.loggers())


@contextmanager
def attacked(sink: Sink | None, *door: str) -> Iterator[Attacked]:
    """The server behind `door`, watched if somebody listens."""
    env = {"PYTHONPATH": str(ROOT)}
    if sink is not None:
        env |= telemetry(
            sink, HOSTILE_WATCHED="1", OTEL_BSP_MAX_QUEUE_SIZE="40000", OTEL_METRIC_EXPORT_INTERVAL="1000",
            MCP_OTEL_PHASE_SPANS="off",
        )  # fmt: skip
    process = Process([sys.executable, "-m", "tests.hostile.server", *door], env)
    try:
        one = Attacked(process)
        if door[0] == "http":
            one.port = int(process.wait_for_line(r"listening (\d+)")[1])
        else:
            one.start_reading()
            one.ask(hello())
            one.say(READY)
        yield one
    finally:
        process.popen.kill() if process.popen.poll() is not None else None
        if door[0] == "http":
            process.stop()
        else:
            process.leave()


@contextmanager
def both(sink: Sink, *door: str) -> Iterator[tuple[Attacked, Attacked]]:
    """The watched server and the bare one."""
    with attacked(sink, *door) as ours, attacked(None, *door) as bare:
        yield ours, bare


def servers(sink: Sink) -> list[dict[str, Any]]:
    """SERVER spans so far."""
    return [span for span in list(sink.spans) if span["kind"] == "SERVER"]


def too_long(sink: Sink) -> list[tuple[str, str, int]]:
    """What of any span is longer than it may be: its name, the attribute and how long."""
    found = []
    for span in list(sink.spans):
        texts = {"name": span["name"], "status": span["status"].get("message", ""), **span["attributes"]}
        found += [
            (span["name"][:40], name[:40], len(value))
            for name, value in texts.items()
            if (isinstance(value, str) and len(value) > LONGEST) or len(name) > 64
        ]
    return found


def series_beyond(sink: Sink, bounds: dict[str, int]) -> dict[str, int]:
    """Metrics with more series than they may have."""
    counts = Counter(name for name, _ in list(sink.points))
    return {name: count for name, count in counts.items() if count > bounds.get(name, 2000)}


def labels(sink: Sink) -> set[str]:
    """Every text that is a label of a metric."""
    return {value for _, said in list(sink.points) for _, value in said if isinstance(value, str)}


def settled(sink: Sink, messages: int, seconds: float = 20.0) -> Sequence[dict[str, Any]]:
    """SERVER spans, once there are as many as messages and no more come."""
    sink.wait_for(lambda _: len(servers(sink)) >= messages, seconds)
    sink.quiet(0.3)
    return servers(sink)
