"""A place in the code is named as its package has it, the host's own before any other, and there are not too many."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Any

import pytest

from mcp_otel.vitals import blocked
from mcp_otel.vitals.blocked import HOST, INSTALLED, MAX_PLACES, OTHER, REST, UNSEEN
from mcp_otel.vitals.loop import Loops
from tests.vitals.watching import watching

HERE = "tests/vitals/test_places.py"


def test_beyond_fifty_places_all_are_other() -> None:
    source = "\n".join(f"def block{number}():\n    spin(0.025)" for number in range(MAX_PLACES + 10))
    names: dict[str, Any] = {"spin": time.sleep}
    exec(compile(source, "<string>", "exec"), names)  # code from no file is the host's as well

    async def main(loops: Loops) -> None:
        loops.watch()
        for number in range(MAX_PLACES + 10):
            await asyncio.sleep(0.001)
            names[f"block{number}"]()
        await asyncio.sleep(0.1)

    with watching(bound=0.01) as (loops, watcher):
        asyncio.run(main(loops))
        places = watcher.places()
    assert len(places) == MAX_PLACES + 1
    assert sum(count for count, _ in places.values()) == pytest.approx(MAX_PLACES + 10, abs=5)
    assert places[OTHER, None][0] >= 5
    assert {line for line, _ in places if not line.startswith("<string>:")} <= {OTHER, UNSEEN}


def test_a_file_is_named_as_its_package_has_it_and_never_by_a_home() -> None:
    blocked.shorten.cache_clear()
    home, library = os.path.expanduser("~"), os.path.dirname(os.__file__)
    assert {
        file: blocked.shorten(file)
        for file in (
            __file__,
            f"{library}/asyncio/events.py",
            f"{home}/env/lib/python3.11/site-packages/some/deep/module.py",
            f"{home}/env/lib/python3.11/site-packages/mcp_otel/recorder.py",
            f"{home}/project/server.py",
            "/elsewhere/jane/secret/project/server.py",
            "C:\\jane\\env\\Lib\\site-packages\\some\\module.py",
            "<frozen importlib._bootstrap>",
            "<string>",
            blocked.__file__,
        )
    } == {
        __file__: (HOST, HERE),
        f"{library}/asyncio/events.py": (REST, "asyncio/events.py"),
        f"{home}/env/lib/python3.11/site-packages/some/deep/module.py": (INSTALLED, "some/deep/module.py"),
        f"{home}/env/lib/python3.11/site-packages/mcp_otel/recorder.py": (REST, "mcp_otel/recorder.py"),
        f"{home}/project/server.py": (HOST, "project/server.py"),
        "/elsewhere/jane/secret/project/server.py": (HOST, "project/server.py"),
        "C:\\jane\\env\\Lib\\site-packages\\some\\module.py": (INSTALLED, "some/module.py"),
        "<frozen importlib._bootstrap>": (REST, "<frozen importlib._bootstrap>"),
        "<string>": (HOST, "<string>"),
        blocked.__file__: (REST, "mcp_otel/vitals/blocked.py"),
    }


def module(file: str, source: str, **names: Any) -> dict[str, Any]:
    exec(compile(source, file, "exec"), names)
    return names


def test_without_a_line_of_the_host_it_is_what_is_installed_or_a_server_that_is() -> None:
    env = "/opt/env/lib/python3.11/site-packages"
    looked: list[blocked.Place] = []

    def look(own: tuple[str, ...]) -> None:
        looked.append(blocked.find(sys._getframe(1), base, own))

    # The stack that is looked at: what runs the loop, an installed server, a library of it, the standard library.
    stdlib = module(f"{os.path.dirname(os.__file__)}/ssl.py", "def read(own):\n    look(own)", look=look)
    client = module(f"{env}/client/wire.py", "def get(own):\n    read(own)", read=stdlib["read"])
    server = module(f"{env}/server/tools.py", "def tool(own):\n    get(own)", get=client["get"])
    runner = module(f"{env}/runner.py", "def run(call, own):\n    call(own)")
    base = runner["run"].__code__
    runner["run"](server["tool"], ())
    runner["run"](server["tool"], ("server",))
    runner["run"](stdlib["read"], ())
    assert [(each.line, each.function) for each in looked] == [
        ("client/wire.py:2", "get"),
        ("server/tools.py:2", "tool"),
        ("ssl.py:2", "read"),
    ]
