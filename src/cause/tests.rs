//! Stories of nodes and their OSDs, told pass by pass, and which mails come of them.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::alert::{Memory, Observed, Report, Rules, judge_pass};
use crate::facts::{Membership, OsdTree, Presence};
use crate::incident::{Change, Item};
use crate::settings::{Checks, Hold, Notify};

fn minute(minute: i64) -> Timestamp {
    Timestamp::from_second(1_795_402_440 + minute * 60).unwrap()
}

/// A cluster: CRUSH hosts with their racks, each with the next two OSDs.
struct Cluster {
    nodes: &'static [&'static str],
    hosts: &'static [(&'static str, Option<&'static str>)],
    checks: Checks,
    memory: Memory,
}

impl Cluster {
    fn new() -> Self {
        Cluster {
            nodes: &["node1", "node2", "node3"],
            hosts: &[("node1", None), ("node2", None), ("node3", None)],
            checks: Checks {
                capacity: None,
                ..Checks::default()
            },
            memory: Memory::default(),
        }
    }

    /// What a pass sees: `3 / 4 5` are the nodes that are down by their place, and the OSDs; `?` could not be seen, `-3` is a
    /// node that is no longer in the list.
    fn observed(&self, sight: &str) -> Observed {
        let (nodes, osds) = sight.split_once('/').unwrap();
        let listed = |text: &str, word: String| text.split_whitespace().any(|w| w == word);
        let lost = || Err("timed out".to_owned());
        let membership = || {
            let known = (1..).zip(self.nodes);
            let known = known.filter(|(place, _)| !listed(nodes, format!("-{place}")));
            Membership {
                nodes: known
                    .map(|(place, name)| {
                        let presence = match listed(nodes, place.to_string()) {
                            true => Presence::Down(Absence::Failed),
                            false => Presence::Alive,
                        };
                        ((*name).to_owned(), presence)
                    })
                    .collect(),
                unreadable: BTreeMap::new(),
                ..Membership::default()
            }
        };
        let tree = || {
            let mut tree = OsdTree::default();
            for (place, (host, rack)) in (0..).zip(self.hosts) {
                let mut up = 0;
                for id in [2 * place, 2 * place + 1] {
                    if !listed(osds, id.to_string()) {
                        tree.up.insert(OsdId(id));
                        up += 1;
                        continue;
                    }
                    let osd = DownOsd {
                        host: Some((*host).to_owned()),
                        status: "down".to_owned(),
                        out: false,
                        stray: false,
                    };
                    tree.down.insert(OsdId(id), osd);
                }
                let rack = rack.map(str::to_owned);
                tree.hosts.insert((*host).to_owned(), Host { up, rack });
            }
            if tree.down.is_empty() {
                tree.hosts.clear();
            }
            tree
        };
        let nodes_seen = match nodes.contains('?') {
            true => lost(),
            false => Ok(membership()),
        };
        let osds_seen = match osds.contains('?') {
            true => Err("timed out".to_owned()),
            false => Ok(tree()),
        };
        Observed {
            nodes: self.checks.nodes.is_some().then_some(nodes_seen),
            osds: self.checks.osds.is_some().then_some(osds_seen),
            ..Observed::default()
        }
    }

