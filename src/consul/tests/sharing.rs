//! Sessions, locks and transactions: what Consul 1.8.7 answered, word for word.

use super::*;

const SESSION: &str = "9c3703d0-c7a9-36d7-4f9d-9077226b05b8";
const LEADER: &str = "petanotify/prod/leader";
const NO_LEADER: &str = "rpc error making call: No cluster leader";
const DEAD_SERVER: &str = "rpc error getting client: failed to get conn: dial tcp \
                           127.0.78.4:0->127.0.78.2:8300: connect: connection refused";

fn session() -> SessionId {
    SessionId::parse(SESSION).unwrap()
}

fn refused(status: &str, words: &str) -> Reply {
    http(status, "", words)
}

/// An agent that gives this answer to the first request.
fn once(reply: Reply) -> Agent {
    let reply = std::sync::Mutex::new(Some(reply));
    let (address, _) = serve(move |_| reply.lock().unwrap().take().unwrap());
    agent(&address)
}

/// Which of the failures it is, and its words.
fn told<T: std::fmt::Debug>(result: Result<T, Failure>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(failure) => {
            let kind = match &failure {
                Failure::NoQuorum(_) => "no quorum",
                Failure::Refused(_) => "refused",
                Failure::Unreachable(_) => "unreachable",
            };
            format!("{kind}: {failure}")
        }
    }
}

