//! Bringing this node's state up to date with what is shared.

use anyhow::anyhow;

use super::Share;
use super::publish::{ATTEMPTS, Known};
use super::store::{Found, Tree};
use crate::command::Context;
use crate::consul::{Failure, Freshness};
use crate::naming::Names;
use crate::output::Log;
use crate::reunite::{Course, reunite};
use crate::shared::{Head, Mark, Unreadable};
use crate::speaker::{Skew, skew};
use crate::state::State;
use crate::wording;

impl Share {
    /// Brings `state` up to date with what is shared. Whether that could be read.
    pub(super) fn take_up(&mut self, context: &Context, state: &mut State) -> bool {
        let log = &context.log;
        let (shared, readable) = match self.read_memory(state, log) {
            Ok(shared) => (shared, true),
            Err(error) => {
                self.trouble = true;
                log.error(format!("the shared memory cannot be used: {error:#}"));
                (None, false)
            }
        };
        self.watch_clocks(context);
        let was_sent = self.sent.take_up(&self.found);
        let own = std::mem::take(state);
        let (mut reunited, course) = reunite(own, shared, self.sent.known(), context.now);
        match course {
            Course::Own => {}
            Course::Shared => log.info("going on from what the nodes share"),
            Course::Both => {
                log.notice("going on from what the nodes share and from what this node knew alone")
            }
        }
        reunited.set_clock(context.now);
        if reunited.memory.names.is_none() {
            reunited.memory.names = Some(Names::beginning(context.now));
        }
        reunited.lineage.get_or_insert_default();
        self.known = Known::of(&reunited);
        self.changed |= course != Course::Own || was_sent;
        *state = reunited;
        readable
    }

    /// The shared memory, where it is another one than `own` follows from; else its mark alone.
    fn read_memory(&mut self, own: &State, log: &Log) -> anyhow::Result<Option<(Mark, State)>> {
        let known = own.lineage.as_ref().and_then(|lineage| lineage.head);
        for _ in 0..ATTEMPTS {
            let Some(head) = self.found.head()? else {
                return Ok(None);
            };
            let mark = head.mark();
            if known == Some(mark) {
                return Ok(Some((mark, State::default())));
            }
            let Some(content) = self.read_content(&head, log)? else {
                // Others have moved on meanwhile.
                let tree = Tree::read(&self.agent, &self.keys, self.freshness(), log);
                self.found = Found::Tree(tree.map_err(Failure::into_error)?);
                continue;
            };
            let error = match head.unpack(&content) {
                Ok(state) => return Ok(Some((mark, state))),
                Err(error) => error,
            };
            if error == Unreadable::Newer {
                self.found.leave_alone();
            }
            let (key, node) = (self.keys.memory(), &head.node);
            return Err(anyhow!("{key} as published by {node}: {error}"));
        }
        Err(anyhow!("{} changes all the time", self.keys.memory()))
    }

    /// The packed content; `None` where a part of it is gone.
    fn read_content(&self, head: &Head, log: &Log) -> anyhow::Result<Option<Vec<u8>>> {
        match head.inline() {
            Some(content) => content.map(Some).map_err(|error| anyhow!("{error}")),
            None => (self.keys)
                .read_parts(&self.agent, head, self.freshness(), log)
                .map_err(Failure::into_error),
        }
    }

    fn freshness(&self) -> Freshness {
        match self.voice.can_write() {
            true => Freshness::Consistent,
            false => Freshness::Stale,
        }
    }

    /// Tells of a clock that is off by minutes.
    fn watch_clocks(&mut self, context: &Context) {
        let (log, now) = (&context.log, context.now);
        if !self.standing.has_quorum {
            // What one server knew last says nothing of when it was written.
            return;
        }
        let looked_at = self.notes.looked_at.replace(now);
        let Ok(Some(head)) = self.found.head() else {
            return;
        };
        let mark = head.mark();
        // One of before, which Consul was given back, was not written since the last look.
        let is_new = (self.notes.seen).is_none_or(|seen| seen.saves < mark.saves);
        if is_new && head.node != self.me {
            let looked = looked_at.filter(|looked| *looked <= now);
            let off = looked.and_then(|looked| skew(head.written_at, looked, now));
            self.notes.skew = off.map(|seconds| Skew {
                node: head.node.clone(),
                seconds,
            });
            if let Some(skew) = &self.notes.skew {
                log.warning(wording::skew(skew, &self.me));
            }
        }
        self.notes.seen = Some(mark);
    }
}
