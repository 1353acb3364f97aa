//! Who has been told of an incident, and how serious it has been: so that its end reaches those who were told, and nobody
//! else; and that somebody who comes in the midst of it is told how it stands, once. Pure.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;
use lettre::Address;
use serde::{Deserialize, Serialize};

use crate::alert::{Alert, Memory, Present, as_it_is};
use crate::incident::Kind;
use crate::queue::{Letter, Queue, Recovery};
use crate::settings::Recipient;
use crate::severity::Severity;

/// What is remembered of those who are told, by the id of the incident. There are as many as incidents are open, or have mail
/// pending for which nobody is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Audiences(BTreeMap<String, Audience>);

/// Those who are told of one incident.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Audience {
    /// The most serious alert so far.
    #[serde(skip_serializing_if = "Severity::is_least")]
    reached: Severity,
    /// Those for whom a mail about it was queued. `None`: it began before this was remembered, so everybody counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    told: Option<BTreeSet<Address>>,
}

impl Audience {
    fn join(&mut self, other: Audience) {
        self.reached = self.reached.max(other.reached);
        self.told = match (self.told.take(), other.told) {
            (Some(mut told), Some(others)) => {
                told.extend(others);
                Some(told)
            }
            _ => None,
        };
    }
}

/// How far the list of those who are to be told can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Roll {
    /// It is an old one, or there is none, because PetaSAN's users can't be read now.
    Old,
    /// Whoever stands there is to be told, but somebody may be missing: an entry could not be read.
    Read,
    /// It is as it should be.
    Whole,
}

/// An alert, and whom it was queued for.
pub type Told = (Alert, Vec<Address>);

impl Audiences {
    /// Whether no incident is open.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes up an alert whose report is so serious, and says how serious the alert is: whoever was told of an incident is to
    /// hear of its end, so that is as serious as the incident has been.
    pub fn reach(&mut self, incident: &str, kind: Kind, severity: Severity) -> Severity {
        let audience = self
            .0
            .entry(incident.to_owned())
            .or_insert_with(|| Audience {
                reached: Severity::default(),
                told: (kind == Kind::Raised).then(BTreeSet::new),
            });
        if kind == Kind::Cleared {
            return audience.reached;
        }
        audience.reached = audience.reached.max(severity);
        severity
    }

    /// Queues an alert, owed since `raised`, for each recipient whom it concerns: for those who have been told of its
    /// incident as it is, for others as the first that they hear of it; of the end of what they were not told of they hear
    /// nothing. Without any recipient at all it waits for one.
    pub fn tell(
        &mut self,
        queue: &mut Queue,
        alert: &Alert,
        raised: Timestamp,
        recipients: &[Recipient],
        recovery: Recovery,
    ) -> Vec<Address> {
        if recipients.is_empty() {
            queue.keep_unaddressed(alert.clone(), recovery);
            return Vec::new();
        }
        let mut told = self
            .0
            .get_mut(&alert.incident)
            .and_then(|a| a.told.as_mut());
        let is_told = |to: &Address| told.as_ref().is_some_and(|told| told.contains(to));
        // Of what was told as something of theirs they hear the end, as whatever it ends.
        let is_theirs = |r: &&Recipient| match is_told(&r.address) {
            true => alert.kind == Kind::Cleared || alert.still_concerns(r),
            false => alert.concerns(r),
        };
        let (known, others): (Vec<&Address>, Vec<&Address>) = (recipients.iter())
            .filter(is_theirs)
            .map(|recipient| &recipient.address)
            .partition(|to| told.is_none() || is_told(to));
        let news = match alert.kind {
            Kind::Raised | Kind::Updated | Kind::Reminder => Some(alert.clone().as_first()),
            // Nobody was known who was to be told, as long as it lasted.
            Kind::Cleared => alert.never_told.then(|| alert.clone()),
        };
        let others = if news.is_some() { others } else { Vec::new() };
        let letters = known.iter().map(|to| (alert, to));
        let letters = letters.chain(
            news.iter()
                .flat_map(|news| others.iter().map(move |to| (news, to))),
        );
        queue.put(
            letters.map(|(alert, to)| Letter { alert, raised, to }),
            recovery,
        );
        if let Some(told) = &mut told {
            told.extend(others.iter().copied().cloned());
        }
        known.into_iter().chain(others).cloned().collect()
    }

