"""An ASGI application in this process, visited by requests that last: each can be read, slowed and left at will."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

import anyio
from anyio.abc import TaskGroup

from tests.promises import hosts
from tests.promises.messages import HANDSHAKE, HELLO, PATIENCE, Message

EVENTS = "text/event-stream"


class Visit:
    """One HTTP request, and what came of it so far."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.raw = b""
        self.over = False
        self.failure: BaseException | None = None
        self.open = anyio.Event()
        """Set while what the server sends is taken; cleared by `hold`."""
        self.open.set()
        self.scope = anyio.CancelScope()
        self._gone = anyio.Event()
        self._changed = anyio.Event()

    @property
    def events(self) -> list[dict[str, str]]:
        """Server-sent events, as their fields."""
        blocks = self.raw.decode().replace("\r\n", "\n").split("\n\n")
        found = [dict(line.split(": ", 1) for line in block.splitlines() if ": " in line) for block in blocks]
        return [event for event in found if event]

    @property
    def messages(self) -> list[Message]:
        """The JSON-RPC messages among them."""
        return [json.loads(event["data"]) for event in self.events if event.get("event") == "message"]

    def leave(self) -> None:
        """The client goes away."""
        self._gone.set()

    def hold(self) -> None:
        """What the server sends from here on is not taken, until `open` is set."""
        self.open = anyio.Event()

    async def until(self, met: Callable[[Visit], Any]) -> Any:
        """What `met` says of it, once that is true."""
        with anyio.fail_after(PATIENCE):
            while not (found := met(self)):
                await self._changed.wait()
        return found

    async def ended(self) -> Visit:
        """Itself, once the server is done with it."""
        await self.until(lambda visit: visit.over)
        return self

    async def run(self, app: Any, scope: dict[str, Any], body: bytes) -> None:
        pending = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            if pending:
                return pending.pop()
            await self._gone.wait()
            return {"type": "http.disconnect"}

        async def send(event: Any) -> None:
            await anyio.lowlevel.checkpoint()
            await self.open.wait()
            if event["type"] == "http.response.start":
                self.status = event["status"]
                self.headers = {name.decode(): value.decode() for name, value in event["headers"]}
            else:
                self.raw += event.get("body", b"")
            self.change()

        try:
            with self.scope:
                await app(scope, receive, send)
        except Exception as error:
            self.failure = error
        finally:
            self.over = True
            self.change()

    def change(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()


class Browser:
    """A client of `app`. Its requests run in `tasks`."""

    def __init__(self, app: Any, tasks: TaskGroup, path: str = "/mcp", version: str = HANDSHAKE) -> None:
        self.app, self.tasks, self.path, self.version = app, tasks, path, version
        self.session = ""

    def visit(self, method: str, body: Message | None = None, query: str = "", **headers: str) -> Visit:
        """Begin one request."""
        said = {"host": "127.0.0.1:8000", "accept": f"application/json, {EVENTS}", "content-type": "application/json"}
        if self.session:
            said |= {"mcp-session-id": self.session, "mcp-protocol-version": self.version}
        said |= {name.replace("_", "-"): value for name, value in headers.items()}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": self.path,
            "raw_path": self.path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in said.items()],
            "client": ("127.0.0.1", 4711),
            "server": ("127.0.0.1", 8000),
        }
        visit, raw = Visit(), b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
        self.tasks.start_soon(visit.run, self.app, scope, raw)
        return visit

    async def ask(self, message: Message) -> Visit:
        """One POST and the end of its response."""
        return await self.visit("POST", message).ended()

    async def listen(self, **headers: str) -> Visit:
        """A GET whose response has begun."""
        visit = self.visit("GET", accept=EVENTS, **headers)
        await visit.until(lambda _: visit.status is not None or visit.over)
        return visit

    async def hello(self, version: str = HANDSHAKE) -> None:
        """Open a session."""
        self.version = version
        hello = {**HELLO[0], "params": {**HELLO[0]["params"], "protocolVersion": version}}
        first = await self.ask(hello)
        self.session = first.headers["mcp-session-id"]
        assert (await self.ask(HELLO[1])).status == 202


@asynccontextmanager
async def streaming(server: Any, **given: Any) -> AsyncIterator[Browser]:
    """A client of `server` (of the high level) behind the SDK's own Streamable HTTP manager, made with `given`."""
    module = import_module("mcp.server.streamable_http_manager")
    manager = module.StreamableHTTPSessionManager(hosts.low_level(server), **given)
    async with anyio.create_task_group() as tasks:
        async with manager.run():
            yield Browser(manager.handle_request, tasks)
        tasks.cancel_scope.cancel()


class SseBrowser(Browser):
    """A client of the old transport, with its one GET."""

    stream: Visit
    place = ""

    async def open(self) -> None:
        """Begin the GET and learn where to post."""
        self.stream = self.visit("GET", accept=EVENTS)
        place = await self.stream.until(lambda visit: [each["data"] for each in visit.events if "data" in each])
        self.place = place[0]
        self.session = self.place.partition("session_id=")[2]

    def post(self, message: Message) -> Visit:
        """Begin one POST."""
        return self.visit("POST", message, query=f"session_id={self.session}")

    async def ask(self, message: Message) -> Any:
        """The answer to `message`, or for a notification the end of its POST."""
        visit = self.post(message)
        await visit.ended()
        if "id" not in message:
            return visit
        return await self.answer(message["id"])

    async def answer(self, request_id: Any) -> Message:
        """What the server answers to the request of this id."""
        found: list[Message] = await self.stream.until(
            lambda visit: [each for each in visit.messages if each.get("id") == request_id and "method" not in each]
        )
        return found[0]

    async def hello(self, version: str = HANDSHAKE) -> None:
        """Open a session."""
        await self.ask(HELLO[0])
        await self.ask(HELLO[1])


@asynccontextmanager
async def listening(server: Any) -> AsyncIterator[SseBrowser]:
    """A client of `server` (of the high level) behind the SDK's own transport of HTTP+SSE, whose GET is open."""
    transport, lowest = import_module("mcp.server.sse").SseServerTransport("/messages/"), hosts.low_level(server)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "GET":
            async with transport.connect_sse(scope, receive, send) as (read, write):
                await lowest.run(read, write, lowest.create_initialization_options())
        else:
            await transport.handle_post_message(scope, receive, send)

    async with anyio.create_task_group() as tasks:
        browser = SseBrowser(app, tasks)
        await browser.open()
        yield browser
        browser.stream.leave()
        await browser.stream.ended()
        tasks.cancel_scope.cancel()
