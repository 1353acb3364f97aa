#!/usr/bin/env python3
"""What a healthy pass costs: on a real cluster beside the two ceph calls alone, and by itself with a stand-in CLI.

Prints medians of paired runs and asserts nothing. Needs what tests/real/install installs and a release build.
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

from parts.cluster import Cluster  # noqa: E402
from parts.petanotify import Petanotify, binary  # noqa: E402
from parts.processes import end_orderly_on_signals, private_folder  # noqa: E402

PAIRS = int(os.environ.get("PAIRS", "40"))
STATUS = {
    "pgmap": {"bytes_used": 1, "bytes_avail": 99, "bytes_total": 100},
    "mgrmap": {"available": True},
}
TREE = {
    "nodes": [
        {"id": -1, "name": "default", "type": "root", "children": [-2]},
        {"id": -2, "name": "node1", "type": "host", "children": [0]},
        {"id": 0, "name": "osd.0", "type": "osd", "status": "up", "reweight": 1, "exists": 1},
    ],
    "stray": [],
}


def cost(command):
    """Runs the command; seconds of wall clock, seconds of processor time with its children's."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    took = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command}: exit {process.returncode}")
    return took, usage.ru_utime + usage.ru_stime


def peak(command):
    """Peak memory in MiB, by GNU time: a child of Python begins with Python's own."""
    result = subprocess.run(["/usr/bin/time", "-f", "%M", *command], capture_output=True, text=True)
    return int(result.stderr.split()[-1]) / 1024


def paired(left, right, pairs=PAIRS):
    """Costs of two commands run in turn, and the median of the ratios of their wall clock."""
    runs = [(cost(left), cost(right)) for _ in range(pairs)]
    ratio = statistics.median(one[0] / other[0] for one, other in runs)
    return [one for one, _ in runs], [other for _, other in runs], ratio


def describe(name, runs):
    wall, cpu = ([run[n] * 1000 for run in runs] for n in (0, 1))
    middle = statistics.quantiles(wall, n=4)
    print(
        f"{name:<44} wall {statistics.median(wall):7.1f} ms (quartiles {middle[0]:.1f} to {middle[2]:.1f}), "
        f"processor {statistics.median(cpu):6.1f} ms"
    )


def command(petanotify, *arguments):
    return [str(binary()), "--config", str(petanotify.config), "--state", str(petanotify.state_file), *arguments]


def on_a_real_cluster(folder):
    """A pass against the two calls that are in it."""
    with Cluster(folder / "cluster", mailboxes=("ops",)) as cluster:
        settings = cluster.settings("ops")
        petanotify = Petanotify(folder / "petanotify", settings)
        settings["smtp"]["password_file"] = petanotify.write_secret("password", cluster.password)
        first = petanotify.run("check")
        if first.status != 0:
            sys.exit(str(first))
        ceph = settings["ceph"]
        call = f"ceph --conf {ceph['conf']} --name {ceph['name']} --keyring {ceph['keyring']} --connect-timeout 18"
        both = ["sh", "-c", f"{call} status --format json & {call} osd tree --format json & wait"]
        passes, calls, ratio = paired(command(petanotify, "check"), both)
    describe("two ceph calls side by side", calls)
    describe("petanotify check, healthy, the same calls", passes)
    print(f"wall clock, median of {PAIRS} paired ratios: {ratio:.3f}")


def with_a_stand_in(folder):
    """What petanotify itself takes: the CLI is a shell script, Consul is not asked."""
    folder.mkdir()
    (folder / "status").write_text(json.dumps(STATUS))
    (folder / "tree").write_text(json.dumps(TREE))
    script = folder / "ceph"
    script.write_text(f'#!/bin/sh\ncase "$*" in *"osd tree"*) exec cat {folder}/tree ;; esac\nexec cat {folder}/status\n')
    script.chmod(0o755)
    settings = {
        "cluster": {"name": "prod"},
        "ceph": {"command": [str(script)]},
        "checks.nodes": {"enabled": False},
        "smtp": {"host": "localhost", "from": "storage@example.org"},
        "recipient": [{"address": "ops@example.org"}],
    }
    petanotify = Petanotify(folder / "petanotify", settings)
    first = petanotify.run("check")
    if first.status != 0:
        sys.exit(str(first))
    both = ["sh", "-c", f"{script} status & {script} osd tree & wait"]
    passes, calls, _ = paired(command(petanotify, "check"), both, pairs=5 * PAIRS)
    describe("two stand-in calls side by side", calls)
    describe("petanotify check with the stand-in", passes)
    own = statistics.median((one[1] - other[1]) * 1000 for one, other in zip(passes, calls))
    print(f"processor time beyond the two calls, median of pairs: {own:.1f} ms")
    print(f"peak memory of that pass: {peak(command(petanotify, 'check')):.1f} MiB")
    describe("petanotify --version", [cost([str(binary()), "--version"]) for _ in range(5 * PAIRS)])


def main():
    end_orderly_on_signals()
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} processors, load before: {load:.1f}; {binary().stat().st_size} bytes of program")
    with private_folder("petanotify-bench") as folder:
        with_a_stand_in(folder / "stand-in")
        on_a_real_cluster(folder)


if __name__ == "__main__":
    main()
