//! What incidents are called where several nodes share one memory: made of that memory and of what is told, not of a clock
//! or a node. Pure.
//!
//! In a partition two nodes may go on from the same memory. What both of them tell bears the same `Message-ID`, so that a
//! mailbox keeps one of the two mails; what only one of them sees bears an id of its own, so that none takes it for the
//! other's.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::{Memory, Report, Topic};
use crate::incident::{Change, Incident, Kind, Raise};

/// How the incidents of a shared memory are counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// Tells this memory from one that is begun anew on the same cluster: milliseconds since 1970.
    pub memory: i64,
    /// How many incidents there have been of each topic: what one of two nodes alone has seen of one topic is not to give other
    /// names to what both see of another.
    pub incidents: BTreeMap<Topic, u64>,
}

impl Names {
    /// Begins to count.
    pub fn beginning(now: Timestamp) -> Self {
        Names {
            memory: now.as_millisecond(),
            incidents: BTreeMap::new(),
        }
    }
}

/// Gives each incident that begins in this pass its name, where names come from the memory.
pub fn name_incidents(memory: &mut Memory, raised: &mut [Raise<Report>]) {
    let Some(mut names) = memory.names.take() else {
        return;
    };
    for raise in raised {
        if raise.kind != Kind::Raised || raise.sequence != 0 {
            continue;
        }
        let topic = raise.report.topic();
        let number = names.incidents.entry(topic).or_default();
        *number = number.saturating_add(1);
        let digest = Digest::of(&raise.report).with(names.memory);
        let name = format!("{topic}-{number}-{digest:08x}");
        if let Some(incident) = incident_called(memory, &raise.incident) {
            incident.id.clone_from(&name);
        }
        raise.incident = name;
    }
    memory.names = Some(names);
}

fn incident_called<'a>(memory: &'a mut Memory, id: &str) -> Option<&'a mut Incident> {
    let open = memory.incidents_mut().into_iter().flatten();
    open.into_iter().find(|incident| incident.id == id)
}

/// What tells an alert from another one with the same number in the same incident: 0 where nothing has to, for the incidents
/// of one node are its own, and the first alert is told by its incident's name.
pub fn mark(memory: &Memory, sequence: u32, report: &Report) -> u32 {
    match memory.names {
        Some(_) if sequence > 0 => Digest::of(report).0.finalize(),
        _ => 0,
    }
}

/// CRC-32 of what is new in a report, what is over and whether all is.
struct Digest(crc32fast::Hasher);

impl Digest {
    fn of(report: &Report) -> Self {
        let mut digest = Digest(crc32fast::Hasher::new());
        match report {
            Report::Capacity(reading) => digest.take(format_args!("{:?}", reading.level)),
            Report::Nodes(change) => digest.take_news(change),
            Report::Osds(change) => digest.take_news(change),
            Report::Health(change) => digest.take_news(change),
            Report::Blind(change) => digest.take_news(change),
        }
        digest
    }

    fn with(mut self, memory: i64) -> u32 {
        self.take(format_args!("{memory}"));
        self.0.finalize()
    }

    fn take_news<K: fmt::Display, T>(&mut self, change: &Change<K, T>) {
        for item in &change.new {
            self.take(format_args!("{}", item.key));
        }
        for item in &change.over {
            self.take(format_args!("over {}", item.key));
        }
        if change.new.is_empty() && change.still.is_empty() {
            self.take(format_args!("all is well"));
        }
    }

    fn take(&mut self, what: fmt::Arguments<'_>) {
        // Writing into a hasher can't fail.
        let _ = self.write_fmt(what);
        self.0.update(b"\n");
    }
}

