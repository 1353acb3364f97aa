"""Nodes whose token may do what the least policy says, and what becomes of them when a rule of it is missing."""

import re
import shutil

from nodes import OWN_LOCK, TESTS, Cluster
from parts.processes import wait_until

MASTER = "5a1d6b2e-0f4c-4d8a-9b1e-7c3f2a6d8e90"

RULE = re.compile(r'(\w+)\s+("[^"]*")\s+{ (policy = "\w+") }')

# In its third pass a node finds that PetaSAN's leader is silent; in the next one at the latest it speaks.
TOLD_WITHIN = 4


class Guarded(Cluster):
    """A cluster with access control, in which all nodes show the same token."""

    def __init__(self, folder, **how):
        super().__init__(folder, consul={"master_token": MASTER}, **how)

    def __enter__(self):
        super().__enter__()
        # Where there is access control an agent registers its node some time after it is alive.
        for name in self.nodes:
            wait_until(
                lambda: self.consul.json(f"/v1/health/node/{name}"), f"{name} to be registered"
            )
        return self

    def allow(self, rules):
        """From now on the nodes' token may do what these rules say."""
        token = self.consul.create_token(" ".join(rules))
        for node in self.nodes.values():
            node.environment["CONSUL_HTTP_TOKEN"] = token
            # Each server hears of a new token by itself.
            wait_until(
                lambda: "ACL not found" not in node.run("config", "check").stdout,
                f"{node.name}'s agent to know a token",
            )

    def found(self, name="node1"):
        """What `config check` finds of Consul on that node and is not as it should be."""
        checks = self.nodes[name].run("config", "check", "--json").json["checks"]
        of_consul = [check for check in checks if check["section"] in ("consul", "ha")]
        return [check for check in of_consul if check["outcome"] != "ok"]

    def forget_all(self):
        """Nobody has ever told anything."""
        self.consul.delete("petanotify/?recurse")
        for node in self.nodes.values():
            shutil.rmtree(node.state_file.parent)

    def well(self, number):
        """Rounds in which nothing is news and nothing is wrong."""
        for _ in range(number):
            before = len(self.relay.taken)
            for name, run in self.round().items():
                if run.status != 0 or "error: " in run.stderr:
                    self.wrong.append(f"round {self.rounds}, {name}: {run.stderr}")
            self.wrong += [f"no news: {mail.subject}" for mail in self.relay.taken[before:]]


def rules_in(text):
    """The rules of a policy, as they stand in some text, each written in the one way."""
    return [f"{kind} {name} {{ {policy} }}" for kind, name, policy in RULE.findall(text)]


def least_policy(cluster):
    """What `config check` says that a token needs which may do nothing so far; the manual says the same."""
    advice = cluster.found()[0]["advice"]
    rules = rules_in(re.search(r"(?m)^  consul acl policy create .* -rules '(.*)'$", advice)[1])
    manual = (TESTS.parent / "man" / "petanotify.1").read_text()
    table = rules_in(manual[manual.index(".Ss Access control") :])
    if not rules or rules != table:
        cluster.wrong.append(f"config check and the manual name different rules: {rules}, {table}")
    return rules


def with_the_least_policy(cluster):
    """All that nodes do together, with the least policy; how many passes it took each time to tell."""
    # What is denied at first must not be remembered.
    cluster.round()
    cluster.allow(least_policy(cluster))
    for name in cluster.nodes:
        cluster.wrong += [f"{name}: {check}" for check in cluster.found(name)]
    cluster.well(2)
    latencies = []
    for _ in range(3):
        speaker = cluster.holder()[0]
        others = [name for name in cluster.nodes if name != speaker]
        cluster.goes_on()
        latencies.append(cluster.rounds_until_told(2))
        cluster.leader_is_replaced(others[0])
        cluster.goes_on()
        latencies.append(cluster.rounds_until_told(2, *others))
        cluster.well(1)
    latencies += commands_are_allowed(cluster)
    if cluster.mode == "petasan":
        latencies += standing_in_is_allowed(cluster)
    cluster.well(2)
    return latencies


