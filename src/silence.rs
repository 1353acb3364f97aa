//! Silences: what an admin does not want to be told of for some time, because somebody works on it. Pure.
//!
//! A thing that is silenced is watched as ever and not told. When its silence is over and the thing is still down, the next
//! pass tells it, as if it had gone down then. What was told before the silence began and ends in it is told to be over.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::civil;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};

use crate::cause::short_name;
use crate::check::CheckName;
use crate::facts::OsdId;
use crate::settings::RootCause;
use crate::wording;

/// The longest silence: longer than any work on a cluster that is planned in one piece. A forgotten one ends by itself.
pub const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// So many silences may last at a time: all of them are in the state, and in every mail that is sent meanwhile.
pub const MOST: usize = 50;

/// So many nodes, and as many ranges of OSDs, may be named in one.
pub const MOST_NAMED: usize = 50;

/// The longest reason, in characters.
pub const WHY_CHARS: usize = 200;

/// What nobody wants to be told of until a certain time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Silence {
    /// To end it with: 1, 2, 3 and so on.
    pub id: u32,
    /// What it is about.
    pub scope: Scope,
    /// When it began.
    pub since: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// What is being done.
    pub why: Option<String>,
    /// The login name of who wanted it, as far as the environment told.
    pub by: Option<String>,
}

/// What a silence is about: these things, as far as these checks find them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// What only these checks find; empty: whatever any of them finds.
    pub checks: BTreeSet<CheckName>,
    /// Nodes, and the OSDs on the CRUSH hosts of these names. With `osds` empty as well: everything.
    pub nodes: BTreeSet<String>,
    /// OSDs.
    pub osds: BTreeSet<OsdRange>,
}

/// OSDs whose numbers follow one another, written `4`, `osd.4` or `4-9`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OsdRange {
    /// The lowest number.
    pub first: i64,
    /// The highest number; not below `first`.
    pub last: i64,
}

impl OsdRange {
    fn covers(self, OsdId(id): OsdId) -> bool {
        (self.first..=self.last).contains(&id)
    }
}

impl FromStr for OsdRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| -> Option<i64> {
            let digits = text.strip_prefix("osd.").unwrap_or(text);
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|_| plain)
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => Ok(OsdRange { first, last }),
            _ => Err("write OSDs as 4, osd.4 or 4-9".to_owned()),
        }
    }
}

impl TryFrom<String> for OsdRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<OsdRange> for String {
    fn from(range: OsdRange) -> String {
        range.to_string()
    }
}

impl fmt::Display for OsdRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => write!(f, "osd.{}", self.first),
            false => write!(f, "osd.{}-{}", self.first, self.last),
        }
    }
}

impl Scope {
    /// Whether it is about all there is.
    pub fn is_everything(&self) -> bool {
        *self == Scope::default()
    }

    /// Whether it is about anything at all: nodes are named, and the checks that find nodes or OSDs are left out, say.
    ///
    /// # Errors
    /// Says why not.
    pub fn check(&self) -> Result<(), String> {
        let finds = |check| self.checks.is_empty() || self.checks.contains(&check);
        let (nodes, osds) = (finds(CheckName::Nodes), finds(CheckName::Osds));
        if self.osds.is_empty() && self.nodes.is_empty() {
            return Ok(());
        }
        if !self.osds.is_empty() && !osds {
            return Err("an OSD is found by the check osds alone".to_owned());
        }
        if !self.nodes.is_empty() && !nodes && !osds {
            return Err("a node and its OSDs are found by the checks nodes and osds".to_owned());
        }
        Ok(())
    }

    /// Whether a node is silenced.
    pub fn covers_node(&self, name: &str) -> bool {
        self.finds(CheckName::Nodes) && (self.is_about_any_thing() || self.names(name))
    }

    /// Whether an OSD is silenced that is on this CRUSH host; `rules` know which node that is.
    pub fn covers_osd(&self, id: OsdId, host: Option<&str>, rules: &RootCause) -> bool {
        let is_there = |host| self.covers_osds_of(host) || self.covers_osds_of(rules.node_of(host));
        host.is_some_and(is_there)
            || self.finds(CheckName::Osds)
                && (self.is_about_any_thing() || self.osds.iter().any(|range| range.covers(id)))
    }

