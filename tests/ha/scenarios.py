"""What happens to the nodes, one function for each scenario. Each returns its figures, or raises when something else
than losing or repeating mail goes wrong."""

import random
import re
import shutil
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

from nodes import TESTS, TTL_S, Cluster
from parts.processes import wait_until
from policy import Guarded, with_the_least_policy, without_each_rule

# The successor speaks in this pass after the lock is free, at the latest.
LATEST_PASS = 2

# So often the speaker is killed in each of the scenarios that do so.
KILLS = 50

# And so often while it publishes.
KILLED_PUBLISHING = 5

# A leader is missed after so many passes.
MISSED_PASSES = 3

# A node without a Consul agent leaves the voice to others for so many passes.
DEAF_PASSES = 10

# As good as no lock-delay.
AT_ONCE = "1ms"

HANDOVERS = 100

# So many examples of a kind are shown.
SHOWN = 5


@dataclass
class Figures:
    """What came of a scenario."""

    mails: int
    lost: list
    repeated: int
    # Of these the sender can't have known that they were taken: at most one for each kill.
    excused: int
    # Repeated mails with a Message-ID of their own, which no mailbox collapses.
    strangers: int
    # From an event to the mail, in passes: the longest.
    latency: int
    # Examples of what was told twice.
    twice: list
    wrong: list
    # The network fell apart and both sides could speak: then repeating is allowed.
    two_voices: bool
    # The longest that it may take, in passes.
    latest: int = LATEST_PASS
    notes: list = field(default_factory=list)

    def failures(self):
        """How they miss the targets."""
        found = [f"lost: {lost}" for lost in self.lost[:SHOWN]]
        if self.repeated and not self.two_voices:
            found.append(f"{self.repeated} mails repeated though quorum held")
        if self.strangers:
            found.append(f"{self.strangers} mails repeated under another Message-ID")
        if self.latency > self.latest:
            found.append(f"told in pass {self.latency}, not {self.latest}")
        if found:
            found += self.twice
        return found + self.wrong[:SHOWN]


def figures(cluster, latencies, *, in_flight=0, **more):
    """What the accounts of this cluster say; so many mails were in flight when their sender lost its voice."""
    repeated, excused, strangers = cluster.ledger.counts()
    excused, repeated = excused + min(repeated, in_flight), max(repeated - in_flight, 0)
    twice = [mails for mails in cluster.ledger.repeats() if repeated or strangers]
    return Figures(
        mails=len(cluster.relay.taken),
        lost=cluster.ledger.lost(),
        repeated=repeated,
        excused=excused,
        strangers=strangers,
        latency=max(latencies, default=0),
        twice=[
            f"{mails[0].to}: {mails[0].subject}: "
            + ", ".join(f"{mail.message_id} at {mail.at:.3f}" for mail in mails)
            for mails in twice[:SHOWN]
        ],
        wrong=cluster.wrong,
        two_voices=cluster.ledger.two_voices,
        **more,
    )


def alone(folder, mode, seed):
    """One node without the others: petanotify as ever."""
    with Cluster(folder, mode="off", agents=3, seed=seed) as cluster:
        cluster.quiet_rounds(1, "node1")
        latencies = []
        for _ in range(4):
            cluster.goes_on()
            latencies.append(cluster.rounds_until_told(3, "node1"))
        return figures(cluster, latencies)


def speaker_is_killed(folder, mode, seed):
    """The speaker is killed at random moments; it or another node goes on."""
    chance = random.Random(seed)
    moments = {"before": 0, "during": 0, "after": 0}
    with Cluster(folder, mode=mode, recipients=10, seed=seed, lock_delay=AT_ONCE) as cluster:
        cluster.relay.delay_s = 0.002
        cluster.quiet_rounds(1)
        # From the beginning of a pass to its first mail.
        to_first_mail_s = 0.1
        latencies = []
        while sum(moments.values()) < KILLS:
            cluster.goes_on()
            speaker = cluster.holder()[0]
            before = len(cluster.relay.taken)
            begin = time.monotonic()
            process = cluster.start_pass(speaker)
            wait_for = chance.choice([0, 0, 0, *range(1, 11), 10])
            while len(cluster.relay.taken) < before + wait_for and process.poll() is None:
                time.sleep(0.0005)
            if wait_for == 1:
                to_first_mail_s = time.monotonic() - begin
            time.sleep(chance.random() * (0.01 if wait_for else to_first_mail_s))
            was_killed = process.poll() is None
            process.kill()
            process.wait()
            cluster.relay.wait_until_heard_out()
            arrived = len(cluster.relay.taken) - before
            if was_killed and arrived < len(cluster.recipients):
                moments["during" if arrived else "before"] += 1
            elif was_killed:
                moments["after"] += 1
            others = [name for name in cluster.nodes if name != speaker]
            if chance.random() < 0.5:
                # Its machine is gone, and comes back when the others have told it.
                cluster.leader_is_replaced(chance.choice(others))
                latencies.append(cluster.rounds_until_told(4, *others))
            else:
                latencies.append(cluster.rounds_until_told(4))
        cluster.quiet_rounds(2)
        notes = [f"{KILLS} kills: " + ", ".join(f"{k} {v}" for k, v in moments.items())]
        return figures(cluster, latencies, notes=notes)


