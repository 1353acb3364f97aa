"""Starts daemons, waits for conditions, and ends every daemon again."""

import atexit
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LOG_TAIL_LINES = 30


class PartFailed(Exception):
    """A real part did not do what it was told to, with what it said last."""


class DaemonEnded(Exception):
    """A daemon has ended by itself, so that there is nothing to wait for any more."""


def run(arguments, *, stdin=None, environment=None, limit=60):
    """Runs a command to its end and returns its standard output.

    Raises PartFailed with everything it said when it fails or takes longer than
    `limit` seconds.
    """
    command = [str(argument) for argument in arguments]
    try:
        result = subprocess.run(
            command,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            env=environment,
            capture_output=True,
            timeout=limit,
        )
    except subprocess.TimeoutExpired as error:
        raise PartFailed(f"{' '.join(command)}: no answer within {limit} s") from error
    if result.returncode != 0:
        said = (result.stdout + result.stderr).decode(errors="replace").strip()
        raise PartFailed(f"{' '.join(command)}: exit {result.returncode}: {said}")
    return result.stdout.decode(errors="replace")


def wait_until(condition, what, *, limit=60, log=None):
    """Polls `condition` until it is true and returns what it returned.

    Raises PartFailed naming `what` after `limit` seconds, with the end of the
    file `log` and what the condition raised last.
    """
    deadline = time.monotonic() + limit
    while True:
        complaint = None
        try:
            answer = condition()
            if answer:
                return answer
        except (PartFailed, OSError, ValueError, KeyError) as error:
            complaint = error
        if time.monotonic() >= deadline:
            raise PartFailed(
                f"waited {limit} s in vain: {what}"
                + (f"\nlast complaint: {complaint}" if complaint else "")
                + (tail(log) if log else "")
            ) from complaint
        time.sleep(0.05)


def tail(log):
    """The last lines of a log file, with a heading."""
    try:
        lines = Path(log).read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    except OSError as error:
        lines = [str(error)]
    return "\n".join(["", f"the end of {log}:"] + [f"  {line}" for line in lines])


def free_ports(count, address="127.0.0.1"):
    """Ports of `address` that nothing listens on, all different."""
    with contextlib.ExitStack() as open_sockets:
        ports = []
        for _ in range(count):
            listener = open_sockets.enter_context(socket.socket())
            listener.bind((address, 0))
            ports.append(listener.getsockname()[1])
        return ports


def answers(address, port):
    """Whether something accepts connections there."""
    try:
        with socket.create_connection((address, port), timeout=2):
            return True
    except OSError:
        return False


class Daemon:
    """One daemon in the foreground of its own process group, logging to a file."""

    def __init__(self, name, command, log, environment=None):
        self.name = name
        self.log = Path(log)
        with open(self.log, "ab") as output:
            self.process = subprocess.Popen(
                [str(argument) for argument in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
            )
        _running.add(self)

    def running(self):
        """Whether it still runs. Raises nothing, whatever it died of."""
        return self.process.poll() is None

    def check(self):
        """Raises DaemonEnded, with the end of its log, when it has ended by itself."""
        if not self.running():
            raise DaemonEnded(
                f"{self.name} ended with status {self.process.returncode}{tail(self.log)}"
            )

    def kill(self):
        """Ends it at once, as a power cut would."""
        self._end(signal.SIGKILL, limit=10)

    def stop(self, limit=10):
        """Asks it to end, and ends it after `limit` seconds at the latest."""
        try:
            self._end(signal.SIGTERM, limit)
        except subprocess.TimeoutExpired:
            self.kill()

    def _end(self, how, limit):
        # The group outlives its leader when a child was left behind.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, how)
        self.process.wait(limit)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        _running.discard(self)


_running = set()


@atexit.register
def kill_all():
    """Ends every daemon that was started and not ended."""
    for daemon in list(_running):
        daemon.kill()


def end_orderly_on_signals():
    """Lets SIGINT and SIGTERM unwind the program, so that everything is taken down."""

    def unwind(number, _frame):
        # A second signal must not break off the taking down.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.exit(128 + number)

    signal.signal(signal.SIGINT, unwind)
    signal.signal(signal.SIGTERM, unwind)


@contextlib.contextmanager
def private_folder(name, below=None):
    """A temporary folder that is gone afterwards, as is every daemon, whatever happens; `below` is where it is made.

    Others may pass through it, since Postfix runs under a user of its own;
    what is secret in it is a file of mode 0600.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=below))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        kill_all()
        shutil.rmtree(folder, ignore_errors=True)


def processes_below(folder):
    """Command lines of the processes that name the folder in theirs or run in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command_line = (
                (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            )
            home = os.readlink(process / "cwd")
        except OSError:
            continue
        if process.name != str(os.getpid()) and (
            str(folder) in command_line or home.startswith(str(folder))
        ):
            found.append(command_line.strip())
    return found
