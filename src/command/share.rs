//! The part of a node in the memory that several nodes share through Consul: finds out who speaks, reads what is shared,
//! publishes what this node has to say, and notes each mail that was sent. What is decided is decided in [`crate::speaker`]
//! and [`crate::reunite`].
//!
//! While there is no quorum, or Consul refuses to be written to, the mails go out all the same: telling is worth more than
//! sharing.

mod notes;
mod store;

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow};

use jiff::Timestamp;

use self::notes::NotesFile;
use self::store::{Found, Keys, NOTED_TOGETHER, Tree};
use super::Context;
use super::observe::asks_consul;
use crate::consul::{self, Agent, Failure, Freshness, SessionId, Step, Transacted};
use crate::facts::Presence;
use crate::naming::Names;
use crate::queue::MailId;
use crate::reunite::{Base, Course, Lineage, reunite};
use crate::settings::HaMode;
use crate::settings::petasan::LEADER_KEY;
use crate::shared::{self, Mark, essence};
use crate::speaker::{self, Doubt, Heard, Lock, Manner, REST, SIGNED_EVERY, Skew, Turn, View};
use crate::state::State;
use crate::wording;

/// What is not worth a publication of its own, such as the growth of the storage or for how long something has been down
/// that is not told yet, is published so often: a successor has to know it that well.
const PUBLISHED_EVERY: Duration = Duration::from_secs(15 * 60);

/// A publication is refused when somebody else has published meanwhile, e.g. a silence: then what they wrote is taken in.
const ATTEMPTS: u32 = 4;

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
    found: Found,
    /// What must still be so whenever this node writes: that it holds the lock. Empty where nobody can hold it, or who only
    /// adds a word of his own.
    fence: Vec<Step>,
    /// What both this node's state and the shared one knew at first.
    base: Base,
    /// [`essence`] of what is shared.
    shared: u32,
    /// Whether Consul takes what is written.
    writes: AtomicBool,
    /// Another node has the lock now.
    voice_lost: AtomicBool,
    noted: Mutex<Noted>,
    /// What went wrong that an admin must mend.
    trouble: bool,
    /// Who speaks, if it is not this node.
    speaker: Option<String>,
    /// What this node remembers has changed by what is shared.
    changed: bool,
    /// The mails that this node has written down as sent before.
    sent: HashSet<MailId>,
    /// The pass before, if this node took part then.
    last_pass: Option<Timestamp>,
    /// What is shared was read while there was a quorum.
    has_quorum: bool,
    /// Another node speaks in place of this one, which is PetaSAN's leader.
    is_stood_in_for: bool,
    /// It is this node's turn, but it lets this pass go by: see [`Doubt`].
    waits: bool,
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

/// What became of a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Published {
    Yes,
    /// It could not be had; the cause has been told.
    No,
    /// Another node speaks now.
    VoiceLost,
}

