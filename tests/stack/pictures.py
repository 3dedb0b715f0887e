"""Draw every board with the data of a real run: `python -m tests.stack.pictures [MINUTES]` writes docs/pictures.

A support desk is used for some minutes, well and then sick in each of its ways, before the whole stack.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from dashboards.preview.draw import draw
from tests.stack.running import ROOT
from tests.stack.story import Story

PICTURES = ROOT / "docs" / "pictures"
HEALTHY = 2.0


def main() -> int:
    """Tell the story, wait, draw."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else HEALTHY
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder), well=minutes * 60, interval=1.0)
        try:
            print(f"a support desk is used before the whole stack for {minutes + 2:.0f} minutes", flush=True)
            story.begin()
            story.told(600)
            span = int(time.time() - story.began)
            boards = draw(story.stack.prometheus, out=PICTURES, range_=f"{span}s", scrape_interval="1s")
        finally:
            story.end()
    for board in boards:
        print(f"{board.picture.relative_to(ROOT)}: {len(board.panels)} panels")
    return 0


if __name__ == "__main__":
    sys.exit(main())
