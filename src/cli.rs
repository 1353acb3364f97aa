//! The command line: what can be said, and its help. Nothing here acts.

use std::path::PathBuf;

use clap::{ArgAction, ArgGroup, Args, Parser, Subcommand, ValueEnum};
use lettre::Address;

use crate::ceph::Question;
use crate::ceph::via_librados::SUBCOMMAND;
use crate::selection::IdPrefix;

/// Tells the administrators of a PetaSAN or Ceph cluster by e-mail that the storage fills up, that a node is gone or that
/// disks failed.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "petanotify",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Exit status: 0 all done, 1 a check could not be carried out or mail was not sent, 2 wrong usage,\n\
                  74 the state could not be read or written, 75 another pass is running, 78 the configuration is wrong.\n\
                  See petanotify(1) and petanotify.toml(5)."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The configuration file
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// The state file
    #[arg(long, value_name = "FILE", global = true)]
    pub state: Option<PathBuf>,
    /// Say what is run and how long it takes; twice for every detail
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub verbose: u8,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Colours
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Color::Auto, global = true)]
    pub color: Color,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// One pass: carry out the checks, mail what is new, retry what is queued
    #[command(after_help = "Examples:\n  \
        petanotify check            what the timer runs every minute\n  \
        petanotify check --dry-run  what would be mailed now, and to whom")]
    Check(Check),
    /// What is wrong now and since when, from the state file alone
    Status(Json),
    /// The pending mails
    #[command(subcommand)]
    Queue(Queue),
    /// One test mail to each address, past the queue, with the mail server's own words
    #[command(after_help = "Examples:\n  \
        petanotify test-mail                  to every recipient\n  \
        petanotify test-mail ops@example.org  to somebody in particular")]
    TestMail(TestMail),
    /// The configuration
    #[command(subcommand)]
    Config(Config),
    /// Asks the monitors through librados; for petanotify itself
    #[command(name = SUBCOMMAND, hide = true)]
    AskCeph(AskCeph),
}

/// Options of `check`.
#[derive(Debug, Clone, Copy, Args)]
pub struct Check {
    /// Carry out the checks and print what would be mailed; send nothing, write nothing, take no lock
    #[arg(long)]
    pub dry_run: bool,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// How to print.
#[derive(Debug, Clone, Copy, Args)]
pub struct Json {
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// What to do with the pending mails.
#[derive(Debug, Clone, Subcommand)]
pub enum Queue {
    /// List them, oldest first
    List(Json),
    /// Print one, whole, as it would be sent now
    Show(Show),
    /// Try all of them now, also those that wait for their hour
    Flush(Json),
    /// Give up on some, or on all
    #[command(after_help = "Examples:\n  \
        petanotify queue drop 8292be0cf85c  one mail\n  \
        petanotify queue drop --all         all of them, after a question")]
    Drop(Drop),
}

/// What `queue show` prints.
#[derive(Debug, Clone, Args)]
pub struct Show {
    /// The mail's id, as `queue list` shows it, or its first digits, at least 4
    #[arg(value_name = "ID")]
    pub id: IdPrefix,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// What `queue drop` gives up on.
#[derive(Debug, Clone, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["ids", "all"])))]
pub struct Drop {
    /// The mails' ids, as `queue list` shows them, or their first digits, at least 4
    #[arg(value_name = "ID")]
    pub ids: Vec<IdPrefix>,
    /// All of them; asks first
    #[arg(long)]
    pub all: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// Whom `test-mail` writes to.
#[derive(Debug, Clone, Args)]
pub struct TestMail {
    /// Where to send it; by default to every recipient
    #[arg(value_name = "ADDRESS")]
    pub addresses: Vec<Address>,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// What to do with the configuration.
#[derive(Debug, Clone, Subcommand)]
pub enum Config {
    /// The settings in force and where each came from; secrets are masked
    Show(Json),
}

/// Options of `ask-ceph`: some of the `ceph` CLI's.
#[derive(Debug, Clone, Args)]
pub struct AskCeph {
    /// Ceph's configuration file
    #[arg(long)]
    pub conf: Option<PathBuf>,
    /// The Ceph user, e.g. client.petanotify
    #[arg(long)]
    pub name: Option<String>,
    /// The file with the user's key
    #[arg(long)]
    pub keyring: Option<PathBuf>,
    /// Seconds to wait for a monitor
    #[arg(long, default_value_t = 300)]
    pub connect_timeout: u64,
    /// What to ask; nothing: only whether librados can be loaded
    #[arg(value_enum)]
    pub questions: Vec<Question>,
}