/// Finds out what this node has to do with a shared memory, and brings `state` up to date with what is shared. `sent` are the
/// mails that this node has written down as sent.
pub fn take_part(
    context: &Context,
    state: &mut State,
    sent: HashSet<MailId>,
    purpose: Purpose,
) -> Part {
    let settings = &context.settings.ha;
    let log = &context.log;
    if settings.mode == HaMode::Off {
        // What is told from now on nobody else knows, should it be shared again.
        state.lineage = None;
        return Part::Alone;
    }
    let mut notes = NotesFile::read(context);
    let agent = match Agent::new(&context.settings.consul) {
        Ok(agent) => agent,
        // The check of the nodes tells it as well, and all of them are told.
        Err(error) => {
            log.warning(format!("what the nodes share cannot be read: {error:#}"));
            return Part::Alone;
        }
    };
    let Some(manner) = manner(context, &agent, &notes, purpose) else {
        return Part::Alone;
    };
    notes.manner = Some(manner);
    let me = notes.know_itself(context, &agent);
    let cluster = (context.settings.cluster_name.as_deref())
        .or(notes.datacenter.as_deref())
        .or(state.cluster.as_deref());
    let keys = Keys::of(&settings.prefix, cluster.unwrap_or(super::check::NAMELESS));
    let last_pass = notes.passed_at;
    let mut share = Share {
        base: Base::of(state),
        shared: essence(state),
        agent,
        keys,
        me,
        notes,
        found: Found::Nothing,
        fence: Vec::new(),
        writes: AtomicBool::new(true),
        voice_lost: AtomicBool::new(false),
        noted: Mutex::default(),
        trouble: false,
        speaker: None,
        changed: false,
        last_pass,
        has_quorum: false,
        is_stood_in_for: false,
        waits: false,
        sent,
    };
    let has_head = |lineage: &Lineage| lineage.head.is_some();
    let open = state.memory.incidents().into_iter().flatten().next();
    let own = Own {
        was_shared: state.lineage.as_ref().is_some_and(has_head),
        knows_anything: state.lineage.is_some() || open.is_some() || !state.queue.is_empty(),
    };
    let speaks = share.settle(context, manner, purpose, own);
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

/// Which lock decides; `None` where this node is alone.
fn manner(context: &Context, agent: &Agent, notes: &NotesFile, purpose: Purpose) -> Option<Manner> {
    match context.settings.ha.mode {
        HaMode::Off => None,
        HaMode::Consul => Some(Manner::Consul),
        HaMode::Petasan => Some(Manner::Petasan),
        HaMode::Auto if notes.manner == Some(Manner::Petasan) => Some(Manner::Petasan),
        // A pass finds it out, where it has to do with Consul at all.
        HaMode::Auto if purpose != Purpose::Pass || !asks_consul(&context.settings) => None,
        HaMode::Auto => {
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
    }
}

impl Share {
    /// Finds out whose turn it is, and takes the lock if it is this node's. Whether it speaks.
    fn settle(&mut self, context: &Context, manner: Manner, purpose: Purpose, own: Own) -> bool {
        let log = &context.log;
        let read = Tree::read(&self.agent, &self.keys, Freshness::Consistent, log);
        let held = match &read {
            Ok(tree) => self.holder(manner, tree, log),
            Err(_) => Ok(Held::Nobody),
        };
        let deaf_passes = self.notes.deaf_passes.saturating_add(1);
        self.notes.deaf_passes = match (&read, &held) {
            (Err(Failure::Unreachable(_)), _) | (_, Err(Failure::Unreachable(_))) => deaf_passes,
            _ => 0,
        };
        if manner == Manner::Consul {
            self.notes.stands_in = false;
        } else if purpose == Purpose::Pass
            && let (Ok(tree), Ok(leader)) = (&read, &held)
        {
            self.hear_leader(context, tree, leader);
        }
        let (manner, held) = match (self.notes.stands_in, &read, held) {
            (true, Ok(tree), Ok(_)) => (Manner::Consul, self.holder(Manner::Consul, tree, log)),
            (true, _, held) => (Manner::Consul, held),
            (false, _, held) => (manner, held),
        };
        let (tree, held, lock) = match (read, held) {
            (Ok(tree), Ok(held)) => (Some(tree), held, None),
            (Err(failure), _) | (_, Err(failure)) => {
                let lock = self.report_unreadable(context, failure, purpose);
                let stale = (lock == Lock::Unknown)
                    .then(|| Tree::read(&self.agent, &self.keys, Freshness::Stale, log).ok());
                self.writes.store(false, Ordering::Relaxed);
                (stale.flatten(), Held::Nobody, Some(lock))
            }
        };
        self.has_quorum = lock.is_none();
        let yielded = tree.as_ref().and_then(|tree| tree.yielded.clone());
        self.found = tree.map_or(Found::Nothing, Found::Tree);
        if purpose != Purpose::Pass {
            self.speaker = match held {
                Held::Ours(session) => {
                    if purpose == Purpose::Send {
                        let key = match manner {
                            Manner::Consul => self.keys.lock(),
                            Manner::Petasan => LEADER_KEY.to_owned(),
                        };
                        self.fence.push(Step::CheckSession { key, session });
                    }
                    Some(self.me.clone())
                }
                Held::By(node) => node,
                Held::Nobody => None,
            };
            return false;
        }
        let (lock, session) = match (&lock, &held) {
            (Some(lock), _) => (*lock, None),
            (None, Held::Nobody) => (Lock::Free, None),
            (None, Held::Ours(session)) => (Lock::Ours, Some(session.clone())),
            (None, Held::By(node)) => (Lock::Held(node.as_deref()), None),
        };
        self.notes.free_passes = match lock {
            Lock::Free => self.notes.free_passes.saturating_add(1),
            _ => 0,
        };
        let rests = (self.notes.rests_until).is_some_and(|until| context.now < until);
        let yielded = match yielded {
            // The rest is over: the leader tries again.
            Some((node, _)) if node == self.me && !rests && lock == Lock::Ours => {
                let steps = [Step::Delete {
                    key: self.keys.yielded(),
                }];
                if let Err(failure) = self.agent.transact(&steps, log) {
                    log.warning(format!("cannot take the voice back: {failure}"));
                }
                None
            }
            other => other,
        };
        let view = View {
            manner,
            me: &self.me,
            lock,
            yielded: yielded.as_ref().map(|(node, _)| node.as_str()),
            living: None,
            last: self.notes.speaker.as_deref(),
            is_cut_off: self.notes.cut_off >= context.settings.ha.step_down_after,
            rests,
            free_passes: self.notes.free_passes,
            deaf_passes: self.notes.deaf_passes,
            stands_in: self.notes.stands_in,
        };
        let living = view.needs_gossip().then(|| self.living(context));
        let turn = View {
            living: living.as_ref().map(|(living, _)| living),
            ..view
        }
        .turn();
        if let Some((_, nodes)) = living {
            self.notes.nodes = nodes;
        }
        let speaks = match turn {
            Turn::Speak => {
                if let Some(session) = &session {
                    self.hold(context, manner, session.clone())
                } else if let (Manner::Petasan, Some((leader, index)), Some((_, id))) = (
                    manner,
                    yielded,
                    self.notes.leader.as_ref().map(|(s, n)| (n, s)),
                ) {
                    log.info(format!(
                        "{leader} has left the voice to this node, {}",
                        self.me
                    ));
                    self.fence.push(Step::CheckIndex {
                        key: self.keys.yielded(),
                        index,
                    });
                    if let Some(session) = SessionId::parse(id) {
                        self.fence.push(Step::CheckSession {
                            key: LEADER_KEY.to_owned(),
                            session,
                        });
                    }
                    true
                } else {
                    true
                }
            }
            Turn::SpeakForAll => {
                log.warning(format!(
                    "nobody knows who holds the lock that decides who speaks: {} speaks, {}",
                    self.me,
                    match lock {
                        Lock::Unreachable => "as it did when it could last be known",
                        _ => "as the first of the nodes that are alive",
                    }
                ));
                true
            }
            Turn::Acquire => self.acquire(context),
            Turn::StepDown => {
                self.step_down(context, manner, session.as_ref());
                false
            }
            Turn::Listen(speaker) => {
                self.speaker = speaker;
                false
            }
        };
        let waits = speaks && lock != Lock::Unreachable && self.doubt(context, own).waits();
        self.remember_doubt(context, own, waits, lock);
        if waits {
            self.waits = true;
            if self.has_quorum {
                self.speaker = Some(self.me.clone());
                self.notes.speaker.clone_from(&self.speaker);
            }
            return false;
        }
        if speaks {
            self.notes.speaker = Some(self.me.clone());
        } else if self.speaker.is_some() {
            self.notes.speaker.clone_from(&self.speaker);
        }
        if !speaks {
            self.notes.cut_off = 0;
        }
        speaks
    }

    /// Finds out whether PetaSAN's leader carries out passes. If this node is the leader it says that it does, else others would
    /// speak in its place.
    fn hear_leader(&mut self, context: &Context, tree: &Tree, leader: &Held) {
        let (log, now) = (&context.log, context.now);
        let stood_in = std::mem::take(&mut self.notes.stands_in);
        let own_lock = (tree.lock.as_ref())
            .filter(|(session, _)| self.notes.session.as_deref() == Some(session.as_str()));
        let awake = tree.awake.as_ref();
        let awake = awake.map(|(node, index)| (node.as_str(), *index));
        let leader = match leader {
            Held::Ours(_) => {
                self.notes.heard = None;
                self.is_stood_in_for = tree.lock.is_some() && own_lock.is_none();
                let is_known = awake.is_some_and(|(node, _)| node == self.me);
                let is_old = self.notes.signed_at.is_none_or(|signed| {
                    signed > now || crate::incident::age(signed, now) >= SIGNED_EVERY
                });
                if !is_known || is_old || self.is_stood_in_for {
                    self.sign(context);
                }
                None
            }
            Held::By(node) => Some(node.as_deref()),
            Held::Nobody => Some(None),
        };
        if let Some(leader) = leader {
            let was_away = speaker::was_away(self.notes.looked_at, now, true);
            let heard = Heard::take_up(self.notes.heard.take(), leader, awake, was_away, now);
            // Whoever has left the voice to others carries out passes.
            let has_yielded = tree.yielded.as_ref().map(|(node, _)| node.as_str()) == leader;
            self.notes.stands_in =
                heard.is_silent(tree.lock.is_some(), now) && !(leader.is_some() && has_yielded);
            self.notes.heard = Some(heard);
        }
        match (stood_in, self.notes.stands_in) {
            (false, true) => log.notice(self.why_it_stands_in()),
            (true, false) => log.notice("PetaSAN's leader decides again who speaks"),
            _ => {}
        }
        if let (Some((session, _)), false) = (own_lock, self.notes.stands_in) {
            self.notes.session = None;
            if let Err(failure) = self.agent.destroy_session(session, log) {
                log.warning(format!("cannot give up the lock: {failure}"));
            }
        }
    }

    /// Says that this node, PetaSAN's leader, carries out passes.
    fn sign(&mut self, context: &Context) {
        let steps = [Step::Set {
            key: self.keys.awake(),
            // With the time, for Consul takes no notice of a value that is the same as before.
            value: format!("{} {}", self.me, context.now).into_bytes(),
        }];
        match self.agent.transact(&steps, &context.log) {
            Ok(_) => self.notes.signed_at = Some(context.now),
            Err(failure) => self.report_unwritten(context, failure),
        }
    }

    fn why_it_stands_in(&self) -> String {
        let leader = (self.notes.heard.as_ref()).and_then(|heard| heard.leader.as_deref());
        match leader {
            Some(leader) => format!(
                "{}, PetaSAN's leader, carries out no passes of petanotify: those that do choose among themselves who speaks",
                wording::name(leader)
            ),
            None => {
                "PetaSAN has no leader: the nodes choose among themselves who speaks".to_owned()
            }
        }
    }

    /// Whether others may have told what this node does not know yet.
    fn doubt(&self, context: &Context, own: Own) -> Doubt {
        let notes = &self.notes;
        let is_there = !matches!(self.found.head(), Ok(None));
        Doubt {
            has_memory: is_there || (!self.has_quorum && (own.was_shared || notes.seen.is_some())),
            has_quorum: self.has_quorum,
            leaderless_passes: notes.leaderless_passes,
            was_away: speaker::was_away(notes.looked_at, context.now, own.knows_anything),
            is_stood_in_for: self.is_stood_in_for,
            has_waited: notes.has_waited,
        }
    }

    /// Takes down for the next pass how this one stands to the others.
    fn remember_doubt(&mut self, context: &Context, own: Own, waits: bool, lock: Lock<'_>) {
        self.notes.has_waited = self.doubt(context, own).has_waited_now(waits);
        self.notes.leaderless_passes = match (self.has_quorum, lock) {
            (true, _) => 0,
            (false, Lock::Unreachable) => self.notes.leaderless_passes,
            (false, _) => self.notes.leaderless_passes.saturating_add(1),
        };
    }

    /// Who holds the lock.
    fn holder(
        &mut self,
        manner: Manner,
        tree: &Tree,
        log: &crate::output::Log,
    ) -> Result<Held, Failure> {
        match manner {
            Manner::Consul => Ok(match &tree.lock {
                None => Held::Nobody,
                Some((session, _)) if self.notes.session.as_deref() == Some(session.as_str()) => {
                    Held::Ours(session.clone())
                }
                Some((_, node)) => Held::By(Some(node.clone()).filter(|node| !node.is_empty())),
            }),
            Manner::Petasan => {
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
        }
    }

    fn report_unreadable(
        &mut self,
        context: &Context,
        failure: Failure,
        purpose: Purpose,
    ) -> Lock<'static> {
        let log = &context.log;
        if purpose != Purpose::Pass {
            log.warning(format!(
                "this is what {} knew last, for what the nodes share cannot be read: {failure}",
                self.me
            ));
            return Lock::Unknown;
        }
        match failure {
            Failure::NoQuorum(error) => {
                log.warning(format!("the shared memory cannot be read: {error:#}"));
                Lock::Unknown
            }
            Failure::Refused(error) => {
                self.trouble = true;
                log.error(format!("the shared memory cannot be read: {error:#}"));
                Lock::Unknown
            }
            Failure::Unreachable(error) => {
                self.trouble = true;
                log.error(format!(
                    "the shared memory cannot be read, so others are to speak: {error:#}"
                ));
                Lock::Unreachable
            }
        }
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

    /// Makes sure of the lock that this node holds.
    fn hold(&mut self, context: &Context, manner: Manner, session: SessionId) -> bool {
        let key = match manner {
            Manner::Consul => {
                match self.agent.renew_session(&session, &context.log) {
                    Ok(true) => {}
                    Ok(false) => {
                        context.log.warning(
                            "this node's session in Consul has ended, and with it the lock",
                        );
                        self.notes.session = None;
                        return false;
                    }
                    // The first write tells whether the lock is still held.
                    Err(failure) => self.report_unwritten(context, failure),
                }
                self.keys.lock()
            }
            Manner::Petasan => LEADER_KEY.to_owned(),
        };
        self.fence.push(Step::CheckSession { key, session });
        true
    }

    /// Tries to take the free lock. Whether this node speaks.
    fn acquire(&mut self, context: &Context) -> bool {
        let log = &context.log;
        match self.try_to_acquire(context) {
            Ok(Some(session)) => {
                log.notice(format!("{} speaks from now on", self.me));
                let key = self.keys.lock();
                self.fence.push(Step::CheckSession { key, session });
                // Another one may have published until then.
                match Tree::read(&self.agent, &self.keys, Freshness::Consistent, log) {
                    Ok(tree) => self.found = Found::Tree(tree),
                    Err(failure) => self.report_unwritten(context, failure),
                }
                true
            }
            Ok(None) => false,
            // The leader may be refused as well, and speak without a word of it.
            Err(failure @ Failure::Refused(_)) if self.notes.stands_in => {
                self.report_unwritten(context, failure);
                false
            }
            Err(failure @ (Failure::Refused(_) | Failure::NoQuorum(_))) => {
                self.has_quorum = !matches!(failure, Failure::NoQuorum(_));
                self.report_unwritten(context, failure);
                let (living, _) = self.living(context);
                let view = View {
                    manner: Manner::Consul,
                    me: &self.me,
                    lock: Lock::Unknown,
                    yielded: None,
                    living: Some(&living),
                    last: self.notes.speaker.as_deref(),
                    is_cut_off: false,
                    rests: false,
                    free_passes: 0,
                    deaf_passes: 0,
                    stands_in: self.notes.stands_in,
                };
                match view.turn() {
                    Turn::SpeakForAll => true,
                    Turn::Listen(speaker) => {
                        self.speaker = speaker;
                        false
                    }
                    Turn::Speak | Turn::Acquire | Turn::StepDown => false,
                }
            }
            Err(failure) => {
                self.report_unwritten(context, failure);
                false
            }
        }
    }

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
    fn step_down(&mut self, context: &Context, manner: Manner, session: Option<&SessionId>) {
        let log = &context.log;
        let passes = wording::count(
            usize::try_from(self.notes.cut_off).unwrap_or(usize::MAX),
            "pass",
        );
        log.error(format!(
            "{} could neither see the cluster nor send mail for {passes}: it leaves that to another node for {}",
            self.me,
            wording::duration(REST)
        ));
        self.trouble = true;
        self.notes.rests_until = context.now.checked_add(REST).ok();
        let done = match (manner, session) {
            (Manner::Consul, Some(session)) => {
                self.notes.session = None;
                self.agent.destroy_session(session, log)
            }
            (Manner::Petasan, Some(session)) => {
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
            (_, None) => Ok(()),
        };
        if let Err(failure) = done {
            self.report_unwritten(context, failure);
        }
    }

    /// Brings `state` up to date with what is shared. Whether that could be read.
    fn take_up(&mut self, context: &Context, state: &mut State) -> bool {
        let log = &context.log;
        let mut readable = true;
        let shared = match self.read_memory(state, log) {
            Ok(shared) => shared,
            Err(error) => {
                readable = false;
                self.trouble = true;
                log.error(format!("the shared memory cannot be used: {error:#}"));
                None
            }
        };
        self.watch_clocks(context);
        {
            let mut noted = self.noted();
            if noted.sent.is_empty() {
                noted.number = self.found.free_number();
            }
        }
        let shared_sent = self.found.sent();
        let was_sent = !shared_sent.is_empty();
        self.sent.extend(shared_sent);
        let own = std::mem::take(state);
        let (mut reunited, course) = reunite(own, shared, &self.sent, context.now);
        match course {
            Course::Own => {}
            Course::Shared => log.info("going on from what the nodes share"),
            Course::Both => {
                log.notice("going on from what the nodes share and from what this node knew alone")
            }
        }
        reunited.set_clock(context.now);
        if reunited.memory.names.is_none() {
            reunited.memory.names = Some(Names::beginning(context.now));
        }
        let lineage = reunited.lineage.get_or_insert_default();
        self.base = match &lineage.ahead {
            Some(base) => base.clone(),
            None => Base::of(&reunited),
        };
        self.shared = essence(&reunited);
        self.changed |= course != Course::Own || was_sent;
        *state = reunited;
        readable
    }

    /// The shared memory, where it is another one than `own` follows from; else its mark with a copy of `own`.
    fn read_memory(
        &mut self,
        own: &State,
        log: &crate::output::Log,
    ) -> anyhow::Result<Option<(Mark, State)>> {
        for _ in 0..ATTEMPTS {
            let Some(head) = self.found.head()? else {
                return Ok(None);
            };
            let mark = head.mark();
            let known = own.lineage.as_ref().and_then(|lineage| lineage.head);
            if known == Some(mark) {
                return Ok(Some((mark, State::default())));
            }
            let content = match head.inline() {
                Some(content) => content.map_err(|e| anyhow!("{e}"))?,
                None => {
                    let freshness = match self.writes.load(Ordering::Relaxed) {
                        true => Freshness::Consistent,
                        false => Freshness::Stale,
                    };
                    let parts = self.keys.read_parts(&self.agent, &head, freshness, log);
                    match parts.map_err(Failure::into_error)? {
                        Some(content) => content,
                        // Others have moved on meanwhile.
                        None => {
                            let tree = Tree::read(&self.agent, &self.keys, freshness, log);
                            self.found = Found::Tree(tree.map_err(Failure::into_error)?);
                            continue;
                        }
                    }
                }
            };
            let state = head.unpack(&content).map_err(|error| {
                anyhow!(
                    "{} as published by {}: {error}",
                    self.keys.memory(),
                    head.node
                )
            })?;
            return Ok(Some((mark, state)));
        }
        Err(anyhow!("{} changes all the time", self.keys.memory()))
    }

    /// Tells of a clock that is off by minutes.
    fn watch_clocks(&mut self, context: &Context) {
        let (log, now) = (&context.log, context.now);
        if !self.has_quorum {
            // What one server knew last says nothing of when it was written.
            return;
        }
        let looked_at = self.notes.looked_at.replace(now);
        let Ok(Some(head)) = self.found.head() else {
            return;
        };
        let mark = head.mark();
        if self.notes.seen != Some(mark) && head.node != self.me {
            let looked = looked_at.filter(|looked| *looked <= now);
            let off = looked.and_then(|looked| speaker::skew(head.written_at, looked, now));
            self.notes.skew = off.map(|seconds| Skew {
                node: head.node.clone(),
                seconds,
            });
            if let Some(skew) = &self.notes.skew {
                log.warning(wording::skew(skew, &self.me));
            }
        }
        self.notes.seen = Some(mark);
    }

    fn report_unwritten(&mut self, context: &Context, failure: Failure) {
        self.writes.store(false, Ordering::Relaxed);
        let log = &context.log;
        match failure {
            Failure::NoQuorum(error) => log.warning(format!("nothing can be shared: {error:#}")),
            Failure::Refused(error) | Failure::Unreachable(error) => {
                self.trouble = true;
                log.error(format!("nothing can be shared: {error:#}"));
            }
        }
    }

    /// Publishes `state` if that has anything new to say, and takes in what others have published meanwhile. What can't be
    /// published stays this node's own for now.
    pub fn publish(&mut self, context: &Context, state: &mut State, when: When) {
        let ahead = state.lineage.as_ref().is_some_and(|l| l.ahead.is_some());
        let since = state.lineage.as_ref().map(|lineage| lineage.since);
        let is_old = since.is_none_or(|since| {
            crate::incident::age(since, context.now) >= PUBLISHED_EVERY || since > context.now
        });
        let anew = essence(state);
        let has_news = anew != self.shared || ahead;
        let wanted = match when {
            When::Due => has_news || is_old,
            When::News => has_news,
            When::Ahead => ahead,
            When::Always => true,
        };
        if !wanted {
            return;
        }
        let published = match self.writes.load(Ordering::Relaxed) {
            true => self.try_to_publish(context, state),
            false => Published::No,
        };
        match published {
            Published::Yes => {}
            Published::No => self.keep_for_later(state, has_news),
            Published::VoiceLost => {
                self.voice_lost.store(true, Ordering::Relaxed);
                context.log.warning(format!(
                    "another node has the lock now: {} is silent from here on",
                    self.me
                ));
                self.keep_for_later(state, has_news);
            }
        }
    }

    fn keep_for_later(&self, state: &mut State, has_news: bool) {
        if has_news {
            let lineage = state.lineage.get_or_insert_default();
            lineage.ahead.get_or_insert_with(|| self.base.clone());
        }
    }

    fn try_to_publish(&mut self, context: &Context, state: &mut State) -> Published {
        for _ in 0..ATTEMPTS {
            match self.publish_once(context, state) {
                Ok(Some(mark)) => {
                    state.lineage = Some(Lineage {
                        head: Some(mark),
                        since: context.now,
                        ahead: None,
                    });
                    self.base = Base::of(state);
                    self.shared = essence(state);
                    self.notes.seen = Some(mark);
                    self.changed = true;
                    return Published::Yes;
                }
                Ok(None) => {}
                Err(failure) => {
                    self.report_unwritten(context, failure);
                    return Published::No;
                }
            }
            // Somebody has written, or taken the lock.
            if !self.still_holds(context) {
                return Published::VoiceLost;
            }
            self.keep_for_later(state, true);
            if !self.take_up(context, state) {
                return Published::No;
            }
        }
        context.log.warning(
            "others have published in each moment, so this node's news have to wait for the next pass",
        );
        Published::No
    }

    /// Reads anew what is shared. Whether this node may still write there.
    fn still_holds(&mut self, context: &Context) -> bool {
        let log = &context.log;
        match Tree::read(&self.agent, &self.keys, Freshness::Consistent, log) {
            Ok(tree) => self.found = Found::Tree(tree),
            Err(failure) => {
                self.report_unwritten(context, failure);
                return true;
            }
        }
        if self.fence.is_empty() {
            return true;
        }
        match self.agent.transact(&self.fence, log) {
            Ok(Transacted::Done) => true,
            Ok(Transacted::Refused(words)) => {
                log.info(format!("the lock is lost: {words}"));
                false
            }
            Err(failure) => {
                self.report_unwritten(context, failure);
                true
            }
        }
    }

    /// `None`: it was refused, because somebody else has written, or this node has lost the lock.
    fn publish_once(&mut self, context: &Context, state: &State) -> Result<Option<Mark>, Failure> {
        let log = &context.log;
        if self.found == Found::Outdated {
            let tree = Tree::read(&self.agent, &self.keys, Freshness::Consistent, log)?;
            self.found = Found::Tree(tree);
            let known = state.lineage.as_ref().and_then(|lineage| lineage.head);
            if let Ok(Some(head)) = self.found.head()
                && known != Some(head.mark())
            {
                // Another one has published since: what it wrote must not be written over.
                return Ok(None);
            }
        }
        // What a later release wrote is left as it is.
        let head = match self.found.head() {
            Ok(head) => head,
            Err(error) if self.found.is_of_later_release() => return Err(Failure::Refused(error)),
            Err(_) => None,
        };
        let index = self.found.index();
        let known = state.lineage.as_ref().and_then(|lineage| lineage.head);
        let saves = (head.as_ref().map(|head| head.saves)).max(known.map(|known| known.saves));
        let saves = saves.unwrap_or(0).saturating_add(1);
        let packed = shared::pack(state, &self.me, saves, context.now)
            .context("cannot pack the shared memory")
            .map_err(Failure::Refused)?;
        let left_over = match &head {
            Some(head) if head.parts == 0 && !packed.parts.is_empty() => {
                self.left_over(head.saves, log)?
            }
            _ => Vec::new(),
        };
        let before = head.filter(|head| head.parts > 0).map(|head| head.folder());
        let folder = packed.head.folder();
        for (number, part) in packed.parts.into_iter().enumerate() {
            let mut steps = self.fence.clone();
            steps.push(Step::Set {
                key: self.keys.part(&folder, number),
                value: part,
            });
            if let Transacted::Refused(_) = self.agent.transact(&steps, log)? {
                return Ok(None);
            }
        }
        let head = serde_json::to_vec(&packed.head)
            .context("cannot write the head of the shared memory")
            .map_err(Failure::Refused)?;
        let mut steps = self.fence.clone();
        steps.push(Step::Cas {
            key: self.keys.memory(),
            index,
            value: head,
        });
        let before = before.filter(|before| *before != folder);
        for folder in before.into_iter().chain(left_over) {
            steps.push(Step::DeleteTree {
                prefix: format!("{}{folder}/", self.keys.parts()),
            });
        }
        // Whoever speaks knows what is noted there, and nobody else notes anything.
        let resets = !self.fence.is_empty() && self.knows_what_was_noted();
        if resets {
            steps.push(Step::DeleteTree {
                prefix: self.keys.sent(),
            });
        }
        match self.agent.transact(&steps, log)? {
            Transacted::Done => {
                self.found = Found::Outdated;
                if resets {
                    let mut noted = self.noted();
                    noted.together.clear();
                    noted.number = 0;
                }
                Ok(Some(packed.head.mark()))
            }
            Transacted::Refused(words) => {
                log.info(format!("not published: {words}"));
                Ok(None)
            }
        }
    }

    /// The folders of parts of publications that came to nothing. The head has reached the number of each: those with a higher
    /// one are another node's, which may be about to publish them.
    fn left_over(&self, saves: u64, log: &crate::output::Log) -> Result<Vec<String>, Failure> {
        let parts = self.keys.parts();
        let keys = self.agent.key_names(&parts, log)?;
        let folders = keys.iter().filter_map(|key| key.strip_prefix(&parts));
        Ok(shared::left_over(folders, saves))
    }

    fn knows_what_was_noted(&self) -> bool {
        !self.found.sent().is_empty()
            || !self.noted().together.is_empty()
            || self.noted().number > 0
    }

    /// Notes in Consul that a mail was sent, so that a successor does not send it again. Nothing can be done about a failure
    /// but to go on.
    pub fn note(&self, context: &Context, id: &MailId) {
        let mut noted = self.noted();
        noted.sent.push(id.clone());
        if self.fence.is_empty() || !self.writes.load(Ordering::Relaxed) {
            return;
        }
        if noted.together.len() >= NOTED_TOGETHER {
            noted.together.clear();
            noted.number += 1;
        }
        noted.together.push(id.clone());
        let lines = noted.together.iter().map(|id| format!("{id}\n"));
        let mut steps = self.fence.clone();
        steps.push(Step::Set {
            key: format!("{}{}", self.keys.sent(), noted.number),
            value: lines.collect::<String>().into_bytes(),
        });
        match self.agent.transact(&steps, &context.log) {
            Ok(Transacted::Done) => {}
            Ok(Transacted::Refused(words)) => {
                self.voice_lost.store(true, Ordering::Relaxed);
                let log = &context.log;
                log.warning(format!(
                    "another node has the lock now, so this one sends no more mail: {words}"
                ));
            }
            Err(failure) => {
                self.writes.store(false, Ordering::Relaxed);
                context.log.warning(format!(
                    "what is sent can be noted on this node only: {failure}"
                ));
            }
        }
    }

    /// Whether another node has the lock by now: nothing more must be sent.
    pub fn has_lost_the_voice(&self) -> bool {
        self.voice_lost.load(Ordering::Relaxed)
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes down in the state which mails this pass has sent.
    pub fn take_down_sent(&self, state: &mut State) {
        state.told.extend(&self.noted().sent);
    }

    /// Takes down how the pass went. `cut_off`: it could neither see nor send.
    pub fn end(&mut self, context: &Context, cut_off: bool) {
        self.notes.cut_off = match cut_off {
            true => self.notes.cut_off.saturating_add(1),
            false => 0,
        };
        self.notes.write(context);
    }

    /// Whether what this node remembers has changed by what is shared, so that its own copy is to be written anew.
    pub fn has_changed(&self) -> bool {
        self.changed
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

    /// Who speaks, as far as this node knows.
    pub fn speaker(&self) -> Option<&str> {
        self.speaker.as_deref()
    }

    /// Whether something is wrong that an admin must mend.
    pub fn has_trouble(&self) -> bool {
        self.trouble
    }

    /// Who speaks, in words for `status`.
    pub fn voice(&self) -> Vec<String> {
        let voice = match self.speaker() {
            Some(speaker) if speaker == self.me => format!("{}, this node", wording::name(speaker)),
            Some(speaker) => format!("{}; this is {}", wording::name(speaker), self.me),
            None => format!("nobody is known to; this is {}", self.me),
        };
        let skew = self.skew().map(|skew| wording::skew(skew, &self.me));
        let stands_in = self.notes.stands_in.then(|| self.why_it_stands_in());
        [voice].into_iter().chain(stands_in).chain(skew).collect()
    }

    /// Who speaks, in words for the log.
    pub fn who_speaks(&self) -> String {
        match &self.speaker {
            Some(_) if self.waits => format!(
                "{} has not seen what was told of late: in this pass it takes up what others know, from the next one on it speaks",
                self.me
            ),
            None if self.waits => format!(
                "nobody knows who holds the lock that decides who speaks: if that is still so in the next pass, {} speaks",
                self.me
            ),
            Some(speaker) => format!(
                "{} speaks, so {} is silent",
                wording::name(speaker),
                self.me
            ),
            None => format!("another node is to speak, so {} is silent", self.me),
        }
    }
}

/// When to publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Where there are news, or the last publication is old.
    Due,
    /// Where there are news.
    News,
    /// Where this node knows more than what is shared since an earlier pass.
    Ahead,
    /// In any case.
    Always,
}

/// How this node's own state stands to what is shared.
#[derive(Debug, Clone, Copy)]
struct Own {
    /// There has been a shared memory.
    was_shared: bool,
    /// It knows of something that was told.
    knows_anything: bool,
}

/// Who holds the lock.
enum Held {
    Nobody,
    Ours(SessionId),
    /// Another node, as far as it is known by name.
    By(Option<String>),
}
