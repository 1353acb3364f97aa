//! How the growth of the storage is said, with no more digits than the data carry.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::threshold;
use crate::check::capacity::Reading;
use crate::check::growth::{Ahead, Growth, Limit};

const WEEK: f64 = 7.0;
const MONTH: f64 = 365.25 / 12.0;

/// What is told of how the storage grows, in whatever language.
#[derive(Debug, Clone, PartialEq)]
pub struct Outlook {
    /// By how much: lowest and highest, as exactly as they are known; mostly the same.
    pub amount: [String; 2],
    /// The unit of the amount: `TiB`
    pub bytes: &'static str,
    /// In what time: [`Unit::Day`] or [`Unit::Week`].
    pub each: Unit,
    /// The limits ahead, the nearest first.
    pub ahead: Vec<(Limit, Until)>,
}

/// A unit of the time that is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Of a 24th of a day.
    Hour,
    /// Of 24 hours.
    Day,
    /// Of seven days.
    Week,
    /// Of a twelfth of a year.
    Month,
}

impl Unit {
    fn days(self) -> f64 {
        match self {
            Unit::Hour => 1.0 / 24.0,
            Unit::Day => 1.0,
            Unit::Week => WEEK,
            Unit::Month => MONTH,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Unit::Hour => "hour",
            Unit::Day => "day",
            Unit::Week => "week",
            Unit::Month => "month",
        }
    }
}

/// When a limit is reached, in whole units.
#[derive(Debug, Clone, PartialEq)]
pub enum Until {
    /// It may also take longer than anybody can tell.
    AtTheEarliest(u64, Unit),
    /// In less than half of this.
    WithinOne(Unit),
    /// In so many at the latest, or at once.
    Within(u64, Unit),
    /// Between these numbers, which may be the same.
    Between(u64, u64, Unit),
    /// The same of days, and which days of the calendar these are.
    OnDays(u64, u64, [Date; 2]),
}

/// How it stands; `None` where it is not sure that the storage grows, or no limit is ahead within a year.
pub fn outlook(
    growth: &Growth,
    reading: &Reading,
    zone: &TimeZone,
    now: Timestamp,
) -> Option<Outlook> {
    let ahead = growth.ahead(reading);
    // Where it is a matter of days, nobody thinks in weeks.
    let each = match ahead.first()?.likely < WEEK {
        true => Unit::Day,
        false => Unit::Week,
    };
    let (amount, bytes) = bytes_between(growth, each.days());
    let ahead = ahead.iter();
    let ahead = ahead.map(|ahead| (ahead.limit, until(ahead, zone, now)));
    Some(Outlook {
        amount,
        bytes,
        each,
        ahead: ahead.collect(),
    })
}

/// How the storage grows, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// `1.2 TiB a week`
    pub pace: String,
    /// `at this pace over 85 % in 11 to 13 days (4 to 6 December), full in 5 weeks`
    pub ahead: String,
}

/// The same in words.
pub fn told(growth: &Growth, reading: &Reading, zone: &TimeZone, now: Timestamp) -> Option<Told> {
    let outlook = outlook(growth, reading, zone, now)?;
    let [low, high] = &outlook.amount;
    let pace = format!(
        "{} a {}",
        between(low, high, outlook.bytes),
        outlook.each.as_str()
    );
    let ahead = outlook.ahead.iter().map(|(limit, until)| {
        let limit = match limit {
            Limit::Level(percent) => format!("over {}", threshold(*percent)),
            Limit::Full => "full".to_owned(),
        };
        format!("{limit} {}", in_words(until))
    });
    let ahead: Vec<String> = ahead.collect();
    let ahead = format!("at this pace {}", ahead.join(", "));
    Some(Told { pace, ahead })
}

/// `1.2`, or `0.9` and `1.5`, and their unit, in so many days.
fn bytes_between(growth: &Growth, days: f64) -> ([String; 2], &'static str) {
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
    ([rounded(low), rounded(high)], UNITS[unit])
}

fn until(ahead: &Ahead, zone: &TimeZone, now: Timestamp) -> Until {
    let latest = ahead.latest.unwrap_or(ahead.likely);
    let unit = match latest {
        few if few < 2.0 => Unit::Hour,
        few if few < 21.0 => Unit::Day,
        some if some < 12.0 * WEEK => Unit::Week,
        _ => Unit::Month,
    };
    // A cast cuts off what does not fit, and nothing here is more than a year ahead or lies behind.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let number = |time: f64| (time / unit.days()).round() as u64;
    let earliest = number(ahead.earliest);
    let Some(latest) = ahead.latest else {
        return Until::AtTheEarliest(earliest, unit);
    };
    match (earliest, number(latest)) {
        (_, 0) => Until::WithinOne(unit),
        (0, last) => Until::Within(last, unit),
        (first, last) if unit == Unit::Day => {
            let dates = [first, last].map(|days| date(days, zone, now));
            Until::OnDays(first, last, dates)
        }
        (first, last) => Until::Between(first, last, unit),
    }
}

fn date(days: u64, zone: &TimeZone, now: Timestamp) -> Date {
    let hours = i64::try_from(days).unwrap_or(0).saturating_mul(24);
    let date = now.checked_add(SignedDuration::from_hours(hours));
    date.unwrap_or(now).to_zoned(zone.clone()).date()
}

/// `in 12 days (5 December)`, `in 3 to 5 weeks`, `in 7 months at the earliest`
fn in_words(until: &Until) -> String {
    let counted = |number: u64, unit: Unit| {
        let plural = if number == 1 { "" } else { "s" };
        format!("{}{plural}", unit.as_str())
    };
    let time_between = |first: u64, last: u64, unit: Unit| {
        let unit = counted(last, unit);
        between(&first.to_string(), &last.to_string(), &unit)
    };
    match until {
        Until::AtTheEarliest(number, unit) => {
            format!("in {number} {} at the earliest", counted(*number, *unit))
        }
        Until::WithinOne(unit) => format!("within an {}", unit.as_str()),
        Until::Within(number, unit) => format!("within {number} {}", counted(*number, *unit)),
        Until::Between(first, last, unit) => format!("in {}", time_between(*first, *last, *unit)),
        Until::OnDays(first, last, days) => format!(
            "in {} ({})",
            time_between(*first, *last, Unit::Day),
            dates(days)
        ),
    }
}

/// `5 December`, `4 to 6 December`, `28 November to 2 December`
fn dates([first, last]: &[Date; 2]) -> String {
    let whole = |date: &Date| date.strftime("%-d %B").to_string();
    if first == last {
        whole(last)
    } else if first.month() == last.month() {
        format!("{} to {}", first.day(), whole(last))
    } else {
        format!("{} to {}", whole(first), whole(last))
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
