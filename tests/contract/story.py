"""The story every door is told, as data, and how it is told.

What must come out is in expected.py; neither knows the other's line, only the steps' names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from time import sleep
from typing import Any

from tests.contract.doors import HANDSHAKE, Door, Opened
from tests.wire import Body, Pending

LONG = 30.0
LASTS = 0.15
"""Seconds until a client gives up."""
SHORT = 0.3


@dataclass(frozen=True)
class Step:
    """One message, or `times` of them at once. `ends`: how the client ends it, if not by awaiting the answer."""

    name: str
    method: str
    params: Body = field(default_factory=dict)
    traced: bool = False
    """Whether `_meta` carries a traceparent."""
    times: int = 1
    ends: str = "answer"
    needs: str = ""
    """What a door must have for this step: `handshake`, `back_channel`."""

    @property
    def notification(self) -> bool:
        return self.method.startswith("notifications/")

    def told_at(self, door: Door) -> bool:
        """Whether this step is told at `door`."""
        return not self.needs or (door.back_channel if self.needs == "back_channel" else not door.modern)


def tool(name: str, arguments: Body, **meta: Any) -> Body:
    return {"name": name, "arguments": arguments, **({"_meta": meta} if meta else {})}


STEPS = (
    Step(
        "initialize",
        "initialize",
        {
            "protocolVersion": HANDSHAKE,
            "capabilities": {"elicitation": {}},
            "clientInfo": {"name": "teller", "version": "1.0"},
        },
        traced=True,
        needs="handshake",
    ),
    Step("initialized", "notifications/initialized", needs="handshake"),
    Step("list tools", "tools/list"),
    Step("list prompts", "prompts/list", traced=True),
    Step("text result", "tools/call", tool("echo", {"text": "grüß dich ✓"}), traced=True),
    Step("structured result", "tools/call", tool("add", {"a": 20, "b": 22})),
    Step("tool error", "tools/call", tool("fail", {"text": "no luck"}), traced=True),
    Step("exception", "tools/call", tool("crash", {"text": "it broke"})),
    Step("protocol error", "tools/call", tool("refuse", {"text": "not today"}), traced=True),
    Step("bad arguments", "tools/call", tool("add", {"a": "twenty", "b": []})),
    Step("unknown tool", "tools/call", tool("nobody", {"text": "x"})),
    Step("unknown method", "tools/undo", {"what": "all"}, traced=True),
    Step("malformed params", "prompts/get", {"name": "greet", "arguments": "none"}),
    Step("prompt", "prompts/get", {"name": "greet", "arguments": {"name": "Ada"}}, traced=True),
    Step("unknown prompt", "prompts/get", {"name": "nobody", "arguments": {}}),
    Step("resource", "resources/read", {"uri": "story://secret"}),
    Step("unknown resource", "resources/read", {"uri": "story://nowhere"}, traced=True),
    Step("progress", "tools/call", tool("progress", {"steps": 3}, progressToken="token-1"), traced=True),
    Step("ask", "tools/call", tool("ask", {"question": "which colour?"}), needs="back_channel"),
    Step("cancel", "tools/call", tool("slow", {"seconds": LONG}), traced=True, ends="cancel"),
    Step("timeout", "tools/call", tool("slow", {"seconds": LONG}), ends="timeout"),
    Step("together", "tools/call", tool("echo", {"text": "all at once"}), traced=True, times=8),
    Step("ping", "ping", needs="handshake"),
)
BY_NAME = {step.name: step for step in STEPS}


@dataclass
class Told:
    """One message of the story and what came of it."""

    step: str
    pending: Pending
    session: str | None
    """The session id the client sent with it, or got with its answer."""

    @property
    def request_id(self) -> Any:
        return self.pending.sent.get("id")

    @property
    def parent(self) -> tuple[str, str] | None:
        """Trace id and span id of the traceparent it carried."""
        traceparent = self.pending.sent.get("params", {}).get("_meta", {}).get("traceparent")
        return tuple(traceparent.split("-")[1:3]) if traceparent is not None else None


def tell(opened: Opened, door: Door, line: int) -> list[Told]:
    """Tell a server on `line` of the SDK the whole story at `door`, each step after the one before."""
    return [
        told
        for number, step in enumerate(STEPS)
        if step.told_at(door)
        for told in _tell(opened, door, line, number, step)
    ]


def _tell(opened: Opened, door: Door, line: int, number: int, step: Step) -> list[Told]:
    wire = opened.wire
    begun = [wire.begin(message(step, number, turn, door)) for turn in range(step.times)]
    told = [Told(step.name, pending, None) for pending in begun]
    if step.ends != "answer":
        opened.process.wait_for_line(f"slow {told[0].request_id}$")
        if step.ends == "cancel" or not door.http:
            told.append(_cancel(opened, step, told[0]))
        else:
            wire.give_up(begun[0])
            if not door.stateless:
                told.append(_cancel(opened, step, told[0]))
    # 2.x never answers what was cancelled, but where an exchange waits for its end.
    answered = (door.http and not door.sse) or line == 1 or step.ends == "answer"
    for one in told:
        if answered or one.request_id is None:
            one.pending.wait()
    assert opened.process.popen.poll() is None, "the server died:\n" + "\n".join(opened.process.errors)
    for one in told:
        one.session = getattr(wire, "session", None)
    return told


def _cancel(opened: Opened, step: Step, told: Told) -> Told:
    params = {"requestId": told.request_id, "reason": step.ends}
    body = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
    sleep(LASTS)  # whose time this is, is told by the phases
    return Told(f"{step.name}: notice", opened.wire.begin(body), None)


def message(step: Step, number: int, turn: int, door: Door) -> Body:
    """The JSON-RPC message of `step`."""
    params = dict(step.params)
    if step.ends != "answer" and door.stateless:
        # No message can reach another: the call is over by itself.
        params["arguments"] = {"seconds": SHORT}
    if step.traced:
        digest = sha256(f"{step.name} {turn}".encode()).hexdigest()
        params["_meta"] = {**params.get("_meta", {}), "traceparent": f"00-{digest[:32]}-{digest[32:48]}-01"}
    body: Body = {"jsonrpc": "2.0", "method": step.method}
    if not step.notification:
        body["id"] = number if step.times == 1 else f"{step.name}-{turn}"
    if params:
        body["params"] = params
    return body
