//! The mails that were sent: noted in Consul one by one, so that a successor does not send them again.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Share;
use super::store::{Found, NOTED_TOGETHER};
use crate::command::Context;
use crate::consul::{Step, Transacted};
use crate::queue::MailId;
use crate::state::State;

/// The mails that are known to have been sent.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// Before this pass, as far as the state may not know of it.
    known: HashSet<MailId>,
    /// In this pass.
    noted: Mutex<Noted>,
}

/// The mails that were sent in this pass.
#[derive(Debug, Default)]
struct Noted {
    /// All of them.
    sent: Vec<MailId>,
    /// Those that share a key in Consul.
    together: Vec<MailId>,
    /// The number of that key.
    number: u32,
}

impl Noted {
    /// Adds a mail. Returns the number of the key in which it stands, and what stands there by now.
    fn add(&mut self, id: &MailId) -> (u32, String) {
        if self.together.len() >= NOTED_TOGETHER {
            self.together.clear();
            self.number += 1;
        }
        self.together.push(id.clone());
        let lines = self.together.iter().map(|id| format!("{id}\n"));
        (self.number, lines.collect())
    }
}

impl Sent {
    /// Those that this node has written down before.
    pub(super) fn knowing(known: HashSet<MailId>) -> Self {
        Sent {
            known,
            noted: Mutex::default(),
        }
    }

    pub(super) fn known(&self) -> &HashSet<MailId> {
        &self.known
    }

    /// Takes up what is noted in Consul. Whether anything is.
    pub(super) fn take_up(&mut self, found: &Found) -> bool {
        let mut noted = self.noted();
        if noted.sent.is_empty() {
            noted.number = found.free_number();
        }
        drop(noted);
        let sent = found.sent();
        let is_any = !sent.is_empty();
        self.known.extend(sent);
        is_any
    }

    /// Whether anything is noted in Consul.
    pub(super) fn is_noted(&self, found: &Found) -> bool {
        let noted = self.noted();
        !found.sent().is_empty() || !noted.together.is_empty() || noted.number > 0
    }

    /// Nothing is noted in Consul any more.
    pub(super) fn begin_anew(&self) {
        let mut noted = self.noted();
        noted.together.clear();
        noted.number = 0;
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Notes in Consul that a mail was sent, so that a successor does not send it again. Nothing can be done about a failure
    /// but to go on.
    pub fn note(&self, context: &Context, id: &MailId) {
        let mut noted = self.sent.noted();
        noted.sent.push(id.clone());
        let mut steps = self.voice.fence.clone();
        if steps.is_empty() || !self.voice.can_write() {
            return;
        }
        let (number, text) = noted.add(id);
        steps.push(Step::Set {
            key: format!("{}{number}", self.keys.sent()),
            value: text.into_bytes(),
        });
        let log = &context.log;
        match self.agent.transact(&steps, log) {
            Ok(Transacted::Done) => {}
            Ok(Transacted::Refused(words)) => {
                self.voice.lose();
                log.warning(format!(
                    "another node has the lock now, so this one sends no more mail: {words}"
                ));
            }
            Err(failure) => {
                self.voice.cannot_write();
                log.warning(format!(
                    "what is sent can be noted on this node only: {failure}"
                ));
            }
        }
    }

    /// Takes down in the state which mails this pass has sent.
    pub fn take_down_sent(&self, state: &mut State) {
        state.told.extend(&self.sent.noted().sent);
    }
}
