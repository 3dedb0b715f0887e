"""A client of the 2.x line, for the scenarios of both eras: `python -m tests.conformance.client_v2 URL`."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitResult

from tests.conformance import asking

MODERN = "2026-07-28"


async def answer(_: Any, params: Any) -> ElicitResult:
    return ElicitResult.model_validate(asking.accepted(params))


async def main(url: str) -> None:
    mode = "auto" if os.environ.get("MCP_CONFORMANCE_PROTOCOL_VERSION") == MODERN else "legacy"
    async with asking.http() as http:
        transport = streamable_http_client(url, http_client=http)
        async with Client(transport, mode=mode, elicitation_callback=answer, cache=None) as client:
            await asking.ask(client, asking.wire(client.server_capabilities))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
