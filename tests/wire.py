"""Raw JSON-RPC clients that know nothing of an SDK: what they count is what was on the wire."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

Body = dict[str, Any]
MODERN = "2026-07-28"
ENVELOPE = "io.modelcontextprotocol/"
NAMES = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


def encode(body: Body) -> bytes:
    """The bytes of one message as they go over the wire, without framing."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


class Pending:
    """A message that was sent, and what came of it."""

    def __init__(self, body: Body, raw: bytes) -> None:
        self._over = threading.Event()
        self.sent = body
        self.raw = raw
        self.reply: bytes | None = None
        self.others: list[bytes] = []
        """Notifications and requests that came on this message's own stream; HTTP only."""
        self.status: int | None = None
        self.content_type: str | None = None
        self.port: int | None = None
        """Our own port, as the server sees it."""
        self.connection: HTTPConnection | None = None

    @property
    def body(self) -> Body:
        """The reply, decoded."""
        assert self.reply is not None, f"no reply to {self.sent}"
        decoded: Body = json.loads(self.reply)
        return decoded

    def settle(self) -> None:
        """Nothing more will come."""
        self._over.set()

    def wait(self, seconds: float = 20.0) -> Pending:
        """Itself, when it is over; an AssertionError when it is not in time."""
        assert self._over.wait(seconds), f"not over within {seconds} s: {self.sent}"
        return self

    def over(self, seconds: float = 0.0) -> bool:
        """Whether it is over within `seconds`."""
        return self._over.wait(seconds)


class Wire:
    """What both clients share. `answer` makes the result for a request of the server's."""

    def __init__(self, answer: Callable[[Body], Body] | None = None) -> None:
        self.answer = answer
        self.changed = threading.Condition()
        self.sent: list[bytes] = []
        self.received: list[bytes] = []

    def begin(self, body: Body) -> Pending:
        """Send `body`; do not wait for what comes of it."""
        raise NotImplementedError

    def call(self, body: Body) -> Pending:
        """Send `body` and await its reply."""
        return self.begin(body).wait()

    def give_up(self, pending: Pending) -> None:
        """Stop listening to what comes of `pending`."""
        raise NotImplementedError

    def wait_received(self, condition: Callable[[Body], bool], seconds: float = 10.0) -> bool:
        """Whether a message that meets `condition` came within `seconds`."""
        with self.changed:
            return self.changed.wait_for(lambda: any(condition(json.loads(raw)) for raw in self.received), seconds)

    def _note(self, raw: bytes) -> Body:
        with self.changed:
            self.received.append(raw)
            self.changed.notify_all()
        body: Body = json.loads(raw)
        return body

    def _respond(self, body: Body) -> None:
        assert self.answer is not None, f"the server asks, nobody answers: {body}"
        self.begin({"jsonrpc": "2.0", "id": body["id"], "result": self.answer(body)})


class StdioWire(Wire):
    """The client of a server on stdin and stdout: one message, one line."""

    def __init__(
        self, process: subprocess.Popen[bytes], answer: Callable[[Body], Body] | None = None, modern: bool = False
    ) -> None:
        super().__init__(answer)
        self._pending: dict[Any, Pending] = {}
        self._stdin, self._stdout = process.stdin, process.stdout
        self._writing = threading.Lock()
        self._modern = modern
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def begin(self, body: Body) -> Pending:
        body = with_envelope(body) if self._modern else body
        pending = Pending(body, encode(body))
        if "id" in body and "method" in body:
            self._pending[body["id"]] = pending
        else:
            pending.settle()
        self.write(pending.raw)
        return pending

    def write(self, raw: bytes) -> None:
        """One line, whatever it is."""
        assert self._stdin is not None
        with self._writing:
            self.sent.append(raw)
            self._stdin.write(raw + b"\n")

    def give_up(self, pending: Pending) -> None:
        """On a pipe there is nothing to close: the client just does not care."""

    def _read(self) -> None:
        assert self._stdout is not None
        for line in iter(self._stdout.readline, b""):
            body = self._note(line.rstrip(b"\r\n"))
            if "method" in body:
                if "id" in body:
                    self._respond(body)
            elif (pending := self._pending.get(body["id"])) is not None:
                pending.reply = line.rstrip(b"\r\n")
                pending.settle()
        for left in self._pending.values():
            left.settle()


