"""A client inside this process, over streams in memory: what it is told must not depend on who watches."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import anyio

from tests.promises.hosts import LINE, Waiting, high_level, low_level

types: Any = import_module("mcp.types" if LINE == 1 else "mcp_types")
CALLS = (
    ("echo", {"text": "grüße"}),
    ("add", {"a": 20, "b": 22}),
    ("crash", {"text": "private words"}),
    ("add", {"a": "many"}),
    ("nobody", {}),
    ("progress", {"steps": 2}),
    ("ask", {"question": "Which?"}),
)
SOON = 0.05


async def _blue(*_: Any) -> Any:
    return types.ElicitResult(action="accept", content={"answer": "blue"})


async def converse(session: Any, heard: list[str]) -> None:
    """The whole conversation, and all that came of it into `heard`."""

    async def said(step: str, awaitable: Any) -> None:
        try:
            heard.append(f"{step}: {await awaitable!r}")
        except Exception as error:
            heard.append(f"{step}: {type(error).__name__} {error}")

    async def stepped(progress: float, total: float | None, message: str | None) -> None:
        heard.append(f"step {progress} of {total}")

    await said("hello", session.initialize())
    await said("tools", session.list_tools())
    for tool, arguments in CALLS:
        await said(tool, session.call_tool(tool, arguments, progress_callback=stepped))
    await said("prompt", session.get_prompt("greet", {"name": "Ann"}))
    await said("no prompt", session.get_prompt("nobody", {}))
    await said("ping", session.send_ping())
    with anyio.move_on_after(SOON) as scope:
        await session.call_tool("slow", {})
    heard.append(f"given up: {scope.cancelled_caught}")


def tell() -> list[str]:
    """A fresh server and a fresh client converse: what the client heard."""

    async def told() -> list[str]:
        from mcp import ClientSession
        from mcp.shared.memory import create_client_server_memory_streams

        lowest, heard = low_level(high_level(Waiting())), list[str]()
        async with create_client_server_memory_streams() as (near, far), anyio.create_task_group() as tasks:
            tasks.start_soon(lowest.run, *far, lowest.create_initialization_options())
            async with ClientSession(*near, elicitation_callback=_blue) as session:
                await converse(session, heard)
            tasks.cancel_scope.cancel()
        return heard

    return anyio.run(told)
