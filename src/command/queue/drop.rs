//! `petanotify queue drop`: gives up on some pending mails, or on all.

use std::collections::HashSet;
use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::{Context as _, anyhow};
use serde::Serialize;

use super::{Message, line};
use crate::cli;
use crate::command::share::Purpose;
use crate::command::{Context, Done, Stop, load_to_change, print, print_json, read_to_look, save};
use crate::queue::{Entry, MailId, Queue};
use crate::selection::select;
use crate::wording;

/// Takes mails out of the queue. If one of the ids stands for no mail, none is taken.
///
/// # Errors
/// See [`Stop`]: the state can't be read or written, another pass holds the lock, nobody is there to be asked.
pub fn give_up(context: &Context, options: &cli::Drop) -> Result<Done, Stop> {
    let agreed = if options.all && !options.yes {
        match ask(context)? {
            Some(agreed) => Some(agreed),
            None => return Ok(Done::Incomplete),
        }
    } else {
        None
    };
    let (mut change, mut state) = load_to_change(context, Purpose::Change)?;
    let chosen: Vec<&Entry> = match (&agreed, options.all) {
        (Some(agreed), _) => (state.queue.iter())
            .filter(|entry| agreed.contains(&entry.id))
            .collect(),
        (None, true) => state.queue.iter().collect(),
        (None, false) => match select(&state.queue, &options.ids) {
            Ok(chosen) => chosen,
            Err(unclear) => {
                for cause in unclear {
                    context.log.error(format!("nothing was dropped: {cause}"));
                }
                return Ok(Done::Incomplete);
            }
        },
    };
    let ids: HashSet<MailId> = chosen.iter().map(|entry| entry.id.clone()).collect();
    let lines: String = chosen
        .iter()
        .map(|entry| line("dropped", entry, &context.words))
        .collect();
    let dropped = chosen
        .into_iter()
        .map(|entry| Message::of(entry, &context.words))
        .collect();
    if !ids.is_empty() {
        state.queue.remove(&ids);
        save(context, &mut change, &mut state)?;
    }
    if options.format.json {
        print_json(&Document {
            version: 1,
            dropped,
        })?;
    } else if lines.is_empty() && state.queue.is_empty() {
        print("No mail is pending.\n")?;
    } else if lines.is_empty() {
        print("Nothing was dropped: the mails that were asked about have left meanwhile.\n")?;
    } else {
        print(&lines)?;
    }
    Ok(Done::Complete)
}

/// The document of `queue drop --json`.
#[derive(Serialize)]
struct Document {
    version: u32,
    dropped: Vec<Message>,
}

/// Asks the person at the terminal, without the lock, for nobody knows how long the answer takes. What was asked about is
/// what may be dropped: a mail that comes meanwhile stays. `None` when the answer is not yes.
fn ask(context: &Context) -> Result<Option<HashSet<MailId>>, Stop> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Stop::Usage(anyhow!(
            "queue drop --all asks first, and here is no terminal to ask on: say --yes as well to drop all mails unasked"
        )));
    }
    let (state, _) = read_to_look(context)?;
    let queue: Queue = state.queue;
    let agreed = queue.iter().map(|entry| entry.id.clone()).collect();
    if queue.is_empty() || asked(queue.len()).map_err(Stop::Output)? {
        return Ok(Some(agreed));
    }
    print("Nothing was dropped.\n")?;
    Ok(None)
}

fn asked(mails: usize) -> anyhow::Result<bool> {
    let question = format!("Drop {}? [y/N] ", wording::count(mails, "mail"));
    let mut stderr = io::stderr().lock();
    (stderr.write_all(question.as_bytes()))
        .and_then(|()| stderr.flush())
        .context("cannot ask on the terminal")?;
    let mut answer = String::new();
    (io::stdin().lock())
        .read_line(&mut answer)
        .context("cannot read the answer from the terminal")?;
    Ok(is_yes(&answer))
}

fn is_yes(answer: &str) -> bool {
    ["y", "yes"]
        .iter()
        .any(|yes| answer.trim().eq_ignore_ascii_case(yes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        for answer in ["y\n", "Y\n", "yes\n", " YES \r\n"] {
            assert!(is_yes(answer), "{answer:?}");
        }
        for answer in ["", "\n", "n\n", "no\n", "yy\n", "yes, but\n", "all\n"] {
            assert!(!is_yes(answer), "{answer:?}");
        }
    }
}
