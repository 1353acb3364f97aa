//! What a good colleague would have written in each scenario, by hand: to whom, about what, and between which moments.

use petanotify::alert::{Alert, Topic};
use petanotify::check::CheckName;
use petanotify::check::capacity::Level;
use petanotify::check::sight::Unseen;
use petanotify::incident::Kind;

use crate::month::PASSES_ALLOWED;
use crate::product::{NEWCOMER, RECIPIENTS, SLEEPER};
use crate::reader::{Content, Thing};
use crate::story::{DAY, HOUR, MINUTE, Outage, Scenario, Scene};

/// A mail that should be, or may be.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) kind: Kind,
    pub(crate) topic: Topic,
    /// It tells of all of these.
    pub(crate) about: Vec<Thing>,
    /// Not before this second.
    pub(crate) from: i64,
    /// From this second on each pass without it is one too many.
    pub(crate) until: i64,
    /// Without it nothing is missed.
    pub(crate) optional: bool,
    /// It is told in the mail of another.
    further: bool,
    /// It tells that they flap; whether the incident has been open already does not matter.
    flapping: bool,
}

impl Expected {
    fn new(kind: Kind, topic: Topic, about: Vec<Thing>, from: i64) -> Self {
        Expected {
            kind,
            topic,
            about,
            from,
            until: from,
            optional: false,
            further: false,
            flapping: false,
        }
    }

    fn until(self, until: i64) -> Self {
        Expected { until, ..self }
    }

    fn optional(self) -> Self {
        Expected {
            optional: true,
            ..self
        }
    }

    /// Whether it is a mail that has to be.
    pub(crate) fn counts(&self) -> bool {
        !self.optional && !self.further
    }

    /// Whether this alert, mailed at that second, is it.
    pub(crate) fn is(&self, alert: &Alert, at: i64) -> bool {
        let content = Content::of(alert);
        let told = |thing: &Thing| match self.kind {
            Kind::Cleared => content.over.contains(thing),
            Kind::Raised | Kind::Updated | Kind::Reminder => {
                content.new.contains(thing) || content.still.contains(thing)
            }
        };
        let is_kind = match self.flapping {
            true => matches!(alert.kind, Kind::Raised | Kind::Updated),
            false => self.kind == alert.kind,
        };
        let flaps = |thing| content.flapping.contains(thing);
        is_kind
            && self.about.iter().any(flaps) == self.flapping
            && self.topic == alert.report.topic()
            && at >= self.from
            && !(self.optional && at > self.until + (PASSES_ALLOWED + 1) * MINUTE)
            && self.about.iter().all(told)
    }
}

/// The mails to one recipient.
pub(crate) fn of(scene: &Scene, recipient: &str) -> Vec<Expected> {
    if recipient == NEWCOMER {
        return for_the_newcomer(scene);
    }
    let (_, checks) = RECIPIENTS.iter().find(|(r, _)| *r == recipient).unwrap();
    let mut mails = for_all(scene);
    if scene.scenario == Scenario::NightFailures && recipient == SLEEPER {
        mails = in_the_morning(scene);
    }
    if scene.scenario == Scenario::HostDiesUnseen && !checks.contains(&CheckName::Nodes) {
        // Who wants to hear of OSDs alone need not hear of a node before its OSDs can be seen.
        let sight = scene.outages[0].ended;
        for mail in mails.iter_mut().filter(|mail| mail.topic == Topic::Nodes) {
            mail.until = mail.until.max(sight);
        }
    }
    mails.retain(|mail| {
        let check = |thing: &Thing| checks.contains(&thing.check());
        match mail.topic {
            Topic::Capacity => checks.contains(&CheckName::Capacity),
            // OSDs that are down with their node are news to those who want to hear of OSDs.
            Topic::Nodes => checks.contains(&CheckName::Nodes) || checks.contains(&CheckName::Osds),
            Topic::Osds => checks.contains(&CheckName::Osds),
            Topic::Health => checks.contains(&CheckName::Health),
            Topic::Blind => mail.about.iter().any(check),
        }
    });
    mails
}

/// A raise as soon as it can be seen, a clearing as soon as it is over.
fn raise_and_clear(topic: Topic, about: Vec<Thing>, outage: &Outage) -> [Expected; 2] {
    [
        Expected::new(Kind::Raised, topic, about.clone(), outage.seen).until(outage.seen_whole),
        Expected::new(Kind::Cleared, topic, about, outage.ends).until(outage.ended),
    ]
}

