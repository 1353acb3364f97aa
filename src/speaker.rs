//! Whose turn it is to speak, where petanotify runs on several nodes. Pure.
//!
//! While Consul's servers have a quorum, the holder of the lock speaks. Without one nobody can hold a lock, and then the mail
//! matters most: each node knows from its agent's gossip who is alive, and the first by name among the living nodes of the
//! cluster speaks. In a true partition that may be two.
//!
//! PetaSAN's leader need not run petanotify. Where it is not heard of, those that do choose among themselves by a lock of our
//! own, until it is.

mod doubt;
mod leader;
mod notes;
mod skew;

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::doubt::{Doubt, was_away};
pub use self::leader::{Heard, Leadership, Sighting};
pub use self::notes::Notes;
pub use self::skew::{Skew, skew};
use crate::wording;

/// A lock that stays free for so many passes is not wanted by any other node: then even one that has stepped down takes it.
pub const LEFT_FREE: u32 = 2;

/// When a node's agent has not answered for so many passes, the node speaks again if it spoke before: an agent that was started
/// anew or upgraded is back long before, and if only this one is dead, others have told so meanwhile. But if none of them is
/// left, nobody else would ever speak, and what is told twice does less harm.
pub const DEAF: u32 = 10;

/// How long a node that has stepped down leaves the voice to others: long enough that a mail server or a network that fails
/// now and then does not make the voice hop about.
pub const REST: Duration = Duration::from_secs(600);

/// After so many passes without a word of any other node, others are taken not to carry out passes: one that does says so in
/// its first.
const UNHEARD_PASSES: u32 = 3;

/// Which lock decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Manner {
    /// One of our own: a free one is taken.
    Consul,
    /// PetaSAN's leader lock, which only PetaSAN takes.
    Petasan,
}

/// Who holds the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock<'a> {
    /// Nobody.
    Free,
    /// This node.
    Ours,
    /// Another one, as far as it is known by name.
    Held(Option<&'a str>),
    /// It can't be known, for the servers have no quorum.
    Unknown,
    /// It can't be known, for this node's agent does not answer.
    Unreachable,
}

/// What this node knows.
#[derive(Debug, Clone)]
pub struct View<'a> {
    /// Which lock decides.
    pub manner: Manner,
    /// What Consul calls this node.
    pub me: &'a str,
    /// Who holds the lock.
    pub lock: Lock<'a>,
    /// The holder of PetaSAN's lock that has left the voice to others, see [`Turn::StepDown`].
    pub yielded: Option<&'a str>,
    /// The nodes of the cluster that are alive, as the gossip knows; `None` where that was not asked.
    pub living: Option<&'a BTreeSet<String>>,
    /// Who spoke last.
    pub last: Option<&'a str>,
    /// This node could neither see nor send for as many passes as the configuration allows.
    pub is_cut_off: bool,
    /// This node has stepped down of late.
    pub rests: bool,
    /// In how many passes in a row, this one included, the lock was found free.
    pub free_passes: u32,
    /// In how many passes in a row, this one included, this node's agent did not answer.
    pub deaf_passes: u32,
    /// PetaSAN's leader was not heard of while that could be known.
    pub stands_in: bool,
    /// In how many passes in a row, this one included, it could not be known who holds the lock, or nobody could take it.
    pub lockless_passes: u32,
    /// Another node has been heard of as one that carries out passes.
    pub knows_others: bool,
    /// There has been a shared memory.
    pub knows_memory: bool,
}

/// What a node does in this pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// It speaks: it holds the lock.
    Speak,
    /// It speaks: the holder of PetaSAN's lock has left the voice to it.
    SpeakAsDeputy,
    /// It speaks: nobody can hold the lock, and it is the first of the living.
    SpeakForAll,
    /// It tries to take the lock, and speaks if it gets it.
    Acquire,
    /// It gives up the lock, or the voice if it can't give up the lock, and is silent.
    StepDown,
    /// It is silent; with who speaks, as far as that is known.
    Listen(Option<String>),
}

