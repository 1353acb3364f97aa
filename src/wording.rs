//! How things are said: numbers, ages, names and the one-line summaries that mails, `status` and `check` share.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::check::capacity::{Level, Reading};
use crate::facts::{Absence, DownOsd, Membership, OsdId};
use crate::incident::Watch;

/// The longest name that is written out; a node's or host's name is at most 64 characters on Linux (hostname(7)).
const NAME_CHARS: usize = 64;

/// A name as it came from the cluster, made harmless: one line, no control characters, nothing that turns the direction of
/// the text that follows (Unicode Technical Report 36, section 2.5), cut at 64 characters.
pub fn name(raw: &str) -> String {
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

/// `1 OSD`, `2 OSDs`
pub fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// A length of time in its two largest units: `40 s`, `3 min`, `2 h 10 min`, `5 d 3 h`.
pub fn duration(length: Duration) -> String {
    let seconds = length.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |large: u64, unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {unit}"),
        _ => format!("{large} {unit} {small} {small_unit}"),
    };
    if days > 0 {
        two(days, "d", hours % 24, "h")
    } else if hours > 0 {
        two(hours, "h", minutes % 60, "min")
    } else if minutes > 0 {
        format!("{minutes} min")
    } else {
        format!("{seconds} s")
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
pub fn percent_over(percent: f64, limit: f64) -> String {
    for decimals in 0..=3_u8 {
        let scale = 10_f64.powi(decimals.into());
        let cut = (percent * scale).floor() / scale;
        if cut > limit || decimals == 3 || percent <= limit {
            return format!("{cut:.*} %", usize::from(decimals));
        }
    }
    format!("{percent} %")
}

/// A threshold as the admin wrote it: `60 %`, `62.5 %`.
pub fn threshold(percent: f64) -> String {
    format!("{percent} %")
}

/// `61 % full (over 60 %)`
pub fn capacity_level(report: &Reading) -> String {
    let limit = report.limit();
    let percent = percent_over(report.percent, limit);
    let limit = threshold(limit);
    match report.level {
        Level::Ok => format!("{percent} full"),
        Level::Warn if report.percent <= report.warn_percent => {
            format!("{percent} full (only just below {limit})")
        }
        Level::Warn => format!("{percent} full (over {limit})"),
        Level::Critical if report.percent <= report.critical_percent => {
            format!("{percent} full (only just below {limit}, critical)")
        }
        Level::Critical => format!("{percent} full (over {limit}, critical)"),
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
    let broken: Vec<String> = membership
        .unreadable
        .iter()
        .map(|(key, reason)| format!("{}: {reason}", name(key)))
        .collect();
    (!broken.is_empty()).then(|| {
        let entries = if broken.len() == 1 {
            "entry"
        } else {
            "entries"
        };
        format!(
            "{} node {entries} in Consul cannot be read and not be watched: {}",
            broken.len(),
            list_some(&broken, 5)
        )
    })
}

/// One line for `check` and `status`.
pub fn nodes_summary(watch: &Watch<String, Absence>, total: usize, hold_passes: u32) -> String {
    let down: Vec<String> = watch.down.keys().map(|n| name(n)).collect();
    summary("node", total, &down, held_back(watch), hold_passes)
}

/// One line for `check` and `status`.
pub fn osds_summary(watch: &Watch<OsdId, DownOsd>, total: usize, hold_passes: u32) -> String {
    let down: Vec<String> = watch
        .down
        .iter()
        .map(|(id, osd)| format!("{id}/{}", osd_host(&osd.what)))
        .collect();
    summary("OSD", total, &down, held_back(watch), hold_passes)
}

fn held_back<K, T>(watch: &Watch<K, T>) -> usize {
    watch.down.values().filter(|d| !d.announced).count()
}

fn summary(noun: &str, total: usize, down: &[String], held: usize, hold_passes: u32) -> String {
    let all = count(total, noun);
    if down.is_empty() {
        return match total {
            0 => format!("no {noun} in the cluster"),
            1 => format!("the only {noun} is up"),
            _ => format!("all {all} are up"),
        };
    }
    let held = match held {
        0 => String::new(),
        _ => format!(" ({held} not counted before {hold_passes} passes in a row)"),
    };
    format!(
        "{} of {all} down{held}: {}",
        down.len(),
        list_some(down, 10)
    )
}

/// A summary of nodes or OSDs without the names at its end, where these are listed elsewhere: `2 of 8 OSDs down`.
pub fn headline(summary: &str) -> &str {
    summary.split_once(": ").map_or(summary, |(head, _)| head)
}

/// `a, b, c`, or `a, b and 7 more`
pub fn list_some(names: &[String], most: usize) -> String {
    if names.len() <= most {
        return names.join(", ");
    }
    format!(
        "{} and {} more",
        names[..most].join(", "),
        names.len() - most
    )
}

/// Where an OSD is: its host's name, or that it has none.
pub fn osd_host(osd: &DownOsd) -> String {
    match &osd.host {
        Some(host) => name(host),
        None if osd.stray => "stray".to_owned(),
        None => "no host".to_owned(),
    }
}

/// The distinct places of some OSDs, in order.
pub fn hosts<'a>(osds: impl IntoIterator<Item = &'a DownOsd>) -> Vec<String> {
    let distinct: BTreeSet<String> = osds.into_iter().map(osd_host).collect();
    distinct.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_headline_is_a_summary_without_names() {
        let names = ["osd.1/a: b".to_owned(), "osd.2/c".to_owned()];
        let held = summary("OSD", 8, &names, 1, 3);
        let expected = "2 of 8 OSDs down (1 not counted before 3 passes in a row)";
        assert_eq!(headline(&held), expected);
        assert_eq!(headline("all 8 OSDs are up"), "all 8 OSDs are up");
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
        assert_eq!(list_some(&names, 4), "osd.0, osd.1, osd.2, osd.3");
        assert_eq!(list_some(&names, 2), "osd.0, osd.1 and 2 more");
    }
}
