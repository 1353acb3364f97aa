//! How fast the storage fills: looks at it every few hours are remembered for two weeks, and a line is laid through them.
//!
//! The line is Theil's and Sen's: its slope is the median of the slopes between any two looks, which half of the data may
//! contradict, so that neither a deletion nor an import of one day turns it. Only looks a whole number of days apart are
//! compared, as Hirsch, Slack and Smith do with seasons (Water Resources Research 18(1), 1982): what comes and goes each day
//! (snapshots, nightly backups) is no growth. How sure the slope is tells Sen's interval (Journal of the American Statistical
//! Association 63, 1968).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::capacity::Reading;
use crate::incident::plausible;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// One look in every 4 h: six for each day are enough to see its rhythm.
const SLOT: i64 = 4 * HOUR;
const SLOTS_A_DAY: i64 = DAY / SLOT;

/// Two weeks: whatever happens once a week is in it twice, and what was more than two weeks ago says little of tomorrow.
const WINDOW: i64 = 14 * DAY;

/// All the looks of a window and the one that begins it; some 5 kB in the state file.
const MOST_SAMPLES: usize = 85;

/// A week: before each day of it has been seen once, the rise towards Friday looks like growth.
const SHORTEST_SPAN: i64 = 7 * DAY;

/// So many days must have been looked at, as many as the shortest span has: gaps could hide anything.
const FEWEST_DAYS: i64 = 7;

/// So many slopes are the least that a distribution can be seen of: those between seven days with one look each.
const FEWEST_SLOPES: usize = 21;

/// The latest look must be no older, or nobody knows what has happened since.
const FRESH: i64 = DAY;

/// While the size of the cluster has changed by more than this within [`SETTLED`], data is being moved about: an OSD that
/// went out took its bytes with it, and what the recovery writes is no growth.
const SAME_SIZE: f64 = 0.01;
const SETTLED: i64 = DAY;

/// Two-sided 99 % of the normal distribution. One day is not independent of the day before it, as the interval assumes, so
/// 95 % would be too sure: of storage that only wanders about, a third would be said to grow.
const SURE: f64 = 2.576;

/// Ceph stops all writes when one OSD is so full (`mon_osd_full_ratio`).
pub const FULL_PERCENT: f64 = 95.0;

/// Nobody knows what will be in a year.
const FARTHEST_DAYS: f64 = 365.0;

/// One look at the storage. It is written as one text, `2026-11-23T02:14:00Z 5398000000000 8796093022208`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sample {
    /// To the second.
    at: Timestamp,
    used_bytes: u64,
    total_bytes: u64,
}

impl Sample {
    fn slot(&self) -> i64 {
        self.at.as_second().div_euclid(SLOT)
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.at, self.used_bytes, self.total_bytes)
    }
}

impl FromStr for Sample {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let broken = || format!("\"{text}\" is no time with the used and the total bytes");
        let mut words = text.split(' ');
        let mut word = || words.next().ok_or_else(broken);
        let sample = Sample {
            at: word()?.parse().map_err(|_| broken())?,
            used_bytes: word()?.parse().map_err(|_| broken())?,
            total_bytes: word()?.parse().map_err(|_| broken())?,
        };
        match words.next() {
            None => Ok(sample),
            Some(_) => Err(broken()),
        }
    }
}

impl Serialize for Sample {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sample {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What is remembered of how full the storage was, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History(Vec<Sample>);

impl History {
    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes up a look, if one is due.
    pub fn take_up(&mut self, used_bytes: u64, total_bytes: u64, now: Timestamp) {
        let sample = Sample {
            at: Timestamp::from_second(now.as_second()).unwrap_or(now),
            used_bytes,
            total_bytes,
        };
        if self.0.last().map(Sample::slot) == Some(sample.slot()) {
            return;
        }
        // By number, not by age: a clock that is a year ahead for one pass must not cost two weeks.
        let too_many = (self.0.len() + 1).saturating_sub(MOST_SAMPLES);
        self.0.drain(..too_many);
        self.0.push(sample);
    }

    /// Forgets the looks of which the clock of today says that their time can't be true, see [`plausible`].
    pub fn set_clock(&mut self, now: Timestamp) {
        self.0
            .retain(|sample| plausible(sample.at, now) == sample.at);
    }

