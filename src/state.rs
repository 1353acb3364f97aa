//! What is kept from pass to pass: the document in the state file, and its version. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::Memory;
use crate::queue::Queue;

/// The version of the document that this release writes, and the newest that it reads. Whoever adds a field raises it: an
/// unknown key is taken for damage, because a flipped bit in a key would otherwise forget what stands behind it.
pub const VERSION: u64 = 1;

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

/// Why a document can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// Written by a later release; it is not touched.
    Newer(u64),
    /// It is no state document, for this reason.
    Broken(String),
}

/// Reads the document.
///
/// # Errors
/// See [`Unusable`].
pub fn parse(bytes: &[u8]) -> Result<State, Unusable> {
    #[derive(Deserialize)]
    struct Version {
        version: u64,
    }
    if bytes.is_empty() {
        return Err(Unusable::Broken("it is empty".to_owned()));
    }
    let broken = |error: serde_json::Error| Unusable::Broken(error.to_string());
    // In two steps, so that a later version is known for what it is however different its other fields are.
    let Version { version } = serde_json::from_slice(bytes).map_err(broken)?;
    match version {
        1..=VERSION => serde_json::from_slice(bytes).map_err(broken),
        0 => Err(Unusable::Broken("there is no version 0".to_owned())),
        newer => Err(Unusable::Newer(newer)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::alert::{Alert, Report};
    use crate::incident::{Change, Kind};
    use crate::queue::Recovery;

    #[test]
    fn a_fresh_state_survives_the_round_trip() {
        let state = State::default();
        let text = serde_json::to_vec_pretty(&state).unwrap();
        assert_eq!(parse(&text), Ok(state));
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

    #[test]
    fn what_cannot_be_used_is_told_apart() {
        let broken = |text: &str| matches!(parse(text.as_bytes()), Err(Unusable::Broken(_)));
        assert_eq!(
            parse(br#"{"version":2,"memory":"of another kind"}"#),
            Err(Unusable::Newer(2))
        );
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
        ] {
            assert!(broken(text), "{text:?}");
        }
    }
}
