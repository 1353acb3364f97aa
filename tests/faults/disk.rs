//! Every single system call on our files goes wrong, or is the last one before a kill: strace stands between petanotify
//! and the kernel. What counts is what the people have been told once the disk is well again.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::{self, Write as _};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

use serde_json::json;

use crate::ceph::{status_used, tree};
use crate::cluster::{Cluster, Run};
use crate::consul::Member;
use crate::ledger::Note;
use crate::relay::{Fault, Mail, Stage};

/// So many cases are carried out side by side.
const THREADS: usize = 2;

/// A disk that does not get well by itself is met by so many passes.
const HARMED_PASSES: usize = 3;

/// Names of one and the same call; strace leaves out those that an architecture has not.
const CALLS: [&str; 9] = [
    "?write,?writev",
    "?fsync",
    "?fdatasync",
    "?rename,?renameat,?renameat2",
    "?link,?linkat",
    "?open,?openat",
    "?unlink,?unlinkat",
    "?mkdir,?mkdirat",
    "?read",
];

const FILES: [&str; 8] = [
    "state.json",
    "state.json.bak",
    "state.json.new",
    "state.json.sent",
    "state.json.sent.new",
    "state.json.lock",
    "petasan-import.json",
    "petasan-import.json.new",
];

const ERRORS: [&str; 4] = ["ENOSPC", "EIO", "EROFS", "EACCES"];

/// What a pass finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Situation {
    /// The first pass ever, in which an OSD is down and the storage full.
    First,
    /// Mails of earlier passes wait, more comes to the incident that they are about, another begins, and PetaSAN has a new
    /// password.
    Queued,
    /// All is well again, and nobody has been told yet what was wrong.
    Over,
}

/// What goes wrong.
#[derive(Clone, Debug)]
enum Harm {
    Nothing,
    /// The call with this number fails so.
    Fails {
        calls: &'static str,
        error: &'static str,
        nth: usize,
    },
    /// All calls on our files fail so, or those on `only` this one, in several passes.
    Stays {
        calls: &'static str,
        error: &'static str,
        only: Option<&'static str>,
    },
    /// The disk has no byte left, in several passes.
    Full,
    /// The disk is read-only, in several passes.
    ReadOnly,
    /// The process is killed when it is about to make the call with this number.
    Killed {
        calls: &'static str,
        nth: usize,
    },
}

impl Harm {
    fn traced(&self) -> &'static str {
        match self {
            Harm::Fails { calls, .. } | Harm::Stays { calls, .. } | Harm::Killed { calls, .. } => {
                calls
            }
            Harm::Nothing | Harm::Full | Harm::ReadOnly => CHANGES,
        }
    }

    fn passes(&self) -> usize {
        match self {
            Harm::Stays { .. } | Harm::Full | Harm::ReadOnly => HARMED_PASSES,
            Harm::Nothing | Harm::Fails { .. } | Harm::Killed { .. } => 1,
        }
    }

    fn injected(&self) -> Option<String> {
        let how = match self {
            Harm::Nothing | Harm::Full | Harm::ReadOnly => return None,
            Harm::Fails { error, nth, .. } => format!("error={error}:when={nth}"),
            Harm::Stays { error, .. } => format!("error={error}"),
            Harm::Killed { nth, .. } => format!("signal=KILL:when={nth}"),
        };
        Some(format!("--inject={}:{how}", self.traced()))
    }
}

/// A recipient, a subject, and the incident, which is not to begin anew: its id, or for those that begin in the situation
/// just what it is about.
type Told = BTreeSet<News>;

type News = (String, String, String);

/// What came of a case.
struct Row {
    /// The call that was hit; `None` when there was none so late.
    hit: Option<String>,
    exit: String,
    sent: usize,
    next: String,
    lost: Told,
    /// Mails with a `Message-ID` that had arrived before.
    repeats: usize,
    /// Mails that nobody was to get: alerts raised anew, recoveries that are none.
    wrong: Told,
}

impl Row {
    fn is_bad(&self, harm: &Harm) -> bool {
        let allowed = match harm {
            Harm::Nothing => 0,
            // However long it lasts, it is one fault.
            _ => 1,
        };
        !self.lost.is_empty() || !self.wrong.is_empty() || self.repeats > allowed
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row {
            exit,
            sent,
            next,
            repeats,
            ..
        } = self;
        let lost = self.lost.len();
        write!(
            f,
            "{exit} | {sent} | {next} | {lost} | {repeats} | {}",
            self.wrong.len()
        )
    }
}

