//! Whole configurations: what loads, what is refused and in which words.
#![allow(clippy::unwrap_used)]

use crate::check::capacity::Limits;
use crate::flapping::Rule;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::environment::Environment;
use super::merge::merge;
use super::{Ha, HaMode, HealthRules, Hold, Origin, Security, Settings, load};
use crate::check::CheckName;
use crate::facts::HealthSeverity;
use crate::severity::Severity;
use crate::words::Language;

const FILE: &str = "/etc/petanotify/petanotify.toml";

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment {
        variables: variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.into()))
            .collect(),
        ..Environment::default()
    }
}

fn settings_with(text: &str, variables: &[(&str, &str)]) -> Settings {
    merge(Some((Path::new(FILE), text)), &environment(variables))
        .unwrap_or_else(|error| panic!("{error}\n{text}"))
        .settings
}

fn settings(text: &str) -> Settings {
    settings_with(text, &[])
}

/// The error without the file's name in front, which every error must bear.
fn refused(text: &str) -> String {
    let Err(error) = merge(Some((Path::new(FILE), text)), &Environment::default()) else {
        panic!("this was accepted:\n{text}");
    };
    let prefix = format!("cannot use {FILE}: ");
    error
        .strip_prefix(&prefix)
        .unwrap_or_else(|| panic!("{error}"))
        .to_owned()
}

fn shown(settings: &Settings, key: &str) -> (Option<String>, Origin) {
    let line = settings.shown.iter().find(|line| line.key == key);
    let line = line.unwrap_or_else(|| panic!("{key} is not shown"));
    (line.value.clone(), line.origin.clone())
}

#[test]
fn no_file_at_all_is_complete() {
    let settings = merge(None, &Environment::default()).unwrap().settings;
    assert_eq!(settings.config_file, None);
    assert_eq!(settings.cluster_name, None);
    assert_eq!(settings.ceph.command, ["ceph"]);
    assert_eq!(settings.ceph.timeout, Duration::from_secs(20));
    assert_eq!(settings.consul.address, "http://127.0.0.1:8500");
    assert_eq!(settings.consul.timeout, Duration::from_secs(10));
    assert_eq!(settings.consul.nodes_prefix, "PetaSAN/Nodes/");
    assert!(settings.consul.verify && settings.consul.token.is_none());
    let ha = Ha {
        mode: HaMode::Auto,
        session_ttl: Duration::from_secs(75),
        lock_delay: Duration::from_secs(15),
        prefix: "petanotify/".to_owned(),
        step_down_after: 3,
    };
    assert_eq!(settings.ha, ha);
    assert_eq!(
        settings.checks.capacity,
        Some(Limits {
            warn_percent: 60.0,
            critical_percent: 85.0,
            clear_margin_percent: 2.0
        })
    );
    let hold = Hold {
        passes: 1,
        time: None,
    };
    assert_eq!(Hold::default(), hold);
    assert_eq!(settings.checks.nodes, Some(Hold::default()));
    assert_eq!(settings.checks.osds, Some(Hold::default()));
    assert!(settings.notify.recovery);
    assert_eq!(settings.notify.remind_every, None);
    assert_eq!(settings.notify.blind_after, Duration::from_secs(300));
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let flapping = Rule {
        downs: 3,
        window: minutes(120),
        calm_after: minutes(60),
        down_after: minutes(10),
    };
    assert_eq!(settings.notify.flapping, Some(flapping));
    assert!(settings.mail.html && settings.mail.time_zone.is_none());
    assert_eq!(settings.mail.language, Language::English);
    assert_eq!(settings.mail.template_dir, None);
    assert_eq!(settings.smtp.first.host, None);
    assert_eq!(settings.smtp.first.security, Security::Starttls);
    assert!(settings.smtp.first.verify && !settings.smtp.first.allow_plain_login);
    assert_eq!(settings.smtp.first.timeout, Duration::from_secs(30));
    assert_eq!(settings.smtp.max_attempts, 1440);
    assert_eq!(settings.recipients, []);
    assert_eq!(settings.metrics.textfile, None);
    assert!(settings.heartbeat.url.is_none() && !settings.heartbeat.fail);
    assert_eq!(settings.heartbeat.timeout, Duration::from_secs(5));
    assert_eq!(settings.warnings, [""; 0]);
}

#[test]
fn everything_that_the_manual_shows_can_be_set() {
    let settings = settings(
        r#"
[cluster]
name = "prod"                     # in every subject

[ceph]
command = ["ceph"]
conf = "/etc/ceph/ceph.conf"
name = "client.petanotify"
keyring = "petanotify.keyring"
timeout = "20s"

[consul]
address = "http://127.0.0.1:8500"
token_file = "consul-token"
ca_file = "ca.pem"
client_certificate_file = "client.pem"
client_key_file = "client.key"
verify = true
timeout = "10s"
nodes_prefix = "PetaSAN/Nodes/"

[checks.capacity]
enabled = true
warn_percent = 60.0
critical_percent = 85.0
clear_margin_percent = 2.0

[checks.nodes]
enabled = true
hold_passes = 1
hold = "off"

[checks.osds]
enabled = false
hold_passes = 3
hold = "3m"

[checks.health]
enabled = true
level = "warn"
ignore = ["POOL_APP_NOT_ENABLED"]
hold_passes = 2
hold = "5m"

[notify]
recovery = true
remind_every = "24h"
blind_after = "5m"

[notify.flapping]
enabled = true
downs = 4
window = "3h"
calm_after = "90m"
down_after = "15m"

[mail]
html = false
language = "de"
template_dir = "templates"
time_zone = "Europe/Berlin"

[smtp]
host = "mail.example.org"
port = 587
security = "starttls"
from = "PetaSAN <storage@example.org>"
username = "storage"
password_file = "smtp-password"
allow_plain_login = false
ca_file = "/etc/ssl/mail.pem"
verify = true
timeout = "30s"
connections = 2
max_attempts = 1440

[[smtp.relay]]
host = "mail2.example.org"
port = 25
security = "none"
from = "Storage <storage@example.net>"
username = "storage"
password_file = "smtp-password-2"
allow_plain_login = true
ca_file = "mail2.pem"
verify = false
timeout = "10s"
connections = 8

[fallback]
command = ["/usr/sbin/sendmail", "-t", "-i"]
after = "15m"
timeout = "20s"

[[recipient]]
address = "ops@example.org"
checks = ["capacity", "nodes", "osds", "health"]
severity = "warning"
quiet_hours = "22:00-07:00"

[[recipient]]
address = "osd@example.org"
checks = ["osds"]
severity = "critical"
quiet_hours = "12:00-13:00"

[metrics]
textfile = "petanotify.prom"

[heartbeat]
url = "https://hc-ping.com/5ec7e7"
url_file = "heartbeat-url"
fail = true
timeout = "10s"

[state]
file = "state/state.json"
"#,
    );
    let in_folder = |name: &str| Some(PathBuf::from("/etc/petanotify").join(name));
    assert_eq!(settings.cluster_name.as_deref(), Some("prod"));
    assert_eq!(settings.ceph.conf, Some("/etc/ceph/ceph.conf".into()));
    assert_eq!(settings.ceph.keyring, in_folder("petanotify.keyring"));
    assert_eq!(settings.consul.ca_file, in_folder("ca.pem"));
    assert_eq!(
        settings.consul.client_certificate,
        in_folder("client.pem").zip(in_folder("client.key"))
    );
    assert_eq!(settings.checks.osds, None);
    assert_eq!(
        settings.notify.remind_every,
        Some(Duration::from_secs(86_400))
    );
    assert!(!settings.mail.html);
    assert_eq!(settings.mail.language, Language::German);
    assert_eq!(
        settings.mail.template_dir,
        Some(PathBuf::from("/etc/petanotify/templates"))
    );
    let health = settings.checks.health.as_ref().unwrap();
    assert_eq!(health.scope.level, HealthSeverity::Warning);
    assert_eq!(
        health.scope.ignore,
        ["POOL_APP_NOT_ENABLED".to_owned()].into()
    );
    assert_eq!(health.hold.passes, 2);
    assert_eq!(health.hold.time, Some(Duration::from_secs(300)));
    let from = settings.smtp.first.from.as_ref().unwrap();
    assert_eq!(from.name.as_deref(), Some("PetaSAN"));
    assert_eq!(from.email.to_string(), "storage@example.org");
    let [relay] = settings.smtp.further.as_slice() else {
        panic!("{:?}", settings.smtp.further);
    };
    assert_eq!((relay.port, relay.security), (Some(25), Security::None));
    assert_eq!((relay.verify, relay.connections), (false, 8));
    assert_eq!(relay.ca_file, in_folder("mail2.pem"));
    let fallback = settings.fallback.as_ref().unwrap();
    assert_eq!(fallback.command, ["/usr/sbin/sendmail", "-t", "-i"]);
    assert_eq!(fallback.after, Duration::from_secs(900));
    assert_eq!(settings.recipients.len(), 2);
    assert_eq!(settings.recipients[0].checks, CheckName::ALL);
    assert_eq!(settings.recipients[1].checks, [CheckName::Osds]);
    let severities = settings.recipients.iter().map(|r| r.severity);
    assert!(severities.eq([Severity::Warning, Severity::Critical]));
    let hours = settings.recipients[0].quiet_hours.unwrap();
    assert_eq!(hours.to_string(), "22:00-07:00");
    assert_eq!(settings.metrics.textfile, in_folder("petanotify.prom"));
    assert!(settings.heartbeat.fail);
    assert_eq!(settings.heartbeat.timeout, Duration::from_secs(10));
    assert_eq!(settings.state_file, in_folder("state/state.json"));
    assert!(settings.shown.iter().all(|line| line.value.is_some()));
    assert_eq!(
        shown(&settings, "smtp.port"),
        (Some("587".to_owned()), Origin::File { line: 65 })
    );
    assert_eq!(
        settings.warnings,
        [
            format!(
                "{FILE}: line 105, recipient[1].quiet_hours: has no effect with severity = \"critical\": \
                 what is critical comes at any hour"
            ),
            format!("{FILE}: line 111, heartbeat.url: has no effect beside heartbeat.url_file"),
        ]
    );
}

