//! The command line: what can be said, and its help. Nothing here acts.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, ArgGroup, Args, Parser, Subcommand, ValueEnum, ValueHint};
use lettre::Address;

use crate::ceph::Question;
use crate::ceph::via_librados::SUBCOMMAND;
use crate::check::CheckName;
use crate::selection::IdPrefix;
use crate::settings::duration;
use crate::silence::{self, OsdRange};
use crate::words::Language;

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
    /// What nobody is to be told of for some time: add, list, end
    #[command(
        subcommand,
        after_long_help = "\
Examples:
  petanotify silence add --node node3 --for 2h
  petanotify silence list            what is silenced, and until when
  petanotify silence end 1           before its time"
    )]
    Silence(Silence),
    /// Tell no more of what is known: no reminders, no updates
    ///
    /// Until the incident is over, no mail comes again about what it has told so far, be it down or up again meanwhile.
    /// Whatever else goes down is told, and that all is well again.
    #[command(after_long_help = "\
Examples:
  petanotify ack                     all that is wrong now
  petanotify ack osds --why 'disk ordered'
  petanotify ack --undo osds         tell of it again")]
    Ack(Ack),
    /// One test mail to each address, with the mail server's own words
    #[command(after_long_help = "\
Examples:
  petanotify test-mail                   to every recipient
  petanotify test-mail ops@example.org   to somebody in particular")]
    TestMail(TestMail),
    /// The configuration: check, show, templates, init
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

/// What to do with silences.
#[derive(Debug, Clone, Subcommand)]
pub enum Silence {
    /// Begin one: what it covers is not told before it ends
    ///
    /// Without --check, --node and --osd it covers everything. What is still down when it ends is told then. What was told
    /// before and is well again is told meanwhile, too.
    #[command(after_long_help = "\
Examples:
  petanotify silence add --node node3 --for 2h --why 'more memory'
  petanotify silence add --osd 4 7 12-15 --until 18:00
  petanotify silence add --check capacity --for 7d
  petanotify silence add --for 30m   everything")]
    Add(SilenceAdd),
    /// List those that last, the one that ends first at the top
    #[command(after_long_help = "\
Examples:
  petanotify silence list
  petanotify silence list --json | jq -r '.silences[].covers'")]
    List(Json),
    /// End some, or all, before their time
    #[command(after_long_help = "\
Examples:
  petanotify silence end 1           its id, as petanotify silence list shows it
  petanotify silence end --all")]
    End(SilenceEnd),
}

/// What `silence add` begins.
#[derive(Debug, Clone, Args)]
pub struct SilenceAdd {
    /// Only what this check finds; may be given several times
    #[arg(long = "check", value_name = "CHECK", value_parser = check_names())]
    pub checks: Vec<CheckName>,
    /// A node, and the OSDs on the CRUSH host of that name; may be given several times
    #[arg(long = "node", value_name = "NODE", value_parser = node_name, value_hint = ValueHint::Hostname)]
    pub nodes: Vec<String>,
    /// OSDs: 4, osd.4 or 4-9
    #[arg(long = "osd", value_name = "ID", num_args = 1.., value_delimiter = ',', value_hint = ValueHint::Other)]
    pub osds: Vec<OsdRange>,
    /// When it ends.
    #[command(flatten)]
    pub length: SilenceLength,
    /// What is being done; it stands in every mail that is sent meanwhile
    #[arg(long, value_name = "TEXT", value_parser = reason, value_hint = ValueHint::Other)]
    pub why: Option<String>,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// When a silence ends.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct SilenceLength {
    /// For how long, at most 30 days: 30m, 2h, 1d
    #[arg(long = "for", value_name = "DURATION", value_parser = silence_length, value_hint = ValueHint::Other)]
    pub length: Option<Duration>,
    /// Until when: 14:00, "2026-11-24 14:00" or with an offset from UTC
    #[arg(long, value_name = "TIME", value_hint = ValueHint::Other)]
    pub until: Option<String>,
}

/// What `silence end` ends.
#[derive(Debug, Clone, Args)]
#[command(group(ArgGroup::new("ended").required(true).args(["ids", "all"])))]
pub struct SilenceEnd {
    /// The silences' ids, as `silence list` shows them
    #[arg(value_name = "ID", value_hint = ValueHint::Other)]
    pub ids: Vec<u32>,
    /// All of them
    #[arg(long)]
    pub all: bool,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// What `ack` acknowledges.
#[derive(Debug, Clone, Args)]
pub struct Ack {
    /// capacity, nodes, osds, health, blind, or the id that stands at the end of its mails; by default all that are open
    #[arg(value_name = "INCIDENT", value_hint = ValueHint::Other)]
    pub incidents: Vec<String>,
    /// What is being done; it stands in every mail that is sent meanwhile
    #[arg(long, value_name = "TEXT", value_parser = reason, value_hint = ValueHint::Other, conflicts_with = "undo")]
    pub why: Option<String>,
    /// Take it back
    #[arg(long)]
    pub undo: bool,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

fn check_names() -> impl TypedValueParser<Value = CheckName> {
    let names = PossibleValuesParser::new(CheckName::ALL.map(CheckName::as_str));
    names.try_map(|name| CheckName::named(&name).ok_or("no such check"))
}

fn languages() -> impl TypedValueParser<Value = Language> {
    let names = PossibleValuesParser::new(Language::ALL.map(Language::as_str));
    names.try_map(|name| Language::named(&name).ok_or("no such language"))
}

fn silence_length(text: &str) -> Result<Duration, String> {
    duration::parse(text, silence::LONGEST)
}

fn reason(text: &str) -> Result<String, String> {
    plain(text, silence::WHY_CHARS)
}

/// DNS has no longer ones (RFC 1035, section 2.3.4).
fn node_name(text: &str) -> Result<String, String> {
    plain(text, 255)
}

/// A text in one line of so many characters at most.
fn plain(text: &str, most: usize) -> Result<String, String> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err("must not be empty".to_owned()),
        _ if text.chars().any(char::is_control) => {
            Err("must not contain line breaks or other control characters".to_owned())
        }
        long if long > most => Err(format!("must not be longer than {most} characters")),
        _ => Ok(text.to_owned()),
    }
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
    /// What mails say, message by message, to begin an own wording with
    #[command(after_long_help = "\
Examples:
  petanotify config templates                 in the language of the mails
  petanotify config templates --language de   in German")]
    Templates(Templates),
    /// Write the commented example, never over a file that is there
    #[command(after_long_help = "\
Examples:
  petanotify config init                 where it is looked for
  petanotify config init /tmp/new.toml   somewhere else, to compare with")]
    Init(Init),
}

/// What `config templates` prints.
#[derive(Debug, Clone, Copy, Args)]
pub struct Templates {
    /// In this language; by default in that of the mails
    #[arg(long, value_name = "LANGUAGE", value_parser = languages())]
    pub language: Option<Language>,
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
