//! What is kept from pass to pass: the document in the state file, and its version. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::Memory;
use crate::queue::Queue;

/// The version of the document that this release writes, and the newest that it reads.
pub const VERSION: u64 = 1;

/// The state file's document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// See [`VERSION`].
    pub version: u64,
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
            cluster: None,
            last_pass: None,
            memory: Memory::default(),
            queue: Queue::default(),
        }
    }
}

/// How the last pass went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

    #[test]
    fn a_fresh_state_survives_the_round_trip() {
        let state = State::default();
        let text = serde_json::to_vec_pretty(&state).unwrap();
        assert_eq!(parse(&text), Ok(state));
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
