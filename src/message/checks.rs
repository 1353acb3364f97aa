//! What the checks are called in mails. Pure.

use super::phrases;
use crate::check::CheckName;
use crate::check::sight::Unseen;
use crate::say;
use crate::text::{columns, pad};
use crate::words::Words;

/// What a check is called.
pub(crate) fn name(words: &Words, check: CheckName) -> String {
    match check {
        CheckName::Capacity => say!(words, "check-capacity"),
        CheckName::Nodes => say!(words, "check-nodes"),
        CheckName::Osds => say!(words, "check-osds"),
        CheckName::Health => say!(words, "check-health"),
    }
}

/// What that is called which cannot be seen.
pub(super) fn unseen(words: &Words, unseen: Unseen) -> String {
    match unseen {
        Unseen::Check(check) => name(words, check),
        Unseen::Leader => say!(words, "check-leader"),
    }
}

/// The checks in their order.
pub(super) fn list(words: &Words, checks: impl Iterator<Item = CheckName>) -> String {
    let names: Vec<String> = checks.map(|check| name(words, check)).collect();
    phrases::list(words, &names)
}

/// The column in which stands what is said of a check.
pub(crate) fn column(words: &Words) -> usize {
    let checks = CheckName::ALL.into_iter().map(Unseen::Check);
    let names = checks.chain([Unseen::Leader]);
    let width = names.map(|check| columns(&unseen(words, check))).max();
    width.unwrap_or(0) + "  ".len()
}

/// A row about a check.
pub(crate) fn row(words: &Words, name: &str, told: &str) -> String {
    format!("{}{told}", pad(name, column(words)))
}
