"""uvicorn (read: 0.54): SIGTERM that it took while it served ends its process when it has shut down."""

from __future__ import annotations

from signal import SIGTERM
from typing import Any

from mcp_otel.recorder import Recorder
from mcp_otel.seams.patch import Patches, around_async, expect


def install(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `uvicorn.server`.

    Raises:
        MisfitError: it does not look like the uvicorn we know.
    """
    expect(module.Server, "shutdown", "self")

    def after(server: Any, *_: Any) -> None:
        # Absent up to 0.28, which ends as any program does.
        if SIGTERM in getattr(server, "_captured_signals", ()):
            recorder.fall()

    patches.replace(
        module.Server, "shutdown", lambda original: around_async(recorder, original, lambda self, *_, **__: self, after)
    )


MODULES = {"uvicorn.server": install}
"""What to hook in which module, once it is imported."""
