//! Whose turn it is in a pass, and doing what that takes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::lock::Hold;
use super::renewal::Renewal;
use super::sight::{Held, Sight};
use super::{Own, Share};
use crate::command::Context;
use crate::consul::{self, SessionId, Step};
use crate::facts::Presence;
use crate::speaker::{Doubt, Lock, Manner, Turn, View, was_away};

/// How this node stands to the others in this pass.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// What is shared was read while there was a quorum.
    pub(super) has_quorum: bool,
    /// Another node speaks in place of this one, which is PetaSAN's leader.
    pub(super) is_stood_in_for: bool,
    /// It is this node's turn, but it lets this pass go by: see [`Doubt`].
    pub(super) waits: bool,
    /// Who speaks, if it is not this node.
    pub(super) speaker: Option<String>,
}

/// What this node may write.
#[derive(Debug, Default)]
pub(super) struct Voice {
    /// What must still be so whenever this node writes: that it holds the lock. Empty where nobody can hold it, or who only
    /// adds a word of his own.
    pub(super) fence: Vec<Step>,
    /// Consul does not take what is written.
    is_mute: AtomicBool,
    /// Another node has the lock now, or can have it.
    is_lost: Arc<AtomicBool>,
    /// Keeps the lock while this node speaks, where that takes something.
    renewal: Option<Renewal>,
}

impl Voice {
    pub(super) fn can_write(&self) -> bool {
        !self.is_mute.load(Ordering::Relaxed)
    }

    pub(super) fn cannot_write(&self) {
        self.is_mute.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Relaxed)
    }

    pub(super) fn lose(&self) {
        self.is_lost.store(true, Ordering::Relaxed);
    }

    /// Keeps the session alive that holds our own lock.
    pub(super) fn keep(&mut self, session: SessionId, context: &Context) {
        let (settings, log) = (&context.settings, &context.log);
        let (consul, ttl) = (settings.consul.clone(), settings.ha.session_ttl);
        let is_lost = Arc::clone(&self.is_lost);
        match Renewal::begin(consul, session, ttl, is_lost, log.clone()) {
            Ok(renewal) => self.renewal = Some(renewal),
            // Short passes need none.
            Err(error) => log.info(format!("no thread to keep the lock with: {error}")),
        }
    }
}

impl Share {
    /// Finds out whose turn it is, and takes the lock if it is this node's. Whether it speaks.
    pub(super) fn take_turn(&mut self, context: &Context, sight: Sight, own: Own) -> bool {
        self.notes.count_lock(sight.held.lock());
        self.notes.knows_others |= self.has_heard_of_others();
        let turn = self.turn(context, &sight);
        let speaks = self.carry_out(context, turn, &sight);
        let waits = self.waits(context, speaks, own, sight.held.lock());
        self.remember_speaker(speaks, waits);
        speaks && !waits
    }

    fn turn(&mut self, context: &Context, sight: &Sight) -> Turn {
        let mut view = View {
            manner: sight.manner,
            lock: sight.held.lock(),
            yielded: sight.yielded.as_ref().map(|(node, _)| node.as_str()),
            is_cut_off: self.notes.cut_off >= context.settings.ha.step_down_after,
            rests: (self.notes.rests_until).is_some_and(|until| context.now < until),
            free_passes: self.notes.free_passes,
            deaf_passes: self.notes.deaf_passes,
            ..self.outlook()
        };
        if view.takes_voice_back() {
            self.take_voice_back(context);
            view.yielded = None;
        }
        if !view.needs_gossip() {
            return view.turn();
        }
        let (living, nodes) = self.living(context);
        view.living = Some(&living);
        let turn = view.turn();
        self.notes.nodes = nodes;
        turn
    }

