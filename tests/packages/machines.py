"""Debian machines to install packages in: a real systemd boots in a root of its own."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests/real"))

from parts.processes import PartFailed, run, tail, wait_until  # noqa: E402

BUILD = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
ROOTS = BUILD / "real-parts/roots"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def into_private_network():
    """Starts this program anew in a network of its own, of which only the loopback is there."""
    if os.environ.get("PETANOTIFY_NETWORK") != "private":
        os.environ["PETANOTIFY_NETWORK"] = "private"
        os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])
    run(["ip", "link", "set", "lo", "up"])


def make_root(suite, *packages):
    """The folder of a minimal Debian of that suite with systemd, and with these packages.

    Made by debootstrap from the mirror that this machine uses, and kept below cargo's
    build folder. What `apt install` of a package recommends lies in its cache, so that
    installing needs no network.
    """
    root = ROOTS / "-".join([suite, *packages])
    if root.exists():
        return root
    new = root.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    ROOTS.mkdir(parents=True, exist_ok=True)
    template = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    mirrors = [uri for uri in run(template).split() if "security" not in uri]
    if not mirrors:
        raise PartFailed("apt knows no Debian mirror: is there a sources.list?")
    include = "--include=" + ",".join(["systemd", "systemd-sysv"])
    run(["debootstrap", "--variant=minbase", include, suite, new, mirrors[0]], limit=600)
    for name in ("resolv.conf", "hosts"):
        shutil.copy(Path("/etc") / name, new / "etc" / name)
    # No daemon shall be started from within a chroot.
    policy = new / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    proxies = run(["apt-config", "dump", "--format", '%f "%v";%n', "Acquire::http", "Acquire::https"])
    (new / "etc/apt/apt.conf.d/90machine").write_text(proxies)
    environment = {"PATH": PATH, "DEBIAN_FRONTEND": "noninteractive", "LANG": "C.UTF-8"}
    apt = ["chroot", new, "apt-get", "--quiet", "--quiet", "--yes", "--no-install-recommends"]
    run([*apt, "update"], environment=environment, limit=300)
    if packages:
        run([*apt, "install", *packages], environment=environment, limit=600)
    run([*apt, "install", "--download-only", "ca-certificates"], environment=environment, limit=300)
    policy.unlink()
    new.rename(root)
    return root


class Machine:
    """A machine that boots from the root in a folder and forgets all changes in the end.

    `shared` folders are the same inside and outside.
    """

    def __init__(self, folder, root, *, shared=()):
        self.folder = folder
        self.root = root
        self.shared = shared
        self._boot = None
        self._init = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Boots and waits until systemd has started what it starts by itself."""
        self.folder.mkdir()
        work = self.folder / "work"
        work.mkdir()
        log = self.folder / "boot.log"
        command = [Path(__file__).with_name("boot"), self.root, work, *self.shared]
        with open(log, "wb") as output:
            self._boot = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

        def booted():
            if self._boot.poll() is not None:
                raise PartFailed(f"the machine ended with status {self._boot.returncode}{tail(log)}")
            self._init = self._find_init()
            return self._init and self.state() in ("running", "degraded")

        wait_until(booted, "the machine to boot", log=log)

    def stop(self):
        """Switches it off at once."""
        if self._boot:
            self._boot.kill()
            self._boot.wait()
            self._remove_groups()
            self._boot = None

    def state(self):
        """What systemd says of the whole: `starting`, `running`, `degraded`."""
        return self.run("systemctl", "is-system-running", check=False).stdout.strip()

    def run(self, *command, check=True, stdin=None, limit=120):
        """Runs a command as root in it; see `Ended` for what is returned.

        With `check` it raises PartFailed when the command fails.
        """
        environment = {"PATH": PATH, "LANG": "C.UTF-8", "HOME": "/root", "TERM": "dumb"}
        environment["DEBIAN_FRONTEND"] = "noninteractive"
        result = subprocess.run(
            [*self._enter(), *[str(word) for word in command]],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            text=True,
            errors="replace",
            timeout=limit,
        )
        if check and result.returncode != 0:
            raise PartFailed(
                f"{shlex.join(map(str, command))}: exit {result.returncode}: {result.stdout.strip()}"
            )
        return result

    def shell(self, text, **options):
        """Runs a line of shell in it."""
        return self.run("sh", "-c", text, **options)

    def path(self, path):
        """A file of it, as it is reached from outside."""
        return Path(f"/proc/{self._init}/root{path}")

    def write(self, path, text, mode=0o644):
        """Writes a file of root's, and the folders that lead to it."""
        inside = self.path(path)
        inside.parent.mkdir(parents=True, exist_ok=True)
        inside.touch(mode=mode)
        inside.chmod(mode)
        inside.write_text(text)

    def journal(self, program):
        """What the program has said so far, without times and names."""
        self.run("journalctl", "--sync", check=False)
        return self.run("journalctl", "--quiet", "--no-pager", "--output=cat", "--identifier", program).stdout

    # How it is reached.

    def _enter(self):
        return [
            "nsenter",
            f"--target={self._init}",
            *("--mount", "--uts", "--ipc", "--pid", "--cgroup", "--root"),
            "--",
        ]

    def _find_init(self):
        children = Path(f"/proc/{self._boot.pid}/task/{self._boot.pid}/children")
        for child in children.read_text().split():
            # Before it is systemd it is the script that makes the mounts.
            if os.readlink(f"/proc/{child}/exe").endswith("/systemd"):
                return child
        return None

    def _remove_groups(self):
        top = Path(run(["findmnt", "-n", "--first-only", "-t", "cgroup2", "-o", "TARGET"]).strip())
        groups = top / f"petanotify-{self._boot.pid}"
        if not groups.exists():
            return
        # A group can be removed when the last of its processes is gone.
        wait_until(
            lambda: "populated 0" in (groups / "cgroup.events").read_text(),
            "the machine's processes to end",
        )
        for group, _, _ in os.walk(groups, topdown=False):
            os.rmdir(group)
