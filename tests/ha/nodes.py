"""Nodes that share a Consul, a relay and what Ceph says; each has a petanotify with a state of its own."""

import contextlib
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "real"), str(TESTS / "bench")]

from ledger import Ledger  # noqa: E402
from parts.consul import Consul  # noqa: E402
from parts.namespaces import Namespaces  # noqa: E402
from parts.petanotify import Petanotify  # noqa: E402
from parts.processes import wait_until  # noqa: E402
from relay import Relay  # noqa: E402
from standins import osd_tree, status  # noqa: E402

# Consul takes no session shorter than this, and ends one at twice its TTL at the latest.
TTL_S = 10
LOCK_DELAY_S = 1

# Of Ceph's stand-in. One that is down must not be all that its host has.
HOSTS, OSDS_PER_HOST = 4, 100

# Of whatever architecture.
FAKE_TIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)

PETASAN_LOCK = "PetaSAN/Services/ClusterLeader"
OWN_LOCK = "petanotify/prod/leader"

# In the folder of a cluster: what happened, in order.
LOG = "rounds.log"

# What is no failure of a pass: complete; something left over.
ENDS_WELL = (0, 1)


class Node(Petanotify):
    """One machine: its petanotify, and its way to ask Ceph."""

    def __init__(self, folder, name, settings, environment=None):
        super().__init__(folder, settings, environment=environment)
        self.name = name
        # The timer is running.
        self.wakes = True
        script = self.folder / "ceph"
        script.write_text(
            f'#!/bin/sh\n[ ! -e {folder}/blind ] || {{ echo "no monitor answers" >&2; exit 1; }}\n'
            f'case "$*" in *"osd tree"*) exec /bin/cat {folder.parent}/tree ;; esac\n'
            f"exec /bin/cat {folder.parent}/status\n"
        )
        script.chmod(0o755)
        # By how much its clock is ahead of the others'.
        self.ahead_s = 0
        settings["ceph"] = {"command": [str(script)], "via": "cli"}

    def blind(self, is_blind=True):
        """Lets Ceph not answer on this node."""
        if is_blind:
            (self.folder / "blind").touch()
        else:
            (self.folder / "blind").unlink()

    def set_clock(self, minute):
        """Lets its clock show that minute of the scenario, which goes by faster than those of the machine."""
        self.environment.update(
            LD_PRELOAD=str(FAKE_TIME),
            FAKETIME=f"+{60 * minute + self.ahead_s}s",
            FAKETIME_DONT_FAKE_MONOTONIC="1",
        )



