//! What a pass sees, when it speaks, and what it says.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::ceph::{Behaviour, Question, recorded, status, status_used, tree};
use crate::cluster::{Cluster, is_like, mode};
use crate::consul::{Fault, MEMBERS, Member, NODES, Reads};
use crate::relay::Mail;

const RELEASES: [&str; 2] = ["16.2.15", "18.2.7"];

/// Asserts that this is the mail to that recipient, and that nothing in it tells of another.
#[track_caller]
fn is_for(mail: &Mail, recipient: &str) {
    assert_eq!(mail.to, [recipient]);
    assert_eq!(mail.header("To").as_deref(), Some(recipient));
    for hidden in ["Cc", "Bcc"] {
        assert_eq!(mail.header(hidden), None);
    }
}

#[test]
fn a_healthy_pass_is_silent_and_leaves_a_state() {
    for release in RELEASES {
        let cluster = Cluster::new();
        cluster.ceph.situation(release, "healthy");
        cluster.check().exits(0).is_silent();
        cluster.check().exits(0).is_silent();
        assert!(
            cluster.relay.connections().is_empty(),
            "nobody is to be told anything"
        );
        assert_eq!(cluster.state()["version"], petanotify::state::VERSION);
        assert_eq!(mode(&cluster.state_file()), 0o600);
        assert!(cluster.queue().is_empty());
    }
}

#[test]
fn a_mail_is_text_and_html_with_times_of_the_readers_zone() {
    let mut cluster = Cluster::new();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    cluster.set("mail.time_zone", "\"Asia/Tokyo\"");
    let mails = cluster.pass(0);
    let mail = mails[0].parsed();
    let kinds = |mail: &mailparse::ParsedMail<'_>| {
        let parts = mail.subparts.iter().map(|part| part.ctype.mimetype.clone());
        Vec::from_iter(parts)
    };
    assert_eq!(mail.ctype.mimetype, "multipart/alternative");
    assert_eq!(kinds(&mail), ["text/plain", "text/html"]);
    for part in &mail.subparts {
        let text = part.get_body().unwrap();
        assert!(text.contains(" JST") && text.contains("osd."), "{text}");
    }
    let status = cluster.run(&["status"]);
    assert!(status.exits(0).stdout.contains(" JST"), "{}", status.stdout);

    cluster.set("mail.html", "false");
    cluster.ceph.situation("18.2.7", "healthy");
    let mails = cluster.pass(0);
    let mail = mails[0].parsed();
    assert_eq!(mail.ctype.mimetype, "text/plain");
    assert_eq!(kinds(&mail), [""; 0]);

    cluster.set("mail.time_zone", "\"Asia/Tokio\"");
    let run = cluster.check();
    assert!(
        run.exits(78)
            .stderr
            .contains("did you mean \"Asia/Tokyo\"?"),
        "{}",
        run.stderr
    );
}

#[test]
fn an_osd_incident_is_told_from_its_first_osd_to_its_last() {
    for release in RELEASES {
        let cluster = Cluster::new();
        cluster.ceph.situation(release, "healthy");
        assert!(cluster.pass(0).is_empty());

        cluster.ceph.situation(release, "one-osd-down");
        let raised = cluster.pass(0);
        assert_eq!(raised.len(), 1);
        assert_eq!(raised[0].subject(), "[prod] 1 OSD down on node2: osd.1");
        assert!(raised[0].text().contains("osd.1"), "{}", raised[0].text());
        assert!(raised[0].text().contains("node2"));
        assert!(
            raised[0].text().contains("ceph "),
            "the command to look closer with"
        );
        assert!(cluster.pass(0).is_empty(), "it has been told");

        cluster.ceph.situation(release, "two-osds-down");
        let updated = cluster.pass(0);
        assert_eq!(updated.len(), 1);
        assert_eq!(
            updated[0].subject(),
            "[prod] 2 OSDs down on node1, node2: osd.1, osd.2"
        );
        assert!(cluster.pass(0).is_empty());

        cluster.ceph.situation(release, "one-osd-down");
        assert!(
            cluster.pass(0).is_empty(),
            "one of two is back: the incident lasts, nothing is new"
        );

        cluster.ceph.situation(release, "healthy");
        let cleared = cluster.pass(0);
        assert_eq!(cleared.len(), 1);
        assert_eq!(cleared[0].subject(), "[prod] all OSDs are up again");
        assert!(cluster.pass(0).is_empty());

        cluster.ceph.situation(release, "one-osd-down");
        let again = cluster.pass(0);
        assert_eq!(again[0].subject(), raised[0].subject(), "a new incident");
        assert_eq!(
            again[0].header("In-Reply-To"),
            None,
            "it is a thread of its own"
        );
        assert_ne!(again[0].id(), raised[0].id());

        let first = raised[0].id();
        assert_eq!(raised[0].header("In-Reply-To"), None);
        for later in [&updated[0], &cleared[0]] {
            assert_ne!(later.id(), first);
            assert!(later.header("In-Reply-To").is_some());
            assert!(
                later.header("References").unwrap().contains(&first),
                "one incident, one thread"
            );
        }
    }
}

