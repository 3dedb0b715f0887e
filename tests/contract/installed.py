"""One instrumented call with nothing but the installed wheel: run by `make wheel`, in its clean environment."""

from __future__ import annotations

from tests.contract.doors import DOORS, FORMS, open_door
from tests.contract.heard import telemetry
from tests.contract.story import BY_NAME, message
from tests.sink import Sink


def main() -> None:
    door = DOORS["stdio"]
    with Sink() as sink:
        with open_door(FORMS[1], door, telemetry(sink)) as opened:
            for number, name in enumerate(("initialize", "initialized", "text result")):
                opened.wire.call(message(BY_NAME[name], number, 0, door))
        names = sorted(span["name"] for span in sink.spans if span["kind"] == "SERVER")
    assert names == ["initialize", "notifications/initialized", "tools/call echo"], names
    print("the wheel works: " + ", ".join(names))


if __name__ == "__main__":
    main()