#[test]
fn what_is_just_allowed_is_accepted() {
    for text in [
        "ha.mode = \"off\"",
        "ha.session_ttl = \"10s\"",
        "ha.session_ttl = \"24h\"",
        "ha.lock_delay = \"1ms\"",
        "ha.lock_delay = \"60s\"",
        "ha.step_down_after = 1",
        "ha.step_down_after = 1440",
        "checks.capacity.warn_percent = 0.1\nchecks.capacity.clear_margin_percent = 0",
        "checks.capacity.warn_percent = 100\nchecks.capacity.critical_percent = 100.0",
        "checks.capacity.clear_margin_percent = 59.9",
        "checks.nodes.hold_passes = 1",
        "checks.osds.hold_passes = 1440",
        "checks.osds.hold = \"24h\"",
        "checks.nodes.hold = \"off\"",
        "checks.osds.host_grace = \"1h\"",
        "checks.osds.host_grace = \"off\"",
        "checks.osds.return_grace = \"1d\"",
        "checks.osds.hosts = {}",
        "[checks.osds.hosts]\n\"a.example.org\" = \"node1\"\nb = \"node1\"",
        "smtp.port = 1",
        "smtp.port = 65535",
        "smtp.port = 0x19",
        "smtp.max_attempts = 1",
        "smtp.max_attempts = 525_600",
        "smtp.timeout = \"1ms\"",
        "smtp.timeout = \"60m\"",
        "notify.remind_every = \"365d\"",
        "notify.remind_every = \"off\"",
        "notify.flapping.downs = 2",
        "notify.flapping.downs = 10",
        "notify.flapping.calm_after = \"10m\"",
        "notify.flapping.down_after = \"1h\"",
        "notify.flapping.window = \"24h\"",
        "[smtp]\nhost = \"::1\"\nsecurity = \"tls\"\nusername = \"storage\"",
        "[smtp]\nhost = \"relay\"\nsecurity = \"none\"\nusername = \"storage\"\nallow_plain_login = true",
    ] {
        settings(text);
    }
}

