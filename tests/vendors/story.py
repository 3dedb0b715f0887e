"""What a desk beside a vendor is told."""

from __future__ import annotations

from tests.wire import Body

HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "teller", "version": "1"}}
ECHO = "tools/call", {"name": "echo", "arguments": {"text": "hello"}}
STORY: tuple[tuple[str, Body], ...] = (
    ("initialize", HELLO),
    ("notifications/initialized", {}),
    ("tools/list", {}),
    ECHO,
    ("tools/call", {"name": "fail", "arguments": {"text": "secret"}}),
    ("prompts/get", {"name": "greet", "arguments": {"name": "Ann"}}),
    ("resources/read", {"uri": "desk://hours"}),
    ("ping", {}),
)
