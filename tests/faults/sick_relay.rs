//! A mail server that is sick in every way: how a pass ends, after what time, with what on record, and that the mail
//! arrives once the server is well. `smtp.timeout` is 1 s.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use jiff::SignedDuration;

use crate::ceph::tree;
use crate::certificates::{Authority, Identity};
use crate::cluster::Cluster;
use crate::relay::{Behind, Fault, Stage, Tls, says};

/// Cases side by side: nearly all of their time is waiting.
const THREADS: usize = 4;

/// A pass that is over by then lets the next one start on its minute.
const BUDGET: Duration = Duration::from_secs(60);

const PASSWORD: &str = "correct horse";

/// From the third mail on, an envelope goes out with the text before it.
const RECIPIENTS: [&str; 4] = [
    "ops@example.org",
    "boss@example.org",
    "night@example.org",
    "vendor@example.org",
];

type Sicken = Box<dyn Fn(&mut Cluster) + Send + Sync>;

/// A sickness and its name.
struct Case {
    name: String,
    sicken: Sicken,
    left: Left,
}

/// What the sick pass leaves in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// Something.
    Some,
    /// The one mail of which nobody knows whether it was taken.
    InDoubt,
    Nothing,
}

fn case(name: &str, sicken: impl Fn(&mut Cluster) + Send + Sync + 'static) -> Case {
    Case {
        name: name.to_owned(),
        sicken: Box::new(sicken),
        left: Left::Some,
    }
}

/// With STARTTLS and a login, as a mail server on the net has them; an OSD is down, of which four people are to be told.
fn cluster() -> Cluster {
    let mut cluster = Cluster::new();
    cluster.recipients(&RECIPIENTS);
    cluster
        .ceph
        .osds(tree(&[("node1", &[(0, "down"), (1, "up")])]));
    cluster.set("smtp.security", "\"starttls\"");
    cluster.set("smtp.username", "\"storage\"");
    cluster.set("smtp.timeout", "\"1s\"");
    let password = cluster.file("password", PASSWORD, 0o600);
    cluster.set("smtp.password_file", &format!("\"{}\"", password.display()));
    cluster.relay.require_login("storage", PASSWORD);
    speak_well(&mut cluster);
    cluster
}

/// A certificate that petanotify trusts.
fn speak_well(cluster: &mut Cluster) {
    let authority = Authority::new("the mail server's authority");
    show(cluster, &authority, &authority.issue(&["127.0.0.1"]));
}

/// This certificate, where that authority is trusted.
fn show(cluster: &mut Cluster, trusted: &Authority, identity: &Identity) {
    let ca = cluster.file("ca.pem", &trusted.pem(), 0o644);
    cluster.set("smtp.ca_file", &format!("\"{}\"", ca.display()));
    cluster.relay.speak(Tls::Upgrade {
        config: identity.server(),
        offered: true,
    });
}

