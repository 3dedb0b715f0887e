"""Which worker of the same server has opened a session: digests in a small file that all its processes share.

A fixed number of slots, each for one digest and the id of one process; a later session takes the slot of an earlier
one. Nothing is locked, nothing waits; where there can be no such file, nothing is known.
"""

from __future__ import annotations

import os
import stat
import struct
import sys
import tempfile
from pathlib import Path

import psutil

from mcp_otel.fork import by_multiprocessing

SLOTS = 1 << 16
SLOT = struct.Struct("<8sQ")
"""1 MB at most, of which only pages in use take room."""


class Siblings:
    """What the workers that one process has started know of each other's sessions."""

    def __init__(self, folder: Path, parent: int) -> None:
        """`folder` is ours alone; `parent` has started the workers.

        Raises:
            OSError: there can be no such file. (Or what psutil raises where nobody tells of `parent`.)
        """
        since = int(psutil.Process(parent).create_time() * 1000)
        _claim(folder)
        _sweep(folder)
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        self._file: int | None = os.open(folder / f"{parent}-{since}", flags, 0o600)

    def note(self, digest: str) -> None:
        """A session was opened in this process."""
        if self._file is not None:
            try:
                os.pwrite(self._file, SLOT.pack(bytes.fromhex(digest), os.getpid()), _place(digest))
            except OSError:  # the disk is full, and will be
                self._file = None

    def alive(self, digest: str) -> bool | None:
        """Whether the worker that opened this session is there; None when none is known to have opened it."""
        if self._file is None:
            return None
        found = os.pread(self._file, SLOT.size, _place(digest))
        if len(found) < SLOT.size:
            return None
        said, pid = SLOT.unpack(found)
        return psutil.pid_exists(pid) if said == bytes.fromhex(digest) else None


def find(forked_from: int | None) -> Siblings | None:
    """The siblings of this process, if it is a worker of several; `forked_from` is who forked it, if we know."""
    parent = forked_from or (os.getppid() if by_multiprocessing() or "gunicorn.arbiter" in sys.modules else 0)
    if parent <= 0:
        return None
    try:
        return Siblings(Path(tempfile.gettempdir(), f"mcp-otel-{os.getuid()}"), parent)
    except (OSError, AttributeError, psutil.Error):
        return None


def _place(digest: str) -> int:
    return int(digest[:4], 16) % SLOTS * SLOT.size


def _claim(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} is somebody else's")


def _sweep(folder: Path) -> None:
    """Remove what was left by servers that are gone."""
    for file in folder.iterdir():
        pid = file.name.partition("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            file.unlink(missing_ok=True)