#[test]
fn every_mistake_is_told_with_line_key_and_what_is_allowed() {
    for (text, told) in [
        // Ranges
        (
            "[smtp]\n\nport = 70000",
            "line 3, smtp.port: 70000 is out of range; allowed: 1 to 65535",
        ),
        (
            "smtp.port = 0",
            "line 1, smtp.port: 0 is out of range; allowed: 1 to 65535",
        ),
        (
            "smtp.port = -1",
            "line 1, smtp.port: -1 is out of range; allowed: 1 to 65535",
        ),
        (
            "smtp.port = 99999999999999999999",
            "line 1, smtp.port: 99999999999999999999 is out of range; allowed: 1 to 65535",
        ),
        (
            "checks.capacity.warn_percent = 0",
            "line 1, checks.capacity.warn_percent: 0 is out of range; allowed: above 0 to 100",
        ),
        (
            "checks.capacity.warn_percent = -0.1",
            "line 1, checks.capacity.warn_percent: -0.1 is out of range; allowed: above 0 to 100",
        ),
        (
            "checks.capacity.critical_percent = 100.1",
            "line 1, checks.capacity.critical_percent: 100.1 is out of range; allowed: above 0 to 100",
        ),
        (
            "checks.capacity.critical_percent = 101",
            "line 1, checks.capacity.critical_percent: 101 is out of range; allowed: above 0 to 100",
        ),
        (
            "checks.capacity.warn_percent = nan",
            "line 1, checks.capacity.warn_percent: nan is out of range; allowed: above 0 to 100",
        ),
        (
            "checks.capacity.critical_percent = inf",
            "line 1, checks.capacity.critical_percent: inf is out of range; allowed: above 0 to 100",
        ),
        (
            "checks.capacity.clear_margin_percent = -1",
            "line 1, checks.capacity.clear_margin_percent: -1 is out of range; allowed: 0 to below 100",
        ),
        (
            "checks.capacity.clear_margin_percent = nan",
            "line 1, checks.capacity.clear_margin_percent: nan is out of range; allowed: 0 to below 100",
        ),
        (
            "checks.nodes.hold_passes = 0",
            "line 1, checks.nodes.hold_passes: 0 is out of range; allowed: 1 to 1440",
        ),
        (
            "checks.osds.hold_passes = 1441",
            "line 1, checks.osds.hold_passes: 1441 is out of range; allowed: 1 to 1440",
        ),
        (
            "notify.flapping.downs = 1",
            "line 1, notify.flapping.downs: 1 is out of range; allowed: 2 to 10",
        ),
        (
            "notify.flapping.downs = 11",
            "line 1, notify.flapping.downs: 11 is out of range; allowed: 2 to 10",
        ),
        (
            "notify.flapping.window = \"25h\"",
            "line 1, notify.flapping.window: 25h is out of range; allowed: above 0 to 24h",
        ),
        (
            "notify.flapping.down_after = \"61m\"",
            "line 1, notify.flapping.down_after: must not be above notify.flapping.calm_after, \"1h\"",
        ),
        (
            "notify.flapping.calm_after = \"9m\"",
            "line 1, notify.flapping.calm_after: must not be below notify.flapping.down_after, \"10m\"",
        ),
        (
            "checks.osds.hold = \"25h\"",
            "line 1, checks.osds.hold: 25h is out of range; allowed: above 0 to 24h, or \"off\"",
        ),
        (
            "checks.osds.host_grace = \"61m\"",
            "line 1, checks.osds.host_grace: 61m is out of range; allowed: above 0 to 1h, or \"off\"",
        ),
        (
            "checks.osds.hosts = [\"node1\"]",
            "line 1, checks.osds.hosts: must be a section of CRUSH hosts with their nodes, e.g. {\"ceph-a\" = \"node1\"}, not a list",
        ),
        (
            "[checks.osds.hosts]\nceph-a = 5",
            "line 1, checks.osds.hosts: ceph-a: must be a text in quotes, not a number",
        ),
        (
            "[checks.osds.host]\nceph-a = \"node1\"",
            "line 1: unknown section checks.osds.host; did you mean hosts?",
        ),
        (
            "smtp.max_attempts = 0",
            "line 1, smtp.max_attempts: 0 is out of range; allowed: 1 to 525600",
        ),
        (
            "smtp.max_attempts = 525601",
            "line 1, smtp.max_attempts: 525601 is out of range; allowed: 1 to 525600",
        ),
        (
            "metrics.textfile = \"/var/lib/petanotify.txt\"",
            "line 1, metrics.textfile: must end in .prom: Prometheus's node exporter reads no other files",
        ),
        // Durations
        (
            "heartbeat.timeout = \"31s\"",
            "line 1, heartbeat.timeout: 31s is out of range; allowed: above 0 to 30s",
        ),
        (
            "ceph.timeout = \"0s\"",
            "line 1, ceph.timeout: 0s is out of range; allowed: above 0 to 1h",
        ),
        (
            "ceph.timeout = \"61m\"",
            "line 1, ceph.timeout: 61m is out of range; allowed: above 0 to 1h",
        ),
        (
            "ceph.timeout = \"soon\"",
            "line 1, ceph.timeout: \"soon\" is no duration; write e.g. \"20s\", \"5m\", \"1h 30m\" or \"7d\"",
        ),
        (
            "ceph.timeout = 20",
            "line 1, ceph.timeout: 20 has no unit; write e.g. \"20s\"",
        ),
        (
            "ceph.timeout = \"20\"",
            "line 1, ceph.timeout: 20 has no unit; write e.g. \"20s\"",
        ),
        (
            "ceph.timeout = [1]",
            "line 1, ceph.timeout: must be a text in quotes, not a list",
        ),
        (
            "notify.blind_after = \"off\"",
            "line 1, notify.blind_after: \"off\" is no duration; write e.g. \"20s\", \"5m\", \"1h 30m\" or \"7d\"",
        ),
        (
            "notify.remind_every = \"366d\"",
            "line 1, notify.remind_every: 366d is out of range; allowed: above 0 to 8760h, or \"off\"",
        ),
        (
            "notify.remind_every = false",
            "line 1, notify.remind_every: must be a duration in quotes, or \"off\"",
        ),
        (
            "notify.remind_every = \"never\"",
            "line 1, notify.remind_every: \"never\" is no duration; write e.g. \"20s\", \"5m\", \"1h 30m\" or \"7d\", or \"off\"",
        ),
        // Kinds
        (
            "ceph.command = \"ceph\"",
            "line 1, ceph.command: must be a list of texts, e.g. [\"ceph\"] or [\"sudo\", \"ceph\"], not a text",
        ),
        (
            "ceph.command = []",
            "line 1, ceph.command: must not be empty; write a list of texts, e.g. [\"ceph\"] or [\"sudo\", \"ceph\"]",
        ),
        (
            "ceph.command = [\"\"]",
            "line 1, ceph.command: must not be empty; leave the key out for its default",
        ),
        (
            "notify.recovery = \"yes\"",
            "line 1, notify.recovery: must be true or false, without quotes, not a text",
        ),
        (
            "consul.verify = \"false\"",
            "line 1, consul.verify: must be true or false, without quotes, not a text",
        ),
        (
            "smtp.port = \"587\"",
            "line 1, smtp.port: must be a whole number without quotes, not a text",
        ),
        (
            "smtp.port = 587.0",
            "line 1, smtp.port: must be a whole number without quotes, not a number",
        ),
        (
            "checks.capacity.warn_percent = \"60\"",
            "line 1, checks.capacity.warn_percent: must be a number without quotes, not a text",
        ),
        (
            "cluster.name = 1",
            "line 1, cluster.name: must be a text in quotes, not a number",
        ),
        (
            "cluster.name = 2026-11-23",
            "line 1, cluster.name: must be a text in quotes, not a date",
        ),
        ("smtp = 1", "line 1: smtp is a section; write [smtp]"),
        ("smtp = [1]", "line 1: smtp is a section; write [smtp]"),
        (
            "[[smtp]]\nport = 25",
            "line 1: smtp is a section; write [smtp]",
        ),
        (
            "recipient = [1]",
            "line 1: write [[recipient]], in double brackets",
        ),
        (
            "[smtp.host]\nname = 1",
            "line 1, smtp.host: must be a text in quotes, not a section",
        ),
        // Texts
        (
            "cluster.name = \"\"",
            "line 1, cluster.name: must not be empty; leave the key out for its default",
        ),
        (
            "cluster.name = \"a\\r\\nBcc: b@example.org\"",
            "line 1, cluster.name: must not contain line breaks or other control characters",
        ),
        (
            "cluster.name = \"\\u001b[2J\"",
            "line 1, cluster.name: must not contain line breaks or other control characters",
        ),
        (
            "smtp.username = \"a\\u0000\"",
            "line 1, smtp.username: must not contain line breaks or other control characters",
        ),
        (
            "ceph.name = \"petanotify\"",
            "line 1, ceph.name: \"petanotify\" is no Ceph user; write TYPE.ID, e.g. \"client.petanotify\"",
        ),
        (
            "smtp.host = \"mail.example.org:587\"",
            "line 1, smtp.host: \"mail.example.org:587\" is no host name or IP address; the port has a setting of its own",
        ),
        (
            "smtp.security = \"ssl\"",
            "line 1, smtp.security: \"ssl\" is none of \"starttls\", \"tls\", \"none\"",
        ),
        (
            "consul.nodes_prefix = \"/\"",
            "line 1, consul.nodes_prefix: must name a folder, e.g. \"PetaSAN/Nodes/\"",
        ),
        // Addresses
        (
            "smtp.from = \"storage\"",
            "line 1, smtp.from: \"storage\" is no mail address: Missing domain or user; write e.g. \"ops@example.org\"",
        ),
        (
            "smtp.from = \"PetaSAN <storage@>\"",
            "line 1, smtp.from: \"storage@\" is no mail address: Invalid email domain; write e.g. \"ops@example.org\"",
        ),
        (
            "smtp.from = \"a@example.org, b@example.org\"",
            "line 1, smtp.from: \"a@example.org, b@example.org\" is no mail address: Invalid email user; write e.g. \"ops@example.org\"",
        ),
        (
            "[[recipient]]\naddress = \"ops at example.org\"",
            "line 2, recipient[0].address: \"ops at example.org\" is no mail address: Missing domain or user; write e.g. \"ops@example.org\"",
        ),
        (
            "[[recipient]]\naddress = \"Ops <ops@example.org>\"",
            "line 2, recipient[0].address: \"Ops <ops@example.org>\" is no mail address: Invalid email user; write e.g. \"ops@example.org\"",
        ),
        (
            "\n[[recipient]]\nchecks = [\"osds\"]",
            "line 2, recipient[0].address: is missing",
        ),
        (
            "[recipient]\naddress = \"ops@example.org\"",
            "line 1: write [[recipient]], in double brackets",
        ),
        (
            "recipient = \"ops@example.org\"",
            "line 1: write [[recipient]], in double brackets",
        ),
        (
            "[[recipient]]\naddress = \"ops@example.org\"\n[[recipient]]\naddress = \"Ops@Example.org\"",
            "line 4, recipient[1].address: Ops@Example.org is listed twice; name all its checks in one place",
        ),
        (
            "[[recipient]]\naddress = \"ops@example.org\"\nchecks = [\"disks\"]",
            "line 3, recipient[0].checks: there is no check \"disks\"; allowed: \"capacity\", \"nodes\", \"osds\", \"health\"",
        ),
        (
            "[[recipient]]\naddress = \"ops@example.org\"\nseverity = \"error\"",
            "line 3, recipient[0].severity: \"error\" is neither \"warning\" nor \"critical\"",
        ),
        (
            "[[recipient]]\naddress = \"ops@example.org\"\nquiet_hours = \"22-7\"",
            "line 3, recipient[0].quiet_hours: \"22-7\" is no span of hours; write e.g. \"22:00-07:00\", from 00:00 to 23:59",
        ),
        (
            "[[recipient]]\naddress = \"ops@example.org\"\nquiet_hours = true",
            "line 3, recipient[0].quiet_hours: must be a text in quotes, not true or false",
        ),
        (
            "[[recipient]]\naddress = \"ops@example.org\"\nchecks = []",
            "line 3, recipient[0].checks: must not be empty; allowed: \"capacity\", \"nodes\", \"osds\", \"health\"",
        ),
        (
            "ha.mode = \"on\"",
            "line 1, ha.mode: \"on\" is none of \"auto\", \"off\", \"consul\", \"petasan\"",
        ),
        (
            "ha.session_ttl = \"9s\"",
            "line 1, ha.session_ttl: 9s is out of range; allowed: 10s to 24h",
        ),
        (
            "ha.session_ttl = \"25h\"",
            "line 1, ha.session_ttl: 25h is out of range; allowed: above 0 to 24h",
        ),
        (
            "ha.lock_delay = \"61s\"",
            "line 1, ha.lock_delay: 61s is out of range; allowed: above 0 to 1m",
        ),
        (
            "ha.prefix = \"/\"",
            "line 1, ha.prefix: must name a folder, e.g. \"PetaSAN/Nodes/\"",
        ),
        (
            "ha.step_down_after = 0",
            "line 1, ha.step_down_after: 0 is out of range; allowed: 1 to 1440",
        ),
        (
            "checks.health.level = \"warning\"",
            "line 1, checks.health.level: \"warning\" is none of \"error\", \"warn\"",
        ),
        (
            "checks.health.ignore = \"OSD_DOWN\"",
            "line 1, checks.health.ignore: must be a list of codes, e.g. [\"POOL_APP_NOT_ENABLED\"], not a text",
        ),
        (
            "checks.health.ignore = [\"OSD_DOWN\", \"osd down\"]",
            "line 1, checks.health.ignore: \"osd down\" is no code of a health check; write a list of codes, e.g. [\"POOL_APP_NOT_ENABLED\"], as ceph health detail does",
        ),
        (
            "[[recipient]]\naddress = \"ops@example.org\"\nchecks = \"osds\"",
            "line 3, recipient[0].checks: must be a list, e.g. [\"osds\"], not a text",
        ),
        // Settings that do not fit together
        (
            "checks.capacity.warn_percent = 85.1",
            "line 1, checks.capacity.warn_percent: 85.1 must not be above checks.capacity.critical_percent, 85",
        ),
        (
            "checks.capacity.critical_percent = 59.9",
            "line 1, checks.capacity.critical_percent: 59.9 must not be below checks.capacity.warn_percent, 60",
        ),
        (
            "checks.capacity.clear_margin_percent = 60",
            "line 1, checks.capacity.clear_margin_percent: 60 must be below checks.capacity.warn_percent, 60",
        ),
        (
            "checks.capacity.warn_percent = 2",
            "line 1, checks.capacity.warn_percent: 2 must be above checks.capacity.clear_margin_percent, 2",
        ),
        (
            "consul.client_key_file = \"k\"",
            "line 1, consul.client_key_file: needs consul.client_certificate_file as well",
        ),
        (
            "consul.client_certificate_file = \"c\"",
            "line 1, consul.client_certificate_file: needs consul.client_key_file as well",
        ),
        (
            "[smtp]\nhost = \"relay\"\nsecurity = \"none\"\nusername = \"storage\"",
            "line 4, smtp.username: would be sent without TLS; set smtp.security to \"starttls\" or \"tls\", or smtp.allow_plain_login = true",
        ),
        // Broken TOML
        (
            "[smtp]\n[ceph]\n[smtp]",
            "line 3, column 2: duplicate key smtp",
        ),
        (
            "[smtp]\npassword = hunter2",
            "line 2, column 12: string values must be quoted, expected literal string",
        ),
        (
            "[smtp]\nhost = mail",
            "line 2, column 8: string values must be quoted, expected literal string",
        ),
        // Further mail servers and the fallback
        (
            "smtp.connections = 0",
            "line 1, smtp.connections: 0 is out of range; allowed: 1 to 8",
        ),
        (
            "smtp.connections = 9",
            "line 1, smtp.connections: 9 is out of range; allowed: 1 to 8",
        ),
        (
            "[[smtp.relay]]\nhost = \"a\"\n[[smtp.relay]]\nport = 26",
            "line 3, smtp.relay[1].host: is missing",
        ),
        (
            "[[smtp.relay]]\nhost = \"a:25\"",
            "line 2, smtp.relay[0].host: \"a:25\" is no host name or IP address; the port has a setting of its own",
        ),
        (
            "[[smtp.relay]]\nhost = \"a\"\nsecurity = \"none\"\nusername = \"u\"",
            "line 4, smtp.relay[0].username: would be sent without TLS; set smtp.relay[0].security to \"starttls\" or \"tls\", \
             or smtp.relay[0].allow_plain_login = true",
        ),
        (
            "[smtp.relay]\nhost = \"a\"",
            "line 1: write [[smtp.relay]], in double brackets",
        ),
        (
            "[[smtp.relay]]\nhost = \"a\"\npasword_file = \"x\"",
            "line 3: unknown key smtp.relay.pasword_file; did you mean password_file?",
        ),
        (
            "[[smtp.relay]]\nhost = \"a\"\nmax_attempts = 3",
            "line 3: unknown key smtp.relay.max_attempts; did you mean smtp.max_attempts?",
        ),
        (
            "fallback.command = \"sendmail\"",
            "line 1, fallback.command: must be a list of texts, e.g. [\"/usr/sbin/sendmail\", \"-t\", \"-i\"], not a text",
        ),
        (
            "fallback.command = []",
            "line 1, fallback.command: must not be empty; write a list of texts, e.g. [\"/usr/sbin/sendmail\", \"-t\", \"-i\"]",
        ),
        (
            "mail.language = \"fr\"",
            "line 1, mail.language: \"fr\" is none of \"en\", \"de\", \"zh\"",
        ),
        (
            "fallback.timeout = 20",
            "line 1, fallback.timeout: 20 has no unit; write e.g. \"20s\"",
        ),
        ("[smtp\n", "line 1, column 6: unclosed table, expected `]`"),
        (
            "[smtp]\nport = 1\nport = 2",
            "line 3, column 1: duplicate key port",
        ),
        (
            "[smtp]\nname = \"ä\" x",
            "line 2, column 12: unexpected key or value, expected newline, `#`",
        ),
    ] {
        assert_eq!(refused(text), told, "\n{text}");
    }
}

