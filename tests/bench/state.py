#!/usr/bin/env python3
"""What the state costs when many mails wait: loading, saving and merging it, in time and memory, by their number.

Prints medians and asserts nothing. Needs a release build and GNU time.
"""

import json
import os
import statistics
import subprocess
import sys
import zlib
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "real"))

from parts.petanotify import Petanotify, binary  # noqa: E402
from parts.processes import end_orderly_on_signals, private_folder  # noqa: E402

SIZES = [int(size) for size in os.environ.get("SIZES", "1000 10000 100000").split()]
RUNS = int(os.environ.get("RUNS", "5"))
STATUS = {
    "pgmap": {"bytes_used": 1, "bytes_avail": 99, "bytes_total": 100},
    "mgrmap": {"available": True},
}
TREE = {
    "nodes": [
        {"id": -1, "name": "default", "type": "root", "children": [-2]},
        {"id": -2, "name": "node1", "type": "host", "children": [0]},
        {"id": 0, "name": "osd.0", "type": "osd", "status": "down", "reweight": 1, "exists": 1},
    ],
    "stray": [],
}


def troubled(folder):
    """A petanotify whose cluster has an OSD down and whose mail server is not there."""
    folder.mkdir()
    (folder / "status").write_text(json.dumps(STATUS))
    (folder / "tree").write_text(json.dumps(TREE))
    script = folder / "ceph"
    script.write_text(f'#!/bin/sh\ncase "$*" in *"osd tree"*) exec cat {folder}/tree ;; esac\nexec cat {folder}/status\n')
    script.chmod(0o755)
    (folder / "run").mkdir()
    settings = {
        "cluster": {"name": "prod"},
        "ceph": {"command": [str(script)]},
        "checks.nodes": {"enabled": False},
        "smtp": {"host": "127.0.0.1", "port": 1, "security": "none", "from": "storage@example.org"},
        "recipient": [{"address": "ops@example.org"}],
    }
    environment = {"RUNTIME_DIRECTORY": str(folder / "run")}
    petanotify = Petanotify(folder / "petanotify", settings, environment=environment)
    first = petanotify.run("check")
    if first.status != 1:
        sys.exit(str(first))
    return petanotify


def sealed(document):
    """The document as petanotify writes it, with its checksum."""
    body = json.dumps(document, indent=2, ensure_ascii=False).encode().removesuffix(b"\n}")
    return body + f',\n  "checksum": "{zlib.crc32(body):08x}"\n}}\n'.encode()


def with_mails(state, number):
    """The state with its one mail to so many recipients."""
    mail = state["queue"][0]
    queue = [{**mail, "id": f"{n:012x}", "to": f"admin{n}@example.org"} for n in range(number)]
    document = {**state, "queue": queue}
    document.pop("checksum", None)
    return document


def measure(petanotify, files, *arguments, exits=0):
    """Medians of wall clock and processor time in ms, and of peak memory in MiB, each run on these files."""
    figures = []
    command = [binary(), "--config", petanotify.config, "--state", petanotify.state_file, *arguments]
    for _ in range(RUNS):
        for path, content in files.items():
            path.write_bytes(content)
        result = subprocess.run(
            ["/usr/bin/time", "--quiet", "-f", "%e %U %S %M", *command],
            capture_output=True,
            text=True,
            env={"PATH": os.environ["PATH"], **petanotify.environment},
        )
        if result.returncode != exits:
            sys.exit(f"{arguments}: exit {result.returncode}\n{result.stderr}")
        wall, user, system, peak = map(float, result.stderr.split("\n")[-2].split())
        figures.append((wall * 1000, (user + system) * 1000, peak / 1024))
    return [statistics.median(column) for column in zip(*figures)]


def main():
    end_orderly_on_signals()
    print(f"{os.cpu_count()} processors, load before: {os.getloadavg()[0]:.1f}; medians of {RUNS} runs")
    print(f"{'mails':>7}  {'MB':>6}  {'what':<34}  {'wall ms':>8}  {'processor ms':>12}  {'us/mail':>8}  {'MiB':>6}")
    with private_folder("petanotify-bench") as folder:
        petanotify = troubled(folder / "cluster")
        home = petanotify.state_file
        away = folder / "cluster" / "run" / str(home).strip("/").replace("/", "-")
        state = petanotify.state()
        for size in SIZES:
            document = with_mails(state, size)
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
                wall, processor, peak = measure(petanotify, files, *arguments, exits=exits)
                away.unlink(missing_ok=True)
                print(
                    f"{size:>7}  {len(text) / 1e6:>6.1f}  {name:<34}  {wall:>8.0f}  {processor:>12.0f}  "
                    f"{processor * 1000 / size:>8.2f}  {peak:>6.1f}"
                )


if __name__ == "__main__":
    main()
