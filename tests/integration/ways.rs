//! Several ways out: what one mail server can't take the next one does, and the fallback what none did. Each mail arrives,
//! and arrives once.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::cluster::{Cluster, Run};
use crate::relay::{Fault, Mail, Relay, Stage, says};

const BOTH: [&str; 2] = ["a@example.org", "b@example.org"];

/// An OSD has just failed, of which two people are to be told; there are two mail servers.
fn two_servers() -> (Cluster, Relay) {
    let mut cluster = osd_down();
    let second = Relay::start();
    cluster.further_relay(&second, "");
    (cluster, second)
}

fn osd_down() -> Cluster {
    let mut cluster = Cluster::new();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    cluster.recipients(&BOTH);
    cluster.set("smtp.timeout", "\"1s\"");
    cluster
}

fn recipients_of(mails: &[Mail]) -> Vec<String> {
    let mut recipients: Vec<String> = mails.iter().flat_map(|mail| mail.to.clone()).collect();
    recipients.sort();
    recipients
}

#[track_caller]
fn only_waiting(cluster: &Cluster) -> Value {
    let mut waiting = cluster.queue();
    assert_eq!(waiting.len(), 1, "{waiting:#?}");
    waiting.remove(0)
}

/// A command for `[fallback]` that does as this script says. Its arguments are `-t -i`.
fn fall_back_on(cluster: &mut Cluster, script: &str) -> PathBuf {
    let path = cluster.program("sendmail", &format!("#!/bin/sh\n{script}\n"));
    let command = format!("[\"{}\", \"-t\", \"-i\"]", path.display());
    cluster.set("fallback.command", &command);
    path
}

/// Keeps every mail in a file of its own beside the script, named as the process is.
const KEEP: &str = "/bin/cat >\"$0.taken.$$\"";

/// The mails that the script has kept, those included that came before a failure.
fn kept(cluster: &Cluster) -> Vec<String> {
    let folder = fs::read_dir(cluster.folder().join("bin")).unwrap();
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.to_string_lossy().contains(".taken."));
    files.sort();
    files
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect()
}

fn header<'a>(mail: &'a str, name: &str) -> &'a str {
    let head = mail.split("\n\n").next().unwrap();
    let prefix = format!("{name}: ");
    let mut found = head.lines().filter_map(|line| line.strip_prefix(&prefix));
    let value = found
        .next()
        .unwrap_or_else(|| panic!("no {name} in {mail}"));
    assert_eq!(found.next(), None);
    value
}

#[test]
fn the_first_server_gets_all_as_long_as_it_takes_all() {
    let (cluster, second) = two_servers();
    let mails = cluster.pass(0);
    assert_eq!(recipients_of(&mails), BOTH);
    assert!(second.connections().is_empty());
    assert!(cluster.pass(0).is_empty());
}

