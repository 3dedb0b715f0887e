"""1.x transports: the names that stdio, SSE and Streamable HTTP look up when they decode, encode and write."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from mcp_otel.call import Call
from mcp_otel.recorder import Recorder
from mcp_otel.seams import listening, refusals, sse, stdio, streamable_http
from mcp_otel.seams.patch import Facade, Patches, expect_names
from mcp_otel.seams.sdk_v1.session import ANSWER, STAMP


def install_stdio(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `mcp.server.stdio`.

    Raises:
        MisfitError: it does not look like the 1.x line.
    """
    expect_names(module.types.JSONRPCMessage, "model_validate_json")
    expect_names(module.anyio, "create_memory_object_stream", "wrap_file")
    decode = stdio.decoding(recorder, module.types.JSONRPCMessage.model_validate_json)
    _lines(patches, module, decode, lambda make: stdio.StreamFactory(recorder, make, _outgoing))


def install_sse(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `mcp.server.sse`.

    Raises:
        MisfitError: it does not look like the 1.x line.
    """
    expect_names(module.types.JSONRPCMessage, "model_validate_json")
    expect_names(module.anyio, "create_memory_object_stream")
    decode = sse.decoding(recorder, module.types.JSONRPCMessage.model_validate_json)
    _lines(patches, module, decode, lambda make: sse.streams(recorder, make, _outgoing))
    sse.hook_transport(patches, module, recorder)


def _outgoing(item: Any, _: Any) -> tuple[bool, Call | None]:
    return hasattr(item, ANSWER), getattr(item, ANSWER, None)


def _lines(patches: Patches, module: Any, decode: Any, streams: Callable[[Any], Any]) -> None:
    """What transports have in common that read JSON text and write it: the names they do so by."""
    patches.replace(module, "SessionMessage", stamping)
    patches.replace(
        module,
        "types",
        lambda types: Facade(types, JSONRPCMessage=Facade(types.JSONRPCMessage, model_validate_json=decode)),
    )
    patches.replace(
        module,
        "anyio",
        lambda anyio: Facade(anyio, create_memory_object_stream=streams(anyio.create_memory_object_stream)),
    )


def install_http(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `mcp.server.streamable_http`.

    Raises:
        MisfitError: it does not look like the 1.x line.
    """
    expect_names(module, "json", "JSONRPCMessage", "SessionMessage")
    patches.replace(module, "SessionMessage", stamping)
    patches.replace(module, "json", lambda json: Facade(json, loads=streamable_http.parsing(recorder, json.loads)))
    patches.replace(
        module,
        "JSONRPCMessage",
        lambda kind: Facade(kind, model_validate=streamable_http.decoding(recorder, kind.model_validate)),
    )
    streamable_http.hook_transport(patches, module, recorder)
    listening.hook(patches, module, recorder)


def stamping(kind: Any) -> Any:
    """A `SessionMessage` that remembers which call its message was decoded for."""

    class Stamped(kind):  # type: ignore[misc]
        def __init__(self, message: Any, metadata: Any = None) -> None:
            super().__init__(message, metadata)
            call = stdio.arriving.get()
            if call is not None and call.message is message:
                setattr(self, STAMP, call)

    functools.update_wrapper(Stamped, kind, updated=())
    return Stamped


def install_manager(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `mcp.server.streamable_http_manager`.

    Raises:
        MisfitError: it does not look like the 1.x line.
    """
    streamable_http.hook_manager(patches, module, recorder)
    refusals.hook(patches, module, recorder)
