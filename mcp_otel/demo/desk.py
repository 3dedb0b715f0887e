"""A support desk as an MCP server over Streamable HTTP, on either line of the SDK: `python -m mcp_otel.demo.desk`.

It knows nothing of mcp-otel. `PUT /sickness/{kind}` makes it sick while it runs, `DELETE /sickness` well again.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
import time
from importlib import import_module, util
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mcp_otel.demo.shelf import Shelf

SICKNESSES = {
    "blocked": "ask_expert thinks for a second on the event loop, which everybody waits for",
    "faults": "resources cannot be read: the server's own fault",
    "hung": "ask_expert never answers",
    "overhead": "search_articles finds everything: its answers are large",
    "retention": "customer_history keeps every visitor's session for ever, and what was said",
    "slow": "ask_expert takes six seconds",
}
QUICK, LONG, SLOW = 0.05, 1.0, 6.0
FEW = 5
RECORD = 50_000
"""Bytes that a desk with a bad memory for endings keeps of each visit."""


class Article(BaseModel):
    """One page of the knowledge base."""

    number: int
    title: str
    text: str


class Ticket(BaseModel):
    """One request of a customer."""

    number: int
    customer: str
    subject: str


class Desk:
    """The desk's tools and what they work on.

    `refusal` is what a tool of this SDK line raises when it cannot, and `visit` its type of what knows the session.
    """

    def __init__(self, refusal: type[Exception], visit: type) -> None:
        self._refusal = refusal
        self._visits: list[tuple[object, bytes]] = []
        Desk.customer_history.__annotations__["visit"] = visit
        self.shelf = Shelf()
        self.sickness: str | None = None
        self._never = asyncio.Event()

    def serve_by(self, server: Any) -> None:
        """Register everything with `server`, a FastMCP (1.x) or an MCPServer (2.x)."""
        for tool in (self.search_articles, self.customer_history, self.open_ticket, self.ask_expert):
            server.tool()(tool)
        server.resource("desk://articles/{number}")(self.article)
        server.custom_route("/health", ["GET"])(self.health)
        server.custom_route("/sickness", ["GET", "DELETE"])(self.cure)
        server.custom_route("/sickness/{kind}", ["PUT"])(self.fall_sick)

    def search_articles(self, query: str) -> list[Article]:
        """Search the knowledge base."""
        limit = -1 if self.sickness == "overhead" else FEW
        return [Article(number=number, title=title, text=text) for number, title, text in self.shelf.find(query, limit)]

    def customer_history(self, customer: str, visit: Any) -> list[Ticket]:
        """List the tickets of a customer, newest first."""
        if self.sickness == "retention":
            self._visits.append((visit.session, os.urandom(RECORD)))
        return [Ticket(number=number, customer=of, subject=subject) for number, of, subject in self.shelf.of(customer)]

    def open_ticket(self, customer: str, subject: str) -> Ticket:
        """Open a ticket."""
        if not subject.strip():
            raise self._refusal("a ticket needs a subject")
        return Ticket(number=self.shelf.add(customer, subject), customer=customer, subject=subject)

    async def ask_expert(self, question: str) -> str:
        """Ask somebody who knows."""
        if self.sickness == "hung":
            await self._never.wait()
        if self.sickness == "blocked":
            time.sleep(LONG)
        await asyncio.sleep(SLOW if self.sickness == "slow" else QUICK)
        return f"{question} Have you tried turning it off and on again?"

    def article(self, number: str) -> str:
        """One article as text."""
        if self.sickness == "faults":
            raise RuntimeError("the shelf has fallen down")
        return self.shelf.text(int(number))

    async def health(self, _: Request) -> Response:
        """Whether it serves."""
        return JSONResponse({"status": "ok"})

    async def cure(self, request: Request) -> Response:
        """GET what it suffers from; DELETE it."""
        if request.method == "DELETE":
            self.sickness = None
            self._visits.clear()
            self._never.set()
            self._never = asyncio.Event()
        return JSONResponse({"sickness": self.sickness})

    async def fall_sick(self, request: Request) -> Response:
        """Fall sick in one of the known ways."""
        kind = request.path_params["kind"]
        if kind not in SICKNESSES:
            return JSONResponse({"error": f"must be one of {', '.join(SICKNESSES)}"}, status_code=404)
        self.sickness = kind
        return JSONResponse({"sickness": kind})


def app(host: str) -> Any:
    """Build the desk's ASGI application on the SDK line that is installed, for a server that listens on `host`."""
    two = util.find_spec("mcp.server.mcpserver") is not None
    line, name = ("mcp.server.mcpserver", "MCPServer") if two else ("mcp.server.fastmcp", "FastMCP")
    # The SDKs log a traceback for every client that leaves a stream.
    given: dict[str, Any] = {"log_level": "CRITICAL"} if two else {"log_level": "CRITICAL", "host": host}
    server = getattr(import_module(line), name)("support-desk", **given)
    Desk(import_module(f"{line}.exceptions").ToolError, import_module(line).Context).serve_by(server)
    return server.streamable_http_app(host=host) if two else server.streamable_http_app()


def main() -> int:
    """Serve until SIGTERM or SIGINT; the address is said on stderr once it listens."""
    parser = argparse.ArgumentParser(prog="python -m mcp_otel.demo.desk", description="A support desk as an MCP server")
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="0 takes any free one (default: %(default)s)")
    given = parser.parse_args()
    import uvicorn

    listener = socket.create_server((given.host, given.port))
    config = uvicorn.Config(app(given.host), log_level="warning", timeout_graceful_shutdown=2)
    print(f"support-desk: http://{given.host}:{listener.getsockname()[1]}/mcp", file=sys.stderr, flush=True)
    uvicorn.Server(config).run(sockets=[listener])
    return 0


if __name__ == "__main__":
    sys.exit(main())