    /// How fast the storage grows, with its total size of today; `None` where what is remembered does not tell.
    pub fn growth(&self, total_bytes: u64, now: Timestamp) -> Option<Growth> {
        let since = |age: i64| {
            let first = now.as_second() - age;
            self.0.iter().filter(move |s| s.at.as_second() >= first)
        };
        let resized = |sample: &Sample| {
            let total = total_bytes as f64;
            (sample.total_bytes as f64 - total).abs() > SAME_SIZE * total
        };
        if since(FRESH).next().is_none() || since(SETTLED).any(resized) {
            return None;
        }
        let samples: Vec<&Sample> = since(WINDOW).collect();
        let (first, last) = (samples.first()?, samples.last()?);
        let days: BTreeSet<i64> = (samples.iter())
            .map(|sample| sample.slot().div_euclid(SLOTS_A_DAY))
            .collect();
        let days = i64::try_from(days.len()).ok()?;
        let span = last.at.as_second() - first.at.as_second();
        if span < SHORTEST_SPAN || days < FEWEST_DAYS {
            return None;
        }
        Growth::of(slopes(&samples), days)
    }
}

/// The slopes between any two looks a whole number of days apart, in bytes a day, in order.
fn slopes(samples: &[&Sample]) -> Vec<f64> {
    let mut slopes = Vec::new();
    for (place, later) in samples.iter().enumerate() {
        for earlier in &samples[..place] {
            let slots = later.slot() - earlier.slot();
            if slots > 0 && slots % SLOTS_A_DAY == 0 {
                let seconds = (later.at.as_second() - earlier.at.as_second()) as f64;
                let bytes = later.used_bytes as f64 - earlier.used_bytes as f64;
                slopes.push(bytes / seconds * DAY as f64);
            }
        }
    }
    slopes.sort_by(f64::total_cmp);
    slopes
}

/// How fast the storage grows, in raw bytes a day; below 0 it shrinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Growth {
    /// The likeliest value.
    pub bytes_per_day: i64,
    /// It hardly is less.
    pub lowest: i64,
    /// It hardly is more.
    pub highest: i64,
}

impl Growth {
    /// Of slopes in order, from so many days. Sen's interval counts how far from the middle the bounds are among the slopes,
    /// by the variance of Kendall's S; all looks of one day count as one, for they tell nearly the same.
    fn of(slopes: Vec<f64>, days: i64) -> Option<Growth> {
        if slopes.len() < FEWEST_SLOPES {
            return None;
        }
        let n = days as f64;
        let deviation = (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
        let pairs = n * (n - 1.0) / 2.0;
        let aside = (SURE * deviation / pairs).min(1.0) / 2.0;
        let last = slopes.len() - 1;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a share of a place in the list; and `as` stops at the ends of i64"
        )]
        let at = |share: f64| slopes[((share * last as f64).round() as usize).min(last)] as i64;
        Some(Growth {
            bytes_per_day: at(0.5),
            lowest: at(0.5 - aside),
            highest: at(0.5 + aside),
        })
    }

    /// Which limits lie ahead, nearest first, and when they are reached at this pace. Empty where it is not sure that the
    /// storage grows, and without what is farther away than a year.
    pub fn ahead(&self, reading: &Reading) -> Vec<Ahead> {
        if self.lowest <= 0 {
            return Vec::new();
        }
        let levels = [reading.warn_percent, reading.critical_percent];
        let next = (levels.into_iter())
            .find(|percent| *percent > reading.percent && *percent < FULL_PERCENT)
            .map(|percent| (Limit::Level(percent), percent));
        let full = (reading.percent < FULL_PERCENT).then_some((Limit::Full, FULL_PERCENT));
        let limits = next.into_iter().chain(full);
        let ahead = limits.map(|(limit, percent)| {
            let missing = (percent - reading.percent) / 100.0 * reading.total_bytes as f64;
            let days = |bytes_per_day: i64| missing / bytes_per_day as f64;
            let latest = days(self.lowest);
            Ahead {
                limit,
                likely: days(self.bytes_per_day),
                earliest: days(self.highest),
                latest: (latest <= FARTHEST_DAYS).then_some(latest),
            }
        });
        ahead.filter(|a| a.likely <= FARTHEST_DAYS).collect()
    }
}

