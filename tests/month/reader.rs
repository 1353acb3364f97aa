//! What somebody who reads the mails as they come believes to be wrong, and whether that is so.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use petanotify::alert::{Alert, Report};
use petanotify::check::CheckName;
use petanotify::check::capacity::Level;
use petanotify::check::sight::Unseen;
use petanotify::incident::Kind;
use petanotify::queue::{Entry, MailId};

/// Something that can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Thing {
    Node(String),
    Osd(i64),
    /// Over this level.
    Storage(Level),
    /// What Ceph itself finds wrong, by the code of its health check.
    Health(String),
    /// A check that sees nothing, or Consul without a leader.
    Blind(Unseen),
}

impl Thing {
    /// The check that looks after it.
    pub(crate) fn check(&self) -> CheckName {
        match self {
            Thing::Node(_) => CheckName::Nodes,
            Thing::Osd(_) => CheckName::Osds,
            Thing::Storage(_) => CheckName::Capacity,
            Thing::Health(_) => CheckName::Health,
            Thing::Blind(unseen) => unseen.concerns(),
        }
    }
}

/// What a mail says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    pub(crate) new: BTreeSet<Thing>,
    pub(crate) still: BTreeSet<Thing>,
    pub(crate) over: BTreeSet<Thing>,
    /// The OSDs that are down with their nodes.
    with_nodes: BTreeSet<Thing>,
    /// Those of `new` and `still` that flap, be they down or up at the moment.
    pub(crate) flapping: BTreeSet<Thing>,
    /// Those of `new` and `still` that flap or did before they stayed down: they count as up when they are calm.
    unsteady: BTreeSet<Thing>,
}

impl Content {
    /// What an alert says.
    pub(crate) fn of(alert: &Alert) -> Content {
        macro_rules! changed {
            ($change:expr, $thing:expr) => {
                Content {
                    flapping: ($change.new.iter().chain(&$change.still))
                        .filter(|i| i.flaps().is_some())
                        .map(|i| $thing(&i.key))
                        .collect(),
                    unsteady: ($change.new.iter().chain(&$change.still))
                        .filter(|i| i.flapping.is_some())
                        .map(|i| $thing(&i.key))
                        .collect(),
                    new: $change.new.iter().map(|i| $thing(&i.key)).collect(),
                    still: $change.still.iter().map(|i| $thing(&i.key)).collect(),
                    over: $change.over.iter().map(|i| $thing(&i.key)).collect(),
                    ..Content::default()
                }
            };
        }
        let mut content = match &alert.report {
            Report::Capacity(reading) => {
                let over = |level| match alert.kind {
                    Kind::Cleared => level > reading.level,
                    Kind::Raised | Kind::Updated | Kind::Reminder => level <= reading.level,
                };
                let levels = [Level::Warn, Level::Critical].into_iter();
                let things = levels.filter(|level| over(*level)).map(Thing::Storage);
                let mut content = Content::default();
                match alert.kind {
                    Kind::Cleared => content.over.extend(things),
                    Kind::Raised | Kind::Updated => content.new.extend(things),
                    Kind::Reminder => content.still.extend(things),
                }
                content
            }
            Report::Nodes(change) => changed!(change, |node: &String| Thing::Node(node.clone())),
            Report::Osds(change) => {
                changed!(change, |osd: &petanotify::facts::OsdId| Thing::Osd(osd.0))
            }
            Report::Health(change) => changed!(change, |code: &String| Thing::Health(code.clone())),
            Report::Blind(change) => changed!(change, |unseen: &Unseen| Thing::Blind(*unseen)),
        };
        let with_nodes = alert.circumstances.of_nodes.values().flatten();
        let with_nodes = with_nodes.map(|osd| Thing::Osd(osd.0));
        content.with_nodes.extend(with_nodes);
        content
    }
}

/// How a thing that is down could be seen until now.
#[derive(Clone, Copy, Debug)]
struct Spell {
    /// Since when it has been down without a break.
    since: i64,
    /// In how many passes in a row petanotify could have told of it.
    passes: i64,
    /// It has been missed already.
    missed: bool,
}

/// What is so at the end of a pass.
pub(crate) struct Truth {
    /// All that is wrong, with how many passes may go by until it must have been told; `None` if that is not due.
    pub(crate) down: BTreeMap<Thing, Option<i64>>,
    /// The nodes of the OSDs that are down.
    pub(crate) nodes: BTreeMap<Thing, Thing>,
    /// The checks that could be carried out.
    pub(crate) seen: BTreeSet<CheckName>,
    /// Whether mails arrive.
    pub(crate) mail: bool,
    /// petanotify's clock has been set since the last pass.
    pub(crate) stepped: bool,
    /// What petanotify's clock says.
    pub(crate) clock: Timestamp,
}

