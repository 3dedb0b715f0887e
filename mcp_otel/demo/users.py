"""Users of the support desk, each a real MCP client with conversations of its own: `python -m mcp_otel.demo.users URL`.

Open loop it is not: a user thinks, asks, and waits for the answer before it thinks again.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections import Counter
from time import monotonic
from typing import Any

from mcp_otel.demo.shelf import SUBJECTS

CONVERSATION = 12
PATIENCE = 10.0


class User:
    """One user at `url`; `counts` is what came of its calls: served, failed, refused, lost (no answer at all)."""

    def __init__(self, url: str, number: int, think: float, counts: Counter[str]) -> None:
        self._url, self._think, self._counts = url, think, counts
        self._name = f"customer-{number}"
        self._random = random.Random(number)  # noqa: S311  the same user asks the same things

    async def live(self, until: float) -> None:
        """Hold conversations until the steady clock shows `until`; a broken one is followed by another."""
        while monotonic() < until:
            try:
                await self._converse(until)
            except Exception:
                self._counts["lost"] += 1
                await asyncio.sleep(self._think)

    async def _converse(self, until: float) -> None:
        from mcp import ClientSession
        from mcp.client import streamable_http

        async with streamable_http.streamable_http_client(self._url) as streams:
            async with ClientSession(streams[0], streams[1]) as session:
                await session.initialize()
                await session.list_tools()
                for _ in range(CONVERSATION):
                    if monotonic() >= until:
                        return
                    self._counts[await self._ask(session)] += 1
                    await asyncio.sleep(self._random.expovariate(1 / self._think) if self._think else 0)

    async def _ask(self, session: Any) -> str:
        subject = self._random.choice(SUBJECTS)
        tool, arguments = self._random.choice(
            (
                ("search_articles", {"query": subject}),
                ("search_articles", {"query": subject}),
                ("customer_history", {"customer": self._name}),
                ("open_ticket", {"customer": self._name, "subject": subject}),
                ("open_ticket", {"customer": self._name, "subject": " "}),  # the tool's fault
                ("ask_expert", {"question": f"Where is my {subject}?"}),
                ("ask_expert", {}),  # the caller's fault
                ("", {}),
            )
        )
        work = session.call_tool(tool, arguments) if tool else self._read(session)
        try:
            result = await asyncio.wait_for(work, PATIENCE)
        except asyncio.TimeoutError:
            return "lost"
        except Exception as error:
            if type(error).__name__ not in ("McpError", "MCPError"):
                raise
            return "refused"
        return "failed" if getattr(result, "is_error", getattr(result, "isError", False)) else "served"

    async def _read(self, session: Any) -> Any:
        from pydantic import AnyUrl

        uri = f"desk://articles/{self._random.randrange(100)}"
        return await session.read_resource(uri if _takes_text(session) else AnyUrl(uri))


def _takes_text(session: Any) -> bool:
    return "AnyUrl" not in str(type(session).read_resource.__annotations__.get("uri"))


async def run(url: str, users: int, seconds: float, think: float) -> Counter[str]:
    """Let `users` live at `url` for `seconds`, thinking `think` seconds on average; what came of their calls."""
    counts: Counter[str] = Counter()
    until = monotonic() + seconds
    await asyncio.gather(*(User(url, number, think, counts).live(until) for number in range(users)))
    return counts


def main() -> int:
    """Run users and say what came of it; 1 when not a single call was served."""
    parser = argparse.ArgumentParser(prog="python -m mcp_otel.demo.users", description="Users of the support desk")
    parser.add_argument("url", help="such as http://127.0.0.1:8000/mcp")
    parser.add_argument("--users", type=int, default=4, help="how many at once (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="for how long (default: until stopped)")
    parser.add_argument("--think", type=float, default=0.5, help="mean seconds between calls (default: %(default)s)")
    given = parser.parse_args()
    try:
        counts = asyncio.run(run(given.url, given.users, given.seconds, given.think))
    except KeyboardInterrupt:
        return 0
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())))
    return 0 if counts["served"] else 1


if __name__ == "__main__":
    sys.exit(main())