#[test]
fn unknown_keys_name_the_nearest_known_one() {
    for (text, told) in [
        (
            "[checks.capacity]\n\nwarn_procent = 3",
            "line 3: unknown key checks.capacity.warn_procent; did you mean warn_percent?",
        ),
        (
            "host = \"mail\"",
            "line 1: unknown key host; did you mean smtp.host?",
        ),
        (
            "[smtp]\nuser = \"storage\"",
            "line 2: unknown key smtp.user; did you mean username?",
        ),
        (
            "[cluster]\nwarn_percent = 60",
            "line 2: unknown key cluster.warn_percent; did you mean checks.capacity.warn_percent?",
        ),
        (
            "[checks.node]\nenabled = true",
            "line 1: unknown section checks.node; did you mean nodes?",
        ),
        (
            "[check.nodes]\nenabled = true",
            "line 1: unknown section check; did you mean checks?",
        ),
        (
            "[capacity]\nenabled = true",
            "line 1: unknown section capacity; did you mean checks.capacity?",
        ),
        (
            "[[recipients]]\naddress = \"a@example.org\"",
            "line 1: unknown section recipients; did you mean recipient?",
        ),
        (
            "[[recipient]]\naddress = \"a@example.org\"\ncheck = []",
            "line 3: unknown key recipient.check; did you mean checks?",
        ),
        (
            "\"smtp.port\" = 25",
            "line 1: write smtp.port without quotes",
        ),
        (
            "\"a\\u001bb\" = 25",
            "line 1: unknown key a b; did you mean",
        ),
        (
            "[smtp]\npassword = \"topsecret\"",
            "line 2: unknown key smtp.password; a secret does not belong into a file that is shown and copied: write it into a file of its own, chmod 600, and name that in smtp.password_file",
        ),
        (
            "[consul]\ntoken = \"topsecret\"",
            "line 2: unknown key consul.token; a secret does not belong into a file that is shown and copied: write it into a file of its own, chmod 600, and name that in consul.token_file",
        ),
    ] {
        let message = refused(text);
        assert!(message.starts_with(told), "{message}\n{text}");
        assert!(!message.contains("topsecret"), "{message}");
    }
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_lines() {
    assert_eq!(
        refused("[smtp]\nporrt = 25\nmax_attempts = 0\n[ceph]\ntimeout = 20"),
        "line 2: unknown key smtp.porrt; did you mean port?; and \
         line 3, smtp.max_attempts: 0 is out of range; allowed: 1 to 525600; and \
         line 5, ceph.timeout: 20 has no unit; write e.g. \"20s\""
    );
}

#[test]
fn the_file_wins_over_the_environment_and_that_over_the_default() {
    let variables = [
        ("CONSUL_HTTP_ADDR", "consul.example.org:8501"),
        ("CONSUL_HTTP_TOKEN", "topsecret"),
        ("CONSUL_CACERT", "/env/ca.pem"),
        ("CONSUL_CLIENT_CERT", "/env/client.pem"),
        ("CONSUL_CLIENT_KEY", "client.key"),
        ("CONSUL_HTTP_SSL", "true"),
        ("CONSUL_HTTP_SSL_VERIFY", "false"),
        ("STATE_DIRECTORY", "/var/lib/other"),
    ];
    let variable = |name: &str| Origin::Environment(name.to_owned());
    let from_environment = settings_with("", &variables);
    let consul = &from_environment.consul;
    assert_eq!(consul.address, "https://consul.example.org:8501");
    assert_eq!(consul.token.as_ref().unwrap().reveal(), "topsecret");
    assert_eq!(consul.ca_file, Some("/env/ca.pem".into()));
    let pair = (
        PathBuf::from("/env/client.pem"),
        PathBuf::from("client.key"),
    );
    assert_eq!(consul.client_certificate, Some(pair));
    assert!(!consul.verify);
    assert_eq!(
        from_environment.warnings,
        ["$CONSUL_HTTP_SSL_VERIFY: Consul's certificate is not verified"]
    );
    assert_eq!(
        shown(&from_environment, "consul.token_file"),
        (Some("(secret)".to_owned()), variable("CONSUL_HTTP_TOKEN"))
    );
    assert_eq!(
        shown(&from_environment, "state.file"),
        (
            Some("\"/var/lib/other/state.json\"".to_owned()),
            variable("STATE_DIRECTORY")
        )
    );
    assert!(!format!("{from_environment:?}").contains("topsecret"));

    let text = "[consul]\naddress = \"http://file:8500\"\nca_file = \"ca.pem\"\nverify = true\n[state]\nfile = \"s.json\"";
    let from_file = settings_with(text, &variables);
    assert_eq!(from_file.consul.address, "http://file:8500");
    assert_eq!(
        from_file.consul.ca_file,
        Some("/etc/petanotify/ca.pem".into())
    );
    assert!(from_file.consul.verify);
    assert_eq!(
        shown(&from_file, "consul.address"),
        (
            Some("\"http://file:8500\"".to_owned()),
            Origin::File { line: 2 }
        )
    );
    assert_eq!(
        shown(&from_file, "state.file"),
        (
            Some("\"/etc/petanotify/s.json\"".to_owned()),
            Origin::File { line: 6 }
        )
    );

    let neither = settings("");
    assert_eq!(
        shown(&neither, "consul.address"),
        (
            Some("\"http://127.0.0.1:8500\"".to_owned()),
            Origin::Default
        )
    );
    assert_eq!(shown(&neither, "smtp.host"), (None, Origin::Default));
}

#[test]
fn the_health_check_is_off_and_unheard_of_until_it_is_turned_on() {
    let recipient = "[[recipient]]\naddress = \"ops@example.org\"\n";
    let off = settings(recipient);
    assert_eq!(off.checks.health, None);
    let all = &CheckName::ALL[..3];
    assert_eq!(off.recipients[0].checks, all);
    let on = settings(&format!("checks.health.enabled = true\n{recipient}"));
    assert_eq!(on.checks.health, Some(HealthRules::default()));
    assert_eq!(on.recipients[0].checks, CheckName::ALL);
    let level = "checks.health.level = \"warn\"";
    assert_eq!(
        settings(level).warnings,
        [
            "/etc/petanotify/petanotify.toml: line 1, checks.health.level: has no effect without checks.health.enabled = true"
        ]
    );
    let turned_off = format!("checks.health.enabled = false\n{level}");
    assert_eq!(settings(&turned_off).warnings, [""; 0]);
}

#[test]
fn a_mistake_in_the_environment_names_the_variable() {
    let Err(error) = merge(
        None,
        &environment(&[("CONSUL_HTTP_ADDR", "unix:///run/consul.sock")]),
    ) else {
        panic!("accepted");
    };
    assert_eq!(
        error,
        "cannot use the environment: $CONSUL_HTTP_ADDR: a Unix socket is not supported; write e.g. \"http://127.0.0.1:8500\""
    );
    let Err(error) = merge(None, &environment(&[("CONSUL_HTTP_TOKEN", "topsecret\n")])) else {
        panic!("accepted");
    };
    assert_eq!(
        error,
        "cannot use the environment: $CONSUL_HTTP_TOKEN: must be one word"
    );
    let Err(error) = merge(None, &environment(&[("CONSUL_HTTP_SSL_VERIFY", "maybe")])) else {
        panic!("accepted");
    };
    assert_eq!(
        error,
        "cannot use the environment: $CONSUL_HTTP_SSL_VERIFY: \"maybe\" is neither true nor false"
    );
}

#[test]
fn consul_addresses_in_all_their_notations() {
    let of = |address: &str, ssl: &str| {
        let variables = [("CONSUL_HTTP_ADDR", address), ("CONSUL_HTTP_SSL", ssl)];
        settings_with("", &variables).consul.address
    };
    for (address, ssl, expected) in [
        ("127.0.0.1:8500", "", "http://127.0.0.1:8500"),
        ("127.0.0.1:8500", "false", "http://127.0.0.1:8500"),
        ("127.0.0.1:8501", "1", "https://127.0.0.1:8501"),
        ("http://consul:8501", "true", "https://consul:8501"),
        ("https://consul", "", "https://consul"),
        ("http://consul/", "", "http://consul"),
        ("http://proxy/consul/", "", "http://proxy/consul"),
        ("[::1]:8500", "", "http://[::1]:8500"),
        ("http://[::1]", "", "http://[::1]"),
        ("", "true", "https://127.0.0.1:8500"),
    ] {
        assert_eq!(of(address, ssl), expected, "{address} {ssl}");
    }
    for (address, told) in [
        ("unix:///run/consul.sock", "a Unix socket is not supported"),
        ("ftp://consul", "must start with http:// or https://"),
        ("http://", "is no address"),
        ("http://:8500", "is no address"),
        ("http://consul:99999", "is no address"),
        ("http://consul:port", "is no address"),
        ("http://con sul:8500", "is no address"),
        ("http://consul:8500/?dc=1", "is no address"),
        (
            "http://me:topsecret@consul:8500",
            "must not contain a user or password",
        ),
    ] {
        let message = refused(&format!("consul.address = \"{address}\""));
        assert!(message.contains(told), "{message}");
        assert!(!message.contains("topsecret"), "{message}");
    }
}

#[test]
fn a_prefix_ends_with_a_slash() {
    for prefix in ["Other/Nodes", "Other/Nodes/", "/Other/Nodes//"] {
        let settings = settings(&format!("consul.nodes_prefix = \"{prefix}\""));
        assert_eq!(settings.consul.nodes_prefix, "Other/Nodes/");
    }
}

#[test]
fn several_nodes_are_told_who_of_them_speaks() {
    let settings = settings(
        "[ha]\nmode = \"consul\"\nsession_ttl = \"2m 30s\"\nlock_delay = \"500ms\"\nprefix = \"ops/petanotify\"\nstep_down_after = 5",
    );
    let ha = Ha {
        mode: HaMode::Consul,
        session_ttl: Duration::from_secs(150),
        lock_delay: Duration::from_millis(500),
        prefix: "ops/petanotify/".to_owned(),
        step_down_after: 5,
    };
    assert_eq!(settings.ha, ha);
    assert_eq!(shown(&settings, "ha.mode").0.as_deref(), Some("\"consul\""));
    assert_eq!(settings.warnings, [""; 0]);
}

#[test]
fn what_several_nodes_need_has_no_effect_where_there_is_one() {
    let warnings = settings("[ha]\nmode = \"off\"\nprefix = \"ops\"").warnings;
    let warning = format!("{FILE}: line 3, ha.prefix: has no effect with ha.mode = \"off\"");
    assert_eq!(warnings, [warning]);
}

#[test]
fn mail_settings_without_a_server_are_told_to_have_no_effect() {
    let warnings = settings("[smtp]\nport = 25\nverify = false\nfrom = \"s@example.org\"").warnings;
    assert_eq!(
        warnings,
        [
            "/etc/petanotify/petanotify.toml: line 2, smtp.port: has no effect without smtp.host: PetaSAN's mail settings \
             count as a whole",
            "/etc/petanotify/petanotify.toml: line 4, smtp.from: has no effect without smtp.host: PetaSAN's mail settings \
             count as a whole",
        ]
    );
}

#[test]
fn a_sender_and_another_way_out_are_enough() {
    for other in [
        "[[smtp.relay]]\nhost = \"relay\"",
        "[fallback]\ncommand = [\"sendmail\"]",
    ] {
        let set = settings(&format!(
            "[smtp]\nfrom = \"s@example.org\"\nport = 26\n{other}"
        ));
        assert!(!set.relay_is_petasans(), "{other}");
        assert_eq!(
            set.warnings,
            ["/etc/petanotify/petanotify.toml: line 3, smtp.port: has no effect without smtp.host"]
        );
        assert!(settings(other).relay_is_petasans(), "{other}");
    }
    let unused = settings("[fallback]\nafter = \"1h\"\ntimeout = \"1s\"").warnings;
    assert_eq!(unused.len(), 2, "{unused:?}");
    assert!(unused[0].ends_with("line 2, fallback.after: has no effect without fallback.command"));
}

#[test]
fn the_port_that_goes_with_the_security_is_shown() {
    for (security, port) in [("starttls", "587"), ("tls", "465"), ("none", "25")] {
        let settings = settings(&format!(
            "smtp.host = \"relay\"\nsmtp.security = \"{security}\""
        ));
        assert_eq!(settings.smtp.first.port, None);
        assert_eq!(
            shown(&settings, "smtp.port"),
            (Some(port.to_owned()), Origin::Default)
        );
    }
}

/// A folder with a configuration and other files, all of mode 0600, as `load` finds them.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(config: &str, files: &[(&str, &[u8])]) -> Self {
        let folder = Folder(tempfile::tempdir().unwrap());
        folder.write("petanotify.toml", config.as_bytes());
        for (name, contents) in files {
            folder.write(name, contents);
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, contents: &[u8]) {
        std::fs::write(self.path(name), contents).unwrap();
        self.set_mode(name, 0o600);
    }

    fn set_mode(&self, name: &str, mode: u32) {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(self.path(name), permissions).unwrap();
    }

    fn load(&self, variables: &[(&str, &str)]) -> anyhow::Result<Settings> {
        load(Some(&self.path("petanotify.toml")), &environment(variables))
    }

    /// The error with the folder's name left out.
    fn refused(&self, variables: &[(&str, &str)]) -> String {
        let error = format!("{:#}", self.load(variables).unwrap_err());
        error.replace(&format!("{}/", self.0.path().display()), "")
    }
}

