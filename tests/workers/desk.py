"""A server for any launcher, `tests.workers.desk:app`: its tool says which process serves.

Environment: `DESK_INSTRUMENT` says where the one line stands (`import`: here, `thread`, `late`: after the server is
made, `loop`: while it serves, `none`); `DESK_STATEFUL=1` has sessions.
"""

from __future__ import annotations

import os
import threading
from importlib import import_module, util
from typing import Any

HOW = os.environ.get("DESK_INSTRUMENT", "import")


def instrument() -> None:
    import mcp_otel

    mcp_otel.instrument()


if HOW == "import":
    instrument()
elif HOW == "thread":
    thread = threading.Thread(target=instrument)
    thread.start()
    thread.join()

TWO = util.find_spec("mcp.server.mcpserver") is not None
made: Any = import_module("mcp.server.mcpserver" if TWO else "mcp.server.fastmcp")
given: dict[str, Any] = {"stateless_http": not os.environ.get("DESK_STATEFUL"), "json_response": True}
server: Any = (
    made.MCPServer("desk", log_level="CRITICAL") if TWO else made.FastMCP("desk", log_level="CRITICAL", **given)
)


@server.tool(structured_output=False)
async def whoami() -> str:
    return str(os.getpid())


@server.tool(structured_output=False)
async def switch(on: bool) -> str:
    import mcp_otel

    (mcp_otel.instrument if on else mcp_otel.uninstrument)()
    return str(os.getpid())


served: Any = server.streamable_http_app(**given) if TWO else server.streamable_http_app()

if HOW == "late":
    instrument()


async def app(scope: Any, receive: Any, send: Any) -> None:
    if HOW == "loop" and scope["type"] == "lifespan":
        instrument()
    await served(scope, receive, send)
