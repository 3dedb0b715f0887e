"""One scripted run of a support desk before the whole stack: it falls sick in every way it can, and one call hangs.

Its users are watched as well. Everything is told in a thread of its own, so that other tests go on meanwhile.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from tests.sink import Sink
from tests.stack.running import Stack, ask, wait
from tests.wire import HttpWire

INITIALIZE = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "pager", "version": "1"}}
SICKNESSES = ("faults", "slow", "overhead", "retention", "blocked")
SPELL = 25.0
"""Seconds of one sickness: more than the slowest call takes."""
ABANDONED = 30


class Story:
    """The stack, and what was done to its desk, which is `well` seconds well first; `told` once all has happened.

    The desk is read every `interval` seconds: what takes minutes to be sure of in production must not take so here.
    """

    def __init__(self, folder: Path, well: float = 5.0, interval: float = 0.2) -> None:
        self.sink = Sink()
        self.stack = Stack(folder, self.sink.url)
        self.began = time.time()
        self.hung: Any = None
        """The call that hangs until `release`."""
        self._well = well
        self._soon = {"MCP_OTEL_VITALS_INTERVAL": str(interval), "MCP_OTEL_RETENTION_GRACE": "1"}
        self._url = ""
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._tell, daemon=True)

    def begin(self) -> None:
        """Start every program and then the telling."""
        self.stack.start("collector", "alertmanager", "prometheus")
        self._url = self.stack.desk(**self._soon)
        self._thread.start()

    def told(self, seconds: float = 300.0) -> Story:
        """Wait for the end of the telling.

        Raises:
            AssertionError: something in it went wrong.
        """
        self._thread.join(seconds)
        assert self._failure is None, repr(self._failure)
        assert not self._thread.is_alive()
        return self

    def release(self) -> None:
        """Let the hung call have its answer."""
        ask(self._desk("sickness"), "DELETE")

    def end(self) -> None:
        """Stop everything that was started."""
        self.stack.__exit__()
        self.sink.__exit__()

    def _desk(self, path: str) -> str:
        return self._url.replace("/mcp", f"/{path}")

    def _tell(self) -> None:
        try:
            users = ("mcp_otel.demo.users", self._url, "--users", "6", "--think", "0.1")
            self.stack.watch("users", *users, OTEL_SERVICE_NAME="users")
            time.sleep(self._well)
            self._hang()
            self._abandon_sessions()
            self._knock()
            for sickness in SICKNESSES:  # each takes the place of the one before; a cure would free what hangs
                ask(self._desk(f"sickness/{sickness}"), "PUT")
                self.sink.refusing = 400 if sickness == "faults" else None  # not to be sent again: lost, and counted
                time.sleep(SPELL)
            wait(lambda: self.sink.refused, 10, "a refused export")
        except BaseException as error:
            self._failure = error

    def _hang(self) -> None:
        ask(self._desk("sickness/hung"), "PUT")
        wire = open_session(self._url)
        body = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "ask_expert"}}
        body["params"]["arguments"] = {"question": "Where is my router?"}  # type: ignore[index]
        self.hung = wire.begin(body)
        wait(lambda: self.stack.value("max(mcp_otel_request_oldest_age_seconds) > 1"), 30, "a request that is old")

    def _abandon_sessions(self) -> None:
        for _ in range(ABANDONED):
            open_session(self._url)
            time.sleep(0.2)  # a pace that can be seen

    def _knock(self) -> None:
        wire = HttpWire(self._url)
        wire.session, wire.version = "of nobody", INITIALIZE["protocolVersion"]  # type: ignore[assignment]
        status, _ = wire.post(b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}')
        assert status == 404, status


def open_session(url: str) -> HttpWire:
    """A session at `url`, with its first two messages sent."""
    wire = HttpWire(url)
    assert "result" in wire.call({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": INITIALIZE}).body
    wire.version = INITIALIZE["protocolVersion"]  # type: ignore[assignment]
    wire.call({"jsonrpc": "2.0", "method": "notifications/initialized"})
    return wire
