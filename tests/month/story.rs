//! What happens in the month: one scenario after the other, each in a span of its own that begins and ends with all being
//! well. Order, moments and places are random.
//!
//! A thing is not seen when it happens. Consul's gossip takes a failed member for dead after 5 to 25 s, Ceph's heartbeats an
//! OSD after 20 to 30 s, each on either side of a pass.

use petanotify::alert::Topic;
use petanotify::facts::{Absence, HealthSeverity, Presence};

use crate::chance::Chance;
use crate::world::{
    Admin, Answer, Change, Fill, NODES, OSDS_OF_NODE, REAPED, node_name, osds_of, rack,
};

pub(crate) const MINUTE: i64 = 60;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// Where petanotify runs.
const OWN_NODE: usize = 0;

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scenario {
    Quiet,
    DiskDies,
    DiskFlaps,
    HostReboots,
    RollingReboot,
    RollingRebootNoOut,
    HostDies,
    RackLosesPower,
    SwitchHiccup,
    NoConsulLeader,
    NoMonitorQuorum,
    HostDiesUnseen,
    ManagerFailsOver,
    CephHangs,
    StorageFills,
    MailServerOut,
    OwnNodeReboots,
    ClockSteps,
    OsdRemoved,
    OsdReplaced,
    OsdDestroyed,
    Silenced,
    SilenceForgotten,
    Acknowledged,
    Reminded,
    HeldWhileNoOut,
    NightFailures,
    Newcomer,
    CephUnwell,
}

impl Scenario {
    /// All of them with the hours that each takes: a month, and a little more.
    pub(crate) const MONTH: [(Scenario, i64); 29] = [
        (Scenario::Quiet, 60),
        (Scenario::DiskDies, 24),
        (Scenario::DiskFlaps, 24),
        (Scenario::HostReboots, 12),
        (Scenario::RollingReboot, 24),
        (Scenario::RollingRebootNoOut, 24),
        (Scenario::HostDies, 120),
        (Scenario::RackLosesPower, 24),
        (Scenario::SwitchHiccup, 12),
        (Scenario::NoConsulLeader, 12),
        (Scenario::NoMonitorQuorum, 12),
        (Scenario::HostDiesUnseen, 12),
        (Scenario::ManagerFailsOver, 12),
        (Scenario::CephHangs, 12),
        (Scenario::StorageFills, 192),
        (Scenario::MailServerOut, 24),
        (Scenario::OwnNodeReboots, 12),
        (Scenario::ClockSteps, 12),
        (Scenario::OsdRemoved, 24),
        (Scenario::OsdReplaced, 24),
        (Scenario::OsdDestroyed, 24),
        (Scenario::Silenced, 12),
        (Scenario::SilenceForgotten, 12),
        (Scenario::Acknowledged, 12),
        (Scenario::Reminded, 192),
        (Scenario::HeldWhileNoOut, 12),
        (Scenario::NightFailures, 48),
        (Scenario::Newcomer, 12),
        (Scenario::CephUnwell, 12),
    ];

    /// So many of the first are what happens to a cluster by itself; in the others admins tell petanotify what they want.
    const WITHOUT_ADMINS: usize = 21;

    pub(crate) fn name(self) -> &'static str {
        match self {
            Scenario::Quiet => "nothing happens",
            Scenario::DiskDies => "a disk dies",
            Scenario::DiskFlaps => "a disk flaps for 6 h",
            Scenario::HostReboots => "a host reboots",
            Scenario::RollingReboot => "all hosts reboot, one by one",
            Scenario::RollingRebootNoOut => "the same with noout",
            Scenario::HostDies => "a host dies for good",
            Scenario::RackLosesPower => "a rack loses power",
            Scenario::SwitchHiccup => "half the nodes gone for 90 s",
            Scenario::NoConsulLeader => "Consul without leader, 10 min",
            Scenario::NoMonitorQuorum => "no monitor quorum, 20 min",
            Scenario::HostDiesUnseen => "a host dies during that",
            Scenario::ManagerFailsOver => "the manager fails over",
            Scenario::CephHangs => "ceph hangs for 4 passes",
            Scenario::StorageFills => "storage hovers at 60 %, then 85 %",
            Scenario::MailServerOut => "mail out 3 h, a host dies",
            Scenario::OwnNodeReboots => "petanotify's node reboots",
            Scenario::ClockSteps => "the clock steps",
            Scenario::OsdRemoved => "an OSD is removed",
            Scenario::OsdReplaced => "an OSD is replaced",
            Scenario::OsdDestroyed => "an OSD is destroyed",
            Scenario::Silenced => "a host is silenced for its reboot",
            Scenario::SilenceForgotten => "a silence ends, the host is away",
            Scenario::Acknowledged => "one is acknowledged, one is new",
            Scenario::Reminded => "nobody does a thing: reminders",
            Scenario::HeldWhileNoOut => "OSDs held back while noout is set",
            Scenario::NightFailures => "disks die at night, quiet hours",
            Scenario::Newcomer => "somebody comes in the midst of it",
            Scenario::CephUnwell => "Ceph's own health is told",
        }
    }
}

