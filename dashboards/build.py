"""Write rendered/*.json: `python -m dashboards.build`; with `--check` only say which are stale."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards import memory, overview, tools

RENDERED = Path(__file__).parent / "rendered"


def rendered() -> dict[str, str]:
    """Every board as the text of its file."""
    boards = {"memory.json": memory.board(), "overview.json": overview.board(), "tools.json": tools.board()}
    return {
        name: json.dumps(made, cls=JSONEncoder, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
        for name, made in boards.items()
    }


def stale(texts: dict[str, str], folder: Path = RENDERED) -> list[str]:
    """Files of `folder` that are missing, not what the code makes, or made by nothing any more."""
    there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in {*there, *texts} if there.get(name) != texts.get(name))


def main(arguments: Sequence[str]) -> int:
    """Write what is stale, or with `--check` name it and fail."""
    texts = rendered()
    wrong = stale(texts)
    if "--check" in arguments:
        for name in wrong:
            print(f"stale: dashboards/rendered/{name}", file=sys.stderr)
        return bool(wrong)
    RENDERED.mkdir(exist_ok=True)
    for name in wrong:
        if name in texts:
            (RENDERED / name).write_text(texts[name], encoding="utf-8")
        else:
            (RENDERED / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
