//! The configuration file: which one counts, and what is odd about it.

use std::path::Path;

use super::{Finding, Section};

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
}