#[test]
fn what_the_first_server_cannot_take_leaves_through_the_second() {
    type Sicken = fn(&mut Cluster);
    // What is wrong with the first, how many mails it takes all the same, and what the log says of it.
    let table: [(&str, Sicken, usize, &[&str]); 8] = [
        (
            "nothing listens",
            |cluster| cluster.set("smtp.port", "1"),
            0,
            &["Connection refused", "trying 2 mails through 127.0.0.1:"],
        ),
        (
            "shutting down",
            |cluster| {
                let reply = says("421 4.3.2 shutting down");
                cluster.relay.fault(Stage::Greeting, reply);
            },
            0,
            &["421 4.3.2 shutting down", "trying 2 mails through"],
        ),
        (
            "hangs from the start",
            |cluster| cluster.relay.fault(Stage::Greeting, Fault::Hang),
            0,
            &["no answer within 1s", "trying 2 mails through"],
        ),
        (
            "hangs at the second mail",
            |cluster| cluster.relay.fault_after(1, Stage::Rcpt, Fault::Hang),
            1,
            &["no answer within 1s", "trying 1 mail through"],
        ),
        (
            "puts off all",
            |cluster| {
                let reply = says("451 4.3.0 not now");
                cluster.relay.fault(Stage::Mail, reply);
            },
            0,
            &["sent through 127.0.0.1:"],
        ),
        (
            "puts off one",
            |cluster| cluster.relay.refuse(BOTH[0], "450 4.2.0 greylisted"),
            1,
            &["a@example.org", "sent through 127.0.0.1:"],
        ),
        (
            "refuses one for good",
            |cluster| cluster.relay.refuse(BOTH[1], "550 5.7.1 not from you"),
            1,
            &["b@example.org", "sent through 127.0.0.1:"],
        ),
        (
            "refuses the text",
            |cluster| {
                let reply = says("554 5.6.0 looks like spam");
                cluster.relay.fault(Stage::End, reply);
            },
            0,
            &["sent through 127.0.0.1:"],
        ),
    ];
    for (name, sicken, by_first, log) in table {
        println!("{name}");
        let (mut cluster, second) = two_servers();
        sicken(&mut cluster);
        let run = cluster.check();
        run.exits(0).says(log);
        let first = cluster.relay.take_mails();
        let others = second.take_mails();
        assert_eq!((first.len(), others.len()), (by_first, 2 - by_first));
        assert_eq!(recipients_of(&[first, others].concat()), BOTH);
        // A server that hangs in the midst is asked again without pipelining.
        let dials = 1 + usize::from(name.starts_with("hangs at the second"));
        assert!(cluster.relay.connections().len() <= dials, "dialled once");
        assert_eq!(second.connections().len(), 1);
        assert!(cluster.queue().is_empty());
        let port = second.port();
        let through = format!("sent through 127.0.0.1:{port}: 250");
        let through = run.stderr.matches(&through);
        assert_eq!(through.count(), 2 - by_first, "{}", run.stderr);
        cluster.relay.heal();
        let port = cluster.relay.port().to_string();
        cluster.set("smtp.port", &port);
        assert!(cluster.pass(0).is_empty());
        assert!(second.take_mails().is_empty());
    }
}

#[test]
fn servers_are_tried_in_the_order_of_the_file() {
    let mut cluster = osd_down();
    let relays = [Relay::start(), Relay::start(), Relay::start()];
    for relay in &relays {
        cluster.further_relay(relay, "");
    }
    let down = || says("421 4.3.2 shutting down");
    cluster.relay.fault(Stage::Greeting, down());
    relays[0].refuse(BOTH[0], "450 4.2.0 later");
    relays[1].fault(Stage::Greeting, down());
    cluster.check().exits(0);
    assert_eq!(recipients_of(&relays[0].take_mails()), [BOTH[1]]);
    assert_eq!(recipients_of(&relays[2].take_mails()), [BOTH[0]]);
    assert!(relays[1].take_mails().is_empty());
    assert_eq!(cluster.relay.connections().len(), 1);
}

#[test]
fn a_mail_in_doubt_is_not_given_to_the_second_server_at_once_but_not_kept_from_it_for_ever() {
    for fault in [Fault::TakeAndHang, Fault::TakeAndDrop] {
        let (mut cluster, second) = two_servers();
        cluster.recipients(&BOTH[..1]);
        cluster.relay.fault(Stage::End, fault);
        cluster.check().exits(1).says(&["may have been accepted"]);
        let first = cluster.relay.take_mails();
        assert_eq!(first.len(), 1);
        assert!(second.take_mails().is_empty());
        let waiting = only_waiting(&cluster);
        assert_eq!(
            (&waiting["attempts"], &waiting["next_attempt"]),
            (&json!(1), &Value::Null)
        );

        // The first server swallows it again: it repeats itself in any case, and now it gets through.
        cluster.check().exits(0);
        let again = second.take_mails();
        assert_eq!(again.len(), 1);
        assert_eq!(
            again[0].id(),
            first[0].id(),
            "a repeat can be told by its id"
        );
        cluster.relay.take_mails();
        assert!(cluster.pass(0).is_empty());
    }
}

#[test]
fn others_do_not_wait_for_the_mail_that_is_in_doubt() {
    let (cluster, second) = two_servers();
    cluster.relay.fault(Stage::End, Fault::TakeAndHang);
    cluster.check().exits(1);
    let in_doubt = cluster.relay.take_mails();
    let others = second.take_mails();
    assert_eq!((in_doubt.len(), others.len()), (1, 1));
    assert_eq!(recipients_of(&[in_doubt, others].concat()), BOTH);
}

