"""The server of the story in a process of its own: `stdio` or `http`, then `bare`, `parts` or `hooks` of ours broken.

`parts`: every function of ours that a message reaches raises, once the hooks are in. `hooks`: every hook does.
"""

from __future__ import annotations

import logging
import socket
import sys
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import anyio

from tests.promises import breakage, hosts
from tests.promises.originals import HOOKED

door, mode = sys.argv[1:]
logging.getLogger().setLevel(logging.CRITICAL + 1)
ours = logging.getLogger("mcp_otel")
ours.addHandler(logging.StreamHandler())
ours.setLevel(logging.DEBUG)
ours.propagate = False


def instrument(broken: ExitStack) -> None:
    """Watch this process with everything at once broken."""
    import mcp_otel

    found = {name: target for name, target in breakage.targets().items() if name not in breakage.CARRIERS}
    if mode == "hooks":
        for target in found.values():
            if target.hook is not None:
                broken.enter_context(breakage.broken(target))
    else:
        for name in HOOKED:
            import_module(name)
    mcp_otel.instrument()
    if mode == "parts":
        for target in found.values():
            if target.hook is None:
                broken.enter_context(breakage.broken(target))


class Started:
    """Says on stderr that the slow tool runs."""

    def set(self) -> None:
        """It does."""
        sys.stderr.write("slow runs\n")
        sys.stderr.flush()


def serve() -> None:
    """Until the client leaves."""
    waiting: Any = hosts.Waiting()
    waiting.started = Started()
    server = hosts.high_level(waiting)
    logging.getLogger().setLevel(logging.CRITICAL + 1)  # the frameworks set it when a server is made
    if door == "stdio":
        anyio.run(server.run_stdio_async)
        return
    import uvicorn

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    sys.stderr.write(f"listening {listener.getsockname()[1]}\n")
    config = uvicorn.Config(server.streamable_http_app(), log_config=None, access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


with ExitStack() as stack:
    if mode != "bare":
        instrument(stack)
    serve()
