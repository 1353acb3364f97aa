//! What is kept from pass to pass: the document in the state file, its version and its checksum. Pure.

use std::collections::{HashMap, HashSet};

mod first_version;

use jiff::Timestamp;
use lettre::Address;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::alert::{Alert, Memory};
use crate::incident::plausible;
use crate::queue::{MailId, Queue};
use crate::reunite::{Lineage, Told};
use crate::seal::{Seal, sealed};

/// The version of the document that this release writes, and the newest that it reads. Whoever adds a field raises it: an
/// unknown key is taken for damage, because a flipped bit in a key would otherwise forget what stands behind it. The
/// checksum is that of every version from 2 on, so that a flipped version is not taken for a later release.
pub const VERSION: u64 = 4;

/// The state file's document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// See [`VERSION`].
    pub version: u64,
    /// When this memory began, in milliseconds since 1970: states of the same origin follow from one another.
    pub origin: i64,
    /// How often it has been saved since: the higher, the newer.
    pub saves: u64,
    /// The cluster's name, as last known.
    pub cluster: Option<String>,
    /// The last pass that was saved.
    pub last_pass: Option<LastPass>,
    /// What is remembered of the cluster.
    pub memory: Memory,
    /// The mails that are still to be sent.
    pub queue: Queue,
    /// The mails sent of late, where the memory is shared.
    #[serde(default, skip_serializing_if = "Told::is_empty")]
    pub told: Told,
    /// How this state stands to the memory that nodes share, where they do. It is never shared itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<Lineage>,
    /// Whether the text had a checksum, while it is read. [`render`] writes it.
    #[serde(default, skip_serializing)]
    pub(crate) checksum: Option<IgnoredAny>,
}

impl Default for State {
    fn default() -> Self {
        State {
            version: VERSION,
            origin: 0,
            saves: 0,
            cluster: None,
            last_pass: None,
            memory: Memory::default(),
            queue: Queue::default(),
            told: Told::default(),
            lineage: None,
            checksum: None,
        }
    }
}

impl State {
    /// An empty memory that begins now.
    pub fn beginning(now: Timestamp) -> Self {
        State {
            origin: now.as_millisecond(),
            ..State::default()
        }
    }

    /// Makes the clock of today the measure of what is remembered, see [`plausible`].
    pub fn set_clock(&mut self, now: Timestamp) {
        self.memory.set_clock(now);
        self.queue.set_clock(now);
        if let Some(last) = &mut self.last_pass {
            last.started = plausible(last.started, now);
        }
    }

    /// Of two memories of the same cluster the one to go on from. Where one follows from the other the newer has it all;
    /// else neither may lose a mail: what is pending in the older one is pending still.
    pub fn merge(self, other: State) -> State {
        let same_origin = self.origin == other.origin;
        let (mut newer, older) = if (other.origin, other.saves) > (self.origin, self.saves) {
            (other, self)
        } else {
            (self, other)
        };
        if !same_origin {
            newer.queue.adopt(older.queue);
        }
        newer
    }

    /// What to go on from when this is an [altered](Unusable::Altered) document, of which no byte is sure, and that was its
    /// backup if there is one.
    ///
    /// What is remembered is taken from the backup if that has told as much: then it has all that counts, each byte of it
    /// is sure, and at most a pass of counting is lost. The altered one may have lost what is down, which would be
    /// announced anew, or name as down and told what is not, so that nobody would hear of it when it fails. Only where it
    /// has told more than the backup (or damage has hit just that) it is taken as it is: what the backup lacks would be
    /// announced a second time. No mail of either may be lost, so those of both are pending; whom the backup's copy is
    /// addressed to is sure. So an edit by hand that takes out a mail is undone: `queue drop` is the way to do that.
    pub fn recover(mut self, backup: Option<State>) -> (State, Salvage) {
        let Some(mut backup) = backup else {
            // A mail that the damage has doubled would be sent twice.
            let queue = std::mem::take(&mut self.queue);
            self.queue.adopt(queue);
            return (self, Salvage::AsItIs);
        };
        let mut queue = std::mem::take(&mut backup.queue);
        let altered = std::mem::take(&mut self.queue);
        queue.remove(&overtaken(&queue, &altered));
        queue.adopt(altered);
        let (mut state, salvage) = if self.told() == backup.told() {
            (backup, Salvage::FromBackup)
        } else {
            let saves = backup.saves;
            (State { saves, ..self }, Salvage::WithBackup)
        };
        state.saves = state.saves.saturating_add(1);
        state.queue = queue;
        (state, salvage)
    }

