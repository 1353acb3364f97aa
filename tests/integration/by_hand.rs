//! What an admin does by hand: looking at a pending mail, sending all of them now, giving up on some, sending a test.

use std::fs::{self, File};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::ceph::{Behaviour, Question, recorded};
use crate::certificates::Authority;
use crate::cluster::{Cluster, Run};
use crate::relay::{Fault, Mail, Stage, Tls, says};
use crate::terminal::Terminal;

const SUBJECT: &str = "[prod] 1 OSD down on node2: osd.1";

/// A cluster in which an OSD has failed and whose mail server is down: so many mails are pending as there are recipients.
fn pending(recipients: &[&str]) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    cluster.recipients(recipients);
    cluster.relay.fault(Stage::Greeting, Fault::Drop);
    cluster.check().exits(1);
    cluster.relay.heal();
    cluster
}

fn ids(cluster: &Cluster) -> Vec<String> {
    let messages = cluster.queue();
    let ids = messages.iter().map(|message| message["id"].as_str());
    ids.map(|id| id.unwrap().to_owned()).collect()
}

/// The id of the mail to this address.
#[track_caller]
fn id_of(cluster: &Cluster, address: &str) -> String {
    let messages = cluster.queue();
    let message = messages.iter().find(|message| message["to"] == address);
    message.unwrap()["id"].as_str().unwrap().to_owned()
}

fn recipients_of(mails: &[Mail]) -> Vec<String> {
    let mut recipients: Vec<String> = mails.iter().flat_map(|mail| mail.to.clone()).collect();
    recipients.sort();
    recipients
}

/// Ceph and Consul were asked so often.
fn questions(cluster: &Cluster) -> (usize, usize) {
    (cluster.ceph.calls().len(), cluster.consul.requests().len())
}

#[test]
fn show_prints_the_mail_to_the_byte_as_it_then_leaves() {
    let mut cluster = pending(&["ops@example.org"]);
    cluster.set("smtp.from", "\"Größe <storage@example.org>\"");
    let id = ids(&cluster).remove(0);
    let (asked, before) = (questions(&cluster), cluster.all_state());
    let shown = cluster.run(&["queue", "show", &id]);
    assert_eq!(shown.exits(0).stderr, "");
    let document = cluster
        .run(&["queue", "show", "--json", &id])
        .exits(0)
        .json();
    assert_eq!(questions(&cluster), asked, "the cluster is not asked");
    assert_eq!(cluster.all_state(), before, "and nothing is written");

    let mails = cluster.pass(0);
    let raw = String::from_utf8(mails[0].raw.clone()).unwrap();
    assert_eq!(shown.stdout, raw.replace("\r\n", "\n"));
    assert_eq!(document["mail"], raw);
    assert!(shown.stdout.contains("\nTo: ops@example.org\n"));
    let fields = (&document["version"], &document["id"], &document["subject"]);
    assert_eq!(fields, (&json!(1), &json!(id), &json!(SUBJECT)));
    assert_eq!(document["attempts"], 1);
}

#[test]
fn show_takes_the_first_digits_of_an_id_and_names_what_it_does_not_know() {
    let cluster = pending(&["ops@example.org"]);
    let id = ids(&cluster).remove(0);
    for typed in [&id[..4], &id[..11], &id.to_uppercase()] {
        let shown = cluster.run(&["queue", "show", typed]);
        assert!(shown.exits(0).stdout.contains(SUBJECT), "{typed}");
    }
    let other = if id.starts_with("0000") {
        "1111"
    } else {
        "0000"
    };
    for typed in [other, &format!("{id}0")] {
        let run = cluster.run(&["queue", "show", typed]);
        run.exits(1)
            .says(&["error", typed, "petanotify queue list"]);
        assert_eq!(run.stdout, "");
    }
    for typed in [&id[..3], "osd.1", ""] {
        cluster
            .run(&["queue", "show", typed])
            .exits(2)
            .says(&["4 hexadecimal digits"]);
    }
    cluster.run(&["queue", "show"]).exits(2);
    cluster.run(&["queue", "show", &id, &id]).exits(2);
}

