//! Judging a pass: previous memory + what was seen + settings + now → alerts and the next memory. Pure.

#[cfg(test)]
mod health_tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::audience::Audiences;
use crate::cause::{self, WithNode};
use crate::check::capacity::{self, Level, Reading};
use crate::check::growth::{Growth, History};
use crate::check::health::Others;
use crate::check::sight::{Servers, Unseen};
use crate::check::{CheckName, health, nodes, osds};
use crate::facts::{
    Absence, DownOsd, Flag, Health, HealthCheck, Host, Maintenance, Membership, OsdId, OsdTree,
    Presence, Usage,
};
use crate::incident::{
    Ack, Change, Down, Incident, Kind, Policy, Raise, Seen, Watch, age, judge, plausible,
};
use crate::naming::{self, Names};
use crate::settings::{Checks, Hold, Notify, Recipient};
use crate::severity::{self, Severity};
use crate::silence::Silence;
use crate::standing::{self, Basis, Elsewhere, Known, open_incidents};
use crate::together;
use crate::wording;

/// What an alert can be about: one of the checks, or that they can't be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Topic {
    /// How full the storage is.
    Capacity,
    /// Which nodes are gone.
    Nodes,
    /// Which OSDs are down.
    Osds,
    /// What Ceph itself finds wrong.
    Health,
    /// Which checks could not be carried out for too long.
    Blind,
}

impl Topic {
    /// All of them, in the order in which they are reported.
    pub const ALL: [Topic; 5] = [
        Topic::Capacity,
        Topic::Nodes,
        Topic::Osds,
        Topic::Health,
        Topic::Blind,
    ];

    /// The name in JSON, in incident ids and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Topic::Capacity => "capacity",
            Topic::Nodes => "nodes",
            Topic::Osds => "osds",
            Topic::Health => "health",
            Topic::Blind => "blind",
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What somebody is to be told. While it waits in the queue it is [brought up to date](crate::late) in every pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// The cluster's name when it was raised.
    pub cluster: String,
    /// What it does to its incident.
    pub kind: Kind,
    /// The incident it belongs to.
    pub incident: String,
    /// The number of this alert in its incident, from 0.
    pub sequence: u32,
    /// When the incident began.
    pub began: Timestamp,
    /// When this alert was raised.
    pub raised: Timestamp,
    /// What it says.
    pub report: Report,
    /// What else is wrong at that moment.
    pub elsewhere: Vec<Elsewhere>,
    /// The incident is over, and no mail about it has been delivered before.
    pub never_told: bool,
    /// How things stood at that moment, as far as its mail tells it.
    #[serde(default, skip_serializing_if = "Circumstances::is_empty")]
    pub circumstances: Circumstances,
}

/// How things stood when an alert was raised, beside what it reports: what its mail tells so that it can be understood.
/// Whatever is not there is not told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Circumstances {
    /// As of when the alert tells, where it has been brought up to date since it was raised; see [`Alert::as_of`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// How many OSDs of each CRUSH host were up, of hosts whose OSDs were not all up as well as of the others.
    pub osds_up: BTreeMap<String, u32>,
    /// The nodes that were alive.
    pub nodes_up: BTreeSet<String>,
    /// By node that is down, the OSDs that are down with it and belong to its incident.
    pub of_nodes: BTreeMap<String, BTreeSet<OsdId>>,
    /// How many nodes the cluster has; 0 where nobody has told.
    #[serde(skip_serializing_if = "is_zero")]
    pub nodes: u32,
    /// OSDs are watched: those that go down with a node later on are told of in the mails of its incident.
    #[serde(skip_serializing_if = "is_false")]
    pub osds_follow: bool,
    /// The racks that are down as a whole, with their nodes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub racks_down: BTreeMap<String, BTreeSet<String>>,
    /// The CRUSH hosts none of whose OSDs is up although their node is alive, each with the node.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub dark: BTreeMap<String, String>,
    /// What the checks that can't be carried out found when they last could.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub last_known: BTreeMap<CheckName, Known>,
    /// Consul's servers, where they have no leader.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaderless: Option<Servers>,
    /// How serious the alert is; see [`Alert::severity`].
    #[serde(skip_serializing_if = "Severity::is_least")]
    pub severity: Severity,
    /// How fast the storage grew, in an alert about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth: Option<Growth>,
    /// The silences that lasted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub silences: Vec<Silence>,
    /// How many things of the alert's kind were down that nobody was told of.
    #[serde(skip_serializing_if = "Withheld::is_nothing")]
    pub withheld: Withheld,
    /// Who knew of the incident already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ack: Option<Ack>,
    /// What the admins had told Ceph to leave alone.
    #[serde(skip_serializing_if = "Maintained::is_none")]
    pub maintenance: Maintained,
    /// See [`naming::mark`].
    #[serde(skip_serializing_if = "is_zero")]
    pub mark: u32,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl Circumstances {
    /// Whether there is nothing to tell, as of a quiet cluster and of mails of an earlier release.
    pub fn is_empty(&self) -> bool {
        *self == Circumstances::default()
    }
}

/// What an alert says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "topic", rename_all = "lowercase")]
pub enum Report {
    /// The storage has entered or left a level.
    Capacity(Reading),
    /// Nodes are gone or back.
    Nodes(Change<String, Absence>),
    /// OSDs are down or up again.
    Osds(Change<OsdId, DownOsd>),
    /// Ceph has found something wrong, or no longer does. By the code of the health check.
    Health(Change<String, HealthCheck>),
    /// Checks could not be carried out for too long, or Consul has had no leader, or that is over. The value is the cause.
    Blind(Change<Unseen, String>),
}

impl Report {
    fn take_over(&mut self, earlier: &Report, all: bool) {
        match (self, earlier) {
            (Report::Nodes(now), Report::Nodes(earlier)) => now.take_over(earlier, all),
            (Report::Osds(now), Report::Osds(earlier)) => now.take_over(earlier, all),
            (Report::Health(now), Report::Health(earlier)) => now.take_over(earlier, all),
            (Report::Blind(now), Report::Blind(earlier)) => now.take_over(earlier, all),
            // A reading says all there is to say.
            (Report::Capacity(_), _) => {}
            // Both are of one incident, and an incident has one topic.
            (Report::Nodes(_) | Report::Osds(_) | Report::Health(_) | Report::Blind(_), _) => {}
        }
    }

    /// Whether it tells of anything new. A reading that is told always is.
    pub(crate) fn has_news(&self) -> bool {
        match self {
            Report::Capacity(_) => true,
            Report::Nodes(change) => !change.new.is_empty(),
            Report::Osds(change) => !change.new.is_empty(),
            Report::Health(change) => !change.new.is_empty(),
            Report::Blind(change) => !change.new.is_empty(),
        }
    }

    /// What the report is about.
    pub fn topic(&self) -> Topic {
        match self {
            Report::Capacity(_) => Topic::Capacity,
            Report::Nodes(_) => Topic::Nodes,
            Report::Osds(_) => Topic::Osds,
            Report::Health(_) => Topic::Health,
            Report::Blind(_) => Topic::Blind,
        }
    }
}

impl Alert {
    /// How serious it is: as what it calls wrong, or, when its incident is over, as that has been.
    pub fn severity(&self) -> Severity {
        self.circumstances.severity.max(severity::of(&self.report))
    }

    /// As of when it tells how things stand.
    pub fn as_of(&self) -> Timestamp {
        self.circumstances.as_of.unwrap_or(self.raised)
    }

    /// This alert as it is news to somebody who has not had the `older` ones of the same incident.
    pub fn overtake(mut self, older: &[Alert]) -> Alert {
        let untold = older.iter().any(|a| a.kind == Kind::Raised);
        let news = older.iter().any(|a| a.kind == Kind::Updated);
        for earlier in older {
            self.report.take_over(&earlier.report, untold);
            let severity = &mut self.circumstances.severity;
            *severity = earlier.severity().max(*severity);
        }
        match self.kind {
            Kind::Updated | Kind::Reminder if untold => self.kind = Kind::Raised,
            Kind::Reminder if news => self.kind = Kind::Updated,
            Kind::Cleared => self.never_told |= untold,
            Kind::Raised | Kind::Updated | Kind::Reminder => {}
        }
        self
    }

