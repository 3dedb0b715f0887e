"""A server that nobody here wrote, in the release it has for each line of FastMCP: the same under `mcp-otel run`."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.contract.doors import VENVS
from tests.real.test_real_servers import Subject, call, compare, conversation, service
from tests.sink import Sink

pytestmark = pytest.mark.skipif(
    version("mcp").startswith("1."),
    reason="real servers have environments of their own: they are tried once, with the tests of the 2.x line",
)

QUESTIONS = [
    ("tools/list", {}),
    ("prompts/list", {}),
    # What it refuses by itself needs no network.
    call("nix", action="conjure"),
    call("nix", action="search", query="", source="nixos"),
    call("nix_versions", package=""),
    call("nix", action=["search"]),
    call("nix_conjure"),
    ("resources/nothing", {}),
]


def nixos(line: int, folder: Path, http: bool = False) -> Subject:
    """mcp-nixos on this line of FastMCP, as its users start it."""
    home = VENVS / f"fastmcp_{line}" / "bin"
    if not (home / "mcp-nixos").exists() and not os.environ.get("CI"):
        pytest.skip(f"{home / 'mcp-nixos'} is missing: make {VENVS.name}/fastmcp_{line}/.made, or set MCP_OTEL_VENVS")
    env = {"HOME": str(folder), "FASTMCP_CHECK_FOR_UPDATES": "off", "MCP_NIXOS_TRANSPORT": "http" if http else "stdio"}
    tools = ("nix", "nix_versions")
    return Subject(["mcp-nixos"], QUESTIONS, http, env, tools, programs=home, port="MCP_NIXOS_PORT", path="/mcp")


@pytest.mark.parametrize(("line", "http"), [(2, False), (3, False), (4, False), (3, True)])
def test_answers_are_the_same_under_mcp_otel_and_every_message_has_one_server_span(
    line: int, http: bool, tmp_path: Path, sink: Sink
) -> None:
    compare(nixos(line, tmp_path, http), sink)


@pytest.mark.parametrize("line", [2, 4])
def test_the_banner_is_as_it_was_and_the_summary_comes_after_it(line: int, tmp_path: Path) -> None:
    subject = nixos(line, tmp_path)
    *bare, without = conversation(subject, {}, watched=False)
    *ours, errors = conversation(subject, {}, watched=True)
    assert ours == bare
    assert "FastMCP" in without
    assert errors.index("FastMCP") < errors.index("mcp-otel")
    for name in (service(subject), *subject.tools):
        assert name in errors[errors.index("mcp-otel") :]