#[test]
fn show_needs_no_consul_for_what_petasan_has_set() {
    let mut cluster = Cluster::petasan();
    let settings = |from: &str| {
        json!({
            "email_notify_smtp_server": "127.0.0.1",
            "email_notify_smtp_port": cluster.relay.port().to_string(),
            "email_notify_smtp_email": from,
            "email_notify_smtp_security": 4,
        })
    };
    cluster
        .consul
        .put("PetaSAN/Config", &settings("san@example.org"));
    cluster.consul.put_user("admin", "admin@example.org", true);
    cluster.ceph.situation("18.2.7", "one-osd-down");
    cluster.relay.fault(Stage::Greeting, Fault::Drop);
    cluster.check().exits(1);
    cluster
        .consul
        .put("PetaSAN/Config", &settings("new@example.org"));
    let id = ids(&cluster).remove(0);
    cluster.env("CONSUL_HTTP_ADDR", "http://127.0.0.1:1");
    let shown = cluster.run(&["queue", "show", &id]);
    assert_eq!(shown.exits(0).stderr, "");
    for line in ["From: san@example.org\n", "To: admin@example.org\n"] {
        assert!(shown.stdout.contains(line), "{}", shown.stdout);
    }

    fs::remove_file(cluster.state_folder().join("petasan-import.json")).unwrap();
    let shown = cluster.run(&["queue", "show", &id]);
    shown.exits(0).says(&["warning", "sender is not known"]);
    assert!(
        shown
            .stdout
            .starts_with("From: not-known-yet@petanotify.invalid\n")
    );
}

#[test]
fn show_says_whom_a_mail_would_go_to_that_nobody_is_known_for_yet() {
    let cluster = {
        let mut cluster = Cluster::new();
        cluster.recipients(&[]);
        cluster.ceph.situation("18.2.7", "one-osd-down");
        cluster.check().exits(1);
        cluster
    };
    let id = ids(&cluster).remove(0);
    let shown = cluster.run(&["queue", "show", &id]);
    shown.exits(0).says(&["nobody is known"]);
    assert!(
        shown
            .stdout
            .contains("\nTo: not-known-yet@petanotify.invalid\n")
    );
    let mut cluster = cluster;
    cluster.recipients(&["a@example.org", "b@example.org"]);
    cluster.recipient_for("c@example.org", "[\"nodes\"]");
    let shown = cluster.run(&["queue", "show", &id]);
    shown
        .exits(0)
        .says(&["not addressed yet", "a@example.org", "1 more"]);
    assert!(shown.stdout.contains("\nTo: a@example.org\n"));
    let document = cluster
        .run(&["queue", "show", "--json", &id])
        .exits(0)
        .json();
    assert_eq!(document["to"], Value::Null);
    let mail = document["mail"].as_str().unwrap().to_owned();
    let sent = cluster.pass(0);
    let to_a = sent
        .iter()
        .find(|mail| mail.to == ["a@example.org"])
        .unwrap();
    assert_eq!(mail.as_bytes(), to_a.raw, "addressed, it is the same mail");
}