#[test]
fn a_mail_is_tried_hourly_only_when_every_server_has_refused_it_for_good() {
    let refusal = "550 5.1.1 no such user";
    // What the second server says, and whether the mail then waits for its hour.
    for (second_says, hourly) in [
        (refusal, true),
        ("450 4.2.0 later", false),
        ("421 4.3.2 bye", false),
    ] {
        let (mut cluster, second) = two_servers();
        cluster.recipients(&BOTH[..1]);
        cluster.relay.refuse(BOTH[0], refusal);
        second.refuse(BOTH[0], second_says);
        cluster.check().exits(1).says(&[refusal, second_says]);
        let waiting = only_waiting(&cluster);
        assert_eq!(waiting["attempts"], 1, "a pass counts once");
        assert_eq!(waiting["next_attempt"].is_string(), hourly, "{second_says}");
        let error = waiting["last_error"].as_str().unwrap();
        let first = format!("127.0.0.1:{}: RCPT: {refusal}", cluster.relay.port());
        let then = format!("; then 127.0.0.1:{}: RCPT: {second_says}", second.port());
        assert!(
            error.starts_with(&first) && error.contains(&then),
            "{error}"
        );
        assert!(error.len() < 450 && !error.contains('\n'), "{error}");
    }
    let (mut cluster, second) = two_servers();
    cluster.recipients(&BOTH[..1]);
    cluster.set("smtp.port", "1");
    second.refuse(BOTH[0], refusal);
    cluster.check().exits(1);
    let waiting = only_waiting(&cluster);
    assert_eq!(
        waiting["next_attempt"],
        Value::Null,
        "the first was merely down"
    );
}

#[test]
fn attempts_count_passes_and_the_last_drops_the_mail() {
    let (mut cluster, second) = two_servers();
    cluster.recipients(&BOTH[..1]);
    cluster.set("smtp.max_attempts", "2");
    cluster.relay.refuse(BOTH[0], "450 4.2.0 later");
    second.refuse(BOTH[0], "450 4.2.0 later");
    cluster.check().exits(1);
    assert_eq!(only_waiting(&cluster)["attempts"], 1);
    cluster
        .check()
        .says(&["error", "dropped after 2 attempts", "; then "]);
    assert!(cluster.queue().is_empty());
}

#[test]
fn a_further_server_has_its_own_sender_and_login() {
    let mut cluster = osd_down();
    let second = Relay::start();
    second.require_login("two", "pa55-of-the-second");
    let from =
        "from = \"Second <second@example.net>\"\nusername = \"two\"\nallow_plain_login = true";
    cluster.further_relay(&second, from);
    cluster.set("smtp.port", "1");
    let run = cluster.check();
    run.exits(1).says(&[
        "a way out is closed",
        "smtp.relay[0].username",
        "smtp-password-2",
    ]);
    assert!(second.connections().is_empty());

    let credentials = cluster.folder().join("credentials");
    fs::create_dir(&credentials).unwrap();
    cluster.file("credentials/smtp-password-2", "pa55-of-the-second\n", 0o600);
    cluster.env("CREDENTIALS_DIRECTORY", credentials.to_str().unwrap());
    let run = cluster.check();
    run.exits(0);
    let mails = second.take_mails();
    assert_eq!(recipients_of(&mails), BOTH);
    assert_eq!(mails[0].from, "second@example.net");
    assert_eq!(
        mails[0].header("From").unwrap(),
        "Second <second@example.net>"
    );
    assert_eq!(second.connections()[0].login.as_deref(), Some("two"));
    let shown = cluster.run(&["-vv", "config", "show"]);
    for text in [
        &shown.stdout,
        &shown.stderr,
        &run.stderr,
        &cluster.all_state(),
    ] {
        assert!(!text.contains("pa55-of-the-second"), "{text}");
    }
    let line = shown
        .stdout
        .lines()
        .find(|line| line.starts_with("smtp.relay[0].password_file"));
    assert!(
        line.unwrap()
            .ends_with("# environment, CREDENTIALS_DIRECTORY")
    );
}

