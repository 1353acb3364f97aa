//! The accounts of a test: what was ever queued, what arrived how often, and so what is lost, repeated or told twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use mailparse::MailHeaderMap;
use serde::Deserialize;

use crate::relay::Mail;

/// An incident's mails to one recipient.
type Thread = (String, String);

/// What there is to know of a mail.
pub(crate) struct Note {
    /// What the last line says: `incident ID, mail NUMBER`.
    pub(crate) incident: String,
    number: u32,
    pub(crate) to: String,
    id: String,
    pub(crate) subject: String,
    text: String,
}

impl Note {
    pub(crate) fn of(mail: &Mail) -> Self {
        let parsed = mail.parsed();
        let header = |name: &str| parsed.headers.get_first_value(name).unwrap();
        let text = mail.text();
        let last = text.lines().rfind(|line| line.starts_with("incident "));
        let last = last.unwrap_or_else(|| panic!("no incident in the mail:\n{text}"));
        let (incident, number) = last["incident ".len()..].split_once(", mail ").unwrap();
        let [to] = mail.to.as_slice() else {
            panic!("one recipient each, not {:?}", mail.to);
        };
        Self {
            incident: incident.to_owned(),
            number: number.parse().unwrap(),
            to: to.clone(),
            id: header("Message-ID"),
            subject: header("Subject"),
            text,
        }
    }
}

/// What counts of a state file, read without the program's own code.
#[derive(Deserialize)]
struct Queued {
    queue: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    alert: Alert,
    to: String,
}

#[derive(Deserialize)]
struct Alert {
    incident: String,
    sequence: u32,
}

/// The accounts.
#[derive(Default)]
pub(crate) struct Ledger {
    /// The number of the last mail of each thread that a state file has ever held.
    queued: BTreeMap<Thread, u32>,
    /// The number of the last one that arrived, and all its texts.
    arrived: BTreeMap<Thread, (u32, String)>,
    /// How often each `Message-ID` arrived.
    ids: BTreeMap<String, usize>,
    /// What is to be told to everybody of each incident.
    owed: BTreeMap<String, BTreeSet<String>>,
}

impl Ledger {
    /// Notes a mail that arrived.
    pub(crate) fn receive(&mut self, note: Note) {
        *self.ids.entry(note.id).or_default() += 1;
        let thread = self.arrived.entry((note.incident, note.to));
        let (last, texts) = thread.or_default();
        *last = note.number.max(*last);
        texts.push_str(&note.text);
    }

    /// Notes the mails that wait in a state file and its backup, those included that are sent already and only noted beside them.
    pub(crate) fn look_into(&mut self, state: &Path) {
        for suffix in ["", ".bak"] {
            let file = format!("{}{suffix}", state.display());
            let Ok(bytes) = fs::read(file) else { continue };
            let state: Queued = serde_json::from_slice(&bytes).unwrap();
            for entry in state.queue {
                let last = self.queued.entry((entry.alert.incident, entry.to));
                let last = last.or_default();
                // Mails are counted from 1, alerts from 0.
                *last = (entry.alert.sequence + 1).max(*last);
            }
        }
    }

    /// Everybody is to be told of these in that incident.
    pub(crate) fn owe(&mut self, incident: &str, things: impl Iterator<Item = String>) {
        let owed = self.owed.entry(incident.to_owned()).or_default();
        owed.extend(things);
    }

    /// What has never arrived: mails that were queued, if neither they arrived nor a later one of their incident that has
    /// overtaken them; and things that are in no mail of their incident.
    pub(crate) fn lost(&self, recipients: &[String]) -> Vec<String> {
        let mut lost = Vec::new();
        for ((incident, to), number) in &self.queued {
            let thread = (incident.clone(), to.clone());
            if self
                .arrived
                .get(&thread)
                .is_none_or(|(last, _)| last < number)
            {
                lost.push(format!("mail {number} of {incident} to {to}"));
            }
        }
        for (incident, things) in &self.owed {
            for to in recipients {
                let thread = (incident.clone(), to.clone());
                let text = self.arrived.get(&thread).map_or("", |(_, text)| text);
                let untold = things.iter().filter(|thing| !text.contains(*thing));
                lost.extend(untold.map(|thing| format!("{thing} of {incident} to {to}")));
            }
        }
        lost
    }

    /// How many mails came more than once, each counted as often as it came too often.
    pub(crate) fn repeats(&self) -> usize {
        self.ids.values().map(|times| times - 1).sum()
    }

    /// How many different mails arrived.
    pub(crate) fn distinct(&self) -> usize {
        self.ids.len()
    }

    /// The incidents that mails have told of.
    pub(crate) fn incidents(&self) -> BTreeSet<&str> {
        self.arrived.keys().map(|(id, _)| id.as_str()).collect()
    }
}