def large_queue(folder, mode, seed):
    """The speaker is killed in the midst of a thousand mails: more than one value of Consul holds the list of."""
    with Cluster(folder, mode=mode, recipients=1000, seed=seed, lock_delay=AT_ONCE) as cluster:
        cluster.quiet_rounds(1)
        latencies = []
        for arrived in (350, 800):
            cluster.goes_on()
            before = len(cluster.relay.taken)
            speaker = cluster.holder()[0]
            others = [name for name in cluster.nodes if name != speaker]
            process = cluster.start_pass(speaker)
            wait_until(
                # On a busy machine the time of a pass may be over before.
                lambda: len(cluster.relay.taken) >= before + arrived or process.poll() is not None,
                "most of the mails",
            )
            process.kill()
            process.wait()
            cluster.relay.wait_until_heard_out()
            cluster.leader_is_replaced(others[0])
            latencies.append(cluster.rounds_until_told(3, *others))
        cluster.quiet_rounds(2)
        return figures(cluster, latencies)


def memory_in_parts(folder, mode, seed):
    """The speaker is killed at random moments while it publishes a memory that takes several values of Consul, for mails to
    many recipients wait. Nobody ever takes half of one."""
    chance = random.Random(seed)

    def label():
        # What can't be compressed.
        return "".join(chance.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=60))

    recipients = [f"r{number}@{label()}.{label()}.{label()}.example.org" for number in range(3000)]
    # None of them steps down for want of a mail server.
    how = {"lock_delay": AT_ONCE, "step_down_after": 1000}
    with Cluster(folder, mode=mode, recipients=recipients, seed=seed, **how) as cluster:
        cluster.quiet_rounds(1)
        # Nothing listens there.
        for node in cluster.nodes.values():
            node.settings["smtp"]["port"] = 1
        begin = time.monotonic()
        cluster.osd_fails(owed=False)
        cluster.round()
        took_s = time.monotonic() - begin
        parts = []
        for _ in range(KILLED_PUBLISHING):
            cluster.osd_fails(owed=False)
            speaker = cluster.holder()[0]
            process = cluster.start_pass(speaker)
            time.sleep(chance.random() * took_s)
            process.kill()
            process.wait()
            others = [name for name in cluster.nodes if name != speaker]
            cluster.leader_is_replaced(chance.choice(others))
            for name, run in cluster.round(*others).items():
                if "cannot be used" in run.stderr:
                    cluster.wrong.append(f"{name} has found half a memory: {run.stderr}")
            parts.append(cluster.consul.kv("petanotify/prod/memory")["parts"])
        cluster.round()
        cluster.round()
        for name in cluster.nodes:
            missing = set(recipients) - set(queued(cluster, name).values())
            cluster.wrong += [f"{name} knows of no mail to {to}" for to in sorted(missing)[:SHOWN]]
        if min(parts) < 2:
            cluster.wrong.append(f"the memory did not always take several parts: {parts}")
        return figures(cluster, [], notes=[f"parts: {parts}"])


def pass_outlasts_session(folder, mode, seed):
    """One pass takes longer than the session lasts, for the mail server is slow, and the others wake meanwhile."""
    with Cluster(folder, mode=mode, recipients=50, seed=seed, lock_delay=AT_ONCE) as cluster:
        cluster.quiet_rounds(1)
        speaker = cluster.holder()[0]
        others = [name for name in cluster.nodes if name != speaker]
        cluster.relay.delay_s = 2.5 * TTL_S / len(cluster.recipients)
        cluster.osd_fails()
        process = cluster.start_pass(speaker)
        while process.poll() is None:
            cluster.round(*others)
            time.sleep(0.5)
        cluster.relay.delay_s = 0
        latencies = [cluster.rounds_until_told(2)]
        cluster.quiet_rounds(2)
        return figures(cluster, latencies)


def leader_is_rebooted(folder, mode, seed):
    """The speaker's machine is rebooted: its state is there, what it noted for itself is lost."""
    with Cluster(folder, mode=mode, recipients=4, seed=seed, lock_delay=AT_ONCE) as cluster:
        cluster.quiet_rounds(1)
        latencies = []
        for waits in (False, True):
            speaker = cluster.holder()[0]
            cluster.relay.sickness = 1.0 if waits else 0.0
            cluster.goes_on()
            cluster.round()
            cluster.relay.sickness = 0.0
            notes = Path(f"{cluster.nodes[speaker].state_file}.ha")
            notes.unlink()
            latencies.append(cluster.rounds_until_told(3))
            cluster.quiet_rounds(2)
        return figures(cluster, latencies)


