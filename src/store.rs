//! The state file on disk: its lock, reading it with its backup at hand, replacing it in one step.
//!
//! Readers take no lock, so the file is replaced by renaming and never written in place; so the lock is a file of its own,
//! which is never replaced.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use fs2::FileExt;
use jiff::Timestamp;

use crate::queue::{MailId, NotAMailId};
use crate::replace::replace;
use crate::state::{self, State, Unusable};

/// How long a pass waits for another one to end.
pub const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// How often the lock is tried meanwhile: seldom enough to cost nothing, often enough that nobody waits for nothing.
const LOCK_INTERVAL: Duration = Duration::from_millis(50);

/// A state file and what lies beside it.
#[derive(Debug, Clone)]
pub struct Store {
    file: PathBuf,
}

/// The lock, held until it is dropped.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code, reason = "closing the file is what gives the lock up")] File);

/// Why there is no lock.
#[derive(Debug)]
pub enum LockError {
    /// Another pass holds it.
    Held(anyhow::Error),
    /// The lock file can't be used.
    Unusable(anyhow::Error),
}

/// What was read.
#[derive(Debug)]
pub struct Loaded {
    /// The state to go on from.
    pub state: State,
    /// What was wrong with the files on the way there; an admin should know.
    pub problems: Vec<String>,
}

impl Store {
    /// The store around this state file. Nothing is touched.
    pub fn new(file: PathBuf) -> Self {
        Store { file }
    }

    /// The state file's path.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// A file beside the state file, e.g. for the cache of what was imported.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    fn folder(&self) -> &Path {
        match self.file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    fn with_suffix(&self, suffix: &str) -> PathBuf {
        let mut path = self.file.clone().into_os_string();
        path.push(suffix);
        path.into()
    }

    fn backup(&self) -> PathBuf {
        self.with_suffix(".bak")
    }

    fn sent(&self) -> PathBuf {
        self.with_suffix(".sent")
    }

    /// Opens the list of what has been sent since the state was saved: recording a mail there costs the same however many
    /// are pending, and replacing the state for each would not.
    ///
    /// # Errors
    /// The file can't be opened.
    pub fn sent_list(&self, _lock: &Lock) -> anyhow::Result<SentList> {
        let path = self.sent();
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .and_then(|file| File::open(self.folder())?.sync_all().map(|()| file))
            .with_context(|| format!("cannot open {}", path.display()))?;
        Ok(SentList { file, path })
    }

    /// Takes what has been sent since the state was saved out of its queue. A line that a crash cut short was not yet
    /// promised to anybody; any other damage is told, and the good lines count.
    fn take_out_sent(&self, state: &mut State, problems: &mut Vec<String>) -> anyhow::Result<()> {
        let Some(bytes) = read_if_there(&self.sent())? else {
            return Ok(());
        };
        let text = String::from_utf8_lossy(&bytes);
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut sent = HashSet::new();
        let mut broken = 0;
        for line in whole.lines() {
            match line.parse() {
                Ok(id) => {
                    sent.insert(id);
                }
                Err(NotAMailId) => broken += 1,
            }
        }
        if broken > 0 {
            problems.push(format!(
                "{} is damaged: {broken} of its lines are no ids, so as many mails may be repeated",
                self.sent().display()
            ));
        }
        state.queue.remove(&sent);
        Ok(())
    }