#[test]
fn flush_sends_what_waits_for_its_hour() {
    let mut cluster = Cluster::new();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    cluster.recipients(&["ops@example.org", "night@example.org"]);
    cluster
        .relay
        .refuse("ops@example.org", "550 5.1.1 no such user");
    cluster.check().exits(1);
    cluster.relay.heal();
    cluster.check().exits(1);
    let id = ids(&cluster).remove(0);
    assert_eq!(
        cluster.relay.take_mails().len(),
        1,
        "the other waits for its hour"
    );
    let (asked, last_pass) = (questions(&cluster), cluster.state()["last_pass"].clone());
    let run = cluster.run(&["queue", "flush"]);
    assert_eq!(
        run.exits(0).stdout,
        format!("sent       {id}  ops@example.org  {SUBJECT}\n")
    );
    assert_eq!(run.stderr, "");
    let mails = cluster.relay.take_mails();
    assert_eq!(recipients_of(&mails), ["ops@example.org"]);
    assert_eq!(mails[0].subject(), SUBJECT);
    assert!(cluster.queue().is_empty());
    assert_eq!(questions(&cluster), asked, "no check is carried out");
    assert_eq!(cluster.state()["last_pass"], last_pass);
    assert_eq!(
        cluster.state_names(),
        [
            "state.json",
            "state.json.bak",
            "state.json.lock",
            "state.json.sent"
        ]
    );
    let again = cluster.run(&["queue", "flush"]);
    assert_eq!(again.exits(0).stdout, "No mail is pending.\n");
    assert!(cluster.pass(0).is_empty());
}

#[test]
fn flush_tells_of_each_mail_what_became_of_it_and_why_some_stay() {
    let cluster = pending(&["a@example.org", "b@example.org", "c@example.org"]);
    cluster
        .relay
        .refuse("b@example.org", "550 5.1.1 no such user");
    let to_b = id_of(&cluster, "b@example.org");
    let run = cluster.run(&["queue", "flush"]);
    run.exits(1).says(&[
        "error: 1 mail stays queued",
        "RCPT",
        "550 5.1.1 no such user",
    ]);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    assert_eq!(
        run.stdout
            .lines()
            .filter(|line| line.starts_with("sent  "))
            .count(),
        2
    );
    let failed = format!("failed     {to_b}  b@example.org  {SUBJECT}\n");
    assert!(run.stdout.contains(&failed), "{}", run.stdout);
    assert_eq!(
        recipients_of(&cluster.relay.take_mails()),
        ["a@example.org", "c@example.org"]
    );
    let left = cluster.queue().remove(0);
    assert_eq!(
        (&left["to"], &left["attempts"]),
        (&json!("b@example.org"), &json!(2))
    );
    assert!(
        left["next_attempt"].is_string(),
        "it waits for its hour again"
    );

    let document = cluster.run(&["queue", "flush", "--json"]).exits(1).json();
    assert_eq!(
        (&document["version"], &document["sent"], &document["queued"]),
        (&json!(1), &json!(0), &json!(1))
    );
    let message = &document["messages"][0];
    assert_eq!(message["id"], to_b);
    assert_eq!(
        (&message["outcome"], &message["attempts"]),
        (&json!("failed"), &json!(3))
    );
    assert!(
        message["last_error"]
            .as_str()
            .unwrap()
            .contains("550 5.1.1")
    );
    cluster.relay.heal();
    let document = cluster.run(&["queue", "flush", "--json"]).exits(0).json();
    assert_eq!(document["messages"][0]["outcome"], "sent");
    assert_eq!(document["messages"][0]["last_error"], Value::Null);
    let empty = cluster.run(&["queue", "flush", "--json"]).exits(0).json();
    assert_eq!(
        empty,
        json!({"version": 1, "sent": 0, "queued": 0, "messages": []})
    );
}

#[test]
fn flush_asks_a_server_that_is_down_once_and_gives_up_on_nothing() {
    let cluster = pending(&["a@example.org", "b@example.org"]);
    cluster.set_attempts(1439);
    cluster
        .relay
        .fault(Stage::Greeting, says("421 4.3.2 shutting down"));
    let dials = cluster.relay.connections().len();
    let run = cluster.run(&["queue", "flush"]);
    run.exits(1)
        .says(&["2 mails stay queued", "421 4.3.2 shutting down"]);
    assert_eq!(cluster.relay.connections().len(), dials + 1);
    let attempts: Vec<Value> = cluster
        .queue()
        .iter()
        .map(|m| m["attempts"].clone())
        .collect();
    assert_eq!(attempts, [1440, 1440], "by hand nothing is dropped");
    cluster.relay.heal();
    cluster.run(&["queue", "flush"]).exits(0);
    assert_eq!(cluster.relay.take_mails().len(), 2);
}

