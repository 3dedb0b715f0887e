"""The programs around a server, started for real on loopback with the configurations that are shipped.

Only addresses and intervals are replaced in them.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from tests.contract.process import Process
from tests.stack.programs import collector, need

ROOT = Path(__file__).parents[2]
Found = TypeVar("Found")


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def wait(condition: Callable[[], Found], seconds: float, what: str) -> Found:
    """What `condition` says once it is true.

    Raises:
        AssertionError: it was not in time.
    """
    until = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < until, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.2)


def ask(url: str, method: str = "GET", **parameters: str) -> Any:
    """The JSON that `url` answers."""
    full = f"{url}?{urlencode(parameters)}" if parameters else url
    with urlopen(Request(full, method=method), timeout=20) as response:
        return json.loads(response.read() or b"null")


class Stack:
    """A Collector, a Prometheus, an Alertmanager and support desks; each can be killed and started again.

    Traces leave the Collector for `traces` (an OTLP/HTTP URL up to the host). `folder` outlives every program.
    `expiration` is how long the Collector shows a server that fell silent, if not as long as it is shipped.
    """

    def __init__(self, folder: Path, traces: str, expiration: str | None = None) -> None:
        self.folder, self._traces = folder, traces
        self._expiration = {"OTELCOL_METRIC_EXPIRATION": expiration} if expiration else {}
        self.programs: dict[str, Process] = {}
        names = ("grpc", "http", "metrics", "health", "self", "prometheus", "alertmanager")
        self.ports = {name: free_port() for name in names}

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.programs):
            self.kill(name)

    @property
    def otlp(self) -> str:
        """Where servers send their telemetry."""
        return f"http://127.0.0.1:{self.ports['http']}"

    @property
    def prometheus(self) -> str:
        """The address of the Prometheus."""
        return f"http://127.0.0.1:{self.ports['prometheus']}"

    @property
    def alertmanager(self) -> str:
        """The address of the Alertmanager."""
        return f"http://127.0.0.1:{self.ports['alertmanager']}"

    def kill(self, name: str) -> None:
        """SIGKILL, as the kernel does when memory runs out."""
        self.programs.pop(name).kill()

    def start(self, *names: str) -> None:
        """Start these programs and wait until they serve."""
        for name in names:
            command, env, ready = getattr(self, f"_{name}")()
            self.programs[name] = process = Process(command, env)
            process.wait_for_line(ready, 60.0)

    def desk(self, name: str = "desk", **env: str) -> str:
        """Start a support desk under `mcp-otel run`; its URL."""
        self.watch(name, "mcp_otel.demo.desk", "--port", "0", **env)
        return self.programs[name].wait_for_line(r"support-desk: (http\S+)")[1]

    def watch(self, name: str, module: str, *args: str, **env: str) -> None:
        """Start a module under `mcp-otel run`, as the program `name`."""
        told = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.otlp,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
            "OTEL_BSP_SCHEDULE_DELAY": "500",
            "MCP_OTEL_COST_BUDGET": "0",  # the machine is busy; stepping down has tests of its own
            **env,
        }
        run = [sys.executable, "-m", "mcp_otel", "run", "--", sys.executable, "-m", module, *args]
        self.programs[name] = Process(run, told)

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Labels and value of every series that `expression` has now."""
        answer = ask(f"{self.prometheus}/api/v1/query", query=expression)["data"]
        if answer["resultType"] == "scalar":
            return [({}, float(answer["result"][1]))]
        return [(each["metric"], float(each["value"][1])) for each in answer["result"]]

    def value(self, expression: str) -> float | None:
        """The value of the one series of `expression`, or None."""
        found = self.query(expression)
        assert len(found) <= 1, found
        return found[0][1] if found else None

    def _collector(self) -> tuple[list[str], Mapping[str, str], str]:
        addresses = {name: f"127.0.0.1:{self.ports[name]}" for name in ("grpc", "http", "metrics", "health")}
        env = {f"OTELCOL_{name.upper()}": address for name, address in addresses.items()}
        env |= {
            "OTELCOL_SELF_PORT": str(self.ports["self"]),
            "OTELCOL_STORAGE": str(self.folder / "queue"),
            "OTELCOL_TRACES": f"{self._traces}/v1/traces",
            **self._expiration,
        }
        return [collector(), "--config", str(ROOT / "collector" / "agent.yaml")], env, "Everything is ready"

    def _prometheus(self) -> tuple[list[str], Mapping[str, str], str]:
        text = (ROOT / "alerts" / "prometheus.yml").read_text()
        for address, port in (
            ("collector:8889", "metrics"), ("collector:8888", "self"), ("alertmanager:9093", "alertmanager"),
        ):  # fmt: skip
            assert address in text, address
            text = text.replace(address, f"127.0.0.1:{self.ports[port]}")
        text = re.sub(r"(scrape_interval|evaluation_interval): \S+", r"\1: 1s", text)
        text = re.sub(r"scrape_timeout: \S+", "scrape_timeout: 1s", text)
        text = re.sub(r"- (?:\S*/)?(recording|alerts)\.yml", rf"- {ROOT}/alerts/\1.yml", text)
        config = self.folder / "prometheus.yml"
        config.write_text(text)
        command = [
            need("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={self.folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{self.ports['prometheus']}", "--enable-feature=exemplar-storage",
        ]  # fmt: skip
        return command, {}, "Server is ready to receive web requests"

    def _alertmanager(self) -> tuple[list[str], Mapping[str, str], str]:
        text = (ROOT / "alerts" / "alertmanager.yml").read_text()
        text = re.sub(r"group_(wait|interval): \S+", r"group_\1: 1s", text)
        config = self.folder / "alertmanager.yml"
        config.write_text(text)
        command = [
            need("prometheus-alertmanager", "alertmanager"), f"--config.file={config}",
            f"--storage.path={self.folder / 'alertmanager'}", "--cluster.listen-address=",
            f"--web.listen-address=127.0.0.1:{self.ports['alertmanager']}",
        ]  # fmt: skip
        return command, {}, "Listening"
