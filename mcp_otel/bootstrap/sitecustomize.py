"""Wakes mcp-otel up in a Python that imports mcp, and costs next to nothing in every other.

Python runs this file at its start because `mcp-otel run` put its folder first on PYTHONPATH. That folder holds nothing
else to import, so nothing of the launching environment becomes importable here. Any Python 3 must be able to run it;
it is short because an installation without bytecode compiles it every time.
"""

import os
import sys

WAKING = ("mcp", "fastmcp")
"""The second one imports the first in the midst of its own import, when half of what we hook is half made."""


class Alarm:
    """A finder that finds nothing itself: it lets the others find `mcp` and goes off when the module is to be made.

    Not while it is looked for: Python holds its global import lock then, and ours would be imported under it.
    """

    searching = False
    over = False

    def find_spec(self, name: str, path: object = None, target: object = None) -> object:
        """What the other finders find for `mcp`, with the alarm set on it; None for everything else."""
        if name not in WAKING or self.searching:
            return None
        self.searching = True
        try:
            for finder in list(sys.meta_path):
                search = getattr(finder, "find_spec", None)  # ours answers None meanwhile
                spec = search(name, path, target) if search is not None else None
                if spec is not None:
                    self.arm(spec.loader)
                    return spec
        finally:
            self.searching = False
        return None

    def arm(self, loader: object) -> None:
        """Go off before `loader` makes its module; at once if it cannot be told to."""
        make = getattr(loader, "create_module", None)

        def create_module(spec: object) -> object:
            if getattr(spec, "name", None) in WAKING:
                del loader.create_module  # type: ignore[attr-defined]
                self.ring()
            return make(spec) if make is not None else None

        if loader is None:
            return  # a mere folder named mcp, not the SDK
        try:
            loader.create_module = create_module  # type: ignore[attr-defined]
        except AttributeError:
            self.ring()

    def ring(self) -> None:
        """Wake mcp-otel up, once."""
        if not self.over:
            self.over = True
            sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, Alarm)]
            with open(os.path.join(HERE, "wake.py"), encoding="utf-8") as file:
                exec(compile(file.read(), file.name, "exec"), {"__name__": "mcp_otel_wake"})  # noqa: S102


def run_the_next() -> None:
    """Run the sitecustomize that ours hides. What it raises is for `site` to report, as it would without us."""
    ours = sys.modules.pop("sitecustomize", None)
    try:
        __import__("sitecustomize")
    except ImportError as problem:
        if problem.name != "sitecustomize":
            raise
    finally:
        if ours is not None:
            sys.modules.setdefault("sitecustomize", ours)


HERE = os.path.dirname(os.path.abspath(__file__))
if __name__ == "sitecustomize":
    # sys.path is as it would be without us; PYTHONPATH stays as it is, for the children.
    sys.path[:] = [entry for entry in sys.path if entry != HERE]
    sys.path_importer_cache.pop(HERE, None)
    if sys.version_info >= (3, 10):  # noqa: UP036 - of whatever Python the command starts
        sys.meta_path.insert(0, Alarm())  # type: ignore[arg-type]
    run_the_next()