fn osd(outage: &Outage) -> [Expected; 2] {
    let about = outage.osds.iter().map(|osd| Thing::Osd(*osd)).collect();
    raise_and_clear(Topic::Osds, about, outage)
}

fn host(outage: &Outage) -> Vec<Expected> {
    let about = outage.node.iter().map(|node| Thing::Node(node.clone()));
    let mut mails = raise_and_clear(Topic::Nodes, about.collect(), outage).to_vec();
    mails.extend(some_osds(outage));
    mails
}

/// A pass may come in the seconds in which some OSDs of a host are down, others still up, and the node alive. Nobody can know
/// then that it is more than these OSDs.
fn some_osds(outage: &Outage) -> [Expected; 2] {
    let [raise, clear] = raise_and_clear(Topic::Osds, vec![], outage);
    let raise = raise.until(outage.seen_whole - MINUTE);
    [raise.optional(), clear.optional()]
}

/// Many hosts at once: the first mail may come while only some of them are known to be gone.
fn hosts(outages: &[Outage]) -> Vec<Expected> {
    let first = |of: fn(&Outage) -> i64| outages.iter().map(of).min().unwrap();
    let last = |of: fn(&Outage) -> i64| outages.iter().map(of).max().unwrap();
    let all = outages.iter().flat_map(|outage| &outage.node);
    let all: Vec<Thing> = all.map(|node| Thing::Node(node.clone())).collect();
    let (seen, whole) = (first(|o| o.seen), last(|o| o.seen_whole));
    let mut mails = vec![
        Expected::new(Kind::Raised, Topic::Nodes, vec![], seen).until(whole),
        Expected::new(Kind::Updated, Topic::Nodes, all.clone(), seen)
            .until(whole)
            .optional(),
        Expected::new(Kind::Cleared, Topic::Nodes, all, first(|o| o.ends)).until(last(|o| o.ended)),
    ];
    let parts = outages.iter().map(some_osds);
    mails.extend(parts.flatten());
    mails
}

fn blind(outage: &Outage) -> [Expected; 2] {
    let about = vec![
        Thing::Blind(Unseen::Check(CheckName::Capacity)),
        Thing::Blind(Unseen::Check(CheckName::Osds)),
    ];
    told_as_blind(about, outage)
}

/// It is told of when it has lasted for 5 min.
fn told_as_blind(about: Vec<Thing>, outage: &Outage) -> [Expected; 2] {
    let [raise, clear] = raise_and_clear(Topic::Blind, about, outage);
    let from = raise.from + 5 * MINUTE;
    [
        Expected {
            from,
            until: from + MINUTE,
            ..raise
        },
        clear,
    ]
}

/// The first time is a failure like any other, the second may be; then it is clear what it is, and that is told once. It is
/// over when it has been calm for an hour.
fn flapping(outages: &[Outage]) -> Vec<Expected> {
    let [first, second] = [&outages[0], &outages[1]].map(osd);
    let [raise, clear] = first;
    let [again, up_again] = second;
    // A pass does not see each of them.
    let (third, latest) = (outages[2].seen, outages[8].seen);
    let last = outages.last().unwrap();
    let calm = last.ended + HOUR;
    // No pass may have seen the last time that it was down.
    let calm_before = outages[outages.len() - 2].ended + HOUR;
    vec![
        Expected {
            flapping: true,
            from: third,
            until: latest,
            ..raise.clone()
        },
        Expected {
            from: calm_before - 2 * MINUTE,
            until: calm,
            ..clear.clone()
        },
        raise.until(outages[1].seen),
        clear.until(latest).optional(),
        again.until(latest).optional(),
        up_again.until(latest).optional(),
    ]
}

/// He is told of what lasts when he comes, and of its end.
fn for_the_newcomer(scene: &Scene) -> Vec<Expected> {
    if scene.scenario != Scenario::Newcomer {
        return Vec::new();
    }
    let [mut raise, clear] = osd(&scene.outages[0]);
    // The disk died 20 to 30 s after the beginning.
    (raise.from, raise.until) = (raise.from + 2 * HOUR - 30, raise.from + 2 * HOUR);
    vec![raise, clear]
}

/// What was over before the quiet hours were, and what lasts, in one mail; the rest as ever.
fn in_the_morning(scene: &Scene) -> Vec<Expected> {
    let [_, mut was] = osd(&scene.outages[0]);
    let [mut raise, clear] = osd(&scene.outages[1]);
    let seven = raise.from - raise.from.rem_euclid(DAY) + 7 * HOUR;
    for mail in [&mut was, &mut raise] {
        (mail.from, mail.until) = (seven, seven);
    }
    was.further = true;
    vec![was, raise, clear]
}

