"""What happens in a Python that `mcp-otel run` started: it wakes up where mcp is imported, and nowhere else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.launching import HOME, both, clean_environment, mcp_otel_command, start

WATCHED = clean_environment(PYTHONPATH=HOME)


def package(folder: Path, name: str, text: str) -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(text)
    return folder


def environment_without_us(folder: Path, mcp: str | None = "print('mcp made')") -> str:
    """A Python environment that has a package `mcp` of this text, if any, and no mcp-otel."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=60)
    python = str(folder / "bin" / "python")
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if mcp is not None:
        package(Path(site.stdout.strip()), "mcp", mcp)
    return python


def test_mcp_is_watched_before_any_of_it_is_made(tmp_path: Path) -> None:
    package(tmp_path, "mcp_otel", "import sys\ndef instrument():\n    print('watch', 'mcp' in sys.modules)")
    package(tmp_path, "mcp", "print('make')")
    (tmp_path / "mcp" / "server.py").write_text("print('make server')")
    code = "import sys, mcp.server; print(vars(mcp.__loader__), len(sys.meta_path))"
    environ = clean_environment(PYTHONPATH=str(tmp_path))
    without, with_ = both([sys.executable, "-c", code], environ)
    assert with_.stdout == b"watch False\n" + without.stdout
    assert with_.stderr == b""


def test_looking_for_mcp_is_not_importing_it(tmp_path: Path) -> None:
    package(tmp_path, "mcp_otel", "def instrument():\n    print('watch')")
    package(tmp_path, "mcp", "print('make')")
    code = "import importlib.util as u; print(u.find_spec('mcp').origin); import json; print(2); import mcp, mcp"
    environ = clean_environment(PYTHONPATH=str(tmp_path))
    ended = start(mcp_otel_command("run", "--", sys.executable, "-c", code), environ)
    assert ended.stdout.decode() == f"{tmp_path}/mcp/__init__.py\n2\nwatch\nmake\n"


def test_a_mere_folder_named_mcp_wakes_nothing(tmp_path: Path) -> None:
    package(tmp_path, "mcp_otel", "def instrument():\n    print('watch')")
    (tmp_path / "mcp").mkdir()
    code = "import mcp; print(list(mcp.__path__))"
    python = environment_without_us(tmp_path / "env", mcp=None)
    without, with_ = both([python, "-c", code], clean_environment(PYTHONPATH=str(tmp_path)))
    assert (with_.stdout, with_.stderr) == (without.stdout, without.stderr)


def test_mcp_that_is_missing_is_missing_as_without(tmp_path: Path) -> None:
    python = environment_without_us(tmp_path / "env", mcp=None)
    code = "import mcp"
    without, with_ = both([python, "-c", code])
    assert (with_.stdout, with_.stderr, with_.returncode) == (without.stdout, without.stderr, without.returncode)
    assert b"No module named 'mcp'" in with_.stderr


def test_the_real_sdk_is_watched_and_its_stdout_is_its_own() -> None:
    code = "import mcp, mcp.server; import mcp_otel.instrumentor as i; print(i.recorder().settings.summary)"
    ended = start(mcp_otel_command("run", "--", sys.executable, "-c", code), WATCHED)
    assert (ended.stdout, ended.returncode) == (b"exit\n", 0)
    assert re.fullmatch(
        r"\nmcp-otel: MCP server: not a single MCP message was seen in [\d.]+ m?s\.\n", ended.stderr.decode()
    )


def test_children_are_watched_through_launchers(tmp_path: Path) -> None:
    package(tmp_path, "mcp_otel", "def instrument():\n    print('watch', flush=True)")
    package(tmp_path, "mcp", "")
    inner = (
        f"import subprocess, sys; sys.exit(subprocess.call(['/bin/sh', '-c', '{sys.executable} -c \"import mcp\"']))"
    )
    environ = clean_environment(PYTHONPATH=str(tmp_path))
    ended = start(mcp_otel_command("run", "--", sys.executable, "-c", inner), environ)
    assert (ended.stdout, ended.stderr, ended.returncode) == (b"watch\n", b"", 0)


