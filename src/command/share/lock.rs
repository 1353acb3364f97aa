//! Making sure of the lock that decides who speaks, taking it, and leaving the voice to others.

use super::Share;
use super::sight::{Held, Sight};
use super::store::{Found, Tree};
use super::words::SESSION_HAS_ENDED;
use crate::command::Context;
use crate::consul::{Failure, Freshness, SessionId, Step};
use crate::settings::petasan::LEADER_KEY;
use crate::speaker::{Manner, REST};

/// What came of trying to take the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// This node holds it.
    Ours,
    /// Another one does, or will.
    Others,
    /// Nobody can hold it.
    Nobodys,
    /// This node may not take it, and who else may is not known.
    Refused,
}

impl Share {
    /// Whatever this node writes from now on is refused unless the session still holds the lock, and one of its own goes on to.
    pub(super) fn fence_lock(&mut self, context: &Context, manner: Manner, session: SessionId) {
        let key = match manner {
            Manner::Consul => {
                self.voice.keep(session.clone(), context);
                self.keys.lock()
            }
            // PetaSAN keeps its own.
            Manner::Petasan => LEADER_KEY.to_owned(),
        };
        self.voice.fence.push(Step::CheckSession { key, session });
    }

    /// Makes sure of the lock that this node holds.
    pub(super) fn hold(&mut self, context: &Context, manner: Manner, session: SessionId) -> bool {
        if manner == Manner::Consul {
            match self.agent.renew_session(&session, &context.log) {
                Ok(true) => self.notes.session = Some(session.to_string()),
                Ok(false) => {
                    context.log.warning(SESSION_HAS_ENDED);
                    self.notes.session = None;
                    return false;
                }
                // The first write tells whether the lock is still held.
                Err(failure) => self.report_unwritten(context, failure),
            }
        }
        self.fence_lock(context, manner, session);
        true
    }

    /// Speaks for the holder of PetaSAN's lock as long as that holds it and wants it so.
    pub(super) fn deputize(&mut self, context: &Context, sight: &Sight) {
        let (Some((leader, index)), Some((session, _))) = (&sight.yielded, &self.notes.leader)
        else {
            return;
        };
        context.log.info(format!(
            "{leader} has left the voice to this node, {}",
            self.me
        ));
        self.voice.fence.push(Step::CheckIndex {
            key: self.keys.yielded(),
            index: *index,
        });
        if let Some(session) = SessionId::parse(session) {
            self.fence_lock(context, Manner::Petasan, session);
        }
    }

    /// Tries to take the free lock.
    pub(super) fn acquire(&mut self, context: &Context) -> Hold {
        let log = &context.log;
        let failure = match self.try_to_acquire(context) {
            Ok(Some(session)) => {
                log.notice(format!("{} speaks from now on", self.me));
                self.notes.lockless_passes = 0;
                self.fence_lock(context, Manner::Consul, session);
                // Another one may have published until then.
                match Tree::read(&self.agent, &self.keys, Freshness::Consistent, log) {
                    Ok(tree) => self.found = Found::Tree(tree),
                    Err(failure) => self.report_unwritten(context, failure),
                }
                return Hold::Ours;
            }
            Ok(None) => {
                self.notes.lockless_passes = 0;
                return Hold::Others;
            }
            Err(failure) => failure,
        };
        self.notes.count_lockless();
        let hold = match &failure {
            Failure::Refused(_) if self.notes.stands_in => Hold::Refused,
            Failure::Refused(_) => Hold::Nobodys,
            Failure::NoQuorum(_) => {
                self.standing.has_quorum = false;
                Hold::Nobodys
            }
            Failure::Unreachable(_) => Hold::Others,
        };
        self.report_unwritten(context, failure);
        hold
    }

    /// `None`: it is not to be had.
    fn try_to_acquire(&mut self, context: &Context) -> Result<Option<SessionId>, Failure> {
        let log = &context.log;
        let settings = &context.settings.ha;
        let known = self.notes.session.as_deref().and_then(SessionId::parse);
        let known = match known {
            Some(session) => (self.agent.renew_session(&session, log)?).then_some(session),
            None => None,
        };
        let session = match known {
            Some(session) => session,
            None => {
                let name = format!("petanotify on {}", self.me);
                let (ttl, delay) = (settings.session_ttl, settings.lock_delay);
                self.agent.create_session(&name, ttl, delay, log)?
            }
        };
        // Before it is used: a node that forgot its own session would have to wait until that ends.
        self.notes.session = Some(session.to_string());
        self.notes.write(context);
        let taken = (self.agent).acquire(&self.keys.lock(), &session, self.me.as_bytes(), log)?;
        if !taken {
            log.info("the lock is not to be had yet");
        }
        Ok(taken.then_some(session))
    }

    /// Leaves the voice to others.
    pub(super) fn step_down(&mut self, context: &Context, sight: &Sight) {
        let log = &context.log;
        log.error(self.why_it_steps_down());
        self.trouble = true;
        self.notes.rests_until = context.now.checked_add(REST).ok();
        let Held::Ours(session) = &sight.held else {
            return;
        };
        let done = match sight.manner {
            Manner::Consul => {
                self.notes.session = None;
                self.agent.destroy_session(session, log)
            }
            Manner::Petasan => {
                let steps = [
                    Step::CheckSession {
                        key: LEADER_KEY.to_owned(),
                        session: session.clone(),
                    },
                    Step::Set {
                        key: self.keys.yielded(),
                        value: self.me.clone().into_bytes(),
                    },
                ];
                self.agent.transact(&steps, log).map(|_| ())
            }
        };
        if let Err(failure) = done {
            self.report_unwritten(context, failure);
        }
    }

    /// PetaSAN's leader, which had left the voice to others, tries again.
    pub(super) fn take_voice_back(&self, context: &Context) {
        let log = &context.log;
        let steps = [Step::Delete {
            key: self.keys.yielded(),
        }];
        if let Err(failure) = self.agent.transact(&steps, log) {
            log.warning(format!("cannot take the voice back: {failure}"));
        }
    }
}