/// A PetaSAN node that can be put into a situation again and again.
struct Bench {
    cluster: Cluster,
    strace: PathBuf,
    /// The state folder as each situation begins with it.
    templates: PathBuf,
    /// The incidents that the situations begin with.
    open: BTreeSet<String>,
}

impl Bench {
    fn new() -> Self {
        let mut cluster = Cluster::petasan();
        for user in ["ops", "boss"] {
            cluster
                .consul
                .put_user(user, &format!("{user}@example.org"), true);
        }
        let runtime = cluster.folder().join("run");
        fs::create_dir(&runtime).unwrap();
        cluster.env("RUNTIME_DIRECTORY", runtime.to_str().unwrap());
        let templates = cluster.folder().join("templates");
        fs::create_dir(&templates).unwrap();
        let path = env::var_os("PATH").unwrap();
        let strace = env::split_paths(&path)
            .map(|folder| folder.join("strace"))
            .find(|program| program.exists())
            .expect("strace is not installed");
        let mut bench = Self {
            cluster,
            strace,
            templates,
            open: BTreeSet::new(),
        };

        bench.petasan("one");
        bench.node5(Member::Alive);
        bench.keep("First");
        bench.cluster.ceph.capacity(status_used(61.0));
        bench.osds(&[0]);
        bench.cluster.relay.fault(Stage::Greeting, Fault::Drop);
        bench.cluster.check().exits(1);
        bench.keep("Queued");
        bench.keep("Over");
        let queue = petanotify::state::parse(&fs::read(bench.cluster.state_file()).unwrap())
            .unwrap()
            .queue;
        bench.open = queue
            .iter()
            .map(|entry| entry.alert.incident.clone())
            .collect();
        assert_eq!(bench.open.len(), 2);
        bench
    }

    /// What this mail tells, but for how long it lasted.
    fn news(&self, mail: &Mail) -> News {
        let Note {
            incident,
            subject,
            to,
            ..
        } = Note::of(mail);
        let gist = match subject.rsplit_once(" (") {
            Some((gist, _)) if subject.contains(" down") => gist,
            _ => subject.split(" for ").next().unwrap_or_default(),
        };
        let topic = incident.split('-').next().unwrap_or_default();
        let incident = if self.open.contains(&incident) {
            incident.clone()
        } else {
            topic.to_owned()
        };
        (to, gist.to_owned(), incident)
    }

    /// PetaSAN's mail settings, told apart by their sender.
    fn petasan(&self, sender: &str) {
        self.cluster.consul.put(
            "PetaSAN/Config",
            &json!({
                "email_notify_smtp_server": "127.0.0.1",
                "email_notify_smtp_port": self.cluster.relay.port().to_string(),
                "email_notify_smtp_email": format!("{sender}@example.org"),
                "email_notify_smtp_password": "",
                "email_notify_smtp_security": "4",
            }),
        );
    }

    fn osds(&self, down: &[u32]) {
        let osd = |id| (id, if down.contains(&id) { "down" } else { "up" });
        let (one, two) = ([osd(0), osd(1)], [osd(2), osd(3)]);
        self.cluster
            .ceph
            .osds(tree(&[("node1", &one), ("node2", &two)]));
    }

    fn node5(&self, state: Member) {
        let mut members: Vec<(&str, Member)> = ["node1", "node2", "node3", "node4"]
            .map(|name| (name, Member::Alive))
            .into();
        members.push(("node5", state));
        self.cluster.consul.members_of("prod", &members);
    }

    fn keep(&self, name: &str) {
        copy(&self.cluster.state_folder(), &self.templates.join(name));
    }

    fn enter(&self, situation: Situation) {
        let state = self.cluster.state_folder();
        let _ = fs::remove_dir_all(&state);
        let runtime = self.cluster.folder().join("run");
        fs::remove_dir_all(&runtime).unwrap();
        fs::create_dir(runtime).unwrap();
        self.cluster.relay.heal();
        self.cluster.relay.take_mails();
        self.all_well();
        self.petasan("one");
        if situation != Situation::First {
            copy(&self.templates.join(format!("{situation:?}")), &state);
        }
        match situation {
            Situation::First => {
                self.osds(&[0]);
                self.cluster.ceph.capacity(status_used(61.0));
            }
            Situation::Queued => {
                self.osds(&[0, 2]);
                self.cluster.ceph.capacity(status_used(61.0));
                self.node5(Member::Failed);
                self.petasan("two");
            }
            Situation::Over => {}
        }
    }

