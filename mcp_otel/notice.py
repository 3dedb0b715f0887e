"""How we say something to people: a warning on the logger `mcp_otel`, which never reaches the host as an error."""

from __future__ import annotations

import logging

_log = logging.getLogger("mcp_otel")


def warn(message: str, *values: object) -> None:
    """Warn, as `logging` does; a handler of the application that raises is its own affair."""
    try:
        _log.warning(message, *values)
    except Exception:
        pass
