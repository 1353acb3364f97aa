//! `config check`: every kind of failure is told once, with what to do about it, and nothing is sent or left behind.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use fs2::FileExt as _;
use serde_json::{Value, json};

use crate::ceph::{Behaviour, Question, recorded};
use crate::certificates::Authority;
use crate::cluster::{Cluster, Run};
use crate::consul::Fault as ConsulFault;
use crate::relay::{Fault, Stage, Tls, says};

const PASSWORD: &str = "correct-horse-battery";

/// What one run has found.
struct Found {
    run: Run,
    checks: Vec<Value>,
}

impl Found {
    #[track_caller]
    fn by(cluster: &Cluster) -> Found {
        let run = cluster.run(&["config", "check", "--json"]);
        assert_eq!(run.stderr, "", "the account goes to standard output");
        let document = run.json();
        assert_eq!(document["version"], 1);
        assert_eq!(document["ok"], run.code == Some(0));
        let checks = document["checks"].as_array().unwrap().clone();
        for check in &checks {
            let advice = check["advice"].as_str();
            assert_eq!(advice.is_none(), check["outcome"] == "ok", "{check}");
        }
        Found { run, checks }
    }

    /// The only finding of this section and name that is not ok, or the first that is.
    #[track_caller]
    fn at(&self, section: &str, name: &str) -> &Value {
        let is_it = |check: &&Value| check["section"] == section && check["name"] == name;
        let all: Vec<&Value> = self.checks.iter().filter(is_it).collect();
        let bad = all.iter().find(|check| check["outcome"] != "ok");
        bad.or(all.first())
            .unwrap_or_else(|| panic!("no {section} {name} in {:#?}", self.checks))
    }

    /// Asserts that this failed and nothing else did, with these words in the detail and these lines in the advice.
    #[track_caller]
    fn only_failure(&self, section: &str, name: &str, detail: &str, lines: &[&str]) {
        self.run.exits(1);
        let failed = self.checks.iter().filter(|c| c["outcome"] == "failed");
        let failed: Vec<String> = failed
            .map(|check| format!("{} {}", check["section"], check["name"]))
            .collect();
        assert_eq!(failed, [format!("\"{section}\" \"{name}\"")]);
        self.told(section, name, "failed", detail, lines);
    }

    /// Asserts how something was found.
    #[track_caller]
    fn told(&self, section: &str, name: &str, outcome: &str, detail: &str, lines: &[&str]) {
        let check = self.at(section, name);
        assert_eq!(check["outcome"], outcome, "{check:#}");
        let told = check["detail"].as_str().unwrap();
        assert!(told.contains(detail), "no {detail:?} in {check:#}");
        let advice = check["advice"].as_str().unwrap_or("");
        for line in lines {
            let is_there = advice.lines().any(|told| told == *line);
            assert!(is_there, "no line {line:?} in {check:#}");
        }
    }

    #[track_caller]
    fn has_no(&self, section: &str, name: &str) {
        let is_it = |check: &Value| check["section"] == section && check["name"] == name;
        assert!(!self.checks.iter().any(is_it), "{:#?}", self.checks);
    }
}

/// A cluster in which all is well, asked with a key that can only look, over TLS and with a login.
fn cluster() -> Cluster {
    let mut cluster = Cluster::new();
    let authority = Authority::new("A private CA");
    let identity = authority.issue(&["relay.test", "127.0.0.1"]);
    cluster.relay.speak(Tls::Upgrade {
        config: identity.server(),
        offered: true,
    });
    cluster.relay.require_login("storage", PASSWORD);
    let ca = cluster.file("ca.pem", &authority.pem(), 0o644);
    let password = cluster.file("password", PASSWORD, 0o600);
    let conf = cluster.file("ceph.conf", "[global]\n", 0o644);
    let keyring = cluster.file("keyring", "[client.petanotify]\n", 0o600);
    for (key, path) in [
        ("smtp.ca_file", ca),
        ("smtp.password_file", password),
        ("ceph.conf", conf),
        ("ceph.keyring", keyring),
    ] {
        cluster.set(key, &format!("{:?}", path.display().to_string()));
    }
    cluster.set("smtp.security", "\"starttls\"");
    cluster.set("smtp.username", "\"storage\"");
    cluster.set("ceph.name", "\"client.petanotify\"");
    let timer = "Id=petanotify.timer\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n\
                 NextElapseUSecRealtime=Mon 2026-11-23 08:01:07 UTC\n\n\
                 Id=petanotify.service\nLoadState=not-found\n";
    tool(&cluster, "systemctl", timer);
    tool(&cluster, "timedatectl", "NTPSynchronized=yes\n");
    cluster
}

