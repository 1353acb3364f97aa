//! What `config check` finds: one line each, with what to do under what is not right. Pure: the edges have looked, here it is
//! judged and worded.

pub mod ceph;
pub mod clock;
pub mod config;
pub mod consul;
pub mod ha;
pub mod hosts;
pub mod mail;
pub mod state;
pub mod timer;

use std::fmt;

use serde::Serialize;

use crate::output::Style;
use crate::text::{one_line, wrap};
use crate::wording;

/// How something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should be.
    Ok,
    /// It works, and an admin should look at it all the same.
    Warning,
    /// It does not work.
    Failed,
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// The configuration file.
    Config,
    /// The `ceph` command and what it needs.
    Ceph,
    /// The Consul agent.
    Consul,
    /// Which of several nodes speaks, and what they share.
    Ha,
    /// What PetaSAN's own settings fill in.
    Petasan,
    /// The mail servers and the recipients.
    Mail,
    /// The state file's folder.
    State,
    /// The clock.
    Clock,
    /// What starts the passes, and as whom.
    Timer,
}

impl Section {
    fn as_str(self) -> &'static str {
        match self {
            Section::Config => "config",
            Section::Ceph => "ceph",
            Section::Consul => "consul",
            Section::Ha => "ha",
            Section::Petasan => "petasan",
            Section::Mail => "mail",
            Section::State => "state",
            Section::Clock => "clock",
            Section::Timer => "timer",
        }
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub section: Section,
    /// What of it, in a word or two.
    pub name: &'static str,
    /// How it was found.
    pub outcome: Outcome,
    /// What was found.
    pub detail: String,
    /// What to do about it. Lines that begin with two blanks are to be typed or written as they stand.
    pub advice: Option<String>,
}

impl Finding {
    /// As it should be.
    pub fn ok(section: Section, name: &'static str, detail: impl Into<String>) -> Finding {
        Finding {
            section,
            name,
            outcome: Outcome::Ok,
            detail: one_line(&detail.into()),
            advice: None,
        }
    }

    /// It works, and an admin should look at it all the same.
    pub fn warning(
        section: Section,
        name: &'static str,
        detail: impl Into<String>,
        advice: impl Into<String>,
    ) -> Finding {
        Finding {
            outcome: Outcome::Warning,
            advice: Some(sentence(advice.into())),
            ..Finding::ok(section, name, detail)
        }
    }

    /// It does not work.
    pub fn failed(
        section: Section,
        name: &'static str,
        detail: impl Into<String>,
        advice: impl Into<String>,
    ) -> Finding {
        Finding {
            outcome: Outcome::Failed,
            ..Finding::warning(section, name, detail, advice)
        }
    }
}

/// Advice begins like a sentence, unless with the name of a setting.
fn sentence(advice: String) -> String {
    let word = advice.split_whitespace().next().unwrap_or_default();
    let mut chars = advice.chars();
    match chars.next() {
        Some(first) if word.chars().all(|c| c.is_ascii_lowercase() || c == ',') => {
            first.to_uppercase().chain(chars).collect()
        }
        _ => advice,
    }
}

/// Where the name of a finding and its detail begin.
const NAME_COLUMN: usize = 9;
const DETAIL_COLUMN: usize = 11;

/// Advice stands below a line, so far in.
const ADVICE_INDENT: usize = 4;

/// Narrower than this, a detail is not broken into lines: the terminal does that as well.
const NARROWEST: usize = 24;

/// A finding as it is printed, with its line breaks. `before` is the one printed before it: the same advice is not given
/// twice in a row. Long lines are broken if `wrapped` is set, but not those that are to be typed.
pub fn printed(
    finding: &Finding,
    before: Option<&Finding>,
    style: &Style,
    wrapped: bool,
) -> String {
    let (mark, mark_columns) = mark(finding.outcome, style);
    let head = format!(
        "{:<NAME_COLUMN$}{:<DETAIL_COLUMN$}",
        finding.section, finding.name
    );
    let indent = mark_columns + head.chars().count();
    let room = style.width.saturating_sub(indent);
    let lines = match wrapped && room >= NARROWEST {
        true => wrap(&finding.detail, room),
        false => vec![finding.detail.clone()],
    };
    let detail = lines.join(&format!("\n{:indent$}", ""));
    let mut text = format!("{mark}{head}{detail}\n");
    let Some(advice) = &finding.advice else {
        return text;
    };
    let repeated = before.is_some_and(|before| before.advice.as_ref() == Some(advice));
    let advice = match repeated {
        true => "The same as above.",
        false => advice,
    };
    let room = style.width.saturating_sub(ADVICE_INDENT);
    for line in advice.lines() {
        let lines = match wrapped && room >= NARROWEST && !line.starts_with("  ") {
            true => wrap(line, room),
            false => vec![line.to_owned()],
        };
        for line in lines {
            text.push_str(&format!("{:ADVICE_INDENT$}{line}\n", ""));
        }
    }
    text
}

