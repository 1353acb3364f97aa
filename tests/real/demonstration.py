#!/usr/bin/env python3
"""What tests/real/demo shows once packages and program are there."""

import sys
import textwrap
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from parts.cluster import Cluster  # noqa: E402
from parts.petanotify import Petanotify, to_toml  # noqa: E402
from parts.processes import end_orderly_on_signals, private_folder, processes_below  # noqa: E402

SHOWN_HEADERS = ("From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "Auto-Submitted")


def tell(text):
    """One paragraph of explanation."""
    print("\n" + textwrap.fill(" ".join(text.split()), 78), flush=True)


def show(text, margin="    "):
    """Something quoted, set off from the explanation."""
    for line in text.rstrip("\n").split("\n"):
        print((margin + line).rstrip(), flush=True)


class Demonstration:
    """Breaks a cluster piece by piece and shows what petanotify makes of it."""

    def __init__(self, cluster, petanotify):
        self.cluster = cluster
        self.petanotify = petanotify

    def command(self, *arguments):
        """Runs petanotify and shows what it printed and its exit status."""
        run = self.petanotify.run(*arguments)
        print()
        show(f"# petanotify {' '.join(arguments)}")
        show(run.stderr + run.stdout + f"(exit status {run.status})")

    def one_pass(self):
        """One pass, and every mail that came of it."""
        self.command("check")
        mails = self.cluster.mail.read("ops")
        for mail in mails:
            print()
            headers = [f"{name}: {mail[name]}" for name in SHOWN_HEADERS if mail[name]]
            body = mail.get_body(("plain",)).get_content()
            show("\n".join([*headers, "", body]), margin="    | ")
        if not mails:
            print("\nNo mail has arrived.", flush=True)
        self.cluster.mail.clear()

    def play(self):
        """The whole story."""
        ceph, consul, mail = self.cluster.ceph, self.cluster.consul, self.cluster.mail
        tell("petanotify is started once a minute. A pass on a healthy cluster says nothing:")
        self.one_pass()

        tell("Now a disk dies: the daemon of osd.2 is killed, and Ceph calls it down.")
        ceph.kill_osd(2)
        self.one_pass()

        tell("A minute later nothing has changed, so nobody is told again.")
        self.one_pass()

        tell("""Next, node5 vanishes: its Consul agent is killed. Meanwhile the mail server is
            down, too, so the mail has to wait in the queue.""")
        mail.stop()
        consul.kill("node5")
        self.one_pass()
        self.command("queue", "list")

        tell("The mail server is back, and the mail goes out, bearing the time of the alert.")
        mail.start()
        self.one_pass()

        tell("The disk is back, and petanotify says so, in the same thread as its first mail.")
        ceph.return_osd(2)
        self.one_pass()

        tell("Somebody now writes a lot: the storage passes 60 %.")
        ceph.fill(62)
        self.one_pass()

        tell("What is wrong by now can be asked at any time, without a call to the cluster:")
        self.command("status")

        tell("The data is deleted and node5 is back: all is well again.")
        ceph.empty()
        consul.restart("node5")
        self.one_pass()
        self.command("status")


def main():
    end_orderly_on_signals()
    started = time.monotonic()
    with private_folder("petanotify-demo") as folder:
        tell(f"""Starting a real Ceph with four OSDs in memory, a real Consul with five nodes and a
            real Postfix with TLS and login, on loopback and below {folder}.""")
        with Cluster(folder / "cluster", mailboxes=("ops",)) as cluster:
            settings = cluster.settings("ops")
            petanotify = Petanotify(folder / "petanotify", settings, secrets=[cluster.password])
            password_file = petanotify.write_secret("smtp-password", cluster.password + "\n")
            settings["smtp"]["password_file"] = password_file
            tell("All are up. petanotify's configuration, which could be empty on a PetaSAN node:")
            print()
            show(to_toml(settings))
            Demonstration(cluster, petanotify).play()
    left = processes_below(folder)
    tell(f"""That was it, in {time.monotonic() - started:.0f} s. Every daemon has been ended and the
        folder is gone.""")
    if left:
        sys.exit("still running: " + "; ".join(left))


if __name__ == "__main__":
    main()