    /// This alert to somebody who has not heard of its incident.
    pub fn as_first(mut self) -> Alert {
        let all = self.report.clone();
        self.report.take_over(&all, true);
        self.kind = Kind::Raised;
        self
    }

    /// Whether this recipient wants to know. A node concerns those who are told of OSDs, too, while OSDs are down with it. A
    /// blind check concerns those who rely on that check, a lost leader those who are told of nodes.
    pub fn concerns(&self, recipient: &Recipient) -> bool {
        recipient.severity <= self.severity() && self.is_of_checks_of(recipient)
    }

    /// The same of a recipient who has been told of its incident: that was about nodes if this is, and who hears of nodes
    /// because of OSDs would else keep believing what the last mail with OSDs told, and miss those that follow the next node.
    pub fn still_concerns(&self, recipient: &Recipient) -> bool {
        let is_about_nodes = self.report.topic() == Topic::Nodes;
        let follows = is_about_nodes && recipient.checks.contains(&CheckName::Osds);
        recipient.severity <= self.severity() && (follows || self.is_of_checks_of(recipient))
    }

    fn is_of_checks_of(&self, recipient: &Recipient) -> bool {
        let wants = |check: &CheckName| recipient.checks.contains(check);
        match &self.report {
            Report::Capacity(_) => wants(&CheckName::Capacity),
            Report::Nodes(_) => {
                let has_osds = !self.circumstances.of_nodes.is_empty();
                wants(&CheckName::Nodes) || (has_osds && wants(&CheckName::Osds))
            }
            Report::Osds(_) => wants(&CheckName::Osds),
            Report::Health(_) => wants(&CheckName::Health),
            Report::Blind(change) => {
                let items = change.new.iter().chain(&change.still);
                let keys =
                    (items.map(|item| item.key)).chain(change.over.iter().map(|item| item.key));
                keys.map(Unseen::concerns).any(|check| wants(&check))
            }
        }
    }
}

/// What is remembered from pass to pass.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// How full the storage was.
    pub capacity: CapacityMemory,
    /// Which nodes are down.
    pub nodes: Watch<String, Absence>,
    /// Which OSDs are down.
    pub osds: Watch<OsdId, DownOsd>,
    /// Those OSDs that are down with a node and belong to its incident; none of them is in `osds.down`.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        with = "together::map"
    )]
    pub osds_with_nodes: BTreeMap<OsdId, WithNode>,
    /// What Ceph itself finds wrong, by the code of the health check.
    #[serde(default, skip_serializing_if = "Watch::is_quiet")]
    pub health: Watch<String, HealthCheck>,
    /// Which checks could not be carried out, and whether Consul has no leader, with the cause.
    pub blind: Watch<Unseen, String>,
    /// Consul's servers when they were last seen to have no leader; `None` while they have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaderless: Option<Servers>,
    /// What nobody wants to be told of for some time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silences: Vec<Silence>,
    /// What the admins have told Ceph to leave alone.
    #[serde(default, skip_serializing_if = "Maintained::is_none")]
    pub maintenance: Maintained,
    /// How each check that is on ended the last time, and since when it has been so.
    pub outcomes: BTreeMap<CheckName, Outcome>,
    /// Who has been told of the incidents.
    #[serde(default, skip_serializing_if = "Audiences::is_empty")]
    pub audiences: Audiences,
    /// What incidents are called, where the memory is shared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<Names>,
}

impl Memory {
    /// The incidents of all topics that are open.
    pub fn incidents(&self) -> [Option<&Incident>; 5] {
        [
            self.capacity.incident.as_ref(),
            self.nodes.incident.as_ref(),
            self.osds.incident.as_ref(),
            self.health.incident.as_ref(),
            self.blind.incident.as_ref(),
        ]
    }

    /// The same, to be changed.
    pub(crate) fn incidents_mut(&mut self) -> [Option<&mut Incident>; 5] {
        [
            self.capacity.incident.as_mut(),
            self.nodes.incident.as_mut(),
            self.osds.incident.as_mut(),
            self.health.incident.as_mut(),
            self.blind.incident.as_mut(),
        ]
    }

    /// All OSDs that are down, with a node or by themselves, and those that flap, in order.
    pub fn osds_down(&self) -> Vec<(OsdId, &Down<DownOsd>)> {
        let alone = self.osds.down.iter().map(|(osd, down)| (*osd, down));
        let with_nodes = self.osds_with_nodes.iter();
        let with_nodes = with_nodes.map(|(osd, with_node)| (*osd, &with_node.down));
        let mut down: Vec<_> = alone.chain(with_nodes).collect();
        down.sort_by_key(|(osd, _)| *osd);
        down
    }

    /// The OSDs that are down with a node, by node.
    pub fn osds_by_node(&self) -> BTreeMap<String, BTreeSet<OsdId>> {
        let mut nodes: BTreeMap<String, BTreeSet<OsdId>> = BTreeMap::new();
        for (osd, WithNode { node, .. }) in &self.osds_with_nodes {
            match nodes.get_mut(node) {
                Some(osds) => osds.insert(*osd),
                None => nodes.entry(node.clone()).or_default().insert(*osd),
            };
        }
        nodes
    }

    /// Takes up that one more alert of an incident has been told, to some: its number shall not be that of another.
    pub fn count_alert(&mut self, incident: &str) {
        let open = self.incidents_mut().into_iter().flatten();
        for open in open.filter(|open| open.id == incident) {
            open.alerts = open.alerts.saturating_add(1);
        }
    }

    /// The open incident of a topic.
    pub fn incident(&self, topic: Topic) -> Option<&Incident> {
        match topic {
            Topic::Capacity => self.capacity.incident.as_ref(),
            Topic::Nodes => self.nodes.incident.as_ref(),
            Topic::Osds => self.osds.incident.as_ref(),
            Topic::Health => self.health.incident.as_ref(),
            Topic::Blind => self.blind.incident.as_ref(),
        }
    }

    /// Takes down that somebody knows of the open incident of a topic, or with `None` that nobody does. Until it is over,
    /// what it has told so far is neither news nor a cause for a reminder; anything else is.
    pub fn acknowledge(&mut self, topic: Topic, ack: Option<Ack>) {
        match topic {
            Topic::Capacity => {
                let told = self.capacity.told.unwrap_or(self.capacity.level);
                self.capacity.acknowledged = ack.as_ref().map(|_| told);
                if let Some(incident) = &mut self.capacity.incident {
                    incident.ack = ack;
                }
            }
            Topic::Nodes => self.nodes.acknowledge(ack),
            Topic::Osds => self.osds.acknowledge(ack),
            Topic::Health => self.health.acknowledge(ack),
            Topic::Blind => self.blind.acknowledge(ack),
        }
    }

    /// Makes the clock of today the measure of what is remembered, see [`plausible`].
    pub fn set_clock(&mut self, now: Timestamp) {
        if let Some(incident) = &mut self.capacity.incident {
            incident.set_clock(now);
        }
        self.capacity.history.set_clock(now);
        self.nodes.set_clock(now);
        self.osds.set_clock(now);
        for with_node in self.osds_with_nodes.values_mut() {
            with_node.set_clock(now);
        }
        self.health.set_clock(now);
        self.blind.set_clock(now);
        for silence in &mut self.silences {
            silence.set_clock(now);
        }
        self.maintenance.set_clock(now);
        for outcome in self.outcomes.values_mut() {
            outcome.since = plausible(outcome.since, now);
        }
    }
}

/// What the admins have told Ceph to leave alone, as last seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Maintained {
    /// All of it.
    pub what: Maintenance,
    /// The first pass in a row that saw `noout` set.
    pub noout_since: Option<Timestamp>,
}

impl Maintained {
    /// Whether there is nothing of the kind.
    pub fn is_none(&self) -> bool {
        *self == Maintained::default()
    }

    fn set_clock(&mut self, now: Timestamp) {
        self.noout_since = self.noout_since.map(|since| plausible(since, now));
    }

    /// Takes up what a pass has seen.
    fn next(self, seen: Maintenance, now: Timestamp) -> Self {
        let noout = seen.flags.contains(&Flag::Noout);
        Maintained {
            noout_since: noout.then(|| self.noout_since.unwrap_or(now)),
            what: seen,
        }
    }

