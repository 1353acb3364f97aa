//! A `ceph` command that answers as the test says, and remembers how it was called.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::LIMIT;

/// The two questions that petanotify asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    Status,
    OsdTree,
}

impl Question {
    const fn file(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::OsdTree => "osd-tree",
        }
    }
}

/// What the command does when it is asked.
#[derive(Clone, Debug)]
pub(crate) enum Behaviour {
    /// Prints this and ends well.
    Answer(Vec<u8>),
    /// Prints these to stdout and stderr and ends with this status.
    Fail {
        stdout: Vec<u8>,
        stderr: String,
        exit: i32,
    },
    /// Prints nothing and does not end.
    Hang,
    /// Prints half of a document and does not end.
    HangHalfway(Vec<u8>),
    /// Does not end, and cannot be asked politely to.
    HangDeaf,
    /// Waits until `Ceph::release` is called, then answers.
    Wait(Vec<u8>),
    /// Waits until the other question has been asked too, then answers.
    Meet(Vec<u8>),
    /// Dies by this signal.
    Signal(i32),
    /// Prints without an end.
    Endless,
    /// Prints so many bytes of garbage and ends well.
    Garbage(u64),
    /// Complains on stderr without an end.
    EndlessComplaint,
    /// Answers and ends, but leaves behind a child that holds its stdout open.
    LeaveChild(Vec<u8>),
    /// The same with a child that has left the process group and the session.
    LeaveDaemon(Vec<u8>),
    /// Starts a child that holds stdout open, and hangs.
    HangWithChild,
}

/// An answer in a file of `tests/fixtures/ceph`, such as `18.2.7/status.healthy`.
pub(crate) fn recorded(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ceph");
    let file = folder.join(format!("{name}.json"));
    fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// A `ceph status` of a cluster that is so full.
pub(crate) fn status_used(percent: f64) -> Vec<u8> {
    let total = 1_000_000_000_u64;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss
    )]
    let used = (total as f64 * percent / 100.0).round() as u64;
    status(used, total, true)
}

/// A `ceph status` with these figures.
pub(crate) fn status(used: u64, total: u64, manager: bool) -> Vec<u8> {
    let mut document: Value = serde_json::from_slice(&recorded("18.2.7/status.healthy")).unwrap();
    document["pgmap"]["bytes_used"] = json!(used);
    document["pgmap"]["bytes_avail"] = json!(total - used);
    document["pgmap"]["bytes_total"] = json!(total);
    document["mgrmap"]["available"] = json!(manager);
    document.to_string().into_bytes()
}

/// A `ceph osd tree` with these hosts and, under each, these OSDs with their status.
pub(crate) fn tree(hosts: &[(&str, &[(u32, &str)])]) -> Vec<u8> {
    let mut nodes = Vec::new();
    let mut bucket = -1;
    for (host, osds) in hosts {
        bucket -= 1;
        let children: Vec<u32> = osds.iter().map(|(id, _)| *id).collect();
        nodes.push(
            json!({"id": bucket, "name": host, "type": "host", "type_id": 1, "children": children}),
        );
        for (id, status) in *osds {
            nodes.push(json!({"id": id, "name": format!("osd.{id}"), "type": "osd", "type_id": 0, "crush_weight": 1,
                "depth": 2, "exists": 1, "status": status, "reweight": 1, "primary_affinity": 1}));
        }
    }
    let hosts: Vec<i32> = (bucket..-1).collect();
    nodes.insert(
        0,
        json!({"id": -1, "name": "default", "type": "root", "type_id": 11, "children": hosts}),
    );
    json!({"nodes": nodes, "stray": []})
        .to_string()
        .into_bytes()
}

/// The stand-in: a script called `ceph` in a folder that is all of petanotify's PATH.
pub(crate) struct Ceph {
    folder: PathBuf,
    command: PathBuf,
}

