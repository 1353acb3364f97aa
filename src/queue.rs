//! The pending mails: what is due, what an answer of the mail server does to an entry, when to give up. Pure.
//!
//! An entry holds an alert and a recipient, and neither server nor password: each attempt uses the settings of that day.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use lettre::Address;
use serde::{Deserialize, Serialize};

use crate::alert::Alert;
use crate::incident::{Kind, age, plausible};
use crate::quiet_hours::{self, QuietHours};
use crate::settings::Recipient;
use crate::severity::Severity;
use crate::text::fit;

/// Failures are logged at these attempts, and at the last.
const LOGGED_ATTEMPTS: [u32; 5] = [1, 120, 480, 960, 1440];

/// How long a mail waits whose recipient was refused for good.
pub const REFUSED_WAIT: Duration = Duration::from_secs(3600);

/// Hexadecimal digits of an id: 48 bits, so that even among 100,000 mails a collision is unlikely (1 in 50,000).
const ID_DIGITS: usize = 12;

/// Identifies a queued mail: 12 hexadecimal digits, made of incident, alert and recipient, so that the same mail has the same
/// id wherever and whenever it is queued.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MailId(String);

impl MailId {
    /// The id of the mail that tells this recipient of that alert. No recipient is known yet: `None`.
    pub fn new(incident: &str, sequence: u32, to: Option<&Address>) -> Self {
        MailId::of(&format!("{incident}/{sequence}"), to)
    }

    /// The id of the mail that tells this recipient of this alert.
    pub fn of_alert(alert: &Alert, to: Option<&Address>) -> Self {
        MailId::of(&told(alert), to)
    }

    fn of(told: &str, to: Option<&Address>) -> Self {
        let recipient = to.map(Address::to_string).unwrap_or_default();
        let hash = fnv1a(format!("{told}/{recipient}").as_bytes());
        MailId(format!("{:0ID_DIGITS$x}", hash >> 16))
    }

    /// Whether a text is the beginning of an id, and not the whole.
    pub fn is_cut_short(text: &str) -> bool {
        text.len() < ID_DIGITS && text.bytes().all(is_digit)
    }
}

/// What an id is made of beside the recipient.
fn told(alert: &Alert) -> String {
    let (incident, sequence) = (&alert.incident, alert.sequence);
    match alert.circumstances.mark {
        0 => format!("{incident}/{sequence}"),
        mark => format!("{incident}/{sequence}/{mark:08x}"),
    }
}

/// Fowler/Noll/Vo hash FNV-1a of 64 bits (RFC 9923): unlike the standard library's it is the same in every release.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

impl std::str::FromStr for MailId {
    type Err = NotAMailId;

    fn from_str(text: &str) -> Result<Self, NotAMailId> {
        if text.len() == ID_DIGITS && text.bytes().all(is_digit) {
            Ok(MailId(text.to_owned()))
        } else {
            Err(NotAMailId)
        }
    }
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

/// The text is no id of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAMailId;

impl fmt::Display for MailId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A pending mail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its id.
    pub id: MailId,
    /// What it tells.
    pub alert: Alert,
    /// What else it tells, if it is a digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further: Vec<Alert>,
    /// Whom; `None` until a recipient is known.
    pub to: Option<Address>,
    /// Since when somebody has been owed this news: when the oldest alert was raised that it has taken over, else its own.
    pub raised: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was tried last.
    pub last_attempt: Option<Timestamp>,
    /// Not before; `None` means in the next pass.
    pub next_attempt: Option<Timestamp>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// It waits for the end of its recipient's quiet hours, which is then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_until: Option<Timestamp>,
    /// It has waited for the end of its recipient's quiet hours, which was then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<Timestamp>,
}

impl Entry {
    /// A mail that takes the place of `older` ones of the same incident to the same recipient, which were never delivered:
    /// nobody shall read a stale "down" after an "up". It is a mail of its own, for the others may have arrived all the
    /// same. Whoever is refused for good still waits for his hour.
    ///
    /// `None` where nobody wants to know. What was to be told and is over meanwhile is told all the same.
    fn new(
        alert: Alert,
        to: Option<Address>,
        raised: Timestamp,
        older: Vec<Entry>,
        recovery: Recovery,
    ) -> Option<Self> {
        let wanted = alert.kind != Kind::Cleared || recovery == Recovery::Told;
        if !wanted && older.is_empty() && !alert.never_told {
            return None;
        }
        let first = older.iter().map(|entry| entry.raised).min();
        let next_attempt = older.iter().filter_map(|entry| entry.next_attempt).max();
        let held_until = older.iter().filter_map(|entry| entry.held_until).max();
        let released = older.iter().filter_map(|entry| entry.released).max();
        let older: Vec<Alert> = older.into_iter().map(|entry| entry.alert).collect();
        Some(Entry {
            id: MailId::of_alert(&alert, to.as_ref()),
            alert: alert.overtake(&older),
            further: Vec::new(),
            to,
            raised: first.map_or(raised, |first| first.min(raised)),
            attempts: 0,
            last_attempt: None,
            next_attempt,
            last_error: None,
            held_until,
            released,
        })
    }

    /// One mail of all these, which quiet hours have held back: what is still wrong first, what is over last, else in the
    /// order in which it was raised.
    fn join(parts: Vec<Entry>, now: Timestamp) -> Option<Self> {
        let to = parts.first()?.to.clone();
        let raised = parts.iter().map(|part| part.raised).min()?;
        let next_attempt = parts.iter().filter_map(|part| part.next_attempt).max();
        // Of hours that were cut short, by another setting or by something critical, nobody waits for the end.
        let ended = |part: &Entry| Some(part.released.or(part.held_until)?.min(now));
        let released = parts.iter().filter_map(ended).max();
        if let [_] = parts.as_slice() {
            return parts.into_iter().next().map(|part| Entry {
                held_until: None,
                released,
                ..part
            });
        }
        let alerts = parts.into_iter().flat_map(|part| {
            let Entry { alert, further, .. } = part;
            [alert].into_iter().chain(further)
        });
        let mut alerts: Vec<Alert> = alerts.collect();
        alerts.sort_by_key(|alert| (alert.kind == Kind::Cleared, alert.raised));
        let mut alerts = alerts.into_iter();
        let mut digest = Entry {
            id: MailId(String::new()),
            alert: alerts.next()?,
            further: alerts.collect(),
            to,
            raised,
            attempts: 0,
            last_attempt: None,
            next_attempt,
            last_error: None,
            held_until: None,
            released,
        };
        digest.id = digest.own_id();
        Some(digest)
    }

    /// The parts of a digest as mails of their own, to be joined again.
    fn into_parts(self) -> impl Iterator<Item = Entry> {
        let Entry {
            alert,
            further,
            to,
            raised,
            next_attempt,
            released,
            ..
        } = self;
        let alerts = [alert].into_iter().chain(further);
        alerts.map(move |alert| Entry {
            id: MailId::of_alert(&alert, to.as_ref()),
            raised: alert.raised,
            alert,
            further: Vec::new(),
            to: to.clone(),
            attempts: 0,
            last_attempt: None,
            next_attempt,
            last_error: None,
            held_until: released.or(Some(raised)),
            released,
        })
    }

    /// Whether it tells several things at once.
    pub fn is_digest(&self) -> bool {
        !self.further.is_empty()
    }

