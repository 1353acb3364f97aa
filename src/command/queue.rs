//! `petanotify queue`: the pending mails. Here is `list`, from the state file alone; the others have modules of their own.

pub mod drop;
pub mod flush;
pub mod show;

use serde::Serialize;

use super::{Context, Done, Stop, print, print_json, read_to_look};
use crate::cli::Json;
use crate::incident::age;
use crate::message;
use crate::queue::{Entry, Queue};
use crate::text::fit;
use crate::wording;
use crate::words::Words;

/// Lists the pending mails, oldest first.
///
/// # Errors
/// The state can't be read.
pub fn list(context: &Context, format: Json) -> Result<Done, Stop> {
    let (state, _) = read_to_look(context)?;
    let queue = state.queue;
    if format.json {
        print_json(&Document {
            version: 1,
            messages: (queue.iter())
                .map(|entry| Message::of(entry, &context.words))
                .collect(),
        })?;
    } else {
        print(&table(&queue, context))?;
    }
    Ok(Done::Complete)
}

/// The document of `queue list --json`.
#[derive(Serialize)]
struct Document {
    version: u32,
    messages: Vec<Message>,
}

#[derive(Serialize)]
struct Message {
    id: String,
    check: &'static str,
    kind: &'static str,
    raised: jiff::Timestamp,
    to: Option<String>,
    subject: String,
    /// Of a digest alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    alerts: Option<usize>,
    attempts: u32,
    last_attempt: Option<jiff::Timestamp>,
    next_attempt: Option<jiff::Timestamp>,
    /// In quiet hours alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_until: Option<jiff::Timestamp>,
    last_error: Option<String>,
}

impl Message {
    fn of(entry: &Entry, words: &Words) -> Self {
        Message {
            id: entry.id.to_string(),
            check: entry.alert.report.topic().as_str(),
            kind: entry.alert.kind.as_str(),
            raised: entry.raised,
            to: entry.to.as_ref().map(ToString::to_string),
            subject: message::subject_of(entry, words),
            alerts: entry.is_digest().then(|| entry.alerts().count()),
            attempts: entry.attempts,
            last_attempt: entry.last_attempt,
            // Before both are over it is not tried.
            next_attempt: entry.next_attempt.max(entry.held_until),
            held_until: entry.held_until,
            last_error: entry.last_error.clone(),
        }
    }
}

/// One line about what became of a mail.
fn line(what: &str, entry: &Entry, words: &Words) -> String {
    let to = match &entry.to {
        Some(to) => to.to_string(),
        None => "(nobody to tell yet)".to_owned(),
    };
    let subject = message::subject_of(entry, words);
    format!("{what:<9}  {}  {to}  {subject}\n", entry.id)
}

/// Two lines for each mail: what it is, and below it why it is still here.
fn table(queue: &Queue, context: &Context) -> String {
    if queue.is_empty() {
        return "No mail is pending.\n".to_owned();
    }
    let style = &context.style;
    let mut text = style.bold(&format!(
        "{:<12}  {:<9}  {:>5}  {:<9}  {}\n",
        "ID", "RAISED", "TRIES", "NEXT TRY", "TO, SUBJECT, LAST ERROR"
    ));
    let room = style.width.saturating_sub(43).max(20);
    for entry in queue {
        let next = match entry.next_attempt {
            _ if entry.held_until.is_some() => "held".to_owned(),
            Some(next) if next > context.now => {
                format!("in {}", wording::duration(age(context.now, next)))
            }
            _ => "next pass".to_owned(),
        };
        let to = match &entry.to {
            Some(to) => to.to_string(),
            None => "(nobody to tell yet)".to_owned(),
        };
        let head = format!(
            "{:<12}  {:<9}  {:>5}  {next:<9}  ",
            entry.id,
            wording::duration(age(entry.raised, context.now)),
            entry.attempts,
        );
        text.push_str(&format!("{head}{}\n", fit(&to, room)));
        let indent = " ".repeat(43);
        text.push_str(&format!(
            "{indent}{}\n",
            fit(&message::subject_of(entry, &context.words), room)
        ));
        if let Some(until) = entry.held_until {
            let until = wording::time(until, &context.zone);
            let held = format!("held until {until}");
            text.push_str(&format!("{indent}{}\n", fit(&held, room)));
        }
        if let Some(error) = &entry.last_error {
            text.push_str(&format!(
                "  {}\n",
                style.red(&fit(error, style.width.saturating_sub(2)))
            ));
        }
    }
    text
}
