//! On a PetaSAN node an empty configuration is complete: mail server and recipients come from PetaSAN's settings.

use std::fs;

use serde_json::{Value, json};

use crate::certificates::Authority;
use crate::cluster::{Cluster, mode};
use crate::consul::Fault;
use crate::relay::{Mail, Tls};

const PASSWORD: &str = "pa55-of-petasan";

/// PetaSAN's mail settings for the cluster's relay.
fn mail_settings(cluster: &Cluster, security: &Value) -> Value {
    json!({
        "email_notify_smtp_server": "127.0.0.1",
        "email_notify_smtp_port": cluster.relay.port().to_string(),
        "email_notify_smtp_email": "petasan@example.org",
        "email_notify_smtp_password": PASSWORD,
        "email_notify_smtp_security": security,
        "storage_engine": "bluestore",
    })
}

/// A PetaSAN cluster with one follower and an OSD that has just failed; its mail server wants neither TLS nor login.
fn petasan() -> Cluster {
    let cluster = Cluster::petasan();
    let settings = mail_settings(&cluster, &json!(4));
    cluster.consul.put("PetaSAN/Config", &settings);
    cluster.consul.put_user("admin", "admin@example.org", true);
    cluster.ceph.situation("18.2.7", "one-osd-down");
    cluster
}

/// Lets the relay speak TLS and want PetaSAN's login, and lets petanotify trust it through the system's store.
fn secured(cluster: &mut Cluster, implicit: bool) {
    let authority = Authority::new("an authority that the system trusts");
    let config = authority.issue(&["127.0.0.1"]).server();
    cluster.relay.speak(if implicit {
        Tls::Implicit(config)
    } else {
        Tls::Upgrade {
            config,
            offered: true,
        }
    });
    cluster.relay.require_login("petasan@example.org", PASSWORD);
    let store = cluster.file("store.pem", &authority.pem(), 0o644);
    cluster.env("SSL_CERT_FILE", store.to_str().unwrap());
}

fn recipients_of(mails: &[Mail]) -> Vec<String> {
    let mut recipients: Vec<String> = mails.iter().flat_map(|mail| mail.to.clone()).collect();
    recipients.sort();
    recipients
}

#[test]
fn an_empty_configuration_is_complete() {
    let mut cluster = petasan();
    cluster.write_config("");
    let mails = cluster.pass(0);
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, ["admin@example.org"]);
    assert_eq!(mails[0].from, "petasan@example.org");
    assert_eq!(mails[0].subject(), "[petasan] 1 OSD down on node2: osd.1");

    // And so is none at all.
    cluster.without_flags();
    let state = cluster.folder().join("elsewhere.json");
    cluster.env("PETANOTIFY_STATE", state.to_str().unwrap());
    if !std::path::Path::new("/etc/petanotify/petanotify.toml").exists() {
        assert_eq!(cluster.pass(0).len(), 1);
    }
}

#[test]
fn every_kind_of_security_is_understood_as_number_and_as_text() {
    for security in [json!(1), json!("1")] {
        let mut cluster = petasan();
        secured(&mut cluster, true);
        cluster
            .consul
            .put("PetaSAN/Config", &mail_settings(&cluster, &security));
        assert_eq!(cluster.pass(0).len(), 1, "implicit TLS, {security}");
        assert!(cluster.relay.connections()[0].secured);
        assert_eq!(
            cluster.relay.connections()[0].login.as_deref(),
            Some("petasan@example.org")
        );
    }
    for security in [json!(2), json!("2")] {
        let mut cluster = petasan();
        secured(&mut cluster, false);
        cluster
            .consul
            .put("PetaSAN/Config", &mail_settings(&cluster, &security));
        assert_eq!(cluster.pass(0).len(), 1, "STARTTLS, {security}");
        assert!(cluster.relay.connections()[0].secured);
        assert_eq!(
            cluster.relay.connections()[0].login.as_deref(),
            Some("petasan@example.org")
        );
    }
    for security in [json!(4), json!("4")] {
        let cluster = petasan();
        cluster
            .consul
            .put("PetaSAN/Config", &mail_settings(&cluster, &security));
        assert_eq!(cluster.pass(0).len(), 1, "neither, {security}");
        let connection = &cluster.relay.connections()[0];
        assert!(
            !connection.secured && connection.login.is_none(),
            "{connection:?}"
        );
    }
}

