//! The edge to Ceph: asks the monitors within a deadline, by the `ceph` CLI or by librados in a child of our own, and reads
//! their answers.

mod document;
pub mod health;
mod maintenance;
#[cfg(test)]
mod tests;
pub mod via_librados;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use rustix::io::Errno;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::borrowed::Text;
use crate::deadline::{self, End, LeftBehind, Limits, Run, Stream};
use crate::facts::{ClusterStatus, DownOsd, Health, Host, MonitorClocks, OsdId, OsdTree, Usage};
use crate::output::Log;
use crate::settings::{self, Via};
use crate::text::one_line;
use crate::trouble::{Case, Trouble};

/// A tree of 10,000 OSDs takes some 2.5 MB; beyond this it is no answer to our question.
const STDOUT_BYTES: usize = 16 * 1024 * 1024;

/// Enough for a Python traceback, whose last line tells the cause.
const STDERR_TAIL_BYTES: usize = 64 * 1024;

/// A CLI with full debug output stays far below; beyond it reading would only burn processor time until the deadline.
const STDERR_BYTES: usize = 16 * 1024 * 1024;

/// The CLI gives up so much before our own deadline, so that its own words are heard. It takes 0.2 to 0.4 s to start.
const HEAD_START: Duration = Duration::from_secs(2);

/// What the monitors are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Question {
    /// How full the storage is: `ceph status`.
    Status,
    /// Which OSDs are up and where they are: `ceph osd tree`.
    OsdTree,
    /// How far the monitors' clocks are apart, as they have found: `ceph time-sync-status`. No pass asks that.
    TimeSyncStatus,
}

impl Question {
    /// As the CLI takes it.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Question::Status => &["status"],
            Question::OsdTree => &["osd", "tree"],
            Question::TimeSyncStatus => &["time-sync-status"],
        }
    }

    /// As `ask-ceph` takes it.
    fn as_str(self) -> &'static str {
        match self {
            Question::Status => "status",
            Question::OsdTree => "osd-tree",
            Question::TimeSyncStatus => "time-sync-status",
        }
    }

    /// As an admin would type it.
    fn typed(self) -> String {
        format!("ceph {}", self.words().join(" "))
    }
}

/// Which questions are asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// How full the storage is.
    pub usage: bool,
    /// What Ceph itself finds wrong; it comes with the same answer.
    pub health: bool,
    /// Which OSDs are up.
    pub osd_tree: bool,
    /// In the same answer: the CRUSH hosts, also where all OSDs are up.
    pub all_hosts: bool,
    /// How far the monitors' clocks are apart.
    pub clocks: bool,
}

impl Wanted {
    /// Whether `ceph status` is asked.
    fn status(self) -> bool {
        self.usage || self.health
    }

    fn parse_tree(self) -> fn(&[u8]) -> anyhow::Result<OsdTree> {
        match self.all_hosts {
            true => parse_osd_tree_with_all_hosts,
            false => parse_osd_tree,
        }
    }
}

/// What came of the questions; `None` where one was not asked.
#[derive(Debug, Default)]
pub struct Answers {
    /// How full the storage is, and what else its status says; also where it was asked for the health alone.
    pub status: Option<anyhow::Result<ClusterStatus>>,
    /// What Ceph itself finds wrong.
    pub health: Option<anyhow::Result<Health>>,
    /// Which OSDs are up.
    pub osd_tree: Option<anyhow::Result<OsdTree>>,
    /// How far the monitors' clocks are apart.
    pub clocks: Option<anyhow::Result<MonitorClocks>>,
}

impl Answers {
    /// The same failure for each question.
    pub fn failed(wanted: Wanted, words: &str) -> Self {
        Answers {
            status: wanted.status().then(|| Err(anyhow!("{words}"))),
            health: wanted.health.then(|| Err(anyhow!("{words}"))),
            osd_tree: wanted.osd_tree.then(|| Err(anyhow!("{words}"))),
            clocks: wanted.clocks.then(|| Err(anyhow!("{words}"))),
        }
    }
}

