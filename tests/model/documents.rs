//! The memories and queues that nodes keep and share, each known by a number: what a pass makes of one is computed once, by
//! the program's own functions, however many states of the model have it.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use petanotify::alert::{Observed, Present, Report, Rules, Topic, judge_pass};
use petanotify::audience::forget_what_is_over;
use petanotify::facts::{Absence, Membership, Presence};
use petanotify::incident::{Ack, Kind};
use petanotify::late::bring_up_to_date;
use petanotify::naming::Names;
use petanotify::queue::{MailId, Recovery};
use petanotify::reunite::{Base, Course, Lineage, Told, reunite};
use petanotify::settings::{Checks, Notify, Recipient};
use petanotify::shared::{Mark, essence};
use petanotify::state::State;

/// The number of a document.
pub(crate) type Doc = u16;

/// A set of mails, each by its bit.
pub(crate) type Mails = u64;

/// A thing that went down, and by what reading of the clock somebody saw it first.
pub(crate) type Sighting = (u8, u8);

/// What there is to know of a mail.
pub(crate) struct Mail {
    /// Its bit: that of its id.
    pub(crate) bit: Mails,
    /// What it tells for the first time.
    pub(crate) news: Vec<Sighting>,
    /// What it calls down.
    pub(crate) down: Vec<Sighting>,
    /// What it calls over.
    pub(crate) over: Vec<Sighting>,
    /// It says that all is well.
    pub(crate) is_clearing: bool,
    /// The number of its recipient.
    pub(crate) to: usize,
    /// For people.
    pub(crate) words: String,
}

/// What is done to documents in which way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Merging {
    /// A merged memory keeps the mails that only the node's own file has.
    pub(crate) keeps_pending: bool,
    /// The ids of mails that were told are kept for a while.
    pub(crate) keeps_told: bool,
}

/// A node's own document, and how it stands to the shared memory (`reunite::Lineage`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Own {
    /// What it says.
    pub(crate) doc: Doc,
    /// The shared memory that it follows from.
    pub(crate) head: Option<Shared>,
    /// The shared memory from which it has parted.
    pub(crate) ahead: Option<Doc>,
}

/// A published memory: its number and what it says, which stands for its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Shared {
    pub(crate) saves: u8,
    pub(crate) doc: Doc,
}

/// A node's own document, the shared one, and the mails that are noted as sent.
type Parted = (Own, Option<Shared>, Mails);

/// All documents that there have been.
pub(crate) struct Documents {
    merging: Merging,
    /// By how many seconds the clock of each node is ahead of that of the one before.
    skew: i64,
    recipients: Vec<Recipient>,
    all: RefCell<Vec<State>>,
    numbers: RefCell<HashMap<String, Doc>>,
    ids: RefCell<Vec<MailId>>,
    judged: RefCell<HashMap<(Doc, u8, u8, u8), Doc>>,
    without: RefCell<HashMap<(Doc, Mails), Doc>>,
    united: RefCell<HashMap<Parted, Own>>,
    essences: RefCell<HashMap<Doc, u32>>,
    acknowledged: RefCell<HashMap<Doc, Doc>>,
    mails: RefCell<HashMap<Doc, &'static [Mail]>>,
    known: RefCell<HashMap<Doc, &'static [Sighting]>>,
}

/// The document of who remembers nothing.
pub(crate) const EMPTY: Doc = 0;

/// What an hour of the model is, in seconds: longer than any wait that is not an hour's.
const TICK: i64 = 600;

fn at(clock: u8, seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_402_440 + i64::from(clock) * TICK + seconds).unwrap()
}

fn tick_of(time: Timestamp) -> u8 {
    u8::try_from((time.as_second() - at(0, 0).as_second()) / TICK).unwrap()
}

fn name(thing: u8) -> String {
    format!("node{thing}")
}

fn thing(name: &str) -> u8 {
    name.trim_start_matches("node").parse().unwrap()
}

impl Documents {
    pub(crate) fn new(merging: Merging, recipients: usize, skew: i64) -> Self {
        let address = |number: usize| format!("ops{number}@example.org").parse().unwrap();
        let recipients = (0..recipients).map(|number| Recipient::of_everything(address(number)));
        let documents = Documents {
            merging,
            skew,
            recipients: recipients.collect(),
            all: RefCell::default(),
            numbers: RefCell::default(),
            ids: RefCell::default(),
            judged: RefCell::default(),
            without: RefCell::default(),
            united: RefCell::default(),
            essences: RefCell::default(),
            acknowledged: RefCell::default(),
            mails: RefCell::default(),
            known: RefCell::default(),
        };
        let empty = documents.number(State::default());
        assert_eq!(empty, EMPTY);
        documents
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.all.borrow().len()
    }

    fn get(&self, doc: Doc) -> State {
        self.all.borrow()[usize::from(doc)].clone()
    }