#[test]
fn an_osd_that_comes_back_and_fails_again_within_an_incident_is_news() {
    let cluster = Cluster::new();
    cluster.ceph.situation("18.2.7", "two-osds-down");
    assert_eq!(cluster.pass(0).len(), 1);
    cluster.ceph.situation("18.2.7", "one-osd-down");
    assert!(cluster.pass(0).is_empty());
    cluster.ceph.situation("18.2.7", "two-osds-down");
    assert_eq!(
        cluster.subjects(),
        ["[prod] 2 OSDs down on node1, node2: osd.1, osd.2"]
    );
}

#[test]
fn destroyed_stray_and_out_osds_are_down_and_named_as_such() {
    for release in RELEASES {
        for (situation, words) in [
            ("destroyed", ["destroyed", "stray"]),
            ("stray-down", ["stray", "osd.2"]),
            ("down-and-out", ["out", "osd.2"]),
        ] {
            let cluster = Cluster::new();
            cluster.ceph.situation(release, situation);
            let mails = cluster.pass(0);
            assert_eq!(mails.len(), 1, "{situation}");
            let subject = mails[0].subject();
            assert!(
                is_like(&subject, "[prod] 2 OSDs down on *: osd.1, osd.2"),
                "{subject}"
            );
            let text = mails[0].text();
            for word in words {
                assert!(text.contains(word), "{situation}: no {word} in\n{text}");
            }
        }
    }
}

#[test]
fn an_id_that_the_osd_map_has_forgotten_is_no_failed_disk() {
    let cluster = Cluster::new();
    let mut answer: serde_json::Value =
        serde_json::from_slice(&recorded("18.2.7/osd-tree.one-osd-down")).unwrap();
    for node in answer["nodes"].as_array_mut().unwrap() {
        if node["status"] == "down" {
            node["exists"] = json!(0);
        }
    }
    cluster.ceph.osds(answer.to_string().into_bytes());
    assert!(cluster.pass(0).is_empty());
}

#[test]
fn a_field_that_nobody_knows_breaks_no_check() {
    let cluster = Cluster::new();
    for question in ["status", "osd-tree"] {
        let mut answer: serde_json::Value =
            serde_json::from_slice(&recorded(&format!("18.2.7/{question}.one-osd-down"))).unwrap();
        answer["new_in_tentacle"] = json!({"nodes": [1, {"a": null}], "status": "up"});
        answer["osdmap"] = json!({"osdmap": {"num_osds": "many"}});
        let behaviour = Behaviour::Answer(answer.to_string().into_bytes());
        cluster.ceph.does(
            if question == "status" {
                Question::Status
            } else {
                Question::OsdTree
            },
            &behaviour,
        );
    }
    assert_eq!(cluster.subjects(), ["[prod] 1 OSD down on node2: osd.1"]);
}

#[test]
fn a_node_that_fails_leaves_or_vanishes_is_down_until_it_is_back() {
    let without: Vec<(&str, Member)> = ["node1", "node2", "node3", "node4"]
        .map(|name| (name, Member::Alive))
        .to_vec();
    let failed = include_str!("../fixtures/consul/members.node5-failed.json");
    let left = include_str!("../fixtures/consul/members.node4-left.json");
    for (case, subject) in [
        ("failed", "node5"),
        ("left", "node4"),
        ("vanished", "node5"),
    ] {
        let cluster = Cluster::new();
        assert!(cluster.pass(0).is_empty());
        match case {
            "failed" => cluster.consul.recorded_members(failed),
            "left" => cluster
                .consul
                .recorded_members(&left.replace("\"Status\":4", "\"Status\":1")),
            _ => cluster.consul.members(&without),
        }
        assert_eq!(
            cluster.subjects(),
            [format!("[prod] node down: {subject}")],
            "{case}"
        );
        assert!(cluster.pass(0).is_empty());
        cluster.consul.five_nodes();
        assert_eq!(cluster.subjects(), ["[prod] all nodes are up again"]);
        assert!(cluster.pass(0).is_empty());
    }
}

