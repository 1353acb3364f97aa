//! Replacing a file in one step, durably.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

/// Writes `content` to a temporary file in the same folder (mode 0600, the name with `.new` behind it), syncs it, renames it
/// to `file` and syncs the folder, so that a crash at any instant leaves either the old or the new content whole. The old
/// file becomes `backup`, if one is named.
///
/// # Errors
/// Names the step that failed. Until the last step the old content is left where it was, or as the backup.
pub fn replace(file: &Path, content: &[u8], backup: Option<&Path>) -> anyhow::Result<()> {
    let temporary = temporary(file);
    write_new(&temporary, content)
        .with_context(|| format!("cannot write {}", temporary.display()))?;
    if let Some(backup) = backup {
        match fs::rename(file, backup) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let context = format!("cannot rename it to {}", backup.display());
                return Err(anyhow!(error).context(context));
            }
            _ => {}
        }
    }
    fs::rename(&temporary, file)
        .with_context(|| format!("cannot rename {} to it", temporary.display()))?;
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .with_context(|| format!("cannot sync the folder {}", folder.display()))
}

fn temporary(file: &Path) -> PathBuf {
    let mut path = file.to_path_buf().into_os_string();
    path.push(".new");
    path.into()
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    // A leftover of a crash may belong to anybody and bear any mode.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}