    /// Whether all OSDs of a node are silenced.
    pub fn covers_osds_of(&self, node: &str) -> bool {
        self.finds(CheckName::Osds) && (self.is_about_any_thing() || self.names(node))
    }

    /// Whether all that a check tells is silenced: also how full the storage is, and that the check can't be carried out.
    pub fn covers_check(&self, check: CheckName) -> bool {
        self.finds(check) && self.is_about_any_thing()
    }

    fn finds(&self, check: CheckName) -> bool {
        self.checks.is_empty() || self.checks.contains(&check)
    }

    fn is_about_any_thing(&self) -> bool {
        self.nodes.is_empty() && self.osds.is_empty()
    }

    fn names(&self, host: &str) -> bool {
        self.nodes.iter().any(|node| is_same_machine(node, host))
    }
}

/// A part of what a silence is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About<'a> {
    /// All there is.
    Everything,
    /// All that a check finds.
    Check(CheckName),
    /// A node, its OSDs left out.
    Node(&'a str),
    /// A node and the OSDs on it.
    NodeAndOsds(&'a str),
    /// The OSDs on a node.
    OsdsOf(&'a str),
    /// OSDs by their numbers.
    Osds(OsdRange),
}

impl Scope {
    /// What it is about, part by part.
    pub fn about(&self) -> Vec<About<'_>> {
        if self.is_everything() {
            return vec![About::Everything];
        }
        if self.is_about_any_thing() {
            return self.checks.iter().copied().map(About::Check).collect();
        }
        let (nodes, osds) = (self.finds(CheckName::Nodes), self.finds(CheckName::Osds));
        let nodes = self.nodes.iter().map(|node| match (nodes, osds) {
            (true, true) => About::NodeAndOsds(node),
            (false, true) => About::OsdsOf(node),
            (_, false) => About::Node(node),
        });
        let osds = self.osds.iter().copied().map(About::Osds);
        nodes.chain(osds).collect()
    }
}

/// `everything`, `capacity`, `node3 with its OSDs, osd.4-9`, `OSDs on node3`
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = self.about().into_iter().map(|about| match about {
            About::Everything => "everything".to_owned(),
            About::Check(check) => check.to_string(),
            About::Node(node) => wording::name(node),
            About::NodeAndOsds(node) => format!("{} with its OSDs", wording::name(node)),
            About::OsdsOf(node) => format!("OSDs on {}", wording::name(node)),
            About::Osds(range) => range.to_string(),
        });
        let about: Vec<String> = about.collect();
        f.write_str(&about.join(", "))
    }
}

/// Whether two names are those of one machine: by the short name, in whatever case, for Consul, CRUSH and people write it
/// differently.
fn is_same_machine(one: &str, other: &str) -> bool {
    short_name(one).to_lowercase() == short_name(other).to_lowercase()
}

impl Silence {
    /// Makes the clock of today the measure: a silence lasts no longer than was meant, wherever the clock jumps.
    pub fn set_clock(&mut self, now: Timestamp) {
        if self.since > now {
            let length = self.until.duration_since(self.since);
            self.until = now.checked_add(length).unwrap_or(now);
            self.since = now;
        }
    }

    /// Whether it is over.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until <= now
    }
}

/// The id of one more silence: short, and not that of one that has just ended, while others last.
pub fn next_id(silences: &[Silence]) -> u32 {
    let highest = silences.iter().map(|silence| silence.id).max();
    highest.unwrap_or(0).saturating_add(1)
}