#[test]
fn flush_says_what_is_missing_and_addresses_what_waited_for_a_recipient() {
    let mut cluster = Cluster::new();
    cluster.recipients(&[]);
    cluster.ceph.situation("18.2.7", "one-osd-down");
    cluster.check().exits(1);
    let run = cluster.run(&["queue", "flush"]);
    run.exits(1)
        .says(&["1 mail stays queued", "nobody is known"]);
    assert!(run.stdout.starts_with("not tried  "), "{}", run.stdout);
    cluster.recipients(&["a@example.org", "b@example.org"]);
    cluster.unset("smtp.host");
    cluster
        .run(&["queue", "flush"])
        .exits(1)
        .says(&["mail is not set up"]);
    assert_eq!(cluster.queue().len(), 2);
    cluster.set("smtp.host", "\"127.0.0.1\"");
    cluster.run(&["queue", "flush"]).exits(0);
    assert_eq!(
        recipients_of(&cluster.relay.take_mails()),
        ["a@example.org", "b@example.org"]
    );
}

#[test]
fn flush_that_is_killed_loses_nothing_and_repeats_nothing_that_was_recorded() {
    let mut cluster = Cluster::new();
    cluster.recipients(&[]);
    cluster.ceph.situation("18.2.7", "one-osd-down");
    cluster.check().exits(1);
    cluster.recipients(&["a@example.org", "b@example.org", "c@example.org"]);
    cluster.relay.fault_after(1, Stage::Rcpt, Fault::Hang);
    let flush = cluster.start(&["queue", "flush"]);
    cluster.relay.wait_for(|connections, _| {
        let lines = connections.iter().flat_map(|c| &c.commands);
        lines.filter(|line| line.starts_with("RCPT")).count() == 2
    });
    flush.kill();
    let sent = cluster.relay.take_mails();
    assert_eq!(sent.len(), 1);
    assert_eq!(cluster.queue().len(), 2);
    cluster.relay.heal();
    cluster.run(&["queue", "flush"]).exits(0);
    let rest = cluster.relay.take_mails();
    assert_eq!(rest.len(), 2);
    let all = recipients_of(&[sent, rest].concat());
    assert_eq!(all, ["a@example.org", "b@example.org", "c@example.org"]);
}

#[test]
fn late_mail_is_shown_and_flushed_as_late() {
    let cluster = pending(&["ops@example.org"]);
    cluster.let_pass(SignedDuration::from_hours(3));
    let id = ids(&cluster).remove(0);
    let shown = cluster.run(&["queue", "show", &id]).exits(0).stdout.clone();
    assert!(shown.contains("\nX-Petanotify-Delayed: 3h0m\n"), "{shown}");
    cluster.run(&["queue", "flush"]).exits(0);
    let mails = cluster.relay.take_mails();
    assert_eq!(
        mails[0].header("X-Petanotify-Delayed").as_deref(),
        Some("3h0m")
    );
}

#[test]
fn drop_takes_out_what_it_is_told_and_nothing_when_it_does_not_know_one() {
    let cluster = pending(&["a@example.org", "b@example.org", "c@example.org"]);
    let (a, b) = (
        id_of(&cluster, "a@example.org"),
        id_of(&cluster, "b@example.org"),
    );
    let other = if a.starts_with("0000") || b.starts_with("0000") {
        "1111"
    } else {
        "0000"
    };
    let before = fs::read(cluster.state_file()).unwrap();
    let run = cluster.run(&["queue", "drop", &a, other]);
    run.exits(1)
        .says(&["nothing was dropped", other, "petanotify queue list"]);
    assert_eq!(run.stdout, "");
    assert_eq!(fs::read(cluster.state_file()).unwrap(), before);

    let run = cluster.run(&["queue", "drop", &a, &b[..8], &a[..8]]);
    assert_eq!(
        run.exits(0).stdout,
        format!(
            "dropped    {a}  a@example.org  {SUBJECT}\ndropped    {b}  b@example.org  {SUBJECT}\n"
        )
    );
    assert_eq!(run.stderr, "");
    assert_eq!(cluster.queue()[0]["to"], "c@example.org");
    cluster.run(&["queue", "drop", &a]).exits(1).says(&[&a]);
    let mails = cluster.pass(0);
    assert_eq!(
        recipients_of(&mails),
        ["c@example.org"],
        "what was dropped does not come back"
    );
}

