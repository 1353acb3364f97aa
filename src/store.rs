//! The state file on disk: its lock, reading it with its backup at hand, replacing it in one step.
//!
//! Readers take no lock, so the file is replaced by renaming and never written in place; so the lock is a file of its own,
//! which is never replaced.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use fs2::FileExt;
use jiff::Timestamp;

use crate::queue::{MailId, NotAMailId};
use crate::replace::replace;
use crate::state::{self, State, Unusable};

/// How long a pass waits for another one to end.
pub const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// How often the lock is tried meanwhile: seldom enough to cost nothing, often enough that nobody waits for nothing.
const LOCK_INTERVAL: Duration = Duration::from_millis(50);

/// The list of what was sent is begun anew when it has grown to so many bytes, some 5,000 mails.
const SENT_BYTES: u64 = 64 * 1024;

/// A state file, what lies beside it, and the second place for the hour in which the first can't be written.
#[derive(Debug, Clone)]
pub struct Store {
    first: Place,
    second: Option<Place>,
}

/// The lock, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    #[allow(dead_code, reason = "closing the file is what gives the lock up")]
    file: File,
    /// The state file is there and could not be read: to replace it would forget what it holds.
    home_unread: AtomicBool,
}

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

/// Where a state was saved.
#[derive(Debug)]
pub enum Saved {
    /// Where it belongs.
    Home,
    /// In the second place, because of this.
    Away(anyhow::Error),
}

impl Store {
    /// The store around this state file; `second` is used while that can't be. Nothing is touched.
    pub fn new(file: PathBuf, second: Option<PathBuf>) -> Self {
        Store {
            first: Place { file },
            second: second.map(|file| Place { file }),
        }
    }

    /// The state file's path.
    pub fn file(&self) -> &Path {
        &self.first.file
    }

