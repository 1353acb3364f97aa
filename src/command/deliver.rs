//! Delivering what is due: takes mails from the queue, sends them, writes down at once what became of each.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lettre::Address;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::{Context, Stop};
use crate::alert::Alert;
use crate::message::{self, Sender};
use crate::queue::{Attempt, Entry, Fate, Queue};
use crate::settings::Relay;
use crate::smtp::{Delivery, Outgoing, Session};
use crate::store::Lock;
use crate::text::one_line;
use crate::wording;

/// One pass spends at most so long on mail.
const MAIL_TIME: Duration = Duration::from_secs(50);

/// A pass that is over by then lets the next one start on its minute.
pub(super) const PASS_TIME: Duration = Duration::from_secs(58);

/// However long the checks took, so much is left for mail: else a cluster that answers slowly would never be told of.
const LEAST_MAIL_TIME: Duration = Duration::from_secs(10);

/// How long a pass that has already taken `elapsed` may spend on mail.
pub fn mail_time(elapsed: Duration) -> Duration {
    PASS_TIME
        .saturating_sub(elapsed)
        .clamp(LEAST_MAIL_TIME, MAIL_TIME)
}

/// How a delivery went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Mails that the server took over.
    pub sent: usize,
    /// Attempts that failed, one for each mail that was tried in vain.
    pub failed: usize,
    /// Mails given up after the last attempt.
    pub dropped: usize,
}

/// Set when whoever started petanotify wants it to end (SIGTERM, as systemd sends it; SIGINT, from a keyboard).
#[derive(Debug, Default)]
pub struct Stopping(Arc<AtomicBool>);

