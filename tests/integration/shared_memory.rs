//! The memory that nodes share in Consul: what becomes of it when one of them dies, is cut off or can't write, and when
//! several change it at once.

use std::fs;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::consul::{Fault, TRANSACTION};
use crate::relay::{self, Mail, Stage};
use crate::sharing::{DOWN, LEADER, LOCK, MEMORY, UP, nodes, osd_fails, speaker, subjects};

/// Nodes of which the first speaks, and which all know the same. Then an OSD fails.
fn settled<const N: usize>() -> [Cluster; N] {
    let nodes = nodes("consul");
    for node in &nodes {
        node.check().exits(0).is_silent_but("speaks from now on");
    }
    osd_fails(&nodes);
    nodes
}

/// The first node's machine dies.
fn dies(node: &Cluster) {
    node.consul.servers().end_sessions_of("node1");
}

/// The head of the memory.
fn head(node: &Cluster) -> Value {
    serde_json::from_str(&node.consul.servers().text(MEMORY).unwrap()).unwrap()
}

fn set_head(node: &Cluster, head: &Value) {
    node.consul.servers().put(MEMORY, &head.to_string());
}

fn ids(mails: &[Mail]) -> Vec<String> {
    let mut ids: Vec<String> = mails.iter().map(Mail::id).collect();
    ids.sort();
    ids
}

/// The first node can't publish, and says so; mails leave all the same, and nothing is sent twice.
#[track_caller]
fn mails_without_publishing(fault: Fault, code: i32, told: &[&str]) {
    let [mut one, two] = settled();
    one.set("consul.timeout", "\"1s\"");
    let before = head(&one)["saves"].as_u64().unwrap();
    one.consul.fault(TRANSACTION, fault);
    let run = one.check();
    run.exits(code)
        .says(&[&["nothing can be shared"], told].concat());
    assert_eq!(
        run.stderr.matches("nothing can be shared").count(),
        1,
        "{}",
        run.stderr
    );
    assert_eq!(subjects(&one.relay.take_mails()), [DOWN]);
    one.consul.heal();
    one.check()
        .exits(0)
        .is_silent_but("going on from what the nodes share and from what this node knew alone");
    assert!(head(&one)["saves"].as_u64().unwrap() > before);
    dies(&one);
    two.check().exits(0).is_silent_but("speaks from now on");
    assert!(two.relay.mails().is_empty() && one.relay.mails().is_empty());
    let status = two.run(&["status"]);
    assert!(
        status.exits(0).stdout.contains("osd.1"),
        "{}",
        status.stdout
    );
}

#[test]
fn a_publication_that_fails_holds_up_no_mail() {
    mails_without_publishing(
        Fault::Status(500, "internal error".to_owned()),
        1,
        &["error", "500", "internal error"],
    );
}

#[test]
fn a_publication_that_access_control_refuses_holds_up_no_mail() {
    mails_without_publishing(
        Fault::Status(403, "Permission denied".to_owned()),
        1,
        &[
            "error",
            "403",
            r#"policy must contain key_prefix "petanotify/" { policy = "write" }"#,
        ],
    );
}

#[test]
fn a_publication_that_is_too_long_holds_up_no_mail() {
    let words = "Request body(524350 bytes) too large, max size: 524288 bytes. \
                 See https://www.consul.io/docs/agent/options.html#txn_max_req_len.";
    mails_without_publishing(
        Fault::Status(413, words.to_owned()),
        1,
        &["error", "413", "too large, max size: 524288 bytes"],
    );
}

#[test]
fn a_publication_of_which_nobody_knows_whether_it_was_one_holds_up_no_mail() {
    mails_without_publishing(Fault::Hang, 0, &["warning", "1 s"]);
    mails_without_publishing(Fault::Close, 1, &["error"]);
}

#[test]
fn what_a_speaker_was_about_to_send_when_it_was_killed_its_successor_sends() {
    let [one, two] = settled();
    one.relay.fault(Stage::Greeting, relay::Fault::Hang);
    let pass = one.start(&["check"]);
    one.relay.wait_for(|connections, _| !connections.is_empty());
    pass.kill();
    one.relay.heal();
    dies(&one);
    // All is well by now, so nobody else would ever tell it.
    two.ceph.healthy();
    one.ceph.healthy();
    let told = two.subjects();
    assert_eq!(
        (told.len(), told[0].contains("1 OSD was down")),
        (1, true),
        "{told:?}"
    );
    for node in [&one, &two, &one] {
        node.check().exits(0);
    }
    assert!(one.relay.mails().is_empty() && two.relay.mails().is_empty());
    assert!(one.queue().is_empty());
}

