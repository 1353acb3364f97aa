//! Mails wait, are tried again and leave: nothing is lost, nothing is sent without need, and nobody holds up another.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::ceph::{status_used, tree};
use crate::certificates::{Authority, Identity};
use crate::cluster::Cluster;
use crate::relay::{Behind, Fault, Mail, Relay, Stage, Tls, says};

const SUBJECT: &str = "[prod] 1 OSD down on node2: osd.1";

/// A cluster in which one OSD has just failed.
fn osd_down() -> Cluster {
    let cluster = Cluster::new();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    cluster
}

#[track_caller]
fn attempts(cluster: &Cluster) -> Vec<u64> {
    cluster
        .queue()
        .iter()
        .map(|message| message["attempts"].as_u64().unwrap())
        .collect()
}

fn recipients_of(mails: &[Mail]) -> Vec<String> {
    let mut recipients: Vec<String> = mails.iter().flat_map(|mail| mail.to.clone()).collect();
    recipients.sort();
    recipients
}

#[test]
fn mails_are_saved_before_the_first_is_sent() {
    for (stage, fault) in [
        (Stage::Greeting, Fault::Hang),
        (Stage::Data, Fault::Hang),
        (Stage::End, Fault::Hang),
        (Stage::End, Fault::TakeAndHang),
    ] {
        let mut cluster = osd_down();
        cluster.recipients(&["ops@example.org", "night@example.org"]);
        cluster.relay.fault(stage, fault.clone());
        let pass = cluster.start(&["check"]);
        cluster.relay.wait_for(|connections, mails| match stage {
            Stage::Greeting => !connections.is_empty(),
            Stage::Data => connections
                .iter()
                .any(|c| c.commands.iter().any(|line| line == "DATA")),
            _ => !mails.is_empty(),
        });
        let killed = pass.kill();
        assert_eq!(killed.signal, Some(9));
        let waiting = cluster.queue();
        assert_eq!(waiting.len(), 2, "{stage:?} {fault:?}");
        assert!(waiting.iter().all(|message| message["subject"] == SUBJECT));
        let seen = cluster.relay.seen();

        cluster.relay.heal();
        let mails = cluster.pass(0);
        assert_eq!(
            recipients_of(&mails),
            ["night@example.org", "ops@example.org"]
        );
        if let Some(first) = seen.first() {
            let again = mails.iter().find(|mail| mail.to == first.to).unwrap();
            assert_eq!(
                again.raw, first.raw,
                "the same mail to the last byte, Message-ID included"
            );
        }
        assert!(cluster.pass(0).is_empty());
        assert!(cluster.queue().is_empty());
    }
}

#[test]
fn killed_between_two_mails_it_repeats_at_most_the_one_under_way() {
    let mut cluster = osd_down();
    cluster.recipients(&["a@example.org", "b@example.org", "c@example.org"]);
    cluster.relay.fault_after(1, Stage::Rcpt, Fault::Hang);
    let pass = cluster.start(&["check"]);
    cluster.relay.wait_for(|connections, _| {
        connections
            .iter()
            .flat_map(|c| &c.commands)
            .filter(|line| line.starts_with("RCPT"))
            .count()
            == 2
    });
    pass.kill();
    let sent = cluster.relay.take_mails();
    assert_eq!(sent.len(), 1);
    cluster.relay.heal();
    let rest = cluster.pass(0);
    let mut all = recipients_of(&[sent, rest.clone()].concat());
    all.dedup();
    assert_eq!(
        all,
        ["a@example.org", "b@example.org", "c@example.org"],
        "nothing is lost"
    );
    assert_eq!(
        rest.len(),
        2,
        "what has been sent was written down before the next was begun"
    );
}