    /// A file beside the state file, e.g. for the cache of what was imported.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.first.folder().join(name)
    }

    fn places(&self) -> impl Iterator<Item = &Place> {
        [&self.first].into_iter().chain(&self.second)
    }

    /// Takes the lock, making the state's folder (mode 0700) if there is none.
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn lock(&self, patience: Duration) -> Result<Lock, LockError> {
        let open = self.first.open_lock().or_else(|error| match &self.second {
            Some(second) => second.open_lock().map_err(|_| error),
            None => Err(error),
        });
        let (file, path) = open.map_err(LockError::Unusable)?;
        let begin = Instant::now();
        loop {
            match FileExt::try_lock_exclusive(&file) {
                Ok(()) => {
                    return Ok(Lock {
                        file,
                        home_unread: AtomicBool::new(false),
                    });
                }
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
    /// The file can't be read at all and there is no second place, or a later release wrote it.
    pub fn read(&self, now: Timestamp) -> anyhow::Result<Loaded> {
        let found = self.load_with(now, |path, reason| {
            Ok(format!("{}: {reason}", path.display()))
        });
        found.map(|(loaded, _)| loaded)
    }

    /// Reads the state for a pass. A file that is broken is set aside under a name with the time, and the pass goes on from
    /// the backup of the last good one; without one, from nothing.
    ///
    /// # Errors
    /// As [`Store::read`], or a broken file can't be set aside.
    pub fn load(&self, lock: &Lock, now: Timestamp) -> anyhow::Result<Loaded> {
        let set_aside = |path: &Path, reason: &str| set_aside(path, reason, now);
        let (loaded, home_unread) = self.load_with(now, set_aside)?;
        lock.home_unread.store(home_unread, Ordering::Relaxed);
        Ok(loaded)
    }

    /// The state to go on from, and whether the state file itself is there and could not be read.
    fn load_with(
        &self,
        now: Timestamp,
        set_aside: impl Fn(&Path, &str) -> anyhow::Result<String>,
    ) -> anyhow::Result<(Loaded, bool)> {
        let mut problems = Vec::new();
        let mut sent = HashSet::new();
        let mut found: Option<State> = None;
        let mut unread = Vec::new();
        for place in self.places() {
            let read = place.read(&mut problems, &set_aside)?;
            unread.push(read.unread.is_some());
            let mut state = read.state;
            if let Some(error) = read.unread {
                if self.second.is_none() {
                    return Err(error);
                }
                problems.push(format!("{error:#}"));
                // What the backup lacks is still in the file: the two are told apart, so that neither displaces the other.
                if let Some(state) = &mut state {
                    state.origin = now.as_millisecond();
                }
            }
            found = match (found, state) {
                (Some(one), Some(other)) => Some(one.merge(other)),
                (one, other) => one.or(other),
            };
            place.read_sent(&mut sent, &mut problems, &set_aside);
        }
        if found.is_none() && !problems.is_empty() {
            problems.push(
                "no usable state is left: going on from nothing, so what is wrong now is announced anew"
                    .to_owned(),
            );
        }
        let mut state = found.unwrap_or_else(|| State::beginning(now));
        state.queue.remove(&sent);
        Ok((Loaded { state, problems }, unread[0]))
    }

    /// Replaces the state file: temporary file in the same folder, fsync, rename, fsync of the folder, so that a crash at
    /// any instant leaves either the old or the new one whole. The one before becomes the backup.
    ///
    /// # Errors
    /// It can be saved in neither place; the file that was there is left as it was, or as the backup.
    pub fn save(&self, lock: &Lock, state: &mut State) -> anyhow::Result<Saved> {
        state.saves += 1;
        let saved = if lock.home_unread.load(Ordering::Relaxed) {
            Err(anyhow!(
                "{} is left as it is, for it could not be read",
                self.first.file.display()
            ))
        } else {
            self.first.save(state)
        };
        let error = match saved {
            Ok(()) => {
                self.first.shorten_sent();
                // What it holds is older by now. Where it can't be removed, it is known to be so by its number.
                let second = self.second.iter();
                second.for_each(|place| drop(fs::remove_file(&place.file)));
                return Ok(Saved::Home);
            }
            Err(error) => error,
        };
        let Some(second) = &self.second else {
            return Err(error);
        };
        let saved = second.make_folder().and_then(|()| second.save(state));
        match saved {
            Ok(()) => Ok(Saved::Away(error.context(format!(
                "what is to be remembered is in {} until the next start of this machine",
                second.file.display()
            )))),
            Err(worse) => Err(error.context(format!("{worse:#}"))),
        }
    }

    /// Opens the list of what has been sent lately: recording a mail there costs the same however many are pending, and
    /// replacing the state for each would not.
    ///
    /// # Errors
    /// The list can be opened in neither place.
    pub fn sent_list(&self, _lock: &Lock) -> anyhow::Result<SentList> {
        let mut places: Vec<Place> = self.places().cloned().collect();
        places.reverse();
        let mut list = SentList { file: None, places };
        list.open_next().map(|()| list)
    }
}

/// The state's backup and everything else that lies beside the state file.
#[derive(Debug, Clone)]
struct Place {
    file: PathBuf,
}

/// What a place holds.
struct Found {
    /// The state, or its backup.
    state: Option<State>,
    /// Why the state file, which is there, can't be read; or why a broken one can't be set aside.
    unread: Option<anyhow::Error>,
}

impl Place {
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

    fn make_folder(&self) -> anyhow::Result<()> {
        let folder = self.folder();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("cannot make the state's folder {}", folder.display()))
    }

    fn open_lock(&self) -> anyhow::Result<(File, PathBuf)> {
        self.make_folder()?;
        let path = self.with_suffix(".lock");
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            // On a disk that has become read-only the lock file that is there does as well.
            .or_else(|error| File::open(&path).map_err(|_| error))
            .with_context(|| {
                format!(
                    "cannot open the lock file {} (this user must be able to write to {})",
                    path.display(),
                    self.folder().display()
                )
            })
            .map(|file| (file, path))
    }

    /// Reads the state or its backup.
    ///
    /// # Errors
    /// A later release wrote it.
    fn read(
        &self,
        problems: &mut Vec<String>,
        set_aside: impl Fn(&Path, &str) -> anyhow::Result<String>,
    ) -> anyhow::Result<Found> {
        let backup = self.backup();
        let mut missing = Vec::new();
        let mut unread = None;
        for path in [&self.file, &backup] {
            let bytes = match read_if_there(path) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => {
                    missing.push(path.display().to_string());
                    continue;
                }
                Err(error) => {
                    unread = unread.or(Some(error));
                    continue;
                }
            };
            match state::parse(&bytes) {
                Ok(state) => {
                    if *path == backup {
                        problems.extend(missing.iter().map(|file| format!("{file} is missing")));
                        problems.push(format!(
                            "going on from the backup {}, which is one step older than {}",
                            backup.display(),
                            self.file.display()
                        ));
                    }
                    return Ok(Found {
                        state: Some(state),
                        unread,
                    });
                }
                Err(Unusable::Broken(reason)) => match set_aside(path, &reason) {
                    Ok(told) => problems.push(told),
                    Err(error) => unread = unread.or(Some(error)),
                },
                Err(Unusable::Newer(version)) => {
                    return Err(anyhow!(
                        "{} has version {version}, written by a later release; this one reads up to {}. \
                         Upgrade petanotify, or name another file with --state",
                        path.display(),
                        state::VERSION
                    ));
                }
            }
        }
        Ok(Found {
            state: None,
            unread,
        })
    }

    /// Reads what has been sent lately. A line that a crash cut short was not yet promised to anybody; any other damage is
    /// told, and the good lines count.
    fn read_sent(
        &self,
        sent: &mut HashSet<MailId>,
        problems: &mut Vec<String>,
        set_aside: impl Fn(&Path, &str) -> anyhow::Result<String>,
    ) {
        let bytes = match read_if_there(&self.sent()) {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(error) => return problems.push(format!("{error:#}, so mails may be repeated")),
        };
        let mut broken = 0;
        for line in String::from_utf8_lossy(&bytes).split('\n') {
            match line.parse() {
                Ok(id) => {
                    sent.insert(id);
                }
                Err(NotAMailId) if MailId::is_cut_short(line) => {}
                Err(NotAMailId) => broken += 1,
            }
        }
        if broken > 0 {
            let reason = format!("{broken} of its lines are no ids, so mails may be repeated");
            let told = set_aside(&self.sent(), &reason);
            problems.push(told.unwrap_or_else(|error| format!("{error:#}")));
        }
    }

    fn save(&self, state: &State) -> anyhow::Result<()> {
        let mut text =
            serde_json::to_vec_pretty(state).context("cannot write the state as JSON")?;
        text.push(b'\n');
        replace(&self.file, &text, Some(&self.backup()))
            .with_context(|| format!("cannot save the state to {}", self.file.display()))
    }

    /// Begins the list of what was sent anew when it has grown long; the state that was just saved knows it all.
    fn shorten_sent(&self) {
        let sent = self.sent();
        if fs::metadata(&sent).is_ok_and(|file| file.len() > SENT_BYTES) {
            // A list too long does no harm.
            let _ = fs::remove_file(sent);
        }
    }

    fn open_sent(&self) -> anyhow::Result<File> {
        self.make_folder()?;
        let path = self.sent();
        let open = || -> io::Result<File> {
            let mut file = OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .open(&path)?;
            // Behind a line that a crash cut short.
            file.write_all(b"\n")?;
            File::open(self.folder())?.sync_all()?;
            Ok(file)
        };
        open().with_context(|| format!("cannot open {}", path.display()))
    }
}