    /// One pass; each alert as `topic kind: new`, nodes with the OSDs that are with them.
    fn pass(&mut self, at: Timestamp, sight: &str) -> String {
        let observed = self.observed(sight);
        let rules = Rules {
            checks: &self.checks,
            notify: &Notify::default(),
            nodes_prefix: "PetaSAN/Nodes/",
            cluster: "prod",
        };
        self.memory.set_clock(at);
        let verdict = judge_pass(std::mem::take(&mut self.memory), observed, rules, at);
        self.memory = verdict.memory;
        let told = verdict.alerts.iter().map(|alert| {
            let with_nodes = alert.circumstances.of_nodes.iter().map(|(node, osds)| {
                let osds: Vec<String> = osds.iter().map(|osd| osd.0.to_string()).collect();
                format!("{node} {}", osds.join(" "))
            });
            let with_nodes: Vec<String> = with_nodes.collect();
            let with_nodes = match with_nodes.is_empty() {
                true => String::new(),
                false => format!(" ({})", with_nodes.join(", ")),
            };
            let new = match &alert.report {
                Report::Nodes(change) => named(change, |node| node.clone()),
                Report::Osds(change) => named(change, |osd| {
                    let since = change.new.iter().find(|item| item.key == *osd);
                    let minutes = age(since.unwrap().since, at).as_secs() / 60;
                    match minutes {
                        0 => osd.0.to_string(),
                        _ => format!("{}~{minutes}", osd.0),
                    }
                }),
                Report::Capacity(_) | Report::Health(_) | Report::Blind(_) => String::new(),
            };
            let topic = alert.report.topic();
            format!("{topic} {}{new}{with_nodes}", alert.kind.as_str())
        });
        told.collect::<Vec<_>>().join("; ")
    }

    /// Passes that begin in these minutes, each with what it sees and what is told.
    fn lives(&mut self, story: &str, passes: &[(i64, &str, &str)]) {
        for (at, sight, expected) in passes {
            let told = self.pass(minute(*at), sight);
            assert_eq!(told, *expected, "{story}: minute {at}");
        }
    }
}

fn named<K, T>(change: &Change<K, T>, name: impl Fn(&K) -> String) -> String {
    let name = |item: &Item<K, T>| format!(" {}", name(&item.key));
    change.new.iter().map(name).collect()
}

type Story = (&'static str, &'static [(i64, &'static str, &'static str)]);