    /// Addresses the mails that waited for a recipient to be known.
    pub fn address(&mut self, queue: &mut Queue, recipients: &[Recipient], recovery: Recovery) {
        if recipients.is_empty() {
            return;
        }
        for (alert, raised) in queue.take_unaddressed() {
            self.tell(queue, &alert, raised, recipients, recovery);
        }
    }

    /// Forgets those who are no recipients any more, and what waits for them, and tells what that is: whoever comes back is
    /// told anew.
    pub fn forget_others(
        &mut self,
        queue: &mut Queue,
        recipients: &[Recipient],
        tell: impl FnMut(&crate::queue::Entry),
    ) {
        if self.is_empty() && queue.is_empty() {
            return;
        }
        let known: HashSet<&Address> = recipients.iter().map(|r| &r.address).collect();
        queue.forget_others(|to| known.contains(to), tell);
        for told in self
            .0
            .values_mut()
            .filter_map(|audience| audience.told.as_mut())
        {
            told.retain(|to| known.contains(to));
        }
    }

    /// Takes up whom another node has told.
    pub fn join(&mut self, other: Audiences) {
        for (incident, audience) in other.0 {
            self.take_up(incident, audience);
        }
    }

    fn take_up(&mut self, incident: String, audience: Audience) {
        match self.0.get_mut(&incident) {
            Some(known) => known.join(audience),
            None => {
                self.0.insert(incident, audience);
            }
        }
    }

    /// Takes those who have been told of one incident for told of another, of which it has become a part.
    pub fn fold(&mut self, from: &str, into: &str) {
        if let Some(audience) = self.0.remove(from) {
            self.take_up(into.to_owned(), audience);
        }
    }

    /// Whether somebody has not been told of this incident who is to be told of something.
    fn is_news_to_any(&self, incident: &str, recipients: &[Recipient]) -> bool {
        let told = self
            .0
            .get(incident)
            .and_then(|audience| audience.told.as_ref());
        told.is_some_and(|told| recipients.iter().any(|r| !told.contains(&r.address)))
    }
}

/// Tells those who have come since of what is wrong, each once, as it is now; or who want to know more by now. What began
/// before it was remembered who is told has been told to everybody of today.
pub fn catch_up(
    memory: &mut Memory,
    queue: &mut Queue,
    recipients: &[Recipient],
    present: Present<'_>,
) -> Vec<Told> {
    let open = memory
        .incidents()
        .map(|open| open.map(|incident| incident.id.clone()));
    let open: Vec<String> = open.into_iter().flatten().collect();
    for incident in &open {
        let audience = memory.audiences.0.entry(incident.clone()).or_default();
        let everybody = || recipients.iter().map(|r| r.address.clone()).collect();
        audience.told.get_or_insert_with(everybody);
    }
    let news: Vec<&str> = (open.iter().map(String::as_str))
        .filter(|incident| memory.audiences.is_news_to_any(incident, recipients))
        .collect();
    if news.is_empty() {
        return Vec::new();
    }
    let mut told = Vec::new();
    for alert in as_it_is(memory, &news, present) {
        let Some(audience) = memory.audiences.0.get_mut(&alert.incident) else {
            continue;
        };
        let before = audience.told.get_or_insert_default();
        let concerned = recipients.iter().filter(|r| alert.concerns(r));
        let newcomers: Vec<Address> = concerned
            .map(|recipient| recipient.address.clone())
            .filter(|to| !before.contains(to))
            .collect();
        if newcomers.is_empty() {
            continue;
        }
        let letters = newcomers.iter().map(|to| Letter {
            alert: &alert,
            raised: present.now,
            to,
        });
        queue.put(letters, Recovery::Told);
        before.extend(newcomers.iter().cloned());
        memory.count_alert(&alert.incident);
        told.push((alert, newcomers));
    }
    told
}

