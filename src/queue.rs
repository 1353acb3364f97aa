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
use crate::settings::Recipient;
use crate::text::fit;

/// Failures are logged at these attempts, and at the last.
const LOGGED_ATTEMPTS: [u32; 5] = [1, 120, 480, 960, 1440];

/// How long a mail waits whose recipient was refused for good.
pub const REFUSED_WAIT: Duration = Duration::from_secs(3600);

/// Hexadecimal digits of an id: 48 bits, so that even among 100,000 mails a collision is unlikely (1 in 50,000).
const ID_DIGITS: usize = 12;

/// Identifies a queued mail: 12 hexadecimal digits, made of incident, alert and recipient, so that the same mail has the same
/// id wherever and whenever it is queued.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MailId(String);

impl MailId {
    /// The id of the mail that tells this recipient of that alert. No recipient is known yet: `None`.
    pub fn new(incident: &str, sequence: u32, to: Option<&Address>) -> Self {
        let recipient = to.map(Address::to_string).unwrap_or_default();
        let hash = fnv1a(format!("{incident}/{sequence}/{recipient}").as_bytes());
        MailId(format!("{:0ID_DIGITS$x}", hash >> 16))
    }

    /// Whether a text is the beginning of an id, and not the whole.
    pub fn is_cut_short(text: &str) -> bool {
        text.len() < ID_DIGITS && text.bytes().all(is_digit)
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
        let older: Vec<Alert> = older.into_iter().map(|entry| entry.alert).collect();
        Some(Entry {
            id: MailId::new(&alert.incident, alert.sequence, to.as_ref()),
            alert: alert.overtake(&older),
            to,
            raised: first.map_or(raised, |first| first.min(raised)),
            attempts: 0,
            last_attempt: None,
            next_attempt,
            last_error: None,
        })
    }

    /// Whether it has waited so long that the fallback may have it. One that was raised in the future, by a clock that has
    /// been set back since, has waited nobody knows how long.
    pub fn has_waited(&self, after: Duration, now: Timestamp) -> bool {
        self.raised > now || age(self.raised, now) >= after
    }

    /// How long it waits when it is refused for good: for its hour, unless the fallback may have it sooner, `after` it was
    /// raised.
    pub fn refused_wait(&self, after: Option<Duration>, now: Timestamp) -> Duration {
        match after {
            Some(after) if !self.has_waited(after, now) => {
                REFUSED_WAIT.min(after.saturating_sub(age(self.raised, now)))
            }
            _ => REFUSED_WAIT,
        }
    }

    /// Whether its id is made of what it says; else it is damaged.
    pub fn has_its_own_id(&self) -> bool {
        self.id == MailId::new(&self.alert.incident, self.alert.sequence, self.to.as_ref())
    }

    /// Whether a pass at `now` is to try it. A time that lies further ahead than any wait lasts comes from a clock that
    /// has been set back since, and is not waited for.
    fn is_due(&self, now: Timestamp) -> bool {
        self.to.is_some()
            && self
                .next_attempt
                .is_none_or(|next| next <= now || age(now, next) > REFUSED_WAIT)
    }
}

/// The pending mails, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Queue(Vec<Entry>);

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

    /// How many have no recipient yet.
    pub fn unaddressed(&self) -> usize {
        self.0.iter().filter(|entry| entry.to.is_none()).count()
    }

    /// Since when the oldest has been waiting.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.0.iter().map(|entry| entry.raised).min()
    }

    /// Why the mail could not be sent that was tried last.
    pub fn last_error(&self) -> Option<&str> {
        let latest = self.0.iter().max_by_key(|entry| entry.last_attempt)?;
        latest.last_error.as_deref()
    }

    /// Adds one mail for each recipient whom the alert concerns, in place of older ones of the same incident that are still
    /// pending. Without any recipient at all it waits for one.
    pub fn add(&mut self, alert: Alert, recipients: &[Recipient], recovery: Recovery) {
        let raised = alert.raised;
        if !recipients.is_empty() {
            return self.put_for_each(&[(alert, raised)], recipients, recovery);
        }
        let overtaken =
            |entry: &mut Entry| entry.to.is_none() && entry.alert.incident == alert.incident;
        let older = self.0.extract_if(.., overtaken).collect();
        self.0
            .extend(Entry::new(alert, None, raised, older, recovery));
    }

    /// Addresses the mails that waited for a recipient to be known.
    pub fn address(&mut self, recipients: &[Recipient], recovery: Recovery) {
        if recipients.is_empty() {
            return;
        }
        let waiting = self.0.extract_if(.., |entry| entry.to.is_none());
        let waiting: Vec<(Alert, Timestamp)> =
            waiting.map(|entry| (entry.alert, entry.raised)).collect();
        if !waiting.is_empty() {
            self.put_for_each(&waiting, recipients, recovery);
            self.0.sort_by_key(|entry| entry.raised);
        }
    }

    /// Puts in one mail for each alert, raised at that time, and each recipient whom it concerns. The queue is walked through
    /// once, however many they are.
    fn put_for_each(
        &mut self,
        alerts: &[(Alert, Timestamp)],
        recipients: &[Recipient],
        recovery: Recovery,
    ) {
        struct Place<'a> {
            to: &'a Address,
            alerts: Vec<&'a (Alert, Timestamp)>,
            older: Vec<Entry>,
        }
        let mut places: Vec<Place> = Vec::new();
        let mut by_thread: HashMap<(&str, &Address), usize> = HashMap::new();
        for raised in alerts {
            let (alert, _) = raised;
            for recipient in recipients.iter().filter(|r| alert.concerns(r)) {
                let to = &recipient.address;
                let place = by_thread.entry((&alert.incident, to)).or_insert_with(|| {
                    places.push(Place {
                        to,
                        alerts: Vec::new(),
                        older: Vec::new(),
                    });
                    places.len() - 1
                });
                places[*place].alerts.push(raised);
            }
        }
        let place_of = |entry: &Entry| {
            let to = entry.to.as_ref()?;
            by_thread.get(&(entry.alert.incident.as_str(), to)).copied()
        };
        for entry in self.0.extract_if(.., |entry| place_of(entry).is_some()) {
            if let Some(place) = place_of(&entry) {
                places[place].older.push(entry);
            }
        }
        for Place { to, alerts, older } in places {
            let mut mails = older;
            for (alert, raised) in alerts {
                let mail = Entry::new(alert.clone(), Some(to.clone()), *raised, mails, recovery);
                mails = mail.into_iter().collect();
            }
            self.0.extend(mails);
        }
    }

    /// Why mails are pending, each cause with the number of mails.
    pub fn left_over(&self) -> BTreeMap<&str, usize> {
        let mut causes = BTreeMap::new();
        for entry in &self.0 {
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
        for entry in &mut self.0 {
            let times = [
                &mut entry.raised,
                &mut entry.alert.raised,
                &mut entry.alert.began,
            ];
            for time in times.into_iter().chain(&mut entry.last_attempt) {
                *time = plausible(*time, now);
            }
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

    /// Makes all of them due, also those that wait for their hour.
    pub fn make_due(&mut self) {
        for entry in &mut self.0 {
            entry.next_attempt = None;
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
            address: address.parse().unwrap(),
            checks: checks.to_vec(),
        }
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
        queue.address(&[], Recovery::Told);
        assert_eq!(queue.unaddressed(), 1);
        let recipients = [
            recipient("a@example.org", &CheckName::ALL),
            recipient("b@example.org", &CheckName::ALL),
        ];
        queue.address(&recipients, Recovery::Told);
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
        queue.address(&both, Recovery::Told);
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
        queue.address(&a, Recovery::Untold);
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
