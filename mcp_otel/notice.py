"""How we say something to people: a warning on the logger `mcp_otel`, which never reaches the host as an error."""

from __future__ import annotations

import logging
from collections import deque

_log = logging.getLogger("mcp_otel")

said: deque[str] = deque(maxlen=20)
"""The last lines, for whoever examines this process: an application may send its log anywhere."""


def warn(message: str, *values: object) -> None:
    """Warn, as `logging` does; a handler of the application that raises is its own affair."""
    try:
        said.append((message % values)[:500])
        _log.warning(message, *values)
    except Exception:
        pass