@pytest.mark.parametrize(
    ("place", "remedy"),
    [
        ("env", "{python} -m pip install mcp-otel (without pip: uv pip install -p {python} mcp-otel)"),
        ("pipx/venvs/mcp-server-x", "pipx inject mcp-server-x mcp-otel"),
        ("uv/tools/mcp-server-x", "uv tool install --with mcp-otel mcp-server-x"),
        ("uv/archive-v0/Zm9v", "uvx --with mcp-otel ... (or uv run --with mcp-otel ...)"),
    ],
)
def test_an_environment_without_mcp_otel_runs_unobserved_and_one_line_names_the_fix(
    place: str, remedy: str, tmp_path: Path
) -> None:
    python = environment_without_us(tmp_path / place)
    code = "import mcp, mcp, sys; sys.exit(3)"
    without, with_ = both([python, "-c", code])
    assert (with_.stdout, with_.returncode) == (without.stdout, without.returncode) == (b"mcp made\n", 3)
    assert with_.stderr.decode() == (
        f"mcp-otel: {python} does not have mcp-otel, so this server runs unobserved. "
        f"Fix: {remedy.format(python=python)}\n"
    )


def test_nothing_of_the_launching_environment_becomes_importable(tmp_path: Path) -> None:
    python = environment_without_us(tmp_path / "env")
    code = "import importlib.util as u; print([u.find_spec(n) for n in ('mcp_otel', 'opentelemetry', 'wrapt')])"
    assert start(mcp_otel_command("run", "--", python, "-c", code)).stdout == b"[None, None, None]\n"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("def instrument():\n    raise OSError('full')", "OSError: full"),
        ("import no_such_thing", "ModuleNotFoundError: No module named 'no_such_thing'"),
        ("", "AttributeError: module 'mcp_otel' has no attribute 'instrument'"),
    ],
)
def test_whatever_goes_wrong_in_ours_is_one_line_and_the_server_goes_on(fault: str, said: str, tmp_path: Path) -> None:
    package(tmp_path, "mcp_otel", fault)
    package(tmp_path, "mcp", "print('mcp made')")
    environ = clean_environment(PYTHONPATH=str(tmp_path))
    ended = start(mcp_otel_command("run", "--", sys.executable, "-c", "import mcp"), environ)
    assert (ended.stdout, ended.returncode) == (b"mcp made\n", 0)
    assert ended.stderr.decode() == f"mcp-otel: could not start, so this server runs unobserved ({said})\n"


def test_a_closed_stderr_is_no_reason_to_fail(tmp_path: Path) -> None:
    python = environment_without_us(tmp_path / "env")
    ended = start(mcp_otel_command("run", "--", "/bin/sh", "-c", f"{python} -c 'import mcp' 2>&-"))
    assert (ended.stdout, ended.stderr, ended.returncode) == (b"mcp made\n", b"", 0)


@pytest.mark.parametrize("text", ["print('theirs', __file__)", "print('theirs'); raise ValueError('broken')", None])
def test_a_sitecustomize_that_ours_hides_runs_as_without(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "sitecustomize.py").write_text(text)
    code = "import sys; m = sys.modules.get('sitecustomize'); print(sys.path)"
    environ = clean_environment(PYTHONPATH=str(tmp_path))
    without, with_ = both([sys.executable, "-c", code], environ)
    assert (with_.stdout, with_.stderr, with_.returncode) == (without.stdout, without.stderr, without.returncode)
    assert without.stdout.count(b"theirs") == (text is not None)


def test_a_usercustomize_runs_as_without(tmp_path: Path) -> None:
    site = f"import site; site.ENABLE_USER_SITE = True\nimport sys; sys.path.append({str(tmp_path)!r})"
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "sitecustomize.py").write_text(site)
    (tmp_path / "usercustomize.py").write_text("print('user')")
    environ = clean_environment(PYTHONPATH=str(tmp_path / "path"))
    without, with_ = both([sys.executable, "-c", "print('body')"], environ)
    assert with_.stdout == without.stdout
    assert b"body\n" in with_.stdout


def test_a_python_that_never_imports_mcp_pays_less_than_two_milliseconds(tmp_path: Path) -> None:
    environ = clean_environment(PYTHONPYCACHEPREFIX=str(tmp_path))  # bytecode, as an installation has
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    microseconds = []
    for _ in range(5):
        ended = start(mcp_otel_command("run", "--", sys.executable, "-X", "importtime", "-c", "print(1)"), environ)
        found = re.findall(r"\| +(\d+) \|   sitecustomize$", ended.stderr.decode(), re.MULTILINE)
        assert len(found) == 1
        assert "mcp_otel" not in ended.stderr.decode().replace(os.path.join("mcp_otel", "bootstrap"), "")
        microseconds.append(int(found[0]))
    assert min(microseconds) < 2000, microseconds