/// One outage as it could be seen.
#[derive(Clone, Debug)]
pub(crate) struct Outage {
    pub(crate) node: Option<String>,
    pub(crate) osds: Vec<i64>,
    /// The first trace of it.
    pub(crate) seen: i64,
    /// From then on all of it can be seen.
    pub(crate) seen_whole: i64,
    /// The first trace of its end.
    pub(crate) ends: i64,
    /// From then on no trace is left.
    pub(crate) ended: i64,
}

/// A scenario with its moments: what `ideal` needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) scenario: Scenario,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) outages: Vec<Outage>,
}

/// The month.
pub(crate) struct Story {
    pub(crate) scenes: Vec<Scene>,
    /// In the order of time.
    pub(crate) changes: Vec<(i64, Change)>,
}

impl Story {
    /// The whole month.
    pub(crate) fn month(chance: &mut Chance) -> Story {
        let mut scenarios = Scenario::MONTH.to_vec();
        chance.shuffle(&mut scenarios);
        Story::of(&scenarios, chance)
    }

    /// These scenarios one after the other, each with the hours that it takes.
    pub(crate) fn of(scenarios: &[(Scenario, i64)], chance: &mut Chance) -> Story {
        let mut stage = Stage {
            chance,
            changes: Vec::new(),
            outages: Vec::new(),
        };
        let mut scenes = Vec::new();
        let mut start = 0;
        for &(scenario, hours) in scenarios {
            // A little later than the span begins, and at any second of a minute.
            let begin = start + stage.between(10 * MINUTE, HOUR);
            stage.play(scenario, begin);
            let end = start + hours * HOUR;
            let outages = std::mem::take(&mut stage.outages);
            scenes.push(Scene {
                scenario,
                start,
                end,
                outages,
            });
            start = end;
        }
        let mut changes = stage.changes;
        changes.sort_by_key(|(at, _)| *at);
        Story { scenes, changes }
    }

    /// A month in which one thing happens while another still lasts, and the same may happen twice at once.
    pub(crate) fn tangle(chance: &mut Chance) -> Story {
        let mut stage = Stage {
            chance,
            changes: Vec::new(),
            outages: Vec::new(),
        };
        let last = i64::try_from(Scenario::WITHOUT_ADMINS).unwrap() - 1;
        for _ in 0..400 {
            let which = usize::try_from(stage.between(0, last)).unwrap();
            let (scenario, hours) = Scenario::MONTH[which];
            let begin = stage.between(10 * MINUTE, 30 * DAY - hours * HOUR);
            stage.play(scenario, begin);
        }
        let outages = std::mem::take(&mut stage.outages);
        let mut changes = stage.changes;
        changes.sort_by_key(|(at, _)| *at);
        let scene = Scene {
            scenario: Scenario::Quiet,
            start: 0,
            end: 30 * DAY,
            outages,
        };
        Story {
            scenes: vec![scene],
            changes,
        }
    }

    /// How many seconds it takes.
    pub(crate) fn length(&self) -> i64 {
        self.scenes.last().unwrap().end
    }
}

/// How a host goes down.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Going {
    /// Its services are stopped first: the OSDs say that they go, and the gossip hears of it at once.
    Orderly,
    /// From one moment to the next.
    Crash,
}

struct Stage<'a> {
    chance: &'a mut Chance,
    changes: Vec<(i64, Change)>,
    outages: Vec<Outage>,
}

