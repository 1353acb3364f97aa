//! `petanotify queue show`: one pending mail, whole, from the state and the settings; the cluster is not asked.

use anyhow::Context as _;
use lettre::Address;
use lettre::message::Mailbox;
use serde::Serialize;

use super::Message;
use crate::cli;
use crate::command::route::{Route, sender};
use crate::command::{Context, Done, Stop, print, print_json, read_to_look};
use crate::message::{self, Sender};
use crate::output;
use crate::queue::Entry;
use crate::selection::select;

/// Stands where a sender or a recipient will be once one is known. RFC 2606, section 2: nobody ever has that name.
const NOT_KNOWN_YET: &str = "not-known-yet@petanotify.invalid";

/// Prints the mail as it would be sent now; on a terminal without what only a mail program can read.
///
/// # Errors
/// The state can't be read.
pub fn show(context: &Context, options: &cli::Show) -> Result<Done, Stop> {
    let (state, _) = read_to_look(context)?;
    let queue = state.queue;
    let entry = match select(&queue, std::slice::from_ref(&options.id)) {
        Ok(found) => found.into_iter().next(),
        Err(unclear) => {
            for cause in unclear {
                context.log.error(cause);
            }
            None
        }
    };
    let Some(entry) = entry else {
        return Ok(Done::Incomplete);
    };
    let (to, sender) = route(context, entry).map_err(Stop::Output)?;
    let whole = || {
        let mail = message::compose(entry, &to, &sender)?;
        String::from_utf8(mail).context("the composed mail is not UTF-8")
    };
    if options.format.json {
        print_json(&Document {
            version: 1,
            message: Message::of(entry, &context.words),
            mail: whole().map_err(Stop::Output)?,
        })?;
    } else if options.raw || !output::stdout_is_terminal() {
        // On the wire lines end in CR LF; here they end as lines do on this machine.
        print(&whole().map_err(Stop::Output)?.replace("\r\n", "\n"))?;
    } else {
        print(&message::readable(entry, &to, &sender).map_err(Stop::Output)?)?;
    }
    Ok(Done::Complete)
}

/// The document of `queue show --json`.
#[derive(Serialize)]
struct Document {
    version: u32,
    #[serde(flatten)]
    message: Message,
    mail: String,
}

/// Whom the mail goes to, and what it says of its sender.
fn route(context: &Context, entry: &Entry) -> anyhow::Result<(Address, Sender)> {
    let route = Route::remembered(context);
    let nobody = || NOT_KNOWN_YET.parse::<Address>().context("no address");
    let from = match route.ways.first_sender() {
        Some(from) => from.clone(),
        None => {
            context.log.warning(format!(
                "the sender is not known: {}; {NOT_KNOWN_YET} stands for it",
                route.missing()
            ));
            Mailbox::new(None, nobody()?)
        }
    };
    let to = match &entry.to {
        Some(to) => to.clone(),
        None => {
            let mut concerned = route.recipients.clone();
            concerned.retain(|recipient| entry.alert.concerns(recipient));
            match concerned.as_slice() {
                [] => {
                    context.log.warning(format!(
                        "nobody is known who is to be told of this; {NOT_KNOWN_YET} stands for the recipient"
                    ));
                    nobody()?
                }
                [first, others @ ..] => {
                    let others = match others.len() {
                        0 => String::new(),
                        number => format!("; {number} more get one each"),
                    };
                    context.log.warning(format!(
                        "not addressed yet, the next pass will do that: this is the mail to {}{others}",
                        first.address
                    ));
                    first.address.clone()
                }
            }
        }
    };
    Ok((to, sender(context, from)))
}
