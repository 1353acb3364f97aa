//! Incidents: what is remembered of the things that are down, and what in it is worth a mail.
//!
//! One rule serves nodes, OSDs and blind checks alike: an incident runs from the first thing that counts as down until
//! nothing of what it has told is down any more; a new thing in between is an update that lists everything; the end of the
//! last one is the clearing. What does not count yet neither begins an incident nor keeps one open, unless it has been told
//! before and is down again: no mail may look as if that were up. What flaps is one thing of the incident until it is calm,
//! however often it is up or down. Pure: the clock is an argument.

#[cfg(test)]
mod flapping_tests;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::flapping::{Downs, Flapping, Rule};
use crate::together;

/// What an alert does to its incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The incident begins.
    Raised,
    /// Something new has come to it.
    Updated,
    /// Nothing new, it just lasts (`notify.remind_every`).
    Reminder,
    /// It is over.
    Cleared,
}

impl Kind {
    /// The name in JSON and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Raised => "raised",
            Kind::Updated => "updated",
            Kind::Reminder => "reminder",
            Kind::Cleared => "cleared",
        }
    }
}

/// The running number of an incident's mails, and when it all began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incident {
    /// Unique in the cluster, made of topic and time; part of every `Message-ID` of the incident.
    pub id: String,
    /// When the first alert was raised.
    pub raised: Timestamp,
    /// How many alerts there have been so far; the next one bears this number.
    pub alerts: u32,
    /// When the last alert was raised.
    pub last_alert: Timestamp,
    /// How many reminders there have been since anything was new.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reminders: u32,
    /// Who knows of it already; what that is about, the memory of its things knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack: Option<Ack>,
}

/// Somebody knows of an incident and does not want to be told again (`petanotify ack`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ack {
    /// When that was said.
    pub at: Timestamp,
    /// Why, or what is done about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The login name of who said it, as far as the environment told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's way of asking")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// The longest wait for a reminder, unless `notify.remind_every` itself is longer: what lasts is said once a month at least,
/// or its silence would be taken for health by those who have forgotten it.
const RARELY: Duration = Duration::from_secs(30 * 24 * 3600);

impl Incident {
    /// Begins an incident; its first alert is the one being raised now.
    pub fn begin(topic: &str, now: Timestamp) -> Self {
        Incident {
            id: format!("{topic}-{}", now.strftime("%Y%m%dT%H%M%S%.3fZ")),
            raised: now,
            alerts: 1,
            last_alert: now,
            reminders: 0,
            ack: None,
        }
    }

    /// Counts one more alert of this kind and returns its number.
    pub fn next_alert(&mut self, kind: Kind, now: Timestamp) -> u32 {
        let sequence = self.alerts;
        self.alerts = self.alerts.saturating_add(1);
        self.last_alert = now;
        self.reminders = match kind {
            Kind::Reminder => self.reminders.saturating_add(1),
            Kind::Raised | Kind::Updated | Kind::Cleared => 0,
        };
        sequence
    }

    /// See [`plausible`].
    pub fn set_clock(&mut self, now: Timestamp) {
        self.raised = plausible(self.raised, now);
        self.last_alert = plausible(self.last_alert, now);
        if let Some(ack) = &mut self.ack {
            ack.at = plausible(ack.at, now);
        }
    }

    /// Whether a reminder is owed: the first one `remind_every` after the last news, each further one after twice the time, for
    /// who has read of it three times needs no fourth mail so soon. A clock that was set back only delays it.
    pub fn reminder_due(&self, remind_every: Option<Duration>, now: Timestamp) -> bool {
        remind_every.is_some_and(|every| {
            let doubled = every.saturating_mul(2_u32.saturating_pow(self.reminders));
            age(self.last_alert, now) >= doubled.min(RARELY.max(every))
        })
    }
}

/// 2026-01-01, before the first release: a clock that shows less has not been set yet, as on a machine that has started
/// without a battery.
const CLOCK_IS_SET: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// A remembered time, or `now` if it can't be true: it lies ahead, so the clock has been set back since; or nobody had set
/// the clock yet. What counts from such a time counts from now: else it would come at once, or never.
pub fn plausible(then: Timestamp, now: Timestamp) -> Timestamp {
    if then > now || (then < CLOCK_IS_SET && CLOCK_IS_SET <= now) {
        now
    } else {
        then
    }
}

/// How long ago `then` was; zero if the clock has been set back since.
pub fn age(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or(Duration::ZERO)
}

/// What is remembered of all things of one kind that are down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(
    serialize = "K: Serialize, T: Serialize + Hash + Eq",
    deserialize = "K: Deserialize<'de> + Ord, T: Deserialize<'de> + Clone"
))]
#[serde(deny_unknown_fields)]
pub struct Watch<K, T> {
    /// The incident that is open, if any.
    pub incident: Option<Incident>,
    /// What is down, counted yet or not, and what flaps, be it down or up just now.
    #[serde(with = "together::map")]
    pub down: BTreeMap<K, Down<T>>,
    /// What the open incident was about and what is no longer down, or down again and not announced yet.
    #[serde(with = "together::map")]
    pub over: BTreeMap<K, Over<T>>,
    /// When things went down of late; nothing of those that did not.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        with = "together::map",
        bound(serialize = "K: Serialize", deserialize = "K: Deserialize<'de> + Ord")
    )]
    pub went_down: BTreeMap<K, Downs>,
    /// What somebody knows of in the open incident, see [`Watch::acknowledge`].
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub acknowledged: BTreeSet<K>,
}

impl<K, T> Default for Watch<K, T> {
    fn default() -> Self {
        Watch {
            incident: None,
            down: BTreeMap::new(),
            over: BTreeMap::new(),
            went_down: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
        }
    }
}

