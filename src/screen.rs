//! The screen of `status`: the state as a person looks at it, no larger than the terminal. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::alert::{CapacityMemory, Memory, Outcome, State as CheckState, Topic};
use crate::check::CheckName;
use crate::check::capacity::Reading;
use crate::check::sight::Unseen;
use crate::facts::{Absence, DownOsd, OsdId};
use crate::incident::{Down, age};
use crate::output::Style;
use crate::queue::Queue;
use crate::silence::Silence;
use crate::state::{LastPass, State};
use crate::text::{fit, one_line, wrap};
use crate::wording;

/// A pass is made every minute: when the last one is older, something is wrong with whatever starts them.
const STALE_AFTER: Duration = Duration::from_secs(180);

/// Mail that has been waiting for so long is stuck: the next passes have not got rid of it.
const STUCK_AFTER: Duration = Duration::from_secs(600);

/// On terminals narrower than this, lines are broken by the terminal.
const NARROWEST: usize = 40;

/// Lines longer than this are hard to read on a wide terminal.
const WIDEST: usize = 120;

/// Where the state of a check stands, and on all but narrow terminals what is told of it.
const STATE_COLUMN: usize = 12;

/// The longest bar, in columns.
const LONGEST_BAR: usize = 80;

/// Names of nodes and hosts are cut here, so that the columns behind them keep their place.
const NAME_COLUMNS: usize = 24;

/// Where and when somebody looks.
#[derive(Debug, Clone)]
pub struct View {
    /// What the terminal can show.
    pub style: Style,
    /// The time zone of the times.
    pub zone: TimeZone,
    /// When.
    pub now: Timestamp,
    /// Where the state is kept.
    pub file: PathBuf,
    /// Who of several nodes speaks, and what is odd about them; nothing where there is one.
    pub voice: Vec<String>,
}

/// Draws the screen. No line is wider than the terminal (from 40 columns on), and where it has 60 columns and 24 rows, all of it
/// is seen at once.
pub fn draw(state: &State, view: &View) -> String {
    let screen = Screen::new(view);
    match &state.last_pass {
        Some(last) => screen.drawn(state, last),
        None => format!(
            "No pass has been saved yet in {}.\nThe timer makes one every minute; by hand: petanotify check\n",
            view.file.display()
        ),
    }
}

struct Screen<'a> {
    view: &'a View,
    style: &'a Style,
    width: usize,
    indent: usize,
}

/// How something is painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Paint {
    Plain,
    Dim,
    Good,
    Doubtful,
    Bad,
}

/// Whether what is shown is true at this hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    Fresh,
    /// Nobody has looked of late: nothing old is painted as if it were well.
    Stale,
}

impl<'a> Screen<'a> {
    fn new(view: &'a View) -> Self {
        let width = view.style.width.clamp(NARROWEST, WIDEST);
        Screen {
            view,
            style: &view.style,
            width,
            indent: if width < 72 { 2 } else { STATE_COLUMN },
        }
    }

    fn drawn(&self, state: &State, last: &LastPass) -> String {
        let trust = match self.is_stale(last) {
            true => Trust::Stale,
            false => Trust::Fresh,
        };
        let mut top = vec![self.verdict(state, last), "\n".to_owned()];
        // One that must be turned on is not shown as long as it is off.
        let is_shown = |name: &CheckName| {
            *name != CheckName::Health || state.memory.outcomes.contains_key(name)
        };
        let checks: Vec<(Vec<String>, List)> = (CheckName::ALL.into_iter())
            .filter(is_shown)
            .map(|name| self.check(name, &state.memory, trust))
            .collect();
        let mut bottom = vec!["\n".to_owned()];
        bottom.extend(self.silences(&state.memory));
        bottom.extend(self.maintenance(&state.memory));
        bottom.extend(self.last_pass(last));
        bottom.extend(self.voice());
        bottom.extend(self.queue(&state.queue));

        let fixed = checks.iter().map(|(lines, _)| lines.len()).sum::<usize>();
        // The last row is for the prompt.
        let spare = (self.style.height).saturating_sub(top.len() + fixed + bottom.len() + 1);
        let wanted: Vec<usize> = checks.iter().map(|(_, list)| list.rows.len()).collect();
        for ((lines, list), rows) in checks.into_iter().zip(shares(spare, &wanted)) {
            top.extend(lines);
            top.extend(self.cut(list, rows));
        }
        top.append(&mut bottom);
        top.concat()
    }

    /// The one line that tells whether there is anything to do.
    fn verdict(&self, state: &State, last: &LastPass) -> String {
        let memory = &state.memory;
        let mut found = Vec::new();
        if self.is_stale(last) {
            let age = wording::duration(self.age(last.started));
            found.push((Paint::Bad, format!("no pass for {age}")));
        } else if self.lies_ahead(last) {
            found.push((Paint::Bad, "the clock was set back".to_owned()));
        }
        for (&name, outcome) in &memory.outcomes {
            let with_nodes = name == CheckName::Osds && !memory.osds_with_nodes.is_empty();
            match outcome.state {
                CheckState::Alert => found.push((Paint::Bad, alert_in_brief(name, memory))),
                CheckState::Ok if with_nodes => {
                    found.push((Paint::Doubtful, alert_in_brief(name, memory)));
                }
                CheckState::Ok | CheckState::Unknown => {}
            }
        }
        let unseen = (memory.outcomes.iter()).filter(|(_, o)| o.state == CheckState::Unknown);
        let unseen: Vec<&str> = unseen.map(|(name, _)| name.as_str()).collect();
        if !unseen.is_empty() {
            let unseen = format!("cannot see {}", unseen.join(", "));
            found.push((Paint::Doubtful, unseen));
        }
        if memory.blind.down.contains_key(&Unseen::Leader) {
            found.push((Paint::Doubtful, "Consul has no leader".to_owned()));
        }
        if self.is_stuck(&state.queue) {
            let waiting = state.queue.len() - state.queue.held();
            let mails = wording::count(waiting, "mail");
            found.push((Paint::Doubtful, format!("{mails} stuck")));
        }
        if memory.outcomes.is_empty() {
            found.push((Paint::Doubtful, "every check is turned off".to_owned()));
        }
        if found.is_empty() {
            found.push((Paint::Good, "all is well".to_owned()));
        }
        let cluster = match &state.cluster {
            Some(cluster) => format!("Cluster {}", wording::name(cluster)),
            None => "Cluster".to_owned(),
        };
        let paint = found[0].0;
        let found: Vec<String> = found.into_iter().map(|(_, text)| text).collect();
        let found = format!(": {}", found.join(", "));
        let room = self.width.saturating_sub(found.len()).max(12);
        let cluster = fit(&cluster, room);
        let found = fit(&found, self.width.saturating_sub(cluster.chars().count()));
        format!(
            "{}{}\n",
            self.style.bold(&cluster),
            self.style.bold(&self.painted(paint, &found))
        )
    }

