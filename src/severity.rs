//! How serious an alert is: what decides whom it reaches, and whether it may come by night. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::alert::Report;
use crate::check::capacity::Level;
use crate::facts::{DownOsd, HealthSeverity};

/// Nodes that are down at once, from which on an alert is critical: with two gone, what is kept in two copies may be out of
/// reach, and Consul as well as the monitors, of which there are three on most clusters, have lost their majority.
const CRITICAL_NODES: usize = 2;

/// Hosts with OSDs that are down at once, from which on an alert is critical: copies lie on different hosts, so failures
/// within one host cost any data one copy at most.
const CRITICAL_HOSTS: usize = 2;

/// How serious an alert is; the more serious is the greater.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Can wait until the morning: what failed is made up for.
    #[default]
    Warning,
    /// Data may be out of reach or soon be, or nobody can tell.
    Critical,
}

impl Severity {
    /// The name in the configuration and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }

    /// Whether it is the least severity there is, which need not be written down.
    pub fn is_least(&self) -> bool {
        *self == Severity::default()
    }
}

/// How serious the things are that a report calls wrong now. What is over does not count.
pub fn of(report: &Report) -> Severity {
    let is_critical = match report {
        Report::Capacity(reading) => reading.level == Level::Critical,
        Report::Nodes(change) => change.new.len() + change.still.len() >= CRITICAL_NODES,
        Report::Osds(change) => {
            let down = change.new.iter().chain(&change.still);
            are_spread(down.map(|item| &item.what))
        }
        // What Ceph itself calls an error: data are damaged, full or out of reach.
        Report::Health(change) => {
            let mut wrong = change.new.iter().chain(&change.still);
            wrong.any(|item| item.what.severity == HealthSeverity::Error)
        }
        // Whatever happens meanwhile, nobody would hear of it.
        Report::Blind(change) => !change.new.is_empty() || !change.still.is_empty(),
    };
    match is_critical {
        true => Severity::Critical,
        false => Severity::Warning,
    }
}

/// Whether OSDs that are down are on so many hosts that copies of the same data may be among them.
pub fn are_spread<'a>(down: impl Iterator<Item = &'a DownOsd>) -> bool {
    // Ceph has given up one that is out, and copies its data elsewhere.
    let counting = down.filter(|osd| !osd.out);
    let hosts: BTreeSet<_> = counting.map(|osd| &osd.host).collect();
    hosts.len() >= CRITICAL_HOSTS
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::Severity::{Critical, Warning};
    use super::*;
    use crate::check::CheckName;
    use crate::check::capacity::Reading;
    use crate::check::sight::Unseen;
    use crate::facts::{Absence, HealthCheck, OsdId};
    use crate::incident::{Change, Ending, Item, Over, OverItem};

    fn items<K, T>(things: Vec<(K, T)>) -> Vec<Item<K, T>> {
        let item = |(key, what)| Item {
            key,
            since: jiff::Timestamp::UNIX_EPOCH,
            flapping: None,
            what,
        };
        things.into_iter().map(item).collect()
    }

    fn nodes(new: &[&str], still: &[&str]) -> Report {
        let down = |names: &[&str]| {
            let down = names
                .iter()
                .map(|name| ((*name).to_owned(), Absence::Failed));
            items(down.collect())
        };
        Report::Nodes(Change {
            new: down(new),
            still: down(still),
            over: Vec::new(),
        })
    }

    /// Each OSD as its host, and whether it is out.
    fn osds(new: &[(&str, bool)], still: &[(&str, bool)]) -> Report {
        let down = |hosts: &[(&str, bool)]| {
            let down = (0..).zip(hosts).map(|(id, (host, out))| {
                let osd = DownOsd {
                    host: (!host.is_empty()).then(|| (*host).to_owned()),
                    status: "down".to_owned(),
                    out: *out,
                    stray: host.is_empty(),
                };
                (OsdId(id), osd)
            });
            items(down.collect())
        };
        Report::Osds(Change {
            new: down(new),
            still: down(still),
            over: Vec::new(),
        })
    }

    fn capacity(level: Level) -> Report {
        Report::Capacity(Reading {
            level,
            percent: 70.0,
            used_bytes: 70,
            total_bytes: 100,
            warn_percent: 60.0,
            critical_percent: 85.0,
        })
    }

    #[test]
    fn one_failure_can_wait_and_two_that_share_data_cannot() {
        let was = OverItem {
            key: "node1".to_owned(),
            was: Over {
                since: jiff::Timestamp::UNIX_EPOCH,
                until: jiff::Timestamp::UNIX_EPOCH,
                flapping: None,
                ending: Ending::Recovered,
                what: Absence::Failed,
            },
        };
        let one_of_two = Report::Nodes(Change {
            new: Vec::new(),
            still: items(vec![("node2".to_owned(), Absence::Failed)]),
            over: vec![was],
        });
        let blind = |new: &[CheckName], still: &[CheckName]| {
            let unseen = |checks: &[CheckName]| {
                let unseen = checks.iter().map(|check| Unseen::Check(*check));
                items(unseen.map(|unseen| (unseen, String::new())).collect())
            };
            Report::Blind(Change {
                new: unseen(new),
                still: unseen(still),
                over: Vec::new(),
            })
        };
        let health = |severities: &[HealthSeverity]| {
            let checks = severities.iter().map(|&severity| {
                let summary = String::new();
                (format!("{severity}"), HealthCheck { severity, summary })
            });
            Report::Health(Change {
                new: Vec::new(),
                still: items(checks.collect()),
                over: Vec::new(),
            })
        };
        for (report, expected) in [
            (capacity(Level::Ok), Warning),
            (capacity(Level::Warn), Warning),
            (capacity(Level::Critical), Critical),
            (nodes(&[], &[]), Warning),
            (nodes(&["node1"], &[]), Warning),
            (nodes(&["node1", "node2"], &[]), Critical),
            (nodes(&["node1"], &["node2"]), Critical),
            (nodes(&[], &["node1", "node2"]), Critical),
            (one_of_two, Warning),
            (osds(&[("a", false)], &[]), Warning),
            (osds(&[("a", false); 24], &[]), Warning),
            (osds(&[("a", false), ("b", false)], &[]), Critical),
            (osds(&[("a", false)], &[("b", false)]), Critical),
            (osds(&[("a", false)], &[("b", true)]), Warning),
            (osds(&[("a", true)], &[("b", true)]), Warning),
            // Where a stray one lies nobody knows.
            (osds(&[("a", false), ("", false)], &[]), Critical),
            (health(&[HealthSeverity::Warning]), Warning),
            (
                health(&[HealthSeverity::Warning, HealthSeverity::Error]),
                Critical,
            ),
            (blind(&[CheckName::Capacity], &[]), Critical),
            (blind(&[], &[CheckName::Osds]), Critical),
            (blind(&[], &[]), Warning),
        ] {
            assert_eq!(of(&report), expected, "{report:?}");
        }
        assert!(Warning < Critical);
    }
}