#[test]
fn what_a_speaker_was_sending_when_it_was_killed_is_sent_again_as_the_same() {
    let [one, two] = settled();
    one.relay.fault(Stage::End, relay::Fault::TakeAndHang);
    let pass = one.start(&["check"]);
    one.relay.wait_for(|_, mails| !mails.is_empty());
    pass.kill();
    dies(&one);
    let (before, again) = (one.relay.take_mails(), two.pass(0));
    assert_eq!((before.len(), ids(&before)), (1, ids(&again)));
}

#[test]
fn who_loses_the_lock_while_it_sends_stops_and_the_next_speaker_sends_the_rest() {
    for hands_over in [true, false] {
        let [mut one, mut two] = settled();
        for node in [&mut one, &mut two] {
            node.recipients(&["a@example.org", "b@example.org", "c@example.org"]);
        }
        one.consul.before(
            |request| request.writes("sent/0"),
            |servers| {
                let mut servers = servers.lock().unwrap();
                servers.end_sessions_of("node1");
                servers.give_lock(LOCK, "node3");
            },
        );
        let run = one.check();
        run.says(&["another node has the lock now, so this one sends no more mail"]);
        let first = one.relay.take_mails();
        assert_eq!(first.len(), 1);
        if hands_over {
            one.check().exits(0).is_silent();
        }
        two.consul.servers().end_sessions_of("node3");
        let rest = two.pass(0);
        assert_eq!(rest.len(), if hands_over { 2 } else { 3 });
        let mut all = ids(&[first, rest].concat());
        all.dedup();
        assert_eq!(all.len(), 3, "what is sent twice is the same mail");
        for node in [&one, &two] {
            node.check().exits(0);
            assert!(node.relay.take_mails().is_empty());
            assert!(node.queue().is_empty());
        }
    }
}

#[test]
fn what_was_found_in_a_pass_that_lost_the_lock_is_told_once_by_the_next_speaker() {
    let [one, two] = settled();
    two.ceph.situation("18.2.7", "two-osds-down");
    one.consul.before(
        |request| request.writes(MEMORY),
        |servers| {
            let mut servers = servers.lock().unwrap();
            servers.end_sessions_of("node1");
            servers.give_lock(LOCK, "node3");
        },
    );
    one.check()
        .exits(0)
        .says(&["another node has the lock now: node1 is silent from here on"]);
    assert!(one.queue().is_empty());
    assert_eq!(one.state()["memory"]["osds"]["incident"], Value::Null);
    two.consul.servers().end_sessions_of("node3");
    let told = two.subjects();
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("2 OSDs down"), "{told:?}");
    for node in [&one, &two, &one, &two] {
        node.check().exits(0);
    }
    assert!(one.relay.mails().is_empty() && two.relay.mails().is_empty());
}

/// The first node sends one mail; when that has left, this is done on the second one.
fn in_the_midst_of_a_pass(
    one: &Cluster,
    two: &Arc<Cluster>,
    act: impl FnOnce(&Cluster) + Send + 'static,
) {
    let two = Arc::clone(two);
    one.consul.before(
        |request| request.writes("sent/0"),
        move |_| {
            act(&two);
        },
    );
    one.check();
}

#[test]
fn what_is_said_on_another_node_while_the_speaker_sends_is_not_written_over() {
    let [one, two] = settled();
    let two = Arc::new(two);
    in_the_midst_of_a_pass(&one, &two, |two| {
        two.run(&["silence", "add", "--node", "node2", "--for", "1h"])
            .exits(0);
        two.run(&["ack", "osds", "--why", "seen"]).exits(0);
    });
    assert_eq!(subjects(&one.relay.take_mails()), [DOWN]);
    for node in [&one, &*two] {
        node.check().exits(0);
        let silences = node.run(&["silence", "list", "--json"]).exits(0).json();
        assert_eq!(silences["silences"][0]["nodes"], json!(["node2"]));
        let status = node.run(&["status", "--json"]).exits(0).json();
        assert_eq!(status["incidents"][0]["ack"]["why"], "seen");
    }
}

