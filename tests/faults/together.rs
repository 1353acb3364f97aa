//! Many passes at once.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::thread;

use crate::ceph::{Behaviour, Question, recorded};
use crate::cluster::{Cluster, Running};

const PASSES: usize = 50;

const RECIPIENTS: usize = 20;

/// A cluster with this many people to tell, where a pass that asks for the OSDs waits until they are released: one is down.
fn waiting_cluster() -> Cluster {
    let mut cluster = Cluster::new();
    let recipients: Vec<String> = (0..RECIPIENTS)
        .map(|number| format!("r{number}@example.org"))
        .collect();
    cluster.recipients(&recipients.iter().map(String::as_str).collect::<Vec<_>>());
    let down = recorded("18.2.7/osd-tree.one-osd-down");
    cluster.ceph.does(Question::OsdTree, &Behaviour::Wait(down));
    cluster
}

#[test]
fn of_many_passes_at_once_nothing_is_sent_twice() {
    let cluster = waiting_cluster();
    // The first one holds the lock until all the others have been started.
    let passes: Vec<Running> = (0..PASSES).map(|_| cluster.start(&["check"])).collect();
    cluster.ceph.release();
    let runs: Vec<_> = passes.into_iter().map(Running::wait).collect();

    let mails = cluster.relay.take_mails();
    let ids: BTreeSet<String> = mails.iter().map(|mail| mail.id()).collect();
    let ended = |code| runs.iter().filter(|run| run.code == Some(code)).count();
    println!(
        "{PASSES} passes at once: {} ended with 0, {} with 75; {} mails to {RECIPIENTS} recipients, {} repeats",
        ended(0),
        ended(75),
        mails.len(),
        mails.len() - ids.len()
    );
    for run in &runs {
        assert!(matches!(run.code, Some(0 | 75)), "{run:?}");
    }
    assert!(ended(0) > 0);
    assert_eq!((mails.len(), ids.len()), (RECIPIENTS, RECIPIENTS));
    assert!(cluster.pass(0).is_empty(), "all is told");
    assert_eq!(
        cluster.state_names(),
        [
            "state.json",
            "state.json.bak",
            "state.json.lock",
            "state.json.sent"
        ]
    );
}

#[test]
fn of_many_passes_at_once_one_runs_and_the_others_give_up() {
    let mut cluster = waiting_cluster();
    // Longer than the others wait for the lock.
    cluster.set("ceph.timeout", "\"60s\"");
    let (ended, runs) = mpsc::channel();
    for _ in 0..PASSES {
        let (pass, ended) = (cluster.start(&["check"]), ended.clone());
        thread::spawn(move || ended.send(pass.wait()));
    }
    let others: Vec<_> = runs.iter().take(PASSES - 1).collect();
    assert!(cluster.relay.take_mails().is_empty());
    cluster.ceph.release();
    let one = runs.recv().unwrap();

    for run in &others {
        run.exits(75).says(&["another pass"]);
    }
    one.exits(0);
    let mails = cluster.relay.take_mails();
    let ids: BTreeSet<String> = mails.iter().map(|mail| mail.id()).collect();
    println!(
        "{PASSES} passes at once, one of them slow: {} ended with 75; {} mails to {RECIPIENTS} recipients, {} repeats",
        others.len(),
        mails.len(),
        mails.len() - ids.len()
    );
    assert_eq!((mails.len(), ids.len()), (RECIPIENTS, RECIPIENTS));
}
