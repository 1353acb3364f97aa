//! The state's places: whether what is remembered can be written and read.

use super::{Finding, Section, shell_word};
use crate::store::survey::{Free, Ground, LockState, Survey, UseOfIt};
use crate::wording;

/// Less room is worth a word. A state with 1,000 pending mails takes some 2 MiB.
const SCARCE_BYTES: u64 = 100 * 1024 * 1024;

/// Less room for files is worth a word.
const SCARCE_FILES: u64 = 100;

/// What the state holds, or why it can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// In a few words.
    pub told: Result<String, String>,
    /// What was wrong with the files.
    pub problems: Vec<String>,
}

/// The findings. `user` is who runs this.
pub fn judge(survey: &Survey, content: &Content, user: &str) -> Vec<Finding> {
    let mut findings = vec![
        folder("folder", &survey.first, user),
        space(&survey.first),
        lock(&survey.lock, user),
    ];
    match &content.told {
        Ok(told) => findings.push(Finding::ok(Section::State, "content", told)),
        Err(reason) => findings.push(Finding::failed(
            Section::State,
            "content",
            reason,
            "Run this as the user of the service, or as root:\n  sudo petanotify config check",
        )),
    }
    findings.extend(content.problems.iter().map(|problem| {
        let advice = "The next pass goes on from what is left, and says so in its log.";
        Finding::warning(Section::State, "content", problem, advice)
    }));
    findings.push(match &survey.second {
        Some(second) => match folder("second", second, user) {
            unusable if unusable.advice.is_some() => Finding::warning(
                Section::State,
                "second",
                unusable.detail,
                unusable.advice.unwrap_or_default(),
            ),
            usable => usable,
        },
        None => Finding::ok(
            Section::State,
            "second",
            "none here; the service has one in memory, for the hour in which the disk fails",
        ),
    });
    findings
}

fn folder(name: &'static str, ground: &Ground, user: &str) -> Finding {
    let path = ground.folder.display().to_string();
    match &ground.use_of_it {
        UseOfIt::Writable => Finding::ok(Section::State, name, format!("{path}, writable")),
        UseOfIt::CanBeMade => {
            let made = format!("{path}, made by the first pass");
            Finding::ok(Section::State, name, made)
        }
        UseOfIt::Unusable(reason) => {
            let word = shell_word(&path);
            Finding::failed(
                Section::State,
                name,
                format!("{path}: {reason}"),
                format!(
                    "Run petanotify as the user whom it belongs to, name another file in state.file, or:\n  \
                     mkdir -p {word}\n  chown {user} {word}\n  chmod 700 {word}"
                ),
            )
        }
    }
}

fn space(ground: &Ground) -> Finding {
    let path = shell_word(&ground.folder.display().to_string());
    match ground.free {
        None => Finding::warning(
            Section::State,
            "space",
            "cannot be told",
            format!("Look by hand:\n  df {path}"),
        ),
        Some(Free { bytes, .. }) if bytes < SCARCE_BYTES => Finding::warning(
            Section::State,
            "space",
            format!("only {} free", wording::bytes(bytes)),
            format!("Make room:\n  df -h {path}\n  journalctl --vacuum-size=200M"),
        ),
        Some(Free {
            files: Some(files), ..
        }) if files < SCARCE_FILES => Finding::warning(
            Section::State,
            "space",
            format!(
                "room for only {}",
                wording::count(usize::try_from(files).unwrap_or(0), "more file")
            ),
            format!("Remove files:\n  df -i {path}"),
        ),
        Some(Free { bytes, .. }) => {
            let free = format!("{} free", wording::bytes(bytes));
            Finding::ok(Section::State, "space", free)
        }
    }
}

fn lock(lock: &LockState, user: &str) -> Finding {
    match lock {
        LockState::Free => Finding::ok(Section::State, "lock", "free"),
        LockState::Held => Finding::ok(Section::State, "lock", "held by a running pass"),
        LockState::Unusable(reason) => Finding::failed(
            Section::State,
            "lock",
            reason,
            format!("This runs as {user}: run it as the user of the service, or as root."),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    fn ground(use_of_it: UseOfIt) -> Ground {
        Ground {
            folder: "/var/lib/petanotify".into(),
            use_of_it,
            free: Some(Free {
                bytes: 5 << 30,
                files: None,
            }),
        }
    }

    fn content() -> Content {
        Content {
            told: Ok("no pass yet".to_owned()),
            problems: Vec::new(),
        }
    }

    fn survey() -> Survey {
        Survey {
            first: ground(UseOfIt::Writable),
            second: None,
            lock: LockState::Free,
        }
    }

    fn told(findings: &[Finding]) -> Vec<String> {
        let line = |f: &Finding| format!("{:?} {}: {}", f.outcome, f.name, f.detail);
        findings.iter().map(line).collect()
    }

    #[test]
    fn all_is_well() {
        let lines = told(&judge(&survey(), &content(), "root"));
        assert_eq!(
            lines[..4],
            [
                "Ok folder: /var/lib/petanotify, writable",
                "Ok space: 5.00 GiB free",
                "Ok lock: free",
                "Ok content: no pass yet",
            ]
        );
        assert!(lines[4].starts_with("Ok second: none here"));
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_a_failure_and_the_second_place_a_warning() {
        let unusable = || UseOfIt::Unusable("no file can be written there: full".to_owned());
        let mut survey = survey();
        survey.first.use_of_it = unusable();
        survey.second = Some(ground(unusable()));
        let findings = judge(&survey, &content(), "petanotify");
        assert_eq!(findings[0].outcome, Outcome::Failed);
        let advice = findings[0].advice.as_deref().unwrap_or("");
        assert!(
            advice.contains("\n  chown petanotify /var/lib/petanotify\n"),
            "{advice}"
        );
        assert_eq!(findings[4].outcome, Outcome::Warning);
        survey.second = Some(ground(UseOfIt::CanBeMade));
        let findings = judge(&survey, &content(), "petanotify");
        assert_eq!(findings[4].outcome, Outcome::Ok);
    }

    #[test]
    fn scarce_room_is_a_warning() {
        for (bytes, files, outcome) in [
            (SCARCE_BYTES, None, Outcome::Ok),
            (SCARCE_BYTES - 1, None, Outcome::Warning),
            (SCARCE_BYTES, Some(SCARCE_FILES), Outcome::Ok),
            (SCARCE_BYTES, Some(SCARCE_FILES - 1), Outcome::Warning),
        ] {
            let mut survey = survey();
            survey.first.free = Some(Free { bytes, files });
            let space = judge(&survey, &content(), "root").remove(1);
            assert_eq!(space.outcome, outcome, "{bytes} {files:?}");
        }
        let mut survey = survey();
        survey.first.free = None;
        assert_eq!(
            judge(&survey, &content(), "root")[1].outcome,
            Outcome::Warning
        );
    }

    #[test]
    fn a_running_pass_is_fine_and_an_unreadable_state_is_not() {
        let mut survey = survey();
        survey.lock = LockState::Held;
        let unreadable = Content {
            told: Err("cannot read the state".to_owned()),
            problems: vec!["state.json is broken".to_owned()],
        };
        let findings = judge(&survey, &unreadable, "root");
        let outcomes: Vec<Outcome> = findings.iter().map(|f| f.outcome).collect();
        use Outcome::{Failed, Ok, Warning};
        assert_eq!(outcomes, [Ok, Ok, Ok, Failed, Warning, Ok]);
        survey.lock = LockState::Unusable("cannot open it".to_owned());
        assert_eq!(judge(&survey, &unreadable, "root")[2].outcome, Failed);
    }
}