#[test]
fn all_mails_of_a_pass_go_over_one_connection() {
    let mut cluster = osd_down();
    let addresses: Vec<String> = (0..10)
        .map(|number| format!("r{number}@example.org"))
        .collect();
    cluster.recipients(&addresses.iter().map(String::as_str).collect::<Vec<_>>());
    cluster.ceph.capacity(status_used(61.0));
    let mails = cluster.pass(0);
    assert_eq!(mails.len(), 20);
    assert!(
        mails.iter().all(|mail| mail.to.len() == 1),
        "none sees another's address"
    );
    let connections = cluster.relay.connections();
    assert_eq!(connections.len(), 1);
    assert_eq!(
        connections[0]
            .commands
            .iter()
            .filter(|line| line.starts_with("EHLO"))
            .count(),
        1
    );
    assert_eq!(
        connections[0].commands.last().map(String::as_str),
        Some("QUIT")
    );
}

#[test]
fn a_server_that_limits_mails_per_connection_still_gets_them_all_in_the_end() {
    let mut cluster = osd_down();
    cluster.recipients(&["a@example.org", "b@example.org", "c@example.org"]);
    cluster.relay.allow_per_connection(2);
    let mut mails = Vec::new();
    for _ in 0..3 {
        cluster.check();
        mails.extend(cluster.relay.take_mails());
    }
    assert_eq!(
        recipients_of(&mails),
        ["a@example.org", "b@example.org", "c@example.org"]
    );
    assert!(cluster.queue().is_empty());
}

#[test]
fn a_server_that_is_down_is_asked_once_a_pass_and_gets_each_mail_once_in_the_end() {
    for (stage, fault) in [
        (Stage::Greeting, Fault::Drop),
        (Stage::Greeting, says("421 4.3.2 shutting down")),
        (Stage::Greeting, says("554 5.3.2 no service")),
        (Stage::Ehlo, says("550 5.7.1 go away")),
        (Stage::Mail, says("421 4.3.2 shutting down")),
    ] {
        let mut cluster = osd_down();
        cluster.recipients(&["a@example.org", "b@example.org", "c@example.org"]);
        cluster.relay.fault(stage, fault.clone());
        for pass in 1..=3 {
            assert!(cluster.pass(1).is_empty());
            assert_eq!(
                cluster.relay.connections().len(),
                pass,
                "{stage:?} {fault:?}: one dial a pass"
            );
            assert_eq!(
                attempts(&cluster),
                [pass as u64; 3],
                "{stage:?} {fault:?}: it counts for each mail"
            );
        }
        cluster.relay.heal();
        assert_eq!(
            recipients_of(&cluster.pass(0)),
            ["a@example.org", "b@example.org", "c@example.org"]
        );
        assert!(cluster.pass(0).is_empty());
    }
}

#[test]
fn with_nothing_listening_all_wait_and_leave_once_the_settings_are_mended() {
    let mut cluster = osd_down();
    cluster.recipients(&["a@example.org", "b@example.org"]);
    cluster.set("smtp.port", "1");
    for pass in 1..=3 {
        cluster.check().exits(1);
        assert_eq!(attempts(&cluster), [pass, pass]);
    }
    let waiting = cluster.queue();
    assert!(
        waiting
            .iter()
            .all(|message| message["last_error"].as_str().unwrap().contains("refused"))
    );
    assert!(waiting.iter().all(|message| message["last_attempt"].is_string() && message["next_attempt"].is_null()));
    let port = cluster.relay.port().to_string();
    cluster.set("smtp.port", &port);
    assert_eq!(
        recipients_of(&cluster.pass(0)),
        ["a@example.org", "b@example.org"]
    );
    assert!(cluster.queue().is_empty());
}

#[test]
fn the_settings_of_today_apply_to_the_mails_of_yesterday() {
    let mut cluster = osd_down();
    cluster.relay.fault(Stage::Greeting, Fault::Drop);
    cluster.check().exits(1);
    let other = Relay::start();
    cluster.set("smtp.port", &other.port().to_string());
    cluster.set("smtp.from", "\"new@example.net\"");
    cluster.check().exits(0);
    let mails = other.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].from, "new@example.net");
}

