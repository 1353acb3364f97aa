//! How things are said: numbers, ages, names and the one-line summaries that mails, `status` and `check` share.

pub mod growth;
pub mod health;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::alert::{Maintained, Memory, Withheld};
use crate::check::capacity::{Level, Reading};
use crate::facts::{Absence, DownOsd, Flag, Membership, OsdId};
use crate::incident::{Ack, Down, Watch};
use crate::settings::Hold;
use crate::silence::Silence;
use crate::speaker::Skew;
use crate::text::one_line;

/// The longest name that is written out; a node's or host's name is at most 64 characters on Linux (hostname(7)).
const NAME_CHARS: usize = 64;

/// A name as it came from the cluster, made harmless: one line, no control characters, nothing that turns the direction of
/// the text that follows (Unicode Technical Report 36, section 2.5), cut at 64 characters.
pub fn name(raw: &str) -> String {
    // Nearly all are so.
    if raw.len() <= NAME_CHARS && raw.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return raw.to_owned();
    }
    let mut clean: String = raw
        .chars()
        .take(NAME_CHARS)
        .map(|c| if harmless(c) { c } else { '?' })
        .collect();
    if raw.chars().nth(NAME_CHARS).is_some() {
        clean.pop();
        clean.push('…');
    }
    clean
}

fn harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(c,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// `1 OSD`, `2 OSDs`, `2 passes`
pub fn count(number: usize, noun: &str) -> String {
    let plural = match number {
        1 => "",
        _ if noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{number} {noun}{plural}")
}

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Of one second.
    Seconds,
    /// Of 60 seconds.
    Minutes,
    /// Of 60 minutes.
    Hours,
    /// Of 24 hours.
    Days,
}

/// A length of time in its two largest units; the second is left out where it adds nothing.
pub fn units(length: Duration) -> ((u64, Unit), Option<(u64, Unit)>) {
    let seconds = length.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let (large, small) = if days > 0 {
        ((days, Unit::Days), (hours % 24, Unit::Hours))
    } else if hours > 0 {
        ((hours, Unit::Hours), (minutes % 60, Unit::Minutes))
    } else if minutes > 0 {
        return ((minutes, Unit::Minutes), None);
    } else {
        return ((seconds, Unit::Seconds), None);
    };
    (large, Some(small).filter(|(number, _)| *number > 0))
}

/// A length of time in its two largest units: `40 s`, `3 min`, `2 h 10 min`, `5 d 3 h`.
pub fn duration(length: Duration) -> String {
    let one = |(number, unit)| {
        let unit = match unit {
            Unit::Seconds => "s",
            Unit::Minutes => "min",
            Unit::Hours => "h",
            Unit::Days => "d",
        };
        format!("{number} {unit}")
    };
    let (large, small) = units(length);
    match small {
        None => one(large),
        Some(small) => format!("{} {}", one(large), one(small)),
    }
}

/// How long something took: `412 ms`, `3.2 s`, `1 min`.
pub fn milliseconds(number: u64) -> String {
    match number {
        0..1000 => format!("{number} ms"),
        1000..60_000 => format!("{}.{} s", number / 1000, number / 100 % 10),
        _ => duration(Duration::from_millis(number)),
    }
}

/// A point in time for a reader in this time zone: `2026-11-23 02:14 CET`.
pub fn time(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone())
        .strftime("%Y-%m-%d %H:%M %Z")
        .to_string()
}

/// A number of bytes in the units that `ceph status` prints: `1.5 TiB`.
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut value = number as f64;
    let mut unit = 0;
    // 999.5 would be printed with four digits: better 0.98 of the next unit.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let decimals = match value {
        _ if unit == 0 => 0,
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {}", UNITS[unit])
}

/// Percent with no more digits than it takes to be true: never rounded up past a limit that has not been reached, and
/// visibly above the limit that has been.
pub fn percent_digits(percent: f64, limit: f64) -> String {
    for decimals in 0..=3_u8 {
        let scale = 10_f64.powi(decimals.into());
        let cut = (percent * scale).floor() / scale;
        if cut > limit || decimals == 3 || percent <= limit {
            return format!("{cut:.*}", usize::from(decimals));
        }
    }
    percent.to_string()
}

