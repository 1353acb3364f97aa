//! The memory that nodes share, as it lies in Consul's key-value store: a head, and the content in as many parts as it takes.
//! Pure.
//!
//! Consul takes 512 kB in a value. So what is longer lies in parts under names of their own, which are written before the head
//! and never changed: whoever reads a head finds all of its parts, or others have moved on meanwhile and there is another head.
//! Neither server nor password is in a state, so no secret is.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::{Maintained, State as Outcome};
use crate::audience::Audiences;
use crate::check::CheckName;
use crate::check::capacity::Level;
use crate::check::sight::Unseen;
use crate::facts::OsdId;
use crate::incident::{Ack, Incident, Watch};
use crate::queue::MailId;
use crate::reunite::Told;
use crate::silence::Silence;
use crate::state::{self, State, Unusable};

/// The form of the head, and the newest that is read.
const FORM: u32 = 1;

/// A part has so many bytes at most. Base64 makes 4 of each 3 on the wire, and a transaction takes some 512 kB of values.
const PART_BYTES: usize = 380_000;

/// Content of so many bytes stands in the head: every node reads that in every minute.
const INLINE_BYTES: usize = 12_000;

/// So much content is believed in when it is unpacked: some 300,000 pending mails. More is damage, or an attack.
const MOST_BYTES: u64 = 512 << 20;

/// Tells one published memory from all others: the number of the publication, and the checksum of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// See [`Head::saves`].
    pub saves: u64,
    /// See [`Head::checksum`].
    pub checksum: u32,
}

/// What is known of a published memory without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The form of this head.
    pub form: u32,
    /// Who wrote it.
    pub node: String,
    /// How often the memory has been published: the higher, the newer. No clock decides that.
    pub saves: u64,
    /// When it was written, by the clock of that node.
    pub written_at: Timestamp,
    /// In how many parts the content lies; 0 where it stands in `content`.
    pub parts: usize,
    /// The length of the packed content, in bytes.
    pub length: usize,
    /// The CRC-32 of the packed content.
    pub checksum: u32,
    /// The packed content in base64, if it is short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

/// A memory ready to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The head, to be written last.
    pub head: Head,
    /// The parts, in order, to be written first.
    pub parts: Vec<Vec<u8>>,
}

/// Why a published memory can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// A later release wrote it. It must not be overwritten.
    Newer,
    /// It is damaged, in these words.
    Broken(String),
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unreadable::Newer => f.write_str("a later release of petanotify wrote it"),
            Unreadable::Broken(reason) => f.write_str(reason),
        }
    }
}

/// Packs the part of a state that others need to know. What a node knows for itself stays out.
///
/// # Errors
/// It can't be written as JSON.
pub fn pack(state: &State, node: &str, saves: u64, now: Timestamp) -> anyhow::Result<Packed> {
    let shared = State {
        lineage: None,
        ..state.clone()
    };
    let text = state::render(&shared)?;
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&text)?;
    let packed = encoder.finish()?;
    let is_short = packed.len() <= INLINE_BYTES;
    let parts: Vec<Vec<u8>> = match is_short {
        true => Vec::new(),
        false => packed.chunks(PART_BYTES).map(<[u8]>::to_vec).collect(),
    };
    let head = Head {
        form: FORM,
        node: node.to_owned(),
        saves,
        written_at: now,
        parts: parts.len(),
        length: packed.len(),
        checksum: crc32fast::hash(&packed),
        content: is_short.then(|| BASE64_STANDARD.encode(&packed)),
    };
    Ok(Packed { head, parts })
}

impl Head {
    /// What tells it from others.
    pub fn mark(&self) -> Mark {
        Mark {
            saves: self.saves,
            checksum: self.checksum,
        }
    }

    /// The folder of its parts: no two memories share one, whoever writes them.
    pub fn folder(&self) -> String {
        format!("{}-{:08x}", self.saves, self.checksum)
    }

    /// Reads a head.
    ///
    /// # Errors
    /// See [`Unreadable`].
    pub fn parse(text: &[u8]) -> Result<Head, Unreadable> {
        #[derive(Deserialize)]
        struct Form {
            form: u32,
        }
        let broken = |error: serde_json::Error| Unreadable::Broken(error.to_string());
        let Form { form } = serde_json::from_slice(text).map_err(broken)?;
        if form > FORM {
            return Err(Unreadable::Newer);
        }
        serde_json::from_slice(text).map_err(broken)
    }

    /// The packed content, where it stands in the head.
    ///
    /// # Errors
    /// It is no base64.
    pub fn inline(&self) -> Option<Result<Vec<u8>, Unreadable>> {
        let content = self.content.as_ref()?;
        let decoded = BASE64_STANDARD.decode(content);
        Some(decoded.map_err(|error| Unreadable::Broken(error.to_string())))
    }

