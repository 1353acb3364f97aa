//! The command line: usage, precedence, documents, what goes to which output.

use std::fs::{self, File};
use std::io::{Read as _, pipe};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::process::Stdio;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::ceph::{Behaviour, Question, recorded, status_used};
use crate::certificates::Authority;
use crate::cluster::Cluster;
use crate::consul::{Consul, MEMBERS};
use crate::relay::{Stage, says};

/// Asserts that an object has exactly these keys, in whatever order.
#[track_caller]
fn has_keys(value: &Value, keys: &[&str]) {
    let mut found: Vec<&str> = value
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    let mut keys = keys.to_vec();
    found.sort_unstable();
    keys.sort_unstable();
    assert_eq!(found, keys, "{value}");
}

/// Asserts that this is an RFC 3339 time in UTC.
#[track_caller]
fn is_utc(value: &Value) -> Timestamp {
    let text = value.as_str().unwrap_or_else(|| panic!("no time: {value}"));
    assert!(text.ends_with('Z'), "{text}");
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn osd_down() -> Cluster {
    let cluster = Cluster::new();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    cluster
}

#[test]
fn wrong_usage_exits_2() {
    let cluster = Cluster::new();
    for arguments in [
        &["chekc"][..],
        &["check", "--jsn"],
        &["check", "now"],
        &["queue", "lst"],
        &["--color", "sometimes", "status"],
        &["-q", "-v", "status"],
        &["--config"],
        &["queue"],
    ] {
        let run = cluster.run(arguments);
        run.exits(2);
        assert_eq!(run.stdout, "", "{arguments:?}");
        assert!(
            run.stderr.contains("--help") || run.stderr.contains("Usage"),
            "{}",
            run.stderr
        );
    }
    cluster.run(&["chekc"]).says(&["check"]);
    cluster.run(&["check", "--jsn"]).exits(2).says(&["--json"]);
    assert!(cluster.state_names().is_empty());
}

#[test]
fn help_and_version_are_data() {
    let cluster = Cluster::new();
    cluster.write_config("broken [");
    for arguments in [
        &["--help"][..],
        &["-h"],
        &["check", "--help"],
        &["queue", "list", "--help"],
        &["config", "show", "--help"],
    ] {
        let run = cluster.run(arguments);
        run.exits(0);
        assert!(run.stdout.contains("Usage: petanotify"), "{}", run.stdout);
        assert_eq!(run.stderr, "");
    }
    let version = cluster.run(&["--version"]);
    assert_eq!(
        version.exits(0).stdout,
        format!("petanotify {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn check_json_is_the_documents_of_the_contract() {
    let cluster = osd_down();
    cluster.ceph.capacity(status_used(61.0));
    cluster.consul.fault(MEMBERS, crate::consul::Fault::Close);
    let before = Timestamp::now();
    let run = cluster.run(&["check", "--json"]);
    run.exits(1);
    let document = run.json();
    has_keys(
        &document,
        &[
            "version",
            "dry_run",
            "started",
            "duration_ms",
            "checks",
            "alerts",
            "mail",
        ],
    );
    assert_eq!(
        (&document["version"], &document["dry_run"]),
        (&json!(1), &json!(false))
    );
    assert!(is_utc(&document["started"]).as_second() >= before.as_second());
    assert!(document["duration_ms"].is_u64());
    let checks = document["checks"].as_array().unwrap();
    let mut states: Vec<(&str, &str)> = checks
        .iter()
        .map(|check| {
            (
                check["name"].as_str().unwrap(),
                check["state"].as_str().unwrap(),
            )
        })
        .collect();
    states.sort_unstable();
    assert_eq!(
        states,
        [
            ("capacity", "alert"),
            ("nodes", "unknown"),
            ("osds", "alert")
        ]
    );
    for check in checks {
        has_keys(check, &["name", "state", "summary", "error"]);
        assert!(!check["summary"].as_str().unwrap().is_empty());
        assert_eq!(
            check["error"].is_string(),
            check["state"] == "unknown",
            "{check}"
        );
    }
    let alerts = document["alerts"].as_array().unwrap();
    assert_eq!(alerts.len(), 2);
    for alert in alerts {
        has_keys(alert, &["check", "kind", "subject", "recipients"]);
        assert_eq!(
            (&alert["kind"], &alert["recipients"]),
            (&json!("raised"), &json!(["ops@example.org"]))
        );
    }
    assert_eq!(
        document["mail"],
        json!({"sent": 2, "queued": 0, "dropped": 0})
    );
}

#[test]
fn queue_list_json_is_the_document_of_the_contract() {
    let cluster = osd_down();
    let empty = cluster.run(&["queue", "list", "--json"]);
    assert_eq!(empty.exits(0).json(), json!({"version": 1, "messages": []}));
    cluster
        .relay
        .refuse("ops@example.org", "550 5.1.1 no such user");
    cluster.check().exits(1);
    let run = cluster.run(&["queue", "list", "--json"]);
    let document = run.exits(0).json();
    has_keys(&document, &["version", "messages"]);
    let message = &document["messages"][0];
    has_keys(
        message,
        &[
            "id",
            "check",
            "kind",
            "raised",
            "to",
            "subject",
            "attempts",
            "last_attempt",
            "next_attempt",
            "last_error",
        ],
    );
    assert!(!message["id"].as_str().unwrap().is_empty());
    assert_eq!(
        (&message["check"], &message["kind"]),
        (&json!("osds"), &json!("raised"))
    );
    assert_eq!(
        (&message["to"], &message["attempts"]),
        (&json!("ops@example.org"), &json!(1))
    );
    assert_eq!(message["subject"], "[prod] 1 OSD down on node2: osd.1");
    for time in ["raised", "last_attempt", "next_attempt"] {
        is_utc(&message[time]);
    }
    assert!(
        message["last_error"]
            .as_str()
            .unwrap()
            .contains("550 5.1.1 no such user")
    );
}

#[test]
fn queue_list_fits_80_columns() {
    let mut cluster = osd_down();
    let long = format!("{}@{}.example.org", "a".repeat(60), "b".repeat(50));
    cluster.recipients(&["ops@example.org", &long]);
    cluster.relay.fault(
        Stage::Mail,
        says(&format!(
            "451 4.7.1 {}",
            "please come back later ".repeat(20)
        )),
    );
    cluster.check().exits(1);
    let run = cluster.run(&["queue", "list"]);
    run.exits(0);
    for line in run.stdout.lines() {
        assert!(
            line.chars().count() <= 80,
            "{} columns: {line}",
            line.chars().count()
        );
    }
    for part in ["ops@example.org", "451 4.7.1", "1 OSD down"] {
        assert!(run.stdout.contains(part), "no {part} in\n{}", run.stdout);
    }
    assert!(!run.stdout.contains('\u{1b}'), "no colours in a pipe");
    let coloured = cluster.run(&["--color", "always", "queue", "list"]);
    assert!(coloured.exits(0).stdout.contains('\u{1b}'));
    let never = cluster.run(&["--color=never", "queue", "list"]);
    assert!(!never.exits(0).stdout.contains('\u{1b}'));
}

#[test]
fn status_tells_what_is_wrong_from_the_state_alone() {
    let mut cluster = osd_down();
    let before = cluster.run(&["status"]);
    assert!(
        !before.exits(0).stdout.is_empty(),
        "says that there has been no pass yet"
    );
    cluster
        .relay
        .refuse("ops@example.org", "451 4.7.1 come back later");
    cluster.check().exits(1);
    let (calls, requests) = (cluster.ceph.calls().len(), cluster.consul.requests().len());
    let run = cluster.run(&["status"]);
    assert!(run.stdout.is_ascii(), "{}", run.stdout);
    for part in [
        "1 OSD down",
        "osd.1",
        "node2",
        "1 mail",
        "all 5 nodes are up",
    ] {
        assert!(
            run.exits(0).stdout.contains(part),
            "no {part} in\n{}",
            run.stdout
        );
    }
    let document = cluster.run(&["status", "--json"]).exits(0).json();
    assert_eq!(document["version"], 1);
    assert!(document.to_string().contains("osd"), "{document}");
    let capacity = &document["capacity"];
    let keys = [
        "level",
        "percent",
        "used_bytes",
        "total_bytes",
        "warn_percent",
        "critical_percent",
    ];
    has_keys(capacity, &keys);
    assert_eq!(
        (&capacity["level"], &capacity["warn_percent"]),
        (&json!("ok"), &json!(60.0))
    );
    assert_eq!(
        (cluster.ceph.calls().len(), cluster.consul.requests().len()),
        (calls, requests),
        "no cluster call"
    );

    cluster.set("consul.address", "\"http://127.0.0.1:1\"");
    cluster.run(&["status"]).exits(0);
}

#[test]
fn a_dry_run_tells_what_would_be_mailed_and_changes_nothing() {
    let cluster = osd_down();
    let run = cluster.run(&["check", "--dry-run"]);
    for part in ["ops@example.org", "[prod] 1 OSD down on node2: osd.1"] {
        assert!(
            run.exits(0).stdout.contains(part),
            "no {part} in\n{}",
            run.stdout
        );
    }
    let document = cluster
        .run(&["check", "--dry-run", "--json"])
        .exits(0)
        .json();
    assert_eq!(document["dry_run"], true);
    assert_eq!(
        document["alerts"][0]["recipients"],
        json!(["ops@example.org"])
    );
    assert_eq!(document["mail"]["sent"], 0);
    assert!(
        cluster.state_names().is_empty(),
        "{:?}",
        cluster.state_names()
    );
    assert!(cluster.relay.connections().is_empty());
    assert_eq!(
        cluster.pass(0).len(),
        1,
        "the pass proper still has it all to tell"
    );

    cluster.ceph.situation("18.2.7", "two-osds-down");
    let before = cluster.all_state();
    let document = cluster
        .run(&["check", "--dry-run", "--json"])
        .exits(0)
        .json();
    assert_eq!(document["alerts"][0]["kind"], "updated");
    assert_eq!(cluster.all_state(), before);
}

#[test]
fn a_dry_run_works_while_a_pass_is_running() {
    let cluster = osd_down();
    cluster.check().exits(0);
    cluster.relay.take_mails();
    cluster.ceph.does(
        Question::Status,
        &Behaviour::Wait(recorded("18.2.7/status.healthy")),
    );
    let pass = cluster.start(&["check"]);
    cluster.consul.wait_for_request(MEMBERS);
    let mut dry = cluster.start(&["check", "--dry-run", "--json"]);
    assert!(dry.is_running());
    cluster.ceph.release();
    assert_eq!(dry.wait().exits(0).json()["dry_run"], true);
    pass.wait().exits(0);
}

#[test]
fn a_dry_run_still_says_what_it_could_not_see() {
    let cluster = osd_down();
    cluster.ceph.fails(1, "timed out");
    let run = cluster.run(&["check", "--dry-run", "--json"]);
    run.exits(1).says(&["timed out"]);
}

#[test]
fn without_a_terminal_a_pass_prints_nothing_on_stdout() {
    let cluster = osd_down();
    assert_eq!(cluster.check().exits(0).stdout, "");
}

#[test]
fn how_much_is_said_can_be_chosen() {
    let cluster = Cluster::new();
    cluster.check().exits(0).is_silent();
    let info = cluster.run(&["-v", "check"]);
    info.exits(0).says(&["ceph", "ms"]);
    let debug = cluster.run(&["-vv", "check"]);
    assert!(debug.exits(0).stderr.lines().count() >= info.stderr.lines().count());
    for line in info.stderr.lines().chain(debug.stderr.lines()) {
        assert!(line.starts_with("petanotify: "), "{line}");
    }
    cluster.ceph.situation("18.2.7", "one-osd-down");
    cluster.run(&["-q", "check"]).exits(0).is_silent();
    cluster.ceph.fails(1, "timed out");
    cluster
        .run(&["-q", "check"])
        .exits(1)
        .says(&["petanotify: error: ", "timed out"]);
}

#[test]
fn under_systemd_lines_carry_priorities() {
    let cluster = Cluster::new();
    cluster.ceph.fails(1, "timed out");
    let (mut reader, writer) = pipe().unwrap();
    let metadata = File::from(OwnedFd::from(writer.try_clone().unwrap()))
        .metadata()
        .unwrap();
    for (stream, is_journal) in [
        (format!("{}:{}", metadata.dev(), metadata.ino()), true),
        ("1:1".to_owned(), false),
        ("nonsense".to_owned(), false),
    ] {
        let mut command = cluster.command(&["-v", "check"]);
        command
            .env("JOURNAL_STREAM", &stream)
            .stdout(Stdio::null())
            .stderr(writer.try_clone().unwrap());
        Cluster::spawn(command).wait().exits(1);
        let mut said = vec![0; 1 << 16];
        let count = reader.read(&mut said).unwrap();
        let said = String::from_utf8(said[..count].to_vec()).unwrap();
        for line in said.lines() {
            let is_prefixed = ["<3>", "<4>", "<5>", "<6>", "<7>"]
                .iter()
                .any(|prefix| line.starts_with(prefix));
            assert_eq!(is_prefixed, is_journal, "{stream}: {line}");
            assert!(is_prefixed || line.starts_with("petanotify: "), "{line}");
        }
        if is_journal {
            assert!(
                said.lines()
                    .any(|line| line.starts_with("<3>") && line.contains("timed out")),
                "{said}"
            );
            assert!(said.lines().any(|line| line.starts_with("<6>")), "{said}");
        }
    }
}

#[test]
fn a_broken_pipe_is_no_error() {
    let mut cluster = osd_down();
    let addresses: Vec<String> = (0..400)
        .map(|number| format!("recipient-{number}@example.org"))
        .collect();
    cluster.recipients(&addresses.iter().map(String::as_str).collect::<Vec<_>>());
    cluster.set("smtp.port", "1");
    cluster.check().exits(1);
    for arguments in [
        &["queue", "list"][..],
        &["queue", "list", "--json"],
        &["status"],
        &["config", "show"],
        &["--help"],
    ] {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let mut command = cluster.command(arguments);
        command.stdout(writer).stderr(Stdio::piped());
        let run = Cluster::spawn(command).wait();
        assert_eq!(
            (run.code, run.stderr.as_str()),
            (Some(0), ""),
            "{arguments:?}"
        );
    }
    for arguments in [&["check"][..], &["-vv", "check"]] {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let mut command = cluster.command(arguments);
        command.stdout(Stdio::null()).stderr(writer);
        assert_eq!(
            Cluster::spawn(command).wait().code,
            Some(1),
            "{arguments:?}: nobody reads, the pass goes on"
        );
    }
}

/// Where the settings of this run come from, by key.
fn shown(cluster: &Cluster, arguments: &[&str]) -> Value {
    let mut all = arguments.to_vec();
    all.extend(["config", "show", "--json"]);
    cluster.run(&all).exits(0).json()
}

/// One setting of the document of `config show --json`.
fn setting<'a>(document: &'a Value, key: &str) -> &'a Value {
    let settings = document["settings"].as_array().unwrap();
    let found = settings.iter().find(|setting| setting["key"] == key);
    found.unwrap_or_else(|| panic!("no {key} in {document}"))
}

/// Writes a configuration that can be told by its cluster's name.
fn named(path: &Path, name: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("[cluster]\nname = \"{name}\"\n[smtp]\nhost = \"h\"\nfrom = \"a@b.example\"\n[[recipient]]\naddress = \"a@b.example\"\n"))
        .unwrap();
}