/// Asks the monitors in the way that `settings.via` names. One failure does not stop the other question.
pub fn ask(settings: &settings::Ceph, wanted: Wanted, log: &Log) -> Answers {
    if !wanted.status() && !wanted.osd_tree && !wanted.clocks {
        return Answers::default();
    }
    match settings.via {
        Via::Cli => ask_cli(settings, wanted, log),
        Via::Librados => via_librados::ask(settings, wanted, log).unwrap_or_else(|absence| {
            let advice = "is the package librados2 installed? else set ceph.via = \"cli\"";
            Answers::failed(wanted, &format!("{absence}; {advice}"))
        }),
        Via::Auto => via_librados::ask(settings, wanted, log).unwrap_or_else(|absence| {
            log.info(format_args!("{absence}; asking the ceph CLI"));
            ask_cli(settings, wanted, log)
        }),
    }
}

/// All questions side by side: nearly all the time that a call takes is the CLI's start.
fn ask_cli(settings: &settings::Ceph, wanted: Wanted, log: &Log) -> Answers {
    thread::scope(|scope| {
        let tree = (wanted.osd_tree).then(|| scope.spawn(|| osd_tree(settings, wanted, log)));
        let clocks = (wanted.clocks).then(|| scope.spawn(|| clocks(settings, log)));
        let (status, health) = status_and_health(settings, wanted, log);
        Answers {
            status,
            health,
            osd_tree: tree.map(answer_of),
            clocks: clocks.map(answer_of),
        }
    })
}

fn answer_of<T>(thread: ScopedJoinHandle<'_, anyhow::Result<T>>) -> anyhow::Result<T> {
    let panicked = |_| Err(anyhow!("internal error: the thread that asked panicked"));
    thread.join().unwrap_or_else(panicked)
}

fn clocks(settings: &settings::Ceph, log: &Log) -> anyhow::Result<MonitorClocks> {
    ask_one(settings, Question::TimeSyncStatus, parse_clocks, log)
}

fn status(settings: &settings::Ceph, log: &Log) -> anyhow::Result<ClusterStatus> {
    ask_one(settings, Question::Status, parse_status, log)
}

fn status_and_health(
    settings: &settings::Ceph,
    wanted: Wanted,
    log: &Log,
) -> (
    Option<anyhow::Result<ClusterStatus>>,
    Option<anyhow::Result<Health>>,
) {
    if !wanted.health {
        return (wanted.usage.then(|| status(settings, log)), None);
    }
    let question = Question::Status;
    let answer = ask_one(settings, question, health::parse_status_and_health, log);
    let (status, health) = health::split(answer, &question.typed());
    (Some(status), Some(health))
}

fn osd_tree(settings: &settings::Ceph, wanted: Wanted, log: &Log) -> anyhow::Result<OsdTree> {
    ask_one(settings, Question::OsdTree, wanted.parse_tree(), log)
}

fn ask_one<T>(
    settings: &settings::Ceph,
    question: Question,
    parse: fn(&[u8]) -> anyhow::Result<T>,
    log: &Log,
) -> anyhow::Result<T> {
    let name = question.typed();
    let started = Instant::now();
    let facts = run_cli(settings, question, parse, &name, log).with_context(|| name.clone());
    log.info(format_args!("{name}: {} ms", started.elapsed().as_millis()));
    facts
}

fn run_cli<T>(
    settings: &settings::Ceph,
    question: Question,
    parse: fn(&[u8]) -> anyhow::Result<T>,
    name: &str,
    log: &Log,
) -> anyhow::Result<T> {
    let mut command = cli_command(settings, question)?;
    let Printed {
        status,
        stdout,
        stderr,
    } = run(&mut command, settings, name, log, |stdout| {
        parse(stdout).is_ok()
    })?;
    if !status.success() {
        return Err(failed(settings, status, &stdout, &stderr));
    }
    if let Some(line) = last_line(&stderr) {
        log.debug(format_args!("{name}: {line}"));
    }
    parse(&stdout).map_err(|error| match last_line(&stderr) {
        Some(line) => {
            anyhow!("{error:#}; its last words: {}", document::quote(&line))
        }
        None => error,
    })
}

