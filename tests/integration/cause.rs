//! One root cause, one mail: nodes that are down and their OSDs; and what is told of a Consul without a leader.

use jiff::SignedDuration;

use crate::ceph::tree;
use crate::cluster::Cluster;
use crate::consul::Member;
use crate::relay::Mail;

/// Three hosts with two OSDs each: node1 has 0 and 1, node2 has 2 and 3, node3 has 4 and 5.
fn down(cluster: &Cluster, hosts: [&str; 3], nodes: &[u32], osds: &[u32]) {
    let status = |id| if osds.contains(&id) { "down" } else { "up" };
    let osds: Vec<[(u32, &str); 2]> = [0, 2, 4]
        .map(|id| [(id, status(id)), (id + 1, status(id + 1))])
        .to_vec();
    let layout: Vec<(&str, &[(u32, &str)])> = hosts
        .iter()
        .zip(&osds)
        .map(|(host, osds)| (*host, osds.as_slice()))
        .collect();
    cluster.ceph.osds(tree(&layout));
    let members: Vec<(String, Member)> = (1..=5)
        .map(|number| {
            let state = match nodes.contains(&number) {
                true => Member::Failed,
                false => Member::Alive,
            };
            (format!("node{number}"), state)
        })
        .collect();
    let members: Vec<(&str, Member)> = members
        .iter()
        .map(|(name, state)| (name.as_str(), *state))
        .collect();
    cluster.consul.members(&members);
}

const HOSTS: [&str; 3] = ["node1", "node2", "node3"];

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// The only mail.
#[track_caller]
fn only(mails: Vec<Mail>) -> Mail {
    let subjects: Vec<String> = mails.iter().map(Mail::subject).collect();
    let [mail] = mails.try_into().unwrap_or_else(|_| panic!("{subjects:?}"));
    mail
}

