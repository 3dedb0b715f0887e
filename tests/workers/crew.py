"""Servers of several processes under real launchers, clients that count, and what the processes said, by instance."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from tests.contract.process import QUIET
from tests.sink import Sink, _attributes, _points

ROOT = Path(__file__).parents[2]
APP = "tests.workers.desk:app"
INSTANCE = "service.instance.id"
ACCEPT = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
DURATION = "mcp.server.operation.duration"

Answer = tuple[int, dict[str, str], bytes]


class Ledger(Sink):
    """A sink that keeps apart what each instance says."""

    def __init__(self) -> None:
        self.said: dict[str, dict[tuple[str, Any], Any]] = defaultdict(dict)
        """Of each instance: the latest value of each series."""
        super().__init__()

    def _take_metrics(self, body: bytes) -> bytes:
        for group in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            instance = _attributes(group.resource.attributes)[INSTANCE]
            for scoped in group.scope_metrics:
                for metric in scoped.metrics:
                    for labels, point in _points(metric):
                        self.said[instance][metric.name, labels] = point["value"]
        return super()._take_metrics(body)

    def sums(self, name: str, **labels: Any) -> dict[str, float]:
        """The sum of all series of `name` with these labels (dots as `__`), by instance; none where it is 0."""
        wanted = {(key.replace("__", "."), value) for key, value in labels.items()}
        sums = {
            instance: sum(value for (metric, said), value in series.items() if metric == name and wanted <= said)
            for instance, series in list(self.said.items())
        }
        return {instance: total for instance, total in sums.items() if total}

    def served(self) -> dict[str, set[str]]:
        """Request ids of calls by the instance whose SERVER span says so, whoever made it.

        Raises:
            AssertionError: one was said twice.
        """
        found: dict[str, set[str]] = defaultdict(set)
        for span in self.spans:
            if span["kind"] == "SERVER" and span["name"].startswith("tools/call"):
                request = span["attributes"]["jsonrpc.request.id"]
                assert all(request not in ids for ids in found.values()), f"{request} was said twice"
                found[span["resource"][INSTANCE]].add(request)
        return dict(found)


class Server:
    """A launcher with its workers. `port` is where they listen, `said` what they have written so far."""

    def __init__(self, command: list[str], port: int, environ: Mapping[str, str], log: Path) -> None:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "MCP_OTEL_"))}
        self.port, self._log, self._ids = port, log, count(1)
        with log.open("wb") as out:
            self.popen = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**inherited, **QUIET, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", **environ},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """What it has written so far."""
        return self._log.read_text(errors="replace")

    def await_workers(self, number: int, seconds: float = 40.0) -> set[int]:
        """The pids of its workers once so many answer."""
        found: set[int] = set()
        until = monotonic() + seconds
        while len(found) < number:
            assert monotonic() < until, f"{len(found)} of {number} workers answer:\n{self.said}"
            assert self.popen.poll() is None, self.said
            try:
                status, _, _ = self.request("GET", headers={"Accept": "text/plain"})
                pids = re.findall(r"(?:server process|Booting worker with pid:) \[?(\d+)", self.said)
                found = set(map(int, pids)) if status in (405, 406) else set()
            except (OSError, HTTPException):
                sleep(0.05)
        return found

    def request(
        self, method: str = "POST", body: Any = None, headers: Mapping[str, str] | None = None, path: str = "/mcp"
    ) -> Answer:
        """One HTTP request on a connection of its own: status, headers (lower case) and body."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            connection.request(method, path, raw, {**ACCEPT, "Connection": "close", **(headers or {})})
            response = connection.getresponse()
            said = {name.lower(): value for name, value in response.getheaders()}
            return response.status, said, response.read()

    def call(self, tool: str = "whoami", headers: Mapping[str, str] | None = None, **arguments: Any) -> tuple[str, str]:
        """Call `tool`: the id of the request and the text that it answers."""
        number = next(self._ids)
        params = {"name": tool, "arguments": arguments}
        body = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
        status, _, raw = self.request(body=body, headers=headers)
        assert status == 200, (status, raw)
        return str(number), json.loads(raw)["result"]["content"][0]["text"]

    def load(self, calls: int, at_once: int = 4) -> dict[int, set[str]]:
        """So many calls of `whoami`, and which process answered which of them."""
        with ThreadPoolExecutor(at_once) as clients:
            answers = list(clients.map(lambda _: self.call(), range(calls)))
        served: dict[int, set[str]] = defaultdict(set)
        for number, pid in answers:
            served[int(pid)].add(number)
        return dict(served)

    def stop(self, number: int = signal.SIGTERM, seconds: float = 20.0) -> int:
        """Send the launcher a signal; its exit status."""
        self.popen.send_signal(number)
        return self.popen.wait(seconds)

    def end(self) -> None:
        """Leave nothing of it behind."""
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.popen.wait(10)


def by_size(groups: Mapping[Any, set[str]]) -> Counter[frozenset[str]]:
    """The groups themselves, whatever they are called."""
    return Counter(frozenset(group) for group in groups.values())


def uvicorn(workers: int, *more: str) -> Callable[[int], list[str]]:
    """`uvicorn --workers`: spawned."""
    module = [sys.executable, "-m", "uvicorn", APP, "--workers", str(workers), "--no-access-log", *more]
    return lambda port: [*module, "--port", str(port)]


def gunicorn(workers: int, *more: str) -> Callable[[int], list[str]]:
    """gunicorn with uvicorn's workers: forked."""
    kind = ["-k", "uvicorn_worker.UvicornWorker", "-w", str(workers)]
    return lambda port: [sys.executable, "-m", "gunicorn", APP, *kind, "-b", f"127.0.0.1:{port}", *more]


@contextmanager
def serving(
    command: Callable[[int], list[str]], folder: Path, sink: Sink | None, protocol: str = "http/protobuf", **more: str
) -> Iterator[Server]:
    """What `command` starts, telling `sink` and nobody else."""
    from tests.stack.running import free_port

    port = free_port()
    telling = {} if sink is None else to(sink, protocol)
    # gunicorn keeps a socket at home, and workers share a file.
    server = Server(
        command(port), port, {"HOME": str(folder), "TMPDIR": str(folder), **telling, **more}, folder / "said"
    )
    try:
        yield server
    finally:
        server.end()


def to(sink: Sink, protocol: str = "http/protobuf") -> dict[str, str]:
    """The variables that send everything to `sink`."""
    url = sink.url if protocol == "http/protobuf" else f"http://{sink.serve_grpc()}"
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "OTEL_BSP_SCHEDULE_DELAY": "500",
    }
