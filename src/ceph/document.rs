//! Finds the one JSON document in what the `ceph` CLI prints, among warnings before it and words after it.

use std::borrow::Cow;

use anyhow::{Context as _, anyhow};
use serde::Deserialize;

use crate::text::{fit, one_line};

/// How often the whole text may be gone through in search of the document, so that megabytes of garbage can't cost seconds.
const READINGS: usize = 4;

/// A try costs so much beside the bytes it reads.
const TRY_BYTES: usize = 64;

/// What may be spent on even the shortest text: a thousand warnings.
const LEAST_BYTES: usize = 1000 * TRY_BYTES;

/// Characters of garbage that an error quotes.
const QUOTED_CHARS: usize = 120;

/// What came of reading a document from one place on.
pub(super) struct Attempt<T> {
    facts: anyhow::Result<T>,
    /// How far the text made sense; of several failures the one that got furthest is told.
    bytes: usize,
}

/// Reads the document that begins `text` as a `D`, of which `judge` makes facts. Whatever follows the document is ignored.
pub(super) fn attempt<'a, D: Deserialize<'a>, T>(
    text: &'a str,
    judge: impl FnOnce(D) -> anyhow::Result<T>,
) -> Attempt<T> {
    let mut documents = serde_json::Deserializer::from_str(text).into_iter();
    match documents.next() {
        Some(Ok(document)) => Attempt {
            facts: judge(document),
            bytes: documents.byte_offset(),
        },
        Some(Err(error)) if error.is_eof() => Attempt {
            facts: Err(anyhow!(
                "the answer breaks off after {} bytes",
                text.trim_ascii_end().len()
            )),
            bytes: text.len(),
        },
        Some(Err(error)) => Attempt {
            bytes: offset(text, error.line(), error.column()),
            facts: Err(error).context("cannot make sense of the answer"),
        },
        None => Attempt {
            facts: Err(anyhow!("the answer is empty")),
            bytes: 0,
        },
    }
}

/// Tries `attempt` at each line of `printed` that may begin the document, and takes the first facts it yields.
///
/// Old releases print some ratios as bare `nan` or `inf`, which is no JSON; where nothing else helps they are read as `null`.
/// Bytes that are no UTF-8 are read as `U+FFFD`.
///
/// # Errors
/// There is no document, it is cut off or broken, or no facts can be made of it.
pub(super) fn find<T>(printed: &[u8], attempt: impl Fn(&str) -> Attempt<T>) -> anyhow::Result<T> {
    // Looked at once as a whole, not in each of the thousands of names; and std is far quicker at this than at replacing.
    let printed = match str::from_utf8(printed) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(printed),
    };
    let failure = match scan(&printed, &attempt) {
        Ok(facts) => return Ok(facts),
        Err(failure) => failure,
    };
    if let Some(repaired) = repaired(&printed)
        && let Ok(facts) = scan(&repaired, &attempt)
    {
        return Ok(facts);
    }
    Err(failure)
}

fn scan<T>(printed: &str, attempt: &impl Fn(&str) -> Attempt<T>) -> anyhow::Result<T> {
    let mut furthest: Option<(usize, anyhow::Error)> = None;
    let mut spent_bytes = 0;
    let mut next = 0;
    while spent_bytes <= LEAST_BYTES + READINGS * printed.len()
        && let Some(begin) = next_candidate(printed.as_bytes(), next)
    {
        let Attempt { facts, bytes } = attempt(&printed[begin..]);
        match facts {
            Ok(facts) => return Ok(facts),
            Err(error) => {
                if furthest.as_ref().is_none_or(|(most, _)| bytes > *most) {
                    furthest = Some((bytes, error));
                }
            }
        }
        spent_bytes += bytes + TRY_BYTES;
        next = begin + 1;
    }
    let Some((_, error)) = furthest else {
        let printed = one_line(printed);
        return Err(if printed.is_empty() {
            anyhow!("it printed nothing")
        } else {
            anyhow!("it printed no JSON but: {}", quote(&printed))
        });
    };
    Err(error)
}

/// The next `{`, from `from` on, that is the first thing on its line.
fn next_candidate(printed: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    let mut line_is_blank = printed[..from]
        .iter()
        .rev()
        .take_while(|&&byte| byte != b'\n')
        .all(u8::is_ascii_whitespace);
    while let Some(&byte) = printed.get(at) {
        match byte {
            b'\n' => line_is_blank = true,
            b'{' if line_is_blank => return Some(at),
            _ if byte.is_ascii_whitespace() => {}
            _ => {
                line_is_blank = false;
                // Nothing more to find on this line.
                at += printed[at..].iter().position(|&byte| byte == b'\n')?;
                continue;
            }
        }
        at += 1;
    }
    None
}

