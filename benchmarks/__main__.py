"""`make bench`: added CPU and wall time of a call, per door and level, as a table and as ratios to the native span."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.clients import Http, Memory, Pipe
from benchmarks.server import DRESSES, LINE

DOORS = {"memory": 1, "stdio": 1, "http": 1, "http x16": 16}
SETTLE = 0.5
"""Seconds after a round until its spans are exported: the batch delay is a fifth of a second here."""


def cpu_seconds(pid: int) -> float:
    """CPU seconds of all threads of a process, to the nanosecond where Linux says so."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            total += int((task / "schedstat").read_text().split()[0])
    return total * 1e-9


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(door: str, name: str, sink: int, users: int) -> tuple[subprocess.Popen[bytes], Any]:
    """A server dressed as `name` behind `door`, and a client of it."""
    port = free_port()
    environ = {
        **os.environ,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{sink}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "OTEL_METRIC_EXPORT_INTERVAL": "60000",
    }
    kind = door.partition(" ")[0]
    command = [sys.executable, "-m", "benchmarks.server", kind, "--port", str(port), "--with", name]
    process = subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    if door.startswith("http"):
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise SystemExit(f"the server {name} did not start") from None
                time.sleep(0.05)
        return process, Http(port, users)
    return process, Pipe(process) if door == "stdio" else Memory(process)


@contextlib.contextmanager
def sinking() -> Iterator[int]:
    """A sink in a process of its own; its port."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.sink"], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def measure(door: str, names: list[str], rounds: int, calls: int, sink: int) -> dict[str, dict[str, float]]:
    """Medians over the rounds of what each dress adds to the bare server of the same round: µs a call."""
    subjects = {name: start(door, name, sink, DOORS[door]) for name in names}
    samples: dict[str, dict[str, list[float]]] = {name: {"cpu": [], "wall": []} for name in names}
    try:
        for process, client in subjects.values():
            client.run(max(64, calls // 4))
            time.sleep(SETTLE)
            assert process.poll() is None
        for turn in range(rounds):
            order = names[turn % len(names) :] + names[: turn % len(names)]
            for name in order:
                process, client = subjects[name]
                before = cpu_seconds(process.pid)
                wall = client.run(calls)
                time.sleep(SETTLE)
                samples[name]["cpu"].append((cpu_seconds(process.pid) - before) / calls * 1e6)
                samples[name]["wall"].append(wall / calls * 1e6)
            print(f"  {door}: round {turn + 1} of {rounds}", end="\r", file=sys.stderr, flush=True)
    finally:
        for process, _ in subjects.values():
            process.kill()
            process.wait()
    figures: dict[str, dict[str, float]] = {}
    for name in names:
        figures[name] = {}
        for kind in ("cpu", "wall"):
            added = [ours - bare for ours, bare in zip(samples[name][kind], samples["bare"][kind], strict=True)]
            figures[name][kind] = statistics.median(samples[name][kind])
            figures[name][f"added {kind}"] = statistics.median(added)
    return figures


def table(results: dict[str, dict[str, dict[str, float]]]) -> str:
    """The figures for people."""
    lines = [
        f"mcp {version('mcp')}, opentelemetry-sdk {version('opentelemetry-sdk')}, Python {platform.python_version()}; "
        "tools/call echo, µs a call, medians",
        f"{'door':<9} {'with':<8} {'CPU':>8} {'added':>8} {'x native':>9} {'wall':>9} {'added':>8}",
    ]
    for door, figures in results.items():
        native = figures.get("native", {}).get("added cpu")
        for name, row in figures.items():
            ratio = f"{row['added cpu'] / native:9.2f}" if native and name != "bare" else " " * 9
            lines.append(
                f"{door:<9} {name:<8} {row['cpu']:8.0f} {row['added cpu']:8.1f} {ratio} "
                f"{row['wall']:9.0f} {row['added wall']:8.1f}"
            )
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=480, help="calls a round (a multiple of 16)")
    parser.add_argument("--door", choices=DOORS, action="append", help="only these doors")
    parser.add_argument("--with", dest="names", choices=DRESSES, action="append", help="only these, and bare")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    given = parser.parse_args()
    names = ["bare", *(name for name in given.names or DRESSES if name != "bare")]
    if LINE == 1 and "native" in names:
        names.remove("native")  # the 1.x line has no span of its own
    with sinking() as sink:
        results = {door: measure(door, names, given.rounds, given.calls, sink) for door in given.door or DOORS}
    print(table(results))
    if given.json:
        given.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