/// The same with its sign: `61 %`
pub fn percent_over(percent: f64, limit: f64) -> String {
    format!("{} %", percent_digits(percent, limit))
}

/// A threshold as the admin wrote it: `60 %`, `62.5 %`.
pub fn threshold(percent: f64) -> String {
    format!("{percent} %")
}

/// How full the storage is, measured by its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fullness {
    /// Nothing to tell.
    Fine,
    /// The level is warn, and is not left yet though the storage is less full than that.
    JustBelow,
    /// Over the level warn.
    Over,
    /// The level is critical, and is not left yet though the storage is less full than that.
    CriticalJustBelow,
    /// Over the level critical.
    CriticalOver,
}

/// See [`Fullness`].
pub fn fullness(report: &Reading) -> Fullness {
    match report.level {
        Level::Ok => Fullness::Fine,
        Level::Warn if report.percent <= report.warn_percent => Fullness::JustBelow,
        Level::Warn => Fullness::Over,
        Level::Critical if report.percent <= report.critical_percent => Fullness::CriticalJustBelow,
        Level::Critical => Fullness::CriticalOver,
    }
}

/// `61 % full (over 60 %)`
pub fn capacity_level(report: &Reading) -> String {
    let limit = report.limit();
    let percent = percent_over(report.percent, limit);
    let limit = threshold(limit);
    match fullness(report) {
        Fullness::Fine => format!("{percent} full"),
        Fullness::JustBelow => format!("{percent} full (only just below {limit})"),
        Fullness::Over => format!("{percent} full (over {limit})"),
        Fullness::CriticalJustBelow => {
            format!("{percent} full (only just below {limit}, critical)")
        }
        Fullness::CriticalOver => format!("{percent} full (over {limit}, critical)"),
    }
}

/// One line for `check` and `status`.
pub fn capacity_summary(report: &Reading) -> String {
    format!(
        "storage {}, {} of {}",
        capacity_level(report),
        bytes(report.used_bytes),
        bytes(report.total_bytes)
    )
}

/// What could not be read below the nodes' folder in Consul, if anything.
pub fn unreadable_nodes(membership: &Membership) -> Option<String> {
    let broken = &membership.unreadable;
    let (head, consequence) = match broken.len() {
        0 => return None,
        1 => ("1 node's entry".to_owned(), "it is not watched"),
        many => (format!("{many} nodes' entries"), "they are not watched"),
    };
    let told = broken
        .iter()
        .map(|(key, reason)| format!("{}: {reason}", name(key)));
    Some(format!(
        "{head} in Consul cannot be read, so {consequence}: {}",
        list_first(told, 5)
    ))
}

/// One line for `check` and `status`.
pub fn nodes_summary(
    watch: &Watch<String, Absence>,
    total: usize,
    withheld: Withheld,
    hold: Hold,
) -> String {
    let names = watch.down.iter();
    let names = names.map(|(node, down)| marked(name(node), down));
    let notes = not_told(watch, withheld, hold);
    let number = (watch.down_now(), watch.flapping());
    summary("node", total, number, names, &notes)
}

/// One line for `check` and `status`.
pub fn osds_summary(memory: &Memory, total: usize, withheld: Withheld, hold: Hold) -> String {
    let watch = &memory.osds;
    let down = memory.osds_down();
    let names = down.iter();
    let names = names.map(|(id, osd)| marked(format!("{id}/{}", osd_host(&osd.what)), osd));
    let mut notes = Vec::new();
    if !memory.osds_with_nodes.is_empty() {
        notes.push(with_nodes(&memory.osds_by_node()));
    }
    notes.extend(not_told(watch, withheld, hold));
    let down = watch.down_now() + memory.osds_with_nodes.len();
    summary("OSD", total, (down, watch.flapping()), names, &notes)
}

/// More nodes than this with which OSDs are down are only counted.
pub const WITH_NODES_NAMED: usize = 3;

