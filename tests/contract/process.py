"""A server in a process of its own, with its streams watched."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Mapping, Sequence

QUIET = {"PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}


class Process:
    """`command` with `env` on top of this environment, which is cleared of every setting of telemetry."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "MCP_OTEL_"))}
        self._changed = threading.Condition()
        self.errors: list[str] = []
        """Lines of stderr so far."""
        self.silent = False
        """Whether stderr is closed: then no more can come."""
        self.popen = subprocess.Popen(
            command,
            env={**inherited, **QUIET, **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        self.stderr = threading.Thread(target=self._watch, daemon=True)
        self.stderr.start()

    def _watch(self) -> None:
        assert self.popen.stderr is not None
        with self.popen.stderr as stderr:
            for line in iter(stderr.readline, b""):
                with self._changed:
                    self.errors.append(line.decode(errors="replace").rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self.silent = True
            self._changed.notify_all()

    def wait_for_line(self, pattern: str, seconds: float = 20.0) -> re.Match[str]:
        """The first line of stderr in which `pattern` is found.

        Raises:
            AssertionError: there was none in time; with all that was said.
        """

        def found() -> re.Match[str] | None:
            return next((match for line in self.errors if (match := re.search(pattern, line))), None)

        with self._changed:
            self._changed.wait_for(lambda: found() or self.silent, seconds)
            match = found()
        assert match is not None, f"no {pattern!r} within {seconds} s on stderr:\n" + "\n".join(self.errors)
        return match

    def leave(self, seconds: float = 10.0) -> tuple[int, bytes]:
        """Close its stdin, as a client on a pipe leaves; its exit code and what stdout still held.

        Raises:
            subprocess.TimeoutExpired: it did not end in time; it is killed then.
        """
        assert self.popen.stdin is not None
        self.popen.stdin.close()
        return self._end(seconds)

    def stop(self, seconds: float = 10.0) -> tuple[int, bytes]:
        """Send SIGTERM, as an operator stops a service; its exit code and what stdout held.

        Raises:
            subprocess.TimeoutExpired: it did not end in time; it is killed then.
        """
        self.popen.terminate()
        return self._end(seconds)

    def kill(self) -> None:
        """SIGKILL, as the kernel does when memory runs out."""
        self.popen.kill()
        self._end(10.0)

    def _end(self, seconds: float) -> tuple[int, bytes]:
        try:
            code = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            raise
        assert self.popen.stdout is not None
        rest = self.popen.stdout.read() or b""
        for stream in (self.popen.stdin, self.popen.stdout):
            if stream is not None:
                stream.close()
        self.stderr.join(seconds)
        return code, rest
