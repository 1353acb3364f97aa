//! How it stands with what an alert is not about: what else is wrong, and what was last known of what can't be seen. Values,
//! for they wait in the queue until they are worded; bounded, however large the cluster is. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::alert::{Memory, Topic, Withheld};
use crate::check::CheckName;
use crate::check::capacity::Reading;
use crate::check::sight::Unseen;
use crate::facts::{HealthCheck, HealthSeverity, OsdId};
use crate::incident::{Ack, Down, Watch};
use crate::settings::{Checks, Hold};
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
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty() && self.more == 0
    }

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

/// What a check found, or what was last known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Known {
    /// As it is.
    Found(Found),
    /// In the words of a release that kept no more than these.
    Text(String),
}

/// What a check found, in brief.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// How full the storage is.
    Storage(Reading),
    /// Which nodes are down.
    Nodes(Tally),
    /// Which OSDs are down.
    Osds(Tally),
    /// What Ceph itself finds wrong.
    Health {
        /// How many errors.
        errors: usize,
        /// How many warnings.
        warnings: usize,
        /// The codes, errors first.
        codes: Names,
        /// What Ceph reports beside that and does not count.
        left_out: Names,
        /// Those of which nobody has been told.
        untold: Untold,
    },
}

/// How many of all are down, and which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// All there are.
    pub total: usize,
    /// Those that are wrong.
    pub number: Number,
    /// Which they are; only the first ones.
    pub things: Vec<Thing>,
    /// How many more there are.
    pub more: usize,
    /// Those that are down with nodes.
    pub with: Option<WithNodes>,
    /// Those of which nobody has been told.
    pub untold: Untold,
}

/// A thing that is down or flaps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thing {
    /// Its name, made harmless.
    pub name: String,
    /// Where an OSD is.
    pub at: Option<At>,
    /// Whether it goes down and up again and again.
    pub flapping: bool,
}

/// Where an OSD is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// On this host.
    Host(String),
    /// On no host.
    NoHost,
    /// In no CRUSH bucket.
    Stray,
}

/// What is down and has not been told, and why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Untold {
    /// How many; `early` are those that have not been down for long enough to count.
    pub withheld: Withheld,
    /// Passes in a row from which on a thing counts.
    pub passes: u32,
    /// How long it must be down to count, in seconds.
    pub seconds: Option<u64>,
}

impl Untold {
    fn of<K, T>(watch: &Watch<K, T>, withheld: Withheld, hold: Hold) -> Self {
        Untold {
            withheld: Withheld {
                early: wording::uncounted(watch, withheld),
                ..withheld
            },
            passes: hold.passes,
            seconds: hold.time.map(|time| time.as_secs()),
        }
    }
}

/// What is to be known of a pass beside what is remembered anyway, so that it can be told later what it found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Basis {
    /// All nodes or OSDs.
    pub total: usize,
    /// Those that are down and have not been told.
    #[serde(skip_serializing_if = "Withheld::is_nothing")]
    pub withheld: Withheld,
    /// The codes of what Ceph reports and does not count.
    #[serde(skip_serializing_if = "Names::is_empty")]
    pub left_out: Names,
}

impl Basis {
    /// That of a check of nodes or OSDs.
    pub fn of(total: usize, withheld: Withheld) -> Self {
        Basis {
            total,
            withheld,
            left_out: Names::default(),
        }
    }

    /// That of the check of Ceph's health.
    pub fn of_health(left_out: &BTreeSet<String>, withheld: Withheld) -> Self {
        let codes = left_out.iter().map(|code| wording::name(code));
        Basis {
            left_out: Names::of(codes, NAMED),
            ..Basis::of(0, withheld)
        }
    }
}

/// What a check found when it last could be carried out, for nothing of it has changed in `memory` since; `None` where that
/// is not known.
pub fn found(memory: &Memory, check: CheckName, basis: &Basis, checks: &Checks) -> Option<Found> {
    let withheld = basis.withheld;
    Some(match check {
        CheckName::Capacity => Found::Storage(memory.capacity.last?),
        CheckName::Nodes => {
            let watch = &memory.nodes;
            let things = watch.down.iter().map(|(node, down)| Thing {
                name: wording::name(node),
                at: None,
                flapping: down.flaps().is_some(),
            });
            Found::Nodes(Tally {
                total: basis.total,
                number: Number::of(watch),
                more: things.len().saturating_sub(NAMED),
                things: things.take(NAMED).collect(),
                with: None,
                untold: Untold::of(watch, withheld, checks.nodes?),
            })
        }
        CheckName::Osds => {
            let watch = &memory.osds;
            let down = memory.osds_down();
            let things = down.iter().map(|(id, osd)| Thing {
                name: id.to_string(),
                at: Some(match &osd.what.host {
                    Some(host) => At::Host(wording::name(host)),
                    None if osd.what.stray => At::Stray,
                    None => At::NoHost,
                }),
                flapping: osd.flaps().is_some(),
            });
            Found::Osds(Tally {
                total: basis.total,
                number: Number {
                    down: watch.down_now() + memory.osds_with_nodes.len(),
                    flapping: watch.flapping(),
                },
                more: things.len().saturating_sub(NAMED),
                things: things.take(NAMED).collect(),
                with: WithNodes::of(memory),
                untold: Untold::of(watch, withheld, checks.osds?),
            })
        }
        CheckName::Health => {
            let watch = &memory.health;
            let (errors, warnings) = count(watch.down.values());
            let codes = wording::health::worst_first(watch).into_iter();
            Found::Health {
                errors,
                warnings,
                codes: Names::of(codes.map(|code| wording::name(code)), NAMED),
                left_out: basis.left_out.clone(),
                untold: Untold::of(watch, withheld, checks.health.as_ref()?.hold),
            }
        }
    })
}
