//! Flips, cuts, zeroes, doubles and splices bytes of every file that petanotify keeps. Whatever they become, nothing
//! panics, and nobody silently begins anew: either the content is used, or it is told and kept aside. How often a cut left
//! a valid document that says less is counted and printed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Error, Result, bail, ensure};
use jiff::Timestamp;
use petanotify::settings::petasan_cache;
use petanotify::state::State;
use petanotify::store::{Loaded, Lock, Store};
use serde_json::json;

use crate::ceph::{status_used, tree};
use crate::cluster::Cluster;
use crate::consul::Member;
use crate::number;
use crate::relay::{Fault, Stage};

const THREADS: usize = 2;

const PASSWORD: &str = "pa55-of-petasan";

/// Marsaglia's xorshift of 64 bits: small, and the same everywhere.
struct Random(u64);

impl Random {
    /// Every case has a sequence of its own, so that it can be carried out alone.
    fn new(seed: usize, case: usize) -> Self {
        let mut random =
            Self((seed as u64) << 32 ^ (case as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// One of 0 to `end` - 1.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// A part of something so long, short more often than long.
    fn part(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length);
        let longest = 1 << self.below(12);
        start..(start + 1 + self.below(longest)).min(length)
    }
}

/// What a disk, a crash or a hand can do to bytes. `other` is another file of ours.
fn mangle(bytes: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(3) {
        if bytes.is_empty() {
            break;
        }
        let part = random.part(bytes.len());
        match random.below(7) {
            0 | 1 => bytes[part.start] ^= 1 << random.below(8),
            2 => bytes.truncate(part.start),
            3 => bytes[part].fill(0),
            4 => drop(bytes.drain(part)),
            5 => {
                let doubled = bytes[part.clone()].to_vec();
                bytes.splice(part.end..part.end, doubled);
            }
            _ => {
                let strange = other[random.part(other.len())].to_vec();
                bytes.splice(part, strange);
            }
        }
    }
    bytes
}

/// What a cluster in trouble has left on disk after two passes, and a list of what was sent since.
struct Files {
    state: Vec<u8>,
    backup: Vec<u8>,
    sent: Vec<u8>,
    import: Vec<u8>,
    /// The state that is in the first one, in the second one, and in the first without what was sent.
    of_state: State,
    of_backup: State,
    without_sent: State,
}

impl Files {
    fn collect() -> Self {
        let cluster = Cluster::petasan();
        cluster.consul.put(
            "PetaSAN/Config",
            &json!({
                "email_notify_smtp_server": "127.0.0.1",
                "email_notify_smtp_port": cluster.relay.port().to_string(),
                "email_notify_smtp_email": "petasan@example.org",
                "email_notify_smtp_password": PASSWORD,
                "email_notify_smtp_security": "2",
            }),
        );
        cluster.consul.put_user("admin", "admin@example.org", true);
        cluster.relay.fault(Stage::Greeting, Fault::Drop);
        cluster.ceph.capacity(status_used(61.0));
        cluster
            .consul
            .members(&[("node1", Member::Alive), ("node2", Member::Failed)]);
        for down in ["up", "down"] {
            let osds = [(0, "down"), (1, down)];
            cluster.ceph.osds(tree(&[("node1", &osds)]));
            cluster.check().exits(1);
        }
        let file = cluster.state_file();
        let state = fs::read(&file).unwrap();
        let backup = fs::read(format!("{}.bak", file.display())).unwrap();
        let import = fs::read(cluster.state_folder().join("petasan-import.json")).unwrap();
        let of_state = petanotify::state::parse(&state).unwrap();
        let of_backup = petanotify::state::parse(&backup).unwrap();
        let sent: Vec<_> = of_state
            .queue
            .iter()
            .take(2)
            .map(|e| e.id.clone())
            .collect();
        let mut without_sent = of_state.clone();
        without_sent.queue.remove(&sent.iter().cloned().collect());
        assert!(without_sent.queue.len() < of_state.queue.len() && !without_sent.queue.is_empty());
        let sent: String = sent.iter().map(|id| format!("{id}\n")).collect();
        let sent = sent.into_bytes();
        Self {
            state,
            backup,
            sent,
            import,
            of_state,
            of_backup,
            without_sent,
        }
    }
}

/// How much a state remembers: mails that wait, those with a recipient, incidents that are open, things that are down.
fn wealth(state: &State) -> [usize; 4] {
    let memory = &state.memory;
    let incidents = [
        memory.capacity.incident.is_some(),
        memory.nodes.incident.is_some(),
        memory.osds.incident.is_some(),
    ];
    [
        state.queue.len(),
        state.queue.len() - state.queue.unaddressed(),
        incidents.iter().filter(|open| **open).count(),
        memory.nodes.down.len() + memory.osds.down.len(),
    ]
}

fn is_poorer(state: &State, than: &State) -> bool {
    wealth(state)
        .iter()
        .zip(wealth(than))
        .any(|(has, had)| *has < had)
}

/// A folder in which cases are carried out.
struct Bench<'a> {
    files: &'a Files,
    folder: tempfile::TempDir,
    store: Store,
    lock: Lock,
    now: Timestamp,
}

/// What a case has shown, to be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shown {
    Unharmed,
    Used,
    /// Whole entries were cut out such that what is left is a valid document: without a checksum nobody can tell.
    PartlyForgotten,
    Told,
    /// Told, but the damaged file is not kept.
    ToldAndGone,
    RefusedAsNewer,
    /// A mail that was sent is going to be repeated, and nothing tells that the list is damaged.
    RepeatedSilently,
}