    /// A check, and the list of what is down, to be cut to what room is left.
    fn check(&self, name: CheckName, memory: &Memory, trust: Trust) -> (Vec<String>, List) {
        let Some(outcome) = memory.outcomes.get(&name) else {
            let off = self.style.dim("off");
            return (
                vec![self.head(name, Paint::Dim, " ", &off)],
                List::default(),
            );
        };
        let (paint, sign) = match outcome.state {
            CheckState::Ok if trust == Trust::Stale => (Paint::Dim, self.sign("●", " ")),
            CheckState::Ok => (Paint::Good, self.sign("●", " ")),
            CheckState::Alert => (Paint::Bad, self.sign("●", "!")),
            CheckState::Unknown => (Paint::Doubtful, self.sign("●", "?")),
        };
        let state = format!(
            "{}  {}",
            self.painted(paint, &format!("{:<7}", outcome.state.as_str())),
            self.since(outcome.since, self.width.saturating_sub(STATE_COLUMN + 9)),
        );
        let mut lines = vec![self.head(name, paint, sign, &state)];
        match (&outcome.error, outcome.state) {
            (Some(error), CheckState::Unknown) => {
                let most = if self.style.height < 30 { 3 } else { 5 };
                let cause = format!("{}: {error}", outcome.summary);
                lines.extend(self.told(Paint::Doubtful, &cause, most));
            }
            (error, _) => {
                let summary = headline(name, outcome, memory);
                lines.extend(self.told(Paint::Plain, &summary, 2));
                let error = error.iter();
                lines.extend(error.flat_map(|error| self.told(Paint::Doubtful, error, 2)));
            }
        }
        let topic = Topic::ALL.into_iter().find(|t| t.as_str() == name.as_str());
        let incident = topic.and_then(|topic| memory.incident(topic));
        if let Some(ack) = incident.and_then(|incident| incident.ack.as_ref()) {
            lines.extend(self.told(Paint::Dim, &wording::acknowledged(ack), 1));
        }
        if name == CheckName::Capacity
            && let Some(reading) = &memory.capacity.last
        {
            let mut trust = trust;
            if outcome.state == CheckState::Unknown {
                trust = Trust::Stale;
                let last = format!("last seen: {}", wording::capacity_summary(reading));
                lines.extend(self.told(Paint::Plain, &last, 1));
            }
            lines.extend(self.bar(reading, trust));
            if trust == Trust::Fresh {
                lines.extend(self.growth(&memory.capacity, reading));
            }
        }
        (lines, self.list(name, memory))
    }

    /// The first line of a check.
    fn head(&self, name: CheckName, paint: Paint, sign: &str, state: &str) -> String {
        let column = STATE_COLUMN - 2;
        let sign = self.painted(paint, sign);
        format!("{sign} {name:<column$}{state}\n")
    }

    /// `since 2026-11-23 02:14 UTC (17 min)`, or less of it where there is no room.
    fn since(&self, at: Timestamp, room: usize) -> String {
        let age = wording::duration(self.age(at));
        let whole = format!("since {} ({age})", wording::time(at, &self.view.zone));
        if whole.len() <= room {
            whole
        } else {
            format!("for {age}")
        }
    }

    /// How full the storage is, and below it the names of the two levels at their places.
    fn bar(&self, reading: &Reading, trust: Trust) -> [String; 2] {
        let frame = if self.style.unicode { 0 } else { 1 };
        let cells = (self.width - self.indent).min(LONGEST_BAR) - 2 * frame;
        let bar = Bar::new(reading, cells);
        let mut drawn = String::new();
        let mut run = String::new();
        for cell in 0..cells {
            let paint = |cell| match bar.zone(cell) {
                _ if trust == Trust::Stale || cell >= bar.filled => Paint::Dim,
                Zone::Enough => Paint::Good,
                Zone::Warn => Paint::Doubtful,
                Zone::Critical => Paint::Bad,
            };
            run.push_str(if cell == bar.warn || cell == bar.critical {
                self.sign("│", "|")
            } else if cell < bar.filled {
                self.sign("█", "#")
            } else {
                self.sign("░", "-")
            });
            let ends = cell + 1 == cells || paint(cell) != paint(cell + 1);
            if ends {
                drawn.push_str(&self.painted(paint(cell), &run));
                run.clear();
            }
        }
        let (open, close) = if frame == 0 { ("", "") } else { ("[", "]") };
        let labels = bar.labels(reading, self.sign("┘", "^"), self.sign("└", "^"));
        let indent = self.indent;
        [
            format!("{:indent$}{open}{drawn}{close}\n", ""),
            format!(
                "{:indent$}{}\n",
                "",
                self.style.dim(&format!("{:frame$}{labels}", ""))
            ),
        ]
    }

    /// How fast the storage fills, if that can be told.
    fn growth(&self, memory: &CapacityMemory, reading: &Reading) -> Vec<String> {
        let View { zone, now, .. } = self.view;
        let told = (memory.growth(*now))
            .and_then(|growth| wording::growth::told(&growth, reading, zone, *now));
        let told = told.map(|told| format!("grows by {}; {}", told.pace, told.ahead));
        (told.iter())
            .flat_map(|told| self.told(Paint::Plain, told, 3))
            .collect()
    }

