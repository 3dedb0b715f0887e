"""Things that listen on loopback and answer wrongly, for the doctor to name."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[Any, bytes], tuple[int, dict[str, str], bytes]]
"""The request and its body; status, headers and body of the response."""


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """An HTTP server that answers every request by `answer`; its URL."""

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, said = answer(self, body)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(said)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said)

        do_POST = do_GET = do_DELETE = answer

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it overrides
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def always(status: int, body: bytes = b"", **headers: str) -> Answer:
    """The same answer to everybody; dashes of headers are underscores here."""
    return lambda *_: (status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@contextmanager
def speaking(words: bytes | None) -> Iterator[int]:
    """A port on which every connection gets these bytes and is closed; None: it is left in silence."""
    listener = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []

    def work() -> None:
        while True:
            try:
                there, _ = listener.accept()
            except OSError:
                return
            held.append(there)
            if words is not None:
                with there:
                    there.recv(65536)
                    there.sendall(words)

    threading.Thread(target=work, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for there in held:
            there.close()


def modern_only(log: list[str]) -> Answer:
    """A server that speaks 2026-07-28 and nothing else; `log` gets what it was asked."""

    def answer(request: Any, body: bytes) -> tuple[int, dict[str, str], bytes]:
        message = json.loads(body)
        log.append(f"{request.command} {message['method']}")
        if request.headers.get("MCP-Protocol-Version") != "2026-07-28":
            error = {"code": -32022, "message": "Unsupported protocol version", "data": {"supported": ["2026-07-28"]}}
            said = {"jsonrpc": "2.0", "id": message["id"], "error": error}
            return 400, {"Content-Type": "application/json"}, json.dumps(said).encode()
        assert request.headers["Mcp-Method"] == message["method"]
        assert message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"
        info = {"io.modelcontextprotocol/serverInfo": {"name": "modern", "version": "3"}}
        results = {
            "server/discover": {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, "_meta": info},
            "tools/list": {"tools": [{"name": "a"}, {"name": "b"}]},
        }
        said = {"jsonrpc": "2.0", "id": message["id"], "result": results[message["method"]]}
        return 200, {"Content-Type": "application/json"}, json.dumps(said).encode()

    return answer