    /// Takes the lock, making the state's folder (mode 0700) if there is none.
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn lock(&self, patience: Duration) -> Result<Lock, LockError> {
        let path = self.with_suffix(".lock");
        let open = || -> anyhow::Result<File> {
            let folder = self.folder();
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .with_context(|| format!("cannot make the state's folder {}", folder.display()))?;
            OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)
                .with_context(|| {
                    format!(
                        "cannot open the lock file {} (this user must be able to write to {})",
                        path.display(),
                        folder.display()
                    )
                })
        };
        let file = open().map_err(LockError::Unusable)?;
        let begin = Instant::now();
        loop {
            match FileExt::try_lock_exclusive(&file) {
                Ok(()) => return Ok(Lock(file)),
                Err(error) if error.kind() != fs2::lock_contended_error().kind() => {
                    let error = anyhow!(error).context(format!("cannot lock {}", path.display()));
                    return Err(LockError::Unusable(error));
                }
                Err(_) if begin.elapsed() >= patience => {
                    return Err(LockError::Held(anyhow!(
                        "another pass holds {} for more than {} s; look with: fuser -v {0}",
                        path.display(),
                        patience.as_secs()
                    )));
                }
                Err(_) => thread::sleep(LOCK_INTERVAL),
            }
        }
    }

    /// Reads the state without changing anything on disk, for those who only look. Where the file is broken or away, the
    /// backup is read.
    ///
    /// # Errors
    /// The file can't be read at all, or a later release wrote it.
    pub fn read(&self) -> anyhow::Result<Loaded> {
        self.load_with(|path, reason| Ok(format!("{}: {reason}", path.display())))
    }

    /// Reads the state for a pass. A file that is broken is set aside under a name with the time, and the pass goes on from
    /// the backup of the last good one; without one, from nothing.
    ///
    /// # Errors
    /// The file can't be read or set aside at all, or a later release wrote it.
    pub fn load(&self, _lock: &Lock, now: Timestamp) -> anyhow::Result<Loaded> {
        self.load_with(|path, reason| {
            let mut aside = path.to_path_buf().into_os_string();
            aside.push(now.strftime(".broken-%Y%m%dT%H%M%SZ").to_string());
            let aside = PathBuf::from(aside);
            fs::rename(path, &aside).with_context(|| {
                format!(
                    "{} is broken ({reason}) and cannot be set aside as {}",
                    path.display(),
                    aside.display()
                )
            })?;
            Ok(format!(
                "{} is broken ({reason}); it is kept as {}",
                path.display(),
                aside.display()
            ))
        })
    }

    fn load_with(
        &self,
        set_aside: impl Fn(&Path, &str) -> anyhow::Result<String>,
    ) -> anyhow::Result<Loaded> {
        let backup = self.backup();
        let mut problems = Vec::new();
        let mut missing = Vec::new();
        for path in [&self.file, &backup] {
            let Some(bytes) = read_if_there(path)? else {
                missing.push(path.display().to_string());
                continue;
            };
            match state::parse(&bytes) {
                Ok(mut state) => {
                    self.take_out_sent(&mut state, &mut problems)?;
                    if *path == backup {
                        problems.extend(missing.iter().map(|file| format!("{file} is missing")));
                        problems.push(format!(
                            "going on from the backup {}, which is one step older than {}",
                            backup.display(),
                            self.file.display()
                        ));
                    }
                    return Ok(Loaded { state, problems });
                }
                Err(Unusable::Broken(reason)) => problems.push(set_aside(path, &reason)?),
                Err(Unusable::Newer(version)) => bail!(
                    "{} has version {version}, written by a later release; this one reads up to {}. \
                     Upgrade petanotify, or name another file with --state",
                    path.display(),
                    state::VERSION
                ),
            }
        }
        if !problems.is_empty() {
            problems.push(
                "no usable state is left: going on from nothing, so what is wrong now is announced anew"
                    .to_owned(),
            );
        }
        Ok(Loaded {
            state: State::default(),
            problems,
        })
    }

    /// Replaces the state file: temporary file in the same folder, fsync, rename, fsync of the folder, so that a crash at
    /// any instant leaves either the old or the new one whole. The one before becomes the backup. What has been sent is no
    /// longer in the queue, so the list of it goes.
    ///
    /// # Errors
    /// The disk is full, read-only or failing; the file that was there is left as it was, or as the backup.
    pub fn save(&self, _lock: &Lock, state: &State) -> anyhow::Result<()> {
        let mut text =
            serde_json::to_vec_pretty(state).context("cannot write the state as JSON")?;
        text.push(b'\n');
        let backup = self.backup();
        replace(&self.file, &text, Some(&backup))
            .with_context(|| format!("cannot save the state to {}", self.file.display()))?;
        match fs::remove_file(self.sent()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(anyhow!(error).context(format!("cannot remove {}", self.sent().display())))
            }
            _ => Ok(()),
        }
    }
}

/// The list of what has been sent since the state was saved, one id on each line.
#[derive(Debug)]
pub struct SentList {
    file: File,
    path: PathBuf,
}

