"""The only part of the doctor inside a server: writes down what the process knows of itself, where its doctor asks.

One file for each process, written when it is instrumented, at its first message and at its end. Whatever fails here
is the doctor's loss alone.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

VARIABLE = "MCP_OTEL_DOCTOR"
"""The folder to write into: set by the doctor for its child, and by nobody else."""


def report(folder: str, environ: Mapping[str, str]) -> None:
    """Begin to write; never raises."""
    try:
        from mcp_otel import instrumentor, settings

        chosen, _ = settings.load(environ)
        process = _Process(Path(folder), asdict(chosen), instrumentor.recorder())
        process.listen()
    except Exception:
        pass


class _Process:
    def __init__(self, folder: Path, chosen: dict[str, Any], recorder: Any) -> None:
        self._path = folder / f"{os.getpid()}.json"
        self._pid = os.getpid()
        self._settings = chosen
        self._recorder = recorder
        self._owners = {"traces": "nobody", "metrics": "nobody"}

    def listen(self) -> None:
        """Write now, at the first message, and at the end."""
        recorder = self._recorder
        if recorder is not None and recorder.prepare is not None:
            prepare = recorder.prepare

            def prepared() -> None:
                theirs = self._applications()
                try:
                    prepare()
                finally:
                    self._owners = self._who_owns(theirs)
                    self.write()

            recorder.prepare = prepared
        self.write()
        atexit.register(self.write)

    def write(self) -> None:
        """Replace what was written; never raises."""
        try:
            if os.getpid() != self._pid:
                return  # a fork
            made = self._path.with_suffix(".new")
            made.write_text(json.dumps(self._said()))
            made.replace(self._path)
        except Exception:
            pass

    def _said(self) -> dict[str, Any]:
        from mcp_otel import notice
        from mcp_otel.doctor import layers
        from mcp_otel.version import __version__

        recorder = self._recorder
        totals = recorder.totals if recorder is not None else None
        tallies = list(totals.tallies.items()) if totals is not None else []
        messages: dict[str, int] = {}
        for (method, _), tally in tallies:
            messages[method] = messages.get(method, 0) + tally.calls
        return {
            "mcp_otel": __version__,
            "python": sys.version.split()[0],
            "executable": sys.executable,
            "layers": asdict(layers.read()),
            "settings": self._settings,
            "owners": self._owners,
            "spans": recorder is not None and recorder.spans is not None,
            "messages": messages,
            "notices": list(notice.said),
            "failures": dict(totals.failures) if totals is not None else {},
        }

    @staticmethod
    def _applications() -> dict[str, str | None]:
        from opentelemetry import trace
        from opentelemetry.metrics import _internal as metrics

        found = {"traces": trace._TRACER_PROVIDER, "metrics": metrics._METER_PROVIDER}
        return {
            signal: type(provider).__module__ if provider is not None else None for signal, provider in found.items()
        }

    def _who_owns(self, theirs: dict[str, str | None]) -> dict[str, str]:
        recorder = self._recorder
        has = {"traces": recorder.spans is not None or recorder.owns_spans, "metrics": recorder.metrics is not None}
        return {
            signal: "application" if theirs[signal] is not None else "mcp-otel" if has[signal] else "nobody"
            for signal in has
        }
