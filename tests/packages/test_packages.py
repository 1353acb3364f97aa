#!/usr/bin/env python3
"""The packages: what is in them, their life on clean machines, a real pass in the service's sandbox.

Needs root, the packages that tests/real/install names, and both packages built by
packaging/build-deb and packaging/build-rpm. Run as a program it prints one line per
test, everything it knows about one that failed, and the count in the last line.

    tests/packages/test_packages.py [NAME…]     all tests, or those whose name contains one of these

The environment may ask for more:
    PETANOTIFY_REBUILD=1            compiles everything a second time, elsewhere, and compares
    PETANOTIFY_CEPH_SUITES="…"      the sandbox with the Ceph of these Debian suites as well
"""

import contextlib
import functools
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from machines import BUILD, REPOSITORY, Machine, into_private_network, make_root  # noqa: E402
from parts.cluster import LOGIN, Cluster  # noqa: E402
from parts.petanotify import to_toml  # noqa: E402
from parts.processes import (  # noqa: E402
    PartFailed,
    end_orderly_on_signals,
    private_folder,
    run,
    wait_until,
)

PACKAGES = REPOSITORY / "target/package"
CLEAN_SUITES = ("bookworm", "bullseye")
CEPH_SUITES = os.environ.get("PETANOTIFY_CEPH_SUITES", "").split()

SERVICE = "petanotify.service"
TIMER = "petanotify.timer"
CONFIG = "/etc/petanotify/petanotify.toml"
PASSWORD = "/etc/petanotify/smtp-password"
STATE = "/var/lib/petanotify"
OWN_KEYRING = "/etc/ceph/ceph.client.petanotify.keyring"
ADMIN_KEYRING = "/etc/ceph/ceph.client.admin.keyring"

# The exposure that `systemd-analyze security` may find, in tenths.
EXPOSURE_LIMIT = 15

FILES = """
/etc/petanotify/petanotify.toml
/usr/bin/petanotify
/usr/lib/systemd/system/petanotify.service
/usr/lib/systemd/system/petanotify.timer
/usr/share/bash-completion/completions/petanotify
/usr/share/doc/petanotify/changelog.gz
/usr/share/doc/petanotify/examples/cron
/usr/share/doc/petanotify/examples/own-key-only.conf
/usr/share/doc/petanotify/examples/petanotify.rules.yml
/usr/share/doc/petanotify/examples/petasan-notification.conf
/usr/share/doc/petanotify/examples/sendmail-fallback.conf
/usr/share/fish/vendor_completions.d/petanotify.fish
/usr/share/man/man1/petanotify.1.gz
/usr/share/man/man5/petanotify.toml.5.gz
/usr/share/petanotify/older-than-247.conf
/usr/share/zsh/vendor-completions/_petanotify
""".split()
LICENCE_OF_DEB = "/usr/share/doc/petanotify/copyright"
LICENCE_OF_RPM = "/usr/share/licenses/petanotify/LICENSE"

stage = contextlib.ExitStack()
folder = None


def setUpModule():
    global folder
    folder = stage.enter_context(private_folder("petanotify-packages"))


def tearDownModule():
    stage.close()


@functools.cache
def cluster():
    """A real Ceph, Consul and mail server, for all tests that need one of them."""
    return stage.enter_context(Cluster(folder / "cluster"))


def package(pattern):
    """The one package of that name that is built."""
    found = list(PACKAGES.glob(pattern))
    if len(found) != 1:
        raise PartFailed(f"{len(found)} files like {PACKAGES}/{pattern}: run packaging/build-deb and build-rpm")
    return found[0]


def deb():
    return package("petanotify_*.deb")


def rpm():
    return package("petanotify-*.rpm")


def field(name):
    return run(["dpkg-deb", "--field", deb(), name]).strip()


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def readme_block(text):
    """The commands of the block in README.md that has a line with that text."""
    blocks = re.findall(r"(?ms)^ *```sh\n(.*?)^ *```$", (REPOSITORY / "README.md").read_text())
    (block,) = [block for block in blocks if text in block]
    return [line.split(" # ")[0].strip() for line in block.splitlines()]