    /// What is down, a row each: nodes, or hosts with their OSDs.
    fn list(&self, name: CheckName, memory: &Memory) -> List {
        match name {
            CheckName::Capacity => List::default(),
            CheckName::Nodes => {
                let mut nodes: Vec<_> = memory.nodes.down.iter().collect();
                nodes.sort_by_key(|(node, _)| wording::natural(node));
                let rows = nodes.into_iter().map(|(node, down)| Row {
                    name: wording::name(node),
                    state: node_in_words(down),
                    age: wording::duration(self.age(began(down))),
                    osds: Vec::new(),
                    note: String::new(),
                });
                List {
                    rows: rows.collect(),
                    noun: "node",
                }
            }
            CheckName::Health => {
                let mut checks: Vec<_> = memory.health.down.iter().collect();
                checks.sort_by_key(|(_, down)| Reverse(down.what.severity));
                let rows = checks.into_iter().map(|(code, down)| Row {
                    name: down.what.severity.to_string(),
                    state: wording::duration(self.age(down.since)),
                    age: String::new(),
                    osds: Vec::new(),
                    note: format!("{}: {}", wording::name(code), down.what.summary),
                });
                List {
                    rows: rows.collect(),
                    noun: "health check",
                }
            }
            CheckName::Osds => {
                let mut hosts: BTreeMap<String, Vec<(OsdId, &Down<DownOsd>)>> = BTreeMap::new();
                for (id, down) in memory.osds_down() {
                    let host = wording::osd_host(&down.what);
                    hosts.entry(host).or_default().push((id, down));
                }
                let mut hosts: Vec<_> = hosts.into_iter().collect();
                hosts.sort_by_key(|(host, osds)| (Reverse(osds.len()), wording::natural(host)));
                let rows = hosts.into_iter().map(|(host, osds)| {
                    let ages = || osds.iter().map(|(_, osd)| self.age(began(osd)));
                    let oldest = wording::duration(ages().max().unwrap_or_default());
                    let newest = wording::duration(ages().min().unwrap_or_default());
                    Row {
                        name: host,
                        state: wording::count(osds.len(), "OSD"),
                        age: if oldest == newest {
                            oldest
                        } else {
                            format!("up to {oldest}")
                        },
                        osds: osds
                            .into_iter()
                            .map(|(id, osd)| osd_in_words(id, osd))
                            .collect(),
                        note: String::new(),
                    }
                });
                List {
                    rows: rows.collect(),
                    noun: "host",
                }
            }
        }
    }

    /// As many rows of a list as there is room for; if not all, the last one tells what is missing.
    fn cut(&self, list: List, room: usize) -> Vec<String> {
        let List { mut rows, noun } = list;
        let missing = match rows.len() <= room {
            true => Vec::new(),
            false => rows.split_off(room.saturating_sub(1)),
        };
        let widest = |of: fn(&Row) -> &str| rows.iter().map(|row| of(row).chars().count()).max();
        let name = widest(|row| &row.name).unwrap_or(0).min(NAME_COLUMNS);
        let state = widest(|row| &row.state).unwrap_or(0);
        let age = widest(|row| &row.age).unwrap_or(0);
        let indent = self.indent;
        let room = self.width - indent;
        let mut lines: Vec<String> = Vec::new();
        for row in &rows {
            let mut head = format!("{:<name$}  {:<state$}", fit(&row.name, name), row.state);
            if age > 0 {
                head.push_str(&format!("  {:<age$}", row.age));
            }
            let osds =
                wording::list_fitting(&row.osds, room.saturating_sub(head.chars().count() + 2));
            let line = format!("{head}  {osds}{}", row.note);
            lines.push(format!("{:indent$}{}\n", "", fit(line.trim_end(), room)));
        }
        if !missing.is_empty() {
            let osds: usize = missing.iter().map(|row| row.osds.len()).sum();
            let more = if rows.is_empty() { "" } else { " more" };
            let osds = match osds {
                0 => String::new(),
                _ => format!(", {}", wording::count(osds, "OSD")),
            };
            let line = format!(
                "... {}{more}{osds}: petanotify status --json",
                wording::count(missing.len(), noun)
            );
            lines.push(format!("{:indent$}{}\n", "", fit(&line, room)));
        }
        lines
    }

    fn last_pass(&self, last: &LastPass) -> Vec<String> {
        let ending = match last.complete {
            true => "complete",
            false => "incomplete",
        };
        let ahead = self.lies_ahead(last);
        let when = match ahead {
            true => format!("at {}", wording::time(last.started, &self.view.zone)),
            false => format!("{} ago", wording::duration(self.age(last.started))),
        };
        let took = wording::milliseconds(last.duration_ms);
        let pass = format!("{when}, took {took}, {ending}");
        let paint = match (self.is_stale(last) || ahead, last.complete) {
            (true, _) => Paint::Bad,
            (false, true) => Paint::Plain,
            (false, false) => Paint::Doubtful,
        };
        let mut lines = vec![self.labelled("last pass", paint, &pass)];
        if ahead {
            let why = "that lies ahead: the clock was wrong then, or is now";
            lines.extend(self.told(Paint::Bad, why, 2));
        } else if self.is_stale(last) {
            let why = "the timer may be dead, and what stands above is old; look with:";
            lines.extend(self.told(Paint::Bad, why, 2));
            lines.extend(self.told(Paint::Bad, "systemctl status petanotify.timer", 1));
        }
        lines
    }

    /// Who of several nodes speaks.
    fn voice(&self) -> Vec<String> {
        let Some((speaks, odd)) = self.view.voice.split_first() else {
            return Vec::new();
        };
        let mut lines = vec![self.labelled("speaks", Paint::Plain, speaks)];
        for odd in odd {
            lines.extend(self.told(Paint::Doubtful, odd, 2));
        }
        lines
    }