#[test]
fn a_login_without_tls_that_was_chosen_in_petasan_is_carried_out_with_a_warning() {
    for security in [json!(3), json!("3")] {
        let cluster = petasan();
        cluster.relay.require_login("petasan@example.org", PASSWORD);
        cluster
            .consul
            .put("PetaSAN/Config", &mail_settings(&cluster, &security));
        let run = cluster.check();
        run.exits(0).says(&["warning", "without TLS"]);
        assert_eq!(cluster.relay.mails().len(), 1);
        let connection = &cluster.relay.connections()[0];
        assert_eq!(
            (connection.secured, connection.login.as_deref()),
            (false, Some("petasan@example.org"))
        );
    }
}

#[test]
fn other_mail_settings_of_the_file_apply_on_top() {
    let mut cluster = petasan();
    secured(&mut cluster, false);
    cluster.env("SSL_CERT_FILE", "/dev/null");
    cluster
        .consul
        .put("PetaSAN/Config", &mail_settings(&cluster, &json!(2)));
    cluster.check().exits(1).says(&["certificate"]);
    let store = cluster.folder().join("store.pem");
    cluster.set("smtp.ca_file", &format!("\"{}\"", store.display()));
    assert_eq!(cluster.pass(0).len(), 1);
}

#[test]
fn a_mail_server_in_the_file_is_taken_whole_in_place_of_petasans() {
    let mut cluster = petasan();
    let other = crate::relay::Relay::start();
    cluster.set("smtp.host", "\"127.0.0.1\"");
    cluster.set("smtp.port", &other.port().to_string());
    cluster.set("smtp.security", "\"none\"");
    cluster.set("smtp.from", "\"file@example.org\"");
    cluster.check().exits(0);
    assert!(cluster.relay.mails().is_empty());
    let mails = other.mails();
    assert_eq!(
        (mails[0].from.as_str(), &mails[0].to[..]),
        ("file@example.org", &["admin@example.org".to_owned()][..])
    );
}

#[test]
fn recipients_in_the_file_take_the_followers_place() {
    let mut cluster = petasan();
    cluster.recipients(&["file@example.org"]);
    assert_eq!(recipients_of(&cluster.pass(0)), ["file@example.org"]);
}

#[test]
fn followers_are_those_who_want_it_and_have_an_address() {
    let cluster = petasan();
    cluster
        .consul
        .put_user("second", "second@example.org", true);
    cluster
        .consul
        .put_user("silent", "silent@example.org", false);
    cluster.consul.put_user("homeless", "", true);
    cluster.consul.put(
        "PetaSAN/Users/old",
        &json!({"name": "old", "user_name": "old", "email": "old@example.org"}),
    );
    cluster.consul.put(
        "PetaSAN/Users/nomail",
        &json!({"name": "nomail", "notfiy": true}),
    );
    assert_eq!(
        recipients_of(&cluster.pass(0)),
        ["admin@example.org", "second@example.org"]
    );
}

#[test]
fn a_follower_whose_address_is_none_holds_up_nobody() {
    for address in [
        "not an address",
        "a@b@c",
        "x@example.org\r\nBcc: evil@example.org",
        "<>",
    ] {
        let cluster = petasan();
        cluster.consul.put_user("broken", address, true);
        let run = cluster.check();
        run.says(&["broken"]);
        assert_eq!(
            recipients_of(&cluster.relay.take_mails()),
            ["admin@example.org"],
            "{address:?}"
        );
    }
}

#[test]
fn a_user_that_cannot_be_read_holds_up_nobody() {
    for broken in ["%%%", "bm90IEpTT04="] {
        let cluster = petasan();
        cluster.consul.put_base64("PetaSAN/Users/broken", broken);
        let run = cluster.check();
        run.says(&["PetaSAN/Users/broken"]);
        assert_eq!(
            recipients_of(&cluster.relay.take_mails()),
            ["admin@example.org"]
        );
    }
}