const LOGIN: &str = "[smtp]\nhost = \"relay\"\nusername = \"storage\"\npassword_file = \"secret\"";

#[test]
fn a_password_is_read_without_the_line_break_at_its_end() {
    for (contents, password) in [
        (&b"topsecret"[..], "topsecret"),
        (b"topsecret\n", "topsecret"),
        (b"topsecret\r\n", "topsecret"),
        (b" top secret \n", " top secret "),
        ("gehe\u{ef}m".as_bytes(), "gehe\u{ef}m"),
    ] {
        let settings = Folder::new(LOGIN, &[("secret", contents)])
            .load(&[])
            .unwrap();
        let login = settings.smtp.first.login.as_ref().unwrap();
        assert_eq!(
            (login.username.as_str(), login.password.reveal()),
            ("storage", password)
        );
        assert_eq!(settings.warnings, [""; 0]);
        assert!(!format!("{settings:?}").contains(password));
    }
}

#[test]
fn a_time_zone_is_one_that_this_machine_knows() {
    let folder = |name: &str| Folder::new(&format!("[mail]\ntime_zone = \"{name}\""), &[]);
    let settings = folder("Europe/Berlin").load(&[]).unwrap();
    let zone = settings.mail.time_zone.unwrap();
    assert_eq!(zone.iana_name(), Some("Europe/Berlin"));
    assert_eq!(
        folder("Europe/Berln").refused(&[]),
        "cannot use petanotify.toml: line 2, mail.time_zone: there is no time zone \"Europe/Berln\"; \
         did you mean \"Europe/Berlin\"?"
    );
}