fn cases() -> Vec<Case> {
    let faults: [(&str, Fault); 9] = [
        ("4xx", says("451 4.3.0 not now")),
        ("421", says("421 4.3.2 shutting down")),
        ("5xx", says("554 5.7.1 never here")),
        ("hangs", Fault::Hang),
        ("hangs up", Fault::Drop),
        ("garbage", Fault::Garbage),
        ("a byte a second", Fault::Drip),
        ("endless", Fault::Flood),
        ("late by 0.7 s", Fault::Late(Duration::from_millis(700))),
    ];
    let mut cases = Vec::new();
    for stage in Stage::ALL {
        for (name, fault) in &faults {
            let fault = fault.clone();
            let mut case = case(&format!("{stage:?}: {name}"), move |cluster| {
                cluster.relay.fault(stage, fault.clone());
            });
            // The good-bye comes after the mail.
            if stage == Stage::Quit || name.starts_with("late") {
                case.left = Left::Nothing;
            }
            cases.push(case);
        }
    }
    cases.extend(pipelined(&faults));
    cases.extend(lies());
    let taken = [
        ("hangs up", Fault::TakeAndDrop),
        ("hangs", Fault::TakeAndHang),
    ];
    cases.extend(taken.map(|(name, fault)| {
        case(
            &format!("End: takes the mail, then {name}"),
            move |cluster| {
                cluster.relay.fault(Stage::End, fault.clone());
            },
        )
    }));
    cases.extend([
        case("one recipient refused", |cluster| {
            cluster
                .relay
                .refuse(RECIPIENTS[0], "550 5.1.1 no such user");
        }),
        case("the second mail refused with 421", |cluster| {
            cluster
                .relay
                .fault_after(1, Stage::Mail, says("421 4.7.0 enough"));
        }),
        case("the second mail hangs", |cluster| {
            cluster.relay.fault_after(1, Stage::Rcpt, Fault::Hang);
        }),
        case("SIZE too small", |cluster| cluster.relay.offer_size(500)),
        case("MAIL: 552", |cluster| {
            let refusal = says("552 5.3.4 message size exceeds fixed limit");
            cluster.relay.fault(Stage::Mail, refusal);
        }),
        case("End: 552", |cluster| {
            let refusal = says("552 5.3.4 message too big");
            cluster.relay.fault(Stage::End, refusal);
        }),
        case("STARTTLS stripped", |cluster| {
            let config = Identity::self_signed(&["127.0.0.1"]).server();
            cluster.relay.speak(Tls::Upgrade {
                config,
                offered: false,
            });
        }),
        case("no TLS at all", |cluster| cluster.relay.speak(Tls::None)),
        case("certificate expired", |cluster| {
            let authority = Authority::new("an authority");
            show(
                cluster,
                &authority,
                &authority.issue_expired(&["127.0.0.1"]),
            );
        }),
        case("certificate of another name", |cluster| {
            let authority = Authority::new("an authority");
            show(cluster, &authority, &authority.issue(&["mail.example.net"]));
        }),
        case("unknown authority", |cluster| {
            let identity = Authority::new("nobody's").issue(&["127.0.0.1"]);
            show(cluster, &Authority::new("an authority"), &identity);
        }),
        case("AUTH not offered", |cluster| {
            cluster.relay.offer_mechanisms("")
        }),
        case("no AUTH in common", |cluster| {
            cluster.relay.offer_mechanisms("GSSAPI NTLM")
        }),
        case("login refused", |cluster| {
            cluster.relay.require_login("storage", "another")
        }),
        case("nothing listens", |cluster| cluster.set("smtp.port", "1")),
    ]);
    cases
}

/// The same faults where several commands have gone out at once: from the answers on to the third mail's envelope, or to
/// the second mail's text, behind which that envelope is.
fn pipelined(faults: &[(&str, Fault)]) -> Vec<Case> {
    let mut cases = Vec::new();
    for stage in [Stage::Mail, Stage::Rcpt, Stage::Data, Stage::End] {
        let good = if stage == Stage::End { 1 } else { 2 };
        for (name, fault) in faults {
            let fault = fault.clone();
            let mut case = case(&format!("pipelined {stage:?}: {name}"), move |cluster| {
                cluster.relay.fault_after(good, stage, fault.clone());
            });
            if name.starts_with("late") {
                case.left = Left::Nothing;
            }
            cases.push(case);
        }
    }
    cases
}

/// Servers that offer pipelining and can't do it.
fn lies() -> Vec<Case> {
    let lies: [(&str, Fault); 7] = [
        ("forgotten", Fault::Forget),
        ("hangs", Fault::Hang),
        ("hangs up", Fault::Drop),
        ("not understood", says("500 5.5.2 what?")),
        ("garbage", Fault::Garbage),
        ("a byte a second", Fault::Drip),
        ("endless", Fault::Flood),
    ];
    let taken = [
        ("takes the mail, then hangs", Fault::TakeAndHang),
        ("takes the mail, then hangs up", Fault::TakeAndDrop),
    ];
    let behind_text = lies.clone().into_iter().chain(taken);
    let lies = lies.into_iter().map(|lie| (Behind::Command, lie));
    let lies = lies.chain(behind_text.map(|lie| (Behind::Text, lie)));
    lies.map(|(behind, (name, fault))| {
        let left = match (behind, &fault) {
            (Behind::Text, Fault::Forget | Fault::Reply(_)) => Left::Nothing,
            (Behind::Text, _) => Left::InDoubt,
            (Behind::Command, _) => Left::Nothing,
        };
        let name = format!("no pipelining, more behind a {behind:?}: {name}");
        let lie = case(&name, move |cluster| {
            cluster.relay.lie(behind, fault.clone())
        });
        Case { left, ..lie }
    })
    .collect()
}

