//! Clocks of nodes that differ. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How far another node's clock is off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skew {
    /// The node.
    pub node: String,
    /// Seconds that its clock is ahead of ours at the least; negative: behind.
    pub seconds: i64,
}

/// Clocks further apart than this are told of: what stands in mails and in logs can't be put in order any more. NTP keeps
/// them within a second, Ceph warns from 0.05 s on.
const TOLD_SKEW: i64 = 120;

/// How far a clock is off that showed `written` at some moment between `looked`, when the shared memory was last found
/// unchanged, and `now`; `None` where it may be right, or is off by so little that nobody needs to know.
pub fn skew(written: Timestamp, looked: Timestamp, now: Timestamp) -> Option<i64> {
    let ahead = written.as_second() - now.as_second();
    let behind = looked.as_second() - written.as_second();
    match (ahead > TOLD_SKEW, behind > TOLD_SKEW) {
        (true, _) => Some(ahead),
        (_, true) => Some(-behind),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_clock_that_is_off_by_minutes_is_told() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        // Written at this time by the writer's clock, between two looks by ours.
        for (written, looked, now, expected) in [
            (30, 0, 60, None),
            (60, 0, 60, None),
            // The timer has rested: nobody knows when it was written.
            (30, 0, 6000, None),
            (180, 0, 60, None),
            (181, 0, 60, Some(121)),
            (660, 0, 60, Some(600)),
            (-120, 0, 60, None),
            (-121, 0, 60, Some(-121)),
            (-600, 0, 60, Some(-600)),
        ] {
            assert_eq!(
                skew(at(written), at(looked), at(now)),
                expected,
                "{written}"
            );
        }
    }
}
