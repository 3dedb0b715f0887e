"""A server that no client deserves, on stdio or HTTP: `python -m tests.hostile.liar MODE [http]`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HUGE = "h" * 1_000_000
LONG = "l" * 200_000
"""Two of these in one event are below what 2.x reads of one."""
SESSION = "s" * 50_000
GARBAGE = (
    *(b"no json", b"\xff\xfe", b"{", b"[]", b"null", b"[" * 100_000, b'{"jsonrpc":"2.0"}', b"\x00", b" " * 100_000),
    *(b'{"jsonrpc":"2.0","id":"nobody","result":{}}', b'{"jsonrpc":"2.0","id":1e999,"result":{}}'),
    b'{"jsonrpc":"2.0","id":null,"error":{"code":1e999,"message":7}}',
    b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":[],"progress":1e999}}',
    b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":0}}',
    json.dumps({"jsonrpc": "2.0", "method": "evil/" + HUGE, "params": {"_meta": {"traceparent": HUGE}}}).encode(),
)
ASKED = (
    ("evil/method", {}),
    ("evil/" + LONG, {"x": LONG}),
    ("ping", {"_meta": {"traceparent": 7, "tracestate": LONG, "baggage": [LONG]}}),
    ("roots/list", {}),
    ("sampling/createMessage", {"messages": LONG}),
    ("elicitation/create", {"message": LONG, "requestedSchema": 7}),
)
calls = 0


def answers(mode: str, message: dict[str, Any]) -> Iterator[bytes]:
    """What is said to one message."""
    global calls
    if "id" not in message or "method" not in message:
        return
    reply = {"jsonrpc": "2.0", "id": message["id"]}
    method = message["method"]
    if mode == "garbage":
        yield from GARBAGE
    if mode == "asks":
        for number, (asked, params) in enumerate(ASKED):
            yield json.dumps({"jsonrpc": "2.0", "id": number, "method": asked, "params": params}).encode()
            yield json.dumps({"jsonrpc": "2.0", "id": "i" * 100_000, "method": asked, "params": params}).encode()
    if method == "initialize":
        version = "evil" if mode == "version" else message["params"]["protocolVersion"]
        name = HUGE if mode == "huge" else "liar"
        result = {
            "protocolVersion": version,
            "capabilities": {"tools": {}},
            "serverInfo": {"name": name, "version": "1"},
        }
        yield json.dumps({**reply, "result": result}).encode()
    elif mode == "silent":
        return
    elif mode == "leaves":
        raise SystemExit
    elif mode == "codes":
        calls += 1
        code = int("9" * 400) if calls == 7 else calls * 1000
        yield json.dumps(
            {**reply, "error": {"code": code, "message": f"evil {calls}" if calls % 10 else HUGE}}
        ).encode()
    elif mode == "wrong":
        yield json.dumps({**reply, "result": {"content": 7, "tools": "evil", "isError": "evil"}}).encode()
    elif method == "tools/list":
        many = [f"evil-{number}" for number in range(2000)] + [HUGE] if mode == "huge" else ["echo"]
        yield json.dumps(
            {**reply, "result": {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in many]}}
        ).encode()
    else:
        text = HUGE * 5 if mode == "huge" else "ok"
        result = {"content": [{"type": "text", "text": text}], "isError": mode == "huge", "evil": {"x": [1] * 1000}}
        yield json.dumps({**reply, "result": result}).encode()


class Http(BaseHTTPRequestHandler):
    """The same over HTTP, with a session id of 50 kB."""

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        said = list(answers(sys.argv[1], message))
        self.send_response(200 if said else 202)
        self.send_header("mcp-session-id", SESSION)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for each in said:
            self.wfile.write(b"event: message\r\ndata: " + each + b"\r\n\r\n")

    def do_GET(self) -> None:
        self.send_error(405)

    do_DELETE = do_GET

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def main() -> None:
    if sys.argv[2:] == ["http"]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Http)
        sys.stderr.write(f"liar: http://127.0.0.1:{server.server_port}/mcp\n")
        sys.stderr.flush()
        server.serve_forever()
    for line in sys.stdin.buffer:
        for said in answers(sys.argv[1], json.loads(line)):
            sys.stdout.buffer.write(said + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