def power_is_cut(folder, mode, seed):
    """All machines are down in the same moment, with mails queued, and up again."""
    with Cluster(folder, mode=mode, agents=4, recipients=20, seed=seed) as cluster:
        cluster.quiet_rounds(1)
        cluster.relay.sickness = 1.0
        cluster.osd_fails()
        cluster.round()
        cluster.start_pass(cluster.holder()[0]).kill()
        cluster.consul.kill_all()
        cluster.relay.sickness = 0.0
        cluster.is_whole_again()
        if mode == "petasan":
            cluster.lead("node2")
        latencies = [cluster.rounds_until_told(3)]
        cluster.all_osds_are_up()
        latencies.append(cluster.rounds_until_told(2))
        cluster.quiet_rounds(2)
        return figures(cluster, latencies)


def consul_is_restored(folder, mode, seed):
    """Consul is given back an older snapshot: mails wait that are not in it, and some are in it that were sent since."""
    with Cluster(folder, mode=mode, recipients=10, seed=seed, lock_delay=AT_ONCE) as cluster:
        cluster.quiet_rounds(1)
        cluster.relay.sickness = 1.0
        cluster.osd_fails()
        cluster.round()
        snapshot = cluster.consul.request("/v1/snapshot")
        cluster.relay.sickness = 0.0
        latencies = [cluster.rounds_until_told(2)]
        cluster.relay.sickness = 1.0
        cluster.osd_fails()
        cluster.round()
        # All have taken a copy.
        cluster.round()
        cluster.relay.sickness = 0.0
        cluster.consul.request("/v1/snapshot", method="PUT", body=snapshot)
        latencies.append(cluster.rounds_until_told(3))
        cluster.all_osds_are_up()
        latencies.append(cluster.rounds_until_told(2))
        cluster.quiet_rounds(2)
        return figures(cluster, latencies)


def only_one_has_petanotify(folder, mode, seed, *, name):
    """PetaSAN's nodes as they are today: petanotify on one of them and no word about `[ha]`, first on a cluster that is well,
    then without another node, then without a Consul agent."""
    with Cluster(folder, mode=mode, agents=4, recipients=4, seed=seed) as cluster:
        for node in cluster.nodes.values():
            node.wakes = node.name == name
        wait_until(
            lambda: cluster.consul.request("/v1/kv/PetaSAN/Services/ClusterLeader?stale", node=name),
            f"{name} to know that there is a leader",
        )
        cluster.osd_fails()
        first = cluster.rounds_until_told(MISSED_PASSES + 1)
        cluster.machine_dies("node4", seen_from=name)
        cluster.ledger.owe("node down: node4")
        cluster.osd_fails()
        latencies = [cluster.rounds_until_told(2)]
        cluster.consul.kill(name, seen_from="node2")
        cluster.osd_fails()
        deaf = cluster.rounds_until_told(DEAF_PASSES + 1)
        if first > MISSED_PASSES:
            cluster.wrong.append(f"it speaks in pass {first} for the first time")
        if deaf > DEAF_PASSES:
            cluster.wrong.append(f"without its Consul agent it speaks in pass {deaf}")
        notes = [f"first mail in pass {first}; without its Consul agent in pass {deaf}"]
        return figures(cluster, latencies, notes=notes)


def only_the_leader_has_petanotify(folder, mode, seed):
    """Today's installation, on PetaSAN's leader."""
    return only_one_has_petanotify(folder, mode, seed, name="node1")


def only_another_node_has_petanotify(folder, mode, seed):
    """Today's installation, on a node that is not PetaSAN's leader."""
    return only_one_has_petanotify(folder, mode, seed, name="node3")


def speaker_is_frozen(folder, mode, seed):
    """The speaker stops in the midst of its mails, as a paused virtual machine does, and goes on when another one has
    spoken instead."""
    freezes = 5
    with Cluster(folder, mode=mode, recipients=8, seed=seed, lock_delay=AT_ONCE) as cluster:
        cluster.quiet_rounds(1)
        latencies = []
        for _ in range(freezes):
            cluster.goes_on()
            speaker = cluster.holder()[0]
            others = [name for name in cluster.nodes if name != speaker]
            before = len(cluster.relay.taken)
            cluster.relay.delay_s = 0.1
            process = cluster.start_pass(speaker)
            wait_until(lambda: len(cluster.relay.taken) >= before + 3, "some of the mails")
            process.send_signal(signal.SIGSTOP)
            cluster.relay.delay_s = 0
            cluster.leader_is_replaced(others[0])
            latencies.append(cluster.rounds_until_told(3, *others))
            process.send_signal(signal.SIGCONT)
            process.wait(60)
            cluster.quiet_rounds(1)
            if cluster.ledger.counts()[0] > len(latencies):
                cluster.wrong.append(f"more than one mail repeated after freeze {len(latencies)}")
        cluster.quiet_rounds(2)
        # No mail server can be told that whoever is in the midst of a mail has lost the lock.
        return figures(cluster, latencies, in_flight=freezes)


