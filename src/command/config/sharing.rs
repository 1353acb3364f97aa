//! Tries for `config check` whether this node can share what it knows with others, and leaves nothing behind.

use std::time::Duration;

use anyhow::anyhow;

use crate::consul::{Agent, Failure, Freshness, Identity, Members, SessionId, Step, Transacted};
use crate::finding::ha::{Obstacle, PetasanLock, Seen};
use crate::output::Log;
use crate::settings::petasan::LEADER_KEY;
use crate::settings::{HaMode, Settings};
use crate::trouble::{Trouble, apart};

/// The session lives on for so long if it can't be ended: Consul's shortest.
const TTL: Duration = Duration::from_secs(10);

/// What is written on trial.
const VALUE: &[u8] = b"petanotify config check";

/// Looks who speaks, and does all that a pass does in order to share its memory, on a key of its own.
pub(super) fn attempt(
    agent: &Agent,
    settings: &Settings,
    identity: &Result<Option<Identity>, Trouble>,
    members: &Members,
    log: &Log,
) -> Seen {
    let mode = settings.ha.mode;
    let lock = matches!(mode, HaMode::Auto | HaMode::Petasan)
        .then(|| petasan_lock(agent, log).map_err(obstacle));
    let mut seen = Seen {
        ha: settings.ha.clone(),
        nodes_prefix: settings.consul.nodes_prefix.clone(),
        lock,
        takes_itself_for: None,
        tried: None,
    };
    match seen.mode() {
        HaMode::Auto | HaMode::Off => return seen,
        // Where PetaSAN's leader makes no passes a lock of our own decides.
        HaMode::Consul | HaMode::Petasan => {}
    }
    let (is_named, tried) = with_session(agent, &settings.ha.prefix, log);
    if !is_named && matches!(identity, Ok(None)) {
        seen.takes_itself_for = Some(takes_itself_for(members));
    }
    seen.tried = Some(tried.map_err(obstacle));
    seen
}

/// What a node takes for its name that nobody tells, and whether a member bears it.
fn takes_itself_for(members: &Members) -> (String, bool) {
    let machine = rustix::system::uname();
    let name = machine.nodename().to_string_lossy().into_owned();
    let is_member = members.is_alive(&name);
    (name, is_member)
}

fn obstacle(failure: Failure) -> Obstacle {
    match failure {
        Failure::NoQuorum(error) => Obstacle::NoQuorum(apart(&error)),
        Failure::Refused(error) | Failure::Unreachable(error) => Obstacle::Failed(apart(&error)),
    }
}

fn petasan_lock(agent: &Agent, log: &Log) -> Result<PetasanLock, Failure> {
    let Some(entry) = agent.read_entry(LEADER_KEY, Freshness::Consistent, log)? else {
        return Ok(PetasanLock::Absent);
    };
    let Some(session) = entry.session else {
        return Ok(PetasanLock::Free);
    };
    match agent.session_node(&session, log) {
        Ok(Some(node)) => Ok(PetasanLock::Held(node)),
        // It has just ended.
        Ok(None) => Ok(PetasanLock::Free),
        Err(Failure::Refused(_)) => Ok(PetasanLock::Hidden),
        Err(failure) => Err(failure),
    }
}

/// A session is created and takes a lock, which is written under its protection. Whether it has shown what this node is called,
/// and what came of it.
fn with_session(agent: &Agent, prefix: &str, log: &Log) -> (bool, Result<(), Failure>) {
    let name = String::from_utf8_lossy(VALUE);
    let session = match agent.create_session(&name, TTL, Duration::ZERO, log) {
        Ok(session) => session,
        Err(failure) => return (false, Err(failure)),
    };
    let node = agent.session_node(&session, log);
    let is_named = matches!(node, Ok(Some(_)));
    let seen =
        node.and_then(|node| expect(node.is_some(), "a session was created, but cannot be seen"));
    let key = format!("{prefix}config-check/{session}");
    let written = under_lock(agent, &key, &session, log);
    let removed = remove(agent, &key, log);
    let ended = agent.destroy_session(&session, log);
    (is_named, seen.and(written).and(removed).and(ended))
}

fn under_lock(agent: &Agent, key: &str, session: &SessionId, log: &Log) -> Result<(), Failure> {
    let is_renewed = agent.renew_session(session, log)?;
    let is_ours = agent.acquire(key, session, b"", log)?;
    let locked = agent.read_entry(key, Freshness::Consistent, log)?;
    let holder = locked.as_ref().and_then(|entry| entry.session.as_ref());
    expect(
        is_renewed && is_ours && holder == Some(session),
        "a session was created, but its lock could not be taken",
    )?;
    write(
        agent,
        key,
        &[
            Step::CheckSession {
                key: key.to_owned(),
                session: session.clone(),
            },
            Step::Cas {
                key: key.to_owned(),
                index: locked.map_or(0, |entry| entry.modify_index),
                value: VALUE.to_vec(),
            },
        ],
        log,
    )
}

fn write(agent: &Agent, key: &str, steps: &[Step], log: &Log) -> Result<(), Failure> {
    if let Transacted::Refused(words) = agent.transact(steps, log)? {
        return Err(Failure::Refused(anyhow!("{key} was not written: {words}")));
    }
    let read = agent.read_entry(key, Freshness::Consistent, log)?;
    expect(
        read.is_some_and(|entry| entry.value == VALUE),
        "what was written cannot be read",
    )
}

fn remove(agent: &Agent, key: &str, log: &Log) -> Result<(), Failure> {
    let delete = Step::Delete {
        key: key.to_owned(),
    };
    agent.transact(&[delete], log).map(|_| ())
}

fn expect(holds: bool, otherwise: &'static str) -> Result<(), Failure> {
    match holds {
        true => Ok(()),
        false => Err(Failure::Refused(anyhow!(otherwise))),
    }
}
