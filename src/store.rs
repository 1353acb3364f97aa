//! The state file on disk: its lock, reading it with its backup at hand, replacing it in one step.
//!
//! Readers take no lock, so the file is replaced by renaming and never written in place; so the lock is a file of its own,
//! which is never replaced.

pub mod survey;

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use fs2::FileExt;
use jiff::Timestamp;

use crate::aside::{keep_copy, set_aside};
use crate::ownership;
use crate::queue::MailId;
use crate::replace::{Safe, replace};
use crate::sent::{self, End, Sent};
use crate::state::{self, Salvage, State, Unusable};
use crate::wording;

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
    /// The state file still names mails that were sent: it needs the list of those, also as the next one's backup.
    sent_needed: AtomicBool,
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
    /// The mails that were sent of late, as far as this place has them: none of them is pending in `state`.
    pub sent: HashSet<MailId>,
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
                        sent_needed: AtomicBool::new(true),
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
        let found = self.load_with(now, Damaged::Left)?;
        Ok(found.loaded)
    }

    /// Reads the state for a pass. A file that is broken is set aside under a name with the time, and the pass goes on from
    /// the backup of the last good one; without one, from nothing. Of one that is damaged and can still be read a copy is
    /// set aside, and use is made of it: see [`State::recover`].
    ///
    /// # Errors
    /// As [`Store::read`], or a broken file can't be set aside.
    pub fn load(&self, lock: &Lock, now: Timestamp) -> anyhow::Result<Loaded> {
        let found = self.load_with(now, Damaged::Kept(now))?;
        lock.home_unread.store(found.home_unread, Ordering::Relaxed);
        lock.sent_needed.store(found.sent_needed, Ordering::Relaxed);
        Ok(found.loaded)
    }

    fn load_with(&self, now: Timestamp, damaged: Damaged) -> anyhow::Result<Found> {
        let mut problems = Vec::new();
        let mut sent = HashSet::new();
        for place in self.places() {
            place.read_sent(&mut sent, &mut problems, damaged);
        }
        let mut found: Option<State> = None;
        let mut home_unread = false;
        let mut sent_needed = false;
        for (number, place) in self.places().enumerate() {
            let read = place.read(&mut problems, damaged)?;
            let mut state = read.state;
            if number == 0 {
                home_unread = read.unread.is_some();
                sent_needed =
                    !read.as_it_was || state.iter().any(|state| state.queue.names_any_of(&sent));
            }
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
        }
        if found.is_none() && !problems.is_empty() {
            problems.push(
                "no usable state is left: going on from nothing, so what is wrong now is announced anew"
                    .to_owned(),
            );
        }
        let mut state = found.unwrap_or_else(|| State::beginning(now));
        state.queue.remove(&sent);
        state.set_clock(now);
        Ok(Found {
            loaded: Loaded {
                state,
                sent,
                problems,
            },
            home_unread,
            sent_needed,
        })
    }

    /// Replaces the state file: temporary file in the same folder, fsync, rename, fsync of the folder, so that a crash at
    /// any instant leaves either the old or the new one whole. The one before becomes the backup.
    ///
    /// # Errors
    /// It can be saved in neither place; the file that was there is left as it was, or as the backup.
    pub fn save(&self, lock: &Lock, state: &mut State, safe: Safe) -> anyhow::Result<Saved> {
        state.saves = state.saves.saturating_add(1);
        let saved = if lock.home_unread.load(Ordering::Relaxed) {
            Err(anyhow!(
                "{} is left as it is, for it could not be read",
                self.first.file.display()
            ))
        } else {
            self.first.save(state, safe)
        };
        let error = match saved {
            Ok(()) => {
                // The file that is the backup now may need the list, the new one does not.
                let needed = lock.sent_needed.swap(false, Ordering::Relaxed);
                if !needed && safe == Safe::Now {
                    self.places().for_each(Place::shorten_sent);
                }
                // What it holds is older by now. Where it can't be removed, it is known to be so by its number. The backup goes
                // first: alone it would be taken for what is left of a state.
                if let Some(second) = &self.second {
                    let _ = fs::remove_file(second.backup());
                    let _ = fs::remove_file(&second.file);
                }
                return Ok(Saved::Home);
            }
            Err(error) => error,
        };
        let Some(second) = &self.second else {
            return Err(error);
        };
        let saved = (second.make_folder()).and_then(|()| second.save(state, safe));
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
    pub fn sent_list(&self, lock: &Lock) -> anyhow::Result<SentList> {
        lock.sent_needed.store(true, Ordering::Relaxed);
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

/// What is done about a damaged file, besides telling it.
#[derive(Debug, Clone, Copy)]
enum Damaged {
    /// Nothing: who only looks changes nothing.
    Left,
    /// It is kept aside under a name with this time.
    Kept(Timestamp),
}

impl Damaged {
    /// A file of no use.
    fn broken(self, path: &Path, reason: &str) -> anyhow::Result<String> {
        match self {
            Damaged::Left => Ok(format!("{} is broken ({reason})", path.display())),
            Damaged::Kept(now) => set_aside(path, reason, now),
        }
    }

    /// A file of which use is made all the same.
    fn doubtful(self, path: &Path, reason: &str) -> anyhow::Result<String> {
        match self {
            Damaged::Left => Ok(format!("{} is damaged ({reason})", path.display())),
            Damaged::Kept(now) => keep_copy(path, reason, now),
        }
    }
}

/// What was found in all places.
struct Found {
    loaded: Loaded,
    /// See [`Lock`].
    home_unread: bool,
    sent_needed: bool,
}

/// What a place holds.
struct Held {
    /// The state to go on from.
    state: Option<State>,
    /// It is the state file's, just as it was written.
    as_it_was: bool,
    /// Why the state file, which is there, can't be read; or why a damaged one can't be kept aside.
    unread: Option<anyhow::Error>,
}

/// What became of reading a state file.
enum Read {
    AsItWas(State),
    Altered(State),
    Missing,
    Useless,
}

impl Read {
    fn state(self) -> Option<State> {
        match self {
            Read::AsItWas(state) | Read::Altered(state) => Some(state),
            Read::Missing | Read::Useless => None,
        }
    }
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
        ownership::open_or_make(&path, OpenOptions::new().write(true))
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

    /// Reads the state, and its backup if that is needed.
    ///
    /// # Errors
    /// A later release wrote it.
    fn read(&self, problems: &mut Vec<String>, damaged: Damaged) -> anyhow::Result<Held> {
        let mut unread = None;
        let mut look = |path: &Path, problems: &mut Vec<String>| {
            read_state(path, problems, damaged, |error| {
                unread.get_or_insert(error);
            })
        };
        let home = look(&self.file, problems)?;
        if let Read::AsItWas(state) = home {
            return Ok(Held {
                state: Some(state),
                as_it_was: true,
                unread: None,
            });
        }
        let backup = look(&self.backup(), problems)?;
        let (home_file, backup_file) = (self.file.display(), self.backup());
        let backup_file = backup_file.display();
        let state = match (home, backup) {
            (Read::AsItWas(state), _) => Some(state),
            (Read::Altered(home), backup) => {
                let (state, salvage) = home.recover(backup.state());
                problems.push(match salvage {
                    Salvage::FromBackup => format!(
                        "going on with what the backup {backup_file} remembers, and with the mails of both"
                    ),
                    Salvage::WithBackup => format!(
                        "going on with what {home_file} remembers, and with the mails of the backup {backup_file} as well"
                    ),
                    Salvage::AsItIs => {
                        format!("going on with {home_file} as it is, for there is no backup")
                    }
                });
                Some(state)
            }
            (home @ (Read::Missing | Read::Useless), backup) => {
                let state = backup.state();
                if state.is_some() {
                    if matches!(home, Read::Missing) {
                        problems.push(format!("{home_file} is missing"));
                    }
                    problems.push(format!(
                        "going on from the backup {backup_file}, which is one step older than {home_file}"
                    ));
                }
                state
            }
        };
        Ok(Held {
            state,
            as_it_was: false,
            unread,
        })
    }

    /// Reads what has been sent lately. A line that a crash cut short was not yet promised to anybody; any other damage is
    /// told, the good lines count, and are all that is left in the list.
    fn read_sent(&self, sent: &mut HashSet<MailId>, problems: &mut Vec<String>, damaged: Damaged) {
        let path = self.sent();
        let bytes = match read_if_there(&path) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return,
            Err(error) => return problems.push(format!("{error:#}, so mails may be repeated")),
        };
        let read = sent::parse(&bytes);
        if read.damaged > 0 {
            let lines = wording::count(read.damaged, "bad line");
            let reason = format!("{lines}, so mails may be repeated");
            let told = damaged.doubtful(&path, &reason);
            problems.push(told.unwrap_or_else(|error| format!("{error:#}")));
            if let Damaged::Kept(_) = damaged
                && let Err(error) = self.begin_sent(&read.ids)
            {
                problems.push(format!("{error:#}"));
            }
        }
        sent.extend(read.ids);
    }

    fn save(&self, state: &State, safe: Safe) -> anyhow::Result<()> {
        let text = state::render(state).context("cannot write the state as JSON")?;
        replace(&self.file, &text, Some(&self.backup()), safe)
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

    /// Writes the list anew.
    fn begin_sent(&self, ids: &[MailId]) -> anyhow::Result<End> {
        let (text, end) = sent::render(ids);
        let path = self.sent();
        replace(&path, text.as_bytes(), None, Safe::Now)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(end)
    }

    /// Opens the list to write behind its end.
    fn open_sent(&self) -> anyhow::Result<OpenList> {
        self.make_folder()?;
        let path = self.sent();
        let read = match read_if_there(&path)? {
            Some(bytes) => sent::parse(&bytes),
            None => Sent::default(),
        };
        let end = match read.end {
            Some(end) => end,
            // There is none yet, or a crash has cut its last line short.
            None => self.begin_sent(&read.ids)?,
        };
        let file = ownership::open(&path, OpenOptions::new().append(true));
        let file = file.with_context(|| format!("cannot open {}", path.display()))?;
        Ok(OpenList { file, path, end })
    }
}

/// Reads a state file or a backup. `refused` hears why one can't be read, or not be kept aside.
///
/// # Errors
/// A later release wrote it.
fn read_state(
    path: &Path,
    problems: &mut Vec<String>,
    damaged: Damaged,
    mut refused: impl FnMut(anyhow::Error),
) -> anyhow::Result<Read> {
    let bytes = match read_if_there(path) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(Read::Missing),
        Err(error) => {
            refused(error);
            return Ok(Read::Useless);
        }
    };
    let (told, read) = match state::parse(&bytes) {
        Ok(state) => return Ok(Read::AsItWas(state)),
        Err(Unusable::Broken(reason)) => (damaged.broken(path, &reason), Read::Useless),
        Err(Unusable::Altered(state)) => {
            let reason = "its checksum is wrong: it has been edited by hand or damaged";
            (damaged.doubtful(path, reason), Read::Altered(*state))
        }
        Err(Unusable::Newer(version)) => {
            return Err(anyhow!(
                "{} has version {version}, written by a later release; this one reads up to {}. \
                 Upgrade petanotify, or name another file with --state",
                path.display(),
                state::VERSION
            ));
        }
    };
    match told {
        Ok(told) => problems.push(told),
        Err(error) => refused(error),
    }
    Ok(read)
}

/// The list of what has been sent lately, so that neither a crash nor going on from the backup repeats a mail.
#[derive(Debug)]
pub struct SentList {
    file: Option<OpenList>,
    /// Where else it can be kept, the next one last.
    places: Vec<Place>,
}

#[derive(Debug)]
struct OpenList {
    file: File,
    path: PathBuf,
    end: End,
}

impl SentList {
    /// Adds a mail. It is on disk when this returns.
    ///
    /// # Errors
    /// The disk is full or failing, and so is the second place.
    pub fn add(&mut self, id: &MailId) -> anyhow::Result<()> {
        loop {
            let Some(list) = &mut self.file else {
                return Err(anyhow!("cannot write down that mail {id} was sent"));
            };
            let line = list.end.line(id);
            let written = (list.file)
                .write_all(line.as_bytes())
                .and_then(|()| list.file.sync_data())
                .with_context(|| {
                    format!(
                        "cannot write down in {} that mail {id} was sent",
                        list.path.display()
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
                Ok(list) => {
                    self.file = Some(list);
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
mod tests;
