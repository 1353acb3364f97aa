#!/usr/bin/env python3
"""What a pass costs on a cluster of 10,000 OSDs on 500 hosts and 1,000 nodes, beside walking through the same answers.

The yardstick is tests/bench/walk.rs: it reads the same bytes with serde_json and keeps nothing. Both are processes of their
own, measured from exec to exit. Prints medians and asserts nothing.
"""

import contextlib
import os
import shutil
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "real"))

import measure  # noqa: E402
from parts.petanotify import Petanotify, binary  # noqa: E402
from parts.processes import Daemon, answers, end_orderly_on_signals, free_ports, private_folder, wait_until  # noqa: E402
from standins import Cluster  # noqa: E402

RUNS = int(os.environ.get("RUNS", "20"))
SMALL = {"hosts": 3, "osds_per_host": 4, "nodes": 5}
BIG = {"hosts": 500, "osds_per_host": 20, "nodes": 1000}
DOWN = {"osds_down": 3000, "nodes_down": 150}


class Scenario:
    """A pass on one cluster, from one state, beside the walk through the answers it gets."""

    def __init__(self, name, folder, size, relay_port, *, first=None, then=(), expect=0):
        """`first` is the size of the cluster in an earlier pass; `then` follows without being measured."""
        self.name = name
        self.expect = expect
        folder.mkdir()
        self.cluster = Cluster(folder / "cluster")
        self.petanotify = Petanotify(folder / "petanotify", self.cluster.settings(relay_port))
        for earlier in [first or size, *then]:
            self.cluster.become(**earlier)
            self.petanotify.run("check")
        documents = self.cluster.become(**size)
        self.bytes = sum(len(document) for document in documents)
        self.documents = []
        for number, document in enumerate(documents):
            self.documents.append(folder / f"{number}.json")
            self.documents[-1].write_text(document)
        self.state = self.petanotify.state_file.parent
        self.saved = folder / "saved"
        shutil.copytree(self.state, self.saved)

    def restore(self):
        """Puts the state back from which the pass is to begin."""
        shutil.rmtree(self.state)
        shutil.copytree(self.saved, self.state)

    def pass_command(self):
        return self.petanotify.command("check")

    def walk_command(self):
        return [binary().parent / "examples" / "walk", *self.documents]


def scenarios(folder, sink_port, dead_port):
    down = {**BIG, **DOWN}
    return [
        Scenario("12 OSDs, 5 nodes, healthy", folder / "small", SMALL, sink_port),
        Scenario("healthy", folder / "healthy", BIG, sink_port),
        Scenario("3,000 OSDs and 150 nodes go down: two mails", folder / "new", down, sink_port, first=BIG),
        Scenario("still down", folder / "still", down, sink_port),
        Scenario("still down, no mail server", folder / "queued", down, dead_port, expect=1),
        Scenario("all up again: two mails", folder / "again", BIG, sink_port, first=down),
    ]


def ratio(one, other):
    return f"{one / other:.2f}" if other else "-"


def main():
    end_orderly_on_signals()
    sink_port, dead_port = free_ports(2)
    print(f"big cluster: {BIG['hosts'] * BIG['osds_per_host']} OSDs, {BIG['nodes']} nodes; {measure.machine()}")
    with private_folder("petanotify-bench") as folder, contextlib.ExitStack() as stack:
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        sink = Daemon("smtp-sink", ["smtp-sink", *user, f"127.0.0.1:{sink_port}", "100"], folder / "sink.log")
        stack.callback(sink.stop)
        wait_until(lambda: answers("127.0.0.1", sink_port), "smtp-sink answers", log=sink.log)
        base = None
        for scenario in scenarios(folder, sink_port, dead_port):
            run, walk = scenario.pass_command(), scenario.walk_command()
            costs = measure.in_turn(
                {"pass": run, "walk": walk},
                RUNS,
                before=lambda name, scenario=scenario: scenario.restore() if name == "pass" else None,
                expect=(0, scenario.expect),
            )
            passed, walked = (measure.own_ms(costs[name]) for name in ("pass", "walk"))
            scenario.restore()
            pass_instructions = measure.instructions(run)
            walk_instructions = measure.instructions(walk)
            scenario.restore()
            base = base or (passed, walked, pass_instructions, walk_instructions)
            print(f"{scenario.name} ({scenario.bytes / 1e6:.2f} MB of answers)")
            print(f"    pass       {measure.own_spread(costs['pass'])}, {measure.millions(pass_instructions)}, peak {measure.peak_mib(run):.1f} MiB")
            print(f"    walk       {measure.own_spread(costs['walk'])}, {measure.millions(walk_instructions)}")
            line = f"    pass/walk  {ratio(passed, walked)} of the time"
            if pass_instructions:
                line += f", {ratio(pass_instructions, walk_instructions)} of the instructions"
            if base[0] != passed:
                line += f"; beyond the small cluster {ratio(passed - base[0], walked - base[1])} of the time"
                if pass_instructions:
                    beyond = ratio(pass_instructions - base[2], walk_instructions - base[3])
                    line += f", {beyond} of the instructions"
            print(line)


if __name__ == "__main__":
    main()