/// Asks the CLI itself for its release, e.g. `16.2.15`: `ceph --version`. No monitor is asked.
///
/// # Errors
/// The CLI can't be run, fails, takes longer than `settings.timeout`, or says what can't be understood.
pub fn cli_version(settings: &settings::Ceph, log: &Log) -> anyhow::Result<String> {
    let name = "ceph --version";
    let ask = || {
        let mut command = cli(settings)?;
        command.arg("--version");
        let printed = run(&mut command, settings, name, log, |stdout| {
            parse_version(stdout).is_ok()
        })?;
        match printed.status.success() {
            true => parse_version(&printed.stdout),
            false => {
                let (stdout, stderr) = (&printed.stdout, &printed.stderr);
                Err(failed(settings, printed.status, stdout, stderr))
            }
        }
    };
    ask().context(name)
}

fn cli(settings: &settings::Ceph) -> anyhow::Result<Command> {
    let (program, arguments) = settings
        .command
        .split_first()
        .context("ceph.command is empty")?;
    let mut command = Command::new(program);
    command.args(arguments);
    Ok(command)
}

fn cli_command(settings: &settings::Ceph, question: Question) -> anyhow::Result<Command> {
    let mut command = cli(settings)?;
    command
        .args(access(settings))
        .args(question.words())
        .args(["--format", "json"]);
    Ok(command)
}

/// What a program printed that ended by itself.
struct Printed {
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: String,
}

/// Runs a program that asks the monitors. `by_hand` is what an admin would type to see the same.
fn run(
    command: &mut Command,
    settings: &settings::Ceph,
    by_hand: &str,
    log: &Log,
    is_answer: impl Fn(&[u8]) -> bool,
) -> anyhow::Result<Printed> {
    log.debug(format_args!("{by_hand}: {command:?}"));
    let limits = Limits {
        time: settings.timeout,
        stdout_bytes: Some(STDOUT_BYTES),
        stderr_tail_bytes: STDERR_TAIL_BYTES,
        stderr_bytes: STDERR_BYTES,
        left_behind: LeftBehind::Ended,
    };
    let Run {
        end,
        stdout,
        stderr,
    } = deadline::run(command, None, limits, is_answer)
        .map_err(|error| cannot_run(&command.get_program().to_string_lossy(), error))?;
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    match end {
        End::Exit(status) => Ok(Printed {
            status,
            stdout,
            stderr,
        }),
        End::Deadline => {
            let words = last_line(&stderr).map_or(String::new(), |line| {
                format!(", its last words: {}", document::quote(&line))
            });
            let waited = settings.timeout.as_secs_f64();
            Err(anyhow!(Trouble::new(
                Case::Unreachable,
                format!("no answer within {waited} s, so it was ended{words}"),
                format!("do the monitors answer `{by_hand}` by hand? (ceph.timeout)")
            )))
        }
        End::TooLong(stream) => {
            let (stream, limit) = match stream {
                Stream::Stdout => ("answer", STDOUT_BYTES),
                Stream::Stderr => ("standard error", STDERR_BYTES),
            };
            let limit = limit / (1024 * 1024);
            Err(anyhow!(Trouble::new(
                Case::Other,
                format!("its {stream} is too long: more than {limit} MiB, so it was ended"),
                format!("what does `{by_hand}` print by hand?")
            )))
        }
    }
}

/// Which cluster, as whom, and for how long at most: options of the CLI, which `ask-ceph` shares.
fn access(settings: &settings::Ceph) -> Vec<OsString> {
    let mut arguments = Vec::new();
    let mut option = |name: &str, value: &dyn AsRef<OsStr>| {
        arguments.push(name.into());
        arguments.push(value.as_ref().to_owned());
    };
    if let Some(conf) = &settings.conf {
        option("--conf", conf);
    }
    if let Some(name) = &settings.name {
        option("--name", name);
    }
    if let Some(keyring) = &settings.keyring {
        option("--keyring", keyring);
    }
    // Without it the CLI waits 300 s for a monitor; 0 would mean just that.
    let connect_timeout = settings.timeout.saturating_sub(HEAD_START).as_secs().max(1);
    option("--connect-timeout", &connect_timeout.to_string());
    arguments
}