    fn all_well(&self) {
        self.cluster.ceph.healthy();
        self.osds(&[]);
        self.node5(Member::Alive);
    }

    /// A pass to which this happens, and the call that was hit.
    fn harmed(&self, harm: &Harm) -> (Run, Option<String>) {
        let (run, log) = self.traced(harm);
        let hit = match harm {
            Harm::Killed { .. } if run.signal.is_some() => log
                .lines()
                .rfind(|line| line.contains('('))
                .map(|line| self.named(line)),
            Harm::Killed { .. } => None,
            _ => log
                .lines()
                .find(|line| line.contains("(INJECTED)"))
                .map(|line| self.named(line)),
        };
        (run, hit)
    }

    /// A pass to which this happens, and its calls.
    fn traced(&self, harm: &Harm) -> (Run, String) {
        let log = self.cluster.folder().join("strace.log");
        let petanotify = self.cluster.command(&["check"]);
        let mut command = Command::new(&self.strace);
        command.args(["-f", "-qq", "-y", "-s", "0", "-o"]).arg(&log);
        // With its filter in the kernel strace would be faster, but then it does not deliver signals.
        if !matches!(harm, Harm::Killed { .. }) {
            command.arg("--seccomp-bpf");
        }
        let folder = self.cluster.state_folder();
        let files: &[&str] = match harm {
            Harm::Stays {
                only: Some(file), ..
            } => &[file],
            _ => {
                command.arg("-P").arg(&folder);
                &FILES
            }
        };
        for file in files {
            command.arg("-P").arg(folder.join(file));
        }
        command.arg(format!("--trace={}", harm.traced()));
        command.args(harm.injected());
        command
            .arg(petanotify.get_program())
            .args(petanotify.get_args());
        command
            .env_clear()
            .envs(
                petanotify
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .current_dir(self.cluster.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let run = Cluster::spawn(command).wait();
        (run, fs::read_to_string(log).unwrap())
    }

    /// The call of a line of strace's and the last part of the path that it is about.
    fn named(&self, line: &str) -> String {
        let call = line.split_whitespace().nth(1).unwrap_or_default();
        let call = call.split('(').next().unwrap_or_default();
        let folder = self.cluster.folder().display().to_string() + "/";
        let path = line.split(&folder).nth(1).unwrap_or_default();
        let path = path.split(['"', '>']).next().unwrap_or_default();
        format!("{call} {path}")
    }

    fn carry_out(
        &self,
        situation: Situation,
        harm: &Harm,
        expected: Option<&[Told; 2]>,
    ) -> (Row, [Told; 2]) {
        self.enter(situation);
        let mut ids: BTreeMap<News, BTreeMap<String, usize>> = BTreeMap::new();
        let mut note = |mails: Vec<Mail>| {
            for mail in &mails {
                let told = ids.entry(self.news(mail)).or_default();
                *told.entry(mail.id()).or_default() += 1;
            }
            mails.len()
        };
        let mut exits = Vec::new();
        let mut sent = 0;
        let mut hit = None;
        let disk = Disk::mount(&self.cluster, harm);
        for _ in 0..harm.passes() {
            let (run, call) = self.harmed(harm);
            assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
            exits.push(match run.code {
                Some(code) => code.to_string(),
                None => "killed".to_owned(),
            });
            sent += note(self.cluster.relay.take_mails());
            hit = hit.or(call);
        }
        drop(disk);
        let run = self.cluster.check();
        assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
        let next = note(self.cluster.relay.take_mails());
        let next = format!("exit {}, {next} sent", run.code.unwrap_or(-1));
        note(self.cluster.pass(0));
        let first: Told = ids.keys().cloned().collect();
        let repeats = |ids: &BTreeMap<_, BTreeMap<String, usize>>| -> usize {
            ids.values()
                .flat_map(BTreeMap::values)
                .map(|times| times - 1)
                .sum()
        };
        let repeated = repeats(&ids);
        let again: Told = ids
            .iter()
            .filter(|(_, ids)| ids.len() > 1)
            .map(|(told, _)| told.clone())
            .collect();

        self.all_well();
        let second: Told = (self.cluster.pass(0).iter())
            .map(|mail| self.news(mail))
            .collect();
        let told = [first, second];
        let expected = expected.unwrap_or(&told);
        let mut lost = Told::new();
        let mut wrong = again;
        for (told, expected) in told.iter().zip(expected) {
            lost.extend(expected.difference(told).cloned());
            wrong.extend(told.difference(expected).cloned());
        }
        let row = Row {
            hit,
            exit: exits.join(", "),
            sent,
            next,
            lost,
            repeats: repeated,
            wrong,
        };
        (row, told)
    }

    /// Harms the first call, then the second, until there is none so late.
    fn one_after_the_other(
        &self,
        situation: Situation,
        expected: &[Told; 2],
        harm: impl Fn(usize) -> (String, Harm),
    ) -> Vec<(String, Harm, Row)> {
        let mut rows = Vec::new();
        for nth in 1.. {
            let (what, harm) = harm(nth);
            let (row, _) = self.carry_out(situation, &harm, Some(expected));
            if row.hit.is_none() {
                break;
            }
            rows.push((what, harm, row));
        }
        rows
    }

    /// All that people are told when nothing goes wrong: in the situation, and when it is over.
    fn expected(&self, situation: Situation) -> [Told; 2] {
        let (row, told) = self.carry_out(situation, &Harm::Nothing, None);
        assert!(!row.is_bad(&Harm::Nothing), "{row}");
        assert_eq!(row.exit, "0");
        assert!(!told[0].is_empty());
        told
    }
}

/// A small disk that is full or read-only, mounted over the state folder until it is dropped. What is in the folder is
/// there, too, and is still there afterwards.
struct Disk {
    folder: PathBuf,
    safe: PathBuf,
}

impl Disk {
    fn mount(cluster: &Cluster, harm: &Harm) -> Option<Self> {
        if !matches!(harm, Harm::Full | Harm::ReadOnly) {
            return None;
        }
        let folder = cluster.state_folder();
        let _ = fs::create_dir(&folder);
        let disk = Self {
            safe: cluster.folder().join("safe"),
            folder,
        };
        let _ = fs::remove_dir_all(&disk.safe);
        copy(&disk.folder, &disk.safe);
        disk.carry_out(
            "mount",
            &["-t", "tmpfs", "-o", "size=64k,mode=0700", "none"],
        );
        copy_files(&disk.safe, &disk.folder);
        if matches!(harm, Harm::ReadOnly) {
            disk.carry_out("mount", &["-o", "remount,ro"]);
        } else {
            let full = fs::write(disk.folder.join("filler"), [0; 128 << 10]);
            assert!(full.is_err(), "the disk is not full");
        }
        Some(disk)
    }

    fn carry_out(&self, command: &str, arguments: &[&str]) {
        let mut command = Command::new(command);
        let status = command.args(arguments).arg(&self.folder).status();
        assert!(
            status.unwrap().success(),
            "{command:?} (needs root, and a machine that lets root mount)"
        );
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let kept = fs::remove_dir_all(&self.safe).and_then(|()| fs::create_dir(&self.safe));
        kept.unwrap();
        copy_files(&self.folder, &self.safe);
        let _ = fs::remove_file(self.safe.join("filler"));
        self.carry_out("umount", &[]);
        fs::remove_dir_all(&self.folder).unwrap();
        copy(&self.safe, &self.folder);
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    copy_files(from, to);
}

fn copy_files(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// Carries out the jobs on a few benches, and returns what came of them in order.
fn on_benches<J: Send, R: Send>(
    jobs: Vec<J>,
    work: impl Fn(&Bench, &J) -> R + Sync,
) -> Vec<(J, R)> {
    let waiting = Mutex::new(jobs.into_iter().enumerate());
    let done = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let bench = Bench::new();
                while let Some((number, job)) = { waiting.lock().unwrap().next() } {
                    let result = work(&bench, &job);
                    done.lock().unwrap().insert(number, (job, result));
                }
            });
        }
    });
    done.into_inner().unwrap().into_values().collect()
}