def machine_is_gone(folder, mode, seed):
    """The speaker's machine is gone with 50 mails queued."""
    with Cluster(folder, mode=mode, agents=4, recipients=50, seed=seed) as cluster:
        cluster.quiet_rounds(1)
        speaker = cluster.holder()[0]
        other = next(name for name in cluster.nodes if name != speaker)
        cluster.relay.sickness = 1.0
        cluster.osd_fails()
        cluster.round()
        cluster.round()
        if len(queued(cluster, speaker)) != 50:
            cluster.wrong.append(f"{len(queued(cluster, speaker))} mails wait, and not 50")
        cluster.machine_dies(speaker, seen_from=other)
        cluster.ledger.owe(f"node down: {speaker}")
        cluster.relay.sickness = 0.0
        if mode == "petasan":
            time.sleep(1)
            cluster.lead(other, ask=other)
            waited = 0
        else:
            waited = cluster.wait_until_lock_is_free(speaker, ask=other)
        latency = cluster.rounds_until_told(3)
        cluster.quiet_rounds(2)
        return figures(cluster, [latency], notes=[f"lock free after {waited:.0f} s"])


def timer_stops(folder, mode, seed):
    """The speaker sleeps on while its Consul agent lives: the session's TTL runs out."""
    with Cluster(folder, mode=mode, recipients=10, seed=seed) as cluster:
        cluster.quiet_rounds(1)
        speaker = cluster.holder()[0]
        other = next(name for name in cluster.nodes if name != speaker)
        cluster.relay.sickness = 1.0
        cluster.osd_fails()
        cluster.round()
        cluster.nodes[speaker].wakes = False
        cluster.relay.sickness = 0.0
        # They wait for their turn.
        cluster.quiet_rounds(2)
        waited = cluster.wait_until_lock_is_free(speaker, ask=other)
        latency = cluster.rounds_until_told(3)
        # It wakes up, believing that it leads.
        cluster.nodes[speaker].wakes = True
        cluster.quiet_rounds(2)
        return figures(cluster, [latency], notes=[f"lock free after {waited:.0f} s"])


def leader_has_no_petanotify(folder, mode, seed):
    """Only one node has petanotify, and it is not PetaSAN's leader. Then the others get it as well."""
    with Cluster(folder, mode=mode, recipients=4, seed=seed) as cluster:
        for name in ("node1", "node2"):
            cluster.nodes[name].wakes = False
        return stood_in_for(cluster, rounds=3)


def leader_makes_no_passes(folder, mode, seed):
    """The timer of PetaSAN's leader is stopped for more than half an hour, its machine and its agent live on."""
    with Cluster(folder, mode=mode, recipients=4, seed=seed) as cluster:
        cluster.quiet_rounds(3)
        cluster.nodes["node1"].wakes = False
        return stood_in_for(cluster, rounds=33)


def stood_in_for(cluster, *, rounds):
    """The leader, node1, is asleep. After so many rounds another node speaks, and then the leader wakes."""
    latencies = []
    cluster.quiet_rounds(rounds)
    for _ in range(3):
        cluster.goes_on()
        latencies.append(cluster.rounds_until_told(2))
    said = cluster.does("node3", "status").stdout
    if "node1, PetaSAN's leader, carries out no passes" not in said:
        cluster.wrong.append(f"status does not say so: {said}")
    for node in cluster.nodes.values():
        node.wakes = True
    before = len(cluster.voices)
    for _ in range(4):
        cluster.goes_on()
        latencies.append(cluster.rounds_until_told(2))
    cluster.quiet_rounds(2)
    if any(voices > 1 for voices in cluster.voices[before:]) or cluster.voices[-1] != 1:
        cluster.wrong.append(f"nodes that spoke in each round: {cluster.voices[before:]}")
    said = cluster.does("node3", "status").stdout
    if "node1; this is node3" not in said:
        cluster.wrong.append(f"the leader does not speak: {said}")
    return figures(cluster, latencies)


def leadership_moves(folder, mode, seed):
    """Leadership is handed over 100 times under a relay that fails half the time."""
    chance = random.Random(seed)
    with Cluster(folder, mode=mode, recipients=4, seed=seed, lock_delay=AT_ONCE) as cluster:
        cluster.quiet_rounds(1)
        cluster.relay.sickness = 0.5
        latencies, speakers = [], []
        for number in range(HANDOVERS):
            if number % 5 == 0:
                # What waits is told before the next thing happens, or it would be overtaken.
                cluster.relay.sickness = 0.0
                latencies.append(cluster.rounds_until_told(2))
                cluster.relay.sickness = 0.5
                cluster.goes_on()
            speaker = cluster.holder()[0]
            others = [name for name in cluster.nodes if name != speaker]
            cluster.leader_is_replaced(chance.choice(others))
            cluster.round(*others)
            speakers.append(cluster.holder()[0] != speaker)
        cluster.relay.sickness = 0.0
        latencies.append(cluster.rounds_until_told(2))
        cluster.quiet_rounds(2)
        return figures(cluster, latencies, notes=[f"{sum(speakers)} handovers"])


