//! What Prometheus is told of a pass, in its text format, and what is read back of it in the next one. Pure.
//!
//! Counters and the time of the last complete pass go on from the file that the pass before has written, and are no part of
//! the state: they matter to nobody but Prometheus, which takes a counter that begins anew for what it is, and a pass that
//! cannot save its state can still count.

use std::fmt::{Display, Write as _};

use jiff::Timestamp;

use crate::alert::State as CheckState;
use crate::check::CheckName;
use crate::state::{LastPass, State};

/// What goes on from pass to pass.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Carried {
    /// When the last complete pass began, in seconds since 1970; 0 if there has been none.
    pub last_success: f64,
    /// Mails that the mail server has taken over.
    pub sent: u64,
    /// Attempts to send a mail that failed.
    pub failed: u64,
    /// Mails given up after the last attempt.
    pub dropped: u64,
}

const LAST_SUCCESS: &str = "petanotify_last_success_timestamp_seconds";
const SENT: &str = "petanotify_mails_sent_total";
const FAILED: &str = "petanotify_mails_failed_total";
const DROPPED: &str = "petanotify_mails_dropped_total";

impl Carried {
    /// Reads what an earlier pass has written. What is not there, or is no number, begins anew.
    pub fn read(page: &str) -> Carried {
        let value = |name: &str| {
            let mut values = page.lines().filter_map(|line| line.split_once(' '));
            values.find_map(|(key, value)| (key == name).then_some(value))
        };
        let count = |name: &str| value(name).and_then(|text| text.parse().ok());
        let time = value(LAST_SUCCESS).and_then(|text| text.parse().ok());
        Carried {
            last_success: time.filter(|time: &f64| time.is_finite()).unwrap_or(0.0),
            sent: count(SENT).unwrap_or(0),
            failed: count(FAILED).unwrap_or(0),
            dropped: count(DROPPED).unwrap_or(0),
        }
    }

    /// Takes up how the checks and the saving of a pass went.
    pub fn take_up(&mut self, pass: &LastPass) {
        if pass.complete {
            self.last_success = seconds(pass.started);
        }
    }
}

/// Whether the node that writes the page speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// It is alone.
    Alone,
    /// It speaks for several nodes.
    Speaker,
    /// Another node speaks, and tells the state of the cluster.
    Silent,
}

/// The whole page: `state` as the pass has left it, how the pass went, and what goes on.
pub fn render(state: &State, pass: &LastPass, carried: &Carried, voice: Voice) -> String {
    let mut page = Page(String::new());
    page.gauge(
        "petanotify_build_info",
        "The release that carries out the passes, always 1.",
    );
    page.labelled(
        "petanotify_build_info",
        &[("version", env!("CARGO_PKG_VERSION"))],
        1,
    );
    page.one(
        "petanotify_last_pass_timestamp_seconds",
        "When the last pass began.",
        seconds(pass.started),
    );
    page.one(
        LAST_SUCCESS,
        "When the last pass began in which every check was carried out, no mail was left over and all was saved; 0 for never.",
        carried.last_success,
    );
    let milliseconds = pass.duration_ms as f64;
    page.one(
        "petanotify_last_pass_duration_seconds",
        "How long the last pass took.",
        milliseconds / 1000.0,
    );
    if voice != Voice::Alone {
        page.one(
            "petanotify_speaker",
            "1 on the node that speaks for all, 0 on those that are silent.",
            u8::from(voice == Voice::Speaker),
        );
    }
    if voice != Voice::Silent {
        cluster(&mut page, state, pass);
    }
    page.counter(SENT, "Mails that the mail server took over.", carried.sent);
    page.counter(
        FAILED,
        "Attempts to send a mail that failed.",
        carried.failed,
    );
    page.counter(
        DROPPED,
        "Mails given up after the last attempt.",
        carried.dropped,
    );
    page.0
}

/// What the node that speaks knows of the cluster and the mails.
fn cluster(page: &mut Page, state: &State, pass: &LastPass) {
    checks(page, state);
    down(page, state);
    if let Some(reading) = &state.memory.capacity.last {
        page.one(
            "petanotify_capacity_used_bytes",
            "Raw bytes in use, as last seen.",
            reading.used_bytes,
        );
        page.one(
            "petanotify_capacity_total_bytes",
            "Raw bytes in all, as last seen.",
            reading.total_bytes,
        );
    }
    if let Some(growth) = state.memory.capacity.growth(pass.started) {
        page.one(
            "petanotify_capacity_growth_bytes_per_day",
            "Raw bytes by which the use grows in a day, over the last two weeks; below 0 it shrinks.",
            growth.bytes_per_day,
        );
    }
    page.one(
        "petanotify_queue_length",
        "Mails that are pending.",
        state.queue.len(),
    );
    if let Some(oldest) = state.queue.oldest() {
        page.one(
            "petanotify_queue_oldest_timestamp_seconds",
            "Since when the oldest pending mail has been owed; absent while none is pending.",
            seconds(oldest),
        );
    }
}