/// The text, wherever its lines end.
fn in_one_line(mail: &Mail) -> String {
    let text = mail.text();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What `check --json` says of the OSDs.
fn osd_check(cluster: &Cluster) -> (String, String) {
    let document = cluster
        .run(&["check", "--json", "--dry-run"])
        .exits(0)
        .json();
    let checks = document["checks"].as_array().unwrap();
    let osds = checks.iter().find(|check| check["name"] == "osds").unwrap();
    let text = |field: &str| osds[field].as_str().unwrap().to_owned();
    (text("state"), text("summary"))
}

#[test]
fn a_host_that_dies_is_one_mail_and_one_more_when_it_is_back() {
    let cluster = Cluster::new();
    down(&cluster, HOSTS, &[3], &[4, 5]);
    let mail = only(cluster.pass(0));
    assert_eq!(mail.subject(), "[prod] node down: node3");
    let text = mail.text();
    assert!(text.contains("2 OSDs are down with it."), "{text}");
    assert!(text.contains("node3  2 OSDs  osd.4, osd.5"), "{text}");
    let (state, summary) = osd_check(&cluster);
    assert_eq!(state, "ok");
    let expected = "2 of 6 OSDs down (2 with node3): osd.4/node3, osd.5/node3";
    assert_eq!(summary, expected);
    let status = cluster.run(&["status", "--json"]).exits(0).json();
    assert_eq!(status["down"]["osds"]["4"]["with_node"], "node3");
    assert!(cluster.pass(0).is_empty());

    down(&cluster, HOSTS, &[], &[]);
    let subjects = cluster.subjects();
    assert_eq!(subjects, ["[prod] all nodes are up again"]);
    assert_eq!(osd_check(&cluster).1, "all 6 OSDs are up");
}

#[test]
fn who_is_told_of_osds_alone_hears_of_a_node_when_osds_follow_it() {
    let mut cluster = Cluster::new();
    cluster.recipient_for("osds@example.org", r#"["osds"]"#);
    let to = |mails: Vec<Mail>| {
        let mut to: Vec<String> = mails.into_iter().flat_map(|mail| mail.to).collect();
        to.sort();
        to
    };
    down(&cluster, HOSTS, &[2], &[]);
    assert_eq!(to(cluster.pass(0)), ["ops@example.org"]);
    down(&cluster, HOSTS, &[2], &[2, 3]);
    let mail = only(cluster.pass(0));
    assert_eq!(mail.to, ["osds@example.org"]);
    assert!(in_one_line(&mail).contains("node2 2 OSDs osd.2, osd.3"));
    assert!(cluster.pass(0).is_empty());
    down(&cluster, HOSTS, &[], &[]);
    assert_eq!(to(cluster.pass(0)), ["ops@example.org", "osds@example.org"]);
}

#[test]
fn osds_that_are_seen_down_first_wait_for_their_node() {
    let cluster = Cluster::new();
    down(&cluster, HOSTS, &[], &[1, 4, 5]);
    let mail = only(cluster.pass(0));
    assert_eq!(mail.subject(), "[prod] 1 OSD down on node1: osd.1");
    let (_, summary) = osd_check(&cluster);
    let note = "(2 not told yet, as their node may be down)";
    assert!(summary.contains(note), "{summary}");
    cluster.let_pass(minutes(1));
    down(&cluster, HOSTS, &[3], &[1, 4, 5]);
    let mail = only(cluster.pass(0));
    assert_eq!(mail.subject(), "[prod] node down: node3");
    let text = mail.text();
    assert!(text.contains("node3  2 OSDs  osd.4, osd.5"), "{text}");
    assert!(text.contains("1 OSD down on node1: osd.1"), "{text}");

    down(&cluster, HOSTS, &[3], &[4, 5]);
    let mail = only(cluster.pass(0));
    assert_eq!(
        mail.subject(),
        "[prod] all other OSDs are up again (down: 2 with node3)"
    );
    let text = mail.text();
    assert!(!text.contains("are up again."), "{text}");
}

#[test]
fn osds_whose_node_lives_are_told_of_after_the_grace() {
    let cluster = Cluster::new();
    down(&cluster, HOSTS, &[], &[4, 5]);
    assert!(cluster.pass(0).is_empty());
    cluster.let_pass(minutes(2));
    let mail = only(cluster.pass(0));
    let subject = "[prod] both OSDs down on node3, which is alive: osd.4, osd.5";
    assert_eq!(mail.subject(), subject);
    assert!(mail.text().contains("(2 min)"), "{}", mail.text());
    let told = "None of the OSDs on node3 is up, yet the node itself is alive";
    assert!(in_one_line(&mail).contains(told));
    // It is told, and the node does not take it over.
    down(&cluster, HOSTS, &[3], &[4, 5]);
    assert_eq!(cluster.subjects(), ["[prod] node down: node3"]);
}

#[test]
fn a_node_that_is_back_has_time_to_bring_its_osds_up() {
    let cluster = Cluster::new();
    down(&cluster, HOSTS, &[3], &[4, 5]);
    assert_eq!(cluster.pass(0).len(), 1);
    cluster.let_pass(minutes(5));
    down(&cluster, HOSTS, &[], &[4, 5]);
    let mail = only(cluster.pass(0));
    let subject = "[prod] all nodes are up again, 2 OSDs not yet";
    assert_eq!(mail.subject(), subject);
    assert!(mail.text().contains("node3  2 OSDs  osd.4, osd.5"));
    cluster.let_pass(minutes(9));
    down(&cluster, HOSTS, &[], &[5]);
    assert!(cluster.pass(0).is_empty());
    let screen = cluster.run(&["status"]).exits(0).stdout.clone();
    assert!(screen.contains("1 OSD down"), "{screen}");
    assert!(!screen.contains("all is well"), "{screen}");
    cluster.let_pass(minutes(1));
    let mail = only(cluster.pass(0));
    assert_eq!(mail.subject(), "[prod] 1 OSD down on node3: osd.5");
    assert!(mail.text().contains("(15 min)"), "{}", mail.text());
    down(&cluster, HOSTS, &[], &[]);
    assert_eq!(cluster.subjects(), ["[prod] all OSDs are up again"]);
}

#[test]
fn hosts_with_other_names_are_the_nodes_that_the_configuration_says() {
    let mut cluster = Cluster::new();
    let hosts = ["node1", "NODE2.example.org", "ceph-c"];
    down(&cluster, hosts, &[2, 3], &[2, 3, 4, 5]);
    let mut subjects = cluster.subjects();
    subjects.sort();
    assert_eq!(
        subjects,
        [
            "[prod] 2 OSDs down on ceph-c: osd.4, osd.5",
            "[prod] 2 nodes down: node2, node3"
        ]
    );
    std::fs::remove_file(cluster.state_file()).unwrap();
    std::fs::remove_file(cluster.state_folder().join("state.json.bak")).ok();
    cluster.set("checks.osds.hosts", "{ ceph-c = \"node3\" }");
    assert_eq!(cluster.subjects(), ["[prod] 2 nodes down: node2, node3"]);
}

#[test]
fn most_of_the_nodes_is_said_so() {
    let cluster = Cluster::new();
    down(&cluster, HOSTS, &[1, 2, 3], &[0, 1, 2, 3, 4, 5]);
    let mail = only(cluster.pass(0));
    let subject = "[prod] 3 of 5 nodes down: node1, node2, node3";
    assert_eq!(mail.subject(), subject);
    let text = in_one_line(&mail);
    assert!(text.contains("6 OSDs are down with them."), "{text}");
}

#[test]
fn a_consul_that_cannot_elect_a_leader_is_told_of() {
    let cluster = Cluster::new();
    cluster.consul.lose_leader();
    let members = [
        ("node1", Member::Alive),
        ("node2", Member::Failed),
        ("node3", Member::Left),
        ("node4", Member::Alive),
        ("node5", Member::Alive),
    ];
    cluster.consul.members(&members);
    let subjects = cluster.subjects();
    assert_eq!(subjects, ["[prod] 2 nodes down: node2, node3"]);
    cluster.let_pass(minutes(4));
    assert!(cluster.pass(0).is_empty());
    cluster.let_pass(minutes(2));
    let mail = only(cluster.pass(0));
    assert_eq!(
        mail.subject(),
        "[prod] Consul cannot elect a leader: 2 of 5 servers are gone"
    );
    let text = mail.text();
    assert!(text.contains("node2 (failed), node3 (left)"), "{text}");
    assert!(cluster.pass(0).is_empty());
    cluster.consul.heal();
    cluster.consul.five_nodes();
    let mut subjects = cluster.subjects();
    subjects.sort();
    assert_eq!(
        subjects,
        [
            "[prod] Consul has a leader again",
            "[prod] all nodes are up again"
        ]
    );
}

#[test]
fn a_blind_mail_tells_what_was_last_known() {
    let cluster = Cluster::new();
    down(&cluster, HOSTS, &[3], &[4, 5]);
    assert_eq!(cluster.pass(0).len(), 1);
    cluster.ceph.fails(1, "timed out");
    assert!(cluster.pass(1).is_empty());
    cluster.let_pass(minutes(6));
    let mail = only(cluster.pass(1));
    let text = mail.text();
    assert!(text.contains("Last known, and frozen since:"), "{text}");
    assert!(text.contains("2 of 6 OSDs down (2 with node3)"), "{text}");
}
