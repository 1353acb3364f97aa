//! Several nodes with petanotify: which of them speaks, and what the others do.

use std::fs;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::consul::{Consul, Fault, Request, TRANSACTION};
use crate::relay::{self, Mail, Stage};

pub(crate) const LOCK: &str = "petanotify/prod/leader";
pub(crate) const MEMORY: &str = "petanotify/prod/memory";
/// What PetaSAN's nodes choose their leader with.
pub(crate) const LEADER: &str = "PetaSAN/Services/ClusterLeader";

pub(crate) const DOWN: &str = "[prod] 1 OSD down on node2: osd.1";
pub(crate) const UP: &str = "[prod] all OSDs are up again";

/// Nodes of one cluster. Each has a Ceph, an agent and a mail server of its own; the agents have the same servers.
pub(crate) fn nodes<const N: usize>(mode: &str) -> [Cluster; N] {
    let first = Consul::start();
    first.five_nodes();
    std::array::from_fn(|place| {
        let mut node = Cluster::with_consul(first.agent_of(&format!("node{}", place + 1)));
        node.set("ha.mode", &format!("\"{mode}\""));
        if mode == "consul" {
            node.set("ha.lock_delay", "\"1ms\"");
        }
        node
    })
}

/// The same in the eyes of all of them.
pub(crate) fn osd_fails<'a>(nodes: impl IntoIterator<Item = &'a Cluster>) {
    for node in nodes {
        node.ceph.situation("18.2.7", "one-osd-down");
    }
}

pub(crate) fn subjects(mails: &[Mail]) -> Vec<String> {
    mails.iter().map(Mail::subject).collect()
}

/// Who speaks, as `status` says.
#[track_caller]
pub(crate) fn speaker(node: &Cluster) -> Value {
    node.run(&["status", "--json"]).exits(0).json()["nodes"]["speaker"].clone()
}

/// What one run asks Consul.
#[track_caller]
fn asked(node: &Cluster, arguments: &[&str]) -> Vec<String> {
    let before = node.consul.requests().len();
    node.run(arguments).exits(0);
    let requests = node.consul.requests().split_off(before);
    let asked = |request: &Request| {
        let Request {
            method,
            path,
            query,
            ..
        } = request;
        format!("{method} {path}?{query}")
    };
    requests.iter().map(asked).collect()
}

#[test]
fn where_nothing_is_shared_consul_is_asked_nothing_more() {
    const CHECK: [&str; 2] = [
        "GET /v1/agent/members?",
        "GET /v1/kv/PetaSAN/Nodes/?recurse",
    ];
    let mut node = Cluster::new();
    let question = format!("GET /v1/kv/{LEADER}?stale");
    let auto = [&question, CHECK[0], CHECK[1]];
    for _ in 0..2 {
        assert_eq!(asked(&node, &["check"]), auto);
    }
    node.set("checks.nodes.enabled", "false");
    assert_eq!(
        asked(&node, &["check"]),
        [""; 0],
        "it has nothing to do with Consul"
    );
    node.unset_section("checks.nodes");

    node.set("ha.mode", "\"off\"");
    node.consul.servers().give_lock(LEADER, "node2");
    osd_fails([&node]);
    node.relay.fault(Stage::Greeting, relay::Fault::Drop);
    let before = node.consul.requests().len();
    node.check().exits(1);
    assert_eq!(node.consul.requests().len(), before + CHECK.len());
    node.relay.heal();
    assert_eq!(asked(&node, &["check"]), CHECK);
    assert_eq!(subjects(&node.relay.take_mails()), [DOWN]);
    for arguments in [
        &["status"][..],
        &["queue", "list"],
        &["silence", "add", "--node", "node2", "--for", "1h"],
        &["ack"],
    ] {
        assert_eq!(asked(&node, arguments), [""; 0], "{arguments:?}");
    }
    assert!(!node.state_names().contains(&"state.json.ha".to_owned()));
    assert_eq!(node.consul.servers().keys("petanotify"), [""; 0]);
    let status = node.run(&["status", "--json"]).exits(0).json();
    assert_eq!(status.get("nodes"), None);
}

