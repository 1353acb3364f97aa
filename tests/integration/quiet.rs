//! Quiet when asked: silences, acknowledged incidents, Ceph's `noout`; what the admin types, what is mailed, what is left.

use std::fs;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::ceph::{Behaviour, Question, recorded, status_used, tree};
use crate::cluster::Cluster;
use crate::consul::Member;
use crate::relay::{Fault, Mail, Stage};

const DOWN: &str = "[prod] 1 OSD down on node2: osd.1";
const UP: &str = "[prod] all OSDs are up again";

fn one_down(cluster: &Cluster) {
    cluster.ceph.situation("18.2.7", "one-osd-down");
}

fn two_down(cluster: &Cluster) {
    cluster.ceph.situation("18.2.7", "two-osds-down");
}

/// The text of the only mail of a pass, with its subject.
#[track_caller]
fn mail(cluster: &Cluster) -> (String, String) {
    let mails = cluster.pass(0);
    assert_eq!(
        mails.len(),
        1,
        "{:?}",
        mails.iter().map(Mail::subject).collect::<Vec<_>>()
    );
    (mails[0].subject(), mails[0].text().replace("\r\n", "\n"))
}

#[track_caller]
fn silence(cluster: &Cluster, options: &[&str]) -> String {
    let words = [&["silence", "add"], options].concat();
    let run = cluster.run(&words);
    assert_eq!(run.exits(0).stderr, "");
    run.stdout
}

fn silences(cluster: &Cluster) -> Vec<Value> {
    let document = cluster.run(&["silence", "list", "--json"]).exits(0).json();
    document["silences"].as_array().unwrap().clone()
}

#[test]
fn what_is_silenced_is_told_when_its_silence_ends() {
    for ends in ["by hand", "by its time"] {
        let cluster = Cluster::new();
        let said = silence(
            &cluster,
            &["--osd", "osd.1", "--for", "2h", "--why", "disk swap"],
        );
        assert!(said.starts_with("silence 1: osd.1 until "), "{said}");
        assert!(said.ends_with("(2 h)\n"), "{said}");
        one_down(&cluster);
        assert_eq!(cluster.subjects(), Vec::<String>::new());
        assert_eq!(cluster.subjects(), Vec::<String>::new());
        let check = cluster.run(&["check", "--json"]).exits(0).json();
        assert_eq!(check["silences"][0]["covers"], "osd.1");
        assert_eq!(check["checks"][2]["state"], "ok");
        assert_eq!(
            check["checks"][2]["summary"],
            "1 of 4 OSDs down (1 silenced): osd.1/node2"
        );
        if ends == "by hand" {
            let run = cluster.run(&["silence", "end", "1"]);
            assert_eq!(run.exits(0).stdout, "ended silence 1: osd.1\n");
        } else {
            cluster.let_pass(SignedDuration::from_mins(119));
            assert_eq!(cluster.subjects(), Vec::<String>::new(), "a minute is left");
            cluster.let_pass(SignedDuration::from_mins(1));
        }
        assert_eq!(silences(&cluster), Vec::<Value>::new(), "{ends}");
        let (subject, text) = mail(&cluster);
        assert_eq!(subject, DOWN, "{ends}");
        assert!(!text.contains("Silenced"), "{text}");
        assert_eq!(cluster.state()["memory"]["silences"], Value::Null);
        cluster.ceph.healthy();
        assert_eq!(cluster.subjects(), [UP]);
    }
}

