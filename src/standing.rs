//! How it stands with what an alert is not about: what else is wrong, and what was last known of what can't be seen. Values,
//! for they wait in the queue until they are worded; bounded, however large the cluster is. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::alert::{Memory, Topic};
use crate::check::capacity::Reading;
use crate::check::sight::Unseen;
use crate::facts::{HealthCheck, HealthSeverity, OsdId};
use crate::incident::{Ack, Down, Watch};
use crate::wording::{self, Place};

/// So many names are kept of a kind of thing.
const NAMED: usize = 10;

/// An incident beside the one that an alert is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Elsewhere {
    /// What is wrong, and who knows of it.
    Incident {
        /// What is wrong.
        wrong: Wrong,
        /// Who knows of it already.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ack: Option<Ack>,
    },
    /// In the words of a release that kept no more than these.
    Text(String),
}

/// What is wrong, in brief.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wrong {
    /// The storage is too full.
    Storage(Reading),
    /// Nodes are down, and OSDs with them.
    Nodes {
        /// How many.
        number: Number,
        /// Which.
        names: Names,
        /// The OSDs that are down with them, if there are any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        with: Option<WithNodes>,
    },
    /// The nodes are back, these OSDs are not.
    OsdsOfNodes(WithNodes),
    /// OSDs are down.
    Osds {
        /// How many.
        number: Number,
        /// Where.
        place: Place,
        /// Which, where they are few.
        ids: Vec<OsdId>,
    },
    /// What Ceph itself finds wrong.
    Health {
        /// How many errors.
        errors: usize,
        /// How many warnings.
        warnings: usize,
        /// The codes.
        codes: Names,
    },
    /// What can't be seen.
    Blind(BTreeSet<Unseen>),
}

/// How many things are down, and how many go down and up again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number {
    /// Down at that moment.
    pub down: usize,
    /// Flapping, down or not.
    pub flapping: usize,
}

impl Number {
    fn of<K, T>(watch: &Watch<K, T>) -> Self {
        Number {
            down: watch.down_now(),
            flapping: watch.flapping(),
        }
    }
}

/// Names, harmless and cut to their length, of which only the first ones are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// In order.
    pub first: Vec<String>,
    /// How many more there are.
    pub more: usize,
}

impl Names {
    /// Only the first `most` are asked for.
    fn of(names: impl ExactSizeIterator<Item = String>, most: usize) -> Self {
        Names {
            more: names.len().saturating_sub(most),
            first: names.take(most).collect(),
        }
    }
}

/// OSDs that are down with nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithNodes {
    /// How many OSDs.
    pub osds: usize,
    /// How many nodes.
    pub nodes: usize,
    /// Which nodes; none where they are many.
    pub names: Vec<String>,
}

impl WithNodes {
    fn of(memory: &Memory) -> Option<Self> {
        if memory.osds_with_nodes.is_empty() {
            return None;
        }
        let of_nodes = memory.osds_by_node();
        let few = of_nodes.len() <= wording::WITH_NODES_NAMED;
        let names = of_nodes.keys().filter(|_| few);
        Some(WithNodes {
            osds: memory.osds_with_nodes.len(),
            nodes: of_nodes.len(),
            names: names.map(|node| wording::name(node)).collect(),
        })
    }
}

/// The incidents that are open, each in brief.
pub fn open_incidents(memory: &Memory) -> Vec<(Topic, Elsewhere)> {
    let open = wrong(memory).into_iter().map(|(topic, wrong)| {
        let incident = memory.incident(topic);
        let ack = incident.and_then(|incident| incident.ack.clone());
        (topic, Elsewhere::Incident { wrong, ack })
    });
    open.collect()
}

fn wrong(memory: &Memory) -> Vec<(Topic, Wrong)> {
    let mut open = Vec::new();
    if let (Some(_), Some(last)) = (&memory.capacity.incident, memory.capacity.last) {
        open.push((Topic::Capacity, Wrong::Storage(last)));
    }
    let with = WithNodes::of(memory);
    if memory.nodes.incident.is_some() {
        let down = memory.nodes.down.keys();
        let wrong = Wrong::Nodes {
            number: Number::of(&memory.nodes),
            names: Names::of(down.map(|node| wording::name(node)), NAMED),
            with,
        };
        open.push((Topic::Nodes, wrong));
    } else if let Some(with) = with {
        open.push((Topic::Nodes, Wrong::OsdsOfNodes(with)));
    }
    if memory.osds.incident.is_some() {
        let down = &memory.osds.down;
        let few = down.len() <= NAMED;
        let wrong = Wrong::Osds {
            number: Number::of(&memory.osds),
            place: wording::place(down.values().map(|osd| &osd.what), NAMED),
            ids: down.keys().copied().filter(|_| few).collect(),
        };
        open.push((Topic::Osds, wrong));
    }
    if memory.health.incident.is_some() {
        let down = &memory.health.down;
        let (errors, warnings) = count(down.values());
        let wrong = Wrong::Health {
            errors,
            warnings,
            codes: Names::of(down.keys().map(|code| wording::name(code)), NAMED),
        };
        open.push((Topic::Health, wrong));
    }
    if memory.blind.incident.is_some() {
        let unseen = memory.blind.down.keys().copied();
        open.push((Topic::Blind, Wrong::Blind(unseen.collect())));
    }
    open
}

/// How many errors and warnings.
fn count<'a>(down: impl Iterator<Item = &'a Down<HealthCheck>>) -> (usize, usize) {
    let (errors, warnings): (Vec<_>, Vec<_>) =
        down.partition(|down| down.what.severity == HealthSeverity::Error);
    (errors.len(), warnings.len())
}