/// A relay with STARTTLS and login, and the settings that go with it.
fn with_login(cluster: &mut Cluster, password: &str) {
    let authority = Authority::new("the mail server's authority");
    let server = authority.issue(&["127.0.0.1"]).server();
    cluster.relay.speak(Tls::Upgrade {
        config: server,
        offered: true,
    });
    cluster.relay.require_login("storage", "correct horse");
    let ca = cluster.file("ca.pem", &authority.pem(), 0o644);
    let secret = cluster.file("password", &format!("{password}\n"), 0o600);
    cluster.set("smtp.security", "\"starttls\"");
    cluster.set("smtp.ca_file", &format!("\"{}\"", ca.display()));
    cluster.set("smtp.username", "\"storage\"");
    cluster.set("smtp.password_file", &format!("\"{}\"", secret.display()));
}

#[test]
fn a_refused_login_is_tried_once_a_pass_and_counts_for_each_mail() {
    let mut cluster = osd_down();
    cluster.recipients(&["a@example.org", "b@example.org", "c@example.org"]);
    with_login(&mut cluster, "wrong");
    for pass in 1..=2 {
        let run = cluster.check();
        run.exits(1);
        let connections = cluster.relay.connections();
        assert_eq!(connections.len(), pass);
        let logins = connections[pass - 1]
            .commands
            .iter()
            .filter(|line| line.starts_with("AUTH"))
            .count();
        assert!(
            (1..=2).contains(&logins),
            "{:?}",
            connections[pass - 1].commands
        );
        assert_eq!(attempts(&cluster), [pass as u64; 3]);
    }
    assert!(
        cluster
            .queue()
            .iter()
            .all(|message| message["next_attempt"].is_null()),
        "it says nothing about a mail"
    );
    cluster.file("password", "correct horse\n", 0o600);
    assert_eq!(cluster.pass(0).len(), 3);
    assert!(cluster.relay.connections().last().unwrap().secured);
}

#[test]
fn login_works_by_either_mechanism_and_over_either_tls() {
    for mechanisms in ["PLAIN", "LOGIN", "PLAIN LOGIN", "CRAM-MD5 LOGIN PLAIN"] {
        for implicit in [false, true] {
            let mut cluster = osd_down();
            with_login(&mut cluster, "correct horse");
            cluster.relay.offer_mechanisms(mechanisms);
            if implicit {
                let authority = Authority::new("another");
                cluster.file("ca.pem", &authority.pem(), 0o644);
                cluster
                    .relay
                    .speak(Tls::Implicit(authority.issue(&["127.0.0.1"]).server()));
                cluster.set("smtp.security", "\"tls\"");
            }
            assert_eq!(cluster.pass(0).len(), 1, "{mechanisms} {implicit}");
            let connection = &cluster.relay.connections()[0];
            assert!(connection.secured);
            assert_eq!(connection.login.as_deref(), Some("storage"));
            assert!(!cluster.all_state().contains("correct horse"));
        }
    }
}

#[test]
fn an_authority_in_the_systems_store_needs_no_ca_file() {
    let mut cluster = osd_down();
    with_login(&mut cluster, "correct horse");
    cluster.unset("smtp.ca_file");
    cluster.check().exits(1).says(&["certificate"]);
    let store = cluster.folder().join("ca.pem");
    cluster.env("SSL_CERT_FILE", store.to_str().unwrap());
    assert_eq!(cluster.pass(0).len(), 1);
}

#[test]
fn starttls_never_falls_back_to_plain_text() {
    let mut cluster = osd_down();
    with_login(&mut cluster, "correct horse");
    let authority = Authority::new("x");
    let config = authority.issue(&["127.0.0.1"]).server();
    cluster.relay.speak(Tls::Upgrade {
        config,
        offered: false,
    });
    cluster.check().exits(1).says(&["STARTTLS"]);
    for connection in cluster.relay.connections() {
        assert!(
            connection
                .commands
                .iter()
                .all(|line| !line.starts_with("AUTH") && !line.starts_with("MAIL"))
        );
    }
    assert_eq!(cluster.queue().len(), 1);
}

