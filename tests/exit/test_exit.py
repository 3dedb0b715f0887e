"""Processes that end in every way against every kind of endpoint: what arrives, and how long it takes them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Any

import pytest

from tests.sink import Sink

LIFE = Path(__file__).with_name("life.py")
ROOT = Path(__file__).parents[2]
PROTOCOLS = ("http/protobuf", "grpc")
OFTEN = {"OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_METRIC_EXPORT_INTERVAL": "50"}
WORDS = ["word 0", "word 1", "word 2"]


class Life:
    """One run of `life.py`."""

    def __init__(self, how: str, seconds: float = 0.0, **variables: str) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        environ |= {"PYTHONPATH": str(ROOT), **variables}
        process = self._process = subprocess.Popen(
            [sys.executable, str(LIFE), how, str(seconds)],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.send, self.poll = process.send_signal, process.poll
        self.said: list[dict[str, Any]] = []

    def listen(self) -> dict[str, Any]:
        """Its next line."""
        line = self._process.stdout.readline()
        assert line, self._process.communicate()[1]
        self.said.append(json.loads(line))
        return self.said[-1]

    def kill(self, number: int) -> float:
        """Send a signal and wait for the end; how long that took."""
        since = monotonic()
        self.send(number)
        self.end()
        return self.ended - since

    def end(self) -> Life:
        """Wait for its end."""
        self._process.wait(30)
        self.ended = monotonic()
        out, self.errors = self._process.communicate()
        self.said += [json.loads(line) for line in out.splitlines()]
        self.status = self._process.returncode
        return self

    @property
    def delay(self) -> float:
        """Seconds between the last line of its program and its end."""
        return self.ended - self.said[-1]["at"]


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


def to(url: str, protocol: str, **variables: str) -> dict[str, str]:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol, **variables}


def opened(sink: Sink, protocol: str) -> dict[str, str]:
    return to(f"http://{sink.serve_grpc()}" if protocol == "grpc" else sink.url, protocol)


@contextmanager
def refused(_: str) -> Iterator[str]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@contextmanager
def black_hole(_: str) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def failing(protocol: str) -> AbstractContextManager[str]:
    return _answering("UNAVAILABLE") if protocol == "grpc" else _answering_http(503)


def broken(protocol: str) -> AbstractContextManager[str]:
    return _answering("INTERNAL") if protocol == "grpc" else _answering_http(500)


def rejecting(protocol: str) -> AbstractContextManager[str]:
    return _answering("INTERNAL") if protocol == "grpc" else _answering_http(400)


@contextmanager
def _answering(code: str) -> Iterator[str]:
    import grpc

    refuse = grpc.unary_unary_rpc_method_handler(lambda _, context: context.abort(grpc.StatusCode[code], "no"))

    class Doors(grpc.GenericRpcHandler):
        def service(self, _: object) -> Any:
            return refuse

    server = grpc.server(ThreadPoolExecutor(2), (Doors(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop(None).wait()


@contextmanager
def _answering_http(status: int) -> Iterator[str]:
    class Refuse(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it overrides
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refuse) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


DEAD = (refused, black_hole, failing, broken)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_process_of_one_second_delivers_its_spans_and_its_metrics(sink: Sink, protocol: str) -> None:
    life = Life("return", 1.0, **opened(sink, protocol)).end()
    assert (life.status, life.errors, life.said[-1]["dropped"]) == (0, "", {})
    assert sorted(span["name"] for span in sink.spans) == WORDS
    assert sink.value("words") == 3
    assert {span["resource"]["service.name"] for span in sink.spans} == {"tortoise"}
    assert len({span["resource"]["service.instance.id"] for span in sink.spans}) == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_process_that_ends_at_once_delivers_too(sink: Sink, protocol: str) -> None:
    life = Life("return", **opened(sink, protocol)).end()
    assert (life.status, life.errors) == (0, "")
    assert (sorted(span["name"] for span in sink.spans), sink.value("words")) == (WORDS, 3)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("endpoint", DEAD)
def test_a_dead_endpoint_holds_the_end_up_for_less_than_a_second(endpoint: Any, protocol: str) -> None:
    bare = Life("bare").end()
    with endpoint(protocol) as url:
        life = Life("raise", **to(url, protocol)).end()
    assert life.status == 7
    assert life.delay - bare.delay < 1.0
    assert "Traceback" not in life.errors


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_black_hole_holds_the_end_up_in_the_middle_of_an_export_for_less_than_a_second(protocol: str) -> None:
    bare = Life("bare").end()
    with black_hole(protocol) as url:
        life = Life("raise", 0.3, **to(url, protocol, **OFTEN)).end()
    assert life.status == 7
    assert life.delay - bare.delay < 1.0
    assert life.errors == "mcp_otel WARNING mcp-otel could not deliver everything before the process ended\n"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sigterm_keeps_its_exit_status_and_everything_is_delivered(sink: Sink, protocol: str) -> None:
    life = Life("wait", **opened(sink, protocol))
    life.listen()
    life.kill(signal.SIGTERM)
    assert (life.status, life.errors) == (-signal.SIGTERM, "")
    assert (sorted(span["name"] for span in sink.spans), sink.value("words")) == (WORDS, 3)


def test_sigterm_with_a_black_hole_kills_in_less_than_a_second() -> None:
    with black_hole("grpc") as url:
        life = Life("wait", **to(url, "grpc"))
        life.listen()
        assert life.kill(signal.SIGTERM) < 1.0
    assert life.status == -signal.SIGTERM


def test_a_second_sigterm_kills_at_once() -> None:
    with black_hole("grpc") as url:
        life = Life("wait", **to(url, "grpc"), MCP_OTEL_EXIT_WAIT="20")
        life.listen()
        since = monotonic()
        while life.poll() is None and monotonic() - since < 5:
            life.send(signal.SIGTERM)
        assert life.poll() == -signal.SIGTERM
        life.end()


def test_under_uvicorn_sigterm_delivers_and_keeps_its_exit_status(sink: Sink) -> None:
    life = Life("uvicorn", **opened(sink, "http/protobuf"))
    life.listen()
    life.kill(signal.SIGTERM)
    assert (life.status, life.errors) == (-signal.SIGTERM, "")
    assert (sorted(span["name"] for span in sink.spans), sink.value("words")) == (WORDS, 3)


def test_a_forked_child_delivers_nothing_of_its_parent_and_ends_by_itself(sink: Sink) -> None:
    life = Life("fork", PYTHONWARNINGS="ignore", **opened(sink, "http/protobuf")).end()
    assert (life.status, life.errors) == (0, "")
    assert life.said[0]["child"] == 3
    assert life.said[0]["seconds"] < 0.4
    assert (sorted(span["name"] for span in sink.spans), sink.value("words")) == (WORDS, 3)
    assert len(sink.bodies) == 2


def test_closing_delivers_and_takes_every_hook_out(sink: Sink) -> None:
    life = Life("close", **opened(sink, "http/protobuf")).end()
    assert (life.status, life.errors) == (0, "")
    assert (sorted(span["name"] for span in sink.spans), sink.value("words")) == (WORDS, 3)
    assert (life.said[0]["default"], life.said[0]["filters"]) == (True, [])
    assert life.said[0]["closed"] < 0.5


def test_closing_with_a_black_hole_takes_about_a_second_and_the_end_no_more() -> None:
    bare = Life("bare").end()
    with black_hole("grpc") as url:
        life = Life("close", **to(url, "grpc")).end()
    assert life.said[0]["closed"] < 1.3
    assert life.delay - bare.delay < 0.3


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("endpoint", [refused, failing, broken])
def test_each_kind_of_complaint_of_an_exporter_is_said_once(endpoint: Any, protocol: str) -> None:
    with endpoint(protocol) as url:
        life = Life("return", 2.5, **to(url, protocol, **OFTEN), OTEL_EXPORTER_OTLP_TIMEOUT="1").end()
    kinds = Counter(re.sub(r"[\d.]+", "N", line) for line in life.errors.splitlines())
    assert 1 <= len(kinds) <= 2 * 3 + 1, life.errors  # a retry, a failure and an end for each signal, and our own line
    assert set(kinds.values()) == {1}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_an_endpoint_rejects_is_counted(protocol: str) -> None:
    with rejecting(protocol) as url:
        life = Life("return", 0.5, **to(url, protocol, **OFTEN)).end()
    dropped = life.said[-1]["dropped"]
    assert dropped["spans"] == 3
    assert 2 <= dropped["metrics"] <= 11


def test_the_console_exporters_leave_stdout_to_the_protocol() -> None:
    life = Life("return", OTEL_TRACES_EXPORTER="console", OTEL_METRICS_EXPORTER="console").end()
    assert life.status == 0
    assert [set(line) for line in life.said] == [{"ending", "dropped", "cost", "at"}]
    assert [f'"name": "{word}"' in life.errors for word in WORDS] == [True] * 3
    assert '"name": "words"' in life.errors


def test_nothing_wanted_loads_no_sdk_and_leaves_sigterm_alone() -> None:
    life = Life("idle").end()
    assert life.said[0] | {"at": 0} == {"sdk": [], "default": True, "at": 0}
