//! Recorded answers, odd ones written by hand, and agents on loopback that answer as they are told.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use super::*;
use crate::output::Priority;

mod sharing;

const NODES: &str = "PetaSAN/Nodes/";
const ALL_ALIVE: &[u8] = include_bytes!("../../tests/fixtures/consul/members.all-alive.json");
const NODE4_LEFT: &[u8] = include_bytes!("../../tests/fixtures/consul/members.node4-left.json");
const NODE5_FAILED: &[u8] = include_bytes!("../../tests/fixtures/consul/members.node5-failed.json");
const KV_NODES: &[u8] = include_bytes!("../../tests/fixtures/consul/kv-nodes.json");

fn log() -> Log {
    Log::new(Priority::Error, false)
}

fn settings(address: &str) -> settings::Consul {
    settings::Consul {
        address: address.to_owned(),
        token: None,
        ca_file: None,
        client_certificate: None,
        verify: true,
        timeout: Duration::from_secs(30),
        nodes_prefix: NODES.to_owned(),
    }
}

fn agent(address: &str) -> Agent {
    Agent::new(&settings(address)).unwrap()
}

/// A list of members from names and states.
fn members(list: &[(&str, i64)]) -> Members {
    let list: Vec<String> = list
        .iter()
        .map(|(name, status)| {
            format!(r#"{{"Name":{name:?},"Status":{status},"Tags":{{"dc":"c"}}}}"#)
        })
        .collect();
    parse_members(format!("[{}]", list.join(",")).as_bytes()).unwrap()
}

fn keys(list: &[(&str, &str)]) -> Keys {
    let entries = list
        .iter()
        .map(|(key, value)| Key {
            key: (*key).to_owned(),
            value: Ok(value.as_bytes().to_vec()),
        })
        .collect();
    Keys {
        entries,
        leaderless: false,
    }
}

#[test]
fn the_recorded_answers_say_who_is_alive() {
    let keys = Keys {
        entries: parse_keys(KV_NODES).unwrap(),
        leaderless: false,
    };
    for (recorded, down) in [
        (ALL_ALIVE, &[][..]),
        (
            NODE4_LEFT,
            &[("node4", Absence::Left), ("node5", Absence::Failed)],
        ),
        (NODE5_FAILED, &[("node5", Absence::Failed)]),
    ] {
        let members = parse_members(recorded).unwrap();
        assert_eq!(members.datacenter.as_deref(), Some("petasan"));
        assert!(!members.acls);
        let servers = ["node1", "node2", "node3"].map(str::to_owned);
        assert_eq!(members.servers, BTreeSet::from(servers));
        let membership = membership(NODES, &keys, &members);
        let expected = ["node1", "node2", "node3", "node4", "node5"].map(|name| {
            let absence = down.iter().find(|(absent, _)| *absent == name);
            let presence = absence.map_or(Presence::Alive, |&(_, absence)| Presence::Down(absence));
            (name.to_owned(), presence)
        });
        assert_eq!(membership.nodes, BTreeMap::from(expected));
        assert_eq!(membership.unreadable, BTreeMap::new());
        assert_eq!(membership.leaderless, None);
    }
}

#[test]
fn the_servers_are_told_where_they_have_no_leader() {
    let mut members = parse_members(NODE5_FAILED).unwrap();
    let failed = Presence::Down(Absence::Failed);
    members.presence.insert("node2".to_owned(), failed);
    let keys = Keys {
        entries: Vec::new(),
        leaderless: true,
    };
    let servers = [
        ("node1", Presence::Alive),
        ("node2", failed),
        ("node3", Presence::Alive),
    ];
    let servers = servers.map(|(name, presence)| (name.to_owned(), presence));
    let membership = membership(NODES, &keys, &members);
    assert_eq!(membership.leaderless, Some(servers.into()));
}

#[test]
fn of_several_members_with_one_name_the_most_telling_counts() {
    use Absence::{Failed, Leaving, Left, Missing};
    for (states, presence) in [
        (&[4, 1][..], Presence::Alive),
        (&[1, 4], Presence::Alive),
        (&[3, 2, 4], Presence::Down(Failed)),
        (&[3, 2], Presence::Down(Leaving)),
        (&[3], Presence::Down(Left)),
        (&[0, 3], Presence::Down(Left)),
        (&[7], Presence::Down(Missing)),
    ] {
        let list: Vec<_> = states.iter().map(|&state| ("node1", state)).collect();
        let presences = members(&list).presence;
        assert_eq!(
            presences,
            BTreeMap::from([("node1".to_owned(), presence)]),
            "{states:?}"
        );
    }
}

#[test]
fn names_are_compared_exactly() {
    let odd = "näh \"so\"\r\nBcc: x 💥";
    let long = "n".repeat(300);
    let value = |name: &str| serde_json::json!({ "name": name }).to_string();
    let membership = membership(
        NODES,
        &keys(&[
            ("PetaSAN/Nodes/a", &value("Node1")),
            ("PetaSAN/Nodes/b", &value("node1 ")),
            ("PetaSAN/Nodes/c", &value(odd)),
            ("PetaSAN/Nodes/d", &value(&long)),
        ]),
        &Members {
            presence: BTreeMap::from([
                ("node1".to_owned(), Presence::Alive),
                (odd.to_owned(), Presence::Alive),
                (long.clone(), Presence::Alive),
            ]),
            ..Members::default()
        },
    );
    let missing = Presence::Down(Absence::Missing);
    assert_eq!(
        membership.nodes,
        BTreeMap::from([
            ("Node1".to_owned(), missing),
            ("node1 ".to_owned(), missing),
            (odd.to_owned(), Presence::Alive),
            (long, Presence::Alive),
        ])
    );
}

#[test]
fn one_unreadable_node_does_not_hide_the_others() {
    let body = br#"[
        {"Key":"PetaSAN/Nodes/","Value":null},
        {"Key":"PetaSAN/Nodes/good","Value":"eyJuYW1lIjogImdvb2QifQ=="},
        {"Key":"PetaSAN/Nodes/empty","Value":null},
        {"Key":"PetaSAN/Nodes/absent"},
        {"Key":"PetaSAN/Nodes/number","Value":7},
        {"Key":"PetaSAN/Nodes/base64","Value":"eyJu*"},
        {"Key":"PetaSAN/Nodes/json","Value":"eyJuYW0="},
        {"Key":"PetaSAN/Nodes/list","Value":"W10="},
        {"Key":"PetaSAN/Nodes/listed","Value":"WyJnb29kIl0="},
        {"Key":"PetaSAN/Nodes/nameless","Value":"e30="},
        {"Key":"PetaSAN/Nodes/numbered","Value":"eyJuYW1lIjogN30="},
        {"Key":"PetaSAN/Nodes/blank","Value":"eyJuYW1lIjogIiJ9"},
        {"Key":"PetaSAN/Nodes/folder/","Value":null},
        {"Key":"PetaSAN/Nodes/folder/below","Value":"eyJuYW1lIjogImdvb2QifQ=="},
        {"Key":"PetaSAN/Config","Value":"e30="}
    ]"#;
    let keys = Keys {
        entries: parse_keys(body).unwrap(),
        leaderless: false,
    };
    let membership = membership(NODES, &keys, &members(&[("good", 1)]));
    assert_eq!(
        membership.nodes,
        BTreeMap::from([("good".to_owned(), Presence::Alive)])
    );
    let told: Vec<(&str, &str)> = membership
        .unreadable
        .iter()
        .map(|(key, reason)| (key.strip_prefix(NODES).unwrap(), reason.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("absent", "it has no value"),
            (
                "base64",
                "its value is no valid base64: Invalid symbol 42, offset 4."
            ),
            ("blank", "its name is empty"),
            ("empty", "it has no value"),
            (
                "json",
                "its value is no JSON: EOF while parsing a string at line 1 column 5"
            ),
            ("list", "its value has no name"),
            ("listed", "its value has no name"),
            ("nameless", "its value has no name"),
            (
                "number",
                "its value is no valid base64 but another kind of JSON"
            ),
            ("numbered", "its name is no text"),
        ]
    );
}

