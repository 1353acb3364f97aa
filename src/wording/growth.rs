//! How the growth of the storage is said, with no more digits than the data carry.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::threshold;
use crate::check::capacity::Reading;
use crate::check::growth::{Ahead, Growth, Limit};

const WEEK: f64 = 7.0;
const MONTH: f64 = 365.25 / 12.0;

/// How the storage grows, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// `1.2 TiB a week`
    pub pace: String,
    /// `at this pace over 85 % in 11 to 13 days (4 to 6 December), full in 5 weeks`
    pub ahead: String,
}

/// Tells it; `None` where it is not sure that the storage grows, or no limit is ahead within a year.
pub fn told(growth: &Growth, reading: &Reading, zone: &TimeZone, now: Timestamp) -> Option<Told> {
    let ahead = growth.ahead(reading);
    // Where it is a matter of days, nobody thinks in weeks.
    let (days, unit) = match ahead.first()?.likely < WEEK {
        true => (1.0, "day"),
        false => (WEEK, "week"),
    };
    let pace = format!("{} a {unit}", bytes_between(growth, days));
    let ahead = ahead.iter().map(|ahead| {
        let limit = match ahead.limit {
            Limit::Level(percent) => format!("over {}", threshold(percent)),
            Limit::Full => "full".to_owned(),
        };
        format!("{limit} {}", time_until(ahead, zone, now))
    });
    let ahead: Vec<String> = ahead.collect();
    let ahead = format!("at this pace {}", ahead.join(", "));
    Some(Told { pace, ahead })
}

/// `1.2 TiB`, or `0.9 to 1.5 TiB`, in so many days.
fn bytes_between(growth: &Growth, days: f64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let [low, likely, high] = [growth.lowest, growth.bytes_per_day, growth.highest]
        .map(|bytes_per_day| bytes_per_day as f64 * days);
    let mut unit = 0;
    let mut size = 1.0;
    while likely / size >= 999.5 && unit + 1 < UNITS.len() {
        size *= 1024.0;
        unit += 1;
    }
    // Two digits of the likeliest value, and the others as exactly as that.
    let step = match likely / size {
        value if value < 9.95 => 0.1,
        value if value < 99.5 => 1.0,
        _ => 10.0,
    };
    let rounded = |bytes: f64| {
        let value = (bytes / size / step).round() * step;
        let decimals = if step < 1.0 { 1 } else { 0 };
        format!("{value:.decimals$}")
    };
    between(&rounded(low), &rounded(high), UNITS[unit])
}

/// `in 12 days (5 December)`, `in 3 to 5 weeks`, `in 7 months at the earliest`
fn time_until(ahead: &Ahead, zone: &TimeZone, now: Timestamp) -> String {
    let latest = ahead.latest.unwrap_or(ahead.likely);
    let (days, unit) = match latest {
        few if few < 2.0 => (1.0 / 24.0, "hour"),
        few if few < 21.0 => (1.0, "day"),
        some if some < 12.0 * WEEK => (WEEK, "week"),
        _ => (MONTH, "month"),
    };
    let number = |time: f64| (time / days).round();
    let plural = |number: f64| if number == 1.0 { "" } else { "s" };
    let earliest = number(ahead.earliest);
    let Some(latest) = ahead.latest else {
        let plural = plural(earliest);
        return format!("in {earliest} {unit}{plural} at the earliest");
    };
    let last = number(latest);
    if last == 0.0 {
        return format!("within an {unit}");
    }
    if earliest == 0.0 {
        return format!("within {last} {unit}{}", plural(last));
    }
    let unit_or_units = format!("{unit}{}", plural(last));
    let mut text = format!(
        "in {}",
        between(&earliest.to_string(), &last.to_string(), &unit_or_units)
    );
    if unit == "day" {
        text.push_str(&format!(" ({})", dates(earliest, last, zone, now)));
    }
    text
}

