//! Whose the files are that root makes in another user's folder.
//!
//! The service runs as a user of its own, and root runs petanotify by hand. What root leaves behind has to be readable for
//! the service: a pass could not go on from a state that belongs to root. Nor may that user's folder lead root astray.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

use rustix::fs::OFlags;

/// Makes a file (mode 0600) that is not there yet, and gives it to the owner of its folder.
///
/// # Errors
/// Something of that name is there, were it only a symbolic link, or the file can't be made.
pub fn make(path: &Path, options: &OpenOptions) -> io::Result<File> {
    let file = options.clone().create_new(true).mode(0o600).open(path)?;
    // Where a file system knows no owners, the file is as readable as any other there.
    let _ = leave_to_owner_of_folder(path, &file);
    Ok(file)
}

/// Opens a file that is written in place. A symbolic link is not followed: root would write to whatever the owner of the
/// folder pleases.
///
/// # Errors
/// The file can't be opened.
pub fn open(path: &Path, options: &OpenOptions) -> io::Result<File> {
    let no_link = OFlags::NOFOLLOW.bits().cast_signed();
    options.clone().custom_flags(no_link).open(path)
}

/// Opens a file as [`open`] does, or makes it as [`make`] does.
///
/// # Errors
/// The file can be neither opened nor made.
pub fn open_or_make(path: &Path, options: &OpenOptions) -> io::Result<File> {
    match make(path, options) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open(path, options),
        made => made,
    }
}

fn leave_to_owner_of_folder(path: &Path, file: &File) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let owner = fs::metadata(folder)?;
    let made = file.metadata()?;
    if (made.uid(), made.gid()) == (owner.uid(), owner.gid()) {
        return Ok(());
    }
    fchown(file, Some(owner.uid()), Some(owner.gid()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::{chown, symlink};

    use super::*;

    const SOMEBODY: u32 = 65534;

    #[test]
    fn what_root_makes_belongs_to_the_owner_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let is_root = rustix::process::geteuid().is_root();
        if is_root {
            chown(folder.path(), Some(SOMEBODY), Some(SOMEBODY)).unwrap();
        }
        let owner = fs::metadata(folder.path()).unwrap();
        let path = folder.path().join("lock");
        let options = OpenOptions::new().write(true).clone();
        for _ in ["made", "opened"] {
            let file = open_or_make(&path, &options).unwrap().metadata().unwrap();
            assert_eq!((file.uid(), file.gid()), (owner.uid(), owner.gid()));
            assert_eq!(file.mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_link_that_lies_there_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let (link, target) = (folder.path().join("link"), folder.path().join("target"));
        symlink(&target, &link).unwrap();
        let options = OpenOptions::new().append(true).clone();
        open_or_make(&link, &options).unwrap_err();
        assert!(!target.exists());

        fs::write(&target, "of somebody else").unwrap();
        open_or_make(&link, &options).unwrap_err();
        make(&target, &options).unwrap_err();
        assert_eq!(fs::read_to_string(&target).unwrap(), "of somebody else");
    }
}
