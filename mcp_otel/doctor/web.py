"""One Streamable HTTP server, spoken to in raw JSON-RPC: one message, one POST, its answer as JSON or as events."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from time import monotonic, perf_counter
from typing import Any, NamedTuple

from mcp_otel.doctor import messages
from mcp_otel.doctor.messages import Body
from mcp_otel.doctor.patience import Patience

ACCEPT = "application/json, text/event-stream"
MAX_BODY = 16_000_000


class Reply(NamedTuple):
    """What came back. `failure` instead of a status where nothing did."""

    status: int
    headers: Mapping[str, str]
    text: str
    body: Body | None
    """The JSON-RPC answer, if it is one."""
    seconds: float
    failure: BaseException | None = None

    @property
    def kind(self) -> str:
        """Its media type."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()


class Web:
    """A client that remembers its session and version."""

    def __init__(self, url: str, headers: Mapping[str, str], patience: Patience) -> None:
        self.url = url
        self.session: str | None = None
        self.version: str | None = None
        self._headers = dict(headers)
        self._patience = patience
        self._number = 0

    def ask(
        self, method: str, params: Mapping[str, Any] | None = None, modern: bool = False, traceparent: str = ""
    ) -> Reply:
        """Send one request; never raises but for an interruption."""
        self._number += 1
        body = messages.request(method, params, self._number, modern, traceparent)
        more = {"MCP-Protocol-Version": messages.MODERN, "Mcp-Method": method} if modern else {}
        return self._exchange("POST", body, more, method)

    def tell(self, method: str) -> Reply:
        """Send one notification."""
        return self._exchange("POST", messages.request(method, None, None), {}, method)

    def end_session(self) -> Reply:
        """Give the session back."""
        return self._exchange("DELETE", None, {}, "the end of the session")

    def _exchange(self, verb: str, body: Body | None, more: Mapping[str, str], what: str) -> Reply:
        said = {"Accept": ACCEPT, "User-Agent": "mcp-otel-doctor", **self._headers, **more}
        if body is not None:
            said["Content-Type"] = "application/json"
        if self.session is not None:
            said["Mcp-Session-Id"] = self.session
        if self.version is not None and "MCP-Protocol-Version" not in more:
            said["MCP-Protocol-Version"] = self.version
        changed, found = threading.Condition(), list[Reply]()
        number = body.get("id") if body is not None else None
        until = monotonic() + self._patience.seconds

        def work() -> None:
            reply = _send(verb, self.url, messages.encode(body) if body is not None else None, said, number, until)
            with changed:
                found.append(reply)
                changed.notify_all()

        threading.Thread(target=work, daemon=True).start()
        self._patience.wait(changed, lambda: found, f"an answer to {what}")
        return found[0] if found else Reply(0, {}, "", None, self._patience.seconds, TimeoutError())


def _send(verb: str, url: str, data: bytes | None, headers: dict[str, str], number: object, until: float) -> Reply:
    import requests

    since = perf_counter()
    try:
        left = max(0.1, until - monotonic())
        with requests.request(
            verb, url, data=data, headers=headers, timeout=left, stream=True, allow_redirects=False
        ) as response:
            text, body = _answer(response, number, until)
            return Reply(response.status_code, response.headers, text, body, perf_counter() - since)
    except Exception as error:
        return Reply(0, {}, "", None, perf_counter() - since, error)


def _answer(response: Any, number: object, until: float) -> tuple[str, Body | None]:
    """The text that came, and in it the answer to request `number`."""
    if "text/event-stream" in response.headers.get("Content-Type", "") and number is not None:
        for data in _events(response, until):
            if (body := _message(data)) is not None and body.get("id") == number and "method" not in body:
                return "", body
        return "", None
    text = b""
    for chunk in response.iter_content(65536):
        text += chunk
        if len(text) > MAX_BODY or monotonic() > until:
            break
    return text.decode(errors="replace"), _message(text)


def _events(response: Any, until: float) -> Iterator[bytes]:
    """The data of each server-sent event that has some, MAX_BODY bytes in all."""
    data: list[bytes] = []
    size = 0
    for line in response.iter_lines():
        size += len(line)
        if size > MAX_BODY or monotonic() > until:
            return
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line and data:
            yield b"\n".join(data)
            data = []


def _message(data: bytes) -> Body | None:
    try:
        body = json.loads(data)
    except ValueError:
        return None
    return body if isinstance(body, dict) and messages.is_message(body) else None