def consul_leader_dies(folder, mode, seed):
    """Consul's own leader dies, three times over, and returns."""
    with Cluster(folder, mode=mode, agents=5, recipients=4, seed=seed) as cluster:
        cluster.quiet_rounds(1)
        latencies = []
        for _ in range(3):
            cluster.quiet_rounds(2)
            cluster.ledger.begin_chapter()
            dead = cluster.consul.leader("node5")
            speaker = cluster.holder(ask="node5")[0]
            cluster.osd_fails()
            cluster.nodes[dead].wakes = False
            cluster.consul.kill(dead, seen_from="node5")
            cluster.ledger.owe(f"node down: {dead}")
            if speaker == dead:
                wait_until(lambda: cluster.consul.leader("node5"), "a new leader")
                if mode == "petasan":
                    cluster.lead("node5", ask="node5")
                else:
                    cluster.wait_until_lock_is_free(speaker, ask="node5")
            latencies.append(cluster.rounds_until_told(4))
            cluster.is_whole_again()
            cluster.nodes[dead].wakes = True
            cluster.ledger.owe_up(dead)
            cluster.all_osds_are_up()
            latencies.append(cluster.rounds_until_told(4))
        cluster.quiet_rounds(2)
        # A pass may fall into the seconds in which Consul chooses a leader (these nodes wait 3 s for Consul, not 10): if
        # the one that holds the lock is not the first by name then, that costs two, see `Doubt` in src/speaker/doubt.rs.
        return figures(cluster, latencies, latest=LATEST_PASS + 1)


def quorum_is_lost(folder, mode, seed):
    """Two of three servers die and return."""
    with Cluster(folder, mode=mode, agents=5, recipients=10, seed=seed) as cluster:
        cluster.quiet_rounds(2)
        cluster.relay.sickness = 1.0
        cluster.osd_fails()
        cluster.round()
        cluster.relay.sickness = 0.0
        cluster.consul.kill_servers("node1", "node2", seen_from="node5")
        for dead in ("node1", "node2"):
            cluster.nodes[dead].wakes = False
            cluster.ledger.owe_down(dead)
        latencies = [cluster.rounds_until_told(3)]
        cluster.osd_fails()
        latencies.append(cluster.rounds_until_told(2))
        without_quorum = cluster.ledger.counts()[0]
        for dead in ("node1", "node2"):
            cluster.nodes[dead].wakes = True
        cluster.is_whole_again()
        cluster.all_osds_are_up()
        for back in ("node1", "node2"):
            cluster.ledger.owe_up(back)
        if mode == "consul":
            # The lock's holder may have died: the others' sessions and its own are new to the new leader.
            wait_until(lambda: not cluster.round() or cluster.holder()[0], "a speaker", limit=60)
        latencies.append(cluster.rounds_until_told(3))
        cluster.quiet_rounds(3)
        notes = [f"{without_quorum} repeated while there was no quorum"]
        return figures(cluster, latencies, notes=notes)


def cut_in_two(folder, mode, seed, *, majority):
    """The network falls apart in 2 and 3 nodes, and heals; with `majority` the speaker is on the side of the quorum."""
    with Cluster(folder, mode=mode, agents=5, recipients=10, seed=seed) as cluster:
        if mode == "petasan":
            cluster.lead("node2" if majority else "node4")
        else:
            cluster.round("node2" if majority else "node4")
        cluster.quiet_rounds(2)
        cluster.relay.sickness = 1.0
        cluster.osd_fails()
        cluster.round()
        cluster.relay.sickness = 0.0
        cluster.ledger.two_voices = True
        cluster.network.cut([1, 2], [3, 4, 5])
        for there, here in (("node5", "node1"), ("node1", "node5")):
            cluster.consul.wait_until_member(there, 4, seen_from=here)
        cluster.consul.wait_until_leaderless(seen_from="node5")
        # If Consul's leader is cut off as well the others choose one of theirs. What it costs when a pass falls into these
        # seconds is the matter of consul_leader_dies.
        wait_until(lambda: cluster.consul.leader("node1") in ("node1", "node2"), "a new leader")
        # Each side tells of the other.
        for name in cluster.nodes:
            cluster.ledger.owe_down(name)
        # Where PetaSAN has no leader the nodes give it a pass to choose one.
        latencies = [cluster.rounds_until_told(3) - (mode == "petasan")]
        cluster.osd_fails()
        latencies.append(cluster.rounds_until_told(3))
        cluster.round()
        apart = cluster.ledger.counts()[0]
        cluster.network.mend()
        for name in cluster.nodes:
            cluster.ledger.owe_up(name)
        # Some agents take up to a minute to meet all others again: the one that speaks next need not be among them.
        cluster.consul.wait_until_whole()
        if mode == "petasan":
            cluster.lead("node3")
        else:
            wait_until(lambda: not cluster.round() or cluster.holder()[0], "a speaker", limit=60)
        cluster.all_osds_are_up()
        # The end of what the other side has told is known a pass after that has handed over, which takes it two at most.
        cluster.rounds_until_told(3)
        together = cluster.ledger.counts()[0] - apart
        cluster.quiet_rounds(3)
        if together:
            cluster.wrong.append(f"{together} mails repeated after the network was whole again")
        notes = [f"{apart} repeated while apart"]
        return figures(cluster, latencies, notes=notes)


