//! Flapping: what goes down and comes up, again and again, is one alert instead of dozens. Pure; the clock is an argument.
//!
//! As in Nagios and Icinga the changes of the recent past are added up, each with a weight that falls from 1.2 for one that
//! has just happened to 0.8 for the oldest that counts, and flapping is entered at a high threshold but left only when it is
//! calm. Two things differ. They count the last 20 checks, this counts time, because passes may be rare or made by hand.
//! And they count both ways; here only going down counts, for between two of these it came up exactly once: so the threshold
//! is the number that the mail tells.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::incident::{age, lasts, plausible};

/// When a thing flaps, and when no longer (`[notify.flapping]`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// It flaps when it goes down for so many times within the window, by weight; 2 to [`MOST_DOWNS`].
    pub downs: u32,
    /// What was longer ago does not count.
    pub window: Duration,
    /// What has neither gone down nor come up for so long flaps no longer.
    pub calm_after: Duration,
    /// What flaps and then stays down for so long is told as down; at most `calm_after`.
    pub down_after: Duration,
}

/// The most times that can be asked for.
pub const MOST_DOWNS: u32 = 10;

/// So many of the latest times are remembered of each thing: more than [`MOST_DOWNS`] at the least weight.
const KEPT: usize = 16;

impl Default for Rule {
    /// The third time within 2 hours: an upgrade with its reboot takes a thing down once or twice, and what has failed to
    /// stay up twice will fail again. An hour without a change is longer than any pause of what has been restarted in vain.
    /// After 10 minutes Ceph itself takes an OSD for lost and puts its data elsewhere (`mon_osd_down_out_interval`, 600 s).
    fn default() -> Self {
        Rule {
            downs: 3,
            window: Duration::from_secs(2 * 3600),
            calm_after: Duration::from_secs(3600),
            down_after: Duration::from_secs(600),
        }
    }
}

impl Rule {
    /// Whether a thing that has just gone down flaps; `downs` has this time in it.
    pub fn is_met(&self, downs: &Downs, now: Timestamp) -> bool {
        // In milliseconds of the window and tenths, so that the third time at its very end is three.
        let window = self.window.as_millis();
        let ages = downs.0.iter().map(|then| age(*then, now).as_millis());
        let weights = ages.filter(|age| *age <= window);
        let sum: u128 = weights.map(|age| 12 * window - 4 * age).sum();
        sum >= 10 * window * u128::from(self.downs)
    }

    /// Whether a thing that has been as it is since then, as seen in so many passes in a row, is calm.
    pub fn is_calm(&self, since: Timestamp, passes: u32, now: Timestamp) -> bool {
        lasts(since, passes, self.calm_after, now)
    }
}

/// When a thing went down of late, oldest first. Bounded in number and time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Downs(Vec<Timestamp>);

impl Downs {
    /// Takes up that it has just gone down.
    pub fn note(&mut self, now: Timestamp) {
        self.0.push(now);
        let old = self.0.len().saturating_sub(KEPT);
        self.0.drain(..old);
    }

    /// Forgets what counts no longer, and says whether anything is left.
    pub fn keep(&mut self, rule: &Rule, now: Timestamp) -> bool {
        self.0.retain(|then| age(*then, now) <= rule.window);
        !self.0.is_empty()
    }

    /// See [`plausible`].
    pub fn set_clock(&mut self, now: Timestamp) {
        for then in &mut self.0 {
            *then = plausible(*then, now);
        }
    }
}

/// What is remembered of a thing while it flaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flapping {
    /// The first of the times that it went down.
    pub first: Timestamp,
    /// How often it has gone down since, that time among them.
    pub downs: u32,
    /// Since when it is up; `None` while it is down.
    pub up_since: Option<Timestamp>,
    /// It stayed down for so long that it is, or was, told as down. What comes of that is no news before it is calm.
    pub down_told: bool,
}

