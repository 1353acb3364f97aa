//! What mails that wait tell: tables of passes, and random days without a mail server.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::alert::{Observed, Rules, judge_pass};
use crate::audience::{catch_up, forget_what_is_over};
use crate::facts::{Absence, DownOsd, Host, Membership, OsdId, OsdTree, Presence, Usage};
use crate::flapping;
use crate::queue::{Entry, MailId, Recovery};
use crate::quiet_hours::QuietHours;
use crate::settings::{Checks, Hold, Notify, Recipient};
use crate::severity::Severity;

fn minute(minute: i64) -> Timestamp {
    Timestamp::from_second(1_795_402_440 + minute * 60).unwrap()
}

/// What a pass sees: `1 2` are OSDs that are down, `node3` is such a node, `61%` the storage (else half full), `?` says that
/// the OSDs can't be seen.
fn seen(sight: &str) -> Observed {
    let words = || sight.split_whitespace();
    let nodes = ["node1", "node2", "node3", "node4", "node5"];
    let presence = |name: &str| match words().any(|word| word == name) {
        true => Presence::Down(Absence::Failed),
        false => Presence::Alive,
    };
    let down: BTreeSet<i64> = words().filter_map(|word| word.parse().ok()).collect();
    let host = |id: i64| format!("node{}", id % 5 + 1);
    let all = 0..20;
    let mut hosts: BTreeMap<String, Host> = BTreeMap::new();
    for id in all.clone() {
        let up = u32::from(!down.contains(&id));
        hosts.entry(host(id)).or_default().up += up;
    }
    let osd = |id: &i64| DownOsd {
        host: Some(host(*id)),
        status: "down".to_owned(),
        out: false,
        stray: false,
    };
    let tree = OsdTree {
        up: all.filter(|id| !down.contains(id)).map(OsdId).collect(),
        down: down.iter().map(|id| (OsdId(*id), osd(id))).collect(),
        hosts,
    };
    let percent = words().find_map(|word| word.strip_suffix('%')?.parse().ok());
    Observed {
        capacity: Some(Ok(Usage {
            used_bytes: percent.unwrap_or(50),
            total_bytes: 100,
            mgr_available: true,
        })),
        nodes: Some(Ok(Membership {
            nodes: nodes.map(|name| (name.to_owned(), presence(name))).into(),
            ..Membership::default()
        })),
        osds: Some(match words().any(|word| word == "?") {
            true => Err("timed out".to_owned()),
            false => Ok(tree),
        }),
        ..Observed::default()
    }
}

fn recipient(name: &str) -> Recipient {
    Recipient::of_everything(format!("{name}@example.org").parse().unwrap())
}

/// Passes of petanotify, one a minute; what is due is sent when the mail server is there.
struct Passes {
    checks: Checks,
    notify: Notify,
    recipients: Vec<Recipient>,
    memory: Memory,
    queue: Queue,
}

impl Passes {
    fn of(recipients: &[&str]) -> Self {
        Passes {
            checks: Checks::default(),
            notify: Notify::default(),
            recipients: recipients.iter().map(|name| recipient(name)).collect(),
            memory: Memory::default(),
            queue: Queue::default(),
        }
    }

    fn pass(&mut self, at: i64, sight: &str) {
        let now = minute(at);
        let rules = Rules {
            checks: &self.checks,
            notify: &self.notify,
            nodes_prefix: "PetaSAN/Nodes/",
            cluster: "prod",
        };
        let verdict = judge_pass(std::mem::take(&mut self.memory), seen(sight), rules, now);
        self.memory = verdict.memory;
        let present = Present {
            around: &verdict.around,
            rules,
            now,
        };
        let (recipients, recovery) = (&self.recipients, Recovery::Told);
        let audiences = &mut self.memory.audiences;
        audiences.address(&mut self.queue, recipients, recovery);
        for alert in &verdict.alerts {
            audiences.tell(&mut self.queue, alert, now, recipients, recovery);
        }
        if !recipients.is_empty() {
            catch_up(&mut self.memory, &mut self.queue, recipients, present);
        }
        forget_what_is_over(&mut self.memory, &self.queue);
        let ids = |queue: &Queue| -> Vec<MailId> { queue.iter().map(|e| e.id.clone()).collect() };
        let before = ids(&self.queue);
        bring_up_to_date(&self.memory, &mut self.queue, present);
        assert_eq!(ids(&self.queue), before);
        assert!(self.queue.iter().all(Entry::has_its_own_id));
        let end = |hours: &QuietHours| hours.end(now, &jiff::tz::TimeZone::UTC);
        self.queue.keep_hours(recipients, end, now);
    }

    /// Sends what waits.
    fn send(&mut self) -> Vec<Entry> {
        let sent: Vec<Entry> = self.queue.iter().cloned().collect();
        let ids: HashSet<MailId> = sent.iter().map(|entry| entry.id.clone()).collect();
        self.queue.remove(&ids);
        sent
    }

