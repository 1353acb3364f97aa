#!/usr/bin/env python3
"""petanotify on a real Ceph, a real Consul and a real mail server.

Each test breaks something, makes passes, reads the mails back from the mailboxes
and mends it again. All of them run twice: the monitors are asked by the ceph
command, and, on a second cluster at the same time, through librados. Run as a program it
prints one line per test, everything it knows about one that failed, and the counts, each
after its tests. Needs root, the packages that tests/real/install names, and the release
build.

    tests/real/test_cluster.py [NAME…]     all tests, or those whose name contains one of these
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
import unittest
from datetime import datetime, timedelta, timezone
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from parts.cluster import LOGIN, Cluster  # noqa: E402
from parts.consul import Consul  # noqa: E402
from parts.consul import binary as consul_binary  # noqa: E402
from parts.petanotify import Petanotify, binary  # noqa: E402
from parts.processes import (  # noqa: E402
    PartFailed,
    end_orderly_on_signals,
    free_ports,
    private_folder,
    processes_below,
    run,
    wait_until,
)

# For each value of ceph.via there is a cluster, in namespaces of its own. However this process ends, they go with it,
# and all that lives in them.
WAYS = ("cli", "librados")
ALONE = ["setpriv", "--pdeathsig", "KILL"]
ALONE += ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]

# Exit statuses of the tests with one of these values.
FAILED, NOTHING_TO_DO = 1, 3

stage = contextlib.ExitStack()
folder = None
cluster = None
# ceph.via in all configurations.
via = None


def real_parts():
    """Where tests/real/install keeps what it has fetched."""
    return binary().parent.parent / "real-parts"


def start_cluster(below):
    global folder, cluster
    run(["ip", "link", "set", "lo", "up"])
    folder = stage.enter_context(private_folder(via, below))
    cluster = stage.enter_context(Cluster(folder / "cluster"))


def end_cluster():
    stage.close()
    left = processes_below(folder) if folder else []
    if left:
        raise PartFailed("still running: " + "; ".join(left))


class Scenario(unittest.TestCase):
    """What all tests share: passes, mailboxes, and a whole cluster before and after."""

    # Its tests run for each value of `via`, or for this one alone.
    only_via = None

    # ops and oncall are told everything, admin of nodes alone.
    recipients = ("ops", "oncall", ("admin", ["nodes"]))

    def setUp(self):
        self.ceph, self.consul, self.mail = cluster.ceph, cluster.consul, cluster.mail
        self.mail.clear()
        settings = cluster.settings(*self.recipients)
        settings["ceph"]["via"] = via
        self.petanotify = Petanotify(
            folder / f"{self._testMethodName}-{via}", settings, secrets=[cluster.password]
        )
        password = self.petanotify.write_secret("smtp-password", cluster.password + "\n")
        settings["smtp"]["password_file"] = password
        self.passes = []
        self.message_ids = set()

    def tearDown(self):
        cluster.heal()
        self.assertEqual(self.petanotify.leaks(), [], "the password can be read there")
        if self.petanotify.state_file.exists():
            self.assertEqual(oct(self.petanotify.state_mode()), oct(0o600))

    def check(self, *flags, status=0, said=()):
        """One pass: its exit status, an empty standard output, and what it said on standard error.

        With status 0 and nothing expected to be said, it must not have complained.
        """
        started = datetime.now(timezone.utc)
        run = self.petanotify.run("check", *flags)
        self.passes.append((started, datetime.now(timezone.utc)))
        self.assertEqual(run.status, status, "exit status")
        self.assertEqual(run.stdout, "", "standard output, which is no terminal")
        for line in run.stderr.splitlines():
            self.assertRegex(line, r"\Apetanotify: ")
        for pattern in said:
            self.assertRegex(run.stderr, pattern)
        if status == 0 and not said:
            self.assertNotRegex(run.stderr, r"(?m)^petanotify: (error|warning): ")
        return run

    def check_quiet(self):
        """A pass that finds nothing new, says nothing and mails nothing."""
        run = self.check()
        self.assertEqual(run.stderr, "")
        self.expect_no_mail()

    def check_until_mail(self, **expected):
        """Passes until one of them has brought a mail."""
        deadline = time.monotonic() + 60
        while not self.mail.read("ops"):
            self.assertLess(time.monotonic(), deadline, "no pass brought a mail")
            self.check(**expected)

    def expect_mails(self, *subjects, to=("ops", "oncall"), raised_in=-1):
        """Each of these mailboxes got one mail per pattern and nothing else; all others nothing.

        `raised_in` is the index of the pass in which they were raised, or a tuple of one per
        pattern. Returns the mails by mailbox, in the order of the patterns, and empties the
        mailboxes.
        """
        if not isinstance(raised_in, tuple):
            raised_in = (raised_in,) * len(subjects)
        received = {}
        for mailbox in self.mail.mailboxes:
            mails = self.mail.read(mailbox)
            found = [str(mail["Subject"]) for mail in mails]
            expected = subjects if mailbox in to else ()
            self.assertEqual(len(found), len(expected), f"mails to {mailbox}: {found}")
            received[mailbox] = []
            for pattern, pass_index in zip(expected, raised_in):
                matching = [mail for mail in mails if re.fullmatch(pattern, str(mail["Subject"]))]
                self.assertEqual(len(matching), 1, f"mails to {mailbox} like {pattern}: {found}")
                self.check_mail(matching[0], mailbox, pass_index)
                received[mailbox].append(matching[0])
        self.mail.clear()
        return received

    def expect_no_mail(self):
        """No mailbox got anything."""
        self.expect_mails(to=())

    def check_mail(self, mail, mailbox, raised_in):
        """What holds for every mail."""
        self.assertEqual(mail.defects, [])
        self.assertEqual(mail.get_all("To"), [self.mail.address(mailbox)])
        self.assertEqual(mail.get_all("Delivered-To"), [self.mail.address(mailbox)])
        self.assertEqual(mail["From"].addresses[0].addr_spec, self.mail.address(LOGIN))
        self.assertEqual(mail.get_all("Auto-Submitted"), ["auto-generated"])
        for other in self.mail.mailboxes:
            if other != mailbox:
                self.assertNotIn(self.mail.address(other).encode(), mail.as_bytes())

        self.assertEqual(len(mail.get_all("Message-ID")), 1)
        self.assertRegex(mail["Message-ID"], r"\A<[^<>@\s]+@[^<>@\s]+>\Z")
        self.assertNotIn(mail["Message-ID"], self.message_ids, "a Message-ID for the second time")
        self.message_ids.add(mail["Message-ID"])

        # The header has whole seconds.
        started, ended = self.passes[raised_in]
        self.assertLessEqual(started - timedelta(seconds=1), mail["Date"].datetime)
        self.assertLessEqual(mail["Date"].datetime, ended)

    def expect_thread(self, first, *later):
        """The later mails answer the first one of the same mailbox."""
        for mailbox, mails in first.items():
            for answers in later:
                for root, answer in zip(mails, answers[mailbox]):
                    self.assertEqual(answer["In-Reply-To"], root["Message-ID"])
                    self.assertIn(root["Message-ID"], answer["References"])
                    self.assertNotEqual(answer["Message-ID"], root["Message-ID"])

    def queue(self):
        """The pending mails, oldest first, as `queue list --json` tells them."""
        run = self.petanotify.run("queue", "list", "--json")
        self.assertEqual((run.status, run.stderr), (0, ""))
        document = run.json
        self.assertEqual(document["version"], 1)
        keys = "id check kind raised to subject attempts last_attempt next_attempt last_error"
        for message in document["messages"]:
            self.assertEqual(set(message), set(keys.split()))
        return document["messages"]

    def expect_queue(self, *, attempts, to=("ops", "oncall")):
        """One mail to each of these is pending and has been tried so often."""
        pending = sorted((message["to"], message["attempts"]) for message in self.queue())
        self.assertEqual(pending, sorted((self.mail.address(mailbox), attempts) for mailbox in to))

    def dry_run(self):
        """What `check --dry-run --json` answers, having sent nothing and written nothing."""
        state = self.petanotify.state_file
        before = state.read_bytes() if state.exists() else None
        run = self.petanotify.run("check", "--dry-run", "--json")
        document = run.json
        self.assertEqual((document["version"], document["dry_run"]), (1, True))
        self.assertEqual(state.read_bytes() if state.exists() else None, before)
        self.expect_no_mail()
        return document

    def check_states(self):
        """The state of each check in a dry run: ok, alert or unknown."""
        return {check["name"]: check["state"] for check in self.dry_run()["checks"]}

    def memory(self):
        """What the state file remembers of the three checks' objects."""
        memory = self.petanotify.state()["memory"]
        return {name: memory[name] for name in ("capacity", "nodes", "osds")}


