//! The protocol: nodes that make passes, the locks and keys of Consul, a mail server, and what can happen to each of them.
//!
//! A step is what is done at once as far as others can see: one request to Consul, one write to disk, one mail. Between any
//! two of them the process can be killed, the machine can die, the session can run out, and all others can act.

use std::fmt::Write;

use petanotify::speaker::Doubt;

use crate::documents::{Doc, Documents, EMPTY, Mail, Mails, Merging, Own, Shared, Sighting};
use crate::search::System;

/// So many nodes at most.
pub(crate) const NODES: usize = 3;

/// So many people are told at most.
const RECIPIENTS: usize = 2;

/// So many things go down at most.
const EPISODES: usize = 3;

/// What a rule breaker does without. All are kept by the protocol as it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// The memory is read under the lock and not before it is had.
    pub(crate) read_after_acquiring: bool,
    /// The memory is published before the first mail leaves.
    pub(crate) publish_before_mail: bool,
    /// The memory is in the node's own file before the first mail leaves.
    pub(crate) save_before_mail: bool,
    /// While there is a quorum the memory is published before the node saves it.
    pub(crate) publish_before_save: bool,
    /// What was judged by who has lost the lock before he could publish it is forgotten.
    pub(crate) forget_unpublished: bool,
    /// Each mail is noted beside the shared memory when it is sent.
    pub(crate) note_shared: bool,
    /// Each mail is noted in the node's own list when it is sent.
    pub(crate) note_locally: bool,
    /// Who writes as the speaker still holds the lock.
    pub(crate) check_session: bool,
    /// Who writes the memory knows what it replaces.
    pub(crate) check_index: bool,
    /// Who is no speaker hands over what only his own file has.
    pub(crate) hand_over: bool,
    /// Who acknowledges leaves alone which mails are noted as sent.
    pub(crate) ack_keeps_sent: bool,
    /// Without quorum nobody speaks in the first pass; and who saw none in the pass before, or was away, neither judges nor
    /// sends in the first one with a quorum.
    pub(crate) patience: bool,
    /// Who finds that another one has published since he judged, judges anew.
    pub(crate) judge_anew: bool,
    /// See [`Merging`].
    pub(crate) merging: Merging,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            read_after_acquiring: true,
            publish_before_mail: true,
            save_before_mail: true,
            publish_before_save: true,
            forget_unpublished: true,
            note_shared: true,
            note_locally: true,
            check_session: true,
            check_index: true,
            hand_over: true,
            ack_keeps_sent: true,
            patience: true,
            judge_anew: true,
            merging: Merging {
                keeps_pending: true,
                keeps_told: true,
            },
        }
    }
}

/// How much may happen.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Plan {
    pub(crate) nodes: usize,
    pub(crate) recipients: usize,
    /// The thing of each episode, in the order in which they begin.
    pub(crate) things: &'static [u8],
    /// Processes that are killed.
    pub(crate) kills: u8,
    /// Machines that die and keep their disk, or come back without.
    pub(crate) deaths: u8,
    /// Those that come back do so with an empty disk.
    pub(crate) disks_lost: bool,
    /// Sessions that run out, or are given up.
    pub(crate) expiries: u8,
    /// Times that Consul's servers lose their leader.
    pub(crate) quorum_losses: u8,
    /// Times that writes to Consul begin to be refused.
    pub(crate) refusals: u8,
    /// Nodes that can be cut off from the servers, all at once, one time; a bit for each.
    pub(crate) cut: u8,
    /// Mails that the mail server does not take.
    pub(crate) bounces: u8,
    /// Times that somebody acknowledges.
    pub(crate) acks: u8,
    /// All nodes begin a pass in each minute, in the same order; else any of them may rest for as long as it likes.
    pub(crate) timers: bool,
    /// By how many seconds each node's clock is ahead of that of the one before.
    pub(crate) skew: i64,
}

/// What can happen.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    Pass(u8, Phase),
    /// The mail server does not take the mail that this node sends.
    Bounce(u8),
    Kill(u8),
    Die(u8),
    Return(u8),
    Expire,
    QuorumLost,
    QuorumBack,
    WritesRefused,
    WritesTaken,
    CutOff,
    Rejoined,
    GoesDown,
    ComesUp(u8),
    Acknowledge,
}

/// How far a pass has come: what it does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    /// Nothing; the timer starts it.
    Start,
    /// To take the lock, having read before that.
    AcquireLate,
    Publish,
    Save,
    Send,
    NoteLocally,
    NoteShared,
    PublishEnd,
    SaveEnd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Servers {
    Fine,
    NoQuorum,
    /// They answer, and take no write.
    Refusing,
}