/// Forgets the audiences of incidents that are over, and of which no mail waits for a recipient.
pub fn forget_what_is_over(memory: &mut Memory, queue: &Queue) {
    if memory.audiences.is_empty() {
        return;
    }
    let mut lasting: HashSet<String> = queue.unaddressed_incidents().map(str::to_owned).collect();
    lasting.extend(
        memory
            .incidents()
            .into_iter()
            .flatten()
            .map(|i| i.id.clone()),
    );
    memory
        .audiences
        .0
        .retain(|incident, _| lasting.contains(incident));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::alert::{Observed, Rules, judge_pass};
    use crate::check::CheckName;
    use crate::facts::{Absence, Membership, Presence, Usage};
    use crate::settings::{Checks, Notify};

    #[test]
    fn an_end_is_as_serious_as_the_incident_has_been() {
        use Kind::{Cleared, Raised, Reminder, Updated};
        use Severity::{Critical, Warning};
        // What each alert calls wrong, and how serious the alert is.
        let cases: &[&[(Kind, Severity, Severity)]] = &[
            &[(Raised, Warning, Warning), (Cleared, Warning, Warning)],
            &[(Raised, Critical, Critical), (Cleared, Warning, Critical)],
            &[
                (Raised, Warning, Warning),
                (Updated, Critical, Critical),
                (Reminder, Warning, Warning),
                (Cleared, Warning, Critical),
            ],
            // It began before severity was remembered; what is critical now is another incident.
            &[(Cleared, Warning, Warning)],
            &[(Cleared, Critical, Warning)],
        ];
        for alerts in cases {
            let mut audiences = Audiences::default();
            for (kind, severity, expected) in *alerts {
                let found = audiences.reach("nodes-0", *kind, *severity);
                assert_eq!(found, *expected, "{alerts:?}");
            }
        }
    }

    fn minute(minute: i64) -> Timestamp {
        Timestamp::from_second(1_795_402_440 + minute * 60).unwrap()
    }

    /// `ops`, `boss!` who wants to hear of what is critical only, or `disks#` who wants to hear of capacity only.
    fn recipient(name: &str) -> Recipient {
        let plain = name.trim_end_matches(['!', '#']);
        let everything = Recipient::of_everything(format!("{plain}@example.org").parse().unwrap());
        match &name[plain.len()..] {
            "!" => Recipient {
                severity: Severity::Critical,
                ..everything
            },
            "#" => Recipient {
                checks: vec![CheckName::Capacity],
                ..everything
            },
            _ => everything,
        }
    }

    /// A pass: the nodes that are down, who is to be told (nobody: their list is empty), and how far that can be relied on.
    type Pass<'a> = (&'a str, &'a str, Roll);

    /// Passes one a minute, all mails of each sent at once: who gets which, as `ops raised node1` by recipient, with the new
    /// ones in the mail. And what is remembered at the end.
    fn story(passes: &[Pass<'_>]) -> (Vec<String>, Memory) {
        story_from(Memory::default(), passes)
    }

    fn story_from(mut memory: Memory, passes: &[Pass<'_>]) -> (Vec<String>, Memory) {
        let (checks, notify) = (Checks::default(), Notify::default());
        let rules = Rules {
            checks: &checks,
            notify: &notify,
            nodes_prefix: "PetaSAN/Nodes/",
            cluster: "prod",
        };
        let mut queue = Queue::default();
        let mut ids = HashSet::new();
        let mut mails = Vec::new();
        for (at, (down, recipients, roll)) in (0..).zip(passes) {
            let nodes = ["node1", "node2", "node3"].into_iter().map(|name| {
                let presence = match down.contains(name) {
                    true => Presence::Down(Absence::Failed),
                    false => Presence::Alive,
                };
                (name.to_owned(), presence)
            });
            let observed = Observed {
                capacity: Some(Ok(Usage {
                    used_bytes: 50,
                    total_bytes: 100,
                    mgr_available: true,
                })),
                nodes: Some(Ok(Membership {
                    nodes: nodes.collect(),
                    unreadable: BTreeMap::new(),
                    leaderless: None,
                })),
                osds: None,
                ..Observed::default()
            };
            let verdict = judge_pass(memory, observed, rules, minute(at));
            memory = verdict.memory;
            let recipients: Vec<Recipient> = recipients.split_whitespace().map(recipient).collect();
            let recovery = Recovery::Told;
            let audiences = &mut memory.audiences;
            if *roll == Roll::Whole {
                audiences.forget_others(&mut queue, &recipients, |_| {});
            }
            audiences.address(&mut queue, &recipients, recovery);
            for alert in &verdict.alerts {
                audiences.tell(&mut queue, alert, alert.raised, &recipients, recovery);
            }
            if *roll >= Roll::Read && !recipients.is_empty() {
                let present = Present {
                    around: &verdict.around,
                    rules,
                    now: minute(at),
                };
                catch_up(&mut memory, &mut queue, &recipients, present);
            }
            forget_what_is_over(&mut memory, &queue);
            let mut sent: Vec<String> = Vec::new();
            for entry in queue.iter().filter(|entry| entry.to.is_some()) {
                assert!(ids.insert(entry.id.clone()), "an id comes twice: {entry:?}");
                let crate::alert::Report::Nodes(change) = &entry.alert.report else {
                    panic!("{entry:?}");
                };
                let new: Vec<&str> = change.new.iter().map(|item| item.key.as_str()).collect();
                let to = entry.to.as_ref().unwrap().user();
                let mail = format!("{to} {} {}", entry.alert.kind.as_str(), new.join("+"));
                sent.push(mail.trim_end().to_owned());
            }
            queue.remove(&ids);
            mails.push(sent.join(", "));
        }
        (mails, memory)
    }

    #[test]
    fn the_end_reaches_those_who_were_told_and_newcomers_are_told_how_it_stands() {
        use Roll::{Old, Read, Whole};
        let cases: &[(&str, &[Pass<'_>], &[&str])] = &[
            (
                "somebody is added",
                &[
                    ("node1", "ops", Whole),
                    ("node1", "ops new", Whole),
                    ("node1", "ops new", Whole),
                    ("", "ops new", Whole),
                ],
                &[
                    "ops raised node1",
                    "new raised node1",
                    "",
                    "ops cleared, new cleared",
                ],
            ),
            (
                "somebody is added in the pass in which more goes down",
                &[
                    ("node1", "ops", Whole),
                    ("node1 node2", "ops new", Whole),
                    ("node1 node2", "ops new", Whole),
                ],
                &[
                    "ops raised node1",
                    "ops updated node2, new raised node1+node2",
                    "",
                ],
            ),
            (
                "somebody is added in the pass in which it ends",
                &[
                    ("node1", "ops", Whole),
                    ("", "ops new", Whole),
                    ("", "ops new", Whole),
                ],
                &["ops raised node1", "ops cleared", ""],
            ),
            (
                "somebody is taken away, and comes back",
                &[
                    ("node1", "ops old", Whole),
                    ("node1", "ops", Whole),
                    ("node1 node2", "ops", Whole),
                    ("node1 node2", "ops old", Whole),
                    ("", "ops old", Whole),
                ],
                &[
                    "ops raised node1, old raised node1",
                    "",
                    "ops updated node2",
                    "old raised node1+node2",
                    "ops cleared, old cleared",
                ],
            ),
            (
                "an address is changed",
                &[
                    ("node1", "ops", Whole),
                    ("node1", "sre", Whole),
                    ("", "sre", Whole),
                ],
                &["ops raised node1", "sre raised node1", "sre cleared"],
            ),
            (
                "the users of PetaSAN cannot be read for a while",
                &[
                    ("node1", "ops", Whole),
                    ("node1", "", Old),
                    ("node1", "ops", Whole),
                    ("node1", "ops", Old),
                    ("node1", "ops cached", Old),
                    ("node1", "ops", Whole),
                    ("", "ops", Whole),
                ],
                &["ops raised node1", "", "", "", "", "", "ops cleared"],
            ),
            (
                "one of the users cannot be read for a while, and another is added",
                &[
                    ("node1", "ops odd", Whole),
                    ("node1", "ops new", Read),
                    ("node1", "ops odd new", Whole),
                    ("", "ops odd new", Whole),
                ],
                &[
                    "ops raised node1, odd raised node1",
                    "new raised node1",
                    "",
                    "ops cleared, odd cleared, new cleared",
                ],
            ),
            (
                "nobody is known when it begins",
                &[
                    ("node1", "", Old),
                    ("node1", "ops", Whole),
                    ("node1", "ops new", Whole),
                    ("", "ops new", Whole),
                ],
                &[
                    "",
                    "ops raised node1",
                    "new raised node1",
                    "ops cleared, new cleared",
                ],
            ),
            (
                "nobody is known when it ends: who was told hears of it later",
                &[
                    ("node1", "ops", Whole),
                    ("", "", Old),
                    ("", "ops new", Whole),
                    ("", "ops new", Whole),
                ],
                &["ops raised node1", "", "ops cleared", ""],
            ),
            (
                "nobody is known as long as it lasts",
                &[
                    ("node1", "", Old),
                    ("", "", Old),
                    ("", "ops", Whole),
                    ("", "ops", Whole),
                ],
                &["", "", "ops cleared", ""],
            ),
            (
                "one wants to hear of what is critical only, and it never is",
                &[("node1", "ops boss!", Whole), ("", "ops boss!", Whole)],
                &["ops raised node1", "ops cleared"],
            ),
            (
                "it becomes critical, and is so no longer",
                &[
                    ("node1", "ops boss!", Whole),
                    ("node1 node2", "ops boss!", Whole),
                    ("node2", "ops boss!", Whole),
                    ("", "ops boss!", Whole),
                ],
                &[
                    "ops raised node1",
                    "ops updated node2, boss raised node1+node2",
                    "",
                    "ops cleared, boss cleared",
                ],
            ),
            (
                "one who wants to hear of what is critical only comes when it is, and when it is not",
                &[
                    ("node1 node2", "ops", Whole),
                    ("node1 node2", "ops boss!", Whole),
                    ("node1", "ops boss! chief!", Whole),
                    ("", "ops boss! chief!", Whole),
                ],
                &[
                    "ops raised node1+node2",
                    "boss raised node1+node2",
                    "",
                    "ops cleared, boss cleared",
                ],
            ),
            (
                "one wants to hear of more by now",
                &[
                    ("node1", "ops boss! disks#", Whole),
                    ("node1", "ops boss disks#", Whole),
                    ("node1", "ops boss disks", Whole),
                    ("", "ops boss disks", Whole),
                ],
                &[
                    "ops raised node1",
                    "boss raised node1",
                    "disks raised node1",
                    "ops cleared, boss cleared, disks cleared",
                ],
            ),
            (
                "a new incident is news to all",
                &[
                    ("node1", "ops", Whole),
                    ("", "ops", Whole),
                    ("node1", "ops new", Whole),
                    ("", "ops new", Whole),
                ],
                &[
                    "ops raised node1",
                    "ops cleared",
                    "ops raised node1, new raised node1",
                    "ops cleared, new cleared",
                ],
            ),
        ];
        for (name, passes, expected) in cases {
            let (mails, memory) = story(passes);
            assert_eq!(mails, *expected, "{name}");
            let is_over = passes.last().unwrap().0.is_empty();
            assert_eq!(memory.audiences.is_empty(), is_over, "{name}");
        }
    }

    #[test]
    fn what_began_before_it_was_remembered_was_told_to_everybody() {
        let (_, mut memory) = story(&[("node1", "ops", Roll::Whole)]);
        memory.audiences = Audiences::default();
        for (passes, expected) in [
            (
                [
                    ("node1", "ops late", Roll::Whole),
                    ("node1", "ops late new", Roll::Whole),
                    ("", "ops late new", Roll::Whole),
                ],
                [
                    "",
                    "new raised node1",
                    "ops cleared, late cleared, new cleared",
                ],
            ),
            (
                [
                    ("node1 node2", "ops late", Roll::Old),
                    ("node1 node2", "ops late new", Roll::Whole),
                    ("", "ops late new", Roll::Whole),
                ],
                [
                    "ops updated node2, late updated node2",
                    "",
                    "ops cleared, late cleared, new cleared",
                ],
            ),
        ] {
            let (mails, _) = story_from(memory.clone(), &passes);
            assert_eq!(mails, expected);
        }
    }

    #[test]
    fn it_is_remembered_in_few_words_and_a_quiet_pass_remembers_nothing() {
        let (_, memory) = story(&[("node1", "ops boss!", Roll::Whole)]);
        let written = serde_json::to_value(&memory.audiences).unwrap();
        let expected =
            serde_json::json!({"nodes-20261123T025400.000Z": {"told": ["ops@example.org"]}});
        assert_eq!(written, expected);
        let (_, memory) = story(&[("", "ops", Roll::Whole)]);
        let written = serde_json::to_value(&memory).unwrap();
        assert_eq!(written.get("audiences"), None);
    }
}