#[test]
fn a_password_that_cannot_be_used_is_told_but_not_shown() {
    let prefix = "cannot use petanotify.toml: line 4, smtp.password_file: ";
    for (contents, told) in [
        (&b""[..], "secret is empty"),
        (b"\n", "secret is empty"),
        (b"topsecret\n\n", "secret must hold a single line of text"),
        (b"topsecret\nmore", "secret must hold a single line of text"),
        (b"topsecret\0", "secret must hold a single line of text"),
        (
            b"topsecret\xff",
            "cannot read secret: stream did not contain valid UTF-8",
        ),
    ] {
        let error = Folder::new(LOGIN, &[("secret", contents)]).refused(&[]);
        assert_eq!(error, format!("{prefix}{told}"));
    }
    let error = Folder::new(LOGIN, &[]).refused(&[]);
    assert_eq!(
        error,
        format!("{prefix}cannot read secret: No such file or directory (os error 2)")
    );
}

#[test]
fn a_password_that_everybody_may_read_is_a_warning() {
    for (mode, count) in [(0o600, 0), (0o640, 0), (0o604, 1), (0o644, 1)] {
        let folder = Folder::new(LOGIN, &[("secret", b"topsecret")]);
        folder.set_mode("secret", mode);
        let warnings = folder.load(&[]).unwrap().warnings;
        assert_eq!(warnings.len(), count, "{mode:o}: {warnings:?}");
        let secret = folder.path("secret").display().to_string();
        for warning in warnings {
            assert!(
                warning.ends_with(&format!("chmod 600 {secret}")),
                "{warning}"
            );
        }
    }
}