/// The text with bare `nan` and `inf` as `null`; `None` if it has none.
fn repaired(text: &str) -> Option<String> {
    let mut repaired = String::with_capacity(text.len());
    let mut copied = 0;
    let mut in_string = false;
    let mut escaped = false;
    let mut value_begins = false;
    for (at, byte) in text.bytes().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                // No string of JSON holds a line break, but a warning may hold a single quote.
                b'"' | b'\n' => in_string = false,
                _ => {}
            }
            continue;
        }
        if value_begins && let Some(length) = bare_word(&text.as_bytes()[at..]) {
            repaired.push_str(&text[copied..at]);
            repaired.push_str("null");
            copied = at + length;
        }
        match byte {
            b'"' => in_string = true,
            b':' | b'[' | b',' => value_begins = true,
            _ if byte.is_ascii_whitespace() => {}
            _ => value_begins = false,
        }
    }
    repaired.push_str(&text[copied..]);
    (copied > 0).then_some(repaired)
}

/// The length of the `nan` or `inf` that `text` begins with, in the spellings of printf(3).
fn bare_word(text: &[u8]) -> Option<usize> {
    let length = text
        .iter()
        .position(|byte| !byte.is_ascii_alphabetic() && *byte != b'-')?;
    let word = text[..length].to_ascii_lowercase();
    let word = word.strip_prefix(b"-").unwrap_or(&word);
    matches!(word, b"nan" | b"inf" | b"infinity").then_some(length)
}

fn offset(text: &str, line: usize, column: usize) -> usize {
    let line_begins = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum::<usize>();
    line_begins + column
}

/// A text in quotes, its end left out where it is long.
pub(super) fn quote(text: &str) -> String {
    format!("\"{}\"", fit(text, QUOTED_CHARS))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[derive(Deserialize)]
    struct Document {
        wanted: Option<f64>,
    }

    fn wanted(printed: &str) -> Result<f64, String> {
        find(printed.as_bytes(), |text| {
            attempt(text, |document: Document| {
                document.wanted.context("wanted is missing")
            })
        })
        .map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn the_document_is_found_among_other_words() {
        for printed in [
            r#"{"wanted":7}"#,
            "\n\n{\"wanted\":7}\n",
            "  {\"wanted\":7} and more",
            "warning: {x}\n{\"wanted\":7}",
            "warning: {\n{\"wanted\":7}",
            "{ a brace begins this warning\n{\"wanted\":7}",
            "{}\n{\"wanted\":7}",
            "it's \"odd\n{\"wanted\":7}\n{\"wanted\":8}",
            "{\n  \"other\": {},\n  \"wanted\": 7\n}\n",
            "{\"ratio\":nan,\"wanted\":7}",
            "{\"ratio\": -nan, \"list\":[inf,-inf,NaN], \"wanted\":7}",
            "a \" quote\n{\"ratio\":nan,\"wanted\":7,\"name\":\"nan\\\",nan,\"}",
        ] {
            assert_eq!(wanted(printed), Ok(7.0), "{printed}");
        }
    }

    #[test]
    fn bytes_that_are_no_utf8_break_nothing() {
        #[derive(Deserialize)]
        struct Named {
            name: String,
        }
        let name = find(b"{\"name\":\"a\xffb\"}", |text| {
            attempt(text, |document: Named| Ok(document.name))
        });
        assert_eq!(name.unwrap(), "a\u{fffd}b");
    }

    #[test]
    fn the_error_says_what_is_wrong_with_the_text() {
        for (printed, error) in [
            ("", "it printed nothing"),
            ("\n \n", "it printed nothing"),
            (
                "hello\x1b[1m {\nthere\n",
                "it printed no JSON but: \"hello [1m { there\"",
            ),
            ("{}", "wanted is missing"),
            ("{\"wanted\":nan}", "cannot make sense of the answer: "),
            ("\n{\"wanted\":7\n", "the answer breaks off after 11 bytes"),
            (
                "{\n \"a\": {\n  \"b\": 1\n },\n {\"c\": 1",
                "cannot make sense of the answer: key must be a string at line 5 column 2",
            ),
            (
                "{}\n{\"a\":1,\"wanted\":[\"long enough\"",
                "cannot make sense of the answer: invalid type: sequence, expected f64 at line 1 column 16",
            ),
        ] {
            let told = wanted(printed).unwrap_err();
            assert!(told.starts_with(error), "{printed}: {told}");
        }
    }

    #[test]
    fn long_garbage_is_quoted_in_part() {
        let told = wanted(&"ä".repeat(500)).unwrap_err();
        assert_eq!(
            told,
            format!("it printed no JSON but: \"{}...\"", "ä".repeat(117))
        );
    }

    #[test]
    fn megabytes_of_nested_garbage_are_given_up() {
        assert!(wanted(&"{\"a\":\n".repeat(1_000_000)).is_err());
    }
}
