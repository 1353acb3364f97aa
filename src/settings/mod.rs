//! The settings in force: file, environment and PetaSAN, merged, with the origin of each, and validated.

mod credential;
pub(crate) mod duration;
pub mod environment;
mod file;
mod keys;
mod listing;
#[cfg(test)]
mod load_tests;
pub mod locate;
mod merge;
pub mod petasan;
pub mod petasan_cache;
mod secret;
mod value;
pub mod ways;
mod zone;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use jiff::tz::TimeZone;
use lettre::Address;
use lettre::message::Mailbox;

use self::environment::Environment;
pub use self::listing::Listing;
use crate::check::CheckName;
use crate::check::capacity::Limits;
use crate::check::health::Scope;
use crate::facts::HealthSeverity;
use crate::flapping::Rule;
use crate::quiet_hours::QuietHours;
use crate::severity::Severity;
use crate::words::Language;

/// Finds and reads the configuration file, joins it with the environment and the defaults, and reads the secrets' files.
///
/// `config_flag` is `--config`.
///
/// # Errors
/// The configuration is wrong: which file, line and key, and what is allowed there.
pub fn load(config_flag: Option<&Path>, environment: &Environment) -> Result<Settings> {
    let file = locate::read_config(config_flag, environment)?;
    let file = file
        .as_ref()
        .map(|(path, text)| (path.as_path(), text.as_str()));
    let draft = merge::merge(file, environment).map_err(anyhow::Error::msg)?;
    secret::complete(draft)
}

/// Joins the text of a configuration file with the environment and the defaults, and reads no file: secrets that lie in
/// files of their own are missing.
///
/// # Errors
/// All that is wrong, with line and key, in one line.
pub fn parse(file: Option<(&Path, &str)>, environment: &Environment) -> Result<Settings, String> {
    merge::merge(file, environment).map(|draft| draft.settings)
}

/// Everything that a command needs to know, validated.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The configuration file that was read, if there is one.
    pub config_file: Option<PathBuf>,
    /// `cluster.name`; `None` means the Consul datacenter's name.
    pub cluster_name: Option<String>,
    /// `[ceph]`
    pub ceph: Ceph,
    /// `[consul]`
    pub consul: Consul,
    /// `[ha]`
    pub ha: Ha,
    /// `[checks.*]`
    pub checks: Checks,
    /// `[notify]`
    pub notify: Notify,
    /// `[mail]`
    pub mail: Mail,
    /// `[smtp]`, as far as the file says it; what it leaves open may come from PetaSAN.
    pub smtp: Smtp,
    /// `[fallback]`; `None` where it names no command.
    pub fallback: Option<Fallback>,
    /// `[[recipient]]`; empty means PetaSAN's followers.
    pub recipients: Vec<Recipient>,
    /// `[metrics]`
    pub metrics: Metrics,
    /// `[heartbeat]`
    pub heartbeat: Heartbeat,
    /// `state.file` of the file, if it is there.
    pub state_file: Option<PathBuf>,
    /// Each setting as `config show` lists it.
    pub shown: Listing,
    /// What an admin should know but what stops nothing, e.g. a password file that everybody may read.
    pub warnings: Vec<String>,
}

impl Settings {
    /// Whether the first mail server is PetaSAN's. A file that names the sender and another way out, but no server in
    /// `[smtp]`, wants none: whoever wants PetaSAN's server takes its sender, too.
    pub fn relay_is_petasans(&self) -> bool {
        let other_way = !self.smtp.further.is_empty() || self.fallback.is_some();
        self.smtp.first.host.is_none() && !(self.smtp.first.from.is_some() && other_way)
    }
}

/// How the `ceph` CLI is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ceph {
    /// The program and its first arguments; never empty.
    pub command: Vec<String>,
    /// `--conf`
    pub conf: Option<PathBuf>,
    /// `--name`, e.g. `client.petanotify`
    pub name: Option<String>,
    /// `--keyring`
    pub keyring: Option<PathBuf>,
    /// Which way the monitors are asked.
    pub via: Via,
    /// After this the CLI and whatever it started are ended.
    pub timeout: Duration,
}

/// Which way the monitors are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// The `ceph` CLI.
    Cli,
    /// librados, loaded by a child process of our own.
    Librados,
    /// librados where it can be loaded, else the CLI.
    Auto,
}

