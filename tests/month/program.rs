//! A shorter story, told by the built program: Ceph, Consul and the mail server are stand-ins, and time is made to pass in
//! its state file. The same people get the same mails as in the simulation.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use petanotify::facts::{Absence, Membership, Presence};
use serde_json::{Value, json};

use crate::ceph::{Behaviour, Question, status};
use crate::chance::Chance;
use crate::cluster::Cluster;
use crate::consul::{Consul, Member};
use crate::month::BEGIN;
use crate::product::{self, Product, RECIPIENTS};
use crate::relay::{Fault, Stage};
use crate::story::{MINUTE, Scenario, Story};
use crate::world::{NODES, SERVERS, View, World, node_name};

/// So many passes follow a change; whatever lies between is skipped, for nothing happens there.
const PASSES_AFTER_CHANGE: i64 = 12;

/// What is told, with hours enough for it to be over by then.
const STORY: [(Scenario, i64); 7] = [
    (Scenario::DiskDies, 24),
    (Scenario::HostReboots, 12),
    (Scenario::RackLosesPower, 24),
    (Scenario::NoConsulLeader, 12),
    (Scenario::HostDiesUnseen, 12),
    (Scenario::MailServerOut, 24),
    (Scenario::OsdReplaced, 24),
];

/// Whom a mail reached in which pass, and its subject.
type Told = (i64, String, String);

/// The minutes of the passes.
fn minutes(story: &Story) -> BTreeSet<i64> {
    let after = |at: i64| {
        let first = at.div_euclid(MINUTE);
        first..=first + PASSES_AFTER_CHANGE
    };
    let changes = story.changes.iter();
    changes.flat_map(|(at, _)| after(*at)).collect()
}

/// Lets the story happen; `pass` is called for each pass with the second, the seconds since the last one, and what is so.
fn happen(story: &Story, seed: u64, mut pass: impl FnMut(i64, i64, &World, View)) {
    let mut chance = Chance::new(seed);
    let mut world = World::new();
    let mut changes = story.changes.iter().peekable();
    let mut last = 0;
    for minute in minutes(story) {
        let now = minute * MINUTE;
        while let Some((at, change)) = changes.next_if(|(at, _)| *at <= now) {
            world.change(*at, change);
        }
        let view = world.view(now, &mut chance);
        pass(now, now - last, &world, view);
        last = now;
    }
}

fn simulated(story: &Story, seed: u64) -> Vec<Told> {
    let mut product = Product::new(BEGIN);
    let mut told = Vec::new();
    happen(story, seed, |now, _, world, view| {
        let clock = BEGIN + SignedDuration::from_secs(now);
        for entry in product.pass(clock, view.observed, world.mail) {
            let to = entry.to.unwrap().to_string();
            told.push((now, to, product::subject(&entry.alert)));
        }
    });
    told
}

/// What Consul's agent says of its members.
fn members(membership: &Membership) -> Value {
    let members = membership.nodes.iter().filter_map(|(name, presence)| {
        let state = match presence {
            Presence::Alive => Member::Alive,
            Presence::Down(Absence::Failed) => Member::Failed,
            Presence::Down(Absence::Leaving) => Member::Leaving,
            Presence::Down(Absence::Left) => Member::Left,
            Presence::Down(Absence::Missing) => return None,
        };
        let is_server = SERVERS.iter().any(|server| node_name(*server) == *name);
        let role = if is_server { "consul" } else { "node" };
        let tags = json!({"dc": "petasan", "role": role, "build": "1.8.7:"});
        Some(json!({"Name": name, "Addr": "127.0.10.1", "Port": 8301, "Status": state as u8, "Tags": tags}))
    });
    members.collect()
}

/// Sets the stand-ins.
fn set(cluster: &Cluster, now: i64, world: &World, view: &View) {
    match view.observed.capacity.as_ref().unwrap() {
        Ok(usage) => {
            let answer = status(usage.used_bytes, usage.total_bytes, usage.mgr_available);
            cluster.ceph.capacity(answer);
            let tree = world.tree_document(now).to_string().into_bytes();
            cluster
                .ceph
                .does(Question::OsdTree, &Behaviour::Answer(tree));
        }
        Err(_) => cluster.ceph.fails(1, "timed out"),
    }
    let membership = view.observed.nodes.as_ref().unwrap().as_ref().unwrap();
    cluster
        .consul
        .recorded_members(&members(membership).to_string());
    cluster.consul.heal();
    if !view.leader {
        cluster.consul.lose_leader();
    }
    cluster.relay.heal();
    if !world.mail {
        let refuses = Fault::Reply("421 closed".to_owned());
        cluster.relay.fault(Stage::Greeting, refuses);
    }
}

fn by_the_program(story: &Story, seed: u64) -> Vec<Told> {
    let consul = Consul::start();
    for node in 0..NODES {
        let name = node_name(node);
        consul.put(&format!("PetaSAN/Nodes/{name}"), &json!({"name": name}));
    }
    let mut cluster = Cluster::with_consul(consul);
    cluster.recipients(&[]);
    for (address, checks) in RECIPIENTS {
        let names: Vec<&str> = checks.iter().map(|check| check.as_str()).collect();
        cluster.recipient_for(address, &json!(names).to_string());
    }
    let mut told = Vec::new();
    let mut first = true;
    happen(story, seed, |now, elapsed, world, view| {
        set(&cluster, now, world, &view);
        if !first {
            cluster.let_pass(SignedDuration::from_secs(elapsed));
        }
        first = false;
        cluster.relay.take_mails();
        let run = cluster.check();
        assert!(matches!(run.code, Some(0 | 1)), "{}", run.stderr);
        for mail in cluster.relay.take_mails() {
            let subject = mail.subject();
            told.extend(mail.to.iter().map(|to| (now, to.clone(), subject.clone())));
        }
    });
    told
}

#[test]
fn the_program_mails_what_the_simulation_does() {
    let seed = 20_261_101;
    let story = Story::of(&STORY, &mut Chance::new(seed));
    let mut expected = simulated(&story, seed);
    let mut told = by_the_program(&story, seed);
    println!(
        "the built program: {} passes, {} mails, {} in the simulation",
        minutes(&story).len(),
        told.len(),
        expected.len()
    );
    expected.sort();
    told.sort();
    assert_eq!(told, expected);
    assert!(!told.is_empty());
}