/// What a line begins with, and how many columns that takes.
fn mark(outcome: Outcome, style: &Style) -> (String, usize) {
    let (sign, word) = match outcome {
        Outcome::Ok => ("✓", "ok"),
        Outcome::Warning => ("!", "warning"),
        Outcome::Failed => ("✗", "failed"),
    };
    let (text, columns) = match style.unicode {
        true => (format!("{sign} "), 2),
        false => (format!("{word:<9}"), 9),
    };
    let painted = match outcome {
        Outcome::Ok => style.green(&text),
        Outcome::Warning => style.yellow(&text),
        Outcome::Failed => style.red(&text),
    };
    (painted, columns)
}

/// The last line: how many were found how.
pub fn sum(findings: &[Finding], style: &Style) -> String {
    let number = |outcome| findings.iter().filter(|f| f.outcome == outcome).count();
    let (ok, warnings, failed) = (
        number(Outcome::Ok),
        number(Outcome::Warning),
        number(Outcome::Failed),
    );
    let text = format!(
        "{failed} failed, {}, {ok} ok",
        wording::count(warnings, "warning")
    );
    let painted = match (failed, warnings) {
        (0, 0) => style.green(&text),
        (0, _) => style.yellow(&text),
        _ => style.red(&text),
    };
    format!("{painted}\n")
}

/// Whether nothing failed.
pub fn is_ok(findings: &[Finding]) -> bool {
    findings.iter().all(|f| f.outcome != Outcome::Failed)
}

/// A word for the shell, in quotes where it needs them.
pub fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style = Style {
        color: false,
        unicode: false,
        width: 60,
        height: 24,
    };

    fn no_key() -> Finding {
        Finding::failed(
            Section::Ceph,
            "key",
            "there is no keyring at /etc/ceph/ceph.client.petanotify.keyring",
            "On a node that has Ceph's admin key, which is usually a monitor's, run:\n  \
             ceph auth get-or-create client.petanotify mon 'allow r' -o /etc/ceph/key",
        )
    }

    #[test]
    fn a_line_is_marked_aligned_and_followed_by_what_to_do() {
        let unicode = Style {
            unicode: true,
            ..PLAIN
        };
        let found = Finding::ok(Section::Ceph, "binary", "/usr/bin/ceph, version 16.2.15");
        assert_eq!(
            printed(&found, None, &unicode, false),
            "✓ ceph     binary     /usr/bin/ceph, version 16.2.15\n"
        );
        assert_eq!(
            printed(&found, None, &PLAIN, false),
            "ok       ceph     binary     /usr/bin/ceph, version 16.2.15\n"
        );
        assert_eq!(
            printed(&no_key(), None, &unicode, false),
            "✗ ceph     key        there is no keyring at /etc/ceph/ceph.client.petanotify.keyring\n    \
             On a node that has Ceph's admin key, which is usually a monitor's, run:\n      \
             ceph auth get-or-create client.petanotify mon 'allow r' -o /etc/ceph/key\n"
        );
    }

    #[test]
    fn on_a_terminal_words_are_wrapped_and_commands_are_not() {
        let unicode = Style {
            unicode: true,
            ..PLAIN
        };
        assert_eq!(
            printed(&no_key(), None, &unicode, true),
            "✗ ceph     key        there is no keyring at\n                      \
             /etc/ceph/ceph.client.petanotify.keyring\n    \
             On a node that has Ceph's admin key, which is usually a\n    \
             monitor's, run:\n      \
             ceph auth get-or-create client.petanotify mon 'allow r' -o /etc/ceph/key\n"
        );
    }

    #[test]
    fn the_same_advice_is_not_given_twice_in_a_row() {
        let again = printed(&no_key(), Some(&no_key()), &PLAIN, false);
        assert!(
            again.ends_with("keyring\n    The same as above.\n"),
            "{again}"
        );
    }

    #[test]
    fn colours_follow_the_outcome() {
        let color = Style {
            color: true,
            unicode: true,
            ..PLAIN
        };
        let text = printed(&no_key(), None, &color, false);
        assert!(text.starts_with("\x1b[31m✗ \x1b[0mceph"), "{text:?}");
        let findings = [no_key(), Finding::ok(Section::Clock, "clock", "right")];
        assert_eq!(
            sum(&findings, &color),
            "\x1b[31m1 failed, 0 warnings, 1 ok\x1b[0m\n"
        );
        assert_eq!(
            sum(&findings[1..], &color),
            "\x1b[32m0 failed, 0 warnings, 1 ok\x1b[0m\n"
        );
    }

    #[test]
    fn advice_is_a_sentence() {
        for (advice, told) in [
            ("check smtp.host", "Check smtp.host"),
            ("smtp.verify is off", "smtp.verify is off"),
            ("`ceph auth` helps", "`ceph auth` helps"),
            ("", ""),
        ] {
            assert_eq!(sentence(advice.to_owned()), told);
        }
    }

    #[test]
    fn a_warning_is_no_failure() {
        let warning = Finding::warning(Section::Timer, "timer", "not started", "start it");
        assert!(is_ok(std::slice::from_ref(&warning)));
        assert!(!is_ok(&[warning, no_key()]));
    }

    #[test]
    fn words_for_the_shell_are_quoted_where_they_must_be() {
        for (word, quoted) in [
            ("/etc/ceph/a.keyring", "/etc/ceph/a.keyring"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
            ("$(x)", "'$(x)'"),
        ] {
            assert_eq!(shell_word(word), quoted);
        }
    }
}
