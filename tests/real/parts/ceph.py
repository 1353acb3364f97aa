"""A real Ceph cluster on loopback: one monitor, one manager, OSDs in memory."""

import json
import shutil
import subprocess
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .processes import Daemon, PartFailed, answers, free_ports, run, tail, wait_until

MIB = 1024 * 1024
OBJECT_BYTES = 2 * MIB

# Used at most where nobody has stored anything.
EMPTY_PERCENT = 3

CONFIGURATION = """\
[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{port}
mon initial members = a
public network = 127.0.0.0/8
keyring = {folder}/$name.keyring
run dir = {folder}
log file = {folder}/$name.log
mon cluster log file = {folder}/cluster.log
crash dir = {folder}
mon data = {folder}/$name
mgr data = {folder}/$name
osd data = {folder}/$name
mgr initial modules =
# What one command changes need not wait for others, nor what Ceph finds wrong with itself for its next look.
paxos propose interval = 0.1
paxos min wait = 0.01
mon tick interval = 1
# The figures that `ceph status` tells shall follow within a second or two.
mgr stats period = 1
mgr tick period = 1
osd objectstore = memstore
memstore device bytes = {osd_bytes}
osd pool default size = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
# The tests say where an OSD is, and only they.
osd crush update on start = false
osd class update on start = false
mon osd reporter subtree level = osd
mon osd min down reporters = 1
mon allow pool size one = true
mon allow pool delete = true
# A monitor ends itself on a disk that is nearly full, which is not what is tested here.
mon data avail crit = 0
mon data avail warn = 0

[client]
log file =
"""