#[test]
fn the_configuration_is_looked_for_in_order() {
    let mut cluster = Cluster::new();
    cluster.without_flags();
    let folder = cluster.folder().to_owned();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let etc = Path::new("/etc/petanotify/petanotify.toml").exists();
    let name = |cluster: &Cluster, arguments: &[&str]| {
        setting(&shown(cluster, arguments), "cluster.name")["value"].clone()
    };
    fs::remove_file(cluster.config_file()).unwrap();
    if !etc {
        assert_eq!(name(&cluster, &[]), Value::Null, "none of them is needed");
        named(
            &folder.join("home/.config/petanotify/petanotify.toml"),
            "home",
        );
        assert_eq!(name(&cluster, &[]), "\"home\"");
        named(&folder.join("xdg/petanotify/petanotify.toml"), "xdg");
        cluster.env("XDG_CONFIG_HOME", &path("xdg"));
        assert_eq!(name(&cluster, &[]), "\"xdg\"");
    }
    named(&folder.join("systemd/petanotify.toml"), "systemd");
    cluster.env("CONFIGURATION_DIRECTORY", &path("systemd"));
    assert_eq!(name(&cluster, &[]), "\"systemd\"");
    named(&folder.join("env.toml"), "env");
    cluster.env("PETANOTIFY_CONFIG", &path("env.toml"));
    assert_eq!(name(&cluster, &[]), "\"env\"");
    named(&folder.join("flag.toml"), "flag");
    assert_eq!(
        name(&cluster, &["--config", &path("flag.toml")]),
        "\"flag\""
    );
}

