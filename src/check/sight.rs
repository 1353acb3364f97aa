//! What cannot be seen: checks that could not be carried out, and a Consul that has lost its head.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::CheckName;
use crate::facts::{Absence, Presence};
use crate::wording;

/// What cannot be seen, or not be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Unseen {
    /// A check could not be carried out.
    Check(CheckName),
    /// Consul's servers have no leader: what they know of the nodes is old, and nothing can be changed.
    Leader,
}

impl Unseen {
    /// The check whose recipients rely on it.
    pub fn concerns(self) -> CheckName {
        match self {
            Unseen::Check(check) => check,
            Unseen::Leader => CheckName::Nodes,
        }
    }

    /// The check, unless it is something else.
    pub fn check(self) -> Option<CheckName> {
        match self {
            Unseen::Check(check) => Some(check),
            Unseen::Leader => None,
        }
    }
}

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Unseen::Check(check) => check.as_str(),
            Unseen::Leader => "leader",
        })
    }
}

impl From<Unseen> for String {
    fn from(unseen: Unseen) -> String {
        unseen.to_string()
    }
}

impl TryFrom<String> for Unseen {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        let checks = CheckName::ALL.into_iter().map(Unseen::Check);
        let mut all = checks.chain([Unseen::Leader]);
        all.find(|unseen| unseen.to_string() == word)
            .ok_or_else(|| format!("nothing is called {word:?} that could be unseen"))
    }
}

/// What the gossip tells of servers that have no leader: `2 of 3 servers are gone: node2 (failed), node3 (left)`
pub fn servers_in_words(servers: &BTreeMap<String, Presence>) -> String {
    const NAMED: usize = 5;
    let gone: Vec<(&String, Absence)> = servers
        .iter()
        .filter_map(|(name, presence)| match presence {
            Presence::Alive => None,
            Presence::Down(absence) => Some((name, *absence)),
        })
        .collect();
    let all = wording::count(servers.len(), "server");
    if servers.is_empty() {
        return "this agent knows none of its servers".to_owned();
    }
    if gone.is_empty() {
        return format!("{all} known, none of them seen gone");
    }
    let are = if gone.len() == 1 { "is" } else { "are" };
    let names = gone.iter();
    let names = names.map(|(name, absence)| format!("{} ({absence})", wording::name(name)));
    format!(
        "{} of {all} {are} gone: {}",
        gone.len(),
        wording::list_first(names, NAMED)
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_unseen_is_read_by_its_name() {
        let all = CheckName::ALL.into_iter().map(Unseen::Check);
        for unseen in all.chain([Unseen::Leader]) {
            let text = serde_json::to_string(&unseen).unwrap();
            assert_eq!(text, format!("\"{unseen}\""));
            assert_eq!(serde_json::from_str::<Unseen>(&text).unwrap(), unseen);
        }
        assert!(serde_json::from_str::<Unseen>("\"x\"").is_err());
    }

    #[test]
    fn the_servers_that_are_gone_are_named() {
        let told = |servers: &[(&str, Presence)]| {
            let servers = servers.iter();
            let servers = servers.map(|(name, presence)| ((*name).to_owned(), *presence));
            servers_in_words(&servers.collect())
        };
        let (alive, failed) = (Presence::Alive, Presence::Down(Absence::Failed));
        let left = Presence::Down(Absence::Left);
        for (servers, expected) in [
            (&[][..], "this agent knows none of its servers"),
            (
                &[("a", alive), ("b", alive)],
                "2 servers known, none of them seen gone",
            ),
            (
                &[("a", alive), ("b", failed)],
                "1 of 2 servers is gone: b (failed)",
            ),
            (
                &[("a", alive), ("b", failed), ("c", left)],
                "2 of 3 servers are gone: b (failed), c (left)",
            ),
        ] {
            assert_eq!(told(servers), expected);
        }
    }
}