class Ceph:
    """A cluster of `osds` OSDs spread over `hosts` CRUSH hosts named node1, node2, …

    OSD number n lies in host n modulo `hosts` and holds `osd_bytes` bytes.
    """

    def __init__(self, folder, *, osds=4, hosts=2, osd_bytes=64 * MIB):
        self.folder = folder
        self.osds = range(osds)
        self.hosts = [f"node{number + 1}" for number in range(hosts)]
        self.osd_bytes = osd_bytes
        self.conf = folder / "ceph.conf"
        self.readonly_name = "client.petanotify"
        self.readonly_keyring = folder / "client.petanotify.keyring"
        self._daemons = {}
        self._administrator = None
        self._strays = set()
        self._destroyed = set()
        self._objects = 0
        self._pools = False

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
        """Brings the whole cluster up and waits until it tells its true size."""
        self.folder.mkdir()
        (self._port,) = free_ports(1)
        self.conf.write_text(
            CONFIGURATION.format(
                fsid=uuid.uuid4(), port=self._port, folder=self.folder, osd_bytes=self.osd_bytes
            )
        )
        self._create_monitor()
        self.start_mon()
        with ThreadPoolExecutor() as pool:
            keys = pool.submit(self._create_keys)
            for host in self.hosts:
                self.command("osd", "crush", "add-bucket", host, "host", "root=default")
            keys.result()
            manager = pool.submit(self._spawn, "mgr.x", "ceph-mgr", "x")
            list(pool.map(self._create_osd, self.osds))
            manager.result()
        self.wait_until_whole()

    def stop(self):
        """Ends every daemon of the cluster."""
        self._dismiss_administrator()
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda daemon: daemon.kill(), self._daemons.values()))
        self._daemons.clear()

    def command(self, *words, **how):
        """What the cluster answers its administrator to these words after `ceph`."""
        return self._administrator.does("command", [str(word) for word in words], how)

    def json(self, *words):
        """The same, parsed."""
        return json.loads(self.command(*words, format="json"))

    # What can be asked.

    def used_percent(self):
        """How full `ceph status` says the cluster is, of raw bytes."""
        pgmap = self.json("status")["pgmap"]
        return 100.0 * pgmap["bytes_used"] / pgmap["bytes_total"]

    def osd_status(self, osd):
        """`up`, `down` or `destroyed`, for strays as well; None for an unknown id."""
        tree = self.json("osd", "tree")
        for node in tree["nodes"] + tree["stray"]:
            if node["id"] == osd:
                return node["status"]
        return None

    def wait_until_osd(self, osd, status):
        """Waits until `ceph osd tree` tells that status of an OSD."""
        wait_until(
            lambda: self.osd_status(osd) == status,
            f"osd.{osd} to be {status}",
            log=self.folder / f"osd.{osd}.log",
        )

    def wait_until_used(self, condition, what):
        """Waits until `condition` holds for the percentage used, and returns it."""

        def used_when_true():
            used = self.used_percent()
            return used if condition(used) else None

        return wait_until(used_when_true, f"used storage {what}", log=self.folder / "mgr.x.log")

    def wait_until_whole(self):
        """Waits until every OSD is up and the manager counts all of their bytes."""

        def whole():
            for daemon in self._daemons.values():
                daemon.check()
            status = self.json("status")
            return (
                status["mgrmap"]["available"]
                and status["osdmap"]["num_up_osds"] == len(self.osds)
                and status["pgmap"]["bytes_total"] == len(self.osds) * self.osd_bytes
            )

        wait_until(whole, "every OSD up and counted", limit=120, log=self.folder / "mgr.x.log")

    # What can be done to it.

    def kill_osd(self, osd):
        """Kills an OSD's daemon and waits until the cluster calls it down."""
        self._daemons.pop(f"osd.{osd}").kill()
        # Its neighbours find out as well, but may take their time over it.
        self.command("osd", "down", f"osd.{osd}")
        self.wait_until_osd(osd, "down")

    def return_osd(self, osd):
        """Starts a killed OSD and waits until it is up; what it held is lost."""
        self._spawn_osd(osd)
        self.wait_until_osd(osd, "up")

    def crush_rm(self, osd):
        """Takes an OSD out of the CRUSH tree: it is a stray from now on."""
        self._strays.add(osd)
        self.command("osd", "crush", "rm", f"osd.{osd}")

    def crush_add(self, osd):
        """Puts a stray OSD back under its host."""
        self._place(osd)
        self._strays.discard(osd)

    def destroy(self, osd):
        """Marks a killed OSD destroyed, as an administrator does before replacing its disk."""
        self._destroyed.add(osd)
        self.command("osd", "destroy", f"osd.{osd}", "--yes-i-really-mean-it")
        self.wait_until_osd(osd, "destroyed")

    def replace_osd(self, osd):
        """Gives a destroyed OSD a new, empty disk and waits until it is up."""
        shutil.rmtree(self.folder / f"osd.{osd}")
        self._create_osd(osd)
        self._destroyed.discard(osd)
        self.wait_until_osd(osd, "up")

    def create_key(self, name, keyring, *capabilities):
        """Makes a key with these rights, in a file that only its owner may read."""
        keyring.touch(mode=0o600)
        keyring.write_text(self.command("auth", "get-or-create", name, *capabilities))

    def kill_mgr(self):
        """Kills the manager; the monitor knows at once, its figures stay as they were."""
        self._daemons.pop("mgr.x").kill()
        self.command("mgr", "fail", "x")
        wait_until(
            lambda: not self.json("status")["mgrmap"]["available"], "the manager to be missed"
        )

    def start_mgr(self):
        """Starts the manager again and waits until its figures are whole."""
        self._spawn("mgr.x", "ceph-mgr", "x")
        self.wait_until_whole()

    def kill_mon(self):
        """Kills the only monitor: from now on every call of the CLI waits."""
        self._dismiss_administrator()
        self._daemons.pop("mon.a").kill()

    def start_mon(self):
        """Starts the monitor and waits until it answers."""
        daemon = self._spawn("mon.a", "ceph-mon", "a")

        def listening():
            daemon.check()
            return answers("127.0.0.1", self._port)

        wait_until(listening, "the monitor to listen", log=self.folder / "mon.a.log")
        self._administrator = Administrator(self.conf, self.folder / "administrator.log")
        self.command("mon", "stat")

    def _dismiss_administrator(self):
        if self._administrator:
            self._administrator.close()
            self._administrator = None

    def fill(self, percent):
        """Writes objects until at least `percent` of the raw bytes are used.

        Each OSD gets its equal share, so that none is full before the others.
        """
        if not self._pools:
            self._create_pools()
        wanted = int(percent / 100 * self.osd_bytes * len(self.osds) / OBJECT_BYTES) + 1
        numbers = range(self._objects, wanted)
        for osd in self.osds:
            objects = [f"object-{n}" for n in numbers if n % len(self.osds) == osd]
            self._administrator.does("write", f"fill-{osd}", objects, OBJECT_BYTES)
        self._objects = wanted
        return self.wait_until_used(lambda used: used >= percent, f"of at least {percent} %")

    def empty(self):
        """Deletes all that `fill` wrote and waits until the storage is empty again."""
        if self._pools:
            for osd in self.osds:
                pool = f"fill-{osd}"
                self.command("osd", "pool", "rm", pool, pool, "--yes-i-really-really-mean-it")
            self._pools, self._objects = False, 0
        # The maps that the OSDs keep take more and more of it.
        self.wait_until_used(lambda used: used < EMPTY_PERCENT, f"below {EMPTY_PERCENT} %")

    def heal(self):
        """Undoes whatever was done to it, and waits until it is whole."""
        if "mon.a" not in self._daemons:
            self.start_mon()
        if "mgr.x" not in self._daemons:
            self._spawn("mgr.x", "ceph-mgr", "x")
        for osd in list(self._strays):
            self.crush_add(osd)
        for osd in list(self._destroyed):
            self.replace_osd(osd)
        for osd in self.osds:
            if f"osd.{osd}" not in self._daemons:
                self._spawn_osd(osd)
        self.wait_until_whole()
        if self._pools:
            self.empty()

    # How it is made.

    def _create_monitor(self):
        folder = self.folder
        mon_keyring = folder / "mon.a.keyring"
        admin_keyring = folder / "client.admin.keyring"
        run(
            ["ceph-authtool", "--create-keyring", admin_keyring, "--gen-key", "--name"]
            + ["client.admin", "--cap", "mon", "allow *", "--cap", "mgr", "allow *"]
            + ["--cap", "osd", "allow *"]
        )
        run(
            ["ceph-authtool", "--create-keyring", mon_keyring, "--gen-key", "--name", "mon."]
            + ["--cap", "mon", "allow *", "--import-keyring", admin_keyring]
        )
        monmap = folder / "monmap"
        fsid = self.conf.read_text().splitlines()[1].split()[-1]
        run(
            ["monmaptool", "--create", "--fsid", fsid]
            + ["--addv", "a", f"[v2:127.0.0.1:{self._port}]", monmap]
        )
        run(
            ["ceph-mon", "--conf", self.conf, "--mkfs", "--id", "a"]
            + ["--monmap", monmap, "--keyring", mon_keyring]
        )

    def _create_keys(self):
        (self.folder / "mgr.x").mkdir()
        self._create_key("mgr.x", "mon", "allow profile mgr", "osd", "allow *", "mds", "allow *")
        self._create_key(self.readonly_name, "mon", "allow r")
        # Else the manager makes a pool of its own as soon as an OSD is up.
        self.command(
            "config", "set", "mgr", "mgr/devicehealth/enable_monitoring", "false", "--force"
        )

    def _create_key(self, name, *capabilities):
        self.create_key(name, self.folder / f"{name}.keyring", *capabilities)

    def _create_osd(self, osd):
        name = f"osd.{osd}"
        osd_uuid = str(uuid.uuid4())
        (self.folder / name).mkdir()
        self.command("osd", "new", osd_uuid, str(osd))
        # The keyring comes before the mkfs, which would make one that nobody knows.
        self._create_key(
            name, "mon", "allow profile osd", "mgr", "allow profile osd", "osd", "allow *"
        )
        run(["ceph-osd", "--conf", self.conf, "--id", osd, "--mkfs", "--osd-uuid", osd_uuid])
        self._place(osd)
        self._spawn_osd(osd)

    def _place(self, osd):
        host = self.hosts[osd % len(self.hosts)]
        self.command("osd", "crush", "add", f"osd.{osd}", "1.0", f"host={host}")

    def _spawn_osd(self, osd):
        self._spawn(f"osd.{osd}", "ceph-osd", osd)

    def _spawn(self, name, program, identity):
        command = [program, "--conf", self.conf, "--foreground", "--id", identity]
        daemon = Daemon(name, command, self.folder / f"{name}.log")
        self._daemons[name] = daemon
        return daemon

    def _create_pools(self):
        known_rules = self.json("osd", "crush", "rule", "ls")

        def create(osd):
            pool, rule = f"fill-{osd}", f"only-osd.{osd}"
            # An OSD that was taken out of the CRUSH tree has lost its class.
            self.command("osd", "crush", "set-device-class", rule, f"osd.{osd}")
            if rule not in known_rules:
                self.command(
                    "osd", "crush", "rule", "create-replicated", rule, "default", "osd", rule
                )
            self.command("osd", "pool", "create", pool, "1", "1", "replicated", rule)

        with ThreadPoolExecutor() as executor:
            list(executor.map(create, self.osds))
        self._pools = True


class Administrator:
    """Who is connected to the monitors all the time; see administrator.py."""

    def __init__(self, conf, log):
        self._log = log
        self._lock = threading.Lock()
        with open(log, "ab") as output:
            self._process = subprocess.Popen(
                [Path(__file__).with_name("administrator.py"), conf],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
            )

    def does(self, task, *arguments):
        """What came of a task. Raises PartFailed when it could not be done."""
        with self._lock:
            try:
                print(json.dumps([task, *arguments]), file=self._process.stdin, flush=True)
                outcome = json.loads(self._process.stdout.readline())
            except (OSError, ValueError) as error:
                raise PartFailed(f"the administrator is gone{tail(self._log)}") from error
        if "complaint" in outcome:
            raise PartFailed(f"{task} {arguments}: {outcome['complaint']}")
        return outcome["answer"]

    def close(self):
        """Disconnects."""
        self._process.kill()
        self._process.communicate()
