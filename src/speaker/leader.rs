//! Whether PetaSAN's leader carries out passes, as far as can be seen from its signs in Consul. Pure.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{LEFT_FREE, Lock, UNHEARD_PASSES};
use crate::incident::age;

/// PetaSAN's leader says so often that it carries out passes.
const SIGNED_EVERY: Duration = Duration::from_secs(15 * 60);

/// What a node has heard of PetaSAN's leader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// The leader; `None` where PetaSAN has none.
    pub leader: Option<String>,
    /// Its last sign that it carries out passes, by the index of the key; `None` if it has given none.
    pub sign: Option<u64>,
    /// Since when this node has looked in each minute and found just that.
    pub since: Timestamp,
    /// In so many passes in a row.
    pub passes: u32,
}

impl Heard {
    /// What is known after this pass. `sign`: who said last that it leads and carries out passes, and the index of that;
    /// `was_away`: this node has not looked in the minute before.
    fn take_up(
        before: Option<Heard>,
        leader: Option<&str>,
        sign: Option<(&str, u64)>,
        was_away: bool,
        now: Timestamp,
    ) -> Heard {
        let sign = sign.filter(|(node, _)| leader == Some(*node));
        let sign = sign.map(|(_, index)| index);
        match before {
            Some(before)
                if !was_away && before.leader.as_deref() == leader && before.sign == sign =>
            {
                Heard {
                    passes: before.passes.saturating_add(1),
                    ..before
                }
            }
            _ => Heard {
                leader: leader.map(str::to_owned),
                sign,
                since: now,
                passes: 1,
            },
        }
    }

    /// Whether the leader carries out no passes, as far as can be seen, so that our own lock decides. Where it does already, a
    /// leader that is new has to give a sign first: else nobody would speak for some minutes.
    fn is_silent(&self, is_stood_in_for: bool, now: Timestamp) -> bool {
        match (&self.leader, self.sign) {
            (_, Some(_)) => age(self.since, now) > 2 * SIGNED_EVERY,
            (_, None) if is_stood_in_for => true,
            (Some(_), None) => self.passes >= UNHEARD_PASSES,
            (None, None) => self.passes >= LEFT_FREE,
        }
    }
}

/// What a node finds of PetaSAN's lock, and of our own one, in a pass.
#[derive(Debug, Clone)]
pub struct Sighting<'a> {
    /// What Consul calls this node.
    pub me: &'a str,
    /// Who holds PetaSAN's lock.
    pub leader: Lock<'a>,
    /// Who holds our own.
    pub deputy: Lock<'a>,
    /// Who said last that it leads and carries out passes, and the index of that.
    pub sign: Option<(&'a str, u64)>,
    /// The leader that has left the voice to others: so it carries out passes.
    pub yielded: Option<&'a str>,
    /// This node has not looked in the minute before.
    pub was_away: bool,
    /// The time of the pass.
    pub now: Timestamp,
}

/// What follows from that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leadership {
    /// What has been heard of the leader, if that is another node.
    pub heard: Option<Heard>,
    /// Our own lock decides, for the leader carries out no passes.
    pub stands_in: bool,
    /// This node is the leader, and another one speaks in its place: it has not noticed yet that this one carries out passes.
    pub is_stood_in_for: bool,
    /// This node is the leader, and has to say that it carries out passes.
    pub must_sign: bool,
}

