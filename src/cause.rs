//! One root cause, one mail: which OSDs that are down belong to a node that is down. Pure.
//!
//! A CRUSH host is a node of the same name. When the node is down, the OSDs that go down with it are no news of their own:
//! they are with the node, whose mails tell of them, until they are up, or until the node has been back for so long that
//! they should be. An OSD that a mail has told of by itself stays what it is.
//!
//! Ceph and Consul find a dead node within seconds of each other, but a pass may lie between them. So the OSDs of a node
//! none of whose OSDs is up wait a little while it seems alive.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::facts::{Absence, DownOsd, Host, OsdId};
use crate::incident::{Down, Watch, age, plausible};
use crate::settings::RootCause;

/// OSDs that go down later than this after their node are a failure of their own, of which its mail could not tell. Where
/// too few OSDs are left to report the dead ones, Ceph takes 15 min to find them (`mon_osd_report_timeout`), and a pass may
/// come a minute later.
const FOLLOWS: Duration = Duration::from_secs(16 * 60);

/// An OSD that is down and belongs to a node.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WithNode {
    /// The node's name.
    pub node: String,
    /// When the node, or another of its OSDs, was first seen up again. It is forgotten when the node is down for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<Timestamp>,
    /// Since when it is down, and what is known of it. No mail has told of it by itself.
    pub down: Down<DownOsd>,
}

impl WithNode {
    /// See [`plausible`].
    pub fn set_clock(&mut self, now: Timestamp) {
        self.down.since = plausible(self.down.since, now);
        if let Some(back) = &mut self.back {
            *back = plausible(*back, now);
        }
    }
}

/// What is known of the nodes.
#[derive(Debug, Clone, Copy)]
pub struct Nodes<'a> {
    /// Those that are down, as last seen.
    pub down: &'a BTreeMap<String, Down<Absence>>,
    /// Those that this pass has seen alive, and so those that flap and are up.
    pub up: &'a BTreeSet<String>,
}

impl<'a> Nodes<'a> {
    /// What is known of a node if it is down now: one that flaps may be up.
    fn down(self, node: &str) -> Option<&'a Down<Absence>> {
        self.down.get(node).filter(|down| down.is_down())
    }
}

/// Which OSDs that are down have a cause.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parted {
    /// Those that are with a node.
    pub with_nodes: BTreeMap<OsdId, WithNode>,
    /// CRUSH hosts none of whose OSDs is up although their node is alive, each with the node.
    pub dark: BTreeMap<String, String>,
}

/// Takes out of `down`, what this pass has seen, the OSDs that are with a node. Those that were and are no longer go on in
/// `watch` as what they are: down since they went down.
pub fn part(
    down: &mut BTreeMap<OsdId, DownOsd>,
    watch: &mut Watch<OsdId, DownOsd>,
    mut before: BTreeMap<OsdId, WithNode>,
    hosts: &BTreeMap<String, Host>,
    nodes: Nodes<'_>,
    rules: &RootCause,
    now: Timestamp,
) -> Parted {
    if down.is_empty() || (before.is_empty() && nodes.down.is_empty() && nodes.up.is_empty()) {
        return Parted::default();
    }
    let homes = homes(hosts, nodes, rules);
    let mut osds_up: HashMap<&str, u32> = HashMap::new();
    for (host, node) in &homes {
        *osds_up.entry(node).or_default() += hosts.get(*host).map_or(0, |host| host.up);
    }
    let is_dark = |node: &str| osds_up.get(node).is_none_or(|up| *up == 0);

    let mut with_nodes = BTreeMap::new();
    down.retain(|osd, what| {
        let known = watch.down.get(osd);
        if known.is_some_and(|down| down.announced) {
            return true;
        }
        let record = before.remove(osd);
        let home = (what.host.as_deref()).and_then(|host| homes.get(host).copied());
        let Some(node) = home.or(record.as_ref().map(|record| record.node.as_str())) else {
            return true;
        };
        let cause = Cause {
            down: nodes.down(node),
            dark: is_dark(node),
        };
        let was_with_node = record.is_some();
        let back = record.as_ref().and_then(|record| record.back);
        let seen = match (&record, known) {
            (Some(WithNode { down, .. }), _) => Down {
                passes: down.passes.saturating_add(1),
                what: what.clone(),
                ..*down
            },
            (None, Some(down)) if down.is_down() => Down {
                passes: down.passes.saturating_add(1),
                flapping: None,
                what: what.clone(),
                ..*down
            },
            (None, _) => Down {
                since: now,
                passes: 1,
                announced: false,
                flapping: None,
                what: what.clone(),
            },
        };
        match cause.holds(was_with_node, back, rules, now) {
            Holds::Yes { back } => {
                let node = node.to_owned();
                let down = seen;
                with_nodes.insert(*osd, WithNode { node, back, down });
                false
            }
            Holds::No => {
                if let Some(record) = record {
                    watch.down.insert(*osd, record.down);
                }
                true
            }
        }
    });
    let dark = homes
        .iter()
        .filter(|(_, node)| is_dark(node) && nodes.up.contains(**node))
        .map(|(host, node)| ((*host).to_owned(), (*node).to_owned()));
    Parted {
        with_nodes,
        dark: dark.collect(),
    }
}

