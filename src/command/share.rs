//! The part of a node in the memory that several nodes share through Consul: finds out who speaks, reads what is shared,
//! publishes what this node has to say, and notes each mail that was sent. What is decided is decided in [`crate::speaker`]
//! and [`crate::reunite`].
//!
//! While there is no quorum, or Consul refuses to be written to, the mails go out all the same: telling is worth more than
//! sharing.
//!
//! # A pass, in order
//! 1. `sight` reads what every node reads in every pass, and finds out who holds the lock that decides. `leader` finds out
//!    whether PetaSAN's leader carries out passes; if not, our own lock decides.
//! 2. `turn` finds out whose turn it is. `lock` makes sure of the lock, takes it or gives it up; `renewal` keeps it while the
//!    pass lasts.
//! 3. `take_up` brings the node's state up to date with what is shared.
//! 4. When the pass has judged, and again at its end, `publish` shares what is new.
//! 5. `sent` notes each mail when it has been sent.
//!
//! `store` knows where all that lies in Consul, `notes` what this node keeps for itself, `words` how it is told.

mod leader;
mod lock;
mod notes;
mod publish;
mod renewal;
mod sent;
mod sight;
mod store;
mod take_up;
mod turn;
mod words;

use std::collections::HashSet;

use jiff::Timestamp;

use self::notes::NotesFile;
use self::publish::Known;
pub use self::publish::{JUDGED_AT_MOST, Judged, When};
use self::sent::Sent;
use self::store::{Found, Keys};
use self::turn::{Standing, Voice};
use super::Context;
use super::check::NAMELESS;
use super::observe::asks_consul;
use crate::consul::{Agent, Freshness};
use crate::queue::MailId;
use crate::reunite::Base;
use crate::settings::HaMode;
use crate::settings::petasan::LEADER_KEY;
use crate::speaker::{Manner, Skew};
use crate::state::State;

/// What a node has to do with the memory that nodes share.
pub enum Part {
    /// Nothing: it is alone.
    Alone,
    /// It speaks.
    Speaker(Box<Share>),
    /// It is silent.
    Listener(Box<Share>),
}

impl Part {
    /// What the nodes share, where they do.
    pub fn into_share(self) -> Option<Box<Share>> {
        match self {
            Part::Alone => None,
            Part::Speaker(share) | Part::Listener(share) => Some(share),
        }
    }
}

/// The shared memory as this node has found it, and what it may do there.
pub struct Share {
    agent: Agent,
    keys: Keys,
    me: String,
    notes: NotesFile,
    /// What was last read of what is shared.
    found: Found,
    standing: Standing,
    voice: Voice,
    known: Known,
    sent: Sent,
    /// The pass before, if this node took part then.
    last_pass: Option<Timestamp>,
    /// What went wrong that an admin must mend.
    trouble: bool,
    /// What this node remembers has changed by what is shared.
    changed: bool,
}

/// What a command has in mind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A pass, which speaks if it is this node's turn.
    Pass,
    /// To look, and to change nothing.
    Look,
    /// To add a word, e.g. a silence, whoever speaks.
    Change,
    /// To send what is pending, unless another node speaks.
    Send,
}

/// Finds out what this node has to do with a shared memory, and brings `state` up to date with what is shared. `sent` are the
/// mails that this node has written down as sent.
pub fn take_part(
    context: &Context,
    state: &mut State,
    sent: HashSet<MailId>,
    purpose: Purpose,
) -> Part {
    if context.settings.ha.mode == HaMode::Off {
        return alone(state);
    }
    let mut notes = NotesFile::read(context);
    let agent = match Agent::new(&context.settings.consul) {
        Ok(agent) => agent,
        // The check of the nodes tells it as well, and all of them are told.
        Err(error) => {
            let log = &context.log;
            log.warning(format!("what the nodes share cannot be read: {error:#}"));
            return alone(state);
        }
    };
    let Some(manner) = manner(context, &agent, notes.manner, purpose) else {
        return alone(state);
    };
    notes.manner = Some(manner);
    let mut share = Share::new(context, agent, notes, purpose, state, sent);
    let own = Own::of(state);
    let sight = share.look(context, manner, purpose);
    let speaks = match purpose {
        Purpose::Pass => share.take_turn(context, sight, own),
        Purpose::Look | Purpose::Change | Purpose::Send => {
            share.learn_speaker(context, sight, purpose);
            false
        }
    };
    share.take_up(context, state);
    if purpose == Purpose::Pass {
        share.notes.passed_at = Some(context.now);
        share.notes.write(context);
    }
    match speaks {
        true => Part::Speaker(Box::new(share)),
        false => Part::Listener(Box::new(share)),
    }
}

