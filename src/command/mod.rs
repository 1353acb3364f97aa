//! One module for each command: joins the core and the edges, decides nothing about the cluster.

pub mod ack;
pub mod ask_ceph;
pub mod check;
pub mod completions;
pub mod config;
pub mod deliver;
pub mod observe;
pub mod queue;
pub mod route;
pub mod share;
pub mod silence;
pub mod status;
pub mod test_mail;
mod watchers;

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use anyhow::Context as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use self::share::{Purpose, Share, When};
use crate::output::{self, Log, Style};
use crate::replace::Safe;
use crate::settings::Settings;
use crate::settings::environment::Environment;
use crate::state::State;
use crate::store::{LOCK_PATIENCE, Lock, LockError, Saved, Store};
use crate::wording;
use crate::words::Words;

/// What every command starts from.
#[derive(Debug)]
pub struct Context {
    /// The settings in force.
    pub settings: Settings,
    /// The environment of the process.
    pub environment: Environment,
    /// The state file.
    pub store: Store,
    /// Whether `--state` names it.
    pub state_option: bool,
    /// Where messages go.
    pub log: Log,
    /// How standard output looks.
    pub style: Style,
    /// When the command began, to the millisecond.
    pub now: Timestamp,
    /// The time zone of mails and of `status`, so that what one tells is found in the other. To find the machine's, the whole
    /// time zone database is gone through, so only who needs it does.
    pub zone: LazyLock<TimeZone, Box<dyn FnOnce() -> TimeZone + Send>>,
    /// What mails are written with, and so what their subjects are told by. Whoever tells of no mail never reads them.
    pub words: Arc<Words>,
}

impl Context {
    /// Where the import from PetaSAN is kept for the hour in which Consul can't be read.
    pub fn import_cache(&self) -> PathBuf {
        self.store.beside("petasan-import.json")
    }
}

/// How a command ended that could do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// Everything was done.
    Complete,
    /// Nothing was to be done, for another node speaks.
    Silent,
    /// Done and saved, but a check could not be carried out or mail stays queued; or what a command was asked for could not
    /// be had. The causes are on standard error already.
    Incomplete,
}

/// Why a command did not do its work. The exit codes live here and nowhere else: 0 and 1 are those of [`Done`], 2 is clap's
/// as well.
#[derive(Debug)]
pub enum Stop {
    /// The command line asks for what can't be done so.
    Usage(anyhow::Error),
    /// The configuration is wrong.
    Config(anyhow::Error),
    /// The state could not be read or written.
    State(anyhow::Error),
    /// Another pass is running.
    Locked(anyhow::Error),
    /// Standard output, or a file that was asked for, can't be written.
    Output(anyhow::Error),
}

impl Stop {
    /// The exit code, of sysexits(3): `EX_CONFIG`, `EX_IOERR`, `EX_TEMPFAIL`.
    pub fn code(&self) -> u8 {
        match self {
            Stop::Usage(_) => 2,
            Stop::Config(_) => 78,
            Stop::State(_) | Stop::Output(_) => 74,
            Stop::Locked(_) => 75,
        }
    }

    /// What went wrong.
    pub fn cause(&self) -> &anyhow::Error {
        match self {
            Stop::Usage(cause)
            | Stop::Config(cause)
            | Stop::State(cause)
            | Stop::Locked(cause)
            | Stop::Output(cause) => cause,
        }
    }
}

/// Takes the lock, waiting for another pass to end.
fn lock(context: &Context) -> Result<Lock, Stop> {
    let _progress = context.log.waiting("waiting for another pass to end");
    let lock = context.store.lock(LOCK_PATIENCE);
    lock.map_err(|error| match error {
        LockError::Held(cause) => Stop::Locked(cause),
        LockError::Unusable(cause) => Stop::State(cause),
    })
}

/// What a command run by hand holds that changes the state.
struct Change {
    lock: Lock,
    /// What the nodes share, where they do.
    share: Option<Box<Share>>,
}

/// Takes the lock and loads the state for a command run by hand that changes it, as far as the nodes share it what they do;
/// and says what was wrong with its files.
fn load_to_change(context: &Context, purpose: Purpose) -> Result<(Change, State), Stop> {
    let lock = lock(context)?;
    let loaded = context.store.load(&lock, context.now);
    let loaded = loaded.map_err(Stop::State)?;
    for problem in &loaded.problems {
        context.log.error(problem);
    }
    let mut state = loaded.state;
    let share = share::take_part(context, &mut state, loaded.sent, purpose).into_share();
    Ok((Change { lock, share }, state))
}

/// Reads the state for a command that only looks, as far as the nodes share it what they do; and says what was wrong with its
/// files.
fn read_to_look(context: &Context) -> Result<(State, Option<Box<Share>>), Stop> {
    let loaded = context.store.read(context.now).map_err(Stop::State)?;
    for problem in loaded.problems {
        context.log.warning(problem);
    }
    let mut state = loaded.state;
    let share = share::take_part(context, &mut state, loaded.sent, Purpose::Look).into_share();
    Ok((state, share))
}

/// Who is at work here, by the login name: behind sudo(8) it is in `SUDO_USER`.
fn user(context: &Context) -> Option<String> {
    let names = ["SUDO_USER", "USER", "LOGNAME"].iter();
    let mut names = names.filter_map(|name| context.environment.text(name));
    names.next().map(|name| wording::name(&name))
}

/// Saves the state for a command run by hand, for all nodes if they share it.
fn save(context: &Context, change: &mut Change, state: &mut State) -> Result<(), Stop> {
    if let Some(share) = &mut change.share {
        share.publish(context, state, When::Always);
    }
    keep(context, &change.lock, state)
}

/// Saves the state on this node, and says so where it can't be kept in its own place.
fn keep(context: &Context, lock: &Lock, state: &mut State) -> Result<(), Stop> {
    match context
        .store
        .save(lock, state, Safe::Now)
        .map_err(Stop::State)?
    {
        Saved::Home => {}
        Saved::Away(cause) => context.log.error(format!("{cause:#}")),
    }
    Ok(())
}

/// Prints data to standard output.
fn print(text: &str) -> Result<(), Stop> {
    output::write_stdout(text)
        .context("cannot write to standard output")
        .map_err(Stop::Output)
}

/// Prints a JSON document to standard output.
fn print_json(document: &impl Serialize) -> Result<(), Stop> {
    let mut text = serde_json::to_string_pretty(document)
        .context("cannot write the answer as JSON")
        .map_err(Stop::Output)?;
    text.push('\n');
    print(&text)
}
