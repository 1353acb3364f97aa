//! `petanotify config init`: writes the commented example configuration where there is none.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::anyhow;

use crate::cli;
use crate::command::{Done, Stop, print};
use crate::finding::shell_word;
use crate::output::Log;
use crate::settings::environment::Environment;
use crate::settings::locate;

/// The example, as the packages install it.
const EXAMPLE: &str = include_str!("../../../packaging/petanotify.toml");

/// It names no secret, and the service's user has to read it.
const FILE_MODE: u32 = 0o644;
const FOLDER_MODE: u32 = 0o755;

/// Writes the example and says what comes next. `flag` is `--config`. The configuration that is there, right or wrong, is not
/// read.
///
/// # Errors
/// There is no place for it, or it can't be written. That a file is there already is told on standard error.
pub fn init(
    options: &cli::Init,
    flag: Option<&Path>,
    environment: &Environment,
    log: &Log,
) -> Result<Done, Stop> {
    let named = options.path.as_deref().or(flag);
    let Some(path) = locate::new_config(named, environment) else {
        return Err(Stop::Usage(anyhow!(
            "this user has no home, so it must be said where: petanotify config init FILE"
        )));
    };
    match write(&path) {
        Ok(Done::Complete | Done::Silent) => {}
        Ok(Done::Incomplete) => {
            log.error(format!(
                "{} is there already and is left as it is; to compare with the example: \
                 petanotify config init /tmp/petanotify.toml",
                path.display()
            ));
            return Ok(Done::Incomplete);
        }
        Err(error) => {
            let advice = match error.kind() {
                io::ErrorKind::PermissionDenied => {
                    "; run this as root, or name a place of your own: petanotify config init FILE"
                }
                _ => "",
            };
            let context = format!("cannot write {}", path.display());
            let error = anyhow!("{error}{advice}").context(context);
            return Err(Stop::Output(error));
        }
    }
    let found_by_itself = locate::is_looked_for(&path, environment);
    print(&what_next(&path, found_by_itself))?;
    Ok(Done::Complete)
}

/// Makes the file, and its folder if need be. Incomplete where one is there already, also if only since a moment ago.
fn write(path: &Path) -> io::Result<Done> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder
        && !folder.is_dir()
    {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(FOLDER_MODE).create(folder)?;
        // Whatever the umask is.
        fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE))?;
    }
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path);
    let mut file = match opened {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(Done::Incomplete),
        opened => opened?,
    };
    let written = file
        .write_all(EXAMPLE.as_bytes())
        .and_then(|()| file.set_permissions(Permissions::from_mode(FILE_MODE)))
        .and_then(|()| file.sync_all());
    if written.is_err() {
        // Half an example would be taken for somebody's configuration.
        let _ = fs::remove_file(path);
    }
    written.map(|()| Done::Complete)
}

fn what_next(path: &Path, found_by_itself: bool) -> String {
    let path = path.display().to_string();
    let word = shell_word(&path);
    let option = match found_by_itself {
        true => String::new(),
        false => format!(" --config {word}"),
    };
    let mut text = format!(
        "Wrote {path}. Every line in it is a comment that shows a default, so nothing has changed yet.\n\
         Next, set what is to differ (on a PetaSAN node that may be nothing), then see whether it works:\n  \
         petanotify{option} config check\n  \
         petanotify{option} test-mail\n"
    );
    if found_by_itself {
        text.push_str(
            "And let a pass be made every minute:\n  systemctl enable --now petanotify.timer\n",
        );
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Barrier;
    use std::thread;

    use super::*;

    #[test]
    fn of_many_at_once_one_writes_and_the_file_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("etc/petanotify/petanotify.toml");
        let barrier = Barrier::new(8);
        let results: Vec<Done> = thread::scope(|scope| {
            let start = || {
                barrier.wait();
                write(&path).unwrap()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        let written = results.iter().filter(|done| **done == Done::Complete);
        assert_eq!(written.count(), 1);
        assert_eq!(fs::read_to_string(&path).unwrap(), EXAMPLE);
    }
}