#[test]
fn name_and_password_come_together() {
    let without_name = "smtp.host = \"relay\"\nsmtp.password_file = \"secret\"";
    assert_eq!(
        Folder::new(without_name, &[("secret", b"topsecret")]).refused(&[]),
        "cannot use petanotify.toml: line 2, smtp.password_file: there is no smtp.username that it belongs to"
    );
    let without_password = "smtp.host = \"relay\"\nsmtp.username = \"storage\"";
    let folder = Folder::new(&format!("{without_password}\nsmtp.from = \"a@b.c\""), &[]);
    let credentials = folder.0.path().to_str().unwrap().to_owned();
    let variables = [("CREDENTIALS_DIRECTORY", credentials.as_str())];
    // The service has the credential, the shell of whoever looks at the queue has not.
    for variables in [&[][..], &variables] {
        let settings = folder.load(variables).unwrap();
        let missing = super::ways::ways(&settings, None).missing.concat();
        assert!(
            missing.contains("no password for smtp.username"),
            "{missing}"
        );
    }

    // What the unit has systemd put there when there is no such file.
    folder.write("smtp-password", b"\n");
    assert!(folder.load(&variables).unwrap().smtp.first.login.is_none());

    folder.write("smtp-password", b"topsecret\n");
    let settings = folder.load(&variables).unwrap();
    assert_eq!(
        settings
            .smtp
            .first
            .login
            .as_ref()
            .unwrap()
            .password
            .reveal(),
        "topsecret"
    );
    let (_, origin) = shown(&settings, "smtp.password_file");
    assert_eq!(
        origin,
        Origin::Environment("CREDENTIALS_DIRECTORY".to_owned())
    );

    folder.write("petanotify.toml", LOGIN.as_bytes());
    folder.write("secret", b"of the file");
    let settings = folder.load(&variables).unwrap();
    assert_eq!(
        settings.smtp.first.login.unwrap().password.reveal(),
        "of the file"
    );

    folder.write("petanotify.toml", b"");
    let warnings = folder.load(&variables).unwrap().warnings;
    assert!(warnings[0].ends_with("smtp-password: not used, because smtp.username is not set"));
}

#[test]
fn each_mail_server_has_its_own_password() {
    let relays = "smtp.host = \"a\"\nsmtp.from = \"s@example.org\"\n\
        [[smtp.relay]]\nhost = \"b\"\nusername = \"two\"\n\
        [[smtp.relay]]\nhost = \"c\"\nusername = \"three\"\npassword_file = \"third\"\n\
        [[smtp.relay]]\nhost = \"d\"\nusername = \"four\"";
    let folder = Folder::new(relays, &[("third", b"of the file\n")]);
    let credentials = folder.0.path().to_str().unwrap().to_owned();
    let variables = [("CREDENTIALS_DIRECTORY", credentials.as_str())];
    folder.write("smtp-password-2", b"second\n");
    folder.write("smtp-password-3", b"not this one");
    folder.write("smtp-password-4", b"fourth");
    let settings = folder.load(&variables).unwrap();
    let passwords: Vec<&str> = (settings.smtp.further.iter())
        .map(|server| server.login.as_ref().unwrap().password.reveal())
        .collect();
    assert_eq!(passwords, ["second", "of the file", "fourth"]);
    assert!(settings.smtp.first.login.is_none());
    assert_eq!(settings.warnings, [""; 0]);
    let of_environment = Origin::Environment("CREDENTIALS_DIRECTORY".to_owned());
    assert_eq!(
        shown(&settings, "smtp.relay[0].password_file").1,
        of_environment
    );
    assert_eq!(
        shown(&settings, "smtp.relay[1].password_file").1,
        Origin::File { line: 9 }
    );

    std::fs::remove_file(folder.path("smtp-password-4")).unwrap();
    let ways = super::ways::ways(&folder.load(&variables).unwrap(), None);
    let hosts: Vec<&str> = ways
        .relays
        .iter()
        .map(|relay| relay.host.as_str())
        .collect();
    assert_eq!(hosts, ["a", "b", "c"], "the others are used all the same");
    assert_eq!(
        ways.missing,
        [
            "there is no password for smtp.relay[2].username \"four\"; name the file that holds it in \
             smtp.relay[2].password_file, or give the service the credential smtp-password-4"
        ]
    );

    folder.write(
        "petanotify.toml",
        b"[[smtp.relay]]\nhost = \"b\"\npassword_file = \"third\"",
    );
    assert_eq!(
        folder.refused(&[]),
        "cannot use petanotify.toml: line 3, smtp.relay[0].password_file: there is no smtp.relay[0].username that it \
         belongs to"
    );
    folder.write("petanotify.toml", b"[[smtp.relay]]\nhost = \"b\"");
    let warnings = folder.load(&variables).unwrap().warnings;
    let unused = "smtp-password-2: not used, because smtp.relay[0].username is not set";
    assert!(warnings[0].ends_with(unused), "{warnings:?}");
}

#[test]
fn a_token_comes_from_the_file_before_the_environment() {
    let folder = Folder::new(
        "consul.token_file = \"token\"",
        &[("token", b"one\n"), ("other", b"two\n")],
    );
    let other = folder.path("other").display().to_string();
    let variables = [
        ("CONSUL_HTTP_TOKEN_FILE", other.as_str()),
        ("CONSUL_HTTP_TOKEN", "three"),
    ];
    let token = |folder: &Folder, variables: &[(&str, &str)]| {
        let token = folder.load(variables).unwrap().consul.token;
        token.unwrap().reveal().to_owned()
    };
    assert_eq!(token(&folder, &variables), "one");
    folder.write("petanotify.toml", b"");
    assert_eq!(token(&folder, &variables), "two");
    assert_eq!(token(&folder, &variables[1..]), "three");

    std::fs::remove_file(folder.path("other")).unwrap();
    assert_eq!(
        folder.refused(&variables),
        "cannot use $CONSUL_HTTP_TOKEN_FILE: cannot read other: No such file or directory (os error 2)"
    );
}