    /// All that it tells, in the order in which it tells it.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        [&self.alert].into_iter().chain(&self.further)
    }

    /// Whether a mail of this entry says the same as one of that, but for whom it is for.
    pub fn tells_the_same(&self, other: &Entry) -> bool {
        std::ptr::eq(self, other)
            || (self.released == other.released && self.alerts().eq(other.alerts()))
    }

    /// As that of its most serious alert.
    pub fn severity(&self) -> Severity {
        self.alerts().map(Alert::severity).max().unwrap_or_default()
    }

    /// Since when it could have been delivered: since its recipient's quiet hours are over, or else since it was raised.
    pub fn deliverable_since(&self) -> Timestamp {
        self.released.unwrap_or(self.raised)
    }

    /// Whether it has waited so long that the fallback may have it. One that was raised in the future, by a clock that has
    /// been set back since, has waited nobody knows how long.
    pub fn has_waited(&self, after: Duration, now: Timestamp) -> bool {
        let since = self.deliverable_since();
        since > now || age(since, now) >= after
    }

    /// How long it waits when it is refused for good: for its hour, unless the fallback may have it sooner, `after` it was
    /// raised.
    pub fn refused_wait(&self, after: Option<Duration>, now: Timestamp) -> Duration {
        match after {
            Some(after) if !self.has_waited(after, now) => {
                REFUSED_WAIT.min(after.saturating_sub(age(self.deliverable_since(), now)))
            }
            _ => REFUSED_WAIT,
        }
    }

    /// Whether its id is made of what it says; else it is damaged.
    pub fn has_its_own_id(&self) -> bool {
        self.id == self.own_id()
    }

    fn own_id(&self) -> MailId {
        let told = self.alerts().map(told);
        MailId::of(&told.collect::<Vec<_>>().join("+"), self.to.as_ref())
    }

    /// Whether a pass at `now` is to try it. A time that lies further ahead than any wait lasts comes from a clock that
    /// has been set back since, and is not waited for.
    fn is_due(&self, now: Timestamp) -> bool {
        self.to.is_some()
            && self.held_until.is_none_or(|until| until <= now)
            && self
                .next_attempt
                .is_none_or(|next| next <= now || age(now, next) > REFUSED_WAIT)
    }
}

/// The pending mails, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Queue(Vec<Entry>);

/// An alert to be mailed to somebody.
#[derive(Debug, Clone, Copy)]
pub struct Letter<'a> {
    /// What it tells.
    pub alert: &'a Alert,
    /// Since when that has been owed.
    pub raised: Timestamp,
    /// Whom.
    pub to: &'a Address,
}

/// Whether recipients want to know that all is well again (`notify.recovery`). What they were never told of they are told in
/// any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// A mail when an incident is over.
    Told,
    /// Silence.
    Untold,
}

/// Why a mail did not leave in one of the ways out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rebuff {
    /// A mail server refused this recipient or message for good, in these words.
    Refused(String),
    /// Anything else went wrong at a mail server, in these words.
    Failed(String),
    /// The fallback failed, in these words. They don't tell whether it is worth trying again: the servers do.
    Fallback(String),
}

/// How the attempt of a pass to send a mail went, in whichever ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// Somebody has taken it over.
    Sent,
    /// This recipient or message was refused for good, in these words: to be tried again after this time.
    Refused(String, Duration),
    /// Anything else went wrong, in these words: worth trying in the next pass.
    Failed(String),
}

/// Of the words of each way so many characters are kept when there are several.
const WORDS_KEPT: usize = 200;

impl Attempt {
    /// Sums up an attempt that failed in all of these ways; `None` where none was tried. For good is refused what every
    /// server that was asked refused for good; it is tried again after `wait`.
    pub fn failed(rebuffs: &[Rebuff], wait: Duration) -> Option<Attempt> {
        let words = match rebuffs {
            [] => return None,
            [only] => only.words().to_owned(),
            several => {
                let words = several.iter().map(|rebuff| fit(rebuff.words(), WORDS_KEPT));
                words.collect::<Vec<_>>().join("; then ")
            }
        };
        let by_servers = || rebuffs.iter().filter(|r| !matches!(r, Rebuff::Fallback(_)));
        let refused = by_servers().all(|rebuff| matches!(rebuff, Rebuff::Refused(_)));
        Some(if refused && by_servers().next().is_some() {
            Attempt::Refused(words, wait)
        } else {
            Attempt::Failed(words)
        })
    }
}

impl Rebuff {
    fn words(&self) -> &str {
        match self {
            Rebuff::Refused(words) | Rebuff::Failed(words) | Rebuff::Fallback(words) => words,
        }
    }
}

/// What has become of an entry whose attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It stays. `logged` says whether this attempt is one of those to be logged.
    Kept {
        /// One of the attempts 1, 120, 480, 960, 1440.
        logged: bool,
    },
    /// It was the last attempt; the entry is gone.
    Dropped,
}