fn cannot_run(program: &str, error: io::Error) -> anyhow::Error {
    let (case, advice) = match error.kind() {
        io::ErrorKind::NotFound if Path::new(program).is_file() => (
            Case::NotInstalled,
            "the interpreter that its first line names is not installed",
        ),
        io::ErrorKind::NotFound => (
            Case::NotInstalled,
            "is the package ceph-common installed? else set ceph.command",
        ),
        io::ErrorKind::PermissionDenied => (
            Case::Other,
            "may this user execute it? else set ceph.command",
        ),
        _ if error.raw_os_error() == Some(Errno::CHILD.raw_os_error()) => (
            Case::Other,
            "whoever started petanotify must not have it ignore SIGCHLD",
        ),
        _ => return anyhow!(error).context(format!("cannot run {program}")),
    };
    anyhow!(Trouble::new(
        case,
        format!("cannot run {program}: {error}"),
        advice
    ))
}

fn failed(
    settings: &settings::Ceph,
    status: ExitStatus,
    stdout: &[u8],
    stderr: &str,
) -> anyhow::Error {
    let mut message = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("ended by signal {}", signal_name(signal)),
        (None, None) => status.to_string(),
    };
    if let Some(line) = last_line(stderr) {
        message = format!("{message}: {line}");
    }
    // Where a monitor's name can't be resolved the CLI says so here.
    if let Some(line) = last_line(&String::from_utf8_lossy(stdout))
        && !line.starts_with(['{', '}', '['])
    {
        message = format!("{message}; it printed {}", document::quote(&line));
    }
    match advice(settings, status.code(), stderr) {
        Some((case, advice)) => anyhow!(Trouble::new(case, message, advice)),
        None => anyhow!(message),
    }
}

/// What to do about a failure, as far as the CLI's words tell causes apart. They were looked at in Ceph 14.2, 16.2, 18.2 and 20.2.
fn advice(settings: &settings::Ceph, code: Option<i32>, stderr: &str) -> Option<(Case, String)> {
    let name = settings.name.as_deref().unwrap_or("client.admin");
    let conf = match &settings.conf {
        Some(conf) => conf.display().to_string(),
        None => "/etc/ceph/ceph.conf".to_owned(),
    };
    let says = |words: &str| stderr.contains(words);
    if says("calling conf_read_file") {
        let advice = if says("InvalidArgument") {
            format!("{conf} can't be understood")
        } else {
            format!("is {conf} there, and may this user read it? else set ceph.conf")
        };
        return Some((Case::Other, advice));
    }
    if says("rados_initialize failed with error code: -22") {
        let advice = "ceph.name must be a whole name such as client.petanotify";
        return Some((Case::Other, advice.to_owned()));
    }
    if says("timed out") {
        let advice = format!(
            "no monitor answers: are the monitors in {conf} running, and reachable from here?"
        );
        return Some((Case::Unreachable, advice));
    }
    let keyring = match &settings.keyring {
        Some(keyring) => format!(" ({})", keyring.display()),
        None => String::new(),
    };
    // A broken key is error 5 up to 18.2, and 13 like a wrong one in 20.2.
    if says("[errno 5]") || says("auth: error parsing file") {
        let advice = format!("the key in the keyring of {name}{keyring} is broken");
        return Some((Case::NotLetIn, advice));
    }
    // The monitors let this key in, and refuse the command.
    if says("EACCES") && settings.name.is_some() {
        let advice = format!("`ceph auth caps {name} mon 'allow r'` gives the key enough rights");
        return Some((Case::NotAllowed, advice));
    }
    if code == Some(13) || says("[errno 13]") {
        let advice = format!(
            "may this user read the keyring of {name}{keyring}, and does it hold the key that Ceph knows? \
             `ceph auth get-or-create {} mon 'allow r'` makes one that is enough",
            settings.name.as_deref().unwrap_or("client.petanotify")
        );
        return Some((Case::NotLetIn, advice));
    }
    if says("[errno 2]") || says("[errno 22]") {
        let advice = format!(
            "no monitor is known: does {conf} name them in mon_host, and can their names be resolved?"
        );
        return Some((Case::Unreachable, advice));
    }
    None
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        _ => return signal.to_string(),
    };
    format!("{signal} ({name})")
}