impl fmt::Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::alert::{Alert, Observed, Rules, judge_pass};
    use crate::facts::{Absence, Membership, Presence};
    use crate::queue::MailId;
    use crate::settings::{Checks, Notify};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_402_440 + second).unwrap()
    }

    /// A pass that sees these nodes down, of five.
    fn pass(memory: &Memory, down: &[&str], second: i64) -> (Memory, Vec<Alert>) {
        let (checks, notify) = (Checks::default(), Notify::default());
        let rules = Rules {
            checks: &checks,
            notify: &notify,
            nodes_prefix: "PetaSAN/Nodes/",
            cluster: "prod",
        };
        let nodes = ["node1", "node2", "node3", "node4", "node5"].map(|node| {
            let presence = match down.contains(&node) {
                true => Presence::Down(Absence::Failed),
                false => Presence::Alive,
            };
            (node.to_owned(), presence)
        });
        let observed = Observed {
            nodes: Some(Ok(Membership {
                nodes: nodes.into(),
                unreadable: BTreeMap::new(),
                leaderless: None,
            })),
            ..Observed::default()
        };
        let verdict = judge_pass(memory.clone(), observed, rules, at(second));
        (verdict.memory, verdict.alerts)
    }

    fn ids(alerts: &[Alert]) -> Vec<MailId> {
        let to = "ops@example.org".parse().unwrap();
        alerts
            .iter()
            .map(|a| MailId::of_alert(a, Some(&to)))
            .collect()
    }

    fn shared() -> Memory {
        Memory {
            names: Some(Names {
                memory: 1_795_402_440_000,
                incidents: BTreeMap::from([(Topic::Nodes, 7)]),
            }),
            ..Memory::default()
        }
    }

    #[test]
    fn two_nodes_that_go_on_from_one_memory_call_what_both_see_the_same() {
        let memory = shared();
        let (one, told) = pass(&memory, &["node4", "node5"], 0);
        let (_, other) = pass(&memory, &["node4", "node5"], 35);
        assert_eq!(ids(&told), ids(&other));
        assert_eq!(told[0].incident, "nodes-8-f2acff90");
        assert_eq!(one.nodes.incident.as_ref().unwrap().id, told[0].incident);
        // A further alert of the same incident.
        let (two, told) = pass(&one, &["node3", "node4", "node5"], 60);
        let (_, other) = pass(&one, &["node3", "node4", "node5"], 99);
        assert_eq!((told.len(), ids(&told)), (1, ids(&other)));
        // And its end.
        let (_, told) = pass(&two, &[], 120);
        let (_, other) = pass(&two, &[], 121);
        assert_eq!((told.len(), ids(&told)), (1, ids(&other)));
        assert_eq!(told[0].kind, Kind::Cleared);
    }

    #[test]
    fn what_one_has_told_of_something_else_changes_no_name() {
        let mut busy = shared();
        let names = busy.names.as_mut().unwrap();
        names.incidents.insert(Topic::Osds, 3);
        let (_, told) = pass(&shared(), &["node4"], 0);
        let (after, other) = pass(&busy, &["node4"], 0);
        assert_eq!(ids(&told), ids(&other));
        let counted = BTreeMap::from([(Topic::Nodes, 8), (Topic::Osds, 3)]);
        assert_eq!(after.names.unwrap().incidents, counted);
    }

    #[test]
    fn what_only_one_of_them_sees_is_not_taken_for_the_others() {
        let memory = shared();
        let (one, told) = pass(&memory, &["node4", "node5"], 0);
        let (_, other) = pass(&memory, &["node1"], 0);
        assert_ne!(told[0].incident, other[0].incident);
        let (_, told) = pass(&one, &["node3", "node4", "node5"], 60);
        let (_, other) = pass(&one, &["node1", "node4", "node5"], 60);
        assert_eq!(told[0].incident, other[0].incident);
        assert_ne!(ids(&told), ids(&other));
        // Nor is an end that tells less, or a reminder with the number of an end.
        let mut less = one.clone();
        less.nodes.down.remove("node5");
        let end = |memory| ids(&pass(memory, &[], 60).1);
        assert_ne!(end(&one), end(&less));
        let mut change = one.nodes.as_news();
        change.still = std::mem::take(&mut change.new);
        let reminder = Report::Nodes(change.clone());
        change.still.clear();
        assert_ne!(
            mark(&one, 1, &reminder),
            mark(&one, 1, &Report::Nodes(change))
        );
        // The same once more is another incident, also after a memory begun anew.
        let (over, _) = pass(&one, &[], 60);
        let (_, again) = pass(&over, &["node4", "node5"], 120);
        assert!(
            again[0].incident.starts_with("nodes-9-"),
            "{}",
            again[0].incident
        );
        let anew = Memory {
            names: Some(Names {
                memory: 1_795_402_441_000,
                incidents: BTreeMap::from([(Topic::Nodes, 7)]),
            }),
            ..Memory::default()
        };
        let (_, anew) = pass(&anew, &["node4", "node5"], 0);
        assert_ne!(
            anew[0].incident,
            pass(&memory, &["node4", "node5"], 0).1[0].incident
        );
    }

    #[test]
    fn the_incidents_of_a_node_alone_are_called_after_its_clock() {
        let (_, told) = pass(&Memory::default(), &["node4"], 0);
        assert_eq!(told[0].incident, "nodes-20261123T025400.000Z");
        assert_eq!(told[0].circumstances.mark, 0);
    }
}