#[test]
fn a_mail_that_is_dropped_on_another_node_while_the_speaker_sends_stays_dropped() {
    let [mut one, mut two] = settled();
    for node in [&mut one, &mut two] {
        node.recipients(&["a@example.org", "b@example.org"]);
    }
    one.relay.refuse("b@example.org", "450 later");
    let two = Arc::new(two);
    in_the_midst_of_a_pass(&one, &two, |two| {
        let mails = two.queue();
        let to_b = mails.iter().find(|mail| mail["to"] == "b@example.org");
        let id = to_b.unwrap()["id"].as_str().unwrap();
        two.run(&["queue", "drop", id]).exits(0);
    });
    assert_eq!(one.relay.take_mails().len(), 1);
    one.relay.heal();
    assert!(one.pass(0).is_empty());
    dies(&one);
    assert!(two.pass(0).is_empty());
    assert!(two.queue().is_empty() && one.queue().is_empty());
}

#[test]
fn two_who_change_the_memory_at_once_are_both_heard() {
    let [one, two] = settled();
    let one = Arc::new(one);
    let first = Arc::clone(&one);
    two.consul.before(
        |request| request.writes(MEMORY),
        move |_| {
            first
                .run(&["silence", "add", "--node", "node2", "--for", "1h"])
                .exits(0);
        },
    );
    let said = two.run(&["silence", "add", "--node", "node3", "--for", "1h", "--json"]);
    let id = said.exits(0).json()["silence"]["id"].clone();
    for node in [&*one, &two] {
        let list = node.run(&["silence", "list", "--json"]).exits(0).json();
        let silences = list["silences"].as_array().unwrap();
        let of = |name: &str| {
            silences
                .iter()
                .find(|s| s["nodes"] == json!([name]))
                .unwrap()["id"]
                .clone()
        };
        assert_eq!(silences.len(), 2);
        assert_eq!(of("node3"), id, "as it was called when it was added");
        assert_ne!(of("node2"), id);
    }
}

#[test]
fn what_is_done_on_a_silent_node_counts_for_all() {
    let [one, two] = settled();
    one.relay.fault(Stage::Greeting, relay::Fault::Drop);
    one.check().exits(1);
    let id = two.queue()[0]["id"].as_str().unwrap().to_owned();
    // What is to be sent the speaker sends.
    let flush = two.run(&["queue", "flush"]);
    flush.says(&["node1 speaks, and tries all of it in its next pass"]);
    assert!(two.relay.connections().is_empty());
    two.run(&["ack"]).exits(0);
    two.run(&["queue", "drop", &id]).exits(0);
    assert!(one.queue().is_empty());
    one.relay.heal();
    assert!(one.pass(0).is_empty());
    let status = one.run(&["status", "--json"]).exits(0).json();
    assert!(status["incidents"][0]["ack"].is_object(), "{status}");
}

#[test]
fn without_consul_commands_say_what_they_go_by_and_are_heard_of_later() {
    let [one, two] = settled();
    two.consul.fault_everywhere(&Fault::Close);
    for arguments in [&["status"][..], &["queue", "list"], &["silence", "list"]] {
        let run = two.run(arguments);
        run.exits(0)
            .says(&["warning", "this is what node2 knew last", "cannot be read"]);
    }
    let run = two.run(&["silence", "add", "--osd", "1", "--for", "1h"]);
    run.exits(0).says(&["this is what node2 knew last"]);
    assert_eq!(speaker(&two), Value::Null);
    two.consul.heal();
    two.check().exits(0).is_silent();
    let list = one.run(&["silence", "list", "--json"]).exits(0).json();
    assert_eq!(list["silences"].as_array().unwrap().len(), 1);
    assert!(one.subjects().is_empty(), "it is silenced");
}