const STORIES: &[Story] = &[
    (
        "node and OSDs in the same pass, back in the same pass",
        &[
            (0, "/", ""),
            (1, "3/4 5", "nodes raised node3 (node3 4 5)"),
            (2, "3/4 5", ""),
            (3, "/", "nodes cleared"),
            (4, "/", ""),
        ],
    ),
    (
        "the node first",
        &[
            (0, "3/", "nodes raised node3"),
            (1, "3/4 5", ""),
            (2, "3/4 5", ""),
            (9, "/", "nodes cleared"),
        ],
    ),
    (
        "the OSDs first, the node in the next pass",
        &[
            (0, "/4 5", ""),
            (1, "3/4 5", "nodes raised node3 (node3 4 5)"),
            (2, "/", "nodes cleared"),
        ],
    ),
    (
        "the OSDs first, the node in the last pass of the grace",
        &[
            (0, "/4 5", ""),
            (1, "/4 5", ""),
            (2, "3/4 5", "nodes raised node3 (node3 4 5)"),
        ],
    ),
    (
        "the OSDs first, and the node lives",
        &[
            (0, "/4 5", ""),
            (1, "/4 5", ""),
            (2, "/4 5", "osds raised 4~2 5~2"),
            (3, "/", "osds cleared"),
        ],
    ),
    (
        "told by themselves, they stay so when the node goes down",
        &[
            (0, "/4 5", ""),
            (2, "/4 5", "osds raised 4~2 5~2"),
            (3, "3/4 5", "nodes raised node3"),
            (4, "/4 5", "nodes cleared"),
            (5, "/", "osds cleared"),
        ],
    ),
    (
        "half of them do not wait, the other half goes with the node",
        &[
            (0, "/4", "osds raised 4"),
            (1, "/4 5", ""),
            (2, "3/4 5", "nodes raised node3 (node3 5)"),
            (3, "/4", "nodes cleared"),
            (4, "/", "osds cleared"),
        ],
    ),
    (
        "half of them in the pass of the node, half in the next",
        &[
            (0, "3/4", "nodes raised node3 (node3 4)"),
            (1, "3/4 5", ""),
            (10, "3/4 5", ""),
            (60, "/4 5", "nodes cleared (node3 4 5)"),
            (69, "/4", ""),
            (70, "/", ""),
        ],
    ),
    (
        "the wait delays no others",
        &[
            (0, "/2 4 5", "osds raised 2"),
            (1, "3/2 4 5", "nodes raised node3 (node3 4 5)"),
            (2, "/2", "nodes cleared"),
            (3, "/", "osds cleared"),
        ],
    ),
    (
        "an OSD incident ends while others are down with a node",
        &[
            (0, "/2", "osds raised 2"),
            (1, "3/2 4 5", "nodes raised node3 (node3 4 5)"),
            (2, "3/4 5", "osds cleared (node3 4 5)"),
            (3, "/", "nodes cleared"),
        ],
    ),
    (
        "the node back first, its OSDs one by one",
        &[
            (0, "3/4 5", "nodes raised node3 (node3 4 5)"),
            (3, "/4 5", "nodes cleared (node3 4 5)"),
            (4, "/5", ""),
            (12, "/5", ""),
            (13, "/", ""),
            (14, "/", ""),
        ],
    ),
    (
        "the node back first, one of its OSDs never",
        &[
            (0, "3/4 5", "nodes raised node3 (node3 4 5)"),
            (3, "/4 5", "nodes cleared (node3 4 5)"),
            (4, "/5", ""),
            (12, "/5", ""),
            (13, "/5", "osds raised 5~13"),
            (14, "/5", ""),
            (15, "/", "osds cleared"),
        ],
    ),
    (
        "the OSDs back first",
        &[
            (0, "3/4 5", "nodes raised node3 (node3 4 5)"),
            (3, "3/", ""),
            (4, "/", "nodes cleared"),
        ],
    ),
    (
        "some OSDs back first, the others never, nor the node",
        &[
            (0, "3/4 5", "nodes raised node3 (node3 4 5)"),
            (3, "3/4", ""),
            (12, "3/4", ""),
            (13, "3/4", "osds raised 4~13"),
            (14, "/4", "nodes cleared"),
            (15, "/", "osds cleared"),
        ],
    ),
    (
        "an OSD fails by itself while its node is back for a while",
        &[
            (0, "3/4 5", "nodes raised node3 (node3 4 5)"),
            (3, "/", "nodes cleared"),
            (4, "/4", "osds raised 4"),
        ],
    ),
    (
        "an OSD fails long after the agent of its node",
        &[
            (0, "3/", "nodes raised node3"),
            (16, "3/4", "osds raised 4"),
            (17, "3/4 5", "osds updated 5"),
        ],
    ),
    (
        "an OSD fails soon after the agent of its node, and the machine lives",
        &[
            (0, "3/", "nodes raised node3"),
            (1, "3/4", ""),
            (10, "3/4", ""),
            (11, "3/4", "osds raised 4~10"),
        ],
    ),
    (
        "another node's OSD fails while a node is down",
        &[
            (0, "3/4 5", "nodes raised node3 (node3 4 5)"),
            (1, "3/0 4 5", "osds raised 0 (node3 4 5)"),
            (2, "3/4 5", "osds cleared (node3 4 5)"),
        ],
    ),
    (
        "the node goes down again during the grace, and stays so",
        &[
            (0, "3/4 5", "nodes raised node3 (node3 4 5)"),
            (3, "/4 5", "nodes cleared (node3 4 5)"),
            (5, "3/4 5", "nodes raised node3 (node3 4 5)"),
            (14, "3/4 5", ""),
            // Longer than the grace: it is a failure of its own, and the next return counts.
            (16, "3/4 5", ""),
            (60, "/4 5", "nodes cleared (node3 4 5)"),
            (69, "/4 5", ""),
            (70, "/4 5", "osds raised 4~70 5~70"),
        ],
    ),
    (
        "the node flips all the time, and its OSDs are told of all the same",
        &[
            (0, "3/4 5", "nodes raised node3 (node3 4 5)"),
            (3, "/4 5", "nodes cleared (node3 4 5)"),
            (6, "3/4 5", "nodes raised node3 (node3 4 5)"),
            (9, "/4 5", "nodes cleared (node3 4 5)"),
            (12, "3/4 5", "nodes raised node3 (node3 4 5)"),
            (15, "/4 5", "osds raised 4~15 5~15"),
            (18, "3/4 5", ""),
        ],
    ),
    (
        "a node that flaps is one alert, and its OSDs make none, also when they are seen first",
        &[
            (0, "/4 5", ""),
            (1, "3/4 5", "nodes raised node3 (node3 4 5)"),
            (2, "/4", "nodes cleared (node3 4)"),
            (3, "/", ""),
            (4, "/4 5", ""),
            (5, "3/4 5", "nodes raised node3 (node3 4 5)"),
            (6, "/", "nodes cleared"),
            (7, "/4 5", ""),
            (8, "3/4 5", "nodes raised node3 (node3 4 5)"),
            (9, "/", ""),
            (10, "/4 5", ""),
            (11, "3/4 5", ""),
            (12, "/", ""),
            (71, "/", ""),
            (72, "/", "nodes cleared"),
        ],
    ),
    (
        "nobody sees the nodes meanwhile",
        &[
            (0, "3/4 5", "nodes raised node3 (node3 4 5)"),
            (1, "?/4 5", ""),
            (2, "?/2 4 5", "osds raised 2 (node3 4 5)"),
            (3, "?/4 5", "osds cleared (node3 4 5)"),
            (4, "3/4 5", ""),
            (5, "/", "nodes cleared"),
        ],
    ),
    (
        "nobody can take OSDs over while nobody sees the nodes",
        &[(0, "/", ""), (1, "?/4 5", "osds raised 4 5")],
    ),
    (
        "nobody sees the OSDs meanwhile",
        &[
            (0, "3/4 5", "nodes raised node3 (node3 4 5)"),
            (1, "3/?", ""),
            (2, "/?", "nodes cleared (node3 4 5)"),
            // The grace begins when somebody can see whether they return.
            (20, "/4", ""),
            (29, "/4", ""),
            (30, "/4", "osds raised 4~30"),
        ],
    ),
    (
        "two nodes",
        &[
            (0, "3/4 5", "nodes raised node3 (node3 4 5)"),
            (
                1,
                "2 3/2 3 4 5",
                "nodes updated node2 (node2 2 3, node3 4 5)",
            ),
            (2, "2/2 3 5", ""),
            (3, "/2 5", "nodes cleared (node2 2, node3 5)"),
            (12, "/2 5", "osds raised 5~12 (node2 2)"),
            (13, "/2 5", "osds updated 2~12"),
            (14, "/", "osds cleared"),
        ],
    ),
    (
        "a node that is removed leaves its OSDs the grace",
        &[
            (0, "3/4 5", "nodes raised node3 (node3 4 5)"),
            (5, "-3/4 5", "nodes cleared (node3 4 5)"),
            (14, "-3/4 5", ""),
            (15, "-3/4 5", "osds raised 4~15 5~15"),
        ],
    ),
];

