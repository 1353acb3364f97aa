//! Flips, cuts, zeroes, doubles and splices bytes of every file that petanotify keeps. Whatever they become, nothing
//! panics, and no damage goes unnoticed: it is told, the file is kept aside, and what is good of it counts. The one thing
//! that nobody can see is that a list of what was sent lost its end.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Error, Result, bail, ensure};
use jiff::Timestamp;
use petanotify::queue::{Entry, MailId};
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
        match random.below(8) {
            0 | 1 => bytes[part.start] ^= 1 << random.below(8),
            2 => bytes.truncate(part.start),
            3 => bytes[part].fill(0),
            4 => drop(bytes.drain(part)),
            5 => {
                let doubled = bytes[part.clone()].to_vec();
                bytes.splice(part.end..part.end, doubled);
            }
            6 => bytes[part].fill(if random.below(2) == 0 { b'0' } else { 0xff }),
            _ => {
                let strange = other[random.part(other.len())].to_vec();
                bytes.splice(part, strange);
            }
        }
    }
    bytes
}

/// What a cluster in trouble has left on disk after a pass, and a list of what was sent since.
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
    /// After a pass that has told more than the one before, and after one that has not.
    fn collect() -> [Self; 2] {
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
        cluster.consul.put_user("boss", "boss@example.org", true);
        cluster.relay.fault(Stage::Greeting, Fault::Drop);
        cluster.ceph.capacity(status_used(61.0));
        cluster
            .consul
            .members(&[("node1", Member::Alive), ("node2", Member::Failed)]);
        let osds = |one| tree(&[("node1", &[(0, "down"), (1, one)])]);
        // The first to tell, the second to tell more: a pass with mail saves twice.
        cluster.ceph.osds(osds("up"));
        cluster.check().exits(1);
        cluster.ceph.osds(osds("down"));
        let told = fs::read(cluster.state_file()).unwrap();
        cluster.check().exits(1);
        let more = Self::of(&cluster, Some(told));
        cluster.check().exits(1);
        [more, Self::of(&cluster, None)]
    }

    fn of(cluster: &Cluster, backup: Option<Vec<u8>>) -> Self {
        let file = cluster.state_file();
        let state = fs::read(&file).unwrap();
        let backup = backup.unwrap_or_else(|| fs::read(format!("{}.bak", file.display())).unwrap());
        let import = fs::read(cluster.state_folder().join("petasan-import.json")).unwrap();
        let of_state = petanotify::state::parse(&state).unwrap();
        let of_backup = petanotify::state::parse(&backup).unwrap();
        let ids = of_state.queue.iter().map(|entry| entry.id.clone());
        let sent: Vec<MailId> = ids.take(3).collect();
        let mut without_sent = of_state.clone();
        without_sent.queue.remove(&sent.iter().cloned().collect());
        assert!(!without_sent.queue.is_empty());
        let sent = petanotify::sent::render(&sent).0.into_bytes();
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

/// The mails, each with the incident and recipient that a later one would overtake it in.
fn mails(state: &State) -> BTreeMap<String, (String, Option<String>)> {
    let entries = state.queue.iter();
    let thread = |entry: &Entry| {
        let to = entry.to.as_ref().map(ToString::to_string);
        (entry.alert.incident.clone(), to)
    };
    entries
        .map(|entry| (entry.id.to_string(), thread(entry)))
        .collect()
}

/// A folder in which cases are carried out.
struct Bench<'a> {
    files: &'a [Files; 2],
    folder: tempfile::TempDir,
    store: Store,
    lock: Lock,
    now: Timestamp,
}

/// What a case has shown, to be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shown {
    /// The damage was none.
    Unharmed,
    /// Nobody needs this file while the other is good.
    NotNeeded,
    /// The mails of both, and the memory of the backup.
    SalvagedFromBackup,
    /// The mails of both, and its own memory.
    SalvagedWithBackup,
    /// Used as it is, for there is no backup.
    UsedAsItIs,
    /// The good backup took its place.
    FromBackup,
    /// Neither could be read.
    FromNothing,
    /// Told and set aside, the lines that are good count.
    GoodLinesCount,
    /// What is left of the list is as it once was, so mails may be repeated.
    EndCutOff,
    /// Told and set aside, and asked for anew.
    NotUsed,
}