    /// Whether OSDs are held back because of `noout`, for `longest` at most.
    fn holds_back(&self, longest: Option<Duration>, now: Timestamp) -> bool {
        let (Some(since), Some(longest)) = (self.noout_since, longest) else {
            return false;
        };
        age(since, now) < longest
    }
}

/// What is remembered of the storage.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapacityMemory {
    /// The level of the last pass that could see.
    pub level: Level,
    /// The incident that is open while the level is not `Ok`.
    pub incident: Option<Incident>,
    /// The reading of the last pass that could see.
    pub last: Option<Reading>,
    /// The readings of the last two weeks, every few hours.
    #[serde(default, skip_serializing_if = "History::is_empty")]
    pub history: History,
    /// The level that the open incident has told, where that is not `level`: the rest was silenced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Level>,
    /// The level up to which somebody knows of the open incident, see [`Memory::acknowledge`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Level>,
}

impl CapacityMemory {
    /// How fast the storage grows; `None` where that can't be told.
    pub fn growth(&self, now: Timestamp) -> Option<Growth> {
        self.history.growth(self.last?.total_bytes, now)
    }
}

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// What it found.
    pub state: State,
    /// The first pass in a row that ended so.
    pub since: Timestamp,
    /// One line about what was found.
    pub summary: String,
    /// Why it could not be carried out, or not in whole.
    pub error: Option<String>,
    /// While it can't be carried out: what was found in the last pass in which it could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Known>,
    /// What else it takes to tell later what was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nothing to tell.
    Ok,
    /// An incident is open.
    Alert,
    /// It could not be carried out.
    Unknown,
}

impl State {
    /// The name in JSON and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Alert => "alert",
            State::Unknown => "unknown",
        }
    }
}

/// What a pass saw. `None`: the check is off. `Err`: it could not be carried out, for this reason.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// For the capacity check.
    pub capacity: Option<Result<Usage, String>>,
    /// For the nodes check.
    pub nodes: Option<Result<Membership, String>>,
    /// For the OSD check.
    pub osds: Option<Result<OsdTree, String>>,
    /// What the admins have told Ceph to leave alone; `None` where its status was not asked, or could not be had.
    pub maintenance: Option<Maintenance>,
    /// For the health check.
    pub health: Option<Result<Health, String>>,
}

/// What has been decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What is to be remembered.
    pub memory: Memory,
    /// Whom to tell what; empty in a quiet pass.
    pub alerts: Vec<Alert>,
    /// What was seen beside what is wrong.
    pub around: Surroundings,
}

/// What a pass has seen around what is wrong, as far as mails tell it. None of it is remembered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Surroundings {
    /// How many things are down of which nobody was told because of a silence or `noout`, where there are any.
    withheld: BTreeMap<Topic, Withheld>,
    /// The nodes that are alive; empty while nothing is wrong with nodes or OSDs, or nobody can see them.
    nodes_up: BTreeSet<String>,
    /// How many nodes the cluster has, as far as this pass could see.
    all_nodes: usize,
    /// [`OsdTree::hosts`]
    hosts: BTreeMap<String, Host>,
    /// See [`cause::Parted::dark`].
    dark: BTreeMap<String, String>,
}

/// What a pass knows beside its memory.
#[derive(Debug, Clone, Copy)]
pub struct Present<'a> {
    /// What it has seen.
    pub around: &'a Surroundings,
    /// The rules that apply.
    pub rules: Rules<'a>,
    /// When it began.
    pub now: Timestamp,
}

/// The rules that apply.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// `[checks.*]`
    pub checks: &'a Checks,
    /// `[notify]`
    pub notify: &'a Notify,
    /// `consul.nodes_prefix`, for messages.
    pub nodes_prefix: &'a str,
    /// The cluster's name, for subjects.
    pub cluster: &'a str,
}

/// Whether a node or OSD has been down for long enough to be told of.
fn is_held_out<T>(down: &Down<T>, hold: Hold, now: Timestamp) -> bool {
    down.passes >= hold.passes && hold.time.is_none_or(|time| down.lasts(time, now))
}

/// What one check came to, before it is written down.
struct Finding {
    state: State,
    summary: String,
    error: Option<String>,
    basis: Option<Basis>,
}

impl Finding {
    fn new(alert: bool, summary: String, error: Option<String>) -> Self {
        let state = if alert { State::Alert } else { State::Ok };
        Finding {
            state,
            summary,
            error,
            basis: None,
        }
    }

    fn on(self, basis: Basis) -> Self {
        Finding {
            basis: Some(basis),
            ..self
        }
    }
}

/// Judges one pass. A check that could not be carried out leaves what is remembered of it as it is.
pub fn judge_pass(memory: Memory, observed: Observed, rules: Rules<'_>, now: Timestamp) -> Verdict {
    let mut bench = Bench {
        before: memory.outcomes,
        memory: Memory {
            outcomes: BTreeMap::new(),
            ..memory
        },
        rules,
        now,
        raised: Vec::new(),
        around: Surroundings::default(),
        findings: Vec::new(),
        leader: None,
    };
    bench
        .memory
        .silences
        .retain(|silence| !silence.is_over(now));
    let asked = observed.capacity.is_some() || observed.health.is_some();
    bench.see_maintenance(observed.maintenance, asked);
    bench.judge_capacity(observed.capacity);
    let osds_down = matches!(&observed.osds, Some(Ok(tree)) if !tree.down.is_empty());
    let osds_wrong = osds_down || bench.memory.osds.incident.is_some();
    bench.judge_nodes(observed.nodes, osds_wrong);
    bench.judge_osds(observed.osds);
    bench.judge_health(observed.health);
    bench.judge_sight();
    bench.verdict()
}

/// What is being judged: the memory as far as it has been brought up to date, and what has come of it.
struct Bench<'a> {
    /// How the checks ended in the pass before.
    before: BTreeMap<CheckName, Outcome>,
    memory: Memory,
    rules: Rules<'a>,
    now: Timestamp,
    raised: Vec<Raise<Report>>,
    around: Surroundings,
    findings: Vec<(CheckName, Finding)>,
    /// Whether Consul has a leader; `None` where nobody asks.
    leader: Option<Leader>,
}

/// What is known of Consul's leader.
enum Leader {
    There,
    /// With the servers that there are.
    Lost(BTreeMap<String, Presence>),
    Unseen,
}

