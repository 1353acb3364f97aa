//! What a mail says about what cannot be seen.

use super::document::{Line, Tone};
use super::{Text, UNTOLD, commands, down_keys};
use crate::alert::Alert;
use crate::check::sight::Unseen;
use crate::incident::{Change, Item, Kind};
use crate::text::one_line;
use crate::wording;
use crate::words::Words;

type Sight = Change<Unseen, String>;

/// What is said in the subject of a mail about an incident of this length.
pub(super) fn subject(alert: &Alert, change: &Sight, length: &str, _words: &Words) -> Vec<String> {
    let checks = seen_again(change).join(", ");
    if alert.kind != Kind::Cleared {
        let down = down_keys(change);
        let head = wording::cannot_see(down.into_iter().copied());
        let Some(Item { what, .. }) = leader(change) else {
            return vec![head];
        };
        let servers = one_line(what);
        let counted = wording::headline(&servers);
        return vec![
            format!("{head}: {servers}"),
            format!("{head}: {counted}"),
            head,
        ];
    }
    vec![match (alert.never_told, checks.is_empty()) {
        (true, true) => format!("Consul had no leader for {length}"),
        (true, false) => format!("petanotify could not see {checks} for {length}"),
        (false, true) => "Consul has a leader again".to_owned(),
        (false, false) if sees_all(alert) => "petanotify can see everything again".to_owned(),
        (false, false) => format!("petanotify can see {checks} again"),
    }]
}

/// The mail itself.
pub(super) fn text(text: &mut Text<'_>, alert: &Alert, change: &Sight) {
    let cluster = wording::name(&alert.cluster);
    if alert.never_told {
        text.paragraph(UNTOLD);
    }
    if alert.kind == Kind::Cleared {
        over(text, alert, change, &cluster);
    } else {
        frozen(text, alert, change, &cluster);
    }
    let over = change.over.iter().map(|over| {
        let span = text.span(over.was.since, over.was.until);
        format!("{:<8}  {span}", over.key)
    });
    let over = Vec::from_iter(over);
    text.section_on(Tone::Over, "Seen again, was not seen from", over);
    let mut look = vec![
        "petanotify check --dry-run -v",
        "ceph status",
        "consul members",
    ];
    if leader(change).is_some() {
        look.push("consul operator raft list-peers -stale");
    }
    text.section("Look closer with", commands(&look));
}

fn over(text: &mut Text<'_>, alert: &Alert, change: &Sight, cluster: &str) {
    let checks = seen_again(change);
    if !checks.is_empty() {
        let which = match sees_all(alert) {
            true => "all its checks".to_owned(),
            false => format!("these checks ({})", checks.join(", ")),
        };
        text.paragraph(&format!(
            "petanotify can carry out {which} of cluster {cluster} again. What has changed \
             meanwhile is told in mails of its own."
        ));
    } else {
        text.paragraph(&format!("Consul of cluster {cluster} has a leader again."));
    }
}

fn frozen(text: &mut Text<'_>, alert: &Alert, change: &Sight, cluster: &str) {
    let down = || change.new.iter().chain(&change.still);
    let checks: Vec<_> = down().filter_map(|item| item.key.check()).collect();
    let mut names = checks.clone();
    names.sort();
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    if !checks.is_empty() {
        let names = names.join(", ");
        text.paragraph(&format!(
            "petanotify cannot see the state of cluster {cluster}: {names} could not be checked for \
             some time. Until it can, no alert about them will come, and what was told before \
             stands."
        ));
    }
    if leader(change).is_some() {
        text.paragraph(&format!(
            "Consul of cluster {cluster} has no leader, for too few of its servers agree. What \
             needs Consul stands still, as PetaSAN's services do. Nodes are still watched, by \
             the list that this agent knew last."
        ));
    }
    let mut lines = Vec::new();
    for item in down() {
        let since = text.since(item.since);
        lines.push(Line::Row(format!("{:<8}  {since}", item.key)));
        lines.push(Line::Below(10, one_line(&item.what)));
    }
    text.section_on(Tone::New, "Not seen", lines);
    let mut known = Vec::new();
    for item in down() {
        let Some(check) = item.key.check() else {
            continue;
        };
        let until = wording::time(item.since, text.zone);
        if let Some(summary) = alert.circumstances.last_known.get(&check) {
            known.push(Line::Row(format!("{check:<8}  until {until}")));
            known.push(Line::Below(10, one_line(summary)));
        }
    }
    text.section_on(Tone::Still, "Last known, and frozen since", known);
}

fn leader(change: &Sight) -> Option<&Item<Unseen, String>> {
    let mut down = change.new.iter().chain(&change.still);
    down.find(|item| item.key == Unseen::Leader)
}

/// Whether nothing is left that nobody has been told of: it has just begun, or is silenced.
fn sees_all(alert: &Alert) -> bool {
    alert.circumstances.withheld.is_nothing()
}

/// The checks that can be carried out again.
fn seen_again(change: &Sight) -> Vec<String> {
    let checks = change.over.iter().filter_map(|over| over.key.check());
    checks.map(|check| check.to_string()).collect()
}
