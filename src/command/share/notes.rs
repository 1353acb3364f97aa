//! What a node keeps for itself from pass to pass, in a file beside the state. Without it nothing is lost but who spoke.

use std::fs;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::anyhow;

use super::Purpose;
use crate::command::Context;
use crate::consul::{Agent, Failure};
use crate::output::Log;
use crate::replace::{Safe, replace};
use crate::speaker::Notes;
use crate::wording;

/// The session that shows what its node is called ends by itself if it can't be ended: after Consul's shortest time to live.
const TTL: Duration = Duration::from_secs(10);

/// The notes, and what stands in the file.
#[derive(Debug)]
pub(super) struct NotesFile {
    notes: Notes,
    written: Option<Notes>,
    is_in_doubt: bool,
}

impl Deref for NotesFile {
    type Target = Notes;

    fn deref(&self) -> &Notes {
        &self.notes
    }
}

impl DerefMut for NotesFile {
    fn deref_mut(&mut self) -> &mut Notes {
        &mut self.notes
    }
}

fn path(context: &Context) -> PathBuf {
    let mut path = context.store.file().to_owned().into_os_string();
    path.push(".ha");
    path.into()
}

impl NotesFile {
    /// Reads the notes; what can't be read is found out again.
    pub(super) fn read(context: &Context) -> Self {
        let text = fs::read(path(context)).unwrap_or_default();
        let notes: Notes = serde_json::from_slice(&text).unwrap_or_default();
        NotesFile {
            written: (!text.is_empty()).then(|| notes.clone()),
            notes,
            is_in_doubt: false,
        }
    }

    /// Writes them, where they have changed. Whether they are written.
    pub(super) fn write(&mut self, context: &Context) -> bool {
        if self.written.as_ref() == Some(&self.notes) {
            return true;
        }
        let path = path(context);
        let Ok(text) = serde_json::to_vec_pretty(&self.notes) else {
            return false;
        };
        match replace(&path, &text, None, Safe::Soon) {
            Ok(()) => self.written = Some(self.notes.clone()),
            Err(error) => {
                context.log.warning(format!("{error:#}"));
                return false;
            }
        }
        true
    }

    /// What Consul calls this node. That is found out once for each agent and machine; only a pass may leave a trace of it.
    pub(super) fn know_itself(
        &mut self,
        context: &Context,
        agent: &Agent,
        purpose: Purpose,
    ) -> String {
        let log = &context.log;
        let machine = rustix::system::uname();
        let machine = machine.nodename().to_string_lossy();
        let asked = format!("{machine} {}", context.settings.consul.address);
        if let Some(node) = &self.notes.node
            && self.notes.asked.as_deref() == Some(&asked)
        {
            return node.clone();
        }
        let name = match agent.identity(log) {
            Ok(Some(identity)) => {
                self.notes.datacenter = identity.datacenter;
                Some(identity.node)
            }
            Ok(None) => self.found_otherwise(context, agent, &machine, purpose),
            Err(error) => {
                log.debug(format!("{error:#}"));
                None
            }
        };
        // What it takes itself for until it knows is asked for again.
        let is_known = name.is_some() && self.notes.datacenter.is_some();
        self.notes.asked = is_known.then_some(asked);
        let name = name.or_else(|| self.notes.node.take().filter(|_| !self.is_in_doubt));
        let name = name.unwrap_or_else(|| machine.into_owned());
        self.notes.node = Some(name.clone());
        name
    }

    /// What Consul calls this node, where the token may not ask its agent.
    fn found_otherwise(
        &mut self,
        context: &Context,
        agent: &Agent,
        machine: &str,
        purpose: Purpose,
    ) -> Option<String> {
        let log = &context.log;
        let members = agent.members(log).unwrap_or_default();
        let is_member = members.is_alive(machine);
        self.notes.datacenter = members.datacenter;
        match purpose {
            _ if is_member => Some(machine.to_owned()),
            Purpose::Look | Purpose::Change | Purpose::Send => None,
            Purpose::Pass => match named_by_session(agent, log) {
                Ok(name) => Some(name),
                Err(failure) => {
                    self.is_in_doubt = true;
                    log.error(format!(
                        "not known what Consul calls this node, and {} is no member: {failure}",
                        wording::name(machine)
                    ));
                    None
                }
            },
        }
    }

    /// Whether this pass could not find out what Consul calls this node.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.is_in_doubt
    }
}

/// Finds out what Consul calls this node: a session bears the name of the node that it is created on.
fn named_by_session(agent: &Agent, log: &Log) -> Result<String, Failure> {
    let session = agent.create_session("petanotify asks for its name", TTL, Duration::ZERO, log)?;
    let node = agent.session_node(&session, log);
    if let Err(failure) = agent.destroy_session(&session, log) {
        log.debug(failure);
    }
    node?.ok_or_else(|| Failure::Refused(anyhow!("a session has ended as soon as it had begun")))
}
