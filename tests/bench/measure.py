"""What a process costs, and how several figures are told in one line."""

import collections
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time


class Cost:
    """What one run took: seconds of wall clock, and of processor time with and without its children's."""

    def __init__(self, wall, own, whole):
        self.wall = wall
        self.own = own
        self.whole = whole


def cost(command, *, expect=(0,)):
    """Runs the command to its end and returns its Cost."""
    started = time.monotonic()
    process = subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    # The processor clock of a process (clock_getcpuclockid(3)) counts its threads and not its children; it can be read until
    # the process is reaped.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    wall = time.monotonic() - started
    own = time.clock_gettime(~process.pid << 3 | 2)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in expect:
        sys.exit(f"{command}: exit {process.returncode}")
    return Cost(wall, own, usage.ru_utime + usage.ru_stime)


def in_turn(commands, times, *, before=None, expect=(0,)):
    """Runs each of the named commands so often, in turn, so that all suffer alike from what else the machine does."""
    costs = {name: [] for name in commands}
    for _ in range(times):
        for name, command in commands.items():
            if before:
                before(name)
            costs[name].append(cost(command, expect=expect))
    return costs


def peak_mib(command):
    """Peak memory, by GNU time: a child of Python begins with Python's own."""
    command = ["/usr/bin/time", "-f", "%M", *map(str, command)]
    result = subprocess.run(command, capture_output=True, text=True)
    return int(result.stderr.split()[-1]) / 1024


def instructions(command):
    """Instructions in user mode without those of its children, by valgrind; None where that is not installed."""
    if not shutil.which("valgrind"):
        return None
    tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    result = subprocess.run([*tool, *map(str, command)], capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", result.stderr)
    return int(found[1]) if found else None


def system_calls(command):
    """How many system calls its threads make, and of which kind, by strace; none of its children. What writes and what waits
    for a disk is named even if there is none."""
    with tempfile.NamedTemporaryFile("r") as log:
        tool = ["strace", "--follow-forks", "-b", "execve", "-o", log.name]
        result = subprocess.run([*tool, *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        calls = re.findall(r"^(\d+) +(\w+)\(", log.read(), re.MULTILINE)
    if not calls:
        sys.exit(f"{tool}: exit {result.returncode}")
    # Who becomes another program is a child, but for the command itself.
    children = {process for process, name in calls if name == "execve"} - {calls[0][0]}
    kinds = collections.Counter(name for process, name in calls if process not in children)
    named = ", ".join(f"{kinds[name]} {name}" for name in ("write", "fsync", "fdatasync"))
    others = ", ".join(f"{number} {name}" for name, number in kinds.most_common())
    return f"{kinds.total()}, among them {named}\n  by kind: {others}"


def millions(number):
    """An instruction count for people."""
    return "valgrind is not installed" if number is None else f"{number / 1e6:.1f} million instructions"


def own_ms(costs):
    """The median of the processor time without children's, in milliseconds."""
    return statistics.median(each.own for each in costs) * 1000


def spread(values, unit, digits=1):
    """`4.0 ms (quartiles 3.9 to 4.2)`"""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.{digits}f} {unit} (quartiles {low:.{digits}f} to {high:.{digits}f})"


def own_spread(costs, digits=2):
    """The processor time without children's, as `spread` tells it."""
    return spread([each.own * 1000 for each in costs], "ms", digits)


def machine():
    """What else one has to know of the figures."""
    return f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