/// A tool on the PATH that prints this.
fn tool(cluster: &Cluster, name: &str, prints: &str) {
    let script = format!("#!/bin/sh\nPATH=/bin:/usr/bin\ncat <<'END'\n{prints}END\n");
    cluster.install(&cluster.ceph.bin().join(name), &script);
}

/// A port on which nothing listens.
fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn when_all_is_well_each_line_says_so_and_nothing_is_sent_or_left_behind() {
    let mut cluster = cluster();
    cluster.recipients(&["ops@example.org", "night@example.org"]);
    let run = cluster.run(&["config", "check"]);
    assert_eq!(run.exits(0).stderr, "");
    let config = cluster.config_file().display().to_string();
    for line in [
        format!("ok       config   file       {config}"),
        format!(
            "ok       ceph     binary     {}, version 18.2.7",
            cluster.ceph.command().display()
        ),
        format!(
            "ok       ceph     key        client.petanotify, {}",
            cluster.folder().join("keyring").display()
        ),
        format!(
            "ok       consul   agent      http://{}, node1, version 1.8.7, datacenter petasan",
            cluster.consul.address()
        ),
        "ok       consul   leader     127.0.10.2:8300".to_owned(),
        "ok       consul   members    5 alive".to_owned(),
        "ok       consul   nodes      5 nodes below PetaSAN/Nodes/: node1, node2, node3, node4, node5"
            .to_owned(),
        "ok       petasan  settings   not used: mail server and recipients are in the configuration"
            .to_owned(),
        "ok       mail     resolve    127.0.0.1: 127.0.0.1".to_owned(),
        "ok       mail     login      as storage".to_owned(),
        "ok       state    lock       free".to_owned(),
        "ok       clock    this node  kept right by a time server (NTP)".to_owned(),
        "ok       clock    monitors   the clocks of 2 Ceph monitors are at most 0.000 s apart".to_owned(),
        "ok       timer    timer      petanotify.timer is active, the next pass at Mon 2026-11-23 08:01:07 UTC"
            .to_owned(),
    ] {
        assert!(run.stdout.lines().any(|l| l == line), "{line}\n{}", run.stdout);
    }
    for part in [
        "ok       ceph     status     ",
        "ok       ceph     osd tree   ",
        "ok       mail     connect    127.0.0.1:",
        "certificate for 127.0.0.1, by A private CA, ",
        "ok       mail     recipient  ops@example.org: 250",
        "ok       mail     recipient  night@example.org: 250",
        "\n0 failed, 0 warnings, ",
    ] {
        assert!(run.stdout.contains(part), "{part}\n{}", run.stdout);
    }

    assert!(cluster.relay.seen().is_empty());
    let connections = cluster.relay.connections();
    assert_eq!(connections.len(), 1);
    let verbs: Vec<&str> = connections[0]
        .commands
        .iter()
        .map(|line| line.split([' ', ':']).next().unwrap())
        .collect();
    assert_eq!(
        verbs,
        [
            "EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL", "RCPT", "RSET", "MAIL", "RCPT", "RSET",
            "QUIT"
        ]
    );
    assert!(cluster.state_names().is_empty(), "nothing is left behind");
    let document = Found::by(&cluster).run.json();
    assert_eq!(document["ok"], true);
    let lines = run.stdout.lines().count() - 1;
    assert_eq!(document["checks"].as_array().unwrap().len(), lines);
    assert_eq!(
        document["checks"][0],
        json!({"section": "config", "name": "file", "outcome": "ok", "detail": config, "advice": null})
    );
}

