//! What Ceph itself finds wrong, told only where somebody has asked for it.

use serde_json::{Value, json};

use crate::ceph::{recorded, status_used};
use crate::cluster::Cluster;

/// A `ceph status` in which Ceph finds this wrong: code, severity, summary, and whether it is muted.
fn status_with(checks: &[(&str, &str, &str, bool)]) -> Vec<u8> {
    let mut document: Value = serde_json::from_slice(&recorded("18.2.7/status.healthy")).unwrap();
    let checks = checks.iter().map(|(code, severity, summary, muted)| {
        let check = json!({
            "severity": severity,
            "summary": {"message": summary, "count": 1},
            "muted": muted,
        });
        ((*code).to_owned(), check)
    });
    document["health"]["checks"] = Value::Object(checks.collect());
    document.to_string().into_bytes()
}

const DAMAGED: (&str, &str, &str, bool) = (
    "PG_DAMAGED",
    "HEALTH_ERR",
    "Possible data damage: 1 pg inconsistent",
    false,
);
const SCRUB: (&str, &str, &str, bool) = ("OSD_SCRUB_ERRORS", "HEALTH_ERR", "3 scrub errors", false);
const POOL: (&str, &str, &str, bool) = (
    "POOL_APP_NOT_ENABLED",
    "HEALTH_WARN",
    "1 pool(s) do not have an application enabled",
    false,
);

/// A cluster that is asked for its health, and told of at once.
fn asked(level: &str) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.set("checks.health.enabled", "true");
    cluster.set("checks.health.level", &format!("\"{level}\""));
    cluster.set("checks.health.hold_passes", "1");
    cluster
}

#[test]
fn errors_are_told_from_the_first_to_the_last() {
    let cluster = asked("error");
    cluster.ceph.capacity(status_with(&[POOL]));
    assert!(cluster.pass(0).is_empty(), "a warning is no error");

    cluster.ceph.capacity(status_with(&[POOL, DAMAGED]));
    let calls = cluster.ceph.calls().len();
    let raised = cluster.pass(0);
    assert_eq!(
        cluster.ceph.calls().len() - calls,
        2,
        "no further call: status and osd tree"
    );
    assert_eq!(
        raised[0].subject(),
        "[prod] Ceph health: 1 error: PG_DAMAGED"
    );
    let text = raised[0].text();
    for words in [
        "PG_DAMAGED  error",
        "Possible data damage: 1 pg inconsistent",
        "ceph health detail",
    ] {
        assert!(text.contains(words), "{text}");
    }

    let more = (
        "PG_DAMAGED",
        "HEALTH_ERR",
        "Possible data damage: 2 pgs inconsistent",
        false,
    );
    cluster.ceph.capacity(status_with(&[POOL, more]));
    assert!(
        cluster.pass(0).is_empty(),
        "a number that changes is no news"
    );

    cluster.ceph.capacity(status_with(&[POOL, more, SCRUB]));
    assert_eq!(
        cluster.subjects(),
        ["[prod] Ceph health: 2 errors: OSD_SCRUB_ERRORS, PG_DAMAGED"]
    );

    let document = cluster.run(&["status", "--json"]).exits(0).json();
    let known = &document["down"]["health"]["PG_DAMAGED"]["what"];
    assert_eq!(known["summary"], "Possible data damage: 2 pgs inconsistent");
    assert_eq!(known["severity"], "error");
    let screen = cluster.run(&["status"]).exits(0).stdout.clone();
    assert!(screen.contains("Ceph reports 2 errors"), "{screen}");
    assert!(
        screen.contains("OSD_SCRUB_ERRORS: 3 scrub errors"),
        "{screen}"
    );

    cluster.ceph.capacity(status_with(&[POOL]));
    assert_eq!(cluster.subjects(), ["[prod] Ceph health is fine again"]);
    let document = cluster.run(&["check", "--json"]).exits(0).json();
    let health = &document["checks"][3];
    assert_eq!(health["name"], "health");
    assert_eq!(
        health["summary"],
        "Ceph reports nothing that counts (left out: POOL_APP_NOT_ENABLED)"
    );
}

#[test]
fn without_being_asked_for_there_is_no_trace_of_it() {
    let cluster = Cluster::new();
    cluster.ceph.capacity(status_with(&[POOL, DAMAGED]));
    assert!(cluster.pass(0).is_empty());
    let document = cluster.run(&["check", "--json"]).exits(0).json();
    assert_eq!(document["checks"].as_array().unwrap().len(), 3);
    for arguments in [
        &["status"][..],
        &["status", "--json"],
        &["check", "--dry-run"],
    ] {
        let run = cluster.run(arguments);
        assert!(!run.exits(0).stdout.contains("health"), "{}", run.stdout);
    }
    assert!(!cluster.state().to_string().contains("health"));
}