impl Stopping {
    /// From now on such a signal no longer ends the process at once but lets it come to a safe point. Before there is
    /// anything to save, the end at once is the safe one.
    pub fn watch() -> Self {
        let stopping = Stopping::default();
        for signal in [SIGTERM, SIGINT] {
            let flag = || Arc::clone(&stopping.0);
            // A second one ends the process where it is; what is on disk is safe. Without a handler so does the first.
            let second = flag::register_conditional_default(signal, flag());
            let _ = second.and_then(|_| flag::register(signal, flag()));
        }
        stopping
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Tries everything that is due, within `time`, and writes down in the queue what became of each. A mail that was sent
/// is on disk as such before the next one is begun.
///
/// # Errors
/// What was sent can't be written down: going on would repeat every further mail as well.
pub fn deliver(
    context: &Context,
    lock: &Lock,
    queue: &mut Queue,
    relay: Relay,
    sender: &Sender,
    time: Duration,
    stopping: &Stopping,
) -> Result<Tally, Stop> {
    let deadline = Instant::now() + time;
    let log = &context.log;
    let mut attempts = HashMap::new();
    let mut tally = Tally::default();
    let mut session = Session::new(relay, log.clone());
    let mut sent = context.store.sent_list(lock).map_err(Stop::State)?;
    let due = queue.due(context.now);
    let mails = due.iter().map(|entry| (entry, compose(entry, sender)));
    let mut mails = mails.enumerate().peekable();
    let progress = log.counting("tried", due.len(), "mail");
    while let Some((tried, (entry, mail))) = mails.next() {
        progress.reached(tried);
        if stopping.is_set() {
            log.warning(format!(
                "told to end, so {} must wait for the next pass",
                wording::count(due.len() - tried, "mail")
            ));
            break;
        }
        if Instant::now() >= deadline {
            log.warning(format!(
                "no time is left in this pass for {}",
                wording::count(due.len() - tried, "mail")
            ));
            break;
        }
        let delivery = match &mail {
            Ok(mail) => {
                let upcoming = mails.peek().and_then(|(_, (_, mail))| mail.as_ref().ok());
                let upcoming = upcoming.map(|mail| outgoing(mail, sender));
                session.send(&outgoing(mail, sender), upcoming.as_ref(), deadline)
            }
            Err(delivery) => delivery.clone(),
        };
        let attempt = match delivery {
            Delivery::Accepted(words) => {
                sent.add(&entry.id).map_err(Stop::State)?;
                let (mail, words) = (describe(entry), one_line(&words));
                let attempt = entry.attempts.saturating_add(1);
                log.notice(format!(
                    "{mail} sent: {words}; {} attempt={attempt}",
                    details(&entry.alert)
                ));
                tally.sent += 1;
                Attempt::Sent
            }
            Delivery::Refused(words) => Attempt::Refused(one_line(&words)),
            Delivery::Deferred(words) | Delivery::InDoubt(words) => {
                Attempt::Failed(one_line(&words))
            }
            Delivery::RelayDown(words) => {
                // Asked once for all of them.
                let failed = Attempt::Failed(one_line(&words));
                let rest = due[tried..].iter().map(|e| (e.id.clone(), failed.clone()));
                attempts.extend(rest);
                break;
            }
        };
        attempts.insert(entry.id.clone(), attempt);
    }
    session.close();
    let max_attempts = context.settings.smtp.max_attempts;
    queue.settle(attempts, context.now, max_attempts, |entry, fate| {
        tally.failed += 1;
        tally.dropped += usize::from(fate == Fate::Dropped);
        report_failure(context, entry, fate);
    });
    Ok(tally)
}

/// Says why mail stays queued, each cause in one line.
pub fn report_left_over(context: &Context, queue: &Queue) {
    for (cause, number) in queue.left_over() {
        let stay = if number == 1 { "stays" } else { "stay" };
        let mails = wording::count(number, "mail");
        context.log.error(format!("{mails} {stay} queued: {cause}"));
    }
}

fn report_failure(context: &Context, entry: &Entry, fate: Fate) {
    let mail = describe(entry);
    let attempt = entry.attempts;
    let words = entry.last_error.as_deref().unwrap_or_default();
    let details = format!("{} attempt={attempt}", details(&entry.alert));
    let log = &context.log;
    let failed = || format!("{mail}: attempt {attempt} failed: {words}; {details}");
    match fate {
        Fate::Dropped => log.error(format!(
            "{mail}: dropped after {attempt} attempts: {words}; {details}"
        )),
        Fate::Kept { logged: true } => log.warning(failed()),
        Fate::Kept { logged: false } => log.info(failed()),
    }
}

/// What a program looks for in a line of the log. It stands at the end, for the words of others may say anything.
pub(super) fn details(alert: &Alert) -> String {
    format!("check={} incident={}", alert.report.topic(), alert.incident)
}

/// A mail and whom it is for, or why there is none.
fn compose<'a>(entry: &'a Entry, sender: &Sender) -> Result<(&'a Address, Vec<u8>), Delivery> {
    let Some(to) = &entry.to else {
        let words = "nobody to send it to is known yet";
        return Err(Delivery::Deferred(words.to_owned()));
    };
    match message::compose(entry, to, sender) {
        Ok(mail) => Ok((to, mail)),
        Err(error) => Err(Delivery::Refused(format!("{error:#}"))),
    }
}

fn outgoing<'a>((to, message): &'a (&Address, Vec<u8>), sender: &'a Sender) -> Outgoing<'a> {
    Outgoing {
        from: &sender.from.email,
        to,
        message,
    }
}

fn describe(entry: &Entry) -> String {
    let to = match &entry.to {
        Some(to) => to.to_string(),
        None => "nobody yet".to_owned(),
    };
    format!(
        "mail {} to {to}, \"{}\"",
        entry.id,
        message::subject(&entry.alert)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_ends_before_the_next_pass_begins() {
        for (elapsed, time) in [(0, 50), (8, 50), (9, 49), (48, 10), (90, 10)] {
            let elapsed = Duration::from_secs(elapsed);
            assert_eq!(mail_time(elapsed), Duration::from_secs(time), "{elapsed:?}");
        }
    }
}