/// How the Consul agent is asked.
#[derive(Debug, Clone)]
pub struct Consul {
    /// Base URL without a trailing slash.
    pub address: String,
    /// ACL token.
    pub token: Option<Secret>,
    /// PEM file of the authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM files of the client certificate and its key.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
    /// Whether the agent's certificate is verified.
    pub verify: bool,
    /// For each request, from connecting to the last byte.
    pub timeout: Duration,
    /// The KV folder that holds one key per node.
    pub nodes_prefix: String,
}

/// How several nodes speak with one voice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ha {
    /// Which of them speaks.
    pub mode: HaMode,
    /// The time to live of the session that holds our lock; 10 s to 24 hours.
    ///
    /// 75 s: longer than the minute between two passes, which renew it. Consul ends a session at twice its time to live, so
    /// one that was not renewed for two passes and a half is given up, and the second pass after the 75 s finds the lock free.
    pub session_ttl: Duration,
    /// When a session was ended, nobody gets its lock for so long; above 0, at most 60 s.
    ///
    /// 15 s, Consul's own: what the holder had under way when it lost the lock is over by then, and it is shorter than the time
    /// between two passes.
    pub lock_delay: Duration,
    /// The KV folder below which the nodes share what they know, with its closing slash.
    pub prefix: String,
    /// A node that speaks and can neither see nor send for so many passes leaves that to another one; at least 1.
    ///
    /// 3: the restart of a mail server or an election of the monitors is over by then, and the next node has told what there is
    /// before the five minutes after which being blind is itself an alert.
    pub step_down_after: u32,
}

impl Default for Ha {
    fn default() -> Self {
        Ha {
            mode: HaMode::Auto,
            session_ttl: Duration::from_secs(75),
            lock_delay: Duration::from_secs(15),
            prefix: "petanotify/".to_owned(),
            step_down_after: 3,
        }
    }
}

/// Which of several nodes speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HaMode {
    /// [`HaMode::Petasan`] where PetaSAN's leader lock exists, else [`HaMode::Off`].
    Auto,
    /// Each that runs a pass: there is only one.
    Off,
    /// The one that holds a lock of our own.
    Consul,
    /// The one that holds PetaSAN's leader lock.
    Petasan,
}

impl HaMode {
    /// As the configuration file has it.
    pub fn as_str(self) -> &'static str {
        match self {
            HaMode::Auto => "auto",
            HaMode::Off => "off",
            HaMode::Consul => "consul",
            HaMode::Petasan => "petasan",
        }
    }
}

/// Which checks are carried out, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Checks {
    /// `[checks.capacity]`; `None` when it is off.
    pub capacity: Option<Limits>,
    /// `[checks.nodes]`; `None` when it is off.
    pub nodes: Option<Hold>,
    /// `[checks.osds]`; `None` when it is off.
    pub osds: Option<Hold>,
    /// Which OSDs are told of with their node.
    pub root_cause: RootCause,
    /// `checks.osds.hold_while_noout`: for how long OSDs that go down are not told while `noout` is set; `None` is off.
    pub hold_while_noout: Option<Duration>,
    /// `[checks.health]`; `None` when it is off.
    pub health: Option<HealthRules>,
}

impl Default for Checks {
    fn default() -> Self {
        Checks {
            capacity: Some(Limits::default()),
            nodes: Some(Hold::default()),
            osds: Some(Hold::default()),
            root_cause: RootCause::default(),
            hold_while_noout: None,
            health: None,
        }
    }
}

/// Which OSDs that are down are told of with the node that they are on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootCause {
    /// OSDs wait so long when all of a node's are down and the node seems alive; `None` is off. At most 1 hour.
    ///
    /// 2 min: Consul's gossip takes some 10 s to find a dead node, Ceph's heartbeats 20 s (`osd_heartbeat_grace`), and a node
    /// that shuts down stops its OSDs a minute before its agent. So the node is down in the next pass, or in the one after.
    pub host_grace: Option<Duration>,
    /// A node that is back has so long to bring its OSDs up before those still down are told of by themselves; `None` is
    /// off. At most 24 hours.
    ///
    /// 10 min: after a crash an OSD may need minutes for its database, and a host starts a dozen. Ceph itself waits as long
    /// before it gives up an OSD and moves its data (`mon_osd_down_out_interval`).
    pub return_grace: Option<Duration>,
    /// Names of CRUSH hosts that are not those of their nodes, each with the node's.
    pub hosts: BTreeMap<String, String>,
}