impl Queue {
    /// How many mails are pending.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is pending.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> std::slice::Iter<'_, Entry> {
        self.0.iter()
    }

    /// All that they tell.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.0.iter().flat_map(Entry::alerts)
    }

    /// All that they tell, to be brought up to date. Nothing of it may be changed that ids are made of.
    pub(crate) fn alerts_mut(&mut self) -> impl Iterator<Item = &mut Alert> {
        let entries = self.0.iter_mut();
        entries.flat_map(|entry| [&mut entry.alert].into_iter().chain(&mut entry.further))
    }

    /// How many have no recipient yet.
    pub fn unaddressed(&self) -> usize {
        self.0.iter().filter(|entry| entry.to.is_none()).count()
    }

    /// Since when the oldest has been waiting that is not held back by quiet hours.
    pub fn oldest(&self) -> Option<Timestamp> {
        let waiting = self.0.iter().filter(|entry| entry.held_until.is_none());
        waiting.map(Entry::deliverable_since).min()
    }

    /// Why the mail could not be sent that was tried last.
    pub fn last_error(&self) -> Option<&str> {
        let latest = self.0.iter().max_by_key(|entry| entry.last_attempt)?;
        latest.last_error.as_deref()
    }

    /// Adds one mail for each recipient whom the alert concerns, in place of older ones of the same incident that are still
    /// pending. Without any recipient at all it waits for one.
    ///
    /// Who has been told of the incident does not count here: see [`Audiences`](crate::audience::Audiences).
    pub fn add(&mut self, alert: Alert, recipients: &[Recipient], recovery: Recovery) {
        if recipients.is_empty() {
            return self.keep_unaddressed(alert, recovery);
        }
        let raised = alert.raised;
        let concerned = recipients.iter().filter(|r| alert.concerns(r));
        let letters = concerned.map(|recipient| Letter {
            alert: &alert,
            raised,
            to: &recipient.address,
        });
        self.put(letters, recovery);
    }

    /// Keeps an alert until somebody is known who is to be told.
    pub fn keep_unaddressed(&mut self, alert: Alert, recovery: Recovery) {
        let raised = alert.raised;
        let overtaken =
            |entry: &mut Entry| entry.to.is_none() && entry.alert.incident == alert.incident;
        let older = self.0.extract_if(.., overtaken).collect();
        self.0
            .extend(Entry::new(alert, None, raised, older, recovery));
    }

    /// Takes out the mails that waited for a recipient to be known: what each tells, and since when that has been owed.
    pub fn take_unaddressed(&mut self) -> Vec<(Alert, Timestamp)> {
        let waiting = self.0.extract_if(.., |entry| entry.to.is_none());
        waiting.map(|entry| (entry.alert, entry.raised)).collect()
    }

    /// The incidents of which mails wait for a recipient to be known.
    pub fn unaddressed_incidents(&self) -> impl Iterator<Item = &str> {
        let waiting = self.0.iter().filter(|entry| entry.to.is_none());
        waiting.map(|entry| entry.alert.incident.as_str())
    }

    /// Puts in a mail for each letter, in place of older ones of the same incident to the same recipient. The queue is
    /// walked through once, however many they are.
    pub fn put<'a>(&mut self, letters: impl IntoIterator<Item = Letter<'a>>, recovery: Recovery) {
        struct Place<'a> {
            to: &'a Address,
            letters: Vec<Letter<'a>>,
            older: Vec<Entry>,
        }
        let mut places: Vec<Place> = Vec::new();
        let mut by_thread: HashMap<(&str, &Address), usize> = HashMap::new();
        for letter in letters {
            let Letter { alert, to, .. } = letter;
            let place = by_thread.entry((&alert.incident, to)).or_insert_with(|| {
                places.push(Place {
                    to,
                    letters: Vec::new(),
                    older: Vec::new(),
                });
                places.len() - 1
            });
            places[*place].letters.push(letter);
        }
        if by_thread.is_empty() {
            return;
        }
        self.take_apart(|alert, to| by_thread.contains_key(&(alert.incident.as_str(), to)));
        let place_of = |entry: &Entry| {
            let to = entry.to.as_ref()?;
            by_thread.get(&(entry.alert.incident.as_str(), to)).copied()
        };
        for entry in self.0.extract_if(.., |entry| place_of(entry).is_some()) {
            if let Some(place) = place_of(&entry) {
                places[place].older.push(entry);
            }
        }
        for Place { to, letters, older } in places {
            let mut mails = older;
            for Letter { alert, raised, .. } in letters {
                let mail = Entry::new(alert.clone(), Some(to.clone()), raised, mails, recovery);
                mails = mail.into_iter().collect();
            }
            self.0.extend(mails);
        }
        self.0.sort_by_key(|entry| entry.raised);
    }

    /// Makes mails of their own of the parts of those digests of which a part is overtaken. They are joined again, see
    /// [`Queue::keep_hours`].
    fn take_apart(&mut self, is_overtaken: impl Fn(&Alert, &Address) -> bool) {
        let is_hit = |entry: &mut Entry| match (&entry.to, entry.is_digest()) {
            (Some(to), true) => entry.alerts().any(|alert| is_overtaken(alert, to)),
            _ => false,
        };
        let parts: Vec<Entry> = (self.0.extract_if(.., is_hit))
            .flat_map(Entry::into_parts)
            .collect();
        self.0.extend(parts);
    }

    /// Holds back what may not come in the quiet hours of its recipient, and makes one mail for each recipient of all that
    /// was held back when they are over: a digest. `end` says when hours end that last now. With other hours in the
    /// configuration, or another time on the clock, what is held goes by these.
    pub fn keep_hours(
        &mut self,
        recipients: &[Recipient],
        end: impl Fn(&QuietHours) -> Option<Timestamp>,
        now: Timestamp,
    ) {
        if self.0.is_empty() {
            return;
        }
        let hours: HashMap<&Address, &QuietHours> = recipients
            .iter()
            .filter_map(|recipient| Some((&recipient.address, recipient.quiet_hours.as_ref()?)))
            .collect();
        let mut released = HashSet::new();
        for entry in &mut self.0 {
            let hours = entry.to.as_ref().and_then(|to| hours.get(to));
            let hours = hours.filter(|_| entry.severity() < Severity::Critical);
            let until = hours.and_then(|hours| end(hours));
            if until.is_some() {
                entry.held_until = until;
            } else if entry.held_until.is_some() {
                released.insert(entry.id.clone());
            }
        }
        if released.is_empty() {
            return;
        }
        let mut places: HashMap<Option<Address>, usize> = HashMap::new();
        let mut together: Vec<Vec<Entry>> = Vec::new();
        for entry in self.0.extract_if(.., |entry| released.contains(&entry.id)) {
            let place = *places.entry(entry.to.clone()).or_insert(together.len());
            match together.get_mut(place) {
                Some(parts) => parts.push(entry),
                None => together.push(vec![entry]),
            }
        }
        let joined = together
            .into_iter()
            .filter_map(|parts| Entry::join(parts, now));
        self.0.extend(joined);
        self.0.sort_by_key(|entry| entry.raised);
    }

    /// How many wait for the end of their recipients' quiet hours.
    pub fn held(&self) -> usize {
        self.0
            .iter()
            .filter(|entry| entry.held_until.is_some())
            .count()
    }

    /// When the first quiet hours end for which mails wait.
    pub fn held_until(&self) -> Option<Timestamp> {
        self.0.iter().filter_map(|entry| entry.held_until).min()
    }

    /// Whether nothing is pending but what waits for the end of quiet hours, where its recipient wants it.
    pub fn has_nothing_left_over(&self) -> bool {
        self.held() == self.len()
    }

    /// Takes out the mails to those whom `is_known` does not know, and tells of each.
    pub fn forget_others(
        &mut self,
        is_known: impl Fn(&Address) -> bool,
        mut tell: impl FnMut(&Entry),
    ) {
        self.0.retain(|entry| {
            let stays = entry.to.as_ref().is_none_or(&is_known);
            if !stays {
                tell(entry);
            }
            stays
        });
    }

    /// Why mails are pending, each cause with the number of mails.
    pub fn left_over(&self) -> BTreeMap<&str, usize> {
        let mut causes = BTreeMap::new();
        for entry in self.0.iter().filter(|entry| entry.held_until.is_none()) {
            let cause = match (&entry.to, &entry.last_error) {
                (None, _) => "nobody is known who is to be told",
                (Some(_), Some(error)) => error.as_str(),
                (Some(_), None) => "not tried yet",
            };
            *causes.entry(cause).or_default() += 1;
        }
        causes
    }

    /// What a pass at `now` is to try: first what has never been tried, then what has waited longest since its last
    /// attempt, so that new alerts go out at once. Those that have waited equally long take turns, minute by minute: a mail
    /// at which the server hangs or breaks off ends the pass for all behind it, and must not stand in front every time.
    pub fn due(&self, now: Timestamp) -> Vec<&Entry> {
        let due: Vec<&Entry> = self.0.iter().filter(|entry| entry.is_due(now)).collect();
        let number = i64::try_from(due.len()).unwrap_or(i64::MAX).max(1);
        let turn = (now.as_second() / 60).rem_euclid(number);
        let mut ranked: Vec<(i64, &Entry)> = (0..)
            .zip(due)
            .map(|(position, entry)| match entry.last_attempt {
                None => (position, entry),
                Some(_) => ((position + turn) % number, entry),
            })
            .collect();
        ranked.sort_by_key(|(rank, entry)| (entry.last_attempt, *rank));
        ranked.into_iter().map(|(_, entry)| entry).collect()
    }

    /// Takes up the mails of another queue that are not in this one, each once. Of two with the same id the one counts that
    /// has it rightly.
    pub fn adopt(&mut self, mut other: Queue) {
        let mut known: HashSet<MailId> = self.0.iter().map(|entry| entry.id.clone()).collect();
        other.0.sort_by_key(|entry| !entry.has_its_own_id());
        let others = other.0.into_iter();
        let others = others.filter(|entry| known.insert(entry.id.clone()));
        self.0.extend(others);
        self.0.sort_by_key(|entry| entry.raised);
    }

    /// Makes the clock of today the measure of what is remembered, see [`plausible`].
    pub fn set_clock(&mut self, now: Timestamp) {
        let latest = now.checked_add(REFUSED_WAIT).unwrap_or(Timestamp::MAX);
        let latest_end = now.checked_add(quiet_hours::LONGEST);
        let latest_end = latest_end.unwrap_or(Timestamp::MAX);
        for entry in &mut self.0 {
            for alert in [&mut entry.alert].into_iter().chain(&mut entry.further) {
                alert.raised = plausible(alert.raised, now);
                alert.began = plausible(alert.began, now);
                let as_of = alert.circumstances.as_of.as_mut();
                as_of
                    .into_iter()
                    .for_each(|as_of| *as_of = plausible(*as_of, now));
            }
            let times = [&mut entry.raised].into_iter();
            let times = times.chain(&mut entry.last_attempt);
            for time in times.chain(&mut entry.released) {
                *time = plausible(*time, now);
            }
            entry.held_until = entry.held_until.map(|until| until.min(latest_end));
            // Nobody has to wait longer.
            entry.next_attempt = entry.next_attempt.filter(|next| *next <= latest);
        }
    }

    /// Whether one of these mails is pending.
    pub fn names_any_of(&self, ids: &HashSet<MailId>) -> bool {
        self.0.iter().any(|entry| ids.contains(&entry.id))
    }

    /// Takes out the mails with these ids.
    pub fn remove(&mut self, ids: &HashSet<MailId>) {
        if !ids.is_empty() {
            self.0.retain(|entry| !ids.contains(&entry.id));
        }
    }

    /// Writes down how the attempts of a pass went. `tell` hears of each entry whose attempt failed, as it is afterwards.
    pub fn settle(
        &mut self,
        mut attempts: HashMap<MailId, Attempt>,
        now: Timestamp,
        max_attempts: u32,
        mut tell: impl FnMut(&Entry, Fate),
    ) {
        self.0.retain_mut(|entry| {
            let (error, next_attempt) = match attempts.remove(&entry.id) {
                None => return true,
                Some(Attempt::Sent) => return false,
                Some(Attempt::Refused(error, wait)) => (error, now.checked_add(wait).ok()),
                Some(Attempt::Failed(error)) => (error, None),
            };
            entry.attempts = entry.attempts.saturating_add(1);
            entry.last_attempt = Some(now);
            entry.next_attempt = next_attempt;
            entry.last_error = Some(error);
            let fate = if entry.attempts >= max_attempts {
                Fate::Dropped
            } else {
                Fate::Kept {
                    logged: LOGGED_ATTEMPTS.contains(&entry.attempts),
                }
            };
            tell(entry, fate);
            fate != Fate::Dropped
        });
    }

    /// Makes all of them due, also those that wait for their hour or for the end of quiet hours.
    pub fn make_due(&mut self) {
        for entry in &mut self.0 {
            entry.next_attempt = None;
            entry.held_until = None;
        }
    }
}