    fn waiting(&self) -> Vec<String> {
        self.queue.iter().map(in_brief).collect()
    }
}

/// `ops: raised new 1+2 over 3 (5)`, with the minute as of which it tells.
fn in_brief(entry: &Entry) -> String {
    let to = entry.to.as_ref().map_or("nobody", |to| to.user());
    let told: Vec<String> = entry.alerts().map(alert_in_brief).collect();
    format!("{to}: {}", told.join("; "))
}

fn alert_in_brief(alert: &Alert) -> String {
    fn parts<K: ToString, T>(change: &Change<K, T>) -> String {
        let names = |name: &str, keys: Vec<String>| match keys.is_empty() {
            true => String::new(),
            false => format!(" {name} {}", keys.join("+")),
        };
        let items = |items: &[crate::incident::Item<K, T>]| {
            items.iter().map(|item| item.key.to_string()).collect()
        };
        let over = change.over.iter().map(|over| over.key.to_string());
        [
            names("new", items(&change.new)),
            names("still", items(&change.still)),
            names("over", over.collect()),
        ]
        .concat()
    }
    let report = match &alert.report {
        Report::Capacity(reading) => format!(" {} %", reading.percent),
        Report::Nodes(change) => parts(change),
        Report::Osds(change) => parts(change),
        Report::Health(change) => parts(change),
        Report::Blind(change) => parts(change),
    };
    let report = report.replace("osd.", "");
    let as_of = alert.as_of().duration_since(minute(0)).as_mins();
    format!("{}{report} ({as_of})", alert.kind.as_str())
}

/// A pass: what it sees, and what waits after it, mail server or not. `>` before the sight: what waits is sent then.
type Pass<'a> = (&'a str, &'a [&'a str]);

