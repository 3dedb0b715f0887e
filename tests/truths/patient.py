"""A sick server under `mcp-otel run`, its clients, and what it says of itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from tests.contract.heard import telemetry
from tests.contract.process import Process
from tests.house.source import ROOT
from tests.sink import Sink
from tests.wire import HttpWire, Pending

HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "patient", "version": "1"}}
Attributes = frozenset[tuple[str, Any]]


class Client:
    """One session, by raw JSON-RPC."""

    def __init__(self, url: str) -> None:
        self._ids = count(1)
        self.wire = HttpWire(url)
        assert "result" in self.wire.call({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": HELLO}).body
        self.wire.call({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def begin(self, tool: str, **arguments: Any) -> Pending:
        """Call a tool; do not wait."""
        params = {"name": tool, "arguments": arguments}
        return self.wire.begin({"jsonrpc": "2.0", "id": next(self._ids), "method": "tools/call", "params": params})

    def call(self, tool: str, **arguments: Any) -> str:
        """Call a tool; the text of its answer."""
        return text_of(self.begin(tool, **arguments))

    def end(self) -> None:
        """Say goodbye."""
        assert self.wire.end_session() == 200


def text_of(pending: Pending) -> str:
    """The text that a call was answered with."""
    text: str = pending.wait(60).body["result"]["content"][0]["text"]
    return text


class Patient:
    """The server, and where its telemetry arrives."""

    def __init__(self, sink: Sink, process: Process, url: str) -> None:
        self.sink = sink
        self.process = process
        self.url = url

    def client(self) -> Client:
        """A new session."""
        return Client(self.url)

    def value(self, name: str, **labels: Any) -> Any:
        """The last value of the one series of `name` with these labels (dots as `__`); None without one."""
        return self.sink.value(name, **labels)

    def await_value(self, name: str, wanted: Callable[[Any], bool], seconds: float = 20.0, **labels: Any) -> Any:
        """The first value that is `wanted`, else the last one in that time."""

        def found(sink: Sink) -> Any:
            value = sink.value(name, **labels)
            return value is not None and wanted(value)

        self.sink.wait_for(found, seconds)
        return self.sink.value(name, **labels)

    def still(self, name: str) -> bool:
        """Whether `name` is still said: a series that has ended leaves its last value here."""
        for key in [key for key in self.sink.points if key[0] == name]:
            del self.sink.points[key]
        for _ in range(2):
            uptime = self.value("process.uptime")
            self.await_value("process.uptime", lambda value, before=uptime: value > before)
        return bool(self.sink.series(name))

    def by(self, name: str, label: str) -> dict[Any, Any]:
        """The values of all series of `name` by one label."""
        return {dict(said).get(label): point["value"] for said, point in self.sink.series(name).items()}


@contextmanager
def patient(*arguments: str, python: str = sys.executable, **environ: str) -> Iterator[Patient]:
    """A sick server with these arguments and settings, in the environment of `python`."""
    with Sink() as sink:
        environ = {**telemetry(sink, OTEL_METRIC_EXPORT_INTERVAL="100"), "PYTHONPATH": str(ROOT), **environ}
        process = Process(
            [python, "-W", "ignore", "-m", "mcp_otel", "run", "--", python, "-m", "tests.truths.sick", *arguments],
            environ,
        )
        try:
            port = process.wait_for_line(r"listening (\d+)")[1]
            yield Patient(sink, process, f"http://127.0.0.1:{port}/mcp")
        finally:
            if process.popen.poll() is None:
                process.kill()
