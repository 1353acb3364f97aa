//! Mails about what Ceph itself finds wrong: subjects and text. Pure.

use std::cmp::Reverse;

use super::document::{Line, Tone};
use super::{LISTED, Text, UNTOLD, all_recovered, commands, named};
use crate::alert::Alert;
use crate::facts::{HealthCheck, HealthSeverity};
use crate::incident::{Change, Ending, Item, Kind, OverItem};
use crate::wording;
use crate::words::Words;

type Wrong = Change<String, HealthCheck>;

/// `Ceph health: 2 errors: PG_DAMAGED, OSD_SCRUB_ERRORS`, and shorter ones.
pub(super) fn wrong(change: &Wrong, _words: &Words) -> Vec<String> {
    // The culprit first: errors before warnings, and what is new before what has been told.
    let mut all: Vec<(&Item<String, HealthCheck>, bool)> =
        (change.new.iter().map(|item| (item, false)))
            .chain(change.still.iter().map(|item| (item, true)))
            .collect();
    all.sort_by_key(|(item, told)| (Reverse(item.what.severity), *told));
    let number = wording::health::number(all.iter().map(|(item, _)| &item.what));
    let head = format!("Ceph health: {number}");
    let codes: Vec<&String> = all.iter().map(|(item, _)| &item.key).collect();
    let mut wordings = with_codes(&head, &codes);
    if let [first, others @ ..] = codes.as_slice()
        && !others.is_empty()
    {
        let first = wording::name(first);
        wordings.push(format!("{head}: {first} and {} more", others.len()));
    }
    wordings.push(head);
    wordings
}

/// `Ceph health was not fine: PG_DAMAGED (17 min)`
pub(super) fn was_wrong(change: &Wrong, length: &str, _words: &Words) -> Vec<String> {
    let codes: Vec<&String> = change.over.iter().map(|over| &over.key).collect();
    let head = "Ceph health was not fine";
    let mut wordings = with_codes(head, &codes);
    wordings.push(head.to_owned());
    let timed = wordings
        .into_iter()
        .map(|words| format!("{words} ({length})"));
    timed.collect()
}

fn with_codes(head: &str, codes: &[&String]) -> Vec<String> {
    let codes = named(codes, |code| wording::name(code));
    codes
        .into_iter()
        .map(|codes| format!("{head}: {codes}"))
        .collect()
}

/// Whether all is fine, or what is left does not count any more.
pub(super) fn cleared(change: &Wrong, _words: &Words) -> Vec<String> {
    let words = match all_recovered(&change.over) {
        true => "Ceph health is fine again",
        false => "Ceph health: nothing is left that counts",
    };
    vec![words.to_owned()]
}

pub(super) fn text(text: &mut Text<'_>, alert: &Alert, change: &Wrong) {
    text.paragraph(&sentence(alert, change));
    for (tone, heading, items) in [
        (Tone::New, "New", &change.new),
        (Tone::Still, "Still wrong", &change.still),
    ] {
        let lines = items.iter().take(LISTED).flat_map(|item| {
            let row = format!("{}  {}", wording::name(&item.key), item.what.severity);
            row_and_more(row, &item.what, text.since(item.since))
        });
        let lines: Vec<Line> = lines.chain(more(items.len())).collect();
        text.section_on(tone, heading, lines);
    }
    for (ending, heading) in [
        (Ending::Recovered, "Fine again, was wrong from"),
        (
            Ending::Removed,
            "Still there, but muted or otherwise left out now; was wrong from",
        ),
    ] {
        let over = change.over.iter().filter(|over| over.was.ending == ending);
        let all = over.clone().count();
        let line = |over: &OverItem<String, HealthCheck>| {
            let span = text.span(over.was.since, over.was.until);
            row_and_more(wording::name(&over.key), &over.was.what, span)
        };
        let lines: Vec<Line> = over.take(LISTED).flat_map(line).chain(more(all)).collect();
        text.section_on(Tone::Over, heading, lines);
    }
    text.section("Look closer with", commands(&["ceph health detail"]));
}

/// What is said of those that are not listed.
fn more(all: usize) -> Option<Line> {
    let more = all.checked_sub(LISTED).filter(|more| *more > 0)?;
    Some(Line::Row(format!("... and {more} more")))
}

/// What it is, and below it what Ceph says of it and since when: some codes are so long that nothing fits beside them.
fn row_and_more(row: String, check: &HealthCheck, when: String) -> Vec<Line> {
    let summary = Some(check.summary.clone()).filter(|summary| !summary.is_empty());
    let below = summary.into_iter().chain([when]);
    let below = below.map(|words| Line::Below(2, words));
    std::iter::once(Line::Row(row)).chain(below).collect()
}

fn sentence(alert: &Alert, change: &Wrong) -> String {
    let cluster = wording::name(&alert.cluster);
    let number = |items: &[Item<String, HealthCheck>]| {
        wording::health::number(items.iter().map(|item| &item.what))
    };
    let mut sentence = match alert.kind {
        Kind::Raised => format!(
            "Ceph reports about cluster {cluster}: {}.",
            number(&change.new)
        ),
        Kind::Updated => format!(
            "Ceph reports about cluster {cluster}, new: {}. In all by now: {}.",
            number(&change.new),
            change.new.len() + change.still.len()
        ),
        Kind::Reminder => {
            format!(
                "Ceph still reports about cluster {cluster}: {}.",
                number(&change.still)
            )
        }
        Kind::Cleared if alert.never_told => {
            format!("Ceph reported something about cluster {cluster}. {UNTOLD}")
        }
        Kind::Cleared if all_recovered(&change.over) => {
            format!("What Ceph reported about cluster {cluster} is over.")
        }
        Kind::Cleared => format!(
            "Of what Ceph reported about cluster {cluster} nothing is left that counts; see below \
             what is still there."
        ),
    };
    let down = change.new.iter().chain(&change.still);
    let errors = down.filter(|item| item.what.severity == HealthSeverity::Error);
    if alert.kind != Kind::Cleared && errors.count() > 0 {
        sentence.push_str(
            " An error means that data are damaged, full or out of reach, or will be if nobody acts.",
        );
    }
    sentence
}
