#!/usr/bin/env python3
"""What it costs to mail through a server that is far away: over one connection and over several, beside a connection for
each mail, as smtp-source makes them.

Prints medians of runs in turn and asserts nothing. Needs root, iproute2, Postfix's smtp-sink and smtp-source and a release
build. ROUND_TRIP_MS, MAILS and RUNS change what is measured.
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

from parts.far_away import FarAway  # noqa: E402
from parts.petanotify import binary, to_toml  # noqa: E402
from parts.processes import Daemon, end_orderly_on_signals, private_folder, wait_until  # noqa: E402
from parts.processes import answers, free_ports  # noqa: E402

ROUND_TRIP_MS = float(os.environ.get("ROUND_TRIP_MS", "20"))
MAILS = int(os.environ.get("MAILS", "1000"))
RUNS = int(os.environ.get("RUNS", "3"))
CONNECTIONS = (1, 2, 4, 8)


def seconds(command):
    started = time.monotonic()
    result = subprocess.run(command, capture_output=True, text=True)
    return time.monotonic() - started, result


def petanotify(place, folder, port, connections):
    """Seconds that a pass takes in which an OSD fails, of which all are told; how many were."""
    folder.mkdir()
    script = folder / "ceph"
    tree = {
        "nodes": [
            {"id": -2, "name": "node1", "type": "host", "children": [0]},
            {"id": 0, "name": "osd.0", "type": "osd", "status": "down", "reweight": 1, "exists": 1},
        ],
        "stray": [],
    }
    script.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(tree)}\nEND\n")
    script.chmod(0o755)
    config = folder / "petanotify.toml"
    settings = {
        "cluster": {"name": "prod"},
        "ceph": {"command": [str(script)]},
        "checks.nodes": {"enabled": False},
        "checks.capacity": {"enabled": False},
        "smtp": {
            "host": place.address,
            "port": port,
            "security": "none",
            "from": "storage@example.org",
            "connections": connections,
        },
        "recipient": [{"address": f"r{number}@example.org"} for number in range(MAILS)],
    }
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
    print(f"{MAILS} mails, a round trip of {ROUND_TRIP_MS:g} ms, medians of {RUNS} runs; load {os.getloadavg()[0]:.1f}")
    ways = {
        "smtp-source, a connection for each mail": lambda place, folder, port: smtp_source(place, port),
        "smtp-source, one connection": lambda place, folder, port: smtp_source(place, port, "-d"),
    }
    for number in CONNECTIONS:
        ways[f"petanotify, connections = {number}"] = lambda place, folder, port, number=number: petanotify(
            place, folder, port, number
        )
    with private_folder("petanotify-bench") as folder, FarAway(f"bench{os.getpid()}", ROUND_TRIP_MS) as place:
        (port,) = free_ports(1, place.address)
        sink = ["smtp-sink", "-u", "nobody", f"inet:{place.address}:{port}", "1000"]
        with open(folder / "sink.log", "ab"):
            daemon = Daemon("smtp-sink", sink, folder / "sink.log")
        wait_until(lambda: answers(place.address, port), "smtp-sink listens", log=daemon.log)
        found = {name: [] for name in ways}
        for run in range(RUNS):
            for number, (name, way) in enumerate(ways.items()):
                found[name].append(way(place, folder / f"run{run}-{number}", port))
    slowest = statistics.median(took for took, _ in next(iter(found.values())))
    for name, runs in found.items():
        took = statistics.median(took for took, _ in runs)
        sent = sorted({str(sent) for _, sent in runs})
        print(f"{name:<42} {took:8.2f} s  {MAILS / took:7.0f} mails/s  {slowest / took:5.1f} x  sent {', '.join(sent)}")


if __name__ == "__main__":
    main()
