"""The contract's story is told to the last release of every earlier minor line, through every form and door it has."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.contract.doors import DOORS, FORMS
from tests.house.source import ROOT
from tests.versions.releases import LAST, chosen

PATIENCE = 280


@pytest.mark.timeout(PATIENCE + 20)
@pytest.mark.parametrize("release", LAST)
def test_the_same_spans_and_numbers_come_out(release: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--tb=short", "-p", "no:cacheprovider", "tests/contract/test_story.py"],
        cwd=ROOT,
        env=chosen(release),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"mcp {release}\n" in done.stdout
    passed = re.search(r"=+ (\d+) passed in ", done.stdout)  # and nothing else
    assert passed is not None, done.stdout
    assert int(passed[1]) % (len(FORMS) * len(DOORS)) == 0
    assert int(passed[1]) >= 20 * len(FORMS) * len(DOORS)