#[test]
fn drop_all_needs_a_yes() {
    let cluster = pending(&["a@example.org", "b@example.org"]);
    let id = ids(&cluster).remove(0);
    let before = cluster.all_state();
    cluster
        .run(&["queue", "drop", "--all"])
        .exits(2)
        .says(&["--yes"]);
    cluster.run(&["queue", "drop"]).exits(2).says(&["--all"]);
    cluster.run(&["queue", "drop", "--yes"]).exits(2);
    cluster
        .run(&["queue", "drop", "--all", "--yes", &id])
        .exits(2);
    assert_eq!(cluster.all_state(), before);
    let document = cluster
        .run(&["queue", "drop", "--all", "--yes", "--json"])
        .exits(0)
        .json();
    assert_eq!(document["version"], 1);
    let dropped = document["dropped"].as_array().unwrap();
    assert_eq!(dropped.len(), 2);
    assert_eq!(
        (&dropped[0]["id"], &dropped[0]["subject"]),
        (&json!(id), &json!(SUBJECT))
    );
    assert!(cluster.queue().is_empty());
    let again = cluster.run(&["queue", "drop", "--all", "-y"]);
    assert_eq!(again.exits(0).stdout, "No mail is pending.\n");
}

/// Where answers are read from.
#[derive(Clone, Copy)]
enum Keyboard {
    Terminal,
    File,
}

/// Runs petanotify with standard error on a terminal of its own, at which somebody types `answer`. What was asked, and how
/// the run ended.
fn at_a_terminal(
    cluster: &Cluster,
    arguments: &[&str],
    keyboard: Keyboard,
    answer: &str,
) -> (String, Run) {
    let mut terminal = Terminal::new(80, 24);
    let mut command = cluster.command(arguments);
    command.stdout(Stdio::piped());
    match keyboard {
        Keyboard::Terminal => {
            terminal.type_in(answer);
            command.stdin(terminal.line());
        }
        Keyboard::File => {
            let answers = cluster.file("answers", answer, 0o600);
            command.stdin(Stdio::from(File::open(answers).unwrap()));
        }
    }
    command.stderr(terminal.line());
    let run = Cluster::spawn(command).wait();
    (terminal.seen(), run)
}

#[test]
fn drop_all_asks_on_a_terminal() {
    let cluster = pending(&["a@example.org", "b@example.org"]);
    let answered =
        |keyboard, answer| at_a_terminal(&cluster, &["queue", "drop", "--all"], keyboard, answer);
    let end_of_file = "\u{4}";
    for answer in ["n\n", "\n", "what?\n", end_of_file] {
        let (screen, run) = answered(Keyboard::Terminal, answer);
        assert!(screen.contains("Drop 2 mails? [y/N] "), "{screen}");
        assert_eq!(run.exits(1).stdout, "Nothing was dropped.\n", "{answer:?}");
        assert_eq!(cluster.queue().len(), 2);
    }
    let (screen, run) = answered(Keyboard::File, "y\n");
    run.exits(2);
    assert!(
        screen.contains("--yes") && !screen.contains("Drop 2"),
        "{screen}"
    );
    assert_eq!(
        cluster.queue().len(),
        2,
        "an answer out of a file is nobody's"
    );
    let (screen, run) = answered(Keyboard::Terminal, "y\n");
    assert!(screen.contains("Drop 2 mails? [y/N] "), "{screen}");
    let dropped = run.exits(0).stdout.lines();
    assert_eq!(
        dropped.filter(|line| line.starts_with("dropped  ")).count(),
        2
    );
    assert!(cluster.queue().is_empty());
    let (screen, run) = answered(Keyboard::Terminal, "");
    assert!(!screen.contains("Drop"), "{screen}");
    assert_eq!(run.exits(0).stdout, "No mail is pending.\n");
}

