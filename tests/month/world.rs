//! The simulated cluster: 20 hosts in 4 racks with 12 OSDs each. It is changed by what befalls it and shows what petanotify's
//! edges would see of it: facts, or why there are none.

use std::collections::{BTreeMap, BTreeSet};

use petanotify::alert::{Observed, Topic};
use petanotify::check::capacity::{Level, Limits};
use petanotify::facts::{
    Absence, DownOsd, Flag, Health, HealthCheck, HealthSeverity, Host, Maintenance, Membership,
    OsdId, OsdTree, Presence, Usage,
};

use serde_json::{Value, json};

use crate::chance::Chance;
use crate::reader::Thing;

pub(crate) const NODES: usize = 20;
pub(crate) const NODES_IN_RACK: usize = 5;
pub(crate) const OSDS_OF_NODE: usize = 12;

/// Where Consul's servers run.
pub(crate) const SERVERS: [usize; 3] = [0, 6, 12];

/// Raw size in bytes: 240 disks of 16 TB.
const TOTAL_BYTES: u64 = 240 * 16_000_000_000_000;

/// A down OSD is marked out after so many seconds (`mon_osd_down_out_interval`).
const OUT_AFTER: i64 = 600;

/// What Consul calls a node.
pub(crate) fn node_name(node: usize) -> String {
    match node {
        // Installed by hand, under its full name.
        17 => "node18.storage.example.org".to_owned(),
        _ => format!("node{:02}", node + 1),
    }
}

/// What CRUSH calls a node.
fn host_name(node: usize) -> String {
    match node {
        13 => "NODE14".to_owned(),
        _ => format!("node{:02}", node + 1),
    }
}

/// The node whose machine an OSD is in, also where no CRUSH bucket holds it.
pub(crate) fn node_of(osd: i64) -> usize {
    usize::try_from(osd).unwrap() / OSDS_OF_NODE
}

fn rack_name(node: usize) -> String {
    format!("rack{}", node / NODES_IN_RACK + 1)
}

/// The nodes of a rack, from 0 to 3.
pub(crate) fn rack(rack: usize) -> Vec<usize> {
    (rack * NODES_IN_RACK..(rack + 1) * NODES_IN_RACK).collect()
}

/// The OSDs that a node has in the beginning.
pub(crate) fn osds_of(node: usize) -> Vec<i64> {
    let first = node * OSDS_OF_NODE;
    (first..first + OSDS_OF_NODE)
        .map(|id| i64::try_from(id).unwrap())
        .collect()
}

/// Something that happens, at the second at which it can be seen.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// The OSD map has it down.
    OsdDown(i64),
    /// The OSD map has it up; an OSD that is new is added to this node.
    OsdUp(i64),
    /// `ceph osd destroy`: its id waits for a new disk.
    OsdDestroyed(i64),
    /// `ceph osd purge`: gone from the maps.
    OsdPurged(i64),
    /// `ceph osd crush rm`: in no bucket any more.
    OsdStray(i64),
    /// The gossip has it so.
    Node(usize, Presence),
    /// Whether Consul's servers have a leader.
    Leader(bool),
    /// Whether the `ceph` command gets an answer.
    Ceph(Answer),
    /// Whether a manager is active.
    Manager(bool),
    /// Whether the manager knows any figures.
    Figures(bool),
    /// How full the storage is from now on.
    Fill(Fill),
    /// `noout` set or not.
    NoOut(bool),
    /// Whether the mail server takes mails.
    Mail(bool),
    /// Whether petanotify's node runs.
    Running(bool),
    /// By how many seconds its clock is ahead.
    Clock(i64),
    /// What Ceph's health check of this code says; `None` is nothing.
    Health(&'static str, Option<HealthSeverity>),
    /// What an admin asks of petanotify.
    Admin(Admin),
}

/// What an admin does with petanotify.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Admin {
    /// `petanotify silence add --node`, for so many seconds.
    Silence(usize, i64),
    /// `petanotify ack`
    Acknowledge(Topic),
    /// `notify.remind_every`, in seconds.
    RemindEvery(Option<u64>),
    /// `checks.osds.hold_while_noout`, in seconds.
    HoldWhileNoOut(Option<u64>),
    /// Whether the recipient of disks has quiet hours.
    QuietHours(bool),
    /// Whether one more is to be told.
    Newcomer(bool),
    /// Whether Ceph's own health is told.
    Health(bool),
}

