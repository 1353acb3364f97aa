//! `petanotify config templates`: what mails say, for an admin to begin an own wording with.

use crate::cli;
use crate::command::{Context, Done, Stop, print};

/// Prints our messages in a language; without one, in that of the mails.
///
/// # Errors
/// Standard output can't be written.
pub fn templates(context: &Context, options: cli::Templates) -> Result<Done, Stop> {
    let language = options.language.unwrap_or(context.settings.mail.language);
    print(language.catalogue())?;
    Ok(Done::Complete)
}