#[test]
fn a_second_node_is_an_update_that_lists_both() {
    let cluster = Cluster::new();
    let alive = |names: &[&'static str]| -> Vec<(&'static str, Member)> {
        names.iter().map(|name| (*name, Member::Alive)).collect()
    };
    cluster
        .consul
        .members(&alive(&["node1", "node2", "node3", "node4"]));
    assert_eq!(cluster.subjects(), ["[prod] node down: node5"]);
    cluster.consul.members(&alive(&["node1", "node2", "node3"]));
    assert_eq!(cluster.subjects(), ["[prod] 2 nodes down: node4, node5"]);
}

#[test]
fn a_node_is_up_while_any_member_of_just_its_name_is_alive() {
    let cluster = Cluster::new();
    let others = ["node1", "node2", "node3", "node4"].map(|name| (name, Member::Alive));
    for (members, is_down) in [
        (
            vec![("node5", Member::Failed), ("node5", Member::Alive)],
            false,
        ),
        (
            vec![("node5", Member::Alive), ("node5", Member::Left)],
            false,
        ),
        (vec![("node5", Member::Leaving)], true),
        (vec![("Node5", Member::Alive)], true),
        (vec![("node5 ", Member::Alive)], true),
        (vec![("node55", Member::Alive)], true),
        (vec![("node5.example.org", Member::Alive)], true),
    ] {
        cluster.consul.members(&[&others[..], &members].concat());
        let run = cluster.run(&["check", "--dry-run", "--json"]);
        let alerts = run.exits(0).json()["alerts"].as_array().unwrap().len();
        let names: Vec<_> = members
            .iter()
            .map(|(name, state)| (name, *state as u8))
            .collect();
        assert_eq!(alerts == 1, is_down, "{names:?}");
    }
}

#[test]
fn names_with_capitals_are_compared_as_they_are() {
    let cluster = Cluster::new();
    cluster
        .consul
        .put("PetaSAN/Nodes/Node6", &json!({"name": "Node6"}));
    let others = ["node1", "node2", "node3", "node4", "node5"].map(|name| (name, Member::Alive));
    for (name, subjects) in [
        ("node6", vec!["[prod] node down: Node6"]),
        ("Node6", vec!["[prod] all nodes are up again"]),
    ] {
        cluster
            .consul
            .members(&[&others[..], &[(name, Member::Alive)]].concat());
        assert_eq!(cluster.subjects(), subjects);
    }
}

#[test]
fn capacity_has_two_levels_and_a_margin_below_each() {
    let cluster = Cluster::new();
    for (percent, subject) in [
        (59.9, None),
        (60.0, None),
        (61.0, Some("[prod] storage 61 % full (over 60 %)")),
        (60.0, None),
        (58.1, None),
        (61.0, None),
        (85.0, None),
        (86.0, Some("[prod] storage 86 % full (over 85 %, critical)")),
        (84.0, None),
        (86.0, None),
        (82.9, None),
        (86.0, Some("[prod] storage 86 % full (over 85 %, critical)")),
        (57.0, Some("[prod] storage 57 % full again (below 60 %)")),
        (59.0, None),
        (90.0, Some("[prod] storage 90 % full (over 85 %, critical)")),
        (40.0, Some("[prod] storage 40 % full again (below 60 %)")),
    ] {
        cluster.ceph.capacity(status_used(percent));
        assert_eq!(
            cluster.subjects(),
            Vec::from_iter(subject),
            "at {percent} %"
        );
    }
}