/// What the `ceph` command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It answers.
    Given,
    /// No monitor answers.
    TimedOut,
    /// It does not end, so petanotify ends it.
    Hung,
}

/// How full the storage is, in percent, between two seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fill {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// Up to so much more or less, anew in each pass.
    pub(crate) noise: f64,
}

impl Fill {
    fn at(&self, second: i64, chance: &mut Chance) -> f64 {
        let length = (self.end - self.start).max(1) as f64;
        let part = ((second - self.start) as f64 / length).clamp(0.0, 1.0);
        let noise = self.noise * (2.0 * chance.fraction() - 1.0);
        self.from + (self.to - self.from) * part + noise
    }
}

struct Osd {
    node: Option<usize>,
    /// Since when it is down.
    down: Option<i64>,
    destroyed: bool,
}

/// The cluster, petanotify's node and the mail server.
pub(crate) struct World {
    presence: BTreeMap<usize, Presence>,
    osds: BTreeMap<i64, Osd>,
    leader: bool,
    ceph: Answer,
    manager: bool,
    figures: bool,
    fill: Fill,
    /// As of the last view.
    used_bytes: u64,
    no_out: bool,
    health: BTreeMap<&'static str, HealthSeverity>,
    /// The nodes that are silenced, each with the end of that.
    silenced: BTreeMap<usize, i64>,
    hold_while_noout: bool,
    pub(crate) mail: bool,
    pub(crate) running: bool,
    pub(crate) clock: i64,
}

/// What is to be seen at a moment, by whoever asks.
pub(crate) struct View {
    pub(crate) observed: Observed,
    pub(crate) leader: bool,
}

impl World {
    pub(crate) fn new() -> Self {
        let osd = |id: i64| Osd {
            node: Some(node_of(id)),
            down: None,
            destroyed: false,
        };
        World {
            presence: (0..NODES).map(|node| (node, Presence::Alive)).collect(),
            osds: (0..NODES)
                .flat_map(osds_of)
                .map(|id| (id, osd(id)))
                .collect(),
            leader: true,
            ceph: Answer::Given,
            manager: true,
            figures: true,
            fill: Fill {
                start: 0,
                end: 1,
                from: 50.0,
                to: 50.0,
                noise: 0.05,
            },
            used_bytes: 0,
            no_out: false,
            health: BTreeMap::new(),
            silenced: BTreeMap::new(),
            hold_while_noout: false,
            mail: true,
            running: true,
            clock: 0,
        }
    }

    pub(crate) fn change(&mut self, at: i64, change: &Change) {
        match *change {
            Change::OsdDown(id) => {
                if let Some(osd) = self.osds.get_mut(&id) {
                    osd.down.get_or_insert(at);
                }
            }
            Change::OsdUp(id) => {
                let osd = Osd {
                    node: Some(node_of(id)),
                    down: None,
                    destroyed: false,
                };
                self.osds.insert(id, osd);
            }
            Change::OsdDestroyed(id) => {
                if let Some(osd) = self.osds.get_mut(&id) {
                    osd.destroyed = true;
                }
            }
            Change::OsdPurged(id) => {
                self.osds.remove(&id);
            }
            Change::OsdStray(id) => {
                if let Some(osd) = self.osds.get_mut(&id) {
                    osd.node = None;
                }
            }
            Change::Node(node, presence) => {
                if let Some(now) = self.presence.get_mut(&node) {
                    *now = presence;
                }
            }
            Change::Leader(leader) => self.leader = leader,
            Change::Ceph(answer) => self.ceph = answer,
            Change::Manager(active) => self.manager = active,
            Change::Figures(known) => self.figures = known,
            Change::Fill(fill) => self.fill = fill,
            Change::NoOut(set) => self.no_out = set,
            Change::Mail(takes) => self.mail = takes,
            Change::Running(running) => self.running = running,
            Change::Clock(ahead) => self.clock = ahead,
            Change::Health(code, Some(severity)) => {
                self.health.insert(code, severity);
            }
            Change::Health(code, None) => {
                self.health.remove(code);
            }
            Change::Admin(Admin::Silence(node, seconds)) => {
                self.silenced.insert(node, at + seconds + 60);
            }
            Change::Admin(Admin::HoldWhileNoOut(time)) => self.hold_while_noout = time.is_some(),
            Change::Admin(
                Admin::Acknowledge(_)
                | Admin::RemindEvery(_)
                | Admin::QuietHours(_)
                | Admin::Newcomer(_)
                | Admin::Health(_),
            ) => {}
        }
    }

