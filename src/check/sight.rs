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

/// So many servers that are gone are named.
const NAMED: usize = 5;

/// What the gossip tells of servers that have no leader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Servers {
    /// How many the agent knows.
    pub known: u32,
    /// How many of them are gone.
    pub gone: u32,
    /// Some of those, five at most.
    pub named: BTreeMap<String, Absence>,
}

impl Servers {
    /// What is to be told of these servers.
    pub fn of(servers: &BTreeMap<String, Presence>) -> Self {
        let gone = || {
            servers
                .iter()
                .filter_map(|(name, presence)| match presence {
                    Presence::Alive => None,
                    Presence::Down(absence) => Some((name.clone(), *absence)),
                })
        };
        let number = |servers: usize| u32::try_from(servers).unwrap_or(u32::MAX);
        Servers {
            known: number(servers.len()),
            gone: number(gone().count()),
            named: gone().take(NAMED).collect(),
        }
    }

    /// How many are gone that are not named.
    pub fn unnamed(&self) -> usize {
        (self.gone as usize).saturating_sub(self.named.len())
    }
}

impl fmt::Display for Servers {
    /// `2 of 3 servers are gone: node2 (failed), node3 (left)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = wording::count(self.known as usize, "server");
        match (self.known, self.gone) {
            (0, _) => return f.write_str("this agent knows none of its servers"),
            (_, 0) => return write!(f, "{known} known, none of them seen gone"),
            (_, 1) => write!(f, "1 of {known} is gone: ")?,
            (_, gone) => write!(f, "{gone} of {known} are gone: ")?,
        }
        let names = self.named.iter();
        let names = names.map(|(name, absence)| format!("{} ({absence})", wording::name(name)));
        f.write_str(&Vec::from_iter(names).join(", "))?;
        match self.unnamed() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
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
            Servers::of(&servers.collect()).to_string()
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
            (
                &["a", "b", "c", "d", "e", "f", "g"].map(|name| (name, left)),
                "7 of 7 servers are gone: a (left), b (left), c (left), d (left), e (left) and 2 more",
            ),
        ] {
            assert_eq!(told(servers), expected);
        }
    }
}
