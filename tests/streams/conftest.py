"""What the promises' tests have, these have too."""

from __future__ import annotations

from tests.promises.conftest import _silence, bare, before

__all__ = ["_silence", "bare", "before"]
