"""Instruments the process that is about to import mcp. Run by the alarm, never imported.

Whatever goes wrong is one line on stderr, and the server goes on as without us.
"""

import os
import sys


def wake() -> None:
    """Instrument, if mcp-otel is there to do it."""
    try:
        import mcp_otel

        mcp_otel.instrument()
        tell_the_doctor()
    except Exception as problem:
        if isinstance(problem, ImportError) and problem.name == "mcp_otel":
            say(f"{sys.executable} does not have mcp-otel, so this server runs unobserved. Fix: {remedy()}")
        else:
            say(f"could not start, so this server runs unobserved ({type(problem).__name__}: {problem})")


def tell_the_doctor() -> None:
    """Say how things stand here if `mcp-otel doctor` has started this process: an environment's own may lack that."""
    folder = os.environ.get("MCP_OTEL_DOCTOR")
    if folder:
        try:
            from mcp_otel.doctor import inside

            inside.report(folder, os.environ)
        except Exception:
            pass


def remedy() -> str:
    """How to bring mcp-otel into this interpreter's environment."""
    place = sys.prefix.replace(os.sep, "/")
    name = os.path.basename(sys.prefix)
    if "/pipx/" in place:
        return f"pipx inject {name} mcp-otel"
    if "/uv/tools/" in place:
        return f"uv tool install --with mcp-otel {name}"
    if "/archive-v" in place or "/environments-v" in place:
        return "uvx --with mcp-otel ... (or uv run --with mcp-otel ...)"
    return f"{sys.executable} -m pip install mcp-otel (without pip: uv pip install -p {sys.executable} mcp-otel)"


def say(line: str) -> None:
    """One line on stderr, if there is one."""
    try:
        sys.stderr.write(f"mcp-otel: {line}\n")
        sys.stderr.flush()
    except Exception:
        pass


if __name__ == "mcp_otel_wake":
    wake()