/// The table of these rows; those of the same outcome share a line. What is bad in it.
fn table(title: &str, rows: &[(String, Harm, Row)]) -> Vec<String> {
    let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
    let mut bad = Vec::new();
    for (what, harm, row) in rows {
        let line = format!("{} | {row}", row.hit.as_deref().unwrap_or("(all)"));
        let mark = if row.is_bad(harm) { " **BAD**" } else { "" };
        let line = format!("{line}{mark}");
        if row.is_bad(harm) {
            bad.push(format!(
                "{what}: {line}\nlost {:#?}\nwrong {:#?}",
                row.lost, row.wrong
            ));
        }
        match lines.iter_mut().find(|(known, _)| *known == line) {
            Some((_, whats)) if whats.contains(&what.as_str()) => {}
            Some((_, whats)) => whats.push(what),
            None => lines.push((line, vec![what])),
        }
    }
    let mut table = format!(
        "\n| {title} | at | exit | sent | next pass | lost | repeats | wrong |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n"
    );
    for (line, whats) in lines {
        let _ = writeln!(table, "| {} | {line} |", whats.join(" "));
    }
    println!("{table}");
    bad
}

#[test]
#[ignore = "needs strace; tests/run runs it"]
fn a_kill_at_any_call_loses_nothing() {
    let mut all_bad = Vec::new();
    let situations = vec![Situation::First, Situation::Queued, Situation::Over];
    let tables = on_benches(situations, |bench, situation| {
        let expected = bench.expected(*situation);
        let mut rows = Vec::new();
        for calls in CALLS {
            rows.extend(bench.one_after_the_other(*situation, &expected, |nth| {
                (nth.to_string(), Harm::Killed { calls, nth })
            }));
        }
        rows
    });
    for (situation, rows) in &tables {
        all_bad.extend(table(&format!("{situation:?}: killed before call"), rows));
        let repeats: usize = rows.iter().map(|(_, _, row)| row.repeats).sum();
        let lost: usize = rows.iter().map(|(_, _, row)| row.lost.len()).sum();
        println!(
            "{situation:?}: kills {}, lost {lost}, repeats {repeats}",
            rows.len()
        );
        assert!(
            rows.len() > 20,
            "{situation:?}: only {} calls were hit",
            rows.len()
        );
    }
    assert!(all_bad.is_empty(), "{}", all_bad.join("\n"));
}