/// A node that shares nothing now. Should it do so again, nobody else knows what it has told meanwhile.
fn alone(state: &mut State) -> Part {
    if let Some(mut lineage) = state.lineage.take() {
        lineage.ahead.get_or_insert_with(|| Base::of(state));
        state.lineage = Some(lineage);
    }
    Part::Alone
}

/// Which lock decides; `None` where this node is alone. `known` decided in the pass before.
fn manner(
    context: &Context,
    agent: &Agent,
    known: Option<Manner>,
    purpose: Purpose,
) -> Option<Manner> {
    match context.settings.ha.mode {
        HaMode::Off => None,
        HaMode::Consul => Some(Manner::Consul),
        HaMode::Petasan => Some(Manner::Petasan),
        HaMode::Auto if known == Some(Manner::Petasan) => known,
        // A pass finds it out, where it has to do with Consul at all.
        HaMode::Auto if purpose != Purpose::Pass || !asks_consul(&context.settings) => None,
        HaMode::Auto => petasans_lock(context, agent),
    }
}

fn petasans_lock(context: &Context, agent: &Agent) -> Option<Manner> {
    // Whether there is such a lock needs no leader to be known.
    match agent.read_entry(LEADER_KEY, Freshness::Stale, &context.log) {
        Ok(entry) => entry.map(|_| Manner::Petasan),
        Err(failure) => {
            context.log.info(format!(
                "not known whether PetaSAN chooses a leader here: {failure}"
            ));
            None
        }
    }
}

/// How this node's own state stands to what is shared.
#[derive(Debug, Clone, Copy)]
struct Own {
    /// There has been a shared memory.
    was_shared: bool,
    /// It knows of something that was told.
    knows_anything: bool,
}

impl Own {
    fn of(state: &State) -> Self {
        let lineage = state.lineage.as_ref();
        let mut open = state.memory.incidents().into_iter().flatten();
        Own {
            was_shared: lineage.is_some_and(|lineage| lineage.head.is_some()),
            knows_anything: lineage.is_some() || open.next().is_some() || !state.queue.is_empty(),
        }
    }
}

impl Share {
    fn new(
        context: &Context,
        agent: Agent,
        mut notes: NotesFile,
        purpose: Purpose,
        state: &State,
        sent: HashSet<MailId>,
    ) -> Self {
        let settings = &context.settings;
        let me = notes.know_itself(context, &agent, purpose);
        let cluster = (settings.cluster_name.as_deref())
            .or(notes.datacenter.as_deref())
            .or(state.cluster.as_deref());
        Share {
            keys: Keys::of(&settings.ha.prefix, cluster.unwrap_or(NAMELESS)),
            agent,
            me,
            last_pass: notes.passed_at,
            notes,
            found: Found::Nothing,
            standing: Standing::default(),
            voice: Voice::default(),
            known: Known::of(state),
            sent: Sent::knowing(sent),
            trouble: false,
            changed: false,
        }
    }

    /// Takes down how the pass went. `cut_off`: it could neither see nor send.
    pub fn end(&mut self, context: &Context, cut_off: bool) {
        self.notes.cut_off = match cut_off {
            true => self.notes.cut_off.saturating_add(1),
            false => 0,
        };
        self.notes.write(context);
    }

    /// Whether another node has the lock by now: nothing more must be sent.
    pub fn has_lost_the_voice(&self) -> bool {
        self.voice.is_lost()
    }

    /// Whether what this node remembers has changed by what is shared, so that its own copy is to be written anew.
    pub fn has_changed(&self) -> bool {
        self.changed
    }

    /// Who speaks, as far as this node knows.
    pub fn speaker(&self) -> Option<&str> {
        self.standing.speaker.as_deref()
    }

    /// Who speaks, if it is known to be another node.
    pub fn other_speaker(&self) -> Option<&str> {
        self.speaker().filter(|speaker| *speaker != self.me)
    }

    /// When this node took part the last time, as a speaker or silent.
    pub fn last_pass(&self) -> Option<Timestamp> {
        self.last_pass
    }

    /// Who was asked: what the agent has not answered it need not be asked again.
    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    /// What Consul calls this node.
    pub fn node(&self) -> &str {
        &self.me
    }

    /// How far the clock of the node is off that last published.
    pub fn skew(&self) -> Option<&Skew> {
        self.notes.skew.as_ref()
    }

    /// Whether something is wrong that an admin must mend.
    pub fn has_trouble(&self) -> bool {
        self.trouble || self.notes.is_in_doubt()
    }
}
