"""One SERVER span for each message of each session, ours; nothing for what servers of one process say to each other."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from fastmcp import Context

import mcp_otel
from tests.promises.watching import Watched, start
from tests.seams.fastmcp.conftest import LINE
from tests.seams.fastmcp.servers import child, imported, mounted, mounted_proxy, proxied, talk, tree

ADD = {"a": 1, "b": 2}
DELEGATES = [] if LINE == 2 else ["    INTERNAL delegate add (fastmcp)"]


def call(name: str, *below: str) -> list[str]:
    """The spans of a tools/call of `name`, as its client and its server have them."""
    return [f"CLIENT tools/call {name}", f"  SERVER tools/call {name}", *below]


def of_calls(lines: list[str]) -> list[str]:
    """`lines` without what clients and proxies list for themselves."""
    return [line for line in lines if "/list" not in line]


def test_a_message_has_one_span_of_its_client_and_one_of_its_server_and_the_applications_own_are_below(
    watched: Watched,
) -> None:
    talk(child(), ("add", ADD))
    assert of_calls(tree(watched)) == call("add", "    INTERNAL work (application)")


@pytest.mark.parametrize("prefix", ["kid", None])
def test_a_mounted_server_is_no_peer(prefix: str | None, watched: Watched) -> None:
    name = "kid_add" if prefix else "add"
    talk(mounted(prefix), (name, ADD))
    work = "    " + "  " * len(DELEGATES) + "INTERNAL work (application)"
    assert of_calls(tree(watched)) == call(name, *DELEGATES, work)


def test_what_was_imported_is_the_servers_own(watched: Watched) -> None:
    talk(imported(), ("kid_add", ADD))
    servers = [line.strip() for line in of_calls(tree(watched)) if "SERVER" in line]
    assert servers == ["SERVER tools/call kid_add"]


def test_a_proxy_has_a_session_of_its_own_with_what_it_stands_for_also_in_memory(watched: Watched) -> None:
    talk(proxied(), ("add", ADD))
    assert of_calls(tree(watched)) == call(
        "add",
        "    CLIENT tools/call add",
        "      SERVER tools/call add",
        "        INTERNAL work (application)",
    )


def test_a_proxy_that_is_mounted_is_passed_to_by_a_function_and_passes_on_by_a_message(watched: Watched) -> None:
    talk(mounted_proxy(), ("kid_add", ADD))
    deeper = "    " + "  " * len(DELEGATES)
    assert of_calls(tree(watched)) == call(
        "kid_add",
        *DELEGATES,
        f"{deeper}CLIENT tools/call add",
        f"{deeper}  SERVER tools/call add",
        f"{deeper}    INTERNAL work (application)",
    )


@pytest.mark.parametrize("make", [child, mounted, proxied, mounted_proxy])
def test_every_server_span_has_a_client_span_of_the_same_message_above_it(make: Any, watched: Watched) -> None:
    name = "kid_add" if make in (mounted, mounted_proxy) else "add"
    talk(make(), (name, ADD), ("prompt:kid_hello", {"name": "Ada"}), ("story://one", None))
    lines = tree(watched)
    assert len([line for line in lines if "SERVER" in line]) >= 3
    for above, line in pairwise(lines):
        if "SERVER" in line:
            assert line == "  " + above.replace("CLIENT", "SERVER")


def test_with_metrics_only_fastmcps_own_spans_are_as_they_were(bare: Watched) -> None:
    talk(mounted(), ("kid_add", ADD), ("kid_crash", {"a": 1}))
    without = of_calls(tree(bare))
    bare.exporter.clear()
    start(bare, level="metrics")
    talk(mounted(), ("kid_add", ADD), ("kid_crash", {"a": 1}))
    assert of_calls(tree(bare)) == without
    assert bare.collect()["mcp.server.operation.duration"] != {}


def test_what_was_taken_out_leaves_fastmcps_own_spans_as_they_were(bare: Watched) -> None:
    talk(proxied(), ("add", ADD))
    without = tree(bare)
    bare.exporter.clear()
    start(bare)
    mcp_otel.uninstrument()
    talk(proxied(), ("add", ADD))
    assert tree(bare) == without
    if LINE > 2:
        assert any("SERVER tools/call add (fastmcp)" in line for line in without)


def test_where_nobody_asked_for_fastmcps_spans_none_quotes_what_is_private(watched: Watched) -> None:
    talk(child(), ("add", ADD))
    watched.exporter.clear()
    watched.recorder.owns_spans = True  # the provider is ours, so FastMCP's would go where only ours belong
    server = mounted()

    @server.tool
    async def guess(context: Context) -> str:
        return str(await context.sample("a number"))

    talk(server, ("kid_crash", {"a": 1}), ("story://kid/one", None), ("guess", {}))
    assert {span.instrumentation_scope.name for span in watched.spans if span.instrumentation_scope} == {"mcp_otel"}
    assert not any("story:" in line for line in tree(watched))


@pytest.mark.skipif(LINE == 4, reason="4.x passes no message by its name")
def test_a_message_that_is_passed_by_its_name_is_one_like_any_other(watched: Watched) -> None:
    import anyio
    from fastmcp import Client
    from mcp import types

    async def told() -> None:
        async with Client(child()) as client:
            request = types.ClientRequest(types.PingRequest())
            await client.session.send_request(request=request, result_type=types.EmptyResult)

    anyio.run(told)
    assert tree(watched) == ["CLIENT ping", "  SERVER ping"]
    assert dict(watched.totals.failures) == {}