impl<'a> IntoIterator for &'a Queue {
    type Item = &'a Entry;
    type IntoIter = std::slice::Iter<'a, Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::alert::{Circumstances, Report};
    use crate::audience::Audiences;
    use crate::check::CheckName;
    use crate::incident::{Change, Kind};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_402_440 + second).unwrap()
    }

    fn alert(raised: i64) -> Alert {
        Alert {
            cluster: "prod".to_owned(),
            kind: Kind::Raised,
            incident: format!("nodes-{raised}"),
            sequence: 0,
            began: at(raised),
            raised: at(raised),
            report: Report::Nodes(Change {
                new: Vec::new(),
                still: Vec::new(),
                over: Vec::new(),
            }),
            elsewhere: Vec::new(),
            never_told: false,
            circumstances: Circumstances::default(),
        }
    }

    fn recipient(address: &str, checks: &[CheckName]) -> Recipient {
        Recipient {
            checks: checks.to_vec(),
            ..Recipient::of_everything(address.parse().unwrap())
        }
    }

    /// Addresses what waits to everybody.
    fn address(queue: &mut Queue, recipients: &[Recipient], recovery: Recovery) {
        Audiences::default().address(queue, recipients, recovery);
    }

    fn one_mail() -> Queue {
        let mut queue = Queue::default();
        queue.add(
            alert(0),
            &[recipient("a@example.org", &CheckName::ALL)],
            Recovery::Told,
        );
        queue
    }

    fn ids(queue: &Queue) -> Vec<MailId> {
        queue.iter().map(|entry| entry.id.clone()).collect()
    }

    fn failed() -> Attempt {
        Attempt::Failed("451 greylisted".to_owned())
    }

    /// One attempt for one mail; what became of it.
    fn attempt(queue: &mut Queue, id: &MailId, how: Attempt, now: i64, most: u32) -> Option<Fate> {
        let mut fates = Vec::new();
        let attempts = HashMap::from([(id.clone(), how)]);
        queue.settle(attempts, at(now), most, |_, fate| fates.push(fate));
        fates.pop()
    }

    #[test]
    fn an_alert_goes_to_whom_it_concerns() {
        let mut queue = Queue::default();
        let recipients = [
            recipient("a@example.org", &[CheckName::Nodes]),
            recipient("b@example.org", &[CheckName::Osds]),
            recipient("c@example.org", &CheckName::ALL),
        ];
        queue.add(alert(0), &recipients, Recovery::Told);
        let to: Vec<String> = queue
            .iter()
            .map(|e| e.to.clone().unwrap().to_string())
            .collect();
        assert_eq!(to, ["a@example.org", "c@example.org"]);
    }

    #[test]
    fn without_recipients_an_alert_waits_until_there_are_some() {
        let mut queue = Queue::default();
        queue.add(alert(0), &[], Recovery::Told);
        assert_eq!(queue.unaddressed(), 1);
        assert!(queue.due(at(60)).is_empty());
        address(&mut queue, &[], Recovery::Told);
        assert_eq!(queue.unaddressed(), 1);
        let recipients = [
            recipient("a@example.org", &CheckName::ALL),
            recipient("b@example.org", &CheckName::ALL),
        ];
        address(&mut queue, &recipients, Recovery::Told);
        assert_eq!((queue.unaddressed(), queue.due(at(60)).len()), (0, 2));
    }

    #[test]
    fn new_mails_come_first_then_those_that_waited_longest() {
        let mut queue = Queue::default();
        for raised in [0, 60, 120, 180] {
            queue.add(
                alert(raised),
                &[recipient("a@example.org", &CheckName::ALL)],
                Recovery::Told,
            );
        }
        let ids = ids(&queue);
        attempt(&mut queue, &ids[0], failed(), 300, 9);
        attempt(&mut queue, &ids[1], failed(), 240, 9);
        let due: Vec<&MailId> = queue.due(at(360)).into_iter().map(|e| &e.id).collect();
        assert_eq!(due, [&ids[2], &ids[3], &ids[1], &ids[0]]);
    }

    /// An alert of the incident that began at 0.
    fn later(kind: Kind, sequence: u32, raised: i64) -> Alert {
        Alert {
            kind,
            sequence,
            raised: at(raised),
            ..alert(0)
        }
    }

    #[test]
    fn a_pending_mail_is_overtaken_by_the_next_of_its_incident() {
        use Kind::{Cleared, Raised, Reminder, Updated};
        // What is pending, what comes, whether recoveries are wanted: what is pending afterwards.
        type Case<'a> = (&'a [Kind], Kind, Recovery, Option<(Kind, bool)>);
        let cases: &[Case<'_>] = &[
            (&[], Updated, Recovery::Told, Some((Updated, false))),
            (&[Raised], Updated, Recovery::Told, Some((Raised, false))),
            (&[Raised], Reminder, Recovery::Told, Some((Raised, false))),
            (&[Updated], Reminder, Recovery::Told, Some((Updated, false))),
            (
                &[Raised, Updated],
                Updated,
                Recovery::Told,
                Some((Raised, false)),
            ),
            (&[Raised], Cleared, Recovery::Told, Some((Cleared, true))),
            (
                &[Raised, Updated],
                Cleared,
                Recovery::Told,
                Some((Cleared, true)),
            ),
            (&[Updated], Cleared, Recovery::Told, Some((Cleared, false))),
            (&[], Cleared, Recovery::Told, Some((Cleared, false))),
            (&[], Cleared, Recovery::Untold, None),
            (&[Raised], Cleared, Recovery::Untold, Some((Cleared, true))),
            (
                &[Updated],
                Cleared,
                Recovery::Untold,
                Some((Cleared, false)),
            ),
        ];
        let recipients = [recipient("a@example.org", &CheckName::ALL)];
        for (pending, next, recovery, expected) in cases {
            let mut queue = Queue::default();
            let all = pending.iter().chain([next]);
            for (sequence, kind) in (0..).zip(all) {
                let raised = i64::from(sequence) * 60;
                queue.add(later(*kind, sequence, raised), &recipients, *recovery);
            }
            let left: Vec<(Kind, bool)> = queue
                .iter()
                .map(|entry| (entry.alert.kind, entry.alert.never_told))
                .collect();
            let case = format!("{pending:?} then {next:?}, {recovery:?}");
            assert_eq!(left, expected.iter().copied().collect::<Vec<_>>(), "{case}");
            if let (Some(entry), false) = (queue.iter().next(), pending.is_empty()) {
                assert_eq!(entry.raised, at(0), "{case}: owed since the first");
            }
        }
    }

    #[test]
    fn what_waited_for_a_recipient_overtakes_what_is_addressed_already() {
        let a = [recipient("a@example.org", &CheckName::ALL)];
        let both = [
            recipient("a@example.org", &CheckName::ALL),
            recipient("b@example.org", &[CheckName::Osds]),
        ];
        let mut queue = Queue::default();
        queue.add(alert(0), &a, Recovery::Told);
        queue.add(alert(60), &a, Recovery::Told);
        queue.add(later(Kind::Updated, 1, 120), &[], Recovery::Told);
        queue.add(alert(180), &[], Recovery::Told);
        address(&mut queue, &both, Recovery::Told);
        let found: Vec<(&str, u32)> = queue
            .iter()
            .map(|entry| (entry.alert.incident.as_str(), entry.alert.sequence))
            .collect();
        assert_eq!(found, [("nodes-0", 1), ("nodes-60", 0), ("nodes-180", 0)]);
        let to: HashSet<String> = queue
            .iter()
            .map(|entry| entry.to.clone().unwrap().to_string())
            .collect();
        assert_eq!(to, HashSet::from(["a@example.org".to_owned()]));
    }

    #[test]
    fn two_alerts_of_an_incident_that_are_addressed_together_are_one_mail() {
        let mut queue = Queue::default();
        let mut other = Queue::default();
        queue.add(alert(0), &[], Recovery::Told);
        other.add(later(Kind::Cleared, 1, 60), &[], Recovery::Told);
        queue.adopt(other);
        assert_eq!(queue.unaddressed(), 2);
        let a = [recipient("a@example.org", &CheckName::ALL)];
        address(&mut queue, &a, Recovery::Untold);
        let left: Vec<(Kind, bool)> = queue
            .iter()
            .map(|entry| (entry.alert.kind, entry.alert.never_told))
            .collect();
        assert_eq!(left, [(Kind::Cleared, true)]);
    }

    #[test]
    fn an_attempt_that_failed_in_several_ways_quotes_each_and_is_refused_only_by_all_servers() {
        use Rebuff::{Failed, Fallback, Refused};
        let refused = || Refused("550 no".to_owned());
        let failed = || Failed("450 later".to_owned());
        let fallback = || Fallback("exit status 75".to_owned());
        // The answers, the words, and whether the mail is refused for good.
        let table: [(&[Rebuff], &str, bool); 8] = [
            (&[refused()], "550 no", true),
            (&[failed()], "450 later", false),
            (&[refused(), refused()], "550 no; then 550 no", true),
            (&[refused(), failed()], "550 no; then 450 later", false),
            (&[failed(), refused()], "450 later; then 550 no", false),
            (&[fallback()], "exit status 75", false),
            (
                &[refused(), fallback()],
                "550 no; then exit status 75",
                true,
            ),
            (
                &[failed(), fallback()],
                "450 later; then exit status 75",
                false,
            ),
        ];
        let wait = Duration::from_secs(7);
        for (rebuffs, words, for_good) in table {
            let words = words.to_owned();
            let expected = match for_good {
                true => Attempt::Refused(words, wait),
                false => Attempt::Failed(words),
            };
            assert_eq!(Attempt::failed(rebuffs, wait), Some(expected));
        }
        assert_eq!(Attempt::failed(&[], wait), None);
        let long = || Failed("x".repeat(500));
        let Some(Attempt::Failed(words)) = Attempt::failed(&[long(), long()], wait) else {
            panic!("it failed");
        };
        assert_eq!(words.len(), 2 * WORDS_KEPT + "; then ".len());
    }

    #[test]
    fn a_mail_is_the_fallbacks_once_it_has_waited_so_long_and_no_refusal_delays_it() {
        let queue = one_mail();
        let entry = queue.iter().next().unwrap();
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        // Seconds since it was raised, minutes it is to wait, whether it has, and for how many more seconds when refused.
        for (second, after, waited, wait) in [
            (0, 0, true, 3600),
            (0, 15, false, 900),
            (899, 15, false, 1),
            (900, 15, true, 3600),
            (901, 15, true, 3600),
            (0, 60, false, 3600),
            (0, 61, false, 3600),
            (3600, 90, false, 1800),
            // The clock has been set back: nobody knows.
            (-1, 15, true, 3600),
        ] {
            let case = format!("{second} s, {after} min");
            assert_eq!(
                entry.has_waited(minutes(after), at(second)),
                waited,
                "{case}"
            );
            let found = entry.refused_wait(Some(minutes(after)), at(second));
            assert_eq!(found, Duration::from_secs(wait), "{case}");
        }
        assert_eq!(entry.refused_wait(None, at(0)), REFUSED_WAIT);
    }

    #[test]
    fn only_mails_of_the_same_incident_to_the_same_recipient_are_overtaken() {
        let mut queue = Queue::default();
        let a = [recipient("a@example.org", &CheckName::ALL)];
        let b = [recipient("b@example.org", &CheckName::ALL)];
        queue.add(alert(0), &a, Recovery::Told);
        queue.add(alert(60), &a, Recovery::Told);
        queue.add(later(Kind::Cleared, 1, 120), &b, Recovery::Told);
        assert_eq!(queue.len(), 3);
    }

    #[test]
    fn whoever_is_refused_for_good_waits_for_his_hour_with_the_new_mail_too() {
        let mut queue = one_mail();
        let id = ids(&queue)[0].clone();
        let refused = Attempt::Refused("550 unknown".to_owned(), REFUSED_WAIT);
        attempt(&mut queue, &id, refused, 0, 9);
        let recipients = [recipient("a@example.org", &CheckName::ALL)];
        queue.add(later(Kind::Cleared, 1, 60), &recipients, Recovery::Told);
        assert_eq!((queue.len(), queue.due(at(120)).len()), (1, 0));
        assert_eq!(queue.due(at(3600)).len(), 1);
    }

    /// Somebody with these quiet hours, in UTC; none if the text is empty.
    fn sleeper(address: &str, hours: &str) -> Recipient {
        Recipient {
            quiet_hours: hours.parse().ok(),
            ..recipient(address, &CheckName::ALL)
        }
    }

    /// A time of the night from Monday to Tuesday, or of the day before or after.
    fn clock(time: &str) -> Timestamp {
        let (day, time) = time.split_once(' ').unwrap();
        let day = match day {
            "Mon" => 23,
            "Tue" => 24,
            "Wed" => 25,
            other => panic!("{other}"),
        };
        format!("2026-11-{day}T{time}:00Z").parse().unwrap()
    }

    /// An alert of this incident, e.g. `nodes-1 raised`; `critical!` makes it that serious.
    fn told(words: &str, raised: Timestamp) -> Alert {
        let mut words = words.split(' ');
        let incident = words.next().unwrap().to_owned();
        let (kind, sequence) = match words.next().unwrap() {
            "raised" => (Kind::Raised, 0),
            "updated" => (Kind::Updated, 1),
            "cleared" => (Kind::Cleared, 2),
            other => panic!("{other}"),
        };
        let severity = match words.next() {
            Some(_) => Severity::Critical,
            None => Severity::Warning,
        };
        let circumstances = Circumstances {
            severity,
            ..Circumstances::default()
        };
        Alert {
            incident,
            kind,
            sequence,
            raised,
            began: raised,
            circumstances,
            ..alert(0)
        }
    }

    /// What is pending, as `a: nodes-1 raised + osds-1 cleared` each, and until when it is held.
    fn pending(queue: &Queue) -> Vec<String> {
        let mails = queue.iter().map(|entry| {
            assert!(entry.has_its_own_id(), "{entry:?}");
            let told = entry.alerts().map(|alert| {
                let untold = if alert.never_told { " (untold)" } else { "" };
                format!("{} {}{untold}", alert.incident, alert.kind.as_str())
            });
            let told = told.collect::<Vec<_>>().join(" + ");
            let held = entry
                .held_until
                .map(|until| format!(", held until {}", until.strftime("%H:%M")));
            let to = entry.to.as_ref().unwrap().user();
            format!("{to}: {told}{}", held.unwrap_or_default())
        });
        mails.collect()
    }

    /// A pass that raises this, if anything, and sends nothing.
    fn pass(queue: &mut Queue, time: &str, alerts: &[&str], recipients: &[Recipient]) {
        let now = clock(time);
        queue.set_clock(now);
        for words in alerts {
            queue.add(told(words, now), recipients, Recovery::Told);
        }
        let end = |hours: &QuietHours| hours.end(now, &jiff::tz::TimeZone::UTC);
        queue.keep_hours(recipients, end, now);
        // What is read from the state file is what was written.
        let written = serde_json::to_string(queue).unwrap();
        *queue = serde_json::from_str(&written).unwrap();
    }

    #[test]
    fn what_can_wait_does_so_until_the_morning_and_then_comes_in_one_mail() {
        // When, what is raised, what is pending then.
        type Step<'a> = (&'a str, &'a [&'a str], &'a [&'a str]);
        let cases: &[(&str, &[Step<'_>])] = &[
            (
                "a night with two incidents",
                &[
                    ("Mon 21:59", &[], &[]),
                    (
                        "Mon 22:00",
                        &["nodes-1 raised"],
                        &["a: nodes-1 raised, held until 07:00"],
                    ),
                    (
                        "Tue 03:00",
                        &["osds-1 raised"],
                        &[
                            "a: nodes-1 raised, held until 07:00",
                            "a: osds-1 raised, held until 07:00",
                        ],
                    ),
                    (
                        "Tue 06:59",
                        &[],
                        &[
                            "a: nodes-1 raised, held until 07:00",
                            "a: osds-1 raised, held until 07:00",
                        ],
                    ),
                    ("Tue 07:00", &[], &["a: nodes-1 raised + osds-1 raised"]),
                    ("Tue 07:01", &[], &["a: nodes-1 raised + osds-1 raised"]),
                ],
            ),
            (
                "one thing alone is no digest",
                &[
                    (
                        "Mon 23:00",
                        &["nodes-1 raised"],
                        &["a: nodes-1 raised, held until 07:00"],
                    ),
                    ("Tue 07:00", &[], &["a: nodes-1 raised"]),
                ],
            ),
            (
                "what ends within the night is one thing, and is told last",
                &[
                    (
                        "Mon 23:00",
                        &["nodes-1 raised"],
                        &["a: nodes-1 raised, held until 07:00"],
                    ),
                    (
                        "Mon 23:05",
                        &["nodes-1 cleared"],
                        &["a: nodes-1 cleared (untold), held until 07:00"],
                    ),
                    (
                        "Mon 23:30",
                        &["osds-1 raised"],
                        &[
                            "a: nodes-1 cleared (untold), held until 07:00",
                            "a: osds-1 raised, held until 07:00",
                        ],
                    ),
                    (
                        "Tue 07:00",
                        &[],
                        &["a: osds-1 raised + nodes-1 cleared (untold)"],
                    ),
                ],
            ),
            (
                "it becomes critical by night: that is told at once, with what was held of it",
                &[
                    (
                        "Mon 23:00",
                        &["nodes-1 raised"],
                        &["a: nodes-1 raised, held until 07:00"],
                    ),
                    (
                        "Mon 23:05",
                        &["osds-1 raised"],
                        &[
                            "a: nodes-1 raised, held until 07:00",
                            "a: osds-1 raised, held until 07:00",
                        ],
                    ),
                    (
                        "Mon 23:10",
                        &["nodes-1 updated critical!"],
                        &["a: nodes-1 raised", "a: osds-1 raised, held until 07:00"],
                    ),
                    ("Tue 07:00", &[], &["a: nodes-1 raised", "a: osds-1 raised"]),
                ],
            ),
            (
                "what is critical is told by night, and its end as well",
                &[
                    (
                        "Mon 23:00",
                        &["nodes-1 raised critical!"],
                        &["a: nodes-1 raised"],
                    ),
                    (
                        "Mon 23:05",
                        &["nodes-1 cleared critical!"],
                        &["a: nodes-1 cleared (untold)"],
                    ),
                ],
            ),
            (
                "what could not be delivered by day waits too",
                &[
                    ("Mon 21:00", &["nodes-1 raised"], &["a: nodes-1 raised"]),
                    ("Mon 22:00", &[], &["a: nodes-1 raised, held until 07:00"]),
                    (
                        "Tue 07:00",
                        &["osds-1 raised"],
                        &["a: nodes-1 raised", "a: osds-1 raised"],
                    ),
                ],
            ),
            (
                "the server is down in the morning, while one thing ends and another comes",
                &[
                    (
                        "Mon 23:00",
                        &["nodes-1 raised", "osds-1 raised"],
                        &[
                            "a: nodes-1 raised, held until 07:00",
                            "a: osds-1 raised, held until 07:00",
                        ],
                    ),
                    ("Tue 07:00", &[], &["a: nodes-1 raised + osds-1 raised"]),
                    (
                        "Tue 07:05",
                        &["nodes-1 cleared"],
                        &["a: osds-1 raised + nodes-1 cleared (untold)"],
                    ),
                    (
                        "Tue 07:10",
                        &["blind-1 raised"],
                        &[
                            "a: osds-1 raised + nodes-1 cleared (untold)",
                            "a: blind-1 raised",
                        ],
                    ),
                    (
                        "Tue 22:00",
                        &["capacity-1 raised"],
                        &[
                            "a: osds-1 raised + nodes-1 cleared (untold), held until 07:00",
                            "a: blind-1 raised, held until 07:00",
                            "a: capacity-1 raised, held until 07:00",
                        ],
                    ),
                    (
                        "Wed 07:00",
                        &[],
                        &[
                            "a: osds-1 raised + blind-1 raised + capacity-1 raised + nodes-1 cleared (untold)",
                        ],
                    ),
                ],
            ),
            (
                "a thing of a digest becomes critical in the next night",
                &[
                    (
                        "Mon 23:00",
                        &["nodes-1 raised", "osds-1 raised"],
                        &[
                            "a: nodes-1 raised, held until 07:00",
                            "a: osds-1 raised, held until 07:00",
                        ],
                    ),
                    ("Tue 07:00", &[], &["a: nodes-1 raised + osds-1 raised"]),
                    (
                        "Tue 22:00",
                        &["nodes-1 updated critical!"],
                        &["a: osds-1 raised, held until 07:00", "a: nodes-1 raised"],
                    ),
                ],
            ),
            (
                "no pass is made for two nights",
                &[
                    (
                        "Mon 23:00",
                        &["nodes-1 raised", "osds-1 raised"],
                        &[
                            "a: nodes-1 raised, held until 07:00",
                            "a: osds-1 raised, held until 07:00",
                        ],
                    ),
                    (
                        "Wed 03:00",
                        &[],
                        &[
                            "a: nodes-1 raised, held until 07:00",
                            "a: osds-1 raised, held until 07:00",
                        ],
                    ),
                    ("Wed 12:00", &[], &["a: nodes-1 raised + osds-1 raised"]),
                ],
            ),
            (
                "the clock is set back by a day, and ahead into the day",
                &[
                    (
                        "Tue 23:00",
                        &["nodes-1 raised", "osds-1 raised"],
                        &[
                            "a: nodes-1 raised, held until 07:00",
                            "a: osds-1 raised, held until 07:00",
                        ],
                    ),
                    (
                        "Mon 23:30",
                        &[],
                        &[
                            "a: nodes-1 raised, held until 07:00",
                            "a: osds-1 raised, held until 07:00",
                        ],
                    ),
                    ("Mon 12:00", &[], &["a: nodes-1 raised + osds-1 raised"]),
                ],
            ),
        ];
        let recipients = [sleeper("a@example.org", "22:00-07:00")];
        for (name, steps) in cases {
            let mut queue = Queue::default();
            for (time, alerts, expected) in *steps {
                pass(&mut queue, time, alerts, &recipients);
                assert_eq!(pending(&queue), *expected, "{name}, {time}");
                let due = queue.due(clock(time)).len();
                assert_eq!(due + queue.held(), queue.len(), "{name}, {time}");
                assert_eq!(queue.has_nothing_left_over(), due == 0, "{name}, {time}");
                let left_over: usize = queue.left_over().values().sum();
                assert_eq!(left_over, due, "{name}, {time}");
                assert_eq!(queue.oldest().is_some(), due > 0, "{name}, {time}");
            }
        }
    }

    #[test]
    fn each_recipient_has_hours_of_his_own_and_they_may_change() {
        let hours = |a: &str, b: &str| {
            [
                sleeper("a@example.org", a),
                sleeper("b@example.org", b),
                sleeper("c@example.org", ""),
            ]
        };
        let usual = hours("22:00-07:00", "00:00-05:00");
        let mut queue = Queue::default();
        let mut after = |time: &str, alerts: &[&str], recipients: &[Recipient]| {
            pass(&mut queue, time, alerts, recipients);
            let sent: HashSet<MailId> = (queue.due(clock(time)).iter())
                .map(|e| e.id.clone())
                .collect();
            let before = pending(&queue);
            queue.remove(&sent);
            (before.join("; "), sent.len())
        };
        let (mails, sent) = after("Mon 23:00", &["nodes-1 raised"], &usual);
        assert_eq!(
            mails,
            "a: nodes-1 raised, held until 07:00; b: nodes-1 raised; c: nodes-1 raised"
        );
        assert_eq!(sent, 2);
        let (mails, sent) = after("Tue 01:00", &["osds-1 raised"], &usual);
        assert_eq!(
            mails,
            "a: nodes-1 raised, held until 07:00; a: osds-1 raised, held until 07:00; \
             b: osds-1 raised, held until 05:00; c: osds-1 raised"
        );
        assert_eq!(sent, 1);
        let (mails, sent) = after("Tue 05:00", &[], &usual);
        assert_eq!(
            mails,
            "a: nodes-1 raised, held until 07:00; a: osds-1 raised, held until 07:00; b: osds-1 raised"
        );
        assert_eq!(sent, 1);
        // He is up early.
        let (mails, sent) = after("Tue 05:10", &[], &hours("22:00-05:00", ""));
        assert_eq!(
            (mails.as_str(), sent),
            ("a: nodes-1 raised + osds-1 raised", 1)
        );
    }

    #[test]
    fn a_mail_that_was_held_waits_for_the_server_only_since_the_morning() {
        let recipients = [sleeper("a@example.org", "22:00-07:00")];
        let mut queue = Queue::default();
        pass(
            &mut queue,
            "Mon 23:00",
            &["nodes-1 raised", "osds-1 raised"],
            &recipients,
        );
        pass(&mut queue, "Tue 07:02", &[], &recipients);
        let digest = queue.iter().next().unwrap();
        assert_eq!(digest.raised, clock("Mon 23:00"));
        assert_eq!(digest.deliverable_since(), clock("Tue 07:00"));
        assert_eq!(queue.oldest(), Some(clock("Tue 07:00")));
        let after = Duration::from_secs(900);
        assert!(!digest.has_waited(after, clock("Tue 07:14")));
        assert!(digest.has_waited(after, clock("Tue 07:15")));
        let wait = digest.refused_wait(Some(after), clock("Tue 07:05"));
        assert_eq!(wait, Duration::from_secs(600));
    }

    #[test]
    fn a_digest_has_the_same_id_whenever_it_is_made_of_the_same_and_no_part_has_it() {
        let recipients = [
            sleeper("a@example.org", "22:00-07:00"),
            sleeper("b@example.org", "22:00-07:00"),
        ];
        let mut held = Queue::default();
        pass(
            &mut held,
            "Mon 23:00",
            &["nodes-1 raised", "osds-1 raised"],
            &recipients,
        );
        let parts = ids(&held);
        let digests: Vec<Vec<MailId>> = ["Tue 07:00", "Tue 07:01", "Wed 12:00"]
            .iter()
            .map(|time| {
                let mut queue = held.clone();
                pass(&mut queue, time, &[], &recipients);
                ids(&queue)
            })
            .collect();
        assert!(
            digests
                .iter()
                .all(|made| *made == digests[0] && made.len() == 2)
        );
        let all: HashSet<&MailId> = digests[0].iter().chain(&parts).collect();
        assert_eq!(all.len(), 6);
        // One of two things has changed: it is another mail.
        pass(&mut held, "Tue 06:00", &["nodes-1 updated"], &recipients);
        pass(&mut held, "Tue 07:00", &[], &recipients);
        assert!(ids(&held).iter().all(|id| !digests[0].contains(id)));
    }

    #[test]
    fn whoever_wants_all_mails_sent_now_wants_those_that_are_held_too() {
        let recipients = [sleeper("a@example.org", "22:00-07:00")];
        let mut queue = Queue::default();
        pass(
            &mut queue,
            "Mon 23:00",
            &["nodes-1 raised", "osds-1 raised"],
            &recipients,
        );
        assert!(queue.due(clock("Mon 23:00")).is_empty());
        queue.make_due();
        assert_eq!(queue.due(clock("Mon 23:00")).len(), 2);
    }

    #[test]
    fn those_that_have_waited_equally_long_take_turns() {
        let mut queue = Queue::default();
        for raised in 0..4 {
            queue.add(
                alert(raised),
                &[recipient("a@example.org", &CheckName::ALL)],
                Recovery::Told,
            );
        }
        for id in ids(&queue) {
            attempt(&mut queue, &id, failed(), 10, 9);
        }
        let first = |minute: i64| queue.due(at(60 * minute))[0].id.clone();
        let firsts: HashSet<MailId> = (1..=4).map(first).collect();
        assert_eq!(firsts.len(), 4, "each is first once in four passes");
        assert_eq!(queue.due(at(60)).len(), 4);
    }

    #[test]
    fn a_refused_recipient_is_tried_hourly_anything_else_in_the_next_pass() {
        let mut queue = one_mail();
        let id = ids(&queue)[0].clone();
        attempt(&mut queue, &id, failed(), 0, 9);
        assert_eq!(queue.due(at(1)).len(), 1);
        let refused = Attempt::Refused("550 unknown".to_owned(), REFUSED_WAIT);
        attempt(&mut queue, &id, refused, 0, 9);
        for (second, due) in [(1, 0), (3599, 0), (3600, 1), (90_000, 1)] {
            assert_eq!(queue.due(at(second)).len(), due, "after {second} s");
        }
        assert_eq!(queue.due(at(-7200)).len(), 1, "the clock was set back");
    }

    #[test]
    fn whatever_the_clock_does_nobody_is_tried_more_often_or_waits_longer() {
        let (hour, year) = (60, 365 * 24 * 60);
        // A jump in minutes; at which minutes after it the refused recipient is tried. Before it, he was so at minute 0.
        for (jump, expected) in [
            (0, vec![59, 119]),
            (-1, vec![60, 120]),
            (-5, vec![0, 60, 120]),
            (-hour, vec![0, 60, 120]),
            (-year, vec![0, 60, 120]),
            (-at(0).as_second() / 60, vec![0, 60, 120]),
            (hour, vec![0, 60, 120]),
            (year, vec![0, 60, 120]),
        ] {
            let mut queue = one_mail();
            let id = ids(&queue)[0].clone();
            let refused = || Attempt::Refused("550 unknown".to_owned(), REFUSED_WAIT);
            attempt(&mut queue, &id, refused(), 0, 9);
            let mut tried = Vec::new();
            for minute in 0..=120 {
                let now = (1 + jump + minute) * 60;
                queue.set_clock(at(now));
                if !queue.due(at(now)).is_empty() {
                    attempt(&mut queue, &id, refused(), now, 9);
                    tried.push(minute);
                }
            }
            assert_eq!(tried, expected, "{jump} min");
        }
    }

    #[test]
    fn what_is_left_over_is_counted_by_cause() {
        let mut queue = Queue::default();
        queue.add(alert(0), &[], Recovery::Told);
        for raised in [60, 120, 180] {
            queue.add(
                alert(raised),
                &[recipient("a@example.org", &CheckName::ALL)],
                Recovery::Told,
            );
        }
        for id in &ids(&queue)[2..] {
            attempt(&mut queue, id, failed(), 200, 9);
        }
        let causes: Vec<(&str, usize)> = queue.left_over().into_iter().collect();
        let nobody = "nobody is known who is to be told";
        assert_eq!(
            causes,
            [("451 greylisted", 2), (nobody, 1), ("not tried yet", 1)]
        );
    }

    #[test]
    fn the_last_attempt_drops_the_mail() {
        for (most, fates) in [
            (1, vec![Fate::Dropped]),
            (2, vec![Fate::Kept { logged: true }, Fate::Dropped]),
        ] {
            let mut queue = one_mail();
            let id = ids(&queue)[0].clone();
            for fate in fates {
                assert_eq!(attempt(&mut queue, &id, failed(), 0, most), Some(fate));
            }
            assert!(queue.is_empty());
        }
    }

    #[test]
    fn failures_are_logged_at_the_attempts_of_the_contract() {
        let mut queue = one_mail();
        let id = ids(&queue)[0].clone();
        let logged: Vec<u32> = (1..=1500)
            .filter(|_| {
                attempt(&mut queue, &id, failed(), 0, 2000) == Some(Fate::Kept { logged: true })
            })
            .collect();
        assert_eq!(logged, [1, 120, 480, 960, 1440]);
    }

    #[test]
    fn what_was_sent_is_gone_and_what_was_not_tried_stays() {
        let mut queue = Queue::default();
        for raised in [0, 60, 120] {
            queue.add(
                alert(raised),
                &[recipient("a@example.org", &CheckName::ALL)],
                Recovery::Told,
            );
        }
        let ids = ids(&queue);
        assert_eq!(attempt(&mut queue, &ids[0], Attempt::Sent, 200, 9), None);
        queue.remove(&HashSet::from([ids[1].clone(), ids[0].clone()]));
        assert_eq!(self::ids(&queue), [ids[2].clone()]);
        assert_eq!(queue.iter().next().unwrap().attempts, 0);
    }

    #[test]
    fn ids_are_stable_and_differ_by_recipient_and_alert() {
        let to: Address = "a@example.org".parse().unwrap();
        let id = MailId::new("nodes-20261123T025400.000Z", 0, Some(&to));
        assert_eq!(id.to_string(), "8292be0cf85c");
        assert_ne!(id, MailId::new("nodes-20261123T025400.000Z", 1, Some(&to)));
        assert_ne!(id, MailId::new("nodes-20261123T025400.000Z", 0, None));
        assert_eq!("8292be0cf85c".parse(), Ok(id));
        for no_id in [
            "",
            "8292be0cf85",
            "8292be0cf85c0",
            "8292BE0CF85C",
            "8292be0cf85 ",
        ] {
            assert_eq!(no_id.parse::<MailId>(), Err(NotAMailId), "{no_id:?}");
        }
    }

    #[test]
    fn the_hash_is_the_one_of_the_standard() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