    /// Which incidents are open, and how much has been told of each.
    fn told(&self) -> [Option<(&str, u32)>; 5] {
        self.memory
            .incidents()
            .map(|open| open.map(|incident| (incident.id.as_str(), incident.alerts)))
    }
}

/// The mails of a queue that are overtaken in a later one: by a later mail of the same incident to the same recipient, or,
/// those that nobody was known for, by any that is addressed. One whose id is not its own is damaged and overtakes nothing.
fn overtaken(queue: &Queue, later: &Queue) -> HashSet<MailId> {
    let mut latest: HashMap<(&str, Option<&Address>), u32> = HashMap::new();
    for entry in later.iter().filter(|entry| entry.has_its_own_id()) {
        let to = entry.to.as_ref();
        for alert in entry.alerts() {
            let (incident, sequence) = (alert.incident.as_str(), alert.sequence);
            let next = sequence.saturating_add(1);
            // A digest has taken over the mail that would have told the same alone.
            let known = if entry.is_digest() { next } else { sequence };
            let last = latest.entry((incident, to)).or_default();
            *last = known.max(*last);
            if to.is_some() {
                let last = latest.entry((incident, None)).or_default();
                *last = next.max(*last);
            }
        }
    }
    let known: HashSet<&MailId> = later.iter().map(|entry| &entry.id).collect();
    let overtaken = queue.iter().filter(|entry| {
        let is_later = |alert: &Alert| {
            let mails = (alert.incident.as_str(), entry.to.as_ref());
            let last = latest.get(&mails);
            last.is_some_and(|last| *last > alert.sequence)
        };
        // A digest that is in both is one mail.
        !known.contains(&entry.id) && entry.alerts().all(is_later)
    });
    overtaken.map(|entry| entry.id.clone()).collect()
}

/// What an altered document was recovered from; the mails of both are pending in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Salvage {
    /// From what the backup remembers.
    FromBackup,
    /// From what it remembers itself.
    WithBackup,
    /// From itself, for there is no backup.
    AsItIs,
}

/// How the last pass went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastPass {
    /// When it began.
    pub started: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Every check was carried out and no mail was left over.
    pub complete: bool,
}

/// Why a document can't be used as it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Unusable {
    /// Written by a later release; it is not touched.
    Newer(u64),
    /// It is no state document, for this reason.
    Broken(String),
    /// It is one, but not the one that was written: its checksum is wrong. Damage or an edit by hand, nobody can tell; see
    /// [`State::recover`].
    Altered(Box<State>),
}

/// The document as it is kept.
///
/// # Errors
/// It can't be written as JSON.
pub fn render(state: &State) -> serde_json::Result<Vec<u8>> {
    sealed(state)
}

/// Reads the document.
///
/// # Errors
/// See [`Unusable`].
pub fn parse(bytes: &[u8]) -> Result<State, Unusable> {
    if bytes.is_empty() {
        return Err(Unusable::Broken("it is empty".to_owned()));
    }
    let seal = Seal::of(bytes);
    let mut read: Result<State, _> = serde_json::from_slice(bytes);
    let version = match &read {
        Ok(state) => Some(state.version),
        // Another version may differ in any other field.
        Err(_) => version(bytes),
    };
    if let (Err(_), Some(1)) = (&read, version) {
        read = serde_json::from_slice(bytes)
            .map(first_version::upgrade)
            .and_then(serde_json::from_value);
    }
    match (read, version, seal) {
        (_, Some(newer), Seal::Right | Seal::Missing) if newer > VERSION => {
            Err(Unusable::Newer(newer))
        }
        (Err(error), ..) => Err(Unusable::Broken(error.to_string())),
        (Ok(mut state), ..) => {
            let has_checksum = state.checksum.take().is_some();
            let is_right = match state.version {
                0 => return Err(Unusable::Broken("there is no version 0".to_owned())),
                // Before there were checksums.
                1 => !has_checksum,
                _ => seal == Seal::Right,
            };
            state.version = VERSION;
            if is_right {
                Ok(state)
            } else {
                Err(Unusable::Altered(Box::new(state)))
            }
        }
    }
}