#[test]
fn credentials_go_out_in_plain_text_only_when_that_is_allowed() {
    let mut cluster = osd_down();
    with_login(&mut cluster, "correct horse");
    cluster.relay.speak(Tls::None);
    cluster.set("smtp.security", "\"none\"");
    let run = cluster.check();
    assert_ne!(run.code, Some(0), "{}", run.stderr);
    run.says(&["allow_plain_login"]);
    for connection in cluster.relay.connections() {
        assert!(
            connection
                .commands
                .iter()
                .all(|line| !line.starts_with("AUTH")),
            "{:?}",
            connection.commands
        );
    }
    cluster.set("smtp.allow_plain_login", "true");
    assert_eq!(cluster.pass(0).len(), 1);
    assert_eq!(
        cluster.relay.connections().last().unwrap().login.as_deref(),
        Some("storage")
    );
}

#[test]
fn without_verification_every_pass_warns() {
    let mut cluster = osd_down();
    with_login(&mut cluster, "correct horse");
    cluster.relay.speak(Tls::Upgrade {
        config: Identity::self_signed(&["elsewhere"]).server(),
        offered: true,
    });
    cluster.set("smtp.verify", "false");
    for mails in [1, 0] {
        cluster.check().exits(0).says(&["warning", "smtp.verify"]);
        assert_eq!(cluster.relay.take_mails().len(), mails);
    }
}

#[test]
fn a_refused_recipient_holds_up_nobody_and_is_tried_hourly() {
    let mut cluster = osd_down();
    cluster.recipients(&["a@example.org", "gone@example.org", "z@example.org"]);
    cluster
        .relay
        .refuse("gone@example.org", "550 5.1.1 no such user");
    assert_eq!(
        recipients_of(&cluster.pass(1)),
        ["a@example.org", "z@example.org"]
    );
    let waiting = cluster.queue();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0]["to"], "gone@example.org");
    assert!(
        waiting[0]["last_error"]
            .as_str()
            .unwrap()
            .contains("550 5.1.1 no such user"),
        "{}",
        waiting[0]
    );
    let next: jiff::Timestamp = waiting[0]["next_attempt"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let wait = next.as_second() - jiff::Timestamp::now().as_second();
    assert!((3500..=3600).contains(&wait), "{wait} s");

    assert!(cluster.pass(1).is_empty());
    assert_eq!(attempts(&cluster), [1], "not before an hour is over");
    let dials = cluster.relay.connections().len();
    cluster.let_pass(SignedDuration::from_mins(61));
    assert!(cluster.pass(1).is_empty());
    assert_eq!(attempts(&cluster), [2]);
    assert_eq!(cluster.relay.connections().len(), dials + 1);
    cluster.relay.heal();
    assert!(cluster.pass(1).is_empty());
    cluster.let_pass(SignedDuration::from_mins(61));
    assert_eq!(recipients_of(&cluster.pass(0)), ["gone@example.org"]);
}

#[test]
fn a_recipient_who_is_put_off_is_tried_in_the_next_pass() {
    let mut cluster = osd_down();
    cluster.recipients(&["a@example.org", "grey@example.org", "z@example.org"]);
    cluster
        .relay
        .refuse("grey@example.org", "450 4.2.0 greylisted, come back later");
    assert_eq!(
        recipients_of(&cluster.pass(1)),
        ["a@example.org", "z@example.org"]
    );
    let waiting = cluster.queue();
    assert!(
        waiting[0]["last_error"]
            .as_str()
            .unwrap()
            .contains("450 4.2.0 greylisted")
    );
    assert!(waiting[0]["next_attempt"].is_null());
    cluster.relay.heal();
    assert_eq!(recipients_of(&cluster.pass(0)), ["grey@example.org"]);
}

