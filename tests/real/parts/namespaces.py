"""A network of machines: a namespace for each node, joined by this process, which can cut any two apart.

Whoever uses it is alone in a network namespace of its own (`unshare --net`), so that its
addresses and rules are nobody else's.
"""

import subprocess
from itertools import product

from .processes import run

# So that a rule stands before the kernel's own tables for others, and after that for local addresses.
RULE_PRIORITY = 100


class Namespaces:
    """So many namespaces, each with one address, numbered from 1; all can reach all until they are cut."""

    def __init__(self, count):
        run(["ip", "link", "set", "lo", "up"])
        with open("/proc/sys/net/ipv4/ip_forward", "w") as forward:
            forward.write("1")
        self._holders = [self._add(number) for number in range(1, count + 1)]
        self._cuts = []

    def address(self, number):
        """The address in the namespace with this number."""
        return f"10.9.{number}.2"

    def enter(self, number):
        """What stands before the command of a process that is to live there."""
        return ["nsenter", f"--net=/proc/{self._holders[number - 1].pid}/ns/net"]

    def cut(self, ours, theirs):
        """Lets nothing pass any more between the namespaces with these numbers; no error tells of it."""
        for one, other in [*product(ours, theirs), *product(theirs, ours)]:
            self._cuts.append((self.address(one), self.address(other)))
            self._rule("add", *self._cuts[-1])

    def mend(self):
        """Undoes all cuts."""
        while self._cuts:
            self._rule("del", *self._cuts.pop())

    def release(self):
        """Takes it down."""
        for holder in self._holders:
            holder.kill()
            holder.wait()

    def _add(self, number):
        # A namespace lasts as long as a process lives in it.
        holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"], stdout=subprocess.PIPE
        )
        holder.stdout.readline()
        holder.stdout.close()
        link, router = f"node{number}", f"10.9.{number}.1"
        run(["ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", holder.pid])
        run(["ip", "address", "add", f"{router}/24", "dev", link])
        run(["ip", "link", "set", link, "up"])
        inside = f"""
            ip link set lo up && ip address add {self.address(number)}/24 dev eth0 &&
            ip link set eth0 up && ip route add default via {router}"""
        run(["nsenter", f"--net=/proc/{holder.pid}/ns/net", "sh", "-c", inside])
        return holder

    @staticmethod
    def _rule(verb, source, target):
        rule = ["from", source, "to", target, "priority", RULE_PRIORITY, "blackhole"]
        run(["ip", "rule", verb, *rule])
