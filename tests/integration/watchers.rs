//! What those learn who watch petanotify itself: the metrics for Prometheus, and the heartbeat.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::ceph::{status_used, tree};
use crate::certificates::Authority;
use crate::cluster::{Cluster, Run, mode};
use crate::consul::{Consul, Fault, Member};
use crate::growth::ten_days;
use crate::relay::{self, Stage};

const SECRET: &str = "5ec7e7-uuid";

/// A cluster whose metrics go into a folder beside it.
fn with_metrics() -> (Cluster, PathBuf) {
    let mut cluster = Cluster::new();
    let folder = cluster.folder().join("node-exporter");
    fs::create_dir(&folder).unwrap();
    let path = folder.join("petanotify.prom");
    cluster.set("metrics.textfile", &format!("\"{}\"", path.display()));
    (cluster, path)
}

/// The samples of the file: value by name and labels.
fn samples(path: &Path) -> BTreeMap<String, f64> {
    let page = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

fn sample(path: &Path, name: &str) -> f64 {
    let samples = samples(path);
    let value = samples.get(&format!("petanotify_{name}"));
    *value.unwrap_or_else(|| panic!("no {name} in {samples:#?}"))
}

#[test]
fn each_pass_replaces_the_metrics_and_the_counters_go_on() {
    let (cluster, path) = with_metrics();
    cluster
        .ceph
        .osds(tree(&[("node1", &[(0, "down"), (1, "down"), (2, "up")])]));
    cluster.ceph.capacity(status_used(30.0));
    cluster.check_after("umask 077").exits(0);
    assert_eq!(mode(&path), 0o644, "the node exporter is another user");
    let first = samples(&path);
    for (name, value) in [
        ("osds_down", 2.0),
        ("nodes_down", 0.0),
        ("check_state{check=\"osds\",state=\"alert\"}", 1.0),
        ("check_state{check=\"osds\",state=\"ok\"}", 0.0),
        ("check_state{check=\"nodes\",state=\"ok\"}", 1.0),
        ("queue_length", 0.0),
        ("mails_sent_total", 1.0),
        ("mails_failed_total", 0.0),
    ] {
        assert_eq!(sample(&path, name), value, "{name}");
    }
    let used = sample(&path, "capacity_used_bytes") / sample(&path, "capacity_total_bytes");
    assert!((0.29..0.31).contains(&used), "{used}");
    let began = sample(&path, "last_pass_timestamp_seconds");
    assert_eq!(sample(&path, "last_success_timestamp_seconds"), began);

    cluster.ceph.healthy();
    cluster.pass(0);
    assert_eq!(sample(&path, "osds_down"), 0.0);
    assert_eq!(sample(&path, "mails_sent_total"), 2.0);
    assert!(sample(&path, "last_pass_timestamp_seconds") > began);
    let (first, second): (Vec<_>, Vec<_>) = (
        first.into_keys().collect(),
        samples(&path).into_keys().collect(),
    );
    assert_eq!(first, second);
    let names: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[test]
fn a_pass_that_was_not_complete_says_so() {
    let (cluster, path) = with_metrics();
    cluster.pass(0);
    let success = sample(&path, "last_success_timestamp_seconds");
    cluster.relay.fault(Stage::Greeting, relay::Fault::Drop);
    cluster.consul.members(&[("node1", Member::Alive)]);
    cluster.ceph.fails(1, "timed out");
    cluster.check().exits(1);
    for (name, value) in [
        ("nodes_down", 4.0),
        ("check_state{check=\"osds\",state=\"unknown\"}", 1.0),
        ("queue_length", 1.0),
        ("mails_sent_total", 0.0),
        ("mails_failed_total", 1.0),
        ("last_success_timestamp_seconds", success),
    ] {
        assert_eq!(sample(&path, name), value, "{name}");
    }
    let oldest = sample(&path, "queue_oldest_timestamp_seconds");
    assert_eq!(oldest, sample(&path, "last_pass_timestamp_seconds"));
    assert!(
        !samples(&path).contains_key("petanotify_osds_down"),
        "nobody knows"
    );
}

#[test]
fn a_pass_that_cannot_save_says_so() {
    let (cluster, path) = with_metrics();
    cluster.pass(0);
    let before = sample(&path, "last_pass_timestamp_seconds");
    // Where the new state is to be written there is a folder.
    fs::create_dir(cluster.state_folder().join("state.json.new")).unwrap();
    for down in [0.0, 4.0] {
        cluster.check().exits(74);
        assert!(sample(&path, "last_pass_timestamp_seconds") > before);
        assert_eq!(sample(&path, "last_success_timestamp_seconds"), before);
        assert_eq!(sample(&path, "nodes_down"), down);
        cluster.consul.members(&[("node1", Member::Alive)]);
    }
}

#[test]
fn metrics_that_cannot_be_written_change_nothing_else() {
    let (cluster, path) = with_metrics();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    fs::remove_dir(path.parent().unwrap()).unwrap();
    let run = cluster.check();
    run.exits(0).says(&[
        "warning: the metrics are not written to",
        path.to_str().unwrap(),
        "No such file or directory",
        "metrics.textfile",
    ]);
    assert_eq!(cluster.relay.take_mails().len(), 1);
    assert_eq!(run.stderr.matches("warning").count(), 1, "{}", run.stderr);
}

#[test]
fn what_stands_in_the_metrics_place_is_replaced() {
    let (cluster, path) = with_metrics();
    let mkfifo = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(mkfifo.unwrap().success());
    cluster.check().exits(0).is_silent();
    assert_eq!(sample(&path, "mails_sent_total"), 0.0);

    fs::write(
        &path,
        b"petanotify_mails_sent_total 41\npetanotify_mails_failed_total \xff\n",
    )
    .unwrap();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    cluster.pass(0);
    assert_eq!(sample(&path, "mails_sent_total"), 42.0);
    assert_eq!(sample(&path, "mails_failed_total"), 0.0);
}

/// A server that takes heartbeats; the stand-in for Consul answers 200 to whatever it is told to.
struct Switch(Consul);

impl Switch {
    fn start() -> Self {
        Self::at(Consul::start())
    }

    fn at(server: Consul) -> Self {
        let switch = Self(server);
        switch.answers(200);
        switch
    }

    fn answers(&self, status: u16) {
        self.0
            .fault_everywhere(&Fault::Status(status, "OK".to_owned()));
    }

    fn url(&self) -> String {
        format!("http://{}/{SECRET}", self.0.address())
    }

    /// The paths that were asked for.
    fn beats(&self) -> Vec<String> {
        let requests = self.0.requests().into_iter();
        requests
            .map(|request| format!("{} {}", request.method, request.path))
            .collect()
    }
}

fn with_heartbeat(switch: &Switch) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.set("heartbeat.url", &format!("\"{}\"", switch.url()));
    cluster
}

#[test]
fn a_complete_pass_sends_a_heartbeat_and_no_other() {
    let switch = Switch::start();
    let mut cluster = with_heartbeat(&switch);
    let beat = format!("GET /{SECRET}");
    cluster.ceph.situation("18.2.7", "one-osd-down");
    let run = cluster.check();
    run.exits(0);
    assert_eq!(switch.beats(), [beat.as_str()], "an alert is no failure");
    assert!(!run.stderr.contains("heartbeat"), "{}", run.stderr);

    cluster.run(&["check", "--dry-run"]).exits(0);
    cluster.ceph.fails(1, "timed out");
    cluster.check().exits(1);
    assert_eq!(switch.beats().len(), 1);

    cluster.set("heartbeat.fail", "true");
    cluster.check().exits(1);
    cluster.run(&["check", "--dry-run"]).exits(1);
    assert_eq!(switch.beats()[1..], [format!("{beat}/fail")]);
    cluster.ceph.healthy();
    cluster.check().exits(0);
    assert_eq!(switch.beats()[2..], [beat]);
}

#[test]
fn a_state_that_cannot_be_read_or_saved_is_a_failure() {
    let switch = Switch::start();
    let mut cluster = with_heartbeat(&switch);
    cluster.set("heartbeat.fail", "true");
    fs::create_dir(cluster.state_folder().join("state.json.new")).unwrap();
    cluster.check().exits(74);
    fs::write(cluster.state_file(), r#"{"version":999}"#).unwrap();
    cluster.check().exits(74);
    assert_eq!(switch.beats(), vec![format!("GET /{SECRET}/fail"); 2]);
}

/// One warning, which names the server and never the rest of the address, however much is told.
#[track_caller]
fn warns(cluster: &Cluster, switch: &Switch, told: &str) {
    let server = switch.0.address();
    for verbose in ["-q", "-vv"] {
        let run: Run = cluster.run(&["check", verbose]);
        run.exits(0);
        assert!(!run.stderr.contains(SECRET), "{}", run.stderr);
        let lines = run.stderr.matches("heartbeat was sent").count();
        assert_eq!(lines, usize::from(verbose == "-vv"), "{}", run.stderr);
        if verbose == "-vv" {
            run.says(&["warning: no heartbeat was sent to", &server, told]);
        }
    }
}

#[test]
fn a_heartbeat_that_fails_is_a_warning_without_the_address() {
    let switch = Switch::start();
    let mut cluster = with_heartbeat(&switch);
    cluster.set("heartbeat.timeout", "\"300ms\"");
    for (status, told) in [
        (
            301,
            "the answer is 301 Moved Permanently; redirects are not followed",
        ),
        (
            404,
            "the answer is 404 Not Found; is the address still the one",
        ),
        (500, "the answer is 500 Internal Server Error"),
    ] {
        switch.answers(status);
        warns(&cluster, &switch, told);
    }
    switch.0.fault_everywhere(&Fault::Hang);
    warns(
        &cluster,
        &switch,
        "no answer within 0.3 s (heartbeat.timeout)",
    );
    switch.0.fault_everywhere(&Fault::Close);
    warns(&cluster, &switch, "");

    let gone = Switch::start();
    let address = gone.url();
    let port = gone.0.port();
    drop(gone);
    cluster.set("heartbeat.url", &format!("\"{address}\""));
    let run = cluster.check();
    run.exits(0)
        .says(&["no heartbeat", &port.to_string(), "connection refused"]);
    assert!(!run.stderr.contains(SECRET), "{}", run.stderr);
}

#[test]
fn a_heartbeat_over_https_trusts_the_systems_authorities() {
    let authority = Authority::new("the system's");
    let identity = authority.issue(&["127.0.0.1"]);
    let switch = Switch::at(Consul::start_tls(identity.server()));
    let mut cluster = Cluster::new();
    let url = switch.url().replace("http:", "https:");
    let file = cluster.file("url", &url, 0o600);
    cluster.set("heartbeat.url_file", &format!("\"{}\"", file.display()));

    let own = cluster.file("own.pem", &authority.pem(), 0o644);
    cluster.env("SSL_CERT_FILE", own.to_str().unwrap());
    cluster.check().exits(0).is_silent();
    assert_eq!(switch.beats().len(), 1);

    let other = cluster.file("other.pem", &Authority::new("another").pem(), 0o644);
    cluster.env("SSL_CERT_FILE", other.to_str().unwrap());
    warns(&cluster, &switch, "TLS: invalid peer certificate");
    assert_eq!(switch.beats().len(), 1);

    let shown = cluster.run(&["config", "show"]);
    shown.exits(0);
    assert!(!shown.stdout.contains(SECRET), "{}", shown.stdout);
}

/// The words of others may say anything, so what a program looks for comes last.
#[test]
fn lines_of_the_log_end_in_what_a_program_looks_for() {
    let cluster = Cluster::new();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    cluster
        .relay
        .fault(Stage::End, relay::says("451 later; check=no attempt=9"));
    let run = cluster.check();
    let incident = cluster.state()["memory"]["osds"]["incident"]["id"].clone();
    let details = format!("; check=osds incident={}", incident.as_str().unwrap());
    let ends = |run: &Run, begins: &str, ending: &str| {
        let line = run.stderr.lines().find(|line| line.contains(begins));
        let line = line.unwrap_or_else(|| panic!("no {begins} in\n{}", run.stderr));
        assert!(line.ends_with(&format!("{details}{ending}")), "{line}");
    };
    ends(run.exits(1), " raised: [prod]", "");
    ends(&run, "attempt 1 failed: ", " attempt=1");
    cluster.relay.heal();
    let run = cluster.check();
    ends(run.exits(0), "\" sent: 250 ", " attempt=2");
}

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The metrics that a text names.
fn metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_lowercase() && c != '_');
    words
        .filter(|word| word.starts_with("petanotify_"))
        .collect()
}

#[test]
fn every_metric_is_in_the_manual_and_the_rules_name_no_other() {
    let (mut cluster, path) = with_metrics();
    cluster.set("checks.health.enabled", "true");
    ten_days(&cluster, |_| 50.0);
    cluster.relay.fault(Stage::Greeting, relay::Fault::Drop);
    cluster
        .ceph
        .osds(tree(&[("node1", &[(0, "down"), (1, "up")])]));
    cluster.check().exits(1);
    let written = fs::read_to_string(path).unwrap();
    let mut written = metrics(&written);
    // A node that is alone has no use for it.
    written.insert("petanotify_speaker");
    let manual = page("man/petanotify.toml.5");
    assert_eq!(metrics(&manual), written);
    for rules in ["petanotify.rules.yml", "petanotify.rules.test.yml"] {
        let rules = page(&format!("packaging/prometheus/{rules}"));
        let strange: Vec<_> = metrics(&rules).difference(&written).copied().collect();
        assert!(strange.is_empty(), "{strange:?}");
    }
}
