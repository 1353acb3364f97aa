//! The edge to the machine itself: who runs this, which units start it, whether the clock is kept right, which files can
//! be read. Whatever can't be found out is `None`: it stops nothing.

use std::env;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::fs::{Access, access};

use crate::deadline::{self, End, LeftBehind, Limits};
use crate::output::Log;

/// What starts passes where there is no systemd.
pub const CRON_FILE: &str = "/etc/cron.d/petanotify";

/// These tools answer in some ms, or after 25 s that the bus does not.
const PATIENCE: Duration = Duration::from_secs(5);

/// Their answers have a few lines.
const ANSWER_BYTES: usize = 64 * 1024;

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// The name of the effective user, or his number.
    pub user: String,
    /// The answer of `systemctl show` about timer and service; `None` where systemd does not run.
    pub units: Option<String>,
    /// [`CRON_FILE`] is there.
    pub has_cron_file: bool,
    /// The answer of `timedatectl show`; `None` where there is none.
    pub clock: Option<String>,
}

/// Looks.
pub fn look(log: &Log) -> Machine {
    let properties = [
        "Id",
        "LoadState",
        "ActiveState",
        "UnitFileState",
        "NextElapseUSecRealtime",
        "User",
    ];
    let properties = format!("--property={}", properties.join(","));
    let units = [
        "show",
        &properties,
        "petanotify.timer",
        "petanotify.service",
    ];
    Machine {
        user: user(),
        units: answer("systemctl", &units, log),
        has_cron_file: Path::new(CRON_FILE).is_file(),
        clock: answer("timedatectl", &["show"], log),
    }
}

fn user() -> String {
    let id = rustix::process::geteuid();
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_of(&passwd, id.as_raw()).unwrap_or_else(|| format!("user {}", id.as_raw()))
}

/// The name that goes with a number in the text of passwd(5).
fn name_of(passwd: &str, id: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    })
}

/// What a tool prints when it ends well.
fn answer(program: &str, arguments: &[&str], log: &Log) -> Option<String> {
    let mut command = Command::new(program);
    // In the words that are looked for.
    command.args(arguments).env("LC_ALL", "C");
    let limits = Limits {
        time: PATIENCE,
        stdout_bytes: Some(ANSWER_BYTES),
        stderr_tail_bytes: ANSWER_BYTES,
        stderr_bytes: ANSWER_BYTES,
        left_behind: LeftBehind::Ended,
    };
    match deadline::run(&mut command, None, limits, |_| false) {
        Ok(run) if matches!(run.end, End::Exit(status) if status.success()) => {
            Some(String::from_utf8_lossy(&run.stdout).into_owned())
        }
        Ok(run) => {
            let said = String::from_utf8_lossy(&run.stderr);
            log.debug(format_args!("{program}: {:?}: {said}", run.end));
            None
        }
        Err(error) => {
            log.debug(format_args!("{program}: {error}"));
            None
        }
    }
}

/// Where a program lies that would be run by this name: the name itself if it is a path, else the first on `PATH` that may
/// be executed.
pub fn program(name: &str) -> Option<PathBuf> {
    let may_run = |path: &Path| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| may_run(path));
    }
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(|path| may_run(path))
}

/// Whether a file can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readable {
    /// Yes.
    Yes {
        /// And everybody else on this machine may read it, too.
        by_everybody: bool,
    },
    /// There is no such file.
    Missing,
    /// It is there, but: why.
    No(String),
}

/// Tries to open a file for reading.
pub fn readable(path: &Path) -> Readable {
    let opened = File::open(path).and_then(|file| file.metadata());
    match opened {
        Ok(data) if data.is_dir() => Readable::No("it is a folder".to_owned()),
        Ok(data) => Readable::Yes {
            by_everybody: data.permissions().mode() & 0o004 != 0,
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Readable::Missing,
        Err(error) => Readable::No(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::output::Priority;

    #[test]
    fn a_user_has_a_name() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nbroken\nceph:x:64045:64045::/var:/bin/sh\n";
        assert_eq!(name_of(passwd, 0).as_deref(), Some("root"));
        assert_eq!(name_of(passwd, 64045).as_deref(), Some("ceph"));
        assert_eq!(name_of(passwd, 6404), None);
    }

    #[test]
    fn tools_that_are_missing_or_fail_have_no_answer() {
        let log = Log::new(Priority::Error, false);
        assert_eq!(answer("/nonexistent/tool", &[], &log), None);
        assert_eq!(answer("sh", &["-c", "echo no; exit 1"], &log), None);
        let yes = answer("sh", &["-c", "echo $LC_ALL"], &log);
        assert_eq!(yes.as_deref(), Some("C\n"));
    }

    #[test]
    fn files_are_readable_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        assert_eq!(readable(&file), Readable::Missing);
        fs::write(&file, "").unwrap();
        for (mode, by_everybody) in [(0o600, false), (0o640, false), (0o644, true)] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(readable(&file), Readable::Yes { by_everybody });
        }
        assert_eq!(
            readable(folder.path()),
            Readable::No("it is a folder".to_owned())
        );
    }

    #[test]
    fn a_program_is_found_where_it_would_be_run_from() {
        assert!(program("sh").unwrap().ends_with("sh"));
        assert_eq!(program("/bin/sh").unwrap(), Path::new("/bin/sh"));
        assert_eq!(program("/etc/passwd"), None, "not executable");
        assert_eq!(program("no-such-program-anywhere"), None);
    }
}
