//! What the sentences of mails have in common, in the reader's language: counts and lengths of time.

use std::time::Duration;

use crate::say;
use crate::wording::{Unit, units};
use crate::words::Words;

/// A length of time in its two largest units: `40 s`, `3 min`, `2 h 10 min`, `5 d 3 h`.
pub(crate) fn duration(words: &Words, length: Duration) -> String {
    let one = |(number, unit): (u64, Unit)| match unit {
        Unit::Seconds => say!(words, "seconds", number = number),
        Unit::Minutes => say!(words, "minutes", number = number),
        Unit::Hours => say!(words, "hours", number = number),
        Unit::Days => say!(words, "days", number = number),
    };
    let (large, small) = units(length);
    let large = one(large);
    match small.map(one) {
        None => large,
        Some(small) => say!(words, "two-units", large = large, small = small),
    }
}
