//! What a node keeps for itself from pass to pass. Pure.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Heard, Lock, Manner, Skew};
use crate::shared::Mark;

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
    /// In how many passes in a row it could not be known who holds the lock, or nobody could take it.
    pub lockless_passes: u32,
    /// Another node has been heard of as one that carries out passes.
    pub knows_others: bool,
    /// This node has let a pass go by, see [`Doubt`].
    pub has_waited: bool,
    /// What it has heard of PetaSAN's leader, if that is another one.
    pub heard: Option<Heard>,
    /// When this node said that it leads and carries out passes.
    pub signed_at: Option<Timestamp>,
    /// PetaSAN's leader carries out no passes, so our own lock decides.
    pub stands_in: bool,
}

impl Notes {
    /// Counts a pass that has found the lock so.
    pub fn count_lock(&mut self, lock: Lock<'_>) {
        let count = |passes: u32, is_so: bool| match is_so {
            true => passes.saturating_add(1),
            false => 0,
        };
        self.free_passes = count(self.free_passes, lock == Lock::Free);
        self.deaf_passes = count(self.deaf_passes, lock == Lock::Unreachable);
        match lock {
            Lock::Unknown | Lock::Unreachable => self.count_lockless(),
            Lock::Ours | Lock::Held(_) => self.lockless_passes = 0,
            // That is known when this node has tried to take it.
            Lock::Free => {}
        }
    }

    /// Counts a pass in which nobody knows the holder of the lock, or can be it.
    pub fn count_lockless(&mut self) {
        self.lockless_passes = self.lockless_passes.saturating_add(1);
    }

    /// Counts a pass in which there was a quorum or none. Whether there is one nobody knows whose agent does not answer.
    pub fn count_quorum(&mut self, has_quorum: bool, lock: Lock<'_>) {
        self.leaderless_passes = match (has_quorum, lock) {
            (true, _) => 0,
            (false, Lock::Unreachable) => self.leaderless_passes,
            (false, _) => self.leaderless_passes.saturating_add(1),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_in_a_row_are_counted() {
        use Lock::{Free, Held, Ours, Unknown, Unreachable};
        let mut notes = Notes::default();
        for (lock, has_quorum, free, deaf, leaderless, lockless) in [
            (Free, true, 1, 0, 0, 0),
            (Free, true, 2, 0, 0, 0),
            // Free, until this node wanted to take it.
            (Free, false, 3, 0, 1, 0),
            (Unknown, false, 0, 0, 2, 1),
            (Unreachable, false, 0, 1, 2, 2),
            (Unreachable, false, 0, 2, 2, 3),
            (Unknown, false, 0, 0, 3, 4),
            (Free, true, 1, 0, 0, 4),
            (Held(None), true, 0, 0, 0, 0),
            (Ours, true, 0, 0, 0, 0),
        ] {
            notes.count_lock(lock);
            notes.count_quorum(has_quorum, lock);
            let found = (
                notes.free_passes,
                notes.deaf_passes,
                notes.leaderless_passes,
                notes.lockless_passes,
            );
            let expected = (free, deaf, leaderless, lockless);
            assert_eq!(found, expected, "{lock:?} {has_quorum}");
        }
    }
}