    /// Whether all is well: no trace is left of anything that happened.
    pub(crate) fn is_well(&self) -> bool {
        self.presence.values().all(|p| *p == Presence::Alive)
            && self.osds.len() == NODES * OSDS_OF_NODE
            && self.osds.values().all(|osd| osd.down.is_none())
            && self.leader
            && self.ceph == Answer::Given
            && self.manager
            && self.figures
            && self.fill.to < 58.0
            && !self.no_out
            && self.health.is_empty()
            && self.mail
            && self.running
            && self.clock == 0
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(crate) fn view(&mut self, at: i64, chance: &mut Chance) -> View {
        let percent = self.fill.at(at, chance);
        self.used_bytes = (TOTAL_BYTES as f64 * percent / 100.0) as u64;
        let ceph = match self.ceph {
            Answer::Given => Ok(()),
            Answer::TimedOut => Err("ceph: exit 1: timed out".to_owned()),
            Answer::Hung => Err("ceph did not answer within 20 s".to_owned()),
        };
        View {
            observed: Observed {
                capacity: Some(ceph.clone().map(|()| self.usage())),
                nodes: Some(Ok(self.membership())),
                osds: Some(ceph.clone().map(|()| self.tree(at))),
                maintenance: ceph.clone().ok().map(|()| self.maintenance()),
                health: Some(ceph.map(|()| self.health())),
            },
            leader: self.leader,
        }
    }

    /// What `ceph osd tree --format json` prints.
    pub(crate) fn tree_document(&self, at: i64) -> Value {
        let tree = self.tree(at);
        let osd = |id: &i64| {
            let down = tree.down.get(&OsdId(*id));
            let status = down.map_or("up", |osd| osd.status.as_str());
            let reweight = u8::from(!down.is_some_and(|osd| osd.out));
            json!({"id": id, "name": format!("osd.{id}"), "type": "osd", "type_id": 0, "crush_weight": 1, "depth": 3,
                "exists": 1, "status": status, "reweight": reweight, "primary_affinity": 1})
        };
        let held = |node: Option<usize>| {
            let osds = self.osds.iter().filter(move |(_, osd)| osd.node == node);
            osds.map(|(id, _)| *id).collect::<Vec<i64>>()
        };
        let bucket = |id: i64, name: &str, kind: (&str, u8), children: Vec<i64>| json!({"id": id, "name": name, "type": kind.0, "type_id": kind.1, "children": children});
        let host_id = |node: usize| -100 - i64::try_from(node).unwrap();
        let racks = NODES / NODES_IN_RACK;
        let rack_ids = (0..racks).map(|at| -10 - i64::try_from(at).unwrap());
        let mut nodes = vec![bucket(
            -1,
            "default",
            ("root", 11),
            rack_ids.clone().collect(),
        )];
        for (at, id) in (0..racks).zip(rack_ids) {
            let hosts = rack(at).into_iter().map(host_id).collect();
            nodes.push(bucket(
                id,
                &rack_name(at * NODES_IN_RACK),
                ("rack", 3),
                hosts,
            ));
        }
        for node in 0..NODES {
            let osds = held(Some(node));
            nodes.push(bucket(
                host_id(node),
                &host_name(node),
                ("host", 1),
                osds.clone(),
            ));
            nodes.extend(osds.iter().map(osd));
        }
        let stray: Vec<Value> = held(None).iter().map(osd).collect();
        json!({"nodes": nodes, "stray": stray})
    }

    /// What is truly down, whoever can see it or not.
    pub(crate) fn down(&self) -> impl Iterator<Item = Thing> {
        let nodes = self.presence.iter();
        let nodes = nodes.filter(|(_, presence)| **presence != Presence::Alive);
        let osds = self.osds.iter().filter(|(_, osd)| osd.down.is_some());
        nodes
            .map(|(node, _)| Thing::Node(node_name(*node)))
            .chain(osds.map(|(id, _)| Thing::Osd(*id)))
    }

    /// The errors of Ceph's own health, which are told where that check is on.
    pub(crate) fn errors(&self) -> impl Iterator<Item = Thing> {
        let errors = self.health.iter();
        let errors = errors.filter(|(_, severity)| **severity == HealthSeverity::Error);
        errors.map(|(code, _)| Thing::Health((*code).to_owned()))
    }

    /// Whether an admin has asked not to be told of it now.
    pub(crate) fn is_quiet(&self, thing: &Thing, now: i64) -> bool {
        let is_silenced = |node: &usize| self.silenced.get(node).is_some_and(|end| now < *end);
        match thing {
            Thing::Node(name) => (0..NODES).any(|n| node_name(n) == *name && is_silenced(&n)),
            Thing::Osd(osd) => {
                is_silenced(&node_of(*osd)) || (self.no_out && self.hold_while_noout)
            }
            Thing::Storage(_) | Thing::Health(_) | Thing::Blind(_) => false,
        }
    }

    /// Whether so much is used that it has to be told, or, which may have been told before, less than the margin below that;
    /// `None` where all is well.
    pub(crate) fn is_over(&self, level: Level) -> Option<bool> {
        let limits = Limits::default();
        let limit = match level {
            Level::Ok => return None,
            Level::Warn => limits.warn_percent,
            Level::Critical => limits.critical_percent,
        };
        let percent = self.used_bytes as f64 / TOTAL_BYTES as f64 * 100.0;
        (percent > limit - limits.clear_margin_percent).then_some(percent > limit)
    }

    /// Whether all OSDs of the host that holds this one are down.
    pub(crate) fn is_whole_host(&self, osd: i64) -> bool {
        let node = self.osds.get(&osd).and_then(|osd| osd.node);
        let of_host = self.osds.values().filter(|osd| osd.node == node);
        node.is_some() && of_host.into_iter().all(|osd| osd.down.is_some())
    }

    fn health(&self) -> Health {
        let check = |(code, severity): (&&str, &HealthSeverity)| {
            let summary = format!("{code} in words");
            let severity = *severity;
            ((*code).to_owned(), HealthCheck { severity, summary })
        };
        Health {
            checks: self.health.iter().map(check).collect(),
            ..Health::default()
        }
    }

    fn maintenance(&self) -> Maintenance {
        Maintenance {
            flags: self.no_out.then_some(Flag::Noout).into_iter().collect(),
            ..Maintenance::default()
        }
    }

    fn usage(&self) -> Usage {
        let (used_bytes, total_bytes) = if self.figures {
            (self.used_bytes, TOTAL_BYTES)
        } else {
            (0, 0)
        };
        Usage {
            used_bytes,
            total_bytes,
            mgr_available: self.manager,
        }
    }

    fn membership(&self) -> Membership {
        let nodes = self.presence.iter();
        Membership {
            nodes: nodes
                .map(|(node, presence)| (node_name(*node), *presence))
                .collect(),
            leaderless: (!self.leader).then(|| {
                let server = |node: &usize| (node_name(*node), self.presence[node]);
                SERVERS.iter().map(server).collect()
            }),
            ..Membership::default()
        }
    }

    fn tree(&self, at: i64) -> OsdTree {
        let mut up = BTreeSet::new();
        let mut down = BTreeMap::new();
        for (id, osd) in &self.osds {
            let Some(since) = osd.down else {
                up.insert(OsdId(*id));
                continue;
            };
            let status = if osd.destroyed { "destroyed" } else { "down" };
            let what = DownOsd {
                host: osd.node.map(host_name),
                status: status.to_owned(),
                out: osd.destroyed || (!self.no_out && at - since >= OUT_AFTER),
                stray: osd.node.is_none(),
            };
            down.insert(OsdId(*id), what);
        }
        let mut hosts = BTreeMap::new();
        // Where all are up nobody asks.
        if !down.is_empty() {
            for osd in self.osds.values() {
                let Some(node) = osd.node else { continue };
                let host = hosts.entry(host_name(node)).or_insert_with(|| Host {
                    up: 0,
                    rack: Some(rack_name(node)),
                });
                host.up += u32::from(osd.down.is_none());
            }
        }
        OsdTree { up, down, hosts }
    }
}

/// Why a node is no member 72 h after it crashed.
pub(crate) const REAPED: Presence = Presence::Down(Absence::Missing);