#[test]
fn the_state_lies_where_the_first_of_these_says() {
    let mut cluster = Cluster::new();
    cluster.as_nobody();
    for name in ["home", "state", "systemd", "xdg", "env", "file", "flag"] {
        let path = cluster.folder().join(name);
        fs::create_dir_all(&path).unwrap();
        if rustix::process::geteuid().is_root() {
            chown(&path, Some(65534), Some(65534)).unwrap();
        }
    }
    cluster.without_flags();
    let folder = cluster.folder().to_owned();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    cluster.env("PETANOTIFY_CONFIG", &path("petanotify.toml"));
    let goes_to = |cluster: &Cluster, arguments: &[&str], expected: &str| {
        let mut all = arguments.to_vec();
        all.push("check");
        cluster.run(&all).exits(0);
        let file = folder.join(expected);
        assert!(file.exists(), "no {}", file.display());
        assert_eq!(
            setting(&shown(cluster, arguments), "state.file")["value"],
            format!("\"{}\"", file.display())
        );
        fs::remove_file(&file).unwrap();
    };
    goes_to(&cluster, &[], "home/.local/state/petanotify/state.json");
    cluster.env("XDG_STATE_HOME", &path("xdg"));
    goes_to(&cluster, &[], "xdg/petanotify/state.json");
    cluster.env("STATE_DIRECTORY", &path("systemd"));
    goes_to(&cluster, &[], "systemd/state.json");
    cluster.set("state.file", &format!("\"{}\"", path("file/of-file.json")));
    goes_to(&cluster, &[], "file/of-file.json");
    cluster.env("PETANOTIFY_STATE", &path("env/of-env.json"));
    goes_to(&cluster, &[], "env/of-env.json");
    goes_to(
        &cluster,
        &["--state", &path("flag/of-flag.json")],
        "flag/of-flag.json",
    );
}