#[test]
fn a_further_server_takes_over_from_petasans_and_with_its_sender() {
    let mut cluster = Cluster::petasan();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    cluster.consul.put(
        "PetaSAN/Config",
        &json!({
            "email_notify_smtp_server": "127.0.0.1",
            "email_notify_smtp_port": "1",
            "email_notify_smtp_email": "san@example.org",
            "email_notify_smtp_security": 4,
        }),
    );
    cluster.consul.put_user("admin", "admin@example.org", true);
    let second = Relay::start();
    cluster.further_relay(&second, "verify = false");
    let run = cluster.check();
    run.exits(0)
        .says(&["warning: smtp.relay[0].verify is false", "127.0.0.1"]);
    let mails = second.take_mails();
    assert_eq!(recipients_of(&mails), ["admin@example.org"]);
    assert_eq!(mails[0].from, "san@example.org");
    cluster
        .check()
        .exits(0)
        .says(&["smtp.relay[0].verify is false"]);
}

#[test]
fn the_fallback_takes_a_mail_once_it_has_waited_long_enough() {
    let mut cluster = osd_down();
    cluster.recipients(&BOTH[..1]);
    cluster.set("smtp.port", "1");
    cluster.set("fallback.after", "\"1h\"");
    let script = fall_back_on(
        &mut cluster,
        &format!("echo \"$*\" >\"$0.arguments\"; {KEEP}"),
    );
    cluster.check().exits(1);
    let shown = cluster.run(&[
        "queue",
        "show",
        only_waiting(&cluster)["id"].as_str().unwrap(),
    ]);
    cluster.let_pass(SignedDuration::from_mins(59));
    cluster.check().exits(1);
    assert!(kept(&cluster).is_empty(), "59 minutes are not enough");
    assert_eq!(only_waiting(&cluster)["attempts"], 2);
    cluster.let_pass(SignedDuration::from_mins(1));
    let run = cluster.check();
    run.exits(0).says(&[
        "mail ",
        "a@example.org",
        "sent through fallback ",
        "sendmail",
    ]);
    run.says(&["Connection refused", "trying 1 mail through fallback"]);
    assert!(cluster.queue().is_empty());
    let mails = kept(&cluster);
    assert_eq!(mails.len(), 1);
    assert!(!mails[0].contains('\r'), "lines end as sendmail expects");
    assert_eq!(header(&mails[0], "To"), "a@example.org");
    assert_eq!(header(&mails[0], "From"), "PetaSAN <storage@example.org>");
    assert_eq!(header(&mails[0], "X-Petanotify-Delayed"), "1h0m");
    assert_eq!(
        header(&mails[0], "Message-ID"),
        header(&shown.stdout, "Message-ID")
    );
    assert!(!mails[0].contains("\nBcc"));
    assert_eq!(
        fs::read_to_string(script.with_extension("arguments")).unwrap(),
        "-t -i\n"
    );
    cluster.check().exits(0);
    assert_eq!(kept(&cluster).len(), 1, "recorded as any other");
}

#[test]
fn a_refused_mail_does_not_wait_for_its_hour_when_the_fallback_takes_it_sooner() {
    let mut cluster = osd_down();
    cluster.recipients(&BOTH[..1]);
    cluster.relay.refuse(BOTH[0], "550 5.1.1 no such user");
    cluster.set("fallback.after", "\"20m\"");
    fall_back_on(&mut cluster, KEEP);
    cluster.check().exits(1);
    cluster.let_pass(SignedDuration::from_mins(19));
    let dials = cluster.relay.connections().len();
    cluster.check().exits(1);
    assert_eq!(cluster.relay.connections().len(), dials, "it waits");
    cluster.let_pass(SignedDuration::from_mins(1));
    cluster.check().exits(0);
    assert_eq!(kept(&cluster).len(), 1);
}