class Cluster:
    """The nodes, and what becomes of what is done to them."""

    def __init__(self, folder, *, mode, agents=3, recipients=3, seed=0, consul=None, **ha):
        self.folder, self.mode = folder, mode
        self.network = Namespaces(agents)
        self.consul = Consul(
            folder / "consul", agents=agents, network=self.network, **(consul or {})
        )
        self.relay = Relay(seed)
        if isinstance(recipients, int):
            recipients = [f"r{number}@example.org" for number in range(recipients)]
        self.recipients = recipients
        self.ledger = Ledger(self.relay, list(recipients))
        # Which is the default, and so it says nothing.
        self.ha = {"mode": mode} if mode != "auto" else {}
        if mode != "off":
            self.ha |= {"session_ttl": f"{TTL_S}s", "lock_delay": f"{LOCK_DELAY_S}s", **ha}
        self.nodes = {}
        self.rounds = 0
        # How many nodes carried out the checks in each round.
        self.voices = []
        # Whatever else must not be.
        self.wrong = []
        self._down = set()
        self._next_osd = 0
        self._logged = 0
        self._petasan_session = None
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        self.folder.mkdir()
        with self._stack as stack:
            stack.enter_context(self.relay)
            stack.enter_context(self.consul)
            self._pool = stack.enter_context(ThreadPoolExecutor(32))
            for name in self.consul.nodes:
                address = self.consul.address_of(name)
                value = {"name": name, "management_ip": address, "is_storage": True}
                self.consul.put(f"PetaSAN/Nodes/{name}", value)
                self.nodes[name] = Node(self.folder / name, name, self.settings(name))
            (self.folder / "status").write_text(status(HOSTS * OSDS_PER_HOST, 0))
            self._show()
            if self.mode in ("petasan", "auto"):
                self.lead("node1")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()

    def settings(self, name):
        """The tables of the configuration file of a node."""
        return {
            "cluster": {"name": "prod"},
            "ceph": {},
            "consul": {"address": self.consul.url(name), "timeout": "3s"},
            "smtp": {
                "host": "127.0.0.1",
                "port": self.relay.port,
                "security": "none",
                "from": "PetaSAN <storage@example.org>",
                "timeout": "3s",
            },
            "ha": dict(self.ha),
            # What goes up and down within seconds is to be mailed each time.
            "notify.flapping": {"enabled": False},
            "recipient": [{"address": address} for address in self.recipients],
        }

    # What happens.

    def osd_fails(self, *, owed=True):
        """One more OSD is down; its name."""
        number, self._next_osd = self._next_osd, self._next_osd + 1
        self._down.add(number)
        self._show()
        if owed:
            self.ledger.owe_down(f"osd.{number}")
        return f"osd.{number}"

    def osds_are_down(self, *numbers):
        """These and no others are down; nobody need be told."""
        self._down = set(numbers)
        self._show()

    def all_osds_are_up(self):
        """All that failed is up again."""
        for number in self._down:
            self.ledger.owe_up(f"osd.{number}")
        self._down.clear()
        self._show()

    def goes_on(self):
        """The next step of an endless story: an OSD fails, it is up again, the next one fails, …"""
        if self._down:
            self.all_osds_are_up()
        else:
            self.osd_fails()

    def _show(self):
        tree = json.loads(osd_tree(HOSTS, OSDS_PER_HOST, 0))
        for entry in tree["nodes"]:
            if entry["type"] == "osd" and entry["id"] in self._down:
                entry["status"] = "down"
        new = self.folder / "tree.new"
        new.write_text(json.dumps(tree))
        new.rename(self.folder / "tree")

    def machine_dies(self, name, *, seen_from):
        """The node's timer and its Consul agent are no more."""
        self.nodes[name].wakes = False
        self.consul.kill(name, seen_from=seen_from)

    def is_whole_again(self):
        """Starts the agents that are no more, and waits until each of all knows that all are alive."""
        self.consul.heal()

        def knows_all(name):
            missed = [other for other, is_alive in self.consul.statuses(name).items() if is_alive != 1]
            for other in missed:
                # Else those that were cut off wait for half a minute before they try to meet others again.
                address = self.consul.address_of(other)
                self.consul.request(f"/v1/agent/join/{address}", method="PUT", node=name)
            return not missed

        for name in self.nodes:
            wait_until(lambda name=name: knows_all(name), f"{name} to know that all are alive")

    # Who leads.

    def lead(self, name, *, ask="node1"):
        """Lets the node hold PetaSAN's lock, as PetaSAN's own service does, through a session without a TTL."""
        if self._petasan_session:
            self._end_session(self._petasan_session, ask)
        body = json.dumps({"Node": name, "LockDelay": "0s", "Name": "PetaSAN"}).encode()
        # Where there are ACLs a node is registered a while after it is known.
        answer = wait_until(
            lambda: self.consul.json("/v1/session/create", method="PUT", body=body, node=ask),
            f"a session of {name}",
        )
        self._petasan_session = answer["ID"]
        wait_until(
            lambda: self.consul.request(
                f"/v1/kv/{PETASAN_LOCK}?acquire={self._petasan_session}",
                method="PUT",
                body=b"",
                node=ask,
            ).strip()
            == b"true",
            f"{name} to hold PetaSAN's lock",
        )

    def holder(self, *, ask="node1"):
        """The node that holds the lock, and its session; twice None if nobody does."""
        lock = OWN_LOCK if self.mode == "consul" else PETASAN_LOCK
        found = self.consul.json(f"/v1/kv/{lock}", node=ask) if self._is_there(lock, ask) else None
        session = found and found[0].get("Session")
        if not session:
            return None, None
        known = self.consul.json(f"/v1/session/info/{session}", node=ask)
        return (known[0]["Node"], session) if known else (None, None)

    def _is_there(self, key, ask):
        return self.consul.request(f"/v1/kv/{key}", node=ask) is not None

    def leader_is_replaced(self, by=None, *, ask="node1"):
        """The lock changes hands: to that node in mode petasan, else to whoever wakes first."""
        if self.mode == "petasan":
            self.lead(by, ask=ask)
        else:
            _, session = self.holder(ask=ask)
            if session:
                self._end_session(session, ask)

    def _end_session(self, session, ask):
        # Servers that elect a leader have no time for it.
        wait_until(
            lambda: self.consul.request(f"/v1/session/destroy/{session}", method="PUT", node=ask),
            "a session to end",
        )

    def wait_until_lock_is_free(self, holder, *, ask):
        """Waits until a node that is gone has lost the lock, the lock-delay included; how long that took in s."""
        begin = time.monotonic()
        wait_until(
            lambda: self.holder(ask=ask)[0] != holder,
            f"{holder} to lose the lock",
            limit=3 * TTL_S + 15,
        )
        time.sleep(LOCK_DELAY_S)
        return time.monotonic() - begin

    # Passes.

    def awake(self):
        """The nodes whose timer runs."""
        return [node for node in self.nodes.values() if node.wakes]

    def round(self, *names):
        """A minute later the timers elapse, on all nodes or these, in the same moment; the runs by node."""
        self.rounds += 1
        for node in self.nodes.values():
            node.set_clock(self.rounds)
        nodes = [self.nodes[name] for name in names] or self.awake()
        runs = dict(zip((node.name for node in nodes), self._pool.map(self._check, nodes)))
        self.voices.append(sum("check osds: " in run.stderr for run in runs.values()))
        self.log(f"=== minute {self.rounds}", *(f"--- {name}\n{run}" for name, run in runs.items()))
        for name, run in runs.items():
            if run.status not in ENDS_WELL or "panicked" in run.stderr:
                self.wrong.append(f"round {self.rounds}, {name}: exit {run.status}: {run.stderr}")
        return runs

    def start_pass(self, name):
        """Begins a pass on that node that can be killed."""
        self.log(f"=== a pass of {name} that will not end well")
        return self.nodes[name].start(self.folder / LOG, "check", "-v")

    def log(self, *texts):
        """Takes down what happened, and which mails have arrived meanwhile."""
        mails = self.relay.taken[self._logged :]
        self._logged += len(mails)
        lines = [f"{mail.at:.3f} to {mail.to}: {mail.subject} {mail.message_id}" for mail in mails]
        with open(self.folder / LOG, "a") as log:
            log.writelines(f"{line}\n" for line in (*lines, f"{time.monotonic():.3f}", *texts))

    @staticmethod
    def _check(node):
        return node.run("check", "-v")

    def rounds_until_told(self, limit, *names):
        """Rounds until everybody has been told all that is owed; how many that were. What is not told within
        `limit` rounds is lost."""
        for number in range(1, limit + 1):
            self.round(*names)
            if not self.ledger.lost():
                return number
        return limit + 1

    def quiet_rounds(self, number, *names):
        """Rounds in which nothing is news."""
        before = len(self.relay.taken)
        for _ in range(number):
            self.round(*names)
        for mail in self.relay.taken[before:]:
            self.wrong.append(f"nothing was news, and {mail.to} was told: {mail.subject}")

    def does(self, name, *arguments):
        """Any other command on a node, which must succeed."""
        run = self.nodes[name].run(*arguments)
        if run.status != 0:
            self.wrong.append(f"{name}: {run}")
        return run