#[test]
fn one_cause_is_one_mail_in_whatever_order_it_is_seen() {
    for (story, passes) in STORIES {
        Cluster::new().lives(story, passes);
    }
}

#[test]
fn what_must_be_down_in_several_passes_is_taken_over_as_well() {
    let held = |nodes, osds| {
        let mut cluster = Cluster::new();
        cluster.checks.nodes = Some(Hold {
            passes: nodes,
            ..Hold::default()
        });
        cluster.checks.osds = Some(Hold {
            passes: osds,
            ..Hold::default()
        });
        cluster
    };
    held(3, 1).lives(
        "nodes count later",
        &[
            (0, "/", ""),
            (1, "3/4 5", ""),
            (2, "3/4 5", ""),
            (3, "3/4 5", "nodes raised node3 (node3 4 5)"),
            (4, "/4 5", "nodes cleared (node3 4 5)"),
            (13, "/4 5", ""),
            (14, "/4 5", "osds raised 4~13 5~13"),
        ],
    );
    held(20, 1).lives(
        "OSDs may follow a node that does not count yet",
        &[(0, "3/", ""), (17, "3/4 5", ""), (18, "/", "")],
    );
    held(60, 1).lives(
        "a node that flips without ever counting gives its OSDs one grace, not one each time",
        &[
            (0, "3/4 5", ""),
            (12, "/4 5", ""),
            (13, "3/4 5", ""),
            (24, "3/4 5", ""),
            (25, "/4 5", "osds raised 4~25 5~25"),
        ],
    );
    held(1, 3).lives(
        "OSDs count later, and since when is not forgotten",
        &[
            (0, "/4", ""),
            (1, "3/4 5", "nodes raised node3 (node3 4 5)"),
            (2, "/4 5", "nodes cleared (node3 4 5)"),
            (12, "/4 5", "osds raised 4~12 5~11"),
        ],
    );
}

