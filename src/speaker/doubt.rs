//! Whether others may have told what this node does not know yet. Pure.

use std::time::Duration;

use jiff::Timestamp;

use crate::incident::age;

/// A node that has not looked at the shared memory for so long may have missed that others spoke: two passes and a half, so
/// that one that comes late is none that was missed.
const AWAY: Duration = Duration::from_secs(150);

/// Whether others may have told what is not in the shared memory yet, so that a node whose turn it is lets one pass go by: it
/// takes up what is shared, hands over what it knows alone, and neither judges nor sends. Else the same would be told twice.
///
/// It costs one pass at most, and none where a node has looked in each minute, as the successor of a dead one has. One missed
/// leader of Consul costs two where the holder of the lock is not the first of the living: that one waits in the pass without a
/// quorum, and the holder in the next one. The holder can't be spared that, though it has missed one pass alone: the other one's
/// timer may have elapsed twice meanwhile, just before the holder's and a minute later, and then it has spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// There is a shared memory, as far as this node knows. If none is known, nobody has told anything.
    pub has_memory: bool,
    /// There is a quorum now.
    pub has_quorum: bool,
    /// In how many passes in a row before this one there was none.
    pub leaderless_passes: u32,
    /// This node has not looked for long, see [`was_away`].
    pub was_away: bool,
    /// Another node speaks in this one's place, and has not noticed yet that it is back.
    pub is_stood_in_for: bool,
    /// It has let a pass go by already.
    pub has_waited: bool,
}

impl Doubt {
    /// Whether this node lets this pass go by.
    ///
    /// Without a quorum it speaks in the second pass: a change of Consul's leader takes seconds, and whoever holds the lock
    /// may not have noticed it. When there is one again, those who spoke without it have handed over by the second pass.
    pub fn waits(self) -> bool {
        let may_have_missed_it = match self.has_quorum {
            true => self.leaderless_passes > 0 || self.was_away || self.is_stood_in_for,
            false => self.leaderless_passes == 0,
        };
        self.has_memory && !self.has_waited && may_have_missed_it
    }

    /// What [`Notes::has_waited`] is after this pass, if it was this node's turn or not. Where quorum comes and goes from pass
    /// to pass, or the timer elapses more rarely than once a minute, it waits once and not for ever.
    pub fn has_waited_now(self, waits: bool) -> bool {
        let is_calm = match self.has_quorum {
            true => self.leaderless_passes == 0 && !self.was_away && !self.is_stood_in_for,
            false => self.leaderless_passes > 0,
        };
        waits || (self.has_waited && !is_calm)
    }
}

/// Whether a node that last looked then may have missed what others told. One that has never looked has, if it knows of
/// anything told: then its notes are lost, or it was alone.
pub fn was_away(looked: Option<Timestamp>, now: Timestamp, knows_anything: bool) -> bool {
    match looked {
        Some(looked) => looked > now || age(looked, now) > AWAY,
        None => knows_anything,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn who_may_have_missed_that_others_spoke_lets_one_pass_go_by() {
        let calm = Doubt {
            has_memory: true,
            has_quorum: true,
            leaderless_passes: 0,
            was_away: false,
            is_stood_in_for: false,
            has_waited: false,
        };
        let alone = Doubt {
            has_quorum: false,
            ..calm
        };
        let back = Doubt {
            leaderless_passes: 1,
            ..calm
        };
        let away = Doubt {
            was_away: true,
            ..calm
        };
        for (doubt, waits) in [
            (calm, false),
            (alone, true),
            (
                Doubt {
                    leaderless_passes: 1,
                    ..alone
                },
                false,
            ),
            (back, true),
            (away, true),
            (
                Doubt {
                    is_stood_in_for: true,
                    ..calm
                },
                true,
            ),
        ] {
            assert_eq!(doubt.waits(), waits, "{doubt:?}");
            // Once is enough, and where nobody has ever spoken there is nothing to wait for.
            let has_waited = true;
            assert!(
                !Doubt {
                    has_waited,
                    ..doubt
                }
                .waits(),
                "{doubt:?}"
            );
            let has_memory = false;
            assert!(
                !Doubt {
                    has_memory,
                    ..doubt
                }
                .waits(),
                "{doubt:?}"
            );
        }
    }

    #[test]
    fn no_node_waits_for_ever() {
        // Passes with a quorum (q) and without (-), those after a long rest (r), with another one in its place (s); and in which
        // the node waits (w).
        for (passes, expected) in [
            ("qqqq", "...."),
            ("-----", "w...."),
            ("q-qqq", ".w..."),
            ("---qqq---q", "w..w..w..w"),
            ("q-q-q-q-q-", ".w........"),
            ("-q-q-q-q-q", "w........."),
            ("rrrrr", "w...."),
            ("qrqqr", ".w..w"),
            ("rsssqqs", "w.....w"),
        ] {
            let mut has_waited = false;
            let mut leaderless_passes = 0;
            let found: String = (passes.chars())
                .map(|pass| {
                    let doubt = Doubt {
                        has_memory: true,
                        has_quorum: pass != '-',
                        leaderless_passes,
                        was_away: pass == 'r',
                        is_stood_in_for: pass == 's',
                        has_waited,
                    };
                    let waits = doubt.waits();
                    has_waited = doubt.has_waited_now(waits);
                    leaderless_passes = match pass {
                        '-' => leaderless_passes + 1,
                        _ => 0,
                    };
                    if waits { 'w' } else { '.' }
                })
                .collect();
            assert_eq!(found, expected, "{passes}");
        }
    }

    #[test]
    fn a_look_of_the_minute_before_misses_nothing() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        for (looked, knows_anything, expected) in [
            (Some(0), true, false),
            (Some(-60), true, false),
            (Some(-120), true, false),
            (Some(-150), true, false),
            (Some(-151), false, true),
            // A clock that was set back.
            (Some(1), false, true),
            (None, true, true),
            (None, false, false),
        ] {
            let found = was_away(looked.map(at), at(0), knows_anything);
            assert_eq!(found, expected, "{looked:?} {knows_anything}");
        }
    }
}