class CephScenarios(Scenario):
    def test_healthy(self):
        """a healthy cluster: no word, no mail, and all commands agree"""
        self.check_quiet()
        self.check_quiet()
        self.assertEqual(self.check_states(), {"capacity": "ok", "nodes": "ok", "osds": "ok"})
        self.assertEqual(self.queue(), [])
        self.assertEqual(self.petanotify.state()["version"], 4)

        status = self.petanotify.run("status", "--json")
        self.assertEqual((status.status, status.stderr, status.json["version"]), (0, "", 1))
        shown = self.petanotify.run("config", "show")
        self.assertEqual((shown.status, shown.stderr), (0, ""))
        self.assertIn(self.ceph.readonly_name, shown.stdout)

    def test_osds_die_and_return(self):
        """an OSD dies, a second one dies, both return"""
        self.check_quiet()
        self.ceph.kill_osd(2)
        would = self.dry_run()["alerts"]
        self.assertEqual([(alert["check"], alert["kind"]) for alert in would], [("osds", "raised")])
        self.assertEqual(would[0]["recipients"], ["ops@example.org", "oncall@example.org"])
        self.check()
        first = self.expect_mails(r"\[prod\] 1 OSD down on node1: osd\.2")
        self.check_quiet()
        self.assertIn("osd.2", self.petanotify.run("status").stdout)
        self.assertIn("osd.2", self.petanotify.run("status", "--json").stdout)

        self.ceph.kill_osd(1)
        self.check()
        update = self.expect_mails(r"\[prod\] 2 OSDs down on node1, node2: osd\.1, osd\.2")
        self.assertIn("osd.2", update["ops"][0].get_body(("plain",)).get_content())
        self.check_quiet()

        self.ceph.return_osd(1)
        self.check()
        self.expect_no_mail()
        self.ceph.return_osd(2)
        self.check()
        end = self.expect_mails(r"\[prod\] all OSDs are up again")
        self.expect_thread(first, update, end)
        self.check_quiet()

    def test_stray_and_destroyed(self):
        """a stray OSD and a destroyed one are down as well"""
        self.check_quiet()
        self.ceph.kill_osd(1)
        self.ceph.crush_rm(1)
        self.check()
        first = self.expect_mails(r"\[prod\] 1 OSD down.*: osd\.1")
        self.assertIn("stray", first["ops"][0].get_body(("plain",)).get_content())

        self.ceph.kill_osd(0)
        self.ceph.destroy(0)
        self.check()
        update = self.expect_mails(r"\[prod\] 2 OSDs down on .*: osd\.0, osd\.1")
        self.assertIn("destroyed", update["ops"][0].get_body(("plain",)).get_content())

        self.ceph.heal()
        self.check()
        end = self.expect_mails(r"\[prod\] all OSDs are up again")
        self.expect_thread(first, update, end)
        self.check_quiet()

    def test_storage_fills(self):
        """the storage passes 60 %, then 85 %, and is emptied"""
        self.check_quiet()
        self.ceph.fill(62)
        self.check()
        first = self.expect_mails(r"\[prod\] storage 6\d(\.\d+)? % full \(over 60 %\)")
        self.check_quiet()
        self.ceph.fill(87)
        self.check()
        update = self.expect_mails(r"\[prod\] storage 8\d(\.\d+)? % full \(over 85 %, critical\)")
        self.check_quiet()
        self.ceph.empty()
        self.check()
        end = self.expect_mails(r"\[prod\] storage \d(\.\d+)? % full again \(below 60 %\)")
        self.expect_thread(first, update, end)
        self.check_quiet()

    def test_manager_dies(self):
        """without a manager the capacity is unknown, and nobody is alarmed"""
        self.check_quiet()
        before = self.memory()
        self.ceph.kill_mgr()
        self.assertEqual(self.check_states(), {"capacity": "unknown", "nodes": "ok", "osds": "ok"})
        self.check(status=1, said=[r"capacity.*(mgr|manager)"])
        self.expect_no_mail()
        self.assertEqual(self.memory(), before)
        self.ceph.start_mgr()
        self.check()
        self.expect_no_mail()

    def test_health(self):
        """what Ceph itself finds wrong is told until it is muted, ignored or over"""
        health = {"enabled": True, "level": "warn", "hold_passes": 1}
        self.petanotify.settings["checks.health"] = health

        def found():
            return set(self.ceph.json("status")["health"]["checks"])

        # Every cluster made for tests is warned of something, and some data have their only copy on
        # the OSD that dies.
        health["ignore"] = sorted(found() | {"POOL_NO_REDUNDANCY", "PG_AVAILABILITY"})
        self.check_quiet()
        self.assertEqual(self.check_states()["health"], "ok")
        self.ceph.fill(5)
        wait_until(lambda: "POOL_APP_NOT_ENABLED" in found(), "Ceph to miss an application")
        self.check()
        subject = r"\[prod\] Ceph health: 1 warning: POOL_APP_NOT_ENABLED"
        first = self.expect_mails(subject)
        summary = self.ceph.json("status")["health"]["checks"]["POOL_APP_NOT_ENABLED"]["summary"]
        text = first["ops"][0].get_body(("plain",)).get_content()
        self.assertIn(summary["message"], text)
        self.check_quiet()
        # That an OSD is down is told by the check of the OSDs alone.
        self.ceph.kill_osd(2)
        self.assertIn("OSD_DOWN", found())
        self.check()
        self.expect_mails(r"\[prod\] 1 OSD down on node1: osd\.2")
        self.ceph.command("health", "mute", "POOL_APP_NOT_ENABLED")
        self.check()
        end = self.expect_mails(r"\[prod\] Ceph health: nothing is left that counts")
        self.expect_thread(first, end)
        self.ceph.command("health", "unmute", "POOL_APP_NOT_ENABLED")
        self.check()
        again = self.expect_mails(subject)
        self.ceph.return_osd(2)
        self.ceph.empty()
        wait_until(lambda: "POOL_APP_NOT_ENABLED" not in found(), "Ceph to miss nothing")
        self.check()
        end = self.expect_mails(
            r"\[prod\] Ceph health is fine again", r"\[prod\] all OSDs are up again"
        )
        self.expect_thread(again, {box: mails[:1] for box, mails in end.items()})

    def test_monitor_dies(self):
        """the monitor dies for three passes and returns: nothing is repeated, nothing forgotten"""
        self.petanotify.settings["ceph"]["timeout"] = "2s"
        self.ceph.kill_osd(2)
        self.check()
        first = self.expect_mails(r"\[prod\] 1 OSD down on node1: osd\.2")
        before = self.memory()

        self.ceph.kill_mon()
        for _ in range(3):
            self.check(status=1, said=[r"capacity.*ceph status", r"ceph osd tree"])
            self.expect_no_mail()
            self.assertEqual(self.memory(), before)
        self.ceph.start_mon()
        self.ceph.wait_until_osd(2, "down")
        self.petanotify.settings["ceph"]["timeout"] = "20s"
        self.check()
        self.expect_no_mail()

        self.ceph.return_osd(2)
        self.check()
        end = self.expect_mails(r"\[prod\] all OSDs are up again")
        self.expect_thread(first, end)

    def test_blind(self):
        """blind for longer than blind_after: that is told, once, and its end as well"""
        self.petanotify.settings["ceph"]["timeout"] = "2s"
        self.petanotify.settings["notify"] = {"blind_after": "1s"}
        self.check_quiet()
        self.ceph.kill_mon()
        self.check(status=1)
        self.expect_no_mail()
        self.check(status=1)
        first = self.expect_mails(r"\[prod\] petanotify cannot see capacity, osds")
        self.check(status=1)
        self.expect_no_mail()
        self.ceph.start_mon()
        self.petanotify.settings["ceph"]["timeout"] = "20s"
        self.check()
        end = self.expect_mails(r"\[prod\] petanotify can see everything again")
        self.expect_thread(first, end)

    def test_wrong_key(self):
        """a key that Ceph refuses: its own words, and the nodes are watched all the same"""
        key = "[client.petanotify]\n\tkey = AQAAAAAAAAAAEAAAAAAAAAAAAAAAAAAAAAAAAA==\n"
        self.petanotify.settings["ceph"]["keyring"] = self.petanotify.write_secret("keyring", key)
        self.assertEqual(
            self.check_states(), {"capacity": "unknown", "nodes": "ok", "osds": "unknown"}
        )
        run = self.check(status=1, said=[r"(?i)permission denied", r"capacity", r"osds"])
        self.assertNotIn("AQAAAAAA", run.stderr)
        self.expect_no_mail()