#[test]
fn the_fallbacks_failures_are_told_in_its_words_and_hold_up_nothing() {
    let cases: [(&str, &[&str], usize); 6] = [
        (
            "/bin/cat >/dev/null; echo 'postdrop: no space left' >&2; exit 75",
            &[
                "; then fallback ",
                "sendmail: exit status 75: postdrop: no space left",
            ],
            2,
        ),
        ("kill -9 $$", &["; then fallback ", "ended by signal 9"], 2),
        // Ended once, and not begun for the others.
        (
            "echo busy >&2; /bin/sleep 677.25",
            &["did not end within 1.0 s, so it was ended (fallback.timeout): busy"],
            1,
        ),
        (
            "trap '' TERM; while :; do echo and on; done",
            &["did not end within 1.0 s"],
            1,
        ),
        (
            "/usr/bin/yes full | /usr/bin/head -c 5000000 >&2; exit 1",
            &["exit status 1: ...", "full full"],
            2,
        ),
        ("", &["it is not there; check fallback.command"], 0),
    ];
    for (script, words, runs) in cases {
        let mut cluster = osd_down();
        cluster.set("smtp.port", "1");
        cluster.set("fallback.after", "\"1ms\"");
        cluster.set("fallback.timeout", "\"1s\"");
        let path = fall_back_on(&mut cluster, &format!("echo >>\"$0.runs\"; {script}"));
        if script.is_empty() {
            fs::remove_file(&path).unwrap();
        }
        cluster.check().exits(1);
        cluster.let_pass(SignedDuration::from_secs(1));
        cluster
            .check()
            .exits(1)
            .says(&["error: 2 mails stay queued"]);
        for waiting in cluster.queue() {
            let error = waiting["last_error"].as_str().unwrap();
            assert!(error.contains("Connection refused"), "{error}");
            for word in words {
                assert!(error.contains(word), "no {word} in {error}");
            }
            assert!(error.len() < 450, "{error}");
            assert_eq!(
                (&waiting["attempts"], &waiting["next_attempt"]),
                (&json!(2), &Value::Null)
            );
        }
        let begun = fs::read_to_string(path.with_extension("runs")).unwrap_or_default();
        assert_eq!(begun.len(), runs, "{script}");
    }
}

#[test]
fn a_talkative_fallback_has_delivered_all_the_same() {
    let mut cluster = osd_down();
    cluster.set("smtp.port", "1");
    let loud = "/usr/bin/yes | /usr/bin/head -c 5000000";
    fall_back_on(&mut cluster, &format!("{KEEP}; {loud}; {loud} >&2"));
    cluster.run(&["check"]).exits(1);
    cluster.run(&["queue", "flush"]).exits(0);
    assert_eq!(kept(&cluster).len(), 2);
}

#[test]
fn a_machine_without_a_mail_server_needs_a_sender_and_the_fallback() {
    let mut cluster = osd_down();
    cluster.unset_section("smtp");
    cluster.set("smtp.from", "\"storage@example.org\"");
    cluster.set("checks.nodes.enabled", "false");
    fall_back_on(&mut cluster, KEEP);
    let asked = cluster.consul.requests().len();
    let run = cluster.check();
    run.exits(0);
    let sent = |line: &str| line.contains("sent through fallback") || line.contains("raised: ");
    assert!(run.stderr.lines().all(sent), "no warning: {}", run.stderr);
    assert_eq!(kept(&cluster).len(), 2, "nothing to wait for");
    assert_eq!(
        cluster.consul.requests().len(),
        asked,
        "PetaSAN is not asked"
    );
    cluster.check().exits(0).is_silent();

    cluster.unset_section("smtp");
    cluster.ceph.situation("18.2.7", "healthy");
    cluster.check().exits(1).says(&[
        "mail is not set up",
        "fallback.command has no sender; set smtp.from",
    ]);
}

#[test]
fn killed_before_it_is_written_down_what_the_fallback_took_is_repeated_once() {
    // In the first handover, or in the second: what the first brought is on disk by then.
    for taken_before in [0, 1] {
        let mut cluster = osd_down();
        cluster.unset_section("smtp");
        cluster.set("smtp.from", "\"storage@example.org\"");
        let kill = "[ -e \"$0.killed\" ] || { : >\"$0.killed\"; kill -9 $PPID; }";
        let count = format!("[ $(/bin/ls $0.taken.* | /usr/bin/wc -l) -le {taken_before} ]");
        fall_back_on(&mut cluster, &format!("{KEEP}; {count} || {kill}"));
        let killed = cluster.check();
        assert_eq!(killed.signal, Some(9));
        assert_eq!(kept(&cluster).len(), taken_before + 1);
        cluster.check().exits(0);
        let mails = kept(&cluster);
        assert_eq!(mails.len(), 3);
        let mut ids: Vec<&str> = mails.iter().map(|m| header(m, "Message-ID")).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 2, "the repeat can be told by its id");
        cluster.check().exits(0);
        assert_eq!(kept(&cluster).len(), 3);
    }
}