#[test]
fn the_graces_can_be_turned_off() {
    let mut cluster = Cluster::new();
    cluster.checks.root_cause.host_grace = None;
    cluster.lives(
        "no wait",
        &[
            (0, "/4 5", "osds raised 4 5"),
            (1, "3/4 5", "nodes raised node3"),
        ],
    );
    let mut cluster = Cluster::new();
    cluster.checks.root_cause.return_grace = None;
    cluster.lives(
        "no time to return",
        &[
            (0, "3/4 5", "nodes raised node3 (node3 4 5)"),
            (3, "/4 5", "nodes cleared; osds raised 4~3 5~3"),
        ],
    );
    let mut cluster = Cluster::new();
    cluster.checks.nodes = None;
    cluster.lives("no nodes", &[(0, "/4 5", "osds raised 4 5")]);
}

#[test]
fn a_host_is_the_node_of_its_name() {
    let node3 = "node3";
    for (host, nodes, node) in [
        ("node3", &["node1", "node3"][..], Some(node3)),
        ("NODE3", &["node1", "node3"], Some(node3)),
        ("node3.example.org", &["node1", "node3"], Some(node3)),
        ("node30", &["node1", "node3"], None),
        ("node", &["node1", "node3"], None),
        (
            "node3",
            &["Node3.Example.org", "node1"],
            Some("Node3.Example.org"),
        ),
        // Just this name counts, where there are several like it.
        ("node3", &["node3", "NODE3", "node3.b"], Some(node3)),
        ("node3.b", &["node3.a", "node3.b"], Some("node3.b")),
        ("Node3.B", &["node3.a", "node3.b"], Some("node3.b")),
        ("node3", &["node3.a", "node3.b"], None),
        ("nOde3", &["node3", "NODE3"], None),
        ("10.0.0.3", &["10.0.0.1", "10.0.0.3"], Some("10.0.0.3")),
        ("10.0.0.4", &["10.0.0.3"], None),
        // As the configuration says.
        ("crush-a", &["node1", "node3"], Some(node3)),
        ("Crush-A", &["node1", "node3"], Some(node3)),
        ("crush-b", &["node1", "Node3"], Some("Node3")),
        ("crush-c", &["node1", "node3"], None),
    ] {
        let rules = RootCause {
            hosts: [
                ("crush-a", "node3"),
                ("crush-b", "node3.example.org"),
                ("crush-c", "node9"),
            ]
            .map(|(host, node)| (host.to_owned(), node.to_owned()))
            .into(),
            ..RootCause::default()
        };
        let hosts = BTreeMap::from([(host.to_owned(), Host::default())]);
        let up = nodes.iter().map(|node| (*node).to_owned()).collect();
        let nodes = Nodes {
            down: &BTreeMap::new(),
            up: &up,
        };
        let found = homes(&hosts, nodes, &rules);
        assert_eq!(found.get(host).copied(), node, "{host} of {up:?}");
    }
}