def speaker_with_quorum_is_cut_off(folder, mode, seed):
    """A partition 2:3, the speaker on the side that keeps the quorum."""
    return cut_in_two(folder, mode, seed, majority=True)


def speaker_without_quorum_is_cut_off(folder, mode, seed):
    """A partition 2:3, the speaker on the side that loses the quorum."""
    return cut_in_two(folder, mode, seed, majority=False)


def agent_is_dead(folder, mode, seed):
    """The Consul agent on the speaker's node is dead, the node itself lives on."""
    with Cluster(folder, mode=mode, agents=4, recipients=10, seed=seed) as cluster:
        cluster.lead("node4") if mode == "petasan" else cluster.round("node4")
        cluster.quiet_rounds(2)
        cluster.relay.sickness = 1.0
        cluster.osd_fails()
        cluster.round()
        cluster.relay.sickness = 0.0
        cluster.consul.kill("node4")
        cluster.ledger.owe("node down: node4")
        if mode == "petasan":
            cluster.lead("node1")
        else:
            cluster.wait_until_lock_is_free("node4", ask="node1")
        latencies = [cluster.rounds_until_told(3)]
        cluster.quiet_rounds(2)
        cluster.is_whole_again()
        cluster.all_osds_are_up()
        latencies.append(cluster.rounds_until_told(3))
        cluster.quiet_rounds(2)
        return figures(cluster, latencies)


def clocks_differ(folder, mode, seed):
    """The clock of one node is 10 minutes ahead."""
    with Cluster(folder, mode=mode, recipients=4, seed=seed, lock_delay=AT_ONCE) as cluster:
        cluster.nodes["node2"].ahead_s = 600
        cluster.quiet_rounds(1)
        latencies, said = [], []
        for name in ["node2", "node1", "node2", "node3", "node2", "node1"]:
            if mode == "petasan":
                cluster.lead(name)
            else:
                cluster.leader_is_replaced()
            # In mode consul it is the first to see that the lock is free.
            said += cluster.round(name).values()
            cluster.quiet_rounds(1)
            cluster.goes_on()
            for _ in range(2):
                said += cluster.round().values()
            latencies.append(cluster.rounds_until_told(2) if cluster.ledger.lost() else 1)
        cluster.quiet_rounds(2)
        notes = sorted({line for run in said for line in run.stderr.splitlines() if "clock" in line})
        if not any("node2" in note for note in notes):
            cluster.wrong.append("nobody noticed that node2's clock is 10 minutes ahead")
        return figures(cluster, latencies, notes=notes[:2])


def least_policy(folder, mode, seed):
    """ACLs let the nodes do what the least policy says and nothing else."""
    with Guarded(folder, mode=mode, recipients=4, seed=seed, lock_delay=AT_ONCE) as cluster:
        return figures(cluster, with_the_least_policy(cluster))


def rule_is_missing(folder, mode, seed):
    """Each rule of the least policy is missing in turn: mails go out, and it is said which one."""
    with Guarded(folder, mode=mode, recipients=2, seed=seed, lock_delay=AT_ONCE) as cluster:
        # Who may share nothing speaks for himself.
        cluster.ledger.two_voices = True
        without_each_rule(cluster)
        outcome = figures(cluster, [])
        # Nodes that may share nothing, and have never shared anything, can't agree on a name either.
        outcome.strangers = 0
        return outcome


def consul_is_set_back(folder, mode, seed):
    """Consul is given back an older state of its, and then loses all that is shared."""
    with Cluster(folder, mode=mode, recipients=4, seed=seed, lock_delay=AT_ONCE) as cluster:
        cluster.quiet_rounds(2)
        cluster.goes_on()
        latencies = [cluster.rounds_until_told(2)]
        snapshot = cluster.consul.request("/v1/snapshot")
        for _ in range(2):
            cluster.goes_on()
            latencies.append(cluster.rounds_until_told(2))
        cluster.consul.request("/v1/snapshot", method="PUT", body=snapshot)
        # What lasts may go on in the incident of then, so that its end is told as of that, too.
        cluster.ledger.ends_elsewhere = True
        cluster.ledger.begin_chapter()
        cluster.quiet_rounds(2)
        cluster.goes_on()
        latencies.append(cluster.rounds_until_told(2))
        # By now all know of it.
        cluster.quiet_rounds(1)
        cluster.consul.delete("petanotify/?recurse")
        cluster.quiet_rounds(2)
        cluster.goes_on()
        latencies.append(cluster.rounds_until_told(2))
        cluster.leader_is_replaced("node3")
        cluster.quiet_rounds(1, "node2", "node3")
        cluster.goes_on()
        latencies.append(cluster.rounds_until_told(2))
        cluster.quiet_rounds(2)
        if "the clock of" in (folder / "rounds.log").read_text():
            cluster.wrong.append("a clock is said to be off, and all are the same")
        return figures(cluster, latencies)


