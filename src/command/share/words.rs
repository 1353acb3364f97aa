//! How it is told who speaks, and what went wrong.

use super::sight::Held;
use super::{Purpose, Share};
use crate::command::Context;
use crate::consul::Failure;
use crate::speaker::{Lock, REST};
use crate::wording;

/// Found when the session is renewed, before the pass or in the midst of it.
pub(super) const SESSION_HAS_ENDED: &str =
    "this node's session in Consul has ended, and with it the lock";

impl Share {
    /// Who speaks, in words for `status`.
    pub fn voice(&self) -> Vec<String> {
        let voice = match self.speaker() {
            Some(speaker) if speaker == self.me => format!("{}, this node", wording::name(speaker)),
            Some(speaker) => format!("{}; this is {}", wording::name(speaker), self.me),
            None => format!("nobody is known to; this is {}", self.me),
        };
        let skew = self.skew().map(|skew| wording::skew(skew, &self.me));
        let stands_in = self.notes.stands_in.then(|| self.why_it_stands_in());
        [voice].into_iter().chain(stands_in).chain(skew).collect()
    }

    /// Who speaks, in words for the log.
    pub fn who_speaks(&self) -> String {
        let me = &self.me;
        match (self.speaker(), self.standing.waits) {
            (Some(_), true) => format!(
                "{me} has not seen what was told of late: in this pass it takes up what others know, from the next one on it speaks"
            ),
            (None, true) => format!(
                "nobody knows who holds the lock that decides who speaks: if that is still so in the next pass, {me} speaks"
            ),
            (Some(speaker), false) => {
                format!("{} speaks, so {me} is silent", wording::name(speaker))
            }
            (None, false) => format!("another node is to speak, so {me} is silent"),
        }
    }

    pub(super) fn why_it_speaks_for_all(&self, lock: Lock<'_>) -> String {
        let why = match lock {
            Lock::Unreachable => "as it did when it could last be known",
            Lock::Free | Lock::Ours | Lock::Held(_) | Lock::Unknown => {
                "as the first of the nodes that are alive"
            }
        };
        format!(
            "nobody knows who holds the lock that decides who speaks: {} speaks, {why}",
            self.me
        )
    }

    pub(super) fn why_it_stands_in(&self) -> String {
        let leader = (self.notes.heard.as_ref()).and_then(|heard| heard.leader.as_deref());
        match leader {
            Some(leader) => format!(
                "{}, PetaSAN's leader, carries out no passes of petanotify: those that do choose among themselves who speaks",
                wording::name(leader)
            ),
            None => {
                "PetaSAN has no leader: the nodes choose among themselves who speaks".to_owned()
            }
        }
    }

    pub(super) fn why_it_steps_down(&self) -> String {
        let passes = usize::try_from(self.notes.cut_off).unwrap_or(usize::MAX);
        format!(
            "{} could neither see the cluster nor send mail for {}: it leaves that to another node for {}",
            self.me,
            wording::count(passes, "pass"),
            wording::duration(REST)
        )
    }

    /// Says why what is shared can't be read, and returns what that leaves of the lock.
    pub(super) fn report_unreadable(
        &mut self,
        context: &Context,
        failure: Failure,
        purpose: Purpose,
    ) -> Held {
        let log = &context.log;
        if purpose != Purpose::Pass {
            log.warning(format!(
                "this is what {} knew last, for what the nodes share cannot be read: {failure}",
                self.me
            ));
            return Held::Unknown;
        }
        match failure {
            Failure::NoQuorum(error) => {
                log.warning(format!("the shared memory cannot be read: {error:#}"));
                Held::Unknown
            }
            Failure::Refused(error) => {
                self.trouble = true;
                log.error(format!("the shared memory cannot be read: {error:#}"));
                Held::Unknown
            }
            Failure::Unreachable(error) => {
                self.trouble = true;
                log.error(format!(
                    "the shared memory cannot be read, so others are to speak: {error:#}"
                ));
                Held::Unreachable
            }
        }
    }

    /// Says why Consul does not take what is written. In this pass nothing more is.
    pub(super) fn report_unwritten(&mut self, context: &Context, failure: Failure) {
        self.voice.cannot_write();
        let log = &context.log;
        match failure {
            Failure::NoQuorum(error) => log.warning(format!("nothing can be shared: {error:#}")),
            Failure::Refused(error) | Failure::Unreachable(error) => {
                self.trouble = true;
                log.error(format!("nothing can be shared: {error:#}"));
            }
        }
    }
}