#[test]
fn a_node_may_be_several_hosts() {
    let mut cluster = Cluster::new();
    cluster.hosts = &[("node1", None), ("node3-ssd", None), ("node3-hdd", None)];
    for host in ["node3-ssd", "node3-hdd"] {
        let hosts = &mut cluster.checks.root_cause.hosts;
        hosts.insert(host.to_owned(), "node3".to_owned());
    }
    cluster.lives(
        "one of its hosts, then both",
        &[
            (0, "/2 3", "osds raised 2 3"),
            (1, "/2 3 4 5", ""),
            (2, "3/2 3 4 5", "nodes raised node3 (node3 4 5)"),
        ],
    );
}

#[test]
fn a_clock_that_jumps_neither_ends_a_grace_at_once_nor_prolongs_it_for_ever() {
    let hour = 60;
    // By how many minutes the clock jumps after the first pass, and in which pass the OSDs are told.
    for (jump, told) in [(0, 3), (hour, 3), (-hour, 4), (-365 * 24 * hour, 4)] {
        let mut cluster = Cluster::new();
        let raised = (1..).find(|pass| {
            let jumped = if *pass > 1 { jump } else { 0 };
            !cluster.pass(minute(pass + jumped), "/4 5").is_empty()
        });
        assert_eq!(raised, Some(told), "{jump} min");
    }
    let mut cluster = Cluster::new();
    cluster.lives(
        "set back while the node's OSDs return",
        &[
            (0, "3/4 5", "nodes raised node3 (node3 4 5)"),
            (3, "/4 5", "nodes cleared (node3 4 5)"),
            (-1000, "/4 5", ""),
            (-991, "/4 5", ""),
            (-990, "/4 5", "osds raised 4~10 5~10"),
        ],
    );
}

#[test]
fn a_rack_is_down_when_all_its_nodes_are_and_they_are_several() {
    let hosts = [
        ("a1", Some("a")),
        ("a2", Some("a")),
        ("b1", Some("b")),
        ("c1", Some("c")),
        ("c2", Some("c")),
        ("loose", None),
    ]
    .map(|(host, rack)| {
        let rack = rack.map(str::to_owned);
        (host.to_owned(), Host { up: 0, rack })
    });
    let hosts = BTreeMap::from(hosts);
    for (down, racks) in [
        (&[][..], &[][..]),
        (&["a1", "a2"], &["a"]),
        (&["a1", "c1"], &[]),
        (&["b1", "loose"], &[]),
        (&["a1", "a2", "c1", "c2", "b1"], &["a", "c"]),
    ] {
        let down = down.iter().map(|node| {
            let down = Down {
                since: minute(0),
                passes: 1,
                announced: true,
                flapping: None,
                what: Absence::Failed,
            };
            ((*node).to_owned(), down)
        });
        let down: BTreeMap<_, _> = down.collect();
        let nodes = Nodes {
            down: &down,
            up: &BTreeSet::new(),
        };
        let found = racks_down(&hosts, nodes, &RootCause::default());
        assert_eq!(found.keys().collect::<Vec<_>>(), racks, "{:?}", down.keys());
    }
}