/// How it stands with the node of an OSD that is down.
struct Cause<'a> {
    /// What is known of the node if it is down.
    down: Option<&'a Down<Absence>>,
    /// None of its OSDs is up.
    dark: bool,
}

/// Whether an OSD is with its node.
enum Holds {
    Yes { back: Option<Timestamp> },
    No,
}

impl Cause<'_> {
    fn holds(
        &self,
        was_with_node: bool,
        back: Option<Timestamp>,
        rules: &RootCause,
        now: Timestamp,
    ) -> Holds {
        let grace = rules.return_grace.unwrap_or(Duration::ZERO);
        let Some(node) = self.down.filter(|_| was_with_node || self.may_begin(now)) else {
            return match was_with_node {
                true => Cause::since_it_is_back(back, grace, now),
                false => Holds::No,
            };
        };
        if !self.dark {
            return Cause::since_it_is_back(back, grace, now);
        }
        // Who flaps gets no new grace each time: else its OSDs would wait for ever.
        let for_good = node.announced && age(node.since, now) >= grace;
        Holds::Yes {
            back: back.filter(|_| !for_good),
        }
    }

    /// Whether the node's mails tell of an OSD that is seen down for the first time.
    fn may_begin(&self, now: Timestamp) -> bool {
        (self.down).is_some_and(|node| !node.announced || age(node.since, now) < FOLLOWS)
    }

    /// Something of the machine is up: its OSDs return one by one.
    fn since_it_is_back(back: Option<Timestamp>, grace: Duration, now: Timestamp) -> Holds {
        let back = back.unwrap_or(now);
        match age(back, now) < grace {
            true => Holds::Yes { back: Some(back) },
            false => Holds::No,
        }
    }
}

/// The node of each CRUSH host that is a node.
fn homes<'a>(
    hosts: &'a BTreeMap<String, Host>,
    nodes: Nodes<'a>,
    rules: &RootCause,
) -> BTreeMap<&'a str, &'a str> {
    let names = Names::of(nodes);
    let odd: HashMap<String, &String> = (rules.hosts.iter())
        .map(|(host, node)| (host.to_lowercase(), node))
        .collect();
    let homes = hosts.keys().filter_map(|host| {
        let node = odd.get(&host.to_lowercase()).copied().unwrap_or(host);
        Some((host.as_str(), names.find(node)?))
    });
    homes.collect()
}

/// The racks that are down as a whole, each with its nodes: two or more, and all that have OSDs are among `down`.
pub fn racks_down(
    hosts: &BTreeMap<String, Host>,
    nodes: Nodes<'_>,
    rules: &RootCause,
) -> BTreeMap<String, BTreeSet<String>> {
    let homes = homes(hosts, nodes, rules);
    let mut racks: BTreeMap<&String, Option<BTreeSet<String>>> = BTreeMap::new();
    for (name, host) in hosts {
        let Some(rack) = &host.rack else { continue };
        let home = homes.get(name.as_str()).copied();
        let node = home.filter(|node| (nodes.down(node)).is_some_and(|down| down.announced));
        let members = racks.entry(rack).or_insert_with(|| Some(BTreeSet::new()));
        match (node, members.as_mut()) {
            (Some(node), Some(members)) => {
                members.insert(node.to_owned());
            }
            _ => *members = None,
        }
    }
    let racks = racks.into_iter();
    let whole = racks.filter_map(|(rack, nodes)| Some((rack.clone(), nodes?)));
    whole.filter(|(_, nodes)| nodes.len() > 1).collect()
}

/// The nodes by the names that people give them.
struct Names<'a> {
    nodes: Nodes<'a>,
    /// In lower case; `None` where several nodes have the name.
    whole: HashMap<String, Option<&'a str>>,
    short: HashMap<String, Option<&'a str>>,
}

impl<'a> Names<'a> {
    fn of(nodes: Nodes<'a>) -> Self {
        let (mut whole, mut short) = (HashMap::new(), HashMap::new());
        let down = nodes.down.keys().filter(|node| !nodes.up.contains(*node));
        for node in down.chain(nodes.up) {
            let lower = node.to_lowercase();
            for (map, name) in [
                (&mut short, short_name(&lower).to_owned()),
                (&mut whole, lower),
            ] {
                map.entry(name)
                    .and_modify(|known| *known = None)
                    .or_insert(Some(node.as_str()));
            }
        }
        Names {
            nodes,
            whole,
            short,
        }
    }

    /// The node that has just this name, else the only one that has it but for capitals and domain.
    fn find(&self, name: &str) -> Option<&'a str> {
        let down = self.nodes.down.get_key_value(name).map(|(node, _)| node);
        if let Some(node) = down.or_else(|| self.nodes.up.get(name)) {
            return Some(node);
        }
        let lower = name.to_lowercase();
        let whole = self.whole.get(&lower);
        *whole.or_else(|| self.short.get(short_name(&lower)))?
    }
}

/// A machine's name without its domain.
pub fn short_name(name: &str) -> &str {
    if name.parse::<IpAddr>().is_ok() {
        return name;
    }
    name.split_once('.').map_or(name, |(short, _)| short)
}
