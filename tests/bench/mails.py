#!/usr/bin/env python3
"""What it costs to deliver many waiting mails in one pass to a server nearby, beside smtp-source with one session.

Both send mails of the same length over one connection to the same smtp-sink, in turn, once with the state on a disk and once
in memory: each mail that was accepted is written down before the next one, so that a crash repeats none, and the disk sets
the pace. What writing down a line takes there is measured in between. What a pass takes without mails is subtracted.

Prints medians of RUNS (5) runs and asserts nothing. Needs Postfix's smtp-sink and smtp-source and a release build. MAILS
says how many mails, and ON_DISK and IN_MEMORY in which folders.
"""

import os
import statistics
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "real"))

import measure  # noqa: E402
from parts.processes import Daemon, answers, end_orderly_on_signals, free_ports, private_folder, wait_until  # noqa: E402
from waiting import Waiting, sealed  # noqa: E402

RUNS = int(os.environ.get("RUNS", "5"))
MAILS = [int(number) for number in os.environ.get("MAILS", "100 1000 10000").split()]
PLACES = {
    "on disk": os.environ.get("ON_DISK", "/var/tmp"),
    "in memory": os.environ.get("IN_MEMORY", "/dev/shm"),
}
RATE_TARGET = 0.8
GROWTH_TARGET = 1.2
# What smtp-source puts in front of the text whose length it is told, with the addresses that it gets here.
SOURCE_HEADER_BYTES = 130
# An id, its checksum and the blanks in the list of what was sent.
LINE = b"0123456789ab 01234567\n"
LINES = 100
# Some time between two lines, as between two mails: a disk that is asked without a pause answers sooner.
PAUSE_S = 0.0001


def written_down_s(folder):
    """Seconds that adding lines takes, each of which is on disk before the next."""
    path = folder / "lines"
    took = []
    with open(path, "ab", buffering=0) as lines:
        for _ in range(LINES):
            time.sleep(PAUSE_S)
            started = time.monotonic()
            lines.write(LINE)
            os.fdatasync(lines.fileno())
            took.append(time.monotonic() - started)
    path.unlink()
    return took


def delivered(folder, waiting, number, port, length):
    """Prints what so many mails cost and returns the seconds of each beyond a pass without any."""
    texts = {"pass": sealed(waiting.with_mails(number)), "no mails": sealed(waiting.with_mails(0))}
    lines = []

    def before(name):
        if name in texts:
            waiting.restore(texts[name])
        else:
            lines.extend(written_down_s(folder))

    check = waiting.petanotify.command("check")
    yardstick = ["smtp-source", "-s", 1, "-d", "-m", number, "-l", length - SOURCE_HEADER_BYTES]
    yardstick += ["-f", "storage@example.org", "-t", "r@example.org", f"inet:127.0.0.1:{port}"]
    costs = measure.in_turn({"pass": check, "no mails": check, "smtp-source": yardstick}, RUNS, before=before)
    passes, empties, sources = ([cost.wall for cost in costs[name]] for name in ("pass", "no mails", "smtp-source"))
    whole, empty = statistics.median(passes), statistics.median(empties)
    # Their mean: a pass has to wait for the slow ones as well.
    line = statistics.fmean(lines)
    processor = statistics.median(cost.own for cost in costs["pass"])
    each, source = (whole - empty) / number, statistics.median(sources) / number
    ours = measure.spread([(wall - empty) / number * 1e6 for wall in passes], "us")
    theirs = measure.spread([wall / number * 1e6 for wall in sources], "us")
    print(f"  {number} mails: a pass {whole:.3f} s, without mails {empty:.3f} s (subtracted), processor {processor:.3f} s")
    print(f"    petanotify   {ours} each, {1 / each:.0f} mails/s; with the pass around it {number / whole:.0f}")
    print(f"    smtp-source  {theirs} each, {1 / source:.0f} mails/s: ratio {source / each:.2f} (target {RATE_TARGET})")
    print(
        f"    writing down {line * 1e6:.1f} us each line, {line / each:.0%} of each mail; "
        f"beside smtp-source with such a line: ratio {(source + line) / each:.2f}"
    )
    return each


def main():
    end_orderly_on_signals()
    print(f"mails to smtp-sink over one connection; medians of {RUNS} runs in turn; {measure.machine()}")
    for name, below in PLACES.items():
        with private_folder("petanotify-bench", below) as folder:
            (port,) = free_ports(1)
            waiting = Waiting(folder / "waiting", port)
            mail = waiting.petanotify.run("queue", "show", waiting.state["queue"][0]["id"]).stdout
            # On the wire each line ends in two bytes.
            length = len(mail.encode()) + mail.count("\n")
            user = ["-u", "nobody"] if os.geteuid() == 0 else []
            sink = Daemon("smtp-sink", ["smtp-sink", *user, f"127.0.0.1:{port}", "100"], folder / "sink.log")
            wait_until(lambda port=port: answers("127.0.0.1", port), "smtp-sink answers", log=sink.log)
            print(f"{name} ({below}), mails of {length} bytes")
            each = {number: delivered(folder, waiting, number, port, length) for number in MAILS}
            sink.stop()
        growth = each[MAILS[-1]] / each[MAILS[0]]
        print(f"  one of {MAILS[-1]} mails costs {growth:.2f} of one of {MAILS[0]} (target {GROWTH_TARGET})")


if __name__ == "__main__":
    main()