/// What came of it: a line of the table.
fn carry_out(case: &Case) -> String {
    let mut cluster = cluster();
    (case.sicken)(&mut cluster);
    let begin = Instant::now();
    let run = cluster.check();
    let time = begin.elapsed();
    let dials = cluster.relay.connections().len();
    let arrived = cluster.relay.take_mails();
    let waiting = cluster.queue();
    assert!(time < BUDGET, "{time:?}");
    run.exits(i32::from(!waiting.is_empty()));
    assert!(!run.stderr.contains(PASSWORD));
    let left = match (waiting.as_slice(), case.left) {
        ([], _) => Left::Nothing,
        ([_], Left::InDoubt) => Left::InDoubt,
        _ => Left::Some,
    };
    assert_eq!(left, case.left, "{waiting:#?}");
    let kept = &cluster.state()["memory"]["osds"]["down"][0]["which"];
    assert_eq!(
        kept.as_array().unwrap().len(),
        1,
        "the checks do not depend on mail"
    );

    cluster.relay.heal();
    cluster.relay.offer_mechanisms("PLAIN LOGIN");
    cluster.relay.require_login("storage", PASSWORD);
    cluster.set("smtp.port", &cluster.relay.port().to_string());
    speak_well(&mut cluster);
    // A recipient who was refused for good waits for an hour.
    cluster.let_pass(SignedDuration::from_mins(61));
    let later = cluster.pass(0);
    assert!(cluster.pass(0).is_empty());
    for to in RECIPIENTS {
        let of = |mails: &[crate::relay::Mail]| -> Vec<String> {
            mails
                .iter()
                .filter(|mail| mail.to == [to])
                .map(crate::relay::Mail::id)
                .collect()
        };
        let (first, then) = (of(&arrived), of(&later));
        assert!(
            first.len() <= 1 && then.len() <= 1,
            "{to} gets one mail a pass"
        );
        assert!(!first.is_empty() || !then.is_empty(), "{to} is not told");
        assert!(
            first.is_empty() || then.is_empty() || first == then,
            "a repeat can be told by its id"
        );
    }
    let mut errors: Vec<String> = waiting
        .iter()
        .map(|mail| {
            mail["last_error"]
                .as_str()
                .unwrap_or("(not tried)")
                .to_owned()
        })
        .collect();
    // Only a mail whose fate was in doubt may come again.
    let in_doubt = errors
        .iter()
        .filter(|error| error.contains("may have been accepted"));
    let repeats = arrived.len() + later.len() - RECIPIENTS.len();
    assert!(repeats <= in_doubt.count(), "{repeats} repeats");
    errors.dedup();
    let errors = errors.join("; ").replace('|', "\\|");
    let errors = errors.replace(&cluster.relay.port().to_string(), "PORT");
    let errors: String = errors.chars().take(150).collect();
    format!(
        "{} | {} | {:.1} | {dials} | {} | {repeats} | {errors}",
        case.name,
        run.code.unwrap_or(-1),
        time.as_secs_f64(),
        arrived.len()
    )
}

#[test]
fn a_sick_mail_server_neither_blocks_a_pass_nor_loses_a_mail() {
    let cases = cases();
    let waiting = Mutex::new(cases.iter().enumerate());
    let rows = Mutex::new(vec![None; cases.len()]);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some((number, case)) = { waiting.lock().unwrap().next() } {
                    let row = catch_unwind(AssertUnwindSafe(|| carry_out(case)));
                    rows.lock().unwrap()[number] = row.ok();
                }
            });
        }
    });
    let rows = rows.into_inner().unwrap();
    println!(
        "\n| mail server | exit | s | dials | sent | repeats | last error |\n| --- | --- | --- | --- | --- | --- | --- |"
    );
    for row in rows.iter().flatten() {
        println!("| {row} |");
    }
    let failed: Vec<&str> = (cases.iter().zip(&rows))
        .filter(|(_, row)| row.is_none())
        .map(|(case, _)| case.name.as_str())
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}