impl Truth {
    fn sees(&self, thing: &Thing) -> bool {
        self.seen.contains(&thing.check()) || matches!(thing, Thing::Blind(_))
    }

    /// Storage that is less than the margin below a level may have been told to be over it, or below.
    fn may_be_well(&self, thing: &Thing) -> bool {
        matches!(thing, Thing::Storage(_)) && self.down.get(thing) == Some(&None)
    }
}

/// What the mails of a recipient did not do as they should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Something is wrong and the reader does not know.
    Missed(String),
    /// The reader believes what is not so.
    False(String),
    /// The reader is told what he knows.
    Repeated(String),
}

/// How a reader has heard of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Belief {
    /// When that it is down was news.
    told: i64,
    /// It goes down and up, again and again.
    flaps: bool,
    /// It flaps, or did before it stayed down.
    unsteady: bool,
}

/// One recipient.
pub(crate) struct Reader {
    checks: &'static [CheckName],
    /// What each thread says to be wrong.
    threads: BTreeMap<String, BTreeMap<Thing, Belief>>,
    /// Which threads have ended with the word that these are not well yet, but should be soon.
    returning: BTreeMap<String, BTreeMap<Thing, Belief>>,
    /// How many passes nothing of a thread has been wrong any more.
    well: BTreeMap<String, i64>,
    spells: BTreeMap<Thing, Spell>,
    /// At which second the pass was that petanotify's clock took for this moment.
    passes: HashMap<Timestamp, i64>,
    ids: HashSet<MailId>,
}

/// A thread about things that have all been well for so many passes should have said so.
const WELL_FOR: i64 = 5;

/// If one of them flapped it must have been calm first (`notify.flapping.calm_after`).
const CALM_FOR: i64 = 60 + WELL_FOR;

/// What flaps and stays down for so many passes must be told as down (`notify.flapping.down_after`).
const FLAPS_FOR: i64 = 10 + 3;

impl Reader {
    pub(crate) fn new(checks: &'static [CheckName]) -> Self {
        Reader {
            checks,
            threads: BTreeMap::new(),
            returning: BTreeMap::new(),
            well: BTreeMap::new(),
            spells: BTreeMap::new(),
            passes: HashMap::new(),
            ids: HashSet::new(),
        }
    }

    /// Whether he knows of it. Who knows that a node is gone knows that its OSDs are.
    fn believes(&self, thing: &Thing, truth: &Truth) -> bool {
        let node = truth.nodes.get(thing);
        let passes = self.spells.get(thing).map_or(0, |spell| spell.passes);
        // Flapping does not hide what stays down.
        let is_enough = |belief: &Belief| !belief.flaps || passes <= FLAPS_FOR;
        let threads = self.threads.values().chain(self.returning.values());
        threads.into_iter().any(|thread| {
            let knows = |thing: &Thing| thread.get(thing).is_some_and(is_enough);
            knows(thing) || node.is_some_and(|node| thread.contains_key(node))
        })
    }

    /// Reads the mails of a pass, and compares what he believes then with what is so.
    pub(crate) fn pass(&mut self, now: i64, mails: &[&Entry], truth: &Truth) -> Vec<Fault> {
        let mut faults = Vec::new();
        self.look(now, truth);
        self.passes.insert(truth.clock, now);
        let mut ended = Vec::new();
        for entry in mails {
            if !self.ids.insert(entry.id.clone()) {
                faults.push(Fault::Repeated(format!("the mail {} again", entry.id)));
            }
        }
        let alerts = mails.iter();
        for (entry, alert) in alerts.flat_map(|e| e.alerts().map(move |alert| (e, alert))) {
            let content = Content::of(alert);
            // One that is late says so, and how things stood when it was written.
            if entry.attempts == 0 {
                self.judge_news(alert, &content, &mut faults);
            }
            let thread = self.threads.remove(&alert.incident).unwrap_or_default();
            let belief = |thing: &Thing, told: i64| {
                let belief = Belief {
                    told,
                    flaps: content.flapping.contains(thing),
                    unsteady: content.unsteady.contains(thing),
                };
                (thing.clone(), belief)
            };
            let mut all: BTreeMap<Thing, Belief> = BTreeMap::new();
            // Who has heard of them with their node has not heard yet that they fail by themselves.
            all.extend(content.with_nodes.iter().map(|osd| belief(osd, i64::MIN)));
            let told = |thing: &Thing| thread.get(thing).map_or(now, |before| before.told);
            all.extend(content.still.iter().map(|t| belief(t, told(t))));
            all.extend(content.new.iter().map(|t| belief(t, now)));
            let gone = thread.into_keys().filter(|t| !all.contains_key(t));
            // What cannot be seen is told as last seen: only that it is over would be too much.
            let gone = gone.filter(|t| truth.sees(t) || content.over.contains(t));
            let as_of = self.passes.get(&alert.as_of()).copied().unwrap_or(now);
            ended.extend(gone.map(|thing| (thing, as_of)));
            self.well.remove(&alert.incident);
            // The end of a node's incident may say which of its OSDs are still to come.
            if alert.kind != Kind::Cleared {
                self.threads.insert(alert.incident.clone(), all);
            } else if !all.is_empty() {
                self.returning.insert(alert.incident.clone(), all);
            }
        }
        for (thing, as_of) in ended {
            // A mail that waited says as of when it tells; what has gone down since then it cannot know.
            let is_down = (self.spells.get(&thing)).is_some_and(|spell| spell.since <= as_of);
            if self.checks.contains(&thing.check())
                && is_down
                && !truth.may_be_well(&thing)
                && !self.believes(&thing, truth)
            {
                faults.push(Fault::False(format!("{thing:?} is not over")));
            }
        }
        if truth.mail {
            self.judge_silence(truth, &mut faults);
        }
        faults
    }

