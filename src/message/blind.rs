//! What a mail says about what cannot be seen.

use super::document::{Line, Tone};
use super::{Text, checks, commands, phrases, standing};
use crate::alert::Alert;
use crate::check::CheckName;
use crate::check::sight::{Servers, Unseen};
use crate::incident::{Change, Item, Kind};
use crate::say;
use crate::text::one_line;
use crate::wording;
use crate::words::Words;

type Sight = Change<Unseen, String>;

/// What is said in the subject of a mail about an incident of this length.
pub(super) fn subject(alert: &Alert, change: &Sight, length: &str, words: &Words) -> Vec<String> {
    if alert.kind != Kind::Cleared {
        return cannot_see(alert, change, words);
    }
    let checks = checks::list(words, seen_again(change));
    let checks = checks.as_str();
    vec![match (alert.never_told, checks.is_empty()) {
        (true, true) => say!(words, "blind-had-no-leader-title", length = length),
        (true, false) => say!(
            words,
            "blind-could-not-see-title",
            checks = checks,
            length = length
        ),
        (false, true) => say!(words, "blind-has-leader-title"),
        (false, false) if sees_all(alert) => say!(words, "blind-sees-everything-title"),
        (false, false) => say!(words, "blind-sees-again-title", checks = checks),
    }]
}

/// `petanotify cannot see capacity, osds; Consul cannot elect a leader`
pub(super) fn cannot_see_these(
    words: &Words,
    unseen: impl Iterator<Item = Unseen> + Clone,
) -> String {
    let mut checks: Vec<CheckName> = unseen.clone().filter_map(Unseen::check).collect();
    checks.sort();
    let is_leaderless = unseen.into_iter().any(|unseen| unseen == Unseen::Leader);
    let has_checks = !checks.is_empty();
    let checks = checks::list(words, checks.into_iter());
    match (has_checks, is_leaderless) {
        (false, true) => say!(words, "blind-no-leader-title"),
        (_, false) => say!(words, "blind-cannot-see-title", checks = checks),
        (true, true) => say!(
            words,
            "blind-cannot-see-and-no-leader-title",
            checks = checks
        ),
    }
}

fn cannot_see(alert: &Alert, change: &Sight, words: &Words) -> Vec<String> {
    let down = change.new.iter().chain(&change.still);
    let head = cannot_see_these(words, down.map(|item| item.key));
    let Some(leader) = leader(change) else {
        return vec![head];
    };
    let with = |cause: &str| {
        say!(
            words,
            "blind-cause-title",
            what = head.as_str(),
            cause = cause
        )
    };
    let (whole, counted) = match &alert.circumstances.leaderless {
        Some(servers) => (named(servers, words), counted(servers, words)),
        None => {
            let whole = one_line(&leader.what);
            let counted = wording::headline(&whole).to_owned();
            (whole, counted)
        }
    };
    vec![with(&whole), with(&counted), head]
}

/// `2 of 3 servers are gone`
fn counted(servers: &Servers, words: &Words) -> String {
    match (servers.known, servers.gone) {
        (0, _) => say!(words, "servers-unknown"),
        (known, 0) => say!(words, "servers-not-gone", known = known),
        (known, gone) => say!(words, "servers-gone", known = known, gone = gone),
    }
}

/// `2 of 3 servers are gone: node2 (failed), node3 (left)`
fn named(servers: &Servers, words: &Words) -> String {
    let counted = counted(servers, words);
    if servers.named.is_empty() {
        return counted;
    }
    let names = servers.named.iter().map(|(name, absence)| {
        say!(
            words,
            "server-gone",
            name = wording::name(name),
            absence = super::absence(words, *absence)
        )
    });
    let names = phrases::list(words, &Vec::from_iter(names));
    let names = match servers.unnamed() {
        0 => names,
        more => say!(words, "list-and-more", list = names, number = more),
    };
    say!(words, "blind-cause-title", what = counted, cause = names)
}

