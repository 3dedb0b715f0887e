"""`mcp-otel demo`: a real, unchanged MCP server under `mcp-otel run`, driven by a real MCP client."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mcp_otel.errors import McpOtelError

ABOUT = """\
see it at work on a real server

Starts mcp-server-time, unchanged, under `mcp-otel run`, calls it some dozens of times with a real MCP client (served
calls, calls side by side, calls that fail), and closes; the summary at the end is the server's own, on stderr.
Needs: pip install mcp-server-time. Nothing leaves the machine unless OTEL_EXPORTER_OTLP_ENDPOINT says where to."""
SERVER = "mcp-server-time"
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Sydney", "Africa/Lagos", "Asia/Kathmandu")
ROUNDS, SIDE_BY_SIDE = 5, 12
PATIENCE = 25.0


def describe(parser: argparse.ArgumentParser) -> None:
    """`demo` has no options."""
    parser.usage = "mcp-otel demo"


def run(_: argparse.Namespace) -> int:
    """Run the demo; 0 when every call ended as it should.

    Raises:
        McpOtelError: the server is not installed, or does not answer in time.
    """
    beside = str(Path(sys.executable).parent)
    server = shutil.which(SERVER, path=os.pathsep.join((beside, os.environ.get("PATH", ""))))
    if server is None:
        raise McpOtelError(f"{SERVER} is not installed here; {sys.executable} -m pip install {SERVER}")
    say(f"$ mcp-otel run --phase-spans all -- {SERVER}")
    try:
        surprises = asyncio.run(asyncio.wait_for(drive(server), PATIENCE))
    except asyncio.TimeoutError:
        raise McpOtelError(f"{SERVER} did not answer within {PATIENCE:.0f} s") from None
    say("\nThat was stderr of the server. Not a line of it was changed. Your own: mcp-otel run -- COMMAND")
    return 1 if surprises else 0


async def drive(server: str) -> int:
    """Start `server` under `mcp-otel run` and call it; how many calls did not end as they should."""
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client

    command = ["-m", "mcp_otel", "run", "--phase-spans", "all", "--", server]
    start = StdioServerParameters(command=sys.executable, args=command, env=dict(os.environ))
    async with stdio_client(start) as (reads, writes), ClientSession(reads, writes) as session:
        hello = await session.initialize()
        about: Any = getattr(hello, "server_info", None) or getattr(hello, "serverInfo", None)
        tools = [tool.name for tool in (await session.list_tools()).tools]
        say(f"  connected to {about.name} {about.version}; its tools: {', '.join(tools)}")

        async def call(name: str, **arguments: str) -> str:
            return await outcome(session, name, arguments)

        here, there = ZONES[0], ZONES[1]
        one = [await call("get_current_time", timezone=zone) for _ in range(ROUNDS) for zone in ZONES]
        two = [await call("convert_time", source_timezone=here, time="16:30", target_timezone=zone) for zone in ZONES]
        side = [call("get_current_time", timezone=here) for _ in range(SIDE_BY_SIDE)]
        stories: list[tuple[str, list[str], Callable[[str], bool]]] = [
            ("get_current_time, one after another", one, served),
            ("convert_time", two, served),
            ("get_current_time, side by side", list(await asyncio.gather(*side)), served),
            ("convert_time at 25:99: the tool itself fails",
             [await call("convert_time", source_timezone=here, time="25:99", target_timezone=there)], failed),
            ("get_current_time without its argument: the caller's fault", [await call("get_current_time")], failed),
        ]  # fmt: skip
        surprises = 0
        for story, outcomes, expected in stories:
            wrong = [outcome for outcome in outcomes if not expected(outcome)]
            surprises += len(wrong)
            say(f"  {len(outcomes):3} x {story}: {wrong[0] if wrong else outcomes[0]}")
        say("  closing; its last words:")
    return surprises


async def outcome(session: Any, name: str, arguments: dict[str, str]) -> str:
    """How a call ended, in a few words; a refusal by the protocol is one of the ways."""
    from mcp.shared import exceptions

    refusal: Any = getattr(exceptions, "MCPError", None) or vars(exceptions)["McpError"]  # 2.x, 1.x
    try:
        result = await session.call_tool(name, arguments)
    except refusal as problem:
        return f"refused, {problem.error.code}"
    at_fault = getattr(result, "is_error", None) or getattr(result, "isError", None)
    return "failed" if at_fault else "served"


def served(outcome: str) -> bool:
    """Whether a call was served."""
    return outcome == "served"


def failed(outcome: str) -> bool:
    """Whether a call was not served."""
    return outcome != "served"


def say(line: str) -> None:
    """One line on our own stdout, in order with what the server says."""
    print(line, flush=True)
