//! The pending mails: what is due, what an answer of the mail server does to an entry, when to give up. Pure.
//!
//! An entry holds an alert and a recipient, and neither server nor password: each attempt uses the settings of that day.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use lettre::Address;
use serde::{Deserialize, Serialize};

use crate::alert::Alert;
use crate::settings::Recipient;

/// Failures are logged at these attempts, and at the last.
const LOGGED_ATTEMPTS: [u32; 5] = [1, 120, 480, 960, 1440];

/// How long a mail waits whose recipient was refused for good.
pub const REFUSED_WAIT: Duration = Duration::from_secs(3600);

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
        MailId(format!("{:012x}", hash >> 16))
    }
}

/// Fowler/Noll/Vo hash FNV-1a of 64 bits (RFC 9923): unlike the standard library's it is the same in every release.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

impl fmt::Display for MailId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A pending mail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its id.
    pub id: MailId,
    /// What it tells.
    pub alert: Alert,
    /// Whom; `None` until a recipient is known.
    pub to: Option<Address>,
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
    fn new(alert: Alert, to: Option<Address>) -> Self {
        Entry {
            id: MailId::new(&alert.incident, alert.sequence, to.as_ref()),
            alert,
            to,
            attempts: 0,
            last_attempt: None,
            next_attempt: None,
            last_error: None,
        }
    }

    /// Incident and recipient: what a mailbox shows as one thread.
    fn thread(&self) -> (&str, Option<&str>) {
        let to = self.to.as_ref().map(AsRef::as_ref);
        (&self.alert.incident, to)
    }

    /// Whether a pass at `now` is to try it. A time that lies further ahead than any wait lasts comes from a clock that
    /// has been set back since, and is not waited for.
    fn is_due(&self, now: Timestamp) -> bool {
        self.to.is_some()
            && self
                .next_attempt
                .is_none_or(|next| next <= now || crate::incident::age(now, next) > REFUSED_WAIT)
    }
}

/// The pending mails, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Queue(Vec<Entry>);

/// How an attempt went, as far as the queue is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// This recipient or message was refused for good.
    Refused,
    /// Anything else: worth trying in the next pass.
    Later,
}

