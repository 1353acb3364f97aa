#!/usr/bin/env python3
"""Shows a new user's first minutes: from `apt install` on a clean Debian 12 and on a clean Debian 11 to the first mail.

Both machines boot from a minimal root on a private network, on which a real mail
server with STARTTLS and login listens. Prints what was typed, what was answered and
how long it took. Needs root and the .deb that packaging/build-deb makes.
"""

import os
import re
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from machines import Machine, into_private_network, make_root  # noqa: E402
from parts.mail import Mail  # noqa: E402
from parts.petanotify import to_toml  # noqa: E402
from parts.processes import end_orderly_on_signals, private_folder  # noqa: E402
from test_packages import PACKAGES, deb  # noqa: E402

SUITES = {"bookworm": "Debian 12", "bullseye": "Debian 11"}
LOGIN, PASSWORD = "storage", "correct horse"


class Terminal:
    """Types commands on a machine and prints them with their answers."""

    def __init__(self, machine):
        self.machine = machine
        self.began = time.monotonic()

    def type(self, line):
        started = time.monotonic()
        answer = self.machine.run("bash", "-c", line, check=False)
        now = time.monotonic()
        said = re.sub(r"(?m)^\(Reading database \.\.\. .*\n", "", answer.stdout)
        print(f"# {line}\n{said}", end="")
        if answer.returncode:
            print(f"(exit status {answer.returncode})")
        print(f"    [{now - started:.1f} s, {now - self.began:.1f} s since the beginning]\n", flush=True)


def first_mail(machine, mail):
    """The commands of README.md's section on installing, with this mail server's particulars."""
    machine.write("/root/ca.pem", mail.ca_file.read_text())
    package = f"/root/{deb().name}"
    machine.path(package).write_bytes(deb().read_bytes())
    settings = {
        "cluster": {"name": "prod"},
        "checks.nodes": {"enabled": False},
        "smtp": {
            "host": mail.host,
            "port": mail.starttls_port,
            "from": f"Storage <{mail.address(LOGIN)}>",
            "username": LOGIN,
            "password_file": "smtp-password",
            "ca_file": "/root/ca.pem",
        },
        "recipient": [{"address": mail.address("ops")}],
    }
    settings["smtp"]["ca_file"] = "/etc/petanotify/ca.pem"
    terminal = Terminal(machine)
    terminal.type(f"cd /root && apt-get install --quiet --yes ./{deb().name}")
    terminal.type("petanotify")
    terminal.type("cp /root/ca.pem /etc/petanotify/")
    terminal.type(f"(umask 077 && echo '{PASSWORD}' >/etc/petanotify/smtp-password)")
    terminal.type(f"cat >/etc/petanotify/petanotify.toml <<'END'\n{to_toml(settings)}END")
    terminal.type("petanotify config check")
    terminal.type("petanotify test-mail")
    took = time.monotonic() - terminal.began
    (arrived,) = mail.read("ops")
    print(f"--- what arrived after {took:.1f} s\n{arrived}\n")
    mail.clear()


def main():
    end_orderly_on_signals()
    if not os.environ.get("PETANOTIFY_NETWORK"):
        for suite in SUITES:
            make_root(suite)
    into_private_network()
    with private_folder("petanotify-first-mail") as folder:
        with Mail(folder / "mail", accounts={LOGIN: PASSWORD}, mailboxes=["ops"]) as mail:
            for suite, name in SUITES.items():
                print(f"=== {name} ({suite}), a minimal root with systemd\n")
                with Machine(folder / suite, make_root(suite), shared=[PACKAGES]) as machine:
                    first_mail(machine, mail)
    return 0


if __name__ == "__main__":
    sys.exit(main())
