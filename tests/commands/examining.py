"""Runs `mcp-otel doctor` in this process, and reads its report."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mcp_otel.__main__ import main
from tests.commands.launching import HOME

PATIENT = str(Path(__file__).parent / "patient.py")


class Seen(NamedTuple):
    """What the doctor said; `checks` has the last of each name."""

    status: int
    report: dict[str, Any]

    @property
    def problems(self) -> list[tuple[str, str, str]]:
        """Name, text and fix of each problem."""
        return [
            (check["name"], check["text"], check["fix"])
            for check in self.report["checks"]
            if check["verdict"] == "problem"
        ]

    def text(self, name: str, verdict: str | None = None) -> str:
        """The text of the one check of this name."""
        found = [check for check in self.report["checks"] if check["name"] == name]
        assert len(found) == 1, (name, self.report["checks"])
        assert verdict in (None, found[0]["verdict"]), found[0]
        return str(found[0]["text"])


class Doctor:
    """Examines with this environment, from which every setting of telemetry was taken."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys
        for name in os.environ:
            if name.startswith(("OTEL_", "MCP_OTEL_")):
                monkeypatch.delenv(name)
        monkeypatch.setenv("PYTHONPATH", HOME)

    def __call__(self, *words: str, **environ: str) -> Seen:
        for name, value in environ.items():
            self._monkeypatch.setenv(name, value)
        status = main(["doctor", "--json", *words])
        said = self._capsys.readouterr()
        assert not said.err, said.err
        report = json.loads(said.out)
        assert report["healthy"] is (status == 0)
        return Seen(status, report)

    def patient(self, sickness: str = "none", *options: str, **environ: str) -> Seen:
        """Examine the small server with this sickness."""
        return self(*options, "--", sys.executable, PATIENT, sickness, **environ)


def pretend(folder: Path, version: str) -> None:
    """Let metadata in `folder` say that mcp is of this version; its code stays what it is."""
    info = folder / f"mcp-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: mcp\nVersion: {version}\n")