#[test]
fn a_session_is_created_as_consul_wants_it() {
    let body = r#"{"ID":"9c3703d0-c7a9-36d7-4f9d-9077226b05b8"}"#;
    let (address, received) = serve(move |_| ok(body));
    let made = agent(&address).create_session(
        "petanotify",
        Duration::from_secs(75),
        Duration::from_secs(15),
        &log(),
    );
    assert_eq!(made.unwrap(), session());
    assert!(
        received
            .recv()
            .unwrap()
            .starts_with("PUT /v1/session/create ")
    );

    for (reply, expected) in [
        (
            refused("403 Forbidden", "Permission denied"),
            r#"/v1/session/create: 403 Forbidden: Permission denied; the token's policy must contain session_prefix "" { policy = "write" }"#,
        ),
        (
            refused(
                "500 Internal Server Error",
                "rpc error making call: Missing node registration",
            ),
            "500 Internal Server Error: rpc error making call: Missing node registration; the agent registers its node within a minute",
        ),
        (
            ok("{}"),
            "cannot make sense of the answer: missing field `ID`",
        ),
        (ok(r#"{"ID":"../x"}"#), "the session's id is no UUID"),
    ] {
        let second = Duration::from_secs(60);
        let made = told(once(reply).create_session("petanotify", second, second, &log()));
        assert!(
            made.starts_with("refused: ") && made.contains(expected),
            "{made}"
        );
    }
}

#[test]
fn only_a_uuid_is_the_id_of_a_session() {
    for text in [
        "",
        "abc",
        "9c3703d0-c7a9-36d7-4f9d-9077226b05b",
        "9c3703d0-c7a9-36d7-4f9d-9077226b05b8\n",
        "9c3703d0-c7a9-36d7-4f9d-9077226b05/8",
    ] {
        assert_eq!(SessionId::parse(text), None, "{text:?}");
    }
}

#[test]
fn a_session_that_has_ended_is_no_failure() {
    let renew = |reply| told(once(reply).renew_session(&session(), &log()));
    assert_eq!(renew(ok("[]")), "true");
    let gone = format!("Session id '{SESSION}' not found");
    assert_eq!(renew(refused("404 Not Found", &gone)), "false");
    let other = renew(refused("404 Not Found", "<h1>nginx</h1>"));
    assert!(other.starts_with("refused: "), "{other}");

    let node = |reply| told(once(reply).session_node(&session(), &log()));
    let known = format!(r#"[{{"ID":"{SESSION}","Name":"petanotify","Node":"node1","TTL":"75s"}}]"#);
    assert_eq!(node(ok(known)), r#"Some("node1")"#);
    for (verdict, expected) in [
        (r#"[{"Segment":"any","Allow":true}]"#, "None"),
        (r#"[{"Segment":"any","Allow":false}]"#, "refused: "),
        // Consul 1.6, or one without access control.
        ("no such path", "None"),
    ] {
        for nothing in ["[]", "null"] {
            let (address, _) = serve(move |path| match path {
                "/v1/internal/acl/authorize" => ok(verdict),
                _ => ok(nothing),
            });
            let told = told(agent(&address).session_node(&session(), &log()));
            assert!(told.starts_with(expected), "{told}");
            let names_rule = told.ends_with(r#"contain session_prefix "" { policy = "write" }"#);
            assert_eq!(names_rule, expected != "None", "{told}");
        }
    }

    let end = |reply| told(once(reply).destroy_session(&session(), &log()));
    assert_eq!(end(ok("true")), "()");
    let unknown = end(refused("403 Forbidden", "ACL not found"));
    assert!(
        unknown.contains("Consul does not know the token"),
        "{unknown}"
    );
}

#[test]
fn a_lock_is_taken_or_is_somebody_elses() {
    let acquire = |reply| told(once(reply).acquire(LEADER, &session(), b"node1", &log()));
    let write = r#"the token's policy must contain key_prefix "petanotify/" { policy = "write" }"#;
    assert_eq!(acquire(ok("true")), "true");
    assert_eq!(acquire(ok("false\n")), "false");
    for words in [
        "invalid session \"9c3703d0-c7a9-36d7-4f9d-9077226b05b8\"",
        "rpc error making call: rpc error making call: invalid session \"9c3703d0\"",
    ] {
        assert_eq!(
            acquire(refused("500 Internal Server Error", words)),
            "false"
        );
    }
    let denied = acquire(refused("403 Forbidden", "Permission denied"));
    assert!(
        denied.starts_with("refused: ") && denied.ends_with(write),
        "{denied}"
    );
    let long = "Request body(524289 bytes) too large, max size: 524288 bytes.";
    let long = acquire(refused("413 Request Entity Too Large", long));
    assert!(
        long.starts_with("refused: ") && long.contains("too large"),
        "{long}"
    );

    let (address, received) = serve(|_| ok("true"));
    let agent = agent(&address);
    agent.acquire(LEADER, &session(), b"node1", &log()).unwrap();
    assert_eq!(
        paths(&received),
        [format!("/v1/kv/{LEADER}?acquire={SESSION}")]
    );
}

#[test]
fn the_shared_keys_are_read_with_all_that_a_change_needs() {
    let tree = r#"[
        {"LockIndex":2,"Key":"petanotify/prod/leader","Flags":0,"Value":"bm9kZTE=","Session":"9c3703d0-c7a9-36d7-4f9d-9077226b05b8","CreateIndex":11,"ModifyIndex":28},
        {"LockIndex":0,"Key":"petanotify/prod/memory","Flags":0,"Value":null,"CreateIndex":29,"ModifyIndex":31}]"#;
    let expected = [
        Entry {
            key: LEADER.to_owned(),
            value: b"node1".to_vec(),
            modify_index: 28,
            lock_index: 2,
            session: Some(session()),
        },
        Entry {
            key: "petanotify/prod/memory".to_owned(),
            value: Vec::new(),
            modify_index: 31,
            lock_index: 0,
            session: None,
        },
    ];
    let (address, received) = serve(move |_| ok(tree));
    let agent = agent(&address);
    for read in [Freshness::Consistent, Freshness::Stale] {
        let entries = agent.read_tree("petanotify/prod/", read, &log()).unwrap();
        assert_eq!(entries, expected);
        let entry = agent.read_entry(LEADER, read, &log()).unwrap();
        assert_eq!(entry.as_ref(), Some(&expected[0]));
    }
    assert_eq!(
        paths(&received),
        [
            "/v1/kv/petanotify/prod/?recurse&consistent",
            "/v1/kv/petanotify/prod/leader?consistent",
            "/v1/kv/petanotify/prod/?recurse&stale",
            "/v1/kv/petanotify/prod/leader?stale",
        ]
    );

    for (reply, expected) in [
        (refused("404 Not Found", ""), "[]"),
        (ok("null"), "[]"),
        (
            ok(r#"[{"Key":"a","Value":"*","ModifyIndex":1,"LockIndex":0}]"#),
            "refused: Consul: GET",
        ),
        (ok("<html>"), "refused: Consul: GET"),
        (
            refused("403 Forbidden", "Permission denied"),
            "refused: Consul: GET",
        ),
        (Reply::Close(Vec::new()), "unreachable: Consul: GET"),
    ] {
        let read = told(once(reply).read_tree("petanotify/prod/", Freshness::Consistent, &log()));
        assert!(read.starts_with(expected), "{read}");
    }
}

#[test]
fn a_transaction_is_written_as_consul_reads_it() {
    let key = || "a/b".to_owned();
    let value = b"hello".to_vec();
    for (step, expected) in [
        (
            Step::CheckSession {
                key: key(),
                session: session(),
            },
            r#""Verb":"check-session","Key":"a/b","Session":"9c3703d0-c7a9-36d7-4f9d-9077226b05b8""#,
        ),
        (
            Step::CheckIndex {
                key: key(),
                index: 7,
            },
            r#""Verb":"check-index","Key":"a/b","Index":7"#,
        ),
        (
            Step::Set {
                key: key(),
                value: Vec::new(),
            },
            r#""Verb":"set","Key":"a/b","Value":"""#,
        ),
        (
            Step::Cas {
                key: key(),
                index: 0,
                value,
            },
            r#""Verb":"cas","Key":"a/b","Value":"aGVsbG8=","Index":0"#,
        ),
        (
            Step::Delete { key: key() },
            r#""Verb":"delete","Key":"a/b""#,
        ),
        (
            Step::DeleteTree { prefix: key() },
            r#""Verb":"delete-tree","Key":"a/b""#,
        ),
    ] {
        assert_eq!(
            serde_json::to_string(&tree::request(&[step])).unwrap(),
            format!(r#"[{{"KV":{{{expected}}}}}]"#)
        );
    }
}

#[test]
fn the_largest_transaction_is_one_that_consul_takes() {
    let key = format!("petanotify/{}-parts/{}/0", "c".repeat(200), "n".repeat(255));
    let value = vec![0xff; MOST_BYTES - MOST_STEPS + 1];
    let mut steps = vec![
        Step::Set {
            key: key.clone(),
            value
        };
        1
    ];
    steps.resize(
        MOST_STEPS / 4,
        Step::Set {
            key,
            value: vec![0xff],
        },
    );
    let request = serde_json::to_string(&tree::request(&steps)).unwrap();
    assert!(request.len() <= 512 * 1024, "{}", request.len());
}

#[test]
fn a_transaction_is_carried_out_or_somebody_else_was_first() {
    let steps = [
        Step::CheckSession {
            key: LEADER.to_owned(),
            session: session(),
        },
        Step::Cas {
            key: "petanotify/prod/memory".to_owned(),
            index: 3,
            value: b"hello".to_vec(),
        },
        Step::DeleteTree {
            prefix: "petanotify/prod-parts/7-node1/".to_owned(),
        },
    ];
    let transact = |reply| told(once(reply).transact(&steps, &log()));
    assert_eq!(
        transact(ok(
            r#"{"Results":[{"KV":{"LockIndex":0,"Key":"x"}}],"Errors":null}"#
        )),
        "Done"
    );
    assert_eq!(transact(ok(r#"{"Results":[],"Errors":null}"#)), "Done");
    for (words, expected) in [
        (
            r#"{"Results":null,"Errors":[{"OpIndex":1,"What":"failed to set key \"petanotify/prod/memory\", index is stale"}]}"#,
            r#"Refused("failed to set key \"petanotify/prod/memory\", index is stale")"#,
        ),
        (
            r#"{"Results":null,"Errors":[{"OpIndex":0,"What":"failed session check for key \"k\", current session \"\" != \"9c\""},{"OpIndex":1,"What":"index is stale"}],"Index":0,"KnownLeader":true}"#,
            r#"Refused("failed session check for key \"k\", current session \"\" != \"9c\"; index is stale")"#,
        ),
        (
            r#"{"Results":null,"Errors":[{"OpIndex":1,"What":"Permission denied"},{"OpIndex":2,"What":"Permission denied"}]}"#,
            r#"/v1/txn: petanotify/prod/memory: Permission denied; the token's policy must contain key_prefix "petanotify/" { policy = "write" }"#,
        ),
        (
            r#"{"Results":null,"Errors":[{"OpIndex":2,"What":"Permission denied"}]}"#,
            r#"key_prefix "petanotify/prod-parts/" { policy = "write" }"#,
        ),
        ("conflict", "refused: Consul: PUT"),
    ] {
        let result = transact(refused("409 Conflict", words));
        assert!(result.contains(expected), "{result}");
        assert_eq!(
            result.starts_with("Refused("),
            expected.starts_with("Refused(")
        );
    }
    for (status, words) in [
        (
            "413 Request Entity Too Large",
            "Transaction contains too many operations (65 > 64)",
        ),
        ("403 Forbidden", "ACL not found"),
    ] {
        let result = transact(refused(status, words));
        assert!(
            result.starts_with("refused: ") && result.contains(words),
            "{result}"
        );
    }
}

#[test]
fn a_dead_server_is_no_lost_quorum() {
    let answers = std::sync::Mutex::new(vec![ok("true"), failed(DEAD_SERVER), failed(DEAD_SERVER)]);
    let (address, received) = serve(move |_| answers.lock().unwrap().pop().unwrap());
    let taken = agent(&address).acquire(LEADER, &session(), b"node1", &log());
    assert_eq!(told(taken), "true");
    assert_eq!(paths(&received).len(), 3);
}

#[test]
fn what_may_have_been_carried_out_is_not_sent_again() {
    let (address, received) = serve(|_| failed("rpc error making call: EOF"));
    let agent = agent(&address);
    let result = told(agent.transact(&[], &log()));
    assert!(
        result.starts_with("no quorum: ") && result.contains("EOF"),
        "{result}"
    );
    assert_eq!(paths(&received), ["/v1/txn"]);
}

#[test]
fn without_a_quorum_a_leader_is_waited_for_once() {
    let (address, received) = serve(|path| match path {
        path if path.contains("stale") => ok(r#"[{"Key":"a","ModifyIndex":1,"LockIndex":0}]"#),
        "/v1/agent/members" => ok(ALL_ALIVE),
        _ => failed(NO_LEADER),
    });
    let agent = Agent::new(&settings::Consul {
        timeout: Duration::from_millis(200),
        ..settings(&address)
    })
    .unwrap();
    let read = told(agent.read_tree("a", Freshness::Consistent, &log()));
    assert!(
        read.starts_with("no quorum: ") && read.ends_with(NO_LEADER),
        "{read}"
    );
    let asked = paths(&received).len();
    assert!(asked > 1, "an election is waited for");
    for told in [
        told(agent.renew_session(&session(), &log())),
        told(agent.transact(&[], &log())),
        told(agent.read_tree("a", Freshness::Consistent, &log())),
    ] {
        assert_eq!(
            told,
            "no quorum: Consul: not asked, as it had no leader earlier in this pass"
        );
    }
    assert_eq!(
        agent.read_tree("a", Freshness::Stale, &log()).unwrap()[0].key,
        "a"
    );
    assert_eq!(agent.members(&log()).unwrap().presence.len(), 5);
    assert!(agent.keys("a", &log()).unwrap().leaderless);
    assert_eq!(
        paths(&received),
        [
            "/v1/kv/a?recurse&stale",
            "/v1/agent/members",
            "/v1/kv/a?recurse&stale"
        ]
    );
}

#[test]
fn an_agent_that_is_silent_about_the_leader_is_asked_what_needs_none() {
    let (address, received) = serve(|path| match path {
        "/v1/agent/members" => ok(ALL_ALIVE),
        _ => Reply::Hang(Vec::new()),
    });
    let agent = Agent::new(&settings::Consul {
        timeout: Duration::from_millis(200),
        ..settings(&address)
    })
    .unwrap();
    let read = told(agent.read_tree("a", Freshness::Consistent, &log()));
    assert!(read.starts_with("no quorum: "), "{read}");
    assert_eq!(agent.members(&log()).unwrap().presence.len(), 5);
    let stale = told(agent.read_tree("a", Freshness::Stale, &log()));
    assert!(stale.starts_with("unreachable: "), "{stale}");
    let silent = agent.members(&log()).unwrap_err().to_string();
    assert!(silent.contains("not asked"), "{silent}");
    assert_eq!(paths(&received).len(), 3);
}

fn failed(words: &str) -> Reply {
    http("500 Internal Server Error", "", words)
}
