//! Whom a pass tells, and when: least severity, quiet hours, recipients who come and go while something is wrong.

use jiff::Timestamp;
use serde_json::json;

use crate::cluster::Cluster;
use crate::consul::{Fault as ConsulFault, Member};
use crate::relay::{Fault, Mail, Stage, says};

const NIGHT: i64 = 1;
const DAY: i64 = 12;

/// Lets the machine's clock show this hour: it stands in a zone in which it is that late.
fn let_it_be(cluster: &mut Cluster, hour: i64) {
    let utc = Timestamp::now().as_second() / 3600 % 24;
    let ahead = (hour - utc).rem_euclid(24);
    cluster.env("TZ", &format!("XYZ-{ahead}"));
}

/// One who sleeps, and nobody else.
fn asleep() -> Cluster {
    let mut cluster = Cluster::new();
    cluster.recipients(&[]);
    cluster.recipient_with("ops@example.org", "quiet_hours = \"22:00-07:00\"");
    let_it_be(&mut cluster, NIGHT);
    cluster
}

fn down(cluster: &Cluster, nodes: &[&str]) {
    let members = ["node1", "node2", "node3", "node4", "node5"].map(|name| {
        let member = match nodes.contains(&name) {
            true => Member::Failed,
            false => Member::Alive,
        };
        (name, member)
    });
    cluster.consul.members(&members);
}

/// Who gets what, in order.
fn told(mails: &[Mail]) -> Vec<String> {
    let mut told: Vec<String> = mails
        .iter()
        .map(|mail| format!("{}: {}", mail.to.join(" "), unhurried(&mail.subject())))
        .collect();
    told.sort();
    told
}

/// A subject without the seconds that something took: how many there are is the machine's affair.
fn unhurried(subject: &str) -> String {
    match subject.rsplit_once(" (") {
        Some((head, length)) if length.ends_with(" s)") => head.to_owned(),
        _ => subject.to_owned(),
    }
}

#[test]
fn a_night_is_told_in_the_morning_in_one_mail() {
    let mut cluster = asleep();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    assert!(cluster.pass(0).is_empty());
    down(&cluster, &["node5"]);
    let run = cluster.check();
    run.exits(0);
    assert!(run.line_with(&["queued"]).is_none(), "{}", run.stderr);
    let dry = cluster.run(&["check", "--dry-run"]).exits(0).stdout.clone();
    assert!(dry.contains("2 mails held back by quiet hours"), "{dry}");

    let queue = cluster.queue();
    assert_eq!(queue.len(), 2);
    for message in &queue {
        assert!(message["held_until"].is_string(), "{message}");
        assert_eq!(message["next_attempt"], message["held_until"]);
        assert_eq!(
            (&message["attempts"], &message["alerts"]),
            (&json!(0), &json!(null))
        );
    }
    let listed = cluster.run(&["queue", "list"]).exits(0).stdout.clone();
    assert!(listed.contains("07:00 XYZ\n"), "{listed}");
    let status = cluster.run(&["status"]).exits(0).stdout.clone();
    assert!(status.contains("2 mails held until "), "{status}");
    assert!(!status.contains("stuck"), "{status}");
    let status = cluster.run(&["status", "--json"]).exits(0).json();
    assert_eq!(status["last_pass"]["complete"], true);
    assert_eq!(status["queue"]["held"], 2);
    assert_eq!(status["queue"]["oldest"], json!(null));

    let_it_be(&mut cluster, DAY);
    let mails = cluster.pass(0);
    assert_eq!(
        told(&mails),
        ["ops@example.org: [prod] 2 alerts: 1 OSD down on node2: osd.1; node down: node5"]
    );
    let text = mails[0].text();
    for words in [
        "Your quiet hours have held back 2 alerts of cluster prod until",
        "1. 1 OSD down on node2: osd.1",
        "2. node down: node5",
        "ceph osd tree down",
        "consul members",
    ] {
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }
    assert!(!text.contains("late"), "{text}");
    let signatures = text.lines().filter(|line| *line == "-- ").count();
    assert_eq!(signatures, 1, "{text}");
    assert_eq!(mails[0].header("X-Petanotify-Delayed"), None);
    assert!(cluster.pass(0).is_empty());

    // What follows is in the same thread.
    cluster.ceph.healthy();
    down(&cluster, &[]);
    let ends = cluster.pass(0);
    assert_eq!(ends.len(), 2);
    let threads = mails[0].header("References").unwrap();
    for end in &ends {
        let first = end.header("References").unwrap();
        assert!(threads.contains(&first), "{first} is not in {threads}");
        assert_ne!(end.id(), mails[0].id());
    }
}

