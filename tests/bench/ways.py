#!/usr/bin/env python3
"""What a healthy pass costs over either way to the monitors, beside what the asking alone costs in that way.

Beside the ceph command stand two calls of it, side by side; beside librados stands a C program that asks the same
(librados.c here). All run in turn, so that whatever else the machine does falls on all of them. First on a real cluster,
then with stand-ins for the command, the library and Consul's absence, with the system calls of such a pass. Prints
medians of ROUNDS (40) rounds and asserts nothing. Needs what tests/real/install installs and a release build.
"""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "real"))

from measure import in_turn, machine, own_spread, spread, system_calls  # noqa: E402
from parts.cluster import Cluster  # noqa: E402
from parts.petanotify import Petanotify, binary  # noqa: E402
from parts.processes import end_orderly_on_signals, private_folder  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "40"))
TESTS = Path(__file__).resolve().parents[1]
RATIOS = [
    ("pass by the CLI", "two CLI calls"),
    ("pass by librados", "C program"),
    ("pass by librados", "two CLI calls"),
]


def build(source, target, *options):
    """Builds a C file below tests/."""
    subprocess.run(["cc", "-O2", "-o", target, TESTS / source, *options], check=True)


def passes(folder, settings, *, environment=None, password=None):
    """The command line of a pass in each way, after a first pass that has nothing left to do."""
    lines = {}
    for via in ("cli", "librados"):
        tables = {name: dict(table) if isinstance(table, dict) else table for name, table in settings.items()}
        tables["ceph"]["via"] = via
        if via == "librados":
            tables["ceph"].pop("command", None)
        petanotify = Petanotify(folder / f"petanotify-{via}", tables, environment=environment)
        if password:
            tables["smtp"]["password_file"] = petanotify.write_secret("password", password)
        first = petanotify.run("check")
        if first.status != 0:
            sys.exit(str(first))
        lines[via] = petanotify.command("check")
    return lines


def report(title, costs):
    print(f"{title}, {ROUNDS} rounds, {machine()}")
    for name, runs in costs.items():
        wall = spread([run.wall * 1000 for run in runs], "ms")
        processor = spread([run.whole * 1000 for run in runs], "ms")
        print(f"  {name:<18} wall {wall}, processor {processor}")
    for over, under in RATIOS:
        pairs = list(zip(costs[over], costs[under]))
        wall = statistics.median(one.wall / other.wall for one, other in pairs)
        processor = statistics.median(one.whole / other.whole for one, other in pairs)
        print(f"  {over} / {under}: wall {wall:.3f}, processor {processor:.3f}")


def on_a_real_cluster(folder):
    folder.mkdir()
    program = folder / "librados"
    build("bench/librados.c", program, "-l:librados.so.2")
    with Cluster(folder / "cluster", mailboxes=("ops",)) as cluster:
        settings = cluster.settings("ops")
        lines = passes(folder, settings, password=cluster.password)
        ceph = settings["ceph"]
        call = f"ceph --conf {ceph['conf']} --name {ceph['name']} --keyring {ceph['keyring']} --connect-timeout 18"
        both = f"{call} status --format json & {call} osd tree --format json & wait"
        commands = {
            "two CLI calls": ["sh", "-c", both],
            "pass by the CLI": lines["cli"],
            "C program": [program, ceph["conf"], ceph["name"], ceph["keyring"]],
            "pass by librados": lines["librados"],
        }
        report("Real cluster", in_turn(commands, ROUNDS))


def with_stand_ins(folder):
    folder.mkdir()
    answers = folder / "answers"
    answers.mkdir()
    recorded = TESTS / "fixtures" / "ceph" / "18.2.7"
    status, tree = ((recorded / f"{name}.healthy.json").read_bytes() for name in ("status", "osd-tree"))
    (answers / "status").write_bytes(status)
    (answers / "osd tree").write_bytes(tree)
    script = folder / "ceph"
    script.write_text(
        f'#!/bin/sh\ncase "$*" in *"osd tree"*) exec cat "{answers}/osd tree" ;; esac\nexec cat {answers}/status\n'
    )
    script.chmod(0o755)
    library = folder / "librados.so.2"
    build("integration/librados.c", library, "-shared", "-fPIC")
    program = folder / "librados"
    build("bench/librados.c", program, str(library), f"-Wl,-rpath,{folder}")
    environment = {"LD_LIBRARY_PATH": str(folder), "LIBRADOS_FOLDER": str(answers)}
    os.environ.update(environment)
    settings = {
        "cluster": {"name": "prod"},
        "ceph": {"command": [str(script)]},
        "checks.nodes": {"enabled": False},
        "smtp": {"host": "localhost", "from": "storage@example.org"},
        "recipient": [{"address": "ops@example.org"}],
    }
    lines = passes(folder, settings, environment=environment)
    commands = {
        "two CLI calls": ["sh", "-c", f"{script} status & {script} osd tree & wait"],
        "pass by the CLI": lines["cli"],
        "C program": [program, "/dev/null", "client.petanotify", "/dev/null"],
        "pass by librados": lines["librados"],
    }
    costs = in_turn(commands, ROUNDS)
    report("Stand-ins", costs)
    for name in ("pass by the CLI", "pass by librados"):
        print(f"  {name}: without its children {own_spread(costs[name])} of processor time")
    for name in ("pass by the CLI", "pass by librados"):
        print(f"System calls of a {name}, without its children: {system_calls(commands[name])}")


def main():
    end_orderly_on_signals()
    print(json.dumps({"program": str(binary().name), "bytes": binary().stat().st_size}))
    with private_folder("petanotify-ways") as folder:
        on_a_real_cluster(folder / "real")
        with_stand_ins(folder / "standins")


if __name__ == "__main__":
    main()