impl Stage<'_> {
    fn between(&mut self, first: i64, last: i64) -> i64 {
        self.chance.within(first..=last)
    }

    fn at(&mut self, second: i64, change: Change) {
        self.changes.push((second, change));
    }

    fn any_node(&mut self) -> usize {
        let last = i64::try_from(NODES).unwrap() - 1;
        usize::try_from(self.between(0, last)).unwrap()
    }

    fn any_osd(&mut self) -> i64 {
        let last = i64::try_from(NODES * OSDS_OF_NODE).unwrap() - 1;
        self.between(0, last)
    }

    /// An OSD dies at this moment; when it is seen down.
    fn osd_dies(&mut self, osd: i64, at: i64) -> i64 {
        let seen = at + self.between(20, 30);
        self.at(seen, Change::OsdDown(osd));
        seen
    }

    fn outage(&mut self, osd: i64, seen: i64, ended: i64) {
        self.outages.push(Outage {
            node: None,
            osds: vec![osd],
            seen,
            seen_whole: seen,
            ends: ended,
            ended,
        });
    }

    /// A host is away from one moment to another.
    fn host_away(&mut self, node: usize, from: i64, to: i64, going: Going) {
        let (node_seen, absence) = match going {
            Going::Orderly => (from + self.between(0, 3), Absence::Left),
            Going::Crash => (from + self.between(5, 25), Absence::Failed),
        };
        self.at(node_seen, Change::Node(node, Presence::Down(absence)));
        let mut seen = vec![node_seen];
        for osd in osds_of(node) {
            let osd_seen = match going {
                Going::Orderly => from + self.between(0, 4),
                Going::Crash => from + self.between(20, 30),
            };
            self.at(osd_seen, Change::OsdDown(osd));
            seen.push(osd_seen);
        }
        let node_back = to + self.between(0, 5);
        self.at(node_back, Change::Node(node, Presence::Alive));
        let mut back = vec![node_back];
        for osd in osds_of(node) {
            // They read their disks first.
            let osd_back = to + self.between(10, 50);
            self.at(osd_back, Change::OsdUp(osd));
            back.push(osd_back);
        }
        self.outages.push(Outage {
            node: Some(node_name(node)),
            osds: osds_of(node),
            seen: *seen.iter().min().unwrap(),
            seen_whole: *seen.iter().max().unwrap(),
            ends: *back.iter().min().unwrap(),
            ended: *back.iter().max().unwrap(),
        });
    }

    /// Something is away that is no part of the cluster's stock.
    fn spell(&mut self, from: i64, to: i64, begin: Change, end: Change) {
        self.at(from, begin);
        self.at(to, end);
        self.outages.push(Outage {
            node: None,
            osds: Vec::new(),
            seen: from,
            seen_whole: from,
            ends: to,
            ended: to,
        });
    }

    fn play(&mut self, scenario: Scenario, begin: i64) {
        match scenario {
            Scenario::Quiet => {}
            Scenario::DiskDies => {
                let osd = self.any_osd();
                let seen = self.osd_dies(osd, begin);
                let ended = begin + self.between(6 * HOUR, 12 * HOUR);
                self.at(ended, Change::OsdUp(osd));
                self.outage(osd, seen, ended);
            }
            Scenario::DiskFlaps => self.disk_flaps(begin),
            Scenario::HostReboots => {
                let node = self.any_node();
                self.host_away(node, begin, begin + 3 * MINUTE, Going::Orderly);
            }
            Scenario::RollingReboot => {
                self.rolling_reboot(begin);
            }
            Scenario::RollingRebootNoOut => {
                self.at(begin - 2 * MINUTE, Change::NoOut(true));
                let end = self.rolling_reboot(begin);
                self.at(end + 10 * MINUTE, Change::NoOut(false));
            }
            Scenario::HostDies => self.host_dies(begin),
            Scenario::RackLosesPower => {
                let rack_number = usize::try_from(self.between(0, 3)).unwrap();
                let end = begin + self.between(HOUR, 3 * HOUR);
                for node in rack(rack_number) {
                    // A machine needs its time to start.
                    let back = end + self.between(0, 3 * MINUTE);
                    self.host_away(node, begin, back, Going::Crash);
                }
            }
            Scenario::SwitchHiccup => {
                let first = usize::try_from(self.between(0, 1)).unwrap();
                for node in (first..NODES).step_by(2) {
                    self.host_away(node, begin, begin + 90, Going::Crash);
                }
            }
            Scenario::NoConsulLeader => self.spell(
                begin,
                begin + 10 * MINUTE,
                Change::Leader(false),
                Change::Leader(true),
            ),
            Scenario::NoMonitorQuorum => self.no_quorum(begin),
            Scenario::HostDiesUnseen => {
                self.no_quorum(begin);
                let node = self.any_node();
                let from = begin + self.between(6 * MINUTE, 12 * MINUTE);
                let to = begin + self.between(2 * HOUR, 3 * HOUR);
                self.host_away(node, from, to, Going::Crash);
            }
            Scenario::ManagerFailsOver => {
                let back = begin + self.between(25, 45);
                self.spell(begin, back, Change::Manager(false), Change::Manager(true));
                // The new one has to hear from the OSDs first.
                self.at(begin, Change::Figures(false));
                let heard = back + self.between(5, 20);
                self.at(heard, Change::Figures(true));
            }
            Scenario::CephHangs => self.spell(
                begin,
                begin + 4 * MINUTE,
                Change::Ceph(Answer::Hung),
                Change::Ceph(Answer::Given),
            ),
            Scenario::StorageFills => self.storage_fills(begin),
            Scenario::MailServerOut => {
                self.spell(
                    begin,
                    begin + 3 * HOUR,
                    Change::Mail(false),
                    Change::Mail(true),
                );
                let node = self.any_node();
                let from = begin + self.between(5 * MINUTE, HOUR);
                let to = begin + self.between(6 * HOUR, 8 * HOUR);
                self.host_away(node, from, to, Going::Crash);
            }
            Scenario::OwnNodeReboots => {
                // One of another host.
                let osd = self.between(12, 239);
                let seen = self.osd_dies(osd, begin);
                let ended = begin + self.between(3 * HOUR, 4 * HOUR);
                self.at(ended, Change::OsdUp(osd));
                self.outage(osd, seen, ended);
                for reboot in 1..=2 {
                    let down = begin + reboot * HOUR;
                    let up = down + self.between(3 * MINUTE, 8 * MINUTE);
                    self.at(down, Change::Running(false));
                    self.host_away(OWN_NODE, down, up, Going::Orderly);
                    // What it did not see itself it does not tell.
                    self.outages.pop();
                    let runs = up + self.between(5, 60);
                    self.at(runs, Change::Running(true));
                }
            }
            Scenario::ClockSteps => {
                let osd = self.any_osd();
                let seen = self.osd_dies(osd, begin);
                let mut at = begin;
                for ahead in [-2 * HOUR, 3 * HOUR, -DAY, 40 * DAY, 0] {
                    at += self.between(20 * MINUTE, HOUR);
                    self.at(at, Change::Clock(ahead));
                }
                let ended = at + HOUR;
                self.at(ended, Change::OsdUp(osd));
                self.outage(osd, seen, ended);
            }
            Scenario::OsdRemoved => {
                let osd = self.any_osd();
                let seen = self.osd_dies(osd, begin);
                let ended = begin + self.between(6 * HOUR, 12 * HOUR);
                self.at(ended, Change::OsdPurged(osd));
                self.outage(osd, seen, ended);
                // The slot is filled a few hours later, which is nobody's news.
                self.at(ended + 4 * HOUR, Change::OsdUp(osd));
                // And one that is up leaves and comes back.
                let other = (osd + 40) % 240;
                self.at(ended + 5 * HOUR, Change::OsdPurged(other));
                self.at(ended + 6 * HOUR, Change::OsdUp(other));
            }
            Scenario::OsdReplaced => {
                let osd = self.any_osd();
                let seen = self.osd_dies(osd, begin);
                let out_of_crush = begin + self.between(2 * HOUR, 3 * HOUR);
                self.at(out_of_crush, Change::OsdStray(osd));
                self.at(out_of_crush + HOUR, Change::OsdDestroyed(osd));
                let ended = begin + self.between(6 * HOUR, 12 * HOUR);
                self.at(ended, Change::OsdUp(osd));
                self.outage(osd, seen, ended);
            }
            Scenario::OsdDestroyed => {
                // Stopped and destroyed on purpose, as a healthy disk that is to be made anew.
                let osd = self.any_osd();
                let seen = begin + self.between(0, 2);
                self.at(seen, Change::OsdDown(osd));
                let destroyed = seen + self.between(5, 90);
                self.at(destroyed, Change::OsdDestroyed(osd));
                let ended = begin + self.between(3 * HOUR, 12 * HOUR);
                self.at(ended, Change::OsdUp(osd));
                self.outage(osd, seen, ended);
            }
            Scenario::Silenced => {
                let node = self.any_node();
                self.admin(begin, Admin::Silence(node, 2 * HOUR));
                let from = begin + self.between(5 * MINUTE, 20 * MINUTE);
                let to = from + self.between(20 * MINUTE, HOUR);
                self.host_away(node, from, to, Going::Orderly);
            }
            Scenario::SilenceForgotten => {
                let node = self.any_node();
                self.admin(begin, Admin::Silence(node, HOUR));
                let from = begin + self.between(5 * MINUTE, 20 * MINUTE);
                let to = begin + self.between(3 * HOUR, 5 * HOUR);
                self.host_away(node, from, to, Going::Orderly);
                // It is news when the silence is over.
                if let Some(outage) = self.outages.last_mut() {
                    (outage.seen, outage.seen_whole) = (begin + HOUR, begin + HOUR + MINUTE);
                }
            }
            Scenario::Acknowledged => self.acknowledged(begin),
            Scenario::Reminded => {
                let osd = self.any_osd();
                let seen = self.osd_dies(osd, begin);
                let ended = begin + 7 * DAY + self.between(HOUR, 4 * HOUR);
                self.at(ended, Change::OsdUp(osd));
                self.outage(osd, seen, ended);
                self.admin(begin, Admin::RemindEvery(Some(24 * 3600)));
                self.admin(ended + 10 * MINUTE, Admin::RemindEvery(None));
            }
            Scenario::HeldWhileNoOut => {
                self.admin(begin - 3 * MINUTE, Admin::HoldWhileNoOut(Some(6 * 3600)));
                self.at(begin - 2 * MINUTE, Change::NoOut(true));
                let end = self.rolling_reboot(begin);
                self.at(end + 10 * MINUTE, Change::NoOut(false));
                self.admin(end + HOUR, Admin::HoldWhileNoOut(None));
                // While others reboot, one of the first host is taken out of service for a while.
                let osd = self.between(0, 11);
                let seen = self.osd_dies(osd, begin + HOUR);
                self.at(seen + HOUR, Change::OsdUp(osd));
            }
            Scenario::NightFailures => {
                self.admin(begin, Admin::QuietHours(true));
                // Two hours and one before midnight, whenever that is.
                let midnight = begin - begin.rem_euclid(DAY) + DAY;
                let osd = self.any_osd();
                for (osd, from, hours) in [(osd, -HOUR, 3), ((osd + 40) % 240, 4 * HOUR, 6)] {
                    let seen = self.osd_dies(osd, midnight + from);
                    let ended = seen + hours * HOUR;
                    self.at(ended, Change::OsdUp(osd));
                    self.outage(osd, seen, ended);
                }
                self.admin(midnight + 12 * HOUR, Admin::QuietHours(false));
            }
            Scenario::Newcomer => {
                let osd = self.any_osd();
                let seen = self.osd_dies(osd, begin);
                let ended = begin + self.between(5 * HOUR, 8 * HOUR);
                self.at(ended, Change::OsdUp(osd));
                self.outage(osd, seen, ended);
                self.admin(begin + 2 * HOUR, Admin::Newcomer(true));
                self.admin(ended + HOUR, Admin::Newcomer(false));
            }
            Scenario::CephUnwell => {
                self.admin(begin - MINUTE, Admin::Health(true));
                // What is only warned of comes and goes, and so does an error for a moment.
                for (code, severity, from, length) in [
                    ("SLOW_OPS", HealthSeverity::Warning, 0, 90),
                    ("PG_NOT_DEEP_SCRUBBED", HealthSeverity::Warning, HOUR, HOUR),
                    ("SLOW_OPS", HealthSeverity::Warning, 3 * HOUR, 300),
                    ("PG_AVAILABILITY", HealthSeverity::Error, 4 * HOUR, 80),
                ] {
                    self.at(begin + from, Change::Health(code, Some(severity)));
                    self.at(begin + from + length, Change::Health(code, None));
                }
                let from = begin + self.between(5 * HOUR, 6 * HOUR);
                let to = from + self.between(HOUR, 3 * HOUR);
                let damaged = |severity| Change::Health("PG_DAMAGED", severity);
                self.spell(
                    from,
                    to,
                    damaged(Some(HealthSeverity::Error)),
                    damaged(None),
                );
                self.admin(to + HOUR, Admin::Health(false));
            }
        }
    }

    fn admin(&mut self, second: i64, admin: Admin) {
        self.at(second, Change::Admin(admin));
    }

    /// A disk dies and somebody knows of it; another one dies, is told, and is soon up again.
    fn acknowledged(&mut self, begin: i64) {
        self.admin(begin, Admin::RemindEvery(Some(3600)));
        let osd = self.any_osd();
        let seen = self.osd_dies(osd, begin);
        let ended = begin + self.between(8 * HOUR, 9 * HOUR);
        self.at(ended, Change::OsdUp(osd));
        self.outage(osd, seen, ended);
        self.admin(seen + 10 * MINUTE, Admin::Acknowledge(Topic::Osds));
        let other = (osd + 40) % 240;
        let seen = self.osd_dies(other, begin + 3 * HOUR);
        let up = seen + 50 * MINUTE;
        self.at(up, Change::OsdUp(other));
        self.outage(other, seen, up);
        self.admin(ended + 10 * MINUTE, Admin::RemindEvery(None));
    }

    fn no_quorum(&mut self, begin: i64) {
        self.spell(
            begin,
            begin + 20 * MINUTE,
            Change::Ceph(Answer::TimedOut),
            Change::Ceph(Answer::Given),
        );
    }

    fn disk_flaps(&mut self, begin: i64) {
        let osd = self.any_osd();
        let mut at = begin;
        while at < begin + 6 * HOUR {
            let seen = self.osd_dies(osd, at);
            // It is started again by systemd, and gives up after a while.
            let up = seen + self.between(45, 3 * MINUTE);
            self.at(up, Change::OsdUp(osd));
            self.outage(osd, seen, up);
            at = up + self.between(30, 4 * MINUTE);
        }
    }

    /// Each host in its turn, as soon as the one before has settled; when it is over.
    fn rolling_reboot(&mut self, begin: i64) -> i64 {
        let mut at = begin;
        for node in 0..NODES {
            self.host_away(node, at, at + 3 * MINUTE, Going::Orderly);
            at += self.between(7 * MINUTE, 10 * MINUTE);
        }
        at
    }

    /// It crashes, the gossip forgets it after 72 h, and it is replaced by a new machine of the same name.
    fn host_dies(&mut self, begin: i64) {
        let node = self.any_node();
        let back = begin + self.between(90 * HOUR, 100 * HOUR);
        self.host_away(node, begin, back, Going::Crash);
        self.at(begin + 72 * HOUR, Change::Node(node, REAPED));
    }

    fn storage_fills(&mut self, begin: i64) {
        let mut start = begin;
        let mut moments = Vec::new();
        for (hours, from, to, noise) in [
            (24, 55.0, 59.3, 0.1),
            // Around the threshold for two days: as much is written as is deleted.
            (48, 60.0, 60.0, 0.5),
            (24, 60.0, 62.0, 0.1),
            (36, 62.0, 86.0, 0.1),
            (12, 86.0, 86.0, 0.1),
            // Data is deleted.
            (6, 86.0, 50.0, 0.1),
        ] {
            let end = start + hours * HOUR;
            let fill = Fill {
                start,
                end,
                from,
                to,
                noise,
            };
            self.at(start, Change::Fill(fill));
            moments.push(start);
            start = end;
        }
        // Over the first level within the first minutes of hovering; over the second in the fourth stretch, under the margin
        // in the last.
        let share = |stretch: usize, hours: i64, part: f64| {
            #[allow(clippy::cast_possible_truncation)]
            let seconds = (part * (hours * HOUR) as f64) as i64;
            moments[stretch] + seconds
        };
        let critical = share(3, 36, (85.0 - 62.0 - 0.1) / 24.0);
        let well = share(5, 6, (86.0 - 58.0 - 0.1) / 36.0);
        self.outages.push(Outage {
            node: None,
            osds: Vec::new(),
            seen: moments[1],
            seen_whole: critical,
            ends: well,
            ended: well,
        });
    }
}