/// The last line that is not blank.
fn last_line(text: &str) -> Option<String> {
    text.lines()
        .rev()
        .map(one_line)
        .find(|line| !line.is_empty())
}

/// Reads the answer of `ceph status --format json`: `pgmap.bytes_used`, `pgmap.bytes_total` and `mgrmap.available`, and what
/// `health` says of maintenance, as far as it is there and can be understood.
///
/// # Errors
/// It is no whole JSON document, or one of the first three is missing or no number. `bytes_total` alone may be missing, which
/// means 0.
pub fn parse_status(printed: &[u8]) -> anyhow::Result<ClusterStatus> {
    document::find(printed, |text| document::attempt(text, status_facts))
}

fn status_facts(status: Status<'_>) -> anyhow::Result<ClusterStatus> {
    let pgmap = status.pgmap.context("the answer has no pgmap")?;
    let mgr_available = status
        .mgrmap
        .and_then(|mgrmap| mgrmap.available)
        .context("the answer has no mgrmap.available")?;
    let total_bytes = pgmap.bytes_total.map_or(0, |Bytes(total)| total);
    let used_bytes = match pgmap.bytes_used {
        Some(Bytes(used)) => used,
        None if total_bytes == 0 => 0,
        None => bail!("the answer has no pgmap.bytes_used"),
    };
    Ok(ClusterStatus {
        usage: Usage {
            used_bytes,
            total_bytes,
            mgr_available,
        },
        maintenance: status.health.map(maintenance::read).unwrap_or_default(),
    })
}

/// Reads the answer of `ceph time-sync-status --format json`: of each monitor in `time_skew_status`, `skew` and `health`.
///
/// # Errors
/// It is no whole JSON document of this kind.
pub fn parse_clocks(printed: &[u8]) -> anyhow::Result<MonitorClocks> {
    document::find(printed, |text| document::attempt(text, clock_facts))
}

fn clock_facts(answer: TimeSync) -> anyhow::Result<MonitorClocks> {
    let mut clocks = MonitorClocks::default();
    for (monitor, clock) in answer.time_skew_status.unwrap_or_default() {
        if clock.health.is_some_and(|health| health != "HEALTH_OK") {
            clocks.apart.push(monitor.clone());
        }
        clocks.skew_seconds.insert(monitor, clock.skew);
    }
    Ok(clocks)
}

/// Reads the answer of `ceph --version`: the third word of `ceph version 16.2.15 (…) pacific (stable)`.
///
/// # Errors
/// It is none.
pub fn parse_version(printed: &[u8]) -> anyhow::Result<String> {
    let printed = String::from_utf8_lossy(printed);
    let found = printed.lines().find_map(|line| {
        let version = line.strip_prefix("ceph version ")?;
        version.split_whitespace().next()
    });
    match found {
        Some(version) => Ok(one_line(version)),
        None => bail!("it printed {}, and no version", document::quote(&printed)),
    }
}

/// Reads the answer of `ceph osd tree --format json`: `nodes` and `stray`.
///
/// # Errors
/// It is no whole JSON document, or has no `nodes`, or an OSD has no `id` or no `status`.
pub fn parse_osd_tree(printed: &[u8]) -> anyhow::Result<OsdTree> {
    document::find(printed, |text| {
        document::attempt(text, |tree| tree_facts(tree, Hosts::WhereAnyIsDown))
    })
}

/// The same, with the hosts also where all OSDs are up.
fn parse_osd_tree_with_all_hosts(printed: &[u8]) -> anyhow::Result<OsdTree> {
    document::find(printed, |text| {
        document::attempt(text, |tree| tree_facts(tree, Hosts::Always))
    })
}

/// When the hosts are told. To gather them costs more than all the rest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hosts {
    WhereAnyIsDown,
    Always,
}

