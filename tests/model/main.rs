//! A model of the protocol by which nodes share one memory and speak with one voice, searched exhaustively: every order in
//! which steps of passes, kills, deaths of machines, sessions that run out, losses of quorum and what happens in the cluster
//! can follow each other, as far as each plan goes.
//!
//! Memories are judged, merged and compared by the program's own functions (`documents`); what is a model is the order of
//! requests, writes and mails of a pass (`protocol`), and how a long memory lies in Consul (`parts`). No rule is there for
//! nothing: each is broken once, and the search must find out.
//!
//! It prints how many states there are: `cargo test --profile faults --test model -- --nocapture`.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod documents;
mod parts;
mod protocol;
mod search;

use std::time::Instant;

use documents::Merging;
use protocol::{Plan, Protocol, Rules};
use search::search;

/// A model that grows beyond this does not fit into a minute any more.
const MOST_STATES: usize = 20_000_000;

/// Nothing happens but that a thing goes down and up.
const QUIET: Plan = Plan {
    nodes: 2,
    recipients: 1,
    things: &[0],
    kills: 0,
    deaths: 0,
    disks_lost: false,
    expiries: 0,
    quorum_losses: 0,
    refusals: 0,
    cut: 0,
    bounces: 0,
    acks: 0,
    timers: false,
    skew: 7,
};

const KILLS: Plan = Plan {
    kills: 1,
    expiries: 1,
    bounces: 1,
    ..QUIET
};

const TWO_THINGS: Plan = Plan {
    things: &[0, 1],
    kills: 1,
    expiries: 1,
    ..QUIET
};

const TWO_READERS: Plan = Plan {
    recipients: 2,
    kills: 1,
    expiries: 1,
    ..QUIET
};

const DEATHS: Plan = Plan {
    deaths: 2,
    expiries: 1,
    ..QUIET
};

const ACK: Plan = Plan {
    acks: 1,
    kills: 1,
    expiries: 1,
    ..QUIET
};

const NO_QUORUM: Plan = Plan {
    quorum_losses: 1,
    expiries: 1,
    kills: 1,
    ..QUIET
};

/// With timers that keep to their minutes it can be said that nothing is told again once there is a quorum.
const NO_QUORUM_IN_TIME: Plan = Plan {
    quorum_losses: 1,
    expiries: 1,
    kills: 1,
    timers: true,
    ..QUIET
};

const ALONE: Plan = Plan {
    nodes: 1,
    quorum_losses: 1,
    kills: 1,
    ..QUIET
};

const PARTITION: Plan = Plan {
    cut: 0b01,
    expiries: 1,
    ..QUIET
};

const REFUSED: Plan = Plan {
    refusals: 1,
    expiries: 1,
    kills: 1,
    ..QUIET
};

/// Searches, and prints what that took. Returns what must not be, with the shortest way there.
fn explore(name: &str, plan: Plan, rules: Rules) -> Option<String> {
    let begin = Instant::now();
    let protocol = Protocol::new(plan, rules);
    let found = search(&protocol, MOST_STATES);
    println!(
        "{name:<60} {:>8} states, {:>2} steps deep, {:>4} memories, {:>4.1} s",
        found.states,
        found.depth,
        protocol.documents(),
        begin.elapsed().as_secs_f64()
    );
    let (what, way) = found.violation?;
    Some(format!("{what}\n{}", protocol.tell(&way)))
}