#[test]
fn a_message_that_is_refused_at_its_end_stays_and_the_next_one_is_sent_all_the_same() {
    for (reply, hourly) in [
        ("554 5.6.0 looks like spam", true),
        ("452 4.3.1 disk full", false),
    ] {
        let mut cluster = osd_down();
        cluster.recipients(&["a@example.org", "b@example.org"]);
        cluster.relay.fault(Stage::End, says(reply));
        assert!(cluster.pass(1).is_empty());
        let seen = cluster
            .relay
            .connections()
            .iter()
            .flat_map(|c| c.commands.clone())
            .filter(|c| c == "DATA")
            .count();
        assert_eq!(seen, 2, "{reply}: both were tried");
        let waiting = cluster.queue();
        assert_eq!(waiting.len(), 2);
        for message in waiting {
            assert!(
                message["last_error"].as_str().unwrap().contains(reply),
                "{message}"
            );
            assert_eq!(message["next_attempt"].is_string(), hourly, "{message}");
        }
    }
}

#[test]
fn a_mail_that_was_taken_without_a_word_is_sent_again_under_the_same_id() {
    let cluster = osd_down();
    cluster.relay.fault(Stage::End, Fault::TakeAndDrop);
    let first = cluster.pass(1);
    assert_eq!(cluster.queue().len(), 1);
    cluster.relay.heal();
    let second = cluster.pass(0);
    assert_eq!(second.len(), 1);
    assert_eq!(second[0].id(), first[0].id(), "so that a mailbox can tell");
    assert!(cluster.pass(0).is_empty());
}

#[test]
fn a_server_that_says_no_good_bye_has_taken_the_mail() {
    for fault in [
        says("451 4.3.0 what?"),
        Fault::Drop,
        Fault::Hang,
        Fault::Garbage,
    ] {
        let mut cluster = osd_down();
        cluster.set("smtp.timeout", "\"1s\"");
        cluster.relay.fault(Stage::Quit, fault);
        assert_eq!(cluster.pass(0).len(), 1);
        assert!(cluster.pass(0).is_empty());
    }
}

#[test]
fn failures_are_logged_at_the_first_attempt_and_at_few_others() {
    let cluster = osd_down();
    cluster
        .relay
        .refuse("ops@example.org", "451 4.7.1 come back later");
    cluster
        .check()
        .exits(1)
        .says(&["451 4.7.1 come back later", "ops@example.org"]);
    for (before, is_logged) in [
        (1, false),
        (118, false),
        (119, true),
        (120, false),
        (479, true),
        (959, true),
        (960, false),
    ] {
        cluster.set_attempts(before);
        let run = cluster.check();
        run.exits(1);
        assert_eq!(
            run.line_with(&["attempt", "451 4.7.1 come back later"])
                .is_some(),
            is_logged,
            "attempt {}",
            before + 1
        );
        assert!(
            !run.stderr.is_empty(),
            "exit 1 always has a cause on standard error"
        );
    }
}

#[test]
fn a_mail_is_dropped_with_an_error_after_the_last_attempt() {
    let mut cluster = osd_down();
    cluster.set("smtp.max_attempts", "3");
    cluster
        .relay
        .refuse("ops@example.org", "451 4.7.1 come back later");
    cluster.check().exits(1);
    cluster.check().exits(1);
    let run = cluster.run(&["check", "--json"]);
    run.says(&["error", "ops@example.org", "451 4.7.1 come back later", "3"]);
    let mail = &run.json()["mail"];
    assert_eq!(
        (&mail["sent"], &mail["queued"], &mail["dropped"]),
        (&0.into(), &0.into(), &1.into()),
        "{mail}"
    );
    assert!(cluster.queue().is_empty());
    cluster.relay.heal();
    assert!(cluster.pass(0).is_empty(), "it is gone");
}

#[test]
fn by_default_a_mail_is_tried_1440_times() {
    let cluster = osd_down();
    cluster
        .relay
        .refuse("ops@example.org", "451 4.7.1 come back later");
    cluster.check().exits(1);
    cluster.set_attempts(1438);
    cluster.check().exits(1);
    assert_eq!(attempts(&cluster), [1439]);
    cluster
        .check()
        .says(&["error", "451 4.7.1 come back later"]);
    assert!(cluster.queue().is_empty());
}