#[test]
fn consuls_own_variables_count_but_less_than_the_file() {
    let mut cluster = Cluster::new();
    cluster.consul.require_token("t0ken");
    let file = cluster.file("token", "t0ken\n", 0o600);
    let address = cluster.consul.address();
    cluster.unset("consul.address");

    cluster.env("CONSUL_HTTP_ADDR", &address);
    cluster.env("CONSUL_HTTP_TOKEN", "t0ken");
    cluster.check().exits(0).is_silent();
    cluster.env("CONSUL_HTTP_ADDR", &format!("http://{address}"));
    cluster.env("CONSUL_HTTP_TOKEN", "");
    cluster.env("CONSUL_HTTP_TOKEN_FILE", file.to_str().unwrap());
    cluster.check().exits(0).is_silent();

    cluster.env("CONSUL_HTTP_ADDR", "127.0.0.1:1");
    cluster.env("CONSUL_HTTP_TOKEN_FILE", "/nowhere");
    cluster.env("CONSUL_HTTP_TOKEN", "wrong");
    cluster.set("consul.address", &format!("\"http://{address}\""));
    cluster.set("consul.token_file", &format!("\"{}\"", file.display()));
    cluster.check().exits(0).is_silent();

    let run = cluster.run(&["config", "show"]);
    assert!(
        !run.exits(0).stdout.contains("t0ken\n") && !run.stdout.contains("wrong"),
        "{}",
        run.stdout
    );
}

