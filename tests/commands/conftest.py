"""The doctor, in this process."""

from __future__ import annotations

import pytest

from tests.commands.examining import Doctor


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Examines with a clean environment."""
    return Doctor(monkeypatch, capsys)