    /// What is silenced, a line each as far as there is room.
    fn silences(&self, memory: &Memory) -> Vec<String> {
        let lasting = memory.silences.iter();
        let lasting: Vec<&Silence> = lasting.filter(|s| !s.is_over(self.view.now)).collect();
        let most = if self.style.height < 30 { 2 } else { 5 };
        let shown = match lasting.len() <= most {
            true => most,
            false => most - 1,
        };
        let texts =
            (lasting.iter().take(shown)).map(|silence| wording::silence(silence, &self.view.zone));
        let more = lasting.len().saturating_sub(shown);
        let more = (more > 0).then(|| format!("... {more} more: petanotify silence list"));
        let texts = texts.chain(more).enumerate();
        let lines = texts.map(|(place, text)| {
            let label = if place == 0 { "silenced" } else { "" };
            self.labelled(label, Paint::Doubtful, &text)
        });
        lines.collect()
    }

    /// What the admins have told Ceph to leave alone.
    fn maintenance(&self, memory: &Memory) -> Option<String> {
        let brief = wording::maintenance_in_brief(&memory.maintenance, &self.view.zone)?;
        Some(self.labelled("in Ceph", Paint::Doubtful, &brief))
    }

    fn queue(&self, queue: &Queue) -> Vec<String> {
        let held = queue.held_until().map(|until| {
            let mails = wording::count(queue.held(), "mail");
            let until = wording::time(until, &self.view.zone);
            format!("{mails} held until {until} by quiet hours")
        });
        let Some(oldest) = queue.oldest() else {
            let held = held.as_deref().unwrap_or("no mail is pending");
            return vec![self.labelled("queue", Paint::Plain, held)];
        };
        let pending = format!(
            "{} pending, the oldest for {}",
            wording::count(queue.len() - queue.held(), "mail"),
            wording::duration(self.age(oldest))
        );
        let paint = match self.is_stuck(queue) {
            true => Paint::Bad,
            false => Paint::Doubtful,
        };
        let mut lines = vec![self.labelled("queue", paint, &pending)];
        lines.extend(
            held.into_iter()
                .flat_map(|held| self.told(Paint::Plain, &held, 2)),
        );
        if let Some(error) = queue.last_error() {
            lines.extend(self.told(paint, &format!("last error: {error}"), 3));
        }
        lines
    }

    fn is_stale(&self, last: &LastPass) -> bool {
        self.age(last.started) > STALE_AFTER
    }

    fn lies_ahead(&self, last: &LastPass) -> bool {
        age(self.view.now, last.started) > STALE_AFTER
    }

    fn is_stuck(&self, queue: &Queue) -> bool {
        let oldest = queue.oldest();
        oldest.is_some_and(|oldest| self.age(oldest) > STUCK_AFTER)
    }

    fn age(&self, then: Timestamp) -> Duration {
        age(then, self.view.now)
    }

    fn labelled(&self, label: &str, paint: Paint, text: &str) -> String {
        let text = fit(text, self.width.saturating_sub(STATE_COLUMN));
        let column = STATE_COLUMN - 2;
        format!("  {label:<column$}{}\n", self.painted(paint, &text))
    }

    /// A text below a check, in so many lines at most.
    fn told(&self, paint: Paint, text: &str, most: usize) -> Vec<String> {
        let indent = self.indent;
        (lines(text, self.width - indent, most).into_iter())
            .map(|line| format!("{:indent$}{}\n", "", self.painted(paint, &line)))
            .collect()
    }

    fn sign(&self, unicode: &'static str, ascii: &'static str) -> &'static str {
        match self.style.unicode {
            true => unicode,
            false => ascii,
        }
    }

    fn painted(&self, paint: Paint, text: &str) -> String {
        match paint {
            Paint::Plain => text.to_owned(),
            Paint::Dim => self.style.dim(text),
            Paint::Good => self.style.green(text),
            Paint::Doubtful => self.style.yellow(text),
            Paint::Bad => self.style.red(text),
        }
    }
}

/// What is down of one check.
#[derive(Debug, Default)]
struct List {
    rows: Vec<Row>,
    /// What a row stands for.
    noun: &'static str,
}

/// A node, a host with its OSDs, or a health check.
#[derive(Debug)]
struct Row {
    name: String,
    state: String,
    age: String,
    osds: Vec<String>,
    /// What else there is to say, as far as there is room.
    note: String,
}

/// A level that part of the bar belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zone {
    Enough,
    Warn,
    Critical,
}

/// The geometry of the bar, in cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bar {
    cells: usize,
    /// So many are in use, from the left.
    filled: usize,
    /// Where the level's mark stands.
    warn: usize,
    /// Likewise.
    critical: usize,
}

impl Bar {
    /// What is used reaches over a mark if, and only if, the level is exceeded, however little.
    fn new(reading: &Reading, cells: usize) -> Bar {
        let cell = |percent: f64| scaled(percent, cells).min(cells.saturating_sub(1));
        let mut bar = Bar {
            cells,
            filled: scaled(reading.percent, cells),
            warn: cell(reading.warn_percent),
            critical: cell(reading.critical_percent),
        };
        for (mark, limit) in [
            (bar.warn, reading.warn_percent),
            (bar.critical, reading.critical_percent),
        ] {
            bar.filled = match reading.percent > limit {
                true => bar.filled.max(mark + 1),
                false => bar.filled.min(mark),
            };
        }
        bar
    }

    fn zone(&self, cell: usize) -> Zone {
        if cell < self.warn {
            Zone::Enough
        } else if cell < self.critical {
            Zone::Warn
        } else {
            Zone::Critical
        }
    }

    /// The line below the bar: each level's name ends, or begins, at its mark. Where there is no room for the names, the
    /// figures have to do.
    fn labels(&self, reading: &Reading, ends: &str, begins: &str) -> String {
        let warn = wording::threshold(reading.warn_percent);
        let critical = wording::threshold(reading.critical_percent);
        let named = self.placed(
            &format!("warn {warn}"),
            &format!("critical {critical}"),
            ends,
            begins,
        );
        named
            .or_else(|| self.placed(&warn, &critical, ends, begins))
            .unwrap_or_else(|| format!("warn {warn}, critical {critical}"))
    }

