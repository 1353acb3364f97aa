//! `petanotify queue flush`: tries all pending mails now, also those that wait for their hour.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::line;
use crate::cli::Json;
use crate::command::deliver::{Stopping, deliver, mail_time, report_left_over};
use crate::command::observe::Keep;
use crate::command::route::{Route, recovery};
use crate::command::share::Purpose;
use crate::command::{Context, Done, Stop, load_to_change, print, print_json, save};
use crate::message;
use crate::queue::{Entry, MailId, Queue};
use crate::state::State;
use crate::wording;
use crate::words::Words;

/// Tries all pending mails once, for as long as a pass may take, and saves what became of them. The cluster is not checked.
/// An attempt counts as one of a pass does, but none is given up here.
///
/// # Errors
/// The lock can't be had, or the state not be read or written: see [`Stop`].
pub fn flush(mut context: Context, format: Json) -> Result<Done, Stop> {
    let begin = Instant::now();
    let (mut change, mut state) = load_to_change(&context, Purpose::Send)?;
    let mut before = Vec::new();
    let mut delivered = false;
    if !state.queue.is_empty() {
        let route = Route::asked(&context, Keep::Yes);
        let State { memory, queue, .. } = &mut state;
        let audiences = &mut memory.audiences;
        audiences.address(queue, &route.recipients, recovery(&context));
        before.extend(state.queue.iter().cloned());
        state.queue.make_due();
        // What is to be sent is on disk, addressed as it will be, before the first of it leaves.
        save(&context, &mut change, &mut state)?;
        let elsewhere = change
            .share
            .as_ref()
            .and_then(|share| share.other_speaker());
        if let Some(speaker) = elsewhere {
            context.log.notice(format!(
                "{} speaks, and tries all of it in its next pass",
                wording::name(speaker)
            ));
        } else if let Some(ways) = route.usable_ways(&context) {
            let mut ways = ways.clone();
            // Whoever wants to have mails sent does not want them to wait.
            if let Some(command) = &mut ways.fallback {
                command.after = Duration::ZERO;
            }
            let time = mail_time(begin.elapsed());
            // Whoever wants to have mails sent does not want them dropped; and what is gone afterwards was sent.
            context.settings.smtp.max_attempts = u32::MAX;
            context.log = context.log.leaving_the_account_to_stdout();
            let queue = &mut state.queue;
            let stopping = Stopping::watch();
            let share = change.share.as_deref();
            deliver(&context, &change.lock, queue, &ways, time, &stopping, share)?;
            if let Some(share) = &change.share {
                share.take_down_sent(&mut state);
            }
            save(&context, &mut change, &mut state)?;
            delivered = true;
        }
    }
    let tried = Tried::compare(&before, &state.queue);
    if format.json {
        print_json(&Document {
            version: 1,
            sent: tried.iter().filter(|t| t.outcome == Outcome::Sent).count(),
            queued: state.queue.len(),
            messages: tried
                .iter()
                .map(|tried| Message::of(tried, &context.words))
                .collect(),
        })?;
    } else if tried.is_empty() {
        print("No mail is pending.\n")?;
    } else {
        let lines = tried
            .iter()
            .map(|t| line(t.outcome.in_words(), t.entry, &context.words));
        print(&lines.collect::<String>())?;
    }
    if delivered {
        report_left_over(&context, &state.queue);
    }
    Ok(if state.queue.is_empty() {
        Done::Complete
    } else {
        Done::Incomplete
    })
}

/// What became of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// The server has taken it over.
    Sent,
    /// It was tried in vain.
    Failed,
    /// There was no mail server, no recipient or no time.
    NotTried,
}

impl Outcome {
    fn in_words(self) -> &'static str {
        match self {
            Outcome::Sent => "sent",
            Outcome::Failed => "failed",
            Outcome::NotTried => "not tried",
        }
    }
}

/// A mail as it is now, or as it was before it was sent.
struct Tried<'a> {
    entry: &'a Entry,
    outcome: Outcome,
}

impl<'a> Tried<'a> {
    fn compare(before: &'a [Entry], after: &'a Queue) -> Vec<Tried<'a>> {
        let after: HashMap<&MailId, &Entry> = after.iter().map(|e| (&e.id, e)).collect();
        let tried = before.iter().map(|old| match after.get(&old.id) {
            None => Tried {
                entry: old,
                outcome: Outcome::Sent,
            },
            Some(entry) => Tried {
                entry,
                outcome: if entry.attempts > old.attempts {
                    Outcome::Failed
                } else {
                    Outcome::NotTried
                },
            },
        });
        tried.collect()
    }
}

/// The document of `queue flush --json`.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    sent: usize,
    queued: usize,
    messages: Vec<Message<'a>>,
}

#[derive(Serialize)]
struct Message<'a> {
    id: &'a MailId,
    to: Option<String>,
    subject: String,
    outcome: Outcome,
    attempts: u32,
    last_error: Option<&'a str>,
}

impl<'a> Message<'a> {
    fn of(tried: &Tried<'a>, words: &Words) -> Self {
        let Tried { entry, outcome } = *tried;
        let sent = outcome == Outcome::Sent;
        Message {
            id: &entry.id,
            to: entry.to.as_ref().map(ToString::to_string),
            subject: message::subject_of(entry, words),
            outcome,
            attempts: entry.attempts.saturating_add(u32::from(sent)),
            last_error: entry.last_error.as_deref().filter(|_| !sent),
        }
    }
}
