"""Processes that fork after they have served: `python -m tests.workers.child HOW`.

Each process serves calls in memory, `echo` for `PARENT`, `CHILD` or `GRANDCHILD`. HOW: `exit` (the child ends as a
program does), `multiprocessing` (as its children do: forked, from within a call), `spawn`, `twice` (the child forks,
too), `own` (the application's own providers), `idle` (the child serves nothing), `crash` (as `multiprocessing`, and
an exception ends the child), `vanish` (the child ends by `os._exit`).
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
import warnings
from importlib import import_module
from typing import Any

warnings.simplefilter("ignore")  # of forking with threads

import anyio  # noqa: E402

import mcp_otel  # noqa: E402

logging.getLogger("mcp").setLevel(logging.CRITICAL)  # 1.x logs each request

HOW = sys.argv[1]
CALLS = {"PARENT": 5, "CHILD": 7, "GRANDCHILD": 3}


def bring_providers() -> None:
    from opentelemetry import metrics, trace
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())]))


def serve(who: str, inside: Any = None) -> None:
    """Serve what `who` has to, and a call of `nested` first if something happens `inside` of it."""
    from tests.promises import hosts, messages

    async def told() -> None:
        async def behind() -> str:
            return str(inside())

        server = hosts.high_level(hosts.Waiting(), behind)
        async with hosts.piped(server) as pipe:
            await pipe.ask(messages.HELLO[0])
            await pipe.say(messages.HELLO[1])
            await pipe.ask(messages.request("list", "tools/list"))
            if inside is not None:
                await pipe.ask(messages.call(f"{who} nested", "nested"))
            for number in range(CALLS[who]):
                await pipe.ask(messages.call(f"{who} {number}", "echo", text="x"))

    anyio.run(told)
    trace: Any = import_module("opentelemetry.trace")
    trace.get_tracer("application").start_span(f"work of {who}").end()


def child() -> None:
    serve("CHILD")


def forked(run: Any) -> int:
    """The exit status of a child that does `run` and ends as a program does."""
    pid = os.fork()
    if not pid:
        run()
        sys.exit(3)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def crashing() -> None:
    child()
    raise RuntimeError("the end")


def start(method: str, target: Any = child) -> int | None:
    process = multiprocessing.get_context(method).Process(target=target)
    process.start()
    process.join(30)
    return process.exitcode


def main() -> None:
    if HOW == "own":
        bring_providers()
    mcp_otel.instrument()
    if HOW == "multiprocessing":
        serve("PARENT", lambda: start("fork"))
    else:
        serve("PARENT")
    if HOW in ("exit", "own"):
        print(forked(child))
    elif HOW == "idle":
        print(forked(lambda: None))
    elif HOW == "twice":
        print(forked(lambda: (child(), forked(lambda: serve("GRANDCHILD")))))
    elif HOW == "spawn":
        print(start("spawn"))
    elif HOW == "crash":
        print(start("fork", crashing))
    elif HOW == "vanish":
        print(forked(lambda: (child(), os._exit(4))))
    serve("PARENT")


if __name__ == "__main__":
    main()
else:  # multiprocessing imports this in a child that it spawns
    mcp_otel.instrument()