impl<'a> Bench<'a> {
    fn new(files: &'a [Files; 2]) -> Self {
        // In memory if there is such a place: what is tried here is no disk.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        };
        let folder = folder.unwrap();
        let store = Store::new(folder.path().join("state.json"), None);
        let lock = store.lock(Duration::ZERO).unwrap();
        let now = Timestamp::now();
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

    fn aside(&self, name: &str) -> PathBuf {
        let time = self.now.strftime("%Y%m%dT%H%M%SZ");
        self.path(&format!("{name}.broken-{time}"))
    }

    /// That the damage is told, with both names, and the file is kept as it was.
    fn is_told(&self, problems: &[String], name: &str, content: &[u8]) -> Result<()> {
        let aside = self.aside(name);
        let both = [shown(&self.path(name)), shown(&aside)];
        ensure!(
            problems
                .iter()
                .any(|problem| both.iter().all(|name| problem.contains(name))),
            "not told: {problems:?}"
        );
        let kept = fs::read(&aside);
        ensure!(kept.is_ok_and(|kept| kept == content), "not kept aside");
        Ok(())
    }

    /// The state file is mangled; its backup is good, mangled or away.
    fn state(&self, files: &Files, backup: Option<&[u8]>, random: &mut Random) -> Result<Shown> {
        let state = mangle(&files.state, &files.import, random);
        let mut there = vec![("state.json", state.as_slice())];
        there.extend(backup.map(|backup| ("state.json.bak", backup)));
        self.put(&there);
        let loaded = self.load()?.map_err(Error::msg)?;
        let what = || difference(&files.state, &state);
        if state == files.state {
            ensure!(loaded.problems.is_empty() && loaded.state == files.of_state);
            return Ok(Shown::Unharmed);
        }
        self.is_told(&loaded.problems, "state.json", &state)
            .with_context(what)?;
        let said = |words: &str| {
            loaded
                .problems
                .iter()
                .any(|problem| problem.contains(words))
        };
        let from = if said("going on with what the backup") {
            Shown::SalvagedFromBackup
        } else if said("and with the mails of the backup") {
            Shown::SalvagedWithBackup
        } else if said("as it is, for there is no backup") {
            Shown::UsedAsItIs
        } else if said("going on from the backup") {
            Shown::FromBackup
        } else {
            ensure!(said("going on from nothing"), "{:?}", loaded.problems);
            ensure!(loaded.state == State::beginning(self.now));
            Shown::FromNothing
        };
        if let Some(backup) = backup
            && backup != files.backup
        {
            if from == Shown::FromNothing {
                self.is_told(&loaded.problems, "state.json.bak", backup)?;
            }
            return Ok(from);
        }
        if backup.is_none() {
            let expected = [Shown::UsedAsItIs, Shown::FromNothing];
            ensure!(expected.contains(&from), "{from:?}");
            return Ok(from);
        }
        // The backup is good: what it says is not lost, and nothing is told that it has told already.
        let memory = match from {
            Shown::FromBackup => {
                ensure!(loaded.state == files.of_backup);
                &files.of_backup.memory
            }
            Shown::SalvagedFromBackup => &files.of_backup.memory,
            Shown::SalvagedWithBackup => &loaded.state.memory,
            other => bail!("{other:?} in spite of a good backup"),
        };
        ensure!(loaded.state.memory == *memory, "another memory: {}", what());
        let pending = mails(&loaded.state);
        for (id, thread) in mails(&files.of_backup) {
            ensure!(
                pending.contains_key(&id) || pending.values().any(|other| *other == thread),
                "mail {id} is lost: {}",
                what()
            );
        }
        Ok(from)
    }

    /// The backup is mangled: nobody needs it while the state file is good.
    fn backup(&self, files: &Files, random: &mut Random) -> Result<Shown> {
        let backup = mangle(&files.backup, &files.state, random);
        self.put(&[("state.json", &files.state), ("state.json.bak", &backup)]);
        let loaded = self.load()?.map_err(Error::msg)?;
        ensure!(loaded.state == files.of_state);
        ensure!(loaded.problems.is_empty(), "{:?}", loaded.problems);
        Ok(Shown::NotNeeded)
    }

    /// The list of what was sent is mangled: it never takes out a mail that is not in it.
    fn sent(&self, files: &Files, random: &mut Random) -> Result<Shown> {
        let sent = mangle(&files.sent, &files.import, random);
        self.put(&[("state.json", &files.state), ("state.json.sent", &sent)]);
        let loaded = self.load()?.map_err(Error::msg)?;
        ensure!(loaded.state.memory == files.of_state.memory);
        let (left, owed) = (mails(&loaded.state), mails(&files.without_sent));
        ensure!(
            owed.keys().all(|id| left.contains_key(id)),
            "unsent mails are gone"
        );
        if sent == files.sent {
            ensure!(loaded.problems.is_empty() && left == owed);
            return Ok(Shown::Unharmed);
        }
        if !loaded.problems.is_empty() {
            self.is_told(&loaded.problems, "state.json.sent", &sent)?;
            let again = self.load()?.map_err(Error::msg)?;
            ensure!(again.state == loaded.state, "what is good of it is lost");
            ensure!(again.problems.is_empty(), "it is told twice");
            return Ok(Shown::GoodLinesCount);
        }
        let lines = sent.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
        ensure!(
            files.sent.starts_with(&sent[..lines]),
            "silent: {}",
            difference(&files.sent, &sent)
        );
        Ok(Shown::EndCutOff)
    }

    /// The cache of PetaSAN's mail settings is mangled: the error names both files, and not the password.
    fn import(&self, files: &Files, random: &mut Random) -> Result<Shown> {
        let import = mangle(&files.import, &files.state, random);
        let name = "petasan-import.json";
        self.put(&[(name, &import)]);
        let error = match petasan_cache::load(&self.path(name), self.now) {
            Ok(read) => {
                ensure!(read.is_some(), "silently taken for no file");
                ensure!(
                    import == files.import,
                    "{}",
                    difference(&files.import, &import)
                );
                return Ok(Shown::Unharmed);
            }
            Err(error) => format!("{error:#}"),
        };
        ensure!(!error.contains(PASSWORD), "{error}");
        self.is_told(&[error], name, &import)?;
        Ok(Shown::NotUsed)
    }

    fn carry_out(&self, random: &mut Random) -> (&'static str, Result<Shown>) {
        let files = &self.files[random.below(2)];
        match random.below(10) {
            0..4 => (
                "state.json, good backup",
                self.state(files, Some(&files.backup), random),
            ),
            4 => ("state.json, no backup", self.state(files, None, random)),
            5 => {
                let backup = mangle(&files.backup, &files.import, random);
                (
                    "state.json and its backup",
                    self.state(files, Some(&backup), random),
                )
            }
            6 => ("the backup alone", self.backup(files, random)),
            7 | 8 => ("state.json.sent", self.sent(files, random)),
            _ => ("petasan-import.json", self.import(files, random)),
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
    let cases = number("PETANOTIFY_CASES", 5_000);
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