/// `5 December`, `4 to 6 December`, `28 November to 2 December`
fn dates(earliest: f64, latest: f64, zone: &TimeZone, now: Timestamp) -> String {
    let date = |days: f64| {
        let later = SignedDuration::try_from_secs_f64(days * 86_400.0).unwrap_or_default();
        let date = now.checked_add(later).unwrap_or(now);
        date.to_zoned(zone.clone())
    };
    let (first, last) = (date(earliest), date(latest));
    let whole = |date: &jiff::Zoned| date.strftime("%-d %B").to_string();
    if first.date() == last.date() {
        whole(&last)
    } else if first.month() == last.month() {
        format!("{} to {}", first.day(), whole(&last))
    } else {
        format!("{} to {}", whole(&first), whole(&last))
    }
}

fn between(low: &str, high: &str, unit: &str) -> String {
    match low == high {
        true => format!("{high} {unit}"),
        false => format!("{low} to {high} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

    use super::*;
    use crate::check::capacity::Level;

    const GIB: f64 = (1_u64 << 30) as f64;

    /// With 100 TiB in all; the bounds are parts of the likeliest value.
    fn line(percent: f64, gib_per_day: f64, low: f64, high: f64) -> Option<String> {
        let total_bytes = 100 << 40;
        let reading = Reading {
            level: Level::Ok,
            percent,
            used_bytes: (percent / 100.0 * total_bytes as f64) as u64,
            total_bytes,
            warn_percent: 60.0,
            critical_percent: 85.0,
        };
        let bytes = |part: f64| (gib_per_day * GIB * part) as i64;
        let pace = Growth {
            bytes_per_day: bytes(1.0),
            lowest: bytes(low),
            highest: bytes(high),
        };
        let now = "2026-11-23T02:14:00Z".parse().unwrap();
        let told = told(&pace, &reading, &TimeZone::UTC, now)?;
        Some(format!("{}; {}", told.pace, told.ahead))
    }

    #[test]
    fn growth_is_said_as_exactly_as_it_is_known() {
        for (percent, gib_per_day, low, high, expected) in [
            (
                70.0,
                1280.0,
                1.0,
                1.0,
                "8.8 TiB a week; at this pace over 85 % in 12 days (5 December), full in 20 days (13 December)",
            ),
            (
                82.9,
                175.5,
                0.9,
                1.1,
                "1.1 to 1.3 TiB a week; at this pace over 85 % in 11 to 14 days (4 to 7 December), full in 9 to 11 weeks",
            ),
            (
                59.0,
                200.0,
                0.6,
                1.5,
                "120 to 300 GiB a day; at this pace over 60 % in 3 to 9 days (26 November to 2 December), full in 4 to 10 months",
            ),
            (
                84.9,
                200.0,
                0.8,
                1.2,
                "160 to 240 GiB a day; at this pace over 85 % in 10 to 15 hours, full in 6 to 9 weeks",
            ),
            (
                84.9999,
                2000.0,
                0.9,
                1.1,
                "1.8 to 2.1 TiB a day; at this pace over 85 % within an hour, full in 5 to 6 days (28 to 29 November)",
            ),
            (
                50.0,
                30.0,
                0.5,
                2.0,
                "110 to 420 GiB a week; at this pace over 60 % in 6 months at the earliest",
            ),
            (
                90.0,
                15.0,
                0.9,
                1.1,
                "90 to 120 GiB a week; at this pace full in 10 months at the earliest",
            ),
        ] {
            let line = line(percent, gib_per_day, low, high);
            assert_eq!(line.as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_is_not_sure_or_far_away_is_not_said() {
        for (percent, gib_per_day, low, high) in [
            (70.0, 100.0, 0.0, 2.0),
            (70.0, -100.0, 2.0, 0.5),
            (10.0, 1.0, 1.0, 1.0),
            (95.0, 1000.0, 1.0, 1.0),
        ] {
            assert_eq!(line(percent, gib_per_day, low, high), None);
        }
    }
}
