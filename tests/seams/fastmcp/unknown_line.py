"""A room for a line of FastMCP that there is not."""

from __future__ import annotations

from typing import Any

MODULES: dict[str, Any] = {"fastmcp.nowhere": None}