    /// Unpacks the content, all parts of it one behind the other.
    ///
    /// # Errors
    /// See [`Unreadable`].
    pub fn unpack(&self, packed: &[u8]) -> Result<State, Unreadable> {
        let broken = |reason: String| Unreadable::Broken(reason);
        if packed.len() != self.length {
            let (found, length) = (packed.len(), self.length);
            return Err(broken(format!("it has {found} bytes instead of {length}")));
        }
        if crc32fast::hash(packed) != self.checksum {
            return Err(broken("its checksum is wrong".to_owned()));
        }
        let mut text = Vec::new();
        let unpacked: io::Result<usize> = ZlibDecoder::new(packed)
            .take(MOST_BYTES)
            .read_to_end(&mut text);
        unpacked.map_err(|error| broken(error.to_string()))?;
        match state::parse(&text) {
            Ok(state) => Ok(state),
            Err(Unusable::Newer(_)) => Err(Unreadable::Newer),
            Err(Unusable::Broken(reason)) => Err(broken(reason)),
            Err(Unusable::Altered(_)) => Err(broken("its content has been altered".to_owned())),
        }
    }
}

/// So many folders of parts are removed at once: a transaction takes 64 steps, and there is mostly none.
const MOST_LEFT_OVER: usize = 32;

/// Which folders of parts no head will ever name, where the head is number `saves` and has no parts itself. `keys` are those of
/// parts, below the folder in which all of them lie.
pub fn left_over<'a>(keys: impl Iterator<Item = &'a str>, saves: u64) -> Vec<String> {
    let number = |folder: &str| folder.split_once('-')?.0.parse::<u64>().ok();
    let folders = keys.filter_map(|key| key.split_once('/'));
    let folders = folders.map(|(folder, _)| folder);
    let past = folders.filter(|folder| number(folder).is_some_and(|number| number <= saves));
    let past: BTreeSet<&str> = past.collect();
    let some = past.into_iter().take(MOST_LEFT_OVER);
    some.map(str::to_owned).collect()
}

/// A name as it may stand in a key: what is no letter, digit, dot, dash or underscore becomes a dash.
pub fn key_name(name: &str) -> String {
    let plain = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '-' => c,
        _ => '-',
    };
    name.chars().map(plain).collect()
}