impl Sighting<'_> {
    /// Whether the leader carries out passes. `before` was heard of it until now, `signed` is when this node last said that it
    /// does.
    pub fn judge(&self, before: Option<Heard>, signed: Option<Timestamp>) -> Leadership {
        match self.leader {
            Lock::Ours => self.as_leader(signed),
            Lock::Held(leader) => self.listening(before, leader),
            Lock::Free | Lock::Unknown | Lock::Unreachable => self.listening(before, None),
        }
    }

    fn as_leader(&self, signed: Option<Timestamp>) -> Leadership {
        let is_stood_in_for = matches!(self.deputy, Lock::Held(_));
        let is_known = self.sign.is_some_and(|(node, _)| node == self.me);
        let is_old =
            signed.is_none_or(|signed| signed > self.now || age(signed, self.now) >= SIGNED_EVERY);
        Leadership {
            is_stood_in_for,
            must_sign: !is_known || is_old || is_stood_in_for,
            ..Leadership::default()
        }
    }

    fn listening(&self, before: Option<Heard>, leader: Option<&str>) -> Leadership {
        let heard = Heard::take_up(before, leader, self.sign, self.was_away, self.now);
        let has_yielded = leader.is_some() && self.yielded == leader;
        Leadership {
            stands_in: heard.is_silent(self.deputy != Lock::Free, self.now) && !has_yielded,
            heard: Some(heard),
            ..Leadership::default()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_leader_that_is_not_heard_of_is_stood_in_for_until_it_is() {
        let at = |minute: i64| Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap();
        /// The leader, who has said last that it leads, and whether another node stands in for it.
        type Pass<'a> = (Option<&'a str>, Option<(&'a str, u64)>, bool);
        let listening = |story: &[Pass<'_>]| -> Vec<bool> {
            let mut heard = None;
            let mut found = Vec::new();
            for (minute, (leader, sign, is_stood_in_for)) in (0..).zip(story) {
                let after = Heard::take_up(heard, *leader, *sign, false, at(minute));
                found.push(after.is_silent(*is_stood_in_for, at(minute)));
                heard = Some(after);
            }
            found
        };
        let unheard = (Some("node1"), None, false);
        assert_eq!(listening(&[unheard; 4]), [false, false, true, true]);
        // The word of the leader before is none of this one.
        let other = (Some("node1"), Some(("node2", 7)), false);
        assert_eq!(listening(&[other; 3]), [false, false, true]);
        // A new leader has its time, but not where another one speaks already: that goes on until the leader says a word.
        let new = (Some("node2"), None, false);
        assert_eq!(
            listening(&[unheard, unheard, new, new, new]),
            [false, false, false, false, true]
        );
        let signed = (Some("node2"), Some(("node2", 9)), true);
        let new = (Some("node2"), None, true);
        assert_eq!(
            listening(&[unheard, unheard, unheard, new, new, signed, signed]),
            [false, false, true, true, true, false, false]
        );
        // PetaSAN is about to choose one.
        assert_eq!(listening(&[(None, None, false); 3]), [false, true, true]);
        // One that was heard of speaks a word every 15 minutes.
        let heard = (Some("node1"), Some(("node1", 7)), false);
        let silent = listening(&[heard; 40]);
        assert_eq!(silent.iter().position(|silent| *silent), Some(31));
        let mut again = vec![heard; 30];
        again.extend([(Some("node1"), Some(("node1", 8)), false); 31]);
        assert!(!listening(&again).contains(&true));
        // A node that has not looked itself has not heard anything.
        let unheard = Heard::take_up(None, Some("node1"), None, false, at(0));
        let unheard = Heard {
            passes: 9,
            ..unheard
        };
        let back = Heard::take_up(Some(unheard), Some("node1"), None, true, at(60));
        assert_eq!((back.passes, back.since), (1, at(60)));
    }

    #[test]
    fn a_leader_says_that_it_carries_out_passes() {
        let at = |minute: i64| Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap();
        let (ours, others) = (Some(("node1", 7)), Some(("node2", 7)));
        for (sign, signed, deputy, expected) in [
            (ours, Some(0), Lock::Free, (false, false)),
            (ours, Some(-14), Lock::Free, (false, false)),
            (ours, Some(-15), Lock::Free, (false, true)),
            // A clock that was set back.
            (ours, Some(1), Lock::Free, (false, true)),
            (ours, None, Lock::Free, (false, true)),
            (others, Some(0), Lock::Free, (false, true)),
            (None, Some(0), Lock::Free, (false, true)),
            // Until the other one has noticed it.
            (ours, Some(0), Lock::Held(Some("node2")), (true, true)),
            // It stood in for a leader whose place it has taken.
            (ours, Some(0), Lock::Ours, (false, false)),
        ] {
            let sighting = Sighting {
                me: "node1",
                leader: Lock::Ours,
                deputy,
                sign,
                yielded: None,
                was_away: false,
                now: at(0),
            };
            let found = sighting.judge(None, signed.map(at));
            let (is_stood_in_for, must_sign) = expected;
            let expected = Leadership {
                is_stood_in_for,
                must_sign,
                ..Leadership::default()
            };
            assert_eq!(found, expected, "{sign:?} {signed:?} {deputy:?}");
        }
    }

    #[test]
    fn a_leader_that_has_left_the_voice_to_others_is_not_silent() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        for (leader, yielded, deputy, expected) in [
            (Lock::Held(Some("node1")), None, Lock::Free, true),
            (Lock::Held(Some("node1")), Some("node1"), Lock::Free, false),
            (Lock::Held(Some("node1")), Some("node3"), Lock::Free, true),
            (Lock::Free, None, Lock::Free, true),
            (Lock::Free, Some("node1"), Lock::Free, true),
            (Lock::Held(Some("node9")), None, Lock::Free, false),
            (Lock::Held(Some("node9")), None, Lock::Ours, true),
        ] {
            let name = match leader {
                Lock::Held(name) => name,
                _ => None,
            };
            let before = Heard {
                leader: name.filter(|name| *name != "node9").map(str::to_owned),
                sign: None,
                since: now,
                passes: UNHEARD_PASSES,
            };
            let sighting = Sighting {
                me: "node2",
                leader,
                deputy,
                sign: None,
                yielded,
                was_away: false,
                now,
            };
            let found = sighting.judge(Some(before), None);
            assert_eq!(
                found.stands_in, expected,
                "{leader:?} {yielded:?} {deputy:?}"
            );
            assert!(!found.must_sign && !found.is_stood_in_for);
            assert_eq!(found.heard.unwrap().leader.as_deref(), name);
        }
    }
}