class Contents(unittest.TestCase):
    def test_files(self):
        """the .deb holds what it should, readable for all, and one configuration file"""
        result = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb()], capture_output=True, check=True)
        with tarfile.open(fileobj=io.BytesIO(result.stdout)) as archive:
            members = {member.name.removeprefix("."): member for member in archive if member.isfile()}
        self.assertEqual(sorted(members), sorted([*FILES, LICENCE_OF_DEB]))
        for name, member in members.items():
            mode = 0o755 if name == "/usr/bin/petanotify" else 0o644
            self.assertEqual((oct(member.mode), member.uid, member.gid), (oct(mode), 0, 0), name)
        self.assertEqual(run(["dpkg-deb", "--info", deb(), "conffiles"]).split(), [CONFIG])

    def test_rpm(self):
        """the .rpm holds the same, installs whole, and goes again"""
        listed = [name.replace("vendor-completions/_", "site-functions/_") for name in FILES]
        self.assertEqual(run(["rpm", "-qpl", rpm()]).split(), sorted([*listed, LICENCE_OF_RPM]))
        self.assertEqual(run(["rpm", "-qpc", rpm()]).split(), [CONFIG])
        root = folder / "rpm"
        root.mkdir()
        at = ["rpm", "--root", root, "--nodeps", "--noscripts"]
        run([*at, "--install", rpm()])
        self.assertEqual(run(["rpm", "--root", root, "--verify", "--nodeps", "petanotify"]), "")
        self.assertIn(field("Version"), run([root / "usr/bin/petanotify", "--version"]))
        run([*at, "--erase", "petanotify"])
        self.assertFalse((root / "usr/bin/petanotify").exists())

    def test_lintian(self):
        """lintian finds neither errors nor warnings"""
        found = run(["lintian", "--allow-root", "--fail-on", "none", "--tag-display-limit", "0", deb()])
        self.assertEqual(found, "")

    def test_binary(self):
        """the program needs no C library newer than 2.31 and names no folder of this machine"""
        unpacked = folder / "unpacked"
        run(["dpkg-deb", "--extract", deb(), unpacked])
        binary = unpacked / "usr/bin/petanotify"
        symbols = run(["objdump", "--dynamic-syms", binary])
        releases = {tuple(map(int, found.split("."))) for found in re.findall(r"GLIBC_([\d.]+)", symbols)}
        self.assertLessEqual(max(releases), (2, 31))
        content = binary.read_bytes()
        for place in (REPOSITORY, BUILD, Path.home()):
            self.assertNotIn(bytes(place), content)

    def test_reproducible(self):
        """packed in another folder, by somebody with other habits, they are the same to the byte"""
        again = folder / "another folder with a longer name"
        listed = run(["git", "-C", REPOSITORY, "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        for name in filter(None, listed.split("\0")):
            if (REPOSITORY / name).is_file():
                (again / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(REPOSITORY / name, again / name)
                shutil.copymode(REPOSITORY / name, again / name)
        (again / "target").mkdir()
        (again / "target/packaging-tools").symlink_to(BUILD / "packaging-tools")
        options = []
        if not os.environ.get("PETANOTIFY_REBUILD"):
            (binary,) = BUILD.glob("*-linux-gnu/release/petanotify")
            copy = again / "target" / binary.relative_to(BUILD)
            copy.parent.mkdir(parents=True)
            shutil.copy(binary, copy)
            options = ["--no-build"]
        environment = {**os.environ, "TZ": "Pacific/Auckland", "LC_ALL": "C", "CARGO_NET_OFFLINE": "true"}
        environment.pop("CARGO_TARGET_DIR", None)
        for script, made in (("build-deb", deb()), ("build-rpm", rpm())):
            command = ["sh", "-c", 'umask 077; exec "$@"', "sh", again / "packaging" / script, *options]
            run(command, environment=environment, limit=1200)
            self.assertEqual(digest(made), digest(again / "target/package" / made.name), script)

    def test_exposure(self):
        """systemd finds little that the service could do beyond its work"""
        unit = REPOSITORY / "packaging/systemd" / SERVICE
        run(["systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE_LIMIT}", unit])


class OnMachine(unittest.TestCase):
    """What the tests on a machine share: a fresh one for each, and a mail server to send to."""

    root = None

    def setUp(self):
        self.mail = cluster().mail
        self.mail.clear()
        self.machine = Machine(folder / self.id(), self.root, shared=[PACKAGES])
        self.machine.__enter__()
        self.addCleanup(self.machine.stop)

    def tearDown(self):
        cluster().ceph.heal()

    def settings(self, **tables):
        """The tables of a configuration file: the mail server with a login, and ops to write to."""
        settings = cluster().settings("ops")
        del settings["ceph"]
        settings["smtp"]["password_file"] = Path(PASSWORD).name
        settings["smtp"]["ca_file"] = "/etc/petanotify/ca.pem"
        return {**settings, **tables}

    def configure(self, settings):
        self.machine.write("/etc/petanotify/ca.pem", self.mail.ca_file.read_text())
        self.machine.write(PASSWORD, cluster().password + "\n", mode=0o600)
        self.machine.write(CONFIG, to_toml(settings))

    def start(self, *, result="success"):
        """One pass of the service; the journal's new lines."""
        before = self.machine.journal("petanotify")
        self.machine.run("systemctl", "start", SERVICE, check=False)
        after = self.machine.journal("petanotify").removeprefix(before)
        self.assertEqual(self.show(SERVICE, "Result"), result, after)
        return after

    def show(self, unit, name):
        return self.machine.run("systemctl", "show", "--value", "--property", name, unit).stdout.strip()

    def subjects(self):
        """The subjects of all mails to ops since the last look."""
        found = [str(mail["Subject"]) for mail in self.mail.read("ops")]
        self.mail.clear()
        return found

    def timer(self):
        """Whether the timer runs now, and whether it will after a reboot."""
        asked = [self.machine.run("systemctl", question, TIMER, check=False) for question in ("is-active", "is-enabled")]
        return tuple(answer.stdout.strip() for answer in asked)

    def owners(self, path):
        """Who owns what lies below that folder."""
        return set(self.machine.run("find", path, "-printf", "%u:%g\n").stdout.split())


# Answers as a monitor gave them. Debian's own Ceph would make the clean machine a big one.
CEPH_STANDIN = """\
#!/bin/sh
case "$*" in
    *"osd tree"*) cat /srv/osd-tree.json ;;
    *) cat /srv/status.json ;;
esac
"""


class Life(OnMachine):
    """A package's life on a clean machine, from the first installation to the purge."""

    suite = None

    @classmethod
    def setUpClass(cls):
        cls.root = make_root(cls.suite)

    def test_life(self):
        machine = self.machine
        before = self.tree()

        (line,) = readme_block("apt install")
        said = machine.shell(f"cd {REPOSITORY} && {line.replace('apt ', 'apt-get --yes ')}").stdout
        self.assertIn("the timer was not started", said)
        self.assertIn("petanotify config check", said)
        self.assertEqual(self.timer(), ("inactive", "disabled"))
        self.assertIn(field("Version"), machine.run("petanotify", "--version").stdout)
        self.assertIn("default", machine.run("petanotify", "config", "show").stdout)

        self.configure(self.settings(**{"checks.nodes": {"enabled": False}}))
        self.put_ceph("one-osd-down")
        would = machine.run("petanotify", "check", "--dry-run").stdout
        self.assertIn("[prod] 1 OSD down", would)
        self.start()
        self.assertRegex(" ".join(self.subjects()), r"\A\[prod\] 1 OSD down on \S+: osd\.\d+\Z")
        self.assertEqual(self.owners(STATE), {"petanotify:petanotify"})
        # No pass shall change the state behind our back.
        never = "[Timer]\nOnCalendar=\nOnCalendar=2099-01-01\n"
        machine.write(f"/etc/systemd/system/{TIMER}.d/test.conf", never)
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "enable", "--now", TIMER)

        self.kept = self.read_kept()
        self.apt("install", self.newer("+1"))
        self.expect_kept("the upgrade")
        self.assertEqual(self.timer(), ("active", "enabled"))
        self.start()
        self.assertEqual(self.subjects(), [], "what was known before the upgrade is no news after it")

        machine.run("systemctl", "stop", TIMER)
        self.apt("install", self.newer("+2"))
        self.assertEqual(self.timer(), ("inactive", "enabled"), "an upgrade starts what was stopped")
        machine.run("systemctl", "start", TIMER)

        self.kept = self.read_kept()
        self.apt("remove", "petanotify")
        self.expect_kept("the removal")
        self.assertEqual(self.timer()[0], "inactive")
        self.assertFalse(machine.path("/usr/bin/petanotify").exists())

        self.apt("install", deb())
        self.expect_kept("coming back")
        self.assertEqual(self.timer(), ("active", "enabled"))

        self.apt("purge", "petanotify")
        machine.run("rm", "--recursive", "/srv", "/usr/bin/ceph", "/etc/petanotify/ca.pem", "/etc/petanotify")
        machine.run("rm", "--recursive", f"/etc/systemd/system/{TIMER}.d")
        self.assertEqual(sorted(self.tree() - before), [])
        self.assertEqual(self.machine.state(), "running")

    def apt(self, *arguments):
        options = ["--yes", "--quiet", "--quiet", "--allow-downgrades"]
        return self.machine.run("apt-get", *options, *arguments).stdout

    def newer(self, suffix):
        """The package under a higher version."""
        work = folder / f"newer{suffix}"
        made = PACKAGES / "newer" / f"{self.suite}{suffix}.deb"
        if not work.exists():
            run(["dpkg-deb", "--raw-extract", deb(), work])
        control = work / "DEBIAN/control"
        version = f"Version: {field('Version')}{suffix}"
        control.write_text(re.sub(r"^Version: .*", version, control.read_text(), flags=re.MULTILINE))
        made.parent.mkdir(exist_ok=True)
        self.addCleanup(shutil.rmtree, made.parent, ignore_errors=True)
        run(["dpkg-deb", "--build", work, made])
        return made

    def put_ceph(self, situation):
        answers = REPOSITORY / "tests/fixtures/ceph/16.2.15"
        self.machine.write("/usr/bin/ceph", CEPH_STANDIN, mode=0o755)
        for question in ("status", "osd-tree"):
            self.machine.write(f"/srv/{question}.json", (answers / f"{question}.{situation}.json").read_text())

    def read_kept(self):
        return {path: self.machine.path(path).read_bytes() for path in (CONFIG, PASSWORD, f"{STATE}/state.json")}

    def expect_kept(self, what):
        for path, content in self.kept.items():
            self.assertEqual(self.machine.path(path).read_bytes(), content, f"{path} after {what}")

    def tree(self):
        """All files but those of apt, dpkg and the log, and what they are there for."""
        passed_over = ["/proc", "/sys", "/dev", "/tmp", "/root", "/var/log", "/var/cache", "/var/lib/apt", "/var/lib/dpkg"]
        passed_over += ["/run/systemd", "/run/log", str(PACKAGES)]
        # Of what petanotify recommends: certificates.
        passed_over += ["/etc/ssl", "/usr/share/ca-certificates", "/usr/lib/ssl"]
        prune = [word for path in passed_over for word in ("-path", path, "-prune", "-o")]
        found = self.machine.run("find", "/", *prune, "-name", "*petanotify*", "-print").stdout
        return set(found.split())


def life_on(suite, description):
    def test(self):
        Life.test_life(self)

    test.__doc__ = description
    return type(f"Life_{suite}", (Life,), {"suite": suite, "test_life": test})


class Service(OnMachine):
    """The service in its sandbox, with a real Ceph, on a copy of this machine."""

    root = "/"

    def setUp(self):
        super().setUp()
        self.ceph = cluster().ceph
        # Whatever this machine has of them, and what may forbid services to start on it.
        self.machine.shell("rm -rf /etc/ceph /etc/petanotify /var/lib/petanotify /usr/sbin/policy-rc.d")
        # The pages of the copied machine would be indexed anew.
        self.machine.run("dpkg", "--no-triggers", "--install", deb())
        # Keyrings are looked for where a package puts them, not where the cluster has its own.
        conf = re.sub(r"(?m)^keyring = .*\n", "", self.ceph.conf.read_text())
        self.machine.write("/etc/ceph/ceph.conf", conf)

    def put_keyring(self, path, keyring):
        self.machine.write(path, keyring.read_text(), mode=0o600)

    def drop_in(self, text):
        self.machine.write(f"/etc/systemd/system/{SERVICE}.d/test.conf", f"[Service]\n{text}")
        self.machine.run("systemctl", "daemon-reload")

    def test_real_pass(self):
        """a real pass in the sandbox, both ways to the monitors: silent, mail, and no call refused"""
        self.put_keyring(OWN_KEYRING, self.ceph.readonly_keyring)
        for via in ("cli", "librados"):
            self.configure(self.settings(ceph={"via": via}))
            # Whatever the filter refuses ends the process.
            self.drop_in("SystemCallErrorNumber=\n")
            self.assertEqual(self.start(), "", "a pass in which all is well")
            self.assertEqual(self.subjects(), [])
            self.ceph.kill_osd(2)
            self.assertIn("sent: 250", self.start())
            self.assertEqual(self.subjects(), ["[prod] 1 OSD down on node1: osd.2"])
            self.ceph.return_osd(2)
            self.drop_in("")
            self.start()
            self.assertEqual(self.subjects(), ["[prod] all OSDs are up again"])

    def test_by_hand(self):
        """what root does by hand leaves nothing that the service could not go on from"""
        self.put_keyring(OWN_KEYRING, self.ceph.readonly_keyring)
        self.configure(self.settings(ceph={"name": "client.petanotify"}))
        self.ceph.kill_osd(2)
        self.machine.run("petanotify", "check")
        self.assertEqual(self.subjects(), ["[prod] 1 OSD down on node1: osd.2"])
        self.start()
        self.ceph.kill_osd(1)
        self.machine.run("petanotify", "check")
        self.assertEqual(self.owners(STATE), {"petanotify:petanotify"})
        self.start()
        self.assertEqual(self.subjects(), ["[prod] 2 OSDs down on node1, node2: osd.1, osd.2"])

    def test_missing(self):
        """a missing keyring or password is told in words, and the unit starts all the same"""
        self.configure(self.settings())
        said = self.start(result="exit-code")
        self.assertIn("ceph auth get-or-create client.petanotify mon 'allow r'", said)
        self.assertEqual(self.show(SERVICE, "ExecMainStatus"), "1")

        self.put_keyring(OWN_KEYRING, self.ceph.readonly_keyring)
        self.machine.path(PASSWORD).unlink()
        settings = self.settings()
        del settings["smtp"]["password_file"]
        self.machine.write(CONFIG, to_toml(settings))
        self.ceph.kill_osd(2)
        said = self.start(result="exit-code")
        self.assertIn("there is no password for smtp.username", said)
        self.configure(settings)
        self.start()
        self.assertEqual(len(self.subjects()), 1)

    def test_admin_key(self):
        """on a node that has the key of Ceph's administrator alone, that one does"""
        self.put_keyring(ADMIN_KEYRING, self.ceph.folder / "client.admin.keyring")
        self.configure(self.settings())
        self.assertEqual(self.start(), "")
        self.put_keyring(OWN_KEYRING, self.ceph.readonly_keyring)
        self.assertEqual(self.start(), "")
        # With the example from the package in place, the administrator's is not even there.
        for line in readme_block("own-key-only.conf"):
            self.machine.shell(line)
        self.assertNotIn("admin", self.show(SERVICE, "LoadCredential"))
        self.assertEqual(self.start(), "")
        self.machine.path(OWN_KEYRING).unlink()
        self.assertIn("client.petanotify", self.start(result="exit-code"))

    def test_older_systemd(self):
        """what the package does where systemd knows no credentials is enough"""
        self.put_keyring(ADMIN_KEYRING, self.ceph.folder / "client.admin.keyring")
        self.configure(self.settings())
        # As an older systemd sees the unit.
        self.drop_in("LoadCredential=\nSetCredential=\n")
        self.start(result="exit-code")
        drop_ins = f"/etc/systemd/system/{SERVICE}.d"
        self.machine.run("cp", "/usr/share/petanotify/older-than-247.conf", drop_ins)
        self.machine.run("systemctl", "daemon-reload")
        self.ceph.kill_osd(2)
        self.assertIn("sent: 250", self.start())
        self.assertEqual(self.subjects(), ["[prod] 1 OSD down on node1: osd.2"])
        self.assertEqual(self.owners(STATE), {"petanotify:petanotify"})

    def test_begin(self):
        """a new package starts the timer on a Ceph node where all works, and on no other"""
        for keyring, timer, said in (
            (None, ("inactive", "disabled"), "the timer was not started"),
            (self.ceph.readonly_keyring, ("active", "enabled"), "the timer is started"),
        ):
            self.machine.run("dpkg", "--no-triggers", "--purge", "petanotify")
            self.configure(self.settings(ceph={"name": "client.petanotify"}))
            if keyring:
                self.put_keyring(OWN_KEYRING, keyring)
            install = ["dpkg", "--no-triggers", "--force-confold", "--install", deb()]
            self.assertIn(said, self.machine.run(*install).stdout)
            self.assertEqual(self.timer(), timer)

    def test_fallback(self):
        """sendmail gets a mail out of the sandbox, with the example from the package"""
        self.put_keyring(OWN_KEYRING, self.ceph.readonly_keyring)
        settings = self.settings(fallback={"command": ["/usr/sbin/sendmail", "-t", "-i"], "after": "1ms"})
        # Nobody listens there.
        settings["smtp"]["port"] = 1
        self.configure(settings)
        self.ceph.kill_osd(2)
        self.start(result="exit-code")
        for line in readme_block("sendmail-fallback.conf"):
            self.machine.shell(line)
        spool = self.machine.path("/var/spool/postfix/maildrop")
        there_before = set(spool.iterdir())
        self.start()
        # A Postfix that runs takes it from there.
        (dropped,) = set(spool.iterdir()) - there_before
        self.assertIn(b"ops@example.org", dropped.read_bytes())

    def test_timer(self):
        """the timer makes passes by itself"""
        self.put_keyring(OWN_KEYRING, self.ceph.readonly_keyring)
        self.configure(self.settings())
        self.ceph.kill_osd(2)
        every_second = "[Timer]\nOnCalendar=\nOnCalendar=*-*-* *:*:*\nRandomizedDelaySec=0\n"
        self.machine.write(f"/etc/systemd/system/{TIMER}.d/test.conf", every_second)
        self.machine.run("systemctl", "daemon-reload")
        self.machine.run("systemctl", "enable", "--now", TIMER)
        wait_until(lambda: self.mail.read("ops"), "a pass that the timer starts")

    def test_in_petasans_place(self):
        """PetaSAN's own service stays silent while the drop-in is there, and nobody is told of an error"""
        unit = "[Service]\nExecStart=/bin/sleep infinity\n"
        self.machine.write("/etc/systemd/system/petasan-notification.service", unit)

        def speaks():
            return self.show("petasan-notification", "ActiveState") == "active"

        def start():
            self.machine.run("systemctl", "start", "petasan-notification")

        self.machine.run("systemctl", "daemon-reload")
        start()
        self.assertTrue(speaks())
        for line in readme_block("systemctl stop petasan-notification"):
            self.machine.shell(line)
        self.assertFalse(speaks())
        start()
        self.assertFalse(speaks())
        for line in readme_block("rm /etc/systemd/system/petasan-notification"):
            self.machine.shell(line)
        self.assertTrue(speaks())


def load_tests(loader, standard, _pattern):
    """All tests, each machine's in its place."""
    suite = unittest.TestSuite()
    classes = [Contents, *(life_on(suite, f"from install to purge on a clean {suite}") for suite in CLEAN_SUITES)]
    classes.append(Service)
    for name in CEPH_SUITES:
        # No Postfix there.
        there = {"root": make_root(name, "ceph-common"), "test_fallback": None}
        classes.append(type(f"Service_{name}", (Service,), there))
    for case in classes:
        suite.addTests(loader.loadTestsFromTestCase(case))
    return suite


class Lines(unittest.TestResult):
    """One line per test."""

    def __init__(self):
        super().__init__()
        self.passed = 0
        self.started = 0

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1
        self.tell("ok", test)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.tell("FAILED", test, self.failures[-1][1])

    def addError(self, test, error):
        super().addError(test, error)
        self.tell("FAILED", test, self.errors[-1][1])

    def tell(self, outcome, test, trace=""):
        took = time.monotonic() - self.started
        print(f"{outcome}: {test.shortDescription() or test} ({took:.1f} s)\n{trace}", end="", flush=True)
        machine = getattr(test, "machine", None)
        if trace and machine:
            said = machine.run("journalctl", "--no-pager", "--lines=25", check=False)
            print(f"--- the end of the machine's journal\n{said.stdout}", flush=True)


def main(names):
    end_orderly_on_signals()
    if not os.environ.get("PETANOTIFY_NETWORK"):
        # The last that needs the network.
        with ThreadPoolExecutor() as pool:
            wanted = [pool.submit(make_root, suite) for suite in CLEAN_SUITES]
            wanted += [pool.submit(make_root, suite, "ceph-common") for suite in CEPH_SUITES]
            for root in wanted:
                root.result()
    into_private_network()
    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*{name}*" for name in names] or None
    result = Lines()
    loader.loadTestsFromModule(sys.modules[__name__]).run(result)
    bad = len(result.failures) + len(result.errors)
    print(f"{result.passed} passed, {bad} failed")
    return 1 if bad or not result.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
