//! Publishing what this node has to say.

use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;

use super::Share;
use super::store::{Found, Tree};
use crate::command::Context;
use crate::consul::{Failure, Freshness, Step, Transacted};
use crate::incident::age;
use crate::output::Log;
use crate::reunite::{Base, Lineage};
use crate::shared::{self, Head, Mark, Packed, essence};
use crate::state::State;

/// What is not worth a publication of its own, such as the growth of the storage or for how long something has been down
/// that is not told yet, is published so often: a successor has to know it that well.
const PUBLISHED_EVERY: Duration = Duration::from_secs(15 * 60);

/// A publication is refused when somebody else has published meanwhile, e.g. a silence: then what they wrote is taken in.
pub(super) const ATTEMPTS: u32 = 4;

/// So often a pass looks and judges at most: where others publish in each moment, the last verdict is merged with what they wrote.
pub const JUDGED_AT_MOST: u32 = 3;

/// What is to become of what a pass has judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// It stands, published or not.
    Stands,
    /// Others have published meanwhile, so that it has to be judged anew.
    Overtaken,
}

/// When to publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Where there are news, or the last publication is old.
    Due,
    /// Where there are news.
    News,
    /// Where this node knows more than what is shared since an earlier pass.
    Ahead,
    /// In any case.
    Always,
}

impl When {
    fn wants(self, news: News) -> bool {
        match self {
            When::Due => news.is_any() || news.is_old,
            When::News => news.is_any(),
            When::Ahead => news.is_ahead,
            When::Always => true,
        }
    }
}

/// What of a state the others do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct News {
    /// Something has changed since what is shared was read or written.
    is_new: bool,
    /// This node knows more than what is shared since an earlier pass.
    is_ahead: bool,
    /// It was last published long ago.
    is_old: bool,
}

impl News {
    fn of(state: &State, known: &Known, now: Timestamp) -> Self {
        let lineage = state.lineage.as_ref();
        let is_old = |since| age(since, now) >= PUBLISHED_EVERY || since > now;
        News {
            is_new: essence(state) != known.essence,
            is_ahead: lineage.is_some_and(|lineage| lineage.ahead.is_some()),
            is_old: lineage.is_none_or(|lineage| is_old(lineage.since)),
        }
    }

    /// What a successor must know.
    fn is_any(self) -> bool {
        self.is_new || self.is_ahead
    }
}

/// What the others know, as far as this node knows.
#[derive(Debug)]
pub(super) struct Known {
    /// What both this node's state and the shared one knew at first.
    base: Base,
    /// [`essence`] of what is shared.
    essence: u32,
}

impl Known {
    pub(super) fn of(state: &State) -> Self {
        let ahead = state.lineage.as_ref().and_then(|l| l.ahead.clone());
        Known {
            base: ahead.unwrap_or_else(|| Base::of(state)),
            essence: essence(state),
        }
    }
}

/// What became of a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Published {
    Yes,
    /// It could not be had; the cause has been told.
    No,
    /// Another node speaks now.
    VoiceLost,
    /// Others have published since what this would follow from.
    Overtaken,
}

impl Share {
    /// Publishes `state` if that has anything new to say, and takes in what others have published meanwhile. What can't be
    /// published stays this node's own for now.
    pub fn publish(&mut self, context: &Context, state: &mut State, when: When) {
        self.publish_with(context, state, when, None);
    }

    /// Publishes what a pass has made of `before`, if that has anything new to say. Where others have published meanwhile,
    /// `before` is brought up to date with that instead.
    pub fn publish_judged(
        &mut self,
        context: &Context,
        state: &mut State,
        before: &mut State,
    ) -> Judged {
        match self.publish_with(context, state, When::Due, Some(before)) {
            Some(Published::Overtaken) => {
                let words = "others have published meanwhile, so this pass judges anew";
                context.log.info(words);
                Judged::Overtaken
            }
            Some(Published::Yes | Published::No | Published::VoiceLost) | None => Judged::Stands,
        }
    }