class HttpWire(Wire):
    """The client of a Streamable HTTP server: one message, one POST, its answer as JSON or as events."""

    def __init__(
        self,
        url: str,
        answer: Callable[[Body], Body] | None = None,
        headers: dict[str, str] | None = None,
        modern: bool = False,
    ) -> None:
        super().__init__(answer)
        parts = urlsplit(url)
        self._host, self._path = parts.netloc, parts.path
        self._headers = headers or {}
        self._modern = modern
        self.session: str | None = None
        self.version: str | None = MODERN if modern else None

    def begin(self, body: Body) -> Pending:
        body = with_envelope(body) if self._modern else body
        pending = Pending(body, encode(body))
        with self.changed:
            self.sent.append(pending.raw)
        pending.connection = HTTPConnection(self._host, timeout=60)
        pending.connection.connect()
        pending.port = pending.connection.sock.getsockname()[1]
        threading.Thread(target=self._exchange, args=(pending,), daemon=True).start()
        return pending

    def give_up(self, pending: Pending) -> None:
        """Close the connection under the waiting exchange."""
        assert pending.connection is not None
        if pending.connection.sock is not None:
            pending.connection.sock.shutdown(2)

    def post(self, raw: bytes) -> tuple[int, bytes]:
        """One POST of whatever bytes; status and body of its response."""
        return self._exchange_once("POST", raw)

    def end_session(self) -> int:
        """DELETE the session; the status."""
        return self._exchange_once("DELETE", None)[0]

    def _exchange_once(self, method: str, raw: bytes | None) -> tuple[int, bytes]:
        with closing(HTTPConnection(self._host, timeout=20)) as connection:
            connection.request(method, self._path, raw, self._headers_for({}))
            with connection.getresponse() as response:
                return response.status, response.read()

    def _headers_for(self, body: Body) -> dict[str, str]:
        said = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream", **self._headers}
        if self.session is not None:
            said["Mcp-Session-Id"] = self.session
        if self.version is not None:
            said["MCP-Protocol-Version"] = self.version
        if self._modern and "method" in body:
            said["Mcp-Method"] = body["method"]
            key = NAMES.get(body["method"])
            if key is not None and isinstance(body["params"].get(key), str):
                said["Mcp-Name"] = body["params"][key]
        return said

    def _exchange(self, pending: Pending) -> None:
        connection = pending.connection
        assert connection is not None
        try:
            connection.request("POST", self._path, pending.raw, self._headers_for(pending.sent))
            with connection.getresponse() as response:
                pending.status = response.status
                pending.content_type = response.headers.get_content_type()
                self.session = response.headers.get("Mcp-Session-Id", self.session)
                if pending.content_type == "text/event-stream":
                    for raw in events(response):
                        self._take(pending, raw)
                elif raw := response.read():
                    self._take(pending, raw)
        except (HTTPException, OSError):
            pass  # given up, or the server ended it: then there is no reply
        finally:
            connection.close()
            pending.settle()

    def _take(self, pending: Pending, raw: bytes) -> None:
        body = self._note(raw)
        if "method" in body:
            pending.others.append(raw)
            if "id" in body:
                self._respond(body)
        else:
            pending.reply = raw
            if self.version is None and "protocolVersion" in body.get("result", {}):
                self.version = body["result"]["protocolVersion"]


def events(response: HTTPResponse) -> Iterator[bytes]:
    """The data of each server-sent event that has some."""
    data: list[bytes] = []
    for line in iter(response.readline, b""):
        text = line.rstrip(b"\r\n")
        if text.startswith(b"data:"):
            data.append(text[5:].removeprefix(b" "))
        elif not text and data:
            if joined := b"\n".join(data):
                yield joined
            data = []


def with_envelope(body: Body) -> Body:
    """`body` as protocol version 2026-07-28 wants a request: it says in `_meta` who asks, and in which version."""
    if "method" not in body or "id" not in body:
        return body
    params = body.get("params", {})
    meta = {
        ENVELOPE + "protocolVersion": MODERN,
        ENVELOPE + "clientInfo": {"name": "teller", "version": "1.0"},
        ENVELOPE + "clientCapabilities": {},
        **params.get("_meta", {}),
    }
    return {**body, "params": {**params, "_meta": meta}}
