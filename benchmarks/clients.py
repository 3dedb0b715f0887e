"""Clients that cost little: raw JSON-RPC over a pipe, over keep-alive HTTP, or a word to an in-memory server."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from typing import Any

HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
CALL = {"name": "echo", "arguments": {"text": "hello"}}


def message(method: str, params: Any = None, request_id: int | None = None) -> bytes:
    """One JSON-RPC message as JSON."""
    body: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if request_id is not None:
        body["id"] = request_id
    if params is not None:
        body["params"] = params
    return json.dumps(body).encode()


class Pipe:
    """One client of a stdio server."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process, self._id = process, 1
        self._send(message("initialize", HELLO, 0))
        self._receive()
        self._send(message("notifications/initialized"))

    def _send(self, line: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + b"\n")
        self._process.stdin.flush()

    def _receive(self) -> None:
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise SystemExit("the server under test died")

    def run(self, calls: int) -> float:
        """Seconds that `calls` calls take, one after the other."""
        started = time.perf_counter()
        for _ in range(calls):
            self._id += 1
            self._send(message("tools/call", CALL, self._id))
            self._receive()
        return time.perf_counter() - started


class Memory:
    """A server that calls itself."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def run(self, calls: int) -> float:
        """Seconds that `calls` calls took it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"go %d\n" % calls)
        self._process.stdin.flush()
        return float(self._process.stdout.readline())


class Http:
    """`users` clients of an HTTP server, each with its own session and connection."""

    def __init__(self, port: int, users: int) -> None:
        self._port, self._users = port, users
        self._loop = asyncio.new_event_loop()
        self._connections: list[_Connection] = []

    def run(self, calls: int) -> float:
        """Seconds that `calls` calls take, shared by all users at once."""
        return self._loop.run_until_complete(self._run(calls))

    async def _run(self, calls: int) -> float:
        if not self._connections:
            self._connections = [await _Connection.open(self._port) for _ in range(self._users)]
        started = time.perf_counter()
        await asyncio.gather(*(connection.calls(calls // self._users) for connection in self._connections))
        return time.perf_counter() - started


class _Connection:
    def __init__(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._port, self._reader, self._writer = port, reader, writer
        self._session, self._id = "", 1

    @classmethod
    async def open(cls, port: int) -> _Connection:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        connection = cls(port, reader, writer)
        head = await connection._post(message("initialize", HELLO, 0))
        for line in head.split("\r\n"):
            if line.lower().startswith("mcp-session-id:"):
                connection._session = f"{line}\r\n"
        await connection._post(message("notifications/initialized"))
        return connection

    async def calls(self, count: int) -> None:
        for _ in range(count):
            self._id += 1
            await self._post(message("tools/call", CALL, self._id))

    async def _post(self, body: bytes) -> str:
        head = (
            f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nContent-Type: application/json\r\n"
            f"Accept: application/json, text/event-stream\r\nContent-Length: {len(body)}\r\n"
            f"MCP-Protocol-Version: 2025-06-18\r\n{self._session}\r\n"
        )
        self._writer.write(head.encode() + body)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        if not answer.startswith("HTTP/1.1 2"):
            raise SystemExit(answer)
        if "transfer-encoding: chunked" in answer.lower():
            while (size := int((await self._reader.readline()).strip() or b"0", 16)) > 0:
                await self._reader.readexactly(size + 2)
            await self._reader.readline()
        else:
            for line in answer.split("\r\n"):
                if line.lower().startswith("content-length:"):
                    await self._reader.readexactly(int(line.split(":")[1]))
        return answer
