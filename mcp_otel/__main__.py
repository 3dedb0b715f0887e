"""The `mcp-otel` command: picks one of COMMANDS and returns its exit status."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from mcp_otel.commands import COMMANDS
from mcp_otel.errors import McpOtelError
from mcp_otel.version import __version__

ABOUT = "OpenTelemetry for live MCP servers: one span per message, where its time goes, and what it costs."
EXAMPLES = """\
examples:
  mcp-otel run -- python server.py        watch a server; a summary on stderr when it ends
  mcp-otel run -- uvicorn app:app         the same over HTTP; kill -USR1 its pid for a summary now
  mcp-otel doctor -- python server.py     what works and what does not, with the fix; also with a URL, or alone
  mcp-otel demo                           see it at work on a real server

Traces and metrics go where OTEL_EXPORTER_OTLP_ENDPOINT and the other standard OTEL_* variables say.
In your own code, instead: import mcp_otel; mcp_otel.instrument()
"""


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    plain = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(prog="mcp-otel", description=ABOUT, epilog=EXAMPLES, formatter_class=plain)
    top.add_argument("--version", action="version", version=f"mcp-otel {__version__}")
    commands = top.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    for name, module in COMMANDS.items():
        line = module.ABOUT.partition("\n\n")[0]
        module.describe(commands.add_parser(name, help=line, description=module.ABOUT, formatter_class=plain))
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (by default the process's own) and return its exit status; 2 for a wrong one."""
    top = parser()
    args = top.parse_args(argv)
    if args.command is None:
        top.print_help(sys.stderr)
        return 2
    try:
        return int(COMMANDS[args.command].run(args))
    except McpOtelError as problem:
        print(f"mcp-otel {args.command}: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