impl Ceph {
    /// Sets it up below `root` for a cluster in which all is well.
    pub(crate) fn install(root: &Path) -> Self {
        let folder = root.join("ceph");
        let bin = root.join("bin");
        fs::create_dir_all(&folder).unwrap();
        fs::create_dir_all(&bin).unwrap();
        let ceph = Self {
            folder,
            command: bin.join("ceph"),
        };
        let script = SCRIPT.replace("@FOLDER@", ceph.folder.to_str().unwrap());
        fs::write(&ceph.command, script).unwrap();
        ceph.make_executable(true);
        let linger = format!(
            "while [ -d '{}' ]; do sleep 0.2; done\n",
            ceph.folder.display()
        );
        fs::write(ceph.folder.join("linger"), linger).unwrap();
        // The tests that run petanotify as another user let that user's calls be recorded too.
        fs::set_permissions(&ceph.folder, fs::Permissions::from_mode(0o777)).unwrap();
        ceph.healthy();
        let clock = json!({"skew": 0.0, "latency": 0.001, "health": "HEALTH_OK"});
        let clocks = json!({"time_skew_status": {"node1": clock, "node2": clock}});
        let clocks_file = ceph.folder.join("time-sync-status.answer");
        fs::write(clocks_file, clocks.to_string()).unwrap();
        ceph
    }

    /// The folder for PATH.
    pub(crate) fn bin(&self) -> &Path {
        self.command.parent().unwrap()
    }

    pub(crate) fn command(&self) -> &Path {
        &self.command
    }

