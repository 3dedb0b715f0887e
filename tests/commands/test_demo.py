"""The demo, on the real server it is about."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.commands.launching import HOME, clean_environment, start


@pytest.fixture
def server() -> None:
    beside = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    if shutil.which("mcp-server-time", path=beside) is None:
        if os.environ.get("CI"):
            pytest.fail("mcp-server-time is not installed")
        pytest.skip("mcp-server-time is not installed")


@pytest.mark.usefixtures("server")
def test_the_demo_tells_a_story_and_the_server_sums_it_up() -> None:
    ended = start([sys.executable, "-m", "mcp_otel", "demo"], clean_environment(PYTHONPATH=HOME))
    assert ended.returncode == 0, ended.stderr.decode()
    said = ended.stdout.decode().splitlines()
    assert said[0] == "$ mcp-otel run --phase-spans all -- mcp-server-time"
    assert said[1].endswith("; its tools: get_current_time, convert_time")
    assert said[2:7] == [
        "   30 x get_current_time, one after another: served",
        "    6 x convert_time: served",
        "   12 x get_current_time, side by side: served",
        "    1 x convert_time at 25:99: the tool itself fails: failed",
        "    1 x get_current_time without its argument: the caller's fault: failed",
    ]
    summary = ended.stderr.decode()
    assert re.search(r"^mcp-otel: mcp-time \(pid \d+\) after ", summary, re.MULTILINE)
    assert re.search(r"^53 messages, \d sessions open of 1 opened, ", summary, re.MULTILINE)
    assert re.search(r"^get_current_time +43 +1c ", summary, re.MULTILINE)
    assert re.search(r"^convert_time +7 +1t ", summary, re.MULTILINE)
    assert not re.search(r"own failures|dropped|Traceback", summary)