#[track_caller]
fn holds(name: &str, plan: Plan) {
    let told = explore(name, plan, Rules::default());
    assert!(told.is_none(), "{name}: {}", told.unwrap_or_default());
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes minutes unless it is optimized")]
fn the_speaker_is_killed_or_loses_the_lock() {
    holds("a kill, a session that runs out, a refused mail", KILLS);
    holds("the same with two recipients", TWO_READERS);
    holds("the same with two things that go down", TWO_THINGS);
    holds("the same with three nodes", Plan { nodes: 3, ..KILLS });
    holds("an acknowledgement meanwhile", ACK);
    let twice = Plan {
        kills: 2,
        expiries: 2,
        ..QUIET
    };
    holds("two kills and two sessions that run out", twice);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes minutes unless it is optimized")]
fn machines_die() {
    holds("machines die and come back", DEATHS);
    let disks_lost = true;
    let plan = Plan {
        disks_lost,
        ..DEATHS
    };
    holds("machines die and come back with an empty disk", plan);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes minutes unless it is optimized")]
fn there_is_no_quorum() {
    holds("no quorum", NO_QUORUM);
    let refused = Plan {
        kills: 0,
        bounces: 1,
        ..NO_QUORUM
    };
    holds("no quorum, a refused mail", refused);
    let died = Plan {
        deaths: 1,
        quorum_losses: 1,
        ..QUIET
    };
    holds("no quorum, a machine dies", died);
    holds("no quorum, timers", NO_QUORUM_IN_TIME);
    holds("no quorum, one node", ALONE);
    let calm = Plan {
        kills: 0,
        expiries: 0,
        ..NO_QUORUM_IN_TIME
    };
    holds("no quorum, nobody killed", calm);
    let two = Plan {
        things: &[0, 1],
        ..calm
    };
    holds("no quorum, nobody killed, two things", two);
    let nodes = 3;
    holds(
        "no quorum, three nodes, timers",
        Plan {
            nodes,
            ..NO_QUORUM_IN_TIME
        },
    );
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes minutes unless it is optimized")]
fn a_node_is_cut_off() {
    holds("a node is cut off", PARTITION);
    let killed = Plan {
        kills: 1,
        ..PARTITION
    };
    holds("a node is cut off, a kill", killed);
    let two = Plan {
        things: &[0, 1],
        expiries: 0,
        ..PARTITION
    };
    holds(
        "the node that does not speak is cut off, two things",
        Plan { cut: 0b10, ..two },
    );
    holds("the speaker is cut off, two things", two);
    let again = Plan {
        things: &[0, 0],
        ..two
    };
    holds("the speaker is cut off, the same goes down twice", again);
    holds(
        "one of three nodes is cut off",
        Plan {
            nodes: 3,
            ..PARTITION
        },
    );
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes minutes unless it is optimized")]
fn consul_takes_no_writes() {
    holds("writes are refused", REFUSED);
    let bounced = Plan {
        kills: 0,
        bounces: 1,
        ..REFUSED
    };
    holds("writes are refused, and a mail", bounced);
}

#[test]
fn each_rule_is_needed() {
    let rules = Rules::default();
    let bounced = Plan {
        kills: 0,
        bounces: 1,
        ..NO_QUORUM
    };
    let twice = Plan {
        expiries: 2,
        kills: 0,
        ..KILLS
    };
    let merging = rules.merging;
    let broken: [(&str, Plan, Rules, &str); 15] = [
        (
            "the memory is read before the lock is had",
            twice,
            Rules {
                read_after_acquiring: false,
                ..rules
            },
            "REPEATED",
        ),
        (
            "mail leaves before the memory is published",
            KILLS,
            Rules {
                publish_before_mail: false,
                ..rules
            },
            "LOST",
        ),
        (
            "mail leaves before the memory is saved",
            Plan {
                things: &[0, 1],
                ..ALONE
            },
            Rules {
                save_before_mail: false,
                ..rules
            },
            "REPEATED",
        ),
        (
            "the memory is saved before it is published",
            TWO_THINGS,
            Rules {
                publish_before_save: false,
                ..rules
            },
            "REPEATED",
        ),
        (
            "who has lost the lock keeps what it has judged",
            TWO_THINGS,
            Rules {
                forget_unpublished: false,
                ..rules
            },
            "REPEATED",
        ),
        (
            "mails are not noted beside the shared memory",
            KILLS,
            Rules {
                note_shared: false,
                ..rules
            },
            "REPEATED",
        ),
        (
            "mails are not noted on the node",
            ALONE,
            Rules {
                note_locally: false,
                ..rules
            },
            "REPEATED",
        ),
        (
            "nobody asks whether the lock is still held",
            TWO_READERS,
            Rules {
                check_session: false,
                ..rules
            },
            "REPEATED",
        ),
        (
            "the memory is overwritten unread",
            ACK,
            Rules {
                check_index: false,
                ..rules
            },
            "LOST",
        ),
        (
            "who is silent forgets what only it knew",
            bounced,
            Rules {
                hand_over: false,
                ..rules
            },
            "LOST",
        ),
        (
            "an acknowledgement forgets which mails were sent",
            ACK,
            Rules {
                ack_keeps_sent: false,
                ..rules
            },
            "REPEATED",
        ),
        (
            "nobody waits for others to be back",
            NO_QUORUM_IN_TIME,
            Rules {
                patience: false,
                ..rules
            },
            "REPEATED",
        ),
        (
            "who was overtaken tells all the same what it has judged",
            Plan {
                things: &[0, 1],
                expiries: 0,
                cut: 0b10,
                ..PARTITION
            },
            Rules {
                judge_anew: false,
                ..rules
            },
            "REPEATED",
        ),
        (
            "a merge forgets the node's own mails",
            bounced,
            Rules {
                merging: Merging {
                    keeps_pending: false,
                    ..merging
                },
                ..rules
            },
            "LOST",
        ),
        (
            "nobody remembers which mails were sent",
            NO_QUORUM_IN_TIME,
            Rules {
                merging: Merging {
                    keeps_told: false,
                    ..merging
                },
                ..rules
            },
            "REPEATED",
        ),
    ];
    let mut unneeded = Vec::new();
    for (name, plan, rules, expected) in broken {
        match explore(name, plan, rules) {
            Some(told) if told.starts_with(expected) => println!("{told}"),
            told => unneeded.push(format!("{name}: {}", told.unwrap_or_default())),
        }
    }
    assert!(unneeded.is_empty(), "not found out: {unneeded:#?}");
}

#[test]
fn a_long_memory_is_read_as_a_whole() {
    let rules = parts::Rules::default();
    let search = |rules| search(&parts::Publishing(rules), MOST_STATES);
    let found = search(rules);
    println!("parts of a long memory: {} states", found.states);
    assert!(found.violation.is_none(), "{:?}", found.violation);
    let broken = [
        parts::Rules {
            head_last: false,
            ..rules
        },
        parts::Rules {
            own_folder: false,
            ..rules
        },
        parts::Rules {
            delete_older_only: false,
            ..rules
        },
        parts::Rules {
            check_index: false,
            ..rules
        },
    ];
    for rules in broken {
        let (what, way) = search(rules).violation.expect("the broken rule is needed");
        println!("{rules:?}: {what}\n  {way:?}");
    }
}
