//! What can be found out about the state's places without changing anything that stays.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use fs2::FileExt;
use rustix::fs::{Access, access, statvfs};

use super::{Place, Store};

/// Both places and the lock.
#[derive(Debug)]
pub struct Survey {
    /// Where the state belongs.
    pub first: Ground,
    /// Where it goes while that can't be written, if there is such a place.
    pub second: Option<Ground>,
    /// The lock.
    pub lock: LockState,
}

/// A folder and what can be done there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ground {
    /// The folder.
    pub folder: PathBuf,
    /// Whether files can be made there.
    pub use_of_it: UseOfIt,
    /// Room on its file system, or on that of the folder above it that is there; `None` where that can't be told.
    pub free: Option<Free>,
}

/// Whether files can be made in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UseOfIt {
    /// A file was written, synced and removed again.
    Writable,
    /// It is not there yet and can be made.
    CanBeMade,
    /// It can't be used, for this reason.
    Unusable(String),
}

/// Room on a file system, as far as this user may take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Free {
    /// Bytes.
    pub bytes: u64,
    /// Files; `None` where the file system has no limit of its own.
    pub files: Option<u64>,
}

/// What was found of the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockState {
    /// Nobody holds it.
    Free,
    /// A pass is running.
    Held,
    /// It can't be used, for this reason.
    Unusable(String),
}

impl Store {
    /// Looks at the state's places. A temporary file is written in each and removed; the lock is taken for an instant,
    /// which a pass waits for.
    pub fn survey(&self) -> Survey {
        Survey {
            first: self.first.ground(),
            second: self.second.as_ref().map(Place::ground),
            lock: self.first.lock_state(),
        }
    }
}

impl Place {
    fn ground(&self) -> Ground {
        let folder = self.folder();
        let there = nearest(folder);
        let use_of_it = match try_writing(&self.with_suffix(".try")) {
            Ok(()) => UseOfIt::Writable,
            Err(error) if error.kind() == io::ErrorKind::NotFound && there != folder => {
                match access(there, Access::WRITE_OK | Access::EXEC_OK) {
                    Ok(()) => UseOfIt::CanBeMade,
                    Err(error) => UseOfIt::Unusable(format!(
                        "it is not there, and cannot be made in {}: {}",
                        there.display(),
                        io::Error::from(error)
                    )),
                }
            }
            Err(error) => UseOfIt::Unusable(format!("no file can be written there: {error}")),
        };
        Ground {
            folder: folder.to_owned(),
            use_of_it,
            free: statvfs(there).ok().map(|told| Free {
                bytes: told.f_bavail.saturating_mul(told.f_frsize),
                files: (told.f_files > 0).then_some(told.f_favail),
            }),
        }
    }

    fn lock_state(&self) -> LockState {
        let path = self.with_suffix(".lock");
        let file = match File::open(&path) {
            Ok(file) => file,
            // The first pass makes it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return LockState::Free,
            Err(error) => {
                return LockState::Unusable(format!("cannot open {}: {error}", path.display()));
            }
        };
        match FileExt::try_lock_shared(&file) {
            Ok(()) => LockState::Free,
            Err(error) if error.kind() == fs2::lock_contended_error().kind() => LockState::Held,
            Err(error) => LockState::Unusable(format!("cannot lock {}: {error}", path.display())),
        }
    }
}

/// The folder, or the nearest one above it that is there.
fn nearest(folder: &Path) -> &Path {
    let mut above = folder.ancestors();
    let there = above.find(|folder| folder.is_dir());
    // The last one above a relative path is empty: it stands for the current folder.
    there.unwrap_or(Path::new("."))
}

fn try_writing(path: &Path) -> io::Result<()> {
    // A leftover of a run that was killed here.
    let _ = fs::remove_file(path);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let written = file.write_all(b"x").and_then(|()| file.sync_all());
    let removed = fs::remove_file(path);
    written.and(removed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn a_folder_that_is_there_is_written_to_and_left_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("state.json"), None);
        let survey = store.survey();
        assert_eq!(survey.first.use_of_it, UseOfIt::Writable);
        assert_eq!(survey.first.folder, folder.path());
        assert!(survey.first.free.unwrap().bytes > 0);
        assert_eq!(survey.second, None);
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }

    #[test]
    fn a_folder_that_is_not_there_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let second = folder.path().join("run/petanotify/state");
        let store = Store::new(folder.path().join("var/lib/state.json"), Some(second));
        let survey = store.survey();
        assert_eq!(survey.first.use_of_it, UseOfIt::CanBeMade);
        assert_eq!(survey.second.unwrap().use_of_it, UseOfIt::CanBeMade);
        assert_eq!(names(folder.path()), Vec::<String>::new());

        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let below_a_file = Store::new(file.join("state.json"), None).survey();
        let UseOfIt::Unusable(reason) = below_a_file.first.use_of_it else {
            panic!("usable");
        };
        assert!(reason.contains("Not a directory"), "{reason}");
    }

    #[test]
    fn the_lock_is_free_or_held_and_stays_so() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("state.json"), None);
        assert_eq!(store.survey().lock, LockState::Free);
        let lock = store.lock(Duration::ZERO).unwrap();
        assert_eq!(store.survey().lock, LockState::Held);
        drop(lock);
        assert_eq!(store.survey().lock, LockState::Free);
        store.lock(Duration::ZERO).unwrap();
    }
}