/// `12 with node3`, `12 with node3, node4`, `120 with 20 nodes`
pub fn with_nodes(of_nodes: &BTreeMap<String, BTreeSet<OsdId>>) -> String {
    let osds: usize = of_nodes.values().map(BTreeSet::len).sum();
    let nodes = match of_nodes.len() {
        0..=WITH_NODES_NAMED => {
            list_first(of_nodes.keys().map(|node| name(node)), WITH_NODES_NAMED)
        }
        many => count(many, "node"),
    };
    format!("{osds} with {nodes}")
}

fn marked<T>(name: String, down: &Down<T>) -> String {
    match down.flaps() {
        Some(_) => format!("{name} (flapping)"),
        None => name,
    }
}

/// `1 silenced`, `2 not counted before 3 passes in a row`
fn not_told<K, T>(watch: &Watch<K, T>, withheld: Withheld, hold: Hold) -> Vec<String> {
    let Withheld {
        silenced,
        noout,
        waiting,
        early: _,
    } = withheld;
    let mut notes = Vec::new();
    if silenced > 0 {
        notes.push(format!("{silenced} silenced"));
    }
    if noout > 0 {
        notes.push(format!("{noout} held back while noout is set"));
    }
    if waiting > 0 {
        notes.push(format!("{waiting} not told yet, as their node may be down"));
    }
    notes.extend(not_counted(uncounted(watch, withheld), hold));
    notes
}

/// How many things have not been down for long enough to count.
pub(crate) fn uncounted<K, T>(watch: &Watch<K, T>, withheld: Withheld) -> usize {
    let Withheld {
        silenced,
        noout,
        waiting,
        early: _,
    } = withheld;
    let held_back = |down: &&Down<T>| !down.announced && down.flapping.is_none();
    let held_back = watch.down.values().filter(held_back).count();
    // What flaps may be silenced, held back or waiting as well.
    held_back.saturating_sub(silenced + noout + waiting)
}

fn not_counted(held: usize, hold: Hold) -> Option<String> {
    if held == 0 {
        return None;
    }
    let passes = (hold.passes > 1).then(|| format!("{} passes in a row", hold.passes));
    let before: Vec<String> = passes.into_iter().chain(hold.time.map(duration)).collect();
    Some(format!(
        "{held} not counted before {}",
        before.join(" and ")
    ))
}

fn summary(
    noun: &str,
    total: usize,
    (down, flapping): (usize, usize),
    names: impl ExactSizeIterator<Item = String>,
    notes: &[String],
) -> String {
    let all = count(total, noun);
    let mut head = match (down, total) {
        (0, 0) => format!("no {noun} in the cluster"),
        (0, 1) => format!("the only {noun} is up"),
        (0, _) => format!("all {all} are up"),
        _ => format!("{down} of {all} down"),
    };
    if names.len() == 0 {
        return head;
    }
    if flapping > 0 {
        head.push_str(&format!(", {flapping} flapping"));
    }
    if !notes.is_empty() {
        head.push_str(&format!(" ({})", notes.join("; ")));
    }
    format!("{head}: {}", list_first(names, 10))
}

/// `2 OSDs down`, `2 OSDs down, 1 flapping`, `1 OSD flapping`
pub fn down_in_brief(noun: &str, down: usize, flapping: usize) -> String {
    match (down, flapping) {
        (0, 1..) => format!("{} flapping", count(flapping, noun)),
        (_, 0) => format!("{} down", count(down, noun)),
        _ => format!("{} down, {flapping} flapping", count(down, noun)),
    }
}

/// A summary of nodes or OSDs without the names at its end, where these are listed elsewhere: `2 of 8 OSDs down`.
pub fn headline(summary: &str) -> &str {
    summary.split_once(": ").map_or(summary, |(head, _)| head)
}

/// `acknowledged: disk ordered`
pub fn acknowledged(ack: &Ack) -> String {
    match &ack.why {
        Some(why) => format!("acknowledged: {}", one_line(why)),
        None => "acknowledged".to_owned(),
    }
}

/// `until 2026-11-23 14:00 UTC: osd.4 (disk swap)`
pub fn silence(silence: &Silence, zone: &TimeZone) -> String {
    let why = match &silence.why {
        Some(why) => format!(" ({})", one_line(why)),
        None => String::new(),
    };
    format!(
        "until {}: {}{why}",
        time(silence.until, zone),
        silence.scope
    )
}

