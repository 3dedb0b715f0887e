"""A client of the 1.x line, for the scenarios of the suite: `python -m tests.conformance.client_v1 URL`."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from mcp import ClientSession, types
from mcp.client.streamable_http import streamable_http_client

from tests.conformance import asking


async def answer(_: Any, params: Any) -> types.ElicitResult:
    return types.ElicitResult.model_validate(asking.accepted(params))


async def main(url: str) -> None:
    async with asking.http() as http, streamable_http_client(url, http_client=http) as (read, write, _):
        async with ClientSession(read, write, elicitation_callback=answer) as session:
            able = asking.wire((await session.initialize()).capabilities)
            await asking.ask(session, able)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