#[test]
fn petasans_leader_speaks_and_the_others_are_silent() {
    let [one, two] = nodes("auto");
    one.consul.servers().give_lock(LEADER, "node1");
    osd_fails([&one, &two]);
    one.relay.fault(Stage::Greeting, relay::Fault::Drop);
    one.check().exits(1);
    two.check().exits(0).is_silent();
    let told = two.run(&["check", "-v"]);
    told.exits(0).says(&["node1 speaks, so node2 is silent"]);
    assert_eq!(told.stdout, "");
    let document = two.run(&["check", "--json"]).exits(0).json();
    assert_eq!(
        (&document["speaker"], &document["checks"]),
        (&json!("node1"), &json!([]))
    );
    assert_eq!(document["mail"]["queued"], 1);
    assert!(two.ceph.calls().is_empty(), "{:?}", two.ceph.calls());
    assert!(two.relay.connections().is_empty());

    // It knows all the same.
    let pending = |node: &Cluster| {
        node.queue()
            .into_iter()
            .map(|mail| (mail["id"].clone(), mail["subject"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(pending(&two), pending(&one));
    assert_eq!(pending(&two)[0].1, DOWN);
    for (node, line) in [(&one, "node1, this node"), (&two, "node1; this is node2")] {
        let status = node.run(&["status"]);
        let found = status
            .exits(0)
            .stdout
            .lines()
            .find(|l| l.trim_start().starts_with("speaks"));
        assert_eq!(
            found
                .and_then(|found| found.split_once("speaks"))
                .map(|(_, who)| who.trim()),
            Some(line),
            "{}",
            status.stdout
        );
        assert!(status.stdout.contains("osd.1"), "{}", status.stdout);
        assert_eq!(status.stderr, "");
    }
    let status = two.run(&["status", "--json"]).exits(0).json();
    assert_eq!(
        status["nodes"],
        json!({"this": "node2", "speaker": "node1", "clock_ahead": null})
    );
    one.relay.heal();
    assert_eq!(one.subjects(), [DOWN]);

    // Another leader goes on from there.
    one.consul.servers().give_lock(LEADER, "node2");
    for node in [&one, &two] {
        node.ceph.healthy();
        node.check().exits(0);
    }
    assert!(one.relay.take_mails().is_empty());
    let mails = two.relay.take_mails();
    assert_eq!(mails.len(), 1, "{:?}", subjects(&mails));
    assert!(
        mails[0].subject().contains("up again"),
        "{}",
        mails[0].subject()
    );
    assert_eq!(speaker(&one), "node2");
}

#[test]
fn who_is_silent_says_so_in_the_metrics_and_sends_no_heartbeat() {
    let [mut one, mut two] = nodes("consul");
    let switch = Consul::start();
    switch.fault_everywhere(&Fault::Status(200, "OK".to_owned()));
    for node in [&mut one, &mut two] {
        let page = node.folder().join("petanotify.prom");
        node.set("metrics.textfile", &format!("\"{}\"", page.display()));
        let name = node.consul.address();
        node.set(
            "heartbeat.url",
            &format!("\"http://{}/{name}\"", switch.address()),
        );
        node.check().exits(0);
    }
    let beats: Vec<String> = switch
        .requests()
        .into_iter()
        .map(|beat| beat.path)
        .collect();
    assert_eq!(beats, [format!("/{}", one.consul.address())]);
    let page = |node: &Cluster| fs::read_to_string(node.folder().join("petanotify.prom")).unwrap();
    for (node, speaks) in [(&one, true), (&two, false)] {
        let page = page(node);
        let word = format!("\npetanotify_speaker {}\n", u8::from(speaks));
        assert!(page.contains(&word), "{page}");
        assert!(
            page.contains("\npetanotify_last_success_timestamp_seconds 1"),
            "{page}"
        );
        assert_eq!(page.contains("petanotify_check_state"), speaks, "{page}");
    }
    assert!(!page(&two).contains("petanotify_queue_length"));
}

/// petanotify on node3 alone, as it has always been, and PetaSAN's leader is node2, where it is not.
fn alone() -> Cluster {
    let [one, _two, mut three] = nodes("off");
    three.check().exits(0);
    one.consul.servers().give_lock(LEADER, "node2");
    three.unset_section("ha");
    osd_fails([&three]);
    three
}

/// In which pass the mail comes.
fn first_mail(node: &Cluster) -> Option<usize> {
    node.relay.take_mails();
    (1..=12).find(|_| {
        node.check();
        !node.relay.take_mails().is_empty()
    })
}

#[test]
fn a_node_that_alone_runs_petanotify_speaks_before_long() {
    let mut node = alone();
    assert_eq!(first_mail(&node), Some(3));
    assert_eq!(speaker(&node), "node3");
    node.run(&["status"]).exits(0);
    node.ceph.healthy();
    assert_eq!(node.subjects().len(), 1, "from then on in each pass");
    // Also where it is the leader itself now, and Consul has none.
    node.consul.servers().give_lock(LEADER, "node3");
    for _ in 0..2 {
        node.check().exits(0);
    }
    node.set("consul.timeout", "\"1s\"");
    osd_fails([&node]);
    node.consul.lose_leader();
    assert_eq!(first_mail(&node), Some(3));
    node.consul.heal();
    node.ceph.healthy();
    for _ in 0..2 {
        node.check().exits(0);
    }
    // It goes on without the agent.
    osd_fails([&node]);
    node.consul.fault_everywhere(&Fault::Close);
    assert!(first_mail(&node).is_some());
}

#[test]
fn a_node_that_has_nothing_to_do_with_a_leader_speaks_at_once() {
    for fault in [
        Fault::Close,
        Fault::Status(403, "Permission denied".to_owned()),
    ] {
        let node = alone();
        node.consul.fault(&format!("/v1/kv/{LEADER}"), fault);
        assert_eq!(first_mail(&node), Some(1));
    }
}

#[test]
fn a_node_that_alone_runs_petanotify_speaks_also_where_nobody_can_know_who_should() {
    /// What goes wrong, from the first pass of the new release on or after it.
    type Trouble = fn(&Cluster);
    let troubles: [(&str, bool, Trouble); 6] = [
        ("no leader of Consul", false, |node| {
            node.consul.lose_leader()
        }),
        ("no leader of Consul, later", true, |node| {
            node.consul.lose_leader()
        }),
        ("the agent is dead, later", true, |node| {
            node.consul.fault_everywhere(&Fault::Close)
        }),
        ("the memory may not be read", false, |node| {
            refuses(node, "/v1/kv/petanotify/prod/")
        }),
        ("sessions may not be seen", false, |node| {
            let session = node.consul.servers().lock_of(LEADER);
            refuses(node, &format!("/v1/session/info/{session}"));
        }),
        ("nothing may be written", false, |node| {
            refuses(node, TRANSACTION);
            refuses(node, "/v1/session/create");
        }),
    ];
    std::thread::scope(|all| {
        for (name, later, trouble) in troubles {
            all.spawn(move || {
                let mut node = alone();
                node.set("consul.timeout", "\"1s\"");
                if later {
                    node.check().exits(0).is_silent();
                }
                trouble(&node);
                let found = first_mail(&node);
                assert!(found <= Some(5) && found.is_some(), "{name}: {found:?}");
            });
        }
    });
}

/// Consul's access control refuses this.
fn refuses(node: &Cluster, path: &str) {
    node.consul
        .fault(path, Fault::Status(403, "Permission denied".to_owned()));
}

#[test]
fn a_speaker_whose_agent_is_dead_is_silent_as_long_as_another_may_speak() {
    for mode in ["consul", "petasan"] {
        let [one, two] = nodes(mode);
        if mode == "petasan" {
            one.consul.servers().give_lock(LEADER, "node1");
        }
        for node in [&one, &two] {
            node.check().exits(0);
        }
        osd_fails([&one, &two]);
        one.consul.fault_everywhere(&Fault::Close);
        let run = one.check();
        run.exits(1)
            .says(&["error", "cannot be read, so others are to speak"]);
        assert_eq!(first_mail(&one), Some(9), "{mode}: the tenth without it");
    }
}
