//! Mails about what Ceph itself finds wrong: subjects and text. Pure.

use std::cmp::Reverse;

use super::document::{Line, Tone};
use super::{LISTED, Text, all_recovered, commands, names, phrases};
use crate::alert::Alert;
use crate::facts::{HealthCheck, HealthSeverity};
use crate::incident::{Change, Ending, Item, Kind, OverItem};
use crate::say;
use crate::wording;
use crate::words::Words;

type Wrong = Change<String, HealthCheck>;

/// `Ceph health: 2 errors: PG_DAMAGED, OSD_SCRUB_ERRORS`, and shorter ones.
pub(super) fn wrong(change: &Wrong, words: &Words) -> Vec<String> {
    // The culprit first: errors before warnings, and what is new before what has been told.
    let mut all: Vec<(&Item<String, HealthCheck>, bool)> =
        (change.new.iter().map(|item| (item, false)))
            .chain(change.still.iter().map(|item| (item, true)))
            .collect();
    all.sort_by_key(|(item, told)| (Reverse(item.what.severity), *told));
    let number = number(words, all.iter().map(|(item, _)| &item.what));
    let number = number.as_str();
    let codes: Vec<&String> = all.iter().map(|(item, _)| &item.key).collect();
    let named = codes_in_words(&codes, words);
    let named = named.map(|codes| {
        say!(
            words,
            "health-codes-title",
            number = number,
            codes = codes.as_str()
        )
    });
    let mut wordings = Vec::from_iter(named);
    if let [first, others @ ..] = codes.as_slice()
        && !others.is_empty()
    {
        wordings.push(say!(
            words,
            "health-first-title",
            number = number,
            code = wording::name(first),
            others = others.len()
        ));
    }
    wordings.push(say!(words, "health-title", number = number));
    wordings
}

/// `2 errors, 1 warning`
fn number<'a>(words: &Words, checks: impl Iterator<Item = &'a HealthCheck>) -> String {
    let (errors, warnings): (Vec<_>, Vec<_>) =
        checks.partition(|check| check.severity == HealthSeverity::Error);
    counted(words, errors.len(), warnings.len())
}

/// The same of so many.
pub(super) fn counted(words: &Words, errors: usize, warnings: usize) -> String {
    match (errors, warnings) {
        (0, 0) => say!(words, "health-nothing"),
        (errors, 0) => say!(words, "health-errors", errors = errors),
        (0, warnings) => say!(words, "health-warnings", warnings = warnings),
        (errors, warnings) => say!(
            words,
            "health-errors-and-warnings",
            errors = errors,
            warnings = warnings
        ),
    }
}

/// `Ceph health was not fine: PG_DAMAGED (17 min)`
pub(super) fn was_wrong(change: &Wrong, length: &str, words: &Words) -> Vec<String> {
    let codes: Vec<&String> = change.over.iter().map(|over| &over.key).collect();
    let named = codes_in_words(&codes, words).map(|codes| {
        say!(
            words,
            "health-was-wrong-codes-title",
            codes = codes,
            length = length
        )
    });
    let short = say!(words, "health-was-wrong-title", length = length);
    named.into_iter().chain([short]).collect()
}

fn codes_in_words(codes: &[&String], words: &Words) -> Option<String> {
    names(words, codes, |code| wording::name(code))
}

/// Whether all is fine, or what is left does not count any more.
pub(super) fn cleared(change: &Wrong, words: &Words) -> Vec<String> {
    vec![match all_recovered(&change.over) {
        true => say!(words, "health-fine-title"),
        false => say!(words, "health-nothing-left-title"),
    }]
}

pub(super) fn text(text: &mut Text<'_>, alert: &Alert, change: &Wrong) {
    let words = text.words;
    text.paragraph(&sentence(alert, change, words));
    for (tone, heading, items) in [
        (Tone::New, say!(words, "heading-new"), &change.new),
        (
            Tone::Still,
            say!(words, "heading-still-wrong"),
            &change.still,
        ),
    ] {
        let lines = items.iter().take(LISTED).flat_map(|item| {
            let severity = match item.what.severity {
                HealthSeverity::Error => say!(words, "health-error"),
                HealthSeverity::Warning => say!(words, "health-warning"),
            };
            let row = format!("{}  {severity}", wording::name(&item.key));
            row_and_more(row, &item.what, text.since(item.since))
        });
        let lines: Vec<Line> = lines.chain(more(items.len(), words)).collect();
        text.section_on(tone, &heading, lines);
    }
    for (ending, heading) in [
        (Ending::Recovered, say!(words, "heading-fine-again")),
        (Ending::Removed, say!(words, "heading-left-out")),
    ] {
        let over = change.over.iter().filter(|over| over.was.ending == ending);
        let all = over.clone().count();
        let line = |over: &OverItem<String, HealthCheck>| {
            let span = text.span(over.was.since, over.was.until);
            row_and_more(wording::name(&over.key), &over.was.what, span)
        };
        let lines = over.take(LISTED).flat_map(line).chain(more(all, words));
        let lines: Vec<Line> = lines.collect();
        text.section_on(Tone::Over, &heading, lines);
    }
    text.section(
        &say!(words, "heading-look-closer"),
        commands(&["ceph health detail"]),
    );
}

/// What is said of those that are not listed.
fn more(all: usize, words: &Words) -> Option<Line> {
    let more = all.checked_sub(LISTED).filter(|more| *more > 0)?;
    Some(Line::Row(say!(words, "health-more", number = more)))
}

/// What it is, and below it what Ceph says of it and since when: some codes are so long that nothing fits beside them.
fn row_and_more(row: String, check: &HealthCheck, when: String) -> Vec<Line> {
    let summary = Some(check.summary.clone()).filter(|summary| !summary.is_empty());
    let below = summary.into_iter().chain([when]);
    let below = below.map(|words| Line::Below(2, words));
    std::iter::once(Line::Row(row)).chain(below).collect()
}

fn sentence(alert: &Alert, change: &Wrong, words: &Words) -> String {
    let cluster = wording::name(&alert.cluster);
    let number = |items: &[Item<String, HealthCheck>]| {
        self::number(words, items.iter().map(|item| &item.what))
    };
    let sentence = match alert.kind {
        Kind::Raised => say!(
            words,
            "health-sentence",
            cluster = cluster,
            number = number(&change.new)
        ),
        Kind::Updated => say!(
            words,
            "health-more-sentence",
            cluster = cluster,
            number = number(&change.new),
            all = change.new.len() + change.still.len()
        ),
        Kind::Reminder => say!(
            words,
            "health-still-sentence",
            cluster = cluster,
            number = number(&change.still)
        ),
        Kind::Cleared if alert.never_told => {
            let was = say!(words, "health-was-wrong-sentence", cluster = cluster);
            phrases::sentences(words, &[was, phrases::untold(words)])
        }
        Kind::Cleared if all_recovered(&change.over) => {
            say!(words, "health-fine-sentence", cluster = cluster)
        }
        Kind::Cleared => say!(words, "health-nothing-left-sentence", cluster = cluster),
    };
    let mut down = change.new.iter().chain(&change.still);
    match alert.kind != Kind::Cleared
        && down.any(|item| item.what.severity == HealthSeverity::Error)
    {
        true => phrases::sentences(words, &[sentence, say!(words, "health-error-sentence")]),
        false => sentence,
    }
}
