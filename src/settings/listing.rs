//! What `config show` lists: the settings in their order, each found by its key. A file may name thousands of recipients.

use std::collections::HashMap;
use std::path::Path;
use std::slice;

use super::{Origin, Shown};

/// The lines of `config show`, each key once.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    lines: Vec<Shown>,
    /// Where the line of each key is.
    places: HashMap<String, usize>,
}

impl Listing {
    /// The lines in their order.
    pub fn iter(&self) -> slice::Iter<'_, Shown> {
        self.lines.iter()
    }

    /// The lines alone.
    pub(super) fn into_lines(self) -> Vec<Shown> {
        self.lines
    }

    /// Sets the line of a key, at its place if the key is there already.
    pub(super) fn set(&mut self, key: &str, value: Option<String>, origin: Origin) {
        let line = Shown {
            key: key.to_owned(),
            value,
            origin,
        };
        if let Some(place) = self.places.get(key) {
            self.lines[*place] = line;
        } else {
            self.places.insert(key.to_owned(), self.lines.len());
            self.lines.push(line);
        }
    }

    /// Where a setting came from.
    pub(super) fn origin(&self, key: &str) -> &Origin {
        let place = self.places.get(key);
        place.map_or(&Origin::Default, |place| &self.lines[*place].origin)
    }

    /// Names a setting by where its value stands: line, or environment variable.
    pub(super) fn place(&self, key: &str) -> String {
        match self.origin(key) {
            Origin::File { line } => format!("line {line}, {key}"),
            Origin::Environment(variable) => format!("${variable}"),
            Origin::Default | Origin::Option | Origin::Petasan => key.to_owned(),
        }
    }

    /// The same, with the file in front.
    pub(super) fn blame(&self, config_file: &Path, key: &str) -> String {
        let place = self.place(key);
        match self.origin(key) {
            Origin::File { .. } => format!("{}: {place}", config_file.display()),
            Origin::Default | Origin::Environment(_) | Origin::Option | Origin::Petasan => place,
        }
    }
}