#[test]
fn what_comes_and_goes_by_night_is_told_as_over() {
    let mut cluster = asleep();
    down(&cluster, &["node5"]);
    assert!(cluster.pass(0).is_empty());
    down(&cluster, &[]);
    assert!(cluster.pass(0).is_empty());
    cluster.ceph.situation("18.2.7", "one-osd-down");
    assert!(cluster.pass(0).is_empty());
    let_it_be(&mut cluster, DAY);
    let mails = cluster.pass(0);
    assert_eq!(
        told(&mails),
        ["ops@example.org: [prod] 2 alerts: 1 OSD down on node2: osd.1; node was down: node5"]
    );
    let text = mails[0].text();
    assert!(text.contains("What is over comes last."), "{text}");
}

#[test]
fn one_thing_of_the_night_is_its_own_mail_and_says_that_it_was_held() {
    let mut cluster = asleep();
    down(&cluster, &["node5"]);
    assert!(cluster.pass(0).is_empty());
    let_it_be(&mut cluster, DAY);
    let mails = cluster.pass(0);
    assert_eq!(told(&mails), ["ops@example.org: [prod] node down: node5"]);
    let text = mails[0].text();
    assert!(text.starts_with("This mail was held back until"), "{text}");
}

#[test]
fn what_becomes_critical_by_night_is_told_at_once_to_those_who_ask_for_it() {
    let mut cluster = asleep();
    cluster.recipient_with("boss@example.org", "severity = \"critical\"");
    cluster.recipient_with("day@example.org", "");
    cluster.ceph.situation("18.2.7", "one-osd-down");
    down(&cluster, &["node5"]);
    assert_eq!(
        told(&cluster.pass(0)),
        [
            "day@example.org: [prod] 1 OSD down on node2: osd.1",
            "day@example.org: [prod] node down: node5"
        ]
    );
    down(&cluster, &["node4", "node5"]);
    let run = cluster.run(&["check", "--json"]);
    let document = run.exits(0).json();
    assert_eq!(document["alerts"][0]["severity"], "critical");
    assert_eq!(
        document["mail"],
        json!({"sent": 3, "queued": 1, "held": 1, "dropped": 0})
    );
    let mails = cluster.relay.take_mails();
    let subject = "[prod] 2 nodes down: node4, node5";
    assert_eq!(
        told(&mails),
        ["boss", "day", "ops"].map(|who| format!("{who}@example.org: {subject}"))
    );
    for (who, new) in [("ops", true), ("boss", true), ("day", false)] {
        let to = [format!("{who}@example.org")];
        let text = mails.iter().find(|mail| mail.to == to).unwrap().text();
        let is_all_new = text.contains("2 nodes of cluster prod are down.");
        assert_eq!(is_all_new, new, "{who}:\n{text}");
    }
    // Its end is told to the same, also by night.
    down(&cluster, &[]);
    assert_eq!(
        told(&cluster.pass(0)),
        ["boss", "day", "ops"]
            .map(|who| format!("{who}@example.org: [prod] all nodes are up again"))
    );
    cluster.ceph.healthy();
    assert_eq!(
        told(&cluster.pass(0)),
        ["day@example.org: [prod] all OSDs are up again"]
    );
    let_it_be(&mut cluster, DAY);
    let mails = told(&cluster.pass(0));
    assert_eq!(
        mails,
        ["ops@example.org: [prod] 1 OSD was down on node2: osd.1"]
    );
}