impl Bench<'_> {
    /// Where the status could not be had, what was seen last is taken to last.
    fn see_maintenance(&mut self, seen: Option<Maintenance>, asked: bool) {
        let before = std::mem::take(&mut self.memory.maintenance);
        self.memory.maintenance = match seen {
            Some(seen) => before.next(seen, self.now),
            None if asked => before,
            None => Maintained::default(),
        };
    }

    fn judge_capacity(&mut self, observed: Option<Result<Usage, String>>) {
        let (Some(limits), Some(usage)) = (&self.rules.checks.capacity, observed) else {
            self.memory.capacity = CapacityMemory::default();
            return;
        };
        let measured = usage.and_then(|u| capacity::used_percent(u).map(|percent| (u, percent)));
        let finding = match measured {
            Ok((usage, percent)) => {
                let mut memory = std::mem::take(&mut self.memory.capacity);
                let (used, total) = (usage.used_bytes, usage.total_bytes);
                memory.history.take_up(used, total, self.now);
                let report = Reading {
                    level: capacity::level(percent, memory.level, limits),
                    percent,
                    used_bytes: usage.used_bytes,
                    total_bytes: usage.total_bytes,
                    warn_percent: limits.warn_percent,
                    critical_percent: limits.critical_percent,
                };
                let remind_every = self.rules.notify.remind_every;
                let quiet = self.is_silenced(CheckName::Capacity);
                let (next, raise) = judge_capacity(memory, report, quiet, remind_every, self.now);
                self.memory.capacity = next;
                self.raised.extend(raise.map(|r| r.map(Report::Capacity)));
                let alert = report.level != Level::Ok;
                Finding::new(alert, wording::capacity_summary(&report), None)
            }
            Err(cause) => unknown(self.memory.capacity.incident.is_some(), cause),
        };
        self.findings.push((CheckName::Capacity, finding));
    }

    fn judge_nodes(&mut self, observed: Option<Result<Membership, String>>, osds_wrong: bool) {
        let (Some(hold), Some(membership)) = (self.rules.checks.nodes, observed) else {
            self.memory.nodes = Watch::default();
            self.memory.leaderless = None;
            return;
        };
        if let Ok(Membership { leaderless, .. }) = &membership {
            self.memory.leaderless = leaderless.as_ref().map(Servers::of);
        }
        self.leader = Some(match &membership {
            Ok(Membership { leaderless, .. }) => match leaderless {
                None => Leader::There,
                Some(servers) => Leader::Lost(servers.clone()),
            },
            Err(_) => Leader::Unseen,
        });
        let unreadable = membership.as_ref().ok().and_then(wording::unreadable_nodes);
        let seen = membership.and_then(|m| nodes::seen(m, self.rules.nodes_prefix));
        let finding = match seen {
            Ok(seen) => {
                let total = seen.up.len() + seen.down.len() + seen.unseen.len();
                self.around.all_nodes = total;
                let nodes_wrong = total > seen.up.len() || self.memory.nodes.incident.is_some();
                if nodes_wrong || osds_wrong {
                    self.around.nodes_up.clone_from(&seen.up);
                }
                let now = self.now;
                let silences = &self.memory.silences;
                let quiet = |node: &String, _: &Down<Absence>| {
                    let mut scopes = silences.iter().map(|silence| &silence.scope);
                    scopes.any(|scope| scope.covers_node(node))
                };
                let policy = Policy {
                    topic: Topic::Nodes.as_str(),
                    counts: &|_, d| is_held_out(d, hold, now),
                    waits: &|_, _| false,
                    quiet: &quiet,
                    flapping: self.rules.notify.flapping,
                    remind_every: self.rules.notify.remind_every,
                };
                let memory = std::mem::take(&mut self.memory.nodes);
                let (next, raise) = judge(memory, seen, &policy, self.now);
                self.memory.nodes = next;
                self.raised.extend(raise.map(|r| r.map(Report::Nodes)));
                let withheld = Withheld {
                    silenced: unannounced(&self.memory.nodes, &quiet),
                    early: unannounced(&self.memory.nodes, &|node, down| !quiet(node, down)),
                    ..Withheld::default()
                };
                let summary = wording::nodes_summary(&self.memory.nodes, total, withheld, hold);
                self.note_withheld(Topic::Nodes, withheld);
                Finding::new(self.memory.nodes.incident.is_some(), summary, unreadable)
                    .on(Basis::of(total, withheld))
            }
            Err(cause) => unknown(self.memory.nodes.incident.is_some(), cause),
        };
        self.findings.push((CheckName::Nodes, finding));
    }

    fn judge_osds(&mut self, observed: Option<Result<OsdTree, String>>) {
        let (Some(hold), Some(tree)) = (self.rules.checks.osds, observed) else {
            self.memory.osds = Watch::default();
            self.memory.osds_with_nodes = BTreeMap::new();
            return;
        };
        let now = self.now;
        let finding = match tree {
            Ok(mut tree) => {
                self.around.hosts = std::mem::take(&mut tree.hosts);
                let mut seen = osds::seen(tree);
                let total = seen.up.len() + seen.down.len();
                let mut memory = std::mem::take(&mut self.memory.osds);
                let with_nodes = std::mem::take(&mut self.memory.osds_with_nodes);
                let root_cause = &self.rules.checks.root_cause;
                let causes = self.nodes_told_of();
                let nodes = cause::Nodes {
                    down: &causes,
                    up: &self.around.nodes_up,
                };
                let parted = cause::part(
                    &mut seen.down,
                    &mut memory,
                    with_nodes,
                    &self.around.hosts,
                    nodes,
                    root_cause,
                    now,
                );
                let dark = parted.dark;
                let waits = |osd: &Down<DownOsd>| {
                    let host = osd.what.host.as_ref();
                    let all_down = host.is_some_and(|host| dark.contains_key(host));
                    let grace = root_cause.host_grace.filter(|_| all_down);
                    grace.is_some_and(|grace| !osd.lasts(grace, now))
                };
                let silences = &self.memory.silences;
                let silenced = |id: &OsdId, osd: &Down<DownOsd>| {
                    let host = osd.what.host.as_deref();
                    let mut scopes = silences.iter().map(|silence| &silence.scope);
                    scopes.any(|scope| scope.covers_osd(*id, host, root_cause))
                };
                let longest = self.rules.checks.hold_while_noout;
                let noout = self.memory.maintenance.holds_back(longest, now);
                let quiet = |id: &OsdId, osd: &Down<DownOsd>| noout || silenced(id, osd);
                let policy = Policy {
                    topic: Topic::Osds.as_str(),
                    counts: &|_, d| is_held_out(d, hold, now),
                    // The third time down in a row may be the node's, too.
                    waits: &|_, d| waits(d),
                    quiet: &quiet,
                    flapping: self.rules.notify.flapping,
                    remind_every: self.rules.notify.remind_every,
                };
                let (next, raise) = judge(memory, seen, &policy, now);
                self.memory.osds = next;
                self.memory.osds_with_nodes = parted.with_nodes;
                self.raised.extend(raise.map(|r| r.map(Report::Osds)));
                let watch = &self.memory.osds;
                let withheld = Withheld {
                    silenced: unannounced(watch, &silenced),
                    noout: match noout {
                        true => unannounced(watch, &|id, down| !silenced(id, down)),
                        false => 0,
                    },
                    waiting: unannounced(watch, &|id, down| waits(down) && !quiet(id, down)),
                    early: unannounced(watch, &|id, down| !waits(down) && !quiet(id, down)),
                };
                let summary = wording::osds_summary(&self.memory, total, withheld, hold);
                self.note_withheld(Topic::Osds, withheld);
                self.around.dark = dark;
                Finding::new(self.memory.osds.incident.is_some(), summary, None)
                    .on(Basis::of(total, withheld))
            }
            Err(cause) => unknown(self.memory.osds.incident.is_some(), cause),
        };
        self.findings.push((CheckName::Osds, finding));
    }

    fn judge_health(&mut self, observed: Option<Result<Health, String>>) {
        let checks = self.rules.checks;
        let (Some(rules), Some(health)) = (&checks.health, observed) else {
            self.memory.health = Watch::default();
            return;
        };
        let finding = match health {
            Ok(health) => {
                let others = Others {
                    capacity: checks.capacity.is_some(),
                    osds: checks.osds.is_some(),
                    osd_down: !self.memory.osds_down().is_empty(),
                };
                let mut memory = std::mem::take(&mut self.memory.health);
                let sorted = health::sort(health, &rules.scope, others, &memory.down);
                health::renew(&mut memory.down, &sorted.seen.down);
                let now = self.now;
                let silenced = self.is_silenced(CheckName::Health);
                let policy = Policy {
                    topic: Topic::Health.as_str(),
                    counts: &|_, d| is_held_out(d, rules.hold, now),
                    waits: &|_, _| false,
                    quiet: &|_, _| silenced,
                    // What a health check says changes by itself; `hold_passes` is there for what comes and goes.
                    flapping: None,
                    remind_every: self.rules.notify.remind_every,
                };
                let (next, raise) = judge(memory, sorted.seen, &policy, now);
                self.memory.health = next;
                self.raised.extend(raise.map(|r| r.map(Report::Health)));
                let watch = &self.memory.health;
                let withheld = Withheld {
                    silenced: unannounced(watch, &|_, _| silenced),
                    early: unannounced(watch, &|_, _| !silenced),
                    ..Withheld::default()
                };
                let left_out = &sorted.left_out;
                let summary = wording::health::summary(watch, left_out, withheld, rules.hold);
                let is_open = watch.incident.is_some();
                self.note_withheld(Topic::Health, withheld);
                Finding::new(is_open, summary, None).on(Basis::of_health(left_out, withheld))
            }
            Err(cause) => unknown(self.memory.health.incident.is_some(), cause),
        };
        self.findings.push((CheckName::Health, finding));
    }

    /// The nodes that are down but for those that are silenced without their OSDs: nobody would hear of these.
    fn nodes_told_of(&self) -> Cow<'_, BTreeMap<String, Down<Absence>>> {
        let down = &self.memory.nodes.down;
        if self.memory.silences.is_empty() {
            return Cow::Borrowed(down);
        }
        let scopes = || self.memory.silences.iter().map(|silence| &silence.scope);
        let mut told_of = down.clone();
        told_of.retain(|node, down| {
            down.announced
                || !scopes().any(|scope| scope.covers_node(node))
                || scopes().any(|scope| scope.covers_osds_of(node))
        });
        Cow::Owned(told_of)
    }

    fn is_silenced(&self, check: CheckName) -> bool {
        let mut scopes = self.memory.silences.iter().map(|silence| &silence.scope);
        scopes.any(|scope| scope.covers_check(check))
    }

    fn note_withheld(&mut self, topic: Topic, withheld: Withheld) {
        if !withheld.is_nothing() {
            self.around.withheld.insert(topic, withheld);
        }
    }

    /// Judges whether there was anything to judge by.
    fn judge_sight(&mut self) {
        let (blind_after, now) = (self.rules.notify.blind_after, self.now);
        let silences = &self.memory.silences;
        let quiet = |unseen: &Unseen, _: &Down<String>| {
            silences
                .iter()
                .any(|silence| silence.scope.covers_check(unseen.concerns()))
        };
        let policy = Policy {
            topic: Topic::Blind.as_str(),
            counts: &|_, d| d.lasts(blind_after, now),
            waits: &|_, _| false,
            quiet: &quiet,
            flapping: None,
            remind_every: self.rules.notify.remind_every,
        };
        let memory = std::mem::take(&mut self.memory.blind);
        let (next, raise) = judge(
            memory,
            sight(&self.findings, self.leader.as_ref()),
            &policy,
            now,
        );
        self.raised.extend(raise.map(|r| r.map(Report::Blind)));
        let withheld = Withheld {
            silenced: unannounced(&next, &quiet),
            early: unannounced(&next, &|unseen, down| !quiet(unseen, down)),
            ..Withheld::default()
        };
        self.memory.blind = next;
        self.note_withheld(Topic::Blind, withheld);
    }

    /// What a check found that can't be carried out any more.
    fn last_known(&self, check: CheckName, before: &Outcome) -> Option<Known> {
        let basis = match (check, &before.basis) {
            (CheckName::Capacity, _) => &Basis::default(),
            (_, Some(basis)) => basis,
            // An earlier release has written it.
            (_, None) => return Some(Known::Text(before.summary.clone())),
        };
        let found = standing::found(&self.memory, check, basis, self.rules.checks);
        found.map(Known::Found)
    }

    /// Sums up, once all has been judged.
    fn verdict(mut self) -> Verdict {
        let (before, now) = (std::mem::take(&mut self.before), self.now);
        let findings = std::mem::take(&mut self.findings);
        self.memory.outcomes = findings
            .into_iter()
            .map(|(name, finding)| {
                let known = || {
                    let before = before.get(&name)?;
                    self.last_known(name, before)
                };
                (name, outcome(finding, before.get(&name), known, now))
            })
            .collect();
        let open = if self.raised.is_empty() {
            Vec::new()
        } else {
            open_incidents(&self.memory)
        };
        let mut raised = std::mem::take(&mut self.raised);
        naming::name_incidents(&mut self.memory, &mut raised);
        let around = std::mem::take(&mut self.around);
        let present = Present {
            around: &around,
            rules: self.rules,
            now,
        };
        let mut audiences = std::mem::take(&mut self.memory.audiences);
        let alerts = raised
            .into_iter()
            .map(|raise| Alert {
                circumstances: Circumstances {
                    mark: naming::mark(&self.memory, raise.sequence, &raise.report),
                    severity: audiences.reach(
                        &raise.incident,
                        raise.kind,
                        severity_of(&self.memory, raise.kind, &raise.report),
                    ),
                    ..present.circumstances(&self.memory, raise.report.topic())
                },
                cluster: self.rules.cluster.to_owned(),
                kind: raise.kind,
                incident: raise.incident,
                sequence: raise.sequence,
                began: raise.began,
                raised: now,
                elsewhere: elsewhere(&open, raise.report.topic()),
                report: raise.report,
                never_told: false,
            })
            .collect();
        self.memory.audiences = audiences;
        Verdict {
            memory: self.memory,
            alerts,
            around,
        }
    }
}

