//! What a command finds at first: what every node reads in every pass, and who holds the lock that decides.

use super::store::{Found, Tree};
use super::{Purpose, Share};
use crate::command::Context;
use crate::consul::{Failure, Freshness, SessionId};
use crate::output::Log;
use crate::settings::petasan::LEADER_KEY;
use crate::speaker::{Lock, Manner};

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Held {
    Nobody,
    Ours(SessionId),
    /// Another node, as far as it is known by name.
    By(Option<String>),
    /// It can't be known, for the servers have no quorum.
    Unknown,
    /// It can't be known, for this node's agent does not answer.
    Unreachable,
}

impl Held {
    pub(super) fn lock(&self) -> Lock<'_> {
        match self {
            Held::Nobody => Lock::Free,
            Held::Ours(_) => Lock::Ours,
            Held::By(node) => Lock::Held(node.as_deref()),
            Held::Unknown => Lock::Unknown,
            Held::Unreachable => Lock::Unreachable,
        }
    }
}

/// What was found at first.
#[derive(Debug)]
pub(super) struct Sight {
    /// Which lock decides.
    pub(super) manner: Manner,
    /// Who holds it.
    pub(super) held: Held,
    /// The holder of PetaSAN's lock who has left the voice to others, and the index of that.
    pub(super) yielded: Option<(String, u64)>,
}

impl Share {
    /// Reads what is shared, and finds out who holds the lock that decides. Where that can't be read, takes what one of Consul's
    /// servers knew last.
    pub(super) fn look(&mut self, context: &Context, manner: Manner, purpose: Purpose) -> Sight {
        let log = &context.log;
        let read = Tree::read(&self.agent, &self.keys, Freshness::Consistent, log);
        let read = read.and_then(|tree| {
            let (manner, held) = self.deciding_lock(context, manner, purpose, &tree)?;
            Ok((tree, manner, held))
        });
        let (tree, manner, held) = match read {
            Ok((tree, manner, held)) => {
                self.standing.has_quorum = true;
                (Some(tree), manner, held)
            }
            Err(failure) => {
                self.voice.cannot_write();
                let held = self.report_unreadable(context, failure, purpose);
                let stale = (held == Held::Unknown)
                    .then(|| Tree::read(&self.agent, &self.keys, Freshness::Stale, log).ok());
                (stale.flatten(), self.decided_before(manner), held)
            }
        };
        let yielded = tree.as_ref().and_then(|tree| tree.yielded.clone());
        self.found = tree.map_or(Found::Nothing, Found::Tree);
        Sight {
            manner,
            held,
            yielded,
        }
    }

    /// Which lock decides, and who holds it.
    fn deciding_lock(
        &mut self,
        context: &Context,
        manner: Manner,
        purpose: Purpose,
        tree: &Tree,
    ) -> Result<(Manner, Held), Failure> {
        if manner == Manner::Consul {
            self.notes.stands_in = false;
            return Ok((manner, self.own_locks_holder(tree, &context.log)));
        }
        let leader = self.petasans_leader(&context.log)?;
        if purpose == Purpose::Pass {
            self.hear_leader(context, tree, &leader);
        }
        Ok(match self.notes.stands_in {
            true => (Manner::Consul, self.own_locks_holder(tree, &context.log)),
            false => (manner, leader),
        })
    }

    /// Who holds our own lock. A node that could not take down its session knows it by the name that stands in the lock.
    fn own_locks_holder(&self, tree: &Tree, log: &Log) -> Held {
        let session = self.notes.session.as_deref();
        if let (None, Some((holder, name))) = (session, &tree.lock)
            && *name == self.me
            && self
                .agent
                .session_node(holder, log)
                .is_ok_and(|node| node.as_ref() == Some(&self.me))
        {
            return Held::Ours(holder.clone());
        }
        tree.holder(session)
    }

    /// Which lock decides while it can't be known who holds it.
    fn decided_before(&mut self, manner: Manner) -> Manner {
        match manner {
            Manner::Consul => {
                self.notes.stands_in = false;
                manner
            }
            Manner::Petasan if self.notes.stands_in => Manner::Consul,
            Manner::Petasan => manner,
        }
    }

    /// Who holds PetaSAN's lock.
    fn petasans_leader(&mut self, log: &Log) -> Result<Held, Failure> {
        let entry = (self.agent).read_entry(LEADER_KEY, Freshness::Consistent, log)?;
        let Some(session) = entry.and_then(|entry| entry.session) else {
            return Ok(Held::Nobody);
        };
        let known = (self.notes.leader.clone()).filter(|(id, _)| id == session.as_str());
        let node = match known {
            Some((_, node)) => Some(node),
            None => self.agent.session_node(&session, log)?,
        };
        self.notes.leader = node.clone().map(|node| (session.to_string(), node));
        Ok(match node {
            Some(node) if node == self.me => Held::Ours(session),
            node => Held::By(node),
        })
    }

    /// For a command that makes no pass: who speaks, and what must still be so when it sends.
    pub(super) fn learn_speaker(&mut self, context: &Context, sight: Sight, purpose: Purpose) {
        self.standing.speaker = match sight.held {
            Held::Ours(session) => {
                let is_ours = purpose != Purpose::Send || self.hold(context, sight.manner, session);
                is_ours.then(|| self.me.clone())
            }
            Held::By(node) => node,
            Held::Nobody | Held::Unknown | Held::Unreachable => None,
        };
    }
}