#[test]
#[ignore = "needs strace; tests/run runs it"]
fn a_failing_disk_loses_nothing() {
    let mut jobs = Vec::new();
    for situation in [Situation::First, Situation::Queued, Situation::Over] {
        for calls in CALLS {
            jobs.extend(ERRORS.map(|error| (situation, calls, error)));
        }
    }
    let done = on_benches(jobs, |bench, (situation, calls, error)| {
        let expected = bench.expected(*situation);
        bench.one_after_the_other(*situation, &expected, |nth| {
            ((*error).to_owned(), Harm::Fails { calls, error, nth })
        })
    });
    let mut all_bad = Vec::new();
    let mut tables: BTreeMap<String, Vec<(String, Harm, Row)>> = BTreeMap::new();
    for ((situation, ..), rows) in done {
        tables
            .entry(format!("{situation:?}"))
            .or_default()
            .extend(rows);
    }
    for (situation, rows) in &tables {
        assert!(
            rows.len() > 50,
            "{situation}: only {} calls were hit",
            rows.len()
        );
        all_bad.extend(table(&format!("{situation}: fails once"), rows));
    }
    assert!(all_bad.is_empty(), "{}", all_bad.join("\n"));
}

/// Disks that do not get well by themselves.
const DISKS: [(&str, Harm); 9] = [
    ("full", Harm::Full),
    ("read-only", Harm::ReadOnly),
    (
        "ENOSPC at every write",
        stays("?write,?writev,?fsync,?fdatasync", "ENOSPC", None),
    ),
    ("EROFS at every change", stays(CHANGES, "EROFS", None)),
    ("EIO at every change", stays(CHANGES, "EIO", None)),
    ("EIO at every sync", stays("?fsync,?fdatasync", "EIO", None)),
    (
        "EACCES at every rename",
        stays("?rename,?renameat,?renameat2", "EACCES", None),
    ),
    (
        "ENOSPC in the list of what was sent",
        stays("?write,?writev", "ENOSPC", Some("state.json.sent")),
    ),
    (
        "EIO at syncing that list",
        stays("?fdatasync", "EIO", Some("state.json.sent")),
    ),
];