#[track_caller]
fn assert_story(name: &str, mut passes: Passes, story: &[Pass<'_>]) {
    for (at, (sight, expected)) in (0..).zip(story) {
        passes.pass(at, sight.trim_start_matches('>'));
        assert_eq!(passes.waiting(), *expected, "{name}, pass {at}");
        if sight.starts_with('>') {
            passes.send();
        }
    }
}

#[test]
fn what_waits_tells_how_things_stand_now() {
    let cases: &[(&str, &[Pass<'_>])] = &[
        (
            "some are up again",
            &[
                ("1 6 11", &["ops: raised new 1+6+11 (0)"]),
                ("1 6 11", &["ops: raised new 1+6+11 (1)"]),
                ("1", &["ops: raised new 1 over 6+11 (2)"]),
                ("1", &["ops: raised new 1 over 6+11 (3)"]),
                ("1 6", &["ops: raised new 1+6 over 11 (4)"]),
                ("", &["ops: cleared over 1+6+11 (5)"]),
                ("", &["ops: cleared over 1+6+11 (5)"]),
            ],
        ),
        (
            "what was told before is not new",
            &[
                (">1 6", &["ops: raised new 1+6 (0)"]),
                ("1 2 6 11", &["ops: updated new 2+11 still 1+6 (1)"]),
                ("2 6", &["ops: updated new 2 still 6 over 1+11 (2)"]),
                ("1 2 6", &["ops: updated new 1+2 still 6 over 11 (3)"]),
            ],
        ),
        (
            "nothing that is new is left of it",
            &[
                (">1 6", &["ops: raised new 1+6 (0)"]),
                ("1 6 11", &["ops: updated new 11 still 1+6 (1)"]),
                ("1 6", &["ops: reminder still 1+6 over 11 (2)"]),
                ("1", &["ops: reminder still 1 over 6+11 (3)"]),
                ("1 16", &["ops: updated new 16 still 1 over 6+11 (4)"]),
                (">", &["ops: cleared over 1+6+11+16 (5)"]),
                ("1", &["ops: raised new 1 (6)"]),
            ],
        ),
        (
            "nobody can see it for a while",
            &[
                ("1 6", &["ops: raised new 1+6 (0)"]),
                ("?", &["ops: raised new 1+6 (0)"]),
                ("6", &["ops: raised new 6 over 1 (2)"]),
                ("?", &["ops: raised new 6 over 1 (2)"]),
            ],
        ),
        (
            "nodes, and the storage",
            &[
                (
                    "node1 node2 86%",
                    &["ops: raised 86 % (0)", "ops: raised new node1+node2 (0)"],
                ),
                (
                    "node2 84%",
                    &[
                        "ops: raised 84 % (1)",
                        "ops: raised new node2 over node1 (1)",
                    ],
                ),
                (
                    "node2 50%",
                    &[
                        "ops: raised new node2 over node1 (2)",
                        "ops: cleared 50 % (2)",
                    ],
                ),
            ],
        ),
    ];
    for (name, story) in cases {
        assert_story(name, Passes::of(&["ops"]), story);
    }
}

#[test]
fn each_recipient_is_told_as_new_what_he_has_not_been_told() {
    let mut passes = Passes::of(&["ops"]);
    passes.pass(0, "1 6");
    passes.send();
    passes.recipients.push(recipient("late"));
    passes.pass(1, "1 6 11");
    let both = [
        "ops: updated new 11 still 1+6 (1)",
        "late: raised new 1+6+11 (1)",
    ];
    assert_eq!(passes.waiting(), both);
    passes.pass(2, "6 11");
    let both = [
        "ops: updated new 11 still 6 over 1 (2)",
        "late: raised new 6+11 over 1 (2)",
    ];
    assert_eq!(passes.waiting(), both);
}

#[test]
fn what_waits_for_a_recipient_is_brought_up_to_date_too() {
    let mut passes = Passes::of(&[]);
    passes.pass(0, "1 6");
    passes.pass(1, "6");
    assert_eq!(passes.waiting(), ["nobody: raised new 6 over 1 (1)"]);
    passes.recipients.push(recipient("ops"));
    passes.pass(2, "6");
    assert_eq!(passes.waiting(), ["ops: raised new 6 over 1 (2)"]);
}

#[test]
fn what_is_down_again_and_does_not_count_yet_is_in_the_mail_that_names_it() {
    let mut passes = Passes::of(&["ops"]);
    passes.checks.osds = Some(Hold {
        passes: 3,
        time: None,
    });
    passes.notify.flapping = None;
    let story: &[Pass<'_>] = &[
        ("1 6", &[]),
        ("1 6", &[]),
        ("1 6", &["ops: raised new 1+6 (2)"]),
        ("6", &["ops: raised new 6 over 1 (3)"]),
        ("1 6", &["ops: raised new 1+6 (4)"]),
        ("1 6 11", &["ops: raised new 1+6 (5)"]),
        // What is down does not count yet: the incident is over, and the next one is another.
        ("11", &["ops: cleared over 1+6 (6)"]),
        (
            "11",
            &["ops: cleared over 1+6 (6)", "ops: raised new 11 (7)"],
        ),
    ];
    assert_story("hold_passes = 3", passes, story);
}

#[test]
fn a_digest_that_waits_is_brought_up_to_date_as_is_what_is_held_back() {
    let mut passes = Passes::of(&["ops"]);
    let time = |at: i64| minute(at).strftime("%H:%M").to_string();
    let hours = format!("{}-{}", time(0), time(3));
    passes.recipients[0].quiet_hours = Some(hours.parse().unwrap());
    passes.pass(0, "node2 61%");
    passes.pass(1, "node2 62%");
    assert_eq!(passes.queue.held(), 2);
    let apart = ["ops: raised 62 % (1)", "ops: raised new node2 (1)"];
    assert_eq!(passes.waiting(), apart);
    passes.pass(3, "node2 61%");
    let digest = ["ops: raised 61 % (3); raised new node2 (3)"];
    assert_eq!(passes.waiting(), digest);
    let id = passes.queue.iter().next().unwrap().id.clone();
    passes.pass(90, "node2 64%");
    let digest = ["ops: raised 64 % (90); raised new node2 (90)"];
    assert_eq!(passes.waiting(), digest);
    assert_eq!(passes.queue.iter().next().unwrap().id, id);
}

#[test]
fn who_comes_in_quiet_hours_has_one_mail_of_his_own_after_them() {
    let mut passes = Passes::of(&["ops"]);
    let time = |at: i64| minute(at).strftime("%H:%M").to_string();
    let hours = format!("{}-{}", time(0), time(5));
    passes.recipients[0].quiet_hours = Some(hours.parse().unwrap());
    passes.pass(0, "0 61%");
    passes.pass(1, "0 5 61%");
    let mut newcomer = passes.recipients[0].clone();
    newcomer.address = recipient("new").address;
    passes.recipients.push(newcomer);
    for at in 2..5 {
        passes.pass(at, "5 61%");
        assert_eq!(passes.queue.held(), 4, "{:?}", passes.waiting());
    }
    passes.pass(5, "5 61%");
    let digests = [
        "new: raised 61 % (5); raised new 5 over 0 (5)",
        "ops: raised 61 % (5); raised new 5 over 0 (5)",
    ];
    let mut waiting = passes.waiting();
    waiting.sort();
    assert_eq!(waiting, digests);
    passes.send();
    passes.pass(6, "5 61%");
    assert_eq!(passes.waiting(), Vec::<String>::new());
}

#[test]
fn what_stood_around_it_is_told_as_it_is_now_and_the_mail_stays_what_it_was() {
    let mut passes = Passes::of(&["ops"]);
    passes.pass(0, "0 1 2 node3");
    let mails = |passes: &Passes| -> Vec<Alert> {
        let osds = passes.queue.alerts();
        osds.filter(|alert| alert.report.topic() == Topic::Osds)
            .cloned()
            .collect()
    };
    let [before] = mails(&passes).try_into().unwrap();
    assert_eq!(before.elsewhere.len(), 1);
    assert_eq!(before.severity(), Severity::Critical);
    passes.pass(1, "1 61%");
    let [after] = mails(&passes).try_into().unwrap();
    assert_eq!(
        crate::message::tests::elsewhere(&after),
        ["storage 61 % full (over 60 %), 61 B of 100 B"]
    );
    assert_eq!(after.circumstances.osds_up["node1"], 4);
    assert!(after.circumstances.nodes_up.contains("node3"));
    assert_eq!(after.severity(), Severity::Critical, "it stays to be woken");
    let kept = |alert: &Alert| {
        let Alert {
            cluster,
            incident,
            sequence,
            began,
            raised,
            ..
        } = alert.clone();
        (cluster, incident, sequence, began, raised)
    };
    assert_eq!(kept(&after), kept(&before));
}

#[test]
fn who_comes_in_the_midst_of_it_is_told_what_is_up_beside_it() {
    let mut passes = Passes::of(&["ops"]);
    passes.pass(0, "node2 1 6 11 16");
    passes.send();
    passes.recipients.push(recipient("late"));
    passes.pass(1, "node2 1 6 11 16");
    assert_eq!(passes.waiting(), ["late: raised new node2 (1)"]);
    let told = &passes.queue.iter().next().unwrap().alert.circumstances;
    assert_eq!((told.nodes, told.nodes_up.len()), (5, 4));
    assert_eq!(told.osds_up["node1"], 4);
    assert!(told.osds_follow);
}

/// Xorshift (Marsaglia 2003): the same sequence for the same seed everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, number: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % number
    }
}

#[test]
fn in_random_days_nothing_that_is_down_and_was_never_told_vanishes() {
    let (mut renewed, mut late) = (0, 0);
    for seed in 1..=20_u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut passes = Passes::of(&["ops"]);
        passes.checks.osds = Some(Hold {
            passes: 1 + u32::try_from(dice.below(3)).unwrap(),
            time: None,
        });
        passes.notify.flapping = (dice.below(2) == 0).then(flapping::Rule::default);
        passes.notify.remind_every = (dice.below(2) == 0).then(|| Duration::from_secs(1800));
        let mut down: BTreeSet<i64> = BTreeSet::new();
        // What a mail that was sent has told of, as long as it lasts.
        let mut told: BTreeSet<OsdId> = BTreeSet::new();
        let mut server = true;
        for at in 0..600 {
            for osd in [0, 1, 5, 6, 10] {
                if dice.below(12) == 0 && !down.remove(&osd) {
                    down.insert(osd);
                }
            }
            if dice.below(15) == 0 {
                server = !server;
            }
            let sight: Vec<String> = down.iter().map(ToString::to_string).collect();
            passes.pass(at, &sight.join(" "));
            let announced = |memory: &Memory| -> BTreeSet<OsdId> {
                let down = memory.osds.down.iter();
                let down = down.filter(|(_, osd)| osd.announced && osd.is_down());
                down.map(|(osd, _)| *osd).collect()
            };
            told.retain(|osd| passes.memory.osds.down.contains_key(osd));
            let mut waiting = BTreeSet::new();
            for alert in passes.queue.alerts() {
                let Report::Osds(change) = &alert.report else {
                    panic!("{alert:?}");
                };
                let has_end = alert.kind == Kind::Cleared;
                let is_now = alert.as_of() == minute(at);
                renewed += usize::from(is_now && alert.raised < minute(at));
                late += usize::from(!is_now && !has_end);
                let items = change.new.iter().chain(&change.still);
                for item in items.clone() {
                    let is_down = passes.memory.osds.down.contains_key(&item.key);
                    assert!(!is_now || is_down, "seed {seed}, minute {at}: {alert:?}");
                }
                for item in &change.still {
                    assert!(
                        told.contains(&item.key),
                        "seed {seed}, minute {at}: {alert:?}"
                    );
                }
                waiting.extend(items.map(|item| item.key));
            }
            let known: BTreeSet<OsdId> = told.union(&waiting).copied().collect();
            let missing: Vec<OsdId> = announced(&passes.memory)
                .difference(&known)
                .copied()
                .collect();
            assert_eq!(missing, [], "seed {seed}, minute {at}");
            if server {
                passes.send();
                told.extend(waiting);
            }
        }
    }
    // An incident is open only as long as there is something to tell of: no mail about it is left as it was.
    assert!(renewed > 1000 && late == 0, "{renewed}, {late}");
}