/// Stands between a broken file's name and the time at which it was set aside.
const BROKEN: &str = ".broken-";

fn set_aside(path: &Path, reason: &str, now: Timestamp) -> anyhow::Result<String> {
    let mut aside = path.to_path_buf().into_os_string();
    aside.push(BROKEN);
    aside.push(now.strftime("%Y%m%dT%H%M%SZ").to_string());
    let aside = PathBuf::from(aside);
    fs::rename(path, &aside).with_context(|| {
        format!(
            "{} is broken ({reason}) and cannot be set aside as {}",
            path.display(),
            aside.display()
        )
    })?;
    forget_oldest(path);
    Ok(format!(
        "{} is broken ({reason}); it is kept as {}",
        path.display(),
        aside.display()
    ))
}

/// So many broken files are kept of each kind: whoever wants to know why has plenty, and the disk does not fill up.
const BROKEN_KEPT: usize = 5;

fn forget_oldest(path: &Path) {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return;
    };
    let prefix = format!("{}{BROKEN}", name.to_string_lossy());
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let mut kept: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .map(|entry| entry.path())
        .collect();
    // The names end with the time.
    kept.sort();
    let old = kept.len().saturating_sub(BROKEN_KEPT);
    for path in &kept[..old] {
        // A file too many does no harm.
        let _ = fs::remove_file(path);
    }
}

