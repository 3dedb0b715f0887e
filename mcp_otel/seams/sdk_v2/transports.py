"""2.x transports: the names that stdio, SSE and Streamable HTTP look up when they decode, encode and write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mcp_otel.call import Call
from mcp_otel.recorder import Recorder, current
from mcp_otel.seams import listening, sse, stdio, streamable_http
from mcp_otel.seams.patch import Facade, Patches, expect_names
from mcp_otel.seams.sdk_v2.dispatcher import sending


def install_stdio(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `mcp.server.stdio`.

    Raises:
        MisfitError: it does not look like the 2.x line.
    """
    expect_names(module, "create_context_streams")
    expect_names(module.types.jsonrpc_message_adapter, "validate_json")
    decode = stdio.decoding(recorder, module.types.jsonrpc_message_adapter.validate_json)
    _lines(patches, module, decode, lambda make: stdio.StreamFactory(recorder, make, _outgoing(recorder)))


def install_sse(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `mcp.server.sse`.

    Raises:
        MisfitError: it does not look like the 2.x line.
    """
    expect_names(module, "create_context_streams")
    expect_names(module.types.jsonrpc_message_adapter, "validate_json")
    decode = sse.decoding(recorder, module.types.jsonrpc_message_adapter.validate_json)
    _lines(patches, module, decode, lambda make: sse.streams(recorder, make, _outgoing(recorder)))
    sse.hook_transport(patches, module, recorder)


def _outgoing(recorder: Recorder) -> stdio.Outgoing:
    def outgoing(item: Any, stream: Any) -> tuple[bool, Call | None]:
        if not stream.last_context.get(sending):
            return False, None
        call = stream.last_context.get(current)
        return True, call if call is not None and streamable_http.answers(recorder, call, item.message) else None

    return outgoing


def _lines(patches: Patches, module: Any, decode: Any, streams: Callable[[Any], Any]) -> None:
    """What transports have in common that read JSON text and write it: the names they do so by."""
    patches.replace(
        module,
        "types",
        lambda types: Facade(
            types, jsonrpc_message_adapter=Facade(types.jsonrpc_message_adapter, validate_json=decode)
        ),
    )
    patches.replace(module, "create_context_streams", streams)


def install_http(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `mcp.server.streamable_http`.

    Raises:
        MisfitError: it does not look like the 2.x line.
    """
    expect_names(module.pydantic_core, "from_json")
    expect_names(module.jsonrpc_message_adapter, "validate_python")
    patches.replace(
        module,
        "pydantic_core",
        lambda core: Facade(core, from_json=streamable_http.parsing(recorder, core.from_json)),
    )
    patches.replace(
        module,
        "jsonrpc_message_adapter",
        lambda adapter: Facade(adapter, validate_python=streamable_http.decoding(recorder, adapter.validate_python)),
    )
    streamable_http.hook_transport(patches, module, recorder)
    listening.hook(patches, module, recorder)
