//! What goes down and comes up again and again is one alert.

use jiff::SignedDuration;

use crate::ceph::tree;
use crate::cluster::Cluster;
use crate::relay::Mail;

/// A pass in which this is true of osd.1, a minute after the one before; the mails that it brings.
fn pass(cluster: &Cluster, osd: &str) -> Vec<Mail> {
    cluster.let_pass(SignedDuration::from_mins(1));
    let osds = [(0, "up"), (1, osd)];
    cluster
        .ceph
        .osds(tree(&[("node1", &osds), ("node2", &[(2, "up")])]));
    cluster.pass(0)
}

/// It goes down and comes up in turns, for so many passes; the subjects of the mails.
fn flaps(cluster: &Cluster, passes: usize) -> Vec<String> {
    let states = ["down", "up"].into_iter().cycle().take(passes);
    let mails = states.flat_map(|state| pass(cluster, state));
    mails.map(|mail| mail.subject()).collect()
}

fn cluster() -> Cluster {
    let cluster = Cluster::new();
    cluster.check().exits(0);
    cluster
}

const DOWN: &str = "[prod] 1 OSD down on node1: osd.1";
const UP: &str = "[prod] all OSDs are up again";
const FLAPPING: &str = "[prod] osd.1 on node1 is flapping: went down 3 times in 4 min";

#[test]
fn a_disk_that_flaps_for_an_hour_is_one_alert_and_is_over_when_it_is_calm() {
    let mut cluster = cluster();
    let metrics = cluster.folder().join("petanotify.prom");
    cluster.set("metrics.textfile", &format!("\"{}\"", metrics.display()));
    let told = flaps(&cluster, 60);
    assert_eq!(told, [DOWN, UP, DOWN, UP, FLAPPING]);

    // It is up now, and said to be so everywhere.
    let check = cluster.run(&["check", "--dry-run", "--json"]).json();
    assert_eq!(check["checks"][2]["state"], "alert");
    let summary = "all 3 OSDs are up, 1 flapping: osd.1/node1 (flapping)";
    assert_eq!(check["checks"][2]["summary"], summary);
    let status = cluster.run(&["status", "--json"]).json();
    assert_eq!(status["down"]["osds"], serde_json::json!({}));
    let flapping = &status["flapping"]["osds"]["1"]["flapping"];
    assert_eq!(flapping["downs"], 30);
    assert!(flapping["up_since"].is_string(), "{flapping}");
    let screen = cluster.run(&["status"]).stdout;
    assert!(
        screen.contains("Cluster prod: 1 OSD flapping\n"),
        "{screen}"
    );
    assert!(screen.contains("osd.1 (up, flapping)"), "{screen}");
    let page = std::fs::read_to_string(&metrics).unwrap();
    assert!(page.contains("\npetanotify_osds_down 0\n"), "{page}");
    assert!(page.contains("\npetanotify_osds_flapping 1\n"), "{page}");
    assert!(page.contains("\npetanotify_nodes_flapping 0\n"), "{page}");
    assert!(
        page.contains("check=\"osds\",state=\"alert\"} 1\n"),
        "{page}"
    );

    // Not yet an hour.
    cluster.let_pass(SignedDuration::from_mins(58));
    assert!(pass(&cluster, "up").is_empty());
    let mails = pass(&cluster, "up");
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].subject(), "[prod] all OSDs are up and calm again");
    let text = mails[0].text();
    assert!(text.contains("went down 30 times in 59 min"), "{text}");
    assert!(text.contains("(1 h)"), "calm since: {text}");
    assert!(mails[0].header("References").is_some());
    let status = cluster.run(&["status", "--json"]).json();
    assert_eq!(status["flapping"]["osds"], serde_json::json!({}));
    assert!(pass(&cluster, "up").is_empty());
}

#[test]
fn what_flaps_and_then_stays_down_is_told_as_down() {
    let mut cluster = cluster();
    cluster.set("checks.osds.hold_passes", "2");
    assert_eq!(flaps(&cluster, 8), [FLAPPING], "never down for two passes");
    let mails: Vec<Vec<Mail>> = (0..30).map(|_| pass(&cluster, "down")).collect();
    let told = mails.iter().position(|mails| !mails.is_empty());
    assert_eq!(told, Some(10), "minutes after it went down");
    assert_eq!(mails.concat().len(), 1);
    let mail = &mails[10][0];
    assert_eq!(mail.subject(), DOWN);
    assert!(mail.text().contains("flapped before"), "{}", mail.text());
    let status = cluster.run(&["status", "--json"]).json();
    assert_eq!(status["down"]["osds"]["1"]["announced"], true);
    assert_eq!(status["flapping"]["osds"], serde_json::json!({}));
    assert!(flaps(&cluster, 20).is_empty(), "it is told as down");
    cluster.let_pass(SignedDuration::from_mins(59));
    assert_eq!(pass(&cluster, "up").len(), 1, "calm");
}

#[test]
fn each_time_is_told_where_flapping_is_turned_off() {
    let mut cluster = cluster();
    cluster.set("notify.flapping.enabled", "false");
    let told = flaps(&cluster, 8);
    assert_eq!(told, [DOWN, UP, DOWN, UP, DOWN, UP, DOWN, UP]);
    assert_eq!(
        cluster.state()["memory"]["osds"]["went_down"],
        serde_json::Value::Null
    );
}

#[test]
fn a_node_flaps_as_a_disk_does() {
    let cluster = cluster();
    let failed = include_str!("../fixtures/consul/members.node5-failed.json");
    let mut told = Vec::new();
    for minute in 0..20 {
        cluster.let_pass(SignedDuration::from_mins(1));
        if minute % 4 == 0 {
            cluster.consul.recorded_members(failed);
        } else {
            cluster.consul.five_nodes();
        }
        told.extend(cluster.pass(0).iter().map(|mail| mail.subject()));
    }
    let (down, up) = ("[prod] node down: node5", "[prod] all nodes are up again");
    let flapping = "[prod] node5 is flapping: went down 3 times in 8 min";
    assert_eq!(told, [down, up, down, up, flapping]);
}