#[test]
fn what_is_not_silenced_is_told_and_the_mail_names_the_silences() {
    let cluster = Cluster::new();
    silence(
        &cluster,
        &[
            "--node",
            "NODE2.example.org",
            "--for",
            "1h",
            "--why",
            "disk swap",
        ],
    );
    silence(&cluster, &["--check", "capacity", "--for", "30d"]);
    two_down(&cluster);
    cluster.ceph.capacity(status_used(61.0));
    let (subject, text) = mail(&cluster);
    assert_eq!(subject, "[prod] 1 OSD down on node1: osd.2");
    let (_, silenced) = text.split_once("\nSilenced:\n").unwrap();
    let words: Vec<&str> = silenced.split_whitespace().collect();
    let silenced = words.join(" ");
    for told in [
        ": NODE2.example.org with its OSDs (disk swap) until ",
        ": capacity --",
    ] {
        assert!(silenced.contains(told), "{text}");
    }

    let status = cluster.run(&["status"]).exits(0).stdout.clone();
    let shown = status
        .lines()
        .find(|line| line.starts_with("  silenced  until "));
    assert!(
        shown.unwrap().contains("NODE2.example.org with its OSDs"),
        "{status}"
    );
    let status = cluster.run(&["status", "--json"]).exits(0).json();
    assert_eq!(status["silences"].as_array().unwrap().len(), 2);
    assert_eq!(status["silences"][0]["nodes"], json!(["NODE2.example.org"]));

    let table = cluster.run(&["silence", "list"]).exits(0).stdout.clone();
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("ID  UNTIL "), "{table}");
    assert!(lines[1].starts_with("1   "), "{table}");
    assert!(lines[1].contains("(disk swap"), "{table}");
    assert!(lines[2].ends_with("  capacity"), "{table}");

    // osd.1 is still silenced, and the storage as well.
    cluster.ceph.osds(recorded("18.2.7/osd-tree.one-osd-down"));
    assert_eq!(
        mail(&cluster).0,
        "[prod] all OSDs are up again but 1 silenced"
    );
    let run = cluster.run(&["silence", "end", "--all", "--json"]);
    assert_eq!(run.exits(0).json()["ended"].as_array().unwrap().len(), 2);
    assert_eq!(
        cluster.subjects(),
        [DOWN, "[prod] storage 61 % full (over 60 %)"]
    );
    let run = cluster.run(&["silence", "end", "--all"]);
    assert_eq!(run.exits(0).stdout, "Nothing is silenced.\n");
    assert_eq!(
        cluster.run(&["silence", "list"]).exits(0).stdout,
        "Nothing is silenced.\n"
    );
}

#[test]
fn what_was_told_before_is_told_to_be_over() {
    let mut cluster = Cluster::new();
    cluster.set("notify.remind_every", "\"10m\"");
    one_down(&cluster);
    assert_eq!(cluster.subjects(), [DOWN]);
    let said = silence(&cluster, &["--node", "node2", "--for", "1h"]);
    assert!(said.ends_with("; down now: osd.1\n"), "{said}");
    cluster.let_pass(SignedDuration::from_mins(30));
    assert_eq!(cluster.subjects(), Vec::<String>::new(), "no reminder");
    cluster.ceph.healthy();
    assert_eq!(cluster.subjects(), [UP]);
    one_down(&cluster);
    assert_eq!(cluster.subjects(), Vec::<String>::new());
}

#[test]
fn a_silence_of_everything_says_so_and_covers_nodes_and_blindness() {
    let cluster = Cluster::new();
    let said = silence(&cluster, &["--for", "1h"]);
    assert!(said.starts_with("silence 1: everything until "), "{said}");
    cluster
        .consul
        .members(&[("node1", Member::Alive), ("node2", Member::Failed)]);
    cluster.ceph.fails(1, "timed out");
    cluster.check().exits(1);
    cluster.let_pass(SignedDuration::from_mins(10));
    cluster.check().exits(1);
    assert!(cluster.relay.take_mails().is_empty());
    cluster.run(&["silence", "end", "1"]).exits(0);
    cluster.check().exits(1);
    let subjects: Vec<String> = cluster
        .relay
        .take_mails()
        .iter()
        .map(Mail::subject)
        .collect();
    assert_eq!(subjects.len(), 2, "{subjects:?}");
    assert!(
        subjects
            .iter()
            .any(|s| s.contains("petanotify cannot see capacity, osds"))
    );
}

