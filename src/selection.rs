//! Which of the pending mails an admin means: an id, or the first digits of one. Pure.

use std::fmt;
use std::str::FromStr;

use crate::queue::{Entry, MailId, Queue};

/// The fewest digits that stand for an id.
const LEAST_DIGITS: usize = 4;

/// So many ids are named where the digits fit several.
const NAMED: usize = 5;

/// The id of a mail or its first digits, at least 4, as an admin typed them; in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdPrefix(String);

impl FromStr for IdPrefix {
    type Err = NoIdPrefix;

    fn from_str(text: &str) -> Result<Self, NoIdPrefix> {
        if text.len() >= LEAST_DIGITS && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(IdPrefix(text.to_ascii_lowercase()))
        } else {
            Err(NoIdPrefix)
        }
    }
}

impl fmt::Display for IdPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text can't be the beginning of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoIdPrefix;

impl fmt::Display for NoIdPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "an id, as petanotify queue list shows it, or at least its first {LEAST_DIGITS} hexadecimal digits"
        )
    }
}

impl std::error::Error for NoIdPrefix {}

/// Why what was typed does not stand for one mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unclear {
    /// No pending mail has such an id.
    Unknown(IdPrefix),
    /// Several have.
    Several(IdPrefix, Vec<MailId>),
}

impl fmt::Display for Unclear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unclear::Unknown(prefix) => write!(
                f,
                "no pending mail has the id {prefix}; see what is pending with: petanotify queue list"
            ),
            Unclear::Several(prefix, ids) => {
                let named = ids.iter().map(MailId::to_string);
                write!(
                    f,
                    "{prefix} fits {} pending mails, {}: add digits",
                    ids.len(),
                    crate::wording::list_first(named, NAMED)
                )
            }
        }
    }
}

/// The mails that these ids stand for, each once, in the order in which they were named.
///
/// # Errors
/// What stands for no mail, or for more than one.
pub fn select<'a>(queue: &'a Queue, wanted: &[IdPrefix]) -> Result<Vec<&'a Entry>, Vec<Unclear>> {
    let mut by_id: Vec<(String, &Entry)> = queue.iter().map(|e| (e.id.to_string(), e)).collect();
    by_id.sort_by(|a, b| a.0.cmp(&b.0));
    let mut found: Vec<&Entry> = Vec::new();
    let mut unclear = Vec::new();
    for prefix in wanted {
        let from = by_id.partition_point(|(id, _)| *id < prefix.0);
        let fits = by_id[from..].iter().map(|(_, entry)| *entry);
        let fits: Vec<&Entry> = fits
            .take_while(|entry| entry.id.to_string().starts_with(&prefix.0))
            .collect();
        match fits.as_slice() {
            [] => unclear.push(Unclear::Unknown(prefix.clone())),
            [entry] if found.iter().any(|known| known.id == entry.id) => {}
            [entry] => found.push(entry),
            several => {
                let ids = several.iter().map(|entry| entry.id.clone()).collect();
                unclear.push(Unclear::Several(prefix.clone(), ids));
            }
        }
    }
    if unclear.is_empty() {
        Ok(found)
    } else {
        Err(unclear)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn queue(ids: &[&str]) -> Queue {
        let entries: Vec<_> = ids
            .iter()
            .map(|id| {
                json!({
                    "id": id,
                    "alert": {
                        "cluster": "prod", "kind": "raised", "incident": "nodes-1", "sequence": 0,
                        "began": "2026-11-23T05:00:00Z", "raised": "2026-11-23T05:00:00Z", "never_told": false,
                        "report": {"topic": "nodes", "new": [], "still": [], "over": []}, "elsewhere": [],
                    },
                    "to": null, "raised": "2026-11-23T05:00:00Z", "attempts": 0,
                    "last_attempt": null, "next_attempt": null, "last_error": null,
                })
            })
            .collect();
        serde_json::from_value(json!(entries)).unwrap()
    }

    fn prefix(text: &str) -> IdPrefix {
        text.parse().unwrap()
    }

    #[test]
    fn an_id_is_typed_with_at_least_4_of_its_digits() {
        for text in ["8292", "8292be0cf85c", "8292BE"] {
            assert_eq!(prefix(text).to_string(), text.to_lowercase());
        }
        for text in ["", "829", "8292x", "osd.4", "8292 ", "-829", "８２９２"] {
            assert_eq!(text.parse::<IdPrefix>(), Err(NoIdPrefix), "{text:?}");
        }
    }

    #[test]
    fn an_id_or_a_unique_beginning_stands_for_a_mail() {
        let queue = queue(&["8292be0cf85c", "8292be0c0000", "0000be0cf85c"]);
        let ids = |wanted: &[&str]| {
            let wanted: Vec<IdPrefix> = wanted.iter().map(|text| prefix(text)).collect();
            select(&queue, &wanted)
                .map(|found| found.iter().map(|e| e.id.to_string()).collect::<Vec<_>>())
        };
        assert_eq!(
            ids(&["8292be0cf", "0000"]),
            Ok(vec!["8292be0cf85c".into(), "0000be0cf85c".into()])
        );
        assert_eq!(
            ids(&["0000", "0000BE0CF85C"]),
            Ok(vec!["0000be0cf85c".into()])
        );
        assert_eq!(ids(&[]), Ok(Vec::new()));
        let unknown = |text: &str| Unclear::Unknown(prefix(text));
        assert_eq!(
            ids(&["0000", "ffff", "8292be0cf85c0"]),
            Err(vec![unknown("ffff"), unknown("8292be0cf85c0")])
        );
        let several = Unclear::Several(
            prefix("8292"),
            vec![
                "8292be0c0000".parse().unwrap(),
                "8292be0cf85c".parse().unwrap(),
            ],
        );
        assert_eq!(ids(&["8292"]), Err(vec![several.clone()]));
        assert_eq!(
            several.to_string(),
            "8292 fits 2 pending mails, 8292be0c0000, 8292be0cf85c: add digits"
        );
    }
}
