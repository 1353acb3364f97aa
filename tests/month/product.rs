//! petanotify's own judge, queue and state, driven as `petanotify check` drives them: only the clock, the cluster and the
//! mail server are simulated.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use petanotify::alert::{Alert, Observed, Present, Rules, judge_pass};
use petanotify::audience::{catch_up, forget_what_is_over};
use petanotify::check::CheckName;
use petanotify::incident::Ack;
use petanotify::late::bring_up_to_date;
use petanotify::message;
use petanotify::queue::{Attempt, Entry, Recovery};
use petanotify::settings::{Checks, HealthRules, Notify, Recipient};
use petanotify::silence::{Scope, Silence, next_id};
use petanotify::state::{self, State};
use petanotify::words::{Language, Words};

use crate::world::{Admin, node_name};

const CLUSTER: &str = "prod";

/// After so many attempts a mail is dropped (`smtp.max_attempts`).
const MAX_ATTEMPTS: u32 = 1440;

static ENGLISH: LazyLock<Words> = LazyLock::new(|| Words::of(Language::English));

/// The subject of the mail about an alert.
pub(crate) fn subject(alert: &Alert) -> String {
    message::subject(alert, &ENGLISH)
}

/// petanotify with its state.
pub(crate) struct Product {
    state: State,
    pub(crate) checks: Checks,
    pub(crate) notify: Notify,
    recipients: Vec<Recipient>,
}

/// The recipients, with the checks that they have asked for.
pub(crate) const RECIPIENTS: [(&str, &[CheckName]); 3] = [
    ("ops@example.org", &CheckName::ALL),
    ("disks@example.org", &[CheckName::Capacity, CheckName::Osds]),
    ("hosts@example.org", &[CheckName::Nodes]),
];

/// Somebody who wants to hear of everything and comes later.
pub(crate) const NEWCOMER: &str = "new@example.org";

/// Who has quiet hours at times, and which.
pub(crate) const SLEEPER: &str = "disks@example.org";
const HOURS: &str = "22:00-07:00";

impl Product {
    /// An admin has done this, just before the pass of this moment.
    pub(crate) fn admin(&mut self, admin: Admin, now: Timestamp) {
        let seconds = |time: Option<u64>| time.map(Duration::from_secs);
        match admin {
            Admin::Silence(node, length) => {
                let silences = &mut self.state.memory.silences;
                silences.push(Silence {
                    id: next_id(silences),
                    scope: Scope {
                        nodes: [node_name(node)].into(),
                        ..Scope::default()
                    },
                    since: now,
                    until: now + SignedDuration::from_secs(length),
                    why: None,
                    by: None,
                });
            }
            Admin::Acknowledge(topic) => {
                let ack = Ack {
                    at: now,
                    why: None,
                    by: None,
                };
                self.state.memory.acknowledge(topic, Some(ack));
            }
            Admin::RemindEvery(time) => self.notify.remind_every = seconds(time),
            Admin::HoldWhileNoOut(time) => self.checks.hold_while_noout = seconds(time),
            Admin::QuietHours(on) => {
                let sleeper = self.recipients.iter_mut();
                for sleeper in sleeper.filter(|r| r.address.to_string() == SLEEPER) {
                    sleeper.quiet_hours = on.then(|| HOURS.parse().unwrap());
                }
            }
            Admin::Newcomer(true) => {
                let address = NEWCOMER.parse().unwrap();
                self.recipients.push(Recipient::of_everything(address));
            }
            Admin::Newcomer(false) => self
                .recipients
                .retain(|r| r.address.to_string() != NEWCOMER),
            Admin::Health(on) => self.checks.health = on.then(HealthRules::default),
        }
    }

    /// Whether mails that are not critical reach this recipient now.
    pub(crate) fn reaches(&self, address: &str, now: Timestamp) -> bool {
        let recipient = self
            .recipients
            .iter()
            .find(|r| r.address.to_string() == address);
        recipient.is_some_and(|recipient| {
            let hours = recipient.quiet_hours.as_ref();
            hours.is_none_or(|hours| hours.end(now, &TimeZone::UTC).is_none())
        })
    }

    pub(crate) fn new(now: Timestamp) -> Self {
        Product {
            state: State::beginning(now),
            checks: Checks::default(),
            notify: Notify::default(),
            recipients: RECIPIENTS
                .iter()
                .map(|(address, checks)| Recipient {
                    checks: checks.to_vec(),
                    ..Recipient::of_everything(address.parse().unwrap())
                })
                .collect(),
        }
    }

    /// One pass; the mails that the mail server has taken, if it takes any.
    pub(crate) fn pass(&mut self, now: Timestamp, observed: Observed, mail: bool) -> Vec<Entry> {
        let rules = Rules {
            checks: &self.checks,
            notify: &self.notify,
            nodes_prefix: "PetaSAN/Nodes/",
            cluster: CLUSTER,
        };
        let state = &mut self.state;
        state.set_clock(now);
        let verdict = judge_pass(std::mem::take(&mut state.memory), observed, rules, now);
        state.memory = verdict.memory;
        let recipients = &self.recipients;
        let State { memory, queue, .. } = state;
        let audiences = &mut memory.audiences;
        audiences.forget_others(queue, recipients, |_| {});
        audiences.address(queue, recipients, Recovery::Told);
        let quiet = verdict.alerts.is_empty() && queue.is_empty();
        for alert in verdict.alerts {
            audiences.tell(queue, &alert, alert.raised, recipients, Recovery::Told);
        }
        let present = Present {
            around: &verdict.around,
            rules,
            now,
        };
        catch_up(memory, queue, recipients, present);
        forget_what_is_over(memory, queue);
        bring_up_to_date(memory, queue, present);
        queue.keep_hours(recipients, |hours| hours.end(now, &TimeZone::UTC), now);
        let mut taken = Vec::new();
        if !state.queue.is_empty() {
            let due: Vec<Entry> = state.queue.due(now).into_iter().cloned().collect();
            let attempt = match mail {
                true => Attempt::Sent,
                false => Attempt::Failed("connection refused".to_owned()),
            };
            let attempts: HashMap<_, _> = due
                .iter()
                .map(|entry| (entry.id.clone(), attempt.clone()))
                .collect();
            state.queue.settle(attempts, now, MAX_ATTEMPTS, |_, _| {});
            if mail {
                taken = due;
            }
        }
        if !quiet {
            self.through_the_file();
        }
        taken
    }

    /// What the state file does not keep is forgotten.
    pub(crate) fn through_the_file(&mut self) {
        let document = state::render(&self.state).unwrap();
        let read = state::parse(&document).unwrap();
        assert_eq!(read, self.state, "the state file keeps all");
        self.state = read;
    }
}
