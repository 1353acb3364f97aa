#!/usr/bin/env python3
"""What petanotify asks of Consul where it runs on every node: requests, writes and bytes of one pass of a node that is silent
and of the one that speaks, and what that makes on NODES (100) nodes in a minute.

Two nodes of a real Consul; whatever goes between petanotify and its agent is counted on the way. The bytes are those of both
directions, with HTTP's headers and without those of TCP.

Prints figures and asserts nothing. Needs Postfix's smtp-sink, a consul (tests/real/install) and a release build.
"""

import os
import re
import socket
import sys
import threading
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "real"))

import json  # noqa: E402

from measure import machine  # noqa: E402
from parts.consul import Consul  # noqa: E402
from parts.petanotify import Petanotify  # noqa: E402
from parts.processes import Daemon, answers, end_orderly_on_signals, free_ports, private_folder, wait_until  # noqa: E402
from standins import Cluster  # noqa: E402

NODES = int(os.environ.get("NODES", "100"))
MAILS = 50
SIZE = {"hosts": 3, "osds_per_host": 4, "nodes": 2}
# Nothing ends the body before it.
REQUEST = re.compile(rb"(GET|PUT|POST|DELETE) (/v1/\S+) HTTP/1\.1\r\n")
LOCK = "PetaSAN/Services/ClusterLeader"


class Counter:
    """Passes on what it gets, and counts it."""

    def __init__(self, address):
        self._to = address
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self.reset()
        threading.Thread(target=self._accept, daemon=True).start()

    def reset(self):
        self._asked, self._bytes = b"", 0

    def requests(self):
        """Each as its method and path."""
        with self._lock:
            return [(method.decode(), path.decode()) for method, path in REQUEST.findall(self._asked)]

    def bytes(self):
        with self._lock:
            return self._bytes

    def _accept(self):
        while True:
            client, _ = self._listener.accept()
            agent = socket.create_connection(self._to)
            for pair in ((client, agent, True), (agent, client, False)):
                threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source, target, is_request):
        while data := source.recv(65536):
            with self._lock:
                self._bytes += len(data)
                if is_request:
                    self._asked += data
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


class Node:
    """A petanotify with a state of its own, and the way to its agent."""

    def __init__(self, folder, name, consul, cluster, relay_port, mode):
        self.counter = Counter((consul.address_of(name), 8500))
        settings = cluster.settings(relay_port)
        settings["consul"]["address"] = f"http://127.0.0.1:{self.counter.port}"
        settings["ha"] = {"mode": mode}
        settings["notify.flapping"] = {"enabled": False}
        settings["recipient"] = [{"address": f"r{number}@example.org"} for number in range(MAILS)]
        self.petanotify = Petanotify(folder, settings)
        self.tell_osds_to(MAILS)

    def tell_osds_to(self, number):
        """So many recipients hear of OSDs, the others of nodes alone."""
        for place, recipient in enumerate(self.petanotify.settings["recipient"]):
            recipient["checks"] = ["nodes", "osds"] if place < number else ["nodes"]

    def measure(self, what):
        """A pass, and what it asked for."""
        self.counter.reset()
        run = self.petanotify.run("check", "--json")
        if run.status != 0:
            sys.exit(str(run))
        requests, size = self.counter.requests(), self.counter.bytes()
        # To renew a session writes nothing: the leader remembers when that was.
        writes = [path for method, path in requests if method == "PUT" and "/session/renew" not in path]
        sent = run.json["mail"]["sent"] if run.stdout else 0
        print(
            f"  {what:34} {len(requests):3} requests, {len(writes):3} of them writes, "
            f"{size:7} bytes, {sent:3} mails sent"
        )
        if "-v" in sys.argv:
            for method, path in requests:
                print(f"      {method} {path}")
        return len(requests), len(writes), size


def lead(consul, name):
    """Lets a node be PetaSAN's leader."""
    body = json.dumps({"Node": name, "Name": "PetaSAN"}).encode()
    session = json.loads(consul.request("/v1/session/create", method="PUT", body=body))["ID"]
    consul.request(f"/v1/kv/{LOCK}?acquire={session}", method="PUT", body=b"")


def in_mode(mode, folder, consul, relay_port):
    print(f"ha.mode = {mode!r}")
    cluster = Cluster(folder)
    cluster.become(**SIZE)
    nodes = consul.nodes if mode != "off" else consul.nodes[:1]
    nodes = [Node(folder / name, name, consul, cluster, relay_port, mode) for name in nodes]
    # The first pass makes the acquaintance of Consul.
    for _ in range(2):
        for node in nodes:
            node.petanotify.run("check")
    speaker, listener = nodes[0], nodes[-1]
    quiet = speaker.measure("speaks, quiet")
    silent = listener.measure("silent") if len(nodes) > 1 else (0, 0, 0)
    for number in (1, MAILS):
        for node in nodes:
            node.tell_osds_to(number)
        cluster.become(**SIZE, osds_down=1)
        busy = speaker.measure(f"speaks, {number} to be told")
        if len(nodes) > 1:
            listener.measure("silent, after that")
        cluster.become(**SIZE)
        for node in nodes:
            node.petanotify.run("check")
    if len(nodes) > 1:
        for what, spoken in (("quiet", quiet), (f"{MAILS} mails", busy)):
            requests, writes, size = (one + (NODES - 1) * other for one, other in zip(spoken, silent))
            print(
                f"  {NODES} nodes, {what}: {requests} requests a minute ({requests / 60:.1f} a second), "
                f"{writes} of them writes, {size / 1000:.0f} kB"
            )


def main():
    end_orderly_on_signals()
    with private_folder("petanotify-consul-load") as folder:
        (relay_port,) = free_ports(1)
        sink = ["smtp-sink", "-u", "nobody", f"inet:127.0.0.1:{relay_port}", "100"]
        Daemon("smtp-sink", sink, folder / "smtp-sink.log")
        print(machine())
        wait_until(lambda: answers("127.0.0.1", relay_port), "smtp-sink to listen")
        with Consul(folder / "consul", agents=2) as consul:
            for name in consul.nodes:
                consul.put(f"PetaSAN/Nodes/{name}", {"name": name})
            in_mode("off", folder / "off", consul, relay_port)
            in_mode("consul", folder / "own-lock", consul, relay_port)
            # Else who holds our own lock is taken for one that stands in for PetaSAN's leader.
            consul.delete("petanotify/?recurse")
            lead(consul, "node1")
            in_mode("petasan", folder / "petasan", consul, relay_port)


if __name__ == "__main__":
    main()
