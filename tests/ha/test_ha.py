#!/usr/bin/env python3
"""Any node may die: petanotify on all nodes of a cluster with real Consul servers, while things break.

Each scenario runs in namespaces of its own, several side by side. Prints a table of what was lost and repeated and how
many passes it took to tell, then everything known of a scenario that missed its targets, and the count in the last line.
Needs root, Consul and libfaketime (tests/real/install) and the release build.

    tests/ha/test_ha.py [NAME…]     all scenarios, or those whose name contains one of these
"""

import os
import pickle
import shutil
import subprocess
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "real"))

from nodes import FAKE_TIME, LOG  # noqa: E402
from parts.petanotify import binary  # noqa: E402
from parts.processes import end_orderly_on_signals, private_folder  # noqa: E402
from scenarios import SCENARIOS  # noqa: E402

# So many scenarios run side by side: most of their time they wait for Consul. On a busy machine it would not answer in time.
BUSY = 4 * (os.cpu_count() or 1)
SIDE_BY_SIDE = 12 if os.getloadavg()[0] < BUSY else 6

# One that takes longer hangs.
LIMIT_S = 300

# Servers that wait for a disk which many share lose their leader, and then quorum does not hold: they live in memory.
MEMORY = Path("/dev/shm")
MEMORY_BYTES = 2 << 30

HEADER = (
    "| scenario | mode | mails | lost | repeated | in flight at a kill | latency (passes) | s |\n"
    "| --- | --- | --: | --: | --: | --: | --: | --: |"
)


def play(number, folder, seed):
    """Plays one scenario in this process and hands its figures to the one that started it."""
    scenario, mode = SCENARIOS[number]
    try:
        answer = scenario(Path(folder), mode, seed)
    except Exception:
        answer = traceback.format_exc()
    sys.stdout.buffer.write(pickle.dumps(answer))


def start(number, folder, seed):
    """Plays one scenario in namespaces of its own: its figures, or what went wrong, and how long it took."""
    begin = time.monotonic()
    # When the process ends, so does all in its namespaces.
    alone = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    command = [*alone, sys.executable, __file__, "--play", str(number), str(folder), str(seed)]
    try:
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S
        )
        said = result.stderr.decode(errors="replace")
        answer = pickle.loads(result.stdout) if result.stdout else said
    except subprocess.TimeoutExpired:
        answer = f"no end after {LIMIT_S} s"
    return answer, time.monotonic() - begin


def name(number):
    """What the scenario is called."""
    return SCENARIOS[number][0].__name__.replace("_", " ")


def main(names):
    end_orderly_on_signals()
    if not binary().exists():
        sys.exit(f"there is no {binary()}: run cargo build --release")
    if not FAKE_TIME:
        sys.exit("there is no libfaketime: run tests/real/install")
    seed = int(os.environ.get("PETANOTIFY_HA_SEED", time.time_ns() % 1_000_000))
    print(f"PETANOTIFY_HA_SEED={seed}\n{HEADER}", flush=True)
    chosen = [
        number
        for number, (scenario, mode) in enumerate(SCENARIOS)
        if not names or any(word in f"{scenario.__name__}:{mode}" for word in names)
    ]
    failed = []
    with private_folder("petanotify-ha", roomy_memory()) as folder, ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        runs = {n: pool.submit(start, n, folder / str(n), seed + n) for n in chosen}
        for number, run in runs.items():
            answer, took = run.result()
            row, failures = judge(answer)
            print(f"| {name(number)} | {SCENARIOS[number][1]} | {row} | {took:.0f} |", flush=True)
            if failures:
                failed.append((number, answer, failures + keep_log(number, folder)))
            shutil.rmtree(folder / str(number), ignore_errors=True)
    for number, answer, failures in failed:
        print(f"FAILED: {name(number)}, mode {SCENARIOS[number][1]}")
        for failure in failures + getattr(answer, "notes", []):
            print("    " + failure.replace("\n", "\n    "))
    print(f"{len(chosen) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not chosen else 0


def roomy_memory():
    """A file system in memory, if there is one with room for all."""
    is_roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES
    return MEMORY if is_roomy else None


def keep_log(number, folder):
    """Keeps what the nodes said in each round, and which mails arrived; where it is."""
    log = folder / str(number) / LOG
    kept = binary().parent / f"ha-{SCENARIOS[number][0].__name__}-{number}.log"
    if not log.exists():
        return []
    shutil.copy(log, kept)
    return [f"what the nodes said: {kept}"]


def judge(answer):
    """The figures of a row, and how they miss the targets."""
    if isinstance(answer, str):
        return "- | - | - | - | -", [answer]
    row = [answer.mails, len(answer.lost), answer.repeated, answer.excused, answer.latency]
    return " | ".join(map(str, row)), answer.failures()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--play"]:
        end_orderly_on_signals()
        play(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
    else:
        sys.exit(main(sys.argv[1:]))