    /// What this node sees where nobody can hold a lock of our own.
    fn outlook(&self) -> View<'_> {
        View {
            manner: Manner::Consul,
            me: &self.me,
            lock: Lock::Unknown,
            yielded: None,
            living: None,
            last: self.notes.speaker.as_deref(),
            is_cut_off: false,
            rests: false,
            free_passes: 0,
            deaf_passes: 0,
            stands_in: self.notes.stands_in,
            lockless_passes: self.notes.lockless_passes,
            knows_others: self.notes.knows_others,
            knows_memory: self.notes.seen.is_some(),
        }
    }

    /// Whether another node has left a sign that it carries out passes.
    fn has_heard_of_others(&self) -> bool {
        let head = self.found.head().ok().flatten();
        let writer = head.as_ref().map(|head| head.node.as_str());
        let mut signs = self.found.signs().into_iter().chain(writer);
        signs.any(|node| node != self.me)
    }

    /// Does what this node's turn is. Whether it speaks.
    fn carry_out(&mut self, context: &Context, turn: Turn, sight: &Sight) -> bool {
        match turn {
            Turn::Speak => match &sight.held {
                Held::Ours(session) => self.hold(context, sight.manner, session.clone()),
                Held::Nobody | Held::By(_) | Held::Unknown | Held::Unreachable => true,
            },
            Turn::SpeakAsDeputy => {
                self.deputize(context, sight);
                true
            }
            Turn::SpeakForAll => {
                let words = self.why_it_speaks_for_all(sight.held.lock());
                context.log.warning(words);
                true
            }
            Turn::Acquire => self.acquire_or_speak_without(context),
            Turn::StepDown => {
                self.step_down(context, sight);
                false
            }
            Turn::Listen(speaker) => {
                self.standing.speaker = speaker;
                false
            }
        }
    }

    fn acquire_or_speak_without(&mut self, context: &Context) -> bool {
        match self.acquire(context) {
            Hold::Ours => true,
            Hold::Others => false,
            Hold::Nobodys => self.speaks_without_lock(context),
            Hold::Refused => self.outlook().speaks_when_refused(),
        }
    }

    /// Whether this node is the first of the living, where nobody can take the lock.
    fn speaks_without_lock(&mut self, context: &Context) -> bool {
        let (living, _) = self.living(context);
        let view = View {
            living: Some(&living),
            ..self.outlook()
        };
        match view.turn() {
            Turn::SpeakForAll => true,
            Turn::Listen(speaker) => {
                self.standing.speaker = speaker;
                false
            }
            Turn::Speak | Turn::SpeakAsDeputy | Turn::Acquire | Turn::StepDown => false,
        }
    }

    /// Whether this node lets the pass go by though it is its turn, for others may have told what it does not know yet.
    fn waits(&mut self, context: &Context, speaks: bool, own: Own, lock: Lock<'_>) -> bool {
        let is_there = !matches!(self.found.head(), Ok(None));
        let Standing { has_quorum, .. } = self.standing;
        let notes = &mut self.notes;
        let doubt = Doubt {
            has_memory: is_there || (!has_quorum && (own.was_shared || notes.seen.is_some())),
            has_quorum,
            leaderless_passes: notes.leaderless_passes,
            was_away: was_away(notes.looked_at, context.now, own.knows_anything),
            is_stood_in_for: self.standing.is_stood_in_for,
            has_waited: notes.has_waited,
        };
        let waits = speaks && lock != Lock::Unreachable && doubt.waits();
        notes.has_waited = doubt.has_waited_now(waits);
        notes.count_quorum(has_quorum, lock);
        // Who can't take it down would let every pass go by.
        waits && notes.write(context)
    }

    /// Takes down who speaks, for the hour in which that can't be known.
    fn remember_speaker(&mut self, speaks: bool, waits: bool) {
        let Standing {
            speaker,
            has_quorum,
            ..
        } = &mut self.standing;
        if waits && *has_quorum {
            *speaker = Some(self.me.clone());
        }
        if speaks && !waits {
            self.notes.speaker = Some(self.me.clone());
        } else if speaker.is_some() {
            self.notes.speaker.clone_from(speaker);
        }
        if !speaks {
            self.notes.cut_off = 0;
        }
        self.standing.waits = waits;
    }

    /// The nodes of the cluster that the gossip knows to be alive, and all nodes.
    fn living(&self, context: &Context) -> (BTreeSet<String>, BTreeSet<String>) {
        let log = &context.log;
        let prefix = &context.settings.consul.nodes_prefix;
        let members = match self.agent.members(log) {
            Ok(members) => members,
            Err(error) => {
                log.warning(format!("not known who is alive: {error:#}"));
                return (BTreeSet::new(), self.notes.nodes.clone());
            }
        };
        let nodes = match self.agent.keys(prefix, log) {
            Ok(keys) => consul::membership(prefix, &keys, &members).nodes,
            Err(error) => {
                log.info(format!("going on with the nodes known before: {error:#}"));
                Default::default()
            }
        };
        let mut names: BTreeSet<String> = nodes.into_keys().collect();
        if names.is_empty() {
            names.clone_from(&self.notes.nodes);
        }
        let last = (names.is_empty())
            .then(|| self.notes.speaker.clone())
            .flatten();
        let is_alive = |name: &String| members.presence.get(name) == Some(&Presence::Alive);
        let living = names.iter().cloned().chain(last).filter(is_alive).collect();
        (living, names)
    }
}
