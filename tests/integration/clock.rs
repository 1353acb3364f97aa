//! The clock jumps between two passes, back or ahead: nothing comes as a storm, nothing stays away, and no age is odd.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::ceph::{Behaviour, Question, recorded};
use crate::cluster::Cluster;
use crate::relay::Mail;

/// By how much the clock jumps; how that is called.
fn jumps() -> Vec<(SignedDuration, String)> {
    let day = SignedDuration::from_hours(24);
    let to_1970 = Timestamp::now().duration_since(Timestamp::UNIX_EPOCH);
    [
        (SignedDuration::from_hours(1), "an hour"),
        (day * 30, "a month"),
        (day * 365, "a year"),
        (to_1970, "all the time since 1970"),
        (day * 365 * 70, "70 years"),
    ]
    .into_iter()
    .flat_map(|(jump, name)| {
        [
            (jump, format!("{name} ahead")),
            (-jump, format!("{name} back")),
        ]
    })
    .collect()
}

/// A cluster that has told of an OSD, reminds of it once a day, and has mails left that were put off and refused.
fn troubled() -> Cluster {
    let mut cluster = Cluster::new();
    cluster.recipients(&["ops@example.org", "busy@example.org", "gone@example.org"]);
    cluster
        .relay
        .refuse("busy@example.org", "451 try again later");
    cluster.relay.refuse("gone@example.org", "550 no such user");
    cluster.ceph.situation("18.2.7", "one-osd-down");
    assert_eq!(cluster.pass(1).len(), 1);
    cluster.set("notify.remind_every", "\"24h\"");
    assert!(cluster.pass(1).is_empty());
    cluster
}

fn tried(cluster: &Cluster, who: &str) -> usize {
    let connections = cluster.relay.connections();
    let commands = connections.iter().flat_map(|c| &c.commands);
    let rcpt = format!("RCPT TO:<{who}@example.org>");
    commands.filter(|command| **command == rcpt).count()
}

/// All times in a document but those in what a mail tells, which stays as it is.
fn times<'a>(key: &'a str, value: &'a Value, found: &mut Vec<(&'a str, Timestamp)>) {
    match value {
        Value::String(text) => found.extend(text.parse().ok().map(|time| (key, time))),
        Value::Array(items) => items.iter().for_each(|item| times(key, item, found)),
        Value::Object(members) => {
            for (key, value) in members.iter().filter(|(key, _)| *key != "report") {
                times(key, value, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn a_clock_that_jumps_brings_no_storm_and_nothing_stays_away() {
    println!(
        "| the clock jumps | busy tried | gone tried | reminders | queue |\n| --- | --- | --- | --- | --- |"
    );
    for (jump, name) in jumps() {
        let cluster = troubled();
        let before = ["busy", "gone"].map(|who| tried(&cluster, who));
        cluster.let_pass(jump);
        let looks = [
            cluster.run(&["status"]).exits(0).stdout.clone(),
            cluster.run(&["queue", "list"]).exits(0).stdout.clone(),
        ];
        for look in &looks {
            assert!(!look.contains(" -"), "{name}: an age below zero:\n{look}");
        }
        let mails: Vec<_> = (0..4).flat_map(|_| cluster.pass(1)).collect();
        let [busy, gone] = [("busy", before[0]), ("gone", before[1])]
            .map(|(who, before)| tried(&cluster, who) - before);
        println!(
            "| {name} | {busy} | {gone} | {} | {} |",
            mails.len(),
            cluster.queue().len()
        );

        assert_eq!(busy, 4, "{name}: in every pass");
        assert!(gone <= 1, "{name}: once an hour");
        // What was before 2026 was a clock that nobody had set, so the day is not over.
        let was = Timestamp::now() - jump;
        let is_over = jump >= SignedDuration::from_hours(24) && was.as_second() >= 1_767_225_600;
        assert_eq!(mails.len(), usize::from(is_over), "{name}");
        let (state, now) = (cluster.state(), Timestamp::now());
        let mut found = Vec::new();
        times("", &state, &mut found);
        for (key, time) in found {
            let latest = if key == "next_attempt" {
                now + SignedDuration::from_hours(1)
            } else {
                now
            };
            assert!(time <= latest, "{name}: {key} is {time}, now is {now}");
        }
        let late = |mail: &Mail| mail.header("X-Petanotify-Delayed");
        assert_eq!(mails.iter().find_map(late), None, "{name}: just raised");

        // The hour is over, and two days: the one is tried, the other told, be it the first reminder or the second.
        cluster.let_pass(SignedDuration::from_hours(49));
        assert_eq!(cluster.pass(1).len(), 1, "{name}: the next reminder");
        assert_eq!(tried(&cluster, "gone"), before[1] + gone + 1, "{name}");
        cluster.relay.heal();
        cluster.let_pass(SignedDuration::from_hours(1));
        let mails = cluster.pass(0);
        assert_eq!(mails.len(), 2, "{name}: nothing is stuck");
        for mail in mails {
            let date = mail.header("Date").unwrap();
            let date = jiff::fmt::rfc2822::parse(&date).unwrap().timestamp();
            let age = Timestamp::now().duration_since(date);
            assert!(!age.is_negative(), "{name}: dated {date}");
        }
    }
}

#[test]
fn blindness_is_told_neither_at_once_nor_never() {
    for (jump, name) in jumps() {
        let cluster = Cluster::new();
        cluster.check().exits(0);
        cluster.ceph.does(
            Question::OsdTree,
            &Behaviour::Fail {
                stdout: Vec::new(),
                stderr: "no monitor".to_owned(),
                exit: 1,
            },
        );
        assert!(cluster.pass(1).is_empty());
        cluster.let_pass(jump);
        assert!(cluster.pass(1).is_empty(), "{name}: at once");
        cluster.let_pass(SignedDuration::from_mins(6));
        let subjects: Vec<String> = cluster.pass(1).iter().map(|mail| mail.subject()).collect();
        assert_eq!(subjects, ["[prod] petanotify cannot see osds"], "{name}");
        assert!(cluster.pass(1).is_empty(), "{name}: once");
        cluster.ceph.osds(recorded("18.2.7/osd-tree.healthy"));
        assert_eq!(cluster.pass(0).len(), 1, "{name}: it is over");
    }
}
