"""`python -m benchmarks.vitals`: what reading the process costs, by its own account and seen from outside.

One server for each door, whose vitals are switched off and on in turn: two processes differ by more than is measured.
From outside is the difference of its CPU seconds; its own account the part `vitals` of `mcp_otel.cost.time`. A client
that calls without a pause keeps the server's core full: what a call costs more is then that share of a core.
"""

from __future__ import annotations

import argparse
import signal
import statistics
import subprocess
import sys
import time
from typing import Any, NamedTuple

from benchmarks.__main__ import cpu_seconds, sinking, start

WARM = 30
SETTLE = 0.3
"""Seconds until what vitals do once is done."""


class Price(NamedTuple):
    """Seconds: of a call without vitals, what they add to it as seen from outside, and by their own account."""

    bare: float
    outside: float
    own: float


def turn(process: subprocess.Popen[bytes], on: bool) -> float:
    """Switch the vitals of `process`; the seconds that they say they have cost so far."""
    assert process.stdout is not None
    process.send_signal(signal.SIGUSR1 if on else signal.SIGUSR2)
    return float(process.stdout.readline())


def idle(process: subprocess.Popen[bytes], seconds: float) -> tuple[float, float]:
    """Shares of a core that vitals take of an idle server: from outside, and by their own account."""
    spent, own = {}, 0.0
    for on in (True, False):
        said = turn(process, on)
        time.sleep(SETTLE)
        said = turn(process, on) if on else said
        before = cpu_seconds(process.pid)
        time.sleep(seconds)
        spent[on] = (cpu_seconds(process.pid) - before) / seconds
        own = (turn(process, on) - said) / seconds if on else own
    return spent[True] - spent[False], own


def loaded(process: subprocess.Popen[bytes], client: Any, rounds: int, calls: int) -> Price:
    """Medians over the rounds."""
    bare, added, owns = [], [], []
    for number in range(rounds):
        spent = {}
        for on in (True, False) if number % 2 else (False, True):
            turn(process, on)
            client.run(WARM)
            time.sleep(SETTLE)
            said, before = turn(process, on), cpu_seconds(process.pid)
            client.run(calls)
            spent[on] = (cpu_seconds(process.pid) - before) / calls
            if on:
                owns.append((turn(process, on) - said) / calls)
        bare.append(spent[False])
        added.append(spent[True] - spent[False])
        print(f"  round {number + 1} of {rounds}", end="\r", file=sys.stderr, flush=True)
    return Price(statistics.median(bare), statistics.median(added), statistics.median(owns))


def main() -> None:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vitals", description=__doc__)
    parser.add_argument("--idle", type=float, default=60.0, help="idle seconds (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--calls", type=int, default=400, help="calls a round")
    given = parser.parse_args()
    found, processes = {}, []
    with sinking() as sink:
        try:
            for door in ("memory", "http"):
                process, client = start(door, "metrics", sink, 1)
                processes.append(process)
                client.run(500)
                if door == "memory":
                    outside, own = idle(process, given.idle)
                    print(f"idle: {100 * outside:.3f} % of a core from outside, {100 * own:.3f} % by its own account")
                found[door] = loaded(process, client, given.rounds, given.calls)
        finally:
            for process in processes:
                process.kill()
                process.wait()
    for door, price in found.items():
        print(
            f"{door}: a call takes {price.bare * 1e6:.0f} us without; vitals add {price.outside * 1e6:.1f} us "
            f"({100 * price.outside / price.bare:.2f} %) from outside, {price.own * 1e6:.1f} us by their own account"
        )


if __name__ == "__main__":
    main()
