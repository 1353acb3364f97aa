#!/usr/bin/env python3
"""What a healthy pass takes by itself, with stand-ins for the ceph command and Consul; what starting it takes; and the
system calls of such a pass.

What a pass takes beside the two calls that are in it, also on a real cluster, is in ways.py. Prints medians of RUNS (200)
runs in turn, each with its target, and asserts nothing. Needs GNU time, strace and a release build.
"""

import os
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "real"))

import measure  # noqa: E402
from parts.petanotify import Petanotify, binary  # noqa: E402
from parts.processes import end_orderly_on_signals, free_ports, private_folder  # noqa: E402
from standins import Cluster  # noqa: E402

RUNS = int(os.environ.get("RUNS", "200"))
SIZE = {"hosts": 3, "osds_per_host": 4, "nodes": 5}
OWN_MS_TARGET = 3
PEAK_MIB_TARGET = 8
VERSION_MS_TARGET = 3


def healthy(folder):
    """The command line of a pass that finds a healthy cluster, as the one before did."""
    cluster = Cluster(folder / "cluster")
    cluster.become(**SIZE)
    (port,) = free_ports(1)
    petanotify = Petanotify(folder / "petanotify", cluster.settings(port))
    first = petanotify.run("check")
    if first.status != 0:
        sys.exit(str(first))
    return petanotify.command("check")


def main():
    end_orderly_on_signals()
    print(f"{binary().name} of {binary().stat().st_size} bytes; medians of {RUNS} runs, {measure.machine()}")
    with private_folder("petanotify-bench") as folder:
        check = healthy(folder)
        costs = measure.in_turn({"pass": check, "version": [binary(), "--version"]}, RUNS)
        wall = {name: measure.spread([run.wall * 1000 for run in runs], "ms") for name, runs in costs.items()}
        print("healthy pass with stand-ins")
        print(f"    processor  {measure.own_spread(costs['pass'])} without its children (target {OWN_MS_TARGET} ms)")
        print(f"    wall       {wall['pass']} with the stand-ins")
        print(f"    peak       {measure.peak_mib(check):.1f} MiB (target {PEAK_MIB_TARGET} MiB)")
        print("--version")
        print(f"    processor  {measure.own_spread(costs['version'])} (target {VERSION_MS_TARGET} ms)")
        print(f"    wall       {wall['version']} (target {VERSION_MS_TARGET} ms)")
        print(f"system calls of the pass, without its children: {measure.system_calls(check)}")


if __name__ == "__main__":
    main()