/// The mail itself.
pub(super) fn text(text: &mut Text<'_>, alert: &Alert, change: &Sight) {
    let words = text.words;
    let cluster = wording::name(&alert.cluster);
    if alert.never_told {
        text.paragraph(&phrases::untold(words));
    }
    if alert.kind == Kind::Cleared {
        over(text, alert, change, &cluster);
    } else {
        frozen(text, alert, change, &cluster);
    }
    let over = change.over.iter().map(|over| {
        let span = text.span(over.was.since, over.was.until);
        checks::row(words, &checks::unseen(words, over.key), &span)
    });
    let over = Vec::from_iter(over);
    text.section_on(Tone::Over, &say!(words, "heading-seen-again"), over);
    let mut look = vec![
        "petanotify check --dry-run -v",
        "ceph status",
        "consul members",
    ];
    if leader(change).is_some() {
        look.push("consul operator raft list-peers -stale");
    }
    text.section(&say!(words, "heading-look-closer"), commands(&look));
}

fn over(text: &mut Text<'_>, alert: &Alert, change: &Sight, cluster: &str) {
    let words = text.words;
    let checks = checks::list(words, seen_again(change));
    text.paragraph(&match (checks.is_empty(), sees_all(alert)) {
        (true, _) => say!(words, "blind-has-leader-sentence", cluster = cluster),
        (false, true) => say!(words, "blind-sees-everything-sentence", cluster = cluster),
        (false, false) => say!(
            words,
            "blind-sees-again-sentence",
            checks = checks,
            cluster = cluster
        ),
    });
}

fn frozen(text: &mut Text<'_>, alert: &Alert, change: &Sight, cluster: &str) {
    let words = text.words;
    let down = || change.new.iter().chain(&change.still);
    let checks = checks::list(words, unseen(change).into_iter());
    if !checks.is_empty() {
        text.paragraph(&say!(
            words,
            "blind-cannot-see-sentence",
            cluster = cluster,
            checks = checks
        ));
    }
    if leader(change).is_some() {
        text.paragraph(&say!(words, "blind-no-leader-sentence", cluster = cluster));
    }
    let below = checks::column(words);
    let mut lines = Vec::new();
    for item in down() {
        let name = checks::unseen(words, item.key);
        let since = text.since(item.since);
        lines.push(Line::Row(checks::row(words, &name, &since)));
        let cause = match (item.key, &alert.circumstances.leaderless) {
            (Unseen::Leader, Some(servers)) => named(servers, words),
            _ => one_line(&item.what),
        };
        lines.push(Line::Below(below, cause));
    }
    text.section_on(Tone::New, &say!(words, "heading-not-seen"), lines);
    let mut known = Vec::new();
    for item in down() {
        let Some(check) = item.key.check() else {
            continue;
        };
        let until = wording::time(item.since, text.zone);
        let until = say!(words, "known-until", time = until);
        if let Some(summary) = alert.circumstances.last_known.get(&check) {
            let name = checks::name(words, check);
            known.push(Line::Row(checks::row(words, &name, &until)));
            known.push(Line::Below(below, standing::known(words, summary)));
        }
    }
    text.section_on(Tone::Still, &say!(words, "heading-last-known"), known);
}

fn leader(change: &Sight) -> Option<&Item<Unseen, String>> {
    let mut down = change.new.iter().chain(&change.still);
    down.find(|item| item.key == Unseen::Leader)
}

/// Whether nothing is left that nobody has been told of: it has just begun, or is silenced.
fn sees_all(alert: &Alert) -> bool {
    alert.circumstances.withheld.is_nothing()
}

/// The checks that cannot be carried out, in order.
fn unseen(change: &Sight) -> Vec<CheckName> {
    let down = change.new.iter().chain(&change.still);
    let mut checks: Vec<CheckName> = down.filter_map(|item| item.key.check()).collect();
    checks.sort();
    checks
}

/// The checks that can be carried out again.
fn seen_again(change: &Sight) -> impl Iterator<Item = CheckName> {
    change.over.iter().filter_map(|over| over.key.check())
}