fn tree_facts(tree: Tree<'_>, wanted: Hosts) -> anyhow::Result<OsdTree> {
    let nodes = tree.nodes.context("the answer has no nodes")?;
    let stray = tree.stray.unwrap_or_default();
    let mut up = nodes.up;
    up.extend(stray.up);
    let mut down = BTreeMap::new();
    let entries = nodes.others.iter().map(|entry| (entry, false));
    let entries = entries.chain(stray.others.iter().map(|entry| (entry, true)));
    for (entry, stray) in entries.filter(|(entry, _)| entry.is_osd()) {
        let Whole(id) = entry.id.context("an OSD in the answer has no id")?;
        let osd = OsdId(id);
        let Text(status) = entry
            .status
            .as_ref()
            .with_context(|| format!("{osd} has no status in the answer"))?;
        // The first entry counts: one below a bucket comes before a stray one.
        down.entry(osd).or_insert_with(|| DownOsd {
            host: None,
            status: status.to_string(),
            out: entry.reweight == Some(0.0),
            stray,
        });
    }
    if down.is_empty() && wanted == Hosts::WhereAnyIsDown {
        return Ok(OsdTree {
            up: BTreeSet::from_iter(up),
            ..OsdTree::default()
        });
    }
    // One that is listed twice, both ways, is not well.
    up.retain(|osd| !down.contains_key(osd));
    let up = BTreeSet::from_iter(up);
    let parents = Parents::of(&nodes.others, &down);
    for (OsdId(osd), facts) in &mut down {
        facts.host = parents.nearest(*osd, Kind::Host);
    }
    let hosts = hosts(&nodes.others, &parents, &up, &down);
    Ok(OsdTree { up, down, hosts })
}

/// The hosts that hold OSDs, each with how many of them are up, and its rack.
fn hosts(
    nodes: &[Entry<'_>],
    parents: &Parents<'_>,
    up: &BTreeSet<OsdId>,
    down: &BTreeMap<OsdId, DownOsd>,
) -> BTreeMap<String, Host> {
    let mut buckets = BTreeMap::new();
    for entry in nodes {
        if let Some(Whole(id @ ..0)) = entry.id {
            buckets.insert(id, entry);
        }
    }
    let mut hosts = BTreeMap::new();
    for (id, bucket) in &buckets {
        let (Some(Kind::Host), Some(Text(name))) = (bucket.kind, &bucket.name) else {
            continue;
        };
        let mut host = Host::default();
        let mut is_empty = true;
        let mut seen = BTreeSet::from([*id]);
        let mut below = vec![*bucket];
        while let Some(bucket) = below.pop() {
            for &Whole(child) in bucket.children.iter().flatten() {
                if let Some(bucket) = buckets.get(&child) {
                    // A damaged map must not send us in circles.
                    if seen.insert(child) {
                        below.push(bucket);
                    }
                } else if up.contains(&OsdId(child)) {
                    host.up += 1;
                    is_empty = false;
                } else {
                    // An id that the OSD map has forgotten is neither.
                    is_empty &= !down.contains_key(&OsdId(child));
                }
            }
        }
        if !is_empty {
            host.rack = parents.nearest(*id, Kind::Rack);
            hosts.insert(name.to_string(), host);
        }
    }
    hosts
}

/// Which buckets hold what, to walk up from an OSD that is down.
struct Parents<'a> {
    /// Child and bucket, sorted by the child.
    of: Vec<(i64, &'a Entry<'a>)>,
}

impl<'a> Parents<'a> {
    fn of(nodes: &'a [Entry<'a>], down: &BTreeMap<OsdId, DownOsd>) -> Self {
        let mut of = Vec::new();
        for bucket in nodes {
            for &Whole(child) in bucket.children.iter().flatten() {
                // Ids below 0 are buckets.
                if child < 0 || down.contains_key(&OsdId(child)) {
                    of.push((child, bucket));
                }
            }
        }
        of.sort_by_key(|(child, _)| *child);
        Parents { of }
    }

    /// The buckets that hold `child`, in the order of the answer.
    fn holders(&self, child: i64) -> impl Iterator<Item = &'a Entry<'a>> {
        let begin = self.of.partition_point(|(other, _)| *other < child);
        let holders = self.of[begin..].iter();
        holders
            .take_while(move |(other, _)| *other == child)
            .map(|(_, bucket)| *bucket)
    }

    /// The nearest bucket of this kind above an OSD or a bucket. There may be buckets of other types between them, and
    /// several roots above.
    fn nearest(&self, below: i64, kind: Kind) -> Option<String> {
        let mut seen = BTreeSet::new();
        let mut below = VecDeque::from([below]);
        while let Some(child) = below.pop_front() {
            for bucket in self.holders(child) {
                if bucket.kind == Some(kind) {
                    return bucket.name.as_ref().map(|Text(name)| name.to_string());
                }
                if let Some(Whole(id)) = bucket.id
                    // A damaged map must not send us in circles.
                    && seen.insert(id)
                {
                    below.push_back(id);
                }
            }
        }
        None
    }
}

