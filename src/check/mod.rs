//! The checks: facts in, what is wrong out. No clock, no file, no socket.

pub mod capacity;
pub mod growth;
pub mod health;
pub mod nodes;
pub mod osds;
pub mod sight;

use std::fmt;

use serde::{Deserialize, Serialize};

/// The things that are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckName {
    /// How full the storage is.
    Capacity,
    /// Which nodes are gone.
    Nodes,
    /// Which OSDs are down.
    Osds,
    /// What Ceph itself finds wrong. Off unless the configuration turns it on.
    Health,
}

impl CheckName {
    /// All of them, in the order in which they are reported.
    pub const ALL: [CheckName; 4] = [
        CheckName::Capacity,
        CheckName::Nodes,
        CheckName::Osds,
        CheckName::Health,
    ];

    /// The name in the configuration, in JSON and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            CheckName::Capacity => "capacity",
            CheckName::Nodes => "nodes",
            CheckName::Osds => "osds",
            CheckName::Health => "health",
        }
    }

    /// The check of this name.
    pub fn named(name: &str) -> Option<Self> {
        CheckName::ALL
            .into_iter()
            .find(|check| check.as_str() == name)
    }
}

impl fmt::Display for CheckName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