#[test]
fn thresholds_and_margin_are_as_configured() {
    let mut cluster = Cluster::new();
    cluster.set("checks.capacity.warn_percent", "30.0");
    cluster.set("checks.capacity.critical_percent", "50");
    cluster.set("checks.capacity.clear_margin_percent", "5.0");
    cluster.ceph.capacity(recorded("18.2.7/status.used-30"));
    assert_eq!(cluster.subjects(), ["[prod] storage 34 % full (over 30 %)"]);
    cluster.ceph.capacity(recorded("18.2.7/status.used-50"));
    assert_eq!(
        cluster.subjects(),
        ["[prod] storage 53 % full (over 50 %, critical)"]
    );
    cluster.ceph.capacity(status_used(25.1));
    assert!(cluster.subjects().is_empty());
    cluster.ceph.capacity(status_used(24.9));
    assert_eq!(
        cluster.subjects(),
        ["[prod] storage 24 % full again (below 30 %)"]
    );
}

#[test]
fn a_threshold_is_exceeded_only_above_it_whatever_its_figures() {
    // 0.55 * 100.0 is 55.00000000000001 in binary floating point, 0.57 * 100.0 is 56.99999999999999.
    let mut cluster = Cluster::new();
    for percent in 1..=99_u64 {
        cluster.set("checks.capacity.warn_percent", &format!("{percent}.0"));
        cluster.set("checks.capacity.critical_percent", "100");
        cluster.set("checks.capacity.clear_margin_percent", "0");
        for (used, alerts) in [(percent * 10_000_000, 0), (percent * 10_000_000 + 1, 1)] {
            cluster.ceph.capacity(status(used, 1_000_000_000, true));
            let run = cluster.run(&["check", "--dry-run", "--json"]);
            let found = run.exits(0).json()["alerts"].as_array().unwrap().len();
            assert_eq!(
                found, alerts,
                "{used} of 1000000000 bytes, threshold {percent} %"
            );
        }
    }
}

#[test]
fn figures_that_say_nothing_leave_capacity_unknown() {
    for (answer, words) in [
        (status(0, 0, true), ["capacity", "bytes_total"]),
        (status(900, 1000, false), ["capacity", "manager"]),
        (recorded("16.2.15/status.mgr-down"), ["capacity", "manager"]),
    ] {
        let cluster = Cluster::new();
        cluster.ceph.capacity(status_used(61.0));
        assert_eq!(cluster.pass(0).len(), 1);
        let before = cluster.state()["memory"]["capacity"].clone();
        cluster.ceph.capacity(answer);
        for _ in 0..3 {
            let run = cluster.run(&["check", "--json"]);
            run.exits(1).says(&words);
            assert_eq!(check_named(&run.json(), "capacity")["state"], "unknown");
        }
        assert_eq!(
            cluster.state()["memory"]["capacity"],
            before,
            "what is remembered stays as it is"
        );
        assert_eq!(cluster.relay.take_mails().len(), 0);
        cluster.ceph.capacity(status_used(61.0));
        assert!(cluster.pass(0).is_empty(), "it has been told before");
        cluster.ceph.capacity(status_used(50.0));
        assert_eq!(
            cluster.subjects(),
            ["[prod] storage 50 % full again (below 60 %)"]
        );
    }
}

/// The entry of this check in the document of `check --json`.
fn check_named(document: &serde_json::Value, name: &str) -> serde_json::Value {
    let checks = document["checks"].as_array().expect("checks");
    checks
        .iter()
        .find(|check| check["name"] == name)
        .unwrap_or_else(|| panic!("no {name} in {document}"))
        .clone()
}

#[test]
fn passes_that_could_not_see_repeat_nothing_and_forget_nothing() {
    let cluster = Cluster::new();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    cluster
        .consul
        .recorded_members(include_str!("../fixtures/consul/members.node5-failed.json"));
    assert_eq!(cluster.pass(0).len(), 2);
    let memory = |topic: &str| cluster.state()["memory"][topic].clone();
    let (osds, nodes) = (memory("osds"), memory("nodes"));

    cluster.ceph.fails(1, "timed out");
    cluster
        .consul
        .fault_everywhere(&Fault::Status(500, "rpc error making call: EOF".to_owned()));
    for _ in 0..3 {
        assert!(cluster.pass(1).is_empty());
    }
    assert_eq!((memory("osds"), memory("nodes")), (osds, nodes));

    cluster.ceph.situation("18.2.7", "one-osd-down");
    cluster.consul.heal();
    assert!(cluster.pass(0).is_empty(), "all of it has been told");
    cluster.ceph.situation("18.2.7", "two-osds-down");
    assert_eq!(
        cluster.subjects(),
        ["[prod] 2 OSDs down on node1, node2: osd.1, osd.2"]
    );
    cluster.ceph.healthy();
    cluster.consul.five_nodes();
    assert_eq!(
        cluster.subjects(),
        [
            "[prod] all OSDs are up again",
            "[prod] all nodes are up again"
        ]
    );
}

