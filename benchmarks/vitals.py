"""`python -m benchmarks.vitals`: what reading the process costs, by its own account and seen from outside.

Two servers in memory, one with vitals and one without, are idle for a while and then called in turn. From outside is the
difference of their CPU seconds; their own account is the part `vitals` of `mcp_otel.cost.time`. The share of a core under
load is that of a server over HTTP that does nothing but answer calls, one after the other.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

from benchmarks.__main__ import cpu_seconds, sinking, start
from benchmarks.clients import Memory


def own(process: subprocess.Popen[bytes]) -> float:
    """Seconds that the vitals of `process` say they have cost."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"cost\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def main() -> None:
    """Run it and print four figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vitals", description=__doc__)
    parser.add_argument("--idle", type=float, default=60.0, help="idle seconds (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--calls", type=int, default=2000, help="calls a round")
    given = parser.parse_args()
    with sinking() as sink:
        servers: dict[str, tuple[subprocess.Popen[bytes], Memory]] = {}
        http = {}
        try:
            for name in ("metrics", "blind"):
                servers[name] = start("memory", name, sink, 1)
                servers[name][1].run(500)
            time.sleep(2)  # what is read once is read
            before = {name: cpu_seconds(process.pid) for name, (process, _) in servers.items()}
            said = own(servers["metrics"][0])
            time.sleep(given.idle)
            spent = {name: cpu_seconds(process.pid) - before[name] for name, (process, _) in servers.items()}
            idle_own = (own(servers["metrics"][0]) - said) / given.idle
            idle = (spent["metrics"] - spent["blind"]) / given.idle
            added, accounts = [], []
            for turn in range(given.rounds):
                each = {}
                for name in ("metrics", "blind") if turn % 2 else ("blind", "metrics"):
                    process, client = servers[name]
                    account, cpu = own(process), cpu_seconds(process.pid)
                    client.run(given.calls)
                    each[name] = (cpu_seconds(process.pid) - cpu) / given.calls
                    if name == "metrics":
                        accounts.append((own(process) - account) / given.calls)
                added.append(each["metrics"] - each["blind"])
                print(f"  round {turn + 1} of {given.rounds}", end="\r", file=sys.stderr, flush=True)
            http = {name: start("http", name, sink, 1) for name in ("metrics", "blind")}
            shares: dict[str, list[float]] = {name: [] for name in http}
            for turn in range(given.rounds):
                for name in ("metrics", "blind") if turn % 2 else ("blind", "metrics"):
                    process, client = http[name]
                    cpu = cpu_seconds(process.pid)
                    client.run(320)
                    shares[name].append((cpu_seconds(process.pid) - cpu) / 320)
        finally:
            for process, _ in [*servers.values(), *http.values()]:
                process.kill()
                process.wait()
    outside, inside = statistics.median(added), statistics.median(accounts)
    bare, whole = (statistics.median(shares[name]) for name in ("blind", "metrics"))
    print(f"idle:       outside {100 * idle:.3f} % of a core, own account {100 * idle_own:.3f} %")
    print(f"in memory:  outside {outside * 1e6:.2f} us a call, own account {inside * 1e6:.2f} us")
    print(f"over HTTP:  {bare * 1e6:.0f} us a call without vitals, {whole * 1e6:.0f} us with them")
    print(f"under load: own account {100 * inside / bare:.2f} % of a core that does nothing but answer over HTTP")


if __name__ == "__main__":
    main()