/// Whatever happens, in whatever order: when it stays as it is for long, each OSD that is down has been told of, by itself or
/// in the mail about a node that is down still, and nothing else is remembered as down.
#[test]
fn nothing_is_silent_for_good() {
    for seed in 0..400_u64 {
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut draw = |sides: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % sides
        };
        let mut cluster = Cluster::new();
        let (mut nodes, mut osds) = ([false; 3], [false; 6]);
        let mut at = 0;
        let sight = |nodes: &[bool; 3], osds: &[bool; 6]| {
            let nodes = (1..).zip(nodes).filter(|(_, down)| **down);
            let osds = (0..).zip(osds).filter(|(_, down)| **down);
            let nodes: Vec<String> = nodes.map(|(node, _): (u32, _)| node.to_string()).collect();
            let osds: Vec<String> = osds.map(|(osd, _): (u32, _)| osd.to_string()).collect();
            format!("{}/{}", nodes.join(" "), osds.join(" "))
        };
        for _ in 0..30 {
            let node = usize::try_from(draw(3)).unwrap();
            match draw(6) {
                0 => nodes[node] = !nodes[node],
                1 => osds[2 * node] = !osds[2 * node],
                2 => osds[2 * node + 1] = !osds[2 * node + 1],
                3 => {
                    nodes[node] = true;
                    osds[2 * node] = true;
                    osds[2 * node + 1] = true;
                }
                4 => nodes[node] = false,
                _ => {}
            }
            at += 1 + i64::try_from(draw(4)).unwrap();
            cluster.pass(minute(at), &sight(&nodes, &osds));
        }
        for _ in 0..30 {
            at += 1;
            cluster.pass(minute(at), &sight(&nodes, &osds));
        }
        let memory = &cluster.memory;
        for (osd, down) in &memory.osds.down {
            assert!(down.announced, "seed {seed}: {osd}, {memory:#?}");
        }
        for (osd, with_node) in &memory.osds_with_nodes {
            let node = &memory.nodes.down[&with_node.node];
            assert!(node.announced, "seed {seed}: {osd}, {memory:#?}");
            assert!(!memory.osds.down.contains_key(osd));
        }
        let down: Vec<bool> = (0..6)
            .map(|id| {
                let down = memory.osds_down();
                let down = down.iter().find(|(osd, _)| osd.0 == id);
                down.is_some_and(|(_, down)| down.is_down())
            })
            .collect();
        assert_eq!(down, osds, "seed {seed}");
    }
}

#[test]
fn nobody_waits_for_a_node_that_nobody_knows() {
    let mut cluster = Cluster::new();
    cluster.nodes = &["node1", "node2"];
    cluster.lives("no such node", &[(0, "/4 5", "osds raised 4 5")]);
}

#[test]
fn what_an_earlier_release_has_told_stays_told() {
    let mut cluster = Cluster::new();
    cluster.checks.root_cause.host_grace = None;
    cluster.lives(
        "as it was before",
        &[
            (0, "/4 5", "osds raised 4 5"),
            (1, "3/4 5", "nodes raised node3"),
        ],
    );
    cluster.checks.root_cause = RootCause::default();
    cluster.lives(
        "after the upgrade",
        &[
            (2, "3/4 5", ""),
            (3, "3/5", ""),
            // It was up, and so is down anew.
            (4, "3/4 5", ""),
            (5, "/", "nodes cleared; osds cleared"),
        ],
    );
}

#[test]
fn what_is_remembered_survives_the_state_file() {
    let mut cluster = Cluster::new();
    cluster.pass(minute(0), "3/4 5");
    cluster.pass(minute(1), "/5");
    let text = serde_json::to_string(&cluster.memory).unwrap();
    assert!(text.contains("osds_with_nodes"), "{text}");
    let read: Memory = serde_json::from_str(&text).unwrap();
    assert_eq!(read, cluster.memory);
    cluster.pass(minute(2), "/");
    let text = serde_json::to_string(&cluster.memory).unwrap();
    assert!(!text.contains("osds_with_nodes"), "{text}");
}

#[test]
fn each_osd_that_is_down_is_remembered_once() {
    for (story, passes) in STORIES {
        let mut cluster = Cluster::new();
        for (at, sight, _) in *passes {
            cluster.pass(minute(*at), sight);
            let down = cluster.memory.osds_down();
            let (_, osds) = sight.split_once('/').unwrap();
            if osds != "?" {
                let down: Vec<String> = down.iter().map(|(osd, _)| osd.0.to_string()).collect();
                assert_eq!(down.join(" "), osds, "{story}: minute {at}");
            }
        }
    }
}