/// What the admins have told Ceph to leave alone, in one line; `None` where there is nothing of the kind.
pub fn maintenance_in_brief(maintained: &Maintained, zone: &TimeZone) -> Option<String> {
    if maintained.is_none() {
        return None;
    }
    let what = &maintained.what;
    let flags = what.flags.iter().map(|flag| match maintained.noout_since {
        Some(since) if *flag == Flag::Noout => format!("noout (since {})", time(since, zone)),
        _ => flag.as_str().to_owned(),
    });
    let flags: Vec<String> = flags.collect();
    let mutes: Vec<String> = what.mutes.iter().map(|code| name(code)).collect();
    let parts = [
        (!flags.is_empty()).then(|| flags.join(", ")),
        (what.flagged > 0).then(|| format!("{} with flags of their own", what.flagged)),
        (!mutes.is_empty()).then(|| format!("muted: {}", mutes.join(", "))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    Some(parts.join("; "))
}

/// `a, b, c`, or `a, b and 7 more`
pub fn list_some(names: &[String], most: usize) -> String {
    list_first(names.iter().cloned(), most)
}

/// The same for names of which only those that are shown are made.
pub fn list_first(mut names: impl ExactSizeIterator<Item = String>, most: usize) -> String {
    let all = names.len();
    let shown: Vec<String> = names.by_ref().take(most).collect();
    let shown = shown.join(", ");
    if all <= most {
        return shown;
    }
    format!("{shown} and {} more", all - most)
}

/// As many of the names as fit into so many columns, with dots for the others.
pub fn list_fitting(names: &[String], columns: usize) -> String {
    let mut line = String::new();
    for (place, name) in names.iter().enumerate() {
        let comma = if place == 0 { "" } else { ", " };
        let dots = if place + 1 == names.len() { 0 } else { 5 };
        if (line.len() + comma.len()) + name.chars().count() + dots > columns {
            line.push_str(if place == 0 { "..." } else { ", ..." });
            break;
        }
        line.push_str(comma);
        line.push_str(name);
    }
    line
}

/// How far the clock of another node is off, seen from `me`.
pub fn skew(skew: &Skew, me: &str) -> String {
    let seconds = std::time::Duration::from_secs(skew.seconds.unsigned_abs());
    let which = if skew.seconds > 0 {
        "ahead of"
    } else {
        "behind"
    };
    format!(
        "the clock of {} is {} {which} that of {}: look on both with: timedatectl",
        name(&skew.node),
        duration(seconds),
        name(me)
    )
}

/// Orders names as people do: `node2` before `node10`.
pub fn natural(name: &str) -> (String, u64, String) {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = name[stem.len()..].parse().unwrap_or(u64::MAX);
    (stem.to_owned(), number, name.to_owned())
}

/// OSDs in as few words as can be: `osd.1`, `osd.4-9`. They must be in order.
pub fn osd_ranges(ids: &[OsdId]) -> Vec<String> {
    ids.chunk_by(|OsdId(one), OsdId(next)| one.checked_add(1) == Some(*next))
        .flat_map(|run| match run {
            [first, .., OsdId(last)] if run.len() > 2 => vec![format!("{first}-{last}")],
            few => few.iter().map(OsdId::to_string).collect(),
        })
        .collect()
}

/// Where an OSD is: its host's name, or that it has none.
pub fn osd_host(osd: &DownOsd) -> String {
    match &osd.host {
        Some(host) => name(host),
        None if osd.stray => "stray".to_owned(),
        None => "no host".to_owned(),
    }
}

/// Where some OSDs are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In no CRUSH bucket.
    Stray,
    /// On no host.
    NoHost,
    /// On hosts.
    Hosts(Hosts),
    /// Some on hosts, some on none.
    HostsAndNone(Hosts),
}

/// Hosts by their names, or only their number where they are many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Hosts {
    /// Harmless names, in order.
    Named(Vec<String>),
    /// So many.
    Number(usize),
}