#[test]
fn what_came_back_while_nobody_could_see_is_cleared_at_first_sight() {
    let cluster = Cluster::new();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    assert_eq!(cluster.pass(0).len(), 1);
    cluster.ceph.fails(1, "timed out");
    assert!(cluster.pass(1).is_empty());
    cluster.ceph.healthy();
    assert_eq!(cluster.subjects(), ["[prod] all OSDs are up again"]);
}

#[test]
fn one_check_that_fails_does_not_stop_the_others() {
    let cluster = Cluster::new();
    cluster.ceph.capacity(status_used(61.0));
    cluster.ceph.does(
        Question::OsdTree,
        &Behaviour::Fail {
            stdout: Vec::new(),
            stderr: "[errno 13] RADOS permission denied".to_owned(),
            exit: 13,
        },
    );
    cluster
        .consul
        .recorded_members(include_str!("../fixtures/consul/members.node5-failed.json"));
    let mut subjects: Vec<String> = cluster.pass(1).iter().map(Mail::subject).collect();
    subjects.sort();
    assert_eq!(
        subjects,
        [
            "[prod] node down: node5",
            "[prod] storage 61 % full (over 60 %)"
        ]
    );
    cluster
        .check()
        .exits(1)
        .says(&["osds", "[errno 13] RADOS permission denied"]);
}

#[test]
fn a_thing_counts_only_after_so_many_passes_in_a_row() {
    let mut cluster = Cluster::new();
    cluster.set("checks.osds.hold_passes", "3");
    cluster.set("checks.nodes.hold_passes", "2");
    let down = || cluster.ceph.situation("18.2.7", "one-osd-down");
    let up = || cluster.ceph.healthy();
    down();
    assert!(cluster.pass(0).is_empty());
    assert!(cluster.pass(0).is_empty());
    up();
    assert!(
        cluster.pass(0).is_empty(),
        "nobody was told of it, so nobody is told that it is over"
    );
    down();
    assert!(cluster.pass(0).is_empty());
    assert!(cluster.pass(0).is_empty());
    assert_eq!(cluster.subjects(), ["[prod] 1 OSD down on node2: osd.1"]);
    assert!(cluster.pass(0).is_empty());

    cluster
        .consul
        .recorded_members(include_str!("../fixtures/consul/members.node5-failed.json"));
    assert!(cluster.pass(0).is_empty());
    assert_eq!(cluster.subjects(), ["[prod] node down: node5"]);
}

#[test]
fn a_pass_that_could_not_see_is_no_pass_in_the_row() {
    let mut cluster = Cluster::new();
    cluster.set("checks.osds.hold_passes", "2");
    cluster.ceph.situation("18.2.7", "one-osd-down");
    assert!(cluster.pass(0).is_empty());
    cluster.ceph.fails(1, "timed out");
    assert!(cluster.pass(1).is_empty());
    assert!(cluster.pass(1).is_empty());
    cluster.ceph.situation("18.2.7", "one-osd-down");
    assert_eq!(cluster.subjects(), ["[prod] 1 OSD down on node2: osd.1"]);
}

#[test]
fn blindness_is_itself_an_alert_after_blind_after() {
    let mut cluster = Cluster::new();
    cluster.set("notify.blind_after", "\"5m\"");
    assert!(cluster.pass(0).is_empty());
    cluster.ceph.fails(1, "timed out");
    assert!(cluster.pass(1).is_empty());
    cluster.let_pass(SignedDuration::from_mins(4));
    assert!(cluster.pass(1).is_empty());
    cluster.let_pass(SignedDuration::from_mins(2));
    let raised = cluster.pass(1);
    assert_eq!(raised.len(), 1);
    assert_eq!(
        raised[0].subject(),
        "[prod] petanotify cannot see capacity, osds"
    );
    assert!(
        raised[0].text().contains("timed out"),
        "{}",
        raised[0].text()
    );
    cluster.let_pass(SignedDuration::from_mins(10));
    assert!(cluster.pass(1).is_empty());
    cluster.ceph.healthy();
    assert_eq!(
        cluster.subjects(),
        ["[prod] petanotify can see everything again"]
    );
    assert!(cluster.pass(0).is_empty());
}