#[derive(Deserialize)]
struct Status<'a> {
    pgmap: Option<Pgmap>,
    mgrmap: Option<Mgrmap>,
    /// Read apart, so that nothing in it can break the capacity check.
    #[serde(borrow)]
    health: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Pgmap {
    bytes_used: Option<Bytes>,
    bytes_total: Option<Bytes>,
}

#[derive(Deserialize)]
struct Mgrmap {
    available: Option<bool>,
}

#[derive(Deserialize)]
struct TimeSync {
    /// Missing where there is only one monitor.
    time_skew_status: Option<BTreeMap<String, Clock>>,
}

#[derive(Deserialize)]
struct Clock {
    skew: f64,
    health: Option<String>,
}

#[derive(Deserialize)]
struct Tree<'a> {
    #[serde(borrow)]
    nodes: Option<Entries<'a>>,
    #[serde(borrow)]
    stray: Option<Entries<'a>>,
}

/// A list of buckets and OSDs. Nearly all are OSDs that are up, of which nothing but the number is kept.
#[derive(Default)]
struct Entries<'a> {
    up: Vec<OsdId>,
    others: Vec<Entry<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;

        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of buckets and OSDs")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Entries<'de>, A::Error> {
                let mut entries = Entries::default();
                while let Some(entry) = list.next_element::<Entry<'_>>()? {
                    match entry.id {
                        Some(Whole(id)) if entry.is_osd() && entry.is_up() => {
                            entries.up.push(OsdId(id));
                        }
                        _ => entries.others.push(entry),
                    }
                }
                Ok(entries)
            }
        }

        deserializer.deserialize_seq(EntriesVisitor)
    }
}

/// A bucket or an OSD.
#[derive(Deserialize)]
struct Entry<'a> {
    id: Option<Whole>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(rename = "type")]
    kind: Option<Kind>,
    children: Option<Vec<Whole>>,
    exists: Option<f64>,
    #[serde(borrow)]
    status: Option<Text<'a>>,
    reweight: Option<f64>,
}

impl Entry<'_> {
    fn is_osd(&self) -> bool {
        self.kind == Some(Kind::Osd) && self.exists != Some(0.0)
    }

    fn is_up(&self) -> bool {
        self.status.as_ref().is_some_and(|Text(word)| word == "up")
    }
}

/// The `type` of a bucket or an OSD.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Osd,
    Host,
    Rack,
    #[serde(other)]
    Other,
}

/// A number of bytes, which some releases print as a float.
struct Bytes(u64);

/// A whole number, which some releases print as a float.
#[derive(Clone, Copy)]
struct Whole(i64);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_u64(WholeVisitor(PhantomData))
            .map(Bytes)
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_i64(WholeVisitor(PhantomData))
            .map(Whole)
    }
}

struct WholeVisitor<T>(PhantomData<T>);

impl<T: TryFrom<i128>> WholeVisitor<T> {
    fn fit<E: de::Error>(self, number: i128) -> Result<T, E> {
        T::try_from(number)
            .map_err(|_| E::custom(format_args!("{number} is out of the possible range")))
    }
}

impl<T: TryFrom<i128>> Visitor<'_> for WholeVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        self.fit(number.into())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        self.fit(number.into())
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "`as` stops at the ends of i128, which are out of range anyway"
    )]
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        self.fit(number.round() as i128)
    }
}