impl<K: Ord + Clone, T> Watch<K, T> {
    /// Takes down that somebody knows of what the open incident has told so far, or with `None` that nobody does. Until the
    /// incident is over none of these things, down or up again meanwhile, is news or a cause for a reminder; what no mail has
    /// told yet is told as ever.
    pub fn acknowledge(&mut self, ack: Option<Ack>) {
        let Some(incident) = &mut self.incident else {
            return;
        };
        self.acknowledged.clear();
        if ack.is_some() {
            let told = self.down.iter().filter(|(_, down)| down.announced);
            self.acknowledged = told.map(|(key, _)| key.clone()).collect();
            self.acknowledged.extend(self.over.keys().cloned());
        }
        incident.ack = ack;
    }
}

impl<K, T> Watch<K, T> {
    /// How many things are down now: without those that flap and are up.
    pub fn down_now(&self) -> usize {
        self.down.values().filter(|down| down.is_down()).count()
    }

    /// How many things flap, be they down or up.
    pub fn flapping(&self) -> usize {
        let flaps = |down: &&Down<T>| down.flaps().is_some();
        self.down.values().filter(flaps).count()
    }

    /// Whether there is nothing to remember.
    pub fn is_quiet(&self) -> bool {
        self.incident.is_none() && self.down.is_empty() && self.over.is_empty()
    }

    /// See [`plausible`].
    pub fn set_clock(&mut self, now: Timestamp) {
        if let Some(incident) = &mut self.incident {
            incident.set_clock(now);
        }
        for down in self.down.values_mut() {
            down.since = plausible(down.since, now);
            if let Some(flapping) = &mut down.flapping {
                flapping.set_clock(now);
            }
        }
        for over in self.over.values_mut() {
            over.since = plausible(over.since, now);
            over.until = plausible(over.until, now);
            if let Some(flapping) = &mut over.flapping {
                flapping.set_clock(now);
            }
        }
        for downs in self.went_down.values_mut() {
            downs.set_clock(now);
        }
    }
}

impl<K: Ord + Clone, T: Clone> Watch<K, T> {
    /// Whether anything that the open incident has told of is down, for the first time or again.
    fn is_lasting(&self) -> bool {
        let mut down = self.down.iter();
        down.any(|(key, down)| down.announced || self.over.contains_key(key))
    }

    /// Everything that has been told of, as news.
    pub fn as_news(&self) -> Change<K, T> {
        let announced = self.down.iter().filter(|(_, down)| down.announced);
        let new = announced.map(|(key, down)| item_of(key, down));
        Change {
            new: new.collect(),
            still: Vec::new(),
            over: self.over_items(),
        }
    }

    fn over_items(&self) -> Vec<OverItem<K, T>> {
        let over = self.over.iter();
        let over = over.filter(|(key, _)| !self.down.contains_key(key));
        let items = over.map(|(key, was)| OverItem {
            key: key.clone(),
            was: was.clone(),
        });
        items.collect()
    }
}

impl<K: Ord + Clone, T: Clone> Watch<K, T> {
    /// What `waiting`, which nobody has read yet, has to tell by now. Only what it would have told as known is known.
    pub fn renew(&self, waiting: &Change<K, T>) -> Change<K, T> {
        let known: BTreeSet<&K> = waiting.still.iter().map(|item| &item.key).collect();
        let new = waiting.new.iter().map(|item| &item.key);
        let over = waiting.over.iter().map(|over| &over.key);
        let named: BTreeSet<&K> = new.chain(over).chain(known.iter().copied()).collect();
        // What has gone down again may not count yet; but a mail that names it must not leave out that it is down.
        let told = (self.down.iter()).filter(|(key, down)| down.announced || named.contains(key));
        let (still, new) = told
            .map(|(key, down)| item_of(key, down))
            .partition(|item| known.contains(&item.key));
        Change {
            new,
            still,
            over: self.over_items(),
        }
    }
}

fn item_of<K: Clone, T: Clone>(key: &K, down: &Down<T>) -> Item<K, T> {
    Item {
        key: key.clone(),
        since: down.since,
        flapping: down.flapping,
        what: down.what.clone(),
    }
}

/// One thing that is down, or flaps.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Down<T> {
    /// The pass that first saw it down; of what flaps, the last time that it went down.
    pub since: Timestamp,
    /// In how many passes in a row it has been seen down, or up if it flaps and is up.
    pub passes: u32,
    /// Whether a mail has told of it.
    pub announced: bool,
    /// How it flaps, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flapping: Option<Flapping>,
    /// What is known of it, as last seen.
    pub what: T,
}

impl<T> Down<T> {
    /// Whether it is down now: what flaps may be up.
    pub fn is_down(&self) -> bool {
        self.flapping
            .is_none_or(|flapping| flapping.up_since.is_none())
    }

    /// How it flaps, if that is how it is told.
    pub fn flaps(&self) -> Option<&Flapping> {
        self.flapping.as_ref().filter(|f| !f.is_down_for_good())
    }

    /// Whether it has been down for so long, see [`lasts`].
    pub fn lasts(&self, time: Duration, now: Timestamp) -> bool {
        lasts(self.since, self.passes, time, now)
    }
}

/// Whether what was first seen `since` then, and in so many passes in a row by now, has lasted for so long. When two passes lie
/// further apart than that, nobody knows whether the timer has rested or the clock has jumped ahead: then a third one decides.
pub fn lasts(since: Timestamp, passes: u32, time: Duration, now: Timestamp) -> bool {
    let length = age(since, now);
    let jumped = passes == 2 && length > time.saturating_mul(2);
    length >= time && !jumped
}