/// One series for each state, of which one is 1: so each can be counted, graphed and alerted on by itself.
fn checks(page: &mut Page, state: &State) {
    let name = "petanotify_check_state";
    let outcomes = &state.memory.outcomes;
    if outcomes.is_empty() {
        return;
    }
    page.gauge(name, "1 for the state that the check is in, else 0.");
    for (check, outcome) in outcomes {
        for state in [CheckState::Ok, CheckState::Alert, CheckState::Unknown] {
            let labels = [("check", check.as_str()), ("state", state.as_str())];
            page.labelled(name, &labels, u8::from(outcome.state == state));
        }
    }
}

/// What is remembered as down counts on while it can't be seen, or an alert would end just when nobody knows. Without such
/// a thing 0 would be a guess.
fn down(page: &mut Page, state: &State) {
    let memory = &state.memory;
    for (check, name, help, number) in [
        (
            CheckName::Nodes,
            "petanotify_nodes_down",
            "Nodes that are down, as last seen.",
            memory.nodes.down_now(),
        ),
        (
            CheckName::Osds,
            "petanotify_osds_down",
            "OSDs that are not up, as last seen.",
            memory.osds.down_now() + memory.osds_with_nodes.len(),
        ),
        (
            CheckName::Health,
            "petanotify_health_checks",
            "Health checks of Ceph that are raised and not left out, as last seen.",
            memory.health.down.len(),
        ),
        (
            CheckName::Nodes,
            "petanotify_nodes_flapping",
            "Nodes that flap, be they down or up just now, as last seen.",
            memory.nodes.flapping(),
        ),
        (
            CheckName::Osds,
            "petanotify_osds_flapping",
            "OSDs that flap, be they down or up just now, as last seen.",
            memory.osds.flapping(),
        ),
    ] {
        let Some(outcome) = memory.outcomes.get(&check) else {
            continue;
        };
        if outcome.state != CheckState::Unknown || number > 0 {
            page.one(name, help, number);
        }
    }
}

fn seconds(time: Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1000.0
}

/// The text format of Prometheus, version 0.0.4. No label and no help text holds anything that needs escaping.
struct Page(String);

impl Page {
    /// Begins a family of series that go up and down.
    fn gauge(&mut self, name: &str, help: &str) {
        self.family(name, "gauge", help);
    }

    /// A gauge of one series without labels.
    fn one(&mut self, name: &str, help: &str, value: impl Display) {
        self.gauge(name, help);
        self.labelled(name, &[], value);
    }