#[test]
fn recovery_mails_can_be_turned_off() {
    let mut cluster = Cluster::new();
    cluster.set("notify.recovery", "false");
    cluster.ceph.situation("18.2.7", "one-osd-down");
    cluster.ceph.capacity(status_used(61.0));
    assert_eq!(cluster.pass(0).len(), 2);
    cluster.ceph.healthy();
    assert!(cluster.pass(0).is_empty());
    cluster.ceph.situation("18.2.7", "one-osd-down");
    assert_eq!(
        cluster.pass(0).len(),
        1,
        "the incident before is over all the same"
    );
}

#[test]
fn a_reminder_comes_when_asked_for() {
    let mut cluster = Cluster::new();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    assert_eq!(cluster.pass(0).len(), 1);
    cluster.let_pass(SignedDuration::from_hours(48));
    assert!(cluster.pass(0).is_empty(), "off by default");
    cluster.set("notify.remind_every", "\"24h\"");
    let reminder = cluster.pass(0);
    assert_eq!(reminder.len(), 1);
    assert!(reminder[0].subject().contains("osd.1"));
    assert!(reminder[0].header("References").is_some());
    assert!(cluster.pass(0).is_empty());
    cluster.let_pass(SignedDuration::from_hours(47));
    assert!(cluster.pass(0).is_empty(), "the second one takes two days");
    cluster.let_pass(SignedDuration::from_hours(2));
    assert_eq!(cluster.pass(0).len(), 1);
}

#[test]
fn a_check_that_is_off_asks_nobody() {
    let mut cluster = Cluster::new();
    cluster.set("checks.nodes.enabled", "false");
    cluster.set("checks.osds.enabled", "false");
    cluster.ceph.does(Question::OsdTree, &Behaviour::Signal(9));
    cluster.consul.fault(NODES, Fault::Close);
    cluster
        .consul
        .recorded_members(include_str!("../fixtures/consul/members.node5-failed.json"));
    cluster.ceph.capacity(status_used(61.0));
    assert_eq!(cluster.subjects(), ["[prod] storage 61 % full (over 60 %)"]);
    assert!(
        cluster
            .ceph
            .calls()
            .iter()
            .all(|call| !call.contains("osd tree"))
    );
}

#[test]
fn each_recipient_gets_a_mail_of_its_own_and_only_what_it_asked_for() {
    let mut cluster = Cluster::new();
    cluster.recipient_for("disks@example.org", "[\"osds\"]");
    cluster.recipient_for("rooms@example.org", "[\"capacity\", \"nodes\"]");
    cluster.ceph.situation("18.2.7", "one-osd-down");
    cluster
        .consul
        .recorded_members(include_str!("../fixtures/consul/members.node5-failed.json"));
    let mails = cluster.pass(0);
    let mut received: Vec<(String, String)> = mails
        .iter()
        .map(|mail| (mail.to.join(","), mail.subject()))
        .collect();
    received.sort();
    let (osd, node) = (
        "[prod] 1 OSD down on node2: osd.1",
        "[prod] node down: node5",
    );
    let expected = [
        ("disks@example.org", osd),
        ("ops@example.org", osd),
        ("ops@example.org", node),
        ("rooms@example.org", node),
    ];
    assert_eq!(
        received,
        expected.map(|(to, subject)| (to.to_owned(), subject.to_owned()))
    );
    let mut ids: Vec<String> = mails.iter().map(Mail::id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), mails.len(), "one Message-ID a mail");
    for mail in &mails {
        is_for(mail, &mail.to[0]);
        for other in ["disks@", "ops@", "rooms@"] {
            assert!(
                mail.to[0].starts_with(other)
                    || !String::from_utf8_lossy(&mail.raw).contains(other)
            );
        }
    }
}