#[test]
fn told_to_end_it_begins_no_further_handover_and_repeats_none() {
    let mut cluster = osd_down();
    cluster.unset_section("smtp");
    cluster.set("smtp.from", "\"storage@example.org\"");
    fall_back_on(&mut cluster, &format!("{KEEP}; kill -TERM $PPID"));
    let run = cluster.check();
    run.exits(1)
        .says(&["told to end", "1 mail must wait for the next pass"]);
    assert_eq!((kept(&cluster).len(), cluster.queue().len()), (1, 1));
    cluster.check().exits(0);
    let mails = kept(&cluster);
    let mut to: Vec<&str> = mails.iter().map(|mail| header(mail, "To")).collect();
    to.sort();
    assert_eq!(to, BOTH);
}

#[test]
fn flush_tries_every_way_and_the_fallback_at_once() {
    let (mut cluster, second) = two_servers();
    cluster.relay.refuse(BOTH[0], "550 5.1.1 no such user");
    cluster.relay.refuse(BOTH[1], "450 4.2.0 later");
    second.refuse(BOTH[0], "550 5.1.1 no such user");
    second.refuse(BOTH[1], "450 4.2.0 later");
    cluster.set("fallback.after", "\"30d\"");
    fall_back_on(&mut cluster, "exit 75");
    cluster.check().exits(1);
    let run = cluster.run(&["queue", "flush", "--json"]);
    let document = run.exits(1).json();
    for message in document["messages"].as_array().unwrap() {
        assert_eq!(
            (&message["outcome"], &message["attempts"]),
            (&json!("failed"), &json!(2))
        );
        let error = message["last_error"].as_str().unwrap();
        assert!(error.ends_with("sendmail: exit status 75"), "{error}");
    }
    let hourly = |message: &Value| message["next_attempt"].is_string();
    let waiting = cluster.queue();
    let by_address = |to: &str| waiting.iter().find(|m| m["to"] == to).unwrap();
    assert!(hourly(by_address(BOTH[0])), "both servers have refused it");
    assert!(!hourly(by_address(BOTH[1])));

    second.heal();
    second.refuse(BOTH[0], "550 5.1.1 no such user");
    fall_back_on(&mut cluster, KEEP);
    let run = cluster.run(&["queue", "flush"]);
    assert_eq!(run.exits(0).stdout.matches("sent  ").count(), 2);
    assert_eq!(run.stderr, "");
    assert_eq!(recipients_of(&second.take_mails()), [BOTH[1]]);
    let mails = kept(&cluster);
    assert_eq!(mails.len(), 1);
    assert_eq!(header(&mails[0], "To"), BOTH[0]);
}

/// What a test mail's report says of one way.
fn outcomes(way: &Value) -> Vec<&str> {
    let mails = way["mails"].as_array().unwrap();
    mails
        .iter()
        .map(|mail| mail["outcome"].as_str().unwrap())
        .collect()
}