/// One thing that was down and is so no longer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Over<T> {
    /// The pass that first saw it down, of what flapped the first of many times.
    pub since: Timestamp,
    /// The pass that saw it down no longer; since then it is calm if it flapped.
    pub until: Timestamp,
    /// How it flapped, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flapping: Option<Flapping>,
    /// Why it is down no longer.
    pub ending: Ending,
    /// What was last known of it.
    pub what: T,
}

impl<T> Over<T> {
    /// Whether the alert of this time, the last one, has told that it no longer flaps, or never did.
    fn is_told_to_be_calm(&self, rule: &Rule, last_alert: Timestamp) -> bool {
        self.flapping.is_none() || age(self.until, last_alert) >= rule.calm_after
    }
}

/// Why a thing is down no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// It is up again.
    Recovered,
    /// It is not part of the cluster any more.
    Removed,
}

/// What one pass saw of all things of one kind.
#[derive(Debug, Clone)]
pub struct Seen<K, T> {
    /// What is down now.
    pub down: BTreeMap<K, T>,
    /// What could not be seen in this pass: what is remembered of it stays as it is.
    pub unseen: BTreeSet<K>,
    /// What is up now; a thing that was down and is in none of the three has been removed.
    pub up: BTreeSet<K>,
}

/// An alert about things that are down: what is new and all that is wrong by now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(
    serialize = "K: Serialize, T: Serialize + Hash + Eq",
    deserialize = "K: Deserialize<'de> + Ord, T: Deserialize<'de> + Clone"
))]
#[serde(deny_unknown_fields)]
pub struct Change<K, T> {
    /// Down since the last mail, in order.
    #[serde(with = "items")]
    pub new: Vec<Item<K, T>>,
    /// Down, and told before, in order.
    #[serde(with = "items")]
    pub still: Vec<Item<K, T>>,
    /// Was part of this incident, and is over, in order.
    #[serde(with = "over_items")]
    pub over: Vec<OverItem<K, T>>,
}

impl<K: Ord + Clone, T> Change<K, T> {
    /// Makes news of what `earlier`, a mail that was never delivered, would have told first. With `all` nothing has been told
    /// before.
    pub fn take_over(&mut self, earlier: &Self, all: bool) {
        let untold: BTreeSet<&K> = earlier.new.iter().map(|item| &item.key).collect();
        let still = std::mem::take(&mut self.still);
        let (news, still) = still
            .into_iter()
            .partition(|item| all || untold.contains(&item.key));
        self.still = still;
        self.new.extend::<Vec<_>>(news);
        self.new.sort_by(|a, b| a.key.cmp(&b.key));
    }
}

/// A thing that is down, in an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item<K, T> {
    /// Which one.
    pub key: K,
    /// The pass that first saw it down; of what flaps, the last time that it went down.
    pub since: Timestamp,
    /// How it flaps, or did before it stayed down.
    pub flapping: Option<Flapping>,
    /// What is known of it.
    pub what: T,
}

impl<K, T> Item<K, T> {
    /// How it flaps, if that is how it is told.
    pub fn flaps(&self) -> Option<&Flapping> {
        self.flapping.as_ref().filter(|f| !f.is_down_for_good())
    }
}

/// A thing that was down, in an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverItem<K, T> {
    /// Which one.
    pub key: K,
    /// When it was down and why no longer.
    pub was: Over<T>,
}

/// How lists of things that are down are written.
mod items {
    use super::*;

    #[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Known<T> {
        since: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        flapping: Option<Flapping>,
        what: T,
    }

    pub(super) fn serialize<K, T, S>(items: &[Item<K, T>], serializer: S) -> Result<S::Ok, S::Error>
    where
        K: Serialize,
        T: Serialize + Hash + Eq,
        S: Serializer,
    {
        let things = items.iter().map(|item| {
            let known = Known {
                since: item.since,
                flapping: item.flapping,
                what: &item.what,
            };
            (&item.key, known)
        });
        together::write(things, serializer)
    }

    pub(super) fn deserialize<'de, K, T, D>(deserializer: D) -> Result<Vec<Item<K, T>>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        T: Deserialize<'de> + Clone,
        D: Deserializer<'de>,
    {
        let items = together::read(deserializer)?.into_iter();
        Ok(items
            .map(|(key, known)| {
                let Known {
                    since,
                    flapping,
                    what,
                } = known;
                Item {
                    key,
                    since,
                    flapping,
                    what,
                }
            })
            .collect())
    }
}

/// How lists of things that were down are written.
mod over_items {
    use super::*;

    pub(super) fn serialize<K, T, S>(
        items: &[OverItem<K, T>],
        serializer: S,
    ) -> Result<S::Ok, S::Error>
    where
        K: Serialize,
        T: Serialize + Hash + Eq,
        S: Serializer,
    {
        together::write(items.iter().map(|item| (&item.key, &item.was)), serializer)
    }

    pub(super) fn deserialize<'de, K, T, D>(
        deserializer: D,
    ) -> Result<Vec<OverItem<K, T>>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        T: Deserialize<'de> + Clone,
        D: Deserializer<'de>,
    {
        let items = together::read(deserializer)?.into_iter();
        Ok(items.map(|(key, was)| OverItem { key, was }).collect())
    }
}

/// The alert that a pass raises, before it is addressed to anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raise<R> {
    /// What it does to the incident.
    pub kind: Kind,
    /// The incident's id.
    pub incident: String,
    /// When the incident began.
    pub began: Timestamp,
    /// The number of this alert in its incident, from 0.
    pub sequence: u32,
    /// What it says.
    pub report: R,
}

/// What is to be remembered, and what is to be told if anything is.
pub type Judged<K, T> = (Watch<K, T>, Option<Raise<Change<K, T>>>);

