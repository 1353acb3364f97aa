#!/usr/bin/env python3
"""What the state costs when many mails wait: loading, saving and merging it, in time and memory, by their number.

Prints medians and asserts nothing. Needs a release build and GNU time.
"""

import os
import statistics
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "real"))

import measure  # noqa: E402
from parts.processes import end_orderly_on_signals, free_ports, private_folder  # noqa: E402
from waiting import Waiting, sealed  # noqa: E402

SIZES = [int(size) for size in os.environ.get("SIZES", "1000 10000 100000").split()]
RUNS = int(os.environ.get("RUNS", "5"))


def main():
    end_orderly_on_signals()
    print(f"medians of {RUNS} runs; {measure.machine()}")
    print(f"{'mails':>7}  {'MB':>6}  {'what':<34}  {'wall ms':>8}  {'processor ms':>12}  {'us/mail':>8}  {'MiB':>6}")
    with private_folder("petanotify-bench") as folder:
        second = folder / "second"
        second.mkdir()
        (port,) = free_ports(1)
        os.environ["RUNTIME_DIRECTORY"] = str(second)
        waiting = Waiting(folder / "waiting", port)
        petanotify = waiting.petanotify
        home = petanotify.state_file
        away = second / str(home).strip("/").replace("/", "-")
        for size in SIZES:
            document = waiting.with_mails(size)
            text = sealed(document)
            other = sealed({**document, "origin": document["origin"] + 1})
            one = f"{size - 1:012x}"
            cases = [
                ("load (status)", {home: text}, ("status",), 0),
                ("load, save (queue drop ID)", {home: text}, ("queue", "drop", one), 0),
                ("load two, merge (status)", {home: text, away: other}, ("status",), 0),
                ("load two, merge, save (queue drop)", {home: text, away: other}, ("queue", "drop", one), 0),
                ("a pass without mail server (check)", {home: text}, ("check",), 1),
            ]
            for name, files, arguments, exits in cases:
                command = petanotify.command(*arguments)

                def put_back(_, files=files):
                    for path, content in files.items():
                        path.write_bytes(content)

                costs = measure.in_turn({name: command}, RUNS, before=put_back, expect=(exits,))[name]
                wall, processor = statistics.median(cost.wall * 1000 for cost in costs), measure.own_ms(costs)
                put_back(name)
                peak = measure.peak_mib(command)
                away.unlink(missing_ok=True)
                print(
                    f"{size:>7}  {len(text) / 1e6:>6.1f}  {name:<34}  {wall:>8.0f}  {processor:>12.0f}  "
                    f"{processor * 1000 / size:>8.2f}  {peak:>6.1f}"
                )


if __name__ == "__main__":
    main()