#[test]
fn a_test_mail_goes_in_every_way() {
    let (mut cluster, second) = two_servers();
    let script = fall_back_on(&mut cluster, KEEP);
    let run = cluster.run(&["test-mail"]);
    run.exits(0);
    let (first_port, second_port) = (cluster.relay.port(), second.port());
    let accepted = |words: &str| {
        let [a, b] = BOTH;
        format!("accepted  {a}  {words}\naccepted  {b}  {words}\n")
    };
    let from = "from PetaSAN <storage@example.org>";
    assert_eq!(
        run.stdout,
        format!(
            "through 127.0.0.1:{first_port}, no TLS, no login, {from}\n{}\
             through 127.0.0.1:{second_port}, no TLS, no login, {from}\n{}\
             through the fallback {} -t -i, {from}\n{}",
            accepted("250 2.0.0 taken"),
            accepted("250 2.0.0 taken"),
            script.display(),
            accepted("exit status 0"),
        )
    );
    let subject = |mails: &[Mail]| mails[0].subject();
    let subjects = [
        subject(&cluster.relay.take_mails()),
        subject(&second.take_mails()),
        header(&kept(&cluster)[0], "Subject").to_owned(),
    ];
    for (number, subject) in (1..).zip(subjects) {
        let expected = format!("[prod] test mail from petanotify, way {number} of 3");
        assert_eq!(subject, expected);
    }

    second.refuse(BOTH[1], "450 4.2.0 later");
    fall_back_on(&mut cluster, "echo full >&2; exit 75");
    let run = cluster.run(&["test-mail", "--json"]);
    let document = run.exits(1).json();
    run.says(&[
        "test mail to b@example.org deferred",
        &second_port.to_string(),
        "450 4.2.0",
    ])
    .says(&[
        "test mail to a@example.org deferred",
        "fallback",
        "exit status 75: full",
    ]);
    assert_eq!(document["server"], format!("127.0.0.1:{first_port}"));
    assert_eq!(outcomes(&document), ["accepted", "accepted"]);
    let [further] = document["further"].as_array().unwrap().as_slice() else {
        panic!("{document:#}");
    };
    assert_eq!(further["server"], format!("127.0.0.1:{second_port}"));
    assert_eq!(outcomes(further), ["accepted", "deferred"]);
    let fallback = &document["fallback"];
    assert_eq!(
        fallback["command"],
        json!([script.to_str().unwrap(), "-t", "-i"])
    );
    assert_eq!(outcomes(fallback), ["deferred", "deferred"]);

    fall_back_on(&mut cluster, "/bin/sleep 688.25");
    cluster.set("fallback.timeout", "\"300ms\"");
    let run = cluster.run(&["test-mail"]);
    run.exits(1)
        .says(&["a@example.org not sent", "did not end within 0.3 s"]);

    cluster.no_further_relays();
    fall_back_on(&mut cluster, KEEP);
    cluster.run(&["test-mail"]).exits(0);
    cluster.further_relay(&second, "username = \"two\"\nallow_plain_login = true");
    let run = cluster.run(&["test-mail"]);
    run.exits(1)
        .says(&["a way out is closed", "smtp.relay[0].username"]);
}

#[test]
fn a_test_mail_needs_no_mail_server_where_there_is_a_fallback() {
    let mut cluster = Cluster::new();
    cluster.unset_section("smtp");
    cluster.set("smtp.from", "\"storage@example.org\"");
    fall_back_on(&mut cluster, KEEP);
    let document = cluster.run(&["test-mail", "--json"]).exits(0).json();
    assert_eq!(
        (&document["server"], &document["mails"]),
        (&Value::Null, &json!([]))
    );
    assert_eq!(outcomes(&document["fallback"]), ["accepted"]);
    let mails = kept(&cluster);
    assert_eq!(
        header(&mails[0], "Subject"),
        "[prod] test mail from petanotify"
    );
    assert!(mails[0].contains("  command   "), "{}", mails[0]);
}

#[test]
fn who_only_looks_starts_no_fallback_and_asks_no_server() {
    let (mut cluster, second) = two_servers();
    cluster.set("smtp.port", "1");
    cluster.set("fallback.after", "\"1ms\"");
    fall_back_on(&mut cluster, KEEP);
    second.fault(Stage::Greeting, says("421 4.3.2 shutting down"));
    let would = cluster.run(&["check", "--dry-run"]);
    assert_eq!(would.exits(0).stdout.matches("would mail ").count(), 2);
    assert!(kept(&cluster).is_empty() && second.connections().is_empty());
    cluster.check().exits(1);
    let dials = second.connections().len();
    let looks: [&[&str]; 4] = [
        &["check", "--dry-run"],
        &["status"],
        &["queue", "list"],
        &["config", "show"],
    ];
    let looks: Vec<Run> = looks.iter().map(|look| cluster.run(look)).collect();
    assert!(looks.iter().all(|run| run.code == Some(0)), "{looks:?}");
    assert_eq!(second.connections().len(), dials);
    assert!(kept(&cluster).is_empty());
}

#[test]
fn a_slow_first_server_that_works_keeps_its_mails() {
    let (cluster, second) = two_servers();
    cluster
        .relay
        .fault(Stage::End, Fault::Late(Duration::from_millis(300)));
    assert_eq!(recipients_of(&cluster.pass(0)), BOTH);
    assert!(second.connections().is_empty());
}
