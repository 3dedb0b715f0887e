"""A forked child has none of our threads: it makes its own, and none of the parent's locks may stop it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.house.source import ROOT

PROCESS = """
import os, signal, sys, threading, warnings
warnings.simplefilter("ignore")  # of forking with threads
import mcp_otel
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

mcp_otel.instrument(meter_provider=MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False))
from mcp_otel import instrumentor

recorder = instrumentor.recorder()


class Ended:
    pass


def serve():
    call = recorder.arrive()
    recorder.open(call, "ping", None, 1)
    recorder.answer(call, result={})
    recorder.handled(call)
    recorder.gone(Ended(), "session")
    recorder.gone(Ended(), "request")


serve()
canaries = recorder.vitals.canaries
held, forked = threading.Event(), threading.Event()


def hold():
    with canaries._lock:
        held.set()
        forked.wait()


threading.Thread(target=hold).start()
held.wait()
child = os.fork()
if not child:
    signal.alarm(5)
    serve()
    states, failures = sorted(recorder.live.session_states()), dict(recorder.totals.failures)
    print(type(recorder.vitals).__name__, states, failures, flush=True)
    os._exit(0)
print(os.waitpid(child, 0)[1], flush=True)
forked.set()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_serves_on_though_a_thread_of_ours_held_a_lock_when_it_was_forked() -> None:
    said = subprocess.run(
        [sys.executable, "-c", PROCESS], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert said.stdout.splitlines() == ["Vitals ['active', 'idle', 'retained'] {}", "0"], said.stderr