impl RootCause {
    /// The name of the node that this CRUSH host is, as far as it is configured; else the host's own.
    pub fn node_of<'a>(&'a self, host: &'a str) -> &'a str {
        let mut odd = self.hosts.iter();
        let odd = odd.find(|(name, _)| name.to_lowercase() == host.to_lowercase());
        odd.map_or(host, |(_, node)| node)
    }
}

impl Default for RootCause {
    fn default() -> Self {
        RootCause {
            host_grace: Some(Duration::from_secs(120)),
            return_grace: Some(Duration::from_secs(600)),
            hosts: BTreeMap::new(),
        }
    }
}

impl Checks {
    /// Whether this one is carried out.
    pub fn has(&self, check: CheckName) -> bool {
        match check {
            CheckName::Capacity => self.capacity.is_some(),
            CheckName::Nodes => self.nodes.is_some(),
            CheckName::Osds => self.osds.is_some(),
            CheckName::Health => self.health.is_some(),
        }
    }

    /// The checks that somebody with this configuration is to hear of: one that must be turned on is none of them until it is.
    pub fn names(&self) -> impl Iterator<Item = CheckName> {
        let health = self.health.is_some();
        (CheckName::ALL.into_iter()).filter(move |check| *check != CheckName::Health || health)
    }
}

/// What of Ceph's own health is told, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthRules {
    /// Which of Ceph's health checks count.
    pub scope: Scope,
    /// When one counts that does.
    pub hold: Hold,
}

impl Default for HealthRules {
    /// Errors alone: on nearly every cluster something is warned of for months. Three passes: what a peering or an election
    /// brings (`PG_AVAILABILITY`, `MON_DOWN`, `SLOW_OPS`) is over by then, and no error that is true is so by a matter of two
    /// minutes.
    fn default() -> Self {
        HealthRules {
            scope: Scope {
                level: HealthSeverity::Error,
                ignore: BTreeSet::new(),
            },
            hold: Hold {
                passes: 3,
                ..Hold::default()
            },
        }
    }
}

/// When a thing that is down counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// Passes in a row a thing must be down; at least 1.
    pub passes: u32,
    /// How long it must be down as well; `None` is off.
    pub time: Option<Duration>,
}

impl Default for Hold {
    fn default() -> Self {
        Hold {
            passes: 1,
            time: None,
        }
    }
}

/// When somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notify {
    /// A mail when all is well again.
    pub recovery: bool,
    /// A mail while an incident lasts, this long after the last news, and ever more rarely from then on; `None` is off.
    pub remind_every: Option<Duration>,
    /// A check that could not be carried out for so long is itself an alert.
    pub blind_after: Duration,
    /// When a node or OSD flaps; `None` is never.
    pub flapping: Option<Rule>,
}

impl Default for Notify {
    fn default() -> Self {
        Notify {
            recovery: true,
            remind_every: None,
            blind_after: Duration::from_secs(300),
            flapping: Some(Rule::default()),
        }
    }
}

/// How mails look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Whether an HTML part goes with the plain text.
    pub html: bool,
    /// The language that they are in.
    pub language: Language,
    /// The folder of files in which an admin replaces what they say; `None` is none.
    pub template_dir: Option<PathBuf>,
    /// The time zone of the times; `None` is the machine's.
    pub time_zone: Option<TimeZone>,
}

/// The mail servers as the file describes them.
#[derive(Debug, Clone)]
pub struct Smtp {
    /// `[smtp]`: the one that every mail is tried at first.
    pub first: Server,
    /// `[[smtp.relay]]`: those that take over what the ones before could not deliver, in this order.
    pub further: Vec<Server>,
    /// A mail is dropped after so many attempts; at least 1.
    pub max_attempts: u32,
}

impl Smtp {
    /// All of them, in the order in which they are tried.
    pub(super) fn servers_mut(&mut self) -> impl Iterator<Item = &mut Server> {
        [&mut self.first].into_iter().chain(&mut self.further)
    }
}

/// A mail server as the file describes it. In `[smtp]`, `host` and `from` stay empty where PetaSAN is to fill them; in
/// `[[smtp.relay]]` there is a `host`, and `from` is empty where it is that of the first.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where its settings stand: `smtp`, or e.g. `smtp.relay[0]`.
    pub section: String,
    /// The server's name or address.
    pub host: Option<String>,
    /// TCP port; by default that of the security: 587, 465, 25.
    pub port: Option<u16>,
    /// TLS kind; `starttls` unless the file says otherwise.
    pub security: Security,
    /// The sender.
    pub from: Option<Mailbox>,
    /// Login name; without a `login` beside it its password is missing.
    pub username: Option<String>,
    /// Login name and password.
    pub login: Option<Login>,
    /// Lets the login go out without TLS.
    pub allow_plain_login: bool,
    /// PEM file of authorities to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Whether the server's certificate is verified.
    pub verify: bool,
    /// For each step of the dialogue.
    pub timeout: Duration,
    /// Connections at once; 1 to 8.
    pub connections: u32,
}

