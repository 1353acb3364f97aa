//! Whether PetaSAN's leader carries out passes: listens for its signs, and gives them if this node is the leader.

use super::Share;
use super::sight::Held;
use super::store::Tree;
use crate::command::Context;
use crate::consul::{SessionId, Step};
use crate::speaker::{Leadership, Sighting, was_away};

impl Share {
    /// Finds out whether PetaSAN's leader carries out passes. If this node is the leader it says that it does, else others would
    /// speak in its place.
    pub(super) fn hear_leader(&mut self, context: &Context, tree: &Tree, leader: &Held) {
        let deputy = tree.holder(self.notes.session.as_deref());
        let sign = tree.awake.as_ref();
        let sighting = Sighting {
            me: &self.me,
            leader: leader.lock(),
            deputy: deputy.lock(),
            sign: sign.map(|(node, index)| (node.as_str(), *index)),
            yielded: tree.yielded.as_ref().map(|(node, _)| node.as_str()),
            was_away: was_away(self.notes.looked_at, context.now, true),
            now: context.now,
        };
        let Leadership {
            heard,
            stands_in,
            is_stood_in_for,
            must_sign,
        } = sighting.judge(self.notes.heard.take(), self.notes.signed_at);
        self.notes.heard = heard;
        self.standing.is_stood_in_for = is_stood_in_for;
        if must_sign {
            self.sign(context);
        }
        let stood_in = std::mem::replace(&mut self.notes.stands_in, stands_in);
        match (stood_in, stands_in) {
            (false, true) => context.log.notice(self.why_it_stands_in()),
            (true, false) => {
                let words = "PetaSAN's leader decides again who speaks";
                context.log.notice(words);
            }
            (true, true) | (false, false) => {}
        }
        if let (Held::Ours(session), false) = (deputy, stands_in) {
            self.give_up_own_lock(context, &session);
        }
    }

    /// Says that this node, PetaSAN's leader, carries out passes.
    fn sign(&mut self, context: &Context) {
        let steps = [Step::Set {
            key: self.keys.awake(),
            // With the time, for Consul takes no notice of a value that is the same as before.
            value: format!("{} {}", self.me, context.now).into_bytes(),
        }];
        match self.agent.transact(&steps, &context.log) {
            Ok(_) => self.notes.signed_at = Some(context.now),
            Err(failure) => self.report_unwritten(context, failure),
        }
    }

    fn give_up_own_lock(&mut self, context: &Context, session: &SessionId) {
        let log = &context.log;
        self.notes.session = None;
        if let Err(failure) = self.agent.destroy_session(session, log) {
            log.warning(format!("cannot give up the lock: {failure}"));
        }
    }
}
