"""Puts every hook into this process, looks at what has changed, takes them out, and looks whether all is as before."""

from __future__ import annotations

import inspect
import sys
from collections import defaultdict
from importlib import import_module
from typing import Any

from mcp_otel import notice
from mcp_otel.doctor import layers
from mcp_otel.doctor.report import Report

ABSENT = object()
PASSING = ("__warningregistry__", "__doc__", "__pydantic_", "__annotations_cache__", "__signature__", "__annotate")
"""What Python and pydantic themselves fill in as they go."""
Held = dict[str, tuple[Any, dict[str, Any]]]
UPGRADE = "pip install --upgrade mcp-otel; if it is the newest, pin the older {library} and tell us"


def check(report: Report) -> None:
    """Check the lines of every library in the table of seams that is installed here."""
    report.topic = "hooks"
    try:
        from mcp_otel import seams
        from mcp_otel.recorder import Recorder
        from mcp_otel.settings import Settings
    except Exception as error:
        text = f"mcp-otel cannot be imported: {type(error).__name__}: {error}"
        report.problem("import", text, "mend what the message names; a variable above may be the cause")
        return
    modules = _modules(seams)
    for library, failed in _imported(modules).items():
        report.problem("import", f"{library} cannot be imported: {failed}", f"is the package {library} whole here?")
    before = _held(modules)
    since = len(notice.said)
    undo = seams.install(Recorder(Settings()))
    hooked = _changed(before)
    undo()
    left = _changed(before)
    told = list(notice.said)[since:]
    for line in told:
        misfit(report, line)
    if left:
        report.problem("undo", f"{len(left)} names did not come out again", "please tell us, with these names", *left)
    if not any(modules.values()):
        report.note("hooks", "there is nothing to hook: no library that mcp-otel knows is installed")
    elif hooked:
        places: dict[str, list[str]] = defaultdict(list)
        for module, name in (place.split(":") for place in hooked):
            places[module].append(name)
        lines = [f"{module}: {', '.join(names)}" for module, names in places.items()]
        text = f"{len(hooked)} names in {len(places)} modules are hooked"
        report.ok("hooks", f"{text}, and all came out again" if not left else text, *lines)
    elif not told:
        report.problem("hooks", "not a single hook went in", "please tell us, with the output of --json")


def _modules(seams: Any) -> dict[str, list[str]]:
    """The modules that are hooked, by library."""
    found: dict[str, list[str]] = {}
    for library, lines in seams.SEAMS.items():
        version = seams._version(library)
        if version is None:
            continue
        major = next(iter(layers.numbers(version)), max(lines))
        room = lines.get(major, lines[max(lines)])[0]
        found[library] = list(import_module(room).MODULES)
    return found


def _imported(modules: dict[str, list[str]]) -> dict[str, str]:
    failed: dict[str, str] = {}
    for library, names in modules.items():
        for name in names:
            try:
                import_module(name)
            except ModuleNotFoundError:
                pass  # an older or newer release: the seam itself says whether it can do without
            except Exception as error:
                failed.setdefault(library, f"{type(error).__name__}: {error}")
    return failed


def _held(modules: dict[str, list[str]]) -> Held:
    """What the modules to be hooked, and the classes in them, hold now; by `module:class`."""
    found: Held = {}
    tops = tuple({name.partition(".")[0] for names in modules.values() for name in names})
    for name in [name for names in modules.values() for name in names]:
        module: Any = sys.modules.get(name)
        if module is None:
            continue
        found[f"{name}:"] = module, _names(module)
        for value in list(vars(module).values()):
            if inspect.isclass(value) and value.__module__.partition(".")[0] in tops:
                found[f"{value.__module__}:{value.__qualname__}."] = value, _names(value)
    return found


def _changed(before: Held) -> list[str]:
    found = []
    for place, (owner, held) in before.items():
        now = _names(owner)
        found += [place + name for name in sorted({*held, *now}) if held.get(name, ABSENT) is not now.get(name, ABSENT)]
    return found


def _names(owner: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(owner).items() if not name.startswith(PASSING)}


def releases(report: Report, versions: dict[str, str | None]) -> None:
    """Say what is known of the releases in `versions`: by distribution, None for what is not installed."""
    table, why = _table()
    version = versions.get("mcp")
    if version is None:
        report.problem("mcp", "the mcp SDK is not installed", "pip install mcp, in the environment of the server")
    elif not layers.numbers(version) or layers.numbers(version) < layers.OLDEST:
        oldest = ".".join(map(str, layers.OLDEST))
        report.problem(
            "mcp", f"mcp {version} is older than {oldest}, the first that is covered", f"pip install 'mcp>={oldest}'"
        )
    elif table is None:
        report.note("mcp", f"mcp {version}; what mcp-otel knows of it cannot be told: {why}")
    elif (line := table["mcp"].get(layers.numbers(version)[0])) is None:
        newest = table["mcp"][max(table["mcp"])][1]
        text = f"mcp {version} is of a line that mcp-otel does not know; it was read up to {newest}"
        report.problem("mcp", text, UPGRADE.format(library="mcp"))
    else:
        newer = layers.numbers(version) > layers.numbers(line[1])
        report.ok("mcp", f"mcp {version}" + (f", newer than {line[1]}, up to which it was read" if newer else ""))
    fastmcp = versions.get("fastmcp")
    if fastmcp is not None:
        lines = (table or {}).get("fastmcp")
        known = lines is None or next(iter(layers.numbers(fastmcp)), None) in lines
        how = "seen by the SDK under it" if lines is None else "hooked" if known else "of a line that is not known"
        (report.ok if known else report.note)("fastmcp", f"fastmcp {fastmcp}, {how}")


def misfit(report: Report, line: str) -> None:
    """Say that a library was left alone, as `line` has it."""
    words = line.split()  # mcp-otel leaves LIBRARY VERSION alone: ...
    report.problem("misfit", line, UPGRADE.format(library=words[2] if len(words) > 2 else "mcp"))


def _table() -> tuple[Any, str]:
    try:
        from mcp_otel import seams
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"
    return seams.SEAMS, ""
