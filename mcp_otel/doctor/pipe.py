"""A server that the doctor starts on stdin and stdout, and talks to in raw JSON-RPC. It always ends with the doctor."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import psutil

from mcp_otel.doctor import messages
from mcp_otel.doctor.messages import Body
from mcp_otel.doctor.patience import Patience

MAX_LINE = 64_000_000
MAX_NOISE, MAX_ERRORS = 20, 200
LEAVING, HANGING = 2.0, 0.3
"""Seconds that MCP clients give a server after they closed its stdin, and that one gets which does not answer."""


class NoAnswerError(Exception):
    """There is no answer: the server has `ended`, or did not answer in time."""

    def __init__(self, method: str, ended: bool) -> None:
        super().__init__(method)
        self.method = method
        self.ended = ended


class Ending(NamedTuple):
    """How a server ended: its exit status, and whether closing its stdin was enough."""

    status: int
    by_itself: bool


class Pipe:
    """One running server. Its stderr is kept, MAX_ERRORS lines at most; so is what is no JSON-RPC on its stdout.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, words: Sequence[str], environ: Mapping[str, str], patience: Patience) -> None:
        self.noise: list[str] = []
        self.errors: deque[str] = deque(maxlen=MAX_ERRORS)
        self._patience = patience
        self._changed = threading.Condition()
        self._answers: dict[int, Body] = {}
        self._number = 0
        self._over = False
        self._writing = threading.Lock()
        self.popen = subprocess.Popen(  # noqa: S603 - it is what the user asked for
            words,
            env=dict(environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # what it starts itself must be found again, to end it
        )
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._read_answers, self._read_errors)]
        for thread in self._threads:
            thread.start()

    def ask(self, method: str, params: Mapping[str, Any] | None = None, **said: Any) -> Body:
        """Send one request and await its answer, a result or an error.

        Raises:
            NoAnswerError: there is none.
        """
        self._number += 1
        number = self._number
        try:
            self._send(messages.request(method, params, number, **said))
        except OSError:
            raise NoAnswerError(method, True) from None
        self._patience.wait(self._changed, lambda: number in self._answers or self._over, f"an answer to {method}")
        if number in self._answers:
            return self._answers.pop(number)
        if self._over:
            with suppress(subprocess.TimeoutExpired):
                self.popen.wait(LEAVING)  # its stdout is closed: it is about to end
        raise NoAnswerError(method, self._over)

    def tell(self, method: str) -> None:
        """Send one notification; one that is not taken is not missed."""
        with suppress(OSError):
            self._send(messages.request(method, None, None))

    def end(self, hangs: bool = False) -> Ending:
        """Leave as a client does (sooner one that `hangs`), then do what it takes until all that it started is gone."""
        below = _descendants(self.popen.pid)
        assert self.popen.stdin is not None
        with suppress(OSError):
            self.popen.stdin.close()
        by_itself = self._ended_within(HANGING if hangs else LEAVING)
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.popen.poll() is None:
                _signal_group(self.popen.pid, number)
                self._ended_within(LEAVING)
        _signal_group(self.popen.pid, signal.SIGKILL)
        for process in below:
            with suppress(psutil.Error):
                process.kill()
        self.popen.wait()
        for thread in self._threads:
            thread.join(1.0)
        return Ending(self.popen.returncode, by_itself)

    def _ended_within(self, seconds: float) -> bool:
        return self._patience.wait(self._changed, lambda: self.popen.poll() is not None, "the server's end", seconds)

    def _send(self, body: Body) -> None:
        assert self.popen.stdin is not None
        data = messages.encode(body) + b"\n"
        with self._writing:
            while data:
                data = data[self.popen.stdin.write(data) or 0 :]

    def _read_answers(self) -> None:
        assert self.popen.stdout is not None
        with self.popen.stdout as stdout:
            while line := stdout.readline(MAX_LINE):
                self._take(line)
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def _take(self, line: bytes) -> None:
        try:
            body = json.loads(line)
        except ValueError:
            body = None
        if not messages.is_message(body):
            if len(self.noise) < MAX_NOISE:
                self.noise.append(line.decode(errors="replace").rstrip("\r\n"))
            return
        for one in body if isinstance(body, list) else [body]:
            if "method" in one:
                if "id" in one:
                    with suppress(OSError):
                        self._send(messages.reply(one))
            elif isinstance(one.get("id"), int):
                with self._changed:
                    self._answers[one["id"]] = one
                    self._changed.notify_all()

    def _read_errors(self) -> None:
        assert self.popen.stderr is not None
        with self.popen.stderr as stderr:
            while line := stderr.readline(10_000):
                self.errors.append(line.decode(errors="replace").rstrip("\r\n"))


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        below: list[psutil.Process] = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []
    return below


def _signal_group(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