#[test]
fn an_acknowledged_incident_is_not_told_again_but_what_is_new_is() {
    let mut cluster = Cluster::new();
    cluster.set("notify.remind_every", "\"10m\"");
    let run = cluster.run(&["ack"]);
    assert_eq!(run.exits(0).stdout, "No incident is open.\n");
    one_down(&cluster);
    assert_eq!(cluster.subjects(), [DOWN]);
    let run = cluster.run(&["ack", "--why", "disk ordered"]);
    let said = run.exits(0).stdout.clone();
    assert!(said.starts_with("acknowledged: osds-"), "{said}");
    assert!(said.contains("1 OSD down on node2: osd.1"), "{said}");
    cluster.let_pass(SignedDuration::from_mins(30));
    assert_eq!(cluster.subjects(), Vec::<String>::new(), "no reminder");
    let status = cluster.run(&["status"]).exits(0).stdout.clone();
    assert!(
        status.contains("\n            acknowledged: disk ordered\n"),
        "{status}"
    );
    let status = cluster.run(&["status", "--json"]).exits(0).json();
    assert_eq!(status["incidents"][0]["ack"]["why"], "disk ordered");

    // A node goes down, and its mail tells that the other incident is known.
    cluster.ceph.capacity(status_used(61.0));
    let (_, text) = mail(&cluster);
    let known = "1 OSD down on node2: osd.1 (acknowledged: disk ordered)";
    assert!(text.contains(known), "{text}");
    two_down(&cluster);
    cluster.ceph.capacity(status_used(61.0));
    let (subject, text) = mail(&cluster);
    assert_eq!(subject, "[prod] 2 OSDs down on node1, node2: osd.1, osd.2");
    assert!(text.contains("\nAcknowledged:\n  "), "{text}");
    cluster.run(&["ack", "osds"]).exits(0);
    one_down(&cluster);
    cluster.ceph.capacity(status_used(61.0));
    assert_eq!(cluster.subjects(), Vec::<String>::new());
    two_down(&cluster);
    cluster.ceph.capacity(status_used(61.0));
    assert_eq!(
        cluster.subjects(),
        Vec::<String>::new(),
        "known, though it was up meanwhile"
    );

    let run = cluster.run(&["ack", "--undo", "osds", "--json"]);
    let document = run.exits(0).json();
    assert_eq!(document["incidents"][0]["ack"], Value::Null);
    cluster.let_pass(SignedDuration::from_mins(30));
    let subjects = cluster.subjects();
    assert!(
        subjects[0].starts_with("[prod] still 2 OSDs down"),
        "{subjects:?}"
    );
    let id = document["incidents"][0]["id"].as_str().unwrap();
    cluster.run(&["ack", id]).exits(0);
    cluster.ceph.healthy();
    let subjects = cluster.subjects();
    assert!(subjects.contains(&UP.to_owned()), "{subjects:?}");
    one_down(&cluster);
    assert_eq!(
        cluster.subjects(),
        [DOWN],
        "the next incident is another one"
    );
}