    /// The number of a document. What counts up for ever and what nobody decides by is left out.
    fn number(&self, mut state: State) -> Doc {
        state.memory.outcomes.clear();
        for down in state.memory.nodes.down.values_mut() {
            down.passes = down.passes.min(3);
        }
        if !self.merging.keeps_told {
            state.told = Told::default();
        }
        let text = serde_json::to_string(&state).unwrap();
        let mut all = self.all.borrow_mut();
        *self.numbers.borrow_mut().entry(text).or_insert_with(|| {
            all.push(state);
            Doc::try_from(all.len() - 1).unwrap()
        })
    }

    fn bit(&self, id: &MailId) -> Mails {
        let mut ids = self.ids.borrow_mut();
        let place = ids.iter().position(|known| known == id);
        let place = place.unwrap_or_else(|| {
            ids.push(id.clone());
            ids.len() - 1
        });
        assert!(place < 64, "more mails than bits");
        1 << place
    }

    fn ids_of(&self, mails: Mails) -> HashSet<MailId> {
        let ids = self.ids.borrow();
        let named = ids.iter().enumerate();
        let named = named.filter(|(place, _)| mails & (1 << place) != 0);
        named.map(|(_, id)| id.clone()).collect()
    }

    /// What a pass of this node goes on from: what was seen has been judged, and the mails are in the queue
    /// (`Pass::judge` of `command/check.rs`).
    pub(crate) fn judge(&self, doc: Doc, down: u8, clock: u8, node: u8) -> Doc {
        let key = (doc, down, clock, node);
        let known = self.judged.borrow().get(&key).copied();
        known.unwrap_or_else(|| {
            let judged = self.judge_anew(doc, down, at(clock, i64::from(node) * self.skew));
            self.judged.borrow_mut().insert(key, judged);
            judged
        })
    }

    fn judge_anew(&self, doc: Doc, down: u8, now: Timestamp) -> Doc {
        let mut state = self.get(doc);
        state
            .memory
            .names
            .get_or_insert_with(|| Names::beginning(now));
        let checks = Checks {
            capacity: None,
            osds: None,
            ..Checks::default()
        };
        let notify = Notify {
            flapping: None,
            ..Notify::default()
        };
        let rules = Rules {
            checks: &checks,
            notify: &notify,
            nodes_prefix: "PetaSAN/Nodes/",
            cluster: "prod",
        };
        let presence = |thing: u8| match down & (1 << thing) {
            0 => Presence::Alive,
            _ => Presence::Down(Absence::Failed),
        };
        let nodes: BTreeMap<_, _> = (0..4).map(|thing| (name(thing), presence(thing))).collect();
        let observed = Observed {
            nodes: Some(Ok(Membership {
                nodes,
                ..Membership::default()
            })),
            ..Observed::default()
        };
        state.set_clock(now);
        let verdict = judge_pass(state.memory, observed, rules, now);
        state.memory = verdict.memory;
        let recipients = &self.recipients;
        let audiences = &mut state.memory.audiences;
        for alert in verdict.alerts {
            audiences.tell(
                &mut state.queue,
                &alert,
                alert.raised,
                recipients,
                Recovery::Told,
            );
        }
        forget_what_is_over(&mut state.memory, &state.queue);
        let present = Present {
            around: &verdict.around,
            rules,
            now,
        };
        bring_up_to_date(&state.memory, &mut state.queue, present);
        state.queue.remove(&state.told.ids());
        self.number(state)
    }

    /// The same without these mails, which were told.
    pub(crate) fn without(&self, doc: Doc, told: Mails) -> Doc {
        if told == 0 {
            return doc;
        }
        let known = self.without.borrow().get(&(doc, told)).copied();
        known.unwrap_or_else(|| {
            let mut state = self.get(doc);
            let ids = self.ids_of(told);
            state.queue.remove(&ids);
            state.told.extend(&ids);
            let without = self.number(state);
            self.without.borrow_mut().insert((doc, told), without);
            without
        })
    }

    /// What to go on from (`reunite::reunite`). These mails are noted as sent beside the one or the other.
    pub(crate) fn reunite(&self, own: Own, shared: Option<Shared>, sent: Mails) -> Own {
        let key = (own, shared, sent);
        let known = self.united.borrow().get(&key).copied();
        known.unwrap_or_else(|| {
            let united = self.reunite_anew(own, shared, sent);
            self.united.borrow_mut().insert(key, united);
            united
        })
    }

