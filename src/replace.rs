//! Replacing a file in one step, durably.
//!
//! Two syncs belong to a file that must not be lost. That of the new file, before it gets its name, is never left out: else a
//! power cut could leave the name with an empty file behind it. That of the folder makes the name itself safe: else a power cut
//! could bring the old file back, whole.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::ownership;

/// When the new content must be safe from a power cut. From the end of the process it is safe at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safe {
    /// When the replacing is over: the folder is synced.
    Now,
    /// When the system gets round to it, some seconds later: until then a power cut may bring back the old content.
    Soon,
}

/// Writes `content` to a temporary file in the same folder (mode 0600, the name with `.new` behind it), syncs it, and renames
/// it to `file`, so that a crash at any instant leaves either the old or the new content whole. The old file becomes
/// `backup`, if one is named, and is never away meanwhile.
///
/// # Errors
/// Names the step that failed. Until the last step the old content is left where it was, or as the backup.
pub fn replace(
    file: &Path,
    content: &[u8],
    backup: Option<&Path>,
    safe: Safe,
) -> anyhow::Result<()> {
    let temporary = temporary(file);
    write_new(&temporary, content)
        .and_then(|written| written.sync_all())
        .with_context(|| format!("cannot write {}", temporary.display()))?;
    if let Some(backup) = backup {
        keep_as(file, backup)
            .with_context(|| format!("cannot keep the old one as {}", backup.display()))?;
    }
    fs::rename(&temporary, file)
        .with_context(|| format!("cannot rename {} to it", temporary.display()))?;
    if safe == Safe::Soon {
        return Ok(());
    }
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .with_context(|| format!("cannot sync the folder {}", folder.display()))
}

/// Replaces a file that everybody may read (mode 0644, whatever the umask is) in one step: whoever reads it finds the old or
/// the new content whole. Nothing is synced, for it is written anew every minute: a power cut may bring back the old one or
/// leave an empty file.
///
/// # Errors
/// Names the step that failed; the old content is left where it was.
pub fn publish(file: &Path, content: &[u8]) -> anyhow::Result<()> {
    let temporary = temporary(file);
    write_new(&temporary, content)
        // By its handle, for in a folder of somebody else the name may be another file's by now.
        .and_then(|written| written.set_permissions(Permissions::from_mode(0o644)))
        .with_context(|| format!("cannot write {}", temporary.display()))?;
    fs::rename(&temporary, file)
        .with_context(|| format!("cannot rename {} to it", temporary.display()))
}

/// Gives the file a second name, so that there is no moment at which it has none. Where that can't be (not every file system
/// has it) it is renamed, and whoever reads at that moment finds the backup alone.
fn keep_as(file: &Path, backup: &Path) -> io::Result<()> {
    // Else the backup is all there is.
    if !file.try_exists()? {
        return Ok(());
    }
    absent_is_well(fs::remove_file(backup))
        .and_then(|()| fs::hard_link(file, backup))
        .or_else(|_| fs::rename(file, backup))
}

fn absent_is_well(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn temporary(file: &Path) -> PathBuf {
    let mut path = file.to_path_buf().into_os_string();
    path.push(".new");
    path.into()
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<File> {
    // A leftover of a crash may belong to anybody and bear any mode.
    absent_is_well(fs::remove_file(path))?;
    let mut file = ownership::make(path, OpenOptions::new().write(true))?;
    file.write_all(content)?;
    Ok(file)
}
