//! The checksum at the end of the JSON documents that are kept on disk: a flipped digit leaves a valid document, and only a
//! checksum tells that it is not the one that was written. Pure.
//!
//! It is the CRC-32 of gzip and zlib over all bytes before it, and the document's last member, so that the file is still one
//! readable document. It finds every change within 32 bits in a row; of all others it misses 1 in 4 billion.

use serde::Serialize;

/// What stands before the eight hexadecimal digits, and what behind them.
const BEFORE: &str = ",\n  \"checksum\": \"";
const DIGITS: usize = 8;
const BEHIND: &str = "\"\n}\n";

/// Whether a document has the checksum of what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seal {
    /// It has.
    Right,
    /// It has another one.
    Wrong,
    /// It has none, or not where [`sealed`] puts it.
    Missing,
}

impl Seal {
    /// Looks at a document as it was read.
    pub fn of(document: &[u8]) -> Seal {
        let length = BEFORE.len() + DIGITS + BEHIND.len();
        let Some(end) = document.len().checked_sub(length) else {
            return Seal::Missing;
        };
        let (body, end) = document.split_at(end);
        if end == ending(body).as_bytes() {
            Seal::Right
        } else if end.starts_with(BEFORE.as_bytes()) && end.ends_with(BEHIND.as_bytes()) {
            Seal::Wrong
        } else {
            Seal::Missing
        }
    }
}

/// The document as JSON to be read by people, with its checksum. It must be an object with at least one member.
///
/// # Errors
/// It can't be written as JSON.
pub fn sealed(document: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(document)?;
    // The brace comes behind the checksum.
    text.truncate(text.len() - "\n}".len());
    let ending = ending(&text);
    text.extend_from_slice(ending.as_bytes());
    Ok(text)
}

fn ending(body: &[u8]) -> String {
    let checksum = crc32fast::hash(body);
    format!("{BEFORE}{checksum:0DIGITS$x}{BEHIND}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn it_is_the_last_member_and_the_sum_that_everybody_knows() {
        let text = sealed(&serde_json::json!({"a": 1})).unwrap();
        // Of `{\n  "a": 1`, as gzip has it.
        let expected = "{\n  \"a\": 1,\n  \"checksum\": \"476d1ee6\"\n}\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn no_change_of_a_byte_and_no_cut_leaves_it_right() {
        let text = sealed(&serde_json::json!({"a": [1, "two"], "b": null})).unwrap();
        assert_eq!(Seal::of(&text), Seal::Right);
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut flipped = text.clone();
                flipped[at] ^= 1 << bit;
                assert_ne!(Seal::of(&flipped), Seal::Right, "bit {bit} of byte {at}");
            }
            assert_eq!(Seal::of(&text[..at]), Seal::Missing);
        }
    }

    #[test]
    fn another_one_is_told_from_none() {
        let text = |checksum: &str| format!("{{\n  \"a\": 1{checksum}\n}}\n");
        for (checksum, seal) in [
            (",\n  \"checksum\": \"476d1ee6\"", Seal::Right),
            (",\n  \"checksum\": \"476d1ee7\"", Seal::Wrong),
            (",\n  \"checksum\": \"476D1EE6\"", Seal::Wrong),
            (",\n  \"checksum\":\"476d1ee6\"", Seal::Missing),
            (",\n  \"checksum\": \"476d1ee\"", Seal::Missing),
            ("", Seal::Missing),
        ] {
            assert_eq!(Seal::of(text(checksum).as_bytes()), seal, "{checksum}");
        }
    }
}
