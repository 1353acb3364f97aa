"""A real Consul cluster on loopback: five agents, of which three are servers."""

import json
import os
import secrets
import shutil
import socket
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .processes import Daemon, PartFailed, run, wait_until

SERVERS = 3
# Of the agent: DNS, HTTP, gossip in the LAN and the WAN, RPC.
PORTS = (8600, 8500, 8301, 8302, 8300)

CONFIGURATION = """\
performance { raft_multiplier = 1 }
gossip_lan { probe_interval = "300ms" probe_timeout = "200ms" suspicion_mult = 2 }
disable_update_check = true
"""

# With a token of its own an agent registers its node, which nothing else does that a session needs.
ACLS = """\
acl { enabled = true default_policy = "deny" tokens { master = "%s" agent = "%s" } }
"""


def binary():
    """The `consul` on the PATH, else the one that tests/real/install fetched."""
    root = Path(__file__).resolve().parents[3]
    build = Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
    found = shutil.which("consul") or shutil.which("consul", path=build / "real-parts")
    if not found:
        raise PartFailed("there is no consul: run tests/real/install")
    return found


class Consul:
    """A cluster of `agents` agents named node1, node2, …; at most three are servers.

    With `master_token` it has ACLs that deny all to whoever shows no token; `configuration` is
    added to that of each agent. They share the loopback network, or live in `network`.
    """

    def __init__(self, folder, *, agents=5, master_token=None, network=None, configuration=""):
        self.folder = folder
        self.nodes = [f"node{number + 1}" for number in range(agents)]
        self.master_token = master_token
        self._configuration = configuration
        self._network = network
        self._daemons = {}
        self._binary = binary()

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
        """Starts every agent and waits until they know each other and have a leader."""
        self.folder.mkdir()
        self._network = self._network or Network(len(self.nodes))
        acls = ACLS % ((self.master_token,) * 2) if self.master_token else ""
        (self.folder / "agent.hcl").write_text(CONFIGURATION + acls + self._configuration)
        (self.folder / "agent.hcl").chmod(0o600)
        for node in self.nodes:
            self._spawn(node)
        self.wait_until_whole()

    def stop(self):
        """Ends every agent."""
        self.kill_all()
        if self._network:
            self._network.release()
            self._network = None

    def address_of(self, node):
        """The node's own address."""
        return self._network.address(self.nodes.index(node) + 1)

    def url(self, node="node1"):
        """Where the node's agent offers its HTTP API."""
        return f"http://{self.address_of(node)}:8500"

    # What can be asked.

    def request(self, path, *, method="GET", body=None, node="node1"):
        """What the node's agent answers; None when it answers 404."""
        headers = {"X-Consul-Token": self.master_token} if self.master_token else {}
        request = urllib.request.Request(
            self.url(node) + path, data=body, method=method, headers=headers
        )
        # Nothing between us and loopback.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=10) as response:
                return response.read()
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            said = error.read().decode(errors="replace").strip()
            raise PartFailed(f"{method} {request.full_url}: {error.code} {said}") from error

    def json(self, path, **how):
        """The same, parsed."""
        return json.loads(self.request(path, **how))

    def kv(self, key, node="node1"):
        """The document that lies at a key."""
        return json.loads(self.request(f"/v1/kv/{key}?raw", node=node))

    def statuses(self, node="node1"):
        """What the node's gossip says of each member: 1 alive, 2 leaving, 3 left, 4 failed."""
        return {
            member["Name"]: member["Status"] for member in self.json("/v1/agent/members", node=node)
        }

    def leader(self, node="node1"):
        """The server that leads, as the node's agent knows it; None if there is none."""
        address = self.json("/v1/status/leader", node=node).rsplit(":", 1)[0]
        return next((node for node in self.nodes if self.address_of(node) == address), None)

    def wait_until_member(self, name, status, *, seen_from="node1"):
        """Waits until that node has heard of that status of a member."""
        wait_until(
            lambda: self.statuses(seen_from).get(name) == status,
            f"{name} to be in status {status}",
            log=self._log(seen_from),
        )

    def wait_until_leaderless(self, *, seen_from="node1"):
        """Waits until that node knows that there is no leader any more."""
        wait_until(
            lambda: self.leader(seen_from) is None,
            "the leader to be lost",
            log=self._log(seen_from),
        )

    def wait_until_whole(self):
        """Waits until every agent is alive, a leader is elected and reads are answered."""

        def whole():
            for daemon in self._daemons.values():
                daemon.check()
            self.request("/v1/kv/?keys")
            statuses = self.statuses()
            return all(statuses.get(node) == 1 for node in self.nodes)

        wait_until(whole, "every Consul agent to be alive", limit=120, log=self._log("node1"))

    # What can be done to it.

    def put(self, key, value):
        """Stores a value: bytes as they are, all else as JSON."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        wait_until(
            lambda: self.request(f"/v1/kv/{key}", method="PUT", body=body) == b"true",
            f"{key} to be stored",
        )

    def create_token(self, rules):
        """A new token that may do what the ACL rules say, and nothing else."""
        policy = {"Name": f"policy-{secrets.token_hex(4)}", "Rules": rules}
        body = json.dumps(policy).encode()
        # A new cluster takes a moment to agree that it has ACLs of this kind.
        wait_until(
            lambda: self.request("/v1/acl/policy", method="PUT", body=body), "a policy to be stored"
        )
        token = {"Policies": [{"Name": policy["Name"]}]}
        answer = self.request("/v1/acl/token", method="PUT", body=json.dumps(token).encode())
        return json.loads(answer)["SecretID"]

    def delete(self, key):
        """Removes a key, or all below it when it ends in `?recurse`."""
        self.request(f"/v1/kv/{key}", method="DELETE")

    def kill(self, node, *, seen_from="node1"):
        """Kills the node's agent and waits until another one calls it failed."""
        self._daemons.pop(node).kill()
        self.wait_until_member(node, 4, seen_from=seen_from)

    def kill_all(self):
        """Kills every agent in the same moment, as a power cut would."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda daemon: daemon.kill(), self._daemons.values()))
        self._daemons.clear()

    def leave(self, node):
        """Lets the node leave the cluster in good order, and ends its agent."""
        run([self._binary, "leave", f"-http-addr={self.url(node)}"])
        self._daemons.pop(node).stop()
        self.wait_until_member(node, 3)

    def restart(self, node, *, seen_from="node1"):
        """Starts a killed or departed agent again and waits until it is alive."""
        self._spawn(node)
        self.wait_until_member(node, 1, seen_from=seen_from)

    def kill_servers(self, *nodes, seen_from="node1"):
        """Kills two of the three servers: what is left has no leader and answers stale reads."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda node: self.kill(node, seen_from=seen_from), nodes))
        self.wait_until_leaderless(seen_from=seen_from)

    def heal(self):
        """Starts whatever was ended, and waits until it is whole."""
        for node in self.nodes:
            if node not in self._daemons:
                self._spawn(node)
        self.wait_until_whole()

    # How it is made.

    def _log(self, node):
        return self.folder / f"{node}.log"

    def _spawn(self, node):
        address = self.address_of(node)
        number = self.nodes.index(node) + 1
        server = number <= SERVERS
        servers = min(SERVERS, len(self.nodes))
        command = [
            *self._network.enter(number),
            self._binary,
            "agent",
            "-datacenter=petasan",
            f"-node={node}",
            f"-bind={address}",
            f"-client={address}",
            f"-data-dir={self.folder / node}",
            f"-config-file={self.folder / 'agent.hcl'}",
        ]
        command += [f"-retry-join={self.address_of(other)}" for other in self.nodes[:servers]]
        command += ["-retry-interval=1s"]
        command += ["-server", f"-bootstrap-expect={servers}"] if server else []
        self._daemons[node] = Daemon(f"consul agent {node}", command, self._log(node))


class Network:
    """A loopback network of its own: the first `count` addresses of 127.0.10, 127.0.11, …

    Held against other runs of these tests by a socket of a name that only one can bind;
    whoever else is there is found by his using Consul's ports.
    """

    def __init__(self, count):
        for third in range(10, 250):
            self.prefix = f"127.0.{third}"
            addresses = [f"{self.prefix}.{number + 1}" for number in range(count)]
            self._reservation = socket.socket(socket.AF_UNIX)
            try:
                self._reservation.bind(f"\0petanotify-tests {self.prefix}")
            except OSError:
                self.release()
                continue
            if all(is_free(address, port) for address in addresses for port in PORTS):
                return
            self.release()
        raise PartFailed("no loopback network has Consul's ports free")

    def address(self, number):
        """The address of the agent with this number, counted from 1."""
        return f"{self.prefix}.{number}"

    def enter(self, _number):
        """What stands before the command of a daemon that is to live there."""
        return []

    def release(self):
        """Lets others have it."""
        self._reservation.close()


def is_free(address, port):
    """Whether a daemon could listen there."""
    with socket.socket() as listener:
        # What a former run left in TIME_WAIT is no hindrance to a daemon either.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, port))
        except OSError:
            return False
    return True