#[test]
fn it_works_while_a_pass_is_running() {
    let cluster = cluster();
    cluster.ceph.does(
        Question::OsdTree,
        &Behaviour::Wait(recorded("18.2.7/osd-tree.healthy")),
    );
    let pass = cluster.start(&["check"]);
    cluster.ceph.wait_for_waiting(Question::OsdTree);
    cluster.ceph.does(
        Question::OsdTree,
        &Behaviour::Answer(recorded("18.2.7/osd-tree.healthy")),
    );
    let found = Found::by(&cluster);
    found.run.exits(0);
    found.told("state", "lock", "ok", "held by a running pass", &[]);
    cluster.ceph.release();
    pass.wait().exits(0);
}

#[test]
fn marks_are_ticks_and_crosses_where_the_terminal_has_them() {
    let mut cluster = cluster();
    cluster.set(
        "consul.address",
        &format!("\"http://127.0.0.1:{}\"", closed_port()),
    );
    let run = cluster.run(&["--color", "always", "config", "check"]);
    assert!(
        run.stdout.contains("\x1b[32m✓ \x1b[0mceph     binary     "),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout.contains("\x1b[31m✗ \x1b[0mconsul   agent      "),
        "{}",
        run.stdout
    );
    cluster.env("LC_ALL", "C");
    let run = cluster.run(&["--color", "always", "config", "check"]);
    assert!(
        run.stdout
            .contains("\x1b[31mfailed   \x1b[0mconsul   agent"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.is_ascii());
}

#[test]
fn a_wrong_configuration_is_78_with_all_that_is_wrong() {
    let cluster = Cluster::new();
    cluster.write_config("[smtp]\nport = 0\n[notify]\nrecovry = true\n");
    let run = cluster.run(&["config", "check"]);
    run.exits(78)
        .says(&["line 2", "smtp.port"])
        .says(&["line 4", "recovery"]);
    assert_eq!(run.stdout, "");
}

#[test]
fn without_a_ceph_command_the_package_is_named() {
    let cluster = cluster();
    cluster.ceph.uninstall();
    let found = Found::by(&cluster);
    found.only_failure(
        "ceph",
        "binary",
        "cannot run ceph",
        &["  apt-get install ceph-common"],
    );
    found.has_no("ceph", "status");
}

#[test]
fn without_a_keyring_the_line_that_makes_one_is_given() {
    const DENIED: &str = "[errno 13] RADOS permission denied (error connecting to the cluster)";
    let mut cluster = cluster();
    let keyring = cluster.folder().join("keyring");
    fs::remove_file(&keyring).unwrap();
    cluster.ceph.fails(13, DENIED);
    let found = Found::by(&cluster);
    found.run.exits(1);
    let path = keyring.display();
    let make = format!("  ceph auth get-or-create client.petanotify mon 'allow r' -o {path}");
    let lines = [make.as_str(), &format!("  chmod 600 {path}")];
    found.told("ceph", "key", "failed", "no keyring", &lines);
    found.told("ceph", "status", "failed", DENIED, &lines);
    found.told("ceph", "osd tree", "failed", DENIED, &lines);
    let text = cluster.run(&["config", "check"]).stdout;
    assert_eq!(text.matches("get-or-create").count(), 1, "{text}");
    assert_eq!(text.matches("The same as above.").count(), 2, "{text}");

    // The key can be read and is not the one that Ceph knows.
    cluster.file("keyring", "[client.petanotify]\n", 0o600);
    let found = Found::by(&cluster);
    found.told("ceph", "key", "ok", "client.petanotify", &[]);
    let lines = ["  ceph auth caps client.petanotify mon 'allow r'", &make];
    found.told("ceph", "status", "failed", DENIED, &lines);

    // Nobody is named: the admin's key is missing, and another one is made.
    cluster.unset("ceph.name");
    cluster.unset("ceph.keyring");
    let found = Found::by(&cluster);
    let usual = "-o /etc/ceph/ceph.client.petanotify.keyring";
    found.told(
        "ceph",
        "key",
        "failed",
        "client.admin",
        &[
            &format!("  ceph auth get-or-create client.petanotify mon 'allow r' {usual}"),
            "  name = \"client.petanotify\"",
        ],
    );
}

#[test]
fn a_key_that_may_too_little_or_too_much_is_told() {
    let mut cluster = cluster();
    cluster.ceph.fails(13, "Error EACCES: access denied");
    let found = Found::by(&cluster);
    let caps = ["  ceph auth caps client.petanotify mon 'allow r'"];
    found.told("ceph", "status", "failed", "EACCES", &caps);
    let advice = found.at("ceph", "status")["advice"].to_string();
    assert!(
        !advice.contains("get-or-create"),
        "the key itself is good: {advice}"
    );
    cluster.ceph.healthy();
    cluster.set("ceph.name", "\"client.admin\"");
    let found = Found::by(&cluster);
    found.run.exits(0);
    let make = "  ceph auth get-or-create client.petanotify mon 'allow r' \
                -o /etc/ceph/ceph.client.petanotify.keyring";
    found.told("ceph", "key", "warning", "may do everything", &[make]);
    cluster.set("ceph.name", "\"client.petanotify\"");
    let keyring = cluster.file("keyring", "", 0o644);
    let chmod = format!("  chmod 600 {}", keyring.display());
    let found = Found::by(&cluster);
    found.told("ceph", "key", "warning", "everybody", &[&chmod]);
}

#[test]
fn monitors_that_do_not_answer_and_a_missing_conf_are_told() {
    let mut cluster = cluster();
    cluster.ceph.fails(1, "timed out");
    let conf = cluster.folder().join("ceph.conf");
    let grep = format!("  grep mon_host {}", conf.display());
    let found = Found::by(&cluster);
    found.told("ceph", "osd tree", "failed", "timed out", &[&grep]);
    found.told("ceph", "conf", "ok", "ceph.conf", &[]);

    fs::remove_file(&conf).unwrap();
    let missing = "Error initializing cluster client: ObjectNotFound('RADOS object not found (error calling conf_read_file)')";
    cluster.ceph.fails(1, missing);
    let scp = format!("  scp NODE:/etc/ceph/ceph.conf {}", conf.display());
    let found = Found::by(&cluster);
    found.told("ceph", "conf", "failed", "there is no", &[&scp]);

    cluster.ceph.healthy();
    cluster.ceph.capacity(crate::ceph::status(0, 1000, false));
    let found = Found::by(&cluster);
    found.run.exits(0);
    found.told(
        "ceph",
        "status",
        "warning",
        "no manager",
        &["  systemctl start ceph-mgr.target"],
    );
    cluster.set("checks.capacity.enabled", "false");
    cluster.set("checks.osds.enabled", "false");
    Found::by(&cluster).told("ceph", "checks", "ok", "not asked", &[]);
}

#[test]
fn a_consul_that_is_down_hides_or_has_no_leader_is_told() {
    let mut cluster = cluster();
    cluster.consul.lose_leader();
    let found = Found::by(&cluster);
    found.run.exits(0);
    let peers = ["  consul operator raft list-peers -stale"];
    found.told("consul", "leader", "warning", "there is none", &peers);
    found.told("consul", "nodes", "ok", "5 nodes", &[]);
    cluster.consul.heal();

    cluster.consul.require_token("a-token");
    let create = "  consul acl policy create -name petanotify -rules \
                  'node_prefix \"\" { policy = \"read\" } key_prefix \"PetaSAN/\" { policy = \"read\" }'";
    let token = "  consul acl token create -description petanotify -policy-name petanotify";
    let found = Found::by(&cluster);
    found.only_failure("consul", "agent", "403", &[create, token]);

    cluster.set(
        "consul.address",
        &format!("\"http://127.0.0.1:{}\"", closed_port()),
    );
    let found = Found::by(&cluster);
    let look = ["  systemctl status consul", "  consul members"];
    found.only_failure("consul", "agent", "connection refused", &look);
    found.has_no("consul", "nodes");
}

#[test]
fn nodes_that_are_not_listed_are_told_how_to_list() {
    let cluster = cluster();
    for number in 1..=5 {
        cluster
            .consul
            .delete(&format!("PetaSAN/Nodes/node{number}"));
    }
    let put = ["  consul kv put PetaSAN/Nodes/node1 '{\"name\": \"node1\"}'"];
    let found = Found::by(&cluster);
    found.only_failure(
        "consul",
        "nodes",
        "none is listed below PetaSAN/Nodes/",
        &put,
    );
    cluster.consul.put_base64("PetaSAN/Nodes/node1", "?");
    let found = Found::by(&cluster);
    let get = ["  consul kv get PetaSAN/Nodes/node1"];
    found.told("consul", "nodes", "warning", "cannot be used", &get);
}

#[test]
fn what_petasan_has_set_is_told_and_missed() {
    let cluster = Cluster::petasan();
    let found = Found::by(&cluster);
    found.run.exits(1);
    found.told(
        "petasan",
        "settings",
        "ok",
        "there is no mail server in PetaSAN's settings",
        &[],
    );
    found.told(
        "mail",
        "server",
        "failed",
        "mail is not set up",
        &["  [smtp]"],
    );
    found.told(
        "mail",
        "recipients",
        "failed",
        "nobody",
        &["  address = \"ops@example.org\""],
    );

    let settings = json!({
        "email_notify_smtp_server": "127.0.0.1",
        "email_notify_smtp_port": cluster.relay.port().to_string(),
        "email_notify_smtp_email": "san@example.org",
        "email_notify_smtp_password": PASSWORD,
        "email_notify_smtp_security": 3,
    });
    cluster.consul.put("PetaSAN/Config", &settings);
    cluster.consul.put_user("admin", "admin@example.org", true);
    cluster.consul.put_user("odd", "no address", true);
    cluster.relay.require_login("san@example.org", PASSWORD);
    let found = Found::by(&cluster);
    assert_eq!(found.run.code, Some(0), "{:#?}", found.checks);
    let server = format!(
        "mail server 127.0.0.1:{}; users to notify: admin@example.org",
        cluster.relay.port()
    );
    assert!(
        found.checks.iter().any(|check| check["detail"] == server),
        "{:#?}",
        found.checks
    );
    let odd = found
        .checks
        .iter()
        .filter(|check| check["section"] == "petasan");
    let odd: String = odd.map(ToString::to_string).collect();
    assert!(
        odd.contains("is no mail address") && odd.contains("without TLS"),
        "{odd}"
    );
    found.told(
        "mail",
        "tls",
        "warning",
        "can be read on the way",
        &["  security = \"starttls\""],
    );
    found.told("mail", "recipient", "ok", "admin@example.org: 250", &[]);
    assert!(!found.run.stdout.contains(PASSWORD));

    // With Consul down, a pass goes on with what it has kept.
    cluster.check().exits(0);
    let mut cluster = cluster;
    cluster.env("CONSUL_HTTP_ADDR", "http://127.0.0.1:1");
    let found = Found::by(&cluster);
    found.told("petasan", "settings", "warning", "cannot be read now", &[]);
    found.told("mail", "login", "ok", "as san@example.org", &[]);
    fs::remove_file(cluster.state_folder().join("petasan-import.json")).unwrap();
    let found = Found::by(&cluster);
    found.told("petasan", "settings", "failed", "none are kept", &[]);
}

#[test]
fn each_step_to_the_mail_server_can_fail() {
    let mut cluster = cluster();
    let port = cluster.relay.port();
    let nobody = closed_port();
    cluster.set("smtp.port", &nobody.to_string());
    let found = Found::by(&cluster);
    found.only_failure(
        "mail",
        "connect",
        "Connection refused",
        &["Nothing listens there: check smtp.host and smtp.port"],
    );
    found.has_no("mail", "tls");
    cluster.set("smtp.port", &port.to_string());

    cluster.set("smtp.host", "\"no-such-host.invalid\"");
    let found = Found::by(&cluster);
    found.only_failure(
        "mail",
        "resolve",
        "no-such-host.invalid",
        &["  getent hosts no-such-host.invalid"],
    );
    cluster.set("smtp.host", "\"127.0.0.1\"");

    cluster
        .relay
        .fault(Stage::Greeting, says("554 5.7.1 go away"));
    let found = Found::by(&cluster);
    found.only_failure("mail", "connect", "554 5.7.1 go away", &[]);
    cluster.relay.heal();

    cluster
        .relay
        .fault(Stage::Mail, says("550 5.7.1 not from you"));
    let found = Found::by(&cluster);
    found.only_failure("mail", "sender", "550 5.7.1 not from you", &[]);
    found.told("mail", "login", "ok", "as storage", &[]);
    found.has_no("mail", "recipient");
    cluster.relay.heal();

    cluster.file("password", "a-wrong-one", 0o600);
    let found = Found::by(&cluster);
    found.only_failure(
        "mail",
        "login",
        "535",
        &["Check smtp.username and the password"],
    );
    found.told("mail", "tls", "ok", "by A private CA", &[]);
    assert!(!found.run.stdout.contains("a-wrong-one"));
}

#[test]
fn a_recipient_is_refused_deferred_or_missing_by_name() {
    let mut cluster = cluster();
    cluster.recipients(&["gone@example.org", "ops@example.org"]);
    cluster
        .relay
        .refuse("gone@example.org", "550 5.1.1 no such user");
    let found = Found::by(&cluster);
    found.only_failure(
        "mail",
        "recipient",
        "gone@example.org: 127.0.0.1:",
        &["Does gone@example.org exist, and does 127.0.0.1 take mail for it?"],
    );
    let asked = found.checks.iter().filter(|c| c["name"] == "recipient");
    assert_eq!(
        asked.count(),
        2,
        "the other one is asked about all the same"
    );

    cluster
        .relay
        .refuse("gone@example.org", "451 4.7.1 greylisted");
    let found = Found::by(&cluster);
    found.run.exits(0);
    found.told("mail", "recipient", "warning", "451 4.7.1 greylisted", &[]);
    cluster.relay.heal();

    cluster.recipients(&[]);
    cluster.recipient_for("ops@example.org", "[\"osds\", \"nodes\"]");
    let found = Found::by(&cluster);
    found.run.exits(0);
    found.told(
        "mail",
        "recipients",
        "warning",
        "nobody is told of the check capacity",
        &["  [[recipient]]"],
    );
}

#[test]
fn a_certificate_is_judged() {
    let mut cluster = cluster();
    let authority = Authority::new("Another CA");
    cluster.file("ca.pem", &authority.pem(), 0o644);
    let speak = |cluster: &Cluster, identity: crate::certificates::Identity| {
        cluster.relay.speak(Tls::Upgrade {
            config: identity.server(),
            offered: true,
        });
    };
    speak(&cluster, authority.issue_for_days(5, &["127.0.0.1"]));
    let found = Found::by(&cluster);
    found.run.exits(0);
    found.told("mail", "tls", "warning", "by Another CA, 5 days left", &[]);

    speak(&cluster, authority.issue_expired(&["127.0.0.1"]));
    let openssl = format!(
        "  openssl s_client -starttls smtp -connect 127.0.0.1:{}",
        cluster.relay.port()
    );
    let found = Found::by(&cluster);
    found.only_failure(
        "mail",
        "tls",
        "certificate expired",
        &[
            "Renew the server's certificate (or is this node's clock wrong?)",
            &openssl,
        ],
    );

    speak(&cluster, authority.issue(&["relay.test"]));
    let found = Found::by(&cluster);
    found.only_failure("mail", "tls", "not valid for name", &[&openssl]);
    cluster.set("smtp.verify", "false");
    let found = Found::by(&cluster);
    found.run.exits(0);
    found.told(
        "mail",
        "tls",
        "warning",
        "certificate for relay.test, not for 127.0.0.1",
        &[],
    );
    cluster.set("smtp.verify", "true");

    speak(
        &cluster,
        Authority::new("Nobody's CA").issue(&["127.0.0.1"]),
    );
    let found = Found::by(&cluster);
    found.only_failure("mail", "tls", "UnknownIssuer", &[&openssl]);
}

#[test]
fn whoever_hangs_is_not_waited_for_and_the_others_are_told() {
    let mut cluster = cluster();
    for key in ["ceph.timeout", "consul.timeout", "smtp.timeout"] {
        cluster.set(key, "\"1s\"");
    }
    cluster.ceph.does_both(&Behaviour::Hang);
    cluster.consul.fault_everywhere(&ConsulFault::Hang);
    cluster.relay.fault(Stage::Rcpt, Fault::Hang);
    let found = Found::by(&cluster);
    found.run.exits(1);
    found.told("ceph", "status", "failed", "no answer within 1 s", &[]);
    found.told("consul", "agent", "failed", "no answer within 1 s", &[]);
    found.told(
        "mail",
        "sender",
        "failed",
        "no answer within 1s at RCPT",
        &[],
    );
    found.told("state", "folder", "ok", "writable", &[]);
}

#[test]
fn a_state_that_cannot_be_used_is_told() {
    let cluster = cluster();
    cluster.check().exits(0);
    let lock = fs::File::open(cluster.state_folder().join("state.json.lock")).unwrap();
    lock.lock_exclusive().unwrap();
    let found = Found::by(&cluster);
    found.run.exits(0);
    found.told("state", "lock", "ok", "held", &[]);
    found.told("state", "content", "ok", "no mail is pending", &[]);
    drop(lock);

    fs::write(cluster.state_file(), "{").unwrap();
    let found = Found::by(&cluster);
    found.run.exits(0);
    found.told("state", "content", "warning", "state.json", &[]);
    assert_eq!(
        fs::read_to_string(cluster.state_file()).unwrap(),
        "{",
        "left as it is"
    );

    fs::write(cluster.state_file(), r#"{"version": 99}"#).unwrap();
    let found = Found::by(&cluster);
    found.only_failure("state", "content", "later release", &[]);
    fs::remove_file(cluster.state_file()).unwrap();
}

#[test]
fn a_folder_that_another_user_owns_is_told() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let mut cluster = cluster();
    open_to_all(&cluster);
    cluster.as_nobody();
    let folder = cluster.state_folder();
    let chown = format!("  chown nobody {}", folder.display());
    let found = Found::by(&cluster);
    found.only_failure("state", "folder", "Permission denied", &[&chown]);
}

/// Lets a user without rights read what the configuration names.
fn open_to_all(cluster: &Cluster) {
    for name in ["password", "keyring", "petanotify.toml"] {
        let path = cluster.folder().join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    }
}

#[test]
fn a_password_that_everybody_may_read_is_a_warning_of_its_own() {
    let cluster = cluster();
    let password = cluster.file("password", PASSWORD, 0o644);
    let chmod = format!("  chmod 600 {}", password.display());
    let found = Found::by(&cluster);
    found.run.exits(0);
    found.told(
        "config",
        "file",
        "warning",
        "everybody on this machine may read",
        &[&chmod],
    );
    assert!(!found.run.stdout.contains(PASSWORD));
}

#[test]
fn a_timer_that_does_not_run_and_a_clock_that_drifts_are_warnings() {
    let cluster = cluster();
    let timer = "Id=petanotify.timer\nLoadState=loaded\nActiveState=inactive\nUnitFileState=disabled\n\n\
                 User=petanotify\n\nId=petanotify.service\nLoadState=loaded\nUser=petanotify\n";
    tool(&cluster, "systemctl", timer);
    tool(&cluster, "timedatectl", "NTPSynchronized=no\n");
    let found = Found::by(&cluster);
    found.run.exits(0);
    let start = ["  systemctl enable --now petanotify.timer"];
    found.told(
        "timer",
        "timer",
        "warning",
        "petanotify.timer is inactive",
        &start,
    );
    found.told(
        "clock",
        "this node",
        "warning",
        "drift",
        &["  timedatectl set-ntp true"],
    );
    for gone in ["systemctl", "timedatectl"] {
        fs::remove_file(cluster.ceph.bin().join(gone)).unwrap();
    }
    let found = Found::by(&cluster);
    found.run.exits(0);
    if !Path::new("/etc/cron.d/petanotify").exists() {
        found.told("timer", "cron", "warning", "systemd does not run here", &[]);
    }
    found.told(
        "clock",
        "this node",
        "warning",
        "cannot be told",
        &["  date -u"],
    );
}

#[test]
fn names_in_the_map_of_hosts_that_nobody_has_are_warnings() {
    let mut cluster = Cluster::new();
    cluster.set(
        "checks.osds.hosts",
        "{ nod1 = \"node1\", node2 = \"noed2\" }",
    );
    let found = Found::by(&cluster);
    found.run.exits(0);
    let host =
        "checks.osds.hosts: Ceph has no host with OSDs that is called nod1; the nearest is node1";
    found.told("ceph", "hosts", "warning", host, &["  ceph osd tree"]);
    let node = "checks.osds.hosts: Consul lists no node that is called noed2; the nearest is node2";
    found.told("consul", "hosts", "warning", node, &["  consul members"]);
    cluster.set("checks.osds.hosts", "{ node1 = \"node2\" }");
    let found = Found::by(&cluster);
    found.told("ceph", "hosts", "ok", "node1", &[]);
    found.told("consul", "hosts", "ok", "node2", &[]);
}
