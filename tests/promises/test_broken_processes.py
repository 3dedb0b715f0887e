"""Promise 1 for real processes: with everything of ours broken at once, not a byte of the server's differs."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.contract.process import Process
from tests.promises import hosts, messages
from tests.wire import Body, HttpWire, StdioWire, Wire

SERVER = Path(__file__).parent / "broken_server.py"


def blue(request: Body) -> Body:
    """What our client answers to the server's question."""
    assert request["method"] == "elicitation/create"
    return {"action": "accept", "content": {"answer": "blue"}}


def tell(door: str, mode: str) -> tuple[list[bytes], int, bytes, list[str]]:
    """What came back over the wire, the exit code, what else was on stdout, and what was on stderr."""
    process = Process([sys.executable, str(SERVER), door, mode])
    try:
        if door == "stdio":
            wire: Wire = StdioWire(process.popen, blue)
        else:
            port = process.wait_for_line(r"listening (\d+)")[1]
            wire = HttpWire(f"http://127.0.0.1:{port}/mcp", blue)
        wire.call(messages.HELLO[0])
        wire.begin(messages.HELLO[1]).wait()
        for message in (*messages.STORY, messages.ASK):
            wire.call(message)
        cancelled = wire.begin(messages.SLOW)
        process.wait_for_line("slow runs")
        wire.begin(messages.CANCEL).wait()
        wire.call(messages.AFTERWARDS)
        if isinstance(wire, HttpWire):
            cancelled.wait()
            assert wire.end_session() == 200
    finally:
        code, leftover = process.stop() if door == "http" else process.leave()
    answers = [hosts.PROPAGATED.sub(b"", raw) for raw in wire.received]
    return (
        sorted(answers),
        code,
        leftover,
        [line for line in process.errors if not line.startswith(("listening", "slow runs"))],
    )


@cache
def bare(door: str) -> tuple[list[bytes], int, bytes, list[str]]:
    """The same, watched by nobody."""
    return tell(door, "bare")


@pytest.mark.parametrize("mode", ["parts", "hooks"])
@pytest.mark.parametrize("door", ["stdio", "http"])
def test_a_process_in_which_everything_of_ours_is_broken_answers_as_a_bare_one(door: str, mode: str) -> None:
    answers, code, leftover, errors = tell(door, mode)
    expected, bare_code, bare_leftover, bare_errors = bare(door)
    assert (answers, code, leftover) == (expected, bare_code, bare_leftover)
    assert [json.loads(answer) for answer in answers if b'"id"' in answer] != []
    ours = Counter(errors) - Counter(bare_errors)
    assert set(ours.values()) == {1}
    assert [line for line in ours if not re.fullmatch(r"mcp-otel .* the server is not affected", line)] == []