impl View<'_> {
    /// Whether it depends on who is alive what this node does. Else the gossip need not be asked.
    pub fn needs_gossip(&self) -> bool {
        match (self.lock, self.manner) {
            (Lock::Unknown, _) => true,
            (Lock::Ours, _) => self.is_cut_off || self.yielded.is_some(),
            (Lock::Held(_), Manner::Petasan) => self.yielded.is_some(),
            (Lock::Free, _) | (Lock::Held(_), Manner::Consul) | (Lock::Unreachable, _) => false,
        }
    }

    /// Whether nobody else may ever speak: no other node was ever heard of, and it is some passes that one could have been.
    /// Mostly petanotify runs on this node alone then, as ever, and who the lock is for does not know of it.
    fn is_only_one_heard(&self) -> bool {
        // Where our own lock was chosen to decide, petanotify is to run on all nodes, and the first of them speaks.
        let may_be_alone = match self.manner {
            Manner::Petasan => true,
            Manner::Consul => self.stands_in || self.is_no_living_node(),
        };
        may_be_alone && !self.knows_others && self.lockless_passes >= UNHEARD_PASSES
    }

    /// Whether this node is none that the gossip knows to be alive, as if it were called otherwise: nobody waits for it.
    fn is_no_living_node(&self) -> bool {
        self.living.is_some_and(|living| !living.contains(self.me))
    }

    /// Whether this node speaks where it may not take our own lock, though that decides because PetaSAN's leader was not heard
    /// of. That may be refused to say a word as well, and speak.
    pub fn speaks_when_refused(&self) -> bool {
        self.last == Some(self.me) || self.is_only_one_heard()
    }

    /// Whether this node, which leads and had left the voice to others, has rested and tries again.
    pub fn takes_voice_back(&self) -> bool {
        self.lock == Lock::Ours && self.yielded == Some(self.me) && !self.rests
    }

    /// What this node does.
    pub fn turn(&self) -> Turn {
        match (self.lock, self.manner) {
            (Lock::Ours, _) if self.yielded == Some(self.me) => self.as_deputy(self.me),
            (Lock::Ours, _) if self.is_cut_off && self.first_but(Some(self.me)).is_some() => {
                Turn::StepDown
            }
            (Lock::Ours, _) => Turn::Speak,
            (Lock::Held(Some(holder)), Manner::Petasan) if self.yielded == Some(holder) => {
                self.as_deputy(holder)
            }
            (Lock::Held(holder), _) => Turn::Listen(holder.map(str::to_owned)),
            (Lock::Free, Manner::Consul) if self.rests && self.free_passes < LEFT_FREE => {
                Turn::Listen(None)
            }
            (Lock::Free, Manner::Consul) => Turn::Acquire,
            // PetaSAN is about to choose a leader. If it does not, our own lock will decide.
            (Lock::Free, Manner::Petasan) => Turn::Listen(None),
            (Lock::Unknown, _) if self.is_only_one_heard() => Turn::SpeakForAll,
            // Where something was shared, somebody may be ready to speak who has never had anything to say.
            (Lock::Unreachable, _) if self.is_only_one_heard() && !self.knows_memory => {
                Turn::SpeakForAll
            }
            // Not every node runs petanotify then; this one does, and has spoken for them.
            (Lock::Unknown, _) if self.stands_in && self.last == Some(self.me) => Turn::SpeakForAll,
            (Lock::Unknown, _) => self.as_first(),
            (Lock::Unreachable, _) if self.deaf_passes >= DEAF && self.last == Some(self.me) => {
                Turn::SpeakForAll
            }
            // Others can hold the lock meanwhile, and will: Consul takes it from a node whose agent is dead.
            (Lock::Unreachable, _) => Turn::Listen(None),
        }
    }

    fn as_first(&self) -> Turn {
        let nobody = BTreeSet::new();
        let living = self.living.unwrap_or(&nobody);
        // Where nobody knows the nodes, the one that has spoken goes on; and twice is better than never.
        let listless = || self.last.filter(|last| living.contains(*last));
        match self.first_but(None).or(listless()) {
            Some(first) if first != self.me => Turn::Listen(Some(first.to_owned())),
            _ => Turn::SpeakForAll,
        }
    }

    /// While the holder of the lock has left the voice to others.
    fn as_deputy(&self, holder: &str) -> Turn {
        match self.first_but(Some(holder)) {
            Some(first) if first == self.me => Turn::SpeakAsDeputy,
            Some(first) => Turn::Listen(Some(first.to_owned())),
            None if holder == self.me => Turn::Speak,
            None => Turn::Listen(Some(holder.to_owned())),
        }
    }

    /// The first living node by name, in the order in which people count (node2 before node10).
    fn first_but(&self, but: Option<&str>) -> Option<&str> {
        let living = self.living?.iter().map(String::as_str);
        let others = living.filter(|name| but != Some(*name));
        others.min_by_key(|name| wording::natural(name))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const NODES: &[&str] = &["node2", "node3", "node10"];

    fn turn(view: View<'_>, living: &[&str]) -> Turn {
        let living = living.iter().map(|name| (*name).to_owned()).collect();
        let view = View {
            living: view.needs_gossip().then_some(&living),
            ..view
        };
        view.turn()
    }

    fn view(manner: Manner, me: &'static str, lock: Lock<'static>) -> View<'static> {
        View {
            manner,
            me,
            lock,
            yielded: None,
            living: None,
            last: None,
            is_cut_off: false,
            rests: false,
            free_passes: u32::from(lock == Lock::Free),
            deaf_passes: u32::from(lock == Lock::Unreachable),
            stands_in: false,
            lockless_passes: u32::from(matches!(lock, Lock::Unknown | Lock::Unreachable)),
            knows_others: true,
            knows_memory: false,
        }
    }

    fn listen(to: &str) -> Turn {
        Turn::Listen(Some(to.to_owned()))
    }

    #[test]
    fn with_a_quorum_the_holder_of_the_lock_speaks() {
        use Manner::{Consul, Petasan};
        for (manner, lock, expected) in [
            (Consul, Lock::Ours, Turn::Speak),
            (Consul, Lock::Held(Some("node2")), listen("node2")),
            (Consul, Lock::Held(None), Turn::Listen(None)),
            (Consul, Lock::Free, Turn::Acquire),
            (Petasan, Lock::Ours, Turn::Speak),
            (Petasan, Lock::Held(Some("node2")), listen("node2")),
            (Petasan, Lock::Held(None), Turn::Listen(None)),
            (Petasan, Lock::Free, Turn::Listen(None)),
        ] {
            assert_eq!(
                turn(view(manner, "node3", lock), NODES),
                expected,
                "{manner:?} {lock:?}"
            );
            // Who is alive matters to none of them.
            assert_eq!(turn(view(manner, "node3", lock), &[]), expected);
        }
    }

    #[test]
    fn without_a_quorum_exactly_one_of_the_living_speaks() {
        for manner in [Manner::Consul, Manner::Petasan] {
            for living in [NODES, &["node3", "node10"], &["node10"]] {
                for me in NODES.iter().filter(|me| living.contains(*me)) {
                    let expected = match *me == living[0] {
                        true => Turn::SpeakForAll,
                        false => listen(living[0]),
                    };
                    let found = turn(view(manner, me, Lock::Unknown), living);
                    assert_eq!(found, expected, "{me} {living:?}");
                }
            }
        }
    }

    #[test]
    fn who_stood_in_for_a_silent_leader_speaks_on_without_a_quorum() {
        // node2 lives, and need not run petanotify.
        for (stands_in, last, expected) in [
            (true, "node3", Turn::SpeakForAll),
            (true, "node10", listen("node2")),
            (false, "node3", listen("node2")),
        ] {
            let view = View {
                stands_in,
                last: Some(last),
                ..view(Manner::Consul, "node3", Lock::Unknown)
            };
            assert_eq!(turn(view, NODES), expected, "{stands_in} {last}");
        }
    }

    #[test]
    fn a_node_that_has_never_heard_of_another_one_speaks_before_long() {
        use Lock::{Held, Unknown, Unreachable};
        let (many, few) = (UNHEARD_PASSES, UNHEARD_PASSES - 1);
        for (lock, lockless_passes, knows_others, expected) in [
            (Unknown, few, false, listen("node2")),
            (Unknown, many, false, Turn::SpeakForAll),
            (Unknown, many, true, listen("node2")),
            (Unreachable, few, false, Turn::Listen(None)),
            (Unreachable, many, false, Turn::SpeakForAll),
            (Unreachable, many, true, Turn::Listen(None)),
            // Whoever holds the lock may carry out passes.
            (Held(Some("node2")), many, false, listen("node2")),
        ] {
            for (manner, stands_in) in [(Manner::Petasan, false), (Manner::Consul, true)] {
                let view = View {
                    lockless_passes,
                    knows_others,
                    stands_in,
                    ..view(manner, "node3", lock)
                };
                let found = turn(view, NODES);
                assert_eq!(found, expected, "{lock:?} {lockless_passes} {knows_others}");
            }
        }
        for (lock, expected) in [
            (Unknown, Turn::SpeakForAll),
            (Unreachable, Turn::Listen(None)),
        ] {
            let view = View {
                lockless_passes: many,
                deaf_passes: many,
                knows_others: false,
                knows_memory: true,
                last: Some("node3"),
                ..view(Manner::Petasan, "node3", lock)
            };
            assert_eq!(turn(view, NODES), expected, "{lock:?}");
        }
        // Where each node is to run petanotify the first one does, but it must be known who that is.
        for (me, expected) in [("node3", listen("node2")), ("vm", Turn::SpeakForAll)] {
            let view = View {
                lockless_passes: many,
                knows_others: false,
                ..view(Manner::Consul, me, Unknown)
            };
            assert_eq!(turn(view, NODES), expected, "{me}");
        }
    }

    #[test]
    fn who_may_not_take_the_lock_speaks_if_it_has_or_nobody_else_does() {
        for (last, lockless_passes, knows_others, expected) in [
            (Some("node3"), 1, true, true),
            (Some("node2"), UNHEARD_PASSES, true, false),
            (None, UNHEARD_PASSES - 1, false, false),
            (None, UNHEARD_PASSES, false, true),
        ] {
            let view = View {
                last,
                lockless_passes,
                knows_others,
                stands_in: true,
                ..view(Manner::Consul, "node3", Lock::Free)
            };
            let found = view.speaks_when_refused();
            assert_eq!(found, expected, "{last:?} {lockless_passes} {knows_others}");
        }
    }

    #[test]
    fn where_nobody_knows_the_nodes_it_is_said_twice_rather_than_never() {
        let alone = view(Manner::Consul, "node3", Lock::Unknown);
        assert_eq!(turn(alone.clone(), &[]), Turn::SpeakForAll);
        let known = View {
            last: Some("node2"),
            ..alone
        };
        assert_eq!(turn(known, &[]), Turn::SpeakForAll);
    }

    #[test]
    fn a_node_whose_agent_is_dead_is_silent_unless_nobody_else_may_be_left() {
        for manner in [Manner::Consul, Manner::Petasan] {
            for (last, deaf_passes, expected) in [
                (Some("node2"), 1, Turn::Listen(None)),
                (Some("node2"), DEAF - 1, Turn::Listen(None)),
                (Some("node2"), DEAF, Turn::SpeakForAll),
                (Some("node3"), DEAF, Turn::Listen(None)),
                (None, DEAF, Turn::Listen(None)),
            ] {
                let deaf = View {
                    last,
                    deaf_passes,
                    ..view(manner, "node2", Lock::Unreachable)
                };
                assert_eq!(turn(deaf, NODES), expected, "{last:?} {deaf_passes}");
            }
        }
    }

    #[test]
    fn who_neither_sees_nor_sends_steps_down_if_another_lives() {
        for manner in [Manner::Consul, Manner::Petasan] {
            for (living, expected) in [
                (NODES, Turn::StepDown),
                (&["node2"], Turn::Speak),
                (&[], Turn::Speak),
            ] {
                let blind = View {
                    is_cut_off: true,
                    ..view(manner, "node2", Lock::Ours)
                };
                assert_eq!(turn(blind, living), expected, "{living:?}");
            }
        }
        // And leaves the lock alone for a while, unless nobody else takes it.
        for (rests, free_passes, expected) in [
            (true, 1, Turn::Listen(None)),
            (true, LEFT_FREE, Turn::Acquire),
            (false, 1, Turn::Acquire),
        ] {
            let view = View {
                rests,
                free_passes,
                ..view(Manner::Consul, "node2", Lock::Free)
            };
            assert_eq!(turn(view, NODES), expected, "{rests} {free_passes}");
        }
    }

    #[test]
    fn a_petasan_leader_that_has_stepped_down_has_one_deputy() {
        let cases: &[(&str, Lock<'static>, &[&str], Turn)] = &[
            ("node2", Lock::Ours, NODES, listen("node3")),
            (
                "node3",
                Lock::Held(Some("node2")),
                NODES,
                Turn::SpeakAsDeputy,
            ),
            ("node10", Lock::Held(Some("node2")), NODES, listen("node3")),
            // It is alone.
            ("node2", Lock::Ours, &["node2"], Turn::Speak),
            // There is another leader.
            ("node3", Lock::Ours, NODES, Turn::Speak),
            ("node2", Lock::Held(Some("node10")), NODES, listen("node10")),
        ];
        for (me, lock, living, expected) in cases {
            let view = View {
                yielded: Some("node2"),
                ..view(Manner::Petasan, me, *lock)
            };
            assert_eq!(turn(view, living), *expected, "{me} {lock:?}");
        }
    }

    #[test]
    fn a_petasan_leader_that_has_rested_takes_the_voice_back() {
        for (yielded, lock, rests, expected) in [
            (Some("node2"), Lock::Ours, false, true),
            (Some("node2"), Lock::Ours, true, false),
            (Some("node3"), Lock::Ours, false, false),
            (None, Lock::Ours, false, false),
            // Who is no longer the leader has nothing to take back.
            (Some("node2"), Lock::Held(Some("node3")), false, false),
            (Some("node2"), Lock::Free, false, false),
        ] {
            let view = View {
                yielded,
                rests,
                ..view(Manner::Petasan, "node2", lock)
            };
            assert_eq!(view.takes_voice_back(), expected, "{yielded:?} {lock:?}");
        }
    }
}