    /// `None` where there is nothing to publish.
    fn publish_with(
        &mut self,
        context: &Context,
        state: &mut State,
        when: When,
        before: Option<&mut State>,
    ) -> Option<Published> {
        let news = News::of(state, &self.known, context.now);
        if !when.wants(news) {
            return None;
        }
        let published = match self.voice.can_write() {
            true => self.try_to_publish(context, state, before),
            false => Published::No,
        };
        if published == Published::VoiceLost {
            self.voice.lose();
            context.log.warning(format!(
                "another node has the lock now: {} is silent from here on",
                self.me
            ));
        }
        let is_kept = matches!(published, Published::No | Published::VoiceLost);
        if is_kept && news.is_any() {
            self.keep_for_later(state);
        }
        Some(published)
    }

    fn keep_for_later(&self, state: &mut State) {
        let lineage = state.lineage.get_or_insert_default();
        let base = || self.known.base.clone();
        lineage.ahead.get_or_insert_with(base);
    }

    fn try_to_publish(
        &mut self,
        context: &Context,
        state: &mut State,
        before: Option<&mut State>,
    ) -> Published {
        for _ in 0..ATTEMPTS {
            match self.publish_once(context, state) {
                Ok(Some(mark)) => {
                    state.lineage = Some(Lineage {
                        head: Some(mark),
                        since: context.now,
                        ahead: None,
                    });
                    self.known = Known::of(state);
                    self.notes.seen = Some(mark);
                    self.changed = true;
                    return Published::Yes;
                }
                Ok(None) => {}
                Err(failure) => {
                    self.report_unwritten(context, failure);
                    return Published::No;
                }
            }
            // Somebody has written, or taken the lock.
            if !self.still_holds(context) {
                return Published::VoiceLost;
            }
            if let Some(before) = before {
                return match self.take_up(context, before) {
                    true => Published::Overtaken,
                    false => Published::No,
                };
            }
            self.keep_for_later(state);
            if !self.take_up(context, state) {
                return Published::No;
            }
        }
        context.log.warning(
            "others have published in each moment, so this node's news have to wait for the next pass",
        );
        Published::No
    }

    /// Reads anew what is shared. Whether this node may still write there.
    fn still_holds(&mut self, context: &Context) -> bool {
        let log = &context.log;
        match Tree::read(&self.agent, &self.keys, Freshness::Consistent, log) {
            Ok(tree) => self.found = Found::Tree(tree),
            Err(failure) => {
                self.report_unwritten(context, failure);
                return true;
            }
        }
        if self.voice.fence.is_empty() {
            return true;
        }
        match self.agent.transact(&self.voice.fence, log) {
            Ok(Transacted::Done) => true,
            Ok(Transacted::Refused(words)) => {
                log.info(format!("the lock is lost: {words}"));
                false
            }
            Err(failure) => {
                self.report_unwritten(context, failure);
                true
            }
        }
    }

    /// `None`: it was refused, because somebody else has written, or this node has lost the lock.
    fn publish_once(&mut self, context: &Context, state: &State) -> Result<Option<Mark>, Failure> {
        let log = &context.log;
        let known = state.lineage.as_ref().and_then(|lineage| lineage.head);
        if !self.is_up_to_date(known, log)? {
            return Ok(None);
        }
        let before = self.replaceable_head()?;
        let saves = (before.as_ref().map(|head| head.saves)).max(known.map(|known| known.saves));
        let saves = saves.unwrap_or(0).saturating_add(1);
        let packed = shared::pack(state, &self.me, saves, context.now)
            .context("cannot pack the shared memory")
            .map_err(Failure::Refused)?;
        let obsolete = self.obsolete_folders(before.as_ref(), &packed, log)?;
        let Packed { head, parts } = packed;
        if !self.write_parts(&head, parts, log)? {
            return Ok(None);
        }
        match self.write_head(&head, obsolete, log)? {
            Transacted::Done => Ok(Some(head.mark())),
            Transacted::Refused(words) => {
                log.info(format!("not published: {words}"));
                Ok(None)
            }
        }
    }

    /// Reads what is shared where this node has written there before. Whether nobody else has written since: that must not be
    /// written over.
    fn is_up_to_date(&mut self, known: Option<Mark>, log: &Log) -> Result<bool, Failure> {
        if self.found != Found::Outdated {
            return Ok(true);
        }
        let tree = Tree::read(&self.agent, &self.keys, Freshness::Consistent, log)?;
        self.found = Found::Tree(tree);
        Ok(match self.found.head() {
            Ok(Some(head)) => known == Some(head.mark()),
            Ok(None) | Err(_) => true,
        })
    }

