"""A raw client of the old HTTP+SSE transport: messages go by POST, whatever comes back comes by one GET."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.wire import Body, Pending, Wire, encode


class SseWire(Wire):
    """The client of one session. It is open once the server has said where to post."""

    def __init__(
        self, url: str, answer: Callable[[Body], Body] | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(answer)
        parts = urlsplit(url)
        self._host, self._headers = parts.netloc, headers or {}
        self._pending: dict[Any, Pending] = {}
        self._place = ""
        self._open = threading.Event()
        self.stream = HTTPConnection(self._host, timeout=60)
        self.stream.request("GET", parts.path, headers={"Accept": "text/event-stream", **self._headers})
        self.socket = self.stream.sock
        response = self.stream.getresponse()
        assert response.status == 200, response.status
        self.reader = threading.Thread(target=self._read, args=(response,), daemon=True)
        self.reader.start()
        assert self._open.wait(20), "the server did not say where to post"
        self.session: str | None = parse_qs(urlsplit(self._place).query)["session_id"][0]

    def begin(self, body: Body) -> Pending:
        pending = Pending(body, encode(body))
        with self.changed:
            self.sent.append(pending.raw)
        if "id" in body and "method" in body:
            self._pending[body["id"]] = pending
        pending.connection = HTTPConnection(self._host, timeout=60)
        pending.connection.connect()
        pending.port = pending.connection.sock.getsockname()[1]
        threading.Thread(target=self._post, args=(pending,), daemon=True).start()
        return pending

    def post(self, raw: bytes) -> tuple[int, bytes]:
        """One POST of whatever bytes; status and body of its response."""
        with closing(HTTPConnection(self._host, timeout=20)) as connection:
            connection.request("POST", self._place, raw, {"Content-Type": "application/json", **self._headers})
            with connection.getresponse() as response:
                return response.status, response.read()

    def give_up(self, pending: Pending) -> None:
        """A POST is over when it is accepted, so there is nothing to close: the client just does not care."""

    def leave(self) -> None:
        """Close the GET, and with it the session."""
        self.socket.shutdown(2)
        self.reader.join(10)

    def _post(self, pending: Pending) -> None:
        connection = pending.connection
        assert connection is not None
        headers = {"Content-Type": "application/json", **self._headers}
        with closing(connection):
            connection.request("POST", self._place, pending.raw, headers)
            with connection.getresponse() as response:
                pending.status, pending.content_type = response.status, response.headers.get_content_type()
                response.read()
        if pending.status != 202 or pending.sent.get("id") not in self._pending:
            pending.settle()

    def _read(self, response: HTTPResponse) -> None:
        kind, data = b"", b""
        try:
            for line in iter(response.readline, b""):
                name, _, value = line.rstrip(b"\r\n").partition(b": ")
                if name == b"event":
                    kind = value
                elif name == b"data":
                    data = value
                elif not line.rstrip(b"\r\n") and kind:
                    self._take(kind, data)
                    kind, data = b"", b""
        except (HTTPException, OSError, ValueError):
            pass  # it left
        finally:
            self.stream.close()
            for left in self._pending.values():
                left.settle()

    def _take(self, kind: bytes, data: bytes) -> None:
        if kind == b"endpoint":
            self._place = data.decode()
            self._open.set()
            return
        body = self._note(data)
        if "method" in body:
            if "id" in body:
                self._respond(body)
        elif (pending := self._pending.get(body["id"])) is not None:
            pending.reply = data
            pending.settle()