/// By which rules things of one kind are judged.
pub struct Policy<'a, K, T> {
    /// What they are, as incidents are named.
    pub topic: &'a str,
    /// Whether a thing has been down for long enough to be told of. What flaps is told of without that.
    pub counts: &'a dyn Fn(&K, &Down<T>) -> bool,
    /// Whether it is not sure yet that a thing is to be told of, whatever it does.
    pub waits: &'a dyn Fn(&K, &Down<T>) -> bool,
    /// Whether nobody wants to be told of a thing now, whatever it does; no reminder comes because of it.
    pub quiet: &'a dyn Fn(&K, &Down<T>) -> bool,
    /// When a thing flaps; `None` is never.
    pub flapping: Option<Rule>,
    /// A mail while an incident lasts, this long after the last news, and ever more rarely from then on.
    pub remind_every: Option<Duration>,
}

impl<K: Ord, T> Policy<'_, K, T> {
    /// Whether a thing may be told of, if it has not been before.
    fn tells(&self, key: &K, down: &Down<T>) -> bool {
        let counts = down.flapping.is_some() || (self.counts)(key, down);
        counts && !(self.waits)(key, down) && !(self.quiet)(key, down)
    }

    /// Whether it may be told as down, also where it was told to flap.
    fn tells_down(&self, key: &K, down: &Down<T>) -> bool {
        (self.counts)(key, down) && self.tells(key, down)
    }

    fn is_worth_a_reminder(&self, memory: &Watch<K, T>) -> bool {
        memory.down.iter().any(|(key, down)| {
            let known = memory.acknowledged.contains(key) || (self.quiet)(key, down);
            !known && down.announced
        })
    }
}

/// Takes up what a pass has seen and says whether somebody is to be told.
pub fn judge<K: Ord + Clone, T: Clone>(
    mut memory: Watch<K, T>,
    seen: Seen<K, T>,
    policy: &Policy<'_, K, T>,
    now: Timestamp,
) -> Judged<K, T> {
    take_up(&mut memory, seen, policy, now);
    let (kind, incident) = match memory.incident.take() {
        None => {
            let Some(incident) = memory
                .down
                .iter()
                .any(|(key, down)| policy.tells(key, down))
                .then(|| Incident::begin(policy.topic, now))
            else {
                return (memory, None);
            };
            (Kind::Raised, incident)
        }
        Some(incident) => {
            let anything_new = memory
                .down
                .iter()
                .any(|(key, d)| !d.announced && policy.tells(key, d));
            if anything_new {
                (Kind::Updated, incident)
            } else if !memory.is_lasting() {
                (Kind::Cleared, incident)
            } else if incident.reminder_due(policy.remind_every, now)
                && policy.is_worth_a_reminder(&memory)
            {
                (Kind::Reminder, incident)
            } else {
                memory.incident = Some(incident);
                return (memory, None);
            }
        }
    };
    let raise = tell(&mut memory, kind, incident, policy, now);
    (memory, Some(raise))
}

/// Brings up to date what is down, what flaps and what is over.
fn take_up<K: Ord + Clone, T>(
    memory: &mut Watch<K, T>,
    seen: Seen<K, T>,
    policy: &Policy<'_, K, T>,
    now: Timestamp,
) {
    match &policy.flapping {
        Some(rule) => memory.went_down.retain(|_, downs| downs.keep(rule, now)),
        None => memory.went_down.clear(),
    }
    let mut before = std::mem::take(&mut memory.down);
    for (key, what) in seen.down {
        let was = before.remove(&key);
        let goes_down = was.as_ref().is_none_or(|was| !was.is_down());
        let mut entry = match was {
            Some(was) if !goes_down => Down {
                passes: was.passes.saturating_add(1),
                what,
                ..was
            },
            was => Down {
                since: now,
                passes: 1,
                announced: was.as_ref().is_some_and(|was| was.announced),
                flapping: was.and_then(|was| was.flapping),
                what,
            },
        };
        match &policy.flapping {
            Some(rule) if goes_down => {
                let downs = memory.went_down.entry(key.clone()).or_default();
                downs.note(now);
                match &mut entry.flapping {
                    Some(flapping) => flapping.goes_down(),
                    None if rule.is_met(downs, now) => {
                        entry.flapping = Some(Flapping::begin(downs, now));
                    }
                    None => {}
                }
            }
            Some(rule) => stay_down(&key, &mut entry, rule, policy, now),
            None => {
                // Who has been told that it flaps has not been told that it is down.
                let told = entry.flapping.take().is_none_or(|f| f.down_told);
                entry.announced &= told;
            }
        }
        let over = memory.over.get(&key);
        // Who has been told that it flaps, and not yet that it was calm for a while, hears nothing new.
        let still_flaps = entry.flapping.is_some()
            && (policy.flapping.as_ref().zip(over)).is_some_and(|(rule, over)| {
                let told = memory.incident.as_ref().map(|incident| incident.last_alert);
                told.is_some_and(|told| !over.is_told_to_be_calm(rule, told))
            });
        entry.announced |= still_flaps || memory.acknowledged.contains(&key);
        if entry.announced {
            memory.over.remove(&key);
        }
        memory.down.insert(key, entry);
    }
    for (key, mut was) in before {
        if seen.unseen.contains(&key) {
            memory.down.insert(key, was);
            continue;
        }
        let ending = if seen.up.contains(&key) {
            Ending::Recovered
        } else {
            memory.went_down.remove(&key);
            Ending::Removed
        };
        if let (Ending::Recovered, Some(rule)) = (ending, &policy.flapping)
            && !is_over(&mut was, rule, now)
        {
            memory.down.insert(key, was);
        } else if was.announced {
            let up_since = was.flapping.and_then(|flapping| flapping.up_since);
            let over = Over {
                since: was.flapping.map_or(was.since, |flapping| flapping.first),
                until: up_since.unwrap_or(now),
                flapping: was.flapping,
                ending,
                what: was.what,
            };
            memory.over.insert(key, over);
        } else if let (Ending::Recovered, Some(over)) = (ending, memory.over.get_mut(&key)) {
            over.until = now;
        }
    }
}