impl<'a> Bench<'a> {
    fn new(files: &'a Files) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("state.json"), None);
        let lock = store.lock(Duration::ZERO).unwrap();
        let now = "2026-11-23T02:14:00Z".parse().unwrap();
        Self {
            files,
            folder,
            store,
            lock,
            now,
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Puts these files there and no others.
    fn put(&self, files: &[(&str, &[u8])]) {
        for entry in fs::read_dir(self.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "lock") {
                fs::remove_file(path).unwrap();
            }
        }
        for (name, content) in files {
            fs::write(self.path(name), content).unwrap();
        }
    }

    /// What a pass makes of it, and what a mere look does, which must be the same.
    fn load(&self) -> Result<std::result::Result<Loaded, String>> {
        let looked = self.store.read(self.now);
        let loaded = self.store.load(&self.lock, self.now);
        match (&looked, &loaded) {
            (Ok(looked), Ok(loaded)) => {
                assert_eq!(looked.state, loaded.state, "a look differs from a load")
            }
            (Err(_), Err(_)) => {}
            _ => bail!("a look ends as {looked:?}, a load as {loaded:?}"),
        }
        Ok(loaded.map_err(|error| format!("{error:#}")))
    }

    fn is_aside(&self, name: &str, content: &[u8]) -> bool {
        fs::read(self.path(&format!("{name}.broken-20261123T021400Z")))
            .is_ok_and(|kept| kept == content)
    }

    /// The state file is mangled; its backup is good, mangled or away.
    fn state(&self, backup: Option<&[u8]>, random: &mut Random) -> Result<Shown> {
        let files = self.files;
        let state = mangle(&files.state, &files.import, random);
        let mut there = vec![("state.json", state.as_slice())];
        there.extend(backup.map(|backup| ("state.json.bak", backup)));
        self.put(&there);
        let loaded = match self.load()? {
            Ok(loaded) => loaded,
            Err(error) => {
                ensure!(error.contains("later release"), "{error}");
                ensure!(
                    there
                        .iter()
                        .all(|(name, content)| fs::read(self.path(name)).unwrap() == *content)
                );
                return Ok(Shown::RefusedAsNewer);
            }
        };
        if loaded.problems.is_empty() {
            ensure!(
                wealth(&loaded.state).iter().any(|&count| count > 0),
                "a silent fresh start after {}",
                difference(&files.state, &state)
            );
            if is_poorer(&loaded.state, &files.of_state) {
                return Ok(Shown::PartlyForgotten);
            }
            let unharmed = state == files.state;
            return Ok(if unharmed {
                Shown::Unharmed
            } else {
                Shown::Used
            });
        }
        ensure!(
            self.is_aside("state.json", &state),
            "not kept aside: {:?}",
            loaded.problems
        );
        if backup == Some(&files.backup) {
            ensure!(
                loaded.state == files.of_backup,
                "the good backup is not taken"
            );
        } else if loaded.state == State::beginning(self.now) {
            ensure!(
                loaded
                    .problems
                    .iter()
                    .any(|problem| problem.contains("going on from nothing"))
            );
            ensure!(backup.is_none_or(|backup| self.is_aside("state.json.bak", backup)));
        }
        Ok(Shown::Told)
    }

    /// The backup is mangled: nobody needs it while the state file is good.
    fn backup(&self, random: &mut Random) -> Result<Shown> {
        let files = self.files;
        let backup = mangle(&files.backup, &files.state, random);
        self.put(&[("state.json", &files.state), ("state.json.bak", &backup)]);
        let loaded = self.load()?.map_err(Error::msg)?;
        ensure!(loaded.state == files.of_state);
        ensure!(loaded.problems.is_empty(), "{:?}", loaded.problems);
        Ok(Shown::Unharmed)
    }

    /// The list of what was sent is mangled: it never takes out a mail that is not in it.
    fn sent(&self, random: &mut Random) -> Result<Shown> {
        let files = self.files;
        let sent = mangle(&files.sent, &files.import, random);
        self.put(&[("state.json", &files.state), ("state.json.sent", &sent)]);
        let loaded = self.load()?.map_err(Error::msg)?;
        let ids = |state: &State| -> BTreeSet<String> {
            state
                .queue
                .iter()
                .map(|entry| entry.id.to_string())
                .collect()
        };
        let left = ids(&loaded.state);
        ensure!(
            ids(&files.without_sent).is_subset(&left),
            "unsent mails are gone"
        );
        ensure!(loaded.state.memory == files.of_state.memory);
        let cut_short = files.sent.starts_with(&sent);
        Ok(
            match (
                left.len() == files.without_sent.queue.len(),
                loaded.problems.is_empty(),
            ) {
                (true, _) => Shown::Used,
                (false, false) if self.is_aside("state.json.sent", &sent) => Shown::Told,
                (false, false) => Shown::ToldAndGone,
                (false, true) if cut_short => Shown::Used,
                (false, true) => Shown::RepeatedSilently,
            },
        )
    }

    /// The cache of PetaSAN's mail settings is mangled: the error says which file, and not the password.
    fn import(&self, random: &mut Random) -> Result<Shown> {
        let files = self.files;
        let import = mangle(&files.import, &files.state, random);
        let path = self.path("petasan-import.json");
        self.put(&[("petasan-import.json", &import)]);
        match petasan_cache::read(&path) {
            Ok(read) => {
                ensure!(read.is_some(), "silently taken for no file");
                Ok(Shown::Used)
            }
            Err(error) => {
                let error = format!("{error:#}");
                ensure!(
                    error.contains(&shown(&path)) && !error.contains(PASSWORD),
                    "{error}"
                );
                Ok(Shown::Told)
            }
        }
    }

    fn carry_out(&self, random: &mut Random) -> (&'static str, Result<Shown>) {
        let files = self.files;
        match random.below(10) {
            0..4 => (
                "state.json, good backup",
                self.state(Some(&files.backup), random),
            ),
            4 => ("state.json, no backup", self.state(None, random)),
            5 => {
                let backup = mangle(&files.backup, &files.import, random);
                (
                    "state.json and its backup",
                    self.state(Some(&backup), random),
                )
            }
            6 => ("the backup alone", self.backup(random)),
            7 | 8 => ("state.json.sent", self.sent(random)),
            _ => ("petasan-import.json", self.import(random)),
        }
    }
}

/// Where two texts begin to differ.
fn difference(one: &[u8], other: &[u8]) -> String {
    let at = one
        .iter()
        .zip(other)
        .take_while(|(one, other)| one == other)
        .count();
    let around = |text: &[u8]| {
        let part = &text[at.saturating_sub(20)..(at + 20).min(text.len())];
        String::from_utf8_lossy(part).into_owned()
    };
    format!("{:?} became {:?}", around(one), around(other))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// `PETANOTIFY_CASES` says how many, `PETANOTIFY_SEED` which, and `PETANOTIFY_CASE` picks a single one.
#[test]
fn mangled_files_are_told_and_kept() {
    let cases = number("PETANOTIFY_CASES", 20_000);
    let seed = number("PETANOTIFY_SEED", 1);
    let first = number("PETANOTIFY_CASE", 0);
    let cases = if first == 0 { cases } else { first + 1 };
    println!("seed {seed}, cases {first} to {}", cases - 1);

    let files = Files::collect();
    let next = AtomicUsize::new(first);
    let seen = Mutex::new(BTreeMap::<_, usize>::new());
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let bench = Bench::new(&files);
                loop {
                    let case = next.fetch_add(1, Ordering::Relaxed);
                    if case >= cases {
                        return;
                    }
                    let mut random = Random::new(seed, case);
                    let error =
                        match catch_unwind(AssertUnwindSafe(|| bench.carry_out(&mut random))) {
                            Ok((what, Ok(shown))) => {
                                *seen.lock().unwrap().entry((what, shown)).or_default() += 1;
                                continue;
                            }
                            Ok((what, Err(error))) => format!("{what}: {error}"),
                            Err(_) => "it panicked".to_owned(),
                        };
                    failed.lock().unwrap().push(format!("case {case}: {error}"));
                }
            });
        }
    });
    for ((what, shown), times) in seen.into_inner().unwrap() {
        println!("{what:26} {:18} {times:6}", format!("{shown:?}"));
    }
    let failed = failed.into_inner().unwrap();
    assert!(
        failed.is_empty(),
        "{} of {} cases failed, such as (PETANOTIFY_CASE and PETANOTIFY_SEED={seed} pick one):\n{}",
        failed.len(),
        cases - first,
        failed[..failed.len().min(10)].join("\n")
    );
}
