//! `petanotify status`: what is wrong now and since when, from the state file alone.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::share::Share;
use super::{Context, Done, Stop, print, print_json, read_to_look, silence};
use crate::alert::{Memory, Outcome};
use crate::check::CheckName;
use crate::check::capacity::Reading;
use crate::check::growth::Growth;
use crate::cli::Json;
use crate::facts::{self, Absence, DownOsd, HealthCheck, OsdId};
use crate::incident::{Down, Incident};
use crate::screen::{self, View};
use crate::state::{LastPass, State};

/// Prints what the last pass found and what is pending.
///
/// # Errors
/// The state can't be read.
pub fn status(context: &Context, format: Json) -> Result<Done, Stop> {
    let (mut state, share) = read_to_look(context)?;
    // Of the passes of the node that speaks not each is published: that this one's timer runs, its own passes tell.
    if let (Some(last), Some(own)) = (
        &mut state.last_pass,
        share.as_deref().and_then(Share::last_pass),
    ) {
        last.started = last.started.max(own);
    }
    let nodes = share.as_deref().map(Nodes::of);
    if format.json {
        print_json(&Document {
            nodes,
            ..Document::of(&state, context.now)
        })?;
    } else {
        let view = View {
            style: context.style,
            zone: context.zone.clone(),
            now: context.now,
            file: context.store.file().to_owned(),
            voice: share.as_deref().map(Share::voice).unwrap_or_default(),
        };
        print(&screen::draw(&state, &view))?;
    }
    Ok(Done::Complete)
}

/// The document of `status --json`.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    cluster: Option<&'a str>,
    /// Where several nodes share it.
    #[serde(skip_serializing_if = "Option::is_none")]
    nodes: Option<Nodes<'a>>,
    last_pass: Option<&'a LastPass>,
    checks: Vec<Check<'a>>,
    capacity: Option<&'a Reading>,
    growth: Option<Growth>,
    incidents: Vec<&'a Incident>,
    silences: Vec<silence::Document<'a>>,
    maintenance: Maintenance<'a>,
    down: DownNow<'a>,
    flapping: DownNow<'a>,
    queue: Pending<'a>,
}

/// Who of several nodes speaks.
#[derive(Serialize)]
struct Nodes<'a> {
    /// Who tells this.
    this: &'a str,
    speaker: Option<&'a str>,
    /// Seconds that the clock of the node that last published is ahead of this one's at the least.
    clock_ahead: Option<i64>,
}

impl<'a> Nodes<'a> {
    fn of(share: &'a Share) -> Self {
        Nodes {
            this: share.node(),
            speaker: share.speaker(),
            clock_ahead: share.skew().map(|skew| skew.seconds),
        }
    }
}

#[derive(Serialize)]
struct Maintenance<'a> {
    #[serde(flatten)]
    what: &'a facts::Maintenance,
    noout_since: Option<Timestamp>,
}

#[derive(Serialize)]
struct Check<'a> {
    name: CheckName,
    #[serde(flatten)]
    outcome: &'a Outcome,
}

#[derive(Serialize)]
struct DownNow<'a> {
    nodes: BTreeMap<&'a str, &'a Down<Absence>>,
    osds: BTreeMap<OsdId, OsdNow<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<&'a BTreeMap<String, Down<HealthCheck>>>,
}

#[derive(Serialize)]
struct OsdNow<'a> {
    #[serde(flatten)]
    down: &'a Down<DownOsd>,
    /// The node that it is down with, and whose incident it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    with_node: Option<&'a str>,
}

#[derive(Clone, Copy)]
enum Wanted {
    /// What is down now.
    Down,
    /// What flaps, be it down or up.
    Flapping,
}

impl Wanted {
    fn is<T>(self, down: &Down<T>) -> bool {
        match self {
            Wanted::Down => down.is_down(),
            Wanted::Flapping => down.flaps().is_some(),
        }
    }

    fn of(self, memory: &Memory) -> DownNow<'_> {
        let nodes = memory.nodes.down.iter();
        let nodes = nodes.map(|(node, down)| (node.as_str(), down));
        let osds = memory.osds_down().into_iter();
        let watched = memory.outcomes.contains_key(&CheckName::Health);
        let health = match self {
            Wanted::Down => watched.then_some(&memory.health.down),
            // What is held until it lasts does not flap.
            Wanted::Flapping => None,
        };
        DownNow {
            health,
            nodes: nodes.filter(|(_, down)| self.is(down)).collect(),
            osds: (osds.filter(|(_, down)| self.is(down)))
                .map(|(osd, down)| {
                    let with_node = memory.osds_with_nodes.get(&osd);
                    let with_node = with_node.map(|with_node| with_node.node.as_str());
                    (osd, OsdNow { down, with_node })
                })
                .collect(),
        }
    }
}

#[derive(Serialize)]
struct Pending<'a> {
    pending: usize,
    held: usize,
    oldest: Option<Timestamp>,
    last_error: Option<&'a str>,
}

impl<'a> Document<'a> {
    fn of(state: &'a State, now: Timestamp) -> Self {
        let memory = &state.memory;
        let outcomes = memory.outcomes.iter();
        Document {
            version: 1,
            cluster: state.cluster.as_deref(),
            nodes: None,
            last_pass: state.last_pass.as_ref(),
            checks: outcomes
                .map(|(&name, outcome)| Check { name, outcome })
                .collect(),
            capacity: memory.capacity.last.as_ref(),
            growth: memory.capacity.growth(now),
            incidents: memory.incidents().into_iter().flatten().collect(),
            silences: silence::documents(memory, now),
            maintenance: Maintenance {
                what: &memory.maintenance.what,
                noout_since: memory.maintenance.noout_since,
            },
            down: Wanted::Down.of(memory),
            flapping: Wanted::Flapping.of(memory),
            queue: Pending {
                pending: state.queue.len(),
                held: state.queue.held(),
                oldest: state.queue.oldest(),
                last_error: state.queue.last_error(),
            },
        }
    }
}
