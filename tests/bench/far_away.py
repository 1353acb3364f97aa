#!/usr/bin/env python3
"""What it costs to mail through a server that is far away: over one connection and over several, beside a connection for
each mail, as smtp-source makes them.

Prints medians of runs in turn and asserts nothing. Needs root, iproute2, Postfix's smtp-sink and smtp-source and a release
build. ROUND_TRIP_MS, MAILS and RUNS change what is measured; a run of 1,000 mails at 20 ms takes some six minutes, most of
them smtp-source's.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "real"))

from measure import machine  # noqa: E402
from parts.far_away import FarAway  # noqa: E402
from parts.petanotify import binary, to_toml  # noqa: E402
from parts.processes import Daemon, answers, end_orderly_on_signals, free_ports, private_folder, wait_until  # noqa: E402
from standins import Cluster  # noqa: E402

ROUND_TRIP_MS = float(os.environ.get("ROUND_TRIP_MS", "20"))
MAILS = int(os.environ.get("MAILS", "1000"))
RUNS = int(os.environ.get("RUNS", "3"))
CONNECTIONS = (1, 2, 4, 8)
DEFAULT_CONNECTIONS = 2
RATIO_TARGET = 0.1
SIZE = {"hosts": 3, "osds_per_host": 4, "nodes": 5, "osds_down": 1}


def seconds(command):
    started = time.monotonic()
    result = subprocess.run(command, capture_output=True, text=True)
    return time.monotonic() - started, result


def petanotify(place, cluster, folder, port, connections):
    """Seconds that a pass takes in which an OSD fails, of which all are told; how many were."""
    settings = cluster.settings(port)
    settings["smtp"].update(host=place.address, connections=connections)
    # Consul's stand-in is out of reach from there.
    settings["checks.nodes"] = {"enabled": False}
    settings["recipient"] = [{"address": f"r{number}@example.org"} for number in range(MAILS)]
    folder.mkdir()
    config = folder / "petanotify.toml"
    config.write_text(to_toml(settings))
    there = ["ip", "netns", "exec", place.name]
    files = ["--config", str(config), "--state", str(folder / "state.json")]
    took, result = seconds([*there, str(binary()), *files, "--quiet", "check", "--json"])
    return took, json.loads(result.stdout)["mail"]["sent"]


def smtp_source(place, port, *options):
    there = ["ip", "netns", "exec", place.name]
    length = ["-l", "1000", "-f", "storage@example.org", "-t", "r@example.org"]
    took, result = seconds(
        [*there, "smtp-source", *options, *length, "-m", str(MAILS), f"inet:{place.address}:{port}"]
    )
    return took, MAILS if result.returncode == 0 else result.stderr


def main():
    end_orderly_on_signals()
    print(f"{MAILS} mails, a round trip of {ROUND_TRIP_MS:g} ms; medians of {RUNS} runs in turn; {machine()}")
    with private_folder("petanotify-bench") as folder, FarAway(f"bench{os.getpid()}", ROUND_TRIP_MS) as place:
        cluster = Cluster(folder / "cluster")
        cluster.become(**SIZE)
        (port,) = free_ports(1, place.address)
        sink = ["smtp-sink", "-u", "nobody", f"inet:{place.address}:{port}", "1000"]
        daemon = Daemon("smtp-sink", sink, folder / "sink.log")
        wait_until(lambda: answers(place.address, port), "smtp-sink listens", log=daemon.log)
        ways = {
            "smtp-source, a connection for each mail": lambda _: smtp_source(place, port),
            "smtp-source, one connection": lambda _: smtp_source(place, port, "-d"),
        }
        for number in CONNECTIONS:
            name = f"petanotify, connections = {number}" + (" (default)" if number == DEFAULT_CONNECTIONS else "")
            ways[name] = lambda own, number=number: petanotify(place, cluster, own, port, number)
        found = {name: [] for name in ways}
        for run in range(RUNS):
            for number, (name, way) in enumerate(ways.items()):
                found[name].append(way(folder / f"run{run}-{number}"))
    slowest = statistics.median(took for took, _ in next(iter(found.values())))
    for name, runs in found.items():
        took = statistics.median(took for took, _ in runs)
        sent = ", ".join(sorted({str(sent) for _, sent in runs}))
        target = f" (target below {RATIO_TARGET})" if name.startswith("petanotify") else ""
        print(f"{name:<40} {took:8.2f} s  {MAILS / took:6.0f} mails/s  ratio {took / slowest:.3f}{target}  sent {sent}")


if __name__ == "__main__":
    main()
