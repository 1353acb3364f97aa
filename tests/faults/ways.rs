//! Several sick ways out: each has its share of the time, so that the healthy one gets the mails in the same pass, and the
//! pass ends in time when none is healthy.

use std::thread;
use std::time::{Duration, Instant};

use crate::ceph::tree;
use crate::cluster::Cluster;
use crate::relay::{Fault, Relay, Stage};

/// A pass that is over by then lets the next one start on its minute.
const BUDGET: Duration = Duration::from_secs(60);

const RECIPIENTS: usize = 20;

type Sicken = fn(&mut Cluster, &Relay);

struct Case {
    name: &'static str,
    sicken: Sicken,
    /// How many mails the second server gets.
    by_second: usize,
    /// What the log says.
    log: &'static [&'static str],
}

fn hang(relay: &Relay) {
    relay.fault(Stage::Greeting, Fault::Hang);
}

const CASES: [Case; 4] = [
    Case {
        name: "the first hangs for longer than its share",
        sicken: |cluster, _| hang(&cluster.relay),
        by_second: RECIPIENTS,
        log: &["its time in this pass ended", "trying 20 mails through"],
    },
    Case {
        name: "the first puts off each mail after 2 s",
        sicken: |cluster, _| {
            let slow = Fault::Late(Duration::from_secs(2));
            cluster.relay.fault(Stage::Mail, slow);
            for number in 0..RECIPIENTS {
                let to = format!("r{number}@example.org");
                cluster.relay.refuse(&to, "450 4.2.0 later");
            }
        },
        by_second: RECIPIENTS,
        log: &["trying 20 mails through"],
    },
    Case {
        name: "the first takes each mail after 2 s",
        sicken: |cluster, _| {
            let slow = Fault::Late(Duration::from_secs(2));
            cluster.relay.fault(Stage::Mail, slow);
        },
        by_second: 0,
        log: &["raised"],
    },
    Case {
        name: "both servers hang, and the fallback does",
        sicken: |cluster, second| {
            hang(&cluster.relay);
            hang(second);
            let command = cluster.program("sendmail", "#!/bin/sh\nexec /bin/sleep 699.25\n");
            cluster.set("fallback.command", &format!("[\"{}\"]", command.display()));
            cluster.set("fallback.after", "\"1ms\"");
            // Raised by a pass that could not mail anything.
            let port = cluster.relay.port().to_string();
            cluster.unset("smtp.from");
            cluster.check();
            cluster.set("smtp.from", "\"storage@example.org\"");
            cluster.set("smtp.port", &port);
        },
        by_second: 0,
        log: &["trying 20 mails through fallback"],
    },
];

fn carry_out(case: &Case) -> String {
    let mut cluster = Cluster::new();
    let recipients: Vec<String> = (0..RECIPIENTS)
        .map(|number| format!("r{number}@example.org"))
        .collect();
    cluster.recipients(&recipients.iter().map(String::as_str).collect::<Vec<_>>());
    let host: [(u32, &str); 2] = [(0, "down"), (1, "up")];
    cluster.ceph.osds(tree(&[("node1", &host)]));
    cluster.unset("smtp.timeout");
    let second = Relay::start();
    cluster.further_relay(&second, "");
    (case.sicken)(&mut cluster, &second);
    let begin = Instant::now();
    let run = cluster.check();
    let time = begin.elapsed();
    let (first, others) = (cluster.relay.take_mails().len(), second.take_mails().len());
    let left = cluster.queue().len();
    assert!(time < BUDGET, "{}: {time:?}", case.name);
    run.exits(i32::from(left > 0)).says(case.log);
    assert_eq!(others, case.by_second, "{}", case.name);
    assert_eq!(first + others + left, RECIPIENTS, "{}", case.name);
    let seconds = time.as_secs_f64();
    format!("{} | {seconds:.1} | {first} | {others} | {left}", case.name)
}

#[test]
fn a_sick_way_leaves_the_others_their_time() {
    println!(
        "\n| ways out | s | by the first | by the second | left |\n| --- | --- | --- | --- | --- |"
    );
    thread::scope(|scope| {
        let cases: Vec<_> = CASES
            .iter()
            .map(|case| scope.spawn(|| carry_out(case)))
            .collect();
        for case in cases {
            println!("| {} |", case.join().unwrap());
        }
    });
}