#[test]
fn the_heartbeats_address_is_a_secret() {
    const HEARTBEAT: &str = "heartbeat.url_file = \"url\"";
    let folder = Folder::new(HEARTBEAT, &[("url", b"https://hc-ping.com/5ec7e7\n")]);
    let settings = folder.load(&[]).unwrap();
    let url = settings.heartbeat.url.as_ref().unwrap();
    assert_eq!(url.reveal(), "https://hc-ping.com/5ec7e7");
    assert!(!format!("{settings:?}").contains("5ec7e7"));

    for broken in [
        "hc-ping.com/5ec7e7",
        "ftp://h/5ec7e7",
        "https:///5ec7e7",
        "5ec7e7 x",
    ] {
        folder.write("url", broken.as_bytes());
        let refused = folder.refused(&[]);
        assert!(
            refused.starts_with("cannot use petanotify.toml: line 1, heartbeat.url_file: what url holds is no address"),
            "{refused}"
        );
        assert!(!refused.contains("5ec7e7"), "{refused}");
        let refused = self::refused(&format!("heartbeat.url = \"{broken}\""));
        assert!(
            refused.starts_with("line 1, heartbeat.url: is no address"),
            "{refused}"
        );
        assert!(!refused.contains("5ec7e7"), "{refused}");
    }

    let from_file = self::settings("heartbeat.url = \"https://hc-ping.com/5ec7e7\"");
    assert_eq!(
        shown(&from_file, "heartbeat.url").0.as_deref(),
        Some("(secret)")
    );
    let without = self::settings("heartbeat.fail = true");
    assert_eq!(without.warnings.len(), 1, "{:?}", without.warnings);
}

#[test]
fn the_example_file_has_every_key_with_its_default() {
    let example = include_str!("../../packaging/petanotify.toml");
    let all_commented = example
        .lines()
        .all(|line| line.is_empty() || line.starts_with('#'));
    assert!(all_commented);
    // A setting is commented out by a lone `#`; prose has a blank after it.
    let mut active = String::new();
    for line in example.lines() {
        let setting = line
            .strip_prefix('#')
            .filter(|rest| !rest.starts_with([' ', '#']));
        active.push_str(setting.unwrap_or_default());
        active.push('\n');
    }
    let set = settings(&active);
    for line in set.shown.iter() {
        assert!(
            matches!(line.origin, Origin::File { .. }),
            "{} is missing",
            line.key
        );
    }
    let with_relay = settings("[[smtp.relay]]\nhost = \"mail2.example.org\"");
    for default in settings("").shown.iter().chain(with_relay.shown.iter()) {
        let Some(value) = &default.value else {
            continue;
        };
        if default.key != "state.file" {
            assert_eq!(
                shown(&set, &default.key).0.as_ref(),
                Some(value),
                "{}",
                default.key
            );
        }
    }
}

#[test]
fn the_manual_page_has_every_key_in_its_section() {
    let page = include_str!("../../man/petanotify.toml.5");
    let mut section = "";
    let mut keys = Vec::new();
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix(".Ss ") {
            section = heading.trim_end_matches("\\&").trim_matches(['[', ']']);
        } else if let Some(tag) = line.strip_prefix(".It Cm ") {
            let name = tag.split(' ').next().unwrap();
            keys.push(format!("{section}.{name}"));
        }
    }
    let one_of_each =
        settings("[[smtp.relay]]\nhost = \"relay\"\n[[recipient]]\naddress = \"ops@example.org\"");
    let known = one_of_each.shown.iter();
    let known: Vec<String> = known.map(|line| line.key.replace("[0]", "")).collect();
    assert_eq!(keys, known);
}

#[test]
fn ceph_gets_the_keyring_that_systemd_has_handed_over() {
    const OWN: &str = "ceph.client.petanotify.keyring";
    const ADMIN: &str = "ceph.client.admin.keyring";
    let load = |text: &str, keyrings: &[(&str, &[u8])]| {
        let folder = Folder::new(text, keyrings);
        let credentials = folder.0.path().to_str().unwrap().to_owned();
        let settings = folder
            .load(&[("CREDENTIALS_DIRECTORY", &credentials)])
            .unwrap();
        let keyring = settings.ceph.keyring.clone();
        let keyring = keyring.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
        (settings.ceph.name.clone(), keyring, settings)
    };
    let key = b"[client.petanotify]\nkey = AQ==\n".as_slice();
    let by_systemd = Origin::Environment("CREDENTIALS_DIRECTORY".to_owned());
    for (text, keyrings, name, keyring) in [
        (
            "",
            [(OWN, key), (ADMIN, key)],
            Some("client.petanotify"),
            Some(OWN),
        ),
        ("", [(OWN, b"\n"), (ADMIN, key)], None, Some(ADMIN)),
        ("", [(OWN, b"\n"), (ADMIN, b"\n")], None, None),
        (
            "ceph.name = \"client.admin\"",
            [(OWN, key), (ADMIN, key)],
            Some("client.admin"),
            Some(ADMIN),
        ),
        (
            "ceph.name = \"client.other\"",
            [(OWN, key), (ADMIN, key)],
            Some("client.other"),
            None,
        ),
    ] {
        let (found_name, found_keyring, settings) = load(text, &keyrings);
        assert_eq!(found_name.as_deref(), name, "{text}");
        assert_eq!(found_keyring.as_deref(), keyring, "{text}");
        let (_, origin) = shown(&settings, "ceph.keyring");
        assert_eq!(origin == by_systemd, keyring.is_some(), "{text}");
    }
    let (name, keyring, _) = load("ceph.keyring = \"mine\"", &[(OWN, key)]);
    assert_eq!((name, keyring.as_deref()), (None, Some("mine")));
}

#[test]
fn the_heartbeats_address_may_be_handed_over_as_well() {
    let folder = Folder::new("", &[("heartbeat-url", b"https://by.systemd/1\n")]);
    let credentials = folder.0.path().to_str().unwrap().to_owned();
    let url = || {
        let variables = [("CREDENTIALS_DIRECTORY", credentials.as_str())];
        let url = folder.load(&variables).unwrap().heartbeat.url;
        url.map(|url| url.reveal().to_owned())
    };
    assert_eq!(url().as_deref(), Some("https://by.systemd/1"));
    folder.write(
        "petanotify.toml",
        b"heartbeat.url = \"https://of.the.file/2\"",
    );
    assert_eq!(url().as_deref(), Some("https://of.the.file/2"));
    folder.write("petanotify.toml", b"");
    folder.write("heartbeat-url", b"\n");
    assert_eq!(url(), None);
}

#[test]
fn a_token_may_be_handed_over_as_well() {
    let folder = Folder::new("", &[("consul-token", b"by systemd\n")]);
    let credentials = folder.0.path().to_str().unwrap().to_owned();
    let variables = [
        ("CREDENTIALS_DIRECTORY", credentials.as_str()),
        ("CONSUL_HTTP_TOKEN", "of-the-environment"),
    ];
    let token = |variables: &[(&str, &str)]| {
        let token = folder.load(variables).unwrap().consul.token;
        token.map(|token| token.reveal().to_owned())
    };
    assert_eq!(token(&variables[..1]).as_deref(), Some("by systemd"));
    assert_eq!(token(&variables).as_deref(), Some("of-the-environment"));
    assert_eq!(token(&[]), None);
    folder.write("consul-token", b"\n");
    assert_eq!(token(&variables[..1]), None);
    folder.write("consul-token", b"by systemd\n");
    folder.write("petanotify.toml", b"consul.token_file = \"token\"");
    folder.write("token", b"of the file\n");
    assert_eq!(token(&variables).as_deref(), Some("of the file"));
}
