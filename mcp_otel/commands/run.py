"""`mcp-otel run`: becomes the command, with an environment in which any Python that imports mcp wakes mcp-otel up.

It replaces its own process, so pid, signals, stdin, stdout and exit status are the command's own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from mcp_otel.settings import PREFIX, Settings, load

ABOUT = """\
start an MCP server, unchanged, and watch it

Everything after -- is started as it stands; options come before it. Launchers (uv run, shell scripts, console scripts)
work too, because it travels by environment: every Python below that imports mcp is watched, every other one is not.
mcp-otel must be installed in the server's own environment; where it is not, one line says so and the server runs as
ever. Nothing is written to stdout. Exit status is the server's own; 127 if the command is not found, 126 if it cannot
be started, 2 for a wrong command line."""
BOOTSTRAP = str(Path(__file__).resolve().parent.parent / "bootstrap")
OPTIONS = {"summary": ("exit", "exit|SECONDS|off"), "phase_spans": (None, None), "level": (None, None)}
"""Settings that are options too: the default of `run`, if it has one of its own, and how to show values."""


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the options of `run`."""
    parser.usage = "mcp-otel run [options] -- COMMAND [ARGUMENT ...]"
    settings = {item.name: item for item in fields(Settings)}
    for name, (default, shown) in OPTIONS.items():
        about = settings[name].metadata["about"].replace("`", "").replace("%", "%%")
        parser.add_argument(
            "--" + name.replace("_", "-"),
            metavar=shown or "|".join(settings[name].metadata["choices"]),
            help=f"{about} (default {default or settings[name].default}, or ${PREFIX}{name.upper()})",
        )
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Become the command; returns only when that fails.

    Raises:
        SettingsError: an option has a value it cannot have.
    """
    words = args.words[1:] if args.words[:1] == ["--"] else args.words
    if not words:
        print("mcp-otel run: no command. Use: mcp-otel run [options] -- python server.py", file=sys.stderr)
        return 2
    given = {name: value.lower() for name in OPTIONS if (value := getattr(args, name)) is not None}
    load({}, **given)
    deaf = deafness(words, os.environ)
    if deaf is not None:
        print(
            f"mcp-otel: {deaf} makes Python ignore its environment, so this server runs unobserved. Leave it out, or "
            "call mcp_otel.instrument() in the server.",
            file=sys.stderr,
        )
    return become(words, environment(os.environ, given))


def environment(given: Mapping[str, str], options: Mapping[str, str]) -> dict[str, str]:
    """The variables the command gets: `given`, ours for `options`, and our folder first on PYTHONPATH."""
    environ = dict(given)
    for name, (default, _) in OPTIONS.items():
        variable = PREFIX + name.upper()
        if name in options:
            environ[variable] = options[name]
        elif default is not None and not environ.get(variable):
            environ[variable] = default
    path = environ.get("PYTHONPATH", "")
    kept = [entry for entry in path.split(os.pathsep) if entry != BOOTSTRAP] if path else []
    environ["PYTHONPATH"] = os.pathsep.join([BOOTSTRAP, *kept])
    return environ


def become(words: list[str], environ: Mapping[str, str]) -> int:
    """Replace this process by `words`; on failure say why and return the status a shell would."""
    # Python ignores these two for itself, and an ignored signal stays ignored in what it becomes.
    for name in ("SIGPIPE", "SIGXFSZ"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        os.execvpe(words[0], words, environ)  # noqa: S606
    except FileNotFoundError:
        first = shebang(words[0], environ)
        why = f"its interpreter {first[0]} is missing" if first else "no such command; is it installed, and on PATH?"
        status = 127
    except OSError as problem:
        why, status = problem.strerror or str(problem), 126
    print(f"mcp-otel run: cannot start {words[0]!r}: {why}", file=sys.stderr)
    return status


def deafness(words: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """The flag by which the Python that `words` start would ignore us; None if there is none to be seen."""
    for command in (words, shebang(words[0], environ)):
        python = next((index for index, word in enumerate(command) if Path(word).name.startswith("python")), None)
        if python is not None and (command is not words or python == 0):
            return deaf_flag(command[python + 1 :])
    return None


def deaf_flag(words: Sequence[str]) -> str | None:
    """The first of -I, -E and -S among the flags that begin `words`, the arguments of a Python."""
    flags = iter(words)
    for word in flags:
        if len(word) < 2 or word[0] != "-" or word == "--":
            return None
        for index, letter in enumerate(word[1:], 2):
            if letter in "IES":
                return f"-{letter}"
            if letter in "cm-":
                return None
            if letter in "WX":
                if index == len(word):
                    next(flags, None)
                break
    return None


def shebang(command: str, environ: Mapping[str, str]) -> list[str]:
    """The words of the first line by which the script `command` names its interpreter; none if it is no script."""
    path = shutil.which(command, path=environ.get("PATH"))
    if path is None:
        return []
    try:
        with open(path, "rb") as file:
            line = file.readline(256)
    except OSError:
        return []
    return line[2:].decode("utf-8", "replace").split() if line.startswith(b"#!") else []