    fn placed(&self, warn: &str, critical: &str, ends: &str, begins: &str) -> Option<String> {
        let warn_start = (self.warn + 1).checked_sub(warn.len() + 2)?;
        let mut line = format!("{:warn_start$}{warn} {ends}", "");
        let taken = self.warn + 1;
        let before = (self.critical + 1).checked_sub(critical.len() + 2);
        if let Some(start) = before.filter(|start| *start > taken) {
            let gap = start - taken;
            line.push_str(&format!("{:gap$}{critical} {ends}", ""));
        } else if self.critical >= taken && self.critical + 2 + critical.len() <= self.cells {
            let gap = self.critical - taken;
            line.push_str(&format!("{:gap$}{begins} {critical}", ""));
        } else {
            return None;
        }
        Some(line)
    }
}

/// So many of the cells are this share of them.
fn scaled(percent: f64, cells: usize) -> usize {
    let share = (percent / 100.0).clamp(0.0, 1.0);
    (1..=cells)
        .take_while(|&cell| cell as f64 <= share * cells as f64)
        .count()
}

/// Shares out rows among lists that want so many: the small ones are shown whole. Each that wants any gets one at least.
fn shares(mut rows: usize, wanted: &[usize]) -> Vec<usize> {
    let mut shares = vec![0; wanted.len()];
    let mut order: Vec<usize> = (0..wanted.len()).filter(|&list| wanted[list] > 0).collect();
    order.sort_by_key(|&list| wanted[list]);
    let mut left = order.len();
    for list in order {
        shares[list] = wanted[list].min(rows / left).max(1);
        rows = rows.saturating_sub(shares[list]);
        left -= 1;
    }
    shares
}

/// An open incident in as few words as can be.
fn alert_in_brief(name: CheckName, memory: &Memory) -> String {
    match name {
        CheckName::Capacity => match &memory.capacity.last {
            Some(reading) => {
                let percent = wording::percent_over(reading.percent, reading.limit());
                format!("{percent} full")
            }
            None => "too full".to_owned(),
        },
        CheckName::Nodes => {
            let nodes = &memory.nodes;
            wording::down_in_brief("node", nodes.down_now(), nodes.flapping())
        }
        CheckName::Osds => {
            let down = memory.osds.down_now() + memory.osds_with_nodes.len();
            wording::down_in_brief("OSD", down, memory.osds.flapping())
        }
        CheckName::Health => {
            let down = memory.health.down.values();
            format!(
                "Ceph reports {}",
                wording::health::number(down.map(|down| &down.what))
            )
        }
    }
}

/// What was found, without the names that are listed below it.
fn headline(name: CheckName, outcome: &Outcome, memory: &Memory) -> String {
    let headline = match name {
        CheckName::Capacity => return outcome.summary.clone(),
        CheckName::Health if memory.health.down.is_empty() => return outcome.summary.clone(),
        CheckName::Nodes | CheckName::Health => {
            return wording::headline(&outcome.summary).to_owned();
        }
        CheckName::Osds => wording::headline(&outcome.summary),
    };
    let down = memory.osds_down();
    let hosts: BTreeSet<&String> = (down.iter())
        .filter_map(|(_, osd)| osd.what.host.as_ref())
        .collect();
    match hosts.len() {
        0 => headline.to_owned(),
        number => format!("{headline} on {}", wording::count(number, "host")),
    }
}

/// Since when it has been wrong with a thing.
fn began<T>(down: &Down<T>) -> Timestamp {
    down.flaps().map_or(down.since, |flapping| flapping.first)
}

/// `failed`, `failed, flapping`, `up, flapping`
fn node_in_words(node: &Down<Absence>) -> String {
    let state = match node.is_down() {
        true => node.what.to_string(),
        false => "up".to_owned(),
    };
    match node.flaps() {
        Some(_) => format!("{state}, flapping"),
        None => state,
    }
}

/// `osd.4`, `osd.7 (out)`, `osd.9 (destroyed, out)`, `osd.3 (up, flapping)`
fn osd_in_words(id: OsdId, osd: &Down<DownOsd>) -> String {
    let status = &osd.what.status;
    let (down, flaps) = (osd.is_down(), osd.flaps().is_some());
    let marks = [
        (!down).then(|| "up".to_owned()),
        (down && status != "down").then(|| wording::name(status)),
        (down && osd.what.out).then(|| "out".to_owned()),
        flaps.then(|| "flapping".to_owned()),
    ];
    let marks: Vec<String> = marks.into_iter().flatten().collect();
    match marks.is_empty() {
        true => id.to_string(),
        false => format!("{id} ({})", marks.join(", ")),
    }
}

