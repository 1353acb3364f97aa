//! How fast the storage fills: seen over days, told in mails, on the screen and to Prometheus.

use jiff::SignedDuration;

use crate::ceph::status_used;
use crate::cluster::Cluster;

/// Two passes a day for ten days; `percent` tells how full the storage is after so many days.
pub(crate) fn ten_days(cluster: &Cluster, percent: impl Fn(f64) -> f64) {
    for half in 0..=20 {
        if half > 0 {
            cluster.let_pass(SignedDuration::from_hours(12));
        }
        cluster
            .ceph
            .capacity(status_used(percent(f64::from(half) / 2.0)));
        cluster.check().exits(0);
    }
}

#[test]
fn storage_that_grows_is_told_with_its_pace_and_what_lies_ahead() {
    let cluster = Cluster::new();
    ten_days(&cluster, |day| 55.0 + day / 2.0);
    assert!(cluster.relay.take_mails().is_empty());
    let document = cluster.run(&["status", "--json"]).exits(0).json();
    // Of 1 GB half a percent a day.
    for bound in ["lowest", "bytes_per_day", "highest"] {
        let bytes = document["growth"][bound].as_f64().unwrap();
        assert!((4.9e6..5.1e6).contains(&bytes), "{document:#}");
    }

    cluster.ceph.capacity(status_used(60.2));
    let mails = cluster.pass(0);
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = mails[0].text();
    let (pace, ahead) = (
        "33 MiB a week",
        "at this pace over 85 % in 7 weeks, full in 10 weeks",
    );
    let told = format!("growth {pace} {ahead} Look");
    assert!(words(&text).contains(&told), "{text}");
    let screen = cluster.run(&["status"]).exits(0).stdout.clone();
    let told = format!("grows by {pace}; {ahead} ");
    assert!(words(&screen).contains(&told), "{screen}");
}

#[test]
fn storage_that_does_not_grow_or_is_not_known_for_long_is_told_without() {
    let cluster = Cluster::new();
    cluster.ceph.capacity(status_used(61.0));
    let young = cluster.pass(0);
    assert!(!young[0].text().contains("growth"), "{}", young[0].text());
    let document = cluster.run(&["status", "--json"]).exits(0).json();
    assert!(document["growth"].is_null(), "{document:#}");

    ten_days(&cluster, |_| 61.0);
    let document = cluster.run(&["status", "--json"]).exits(0).json();
    assert_eq!(document["growth"]["bytes_per_day"], 0, "{document:#}");
    cluster.ceph.capacity(status_used(86.0));
    let critical = cluster.pass(0);
    assert!(
        !critical[0].text().contains("growth"),
        "{}",
        critical[0].text()
    );
    let screen = cluster.run(&["status"]);
    assert!(!screen.exits(0).stdout.contains("grows"));
}

#[test]
fn a_pass_that_has_looked_a_short_while_ago_remembers_nothing_more() {
    let cluster = Cluster::new();
    let looks = || cluster.state()["memory"]["capacity"]["history"].clone();
    cluster.check().exits(0);
    let first = looks();
    assert_eq!(first.as_array().unwrap().len(), 1);
    cluster.check().exits(0);
    let second = looks();
    // Unless the two passes lie on both sides of the hour.
    assert!(second == first || second.as_array().unwrap().len() == 2);
    cluster.let_pass(SignedDuration::from_hours(4));
    cluster.check().exits(0);
    assert!(looks().as_array().unwrap().len() >= 2);
}
