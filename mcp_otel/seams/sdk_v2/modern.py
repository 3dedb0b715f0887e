"""2.x, protocol 2026-07-28 over HTTP: one POST is one self-contained exchange, without a session."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from mcp_otel.call import ENCODE, VALIDATE, WRITE, Call
from mcp_otel.recorder import Recorder
from mcp_otel.seams import refusals, streamable_http
from mcp_otel.seams.internal import hidden
from mcp_otel.seams.patch import Facade, Patches, around_async, expect, expect_names
from mcp_otel.seams.streamable_http import answers, exchanges

FRAME = len(b"event: message\r\ndata: \r\n\r\n")


def install(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `mcp.server._streamable_http_modern`.

    Raises:
        MisfitError: it does not look like the 2.x line.
    """
    expect(module, "_tool_input_schema")
    expect(module, "_mcp_param_rejection")
    if hasattr(module, "_acknowledge_notification"):  # from 2.1 on; before, a notification was refused on this wire
        expect(module, "_acknowledge_notification", "decoded")
        patches.replace(module, "_acknowledge_notification", lambda original: _acknowledging(recorder, original))
    expect(module, "_write", "msg", "scope", "receive", "send")
    expect(module, "_sse_event", "msg")
    expect_names(module.json, "loads", "dumps")
    expect_names(module.JSONRPCRequest, "model_validate")
    patches.replace(
        module,
        "json",
        lambda json: Facade(
            json, loads=streamable_http.parsing(recorder, json.loads), dumps=_dumping(recorder, json.dumps)
        ),
    )
    patches.replace(
        module,
        "JSONRPCRequest",
        lambda kind: Facade(kind, model_validate=streamable_http.decoding(recorder, kind.model_validate)),
    )
    patches.replace(module, "_tool_input_schema", _hiding)
    patches.replace(module, "_mcp_param_rejection", lambda original: _checking(recorder, original))
    patches.replace(module, "_write", lambda original: _writing(recorder, original))
    patches.replace(
        module,
        "_sse_event",
        lambda original: streamable_http.encoding(
            recorder, original, lambda message: message, lambda frame: len(frame) - FRAME
        ),
    )


def install_manager(module: Any, recorder: Recorder, patches: Patches) -> None:
    """Hook `mcp.server.streamable_http_manager`, which has an alias of the entry, and the sessions' cap.

    Raises:
        MisfitError: it does not look like the 2.x line.
    """
    expect(
        module,
        "handle_modern_request",
        *("app", "security_settings", "json_response", "lifespan_state", "scope", "receive", "send"),
    )
    patches.replace(module, "handle_modern_request", lambda original: _serving(recorder, original))
    streamable_http.hook_manager(patches, module, recorder)
    refusals.hook(patches, module, recorder)


def _serving(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def handle_modern_request(app: Any, *args: Any) -> Any:
        exchange = None
        try:
            scope, send = args[-3], args[-1]
            exchange = streamable_http.exchange_of(scope, None)
        except Exception as error:
            recorder.count_failure("seams", error)
        if exchange is None:
            return await original(app, *args)
        return await streamable_http.serve(recorder, exchange, send, lambda sending: original(app, *args[:-1], sending))

    return handle_modern_request


def _hiding(original: Callable[..., Any]) -> Callable[..., Any]:
    """The SDK lists the tools for itself, to check a call's headers: no message on the wire."""

    @functools.wraps(original)
    async def _tool_input_schema(*args: Any, **kwargs: Any) -> Any:
        token = hidden.set(True)
        try:
            return await original(*args, **kwargs)
        finally:
            hidden.reset(token)

    return _tool_input_schema


def _acknowledging(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    """A notification is accepted and dropped on this wire."""

    def before(decoded: Any, *_: Any) -> Any:
        exchange = exchanges.get()
        call = exchange.call if exchange is not None else None
        method, params = decoded.get("method"), decoded.get("params")
        if call is None or not isinstance(method, str):
            return None
        recorder.open(call, method, params if isinstance(params, dict) else None)
        return call

    def after(call: Call, _: Any, __: BaseException | None) -> None:
        recorder.handled(call)

    return around_async(recorder, original, before, after)


def _checking(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    def before(*_: Any, **__: Any) -> Any:
        exchange = exchanges.get()
        return exchange.call if exchange is not None else None

    return around_async(recorder, original, before, lambda call, *_: call.lap(VALIDATE))


def _writing(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    """The answer as one JSON body; a refused request gets here without ever reaching the server."""

    def before(msg: Any, *_: Any) -> None:
        exchange = exchanges.get()
        call = exchange.call if exchange is not None else None
        if exchange is None or call is None:
            return
        request: Any = call.message
        if not call.opened and request is not None:
            recorder.open(call, request.method, request.params, request.id)
            call.at_fault = "caller"  # its headers or its envelope do not fit
            call.lap(VALIDATE)
        if call.opened and answers(recorder, call, msg):
            call.lap(WRITE)
            call.begin()
            exchange.whole = True

    return around_async(recorder, original, before, lambda *_: None)


def _dumping(recorder: Recorder, dumps: Callable[..., str]) -> Callable[..., str]:
    def dumping(*args: Any, **kwargs: Any) -> str:
        text = dumps(*args, **kwargs)
        try:
            exchange = exchanges.get()
            call = exchange.call if exchange is not None else None
            if exchange is not None and call is not None and exchange.whole and not call.done:
                exchange.parts += 1
                exchange.answer_part = exchange.parts
                call.spend(ENCODE)
                call.sent = len(text)  # the SDK's JSON is ASCII here
                recorder.count_bytes("sent", len(text))
        except Exception as error:
            recorder.count_failure("seams", error)
        return text

    return dumping
