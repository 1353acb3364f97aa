//! Takes one setting after the other: from the file, else from its environment variable, else the default.
//!
//! On the way it notes what `config show` lists, which keys are known and everything that is wrong, so that none of these
//! needs a list of its own.

use std::borrow::Cow;
use std::path::PathBuf;

use toml::de::DeValue;

use super::Origin;
use super::environment::Environment;
use super::file::{Document, tables_of};
use super::listing::Listing;
use super::value::{Written, flag, flag_word, text};

/// Where settings are taken from, and what was noted on the way.
pub(super) struct Keys<'a> {
    document: &'a Document<'a>,
    environment: &'a Environment,
    known: Vec<String>,
    shown: Listing,
    warnings: Vec<String>,
    problems: Vec<Problem>,
}

struct Problem {
    /// `None` when it is none of the file's.
    line: Option<usize>,
    text: String,
}

impl<'a> Keys<'a> {
    pub(super) fn new(document: &'a Document<'a>, environment: &'a Environment) -> Self {
        Keys {
            document,
            environment,
            known: Vec::new(),
            shown: Listing::default(),
            warnings: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// A setting of the file that may be absent.
    pub(super) fn optional<T: Written>(
        &mut self,
        key: &str,
        convert: impl Fn(&DeValue) -> Result<T, String>,
    ) -> Option<T> {
        self.take(key, None, convert, None)
    }

    /// A setting of the file with a default.
    pub(super) fn with_default<T: Written + Clone>(
        &mut self,
        key: &str,
        convert: impl Fn(&DeValue) -> Result<T, String>,
        default: T,
    ) -> T {
        self.take(key, None, convert, Some(default.clone()))
            .unwrap_or(default)
    }

    /// A path of the file, relative to the file's folder, or of an environment variable, relative to the current one.
    pub(super) fn path(&mut self, key: &str, variable: Option<&str>) -> Option<PathBuf> {
        let folder = match self.document.get(key) {
            Some(_) => self.document.folder.to_owned(),
            None => PathBuf::new(),
        };
        self.take(key, variable, |value| Ok(folder.join(text(value)?)), None)
    }

    /// A flag of the file, else of an environment variable.
    pub(super) fn flag(&mut self, key: &str, variable: Option<&str>, default: bool) -> bool {
        let convert = match self.document.get(key) {
            Some(_) => flag,
            None => flag_word,
        };
        self.take(key, variable, convert, Some(default))
            .unwrap_or(default)
    }

    /// A setting of the file, else of an environment variable, else the default.
    pub(super) fn take<T: Written>(
        &mut self,
        key: &str,
        variable: Option<&str>,
        convert: impl Fn(&DeValue) -> Result<T, String>,
        default: Option<T>,
    ) -> Option<T> {
        self.note_known(key);
        let from_environment = variable.and_then(|name| {
            let text = self.environment.text(name)?;
            Some((name, DeValue::String(Cow::Owned(text))))
        });
        let (converted, origin) = match (self.document.get(key), &from_environment) {
            (Some(found), _) => (convert(found.value), Origin::File { line: found.line }),
            (None, Some((name, value))) => {
                (convert(value), Origin::Environment((*name).to_owned()))
            }
            (None, None) => {
                self.show(key, default.as_ref().map(Written::written), Origin::Default);
                return default;
            }
        };
        match converted {
            Ok(value) => {
                self.show(key, Some(value.written()), origin);
                Some(value)
            }
            Err(message) => {
                self.show(key, None, origin);
                self.reject(key, &message);
                None
            }
        }
    }

    /// A setting without which its `section` makes no sense.
    pub(super) fn required<T: Written>(
        &mut self,
        key: &str,
        section: &str,
        convert: impl Fn(&DeValue) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.optional(key, convert);
        self.require(key, section);
        value
    }

    /// Notes that a key is missing without which its `section` makes no sense, if it is.
    pub(super) fn require(&mut self, key: &str, section: &str) {
        if let (None, Some(found)) = (self.document.get(key), self.document.get(section)) {
            self.show(key, None, Origin::File { line: found.line });
            self.reject(key, "is missing");
        }
    }

    /// How many tables a list like `[[recipient]]` has; `names` are the keys of each.
    pub(super) fn entries(&mut self, key: &str, names: &[&str]) -> usize {
        for name in names {
            self.note_known(&format!("{key}[].{name}"));
        }
        let tables = self
            .document
            .get(key)
            .and_then(|found| tables_of(found.value));
        if tables.is_none() {
            self.show(key, None, Origin::Default);
        }
        tables.map_or(0, |tables| tables.len())
    }

    /// Lists a setting that is in force in another way than from its own key.
    pub(super) fn show(&mut self, key: &str, value: Option<String>, origin: Origin) {
        self.shown.set(key, value, origin);
    }

    /// Whether the file says anything about a key.
    pub(super) fn is_in_file(&self, key: &str) -> bool {
        self.document.get(key).is_some()
    }

    /// Notes what an admin should know about a setting but what stops nothing.
    pub(super) fn warn(&mut self, key: &str, message: &str) {
        let warning = format!("{}: {message}", self.shown.blame(self.document.path, key));
        self.warnings.push(warning);
    }

    /// Notes that the value of a key can't be used.
    pub(super) fn reject(&mut self, key: &str, message: &str) {
        let problem = Problem {
            line: match self.shown.origin(key) {
                Origin::File { line } => Some(*line),
                Origin::Default | Origin::Environment(_) | Origin::Option | Origin::Petasan => None,
            },
            text: format!("{}: {message}", self.shown.place(key)),
        };
        self.problems.push(problem);
    }

    /// Whether nothing was wrong so far; comparing settings with each other makes sense only then.
    pub(super) fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// What `config show` lists, and the warnings.
    ///
    /// # Errors
    /// All that was wrong, in the order of the lines, unknown keys among it.
    pub(super) fn finish(mut self) -> Result<(Listing, Vec<String>), String> {
        let known: Vec<&str> = self.known.iter().map(String::as_str).collect();
        for (line, message) in self.document.unknown(&known) {
            self.problems.push(Problem {
                line: Some(line),
                text: format!("line {line}: {message}"),
            });
        }
        if self.problems.is_empty() {
            return Ok((self.shown, self.warnings));
        }
        self.problems.sort_by_key(|problem| problem.line);
        let subject = match self.problems.iter().any(|problem| problem.line.is_some()) {
            true => self.document.path.display().to_string(),
            false => "the environment".to_owned(),
        };
        let texts: Vec<String> = self
            .problems
            .into_iter()
            .map(|problem| problem.text)
            .collect();
        Err(format!("cannot use {subject}: {}", texts.join("; and ")))
    }

    fn note_known(&mut self, key: &str) {
        let known = match (key.split_once('['), key.split_once(']')) {
            (Some((list, _)), Some((_, name))) => format!("{list}[]{name}"),
            _ => key.to_owned(),
        };
        if !self.known.contains(&known) {
            self.known.push(known);
        }
    }
}
