//! `petanotify silence`: what nobody wants to be told of for some time. A pass reads it from the state.

use std::collections::BTreeSet;

use anyhow::anyhow;
use jiff::Timestamp;
use serde::Serialize;

use super::share::Purpose;
use super::{Context, Done, Stop, load_to_change, print, print_json, read_to_look, save, user};
use crate::alert::Memory;
use crate::check::CheckName;
use crate::cli;
use crate::incident::age;
use crate::settings::RootCause;
use crate::silence::{self, MOST, MOST_NAMED, OsdRange, Scope, Silence};
use crate::text::fit;
use crate::wording;

/// Begins a silence.
///
/// # Errors
/// See [`Stop`]: it is about nothing, too long or one too many; the lock can't be had, the state not be read or written.
pub fn add(context: &Context, options: &cli::SilenceAdd) -> Result<Done, Stop> {
    let usage = |cause: String| Stop::Usage(anyhow!(cause));
    let scope = Scope {
        checks: options.checks.iter().copied().collect(),
        nodes: options.nodes.iter().cloned().collect(),
        osds: options.osds.iter().copied().collect(),
    };
    scope.check().map_err(usage)?;
    for (named, what) in [
        (scope.nodes.len(), "nodes"),
        (scope.osds.len(), "ranges of OSDs"),
    ] {
        if named > MOST_NAMED {
            let cause =
                format!("{named} {what} are too many for one silence, which takes {MOST_NAMED}");
            return Err(usage(cause));
        }
    }
    let now = context.now;
    let until = match (&options.length.until, options.length.length) {
        (Some(text), _) => silence::until(text, now, &context.zone).map_err(usage)?,
        (None, length) => now
            .checked_add(length.unwrap_or_default())
            .map_err(|error| usage(error.to_string()))?,
    };
    let (mut change, mut state) = load_to_change(context, Purpose::Change)?;
    let silences = &mut state.memory.silences;
    silences.retain(|silence| !silence.is_over(now));
    if silences.len() >= MOST {
        return Err(usage(format!(
            "{MOST} silences last already, which is the most there can be; end one with: petanotify silence end"
        )));
    }
    let mut silence = Silence {
        id: silence::next_id(silences),
        scope,
        since: now,
        until,
        why: options.why.clone(),
        by: user(context),
    };
    silences.push(silence.clone());
    save(context, &mut change, &mut state)?;
    // From another node one may have come at the same time, and have the number now.
    let mut silences = state.memory.silences.iter();
    let is_it = |other: &&Silence| other.since == silence.since && other.scope == silence.scope;
    if let Some(saved) = silences.find(is_it) {
        silence.id = saved.id;
    }
    if options.format.json {
        print_json(&Changed {
            version: 1,
            silence: Document::of(&silence),
        })?;
    } else {
        let until = wording::time(until, &context.zone);
        let length = wording::duration(age(now, silence.until));
        let rules = &context.settings.checks.root_cause;
        let down = match down_now(&silence.scope, &state.memory, rules) {
            down if down.is_empty() => String::new(),
            down => format!("; down now: {}", wording::list_some(&down, 5)),
        };
        print(&format!(
            "silence {}: {} until {until} ({length}){down}\n",
            silence.id, silence.scope
        ))?;
    }
    Ok(Done::Complete)
}

/// What a silence is about and was down in the last pass.
fn down_now(scope: &Scope, memory: &Memory, rules: &RootCause) -> Vec<String> {
    let nodes = memory
        .nodes
        .down
        .keys()
        .filter(|node| scope.covers_node(node));
    let osds = memory.osds_down().into_iter();
    let osds = osds.filter(|(id, osd)| scope.covers_osd(*id, osd.what.host.as_deref(), rules));
    let nodes = nodes.map(|node| wording::name(node));
    nodes.chain(osds.map(|(id, _)| id.to_string())).collect()
}

/// Lists the silences that last, the one that ends first at the top.
///
/// # Errors
/// The state can't be read.
pub fn list(context: &Context, format: cli::Json) -> Result<Done, Stop> {
    let (state, _) = read_to_look(context)?;
    let lasting = lasting(&state.memory, context.now);
    if format.json {
        print_json(&All {
            version: 1,
            silences: lasting.into_iter().map(Document::of).collect(),
        })?;
    } else {
        print(&table(&lasting, context))?;
    }
    Ok(Done::Complete)
}

/// The silences that last at this time, by their end. Those that are over are in the state until the next pass.
fn lasting(memory: &Memory, now: Timestamp) -> Vec<&Silence> {
    let lasting = memory
        .silences
        .iter()
        .filter(|silence| !silence.is_over(now));
    let mut lasting: Vec<&Silence> = lasting.collect();
    lasting.sort_by_key(|silence| (silence.until, silence.id));
    lasting
}