#[test]
fn while_a_pass_runs_mails_are_neither_flushed_nor_dropped_but_shown_and_tested() {
    let mut cluster = pending(&["ops@example.org"]);
    cluster.set("ceph.timeout", "\"60s\"");
    let id = ids(&cluster).remove(0);
    let healthy = recorded("18.2.7/status.healthy");
    cluster
        .ceph
        .does(Question::Status, &Behaviour::Wait(healthy));
    let asked = cluster.ceph.calls().len();
    let pass = cluster.start(&["check"]);
    let end = Instant::now() + Duration::from_secs(30);
    while cluster.ceph.calls().len() == asked {
        assert!(Instant::now() < end, "the pass did not begin");
        thread::sleep(Duration::from_millis(2));
    }
    let flush = cluster.start(&["queue", "flush"]);
    let drop = cluster.start(&["queue", "drop", &id]);
    let all = cluster.start(&["queue", "drop", "--all", "--yes"]);
    cluster.run(&["queue", "show", &id]).exits(0);
    cluster.run(&["test-mail"]).exits(0);
    assert_eq!(cluster.relay.take_mails().len(), 1);
    for waiting in [flush, drop, all] {
        waiting.wait().exits(75).says(&["another pass", "10 s"]);
    }
    cluster.ceph.release();
    pass.wait().exits(0);
    assert_eq!(cluster.relay.take_mails()[0].subject(), SUBJECT);
}

#[test]
fn an_unusable_state_is_74_and_no_reason_not_to_test_mail() {
    let cluster = Cluster::new();
    fs::create_dir(cluster.state_file()).unwrap();
    for arguments in [
        &["queue", "show", "8292be0cf85c"][..],
        &["queue", "flush"],
        &["queue", "drop", "8292be0cf85c"],
        &["queue", "drop", "--all", "--yes"],
    ] {
        cluster.run(arguments).exits(74).says(&["state.json"]);
    }
    cluster.run(&["test-mail"]).exits(0);
    assert_eq!(cluster.relay.take_mails().len(), 1);
}