#[test]
fn a_memory_that_cannot_be_used_holds_up_no_mail() {
    type Damage = fn(&Cluster, Value);
    let damages: [(&str, &[&str], Damage); 5] = [
        ("garbage", &["expected value"], |node, _| {
            node.consul.servers().put(MEMORY, "garbage")
        }),
        ("nothing", &["EOF"], |node, _| {
            node.consul.servers().put(MEMORY, "")
        }),
        (
            "a part is missing",
            &["changes all the time"],
            |node, mut head| {
                head["parts"] = json!(1);
                head["content"] = Value::Null;
                head["saves"] = json!(90);
                set_head(node, &head);
            },
        ),
        ("the checksum", &["checksum is wrong"], |node, mut head| {
            head["checksum"] = json!(1);
            set_head(node, &head);
        }),
        ("the length", &["bytes instead of 1"], |node, mut head| {
            head["length"] = json!(1);
            head["saves"] = json!(90);
            set_head(node, &head);
        }),
    ];
    for (name, told, damage) in damages {
        let [one, two] = settled();
        damage(&one, head(&one));
        let run = two.check();
        run.exits(1)
            .says(&[&["error", "shared memory cannot be used"], told].concat());
        let run = one.check();
        run.exits(1)
            .says(&[&["error", "shared memory cannot be used"], told].concat());
        assert_eq!(subjects(&one.relay.take_mails()), [DOWN], "{name}");
        // The next publication is good again.
        for node in [&one, &two] {
            node.check().exits(0).is_silent();
        }
        dies(&one);
        assert!(two.pass(0).is_empty(), "{name}");
    }
}

#[test]
fn notes_that_are_lost_cost_a_session_and_no_mail() {
    let [one, _two] = settled();
    let notes = one.state_folder().join("state.json.ha");
    // The session is gone.
    dies(&one);
    assert_eq!(one.subjects(), [DOWN]);
    // So is the memory of it: until it ends nobody else gets the lock.
    fs::write(&notes, "{garbage").unwrap();
    one.ceph.healthy();
    assert!(one.subjects().is_empty());
    dies(&one);
    assert_eq!(one.subjects(), [UP]);
}

#[test]
fn a_long_memory_lies_in_parts_that_go_with_it() {
    const PARTS: &str = "petanotify/prod-parts/";
    let [mut one, two] = settled();
    let addresses: Vec<String> = (0..600).map(|n| format!("r{n}@example.org")).collect();
    one.recipients(&Vec::from_iter(addresses.iter().map(String::as_str)));
    one.relay.fault(Stage::Greeting, relay::Fault::Drop);
    one.check().exits(1);
    let parts = one.consul.servers().keys(PARTS);
    assert_eq!(parts.len(), 1, "{parts:?}");
    assert_eq!(two.queue().len(), addresses.len());

    // Another publication has parts of its own; a short one has none.
    two.run(&["silence", "add", "--node", "node2", "--for", "1h"])
        .exits(0);
    let others = one.consul.servers().keys(PARTS);
    assert_eq!((others.len(), others == parts), (1, false), "{others:?}");
    two.run(&["queue", "drop", "--all", "--yes"]).exits(0);
    assert_eq!(one.consul.servers().keys(PARTS), [""; 0]);
    assert!(one.queue().is_empty());
    one.check().exits(0);
}

#[test]
fn a_node_whose_state_is_lost_or_set_back_goes_on_from_what_is_shared() {
    let [one, _two] = settled();
    let before = fs::read(one.state_file()).unwrap();
    assert_eq!(one.subjects(), [DOWN]);
    fs::write(one.state_file(), before).unwrap();
    assert_eq!(one.subjects(), [""; 0]);
    for name in one.state_names() {
        if name != "state.json.lock" && name != "state.json.ha" {
            fs::remove_file(one.state_folder().join(name)).unwrap();
        }
    }
    assert_eq!(one.subjects(), [""; 0]);
    one.ceph.healthy();
    assert_eq!(one.subjects(), [UP]);
}

#[test]
fn a_consul_that_is_set_back_or_emptied_makes_nobody_repeat_anything() {
    for is_emptied in [false, true] {
        let [one, two] = settled();
        let before = head(&one);
        assert_eq!(one.subjects(), [DOWN]);
        two.check().exits(0).is_silent();
        match is_emptied {
            true => one.consul.servers().delete(MEMORY),
            false => set_head(&one, &before),
        }
        dies(&one);
        for node in [&two, &one, &two] {
            assert!(node.pass(0).is_empty(), "emptied: {is_emptied}");
        }
        two.ceph.healthy();
        assert_eq!(two.subjects(), [UP], "emptied: {is_emptied}");
        assert_eq!(head(&one)["node"], "node2");
    }
}

