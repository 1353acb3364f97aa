//! Whose turn it is to speak, where petanotify runs on several nodes. Pure.
//!
//! While Consul's servers have a quorum, the holder of the lock speaks. Without one nobody can hold a lock, and then the mail
//! matters most: each node knows from its agent's gossip who is alive, and the first by name among the living nodes of the
//! cluster speaks. In a true partition that may be two.
//!
//! PetaSAN's leader need not run petanotify. Where it is not heard of, those that do choose among themselves by a lock of our
//! own, until it is.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::shared::Mark;
use crate::wording;

/// A lock that stays free for so many passes is not wanted by any other node: then even one that has stepped down takes it.
pub const LEFT_FREE: u32 = 2;

/// When a node's agent has not answered for so many passes, the node speaks again if it spoke before: an agent that was started
/// anew or upgraded is back long before, and if only this one is dead, others have told so meanwhile. But if none of them is
/// left, nobody else would ever speak, and what is told twice does less harm.
pub const DEAF: u32 = 10;

/// How long a node that has stepped down leaves the voice to others: long enough that a mail server or a network that fails
/// now and then does not make the voice hop about.
pub const REST: std::time::Duration = std::time::Duration::from_secs(600);

/// Which lock decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Manner {
    /// One of our own: a free one is taken.
    Consul,
    /// PetaSAN's leader lock, which only PetaSAN takes.
    Petasan,
}

/// PetaSAN's leader says so often that it carries out passes.
pub const SIGNED_EVERY: std::time::Duration = std::time::Duration::from_secs(15 * 60);

/// After so many passes without a word of a leader that has never said one, others speak: a leader that runs petanotify says it
/// in its first pass.
const UNHEARD_PASSES: u32 = 3;

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
    pub fn take_up(
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
    pub fn is_silent(&self, is_stood_in_for: bool, now: Timestamp) -> bool {
        match (&self.leader, self.sign) {
            (_, Some(_)) => crate::incident::age(self.since, now) > 2 * SIGNED_EVERY,
            (_, None) if is_stood_in_for => true,
            (Some(_), None) => self.passes >= UNHEARD_PASSES,
            (None, None) => self.passes >= LEFT_FREE,
        }
    }
}

/// What a node keeps for itself from pass to pass. Nothing of it is needed: what is lost is found out again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notes {
    /// Which lock decided; for the hour in which Consul can't be asked.
    pub manner: Option<Manner>,
    /// What Consul calls this node.
    pub node: Option<String>,
    /// What its datacenter is called.
    pub datacenter: Option<String>,
    /// On which machine which agent has told that.
    pub asked: Option<String>,
    /// The session with which this node holds the lock, or last held it.
    pub session: Option<String>,
    /// Who spoke last, as far as this node knows.
    pub speaker: Option<String>,
    /// The session of PetaSAN's leader, and its node.
    pub leader: Option<(String, String)>,
    /// The nodes of the cluster.
    pub nodes: BTreeSet<String>,
    /// When the shared memory was last looked at while there was a quorum.
    pub looked_at: Option<Timestamp>,
    /// When this node's last pass was.
    pub passed_at: Option<Timestamp>,
    /// What was found there.
    pub seen: Option<Mark>,
    /// How far the clock of the node that wrote it is off.
    pub skew: Option<Skew>,
    /// In how many passes in a row this node spoke, and could neither see the cluster nor send a mail.
    pub cut_off: u32,
    /// Until then others shall speak, for this node could not.
    pub rests_until: Option<Timestamp>,
    /// In how many passes in a row the lock was found free.
    pub free_passes: u32,
    /// In how many passes in a row this node's agent did not answer.
    pub deaf_passes: u32,
    /// In how many passes in a row there was no quorum.
    pub leaderless_passes: u32,
    /// This node has let a pass go by, see [`Doubt`].
    pub has_waited: bool,
    /// What it has heard of PetaSAN's leader, if that is another one.
    pub heard: Option<Heard>,
    /// When this node said that it leads and carries out passes.
    pub signed_at: Option<Timestamp>,
    /// PetaSAN's leader carries out no passes, so our own lock decides.
    pub stands_in: bool,
}

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

/// A node that has not looked at the shared memory for so long may have missed that others spoke: two passes and a half, so
/// that one that comes late is none that was missed.
const AWAY: std::time::Duration = std::time::Duration::from_secs(150);

/// Whether others may have told what is not in the shared memory yet, so that a node whose turn it is lets one pass go by: it
/// takes up what is shared, hands over what it knows alone, and neither judges nor sends. Else the same would be told twice.
///
/// It costs one pass at most, and none where a node has looked in each minute, as the successor of a dead one has.
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
        Some(looked) => looked > now || crate::incident::age(looked, now) > AWAY,
        None => knows_anything,
    }
}

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
}

/// What a node does in this pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// It speaks: it holds the lock.
    Speak,
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
            Some(first) if first == self.me => Turn::Speak,
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
            ("node3", Lock::Held(Some("node2")), NODES, Turn::Speak),
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
