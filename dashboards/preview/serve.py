"""A loopback server of one origin: the built page, the dashboards, and Prometheus behind `/api/v1/`."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

API = "/api/v1/"
BOARDS = "/boards/"
# Prometheus is reached directly: a proxy of the environment is for the world outside.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class _Handler(SimpleHTTPRequestHandler):
    """Answers the page's requests; `prometheus` and `boards` are the server's."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *args: object, prometheus: str, boards: Mapping[str, Path], **kwargs: object) -> None:
        self._prometheus = prometheus.rstrip("/")
        self._boards = boards
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.startswith(API):
            self._pass_on(None)
        elif path.startswith(BOARDS):
            board = self._boards.get(unquote(path[len(BOARDS) :]))
            if board is None:
                self.send_error(404)
            else:
                self._answer(200, "application/json", board.read_bytes())
        else:
            super().do_GET()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.startswith(API):
            self._pass_on(body)
        else:
            self.send_error(405)

    def _pass_on(self, body: bytes | None) -> None:
        headers = {"Content-Type": self.headers["Content-Type"]} if body is not None else {}
        request = urllib.request.Request(self._prometheus + self.path, body, headers)  # noqa: S310
        try:
            with _direct.open(request) as answer:
                self._answer(answer.status, answer.headers.get_content_type(), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                # The page reads the reason from the body; a status of its own would be an error on its console.
                self._answer(200, error.headers.get_content_type(), error.read())
        except OSError as error:
            reason = {"status": "error", "errorType": "unreachable", "error": f"{self._prometheus}: {error}"}
            self._answer(200, "application/json", json.dumps(reason).encode())

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def serving(page: Path, prometheus: str, boards: Mapping[str, Path]) -> Iterator[str]:
    """The address while it is served; `boards` are dashboards by the name they are asked for."""
    handler = partial(_Handler, directory=str(page), prometheus=prometheus, boards=boards)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