    /// Takes up what is down.
    fn look(&mut self, now: i64, truth: &Truth) {
        self.spells
            .retain(|thing, _| truth.down.contains_key(thing));
        for (thing, allowed) in &truth.down {
            let spell = self.spells.entry(thing.clone()).or_insert(Spell {
                since: now,
                passes: 0,
                missed: false,
            });
            // Nobody can tell how long it has lasted when the clock is set.
            let mut known = self.threads.values().filter_map(|thread| thread.get(thing));
            let counts_time = matches!(thing, Thing::Blind(_)) || known.any(|known| known.flaps);
            let stepped = truth.stepped && counts_time;
            if stepped || allowed.is_none() {
                spell.passes = 0;
            }
            spell.passes += i64::from(truth.sees(thing) && truth.mail);
        }
    }

    /// What a mail calls new must be so, and must be new to him.
    fn judge_news(&self, alert: &Alert, content: &Content, faults: &mut Vec<Fault>) {
        let news = alert.kind == Kind::Raised || alert.kind == Kind::Updated;
        if !news {
            return;
        }
        let mut known = 0;
        for thing in &content.new {
            let flaps = content.flapping.contains(thing);
            let Some(spell) = self.spells.get(thing) else {
                if !flaps {
                    faults.push(Fault::False(format!("{thing:?} is not down")));
                }
                continue;
            };
            let told = self.threads.values().filter_map(|thread| thread.get(thing));
            let told = told.filter(|belief| belief.flaps == flaps);
            let told = told.map(|belief| belief.told).max();
            known += usize::from(told.is_some_and(|told| flaps || told >= spell.since));
        }
        if known > 0 && known == content.new.len() {
            faults.push(Fault::Repeated(format!("{:?}", content.new)));
        }
    }

    /// What is wrong must be known to him in time, and what is well again too.
    fn judge_silence(&mut self, truth: &Truth, faults: &mut Vec<Fault>) {
        self.returning
            .retain(|_, things| things.keys().any(|thing| truth.down.contains_key(thing)));
        for (thing, allowed) in &truth.down {
            let known = self.believes(thing, truth) || !self.checks.contains(&thing.check());
            let Some(spell) = self.spells.get_mut(thing) else {
                continue;
            };
            let late = allowed.is_some_and(|allowed| spell.passes > allowed);
            if !known && late && !spell.missed {
                spell.missed = true;
                faults.push(Fault::Missed(format!(
                    "{thing:?} for {} passes",
                    spell.passes
                )));
            }
        }
        for (incident, thread) in &self.threads {
            let lasts = thread.keys().any(|thing| truth.down.contains_key(thing));
            let seen = thread.keys().all(|thing| truth.sees(thing));
            let flaps = thread.values().any(|belief| belief.unsteady);
            let well = self.well.entry(incident.clone()).or_default();
            // When the clock has been set back, nobody knows how long it has been calm.
            let anew = lasts || !seen || (flaps && truth.stepped);
            *well = if anew { 0 } else { *well + 1 };
            if *well == if flaps { CALM_FOR } else { WELL_FOR } {
                faults.push(Fault::Missed(format!("{:?} are well again", thread.keys())));
            }
        }
    }
}