#[test]
fn an_address_that_cannot_be_asked_is_refused() {
    for (address, error) in [
        ("unix:///run/consul.sock", "Unix socket"),
        ("/run/consul.sock", "Unix socket"),
        ("ftp://127.0.0.1", "is no address to ask"),
        ("http://", "is no address to ask"),
        ("http://a b", "is no address to ask"),
        ("http://a?x", "is no address to ask"),
        ("", "is no address to ask"),
        (
            "http://storage:hunter2@127.0.0.1:8500",
            "must not contain a login",
        ),
    ] {
        let told = Agent::new(&settings(address)).err().unwrap().to_string();
        assert!(told.contains(error), "{address}: {told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
    for address in ["127.0.0.1:8500", "http://[::1]:8500/", "HTTP://host/consul"] {
        assert!(Agent::new(&settings(address)).is_ok(), "{address}");
    }
}

#[test]
fn a_token_that_no_header_can_hold_is_refused_without_showing_it() {
    for token in ["hunter2 ", "hunter2\nX: y", "hünter2"] {
        let settings = settings::Consul {
            token: Some(settings::Secret::new(token)),
            ..settings("http://127.0.0.1:8500")
        };
        let told = Agent::new(&settings).err().unwrap().to_string();
        assert!(told.contains("the Consul token holds characters"), "{told}");
        assert!(!told.contains("nter2"), "{told}");
    }
}

#[test]
fn a_key_is_escaped_in_the_path() {
    assert_eq!(path_of("PetaSAN/Nodes/"), "/v1/kv/PetaSAN/Nodes/");
    assert_eq!(
        path_of("a b?c&d#e%/ü~"),
        "/v1/kv/a%20b%3Fc%26d%23e%25/%C3%BC~"
    );
}

/// How an agent on loopback behaves after a request.
#[derive(Clone)]
enum Reply {
    /// Sends this and waits for the next request.
    Send(Vec<u8>),
    /// Sends this and says nothing more, with the connection open.
    Hang(Vec<u8>),
    /// Sends this and closes the connection.
    Close(Vec<u8>),
}

fn http(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Reply {
    let body = body.as_ref();
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    Reply::Send(bytes)
}

fn ok(body: impl AsRef<[u8]>) -> Reply {
    http("200 OK", "", body)
}

/// Reads a request with its body; its first line and headers, or `None` at the end.
fn read_request(stream: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length: ")?
                .parse()
                .ok()
        })
        .unwrap_or(0);
    stream.read_exact(&mut vec![0; length]).ok()?;
    Some(head)
}

/// An agent on loopback: its address, and the requests it got.
fn serve(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (requests, received) = mpsc::channel();
    let reply = Arc::new(reply);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (requests, reply) = (requests.clone(), Arc::clone(&reply));
            thread::spawn(move || converse(stream.unwrap(), &requests, &*reply));
        }
    });
    (address, received)
}