/// The list of what has been sent lately, one id on each line, so that neither a crash nor going on from the backup repeats
/// a mail.
#[derive(Debug)]
pub struct SentList {
    file: Option<(File, PathBuf)>,
    /// Where else it can be kept, the next one last.
    places: Vec<Place>,
}

impl SentList {
    /// Adds a mail. It is on disk when this returns.
    ///
    /// # Errors
    /// The disk is full or failing, and so is the second place.
    pub fn add(&mut self, id: &MailId) -> anyhow::Result<()> {
        loop {
            let Some((file, path)) = &mut self.file else {
                return Err(anyhow!("cannot write down that mail {id} was sent"));
            };
            let written = file
                .write_all(format!("{id}\n").as_bytes())
                .and_then(|()| file.sync_data())
                .with_context(|| {
                    format!(
                        "cannot write down in {} that mail {id} was sent",
                        path.display()
                    )
                });
            match written {
                Ok(()) => return Ok(()),
                Err(error) => self.open_next().map_err(|_| error)?,
            }
        }
    }

    fn open_next(&mut self) -> anyhow::Result<()> {
        let mut first_error = None;
        while let Some(place) = self.places.pop() {
            match place.open_sent() {
                Ok(file) => {
                    self.file = Some((file, place.sent()));
                    return Ok(());
                }
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        Err(first_error.unwrap_or_else(|| anyhow!("there is no other place for it")))
    }
}

/// A failing disk often gives out at the second try what it did not at the first, and going on without what is remembered
/// means to announce it anew.
const READ_ATTEMPTS: u32 = 3;

fn read_if_there(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    let mut attempt = 1;
    loop {
        match fs::read(path) {
            Ok(bytes) => return Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if attempt == READ_ATTEMPTS => {
                let context = format!("cannot read the state from {}", path.display());
                return Err(anyhow!(error).context(context));
            }
            Err(_) => attempt += 1,
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
        let store = Store::new(folder.path().join("var/state.json"), None);
        let lock = store.lock(Duration::ZERO).unwrap();
        store.save(&lock, &mut named("first")).unwrap();
        store.save(&lock, &mut named("second")).unwrap();
        (folder, store, lock)
    }

    fn name(loaded: &Loaded) -> &str {
        loaded.state.cluster.as_deref().unwrap_or("")
    }

    fn files(store: &Store) -> Vec<String> {
        let mut files: Vec<String> = fs::read_dir(store.first.folder())
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
        assert_eq!(name(&loaded), "second");
        assert!(loaded.problems.is_empty());
        assert_eq!(
            files(&store),
            ["state.json", "state.json.bak", "state.json.lock"]
        );
    }

    fn with_mails(count: i64) -> (tempfile::TempDir, Store, Lock, Vec<MailId>) {
        let (folder, store, lock) = store();
        let mut state = State::beginning(now());
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
        store.save(&lock, &mut state).unwrap();
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
        for loaded in [store.load(&lock, now()), store.read(now())] {
            let loaded = loaded.unwrap();
            assert_eq!(queued(&loaded), [ids[1].clone()]);
            assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
        }
        let mut loaded = store.load(&lock, now()).unwrap();
        store.save(&lock, &mut loaded.state).unwrap();
        assert_eq!(queued(&store.read(now()).unwrap()), [ids[1].clone()]);
        fs::write(store.file(), "broken").unwrap();
        let from_backup = store.load(&lock, now()).unwrap();
        assert_eq!(
            queued(&from_backup),
            [ids[1].clone()],
            "nor going on from the backup"
        );
    }

    #[test]
    fn a_line_that_a_crash_cut_short_counts_as_not_sent() {
        let (_folder, store, lock, ids) = with_mails(3);
        let torn = ids[1].to_string();
        for end in 0..torn.len() {
            fs::write(store.first.sent(), format!("{}\n{}", ids[0], &torn[..end])).unwrap();
            let loaded = store.load(&lock, now()).unwrap();
            assert_eq!(queued(&loaded), ids[1..]);
            assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
            // What comes behind it is not spoilt by it.
            store.sent_list(&lock).unwrap().add(&ids[2]).unwrap();
            let loaded = store.load(&lock, now()).unwrap();
            assert_eq!(queued(&loaded), [ids[1].clone()]);
            assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
        }
    }

    #[test]
    fn the_list_of_what_was_sent_does_not_grow_for_ever() {
        let (_folder, store, lock, ids) = with_mails(1);
        let many = format!("{}\n", ids[0]).repeat(6000);
        fs::write(store.first.sent(), many).unwrap();
        let mut loaded = store.load(&lock, now()).unwrap();
        store.save(&lock, &mut loaded.state).unwrap();
        assert!(!store.first.sent().exists());
        assert!(queued(&store.read(now()).unwrap()).is_empty());
    }

    /// A store whose first place has become a folder that nothing can be written to, whoever asks: it is none.
    fn without_home() -> (tempfile::TempDir, Store, Lock, State) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(
            folder.path().join("var/state.json"),
            Some(folder.path().join("run/state.json")),
        );
        let lock = store.lock(Duration::ZERO).unwrap();
        let mut state = store.load(&lock, now()).unwrap().state;
        state.cluster = Some("at home".to_owned());
        assert!(matches!(store.save(&lock, &mut state), Ok(Saved::Home)));
        fs::rename(folder.path().join("var"), folder.path().join("gone")).unwrap();
        fs::write(folder.path().join("var"), "").unwrap();
        (folder, store, lock, state)
    }

    fn bring_home(folder: &tempfile::TempDir) {
        fs::remove_file(folder.path().join("var")).unwrap();
        fs::rename(folder.path().join("gone"), folder.path().join("var")).unwrap();
    }

    #[test]
    fn what_cannot_be_saved_at_home_is_remembered_away_and_brought_home() {
        let (folder, store, lock, mut state) = without_home();
        state.cluster = Some("away".to_owned());
        let saved = store.save(&lock, &mut state);
        let Ok(Saved::Away(cause)) = saved else {
            panic!("{saved:?}");
        };
        assert!(
            format!("{cause:#}").contains("cannot save the state to"),
            "{cause:#}"
        );
        let mut loaded = store.load(&lock, now()).unwrap();
        assert_eq!(name(&loaded), "away");
        bring_home(&folder);
        let back = store.load(&lock, now()).unwrap();
        assert_eq!(name(&back), "away", "the newer of the two");
        loaded.state.cluster = Some("home again".to_owned());
        assert!(matches!(
            store.save(&lock, &mut loaded.state),
            Ok(Saved::Home)
        ));
        assert_eq!(name(&store.read(now()).unwrap()), "home again");
        assert!(!folder.path().join("run/state.json").exists());
    }

    #[test]
    fn what_was_sent_is_remembered_away_too() {
        let (folder, store, lock, _) = without_home();
        let (_other, _, _, ids) = with_mails(1);
        store.sent_list(&lock).unwrap().add(&ids[0]).unwrap();
        let away = fs::read_to_string(folder.path().join("run/state.json.sent")).unwrap();
        assert_eq!(away, format!("\n{}\n", ids[0]));
    }

    #[test]
    fn a_state_that_cannot_be_read_is_not_replaced_and_its_mails_come_back() {
        let (folder, store, lock, ids) = with_mails(2);
        let away = folder.path().join("run/state.json");
        let store = Store::new(store.file().to_owned(), Some(away.clone()));
        // A folder in its place can't be read, whoever asks.
        let hidden = folder.path().join("hidden");
        fs::rename(store.file(), &hidden).unwrap();
        fs::rename(store.first.backup(), folder.path().join("hidden.bak")).unwrap();
        fs::create_dir(store.file()).unwrap();
        let mut loaded = store.load(&lock, now()).unwrap();
        assert!(queued(&loaded).is_empty());
        let saved = store.save(&lock, &mut loaded.state).unwrap();
        assert!(matches!(saved, Saved::Away(_)), "{saved:?}");
        assert!(store.file().is_dir() && away.exists());
        fs::remove_dir(store.file()).unwrap();
        fs::rename(&hidden, store.file()).unwrap();
        let mut loaded = store.load(&lock, now()).unwrap();
        assert_eq!(queued(&loaded), ids);
        assert!(matches!(
            store.save(&lock, &mut loaded.state),
            Ok(Saved::Home)
        ));
        assert_eq!(queued(&store.read(now()).unwrap()), ids);
    }

    #[test]
    fn the_lock_is_one_wherever_it_lies() {
        let (_folder, store, lock, _) = without_home();
        drop(lock);
        let away = store.lock(Duration::ZERO).unwrap();
        assert!(matches!(
            store.lock(Duration::ZERO),
            Err(LockError::Held(_))
        ));
        drop(away);
    }

    #[test]
    fn with_neither_place_nothing_is_saved() {
        let (folder, store, lock, mut state) = without_home();
        fs::write(folder.path().join("run"), "").unwrap();
        let error = store.save(&lock, &mut state).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("var/state.json"), "{error}");
        assert!(error.contains("run"), "{error}");
    }

    #[test]
    fn damage_in_the_list_of_what_was_sent_is_told() {
        let (_folder, store, lock, ids) = with_mails(2);
        fs::write(store.first.sent(), format!("\0\0\0\u{fffd}\n{}\n", ids[1])).unwrap();
        let loaded = store.load(&lock, now()).unwrap();
        assert_eq!(queued(&loaded), [ids[0].clone()]);
        assert!(
            loaded.problems[0].contains("no ids"),
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
        let mode = fs::metadata(store.first.folder()).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o700);
    }

    #[test]
    fn a_broken_file_is_set_aside_and_its_backup_taken() {
        for broken in ["", "\0\0\0\0", "{\"version\":1,\"que", "nonsense"] {
            let (_folder, store, lock) = store();
            fs::write(store.file(), broken).unwrap();
            let loaded = store.load(&lock, now()).unwrap();
            assert_eq!(name(&loaded), "first", "{broken:?}");
            assert_eq!(loaded.problems.len(), 2, "{:?}", loaded.problems);
            let aside = store.beside("state.json.broken-20261123T021400Z");
            assert_eq!(fs::read_to_string(aside).unwrap(), broken);
            store.save(&lock, &mut named("third")).unwrap();
            let loaded = store.load(&lock, now()).unwrap();
            assert_eq!(name(&loaded), "third");
        }
    }

    #[test]
    fn with_both_broken_both_are_kept_and_the_pass_goes_on_from_nothing() {
        let (_folder, store, lock) = store();
        fs::write(store.file(), "x").unwrap();
        fs::write(store.first.backup(), "y").unwrap();
        let loaded = store.load(&lock, now()).unwrap();
        assert_eq!(loaded.state, State::beginning(now()));
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
    fn of_broken_files_the_newest_five_are_kept() {
        let (_folder, store, lock) = store();
        for second in 0..8 {
            fs::write(store.file(), "x").unwrap();
            let time = now() + jiff::SignedDuration::from_secs(second);
            store.load(&lock, time).unwrap();
        }
        let broken: Vec<String> = files(&store)
            .into_iter()
            .filter(|name| name.contains(".broken-"))
            .collect();
        let kept: Vec<String> = (3..8)
            .map(|second| format!("state.json.broken-20261123T02140{second}Z"))
            .collect();
        assert_eq!(broken, kept);
    }

    #[test]
    fn a_crash_between_the_two_renames_loses_nothing() {
        let (_folder, store, lock) = store();
        fs::remove_file(store.file()).unwrap();
        let loaded = store.load(&lock, now()).unwrap();
        assert_eq!(name(&loaded), "first");
        assert!(loaded.problems[0].contains("missing"));
    }

    #[test]
    fn who_only_looks_changes_nothing() {
        let (_folder, store, _lock) = store();
        fs::write(store.file(), "x").unwrap();
        let before = files(&store);
        let loaded = store.read(now()).unwrap();
        assert_eq!(name(&loaded), "first");
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
        let leftover = store.first.with_suffix(".new");
        fs::write(&leftover, "half a docum").unwrap();
        fs::set_permissions(&leftover, fs::Permissions::from_mode(0o444)).unwrap();
        store.save(&lock, &mut named("third")).unwrap();
        assert_eq!(name(&store.read(now()).unwrap()), "third");
        assert!(!leftover.exists());
    }
}