/// What flaps may stay down: then it is told as down, for that is news, and in the end it flaps no longer.
fn stay_down<K: Ord, T>(
    key: &K,
    entry: &mut Down<T>,
    rule: &Rule,
    policy: &Policy<'_, K, T>,
    now: Timestamp,
) {
    let Some(mut flapping) = entry.flapping else {
        return;
    };
    if !flapping.down_told {
        if entry.lasts(rule.down_after, now) && policy.tells_down(key, entry) {
            flapping.down_told = true;
            entry.flapping = Some(flapping);
            entry.announced = false;
        }
    } else if rule.is_calm(entry.since, entry.passes, now) {
        entry.flapping = None;
    }
}

/// Whether what is up is over: at once, unless it flaps; then when it is calm.
fn is_over<T>(was: &mut Down<T>, rule: &Rule, now: Timestamp) -> bool {
    let Some(flapping) = &mut was.flapping else {
        return true;
    };
    match flapping.up_since {
        None => {
            flapping.up_since = Some(now);
            was.passes = 1;
            false
        }
        Some(since) => {
            was.passes = was.passes.saturating_add(1);
            rule.is_calm(since, was.passes, now)
        }
    }
}

/// Writes down that everything that counts has been told, and makes the alert that tells it.
fn tell<K: Ord + Clone, T: Clone>(
    memory: &mut Watch<K, T>,
    mut kind: Kind,
    mut incident: Incident,
    policy: &Policy<'_, K, T>,
    now: Timestamp,
) -> Raise<Change<K, T>> {
    let mut change = Change {
        new: Vec::new(),
        still: Vec::new(),
        over: Vec::new(),
    };
    for (key, down) in &mut memory.down {
        let is_known = memory.over.contains_key(key);
        if down.announced {
            change.still.push(item_of(key, down));
        } else if policy.tells(key, down) || (is_known && !(policy.quiet)(key, down)) {
            change.new.push(item_of(key, down));
            down.announced = true;
            memory.over.remove(key);
        } else if is_known {
            change.still.push(item_of(key, down));
        }
    }
    change.over = memory.over_items();
    if kind == Kind::Reminder && !change.new.is_empty() {
        kind = Kind::Updated;
    }
    let sequence = match kind {
        Kind::Raised => 0,
        Kind::Updated | Kind::Reminder | Kind::Cleared => incident.next_alert(kind, now),
    };
    let raise = Raise {
        kind,
        incident: incident.id.clone(),
        began: incident.raised,
        sequence,
        report: change,
    };
    match kind {
        Kind::Cleared => {
            memory.over.clear();
            memory.acknowledged.clear();
        }
        Kind::Raised | Kind::Updated | Kind::Reminder => memory.incident = Some(incident),
    }
    raise
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    type TestWatch = Watch<u32, ()>;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_795_402_440 + minute * 60).unwrap()
    }

    fn seen(down: &[u32], up: &[u32]) -> Seen<u32, ()> {
        Seen {
            down: down.iter().map(|&key| (key, ())).collect(),
            unseen: BTreeSet::new(),
            up: up.iter().copied().collect(),
        }
    }

    fn pass(
        memory: TestWatch,
        saw: Seen<u32, ()>,
        hold: u32,
        minute: i64,
    ) -> (TestWatch, Option<Raise<Change<u32, ()>>>) {
        let policy = Policy {
            topic: "osds",
            counts: &|_, d| d.passes >= hold,
            waits: &|_, _| false,
            quiet: &|_, _| false,
            flapping: None,
            remind_every: None,
        };
        judge(memory, saw, &policy, at(minute))
    }

    /// Everything counts at once, with a first reminder after so many seconds.
    fn every(seconds: u64) -> Policy<'static, u32, ()> {
        Policy {
            topic: "osds",
            counts: &|_, _| true,
            waits: &|_, _| false,
            quiet: &|_, _| false,
            flapping: None,
            remind_every: Some(Duration::from_secs(seconds)),
        }
    }

    fn in_words(raise: &Raise<Change<u32, ()>>) -> String {
        let keys =
            |items: &[Item<u32, ()>]| items.iter().map(|i| i.key.to_string()).collect::<String>();
        let over = raise.report.over.iter().map(|o| o.key.to_string());
        format!(
            "{}{} {}/{}/{}",
            raise.kind.as_str(),
            raise.sequence,
            keys(&raise.report.new),
            keys(&raise.report.still),
            over.collect::<String>()
        )
    }

    /// Runs a pass for each set of what is down among 1 to 4; writes each alert as `kind new/still/over`.
    fn story(hold: u32, passes: &[&[u32]]) -> Vec<String> {
        let mut memory = TestWatch::default();
        let mut told = Vec::new();
        for (minute, down) in passes.iter().enumerate() {
            let up: Vec<u32> = (1..=4).filter(|key| !down.contains(key)).collect();
            let (next, raise) = pass(memory, seen(down, &up), hold, minute as i64);
            memory = next;
            told.push(match raise {
                None => "-".to_owned(),
                Some(raise) => in_words(&raise),
            });
        }
        told
    }

    #[test]
    fn an_incident_runs_from_the_first_thing_down_until_none_is() {
        type Case<'a> = (&'a str, u32, &'a [&'a [u32]], &'a [&'a str]);
        let cases: &[Case<'_>] = &[
            ("nothing", 1, &[&[], &[]], &["-", "-"]),
            (
                "raise once",
                1,
                &[&[1], &[1], &[1]],
                &["raised0 1//", "-", "-"],
            ),
            (
                "raise, clear",
                1,
                &[&[1], &[]],
                &["raised0 1//", "cleared1 //1"],
            ),
            (
                "an update lists everything",
                1,
                &[&[1], &[1, 2], &[1, 2, 3]],
                &["raised0 1//", "updated1 2/1/", "updated2 3/12/"],
            ),
            (
                "one of two returning is no mail, and is told with the next",
                1,
                &[&[1, 2], &[1], &[1, 3], &[]],
                &["raised0 12//", "-", "updated1 3/1/2", "cleared2 //123"],
            ),
            (
                "what was up for a pass is new again",
                1,
                &[&[1, 2], &[1], &[1, 2], &[]],
                &["raised0 12//", "-", "updated1 2/1/", "cleared2 //12"],
            ),
            (
                "another takes its place in the same pass: the incident goes on",
                1,
                &[&[1], &[2], &[]],
                &["raised0 1//", "updated1 2//1", "cleared2 //12"],
            ),
            (
                "a new incident numbers from 0",
                1,
                &[&[1], &[], &[2]],
                &["raised0 1//", "cleared1 //1", "raised0 2//"],
            ),
            (
                "held back for three passes",
                3,
                &[&[1], &[1], &[1], &[]],
                &["-", "-", "raised0 1//", "cleared1 //1"],
            ),
            (
                "up in between starts the count anew",
                3,
                &[&[1], &[1], &[], &[1], &[1], &[1]],
                &["-", "-", "-", "-", "-", "raised0 1//"],
            ),
            (
                "what is held back is not told of, and keeps no incident open",
                3,
                &[&[1], &[1], &[1], &[1, 2], &[2], &[2], &[]],
                &[
                    "-",
                    "-",
                    "raised0 1//",
                    "-",
                    "cleared1 //1",
                    "raised0 2//",
                    "cleared1 //2",
                ],
            ),
            (
                "what is held back no longer takes its place: the incident goes on",
                2,
                &[&[1], &[1, 2], &[2], &[]],
                &["-", "raised0 1//", "updated1 2//1", "cleared2 //12"],
            ),
            (
                "what came and went unannounced is not in the clearing",
                2,
                &[&[1], &[1], &[1, 2], &[1], &[]],
                &["-", "raised0 1//", "-", "-", "cleared1 //1"],
            ),
            (
                "what has been told and is down again is told with the next, before it counts",
                2,
                &[&[1, 2], &[1, 2], &[1], &[1, 3], &[1, 2, 3], &[1, 2, 3], &[]],
                &[
                    "-",
                    "raised0 12//",
                    "-",
                    "-",
                    "updated1 23/1/",
                    "-",
                    "cleared2 //123",
                ],
            ),
            (
                "what has been told and is down again keeps the incident open, before it counts",
                2,
                &[&[1, 2], &[1, 2], &[1], &[2], &[2], &[]],
                &[
                    "-",
                    "raised0 12//",
                    "-",
                    "-",
                    "updated1 2//1",
                    "cleared2 //12",
                ],
            ),
            (
                "what has been told and is down again for a moment is up again at the end",
                2,
                &[&[1, 2], &[1, 2], &[1], &[1, 2], &[1], &[]],
                &["-", "raised0 12//", "-", "-", "-", "cleared1 //12"],
            ),
        ];
        for (name, hold, passes, expected) in cases {
            assert_eq!(&story(*hold, passes), expected, "{name}");
        }
    }

    /// Like [`story`], with reminders after 3 minutes; in each pass some things are quiet, and before those with `true` somebody
    /// acknowledges the incident.
    fn quiet_story(passes: &[(&[u32], &[u32], bool)]) -> Vec<String> {
        let mut memory = TestWatch::default();
        let mut told = Vec::new();
        for (minute, (down, quiet, ack)) in passes.iter().enumerate() {
            let minute = minute as i64;
            if *ack {
                memory.acknowledge(Some(Ack {
                    at: at(minute),
                    why: None,
                    by: None,
                }));
            }
            let policy = Policy {
                quiet: &|key, _| quiet.contains(key),
                ..every(180)
            };
            let up: Vec<u32> = (1..=4).filter(|key| !down.contains(key)).collect();
            let (next, raise) = judge(memory, seen(down, &up), &policy, at(minute));
            memory = next;
            told.push(raise.map_or_else(|| "-".to_owned(), |raise| in_words(&raise)));
        }
        told
    }

    #[test]
    fn what_is_quiet_is_not_told_before_it_is_quiet_no_longer() {
        type Case<'a> = (&'a str, &'a [(&'a [u32], &'a [u32], bool)], &'a [&'a str]);
        const NO: bool = false;
        let cases: &[Case<'_>] = &[
            (
                "down and up again meanwhile",
                &[
                    (&[], &[1], NO),
                    (&[1], &[1], NO),
                    (&[], &[1], NO),
                    (&[], &[], NO),
                ],
                &["-", "-", "-", "-"],
            ),
            (
                "still down afterwards",
                &[
                    (&[1], &[1], NO),
                    (&[1], &[1], NO),
                    (&[1], &[], NO),
                    (&[], &[], NO),
                ],
                &["-", "-", "raised0 1//", "cleared1 //1"],
            ),
            (
                "another is told as ever, and its end as well",
                &[
                    (&[1], &[1], NO),
                    (&[1, 2], &[1], NO),
                    (&[1], &[1], NO),
                    (&[1], &[1], NO),
                    (&[1], &[], NO),
                ],
                &["-", "raised0 2//", "cleared1 //2", "-", "raised0 1//"],
            ),
            (
                "one more in an incident, told when it is quiet no longer",
                &[(&[1], &[], NO), (&[1, 2], &[2], NO), (&[1, 2], &[], NO)],
                &["raised0 1//", "-", "updated1 2/1/"],
            ),
            (
                "told before: no reminder, but a clearing",
                &[
                    (&[1], &[], NO),
                    (&[1], &[1], NO),
                    (&[1], &[1], NO),
                    (&[1], &[1], NO),
                    (&[1], &[1], NO),
                    (&[], &[1], NO),
                ],
                &["raised0 1//", "-", "-", "-", "-", "cleared1 //1"],
            ),
            (
                "told before, up and down again meanwhile",
                &[
                    (&[1], &[], NO),
                    (&[], &[1], NO),
                    (&[1], &[1], NO),
                    (&[1], &[], NO),
                ],
                &["raised0 1//", "cleared1 //1", "-", "raised0 1//"],
            ),
            (
                "what has been told and is down again, quiet, is no news, but in every mail",
                &[
                    (&[1, 2], &[], NO),
                    (&[1], &[2], NO),
                    (&[1, 2, 3], &[2], NO),
                    (&[2], &[2], NO),
                    (&[2], &[], NO),
                    (&[], &[], NO),
                ],
                &[
                    "raised0 12//",
                    "-",
                    "updated1 3/12/",
                    "-",
                    "updated2 2//13",
                    "cleared3 //123",
                ],
            ),
            (
                "reminders go on about what is not quiet",
                &[
                    (&[1, 2], &[1], NO),
                    (&[1, 2], &[1], NO),
                    (&[1, 2], &[1], NO),
                    (&[1, 2], &[1], NO),
                ],
                &["raised0 2//", "-", "-", "reminder1 /2/"],
            ),
        ];
        for (name, passes, expected) in cases {
            assert_eq!(&quiet_story(passes), expected, "{name}");
        }
    }

    #[test]
    fn what_is_acknowledged_is_no_news_until_the_incident_is_over() {
        type Case<'a> = (&'a str, &'a [(&'a [u32], &'a [u32], bool)], &'a [&'a str]);
        const NO: bool = false;
        let cases: &[Case<'_>] = &[
            (
                "no reminder, and a clearing",
                &[
                    (&[1], &[], NO),
                    (&[1], &[], true),
                    (&[1], &[], NO),
                    (&[1], &[], NO),
                    (&[1], &[], NO),
                    (&[], &[], NO),
                ],
                &["raised0 1//", "-", "-", "-", "-", "cleared1 //1"],
            ),
            (
                "what comes and goes is known, also what was up when it was said",
                &[
                    (&[1, 2, 3], &[], NO),
                    (&[1, 2], &[], NO),
                    (&[1, 2], &[], true),
                    (&[1], &[], NO),
                    (&[1, 2, 3], &[], NO),
                    (&[], &[], NO),
                ],
                &["raised0 123//", "-", "-", "-", "-", "cleared1 //123"],
            ),
            (
                "something new is told, and reminded of",
                &[
                    (&[1], &[], NO),
                    (&[1, 2], &[], true),
                    (&[1, 2], &[], NO),
                    (&[1, 2], &[], NO),
                    (&[1, 2], &[], NO),
                    (&[1], &[], NO),
                    (&[1], &[], NO),
                    (&[1], &[], NO),
                ],
                &[
                    "raised0 1//",
                    "updated1 2/1/",
                    "-",
                    "-",
                    "reminder2 /12/",
                    "-",
                    "-",
                    "-",
                ],
            ),
            (
                "what was quiet when it was said has not been told",
                &[
                    (&[1, 2], &[2], NO),
                    (&[1, 2], &[2], true),
                    (&[1, 2], &[], NO),
                ],
                &["raised0 1//", "-", "updated1 2/1/"],
            ),
            (
                "the next incident is another one",
                &[
                    (&[1], &[], NO),
                    (&[1], &[], true),
                    (&[], &[], NO),
                    (&[1], &[], NO),
                ],
                &["raised0 1//", "-", "cleared1 //1", "raised0 1//"],
            ),
            (
                "where nothing is told there is nothing to know",
                &[(&[], &[], true), (&[1], &[1], true), (&[1], &[], true)],
                &["-", "-", "raised0 1//"],
            ),
        ];
        for (name, passes, expected) in cases {
            assert_eq!(&quiet_story(passes), expected, "{name}");
        }
    }

    #[test]
    fn what_could_not_be_seen_stays_as_it_was() {
        let (memory, _) = pass(TestWatch::default(), seen(&[1, 2], &[]), 1, 0);
        let mut blurred = seen(&[2], &[]);
        blurred.unseen.insert(1);
        let (after, raise) = pass(memory.clone(), blurred, 1, 1);
        assert_eq!(raise, None);
        assert_eq!(after.down.get(&1), memory.down.get(&1));
    }

    #[test]
    fn removed_is_told_apart_from_recovered() {
        let (memory, _) = pass(TestWatch::default(), seen(&[1, 2], &[]), 1, 0);
        let (_, raise) = pass(memory, seen(&[], &[1]), 1, 1);
        let over = raise.unwrap().report.over;
        assert_eq!(over[0].was.ending, Ending::Recovered);
        assert_eq!(over[1].was.ending, Ending::Removed);
    }

    #[test]
    fn each_reminder_comes_twice_as_long_after_the_last_mail_as_the_one_before() {
        let mut memory = TestWatch::default();
        let mut told = Vec::new();
        let passes: [(i64, &[u32]); 11] = [
            (0, &[1]),
            (9, &[1]),
            (10, &[1]),
            (29, &[1]),
            (30, &[1]),
            (-30, &[1]),
            (69, &[1]),
            (70, &[1]),
            // Something new: it begins anew.
            (75, &[1, 2]),
            (84, &[1, 2]),
            (85, &[1, 2]),
        ];
        for (minute, down) in passes {
            let (next, raise) = judge(memory, seen(down, &[]), &every(600), at(minute));
            memory = next;
            told.extend(raise.map(|raise| (minute, raise.kind)));
        }
        let expected = [
            (0, Kind::Raised),
            (10, Kind::Reminder),
            (30, Kind::Reminder),
            (70, Kind::Reminder),
            (75, Kind::Updated),
            (85, Kind::Reminder),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn reminders_become_rare_but_come_once_a_month_at_least() {
        let day = 24 * 60;
        for (every_days, expected) in [
            (1, &[1, 3, 7, 15, 31, 61, 91][..]),
            (7, &[7, 21, 49, 79, 109]),
            (45, &[45, 90, 135]),
        ] {
            let mut memory = TestWatch::default();
            let mut reminders = Vec::new();
            for at_day in 0..=expected[expected.len() - 1] {
                let policy = every(every_days * 24 * 3600);
                let (next, raise) = judge(memory, seen(&[1], &[]), &policy, at(at_day * day));
                memory = next;
                reminders.extend(raise.filter(|r| r.kind == Kind::Reminder).map(|_| at_day));
            }
            assert_eq!(reminders, expected, "every {every_days} days");
        }
        let mut incident = Incident::begin("osds", at(0));
        incident.reminders = u32::MAX;
        let month = Some(Duration::from_secs(1));
        assert!(!incident.reminder_due(month, at(30 * day - 1)));
        assert!(incident.reminder_due(month, at(30 * day)));
    }

    #[test]
    fn a_time_that_cannot_be_true_is_now() {
        let time = |text: &str| -> Timestamp { text.parse().unwrap() };
        let (today, boot) = ("2026-11-23T02:14:00Z", "1970-01-01T00:05:00Z");
        for (then, now, expected) in [
            ("2026-11-22T02:14:00Z", today, "2026-11-22T02:14:00Z"),
            (today, today, today),
            ("2026-11-23T02:14:01Z", today, today),
            ("2099-01-01T00:00:00Z", today, today),
            ("2025-12-31T23:59:59Z", today, today),
            (boot, today, today),
            (today, boot, boot),
            ("1970-01-01T00:04:00Z", boot, "1970-01-01T00:04:00Z"),
        ] {
            let result = plausible(time(then), time(now));
            assert_eq!(result, time(expected), "{then} at {now}");
        }
    }

    #[test]
    fn a_clock_that_jumps_brings_no_storm_of_reminders_and_does_not_stop_them() {
        let hour = 60;
        for jump in [-1, -hour, -365 * 24 * hour, 1, hour, 365 * 24 * hour] {
            let mut memory = TestWatch::default();
            let mut told = Vec::new();
            for minute in (0..=12).chain(13 + jump..=13 + jump + 60) {
                memory.set_clock(at(minute));
                let (next, raise) = judge(memory, seen(&[1], &[]), &every(600), at(minute));
                memory = next;
                told.extend(raise.map(|raise| (raise.kind, minute - jump)));
            }
            let reminders: Vec<i64> = told[2..].iter().map(|(_, minute)| *minute).collect();
            assert_eq!(
                told[..2],
                [(Kind::Raised, -jump), (Kind::Reminder, 10 - jump)]
            );
            let expected: &[i64] = match jump {
                // As if nothing had been, but for the minutes that are not there.
                1 => &[29, 69],
                -1 => &[31, 71],
                // The last one lies ahead: its time begins anew. Or long ago: it is due.
                ..=-2 => &[33, 73],
                _ => &[13, 53],
            };
            assert_eq!(reminders, expected, "{jump} min");
        }
    }

    #[test]
    fn what_an_undelivered_mail_would_have_told_is_news() {
        let item = |key: u32| Item {
            key,
            since: at(0),
            flapping: None,
            what: (),
        };
        let change = |new: &[u32], still: &[u32]| Change {
            new: new.iter().copied().map(item).collect(),
            still: still.iter().copied().map(item).collect(),
            over: Vec::new(),
        };
        let cases = [
            (
                false,
                change(&[1], &[]),
                change(&[3], &[1, 2]),
                change(&[1, 3], &[2]),
            ),
            (
                true,
                change(&[1], &[]),
                change(&[3], &[1, 2]),
                change(&[1, 2, 3], &[]),
            ),
            (
                false,
                change(&[4], &[1]),
                change(&[3], &[1]),
                change(&[3], &[1]),
            ),
        ];
        for (all, earlier, mut now, expected) in cases {
            now.take_over(&earlier, all);
            assert_eq!(now, expected);
        }
    }

    #[test]
    fn an_incident_ends_however_many_alerts_it_had() {
        let (mut memory, _) = pass(TestWatch::default(), seen(&[1], &[]), 1, 0);
        memory.incident.as_mut().unwrap().alerts = u32::MAX;
        let (memory, raise) = pass(memory, seen(&[], &[1]), 1, 1);
        assert_eq!(memory.incident, None);
        assert_eq!(raise.unwrap().sequence, u32::MAX);
    }

    #[test]
    fn the_id_names_topic_and_time() {
        let incident = Incident::begin("nodes", at(0));
        assert_eq!(incident.id, "nodes-20261123T025400.000Z");
    }
}