impl SentList {
    /// Adds a mail. It is on disk when this returns.
    ///
    /// # Errors
    /// The disk is full or failing.
    pub fn add(&mut self, id: &MailId) -> anyhow::Result<()> {
        self.file
            .write_all(format!("{id}\n").as_bytes())
            .and_then(|()| self.file.sync_data())
            .with_context(|| {
                format!(
                    "cannot write down in {} that mail {id} was sent",
                    self.path.display()
                )
            })
    }
}

fn read_if_there(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(anyhow!(error).context(format!("cannot read the state from {}", path.display())))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::alert::{Alert, Report};
    use crate::check::CheckName;
    use crate::incident::{Change, Kind};
    use crate::queue::Recovery;
    use crate::settings::Recipient;

    fn now() -> Timestamp {
        "2026-11-23T02:14:00Z".parse().unwrap()
    }

    fn named(cluster: &str) -> State {
        State {
            cluster: Some(cluster.to_owned()),
            ..State::default()
        }
    }

    /// A store in a folder of its own that has saved `first`, then `second`.
    fn store() -> (tempfile::TempDir, Store, Lock) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("var/state.json"));
        let lock = store.lock(Duration::ZERO).unwrap();
        store.save(&lock, &named("first")).unwrap();
        store.save(&lock, &named("second")).unwrap();
        (folder, store, lock)
    }

    fn files(store: &Store) -> Vec<String> {
        let mut files: Vec<String> = fs::read_dir(store.folder())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        files
    }

    #[test]
    fn what_was_saved_last_is_loaded() {
        let (_folder, store, lock) = store();
        let loaded = store.load(&lock, now()).unwrap();
        assert_eq!(loaded.state, named("second"));
        assert!(loaded.problems.is_empty());
        assert_eq!(
            files(&store),
            ["state.json", "state.json.bak", "state.json.lock"]
        );
    }

    fn with_mails(count: i64) -> (tempfile::TempDir, Store, Lock, Vec<MailId>) {
        let (folder, store, lock) = store();
        let mut state = State::default();
        let recipient = Recipient {
            address: "ops@example.org".parse().unwrap(),
            checks: CheckName::ALL.to_vec(),
        };
        for number in 0..count {
            let alert = Alert {
                cluster: "prod".to_owned(),
                kind: Kind::Raised,
                incident: format!("capacity-{number}"),
                sequence: 0,
                began: now(),
                raised: now(),
                report: Report::Nodes(Change {
                    new: Vec::new(),
                    still: Vec::new(),
                    over: Vec::new(),
                }),
                elsewhere: Vec::new(),
                never_told: false,
            };
            let recipients = std::slice::from_ref(&recipient);
            state.queue.add(alert, recipients, Recovery::Told);
        }
        store.save(&lock, &state).unwrap();
        let ids = state.queue.iter().map(|entry| entry.id.clone()).collect();
        (folder, store, lock, ids)
    }

    fn queued(loaded: &Loaded) -> Vec<MailId> {
        let queue = &loaded.state.queue;
        queue.iter().map(|entry| entry.id.clone()).collect()
    }

    #[test]
    fn what_was_sent_before_a_crash_is_not_sent_again() {
        let (_folder, store, lock, ids) = with_mails(3);
        let mut sent = store.sent_list(&lock).unwrap();
        sent.add(&ids[0]).unwrap();
        sent.add(&ids[2]).unwrap();
        for loaded in [store.load(&lock, now()), store.read()] {
            let loaded = loaded.unwrap();
            assert_eq!(queued(&loaded), [ids[1].clone()]);
            assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
        }
        let loaded = store.load(&lock, now()).unwrap();
        store.save(&lock, &loaded.state).unwrap();
        assert!(!store.sent().exists());
        assert_eq!(queued(&store.read().unwrap()), [ids[1].clone()]);
    }

    #[test]
    fn a_line_that_a_crash_cut_short_counts_as_not_sent() {
        let (_folder, store, lock, ids) = with_mails(2);
        let whole = ids[0].to_string();
        let torn = ids[1].to_string();
        for end in 0..torn.len() {
            fs::write(store.sent(), format!("{whole}\n{}", &torn[..end])).unwrap();
            let loaded = store.load(&lock, now()).unwrap();
            assert_eq!(queued(&loaded), [ids[1].clone()]);
            assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
        }
    }

    #[test]
    fn damage_in_the_list_of_what_was_sent_is_told() {
        let (_folder, store, lock, ids) = with_mails(2);
        fs::write(store.sent(), format!("\0\0\0\u{fffd}\n{}\n", ids[1])).unwrap();
        let loaded = store.load(&lock, now()).unwrap();
        assert_eq!(queued(&loaded), [ids[0].clone()]);
        assert!(
            loaded.problems[0].contains("damaged"),
            "{:?}",
            loaded.problems
        );
    }

    #[test]
    fn nobody_else_may_read_what_is_kept() {
        let (_folder, store, _lock) = store();
        for file in files(&store) {
            let mode = fs::metadata(store.beside(&file)).unwrap().permissions();
            assert_eq!(mode.mode() & 0o777, 0o600, "{file}");
        }
        let mode = fs::metadata(store.folder()).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o700);
    }

    #[test]
    fn a_broken_file_is_set_aside_and_its_backup_taken() {
        for broken in ["", "\0\0\0\0", "{\"version\":1,\"que", "nonsense"] {
            let (_folder, store, lock) = store();
            fs::write(store.file(), broken).unwrap();
            let loaded = store.load(&lock, now()).unwrap();
            assert_eq!(loaded.state, named("first"), "{broken:?}");
            assert_eq!(loaded.problems.len(), 2, "{:?}", loaded.problems);
            let aside = store.beside("state.json.broken-20261123T021400Z");
            assert_eq!(fs::read_to_string(aside).unwrap(), broken);
            store.save(&lock, &named("third")).unwrap();
            let loaded = store.load(&lock, now()).unwrap();
            assert_eq!(loaded.state, named("third"));
        }
    }

    #[test]
    fn with_both_broken_both_are_kept_and_the_pass_goes_on_from_nothing() {
        let (_folder, store, lock) = store();
        fs::write(store.file(), "x").unwrap();
        fs::write(store.backup(), "y").unwrap();
        let loaded = store.load(&lock, now()).unwrap();
        assert_eq!(loaded.state, State::default());
        assert_eq!(
            files(&store),
            [
                "state.json.bak.broken-20261123T021400Z",
                "state.json.broken-20261123T021400Z",
                "state.json.lock"
            ]
        );
    }

    #[test]
    fn a_crash_between_the_two_renames_loses_nothing() {
        let (_folder, store, lock) = store();
        fs::remove_file(store.file()).unwrap();
        let loaded = store.load(&lock, now()).unwrap();
        assert_eq!(loaded.state, named("first"));
        assert!(loaded.problems[0].contains("missing"));
    }

    #[test]
    fn who_only_looks_changes_nothing() {
        let (_folder, store, _lock) = store();
        fs::write(store.file(), "x").unwrap();
        let before = files(&store);
        let loaded = store.read().unwrap();
        assert_eq!(loaded.state, named("first"));
        assert_eq!(files(&store), before);
    }

    #[test]
    fn a_newer_file_is_refused_and_left_alone() {
        let (_folder, store, lock) = store();
        fs::write(store.file(), "{\"version\":2}").unwrap();
        let error = store.load(&lock, now()).unwrap_err();
        assert!(format!("{error:#}").contains("version 2"), "{error:#}");
        let text = fs::read_to_string(store.file()).unwrap();
        assert_eq!(text, "{\"version\":2}");
    }

    #[test]
    fn a_folder_in_its_place_is_an_error() {
        let (_folder, store, lock) = store();
        fs::remove_file(store.file()).unwrap();
        fs::create_dir(store.file()).unwrap();
        let error = store.load(&lock, now()).unwrap_err();
        assert!(format!("{error:#}").contains("Is a directory"), "{error:#}");
    }

    #[test]
    fn there_is_one_lock() {
        let (_folder, store, lock) = store();
        let second = store.lock(Duration::ZERO);
        assert!(matches!(second, Err(LockError::Held(_))), "{second:?}");
        drop(lock);
        assert!(store.lock(Duration::ZERO).is_ok());
    }

    #[test]
    fn a_leftover_of_a_crash_is_overwritten() {
        let (_folder, store, lock) = store();
        let leftover = store.with_suffix(".new");
        fs::write(&leftover, "half a docum").unwrap();
        fs::set_permissions(&leftover, fs::Permissions::from_mode(0o444)).unwrap();
        store.save(&lock, &named("third")).unwrap();
        assert_eq!(store.read().unwrap().state, named("third"));
        assert!(!leftover.exists());
    }
}
