//! `petanotify status`: what is wrong now and since when, from the state file alone.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{Context, Done, Stop, print, print_json};
use crate::alert::{Memory, Outcome, State as CheckState};
use crate::check::CheckName;
use crate::cli::Json;
use crate::facts::{Absence, DownOsd, OsdId};
use crate::incident::{Down, Incident, age};
use crate::output::Style;
use crate::queue::Queue;
use crate::state::{LastPass, State};
use crate::text::fit;
use crate::wording;

/// Prints what the last pass found and what is pending.
///
/// # Errors
/// The state can't be read.
pub fn status(context: &Context, format: Json) -> Result<Done, Stop> {
    let loaded = context.store.read(context.now).map_err(Stop::State)?;
    for problem in loaded.problems {
        context.log.warning(problem);
    }
    if format.json {
        print_json(&Document::of(&loaded.state))?;
    } else {
        print(&text(&loaded.state, context))?;
    }
    Ok(Done::Complete)
}

/// The document of `status --json`.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    cluster: Option<&'a str>,
    last_pass: Option<&'a LastPass>,
    checks: Vec<Check<'a>>,
    incidents: Vec<&'a Incident>,
    down: DownNow<'a>,
    queue: Pending<'a>,
}

#[derive(Serialize)]
struct Check<'a> {
    name: CheckName,
    #[serde(flatten)]
    outcome: &'a Outcome,
}

#[derive(Serialize)]
struct DownNow<'a> {
    nodes: &'a BTreeMap<String, Down<Absence>>,
    osds: &'a BTreeMap<OsdId, Down<DownOsd>>,
}

#[derive(Serialize)]
struct Pending<'a> {
    pending: usize,
    oldest: Option<Timestamp>,
    last_error: Option<&'a str>,
}

impl<'a> Document<'a> {
    fn of(state: &'a State) -> Self {
        let memory = &state.memory;
        let outcomes = memory.outcomes.iter();
        Document {
            version: 1,
            cluster: state.cluster.as_deref(),
            last_pass: state.last_pass.as_ref(),
            checks: outcomes
                .map(|(&name, outcome)| Check { name, outcome })
                .collect(),
            incidents: incidents(memory).into_iter().flatten().collect(),
            down: DownNow {
                nodes: &memory.nodes.down,
                osds: &memory.osds.down,
            },
            queue: Pending {
                pending: state.queue.len(),
                oldest: oldest(&state.queue),
                last_error: last_error(&state.queue),
            },
        }
    }
}

fn incidents(memory: &Memory) -> [Option<&Incident>; 4] {
    [
        memory.capacity.incident.as_ref(),
        memory.nodes.incident.as_ref(),
        memory.osds.incident.as_ref(),
        memory.blind.incident.as_ref(),
    ]
}

fn oldest(queue: &Queue) -> Option<Timestamp> {
    queue.iter().map(|entry| entry.raised).min()
}

fn last_error(queue: &Queue) -> Option<&str> {
    let latest = queue.iter().max_by_key(|entry| entry.last_attempt)?;
    latest.last_error.as_deref()
}

/// Where the details of a check begin.
const INDENT: usize = 10;

/// So many things are listed for each check; `--json` has all.
const LISTED: usize = 40;

fn text(state: &State, context: &Context) -> String {
    let Some(last) = &state.last_pass else {
        return "No pass has been saved yet. The timer runs one every minute; by hand: petanotify check\n"
            .to_owned();
    };
    let style = &context.style;
    let mut text = String::new();
    if let Some(cluster) = &state.cluster {
        text.push_str(&style.bold(&format!("Cluster {}\n", wording::name(cluster))));
    }
    for (name, outcome) in &state.memory.outcomes {
        text.push_str(&format!(
            "{:<INDENT$}{}  {}\n",
            name,
            painted(style, outcome.state),
            since(outcome.since, context)
        ));
        for detail in details(*name, outcome, &state.memory, context) {
            let room = style.width.saturating_sub(INDENT);
            text.push_str(&format!("{:<INDENT$}{}\n", "", fit(&detail, room)));
        }
    }
    let ending = if last.complete {
        "complete"
    } else {
        "incomplete"
    };
    text.push_str(&format!(
        "{:<INDENT$}{} ago, took {} ms, {ending}\n",
        "last pass",
        wording::duration(age(last.started, context.now)),
        last.duration_ms
    ));
    let queue = queue_line(&state.queue, context);
    text.push_str(&format!(
        "{:<INDENT$}{}\n",
        "queue",
        fit(&queue, style.width.saturating_sub(INDENT))
    ));
    text
}

fn painted(style: &Style, state: CheckState) -> String {
    let word = format!("{:<7}", state.as_str());
    match state {
        CheckState::Ok => style.green(&word),
        CheckState::Alert => style.red(&word),
        CheckState::Unknown => style.yellow(&word),
    }
}

fn since(at: Timestamp, context: &Context) -> String {
    format!(
        "since {} ({})",
        wording::time(at, &context.zone),
        wording::duration(age(at, context.now))
    )
}

/// The lines below a check: what it found, what is down, why it could not be carried out.
fn details(name: CheckName, outcome: &Outcome, memory: &Memory, context: &Context) -> Vec<String> {
    let mut down: Vec<String> = match name {
        CheckName::Capacity => Vec::new(),
        CheckName::Nodes => (memory.nodes.down.iter())
            .map(|(node, down)| {
                let node = wording::name(node);
                format!("  {node}  {}  {}", down.what, since(down.since, context))
            })
            .collect(),
        CheckName::Osds => (memory.osds.down.iter())
            .map(|(id, down)| {
                let host = wording::osd_host(&down.what);
                let status = wording::name(&down.what.status);
                let out = if down.what.out { ", out" } else { "" };
                format!(
                    "  {id}  {host}  {status}{out}  {}",
                    since(down.since, context)
                )
            })
            .collect(),
    };
    if down.len() > LISTED {
        let more = down.len() - LISTED;
        down.truncate(LISTED);
        down.push(format!("  ... and {more} more"));
    }
    let mut details = vec![outcome.summary.clone()];
    details.append(&mut down);
    details.extend(outcome.error.clone());
    details
}

fn queue_line(queue: &Queue, context: &Context) -> String {
    let Some(oldest) = oldest(queue) else {
        return "no mail is pending".to_owned();
    };
    let pending = format!(
        "{} pending, the oldest for {}",
        wording::count(queue.len(), "mail"),
        wording::duration(age(oldest, context.now))
    );
    match last_error(queue) {
        Some(error) => format!("{pending}; last error: {error}"),
        None => pending,
    }
}
