//! The TOML file as a document: values by dotted key, with the line of each, and the keys that nobody knows.

use std::path::Path;

use strsim::normalized_damerau_levenshtein;
use toml::de::{DeTable, DeValue};

use crate::text::one_line;

/// A parsed configuration file.
pub(super) struct Document<'a> {
    /// Where each line ends, in bytes.
    line_ends: Vec<usize>,
    root: DeTable<'a>,
    /// The file itself.
    pub(super) path: &'a Path,
    /// Its folder, where relative paths in the file start.
    pub(super) folder: &'a Path,
}

/// A value and where it stands.
pub(super) struct Located<'d, 'a> {
    pub(super) value: &'d DeValue<'a>,
    /// 1 is the first line.
    pub(super) line: usize,
}

impl<'a> Document<'a> {
    /// Parses TOML.
    ///
    /// # Errors
    /// Line, column and the parser's words.
    pub(super) fn parse(path: &'a Path, text: &'a str) -> Result<Self, String> {
        let line_ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
        let root = DeTable::parse(text).map_err(|error| {
            let span = error.span().unwrap_or_default();
            let before = text.get(..span.start).unwrap_or(text);
            let line = line_at(&line_ends, before.len());
            let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
            let mut message = format!("line {line}, column {column}: {}", error.message());
            // Names are quoted, but never values: one could be a password in the wrong place.
            if let (Some(name), "duplicate key") = (text.get(span), error.message()) {
                message.push_str(&format!(" {}", one_line(name)));
            }
            message
        })?;
        Ok(Document {
            line_ends,
            root: root.into_inner(),
            path,
            folder: path.parent().unwrap_or(Path::new("")),
        })
    }

    /// The value at a dotted key like `smtp.port` or `recipient[0].address`.
    pub(super) fn get(&self, key: &str) -> Option<Located<'_, 'a>> {
        let mut table = &self.root;
        let mut names = key.split('.').peekable();
        loop {
            let name = names.next()?;
            let (name, index) = match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
                Some((name, index)) => (name, Some(index.parse::<usize>().ok()?)),
                None => (name, None),
            };
            let (key, mut value) = table.get_key_value(name)?;
            let mut start = key.span().start;
            if let Some(index) = index {
                value = value.get_ref().as_array()?.get(index)?;
                start = value.span().start;
            }
            if names.peek().is_none() {
                return Some(Located {
                    value: value.get_ref(),
                    line: line_at(&self.line_ends, start),
                });
            }
            table = value.get_ref().as_table()?;
        }
    }

    /// Every key and section that is none of `known`, by line, with what is wrong about it.
    ///
    /// `known` are dotted keys; a section that stands in double brackets is followed by `[]`, as in `recipient[].address`.
    pub(super) fn unknown(&self, known: &[&str]) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        self.unknown_in(&self.root, "", known, &mut found);
        found
    }

    fn unknown_in(
        &self,
        table: &DeTable<'a>,
        section: &str,
        known: &[&str],
        found: &mut Vec<(usize, String)>,
    ) {
        for (name, value) in table {
            let line = line_at(&self.line_ends, name.span().start);
            let name = name.get_ref().as_ref();
            let key = join(section, name);
            let is_known = known.contains(&key.as_str());
            let is_section = known.iter().any(|known| is_inside(known, &key));
            let list = format!("{key}[]");
            let is_list = known.iter().any(|known| is_inside(known, &list));
            match value.get_ref() {
                // "smtp.port" in quotes is one name with a dot in it, not the key port of the section smtp.
                _ if name.contains('.') && (is_known || is_section) => {
                    found.push((line, format!("write {key} without quotes")));
                }
                _ if is_known => {}
                DeValue::Table(table) if is_section => self.unknown_in(table, &key, known, found),
                _ if is_section => found.push((line, format!("{key} is a section; write [{key}]"))),
                value if is_list => match tables_of(value) {
                    Some(tables) => {
                        for table in tables {
                            self.unknown_in(table, &list, known, found);
                        }
                    }
                    None => found.push((line, format!("write [[{key}]], in double brackets"))),
                },
                value => {
                    let is_key = !value.is_table() && tables_of(value).is_none_or(|t| t.is_empty());
                    let kind = if is_key { "key" } else { "section" };
                    let advice =
                        inline_secret(name).unwrap_or_else(|| nearest(section, name, known));
                    let key = one_line(&key.replace("[]", ""));
                    found.push((line, format!("unknown {kind} {key}; {advice}")));
                }
            }
        }
    }
}

/// The tables of a list that holds nothing else.
pub(super) fn tables_of<'d, 'a>(value: &'d DeValue<'a>) -> Option<Vec<&'d DeTable<'a>>> {
    let entries = value.as_array()?.iter();
    entries.map(|entry| entry.get_ref().as_table()).collect()
}

fn line_at(line_ends: &[usize], start: usize) -> usize {
    line_ends.partition_point(|end| *end < start) + 1
}

fn join(section: &str, name: &str) -> String {
    if section.is_empty() {
        name.to_owned()
    } else {
        format!("{section}.{name}")
    }
}

fn is_inside(key: &str, section: &str) -> bool {
    key.strip_prefix(section)
        .is_some_and(|rest| rest.starts_with('.'))
}

/// Passwords and tokens have no key of their own: more people get to see this file than may know them.
fn inline_secret(name: &str) -> Option<String> {
    let file_key = match name {
        "password" | "passwd" | "pass" => "smtp.password_file",
        "token" => "consul.token_file",
        _ => return None,
    };
    Some(format!(
        "a secret does not belong into a file that is shown and copied: write it into a file of its own, chmod 600, \
         and name that in {file_key}"
    ))
}

/// Names the known key or section that is most like the unknown one, in the same section rather than elsewhere.
fn nearest(section: &str, name: &str, known: &[&str]) -> String {
    let sections = known.iter().flat_map(|key| {
        let dots = key.match_indices('.').map(|(dot, _)| dot);
        dots.map(|dot| &key[..dot])
    });
    let mut best = (f64::MIN, "", "");
    for candidate in known.iter().copied().chain(sections) {
        let (candidate_section, candidate_name) =
            candidate.rsplit_once('.').unwrap_or(("", candidate));
        let bonus = if candidate_section == section {
            0.3
        } else {
            0.0
        };
        let score = normalized_damerau_levenshtein(name, candidate_name) + bonus;
        if score > best.0 {
            best = (score, candidate_section, candidate_name);
        }
    }
    let (_, best_section, best_name) = best;
    let best = if best_section == section {
        best_name.to_owned()
    } else {
        join(best_section, best_name)
    };
    format!("did you mean {}?", best.replace("[]", ""))
}