    fn reunite_anew(&self, own: Own, shared: Option<Shared>, sent: Mails) -> Own {
        let mark = |shared: Shared| Mark {
            saves: u64::from(shared.saves),
            checksum: u32::from(shared.doc),
        };
        let mut state = self.get(own.doc);
        state.lineage = own.head.map(|head| Lineage {
            head: Some(mark(head)),
            since: at(0, 0),
            ahead: own.ahead.map(|base| Base::of(&self.get(base))),
        });
        let theirs = shared.map(|shared| (mark(shared), self.get(shared.doc)));
        let (mut state, course) = reunite(state, theirs, &self.ids_of(sent), at(0, 0));
        let ahead = state
            .lineage
            .take()
            .is_some_and(|lineage| lineage.ahead.is_some());
        if let (false, Some(shared)) = (self.merging.keeps_pending, shared) {
            let known = self.get(shared.doc).queue;
            let known: HashSet<&MailId> = known.iter().map(|entry| &entry.id).collect();
            let ids = state.queue.iter().map(|entry| entry.id.clone());
            let only_ours: HashSet<MailId> = ids.filter(|id| !known.contains(id)).collect();
            state.queue.remove(&only_ours);
        }
        let doc = self.number(state);
        match (course, shared) {
            (Course::Own, _) | (_, None) => Own { doc, ..own },
            (Course::Shared | Course::Both, Some(shared)) => Own {
                doc,
                head: Some(shared),
                ahead: ahead.then_some(shared.doc),
            },
        }
    }

    /// Whether a successor has to know of what one document has and the other has not (`shared::essence`).
    pub(crate) fn differ(&self, one: Doc, other: Doc) -> bool {
        one != other && self.essence(one) != self.essence(other)
    }

    fn essence(&self, doc: Doc) -> u32 {
        let mut known = self.essences.borrow_mut();
        *known
            .entry(doc)
            .or_insert_with(|| essence(&self.all.borrow()[usize::from(doc)]))
    }

    /// Somebody knows of the open incident (`petanotify ack`); `None` where there is none, or he has said so before.
    pub(crate) fn acknowledge(&self, doc: Doc) -> Option<Doc> {
        let open = |state: &State| {
            let incident = state.memory.nodes.incident.as_ref();
            incident.is_some_and(|incident| incident.ack.is_none())
        };
        if !open(&self.all.borrow()[usize::from(doc)]) {
            return None;
        }
        let known = self.acknowledged.borrow().get(&doc).copied();
        Some(known.unwrap_or_else(|| {
            let mut state = self.get(doc);
            let ack = Ack {
                at: at(0, 0),
                why: None,
                by: None,
            };
            state.memory.acknowledge(Topic::Nodes, Some(ack));
            let acknowledged = self.number(state);
            self.acknowledged.borrow_mut().insert(doc, acknowledged);
            acknowledged
        }))
    }

    /// Whether an incident is open that nobody has acknowledged.
    pub(crate) fn is_unacknowledged(&self, doc: Doc) -> bool {
        self.acknowledge(doc).is_some()
    }

    /// The mails that wait, in the order in which they are sent.
    pub(crate) fn mails(&self, doc: Doc) -> &'static [Mail] {
        if let Some(mails) = self.mails.borrow().get(&doc) {
            return mails;
        }
        let state = self.get(doc);
        let mails: Vec<Mail> = state.queue.iter().map(|e| self.mail(e)).collect();
        let mails: &'static [Mail] = Box::leak(mails.into_boxed_slice());
        self.mails.borrow_mut().insert(doc, mails);
        mails
    }

    fn mail(&self, entry: &petanotify::queue::Entry) -> Mail {
        let alert = &entry.alert;
        let Report::Nodes(change) = &alert.report else {
            panic!("nothing but nodes is watched: {alert:?}");
        };
        let sighting = |name: &str, since: Timestamp| (thing(name), tick_of(since));
        let items = |items: &[petanotify::incident::Item<String, Absence>]| -> Vec<Sighting> {
            items.iter().map(|i| sighting(&i.key, i.since)).collect()
        };
        let over: Vec<Sighting> = (change.over.iter())
            .map(|item| sighting(&item.key, item.was.since))
            .collect();
        let news = items(&change.new);
        let mut recipients = self.recipients.iter();
        let recipient = recipients.position(|known| entry.to.as_ref() == Some(&known.address));
        let mut down = items(&change.new);
        down.extend(items(&change.still));
        Mail {
            bit: self.bit(&entry.id),
            news,
            down,
            over,
            is_clearing: alert.kind == Kind::Cleared,
            to: recipient.unwrap(),
            words: format!(
                "{} {}/{} {}",
                entry.id,
                alert.incident,
                alert.sequence,
                alert.kind.as_str()
            ),
        }
    }

    /// What a document knows to have been down, told or to be told.
    pub(crate) fn known(&self, doc: Doc) -> &'static [Sighting] {
        if let Some(known) = self.known.borrow().get(&doc) {
            return known;
        }
        let mut known: Vec<Sighting> = Vec::new();
        for mail in self.mails(doc) {
            known.extend(mail.down.iter().chain(&mail.over));
        }
        let state = self.get(doc);
        let down = state.memory.nodes.down.iter();
        let announced = down.filter(|(_, down)| down.announced);
        known.extend(announced.map(|(name, down)| (thing(name), tick_of(down.since))));
        known.sort_unstable();
        known.dedup();
        let known: &'static [Sighting] = Box::leak(known.into_boxed_slice());
        self.known.borrow_mut().insert(doc, known);
        known
    }
}