def write_is_refused(folder, mode, seed):
    """ACLs let nobody write below petanotify/: mails go out, and each pass says what is wrong."""
    token = "5a1d6b2e-0f4c-4d8a-9b1e-7c3f2a6d8e90"
    with Cluster(folder, mode=mode, recipients=4, seed=seed, consul={"master_token": token}) as cluster:
        reads = cluster.consul.create_token(
            'key_prefix "" { policy = "read" } node_prefix "" { policy = "read" } '
            'agent_prefix "" { policy = "read" } session_prefix "" { policy = "write" }'
        )
        for node in cluster.nodes.values():
            node.environment["CONSUL_HTTP_TOKEN"] = reads
        return told_without_sharing(cluster, "403|[Pp]ermission denied")


def write_is_too_large(folder, mode, seed):
    """Consul refuses what the speaker would share for its size."""
    limits = {"configuration": "limits { kv_max_value_size = 256 txn_max_req_len = 512 }"}
    with Cluster(folder, mode=mode, recipients=20, seed=seed, consul=limits) as cluster:
        return told_without_sharing(cluster, "413|too large|exceeds")


def told_without_sharing(cluster, words):
    """All is told once though nothing can be shared, and each pass that could not share says why."""
    latencies = []
    cluster.quiet_rounds(1)
    for _ in range(4):
        cluster.goes_on()
        runs = cluster.round()
        if not any(run.status == 1 and re.search(words, run.stderr) for run in runs.values()):
            said = "\n".join(f"{name}: {run.stderr[-500:]}" for name, run in runs.items())
            cluster.wrong.append(f"nobody said that the write was refused:\n{said}")
        latencies.append(cluster.rounds_until_told(2) if cluster.ledger.lost() else 1)
    cluster.quiet_rounds(2)
    return figures(cluster, latencies)


def upgraded(folder, mode, seed, *, first):
    """Nodes are upgraded one by one: node1 has the state of the release before, in which OSDs are announced and mails
    wait; `first` is the first that runs with the others."""
    with Cluster(
        folder, mode=mode, recipients=["ops@example.org"], seed=seed, lock_delay=AT_ONCE
    ) as cluster:
        old = cluster.nodes["node1"]
        old.state_file.parent.mkdir()
        shutil.copy(TESTS / "fixtures" / "state" / "version-2.json", old.state_file)
        # What it says of OSDs: osd.1 is down, a mail about osd.1 and osd.2 waits.
        cluster.osds_are_down(1)
        cluster.ledger.owe_down("osd.1")
        if mode == "petasan":
            cluster.lead(first)
        cluster.round(first)
        latencies = [cluster.rounds_until_told(3)]
        # A node that does not speak hands over what waits in one round, and it is sent in the next.
        cluster.round()
        cluster.round()
        waited = "osds-20261123T094339.012Z"
        if not any(mail.incident == waited for mail in cluster.relay.taken):
            cluster.wrong.append("the mail that waited is lost")
        cluster.quiet_rounds(2)
        # All that is known is known to a node that never had that state.
        cluster.leader_is_replaced("node3")
        cluster.quiet_rounds(1, "node3")
        cluster.quiet_rounds(2)
        cluster.all_osds_are_up()
        latencies.append(cluster.rounds_until_told(2))
        cluster.quiet_rounds(2)
        return figures(cluster, latencies)


def upgraded_first_the_one_with_the_state(folder, mode, seed):
    """The node that spoke so far is the first to run the new release."""
    return upgraded(folder, mode, seed, first="node1")


def upgraded_last_the_one_with_the_state(folder, mode, seed):
    """A node without any state is the first to run the new release: what was told before it can't know."""
    return upgraded(folder, mode, seed, first="node2")


def own_node_is_blind(folder, mode, seed):
    """No monitor answers on the speaker's node: another one takes over."""
    with Cluster(
        folder, mode=mode, recipients=4, seed=seed, step_down_after=2, lock_delay=AT_ONCE
    ) as cluster:
        cluster.quiet_rounds(1)
        speaker = cluster.holder()[0]
        cluster.nodes[speaker].blind()
        cluster.quiet_rounds(2)
        cluster.osd_fails()
        latencies = [cluster.rounds_until_told(3)]
        if mode == "consul" and cluster.holder()[0] == speaker:
            cluster.wrong.append(f"{speaker} is blind and holds the lock")
        cluster.quiet_rounds(2)
        cluster.nodes[speaker].blind(False)
        cluster.all_osds_are_up()
        latencies.append(cluster.rounds_until_told(2))
        cluster.quiet_rounds(2)
        return figures(cluster, latencies)


