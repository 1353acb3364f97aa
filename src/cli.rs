//! The command line: what can be said, and its help. Nothing here acts.

use std::path::PathBuf;

use clap::{ArgAction, ArgGroup, Args, Parser, Subcommand, ValueEnum, ValueHint};
use lettre::Address;

use crate::ceph::Question;
use crate::ceph::via_librados::SUBCOMMAND;
use crate::selection::IdPrefix;

/// Tells the administrators of a PetaSAN or Ceph cluster by e-mail what is wrong
///
/// It watches whether the storage fills up, nodes are gone or disks fail, and says so again when all is well. A timer runs
/// "petanotify check" every minute. Without a command it shows the status.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "petanotify",
    version,
    max_term_width = 100,
    after_help = "See petanotify(1) and petanotify.toml(5).",
    after_long_help = "\
Examples:
  petanotify                         what is wrong now and since when
  petanotify check --dry-run         what would be mailed now, and to whom
  petanotify test-mail               let every recipient get one mail
  petanotify queue list              the mails that wait, and why
  petanotify help queue drop         the help of a command

Exit status:
  0   done: every check was carried out, no mail is left over
  1   a check could not be carried out, or mail was not sent
  2   wrong usage
  74  the state could not be read or written
  75  another pass is running
  78  the configuration is wrong

See petanotify(1) and petanotify.toml(5)."
)]
pub struct Cli {
    /// What to do; by default [`Command::Status`].
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// The configuration file
    ///
    /// By default the first of these that is set or there: $PETANOTIFY_CONFIG, $CONFIGURATION_DIRECTORY/petanotify.toml,
    /// /etc/petanotify/petanotify.toml, petanotify/petanotify.toml in the user's configuration folder. None is needed.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, global = true)]
    pub config: Option<PathBuf>,
    /// The state file
    ///
    /// By default the first of these that is set: $PETANOTIFY_STATE, state.file of the configuration,
    /// $STATE_DIRECTORY/state.json; else /var/lib/petanotify/state.json for root and petanotify/state.json in the user's
    /// state folder for others.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, global = true)]
    pub state: Option<PathBuf>,
    /// Say what is run and how long it takes; twice for every detail
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub verbose: u8,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// When to use colours
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Color::Auto, global = true)]
    pub color: Color,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// In a pipe as well
    Always,
    /// Not even on a terminal
    Never,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// One pass: look at the cluster, mail what is new, retry what waits
    #[command(after_long_help = "\
Examples:
  petanotify check                   what the timer runs every minute
  petanotify check --dry-run         what would be mailed now, and to whom
  petanotify -v check                each step, and how long it takes")]
    Check(Check),
    /// What is wrong now and since when, from the state file alone
    #[command(after_long_help = "\
Examples:
  petanotify status                  one screen
  petanotify status --json           all of it, e.g. every OSD that is down
  watch -c petanotify --color always status")]
    Status(Json),
    /// The pending mails: list, show, flush, drop
    #[command(
        subcommand,
        after_long_help = "\
Examples:
  petanotify queue list              which mails wait, and why
  petanotify queue flush             try all of them now"
    )]
    Queue(Queue),
    /// One test mail to each address, with the mail server's own words
    #[command(after_long_help = "\
Examples:
  petanotify test-mail                   to every recipient
  petanotify test-mail ops@example.org   to somebody in particular")]
    TestMail(TestMail),
    /// The configuration: check, show, init
    #[command(
        subcommand,
        after_long_help = "\
Examples:
  petanotify config init             a file to begin with
  petanotify config check            whether all of it works
  petanotify config show             the settings in force"
    )]
    Config(Config),
    /// Completions for a shell, to standard output
    #[command(after_long_help = "\
Examples:
  petanotify completions bash >/etc/bash_completion.d/petanotify
  petanotify completions zsh >/usr/local/share/zsh/site-functions/_petanotify
  petanotify completions fish >~/.config/fish/completions/petanotify.fish")]
    Completions(Completions),
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
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Json {
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// What to do with the pending mails.
#[derive(Debug, Clone, Subcommand)]
pub enum Queue {
    /// List them, oldest first
    #[command(after_long_help = "\
Examples:
  petanotify queue list
  petanotify queue list --json | jq -r '.messages[].last_error'")]
    List(Json),
    /// Print one, whole, as it would be sent now
    #[command(after_long_help = "\
Examples:
  petanotify queue show 8292be0cf85c
  petanotify queue show 8292         an id's first digits will do")]
    Show(Show),
    /// Try all of them now, also those that wait for their hour
    #[command(after_long_help = "\
Examples:
  petanotify queue flush             when the mail server is well again
  petanotify -v queue flush          and what is done on the way")]
    Flush(Json),
    /// Give up on some, or on all
    #[command(after_long_help = "\
Examples:
  petanotify queue drop 8292be0cf85c   one mail
  petanotify queue drop --all          all of them, after a question")]
    Drop(Drop),
}

/// What `queue show` prints.
#[derive(Debug, Clone, Args)]
pub struct Show {
    /// The mail's id, as `queue list` shows it, or its first digits, at least 4
    #[arg(value_name = "ID", value_hint = ValueHint::Other)]
    pub id: IdPrefix,
    /// Print the HTML part, too, on a terminal as well as into a file or a pipe
    #[arg(long, conflicts_with = "json")]
    pub raw: bool,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// What `queue drop` gives up on.
#[derive(Debug, Clone, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["ids", "all"])))]
pub struct Drop {
    /// The mails' ids, as `queue list` shows them, or their first digits, at least 4
    #[arg(value_name = "ID", value_hint = ValueHint::Other)]
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
    #[arg(value_name = "ADDRESS", value_hint = ValueHint::EmailAddress)]
    pub addresses: Vec<Address>,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// What to do with the configuration.
#[derive(Debug, Clone, Subcommand)]
pub enum Config {
    /// Try Ceph, Consul and the mail server, and say what to do; sends nothing
    #[command(after_long_help = "\
Examples:
  petanotify config check            what is wrong, and how to mend it
  petanotify config check --json | jq '.checks[] | select(.advice)'")]
    Check(Json),
    /// The settings in force and where each came from; secrets are masked
    #[command(after_long_help = "\
Examples:
  petanotify config show
  petanotify --config new.toml config show   is this file right?")]
    Show(Json),
    /// Write the commented example, never over a file that is there
    #[command(after_long_help = "\
Examples:
  petanotify config init                 where it is looked for
  petanotify config init /tmp/new.toml   somewhere else, to compare with")]
    Init(Init),
}

/// Where `config init` writes.
#[derive(Debug, Clone, Args)]
pub struct Init {
    /// The file to write; by default the one of --config, else the one that is looked for
    #[arg(value_name = "FILE")]
    pub path: Option<PathBuf>,
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

/// Options of `completions`.
#[derive(Debug, Clone, Copy, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,
}

/// A shell whose completions can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU Bash, 4 or later
    Bash,
    /// Z shell
    Zsh,
    /// fish
    Fish,
}