#[test]
fn the_headers_are_those_of_the_contract() {
    let cluster = Cluster::new();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    let before = Timestamp::now();
    let mails = cluster.pass(0);
    let mail = &mails[0];
    is_for(mail, "ops@example.org");
    assert_eq!(mail.from, "storage@example.org");
    assert_eq!(
        mail.header("From").as_deref(),
        Some("PetaSAN <storage@example.org>")
    );
    assert_eq!(
        mail.header("Auto-Submitted").as_deref(),
        Some("auto-generated")
    );
    assert!(is_like(&mail.id(), "<*@*>"), "{}", mail.id());
    let date = mailparse::dateparse(&mail.header("Date").unwrap()).unwrap();
    assert!(
        (before.as_second()..=Timestamp::now().as_second()).contains(&date),
        "Date is when it was raised"
    );
    for line in mail.raw.split(|byte| *byte == b'\n') {
        assert!(line.len() <= 999, "RFC 5322, 2.1.1");
    }
}

#[test]
fn date_stays_that_of_the_alert_when_the_mail_leaves_late() {
    let cluster = Cluster::new();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    cluster.relay.fault(
        crate::relay::Stage::Mail,
        crate::relay::says("451 4.3.0 not now"),
    );
    assert!(cluster.pass(1).is_empty());
    let raised = Timestamp::now();
    cluster.let_pass(SignedDuration::from_hours(3));
    cluster.relay.heal();
    let mails = cluster.pass(0);
    let date = mailparse::dateparse(&mails[0].header("Date").unwrap()).unwrap();
    let age = raised.as_second() - date;
    assert!((3 * 3600..3 * 3600 + 60).contains(&age), "{age} s");
}

#[test]
fn without_a_leader_the_stale_read_serves() {
    let cluster = Cluster::new();
    cluster.consul.lose_leader();
    cluster
        .consul
        .recorded_members(include_str!("../fixtures/consul/members.node5-failed.json"));
    let run = cluster.check();
    run.exits(0).says(&["leader"]);
    assert_eq!(
        cluster.relay.take_mails()[0].subject(),
        "[prod] node down: node5"
    );
    let nodes: Vec<bool> = cluster
        .consul
        .requests()
        .iter()
        .filter(|r| r.path == NODES)
        .map(crate::consul::Request::is_stale)
        .collect();
    assert_eq!(nodes, [false, true], "asked in earnest first");
}

#[test]
fn a_500_that_is_not_about_the_leader_is_no_reason_to_read_stale_data() {
    let cluster = Cluster::new();
    cluster.consul.fault_for(
        NODES,
        Reads::Default,
        Fault::Status(500, "internal error".to_owned()),
    );
    cluster
        .check()
        .exits(1)
        .says(&["nodes", "500", "internal error"]);
}

#[test]
fn a_node_whose_entry_is_broken_is_named_and_the_others_still_count() {
    for broken in ["%%%", "bm90IEpTT04=", "W10="] {
        let cluster = Cluster::new();
        cluster
            .consul
            .recorded_members(include_str!("../fixtures/consul/members.node5-failed.json"));
        cluster.consul.put_base64("PetaSAN/Nodes/node2", broken);
        let run = cluster.check();
        run.exits(1).says(&["PetaSAN/Nodes/node2"]);
        assert_eq!(
            cluster.relay.take_mails()[0].subject(),
            "[prod] node down: node5",
            "{broken}"
        );
    }
}

#[test]
fn a_node_that_is_down_and_becomes_unreadable_stays_down() {
    let cluster = Cluster::new();
    cluster
        .consul
        .recorded_members(include_str!("../fixtures/consul/members.node5-failed.json"));
    assert_eq!(cluster.pass(0).len(), 1);
    cluster.consul.put_base64("PetaSAN/Nodes/node5", "%%%");
    assert!(cluster.pass(1).is_empty(), "neither cleared nor told again");
    cluster.consul.five_nodes();
    assert_eq!(cluster.subjects(), ["[prod] all nodes are up again"]);
}

#[test]
fn no_nodes_in_consul_means_unknown_not_healthy() {
    let cluster = Cluster::new();
    cluster
        .consul
        .recorded_members(include_str!("../fixtures/consul/members.node5-failed.json"));
    assert_eq!(cluster.pass(0).len(), 1);
    for number in 1..=5 {
        cluster
            .consul
            .delete(&format!("PetaSAN/Nodes/node{number}"));
    }
    assert!(cluster.pass(1).is_empty());
    cluster.check().exits(1).says(&["nodes", "PetaSAN/Nodes/"]);
}