const fn stays(calls: &'static str, error: &'static str, only: Option<&'static str>) -> Harm {
    Harm::Stays { calls, error, only }
}

/// All calls that change something.
const CHANGES: &str = "?write,?writev,?fsync,?fdatasync,?rename,?renameat,?renameat2,?link,?linkat,?unlink,?unlinkat,?mkdir,?mkdirat";

#[test]
#[ignore = "needs strace and root; tests/run runs it"]
fn a_disk_that_stays_broken_loses_and_repeats_nothing() {
    let mut jobs = Vec::new();
    for situation in [Situation::First, Situation::Queued, Situation::Over] {
        jobs.extend(DISKS.map(|disk| (situation, disk)));
    }
    let done = on_benches(jobs, |bench, (situation, (name, harm))| {
        let expected = bench.expected(*situation);
        let (row, _) = bench.carry_out(*situation, harm, Some(&expected));
        (format!("{situation:?}: {name};"), harm.clone(), row)
    });
    let rows: Vec<(String, Harm, Row)> = done.into_iter().map(|(_, row)| row).collect();
    let bad = table(&format!("disk, for {HARMED_PASSES} passes"), &rows);
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// What is wrong only while nothing can be saved is told all the same, and that it is over.
#[test]
#[ignore = "needs strace and root; tests/run runs it"]
fn what_comes_and_goes_while_the_disk_is_broken_is_told() {
    let disks = DISKS.to_vec();
    let done = on_benches(disks, |bench, (_, harm)| {
        bench.enter(Situation::First);
        let disk = Disk::mount(&bench.cluster, harm);
        let mut mails = Vec::new();
        for osds in [&[0][..], &[]] {
            bench.osds(osds);
            bench.harmed(harm);
            mails.extend(bench.cluster.relay.take_mails());
        }
        drop(disk);
        let during = mails.len();
        for _ in 0..2 {
            bench.cluster.check();
            mails.extend(bench.cluster.relay.take_mails());
        }
        let texts: Vec<String> = mails.iter().map(Mail::text).collect();
        let told = texts.iter().filter(|text| text.contains("osd.0")).count();
        (during, told)
    });
    println!(
        "\n| disk | mails while it is broken | mails that tell of osd.0, of at least 2 |\n| --- | --- | --- |"
    );
    let mut lost = Vec::new();
    for ((name, _), (during, told)) in done {
        println!("| {name} | {during} | {told} |");
        if during < 2 || told < 2 {
            lost.push(name);
        }
    }
    assert!(
        lost.is_empty(),
        "nobody hears of osd.0 if its disk is: {}",
        lost.join("; ")
    );
}

/// What a pass costs the disk: a sync is what makes it wait.
#[test]
#[ignore = "needs strace; tests/run runs it"]
fn a_quiet_pass_writes_once_and_syncs_once() {
    let bench = Bench::new();
    let count = |mails: usize| {
        let (run, log) = bench.traced(&Harm::Nothing);
        run.exits(0);
        assert_eq!(bench.cluster.relay.take_mails().len(), mails);
        let of = |calls: &[&str]| {
            let names = log.lines().map(|line| bench.named(line));
            let call = |name: &String| {
                let call = name.split(' ').next().unwrap_or_default();
                calls.contains(&call)
            };
            names.filter(call).count()
        };
        let writes = of(&["write", "writev"]);
        let syncs = of(&["fsync", "fdatasync"]);
        println!("a pass with {mails} mails: {writes} writes, {syncs} syncs");
        (writes, syncs)
    };
    bench.enter(Situation::Over);
    bench.cluster.check().exits(0);
    assert_eq!(bench.cluster.relay.take_mails().len(), 4);
    // The second finds what the first one may have left.
    assert_eq!([count(0), count(0)], [(1, 1); 2]);
    bench.osds(&[0]);
    bench.cluster.check().exits(0);
    assert_eq!(bench.cluster.relay.take_mails().len(), 2);
    assert_eq!(count(0), (1, 1), "what is down and told is no news");
    bench.osds(&[0, 2]);
    // Twice the state with its folder, and a line for each mail.
    assert_eq!(count(2), (4, 6));
}