#[test]
fn without_a_mail_server_alerts_wait_and_the_pass_says_what_is_missing() {
    let mut cluster = osd_down();
    cluster.unset_section("smtp");
    cluster.check().exits(1).says(&["smtp"]);
    let waiting = cluster.queue();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0]["to"], "ops@example.org");
    cluster.set("smtp.host", "\"127.0.0.1\"");
    cluster.set("smtp.security", "\"none\"");
    cluster.set("smtp.from", "\"storage@example.org\"");
    let port = cluster.relay.port().to_string();
    cluster.set("smtp.port", &port);
    assert_eq!(recipients_of(&cluster.pass(0)), ["ops@example.org"]);
}

#[test]
fn without_the_password_alerts_wait_and_nothing_is_tried() {
    let mut cluster = osd_down();
    with_login(&mut cluster, "correct horse");
    cluster.unset("smtp.password_file");
    cluster
        .check()
        .exits(1)
        .says(&["warning", "smtp.username", "smtp.password_file"]);
    assert_eq!(attempts(&cluster), [0]);
    assert!(cluster.relay.connections().is_empty());
    let password = cluster.folder().join("password");
    cluster.set("smtp.password_file", &format!("\"{}\"", password.display()));
    assert_eq!(cluster.pass(0).len(), 1);
}

#[test]
fn without_recipients_alerts_wait_for_the_first_one() {
    let mut cluster = osd_down();
    cluster.recipients(&[]);
    cluster.check().exits(1).says(&["recipient"]);
    assert_eq!(cluster.queue().len(), 1);
    cluster.check().exits(1);
    assert_eq!(cluster.queue().len(), 1, "queued once");
    cluster.recipients(&["ops@example.org", "night@example.org"]);
    let mails = cluster.pass(0);
    assert_eq!(
        recipients_of(&mails),
        ["night@example.org", "ops@example.org"]
    );
    assert!(mails.iter().all(|mail| mail.subject() == SUBJECT));
    assert!(cluster.queue().is_empty());
}

#[test]
fn healthy_and_without_recipients_the_pass_is_complete_all_the_same() {
    let mut cluster = Cluster::new();
    cluster.recipients(&[]);
    cluster.unset_section("smtp");
    let run = cluster.check();
    assert!(matches!(run.code, Some(0 | 1)), "{run:?}");
    assert!(run.code == Some(0) || !run.stderr.is_empty());
}

/// The kinds and subjects of what is pending, oldest first.
fn pending(cluster: &Cluster) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let pending = cluster.queue();
    let pending = pending.iter();
    pending
        .map(|mail| (text(&mail["kind"]), text(&mail["subject"])))
        .collect()
}

#[test]
fn a_pending_mail_is_overtaken_so_that_nobody_reads_what_is_no_longer_true() {
    let cluster = osd_down();
    cluster.relay.fault(Stage::Greeting, Fault::Drop);
    cluster.check().exits(1);
    let kind = |kind: &str, subject: &str| (kind.to_owned(), subject.to_owned());
    assert_eq!(pending(&cluster), [kind("raised", SUBJECT)]);
    cluster.ceph.situation("18.2.7", "two-osds-down");
    cluster.check().exits(1);
    let both = "[prod] 2 OSDs down on node1, node2: osd.1, osd.2";
    assert_eq!(pending(&cluster), [kind("raised", both)]);
    cluster.ceph.healthy();
    cluster.check().exits(1);
    let over = pending(&cluster);
    assert_eq!(over.len(), 1);
    assert_eq!(over[0].0, "cleared");
    let subject = &over[0].1;
    assert!(
        subject.starts_with("[prod] 2 OSDs were down on node1, node2: osd.1, osd.2 ("),
        "{subject}"
    );
    cluster.relay.heal();
    let mails = cluster.pass(0);
    assert_eq!(mails.len(), 1);
    assert_eq!(&mails[0].subject(), subject);
    assert!(cluster.queue().is_empty());
}

