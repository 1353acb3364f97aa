//! What was seen of the cluster: plain values, made by the edges (`ceph`, `consul`), judged by `check`.
//!
//! Nothing here decides anything, and nothing here knows a file, a process or a socket.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

/// What `ceph status` says about the space of the whole cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Raw bytes in use (`pgmap.bytes_used`).
    pub used_bytes: u64,
    /// Raw bytes in all (`pgmap.bytes_total`); 0 until an OSD has ever reported.
    pub total_bytes: u64,
    /// Whether a manager is active (`mgrmap.available`); without one the figures are stale.
    pub mgr_available: bool,
}

/// What `ceph status` says of the cluster, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterStatus {
    /// How full the storage is.
    pub usage: Usage,
    /// What the admins have told Ceph to leave alone.
    pub maintenance: Maintenance,
}

/// What the admins have told Ceph to leave alone, while they work on the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Maintenance {
    /// The flags that are set for all OSDs (`health.checks.OSDMAP_FLAGS`).
    pub flags: BTreeSet<Flag>,
    /// How many OSDs, CRUSH nodes and device classes have such a flag of their own (`health.checks.OSD_FLAGS`); which ones,
    /// `ceph status` does not say.
    pub flagged: u32,
    /// The health checks that are muted (`health.mutes`), at most 20 of them; Ceph 14.2 has no mutes.
    pub mutes: BTreeSet<String>,
}

/// A flag of the OSD map that stands for work on the cluster: those that only stop scrubbing or snapshot trimming do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flag {
    /// OSDs that are down are not taken out, so no data is moved because of them.
    Noout,
    /// OSDs are not marked down.
    Nodown,
    /// OSDs that start are not marked up.
    Noup,
    /// OSDs that start are not taken in.
    Noin,
    /// No data is moved to even it out.
    Norebalance,
    /// No data is copied to where it belongs.
    Nobackfill,
    /// Lost copies are not restored.
    Norecover,
    /// Clients can't read (`pauserd`).
    Pauserd,
    /// Clients can't write (`pausewr`).
    Pausewr,
}

impl Flag {
    /// All of them, the most telling first.
    pub const ALL: [Flag; 9] = [
        Flag::Noout,
        Flag::Nodown,
        Flag::Noup,
        Flag::Noin,
        Flag::Norebalance,
        Flag::Nobackfill,
        Flag::Norecover,
        Flag::Pauserd,
        Flag::Pausewr,
    ];

    /// As Ceph writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Flag::Noout => "noout",
            Flag::Nodown => "nodown",
            Flag::Noup => "noup",
            Flag::Noin => "noin",
            Flag::Norebalance => "norebalance",
            Flag::Nobackfill => "nobackfill",
            Flag::Norecover => "norecover",
            Flag::Pauserd => "pauserd",
            Flag::Pausewr => "pausewr",
        }
    }
}

/// What `ceph status` says about Ceph's own health.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// What it finds wrong (`health.checks`), by code, e.g. `PG_DAMAGED`; muted or not.
    pub checks: BTreeMap<String, HealthCheck>,
    /// The codes that an admin has muted (`ceph health mute`).
    pub muted: BTreeSet<String>,
}

/// One thing that Ceph finds wrong.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    /// How bad it is.
    pub severity: HealthSeverity,
    /// In Ceph's words, in one line; often with a number that changes.
    pub summary: String,
}

/// How bad Ceph finds something; the worse is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthSeverity {
    /// `HEALTH_WARN`
    Warning,
    /// `HEALTH_ERR`
    Error,
}

impl fmt::Display for HealthSeverity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            HealthSeverity::Warning => "warning",
            HealthSeverity::Error => "error",
        })
    }
}

/// The number of an OSD, written `osd.4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OsdId(pub i64);

impl fmt::Display for OsdId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "osd.{}", self.0)
    }
}

/// What `ceph osd tree` says about all OSDs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OsdTree {
    /// The OSDs whose status is `up`.
    pub up: BTreeSet<OsdId>,
    /// All others, whatever their status is.
    pub down: BTreeMap<OsdId, DownOsd>,
    /// The buckets of type `host`, by name; empty where all OSDs are up, for then nobody asks.
    pub hosts: BTreeMap<String, Host>,
}

/// A CRUSH host that holds OSDs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// How many of its OSDs are up.
    pub up: u32,
    /// The bucket of type `rack` that holds it; `None` where no rack is above it.
    pub rack: Option<String>,
}

/// An OSD that is not up.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DownOsd {
    /// The bucket of type `host` that holds it; `None` for a stray one, or where no host is above it.
    pub host: Option<String>,
    /// Its `status`: `down`, `destroyed`, or a word of a later release.
    pub status: String,
    /// Out of data placement (`reweight` is 0).
    pub out: bool,
    /// No CRUSH bucket holds it.
    pub stray: bool,
}

/// What the monitors have found about each other's clocks (`ceph time-sync-status`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MonitorClocks {
    /// How many seconds each monitor's clock is ahead of the leading monitor's, by name. Empty where there is only one.
    pub skew_seconds: BTreeMap<String, f64>,
    /// Those that are too far off for the monitors themselves (`mon_clock_drift_allowed`, 0.05 s).
    pub apart: Vec<String>,
}

/// What Consul says about the nodes of the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Membership {
    /// The nodes listed below `PetaSAN/Nodes/`, by name.
    pub nodes: BTreeMap<String, Presence>,
    /// Keys below the prefix whose value could not be read, each with the reason. The last part of the key is the node's
    /// name on a PetaSAN cluster.
    pub unreadable: BTreeMap<String, String>,
    /// Consul's servers, where they have no leader: then the list of nodes is what one of them knew last.
    pub leaderless: Option<BTreeMap<String, Presence>>,
}

/// What this agent's gossip knows of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// A member of that name is alive.
    Alive,
    /// No member of that name is alive.
    Down(Absence),
}

/// Why a node does not count as alive. Where several members bear the name, the most telling state wins: failed, leaving, left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Absence {
    /// The gossip lost it (`Status` 4): crashed, powered off or cut off.
    Failed,
    /// It is shutting its agent down (`Status` 2).
    Leaving,
    /// Its agent was shut down in an orderly way (`Status` 3).
    Left,
    /// Listed in the cluster, unknown to the gossip: never joined, or reaped 72 h after it failed.
    Missing,
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Absence::Failed => "failed",
            Absence::Leaving => "leaving",
            Absence::Left => "left",
            Absence::Missing => "not a member",
        })
    }
}