/// What a successor has to know at once, in short: it changes when anything is told, queued, sent, silenced or acknowledged, or
/// goes down or up. What a quiet minute adds, such as another figure of how full the storage is, is no part of it.
pub fn essence(state: &State) -> u32 {
    #[derive(Serialize)]
    struct Essence<'a> {
        cluster: &'a Option<String>,
        names: &'a Option<crate::naming::Names>,
        capacity: (Option<Open<'a>>, Level, Option<Level>, Option<Level>),
        nodes: Things<'a, String>,
        osds: Things<'a, OsdId>,
        with_nodes: Vec<(OsdId, &'a str)>,
        health: Things<'a, String>,
        blind: Things<'a, Unseen>,
        silences: &'a [Silence],
        maintenance: &'a Maintained,
        outcomes: Vec<(CheckName, Outcome)>,
        audiences: &'a Audiences,
        queue: Vec<(&'a MailId, bool)>,
        told: &'a Told,
    }
    let State { memory, queue, .. } = state;
    let capacity = &memory.capacity;
    let essence = Essence {
        cluster: &state.cluster,
        names: &memory.names,
        capacity: (
            capacity.incident.as_ref().map(open),
            capacity.level,
            capacity.told,
            capacity.acknowledged,
        ),
        nodes: things(&memory.nodes),
        osds: things(&memory.osds),
        with_nodes: (memory.osds_with_nodes.iter())
            .map(|(osd, with)| (*osd, with.node.as_str()))
            .collect(),
        health: things(&memory.health),
        blind: things(&memory.blind),
        silences: &memory.silences,
        maintenance: &memory.maintenance,
        outcomes: (memory.outcomes.iter())
            .map(|(check, outcome)| (*check, outcome.state))
            .collect(),
        audiences: &memory.audiences,
        queue: (queue.iter())
            .map(|entry| (&entry.id, entry.held_until.is_some()))
            .collect(),
        told: &state.told,
    };
    // Of such values JSON can always be made; if not, nothing is ever taken for changed but what is changed every time.
    let text = serde_json::to_vec(&essence).unwrap_or_default();
    crc32fast::hash(&text)
}

type Open<'a> = (&'a str, u32, &'a Option<Ack>);

fn open(incident: &Incident) -> Open<'_> {
    (&incident.id, incident.alerts, &incident.ack)
}

/// What counts of things of one kind.
#[derive(Serialize)]
struct Things<'a, K: Ord> {
    incident: Option<Open<'a>>,
    down: Vec<(&'a K, bool, bool)>,
    over: Vec<&'a K>,
    acknowledged: &'a BTreeSet<K>,
}

fn things<K: Ord, T>(watch: &Watch<K, T>) -> Things<'_, K> {
    let down = watch.down.iter();
    Things {
        incident: watch.incident.as_ref().map(open),
        down: down
            .map(|(key, down)| (key, down.announced, down.flapping.is_some()))
            .collect(),
        over: watch.over.keys().collect(),
        acknowledged: &watch.acknowledged,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::reunite::Lineage;

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    /// A state with a cluster's name that can't be packed, so many bytes long.
    fn state(bytes: usize) -> State {
        let mut seed = 1_u64;
        let name = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b'0' + u8::try_from((seed >> 33) % 64).unwrap())
        });
        State {
            cluster: Some(name.take(bytes).collect()),
            ..State::default()
        }
    }

    fn read(packed: &Packed) -> Result<State, Unreadable> {
        let text = serde_json::to_vec(&packed.head).unwrap();
        let head = Head::parse(&text)?;
        let content = head.inline().unwrap_or_else(|| Ok(packed.parts.concat()))?;
        head.unpack(&content)
    }

    #[test]
    fn what_is_packed_is_unpacked_in_as_many_parts_as_it_takes() {
        for (bytes, parts) in [
            (0, 0),
            (10_000, 0),
            (20_000, 1),
            (600_000, 2),
            (1_900_000, 4),
        ] {
            let state = state(bytes);
            let packed = pack(&state, "node1", 7, now()).unwrap();
            assert_eq!(packed.parts.len(), parts, "{bytes}");
            assert_eq!(packed.head.parts, parts, "{bytes}");
            assert!(packed.parts.iter().all(|part| part.len() <= PART_BYTES));
            assert!(serde_json::to_vec(&packed.head).unwrap().len() < 20_000);
            assert_eq!(read(&packed), Ok(state), "{bytes}");
        }
    }

    #[test]
    fn what_a_node_knows_for_itself_is_not_shared() {
        let state = State {
            lineage: Some(Lineage::default()),
            ..State::default()
        };
        let packed = pack(&state, "node1", 7, now()).unwrap();
        assert_eq!(read(&packed), Ok(State::default()));
    }

    #[test]
    fn no_damage_is_taken_for_a_memory() {
        let packed = pack(&state(30_000), "node1", 7, now()).unwrap();
        let content = packed.parts.concat();
        let broken =
            |content: &[u8]| matches!(packed.head.unpack(content), Err(Unreadable::Broken(_)));
        for at in (0..content.len()).step_by(97) {
            let mut flipped = content.clone();
            flipped[at] ^= 1;
            assert!(broken(&flipped), "{at}");
            assert!(broken(&content[..at]), "{at}");
        }
        assert!(broken(&[]));
        assert!(!broken(&content));
        for (head, expected) in [
            ("{\"form\": 2}", Unreadable::Newer),
            (
                "",
                Unreadable::Broken("EOF while parsing a value at line 1 column 0".into()),
            ),
        ] {
            assert_eq!(Head::parse(head.as_bytes()), Err(expected), "{head}");
        }
    }

    #[test]
    fn the_memory_of_a_later_release_is_told_apart() {
        let text = crate::seal::sealed(&serde_json::json!({"version": 99, "more": []})).unwrap();
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&text).unwrap();
        let content = encoder.finish().unwrap();
        let mut head = pack(&State::default(), "node1", 7, now()).unwrap().head;
        head.length = content.len();
        head.checksum = crc32fast::hash(&content);
        assert_eq!(head.unpack(&content), Err(Unreadable::Newer));
    }

    #[test]
    fn a_minute_that_brings_nothing_is_not_worth_a_publication() {
        let state = state(10);
        let mut later = state.clone();
        later.saves += 1;
        later.last_pass = Some(crate::state::LastPass {
            started: now(),
            duration_ms: 5,
            complete: true,
        });
        later.lineage = Some(Lineage::default());
        let usage = crate::check::growth::History::default();
        later.memory.capacity.history = usage;
        assert_eq!(essence(&state), essence(&later));
        later.memory.nodes.acknowledged.insert("node1".to_owned());
        assert_ne!(essence(&state), essence(&later));
    }

    #[test]
    fn parts_that_another_node_is_about_to_publish_are_left_alone() {
        let keys = [
            "6-0a0a0a0a/0",
            "7-0b0b0b0b/0",
            "7-0b0b0b0b/1",
            "8-0c0c0c0c/0",
            "10-0d0d0d0d/0",
            "somebody/else",
            "9",
        ];
        for (saves, expected) in [
            (0, &[][..]),
            (6, &["6-0a0a0a0a"]),
            (7, &["6-0a0a0a0a", "7-0b0b0b0b"]),
            (9, &["6-0a0a0a0a", "7-0b0b0b0b", "8-0c0c0c0c"]),
        ] {
            assert_eq!(left_over(keys.into_iter(), saves), expected, "{saves}");
        }
        let many: Vec<String> = (0..99)
            .map(|number| format!("{number}-0a0a0a0a/0"))
            .collect();
        let many = left_over(many.iter().map(String::as_str), 99);
        assert_eq!(many.len(), MOST_LEFT_OVER);
    }

    #[test]
    fn names_become_parts_of_keys() {
        for (name, expected) in [
            ("PetaSAN", "PetaSAN"),
            ("prod-1.a_b", "prod-1.a_b"),
            ("a/b c", "a-b-c"),
            ("Zürich", "Z-rich"),
        ] {
            assert_eq!(key_name(name), expected);
        }
    }
}