    /// The head that is to be replaced. One that can't be understood is as good as none, but what a later release wrote is left
    /// as it is.
    fn replaceable_head(&self) -> Result<Option<Head>, Failure> {
        match self.found.head() {
            Ok(head) => Ok(head),
            Err(error) if self.found.is_of_later_release() => Err(Failure::Refused(error)),
            Err(_) => Ok(None),
        }
    }

    /// The folders of parts that nobody needs when `packed` is published in place of `before`.
    fn obsolete_folders(
        &self,
        before: Option<&Head>,
        packed: &Packed,
        log: &Log,
    ) -> Result<Vec<String>, Failure> {
        match before {
            Some(head) if head.parts > 0 => {
                let folder = head.folder();
                Ok(Vec::from_iter(
                    (folder != packed.head.folder()).then_some(folder),
                ))
            }
            // Those of publications that came to nothing. The head has reached the number of each: those with a higher one are
            // another node's, which may be about to publish them.
            Some(head) if !packed.parts.is_empty() => {
                let parts = self.keys.parts();
                let keys = self.agent.key_names(&parts, log)?;
                let folders = keys.iter().filter_map(|key| key.strip_prefix(&parts));
                Ok(shared::left_over(folders, head.saves))
            }
            Some(_) | None => Ok(Vec::new()),
        }
    }

    /// Whether the parts could be written.
    fn write_parts(&self, head: &Head, parts: Vec<Vec<u8>>, log: &Log) -> Result<bool, Failure> {
        let folder = head.folder();
        for (number, part) in parts.into_iter().enumerate() {
            let mut steps = self.voice.fence.clone();
            steps.push(Step::Set {
                key: self.keys.part(&folder, number),
                value: part,
            });
            if let Transacted::Refused(_) = self.agent.transact(&steps, log)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes the head, and with it takes away what it makes obsolete.
    fn write_head(
        &mut self,
        head: &Head,
        obsolete: Vec<String>,
        log: &Log,
    ) -> Result<Transacted, Failure> {
        let value = serde_json::to_vec(head)
            .context("cannot write the head of the shared memory")
            .map_err(Failure::Refused)?;
        let mut steps = self.voice.fence.clone();
        steps.push(Step::Cas {
            key: self.keys.memory(),
            index: self.found.index(),
            value,
        });
        for folder in obsolete {
            steps.push(Step::DeleteTree {
                prefix: format!("{}{folder}/", self.keys.parts()),
            });
        }
        // Whoever speaks knows what is noted there, and nobody else notes anything.
        let resets = !self.voice.fence.is_empty() && self.sent.is_noted(&self.found);
        if resets {
            steps.push(Step::DeleteTree {
                prefix: self.keys.sent(),
            });
        }
        let written = self.agent.transact(&steps, log)?;
        if written == Transacted::Done {
            self.found = Found::Outdated;
            if resets {
                self.sent.begin_anew();
            }
        }
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_pass_publishes_nothing() {
        // News of this pass, news of an earlier one, an old publication; and whether each occasion wants it published.
        for (is_new, is_ahead, is_old, [due, news, ahead]) in [
            (false, false, false, [false, false, false]),
            (true, false, false, [true, true, false]),
            (false, true, false, [true, true, true]),
            (false, false, true, [true, false, false]),
        ] {
            let found = News {
                is_new,
                is_ahead,
                is_old,
            };
            assert_eq!(When::Due.wants(found), due, "{found:?}");
            assert_eq!(When::News.wants(found), news, "{found:?}");
            assert_eq!(When::Ahead.wants(found), ahead, "{found:?}");
            assert!(When::Always.wants(found));
        }
    }

    #[test]
    fn what_was_published_long_ago_is_old() {
        let at =
            |minute: i64| Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap_or_default();
        for (since, expected) in [
            (Some(0), false),
            (Some(-14), false),
            (Some(-15), true),
            // A clock that was set back.
            (Some(1), true),
            (None, true),
        ] {
            let state = State {
                lineage: since.map(|since| Lineage {
                    since: at(since),
                    ..Lineage::default()
                }),
                ..State::default()
            };
            let news = News::of(&state, &Known::of(&state), at(0));
            assert_eq!(news.is_old, expected, "{since:?}");
            assert!(!news.is_any());
        }
    }
}