    pub(crate) fn make_executable(&self, executable: bool) {
        let mode = if executable { 0o755 } else { 0o644 };
        fs::set_permissions(&self.command, fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) fn uninstall(&self) {
        fs::remove_file(&self.command).unwrap();
    }

    /// Answers as a healthy cluster of 18.2.7 does.
    pub(crate) fn healthy(&self) {
        self.situation("18.2.7", "healthy");
    }

    /// Answers both questions as recorded of this release in this situation.
    pub(crate) fn situation(&self, release: &str, situation: &str) {
        self.does(
            Question::Status,
            &Behaviour::Answer(recorded(&format!("{release}/status.{situation}"))),
        );
        self.does(
            Question::OsdTree,
            &Behaviour::Answer(recorded(&format!("{release}/osd-tree.{situation}"))),
        );
    }

    pub(crate) fn osds(&self, answer: Vec<u8>) {
        self.does(Question::OsdTree, &Behaviour::Answer(answer));
    }

    pub(crate) fn capacity(&self, answer: Vec<u8>) {
        self.does(Question::Status, &Behaviour::Answer(answer));
    }

    /// Fails both questions as the real CLI does: this last line on stderr, this status.
    pub(crate) fn fails(&self, exit: i32, stderr: &str) {
        let failure = Behaviour::Fail {
            stdout: Vec::new(),
            stderr: stderr.to_owned(),
            exit,
        };
        self.does_both(&failure);
    }

    pub(crate) fn does_both(&self, behaviour: &Behaviour) {
        self.does(Question::Status, behaviour);
        self.does(Question::OsdTree, behaviour);
    }

    pub(crate) fn does(&self, question: Question, behaviour: &Behaviour) {
        let name = question.file();
        let other = match question {
            Question::Status => Question::OsdTree.file(),
            Question::OsdTree => Question::Status.file(),
        };
        let hang = "while [ -d \"$here\" ]; do sleep 0.2; done";
        let linger = "sh \"$here/linger\" &";
        let answer = "cat \"$here/$what.answer\"";
        let _ = fs::remove_file(self.folder.join("release"));
        let _ = fs::remove_file(self.folder.join(format!("{name}.asked")));
        let _ = fs::remove_file(self.folder.join(format!("{name}.waits")));
        let (text, printed) = match behaviour {
            Behaviour::Answer(text) => (answer.to_owned(), text.clone()),
            Behaviour::Fail {
                stdout,
                stderr,
                exit,
            } => {
                fs::write(self.folder.join(format!("{name}.stderr")), stderr).unwrap();
                (
                    format!("{answer}; cat \"$here/$what.stderr\" >&2; exit {exit}"),
                    stdout.clone(),
                )
            }
            Behaviour::Hang => (hang.to_owned(), Vec::new()),
            Behaviour::HangHalfway(text) => {
                (format!("{answer}; {hang}"), text[..text.len() / 2].to_vec())
            }
            Behaviour::HangDeaf => (format!("trap '' TERM INT HUP; {hang}"), Vec::new()),
            Behaviour::Wait(text) => {
                let wait =
                    "while [ -d \"$here\" ] && [ ! -e \"$here/release\" ]; do sleep 0.05; done";
                (
                    format!(": >\"$here/$what.waits\"; {wait}; {answer}"),
                    text.clone(),
                )
            }
            Behaviour::Meet(text) => {
                let met = format!("[ -e \"$here/{other}.asked\" ]");
                (
                    format!("until {met} || [ ! -d \"$here\" ]; do sleep 0.02; done; {answer}"),
                    text.clone(),
                )
            }
            Behaviour::Signal(signal) => (format!("kill -{signal} $$"), Vec::new()),
            Behaviour::Endless => ("exec yes '{\"nodes\": [ {}, '".to_owned(), Vec::new()),
            Behaviour::Garbage(bytes) => (
                format!("head -c {bytes} /dev/zero | tr '\\000' x"),
                Vec::new(),
            ),
            Behaviour::EndlessComplaint => (
                "exec yes 'something is very wrong' >&2".to_owned(),
                Vec::new(),
            ),
            Behaviour::LeaveChild(text) => (format!("{linger} {answer}"), text.clone()),
            Behaviour::LeaveDaemon(text) => (format!("setsid {linger} {answer}"), text.clone()),
            Behaviour::HangWithChild => (format!("{linger} {hang}"), Vec::new()),
        };
        fs::write(self.folder.join(format!("{name}.answer")), printed).unwrap();
        // A pass that is still running must not read half of it.
        let new = self.folder.join(format!("{name}.new"));
        fs::write(&new, text).unwrap();
        fs::rename(&new, self.folder.join(format!("{name}.sh"))).unwrap();
    }

    /// Waits until a call does `Wait`.
    pub(crate) fn wait_for_waiting(&self, question: Question) {
        let waits = self.folder.join(format!("{}.waits", question.file()));
        let started = Instant::now();
        while !waits.exists() {
            assert!(started.elapsed() < LIMIT, "nobody waits");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Lets those that `Wait` go on.
    pub(crate) fn release(&self) {
        fs::write(self.folder.join("release"), "").unwrap();
    }

    /// The arguments of every call so far, one call a line.
    pub(crate) fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.folder.join("calls")).unwrap_or_default();
        calls.lines().map(ToOwned::to_owned).collect()
    }

    /// The command lines of what the stand-in started and what still runs.
    pub(crate) fn processes(&self) -> Vec<String> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(line) = fs::read(entry.path().join("cmdline")) else {
                continue;
            };
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            if line.contains(self.folder.to_str().unwrap())
                || line.contains(self.command.to_str().unwrap())
            {
                found.push(line);
            }
        }
        found
    }
}

/// Ends by itself when its folder is gone, so that nothing outlives a test for long.
const SCRIPT: &str = r#"#!/bin/sh
here='@FOLDER@'
PATH=/usr/bin:/bin
what=other
case " $* " in
*' osd tree '*) what=osd-tree ;;
*' status '*) what=status ;;
esac
printf '%s\n' "$*" >>"$here/calls"
case "$*" in
--version)
	echo 'ceph version 18.2.7 (6b0e988052ec84cf2d4a54ff9bbbc5e720b621ad) reef (stable)'
	exit
	;;
*' time-sync-status '*)
	cat "$here/time-sync-status.answer"
	exit
	;;
esac
: >"$here/$what.asked"
if [ "$what" = other ]; then
	echo "ceph stand-in: unknown command: $*" >&2
	exit 22
fi
. "$here/$what.sh"
"#;
