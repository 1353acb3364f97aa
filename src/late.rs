//! Mails that wait are brought up to date: who reads "92 OSDs down" hours later, when the mail server is back, would believe
//! it, though all but four are up again. What goes down meanwhile, and the end, overtake such a mail; that a part is up again
//! does not, for that alone is worth no mail. Pure.
//!
//! It stays the mail that it was: its id, its place in the thread, its date, and whom it is for.

use crate::alert::{Alert, Circumstances, Memory, Present, Report, State, Topic};
use crate::alert::{elsewhere, severity_of};
use crate::incident::{Change, Incident, Kind, Watch};
use crate::queue::Queue;
use crate::standing::{Elsewhere, open_incidents};

/// Makes each mail that waits since an earlier pass tell how things stand now, where its incident lasts and this pass could
/// see.
///
/// What its recipient has not been told stays new, what is over by now is told as over, and if nothing of it is new any more
/// it tells, like a reminder, that the rest lasts. It is no less serious than it was: whoever was to be woken by it is. As
/// long as nothing is left that may be told as down, it stays as it is: the mail that follows is under way.
pub fn bring_up_to_date(memory: &Memory, queue: &mut Queue, present: Present<'_>) {
    if queue.is_empty() {
        return;
    }
    let waits = |alert: &Alert| alert.kind != Kind::Cleared && alert.as_of() < present.now;
    let seen = Topic::ALL
        .into_iter()
        .filter(|topic| is_seen(memory, *topic));
    let open = seen.filter_map(|topic| Some((topic, memory.incident(topic)?)));
    let concerned = open.filter(|(topic, incident)| {
        let mut alerts = queue.alerts();
        alerts.any(|alert| is_of(alert, *topic, incident) && waits(alert))
    });
    let concerned: Vec<(Topic, &Incident)> = concerned.collect();
    if concerned.is_empty() {
        return;
    }
    let open = open_incidents(memory);
    for (topic, incident) in concerned {
        let stands = Stands {
            memory,
            elsewhere: elsewhere(&open, topic),
            circumstances: Circumstances {
                as_of: Some(present.now),
                ..present.circumstances(memory, topic)
            },
        };
        // Mostly all who are told of an incident are told the same.
        let mut last: Option<(Alert, Option<Alert>)> = None;
        for alert in queue.alerts_mut() {
            if !is_of(alert, topic, incident) || !waits(alert) {
                continue;
            }
            let known = last.take().filter(|(before, _)| before == alert);
            let (_, after) = last.insert(known.unwrap_or_else(|| {
                let after = stands.renewed(alert);
                (alert.clone(), after)
            }));
            if let Some(after) = after {
                alert.clone_from(after);
            }
        }
    }
}

fn is_of(alert: &Alert, topic: Topic, incident: &Incident) -> bool {
    alert.report.topic() == topic && alert.incident == incident.id
}

/// Whether the last pass could carry out the check; else what is remembered is how things stood before.
fn is_seen(memory: &Memory, topic: Topic) -> bool {
    let mut outcomes = memory.outcomes.iter();
    let outcome = outcomes.find(|(check, _)| check.as_str() == topic.as_str());
    outcome.is_none_or(|(_, outcome)| outcome.state != State::Unknown)
}

/// How it stands with an incident now.
struct Stands<'a> {
    memory: &'a Memory,
    elsewhere: Vec<Elsewhere>,
    circumstances: Circumstances,
}

impl Stands<'_> {
    /// This alert as it would be raised now; `None` where nothing is left of it that may be told as down.
    fn renewed(&self, alert: &Alert) -> Option<Alert> {
        let memory = self.memory;
        let report = match &alert.report {
            Report::Capacity(_) => memory.capacity.last.map(Report::Capacity),
            Report::Nodes(change) => renew(&memory.nodes, change).map(Report::Nodes),
            Report::Osds(change) => renew(&memory.osds, change).map(Report::Osds),
            Report::Health(change) => renew(&memory.health, change).map(Report::Health),
            Report::Blind(change) => renew(&memory.blind, change).map(Report::Blind),
        }?;
        let kind = match alert.kind {
            Kind::Updated if !report.has_news() => Kind::Reminder,
            kind => kind,
        };
        let severity = severity_of(memory, kind, &report).max(alert.severity());
        Some(Alert {
            kind,
            report,
            elsewhere: self.elsewhere.clone(),
            circumstances: Circumstances {
                mark: alert.circumstances.mark,
                severity,
                ..self.circumstances.clone()
            },
            ..alert.clone()
        })
    }
}

fn renew<K: Ord + Clone, T: Clone>(
    watch: &Watch<K, T>,
    waiting: &Change<K, T>,
) -> Option<Change<K, T>> {
    let change = watch.renew(waiting);
    (!change.new.is_empty() || !change.still.is_empty()).then_some(change)
}

#[cfg(test)]
mod tests;
