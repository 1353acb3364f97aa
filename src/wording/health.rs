//! How Ceph's own health is said.

use std::collections::BTreeSet;

use super::{count, list_first, name, not_told};
use crate::alert::Withheld;
use crate::facts::{HealthCheck, HealthSeverity};
use crate::incident::Watch;
use crate::settings::Hold;

/// So many codes stand in a line.
const NAMED: usize = 10;

/// `2 errors, 1 warning`
pub fn number<'a>(checks: impl Iterator<Item = &'a HealthCheck>) -> String {
    let (errors, warnings): (Vec<_>, Vec<_>) =
        checks.partition(|check| check.severity == HealthSeverity::Error);
    let numbers = [(errors.len(), "error"), (warnings.len(), "warning")];
    let numbers = numbers.into_iter().filter(|(number, _)| *number > 0);
    let numbers: Vec<String> = numbers.map(|(number, noun)| count(number, noun)).collect();
    match numbers.is_empty() {
        true => "nothing".to_owned(),
        false => numbers.join(", "),
    }
}

/// One line for `check` and `status`: `Ceph reports 2 errors: OSD_SCRUB_ERRORS, PG_DAMAGED`
pub fn summary(
    watch: &Watch<String, HealthCheck>,
    left_out: &BTreeSet<String>,
    withheld: Withheld,
    hold: Hold,
) -> String {
    let names = |codes: Vec<&String>| list_first(codes.into_iter().map(|code| name(code)), NAMED);
    if watch.down.is_empty() {
        return match left_out.is_empty() {
            true => "Ceph reports nothing".to_owned(),
            false => format!(
                "Ceph reports nothing that counts (left out: {})",
                names(left_out.iter().collect())
            ),
        };
    }
    let number = number(watch.down.values().map(|down| &down.what));
    let notes = not_told(watch, withheld, hold);
    let notes = match notes.is_empty() {
        true => String::new(),
        false => format!(" ({})", notes.join(", ")),
    };
    format!(
        "Ceph reports {number}{notes}: {}",
        names(worst_first(watch))
    )
}

/// The codes of what is wrong, errors before warnings.
pub(crate) fn worst_first(watch: &Watch<String, HealthCheck>) -> Vec<&String> {
    let mut codes: Vec<_> = watch.down.iter().collect();
    codes.sort_by_key(|(_, down)| std::cmp::Reverse(down.what.severity));
    codes.into_iter().map(|(code, _)| code).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::HealthSeverity::{Error, Warning};
    use super::*;
    use crate::incident::Down;

    #[test]
    fn the_worst_is_named_first() {
        let summary = |down: &[(&str, HealthSeverity, bool)], left_out: &[&str]| {
            let mut watch = Watch::default();
            for (code, severity, announced) in down {
                let down = Down {
                    since: Timestamp::UNIX_EPOCH,
                    passes: 1,
                    announced: *announced,
                    flapping: None,
                    what: HealthCheck {
                        severity: *severity,
                        summary: String::new(),
                    },
                };
                watch.down.insert((*code).to_owned(), down);
            }
            let left_out = left_out.iter().map(|code| (*code).to_owned()).collect();
            let hold = Hold {
                passes: 3,
                ..Hold::default()
            };
            super::summary(&watch, &left_out, Withheld::default(), hold)
        };
        assert_eq!(summary(&[], &[]), "Ceph reports nothing");
        assert_eq!(
            summary(&[], &["OSD_DOWN", "X"]),
            "Ceph reports nothing that counts (left out: OSD_DOWN, X)"
        );
        assert_eq!(
            summary(
                &[
                    ("A", Warning, true),
                    ("B", Error, true),
                    ("C", Error, false)
                ],
                &["OSD_DOWN"]
            ),
            "Ceph reports 2 errors, 1 warning (1 not counted before 3 passes in a row): B, C, A"
        );
    }
}
