//! Who has been told of an incident, and how serious it has been: so that its end reaches those who were told, and nobody
//! else. Pure.

use std::collections::{BTreeMap, BTreeSet};

use lettre::Address;
use serde::{Deserialize, Serialize};

use crate::incident::{Incident, Kind};
use crate::severity::Severity;

/// What is remembered of those who are told, by the id of the incident. There are as many as incidents are open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Audiences(BTreeMap<String, Audience>);

/// Those who are told of one incident.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audience {
    /// The most serious alert so far.
    #[serde(skip_serializing_if = "Severity::is_least")]
    reached: Severity,
    /// Those for whom a mail about it was queued. `None`: it began before this was remembered, so everybody counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    told: Option<BTreeSet<Address>>,
}

impl Audiences {
    /// Whether no incident is open.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of the incidents that are open; the others are forgotten.
    pub fn of_open(mut self, incidents: &[Option<&Incident>]) -> Self {
        let is_open = |id: &str| incidents.iter().flatten().any(|open| open.id == id);
        self.0.retain(|id, _| is_open(id));
        self
    }

    /// Takes up an alert whose report is so serious, and says how serious the alert is: whoever was told of an incident is to
    /// hear of its end, so that is as serious as the incident has been.
    pub fn reach(&mut self, incident: &str, kind: Kind, severity: Severity) -> Severity {
        let audience = self
            .0
            .entry(incident.to_owned())
            .or_insert_with(|| Audience {
                reached: severity,
                told: (kind == Kind::Raised).then(BTreeSet::new),
            });
        audience.reached = audience.reached.max(severity);
        match kind {
            Kind::Raised | Kind::Updated | Kind::Reminder => severity,
            Kind::Cleared => audience.reached,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_as_serious_as_the_incident_has_been() {
        use Kind::{Cleared, Raised, Reminder, Updated};
        use Severity::{Critical, Warning};
        // What each alert calls wrong, and how serious the alert is.
        let cases: &[&[(Kind, Severity, Severity)]] = &[
            &[(Raised, Warning, Warning), (Cleared, Warning, Warning)],
            &[(Raised, Critical, Critical), (Cleared, Warning, Critical)],
            &[
                (Raised, Warning, Warning),
                (Updated, Critical, Critical),
                (Reminder, Warning, Warning),
                (Cleared, Warning, Critical),
            ],
            // It began before severity was remembered.
            &[(Cleared, Warning, Warning)],
        ];
        for alerts in cases {
            let mut audiences = Audiences::default();
            for (kind, severity, expected) in *alerts {
                let found = audiences.reach("nodes-0", *kind, *severity);
                assert_eq!(found, *expected, "{alerts:?}");
            }
        }
    }
}