#[test]
fn nobody_follows_so_alerts_wait() {
    let cluster = petasan();
    cluster.consul.put_user("admin", "admin@example.org", false);
    cluster.check().exits(1).says(&["recipient"]);
    assert_eq!(cluster.queue().len(), 1);
    cluster.consul.put_user("admin", "admin@example.org", true);
    assert_eq!(recipients_of(&cluster.pass(0)), ["admin@example.org"]);
}

#[test]
fn mail_that_is_not_set_up_is_said_and_alerts_wait() {
    let empty = json!({"email_notify_smtp_server": "", "email_notify_smtp_email": "", "email_notify_smtp_port": "",
        "email_notify_smtp_password": "", "email_notify_smtp_security": 1});
    for settings in [
        None,
        Some(json!({"storage_engine": "bluestore"})),
        Some(empty),
    ] {
        let cluster = petasan();
        match &settings {
            None => cluster.consul.delete("PetaSAN/Config"),
            Some(settings) => cluster.consul.put("PetaSAN/Config", settings),
        }
        cluster.check().exits(1).says(&["smtp"]);
        let waiting = cluster.queue();
        assert_eq!(waiting.len(), 1, "{settings:?}");
        assert_eq!(waiting[0]["to"], "admin@example.org");
        cluster
            .consul
            .put("PetaSAN/Config", &mail_settings(&cluster, &json!(4)));
        assert_eq!(cluster.pass(0).len(), 1);
    }
}

#[test]
fn ports_come_as_text_number_or_not_at_all() {
    let cluster = petasan();
    let mut settings = mail_settings(&cluster, &json!(4));
    settings["email_notify_smtp_port"] = json!(cluster.relay.port());
    cluster.consul.put("PetaSAN/Config", &settings);
    assert_eq!(cluster.pass(0).len(), 1, "a number");

    for port in [json!(""), json!(null), Value::Null] {
        let cluster = petasan();
        let mut settings = mail_settings(&cluster, &json!(2));
        settings["email_notify_smtp_port"] = port.clone();
        settings["email_notify_smtp_server"] = json!("127.0.0.255");
        cluster.consul.put("PetaSAN/Config", &settings);
        let run = cluster.run(&["config", "show", "--json"]);
        assert!(
            run.exits(0).stdout.contains("587"),
            "{port}: the default for STARTTLS\n{}",
            run.stdout
        );
    }
}

#[test]
fn the_last_good_import_serves_while_consul_is_away() {
    let cluster = petasan();
    cluster.ceph.healthy();
    cluster.check().exits(0);
    let cache = cluster.state_folder().join("petasan-import.json");
    assert_eq!(mode(&cache), 0o600);
    cluster.ceph.situation("18.2.7", "one-osd-down");
    for fault in [
        Fault::Close,
        Fault::Status(500, "No cluster leader".to_owned()),
        Fault::Status(403, "Permission denied".to_owned()),
    ] {
        cluster.consul.fault_everywhere(&fault);
        let run = cluster.check();
        run.exits(1).says(&["warning", "PetaSAN"]);
    }
    assert_eq!(
        recipients_of(&cluster.relay.take_mails()),
        ["admin@example.org"]
    );
}

#[test]
fn without_a_leader_the_import_is_read_stale_too() {
    let cluster = petasan();
    cluster.consul.lose_leader();
    let run = cluster.check();
    run.exits(0).says(&["leader"]);
    assert_eq!(
        recipients_of(&cluster.relay.take_mails()),
        ["admin@example.org"]
    );
}

#[test]
fn a_follower_who_is_deleted_while_consul_answers_is_gone_at_once() {
    let cluster = petasan();
    cluster
        .consul
        .put_user("second", "second@example.org", true);
    cluster.ceph.healthy();
    cluster.check().exits(0);
    cluster.consul.delete("PetaSAN/Users/second");
    cluster.ceph.situation("18.2.7", "one-osd-down");
    assert_eq!(
        recipients_of(&cluster.pass(0)),
        ["admin@example.org"],
        "no cache stands before an answer"
    );
}