#[test]
fn consul_is_spoken_to_over_tls_with_a_client_certificate() {
    let servers = Authority::new("servers");
    let clients = Authority::new("clients");
    let config = servers
        .issue(&["127.0.0.1"])
        .server_for_clients_of(&clients);
    let mut cluster = Cluster::with_consul(Consul::start_tls(config));
    cluster.consul.five_nodes();
    let client = clients.issue_client("petanotify");
    let ca = cluster.file("consul-ca.pem", &servers.pem(), 0o644);
    let certificate = cluster.file("client.pem", client.certificate_pem(), 0o644);
    let key = cluster.file("client.key", &client.key_pem(), 0o600);
    cluster.unset("consul.address");
    let address = format!("https://{}", cluster.consul.address());
    cluster.env("CONSUL_HTTP_ADDR", &address);
    cluster.check().exits(1).says(&["nodes", "certificate"]);
    cluster.env("CONSUL_CACERT", ca.to_str().unwrap());
    cluster.check().exits(1).says(&["nodes", "certificate"]);
    cluster.env("CONSUL_CLIENT_CERT", certificate.to_str().unwrap());
    cluster.env("CONSUL_CLIENT_KEY", key.to_str().unwrap());
    cluster.check().exits(0).is_silent();
}

#[test]
fn config_show_tells_origins_and_masks_secrets() {
    let mut cluster = Cluster::new();
    let secret = cluster.file("password", "correct horse\n", 0o600);
    cluster.set("smtp.username", "\"storage\"");
    cluster.set("smtp.security", "\"starttls\"");
    cluster.set("smtp.password_file", &format!("\"{}\"", secret.display()));
    cluster.env("CONSUL_HTTP_TOKEN", "t0ken-of-the-day");
    let document = shown(&cluster, &[]);
    assert_eq!(document["version"], 1);
    let origin = |key: &str| setting(&document, key)["origin"].to_string();
    assert!(
        origin("cluster.name").contains("line"),
        "{}",
        origin("cluster.name")
    );
    assert!(origin("smtp.max_attempts").contains("default"));
    assert!(origin("consul.token_file").contains("CONSUL_HTTP_TOKEN"));
    let text = cluster.run(&["config", "show"]);
    for part in ["smtp.username", "storage", "default", "line"] {
        assert!(
            text.exits(0).stdout.contains(part),
            "no {part} in\n{}",
            text.stdout
        );
    }
    for secret in ["correct horse", "t0ken-of-the-day"] {
        assert!(!text.stdout.contains(secret) && !document.to_string().contains(secret));
    }
}