#[test]
fn what_was_never_told_is_told_even_to_those_who_want_no_recoveries() {
    let mut cluster = osd_down();
    cluster.set("notify.recovery", "false");
    cluster.relay.fault(Stage::Greeting, Fault::Drop);
    cluster.check().exits(1);
    cluster.ceph.healthy();
    cluster.check().exits(1);
    cluster.relay.heal();
    let mails = cluster.pass(0);
    assert_eq!(mails.len(), 1);
    assert!(mails[0].subject().contains("1 OSD was down on node2"));
    cluster.ceph.situation("18.2.7", "one-osd-down");
    assert_eq!(cluster.pass(0).len(), 1);
    cluster.ceph.healthy();
    assert_eq!(cluster.pass(0).len(), 0, "told when it began");
}

#[test]
fn a_mail_that_leaves_late_says_so() {
    let cluster = osd_down();
    cluster.relay.fault(Stage::Greeting, Fault::Drop);
    cluster.check().exits(1);
    cluster.let_pass(SignedDuration::from_mins(3 * 60 + 12));
    cluster.relay.heal();
    let mails = cluster.pass(0);
    assert_eq!(mails.len(), 1);
    assert_eq!(
        mails[0].header("X-Petanotify-Delayed").as_deref(),
        Some("3h12m")
    );
    assert!(mails[0].text().contains("late by 3 h 12 min"));
}

