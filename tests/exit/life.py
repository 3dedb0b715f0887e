"""A process that says three spans and one number and then ends; its arguments say how.

`life.py HOW [SECONDS]`. It prints JSON lines: what it is about to do and, by the machine's steady clock, when.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from typing import Any

HOW, SECONDS = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(name)s %(levelname)s %(message)s")

from mcp_otel import export  # noqa: E402
from mcp_otel.settings import load  # noqa: E402
from mcp_otel.signals.totals import Totals  # noqa: E402

SETTINGS = load(os.environ)[0]


def say(**said: Any) -> None:
    print(json.dumps({**said, "at": time.monotonic()}), flush=True)


def speak(delivery: export.Delivery) -> None:
    if delivery.tracer_provider is not None:
        tracer = delivery.tracer_provider.get_tracer("life")
        for index in range(3):
            tracer.start_span(f"word {index}").end()
    if delivery.meter_provider is not None:
        delivery.meter_provider.get_meter("life").create_counter("words").add(3)


def main() -> None:
    totals = Totals()
    plan = export.Plan() if HOW == "bare" else export.wanted(os.environ)
    export.preload(plan)
    if HOW == "uvicorn":
        serve(plan, totals)
        return
    delivery = export.connect(plan, SETTINGS, "tortoise", totals)
    speak(delivery)
    if HOW == "idle":
        sdk = [name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))]
        say(sdk=sdk, default=signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
        return
    if HOW == "fork":
        since = time.monotonic()
        child = os.fork()
        if child == 0:
            speak(delivery)
            sys.exit(3)
        _, status = os.waitpid(child, 0)
        say(child=os.waitstatus_to_exitcode(status), seconds=time.monotonic() - since)
    if HOW == "close":
        since = time.monotonic()
        delivery.close()
        delivery.close()
        speak(delivery)
        default = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        filters = [
            name
            for name, item in logging.root.manager.loggerDict.items()
            if isinstance(item, logging.Logger) and any(type(each).__name__ == "Account" for each in item.filters)
        ]
        say(closed=time.monotonic() - since, default=default, filters=filters)
        return
    if HOW == "wait":
        say(pid=os.getpid())
        signal.pause()
    time.sleep(SECONDS)
    say(ending=True, dropped=dict(totals.dropped), cost=totals.cost["export"])
    if HOW == "raise":
        raise SystemExit(7)


def serve(plan: export.Plan, totals: Totals) -> None:
    import uvicorn

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                if message["type"] == "lifespan.startup":
                    speak(export.connect(plan, SETTINGS, "tortoise", totals))
                    say(pid=os.getpid())
                await send({"type": message["type"] + ".complete"})
                if message["type"] == "lifespan.shutdown":
                    say(ending=True)
                    return

    uvicorn.run(app, port=0, log_level="critical")


main()