/// The same as documents.
pub fn documents(memory: &Memory, now: Timestamp) -> Vec<Document<'_>> {
    lasting(memory, now).into_iter().map(Document::of).collect()
}

fn table(silences: &[&Silence], context: &Context) -> String {
    if silences.is_empty() {
        return "Nothing is silenced.\n".to_owned();
    }
    let rows = silences.iter().map(|silence| {
        let mut what = silence.scope.to_string();
        let by = silence
            .by
            .as_ref()
            .map(|by| format!("by {}", wording::name(by)));
        let told: Vec<String> = silence.why.iter().cloned().chain(by).collect();
        if !told.is_empty() {
            what.push_str(&format!(" ({})", told.join(", ")));
        }
        [
            silence.id.to_string(),
            wording::time(silence.until, &context.zone),
            wording::duration(age(context.now, silence.until)),
            what,
        ]
    });
    let head = ["ID", "UNTIL", "STILL FOR", "WHAT, WHY"].map(str::to_owned);
    let rows: Vec<[String; 4]> = [head].into_iter().chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let [id, until, length] = [0, 1, 2].map(|column| width(column).unwrap_or(0));
    let style = &context.style;
    let room = style.width.saturating_sub(id + until + length + 6).max(20);
    let lines = rows.iter().enumerate().map(|(place, [a, b, c, what])| {
        let line = format!("{a:<id$}  {b:<until$}  {c:<length$}  {}\n", fit(what, room));
        match place {
            0 => style.bold(&line),
            _ => line,
        }
    });
    lines.collect()
}

/// Ends silences before their time. If one of the ids stands for none, none is ended.
///
/// # Errors
/// See [`Stop`]: the lock can't be had, the state not be read or written.
pub fn end(context: &Context, options: &cli::SilenceEnd) -> Result<Done, Stop> {
    let (mut change, mut state) = load_to_change(context, Purpose::Change)?;
    let lasting: Vec<Silence> = (lasting(&state.memory, context.now).into_iter())
        .cloned()
        .collect();
    let is_meant = |silence: &Silence| options.all || options.ids.contains(&silence.id);
    let unknown = (options.ids.iter()).filter(|id| lasting.iter().all(|s| s.id != **id));
    let unknown: BTreeSet<u32> = unknown.copied().collect();
    if !unknown.is_empty() {
        for id in unknown {
            context.log.error(format!(
                "nothing was ended: there is no silence {id}; see what lasts with: petanotify silence list"
            ));
        }
        return Ok(Done::Incomplete);
    }
    let ended: Vec<Silence> = lasting.into_iter().filter(|s| is_meant(s)).collect();
    if !ended.is_empty() {
        state.memory.silences.retain(|silence| !is_meant(silence));
        save(context, &mut change, &mut state)?;
    }
    if options.format.json {
        print_json(&Ended {
            version: 1,
            ended: ended.iter().map(Document::of).collect(),
        })?;
    } else if ended.is_empty() {
        print("Nothing is silenced.\n")?;
    } else {
        let line = |silence: &Silence| format!("ended silence {}: {}\n", silence.id, silence.scope);
        print(&ended.iter().map(line).collect::<String>())?;
    }
    Ok(Done::Complete)
}

/// The document of `silence add --json`.
#[derive(Serialize)]
struct Changed<'a> {
    version: u32,
    silence: Document<'a>,
}

/// The document of `silence list --json`.
#[derive(Serialize)]
struct All<'a> {
    version: u32,
    silences: Vec<Document<'a>>,
}

/// The document of `silence end --json`.
#[derive(Serialize)]
struct Ended<'a> {
    version: u32,
    ended: Vec<Document<'a>>,
}

/// A silence in the documents of all commands.
#[derive(Serialize)]
pub struct Document<'a> {
    id: u32,
    covers: String,
    checks: &'a BTreeSet<CheckName>,
    nodes: &'a BTreeSet<String>,
    osds: &'a BTreeSet<OsdRange>,
    since: Timestamp,
    until: Timestamp,
    why: Option<&'a str>,
    by: Option<&'a str>,
}

impl<'a> Document<'a> {
    /// Makes the document of a silence.
    pub fn of(silence: &'a Silence) -> Self {
        Document {
            id: silence.id,
            covers: silence.scope.to_string(),
            checks: &silence.scope.checks,
            nodes: &silence.scope.nodes,
            osds: &silence.scope.osds,
            since: silence.since,
            until: silence.until,
            why: silence.why.as_deref(),
            by: silence.by.as_deref(),
        }
    }
}