impl Flapping {
    /// Begins with these times, the last of which is now.
    pub fn begin(downs: &Downs, now: Timestamp) -> Self {
        Flapping {
            first: downs.0.first().copied().unwrap_or(now),
            downs: u32::try_from(downs.0.len()).unwrap_or(u32::MAX),
            up_since: None,
            down_told: false,
        }
    }

    /// Takes up that it has gone down once more.
    pub fn goes_down(&mut self) {
        self.downs = self.downs.saturating_add(1);
        self.up_since = None;
    }

    /// Whether it is down and stays so: told as down, as if it had never flapped.
    pub fn is_down_for_good(&self) -> bool {
        self.down_told && self.up_since.is_none()
    }

    /// See [`plausible`].
    pub fn set_clock(&mut self, now: Timestamp) {
        self.first = plausible(self.first, now);
        self.up_since = self.up_since.map(|since| plausible(since, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_795_402_440 + minute * 60).unwrap()
    }

    /// In which of these minutes a thing that goes down is first taken for flapping.
    fn flaps(rule: Rule, minutes: &[i64]) -> Option<i64> {
        let mut downs = Downs::default();
        minutes.iter().copied().find(|&minute| {
            downs.keep(&rule, at(minute));
            downs.note(at(minute));
            rule.is_met(&downs, at(minute))
        })
    }

    #[test]
    fn flapping_is_the_third_time_within_two_hours_and_the_recent_ones_weigh_more() {
        let cases: &[(&str, &[i64], Option<i64>)] = &[
            ("once", &[0], None),
            ("a restart, and the reboot after it", &[0, 1], None),
            ("the third in a row", &[0, 2, 4], Some(4)),
            ("every 20 minutes", &[0, 20, 40, 60], Some(40)),
            ("every hour", &[0, 60, 120], Some(120)),
            ("every 61 minutes, for ever", &[0, 61, 122, 183, 244], None),
            ("two long ago weigh less than one each", &[0, 1, 119], None),
            (
                "and yet enough with two new ones",
                &[0, 1, 100, 101],
                Some(101),
            ),
            ("one long ago, two new ones", &[0, 110, 111], Some(111)),
            ("what was longer ago is forgotten", &[0, 121, 122], None),
        ];
        for (name, minutes, expected) in cases {
            assert_eq!(flaps(Rule::default(), minutes), *expected, "{name}");
        }
    }

    #[test]
    fn number_and_window_are_as_configured() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let every_minute: Vec<i64> = (0..30).collect();
        for (downs, window, expected) in [
            (2, 60, Some(1)),
            (5, 60, Some(4)),
            (MOST_DOWNS, 60, Some(8)),
            (MOST_DOWNS, 10, Some(9)),
            (3, 2, Some(2)),
            (3, 1, None),
        ] {
            let rule = Rule {
                downs,
                window: minutes(window),
                ..Rule::default()
            };
            assert_eq!(flaps(rule, &every_minute), expected, "{rule:?}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_enough_for_the_most_times_at_the_least_weight() {
        let rule = Rule {
            downs: MOST_DOWNS,
            ..Rule::default()
        };
        let mut downs = Downs::default();
        for _ in 0..KEPT - 1 {
            downs.note(at(0));
        }
        downs.note(at(120));
        assert!(rule.is_met(&downs, at(120)));
        for _ in 0..1000 {
            downs.note(at(120));
        }
        assert_eq!(downs.0.len(), KEPT);
        assert!(downs.keep(&rule, at(240)));
        assert!(!downs.keep(&rule, at(241)));
    }

    #[test]
    fn a_clock_that_jumps_makes_nothing_flap() {
        for jump in [-365 * 24 * 60, -60, 60, 365 * 24 * 60] {
            let mut downs = Downs::default();
            for minute in [0, 1] {
                downs.note(at(minute));
            }
            downs.set_clock(at(2 + jump));
            assert!(!Rule::default().is_met(&downs, at(2 + jump)), "{jump} min");
        }
    }
}
