//! `petanotify ack`: somebody knows of an incident, and nobody needs to be told of it again.

use serde::Serialize;

use super::share::Purpose;
use super::{Context, Done, Stop, load_to_change, print, print_json, save, user};
use crate::alert::{Memory, Topic};
use crate::cli;
use crate::incident::{Ack, Incident};
use crate::message::standing::elsewhere;
use crate::standing::open_incidents;
use crate::wording;
use crate::words::{Language, Words};

/// Acknowledges open incidents, or takes that back. If one that is named is not open, nothing is changed.
///
/// # Errors
/// See [`Stop`]: the lock can't be had, the state not be read or written.
pub fn ack(context: &Context, options: &cli::Ack) -> Result<Done, Stop> {
    let (mut change, mut state) = load_to_change(context, Purpose::Change)?;
    let topics = match select(&state.memory, &options.incidents) {
        Ok(topics) => topics,
        Err(unknown) => {
            let open = open(&state.memory);
            let open: Vec<String> = open.into_iter().map(|(_, line)| line).collect();
            let open = match open.is_empty() {
                true => "none is open".to_owned(),
                false => format!("open: {}", open.join("; ")),
            };
            for name in unknown {
                let name = wording::name(name);
                let cause = format!("nothing was acknowledged: no open incident is called {name}");
                context.log.error(format!("{cause}; {open}"));
            }
            return Ok(Done::Incomplete);
        }
    };
    let ack = (!options.undo).then(|| Ack {
        at: context.now,
        why: options.why.clone(),
        by: user(context),
    });
    for topic in &topics {
        state.memory.acknowledge(*topic, ack.clone());
    }
    if !topics.is_empty() {
        save(context, &mut change, &mut state)?;
    }
    let memory = &state.memory;
    if options.format.json {
        print_json(&Document {
            version: 1,
            incidents: (topics.iter())
                .filter_map(|topic| memory.incident(*topic))
                .collect(),
        })?;
    } else if topics.is_empty() {
        print("No incident is open.\n")?;
    } else {
        let done = if options.undo {
            "no longer acknowledged"
        } else {
            "acknowledged"
        };
        let lines = open(memory).into_iter();
        let lines = lines.filter(|(topic, _)| topics.contains(topic));
        let lines = lines.map(|(_, line)| format!("{done}: {line}\n"));
        print(&lines.collect::<String>())?;
    }
    Ok(Done::Complete)
}

/// The open incidents, each with its id and what it is about.
fn open(memory: &Memory) -> Vec<(Topic, String)> {
    let english = Words::of(Language::English);
    let lines = open_incidents(memory).into_iter();
    let lines = lines.filter_map(|(topic, about)| {
        let incident = memory.incident(topic)?;
        let about = elsewhere(&english, &about);
        Some((topic, format!("{}, {about}", incident.id)))
    });
    lines.collect()
}

/// The topics of the incidents that are named, by topic or by id; of all that are open where none is named.
///
/// # Errors
/// The names that no open incident has.
fn select<'a>(memory: &Memory, wanted: &'a [String]) -> Result<Vec<Topic>, Vec<&'a str>> {
    let open = Topic::ALL.into_iter();
    let open: Vec<(Topic, &Incident)> = open
        .filter_map(|topic| Some((topic, memory.incident(topic)?)))
        .collect();
    let is_called = |(topic, incident): &(Topic, &Incident), name: &String| {
        incident.id == *name || topic.as_str() == name
    };
    let unknown = (wanted.iter()).filter(|name| !open.iter().any(|open| is_called(open, name)));
    let unknown: Vec<&str> = unknown.map(String::as_str).collect();
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let is_meant = |open: &&(Topic, &Incident)| {
        wanted.is_empty() || wanted.iter().any(|name| is_called(open, name))
    };
    Ok(open
        .iter()
        .filter(is_meant)
        .map(|(topic, _)| *topic)
        .collect())
}

/// The document of `ack --json`.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    incidents: Vec<&'a Incident>,
}