#[test]
fn what_is_muted_ignored_or_told_by_another_check_is_left_out() {
    let mut cluster = asked("warn");
    cluster.set("checks.health.ignore", "[\"POOL_APP_NOT_ENABLED\"]");
    let muted = ("MON_DOWN", "HEALTH_WARN", "1/3 mons down", true);
    let covered = (
        "OSD_HOST_DOWN",
        "HEALTH_WARN",
        "1 host (2 osds) down",
        false,
    );
    cluster.ceph.capacity(status_with(&[POOL, muted, covered]));
    assert!(cluster.pass(0).is_empty());
    let no_longer_muted = ("MON_DOWN", "HEALTH_WARN", "1/3 mons down", false);
    cluster
        .ceph
        .capacity(status_with(&[POOL, no_longer_muted, covered]));
    assert_eq!(
        cluster.subjects(),
        ["[prod] Ceph health: 1 warning: MON_DOWN"]
    );
    cluster.ceph.capacity(status_with(&[POOL, muted, covered]));
    let cleared = cluster.pass(0);
    assert_eq!(
        cleared[0].subject(),
        "[prod] Ceph health: nothing is left that counts"
    );
    assert!(
        cleared[0].text().contains("Still there, but muted"),
        "{}",
        cleared[0].text()
    );

    // Who does not have the OSDs watched hears of them from Ceph.
    cluster.set("checks.osds.enabled", "false");
    assert_eq!(
        cluster.subjects(),
        ["[prod] Ceph health: 1 warning: OSD_HOST_DOWN"]
    );
}

#[test]
fn it_goes_without_the_capacity_and_without_a_manager() {
    let mut cluster = asked("error");
    let mut stale: Value = serde_json::from_slice(&status_with(&[DAMAGED])).unwrap();
    stale["mgrmap"]["available"] = json!(false);
    cluster.ceph.capacity(stale.to_string().into_bytes());
    let mails = cluster.pass(1);
    assert_eq!(
        mails[0].subject(),
        "[prod] Ceph health: 1 error: PG_DAMAGED"
    );

    cluster.set("checks.capacity.enabled", "false");
    cluster.ceph.capacity(status_with(&[]));
    assert_eq!(cluster.subjects(), ["[prod] Ceph health is fine again"]);

    cluster.ceph.fails(1, "timed out");
    let run = cluster.run(&["check", "--json"]);
    run.exits(1)
        .says(&["check health: ceph status: exit 1: timed out"]);
    let health = &run.json()["checks"][2];
    assert_eq!(
        (&health["name"], &health["state"]),
        (&json!("health"), &json!("unknown"))
    );
}

#[test]
fn by_default_what_passes_within_two_passes_is_not_told() {
    let mut cluster = asked("warn");
    cluster.unset("checks.health.hold_passes");
    let peering = (
        "PG_AVAILABILITY",
        "HEALTH_WARN",
        "Reduced data availability: 3 pgs peering",
        false,
    );
    for _ in 0..2 {
        cluster.ceph.capacity(status_with(&[peering]));
        assert!(cluster.pass(0).is_empty());
    }
    cluster.ceph.capacity(status_used(30.0));
    assert!(cluster.pass(0).is_empty());
    cluster.ceph.capacity(status_with(&[peering]));
    for _ in 0..2 {
        assert!(cluster.pass(0).is_empty());
    }
    assert_eq!(
        cluster.subjects(),
        ["[prod] Ceph health: 1 warning: PG_AVAILABILITY"]
    );
}

#[test]
fn a_recipient_hears_of_health_if_it_is_among_the_checks() {
    let mut cluster = asked("error");
    cluster.recipients(&["all@example.org"]);
    cluster.recipient_for("health@example.org", "[\"health\"]");
    cluster.recipient_for("disks@example.org", "[\"osds\"]");
    cluster.ceph.capacity(status_with(&[DAMAGED]));
    let mut told: Vec<String> = cluster
        .pass(0)
        .into_iter()
        .flat_map(|mail| mail.to)
        .collect();
    told.sort();
    assert_eq!(told, ["all@example.org", "health@example.org"]);
}

#[test]
fn who_comes_while_it_lasts_is_told_of_it_once_and_it_can_be_acknowledged_by_its_name() {
    let mut cluster = asked("error");
    cluster.ceph.capacity(status_with(&[DAMAGED]));
    assert_eq!(cluster.pass(0).len(), 1);
    cluster.recipients(&["ops@example.org", "late@example.org"]);
    let mails = cluster.pass(0);
    let to: Vec<&str> = mails
        .iter()
        .flat_map(|m| &m.to)
        .map(String::as_str)
        .collect();
    assert_eq!(to, ["late@example.org"]);
    let subject = "[prod] Ceph health: 1 error: PG_DAMAGED";
    assert_eq!(mails[0].subject(), subject);
    assert!(cluster.pass(0).is_empty());

    let said = cluster.run(&["ack", "health", "--why", "repair runs"]);
    let said = &said.exits(0).stdout;
    assert!(said.starts_with("acknowledged: health-"), "{said}");
    let status = cluster.run(&["status"]).exits(0).stdout.clone();
    assert!(status.contains("acknowledged: repair runs"), "{status}");
    cluster.ceph.capacity(status_with(&[]));
    assert_eq!(cluster.pass(0).len(), 2);
}