/// A text in at most so many lines, none longer than `columns`.
fn lines(text: &str, columns: usize, most: usize) -> Vec<String> {
    let mut lines = wrap(&one_line(text), columns);
    if lines.len() > most {
        let rest = lines.split_off(most - 1).join(" ");
        lines.push(rest);
    }
    lines.iter().map(|line| fit(line, columns)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::alert::{Alert, Circumstances, Maintained, Observed, Report, Rules, judge_pass};
    use crate::check::growth::History;
    use crate::facts::{
        Flag, Health, HealthCheck, HealthSeverity, Maintenance, Membership, OsdTree, Presence,
        Usage,
    };
    use crate::incident::{Ack, Change, Kind};
    use crate::queue::{Attempt, Recovery};
    use crate::settings::{Checks, HealthRules, Notify, Recipient};
    use crate::silence::Scope;

    const NOW: &str = "2026-11-23T02:31:08Z";
    const GIB: u64 = 1 << 30;

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    fn view(width: usize, height: usize, unicode: bool, color: bool) -> View {
        View {
            style: Style {
                color,
                unicode,
                width,
                height,
            },
            zone: TimeZone::UTC,
            now: at(NOW),
            file: "/var/lib/petanotify/state.json".into(),
            voice: Vec::new(),
        }
    }

    fn usage(percent: u64) -> Result<Usage, String> {
        Ok(Usage {
            used_bytes: percent * 82 * GIB,
            total_bytes: 100 * 82 * GIB,
            mgr_available: true,
        })
    }

    fn nodes(all: usize, down: &[(&str, Absence)]) -> Result<Membership, String> {
        let mut nodes: BTreeMap<String, Presence> = (1..=all)
            .map(|number| (format!("node{number}"), Presence::Alive))
            .collect();
        for (node, absence) in down {
            nodes.insert((*node).to_owned(), Presence::Down(*absence));
        }
        Ok(Membership {
            nodes,
            unreadable: BTreeMap::new(),
            ..Membership::default()
        })
    }

    /// So many OSDs, 10 on each host, but for the strays.
    fn osds(all: i64, down: &[i64]) -> Result<OsdTree, String> {
        let mut tree = OsdTree::default();
        for id in 0..all {
            if !down.contains(&id) {
                tree.up.insert(OsdId(id));
                continue;
            }
            let stray = id == 40;
            tree.down.insert(
                OsdId(id),
                DownOsd {
                    host: (!stray).then(|| format!("node{}", id / 10 + 1)),
                    status: if id % 10 == 7 { "destroyed" } else { "down" }.to_owned(),
                    out: id % 10 == 7 || id % 10 == 4,
                    stray,
                },
            );
        }
        Ok(tree)
    }

    fn seen(
        capacity: Result<Usage, String>,
        nodes: Result<Membership, String>,
        osds: Result<OsdTree, String>,
    ) -> Observed {
        Observed {
            capacity: Some(capacity),
            nodes: Some(nodes),
            osds: Some(osds),
            ..Observed::default()
        }
    }

    /// The state after passes at these times.
    fn after(passes: Vec<(&str, Observed)>) -> State {
        let watched = passes.iter().any(|(_, observed)| observed.health.is_some());
        let checks = Checks {
            health: watched.then(HealthRules::default),
            ..Checks::default()
        };
        let notify = Notify::default();
        let mut state = State {
            cluster: Some("prod".to_owned()),
            ..State::default()
        };
        for (time, observed) in passes {
            let complete = [
                observed.capacity.as_ref().is_none_or(Result::is_ok),
                observed.nodes.as_ref().is_none_or(Result::is_ok),
                observed.osds.as_ref().is_none_or(Result::is_ok),
            ];
            let rules = Rules {
                checks: &checks,
                notify: &notify,
                nodes_prefix: "PetaSAN/Nodes/",
                cluster: "prod",
            };
            let memory = std::mem::take(&mut state.memory);
            state.memory = judge_pass(memory, observed, rules, at(time)).memory;
            state.last_pass = Some(LastPass {
                started: at(time),
                duration_ms: 412,
                complete: complete.iter().all(|&complete| complete),
            });
        }
        state
    }

    fn all_well() -> Observed {
        seen(usage(41), nodes(5, &[]), osds(48, &[]))
    }

    fn healthy() -> State {
        after(vec![
            ("2026-11-20T01:02:00Z", all_well()),
            ("2026-11-23T02:31:00Z", all_well()),
        ])
    }

    fn all_bad() -> State {
        let node5 = [("node5", Absence::Failed)];
        let nodes_down = [("node5", Absence::Failed), ("node12", Absence::Missing)];
        after(vec![
            ("2026-11-20T01:02:00Z", all_well()),
            (
                "2026-11-23T00:20:00Z",
                seen(usage(63), nodes(5, &node5), osds(48, &[])),
            ),
            (
                "2026-11-23T02:14:00Z",
                seen(usage(63), nodes(5, &nodes_down), osds(48, &[24, 40])),
            ),
            (
                "2026-11-23T02:31:00Z",
                seen(
                    usage(63),
                    nodes(5, &nodes_down),
                    osds(48, &[3, 21, 22, 24, 27, 40]),
                ),
            ),
        ])
    }

    /// As bad, and filling by some 75 GiB a day.
    fn growing() -> State {
        let mut state = all_bad();
        let capacity = &mut state.memory.capacity;
        let reading = capacity.last.unwrap();
        capacity.history = History::default();
        for hours in (0..=240_u64).rev() {
            let now = at(NOW) - Duration::from_secs(hours * 3600);
            let aside = hours / 24 % 3 * 20 * GIB;
            let used = reading.used_bytes - hours * 75 * GIB / 24 - aside;
            capacity.history.take_up(used, reading.total_bytes, now);
        }
        state
    }

    /// Ceph reports errors; a third one has come with the last pass.
    fn unhealthy() -> State {
        let reports = |errors: &[(&str, &str)]| {
            let mut observed = all_well();
            let checks = errors.iter().map(|(code, summary)| {
                let severity = HealthSeverity::Error;
                let summary = (*summary).to_owned();
                ((*code).to_owned(), HealthCheck { severity, summary })
            });
            observed.health = Some(Ok(Health {
                checks: checks.collect(),
                muted: BTreeSet::new(),
            }));
            observed
        };
        let mut errors = vec![
            ("OSD_SCRUB_ERRORS", "3 scrub errors"),
            ("PG_DAMAGED", "Possible data damage: 1 pg inconsistent"),
        ];
        let two = reports(&errors);
        errors.push(("MON_CLIENT_HAS_A_VERY_LONG_NAME_FOR_A_CHECK", "2 of these"));
        after(vec![
            ("2026-11-23T02:14:00Z", two.clone()),
            ("2026-11-23T02:15:00Z", two.clone()),
            ("2026-11-23T02:16:00Z", two),
            ("2026-11-23T02:31:00Z", reports(&errors)),
        ])
    }

    fn blind() -> State {
        let ceph = "cannot read capacity: ceph status: exit 13: [errno 13] RADOS permission denied; may client.petanotify \
                    read the keyring? ceph auth get client.petanotify shows what it may do";
        let consul = "cannot ask Consul at http://127.0.0.1:8500/v1/agent/members: connection refused; is the agent \
                      running on this machine? systemctl status consul";
        let blind = || {
            seen(
                Err(ceph.to_owned()),
                Err(consul.to_owned()),
                Err(ceph.replace("capacity", "the OSD tree")),
            )
        };
        after(vec![
            ("2026-11-20T01:02:00Z", all_well()),
            ("2026-11-23T02:20:00Z", blind()),
            ("2026-11-23T02:31:00Z", blind()),
        ])
    }

    fn stuck() -> State {
        let mut state = healthy();
        let alert = Alert {
            cluster: "prod".to_owned(),
            kind: Kind::Raised,
            incident: "nodes-1".to_owned(),
            sequence: 0,
            began: at("2026-11-23T00:20:00Z"),
            raised: at("2026-11-23T00:20:00Z"),
            report: Report::Nodes(Change {
                new: Vec::new(),
                still: Vec::new(),
                over: Vec::new(),
            }),
            elsewhere: Vec::new(),
            never_told: false,
            circumstances: Circumstances::default(),
        };
        let recipients: Vec<Recipient> = ["ops@example.org", "disks@example.org"]
            .iter()
            .map(|address| Recipient::of_everything(address.parse().unwrap()))
            .collect();
        state.queue.add(alert, &recipients, Recovery::Told);
        let failed = Attempt::Failed(
            "mail.example.org:587: cannot connect: connection refused (os error 111)".to_owned(),
        );
        let attempts = state.queue.iter().map(|e| (e.id.clone(), failed.clone()));
        let attempts = attempts.collect();
        state.queue.settle(attempts, at(NOW), 1440, |_, _| {});
        state
    }

    fn at_work() -> State {
        let mut state = all_bad();
        let silence = |id: u32, what: &str, until| Silence {
            id,
            scope: Scope {
                osds: what.parse().into_iter().collect(),
                ..Scope::default()
            },
            since: at(NOW),
            until: at(until),
            why: (id > 1).then(|| "the new rack is on its way, nobody can do anything".to_owned()),
            by: None,
        };
        state.memory.silences = vec![
            silence(1, "3", "2026-11-23T04:00:00Z"),
            silence(2, "", "2026-12-01T08:00:00Z"),
            silence(3, "21-40", "2026-12-01T08:00:00Z"),
            silence(4, "0", "2026-11-23T02:31:08Z"),
        ];
        let ack = |why: Option<&str>| {
            Some(Ack {
                at: at(NOW),
                why: why.map(str::to_owned),
                by: None,
            })
        };
        state.memory.acknowledge(Topic::Nodes, ack(None));
        state.memory.acknowledge(
            Topic::Osds,
            ack(Some("disks ordered, they come on Thursday")),
        );
        state.memory.maintenance = Maintained {
            what: Maintenance {
                flags: [Flag::Noout, Flag::Norebalance].into(),
                flagged: 2,
                mutes: ["OSD_DOWN".to_owned()].into(),
            },
            noout_since: Some(at("2026-11-23T00:20:00Z")),
        };
        state
    }

    /// An OSD and a node flap and are up, another OSD flaps and is down, and one is just down.
    fn flapping() -> State {
        let down = |nodes_down: &[(&str, Absence)], down: &[i64]| {
            seen(usage(41), nodes(5, nodes_down), osds(48, down))
        };
        let (bad, good) = (
            || down(&[("node5", Absence::Failed)], &[3, 21, 24]),
            || down(&[], &[3]),
        );
        after(vec![
            ("2026-11-23T02:10:00Z", bad()),
            ("2026-11-23T02:12:00Z", good()),
            ("2026-11-23T02:14:00Z", bad()),
            ("2026-11-23T02:20:00Z", good()),
            ("2026-11-23T02:28:00Z", bad()),
            ("2026-11-23T02:31:00Z", down(&[], &[3, 21])),
        ])
    }

    fn many() -> State {
        let down: Vec<i64> = (0..3_000).collect();
        after(vec![(
            "2026-11-23T02:31:00Z",
            seen(usage(91), nodes(1000, &[]), osds(10_000, &down)),
        )])
    }

    fn situations() -> Vec<(&'static str, State)> {
        let mut stale = healthy();
        stale.last_pass.as_mut().unwrap().started = at("2026-11-23T02:14:00Z");
        let mut ahead = healthy();
        ahead.last_pass.as_mut().unwrap().started = at("2026-12-23T02:14:00Z");
        let nothing = Observed::default();
        vec![
            ("never-run", State::default()),
            ("healthy", healthy()),
            ("all-bad", all_bad()),
            ("growing", growing()),
            ("at-work", at_work()),
            ("unhealthy", unhealthy()),
            ("many-down", many()),
            ("flapping", flapping()),
            ("blind", blind()),
            ("stale", stale),
            ("clock-set-back", ahead),
            ("mail-stuck", stuck()),
            (
                "nothing-watched",
                after(vec![("2026-11-23T02:31:00Z", nothing)]),
            ),
        ]
    }

    /// Compares whole screens with those in `tests/golden`; with `UPDATE_GOLDEN=1` in the environment it writes them. To
    /// look at one: `cat` it on a terminal.
    #[test]
    fn screens_are_the_golden_ones() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
        for (situation, state) in situations() {
            for (looks, view) in [
                ("80", view(80, 60, false, false)),
                ("80-utf8-colour", view(80, 24, true, true)),
                ("60-utf8", view(60, 24, true, false)),
                ("200-utf8", view(200, 50, true, false)),
            ] {
                let path = format!("{folder}/status-{situation}-{looks}.txt");
                let screen = draw(&state, &view);
                if std::env::var_os("UPDATE_GOLDEN").is_some() {
                    std::fs::write(&path, &screen).unwrap();
                }
                let golden =
                    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
                assert_eq!(
                    screen, golden,
                    "{path} differs; if this is wanted: UPDATE_GOLDEN=1 cargo test --lib screen"
                );
            }
        }
    }

    /// A screen without its escape sequences.
    fn plain(screen: &str) -> String {
        let mut plain = String::new();
        for (place, part) in screen.split("\u{1b}[").enumerate() {
            plain.push_str(match place {
                0 => part,
                _ => part.split_once('m').unwrap().1,
            });
        }
        plain
    }

    #[test]
    fn whatever_is_wrong_fits_the_terminal() {
        for (situation, state) in situations() {
            for width in (40..=130).step_by(10).chain([71, 72, 200, 500]) {
                for height in [24, 30, 60] {
                    let screen = draw(&state, &view(width, height, true, true));
                    let plain = plain(&screen);
                    assert_eq!(
                        plain,
                        draw(&state, &view(width, height, true, false)),
                        "colours change nothing else"
                    );
                    if situation == "never-run" {
                        continue;
                    }
                    for line in plain.lines() {
                        let columns = line.chars().count();
                        assert!(columns <= width, "{situation}, {width} columns: {line}");
                    }
                    let rows = plain.lines().count();
                    assert!(
                        width < 60 || rows < height,
                        "{situation}, {width} columns, {height} rows: {rows} rows\n{plain}"
                    );
                    assert!(draw(&state, &view(width, height, false, true)).is_ascii());
                }
            }
        }
    }

    #[test]
    fn what_is_old_is_told_from_the_first_second_on() {
        let verdict = |pass: &str, now: &str, state: &mut State| {
            if let Some(last) = &mut state.last_pass {
                last.started = at(pass);
            }
            let mut view = view(80, 24, false, false);
            view.now = at(now);
            let screen = draw(state, &view);
            screen.lines().next().unwrap().to_owned()
        };
        let mut healthy = healthy();
        let pass = "2026-11-23T02:31:00Z";
        for (now, expected) in [
            ("2026-11-23T02:34:00Z", "all is well"),
            ("2026-11-23T02:34:01Z", "no pass for 3 min"),
            ("2026-11-23T02:28:00Z", "all is well"),
            ("2026-11-23T02:27:59Z", "the clock was set back"),
        ] {
            let said = verdict(pass, now, &mut healthy);
            assert_eq!(said, format!("Cluster prod: {expected}"), "{now}");
        }
        for (now, expected) in [
            ("2026-11-23T00:30:00Z", "all is well"),
            ("2026-11-23T00:30:01Z", "2 mails stuck"),
        ] {
            let said = verdict(now, now, &mut stuck());
            assert_eq!(said, format!("Cluster prod: {expected}"), "{now}");
        }
    }

    #[test]
    fn a_tiny_terminal_is_no_reason_to_panic() {
        for (_, state) in situations() {
            for width in 0..40 {
                assert!(!draw(&state, &view(width, 1, true, true)).is_empty());
            }
        }
    }

    fn reading(percent: f64, warn_percent: f64, critical_percent: f64) -> Reading {
        Reading {
            level: crate::check::capacity::Level::Ok,
            percent,
            used_bytes: 0,
            total_bytes: 0,
            warn_percent,
            critical_percent,
        }
    }

    #[test]
    fn the_bar_reaches_over_a_mark_only_when_the_level_is_exceeded() {
        for cells in [20, 49, 50, 58, 80] {
            for tenths in 0..=1000 {
                for (warn, critical) in [(60.0, 85.0), (0.5, 99.9), (80.0, 80.0), (84.9, 85.0)] {
                    let percent = f64::from(tenths) / 10.0;
                    let bar = Bar::new(&reading(percent, warn, critical), cells);
                    assert!(bar.filled <= cells, "{percent} {bar:?}");
                    assert_eq!(
                        bar.filled > bar.critical,
                        percent > critical,
                        "{percent} {bar:?}"
                    );
                    // Where both marks are in one cell, that cell stands for the higher one.
                    if bar.warn < bar.critical {
                        assert_eq!(bar.filled > bar.warn, percent > warn, "{percent} {bar:?}");
                    }
                }
            }
        }
        let bar = |percent| Bar::new(&reading(percent, 60.0, 85.0), 50).filled;
        assert_eq!([0.0, 1.9, 41.0, 100.0].map(bar), [0, 0, 20, 50]);
    }

    #[test]
    fn the_levels_are_named_at_their_marks() {
        for (warn, critical, cells, expected) in [
            (
                60.0,
                85.0,
                68,
                "                              warn 60 % ^  critical 85 % ^",
            ),
            (60.0, 85.0, 40, "                   60 % ^    85 % ^"),
            (
                40.0,
                45.0,
                80,
                "                      warn 40 % ^   v critical 45 %",
            ),
            (10.0, 20.0, 40, "warn 10 %, critical 20 %"),
            (95.0, 98.0, 80, "warn 95 %, critical 98 %"),
            (62.5, 62.5, 80, "warn 62.5 %, critical 62.5 %"),
        ] {
            let reading = reading(0.0, warn, critical);
            let labels = Bar::new(&reading, cells).labels(&reading, "^", "v");
            assert_eq!(labels, expected);
        }
    }

    #[test]
    fn small_lists_are_shown_whole() {
        for (rows, wanted, expected) in [
            (10, [0, 2, 3], [0, 2, 3]),
            (10, [0, 2, 300], [0, 2, 8]),
            (10, [0, 300, 2], [0, 8, 2]),
            (10, [0, 300, 400], [0, 5, 5]),
            (0, [0, 300, 2], [0, 1, 1]),
            (3, [0, 0, 2], [0, 0, 2]),
        ] {
            assert_eq!(shares(rows, &wanted), expected, "{rows} for {wanted:?}");
        }
    }

    #[test]
    fn hosts_are_in_the_order_of_their_numbers() {
        let mut names = ["node10", "rack", "node2", "a", "node2b", "node1"];
        names.sort_by_key(|name| wording::natural(name));
        assert_eq!(names, ["a", "node1", "node2", "node10", "node2b", "rack"]);
    }
}
