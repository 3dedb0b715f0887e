"""`mcp-otel run` against real processes: what it starts must not be able to tell, except by being watched."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.commands.launching import HOME, both, clean_environment, mcp_otel_command, start

BOOTSTRAP = os.path.join(HOME, "mcp_otel", "bootstrap")
PROBE = """\
import os, sys
print(sys.argv, os.getcwd(), sys.path, sys.flags, sys.stdin.buffer.read(), sys.executable, [f for f in sys.warnoptions])
print("to stderr", file=sys.stderr)
sys.exit(7)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "probe.py"
    path.write_text(PROBE)
    return path


def executable(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize("form", ["script", "module", "code", "console script", "shell script"])
def test_a_command_has_the_same_output_status_arguments_folder_and_path_as_without(
    form: str, program: Path, tmp_path: Path
) -> None:
    arguments = ["--level", "x", "--", "a b", "--help", ""]
    words = {
        "script": [sys.executable, str(program)],
        "module": [sys.executable, "-m", "probe"],
        "code": [sys.executable, "-W", "error", "-c", PROBE],
        "console script": [str(executable(tmp_path / "serve", f"#!{sys.executable}\n{PROBE}"))],
        "shell script": [str(executable(tmp_path / "go.sh", f'#!/bin/sh\n"{sys.executable}" "{program}" "$@"\n'))],
    }[form]
    without, with_ = both([*words, *arguments], stdin=b"\x00\xff{}\n", cwd=tmp_path)
    assert (with_.stdout, with_.stderr, with_.returncode) == (without.stdout, without.stderr, without.returncode)
    assert without.returncode == 7
    assert b"a b" in without.stdout


def test_pythonpath_keeps_its_entries_and_their_order(program: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    for path in ("one", f"{tmp_path}/two:{tmp_path}/one", ":one", ""):
        without, with_ = both([sys.executable, str(program)], clean_environment(PYTHONPATH=path), cwd=tmp_path)
        assert with_.stdout == without.stdout, path


def test_the_process_is_the_command_itself() -> None:
    child = subprocess.Popen(
        mcp_otel_command("run", "--", sys.executable, "-c", "import os; print(os.getpid())"),
        stdout=subprocess.PIPE,
        env=clean_environment(),
    )
    assert int(child.communicate(timeout=60)[0]) == child.pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGUSR1])
def test_a_signal_ends_the_command_as_without(number: signal.Signals) -> None:
    statuses = []
    words = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
    for line in (words, mcp_otel_command("run", "--", *words)):
        child = subprocess.Popen(
            line,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=clean_environment(),
            # A shell lets what it runs in the background ignore SIGINT.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        child.send_signal(number)
        child.communicate(timeout=60)
        statuses.append(child.returncode)
    assert statuses == [-number, -number]


def test_no_signal_is_ignored_that_was_not_before() -> None:
    without, with_ = both(["/bin/sh", "-c", "kill -PIPE $$"])
    assert without.returncode == with_.returncode == -signal.SIGPIPE


def test_options_reach_the_command_as_variables_and_win_over_them() -> None:
    show = "import os; print({k: v for k, v in sorted(os.environ.items()) if k.startswith('MCP_OTEL_')})"
    words = [sys.executable, "-c", show]
    assert start(mcp_otel_command("run", *words)).stdout == b"{'MCP_OTEL_SUMMARY': 'exit'}\n"
    given = clean_environment(MCP_OTEL_SUMMARY="30", MCP_OTEL_LEVEL="metrics", MCP_OTEL_EXIT_WAIT="1")
    assert start(mcp_otel_command("run", "--level", "SPANS", "--phase-spans=all", *words), given).stdout == (
        b"{'MCP_OTEL_EXIT_WAIT': '1', 'MCP_OTEL_LEVEL': 'spans', 'MCP_OTEL_PHASE_SPANS': 'all', "
        b"'MCP_OTEL_SUMMARY': '30'}\n"
    )


def test_a_run_inside_a_run_adds_nothing() -> None:
    words = [sys.executable, "-c", "import os; print(os.environ['PYTHONPATH'])"]
    assert start(mcp_otel_command("run", "--", *mcp_otel_command("run", "--", *words))).stdout.decode() == (
        BOOTSTRAP + "\n"
    )


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ([], 2, "mcp-otel run: no command. Use: mcp-otel run [options] -- python server.py\n"),
        (["--"], 2, "mcp-otel run: no command. Use: mcp-otel run [options] -- python server.py\n"),
        (
            ["--summary", "often", "--", "true"],
            2,
            "mcp-otel run: summary='often': must be off, exit, or a number of seconds above 0\n",
        ),
        (["--level", "all", "--", "true"], 2, "mcp-otel run: level='all': must be one of off, metrics, spans\n"),
        (
            ["--", "no-such-server", "--help"],
            127,
            "mcp-otel run: cannot start 'no-such-server': no such command; is it installed, and on PATH?\n",
        ),
        (["--", "./plain"], 126, "mcp-otel run: cannot start './plain': Permission denied\n"),
        (["--", "./empty"], 126, "mcp-otel run: cannot start './empty': Exec format error\n"),
        (["--", "./moved"], 127, "mcp-otel run: cannot start './moved': its interpreter /nowhere/python is missing\n"),
    ],
)
def test_what_cannot_be_started_is_said_in_one_line(words: list[str], status: int, said: str, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("#!/bin/sh\n")
    executable(tmp_path / "empty", "")
    executable(tmp_path / "moved", "#!/nowhere/python\n")
    ended = start(mcp_otel_command("run", *words), cwd=tmp_path)
    assert (ended.stdout, ended.stderr.decode(), ended.returncode) == (b"", said, status)


@pytest.mark.parametrize(
    ("flags", "culprit"),
    [(["-I"], "-I"), (["-uE"], "-E"), (["-W", "error", "-S"], "-S"), (["-Xdev", "-I"], "-I"), (["-W", "I"], None)],
)
def test_a_python_that_ignores_its_environment_runs_and_one_line_says_so(flags: list[str], culprit: str | None) -> None:
    without, with_ = both([sys.executable, *flags, "-c", "print(1)", "-I"])
    line = (
        f"mcp-otel: {culprit} makes Python ignore its environment, so this server runs unobserved. Leave it out, or "
        "call mcp_otel.instrument() in the server.\n"
    )
    assert (with_.stdout, with_.returncode) == (without.stdout, without.returncode)
    assert with_.stderr.decode() == (line if culprit else "") + without.stderr.decode()


def test_a_console_script_that_ignores_its_environment_is_told_too(tmp_path: Path) -> None:
    path = executable(tmp_path / "serve", f"#!{sys.executable} -sE\nprint(1)\n")
    ended = start(mcp_otel_command("run", "--", str(path)))
    assert (ended.stdout, ended.returncode) == (b"1\n", 0)
    assert ended.stderr.startswith(b"mcp-otel: -E makes Python ignore its environment")


def test_options_of_other_programs_are_not_taken_for_pythons(tmp_path: Path) -> None:
    ended = start(mcp_otel_command("run", "--", "/bin/sh", "-c", "echo $0 $1", "python", "-I"))
    assert (ended.stdout, ended.stderr) == (b"python -I\n", b"")


def test_the_help_says_what_it_does_on_stdout() -> None:
    ended = start(mcp_otel_command("run", "--help"))
    assert ended.returncode == 0
    assert textwrap.dedent(ended.stdout.decode()).startswith("usage: mcp-otel run [options] -- COMMAND [ARGUMENT ...]")
    assert ended.stderr == b""