fn version(bytes: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Version {
        version: u64,
    }
    let document: Version = serde_json::from_slice(bytes).ok()?;
    Some(document.version)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::alert::{Circumstances, Report};
    use crate::facts::Absence;
    use crate::incident::{Change, Down, Incident, Kind};
    use crate::queue::Recovery;
    use crate::settings::Recipient;

    #[test]
    fn what_is_written_is_read() {
        let state = with_mail(1, 2, &["a"]);
        assert_eq!(parse(&render(&state).unwrap()), Ok(state));
    }

    #[test]
    fn a_document_of_the_first_release_has_no_checksum_and_is_whole() {
        let state = with_mail(1, 2, &["a"]);
        let mut first = serde_json::to_value(&state).unwrap();
        first["version"] = 1.into();
        assert_eq!(parse(&serde_json::to_vec(&first).unwrap()), Ok(state));
    }

    #[test]
    fn of_a_damaged_document_of_the_first_release_the_reason_is_told() {
        let damaged = [
            "[1]",
            r#"{"version": 1, "memory": [], "queue": {}}"#,
            r#"{"version": 1, "memory": {"osds": 5, "nodes": {"down": 1}}, "queue": [5]}"#,
            r#"{"version": 1, "queue": [{"alert": []}, {"alert": {"report": 3}}, [], null]}"#,
            r#"{"version": 1, "queue": [{"alert": {"report": {"new": [1, [], {"key": 1}]}}}]}"#,
        ];
        for text in damaged {
            let read = parse(text.as_bytes());
            assert!(
                matches!(&read, Err(Unusable::Broken(_))),
                "{text}: {read:?}"
            );
        }
    }

    #[test]
    fn what_earlier_releases_wrote_is_remembered() {
        for version in ["version-1", "version-2", "version-3"] {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/state");
            let text = std::fs::read(format!("{path}/{version}.json")).unwrap();
            let state = parse(&text).unwrap();
            let osds = &state.memory.osds;
            let down: Vec<String> = osds.down.keys().map(ToString::to_string).collect();
            let over: Vec<String> = osds.over.keys().map(ToString::to_string).collect();
            assert_eq!((down, over), (vec!["osd.1".into()], vec!["osd.2".into()]));
            assert!(osds.down.values().all(|down| down.announced));
            assert!(!state.memory.blind.down.is_empty());
            let subjects = state
                .queue
                .iter()
                .map(|e| crate::message::tests::subject(&e.alert));
            assert_eq!(
                subjects.collect::<Vec<_>>(),
                [
                    "[prod] 2 OSDs down on node1, node2: osd.1, osd.2",
                    "[prod] petanotify cannot see nodes"
                ],
                "{version}"
            );
            assert_eq!(parse(&render(&state).unwrap()), Ok(state), "{version}");
        }
    }

    #[test]
    fn a_document_that_says_something_else_than_its_checksum_is_altered() {
        let state = with_mail(1, 2, &["a"]);
        let text = String::from_utf8(render(&state).unwrap()).unwrap();
        let no_checksum = text.rsplit_once(",\n  \"checksum\"").unwrap().0.to_owned() + "}";
        for (changed, expected) in [
            (
                text.replace("\"saves\": 2", "\"saves\": 3"),
                with_mail(1, 3, &["a"]),
            ),
            (
                text.replace("\"version\": 4", "\"version\": 5"),
                state.clone(),
            ),
            (
                text.replace("\"version\": 4", "\"version\": 1"),
                state.clone(),
            ),
            (text.replace("  ", "\t"), state.clone()),
            (no_checksum, state),
        ] {
            assert_ne!(changed, text);
            let Err(Unusable::Altered(altered)) = parse(changed.as_bytes()) else {
                panic!("{changed}");
            };
            assert_eq!(*altered, expected);
        }
    }

    /// Every byte of the text, each bit of it: nothing is ever taken for what was written.
    #[test]
    fn no_flipped_bit_goes_unnoticed() {
        let text = render(&with_mail(1, 2, &["a"])).unwrap();
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut flipped = text.clone();
                flipped[at] ^= 1 << bit;
                assert!(
                    matches!(
                        parse(&flipped),
                        Err(Unusable::Altered(_) | Unusable::Broken(_))
                    ),
                    "bit {bit} of byte {at}"
                );
            }
        }
    }

    fn with_mail(origin: i64, saves: u64, incidents: &[&str]) -> State {
        let mut state = State {
            origin,
            saves,
            ..State::default()
        };
        for incident in incidents {
            let alert = Alert {
                cluster: "prod".to_owned(),
                kind: Kind::Raised,
                incident: (*incident).to_owned(),
                sequence: 0,
                began: Timestamp::UNIX_EPOCH,
                raised: Timestamp::UNIX_EPOCH,
                report: Report::Nodes(Change {
                    new: Vec::new(),
                    still: Vec::new(),
                    over: Vec::new(),
                }),
                elsewhere: Vec::new(),
                never_told: false,
                circumstances: Circumstances::default(),
            };
            state.queue.add(alert, &[], Recovery::Told);
        }
        state
    }

    #[test]
    fn of_two_memories_the_newer_counts_and_no_mail_is_lost() {
        let pending = |state: State| -> Vec<String> {
            let queue = state.queue.iter();
            queue.map(|entry| entry.alert.incident.clone()).collect()
        };
        let cases: &[(State, State, &[&str])] = &[
            // The newer one has sent a: it must not come back.
            (with_mail(1, 5, &["a"]), with_mail(1, 6, &[]), &[]),
            (with_mail(1, 6, &["a"]), with_mail(1, 5, &["b"]), &["a"]),
            // Begun anew while the older could not be read: both count.
            (
                with_mail(1, 900, &["a"]),
                with_mail(2, 1, &["b"]),
                &["b", "a"],
            ),
            (
                with_mail(2, 1, &["a", "b"]),
                with_mail(1, 900, &["a"]),
                &["a", "b"],
            ),
        ];
        for (one, other, expected) in cases {
            let merged = one.clone().merge(other.clone());
            assert_eq!(pending(merged.clone()), *expected);
            assert_eq!(pending(other.clone().merge(one.clone())), *expected);
            let newest = (one.origin, one.saves).max((other.origin, other.saves));
            assert_eq!((merged.origin, merged.saves), newest);
        }
    }

    /// A state that has told `alerts` times of an incident with these nodes down, and these mails: recipient, number in the
    /// incident.
    fn telling(alerts: u32, down: &[&str], mails: &[(&str, u32)]) -> State {
        let mut state = with_mail(1, 8, &[]);
        let mut incident = Incident::begin("nodes", Timestamp::UNIX_EPOCH);
        incident.alerts = alerts;
        state.memory.nodes.incident = (alerts > 0).then_some(incident);
        for node in down {
            let down = Down {
                since: Timestamp::UNIX_EPOCH,
                passes: 1,
                announced: true,
                flapping: None,
                what: Absence::Missing,
            };
            state.memory.nodes.down.insert((*node).to_owned(), down);
        }
        for (to, sequence) in mails {
            // In a queue of its own none overtakes another.
            let mut mail = with_mail(1, 1, &["a"]);
            let mut alert = mail.queue.iter().next().unwrap().alert.clone();
            alert.sequence = *sequence;
            let to = to.parse().ok().map(Recipient::of_everything);
            mail.queue = Queue::default();
            mail.queue.add(alert, to.as_slice(), Recovery::Told);
            state.queue.adopt(mail.queue);
        }
        state
    }

    #[test]
    fn an_altered_document_is_recovered_so_that_no_mail_is_lost_and_nothing_told_twice() {
        use Salvage::{AsItIs, FromBackup, WithBackup};
        const A: &str = "a@example.org";
        const B: &str = "b@example.org";
        /// Nobody was known.
        const NOBODY: &str = "";
        // What was altered, its backup; whose memory counts, what is down and which mails are pending then.
        type Mails<'a> = &'a [(&'a str, u32)];
        type Case<'a> = (State, Option<State>, Salvage, &'a str, Mails<'a>);
        let cases: &[Case<'_>] = &[
            // A name has been changed: taken as it is, node5 would be announced anew, and node4 never.
            (
                telling(1, &["node4"], &[]),
                Some(telling(1, &["node5"], &[])),
                FromBackup,
                "node5",
                &[],
            ),
            // The backup does not know yet that node6 was told of.
            (
                telling(2, &["node5", "node6"], &[]),
                Some(telling(1, &["node5"], &[])),
                WithBackup,
                "node5 node6",
                &[],
            ),
            (
                telling(0, &[], &[]),
                Some(telling(1, &["node5"], &[])),
                WithBackup,
                "",
                &[],
            ),
            (
                telling(1, &["node4"], &[(A, 0)]),
                None,
                AsItIs,
                "node4",
                &[(A, 0)],
            ),
            // A mail was cut out, or its recipient changed.
            (
                telling(1, &[], &[(A, 0)]),
                Some(telling(1, &[], &[(A, 0), (B, 0)])),
                FromBackup,
                "",
                &[(A, 0), (B, 0)],
            ),
            (
                telling(2, &[], &[("x@example.org", 1)]),
                Some(telling(1, &[], &[(A, 0)])),
                WithBackup,
                "",
                &[(A, 0), ("x@example.org", 1)],
            ),
            // What the backup has is overtaken since, for one of the two.
            (
                telling(2, &[], &[(A, 1)]),
                Some(telling(1, &[], &[(A, 0), (B, 0)])),
                WithBackup,
                "",
                &[(B, 0), (A, 1)],
            ),
            (
                telling(1, &[], &[(A, 0), (B, 0)]),
                Some(telling(1, &[], &[(NOBODY, 0)])),
                FromBackup,
                "",
                &[(A, 0), (B, 0)],
            ),
            (
                telling(2, &[], &[(NOBODY, 1)]),
                Some(telling(1, &[], &[(NOBODY, 0)])),
                WithBackup,
                "",
                &[(NOBODY, 1)],
            ),
        ];
        for (altered, backup, salvage, down, mails) in cases {
            let (state, from) = altered.clone().recover(backup.clone());
            let nodes: Vec<&str> = state.memory.nodes.down.keys().map(String::as_str).collect();
            let pending: Vec<(String, u32)> = (state.queue.iter())
                .map(|entry| {
                    let to = entry.to.as_ref().map(ToString::to_string);
                    (to.unwrap_or_default(), entry.alert.sequence)
                })
                .collect();
            let mails: Vec<(String, u32)> = (mails.iter())
                .map(|(to, sequence)| ((*to).to_owned(), *sequence))
                .collect();
            let case = format!("{altered:#?}, {backup:#?}");
            assert_eq!(
                (from, nodes.join(" ")),
                (*salvage, (*down).to_owned()),
                "{case}"
            );
            assert_eq!(pending, mails, "{case}");
            let saves = backup.as_ref().map_or(8, |backup| backup.saves + 1);
            assert_eq!(state.saves, saves, "it goes on from both");
        }
    }

    #[test]
    fn of_a_mail_in_both_the_backups_copy_counts_and_none_is_doubled() {
        let good = with_mail(1, 2, &["a"]);
        let altered = |change: fn(&mut serde_json::Value)| {
            let mut document = serde_json::to_value(&good).unwrap();
            change(&mut document);
            match parse(&serde_json::to_vec(&document).unwrap()) {
                Err(Unusable::Altered(state)) => *state,
                other => panic!("{other:?}"),
            }
        };
        let reworded = altered(|document| document["queue"][0]["alert"]["cluster"] = "x".into());
        let (state, _) = reworded.recover(Some(good.clone()));
        assert_eq!(state.queue, good.queue);
        // The mail that has overtaken it bears the id of another.
        let (one, two) = (with_mail(1, 2, &["a", "b"]), with_mail(1, 3, &["a", "b"]));
        let mut document = serde_json::to_value(&two).unwrap();
        document["queue"][0]["alert"]["sequence"] = 1.into();
        document["queue"][0]["id"] = document["queue"][1]["id"].clone();
        let queue = serde_json::from_value(document["queue"].take()).unwrap();
        let (state, _) = State { queue, ..two }.recover(Some(one.clone()));
        assert_eq!(state.queue, one.queue);
        let doubled = altered(|document| {
            let mail = document["queue"][0].clone();
            document["queue"].as_array_mut().unwrap().push(mail);
            document["queue"][0]["to"] = "x@example.org".into();
        });
        assert_eq!(doubled.queue.len(), 2);
        for backup in [None, Some(good.clone())] {
            let (state, _) = doubled.clone().recover(backup);
            assert_eq!(state.queue, good.queue);
        }
    }

    #[test]
    fn what_cannot_be_used_is_told_apart() {
        let broken = |text: &str| matches!(parse(text.as_bytes()), Err(Unusable::Broken(_)));
        assert_eq!(
            parse(br#"{"version":5,"memory":"of another kind"}"#),
            Err(Unusable::Newer(5))
        );
        let newer = sealed(&serde_json::json!({"version": 6, "more": []})).unwrap();
        assert_eq!(parse(&newer), Err(Unusable::Newer(6)));
        for text in [
            "",
            "\0\0\0\0",
            "not JSON",
            "{}",
            "[]",
            r#"{"version":"1"}"#,
            r#"{"version":-1}"#,
            r#"{"version":0,"memory":{},"queue":[]}"#,
            r#"{"version":1}"#,
            r#"{"version":1,"memory":{},"queue":[{"#,
            "{\"version\":4,\n  \"checksum\": \"00000000\"\n}\n",
        ] {
            assert!(broken(text), "{text:?}");
        }
    }
}