#[test]
fn a_digest_that_the_server_does_not_take_stays_one_mail_whatever_comes() {
    let mut cluster = asleep();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    down(&cluster, &["node5"]);
    assert!(cluster.pass(0).is_empty());
    let_it_be(&mut cluster, DAY);
    cluster.relay.fault(Stage::Mail, says("451 not now"));
    cluster
        .check()
        .exits(1)
        .says(&["1 mail stays queued", "451 not now"]);
    let queue = cluster.queue();
    assert_eq!((queue.len(), &queue[0]["alerts"]), (1, &json!(2)));
    assert_eq!(queue[0]["held_until"], json!(null));
    let id = queue[0]["id"].as_str().unwrap().to_owned();
    let shown = cluster.run(&["queue", "show", &id]).exits(0).stdout.clone();
    assert!(
        shown.contains(&format!("Message-ID: <digest.{id}@petanotify.prod>")),
        "{shown}"
    );
    cluster.check().exits(1);
    assert_eq!(cluster.queue()[0]["attempts"], 2);
    // One of the two ends: what is pending tells that.
    down(&cluster, &[]);
    cluster.check().exits(1);
    let queue = cluster.queue();
    assert_eq!(queue.len(), 1);
    assert_eq!(
        unhurried(queue[0]["subject"].as_str().unwrap()),
        "[prod] 2 alerts: 1 OSD down on node2: osd.1; node was down: node5"
    );
    cluster.relay.heal();
    assert_eq!(cluster.pass(0).len(), 1);
    assert!(cluster.queue().is_empty());
}

#[test]
fn a_digest_survives_being_killed_at_any_moment() {
    for (stage, fault) in [
        (Stage::Greeting, Fault::Hang),
        (Stage::Data, Fault::Hang),
        (Stage::End, Fault::Hang),
        (Stage::End, Fault::TakeAndHang),
    ] {
        let mut cluster = asleep();
        cluster.recipient_with("boss@example.org", "quiet_hours = \"21:00-08:00\"");
        cluster.ceph.situation("18.2.7", "one-osd-down");
        down(&cluster, &["node5"]);
        assert!(cluster.pass(0).is_empty());
        assert_eq!(cluster.queue().len(), 4);
        let_it_be(&mut cluster, DAY);
        cluster.relay.fault(stage, fault.clone());
        let pass = cluster.start(&["check"]);
        cluster.relay.wait_for(|connections, mails| match stage {
            Stage::Greeting => !connections.is_empty(),
            Stage::Data => {
                (connections.iter()).any(|c| c.commands.iter().any(|line| line == "DATA"))
            }
            _ => !mails.is_empty(),
        });
        pass.kill();
        let before = cluster.relay.mails();
        cluster.relay.heal();
        let mails = cluster.pass(0);
        let subject = "[prod] 2 alerts: node down: node5; 1 OSD down on node2: osd.1";
        assert_eq!(
            told(&mails),
            ["boss", "ops"].map(|who| format!("{who}@example.org: {subject}")),
            "{stage:?} {fault:?}"
        );
        for first in &before {
            let again = mails.iter().find(|mail| mail.to == first.to).unwrap();
            assert_eq!(again.raw, first.raw, "the same mail to the last byte");
        }
        assert!(cluster.pass(0).is_empty());
        assert!(cluster.queue().is_empty());
    }
}

#[test]
fn of_a_digest_that_was_sent_no_part_comes_again_from_the_backup() {
    let mut cluster = asleep();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    down(&cluster, &["node5"]);
    assert!(cluster.pass(0).is_empty());
    let_it_be(&mut cluster, DAY);
    assert_eq!(cluster.pass(0).len(), 1);
    std::fs::write(cluster.state_file(), "torn").unwrap();
    assert!(
        cluster.pass(0).is_empty(),
        "the backup has the digest, the list of what was sent too"
    );
}

