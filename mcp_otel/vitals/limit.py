"""How much memory the process may have before something ends it: its control groups, its address space, the host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

Source = Literal["cgroup_v2", "cgroup_v1", "address_space", "host"]

ROOT = Path("/")
NO_LIMIT = 1 << 60
"""From here on a number means that there is none: cgroup v1 says 2 ** 63 rounded down to a page."""


class Ceiling(NamedTuple):
    """Bytes of resident memory at which this process would end, and what would end it."""

    bytes: int
    source: Source


@dataclass(frozen=True, slots=True)
class Limit:
    """`bytes` of memory for all processes of one control group, or of the host. `used` of them cannot be reclaimed."""

    bytes: int
    source: Source
    used: int | None = None
    address_space: int | None = None
    """Bytes of address space for this process: passing it raises MemoryError. Most of it is never resident."""

    def ceiling(self, rss: int, vms: int) -> Ceiling:
        """Where this process ends if the others stay as they are. `rss` and `vms` are its own, in bytes, now.

        What it reserves from now on counts as resident: a leak touches what it takes.
        """
        others = 0 if self.used is None else max(0, self.used - rss)
        nearest = Ceiling(max(0, self.bytes - others), self.source)
        if self.address_space is None:
            return nearest
        return min(nearest, Ceiling(rss + max(0, self.address_space - vms), "address_space"))


def address_space() -> int | None:
    """RLIMIT_AS of this process, in bytes; None without one, or where there is no such thing."""
    try:
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    except (ImportError, OSError, ValueError):
        return None
    return None if soft == resource.RLIM_INFINITY or soft >= NO_LIMIT else soft


def find(root: Path = ROOT, reserve: Callable[[], int | None] = address_space) -> Limit | None:
    """The smallest limit of the files below `root`, as it is now; a container may be resized. Never raises.

    A file that is missing or says nonsense leaves the question to the next one; None when all do. Limits above the
    control groups that the process can see stay unknown. `memory.high` is not among them: it slows, it does not end.
    """
    found: list[Limit] = []
    for limits in (_version_2, _version_1, _host):
        try:
            found += limits(root)
        except Exception:
            pass  # what one cannot say another may
    try:
        smallest = min(found, key=lambda limit: limit.bytes, default=None)
        return None if smallest is None else replace(smallest, address_space=reserve())
    except Exception:
        return None


def _version_2(root: Path) -> Iterator[Limit]:
    group = _group(root, "")
    for mount in ("sys/fs/cgroup", "sys/fs/cgroup/unified"):
        for folder in _upwards(root / mount, group):
            limit = _number(folder / "memory.max")
            if limit is not None:
                used = _used(folder / "memory.current", folder / "memory.stat", ("inactive_file", "active_file"))
                yield Limit(limit, "cgroup_v2", used)


def _version_1(root: Path) -> Iterator[Limit]:
    for folder in _upwards(root / "sys/fs/cgroup/memory", _group(root, "memory")):
        limit = _number(folder / "memory.limit_in_bytes")
        if limit is not None:
            files = ("total_inactive_file", "total_active_file")
            yield Limit(limit, "cgroup_v1", _used(folder / "memory.usage_in_bytes", folder / "memory.stat", files))


def _host(root: Path) -> Iterator[Limit]:
    sizes = _table(root / "proc/meminfo")
    total, available = sizes.get("MemTotal:"), sizes.get("MemAvailable:")
    if total:
        yield Limit(total << 10, "host", None if available is None else (total - available) << 10)
    elif root == ROOT:
        import psutil

        memory = psutil.virtual_memory()
        yield Limit(memory.total, "host", memory.total - memory.available)


def _group(root: Path, controller: str) -> PurePosixPath:
    """The process's own control group, as `/proc/self/cgroup` has it: version 2 is the line without controllers."""
    for row in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = row.partition(":")
        controllers, _, path = rest.partition(":")
        if path.startswith("/") and controller in controllers.split(","):
            return PurePosixPath(path)
    return PurePosixPath("/")


def _upwards(mount: Path, group: PurePosixPath) -> Iterator[Path]:
    """Folders from the process's own group up to `mount`.

    A container often sees its own group as the mount, and a path that exists outside of it only.
    """
    parts = [part for part in group.parts if part != "/"]
    if ".." in parts:  # a group beside the one that this namespace begins with
        parts = []
    for count in range(len(parts), -1, -1):
        yield mount.joinpath(*parts[:count])


def _used(current: Path, details: Path, files: tuple[str, ...]) -> int | None:
    used = _number(current)
    if used is None:
        return None
    sizes = _table(details)
    return max(0, used - sum(sizes.get(name, 0) for name in files))


def _table(path: Path) -> dict[str, int]:
    rows = (row.split() for row in _text(path).splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdecimal()}


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdecimal() and 0 < int(text) < NO_LIMIT else None


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except (OSError, ValueError):  # the latter for a path that is none
        return ""
