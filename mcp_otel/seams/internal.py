"""What an SDK dispatches to itself: no message on the wire, whoever sees it."""

from __future__ import annotations

from contextvars import ContextVar

hidden: ContextVar[bool] = ContextVar("mcp_otel_hidden", default=False)
"""What runs here is the SDK's own dispatch, not a message on the wire."""