fn converse(stream: TcpStream, requests: &mpsc::Sender<String>, reply: &dyn Fn(&str) -> Reply) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    while let Some(head) = read_request(&mut reader) {
        let path = head.split(' ').nth(1).unwrap().to_owned();
        let _ = requests.send(head);
        match reply(&path) {
            Reply::Send(bytes) => writer.write_all(&bytes).unwrap(),
            Reply::Hang(bytes) => {
                writer.write_all(&bytes).unwrap();
                // Until the other side has had enough.
                let _ = reader.read_to_end(&mut Vec::new());
                return;
            }
            Reply::Close(bytes) => {
                writer.write_all(&bytes).unwrap();
                return;
            }
        }
    }
}

fn paths(received: &Receiver<String>) -> Vec<String> {
    received
        .try_iter()
        .map(|head| head.split(' ').nth(1).unwrap().to_owned())
        .collect()
}

#[test]
fn an_agent_is_asked_with_the_token_and_its_answers_are_read() {
    let (address, received) = serve(|path| match path {
        "/v1/agent/members" => ok(ALL_ALIVE),
        "/v1/kv/PetaSAN/Nodes/?recurse" => ok(KV_NODES),
        "/v1/kv/PetaSAN/Config" => ok(r#"[{"Key":"PetaSAN/Config","Value":"e30="}]"#),
        "/v1/kv/empty" => ok(r#"[{"Key":"empty","Value":null}]"#),
        _ => http("404 Not Found", "", ""),
    });
    let agent = Agent::new(&settings::Consul {
        token: Some(settings::Secret::new("hunter2")),
        ..settings(&format!("{address}/"))
    })
    .unwrap();
    assert_eq!(agent.members(&log()).unwrap().presence.len(), 5);
    let keys = agent.keys(NODES, &log()).unwrap();
    assert_eq!((keys.entries.len(), keys.leaderless), (5, false));
    assert_eq!(agent.key("PetaSAN/Config", &log()).unwrap().unwrap(), b"{}");
    assert_eq!(agent.key("empty", &log()).unwrap().unwrap(), b"");
    assert_eq!(agent.key("absent", &log()).unwrap(), None);
    assert_eq!(agent.keys("absent/", &log()).unwrap(), Keys::default());
    let requests: Vec<String> = received.try_iter().collect();
    assert_eq!(requests.len(), 7);
    for head in requests {
        assert!(
            head.to_ascii_lowercase()
                .contains("\r\nx-consul-token: hunter2\r\n"),
            "{head}"
        );
    }
}

#[test]
fn keys_that_the_token_may_not_see_are_not_taken_for_none() {
    for (verdict, expected) in [
        (r#"[{"Segment":"PetaSAN/Nodes/","Allow":true}]"#, None),
        (
            r#"[{"Segment":"PetaSAN/Nodes/","Allow":false}]"#,
            Some(
                r#"Consul: the token may not see what lies below PetaSAN/Nodes/; the token's policy must contain key_prefix "PetaSAN/" { policy = "read" }"#,
            ),
        ),
        // Where there is no access control.
        ("ACL support disabled", None),
    ] {
        for nothing in [ok("[]"), http("404 Not Found", "", "")] {
            let (address, received) = serve(move |path| match path {
                "/v1/internal/acl/authorize" => ok(verdict),
                _ => nothing.clone(),
            });
            let told = agent(&address).keys(NODES, &log());
            assert_eq!(told.err().map(|e| e.to_string()).as_deref(), expected);
            let asked = [
                "/v1/kv/PetaSAN/Nodes/?recurse",
                "/v1/internal/acl/authorize",
            ];
            assert_eq!(paths(&received), asked);
        }
    }
}

#[test]
fn without_a_leader_the_same_is_asked_with_stale_and_only_once_in_vain() {
    for words in [
        "No cluster leader",
        "rpc error making call: No cluster leader",
    ] {
        let (address, received) = serve(move |path| {
            if path.ends_with("stale") {
                ok(KV_NODES)
            } else {
                http("500 Internal Server Error", "", words)
            }
        });
        let agent = agent(&address);
        let keys = agent.keys(NODES, &log()).unwrap();
        assert_eq!((keys.entries.len(), keys.leaderless), (5, true));
        agent.key("PetaSAN/Config", &log()).unwrap();
        assert_eq!(
            paths(&received),
            [
                "/v1/kv/PetaSAN/Nodes/?recurse",
                "/v1/kv/PetaSAN/Nodes/?recurse&stale",
                "/v1/kv/PetaSAN/Config?stale",
            ]
        );
    }
}

#[test]
fn a_client_agent_that_meets_a_dead_server_first_is_asked_again() {
    let asked = AtomicBool::new(false);
    let (address, _) = serve(move |path| {
        if path.ends_with("stale") && asked.swap(true, Ordering::Relaxed) {
            ok(KV_NODES)
        } else {
            http(
                "500 Internal Server Error",
                "",
                "rpc error getting client: failed to get conn",
            )
        }
    });
    assert!(agent(&address).keys(NODES, &log()).unwrap().leaderless);
}

#[test]
fn silence_shorter_than_the_wait_for_a_leader_is_taken_for_the_lack_of_one() {
    let (address, _) = serve(|path| {
        if path.ends_with("stale") {
            ok(KV_NODES)
        } else {
            Reply::Hang(Vec::new())
        }
    });
    let agent = Agent::new(&settings::Consul {
        timeout: Duration::from_millis(500),
        ..settings(&address)
    })
    .unwrap();
    assert!(agent.keys(NODES, &log()).unwrap().leaderless);
    assert_eq!(
        agent
            .key("PetaSAN/Config", &log())
            .unwrap()
            .unwrap()
            .first(),
        Some(&b'{')
    );
}

#[test]
fn an_agent_that_hangs_is_waited_for_once() {
    for head in [
        "",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[",
        "HTTP/1.1 200",
    ] {
        let (address, received) = serve(move |_| Reply::Hang(head.as_bytes().to_vec()));
        let agent = Agent::new(&settings::Consul {
            timeout: Duration::from_millis(300),
            ..settings(&address)
        })
        .unwrap();
        assert_eq!(
            agent.members(&log()).unwrap_err().to_string(),
            format!(
                "Consul: GET {address}/v1/agent/members: no answer within 0.3 s; \
                 is the agent well (systemctl status consul)? (consul.timeout)"
            )
        );
        for told in [
            agent.keys(NODES, &log()).unwrap_err(),
            agent.key("PetaSAN/Config", &log()).unwrap_err(),
        ] {
            assert_eq!(
                told.to_string(),
                "Consul: not asked, as the agent did not answer an earlier question of this pass"
            );
        }
        assert_eq!(paths(&received), ["/v1/agent/members"]);
    }
}

#[test]
fn an_agent_says_who_it_is_if_the_token_may_know() {
    let own = r#"{"Config":{"Datacenter":"petasan","NodeName":"node1","Server":true,"Version":"1.8.7"},"Member":{}}"#;
    let (address, _received) = serve(move |_| ok(own));
    let node1 = Identity {
        node: "node1".to_owned(),
        version: "1.8.7".to_owned(),
        datacenter: Some("petasan".to_owned()),
    };
    assert_eq!(agent(&address).identity(&log()).unwrap(), Some(node1));
    let (address, _received) = serve(|_| http("403 Forbidden", "", "Permission denied"));
    assert_eq!(agent(&address).identity(&log()).unwrap(), None);
}

#[test]
fn the_leader_is_told_or_that_there_is_none() {
    for (reply, leader) in [
        (ok(r#""127.0.10.2:8300""#), Some("127.0.10.2:8300")),
        (ok(r#""""#), None),
        (
            http("500 Internal Server Error", "", "No cluster leader"),
            None,
        ),
    ] {
        let (address, _received) = serve(move |_| reply.clone());
        let told = agent(&address).leader(&log()).unwrap();
        assert_eq!(told.as_deref(), leader);
    }
    let (address, _received) = serve(|_| ok("<html>"));
    let error = agent(&address).leader(&log()).unwrap_err().to_string();
    assert!(
        error.contains("/v1/status/leader: cannot make sense of it"),
        "{error}"
    );
}

#[test]
fn the_smallest_policy_names_each_folder_once() {
    assert_eq!(
        smallest_policy(
            &["PetaSAN/Nodes/", "PetaSAN/Config"],
            &settings::Ha::default()
        ),
        r#"node_prefix "" { policy = "read" } key_prefix "PetaSAN/" { policy = "read" }"#
    );
    let shared = |mode| {
        let ha = settings::Ha {
            mode,
            prefix: "ops/petanotify/".to_owned(),
            ..settings::Ha::default()
        };
        smallest_policy(&[], &ha)
    };
    let node = r#"node_prefix "" { policy = "read" }"#;
    let folder = r#"key_prefix "ops/petanotify/" { policy = "write" }"#;
    assert_eq!(shared(HaMode::Off), node);
    assert_eq!(
        shared(HaMode::Consul),
        format!(r#"{node} {folder} session_prefix "" {{ policy = "write" }}"#)
    );
    assert_eq!(shared(HaMode::Petasan), shared(HaMode::Consul));
}

#[test]
fn members_that_access_control_hides_are_no_dead_nodes() {
    let policy = r#"the token's policy must contain node_prefix "" { policy = "read" }"#;
    let hidden = "no member is alive, not even this agent, so its access control hides them";
    for (reply, error) in [
        (ok("[]"), format!("{hidden}; {policy}")),
        (ok("null"), format!("{hidden}; {policy}")),
        (ok(r#"[{"Name":"node1","Status":4}]"#), format!("{hidden}; {policy}")),
        (
            http("200 OK", "X-Consul-Results-Filtered-By-ACLs: true\r\n", ALL_ALIVE),
            format!("Consul's access control has left out a part; {policy}"),
        ),
        (
            http("403 Forbidden", "", "Permission denied"),
            format!("403 Forbidden: Permission denied; {policy}"),
        ),
        (
            http("403 Forbidden", "", "ACL not found"),
            "403 Forbidden: ACL not found; Consul does not know the token: see consul.token_file or CONSUL_HTTP_TOKEN"
                .to_owned(),
        ),
    ] {
        let reply = std::sync::Mutex::new(Some(reply));
        let (address, _) = serve(move |_| reply.lock().unwrap().take().unwrap());
        assert_eq!(
            agent(&address).members(&log()).unwrap_err().to_string(),
            format!("Consul: GET {address}/v1/agent/members: {error}")
        );
    }
}

#[test]
fn missing_nodes_that_the_token_may_not_see_are_set_aside() {
    let missing = Presence::Down(Absence::Missing);
    let before = Membership {
        nodes: BTreeMap::from([
            ("alive".to_owned(), Presence::Alive),
            ("gone".to_owned(), missing),
            ("hidden".to_owned(), missing),
        ]),
        unreadable: BTreeMap::new(),
        ..Membership::default()
    };
    let verdicts = r#"[{"Resource":"node","Segment":"gone","Access":"read","Allow":true},
                       {"Resource":"node","Segment":"hidden","Access":"read","Allow":false}]"#;
    let with_acls = Members {
        acls: true,
        ..Members::default()
    };
    let (address, received) = serve(move |_| ok(verdicts));
    let mut after = before.clone();
    agent(&address).set_hidden_aside(NODES, &with_acls, &mut after, &log());
    assert_eq!(
        after.nodes.into_keys().collect::<BTreeSet<_>>(),
        ["alive", "gone"].map(str::to_owned).into()
    );
    assert_eq!(
        after.unreadable.into_keys().collect::<Vec<_>>(),
        ["PetaSAN/Nodes/hidden"]
    );
    assert_eq!(paths(&received), ["/v1/internal/acl/authorize"]);

    let mut without_acls = before.clone();
    agent(&address).set_hidden_aside(NODES, &Members::default(), &mut without_acls, &log());
    assert_eq!(without_acls, before);
    assert_eq!(paths(&received), [""; 0]);

    let (address, _) = serve(|_| http("404 Not Found", "", ""));
    let mut unanswered = before.clone();
    agent(&address).set_hidden_aside(NODES, &with_acls, &mut unanswered, &log());
    assert_eq!(unanswered, before);
}

#[test]
fn what_is_wrong_with_an_answer_is_told_with_its_url() {
    let huge = "HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n";
    for (reply, error) in [
        (
            ok("<html>"),
            "cannot make sense of the answer: expected value at line 1 column 1; is this a Consul agent?",
        ),
        (
            ok(r#"[{"Key":"a""#),
            "cannot make sense of the answer: EOF while parsing an object at line 1 column 11; is this a Consul agent?",
        ),
        (
            http(
                "200 OK",
                "X-Consul-Results-Filtered-By-ACLs: true\r\n",
                KV_NODES,
            ),
            "Consul's access control has left out a part; the token's policy must contain key_prefix \"PetaSAN/\" { policy = \"read\" }",
        ),
        (
            http("403 Forbidden", "", "\nPermission denied\nreally"),
            "403 Forbidden: Permission denied; the token's policy must contain key_prefix \"PetaSAN/\" { policy = \"read\" }",
        ),
        (
            http("404 Not Found", "", "<h1>nginx</h1>"),
            "404 Not Found: <h1>nginx</h1>; is this a Consul agent? see consul.address",
        ),
        (
            http("302 Found", "Location: http://127.0.0.1:1/\r\n", ""),
            "302 Found; is this a Consul agent? see consul.address",
        ),
        (
            http(
                "400 Bad Request",
                "",
                "Client sent an HTTP request to an HTTPS server.",
            ),
            "400 Bad Request: Client sent an HTTP request to an HTTPS server.; consul.address must begin with https://",
        ),
        (
            http("500 Internal Server Error", "", "boom"),
            "500 Internal Server Error: boom",
        ),
        (
            Reply::Close(b"SSH-2.0-OpenSSH_9\r\n".to_vec()),
            "protocol: ",
        ),
        (
            Reply::Close(Vec::new()),
            "Peer disconnected; see consul.address",
        ),
        (
            Reply::Close(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[".to_vec()),
            "Peer disconnected; see consul.address",
        ),
        (
            Reply::Close([huge.as_bytes(), &[b' '; 17 * 1024 * 1024]].concat()),
            "the answer is too long: more than 16 MiB",
        ),
    ] {
        let reply = std::sync::Mutex::new(Some(reply));
        let (address, _) = serve(move |_| reply.lock().unwrap().take().unwrap());
        let told = agent(&address).keys(NODES, &log()).unwrap_err().to_string();
        let start = format!("Consul: GET {address}/v1/kv/PetaSAN/Nodes/?recurse: {error}");
        assert!(told.starts_with(&start), "{told}\n{start}");
    }
}

#[test]
fn an_agent_that_is_not_running_is_told_so() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(
        agent(&address).members(&log()).unwrap_err().to_string(),
        format!(
            "Consul: GET {address}/v1/agent/members: connection refused; \
             is the agent running (systemctl status consul)? else see consul.address"
        )
    );
}

/// An authority with one certificate of its own, valid for `name`.
struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Authority {
            issuer: rcgen::Issuer::new(params, key),
            pem,
        }
    }

    fn issue(&self, name: &str) -> (rcgen::Certificate, rcgen::KeyPair) {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }
}

/// An agent that speaks TLS with a certificate for `name`, and demands one of the same authority from its clients if `mutual`.
fn serve_tls(authority: &Authority, name: &str, mutual: bool) -> String {
    let (certificate, key) = authority.issue(name);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = if mutual {
        let mut roots = rustls::RootCertStore::empty();
        let item = ureq::tls::Certificate::from_pem(authority.pem.as_bytes()).unwrap();
        roots.add(item.der().to_vec().into()).unwrap();
        let verifier =
            rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = builder
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = BufReader::new(rustls::StreamOwned::new(connection, stream.unwrap()));
            while read_request(&mut stream).is_some() {
                let Reply::Send(bytes) = ok(ALL_ALIVE) else {
                    return;
                };
                stream.get_mut().write_all(&bytes).unwrap();
                stream.get_mut().flush().unwrap();
            }
        }
    });
    address
}

/// An agent that speaks no TLS, and says so in plain text as Go's servers do.
fn serve_without_tls() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.read_exact(&mut [0]).unwrap();
            stream
                .write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n")
                .unwrap();
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    address
}

#[test]
fn the_agents_certificate_is_verified_against_the_authorities_file() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let path = |name: &str, text: &str| -> PathBuf {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let ours = path("ours.pem", &authority.pem);
    let other = path("other.pem", &Authority::new().pem);
    let address = serve_tls(&authority, "127.0.0.1", false);
    let wrong_name = serve_tls(&authority, "consul.example.org", false);
    let plain = serve_without_tls();
    for (address, ca_file, verify, error) in [
        (&address, Some(&ours), true, None),
        (&address, None, false, None),
        (&wrong_name, None, false, None),
        (
            &address,
            Some(&other),
            true,
            Some("invalid peer certificate"),
        ),
        (&address, None, true, Some("UnknownIssuer")),
        (&wrong_name, Some(&ours), true, Some("not valid for name")),
        (
            &plain,
            Some(&ours),
            true,
            Some("does the agent speak TLS on this port?"),
        ),
    ] {
        let agent = Agent::new(&settings::Consul {
            ca_file: ca_file.cloned(),
            verify,
            ..settings(address)
        })
        .unwrap();
        match (agent.members(&log()), error) {
            (Ok(members), None) => assert_eq!(members.presence.len(), 5),
            (Err(told), Some(error)) => {
                let told = told.to_string();
                assert!(told.contains(": TLS: ") && told.contains(error), "{told}");
            }
            (result, _) => panic!("{address} {ca_file:?} {verify}: {result:?}"),
        }
    }
}

#[test]
fn a_client_certificate_is_shown_to_the_agent() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let path = |name: &str, text: &str| -> PathBuf {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let ca_file = path("ca.pem", &authority.pem);
    let (certificate, key) = authority.issue("petanotify");
    let certificate = path("client.pem", &certificate.pem());
    let key = path("client.key", &key.serialize_pem());
    let other_key = path("other.key", &authority.issue("other").1.serialize_pem());
    let agent = |pair: Option<(&PathBuf, &PathBuf)>| {
        Agent::new(&settings::Consul {
            ca_file: Some(ca_file.clone()),
            client_certificate: pair.map(|(certificate, key)| (certificate.clone(), key.clone())),
            ..settings(&serve_tls(&authority, "127.0.0.1", true))
        })
    };
    let members = agent(Some((&certificate, &key))).unwrap().members(&log());
    assert_eq!(members.unwrap().presence.len(), 5);
    let told = agent(None)
        .unwrap()
        .members(&log())
        .unwrap_err()
        .to_string();
    assert!(
        told.contains("does the agent ask for a client certificate?"),
        "{told}"
    );
    for (pair, error) in [
        ((&certificate, &other_key), "can't be used together"),
        (
            (&certificate, &certificate),
            "contains no private key in PEM",
        ),
        ((&key, &key), "contains no certificate in PEM"),
        (
            (&certificate, &folder.path().join("absent")),
            "cannot read consul.client_key_file",
        ),
    ] {
        let told = agent(Some(pair)).err().unwrap().to_string();
        assert!(told.contains(error), "{told}");
    }
}

#[test]
fn a_file_of_authorities_that_holds_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (text, error) in [
        ("", "contains no certificate in PEM"),
        (
            "-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n",
            "is no valid PEM",
        ),
    ] {
        let path = folder.path().join("ca.pem");
        fs::write(&path, text).unwrap();
        let settings = settings::Consul {
            ca_file: Some(path),
            ..settings("https://127.0.0.1:8501")
        };
        let told = Agent::new(&settings).err().unwrap().to_string();
        assert!(
            told.contains("consul.ca_file") && told.contains(error),
            "{told}"
        );
        // Without TLS the file is not even read.
        let settings = settings::Consul {
            address: "http://127.0.0.1:8500".to_owned(),
            ..settings
        };
        assert!(Agent::new(&settings).is_ok());
    }
}
