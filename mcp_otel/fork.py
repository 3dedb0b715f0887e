"""What becomes of us in a forked child: each room forgets there what was its parent's, before anything else runs.

None of our threads is there, and one of them may have held a lock: what forgets takes none, and makes things anew.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

_forgetting: dict[object, Callable[[], object]] = {}


def at_fork(forget: Callable[[], object]) -> Callable[[], None]:
    """Call `forget` in every forked child of this process, in the order of these calls; the answer undoes it."""
    key = object()
    _forgetting[key] = forget

    def undo() -> None:
        _forgetting.pop(key, None)

    return undo


def by_multiprocessing() -> bool:
    """Whether multiprocessing has made this process, forked or spawned."""
    processes = sys.modules.get("multiprocessing.process")
    return processes is not None and processes.parent_process() is not None


def _in_child() -> None:
    for forget in list(_forgetting.values()):
        try:
            forget()
        except Exception:
            pass  # or Python would print it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
