"""What nobody else shows: on the 1.x line a structured result costs more to validate than all the rest of its call."""

from __future__ import annotations

from importlib.metadata import version
from statistics import median
from typing import Any

import anyio
import pytest
from pydantic import BaseModel

import mcp_otel
from mcp_otel import instrumentor
from mcp_otel.event import Event

CALLS = 30


class Article(BaseModel):
    title: str
    tags: list[str]
    score: float


class Found(BaseModel):
    articles: list[Article]
    total: int
    note: str | None = None


def search(query: str) -> Found:
    return Found(articles=[Article(title=query, tags=["a", "b"], score=1.0)] * 10, total=10)


async def talk(server: Any) -> None:
    from mcp.shared.memory import create_connected_server_and_client_session as connect

    async with connect(server._mcp_server) as client:
        for _ in range(CALLS):
            await client.call_tool("search", {"query": "x"})


@pytest.mark.skipif(not version("mcp").startswith("1."), reason="the 2.x line validates with pydantic alone")
def test_output_validation_takes_more_than_everything_else_together() -> None:
    from mcp.server.fastmcp import FastMCP

    server, events = FastMCP("truth", log_level="CRITICAL"), list[Event]()
    server.tool()(search)
    mcp_otel.instrument(level="metrics")
    try:
        recorder = instrumentor.recorder()
        assert recorder is not None
        recorder.sinks.append(events.append)
        anyio.run(talk, server)
    finally:
        mcp_otel.uninstrument()
    calls = [event for event in events if event.side == "server" and event.method == "tools/call"]
    assert len(calls) == CALLS
    assert median(event.phases["validate"] / event.duration for event in calls) > 0.5