#[test]
fn ceph_and_consul_are_asked_side_by_side() {
    let cluster = Cluster::new();
    // Each command answers only once the other has been asked; one after the other would hang.
    cluster.ceph.does(
        Question::Status,
        &Behaviour::Meet(recorded("18.2.7/status.healthy")),
    );
    cluster.ceph.does(
        Question::OsdTree,
        &Behaviour::Meet(recorded("18.2.7/osd-tree.healthy")),
    );
    cluster.check().exits(0).is_silent();

    cluster.ceph.does(
        Question::Status,
        &Behaviour::Wait(recorded("18.2.7/status.healthy")),
    );
    let running = cluster.start(&["check"]);
    cluster.consul.wait_for_request(MEMBERS);
    cluster.ceph.release();
    running.wait().exits(0).is_silent();
}

#[test]
fn the_cli_is_called_as_configured() {
    let mut cluster = Cluster::new();
    cluster.set("ceph.conf", "\"/etc/ceph/other.conf\"");
    cluster.set("ceph.name", "\"client.petanotify\"");
    cluster.set("ceph.keyring", "\"/etc/ceph/other.keyring\"");
    cluster.set(
        "ceph.command",
        &format!(
            "[\"{}\", \"--setuser\", \"ceph\"]",
            cluster.ceph.command().display()
        ),
    );
    cluster.check().exits(0);
    let calls = cluster.ceph.calls();
    assert_eq!(calls.len(), 2);
    for call in calls {
        assert!(call.starts_with("--setuser ceph "), "{call}");
        for part in [
            "/etc/ceph/other.conf",
            "client.petanotify",
            "/etc/ceph/other.keyring",
            "--connect-timeout",
            "json",
        ] {
            assert!(call.contains(part), "no {part} in {call}");
        }
    }
}

#[test]
fn the_cluster_is_called_by_its_datacenter_unless_told_otherwise() {
    let mut cluster = Cluster::new();
    cluster.unset("cluster.name");
    cluster.ceph.situation("18.2.7", "one-osd-down");
    assert_eq!(cluster.subjects(), ["[petasan] 1 OSD down on node2: osd.1"]);
    cluster.consul.fault_everywhere(&Fault::Close);
    cluster.ceph.situation("18.2.7", "two-osds-down");
    let mails = cluster.pass(1);
    assert!(
        mails[0].subject().starts_with("[petasan] "),
        "the last name known"
    );

    let mut unnamed = Cluster::new();
    unnamed.unset("cluster.name");
    unnamed.consul.fault_everywhere(&Fault::Close);
    unnamed.ceph.situation("18.2.7", "one-osd-down");
    assert_eq!(
        unnamed.pass(1)[0].subject(),
        "[ceph] 1 OSD down on node2: osd.1"
    );
}

#[test]
fn consul_is_asked_with_the_token() {
    let mut cluster = Cluster::new();
    cluster.consul.require_token("t0ken-of-the-day");
    cluster.check().exits(1).says(&["403", "Permission denied"]);
    let file = cluster.file("token", "t0ken-of-the-day\n", 0o600);
    cluster.set("consul.token_file", &format!("\"{}\"", file.display()));
    cluster.check().exits(0).is_silent();
    let shown = cluster.run(&["-vv", "check", "--json"]);
    assert!(!shown.exits(0).stderr.contains("t0ken-of-the-day"));
}

#[test]
fn many_osds_at_once_make_one_mail() {
    let cluster = Cluster::new();
    let hosts: Vec<String> = (0..20).map(|host| format!("host{host}")).collect();
    let osds: Vec<Vec<(u32, &str)>> = (0..20)
        .map(|host| {
            (0..25)
                .map(|osd| (host * 25 + osd, if host < 10 { "down" } else { "up" }))
                .collect()
        })
        .collect();
    let layout: Vec<(&str, &[(u32, &str)])> = hosts
        .iter()
        .zip(&osds)
        .map(|(host, osds)| (host.as_str(), osds.as_slice()))
        .collect();
    cluster.ceph.osds(tree(&layout));
    let mails = cluster.pass(0);
    assert_eq!(mails.len(), 1);
    let subject = mails[0].subject();
    assert!(subject.starts_with("[prod] 250 OSDs down on "), "{subject}");
    assert!(subject.len() < 120, "{subject}");
}