class QuietScenarios(Scenario):
    def by_hand(self, *arguments, said):
        """A command that succeeds and says something like this in one line."""
        run = self.petanotify.run(*arguments)
        self.assertEqual((run.status, run.stderr), (0, ""))
        self.assertRegex(run.stdout, rf"\A{said}\n\Z")

    def text(self, mails):
        return mails["ops"][0].get_body(("plain",)).get_content()

    def set_flag(self, *arguments):
        """Sets a flag, or mutes a check, until the test is over."""
        undo = [{"set": "unset", "set-group": "unset-group", "mute": "unmute"}.get(word, word)
                for word in arguments]
        if "mute" in arguments:
            undo = undo[:3]
        self.ceph.command(*arguments)
        self.addCleanup(self.ceph.command, *undo)

    def test_silenced(self):
        """a silenced OSD dies and is told when the silence ends; another one is told at once"""
        self.check_quiet()
        self.by_hand(
            *("silence", "add", "--osd", "2", "--for", "2h", "--why", "disk swap"),
            said=r"silence 1: osd\.2 until \S+ \S+ UTC \(2 h\)",
        )
        self.ceph.kill_osd(2)
        self.check_quiet()
        self.assertEqual(self.check_states()["osds"], "ok")
        self.ceph.kill_osd(1)
        self.check()
        told = self.expect_mails(r"\[prod\] 1 OSD down on node2: osd\.1")
        self.assertRegex(self.text(told), r"\nSilenced:\n  until .*: osd\.2 \(disk swap\)\n")
        self.ceph.return_osd(1)
        self.check()
        self.expect_mails(r"\[prod\] all OSDs are up again but 1 silenced")
        self.by_hand("silence", "end", "1", said=r"ended silence 1: osd\.2")
        self.check()
        self.expect_mails(r"\[prod\] 1 OSD down on node1: osd\.2")

    def test_acknowledged(self):
        """an acknowledged OSD comes and goes unheard; another one is told"""
        self.check_quiet()
        self.ceph.kill_osd(2)
        self.ceph.kill_osd(1)
        self.check()
        first = self.expect_mails(r"\[prod\] 2 OSDs down on node1, node2: osd\.1, osd\.2")
        self.by_hand("ack", "--why", "disks ordered", said="acknowledged: osds-.*disks ordered.*")
        self.ceph.return_osd(2)
        self.check_quiet()
        self.ceph.kill_osd(2)
        self.check_quiet()
        self.assertIn("acknowledged: disks ordered", self.petanotify.run("status").stdout)
        self.ceph.return_osd(1)
        self.ceph.return_osd(2)
        self.check()
        self.expect_thread(first, self.expect_mails(r"\[prod\] all OSDs are up again"))

    def test_ceph_maintenance(self):
        """Ceph's flags and mutes are named; noout holds mail about OSDs back where that is set"""
        self.set_flag("osd", "set", "noout")
        self.set_flag("osd", "set", "norebalance")
        self.set_flag("osd", "set-group", "noin", "osd.3")
        self.set_flag("health", "mute", "OSD_DOWN", "1h", "--sticky")
        self.ceph.kill_osd(2)
        self.check()
        text = self.text(self.expect_mails(r"\[prod\] 1 OSD down on node1: osd\.2"))
        for line in (
            r"  noout is set, seen since ",
            r"  norebalance is set \(",
            r"  1 OSD or CRUSH node has such a flag of its own\n",
            r"  muted in the health of Ceph: OSD_DOWN\n",
        ):
            self.assertRegex(text, line)
        self.petanotify.settings["checks.osds"] = {"hold_while_noout": "4h"}
        self.ceph.kill_osd(1)
        self.check_quiet()
        summary = {check["name"]: check["summary"] for check in self.dry_run()["checks"]}["osds"]
        self.assertIn("(1 held back while noout is set)", summary)
        self.ceph.command("osd", "unset", "noout")
        self.check()
        self.expect_mails(r"\[prod\] 2 OSDs down on node1, node2: osd\.1, osd\.2")