impl Present<'_> {
    /// What an alert of this topic tells beside its news.
    pub(crate) fn circumstances(&self, memory: &Memory, topic: Topic) -> Circumstances {
        let Present { around, rules, now } = *self;
        let at_work = Circumstances {
            withheld: around.withheld.get(&topic).copied().unwrap_or_default(),
            ..remembered_circumstances(memory, topic, now)
        };
        match topic {
            Topic::Nodes => Circumstances {
                nodes: u32::try_from(around.all_nodes).unwrap_or(u32::MAX),
                osds_follow: rules.checks.osds.is_some(),
                racks_down: cause::racks_down(
                    &around.hosts,
                    cause::Nodes {
                        down: &memory.nodes.down,
                        up: &around.nodes_up,
                    },
                    &rules.checks.root_cause,
                ),
                ..Circumstances {
                    silences: at_work.silences,
                    withheld: at_work.withheld,
                    ack: at_work.ack,
                    maintenance: at_work.maintenance,
                    ..self.circumstances(memory, Topic::Osds)
                }
            },
            Topic::Osds => Circumstances {
                osds_up: (around.hosts.iter())
                    .map(|(host, found)| (host.clone(), found.up))
                    .collect(),
                nodes_up: around.nodes_up.clone(),
                dark: around.dark.clone(),
                ..at_work
            },
            Topic::Capacity | Topic::Health | Topic::Blind => at_work,
        }
    }
}

/// How serious the things are that a report calls wrong now. What is down with a node and what is down by itself may be
/// copies of the same data.
pub(crate) fn severity_of(memory: &Memory, kind: Kind, report: &Report) -> Severity {
    let down = || {
        let down = memory.osds_down().into_iter();
        down.filter(|(_, osd)| osd.is_down())
            .map(|(_, osd)| &osd.what)
    };
    let is_about_osds = matches!(report.topic(), Topic::Nodes | Topic::Osds);
    let with_nodes = is_about_osds && !memory.osds_with_nodes.is_empty();
    match with_nodes && kind != Kind::Cleared && severity::are_spread(down()) {
        true => Severity::Critical,
        false => severity::of(report),
    }
}

/// What an alert of this topic tells beside its news, as far as it is remembered.
fn remembered_circumstances(memory: &Memory, topic: Topic, now: Timestamp) -> Circumstances {
    let incident = memory.incident(topic);
    let quiet = Circumstances {
        silences: memory.silences.clone(),
        ack: incident.and_then(|incident| incident.ack.clone()),
        maintenance: memory.maintenance.clone(),
        ..Circumstances::default()
    };
    match topic {
        Topic::Nodes | Topic::Osds => Circumstances {
            of_nodes: memory.osds_by_node(),
            ..quiet
        },
        Topic::Capacity => Circumstances {
            growth: memory.capacity.growth(now),
            ..quiet
        },
        Topic::Blind => Circumstances {
            last_known: (memory.outcomes.iter())
                .filter_map(|(check, outcome)| Some((*check, outcome.known.clone()?)))
                .collect(),
            leaderless: memory.leaderless.clone(),
            ..quiet
        },
        Topic::Health => quiet,
    }
}

impl<R> Raise<R> {
    /// The same alert with its report dressed differently.
    fn map<S>(self, dress: impl FnOnce(R) -> S) -> Raise<S> {
        Raise {
            kind: self.kind,
            incident: self.incident,
            began: self.began,
            sequence: self.sequence,
            report: dress(self.report),
        }
    }
}

