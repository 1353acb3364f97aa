//! Replacing a file in one step, durably.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
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

/// Replaces a file that everybody may read (mode 0644, whatever the umask is) in one step: whoever reads it finds the old or
/// the new content whole. A power cut may bring back the old one.
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

fn temporary(file: &Path) -> PathBuf {
    let mut path = file.to_path_buf().into_os_string();
    path.push(".new");
    path.into()
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<File> {
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
    file.sync_all()?;
    Ok(file)
}