#[test]
fn what_a_later_release_has_published_is_not_written_over() {
    let content = {
        use base64::Engine as _;
        use std::io::Write as _;
        let text = petanotify::seal::sealed(&json!({"version": 99})).unwrap();
        let mut encoder =
            flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&text).unwrap();
        let packed = encoder.finish().unwrap();
        let content = base64::engine::general_purpose::STANDARD.encode(&packed);
        json!({"length": packed.len(), "checksum": crc32fast::hash(&packed), "content": content})
    };
    for of_its_form in [true, false] {
        let [one, two] = settled();
        let mut later = json!({"form": 2, "more": []});
        if of_its_form {
            later = head(&one);
            for field in ["length", "checksum", "content"] {
                later[field] = content[field].clone();
            }
        }
        set_head(&one, &later);
        for node in [&two, &one, &one] {
            node.check()
                .exits(1)
                .says(&["error", "a later release of petanotify wrote it"]);
        }
        assert_eq!(subjects(&one.relay.take_mails()), [DOWN]);
        two.run(&["silence", "add", "--osd", "1", "--for", "1h"])
            .says(&["a later release of petanotify wrote it"]);
        assert_eq!(head(&one), later);
    }
}

#[test]
fn a_node_that_can_keep_no_notes_speaks_all_the_same() {
    for mode in ["consul", "petasan"] {
        let [one] = nodes(mode);
        if mode == "petasan" {
            one.consul.servers().give_lock(LEADER, "node1");
        }
        fs::create_dir_all(one.state_folder().join("state.json.ha/x")).unwrap();
        one.check().says(&["warning", "state.json.ha"]);
        osd_fails([&one]);
        let mut passes = 1..=6;
        let found = passes.find(|_| {
            dies_unless_petasan(&one, mode);
            one.check();
            !one.relay.take_mails().is_empty()
        });
        assert!(found.is_some(), "{mode}: silent for good");
    }
}

/// A session that is not renewed ends.
fn dies_unless_petasan(node: &Cluster, mode: &str) {
    if mode == "consul" {
        dies(node);
    }
}

#[test]
fn a_node_that_shares_and_does_not_in_turn_loses_and_repeats_nothing() {
    let [mut one] = settled();
    one.set("notify.flapping.enabled", "false");
    let mut told = one.subjects();
    for mode in ["off", "consul", "off", "consul"] {
        one.set("ha.mode", &format!("\"{mode}\""));
        if mode == "off" {
            one.unset("ha.lock_delay");
        }
        for is_down in [false, true] {
            match is_down {
                true => osd_fails([&one]),
                false => one.ceph.healthy(),
            }
            for _ in 0..3 {
                told.extend(one.subjects());
            }
        }
    }
    let mut expected = vec![DOWN.to_owned()];
    for _ in 0..4 {
        expected.extend([UP.to_owned(), DOWN.to_owned()]);
    }
    assert_eq!(told, expected);
}

#[test]
fn what_a_node_has_from_the_time_when_it_was_alone_is_handed_over() {
    for may_write in [true, false] {
        let [mut one, two] = nodes("consul");
        one.set("ha.mode", "\"off\"");
        one.unset("ha.lock_delay");
        osd_fails([&one]);
        one.relay.fault(Stage::Greeting, relay::Fault::Drop);
        one.check().exits(1);
        one.set("ha.mode", "\"consul\"");
        one.set("ha.lock_delay", "\"1ms\"");
        if !may_write {
            one.consul.fault(
                TRANSACTION,
                Fault::Status(403, "Permission denied".to_owned()),
            );
        }
        one.check().exits(1);
        one.consul.heal();
        dies(&one);
        // Only the first node knows of it, for all is well by now.
        one.ceph.healthy();
        let mut told = subjects(&two.pass(0));
        assert!(one.pass(0).is_empty());
        told.extend(subjects(&two.pass(0)));
        assert_eq!(told.len(), 1, "may write: {may_write}");
        assert!(told[0].contains("1 OSD was down"), "{told:?}");
        assert!(one.queue().is_empty());
    }
}

#[test]
fn what_another_node_hands_over_while_the_speaker_judges_is_not_told_again() {
    let [one, mut two] = settled();
    two.set("ha.mode", "\"off\"");
    two.unset("ha.lock_delay");
    assert_eq!(two.subjects(), [DOWN]);
    two.set("ha.mode", "\"consul\"");
    let two = Arc::new(two);
    let other = Arc::clone(&two);
    one.consul.before(
        |request| request.writes(MEMORY),
        move |_| {
            other.check().exits(0);
        },
    );
    assert_eq!(one.subjects(), [""; 0]);
    for node in [&*two, &one] {
        node.check().exits(0);
        node.ceph.healthy();
    }
    assert_eq!(one.subjects(), [UP]);
    assert!(two.relay.take_mails().is_empty());
}