#[test]
fn what_is_not_there_can_be_neither_ended_nor_acknowledged() {
    let cluster = Cluster::new();
    one_down(&cluster);
    cluster.pass(0);
    silence(&cluster, &["--osd", "3", "--for", "1h"]);
    let before = cluster.all_state();
    let run = cluster.run(&["silence", "end", "1", "7"]);
    run.exits(1).says(&[
        "nothing was ended",
        "no silence 7",
        "petanotify silence list",
    ]);
    assert_eq!(run.stdout, "");
    let run = cluster.run(&["ack", "osds", "nodes"]);
    run.exits(1).says(&[
        "nothing was acknowledged",
        "no open incident is called nodes",
        "open: osds-",
    ]);
    cluster.run(&["ack", "osd"]).exits(1);
    for wrong in [
        &["silence", "add"][..],
        &["silence", "add", "--osd", "1"],
        &["silence", "add", "--for", "31d"],
        &["silence", "add", "--for", "0s"],
        &["silence", "add", "--for", "90"],
        &["silence", "add", "--for", "1h", "--until", "14:00"],
        &["silence", "add", "--until", "2020-01-01 12:00"],
        &["silence", "add", "--until", "soon"],
        &["silence", "add", "--for", "1h", "--osd", "9-4"],
        &["silence", "add", "--for", "1h", "--check", "disks"],
        &[
            "silence", "add", "--for", "1h", "--check", "nodes", "--osd", "4",
        ],
        &[
            "silence", "add", "--for", "1h", "--check", "capacity", "--node", "node1",
        ],
        &["silence", "add", "--for", "1h", "--why", ""],
        &["silence", "add", "--for", "1h", "--why", "a\nb"],
        &["silence", "add", "--for", "1h", "--why", &"x".repeat(201)],
        &["silence", "add", "--for", "1h", "--node", ""],
        &["silence", "end"],
        &["silence", "end", "osd.1"],
        &["silence", "end", "1", "--all"],
        &["ack", "--undo", "--why", "x"],
    ] {
        let run = cluster.run(wrong);
        assert_eq!(run.code, Some(2), "{wrong:?}: {}", run.stderr);
        assert_eq!(run.stdout, "");
    }
    assert_eq!(cluster.all_state(), before, "nothing was changed");
}

#[test]
fn there_can_be_only_so_many() {
    let cluster = Cluster::new();
    for _ in 0..50 {
        silence(&cluster, &["--osd", "1", "--for", "1h"]);
    }
    let run = cluster.run(&["silence", "add", "--for", "1h"]);
    run.exits(2)
        .says(&["50 silences last already", "petanotify silence end"]);
    assert_eq!(silences(&cluster).len(), 50);
    cluster.run(&["silence", "end", "7"]).exits(0);
    let said = silence(&cluster, &["--osd", "1", "--for", "1h"]);
    assert!(said.starts_with("silence 51: "), "{said}");
    let many: Vec<String> = (0..51).map(|node| format!("--node=n{node}")).collect();
    let words = ["silence", "add", "--for", "1h"].into_iter();
    let words: Vec<&str> = words.chain(many.iter().map(String::as_str)).collect();
    cluster
        .run(&words)
        .exits(2)
        .says(&["51 nodes are too many"]);
}

#[test]
fn nothing_is_changed_while_a_pass_holds_the_lock() {
    let cluster = Cluster::new();
    one_down(&cluster);
    cluster.pass(0);
    let lock = fs::File::create(cluster.state_folder().join("state.json.lock")).unwrap();
    lock.lock().unwrap();
    let before = cluster.state();
    let commands: [&[&str]; 3] = [
        &["silence", "add", "--for", "1h"],
        &["silence", "end", "--all"],
        &["ack"],
    ];
    let running: Vec<_> = commands
        .iter()
        .map(|command| cluster.start(command))
        .collect();
    for run in running {
        run.wait().exits(75).says(&["another pass holds"]);
    }
    assert_eq!(cluster.state(), before);
    assert_eq!(
        cluster.run(&["silence", "list"]).exits(0).stdout,
        "Nothing is silenced.\n"
    );
    drop(lock);
    silence(&cluster, &["--for", "1h"]);
}