def own_node_cannot_mail(folder, mode, seed):
    """The speaker's node can't reach the mail server: another one takes over what waits."""
    with Cluster(
        folder, mode=mode, recipients=4, seed=seed, step_down_after=2, lock_delay=AT_ONCE
    ) as cluster:
        cluster.quiet_rounds(1)
        speaker = cluster.holder()[0]
        # Nothing listens there.
        cluster.nodes[speaker].settings["smtp"]["port"] = 1
        cluster.osd_fails()
        cluster.quiet_rounds(2)
        latencies = [cluster.rounds_until_told(3)]
        cluster.quiet_rounds(2)
        cluster.all_osds_are_up()
        latencies.append(cluster.rounds_until_told(2))
        cluster.quiet_rounds(2)
        return figures(cluster, latencies)


def commands_from_any_node(folder, mode, seed):
    """What waits, what is silenced and what is acknowledged is the same from every node."""
    with Cluster(folder, mode=mode, recipients=4, seed=seed, lock_delay=AT_ONCE) as cluster:
        cluster.quiet_rounds(1)
        speaker = cluster.holder()[0]
        others = [name for name in cluster.nodes if name != speaker]
        cluster.relay.sickness = 1.0
        cluster.osd_fails()
        cluster.round()
        cluster.round()
        lists = {name: queued(cluster, name) for name in cluster.nodes}
        if len(lists[speaker]) != 4 or any(found != lists[speaker] for found in lists.values()):
            cluster.wrong.append(f"the nodes know of different mails: {lists}")
        drop, dropped = next(iter(lists[speaker].items()))
        cluster.does(others[0], "queue", "drop", drop)
        cluster.does(others[1], "silence", "add", "--osd", "7", "--for", "1h")
        cluster.ledger.recipients.remove(dropped)
        cluster.relay.sickness = 0.0
        latencies = [cluster.rounds_until_told(2)]
        if any(mail.to == dropped for mail in cluster.relay.taken):
            cluster.wrong.append("a mail that was dropped on another node was sent")
        cluster.quiet_rounds(1)
        cluster.leader_is_replaced(others[0])
        cluster.quiet_rounds(1, others[0])
        cluster.osds_are_down(0, 7)
        cluster.quiet_rounds(2)
        return figures(cluster, latencies)


def queued(cluster, name):
    """What the node lists as waiting: ids and recipients."""
    messages = cluster.does(name, "queue", "list", "--json").json["messages"]
    return {message["id"]: message["to"] for message in messages}


def twenty_wake(folder, mode, seed):
    """Twenty nodes wake in the same second."""
    with Cluster(folder, mode=mode, agents=20, recipients=10, seed=seed) as cluster:
        cluster.osd_fails()
        latencies = [cluster.rounds_until_told(3)]
        for _ in range(5):
            cluster.goes_on()
            latencies.append(cluster.rounds_until_told(2))
            cluster.quiet_rounds(1)
        if any(voices != 1 for voices in cluster.voices):
            cluster.wrong.append(f"nodes that spoke in each round: {cluster.voices}")
        return figures(cluster, latencies)


# Their names, functions and modes, the longest first.
SCENARIOS = [
    (scenario, mode)
    for scenario, modes in [
        (speaker_is_killed, ["consul", "consul", "petasan", "petasan"]),
        (memory_in_parts, ["consul", "petasan"]),
        (pass_outlasts_session, ["consul"]),
        (leader_is_rebooted, ["consul", "petasan"]),
        (leadership_moves, ["consul", "petasan"]),
        (twenty_wake, ["consul", "petasan"]),
        (quorum_is_lost, ["consul", "petasan"]),
        (speaker_without_quorum_is_cut_off, ["consul", "petasan"]),
        (speaker_with_quorum_is_cut_off, ["consul", "petasan"]),
        (consul_leader_dies, ["consul", "petasan"]),
        (timer_stops, ["consul"]),
        (leader_makes_no_passes, ["petasan"]),
        (leader_has_no_petanotify, ["petasan"]),
        (rule_is_missing, ["consul", "petasan"]),
        (least_policy, ["consul", "petasan"]),
        (consul_is_set_back, ["consul", "petasan"]),
        (large_queue, ["consul", "petasan"]),
        (power_is_cut, ["consul", "petasan"]),
        (consul_is_restored, ["consul", "petasan"]),
        (only_the_leader_has_petanotify, ["auto"]),
        (only_another_node_has_petanotify, ["auto"]),
        (speaker_is_frozen, ["consul", "petasan"]),
        (machine_is_gone, ["consul", "petasan"]),
        (agent_is_dead, ["consul", "petasan"]),
        (clocks_differ, ["consul", "petasan"]),
        (upgraded_first_the_one_with_the_state, ["consul", "petasan"]),
        (upgraded_last_the_one_with_the_state, ["consul", "petasan"]),
        (own_node_is_blind, ["consul", "petasan"]),
        (own_node_cannot_mail, ["consul", "petasan"]),
        (commands_from_any_node, ["consul", "petasan"]),
        (write_is_refused, ["consul", "petasan"]),
        (write_is_too_large, ["consul", "petasan"]),
        (alone, ["off"]),
    ]
    for mode in modes
]