class LibradosScenarios(Scenario):
    """What the child alone does that asks through librados."""

    only_via = "librados"

    def ask(self, *arguments):
        """The child under valgrind, which must find nothing wrong with its memory."""
        memcheck = ["valgrind", "--quiet", "--error-exitcode=99", "--leak-check=full"]
        access = ["--conf", self.ceph.conf, "--connect-timeout", "60"]
        result = subprocess.run(
            [*memcheck, binary(), "ask-ceph", *access, *arguments],
            capture_output=True,
            text=True,
            timeout=120,
        )
        self.assertNotRegex(result.stderr, r"==\d+==", result.stderr)
        return result

    def test_later_release(self):
        """the librados of Ceph 18: a pass in a root of Debian 13 sees what this machine's sees"""
        self.ceph.kill_osd(2)
        here = self.petanotify.run("check", "--dry-run", "--json").json
        root = real_parts() / "trixie"
        script = ["set -e"]
        for path in (self.petanotify.folder, cluster.folder, binary().parent, "/proc", "/dev"):
            script += [f"mkdir -p '{root}{path}'", f"mount --rbind '{path}' '{root}{path}'"]
        script += [f"exec chroot '{root}' \"$@\""]
        arguments = ["--config", self.petanotify.config, "--state", self.petanotify.state_file]
        there = subprocess.run(
            ["unshare", "--mount", "sh", "-c", "\n".join(script), "sh", binary(), *arguments, "-v"]
            + ["check", "--dry-run", "--json"],
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual(there.returncode, 0, there.stderr)
        self.assertIn("ceph, through librados: ", there.stderr)
        # No ceph command is there, so it can only have been the library.
        self.assertFalse((root / "usr/bin/ceph").exists())
        for document in (here, there := json.loads(there.stdout)):
            for alert in document["alerts"]:
                alert.pop("recipients")
        self.assertEqual(there["alerts"], here["alerts"])
        self.assertEqual(there["checks"][0]["state"], "ok")

    def test_memory(self):
        """valgrind finds nothing wrong, whether the monitors answer or refuse"""
        key = ["--name", self.ceph.readonly_name, "--keyring", str(self.ceph.readonly_keyring)]
        answered = self.ask(*key, "status", "osd-tree")
        self.assertEqual(answered.returncode, 0, answered.stderr)
        status, tree = answered.stdout.splitlines()
        self.assertIn("pgmap", json.loads(status))
        self.assertEqual(len(json.loads(tree)["stray"]), 0)
        refused = self.ask("--name", "client.nobody", "status")
        self.assertEqual(refused.returncode, 13, refused.stderr)
        self.assertIn("[errno 13] RADOS permission denied", refused.stderr)


class OneCauseScenarios(Scenario):
    """A host is a CRUSH host of Ceph, and a node of Consul; node2 holds osd.1 and osd.3."""

    everybody = ("ops", "oncall", "admin")

    def test_host_dies_and_returns(self):
        """a host dies, its OSDs are seen first: one mail; it returns without one of its OSDs"""
        self.petanotify.settings["checks.osds"] = {"return_grace": "3s"}
        self.check_quiet()
        self.ceph.kill_osd(1)
        self.ceph.kill_osd(3)
        self.check_quiet()
        self.consul.kill("node2")
        self.check()
        first = self.expect_mails(r"\[prod\] node down: node2", to=self.everybody)
        text = first["ops"][0].get_body(("plain",)).get_content()
        self.assertIn("node2  2 OSDs  osd.1, osd.3", text)
        self.check_quiet()
        self.assertEqual(self.check_states(), {"capacity": "ok", "nodes": "alert", "osds": "ok"})
        self.assertIn("2 with node2", self.petanotify.run("status").stdout)

        self.ceph.return_osd(1)
        self.consul.restart("node2")
        self.check()
        subject = r"\[prod\] all nodes are up again, 1 OSD not yet"
        end = self.expect_mails(subject, to=self.everybody)
        self.expect_thread(first, end)
        self.check_until_mail()
        first = self.expect_mails(r"\[prod\] 1 OSD down on node2: osd\.3")
        self.ceph.return_osd(3)
        self.check()
        end = self.expect_mails(r"\[prod\] all OSDs are up again")
        self.expect_thread(first, end)
        self.check_quiet()

    def test_all_osds_of_a_living_host(self):
        """all OSDs of a host die while its node lives: that is told after the grace"""
        self.petanotify.settings["checks.osds"] = {"host_grace": "3s"}
        self.check_quiet()
        self.ceph.kill_osd(1)
        self.ceph.kill_osd(3)
        self.check_quiet()
        self.check_until_mail()
        subject = r"\[prod\] both OSDs down on node2, which is alive: osd\.1, osd\.3"
        first = self.expect_mails(subject)
        self.ceph.return_osd(1)
        self.ceph.return_osd(3)
        self.check()
        end = self.expect_mails(r"\[prod\] all OSDs are up again")
        self.expect_thread(first, end)


class ConsulScenarios(Scenario):
    everybody = ("ops", "oncall", "admin")

    def test_nodes_vanish_and_return(self):
        """a node is killed, another one leaves, both return"""
        self.check_quiet()
        self.consul.kill("node5")
        self.check()
        first = self.expect_mails(r"\[prod\] node down: node5", to=self.everybody)
        self.check_quiet()
        self.consul.leave("node4")
        self.check()
        update = self.expect_mails(r"\[prod\] 2 nodes down: node4, node5", to=self.everybody)
        self.check_quiet()
        self.consul.restart("node5")
        self.check()
        self.expect_no_mail()
        self.consul.restart("node4")
        self.check()
        end = self.expect_mails(r"\[prod\] all nodes are up again", to=self.everybody)
        self.expect_thread(first, update, end)
        self.check_quiet()

    def test_no_leader(self):
        """two of three Consul servers die: the pass works on, says so, and names both nodes"""
        self.check_quiet()
        self.consul.kill_servers("node2", "node3")
        self.check(said=[r"(?i)leader"])
        first = self.expect_mails(r"\[prod\] 2 nodes down: node2, node3", to=self.everybody)
        self.check(said=[r"(?i)leader"])
        self.expect_no_mail()
        self.consul.restart("node2")
        self.consul.restart("node3")
        self.consul.wait_until_whole()
        self.check()
        end = self.expect_mails(r"\[prod\] all nodes are up again", to=self.everybody)
        self.expect_thread(first, end)
        self.check_quiet()

    def test_leader_lost_for_long(self):
        """Consul has no leader for longer than blind_after: that is told with the servers gone"""
        self.petanotify.settings["notify"] = {"blind_after": "1s"}
        self.check_quiet()
        self.consul.kill_servers("node2", "node3")
        self.check(said=[r"(?i)leader"])
        self.expect_mails(r"\[prod\] 2 nodes down: node2, node3", to=self.everybody)
        self.check_until_mail(said=[r"(?i)leader"])
        subject = r"\[prod\] Consul cannot elect a leader: 2 of 3 servers are gone"
        first = self.expect_mails(subject, to=self.everybody)
        text = first["admin"][0].get_body(("plain",)).get_content()
        self.assertIn("node2 (failed), node3 (failed)", text)
        self.consul.heal()
        self.check()
        subjects = (r"\[prod\] all nodes are up again", r"\[prod\] Consul has a leader again")
        self.expect_mails(*subjects, to=self.everybody)
        self.check_quiet()

    def test_node_that_cannot_be_read(self):
        """a node's entry is broken: it is named, the others count, and what was known stays"""
        self.consul.kill("node5")
        self.check()
        first = self.expect_mails(r"\[prod\] node down: node5", to=self.everybody)
        self.consul.put("PetaSAN/Nodes/node5", b"{ half a docu")
        self.addCleanup(cluster.put_node, "node5")
        self.consul.kill("node4")
        self.check(status=1, said=[r"PetaSAN/Nodes/node5"])
        update = self.expect_mails(r"\[prod\] 2 nodes down: node4, node5", to=self.everybody)
        cluster.put_node("node5")
        self.consul.heal()
        self.check()
        end = self.expect_mails(r"\[prod\] all nodes are up again", to=self.everybody)
        self.expect_thread(first, update, end)

    def test_access_control(self):
        """a Consul with ACLs: with too few rights no node is taken for gone"""
        master = "5f0f0b2e-6f3a-4d0e-9d55-3c1b7a8e9f10"
        with Consul(folder / f"consul-with-acls-{via}", agents=1, master_token=master) as consul:
            consul.put("PetaSAN/Nodes/node1", {"name": "node1"})
            self.petanotify.settings["consul"]["address"] = consul.url()
            self.petanotify.secrets += [master]

            def use_token(rules):
                path = self.petanotify.write_secret("consul-token", consul.create_token(rules))
                self.petanotify.settings["consul"]["token_file"] = path

            self.assertEqual(self.check_states()["nodes"], "unknown")
            self.check(status=1, said=[r"nodes"])
            # May read the keys and no members: Consul answers an empty list.
            use_token('key_prefix "PetaSAN/" { policy = "read" }')
            self.check(status=1, said=[r"nodes"])
            self.expect_no_mail()
            use_token(
                'key_prefix "PetaSAN/" { policy = "read" } node_prefix "" { policy = "read" }'
            )
            self.check()
            self.assertEqual(self.check_states()["nodes"], "ok")
            self.expect_no_mail()


class MailScenarios(Scenario):
    def test_mail_server_down(self):
        """the mail server is down for three passes, then everything is delivered once"""
        self.check_quiet()
        self.mail.stop()
        self.ceph.kill_osd(2)
        for attempt in (1, 2, 3):
            self.check(status=1, said=[r"(?i)refused"])
            self.expect_queue(attempts=attempt)
            for message in self.queue():
                self.assertRegex(message["subject"], r"1 OSD down on node1: osd\.2")
                self.assertRegex(message["last_error"], r"(?i)refused")
        listed = self.petanotify.run("queue", "list").stdout
        self.assertIn("ops@example.org", listed)
        self.assertLessEqual(max(map(len, listed.splitlines())), 80)

        # A second one dies before anybody was told of the first: one mail tells of both.
        self.ceph.kill_osd(1)
        self.mail.start()
        self.check()
        self.expect_mails(r"\[prod\] 2 OSDs down on node1, node2: osd\.1, osd\.2", raised_in=-1)
        self.assertEqual(self.queue(), [])
        self.check_quiet()

    def test_message_id_at_every_attempt(self):
        """deferred after the data, twice: the Message-ID is the same at every attempt"""
        self.mail.defer_after_data(True)
        self.ceph.kill_osd(2)
        self.check(status=1, said=[r"451"])
        self.check(status=1)
        self.expect_queue(attempts=2)
        self.mail.defer_after_data(False)
        self.check()
        mails = self.expect_mails(r"\[prod\] 1 OSD down on node1: osd\.2", raised_in=0)
        for mailbox in ("ops", "oncall"):
            seen = self.mail.log().count(f"message-id={mails[mailbox][0]['Message-ID']}")
            self.assertEqual(seen, 3, "how often the server saw that Message-ID")

    def test_wrong_password(self):
        """a wrong password: asked once a pass, queued, and delivered once it is right"""
        good = self.petanotify.settings["smtp"]["password_file"]
        wrong = self.petanotify.write_secret("wrong-password", "not the password")
        self.petanotify.secrets += ["not the password"]
        self.petanotify.settings["smtp"]["password_file"] = wrong
        self.ceph.kill_osd(2)
        before = self.mail.log().count("authentication failed")
        self.check("-vv", status=1, said=[r"535 .*authentication failed"])
        self.assertEqual(self.mail.log().count("authentication failed") - before, 1)
        self.expect_no_mail()
        self.expect_queue(attempts=1)
        self.petanotify.settings["smtp"]["password_file"] = good
        self.check("-vv")
        self.expect_mails(r"\[prod\] 1 OSD down on node1: osd\.2", raised_in=0)

    def test_certificates(self):
        """an unknown CA, a self-signed certificate, another host's name: no mail leaves"""
        smtp = self.petanotify.settings["smtp"]
        good = dict(smtp)
        self.ceph.kill_osd(2)
        del smtp["ca_file"]
        self.check(status=1, said=[r"(?i)certificate"])
        smtp.update(good, port=self.mail.self_signed_port)
        self.check(status=1, said=[r"(?i)certificate"])
        smtp.update(good, host="127.0.0.1")
        self.check(status=1, said=[r"(?i)certificate"])
        self.expect_no_mail()
        self.expect_queue(attempts=3)
        self.assertEqual(self.mail.log().count("certificate expired"), 0)
        smtp.update(good)
        self.check()
        self.expect_mails(r"\[prod\] 1 OSD down on node1: osd\.2", raised_in=0)

    def test_verification_off(self):
        """verify = false delivers to a self-signed server, with a warning in every pass"""
        self.petanotify.settings["smtp"].update(verify=False, port=self.mail.self_signed_port)
        self.check(said=[r"(?m)^petanotify: warning: .*verif"])
        self.ceph.kill_osd(2)
        self.check(said=[r"(?m)^petanotify: warning: .*verif"])
        self.expect_mails(r"\[prod\] 1 OSD down on node1: osd\.2")

    def test_implicit_tls(self):
        """TLS from the first byte"""
        self.petanotify.settings["smtp"].update(security="tls", port=self.mail.tls_port)
        self.check_quiet()
        self.ceph.kill_osd(2)
        self.check()
        self.expect_mails(r"\[prod\] 1 OSD down on node1: osd\.2")

    def test_refused_recipient(self):
        """a recipient who is refused for good does not hold up the others"""
        self.petanotify.settings["recipient"].insert(0, {"address": "gone@example.org"})
        self.ceph.kill_osd(2)
        self.check(status=1, said=[r"550 .*gone@example\.org"])
        self.expect_mails(r"\[prod\] 1 OSD down on node1: osd\.2")
        self.check(status=1)
        self.expect_no_mail()
        self.expect_queue(attempts=1, to=["gone"])
        self.assertRegex(self.queue()[0]["last_error"], r"550 .*User unknown")


class ImportScenarios(Scenario):
    """An empty configuration, with the mail settings and followers in PetaSAN's own keys."""

    def setUp(self):
        super().setUp()
        self.petanotify.settings = None if via == "cli" else {"ceph": {"via": via}}
        self.petanotify.environment = {
            "CEPH_ARGS": f"--conf {self.ceph.conf} --name {self.ceph.readonly_name}"
            f" --keyring {self.ceph.readonly_keyring}",
            "CONSUL_HTTP_ADDR": self.consul.url(),
            "SSL_CERT_FILE": str(self.mail.ca_file),
        }
        self.addCleanup(self.consul.delete, "PetaSAN/Config")
        self.addCleanup(self.consul.delete, "PetaSAN/Users/?recurse")

    def put_users(self):
        for user, notify, address in [
            ("admin", False, "admin@example.org"),
            ("mary", True, "ops@example.org"),
            ("nightshift", True, "oncall@example.org"),
            ("intern", True, ""),
        ]:
            self.consul.put(
                f"PetaSAN/Users/{user}",
                {"name": user.title(), "user_name": user, "password": "5e884898da", "role_id": 1}
                | {"email": address, "notfiy": notify},
            )

    def put_settings(self):
        self.consul.put(
            "PetaSAN/Config",
            {
                "email_notify_smtp_server": self.mail.host,
                "email_notify_smtp_port": str(self.mail.starttls_port),
                "email_notify_smtp_email": self.mail.address(LOGIN),
                "email_notify_smtp_password": cluster.password,
                "email_notify_smtp_security": 2,
                "storage_engine": "bluestore",
            },
        )

    def test_empty_configuration(self):
        """an empty configuration: all from PetaSAN, then from what is kept of it"""
        self.put_users()
        self.put_settings()
        self.check_quiet()
        self.ceph.kill_osd(2)
        self.check()
        first = self.expect_mails(r"\[petasan\] 1 OSD down on node1: osd\.2")
        shown = self.petanotify.run("config", "show")
        self.assertIn("ops@example.org", shown.stdout)
        self.assertIn("PetaSAN", shown.stdout)

        kept = self.petanotify.state_file.parent / "petasan-import.json"
        self.assertEqual(oct(kept.stat().st_mode & 0o777), oct(0o600))
        (closed,) = free_ports(1)
        self.petanotify.environment["CONSUL_HTTP_ADDR"] = f"127.0.0.1:{closed}"
        self.ceph.kill_osd(1)
        self.check(status=1, said=[r"nodes", r"(?m)^petanotify: warning: .*PetaSAN"])
        update = self.expect_mails(r"\[petasan\] 2 OSDs down on node1, node2: osd\.1, osd\.2")
        self.expect_thread(first, update)

    def test_mail_not_set_up(self):
        """mail is not set up: alerts wait, the pass says what is missing, then they go out"""
        missing = r"(?m)^petanotify: warning: mail is not set up: .*PetaSAN"
        self.check(said=[missing])
        self.ceph.kill_osd(2)
        self.check(status=1, said=[missing])
        self.expect_no_mail()
        self.assertEqual(len(self.queue()), 1)
        self.put_settings()
        self.check(status=1, said=[r"(?m)^petanotify: warning: nobody is to be told"])
        self.put_users()
        self.check()
        self.expect_mails(r"\[petasan\] 1 OSD down on node1: osd\.2", raised_in=1)


def readme_commands(program):
    """What README.md tells people to type that begins with this program."""
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    lines = [line for line in readme.splitlines() if line.startswith(program + " ")]
    if not lines:
        raise PartFailed(f"README.md has no command that begins with {program}")
    return lines


class ReadmeScenarios(Scenario):
    def test_any_other_cluster(self):
        """what README.md has to be typed on other clusters: a key that can only look, a node"""
        keyrings = folder / f"etc-ceph-{via}"
        keyrings.mkdir()
        for line in readme_commands("ceph"):
            self.type_in(line.replace("/etc/ceph", str(keyrings)), CEPH_CONF=self.ceph.conf)
        self.petanotify.settings["ceph"]["name"] = "client.petanotify"
        keyring = keyrings / "ceph.client.petanotify.keyring"
        self.petanotify.settings["ceph"]["keyring"] = str(keyring)
        self.consul.delete("PetaSAN/Nodes/node1")
        self.addCleanup(cluster.put_node, "node1")
        for line in readme_commands("consul"):
            consul = str(consul_binary())
            line = line.replace("consul", consul, 1)
            self.type_in(line, CONSUL_HTTP_ADDR=self.consul.url())
        checks = {check["name"]: check for check in self.dry_run()["checks"]}
        self.assertEqual({check["state"] for check in checks.values()}, {"ok"})
        self.assertEqual(checks["nodes"]["summary"], "all 5 nodes are up")

    def type_in(self, line, **environment):
        environment = {name: str(value) for name, value in environment.items()}
        shell = subprocess.run(
            ["sh", "-c", line],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual(shell.returncode, 0, f"{line}: {shell.stderr}")


class ConfigCheckScenarios(Scenario):
    """`config check`: what is wrong, what to do about it, and that nothing is sent."""

    def found(self, *, failed=()):
        """What was found, by section and name; of several the first that is not ok, else the first.

        `failed` are all that must have failed.
        """
        before = self.mail.log().count("message-id=")
        run = self.petanotify.run("config", "check", "--json")
        self.assertEqual((run.status, run.stderr), (1 if failed else 0, ""))
        document = run.json
        self.assertEqual((document["version"], document["ok"]), (1, not failed))
        found = {}
        for check in document["checks"]:
            key = f"{check['section']} {check['name']}"
            is_worse = key in found and found[key]["outcome"] == "ok" != check["outcome"]
            if key not in found or is_worse:
                found[key] = check
        bad = [key for key, check in found.items() if check["outcome"] == "failed"]
        self.assertEqual(bad, list(failed), run.stdout)
        for check in found.values():
            self.assertEqual(check["advice"] is None, check["outcome"] == "ok", check)
        self.assertEqual(self.mail.log().count("message-id="), before, "a mail was sent")
        self.assertFalse(self.petanotify.state_file.parent.exists(), "something was left behind")
        return found

    def expect(self, check, detail, *lines):
        """The finding says that, and has these lines in its advice."""
        self.assertRegex(check["detail"], detail)
        for line in lines:
            self.assertIn(line, (check["advice"] or "").splitlines())

    def test_config_check_healthy(self):
        """config check on a healthy cluster: ticks, and no mail"""
        found = self.found()
        way = "ceph binary" if via == "cli" else "ceph library"
        for key in [way, "ceph conf", "ceph key", "ceph status", "ceph osd tree", "consul agent"]:
            self.assertEqual(found[key]["outcome"], "ok", found[key])
        self.expect(found["ceph osd tree"], r" ms; 4 OSDs, 0 not up|\d s; 4 OSDs, 0 not up")
        self.expect(found["consul leader"], r"\A127\.0\.\d+\.[123]:8300\Z")
        self.expect(found["consul nodes"], r"\A5 nodes below PetaSAN/Nodes/: node1, ")
        self.expect(
            found["mail tls"],
            r"\ATLS 1\.3, certificate for localhost, by A private CA, (29|30) days left\Z",
        )
        self.assertEqual(found["mail tls"]["outcome"], "ok")
        self.expect(found["mail login"], r"\Aas storage\Z")
        self.expect(found["mail recipient"], r"\Aops@example\.org: 250 ")
        self.expect_no_mail()

    def test_config_check_keys(self):
        """config check without a keyring, with too few rights, and with the admin's key"""
        ceph = self.petanotify.settings["ceph"]
        missing = self.petanotify.folder / "new.keyring"
        ceph["keyring"] = str(missing)
        found = self.found(failed=["ceph key", "ceph status", "ceph osd tree"])
        make = f"ceph auth get-or-create {self.ceph.readonly_name} mon 'allow r' -o {missing}"
        self.expect(found["ceph key"], "has no keyring", f"  {make}", f"  chmod 600 {missing}")

        # What was advised helps; Ceph's own --conf is only for this private cluster.
        advised = found["ceph key"]["advice"].splitlines()[1:]
        script = "\n".join(advised).replace("ceph auth", f"ceph --conf {self.ceph.conf} auth")
        subprocess.run(["sh", "-ec", script], check=True, timeout=60)
        self.found()

        name = ceph["name"] = "client.few"
        keyring = self.petanotify.folder / "few.keyring"
        ceph["keyring"] = str(keyring)
        self.addCleanup(self.ceph.command, "auth", "rm", name)
        self.ceph.create_key(name, keyring, "mon", 'allow command "mon metadata"')
        found = self.found(failed=["ceph status", "ceph osd tree"])
        self.expect(found["ceph status"], "EACCES", f"  ceph auth caps {name} mon 'allow r'")
        self.ceph.command("auth", "caps", name, "mon", "allow r")
        self.found()

        ceph["name"] = "client.admin"
        ceph["keyring"] = str(self.ceph.folder / "client.admin.keyring")
        found = self.found()
        self.assertEqual(found["ceph key"]["outcome"], "warning")
        self.expect(found["ceph key"], "may do everything", '  name = "client.petanotify"')

    def test_config_check_monitor_and_consul(self):
        """config check with the monitor and the Consul agent down"""
        self.petanotify.settings["ceph"]["timeout"] = "3s"
        (closed,) = free_ports(1)
        self.petanotify.settings["consul"]["address"] = f"http://127.0.0.1:{closed}"
        self.ceph.kill_mon()
        found = self.found(failed=["ceph status", "ceph osd tree", "consul agent"])
        self.expect(found["ceph status"], "timed out|no answer within 3 s")
        self.assertIn(f"  grep mon_host {self.ceph.conf}", found["ceph status"]["advice"])
        self.expect(found["consul agent"], "connection refused", "  systemctl status consul")

    def test_config_check_access_control(self):
        """config check with Consul's access control: the policy that it names is enough"""
        master = "0b0cb7a6-3f3c-4a4e-8d0f-5c8a1f0c7d55"
        with Consul(folder / f"consul-to-check-{via}", agents=1, master_token=master) as consul:
            consul.put("PetaSAN/Nodes/node1", {"name": "node1"})
            settings = self.petanotify.settings["consul"]
            settings["address"] = consul.url()
            self.petanotify.secrets += [master]
            advice = self.found(failed=["consul agent"])["consul agent"]["advice"]
            rules = re.search(r"(?m)^  consul acl policy create .* -rules '(.*)'$", advice)[1]
            token = consul.create_token(rules)
            self.petanotify.secrets += [token]
            settings["token_file"] = self.petanotify.write_secret("consul-token", token)
            found = self.found()
            self.expect(found["consul nodes"], r"\A1 node below PetaSAN/Nodes/: node1\Z")

    def test_config_check_sharing(self):
        """config check on several nodes: the policy that it names is enough, and each of its rules is needed"""
        master = "2f0f6a53-98a1-4c28-b7fc-4f6a0c1d9e11"
        with Consul(folder / f"consul-to-share-{via}", agents=1, master_token=master) as consul:
            consul.put("PetaSAN/Nodes/node1", {"name": "node1"})
            leader = json.dumps({"Name": "PetaSAN"}).encode()
            # A node is registered a while after it is known, and has no sessions before.
            session = wait_until(
                lambda: consul.request("/v1/session/create", method="PUT", body=leader),
                "a session of PetaSAN's",
            )
            lock = f"/v1/kv/PetaSAN/Services/ClusterLeader?acquire={json.loads(session)['ID']}"
            consul.request(lock, method="PUT", body=b"")
            settings = self.petanotify.settings
            settings["consul"]["address"] = consul.url()
            self.petanotify.secrets += [master]

            def use_token(rules):
                token = consul.create_token(" ".join(rules))
                self.petanotify.secrets += [token]
                path = self.petanotify.write_secret("consul-token", token)
                settings["consul"]["token_file"] = path

            for mode in ("petasan", "consul"):
                settings["ha"] = {"mode": mode}
                settings["consul"].pop("token_file", None)
                advice = self.found(failed=["consul agent"])["consul agent"]["advice"]
                rules = re.search(r"(?m)^  consul acl policy create .* -rules '(.*)'$", advice)[1]
                rules = re.findall(r'\w+ "[^"]*" {[^}]*}', rules)
                self.assertEqual(len(rules), 4, rules)
                use_token(rules)
                found = self.found()
                self.expect(found["ha mode"], rf"\A{mode}: ")
                self.expect(found["ha memory"], r"\Awritten, read and removed below petanotify/\Z")
                needed = {
                    "consul agent": "node_prefix",
                    "consul nodes": "PetaSAN/",
                    "ha mode": "PetaSAN/|session" if mode == "petasan" else "nothing",
                    "ha node": "session",
                    "ha memory": "petanotify/|session",
                }
                for rule in rules:
                    use_token([other for other in rules if other != rule])
                    failed = [name for name, of in needed.items() if re.search(of, rule)]
                    for name, check in self.found(failed=failed).items():
                        if name in failed:
                            self.assertIn(rule, check["advice"])
            settings["ha"] = {"mode": "auto"}
            use_token(rules)
            self.expect(self.found()["ha mode"], r"\Apetasan: node1 speaks, ")
            left = json.loads(consul.request("/v1/kv/?keys"))
            self.assertEqual([key for key in left if key.startswith("petanotify")], [])
            sessions = json.loads(consul.request("/v1/session/list"))
            self.assertEqual([session["Name"] for session in sessions], ["PetaSAN"])

    def test_config_check_mail(self):
        """config check with a wrong password, a refused recipient and an expired certificate"""
        smtp = self.petanotify.settings["smtp"]
        good = dict(smtp)
        self.petanotify.secrets += ["not the password"]
        smtp["password_file"] = self.petanotify.write_secret("wrong", "not the password")
        found = self.found(failed=["mail login"])
        self.expect(found["mail login"], r"535 ", "Check smtp.username and the password")
        self.assertEqual(found["mail tls"]["outcome"], "ok")

        smtp.update(good)
        self.petanotify.settings["recipient"].insert(0, {"address": "gone@example.org"})
        found = self.found(failed=["mail recipient"])
        self.expect(found["mail recipient"], r"\Agone@example\.org: .*550 .*User unknown")
        del self.petanotify.settings["recipient"][0]

        smtp["port"] = self.mail.expired_port
        found = self.found(failed=["mail tls"])
        self.expect(
            found["mail tls"],
            r"certificate expired \d+ days ago",
            "Renew the server's certificate (or is this node's clock wrong?)",
            f"  openssl s_client -starttls smtp -connect localhost:{self.mail.expired_port}",
        )
        smtp["port"] = self.mail.self_signed_port
        self.expect(self.found(failed=["mail tls"])["mail tls"], "certificate")
        smtp["verify"] = False
        found = self.found()
        self.assertEqual(found["mail tls"]["outcome"], "warning")
        self.expect(found["mail tls"], "not verified")


class PlainResult(unittest.TestResult):
    """One line per test, and everything there is to know about one that failed."""

    def __init__(self):
        super().__init__()
        self.passed = 0
        self.failed = set()
        self.started = time.monotonic()

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1
        self.tell("ok", test)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.tell_failure(test, self.failures[-1][1])

    def addError(self, test, error):
        super().addError(test, error)
        self.tell_failure(test, self.errors[-1][1])

    def tell(self, outcome, test):
        took = time.monotonic() - self.started
        print(f"{outcome}: {test.shortDescription() or test} ({took:.1f} s)", flush=True)

    def tell_failure(self, test, trace):
        # A test that fails and can't be cleaned up after fails twice and counts once.
        self.failed.add(f"{test.id()} {via}")
        self.tell("FAILED", test)
        print(trace)
        if isinstance(test, Scenario):
            print(test.petanotify.report())
            print("--- the end of Postfix's log")
            print("\n".join(test.mail.log().splitlines()[-20:]), flush=True)


def run_tests(below, names):
    """The tests with the one value of ceph.via, in namespaces that nobody else is in; an exit status."""
    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*{name}*" for name in names] or None
    suites = loader.loadTestsFromModule(sys.modules[__name__])
    tests = [test for suite in suites for test in suite if test.only_via in (None, via)]
    if not tests:
        return NOTHING_TO_DO
    result = PlainResult()
    try:
        start_cluster(below)
        unittest.TestSuite(tests).run(result)
    finally:
        end_cluster()
    print(f"{result.passed} passed, {len(result.failed)} failed")
    return FAILED if result.failed or not result.passed else 0


def main(names):
    """The tests for each value of ceph.via, side by side, and what they say one after the other."""
    if not binary().exists():
        sys.exit(f"there is no {binary()}: run cargo build --release")
    with private_folder("petanotify-real") as below, contextlib.ExitStack() as running:
        runs = {}
        for way in WAYS:
            said = below / f"{way}.log"
            with open(said, "wb") as output:
                child = subprocess.Popen(
                    [*ALONE, sys.executable, __file__, "--via", way, str(below), *names],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                )
            running.callback(child.wait)
            running.callback(child.kill)
            runs[way] = (child, said)
        for way, (child, said) in runs.items():
            print(f"--- ceph.via = {way}", flush=True)
            show_until_end(child, said)
        statuses = {child.returncode for child, _ in runs.values()}
    return 0 if 0 in statuses <= {0, NOTHING_TO_DO} else 1


def show_until_end(child, said):
    """Prints what a process writes to this file, until it has ended."""
    with open(said, errors="replace") as output:
        ended = False
        while not ended:
            ended = child.poll() is not None
            print(output.read(), end="", flush=True)
            time.sleep(0 if ended else 0.2)


if __name__ == "__main__":
    end_orderly_on_signals()
    if sys.argv[1:2] == ["--via"]:
        via, below, *names = sys.argv[2:]
        sys.exit(run_tests(Path(below), names))
    sys.exit(main(sys.argv[1:]))
