//! What Consul answers. The input's lines are: the members, the list of keys below the nodes' prefix, the value of
//! `PetaSAN/Config`, and then any number of keys, each with its value behind a blank.

#![no_main]

use libfuzzer_sys::fuzz_target;
use petanotify::alert::Observed;
use petanotify::consul::{self, Key, Keys, membership};
use petanotify::facts::Presence;
use petanotify::settings::environment::Environment;
use petanotify::settings::petasan::{self, Import, USERS_PREFIX};
use petanotify::settings::ways::ways;
use petanotify::settings::{self, petasan_cache};
use petanotify::state::State;
use petanotify_fuzz::{
    MEMORY, assert_one_line, check_entry, minutes_later, now, pass, sender, usual_entry,
};
use serde_json::Value;

const PREFIX: &str = "PetaSAN/Nodes/";

/// The password in the seeds.
const PASSWORD: &str = "pa55-of-petasan";

fuzz_target!(|answers: &[u8]| {
    let mut lines = answers.split(|byte| *byte == b'\n');
    let mut next = || lines.next().unwrap_or_default();
    let members = consul::parse_members(next()).unwrap_or_default();
    let mut entries = consul::parse_keys(next()).unwrap_or_default();
    let config = next();
    let mut users = Vec::new();
    for line in lines {
        let Some(blank) = line.iter().position(|byte| *byte == b' ') else {
            continue;
        };
        let key = String::from_utf8_lossy(&line[..blank]).into_owned();
        let value = line[blank + 1..].to_vec();
        if key.starts_with(USERS_PREFIX) {
            users.push((key, value));
        } else {
            let value = Ok(value);
            entries.push(Key { key, value });
        }
    }

    let keys = Keys {
        entries,
        leaderless: false,
    };
    let facts = membership(PREFIX, &keys, &members);
    let ours = |key: &&Key| key.key.len() > PREFIX.len() && key.key.starts_with(PREFIX);
    let listed = keys.entries.iter().filter(ours).count();
    assert!(facts.nodes.len() + facts.unreadable.len() <= listed);
    for (name, presence) in &facts.nodes {
        let known = members.presence.get(name) == Some(&Presence::Alive);
        assert_eq!(known, *presence == Presence::Alive, "{name}");
    }
    if !facts.nodes.is_empty() {
        let observed = Observed {
            nodes: Some(Ok(facts)),
            ..Observed::default()
        };
        let mut state = State::default();
        state.cluster = members.datacenter;
        for minute in 0..3 {
            state = pass(state, observed.clone(), minutes_later(minute));
        }
    }

    let (import, warnings) = petasan::parse(Some(config), &users);
    check_secrecy(config, &users, &import, &warnings);
    if import.smtp.is_ok() || !import.followers.is_empty() {
        check_way(&import);
        check_cache(&import);
    }
});

/// The password is in no message.
fn check_secrecy(config: &[u8], users: &[(String, Vec<u8>)], import: &Import, warnings: &[String]) {
    let misplaced = |value: &[u8]| match serde_json::from_slice(value) {
        Ok(Value::Object(mut object)) => {
            object.remove("email_notify_smtp_password");
            Value::Object(object).to_string().contains(PASSWORD)
        }
        _ => false,
    };
    let in_users = |(key, value): &(String, Vec<u8>)| {
        key.contains(PASSWORD) || String::from_utf8_lossy(value).contains(PASSWORD)
    };
    if misplaced(config) || users.iter().any(in_users) {
        return;
    }
    let said = format!("{warnings:?} {import:?}");
    assert!(!said.contains(PASSWORD), "{said}");
}

/// Mail server and recipients that come of it can break out neither of a command to the server nor of a header.
fn check_way(import: &Import) {
    let settings = settings::parse(None, &Environment::default()).expect("no file is complete");
    let followers = petasan::recipients(&settings, Some(import));
    for follower in &followers {
        assert_one_line(follower.address.as_ref());
    }
    for relay in ways(&settings, Some(import)).relays {
        assert_one_line(&relay.host);
        assert_one_line(relay.from.email.as_ref());
        for follower in &followers {
            let entry = usual_entry(follower.address.clone());
            check_entry(&entry, &sender(relay.from.clone()));
        }
    }
}

/// What is kept for the hour without Consul is what was read.
fn check_cache(import: &Import) {
    let folder = tempfile::tempdir_in(MEMORY).expect("a folder in memory");
    let path = folder.path().join("petasan-import.json");
    let told = petasan_cache::write(&path, import, now()).expect("the cache can be written");
    assert_eq!(told, None, "nothing was there to be set aside");
    let cached = petasan_cache::read(&path).expect("what was written can be read");
    let cached = cached.expect("it was written");
    assert_eq!(&cached.import, import);
}
