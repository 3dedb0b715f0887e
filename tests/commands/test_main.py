"""The command line as a whole."""

from __future__ import annotations

from mcp_otel.commands import COMMANDS
from mcp_otel.version import __version__
from tests.commands.launching import clean_environment, mcp_otel_command, start


def test_the_help_names_every_command_and_nothing_else_is_one() -> None:
    ended = start(mcp_otel_command("--help"))
    lines = [line.split() for line in ended.stdout.decode().partition("COMMAND\n")[2].partition("\n\n")[0].splitlines()]
    assert [line[0] for line in lines] == list(COMMANDS) == ["run", "doctor", "demo"]
    assert ended.returncode == 0


def test_the_version_is_the_package_s() -> None:
    assert start(mcp_otel_command("--version")).stdout.decode() == f"mcp-otel {__version__}\n"


def test_without_a_command_the_help_comes_on_stderr_with_status_two() -> None:
    ended = start(mcp_otel_command())
    assert (ended.stdout, ended.returncode) == (b"", 2)
    assert ended.stderr == start(mcp_otel_command("--help")).stdout


def test_an_unknown_command_is_told_the_known_ones() -> None:
    ended = start(mcp_otel_command("nurse"))
    assert (ended.stdout, ended.returncode) == (b"", 2)
    assert b"invalid choice: 'nurse' (choose from" in ended.stderr


def test_demo_without_its_server_says_how_to_install_it() -> None:
    nowhere = clean_environment(PATH="/nowhere")
    program = "import sys; sys.executable = '/nowhere/python'"
    command = mcp_otel_command("demo")
    command[3] = f"{program}; {command[3]}"
    ended = start(command, nowhere)
    assert (ended.stdout, ended.returncode) == (b"", 2)
    assert ended.stderr.decode() == (
        "mcp-otel demo: mcp-server-time is not installed here; /nowhere/python -m pip install mcp-server-time\n"
    )