#[test]
fn a_broken_cache_is_no_obstacle() {
    let cluster = petasan();
    let cache = cluster.state_folder().join("petasan-import.json");
    fs::write(&cache, "garbage").unwrap();
    let run = cluster.check();
    run.exits(0).says(&[
        "petasan-import.json is broken",
        "petasan-import.json.broken-20",
    ]);
    assert_eq!(cluster.relay.take_mails().len(), 1);
    assert!(cluster.pass(0).is_empty());
    let text = fs::read_to_string(&cache).unwrap();
    assert!(
        serde_json::from_str::<Value>(&text).is_ok(),
        "replaced by a good one:\n{text}"
    );

    fs::write(&cache, "garbage").unwrap();
    cluster.consul.fault_everywhere(&Fault::Close);
    cluster.ceph.situation("18.2.7", "two-osds-down");
    let run = cluster.check();
    run.exits(1).says(&[
        "petasan-import.json is broken",
        "petasan-import.json.broken-20",
    ]);
    assert_eq!(cluster.queue().len(), 1, "the alert waits");
}

#[test]
fn a_password_does_not_go_to_a_server_whose_name_is_damaged() {
    let cluster = petasan();
    cluster.check().exits(0);
    let cache = cluster.state_folder().join("petasan-import.json");
    let text = fs::read_to_string(&cache).unwrap();
    fs::write(&cache, text.replace("127.0.0.1", "127.0.0.2")).unwrap();
    cluster.consul.fault_everywhere(&Fault::Close);
    let told = ["petasan-import.json", "its checksum is wrong"];
    cluster.run(&["check", "--dry-run"]).exits(1).says(&told);
    assert!(cache.exists(), "who only looks changes nothing");
    cluster.check().exits(1).says(&told);
    assert!(!cache.exists());
    let run = cluster.check();
    assert_eq!(run.exits(1).line_with(&told), None, "it is told once");
}

#[test]
fn a_dry_run_writes_no_cache() {
    let cluster = petasan();
    let run = cluster.run(&["check", "--dry-run", "--json"]);
    assert_eq!(
        run.exits(0).json()["alerts"][0]["recipients"],
        json!(["admin@example.org"])
    );
    assert!(
        cluster.state_names().is_empty(),
        "{:?}",
        cluster.state_names()
    );
}

#[test]
fn a_sender_that_is_no_address_is_named_and_alerts_wait() {
    let cluster = petasan();
    let mut settings = mail_settings(&cluster, &json!(4));
    settings["email_notify_smtp_email"] = json!("petasan\r\nBcc: evil@example.org");
    cluster.consul.put("PetaSAN/Config", &settings);
    cluster
        .check()
        .exits(1)
        .says(&["sender", "no mail address"]);
    assert_eq!(cluster.queue().len(), 1);
    assert!(cluster.relay.seen().is_empty());
}

#[test]
fn the_password_shows_nowhere() {
    let mut cluster = petasan();
    secured(&mut cluster, false);
    cluster
        .consul
        .put("PetaSAN/Config", &mail_settings(&cluster, &json!(2)));
    let hash = "5f4dcc3b5aa765d61d8327deb882cf99";
    let mut said = String::new();
    for wrong in [false, true] {
        if wrong {
            cluster
                .relay
                .require_login("petasan@example.org", "something else");
            cluster.ceph.situation("18.2.7", "two-osds-down");
        }
        for arguments in [
            &["-vv", "check", "--dry-run"][..],
            &["-vv", "check", "--json"],
            &["-vv", "check"],
            &["-vv", "status", "--json"],
            &["-vv", "queue", "list", "--json"],
            &["-vv", "config", "show"],
            &["-vv", "config", "show", "--json"],
        ] {
            let run = cluster.run(arguments);
            said += &(run.stdout + &run.stderr);
        }
    }
    for secret in [PASSWORD, hash, "cGE1NS1vZi1wZXRhc2Fu"] {
        assert!(!said.contains(secret), "{secret} was said:\n{said}");
        for name in cluster.state_names() {
            let text = fs::read_to_string(cluster.state_folder().join(&name)).unwrap();
            assert!(
                !text.contains(secret) || (name == "petasan-import.json" && secret != hash),
                "{secret} stands in {name}"
            );
        }
    }
}