impl Server {
    /// The credential of systemd that holds the password of the server at this position: `smtp-password` of the first, at
    /// 0, `smtp-password-2` of the second, and so on.
    pub(crate) fn credential(position: usize) -> String {
        match position {
            0 => "smtp-password".to_owned(),
            _ => format!("smtp-password-{}", position + 1),
        }
    }
}

/// `[fallback]`: the command that takes a mail when no server did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// The program and its arguments; never empty. It reads the mail on its standard input.
    pub command: Vec<String>,
    /// How long after it was raised a mail is given to it.
    pub after: Duration,
    /// After this the command and whatever it started are ended.
    pub timeout: Duration,
}

/// Kind of TLS towards the mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// Plain connection upgraded by STARTTLS; never falls back to plain text.
    Starttls,
    /// TLS from the first byte.
    Tls,
    /// No TLS.
    None,
}

impl Security {
    /// The port that goes with the security: submission (RFC 6409), submissions (RFC 8314), SMTP.
    pub fn default_port(self) -> u16 {
        match self {
            Security::Starttls => 587,
            Security::Tls => 465,
            Security::None => 25,
        }
    }
}

/// Login at the mail server.
#[derive(Debug, Clone)]
pub struct Login {
    /// Login name.
    pub username: String,
    /// Its password.
    pub password: Secret,
}

/// The mail server with nothing left open: what `smtp` needs to send.
#[derive(Debug, Clone)]
pub struct Relay {
    /// Where its settings stand: `smtp`, or e.g. `smtp.relay[0]`.
    pub section: String,
    /// The server's name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// TLS kind.
    pub security: Security,
    /// The sender.
    pub from: Mailbox,
    /// Login name and password.
    pub login: Option<Login>,
    /// Lets the login go out without TLS.
    pub allow_plain_login: bool,
    /// PEM file of authorities to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Whether the server's certificate is verified.
    pub verify: bool,
    /// For each step of the dialogue.
    pub timeout: Duration,
    /// Connections at once; at least 1.
    pub connections: u32,
}

/// Somebody who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Where the mail goes.
    pub address: Address,
    /// Which checks this recipient is told about.
    pub checks: Vec<CheckName>,
    /// Only of alerts that are as serious as this, and more.
    pub severity: Severity,
    /// When nothing but what is critical may come.
    pub quiet_hours: Option<QuietHours>,
}

impl Recipient {
    /// Somebody who is told everything at once.
    pub fn of_everything(address: Address) -> Self {
        Recipient {
            address,
            checks: CheckName::ALL.to_vec(),
            severity: Severity::Warning,
            quiet_hours: None,
        }
    }
}

/// What Prometheus is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics {
    /// The file that each pass replaces; its name ends in `.prom`. `None` is off.
    pub textfile: Option<PathBuf>,
}

/// The dead man's switch that is told after each pass.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    /// `http://` or `https://`; whoever knows it can keep the switch quiet. `None` is off.
    pub url: Option<Secret>,
    /// Whether a pass that was not complete is told as well.
    pub fail: bool,
    /// From connecting to the last byte; at most 30 s.
    pub timeout: Duration,
}

/// One line of `config show`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Shown {
    /// Dotted key as in the file, e.g. `smtp.timeout`.
    pub key: String,
    /// The value in force as the file would write it; a secret is masked; `None` where nothing is set.
    pub value: Option<String>,
    /// Where it came from.
    pub origin: Origin,
}

/// Where a setting came from.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Built in.
    Default,
    /// The configuration file, at this line.
    File {
        /// 1 is the first line.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// An option of the command line.
    Option,
    /// PetaSAN's own settings in Consul.
    Petasan,
}

/// Stands for a secret wherever settings are shown.
pub(crate) const SECRET_SHOWN: &str = "(secret)";

/// A password or token: it never prints itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes hold of a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The secret itself, for the one place that must send it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SECRET_SHOWN)
    }
}