    /// A counter of one series without labels.
    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "counter", help);
        self.labelled(name, &[], value);
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn labelled(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(label, value)| format!("{label}=\"{value}\""))
            .collect();
        match labels.is_empty() {
            true => self.line(format_args!("{name} {value}")),
            false => self.line(format_args!("{name}{{{}}} {value}", labels.join(","))),
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing into a String can't fail.
        let _ = writeln!(self.0, "{line}");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use super::*;
    use crate::alert::{Alert, CapacityMemory, Circumstances, Memory, Outcome, Report};
    use crate::check::capacity::{Level, Reading};
    use crate::check::growth::History;
    use crate::facts::{DownOsd, OsdId};
    use crate::incident::{Change, Down, Kind, Watch};
    use crate::queue::{Queue, Recovery};

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    fn outcome(state: CheckState) -> Outcome {
        Outcome {
            state,
            since: at("2026-11-23T02:14:00Z"),
            summary: String::new(),
            error: None,
            known: None,
            basis: None,
        }
    }

    fn pass(complete: bool) -> LastPass {
        LastPass {
            started: at("2026-11-23T02:54:00.125Z"),
            duration_ms: 712,
            complete,
        }
    }

    /// By 20 GB a day, up to the pass.
    fn growing() -> History {
        let mut history = History::default();
        for hours in (0..=240).rev() {
            let now = at("2026-11-23T02:54:00Z") - jiff::Span::new().hours(hours);
            let used = 5_398_000_000_000 - u64::try_from(hours).unwrap() * 20_000_000_000 / 24;
            history.take_up(used, 8_796_093_022_208, now);
        }
        history
    }

    /// Two OSDs are down, the nodes can't be seen, the storage is nearly full, a mail waits.
    fn trouble() -> State {
        let osd = |id| {
            let down = Down {
                since: at("2026-11-23T02:14:00Z"),
                passes: 3,
                announced: true,
                flapping: None,
                what: DownOsd {
                    host: Some("node3".to_owned()),
                    status: "down".to_owned(),
                    out: false,
                    stray: false,
                },
            };
            (OsdId(id), down)
        };
        let mut queue = Queue::default();
        let alert = Alert {
            cluster: "prod".to_owned(),
            kind: Kind::Raised,
            incident: "osds-20261123T021400.000Z".to_owned(),
            sequence: 0,
            began: at("2026-11-23T02:14:00Z"),
            raised: at("2026-11-23T02:14:00Z"),
            report: Report::Osds(Change {
                new: Vec::new(),
                still: Vec::new(),
                over: Vec::new(),
            }),
            elsewhere: Vec::new(),
            never_told: false,
            circumstances: Circumstances::default(),
        };
        queue.add(alert, &[], Recovery::Told);
        State {
            memory: Memory {
                capacity: CapacityMemory {
                    level: Level::Warn,
                    last: Some(Reading {
                        level: Level::Warn,
                        percent: 61.0,
                        used_bytes: 5_398_000_000_000,
                        total_bytes: 8_796_093_022_208,
                        warn_percent: 60.0,
                        critical_percent: 85.0,
                    }),
                    history: growing(),
                    ..CapacityMemory::default()
                },
                osds: Watch {
                    down: BTreeMap::from([osd(4), osd(7)]),
                    ..Watch::default()
                },
                outcomes: BTreeMap::from([
                    (CheckName::Capacity, outcome(CheckState::Ok)),
                    (CheckName::Nodes, outcome(CheckState::Unknown)),
                    (CheckName::Osds, outcome(CheckState::Alert)),
                ]),
                ..Memory::default()
            },
            queue,
            ..State::default()
        }
    }

    /// Compares a whole page with the one in `tests/golden`; with `UPDATE_GOLDEN=1` in the environment it writes it.
    #[test]
    fn the_page_is_the_golden_one() {
        let carried = Carried {
            last_success: 1_795_399_980.5,
            sent: 12,
            failed: 3,
            dropped: 1,
        };
        let page = render(&trouble(), &pass(false), &carried, Voice::Alone);
        let page = page.replace(env!("CARGO_PKG_VERSION"), "VERSION");
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/metrics.prom");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        let golden = std::fs::read_to_string(path).unwrap();
        assert_eq!(page, golden, "UPDATE_GOLDEN=1 cargo test writes it anew");
    }

    #[test]
    fn what_was_written_is_read_back() {
        let mut carried = Carried {
            last_success: 1_795_399_980.5,
            sent: u64::MAX,
            failed: 3,
            dropped: 0,
        };
        for complete in [false, true] {
            carried.take_up(&pass(complete));
            let page = render(&trouble(), &pass(complete), &carried, Voice::Alone);
            assert_eq!(Carried::read(&page), carried);
        }
        assert_eq!(carried.last_success, 1_795_402_440.125);
    }

    #[test]
    fn what_cannot_be_read_begins_anew() {
        for page in [
            "",
            "petanotify_mails_sent_total",
            "petanotify_mails_sent_total -1\npetanotify_last_success_timestamp_seconds NaN\n",
            "# petanotify_mails_sent_total 5\nxpetanotify_mails_sent_total 5\n",
            "petanotify_mails_sent_total{a=\"b\"} 5\n\u{0}\u{fffd}",
        ] {
            assert_eq!(Carried::read(page), Carried::default(), "{page}");
        }
    }

    #[test]
    fn nothing_is_said_of_what_nobody_has_seen() {
        let mut state = State::default();
        let silent = render(&state, &pass(true), &Carried::default(), Voice::Alone);
        for name in ["check_state", "_down", "capacity", "oldest"] {
            assert!(!silent.contains(name), "{name}:\n{silent}");
        }
        let unknown = outcome(CheckState::Unknown);
        state.memory.outcomes = BTreeMap::from([(CheckName::Osds, unknown)]);
        let blind = render(&state, &pass(true), &Carried::default(), Voice::Alone);
        assert!(!blind.contains("petanotify_osds_down"), "{blind}");
        let fine = outcome(CheckState::Ok);
        state.memory.outcomes = BTreeMap::from([(CheckName::Osds, fine)]);
        let seen = render(&state, &pass(true), &Carried::default(), Voice::Alone);
        assert!(seen.contains("\npetanotify_osds_down 0\n"), "{seen}");
        assert!(!seen.contains("petanotify_nodes_down"), "{seen}");
    }

    #[test]
    fn a_silent_node_tells_that_it_lives_and_leaves_the_cluster_to_the_speaker() {
        let page = |voice| render(&trouble(), &pass(true), &Carried::default(), voice);
        assert!(!page(Voice::Alone).contains("petanotify_speaker"));
        let speaker = page(Voice::Speaker);
        assert!(speaker.contains("\npetanotify_speaker 1\n"));
        assert!(speaker.contains("petanotify_check_state{"));
        let silent = page(Voice::Silent);
        assert!(silent.contains("\npetanotify_speaker 0\n"));
        assert!(silent.contains("\npetanotify_last_pass_timestamp_seconds "));
        assert!(!silent.contains("petanotify_check_state"));
        assert!(!silent.contains("petanotify_queue_length"));
    }
}