def commands_are_allowed(cluster):
    """A node that is silent looks at the queue, drops a mail, silences an OSD and acknowledges an incident."""
    speaker = cluster.holder()[0]
    other = next(name for name in cluster.nodes if name != speaker)
    if f"{speaker}; this is {other}" not in cluster.does(other, "status").stdout:
        cluster.wrong.append(f"{other} does not know that {speaker} speaks")
    cluster.relay.sickness = 1.0
    cluster.osd_fails()
    cluster.round()
    cluster.round()
    waiting = cluster.does(other, "queue", "list", "--json").json["messages"]
    cluster.does(other, "queue", "drop", waiting[0]["id"])
    cluster.does(other, "silence", "add", "--osd", "399", "--for", "1h")
    cluster.does(other, "ack", "osds", "--why", "the disk is on its way")
    cluster.ledger.recipients.remove(waiting[0]["to"])
    cluster.relay.sickness = 0.0
    latencies = [cluster.rounds_until_told(2)]
    for command, word in ((["silence", "list"], "osd.399"), (["status"], "the disk is on its way")):
        found = cluster.does(speaker, *command).stdout
        if word not in found:
            cluster.wrong.append(f"{speaker} knows nothing of it: {found}")
    cluster.all_osds_are_up()
    return [*latencies, cluster.rounds_until_told(2)]


def standing_in_is_allowed(cluster):
    """PetaSAN's leader makes no passes, so the others choose among themselves."""
    before = cluster.holder()[0]
    asleep = next(name for name in cluster.nodes if name != before)
    cluster.nodes[asleep].wakes = False
    cluster.lead(asleep)
    cluster.well(3)
    cluster.goes_on()
    latency = cluster.rounds_until_told(2)
    if not cluster.consul.json(f"/v1/kv/{OWN_LOCK}")[0].get("Session"):
        cluster.wrong.append("nobody holds petanotify's own lock")
    cluster.nodes[asleep].wakes = True
    cluster.round()
    cluster.round()
    return [latency]


def without_each_rule(cluster):
    """Takes each rule of the least policy away, from nodes that have worked and from new ones: it is told what is
    missing, and the mails go out."""
    rules = least_policy(cluster)
    for is_new in (False, True):
        for missing in rules:
            cluster.allow(rules)
            if is_new:
                cluster.forget_all()
            else:
                cluster.round()
                cluster.round()
            cluster.allow([rule for rule in rules if rule != missing])
            speaker = cluster.holder()[0]
            cluster.leader_is_replaced(next(name for name in cluster.nodes if name != speaker))
            told_without(cluster, missing, "new nodes" if is_new else "nodes that have worked")
            cluster.allow(rules)
            # What each of them told by itself becomes one.
            for _ in range(3):
                cluster.round()
            cluster.well(1)


def told_without(cluster, missing, where):
    """Two mails are sent though a rule is missing; `config check` and each pass of somebody say which one."""
    found = cluster.found()
    if not any(missing in rules_in(f"{check['detail']} {check['advice']}") for check in found):
        cluster.wrong.append(f"{where}: config check does not miss {missing}: {found}")
    for happens in (cluster.osd_fails, cluster.all_osds_are_up):
        cluster.ledger.begin_chapter()
        happens()
        for _ in range(TOLD_WITHIN):
            runs = cluster.round()
            if not cluster.ledger.lost():
                break
        else:
            cluster.wrong.append(f"{where} without {missing}: not told: {said(runs)}")
        failed = [run.stderr for run in runs.values() if run.status == 1]
        if not any(missing in rules_in(words) for words in failed):
            cluster.wrong.append(f"{where}: no pass misses {missing}: {said(runs)}")


def said(runs):
    """What the nodes said of Consul's access control in these runs, and of who speaks."""
    telling = re.compile(r"(?m)^.*(?:error: |warning: |speak|silent).*$")
    lines = [(name, telling.findall(run.stderr)) for name, run in runs.items()]
    return "\n".join(f"{name}: {line}" for name, found in lines for line in found)