#[test]
fn a_server_that_breaks_off_again_and_again_is_dialled_twice_a_pass_and_no_more() {
    let mut cluster = Cluster::new();
    let addresses: Vec<String> = (0..5).map(|n| format!("admin{n}@example.org")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    cluster.recipients(&addresses);
    cluster.ceph.situation("18.2.7", "one-osd-down");
    cluster.relay.fault(Stage::End, Fault::Drop);
    for pass in 1..=3 {
        cluster.check().exits(1);
        assert_eq!(cluster.relay.connections().len(), 2 * pass, "dials");
        assert_eq!(cluster.queue().len(), 5);
    }
    cluster.relay.heal();
    cluster.pass(0);
    assert!(cluster.queue().is_empty());
}

#[test]
fn a_server_that_cannot_do_the_pipelining_it_offers_gets_all_mails_all_the_same() {
    let mut cluster = osd_down();
    cluster.recipients(&["a@example.org", "b@example.org", "c@example.org"]);
    cluster.set("smtp.timeout", "\"1s\"");
    cluster.relay.lie(Behind::Command, Fault::Forget);
    let run = cluster.run(&["-v", "check"]);
    run.exits(0);
    assert!(run.line_with(&["smtp:", "without pipelining"]).is_some());
    assert_eq!(cluster.relay.mails().len(), 3);
    assert_eq!(cluster.relay.connections().len(), 2);
}

#[test]
fn a_mail_longer_than_the_server_takes_is_refused_without_being_sent() {
    let mut cluster = osd_down();
    cluster.recipients(&["ops@example.org"]);
    cluster.relay.offer_size(500);
    assert!(cluster.pass(1).is_empty());
    assert!(cluster.relay.seen().is_empty());
    let waiting = cluster.queue();
    let error = waiting[0]["last_error"].as_str().unwrap();
    assert!(error.contains("the server takes at most 500"), "{error}");
    assert!(
        cluster.pass(1).is_empty() && attempts(&cluster) == [1],
        "it is tried hourly, like any mail that is refused for good"
    );
    cluster.relay.heal();
    cluster.let_pass(SignedDuration::from_mins(61));
    let mails = cluster.pass(0);
    let connections = cluster.relay.connections();
    let size = format!("SIZE={}", mails[0].raw.len());
    let mail = connections.last().unwrap().commands[1].clone();
    assert!(mail.contains(&size), "{mail}, {size}");
}

/// Six OSDs on each of three hosts, so many of which are down on the first.
fn down_on_node1(cluster: &Cluster, down: u32) {
    let osds: Vec<(u32, &str)> = (0..18)
        .map(|id| (id, if id < down { "down" } else { "up" }))
        .collect();
    let (first, rest) = osds.split_at(6);
    let (second, third) = rest.split_at(6);
    let hosts = [("node1", first), ("node2", second), ("node3", third)];
    cluster.ceph.osds(tree(&hosts));
}

#[test]
fn a_mail_that_leaves_late_tells_what_is_wrong_by_then() {
    let mut cluster = Cluster::new();
    cluster.recipients(&["a@example.org", "b@example.org"]);
    cluster.set("checks.osds.host_grace", "\"off\"");
    cluster.relay.fault(Stage::Greeting, Fault::Drop);
    down_on_node1(&cluster, 6);
    cluster.check().exits(1);
    let ids = || -> Vec<Value> {
        let queue = cluster.queue();
        queue.iter().map(|mail| mail["id"].clone()).collect()
    };
    let before = ids();
    cluster.let_pass(SignedDuration::from_mins(180));
    down_on_node1(&cluster, 2);
    cluster.check().exits(1);
    let by_now = "[prod] 2 OSDs down on node1: osd.0, osd.1";
    let told = ("raised".to_owned(), by_now.to_owned());
    assert_eq!(pending(&cluster), [told.clone(), told]);
    assert_eq!(ids(), before);
    // While nobody can see them, what waits tells how they stood when somebody could.
    cluster.let_pass(SignedDuration::from_mins(30));
    cluster.ceph.fails(1, "no quorum");
    cluster.check().exits(1);
    let state = cluster.state();
    let as_of = &state["queue"][0]["alert"]["circumstances"]["as_of"];
    let as_of: Timestamp = as_of.as_str().unwrap().parse().unwrap();
    assert!(Timestamp::now().duration_since(as_of) > SignedDuration::from_mins(29));

    cluster.relay.heal();
    let cluster = cluster;
    cluster.ceph.healthy();
    down_on_node1(&cluster, 2);
    let mails = cluster.pass(0);
    assert_eq!(recipients_of(&mails), ["a@example.org", "b@example.org"]);
    for mail in &mails {
        assert_eq!(mail.subject(), by_now);
        let delayed = mail.header("X-Petanotify-Delayed");
        assert_eq!(delayed.as_deref(), Some("3h30m"));
        let text = mail.text();
        let text: Vec<&str> = text.split_whitespace().collect();
        let text = text.join(" ");
        for part in [
            "This mail is late by 3 h 30 min: it could not be delivered before. It tells how things stood at 20",
            "2 OSDs of cluster prod are down.",
            "New: osd.0 on node1, since ",
            "(3 h 30 min)",
            "Up again, was down from: osd.2 on node1 ",
            "osd.5 on node1 ",
        ] {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
    }
    assert!(cluster.pass(0).is_empty());
    assert!(cluster.queue().is_empty());
    down_on_node1(&cluster, 0);
    let mails = cluster.pass(0);
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].subject(), "[prod] all OSDs are up again");
}

#[test]
fn a_mail_that_was_brought_up_to_date_is_repeated_under_its_id_and_recorded_once() {
    let cluster = Cluster::new();
    down_on_node1(&cluster, 4);
    cluster.relay.fault(Stage::End, Fault::TakeAndDrop);
    let first = cluster.pass(1);
    assert_eq!(first.len(), 1);
    cluster.relay.heal();
    down_on_node1(&cluster, 1);
    let second = cluster.pass(0);
    assert_eq!(second.len(), 1);
    for name in ["Message-ID", "Date"] {
        assert_eq!(first[0].header(name), second[0].header(name));
    }
    let subjects = [first[0].subject(), second[0].subject()];
    let [all, one] = [
        "[prod] 4 OSDs down on node1: osd.0, osd.1, osd.2, osd.3",
        "[prod] 1 OSD down on node1: osd.0",
    ];
    assert_eq!(subjects, [all, one]);
    assert!(cluster.pass(0).is_empty());
}
