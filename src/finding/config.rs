//! The configuration file: which one counts, and what is odd about it.

use std::path::Path;

use super::{Finding, Section};
use crate::wording;
use crate::words::{Language, Replaced};

/// The findings. `warnings` are those of loading the settings.
pub fn judge(file: Option<&Path>, warnings: &[String]) -> Vec<Finding> {
    let read = match file {
        Some(file) => file.display().to_string(),
        None => "no file: the defaults and PetaSAN's settings count".to_owned(),
    };
    let mut findings = vec![Finding::ok(Section::Config, "file", read)];
    for warning in warnings {
        findings.push(match warning.split_once("; run: ") {
            Some((what, command)) => {
                Finding::warning(Section::Config, "file", what, format!("Run:\n  {command}"))
            }
            None => {
                let show = "Where each setting comes from:\n  petanotify config show";
                Finding::warning(Section::Config, "file", warning, show)
            }
        });
    }
    findings
}

/// What comes of the admin's own wording of mails in this language: how much of it is used, or why not.
pub fn judge_templates(
    file: &Path,
    language: Language,
    found: Result<Replaced, String>,
) -> Vec<Finding> {
    let warning = |detail: String| {
        let advice = format!(
            "Until then petanotify's own wording takes its place. All messages, to begin with:\n  \
             petanotify config templates --language {}",
            language.as_str()
        );
        Finding::warning(Section::Config, "templates", detail, advice)
    };
    let file = file.display();
    match found {
        Err(why) => vec![warning(why)],
        Ok(found) => {
            let used = match found.messages {
                0 => "replaces no message".to_owned(),
                number => format!("replaces {}", wording::count(number, "message")),
            };
            let used = Finding::ok(Section::Config, "templates", format!("{file} {used}"));
            let problems = found.problems.iter();
            let problems = problems.map(|problem| warning(format!("{file}: {problem}")));
            std::iter::once(used).chain(problems).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    #[test]
    fn the_file_is_named_and_each_warning_is_a_line() {
        let found = judge(None, &[]);
        assert_eq!(found.len(), 1);
        assert!(found[0].detail.starts_with("no file"));

        let warnings = [
            "everybody on this machine may read /p; run: chmod 600 /p".to_owned(),
            "/c: line 3, consul.verify: Consul's certificate is not verified".to_owned(),
        ];
        let found = judge(Some(Path::new("/c")), &warnings);
        assert_eq!(found[0].detail, "/c");
        assert_eq!(found[1].outcome, Outcome::Warning);
        assert_eq!(found[1].detail, "everybody on this machine may read /p");
        assert_eq!(found[1].advice.as_deref(), Some("Run:\n  chmod 600 /p"));
        assert!(found[2].detail.contains("consul.verify"));
    }

    #[test]
    fn each_mistake_in_the_wording_of_mails_is_a_line() {
        let file = Path::new("/t/en.ftl");
        let found = |text: &str| {
            let replaced = crate::words::replaced(text, Language::English);
            judge_templates(file, Language::English, Ok(replaced))
        };
        let fine = found("osds = disks");
        assert_eq!(fine.len(), 1, "{fine:?}");
        assert_eq!(fine[0].detail, "/t/en.ftl replaces 1 message");
        let wrong = found("osds = disks\nosdz = disks\nminutes = { $m }");
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        assert_eq!(
            wrong[1].detail,
            "/t/en.ftl: there is no message osdz; the nearest is osds"
        );
        assert_eq!(wrong[2].outcome, Outcome::Warning);
        let missing = judge_templates(file, Language::English, Err("cannot use it".to_owned()));
        assert_eq!(missing[0].detail, "cannot use it");
        let advice = missing[0].advice.as_deref().unwrap();
        assert!(advice.ends_with("\n  petanotify config templates --language en"));
    }
}