/// What is wrong now in these incidents, as news to somebody who has not heard of them. The number of each alert is the next
/// of its incident: [`Memory::count_alert`] takes it.
pub fn as_it_is(memory: &Memory, incidents: &[&str], present: Present<'_>) -> Vec<Alert> {
    let open = open_incidents(memory);
    let capacity = memory.capacity.last.map(Report::Capacity);
    let reports = [
        (&memory.capacity.incident, capacity),
        (
            &memory.nodes.incident,
            Some(Report::Nodes(memory.nodes.as_news())),
        ),
        (
            &memory.osds.incident,
            Some(Report::Osds(memory.osds.as_news())),
        ),
        (
            &memory.health.incident,
            Some(Report::Health(memory.health.as_news())),
        ),
        (
            &memory.blind.incident,
            Some(Report::Blind(memory.blind.as_news())),
        ),
    ];
    let wanted = reports.into_iter().filter_map(|(incident, report)| {
        let incident = incident.as_ref()?;
        let is_wanted = incidents.contains(&incident.id.as_str());
        is_wanted.then_some((incident, report?))
    });
    let alerts = wanted.map(|(incident, report)| Alert {
        cluster: present.rules.cluster.to_owned(),
        kind: Kind::Raised,
        incident: incident.id.clone(),
        sequence: incident.alerts,
        began: incident.raised,
        raised: present.now,
        elsewhere: elsewhere(&open, report.topic()),
        circumstances: Circumstances {
            mark: naming::mark(memory, incident.alerts, &report),
            severity: severity_of(memory, Kind::Raised, &report),
            ..present.circumstances(memory, report.topic())
        },
        report,
        never_told: false,
    });
    alerts.collect()
}

/// What is known of all incidents but those of this topic.
pub(crate) fn elsewhere(open: &[(Topic, Elsewhere)], topic: Topic) -> Vec<Elsewhere> {
    let others = open.iter().filter(|(other, _)| *other != topic);
    others.map(|(_, incident)| incident.clone()).collect()
}

/// How many things are down of which nobody has been told, and why not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Withheld {
    /// They are silenced.
    pub silenced: usize,
    /// They are OSDs that are held back while `noout` is set.
    pub noout: usize,
    /// They are OSDs that wait for their node.
    pub waiting: usize,
    /// They have not been down for long enough to be told of.
    #[serde(skip_serializing_if = "is_none_of_them")]
    pub early: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's way of asking")]
fn is_none_of_them(number: &usize) -> bool {
    *number == 0
}

impl Withheld {
    /// Whether everything has been told.
    pub fn is_nothing(&self) -> bool {
        *self == Withheld::default()
    }
}

/// How many things have not been told of that are so.
fn unannounced<K, T>(watch: &Watch<K, T>, is_so: &dyn Fn(&K, &Down<T>) -> bool) -> usize {
    let down = watch.down.iter().filter(|(_, down)| !down.announced);
    down.filter(|(key, down)| is_so(key, down)).count()
}

fn unknown(incident_open: bool, cause: String) -> Finding {
    let summary = if incident_open {
        "could not be carried out; the incident stays open"
    } else {
        "could not be carried out"
    };
    Finding {
        state: State::Unknown,
        summary: summary.to_owned(),
        error: Some(cause),
        basis: None,
    }
}

/// Which checks could and could not be carried out, in the shape that incidents are judged in.
fn sight(findings: &[(CheckName, Finding)], leader: Option<&Leader>) -> Seen<Unseen, String> {
    let mut seen = Seen {
        down: BTreeMap::new(),
        unseen: BTreeSet::new(),
        up: BTreeSet::new(),
    };
    for (name, finding) in findings {
        match (finding.state, &finding.error) {
            (State::Unknown, error) => {
                let cause = error.clone().unwrap_or_default();
                seen.down.insert(Unseen::Check(*name), cause);
            }
            (State::Ok | State::Alert, _) => {
                seen.up.insert(Unseen::Check(*name));
            }
        }
    }
    match leader {
        None => {}
        Some(Leader::There) => {
            seen.up.insert(Unseen::Leader);
        }
        Some(Leader::Lost(servers)) => {
            let servers = Servers::of(servers).to_string();
            seen.down.insert(Unseen::Leader, servers);
        }
        Some(Leader::Unseen) => {
            seen.unseen.insert(Unseen::Leader);
        }
    }
    seen
}

fn outcome(
    finding: Finding,
    before: Option<&Outcome>,
    last_known: impl FnOnce() -> Option<Known>,
    now: Timestamp,
) -> Outcome {
    let since = match before {
        Some(before) if before.state == finding.state => before.since,
        _ => now,
    };
    let known = match (finding.state, before) {
        (State::Unknown, Some(before)) => match before.state {
            State::Unknown => before.known.clone(),
            State::Ok | State::Alert => last_known(),
        },
        _ => None,
    };
    Outcome {
        state: finding.state,
        known,
        basis: finding.basis,
        since,
        summary: finding.summary,
        error: finding.error,
    }
}

/// Takes up a new reading. Falling from critical to warn is no news: the storage is still too full, and the mail that
/// says so has been sent. While it is `quiet`, no level is told but that all is well again.
fn judge_capacity(
    memory: CapacityMemory,
    report: Reading,
    quiet: bool,
    remind_every: Option<Duration>,
    now: Timestamp,
) -> (CapacityMemory, Option<Raise<Reading>>) {
    let level = report.level;
    let next = CapacityMemory {
        level,
        incident: None,
        last: Some(report),
        history: memory.history,
        told: None,
        acknowledged: memory.acknowledged,
    };
    let Some(mut incident) = memory.incident else {
        if level == Level::Ok || quiet {
            return (next, None);
        }
        let incident = Incident::begin(Topic::Capacity.as_str(), now);
        let raise = capacity_raise(Kind::Raised, &incident, 0, report);
        let incident = Some(incident);
        return (CapacityMemory { incident, ..next }, Some(raise));
    };
    let told = memory.told.unwrap_or(memory.level);
    let known = memory.acknowledged.unwrap_or(Level::Ok);
    let kind = if level == Level::Ok {
        Some(Kind::Cleared)
    } else if quiet {
        None
    } else if level > told.max(known) {
        Some(Kind::Updated)
    } else if level > known && incident.reminder_due(remind_every, now) {
        Some(Kind::Reminder)
    } else {
        None
    };
    let raise = kind.map(|kind| {
        let sequence = incident.next_alert(kind, now);
        capacity_raise(kind, &incident, sequence, report)
    });
    if kind == Some(Kind::Cleared) {
        let acknowledged = None;
        return (
            CapacityMemory {
                acknowledged,
                ..next
            },
            raise,
        );
    }
    let untold = quiet && level > told.max(known);
    let next = CapacityMemory {
        incident: Some(incident),
        told: untold.then_some(told),
        ..next
    };
    (next, raise)
}

fn capacity_raise(
    kind: Kind,
    incident: &Incident,
    sequence: u32,
    report: Reading,
) -> Raise<Reading> {
    Raise {
        kind,
        incident: incident.id.clone(),
        began: incident.raised,
        sequence,
        report,
    }
}