/// What the storage grows towards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// A level of the capacity check, in percent of raw bytes.
    Level(f64),
    /// [`FULL_PERCENT`]
    Full,
}

/// When a limit is reached, in days from now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ahead {
    /// Which one.
    pub limit: Limit,
    /// At the likeliest pace; at most a year.
    pub likely: f64,
    /// At the fastest.
    pub earliest: f64,
    /// At the slowest; `None` where that is farther away than a year.
    pub latest: Option<f64>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

    use super::*;
    use crate::check::capacity::Level;

    const TIB: f64 = (1_u64 << 40) as f64;
    const TOTAL: u64 = 1000 << 40;

    /// Noon of a day, so many days after the first.
    fn at(days: f64) -> Timestamp {
        let first: Timestamp = "2026-11-02T12:00:00Z".parse().unwrap();
        Timestamp::from_millisecond(first.as_millisecond() + (days * 86_400_000.0) as i64).unwrap()
    }

    /// A pass every 20 min for so many days; `used` tells the TiB in use after so many days, `None` where no pass is made.
    fn watched(days: f64, used: impl FnMut(f64) -> Option<f64>) -> History {
        sized(days, used, |_| TOTAL)
    }

    fn sized(
        days: f64,
        mut used: impl FnMut(f64) -> Option<f64>,
        total: impl Fn(f64) -> u64,
    ) -> History {
        let mut history = History::default();
        let passes = (days * 72.0) as i32;
        for pass in 0..=passes {
            let day = f64::from(pass) / 72.0;
            let now = at(day);
            history.set_clock(now);
            if let Some(used) = used(day) {
                history.take_up((used * TIB) as u64, total(day), now);
            }
        }
        history
    }

    fn in_tib(growth: Option<Growth>) -> Option<[f64; 3]> {
        growth.map(|g| [g.lowest, g.bytes_per_day, g.highest].map(|bytes| bytes as f64 / TIB))
    }

    /// What the tests take for chance: xorshift64*, with sums of twelve for a bell curve.
    struct Chance(u64);

    impl Chance {
        fn uniform(&mut self) -> f64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
        }

        fn bell(&mut self) -> f64 {
            (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
        }
    }

    #[test]
    fn growth_is_told_where_the_data_carry_it() {
        /// What is told: nothing, that it is not sure to grow, or so many TiB a day, within a tenth.
        #[derive(Debug, Clone, Copy, PartialEq)]
        enum Told {
            Nothing,
            Unsure,
            Grows(f64),
        }
        use Told::{Grows, Nothing, Unsure};
        type Used = fn(f64) -> Option<f64>;
        let cases: &[(&str, f64, Used, Told)] = &[
            ("one look", 0.1, |_| Some(500.0), Nothing),
            ("too short", 6.9, |d| Some(500.0 + d), Nothing),
            ("a week", 7.2, |d| Some(500.0 + d), Grows(1.0)),
            ("two weeks", 14.0, |d| Some(500.0 + d), Grows(1.0)),
            (
                "forty days: the last two weeks count",
                40.0,
                |d| {
                    Some(if d < 20.0 {
                        900.0 - 20.0 * d
                    } else {
                        500.0 + d
                    })
                },
                Grows(1.0),
            ),
            ("constant", 14.0, |_| Some(500.0), Unsure),
            ("empty", 14.0, |_| Some(0.0), Unsure),
            ("shrinking", 14.0, |d| Some(500.0 - d), Unsure),
            (
                "saw-tooth of each day, growing",
                14.0,
                |d| Some(500.0 + d.floor() + 30.0 * d.fract()),
                Grows(1.0),
            ),
            (
                "saw-tooth of each day",
                14.0,
                |d| Some(500.0 + 30.0 * d.fract()),
                Unsure,
            ),
            (
                "saw-tooth of each week",
                14.0,
                |d| Some(500.0 + 7.0 * (d / 7.0).fract()),
                Unsure,
            ),
            (
                "half is deleted in the middle",
                14.0,
                |d| Some(if d < 7.0 { 500.0 + d } else { 250.0 + d }),
                Unsure,
            ),
            (
                "half is deleted yesterday",
                14.0,
                |d| Some(if d < 13.0 { 500.0 + d } else { 250.0 + d }),
                Grows(1.0),
            ),
            (
                "half is deleted for a day, and comes back",
                14.0,
                |d| {
                    Some(if (9.0..10.0).contains(&d) {
                        250.0
                    } else {
                        500.0 + d
                    })
                },
                Grows(1.0),
            ),
            (
                "an import of one day",
                14.0,
                |d| Some(if d < 4.0 { 500.0 } else { 600.0 }),
                Unsure,
            ),
            (
                "no pass for five days",
                14.0,
                |d| (!(5.0..10.0).contains(&d)).then_some(500.0 + d),
                Grows(1.0),
            ),
            (
                "no pass for ten days",
                14.0,
                |d| (!(2.0..12.0).contains(&d)).then_some(500.0 + d),
                Nothing,
            ),
            (
                "no pass since the day before yesterday",
                14.0,
                |d| (d < 12.5).then_some(500.0 + d),
                Nothing,
            ),
        ];
        for (name, days, used, told) in cases {
            let growth = watched(*days, used).growth(TOTAL, at(*days));
            match (in_tib(growth), told) {
                (None, Nothing) => {}
                (Some([lowest, ..]), Unsure) => assert!(lowest <= 0.0, "{name}: {growth:?}"),
                (Some([lowest, likely, highest]), Grows(expected)) => {
                    assert!(lowest > 0.0, "{name}: {growth:?}");
                    assert!(
                        (likely - expected).abs() < 0.1 * expected,
                        "{name}: {growth:?}"
                    );
                    assert!(lowest <= likely && likely <= highest, "{name}: {growth:?}");
                }
                (got, told) => panic!("{name}: {got:?} instead of {told:?}"),
            }
        }
    }

    /// Noise of a day's growth on each look, and a tenth of the looks far off: the slope is found all the same.
    #[test]
    fn a_known_slope_is_found_below_noise_and_outliers() {
        let mut chance = Chance(0x5eed);
        let (mut worst, mut outside) = (0.0_f64, 0);
        let runs = 200;
        for _ in 0..runs {
            let slope = 0.05 + 5.0 * chance.uniform();
            let history = watched(14.0, |day| {
                let noise = slope * chance.bell();
                let outlier = match chance.uniform() < 0.1 {
                    true => 100.0 * (chance.uniform() - 0.5),
                    false => 0.0,
                };
                Some(500.0 + slope * day + noise + outlier)
            });
            let [lowest, likely, highest] = in_tib(history.growth(TOTAL, at(14.0))).unwrap();
            worst = worst.max((likely / slope - 1.0).abs());
            if slope < lowest || highest < slope {
                outside += 1;
            }
        }
        assert!(worst < 0.25, "off by {worst}");
        assert!(
            outside <= runs / 100,
            "{outside} of {runs} intervals miss it"
        );
    }

    #[test]
    fn noise_alone_is_no_growth() {
        let mut chance = Chance(0xacc1de47);
        let sure = |history: History| {
            let growth = history.growth(TOTAL, at(14.0));
            usize::from(growth.is_some_and(|growth| growth.lowest > 0))
        };
        let mut noise = 0;
        let mut wandering = 0;
        for _ in 0..200 {
            noise += sure(watched(14.0, |_| Some(500.0 + 20.0 * chance.bell())));
            let mut used = 500.0;
            wandering += sure(watched(14.0, |_| {
                used += chance.bell();
                Some(used)
            }));
        }
        assert_eq!(noise, 0);
        // It has grown in those two weeks; how often it will go on so, nobody can tell from the data.
        assert!(wandering < 70, "{wandering}");
    }

    #[test]
    fn a_cluster_that_was_resized_is_judged_by_its_size_of_today_once_its_data_have_settled() {
        let grown = |day: f64| if day < 12.0 { TOTAL } else { 2 * TOTAL };
        let steady = |d: f64| Some(500.0 + d);
        for (days, total, told) in [
            (11.9, TOTAL, true),
            // The very pass that sees it, before a look at it is due.
            (11.9, 2 * TOTAL, false),
            (12.5, 2 * TOTAL, false),
            (13.2, 2 * TOTAL, true),
            (13.2, 2 * TOTAL + TOTAL / 100, true),
            (13.2, TOTAL, false),
        ] {
            let growth = sized(days, steady, grown).growth(total, at(days));
            assert_eq!(growth.is_some(), told, "{days} days, {total}");
        }
    }

    #[test]
    fn a_clock_that_is_wrong_for_a_while_costs_little() {
        let grows = |d: f64| Some(500.0 + d);
        for jump in [-400.0, -30.0, -1.0, 1.0, 20.0, 4000.0] {
            let mut history = watched(14.0, grows);
            for pass in 1..4 {
                let now = at(14.0 + jump + f64::from(pass) / 1440.0);
                history.set_clock(now);
                history.take_up((514.0 * TIB) as u64, TOTAL, now);
            }
            let mut right = history.clone();
            let now = at(14.01);
            right.set_clock(now);
            right.take_up((514.0 * TIB) as u64, TOTAL, now);
            let growth = in_tib(right.growth(TOTAL, now));
            // Back in time, what was seen after that is not true any more.
            let kept = jump > -2.0;
            assert_eq!(growth.is_some(), kept, "{jump} days");
            assert!(
                growth.is_none_or(|[_, likely, _]| (0.9..1.1).contains(&likely)),
                "{jump}"
            );
        }
        let mut unset = History::default();
        unset.take_up(1, 2, Timestamp::UNIX_EPOCH);
        unset.set_clock(at(0.0));
        assert!(unset.is_empty());
    }

    #[test]
    fn what_is_remembered_is_bounded_and_readable() {
        let history = watched(100.0, |d| Some(500.0 + d));
        assert_eq!(history.0.len(), MOST_SAMPLES);
        let text = serde_json::to_string(&history).unwrap();
        assert!(text.len() < 5000, "{}", text.len());
        assert_eq!(serde_json::from_str::<History>(&text).unwrap(), history);
        let one = r#"["2026-11-23T02:14:00Z 5398000000000 8796093022208"]"#;
        let read: History = serde_json::from_str(one).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), one);
        for broken in [
            "",
            "2026-11-23T02:14:00Z",
            "x 1 2",
            "2026-11-23T02:14:00Z 1 2 3",
            "2026-11-23T02:14:00Z -1 2",
        ] {
            let broken = serde_json::json!([broken]);
            assert!(
                serde_json::from_value::<History>(broken.clone()).is_err(),
                "{broken}"
            );
        }
    }

    #[test]
    fn the_limits_ahead_are_told_for_a_year() {
        let growth = |lowest: i64, bytes_per_day: i64, highest: i64| Growth {
            bytes_per_day,
            lowest,
            highest,
        };
        let reading = |percent: f64| Reading {
            level: Level::Ok,
            percent,
            used_bytes: (percent * 10.0) as u64,
            total_bytes: 1000,
            warn_percent: 60.0,
            critical_percent: 85.0,
        };
        let ahead = |growth: Growth, percent| {
            let ahead = growth.ahead(&reading(percent));
            let rounded = |days: f64| days.round();
            let ahead = ahead.into_iter().map(|a| {
                (
                    a.limit,
                    rounded(a.earliest),
                    rounded(a.likely),
                    a.latest.map(rounded),
                )
            });
            ahead.collect::<Vec<_>>()
        };
        let warn = Limit::Level(60.0);
        let critical = Limit::Level(85.0);
        let steady = growth(10, 10, 10);
        assert_eq!(
            ahead(steady, 50.0),
            [
                (warn, 10.0, 10.0, Some(10.0)),
                (Limit::Full, 45.0, 45.0, Some(45.0))
            ]
        );
        assert_eq!(
            ahead(growth(5, 10, 20), 60.0),
            [
                (critical, 13.0, 25.0, Some(50.0)),
                (Limit::Full, 18.0, 35.0, Some(70.0))
            ]
        );
        assert_eq!(ahead(steady, 90.0), [(Limit::Full, 5.0, 5.0, Some(5.0))]);
        assert_eq!(ahead(steady, 95.0), []);
        assert_eq!(ahead(growth(0, 10, 20), 50.0), []);
        assert_eq!(ahead(growth(-20, -10, -5), 50.0), []);
        assert_eq!(ahead(growth(1, 2, 3), 10.0), [(warn, 167.0, 250.0, None)]);
        assert_eq!(ahead(growth(1, 1, 1), 10.0), []);
    }
}