#[test]
fn whoever_flushes_the_queue_by_night_wants_it_now() {
    let cluster = asleep();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    down(&cluster, &["node5"]);
    assert!(cluster.pass(0).is_empty());
    cluster.run(&["queue", "flush"]).exits(0);
    assert_eq!(
        told(&cluster.relay.take_mails()),
        [
            "ops@example.org: [prod] 1 OSD down on node2: osd.1",
            "ops@example.org: [prod] node down: node5"
        ]
    );
    assert!(cluster.pass(0).is_empty());
}

#[test]
fn hours_that_are_taken_out_of_the_configuration_hold_nothing_back_any_more() {
    let mut cluster = asleep();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    down(&cluster, &["node5"]);
    assert!(cluster.pass(0).is_empty());
    cluster.recipients(&["ops@example.org"]);
    assert_eq!(cluster.pass(0).len(), 1, "a digest");
    assert!(cluster.queue().is_empty());
}

#[test]
fn who_is_added_is_told_how_it_stands_and_who_is_taken_away_nothing_more() {
    let mut cluster = Cluster::new();
    cluster.recipients(&["ops@example.org", "gone@example.org"]);
    cluster
        .relay
        .refuse("gone@example.org", "451 try again later");
    cluster.ceph.situation("18.2.7", "two-osds-down");
    let raised = cluster.pass(1);
    assert_eq!(raised.len(), 1);

    cluster.recipients(&["ops@example.org", "new@example.org"]);
    let run = cluster.check();
    run.exits(0);
    run.says(&[
        "told to new@example.org, who had not been told",
        "2 OSDs down",
    ]);
    run.says(&[
        "to gone@example.org",
        "was not sent",
        "no recipient any more",
    ]);
    let mails = cluster.relay.take_mails();
    let subject = raised[0].subject();
    assert_eq!(told(&mails), [format!("new@example.org: {subject}")]);
    assert!(mails[0].text().contains("2 OSDs of cluster prod are down."));
    assert!(cluster.queue().is_empty());
    assert!(cluster.pass(0).is_empty(), "once");

    cluster.recipients(&["ops@example.org", "new@example.org", "gone@example.org"]);
    cluster.relay.heal();
    let again = cluster.pass(0);
    assert_eq!(told(&again), [format!("gone@example.org: {subject}")]);
    assert_ne!(again[0].id(), mails[0].id());
    cluster.ceph.healthy();
    let ends = cluster.pass(0);
    assert_eq!(ends.len(), 3);
    for end in &ends {
        assert_eq!(end.subject(), "[prod] all OSDs are up again");
    }
}

#[test]
fn while_petasans_users_cannot_be_read_nobody_is_new_and_nobody_is_gone() {
    let cluster = Cluster::petasan();
    let settings = json!({
        "email_notify_smtp_server": "127.0.0.1",
        "email_notify_smtp_port": cluster.relay.port().to_string(),
        "email_notify_smtp_email": "petasan@example.org",
        "email_notify_smtp_security": 4,
    });
    cluster.consul.put("PetaSAN/Config", &settings);
    cluster.consul.put_user("admin", "admin@example.org", true);
    cluster.ceph.situation("18.2.7", "one-osd-down");
    assert_eq!(cluster.pass(0).len(), 1);
    let users = "/v1/kv/PetaSAN/Users/";
    cluster
        .consul
        .fault(users, ConsulFault::Status(500, "no".to_owned()));
    assert!(cluster.pass(0).is_empty(), "with the users of before");
    std::fs::remove_file(cluster.state_folder().join("petasan-import.json")).unwrap();
    assert!(cluster.pass(0).is_empty(), "with none");
    cluster.consul.heal();
    assert!(cluster.pass(0).is_empty(), "they are the same");
    cluster.consul.put_user("night", "night@example.org", true);
    let mails = cluster.pass(0);
    assert_eq!(
        told(&mails),
        ["night@example.org: [petasan] 1 OSD down on node2: osd.1"]
    );
    cluster.consul.put_user("admin", "admin@example.org", false);
    cluster.ceph.healthy();
    let mails = cluster.pass(0);
    assert_eq!(
        told(&mails),
        ["night@example.org: [petasan] all OSDs are up again"]
    );
}