#[cfg(test)]
mod quiet_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Presence;
    use crate::words::{Language, Words};

    fn minute(minute: i64) -> Timestamp {
        Timestamp::from_second(1_795_402_440 + minute * 60).unwrap()
    }

    /// What a pass sees: percent used, nodes down, OSDs down; `None` could not be seen.
    type Sight<'a> = (Option<u64>, Option<&'a [&'a str]>, Option<&'a [i64]>);

    fn observed((used, nodes, osds): Sight<'_>) -> Observed {
        let lost = || "timed out".to_owned();
        let usage = |used_bytes| Usage {
            used_bytes,
            total_bytes: 100,
            mgr_available: true,
        };
        let membership = |down: &[&str]| Membership {
            nodes: ["node1", "node2", "node3"]
                .into_iter()
                .map(|name| {
                    let presence = if down.contains(&name) {
                        Presence::Down(Absence::Failed)
                    } else {
                        Presence::Alive
                    };
                    (name.to_owned(), presence)
                })
                .collect(),
            unreadable: BTreeMap::new(),
            ..Membership::default()
        };
        let tree = |down: &[i64]| OsdTree {
            up: (0..4).filter(|id| !down.contains(id)).map(OsdId).collect(),
            down: down
                .iter()
                .map(|&id| {
                    let osd = DownOsd {
                        host: Some(format!("node{}", id % 3 + 1)),
                        status: "down".to_owned(),
                        out: false,
                        stray: false,
                    };
                    (OsdId(id), osd)
                })
                .collect(),
            hosts: BTreeMap::new(),
        };
        Observed {
            capacity: Some(used.map(usage).ok_or_else(lost)),
            nodes: Some(nodes.map(membership).ok_or_else(lost)),
            osds: Some(osds.map(tree).ok_or_else(lost)),
            ..Observed::default()
        }
    }

    /// One pass a minute; each alert as `topic kind`, and the state of all checks.
    fn story(passes: &[Sight<'_>], checks: &Checks, notify: &Notify) -> (Vec<String>, Memory) {
        let mut memory = Memory::default();
        let mut told = Vec::new();
        for (at, sight) in passes.iter().enumerate() {
            let rules = Rules {
                checks,
                notify,
                nodes_prefix: "PetaSAN/Nodes/",
                cluster: "prod",
            };
            let now = minute(i64::try_from(at).unwrap());
            let verdict = judge_pass(memory, observed(*sight), rules, now);
            memory = verdict.memory;
            let alerts = verdict.alerts.iter();
            let alerts = alerts.map(|a| format!("{} {}", a.report.topic(), a.kind.as_str()));
            told.push(alerts.collect::<Vec<_>>().join(", "));
        }
        (told, memory)
    }

    const WELL: Sight<'static> = (Some(50), Some(&[]), Some(&[]));

    #[test]
    fn each_check_speaks_for_itself() {
        let cases: &[(&str, &[Sight<'_>], &[&str])] = &[
            ("all is well", &[WELL, WELL], &["", ""]),
            (
                "all at once, and all over at once",
                &[(Some(61), Some(&["node2"]), Some(&[1])), WELL],
                &[
                    "capacity raised, nodes raised, osds raised",
                    "capacity cleared, nodes cleared, osds cleared",
                ],
            ),
            (
                "capacity hovers, climbs, eases, falls",
                &[
                    (Some(61), Some(&[]), Some(&[])),
                    (Some(59), Some(&[]), Some(&[])),
                    (Some(61), Some(&[]), Some(&[])),
                    (Some(86), Some(&[]), Some(&[])),
                    (Some(84), Some(&[]), Some(&[])),
                    (Some(70), Some(&[]), Some(&[])),
                    (Some(86), Some(&[]), Some(&[])),
                    (Some(58), Some(&[]), Some(&[])),
                ],
                &[
                    "capacity raised",
                    "",
                    "",
                    "capacity updated",
                    "",
                    "",
                    "capacity updated",
                    "capacity cleared",
                ],
            ),
        ];
        for (name, passes, expected) in cases {
            let (told, _) = story(passes, &Checks::default(), &Notify::default());
            assert_eq!(&told, expected, "{name}");
        }
    }

    #[test]
    fn what_could_not_be_seen_neither_raises_nor_clears() {
        let down: Sight<'_> = (Some(61), Some(&["node2"]), Some(&[1]));
        let blind: Sight<'_> = (None, None, None);
        let (told, memory) = story(
            &[down, blind, blind, down, WELL],
            &Checks::default(),
            &Notify::default(),
        );
        let raised = "capacity raised, nodes raised, osds raised";
        let cleared = "capacity cleared, nodes cleared, osds cleared";
        assert_eq!(told, [raised, "", "", "", cleared]);
        let states: Vec<State> = memory.outcomes.values().map(|o| o.state).collect();
        assert_eq!(states, [State::Ok; 3]);
    }

    #[test]
    fn what_is_remembered_is_untouched_while_blind() {
        let down: Sight<'_> = (Some(61), Some(&["node2"]), Some(&[1]));
        let (_, before) = story(&[down], &Checks::default(), &Notify::default());
        let (_, after) = story(
            &[down, (None, None, None)],
            &Checks::default(),
            &Notify::default(),
        );
        assert_eq!(after.capacity, before.capacity);
        assert_eq!(after.nodes, before.nodes);
        assert_eq!(after.osds, before.osds);
        assert_eq!(after.outcomes[&CheckName::Osds].state, State::Unknown);
        let error = after.outcomes[&CheckName::Osds].error.as_deref();
        assert_eq!(error, Some("timed out"));
    }

    #[test]
    fn being_blind_for_long_is_an_alert_of_its_own() {
        let no_ceph: Sight<'_> = (None, Some(&[]), None);
        let nothing: Sight<'_> = (None, None, None);
        let passes = [
            no_ceph, no_ceph, no_ceph, no_ceph, nothing, no_ceph, no_ceph, WELL, WELL,
        ];
        let (told, _) = story(&passes, &Checks::default(), &Notify::default());
        let expected = ["", "", "", "", "", "blind raised", "", "blind cleared", ""];
        assert_eq!(told, expected);
    }

    #[test]
    fn who_is_blind_tells_what_was_last_known() {
        let nothing: Sight<'_> = (None, None, None);
        let down: Sight<'_> = (Some(61), Some(&["node2"]), Some(&[0]));
        let (checks, notify) = (Checks::default(), Notify::default());
        let rules = Rules {
            checks: &checks,
            notify: &notify,
            nodes_prefix: "PetaSAN/Nodes/",
            cluster: "prod",
        };
        let mut memory = Memory::default();
        let mut told = Vec::new();
        for at in 0..8 {
            let sight = if at == 0 { down } else { nothing };
            let verdict = judge_pass(memory, observed(sight), rules, minute(at));
            memory = verdict.memory;
            told.push(verdict.alerts);
        }
        let [blind] = told[6].as_slice() else {
            panic!("{told:?}");
        };
        let known = blind.circumstances.last_known.values();
        assert!(known.clone().all(|known| matches!(known, Known::Found(_))));
        let english = Words::of(Language::English);
        let known: Vec<String> = known
            .map(|known| crate::message::standing::known(&english, known))
            .collect();
        assert_eq!(
            known,
            [
                "storage 61 % full (over 60 %), 61 B of 100 B",
                "1 of 3 nodes down: node2",
                "1 of 4 OSDs down: osd.0/node1"
            ]
        );
        let (_, memory) = story(&[down, nothing, WELL], &checks, &notify);
        assert!(
            memory
                .outcomes
                .values()
                .all(|outcome| outcome.known.is_none())
        );
    }

    #[test]
    fn a_consul_without_leader_is_told_of_after_a_while_and_hides_nothing() {
        let (checks, notify) = (Checks::default(), Notify::default());
        let rules = Rules {
            checks: &checks,
            notify: &notify,
            nodes_prefix: "PetaSAN/Nodes/",
            cluster: "prod",
        };
        let gone = Presence::Down(Absence::Failed);
        let servers = [("node1", Presence::Alive), ("node2", gone), ("node3", gone)];
        let servers = servers.map(|(name, presence)| (name.to_owned(), presence));
        let mut memory = Memory::default();
        // `-` has a leader, `x` has none, `?` cannot be seen, `!` has none while a node goes down.
        let told: Vec<String> = (0..)
            .zip("-xxx?x!x?-".chars())
            .map(|(at, sight)| {
                let down: &[&str] = if sight == '!' { &["node2"] } else { &[] };
                let nodes = (sight != '?').then_some(down);
                let mut seen = observed((Some(50), nodes, Some(&[])));
                if let (Some(Ok(membership)), 'x' | '!') = (&mut seen.nodes, sight) {
                    membership.leaderless = Some(servers.clone().into());
                }
                let verdict = judge_pass(std::mem::take(&mut memory), seen, rules, minute(at));
                memory = verdict.memory;
                let alerts = verdict.alerts.iter().map(|alert| {
                    let nodes_alone = Recipient {
                        checks: vec![CheckName::Nodes],
                        ..recipient()
                    };
                    assert!(alert.concerns(&nodes_alone));
                    if let (Report::Blind(_), told) = (&alert.report, &alert.circumstances) {
                        let gone = told.leaderless.as_ref().map(|servers| servers.gone);
                        assert_eq!(gone, (sight != '-').then_some(2));
                    }
                    format!("{} {}", alert.report.topic(), alert.kind.as_str())
                });
                alerts.collect::<Vec<_>>().join(", ")
            })
            .collect();
        let expected = [
            "",
            "",
            "",
            "",
            "",
            "",
            "nodes raised, blind raised",
            "nodes cleared",
            "",
            "blind cleared",
        ];
        assert_eq!(told, expected);
    }

    fn recipient() -> Recipient {
        Recipient::of_everything("ops@example.org".parse().unwrap())
    }

    #[test]
    fn a_node_concerns_those_who_watch_osds_while_osds_are_down_with_it() {
        let (checks, notify) = (Checks::default(), Notify::default());
        let rules = Rules {
            checks: &checks,
            notify: &notify,
            nodes_prefix: "PetaSAN/Nodes/",
            cluster: "prod",
        };
        let osds_alone = Recipient {
            checks: vec![CheckName::Osds],
            ..recipient()
        };
        for (osds, concerned) in [(&[][..], false), (&[1], true)] {
            let mut seen = observed((Some(50), Some(&["node2"]), Some(osds)));
            if let Some(Ok(tree)) = &mut seen.osds {
                tree.hosts = [("node2".to_owned(), Host::default())].into();
            }
            let alerts = judge_pass(Memory::default(), seen, rules, minute(0)).alerts;
            assert_eq!(alerts.len(), 1);
            assert_eq!(alerts[0].concerns(&osds_alone), concerned, "{osds:?}");
        }
    }

    #[test]
    fn who_was_told_of_a_node_because_of_osds_hears_all_of_its_incident() {
        let (checks, notify) = (Checks::default(), Notify::default());
        let rules = Rules {
            checks: &checks,
            notify: &notify,
            nodes_prefix: "PetaSAN/Nodes/",
            cluster: "prod",
        };
        let seen = observed((Some(50), Some(&["node2"]), Some(&[])));
        let alerts = judge_pass(Memory::default(), seen, rules, minute(0)).alerts;
        let [alert] = alerts.as_slice() else {
            panic!("{alerts:?}");
        };
        for (check, severity, first, later) in [
            (CheckName::Nodes, Severity::default(), true, true),
            (CheckName::Osds, Severity::default(), false, true),
            (CheckName::Osds, Severity::Critical, false, false),
            (CheckName::Capacity, Severity::default(), false, false),
        ] {
            let one = Recipient {
                checks: vec![check],
                severity,
                ..recipient()
            };
            assert_eq!(alert.concerns(&one), first, "{check}");
            assert_eq!(alert.still_concerns(&one), later, "{check}");
        }
    }

    #[test]
    fn a_clock_that_jumps_makes_blindness_neither_an_alert_at_once_nor_never_one() {
        let (checks, notify, hour) = (Checks::default(), Notify::default(), 60);
        let rules = Rules {
            checks: &checks,
            notify: &notify,
            nodes_prefix: "PetaSAN/Nodes/",
            cluster: "prod",
        };
        // By how many minutes the clock jumps after how many passes; in which pass blindness is told.
        for (jump, passes, told) in [
            (0, 1, 6),
            (-1, 3, 7),
            (-hour, 1, 7),
            (-hour, 4, 10),
            (-365 * 24 * hour, 4, 10),
            // The clock is not set: what was before counts from then on as well.
            (-1_795_402_440 / 60, 1, 7),
            (2, 3, 4),
            (hour, 1, 3),
            (365 * 24 * hour, 1, 3),
            (365 * 24 * hour, 2, 3),
        ] {
            let mut memory = Memory::default();
            let raised = (1..).find(|pass| {
                let jumped = if *pass > passes { jump } else { 0 };
                let now = minute(pass + jumped);
                memory.set_clock(now);
                let blind = observed((None, Some(&[]), Some(&[])));
                let verdict = judge_pass(std::mem::take(&mut memory), blind, rules, now);
                memory = verdict.memory;
                !verdict.alerts.is_empty()
            });
            assert_eq!(raised, Some(told), "{jump} min after {passes} passes");
        }
    }

    #[test]
    fn what_is_held_back_must_be_down_in_so_many_passes_and_for_so_long() {
        let minutes = |minutes: u64| Some(Duration::from_secs(60 * minutes));
        let down: Sight<'_> = (Some(50), Some(&[]), Some(&[1]));
        for (passes, time, told) in [
            (1, None, 0),
            (3, None, 2),
            (1, minutes(3), 3),
            (3, minutes(2), 2),
            (5, minutes(2), 4),
            (2, minutes(4), 4),
        ] {
            let checks = Checks {
                osds: Some(Hold { passes, time }),
                ..Checks::default()
            };
            let (alerts, _) = story(&[down; 6], &checks, &Notify::default());
            let raised = alerts.iter().position(|alerts| alerts == "osds raised");
            assert_eq!(raised, Some(told), "{passes} passes, {time:?}");
            let quiet = alerts.iter().filter(|alerts| alerts.is_empty());
            assert_eq!(quiet.count(), 5, "once");
        }
    }

    #[test]
    fn a_clock_that_jumps_neither_ends_the_hold_at_once_nor_makes_it_endless() {
        let hold = Hold {
            passes: 1,
            time: Some(Duration::from_secs(180)),
        };
        // By how many minutes the clock jumps after the first pass; in which pass it is told.
        for (jump, told) in [(0, 3), (-60, 4), (-365 * 24 * 60, 4), (60, 2), (4, 1)] {
            let mut down = Down {
                since: minute(0),
                passes: 0,
                announced: false,
                flapping: None,
                what: (),
            };
            let pass = (0..10).find(|pass| {
                let now = minute(pass + if *pass > 0 { jump } else { 0 });
                down.since = plausible(down.since, now);
                down.passes += 1;
                is_held_out(&down, hold, now)
            });
            assert_eq!(pass, Some(told), "{jump} min");
        }
    }

    #[test]
    fn a_check_that_is_off_is_neither_judged_nor_remembered() {
        let off = Checks {
            osds: None,
            ..Checks::default()
        };
        let down: Sight<'_> = (Some(50), Some(&[]), Some(&[1]));
        let (told, memory) = story(&[down], &off, &Notify::default());
        assert_eq!(told, [""]);
        assert!(!memory.outcomes.contains_key(&CheckName::Osds));
    }

    #[test]
    fn an_alert_names_what_else_is_wrong() {
        let (mut memory, mut alerts) = (Memory::default(), Vec::new());
        let (checks, notify) = (Checks::default(), Notify::default());
        let rules = Rules {
            checks: &checks,
            notify: &notify,
            nodes_prefix: "PetaSAN/Nodes/",
            cluster: "prod",
        };
        for (at, sight) in [
            (0, (Some(50), Some(&["node2"][..]), Some(&[][..]))),
            (1, (Some(50), Some(&["node2"][..]), Some(&[1][..]))),
        ] {
            let verdict = judge_pass(memory, observed(sight), rules, minute(at));
            (memory, alerts) = (verdict.memory, verdict.alerts);
        }
        let told = crate::message::tests::elsewhere(&alerts[0]);
        assert_eq!(told, ["1 node down: node2"]);
    }

    #[test]
    fn an_alert_tells_what_was_up_beside_what_is_down() {
        let (checks, notify) = (Checks::default(), Notify::default());
        let rules = Rules {
            checks: &checks,
            notify: &notify,
            nodes_prefix: "PetaSAN/Nodes/",
            cluster: "prod",
        };
        let mut seen = observed((Some(61), Some(&["node2"]), Some(&[2])));
        if let Some(Ok(tree)) = &mut seen.osds {
            let host = |up| Host { up, rack: None };
            let hosts = [("node1", host(2)), ("node3", host(1))];
            tree.hosts = hosts.map(|(name, host)| (name.to_owned(), host)).into();
        }
        let alerts = judge_pass(Memory::default(), seen, rules, minute(0)).alerts;
        assert_eq!(alerts.len(), 3);
        for alert in alerts {
            let told = alert.circumstances;
            if alert.report.topic() == Topic::Capacity {
                assert!(told.is_empty(), "{told:?}");
                continue;
            }
            let osds = [("node1".to_owned(), 2), ("node3".to_owned(), 1)];
            assert_eq!(told.osds_up, BTreeMap::from(osds));
            let nodes = ["node1".to_owned(), "node3".to_owned()];
            assert_eq!(told.nodes_up, BTreeSet::from(nodes));
        }
    }

    #[test]
    fn since_lasts_as_long_as_the_state() {
        let down: Sight<'_> = (Some(50), Some(&["node2"]), Some(&[]));
        let (_, memory) = story(
            &[WELL, down, down, down],
            &Checks::default(),
            &Notify::default(),
        );
        assert_eq!(memory.outcomes[&CheckName::Nodes].since, minute(1));
        assert_eq!(memory.outcomes[&CheckName::Osds].since, minute(0));
    }
}