/// A node's own file, with its list of mails that were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct File {
    own: Own,
    sent: Mails,
    /// In so many passes in a row there was no quorum; 2 are many.
    alone: u8,
    /// There was no pass in the minute before.
    was_away: bool,
    /// It has let a pass go by.
    has_waited: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Pass {
    phase: Phase,
    own: Own,
    /// What the others know, as far as this node knows (`Share::shared`).
    before: Doc,
    /// What both knew at first (`Share::base`).
    base: Doc,
    /// What was shared when it read that.
    read: Option<Shared>,
    /// What it has judged: what was taken up, and when it looked.
    taken: Own,
    seen_at: u8,
    /// When what it judged was published, no other node knew of anything that was told and not shared.
    is_whole: bool,
    /// It speaks because it holds the lock.
    holds: bool,
    /// The session under which it does has not run out.
    fenced: bool,
    sent: Mails,
    tried: Mails,
    /// The mail that has just been sent.
    mail: Mails,
    /// Those of which nobody need doubt that they were sent.
    noted: Mails,
    /// It judges and sends nothing yet: others may have to hand over what they have told.
    is_patient: bool,
}

const NOTHING: Own = Own {
    doc: EMPTY,
    head: None,
    ahead: None,
};

const RESTING: Pass = Pass {
    phase: Phase::Start,
    own: NOTHING,
    before: EMPTY,
    base: EMPTY,
    read: None,
    taken: NOTHING,
    seen_at: 0,
    is_whole: false,
    holds: false,
    fenced: false,
    sent: 0,
    tried: 0,
    mail: 0,
    noted: 0,
    is_patient: false,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Node {
    is_up: bool,
    /// It has begun a pass in this minute.
    had_turn: bool,
    file: File,
    pass: Pass,
    /// The episodes that its file has ever known to be worth a mail.
    committed: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Truth {
    /// So many episodes have begun.
    begun: u8,
    over: u8,
    /// When each began.
    since: [u8; EPISODES],
}

/// What the readers of the mails know. Mails with the same id are one for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Mailboxes {
    had: Mails,
    of: [Mailbox; RECIPIENTS],
    /// Mails that came again under the same id, and under another.
    again: u8,
    anew: u8,
    /// Those of them that the holder of the lock sent while there was a quorum.
    by_holder: u8,
    /// News that came again though all that was told before was shared.
    late: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Mailbox {
    /// Episodes of which some mail tells.
    told: u8,
    /// Things that the last mail about them calls down.
    down: u8,
    /// Things that were not called down any more since a mail said that all is well.
    well: u8,
    /// Episodes that were news, and that were said to be over.
    news: u8,
    ends: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Spent {
    kills: u8,
    deaths: u8,
    expiries: u8,
    quorum_losses: u8,
    refusals: u8,
    cuts: u8,
    bounces: u8,
    acks: u8,
}

/// All there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct World {
    servers: Servers,
    cut: u8,
    lock: Option<u8>,
    /// The shared memory, and the mails that are noted as sent beside it.
    head: Option<Shared>,
    sent: Mails,
    nodes: [Node; NODES],
    truth: Truth,
    mail: Mailboxes,
    spent: Spent,
    /// Mails that were under way when their speaker was killed or lost the lock: they may come again.
    in_flight: u8,
    /// Episodes that the shared memory has ever known to be worth a mail.
    committed: u8,
}

/// The protocol under these rules, with so much happening.
pub(crate) struct Protocol {
    plan: Plan,
    rules: Rules,
    docs: Documents,
}

impl Protocol {
    pub(crate) fn new(plan: Plan, rules: Rules) -> Self {
        let docs = Documents::new(rules.merging, plan.recipients, plan.skew);
        Protocol { plan, rules, docs }
    }

    /// How many different documents there were.
    pub(crate) fn documents(&self) -> usize {
        self.docs.len()
    }

    fn indices(&self) -> std::ops::Range<usize> {
        0..self.plan.nodes
    }

    fn shared(&self, world: &World) -> Doc {
        world.head.map_or(EMPTY, |head| head.doc)
    }

    fn clock(world: &World) -> u8 {
        world.truth.begun + u8::try_from(world.truth.over.count_ones()).unwrap()
    }

    /// The things that are down.
    fn down(&self, world: &World) -> u8 {
        let begun = self.plan.things.iter().take(usize::from(world.truth.begun));
        let lasting = begun.enumerate();
        let lasting = lasting.filter(|(episode, _)| world.truth.over & (1 << episode) == 0);
        lasting.fold(0, |down, (_, thing)| down | 1 << thing)
    }

    /// The episodes that were seen so.
    fn episodes(&self, world: &World, sightings: &[Sighting]) -> u8 {
        sightings.iter().fold(0, |found, (thing, clock)| {
            let begun = 0..usize::from(world.truth.begun);
            let mut of_thing = begun.filter(|episode| self.plan.things[*episode] == *thing);
            let first = of_thing.next();
            let later = of_thing.rfind(|episode| world.truth.since[*episode] <= *clock);
            // Who judges by what it saw a while ago takes all times known since for that one.
            let episode = later.or(first);
            found | 1 << episode.expect("what is seen has begun")
        })
    }

    fn reaches_servers(world: &World, node: usize) -> bool {
        world.servers != Servers::NoQuorum && world.cut & (1 << node) == 0
    }

    fn may_write(world: &World, node: usize) -> bool {
        Self::reaches_servers(world, node) && world.servers == Servers::Fine
    }

    /// Whether it is the lowest-named living node that it sees, itself included (`speaker`).
    fn is_lowest(&self, world: &World, node: usize) -> bool {
        let side = |other: usize| world.cut & (1 << other) != 0;
        let sees = |other: &usize| world.nodes[*other].is_up && side(*other) == side(node);
        self.indices().find(sees) == Some(node)
    }

    fn holds_still(&self, world: &World, node: usize) -> bool {
        let mine = world.lock == u8::try_from(node).ok() && world.nodes[node].pass.fenced;
        !self.rules.check_session || mine
    }

    /// The next step of a node's pass.
    fn step(&self, world: &mut World, node: usize) {
        match world.nodes[node].pass.phase {
            Phase::Start => self.start(world, node),
            Phase::AcquireLate => self.acquire_late(world, node),
            Phase::Publish => self.publish(world, node),
            Phase::Save => self.save(world, node),
            Phase::Send => self.send(world, node),
            Phase::NoteLocally => self.note_locally(world, node),
            Phase::NoteShared => self.note_shared(world, node),
            Phase::PublishEnd => self.publish_end(world, node),
            Phase::SaveEnd => self.save_end(world, node),
        }
    }

    /// Finding out who speaks, and judging what was read and seen (`share::take_part`, `Pass::judge`).
    fn start(&self, world: &mut World, node: usize) {
        let me = u8::try_from(node).unwrap();
        if !Self::reaches_servers(world, node) {
            self.start_without_servers(world, node);
            return;
        }
        let mut pass = self.read(world, node);
        let is_its_turn = match world.lock {
            Some(holder) => holder == me,
            None => world.servers == Servers::Fine,
        };
        pass.is_patient = self.waits(world, node, is_its_turn);
        let file = &mut world.nodes[node].file;
        file.alone = 0;
        file.was_away = false;
        if world.lock.is_none() && world.servers == Servers::Fine {
            if !self.rules.read_after_acquiring {
                pass.phase = Phase::AcquireLate;
                world.nodes[node].pass = pass;
                return;
            }
            world.lock = Some(me);
        }
        if world.lock == Some(me) {
            self.speak(world, node, pass);
        } else {
            self.follow(world, node, pass);
        }
    }

    /// The gossip decides, and what one of the servers knew last is taken up where that can be had.
    fn start_without_servers(&self, world: &mut World, node: usize) {
        let is_its_turn = self.is_lowest(world, node);
        let is_early = self.waits(world, node, is_its_turn);
        let file = &mut world.nodes[node].file;
        file.alone = (file.alone + 1).min(2);
        let mut pass = self.read(world, node);
        if is_early || !is_its_turn {
            self.write_file(world, node, pass.own);
            return;
        }
        self.judge(world, node, &mut pass);
        self.part(&mut pass);
        pass.phase = Phase::Save;
        self.begin(world, node, pass);
    }

    /// Whether it lets this pass go by (`Share::doubt`).
    fn waits(&self, world: &mut World, node: usize, is_its_turn: bool) -> bool {
        let has_quorum = Self::reaches_servers(world, node);
        let is_there = world.head.is_some() && world.cut & (1 << node) == 0;
        let file = &mut world.nodes[node].file;
        let doubt = Doubt {
            has_memory: is_there || (!has_quorum && file.own.head.is_some()),
            has_quorum,
            leaderless_passes: u32::from(file.alone),
            was_away: file.was_away,
            is_stood_in_for: false,
            has_waited: file.has_waited,
        };
        let waits = self.rules.patience && is_its_turn && doubt.waits();
        file.has_waited = doubt.has_waited_now(waits);
        waits
    }

    /// `Share::take_up`
    fn read(&self, world: &World, node: usize) -> Pass {
        let File { own, sent, .. } = world.nodes[node].file;
        let (read, noted) = match world.cut & (1 << node) {
            0 => (world.head, world.sent),
            _ => (None, 0),
        };
        let own = self.docs.reunite(own, read, noted | sent);
        Pass {
            own,
            before: own.head.map_or(EMPTY, |head| head.doc),
            base: own.ahead.unwrap_or(own.doc),
            read,
            ..RESTING
        }
    }

    /// The rule breaker's way: it goes on from what it read before.
    fn acquire_late(&self, world: &mut World, node: usize) {
        let pass = std::mem::replace(&mut world.nodes[node].pass, RESTING);
        if world.lock.is_none() && Self::may_write(world, node) {
            world.lock = u8::try_from(node).ok();
            self.speak(world, node, pass);
        }
    }

    fn speak(&self, world: &mut World, node: usize, mut pass: Pass) {
        if !pass.is_patient {
            self.judge(world, node, &mut pass);
        }
        pass.holds = true;
        pass.fenced = true;
        pass.is_whole = self.is_whole(world, node);
        pass.phase = Phase::Save;
        if !self.rules.publish_before_save {
            self.part(&mut pass);
        } else if self.is_news(&pass) {
            pass.phase = Phase::Publish;
        }
        self.begin(world, node, pass);
    }

    /// A pass with nothing to tell and nothing to send is over at once.
    fn begin(&self, world: &mut World, node: usize, pass: Pass) {
        if self.is_news(&pass) || self.next_mail(&pass).is_some() {
            world.nodes[node].pass = pass;
        } else {
            self.write_file(world, node, pass.own);
        }
    }

    fn judge(&self, world: &World, node: usize, pass: &mut Pass) {
        let me = u8::try_from(node).unwrap();
        pass.taken = pass.own;
        pass.seen_at = Self::clock(world);
        let doc = pass.own.doc;
        pass.own.doc = self.docs.judge(doc, self.down(world), pass.seen_at, me);
    }

    /// Goes on from what others have published since this pass has judged, and judges anew what it sees then
    /// (`Pass::judge_and_publish`).
    fn judge_anew(&self, world: &mut World, node: usize) {
        let sent = world.sent | world.nodes[node].file.sent;
        let mut pass = world.nodes[node].pass;
        let own = self.docs.reunite(pass.taken, world.head, sent);
        pass.own = own;
        pass.before = own.head.map_or(EMPTY, |head| head.doc);
        pass.base = own.ahead.unwrap_or(own.doc);
        pass.read = world.head;
        self.judge(world, node, &mut pass);
        world.nodes[node].pass = pass;
    }

    /// Whether all that other nodes have told is shared.
    fn is_whole(&self, world: &World, node: usize) -> bool {
        let shares = |other: usize| {
            let Node { file, pass, .. } = &world.nodes[other];
            let is_shared = file.own.ahead.is_none() && file.sent == 0;
            is_shared && pass.phase == Phase::Start
        };
        let mut others = self.indices().filter(|other| *other != node);
        world.cut == 0 && world.servers == Servers::Fine && others.all(shares)
    }

    /// Whether a successor has to know of it (`Share::publish`).
    fn is_news(&self, pass: &Pass) -> bool {
        pass.own.ahead.is_some() || self.docs.differ(pass.own.doc, pass.before)
    }

    /// The node is to know more than others do (`Share::keep_for_later`).
    fn part(&self, pass: &mut Pass) {
        if self.is_news(pass) {
            pass.own.ahead.get_or_insert(pass.base);
        }
    }

    /// Who does not speak keeps a copy of the shared memory, having handed over what only its own file has.
    fn follow(&self, world: &mut World, node: usize, mut pass: Pass) {
        if !self.rules.hand_over {
            pass.own.doc = self.shared(world);
            pass.own.ahead = None;
        }
        if pass.own.ahead.is_some() && Self::may_write(world, node) {
            self.write_head(world, &mut pass);
            pass.phase = Phase::SaveEnd;
            world.nodes[node].pass = pass;
        } else {
            self.write_file(world, node, pass.own);
        }
    }

    /// Publishes what a pass knows.
    fn write_head(&self, world: &mut World, pass: &mut Pass) {
        let doc = pass.own.doc;
        let saves = world.head.map_or(0, |head| head.saves) + 1;
        world.head = Some(Shared { saves, doc });
        world.committed |= self.episodes(world, self.docs.known(doc));
        pass.own.head = world.head;
        pass.own.ahead = None;
        pass.before = doc;
        pass.base = doc;
        pass.read = world.head;
    }

    /// Publishes what the speaker knows, having taken in what others have published meanwhile (`Share::try_to_publish`).
    /// `false` if it is no longer the speaker.
    fn publish_as_speaker(&self, world: &mut World, node: usize) -> bool {
        let mut pass = world.nodes[node].pass;
        if !Self::may_write(world, node) {
            self.part(&mut pass);
        } else if !self.holds_still(world, node) {
            self.part(&mut pass);
            world.nodes[node].pass = pass;
            return false;
        } else {
            if self.rules.check_index && world.head != pass.read {
                self.part(&mut pass);
                pass.own = self.docs.reunite(pass.own, world.head, world.sent);
            }
            self.write_head(world, &mut pass);
            world.sent = 0;
            // What a pass that lasts long has seen may be over, and told as over.
            let is_so_still = pass.seen_at == Self::clock(world);
            pass.is_whole = self.is_whole(world, node) && is_so_still;
        }
        world.nodes[node].pass = pass;
        true
    }

    /// What is news is published before the first mail.
    fn publish(&self, world: &mut World, node: usize) {
        let pass = &world.nodes[node].pass;
        let is_overtaken = self.rules.check_index && world.head != pass.read;
        let may = Self::may_write(world, node) && self.holds_still(world, node);
        let is_judged = self.rules.publish_before_save && !pass.is_patient;
        if self.rules.judge_anew && is_judged && is_overtaken && may && self.is_news(pass) {
            self.judge_anew(world, node);
            return;
        }
        let next = match self.rules.publish_before_save {
            true => Phase::Save,
            false => Phase::Send,
        };
        let is_news = self.is_news(&world.nodes[node].pass);
        if !is_news || !self.rules.publish_before_mail || self.publish_as_speaker(world, node) {
            world.nodes[node].pass.phase = next;
            self.skip_what_is_done(world, node);
        } else if self.rules.forget_unpublished {
            world.nodes[node].pass = RESTING;
        } else {
            world.nodes[node].pass.phase = Phase::SaveEnd;
        }
    }

    fn save(&self, world: &mut World, node: usize) {
        let Pass { own, holds, .. } = world.nodes[node].pass;
        if self.rules.save_before_mail {
            self.write_file(world, node, own);
        }
        let publishes = holds && !self.rules.publish_before_save;
        let pass = &mut world.nodes[node].pass;
        pass.phase = if publishes {
            Phase::Publish
        } else {
            Phase::Send
        };
        self.skip_what_is_done(world, node);
    }

    fn write_file(&self, world: &mut World, node: usize, own: Own) {
        let known = self.episodes(world, self.docs.known(own.doc));
        let Node {
            file, committed, ..
        } = &mut world.nodes[node];
        *committed |= known;
        file.own = own;
        file.sent = 0;
    }

    fn next_mail(&self, pass: &Pass) -> Option<&'static Mail> {
        let mails = match pass.is_patient {
            true => &[],
            false => self.docs.mails(pass.own.doc),
        };
        mails
            .iter()
            .find(|mail| mail.bit & (pass.sent | pass.tried) == 0)
    }

    /// A pass that has no further mail to send ends.
    fn skip_what_is_done(&self, world: &mut World, node: usize) {
        let pass = &mut world.nodes[node].pass;
        if pass.phase == Phase::Send && self.next_mail(pass).is_none() {
            self.settle(pass);
            if !pass.holds {
                self.part(pass);
            }
            pass.phase = if pass.holds {
                Phase::PublishEnd
            } else {
                Phase::SaveEnd
            };
            if pass.sent == 0 && self.rules.publish_before_mail && self.rules.save_before_mail {
                *pass = RESTING;
            }
        }
    }

    /// What was sent is taken out of the queue and kept as told (`Queue::settle`, `Share::take_down_sent`).
    fn settle(&self, pass: &mut Pass) {
        pass.own.doc = self.docs.without(pass.own.doc, pass.sent);
    }

    fn send(&self, world: &mut World, node: usize) {
        let Some(mail) = self.next_mail(&world.nodes[node].pass) else {
            return;
        };
        let before = world.mail;
        self.deliver(world, mail);
        let after = &mut world.mail;
        let is_repeated = (before.again, before.anew) != (after.again, after.anew);
        let is_holder = world.nodes[node].pass.holds && world.servers == Servers::Fine;
        after.by_holder += u8::from(is_repeated && is_holder);
        let is_late = world.nodes[node].pass.is_whole && !mail.news.is_empty();
        after.late += u8::from(is_repeated && is_late);
        let pass = &mut world.nodes[node].pass;
        pass.sent |= mail.bit;
        pass.mail = mail.bit;
        pass.phase = Phase::NoteLocally;
    }

    fn deliver(&self, world: &mut World, mail: &Mail) {
        let news = self.episodes(world, &mail.news);
        let over = self.episodes(world, &mail.over);
        let down = self.episodes(world, &mail.down);
        if world.mail.had & mail.bit != 0 {
            world.mail.again += 1;
            return;
        }
        world.mail.had |= mail.bit;
        let mailbox = &mut world.mail.of[mail.to];
        let ends = if mail.is_clearing { over } else { 0 };
        world.mail.anew += u8::from(mailbox.news & news != 0 || mailbox.ends & ends != 0);
        mailbox.told |= news | over | down;
        mailbox.news |= news;
        mailbox.ends |= ends;
        for (thing, _) in &mail.over {
            mailbox.down &= !(1 << thing);
        }
        for (thing, _) in &mail.down {
            mailbox.down |= 1 << thing;
            mailbox.well &= !(1 << thing);
        }
        if mail.is_clearing {
            mailbox.well = u8::MAX;
        }
    }

    /// `store::SentList::add`
    fn note_locally(&self, world: &mut World, node: usize) {
        if self.rules.note_locally {
            world.nodes[node].file.sent |= world.nodes[node].pass.mail;
        }
        if self.plan.nodes == 1 {
            world.nodes[node].pass.noted |= world.nodes[node].pass.mail;
        }
        world.nodes[node].pass.phase = Phase::NoteShared;
        if !world.nodes[node].pass.holds {
            self.note_shared(world, node);
        }
    }

    fn note_shared(&self, world: &mut World, node: usize) {
        let pass = &mut world.nodes[node].pass;
        let mail = std::mem::take(&mut pass.mail);
        pass.phase = Phase::Send;
        if pass.holds && Self::may_write(world, node) {
            if !self.holds_still(world, node) {
                let pass = &mut world.nodes[node].pass;
                self.settle(pass);
                self.part(pass);
                pass.phase = Phase::SaveEnd;
                return;
            }
            if self.rules.note_shared {
                world.sent |= mail;
            }
            world.nodes[node].pass.noted |= mail;
        }
        self.skip_what_is_done(world, node);
    }

    fn publish_end(&self, world: &mut World, node: usize) {
        if self.is_news(&world.nodes[node].pass) {
            self.publish_as_speaker(world, node);
        }
        world.nodes[node].pass.phase = Phase::SaveEnd;
    }

    fn save_end(&self, world: &mut World, node: usize) {
        let own = world.nodes[node].pass.own;
        self.write_file(world, node, own);
        world.nodes[node].pass = RESTING;
    }

    fn kill(world: &mut World, node: usize) {
        let Pass { sent, noted, .. } = world.nodes[node].pass;
        world.in_flight += u8::try_from((sent & !noted).count_ones()).unwrap();
        world.nodes[node].pass = RESTING;
    }

    fn expire(world: &mut World) {
        if let Some(holder) = world.lock.take() {
            let holder = usize::from(holder);
            let pass = &mut world.nodes[holder].pass;
            // Whoever goes on without knowing sends the next mail before he learns of it.
            let goes_on = matches!(
                pass.phase,
                Phase::Save | Phase::Send | Phase::NoteLocally | Phase::NoteShared
            );
            world.in_flight += u8::from(pass.fenced && goes_on);
            pass.fenced = false;
        }
    }

    fn come_back(&self, world: &mut World, node: usize) {
        world.nodes[node].is_up = true;
        if self.plan.disks_lost {
            world.nodes[node].file = NEW_FILE;
            world.nodes[node].committed = 0;
        }
        // Who was away may have missed that there was no quorum.
        world.nodes[node].file.was_away = true;
        // Its place in this minute may be over.
        let mut later = world.nodes[node + 1..].iter();
        world.nodes[node].had_turn = later.any(|other| other.had_turn);
    }

    /// What is so in the end, when nothing more happens and passes have been made: `None` if all is as it should be.
    fn in_the_end(
        &self,
        world: &World,
        (first, do_return): (usize, bool),
        mut tell: impl FnMut(usize, Phase, &World, &World),
    ) -> Option<String> {
        let mut world = *world;
        world.servers = Servers::Fine;
        world.cut = 0;
        for node in self.indices() {
            if !world.nodes[node].is_up && do_return {
                self.come_back(&mut world, node);
            }
        }
        if world
            .lock
            .is_some_and(|holder| !world.nodes[usize::from(holder)].is_up)
        {
            Self::expire(&mut world);
        }
        for minute in 0..3 {
            for turn in self.indices() {
                let node = (turn + first) % self.plan.nodes;
                let had_turn = minute == 0 && world.nodes[node].had_turn;
                if world.nodes[node].is_up && !had_turn {
                    self.whole_pass(&mut world, node, &mut tell);
                }
            }
        }
        self.repeated(&world).or_else(|| self.unsettled(&world))
    }

    fn whole_pass(
        &self,
        world: &mut World,
        node: usize,
        tell: &mut impl FnMut(usize, Phase, &World, &World),
    ) {
        loop {
            let before = *world;
            self.step(world, node);
            tell(node, before.nodes[node].pass.phase, &before, world);
            if world.nodes[node].pass.phase == Phase::Start {
                break;
            }
        }
    }

    /// In which orders the nodes may make their passes in the end, and whether those that died come back before.
    fn ends(&self, world: &World) -> impl Iterator<Item = (usize, bool)> {
        let all_up = self.indices().all(|node| world.nodes[node].is_up);
        let firsts = if self.plan.timers {
            0..1
        } else {
            self.indices()
        };
        let ends = firsts.flat_map(|first| [(first, true), (first, false)]);
        ends.filter(move |(_, do_return)| *do_return || !all_up)
    }

    fn unsettled(&self, world: &World) -> Option<String> {
        let living = || self.indices().filter(|node| world.nodes[*node].is_up);
        // Without any node nobody can tell.
        living().next()?;
        let down = self.down(world);
        let known = living().fold(world.committed, |known, n| known | world.nodes[n].committed);
        // What a speaker sends who has lost the lock meanwhile may come behind what his successor has told.
        let may_be_late = world.in_flight > 0 || Self::was_disturbed(world);
        for mailbox in &world.mail.of[..self.plan.recipients] {
            if down & !mailbox.down != 0 {
                return Some(format!("LOST: nobody has told that {down:#b} are down"));
            }
            if known & !mailbox.told != 0 {
                return Some(format!(
                    "LOST: what was seen and saved was not told: {known:#b}"
                ));
            }
            // That a part of what is down is up again is worth no mail.
            let things = self.plan.things.iter().enumerate();
            let mut known_things = things.filter(|(episode, _)| known & (1 << episode) != 0);
            // Who could not know what others had told says that all is well without naming each thing.
            let is_believed = |(episode, thing): (usize, &u8)| {
                let is_told = mailbox.ends & (1 << episode) != 0 && may_be_late;
                let is_well = mailbox.well & (1 << thing) != 0 && Self::was_disturbed(world);
                mailbox.down & (1 << thing) != 0 && !is_told && !is_well
            };
            if down == 0 && known_things.any(is_believed) {
                return Some("LOST: the end is never told".to_owned());
            }
        }
        let waiting = living().find(|node| world.nodes[*node].file.own.ahead.is_some());
        let queue = self.docs.mails(self.shared(world));
        let is_waiting = |mail: &Mail| mail.bit & world.sent == 0;
        if waiting.is_some() || queue.iter().any(is_waiting) {
            return Some("STUCK: something waits for ever".to_owned());
        }
        let is_acknowledged = !self.docs.is_unacknowledged(self.shared(world));
        if world.spent.acks > 0 && self.plan.things.len() == 1 && !is_acknowledged {
            return Some("LOST: the acknowledgement".to_owned());
        }
        None
    }

    /// There has been a time in which not all nodes could publish.
    fn was_disturbed(world: &World) -> bool {
        let Spent {
            quorum_losses,
            refusals,
            cuts,
            ..
        } = world.spent;
        quorum_losses + refusals + cuts > 0
    }

    /// More repeated mails than were in flight. Where nodes could not know of each other two may tell the same, under the same
    /// id if they go on from the same memory; but with timers that tick once a minute the holder of the lock repeats nothing.
    fn repeated(&self, world: &World) -> Option<String> {
        let Mailboxes {
            again,
            anew,
            by_holder,
            late,
            ..
        } = world.mail;
        let Plan {
            nodes,
            expiries,
            timers,
            ..
        } = self.plan;
        let repeated = if !Self::was_disturbed(world) || nodes == 1 {
            again + anew
        } else if !timers {
            late
        } else if expiries == 0 {
            by_holder.max(anew)
        } else {
            by_holder
        };
        let in_flight = world.in_flight;
        (repeated > in_flight).then(|| {
            format!(
                "REPEATED: {again} under the same id, {anew} under another, {in_flight} in flight"
            )
        })
    }

    /// The shortest way to a violation, for people.
    pub(crate) fn tell(&self, way: &[Action]) -> String {
        let mut world = self.initial();
        let mut text = String::new();
        for action in way {
            let before = world;
            world = self.after(&world, *action);
            let _ = write!(text, "  {action:?}");
            if let Action::Pass(node, Phase::Send) = action {
                self.tell_mail(&mut text, usize::from(*node), &before, &world);
            }
            text.push('\n');
        }
        if self.rests(&world) {
            let bad_end = (self.ends(&world))
                .find(|end| self.in_the_end(&world, *end, |_, _, _, _| {}).is_some());
            if let Some(end) = bad_end {
                text.push_str("  in the end\n");
                self.in_the_end(&world, end, |node, phase, before, after| {
                    let node_name = u8::try_from(node).unwrap();
                    let _ = write!(text, "    {:?}", Action::Pass(node_name, phase));
                    if phase == Phase::Send {
                        self.tell_mail(&mut text, node, before, after);
                    }
                    text.push('\n');
                });
            }
        }
        text
    }

    fn tell_mail(&self, text: &mut String, node: usize, before: &World, after: &World) {
        let Some(mail) = self.next_mail(&before.nodes[node].pass) else {
            return;
        };
        let is_repeated = after.mail.again > before.mail.again;
        let again = if is_repeated { ", again" } else { "" };
        let _ = write!(text, ": {}{again}", mail.words);
    }

    fn rests(&self, world: &World) -> bool {
        let mut nodes = world.nodes.iter();
        nodes.all(|node| node.pass == RESTING)
    }

    fn after(&self, world: &World, action: Action) -> World {
        let mut next = *world;
        let spent = &mut next.spent;
        match action {
            Action::Pass(node, phase) => {
                let node = usize::from(node);
                next.nodes[node].had_turn |= phase == Phase::Start && self.plan.timers;
                self.step(&mut next, node);
            }
            Action::Bounce(node) => {
                spent.bounces += 1;
                let node = usize::from(node);
                let mail = self.next_mail(&next.nodes[node].pass);
                next.nodes[node].pass.tried |= mail.map_or(0, |mail| mail.bit);
                self.skip_what_is_done(&mut next, node);
            }
            Action::Kill(node) => {
                spent.kills += 1;
                Self::kill(&mut next, usize::from(node));
            }
            Action::Die(node) => {
                spent.deaths += 1;
                Self::kill(&mut next, usize::from(node));
                next.nodes[usize::from(node)].is_up = false;
            }
            Action::Return(node) => self.come_back(&mut next, usize::from(node)),
            Action::Expire => {
                spent.expiries += 1;
                Self::expire(&mut next);
            }
            Action::QuorumLost => {
                spent.quorum_losses += 1;
                next.servers = Servers::NoQuorum;
            }
            Action::WritesRefused => {
                spent.refusals += 1;
                next.servers = Servers::Refusing;
            }
            Action::QuorumBack | Action::WritesTaken => next.servers = Servers::Fine,
            Action::CutOff => {
                spent.cuts += 1;
                next.cut = self.plan.cut;
            }
            Action::Rejoined => next.cut = 0,
            Action::GoesDown => {
                let episode = usize::from(next.truth.begun);
                next.truth.begun += 1;
                next.truth.since[episode] = Self::clock(&next);
            }
            Action::ComesUp(episode) => next.truth.over |= 1 << episode,
            Action::Acknowledge => {
                spent.acks += 1;
                if let Some(doc) = self.docs.acknowledge(self.shared(&next)) {
                    let own = Own { doc, ..NOTHING };
                    self.write_head(&mut next, &mut Pass { own, ..RESTING });
                    if !self.rules.ack_keeps_sent {
                        next.sent = 0;
                    }
                }
            }
        }
        if next.cut != 0 || next.servers != Servers::Fine {
            // What is under way then, others may tell as well.
            for node in &mut next.nodes {
                node.pass.is_whole = false;
            }
        }
        let had_turn = |node: &Node| node.had_turn || !node.is_up;
        if next.nodes[..self.plan.nodes].iter().all(had_turn) {
            for node in &mut next.nodes {
                node.had_turn = false;
            }
        }
        next
    }

    fn possible(&self, world: &World) -> Vec<Action> {
        let mut possible = Vec::new();
        let Plan {
            things,
            kills,
            deaths,
            expiries,
            quorum_losses,
            refusals,
            cut,
            bounces,
            acks,
            ..
        } = self.plan;
        let spent = &world.spent;
        for node in self.indices() {
            let me = u8::try_from(node).unwrap();
            let Node {
                is_up,
                had_turn,
                pass,
                ..
            } = &world.nodes[node];
            if !is_up {
                possible.push(Action::Return(me));
                continue;
            }
            let mut before = world.nodes[..node].iter();
            let is_due = before.all(|other| other.had_turn || !other.is_up) && !had_turn;
            if pass.phase != Phase::Start || is_due || !self.plan.timers {
                possible.push(Action::Pass(me, pass.phase));
            }
            let is_under_way = pass.phase != Phase::Start;
            if pass.phase == Phase::Send && spent.bounces < bounces {
                possible.push(Action::Bounce(me));
            }
            if is_under_way && spent.kills < kills {
                possible.push(Action::Kill(me));
            }
            if spent.deaths < deaths {
                possible.push(Action::Die(me));
            }
        }
        let holder_is_gone = (world.lock).is_some_and(|n| !world.nodes[usize::from(n)].is_up);
        // Whoever makes a pass in each minute renews its session.
        let may_lapse = !self.plan.timers || (spent.quorum_losses == 0 && self.rests(world));
        let may_expire = world.lock.is_some()
            && (may_lapse || holder_is_gone)
            && world.servers != Servers::NoQuorum;
        if may_expire && (spent.expiries < expiries || holder_is_gone) {
            possible.push(Action::Expire);
        }
        match world.servers {
            Servers::Fine => {
                if spent.quorum_losses < quorum_losses {
                    possible.push(Action::QuorumLost);
                }
                if spent.refusals < refusals {
                    possible.push(Action::WritesRefused);
                }
            }
            Servers::NoQuorum => possible.push(Action::QuorumBack),
            Servers::Refusing => possible.push(Action::WritesTaken),
        }
        match world.cut {
            0 if cut != 0 && spent.cuts == 0 => possible.push(Action::CutOff),
            0 => {}
            _ => possible.push(Action::Rejoined),
        }
        let next = things.get(usize::from(world.truth.begun));
        if next.is_some_and(|thing| self.down(world) & (1 << thing) == 0) {
            possible.push(Action::GoesDown);
        }
        for episode in 0..world.truth.begun {
            if world.truth.over & (1 << episode) == 0 {
                possible.push(Action::ComesUp(episode));
            }
        }
        let may_ack = spent.acks < acks && world.servers == Servers::Fine;
        if may_ack && self.docs.is_unacknowledged(self.shared(world)) {
            possible.push(Action::Acknowledge);
        }
        possible
    }
}

const NEW_FILE: File = File {
    own: NOTHING,
    sent: 0,
    alone: 0,
    was_away: false,
    has_waited: false,
};

impl System for Protocol {
    type State = World;
    type Action = Action;

    fn initial(&self) -> World {
        let node = |index: usize| Node {
            is_up: index < self.plan.nodes,
            had_turn: false,
            file: NEW_FILE,
            pass: RESTING,
            committed: 0,
        };
        let mut world = World {
            servers: Servers::Fine,
            cut: 0,
            lock: None,
            head: None,
            sent: 0,
            nodes: [node(0), node(1), node(2)],
            truth: Truth {
                begun: 0,
                over: 0,
                since: [0; EPISODES],
            },
            mail: Mailboxes::default(),
            spent: Spent::default(),
            in_flight: 0,
            committed: 0,
        };
        for node in self.indices() {
            self.whole_pass(&mut world, node, &mut |_, _, _, _| {});
        }
        world
    }

    fn next(&self, world: &World, found: &mut Vec<(Action, World)>) {
        for action in self.possible(world) {
            found.push((action, self.after(world, action)));
        }
    }

    fn violation(&self, world: &World) -> Option<String> {
        if let Some(repeated) = self.repeated(world) {
            return Some(repeated);
        }
        if !self.rests(world) {
            return None;
        }
        let mut ends = self.ends(world);
        ends.find_map(|end| self.in_the_end(world, end, |_, _, _, _| {}))
    }
}
