//! Keeping damaged files aside: whoever looks for the cause has what there was, and nothing is ever deleted for being broken.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use jiff::Timestamp;

/// Stands between a damaged file's name and the time at which it was set aside.
const BROKEN: &str = ".broken-";

/// So many are kept of each kind: whoever wants to know why has plenty, and the disk does not fill up.
const KEPT: usize = 5;

/// Renames a file that is of no use any more to its name, `.broken-` and the time. What has been done is told, with both
/// names.
///
/// # Errors
/// It can't be renamed; then it is where it was.
pub fn set_aside(path: &Path, reason: &str, now: Timestamp) -> anyhow::Result<String> {
    let aside = name_aside(path, now);
    fs::rename(path, &aside).with_context(|| refusal(path, reason, &aside))?;
    settle(path, &aside);
    Ok(format!(
        "{} is broken ({reason}); it is kept as {}",
        path.display(),
        aside.display()
    ))
}

/// As [`set_aside`], for a file of which use is still made: it stays where it is as well, until it is replaced. It must not
/// be written in place.
///
/// # Errors
/// It can't be kept; then it is only where it was.
pub fn keep_copy(path: &Path, reason: &str, now: Timestamp) -> anyhow::Result<String> {
    let aside = name_aside(path, now);
    // A second name costs nothing, also on a full disk; but not every file system has that.
    fs::hard_link(path, &aside)
        .or_else(|_| fs::copy(path, &aside).map(drop))
        .with_context(|| refusal(path, reason, &aside))?;
    settle(path, &aside);
    Ok(format!(
        "{} is damaged ({reason}); it is kept as {}",
        path.display(),
        aside.display()
    ))
}

fn name_aside(path: &Path, now: Timestamp) -> PathBuf {
    let mut aside = OsString::from(path);
    aside.push(BROKEN);
    aside.push(now.strftime("%Y%m%dT%H%M%SZ").to_string());
    aside.into()
}

fn refusal(path: &Path, reason: &str, aside: &Path) -> String {
    format!(
        "{} is broken ({reason}) and cannot be kept as {}",
        path.display(),
        aside.display()
    )
}

/// Lets nobody else read the file, and forgets the oldest of its kind. The one just made stays, whatever its name says: the
/// clock may have been set back.
fn settle(path: &Path, just_made: &Path) {
    // A hand may have made it readable for all, and it may hold a password.
    let _ = fs::set_permissions(just_made, fs::Permissions::from_mode(0o600));
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return;
    };
    let prefix = format!("{}{BROKEN}", name.to_string_lossy());
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let mut others: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .map(|entry| entry.path())
        .filter(|path| path.file_name() != just_made.file_name())
        .collect();
    // The names end with the time.
    others.sort();
    let old = (others.len() + 1).saturating_sub(KEPT);
    for path in &others[..old] {
        // A file too many does no harm.
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.json");
        (folder, file)
    }

    fn names(folder: &tempfile::TempDir) -> Vec<String> {
        let entries = fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    #[test]
    fn what_is_set_aside_is_moved_and_what_is_copied_stays() {
        let time = at("2026-11-23T02:14:00Z");
        for (stays, keep) in [
            (false, set_aside as fn(&Path, &str, Timestamp) -> _),
            (true, keep_copy),
        ] {
            let (folder, file) = folder();
            fs::write(&file, "x").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
            let told: anyhow::Result<String> = keep(&file, "no JSON", time);
            let told = told.unwrap();
            let aside = folder.path().join("state.json.broken-20261123T021400Z");
            for part in [&file.display().to_string(), "no JSON"] {
                assert!(told.contains(part), "{told}");
            }
            assert!(told.ends_with(&format!("it is kept as {}", aside.display())));
            assert_eq!(fs::read_to_string(&aside).unwrap(), "x");
            let mode = fs::metadata(&aside).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            assert_eq!(file.exists(), stays);
        }
    }

    #[test]
    fn the_newest_five_are_kept_and_always_the_one_just_made() {
        let (folder, file) = folder();
        // Of another kind, and not to be counted.
        fs::write(folder.path().join("state.json.bak.broken-1"), "").unwrap();
        let keep = |second: i64| {
            fs::write(&file, second.to_string()).unwrap();
            let time = Timestamp::from_second(1_795_400_040 + second).unwrap();
            set_aside(&file, "no JSON", time).unwrap();
        };
        (0..8).for_each(keep);
        let kept: Vec<String> = (3..8)
            .map(|second| format!("state.json.broken-20261123T02140{second}Z"))
            .collect();
        let others = |folder| -> Vec<String> {
            let mut names = names(folder);
            names.retain(|name| name.starts_with("state.json.broken-"));
            names
        };
        assert_eq!(others(&folder), kept);
        // The clock has been set back to 1970.
        keep(-1_795_400_040);
        keep(-1_795_400_039);
        let kept_now = others(&folder);
        assert_eq!(kept_now[0], "state.json.broken-19700101T000001Z");
        assert_eq!(kept_now[1..], kept[1..]);
        assert!(names(&folder).contains(&"state.json.bak.broken-1".to_owned()));
    }

    #[test]
    fn what_cannot_be_kept_is_told() {
        let (_folder, file) = folder();
        for keep in [set_aside, keep_copy] {
            let error = keep(&file, "no JSON", Timestamp::UNIX_EPOCH).unwrap_err();
            let error = format!("{error:#}");
            assert!(error.contains("is broken (no JSON)"), "{error}");
            assert!(error.contains("No such file"), "{error}");
        }
    }
}
