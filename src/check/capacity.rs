//! How full the storage is: two levels, each left only a margin below where it was entered.

use serde::{Deserialize, Serialize};

use crate::facts::Usage;

/// Thresholds of the capacity check, in percent of raw bytes, above 0 and at most 100.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// A mail when used exceeds it.
    pub warn_percent: f64,
    /// Another mail when used exceeds it; at least `warn_percent`.
    pub critical_percent: f64,
    /// A level is left only this far below it; at least 0, less than `warn_percent`.
    pub clear_margin_percent: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            warn_percent: 60.0,
            critical_percent: 85.0,
            clear_margin_percent: 2.0,
        }
    }
}

/// How serious it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Enough room.
    #[default]
    Ok,
    /// Above `warn_percent`.
    Warn,
    /// Above `critical_percent`.
    Critical,
}

/// How full the storage was, and by which limits that was judged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// The level that is in force now.
    pub level: Level,
    /// Used, in percent of raw bytes.
    pub percent: f64,
    /// Raw bytes in use.
    pub used_bytes: u64,
    /// Raw bytes in all.
    pub total_bytes: u64,
    /// `warn_percent` and `critical_percent` of that day.
    pub warn_percent: f64,
    /// See `warn_percent`.
    pub critical_percent: f64,
}

impl Reading {
    /// The limit that the level is about.
    pub fn limit(&self) -> f64 {
        match self.level {
            Level::Critical => self.critical_percent,
            Level::Ok | Level::Warn => self.warn_percent,
        }
    }
}

const BILLION: f64 = 1e9;

/// Used space in percent of raw bytes.
///
/// # Errors
/// The figures say nothing: no OSD has ever reported, or no manager keeps them fresh. The text is for the admin.
pub fn used_percent(usage: Usage) -> Result<f64, String> {
    if !usage.mgr_available {
        return Err(
            "ceph status: no manager is active (mgrmap.available is false), so its figures are stale; \
             look with: ceph mgr stat"
                .to_owned(),
        );
    }
    if usage.total_bytes == 0 {
        return Err(
            "ceph status: the cluster has no size (pgmap.bytes_total is 0): no OSD has ever reported; \
             look with: ceph osd stat"
                .to_owned(),
        );
    }
    // In whole billionths of a percent: 0.07 of all times 100 is more than 7 in floating point, and no threshold shall be
    // exceeded by that.
    let billionths =
        u128::from(usage.used_bytes) * 100 * 1_000_000_000 / u128::from(usage.total_bytes);
    Ok(billionths as f64 / BILLION)
}

/// The level that `percent` used means, given the level of the pass before.
pub fn level(percent: f64, before: Level, limits: &Limits) -> Level {
    let margin = limits.clear_margin_percent;
    let left_at = |limit: f64| ((limit - margin) * BILLION).round() / BILLION;
    let holds =
        |at: Level, limit: f64| percent > limit || (before >= at && percent > left_at(limit));
    if holds(Level::Critical, limits.critical_percent) {
        Level::Critical
    } else if holds(Level::Warn, limits.warn_percent) {
        Level::Warn
    } else {
        Level::Ok
    }
}

#[cfg(test)]
mod tests {
    use super::Level::{Critical, Ok as Fine, Warn};
    use super::*;

    const LIMITS: Limits = Limits {
        warn_percent: 60.0,
        critical_percent: 85.0,
        clear_margin_percent: 2.0,
    };

    #[test]
    fn levels_are_entered_above_and_left_a_margin_below() {
        let cases = [
            (59.9, Fine, Fine),
            (60.0, Fine, Fine),
            (60.001, Fine, Warn),
            (60.0, Warn, Warn),
            (58.001, Warn, Warn),
            (58.0, Warn, Fine),
            (85.0, Warn, Warn),
            (85.001, Warn, Critical),
            (85.001, Fine, Critical),
            (84.0, Critical, Critical),
            (83.001, Critical, Critical),
            (83.0, Critical, Warn),
            (59.0, Critical, Warn),
            (58.0, Critical, Fine),
            (0.0, Critical, Fine),
            (100.0, Fine, Critical),
        ];
        for (percent, before, expected) in cases {
            assert_eq!(
                level(percent, before, &LIMITS),
                expected,
                "{percent} after {before:?}"
            );
        }
    }

    #[test]
    fn figures_that_floating_point_cannot_hold_are_no_excess() {
        for (used, total, warn, expected) in [
            (70_000_000, 1_000_000_000, 7.0, Fine),
            (70_000_001, 1_000_000_000, 7.0, Warn),
            (u64::MAX / 100 * 29, u64::MAX / 100 * 100, 29.0, Fine),
            (623, 1000, 62.3, Fine),
        ] {
            let limits = Limits {
                warn_percent: warn,
                ..LIMITS
            };
            let usage = Usage {
                used_bytes: used,
                total_bytes: total,
                mgr_available: true,
            };
            let percent = used_percent(usage).unwrap();
            assert_eq!(level(percent, Fine, &limits), expected, "{used} of {total}");
        }
        let limits = Limits {
            warn_percent: 62.3,
            clear_margin_percent: 0.1,
            ..LIMITS
        };
        assert_eq!(level(62.2, Warn, &limits), Fine);
    }

    #[test]
    fn without_a_margin_a_level_is_left_where_it_is_entered() {
        let limits = Limits {
            clear_margin_percent: 0.0,
            ..LIMITS
        };
        assert_eq!(level(60.0, Warn, &limits), Fine);
        assert_eq!(level(60.1, Warn, &limits), Warn);
    }

    #[test]
    fn figures_that_say_nothing_are_refused() {
        let usage = |used_bytes, total_bytes, mgr_available| Usage {
            used_bytes,
            total_bytes,
            mgr_available,
        };
        assert_eq!(used_percent(usage(61, 100, true)), Ok(61.0));
        assert_eq!(used_percent(usage(0, 1, true)), Ok(0.0));
        assert!(used_percent(usage(0, 0, true)).is_err_and(|e| e.contains("bytes_total")));
        assert!(used_percent(usage(61, 100, false)).is_err_and(|e| e.contains("manager")));
    }
}
