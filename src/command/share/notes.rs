//! What a node keeps for itself from pass to pass, in a file beside the state. Without it nothing is lost but who spoke.

use std::fs;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;

use crate::command::Context;
use crate::consul::Agent;
use crate::replace::{Safe, replace};
use crate::speaker::Notes;

/// The notes, and what stands in the file.
#[derive(Debug)]
pub(super) struct NotesFile {
    notes: Notes,
    written: Option<Notes>,
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

    /// What Consul calls this node. It is asked once for each agent and machine.
    pub(super) fn know_itself(&mut self, context: &Context, agent: &Agent) -> String {
        let machine = rustix::system::uname();
        let machine = machine.nodename().to_string_lossy();
        let asked = format!("{machine} {}", context.settings.consul.address);
        if let Some(node) = &self.notes.node
            && self.notes.asked.as_deref() == Some(&asked)
        {
            return node.clone();
        }
        match agent.identity(&context.log) {
            Ok(Some(identity)) => {
                self.notes.node = Some(identity.node);
                self.notes.datacenter = identity.datacenter;
                self.notes.asked = Some(asked);
            }
            Ok(None) => {
                let members = agent.members(&context.log).ok();
                self.notes.datacenter = members.and_then(|members| members.datacenter);
                self.notes.node = Some(machine.to_string());
                self.notes.asked = self.notes.datacenter.is_some().then_some(asked);
            }
            Err(error) => context.log.debug(format!("{error:#}")),
        }
        self.notes
            .node
            .clone()
            .unwrap_or_else(|| machine.to_string())
    }
}