/// When a silence ends for which somebody has typed this: `14:00` (the next time the clock shows that), `2026-11-24 14:00`,
/// both in `zone`, or a time with an offset as in RFC 3339.
///
/// # Errors
/// Says what is allowed, also where the time is over already or more than 30 days ahead.
pub fn until(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    let text = text.trim();
    let at = |time: civil::DateTime| time.to_zoned(zone.clone()).ok().map(|at| at.timestamp());
    let today = now.to_zoned(zone.clone()).date();
    // Nobody types 08:30.
    let time = || text.parse().or_else(|_| format!("0{text}").parse());
    let by_clock = |time: civil::Time| {
        let tomorrow = today.checked_add(1.day()).ok()?;
        let times = [today, tomorrow].map(|day| at(day.to_datetime(time)));
        times.into_iter().flatten().find(|time| *time > now)
    };
    let found = (text.parse::<Timestamp>().ok())
        .or_else(|| text.parse::<civil::DateTime>().ok().and_then(at))
        .or_else(|| by_clock(time().ok()?));
    let Some(until) = found else {
        return Err(format!(
            "\"{text}\" is no time; write e.g. 14:00, \"2026-11-24 14:00\" or 2026-11-24T14:00:00Z"
        ));
    };
    match Duration::try_from(until.duration_since(now)) {
        Ok(length) if length.is_zero() => Err(format!("{text} is now")),
        Ok(length) if length <= LONGEST => Ok(until),
        Ok(_) => Err(format!("{text} is more than 30 days ahead")),
        Err(_) => Err(format!("{text} is over already")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// `capacity,osds node3 osd.4`
    fn scope(text: &str) -> Scope {
        let mut scope = Scope::default();
        for word in text.split_whitespace() {
            if let Some(check) = CheckName::named(word) {
                scope.checks.insert(check);
            } else if let Ok(range) = word.parse() {
                scope.osds.insert(range);
            } else {
                scope.nodes.insert(word.to_owned());
            }
        }
        scope
    }

    #[test]
    fn a_silence_is_about_what_it_names() {
        // Scope, as it is shown, whether it covers: node3, node4, osd.4 on node3, osd.7 on node4, stray osd.9; capacity; being
        // blind for nodes, for OSDs.
        for (text, shown, covered) in [
            (
                "",
                "everything",
                "node3 node4 osd.4 osd.7 osd.9 capacity nodes osds",
            ),
            ("capacity", "capacity", "capacity"),
            ("nodes", "nodes", "node3 node4 nodes"),
            ("osds", "osds", "osd.4 osd.7 osd.9 osds"),
            (
                "capacity osds",
                "capacity, osds",
                "osd.4 osd.7 osd.9 capacity osds",
            ),
            ("node3", "node3 with its OSDs", "node3 osd.4"),
            (
                "NODE3.example.org",
                "NODE3.example.org with its OSDs",
                "node3 osd.4",
            ),
            ("nodes node3", "node3", "node3"),
            ("osds node3", "OSDs on node3", "osd.4"),
            (
                "node3 node4",
                "node3 with its OSDs, node4 with its OSDs",
                "node3 node4 osd.4 osd.7",
            ),
            ("osd.7", "osd.7", "osd.7"),
            ("7-9", "osd.7-9", "osd.7 osd.9"),
            ("node4 4", "node4 with its OSDs, osd.4", "node4 osd.4 osd.7"),
            ("node", "node with its OSDs", ""),
        ] {
            let scope = scope(text);
            assert_eq!(scope.to_string(), shown);
            let rules = RootCause::default();
            let things = [
                ("node3", scope.covers_node("node3")),
                ("node4", scope.covers_node("node4")),
                ("osd.4", scope.covers_osd(OsdId(4), Some("Node3"), &rules)),
                (
                    "osd.7",
                    scope.covers_osd(OsdId(7), Some("node4.example.org"), &rules),
                ),
                ("osd.9", scope.covers_osd(OsdId(9), None, &rules)),
                ("capacity", scope.covers_check(CheckName::Capacity)),
                ("nodes", scope.covers_check(CheckName::Nodes)),
                ("osds", scope.covers_check(CheckName::Osds)),
            ];
            let found = things.iter().filter(|(_, covers)| *covers);
            let found: Vec<&str> = found.map(|(thing, _)| *thing).collect();
            assert_eq!(found.join(" "), covered, "{text}");
        }
    }

    #[test]
    fn what_no_check_finds_cannot_be_silenced() {
        for (text, allowed) in [
            ("", true),
            ("capacity", true),
            ("node3 4", true),
            ("osds node3 4", true),
            ("nodes node3", true),
            ("nodes 4", false),
            ("nodes node3 4", false),
            ("capacity node3", false),
            ("capacity 4", false),
        ] {
            assert_eq!(scope(text).check().is_ok(), allowed, "{text}");
        }
    }

    #[test]
    fn osds_are_typed_as_people_do() {
        for (text, shown) in [
            ("4", "osd.4"),
            ("osd.4", "osd.4"),
            ("4-9", "osd.4-9"),
            ("osd.4-9", "osd.4-9"),
            ("osd.4-osd.9", "osd.4-9"),
            ("4-4", "osd.4"),
        ] {
            let range: OsdRange = text.parse().unwrap();
            assert_eq!(range.to_string(), shown);
            assert_eq!(range.to_string().parse(), Ok(range));
        }
        for text in [
            "",
            "-",
            "-4",
            "9-4",
            "4-",
            "4,5",
            "osd4",
            "+4",
            "4-9-12",
            "99999999999999999999",
        ] {
            assert!(text.parse::<OsdRange>().is_err(), "{text}");
        }
    }

    #[test]
    fn names_of_one_machine_differ_in_case_and_domain() {
        for (one, other, same) in [
            ("node3", "NODE3", true),
            ("node3", "node3.example.org", true),
            ("node3.a", "node3.b", true),
            ("node3", "node30", false),
            ("GRÖSSE", "größe", false),
            ("KNÖTCHEN", "knötchen", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("10.0.0.1", "10.0.0.1", true),
        ] {
            assert_eq!(is_same_machine(one, other), same, "{one} {other}");
        }
    }

    fn silence(id: u32, since: &str, until: &str) -> Silence {
        Silence {
            id,
            scope: Scope::default(),
            since: since.parse().unwrap(),
            until: until.parse().unwrap(),
            why: None,
            by: None,
        }
    }

    #[test]
    fn a_silence_lasts_no_longer_than_was_meant() {
        let (begin, end) = ("2026-11-23T12:00:00Z", "2026-11-23T14:00:00Z");
        for (now, since, until, over) in [
            ("2026-11-23T12:00:00Z", begin, end, false),
            ("2026-11-23T13:59:59Z", begin, end, false),
            ("2026-11-23T14:00:00Z", begin, end, true),
            // The clock was set back, by an hour and by a year.
            (
                "2026-11-23T11:00:00Z",
                "2026-11-23T11:00:00Z",
                "2026-11-23T13:00:00Z",
                false,
            ),
            (
                "2025-11-23T12:00:00Z",
                "2025-11-23T12:00:00Z",
                "2025-11-23T14:00:00Z",
                false,
            ),
        ] {
            let mut silence = silence(1, begin, end);
            let now: Timestamp = now.parse().unwrap();
            silence.set_clock(now);
            let times = (silence.since.to_string(), silence.until.to_string());
            assert_eq!(times, (since.to_owned(), until.to_owned()), "{now}");
            assert_eq!(silence.is_over(now), over, "{now}");
        }
    }

    #[test]
    fn ids_are_short() {
        let of = |ids: &[u32]| {
            let end = "2026-11-23T14:00:00Z";
            let silences: Vec<Silence> = ids.iter().map(|id| silence(*id, end, end)).collect();
            next_id(&silences)
        };
        assert_eq!([of(&[]), of(&[1, 2]), of(&[2]), of(&[3, 1])], [1, 3, 3, 4]);
    }

    #[test]
    fn the_end_is_typed_as_people_do() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let berlin = TimeZone::fixed(jiff::tz::offset(1));
        for (text, expected) in [
            ("14:00", "2026-11-23T13:00:00Z"),
            ("13:00:01", "2026-11-23T12:00:01Z"),
            // Here it is 13:00 now: the next one is tomorrow.
            ("13:00", "2026-11-24T12:00:00Z"),
            ("8:30", "2026-11-24T07:30:00Z"),
            (" 2026-11-24 14:00 ", "2026-11-24T13:00:00Z"),
            ("2026-11-24T14:00", "2026-11-24T13:00:00Z"),
            ("2026-11-24T14:00:00Z", "2026-11-24T14:00:00Z"),
            ("2026-11-24 14:00+05:00", "2026-11-24T09:00:00Z"),
            ("2026-12-23 13:00", "2026-12-23T12:00:00Z"),
        ] {
            let until = until(text, now, &berlin).map(|until| until.to_string());
            assert_eq!(until, Ok(expected.to_owned()), "{text}");
        }
        for (text, reason) in [
            ("", "is no time"),
            ("2h", "is no time"),
            ("25:00", "is no time"),
            ("2026-11-23 12:59", "is over already"),
            ("2026-11-23T12:00:00Z", "is now"),
            ("2026-12-23 13:01", "more than 30 days"),
        ] {
            let told = until(text, now, &berlin).unwrap_err();
            assert!(told.contains(reason), "{text}: {told}");
        }
    }
}