/// What has become of an entry after a failure.
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

    /// The one with this id.
    pub fn get(&self, id: &MailId) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.id == *id)
    }

    /// How many have no recipient yet.
    pub fn unaddressed(&self) -> usize {
        self.0.iter().filter(|entry| entry.to.is_none()).count()
    }

    /// Adds one mail for each recipient whom the alert concerns. Without any recipient at all it waits for one.
    pub fn add(&mut self, alert: Alert, recipients: &[Recipient]) {
        if recipients.is_empty() {
            self.0.push(Entry::new(alert, None));
            return;
        }
        for recipient in recipients.iter().filter(|r| alert.concerns(r)) {
            self.0
                .push(Entry::new(alert.clone(), Some(recipient.address.clone())));
        }
    }

    /// Addresses the mails that waited for a recipient to be known.
    pub fn address(&mut self, recipients: &[Recipient]) {
        if recipients.is_empty() || self.unaddressed() == 0 {
            return;
        }
        let waiting;
        (waiting, self.0) = std::mem::take(&mut self.0)
            .into_iter()
            .partition(|entry| entry.to.is_none());
        for entry in waiting {
            self.add(entry.alert, recipients);
        }
        self.0.sort_by_key(|entry| entry.alert.raised);
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

    /// What a pass at `now` is to try: first the incidents with a mail that has never been tried, then those that have
    /// waited longest since the last attempt, so that new alerts go out at once and a slow server starves nobody. Mails
    /// of one incident keep their order: nobody shall read that all is well before reading what was wrong.
    pub fn due(&self, now: Timestamp) -> Vec<MailId> {
        let mut due: Vec<&Entry> = self.0.iter().filter(|entry| entry.is_due(now)).collect();
        let mut longest_wait: BTreeMap<(&str, Option<&str>), Option<Timestamp>> = BTreeMap::new();
        for entry in &due {
            let last = entry.last_attempt;
            longest_wait
                .entry(entry.thread())
                .and_modify(|earliest| *earliest = last.min(*earliest))
                .or_insert(last);
        }
        due.sort_by_key(|entry| {
            let alert = &entry.alert;
            let waiting_since = longest_wait.get(&entry.thread()).copied().flatten();
            (waiting_since, alert.began, &alert.incident, alert.sequence)
        });
        due.into_iter().map(|entry| entry.id.clone()).collect()
    }

    /// The mail has been taken over by the server.
    pub fn delivered(&mut self, id: &MailId) {
        self.0.retain(|entry| entry.id != *id);
    }

    /// An attempt has failed. Returns `None` for an id that is not in the queue.
    pub fn failed(
        &mut self,
        id: &MailId,
        failure: Failure,
        error: &str,
        now: Timestamp,
        max_attempts: u32,
    ) -> Option<Fate> {
        let position = self.0.iter().position(|entry| entry.id == *id)?;
        let entry = &mut self.0[position];
        entry.attempts = entry.attempts.saturating_add(1);
        if entry.attempts >= max_attempts {
            self.0.remove(position);
            return Some(Fate::Dropped);
        }
        entry.last_attempt = Some(now);
        entry.last_error = Some(error.to_owned());
        entry.next_attempt = match failure {
            Failure::Refused => now.checked_add(REFUSED_WAIT).ok(),
            Failure::Later => None,
        };
        Some(Fate::Kept {
            logged: LOGGED_ATTEMPTS.contains(&entry.attempts),
        })
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
    use crate::alert::Report;
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
        }
    }

    fn recipient(address: &str, checks: &[CheckName]) -> Recipient {
        Recipient {
            address: address.parse().unwrap(),
            checks: checks.to_vec(),
        }
    }

    fn one_mail() -> (Queue, MailId) {
        let mut queue = Queue::default();
        queue.add(alert(0), &[recipient("a@example.org", &CheckName::ALL)]);
        let id = queue.iter().next().unwrap().id.clone();
        (queue, id)
    }

    #[test]
    fn an_alert_goes_to_whom_it_concerns() {
        let mut queue = Queue::default();
        let recipients = [
            recipient("a@example.org", &[CheckName::Nodes]),
            recipient("b@example.org", &[CheckName::Osds]),
            recipient("c@example.org", &CheckName::ALL),
        ];
        queue.add(alert(0), &recipients);
        let to: Vec<String> = queue
            .iter()
            .map(|e| e.to.clone().unwrap().to_string())
            .collect();
        assert_eq!(to, ["a@example.org", "c@example.org"]);
    }

    #[test]
    fn without_recipients_an_alert_waits_until_there_are_some() {
        let mut queue = Queue::default();
        queue.add(alert(0), &[]);
        assert_eq!(queue.unaddressed(), 1);
        assert!(queue.due(at(60)).is_empty());
        queue.address(&[]);
        assert_eq!(queue.unaddressed(), 1);
        queue.address(&[
            recipient("a@example.org", &CheckName::ALL),
            recipient("b@example.org", &CheckName::ALL),
        ]);
        assert_eq!((queue.unaddressed(), queue.due(at(60)).len()), (0, 2));
    }

    #[test]
    fn new_mails_come_first_then_those_that_waited_longest() {
        let mut queue = Queue::default();
        for raised in [0, 60, 120, 180] {
            queue.add(
                alert(raised),
                &[recipient("a@example.org", &CheckName::ALL)],
            );
        }
        let ids: Vec<MailId> = queue.iter().map(|e| e.id.clone()).collect();
        queue.failed(&ids[0], Failure::Later, "x", at(300), 9);
        queue.failed(&ids[1], Failure::Later, "x", at(240), 9);
        let expected = [&ids[2], &ids[3], &ids[1], &ids[0]].map(Clone::clone);
        assert_eq!(queue.due(at(360)), expected);
    }

    #[test]
    fn mails_of_one_incident_keep_their_order() {
        let mut queue = Queue::default();
        let recipients = [recipient("a@example.org", &CheckName::ALL)];
        queue.add(alert(60), &recipients);
        queue.add(alert(0), &recipients);
        let raise = queue.iter().nth(1).unwrap().id.clone();
        queue.failed(&raise, Failure::Later, "x", at(90), 9);
        let cleared = Alert {
            sequence: 1,
            raised: at(120),
            ..alert(0)
        };
        queue.add(cleared, &recipients);
        let due = queue.due(at(150));
        let due = due.iter().filter_map(|id| queue.get(id));
        let due: Vec<(&str, u32)> = due
            .map(|e| (e.alert.incident.as_str(), e.alert.sequence))
            .collect();
        assert_eq!(due, [("nodes-0", 0), ("nodes-0", 1), ("nodes-60", 0)]);
    }

    #[test]
    fn a_refused_recipient_is_tried_hourly_anything_else_in_the_next_pass() {
        let (mut queue, id) = one_mail();
        queue.failed(&id, Failure::Later, "451 greylisted", at(0), 9);
        assert_eq!(queue.due(at(1)).len(), 1);
        queue.failed(&id, Failure::Refused, "550 unknown", at(0), 9);
        for (second, due) in [(1, 0), (3599, 0), (3600, 1), (90_000, 1)] {
            assert_eq!(queue.due(at(second)).len(), due, "after {second} s");
        }
        assert_eq!(queue.due(at(-7200)).len(), 1, "the clock was set back");
    }

    #[test]
    fn what_is_left_over_is_counted_by_cause() {
        let mut queue = Queue::default();
        queue.add(alert(0), &[]);
        for raised in [60, 120, 180] {
            queue.add(alert(raised), &[recipient("a@example.org", &CheckName::ALL)]);
        }
        let tried: Vec<MailId> = queue.iter().skip(2).map(|e| e.id.clone()).collect();
        for id in tried {
            queue.failed(&id, Failure::Later, "451 greylisted", at(200), 9);
        }
        let causes: Vec<(&str, usize)> = queue.left_over().into_iter().collect();
        let nobody = "nobody is known who is to be told";
        assert_eq!(causes, [("451 greylisted", 2), (nobody, 1), ("not tried yet", 1)]);
    }

    #[test]
    fn the_last_attempt_drops_the_mail() {
        for (max_attempts, fates) in [
            (1, vec![Fate::Dropped]),
            (2, vec![Fate::Kept { logged: true }, Fate::Dropped]),
        ] {
            let (mut queue, id) = one_mail();
            for fate in fates {
                let got = queue.failed(&id, Failure::Later, "x", at(0), max_attempts);
                assert_eq!(got, Some(fate));
            }
            assert!(queue.is_empty());
        }
    }

    #[test]
    fn failures_are_logged_at_the_attempts_of_the_contract() {
        let (mut queue, id) = one_mail();
        let logged: Vec<u32> = (1..=1500)
            .filter(|_| {
                queue.failed(&id, Failure::Later, "x", at(0), 2000)
                    == Some(Fate::Kept { logged: true })
            })
            .collect();
        assert_eq!(logged, [1, 120, 480, 960, 1440]);
    }

    #[test]
    fn ids_are_stable_and_differ_by_recipient_and_alert() {
        let to: Address = "a@example.org".parse().unwrap();
        let id = MailId::new("nodes-20261123T025400.000Z", 0, Some(&to));
        assert_eq!(id.to_string(), "8292be0cf85c");
        assert_ne!(id, MailId::new("nodes-20261123T025400.000Z", 1, Some(&to)));
        assert_ne!(id, MailId::new("nodes-20261123T025400.000Z", 0, None));
    }

    #[test]
    fn the_hash_is_the_one_of_the_standard() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
    }

    #[test]
    fn an_id_that_is_gone_changes_nothing() {
        let (mut queue, id) = one_mail();
        queue.delivered(&id);
        assert!(queue.is_empty());
        assert_eq!(queue.failed(&id, Failure::Later, "x", at(0), 9), None);
    }
}