#[test]
fn systemds_credential_is_the_password() {
    let mut cluster = osd_down();
    cluster.relay.require_login("storage", "correct horse");
    fs::create_dir(cluster.folder().join("credentials")).unwrap();
    let credential = cluster.file("credentials/smtp-password", "correct horse\n", 0o400);
    cluster.env(
        "CREDENTIALS_DIRECTORY",
        credential.parent().unwrap().to_str().unwrap(),
    );
    cluster.set("smtp.username", "\"storage\"");
    cluster.set("smtp.allow_plain_login", "true");
    assert_eq!(cluster.pass(0).len(), 1);
    assert_eq!(
        cluster.relay.connections()[0].login.as_deref(),
        Some("storage")
    );
}

#[test]
fn paths_in_the_file_are_relative_to_it() {
    let mut cluster = osd_down();
    cluster.relay.require_login("storage", "correct horse");
    let folder = cluster.folder().join("sub");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    cluster.file("password", "correct horse\n", 0o600);
    cluster.set("smtp.username", "\"storage\"");
    cluster.set("smtp.allow_plain_login", "true");
    cluster.set("smtp.password_file", "\"password\"");
    let mut command = cluster.command(&["check"]);
    command
        .current_dir(&folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Cluster::spawn(command).wait().exits(0);
    assert_eq!(cluster.relay.mails().len(), 1);
}