#[test]
fn a_test_mail_goes_to_every_recipient_and_says_which_way_it_went() {
    let mut cluster = pending(&["ops@example.org"]);
    cluster.recipient_for("night@example.org", "[\"nodes\"]");
    cluster.set("checks.nodes.hold_passes", "3");
    cluster.set("checks.nodes.hold", "\"5m\"");
    cluster.set("checks.osds.enabled", "false");
    let (asked, before) = (questions(&cluster), cluster.all_state());
    let start = Timestamp::now();
    let run = cluster.run(&["test-mail"]);
    let port = cluster.relay.port();
    assert_eq!(
        run.exits(0).stdout,
        format!(
            "through 127.0.0.1:{port}, no TLS, no login, from PetaSAN <storage@example.org>\n\
             accepted  ops@example.org  250 2.0.0 taken\n\
             accepted  night@example.org  250 2.0.0 taken\n"
        )
    );
    assert_eq!(run.stderr, "");
    assert_eq!(cluster.all_state(), before, "past the queue");
    assert_eq!(questions(&cluster), asked, "nothing is left to ask for");
    let mails = cluster.relay.take_mails();
    assert_eq!(
        recipients_of(&mails),
        ["night@example.org", "ops@example.org"]
    );
    assert_ne!(mails[0].id(), mails[1].id());
    for mail in &mails {
        assert_eq!(mail.subject(), "[prod] test mail from petanotify");
        assert_eq!(mail.from, "storage@example.org");
        assert_eq!(
            mail.header("From").unwrap(),
            "PetaSAN <storage@example.org>"
        );
        assert_eq!(mail.header("To").unwrap(), mail.to[0]);
        assert_eq!(mail.header("Auto-Submitted").unwrap(), "auto-generated");
        let date = mailparse::dateparse(&mail.header("Date").unwrap()).unwrap();
        assert!((start.as_second()..start.as_second() + 60).contains(&date));
        for words in [
            "This is a test",
            "cluster prod",
            &format!("127.0.0.1:{port}"),
            "no TLS",
        ] {
            assert!(
                mail.text().contains(words),
                "no {words} in\n{}",
                mail.text()
            );
        }
    }
    let checks = |mail: &Mail| {
        let text = mail.text();
        let lines = text
            .lines()
            .skip_while(|line| *line != "What comes to this address:");
        lines
            .skip(1)
            .take(3)
            .map(ToOwned::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        checks(&mails[0]),
        [
            "  capacity  when the storage is over 60 %, and over 85 % full",
            "  nodes     when a node is down in 3 passes in a row and for 5 min",
            "  osds      nothing: checks.osds is turned off",
        ]
    );
    assert_eq!(
        checks(&mails[1])[0],
        "  capacity  nothing: this recipient is not told of it"
    );

    let first = mails[0].id();
    cluster
        .run(&["test-mail", "ops@example.org", "ops@example.org"])
        .exits(0);
    let again = cluster.relay.take_mails();
    assert_eq!(again.len(), 1);
    assert_ne!(again[0].id(), first, "each test is a mail of its own");
    let guest = cluster.run(&["test-mail", "guest@example.net"]);
    guest.exits(0);
    let mails = cluster.relay.take_mails();
    assert_eq!(mails[0].to, ["guest@example.net"]);
    assert!(mails[0].text().contains("No alert comes to this address"));
}

#[test]
fn a_test_mail_that_is_not_accepted_is_told_in_the_servers_own_words() {
    let mut cluster = Cluster::new();
    cluster.recipients(&["a@example.org", "b@example.org", "c@example.org"]);
    cluster
        .relay
        .refuse("a@example.org", "550 5.1.1 no such user");
    cluster
        .relay
        .refuse("b@example.org", "450 4.2.0 greylisted");
    let run = cluster.run(&["test-mail"]);
    run.exits(1)
        .says(&[
            "error: test mail to a@example.org refused",
            "RCPT",
            "550 5.1.1 no such user",
        ])
        .says(&[
            "error: test mail to b@example.org deferred",
            "RCPT",
            "450 4.2.0 greylisted",
        ]);
    assert!(
        run.stdout
            .ends_with("\naccepted  c@example.org  250 2.0.0 taken\n"),
        "{}",
        run.stdout
    );
    assert_eq!(
        recipients_of(&cluster.relay.take_mails()),
        ["c@example.org"]
    );

    cluster.unset_section("checks.osds");
    let run = cluster.run(&["test-mail", "--json", "a@example.org", "c@example.org"]);
    let document = run.exits(1).json();
    run.says(&["error: test mail to a@example.org refused"]);
    assert_eq!(
        document["server"],
        format!("127.0.0.1:{}", cluster.relay.port())
    );
    let head = (
        &document["version"],
        &document["security"],
        &document["login"],
        &document["from"],
    );
    assert_eq!(
        head,
        (
            &json!(1),
            &json!("none"),
            &Value::Null,
            &json!("PetaSAN <storage@example.org>")
        )
    );
    assert_eq!(
        (&document["verify"], &document["subject"]),
        (&json!(true), &json!("[prod] test mail from petanotify"))
    );
    let mails = document["mails"].as_array().unwrap();
    assert_eq!(
        (&mails[0]["to"], &mails[0]["outcome"]),
        (&json!("a@example.org"), &json!("refused"))
    );
    assert!(
        mails[0]["answer"]
            .as_str()
            .unwrap()
            .contains("550 5.1.1 no such user")
    );
    assert_eq!(
        mails[1],
        json!({
            "to": "c@example.org", "outcome": "accepted", "answer": "250 2.0.0 taken",
            "checks": ["capacity", "nodes", "osds"],
        })
    );
    cluster.relay.take_mails();

    cluster
        .relay
        .fault(Stage::Mail, says("421 4.3.2 shutting down"));
    let dials = cluster.relay.connections().len();
    let run = cluster.run(&["test-mail"]);
    run.exits(1);
    for to in ["a", "b", "c"] {
        run.says(&[
            &format!("test mail to {to}@example.org not sent"),
            "421 4.3.2 shutting down",
        ]);
    }
    assert_eq!(cluster.relay.connections().len(), dials + 1);
    assert!(
        cluster.state_names().is_empty(),
        "{:?}",
        cluster.state_names()
    );
}

#[test]
fn a_test_mail_says_what_is_missing_before_it_asks_a_server() {
    let mut cluster = Cluster::new();
    cluster.recipients(&[]);
    cluster
        .run(&["test-mail"])
        .exits(1)
        .says(&["nobody is to be told", "test-mail ops@example.org"]);
    cluster.run(&["test-mail", "ops@example.org"]).exits(0);
    cluster
        .run(&["test-mail", "no address"])
        .exits(2)
        .says(&["no address"]);
    cluster.relay.take_mails();
    cluster.unset("smtp.host");
    cluster
        .run(&["test-mail", "ops@example.org"])
        .exits(1)
        .says(&["mail is not set up"]);
    assert!(cluster.relay.take_mails().is_empty());
    assert!(
        cluster.state_names().is_empty(),
        "{:?}",
        cluster.state_names()
    );
}

#[test]
fn a_test_mail_goes_over_tls_with_login_by_the_settings_of_petasan() {
    let mut cluster = Cluster::petasan();
    let authority = Authority::new("an authority that the system trusts");
    let config = authority.issue(&["127.0.0.1"]).server();
    cluster.relay.speak(Tls::Upgrade {
        config,
        offered: true,
    });
    cluster
        .relay
        .require_login("san@example.org", "pa55-of-petasan");
    let store = cluster.file("store.pem", &authority.pem(), 0o644);
    cluster.consul.put(
        "PetaSAN/Config",
        &json!({
            "email_notify_smtp_server": "127.0.0.1",
            "email_notify_smtp_port": cluster.relay.port().to_string(),
            "email_notify_smtp_email": "san@example.org",
            "email_notify_smtp_password": "pa55-of-petasan",
            "email_notify_smtp_security": 2,
        }),
    );
    cluster.consul.put_user("admin", "admin@example.org", true);
    cluster
        .run(&["test-mail"])
        .exits(1)
        .says(&["not sent", "certificate"]);
    cluster.env("SSL_CERT_FILE", store.to_str().unwrap());
    let run = cluster.run(&["test-mail"]);
    assert_eq!(
        run.exits(0).stdout,
        format!(
            "through 127.0.0.1:{}, STARTTLS, certificate verified, login as san@example.org, from san@example.org\n\
             accepted  admin@example.org  250 2.0.0 taken\n",
            cluster.relay.port()
        )
    );
    let mails = cluster.relay.take_mails();
    assert_eq!(mails[0].subject(), "[petasan] test mail from petanotify");
    assert!(mails[0].text().contains("STARTTLS, certificate verified"));
    assert!(cluster.relay.connections().last().unwrap().secured);
    assert!(
        cluster.state_names().is_empty(),
        "no import is kept: {:?}",
        cluster.state_names()
    );
    assert!(cluster.ceph.calls().is_empty());
}
