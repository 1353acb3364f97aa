//! How a memory that is too long for one value lies in Consul (`shared`): parts under names of their own, written before the
//! head and never changed. Two nodes publish at the same time, one of them may be killed, and a third one reads.

use crate::search::System;

/// A memory has so many parts.
const PARTS: usize = 2;

/// So often a node publishes.
const ROUNDS: u8 = 2;

/// What a rule breaker does without.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// All parts are there before the head is.
    pub(crate) head_last: bool,
    /// Each memory has a folder of its own.
    pub(crate) own_folder: bool,
    /// What may become a memory yet is not deleted.
    pub(crate) delete_older_only: bool,
    /// A head takes the place of the one that its writer has read.
    pub(crate) check_index: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            head_last: true,
            own_folder: true,
            delete_older_only: true,
            check_index: true,
        }
    }
}

/// What a memory says: who has made it, and in which of his rounds. No two say the same.
type Content = (u8, u8);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Head {
    saves: u8,
    content: Content,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Read,
    Write(usize),
    Publish,
    Delete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Writer {
    step: Step,
    round: u8,
    read: Option<Head>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Reader {
    head: Option<Head>,
    /// What it has found so far.
    found: [Option<Content>; PARTS],
    next: usize,
}

/// What lies in Consul, and how far everybody is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Store {
    head: Option<Head>,
    /// The parts by folder and place, in order.
    parts: Vec<((u8, Content), usize, Content)>,
    writers: [Writer; 2],
    reader: Reader,
    kills: u8,
}

/// What happens next, and to whom.
#[derive(Debug, Clone, Copy)]
#[expect(dead_code, reason = "people read it")]
pub(crate) enum Action {
    Write(u8),
    Kill(u8),
    Read,
}

const RESTING: Reader = Reader {
    head: None,
    found: [None; PARTS],
    next: 0,
};

/// Publishing under these rules.
pub(crate) struct Publishing(pub Rules);

impl Publishing {
    fn folder(&self, head: Head) -> (u8, Content) {
        match self.0.own_folder {
            true => (head.saves, head.content),
            false => (0, (0, 0)),
        }
    }

    fn part(&self, store: &Store, head: Head, place: usize) -> Option<Content> {
        let folder = self.folder(head);
        let mut parts = store.parts.iter();
        let part = parts.find(|part| part.0 == folder && part.1 == place);
        part.map(|part| part.2)
    }

    fn write(&self, store: &mut Store, me: usize) {
        let Writer { step, round, read } = store.writers[me];
        let content = (u8::try_from(me).unwrap(), round);
        let saves = read.map_or(0, |read| read.saves) + 1;
        let head = Head { saves, content };
        let last = PARTS - 1;
        let writer = &mut store.writers[me];
        match step {
            Step::Read => {
                writer.read = store.head;
                writer.step = match self.0.head_last {
                    true => Step::Write(0),
                    false => Step::Publish,
                };
            }
            Step::Write(place) => {
                writer.step = match (place == last, self.0.head_last) {
                    (false, _) => Step::Write(place + 1),
                    (true, true) => Step::Publish,
                    (true, false) => Step::Delete,
                };
                let folder = self.folder(head);
                store
                    .parts
                    .retain(|part| (part.0, part.1) != (folder, place));
                store.parts.push((folder, place, content));
                store.parts.sort_unstable();
            }
            Step::Publish => {
                if self.0.check_index && store.head != read {
                    writer.step = Step::Read;
                    writer.round += 1;
                    return;
                }
                store.head = Some(head);
                writer.step = match self.0.head_last {
                    true => Step::Delete,
                    false => Step::Write(0),
                };
            }
            Step::Delete => {
                writer.step = Step::Read;
                writer.round += 1;
                let own = self.folder(head);
                store
                    .parts
                    .retain(|(folder, ..)| match self.0.delete_older_only {
                        true => folder.0 >= saves,
                        false => *folder == own,
                    });
            }
        }
    }

    fn read(&self, store: &mut Store) {
        let Reader { head, next, .. } = store.reader;
        match head {
            None => store.reader.head = store.head,
            Some(_) if next == PARTS => store.reader = RESTING,
            Some(head) => {
                let found = self.part(store, head, next);
                let reader = &mut store.reader;
                reader.found[next] = found;
                reader.next += 1;
                if found.is_none() {
                    *reader = RESTING;
                }
            }
        }
    }
}

impl System for Publishing {
    type State = Store;
    type Action = Action;

    fn initial(&self) -> Store {
        let writer = Writer {
            step: Step::Read,
            round: 0,
            read: None,
        };
        Store {
            head: None,
            parts: Vec::new(),
            writers: [writer; 2],
            reader: RESTING,
            kills: 0,
        }
    }

    fn next(&self, store: &Store, found: &mut Vec<(Action, Store)>) {
        for me in 0..2 {
            let name = u8::try_from(me).unwrap();
            let Writer { step, round, .. } = store.writers[me];
            if round < ROUNDS {
                let mut next = store.clone();
                self.write(&mut next, me);
                found.push((Action::Write(name), next));
            }
            if step != Step::Read && store.kills == 0 {
                let mut next = store.clone();
                next.kills += 1;
                next.writers[me].step = Step::Read;
                next.writers[me].round += 1;
                found.push((Action::Kill(name), next));
            }
        }
        if store.reader.head.is_some() || store.head.is_some() {
            let mut next = store.clone();
            self.read(&mut next);
            found.push((Action::Read, next));
        }
    }

    fn violation(&self, store: &Store) -> Option<String> {
        if let Some(head) = store.head {
            let is_whole = (0..PARTS).all(|place| {
                let part = self.part(store, head, place);
                part == Some(head.content)
            });
            if !is_whole {
                return Some(format!("LOST: {head:?} has not all of its parts"));
            }
        }
        let Reader { head, found, next } = store.reader;
        let is_one = |head: Head| found.iter().all(|part| *part == Some(head.content));
        match head {
            Some(head) if next == PARTS && !is_one(head) => {
                Some(format!("TORN: {head:?} was read as {found:?}"))
            }
            _ => None,
        }
    }
}