#[test]
fn what_cannot_be_saved_is_an_error() {
    let mut cluster = Cluster::new();
    cluster.as_nobody();
    let mode = |mode| {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(cluster.state_folder(), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(0o777);
    one_down(&cluster);
    cluster.pass(0);
    let before = cluster.state();
    mode(0o555);
    for command in [&["silence", "add", "--for", "1h"][..], &["ack"]] {
        let run = cluster.run(command);
        assert_eq!(run.exits(74).stdout, "");
        run.says(&["cannot save the state"]);
    }
    mode(0o777);
    assert_eq!(cluster.state(), before);
}

#[test]
fn a_silence_outlives_its_disk_in_the_second_place() {
    let mut cluster = Cluster::new();
    cluster.as_nobody();
    let run = cluster.folder().join("run");
    fs::create_dir(&run).unwrap();
    let mode = |folder: &std::path::Path, mode| {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&run, 0o777);
    mode(&cluster.state_folder(), 0o777);
    cluster.env("RUNTIME_DIRECTORY", run.to_str().unwrap());
    cluster.pass(0);
    // The file stays readable, what fails is writing: a folder stands in the way of the new state.
    let in_the_way = cluster.state_folder().join("state.json.new");
    fs::create_dir(&in_the_way).unwrap();
    let said = cluster.run(&["silence", "add", "--osd", "1", "--for", "1h"]);
    said.exits(0)
        .says(&["until the next start of this machine"]);
    one_down(&cluster);
    cluster.check().exits(74);
    fs::remove_dir(&in_the_way).unwrap();
    cluster.check().exits(0);
    assert!(cluster.relay.take_mails().is_empty());
    assert_eq!(cluster.state()["memory"]["silences"][0]["id"], 1);
}

#[test]
fn a_state_of_an_earlier_release_can_be_silenced() {
    for release in ["version-1", "version-2", "version-3"] {
        let cluster = Cluster::new();
        let old = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/state");
        fs::copy(format!("{old}/{release}.json"), cluster.state_file()).unwrap();
        let silent_before = silences(&cluster).len();
        silence(&cluster, &["--osd", "1", "--for", "1h"]);
        cluster.run(&["ack", "osds"]).exits(0);
        assert_eq!(silences(&cluster).len(), silent_before + 1, "{release}");
        let acknowledged = cluster.state()["memory"]["osds"]["acknowledged"].clone();
        assert_eq!(
            acknowledged,
            json!([1, 2]),
            "{release}: what is up again is known as well"
        );
    }
}

#[test]
fn a_silence_says_who_wanted_it() {
    let mut cluster = Cluster::new();
    for (variables, by) in [
        (&[][..], Value::Null),
        (&[("LOGNAME", "root")], json!("root")),
        (&[("SUDO_USER", "ann\u{202e}")], json!("ann?")),
    ] {
        for (name, value) in variables {
            cluster.env(name, value);
        }
        let run = cluster.run(&["silence", "add", "--for", "1h", "--json"]);
        assert_eq!(run.exits(0).json()["silence"]["by"], by);
    }
}

#[test]
fn flags_and_mutes_of_ceph_are_named_in_every_mail() {
    let cluster = Cluster::new();
    cluster.ceph.situation("18.2.7", "noout");
    let (subject, text) = mail(&cluster);
    assert_eq!(
        subject, DOWN,
        "a flag keeps nothing back unless that is set"
    );
    let (_, maintenance) = text.split_once("\nMaintenance:\n").unwrap();
    assert!(
        maintenance.starts_with("  noout is set, seen since "),
        "{text}"
    );
    two_down(&cluster);
    cluster
        .ceph
        .capacity(recorded("16.2.15/status.maintenance"));
    let (_, text) = mail(&cluster);
    for line in [
        "  nodown is set (",
        "  norebalance is set (",
        "  2 OSDs or CRUSH nodes have such a flag of their own\n",
        "  muted in the health of Ceph: OSDMAP_FLAGS, OSD_DOWN\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let status = cluster.run(&["status", "--json"]).exits(0).json();
    assert_eq!(status["maintenance"]["flagged"], 2);
    assert_eq!(status["maintenance"]["flags"][0], "noout");
    assert!(status["maintenance"]["noout_since"].is_string());
    cluster.ceph.healthy();
    let (_, text) = mail(&cluster);
    assert!(!text.contains("Maintenance"), "{text}");
}

#[test]
fn while_noout_is_set_mail_about_osds_waits_as_long_as_is_set() {
    let mut cluster = Cluster::new();
    cluster.set("checks.osds.hold_while_noout", "\"4h\"");
    cluster.ceph.situation("18.2.7", "noout");
    assert_eq!(cluster.subjects(), Vec::<String>::new());
    let failed = include_str!("../fixtures/consul/members.node5-failed.json");
    cluster.consul.recorded_members(failed);
    assert_eq!(
        cluster.subjects(),
        ["[prod] node down: node5"],
        "nodes do not wait"
    );
    let check = cluster.run(&["check", "--json"]).exits(0).json();
    let summary = "1 of 4 OSDs down (1 held back while noout is set): osd.1/node2";
    assert_eq!(check["checks"][2]["summary"], summary);
    cluster.let_pass(SignedDuration::from_mins(239));
    assert_eq!(cluster.subjects(), Vec::<String>::new());
    cluster.let_pass(SignedDuration::from_mins(1));
    let (subject, text) = mail(&cluster);
    assert_eq!(subject, DOWN);
    assert!(
        text.contains("\nMaintenance:\n  noout is set, seen since "),
        "{text}"
    );

    // The flag is gone before the time is over.
    cluster.ceph.healthy();
    cluster.pass(0);
    cluster.ceph.situation("18.2.7", "noout");
    assert_eq!(cluster.subjects(), Vec::<String>::new());
    one_down(&cluster);
    assert_eq!(cluster.subjects(), [DOWN]);
}

#[test]
fn without_the_status_noout_is_not_known_and_a_hold_warns() {
    let mut cluster = Cluster::new();
    cluster.set("checks.osds.hold_while_noout", "\"4h\"");
    cluster.set("checks.capacity.enabled", "false");
    cluster.ceph.situation("18.2.7", "noout");
    let run = cluster.check();
    run.exits(0).says(&[
        "checks.osds.hold_while_noout",
        "no effect without checks.capacity or checks.health",
    ]);
    let mails = cluster.relay.take_mails();
    assert_eq!(mails[0].subject(), DOWN);
    assert!(!mails[0].text().contains("Maintenance"));
    assert!(
        !cluster
            .ceph
            .calls()
            .iter()
            .any(|call| call.contains("status"))
    );
}

#[test]
fn the_status_that_is_asked_for_health_alone_tells_of_noout_too() {
    let mut cluster = Cluster::new();
    cluster.set("checks.osds.hold_while_noout", "\"4h\"");
    cluster.set("checks.capacity.enabled", "false");
    cluster.set("checks.health.enabled", "true");
    cluster.ceph.situation("18.2.7", "noout");
    let check = cluster.run(&["check", "--json"]);
    assert_eq!(check.exits(0).stderr, "");
    let osds = &check.json()["checks"][1];
    let summary = "1 of 4 OSDs down (1 held back while noout is set): osd.1/node2";
    assert_eq!(osds["summary"], summary);
    let status = cluster.run(&["status"]).exits(0).stdout.clone();
    assert!(status.contains("noout (since "), "{status}");
    assert!(status.contains("held back while noout is set"), "{status}");

    // What cannot be asked for is taken to be as it was, and the time counts on.
    cluster.let_pass(SignedDuration::from_mins(238));
    cluster.ceph.does(
        Question::Status,
        &Behaviour::Fail {
            stdout: Vec::new(),
            stderr: "timed out".to_owned(),
            exit: 1,
        },
    );
    cluster.check().exits(1).says(&["health", "timed out"]);
    cluster.let_pass(SignedDuration::from_mins(1));
    cluster.ceph.situation("18.2.7", "noout");
    cluster.check().exits(0);
    assert_eq!(cluster.relay.take_mails().len(), 0);
    cluster.let_pass(SignedDuration::from_mins(1));
    let (subject, text) = mail(&cluster);
    assert_eq!(subject, DOWN);
    assert!(text.contains("noout is set, seen since "), "{text}");
}

#[test]
fn a_mail_that_waits_is_sent_whatever_is_silenced_since() {
    let cluster = Cluster::new();
    cluster
        .ceph
        .osds(tree(&[("node2", &[(1, "down"), (3, "up")])]));
    cluster.relay.fault(Stage::Greeting, Fault::Drop);
    cluster.check().exits(1);
    cluster.relay.heal();
    silence(&cluster, &["--for", "1h"]);
    let mails = cluster.pass(0);
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].subject(), "[prod] 1 OSD down on node2: osd.1");
}