/// Where these OSDs are. More hosts than `most` are only counted.
pub fn place<'a>(osds: impl IntoIterator<Item = &'a DownOsd> + Clone, most: usize) -> Place {
    let on_hosts = hosts(osds.clone());
    let mut elsewhere = osds.into_iter().filter(|osd| osd.host.is_none()).peekable();
    let none_elsewhere = elsewhere.peek().is_none();
    if on_hosts.is_empty() {
        return match elsewhere.all(|osd| osd.stray) {
            true => Place::Stray,
            false => Place::NoHost,
        };
    }
    let on_hosts = match on_hosts.len() {
        few if few <= most => Hosts::Named(on_hosts.into_iter().map(name).collect()),
        many => Hosts::Number(many),
    };
    match none_elsewhere {
        true => Place::Hosts(on_hosts),
        false => Place::HostsAndNone(on_hosts),
    }
}

/// The distinct hosts of some OSDs.
pub fn hosts<'a>(osds: impl IntoIterator<Item = &'a DownOsd>) -> BTreeSet<&'a str> {
    let hosts = osds.into_iter().filter_map(|osd| osd.host.as_deref());
    hosts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flapping::Flapping;

    #[test]
    fn names_are_harmless_and_not_endless() {
        let cases = [
            ("node1", "node1"),
            ("a\r\nBcc: x@example.org", "a??Bcc: x@example.org"),
            ("rack \"A\"", "rack \"A\""),
            ("größe 💾", "größe 💾"),
            ("evil\u{202e}gpj", "evil?gpj"),
            ("\u{1b}[31m", "?[31m"),
        ];
        for (raw, clean) in cases {
            assert_eq!(name(raw), clean);
        }
        assert_eq!(name(&"x".repeat(64)), "x".repeat(64));
        assert_eq!(name(&"é".repeat(300)), format!("{}…", "é".repeat(63)));
    }

    #[test]
    fn what_is_counted_has_its_plural() {
        for (number, noun, text) in [
            (0, "OSD", "0 OSDs"),
            (1, "pass", "1 pass"),
            (3, "pass", "3 passes"),
        ] {
            assert_eq!(count(number, noun), text);
        }
    }

    #[test]
    fn durations_show_their_two_largest_units() {
        let cases = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3599, "59 min"),
            (3600, "1 h"),
            (7800, "2 h 10 min"),
            (86_400, "1 d"),
            (86_400 * 5 + 3 * 3600 + 59, "5 d 3 h"),
        ];
        for (seconds, text) in cases {
            assert_eq!(duration(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn short_times_have_two_digits_at_least() {
        for (number, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1000, "1.0 s"),
            (59_999, "59.9 s"),
            (60_000, "1 min"),
        ] {
            assert_eq!(milliseconds(number), text);
        }
    }

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_795_402_440 + minute * 60).unwrap()
    }

    /// How often a thing went down that flaps, and since when it is up.
    type Flaps = (u32, Option<i64>);

    /// Of each: whether it is announced, and how it flaps.
    fn watch(down: &[(bool, Option<Flaps>)]) -> Watch<String, Absence> {
        let down = down.iter().enumerate();
        let down = down.map(|(number, (announced, flapping))| {
            let flapping = flapping.map(|(downs, up)| Flapping {
                first: at(0),
                downs,
                up_since: up.map(at),
                down_told: false,
            });
            let down = Down {
                since: at(20),
                passes: 1,
                announced: *announced,
                flapping,
                what: Absence::Failed,
            };
            (format!("node{number}: b"), down)
        });
        Watch {
            down: down.collect(),
            ..Watch::default()
        }
    }

    #[test]
    fn a_headline_is_a_summary_without_names() {
        for (passes, time, before) in [
            (3, None, "3 passes in a row"),
            (1, Some(180), "3 min"),
            (2, Some(90), "2 passes in a row and 1 min"),
        ] {
            let time = time.map(Duration::from_secs);
            let hold = Hold { passes, time };
            let held = nodes_summary(
                &watch(&[(false, None), (true, None)]),
                8,
                Withheld::default(),
                hold,
            );
            let expected = format!("2 of 8 nodes down (1 not counted before {before})");
            assert_eq!(headline(&held), expected);
        }
        assert_eq!(headline("all 8 OSDs are up"), "all 8 OSDs are up");
    }

    #[test]
    fn what_flaps_and_is_up_is_not_down() {
        let (down, up) = (Some((7, None)), Some((7, Some(21))));
        for (down, summary, brief) in [
            (vec![], "all 8 nodes are up", "0 nodes down"),
            (
                vec![(true, up)],
                "all 8 nodes are up, 1 flapping: node0: b (flapping)",
                "1 node flapping",
            ),
            (
                vec![(true, down)],
                "1 of 8 nodes down, 1 flapping: node0: b (flapping)",
                "1 node down, 1 flapping",
            ),
            (
                vec![(true, None), (true, up), (false, down)],
                "2 of 8 nodes down, 2 flapping: node0: b, node1: b (flapping), node2: b (flapping)",
                "2 nodes down, 2 flapping",
            ),
        ] {
            let watch = watch(&down);
            assert_eq!(
                nodes_summary(&watch, 8, Withheld::default(), Hold::default()),
                summary
            );
            assert_eq!(
                down_in_brief("node", watch.down_now(), watch.flapping()),
                brief
            );
        }
    }

    #[test]
    fn bytes_have_three_digits() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "0.98 KiB"),
            (1024, "1.00 KiB"),
            (1_073_741_824, "1.00 GiB"),
            (15 << 30, "15.0 GiB"),
            (150 << 40, "150 TiB"),
            (1023 << 40, "1.00 PiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        for (number, text) in cases {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn percent_is_true_and_visibly_above_its_limit() {
        let cases = [
            (61.0, 60.0, "61 %"),
            (61.97, 60.0, "61 %"),
            (60.4, 60.0, "60.4 %"),
            (60.04, 60.0, "60.04 %"),
            (84.99, 60.0, "84 %"),
            (60.000_01, 60.0, "60.000 %"),
            (57.9, 60.0, "57 %"),
            (60.0, 60.0, "60 %"),
            (62.6, 62.5, "62.6 %"),
        ];
        for (percent, limit, text) in cases {
            assert_eq!(percent_over(percent, limit), text, "{percent} over {limit}");
        }
    }

    #[test]
    fn lists_are_cut_with_a_count() {
        let names: Vec<String> = (0..4).map(|n| format!("osd.{n}")).collect();
        let some = |most| list_some(&names, most);
        assert_eq!(some(4), "osd.0, osd.1, osd.2, osd.3");
        assert_eq!(some(2), "osd.0, osd.1 and 2 more");
    }

    #[test]
    fn osds_in_a_row_are_a_range() {
        for (ids, ranges) in [
            (&[][..], &[][..]),
            (&[3], &["osd.3"]),
            (&[3, 4], &["osd.3", "osd.4"]),
            (&[3, 4, 5], &["osd.3-5"]),
            (
                &[0, 2, 7, 8, 9, 10, 12],
                &["osd.0", "osd.2", "osd.7-10", "osd.12"],
            ),
            (
                &[i64::MAX - 1, i64::MAX],
                &["osd.9223372036854775806", "osd.9223372036854775807"],
            ),
        ] {
            let ids: Vec<OsdId> = ids.iter().copied().map(OsdId).collect();
            assert_eq!(osd_ranges(&ids), ranges);
        }
    }

    #[test]
    fn what_cannot_be_read_in_consul_is_told_in_whole_sentences() {
        let told = |keys: &[&str]| {
            let broken = keys
                .iter()
                .map(|key| ((*key).to_owned(), "no JSON".to_owned()));
            unreadable_nodes(&Membership {
                unreadable: broken.collect(),
                ..Membership::default()
            })
        };
        assert_eq!(told(&[]), None);
        assert_eq!(
            told(&["a"]).as_deref(),
            Some("1 node's entry in Consul cannot be read, so it is not watched: a: no JSON")
        );
        assert_eq!(
            told(&["a", "b"]).as_deref(),
            Some(
                "2 nodes' entries in Consul cannot be read, so they are not watched: a: no JSON, b: no JSON"
            )
        );
    }
}