fn for_all(scene: &Scene) -> Vec<Expected> {
    let outages = scene.outages.as_slice();
    match scene.scenario {
        Scenario::Quiet | Scenario::ManagerFailsOver | Scenario::CephHangs => Vec::new(),
        Scenario::DiskDies
        | Scenario::OsdRemoved
        | Scenario::OsdReplaced
        | Scenario::OsdDestroyed
        | Scenario::ClockSteps => osd(&outages[0]).into(),
        Scenario::OwnNodeReboots => {
            let mut mails = osd(&outages[0]).to_vec();
            // The first pass after each start may find some of the host's own OSDs not yet up.
            for reboot in 1..=2 {
                let from = outages[0].seen + reboot * HOUR;
                mails.push(
                    Expected::new(Kind::Updated, Topic::Osds, vec![], from)
                        .until(from + 15 * MINUTE)
                        .optional(),
                );
            }
            mails
        }
        Scenario::DiskFlaps => flapping(outages),
        Scenario::HostReboots | Scenario::HostDies => host(&outages[0]),
        Scenario::RollingReboot | Scenario::RollingRebootNoOut => {
            outages.iter().flat_map(host).collect()
        }
        Scenario::RackLosesPower | Scenario::SwitchHiccup => hosts(outages),
        Scenario::NoConsulLeader => {
            told_as_blind(vec![Thing::Blind(Unseen::Leader)], &outages[0]).into()
        }
        Scenario::NoMonitorQuorum => blind(&outages[0]).into(),
        Scenario::HostDiesUnseen => {
            let mut mails = blind(&outages[0]).to_vec();
            mails.extend(host(&outages[1]));
            mails
        }
        Scenario::StorageFills => {
            let [raise, clear] = raise_and_clear(
                Topic::Capacity,
                vec![Thing::Storage(Level::Warn)],
                &outages[0],
            );
            let critical = outages[0].seen_whole;
            let update = Expected {
                kind: Kind::Updated,
                about: vec![Thing::Storage(Level::Critical)],
                from: critical,
                until: critical + 20 * MINUTE,
                ..raise.clone()
            };
            vec![
                raise.clone().until(raise.from + 20 * MINUTE),
                update,
                clear.clone().until(clear.from + 10 * MINUTE),
            ]
        }
        Scenario::Silenced => Vec::new(),
        Scenario::SilenceForgotten => raise_and_clear(
            Topic::Nodes,
            outages[0].node.iter().cloned().map(Thing::Node).collect(),
            &outages[0],
        )
        .into(),
        Scenario::Acknowledged => {
            let [raise, clear] = osd(&outages[0]);
            let [more, _] = osd(&outages[1]);
            let more = Expected {
                kind: Kind::Updated,
                ..more
            };
            let mut both = raise.about.clone();
            both.extend(more.about.clone());
            let clear = Expected {
                about: both,
                ..clear
            };
            vec![raise, more, clear]
        }
        Scenario::Reminded => {
            let [raise, clear] = osd(&outages[0]);
            let mut mails = vec![raise.clone(), clear];
            mails.extend([1, 3, 7].map(|days| {
                let from = raise.from + days * DAY;
                Expected {
                    kind: Kind::Reminder,
                    from,
                    until: from + days * MINUTE,
                    ..raise.clone()
                }
            }));
            mails
        }
        Scenario::HeldWhileNoOut => outages.iter().flat_map(host).collect(),
        Scenario::NightFailures => outages.iter().flat_map(osd).collect(),
        Scenario::Newcomer => osd(&outages[0]).into(),
        Scenario::CephUnwell => {
            let damaged = vec![Thing::Health("PG_DAMAGED".to_owned())];
            let [raise, clear] = raise_and_clear(Topic::Health, damaged, &outages[0]);
            // In three passes in a row.
            let third = raise.from + 2 * MINUTE;
            vec![raise.until(third), clear]
        }
        Scenario::MailServerOut => {
            // Nothing arrives before the mail server is back, and then it is all said at once.
            let back = outages[0].ended;
            let mut mails = host(&outages[1]);
            for mail in &mut mails {
                mail.from = mail.from.max(back);
                mail.until = mail.until.max(back);
            }
            mails
        }
    }
}
