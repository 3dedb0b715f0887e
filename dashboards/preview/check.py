"""Checks dashboards against Grafana's own TypeScript types: `python -m dashboards.preview.check [files]`."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dashboards.preview import programs
from dashboards.preview.cache import CommandError, packages, prepare, run
from dashboards.preview.draw import DASHBOARDS

TYPES = Path(__file__).parent / "types" / "grafana.ts"
# One line before the JSON's first, and none between: a line that tsc names is the file's own.
BEFORE = "import type { Board } from './grafana'; export default "
AFTER = " satisfies Board;\n"
OPTIONS = {"target": "es2022", "module": "esnext", "moduleResolution": "bundler"}
STRICT = {"strict": True, "skipLibCheck": True, "noEmit": True, "types": []}
_WHERE = re.compile(r"^board_(\d+)\.ts\((\d+),(\d+)\)", re.MULTILINE)


class RefusedError(Exception):
    """Files that are not what Grafana's types have; the message is the compiler's, with the files' own lines."""


def check(files: Sequence[Path]) -> None:
    """`RefusedError` unless every file is a dashboard as Grafana's types have it."""
    with tempfile.TemporaryDirectory(prefix="check-", dir=packages()) as scratch:
        folder = Path(scratch)
        (folder / TYPES.name).write_text(TYPES.read_text(encoding="utf-8"), encoding="utf-8")
        (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": {**OPTIONS, **STRICT}}), encoding="utf-8")
        for number, file in enumerate(files):
            text = file.read_text(encoding="utf-8")
            try:
                json.loads(text)
            except ValueError as error:
                raise RefusedError(f"{file}: not JSON: {error}") from error
            (folder / f"board_{number}.ts").write_text(BEFORE + text.rstrip() + AFTER, encoding="utf-8")
        try:
            _compile(folder)
        except CommandError as error:
            raise RefusedError(_WHERE.sub(lambda at: f"{files[int(at[1])]}:{at[2]}:{at[3]}", str(error))) from error


def check_page() -> None:
    """`CommandError` unless the preview's own code obeys its types."""
    _compile(prepare().parent)


def _compile(folder: Path) -> None:
    compiler = packages() / "node_modules/typescript/bin/tsc"
    run([programs.node(), str(compiler), "--project", ".", "--pretty", "false"], folder, "tsc")


def main(arguments: Sequence[str]) -> int:
    """The command: 0, or 1 with the compiler's words on the standard error."""
    files = [Path(name) for name in arguments] or sorted(DASHBOARDS.glob("*.json"))
    if not files:
        print(f"no dashboards in {DASHBOARDS}", file=sys.stderr)
        return 1
    try:
        check(files)
    except (RefusedError, CommandError, programs.MissingToolError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    for file in files:
        print(f"{file}: as Grafana's types have it")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
